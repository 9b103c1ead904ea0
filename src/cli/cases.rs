//! `cases import|list|show`: the open-case registry at `[cases] path`. Who was shown it is recorded first.

use std::fs::{File, Permissions};
use std::io::Write;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt, fchown};
use std::path::Path;

use serde_json::json;

use super::{EX_DATAERR, EX_TEMPFAIL, print_json, print_text, say, table};
use crate::archive::{self, event::Operation};
use crate::config::Config;
use crate::control::{self, Failure, Request};
use crate::daemon::knowledge::load_cases;
use crate::link::{Case, Registry};

/// Validates `file` and puts it, whole and atomically, in the place of the snapshot in force; a running daemon takes
/// it up within seconds.
pub fn import(config: &Config, file: &Path) -> Result<(), Failure> {
    let bytes = std::fs::read(file).map_err(|error| {
        Failure::new(
            EX_DATAERR,
            format!("{}: cannot be read: {error}; name a file that this user can read", file.display()),
        )
    })?;
    let registry = Registry::parse(&bytes)
        .map_err(|error| Failure::new(EX_DATAERR, format!("{}: {error}; nothing was imported", file.display())))?;
    replace(&config.cases, &bytes).map_err(|error| {
        Failure::new(EX_TEMPFAIL, format!("{}: cannot be replaced: {error}; check permissions", config.cases.display()))
    })?;
    if registry.cases().is_empty() {
        say(format_args!(
            "warning: {} holds a heading and no case: no document will be linked until one does",
            file.display()
        ));
    }
    say_doubtful(&registry);
    let cases = registry.cases().len() as u64;
    control::ask(config, &Request::Operated(Operation::CasesImport { cases }))?;
    print_text(&format!("{} cases imported\n", registry.cases().len()))
}

/// Doubtful rows of which each is told; of more their number.
const TOLD: usize = 20;

fn say_doubtful(registry: &Registry) {
    for row in registry.doubtful().iter().take(TOLD) {
        say(format_args!("warning: line {}: {}; nothing is linked to it by itself", row.line, row.why));
    }
    if registry.doubtful().len() > TOLD {
        say(format_args!("warning: {} more rows are doubtful", registry.doubtful().len() - TOLD));
    }
}

fn replace(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    let folder = path.parent().unwrap_or(Path::new("."));
    let temporary = folder.join(format!(".cases-{}.tmp", std::process::id()));
    let written = (|| {
        let mut file =
            std::fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&temporary)?;
        whose_it_was(&file, path, folder)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        std::fs::rename(&temporary, path)?;
        File::open(folder)?.sync_all()
    })();
    if written.is_err() {
        // The snapshot in force is untouched; a leftover of the new one would only confuse.
        _ = std::fs::remove_file(&temporary);
    }
    written
}

/// Gives the new snapshot to those whose the old one was, or the folder is: root imports, and the daemon's user reads.
fn whose_it_was(file: &File, old: &Path, folder: &Path) -> std::io::Result<()> {
    let (whose, mode) = match std::fs::metadata(old) {
        Ok(old) => {
            let mode = old.mode() & 0o660 | 0o600;
            (old, mode)
        }
        Err(_) => (std::fs::metadata(folder)?, 0o640),
    };
    let ours = file.metadata()?;
    if (ours.uid(), ours.gid()) != (whose.uid(), whose.gid()) {
        // Who is not root can give it to a group of his own at most; what he could not give, `check` complains of.
        _ = fchown(file, Some(whose.uid()), Some(whose.gid())).or_else(|_| fchown(file, None, Some(whose.gid())));
    }
    file.set_permissions(Permissions::from_mode(mode))
}

pub fn list(config: &Config, as_json: bool) -> Result<(), Failure> {
    let registry = in_force(config)?;
    control::ask(config, &Request::CasesShown { case: None, entries: registry.cases().len() })?;
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
    print_json(&json!(about_to_be_shown(config, id)?))
}

/// A case of the registry in force, which is recorded as shown.
pub(super) fn about_to_be_shown(config: &Config, id: &str) -> Result<Case, Failure> {
    let registry = in_force(config)?;
    let no_such = || Failure::new(EX_DATAERR, format!("{id} is no case of the registry in force"));
    let case = registry.get(id).ok_or_else(no_such)?;
    control::ask(config, &Request::CasesShown { case: Some(case.case_id.clone()), entries: 1 })?;
    Ok(case.clone())
}

/// The cases that documents are linked to: those that the running daemon goes by, or would if it were started now.
/// That the file on disk is refused, or not taken up yet, is said on standard error.
pub(super) fn in_force(config: &Config) -> Result<Registry, Failure> {
    let on_disk = load_cases(config).map(|(registry, _)| registry);
    let running = control::ask_daemon(config, &Request::Cases, &[])?.is_some();
    let on_disk = match on_disk {
        Ok(registry) if !running => return Ok(registry),
        other => other,
    };
    let kept = archive::kept_cases(&config.state_dir, &config.at_rest)?;
    let kept = kept.and_then(|kept| Registry::parse(&kept.bytes).ok().map(|registry| (registry, kept.since)));
    let Some((registry, since)) = kept else {
        return match on_disk {
            Ok(_) => Ok(Registry::empty()),
            Err(error) => Err(Failure::new(EX_DATAERR, format!("{error}; no cases are in force"))),
        };
    };
    match on_disk {
        Ok(newer) if newer.digest() == registry.digest() => {}
        Ok(_) => say(format_args!("nicufaxd: {}: changed; it is taken up within seconds", config.cases.display())),
        Err(error) => {
            let since = since.map(|since| format!(" of {since}")).unwrap_or_default();
            let cases = registry.cases().len();
            say(format_args!("nicufaxd: {error}; this file is refused whole: the {cases} cases{since} stay in force"));
        }
    }
    Ok(registry)
}
