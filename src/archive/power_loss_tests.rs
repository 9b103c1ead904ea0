//! The power fails at any moment: after every change that the archive makes to the disk, and with what had not been
//! synced until then there, missing, torn, or there in part, in any order.
//!
//! The changes of a run are recorded, and a disk is modelled that loses what it may lose: a file keeps the content of
//! its last sync, a folder the names of its last sync, the rest is up to chance. sled's own files are lost each time;
//! the index is made anew. Whatever comes of it must open, with everything that had been acknowledged.

#![allow(clippy::disallowed_methods, reason = "what a test writes need not last")]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering;

use tempfile::TempDir;

use super::disk::{Disk, Done};
use super::event::{Event, Stage};
use super::tests::{arrival, files_below, item, options, resolved};
use super::vault::HEADER;
use super::*;
use crate::document::DocumentId;
use crate::queue::item::ItemId;

/// A segment of the journal takes about two records.
const SEGMENT_BYTES: u64 = 1000;

/// What becomes of changes that were not synced.
#[derive(Clone, Copy, Debug)]
enum Loss {
    /// Nothing is lost: the process was killed, the machine went on.
    None,
    /// Everything is.
    All,
    /// Names stay, content goes: files are there and empty or short.
    Content,
    /// Content stays, names go.
    Names,
    /// Each change stays or goes, and what is written last may be torn.
    Chance(u64),
}

const LOSSES: [Loss; 6] =
    [Loss::None, Loss::All, Loss::Content, Loss::Names, Loss::Chance(0x9e37_79b9), Loss::Chance(0x7f4a_7c15)];

/// A change to a file's content.
#[derive(Clone)]
enum Edit {
    Append(Vec<u8>),
    Write(u64, Vec<u8>),
    Cut(u64),
}

impl Edit {
    fn apply(&self, content: &mut Vec<u8>, torn: bool) {
        let part = |bytes: &[u8]| bytes[..if torn { bytes.len() / 2 } else { bytes.len() }].to_vec();
        match self {
            Self::Append(bytes) => content.extend(part(bytes)),
            Self::Write(offset, bytes) => {
                let (start, bytes) = (*offset as usize, part(bytes));
                // A hole, where what should stand before was lost.
                content.resize(content.len().max(start + bytes.len()), 0);
                content[start..start + bytes.len()].copy_from_slice(&bytes);
            }
            Self::Cut(length) => content.truncate(*length as usize),
        }
    }
}

/// A file: what its last sync made last, and what was changed since.
#[derive(Clone, Default)]
struct Content {
    synced: Vec<u8>,
    since: Vec<Edit>,
}

/// A name given to a file, or taken away.
type Naming = (PathBuf, Option<usize>);

#[derive(Default)]
struct ModelDisk {
    files: Vec<Content>,
    names: BTreeMap<PathBuf, usize>,
    synced_names: BTreeMap<PathBuf, usize>,
    /// In their order.
    names_since: Vec<Naming>,
    folders: Vec<PathBuf>,
    /// Folders whose names are in the folder above for good.
    synced_folders: BTreeSet<PathBuf>,
}

impl ModelDisk {
    fn name(&mut self, path: &Path, file: Option<usize>) {
        match file {
            Some(file) => _ = self.names.insert(path.to_owned(), file),
            None => _ = self.names.remove(path),
        }
        self.names_since.push((path.to_owned(), file));
    }

    fn edit(&mut self, path: &Path, edit: Edit) {
        let file = self.names[path];
        self.files[file].since.push(edit);
    }

    fn apply(&mut self, change: &Done) {
        match change {
            // Those above it are made with it.
            Done::Folder(path) => self.folders.extend(path.ancestors().map(Path::to_owned)),
            Done::Created(path) => {
                self.files.push(Content::default());
                self.name(path, Some(self.files.len() - 1));
            }
            Done::Appended(path, bytes) => self.edit(path, Edit::Append(bytes.clone())),
            Done::Written(path, offset, bytes) => self.edit(path, Edit::Write(*offset, bytes.clone())),
            Done::Cut(path, length) => self.edit(path, Edit::Cut(*length)),
            Done::Synced(path) => {
                if let Some(&file) = self.names.get(path) {
                    let content = &mut self.files[file];
                    for edit in std::mem::take(&mut content.since) {
                        edit.apply(&mut content.synced, false);
                    }
                } else {
                    let (last, rest) = std::mem::take(&mut self.names_since)
                        .into_iter()
                        .partition(|(name, _)| name.parent() == Some(path));
                    self.names_since = rest;
                    apply_names(&mut self.synced_names, last);
                    let within = self.folders.iter().filter(|folder| folder.parent() == Some(path));
                    self.synced_folders.extend(within.cloned());
                }
            }
            Done::Renamed(from, to) => {
                let file = self.names[from];
                self.name(to, Some(file));
                self.name(from, None);
            }
            Done::Removed(path) => {
                let gone: Vec<PathBuf> = self.names.keys().filter(|name| name.starts_with(path)).cloned().collect();
                for name in gone {
                    self.name(&name, None);
                }
            }
        }
    }

    /// Puts what is left after a power loss on a real disk.
    fn lose(&self, loss: Loss, to: &Path) {
        let mut random = if let Loss::Chance(seed) = loss { seed } else { 0 };
        let mut chance = || {
            // xorshift64
            random ^= random << 13;
            random ^= random >> 7;
            random ^= random << 17;
            random % 3
        };
        let names = match loss {
            Loss::None | Loss::Content => self.names.clone(),
            Loss::All | Loss::Names => self.synced_names.clone(),
            Loss::Chance(_) => {
                let mut names = self.synced_names.clone();
                apply_names(&mut names, self.names_since.iter().filter(|_| chance() > 0).cloned().collect());
                names
            }
        };
        // What is in a folder goes with the folder's own name.
        let goes = |folder: &Path| {
            matches!(loss, Loss::All | Loss::Names)
                && folder.ancestors().any(|part| part.parent().is_some() && !self.synced_folders.contains(part))
        };
        for folder in self.folders.iter().filter(|folder| !goes(folder)) {
            fs::create_dir_all(to.join(folder)).unwrap();
        }
        for (name, file) in names {
            if goes(name.parent().unwrap()) {
                continue;
            }
            let Content { synced, since } = &self.files[file];
            let mut content = synced.clone();
            for (number, edit) in since.iter().enumerate() {
                let last = number + 1 == since.len();
                match loss {
                    Loss::None | Loss::Names => edit.apply(&mut content, false),
                    Loss::All | Loss::Content => {}
                    Loss::Chance(_) => match chance() {
                        0 => {}
                        1 => edit.apply(&mut content, last),
                        _ => edit.apply(&mut content, false),
                    },
                }
            }
            let path = to.join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(&path, content).unwrap();
            // As the archive makes its files; a key that others may read is refused.
            fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        }
    }
}

fn apply_names(names: &mut BTreeMap<PathBuf, usize>, changes: Vec<Naming>) {
    for (name, file) in changes {
        match file {
            Some(file) => _ = names.insert(name, file),
            None => _ = names.remove(&name),
        }
    }
}

/// What had been acknowledged when so many changes were made.
struct Acknowledged {
    changes: usize,
    documents: Vec<(DocumentId, Vec<u8>)>,
    /// Purged for good, with the wrapped key at the head of its file.
    purged: Vec<(DocumentId, Vec<u8>)>,
    journal: Vec<u8>,
}

/// The journal, whatever segments it lies in.
fn whole_journal(state: &Path) -> Vec<u8> {
    let mut files = files_below(&state.join("journal"));
    files.retain(|file| file.extension().is_some_and(|extension| extension == "log"));
    files.sort_unstable();
    files.iter().flat_map(|file| fs::read(file).unwrap()).collect()
}

/// A run of the archive that leaves nothing out: single documents, many together, the same again, events, cases, a
/// purge, and a new segment of the journal for every few records.
fn run(state: &Path) -> (Vec<Done>, Vec<Acknowledged>) {
    let disk = Disk::default();
    disk.segment_bytes.store(SEGMENT_BYTES, Ordering::Relaxed);
    disk.record.begin();
    let archive = Archive::open_on(disk.clone(), state, &options()).unwrap();
    let mut points = Vec::new();
    let mut point = |documents: &[(DocumentId, Vec<u8>)], purged: &[(DocumentId, Vec<u8>)]| {
        let journal = whole_journal(state);
        let (changes, documents, purged) = (disk.record.changes().len(), documents.to_vec(), purged.to_vec());
        points.push(Acknowledged { changes, documents, purged, journal });
    };
    let mut documents = Vec::new();
    let mut acknowledge = |accepted: Vec<(DocumentId, Vec<u8>)>| {
        documents.extend(accepted);
        point(&documents, &[]);
    };
    let accept = |text: &str, key: &str| {
        let document = archive.accept(arrival(text.as_bytes(), key)).unwrap().document;
        vec![(document, text.as_bytes().to_vec())]
    };
    let first = accept("one", "one");
    let document = first[0].0.clone();
    acknowledge(first);
    acknowledge(accept("one", "one again"));
    let texts = ["two", "three", "four", "five"];
    let together = archive.accept_all(texts.iter().map(|text| arrival(text.as_bytes(), text)).collect());
    let accepted = texts.iter().zip(together);
    acknowledge(accepted.map(|(text, one)| (one.unwrap().document, text.as_bytes().to_vec())).collect());
    let released = Event::SourceReleased { document: document.clone(), source_key: "one".to_owned() };
    archive.record(released).unwrap();
    acknowledge(Vec::new());
    archive.put_cases(b"case_id\n").unwrap();
    archive.put_cases(b"case_id\nUM1\n").unwrap();
    let held = Event::Held { document, reason: "unreadable".to_owned(), stage: Stage::Read, mail: None };
    archive.record(held).unwrap();
    acknowledge(Vec::new());
    let last = accept("six", "six");
    let last_id = last[0].0.clone();
    acknowledge(last);
    archive.record(Event::SourceReleased { document: last_id.clone(), source_key: "six".to_owned() }).unwrap();
    archive.record(Event::Queued { document: last_id.clone(), items: vec![item(&last_id, 1)] }).unwrap();
    archive.record(resolved(ItemId::new(&last_id, 1))).unwrap();
    acknowledge(Vec::new());
    let in_two_days = (crate::clock::now() + jiff::SignedDuration::from_hours(48)).to_zoned(jiff::tz::TimeZone::UTC);
    let rule = RetentionRule { name: "resolved".to_owned(), lane: None, after: jiff::ToSpan::days(1) };
    let due = archive.due_for_purge(&[rule], &in_two_days).unwrap();
    assert_eq!(due.iter().map(|due| &due.document).collect::<Vec<_>>(), [&last_id]);
    // From here on it may be there or not.
    documents.retain(|(document, _)| *document != last_id);
    point(&documents, &[]);
    let mut files = files_below(&state.join("documents")).into_iter();
    let file = fs::read(files.find(|file| file.ends_with(last_id.as_str())).unwrap()).unwrap();
    archive.purge(due, "uid 7", || false).unwrap();
    point(&documents, &[(last_id, file[..HEADER].to_vec())]);
    assert!(files_below(&state.join("journal")).len() > 3, "the journal goes over segments");
    drop(archive);
    (relative(disk.record.changes(), state), points)
}

/// The changes with paths as seen from the state directory.
fn relative(changes: Vec<Done>, state: &Path) -> Vec<Done> {
    let cut = |path: PathBuf| path.strip_prefix(state).unwrap().to_owned();
    let each = changes.into_iter().map(|change| match change {
        Done::Folder(path) => Done::Folder(cut(path)),
        Done::Created(path) => Done::Created(cut(path)),
        Done::Appended(path, bytes) => Done::Appended(cut(path), bytes),
        Done::Written(path, offset, bytes) => Done::Written(cut(path), offset, bytes),
        Done::Cut(path, length) => Done::Cut(cut(path), length),
        Done::Synced(path) => Done::Synced(cut(path)),
        Done::Renamed(from, to) => Done::Renamed(cut(from), cut(to)),
        Done::Removed(path) => Done::Removed(cut(path)),
    });
    each.collect()
}

#[test]
fn after_a_power_loss_at_any_moment_the_archive_opens_with_all_that_was_acknowledged() {
    let state = TempDir::new().unwrap();
    let (changes, points) = run(state.path());
    assert!(points.len() >= 6 && changes.len() > 40, "{} changes", changes.len());
    let mut disk = ModelDisk::default();
    for made in 0..=changes.len() {
        if let Some(change) = made.checked_sub(1).map(|last| &changes[last]) {
            disk.apply(change);
        }
        let acknowledged = points.iter().rev().find(|point| point.changes <= made);
        for loss in LOSSES {
            let after = TempDir::new().unwrap();
            let place = after.path().join("state");
            fs::create_dir(&place).unwrap();
            fs::set_permissions(&place, fs::Permissions::from_mode(0o700)).unwrap();
            disk.lose(loss, &place);
            let purged = acknowledged.map_or(&[][..], |point| &point.purged);
            for (document, key) in purged {
                // Before a start could make up for it.
                let left = files_below(&place);
                assert!(!left.iter().any(|file| file.ends_with(document.as_str())), "after {made} changes, {loss:?}");
                let on_disk = disk.files.iter().any(|file| file.synced.starts_with(key));
                assert!(!on_disk, "after {made} changes: the purged document's key is still on the disk");
            }
            let opened = Archive::open(&place, &options());
            let archive = opened.unwrap_or_else(|error| panic!("after {made} changes, {loss:?}: {error}"));
            let Some(Acknowledged { documents, journal, .. }) = acknowledged else { continue };
            for (document, bytes) in documents {
                assert_eq!(archive.read_document(document).unwrap(), *bytes, "after {made} changes, {loss:?}");
                assert!(archive.document(document).unwrap().is_some(), "after {made} changes, {loss:?}");
            }
            for (document, _) in purged {
                assert!(archive.document(document).unwrap().is_none(), "after {made} changes, {loss:?}: it is back");
                let files = files_below(&place.join("documents"));
                assert!(!files.iter().any(|file| file.ends_with(document.as_str())), "after {made} changes, {loss:?}");
            }
            let left = whole_journal(&place);
            assert!(left.starts_with(journal), "after {made} changes, {loss:?}: acknowledged records are gone");
            // It goes on from there.
            assert!(archive.accept(arrival(b"seven", "seven")).unwrap().first);
        }
    }
}
