//! `audit`: the journal in words, a record a line: when, number, who, about which document, what.

use super::{EX_SOFTWARE, print_text, say};
use crate::archive::{self, AuditFilter, AuditLine};
use crate::config::Config;
use crate::control::{self, Failure, Request};

pub fn audit(config: &Config, filter: &AuditFilter) -> Result<(), Failure> {
    let shown = match &filter.case {
        Some(case) => Request::CasesShown { case: Some(case.clone()), entries: 1 },
        None => Request::TrailShown { document: filter.beginning().map(str::to_owned) },
    };
    // The trail of an archive that takes no records any more is wanted most.
    if let Err(failure) = control::ask(config, &shown) {
        say(format_args!("nicufaxd: that you are shown this could not be recorded: {}", failure.message));
    }
    let zone = &config.time_zone;
    let mut failed = None;
    archive::audit(&config.state_dir, &config.at_rest, filter, |AuditLine { sequence, time, who, document, what }| {
        if failed.is_some() {
            return;
        }
        let time = time.to_zoned(zone.clone()).strftime("%Y-%m-%dT%H:%M:%S%:z");
        let document = document.as_ref().map_or("-", |document| document.short());
        failed = print_text(&format!("{time}  {sequence}  {who}  {document}  {}\n", one_line(&what))).err();
    })?;
    failed.map_or(Ok(()), |failure: Failure| Err(Failure::new(EX_SOFTWARE, failure.message)))
}

/// What others wrote must not make lines of its own, nor speak to the terminal.
fn one_line(text: &str) -> String {
    text.chars().map(|character| if super::steers(character) { ' ' } else { character }).collect()
}
