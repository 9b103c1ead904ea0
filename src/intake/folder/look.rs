//! One look at a folder: list, judge, take what is ready, tell what cannot be taken.

use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;
use tracing::{error, info, warn};

use super::take::{Ready, Stored, Taken, read, store_and_release};
use super::{FolderError, FolderSettings};
use crate::archive::{Archive, ArchiveError};
use crate::clock;
use crate::document::DocumentId;
use crate::fault;
use crate::intake::changes::{Change, Changes};
use crate::intake::judge::{Rules, SidecarFile, Verdict, is_document_of, judge};
use crate::intake::refusals::Refusals;
use crate::intake::release::{AfterAccept, Released, is_parked, put_back_parked, release};
use crate::intake::settle::Settling;
use crate::intake::source_file::{Entry, Kind, list, source_key};
use crate::intake::status::SourceStatuses;
use crate::intake::{Refusal, on_blocking_thread};

/// Files stored together, so that they share the archive's syncs.
const BATCH_FILES: usize = 256;

/// Bytes stored together: what a batch may hold in memory, unless one file alone is larger.
const BATCH_BYTES: u64 = 16 * 1024 * 1024;

/// Files that may fail alone, one after the other, before a look is given up: the disk has no room for any, then.
const FAILED_ALONE: u32 = 16;

/// A look that takes longer is told of: one batch takes a second at most, unless something hangs.
const PATIENCE: Duration = Duration::from_secs(30);

/// What a look found.
pub(super) struct LookOutcome {
    /// When the next look is due at the latest, rescans apart.
    pub next: Instant,
    /// Files that only have to settle.
    pub unsettled: Vec<Unsettled>,
}

/// A file that has not settled: since when it is known, and when it will have settled.
pub(super) struct Unsettled {
    pub first_seen: Instant,
    pub until: Instant,
}

struct Unreleased {
    document: DocumentId,
    retry_at: Instant,
}

/// The task's memory between looks. None of it is truth: a restart begins without it.
pub(super) struct Folder {
    pub settings: Arc<FolderSettings>,
    archive: Archive,
    statuses: SourceStatuses,
    pub settling: Settling,
    refusals: Refusals,
    /// Stored files that could not be released, by their key.
    unreleased: HashMap<String, Unreleased>,
    /// Documents that came, wait for the pipeline and have not been passed on yet.
    pub unannounced: VecDeque<DocumentId>,
}

impl Folder {
    pub fn new(settings: FolderSettings, archive: Archive, statuses: SourceStatuses) -> Self {
        statuses.update(&settings.name, |_| {});
        Self {
            refusals: Refusals::new(&settings.name, archive.clone()),
            settings: Arc::new(settings),
            archive,
            statuses,
            settling: Settling::default(),
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
        *watched = on_blocking_thread(move || {
            fault::hang(fault::Hanging::Folder, &settings.name);
            match before {
                Some(changes) if changes.is_on(&settings.path) => Some(changes),
                Some(_) | None => Changes::watch(&settings.path).ok(),
            }
        })
        .await;
        if had_one && watched.is_none() {
            self.settling.note(Change::Lost);
        }
    }

    /// Looks at everything that lies in the folder, takes what is ready, and tells of what cannot be taken.
    ///
    /// Whoever watches it gives the kernel's watch, which is set again first if it has come off.
    pub async fn look(&mut self, watched: Option<&mut Option<Changes>>) -> Result<LookOutcome, FolderError> {
        let outcome = self.look_with_patience(watched).await;
        let name = &self.settings.name;
        match &outcome {
            Ok(_) => self.statuses.succeeded(name),
            Err(error) => {
                if self.statuses.failed(name, &error.to_string()) {
                    error!(source = %name, error = %error, "source failed; trying again at every rescan");
                }
            }
        }
        outcome
    }

    /// Says so when a look takes very long: whoever waits for faxes wants to know that a share hangs.
    async fn look_with_patience(&mut self, watched: Option<&mut Option<Changes>>) -> Result<LookOutcome, FolderError> {
        let (name, statuses) = (self.settings.name.clone(), self.statuses.clone());
        let mut look = std::pin::pin!(async {
            if let Some(watched) = watched {
                self.watch_again(watched).await;
            }
            self.look_once().await
        });
        if let Ok(outcome) = tokio::time::timeout(PATIENCE, &mut look).await {
            return outcome;
        }
        let reason = format!("a look at it takes longer than {} s: is it a share that hangs?", PATIENCE.as_secs());
        warn!(source = %name, %reason, "source does not answer; the others go on");
        statuses.failed(&name, &reason);
        look.await
    }

    async fn look_once(&mut self) -> Result<LookOutcome, FolderError> {
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
                Verdict::Refuse(Refusal::Folder) if self.is_done(entry) => {}
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
        let told = self.refusals.tell(refusals, |key| undecided.contains(key), now).await;
        told.map_err(|error| self.archive_error(error))?;
        taken?;
        Ok(LookOutcome { next, unsettled })
    }

    /// Whether it is where released files go, which may lie in the folder itself.
    fn is_done(&self, entry: &Entry) -> bool {
        match &self.settings.after {
            AfterAccept::MoveTo(done) => *done == self.settings.path.join(&entry.name),
            AfterAccept::Delete => false,
        }
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
        // A sidecar goes when the last document that needs it has gone.
        let mut gone = HashSet::new();
        let mut outcome = Ok(());
        if !ready.is_empty() {
            // Told before anything is read for nothing.
            let archive = self.archive.clone();
            outcome = on_blocking_thread(move || archive.check_room()).await.map_err(|error| self.archive_error(error));
        }
        // Files that do not fit on the disk together may fit one by one, so a batch that failed is gone through so.
        let mut one_by_one = false;
        let mut failed_alone = 0;
        while (outcome.is_ok() || (one_by_one && failed_alone < FAILED_ALONE)) && !ready.is_empty() {
            let mut batch = Vec::new();
            let mut bytes = 0;
            while let Some(file) = ready.pop_if(|file| {
                batch.is_empty()
                    || !one_by_one && (batch.len() < BATCH_FILES && bytes + file.entry.fingerprint.size <= BATCH_BYTES)
            }) {
                bytes += file.entry.fingerprint.size;
                let stored = self.unreleased.get(&file.key).map(|file| file.document.clone());
                batch.push((file, stored));
            }
            // On one thread, so that a share which hangs does not hold all of them.
            let (settings, archive) = (Arc::clone(&self.settings), self.archive.clone());
            let taken = on_blocking_thread(move || {
                let batch = batch.into_iter().map(|(file, stored)| read(&settings, file, stored)).collect();
                store_and_release(&settings, &archive, batch)
            })
            .await;
            let mut sidecars = Vec::new();
            let mut again = Vec::new();
            let together = taken.len() > 1;
            for (file, taken) in taken {
                match taken {
                    Taken::Stored { document, accepted, release, took } => {
                        self.after_storing(&file, &document, accepted, took);
                        match release {
                            Ok(Released::Yes) => {
                                self.unreleased.remove(&file.key);
                                gone.insert(file.entry.name.clone());
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
                    Taken::Failed(error) if together && !error.is_fatal() => {
                        one_by_one = true;
                        again.push(file);
                    }
                    Taken::Failed(error) => {
                        failed_alone += 1;
                        one_by_one &= !error.is_fatal();
                        outcome = Err(self.archive_error(error));
                    }
                }
            }
            again.reverse();
            ready.append(&mut again);
            let present = entries.iter().filter(|entry| entry.kind != Kind::Folder && !gone.contains(&entry.name));
            sidecars.retain(|(sidecar, _)| !present.clone().any(|entry| is_document_of(&entry.name, &sidecar.name)));
            self.release_sidecars(sidecars).await;
        }
        outcome
    }

    fn archive_error(&self, error: ArchiveError) -> FolderError {
        FolderError::Archive { source_name: self.settings.name.clone(), error }
    }

    fn after_storing(&mut self, file: &Ready, document: &DocumentId, accepted: Stored, took: Duration) {
        let Stored { first, waits, is_echo } = accepted;
        let source = &self.settings.name;
        if !self.unreleased.contains_key(&file.key) {
            let (bytes, ms) = (file.entry.fingerprint.size, took.as_millis() as u64);
            info!(stage = "intake", %document, %source, bytes, first, ms, "document stored");
            self.statuses.accepted(source, is_echo);
            if waits {
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
}
