//! `submit`: documents from scripts. An id is printed only once its document is stored durably; a file that is refused
//! is held for a person.

use std::path::PathBuf;

use super::{EX_DATAERR, EX_TEMPFAIL, print_text, say};
use crate::config::Config;
use crate::control::{self, Failure};
use crate::intake::submit::{self, RefusedFile, SubmitError, SubmitOptions};

/// Submits every file; the first failure is reported after all were tried, and a temporary one outranks a refusal,
/// so that a script that tries again loses nothing: what is stored already is not stored twice.
pub fn submit(config: &Config, files: &[PathBuf], options: &SubmitOptions) -> Result<(), Failure> {
    let mut failure: Option<Failure> = None;
    for file in files {
        match one(config, file, options) {
            Ok(id) => print_text(&format!("{id}\n"))?,
            Err(problem) => {
                say(format_args!("nicufaxd: {}: {}", file.display(), problem.message));
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
    let submission = match submit::take(file, options) {
        Ok(submission) => submission,
        Err(error @ SubmitError::Refused(_)) if error.exit_code() != EX_DATAERR => {
            return Err(Failure::new(error.exit_code(), error.to_string()));
        }
        Err(SubmitError::Refused(refusal)) => {
            // Trying again would not help, so a person has to know of it. When that cannot be recorded, the hook's
            // next try is what brings it back.
            let id = control::refuse(config, RefusedFile::new(file, &refusal))
                .map_err(|failure| Failure { exit: EX_TEMPFAIL, ..failure })?;
            let message =
                format!("refused: {refusal}; it stays where it is, and `nicufaxd held list` shows it as {id}");
            return Err(Failure::new(EX_DATAERR, message));
        }
        Err(error) => return Err(Failure::new(error.exit_code(), error.to_string())),
    };
    // Whatever keeps it from being stored, a hook has to try again: its file stays.
    let stored = control::submit(config, submission).map_err(|failure| Failure { exit: EX_TEMPFAIL, ..failure })?;
    Ok(stored.as_str().to_owned())
}
