//! The one thread that changes the archive: it takes what many callers ask for together through the disk's syncs.
//!
//! The order is the promise: documents on the disk, then their records, then the index, then the answer. After a
//! failed sync, or an index that fails while running, nothing more is accepted: the process must end and start anew.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender};

use tokio::sync::watch;

use super::apply::{DocumentEntry, Objection, Staging, Standing, purged_key};
use super::documents::{Documents, Draft};
use super::event::Event;
use super::index::Index;
use super::journal::{Journal, Location, Reader, Savepoint};
use super::vault::Vault;
use super::{Accepted, ArchiveError};
use crate::document::{DocumentId, Receipt};
use crate::fault::{self, Step};

/// Requests taken through one group of syncs at most.
const GROUP: usize = 512;

/// A document on its way in.
pub(super) struct Incoming {
    pub draft: Draft,
    pub receipt: Receipt,
    pub source_key: String,
    /// What became of the file of a document that is known.
    pub stored: Stored,
}

/// What became of a known document's file when its bytes came again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stored {
    /// Nothing: it is whole.
    AsItWas,
    /// It was not whole and was replaced; what is recorded of the document opens as before.
    Repaired,
    /// The key was gone with it, and so is what was recorded: the document is received as if for the first time.
    Anew,
}

type Reply<T> = SyncSender<Result<T, ArchiveError>>;

/// What callers ask for.
pub(super) enum Request {
    Accept {
        incoming: Vec<Incoming>,
        reply: Reply<Vec<Accepted>>,
    },
    Record {
        events: Vec<Event>,
        reply: Reply<()>,
    },
    /// Records purges, then destroys what they speak of. Taken alone: a document that arrives again must find either
    /// the old file or none.
    Purge {
        events: Vec<Event>,
        reply: Reply<()>,
    },
}

impl Request {
    fn refuse(self, error: ArchiveError) {
        // A caller that has gone away needs no answer.
        match self {
            Self::Accept { reply, .. } => _ = reply.send(Err(error)),
            Self::Record { reply, .. } | Self::Purge { reply, .. } => _ = reply.send(Err(error)),
        }
    }
}

/// An answer, ready to be given once the group is durable.
enum Answer {
    Accepted(Reply<Vec<Accepted>>, Vec<Accepted>),
    Recorded(Reply<()>),
}

impl Answer {
    fn give(self, outcome: Result<(), ArchiveError>) {
        match self {
            Self::Accepted(reply, accepted) => _ = reply.send(outcome.map(|()| accepted)),
            Self::Recorded(reply) => _ = reply.send(outcome),
        }
    }
}

/// What changed, for those who wait for it.
#[derive(Default)]
struct Changed {
    items: bool,
    waiting: bool,
    mails: bool,
}

impl Changed {
    fn note(&mut self, event: &Event) {
        match event {
            Event::DocumentReceived { .. } => self.waiting = true,
            Event::Retried { .. } | Event::Repaired { .. } => (self.items, self.waiting) = (true, true),
            Event::MailQueued { .. } | Event::MailRetried { .. } | Event::MailDismissed { .. } => self.mails = true,
            Event::Queued { .. }
            | Event::Triaged { .. }
            | Event::Held { .. }
            | Event::Repeats { .. }
            | Event::Resolved { .. }
            | Event::ClockPassed { .. }
            | Event::Acted { .. }
            | Event::Refused { .. }
            | Event::RefusalCleared { .. }
            | Event::ArrivedAgain { .. }
            | Event::Purged { .. } => self.items = true,
            Event::SourceReleased { .. }
            | Event::AttemptStarted { .. }
            | Event::HandedBack { .. }
            | Event::ContentSeen { .. }
            | Event::KnownBy { .. }
            | Event::CasesLoaded { .. }
            | Event::RecordsLost { .. }
            | Event::DispositionTaken { .. }
            | Event::Determined { .. }
            | Event::Shown { .. }
            | Event::Listed { .. }
            | Event::CaseShown { .. }
            | Event::Operated { .. }
            | Event::ResolutionsKept { .. }
            | Event::Exported { .. }
            | Event::ItemExported { .. }
            | Event::MailAttempted { .. }
            | Event::MailSent { .. }
            | Event::MailFailed { .. } => {}
        }
    }
}

pub(super) struct Writer {
    pub vault: Vault,
    pub documents: Documents,
    pub reader: Reader,
    pub journal: Journal,
    pub index: Arc<Index>,
    pub items: watch::Sender<u64>,
    pub waiting: watch::Sender<u64>,
    pub mails: watch::Sender<u64>,
    /// The fault after which nothing more is taken; every later caller is told of it too.
    pub stopped: Option<ArchiveError>,
}

impl Writer {
    /// Works until every sender is gone.
    pub(super) fn run(mut self, requests: &Receiver<Request>) {
        let mut put_off = None;
        while let Some(first) = put_off.take().or_else(|| requests.recv().ok()) {
            if let Request::Purge { events, reply } = first {
                // A caller that has gone away needs no answer.
                _ = reply.send(self.purge(&events));
                continue;
            }
            let mut group = vec![first];
            while group.len() < GROUP
                && put_off.is_none()
                && let Ok(next) = requests.try_recv()
            {
                if matches!(next, Request::Purge { .. }) { put_off = Some(next) } else { group.push(next) }
            }
            self.take(group);
        }
    }

    fn purge(&mut self, events: &[Event]) -> Result<(), ArchiveError> {
        if let Some(fault) = &self.stopped {
            return Err(fault.clone());
        }
        let outcome = self.record_and_destroy(events);
        if let Err(error) = &outcome {
            self.stop_on(error);
        }
        outcome
    }

    fn record_and_destroy(&mut self, events: &[Event]) -> Result<(), ArchiveError> {
        self.journal.begin_group()?;
        let index = Arc::clone(&self.index);
        let mut staging = Staging::new(&index);
        let start = self.journal.savepoint();
        let at = match self.stage(&mut staging, events, &mut Changed::default()) {
            Ok(Some(at)) => at,
            Ok(None) => return Ok(()),
            Err(error) => {
                self.journal.rewind(start);
                return Err(error);
            }
        };
        staging.keep_request();
        self.commit(staging, start, at)?;
        self.items.send_modify(|generation| *generation += 1);
        let mut purged = Vec::new();
        for event in events {
            if let Event::Purged { document, .. } = event
                && self.index.get(&purged_key(document))?.is_some()
            {
                purged.push(document.clone());
            }
        }
        self.documents.destroy(&purged)
    }

    fn take(&mut self, mut group: Vec<Request>) {
        if let Some(fault) = &self.stopped {
            return group.into_iter().for_each(|request| request.refuse(fault.clone()));
        }
        if let Err(error) = self.journal.begin_group().and_then(|()| self.seal(&mut group)) {
            self.stop_on(&error);
            return group.into_iter().for_each(|request| request.refuse(error.clone()));
        }
        let index = Arc::clone(&self.index);
        let mut staging = Staging::new(&index);
        let start = self.journal.savepoint();
        let mut changed = Changed::default();
        let mut last = None;
        let mut answers = Vec::new();
        for request in group {
            let before = self.journal.savepoint();
            let outcome = match request {
                Request::Accept { incoming, reply } => match self.stage_arrivals(&mut staging, &incoming, &mut changed)
                {
                    Ok((accepted, at)) => Ok((Answer::Accepted(reply, accepted), at)),
                    Err(error) => Err((Answer::Accepted(reply, Vec::new()), error)),
                },
                Request::Record { events, reply } | Request::Purge { events, reply } => {
                    match self.stage(&mut staging, &events, &mut changed) {
                        Ok(at) => Ok((Answer::Recorded(reply), at)),
                        Err(error) => Err((Answer::Recorded(reply), error)),
                    }
                }
            };
            match outcome {
                Ok((answer, at)) => {
                    staging.keep_request();
                    last = at.or(last);
                    answers.push(answer);
                }
                Err((answer, error)) => {
                    staging.drop_request();
                    self.journal.rewind(before);
                    answer.give(Err(error));
                }
            }
        }
        let outcome = last.map_or(Ok(()), |at| self.commit(staging, start, at));
        if outcome.is_ok() && changed.items {
            self.items.send_modify(|generation| *generation += 1);
        }
        if outcome.is_ok() && changed.waiting {
            self.waiting.send_modify(|generation| *generation += 1);
        }
        if outcome.is_ok() && changed.mails {
            self.mails.send_modify(|generation| *generation += 1);
        }
        for answer in answers {
            answer.give(outcome.clone());
        }
    }

    fn stop_on(&mut self, error: &ArchiveError) {
        if error.is_fatal() {
            self.stopped = Some(error.clone());
        }
    }

    /// Makes the group's new documents durable; those that are there already, and whole, are left alone.
    fn seal(&self, group: &mut [Request]) -> Result<(), ArchiveError> {
        let mut seen = BTreeSet::new();
        let mut drafts: Vec<&mut Draft> = Vec::new();
        let mut again = Vec::new();
        for request in group {
            let Request::Accept { incoming, .. } = request else { continue };
            for one in incoming {
                if !seen.insert(one.draft.id.clone()) {
                    continue;
                }
                if let Some(entry) = Staging::new(&self.index).document(&one.draft.id)? {
                    let whole = self.documents.is_whole(&one.draft.id);
                    one.stored = self.stored(&mut one.draft, &entry, whole)?;
                    if one.stored != Stored::AsItWas {
                        again.push((one.draft.id.clone(), one.stored));
                    }
                    if whole {
                        continue;
                    }
                }
                drafts.push(&mut one.draft);
            }
        }
        if !drafts.is_empty() {
            self.documents.seal(&mut drafts)?;
        }
        for (document, stored) in again {
            let records_lost = stored == Stored::Anew;
            tracing::error!(
                %document, records_lost,
                "the stored file of a document was damaged or gone; the same bytes came again and are stored in its place: \
                 check the disk, and what else it holds with nicufaxd verify"
            );
        }
        Ok(())
    }

    /// What is to become of a known document's file. Has the draft sealed under the key that seals what is recorded, if
    /// that can be had.
    fn stored(&self, draft: &mut Draft, entry: &DocumentEntry, whole: bool) -> Result<Stored, ArchiveError> {
        let Some(keys) = self.vault.keys() else { return Ok(if whole { Stored::AsItWas } else { Stored::Repaired }) };
        if whole {
            // A crash may have come between its file's replacement under a new key and the record of that.
            return match self.reader.read(entry.received) {
                Err(ArchiveError::RecordDoesNotOpen { .. }) => Ok(Stored::Anew),
                Ok(_) | Err(_) => Ok(Stored::AsItWas),
            };
        }
        match keys.of_document(&draft.id) {
            Ok(key) => self.documents.seal_under(draft, &key).map(|()| Stored::Repaired),
            Err(ArchiveError::DocumentMissing { .. } | ArchiveError::DocumentDamaged { .. }) => Ok(Stored::Anew),
            Err(error) => Err(error),
        }
    }

    fn stage_arrivals(
        &mut self,
        staging: &mut Staging,
        incoming: &[Incoming],
        changed: &mut Changed,
    ) -> Result<(Vec<Accepted>, Option<Location>), ArchiveError> {
        let mut accepted = Vec::with_capacity(incoming.len());
        let mut last = None;
        for Incoming { draft, receipt, source_key, stored } in incoming {
            let document: DocumentId = draft.id.clone();
            let first = staging.document(&document)?.is_none();
            let arrival = self.vault.mark("arrival", [document.as_str(), source_key]);
            let (of, receipt, source_key) = (document.clone(), receipt.clone(), source_key.clone());
            let mut events = Vec::new();
            if first || *stored == Stored::Anew {
                events.push(Event::DocumentReceived { document: of, size: draft.size, receipt, source_key });
            } else {
                events.extend((*stored == Stored::Repaired).then(|| Event::Repaired { document: of.clone() }));
                let known = staging.is_unreleased(&arrival)?;
                events.extend((!known).then_some(Event::ArrivedAgain { document: of, receipt, source_key }));
            }
            last = self.stage(staging, &events, changed)?.or(last);
            let waits = staging.document(&document)?.is_some_and(|entry| entry.standing == Standing::Waiting);
            accepted.push(Accepted { document, first, waits });
        }
        Ok((accepted, last))
    }

    /// Prepares events for the journal and applies them to the staged index; the place of the last one recorded.
    fn stage(
        &mut self,
        staging: &mut Staging,
        events: &[Event],
        changed: &mut Changed,
    ) -> Result<Option<Location>, ArchiveError> {
        let time = crate::clock::now();
        let mut last = None;
        for event in events {
            let before = self.journal.savepoint();
            let applied = staging.fact_of(event, &self.vault).and_then(|fact| {
                let (sequence, at) = self.journal.prepare(event, &fact, time).map_err(Objection::Archive)?;
                staging.apply(&fact, sequence, at).map(|()| at)
            });
            match applied {
                Ok(at) => {
                    changed.note(event);
                    last = Some(at);
                }
                Err(Objection::NothingNew) => self.journal.rewind(before),
                Err(Objection::UnknownDocument(document)) => return Err(ArchiveError::UnknownDocument { document }),
                Err(Objection::NotDoneWith(document)) => return Err(ArchiveError::NotDoneWith { document }),
                Err(Objection::UnknownItem(item)) => return Err(ArchiveError::UnknownItem { item }),
                Err(Objection::Archive(error)) => return Err(error),
            }
        }
        Ok(last)
    }

    fn commit(&mut self, staging: Staging, start: Savepoint, at: Location) -> Result<(), ArchiveError> {
        let recorded = self.journal.commit();
        if recorded.is_err() {
            self.journal.rewind(start);
        }
        let outcome =
            recorded.and_then(|()| Ok(self.index.commit(&staging.into_changes(), self.journal.head(), at)?));
        if let Err(error) = &outcome {
            self.stop_on(error);
        }
        fault::at(Step::IndexChanged);
        outcome
    }
}
