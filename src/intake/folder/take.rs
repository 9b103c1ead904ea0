//! A batch of files: each read, all stored together, each released, in this order and no other.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::time::{Duration, Instant};

use tracing::warn;

use super::{FolderKind, FolderSettings};
use crate::archive::event::Event;
use crate::archive::{Accepted, Archive, ArchiveError, Arrival, Content};
use crate::clock;
use crate::document::{DocumentId, Receipt, echoes_ours};
use crate::fault::{self, Step};
use crate::intake::judge::SidecarFile;
use crate::intake::release::{Released, release};
use crate::intake::sidecar::{self, Sidecar};
use crate::intake::source_file::{Entry, Fingerprint, ReadError, SourceFile};
use crate::intake::{Refusal, received_by};

/// A document that is ready to be taken.
pub(super) struct Ready {
    pub entry: Entry,
    pub sidecar: Option<SidecarFile>,
    pub key: String,
}

/// A file that was ready and has been read.
pub(super) struct Read {
    pub file: Ready,
    content: ReadContent,
    begun: Instant,
}

enum ReadContent {
    /// An earlier look stored it already; only its release is left to do.
    Stored(DocumentId),
    Arrival(Arrival),
    Not(Taken),
}

/// How a document was stored.
#[derive(Clone, Copy)]
pub(super) struct Stored {
    pub first: bool,
    /// For the pipeline.
    pub waits: bool,
    /// See [`echoes_ours`].
    pub is_echo: bool,
}

/// What became of a file that was ready.
pub(super) enum Taken {
    Stored {
        document: DocumentId,
        accepted: Stored,
        release: std::io::Result<Released>,
        /// Since its reading began.
        took: Duration,
    },
    /// Not as it was when looked at; it is looked at again.
    Changed,
    Refused(Refusal),
    Failed(ArchiveError),
}

/// Reads one file with its sidecar. Blocks. `stored` is its document when an earlier look stored it already.
pub(super) fn read(settings: &FolderSettings, file: Ready, stored: Option<DocumentId>) -> Read {
    let begun = Instant::now();
    let content = match stored {
        Some(document) => ReadContent::Stored(document),
        None => match catch_unwind(AssertUnwindSafe(|| arrival(settings, &file))) {
            // One file must not keep its batch from being taken; where it broke is logged by the panic itself.
            Err(_panicked) => ReadContent::Not(Taken::Refused(Refusal::Unreadable(std::io::ErrorKind::Other))),
            Ok(Ok(arrival)) => ReadContent::Arrival(arrival),
            Ok(Err(ReadError::Gone | ReadError::Changed)) => ReadContent::Not(Taken::Changed),
            Ok(Err(ReadError::Refused(refusal))) => ReadContent::Not(Taken::Refused(refusal)),
        },
    };
    Read { file, content, begun }
}

/// Stores what was read, in one go, and releases what is stored. Blocks. The outcomes stand in the order given.
pub(super) fn store_and_release(settings: &FolderSettings, archive: &Archive, batch: Vec<Read>) -> Vec<(Ready, Taken)> {
    let mut arrivals = Vec::new();
    let mut files = Vec::with_capacity(batch.len());
    for Read { file, content, begun } in batch {
        let mut is_echo = false;
        let known = match content {
            ReadContent::Stored(document) => Some(Ok(Accepted { document, first: false, waits: false })),
            ReadContent::Not(taken) => Some(Err(taken)),
            ReadContent::Arrival(arrival) => {
                is_echo = matches!(&arrival.content, Content::Bytes(bytes) if echoes_ours(bytes));
                arrivals.push(arrival);
                None
            }
        };
        files.push((file, known, is_echo, begun));
    }
    let mut accepted = archive.accept_all(arrivals).into_iter();

    let mut released = Vec::new();
    let mut outcomes = Vec::with_capacity(files.len());
    for (file, known, is_echo, begun) in files {
        let stored = known.unwrap_or_else(|| match accepted.next() {
            Some(outcome) => outcome.map_err(Taken::Failed),
            None => Err(Taken::Failed(ArchiveError::Stopped)),
        });
        let taken = match stored {
            Ok(Accepted { document, first, waits }) => {
                let Ready { entry, key, .. } = &file;
                let release =
                    release(&settings.path, &entry.name, &entry.fingerprint, &settings.after, document.short());
                if matches!(release, Ok(Released::Yes)) {
                    released.push(Event::SourceReleased { document: document.clone(), source_key: key.clone() });
                }
                let accepted = Stored { first, waits, is_echo };
                Taken::Stored { document, accepted, release, took: begun.elapsed() }
            }
            Err(taken) => taken,
        };
        outcomes.push((file, taken));
    }
    if !released.is_empty()
        && let Err(error) = archive.record_all(released)
    {
        // The documents are stored and their files released; only the note of it is missing.
        warn!(source = %settings.name, %error, "releases could not be recorded");
    }
    fault::at(Step::ReleaseRecorded);
    outcomes
}

pub(super) fn arrival(settings: &FolderSettings, file: &Ready) -> Result<Arrival, ReadError> {
    let Ready { entry, sidecar, key } = file;
    fault::hang(fault::Hanging::Files, &settings.name);
    let mut opened = SourceFile::open(&settings.path.join(&entry.name))?;
    if opened.fingerprint != entry.fingerprint {
        return Err(ReadError::Changed);
    }
    let bytes = opened.read_whole(settings.max_bytes)?;
    fault::at(Step::SourceRead);
    let sidecar = sidecar.as_ref().map(|sidecar| read_sidecar(&settings.path, sidecar)).unwrap_or_default();
    let receipt = receipt(settings, entry, sidecar);
    if let Some(reason) = &receipt.note {
        warn!(stage = "intake", source = %settings.name, %reason, "a document is taken without what its sidecar tells");
    }
    Ok(Arrival { content: Content::Bytes(bytes), receipt, source_key: key.clone() })
}

fn read_sidecar(folder: &Path, file: &SidecarFile) -> Sidecar {
    let bytes = SourceFile::open(&folder.join(&file.name)).and_then(|mut opened| opened.read_whole(sidecar::MAX_BYTES));
    match bytes {
        Ok(bytes) => Sidecar::parse(&bytes, clock::now()),
        Err(ReadError::Gone) => Sidecar::unreadable("gone before it was read"),
        Err(ReadError::Changed) => Sidecar::unreadable("still being written"),
        Err(ReadError::Refused(Refusal::Empty)) => Sidecar::unreadable("empty"),
        Err(ReadError::Refused(Refusal::TooLarge { .. })) => Sidecar::unreadable("too large"),
        Err(ReadError::Refused(_)) => Sidecar::unreadable("cannot be opened"),
    }
}

fn receipt(settings: &FolderSettings, entry: &Entry, sidecar: Sidecar) -> Receipt {
    let Fingerprint { modified_ns, .. } = entry.fingerprint;
    let name = entry.name.to_string_lossy();
    Receipt {
        source: settings.source.clone(),
        source_file: match (settings.kind, name.split_once(":2,")) {
            (FolderKind::Maildir, Some((unique, _flags))) => unique.to_owned(),
            (FolderKind::Inbox | FolderKind::Maildir, _) => name.into_owned(),
        },
        received_at: sidecar.received_at.unwrap_or_else(|| received_by(modified_ns, clock::now())),
        reported_pages: sidecar.pages,
        received_with_errors: sidecar.received_with_errors,
        note: sidecar.note(),
        sender: sidecar.sender,
        receiver: sidecar.receiver,
    }
}
