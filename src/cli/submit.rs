//! `submit`: documents from scripts. An id is printed only once its document is stored durably.

use std::path::PathBuf;

use super::{EX_DATAERR, EX_TEMPFAIL, print_text};
use crate::config::Config;
use crate::control::{self, Failure};
use crate::intake::submit::{self, SubmitOptions};

/// Submits every file; the first failure is reported after all were tried, and a temporary one outranks a refusal,
/// so that a script that tries again loses nothing: what is stored already is not stored twice.
pub fn submit(config: &Config, files: &[PathBuf], options: &SubmitOptions) -> Result<(), Failure> {
    let mut failure: Option<Failure> = None;
    for file in files {
        match one(config, file, options) {
            Ok(id) => print_text(&format!("{id}\n"))?,
            Err(problem) => {
                eprintln!("nicufaxd: {}: {}", file.display(), problem.message);
                if failure.as_ref().is_none_or(|first| first.exit == EX_DATAERR) {
                    failure = Some(problem);
                }
            }
        }
    }
    match failure {
        Some(failure) => Err(Failure::new(failure.exit, "not every file was accepted")),
        None => Ok(()),
    }
}

fn one(config: &Config, file: &std::path::Path, options: &SubmitOptions) -> Result<String, Failure> {
    let submission = submit::take(file, options).map_err(|error| Failure::new(error.exit_code(), error.to_string()))?;
    // Whatever keeps it from being stored, a hook has to try again: its file stays.
    let stored = control::submit(config, submission).map_err(|failure| Failure { exit: EX_TEMPFAIL, ..failure })?;
    Ok(stored.as_str().to_owned())
}
