//! What each event does to the index: the same on the way in and when the index is made again.
//!
//! It goes by the facts alone, which stand in the journal in the clear, so the index of a sealed archive is made again
//! without opening a record. Entries point into the journal instead of repeating it, so the index stays small. Keys, by
//! their first byte:
//!
//! | key | holds |
//! | --- | --- |
//! | `d` document id | [`DocumentEntry`] |
//! | `a` rank, sequence | the record of a repeated arrival |
//! | `u` mark of document and source key | [`UnreleasedEntry`], of an arrival whose source file has not been released |
//! | `w` rank | id of a document that waits for the pipeline |
//! | `h` rank | id of a held document |
//! | `i` rank, segment | [`ItemEntry`] |
//! | `o` rank, segment | an item that is not resolved |
//! | `r` mark of the refusal's key | the record of a refusal |
//! | `p` document id | [`PurgedEntry`] |
//! | `m` mark of a message's content | id of the first document that says it |
//! | `k` mark, rank | [`KnownEntry`], of a document with that mark |
//! | `L` sequence of the record that tells of it | [`LostEntry`] |
//! | `D` mark of a disposition's key | nothing: that it was taken |
//! | `T` mark of a case, sequence | the record of a determination |
//! | `c` | the last record that changed what the exports show |
//! | `M` mail id | [`MailEntry`] |
//! | `Q` rank | id of a mail that waits to be sent |
//! | `F` rank | id of a mail that was given up |
//!
//! A document's rank is the sequence of the record by which it was received, a mail's that of the record by which it
//! was queued, so the order of keys is that of arrival.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::ArchiveError;
use super::event::{ActKind, Event};
use super::fact::{Fact, ForeignItem};
use super::index::{Changes, Fault, Index};
use super::journal::Location;
use super::mail::MailId;
use super::vault::{Mark, Vault};
use crate::document::DocumentId;
use crate::queue::item::ItemId;

pub(super) const DOCUMENT: u8 = b'd';
pub(super) const ARRIVAL: u8 = b'a';
pub(super) const UNRELEASED: u8 = b'u';
pub(super) const WAITING: u8 = b'w';
pub(super) const HELD: u8 = b'h';
pub(super) const ITEM: u8 = b'i';
pub(super) const UNRESOLVED: u8 = b'o';
pub(super) const REFUSAL: u8 = b'r';
pub(super) const PURGED: u8 = b'p';
pub(super) const CONTENT: u8 = b'm';
pub(super) const KNOWN: u8 = b'k';
pub(super) const DETERMINATION: u8 = b'T';
pub(super) const DISPOSITION: u8 = b'D';
pub(super) const LOST: u8 = b'L';
pub(super) const MAIL: u8 = b'M';
pub(super) const MAIL_WAITING: u8 = b'Q';
pub(super) const MAIL_FAILED: u8 = b'F';
/// The one key of its kind.
pub(super) const CHANGED: &[u8] = b"c";

/// Where a document stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Standing {
    Waiting,
    Queued,
    Held,
}

/// What is known of a document.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct DocumentEntry {
    /// Sequence of the record by which it was received.
    pub rank: u64,
    /// In bytes.
    pub size: u64,
    /// The record by which it was received.
    pub received: Location,
    pub arrivals: u32,
    pub attempts: u32,
    pub standing: Standing,
    /// The record by which it was held.
    pub held: Option<Location>,
    /// Numbers of its items.
    pub segments: BTreeSet<u32>,
    /// Of one that was received anew: the last record by which a person had resolved an item of it before. What was
    /// resolved, and by whom, can be opened by nobody any more, and reading it again may divide it otherwise, so its items
    /// are open again and say so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resolved_before: Option<Location>,
    /// Of its items that say what others said before, by their numbers, the records that tell so.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub repeats: BTreeMap<u32, Location>,
    /// Mails about it that were neither sent nor seen to by a person.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub mails: u32,
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "as serde wants it")]
fn is_zero(count: &u32) -> bool {
    *count == 0
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "as serde wants it")]
fn is_none_passed(percent: &u8) -> bool {
    *percent == 0
}

/// What is known of an item.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct ItemEntry {
    pub document: DocumentId,
    /// The `Queued` or `Triaged` record that holds it, or the `Held` record that stands behind it.
    pub at: Location,
    /// Its place among the record's items; `None` for a held document's item.
    pub position: Option<u32>,
    /// The record by which a person resolved it.
    pub resolved: Option<Location>,
    /// The last share of its time that is known to have passed, in percent.
    #[serde(default, skip_serializing_if = "is_none_passed")]
    pub passed: u8,
    /// What people did with it, as far as it still holds.
    #[serde(default, skip_serializing_if = "Acts::is_empty")]
    pub acts: Acts,
}

/// The records of what people did with an item that is open.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Acts {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub taken: Option<Location>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub asked: Option<Location>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub resumed: Option<Location>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub amended: Option<Location>,
}

impl Acts {
    fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// Notes an act that was recorded at `at`; whether that changes anything.
    fn note(&mut self, act: ActKind, at: Location) -> bool {
        let before = *self;
        match act {
            ActKind::Taken => self.taken = Some(at),
            ActKind::Released => self.taken = None,
            ActKind::Asked => (self.asked, self.resumed) = (Some(at), None),
            ActKind::Resumed if self.asked.is_some() => (self.asked, self.resumed) = (None, Some(at)),
            ActKind::Resumed => {}
            // Its time is counted anew, by what the person says that it is.
            ActKind::Amended => (self.amended, self.asked, self.resumed) = (Some(at), None, None),
        }
        *self != before
    }
}

/// An arrival whose source has not let go of it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct UnreleasedEntry {
    /// The record by which it arrived.
    pub at: Location,
}

/// What is known of a refusal.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct RefusalEntry {
    /// The record by which it was refused.
    pub at: Location,
    /// Of the reason.
    pub reason: Mark,
}

/// What is known of a purged document.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct PurgedEntry {
    /// The record by which it was purged.
    pub at: Location,
    /// The record by which it had been received: it opens under the key that was to be destroyed, and no other.
    pub received: Location,
}

/// A document that has a mark.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct KnownEntry {
    /// The first digits of its id, see [`DocumentId::short`]: there are many of these entries.
    pub document: String,
}

/// Records that the journal's end had lost, by their numbers.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(super) struct LostEntry {
    pub from: u64,
    pub to: u64,
}

/// Where a mail stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum MailStanding {
    Waiting,
    Sent,
    Failed,
    Dismissed,
}

/// What is known of a mail.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct MailEntry {
    /// Sequence of the record by which it was queued.
    pub rank: u64,
    /// The record by which it was queued.
    pub queued: Location,
    /// The record since which it waits: that one, or that by which a person wanted it tried again.
    pub since: Location,
    /// The record by which it was given up.
    pub failed: Option<Location>,
    pub attempts: u32,
    pub document: Option<DocumentId>,
    pub standing: MailStanding,
}

pub(super) fn mail_key(id: &MailId) -> Vec<u8> {
    [&[MAIL], id.as_str().as_bytes()].concat()
}

pub(super) fn document_key(id: &str) -> Vec<u8> {
    [&[DOCUMENT], id.as_bytes()].concat()
}

pub(super) fn purged_key(id: &DocumentId) -> Vec<u8> {
    [&[PURGED], id.as_str().as_bytes()].concat()
}

pub(super) fn ranked_key(kind: u8, rank: u64) -> Vec<u8> {
    [&[kind], rank.to_be_bytes().as_slice()].concat()
}

pub(super) fn item_key(kind: u8, rank: u64, segment: u32) -> Vec<u8> {
    [&[kind], rank.to_be_bytes().as_slice(), segment.to_be_bytes().as_slice()].concat()
}

fn arrival_key(rank: u64, sequence: u64) -> Vec<u8> {
    [&[ARRIVAL], rank.to_be_bytes().as_slice(), sequence.to_be_bytes().as_slice()].concat()
}

fn marked_key(kind: u8, mark: &Mark) -> Vec<u8> {
    [&[kind], mark.as_bytes()].concat()
}

/// Begins the keys of a case's determinations.
pub(super) fn determinations_key(case: &Mark) -> Vec<u8> {
    marked_key(DETERMINATION, case)
}

pub(super) fn disposition_key(disposition: &Mark) -> Vec<u8> {
    marked_key(DISPOSITION, disposition)
}

pub(super) fn content_key(content: &Mark) -> Vec<u8> {
    marked_key(CONTENT, content)
}

/// Begins the keys of the documents that have this mark. Sixteen digits of it: who goes by it compares what it finds.
pub(super) fn known_key(mark: &Mark) -> Vec<u8> {
    [&[KNOWN], mark.digits(16).as_bytes()].concat()
}

pub(super) fn encode<T: Serialize>(value: &T) -> Result<Vec<u8>, Fault> {
    serde_json::to_vec(value).map_err(|_| Fault::Entry)
}

pub(super) fn decode<T: for<'de> Deserialize<'de>>(bytes: &[u8]) -> Result<T, Fault> {
    serde_json::from_slice(bytes).map_err(|_| Fault::Entry)
}

/// Why an event was not applied.
#[derive(Debug)]
pub(super) enum Objection {
    UnknownDocument(DocumentId),
    UnknownItem(ItemId),
    /// It would change nothing: there is nothing to record.
    NothingNew,
    /// Something of the document is open, held or waiting, so it may not be purged.
    NotDoneWith(DocumentId),
    Archive(ArchiveError),
}

impl From<Fault> for Objection {
    fn from(fault: Fault) -> Self {
        Self::Archive(fault.into())
    }
}

/// The index with changes that are not made yet. A group's changes consist of its requests' changes; those of a
/// request that fails are dropped alone.
pub(super) struct Staging<'a> {
    index: &'a Index,
    group: Changes,
    request: Changes,
}

impl<'a> Staging<'a> {
    pub(super) fn new(index: &'a Index) -> Self {
        Self { index, group: Changes::new(), request: Changes::new() }
    }

    pub(super) fn keep_request(&mut self) {
        // Not `append`, which walks through the whole group for every request.
        self.group.extend(std::mem::take(&mut self.request));
    }

    pub(super) fn drop_request(&mut self) {
        self.request.clear();
    }

    pub(super) fn len(&self) -> usize {
        self.group.len()
    }

    pub(super) fn into_changes(self) -> Changes {
        self.group
    }

    /// Takes the changes of the requests kept so far, leaving none.
    pub(super) fn take_changes(&mut self) -> Changes {
        std::mem::take(&mut self.group)
    }

    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, Fault> {
        match self.request.get(key).or_else(|| self.group.get(key)) {
            Some(staged) => Ok(staged.clone()),
            None => self.index.get(key),
        }
    }

    fn put<T: Serialize>(&mut self, key: Vec<u8>, value: &T) -> Result<(), Fault> {
        self.request.insert(key, Some(encode(value)?));
        Ok(())
    }

    fn remove(&mut self, key: Vec<u8>) {
        self.request.insert(key, None);
    }

    pub(super) fn document(&self, id: &DocumentId) -> Result<Option<DocumentEntry>, Fault> {
        self.get(&document_key(id.as_str()))?.map(|bytes| decode(&bytes)).transpose()
    }

    fn known(&self, id: &DocumentId) -> Result<DocumentEntry, Objection> {
        self.document(id)?.ok_or_else(|| Objection::UnknownDocument(id.clone()))
    }

    fn put_document(&mut self, id: &DocumentId, entry: &DocumentEntry) -> Result<(), Fault> {
        self.put(document_key(id.as_str()), entry)
    }

    /// Whether this very arrival is recorded and its source file not released: it is no second arrival.
    pub(super) fn is_unreleased(&self, arrival: &Mark) -> Result<bool, Fault> {
        Ok(self.get(&marked_key(UNRELEASED, arrival))?.is_some())
    }

    /// The fact of an event. An event about an item is one about the document that the item is of.
    pub(super) fn fact_of<I: AsRef<ItemId>>(&self, event: &Event<I>, vault: &Vault) -> Result<Fact, Objection> {
        let document = if let Some(item) = event.item() {
            let document = self.document_named(item.document())?;
            Some(document.ok_or_else(|| Objection::UnknownItem(item.clone()))?)
        } else {
            None
        };
        Fact::of(event, document.as_ref(), vault).map_err(|ForeignItem(item)| Objection::UnknownItem(item))
    }

    /// The one document whose id begins so; `None` when there is none, or more than one.
    fn document_named(&self, short: &str) -> Result<Option<DocumentId>, Fault> {
        let prefix = document_key(short);
        let mut keys: BTreeSet<Vec<u8>> = self.index.page(&prefix, None, 2)?.into_iter().map(|(key, _)| key).collect();
        let staged = self.group.range(prefix.clone()..).chain(self.request.range(prefix.clone()..));
        keys.extend(staged.map(|(key, _)| key).filter(|key| key.starts_with(&prefix)).cloned());
        let mut ids = keys.iter().filter_map(|key| id_of_key(key));
        Ok(ids.next().filter(|_| keys.len() == 1))
    }

    /// Puts a document into one of its standings; leaves the list of the one before.
    fn stand(&mut self, id: &DocumentId, entry: &mut DocumentEntry, standing: Standing) -> Result<(), Fault> {
        self.remove(ranked_key(WAITING, entry.rank));
        self.remove(ranked_key(HELD, entry.rank));
        entry.standing = standing;
        match standing {
            Standing::Waiting => self.put(ranked_key(WAITING, entry.rank), id),
            Standing::Held => self.put(ranked_key(HELD, entry.rank), id),
            Standing::Queued => Ok(()),
        }
    }

    /// Removes the items that no person has resolved or amended.
    fn remove_untouched_items(&mut self, entry: &mut DocumentEntry) -> Result<(), Fault> {
        for segment in entry.segments.clone() {
            let key = item_key(ITEM, entry.rank, segment);
            let touched = match self.get(&key)? {
                Some(bytes) => {
                    let item: ItemEntry = decode(&bytes)?;
                    item.resolved.is_some() || item.acts.amended.is_some()
                }
                None => false,
            };
            if !touched {
                self.remove(key);
                self.remove(item_key(UNRESOLVED, entry.rank, segment));
                entry.segments.remove(&segment);
            }
        }
        Ok(())
    }

    /// What people did with a document's items, by their numbers.
    fn acts_on(&self, entry: &DocumentEntry) -> Result<BTreeMap<u32, Acts>, Fault> {
        let mut acts = BTreeMap::new();
        for &segment in &entry.segments {
            if let Some(bytes) = self.get(&item_key(ITEM, entry.rank, segment))? {
                acts.insert(segment, decode::<ItemEntry>(&bytes)?.acts);
            }
        }
        Ok(acts)
    }

    /// Has a document wait for the pipeline from the start.
    fn wait_again(&mut self, id: &DocumentId, entry: &mut DocumentEntry) -> Result<(), Fault> {
        self.remove_untouched_items(entry)?;
        entry.attempts = 0;
        entry.held = None;
        self.stand(id, entry, Standing::Waiting)
    }

    fn add_item(&mut self, entry: &mut DocumentEntry, segment: u32, item: &ItemEntry) -> Result<(), Fault> {
        self.put(item_key(ITEM, entry.rank, segment), item)?;
        self.put(item_key(UNRESOLVED, entry.rank, segment), &())?;
        entry.segments.insert(segment);
        Ok(())
    }

    /// The last record by which a person resolved an item of a document.
    fn last_resolved(&self, entry: &DocumentEntry) -> Result<Option<Location>, Fault> {
        let mut last = None;
        for &segment in &entry.segments {
            if let Some(item) = self.get(&item_key(ITEM, entry.rank, segment))? {
                last = last.max(decode::<ItemEntry>(&item)?.resolved);
            }
        }
        Ok(last)
    }

    /// Removes all that is known of a document.
    fn remove_document(&mut self, id: &DocumentId, entry: &DocumentEntry) -> Result<(), Fault> {
        let arrivals = ranked_key(ARRIVAL, entry.rank);
        let stored = self.index.page(&arrivals, None, usize::MAX)?.into_iter().map(|(key, _)| key);
        let staged = self.group.range(arrivals.clone()..).chain(self.request.range(arrivals.clone()..));
        let staged = staged.map(|(key, _)| key).take_while(|key| key.starts_with(&arrivals)).cloned();
        let keys: Vec<Vec<u8>> = stored.chain(staged).collect();
        for key in keys {
            self.remove(key);
        }
        for &segment in &entry.segments {
            self.remove(item_key(ITEM, entry.rank, segment));
            self.remove(item_key(UNRESOLVED, entry.rank, segment));
        }
        self.remove(ranked_key(WAITING, entry.rank));
        self.remove(ranked_key(HELD, entry.rank));
        self.remove(document_key(id.as_str()));
        Ok(())
    }

    /// The mail, if it stands in one of these; what else happens to it changes nothing.
    fn mail(&self, id: &MailId, standings: &[MailStanding]) -> Result<MailEntry, Objection> {
        let entry: Option<MailEntry> = self.get(&mail_key(id))?.map(|bytes| decode(&bytes)).transpose()?;
        entry.filter(|entry| standings.contains(&entry.standing)).ok_or(Objection::NothingNew)
    }

    /// Puts a mail into one of its standings; leaves the list of the one before.
    fn put_mail(&mut self, id: &MailId, entry: &MailEntry) -> Result<(), Fault> {
        self.remove(ranked_key(MAIL_WAITING, entry.rank));
        self.remove(ranked_key(MAIL_FAILED, entry.rank));
        match entry.standing {
            MailStanding::Waiting => self.put(ranked_key(MAIL_WAITING, entry.rank), id)?,
            MailStanding::Failed => self.put(ranked_key(MAIL_FAILED, entry.rank), id)?,
            MailStanding::Sent | MailStanding::Dismissed => {}
        }
        self.put(mail_key(id), entry)
    }

    /// Nothing more is to be done for a mail.
    fn close_mail(&mut self, id: &MailId, entry: MailEntry, standing: MailStanding) -> Result<(), Objection> {
        if let Some(document) = &entry.document {
            let mut of = self.known(document)?;
            of.mails = of.mails.saturating_sub(1);
            self.put_document(document, &of)?;
        }
        Ok(self.put_mail(id, &MailEntry { standing, ..entry })?)
    }

    /// Whether every item of a document is resolved, and nothing of it waits.
    fn is_done_with(&self, entry: &DocumentEntry) -> Result<bool, Fault> {
        for &segment in &entry.segments {
            let item = self.get(&item_key(ITEM, entry.rank, segment))?.ok_or(Fault::Entry)?;
            if decode::<ItemEntry>(&item)?.resolved.is_none() {
                return Ok(false);
            }
        }
        Ok(entry.standing == Standing::Queued && !entry.segments.is_empty() && entry.mails == 0)
    }

    /// Applies one fact, recorded at `at` under `sequence`, to the changes of the current request.
    pub(super) fn apply(&mut self, fact: &Fact, sequence: u64, at: Location) -> Result<(), Objection> {
        match fact {
            Fact::DocumentReceived { document, size, arrival } => {
                // Received anew: its file was gone, and with it the key to what had been recorded of it; or it was
                // purged.
                let before = self.document(document)?;
                let mut resolved_before = None;
                if let Some(before) = &before {
                    resolved_before = self.last_resolved(before)?.max(before.resolved_before);
                    self.remove_document(document, before)?;
                }
                self.remove(purged_key(document));
                let mut entry = DocumentEntry {
                    rank: sequence,
                    size: *size,
                    received: at,
                    arrivals: 1,
                    attempts: 0,
                    standing: Standing::Waiting,
                    held: None,
                    segments: BTreeSet::new(),
                    resolved_before,
                    repeats: BTreeMap::new(),
                    mails: before.map_or(0, |before| before.mails),
                };
                self.stand(document, &mut entry, Standing::Waiting)?;
                self.put(marked_key(UNRELEASED, arrival), &UnreleasedEntry { at })?;
                self.put_document(document, &entry)?;
            }
            Fact::ArrivedAgain { document, arrival } => {
                let mut entry = self.known(document)?;
                entry.arrivals = entry.arrivals.saturating_add(1);
                self.put(arrival_key(entry.rank, sequence), &at)?;
                self.put(marked_key(UNRELEASED, arrival), &UnreleasedEntry { at })?;
                self.put_document(document, &entry)?;
            }
            Fact::Repaired { document } => {
                let mut entry = self.known(document)?;
                // Whatever it was held for may have been the damage.
                if entry.standing == Standing::Held {
                    self.wait_again(document, &mut entry)?;
                }
                self.put_document(document, &entry)?;
            }
            Fact::SourceReleased { document, arrival } => {
                if !self.is_unreleased(arrival)? {
                    self.known(document)?;
                    return Err(Objection::NothingNew);
                }
                self.remove(marked_key(UNRELEASED, arrival));
            }
            Fact::Refused { refusal, reason } => {
                if let Some(bytes) = self.get(&marked_key(REFUSAL, refusal))?
                    && decode::<RefusalEntry>(&bytes)?.reason == *reason
                {
                    return Err(Objection::NothingNew);
                }
                self.put(marked_key(REFUSAL, refusal), &RefusalEntry { at, reason: reason.clone() })?;
            }
            Fact::RefusalCleared { refusal } => {
                if self.get(&marked_key(REFUSAL, refusal))?.is_none() {
                    return Err(Objection::NothingNew);
                }
                self.remove(marked_key(REFUSAL, refusal));
            }
            Fact::AttemptStarted { document, attempt, stage: _ } => {
                let mut entry = self.known(document)?;
                entry.attempts = *attempt;
                self.put_document(document, &entry)?;
            }
            Fact::HandedBack { document } => {
                let mut entry = self.known(document)?;
                if entry.attempts == 0 {
                    return Err(Objection::NothingNew);
                }
                entry.attempts -= 1;
                self.put_document(document, &entry)?;
            }
            Fact::Queued { document, segments } | Fact::Triaged { document, segments } => {
                let mut entry = self.known(document)?;
                let is_done = matches!(fact, Fact::Queued { .. });
                if !is_done && entry.standing != Standing::Waiting {
                    return Err(Objection::NothingNew);
                }
                let acts = self.acts_on(&entry)?;
                self.remove_untouched_items(&mut entry)?;
                for (position, &segment) in (0..).zip(segments) {
                    if !entry.segments.contains(&segment) {
                        // Who has taken it has it still.
                        let acts = acts.get(&segment).copied().unwrap_or_default();
                        let kept = ItemEntry {
                            document: document.clone(),
                            at,
                            position: Some(position),
                            resolved: None,
                            passed: 0,
                            acts,
                        };
                        self.add_item(&mut entry, segment, &kept)?;
                    }
                }
                if is_done {
                    entry.held = None;
                    self.stand(document, &mut entry, Standing::Queued)?;
                }
                self.put_document(document, &entry)?;
            }
            Fact::Held { document } => {
                let mut entry = self.known(document)?;
                self.remove_untouched_items(&mut entry)?;
                let free = (1..=u32::MAX).find(|segment| !entry.segments.contains(segment)).unwrap_or(u32::MAX);
                let item = ItemEntry {
                    document: document.clone(),
                    at,
                    position: None,
                    resolved: None,
                    passed: 0,
                    acts: Acts::default(),
                };
                self.add_item(&mut entry, free, &item)?;
                entry.held = Some(at);
                self.stand(document, &mut entry, Standing::Held)?;
                self.put_document(document, &entry)?;
            }
            Fact::Retried { document } => {
                let mut entry = self.known(document)?;
                self.wait_again(document, &mut entry)?;
                self.put_document(document, &entry)?;
            }
            Fact::Resolved { document, segment } => {
                let mut entry = self.known(document)?;
                let key = item_key(ITEM, entry.rank, *segment);
                let unknown = || Objection::UnknownItem(ItemId::new(document, *segment));
                let mut kept: ItemEntry = decode(&self.get(&key)?.ok_or_else(unknown)?)?;
                kept.resolved = Some(at);
                self.put(key, &kept)?;
                self.remove(item_key(UNRESOLVED, entry.rank, *segment));
                // A person has disposed of the held document itself: nothing is left to hold.
                if kept.position.is_none() && entry.standing == Standing::Held {
                    entry.held = None;
                    self.stand(document, &mut entry, Standing::Queued)?;
                    self.put_document(document, &entry)?;
                }
            }
            Fact::Acted { document, segment, act } => {
                let key = item_key(ITEM, self.known(document)?.rank, *segment);
                let unknown = || Objection::UnknownItem(ItemId::new(document, *segment));
                let mut kept: ItemEntry = decode(&self.get(&key)?.ok_or_else(unknown)?)?;
                if kept.resolved.is_some() || !kept.acts.note(*act, at) {
                    return Err(Objection::NothingNew);
                }
                // What has passed is reckoned anew where the time is another.
                if matches!(act, ActKind::Resumed | ActKind::Amended) {
                    kept.passed = 0;
                }
                self.put(key, &kept)?;
            }
            Fact::Determined { case } => {
                let key = [determinations_key(case).as_slice(), &sequence.to_be_bytes()].concat();
                self.put(key, &at)?;
            }
            Fact::DispositionTaken { disposition } => {
                let key = disposition_key(disposition);
                if self.get(&key)?.is_some() {
                    return Err(Objection::NothingNew);
                }
                self.put(key, &())?;
            }
            Fact::ClockPassed { document, segment, percent } => {
                let key = item_key(ITEM, self.known(document)?.rank, *segment);
                let unknown = || Objection::UnknownItem(ItemId::new(document, *segment));
                let mut kept: ItemEntry = decode(&self.get(&key)?.ok_or_else(unknown)?)?;
                if kept.resolved.is_some() || kept.passed >= *percent {
                    return Err(Objection::NothingNew);
                }
                kept.passed = *percent;
                self.put(key, &kept)?;
            }
            Fact::Purged { document, received, .. } => {
                let entry = self.known(document)?;
                if !self.is_done_with(&entry)? {
                    return Err(Objection::NotDoneWith(document.clone()));
                }
                // Another one: it was received anew since the purge was decided, or the record is a copy of an earlier one.
                if entry.rank != *received {
                    return Err(Objection::NothingNew);
                }
                self.remove_document(document, &entry)?;
                self.put(purged_key(document), &PurgedEntry { at, received: entry.received })?;
            }
            Fact::Shown { document } | Fact::ResolutionsKept { document } | Fact::ItemExported { document } => {
                self.known(document)?;
            }
            Fact::RecordsLost { from, to, digest: _ } => {
                self.put(ranked_key(LOST, sequence), &LostEntry { from: *from, to: *to })?;
            }
            Fact::ContentSeen { document, content } => {
                self.known(document)?;
                let key = content_key(content);
                let first: Option<DocumentId> = self.get(&key)?.map(|bytes| decode(&bytes)).transpose()?;
                // One that was purged is there no more.
                if let Some(first) = first
                    && self.document(&first)?.is_some()
                {
                    return Err(Objection::NothingNew);
                }
                self.put(key, document)?;
            }
            Fact::Repeats { document, segment } => {
                let mut entry = self.known(document)?;
                entry.repeats.insert(*segment, at);
                self.put_document(document, &entry)?;
            }
            Fact::KnownBy { document, marks } => {
                let rank = self.known(document)?.rank.to_be_bytes();
                let entry = KnownEntry { document: document.short().to_owned() };
                for mark in marks {
                    self.put([known_key(mark).as_slice(), &rank].concat(), &entry)?;
                }
            }
            Fact::CasesLoaded {} | Fact::Listed {} | Fact::CaseShown {} | Fact::Operated {} | Fact::Exported {} => {}
            Fact::MailQueued { mail, document } => {
                if self.get(&mail_key(mail))?.is_some() {
                    return Err(Objection::NothingNew);
                }
                if let Some(document) = document {
                    let mut of = self.known(document)?;
                    of.mails = of.mails.saturating_add(1);
                    self.put_document(document, &of)?;
                }
                let (document, standing) = (document.clone(), MailStanding::Waiting);
                let (queued, since, failed, attempts) = (at, at, None, 0);
                self.put_mail(
                    mail,
                    &MailEntry { rank: sequence, queued, since, failed, attempts, document, standing },
                )?;
            }
            Fact::MailAttempted { mail, attempt, document: _ } => {
                let entry = self.mail(mail, &[MailStanding::Waiting])?;
                self.put_mail(mail, &MailEntry { attempts: *attempt, ..entry })?;
            }
            Fact::MailSent { mail, document: _ } => {
                let entry = self.mail(mail, &[MailStanding::Waiting, MailStanding::Dismissed])?;
                if entry.standing == MailStanding::Dismissed {
                    // While it was on its way: closed already, and sent all the same.
                    self.put_mail(mail, &MailEntry { standing: MailStanding::Sent, ..entry })?;
                } else {
                    self.close_mail(mail, entry, MailStanding::Sent)?;
                }
            }
            Fact::MailFailed { mail, document: _ } => {
                let entry = self.mail(mail, &[MailStanding::Waiting])?;
                self.put_mail(mail, &MailEntry { failed: Some(at), standing: MailStanding::Failed, ..entry })?;
            }
            Fact::MailRetried { mail, document: _ } => {
                let entry = self.mail(mail, &[MailStanding::Waiting, MailStanding::Failed])?;
                let (since, failed, attempts, standing) = (at, None, 0, MailStanding::Waiting);
                self.put_mail(mail, &MailEntry { since, failed, attempts, standing, ..entry })?;
            }
            Fact::MailDismissed { mail, document: _ } => {
                let entry = self.mail(mail, &[MailStanding::Waiting, MailStanding::Failed])?;
                self.close_mail(mail, entry, MailStanding::Dismissed)?;
            }
        }
        if fact.changes_exports() {
            self.put(CHANGED.to_vec(), &at)?;
        }
        Ok(())
    }
}

/// The document that a `d` key names.
pub(super) fn id_of_key(key: &[u8]) -> Option<DocumentId> {
    let (_, id) = key.split_first()?;
    DocumentId::try_from(std::str::from_utf8(id).ok()?.to_owned()).ok()
}
