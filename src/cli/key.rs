//! `key new` and `key rotate`: the master key that everything in the state directory is sealed under.

use std::path::Path;

use super::{print_text, say};
use crate::archive::{self, event::Operation};
use crate::config::Config;
use crate::control::{self, Failure, Request};

/// Writes a new key into a new file.
pub fn new(file: &Path) -> Result<(), Failure> {
    archive::new_key(file)?;
    say(format_args!(
        "nicufaxd: keep a copy of {} apart from the state directory; without it nothing can be opened",
        file.display()
    ));
    Ok(())
}

/// Puts the state directory under the key in `new`; the daemon must not run.
pub fn rotate(config: &Config, new: &Path) -> Result<(), Failure> {
    control::ask(config, &Request::Operated(Operation::KeyRotation))?;
    let rotated = archive::rotate(&config.state_dir, &config.at_rest, new)?;
    let generation = rotated.generations;
    if rotated.given_up {
        say(format_args!(
            "nicufaxd: a rotation to another key had been begun and is given up: that key opens nothing; do not put it in place"
        ));
    }
    match rotated.configure {
        None => print_text(&format!("the key is rotated; what comes is sealed under archive key {generation}\n")),
        Some(old) => print_text(&format!(
            "what comes is sealed under archive key {generation}; now put {} in the place of {}, or name it with key_file: \
             the next start with it finishes the rotation, and until then both keys open the state directory\n",
            new.display(),
            old.display()
        )),
    }
}
