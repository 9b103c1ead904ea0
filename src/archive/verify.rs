//! Verifying: every accepted document present and unchanged, the journal's chain whole, the index agreeing with it.
//!
//! It changes nothing. It may run beside a daemon: then the index, which only one process may open, is looked at by the
//! daemon, which tells what it holds; what was added meanwhile may be seen or not.

use std::path::Path;

use super::apply::{DOCUMENT, DocumentEntry, decode, id_of_key};
use super::disk::Disk;
use super::documents::Documents;
use super::index::{Index, Summary};
use super::lock::Lock;
use super::{ArchiveError, INDEX, JOURNAL, OpenOptions, rebuild};
use crate::document::DocumentId;

/// Something that is not as it was accepted.
#[derive(Clone, Debug, thiserror::Error)]
pub enum Problem {
    #[error("document {document}: accepted, but its file is missing; restore it from a copy")]
    Missing { document: DocumentId },
    #[error("document {document}: its bytes are not those that were accepted; restore them from a copy")]
    Changed { document: DocumentId },
    #[error("document {document}: {error}")]
    Unreadable { document: DocumentId, error: ArchiveError },
    #[error("{0}")]
    Journal(ArchiveError),
    #[error("the index does not agree with the journal ({what}); run: nicufaxd rebuild")]
    Index { what: String },
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
    let documents = Documents::new(disk, state);
    let folder = state.join(JOURNAL);
    match rebuild::check_chain(&folder) {
        Ok((head, torn)) => (report.records, report.torn) = (head.sequence, torn),
        Err(error @ ArchiveError::JournalDamaged { .. }) => {
            // What the journal says is not to be trusted from there on; nothing else can be checked against it.
            report.problems.push(Problem::Journal(error));
            return Ok(report);
        }
        Err(error) => return Err(error),
    }
    // Held to the end: no daemon may start in the midst of it.
    let lock = match Lock::take(state) {
        Ok(lock) => Some(lock),
        Err(ArchiveError::Locked { .. }) => None,
        Err(error) => return Err(error),
    };
    report.in_use = lock.is_none();
    let path = state.join(INDEX);
    let stored = match &lock {
        None => told,
        Some(_) if path.exists() => match Index::open(&path, options.index_deadline) {
            Ok(index) => Some(index.summary()),
            Err(fault) => {
                report.problems.push(Problem::Index { what: fault.to_string() });
                None
            }
        },
        Some(_) => None,
    };
    let fresh = Index::in_memory();
    let mut agrees = stored.as_ref().is_none_or(|stored| stored.head.sequence == 0);
    rebuild::replay(&folder, &fresh, None, |head, bring| {
        if let Some(stored) = &stored
            && stored.head == *head
        {
            bring()?;
            agrees = fresh.summary().same_entries(stored);
        }
        Ok(())
    })?;
    report.index_checked = stored.is_some();
    if !agrees {
        report.problems.push(Problem::Index { what: "its entries differ".to_owned() });
    }
    check_documents(&documents, &fresh, &mut report)?;
    drop(lock);
    Ok(report)
}

fn check_documents(documents: &Documents, index: &Index, report: &mut Report) -> Result<(), ArchiveError> {
    let mut after: Option<Vec<u8>> = None;
    loop {
        let page = index.page(&[DOCUMENT], after.as_deref(), 1024)?;
        let Some((last, _)) = page.last() else { break };
        after = Some(last.clone());
        for (key, entry) in &page {
            let Some(document) = id_of_key(key) else { continue };
            report.documents += 1;
            let size = decode::<DocumentEntry>(entry)?.size;
            match documents.check(&document) {
                Ok(()) if documents.is_present(&document, size) => {}
                Ok(()) | Err(ArchiveError::DocumentDamaged { .. }) => {
                    report.problems.push(Problem::Changed { document });
                }
                Err(ArchiveError::DocumentMissing { .. }) => report.problems.push(Problem::Missing { document }),
                Err(error) => report.problems.push(Problem::Unreadable { document, error }),
            }
        }
    }
    for document in documents.stored()? {
        if index.get(&super::apply::document_key(document.as_str()))?.is_none() {
            report.unrecorded.push(document);
        }
    }
    Ok(())
}
