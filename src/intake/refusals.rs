//! What a source has refused and the archive holds for a person: told once, remembered over restarts, cleared when it
//! is gone from the source.

use std::collections::{HashMap, HashSet};

use tokio::time::Instant;
use tracing::warn;

use super::{Refusal, on_blocking_thread};
use crate::archive::event::Event;
use crate::archive::{Archive, ArchiveError};

/// The refusals of one source.
pub(super) struct Refusals {
    source: String,
    archive: Archive,
    /// Their keys; `None` until the archive has been asked for them.
    known: Option<HashSet<String>>,
}

impl Refusals {
    pub fn new(source: &str, archive: Archive) -> Self {
        Self { source: source.to_owned(), archive, known: None }
    }

    /// The keys of what is refused, as far as the archive has been told.
    pub async fn known(&mut self) -> Result<&mut HashSet<String>, ArchiveError> {
        if self.known.is_none() {
            let (archive, source) = (self.archive.clone(), self.source.clone());
            let refused = on_blocking_thread(move || archive.refused()).await?;
            let ours = refused.into_iter().filter(|refusal| refusal.source == source);
            self.known = Some(ours.map(|refusal| refusal.key).collect());
        }
        Ok(self.known.get_or_insert_default())
    }

    /// Records what is refused now, by key with its name at the source, where that is new; clears what is refused no
    /// more, but for what is `undecided`, which keeps its entry.
    pub async fn tell(
        &mut self,
        refused: HashMap<String, (String, Refusal)>,
        undecided: impl Fn(&str) -> bool,
        looked: Instant,
    ) -> Result<(), ArchiveError> {
        let known = self.known().await?;
        let gone: Vec<String> =
            known.iter().filter(|key| !refused.contains_key(*key) && !undecided(key)).cloned().collect();
        for key in gone {
            self.record(Event::RefusalCleared { key: key.clone(), by: None }).await?;
            self.known().await?.remove(&key);
        }
        for (key, (source_file, refusal)) in refused {
            if !self.known().await?.contains(&key) {
                let (source, reason) = (&self.source, refusal.to_string());
                let ms = looked.elapsed().as_millis() as u64;
                let id = self.archive.refusal_id(&key);
                warn!(stage = "intake", %source, id, %reason, ms, "refused; it stays where it lies");
                self.record(Event::Refused { source: source.clone(), source_file, reason, key: key.clone() }).await?;
                self.known().await?.insert(key);
            }
        }
        Ok(())
    }

    async fn record(&self, event: Event) -> Result<(), ArchiveError> {
        let archive = self.archive.clone();
        on_blocking_thread(move || archive.record(event)).await
    }
}
