//! Looking: what the archive answers without changing anything.
//!
//! Answers are put together from the index and the journal's records it points to. A change that happens between
//! two steps of one answer may make an item drop out of it; the next change notice brings the next look.
//!
//! In a sealed archive the key to what is recorded of a document lies in the document's file. Where that is gone or
//! damaged, the document and its items are shown all the same, as held, with what is left to say: one lost file must
//! not hide the others, nor itself.

use std::collections::{BTreeSet, VecDeque};

use super::apply::{
    ARRIVAL, Acts, CHANGED, DETERMINATION, DOCUMENT, DocumentEntry, HELD, ITEM, ItemEntry, KnownEntry, REFUSAL,
    RefusalEntry, Standing, UNRELEASED, UNRESOLVED, UnreleasedEntry, WAITING, content_key, decode, determinations_key,
    disposition_key, document_key, id_of_key, item_key, known_key, ranked_key,
};
use super::event::{Act, Event, Refusal, Resolution, Stage};
use super::index::{Entry, Fault};
use super::journal::Location;
use super::rebuild::recovered_receipt;
use super::{Archive, ArchiveError};
use crate::document::{DocumentId, MailHead, Receipt};
use crate::queue::determination::Recorded;
use crate::queue::item::{Asked, Claim, ItemId, ItemState, QueueItem};
use crate::route::due::ClockState;

/// Index entries fetched at a time.
const PAGE: usize = 256;

/// Why a document is shown as held of which nothing can be opened.
const LOST: &str = "its stored file is missing or damaged; restore it from a copy, or have it sent again";

/// Begins the flag of an item of a document whose items had been resolved before its file, and with it the record of that,
/// was lost.
const RESOLVED_BEFORE: &str = "resolved_before: a person had resolved an item of this document";

/// Where a document stands.
#[derive(Clone, Debug, PartialEq)]
pub enum Status {
    /// For the pipeline.
    Waiting,
    /// It has items in the queue, or had them all resolved.
    Queued,
    /// No stage could finish it.
    Held { reason: String, stage: Stage, since: jiff::Timestamp, mail: Option<MailHead> },
}

/// What is known of a document.
#[derive(Clone, Debug, PartialEq)]
pub struct DocumentState {
    pub document: DocumentId,
    /// In bytes.
    pub size: u64,
    /// Number of the record by which it was received: smaller came earlier.
    pub received: u64,
    /// One an arrival, the first one first.
    pub receipts: Vec<Receipt>,
    /// Tries counted since it was received, or since a person wanted it tried again.
    pub attempts: u32,
    pub status: Status,
    /// The items that it has, resolved ones included.
    pub items: Vec<ItemId>,
}

/// How much there is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct Counts {
    pub documents: u64,
    pub waiting: u64,
    pub held: u64,
    /// Items that no person has resolved, those of held documents included.
    pub unresolved_items: u64,
    pub items: u64,
    pub refused: u64,
    /// Records of the journal.
    pub records: u64,
}

impl Archive {
    /// What is known of a document.
    pub fn document(&self, document: &DocumentId) -> Result<Option<DocumentState>, ArchiveError> {
        let Some(entry) = self.entry(document)? else { return Ok(None) };
        let mut receipts = vec![self.receipt(document, entry.received)?];
        let arrivals = ranked_key(ARRIVAL, entry.rank);
        for (_, at) in self.all(&arrivals)? {
            receipts.push(self.receipt(document, decode(&at)?)?);
        }
        let status = match entry.standing {
            Standing::Waiting => Status::Waiting,
            Standing::Queued => Status::Queued,
            Standing::Held => {
                let at = entry.held.ok_or(Fault::Entry)?;
                match self.inner.reader.read(at) {
                    Ok((Event::Held { reason, stage, mail, .. }, since)) => Status::Held { reason, stage, since, mail },
                    Ok(_) => return Err(Fault::Entry.into()),
                    Err(error) if error.is_of_lost_file() => {
                        self.notice(&error);
                        let since = self.inner.reader.entry(at)?.time;
                        Status::Held { reason: LOST.to_owned(), stage: Stage::Read, since, mail: None }
                    }
                    Err(error) => return Err(error),
                }
            }
        };
        let items = entry.segments.iter().map(|&segment| ItemId::new(document, segment)).collect();
        Ok(Some(DocumentState {
            document: document.clone(),
            size: entry.size,
            received: entry.rank,
            receipts,
            attempts: entry.attempts,
            status,
            items,
        }))
    }

    /// The document whose id begins so, as people type it; `None` when there is none, or more than one.
    pub fn find_document(&self, beginning: &str) -> Result<Option<DocumentId>, ArchiveError> {
        let found = self.inner.index.page(&document_key(beginning), None, 2)?;
        match found.as_slice() {
            [(key, _)] => Ok(id_of_key(key)),
            _ => Ok(None),
        }
    }

    /// The documents that wait for the pipeline, in the order of their arrival.
    pub fn waiting(&self) -> Result<Vec<DocumentId>, ArchiveError> {
        self.all(&[WAITING])?.into_iter().map(|(_, id)| Ok(decode(&id)?)).collect()
    }

    /// The held documents, in the order of their arrival.
    pub fn held(&self) -> Result<Vec<DocumentState>, ArchiveError> {
        let mut held = Vec::new();
        for (_, id) in self.all(&[HELD])? {
            held.extend(self.document(&decode(&id)?)?);
        }
        Ok(held)
    }

    /// Documents that were queued, of which something is open, and whose stored file is missing or damaged since: as held
    /// ones, because nobody can read them. Those of which all can still be told, and only the pages are damaged, as far as
    /// that was noticed.
    pub fn lost(&self) -> Result<Vec<DocumentState>, ArchiveError> {
        let mut held = Vec::new();
        for item in self.items() {
            held.extend(Some(item?).filter(|item| item.state == ItemState::Held).map(|item| item.id));
        }
        self.lost_among(&held)
    }

    /// [`Self::lost`], where the items that are shown as held are known.
    pub fn lost_among(&self, held: &[ItemId]) -> Result<Vec<DocumentState>, ArchiveError> {
        let mut found = BTreeSet::new();
        for item in held {
            if let Some(document) = self.find_document(item.document())?
                && self.entry(&document)?.is_some_and(|entry| entry.standing == Standing::Queued)
            {
                found.insert(document);
            }
        }
        for document in self.inner.noticed.documents() {
            let Some(entry) = self.entry(&document)?.filter(|entry| entry.standing == Standing::Queued) else {
                continue;
            };
            let mut open = false;
            for &segment in &entry.segments {
                open |= self.inner.index.get(&item_key(UNRESOLVED, entry.rank, segment))?.is_some();
            }
            // It may have been restored, or sent again.
            if open && !found.contains(&document) && self.inner.documents.check(&document).is_err() {
                found.insert(document);
            }
        }
        let mut lost = Vec::new();
        for document in found {
            let Some(state) = self.document(&document)? else { continue };
            let since = state.receipts.first().map_or(jiff::Timestamp::UNIX_EPOCH, |receipt| receipt.received_at);
            let status = Status::Held { reason: LOST.to_owned(), stage: Stage::Queue, since, mail: None };
            lost.push(DocumentState { status, ..state });
        }
        lost.sort_by_key(|lost| lost.received);
        Ok(lost)
    }

    /// The items that no person has resolved, those of held documents among them, in the order of arrival; fetched
    /// as the iterator goes.
    pub fn items(&self) -> Items<'_> {
        Items::new(self, UNRESOLVED)
    }

    /// All items, the resolved ones too, in the order of arrival.
    pub fn all_items(&self) -> Items<'_> {
        Items::new(self, ITEM)
    }

    /// An item as it stands now.
    pub fn item(&self, id: &ItemId) -> Result<Option<QueueItem>, ArchiveError> {
        let Some((segment, entry)) = self.item_entry(id)? else { return Ok(None) };
        let event = self.item_event(entry.at)?;
        self.item_of(segment, &entry, event.as_ref()).map(Some)
    }

    /// What is stored of the arrivals whose source has not let go of them, and whose source keys begin so: the rest of each
    /// key, with its document. One whose document is not whole is left out: it is to be accepted again.
    pub fn unreleased(&self, beginning: &str) -> Result<Vec<(String, DocumentId)>, ArchiveError> {
        let mut found = Vec::new();
        for (_, entry) in self.all(&[UNRELEASED])? {
            let (document, source_key) = match self.inner.reader.read(decode::<UnreleasedEntry>(&entry)?.at) {
                Ok((
                    Event::DocumentReceived { document, source_key, .. }
                    | Event::ArrivedAgain { document, source_key, .. },
                    _,
                )) => (document, source_key),
                Ok(_) => return Err(Fault::Entry.into()),
                Err(error) if error.is_of_lost_file() => continue,
                Err(error) => return Err(error),
            };
            let Some(rest) = source_key.strip_prefix(beginning) else { continue };
            if self.entry(&document)?.is_some() && self.inner.documents.is_whole(&document) {
                found.push((rest.to_owned(), document));
            }
        }
        Ok(found)
    }

    /// The first document that says this and is still there.
    pub fn first_with_content(&self, content: &str) -> Result<Option<DocumentId>, ArchiveError> {
        let key = content_key(&self.inner.vault.mark("content", [content, ""]));
        let Some(bytes) = self.inner.index.get(&key)? else { return Ok(None) };
        let first: DocumentId = decode(&bytes)?;
        Ok(self.document(&first)?.map(|_| first))
    }

    /// The documents that have this mark (see [`Event::KnownBy`]) and are still there, the latest first, at most `most`.
    pub fn known_by(&self, mark: &str, most: usize) -> Result<Vec<DocumentId>, ArchiveError> {
        let entries = self.all(&known_key(&self.inner.vault.mark("known by", [mark, ""])))?;
        let mut found: Vec<DocumentId> = Vec::new();
        for (_, entry) in entries.iter().rev() {
            if found.len() == most {
                break;
            }
            let entry: KnownEntry = decode(entry)?;
            // None: purged, or its file is lost.
            found.extend(self.find_document(&entry.document)?.filter(|document| !found.contains(document)));
        }
        Ok(found)
    }

    /// How a person has disposed of an item; `None` while nobody has.
    pub fn resolution(&self, id: &ItemId) -> Result<Option<Resolution>, ArchiveError> {
        let Some(at) = self.item_entry(id)?.and_then(|(_, entry)| entry.resolved) else { return Ok(None) };
        let (Event::Resolved { by, disposition, case_id, note, item: _ }, at) = self.inner.reader.read(at)? else {
            return Err(Fault::Entry.into());
        };
        Ok(Some(Resolution { by, disposition, case_id, note, at }))
    }

    /// What sources hold that is no document, by the latest refusal of each.
    pub fn refused(&self) -> Result<Vec<Refusal>, ArchiveError> {
        let mut refusals: Vec<Refusal> = Vec::new();
        for (_, entry) in self.all(&[REFUSAL])? {
            let (Event::Refused { source, source_file, reason, key }, at) =
                self.inner.reader.read(decode::<RefusalEntry>(&entry)?.at)?
            else {
                return Err(Fault::Entry.into());
            };
            refusals.push(Refusal { id: self.refusal_id(&key), source, source_file, reason, key, at });
        }
        refusals.sort_by_key(|refusal| refusal.at);
        Ok(refusals)
    }

    /// The id of the refusal under this key: `refused-` and 12 hexadecimal digits of a keyed digest. A plain one of a
    /// file's name would betray it, as there are not that many telephone numbers.
    pub fn refusal_id(&self, key: &str) -> String {
        format!("refused-{}", self.inner.vault.mark("refusal", [key, ""]).digits(12))
    }

    /// When the last record was written after which the exports may look otherwise; `None` when there is none.
    pub fn last_recorded(&self) -> Result<Option<jiff::Timestamp>, ArchiveError> {
        let Some(at) = self.inner.index.get(CHANGED)? else { return Ok(None) };
        Ok(Some(self.inner.reader.entry(decode(&at)?)?.time))
    }

    /// How much there is.
    pub fn counts(&self) -> Counts {
        let summary = self.inner.index.summary();
        Counts {
            documents: summary.count(DOCUMENT),
            waiting: summary.count(WAITING),
            held: summary.count(HELD),
            unresolved_items: summary.count(UNRESOLVED),
            items: summary.count(ITEM),
            refused: summary.count(REFUSAL),
            records: summary.head.sequence,
        }
    }

    fn entry(&self, document: &DocumentId) -> Result<Option<DocumentEntry>, ArchiveError> {
        let found = self.inner.index.get(&document_key(document.as_str()))?;
        Ok(found.map(|bytes| decode(&bytes)).transpose()?)
    }

    fn item_entry(&self, id: &ItemId) -> Result<Option<(u32, ItemEntry)>, ArchiveError> {
        let Some(document) = self.find_document(id.document())? else { return Ok(None) };
        let Some(entry) = self.entry(&document)? else { return Ok(None) };
        let found = self.inner.index.get(&item_key(ITEM, entry.rank, id.segment()))?;
        Ok(found.map(|bytes| decode(&bytes)).transpose()?.map(|item| (id.segment(), item)))
    }

    fn all(&self, prefix: &[u8]) -> Result<Vec<Entry>, Fault> {
        self.inner.index.page(prefix, None, usize::MAX)
    }

    /// What was recorded of an arrival; what is left of it, when that cannot be opened.
    fn receipt(&self, document: &DocumentId, at: Location) -> Result<Receipt, ArchiveError> {
        match self.inner.reader.read(at) {
            Ok((Event::DocumentReceived { receipt, .. } | Event::ArrivedAgain { receipt, .. }, _)) => Ok(receipt),
            Ok(_) => Err(Fault::Entry.into()),
            Err(error) if error.is_of_lost_file() => {
                self.notice(&error);
                Ok(recovered_receipt(document, self.inner.reader.entry(at)?.time))
            }
            Err(error) => Err(error),
        }
    }

    /// The record that holds an item; `None` when it cannot be opened.
    fn item_event(&self, at: Location) -> Result<Option<Event>, ArchiveError> {
        match self.inner.reader.read(at) {
            Ok((event, _)) => Ok(Some(event)),
            Err(error) if error.is_of_lost_file() => {
                self.notice(&error);
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }

    /// The item as recorded in `event`, the record that the entry points to, with what happened since.
    fn item_of(&self, segment: u32, entry: &ItemEntry, event: Option<&Event>) -> Result<QueueItem, ArchiveError> {
        let document = self.entry(&entry.document)?.ok_or(Fault::Entry)?;
        let held = |reason: &str, mail: Option<&MailHead>| {
            let mut receipt = self.receipt(&entry.document, document.received)?;
            receipt.sender = receipt.sender.or_else(|| mail?.sender().map(str::to_owned));
            let told = mail.and_then(|mail| mail.reported_pages);
            receipt.reported_pages = receipt.reported_pages.or(told);
            let id = ItemId::new(&entry.document, segment);
            let mut item = QueueItem { id, ..QueueItem::held(&entry.document, &receipt, reason) };
            item.flags.extend(told.map(|pages| format!("reported_pages: the message tells of {pages}")));
            Ok::<_, ArchiveError>(item)
        };
        let mut item = match (event, entry.position) {
            (Some(Event::Queued { items, .. } | Event::Triaged { items, .. }), Some(position)) => {
                items.get(position as usize).cloned().ok_or(Fault::Entry)?
            }
            (Some(Event::Held { reason, mail, .. }), None) => held(reason, mail.as_ref())?,
            (None, _) => held(LOST, None)?,
            _ => return Err(Fault::Entry.into()),
        };
        if let Some(Event::Acted { act: Act::Amended { item: amended }, .. }) =
            entry.acts.amended.map(|at| self.item_event(at)).transpose()?.flatten()
        {
            item = *amended;
        }
        item.arrivals = document.arrivals;
        if let Some(at) = document.repeats.get(&segment)
            && let Some(Event::Repeats { of, new_pages, differs, .. }) = self.item_event(*at)?
        {
            item.says_again(of, &new_pages, &differs);
        }
        self.with_acts(&mut item, entry.acts)?;
        if let Some(clock) = item.clock.as_mut().filter(|_| entry.passed > 0) {
            clock.pass(entry.passed);
        }
        if entry.resolved.is_some() {
            item.state = ItemState::Resolved;
        } else if let Some(at) = document.resolved_before {
            let on = self.inner.reader.entry(at)?.time.strftime("%Y-%m-%d");
            item.flags.push(format!("{RESOLVED_BEFORE} on {on}; what and by whom was lost with its stored file"));
        }
        Ok(item)
    }
}

impl Archive {
    /// Puts onto an item what people did with it.
    fn with_acts(&self, item: &mut QueueItem, acts: Acts) -> Result<(), ArchiveError> {
        let act = |at: Option<Location>| {
            let Some(at) = at else { return Ok(None) };
            Ok::<_, ArchiveError>(match self.item_event(at)? {
                Some(Event::Acted { act, .. }) => Some((act, self.inner.reader.entry(at)?.time)),
                _ => None,
            })
        };
        if let Some((Act::Taken { person: by, until }, _)) = act(acts.taken)? {
            item.claimed = Some(Claim { by, until });
        }
        if let Some((Act::Asked { what, until, due_at }, since)) = act(acts.asked)? {
            item.asked = Some(Asked { what, since, until });
            item.due_at = Some(due_at);
            if let Some(clock) = &mut item.clock {
                clock.move_due(due_at);
                clock.state = ClockState::Paused;
            }
        }
        if let Some((Act::Resumed { due_at }, _)) = act(acts.resumed)? {
            item.due_at = Some(due_at);
            if let Some(clock) = &mut item.clock {
                clock.move_due(due_at);
            }
        }
        Ok(())
    }

    /// What was determined of a case, or of all, in the order in which it was recorded; replaced ones too.
    pub fn determinations(&self, case: Option<&str>) -> Result<Vec<Recorded>, ArchiveError> {
        let prefix =
            case.map_or_else(|| vec![DETERMINATION], |case| determinations_key(&self.inner.vault.case_mark(case)));
        let mut found = Vec::new();
        for (key, at) in self.all(&prefix)? {
            let number = key.last_chunk().map_or(0, |bytes| u64::from_be_bytes(*bytes));
            let (Event::Determined { case_id, by, determination, item: _ }, at) =
                self.inner.reader.read(decode(&at)?)?
            else {
                return Err(Fault::Entry.into());
            };
            found.push(Recorded { number, case_id, by, at, determination: *determination });
        }
        found.sort_by_key(|recorded| recorded.number);
        Ok(found)
    }

    /// Whether a row of the dispositions file, known by this key, was taken.
    pub fn is_disposition_taken(&self, key: &str) -> Result<bool, ArchiveError> {
        let mark = self.inner.vault.mark("disposition", [key, ""]);
        Ok(self.inner.index.get(&disposition_key(&mark))?.is_some())
    }
}

/// Goes through items without holding more than a few in memory.
pub struct Items<'a> {
    archive: &'a Archive,
    kind: u8,
    after: Option<Vec<u8>>,
    fetched: VecDeque<Vec<u8>>,
    finished: bool,
    /// The record read last: the items of a document stand in one record and come one after the other.
    record: Option<(Location, Option<Event>)>,
}

impl<'a> Items<'a> {
    fn new(archive: &'a Archive, kind: u8) -> Self {
        Self { archive, kind, after: None, fetched: VecDeque::new(), finished: false, record: None }
    }

    fn step(&mut self) -> Result<Option<QueueItem>, ArchiveError> {
        loop {
            if self.fetched.is_empty() {
                if self.finished {
                    return Ok(None);
                }
                let page = self.archive.inner.index.page(&[self.kind], self.after.as_deref(), PAGE)?;
                self.finished = page.len() < PAGE;
                self.after = page.last().map(|(key, _)| key.clone());
                self.fetched.extend(page.into_iter().map(|(key, _)| key));
            }
            let Some(mut key) = self.fetched.pop_front() else { continue };
            if let Some(kind) = key.first_mut() {
                *kind = ITEM;
            }
            // Gone since the page was fetched: its document was read anew.
            let Some(bytes) = self.archive.inner.index.get(&key)? else { continue };
            let segment = key.last_chunk().map_or(0, |bytes| u32::from_be_bytes(*bytes));
            let entry: ItemEntry = decode(&bytes)?;
            let record = match self.record.take() {
                Some(record) if record.0 == entry.at => record,
                Some(_) | None => (entry.at, self.archive.item_event(entry.at)?),
            };
            let (_, event) = self.record.insert(record);
            return self.archive.item_of(segment, &entry, event.as_ref()).map(Some);
        }
    }
}

impl Iterator for Items<'_> {
    type Item = Result<QueueItem, ArchiveError>;

    fn next(&mut self) -> Option<Self::Item> {
        let step = self.step().transpose();
        // A fault would come again for ever.
        self.finished |= matches!(step, Some(Err(_)));
        step
    }
}
