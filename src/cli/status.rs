//! `status`: what the running daemon is doing.

use serde_json::Value;

use super::{EX_UNAVAILABLE, print_json, print_text, table};
use crate::config::Config;
use crate::control::{self, Failure, Request};

pub fn status(config: &Config, json: bool) -> Result<(), Failure> {
    let Some(status) = control::ask_daemon(config, &Request::Status, &[])? else {
        let message = format!("not running (no daemon on {})", config.state_dir.display());
        if json {
            print_json(&serde_json::json!({ "running": false }))?;
        }
        return Err(Failure::new(EX_UNAVAILABLE, message));
    };
    if json {
        return print_json(&status);
    }
    let mut rows = Vec::new();
    flatten("", &status, &mut rows);
    print_text(&table(&["what", "now"], &rows))
}

/// One row a value, named by its path.
fn flatten(path: &str, value: &Value, rows: &mut Vec<Vec<String>>) {
    let below = |name: &str| if path.is_empty() { name.to_owned() } else { format!("{path}.{name}") };
    match value {
        Value::Object(map) => map.iter().for_each(|(name, value)| flatten(&below(name), value, rows)),
        Value::Array(list) => {
            for (position, value) in list.iter().enumerate() {
                let name = value.get("name").and_then(Value::as_str).map_or(position.to_string(), str::to_owned);
                flatten(&below(&name), value, rows);
            }
        }
        Value::String(text) => rows.push(vec![path.to_owned(), text.clone()]),
        Value::Null => rows.push(vec![path.to_owned(), "-".to_owned()]),
        Value::Bool(_) | Value::Number(_) => rows.push(vec![path.to_owned(), value.to_string()]),
    }
}
