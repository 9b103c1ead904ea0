//! The exported work queue: `queue.jsonl`, `queue.csv` and `index.html` under the export folder, as the README's
//! contract has them; in [`items`], each item's document and pages.
//!
//! Each file is replaced as a whole, durably, and never seen half written; when anything fails, the old files stay.
//! Items stand in the order in which they fall due, then by id, so that the same items give the same files. The
//! exports are copies: nothing reads them back, and they can be written again at any time. Log lines carry counts
//! and durations only.

mod access;
pub mod atomic;
mod csv;
mod html;
pub mod items;
mod jsonl;
mod scratch;

use std::fs::File;
use std::io::{BufRead, BufReader, Read, Write};
use std::path::PathBuf;
use std::time::Duration;
use std::{cmp, io};

use jiff::Timestamp;
use jiff::tz::TimeZone;
use rustix::fs::Gid;
use tokio::sync::watch;
use tokio::time::{Instant, sleep, sleep_until};
use tracing::{debug, error, info};

pub use self::access::{is_as_made, put_right};
use self::atomic::Replacement;
use self::scratch::{Scratch, Span};
use super::item::{ItemId, QueueItem};
use crate::archive::event::{Event, MACHINE};
use crate::archive::{Archive, ArchiveError};
use crate::clock;
use crate::fault::{self, Step};
use crate::reader::pool::ReadError;

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
    #[error("the item's folder {} is to go and cannot be removed ({error}); remove it by hand, or correct its permissions", folder.display())]
    NotRemoved { folder: PathBuf, error: io::Error },
    #[error("group or mode of {} cannot be changed ({error}); make the daemon's user a member of export.group, and the owner of the exports", path.display())]
    Access { path: PathBuf, error: io::Error },
    #[error("what was written to the export folder {} may not last ({error}); all of it is written anew; look at the disk", folder.display())]
    NotSynced { folder: PathBuf, error: io::Error },
    #[error("{file} cannot be written ({error}); make room, or correct the export folder's permissions")]
    File { file: String, error: io::Error },
    #[error("{file} cannot be read ({error}); correct the export folder's permissions")]
    Unreadable { file: String, error: io::Error },
    #[error("item {item} cannot be put into the export ({error}); it is still in the archive")]
    Item { item: ItemId, error: io::Error },
    #[error("the items cannot be read: {0}")]
    Archive(#[from] ArchiveError),
    #[error("the items' pages cannot be drawn: {0}")]
    Reader(ReadError),
    #[error("a fault in nicufaxd itself: it panicked over an item's pages")]
    Panicked,
}

/// Where the queue is exported to, and in whose time people read it there (`queue.jsonl` is in UTC).
#[derive(Clone, Debug)]
pub struct Worklist {
    pub folder: PathBuf,
    pub zone: TimeZone,
    /// Who may read the files besides the daemon's own user.
    pub group: Option<Gid>,
    /// Whether each item's document and pages are exported too.
    pub items: bool,
}

/// Writes the three files, of everything that waits for a person; gives the number of items. Blocks.
pub fn write_queue(worklist: &Worklist, archive: &Archive) -> Result<usize, ExportError> {
    let mut sheets = Sheets::new(worklist)?;
    for item in archive.items() {
        sheets.add(&item?)?;
    }
    sheets.write(clock::now())
}

/// As [`write_queue`], and records it: the trail tells what was given out, when, and at whose wish.
///
/// The folders of items that are not open go too: what is about to be purged must not stay there in the clear.
pub fn write_and_record(worklist: &Worklist, archive: &Archive, by: &str) -> Result<usize, ExportError> {
    let items = write_queue(worklist, archive)?;
    items::remove_closed(worklist, archive)?;
    archive.record(Event::Exported { by: by.to_owned(), items: items as u64 })?;
    Ok(items)
}

/// An exported file, or an item's folder, that does not say what the archive says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Disagreement {
    pub file: String,
    /// When it was written; `None` when it is not there.
    pub written: Option<Timestamp>,
    /// It may come minutes later than what it tells: an item's pages are made when no page waits to be read.
    pub lags: bool,
}

impl Disagreement {
    /// Whether it is no more than behind: what was recorded after it had been written, or while it was, is enough to
    /// explain it. A process that was killed leaves it so until the next start.
    pub fn is_behind(&self, last_recorded: Option<Timestamp>) -> bool {
        if self.lags && self.written.is_none() {
            return true;
        }
        let while_written = |recorded: Timestamp| recorded.checked_add(LATEST).unwrap_or(recorded);
        self.written.zip(last_recorded).is_some_and(|(written, recorded)| written <= while_written(recorded))
    }
}

/// Names the exported files that do not say what the archive says; `index.html` also tells when it was written,
/// so it is not compared. Changes nothing. Blocks.
pub fn disagreements(worklist: &Worklist, archive: &Archive) -> Result<Vec<Disagreement>, ExportError> {
    let mut order = Vec::new();
    for item in archive.items() {
        let item = item?;
        order.push((item.due_at.is_none(), item.due_at, item.id));
    }
    order.sort();
    let mut differing = Vec::new();
    for (file, head) in [("queue.jsonl", String::new()), ("queue.csv", csv::head())] {
        let unreadable = |error| ExportError::Unreadable { file: file.to_owned(), error };
        let there = match File::open(worklist.folder.join(file)) {
            Ok(there) => there,
            // A state directory that no daemon has run on yet has no exports, and nothing to say in them.
            Err(error) if error.kind() == io::ErrorKind::NotFound && order.is_empty() => continue,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                differing.push(Disagreement { file: file.to_owned(), written: None, lags: false });
                continue;
            }
            Err(error) => return Err(unreadable(error)),
        };
        let written = there.metadata().and_then(|metadata| metadata.modified()).ok().and_then(|at| at.try_into().ok());
        let mut there = Expecting { reader: BufReader::new(there), agrees: true };
        there.expect(head.as_bytes()).map_err(unreadable)?;
        for (_, _, id) in &order {
            let Some(item) = archive.item(id)? else { continue };
            let line = match file {
                "queue.jsonl" => jsonl::line(&item).map(String::into_bytes),
                _ => csv::row(&item, &worklist.zone),
            }
            .map_err(|error| ExportError::Item { item: id.clone(), error })?;
            there.expect(&line).map_err(unreadable)?;
        }
        if !there.ends().map_err(unreadable)? {
            differing.push(Disagreement { file: file.to_owned(), written, lags: false });
        }
    }
    differing.extend(items::disagreements(worklist, archive)?);
    Ok(differing)
}

/// A file that is compared piece by piece with what it should say.
struct Expecting {
    reader: BufReader<File>,
    agrees: bool,
}

impl Expecting {
    fn expect(&mut self, piece: &[u8]) -> io::Result<()> {
        let mut there = Vec::new();
        (&mut self.reader).take(piece.len() as u64).read_to_end(&mut there)?;
        self.agrees &= there == piece;
        Ok(())
    }

    /// Whether all agreed and nothing follows.
    fn ends(mut self) -> io::Result<bool> {
        Ok(self.agrees && self.reader.fill_buf()?.is_empty())
    }
}

/// Writes the files at the start, then within 2 s of every change, and a last time for what is still new when `stop`
/// becomes true. A failure is logged and tried again.
pub async fn run_exporter(
    worklist: Worklist,
    archive: Archive,
    mut changes: watch::Receiver<u64>,
    mut stop: watch::Receiver<bool>,
) {
    changes.mark_changed();
    let mut failing = false;
    loop {
        let last = tokio::select! {
            // First, so that what changed before the stop is exported still.
            biased;
            news = changes.changed() => news.is_err() || quiet(&mut changes, &mut stop).await,
            () = stopped(&mut stop) => return,
        };
        // From here on a change is one that this export may lack.
        changes.mark_unchanged();
        let (target, source, begun) = (worklist.clone(), archive.clone(), Instant::now());
        match tokio::task::spawn_blocking(move || write_and_record(&target, &source, MACHINE)).await {
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
        if last {
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
            news = changes.changed() => if news.is_err() {
                return true;
            },
        }
    }
}

async fn stopped(stop: &mut watch::Receiver<bool>) {
    // An error means that the sender is gone, and with it the daemon.
    _ = stop.wait_for(|stop| *stop).await;
}

/// The three files, as they are being put together. The lines of a long queue would take more memory than all the
/// rest of the daemon, so they go to a scratch file as the items come; only what sorts them stays in memory.
struct Sheets<'a> {
    worklist: &'a Worklist,
    scratch: Scratch,
    items: Vec<Sorted>,
}

/// An item's place in the order, and where its lines lie in the scratch file: one after the other, in the order of
/// [`FILES`].
struct Sorted {
    due_at: Option<Timestamp>,
    id: ItemId,
    lines: [Span; 3],
}

const FILES: [&str; 3] = ["queue.jsonl", "queue.csv", "index.html"];

impl<'a> Sheets<'a> {
    fn new(worklist: &'a Worklist) -> Result<Self, ExportError> {
        let folder = &worklist.folder;
        let failed = |error| ExportError::Folder { folder: folder.to_owned(), error };
        atomic::make_folder(folder, worklist.group).map_err(failed)?;
        Ok(Self { worklist, scratch: Scratch::new(folder).map_err(failed)?, items: Vec::new() })
    }

    fn add(&mut self, item: &QueueItem) -> Result<(), ExportError> {
        let failed = |error: io::Error| ExportError::Item { item: item.id.clone(), error };
        let json = self.scratch.append(jsonl::line(item).map_err(failed)?.as_bytes()).map_err(failed)?;
        let csv = self.scratch.append(&csv::row(item, &self.worklist.zone).map_err(failed)?).map_err(failed)?;
        let html = self.scratch.append(html::row(item, &self.worklist.zone).as_bytes()).map_err(failed)?;
        self.items.push(Sorted { due_at: item.due_at, id: item.id.clone(), lines: [json, csv, html] });
        Ok(())
    }

    /// Gives the number of items.
    fn write(mut self, written_at: Timestamp) -> Result<usize, ExportError> {
        // Items without a due time stand last.
        self.items.sort_by(|a, b| (a.due_at.is_none(), a.due_at, &a.id).cmp(&(b.due_at.is_none(), b.due_at, &b.id)));
        let folder = self.worklist.folder.as_path();
        let page = html::Page { items: self.items.len(), written_at: written_at.to_zoned(self.worklist.zone.clone()) };
        let around = [(String::new(), ""), (csv::head(), ""), (page.head(), html::FOOT)];
        let mut replacements = Vec::new();
        for (position, (file, (head, foot))) in FILES.into_iter().zip(around).enumerate() {
            let lines = self.items.iter().filter_map(|item| item.lines.get(position));
            let replacement = Replacement::write(folder, file, self.worklist.group, |target| {
                target.write_all(head.as_bytes())?;
                self.scratch.copy(lines, target)?;
                target.write_all(foot.as_bytes())
            });
            replacements.push(replacement.map_err(|error| ExportError::File { file: file.to_owned(), error })?);
        }
        fault::at(Step::ExportWritten);
        // Nothing is replaced before everything is written: the three files show the same queue.
        for replacement in replacements {
            let file = replacement.file().to_owned();
            replacement.replace().map_err(|error| ExportError::File { file, error })?;
            fault::at(Step::ExportNamed);
        }
        atomic::sync_folder(folder).map_err(|error| ExportError::NotSynced { folder: folder.to_owned(), error })?;
        fault::at(Step::ExportSynced);
        Ok(self.items.len())
    }
}

#[cfg(test)]
mod tests;
