//! One process at a time may write to a state directory. Commands have it for moments only, so whoever finds it taken
//! waits a little: a daemon's start must not fail because somebody looked at a list.
//!
//! The kernel's lock on a file ends with the process, however that ends; the process id written into the file only
//! makes the refusal helpful.

use std::fs::{File, OpenOptions};
use std::io::{Read, Seek, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::time::{Duration, Instant};

use rustix::fs::FlockOperation;

use super::ArchiveError;

/// How long a command may have the lock, with room to spare.
const PATIENCE: Duration = Duration::from_secs(5);

const BETWEEN_TRIES: Duration = Duration::from_millis(50);

/// The lock, held until dropped.
pub(super) struct Lock {
    _file: File,
}

impl Lock {
    /// Takes the lock of a state directory, waiting some seconds for it, or says who has it. By tries: the kernel waits for
    /// a lock for ever or not at all, and a thread that waits for ever cannot be called back.
    pub(super) fn take(state: &Path) -> Result<Self, ArchiveError> {
        Self::take_within(state, || std::thread::sleep(BETWEEN_TRIES))
    }

    /// `wait`: what to do between two tries.
    fn take_within(state: &Path, mut wait: impl FnMut()) -> Result<Self, ArchiveError> {
        let until = Instant::now() + PATIENCE;
        loop {
            match Self::take_at_once(state) {
                Err(ArchiveError::Locked { .. }) if Instant::now() < until => wait(),
                outcome => return outcome,
            }
        }
    }

    /// Takes the lock of a state directory, or says who has it now.
    pub(super) fn take_at_once(state: &Path) -> Result<Self, ArchiveError> {
        let path = state.join("lock");
        let failed = |e| ArchiveError::write_failed(&path, e);
        let mut file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .open(&path)
            .map_err(failed)?;
        if let Err(error) = rustix::fs::flock(&file, FlockOperation::NonBlockingLockExclusive) {
            if error != rustix::io::Errno::WOULDBLOCK {
                return Err(failed(error.into()));
            }
            let mut text = String::new();
            let holder = file.read_to_string(&mut text).ok().and_then(|_| text.trim().parse().ok());
            return Err(ArchiveError::Locked { state: state.to_owned(), holder });
        }
        // It only makes a refusal helpful, and a full disk may have no room for it.
        _ = file.set_len(0).and_then(|()| file.rewind()).and_then(|()| writeln!(file, "{}", std::process::id()));
        Ok(Self { _file: file })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whoever_finds_the_lock_taken_for_a_moment_waits_for_it() {
        let state = tempfile::TempDir::new().unwrap();
        let mut first = Some(Lock::take(state.path()).unwrap());
        let mut waited = 0;
        let second = Lock::take_within(state.path(), || {
            waited += 1;
            first = None;
        });
        assert!(second.is_ok() && waited == 1, "{waited}");
    }
}
