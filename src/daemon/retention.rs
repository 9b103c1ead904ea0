//! Retention: what the rules of the configuration let go is purged, once a day and when an operator asks.
//!
//! The exports are brought up to date first, so that nothing is forgotten that they do not know to be resolved.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;

use crate::archive::event::MACHINE;
use crate::archive::{Archive, ArchiveError, Due};
use crate::config::Config;
use crate::queue::export;
use crate::{clock, log};

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
pub fn due(config: &Config, archive: &Archive) -> Result<Vec<Due>, PurgeError> {
    Ok(archive.due_for_purge(&config.retention, &clock::now().to_zoned(config.time_zone.clone()))?)
}

/// Purges what may go now, until done or told to stop; gives what is purged. Blocks.
pub fn purge(config: &Config, archive: &Archive, by: &str, stop: impl Fn() -> bool) -> Result<Vec<Due>, PurgeError> {
    let mut purged = due(config, archive)?;
    if !purged.is_empty() {
        export::write_and_record(&config.export, archive, by)?;
        purged = archive.purge(purged, by, stop)?;
        log::purged(purged.len());
    }
    Ok(purged)
}

/// Purges at once and then every day, until `stopping`. An archive that can't go on is noticed by the work loop too.
pub async fn daily(config: Arc<Config>, archive: Archive, mut stopping: watch::Receiver<bool>) {
    if config.retention.is_empty() {
        return;
    }
    let mut days = tokio::time::interval(DAILY);
    while !*stopping.borrow_and_update() {
        tokio::select! {
            _ = stopping.changed() => {}
            _ = days.tick() => {
                let (config, archive, stopping) = (config.clone(), archive.clone(), stopping.clone());
                let purged = move || purge(&config, &archive, MACHINE, || *stopping.borrow());
                let purged = tokio::task::spawn_blocking(purged).await;
                if let Ok(Err(error)) = purged {
                    log::purge_failed(&error.to_string());
                }
            }
        }
    }
}
