//! What can go wrong with the archive, worded once.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::document::DocumentId;
use crate::queue::item::ItemId;

/// What went wrong, where, and what to do about it. Clones tell the same to every caller of a group.
#[derive(Clone, Debug, thiserror::Error)]
pub enum ArchiveError {
    /// The state directory cannot be made or entered.
    #[error("the state directory {} cannot be used: {source}; make it writable for the user that runs this program", path.display())]
    StateDirectory { path: PathBuf, source: Arc<io::Error> },
    /// Others may look into the state directory.
    #[error("the state directory {} may be read by others (mode {mode:03o}); run: chmod 700 {}", path.display(), path.display())]
    OthersMayRead { path: PathBuf, mode: u32 },
    /// The state directory is sealed, and its key is not where it should be.
    #[error("the state directory {} is sealed and its key {} is missing; put the key back from its copy", state.display(), path.display())]
    KeyMissing { state: PathBuf, path: PathBuf },
    /// The key is another one than that which seals the state directory.
    #[error("the key {} is not the one that seals the state directory {}; put the right one there, or name it with key_file", path.display(), state.display())]
    KeyWrong { state: PathBuf, path: PathBuf },
    /// The key's file may not or cannot be used.
    #[error("the key file {} {what}", path.display())]
    KeyFile { path: PathBuf, what: String },
    /// The keyring is gone although things are sealed under it.
    #[error("the keyring {} is missing and its copy too, although documents or journal are sealed; restore it from a backup", path.display())]
    KeyringMissing { path: PathBuf },
    /// The keyring does not check.
    #[error("the keyring {} is damaged and its copy too; restore it from a backup", path.display())]
    KeyringDamaged { path: PathBuf },
    /// The state directory is not sealed although it should be.
    #[error(
        "the state directory {} is not sealed; set at_rest = \"plain\" to go on with it, or give an empty one to have \
         what comes sealed", state.display()
    )]
    StatePlain { state: PathBuf },
    /// The state directory is sealed although it should not be.
    #[error("the state directory {} is sealed; take out at_rest = \"plain\", or give an empty one", state.display())]
    StateSealed { state: PathBuf },
    /// Nothing can be sealed, so nothing is written.
    #[error("cannot seal: {what}; nothing was accepted")]
    CannotSeal { what: &'static str },
    /// What the journal says of a document was sealed under another key than the document's.
    #[error(
        "record {sequence} of document {document} does not open under the document's key; restore the document's file from a copy"
    )]
    RecordDoesNotOpen { document: DocumentId, sequence: u64 },
    /// A record that belongs to no document does not open.
    #[error(
        "record {sequence} of the journal does not open, or does not say what its frame says; restore the journal from a copy"
    )]
    RecordForged { sequence: u64 },
    /// A document may not be purged while something of it is open, held or waiting.
    #[error("document {document} is not done with; only resolved documents are purged")]
    NotDoneWith { document: DocumentId },
    /// The clock is far ahead of the time that was trusted last.
    #[error(
        "nothing is purged: the clock is {hours} hours ahead of {trusted}, the last time that is sure; set it right, or, if it \
         is right, run: nicufaxd purge --clock-is-right (a daemon that runs for a day believes it by itself)"
    )]
    ClockAhead { trusted: jiff::Timestamp, hours: i64 },
    /// Another process has the archive open.
    #[error("the state directory {} is in use by {}; stop that process first", state.display(), process(*holder))]
    Locked { state: PathBuf, holder: Option<u32> },
    /// A record of the journal that may have been acknowledged does not check.
    #[error(
        "the journal is damaged: {} at byte {offset}, record {sequence}: {what}; nothing was changed; restore this file \
         from a copy; without one, keep what lies in {} elsewhere, remove the files after this one, cut this one there \
         (truncate -s {offset} {}) and start the daemon: what was recorded from there on is lost, and documents without a \
         record are received again", path.display(), folder(path).display(), path.display()
    )]
    JournalDamaged {
        path: PathBuf,
        /// In bytes.
        offset: u64,
        /// The record that should stand there; 0 when it is not known.
        sequence: u64,
        what: &'static str,
    },
    /// A record of the journal agrees with its own digest and is none that this program knows.
    #[error(
        "the journal holds what this version of the program does not know: {} at byte {offset}, record {sequence}; nothing \
         was changed; run the version that wrote it, or a later one", path.display()
    )]
    JournalNewer { path: PathBuf, offset: u64, sequence: u64 },
    /// There are documents but no journal.
    #[error(
        "the journal {} is missing although documents are stored; restore it from a copy; without one, put an empty file \
         00000001.log there and start the daemon: it receives the documents again, but what people did with them is lost",
        path.display()
    )]
    JournalMissing { path: PathBuf },
    /// The index failed, and making it anew did not help or cannot be done while running.
    #[error("the index failed: {what}; start the program again, which makes the index anew")]
    IndexFailed { what: String },
    /// Something could not be written; nothing was accepted, nothing half-written stays.
    #[error("cannot write {}: {source}; nothing was accepted; make room or repair the disk, then try again", path.display())]
    WriteFailed { path: PathBuf, source: Arc<io::Error> },
    /// The disk of the state directory is nearly full.
    #[error(
        "less than {} MB is left for the state directory {}: nothing is accepted; make room, or lower [intake] min_free; it \
         goes on by itself", min_free / 1_000_000, state.display()
    )]
    LittleRoom { state: PathBuf, min_free: u64 },
    /// The disk did not confirm a write: nobody knows what it holds.
    #[error("the disk did not confirm {}: {source}; the process must end; check the disk, then start it again", path.display())]
    SyncFailed { path: PathBuf, source: Arc<io::Error> },
    /// Something could not be read.
    #[error("cannot read {}: {source}; check the file and its permissions", path.display())]
    ReadFailed { path: PathBuf, source: Arc<io::Error> },
    /// The file that was to be accepted could not be read.
    #[error("the source's file cannot be read: {source}; it stays where it is and is tried again")]
    SourceUnreadable { source: Arc<io::Error> },
    /// An accepted document is gone.
    #[error("document {document} is missing from the archive; restore it from a copy")]
    DocumentMissing { document: DocumentId },
    /// An accepted document's bytes have changed.
    #[error("document {document} is not what was accepted: its digest differs; restore it from a copy")]
    DocumentDamaged { document: DocumentId },
    /// No such document.
    #[error("there is no document {document}; see the list for the ids there are")]
    UnknownDocument { document: DocumentId },
    /// No such item.
    #[error("there is no item {item}; see the list for the ids there are")]
    UnknownItem { item: ItemId },
    /// An arrival may be recorded by accepting its bytes only.
    #[error("an arrival is recorded by accepting the document; this is a fault of the program")]
    ArrivalWithoutBytes,
    /// An event or a reading has no JSON form.
    #[error("a record cannot be written as JSON: {what}; this is a fault of the program")]
    NotSerialisable { what: String },
    /// This archive was opened for looking only.
    #[error("the archive was opened for reading only; this is a fault of the program")]
    ReadOnly,
    /// The archive has stopped after a fault that it reported.
    #[error("the archive has stopped after an earlier fault; start the program again")]
    Stopped,
}

/// What a caller can do about an error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Remedy {
    /// Leave the source alone and try again later.
    TryAgain,
    /// A person has to look at what the error names; everything else goes on.
    Hold,
    /// End the process.
    Stop,
}

impl ArchiveError {
    /// What to do about it: the one place that says so.
    pub fn remedy(&self) -> Remedy {
        match self {
            Self::WriteFailed { .. } | Self::LittleRoom { .. } | Self::SourceUnreadable { .. } => Remedy::TryAgain,
            Self::RecordDoesNotOpen { .. }
            | Self::RecordForged { .. }
            | Self::NotDoneWith { .. }
            | Self::ClockAhead { .. }
            | Self::ReadFailed { .. }
            | Self::DocumentMissing { .. }
            | Self::DocumentDamaged { .. }
            | Self::UnknownDocument { .. }
            | Self::UnknownItem { .. }
            | Self::ArrivalWithoutBytes
            | Self::NotSerialisable { .. }
            | Self::ReadOnly => Remedy::Hold,
            Self::StateDirectory { .. }
            | Self::OthersMayRead { .. }
            | Self::KeyMissing { .. }
            | Self::KeyWrong { .. }
            | Self::KeyFile { .. }
            | Self::KeyringMissing { .. }
            | Self::KeyringDamaged { .. }
            | Self::StatePlain { .. }
            | Self::StateSealed { .. }
            | Self::CannotSeal { .. }
            | Self::Locked { .. }
            | Self::JournalDamaged { .. }
            | Self::JournalNewer { .. }
            | Self::JournalMissing { .. }
            | Self::IndexFailed { .. }
            | Self::SyncFailed { .. }
            | Self::Stopped => Remedy::Stop,
        }
    }

    /// Whether it says that a document's stored file is missing or damaged.
    pub fn is_of_lost_file(&self) -> bool {
        matches!(self, Self::DocumentMissing { .. } | Self::DocumentDamaged { .. } | Self::RecordDoesNotOpen { .. })
    }

    /// Whether the process must end.
    pub fn is_fatal(&self) -> bool {
        self.remedy() == Remedy::Stop
    }

    pub(super) fn write_failed(path: &Path, source: io::Error) -> Self {
        Self::WriteFailed { path: path.to_owned(), source: Arc::new(source) }
    }

    pub(super) fn sync_failed(path: &Path, source: io::Error) -> Self {
        Self::SyncFailed { path: path.to_owned(), source: Arc::new(source) }
    }

    pub(super) fn read_failed(path: &Path, source: io::Error) -> Self {
        Self::ReadFailed { path: path.to_owned(), source: Arc::new(source) }
    }

    pub(super) fn key_file(path: &Path, what: impl Into<String>) -> Self {
        Self::KeyFile { path: path.to_owned(), what: what.into() }
    }

    pub(super) fn cannot_seal(what: &'static str) -> Self {
        Self::CannotSeal { what }
    }

    pub(super) fn not_serialisable(error: &serde_json::Error) -> Self {
        Self::NotSerialisable { what: error.to_string() }
    }
}

impl From<super::index::Fault> for ArchiveError {
    fn from(fault: super::index::Fault) -> Self {
        Self::IndexFailed { what: fault.to_string() }
    }
}

/// Where a file lies.
fn folder(path: &Path) -> &Path {
    path.parent().unwrap_or(path)
}

fn process(holder: Option<u32>) -> String {
    holder.map_or_else(|| "another process".to_owned(), |pid| format!("process {pid}"))
}
