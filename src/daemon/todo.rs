//! What is to be done next: triage first, then the rest of what was begun, urgent documents before others.

use std::collections::{BTreeMap, VecDeque};
use std::time::{Duration, Instant};

use crate::document::DocumentId;
use crate::pipeline::Begun;
use crate::reader::pool::Urgency;

/// A document whose triage is done so long ago is read to its end before others are begun: however many arrive, nothing
/// starves.
const STARVES_AFTER: Duration = Duration::from_secs(10 * 60);
/// Documents that may wait between triage and the rest: their first pages are in memory, some 50 KB each.
const MOST_BEGUN: usize = 1000;

/// What is to be done next: the documents that wait for their triage, and those that wait for the rest.
#[derive(Default)]
pub(super) struct Todo {
    pub waiting: VecDeque<DocumentId>,
    /// By urgency and order of triage.
    begun: BTreeMap<(Urgency, u64), (DocumentId, Begun, Instant)>,
    triaged: u64,
}

impl Todo {
    /// These wait, in this order.
    pub fn of(waiting: Vec<DocumentId>) -> Self {
        Self { waiting: VecDeque::from(waiting), ..Self::default() }
    }

    /// Its triage is done.
    pub fn begun(&mut self, id: DocumentId, begun: Begun) {
        self.triaged += 1;
        self.begun.insert((begun.urgency(), self.triaged), (id, begun, Instant::now()));
    }

    /// The next document, with what was begun of it; `None` when nothing waits.
    pub fn next(&mut self) -> Option<(DocumentId, Option<Begun>)> {
        let oldest = self.begun.iter().min_by_key(|((_, number), _)| *number);
        let starves = oldest.filter(|(_, (.., since))| since.elapsed() >= STARVES_AFTER).map(|(key, _)| *key);
        if starves.is_none()
            && self.begun.len() < MOST_BEGUN
            && let Some(id) = self.waiting.pop_front()
        {
            return Some((id, None));
        }
        let next = starves.or_else(|| self.begun.first_key_value().map(|(key, _)| *key))?;
        self.begun.remove(&next).map(|(id, begun, _)| (id, Some(begun)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::document::DocumentFormat;

    fn named(text: &str) -> DocumentId {
        DocumentId::of(text.as_bytes())
    }

    fn order(todo: &mut Todo) -> Vec<(DocumentId, bool)> {
        std::iter::from_fn(|| todo.next()).map(|(id, begun)| (id, begun.is_some())).collect()
    }

    fn three_begun() -> Todo {
        let mut todo = Todo::of(vec![named("new"), named("newer")]);
        todo.begun(named("review"), Begun::of(DocumentFormat::Tiff, 3, Urgency::Rest));
        todo.begun(named("appeal"), Begun::of(DocumentFormat::Tiff, 3, Urgency::Rest));
        todo.begun(named("transfer"), Begun::of(DocumentFormat::Tiff, 3, Urgency::Urgent));
        todo
    }

    #[test]
    fn every_document_is_triaged_before_any_is_read_to_its_end_and_urgent_ones_go_on_first() {
        let expected = [("new", false), ("newer", false), ("transfer", true), ("review", true), ("appeal", true)];
        assert_eq!(order(&mut three_begun()), expected.map(|(name, begun)| (named(name), begun)));
    }

    #[test]
    fn what_waits_long_for_its_other_pages_goes_before_what_arrives() {
        let mut todo = three_begun();
        let long_ago = Instant::now().checked_sub(STARVES_AFTER).unwrap();
        todo.begun.values_mut().filter(|(id, ..)| *id == named("appeal")).for_each(|(.., since)| *since = long_ago);
        // The review was triaged before it and is no less urgent.
        todo.begun.values_mut().filter(|(id, ..)| *id == named("review")).for_each(|(.., since)| *since = long_ago);
        let expected = [("review", true), ("appeal", true), ("new", false), ("newer", false), ("transfer", true)];
        assert_eq!(order(&mut todo), expected.map(|(name, begun)| (named(name), begun)));
    }
}
