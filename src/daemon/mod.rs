//! Joins it all: start, signals, stop.
//!
//! A restart is a normal path: what was accepted and is neither queued nor held is waiting, whatever ended the last
//! run. Stopping hands back what can't be finished at once; a handed-back document keeps its attempts.

mod answered;
mod attempt;
mod clocks;
mod decider;
mod dispositions;
pub mod knowledge;
pub mod memory;
mod repeats;
pub mod retention;
mod sharing;
mod todo;
mod watched_file;
mod work;

use std::sync::{Arc, Mutex};

use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::{mpsc, watch};

use crate::archive::{Archive, ArchiveError, blocking};
use crate::clock;
use crate::config::{Config, ReaderSettings};
use crate::control;
use crate::intake::imap::{self, Tokens};
use crate::intake::status::SourceStatuses;
use crate::intake::{SourceError, folder};
use crate::log::{self, LastError};
use crate::outbox::{self, Outbox, TemplateError, Watched};
use crate::queue::export;
use crate::queue::export::items::ItemExporter;
use crate::reader::pool::{PoolSettings, ReadError, ReaderPool};
use crate::reader::render::RenderLimits;
use crate::systemd;
use decider::Decider;
use knowledge::{KnowledgeError, KnowledgeInForce};
use sharing::Sharing;
use work::WorkLoop;
pub use work::{Progress, Worked};

/// Ids on their way to the work loop. Small: what does not fit waits in the archive or with its source.
const ANNOUNCED: usize = 1024;

/// Until when the daemon runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// Until a signal.
    Serve,
    /// Until the sources are empty and everything is queued or held.
    Drain,
}

/// Why the daemon did not start, or could not go on.
#[derive(Debug, thiserror::Error)]
pub enum DaemonError {
    #[error(transparent)]
    Archive(#[from] ArchiveError),
    #[error(transparent)]
    Knowledge(#[from] KnowledgeError),
    #[error(transparent)]
    Reader(#[from] ReadError),
    #[error(transparent)]
    Template(#[from] TemplateError),
    #[error("control socket in the state directory cannot be opened: {0}; check the directory's permissions")]
    Control(std::io::Error),
    #[error("signal handlers cannot be set: {0}")]
    Signals(std::io::Error),
    #[error("a thread cannot be started: {0}; the machine or the unit allows too few")]
    Thread(std::io::Error),
    #[error("source could not be read: {0}")]
    Source(SourceError),
    #[error(transparent)]
    Export(export::ExportError),
    #[error("a task ended unexpectedly; this is a fault in the program")]
    Task,
}

/// Runs the daemon. `progress` is told of every document that is finished.
pub async fn run(
    config: Arc<Config>,
    mode: Mode,
    progress: watch::Sender<Progress>,
    last_error: LastError,
) -> Result<Worked, DaemonError> {
    let mut terminate = signal(SignalKind::terminate()).map_err(DaemonError::Signals)?;
    let mut interrupt = signal(SignalKind::interrupt()).map_err(DaemonError::Signals)?;
    let mut hangup = signal(SignalKind::hangup()).map_err(DaemonError::Signals)?;

    let archive = {
        let config = config.clone();
        tokio::task::spawn_blocking(move || Archive::open(&config.state_dir, &config.archive_options()))
            .await
            .map_err(|_| DaemonError::Task)??
    };
    let planner = outbox::load(&config)?;
    let sharing = Sharing::default();
    let decider = Decider::start().map_err(DaemonError::Thread)?;
    let mut knowledge =
        KnowledgeInForce::load(config.clone(), archive.clone(), decider.clone(), planner.clone(), sharing.clone())
            .await?;
    // Missing language data is found here, not at the first fax.
    let pool =
        Arc::new(ReaderPool::start(pool_settings(&config.reader)?, Some(repeats::recall(archive.clone()))).await?);

    let (stop, stopping) = watch::channel(false);
    let (accepted, arrivals) = mpsc::channel(ANNOUNCED);
    let statuses = SourceStatuses::default();

    // The exporter ends last: what the work loop finishes while stopping is exported too.
    let (finish, finished) = watch::channel(false);
    let exporter =
        tokio::spawn(export::run_exporter(config.export.clone(), archive.clone(), archive.watch_items(), finished));
    // Ends before the pool does, which it asks for pictures.
    let (finish_items, items_finished) = watch::channel(false);
    let items = ItemExporter::new(config.export.clone(), archive.clone(), pool.clone());
    let mut items = tokio::spawn(items.run(archive.watch_items(), items_finished));
    let watched = (mode == Mode::Serve).then(|| Watched {
        sources: statuses.clone(),
        pool: pool.clone(),
        last_error: last_error.clone(),
    });
    let outbox = Outbox::start(planner.as_ref(), &archive, watched, &stopping);
    let control = control::serve(control::Serving {
        config: config.clone(),
        archive: archive.clone(),
        pool: pool.clone(),
        sources: statuses.clone(),
        outbox: outbox.status(),
        cases: knowledge.cases_in_force(),
        knowledge: knowledge.subscribe(),
        progress: progress.subscribe(),
        last_error,
        accepted: accepted.downgrade(),
        stopping: stopping.clone(),
    })
    .map_err(DaemonError::Control)?;

    let waiting = archive.waiting()?;
    log::daemon_started(
        config.folders.len() + config.accounts.len(),
        pool.status().workers,
        knowledge.cases(),
        waiting.len(),
    );
    let mut work = tokio::spawn(
        WorkLoop {
            archive: archive.clone(),
            pool: pool.clone(),
            knowledge: knowledge.subscribe(),
            decider,
            planner,
            sharing,
            attempts: config.reader.attempts,
            progress,
            answered: Mutex::default(),
        }
        .run(waiting, arrivals, stopping.clone()),
    );

    // Beside the work: a hundred thousand files take a while on a slow disk.
    let (looking, stop_looking) = (archive.clone(), stopping.clone());
    let looked = tokio::task::spawn_blocking(move || looking.check_document_keys(|| *stop_looking.borrow()));

    // As is what was exported before, to whom it is given.
    let put_right = || {
        let (worklist, stop) = (config.export.clone(), stopping.clone());
        move || export::put_right(&worklist, || mode == Mode::Serve && *stop.borrow())
    };
    let mut putting_right = tokio::task::JoinSet::new();
    putting_right.spawn_blocking(put_right());

    let mut sources = tokio::task::JoinSet::<Result<(), SourceError>>::new();
    for folder in &config.folders {
        let (settings, archive, accepted) = (folder.clone(), archive.clone(), accepted.clone());
        let (statuses, stopping) = (statuses.clone(), stopping.clone());
        sources.spawn(async move {
            match mode {
                Mode::Serve => folder::watch_folder(settings, archive, accepted, statuses, stopping).await?,
                Mode::Drain => folder::drain_folder(settings, archive, accepted, statuses).await?,
            }
            Ok(())
        });
    }
    let tokens = Tokens::new(archive.clone());
    for account in &config.accounts {
        let (settings, tokens, archive) = (account.clone(), tokens.clone(), archive.clone());
        let (accepted, statuses, stopping) = (accepted.clone(), statuses.clone(), stopping.clone());
        sources.spawn(async move {
            match mode {
                Mode::Serve => imap::watch_mailbox(settings, tokens, archive, accepted, statuses, stopping).await?,
                Mode::Drain => imap::drain_mailbox(settings, tokens, archive, accepted, statuses).await?,
            }
            Ok(())
        });
    }
    let retention = (mode == Mode::Serve)
        .then(|| tokio::spawn(retention::daily(config.clone(), archive.clone(), stopping.clone())));
    let dispositions = config.dispositions.clone().filter(|_| mode == Mode::Serve);
    let dispositions = dispositions
        .map(|file| tokio::spawn(dispositions::run(file, archive.clone(), knowledge.subscribe(), stopping.clone())));
    let clocks = (mode == Mode::Serve).then(|| tokio::spawn(clocks::run(archive.clone(), stopping.clone())));
    // While draining, the work loop ends when the last source has given up its sender. The control socket has only a
    // weak one, so that asking for the status doesn't keep a drained daemon alive.
    drop(accepted);

    let mut source_error = None;
    let mut watchdog = tokio::time::interval(systemd::watchdog_interval());
    systemd::ready();
    let worked = loop {
        tokio::select! {
            worked = &mut work => break worked.map_err(|_| DaemonError::Task)?,
            Some(ended) = sources.join_next() => {
                if let Err(error) = ended.map_err(|_| DaemonError::Task)? {
                    source_error.get_or_insert(error);
                    // A watched source ends with an error only when the archive can't go on.
                    if mode == Mode::Serve {
                        stop.send_replace(true);
                    }
                }
            }
            // The work loop sees `stop`, finishes or hands back within GRACE, and ends; so does this loop then.
            _ = terminate.recv() => begin_stop("SIGTERM", &stop),
            _ = interrupt.recv() => begin_stop("SIGINT", &stop),
            _ = hangup.recv() => {
                putting_right.spawn_blocking(put_right());
                knowledge.reload().await?;
            }
            () = knowledge.cases_changed_on_disk() => knowledge.reload_cases().await?,
            _ = watchdog.tick() => systemd::alive(),
        }
    };
    let told_to_stop = stop.send_replace(true);
    // An index that fails is noticed by the work loop too.
    _ = looked.await.map_err(|_| DaemonError::Task)?;
    let mut worked = worked.map_err(DaemonError::Archive)?;
    // In a drain, the work ends as soon as the last source does, so its error may be told only here.
    while let Some(ended) = sources.join_next().await {
        if let Err(error) = ended.map_err(|_| DaemonError::Task)? {
            source_error.get_or_insert(error);
        }
    }
    for task in [retention, clocks, dispositions].into_iter().flatten() {
        task.await.map_err(|_| DaemonError::Task)?;
    }
    if mode == Mode::Drain {
        if let Some(file) = config.dispositions.as_deref().filter(|file| file.exists()) {
            let ground = knowledge.subscribe().borrow().ground();
            dispositions::take(file, &archive, &ground).await;
        }
        let archive = archive.clone();
        blocking(move || clocks::pass(&archive, clock::now())).await?;
    }
    let mut items_exported = Ok(());
    if mode == Mode::Drain && !told_to_stop {
        finish_items.send_replace(true);
        // What is cut off is sent, or made, by the next start.
        let finished = async { tokio::join!(outbox.drain(), &mut items).1 };
        tokio::select! {
            outcome = finished => items_exported = outcome.map_err(|_| DaemonError::Task)?,
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
    }
    items.abort();
    outbox.end().await;
    pool.shutdown().await;
    control.end().await;
    finish.send_replace(true);
    exporter.await.map_err(|_| DaemonError::Task)?;
    while let Some(ended) = putting_right.join_next().await {
        ended.map_err(|_| DaemonError::Task)?;
    }
    if mode == Mode::Drain {
        worked.lost = {
            let archive = archive.clone();
            blocking(move || Ok(archive.lost()?.len())).await?
        };
        // The exporter logs failures and tries again; who waits for a drain wants to be told.
        let (worklist, archive) = (config.export.clone(), archive.clone());
        let written = tokio::task::spawn_blocking(move || export::write_queue(&worklist, &archive));
        written.await.map_err(|_| DaemonError::Task)?.map_err(DaemonError::Export)?;
    }
    items_exported.map_err(DaemonError::Export)?;
    log::daemon_stopped(worked.handed_back);
    match source_error {
        Some(error) => Err(error.into_archive_error().map_or_else(DaemonError::Source, DaemonError::Archive)),
        None => Ok(worked),
    }
}

fn begin_stop(signal: &'static str, stop: &watch::Sender<bool>) {
    if !stop.send_replace(true) {
        log::daemon_stopping(signal);
        systemd::stopping();
    }
}

/// The pool's settings; its workers are this same program.
pub fn pool_settings(settings: &ReaderSettings) -> Result<PoolSettings, ReadError> {
    let program = std::env::current_exe()
        .map_err(|error| ReadError::CannotStart { reason: format!("the program's own file is not known: {error}") })?;
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    Ok(PoolSettings {
        program,
        workers: if settings.workers == 0 { cores } else { settings.workers },
        page_timeout: settings.page_timeout,
        worker_memory: settings.worker_memory,
        languages: settings.languages.clone(),
        tessdata: settings.tessdata.clone(),
        limits: RenderLimits { max_pages: settings.max_pages, max_pixels: settings.max_pixels },
        cage: settings.cage,
    })
}
