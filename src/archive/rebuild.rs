//! What happens at every start: the journal is checked at its end, the index against the journal, and what the index
//! lacks is made up. There is no other "recovery mode".
//!
//! On any doubt the index is set aside and made again. The journal is never changed here, but for a torn tail.

use std::path::Path;
use std::time::Duration;

use serde::de::IgnoredAny;

use super::apply::{Objection, Staging};
use super::disk::Disk;
use super::documents::Documents;
use super::event::{Event, ItemName};
use super::index::{Fault, Index};
use super::journal::{self, Head, Journal, Location, Reader};
use super::{ArchiveError, INDEX, JOURNAL};
use crate::document::{DocumentId, Receipt};

/// Changes gathered before they go to the index in one step: some megabytes.
const STEP: usize = 8192;

/// Source name of a document that was found stored but not recorded.
pub const RECOVERED_SOURCE: &str = "recovered";

/// An archive's parts, agreeing with one another.
pub(super) struct Recovered {
    pub journal: Journal,
    pub index: Index,
    pub reader: Reader,
}

/// Brings journal and index into agreement. Needs the lock.
pub(super) fn recover(
    disk: &Disk,
    state: &Path,
    documents: &Documents,
    deadline: Duration,
) -> Result<Recovered, ArchiveError> {
    let folder = state.join(JOURNAL);
    if journal::segments(&folder)?.is_empty() && !documents.stored()?.is_empty() {
        return Err(ArchiveError::JournalMissing { path: folder });
    }
    let journal::Opened { journal, torn } = Journal::open(disk.clone(), &folder)?;
    if torn > 0 {
        tracing::warn!(
            bytes = torn,
            sequence = journal.head().sequence,
            "the journal's last write was cut short by a crash; the unfinished record was set aside"
        );
    }
    let reader = Reader::new(&folder);
    let path = state.join(INDEX);
    // Only an index can prove that the journal is whole at its end; one that is lost, or ahead of it, does not.
    let mut proven = false;
    let opened = match Index::open(&path, deadline) {
        Ok(index) => {
            let head = index.summary().head;
            proven = head.sequence > 0 && head.sequence <= journal.head().sequence;
            agrees(&index, journal.head(), &reader).map(|()| index)
        }
        Err(fault) => Err(fault),
    };
    let anew = |fault: &dyn std::fmt::Display| {
        tracing::error!(error = %fault, "the index is set aside and made again from the journal");
        set_aside(disk, state, journal.head().sequence)?;
        let index = Index::open(&path, deadline)?;
        catch_up(&folder, journal.head(), &index)?;
        Ok::<Index, ArchiveError>(index)
    };
    let index = match opened {
        Ok(index) => match catch_up(&folder, journal.head(), &index) {
            Ok(()) => index,
            // It opened, but takes nothing in.
            Err(ArchiveError::IndexFailed { what }) => {
                drop(index);
                anew(&what)?
            }
            Err(error) => return Err(error),
        },
        Err(fault) => anew(&fault)?,
    };
    let mut recovered = Recovered { journal, index, reader };
    if !proven {
        adopt_unrecorded(documents, &mut recovered)?;
    }
    Ok(recovered)
}

/// Takes into the index what the journal has and it has not.
fn catch_up(folder: &Path, journal: &Head, index: &Index) -> Result<(), ArchiveError> {
    let from = index.summary();
    let behind = journal.sequence - from.head.sequence;
    if behind > 0 {
        tracing::info!(records = behind, "the index takes in records of the journal");
        replay(folder, index, from.at.map(|at| (from.head, at)), |_, _| Ok(()))?;
    }
    Ok(())
}

fn agrees(index: &Index, journal: &Head, reader: &Reader) -> Result<(), Fault> {
    let summary = index.summary();
    let Some(at) = summary.at else { return Ok(()) };
    let record = reader.read(at).map_err(|_| Fault::JournalDiffers)?;
    if summary.head.sequence > journal.sequence
        || record.sequence != summary.head.sequence
        || record.digest != summary.head.digest
    {
        return Err(Fault::JournalDiffers);
    }
    Ok(())
}

/// Moves a doubtful index out of the way, for whoever wants to know what happened; only the last one is kept.
pub(super) fn set_aside(disk: &Disk, state: &Path, sequence: u64) -> Result<(), ArchiveError> {
    let read = |e| ArchiveError::read_failed(state, e);
    for entry in std::fs::read_dir(state).map_err(read)? {
        let entry = entry.map_err(read)?;
        if entry.file_name().to_string_lossy().starts_with("index.broken-") {
            disk.remove_folder(&entry.path())?;
        }
    }
    let path = state.join(INDEX);
    if path.exists() {
        disk.rename(&path, &state.join(format!("index.broken-{sequence}")))?;
    }
    Ok(())
}

/// Takes the journal's records after `from` into the index and returns the last one's head.
///
/// `after_record` is told of every record; by calling what it is given it brings the index up to this very record.
pub(super) fn replay(
    folder: &Path,
    index: &Index,
    from: Option<(Head, Location)>,
    mut after_record: impl FnMut(&Head, &mut dyn FnMut() -> Result<(), ArchiveError>) -> Result<(), ArchiveError>,
) -> Result<Head, ArchiveError> {
    let numbers = journal::segments(folder)?;
    let (mut before, start) = match from {
        Some((head, at)) => (Some(head), at),
        None => (Some(Head::default()), Location { segment: 1, offset: 0, length: 0 }),
    };
    let mut staging = Staging::new(index);
    let mut last = None;
    for &segment in numbers.iter().filter(|&&segment| segment >= start.segment) {
        let offset = if segment == start.segment { start.end() } else { 0 };
        let is_last = Some(&segment) == numbers.last();
        journal::scan::<Event<ItemName>>(folder, segment, offset, is_last, &mut before, |record| {
            let head = Head { sequence: record.sequence, digest: record.digest };
            match staging.apply(&record.event, head.sequence, record.at) {
                Ok(()) => staging.keep_request(),
                Err(Objection::Archive(error)) => return Err(error),
                Err(Objection::UnknownDocument(_) | Objection::UnknownItem(_) | Objection::NothingNew) => {
                    staging.drop_request();
                    tracing::warn!(sequence = head.sequence, "a record of the journal has nothing to refer to");
                }
            }
            let mut bring = || Ok(index.commit(staging.take_changes(), &head, record.at)?);
            after_record(&head, &mut bring)?;
            if staging.len() >= STEP {
                index.commit(staging.take_changes(), &head, record.at)?;
            }
            last = Some((head, record.at));
            Ok(())
        })?;
    }
    match last {
        Some((head, at)) => {
            index.commit(staging.into_changes(), &head, at)?;
            Ok(head)
        }
        None => Ok(before.unwrap_or_default()),
    }
}

/// Checks every segment's chain without looking at what the events mean.
pub(super) fn check_chain(folder: &Path) -> Result<(Head, usize), ArchiveError> {
    let numbers = journal::segments(folder)?;
    let mut before = Some(Head::default());
    let mut torn = 0;
    for &segment in &numbers {
        let is_last = Some(&segment) == numbers.last();
        torn = journal::scan::<IgnoredAny>(folder, segment, 0, is_last, &mut before, |_| Ok(()))?.torn.len();
    }
    Ok((before.unwrap_or_default(), torn))
}

/// Receives documents that are stored although the journal does not know them: either a crash came before their records,
/// and their sources come again, or their records are lost, and their sources may have been released. What else the records said is gone, so a person gets to see where they come from.
fn adopt_unrecorded(documents: &Documents, recovered: &mut Recovered) -> Result<(), ArchiveError> {
    let Recovered { journal, index, .. } = recovered;
    let mut staging = Staging::new(index);
    let mut last = None;
    journal.begin_group()?;
    for document in documents.stored()? {
        if staging.document(&document)?.is_some() || documents.check(&document).is_err() {
            continue;
        }
        let (size, stored_at) = documents.stored_since(&document)?;
        for event in &adoption(&document, size, stored_at) {
            let (sequence, at) = journal.prepare(event, crate::clock::now())?;
            if let Err(Objection::Archive(error)) = staging.apply(event, sequence, at) {
                return Err(error);
            }
            staging.keep_request();
            last = Some(at);
        }
        tracing::error!(%document, "a stored document has no record, so it is received again; the journal may have lost its end");
    }
    let Some(at) = last else { return Ok(()) };
    journal.commit()?;
    Ok(index.commit(staging.into_changes(), journal.head(), at)?)
}

fn adoption(document: &DocumentId, size: u64, received_at: jiff::Timestamp) -> [Event; 2] {
    let source_key = format!("{RECOVERED_SOURCE}:{}", document.as_str());
    let receipt = Receipt {
        source: RECOVERED_SOURCE.to_owned(),
        source_file: document.short().to_owned(),
        sender: None,
        received_at,
        receiver: None,
        reported_pages: None,
        received_with_errors: false,
        note: None,
    };
    [
        Event::DocumentReceived { document: document.clone(), size, receipt, source_key: source_key.clone() },
        Event::SourceReleased { document: document.clone(), source_key },
    ]
}
