//! `outbox list|retry|dismiss`: the mails that were not sent yet.

use serde_json::Value;

use super::{print_json, print_text, table};
use crate::config::Config;
use crate::control::{self, Failure, Request};

pub fn list(config: &Config, json: bool) -> Result<(), Failure> {
    let unsent = control::ask(config, &Request::OutboxList)?;
    if json {
        return print_json(&unsent);
    }
    let columns = ["id", "state", "why", "item", "since", "attempts", "reason"];
    let cell = |entry: &Value, column: &str| {
        let value = &entry[column];
        let text = value.as_str().map(str::to_owned);
        text.unwrap_or_else(|| if value.is_null() { String::new() } else { value.to_string() })
    };
    let rows: Vec<Vec<String>> = unsent
        .as_array()
        .into_iter()
        .flatten()
        .map(|entry| columns.iter().map(|column| cell(entry, column)).collect())
        .collect();
    print_text(&table(&columns, &rows))
}

pub fn retry(config: &Config, id: String) -> Result<(), Failure> {
    let answer = control::ask(config, &Request::OutboxRetry { id })?;
    print_text(&format!("{} is tried again\n", answer["mail"].as_str().unwrap_or_default()))
}

pub fn dismiss(config: &Config, id: String) -> Result<(), Failure> {
    let answer = control::ask(config, &Request::OutboxDismiss { id })?;
    print_text(&format!("{} is dismissed; it is not sent\n", answer["dismissed"].as_str().unwrap_or_default()))
}
