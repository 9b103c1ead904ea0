//! One file: read, stored, released, in this order and no other.

use std::path::Path;

use tracing::warn;

use super::FolderSettings;
use crate::archive::event::Event;
use crate::archive::{Archive, ArchiveError, Arrival, Content};
use crate::clock;
use crate::document::{DocumentId, Receipt};
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

/// What became of a file that was ready.
pub(super) enum Taken {
    Stored {
        document: DocumentId,
        first: bool,
        release: std::io::Result<Released>,
    },
    /// Not as it was when looked at; it is looked at again.
    Changed,
    Refused(Refusal),
    Failed(ArchiveError),
}

/// Reads one file, stores it, releases it. Blocks. `stored` is its document when an earlier look stored it already.
pub(super) fn take(settings: &FolderSettings, archive: &Archive, file: &Ready, stored: Option<DocumentId>) -> Taken {
    let Ready { entry, key, .. } = file;
    let (document, first) = match stored {
        Some(document) => (document, false),
        None => match store(settings, archive, file) {
            Ok(stored) => stored,
            Err(taken) => return taken,
        },
    };
    let release = release(&settings.path, &entry.name, &entry.fingerprint, &settings.after, document.short());
    if matches!(release, Ok(Released::Yes)) {
        let event = Event::SourceReleased { document: document.clone(), source_key: key.clone() };
        if let Err(error) = archive.record(event) {
            // The document is stored and its file released; only the note of it is missing.
            warn!(%document, source = %settings.name, %error, "the release could not be recorded");
        }
    }
    Taken::Stored { document, first, release }
}

pub(super) fn store(settings: &FolderSettings, archive: &Archive, file: &Ready) -> Result<(DocumentId, bool), Taken> {
    let Ready { entry, sidecar, key } = file;
    let taken = |error| match error {
        ReadError::Gone | ReadError::Changed => Taken::Changed,
        ReadError::Refused(refusal) => Taken::Refused(refusal),
    };
    let mut opened = SourceFile::open(&settings.path.join(&entry.name)).map_err(taken)?;
    if opened.fingerprint != entry.fingerprint {
        return Err(Taken::Changed);
    }
    let bytes = opened.read_whole(settings.max_bytes).map_err(taken)?;
    let sidecar = sidecar.as_ref().map(|sidecar| read_sidecar(&settings.path, sidecar)).unwrap_or_default();
    let receipt = receipt(settings, entry, sidecar);
    let accepted = archive
        .accept(Arrival { content: Content::Bytes(bytes), receipt, source_key: key.clone() })
        .map_err(Taken::Failed)?;
    Ok((accepted.document, accepted.first))
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
    Receipt {
        source: settings.name.clone(),
        source_file: entry.name.to_string_lossy().into_owned(),
        received_at: sidecar.received_at.unwrap_or_else(|| received_by(modified_ns, clock::now())),
        reported_pages: sidecar.pages,
        received_with_errors: sidecar.received_with_errors,
        note: sidecar.note(),
        sender: sidecar.sender,
        receiver: sidecar.receiver,
    }
}
