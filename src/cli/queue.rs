//! `queue list|resolve`: the work queue, from the running daemon or from the archive.

use serde_json::Value;

use super::{EX_SOFTWARE, print_json, print_text, table};
use crate::config::Config;
use crate::control::{self, Failure, Request};
use crate::queue::item::QueueItem;

pub fn list(config: &Config, lane: Option<&str>, json: bool) -> Result<(), Failure> {
    let items = control::ask(config, &Request::QueueList { lane: lane.map(str::to_owned) })?;
    if json {
        return print_json(&items);
    }
    let items: Vec<QueueItem> = serde_json::from_value(items).map_err(|error| Failure::software(&error))?;
    let rows: Vec<Vec<String>> = items.iter().map(|item| row(config, item)).collect();
    print_text(&table(&["due", "lane", "type", "match", "case", "file", "id", "why"], &rows))
}

fn row(config: &Config, item: &QueueItem) -> Vec<String> {
    let status = serde_json::to_value(item.link.status).ok();
    let why = item.flags.iter().find(|flag| flag.starts_with("held")).or(item.link.reasons.first());
    vec![
        item.due_at
            .map(|due| due.to_zoned(config.time_zone.clone()).strftime("%m-%d %H:%M").to_string())
            .unwrap_or_default(),
        item.lane.clone(),
        item.document_type.name().to_owned(),
        status.as_ref().and_then(Value::as_str).unwrap_or_default().to_owned(),
        item.link.case_id.clone().unwrap_or_else(|| "-".to_owned()),
        item.source_file.clone(),
        item.id.to_string(),
        why.cloned().unwrap_or_default(),
    ]
}

pub fn resolve(config: &Config, request: &Request) -> Result<(), Failure> {
    let answer = control::ask(config, request)?;
    match answer["resolved"].as_str() {
        Some(id) => print_text(&format!("{id} resolved\n")),
        None => Err(Failure::new(EX_SOFTWARE, "the answer is not understood")),
    }
}
