//! `read`: a dry run on one file; nothing is accepted, nothing is written.

use std::path::Path;
use std::sync::Arc;

use serde_json::json;

use super::{EX_CONFIG, EX_DATAERR, SUBMIT_LIMIT, print_json, print_text};
use crate::archive;
use crate::clock;
use crate::config::Config;
use crate::control::{self, Failure};
use crate::daemon::knowledge::{knowledge, load_policy, load_rules};
use crate::daemon::pool_settings;
use crate::document::{DocumentId, Reading, Receipt};
use crate::intake::submit;
use crate::pipeline;
use crate::reader::pool::{ReadError, ReaderPool};

pub fn read(config: &Config, file: &Path, json: bool, explain: bool) -> Result<(), Failure> {
    let refused = |reason: &dyn std::fmt::Display| {
        Failure::new(EX_DATAERR, format!("{}: cannot be read: {reason}", file.display()))
    };
    // A link is followed, since a person named it; for the rest a file is refused for what it would be refused at intake.
    let real = file.canonicalize().map_err(|error| refused(&error))?;
    let limits = config.folders.iter().map(|folder| folder.max_bytes);
    let limits = limits.chain(config.accounts.iter().map(|account| account.max_bytes));
    let most = limits.max().unwrap_or(SUBMIT_LIMIT);
    let bytes: Arc<[u8]> = submit::read_file(&real, most).map_err(|error| refused(&error))?.into();
    // A dry run needs no key: without one, the id is only what it would be in the clear.
    let id = archive::name(&config.state_dir, &config.at_rest, &bytes).unwrap_or_else(|_| DocumentId::of(&bytes));
    let runtime = tokio::runtime::Runtime::new().map_err(|error| Failure::software(&error))?;
    let reading = runtime.block_on(async {
        let misconfigured = |error: ReadError| Failure::new(EX_CONFIG, error.to_string());
        let settings = pool_settings(&config.reader).map_err(misconfigured)?;
        let pool = Arc::new(ReaderPool::start(settings, None).await.map_err(misconfigured)?);
        let reading = pipeline::read(&pool, &id, bytes).await;
        pool.shutdown().await;
        reading.map_err(|error| Failure::new(EX_DATAERR, format!("{}: document {id}: {error}", file.display())))
    })?;
    let rules = load_rules(config).map_err(|error| Failure::new(EX_CONFIG, error.to_string()))?;
    let today = clock::now().to_zoned(config.time_zone.clone()).date();
    if let Some(reason) = pipeline::nothing_readable(&reading, &rules, today) {
        return Err(Failure::new(EX_DATAERR, format!("{}: document {id}: held: {reason}", file.display())));
    }
    match (json, explain) {
        (false, false) => print_text(&text_of(&reading)),
        (true, false) => print_json(&json!(reading.calibrated())),
        (_, true) => print_json(&explained(config, file, &id, &reading, json)?),
    }
}

/// The pages' text, parted by form feeds.
fn text_of(reading: &Reading) -> String {
    let pages: Vec<String> = reading.pages.iter().map(crate::document::Page::text).collect();
    format!("{}\n", pages.join("\n\u{c}"))
}

fn explained(
    config: &Config,
    file: &Path,
    id: &DocumentId,
    reading: &Reading,
    with_words: bool,
) -> Result<serde_json::Value, Failure> {
    let wrong = |error: crate::daemon::knowledge::KnowledgeError| Failure::new(EX_CONFIG, error.to_string());
    let registry = super::cases::in_force(config).map_err(|failure| Failure { exit: EX_CONFIG, ..failure })?;
    let knowledge =
        knowledge(config, load_rules(config).map_err(wrong)?, load_policy(config).map_err(wrong)?, registry);
    let received_at = file
        .metadata()
        .and_then(|metadata| metadata.modified())
        .ok()
        .and_then(|time| time.try_into().ok())
        .unwrap_or_else(clock::now);
    let source_file = file.file_name().unwrap_or_default().to_string_lossy();
    let receipt = Receipt::new("read", source_file, received_at);
    let decisions = pipeline::decide(reading, &receipt, &knowledge);
    let fired: Vec<_> = decisions.iter().map(|decision| decision.understanding.fired_rules.clone()).collect();
    let items = pipeline::items(id, reading, &receipt, decisions, 1, &[]);
    let mut segments = Vec::with_capacity(items.len());
    for (item, fired) in items.iter().zip(fired) {
        segments.push(json!({ "item": control::as_exported(item)?, "fired_rules": fired }));
    }
    let mut explained = json!({ "segments": segments });
    if with_words {
        explained["reading"] = json!(reading.clone().calibrated());
    }
    Ok(explained)
}
