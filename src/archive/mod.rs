//! The archive: what was accepted, and everything that happened to it since. Nothing else knows where state lies.
//!
//! Truth is append-only: the stored documents (each named by a digest of its bytes) and a hash-chained journal of
//! events. The index is made from the journal and can be made again. Whatever [`Archive::accept`] and
//! [`Archive::record`] return `Ok` for is on the disk: document written and synced, named and its folder synced,
//! journal written and synced, index changed, in this order. Callers that come together share the syncs.
//!
//! It never changes a document or removes one that no rule lets go, never rewrites a record, never retries a failed sync, and never writes
//! what a document says to the log. Times of records come from [`crate::clock`].
//!
//! All calls block, mostly on the disk: from async code use [`blocking`].
//!
//! The state directory (mode 0700) holds `documents/`, `readings/`, `journal/`, `index/`, `cases/`, `tokens/`, `tmp/`,
//! `lock`, `clock` (see [`clock_watch`]), and where it is sealed, `keyring`, `keyring.copy` and, unless it is kept elsewhere, `key`.
//!
//! # What sealing protects, and against whom
//!
//! The state directory is sealed unless the configuration says otherwise. Then whoever has the directory but not the
//! master key (a stolen or returned disk, a copy, a snapshot, another user who gets past the permissions) learns how
//! many documents of which size came when, how many items each has, when it was held, resolved, shown or purged, when
//! mails about it were queued, tried and sent, and nothing of what a document, its reading, a file's name, a case or a
//! person's note says: neither by opening nor by guessing, because names and marks are keyed digests.
//!
//! * A document has a random **data key**. It lies wrapped at the head and at the tail of the document's file, and seals the document,
//!   its reading and the journal's records of it. The **archive keys**, one a generation, wrap data keys and seal what
//!   belongs to no document; the **root key** names documents. Both lie in the keyring, of which a copy is kept beside it,
//!   wrapped by the **master key**.
//! * What is changed, cut, exchanged or reordered does not open and is named by `verify`. Only the journal's chain can
//!   be checked without a key; somebody who may write could remake it as a whole, which a head kept elsewhere shows.
//! * Purging destroys both copies in the file. Records of it stay in the chain and can be opened by nobody. A copy made
//!   before still has them: a purge reaches copies only when these are made to expire.
//! * Rotation brings a new master key and an archive key for what comes. It helps against a master key that got out, not
//!   against one that got out together with a copy of the keyring.
//!
//! It does not protect against whoever is this user or root while the daemon runs, nor what lies outside: the sources'
//! files and `done/`, `cases.csv`, the exports. A key beside what it seals protects against nothing but a copy that
//! leaves it out. On disks that write elsewhere than they overwrite, a destroyed key may survive for a while.

mod apply;
mod audit;
mod clock_watch;
mod disk;
mod documents;
mod error;
pub mod event;
mod fact;
mod index;
mod journal;
mod kept;
mod keys;
mod lock;
mod look;
mod mail;
mod notice;
mod on_lists;
mod purge;
mod rebuild;
mod room;
mod seal;
mod vault;
mod verify;
mod writer;

#[cfg(test)]
mod damage_tests;
#[cfg(test)]
mod power_loss_tests;
#[cfg(test)]
mod sealed_tests;
#[cfg(test)]
mod tests;

use std::io::{self, Read};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc;
use std::thread::JoinHandle;
use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::watch;

use self::clock_watch::ClockWatch;
use self::disk::Disk;
use self::documents::Documents;
use self::event::Event;
use self::index::Index;
use self::journal::Reader;
use self::lock::Lock;
use self::notice::Noticed;
use self::rebuild::{Recovered, Wanted};
use self::room::Room;
use self::vault::Vault;
use self::writer::{Incoming, Request, Stored, Writer};
use crate::document::{DocumentId, Reading, Receipt};

pub use self::audit::{AuditFilter, AuditLine, Trail};
pub use self::error::{ArchiveError, Remedy};
pub use self::index::Summary as IndexSummary;
pub use self::kept::{KeptCases, kept_cases};
pub use self::keys::{AtRest, KeyPlace, Remark, Rotated, check_keys, new_key, rotate};
pub use self::look::{Counts, DocumentState, Items, Status};
pub use self::mail::{DeadLetter, Mail, MailCounts, MailId, MailKind, NextMail, WaitingMail};
pub use self::purge::{Due, RetentionRule};
pub use self::rebuild::RECOVERED_SOURCE;
pub use self::room::DiskStatus;
pub use self::verify::{ChainHead, NotAHead, Problem, Proof, Report, head, proves, verify};

const JOURNAL: &str = "journal";
const INDEX: &str = "index";

/// Documents of one call taken through one group of syncs: each keeps a file open until then.
const ACCEPTED_TOGETHER: usize = 256;

/// Threads that write down and digest the documents of one call.
const DRAFT_THREADS: usize = 4;

/// How to open an archive.
#[derive(Clone, Debug)]
pub struct OpenOptions {
    /// How long the index may take to open before it is set aside and made again. A sound one of 100,000 items takes
    /// about a second.
    pub index_deadline: Duration,
    /// Bytes that must be free on the disk of the state directory for anything to be accepted.
    pub min_free: u64,
    pub at_rest: AtRest,
}

impl OpenOptions {
    pub fn new(at_rest: AtRest) -> Self {
        Self { index_deadline: Duration::from_secs(20), min_free: 0, at_rest }
    }

    /// For a state directory that is not sealed.
    pub fn plain() -> Self {
        Self::new(AtRest::Plain)
    }
}

/// The bytes of an arrival.
pub enum Content {
    Bytes(Vec<u8>),
    /// Read to its end, piece by piece. An error of its own is [`ArchiveError::SourceUnreadable`]: nothing is stored then.
    Stream(Box<dyn Read + Send>),
}

/// Says nothing of what is in it.
impl std::fmt::Debug for Content {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Bytes(bytes) => write!(f, "Bytes({})", bytes.len()),
            Self::Stream(_) => f.write_str("Stream"),
        }
    }
}

/// A document at the door.
#[derive(Debug)]
pub struct Arrival {
    pub content: Content,
    pub receipt: Receipt,
    /// Names this arrival within its source (say, source, file name, inode and modification time): accepting the
    /// same bytes under the same key again, before [`Event::SourceReleased`] says that the source let go, is the
    /// same arrival and not recorded twice.
    pub source_key: String,
}

/// A document that is stored durably.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Accepted {
    pub document: DocumentId,
    /// Whether these bytes had never been accepted before.
    pub first: bool,
    /// Whether it waits for the pipeline, which is to be told of it.
    pub waits: bool,
}

/// The archive; clones are the same archive. The last one dropped waits for what is under way and closes it.
#[derive(Clone)]
pub struct Archive {
    inner: Arc<Inner>,
}

/// Fields drop in this order: the lock goes last.
struct Inner {
    writer: Option<(mpsc::Sender<Request>, JoinHandle<()>)>,
    documents: Documents,
    index: Arc<Index>,
    reader: Reader,
    vault: Vault,
    items: watch::Receiver<u64>,
    waiting: watch::Receiver<u64>,
    mails: watch::Receiver<u64>,
    disk: Disk,
    state: PathBuf,
    min_free: u64,
    noticed: Noticed,
    room: Room,
    clock: ClockWatch,
    /// When something was recorded last before this archive was opened.
    recorded_before: Option<Timestamp>,
    _lock: Option<Lock>,
}

impl Drop for Inner {
    fn drop(&mut self) {
        if let Some((requests, thread)) = self.writer.take() {
            drop(requests);
            if thread.join().is_err() {
                tracing::error!("the archive's writer had panicked");
            }
        }
    }
}

impl Archive {
    /// Opens the archive of a state directory, making it if there is none, and brings journal and index into
    /// agreement. Only one process may have it open.
    pub fn open(state: &Path, options: &OpenOptions) -> Result<Self, ArchiveError> {
        Self::open_on(Disk::default(), state, options)
    }

    fn open_on(disk: Disk, state: &Path, options: &OpenOptions) -> Result<Self, ArchiveError> {
        Self::open_with(disk, state, options, Wanted::AsItIs)
    }

    fn open_with(disk: Disk, state: &Path, options: &OpenOptions, index: Wanted) -> Result<Self, ArchiveError> {
        prepare_state(&disk, state)?;
        let lock = Lock::take(state)?;
        let vault = keys::open(&disk, state, &options.at_rest)?;
        let documents = Documents::new(disk.clone(), state, &vault);
        documents.prepare()?;
        disk.make_folder(&state.join(JOURNAL))?;
        kept::prepare(&disk, state)?;
        disk.sync_folder(state)?;
        let Recovered { journal, index, reader } =
            rebuild::recover(&disk, state, &documents, &vault, (index, options.index_deadline))?;
        let recorded_before = index.summary().at.map(|at| reader.entry(at)).transpose()?.map(|entry| entry.time);
        let index = Arc::new(index);
        let (items_changed, items) = watch::channel(0);
        let (waiting_changed, waiting) = watch::channel(0);
        let (mails_changed, mails) = watch::channel(0);
        let writer = Writer {
            vault: vault.clone(),
            documents: documents.clone(),
            reader: Reader::new(&state.join(JOURNAL), &vault),
            journal,
            index: Arc::clone(&index),
            items: items_changed,
            waiting: waiting_changed,
            mails: mails_changed,
            stopped: None,
        };
        let (requests, received) = mpsc::channel();
        let thread = std::thread::Builder::new()
            .name("archive-writer".to_owned())
            .spawn(move || writer.run(&received))
            .map_err(|e| ArchiveError::StateDirectory { path: state.to_owned(), source: Arc::new(e) })?;
        let writer = Some((requests, thread));
        let state = state.to_owned();
        let min_free = options.min_free;
        let inner = Inner {
            writer,
            documents,
            index,
            reader,
            vault,
            items,
            waiting,
            mails,
            disk,
            state,
            min_free,
            noticed: Noticed::default(),
            room: Room::default(),
            clock: ClockWatch::default(),
            recorded_before,
            _lock: Some(lock),
        };
        Ok(Self { inner: Arc::new(inner) })
    }

    /// Opens the archive for looking only, whoever else has it open: the journal is read whole into an index in
    /// memory (some 20,000 records a second at least). What is added later is not seen.
    pub fn look(state: &Path, at_rest: &AtRest) -> Result<Self, ArchiveError> {
        let vault = keys::look(state, at_rest)?;
        let folder = state.join(JOURNAL);
        let index = Index::in_memory();
        rebuild::replay(&folder, &vault, &index, None, |_, _| Ok(()))?;
        let disk = Disk::default();
        let inner = Inner {
            writer: None,
            documents: Documents::new(disk.clone(), state, &vault),
            index: Arc::new(index),
            reader: Reader::new(&folder, &vault),
            vault,
            items: watch::channel(0).1,
            waiting: watch::channel(0).1,
            mails: watch::channel(0).1,
            disk,
            state: state.to_owned(),
            min_free: 0,
            noticed: Noticed::default(),
            room: Room::default(),
            clock: ClockWatch::default(),
            recorded_before: None,
            _lock: None,
        };
        Ok(Self { inner: Arc::new(inner) })
    }

    /// Makes the index of a state directory anew from its journal. Nothing may have the archive open.
    pub fn rebuild(state: &Path, options: &OpenOptions) -> Result<Self, ArchiveError> {
        let disk = Disk::default();
        prepare_state(&disk, state)?;
        {
            let _lock = Lock::take(state)?;
            // Before anything is set aside.
            keys::look(state, &options.at_rest)?;
            rebuild::check_chain(&state.join(JOURNAL))?;
        }
        Self::open_with(disk, state, options, Wanted::Anew)
    }

    /// Stores a document durably. After `Ok`, and not before, its source may be released.
    pub fn accept(&self, arrival: Arrival) -> Result<Accepted, ArchiveError> {
        let mut accepted = self.accept_together(vec![arrival])?;
        accepted.pop().ok_or(ArchiveError::Stopped)
    }

    /// Stores many documents durably, hundreds for hardly more than the syncs of one. Each group of 256 is accepted
    /// or refused as a whole; the outcomes stand in the order of the arrivals.
    pub fn accept_all(&self, arrivals: Vec<Arrival>) -> Vec<Result<Accepted, ArchiveError>> {
        let mut outcomes = Vec::with_capacity(arrivals.len());
        let mut arrivals = arrivals.into_iter().peekable();
        while arrivals.peek().is_some() {
            let group: Vec<Arrival> = arrivals.by_ref().take(ACCEPTED_TOGETHER).collect();
            let size = group.len();
            match self.accept_together(group) {
                Ok(accepted) => outcomes.extend(accepted.into_iter().map(Ok)),
                Err(error) => outcomes.extend(std::iter::repeat_n(Err(error), size)),
            }
        }
        outcomes
    }

    fn accept_together(&self, arrivals: Vec<Arrival>) -> Result<Vec<Accepted>, ArchiveError> {
        self.check_room()?;
        let incoming = self.inner.room.count(self.draft(arrivals))?;
        self.ask(|reply| Request::Accept { incoming, reply })
    }

    /// Writes the bytes down, not durable yet; many arrivals by several threads, in their order.
    fn draft(&self, mut arrivals: Vec<Arrival>) -> Result<Vec<Incoming>, ArchiveError> {
        let documents = &self.inner.documents;
        let draft_all = |arrivals: Vec<Arrival>| {
            let each = arrivals.into_iter().map(|Arrival { content, receipt, source_key }| {
                Ok(Incoming { draft: documents.draft(content)?, receipt, source_key, stored: Stored::AsItWas })
            });
            each.collect::<Result<Vec<_>, ArchiveError>>()
        };
        let share = arrivals.len().div_ceil(DRAFT_THREADS);
        if share <= 1 {
            return draft_all(arrivals);
        }
        std::thread::scope(|scope| {
            let mut threads = Vec::new();
            while !arrivals.is_empty() {
                let rest = arrivals.split_off(share.min(arrivals.len()));
                let ours = std::mem::replace(&mut arrivals, rest);
                threads.push(scope.spawn(|| draft_all(ours)));
            }
            let mut incoming = Vec::new();
            for thread in threads {
                incoming.extend(thread.join().map_err(|_| ArchiveError::Stopped)??);
            }
            Ok(incoming)
        })
    }

    /// Records an event durably. One that would change nothing (a refusal known already, a release of what is
    /// released) is not recorded and is no error.
    pub fn record(&self, event: Event) -> Result<(), ArchiveError> {
        self.record_all(vec![event])
    }

    /// Records events durably, all or none.
    pub fn record_all(&self, events: Vec<Event>) -> Result<(), ArchiveError> {
        if events.iter().any(Event::needs_more_than_a_record) {
            return Err(ArchiveError::ArrivalWithoutBytes);
        }
        self.ask(|reply| Request::Record { events, reply })
    }

    fn ask<T>(
        &self,
        request: impl FnOnce(mpsc::SyncSender<Result<T, ArchiveError>>) -> Request,
    ) -> Result<T, ArchiveError> {
        let (requests, _) = self.inner.writer.as_ref().ok_or(ArchiveError::ReadOnly)?;
        let (reply, answer) = mpsc::sync_channel(1);
        requests.send(request(reply)).map_err(|_| ArchiveError::Stopped)?;
        self.inner.room.count(answer.recv().map_err(|_| ArchiveError::Stopped)?)
    }

    /// The id that these bytes have, or would have, here.
    pub fn name(&self, bytes: &[u8]) -> DocumentId {
        self.inner.vault.name(bytes)
    }

    /// A document's bytes, proven to be those that were accepted.
    pub fn read_document(&self, document: &DocumentId) -> Result<Vec<u8>, ArchiveError> {
        let read = self.inner.documents.read(document);
        if let Err(error) = &read
            // What was purged is missing as it should be.
            && self.inner.index.get(&apply::document_key(document.as_str()))?.is_some()
        {
            self.notice(error);
        }
        read
    }

    /// Keeps what was read on a document. It can be read again, so it may be gone after a crash.
    pub fn put_reading(&self, document: &DocumentId, reading: &Reading) -> Result<(), ArchiveError> {
        self.inner.room.count(self.inner.documents.put_reading(document, reading))
    }

    /// The reading kept for a document, if there is one that is whole.
    pub fn reading(&self, document: &DocumentId) -> Result<Option<Reading>, ArchiveError> {
        self.inner.documents.reading(document)
    }

    /// What the index holds, read and summed up anew, for [`verify`] beside this process; `None` when it changes all the
    /// time.
    pub fn index_summary(&self) -> Result<Option<IndexSummary>, ArchiveError> {
        Ok(self.inner.index.recount()?)
    }

    /// Changes whenever items, held documents or refusals have changed.
    pub fn watch_items(&self) -> watch::Receiver<u64> {
        self.inner.items.clone()
    }

    /// Changes whenever a document has begun to wait for the pipeline.
    pub fn watch_waiting(&self) -> watch::Receiver<u64> {
        self.inner.waiting.clone()
    }

    /// Changes whenever a mail has begun to wait, or a person has decided on one.
    pub fn watch_mails(&self) -> watch::Receiver<u64> {
        self.inner.mails.clone()
    }
}

/// The id that these bytes have, or would have, in a state directory; in one that is not there yet, what it has in the
/// clear.
pub fn name(state: &Path, at_rest: &AtRest, bytes: &[u8]) -> Result<DocumentId, ArchiveError> {
    Ok(keys::look(state, at_rest)?.name(bytes))
}

/// Runs what an archive is asked away from the threads that wait.
pub async fn blocking<T: Send + 'static>(
    action: impl FnOnce() -> Result<T, ArchiveError> + Send + 'static,
) -> Result<T, ArchiveError> {
    tokio::task::spawn_blocking(action).await.unwrap_or(Err(ArchiveError::Stopped))
}

/// Makes the state directory, or makes sure that it is ours alone.
#[allow(clippy::wildcard_enum_match_arm, reason = "one kind of failure is named anew, all others stay")]
fn prepare_state(disk: &Disk, state: &Path) -> Result<(), ArchiveError> {
    disk.make_folder(state).map_err(|error| match error {
        // A disk that is full or fails is no fault of the configuration, and may pass.
        ArchiveError::WriteFailed { source, .. }
            if !matches!(source.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded)
                && source.raw_os_error() != Some(rustix::io::Errno::IO.raw_os_error()) =>
        {
            ArchiveError::StateDirectory { path: state.to_owned(), source }
        }
        other => other,
    })?;
    if others_may_read(state)? {
        disk.make_private(state).map_err(|error| match error {
            ArchiveError::WriteFailed { source, .. } if source.kind() == io::ErrorKind::PermissionDenied => {
                ArchiveError::StateDirectory { path: state.to_owned(), source }
            }
            other => other,
        })?;
    }
    Ok(())
}

/// Whether others than its owner may enter a state directory that is still empty: a fresh one, made by an installer or
/// a person, holds nothing yet that could have been read. [`ArchiveError::OthersMayRead`] when it holds something.
pub fn others_may_read(state: &Path) -> Result<bool, ArchiveError> {
    let unusable = |source| ArchiveError::StateDirectory { path: state.to_owned(), source: Arc::new(source) };
    let mode = std::fs::metadata(state).map_err(unusable)?.permissions().mode() & 0o777;
    let others_may = mode & 0o077 != 0;
    if others_may && std::fs::read_dir(state).map_err(unusable)?.next().is_some() {
        return Err(ArchiveError::OthersMayRead { path: state.to_owned(), mode });
    }
    Ok(others_may)
}
