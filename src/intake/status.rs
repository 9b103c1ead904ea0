//! When each source was last read, and what is wrong with it: kept in memory for `nicufaxd status`. Never truth.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use tracing::info;

use crate::clock;

/// One source as it was at the last look.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct SourceStatus {
    /// When it was last read without an error.
    pub last_read: Option<Timestamp>,
    /// What is wrong now; `None` once a look went well again. No names of files.
    pub last_error: Option<String>,
    /// Entries that lie there and have neither been taken nor refused: not settled yet, or still being uploaded.
    pub waiting: usize,
    /// Entries that lie there refused.
    pub refused: usize,
    /// Files taken since the daemon started.
    pub accepted: u64,
    /// Those of them that are mails of ours come back, or tell of or answer one: the source itself said nothing by them.
    #[serde(default)]
    pub echoes: u64,
}

/// The status of every source by its name; cheap to clone, shared by all tasks.
#[derive(Clone, Debug, Default)]
pub struct SourceStatuses(Arc<Mutex<BTreeMap<String, SourceStatus>>>);

impl SourceStatuses {
    /// All sources as they are now, by name.
    pub fn snapshot(&self) -> BTreeMap<String, SourceStatus> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Notes that a source was read without an error, and says so if it had failed before.
    pub(super) fn succeeded(&self, source: &str) {
        let mut had_failed = false;
        self.update(source, |status| {
            status.last_read = Some(clock::now());
            had_failed = status.last_error.take().is_some();
        });
        if had_failed {
            info!(%source, "source can be read again");
        }
    }

    /// Notes what is wrong with a source; whether that is new, and so to be told of.
    pub(super) fn failed(&self, source: &str, reason: &str) -> bool {
        let mut is_new = false;
        self.update(source, |status| {
            is_new = status.last_error.as_deref() != Some(reason);
            status.last_error = Some(reason.to_owned());
        });
        is_new
    }

    /// Notes that a document was taken.
    pub(super) fn accepted(&self, source: &str, is_echo: bool) {
        self.update(source, |status| {
            status.accepted += 1;
            status.echoes += u64::from(is_echo);
        });
    }

    pub(super) fn update(&self, source: &str, change: impl FnOnce(&mut SourceStatus)) {
        let mut statuses = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        change(statuses.entry(source.to_owned()).or_default());
    }
}
