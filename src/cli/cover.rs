//! `cover`: our own cover sheet for a case, as a PDF for the hospital.

use std::fs::OpenOptions;
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use super::{EX_DATAERR, EX_TEMPFAIL, cases};
use crate::config::Config;
use crate::control::Failure;
use crate::paper::cover::{Cover, CoverError};

/// Writes the sheet into a new file, for nobody but this user, or to standard output.
pub fn cover(config: &Config, case: &str, output: Option<&Path>) -> Result<(), Failure> {
    let case = cases::about_to_be_shown(config, case)?;
    let cover =
        Cover { case_id: &case.case_id, auth_number: &case.auth_number, fax_number: config.fax_number.as_deref() };
    let sheet = cover.write(Vec::new()).map_err(|error| {
        let code = match error {
            CoverError::Code(_) => EX_DATAERR,
            CoverError::Io(_) => EX_TEMPFAIL,
        };
        Failure::new(code, error.to_string())
    })?;
    let written = match output {
        None => io::stdout().lock().write_all(&sheet),
        Some(path) => new_file(path, &sheet),
    };
    written.map_err(|error| {
        let place = output.map_or_else(|| "standard output".to_owned(), |path| path.display().to_string());
        Failure::new(EX_TEMPFAIL, format!("{place}: cannot be written: {error}; name a new file, and make room"))
    })
}

fn new_file(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
    file.write_all(bytes)?;
    file.sync_all()
}
