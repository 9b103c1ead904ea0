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
//! Log lines name the source, the document's id and the sanitized file name; never what is in a file.

use std::collections::{HashMap, HashSet, VecDeque};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, sleep_until};
use tracing::{error, info, warn};

use super::changes::{Change, Changes};
use super::judge::{Rules, SidecarFile, Verdict, is_document_of, judge};
pub use super::release::AfterAccept;
use super::release::{Released, is_parked, put_back_parked, release};
use super::settle::Settling;
use super::sidecar::{self, Sidecar};
use super::source_file::{Entry, Fingerprint, Kind, ReadError, SourceFile, list, source_key};
use super::status::SourceStatuses;
use super::{Refusal, loggable, received_by};
use crate::archive::event::Event;
use crate::archive::{Archive, ArchiveError, Arrival, Content};
use crate::clock;
use crate::document::{DocumentId, Receipt};

/// Files stored together, so that the archive's group commit shares its syncs among them.
const BATCH_FILES: usize = 64;

/// Bytes stored together: what a batch may hold in memory, unless one file alone is larger.
const BATCH_BYTES: u64 = 16 * 1024 * 1024;

/// Events of one upload come in a cluster; one look answers them all.
const AFTER_EVENT: Duration = Duration::from_millis(50);

/// What a look in hand may still take once the daemon stops; it may be cut off anywhere without loss.
const STOP_GRACE: Duration = Duration::from_secs(5);

/// A drain waits this many settle times (and at least a minute) for a file that keeps changing; then it is left for the
/// next one.
const DRAIN_PATIENCE: u32 = 12;

/// One `[[intake.folder]]`.
#[derive(Clone, Debug)]
pub struct FolderSettings {
    /// The source's name, as queue items show it.
    pub name: String,
    pub path: PathBuf,
    /// How long a file must lie unchanged.
    pub settle: Duration,
    /// How often everything is looked at without an event.
    pub rescan: Duration,
    pub after: AfterAccept,
    /// Larger files are refused.
    pub max_bytes: u64,
}

impl FolderSettings {
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

/// Watches a folder until `stop` becomes true. Ids of documents that came for the first time go to `accepted`; a full
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
                let look = tokio::select! {
                    look = async {
                        folder.watch_again(&mut watched).await;
                        folder.look().await
                    } => look,
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
        let look = folder.look().await?;
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

async fn stopped(stop: &mut watch::Receiver<bool>) {
    // An error means that the sender is gone, and with it the daemon.
    _ = stop.wait_for(|stop| *stop).await;
}

async fn grace(stop: &mut watch::Receiver<bool>) {
    stopped(stop).await;
    sleep(STOP_GRACE).await;
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

/// What a look found.
struct LookOutcome {
    /// When the next look is due at the latest, rescans apart.
    next: Instant,
    /// Files that only have to settle.
    unsettled: Vec<Unsettled>,
}

struct Unsettled {
    first_seen: Instant,
    until: Instant,
}

/// A document that is ready to be taken.
struct Ready {
    entry: Entry,
    sidecar: Option<SidecarFile>,
    key: String,
}

/// What became of a file that was ready.
enum Taken {
    Stored {
        document: DocumentId,
        first: bool,
        release: std::io::Result<Released>,
    },
    /// Not as it was when looked at; it is looked at again.
    Changed,
    Refused(Refusal),
    Failed(ArchiveError),
}

struct Unreleased {
    document: DocumentId,
    retry_at: Instant,
}

struct Folder {
    settings: Arc<FolderSettings>,
    archive: Archive,
    statuses: SourceStatuses,
    settling: Settling,
    /// Keys of the refusals that the archive holds for this source; `None` until they have been asked for.
    refused: Option<HashSet<String>>,
    /// Stored files that could not be released, by their key.
    unreleased: HashMap<String, Unreleased>,
    unannounced: VecDeque<DocumentId>,
}

impl Folder {
    fn new(settings: FolderSettings, archive: Archive, statuses: SourceStatuses) -> Self {
        statuses.update(&settings.name, |_| {});
        Self {
            settings: Arc::new(settings),
            archive,
            statuses,
            settling: Settling::default(),
            refused: None,
            unreleased: HashMap::new(),
            unannounced: VecDeque::new(),
        }
    }

    /// Sets the kernel's watch if there is none on the folder that now bears this path; without one the rescans do the
    /// work.
    async fn watch_again(&mut self, watched: &mut Option<Changes>) {
        let settings = Arc::clone(&self.settings);
        let before = watched.take();
        let had_one = before.is_some();
        *watched = on_blocking_thread(move || match before {
            Some(changes) if changes.is_on(&settings.path) => Some(changes),
            Some(_) | None => Changes::watch(&settings.path).ok(),
        })
        .await;
        if had_one && watched.is_none() {
            self.settling.note(Change::Lost);
        }
    }

    /// Looks at everything that lies in the folder, takes what is ready, and tells of what cannot be taken.
    async fn look(&mut self) -> Result<LookOutcome, FolderError> {
        let outcome = self.look_once().await;
        let name = &self.settings.name;
        let before = self.statuses.snapshot().remove(name).and_then(|status| status.last_error);
        match &outcome {
            Ok(_) if before.is_some() => info!(source = %name, "source can be read again"),
            Ok(_) => {}
            Err(error) if before.as_ref() == Some(&error.to_string()) => {}
            Err(error) => error!(source = %name, error = %error, "source failed; trying again at every rescan"),
        }
        self.statuses.update(name, |status| match &outcome {
            Ok(_) => {
                status.last_read = Some(clock::now());
                status.last_error = None;
            }
            Err(error) => status.last_error = Some(error.to_string()),
        });
        outcome
    }

    async fn look_once(&mut self) -> Result<LookOutcome, FolderError> {
        if self.refused.is_none() {
            let (archive, name) = (self.archive.clone(), self.settings.name.clone());
            let known =
                on_blocking_thread(move || archive.refused()).await.map_err(|error| self.archive_error(error))?;
            self.refused =
                Some(known.into_iter().filter(|refusal| refusal.source == name).map(|refusal| refusal.key).collect());
        }
        let entries = self.list().await?;
        let now = Instant::now();
        self.settling.observe(&entries, now);
        let rules = Rules { settle: self.settings.settle, max_bytes: self.settings.max_bytes };
        let verdicts = judge(&entries, &self.settling, rules, now, clock::now());

        let mut ready = Vec::new();
        let mut refusals = HashMap::new();
        let mut undecided = HashSet::new();
        let mut unsettled = Vec::new();
        let mut next = now + self.settings.rescan;
        for (entry, verdict) in entries.iter().zip(verdicts) {
            let key = source_key(&self.settings.name, &entry.name.to_string_lossy(), &entry.fingerprint);
            match verdict {
                Verdict::Take { .. } if self.unreleased.get(&key).is_some_and(|file| file.retry_at > now) => {
                    undecided.insert(key);
                }
                Verdict::Take { sidecar } => ready.push(Ready { entry: entry.clone(), sidecar, key }),
                Verdict::Refuse(refusal) => {
                    refusals.insert(key, (entry.name.to_string_lossy().into_owned(), refusal));
                }
                Verdict::Wait { until } => {
                    undecided.insert(key);
                    next = until.map_or(next, |until| next.min(until));
                    let seen = self.settling.seen(&entry.name);
                    if let (Some(until), Some(seen)) = (until, seen) {
                        unsettled.push(Unsettled { first_seen: seen.first, until });
                    }
                }
                Verdict::LeaveAlone => {}
            }
        }
        self.unreleased.retain(|key, _| undecided.contains(key) || ready.iter().any(|file| file.key == *key));

        let taken = self.take_all(ready, &entries, &mut refusals, &mut unsettled).await;
        next = unsettled.iter().map(|file| file.until).fold(next, Instant::min);
        self.statuses.update(&self.settings.name, |status| {
            status.waiting = undecided.len();
            status.refused = refusals.len();
        });
        self.tell_refusals(refusals, &undecided).await?;
        taken?;
        Ok(LookOutcome { next, unsettled })
    }

    /// Lists the folder; what a crash left half released is put back first.
    async fn list(&self) -> Result<Vec<Entry>, FolderError> {
        let settings = Arc::clone(&self.settings);
        let listed = on_blocking_thread(move || {
            let entries = list(&settings.path)?;
            let (parked, entries): (Vec<_>, Vec<_>) = entries.into_iter().partition(|entry| is_parked(&entry.name));
            if parked.is_empty() {
                return Ok(entries);
            }
            for entry in parked {
                // One that cannot be put back stays listed as an upload, and is shown to a person in its time.
                _ = put_back_parked(&settings.path, &entry.name);
            }
            list(&settings.path)
        });
        listed.await.map_err(|error| FolderError::Unreadable { source_name: self.settings.name.clone(), error })
    }

    /// Takes the files that are ready, oldest first, a batch at a time.
    async fn take_all(
        &mut self,
        mut ready: Vec<Ready>,
        entries: &[Entry],
        refusals: &mut HashMap<String, (String, Refusal)>,
        unsettled: &mut Vec<Unsettled>,
    ) -> Result<(), FolderError> {
        ready.sort_by_key(|file| std::cmp::Reverse(file.entry.fingerprint.modified_ns));
        // Documents that still need a sidecar; it goes when the last of them has gone.
        let mut present: Vec<&Entry> = entries.iter().filter(|entry| entry.kind != Kind::Folder).collect();
        let mut outcome = Ok(());
        while outcome.is_ok() && !ready.is_empty() {
            let mut batch = JoinSet::new();
            let mut bytes = 0;
            while let Some(file) = ready.pop_if(|file| {
                batch.is_empty() || (batch.len() < BATCH_FILES && bytes + file.entry.fingerprint.size <= BATCH_BYTES)
            }) {
                bytes += file.entry.fingerprint.size;
                let (settings, archive) = (Arc::clone(&self.settings), self.archive.clone());
                let stored = self.unreleased.get(&file.key).map(|file| file.document.clone());
                batch.spawn_blocking(move || {
                    let taken = take(&settings, &archive, &file, stored);
                    (file, taken)
                });
            }
            let mut sidecars = Vec::new();
            while let Some(joined) = batch.join_next().await {
                let Ok((file, taken)) = joined else {
                    error!(source = %self.settings.name, "a fault in nicufaxd itself; the file stays and is tried again");
                    continue;
                };
                match taken {
                    Taken::Stored { document, first, release } => {
                        self.after_storing(&file, &document, first);
                        match release {
                            Ok(Released::Yes) => {
                                self.unreleased.remove(&file.key);
                                present.retain(|entry| entry.name != file.entry.name);
                                sidecars.extend(file.sidecar.map(|sidecar| (sidecar, document)));
                            }
                            Ok(Released::NotThatFile) => unsettled.push(self.unsettle(&file)),
                            Err(error) => self.keep_unreleased(&file, document, &error),
                        }
                    }
                    Taken::Changed => unsettled.push(self.unsettle(&file)),
                    Taken::Refused(refusal) => {
                        refusals.insert(file.key, (file.entry.name.to_string_lossy().into_owned(), refusal));
                    }
                    Taken::Failed(error) => {
                        outcome = Err(self.archive_error(error));
                    }
                }
            }
            sidecars.retain(|(sidecar, _)| !present.iter().any(|entry| is_document_of(&entry.name, &sidecar.name)));
            self.release_sidecars(sidecars).await;
        }
        outcome
    }

    fn archive_error(&self, error: ArchiveError) -> FolderError {
        FolderError::Archive { source_name: self.settings.name.clone(), error }
    }

    fn after_storing(&mut self, file: &Ready, document: &DocumentId, first: bool) {
        let source = &self.settings.name;
        if !self.unreleased.contains_key(&file.key) {
            info!(%document, %source, bytes = file.entry.fingerprint.size, first, "document stored");
            self.statuses.update(source, |status| status.accepted += 1);
            if first {
                self.unannounced.push_back(document.clone());
            }
        }
    }

    /// Lets a file that is not as it was wait its full time again.
    fn unsettle(&mut self, file: &Ready) -> Unsettled {
        let now = Instant::now();
        self.settling.restart(&file.entry.name, now);
        let first_seen = self.settling.seen(&file.entry.name).map_or(now, |seen| seen.first);
        Unsettled { first_seen, until: now + self.settings.settle }
    }

    fn keep_unreleased(&mut self, file: &Ready, document: DocumentId, error: &std::io::Error) {
        if !self.unreleased.contains_key(&file.key) {
            let source = &self.settings.name;
            warn!(%document, %source, %error, "stored, but its file cannot be released; trying again at every rescan");
        }
        let retry_at = Instant::now() + self.settings.rescan;
        self.unreleased.insert(file.key.clone(), Unreleased { document, retry_at });
    }

    async fn release_sidecars(&self, sidecars: Vec<(SidecarFile, DocumentId)>) {
        if sidecars.is_empty() {
            return;
        }
        let settings = Arc::clone(&self.settings);
        on_blocking_thread(move || {
            for (SidecarFile { name, fingerprint }, document) in sidecars {
                if let Err(error) = release(&settings.path, &name, &fingerprint, &settings.after, document.short()) {
                    warn!(%document, source = %settings.name, %error, "the document's sidecar cannot be released");
                }
            }
        })
        .await;
    }

    /// Records refusals that are new, and clears those that are gone. An entry that is not decided yet keeps its own.
    async fn tell_refusals(
        &mut self,
        refusals: HashMap<String, (String, Refusal)>,
        undecided: &HashSet<String>,
    ) -> Result<(), FolderError> {
        let Some(known) = &mut self.refused else { return Ok(()) };
        let source = &self.settings.name;
        let gone: Vec<String> =
            known.iter().filter(|key| !refusals.contains_key(*key) && !undecided.contains(*key)).cloned().collect();
        for key in gone {
            record(&self.archive, source, Event::RefusalCleared { key: key.clone() }).await?;
            known.remove(&key);
        }
        for (key, (source_file, refusal)) in refusals {
            if !known.contains(&key) {
                let reason = refusal.to_string();
                warn!(%source, file = %loggable(&source_file), %reason, "refused; it stays where it lies");
                let event = Event::Refused { source: source.clone(), source_file, reason, key: key.clone() };
                record(&self.archive, source, event).await?;
                known.insert(key);
            }
        }
        Ok(())
    }
}

async fn record(archive: &Archive, source: &str, event: Event) -> Result<(), FolderError> {
    let archive = archive.clone();
    on_blocking_thread(move || archive.record(event))
        .await
        .map_err(|error| FolderError::Archive { source_name: source.to_owned(), error })
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

/// Reads one file, stores it, releases it. Blocks. `stored` is its document when an earlier look stored it already.
fn take(settings: &FolderSettings, archive: &Archive, file: &Ready, stored: Option<DocumentId>) -> Taken {
    let Ready { entry, key, .. } = file;
    let (document, first) = match stored {
        Some(document) => (document, false),
        None => match store(settings, archive, file) {
            Ok(stored) => stored,
            Err(taken) => return taken,
        },
    };
    let release = release(&settings.path, &entry.name, &entry.fingerprint, &settings.after, document.short());
    if matches!(release, Ok(Released::Yes)) {
        let event = Event::SourceReleased { document: document.clone(), source_key: key.clone() };
        if let Err(error) = archive.record(event) {
            // The document is stored and its file released; only the note of it is missing.
            warn!(%document, source = %settings.name, %error, "the release could not be recorded");
        }
    }
    Taken::Stored { document, first, release }
}

fn store(settings: &FolderSettings, archive: &Archive, file: &Ready) -> Result<(DocumentId, bool), Taken> {
    let Ready { entry, sidecar, key } = file;
    let taken = |error| match error {
        ReadError::Gone | ReadError::Changed => Taken::Changed,
        ReadError::Refused(refusal) => Taken::Refused(refusal),
    };
    let mut opened = SourceFile::open(&settings.path.join(&entry.name)).map_err(taken)?;
    if opened.fingerprint != entry.fingerprint {
        return Err(Taken::Changed);
    }
    let bytes = opened.read_whole(settings.max_bytes).map_err(taken)?;
    let sidecar = sidecar.as_ref().map(|sidecar| read_sidecar(&settings.path, sidecar)).unwrap_or_default();
    let receipt = receipt(settings, entry, sidecar);
    let accepted = archive
        .accept(Arrival { content: Content::Bytes(bytes), receipt, source_key: key.clone() })
        .map_err(Taken::Failed)?;
    Ok((accepted.document, accepted.first))
}

fn read_sidecar(folder: &Path, file: &SidecarFile) -> Sidecar {
    let bytes = SourceFile::open(&folder.join(&file.name)).and_then(|mut opened| opened.read_whole(sidecar::MAX_BYTES));
    match bytes {
        Ok(bytes) => Sidecar::parse(&bytes, clock::now()),
        Err(ReadError::Gone) => Sidecar::unreadable("gone before it was read"),
        Err(ReadError::Changed) => Sidecar::unreadable("still being written"),
        Err(ReadError::Refused(Refusal::Empty)) => Sidecar::unreadable("empty"),
        Err(ReadError::Refused(Refusal::TooLarge { .. })) => Sidecar::unreadable("too large"),
        Err(ReadError::Refused(_)) => Sidecar::unreadable("cannot be opened"),
    }
}

fn receipt(settings: &FolderSettings, entry: &Entry, sidecar: Sidecar) -> Receipt {
    let Fingerprint { modified_ns, .. } = entry.fingerprint;
    Receipt {
        source: settings.name.clone(),
        source_file: entry.name.to_string_lossy().into_owned(),
        received_at: sidecar.received_at.unwrap_or_else(|| received_by(modified_ns, clock::now())),
        reported_pages: sidecar.pages,
        received_with_errors: sidecar.received_with_errors,
        note: sidecar.note(),
        sender: sidecar.sender,
        receiver: sidecar.receiver,
    }
}

#[cfg(test)]
mod tests;
