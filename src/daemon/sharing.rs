//! Gives items that are for a pool of people to the one of them with the least to do.
//!
//! How much each has is counted from the open items now and then, and kept up with what is given out between; it is no
//! truth, and a restart counts anew. Who has an item keeps it when it is decided on again.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use crate::archive::{Archive, ArchiveError, blocking};
use crate::queue::item::QueueItem;

/// What was resolved, or given to somebody else, is noticed after so long.
const COUNTED_FOR: Duration = Duration::from_secs(60);

/// How much everybody has to do.
#[derive(Clone, Default)]
pub(super) struct Sharing {
    loads: Arc<Mutex<Loads>>,
}

#[derive(Default)]
struct Loads {
    counted_at: Option<Instant>,
    open: BTreeMap<String, u64>,
}

impl Sharing {
    /// Names somebody for each item that is for a pool.
    pub(super) async fn shared_out(
        &self,
        archive: &Archive,
        mut items: Vec<QueueItem>,
    ) -> Result<Vec<QueueItem>, ArchiveError> {
        let (sharing, archive) = (self.clone(), archive.clone());
        blocking(move || sharing.share_out(&archive, &mut items).map(|()| items)).await
    }

    fn share_out(&self, archive: &Archive, items: &mut [QueueItem]) -> Result<(), ArchiveError> {
        if items.iter().all(|item| pool(item).is_empty()) {
            return Ok(());
        }
        let mut loads = self.loads.lock().unwrap_or_else(PoisonError::into_inner);
        if loads.counted_at.is_none_or(|at| at.elapsed() >= COUNTED_FOR) {
            *loads = Loads { counted_at: Some(Instant::now()), open: BTreeMap::new() };
            for item in archive.items() {
                if let Some(person) = item?.assigned_to {
                    *loads.open.entry(person).or_default() += 1;
                }
            }
        }
        for item in items {
            let before = if pool(item).is_empty() { None } else { archive.item(&item.id)? };
            let before = before.and_then(|before| before.assigned_to);
            let chosen = least_busy(pool(item), before, &loads.open);
            if let Some((person, is_new)) = chosen {
                *loads.open.entry(person.clone()).or_default() += u64::from(is_new);
                item.assigned_to = Some(person);
            }
        }
        Ok(())
    }
}

fn pool(item: &QueueItem) -> &[String] {
    item.routing.as_ref().filter(|_| item.assigned_to.is_none()).map_or(&[], |routed| &routed.pool)
}

/// Who has it already, or the first of those with the least; and whether that is new.
fn least_busy(pool: &[String], before: Option<String>, open: &BTreeMap<String, u64>) -> Option<(String, bool)> {
    if let Some(before) = before.filter(|person| pool.contains(person)) {
        return Some((before, false));
    }
    let least = pool.iter().min_by_key(|person| open.get(*person).copied().unwrap_or_default())?;
    Some((least.clone(), true))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_has_the_least_gets_it_and_who_has_it_keeps_it() {
        let pool = ["A", "B", "C"].map(str::to_owned);
        let open = BTreeMap::from([("A".to_owned(), 2), ("C".to_owned(), 1)]);
        assert_eq!(least_busy(&pool, None, &open), Some(("B".to_owned(), true)));
        assert_eq!(least_busy(&pool, Some("A".to_owned()), &open), Some(("A".to_owned(), false)));
        assert_eq!(least_busy(&pool, Some("gone".to_owned()), &BTreeMap::new()), Some(("A".to_owned(), true)));
        assert_eq!(least_busy(&[], None, &open), None);
    }
}
