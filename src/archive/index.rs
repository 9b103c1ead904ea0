//! The index: what the journal comes to, kept for quick answers. The only user of sled.
//!
//! It is never truth. sled 0.34 may lose records without a word after a crash, may refuse to open, panic, or spin for
//! minutes on damaged files, and its `flush` does not reach the disk. So the index carries a digest over all that it
//! holds and the number and digest of the last journal record that it has taken in; opening reads everything and
//! checks both, in a thread with a deadline. Whatever is wrong is a [`Fault`], and the answer to a fault is always
//! the same: set it aside and make it again. What recovery puts in is handed to the disk before the archive counts as
//! open, because sled tells of a failed write only to whoever asks afterwards.
//!
//! In a sealed archive every value on the disk is sealed and bound to its key; what stands in keys are ids, marks and
//! numbers. The digest is over the values unsealed, so that any index of the same journal has the same.
//!
//! The same index can live in memory, for a look at an archive that another process has open, and for `verify`.

use std::collections::BTreeMap;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::mpsc;
use std::sync::{Mutex, OnceLock, PoisonError, RwLock};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::ArchiveError;
use super::journal::{Head, Location};
use super::seal::Key;

/// Changed whenever keys or values change their form; an index of another form is made again.
const FORM: u32 = 4;

/// sled's page cache, in bytes. The index of 100,000 documents is some 40 MB and is read once, in order.
const CACHE_BYTES: u64 = 4 * 1024 * 1024;

/// The key of [`Summary`]; no other key begins with `!`.
const SUMMARY: &[u8] = b"!";

/// How often an index that is being written to is read, to catch it between two writes.
const RECOUNTS: u32 = 20;

/// Looks at a lock that is about to be let go.
const LOCK_LOOKS: u32 = 40;
const BETWEEN_LOCK_LOOKS: Duration = Duration::from_millis(25);

/// What is wrong with an index.
#[derive(Clone, Debug, thiserror::Error)]
pub(super) enum Fault {
    #[error("the index did not open within {} s", .0.as_secs())]
    Hangs(Duration),
    #[error("the index's store panicked")]
    Panicked,
    #[error("the index's store failed: {0}")]
    Store(#[from] sled::Error),
    #[error("the index holds {0}, which is neither a file nor a folder")]
    NoFile(String),
    #[error("the index is of another form")]
    OtherForm,
    #[error("the index does not hold what it says it holds")]
    DigestDiffers,
    #[error("the index does not agree with the journal")]
    JournalDiffers,
    #[error("an entry of the index cannot be understood")]
    Entry,
    #[error("a value of the index does not open under the archive's key")]
    DoesNotOpen,
    #[error("a value of the index cannot be sealed")]
    CannotSeal,
}

/// A set of changes; `None` removes the key.
pub(super) type Changes = BTreeMap<Vec<u8>, Option<Vec<u8>>>;

/// A key with its value.
pub(super) type Entry = (Vec<u8>, Vec<u8>);

/// What the index holds, in short.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Summary {
    form: u32,
    /// The last journal record taken in.
    pub(super) head: Head,
    /// Where that record stands; `None` before the first.
    pub(super) at: Option<Location>,
    /// Sum, modulo 2^128, of the entries' digests: the same whatever the order of the changes.
    digest: Digest128,
    /// Entries by the first byte of their key.
    counts: BTreeMap<u8, u64>,
}

/// Serialised as text: JSON numbers of 128 bits are not to be relied on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
struct Digest128(u128);

impl TryFrom<String> for Digest128 {
    type Error = std::num::ParseIntError;
    fn try_from(text: String) -> Result<Self, Self::Error> {
        u128::from_str_radix(&text, 16).map(Self)
    }
}

impl From<Digest128> for String {
    fn from(digest: Digest128) -> Self {
        format!("{:032x}", digest.0)
    }
}

impl Summary {
    /// Entries whose key begins with this byte.
    pub(super) fn count(&self, kind: u8) -> u64 {
        self.counts.get(&kind).copied().unwrap_or(0)
    }

    /// Whether both hold the same entries.
    pub(super) fn same_entries(&self, other: &Self) -> bool {
        self.digest == other.digest && self.counts == other.counts
    }

    fn add(&mut self, key: &[u8], value: &[u8]) {
        self.digest.0 = self.digest.0.wrapping_add(entry_digest(key, value));
        if let Some(&kind) = key.first() {
            *self.counts.entry(kind).or_default() += 1;
        }
    }

    fn take_away(&mut self, key: &[u8], value: &[u8]) {
        self.digest.0 = self.digest.0.wrapping_sub(entry_digest(key, value));
        if let Some(kind) = key.first()
            && let Some(count) = self.counts.get_mut(kind)
        {
            *count = count.saturating_sub(1);
            if *count == 0 {
                self.counts.remove(kind);
            }
        }
    }
}

fn entry_digest(key: &[u8], value: &[u8]) -> u128 {
    let mut digest = Sha256::new();
    digest.update((key.len() as u64).to_le_bytes());
    digest.update(key);
    digest.update(value);
    let mut half = [0; 16];
    for (to, from) in half.iter_mut().zip(digest.finalize()) {
        *to = from;
    }
    u128::from_le_bytes(half)
}

/// How values lie on the disk.
struct Form(Option<Key>);

impl Form {
    fn seal(&self, key: &[u8], value: Vec<u8>) -> Result<Vec<u8>, Fault> {
        match &self.0 {
            Some(seal) => seal.seal(&value, key).map_err(|_| Fault::CannotSeal),
            None => Ok(value),
        }
    }

    fn open(&self, key: &[u8], value: &[u8]) -> Result<Vec<u8>, Fault> {
        match &self.0 {
            Some(seal) => Ok(seal.open(value, key).ok_or(Fault::DoesNotOpen)?.to_vec()),
            None => Ok(value.to_vec()),
        }
    }
}

enum Base {
    Stored(sled::Db, Form),
    Memory(RwLock<BTreeMap<Vec<u8>, Vec<u8>>>),
}

/// Makes an index in memory that has taken in the journal up to this record.
type Again = Box<dyn Fn(&Head) -> Result<Index, ArchiveError> + Send + Sync>;

/// Keys and values in order of their keys.
pub(super) struct Index {
    /// Written to, but for changes of entries, only to go on in memory.
    base: RwLock<Base>,
    summary: Mutex<Summary>,
    again: OnceLock<Again>,
    #[cfg(test)]
    pub(super) full: std::sync::atomic::AtomicBool,
}

/// sled takes a pipe or a device for an empty file and what is written to it for kept, until its own thread gets to
/// writing: whether that is before or after somebody was told that all is well, is chance. So nothing is opened that
/// cannot keep anything.
fn check_files(folder: &Path) -> Result<(), Fault> {
    let failed = |error| Fault::Store(sled::Error::Io(error));
    let entries = match std::fs::read_dir(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        entries => entries.map_err(failed)?,
    };
    for entry in entries {
        let entry = entry.map_err(failed)?;
        // Through links: they may lead to another disk.
        let kind = match std::fs::metadata(entry.path()) {
            // The threads of a database that is being let go remove files.
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            data => data.map_err(failed)?.file_type(),
        };
        if kind.is_dir() {
            check_files(&entry.path())?;
        } else if !kind.is_file() {
            return Err(Fault::NoFile(entry.file_name().to_string_lossy().into_owned()));
        }
    }
    Ok(())
}

/// Opens a database whose last handle may have been dropped a moment ago: sled's own threads keep its lock a little
/// longer. Another process can't have it, that is what the archive's lock is for.
fn open_when_let_go(config: &sled::Config) -> sled::Result<sled::Db> {
    for _ in 0..LOCK_LOOKS {
        match config.open() {
            Err(sled::Error::Io(error)) if error.to_string().contains("could not acquire lock") => {
                std::thread::sleep(BETWEEN_LOCK_LOOKS);
            }
            opened => return opened,
        }
    }
    config.open()
}

impl Fault {
    /// Whether the disk has no room: the one fault that passes by itself.
    pub(super) fn is_full_disk(&self) -> bool {
        let full = |kind| matches!(kind, io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded);
        matches!(self, Self::Store(sled::Error::Io(error)) if full(error.kind()))
    }
}

impl Drop for Index {
    fn drop(&mut self) {
        let base = self.base.get_mut().unwrap_or_else(PoisonError::into_inner);
        let stored = std::mem::replace(base, Base::Memory(RwLock::default()));
        // sled syncs once more when it is let go, and panics where the disk refuses. The index is no truth; what the disk
        // refused of the truth is told of by whoever wrote it.
        if catch_unwind(AssertUnwindSafe(|| drop(stored))).is_err() {
            tracing::error!("the disk refused the index when it was let go; the next start makes it anew");
        }
    }
}

impl Index {
    fn on(base: Base, summary: Summary) -> Self {
        Self {
            base: RwLock::new(base),
            summary: Mutex::new(summary),
            again: OnceLock::new(),
            #[cfg(test)]
            full: false.into(),
        }
    }

    /// Has the index go on in memory, made again so, when its disk has no room.
    pub(super) fn when_full(&self, again: impl Fn(&Head) -> Result<Self, ArchiveError> + Send + Sync + 'static) {
        // Told once.
        _ = self.again.set(Box::new(again));
    }

    pub(super) fn is_in_memory(&self) -> bool {
        matches!(*self.base.read().unwrap_or_else(PoisonError::into_inner), Base::Memory(_))
    }

    /// Does something with the entries. sled refuses all once a write of it has failed, so when it was for want of room
    /// the index goes on in memory: all that it holds stands in the journal.
    fn with<T>(&self, work: impl Fn(&Base) -> Result<T, Fault>) -> Result<T, Fault> {
        #[cfg(test)]
        let work = |base: &Base| self.refuses(base).map_or_else(|| work(base), Err);
        let outcome = work(&self.base.read().unwrap_or_else(PoisonError::into_inner));
        match outcome {
            Err(fault) if fault.is_full_disk() && self.go_on_in_memory() => {
                work(&self.base.read().unwrap_or_else(PoisonError::into_inner))
            }
            outcome => outcome,
        }
    }

    /// What a test wants the store to say.
    #[cfg(test)]
    fn refuses(&self, base: &Base) -> Option<Fault> {
        let full = self.full.load(std::sync::atomic::Ordering::Relaxed) && matches!(base, Base::Stored(..));
        full.then(|| Fault::Store(sled::Error::Io(io::ErrorKind::StorageFull.into())))
    }

    fn go_on_in_memory(&self) -> bool {
        let mut base = self.base.write().unwrap_or_else(PoisonError::into_inner);
        if let Base::Memory(_) = *base {
            return true;
        }
        let Some(again) = self.again.get() else { return false };
        // Nobody commits meanwhile.
        let head = self.summary().head;
        match again(&head) {
            Ok(made) => {
                let made_base = {
                    let mut base = made.base.write().unwrap_or_else(PoisonError::into_inner);
                    std::mem::replace(&mut *base, Base::Memory(RwLock::default()))
                };
                let stored = std::mem::replace(&mut *base, made_base);
                *self.summary.lock().unwrap_or_else(PoisonError::into_inner) = made.summary();
                // It tries to write once more, in vain.
                _ = catch_unwind(AssertUnwindSafe(|| drop(stored)));
                tracing::error!(
                    records = head.sequence,
                    "the disk has no room for the index, which goes on in memory; make room: the next start makes it anew"
                );
                true
            }
            Err(error) => {
                tracing::error!(%error, "the disk has no room for the index, and it cannot be made again in memory");
                false
            }
        }
    }

    /// Opens or makes the index in this folder and checks its digest, within the deadline.
    ///
    /// A thread that hangs cannot be ended: it is left behind with files that are about to be set aside.
    pub(super) fn open(path: &Path, deadline: Duration, key: Option<Key>) -> Result<Self, Fault> {
        let (reply, answer) = mpsc::channel();
        let folder = path.to_owned();
        let opening = std::thread::Builder::new().name("index-open".to_owned()).spawn(move || {
            let outcome = catch_unwind(AssertUnwindSafe(|| Self::open_unguarded(&folder, Form(key))));
            // Nobody listens any more once the deadline has passed.
            _ = reply.send(outcome.unwrap_or(Err(Fault::Panicked)));
        });
        if let Err(error) = opening {
            return Err(Fault::Store(sled::Error::Io(error)));
        }
        answer.recv_timeout(deadline).unwrap_or(Err(Fault::Hangs(deadline)))
    }

    fn open_unguarded(path: &Path, form: Form) -> Result<Self, Fault> {
        check_files(path)?;
        let config = sled::Config::new().path(path).cache_capacity(CACHE_BYTES).mode(sled::Mode::LowSpace);
        let database = open_when_let_go(&config)?;
        let mut held = Summary { form: FORM, ..Summary::default() };
        let mut said = None;
        for entry in database.iter() {
            let (key, value) = entry?;
            let value = form.open(&key, &value)?;
            if &*key == SUMMARY {
                said = Some(serde_json::from_slice::<Summary>(&value).map_err(|_| Fault::OtherForm)?);
            } else {
                held.add(&key, &value);
            }
        }
        let summary = match said {
            None if held.counts.is_empty() => held,
            None => return Err(Fault::DigestDiffers),
            Some(said) if said.form != FORM => return Err(Fault::OtherForm),
            Some(said) if !said.same_entries(&held) => return Err(Fault::DigestDiffers),
            Some(said) => said,
        };
        Ok(Self::on(Base::Stored(database, form), summary))
    }

    /// Waits until everything taken in was handed to the disk, so that a store that keeps nothing is found out now and
    /// not by chance. Nobody relies on it being there after a power loss.
    pub(super) fn hand_over(&self) -> Result<(), Fault> {
        self.with(|base| match base {
            Base::Stored(database, _) => guarded(|| database.flush()).map(|_| ()),
            Base::Memory(_) => Ok(()),
        })
    }

    /// Loses an entry without a word, as sled may after a crash.
    #[cfg(test)]
    pub(super) fn lose(&self, key: &[u8]) {
        let base = self.base.read().unwrap();
        let Base::Stored(database, _) = &*base else { return };
        assert!(database.remove(key).unwrap().is_some());
        database.flush().unwrap();
    }

    /// Reads everything and sums it up anew, as opening does; `None` when it changed all the time.
    pub(super) fn recount(&self) -> Result<Option<Summary>, Fault> {
        self.with(|base| self.recount_in(base))
    }

    fn recount_in(&self, base: &Base) -> Result<Option<Summary>, Fault> {
        let Base::Stored(database, form) = base else { return Ok(Some(self.summary())) };
        for _ in 0..RECOUNTS {
            // Written in one batch with the entries it speaks of: the same before and after, and nothing changed.
            let before = guarded(|| database.get(SUMMARY))?;
            let entries = guarded(|| database.iter().collect::<sled::Result<Vec<_>>>())?;
            let mut held = Summary { form: FORM, ..Summary::default() };
            for (key, value) in entries {
                if &*key != SUMMARY {
                    held.add(&key, &form.open(&key, &value)?);
                }
            }
            if guarded(|| database.get(SUMMARY))? == before {
                let Some(said) = before else { return Ok(Some(held)) };
                let said = form.open(SUMMARY, &said)?;
                let said: Summary = serde_json::from_slice(&said).map_err(|_| Fault::OtherForm)?;
                return Ok(Some(Summary { head: said.head, at: said.at, ..held }));
            }
        }
        Ok(None)
    }

    /// An empty index that lives in memory.
    pub(super) fn in_memory() -> Self {
        let summary = Summary { form: FORM, ..Summary::default() };
        Self::on(Base::Memory(RwLock::default()), summary)
    }

    pub(super) fn summary(&self) -> Summary {
        self.summary.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(super) fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, Fault> {
        self.with(|base| base.get(key))
    }

    /// At most `limit` entries whose key begins with `prefix`, in order, beginning after the key `after`.
    pub(super) fn page(&self, prefix: &[u8], after: Option<&[u8]>, limit: usize) -> Result<Vec<Entry>, Fault> {
        use std::ops::Bound;
        let from = after.map_or(Bound::Included(prefix), Bound::Excluded);
        self.with(|base| match base {
            Base::Stored(database, form) => {
                let found = guarded(|| {
                    let entries = database.range::<&[u8], _>((from, Bound::Unbounded)).take(limit);
                    let ours = |entry: &sled::Result<(sled::IVec, sled::IVec)>| match entry {
                        Ok((key, _)) => key.starts_with(prefix),
                        Err(_) => true,
                    };
                    entries.take_while(ours).collect::<sled::Result<Vec<_>>>()
                })?;
                found.into_iter().map(|(key, value)| Ok((key.to_vec(), form.open(&key, &value)?))).collect()
            }
            Base::Memory(map) => {
                let map = map.read().unwrap_or_else(PoisonError::into_inner);
                let entries = map.range::<[u8], _>((from, Bound::Unbounded)).take(limit);
                let ours = entries.take_while(|(key, _)| key.starts_with(prefix));
                Ok(ours.map(|(key, value)| (key.clone(), value.clone())).collect())
            }
        })
    }

    /// Makes the changes, all or none, and notes that the journal has been taken in up to `head`. One thread at a
    /// time.
    pub(super) fn commit(&self, changes: &Changes, head: &Head, at: Location) -> Result<(), Fault> {
        self.with(|base| {
            let mut summary = self.summary();
            for (key, value) in changes {
                if let Some(old) = base.get(key)? {
                    summary.take_away(key, &old);
                }
                if let Some(new) = value {
                    summary.add(key, new);
                }
            }
            summary.head = head.clone();
            summary.at = Some(at);
            base.apply(changes, &summary)?;
            // Before anybody can have the index go on elsewhere: entries and summary must be of the same record.
            *self.summary.lock().unwrap_or_else(PoisonError::into_inner) = summary;
            Ok(())
        })
    }
}

impl Base {
    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, Fault> {
        match self {
            Self::Stored(database, form) => {
                guarded(|| database.get(key))?.map(|value| form.open(key, &value)).transpose()
            }
            Self::Memory(map) => Ok(map.read().unwrap_or_else(PoisonError::into_inner).get(key).cloned()),
        }
    }

    fn apply(&self, changes: &Changes, summary: &Summary) -> Result<(), Fault> {
        match self {
            Self::Stored(database, form) => {
                let mut batch = sled::Batch::default();
                let said = serde_json::to_vec(summary).map_err(|_| Fault::Entry)?;
                batch.insert(SUMMARY, form.seal(SUMMARY, said)?);
                for (key, value) in changes {
                    match value {
                        Some(value) => batch.insert(key.as_slice(), form.seal(key, value.clone())?),
                        None => batch.remove(key.as_slice()),
                    }
                }
                guarded(|| database.apply_batch(batch))
            }
            Self::Memory(map) => {
                let mut map = map.write().unwrap_or_else(PoisonError::into_inner);
                for (key, value) in changes {
                    match value {
                        Some(value) => _ = map.insert(key.clone(), value.clone()),
                        None => _ = map.remove(key),
                    }
                }
                Ok(())
            }
        }
    }
}

/// sled panics where others return errors.
fn guarded<T>(work: impl FnOnce() -> sled::Result<T>) -> Result<T, Fault> {
    match catch_unwind(AssertUnwindSafe(work)) {
        Ok(outcome) => Ok(outcome?),
        Err(_) => Err(Fault::Panicked),
    }
}
