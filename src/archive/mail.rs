//! Mails that the daemon writes, as the archive keeps them: queued before anything is sent, each under a key that says
//! why, and never twice under the same key.
//!
//! A mail's id is a keyed digest of its key, because keys hold addresses. Text and recipient stand in the sealed record
//! alone. A mail about a document is sealed under that document's key, and a document is not purged while one waits.

use std::fmt;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::apply::{MAIL, MAIL_FAILED, MAIL_WAITING, MailEntry, MailStanding, decode, mail_key};
use super::event::Event;
use super::index::Fault;
use super::vault::Vault;
use super::{Archive, ArchiveError};
use crate::document::DocumentId;
use crate::queue::item::ItemId;

/// A mail's identity: 64 hexadecimal digits that tell nothing of why it is sent, nor to whom.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct MailId(String);

impl MailId {
    pub(super) fn of(key: &str, vault: &Vault) -> Self {
        Self(vault.mark("mail", [key, ""]).digits(64))
    }

    /// All digits.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The digits that its Message-ID bears.
    pub fn in_message_id(&self) -> &str {
        self.0.get(..MESSAGE_ID_DIGITS).unwrap_or(&self.0)
    }

    /// As people type it and as it stands in the log: `mail-` and 12 digits.
    pub fn short(&self) -> String {
        "mail-".chars().chain(self.0.chars().take(12)).collect()
    }
}

impl fmt::Display for MailId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.short())
    }
}

/// Digits of a mail's id in its Message-ID: as many as nobody guesses.
const MESSAGE_ID_DIGITS: usize = 40;

/// Why a mail is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MailKind {
    /// An urgent item waits while its time runs.
    Urgent,
    /// A source has been silent for longer than it should, or speaks again.
    Silence,
    /// Something is wrong with the machine.
    Trouble,
    /// A nurse's counts, at set times.
    Digest,
    /// A document is sent on, with patient data.
    Forward,
    /// The sender of an email is told that it came.
    Acknowledgement,
}

impl MailKind {
    /// As it stands in logs and listings.
    pub fn name(self) -> &'static str {
        match self {
            Self::Urgent => "urgent",
            Self::Silence => "silence",
            Self::Trouble => "trouble",
            Self::Digest => "digest",
            Self::Forward => "forward",
            Self::Acknowledgement => "acknowledgement",
        }
    }
}

/// A mail that was queued.
#[derive(Clone, Debug, PartialEq)]
pub struct Mail {
    pub id: MailId,
    pub kind: MailKind,
    /// Names the reason: no second mail is ever queued under it.
    pub key: String,
    pub document: Option<DocumentId>,
    pub item: Option<ItemId>,
    pub recipient: String,
    pub subject: String,
    pub body: String,
    pub queued_at: Timestamp,
    /// Since when it waits: since it was queued, or since a person wanted it tried again.
    pub waiting_since: Timestamp,
    /// Tries counted since then.
    pub attempts: u32,
}

/// A mail whose turn it is.
#[allow(clippy::large_enum_variant, reason = "lives for one attempt")]
pub enum NextMail {
    Waits(Mail),
    /// It was sent or given up, or a person has seen to it.
    WaitsNoMore,
    /// Its document's key is gone.
    CannotBeOpened,
}

/// A mail that waits to be sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WaitingMail {
    pub id: MailId,
    pub document: Option<DocumentId>,
    pub waiting_since: Timestamp,
    pub attempts: u32,
}

/// A mail that was given up, and waits for a person.
#[derive(Clone, Debug, PartialEq)]
pub struct DeadLetter {
    pub id: MailId,
    pub document: Option<DocumentId>,
    /// Bounded, without address and without what the server said.
    pub reason: String,
    pub since: Timestamp,
    pub attempts: u32,
    /// `None` when its record cannot be opened any more.
    pub mail: Option<Mail>,
}

/// How many mails there are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct MailCounts {
    pub waiting: u64,
    pub dead_letters: u64,
    /// All that were ever queued.
    pub queued: u64,
}

impl Archive {
    /// The id of the mail under this key, queued or not.
    pub fn mail_id(&self, key: &str) -> MailId {
        MailId::of(key, &self.inner.vault)
    }

    /// Whether a mail was ever queued under this key.
    pub fn is_mail_queued(&self, key: &str) -> Result<bool, ArchiveError> {
        Ok(self.inner.index.get(&mail_key(&self.mail_id(key)))?.is_some())
    }

    /// The mails that wait to be sent, in the order in which they were queued.
    pub fn waiting_mails(&self) -> Result<Vec<WaitingMail>, ArchiveError> {
        let mut waiting = Vec::new();
        for (_, id) in self.inner.index.page(&[MAIL_WAITING], None, usize::MAX)? {
            let id: MailId = decode(&id)?;
            let entry = self.mail_entry(&id)?.ok_or(Fault::Entry)?;
            let waiting_since = self.inner.reader.entry(entry.since)?.time;
            waiting.push(WaitingMail { id, document: entry.document, waiting_since, attempts: entry.attempts });
        }
        Ok(waiting)
    }

    /// A mail that waits; `None` when it does not (any more), or when its document's key is gone.
    pub fn waiting_mail(&self, id: &MailId) -> Result<Option<Mail>, ArchiveError> {
        Ok(match self.next_mail(id)? {
            NextMail::Waits(mail) => Some(mail),
            NextMail::WaitsNoMore | NextMail::CannotBeOpened => None,
        })
    }

    /// What is to be done with a mail that waited.
    pub fn next_mail(&self, id: &MailId) -> Result<NextMail, ArchiveError> {
        match self.mail_entry(id)? {
            Some(entry) if entry.standing == MailStanding::Waiting => {
                Ok(self.mail_of(id, &entry)?.map_or(NextMail::CannotBeOpened, NextMail::Waits))
            }
            Some(_) | None => Ok(NextMail::WaitsNoMore),
        }
    }

    /// The document that was sent on with the mail whose Message-ID bears these digits; `None` when there is no such mail.
    pub fn document_sent_as(&self, digits: &str) -> Result<Option<DocumentId>, ArchiveError> {
        if digits.len() != MESSAGE_ID_DIGITS {
            return Ok(None);
        }
        let found = self.inner.index.page(&[&[MAIL], digits.as_bytes()].concat(), None, 1)?;
        let Some((_, entry)) = found.first() else { return Ok(None) };
        Ok(decode::<MailEntry>(entry)?.document)
    }

    /// The mails that were given up, in the order in which they were queued.
    pub fn dead_letters(&self) -> Result<Vec<DeadLetter>, ArchiveError> {
        let mut dead = Vec::new();
        for (_, id) in self.inner.index.page(&[MAIL_FAILED], None, usize::MAX)? {
            let id: MailId = decode(&id)?;
            let entry = self.mail_entry(&id)?.ok_or(Fault::Entry)?;
            let failed = entry.failed.ok_or(Fault::Entry)?;
            let (reason, since) = match self.inner.reader.read(failed) {
                Ok((Event::MailFailed { reason, .. }, since)) => (reason, since),
                Ok(_) => return Err(Fault::Entry.into()),
                Err(error) if error.is_of_lost_file() => (String::new(), self.inner.reader.entry(failed)?.time),
                Err(error) => return Err(error),
            };
            let mail = self.mail_of(&id, &entry)?;
            dead.push(DeadLetter { id, document: entry.document, reason, since, attempts: entry.attempts, mail });
        }
        Ok(dead)
    }

    pub fn mail_counts(&self) -> MailCounts {
        let summary = self.inner.index.summary();
        MailCounts {
            waiting: summary.count(MAIL_WAITING),
            dead_letters: summary.count(MAIL_FAILED),
            queued: summary.count(MAIL),
        }
    }

    fn mail_entry(&self, id: &MailId) -> Result<Option<MailEntry>, ArchiveError> {
        Ok(self.inner.index.get(&mail_key(id))?.map(|bytes| decode(&bytes)).transpose()?)
    }

    fn mail_of(&self, id: &MailId, entry: &MailEntry) -> Result<Option<Mail>, ArchiveError> {
        let (event, queued_at) = match self.inner.reader.read(entry.queued) {
            Ok(read) => read,
            Err(error) if error.is_of_lost_file() => return Ok(None),
            Err(error) => return Err(error),
        };
        let Event::MailQueued { key, kind, document, item, recipient, subject, body } = event else {
            return Err(Fault::Entry.into());
        };
        let waiting_since = self.inner.reader.entry(entry.since)?.time;
        let (id, attempts) = (id.clone(), entry.attempts);
        Ok(Some(Mail { id, kind, key, document, item, recipient, subject, body, queued_at, waiting_since, attempts }))
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{fill, options};
    use super::*;

    fn queued(key: &str, document: &DocumentId) -> Event {
        Event::MailQueued {
            key: key.to_owned(),
            kind: MailKind::Forward,
            document: Some(document.clone()),
            item: None,
            recipient: "um@plan.example".to_owned(),
            subject: "kookaburra".to_owned(),
            body: "wombat".to_owned(),
        }
    }

    fn standing(archive: &Archive) -> String {
        format!(
            "{:?} {:?} {:?}",
            archive.mail_counts(),
            archive.waiting_mails().unwrap(),
            archive.dead_letters().unwrap()
        )
    }

    #[test]
    fn a_mail_is_queued_once_under_its_key_whatever_became_of_it_and_a_rebuild_knows_it_too() {
        let state = tempfile::tempdir().unwrap();
        let archive = Archive::open(state.path(), &options()).unwrap();
        let [document, ..] = fill(&archive);
        for key in ["forward/1/um@plan.example", "forward/2/um@plan.example", "forward/1/um@plan.example"] {
            archive.record(queued(key, &document)).unwrap();
        }
        let [sent, refused] = [1, 2].map(|number| archive.mail_id(&format!("forward/{number}/um@plan.example")));
        assert_eq!(archive.mail_counts(), MailCounts { waiting: 2, dead_letters: 0, queued: 2 });
        let of = |mail: &MailId| (mail.clone(), Some(document.clone()));
        let (mail, about) = of(&sent);
        archive.record(Event::MailAttempted { mail: mail.clone(), document: about.clone(), attempt: 1 }).unwrap();
        assert_eq!(archive.waiting_mail(&sent).unwrap().unwrap().attempts, 1);
        archive.record(Event::MailSent { mail, document: about }).unwrap();
        let (mail, about) = of(&refused);
        let reason = "the relay refused it for good (550)".to_owned();
        archive.record(Event::MailFailed { mail, document: about, reason: reason.clone() }).unwrap();
        for number in [1, 2] {
            archive.record(queued(&format!("forward/{number}/um@plan.example"), &document)).unwrap();
        }
        assert_eq!(archive.mail_counts(), MailCounts { waiting: 0, dead_letters: 1, queued: 2 });
        let letter = archive.dead_letters().unwrap().remove(0);
        assert_eq!((letter.reason, letter.mail.unwrap().recipient.as_str()), (reason, "um@plan.example"));
        let before = standing(&archive);
        drop(archive);
        let archive = Archive::rebuild(state.path(), &options()).unwrap();
        assert_eq!(standing(&archive), before);
        // Tried again, it waits; sent, it can be neither failed nor tried again, nor dismissed.
        let (mail, document) = of(&refused);
        archive.record(Event::MailRetried { mail, document, by: "uid 0".to_owned() }).unwrap();
        let (mail, document) = of(&sent);
        let by = || "uid 0".to_owned();
        archive.record(Event::MailRetried { mail: mail.clone(), document: document.clone(), by: by() }).unwrap();
        archive.record(Event::MailDismissed { mail, document, by: by() }).unwrap();
        assert_eq!(archive.mail_counts(), MailCounts { waiting: 1, dead_letters: 0, queued: 2 });
        // One that waits can be dismissed; sent all the same, it holds up no purge.
        let (mail, document) = of(&refused);
        archive.record(Event::MailDismissed { mail: mail.clone(), document: document.clone(), by: by() }).unwrap();
        assert_eq!(archive.mail_counts(), MailCounts { waiting: 0, dead_letters: 0, queued: 2 });
        archive.record(Event::MailSent { mail: mail.clone(), document: document.clone() }).unwrap();
        archive.record(Event::MailRetried { mail, document, by: by() }).unwrap();
        assert_eq!(archive.mail_counts(), MailCounts { waiting: 0, dead_letters: 0, queued: 2 });
        let before = archive.index_summary().unwrap();
        drop(archive);
        assert_eq!(Archive::rebuild(state.path(), &options()).unwrap().index_summary().unwrap(), before);
    }

    #[test]
    fn nothing_of_a_mail_stands_in_the_clear() {
        let state = tempfile::tempdir().unwrap();
        let archive = Archive::open(state.path(), &options()).unwrap();
        let [document, ..] = fill(&archive);
        archive.record(queued("forward/1/um@plan.example", &document)).unwrap();
        drop(archive);
        for file in super::super::tests::files_below(state.path()) {
            let text = String::from_utf8_lossy(&std::fs::read(&file).unwrap()).into_owned();
            for word in ["plan.example", "kookaburra", "wombat", "forward/"] {
                assert!(!text.contains(word), "{} holds {word}", file.display());
            }
        }
    }
}
