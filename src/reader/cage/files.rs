//! Landlock: the calling thread, and every thread it starts, reaches no file, port or process outside from here on.
//!
//! The only user of the `landlock` crate. No exception is made, so there is no rule to get wrong. Every right that a
//! kernel may know is handled; those that this one does not know yet (file truncation before Linux 6.2, TCP before 6.7,
//! device ioctl before 6.10, signals and abstract sockets before 6.12) are left to [`calls`](super::calls), which
//! forbids the system calls themselves. Without the file rights of the first version (Linux 5.13) it is an error.

use landlock::{
    ABI, Access, AccessFs, AccessNet, CompatLevel, Compatible, Ruleset, RulesetAttr, RulesetError, RulesetStatus, Scope,
};

/// Why the files are not shut.
#[derive(Debug, thiserror::Error)]
pub(super) enum FilesError {
    #[error(transparent)]
    Landlock(#[from] RulesetError),
    #[error("the kernel took the rules and does not enforce them")]
    NotEnforced,
}

pub(super) fn shut() -> Result<(), FilesError> {
    let newest = ABI::V9;
    let status = Ruleset::default()
        .set_compatibility(CompatLevel::HardRequirement)
        .handle_access(AccessFs::from_all(ABI::V1))?
        .set_compatibility(CompatLevel::BestEffort)
        .handle_access(AccessFs::from_all(newest))?
        .handle_access(AccessNet::from_all(newest))?
        .scope(Scope::from_all(newest))?
        .create()?
        .restrict_self()?;
    match status.ruleset {
        RulesetStatus::FullyEnforced | RulesetStatus::PartiallyEnforced => Ok(()),
        RulesetStatus::NotEnforced => Err(FilesError::NotEnforced),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::ErrorKind;
    use std::thread;

    #[test]
    fn a_thread_that_is_shut_in_opens_lists_and_makes_nothing_and_neither_do_its_children() {
        let folder = tempfile::tempdir().unwrap();
        let (file, made) = (folder.path().join("file"), folder.path().join("made"));
        std::fs::File::create(&file).unwrap();
        let shut_in = thread::spawn({
            let folder = folder.path().to_owned();
            move || {
                if let Err(error) = shut() {
                    return Some(error.to_string());
                }
                let child = thread::spawn(move || {
                    [
                        std::fs::File::open(&file).map(drop),
                        std::fs::File::create(&made).map(drop),
                        std::fs::read_dir(&folder).map(drop),
                        std::fs::remove_file(&file),
                        std::fs::create_dir(&made),
                    ]
                });
                for tried in child.join().unwrap() {
                    assert_eq!(tried.unwrap_err().kind(), ErrorKind::PermissionDenied);
                }
                None
            }
        });
        if let Some(error) = shut_in.join().unwrap() {
            eprintln!("SKIPPED: this kernel has no landlock: {error}");
        }
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
    }
}
