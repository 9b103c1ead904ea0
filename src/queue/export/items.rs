//! `items/ID/`: each open item's `document.pdf` (its pages as they came, searchable), `page-N.png` (each page upright, as
//! large as the boxes of `fields` say) and `item.json` (its line of `queue.jsonl`).
//!
//! Made when no page waits to be read, a page's picture at a time in a worker: pictures are foreign bytes. Each file is
//! replaced as a whole and durably; `item.json` comes last, and one that says something else than the archive, or is not
//! there, has the rest made again. So whatever ends a run, the next one converges. What is no longer open is removed.
//! A held document has `item.json` alone: its pages may be what brought workers down. Nothing but folders that bear an
//! item's id is touched. Log lines carry ids, counts and durations only.

use std::collections::{HashMap, HashSet, VecDeque};
use std::fs::{self, File};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use tokio::sync::watch;
use tokio::time::{Instant, sleep, sleep_until};
use tracing::{debug, error, info};

use super::atomic::{self, Replacement};
use super::{Disagreement, ExportError, LATEST, RETRY, Worklist, stopped};
use crate::archive::Archive;
use crate::archive::event::{Event, MACHINE};
use crate::document::{DocumentId, Page, PageSource};
use crate::fault::{self, Step};
use crate::paper::document::DocumentPdf;
use crate::pipeline;
use crate::queue::item::{ItemId, ItemState, QueueItem};
use crate::reader::facsimile::{Facsimile, PageUpright};
use crate::reader::pool::{ReadError, ReaderPool};

/// Times that a page's picture is asked for when its worker dies of it.
const TRIES: u32 = 2;

pub(super) const FOLDER: &str = "items";
const DOCUMENT: &str = "document.pdf";
const ITEM: &str = "item.json";

/// What makes and removes the folders.
#[derive(Clone)]
pub struct ItemExporter {
    worklist: Worklist,
    archive: Archive,
    pool: Arc<ReaderPool>,
}

/// Why something is not up to date.
#[derive(Debug)]
enum Unfinished {
    /// The daemon is stopping; the next start goes on.
    Stopping,
    Failed(ExportError),
}

/// What is known to be up to date: a digest of the `item.json` of each item.
type Known = HashMap<ItemId, u64>;

/// What a look at the archive and the folders comes to.
struct Compared {
    known: Known,
    stale: VecDeque<ItemId>,
    /// What items in hand must come out as; `None` for one that is not open any more.
    wanted: HashMap<ItemId, Option<u64>>,
}

impl ItemExporter {
    pub fn new(worklist: Worklist, archive: Archive, pool: Arc<ReaderPool>) -> Self {
        Self { worklist, archive, pool }
    }

    /// Brings the folders up to date at the start and after every change, until `finish` becomes true and nothing is
    /// left to do. A failure is logged and tried again; the last one is given.
    pub async fn run(
        self,
        mut changes: watch::Receiver<u64>,
        mut finish: watch::Receiver<bool>,
    ) -> Result<(), ExportError> {
        // As many at a time as there are workers to draw them.
        let most = self.pool.status().workers;
        let mut known = Known::new();
        let mut stale = VecDeque::new();
        let mut in_hand = HashSet::new();
        // What items in hand must come out as to be up to date; `None` for one that is not open any more.
        let mut wanted: HashMap<ItemId, Option<u64>> = HashMap::new();
        let mut making = FuturesUnordered::new();
        let mut failure = None;
        let mut look_at = Some(Instant::now());
        loop {
            if look_at.take_if(|at| *at <= Instant::now()).is_some() {
                changes.mark_unchanged();
                let (this, before, spared) = (self.clone(), std::mem::take(&mut known), in_hand.clone());
                match blocking(move || this.compare(before, &spared)).await {
                    Ok(compared) => Compared { known, stale, wanted } = compared,
                    Err(Unfinished::Stopping) => return Ok(()),
                    Err(Unfinished::Failed(error)) => failed(&mut failure, error),
                }
            }
            while making.len() < most
                && let Some(id) = stale.pop_front()
            {
                in_hand.insert(id.clone());
                making.push(async { (id.clone(), self.make(id).await) });
            }
            let idle = making.is_empty();
            tokio::select! {
                biased;
                Some((id, made)) = making.next(), if !idle => {
                    in_hand.remove(&id);
                    let wanted = wanted.remove(&id);
                    match made {
                        Ok(made) => {
                            let came_out = made.as_ref().map(|(_, digest)| *digest);
                            if wanted.is_some_and(|wanted| wanted.is_none() || wanted != came_out) {
                                look_at = Some(Instant::now());
                            }
                            known.extend(made);
                        }
                        Err(Unfinished::Stopping) => return Ok(()),
                        Err(Unfinished::Failed(error)) => failed(&mut failure, error),
                    }
                }
                news = changes.changed(), if look_at.is_none() => {
                    // The archive's own trouble is told elsewhere.
                    if news.is_err() {
                        return Ok(());
                    }
                    look_at = Some(Instant::now() + LATEST);
                }
                () = stopped(&mut finish), if idle => {
                    // Once more, for what has changed since the last look.
                    if look_at.is_none() && !changes.has_changed().unwrap_or(false) {
                        return failure.map_or(Ok(()), Err);
                    }
                    look_at = Some(Instant::now());
                }
                () = sleep_until(look_at.unwrap_or_else(Instant::now)), if look_at.is_some() => {}
                () = sleep(RETRY), if idle && failure.is_some() => {
                    failure = None;
                    look_at = Some(Instant::now());
                    info!("trying again to export the items' pages");
                }
            }
        }
    }

    /// Removes what is not open, brings each `item.json` up to date whose pages are there, and tells what is up to date
    /// then and of which items the pages are to be made. Leaves alone what is in hand.
    fn compare(&self, mut known: Known, in_hand: &HashSet<ItemId>) -> Result<Compared, ExportError> {
        let root = self.worklist.folder.join(FOLDER);
        let mut compared = Compared { known: Known::new(), stale: VecDeque::new(), wanted: HashMap::new() };
        let mut open = HashSet::new();
        if self.worklist.items {
            for item in self.archive.items() {
                let item = item?;
                if !has_folder(&item) {
                    continue;
                }
                let json = as_json(&item)?;
                let digest = digest(&json);
                open.insert(item.id.clone());
                if in_hand.contains(&item.id) {
                    compared.wanted.insert(item.id, Some(digest));
                } else if known.remove(&item.id) == Some(digest) || self.bring_up_to_date(&root, &item, &json)? {
                    compared.known.insert(item.id, digest);
                } else {
                    compared.stale.push_back(item.id);
                }
            }
        }
        for (id, folder) in folders(&root)?.into_iter().filter(|(id, _)| !open.contains(id)) {
            if in_hand.contains(&id) {
                compared.wanted.insert(id, None);
            } else {
                remove_folder(folder)?;
            }
        }
        Ok(compared)
    }

    /// Whether the pages of an item are there, and `item.json` says what the archive says, now.
    fn bring_up_to_date(&self, root: &Path, item: &QueueItem, json: &str) -> Result<bool, ExportError> {
        let folder = root.join(item.id.to_string());
        let Ok(there) = fs::read(folder.join(ITEM)) else { return Ok(false) };
        let same_pages = serde_json::from_slice(&there).is_ok_and(|before: QueueItem| {
            (before.page_range, before.pages, before.state) == (item.page_range, item.pages, item.state)
        });
        let pages_there = item.state == ItemState::Held || folder.join(DOCUMENT).is_file();
        if !same_pages || !pages_there {
            return Ok(false);
        }
        if there != json.as_bytes() {
            self.write_json(&folder, json)?;
        }
        Ok(true)
    }

    /// Brings one item's folder up to date; gives what is known of it then. Nothing for one that is not open any more.
    async fn make(&self, id: ItemId) -> Result<Option<(ItemId, u64)>, Unfinished> {
        let begun = Instant::now();
        let this = self.clone();
        let Some(work) = blocking(move || this.begin(&id)).await? else { return Ok(None) };
        let Work { item, document, json, folder, pages } = work;
        let shown = pages.is_some();
        if let Some(Pages { bytes, read }) = pages {
            let mut paper = self.blank_paper(&folder, &item).await?;
            for number in item.page_range[0]..=item.page_range[1] {
                let page = read.iter().find(|page| page.number == number).cloned();
                let sheet = self.sheet(&document, &bytes, number, page).await?;
                let (this, within) = (self.clone(), folder.clone());
                paper = blocking(move || this.put(paper, &within, number, &sheet)).await?;
            }
            let within = folder.clone();
            blocking(move || paper.finish().map_err(|error| file_error(&within, DOCUMENT, error))).await?;
            fault::at(Step::ItemPagesWritten);
        }
        let (this, made) = (self.clone(), (item.id.clone(), digest(&json)));
        let count = item.page_range[1] + 1 - item.page_range[0];
        blocking(move || this.end(&item, shown.then_some(document), &folder, &json)).await?;
        debug!(item = %made.0, pages = count, milliseconds = begun.elapsed().as_millis() as u64, "item exported");
        Ok(Some(made))
    }

    /// Looks what there is to do for an item, and makes room for it.
    fn begin(&self, id: &ItemId) -> Result<Option<Work>, ExportError> {
        let item = self.archive.item(id)?.filter(has_folder);
        let document = self.archive.find_document(id.document())?;
        let (Some(item), Some(document)) = (item, document) else { return Ok(None) };
        let root = self.worklist.folder.join(FOLDER);
        let folder = root.join(id.to_string());
        for folder in [&self.worklist.folder, &root, &folder] {
            let failed = |error| ExportError::Folder { folder: folder.clone(), error };
            atomic::make_folder(folder, self.worklist.group).map_err(failed)?;
        }
        // Without it nothing that is there counts.
        remove(&folder, ITEM)?;
        for entry in fs::read_dir(&folder).map_err(|error| file_error(&folder, "", error))? {
            let name = entry.map_err(|error| file_error(&folder, "", error))?.file_name();
            if let Some(name) = name.to_str().filter(|name| *name == DOCUMENT || name.starts_with("page-")) {
                remove(&folder, name)?;
            }
        }
        let json = as_json(&item)?;
        let pages = match item.state {
            ItemState::Held => None,
            ItemState::Open | ItemState::Resolved => {
                let reading = self.archive.reading(&document)?;
                let mut read = reading.as_ref().map_or_else(Vec::new, pipeline::covering_pages);
                read.extend(reading.map_or_else(Vec::new, |reading| reading.pages));
                read.retain(|page| (item.page_range[0]..=item.page_range[1]).contains(&page.number));
                match self.archive.read_document(&document) {
                    Ok(bytes) => Some(Pages { bytes: bytes.into(), read }),
                    // Nobody can show them until it is restored; one lost file must not keep the others from being shown.
                    Err(error) if error.is_of_lost_file() => None,
                    Err(error) => return Err(error.into()),
                }
            }
        };
        Ok(Some(Work { item, document, json, folder, pages }))
    }

    async fn blank_paper(&self, folder: &Path, item: &QueueItem) -> Result<Paper, Unfinished> {
        let (folder, group, title) = (folder.to_owned(), self.worklist.group, format!("Item {}", item.id));
        blocking(move || {
            let failed = |error| file_error(&folder, DOCUMENT, error);
            let (replacement, writer) = Replacement::begin(&folder, DOCUMENT, group).map_err(failed)?;
            Ok(Paper { replacement, pdf: DocumentPdf::begin(writer, &title).map_err(failed)? })
        })
        .await
    }

    /// What there is to show of a page.
    async fn sheet(
        &self,
        document: &DocumentId,
        bytes: &Arc<[u8]>,
        number: u32,
        page: Option<Page>,
    ) -> Result<Sheet, Unfinished> {
        if let Some(text) = page.as_ref().filter(|page| page.source == PageSource::Text) {
            return Ok(Sheet::Text(text.clone()));
        }
        let upright = page.as_ref().map_or(PageUpright { number, turned: 0, straightened: 0.0 }, PageUpright::of);
        for _ in 0..TRIES {
            match self.pool.picture(document, Arc::clone(bytes), upright).await {
                Ok(Some(facsimile)) => return Ok(Sheet::Picture(facsimile, page)),
                Ok(None) | Err(ReadError::Refused(_)) => break,
                Err(ReadError::Stopping) => return Err(Unfinished::Stopping),
                Err(error) if error.counts_as_attempt() => {}
                Err(error) => {
                    return Err(Unfinished::Failed(ExportError::Reader(error)));
                }
            }
        }
        Ok(Sheet::Missing(page))
    }

    /// Adds a page to the paper, and writes its picture.
    fn put(&self, mut paper: Paper, folder: &Path, number: u32, sheet: &Sheet) -> Result<Paper, ExportError> {
        let added = match sheet {
            Sheet::Picture(facsimile, page) => {
                let name = format!("page-{number}.png");
                Replacement::write(folder, &name, self.worklist.group, |file| file.write_all(&facsimile.png))
                    .and_then(Replacement::replace)
                    .map_err(|error| file_error(folder, &name, error))?;
                paper.pdf.add_picture(facsimile, page.as_ref())
            }
            Sheet::Text(page) => paper.pdf.add_text(page),
            Sheet::Missing(page) => paper.pdf.add_missing(page.as_ref()),
        };
        added.map_err(|error| file_error(folder, DOCUMENT, error))?;
        Ok(paper)
    }

    /// Writes `item.json`, by which the folder is whole. `shown`: the document of which pages were written, which is
    /// recorded.
    fn end(&self, item: &QueueItem, shown: Option<DocumentId>, folder: &Path, json: &str) -> Result<(), ExportError> {
        atomic::sync_folder(folder).map_err(|error| file_error(folder, "", error))?;
        if let Some(document) = shown {
            let by = MACHINE.to_owned();
            self.archive.record(Event::ItemExported { document, item: item.id.clone(), by })?;
        }
        self.write_json(folder, json)
    }

    fn write_json(&self, folder: &Path, json: &str) -> Result<(), ExportError> {
        Replacement::write(folder, ITEM, self.worklist.group, |file| file.write_all(json.as_bytes()))
            .and_then(Replacement::replace)
            .and_then(|()| atomic::sync_folder(folder))
            .map_err(|error| file_error(folder, ITEM, error))
    }
}

/// Whether an item's pages are given out: while its document is still being read, they are not all known.
fn has_folder(item: &QueueItem) -> bool {
    item.state != ItemState::Resolved && !pipeline::is_still_being_read(item)
}

/// What is to be done for an item.
struct Work {
    item: QueueItem,
    document: DocumentId,
    json: String,
    folder: PathBuf,
    /// `None` when they cannot be shown.
    pages: Option<Pages>,
}

struct Pages {
    bytes: Arc<[u8]>,
    read: Vec<Page>,
}

/// A page as it goes into the PDF, with its reading.
enum Sheet {
    Picture(Box<Facsimile>, Option<Page>),
    Text(Page),
    Missing(Option<Page>),
}

/// `document.pdf`, being written.
struct Paper {
    replacement: Replacement,
    pdf: DocumentPdf<BufWriter<File>>,
}

impl Paper {
    fn finish(self) -> io::Result<()> {
        self.replacement.synced(self.pdf.finish()?)?.replace()
    }
}

/// An item's line of `queue.jsonl`, to be read by people too.
fn as_json(item: &QueueItem) -> Result<String, ExportError> {
    let json = serde_json::to_string_pretty(item);
    json.map(|json| json + "\n").map_err(|error| ExportError::Item { item: item.id.clone(), error: error.into() })
}

fn digest(json: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    json.hash(&mut hasher);
    hasher.finish()
}

/// The folders of items, whoever may have made them; none if there are none.
pub(super) fn folders(root: &Path) -> Result<Vec<(ItemId, PathBuf)>, ExportError> {
    let unreadable = |error| ExportError::Unreadable { file: root.display().to_string(), error };
    let entries = match fs::read_dir(root) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries.map_err(unreadable)?,
    };
    let mut folders = Vec::new();
    for entry in entries {
        let entry = entry.map_err(unreadable)?;
        let id = entry.file_name().to_str().and_then(|name| ItemId::try_from(name.to_owned()).ok());
        if let Some(id) = id
            && entry.file_type().map_err(unreadable)?.is_dir()
        {
            folders.push((id, entry.path()));
        }
    }
    Ok(folders)
}

/// Removes an item's folder; one that is gone is no error, as the exporter and a purge may come together.
pub(super) fn remove_folder(folder: PathBuf) -> Result<(), ExportError> {
    match fs::remove_dir_all(&folder) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(ExportError::NotRemoved { folder, error }),
        Ok(()) | Err(_) => Ok(()),
    }
}

/// Removes the folders of items that are not open.
pub(super) fn remove_closed(worklist: &Worklist, archive: &Archive) -> Result<(), ExportError> {
    for (id, folder) in folders(&worklist.folder.join(FOLDER))? {
        if !archive.item(&id)?.as_ref().is_some_and(has_folder) {
            remove_folder(folder)?;
        }
    }
    Ok(())
}

/// Names what in the items' folders does not say what the archive says.
pub(super) fn disagreements(worklist: &Worklist, archive: &Archive) -> Result<Vec<Disagreement>, ExportError> {
    let root = worklist.folder.join(FOLDER);
    let mut there: HashMap<ItemId, PathBuf> = folders(&root)?.into_iter().collect();
    let mut differing = Vec::new();
    let mut awaited = 0_u64;
    let mut differs = |folder: &Path, id: &ItemId| {
        let written = fs::metadata(folder).and_then(|metadata| metadata.modified()).ok();
        let written = written.and_then(|at| at.try_into().ok());
        differing.push(Disagreement { file: format!("{FOLDER}/{id}"), written, lags: true });
    };
    for item in archive.items() {
        let item = item?;
        if !has_folder(&item) {
            continue;
        }
        let folder = there.remove(&item.id).filter(|_| worklist.items);
        let json = folder.as_ref().and_then(|folder| fs::read(folder.join(ITEM)).ok());
        match (folder, json) {
            (Some(folder), Some(json)) => {
                let pages_there = item.state == ItemState::Held || folder.join(DOCUMENT).is_file();
                if json != as_json(&item)?.as_bytes() || !pages_there {
                    differs(&folder.join(ITEM), &item.id);
                }
            }
            _ => awaited += u64::from(worklist.items),
        }
    }
    for (id, folder) in &there {
        differs(folder, id);
    }
    if awaited > 0 {
        differing.push(Disagreement { file: format!("{FOLDER}/ ({awaited} of them)"), written: None, lags: true });
    }
    Ok(differing)
}

/// Keeps the latest failure, and logs the first of a row.
fn failed(failure: &mut Option<ExportError>, error: ExportError) {
    if failure.is_none() {
        error!(%error, "items' pages cannot be exported; trying again");
    }
    *failure = Some(error);
}

fn remove(folder: &Path, file: &str) -> Result<(), ExportError> {
    match fs::remove_file(folder.join(file)) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(file_error(folder, file, error)),
        _ => Ok(()),
    }
}

fn file_error(folder: &Path, file: &str, error: io::Error) -> ExportError {
    let item = folder.file_name().unwrap_or_default().to_string_lossy();
    ExportError::File { file: format!("{FOLDER}/{item}/{file}"), error }
}

/// Runs what blocks on the disk.
async fn blocking<T: Send + 'static>(
    step: impl FnOnce() -> Result<T, ExportError> + Send + 'static,
) -> Result<T, Unfinished> {
    match tokio::task::spawn_blocking(step).await {
        Ok(outcome) => outcome.map_err(Unfinished::Failed),
        Err(_panicked) => Err(Unfinished::Failed(ExportError::Panicked)),
    }
}
