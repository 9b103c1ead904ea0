//! What stood on a list that somebody was shown, told from the journal: a record of a list need not name all that was on it,
//! because what was open at that moment stands in the records before it.

use std::collections::BTreeMap;

use super::event::{Event, List};
use super::fact::Fact;
use crate::document::DocumentId;
use crate::queue::item::{ItemId, QueueItem};

/// Follows the journal, and knows of each wanted document what of it is open.
#[derive(Default)]
pub(super) struct OnLists {
    /// By the first digits of the document's id: its open items, each with its lane where that can be opened.
    open: BTreeMap<String, BTreeMap<ItemId, Option<String>>>,
    /// Items that were resolved stay so when the rest of their document is decided on again.
    resolved: Vec<ItemId>,
}

impl OnLists {
    /// Takes the next record in, one about a wanted document.
    pub(super) fn follow(&mut self, document: &DocumentId, fact: Option<&Fact>, event: Option<&Event>) {
        let short = document.short().to_owned();
        match (event, fact) {
            (Some(Event::Queued { items, .. } | Event::Triaged { items, .. }), _) => {
                let lane = |item: &QueueItem| (item.id.clone(), Some(item.lane.clone()));
                self.stand(short, items.iter().map(lane).collect());
            }
            (None, Some(Fact::Queued { segments, .. } | Fact::Triaged { segments, .. })) => {
                self.stand(short, segments.iter().map(|segment| (ItemId::new(document, *segment), None)).collect());
            }
            (Some(Event::Held { .. }), _) | (None, Some(Fact::Held { .. })) => {
                self.stand(short, BTreeMap::from([(ItemId::new(document, 1), None)]));
            }
            (Some(Event::Purged { .. } | Event::Retried { .. }), _)
            | (None, Some(Fact::Purged { .. } | Fact::Retried { .. })) => _ = self.open.remove(&short),
            (None, Some(Fact::Resolved { segment, .. })) => self.resolve(&ItemId::new(document, *segment)),
            _ => {}
        }
    }

    fn stand(&mut self, document: String, mut items: BTreeMap<ItemId, Option<String>>) {
        items.retain(|item, _| !self.resolved.contains(item));
        self.open.insert(document, items);
    }

    /// A person has disposed of it.
    pub(super) fn resolve(&mut self, item: &ItemId) {
        if let Some(items) = self.open.get_mut(item.document()) {
            items.remove(item);
            self.resolved.push(item.clone());
        }
    }

    /// Whether one of the wanted documents stood on it.
    pub(super) fn stood_on(&self, list: &List) -> bool {
        let List::Queue { lane } = list else { return false };
        // What can't be opened any more may have stood in any lane.
        let within = |of: &Option<String>| of.is_none() || lane.is_none() || of == lane;
        self.open.values().flat_map(BTreeMap::values).any(within)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::document::Receipt;
    use crate::queue::item::ItemState;

    fn item(document: &DocumentId, segment: u32, lane: &str) -> QueueItem {
        let receipt = Receipt::new("secure-fax", "0042.tif", "2026-03-16T09:12:00-04:00".parse().unwrap());
        let held = QueueItem::held(document, &receipt, "");
        QueueItem { id: ItemId::new(document, segment), lane: lane.to_owned(), state: ItemState::Open, ..held }
    }

    #[test]
    fn a_document_stands_on_the_lists_of_its_lanes_until_its_last_item_is_resolved() {
        let document = DocumentId::of(b"fax");
        let items = vec![item(&document, 1, "um"), item(&document, 2, "cm")];
        let on = |lists: &OnLists, lane: Option<&str>| lists.stood_on(&List::Queue { lane: lane.map(str::to_owned) });
        let queued = Event::Queued { document: document.clone(), items: items.clone() };
        let mut lists = OnLists::default();
        assert!(!on(&lists, None));
        lists.follow(&document, None, Some(&queued));
        assert!(on(&lists, None) && on(&lists, Some("um")) && !on(&lists, Some("md")));
        assert!(!lists.stood_on(&List::Cases));
        lists.resolve(&items[0].id);
        // Decided on again: what was resolved stays so.
        lists.follow(&document, None, Some(&queued));
        assert!(!on(&lists, Some("um")) && on(&lists, Some("cm")));
        lists.resolve(&items[1].id);
        assert!(!on(&lists, None));
    }
}
