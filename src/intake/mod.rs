//! Intake: a file is found in a watched folder, or handed over with `submit`; it is stored durably; only then is it
//! released at its source.
//!
//! The order is the whole point and never changes: settled → read → [`Archive::accept`](crate::archive::Archive)
//! returned → released. A crash between any two steps leaves the file where it was, and the next look finds it again
//! under the same source key, which the archive knows: one document, one arrival.
//!
//! Intake never opens a document to see what is in it, and never drops an entry that it does not take: whatever cannot
//! be taken is a [`Refusal`] that a person sees, and stays where it lies.
//!
//! - [`folder`] the task that watches one folder, and the drain of one folder;
//! - [`imap`] the task that watches one folder of a mail account, and the drain of one;
//! - [`status`] when each source was last read, for `nicufaxd status`;
//! - [`submit`] takes one file from a script.

pub mod folder;
pub mod imap;
pub mod status;
pub mod submit;

mod changes;
mod judge;
mod refusals;
mod release;
mod settle;
mod sidecar;
mod source_file;

use std::io;

use jiff::Timestamp;
use tokio::sync::watch;

use crate::archive::ArchiveError;

/// Why an entry of a source is not taken. It stays where it lies, and a held entry shows it until it is gone or can be
/// taken.
///
/// The texts hold no name and no path, so that they may be logged.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    #[error("it is a symbolic link, not a file; put the file itself there")]
    Link,
    #[error("it is no regular file (a pipe, a socket or a device); remove it")]
    Special,
    #[error("it is a folder, and what lies in it is not looked at; put the files beside it, or make it a source")]
    Folder,
    #[error("the file is empty; send the document again")]
    Empty,
    #[error("it is larger than the limit of {limit} bytes; split it or raise max_bytes")]
    TooLarge { limit: u64 },
    #[error("the mail server lists this message and does not give it out; open it in a mail program, or move it away")]
    NotGivenOut,
    #[error("the file cannot be read ({0}); correct its permissions or the disk")]
    Unreadable(io::ErrorKind),
    #[error("still being uploaded? it bears an upload's name and has not changed for an hour; rename or remove it")]
    UploadStalled,
    #[error("a program has held it open for writing without a change for ten minutes; close or upload it again")]
    WriterStalled,
    #[error(
        "a sidecar without its document: that has not come, or was taken before it; send the document, or see to the \
         item of that name by hand and remove the sidecar"
    )]
    SidecarAlone,
}

/// Why a source could not be read, or not any longer.
#[derive(Debug, thiserror::Error)]
pub enum SourceError {
    #[error(transparent)]
    Folder(#[from] folder::FolderError),
    #[error(transparent)]
    Mailbox(#[from] imap::ImapError),
}

impl SourceError {
    /// The archive's own error, if the archive is what failed.
    pub fn into_archive_error(self) -> Result<ArchiveError, Self> {
        match self {
            Self::Folder(folder::FolderError::Archive { error, .. })
            | Self::Mailbox(imap::ImapError { trouble: imap::Trouble::Archive(error), .. }) => Ok(error),
            Self::Folder(folder::FolderError::Unreadable { .. }) | Self::Mailbox(_) => Err(self),
        }
    }
}

/// A file's modification time as the moment of its receipt, for sources that tell no better; never later than `now`,
/// because the clocks of due times start here.
fn received_by(modified_ns: i128, now: Timestamp) -> Timestamp {
    Timestamp::from_nanosecond(modified_ns).map_or(now, |modified| modified.min(now))
}

/// Waits until the daemon stops.
async fn stopped(stop: &mut watch::Receiver<bool>) {
    // An error means that the sender is gone, and with it the daemon.
    _ = stop.wait_for(|stop| *stop).await;
}

/// Runs what waits for a disk where it holds up nothing else.
async fn on_blocking_thread<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    match tokio::task::spawn_blocking(work).await {
        Ok(done) => done,
        Err(failed) => match failed.try_into_panic() {
            Ok(panic) => std::panic::resume_unwind(panic),
            // Only a runtime that shuts down cancels blocking work; nothing goes on after that.
            Err(_cancelled) => std::future::pending().await,
        },
    }
}

#[cfg(test)]
mod testing {
    use std::path::Path;

    use crate::archive::{Archive, OpenOptions};
    use crate::document::Receipt;

    /// An archive of its own for a test, under this folder.
    pub fn archive(folder: &Path) -> Archive {
        Archive::open(&folder.join("state"), &OpenOptions::plain()).unwrap()
    }

    /// Every arrival that the archive knows, in the order of the documents' first.
    pub fn receipts(archive: &Archive) -> Vec<Receipt> {
        let waiting = archive.waiting().unwrap();
        waiting.iter().flat_map(|id| archive.document(id).unwrap().unwrap().receipts).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_modification_time_in_the_future_counts_as_now() {
        let now: Timestamp = "2026-03-16T12:00:00Z".parse().unwrap();
        assert_eq!(received_by(now.as_nanosecond() + 5, now), now);
        assert_eq!(received_by(i128::MAX, now), now);
        assert_eq!(received_by(now.as_nanosecond() - 1_000_000_000, now).to_string(), "2026-03-16T11:59:59Z");
    }
}
