//! `queue.csv`: one item a row, for spreadsheets.
//!
//! Texts come from documents that anybody may fax, and spreadsheets run what looks like a formula: a text that begins
//! like one gets an apostrophe in front (OWASP, "CSV Injection"). Numbers and times that are ours are left as they are.

use std::io;

use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde::Serialize;

use crate::document::FieldValue;
use crate::queue::item::QueueItem;
use crate::route::Routed;

/// Fields with a column of their own: the field's name, and the column's.
const FIELD_COLUMNS: [(&str, &str); 19] = [
    ("patient_name", "patient_name"),
    ("dob", "dob"),
    ("sex", "sex"),
    ("mrn", "mrn"),
    ("member_id", "member_id"),
    ("auth_number", "auth_number"),
    // The column `case_id` is the case that the item was linked to.
    ("case_id", "printed_case_id"),
    ("facility", "facility"),
    ("mother_name", "mother_name"),
    ("admit_date", "admit_date"),
    ("discharge_date", "discharge_date"),
    ("weight_g", "weight_g"),
    ("birth_weight_g", "birth_weight_g"),
    ("gestational_age", "gestational_age"),
    ("bed_type", "bed_type"),
    ("resp_support", "resp_support"),
    ("po_percent", "po_percent"),
    ("level_of_care", "level_of_care"),
    ("next_review_date", "next_review_date"),
];

/// Columns before those of the fields.
const BEFORE: [&str; 10] = [
    "id",
    "received_at",
    "document_type",
    "type_confidence",
    "transfer_direction",
    "match_status",
    "case_id",
    "score",
    "reasons",
    "candidates",
];

/// Columns after those of the fields.
const AFTER: [&str; 30] = [
    "other_fields",
    "missing",
    "flags",
    "lane",
    "priority",
    "due_at",
    "due_rule",
    "assigned_to",
    "state",
    "source",
    "source_file",
    "sender",
    "pages",
    "page_first",
    "page_last",
    "duplicate_of",
    "type_reasons",
    "arrivals",
    "rule",
    "copies",
    "forward",
    "ask_for",
    "category",
    "clock",
    "clock_passed",
    "claimed_by",
    "claimed_until",
    "asked",
    "asked_until",
    "amended_by",
];

/// The row of column names, with its line feed.
pub(super) fn head() -> String {
    let fields = FIELD_COLUMNS.iter().map(|(_, column)| *column);
    let mut head = BEFORE.into_iter().chain(fields).chain(AFTER).collect::<Vec<_>>().join(",");
    head.push('\n');
    head
}

/// An item's row, with its line feed. Lists are joined with `; `; times stand in `zone`, with its offset.
pub(super) fn row(item: &QueueItem, zone: &TimeZone) -> io::Result<Vec<u8>> {
    let link = &item.link;
    let candidates = joined(link.candidates.iter().map(|candidate| candidate.case_id.as_str()));
    let mut cells = vec![
        item.id.to_string(),
        local(item.received_at, zone),
        item.document_type.name().to_owned(),
        item.type_confidence.to_string(),
        item.transfer_direction.map(name).transpose()?.unwrap_or_default(),
        name(link.status)?,
        guarded(link.case_id.as_deref().unwrap_or_default()),
        link.score.to_string(),
        joined(&link.reasons),
        candidates,
    ];
    for (field, _) in FIELD_COLUMNS {
        cells.push(item.fields.get(field).map(|field| value(&field.value)).unwrap_or_default());
    }
    let has_column = |name: &str| FIELD_COLUMNS.iter().any(|(field, _)| *field == name);
    let others = item.fields.iter().filter(|(name, _)| !has_column(name));
    let missing = item.missing.iter().map(name).collect::<io::Result<Vec<_>>>()?;
    let [first_page, last_page] = item.page_range;
    cells.extend([
        joined(others.map(|(name, field)| format!("{name}={}", field.value))),
        joined(missing),
        joined(&item.flags),
        guarded(&item.lane),
        guarded(&item.priority),
        item.due_at.map(|due| local(due, zone)).unwrap_or_default(),
        guarded(item.due_rule.as_deref().unwrap_or_default()),
        guarded(item.assigned_to.as_deref().unwrap_or_default()),
        name(item.state)?,
        guarded(&item.source),
        guarded(&item.source_file),
        guarded(item.sender.as_deref().unwrap_or_default()),
        item.pages.to_string(),
        first_page.to_string(),
        last_page.to_string(),
        item.duplicate_of.as_ref().map(ToString::to_string).unwrap_or_default(),
        joined(&item.type_reasons),
        item.arrivals.to_string(),
    ]);
    let none = Routed::default();
    let routed = item.routing.as_ref().unwrap_or(&none);
    cells.extend([
        guarded(&routed.rule),
        joined(&routed.copies),
        guarded(routed.forward.as_deref().unwrap_or_default()),
        joined(&routed.ask_for),
        guarded(routed.category.as_deref().unwrap_or_default()),
        item.clock.as_ref().map(|clock| clock.state.name().to_owned()).unwrap_or_default(),
        item.clock.as_ref().map(|clock| clock.passed.to_string()).unwrap_or_default(),
        guarded(item.claimed.as_ref().map(|claim| claim.by.as_str()).unwrap_or_default()),
        item.claimed.as_ref().map(|claim| local(claim.until, zone)).unwrap_or_default(),
        guarded(item.asked.as_ref().map(|asked| asked.what.as_str()).unwrap_or_default()),
        item.asked.as_ref().map(|asked| local(asked.until, zone)).unwrap_or_default(),
        guarded(item.amended_by.as_deref().unwrap_or_default()),
    ]);
    let mut writer = csv::WriterBuilder::new().buffer_capacity(2048).from_writer(Vec::with_capacity(1024));
    writer.write_record(cells)?;
    writer.into_inner().map_err(csv::IntoInnerError::into_error)
}

/// RFC 3339 with the zone's own offset.
fn local(time: Timestamp, zone: &TimeZone) -> String {
    time.to_zoned(zone.clone()).strftime("%Y-%m-%dT%H:%M:%S%:z").to_string()
}

/// A closed word by its name in the contract.
fn name(word: impl Serialize) -> io::Result<String> {
    let word = serde_json::to_value(word)?;
    Ok(word.as_str().map_or_else(|| word.to_string(), str::to_owned))
}

fn value(value: &FieldValue) -> String {
    match value {
        FieldValue::Date(_) | FieldValue::Number(_) => value.to_string(),
        FieldValue::Text(text) => guarded(text),
    }
}

fn joined(texts: impl IntoIterator<Item = impl AsRef<str>>) -> String {
    let mut cell = String::new();
    for text in texts {
        if !cell.is_empty() {
            cell.push_str("; ");
        }
        cell.push_str(text.as_ref());
    }
    guarded(&cell)
}

/// A text that no spreadsheet takes for a formula. The full-width signs are taken for plain ones where East Asian
/// languages are set.
fn guarded(text: &str) -> String {
    if text.starts_with(['=', '+', '-', '@', '\t', '\r', '\n', '＝', '＋', '－', '＠']) {
        format!("'{text}")
    } else {
        text.to_owned()
    }
}
