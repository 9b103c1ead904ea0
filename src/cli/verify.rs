//! `verify` and `rebuild`: is everything that was accepted still there, and does all that was made from it agree?
//!
//! What could not be looked at is said so: "all is well" is never said of it.

use std::time::Duration;

use super::{EX_DATAERR, EX_TEMPFAIL, counted, print_text, say};
use crate::archive::event::{Event, Operation};
use crate::archive::{self, Archive, ChainHead, Problem, Proof, Report};
use crate::config::Config;
use crate::control::{self, Failure, Request};
use crate::outbox::alarm;
use crate::queue::export::{self, Disagreement};

/// A running daemon brings the exports up to date within two seconds; they are looked at so many times, this far apart.
const LOOKS: u32 = 5;
const BETWEEN_LOOKS: Duration = Duration::from_secs(1);

/// Checks documents, journal and index, then whether the exports say what the archive says.
pub fn verify(config: &Config) -> Result<(), Failure> {
    let mut found = Found::default();
    let told = match control::ask_daemon(config, &Request::Index, &[]) {
        Ok(told) => told.and_then(|told| serde_json::from_value(told).ok()).flatten(),
        Err(failure) => {
            found.problems.push(format!("the daemon cannot tell what its index holds: {}", failure.message));
            None
        }
    };
    let report = match archive::verify(&config.state_dir, &config.archive_options(), told) {
        Ok(report) => report,
        Err(error) => {
            if let Some(told) = alarm::words(&error) {
                tell_operators(config, &told);
            }
            return Err(error.into());
        }
    };
    found.take(&report);
    if !report.problems.is_empty() {
        let of_journal = report.problems.iter().any(Problem::is_of_journal);
        let journal = if of_journal { " The journal is damaged: restore it from a copy." } else { "" };
        let problems = counted(report.problems.len() as u64, "problem");
        tell_operators(
            config,
            &format!("Looking through what is stored, `nicufaxd verify` found {problems}.{journal}"),
        );
    }
    if report.problems.is_empty() {
        found.exports(config, report.in_use)?;
    } else {
        found.not_looked_at.push("the exports, because of the problems above");
    }
    found.tell(&report)
}

/// Tells the operators by mail, as well as that goes: whoever runs this sees it anyway.
fn tell_operators(config: &Config, told: &str) {
    if let Ok(runtime) = tokio::runtime::Builder::new_current_thread().enable_all().build() {
        runtime.block_on(alarm::tell(config, told));
        runtime.shutdown_timeout(Duration::from_secs(1));
    }
}

/// Prints the head of the journal's chain.
pub fn head(config: &Config) -> Result<(), Failure> {
    print_text(&format!("{}\n", archive::head(&config.state_dir)?))
}

/// Proves that the journal stands up to a head as it stood when that was printed.
pub fn against(config: &Config, kept: &ChainHead) -> Result<(), Failure> {
    let sequence = kept.sequence;
    match archive::proves(&config.state_dir, kept)? {
        Proof::Unchanged(now) => {
            print_text(&format!("nothing was rewritten up to record {sequence}; the head is now {now}\n"))
        }
        Proof::Rewritten => {
            Err(Failure::new(EX_DATAERR, format!("records up to {sequence} were rewritten since the head was kept")))
        }
        Proof::Shortened(end) => {
            let message =
                format!("the journal ends at record {end}, before the head that was kept: records were taken away");
            Err(Failure::new(EX_DATAERR, message))
        }
    }
}

#[derive(Default)]
struct Found {
    problems: Vec<String>,
    /// Worth knowing, and no damage.
    remarks: Vec<String>,
    not_looked_at: Vec<&'static str>,
}

impl Found {
    fn take(&mut self, report: &Report) {
        self.problems.extend(report.problems.iter().map(ToString::to_string));
        if report.torn > 0 {
            let torn = report.torn;
            self.remarks
                .push(format!("{torn} bytes at the journal's end are unfinished; the next start sets them aside"));
        }
        if !report.unrecorded.is_empty() {
            let unrecorded = counted(report.unrecorded.len() as u64, "stored document");
            self.remarks.push(if report.problems.is_empty() && report.index_checked {
                format!("{unrecorded} never acknowledged; harmless")
            } else {
                format!("{unrecorded} without a record; the next start without an index receives what it finds again")
            });
        }
        if report.waiting > 0 {
            let wait = if report.waiting == 1 { "waits" } else { "wait" };
            self.remarks.push(format!("{} {wait} to be read", counted(report.waiting, "document")));
        }
        if report.purged > 0 {
            let were = if report.purged == 1 { "was" } else { "were" };
            self.remarks.push(format!("{} {were} purged by rule", counted(report.purged, "document")));
        }
        if !report.index_checked && report.problems.is_empty() {
            self.not_looked_at.push(if report.in_use {
                "the index, which another process has open and could not tell of"
            } else {
                "the index: there is none, or no room to open it; the next start makes it"
            });
        }
    }

    fn exports(&mut self, config: &Config, in_use: bool) -> Result<(), Failure> {
        let mut before = None;
        for look in 1..=LOOKS {
            let archive = Archive::look(&config.state_dir, &config.at_rest)?;
            let differing = match export::disagreements(&config.export, &archive) {
                Ok(differing) => differing,
                Err(error) => {
                    self.problems.push(error.to_string());
                    return Ok(());
                }
            };
            if differing.is_empty() {
                return Ok(());
            }
            let recorded = archive.last_recorded()?;
            if !in_use {
                for file in &differing {
                    self.differs(file, file.is_behind(recorded));
                }
                return Ok(());
            }
            // Beside a daemon only a difference that stays while nothing happens is one.
            if look > 3 && before == Some(recorded) {
                for file in &differing {
                    self.differs(file, file.lags && file.is_behind(recorded));
                }
                return Ok(());
            }
            before = Some(recorded);
            std::thread::sleep(BETWEEN_LOOKS);
        }
        self.not_looked_at.push("the exports, which change all the time");
        Ok(())
    }

    fn differs(&mut self, Disagreement { file, written, .. }: &Disagreement, behind: bool) {
        match (written, behind) {
            (Some(written), true) => self
                .remarks
                .push(format!("export {file} of {written} is behind the journal; the next run brings it up to date")),
            (Some(_), false) => self
                .problems
                .push(format!("export {file} does not say what the archive says; the next start writes it anew")),
            (None, true) => self.remarks.push(format!("export {file} is not made yet; a run makes it")),
            (None, false) => {
                self.problems.push(format!("export {file} is missing; the next start writes it anew"));
            }
        }
    }

    fn tell(&self, report: &Report) -> Result<(), Failure> {
        for line in self.remarks.iter().chain(&self.problems) {
            say(format_args!("nicufaxd: {line}"));
        }
        for what in &self.not_looked_at {
            say(format_args!("nicufaxd: not looked at: {what}"));
        }
        if !self.problems.is_empty() {
            return Err(Failure::new(EX_DATAERR, format!("{} problems", self.problems.len())));
        }
        let verdict = if self.not_looked_at.is_empty() { "all is well" } else { "all that was looked at is well" };
        print_text(&format!("{} documents, {} records: {verdict}\n", report.documents, report.records))
    }
}

/// Makes the index anew, then the exports from it.
pub fn rebuild(config: &Config) -> Result<(), Failure> {
    let archive = Archive::rebuild(&config.state_dir, &config.archive_options())?;
    let by = control::this_user();
    archive.record(Event::Operated { by: by.clone(), what: Operation::IndexRebuild })?;
    export::write_and_record(&config.export, &archive, &by)
        .map_err(|error| Failure::new(EX_TEMPFAIL, error.to_string()))?;
    let counts = archive.counts();
    print_text(&format!(
        "rebuilt from {} records: {} documents, {} items\n",
        counts.records, counts.documents, counts.items
    ))
}
