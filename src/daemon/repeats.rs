//! What came before: pages that need not be read again, and papers that say what others said.
//!
//! Looks up in the archive what [`repeat`] names, and records what it finds. That a paper came before is told of the later
//! of the two, whichever was read first.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};

use jiff::Timestamp;
use jiff::civil::Time;
use jiff::tz::TimeZone;

use crate::archive::event::Event;
use crate::archive::{Archive, ArchiveError};
use crate::document::{DocumentId, FieldValue, Page, Reading};
use crate::log;
use crate::queue::item::{ItemState, QueueItem};
use crate::reader::pool::Recall;
use crate::repeat::{self, Paper, WITHIN, mark_of_picture};

/// Documents looked at that have a mark in common with a new one: a case's faxes of some weeks.
const WITH_THE_SAME_MARK: usize = 40;

/// Documents looked at that hold the same picture: all but the first were given its words.
const WITH_THE_SAME_PICTURE: usize = 4;

/// The reading from which a page was recalled last: the next page asked for is mostly of the same document.
type AtHand = Mutex<Option<(DocumentId, Reading)>>;

/// Finds pages that were read before.
pub(super) fn recall(archive: Archive) -> Recall {
    let at_hand = AtHand::default();
    Arc::new(move |picture| {
        // What can't be looked up is read anew; an archive in trouble is told of by whoever records in it.
        page_read_on(&archive, picture, &at_hand).ok().flatten()
    })
}

fn page_read_on(archive: &Archive, picture: &str, at_hand: &AtHand) -> Result<Option<Page>, ArchiveError> {
    let mut at_hand = at_hand.lock().unwrap_or_else(PoisonError::into_inner);
    // Asked each time: what was purged is recalled no more.
    for document in archive.known_by(&mark_of_picture(picture), WITH_THE_SAME_PICTURE)? {
        if at_hand.as_ref().is_none_or(|(kept, _)| *kept != document) {
            *at_hand = archive.reading(&document)?.map(|reading| (document, reading));
        }
        let pages = at_hand.iter().flat_map(|(_, reading)| &reading.pages);
        if let Some(page) = pages.into_iter().find(|page| page.picture.as_deref() == Some(picture)) {
            return Ok(Some(page.clone()));
        }
    }
    Ok(None)
}

/// When the sending fax machine sent it, by the line that it burned in.
fn sent_by_fax(item: &QueueItem, zone: &TimeZone) -> Option<Timestamp> {
    let FieldValue::Date(date) = item.fields.get("fax_sent_date")?.value else { return None };
    let time: Time = item.fields.get("fax_sent_time")?.value.to_string().parse().ok()?;
    Some(date.to_datetime(time).to_zoned(zone.clone()).ok()?.timestamp())
}

/// A document with all that is compared of it.
struct Kept {
    document: DocumentId,
    reading: Reading,
    items: Vec<QueueItem>,
    /// When it was received, and its place in the order of arrival.
    received: (Timestamp, u64),
    /// When it was sent, by the clock of the machine that sent it, where that is told.
    sent: Option<Timestamp>,
}

impl Kept {
    fn of(archive: &Archive, document: &DocumentId, zone: &TimeZone) -> Result<Option<Self>, ArchiveError> {
        let Some(state) = archive.document(document)? else { return Ok(None) };
        let Some(received) = state.receipts.first().map(|receipt| receipt.received_at) else { return Ok(None) };
        let Some(reading) = archive.reading(document)? else { return Ok(None) };
        let mut items = Vec::with_capacity(state.items.len());
        for id in &state.items {
            items.extend(archive.item(id)?.filter(|item| item.state != ItemState::Held));
        }
        let sent = reading.mail.as_ref().and_then(|mail| mail.sent_at);
        let sent = items.iter().find_map(|item| sent_by_fax(item, zone)).or(sent);
        Ok(Some(Self { document: document.clone(), reading, items, received: (received, state.received), sent }))
    }

    /// Which came first. Sources that were read late, or all at once, tell little of it: who sent it tells better.
    fn order(&self, other: &Self) -> std::cmp::Ordering {
        let sent = self.sent.zip(other.sent).map_or(std::cmp::Ordering::Equal, |(one, other)| one.cmp(&other));
        sent.then(self.received.cmp(&other.received))
    }

    fn paper<'a>(&'a self, item: &'a QueueItem) -> Paper<'a> {
        Paper { item, pages: &self.reading.pages }
    }

    /// What is to be recorded of those of its items that say what one of `earlier` said.
    fn repeated(&self, earlier: &Self) -> Vec<Event> {
        let event = |item: &QueueItem| {
            let before = |before| Some((before, repeat::repeats(self.paper(item), earlier.paper(before))?));
            let (before, repeat::Repeat { new_pages, differs }) = earlier.items.iter().find_map(before)?;
            let of = before.duplicate_of.as_ref().unwrap_or(&before.id).clone();
            Some(Event::Repeats { document: self.document.clone(), item: item.id.clone(), of, new_pages, differs })
        };
        let open = self.items.iter().filter(|item| item.state == ItemState::Open && item.duplicate_of.is_none());
        open.filter_map(event).collect()
    }
}

/// Notes which papers say what others said: those of a document just queued, known by `marks`, and those that it came
/// before; gives how many. Asked after it was queued, so that of two which came together the second sees the first.
///
/// Only an error after which the daemon must end is one here: the document waits for a nurse whatever is found.
pub(super) fn note(
    archive: &Archive,
    document: &DocumentId,
    marks: &[String],
    zone: &TimeZone,
) -> Result<usize, ArchiveError> {
    match find(archive, document, marks, zone) {
        Err(error) if !error.is_fatal() => {
            log::repeats_unknown(document, &error.to_string());
            Ok(0)
        }
        found => found,
    }
}

fn find(archive: &Archive, document: &DocumentId, marks: &[String], zone: &TimeZone) -> Result<usize, ArchiveError> {
    let mut others = BTreeSet::new();
    for mark in marks {
        others.extend(archive.known_by(mark, WITH_THE_SAME_MARK)?);
    }
    others.remove(document);
    if others.is_empty() {
        return Ok(0);
    }
    let Some(new) = Kept::of(archive, document, zone)? else { return Ok(0) };
    let mut before = Vec::new();
    let mut events = Vec::new();
    for other in &others {
        // One that is damaged is told of elsewhere.
        let other = match Kept::of(archive, other, zone) {
            Err(error) if error.is_fatal() => return Err(error),
            Ok(Some(other)) => other,
            Ok(None) | Err(_) => continue,
        };
        if new.received.0.duration_since(other.received.0).abs() > WITHIN {
            continue;
        }
        if other.order(&new).is_lt() {
            before.push(other);
        } else {
            events.extend(other.repeated(&new));
        }
    }
    // The first that said it; one pointer an item.
    before.sort_by_key(|other| other.received);
    let mut told = BTreeSet::new();
    for event in before.iter().flat_map(|other| new.repeated(other)) {
        if let Event::Repeats { item, .. } = &event
            && told.insert(item.clone())
        {
            events.push(event);
        }
    }
    let found = events.len();
    if found > 0 {
        archive.record_all(events)?;
    }
    Ok(found)
}
