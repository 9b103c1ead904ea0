//! Noticing documents whose stored files are missing or damaged: each is said once, loudly, as soon as it is seen.
//!
//! One lost file hides no other and stops nothing, so nothing else would tell of it before somebody looks at that very
//! document. It knows no remedy of its own: the log line names them.

use std::collections::HashSet;
use std::sync::{Mutex, PoisonError};

use super::apply::{DOCUMENT, id_of_key};
use super::{Archive, ArchiveError};
use crate::document::DocumentId;

/// Documents that are named one by one; more than that is a disk or a folder that is gone, which the count tells.
const NAMED: usize = 100;

/// The documents that were told of.
#[derive(Default)]
pub(super) struct Noticed(Mutex<HashSet<DocumentId>>);

impl Noticed {
    /// Those that were told of, whatever has become of them since.
    pub(super) fn documents(&self) -> Vec<DocumentId> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).iter().cloned().collect()
    }

    /// Whether this document is to be told of: it was not before, and not too many were.
    fn is_new(&self, document: &DocumentId) -> bool {
        let mut noticed = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        noticed.len() < NAMED && noticed.insert(document.clone())
    }
}

impl Archive {
    /// Tells of a document of which something could not be opened.
    pub(super) fn notice(&self, error: &ArchiveError) {
        let (ArchiveError::DocumentMissing { document }
        | ArchiveError::DocumentDamaged { document }
        | ArchiveError::RecordDoesNotOpen { document, .. }) = error
        else {
            return;
        };
        if self.inner.noticed.is_new(document) {
            tracing::error!(
                %document,
                "the stored file of a document is missing or damaged; restore it from a copy, or have the same document sent \
                 again; nicufaxd held list tells which one it is"
            );
        }
    }

    /// Looks at both copies of every document's key and tells of those that are damaged; how many documents that are.
    /// Reads two small pieces of each file; ends early when told to.
    pub fn check_document_keys(&self, stop: impl Fn() -> bool) -> Result<u64, ArchiveError> {
        let mut damaged = 0;
        let mut after: Option<Vec<u8>> = None;
        while !stop() {
            let page = self.inner.index.page(&[DOCUMENT], after.as_deref(), 256)?;
            let Some((last, _)) = page.last() else { break };
            after = Some(last.clone());
            for document in page.iter().filter_map(|(key, _)| id_of_key(key)) {
                match self.inner.documents.keys_of(&document) {
                    Ok(2) => continue,
                    Ok(0) => self.notice(&ArchiveError::DocumentDamaged { document }),
                    Ok(_) if self.inner.noticed.is_new(&document) => tracing::error!(
                        %document,
                        "one of the two copies of a document's key, at the head and the tail of its file, is damaged; \
                         nothing is lost yet; have the same document sent again, or restore its file from a copy"
                    ),
                    Ok(_) => {}
                    // Gone from the archive since the page was fetched, or gone from the disk.
                    Err(error) if error.is_of_lost_file() && self.document(&document)?.is_some() => self.notice(&error),
                    Err(error) if error.is_of_lost_file() => continue,
                    Err(error) => {
                        tracing::error!(%document, %error, "the stored file of a document cannot be looked at");
                    }
                }
                damaged += 1;
            }
        }
        if damaged > NAMED as u64 {
            tracing::error!(documents = damaged, "stored files are missing or damaged; nicufaxd verify names them all");
        }
        Ok(damaged)
    }
}
