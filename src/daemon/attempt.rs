//! One attempt at one document: read it, decide on it, record what came of it.
//!
//! It is counted in the journal before it begins, so that a document which brings the machine down is held after so many
//! tries instead of looping for ever. What is not the document's fault (no worker can be started, the daemon is stopping)
//! gives the attempt back. A document with more pages than it takes to tell what it is has two: triage, whose attempt is
//! given back, and the rest.

use std::sync::{Arc, PoisonError};
use std::time::{Duration, Instant};

use super::decider::Decider;
use super::repeats;
use super::work::WorkLoop;
use crate::archive::event::{Event, MACHINE, Stage};
use crate::archive::{Archive, ArchiveError, Remedy, Status, blocking};
use crate::clock;
use crate::document::{
    Automatic, DocumentFormat, DocumentId, DocumentType, MailHead, MatchStatus, OwnMail, PageSource, Reading, Receipt,
};
use crate::fault::{self, Step};
use crate::log;
use crate::outbox::Planner;
use crate::pipeline::{self, Begun, Knowledge, KnownItem, MAIL_TEXT};
use crate::queue::item::{ItemId, QueueItem};
use crate::reader::pool::ReadError;
use crate::repeat;

/// Wait before a document is tried again, by attempt: a worker that died of a passing shortage may live next time.
const RETRY_AFTER: Duration = Duration::from_secs(2);
/// Wait when no worker can be started at all.
const READER_UNAVAILABLE_FOR: Duration = Duration::from_secs(30);

/// Wait after the archive could not write, a full disk above all.
const ARCHIVE_UNAVAILABLE_FOR: Duration = Duration::from_secs(10);

/// On an email's item to which a rule for forwards applies.
const NOT_FORWARDED: &str = "not_forwarded: came by email; send it on by hand";

/// Attempts that the daemon itself may not survive, or somebody else may have ended, beyond those that a document costs
/// its workers: a machine that is switched off again and again must not have healthy documents given up, and one that
/// takes the daemon along must not for ever.
const DEATHS: u32 = 10;

/// What became of one attempt.
pub(super) enum Verdict {
    /// What its first pages tell is shown; the rest is to be read.
    Begun(Box<Begun>),
    Queued {
        pages: usize,
    },
    Held,
    /// It does not wait for the pipeline (any more): nothing was done.
    NotWaiting,
    /// Try again after this time.
    Again(Duration),
    /// It cost its workers an attempt; try again after this time.
    Failed(Duration),
    /// The daemon is stopping; the attempt was given back.
    HandedBack,
}

/// What was read of a document.
enum Read {
    /// What tells what it is, with the items that show it.
    Begun(Begun, Vec<QueueItem>),
    Whole(Reading),
}

/// What was begun, and the items that show it while the rest is read.
type Triaged = (Begun, Option<Vec<QueueItem>>);

impl WorkLoop {
    /// One attempt at one document, from its sealed bytes, or from what was read of it already, to its queue item.
    /// `failed`: the attempts of this run that cost its workers something.
    pub(super) async fn attempt(
        &self,
        id: &DocumentId,
        begun: Option<Begun>,
        failed: u32,
    ) -> Result<Verdict, ArchiveError> {
        let start = Instant::now();
        let Some(state) = self.archive.document(id)? else { return Ok(Verdict::NotWaiting) };
        if state.status != Status::Waiting {
            return Ok(Verdict::NotWaiting);
        }
        let most = self.attempts + DEATHS;
        if state.attempts > most {
            return self.hold(id, Stage::Read, &given_up(most)).await;
        }
        self.record(Event::AttemptStarted { document: id.clone(), stage: Stage::Read, attempt: state.attempts + 1 })
            .await?;
        if state.attempts == most {
            // Once more, and counted, for no more than its head.
            let mail = self.head(id).await?;
            return self.hold_with(id, Stage::Read, &given_up(most), mail).await;
        }
        let attempt = failed + 1;

        fault::at(Step::AttemptCounted);

        let reading = match self.read(id, begun).await? {
            Ok(Read::Whole(reading)) => Arc::new(reading),
            Ok(Read::Begun(begun, items)) => {
                let item = items.first().cloned();
                let shown = Event::Triaged { document: id.clone(), items };
                self.record_all(vec![shown, Event::HandedBack { document: id.clone() }]).await?;
                fault::at(Step::Triaged);
                log::document_triaged(id, begun.progress(), item.as_ref(), start.elapsed());
                return Ok(Verdict::Begun(Box::new(begun)));
            }
            Err(error) if !error.counts_as_attempt() => {
                self.record(Event::HandedBack { document: id.clone() }).await?;
                if error == ReadError::Stopping {
                    return Ok(Verdict::HandedBack);
                }
                log::reader_unavailable(&error.to_string(), READER_UNAVAILABLE_FOR);
                return Ok(Verdict::Again(READER_UNAVAILABLE_FOR));
            }
            Err(error) if error.is_permanent() => {
                let reason = error.to_string();
                let mail = if let ReadError::Refused(refusal) = error { refusal.mail } else { None };
                return self.hold_with(id, Stage::Read, &reason, mail).await;
            }
            Err(error) if attempt >= self.attempts => {
                let reason = format!("{error}; {}", given_up(attempt));
                let mail = self.head(id).await?;
                return self.hold_with(id, Stage::Read, &reason, mail).await;
            }
            Err(error) => {
                log::attempt_failed(id, attempt, self.attempts, &error.to_string());
                return Ok(Verdict::Failed(RETRY_AFTER * attempt));
            }
        };
        log::document_read(
            id,
            reading.pages.len(),
            pages_by(&reading, PageSource::Blank),
            pages_by(&reading, PageSource::Unreadable),
            start.elapsed(),
        );

        let source = state.receipts.first().map(|receipt| receipt.source.as_str()).unwrap_or_default();
        let knowledge = self.knowledge.borrow().clone();
        let received = knowledge.day_of(state.receipts.first().map_or_else(clock::now, |receipt| receipt.received_at));
        if let Some(reason) = pipeline::nothing_readable(&reading, &knowledge.rules, received) {
            self.record_all(self.mails(id, source, &reading, &[])).await?;
            let mail = reading.mail.as_ref().map(MailHead::from);
            return self.hold_with(id, Stage::Read, reason, mail).await;
        }

        loop {
            let knowledge = self.knowledge.borrow().clone();
            let Some(mut items) = decide(&self.archive, &self.decider, id, &reading, &knowledge, true).await? else {
                return self.hold(id, Stage::Understand, "deciding failed unexpectedly; a fault in the program").await;
            };
            tell_of_rules(self.planner.as_deref(), &reading, &mut items);
            let items = self.sharing.shared_out(&self.archive, items).await?;
            fault::at(Step::Decided);
            let (lane, due_rule) = items
                .first()
                .map(|item| (item.lane.clone(), item.due_rule.clone().unwrap_or_default()))
                .unwrap_or_default();
            let is_paper_in_words = items.iter().any(|item| item.flags.iter().any(|flag| flag.starts_with(MAIL_TEXT)));
            let ids: Vec<ItemId> = items.iter().map(|item| item.id.clone()).collect();
            let nothing_in_it = items
                .iter()
                .all(|item| item.document_type == DocumentType::Other && item.link.status == MatchStatus::Unmatched);
            let has_facts = items.iter().any(has_fact);
            // Together: an item that is to be sent on is never there without the mail.
            let content = reading.mail.as_ref().and_then(|mail| mail.content.clone());
            let mut events = match self.same_before(id, content.as_deref())? {
                Some(_) => Vec::new(),
                None => self.mails(id, source, &reading, &items),
            };
            let marks = repeat::marks(&reading.pages, &items);
            events.insert(0, Event::Queued { document: id.clone(), items });
            if !marks.is_empty() {
                events.push(Event::KnownBy { document: id.clone(), marks: marks.clone() });
            }
            events.extend(content.clone().map(|content| Event::ContentSeen { document: id.clone(), content }));
            self.record_all(events).await?;
            fault::at(Step::ItemsQueued);
            let repeated = {
                let (archive, id, zone) = (self.archive.clone(), id.clone(), knowledge.zone.clone());
                blocking(move || repeats::note(&archive, &id, &marks, &zone)).await?
            };
            // Asked again: of two that came together only one is the first.
            let duplicate = self
                .same_before(id, content.as_deref())?
                .map(|first| ("duplicate", format!("the same message as document {}", first.short())));
            // Cases that came in the meantime were applied to the items of that moment; these were not yet there.
            if duplicate.is_some() || Arc::ptr_eq(&knowledge.registry, &self.knowledge.borrow().registry) {
                // Whatever its head says: what reads like a hospital's paper is for a person.
                let automatic = reading
                    .mail
                    .as_ref()
                    .and_then(|mail| mail.automatic)
                    .filter(|automatic| nothing_in_it && (*automatic != Automatic::Reply || !has_facts));
                let own = !is_paper_in_words && self.is_own_forward(&reading).await?;
                let own = own.then_some(Automatic::Own);
                let automatic = automatic.or(own).map(|automatic| ("set_aside", automatic.name().to_owned()));
                if let Some((disposition, why)) = duplicate.or(automatic) {
                    self.set_aside(&ids, disposition, &why).await?;
                }
                log::document_queued(id, ids.len(), repeated, &lane, &due_rule, start.elapsed());
                return Ok(Verdict::Queued { pages: reading.pages.len() });
            }
        }
    }

    /// What an archive's fault means for this document; a fault after which the process must end stays one.
    pub(super) async fn after_fault(&self, id: &DocumentId, error: ArchiveError) -> Result<Verdict, ArchiveError> {
        match error.remedy() {
            Remedy::Stop => Err(error),
            Remedy::Hold => self.hold(id, Stage::Queue, &error.to_string()).await,
            Remedy::TryAgain => {
                log::archive_unavailable(id, &error.to_string(), ARCHIVE_UNAVAILABLE_FOR);
                // If even this can't be written, the attempt counts: at worst the document is held, never lost.
                match self.record(Event::HandedBack { document: id.clone() }).await {
                    Err(error) if error.is_fatal() => return Err(error),
                    Ok(()) | Err(_) => {}
                }
                Ok(Verdict::Again(ARCHIVE_UNAVAILABLE_FOR))
            }
        }
    }

    /// The reading kept from an earlier attempt, or a new one, which is then kept. A document of which nothing was read
    /// is read as far as it takes to tell what it is.
    async fn read(&self, id: &DocumentId, begun: Option<Begun>) -> Result<Result<Read, ReadError>, ArchiveError> {
        if let Some(reading) = self.archive.reading(id)? {
            return Ok(Ok(Read::Whole(reading)));
        }
        let bytes: Arc<[u8]> = {
            let (archive, id) = (self.archive.clone(), id.clone());
            blocking(move || archive.read_document(&id)).await?.into()
        };
        let mut begun = match begun {
            Some(begun) => begun,
            None => match self.triage(id, &bytes).await? {
                Ok((begun, None)) => begun,
                Ok((begun, Some(items))) => return Ok(Ok(Read::Begun(begun, items))),
                Err(error) => return Ok(Err(error)),
            },
        };
        if let Err(error) = begun.read_rest(&self.pool, id, &bytes).await {
            return Ok(Err(error));
        }
        let reading = begun.into_reading();
        fault::at(Step::PagesRead);
        let (archive, id, kept) = (self.archive.clone(), id.clone(), reading.clone());
        blocking(move || archive.put_reading(&id, &kept)).await?;
        Ok(Ok(Read::Whole(reading)))
    }

    /// Reads a document as far as it takes to tell what it is; gives the items that show it, where not all of it was read.
    async fn triage(&self, id: &DocumentId, bytes: &Arc<[u8]>) -> Result<Result<Triaged, ReadError>, ArchiveError> {
        let mut begun = match Begun::open(&self.pool, id, bytes.clone()).await {
            Ok(begun) => begun,
            Err(error) => return Ok(Err(error)),
        };
        let (mut decided, mut shown) = (Vec::new(), None);
        loop {
            match begun.read_telling(&self.pool, id, bytes, &decided).await {
                Ok(true) if !begun.is_whole() => {}
                // Nothing is left of it to wait for.
                Ok(true) => return Ok(Ok((begun, None))),
                Ok(false) => return Ok(Ok((begun, shown))),
                Err(error) => return Ok(Err(error)),
            }
            let Some(known) = known(&self.archive, id)? else { return Ok(Ok((begun, None))) };
            let (id, mut copy, knowledge) = (id.clone(), begun.clone(), self.knowledge.borrow().clone());
            let told = self.decider.run(move || {
                let Known { receipt, arrivals, items } = known;
                let (decided, shown) = copy.decide(&id, &receipt, arrivals, &items, &knowledge);
                (copy, decided, shown)
            });
            // What deciding fails on, it fails on again when all is read, and then it is held.
            let Some(told) = told.await else { return Ok(Ok((begun, None))) };
            (begun, decided, shown) = (told.0, told.1, Some(told.2));
        }
    }

    /// What the head of an email says that is given up, so that a person finds it; `None` when not even that can be read.
    async fn head(&self, id: &DocumentId) -> Result<Option<MailHead>, ArchiveError> {
        let (archive, of) = (self.archive.clone(), id.clone());
        let bytes: Arc<[u8]> = blocking(move || archive.read_document(&of)).await?.into();
        if DocumentFormat::sniff(&bytes) != Some(DocumentFormat::Message) {
            return Ok(None);
        }
        Ok(match self.pool.inspect(id, bytes).await {
            Ok(inspected) => inspected.mail.as_ref().map(MailHead::from),
            Err(ReadError::Refused(refusal)) => refusal.mail,
            Err(_) => None,
        })
    }

    /// Another document that says the very same and came before this one.
    fn same_before(&self, id: &DocumentId, content: Option<&str>) -> Result<Option<DocumentId>, ArchiveError> {
        let Some(content) = content else { return Ok(None) };
        Ok(self.archive.first_with_content(content)?.filter(|first| first != id))
    }

    /// Whether it is a forward of ours that came back: it bears the id of a mail that was queued here, which nobody
    /// guesses, and holds the very document which that mail sent on, and no other paper.
    async fn is_own_forward(&self, reading: &Reading) -> Result<bool, ArchiveError> {
        let own = reading.mail.as_ref().and_then(|mail| mail.own.clone());
        let Some(OwnMail { id: Some(digits), enclosed: Some(enclosed) }) = own else { return Ok(false) };
        let archive = self.archive.clone();
        blocking(move || {
            let Some(document) = archive.document_sent_as(&digits)? else { return Ok(false) };
            // One that was purged is no longer there to be compared with: a person sees what came then.
            let bytes = archive.read_document(&document);
            Ok(bytes.is_ok_and(|bytes| DocumentId::of(&bytes).as_str() == enclosed))
        })
        .await
    }

    /// Closes what needs nobody: it is kept and recorded, and waits for nobody.
    async fn set_aside(&self, items: &[ItemId], disposition: &str, why: &str) -> Result<(), ArchiveError> {
        for item in items {
            let resolved = Event::Resolved {
                item: item.clone(),
                by: MACHINE.to_owned(),
                disposition: disposition.to_owned(),
                case_id: None,
                note: Some(why.to_owned()),
            };
            self.record(resolved).await?;
        }
        Ok(())
    }

    async fn hold(&self, id: &DocumentId, stage: Stage, reason: &str) -> Result<Verdict, ArchiveError> {
        self.hold_with(id, stage, reason, None).await
    }

    /// `mail`: what is known of it if it is an email.
    async fn hold_with(
        &self,
        id: &DocumentId,
        stage: Stage,
        reason: &str,
        mail: Option<MailHead>,
    ) -> Result<Verdict, ArchiveError> {
        self.record(Event::Held { document: id.clone(), stage, reason: reason.to_owned(), mail }).await?;
        log::document_held(id, stage.name(), reason);
        Ok(Verdict::Held)
    }

    /// The mails that are written because this document came.
    fn mails(&self, id: &DocumentId, source: &str, reading: &Reading, items: &[QueueItem]) -> Vec<Event> {
        let Some(planner) = &self.planner else { return Vec::new() };
        let acknowledgement = planner.acknowledgement(id, source, reading).filter(|mail| self.may_answer(mail));
        acknowledgement.into_iter().chain(forwards(planner, id, reading, items)).collect()
    }

    /// Whether the author of this acknowledgement's message may be told of one more.
    fn may_answer(&self, acknowledgement: &Event) -> bool {
        let Event::MailQueued { recipient, .. } = acknowledgement else { return false };
        self.answered.lock().unwrap_or_else(PoisonError::into_inner).note(recipient, clock::now())
    }

    async fn record(&self, event: Event) -> Result<(), ArchiveError> {
        self.record_all(vec![event]).await
    }

    async fn record_all(&self, events: Vec<Event>) -> Result<(), ArchiveError> {
        let archive = self.archive.clone();
        blocking(move || archive.record_all(events)).await
    }
}

fn given_up(attempts: u32) -> String {
    format!("given up after {attempts} attempts: look at it by hand")
}

/// The mails by which a document is sent on. None for an email, which may hold what nobody has read: another baby's
/// name in its text or its history, a picture that was taken for a logo. A person sends on what is in it.
pub(super) fn forwards(planner: &Planner, id: &DocumentId, reading: &Reading, items: &[QueueItem]) -> Vec<Event> {
    if reading.mail.is_some() { Vec::new() } else { planner.forwards(id, items) }
}

/// Whether there is a fact about a baby on it: its hospital may be that of whoever is away.
fn has_fact(item: &QueueItem) -> bool {
    item.fields.keys().any(|name| name != "facility" && !name.starts_with("fax_"))
}

/// Says on an email's items that a rule would have sent them on: a person does it by hand.
pub(super) fn tell_of_rules(planner: Option<&Planner>, reading: &Reading, items: &mut [QueueItem]) {
    let Some(planner) = planner.filter(|_| reading.mail.is_some()) else { return };
    for item in items.iter_mut().filter(|item| planner.has_rule_for(item)) {
        item.flags.push(NOT_FORWARDED.to_owned());
    }
}

fn pages_by(reading: &Reading, source: PageSource) -> usize {
    reading.pages.iter().filter(|page| page.source == source).count()
}

/// Decides on a reading in its turn, and gives the document's items, at least one; `None` when
/// deciding panicked.
pub(super) async fn decide(
    archive: &Archive,
    decider: &Decider,
    id: &DocumentId,
    reading: &Arc<Reading>,
    knowledge: &Knowledge,
    logged: bool,
) -> Result<Option<Vec<QueueItem>>, ArchiveError> {
    let Some(Known { receipt, arrivals, items: known }) = known(archive, id)? else { return Ok(None) };
    let (id, reading, knowledge) = (id.clone(), reading.clone(), knowledge.clone());
    let items = decider.run(move || {
        let decisions = pipeline::decide(&reading, &receipt, &knowledge);
        for decision in decisions.iter().filter(|_| logged) {
            let understanding = &decision.understanding;
            log::document_understood(
                &id,
                understanding.document_type,
                understanding.type_confidence,
                understanding.fields.len(),
                decision.understood_in,
            );
            log::document_linked(&id, decision.linked.status, decision.linked.candidates.len(), decision.linked_in);
        }
        pipeline::items(&id, &reading, &receipt, decisions, arrivals, &known)
    });
    Ok(items.await)
}

/// What is known of a document besides what stands on it.
struct Known {
    receipt: Receipt,
    arrivals: u32,
    items: Vec<KnownItem>,
}

fn known(archive: &Archive, id: &DocumentId) -> Result<Option<Known>, ArchiveError> {
    let Some(state) = archive.document(id)? else { return Ok(None) };
    let Some(receipt) = state.receipts.first().cloned() else { return Ok(None) };
    let mut items = Vec::with_capacity(state.items.len());
    for id in &state.items {
        let item = archive.item(id)?;
        items.extend(item.map(|item| KnownItem { id: item.id, page_range: item.page_range }));
    }
    Ok(Some(Known { receipt, arrivals: state.receipts.len() as u32, items }))
}
