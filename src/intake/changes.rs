//! Changes in a folder, as the kernel tells them: the only user of inotify.
//!
//! A change only says "look": what is taken is decided by looking. Events get lost (a full queue, a network file
//! system, a watch set too late), so nothing relies on them but speed; the periodic look finds what they missed.
//! The one thing they add is which files a program of this machine is writing to.
//!
//! Leases (`F_SETLEASE`), which would tell writers too, need the file's owner and no safe wrapper offers them.

use std::ffi::OsString;
use std::fs;
use std::future::poll_fn;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::pin::Pin;

use futures_core::Stream;
use inotify::{EventMask, EventStream, Inotify, WatchMask};

/// What happened in the folder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Change {
    /// A program wrote to this file and has not closed it yet.
    Writing(OsString),
    /// A program closed this file, to which it may have written.
    Closed(OsString),
    /// Something else that is worth a look.
    Look,
    /// Events were lost: nothing is known of writers any more.
    Lost,
    /// The folder itself went away; this watch is of no use any more.
    FolderGone,
}

/// A watch on one folder.
pub(super) struct Changes {
    events: EventStream<Vec<u8>>,
    /// Device and inode of the folder.
    folder: (u64, u64),
}

impl Changes {
    /// Begins to watch; must be called within a tokio runtime.
    pub fn watch(folder: &Path) -> io::Result<Self> {
        let inotify = Inotify::init()?;
        let mask = WatchMask::MODIFY
            | WatchMask::CLOSE_WRITE
            | WatchMask::CREATE
            | WatchMask::MOVED_TO
            | WatchMask::ATTRIB
            | WatchMask::DELETE_SELF
            | WatchMask::MOVE_SELF
            | WatchMask::ONLYDIR;
        inotify.watches().add(folder, mask)?;
        Ok(Self { events: inotify.into_event_stream(vec![0; 16 * 1024])?, folder: identity(folder)? })
    }

    /// Whether the folder that bears this path now is the one being watched: when a folder above it is renamed, the
    /// kernel tells nothing.
    pub fn is_on(&self, folder: &Path) -> bool {
        identity(folder).is_ok_and(|identity| identity == self.folder)
    }

    /// Waits for the next change. Cancelling it loses none.
    pub async fn next(&mut self) -> io::Result<Change> {
        match poll_fn(|context| Pin::new(&mut self.events).poll_next(context)).await {
            Some(Ok(event)) => Ok(change(event.mask, event.name)),
            Some(Err(error)) => Err(error),
            None => Ok(Change::FolderGone),
        }
    }
}

fn identity(folder: &Path) -> io::Result<(u64, u64)> {
    let metadata = fs::metadata(folder)?;
    Ok((metadata.dev(), metadata.ino()))
}

fn change(mask: EventMask, name: Option<OsString>) -> Change {
    if mask.contains(EventMask::Q_OVERFLOW) {
        return Change::Lost;
    }
    if mask.intersects(EventMask::DELETE_SELF | EventMask::MOVE_SELF | EventMask::IGNORED | EventMask::UNMOUNT) {
        return Change::FolderGone;
    }
    match name {
        Some(name) if mask.contains(EventMask::CLOSE_WRITE) => Change::Closed(name),
        Some(name) if mask.contains(EventMask::MODIFY) => Change::Writing(name),
        Some(_) | None => Change::Look,
    }
}

#[cfg(test)]
mod tests {
    use std::fs::File;
    use std::io::Write;

    use super::*;

    #[tokio::test]
    async fn a_writer_is_seen_until_it_closes_the_file() {
        let folder = tempfile::tempdir().unwrap();
        let mut changes = Changes::watch(folder.path()).unwrap();
        let mut file = File::create(folder.path().join("a.tif")).unwrap();
        file.write_all(b"II*\0").unwrap();
        assert_eq!(changes.next().await.unwrap(), Change::Look);
        assert_eq!(changes.next().await.unwrap(), Change::Writing("a.tif".into()));
        drop(file);
        assert_eq!(changes.next().await.unwrap(), Change::Closed("a.tif".into()));
    }

    #[tokio::test]
    async fn a_folder_that_goes_away_is_told() {
        let parent = tempfile::tempdir().unwrap();
        let folder = parent.path().join("inbox");
        fs::create_dir(&folder).unwrap();
        let mut changes = Changes::watch(&folder).unwrap();
        fs::rename(&folder, parent.path().join("elsewhere")).unwrap();
        assert_eq!(changes.next().await.unwrap(), Change::FolderGone);
    }
}
