//! `audit`: the journal in words, a record a line: when, number, who, about which document, what.

use super::{EX_SOFTWARE, print_text, say, terminal};
use crate::archive::{AuditFilter, AuditLine, Trail};
use crate::config::Config;
use crate::control::{self, Failure, Request};

pub fn audit(config: &Config, filter: &AuditFilter) -> Result<(), Failure> {
    let trail = Trail::open(&config.state_dir, &config.at_rest, filter)?;
    // The trail of an archive that takes no records any more is wanted most.
    if let Err(failure) = control::ask(config, &Request::TrailShown(trail.as_list())) {
        say(format_args!("nicufaxd: that you are shown this could not be recorded: {}", failure.message));
    }
    let zone = &config.time_zone;
    let mut failed = None;
    trail.tell(|AuditLine { sequence, time, who, document, what }| {
        if failed.is_some() {
            return;
        }
        let time = time.to_zoned(zone.clone()).strftime("%Y-%m-%dT%H:%M:%S%:z");
        let document = document.as_ref().map_or("-", |document| document.short());
        let (who, what) = (terminal::part(&who), terminal::part(&what));
        failed = print_text(&format!("{time}  {sequence}  {who}  {document}  {what}\n")).err();
    })?;
    failed.map_or(Ok(()), |failure: Failure| Err(Failure::new(EX_SOFTWARE, failure.message)))
}
