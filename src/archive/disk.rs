//! Every change that the archive makes to the disk, sled's own apart.
//!
//! One small file, so that the order of writes and syncs can be read here, and so that tests can make any of them
//! fail. It never retries: after a failed sync nobody knows what the disk holds (the kernel may have dropped the
//! pages and the error with them), so a sync's failure has its own error, and the process must end on it.

#![allow(clippy::unused_self, reason = "all changes go through a disk, so that tests can tie faults to it")]

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, FileExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use super::ArchiveError;

/// Nobody but the daemon's user may look into the state directory.
const FOLDER_MODE: u32 = 0o700;

/// Buffer for copying a source into the archive.
const COPY_BUFFER: usize = 128 * 1024;

/// The first of these names, by numbers from 1, that nothing in the folder bears.
pub(super) fn free_path(folder: &Path, name: impl Fn(u64) -> String) -> PathBuf {
    let mut path = folder.join(name(1));
    for number in 2.. {
        if path.symlink_metadata().is_err() {
            break;
        }
        path = folder.join(name(number));
    }
    path
}

/// The disk; cloned freely, all clones are the same disk.
#[derive(Clone, Default)]
pub(super) struct Disk {
    #[cfg(any(test, feature = "faults"))]
    pub(super) faults: std::sync::Arc<faults::Faults>,
    #[cfg(test)]
    pub(super) record: std::sync::Arc<record::Record>,
    /// Size of a journal's segment, 0 for the usual one.
    #[cfg(test)]
    pub(super) segment_bytes: std::sync::Arc<std::sync::atomic::AtomicU64>,
}

impl Disk {
    /// How large a segment of the journal may get, which is `usual` but in tests.
    pub(super) fn segment_bytes(&self, usual: u64) -> u64 {
        #[cfg(test)]
        match self.segment_bytes.load(std::sync::atomic::Ordering::Relaxed) {
            0 => {}
            bytes => return bytes,
        }
        usual
    }

    /// Makes a folder and those above it, for this user alone.
    pub(super) fn make_folder(&self, path: &Path) -> Result<(), ArchiveError> {
        self.before(Operation::Write, path)?;
        fs::DirBuilder::new()
            .recursive(true)
            .mode(FOLDER_MODE)
            .create(path)
            .map_err(|e| ArchiveError::write_failed(path, e))?;
        self.done(|| Done::Folder(path.to_owned()));
        Ok(())
    }

    /// Makes a folder private that another program has made.
    pub(super) fn make_private(&self, path: &Path) -> Result<(), ArchiveError> {
        self.before(Operation::Write, path)?;
        fs::set_permissions(path, fs::Permissions::from_mode(FOLDER_MODE))
            .map_err(|e| ArchiveError::write_failed(path, e))
    }

    /// Makes a file writable for this user that was stored to be changed by nobody.
    pub(super) fn make_writable(&self, path: &Path) -> Result<(), ArchiveError> {
        self.before(Operation::Write, path)?;
        fs::set_permissions(path, fs::Permissions::from_mode(0o600)).map_err(|e| ArchiveError::write_failed(path, e))
    }

    /// Makes a new file; one that exists already is an error.
    pub(super) fn create(&self, path: &Path, mode: u32) -> Result<File, ArchiveError> {
        self.before(Operation::Write, path)?;
        let file = OpenOptions::new().write(true).create_new(true).mode(mode).open(path);
        let file = file.map_err(|e| ArchiveError::write_failed(path, e))?;
        self.done(|| Done::Created(path.to_owned()));
        Ok(file)
    }

    /// Appends to a file that was just made.
    pub(super) fn write(&self, file: &mut File, path: &Path, bytes: &[u8]) -> Result<(), ArchiveError> {
        if let Err(error) = self.before(Operation::Write, path) {
            // As a disk that fills up: what had room is there.
            file.write_all(first_half(bytes)).map_err(|e| ArchiveError::write_failed(path, e))?;
            return Err(error);
        }
        file.write_all(bytes).map_err(|e| ArchiveError::write_failed(path, e))?;
        self.done(|| Done::Appended(path.to_owned(), bytes.to_owned()));
        Ok(())
    }

    /// Copies all of `from`, showing each piece to `seen`. An error of the source is told apart from one of the disk.
    pub(super) fn copy(
        &self,
        from: &mut dyn io::Read,
        file: &mut File,
        path: &Path,
        mut seen: impl FnMut(&[u8]),
    ) -> Result<u64, ArchiveError> {
        let mut buffer = vec![0; COPY_BUFFER];
        let mut size = 0;
        loop {
            let read = match from.read(&mut buffer) {
                Ok(0) => return Ok(size),
                Ok(read) => read,
                Err(e) if e.kind() == io::ErrorKind::Interrupted => continue,
                Err(e) => return Err(ArchiveError::SourceUnreadable { source: std::sync::Arc::new(e) }),
            };
            let piece = buffer.get(..read).unwrap_or_default();
            seen(piece);
            self.write(file, path, piece)?;
            size += read as u64;
        }
    }

    /// Writes at an offset: the journal knows where its last durable record ends, whatever an earlier try left there.
    pub(super) fn write_at(&self, file: &File, path: &Path, bytes: &[u8], offset: u64) -> Result<(), ArchiveError> {
        if let Err(error) = self.before(Operation::Write, path) {
            file.write_all_at(first_half(bytes), offset).map_err(|e| ArchiveError::write_failed(path, e))?;
            return Err(error);
        }
        file.write_all_at(bytes, offset).map_err(|e| ArchiveError::write_failed(path, e))?;
        self.done(|| Done::Written(path.to_owned(), offset, bytes.to_owned()));
        Ok(())
    }

    /// Cuts a file to a length.
    pub(super) fn cut(&self, file: &File, path: &Path, length: u64) -> Result<(), ArchiveError> {
        self.before(Operation::Write, path)?;
        file.set_len(length).map_err(|e| ArchiveError::write_failed(path, e))?;
        self.done(|| Done::Cut(path.to_owned(), length));
        Ok(())
    }

    /// Bytes that may still be written on the disk of a folder; `None` when it does not tell.
    pub(super) fn free_bytes(&self, folder: &Path) -> Option<u64> {
        #[cfg(feature = "faults")]
        if let Some(told) = std::env::var_os("NICUFAXD_FREE_BYTES_FILE") {
            return fs::read_to_string(told).ok()?.trim().parse().ok();
        }
        let free = rustix::fs::statvfs(folder).ok()?;
        Some(free.f_bavail.saturating_mul(free.f_frsize))
    }

    /// Lets the kernel begin to write the file out, so that the syncs of many files overlap.
    pub(super) fn begin_write_back(&self, file: &File) {
        // On Linux this advice starts write-back of dirty pages and waits for nothing. A refusal costs speed only.
        _ = rustix::fs::fadvise(file, 0, None, rustix::fs::Advice::DontNeed);
    }

    /// Waits until the file's content and size are on the disk.
    pub(super) fn sync(&self, file: &File, path: &Path) -> Result<(), ArchiveError> {
        self.before(Operation::Sync, path)?;
        file.sync_all().map_err(|e| ArchiveError::sync_failed(path, e))?;
        self.done(|| Done::Synced(path.to_owned()));
        Ok(())
    }

    /// Waits until the file's content, and as much of its metadata as reading it needs, is on the disk.
    pub(super) fn sync_data(&self, file: &File, path: &Path) -> Result<(), ArchiveError> {
        self.before(Operation::Sync, path)?;
        file.sync_data().map_err(|e| ArchiveError::sync_failed(path, e))?;
        self.done(|| Done::Synced(path.to_owned()));
        Ok(())
    }

    /// Waits until the names in a folder are on the disk.
    pub(super) fn sync_folder(&self, path: &Path) -> Result<(), ArchiveError> {
        // The parent of a bare file name.
        let path = if path.as_os_str().is_empty() { Path::new(".") } else { path };
        let folder = File::open(path).map_err(|e| ArchiveError::sync_failed(path, e))?;
        self.sync(&folder, path)
    }

    /// Gives a file its name, replacing what bore it.
    pub(super) fn rename(&self, from: &Path, to: &Path) -> Result<(), ArchiveError> {
        self.before(Operation::Rename, to)?;
        fs::rename(from, to).map_err(|e| ArchiveError::write_failed(to, e))?;
        self.done(|| Done::Renamed(from.to_owned(), to.to_owned()));
        Ok(())
    }

    /// Removes a file; one that is not there is no error.
    pub(super) fn remove(&self, path: &Path) -> Result<(), ArchiveError> {
        match fs::remove_file(path) {
            Err(e) if e.kind() != io::ErrorKind::NotFound => Err(ArchiveError::write_failed(path, e)),
            Ok(()) | Err(_) => {
                self.done(|| Done::Removed(path.to_owned()));
                Ok(())
            }
        }
    }

    /// Removes a folder with all that it holds; one that is not there is no error.
    pub(super) fn remove_folder(&self, path: &Path) -> Result<(), ArchiveError> {
        match fs::remove_dir_all(path) {
            Err(e) if e.kind() != io::ErrorKind::NotFound => Err(ArchiveError::write_failed(path, e)),
            Ok(()) | Err(_) => {
                self.done(|| Done::Removed(path.to_owned()));
                Ok(())
            }
        }
    }

    #[cfg(not(any(test, feature = "faults")))]
    #[allow(clippy::unnecessary_wraps, reason = "fails only under test")]
    fn before(&self, _operation: Operation, _path: &Path) -> Result<(), ArchiveError> {
        Ok(())
    }

    #[cfg(any(test, feature = "faults"))]
    fn before(&self, operation: Operation, path: &Path) -> Result<(), ArchiveError> {
        match self.faults.strikes(operation) {
            None => Ok(()),
            Some(error) if operation == Operation::Sync => Err(ArchiveError::sync_failed(path, error)),
            Some(error) => Err(ArchiveError::write_failed(path, error)),
        }
    }

    #[cfg(not(test))]
    fn done(&self, _change: impl FnOnce() -> Done) {}

    /// Notes a change that was made, if a test wants to know.
    #[cfg(test)]
    fn done(&self, change: impl FnOnce() -> Done) {
        self.record.note(change);
    }
}

/// What is written before a fault strikes.
fn first_half(bytes: &[u8]) -> &[u8] {
    bytes.get(..bytes.len() / 2).unwrap_or_default()
}

/// A change that was made to the disk.
#[cfg_attr(not(test), allow(dead_code, reason = "only tests keep a record of changes"))]
#[derive(Clone, Debug)]
pub(super) enum Done {
    Folder(PathBuf),
    Created(PathBuf),
    Appended(PathBuf, Vec<u8>),
    Written(PathBuf, u64, Vec<u8>),
    Cut(PathBuf, u64),
    /// A file's content, or a folder's names.
    Synced(PathBuf),
    Renamed(PathBuf, PathBuf),
    /// A file, or a folder with all that it held.
    Removed(PathBuf),
}

/// What a fault can be tied to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Operation {
    Write,
    Rename,
    Sync,
}

#[cfg(test)]
pub(super) mod record {
    use std::sync::Mutex;

    use super::Done;

    /// What was done, once somebody has begun to keep it.
    #[derive(Default)]
    pub(in crate::archive) struct Record(Mutex<Option<Vec<Done>>>);

    impl Record {
        pub(in crate::archive) fn begin(&self) {
            *self.0.lock().unwrap() = Some(Vec::new());
        }

        pub(in crate::archive) fn changes(&self) -> Vec<Done> {
            self.0.lock().unwrap().clone().unwrap()
        }

        pub(super) fn note(&self, change: impl FnOnce() -> Done) {
            if let Some(changes) = self.0.lock().unwrap().as_mut() {
                changes.push(change());
            }
        }
    }
}

#[cfg(any(test, feature = "faults"))]
pub(super) mod faults {
    use std::io;
    use std::sync::{Mutex, PoisonError};

    use super::Operation;

    /// One fault to come: the `after`th operation of its kind from now fails, once.
    pub(in crate::archive) struct Faults(Mutex<Option<(Operation, usize, i32)>>);

    impl Default for Faults {
        /// None, or what `NICUFAXD_DISK_FAULT=write:AFTER:ERRNO` (or `rename`, `sync`) says.
        fn default() -> Self {
            let planned = std::env::var("NICUFAXD_DISK_FAULT").ok().and_then(|plan| {
                let mut parts = plan.split(':');
                let operation = match parts.next()? {
                    "write" => Operation::Write,
                    "rename" => Operation::Rename,
                    _ => Operation::Sync,
                };
                Some((operation, parts.next()?.parse().ok()?, parts.next()?.parse().ok()?))
            });
            Self(Mutex::new(planned))
        }
    }

    /// Linux's number of "no space left on device".
    #[cfg(test)]
    pub(in crate::archive) const NO_SPACE: i32 = 28;
    /// Linux's number of "input/output error".
    #[cfg(test)]
    pub(in crate::archive) const INPUT_OUTPUT: i32 = 5;

    #[cfg(test)]
    impl Faults {
        pub(in crate::archive) fn plan(&self, operation: Operation, after: usize, errno: i32) {
            *self.0.lock().unwrap() = Some((operation, after, errno));
        }

        pub(in crate::archive) fn pending(&self) -> bool {
            self.0.lock().unwrap().is_some()
        }
    }

    impl Faults {
        pub(super) fn strikes(&self, operation: Operation) -> Option<io::Error> {
            let mut planned = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            match *planned {
                Some((kind, 0, errno)) if kind == operation => {
                    *planned = None;
                    Some(io::Error::from_raw_os_error(errno))
                }
                Some((kind, after, errno)) if kind == operation => {
                    *planned = Some((kind, after - 1, errno));
                    None
                }
                Some(_) | None => None,
            }
        }
    }
}
