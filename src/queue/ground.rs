//! What an act of a person on an item is judged by: the routing rules and the cases in force.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use jiff::tz::TimeZone;

use super::item::QueueItem;
use crate::link::{Case, Registry};
use crate::route::Routing;
use crate::route::facts::Facts;
use crate::route::rules::RoutingRules;

/// Rules and cases in force, and how the daemon's own settings bear on them.
#[derive(Clone, Debug)]
pub struct Ground {
    pub routing: Arc<RoutingRules>,
    pub registry: Arc<Registry>,
    /// The daemon's.
    pub zone: TimeZone,
    /// What routing calls the mailboxes, by the sources' names.
    pub mailboxes: Arc<BTreeMap<String, String>>,
}

impl Ground {
    /// The facts of an item that is in the queue already.
    pub fn facts_of(&self, item: &QueueItem) -> Facts {
        let case = self.case_of(item);
        let mut facts =
            Facts::new(item.document_type, item.received_at).linked(&item.link, case, &item.fields, &item.missing);
        facts.transfer_direction = item.transfer_direction;
        facts.sender.clone_from(&item.sender);
        facts.mailbox = self.mailboxes.get(&item.source).cloned();
        facts.topics = item.routing.as_ref().map(|routed| routed.topics.clone()).unwrap_or_default();
        facts.flags = self.flags_before_routing(item);
        facts
    }

    fn case_of(&self, item: &QueueItem) -> Option<&Case> {
        self.registry.get(item.link.case_id.as_deref()?)
    }

    /// An item's flags but for those that rules set, which none of them goes by.
    fn flags_before_routing(&self, item: &QueueItem) -> Vec<String> {
        let set: BTreeSet<String> =
            self.routing.rules.iter().flat_map(|rule| rule.flag_names().collect::<Vec<_>>()).collect();
        let is_set = |flag: &&String| set.contains(flag.split(':').next().unwrap_or_default());
        item.flags.iter().filter(|flag| !is_set(flag)).cloned().collect()
    }

    /// Routes an item anew, by what it says now.
    pub fn route_anew(&self, item: &mut QueueItem) {
        let facts = self.facts_of(item);
        let Routing { lane, priority, due_at, due_rule, clock, assigned_to, flags, routed } =
            self.routing.route(&facts, &self.zone);
        item.flags = flags.into_iter().chain(facts.flags).collect();
        (item.lane, item.priority) = (lane, priority.name().to_owned());
        (item.due_at, item.due_rule, item.clock) = (Some(due_at), Some(due_rule), Some(clock));
        (item.assigned_to, item.routing) = (assigned_to, Some(routed));
    }
}
