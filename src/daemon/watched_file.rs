//! Tells when a file that others replace is another one. It is looked at, because file events don't cross network shares.

use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::time::{Duration, SystemTime};

/// Between two looks.
pub(super) const LOOK: Duration = Duration::from_millis(400);

/// What a file looks like: length, time, and inode; `None` where there is none.
pub(super) type FileState = Option<(u64, Option<SystemTime>, u64)>;

pub(super) fn state_of(file: &Path) -> FileState {
    let metadata = std::fs::metadata(file).ok()?;
    Some((metadata.len(), metadata.modified().ok(), metadata.ino()))
}
