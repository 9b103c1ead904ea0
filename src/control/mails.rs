//! The mails that the daemon writes, as people see and decide on them: those that wait, and those that were given up.
//!
//! A list tells neither address nor text; one mail that is asked for by its id is shown whole. What a person decides is
//! recorded with who it was.

use serde_json::{Value, json};

use super::{Failure, no_such};
use crate::archive::event::Event;
use crate::archive::{Archive, ArchiveError, DeadLetter, Mail, MailId, WaitingMail};
use crate::document::DocumentId;

/// How the ids of mails begin.
pub(super) const MAIL: &str = "mail-";

/// A mail that was not sent yet.
pub(super) enum Unsent {
    Waiting(WaitingMail, Option<Mail>),
    GivenUp(DeadLetter),
}

/// All of them, in the order in which they were queued: first those that wait.
pub(super) fn unsent(archive: &Archive) -> Result<Vec<Unsent>, ArchiveError> {
    let mut unsent = Vec::new();
    for waiting in archive.waiting_mails()? {
        let mail = archive.waiting_mail(&waiting.id)?;
        unsent.push(Unsent::Waiting(waiting, mail));
    }
    unsent.extend(archive.dead_letters()?.into_iter().map(Unsent::GivenUp));
    Ok(unsent)
}

/// The mail of this id.
pub(super) fn find(archive: &Archive, id: &str) -> Result<Unsent, Failure> {
    unsent(archive)?.into_iter().find(|mail| mail.id().short() == id).ok_or_else(|| no_such(id))
}

/// The mail of this id that was given up.
pub(super) fn dead_letter(archive: &Archive, id: &str) -> Result<Option<DeadLetter>, ArchiveError> {
    if !id.starts_with(MAIL) {
        return Ok(None);
    }
    Ok(archive.dead_letters()?.into_iter().find(|letter| letter.id.short() == id))
}

impl Unsent {
    fn id(&self) -> &MailId {
        match self {
            Self::Waiting(waiting, _) => &waiting.id,
            Self::GivenUp(letter) => &letter.id,
        }
    }

    pub(super) fn document(&self) -> Option<&DocumentId> {
        match self {
            Self::Waiting(waiting, _) => waiting.document.as_ref(),
            Self::GivenUp(letter) => letter.document.as_ref(),
        }
    }

    fn mail(&self) -> Option<&Mail> {
        match self {
            Self::Waiting(_, mail) => mail.as_ref(),
            Self::GivenUp(letter) => letter.mail.as_ref(),
        }
    }

    /// As the list shows it.
    pub(super) fn listed(&self) -> Value {
        let (state, since, attempts, reason) = match self {
            Self::Waiting(waiting, _) => ("waiting", waiting.waiting_since, waiting.attempts, None),
            Self::GivenUp(letter) => ("given up", letter.since, letter.attempts, Some(&letter.reason)),
        };
        let mail = self.mail();
        json!({ "id": self.id().short(), "state": state, "why": mail.map(|mail| mail.kind.name()),
                "document": self.document(), "item": mail.and_then(|mail| mail.item.as_ref()), "since": since,
                "attempts": attempts, "reason": reason })
    }

    /// With address and text.
    pub(super) fn whole(&self) -> Value {
        let mut whole = self.listed();
        tell_whole(&mut whole, self.mail());
        whole
    }

    /// The event by which it is tried again at once.
    pub(super) fn retried(&self, by: &str) -> Event {
        Event::MailRetried { mail: self.id().clone(), document: self.document().cloned(), by: by.to_owned() }
    }

    /// The event by which it is not sent any more.
    pub(super) fn dismissed(&self, by: &str) -> Event {
        Event::MailDismissed { mail: self.id().clone(), document: self.document().cloned(), by: by.to_owned() }
    }
}

/// A dead letter as the list of what is held shows it.
pub(super) fn held_value(letter: &DeadLetter) -> Value {
    let kind = letter.mail.as_ref().map(|mail| mail.kind.name());
    json!({ "id": letter.id.short(), "kind": "mail", "source": "outbox", "source_file": kind,
            "document": letter.document, "reason": letter.reason, "since": letter.since })
}

/// A dead letter as `held show` shows it.
pub(super) fn held_whole(letter: &DeadLetter) -> Value {
    let mut whole = held_value(letter);
    whole["attempts"] = json!(letter.attempts);
    tell_whole(&mut whole, letter.mail.as_ref());
    whole
}

fn tell_whole(entry: &mut Value, mail: Option<&Mail>) {
    if let Some(mail) = mail {
        entry["recipient"] = json!(mail.recipient);
        entry["item"] = json!(mail.item);
        entry["queued_at"] = json!(mail.queued_at);
        entry["subject"] = json!(mail.subject);
        entry["body"] = json!(mail.body);
    }
}
