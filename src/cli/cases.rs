//! `cases import|list|show`: the open-case registry at `[cases] path`.

use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use serde_json::json;

use super::{EX_DATAERR, EX_TEMPFAIL, print_json, print_text, table};
use crate::config::Config;
use crate::control::Failure;
use crate::daemon::knowledge::load_cases;
use crate::link::Registry;

/// Validates `file` and puts it, whole and atomically, in the place of the snapshot in force; a running daemon takes
/// it up within seconds.
pub fn import(config: &Config, file: &Path) -> Result<(), Failure> {
    let bytes = std::fs::read(file)
        .map_err(|error| Failure::new(EX_DATAERR, format!("{}: cannot be read: {error}", file.display())))?;
    let registry = Registry::parse(&bytes)
        .map_err(|error| Failure::new(EX_DATAERR, format!("{}: {error}; nothing was imported", file.display())))?;
    replace(&config.cases, &bytes).map_err(|error| {
        Failure::new(EX_TEMPFAIL, format!("{}: cannot be replaced: {error}; check permissions", config.cases.display()))
    })?;
    print_text(&format!("{} cases imported\n", registry.cases().len()))
}

fn replace(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    let folder = path.parent().unwrap_or(Path::new("."));
    let temporary = folder.join(format!(".cases-{}.tmp", std::process::id()));
    let written = (|| {
        let mut file =
            std::fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o640).open(&temporary)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        std::fs::rename(&temporary, path)?;
        std::fs::File::open(folder)?.sync_all()
    })();
    if written.is_err() {
        // The snapshot in force is untouched; a leftover of the new one would only confuse.
        _ = std::fs::remove_file(&temporary);
    }
    written
}

pub fn list(config: &Config, as_json: bool) -> Result<(), Failure> {
    let registry = registry(config)?;
    if as_json {
        return print_json(&json!(registry.cases()));
    }
    let rows: Vec<Vec<String>> = registry
        .cases()
        .iter()
        .map(|case| {
            vec![
                case.case_id.clone(),
                case.status.name().to_owned(),
                format!("{}, {} {}", case.last_name, case.first_name, case.birth_order).trim_end().to_owned(),
                case.dob.map(|dob| dob.to_string()).unwrap_or_default(),
                case.facility.clone(),
                case.plan.clone(),
                case.assigned_nurse.clone(),
            ]
        })
        .collect();
    print_text(&table(&["case", "status", "baby", "born", "facility", "plan", "nurse"], &rows))
}

pub fn show(config: &Config, id: &str) -> Result<(), Failure> {
    match registry(config)?.get(id) {
        Some(case) => print_json(&json!(case)),
        None => Err(Failure::new(EX_DATAERR, format!("{id} is no case in {}", config.cases.display()))),
    }
}

/// The cases on disk; a snapshot that is refused is said so.
pub(super) fn registry(config: &Config) -> Result<Registry, Failure> {
    load_cases(config).map(|(registry, _)| registry).map_err(|error| Failure::new(EX_DATAERR, error.to_string()))
}
