//! Retention: what the rules of the configuration let go is purged, once a day and when an operator asks.
//!
//! The exports are brought up to date first, so that nothing is forgotten that they do not know to be resolved.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::watch;

use crate::archive::event::MACHINE;
use crate::archive::{Archive, ArchiveError, Due};
use crate::config::Config;
use crate::queue::export;
use crate::{clock, log};

/// Between two looks at the clock, and two tries of a purge that failed.
const HOURLY: Duration = Duration::from_secs(60 * 60);

/// Between two purges by the daemon.
const DAILY: Duration = Duration::from_secs(24 * 60 * 60);

/// Why nothing, or not everything, was purged.
#[derive(Debug, thiserror::Error)]
pub enum PurgeError {
    #[error(transparent)]
    Archive(#[from] ArchiveError),
    #[error("nothing was purged, because the exports could not be brought up to date: {0}")]
    Export(#[from] export::ExportError),
}

/// What may be purged now. Blocks.
fn due(config: &Config, archive: &Archive) -> Result<Vec<Due>, PurgeError> {
    Ok(archive.due_for_purge(&config.retention, &clock::now().to_zoned(config.time_zone.clone()))?)
}

/// Purges what may go now, until done or told to stop; gives what is purged. Nothing is purged by a clock that must not be
/// believed. Blocks.
fn purge(config: &Config, archive: &Archive, by: &str, stop: impl Fn() -> bool) -> Result<Vec<Due>, PurgeError> {
    let mut purged = due(config, archive)?;
    let believed = archive.check_clock();
    if !purged.is_empty() {
        believed?;
        export::write_and_record(&config.export, archive, by)?;
        purged = archive.purge(purged, by, stop)?;
        log::purged(purged.len());
    }
    Ok(purged)
}

/// What the command `purge` asks for: to be told what may be purged, or to have it purged, perhaps because an operator
/// says that the clock is right. Blocks.
pub fn asked(
    config: &Config,
    archive: &Archive,
    (dry_run, clock_is_right): (bool, bool),
    by: &str,
    stop: impl Fn() -> bool,
) -> Result<Vec<Due>, PurgeError> {
    if dry_run {
        return due(config, archive);
    }
    if clock_is_right {
        archive.believe_clock()?;
    }
    purge(config, archive, by, stop)
}

/// Purges at once and then every day, until `stopping`. An archive that can't go on is noticed by the work loop too.
pub async fn daily(config: Arc<Config>, archive: Archive, mut stopping: watch::Receiver<bool>) {
    if config.retention.is_empty() {
        return;
    }
    let mut hours = tokio::time::interval(HOURLY);
    let mut purged_at: Option<Instant> = None;
    let mut failed = String::new();
    while !*stopping.borrow_and_update() {
        tokio::select! {
            _ = stopping.changed() => {}
            _ = hours.tick() => {
                let (config, archive, stopping) = (config.clone(), archive.clone(), stopping.clone());
                let is_due = purged_at.is_none_or(|at| at.elapsed() >= DAILY);
                let purged = tokio::task::spawn_blocking(move || {
                    if is_due {
                        return purge(&config, &archive, MACHINE, || *stopping.borrow()).map(drop);
                    }
                    // The clock is watched all the time; what it does matters at the next purge.
                    _ = archive.check_clock();
                    Ok(())
                });
                match purged.await {
                    Ok(Ok(())) if is_due => {
                        purged_at = Some(Instant::now());
                        failed.clear();
                    }
                    Ok(Err(error)) if error.to_string() != failed => {
                        failed = error.to_string();
                        log::purge_failed(&failed);
                    }
                    Ok(Ok(()) | Err(_)) | Err(_) => {}
                }
            }
        }
    }
}
