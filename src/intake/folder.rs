//! One watched folder: files that have settled in it are stored in the archive and then released.
//!
//! Kernel events and a periodic rescan both only say "look"; [`look`](Folder::look) decides everything, so a missed
//! event costs at most one rescan interval. A file is taken when it has lain unchanged for the settle time and no
//! program is known to write to it; it is released only after the archive returned. A restart is nothing special: the
//! first look finds what lies there, under the keys that the archive knows.
//!
//! Whatever is not taken stays where it lies, with one log line and one `Refused` event until it is gone or can be
//! taken; the archive remembers refusals, so a restart does not repeat them. An error of one folder stays in it.
//!
//! Log lines name the source and the document's id, or the refusal's; never a file name, never what is in a file.

mod look;
mod take;

use std::path::{Path, PathBuf};
use std::time::Duration;

use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, sleep, sleep_until};
use tracing::warn;

use self::look::Folder;
use super::changes::{Change, Changes};
pub use super::release::AfterAccept;
use super::status::SourceStatuses;
use super::stopped;
use crate::archive::{Archive, ArchiveError};
use crate::document::DocumentId;

/// Events of one upload come in a cluster; one look answers them all.
const AFTER_EVENT: Duration = Duration::from_millis(50);

/// Changes noted before a look at the most, so that a busy writer cannot put looks off for ever.
const PENDING_CHANGES: usize = 10_000;

/// What a look in hand may still take once the daemon stops; it may be cut off anywhere without loss.
const STOP_GRACE: Duration = Duration::from_secs(5);

/// A drain waits this many settle times (and at least a minute) for a file that keeps changing; then it is left for the
/// next one.
const DRAIN_PATIENCE: u32 = 12;

/// One `[[intake.folder]]`, or one of the two folders of a maildir.
#[derive(Clone, Debug)]
pub struct FolderSettings {
    /// What it is called in logs, in the status and on the held list; no two bear the same name.
    pub name: String,
    /// The configuration's key for its path.
    pub key: String,
    /// The source's name, as queue items show it: a maildir's two folders are one source.
    pub source: String,
    pub kind: FolderKind,
    pub path: PathBuf,
    /// How long a file must lie unchanged.
    pub settle: Duration,
    /// How often everything is looked at without an event.
    pub rescan: Duration,
    pub after: AfterAccept,
    /// Larger files are refused.
    pub max_bytes: u64,
}

/// What a folder's files are called.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FolderKind {
    /// Documents, each perhaps with a sidecar.
    Inbox,
    /// Messages under names of the mail server's, with flags behind a colon that others may change.
    Maildir,
}

impl FolderSettings {
    /// An inbox with every default.
    pub fn inbox(name: &str, path: PathBuf) -> Self {
        Self {
            name: name.to_owned(),
            key: "intake.folder[0].path".to_owned(),
            source: name.to_owned(),
            kind: FolderKind::Inbox,
            after: AfterAccept::MoveTo(Self::default_done(&path)),
            path,
            settle: Duration::from_secs(5),
            rescan: Duration::from_secs(60),
            max_bytes: 100_000_000,
        }
    }

    /// Where released files go unless configured otherwise: `done`, beside the folder.
    pub fn default_done(path: &Path) -> PathBuf {
        path.parent().unwrap_or(path).join("done")
    }
}

/// Why a folder could not be drained, or be watched any longer.
#[derive(Debug, thiserror::Error)]
pub enum FolderError {
    #[error("source {source_name}: its folder cannot be read ({error}); correct the path or its permissions")]
    Unreadable { source_name: String, error: std::io::Error },
    #[error("source {source_name}: {error}; the files stay in their folder")]
    Archive { source_name: String, error: ArchiveError },
}

/// Watches a folder until `stop` becomes true. Ids of documents that came and wait for the pipeline go to `accepted`; a full
/// channel does not hold up the storing.
///
/// Errors of the folder, and those of the archive that may pass, are logged, shown in `statuses`, and tried again at
/// every rescan.
///
/// # Errors
/// The archive failed in a way after which the process must end.
pub async fn watch_folder(
    settings: FolderSettings,
    archive: Archive,
    accepted: mpsc::Sender<DocumentId>,
    statuses: SourceStatuses,
    mut stop: watch::Receiver<bool>,
) -> Result<(), FolderError> {
    let mut folder = Folder::new(settings, archive, statuses);
    let mut watched: Option<Changes> = None;
    let mut next_look = Instant::now();
    loop {
        tokio::select! {
            () = stopped(&mut stop) => return Ok(()),
            change = next_change(&mut watched) => {
                if folder.settling.note(change) {
                    next_look = next_look.min(Instant::now() + AFTER_EVENT);
                }
            }
            Ok(permit) = accepted.reserve(), if !folder.unannounced.is_empty() => {
                if let Some(document) = folder.unannounced.pop_front() {
                    permit.send(document);
                }
            }
            () = sleep_until(next_look) => {
                note_pending(&mut watched, &mut folder).await;
                let look = tokio::select! {
                    look = folder.look(Some(&mut watched)) => look,
                    () = grace(&mut stop) => return Ok(()),
                };
                next_look = match look {
                    Ok(look) => look.next.min(Instant::now() + folder.settings.rescan),
                    Err(FolderError::Archive { source_name, error }) if error.is_fatal() => {
                        return Err(FolderError::Archive { source_name, error });
                    }
                    Err(_told_already) => Instant::now() + folder.settings.rescan,
                };
            }
        }
    }
}

/// Takes everything that lies in a folder now, waiting for it to settle. Ids go to `accepted` as in [`watch_folder`],
/// but here a full channel is waited for: somebody must receive meanwhile.
///
/// Entries that cannot be taken are refused as ever; that is no error. A file that is still changing after a minute or
/// more is left for the next time.
///
/// # Errors
/// The folder could not be read, or the archive could not store.
pub async fn drain_folder(
    settings: FolderSettings,
    archive: Archive,
    accepted: mpsc::Sender<DocumentId>,
    statuses: SourceStatuses,
) -> Result<(), FolderError> {
    let mut folder = Folder::new(settings, archive, statuses);
    let patience = (folder.settings.settle * DRAIN_PATIENCE).max(Duration::from_secs(60));
    loop {
        let look = folder.look(None).await?;
        while let Some(document) = folder.unannounced.pop_front() {
            if accepted.send(document).await.is_err() {
                // Nobody works any more; the archive keeps what was stored.
                return Ok(());
            }
        }
        let now = Instant::now();
        let Some(settles) =
            look.unsettled.iter().filter(|file| file.first_seen + patience > now).map(|file| file.until).min()
        else {
            if !look.unsettled.is_empty() {
                let files = look.unsettled.len();
                warn!(source = %folder.settings.name, files, "still being written; left for the next time");
            }
            return Ok(());
        };
        sleep_until(settles).await;
    }
}

async fn grace(stop: &mut watch::Receiver<bool>) {
    stopped(stop).await;
    sleep(STOP_GRACE).await;
}

/// Notes the changes that the kernel has told already: a look must know of every writer before it.
async fn note_pending(watched: &mut Option<Changes>, folder: &mut Folder) {
    for _ in 0..PENDING_CHANGES {
        tokio::select! {
            biased;
            change = next_change(watched) => {
                folder.settling.note(change);
            }
            () = std::future::ready(()) => return,
        }
    }
}

/// The next change; waits for ever without a watch. A watch that fails is given up, to be set again at the next look.
async fn next_change(watched: &mut Option<Changes>) -> Change {
    let change = match watched {
        Some(changes) => changes.next().await.unwrap_or(Change::FolderGone),
        None => std::future::pending().await,
    };
    if change == Change::FolderGone {
        *watched = None;
    }
    change
}

#[cfg(test)]
mod tests;
