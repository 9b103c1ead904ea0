//! What happens at every start: the journal is checked at its end, the index against the journal, and what the index
//! lacks is made up. There is no other "recovery mode".
//!
//! On any doubt the index is set aside and made again. The journal is never changed here, but for a torn tail, and that
//! only where the index does not know what should stand there. What the index proves to be lost is recorded.

use std::path::{Path, PathBuf};
use std::time::Duration;

use super::apply::{Objection, PURGED, PurgedEntry, Staging, decode, id_of_key};
use super::disk::{Disk, free_path};
use super::documents::Documents;
use super::event::{Event, ItemName};
use super::fact::Fact;
use super::index::{Fault, Index};
use super::journal::{self, Head, Journal, Link, Location, Reader, Said};
use super::vault::Vault;
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

/// What is to become of the index at a start.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wanted {
    /// Kept, if nothing is wrong with it.
    AsItIs,
    /// Made again, whatever it holds; what it knows of the journal is asked for all the same.
    Anew,
}

/// Records that had been acknowledged and are no longer there.
struct Lost {
    from: u64,
    to: u64,
    digest: String,
}

/// Brings journal and index into agreement. Needs the lock.
pub(super) fn recover(
    disk: &Disk,
    state: &Path,
    documents: &Documents,
    vault: &Vault,
    (wanted, deadline): (Wanted, Duration),
) -> Result<Recovered, ArchiveError> {
    let folder = state.join(JOURNAL);
    if journal::segments(&folder)?.is_empty() && !documents.stored()?.is_empty() {
        return Err(ArchiveError::JournalMissing { path: folder });
    }
    let path = state.join(INDEX);
    let seal = || vault.keys().map(super::vault::Keys::index);
    // Asked before the journal is touched: only the index can tell a record that was acknowledged from one whose write a
    // crash cut short. One that is not there is not made yet: while the journal is in doubt, an empty one would be taken
    // for that of a process that was killed early.
    let stored = path.exists().then(|| Index::open(&path, deadline, seal()));
    let known = stored.as_ref().and_then(|index| index.as_ref().ok()).map(|index| index.summary().head);
    let known = known.unwrap_or_default();
    let journal::Opened { mut journal, last, torn } = Journal::open(disk.clone(), &folder, vault, known.sequence)?;
    if torn > 0 {
        tracing::warn!(
            bytes = torn,
            sequence = journal.head().sequence,
            "the journal's last write was cut short by a crash; the unfinished record was set aside"
        );
    }
    let reader = Reader::new(&folder, vault);
    let told = last.map(|at| lost_by(&reader, at)).transpose()?.flatten();
    // A start that came to no end may have received nothing again yet.
    let whole_since = told.is_none();
    let lost = match told {
        Some(told) if told.digest == known.digest => Some(told),
        _ if known.sequence > journal.head().sequence => Some(record_loss(&mut journal, known)?),
        _ => None,
    };
    let was_there = stored.is_some();
    let in_memory = |folder: PathBuf, vault: Vault| move |head: &Head| in_memory_up_to(&folder, &vault, head);
    // Where the disk has no room the index is made in memory, and what lies on the disk is left alone.
    let open_or_memory = |opened: Result<Index, Fault>| match opened {
        Err(fault) if fault.is_full_disk() => {
            tracing::error!(
                "the disk has no room for the index, which is made in memory; make room: the next start makes it anew"
            );
            Ok(Index::in_memory())
        }
        opened => opened.inspect(|index| index.when_full(in_memory(folder.clone(), vault.clone()))),
    };
    let opened = match stored {
        None => Index::open(&path, deadline, seal()),
        Some(index) => index.and_then(|index| agrees(&index, journal.head(), &reader).map(|()| index)),
    };
    // Only an index that agrees can prove that the journal is whole at its end. One that is there and empty belongs to a
    // process that was killed before its first entries reached the disk.
    let proven =
        was_there && whole_since && opened.as_ref().is_ok_and(|index| index.summary().head.sequence > 0 || torn == 0);
    let opened = open_or_memory(opened);
    let anew = || {
        let name = match &lost {
            Some(Lost { from, to, .. }) => lost_name(*from, *to),
            None => format!("{BROKEN}{}", journal.head().sequence),
        };
        let aside = set_aside(disk, state, &name)?;
        if let (Some(Lost { from, to, .. }), Some(proof)) = (&lost, aside) {
            tracing::error!(
                from, to, proof = %proof.display(),
                "the journal has lost its end: records that had been acknowledged, as the index set aside proves; stop the \
                 program and restore the journal from a backup that holds them; without one, documents are received \
                 again, and what people resolved in these records must be resolved again; verify reports it until the \
                 proof is moved away"
            );
        }
        let index = open_or_memory(Index::open(&path, deadline, seal()))?;
        catch_up(&folder, vault, journal.head(), &index)?;
        Ok::<Index, ArchiveError>(index)
    };
    let broken = |fault: &dyn std::fmt::Display| {
        tracing::error!(error = %fault, "the index is set aside and made again from the journal");
    };
    let index = match opened {
        Ok(index) if wanted == Wanted::Anew => {
            drop(index);
            anew()?
        }
        Ok(index) => match catch_up(&folder, vault, journal.head(), &index) {
            Ok(()) => index,
            // It opened, but takes nothing in.
            Err(ArchiveError::IndexFailed { what }) => {
                drop(index);
                broken(&what);
                anew()?
            }
            Err(error) => return Err(error),
        },
        Err(fault) => {
            if lost.is_none() {
                broken(&fault);
            }
            anew()?
        }
    };
    let mut recovered = Recovered { journal, index, reader };
    finish_purges(documents, &recovered, proven)?;
    if !proven {
        match adopt_unrecorded(documents, vault, &mut recovered) {
            // A full disk is what leaves documents without a record: their sources come again.
            Err(error @ ArchiveError::WriteFailed { .. }) if recovered.index.is_in_memory() => {
                tracing::error!(%error, "stored documents without a record could not be received again");
            }
            adopted => adopted?,
        }
    }
    Ok(recovered)
}

/// The loss that the record at this place tells of, if it tells of one.
fn lost_by(reader: &Reader, at: Location) -> Result<Option<Lost>, ArchiveError> {
    Ok(match reader.entry(at)?.said {
        Said::Plain(Event::RecordsLost { from, to, digest })
        | Said::Sealed { fact: Fact::RecordsLost { from, to, digest }, .. } => Some(Lost { from, to, digest }),
        Said::Plain(_) | Said::Sealed { .. } => None,
    })
}

/// Records that the journal does not reach to the last record that the index knows. Before the index is set aside, so
/// that a start which comes to no end finds one or the other.
fn record_loss(journal: &mut Journal, known: Head) -> Result<Lost, ArchiveError> {
    let (from, Head { sequence: to, digest }) = (journal.head().sequence + 1, known);
    let event = Event::RecordsLost { from, to, digest: digest.clone() };
    journal.begin_group()?;
    journal.prepare(&event, &Fact::RecordsLost { from, to, digest: digest.clone() }, crate::clock::now())?;
    journal.commit()?;
    Ok(Lost { from, to, digest })
}

/// Destroys what is recorded as purged and still there, a document or what was read on it: a crash came in between, or a
/// copy was put back.
///
/// Where the journal is not proven whole, the same document may have come again after its purge, in a record that is
/// lost: then its file has another key than that under which its first arrival was recorded, and it is left to be
/// received again.
fn finish_purges(documents: &Documents, recovered: &Recovered, proven: bool) -> Result<(), ArchiveError> {
    let Recovered { index, reader, .. } = recovered;
    let mut left = Vec::new();
    for (key, entry) in index.page(&[PURGED], None, usize::MAX)? {
        let Some(document) = id_of_key(&key).filter(|document| documents.leaves_anything(document)) else { continue };
        let came_again = || match reader.read(decode::<PurgedEntry>(&entry)?.received) {
            Err(ArchiveError::RecordDoesNotOpen { .. }) => Ok(true),
            // Its key is destroyed already.
            Ok(_) | Err(ArchiveError::DocumentDamaged { .. }) => Ok(false),
            Err(error) => Err(error),
        };
        // A reading alone can be made again, whatever it is of.
        if proven || !documents.exists(&document) || !came_again()? {
            left.push(document);
        }
    }
    if left.is_empty() {
        return Ok(());
    }
    documents.destroy(&left)?;
    tracing::warn!(documents = left.len(), "purged documents were still there and are destroyed now");
    Ok(())
}

/// Takes into the index what the journal has and it has not.
fn catch_up(folder: &Path, vault: &Vault, journal: &Head, index: &Index) -> Result<(), ArchiveError> {
    let from = index.summary();
    let behind = journal.sequence - from.head.sequence;
    if behind > 0 {
        tracing::info!(records = behind, "the index takes in records of the journal");
        replay(folder, vault, index, from.at.map(|at| (from.head, at)), |_, _| Ok(()))?;
        index.hand_over()?;
    }
    Ok(())
}

fn agrees(index: &Index, journal: &Head, reader: &Reader) -> Result<(), Fault> {
    let summary = index.summary();
    let Some(at) = summary.at else { return Ok(()) };
    let record = reader.entry(at).map_err(|_| Fault::JournalDiffers)?;
    if summary.head.sequence > journal.sequence
        || record.sequence != summary.head.sequence
        || record.digest != summary.head.digest
    {
        return Err(Fault::JournalDiffers);
    }
    Ok(())
}

/// Beginning of the name of an index that was set aside because something was wrong with it, or with what it held.
const BROKEN: &str = "index.broken-";

/// The name of an index that was set aside as the proof that these records were lost.
fn lost_name(from: u64, to: u64) -> String {
    format!("index.lost-{from}-{to}")
}

/// The index that proves the loss of these records, as long as nobody has moved it away.
pub(super) fn proof_of_loss(state: &Path, from: u64, to: u64) -> Option<PathBuf> {
    Some(state.join(lost_name(from, to))).filter(|proof| proof.symlink_metadata().is_ok())
}

/// Moves an index out of the way, for whoever wants to know what happened, and says where it is, if there was one. Of
/// the broken ones only the last is kept; one that proves a loss is kept until a person moves it.
fn set_aside(disk: &Disk, state: &Path, name: &str) -> Result<Option<PathBuf>, ArchiveError> {
    let read = |e| ArchiveError::read_failed(state, e);
    for entry in std::fs::read_dir(state).map_err(read)? {
        let entry = entry.map_err(read)?;
        if entry.file_name().to_string_lossy().starts_with(BROKEN) {
            disk.remove_folder(&entry.path())?;
        }
    }
    let path = state.join(INDEX);
    if !path.exists() {
        return Ok(None);
    }
    // The same numbers lost once more: the earlier proof keeps its name.
    let aside = free_path(state, |number| match number {
        1 => name.to_owned(),
        more => format!("{name}.{more}"),
    });
    disk.rename(&path, &aside)?;
    disk.sync_folder(state)?;
    Ok(Some(aside))
}

const NOT_OUR_PURGE: &str = "it records a purge and was not written with this archive's keys";

/// Takes the journal's records after `from` into the index and returns the last one's head.
///
/// `after_record` is told of every record; by calling what it is given it brings the index up to this very record.
pub(super) fn replay(
    folder: &Path,
    vault: &Vault,
    index: &Index,
    from: Option<(Head, Location)>,
    mut after_record: impl FnMut(&Head, &mut dyn FnMut() -> Result<(), ArchiveError>) -> Result<(), ArchiveError>,
) -> Result<Head, ArchiveError> {
    let mut staging = Staging::new(index);
    let mut last = None;
    let (head, _) = journal::walk::<Event<ItemName>, Fact>(folder, from, |record| {
        let head = Head { sequence: record.sequence, digest: record.digest };
        let fact = match record.said {
            Said::Plain(event) => staging.fact_of(&event, vault),
            Said::Sealed { fact, .. } => Ok(fact),
        };
        // A start destroys what is recorded as purged, so whoever can write to the journal must not be able to have it do so.
        if fact.as_ref().is_ok_and(|fact| !fact.is_authentic(vault)) {
            return Err(journal::damaged_at(folder, record.at, head.sequence, NOT_OUR_PURGE));
        }
        match fact.and_then(|fact| staging.apply(&fact, head.sequence, record.at)) {
            Ok(()) => staging.keep_request(),
            Err(Objection::Archive(error)) => return Err(error),
            Err(
                Objection::UnknownDocument(_)
                | Objection::UnknownItem(_)
                | Objection::NothingNew
                | Objection::NotDoneWith(_),
            ) => {
                staging.drop_request();
                tracing::warn!(sequence = head.sequence, "a record of the journal has nothing to refer to");
            }
        }
        let mut bring = || Ok(index.commit(&staging.take_changes(), &head, record.at)?);
        after_record(&head, &mut bring)?;
        if staging.len() >= STEP {
            index.commit(&staging.take_changes(), &head, record.at)?;
        }
        last = Some(record.at);
        Ok(())
    })?;
    if let Some(at) = last {
        index.commit(&staging.into_changes(), &head, at)?;
    }
    Ok(head)
}

/// An index in memory that has taken in the journal up to this record, and no further.
fn in_memory_up_to(folder: &Path, vault: &Vault, to: &Head) -> Result<Index, ArchiveError> {
    let index = Index::in_memory();
    if to.sequence == 0 {
        return Ok(index);
    }
    let outcome = replay(folder, vault, &index, None, |head, bring| {
        if head.sequence < to.sequence {
            return Ok(());
        }
        bring()?;
        // Ends the pass: what comes after it is not durable yet, or not taken in.
        Err(ArchiveError::Stopped)
    });
    match outcome {
        Err(ArchiveError::Stopped) if index.summary().head == *to => Ok(index),
        Err(ArchiveError::Stopped) | Ok(_) => Err(Fault::JournalDiffers.into()),
        Err(error) => Err(error),
    }
}

/// Checks every segment's chain without looking at what the events mean.
pub(super) fn check_chain(folder: &Path) -> Result<(Head, usize), ArchiveError> {
    journal::walk(folder, None, |_: Link| Ok(()))
}

/// Receives documents that are stored although the journal does not know them: either a crash came before their records,
/// and their sources come again, or their records are lost, and their sources may have been released. What else the
/// records said is gone, so a person gets to see where they come from.
fn adopt_unrecorded(documents: &Documents, vault: &Vault, recovered: &mut Recovered) -> Result<(), ArchiveError> {
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
            let fact = match staging.fact_of(event, vault) {
                Err(Objection::Archive(error)) => return Err(error),
                Err(_) => continue,
                Ok(fact) => fact,
            };
            let (sequence, at) = journal.prepare(event, &fact, crate::clock::now())?;
            if let Err(Objection::Archive(error)) = staging.apply(&fact, sequence, at) {
                return Err(error);
            }
            staging.keep_request();
            last = Some(at);
        }
        tracing::error!(%document, "a stored document has no record, so it is received again; the journal may have lost its end");
    }
    let Some(at) = last else { return Ok(()) };
    journal.commit()?;
    Ok(index.commit(&staging.into_changes(), journal.head(), at)?)
}

/// Stands for a receipt that is lost.
pub(super) fn recovered_receipt(document: &DocumentId, received_at: jiff::Timestamp) -> Receipt {
    Receipt::new(RECOVERED_SOURCE, document.short(), received_at)
}

fn adoption(document: &DocumentId, size: u64, received_at: jiff::Timestamp) -> [Event; 2] {
    let source_key = format!("{RECOVERED_SOURCE}:{}", document.as_str());
    let receipt = recovered_receipt(document, received_at);
    [
        Event::DocumentReceived { document: document.clone(), size, receipt, source_key: source_key.clone() },
        Event::SourceReleased { document: document.clone(), source_key },
    ]
}
