//! Sends what waits: each mail by itself, tried again with growing pauses, given up in the end.
//!
//! An attempt is recorded before it is made, its outcome after it. When the daemon dies in between nobody knows whether
//! the relay has the mail, so it is sent again, under the same Message-ID: a mail is sent at least once, and whoever
//! receives it twice can tell. Nothing is sent twice otherwise.
//!
//! 4xx, and trouble on the way, are tried again; 5xx to this mail's sender, recipient or text gives it up at once; a
//! refused login or greeting says nothing of the mail and is tried again.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until};

use super::address::Address;
use super::smtp::{self, Enclosed, Letter};
use crate::archive::event::Event;
use crate::archive::{Archive, ArchiveError, Mail, MailId, MailKind, NextMail, WaitingMail, blocking};
use crate::config::outbox::OutboxSettings;
use crate::document::{DocumentFormat, DocumentId, OWN_MESSAGE_ID};
use crate::fault::{self, Step};
use crate::queue::item::ItemState;
use crate::{clock, log};

/// Mails on their way at a time. One that hangs holds up none, as long as not so many do.
const TOGETHER: usize = 8;

/// Forwards among them: each one's document is in memory, and they must not keep notices waiting.
const FORWARDS_TOGETHER: usize = 2;

/// Longest pause between two tries.
const LONGEST_PAUSE: Duration = Duration::from_secs(60 * 60);

/// Pause after the archive could not record.
const ARCHIVE_UNAVAILABLE_FOR: Duration = Duration::from_secs(10);

/// How long mails in hand may go on once the daemon stops. One that is cut off is sent again after the next start.
const STOP_GRACE: Duration = Duration::from_secs(4);

/// What the sender is doing, for `status`.
#[derive(Clone, Debug, Default, serde::Serialize)]
pub struct Sending {
    pub in_hand: usize,
    pub sent_since_start: u64,
    pub last_sent: Option<Timestamp>,
    /// Why the last try that failed did; `None` since one succeeded.
    pub last_error: Option<String>,
}

/// Shared with whoever tells of it.
pub type SharedSending = Arc<Mutex<Sending>>;

/// What became of one try.
enum Outcome {
    /// Sent, given up, or no longer wanted.
    Done,
    Again(Duration),
}

#[derive(Clone)]
pub struct Sender {
    pub settings: Arc<OutboxSettings>,
    pub archive: Archive,
    pub sending: SharedSending,
}

/// A mail that waits, as far as the sender must know it.
#[derive(Clone, Copy)]
struct Waiting {
    is_forward: bool,
    since: Timestamp,
    next: Instant,
}

impl Sender {
    /// Sends until `stopping`. Ends early only when the archive can't go on, which the work loop notices too.
    pub async fn run(self, mut stopping: watch::Receiver<bool>) {
        let mut queued = self.archive.watch_mails();
        let mut waiting: BTreeMap<MailId, Waiting> = BTreeMap::new();
        let mut in_hand: BTreeSet<MailId> = BTreeSet::new();
        let mut tries: JoinSet<(MailId, Result<Outcome, ArchiveError>)> = JoinSet::new();
        let mut look = true;
        while !*stopping.borrow_and_update() {
            if std::mem::take(&mut look) {
                queued.borrow_and_update();
                let Ok(found) = self.waiting().await else { return };
                let ids: BTreeSet<MailId> = found.iter().map(|(mail, _)| mail.id.clone()).collect();
                waiting.retain(|id, _| ids.contains(id) || in_hand.contains(id));
                for (WaitingMail { id, waiting_since: since, .. }, is_forward) in found {
                    let new = Waiting { is_forward, since, next: Instant::now() };
                    let known = waiting.entry(id).or_insert(new);
                    // A person wants it tried again at once.
                    if known.since != since {
                        *known = new;
                    }
                }
            }
            let now = Instant::now();
            let forwards = in_hand.iter().filter(|id| waiting.get(id).is_some_and(|mail| mail.is_forward)).count();
            let mut room = (TOGETHER.saturating_sub(in_hand.len()), FORWARDS_TOGETHER.saturating_sub(forwards));
            for (id, mail) in waiting.iter().filter(|(_, mail)| mail.next <= now) {
                let fits = room.0 > 0 && (!mail.is_forward || room.1 > 0);
                if fits && in_hand.insert(id.clone()) {
                    room = (room.0 - 1, room.1 - usize::from(mail.is_forward));
                    let (this, id) = (self.clone(), id.clone());
                    tries.spawn(async move { (id.clone(), this.attempt(&id).await) });
                }
            }
            self.tell(|sending| sending.in_hand = in_hand.len());
            let next = waiting.iter().filter(|(id, _)| !in_hand.contains(id)).map(|(_, mail)| mail.next).min();
            // When all places are taken the next one to be free is waited for.
            let next = next.filter(|_| room.0 > 0).map(|next| next.max(now + Duration::from_millis(100)));
            tokio::select! {
                _ = stopping.changed() => {}
                changed = queued.changed() => {
                    if changed.is_err() {
                        return;
                    }
                    look = true;
                }
                Some(ended) = tries.join_next() => {
                    // A try that panicked is a fault of the program; its mail is sent after the next start.
                    let Ok((id, outcome)) = ended else { continue };
                    in_hand.remove(&id);
                    match outcome {
                        Ok(Outcome::Done) => drop(waiting.remove(&id)),
                        Ok(Outcome::Again(pause)) => {
                            waiting.entry(id).and_modify(|mail| mail.next = Instant::now() + pause);
                        }
                        Err(error) if error.is_fatal() => return,
                        Err(error) => {
                            log::mail_not_recorded(&id, &error.to_string(), ARCHIVE_UNAVAILABLE_FOR);
                            let next = Instant::now() + ARCHIVE_UNAVAILABLE_FOR;
                            waiting.entry(id).and_modify(|mail| mail.next = next);
                        }
                    }
                }
                () = sleep_until(next.unwrap_or(now)), if next.is_some() => {}
            }
        }
        let finish = async { while tries.join_next().await.is_some() {} };
        // What is cut off is recorded as attempted, and so sent again.
        _ = tokio::time::timeout(STOP_GRACE, finish).await;
    }

    /// Tries every mail that waits once: a drain does not wait for a relay that puts things off.
    pub async fn once(&self) {
        let Ok(found) = self.waiting().await else { return };
        let [all, forwards] = [TOGETHER, FORWARDS_TOGETHER].map(|places| Arc::new(Semaphore::new(places)));
        let mut tries = JoinSet::new();
        for (mail, is_forward) in found {
            let (this, places) = (self.clone(), if is_forward { forwards.clone() } else { all.clone() });
            tries.spawn(async move {
                let Ok(_place) = places.acquire().await else { return };
                if let Err(error) = this.attempt(&mail.id).await {
                    log::mail_not_recorded(&mail.id, &error.to_string(), Duration::ZERO);
                }
            });
        }
        while tries.join_next().await.is_some() {}
    }

    /// What waits, and whether it is a forward; one that cannot be opened is taken for a notice, and given up when tried.
    async fn waiting(&self) -> Result<Vec<(WaitingMail, bool)>, ArchiveError> {
        let archive = self.archive.clone();
        blocking(move || {
            let with_kind = |mail: WaitingMail| {
                let is_forward = archive.waiting_mail(&mail.id)?.is_some_and(|mail| mail.kind == MailKind::Forward);
                Ok((mail, is_forward))
            };
            archive.waiting_mails()?.into_iter().map(with_kind).collect()
        })
        .await
    }

    async fn attempt(&self, id: &MailId) -> Result<Outcome, ArchiveError> {
        let (archive, this) = (self.archive.clone(), id.clone());
        let mail = match blocking(move || archive.next_mail(&this)).await? {
            NextMail::Waits(mail) => mail,
            // A person has seen to it meanwhile.
            NextMail::WaitsNoMore => return Ok(Outcome::Done),
            NextMail::CannotBeOpened => {
                return self.give_up(id, None, "what was to be sent cannot be opened any more").await;
            }
        };
        if let Some(reason) = self.forbidden(&mail) {
            return self.give_up(id, mail.document.as_ref(), reason).await;
        }
        if let (MailKind::Forward, Some(item)) = (mail.kind, mail.item.clone()) {
            let archive = self.archive.clone();
            let is_open = blocking(move || Ok(archive.item(&item)?.is_some_and(|item| item.state == ItemState::Open)));
            if !is_open.await? {
                let reason = "a person has resolved its item meanwhile, or it was decided anew";
                return self.give_up(id, mail.document.as_ref(), reason).await;
            }
        }
        let enclosed = match (mail.kind, &mail.document) {
            (MailKind::Forward, Some(document)) => match self.enclose(document).await {
                Ok(enclosed) if enclosed.bytes.len() as u64 > self.settings.max_attachment => {
                    let reason = "the document is larger than [outbox] max_attachment; send it by hand";
                    return self.give_up(id, mail.document.as_ref(), reason).await;
                }
                Ok(enclosed) => Some(enclosed),
                Err(error) if error.is_fatal() => return Err(error),
                Err(_) => {
                    let reason = "its document is missing or damaged; restore it from a copy";
                    return self.give_up(id, mail.document.as_ref(), reason).await;
                }
            },
            (MailKind::Forward, None) => {
                return self.give_up(id, None, "it names no document; a fault of the program").await;
            }
            _ => None,
        };
        let Some(to) = Address::parse(&mail.recipient) else {
            return self.give_up(id, mail.document.as_ref(), "its recipient is no mail address").await;
        };
        let attempt = mail.attempts + 1;
        self.record(Event::MailAttempted { mail: id.clone(), document: mail.document.clone(), attempt }).await?;
        fault::at(Step::MailAttempted);
        let letter = Letter {
            message_id: message_id(id, &self.settings.from),
            from: &self.settings.from,
            to: &to,
            subject: &mail.subject,
            body: &mail.body,
            date: mail.queued_at,
            is_reply: mail.kind == MailKind::Acknowledgement,
            enclosed,
        };
        match smtp::send(&self.settings.relay, self.settings.timeout, letter).await {
            Ok(()) => {
                fault::at(Step::MailTaken);
                self.record(Event::MailSent { mail: id.clone(), document: mail.document.clone() }).await?;
                log::mail_sent(id, mail.kind.name(), attempt);
                self.tell(|sending| {
                    sending.sent_since_start += 1;
                    sending.last_sent = Some(clock::now());
                    sending.last_error = None;
                });
                Ok(Outcome::Done)
            }
            Err(error) => {
                let reason = error.to_string();
                self.tell(|sending| sending.last_error = Some(reason.clone()));
                let waited = clock::now().duration_since(mail.waiting_since);
                let tired = waited > jiff::SignedDuration::try_from(self.settings.give_up_after).unwrap_or_default();
                if error.is_permanent() {
                    return self.give_up(id, mail.document.as_ref(), &reason).await;
                }
                if tired {
                    let reason = format!("{reason}; given up after {attempt} attempts");
                    return self.give_up(id, mail.document.as_ref(), &reason).await;
                }
                let pause = pause(id, attempt, self.settings.retry_after);
                log::mail_put_off(id, mail.kind.name(), attempt, &reason, pause);
                Ok(Outcome::Again(pause))
            }
        }
    }

    /// Why a forward may not go out as things are configured now, whatever they were when it was queued.
    fn forbidden(&self, mail: &Mail) -> Option<&'static str> {
        if mail.kind != MailKind::Forward {
            return None;
        }
        if !self.settings.is_safe_for_patient_data() {
            return Some(
                "a forward goes over verified TLS only: set tls in [outbox] smtp, or trust_local_relay if the relay is \
                 on this machine and does it",
            );
        }
        let allowed = Address::parse(&mail.recipient).is_some_and(|to| self.settings.allow.allows(&to));
        (!allowed).then_some("its recipient is not on the list [outbox] allow")
    }

    async fn enclose(&self, document: &DocumentId) -> Result<Enclosed, ArchiveError> {
        let (archive, wanted) = (self.archive.clone(), document.clone());
        let bytes = blocking(move || archive.read_document(&wanted)).await?;
        let (ending, media_type) = match DocumentFormat::sniff(&bytes) {
            Some(DocumentFormat::Tiff) => ("tif", "image/tiff"),
            Some(DocumentFormat::Pdf) => ("pdf", "application/pdf"),
            Some(DocumentFormat::Jpeg) => ("jpg", "image/jpeg"),
            Some(DocumentFormat::Png) => ("png", "image/png"),
            Some(DocumentFormat::Gif) => ("gif", "image/gif"),
            Some(DocumentFormat::Bmp) => ("bmp", "image/bmp"),
            // As message/rfc822 it could not be encoded, and would arrive changed.
            Some(DocumentFormat::Message) => ("eml", "application/octet-stream"),
            None => ("bin", "application/octet-stream"),
        };
        Ok(Enclosed { name: format!("{}.{ending}", document.short()), media_type, bytes })
    }

    async fn give_up(&self, id: &MailId, document: Option<&DocumentId>, reason: &str) -> Result<Outcome, ArchiveError> {
        let (mail, document) = (id.clone(), document.cloned());
        self.record(Event::MailFailed { mail, document, reason: reason.to_owned() }).await?;
        log::mail_given_up(id, reason);
        Ok(Outcome::Done)
    }

    async fn record(&self, event: Event) -> Result<(), ArchiveError> {
        let archive = self.archive.clone();
        blocking(move || archive.record(event)).await
    }

    fn tell(&self, change: impl FnOnce(&mut Sending)) {
        change(&mut self.sending.lock().unwrap_or_else(PoisonError::into_inner));
    }
}

/// The mail's Message-ID, the same at each try. Its beginning is how a mail of ours that comes back is known.
fn message_id(id: &MailId, from: &Address) -> String {
    format!("{OWN_MESSAGE_ID}{}@{}", id.in_message_id(), from.domain())
}

/// The pause before the next try: doubled each time, and each mail's own share of a quarter more or less, so that those
/// which failed together do not come back together.
fn pause(id: &MailId, attempt: u32, first: Duration) -> Duration {
    let doubled = first.saturating_mul(1 << attempt.saturating_sub(1).min(16)).min(LONGEST_PAUSE);
    let digits: u64 = id.as_str().bytes().skip(attempt as usize % 32).take(8).map(u64::from).sum();
    doubled.mul_f64(0.75 + 0.5 * (digits % 101) as f64 / 100.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_to_an_hour_and_differ_from_mail_to_mail() {
        let id = |digit: &str| serde_json::from_value::<MailId>(digit.repeat(64).into()).unwrap();
        let first = Duration::from_secs(30);
        let lasted = |attempt| pause(&id("7"), attempt, first).as_secs();
        assert!((22..=38).contains(&lasted(1)) && (45..=75).contains(&lasted(2)), "{} {}", lasted(1), lasted(2));
        assert!((2700..=4500).contains(&lasted(60)));
        assert_ne!(pause(&id("7"), 3, first), pause(&id("a"), 3, first));
    }
}
