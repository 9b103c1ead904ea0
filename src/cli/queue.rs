//! `queue list` and what people do with items: the work queue, from the running daemon or from the archive.

use jiff::Timestamp;
use serde_json::Value;

use super::{EX_DATAERR, EX_USAGE, print_json, print_text, table};
use crate::config::Config;
use crate::control::{self, Failure, Request};
use crate::queue::acts::{Action, Disposition};
use crate::queue::determination::{self, Determination, Recorded};
use crate::queue::item::QueueItem;
use crate::route::due::ClockState;

/// Reasons shown in a line of the list; `queue show` gives all.
const REASONS: usize = 3;

pub fn list(config: &Config, lane: Option<&str>, json: bool) -> Result<(), Failure> {
    if let Some(lane) = lane.filter(|lane| !config.routing.has_lane(lane)) {
        let message = format!("{lane} is no lane; give one of {}", config.routing.lane_names());
        return Err(Failure::new(EX_USAGE, message));
    }
    let items = control::ask(config, &Request::QueueList { lane: lane.map(str::to_owned) })?;
    if json {
        return print_json(&items);
    }
    let items: Vec<QueueItem> = serde_json::from_value(items).map_err(|error| Failure::software(&error))?;
    let rows: Vec<Vec<String>> = items.iter().map(|item| row(config, item)).collect();
    print_text(&table(&["due", "lane", "taken by", "type", "match", "case", "file", "id", "why"], &rows))
}

fn row(config: &Config, item: &QueueItem) -> Vec<String> {
    let status = serde_json::to_value(item.link.status).ok();
    let held = item.flags.iter().find(|flag| flag.starts_with("held")).cloned();
    let why = held.unwrap_or_else(|| {
        let reasons: Vec<&str> = item.link.reasons.iter().take(REASONS).map(String::as_str).collect();
        reasons.join("; ")
    });
    vec![
        due(config, item),
        item.lane.clone(),
        item.claimed.as_ref().map_or_else(|| "-".to_owned(), |claim| claim.by.clone()),
        item.document_type.name().to_owned(),
        status.as_ref().and_then(Value::as_str).unwrap_or_default().to_owned(),
        case(item),
        item.source_file.clone(),
        item.id.to_string(),
        why,
    ]
}

pub fn determinations(config: &Config, case: Option<String>, json: bool) -> Result<(), Failure> {
    let found = control::ask(config, &Request::Determinations { case })?;
    if json {
        return print_json(&found);
    }
    let found: Vec<Recorded> = serde_json::from_value(found).map_err(|error| Failure::software(&error))?;
    let in_force: Vec<u64> = determination::in_force(&found).map(|one| one.number).collect();
    let row = |one: &Recorded| {
        let Determination { from, to, days, level_requested, level_approved, decision, .. } = &one.determination;
        let decision = format!("{decision:?}");
        let level = level_approved.map(|level| level.to_string()).unwrap_or_default();
        let standing = if in_force.contains(&one.number) { "in force" } else { "replaced" };
        vec![
            one.number.to_string(),
            one.case_id.clone(),
            from.to_string(),
            to.to_string(),
            days.to_string(),
            level_requested.to_string(),
            level,
            decision,
            standing.to_owned(),
            one.by.clone(),
        ]
    };
    let head = ["number", "case", "from", "to", "days", "asked", "approved", "decision", "standing", "by"];
    print_text(&table(&head, &found.iter().map(row).collect::<Vec<_>>()))
}

/// When it is due, and what is to be known of the time.
fn due(config: &Config, item: &QueueItem) -> String {
    let Some(due) = item.due_at else { return String::new() };
    let due = due.to_zoned(config.time_zone.clone()).strftime("%m-%d %H:%M");
    match &item.clock {
        Some(clock) if clock.state != ClockState::Running => format!("{due} {}", clock.state.name()),
        Some(clock) if clock.passed > 0 => format!("{due} {} %", clock.passed),
        Some(_) | None => due.to_string(),
    }
}

/// The case, or those a person has to choose among.
fn case(item: &QueueItem) -> String {
    let best: Vec<String> = match &item.link.case_id {
        Some(case_id) => vec![case_id.clone()],
        None => item.link.candidates.iter().take(2).map(|candidate| format!("{}?", candidate.case_id)).collect(),
    };
    if best.is_empty() { "-".to_owned() } else { best.join(" ") }
}

pub fn act(config: &Config, disposition: Disposition) -> Result<(), Failure> {
    let (id, action) = (disposition.item.clone(), disposition.action);
    // A mistyped case would be a wrong link made by hand.
    if let Some(case) = disposition.case_id.as_deref().filter(|_| action != Action::Take)
        && super::cases::in_force(config)?.get(case).is_none()
    {
        let message = format!("{case} is no case of the registry in force; the item stays open, as it is");
        return Err(Failure::new(EX_DATAERR, message));
    }
    let item = control::ask(config, &Request::Act(disposition))?;
    let item: QueueItem = serde_json::from_value(item).map_err(|error| Failure::software(&error))?;
    let local = |at: Timestamp| at.to_zoned(config.time_zone.clone()).strftime("%a %Y-%m-%d %H:%M %Z").to_string();
    let due = item.due_at.map(local).unwrap_or_default();
    let done = match (action, &item.claimed, &item.asked) {
        (Action::Take, Some(claim), _) => format!("taken until {}", local(claim.until)),
        (Action::Ask, _, Some(asked)) => format!("its clock stands still until {}; due {due}", local(asked.until)),
        (Action::Resume, _, _) => format!("its clock goes on; due {due}"),
        (Action::Amend, _, _) => format!("{}, lane {}, due {due}", item.document_type, item.lane),
        (Action::Release, _, _) => "released".to_owned(),
        (Action::Determine, _, _) => "determined, and resolved".to_owned(),
        (Action::Take | Action::Ask | Action::Done | Action::Misdirected, _, _) => "resolved".to_owned(),
    };
    print_text(&format!("{id} {done}\n"))
}
