//! Retention: what the rules of the configuration let go is purged, once a day and when an operator asks.
//!
//! The exports are brought up to date first, so that nothing is forgotten that they do not know to be resolved.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;

use crate::archive::{Archive, ArchiveError, Due};
use crate::config::Config;
use crate::queue::export;
use crate::{clock, log};

/// Between two purges by the daemon.
const DAILY: Duration = Duration::from_secs(24 * 60 * 60);

/// Who purges when no person asks for it.
pub const DAEMON: &str = "nicufaxd";

/// Why nothing, or not everything, was purged.
#[derive(Debug, thiserror::Error)]
pub enum PurgeError {
    #[error(transparent)]
    Archive(#[from] ArchiveError),
    #[error("nothing was purged, because the exports could not be brought up to date: {0}")]
    Export(#[from] export::ExportError),
}

/// Purges what may go now, or only tells it. Blocks.
pub fn purge(config: &Config, archive: &Archive, by: &str, dry_run: bool) -> Result<Vec<Due>, PurgeError> {
    let now = clock::now().to_zoned(config.time_zone.clone());
    let due = archive.due_for_purge(&config.retention, &now)?;
    if !dry_run && !due.is_empty() {
        export::write_queue(&config.export, archive)?;
        archive.purge(&due, by)?;
        log::purged(due.len());
    }
    Ok(due)
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
                let (config, archive) = (config.clone(), archive.clone());
                let purged = tokio::task::spawn_blocking(move || purge(&config, &archive, DAEMON, false)).await;
                if let Ok(Err(error)) = purged {
                    log::purge_failed(&error.to_string());
                }
            }
        }
    }
}
