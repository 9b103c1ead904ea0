//! What stood on a list that somebody was shown, told from the journal: a record of a list need not name all that was on it,
//! because what was open at that moment stands in the records before it.

use std::collections::{BTreeMap, BTreeSet};

use super::event::{Event, List};
use super::fact::Fact;
use crate::document::DocumentId;
use crate::queue::item::{ItemId, QueueItem};

/// Follows the journal, and knows of each wanted document what of it is open.
#[derive(Default)]
pub(super) struct OnLists {
    /// By the first digits of the document's id: its open items, each with its lane where that can be opened.
    open: BTreeMap<String, BTreeMap<ItemId, Option<String>>>,
    /// Of the documents that are held, by the first digits of their ids.
    held: BTreeSet<String>,
    /// All that were received, by the first digits of their ids.
    known: BTreeSet<String>,
    /// Items that were resolved stay so when the rest of their document is decided on again.
    resolved: Vec<ItemId>,
}

impl OnLists {
    /// Takes the next record in, one about a wanted document.
    pub(super) fn follow(&mut self, document: &DocumentId, fact: Option<&Fact>, event: Option<&Event>) {
        let short = document.short().to_owned();
        self.known.insert(short.clone());
        match (event, fact) {
            // Received anew: what it was divided into before is gone, resolved or not.
            (Some(Event::DocumentReceived { .. }), _) | (None, Some(Fact::DocumentReceived { .. })) => {
                self.resolved.retain(|item| item.document() != short);
                self.forget(&short);
            }
            (Some(Event::Queued { items, .. } | Event::Triaged { items, .. }), _) => {
                let lane = |item: &QueueItem| (item.id.clone(), Some(item.lane.clone()));
                self.stand(short, items.iter().map(lane).collect());
            }
            (None, Some(Fact::Queued { segments, .. } | Fact::Triaged { segments, .. })) => {
                self.stand(short, segments.iter().map(|segment| (ItemId::new(document, *segment), None)).collect());
            }
            (Some(Event::Held { .. }), _) | (None, Some(Fact::Held { .. })) => {
                // As its item is numbered: by the first number that no resolved one bears.
                let free =
                    (1..=u32::MAX).map(|segment| ItemId::new(document, segment)).find(|id| !self.resolved.contains(id));
                self.held.insert(short.clone());
                self.open.insert(short, free.into_iter().map(|id| (id, None)).collect());
            }
            (Some(Event::Purged { .. } | Event::Retried { .. }), _)
            | (None, Some(Fact::Purged { .. } | Fact::Retried { .. })) => self.forget(&short),
            (Some(Event::Repaired { .. }), _) | (None, Some(Fact::Repaired { .. })) if self.held.contains(&short) => {
                self.forget(&short);
            }
            (None, Some(Fact::Resolved { segment, .. })) => self.resolve(&ItemId::new(document, *segment)),
            _ => {}
        }
    }

    /// Nothing of it is open any more.
    fn forget(&mut self, document: &str) {
        self.open.remove(document);
        self.held.remove(document);
    }

    fn stand(&mut self, document: String, mut items: BTreeMap<ItemId, Option<String>>) {
        self.held.remove(&document);
        items.retain(|item, _| !self.resolved.contains(item));
        self.open.insert(document, items);
    }

    /// A person has disposed of it.
    pub(super) fn resolve(&mut self, item: &ItemId) {
        if let Some(items) = self.open.get_mut(item.document()) {
            items.remove(item);
            self.held.remove(item.document());
            self.resolved.push(item.clone());
        }
    }

    /// Whether one of the wanted documents stood on it.
    pub(super) fn stood_on(&self, list: &List) -> bool {
        // By as many digits as were given.
        let named = |documents: &[String]| {
            let is_named = |known: &String| documents.iter().any(|named| known.starts_with(named.as_str()));
            self.known.iter().any(is_named)
        };
        match list {
            List::Queue { lane } => {
                // What can't be opened any more may have stood in any lane.
                let within = |of: &Option<String>| of.is_none() || lane.is_none() || of == lane;
                self.open.values().flat_map(BTreeMap::values).any(within)
            }
            List::Held { documents } => !self.held.is_empty() || named(documents),
            List::Trail { case: None, documents } if documents.is_empty() => !self.known.is_empty(),
            List::Outbox { documents } | List::Trail { documents, .. } => named(documents),
            List::Cases | List::Other => false,
        }
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

    #[test]
    fn a_document_stands_on_the_lists_of_what_is_held_while_it_is_and_where_it_is_named() {
        let [document, other] = [b"fax", b"fox"].map(|bytes| DocumentId::of(bytes));
        let held = |documents: &[&DocumentId]| List::Held {
            documents: documents.iter().map(|document| document.short().to_owned()).collect(),
        };
        let event = Event::Held {
            document: document.clone(),
            reason: String::new(),
            stage: crate::archive::event::Stage::Read,
            mail: None,
        };
        let retried = Event::Retried { document: document.clone(), by: String::new() };
        let mut lists = OnLists::default();
        lists.follow(&document, None, Some(&event));
        assert!(lists.stood_on(&held(&[])));
        lists.follow(&document, None, Some(&retried));
        assert!(!lists.stood_on(&held(&[])) && !lists.stood_on(&held(&[&other])));
        assert!(lists.stood_on(&held(&[&other, &document])), "its file was lost");
        // Its first item was resolved, so it is held under the next number.
        lists.follow(&document, None, Some(&event));
        lists.resolve(&ItemId::new(&document, 1));
        lists.follow(&document, None, Some(&event));
        lists.resolve(&ItemId::new(&document, 2));
        assert!(!lists.stood_on(&held(&[])) && !lists.stood_on(&List::Queue { lane: None }));
    }

    #[test]
    fn the_whole_trail_shows_every_document_and_a_cases_trail_its_own() {
        let document = DocumentId::of(b"fax");
        let trail = |case: Option<&str>, documents: &[&str]| List::Trail {
            case: case.map(str::to_owned),
            documents: documents.iter().map(|&named| named.to_owned()).collect(),
        };
        let mut lists = OnLists::default();
        assert!(!lists.stood_on(&trail(None, &[])), "not received yet");
        lists.follow(&document, None, Some(&Event::HandedBack { document: document.clone() }));
        assert!(lists.stood_on(&trail(None, &[])));
        assert!(!lists.stood_on(&trail(Some("UM1"), &[])) && !lists.stood_on(&trail(None, &["0000"])));
        assert!(lists.stood_on(&trail(Some("UM1"), &["0000", document.short()])));
        let beginning: String = document.short().chars().take(8).collect();
        assert!(lists.stood_on(&List::Outbox { documents: vec![beginning] }));
    }
}
