//! Verifying: every accepted document present and unchanged, the journal's chain whole, the index agreeing with it; in a
//! sealed archive also every record opening to what its frame says.
//!
//! [`head`] and [`proves`] need no key: the chain is over the records as they stand.
//!
//! It changes nothing. It may run beside a daemon: then the index, which only one process may open, is looked at by the
//! daemon, which tells what it holds; what was added meanwhile may be seen or not.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use super::apply::{DOCUMENT, DocumentEntry, LOST, LostEntry, PURGED, WAITING, decode, document_key, id_of_key};
use super::disk::Disk;
use super::documents::Documents;
use super::event::Event;
use super::fact::Fact;
use super::index::{Index, Summary};
use super::journal::{self, Entry, Head, Link, Said};
use super::lock::Lock;
use super::vault::Vault;
use super::{ArchiveError, INDEX, JOURNAL, OpenOptions, kept, keys, rebuild};
use crate::document::DocumentId;

/// Something that is not as it was accepted.
#[derive(Clone, Debug, thiserror::Error)]
pub enum Problem {
    #[error("document {document}: accepted, but its file is missing; restore it from a copy")]
    Missing { document: DocumentId },
    #[error("document {document}: its bytes are not those that were accepted; restore them from a copy")]
    Changed { document: DocumentId },
    #[error(
        "document {document}: one of the two copies of its key, at the head and the tail of its file, is damaged; nothing \
         is lost yet; have the same document sent again, or restore its file from a copy"
    )]
    KeyCopyDamaged { document: DocumentId },
    #[error(
        "the keyring or its copy is damaged, missing or not like the other; nothing is lost; the next start puts it right"
    )]
    Keyring,
    #[error(
        "the last good snapshot of the cases, cases/last-good.csv, is damaged; the next one that is taken over replaces it; \
         until then a start without a good case file has no cases"
    )]
    Cases,
    #[error("document {document}: {error}")]
    Unreadable { document: DocumentId, error: ArchiveError },
    #[error("{0}")]
    Journal(ArchiveError),
    #[error(
        "document {document} was purged, yet a file bears its name, in documents or in readings; the next start destroys it"
    )]
    PurgedButPresent { document: DocumentId },
    #[error("the index does not agree with the journal ({what}); run: nicufaxd rebuild")]
    Index { what: String },
    #[error(
        "the journal has lost records {from} to {to}, which the index knows; restore it from a copy; without one, start the \
         daemon: it receives the documents again that are stored without a record, but what people did with them is lost"
    )]
    RecordsLost { from: u64, to: u64 },
    #[error(
        "records {from} to {to} were lost from the journal's end and had been acknowledged; the proof is {}; restore the \
         journal from a copy that holds them; without one, resolve again what people resolved in them (the documents \
         were received again); once that is seen to, move the proof out of the state directory", proof.display()
    )]
    RecordsWereLost { from: u64, to: u64, proof: PathBuf },
}

impl Problem {
    /// Whether the journal itself is not what it was.
    pub fn is_of_journal(&self) -> bool {
        match self {
            Self::Journal(_) | Self::RecordsLost { .. } | Self::RecordsWereLost { .. } => true,
            Self::Missing { .. }
            | Self::Changed { .. }
            | Self::KeyCopyDamaged { .. }
            | Self::Keyring
            | Self::Cases
            | Self::Unreadable { .. }
            | Self::PurgedButPresent { .. }
            | Self::Index { .. } => false,
        }
    }
}

/// What verifying found.
#[derive(Clone, Debug, Default)]
pub struct Report {
    /// Accepted documents that were looked at.
    pub documents: u64,
    /// Records of the journal.
    pub records: u64,
    /// Whether the index was looked at too, here or by the daemon that has it open.
    pub index_checked: bool,
    /// Whether a daemon has the state directory.
    pub in_use: bool,
    /// Documents that were purged.
    pub purged: u64,
    /// Documents that wait to be read.
    pub waiting: u64,
    /// Empty when all is well.
    pub problems: Vec<Problem>,
    /// Stored documents without a record: left by a crash before their acceptance, harmless.
    pub unrecorded: Vec<DocumentId>,
    /// Bytes at the journal's end that a crash has left unfinished; the next start sets them aside.
    pub torn: usize,
}

/// Verifies a state directory. `Err` only when it cannot be looked at, and for a journal that is missing.
///
/// `told` is what the daemon that runs there, if any, says of its index.
pub fn verify(state: &Path, options: &OpenOptions, told: Option<Summary>) -> Result<Report, ArchiveError> {
    let mut report = Report::default();
    let disk = Disk::default();
    let vault = keys::look(state, &options.at_rest)?;
    if !keys::keyring_is_whole(state, &options.at_rest)? {
        report.problems.push(Problem::Keyring);
    }
    if kept::cases_are_damaged(state, &vault)? {
        report.problems.push(Problem::Cases);
    }
    let documents = Documents::new(disk, state, &vault);
    let folder = state.join(JOURNAL);
    if (!folder.is_dir() || journal::segments(&folder)?.is_empty()) && !documents.stored()?.is_empty() {
        return Err(ArchiveError::JournalMissing { path: folder });
    }
    let chain = match rebuild::check_chain(&folder) {
        Ok((head, torn)) => {
            (report.records, report.torn) = (head.sequence, torn);
            head
        }
        Err(error @ (ArchiveError::JournalDamaged { .. } | ArchiveError::JournalNewer { .. })) => {
            // What the journal says is not to be trusted from there on; nothing else can be checked against it.
            report.problems.push(Problem::Journal(error));
            return Ok(report);
        }
        Err(error) => return Err(error),
    };
    // Held to the end: no daemon may start in the midst of it.
    let lock = match Lock::take_at_once(state) {
        Ok(lock) => Some(lock),
        Err(ArchiveError::Locked { .. }) => None,
        Err(error) => return Err(error),
    };
    report.in_use = lock.is_none();
    let path = state.join(INDEX);
    let stored = match &lock {
        None => told,
        Some(_) if path.exists() => {
            match Index::open(&path, options.index_deadline, vault.keys().map(super::vault::Keys::index)) {
                Ok(index) => Some(index.summary()),
                // It needs room to open; the next start does without.
                Err(fault) if fault.is_full_disk() => None,
                Err(fault) => {
                    report.problems.push(Problem::Index { what: fault.to_string() });
                    None
                }
            }
        }
        Some(_) => None,
    };
    let fresh = Index::in_memory();
    let mut agrees = stored.as_ref().is_none_or(|stored| stored.head.sequence == 0);
    let replayed = rebuild::replay(&folder, &vault, &fresh, None, |head, bring| {
        if let Some(stored) = &stored
            && stored.head == *head
        {
            bring()?;
            agrees = fresh.summary().same_entries(stored);
        }
        Ok(())
    });
    match replayed {
        Err(error @ (ArchiveError::JournalDamaged { .. } | ArchiveError::JournalNewer { .. })) => {
            report.problems.push(Problem::Journal(error));
            return Ok(report);
        }
        replayed => _ = replayed?,
    }
    report.index_checked = stored.is_some();
    let known = stored.as_ref().map_or(0, |stored| stored.head.sequence);
    if known > report.records && report.torn > 0 {
        let damage = journal::acknowledged_and_torn(&folder, &chain, std::mem::take(&mut report.torn))?;
        report.problems.push(Problem::Journal(damage));
    } else if known > report.records {
        report.problems.push(Problem::RecordsLost { from: report.records + 1, to: known });
    } else if !agrees {
        report.problems.push(Problem::Index { what: "its entries differ".to_owned() });
    }
    for (_, entry) in fresh.page(&[LOST], None, usize::MAX)? {
        let LostEntry { from, to } = decode(&entry)?;
        if let Some(proof) = rebuild::proof_of_loss(state, from, to) {
            report.problems.push(Problem::RecordsWereLost { from, to, proof });
        }
    }
    check_documents(&documents, &fresh, &mut report)?;
    if vault.keys().is_some() {
        check_records(&folder, &vault, &fresh, &mut report)?;
    }
    drop(lock);
    Ok(report)
}

fn check_documents(documents: &Documents, index: &Index, report: &mut Report) -> Result<(), ArchiveError> {
    let mut after: Option<Vec<u8>> = None;
    loop {
        let page = index.page(&[DOCUMENT], after.as_deref(), 1024)?;
        let Some((last, _)) = page.last() else { break };
        after = Some(last.clone());
        for (key, _) in &page {
            let Some(document) = id_of_key(key) else { continue };
            report.documents += 1;
            match documents.check(&document) {
                Ok(()) if documents.has_both_keys(&document) => {}
                Ok(()) => report.problems.push(Problem::KeyCopyDamaged { document }),
                Err(ArchiveError::DocumentDamaged { .. }) => {
                    report.problems.push(Problem::Changed { document });
                }
                Err(ArchiveError::DocumentMissing { .. }) => report.problems.push(Problem::Missing { document }),
                Err(error) => report.problems.push(Problem::Unreadable { document, error }),
            }
        }
    }
    report.purged = index.summary().count(PURGED);
    report.waiting = index.summary().count(WAITING);
    let (stored, read, mut left) = (documents.stored()?, documents.with_readings()?, BTreeSet::new());
    for (document, is_stored) in stored.iter().map(|id| (id, true)).chain(read.iter().map(|id| (id, false))) {
        if index.get(&document_key(document.as_str()))?.is_some() {
            continue;
        }
        if index.get(&super::apply::purged_key(document))?.is_some() {
            left.insert(document.clone());
        } else if is_stored {
            report.unrecorded.push(document.clone());
        }
    }
    report.problems.extend(left.into_iter().map(|document| Problem::PurgedButPresent { document }));
    Ok(())
}

/// Opens every sealed record whose key is to be had, and compares it with its frame. What was recorded of a document
/// before it was purged, or before it was received anew, can be opened by nobody; a document that is missing or damaged
/// is a problem already.
fn check_records(folder: &Path, vault: &Vault, index: &Index, report: &mut Report) -> Result<(), ArchiveError> {
    journal::walk::<Event, Fact>(folder, None, |record: Entry| {
        if let Said::Sealed { fact, generation: None, sealed: Some(_) } = &record.said
            && let Some(document) = fact.document()
        {
            let entry = index.get(&document_key(document.as_str()))?;
            let entry = entry.map(|entry| decode::<DocumentEntry>(&entry)).transpose()?;
            if entry.is_none_or(|entry| record.sequence < entry.rank) {
                return Ok(());
            }
        }
        match record.into_event(vault) {
            Ok(_) | Err(ArchiveError::DocumentMissing { .. } | ArchiveError::DocumentDamaged { .. }) => {}
            Err(error @ (ArchiveError::RecordDoesNotOpen { .. } | ArchiveError::RecordForged { .. })) => {
                report.problems.push(Problem::Journal(error));
            }
            Err(error) => return Err(error),
        }
        Ok(())
    })?;
    Ok(())
}

/// The end of the journal's chain: the number of its last record and that record's digest (64 hexadecimal digits). Whoever
/// keeps it elsewhere can prove later that nothing up to there was rewritten.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChainHead {
    pub sequence: u64,
    pub digest: String,
}

impl std::fmt::Display for ChainHead {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}:{}", self.sequence, self.digest)
    }
}

/// The text given is no head of a chain.
#[derive(Clone, Copy, Debug, thiserror::Error)]
#[error("not a head as `verify --head` prints it: a number, a colon and 64 lower-case hexadecimal digits are expected")]
pub struct NotAHead;

impl std::str::FromStr for ChainHead {
    type Err = NotAHead;
    fn from_str(text: &str) -> Result<Self, NotAHead> {
        let (sequence, digest) = text.trim().split_once(':').ok_or(NotAHead)?;
        let digest = DocumentId::try_from(digest.to_owned()).map_err(|_| NotAHead)?.into();
        Ok(Self { sequence: sequence.parse().map_err(|_| NotAHead)?, digest })
    }
}

/// The head of a state directory's chain, once the chain has been checked.
pub fn head(state: &Path) -> Result<ChainHead, ArchiveError> {
    let (Head { sequence, digest }, _) = rebuild::check_chain(&state.join(JOURNAL))?;
    Ok(ChainHead { sequence, digest })
}

/// What became of a head that was kept elsewhere.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Proof {
    /// Everything up to it stands as it stood; the chain ends here now.
    Unchanged(ChainHead),
    /// Records up to it were rewritten.
    Rewritten,
    /// The chain ends before it: records were taken away. Where it ends.
    Shortened(u64),
}

/// Whether nothing up to a head was rewritten. A record's digest covers all before it, so one comparison is proof.
pub fn proves(state: &Path, kept: &ChainHead) -> Result<Proof, ArchiveError> {
    let mut found = (kept.sequence == 0).then(|| Head::default().digest);
    let (Head { sequence, digest }, _) = journal::walk(&state.join(JOURNAL), None, |link: Link| {
        if link.sequence == kept.sequence {
            found = Some(link.digest);
        }
        Ok(())
    })?;
    Ok(match found {
        None => Proof::Shortened(sequence),
        Some(found) if found == kept.digest => Proof::Unchanged(ChainHead { sequence, digest }),
        Some(_) => Proof::Rewritten,
    })
}
