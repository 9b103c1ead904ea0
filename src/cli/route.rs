//! `route explain|test`: why an item is where it is, and what the rules would do with given facts.

use std::path::Path;

use serde_json::{Value, json};

use super::{EX_DATAERR, print_json, print_text};
use crate::config::Config;
use crate::control::{self, Failure, Request};
use crate::daemon::knowledge::ground;
use crate::queue::ground::Ground;
use crate::queue::item::QueueItem;
use crate::route::facts::Facts;

pub fn test(config: &Config, file: &Path) -> Result<(), Failure> {
    let wrong = |error: &dyn std::fmt::Display| Failure::new(EX_DATAERR, format!("{}: {error}", file.display()));
    let text = std::fs::read_to_string(file).map_err(|error| wrong(&error))?;
    let given: Value = serde_json::from_str(&text).map_err(|error| wrong(&error))?;
    let told = |given: Value| {
        let facts: Facts = serde_json::from_value(given).map_err(|error| wrong(&error))?;
        Ok::<_, Failure>(json!(config.routing.route(&facts, &config.time_zone)))
    };
    if let Value::Array(several) = given {
        let all: Result<Vec<Value>, _> = several.into_iter().map(told).collect();
        print_json(&Value::Array(all?))
    } else {
        print_json(&told(given)?)
    }
}

pub fn explain(config: &Config, id: &str) -> Result<(), Failure> {
    let item = control::ask(config, &Request::QueueShow { id: id.to_owned() })?;
    let item: QueueItem = serde_json::from_value(item).map_err(|error| Failure::software(&error))?;
    print_text(&explained(&ground(config, super::cases::in_force(config)?), &item))
}

/// The rules that were passed over, and the one that applies, in words.
fn explained(ground: &Ground, item: &QueueItem) -> String {
    let (rules, zone) = (&ground.routing, &ground.zone);
    let facts = ground.facts_of(item);
    let routing = rules.route(&facts, zone);
    let mut lines = vec![format!("{}, {}, in lane {}", item.id, item.document_type, item.lane)];
    for over in rules.passed_over(&facts, zone) {
        lines.push(format!("  passed over \"{}\": {} is {}", over.rule.name, over.unmet, over.said));
    }
    lines.push(format!("  applies \"{}\": lane {}, {}", routing.routed.rule, routing.lane, routing.priority.name()));
    let due_at = routing.due_at.to_zoned(rules.zone_of(&facts, zone).clone());
    let basis = &routing.clock.basis;
    let due = due_at.strftime("%a %Y-%m-%d %H:%M %Z");
    lines.push(format!("  due {due} by the due rule \"{}\": {basis}", routing.due_rule));
    if let Some(decided) = item.routing.as_ref().filter(|decided| decided.rule != routing.routed.rule) {
        lines.push(format!("  the rules or the facts are others than when \"{}\" decided on it", decided.rule));
    }
    lines.push(String::new());
    lines.join("\n")
}
