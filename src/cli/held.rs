//! `held list|retry|dismiss`: what no stage could finish, and mails that were given up, with the reason.

use serde_json::Value;

use super::{print_json, print_text, table};
use crate::config::Config;
use crate::control::{self, Failure, Request};

pub fn list(config: &Config, json: bool) -> Result<(), Failure> {
    let held = control::ask(config, &Request::HeldList)?;
    if json {
        return print_json(&held);
    }
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let rows: Vec<Vec<String>> = held
        .as_array()
        .into_iter()
        .flatten()
        .map(|entry| {
            let receipt = &entry["receipts"][0];
            let (source, file) = if receipt.is_null() {
                (&entry["source"], &entry["source_file"])
            } else {
                (&receipt["source"], &receipt["source_file"])
            };
            vec![
                text(&entry["id"]),
                text(&entry["kind"]),
                text(source),
                text(file),
                text(&entry["sender"]),
                text(&entry["since"]),
                text(&entry["reason"]),
            ]
        })
        .collect();
    print_text(&table(&["id", "kind", "source", "file", "sender", "since", "reason"], &rows))
}

pub fn retry(config: &Config, id: String) -> Result<(), Failure> {
    let answer = control::ask(config, &Request::HeldRetry { id })?;
    print_text(&format!(
        "{} is tried again\n",
        answer["document"].as_str().or(answer["mail"].as_str()).unwrap_or_default()
    ))
}

pub fn dismiss(config: &Config, id: String) -> Result<(), Failure> {
    let answer = control::ask(config, &Request::HeldDismiss { id })?;
    print_text(&format!("{} is dismissed\n", answer["dismissed"].as_str().unwrap_or_default()))
}
