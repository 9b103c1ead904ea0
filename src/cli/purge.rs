//! `purge`: forgets what the retention rules let go, by the running daemon or, when none runs, here.

use super::{EX_SOFTWARE, counted, print_text, say};
use crate::archive::{Archive, Due};
use crate::config::Config;
use crate::control::{self, Failure, Request};
use crate::daemon::retention;

pub fn purge(config: &Config, dry_run: bool, clock_is_right: bool) -> Result<(), Failure> {
    let request = Request::Purge { dry_run, clock_is_right };
    let due: Vec<Due> = if let Some(answer) = control::ask_daemon(config, &request, &[])? {
        serde_json::from_value(answer).map_err(|error| Failure::software(&error))?
    } else {
        let archive = Archive::open(&config.state_dir, &config.archive_options())?;
        retention::asked(config, &archive, (dry_run, clock_is_right), &control::this_user(), || false)?
    };
    for Due { document, rule, resolved_at } in &due {
        print_text(&format!("{document}  {rule}  resolved {resolved_at}\n"))
            .map_err(|failure| Failure::new(EX_SOFTWARE, failure.message))?;
    }
    let done = if dry_run { "would be purged" } else { "purged" };
    say(format_args!("nicufaxd: {} {done}", counted(due.len() as u64, "document")));
    Ok(())
}
