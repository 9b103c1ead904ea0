//! Releasing a file at its source, once its bytes are stored durably: it is moved to `done/` or deleted.
//!
//! Between the storing and the release another file may be put under the same name, and releasing that one would lose
//! it. So the file is first renamed within its folder to a name that only intake uses, then looked at, and put back
//! when it is not the one that was stored. What a crash leaves under such a name is put back by [`put_back_parked`].

use std::ffi::{OsStr, OsString};
use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use rustix::fs::{CWD, RenameFlags, renameat_with};
use rustix::io::Errno;

use super::source_file::Fingerprint;
use crate::fault::{self, Step};

/// What becomes of a source's file once it is stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AfterAccept {
    /// It is moved to this folder, which is made when needed; a name that is taken there gets a suffix.
    MoveTo(PathBuf),
    Delete,
}

/// Whether the file was released.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Released {
    Yes,
    /// Another file lies under this name, or the file is gone: nothing was touched.
    NotThatFile,
}

/// Begins the names of files that are being released.
const PARKED: &[u8] = b".nicufaxd-releasing-";

/// The name under which a file is parked: the longest prefix of its own that the file system's limit of 255 leaves.
fn parked_name(name: &OsStr) -> OsString {
    let name = name.as_bytes();
    let kept = name.get(..name.len().min(255 - PARKED.len())).unwrap_or(name);
    OsStr::from_bytes(&[PARKED, kept].concat()).to_owned()
}

/// Whether intake itself gave this name.
pub(super) fn is_parked(name: &OsStr) -> bool {
    name.as_bytes().starts_with(PARKED)
}

/// Releases `name` in `folder` if it is still the file with this fingerprint. `tag` makes the name in `done/` unique
/// when it is taken there.
///
/// # Errors
/// The file could not be moved or deleted; it lies where it was.
pub(super) fn release(
    folder: &Path,
    name: &OsStr,
    fingerprint: &Fingerprint,
    after: &AfterAccept,
    tag: &str,
) -> io::Result<Released> {
    if let AfterAccept::MoveTo(done) = after {
        DirBuilder::new().recursive(true).mode(0o700).create(done)?;
    }
    let parked = folder.join(parked_name(name));
    match rename_new(&folder.join(name), &parked) {
        Ok(()) => fault::at(Step::SourceParked),
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Released::NotThatFile),
        Err(error) => return Err(error),
    }
    let outcome = match fs::symlink_metadata(&parked) {
        Ok(metadata) if Fingerprint::of(&metadata).same_file(fingerprint) => match after {
            AfterAccept::MoveTo(done) => move_to(&parked, done, name, tag).map(|()| Released::Yes),
            AfterAccept::Delete => fs::remove_file(&parked).map(|()| Released::Yes),
        },
        Ok(_) => Ok(Released::NotThatFile),
        Err(error) => Err(error),
    };
    if !matches!(outcome, Ok(Released::Yes)) {
        rename_unique(&parked, folder, name, tag)?;
    }
    fault::at(Step::SourceReleased);
    outcome
}

/// Gives a file that a crash left parked its name back, so that it is found again; the archive knows it if it was
/// stored.
pub(super) fn put_back_parked(folder: &Path, parked: &OsStr) -> io::Result<()> {
    let name = parked.as_bytes().strip_prefix(PARKED).filter(|name| !name.is_empty()).unwrap_or(b"unnamed");
    rename_unique(&folder.join(parked), folder, OsStr::from_bytes(name), "put-back")
}

fn move_to(from: &Path, done: &Path, name: &OsStr, tag: &str) -> io::Result<()> {
    match rename_unique(from, done, name, tag) {
        Err(error) if error.kind() == io::ErrorKind::CrossesDevices => copy_to(from, done, name, tag),
        moved => moved,
    }
}

/// Moves to another file system: the copy is whole and on disk before the original goes.
fn copy_to(from: &Path, done: &Path, name: &OsStr, tag: &str) -> io::Result<()> {
    let copy_path = done.join(parked_name(name));
    let copied = (|| {
        let mut original = File::open(from)?;
        let mut copy = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&copy_path)?;
        io::copy(&mut original, &mut copy)?;
        copy.set_modified(original.metadata()?.modified()?)?;
        copy.sync_all()?;
        rename_unique(&copy_path, done, name, tag)?;
        File::open(done)?.sync_all()
    })();
    match copied {
        Ok(()) => fs::remove_file(from),
        Err(error) => {
            // Best effort: what is left of the copy is overwritten next time.
            _ = fs::remove_file(&copy_path);
            Err(error)
        }
    }
}

/// Renames to `name` in `folder`, or to a name like it that is free: `0042.TAG.tif`, `0042.TAG-2.tif`, …
fn rename_unique(from: &Path, folder: &Path, name: &OsStr, tag: &str) -> io::Result<()> {
    let path = Path::new(name);
    let stem = path.file_stem().unwrap_or(name).as_bytes();
    // Leaves room for the tag, the number and the extension within the file system's limit of 255.
    let stem = OsStr::from_bytes(stem.get(..stem.len().min(160)).unwrap_or(stem));
    for attempt in 0..10_000_u32 {
        let target = if attempt == 0 {
            folder.join(name)
        } else {
            let mut unique = stem.to_owned();
            unique.push(".");
            unique.push(tag);
            if attempt > 1 {
                unique.push(format!("-{attempt}"));
            }
            if let Some(extension) = path.extension() {
                unique.push(".");
                unique.push(extension);
            }
            folder.join(unique)
        };
        match rename_new(from, &target) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            outcome => return outcome,
        }
    }
    Err(io::ErrorKind::AlreadyExists.into())
}

/// Renames, but never over another file.
fn rename_new(from: &Path, to: &Path) -> io::Result<()> {
    match renameat_with(CWD, from, CWD, to, RenameFlags::NOREPLACE) {
        // Some network file systems know no such rename: reserve the name first, then replace the reservation.
        Err(Errno::INVAL | Errno::NOSYS | Errno::OPNOTSUPP) => {
            OpenOptions::new().write(true).create_new(true).mode(0o600).open(to)?;
            fs::rename(from, to)
        }
        outcome => Ok(outcome?),
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    fn put(path: &Path, text: &str) -> Fingerprint {
        File::create(path).unwrap().write_all(text.as_bytes()).unwrap();
        Fingerprint::of(&fs::metadata(path).unwrap())
    }

    fn names(folder: &Path) -> Vec<String> {
        let mut names: Vec<String> =
            fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    #[test]
    fn the_same_name_twice_keeps_both_files_in_done() {
        let root = tempfile::tempdir().unwrap();
        let (inbox, done) = (root.path().join("fax"), root.path().join("done"));
        fs::create_dir(&inbox).unwrap();
        let after = AfterAccept::MoveTo(done.clone());
        for (text, tag) in [("one", "aa"), ("two", "bb"), ("three", "bb")] {
            let fingerprint = put(&inbox.join("0042.tif"), text);
            let released = release(&inbox, OsStr::new("0042.tif"), &fingerprint, &after, tag).unwrap();
            assert_eq!(released, Released::Yes);
        }
        assert_eq!(names(&done), ["0042.bb-2.tif", "0042.bb.tif", "0042.tif"]);
        assert_eq!(fs::read_to_string(done.join("0042.bb-2.tif")).unwrap(), "three");
        assert_eq!(names(&inbox), [""; 0]);
    }

    #[test]
    fn another_file_put_under_the_name_meanwhile_stays() {
        let inbox = tempfile::tempdir().unwrap();
        let path = inbox.path().join("0042.tif");
        let stored = put(&path, "stored");
        fs::remove_file(&path).unwrap();
        put(&path, "newer document");
        let released = release(inbox.path(), OsStr::new("0042.tif"), &stored, &AfterAccept::Delete, "aa").unwrap();
        assert_eq!(released, Released::NotThatFile);
        assert_eq!(fs::read_to_string(&path).unwrap(), "newer document");
        fs::remove_file(&path).unwrap();
        let released = release(inbox.path(), OsStr::new("0042.tif"), &stored, &AfterAccept::Delete, "aa").unwrap();
        assert_eq!(released, Released::NotThatFile);
    }

    #[test]
    fn a_file_that_cannot_be_moved_keeps_its_name() {
        let root = tempfile::tempdir().unwrap();
        let fingerprint = put(&root.path().join("0042.tif"), "stored");
        put(&root.path().join("done"), "a file where the folder should be");
        let after = AfterAccept::MoveTo(root.path().join("done"));
        assert!(release(root.path(), OsStr::new("0042.tif"), &fingerprint, &after, "aa").is_err());
        assert_eq!(names(root.path()), ["0042.tif", "done"]);
    }

    #[test]
    fn what_a_crash_left_parked_gets_its_name_back() {
        let inbox = tempfile::tempdir().unwrap();
        let parked = parked_name(OsStr::new("0042.tif"));
        put(&inbox.path().join(&parked), "stored");
        put(&inbox.path().join("0042.tif"), "newer");
        assert!(is_parked(&parked));
        put_back_parked(inbox.path(), &parked).unwrap();
        assert_eq!(names(inbox.path()), ["0042.put-back.tif", "0042.tif"]);
    }

    #[test]
    fn a_name_of_the_greatest_length_is_released_too() {
        let root = tempfile::tempdir().unwrap();
        let name = format!("{}.tif", "n".repeat(251));
        let fingerprint = put(&root.path().join(&name), "stored");
        let done = root.path().join("done");
        let released =
            release(root.path(), OsStr::new(&name), &fingerprint, &AfterAccept::MoveTo(done.clone()), "aa").unwrap();
        assert_eq!((released, names(&done)), (Released::Yes, vec![name]));
    }

    #[test]
    fn a_move_to_another_file_system_copies_and_then_removes() {
        let root = tempfile::tempdir().unwrap();
        let (from, done) = (root.path().join("0042.tif"), root.path().join("done"));
        fs::create_dir(&done).unwrap();
        put(&from, "stored");
        copy_to(&from, &done, OsStr::new("0042.tif"), "aa").unwrap();
        assert_eq!(names(root.path()), ["done"]);
        assert_eq!(names(&done), ["0042.tif"]);
        assert_eq!(fs::read_to_string(done.join("0042.tif")).unwrap(), "stored");
    }
}
