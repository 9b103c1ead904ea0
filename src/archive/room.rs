//! Room on the disk: whether there is enough to accept anything, and what an operator is told of it.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use jiff::Timestamp;
use serde::Serialize;

use super::{Archive, ArchiveError, Inner};

/// What happened to this archive for want of room since it was opened.
#[derive(Default)]
pub(super) struct Room {
    paused_since: Mutex<Option<Timestamp>>,
    write_failures: AtomicU64,
}

impl Room {
    /// Counts what could not be written.
    pub(super) fn count<T>(&self, outcome: Result<T, ArchiveError>) -> Result<T, ArchiveError> {
        if let Err(ArchiveError::WriteFailed { .. } | ArchiveError::SyncFailed { .. }) = &outcome {
            self.write_failures.fetch_add(1, Ordering::Relaxed);
        }
        outcome
    }
}

/// How the disk of the state directory stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct DiskStatus {
    /// `None` when the disk does not tell.
    pub free_bytes: Option<u64>,
    /// Below this nothing is accepted.
    pub min_free: u64,
    /// Since when nothing is accepted for want of room; `None` while there is enough.
    pub paused_since: Option<Timestamp>,
    /// Whether the index lies in memory, because there was no room for it.
    pub index_in_memory: bool,
    /// What could not be written since the start.
    pub write_failures: u64,
}

impl Archive {
    /// [`ArchiveError::LittleRoom`] while less is free than [`OpenOptions::min_free`](super::OpenOptions::min_free):
    /// what is accepted needs room to be worked on and exported too.
    pub fn check_room(&self) -> Result<(), ArchiveError> {
        let DiskStatus { min_free, paused_since, .. } = self.disk_status();
        match paused_since {
            Some(_) => Err(ArchiveError::LittleRoom { state: self.inner.state.clone(), min_free }),
            None => Ok(()),
        }
    }

    /// How the disk stands now.
    pub fn disk_status(&self) -> DiskStatus {
        let Inner { disk, state, min_free, room, index, .. } = &*self.inner;
        let free_bytes = disk.free_bytes(state);
        let mut paused_since = room.paused_since.lock().unwrap_or_else(PoisonError::into_inner);
        // A disk that does not tell is found out by writing.
        if free_bytes.is_some_and(|free| free < *min_free) {
            paused_since.get_or_insert_with(crate::clock::now);
        } else {
            *paused_since = None;
        }
        DiskStatus {
            free_bytes,
            min_free: *min_free,
            paused_since: *paused_since,
            index_in_memory: index.is_in_memory(),
            write_failures: room.write_failures.load(Ordering::Relaxed),
        }
    }
}
