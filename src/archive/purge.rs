//! Purging: what may be forgotten by a rule of the configuration, and forgetting it.
//!
//! Only documents of which every item is resolved are ever purged; what is open, held or waiting is not, whatever a
//! rule says, nor a document about which a mail is still to be sent. First it is recorded, then the document's key is destroyed, then its files are removed; a start finishes
//! what a crash has left. The journal's records stay where they are, so the chain stays whole, and what they said of the
//! document can be opened by nobody.

use std::collections::BTreeSet;

use jiff::{Span, Timestamp, Zoned};

use super::apply::{DOCUMENT, DocumentEntry, ITEM, ItemEntry, Standing, decode, id_of_key, item_key};
use super::event::{Event, KeptResolution, Resolution};
use super::index::Fault;
use super::journal::Location;
use super::vault::Mark;
use super::writer::Request;
use super::{Archive, ArchiveError};
use crate::document::DocumentId;
use crate::queue::item::ItemId;

/// Documents purged in one step: the writer does nothing else meanwhile.
const STEP: usize = 64;

/// `[[retention]]`: resolved documents may be purged so long after the last of their items was resolved.
#[derive(Clone, Debug)]
pub struct RetentionRule {
    /// Stands in the journal.
    pub name: String,
    /// Only documents of which all items went to this lane; `None` for any.
    pub lane: Option<String>,
    /// At least a day.
    pub after: Span,
}

/// A document that a rule lets go.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Due {
    pub document: DocumentId,
    /// The rule's name.
    pub rule: String,
    /// When the last of its items was resolved.
    pub resolved_at: Timestamp,
}

impl Archive {
    /// The documents that may be purged now, in no particular order.
    pub fn due_for_purge(&self, rules: &[RetentionRule], now: &Zoned) -> Result<Vec<Due>, ArchiveError> {
        let mut cutoffs = Vec::with_capacity(rules.len());
        for rule in rules {
            // A time before all times: nothing is that old.
            let cutoff = now.checked_sub(rule.after).map_or(Timestamp::MIN, |cutoff| cutoff.timestamp());
            cutoffs.push((rule, cutoff));
        }
        let mut due = Vec::new();
        let mut after: Option<Vec<u8>> = None;
        while !rules.is_empty() {
            let page = self.inner.index.page(&[DOCUMENT], after.as_deref(), 1024)?;
            let Some((last, _)) = page.last() else { break };
            after = Some(last.clone());
            for (key, entry) in &page {
                let Some(document) = id_of_key(key) else { continue };
                let entry: DocumentEntry = decode(entry)?;
                let Some(resolved_at) = self.resolved_at(&entry)? else { continue };
                let mut old_enough = cutoffs.iter().filter(|(_, cutoff)| resolved_at <= *cutoff).peekable();
                if old_enough.peek().is_none() {
                    continue;
                }
                let lanes = self.lanes(&document, &entry)?;
                let fits = |lane: &Option<String>| lane.as_ref().is_none_or(|lane| lanes.iter().all(|of| of == lane));
                if let Some((rule, _)) = old_enough.find(|(rule, _)| fits(&rule.lane)) {
                    due.push(Due { document, rule: rule.name.clone(), resolved_at });
                }
            }
        }
        Ok(due)
    }

    /// Purges documents for good, until done or told to stop; `by` is who asked for it. Gives those that are purged.
    pub fn purge(&self, mut due: Vec<Due>, by: &str, stop: impl Fn() -> bool) -> Result<Vec<Due>, ArchiveError> {
        let mut done = 0;
        for step in due.chunks(STEP) {
            if stop() {
                break;
            }
            let purged = |Due { document, rule, .. }: &Due| {
                let (received, items) =
                    self.document(document)?.map(|state| (state.received, state.items)).unwrap_or_default();
                let (cases, resolutions) = self.kept_of(items)?;
                let (rule, by) = (rule.clone(), by.to_owned());
                let kept = Event::ResolutionsKept { document: document.clone(), resolutions };
                Ok([kept, Event::Purged { document: document.clone(), rule, by, received, cases }])
            };
            let events =
                step.iter().map(purged).collect::<Result<Vec<_>, ArchiveError>>()?.into_iter().flatten().collect();
            self.ask(|reply| Request::Purge { events, reply })?;
            done += step.len();
        }
        due.truncate(done);
        Ok(due)
    }

    /// When the last item of a document was resolved; `None` while something of it is open, held or waiting.
    fn resolved_at(&self, entry: &DocumentEntry) -> Result<Option<Timestamp>, ArchiveError> {
        if entry.standing != Standing::Queued || entry.mails > 0 {
            return Ok(None);
        }
        let mut last: Option<Location> = None;
        for &segment in &entry.segments {
            let item = self.inner.index.get(&item_key(ITEM, entry.rank, segment))?.ok_or(Fault::Entry)?;
            let Some(resolved) = decode::<ItemEntry>(&item)?.resolved else { return Ok(None) };
            last = last.max(Some(resolved));
        }
        Ok(last.map(|at| self.inner.reader.entry(at)).transpose()?.map(|record| record.time))
    }

    /// What stays readable of a document with these items: the marks of the cases that they are linked to, by the machine or by a
    /// person, and who disposed of them.
    fn kept_of(&self, items: Vec<ItemId>) -> Result<(Vec<Mark>, Vec<KeptResolution>), ArchiveError> {
        let (mut cases, mut resolutions) = (BTreeSet::new(), Vec::new());
        for item in items {
            cases.extend(self.item(&item)?.and_then(|item| item.link.case_id));
            if let Some(Resolution { by, disposition, case_id, at, note: _ }) = self.resolution(&item)? {
                cases.extend(case_id);
                resolutions.push(KeptResolution { item, by, disposition, at });
            }
        }
        Ok((cases.iter().map(|case_id| self.inner.vault.case_mark(case_id)).collect(), resolutions))
    }

    fn lanes(&self, document: &DocumentId, entry: &DocumentEntry) -> Result<Vec<String>, ArchiveError> {
        let mut lanes = Vec::with_capacity(entry.segments.len());
        for &segment in &entry.segments {
            let item = self.item(&ItemId::new(document, segment))?;
            lanes.extend(item.map(|item| item.lane));
        }
        Ok(lanes)
    }
}
