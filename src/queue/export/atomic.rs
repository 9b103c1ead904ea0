//! Replacing a file as a whole: a reader sees the old one or the new one, also after a power loss.
//!
//! Files and folders made here are their owner's alone, or also a group's to read.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, BufWriter};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use rustix::fs::Gid;

use super::access;

/// A file that is written and on disk, but does not bear its name yet. Dropped, it is removed.
pub struct Replacement {
    temporary: PathBuf,
    target: PathBuf,
    file: String,
    replaced: bool,
}

impl Replacement {
    /// Has a temporary file written beside the target, and syncs it.
    pub fn write(
        folder: &Path,
        file: &str,
        group: Option<Gid>,
        contents: impl FnOnce(&mut BufWriter<File>) -> io::Result<()>,
    ) -> io::Result<Self> {
        let (replacement, mut writer) = Self::begin(folder, file, group)?;
        contents(&mut writer)?;
        replacement.synced(writer)
    }

    /// Makes the temporary file, to be written piece by piece and then [`synced`](Self::synced).
    pub fn begin(folder: &Path, file: &str, group: Option<Gid>) -> io::Result<(Self, BufWriter<File>)> {
        let temporary = folder.join(temporary_name(file));
        match fs::remove_file(&temporary) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        // Made anew, so that nothing put there by others is followed or written into.
        let opened = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&temporary)?;
        let replacement = Self { temporary, target: folder.join(file), file: file.to_owned(), replaced: false };
        if let Some(group) = group {
            access::share(&opened, group, access::file_mode(Some(group)))?;
        }
        Ok((replacement, BufWriter::with_capacity(64 * 1024, opened)))
    }

    /// Has what was written on disk.
    pub fn synced(self, writer: BufWriter<File>) -> io::Result<Self> {
        writer.into_inner().map_err(io::IntoInnerError::into_error)?.sync_all()?;
        Ok(self)
    }

    pub fn file(&self) -> &str {
        &self.file
    }

    /// Takes the place of the target; [`sync_folder`] makes it last.
    pub fn replace(mut self) -> io::Result<()> {
        fs::rename(&self.temporary, &self.target)?;
        self.replaced = true;
        Ok(())
    }
}

impl Drop for Replacement {
    fn drop(&mut self) {
        if !self.replaced {
            // Best effort: what is left is removed at the next export.
            _ = fs::remove_file(&self.temporary);
        }
    }
}

/// Makes a folder that is not there yet; one that is stays as it is.
pub(super) fn make_folder(folder: &Path, group: Option<Gid>) -> io::Result<()> {
    if folder.is_dir() {
        return Ok(());
    }
    DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
    match group {
        Some(group) => access::share(&File::open(folder)?, group, access::folder_mode(Some(group))),
        None => Ok(()),
    }
}

/// What a file is called until it is whole.
pub(super) fn temporary_name(file: &str) -> String {
    format!(".{file}.new")
}

/// Makes renames in a folder last.
pub(super) fn sync_folder(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    fn names(folder: &Path) -> Vec<String> {
        let mut names: Vec<String> =
            fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    #[test]
    fn readers_see_the_old_file_until_the_new_one_is_whole() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("queue.csv");
        let put = |text: &'static str| {
            Replacement::write(folder.path(), "queue.csv", None, |file| file.write_all(text.as_bytes())).unwrap()
        };
        put("old").replace().unwrap();
        let mut reader = File::open(&path).unwrap();
        let new = put("new");
        assert_eq!(fs::read_to_string(&path).unwrap(), "old");
        new.replace().unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "new");
        // Who had it open goes on reading the old one, whole.
        assert_eq!(io::read_to_string(&mut reader).unwrap(), "old");
    }

    #[test]
    fn a_replacement_given_up_leaves_the_old_file_alone_and_nothing_behind() {
        let folder = tempfile::tempdir().unwrap();
        File::create(folder.path().join("queue.csv")).unwrap().write_all(b"old").unwrap();
        // Left by a crash.
        File::create(folder.path().join(".queue.csv.new")).unwrap();
        drop(Replacement::write(folder.path(), "queue.csv", None, |file| file.write_all(b"new")).unwrap());
        assert_eq!(names(folder.path()), ["queue.csv"]);
        assert_eq!(fs::read_to_string(folder.path().join("queue.csv")).unwrap(), "old");
    }

    #[test]
    fn what_is_written_is_the_owners_alone_or_also_its_groups_to_read() {
        let folder = tempfile::tempdir().unwrap();
        let private = folder.path().join("worklist");
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        make_folder(&private, None).unwrap();
        let put =
            |group| Replacement::write(&private, "queue.csv", group, |file| file.write_all(b"new")).unwrap().replace();
        put(None).unwrap();
        assert_eq!((mode(&private), mode(&private.join("queue.csv"))), (0o700, 0o600));
        // A group that any user may give: the own one.
        let group = rustix::process::getegid();
        put(Some(group)).unwrap();
        assert_eq!(
            (mode(&private), mode(&private.join("queue.csv"))),
            (0o700, 0o640),
            "the folder is somebody's already"
        );
        let shared = folder.path().join("shared");
        make_folder(&shared, Some(group)).unwrap();
        assert_eq!(mode(&shared), 0o750);
    }

    #[test]
    fn a_link_planted_under_the_temporary_name_is_not_followed() {
        let folder = tempfile::tempdir().unwrap();
        let elsewhere = folder.path().join("elsewhere");
        File::create(&elsewhere).unwrap().write_all(b"mine").unwrap();
        std::os::unix::fs::symlink(&elsewhere, folder.path().join(".queue.csv.new")).unwrap();
        Replacement::write(folder.path(), "queue.csv", None, |file| file.write_all(b"new")).unwrap().replace().unwrap();
        assert_eq!(fs::read_to_string(elsewhere).unwrap(), "mine");
    }
}
