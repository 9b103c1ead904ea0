//! Who may look at the exports: the daemon's own user, and the group that the configuration names, if it names one.
//!
//! What is made has these rights from the start. Since then the group may have become another one, or none, and somebody may
//! have opened a file to others: [`put_right`] goes through all that is the export's own, at every start and reload, and
//! changes what is otherwise. It touches nothing else, follows no link, and says how much it changed, never what.

use std::fs::{self, File, OpenOptions, Permissions};
use std::io;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use rustix::fs::{Gid, OFlags, Uid};
use rustix::process::{getegid, geteuid};
use tracing::{error, info, warn};

use super::{ExportError, FILES, Worklist, atomic, items};

/// The permission bits of the export's folders.
pub(super) fn folder_mode(group: Option<Gid>) -> u32 {
    if group.is_some() { 0o750 } else { 0o700 }
}

/// The permission bits of its files.
pub(super) fn file_mode(group: Option<Gid>) -> u32 {
    if group.is_some() { 0o640 } else { 0o600 }
}

/// Gives a file or folder of ours to a group, with this mode whatever the umask says.
pub(super) fn share(file: &File, group: Gid, mode: u32) -> io::Result<()> {
    rustix::fs::fchown(file, None, Some(group))?;
    file.set_permissions(Permissions::from_mode(mode))
}

/// Whether the export's folder is as the daemon makes it, so that [`put_right`] brings it to what the configuration says. A
/// folder with other permissions was arranged so by somebody, and keeps its group and its mode.
pub fn is_as_made(folder: &fs::Metadata) -> bool {
    folder.is_dir() && folder.uid() == geteuid().as_raw() && matches!(folder.mode() & 0o7777, 0o700 | 0o750)
}

/// What a walk through the exports came to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PutRight {
    /// Files and folders that were given another group or mode.
    pub changed: u64,
    /// Those of them that others could look at than now.
    pub were_open: u64,
    /// Files and folders that are another user's, so that nothing can be done about them from here.
    pub foreign: u64,
}

/// Brings the group and the mode of all folders and files of the export to what the configuration says, and logs what
/// came of it. Ends early when told to. Blocks.
pub fn put_right(worklist: &Worklist, stop: impl Fn() -> bool) {
    match go_through(worklist, stop) {
        Ok(PutRight { changed, were_open, foreign }) => {
            if were_open > 0 {
                warn!(
                    changed,
                    were_open, "exports were open to others than the configuration says, and are so no more"
                );
            } else if changed > 0 {
                info!(changed, "exports were given the group and the mode that the configuration says");
            }
            if foreign > 0 {
                warn!(
                    files = foreign,
                    "exports belong to another user, and their group and mode are not what the configuration says; give \
                     them to the daemon's user (chown -R)"
                );
            }
        }
        Err(error) => error!(%error, "the exports' group and mode cannot be brought to what the configuration says"),
    }
}

fn go_through(worklist: &Worklist, stop: impl Fn() -> bool) -> Result<PutRight, ExportError> {
    let mut walk = Walk { group: worklist.group, done: PutRight::default() };
    let root = &worklist.folder;
    if fs::metadata(root).is_ok_and(|folder| is_as_made(&folder)) {
        walk.folder(root)?;
    }
    for file in FILES {
        walk.file(&root.join(file))?;
        walk.file(&root.join(atomic::temporary_name(file)))?;
    }
    let all_items = root.join(items::FOLDER);
    walk.folder(&all_items)?;
    for (_, folder) in items::folders(&all_items)? {
        if stop() {
            break;
        }
        walk.folder(&folder)?;
        let entries = match fs::read_dir(&folder) {
            // Resolved meanwhile.
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            entries => entries,
        };
        let unreadable = |error| ExportError::Unreadable { file: folder.display().to_string(), error };
        for entry in entries.map_err(unreadable)? {
            walk.file(&entry.map_err(unreadable)?.path())?;
        }
    }
    Ok(walk.done)
}

struct Walk {
    group: Option<Gid>,
    done: PutRight,
}

impl Walk {
    fn folder(&mut self, path: &Path) -> Result<(), ExportError> {
        self.put(path, true, folder_mode(self.group)).map_err(|error| failed(path, error))
    }

    fn file(&mut self, path: &Path) -> Result<(), ExportError> {
        self.put(path, false, file_mode(self.group)).map_err(|error| failed(path, error))
    }

    fn put(&mut self, path: &Path, is_folder: bool, mode: u32) -> io::Result<()> {
        let (own, group) = (geteuid(), self.group.unwrap_or_else(getegid));
        let is_right = |there: &fs::Metadata| {
            (there.uid(), there.gid(), there.mode() & 0o7777) == (own.as_raw(), group.as_raw(), mode)
        };
        // Neither a link nor a pipe is ours.
        let is_ours = |there: &fs::Metadata| if is_folder { there.is_dir() } else { there.is_file() };
        let there = match path.symlink_metadata() {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            there => there?,
        };
        if !is_ours(&there) || is_right(&there) {
            return Ok(());
        }
        // What is opened cannot be exchanged for another one any more.
        let flags = OFlags::NOFOLLOW | OFlags::NONBLOCK;
        let file = match OpenOptions::new().read(true).custom_flags(flags.bits() as i32).open(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied && there.uid() != own.as_raw() => {
                self.done.foreign += 1;
                return Ok(());
            }
            file => file?,
        };
        let there = file.metadata()?;
        if !is_ours(&there) {
            return Ok(());
        }
        let user: Option<Uid> = (there.uid() != own.as_raw()).then_some(own);
        match rustix::fs::fchown(&file, user, (there.gid() != group.as_raw()).then_some(group)) {
            Err(rustix::io::Errno::PERM) if user.is_some() => {
                self.done.foreign += 1;
                return Ok(());
            }
            given => given?,
        }
        file.set_permissions(Permissions::from_mode(mode))?;
        let of_another_group = there.gid() != group.as_raw() && there.mode() & 0o070 != 0;
        self.done.changed += 1;
        self.done.were_open += u64::from(of_another_group || there.mode() & 0o777 & !mode != 0);
        Ok(())
    }
}

fn failed(path: &Path, error: io::Error) -> ExportError {
    ExportError::Access { path: PathBuf::from(path), error }
}

#[cfg(test)]
mod tests {
    use jiff::tz::TimeZone;

    use super::*;
    use crate::document::DocumentId;
    use crate::queue::item::ItemId;

    /// An export folder with the three files and an item's folder, all as a daemon makes them for itself alone; and a
    /// person's file beside them.
    fn exported() -> (tempfile::TempDir, Worklist, Vec<PathBuf>) {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().join("worklist");
        let item = root.join(items::FOLDER).join(ItemId::new(&DocumentId::of(b"fax"), 1).to_string());
        for folder in [&root, &root.join(items::FOLDER), &item] {
            atomic::make_folder(folder, None).unwrap();
        }
        let mut files: Vec<PathBuf> = FILES.iter().map(|file| root.join(file)).collect();
        files.extend(["document.pdf", "page-1.png", "item.json"].map(|file| item.join(file)));
        files.push(root.join("a-persons.txt"));
        for file in &files {
            OpenOptions::new().write(true).create_new(true).mode(0o600).open(file).unwrap();
        }
        let worklist = Worklist { folder: root.clone(), zone: TimeZone::UTC, group: None, items: true };
        let mut all = vec![root.clone(), root.join(items::FOLDER), item];
        all.extend(files);
        (folder, worklist, all)
    }

    fn modes(all: &[PathBuf]) -> Vec<u32> {
        all.iter().map(|path| fs::metadata(path).unwrap().mode() & 0o7777).collect()
    }

    const ALONE: [u32; 10] = [0o700, 0o700, 0o700, 0o600, 0o600, 0o600, 0o600, 0o600, 0o600, 0o600];
    const SHARED: [u32; 10] = [0o750, 0o750, 0o750, 0o640, 0o640, 0o640, 0o640, 0o640, 0o640, 0o600];

    #[test]
    fn a_group_that_is_given_and_taken_away_again_reaches_all_that_was_exported_before_and_nothing_else() {
        let (_folder, mut worklist, all) = exported();
        assert_eq!(go_through(&worklist, || false).unwrap(), PutRight::default());
        // A group that any user may give: the own one. A superuser can give any.
        let groups = if geteuid().is_root() { vec![Gid::from_raw(1), Gid::from_raw(2)] } else { vec![getegid()] };
        for group in groups {
            worklist.group = Some(group);
            assert_eq!(go_through(&worklist, || false).unwrap().changed, 9);
            assert_eq!(modes(&all), SHARED);
            assert!(all[..9].iter().all(|path| fs::metadata(path).unwrap().gid() == group.as_raw()));
            assert_eq!(go_through(&worklist, || false).unwrap(), PutRight::default());
        }
        worklist.group = None;
        assert_eq!(go_through(&worklist, || false).unwrap().changed, 9);
        assert_eq!(modes(&all), ALONE);
        assert!(all.iter().all(|path| fs::metadata(path).unwrap().gid() == getegid().as_raw()));
    }

    #[test]
    fn what_somebody_opened_to_others_inside_is_closed_again() {
        let (_folder, worklist, all) = exported();
        for path in &all[1..9] {
            fs::set_permissions(path, Permissions::from_mode(0o755)).unwrap();
        }
        let done = go_through(&worklist, || false).unwrap();
        assert_eq!((done.changed, done.were_open), (8, 8));
        assert_eq!(modes(&all), ALONE);
    }

    #[test]
    fn a_folder_that_somebody_arranged_otherwise_stays_as_it_is_and_no_link_is_followed() {
        let (folder, worklist, all) = exported();
        fs::set_permissions(&all[0], Permissions::from_mode(0o2770)).unwrap();
        let elsewhere = folder.path().join("elsewhere");
        OpenOptions::new().write(true).create_new(true).mode(0o604).open(&elsewhere).unwrap();
        fs::set_permissions(&elsewhere, Permissions::from_mode(0o604)).unwrap();
        fs::remove_file(&all[3]).unwrap();
        std::os::unix::fs::symlink(&elsewhere, &all[3]).unwrap();
        assert_eq!(go_through(&worklist, || false).unwrap().foreign, 0);
        assert_eq!(modes(&[all[0].clone(), elsewhere]), [0o2770, 0o604]);
    }
}
