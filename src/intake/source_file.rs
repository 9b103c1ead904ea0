//! A file at its source: what tells it from others, and how it is read without being fooled.
//!
//! The decision to take a file is made on the descriptor that was opened, never on its name: a link, a pipe or another
//! file put in its place between the look and the reading is noticed. Nothing here writes.

use std::ffi::OsString;
use std::fs::{self, File, FileType, Metadata, OpenOptions};
use std::io::{self, Read};
use std::os::unix::fs::{FileTypeExt, MetadataExt, OpenOptionsExt};
use std::path::Path;

use rustix::fs::OFlags;
use rustix::io::Errno;

use super::Refusal;

/// What an entry of a folder is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    File,
    Folder,
    Link,
    /// A pipe, a socket or a device.
    Special,
    /// The entry is there, but the system does not tell what it is.
    Unknown(io::ErrorKind),
}

/// What tells a file from another and a changed file from an unchanged one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Fingerprint {
    pub device: u64,
    pub inode: u64,
    pub size: u64,
    /// Nanoseconds since 1970.
    pub modified_ns: i128,
    /// Of the last change to the inode; no program can set it, so it shows a writer that keeps the modification time.
    pub changed_ns: i128,
}

impl Fingerprint {
    pub fn of(metadata: &Metadata) -> Self {
        let nanoseconds = |seconds: i64, rest: i64| i128::from(seconds) * 1_000_000_000 + i128::from(rest);
        Self {
            device: metadata.dev(),
            inode: metadata.ino(),
            size: metadata.size(),
            modified_ns: nanoseconds(metadata.mtime(), metadata.mtime_nsec()),
            changed_ns: nanoseconds(metadata.ctime(), metadata.ctime_nsec()),
        }
    }

    /// The same file with the same content; a rename may have touched the inode.
    pub fn same_file(&self, other: &Self) -> bool {
        Self { changed_ns: 0, ..*self } == Self { changed_ns: 0, ..*other }
    }

    /// The later of its two times, nanoseconds since 1970.
    pub fn last_touched_ns(&self) -> i128 {
        self.modified_ns.max(self.changed_ns)
    }
}

/// The name under which the archive knows this arrival: the same for the same file after a crash and a restart, another
/// for another file. The device is left out because its number may change when a volume is mounted again.
pub(super) fn source_key(source: &str, name: &str, fingerprint: &Fingerprint) -> String {
    let Fingerprint { inode, modified_ns, size, .. } = fingerprint;
    format!("{source}/{name}#{inode}-{modified_ns}-{size}")
}

/// One entry of a folder, as it was when looked at.
#[derive(Clone, Debug)]
pub(super) struct Entry {
    pub name: OsString,
    pub kind: Kind,
    pub fingerprint: Fingerprint,
}

/// Everything that lies in a folder, sorted by name; subfolders are listed, not entered.
///
/// # Errors
/// The folder, or what lies in it, may not be read at all.
pub(super) fn list(folder: &Path) -> io::Result<Vec<Entry>> {
    let mut entries = Vec::new();
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let name = entry.file_name();
        // On Linux this looks at the entry itself and follows no link.
        match entry.metadata() {
            Ok(metadata) => {
                let fingerprint = Fingerprint::of(&metadata);
                entries.push(Entry { name, kind: kind(metadata.file_type()), fingerprint });
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            // A folder without the right to enter it refuses every entry alike: that is the folder's fault.
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied => return Err(error),
            Err(error) => {
                let kind = Kind::Unknown(error.kind());
                entries.push(Entry { name, kind, fingerprint: Fingerprint::default() });
            }
        }
    }
    entries.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(entries)
}

fn kind(file_type: FileType) -> Kind {
    if file_type.is_file() {
        Kind::File
    } else if file_type.is_dir() {
        Kind::Folder
    } else if file_type.is_symlink() {
        Kind::Link
    } else {
        debug_assert!(
            file_type.is_fifo() || file_type.is_socket() || file_type.is_char_device() || file_type.is_block_device()
        );
        Kind::Special
    }
}

/// Why an opened file gave no bytes.
#[derive(Debug, thiserror::Error)]
pub(super) enum ReadError {
    #[error("the file is gone")]
    Gone,
    #[error("the file changed while it was read; it is looked at again")]
    Changed,
    #[error(transparent)]
    Refused(#[from] Refusal),
}

impl From<io::Error> for ReadError {
    fn from(error: io::Error) -> Self {
        if error.kind() == io::ErrorKind::NotFound {
            Self::Gone
        } else {
            Self::Refused(Refusal::Unreadable(error.kind()))
        }
    }
}

/// A regular file, opened; what it is was asked of the descriptor.
pub(super) struct SourceFile {
    file: File,
    pub fingerprint: Fingerprint,
}

impl SourceFile {
    /// Opens a file without following a link, without waiting at a pipe, and without becoming a terminal's owner.
    pub fn open(path: &Path) -> Result<Self, ReadError> {
        let flags = OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::NOCTTY;
        let file = match OpenOptions::new().read(true).custom_flags(flags.bits() as i32).open(path) {
            Ok(file) => file,
            // Only O_NOFOLLOW gives ELOOP for the last part of a path that could be listed.
            Err(error) if Errno::from_io_error(&error) == Some(Errno::LOOP) => return Err(Refusal::Link.into()),
            Err(error) if Errno::from_io_error(&error) == Some(Errno::NXIO) => return Err(Refusal::Special.into()),
            Err(error) => return Err(error.into()),
        };
        let metadata = file.metadata()?;
        if metadata.is_file() {
            Ok(Self { file, fingerprint: Fingerprint::of(&metadata) })
        } else {
            Err(Refusal::Special.into())
        }
    }

    /// All bytes, from 1 to `max_bytes` of them; the file is as it was when opened, or [`ReadError::Changed`].
    pub fn read_whole(&mut self, max_bytes: u64) -> Result<Vec<u8>, ReadError> {
        let size = self.fingerprint.size;
        if size > max_bytes {
            return Err(Refusal::TooLarge { limit: max_bytes }.into());
        }
        if size == 0 {
            return Err(Refusal::Empty.into());
        }
        let mut bytes = Vec::with_capacity(usize::try_from(size).unwrap_or_default());
        // One byte more than expected tells a file that grows.
        (&self.file).take(size + 1).read_to_end(&mut bytes)?;
        let after = Fingerprint::of(&self.file.metadata()?);
        if bytes.len() as u64 != size || after != self.fingerprint {
            return Err(ReadError::Changed);
        }
        Ok(bytes)
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    fn folder() -> tempfile::TempDir {
        tempfile::tempdir().unwrap()
    }

    fn put(path: &Path, bytes: &[u8]) {
        File::create(path).unwrap().write_all(bytes).unwrap();
    }

    #[test]
    fn a_file_that_grows_between_opening_and_reading_is_not_taken() {
        let folder = folder();
        let path = folder.path().join("0042.tif");
        put(&path, b"II*\0");
        let mut opened = SourceFile::open(&path).unwrap();
        OpenOptions::new().append(true).open(&path).unwrap().write_all(b"more").unwrap();
        assert!(matches!(opened.read_whole(100), Err(ReadError::Changed)));
    }

    #[test]
    fn links_pipes_sockets_and_devices_are_refused_without_waiting() {
        let folder = folder();
        let target = folder.path().join("target");
        put(&target, b"a secret");
        let link = folder.path().join("link.tif");
        std::os::unix::fs::symlink(&target, &link).unwrap();
        let pipe = folder.path().join("pipe.tif");
        rustix::fs::mkfifoat(rustix::fs::CWD, &pipe, rustix::fs::Mode::RUSR).unwrap();
        let socket = folder.path().join("socket.tif");
        let _listener = std::os::unix::net::UnixListener::bind(&socket).unwrap();

        let refusal = |path: &Path| match SourceFile::open(path) {
            Err(ReadError::Refused(refusal)) => refusal,
            Ok(_) | Err(ReadError::Gone | ReadError::Changed) => panic!("not refused"),
        };
        assert_eq!(refusal(&link), Refusal::Link);
        assert_eq!(refusal(&pipe), Refusal::Special);
        assert_eq!(refusal(&socket), Refusal::Special);
        assert_eq!(refusal(Path::new("/dev/null")), Refusal::Special);

        let kinds: Vec<Kind> = list(folder.path()).unwrap().into_iter().map(|entry| entry.kind).collect();
        assert_eq!(kinds, [Kind::Link, Kind::Special, Kind::Special, Kind::File]);
    }

    #[test]
    fn empty_files_and_files_over_the_limit_are_refused() {
        let folder = folder();
        let path = folder.path().join("a.tif");
        put(&path, b"");
        let read = |limit| SourceFile::open(&path).unwrap().read_whole(limit);
        assert!(matches!(read(8), Err(ReadError::Refused(Refusal::Empty))));
        put(&path, b"123456789");
        assert!(matches!(read(8), Err(ReadError::Refused(Refusal::TooLarge { limit: 8 }))));
        assert_eq!(read(9).unwrap(), b"123456789");
    }
}
