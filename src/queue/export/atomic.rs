//! Replacing a file as a whole: a reader sees the old one or the new one, also after a power loss.

use std::fs::{self, File, OpenOptions};
use std::io::{self, BufWriter};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

/// A file that is written and on disk, but does not bear its name yet. Dropped, it is removed.
pub(super) struct Replacement {
    temporary: PathBuf,
    target: PathBuf,
    file: &'static str,
    replaced: bool,
}

impl Replacement {
    /// Has a temporary file written beside the target, and syncs it.
    pub fn write(
        folder: &Path,
        file: &'static str,
        contents: impl FnOnce(&mut BufWriter<File>) -> io::Result<()>,
    ) -> io::Result<Self> {
        let temporary = folder.join(format!(".{file}.new"));
        match fs::remove_file(&temporary) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        // Made anew, so that nothing put there by others is followed or written into.
        let opened = OpenOptions::new().write(true).create_new(true).mode(0o640).open(&temporary)?;
        let replacement = Self { temporary, target: folder.join(file), file, replaced: false };
        let mut writer = BufWriter::with_capacity(64 * 1024, opened);
        contents(&mut writer)?;
        writer.into_inner().map_err(io::IntoInnerError::into_error)?.sync_all()?;
        Ok(replacement)
    }

    pub fn file(&self) -> &'static str {
        self.file
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

/// Makes renames in a folder last.
pub(super) fn sync_folder(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}

#[cfg(test)]
mod tests {
    use std::io::Write;

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
            Replacement::write(folder.path(), "queue.csv", |file| file.write_all(text.as_bytes())).unwrap()
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
        drop(Replacement::write(folder.path(), "queue.csv", |file| file.write_all(b"new")).unwrap());
        assert_eq!(names(folder.path()), ["queue.csv"]);
        assert_eq!(fs::read_to_string(folder.path().join("queue.csv")).unwrap(), "old");
    }

    #[test]
    fn a_link_planted_under_the_temporary_name_is_not_followed() {
        let folder = tempfile::tempdir().unwrap();
        let elsewhere = folder.path().join("elsewhere");
        File::create(&elsewhere).unwrap().write_all(b"mine").unwrap();
        std::os::unix::fs::symlink(&elsewhere, folder.path().join(".queue.csv.new")).unwrap();
        Replacement::write(folder.path(), "queue.csv", |file| file.write_all(b"new")).unwrap().replace().unwrap();
        assert_eq!(fs::read_to_string(elsewhere).unwrap(), "mine");
    }
}
