//! The exported work queue: `queue.jsonl`, `queue.csv` and `index.html` under the export folder, as the README's
//! contract has them.
//!
//! Each file is replaced as a whole, durably, and never seen half written; when anything fails, the old files stay.
//! Items stand in the order in which they fall due, then by id, so that the same items give the same files. The
//! exports are copies: nothing reads them back, and they can be written again at any time. Log lines carry counts
//! and durations only.

mod atomic;
mod csv;
mod html;
mod jsonl;

use std::fs::DirBuilder;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::time::Duration;
use std::{cmp, io};

use jiff::Timestamp;
use tokio::sync::watch;
use tokio::time::{Instant, sleep, sleep_until};
use tracing::{debug, error, info};

use self::atomic::Replacement;
use super::item::{ItemId, QueueItem};
use crate::archive::{Archive, ArchiveError};
use crate::clock;

/// A change is exported once it has been quiet for this long …
const QUIET: Duration = Duration::from_millis(300);

/// … but no later than this after the change, whatever else changes: with the time that writing takes, well within the
/// contract's 2 s.
const LATEST: Duration = Duration::from_millis(800);

/// After a failure, the export is tried again this much later.
const RETRY: Duration = Duration::from_secs(5);

/// Why the queue could not be exported. The files of the last export are still there.
#[derive(Debug, thiserror::Error)]
pub enum ExportError {
    #[error("the export folder {} cannot be made ({error}); correct export.dir or its permissions", folder.display())]
    Folder { folder: PathBuf, error: io::Error },
    #[error("{file} cannot be written ({error}); make room, or correct the export folder's permissions")]
    File { file: &'static str, error: io::Error },
    #[error("{file} cannot be read ({error}); correct the export folder's permissions")]
    Unreadable { file: &'static str, error: io::Error },
    #[error("item {item} cannot be put into the export ({error}); it is still in the archive")]
    Item { item: ItemId, error: io::Error },
    #[error("the items cannot be read: {0}")]
    Archive(#[from] ArchiveError),
}

/// Writes the three files, of these items and of no others.
pub fn write(folder: &Path, items: impl Iterator<Item = QueueItem>) -> Result<(), ExportError> {
    let mut sheets = Sheets::default();
    for item in items {
        sheets.add(&item)?;
    }
    sheets.write(folder, clock::now())
}

/// Writes the three files, of everything that waits for a person; gives the number of items. Blocks.
pub fn write_queue(folder: &Path, archive: &Archive) -> Result<usize, ExportError> {
    let mut sheets = Sheets::default();
    for item in archive.items() {
        sheets.add(&item?)?;
    }
    sheets.write(folder, clock::now())?;
    Ok(sheets.0.len())
}

/// Names the files under `folder` that do not say what the archive says; `index.html` also tells when it was written,
/// so it is not compared. Blocks.
pub fn disagreements(folder: &Path, archive: &Archive) -> Result<Vec<&'static str>, ExportError> {
    let mut sheets = Sheets::default();
    for item in archive.items() {
        sheets.add(&item?)?;
    }
    sheets.sort();
    let mut differing = Vec::new();
    for (file, head) in [("queue.jsonl", String::new()), ("queue.csv", csv::head())] {
        let there = match std::fs::read(folder.join(file)) {
            Ok(bytes) => bytes,
            // A state directory that no daemon has run on yet has no exports, and nothing to say in them.
            Err(error) if error.kind() == io::ErrorKind::NotFound && sheets.0.is_empty() => continue,
            Err(error) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
            Err(error) => return Err(ExportError::Unreadable { file, error }),
        };
        if there != sheets.parts(file, &head, "").collect::<Vec<_>>().concat() {
            differing.push(file);
        }
    }
    Ok(differing)
}

/// Writes the files at the start, then within 2 s of every change, and a last time for what is still new when `stop`
/// becomes true. A failure is logged and tried again.
pub async fn run_exporter(
    folder: PathBuf,
    archive: Archive,
    mut changes: watch::Receiver<u64>,
    mut stop: watch::Receiver<bool>,
) {
    changes.mark_changed();
    let mut failing = false;
    loop {
        let stopping = tokio::select! {
            // First, so that what changed before the stop is exported still.
            biased;
            changed = changes.changed() => changed.is_err() || quiet(&mut changes, &mut stop).await,
            () = stopped(&mut stop) => return,
        };
        // From here on a change is one that this export may lack.
        changes.mark_unchanged();
        let (target, source, begun) = (folder.clone(), archive.clone(), Instant::now());
        match tokio::task::spawn_blocking(move || write_queue(&target, &source)).await {
            Ok(Ok(items)) => {
                debug!(items, milliseconds = begun.elapsed().as_millis() as u64, "queue exported");
                if failing {
                    info!("the queue can be exported again");
                }
                failing = false;
            }
            Ok(Err(error)) => {
                if !failing {
                    error!(%error, "the queue cannot be exported; trying again");
                }
                failing = true;
            }
            Err(_panicked) => {
                error!("a fault in nicufaxd itself: the queue was not exported; trying again");
                failing = true;
            }
        }
        if stopping {
            return;
        }
        if failing {
            changes.mark_changed();
            tokio::select! {
                () = sleep(RETRY) => {}
                () = stopped(&mut stop) => {}
            }
        }
    }
}

/// Waits until nothing has changed for a while, though not for long; true when there is nothing more to wait for.
async fn quiet(changes: &mut watch::Receiver<u64>, stop: &mut watch::Receiver<bool>) -> bool {
    let latest = Instant::now() + LATEST;
    loop {
        let next = cmp::min(Instant::now() + QUIET, latest);
        tokio::select! {
            () = stopped(stop) => return true,
            () = sleep_until(next) => return false,
            changed = changes.changed() => if changed.is_err() {
                return true;
            },
        }
    }
}

async fn stopped(stop: &mut watch::Receiver<bool>) {
    // An error means that the sender is gone, and with it the daemon.
    _ = stop.wait_for(|stop| *stop).await;
}

/// The items as they will stand in each file. An item itself is several times larger than its lines, so a long queue
/// is turned into lines as it comes.
#[derive(Default)]
struct Sheets(Vec<Lines>);

struct Lines {
    /// Items without a due time stand last.
    no_due: bool,
    due_at: Option<Timestamp>,
    id: ItemId,
    json: String,
    csv: Vec<u8>,
    html: String,
}

impl Sheets {
    fn add(&mut self, item: &QueueItem) -> Result<(), ExportError> {
        let failed = |error: io::Error| ExportError::Item { item: item.id.clone(), error };
        self.0.push(Lines {
            no_due: item.due_at.is_none(),
            due_at: item.due_at,
            id: item.id.clone(),
            json: jsonl::line(item).map_err(failed)?,
            csv: csv::row(item).map_err(failed)?,
            html: html::row(item, &jiff::tz::TimeZone::system()),
        });
        Ok(())
    }

    fn sort(&mut self) {
        self.0.sort_by(|a, b| (a.no_due, a.due_at, &a.id).cmp(&(b.no_due, b.due_at, &b.id)));
    }

    /// One file's content, in parts.
    fn parts<'a>(&'a self, file: &'static str, head: &'a str, foot: &'a str) -> impl Iterator<Item = &'a [u8]> {
        let lines = self.0.iter().map(move |lines| match file {
            "queue.jsonl" => lines.json.as_bytes(),
            "queue.csv" => &lines.csv,
            _ => lines.html.as_bytes(),
        });
        std::iter::once(head.as_bytes()).chain(lines).chain([foot.as_bytes()])
    }

    fn write(&mut self, folder: &Path, written_at: Timestamp) -> Result<(), ExportError> {
        self.sort();
        DirBuilder::new()
            .recursive(true)
            .mode(0o750)
            .create(folder)
            .map_err(|error| ExportError::Folder { folder: folder.to_owned(), error })?;
        let page = html::Page { items: self.0.len(), written_at };
        let mut replacements = Vec::new();
        for (file, head, foot) in [
            ("queue.jsonl", String::new(), String::new()),
            ("queue.csv", csv::head(), String::new()),
            ("index.html", page.head(), page.foot()),
        ] {
            let parts = self.parts(file, &head, &foot);
            replacements
                .push(Replacement::write(folder, file, parts).map_err(|error| ExportError::File { file, error })?);
        }
        // Nothing is replaced before everything is written: the three files show the same queue.
        for replacement in replacements {
            let file = replacement.file();
            replacement.replace().map_err(|error| ExportError::File { file, error })?;
        }
        atomic::sync_folder(folder).map_err(|error| ExportError::Folder { folder: folder.to_owned(), error })
    }
}

#[cfg(test)]
mod tests;
