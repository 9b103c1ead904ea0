//! `verify` and `rebuild`: is everything that was accepted still there, and does all that was made from it agree?

use super::{EX_DATAERR, EX_TEMPFAIL, print_text};
use crate::archive::{self, Archive, OpenOptions};
use crate::config::Config;
use crate::control::Failure;
use crate::queue::export;

/// Checks documents, journal and index, then whether the exports say what the archive says.
pub fn verify(config: &Config) -> Result<(), Failure> {
    let report = archive::verify(&config.state_dir, &OpenOptions::default())?;
    let mut problems: Vec<String> = report.problems.iter().map(ToString::to_string).collect();
    let mut remarks = Vec::new();
    if !report.index_checked {
        remarks.push("the index was not looked at: a daemon has it open, or there is none".to_owned());
    }
    if report.torn > 0 {
        remarks
            .push(format!("{} bytes at the journal's end are unfinished; the next start sets them aside", report.torn));
    }
    if !report.unrecorded.is_empty() {
        remarks.push(format!("{} stored documents were never acknowledged; harmless", report.unrecorded.len()));
    }
    // While a daemon runs, exports are up to 2 s behind by design, so they are compared only when none does.
    if report.problems.is_empty() && report.index_checked {
        let archive = Archive::look(&config.state_dir)?;
        match export::disagreements(&config.export_dir, &archive) {
            Ok(differing) => problems.extend(differing.into_iter().map(|file| {
                format!("export {file} does not say what the archive says; `nicufaxd run --drain` writes it anew")
            })),
            Err(error) => problems.push(error.to_string()),
        }
    }
    for remark in &remarks {
        eprintln!("nicufaxd: {remark}");
    }
    for problem in &problems {
        eprintln!("nicufaxd: {problem}");
    }
    if problems.is_empty() {
        print_text(&format!("{} documents, {} records: all is well\n", report.documents, report.records))
    } else {
        Err(Failure::new(EX_DATAERR, format!("{} problems", problems.len())))
    }
}

/// Makes the index anew, then the exports from it.
pub fn rebuild(config: &Config) -> Result<(), Failure> {
    let archive = Archive::rebuild(&config.state_dir, &OpenOptions::default())?;
    export::write_queue(&config.export_dir, &config.time_zone, &archive)
        .map_err(|error| Failure::new(EX_TEMPFAIL, error.to_string()))?;
    let counts = archive.counts();
    print_text(&format!(
        "rebuilt from {} records: {} documents, {} items\n",
        counts.records, counts.documents, counts.items
    ))
}
