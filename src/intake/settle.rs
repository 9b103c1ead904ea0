//! How long each entry of a folder has lain unchanged before our eyes.
//!
//! Time is measured with the monotonic clock from our own first sight, so that a step of the wall clock, or an upload
//! that sets its modification time, settles nothing too early.

use std::collections::{HashMap, HashSet};
use std::ffi::{OsStr, OsString};

use tokio::time::Instant;

use super::changes::Change;
use super::source_file::{Entry, Fingerprint};

/// What is remembered of the entries of one folder from look to look.
#[derive(Default)]
pub(super) struct Settling {
    seen: HashMap<OsString, Seen>,
    writing: HashSet<OsString>,
}

/// Since when one entry is known, and since when it is as it is.
#[derive(Clone, Copy, Debug)]
pub(super) struct Seen {
    fingerprint: Fingerprint,
    pub first: Instant,
    pub unchanged_since: Instant,
}

impl Settling {
    /// Compares what lies there now with the last look, and forgets what is gone.
    pub fn observe(&mut self, entries: &[Entry], now: Instant) {
        let mut before = std::mem::take(&mut self.seen);
        for Entry { name, fingerprint, .. } in entries {
            let seen = match before.remove(name) {
                Some(seen) if seen.fingerprint == *fingerprint => seen,
                // Another inode under the same name is another file.
                Some(seen) if seen.fingerprint.inode == fingerprint.inode => {
                    Seen { fingerprint: *fingerprint, unchanged_since: now, ..seen }
                }
                Some(_) | None => Seen { fingerprint: *fingerprint, first: now, unchanged_since: now },
            };
            self.seen.insert(name.clone(), seen);
        }
        self.writing.retain(|name| self.seen.contains_key(name));
    }

    /// Takes note of who writes; true when a look is worth while.
    pub fn note(&mut self, change: Change) -> bool {
        match change {
            Change::Writing(name) => {
                self.writing.insert(name);
                false
            }
            Change::Closed(name) => {
                self.writing.remove(&name);
                true
            }
            Change::Lost | Change::FolderGone => {
                self.writing.clear();
                true
            }
            Change::Look => true,
        }
    }

    /// Makes an entry wait its full time again: it changed while it was read.
    pub fn restart(&mut self, name: &OsStr, now: Instant) {
        if let Some(seen) = self.seen.get_mut(name) {
            seen.unchanged_since = now;
        }
    }

    pub fn seen(&self, name: &OsStr) -> Option<Seen> {
        self.seen.get(name).copied()
    }

    /// A program of this machine is known to hold the file open for writing.
    pub fn is_being_written(&self, name: &OsStr) -> bool {
        self.writing.contains(name)
    }
}
