//! The archive's promises, with the faults that test them.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{Seek, Write};
use std::os::unix::fs::{FileExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering;

use tempfile::TempDir;

use super::disk::{Disk, Done, Operation, faults};
use super::event::{Event, Stage};
use super::fact::Fact;
use super::*;
use crate::document::{DocumentFormat, DocumentId, Reading, Receipt};
use crate::queue::item::{ItemId, ItemState, QueueItem};

/// What the configuration has by default.
pub(super) fn options() -> OpenOptions {
    OpenOptions::new(AtRest::Sealed(KeyPlace::Beside))
}

const CASES_LOADED: Fact = Fact::CasesLoaded {};

fn open(state: &TempDir) -> Archive {
    Archive::open(state.path(), &options()).unwrap()
}

fn receipt(file: &str) -> Receipt {
    let receipt = Receipt::new("secure-fax", file, "2026-03-16T09:12:00-04:00".parse().unwrap());
    Receipt { sender: Some("6175550134".to_owned()), reported_pages: Some(2), ..receipt }
}

pub(super) fn arrival(bytes: &[u8], key: &str) -> Arrival {
    Arrival { content: Content::Bytes(bytes.to_vec()), receipt: receipt(key), source_key: key.to_owned() }
}

pub(super) fn item(document: &DocumentId, segment: u32) -> QueueItem {
    let mut item = QueueItem::held(document, &receipt("0042.tif"), "");
    item.id = ItemId::new(document, segment);
    item.flags.clear();
    item.state = ItemState::Open;
    item.lane = "um".to_owned();
    item
}

pub(super) fn resolved(item: ItemId) -> Event {
    Event::Resolved { item, by: "nurse".to_owned(), disposition: "done".to_owned(), case_id: None, note: None }
}

/// Three documents (queued with two items, held, waiting), a repeated arrival, a refusal, a resolved item.
pub(super) fn fill(archive: &Archive) -> [DocumentId; 3] {
    let [queued, held, waiting] =
        ["one", "two", "three"].map(|text| archive.accept(arrival(text.as_bytes(), text)).unwrap().document);
    archive.accept(arrival(b"one", "one again")).unwrap();
    archive.record(Event::SourceReleased { document: queued.clone(), source_key: "one".to_owned() }).unwrap();
    let items = vec![item(&queued, 1), item(&queued, 2)];
    archive.record(Event::Queued { document: queued.clone(), items }).unwrap();
    archive.record(resolved(ItemId::new(&queued, 2))).unwrap();
    archive
        .record(Event::Held { document: held.clone(), reason: "unreadable".to_owned(), stage: Stage::Read, mail: None })
        .unwrap();
    let refused = Event::Refused {
        source: "secure-fax".to_owned(),
        source_file: "link.tif".to_owned(),
        reason: "a link".to_owned(),
        key: "link".to_owned(),
    };
    archive.record(refused).unwrap();
    [queued, held, waiting]
}

/// All that the archive answers, as text.
pub(super) fn answers(archive: &Archive) -> String {
    use std::fmt::Write;
    let mut text = format!("{:?} {:?} {:?}\n", archive.counts(), archive.refused().unwrap(), archive.held().unwrap());
    for item in archive.all_items() {
        let item = item.unwrap();
        let resolution = archive.resolution(&item.id).unwrap();
        writeln!(text, "{} {resolution:?}", serde_json::to_string(&item).unwrap()).unwrap();
    }
    for id in archive.waiting().unwrap() {
        writeln!(text, "{:?}", archive.document(&id).unwrap()).unwrap();
    }
    text
}

fn journal_file(state: &TempDir) -> PathBuf {
    state.path().join("journal/00000001.log")
}

pub(super) fn document_file(state: &TempDir, id: &DocumentId) -> PathBuf {
    state.path().join("documents").join(id.as_str().get(..1).unwrap()).join(id.as_str())
}

fn write(path: &Path, bytes: &[u8]) {
    File::create(path).unwrap().write_all(bytes).unwrap();
}

pub(super) fn flip(path: &Path, offset: u64) {
    fs::set_permissions(path, fs::Permissions::from_mode(0o600)).unwrap();
    let file = File::options().read(true).write(true).open(path).unwrap();
    let mut byte = [0];
    file.read_exact_at(&mut byte, offset).unwrap();
    file.write_all_at(&[byte[0] ^ 0x04], offset).unwrap();
}

/// Every file below a folder.
pub(super) fn files_below(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() { files.extend(files_below(&path)) } else { files.push(path) }
    }
    files
}

pub(super) fn copy_state(from: &Path) -> TempDir {
    fn copy(from: &Path, to: &Path) {
        for entry in fs::read_dir(from).unwrap() {
            let path = entry.unwrap().path();
            let target = to.join(path.file_name().unwrap());
            if path.is_dir() {
                fs::create_dir(&target).unwrap();
                copy(&path, &target);
            } else {
                fs::copy(&path, &target).unwrap();
            }
        }
    }
    let state = TempDir::new().unwrap();
    fs::set_permissions(state.path(), fs::Permissions::from_mode(0o700)).unwrap();
    copy(from, state.path());
    state
}

#[test]
fn everything_is_the_same_after_a_restart_and_after_a_rebuild() {
    let state = TempDir::new().unwrap();
    let archive = open(&state);
    let [queued, held, waiting] = fill(&archive);
    let before = answers(&archive);
    assert_eq!(
        answers(&Archive::look(state.path(), &options().at_rest).unwrap()),
        before,
        "a look from outside sees the same"
    );
    drop(archive);
    let archive = open(&state);
    assert_eq!(answers(&archive), before);
    assert!(!state.path().join("index.broken-9").exists());
    drop(archive);
    let archive = Archive::rebuild(state.path(), &options()).unwrap();
    assert_eq!(answers(&archive), before);

    assert_eq!(archive.read_document(&queued).unwrap(), b"one");
    assert_eq!(archive.waiting().unwrap(), [waiting]);
    let counts = Counts { documents: 3, waiting: 1, held: 1, unresolved_items: 2, items: 3, refused: 1, records: 9 };
    assert_eq!(archive.counts(), counts);
    let state_of_held = archive.document(&held).unwrap().unwrap();
    assert!(matches!(state_of_held.status, Status::Held { reason, stage: Stage::Read, .. } if reason == "unreadable"));
    let shown = archive.item(&ItemId::new(&held, 1)).unwrap().unwrap();
    assert_eq!((shown.state, shown.flags), (ItemState::Held, vec!["held: unreadable".to_owned()]));
    let open: Vec<String> = archive.items().map(|item| item.unwrap().id.to_string()).collect();
    assert_eq!(open, [ItemId::new(&queued, 1).to_string(), ItemId::new(&held, 1).to_string()]);
    assert_eq!(archive.item(&ItemId::new(&queued, 2)).unwrap().unwrap().state, ItemState::Resolved);
}

#[test]
fn the_same_bytes_twice_are_one_document_with_two_arrivals() {
    let state = TempDir::new().unwrap();
    let archive = open(&state);
    let first = archive.accept(arrival(b"fax", "a.tif")).unwrap();
    let second = archive.accept(arrival(b"fax", "b.tif")).unwrap();
    assert_eq!((first.first, second.first, first.document == second.document), (true, false, true));
    let known = archive.document(&first.document).unwrap().unwrap();
    let files: Vec<&str> = known.receipts.iter().map(|receipt| receipt.source_file.as_str()).collect();
    assert_eq!(files, ["a.tif", "b.tif"]);
    assert_eq!(archive.counts().documents, 1);
}

#[test]
fn a_source_seen_again_before_its_release_is_the_same_arrival() {
    let state = TempDir::new().unwrap();
    let archive = open(&state);
    let document = archive.accept(arrival(b"fax", "a.tif")).unwrap().document;
    drop(archive);
    let archive = open(&state);
    assert!(!archive.accept(arrival(b"fax", "a.tif")).unwrap().first);
    assert_eq!(archive.document(&document).unwrap().unwrap().receipts.len(), 1);
    archive.record(Event::SourceReleased { document: document.clone(), source_key: "a.tif".to_owned() }).unwrap();
    archive.accept(arrival(b"fax", "a.tif")).unwrap();
    assert_eq!(archive.document(&document).unwrap().unwrap().receipts.len(), 2);
}

#[test]
fn the_same_document_accepted_by_many_at_once_is_stored_once() {
    let state = TempDir::new().unwrap();
    let archive = open(&state);
    let accepted: Vec<Accepted> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..16)
            .map(|n| {
                let archive = archive.clone();
                scope.spawn(move || archive.accept(arrival(b"fax", &format!("{n}.tif"))).unwrap())
            })
            .collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    assert_eq!(accepted.iter().filter(|accepted| accepted.first).count(), 1);
    let known = archive.document(&accepted[0].document).unwrap().unwrap();
    assert_eq!(known.receipts.len(), 16);
    assert_eq!(fs::read_dir(state.path().join("tmp")).unwrap().count(), 0, "no draft stays");
}

#[test]
fn a_file_is_accepted_without_being_held_in_memory_and_is_sealed() {
    let state = TempDir::new().unwrap();
    let archive = open(&state);
    let bytes = vec![7; 300_000];
    let mut source = tempfile::tempfile().unwrap();
    source.write_all(&bytes).unwrap();
    source.rewind().unwrap();
    let from_file = Arrival { content: Content::Stream(Box::new(source)), ..arrival(b"", "a.tif") };
    let document = archive.accept(from_file).unwrap().document;
    assert_eq!(document, archive.name(&bytes));
    assert_eq!(archive.read_document(&document).unwrap(), bytes);
    let mode = fs::metadata(document_file(&state, &document)).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o400);
    assert_eq!(fs::metadata(state.path().join("documents")).unwrap().permissions().mode() & 0o777, 0o700);
}

#[test]
fn a_torn_tail_is_cut_at_every_byte_of_the_last_record() {
    let folder = TempDir::new().unwrap();
    let file = folder.path().join("00000001.log");
    let event = Event::CasesLoaded { digest: "d".to_owned(), cases: 3 };
    let mut opened = journal::Journal::open(Disk::default(), folder.path(), &Vault::Plain, 0).unwrap().journal;
    let mut ends = Vec::new();
    for _ in 0..3 {
        opened.prepare(&event, &CASES_LOADED, crate::clock::now()).unwrap();
        opened.commit().unwrap();
        ends.push(fs::metadata(&file).unwrap().len() as usize);
    }
    let whole = fs::read(&file).unwrap();
    for cut in ends[1]..ends[2] {
        write(&file, &whole[..cut]);
        let mut again = journal::Journal::open(Disk::default(), folder.path(), &Vault::Plain, 0).unwrap();
        assert_eq!((again.journal.head().sequence, again.torn), (2, cut - ends[1]));
        assert_eq!(fs::read(&file).unwrap(), &whole[..ends[1]]);
        again.journal.prepare(&event, &CASES_LOADED, crate::clock::now()).unwrap();
        again.journal.commit().unwrap();
        assert_eq!(rebuild::check_chain(folder.path()).unwrap().0.sequence, 3, "cut at {cut}");
    }
}

#[test]
fn a_document_whose_record_is_torn_away_is_received_again_whether_or_not_the_index_knew_it() {
    let original = TempDir::new().unwrap();
    let archive = open(&original);
    archive.accept(arrival(b"one", "one")).unwrap();
    let whole = fs::metadata(journal_file(&original)).unwrap().len();
    let lost = archive.accept(arrival(b"two", "two")).unwrap().document;
    let end = fs::metadata(journal_file(&original)).unwrap().len();
    drop(archive);
    for cut in (whole..end).step_by(61).chain([end - 1]) {
        for with_index in [true, false] {
            let state = copy_state(original.path());
            File::options().write(true).open(journal_file(&state)).unwrap().set_len(cut).unwrap();
            if !with_index {
                fs::remove_dir_all(state.path().join("index")).unwrap();
            } else if cut > whole {
                // The index knows that this is no leftover; what a person does without a copy of it.
                assert!(matches!(
                    Archive::open(state.path(), &options()).map(|_| ()),
                    Err(ArchiveError::JournalDamaged { .. })
                ));
                fs::rename(state.path().join("index"), state.path().join("index.moved")).unwrap();
            }
            let archive = open(&state);
            let known = archive.document(&lost).unwrap().unwrap();
            assert_eq!(known.receipts[0].source, RECOVERED_SOURCE, "cut at {cut}");
            drop(archive);
            let report = verify(state.path(), &options(), None).unwrap();
            let told = usize::from(with_index && cut == whole);
            assert!(report.problems.len() == told && report.index_checked, "cut at {cut}: {:?}", report.problems);
            assert!(report.unrecorded.is_empty(), "cut at {cut}");
        }
    }
}

/// Cuts the last records off a filled state directory's journal; gives how many are left.
fn lose_records(state: &TempDir, lost: usize) -> u64 {
    let journal = fs::read(journal_file(state)).unwrap();
    let lines: Vec<&[u8]> = journal.split_inclusive(|&byte| byte == b'\n').collect();
    let left = &lines[..lines.len() - lost];
    write(&journal_file(state), &left.concat());
    left.len() as u64
}

/// What verify says, as text.
fn verified(state: &TempDir) -> Vec<String> {
    let report = verify(state.path(), &options(), None).unwrap();
    report.problems.iter().map(ToString::to_string).collect()
}

fn audited(state: &TempDir) -> Vec<String> {
    let mut lines = Vec::new();
    let filter = AuditFilter::default();
    let trail = Trail::open(state.path(), &options().at_rest, &filter).unwrap();
    trail.tell(|line| lines.push(line.what)).unwrap();
    lines
}

#[test]
fn records_lost_from_the_journals_end_are_recorded_and_reported_until_a_person_moves_the_proof_away() {
    let original = TempDir::new().unwrap();
    fill(&open(&original));
    for lost in [1, 2, 5] {
        let state = copy_state(original.path());
        let left = lose_records(&state, lost);
        let (from, to) = (left + 1, left + lost as u64);
        drop(open(&state));
        let proof = state.path().join(format!("index.lost-{from}-{to}"));
        assert!(proof.is_dir());
        // Told again and again, recorded once.
        for _ in 0..2 {
            let told = verified(&state);
            assert_eq!(told.len(), 1, "{told:?}");
            assert!(told[0].starts_with(&format!("records {from} to {to} were lost")), "{told:?}");
            assert!(told[0].contains(proof.to_str().unwrap()), "{told:?}");
            drop(open(&state));
        }
        // Nor does making the index anew forget it.
        drop(Archive::rebuild(state.path(), &options()).unwrap());
        assert_eq!(verified(&state).len(), 1);
        fs::remove_dir_all(&proof).unwrap();
        assert!(verified(&state).is_empty());
        let tells = format!("found records {from} to {to} lost");
        assert_eq!(audited(&state).iter().filter(|what| what.starts_with(&tells)).count(), 1);
    }
}

#[test]
fn a_journal_restored_after_a_loss_is_well_again() {
    let state = TempDir::new().unwrap();
    let archive = open(&state);
    fill(&archive);
    let before = answers(&archive);
    drop(archive);
    let backup = fs::read(journal_file(&state)).unwrap();
    lose_records(&state, 2);
    drop(open(&state));
    assert_eq!(verified(&state).len(), 1);
    write(&journal_file(&state), &backup);
    let archive = open(&state);
    assert_eq!(answers(&archive), before);
    drop(archive);
    assert!(verified(&state).is_empty());
}

#[test]
fn a_start_killed_after_it_recorded_a_loss_keeps_the_proof_at_the_next_one() {
    let original = TempDir::new().unwrap();
    fill(&open(&original));
    for lost in [1, 2] {
        let state = copy_state(original.path());
        let left = lose_records(&state, lost);
        let index = copy_state(state.path());
        drop(open(&state));
        // The record is there; what came after it never happened.
        let journal = fs::read(journal_file(&state)).unwrap();
        let lines: Vec<&[u8]> = journal.split_inclusive(|&byte| byte == b'\n').collect();
        write(&journal_file(&index), &lines[..=left as usize].concat());
        drop(open(&index));
        let told = verified(&index);
        assert_eq!(told.len(), 1, "{told:?}");
        assert!(told[0].starts_with(&format!("records {} to {}", left + 1, left + lost as u64)), "{told:?}");
        assert_eq!(audited(&index).iter().filter(|what| what.starts_with("found records")).count(), 1);
    }
}

#[test]
fn a_start_killed_before_it_received_the_documents_of_lost_records_again_does_so_at_the_next_one() {
    let state = TempDir::new().unwrap();
    let archive = open(&state);
    archive.accept(arrival(b"one", "one")).unwrap();
    let lost = archive.accept(arrival(b"two", "two")).unwrap().document;
    drop(archive);
    lose_records(&state, 1);
    drop(open(&state));
    // The loss is recorded and the index made anew; what came after it never happened.
    let journal = fs::read(journal_file(&state)).unwrap();
    let lines: Vec<&[u8]> = journal.split_inclusive(|&byte| byte == b'\n').collect();
    write(&journal_file(&state), &lines[..2].concat());
    fs::remove_dir_all(state.path().join("index")).unwrap();
    let vault = keys::look(state.path(), &options().at_rest).unwrap();
    let key = vault.keys().map(vault::Keys::index);
    let index = Index::open(&state.path().join("index"), Duration::from_secs(20), key).unwrap();
    rebuild::replay(&state.path().join("journal"), &vault, &index, None, |_, _| Ok(())).unwrap();
    index.hand_over().unwrap();
    drop(index);
    assert!(open(&state).document(&lost).unwrap().is_some());
}

#[test]
fn damage_to_the_end_of_the_last_record_is_named_and_never_cut_away_where_the_index_knows_the_record() {
    let state = TempDir::new().unwrap();
    fill(&open(&state));
    let whole = fs::read(journal_file(&state)).unwrap();
    let start = whole[..whole.len() - 1].iter().rposition(|&byte| byte == b'\n').unwrap() + 1;
    let records = whole.split_inclusive(|&byte| byte == b'\n').count() as u64;
    flip(&journal_file(&state), whole.len() as u64 - 1);
    let damaged = fs::read(journal_file(&state)).unwrap();
    let place = |error: &ArchiveError| {
        let ArchiveError::JournalDamaged { offset, sequence, .. } = error else { panic!("{error}") };
        (*offset, *sequence)
    };
    for opened in [Archive::open(state.path(), &options()), Archive::rebuild(state.path(), &options())] {
        assert_eq!(place(&opened.map(|_| ()).unwrap_err()), (start as u64, records));
        assert_eq!(fs::read(journal_file(&state)).unwrap(), damaged);
    }
    let report = verify(state.path(), &options(), None).unwrap();
    assert!(
        matches!(&report.problems[..], [Problem::Journal(error)] if place(error) == (start as u64, records)),
        "{:?}",
        report.problems
    );
    // Where nobody knows that it had been acknowledged, it is a leftover of a crash.
    fs::remove_dir_all(state.path().join("index")).unwrap();
    drop(open(&state));
    assert!(fs::read(journal_file(&state)).unwrap().starts_with(&whole[..start]));
    assert!(verified(&state).is_empty());
}

#[test]
fn a_rebuild_of_a_journal_that_has_lost_its_end_or_all_of_itself_loses_no_document() {
    let original = TempDir::new().unwrap();
    let archive = open(&original);
    archive.accept(arrival(b"one", "one")).unwrap();
    let whole = fs::metadata(journal_file(&original)).unwrap().len();
    archive.accept(arrival(b"two", "two")).unwrap();
    archive.accept(arrival(b"three", "three")).unwrap();
    drop(archive);
    for length in [whole, 0] {
        let state = copy_state(original.path());
        File::options().write(true).open(journal_file(&state)).unwrap().set_len(length).unwrap();
        let report = verify(state.path(), &options(), None).unwrap();
        let told: Vec<String> = report.problems.iter().map(ToString::to_string).collect();
        assert!(told.iter().any(|problem| problem.contains("the journal has lost")), "{told:?}");
        let archive = Archive::rebuild(state.path(), &options()).unwrap();
        assert_eq!(archive.counts().documents, 3);
        assert_eq!(archive.waiting().unwrap().len(), 3);
    }
}

#[test]
fn a_block_of_zeros_at_the_end_is_a_torn_tail() {
    let state = TempDir::new().unwrap();
    let archive = open(&state);
    fill(&archive);
    let before = answers(&archive);
    drop(archive);
    let mut journal = fs::read(journal_file(&state)).unwrap();
    journal.extend([0; 4096]);
    write(&journal_file(&state), &journal);
    assert_eq!(answers(&open(&state)), before);
}

#[test]
fn a_flip_anywhere_in_the_journal_is_named_and_nothing_is_cut_away() {
    let state = TempDir::new().unwrap();
    let archive = open(&state);
    fill(&archive);
    drop(archive);
    let journal = fs::read(journal_file(&state)).unwrap();
    let mut start = 0;
    let lines: Vec<&[u8]> = journal.split_inclusive(|&byte| byte == b'\n').collect();
    for (number, line) in (1..).zip(&lines) {
        // A digit of the digest, the sequence, the event; the last record too.
        for within in [3, 80, line.len() - 10] {
            write(&journal_file(&state), &journal);
            flip(&journal_file(&state), (start + within) as u64);
            let damaged = fs::read(journal_file(&state)).unwrap();
            match Archive::open(state.path(), &options()).map(|_| ()) {
                Err(ArchiveError::JournalDamaged { path, offset, sequence, .. }) => {
                    assert_eq!((offset, sequence), (start as u64, number));
                    assert_eq!(path, journal_file(&state));
                }
                other => panic!("record {number}: {other:?}"),
            }
            assert_eq!(fs::read(journal_file(&state)).unwrap(), damaged);
            let report = verify(state.path(), &options(), None).unwrap();
            assert!(matches!(&report.problems[..], [Problem::Journal(ArchiveError::JournalDamaged { .. })]));
        }
        start += line.len();
    }
}

#[test]
fn a_record_taken_out_or_put_elsewhere_breaks_the_chain() {
    let state = TempDir::new().unwrap();
    let archive = open(&state);
    fill(&archive);
    drop(archive);
    let journal = fs::read(journal_file(&state)).unwrap();
    let mut lines: Vec<&[u8]> = journal.split_inclusive(|&byte| byte == b'\n').collect();
    lines.remove(3);
    write(&journal_file(&state), &lines.concat());
    let refused = Archive::open(state.path(), &options()).map(|_| ());
    assert!(matches!(refused, Err(ArchiveError::JournalDamaged { sequence: 4, .. })), "{refused:?}");
}

#[test]
fn the_journal_goes_on_over_segments() {
    let folder = TempDir::new().unwrap();
    let event = Event::CasesLoaded { digest: "d".to_owned(), cases: 3 };
    let disk = Disk::default();
    disk.segment_bytes.store(600, Ordering::Relaxed);
    let mut opened = journal::Journal::open(disk, folder.path(), &Vault::Plain, 0).unwrap().journal;
    for _ in 0..10 {
        opened.begin_group().unwrap();
        opened.prepare(&event, &CASES_LOADED, crate::clock::now()).unwrap();
        opened.commit().unwrap();
    }
    let segments = journal::segments(folder.path()).unwrap();
    assert!(segments.len() > 2, "{segments:?}");
    let (head, torn) = rebuild::check_chain(folder.path()).unwrap();
    assert_eq!((head.sequence, torn), (10, 0));
    // A crash right after a segment was made, or in the midst of its first write.
    for left in [b"".as_slice(), b"0123456789abcdef {\"v\":2,", &[0; 700]] {
        write(&folder.path().join(format!("{:08}.log", segments.len() + 1)), left);
        let again = journal::Journal::open(Disk::default(), folder.path(), &Vault::Plain, 0).unwrap();
        assert_eq!((again.journal.head(), again.torn), (&head, left.len()));
    }
    fs::remove_file(folder.path().join("00000002.log")).unwrap();
    assert!(matches!(rebuild::check_chain(folder.path()), Err(ArchiveError::JournalDamaged { .. })));
}

/// What is done to a copy of the state directory, with its name.
type Damage = (String, Box<dyn Fn(&Path)>);

/// Opening a pipe to read waits for ever for a writer, and nothing can be written at a place in it.
#[test]
fn an_index_that_hangs_as_it_opens_or_takes_nothing_in_is_set_aside_and_made_anew() {
    for file in ["index/conf", "index/db"] {
        let state = TempDir::new().unwrap();
        let archive = open(&state);
        fill(&archive);
        let before = answers(&archive);
        drop(archive);
        let pipe = state.path().join(file);
        fs::remove_file(&pipe).unwrap();
        let mode = rustix::fs::Mode::from_raw_mode(0o600);
        rustix::fs::mknodat(rustix::fs::CWD, &pipe, rustix::fs::FileType::Fifo, mode, 0).unwrap();
        let opened = Index::open(&state.path().join("index"), Duration::from_secs(3), None).map(|_| ());
        assert!(matches!(opened, Err(index::Fault::NoFile(name)) if file.ends_with(&name)));
        let options = OpenOptions { index_deadline: Duration::from_secs(3), ..options() };
        let archive = Archive::open(state.path(), &options).unwrap();
        assert_eq!(answers(&archive), before, "{file}");
        assert!(pipe.is_file(), "{file}: the index was not made anew");
        let aside = |name: &str| name.starts_with("index.broken-");
        let mut names = fs::read_dir(state.path()).unwrap().map(|entry| entry.unwrap().file_name());
        assert!(names.any(|name| aside(name.to_str().unwrap())), "{file}: the old index is kept aside");
    }
}

/// The store waits a second for whoever holds its lock.
#[test]
fn an_index_that_does_not_open_within_its_deadline_is_given_up_and_made_anew() {
    let state = TempDir::new().unwrap();
    let archive = open(&state);
    fill(&archive);
    let before = answers(&archive);
    drop(archive);
    let held = File::open(state.path().join("index/db")).unwrap();
    rustix::fs::flock(&held, rustix::fs::FlockOperation::LockExclusive).unwrap();
    let deadline = Duration::from_millis(20);
    let opened = Index::open(&state.path().join("index"), deadline, None).map(|_| ());
    assert!(matches!(opened, Err(index::Fault::Hangs(given)) if given == deadline), "{opened:?}");
    assert_eq!(answers(&open(&state)), before);
    let mut names = fs::read_dir(state.path()).unwrap().map(|entry| entry.unwrap().file_name());
    assert!(names.any(|name| name.to_str().unwrap().starts_with("index.broken-")), "the old index is kept aside");
}

#[test]
fn whatever_happens_to_the_index_files_the_answers_are_the_same() {
    let original = TempDir::new().unwrap();
    let archive = open(&original);
    fill(&archive);
    let before = answers(&archive);
    drop(archive);
    let files = files_below(&original.path().join("index"));
    let names: Vec<PathBuf> = files.iter().map(|p| p.strip_prefix(original.path()).unwrap().to_owned()).collect();
    assert!(!names.is_empty());
    let mut damages: Vec<Damage> = Vec::new();
    for name in names {
        let length = fs::metadata(original.path().join(&name)).unwrap().len();
        for offset in (0..length).step_by((length as usize / 12).max(1)) {
            let name = name.clone();
            damages.push((
                format!("{} flipped at {offset}", name.display()),
                Box::new(move |state| {
                    flip(&state.join(&name), offset);
                }),
            ));
        }
        let cut = name.clone();
        damages.push((
            format!("{} cut", name.display()),
            Box::new(move |state| {
                File::options().write(true).open(state.join(&cut)).unwrap().set_len(length / 2).unwrap();
            }),
        ));
        let emptied = name.clone();
        damages.push((
            format!("{} emptied", name.display()),
            Box::new(move |state| {
                File::options().write(true).open(state.join(&emptied)).unwrap().set_len(0).unwrap();
            }),
        ));
        let garbage = name.clone();
        damages.push((
            format!("{} garbage", name.display()),
            Box::new(move |state| {
                write(&state.join(&garbage), &vec![0xa5; length as usize]);
            }),
        ));
        let gone = name.clone();
        damages.push((
            format!("{} deleted", name.display()),
            Box::new(move |state| {
                fs::remove_file(state.join(&gone)).unwrap();
            }),
        ));
    }
    damages.push(("all deleted".to_owned(), Box::new(|state| fs::remove_dir_all(state.join("index")).unwrap())));
    damages.push((
        "half a snapshot".to_owned(),
        Box::new(|state| {
            write(&state.join("index/snap.00000000000000FF.generating"), b"x");
        }),
    ));
    let options = OpenOptions { index_deadline: Duration::from_secs(5), ..options() };
    for (what, damage) in damages {
        let state = copy_state(original.path());
        damage(state.path());
        let archive = Archive::open(state.path(), &options).unwrap_or_else(|e| panic!("{what}: {e}"));
        assert_eq!(answers(&archive), before, "{what}");
    }
}

#[test]
fn an_index_that_says_other_than_the_journal_is_made_again() {
    let (ours, other) = (TempDir::new().unwrap(), TempDir::new().unwrap());
    let archive = open(&ours);
    fill(&archive);
    let before = answers(&archive);
    drop(archive);
    let archive = open(&other);
    for n in 0..9 {
        archive.accept(arrival(&[n], &n.to_string())).unwrap();
    }
    drop(archive);
    let mixed = copy_state(ours.path());
    fs::remove_dir_all(mixed.path().join("index")).unwrap();
    let from = copy_state(other.path());
    fs::rename(from.path().join("index"), mixed.path().join("index")).unwrap();
    let archive = open(&mixed);
    assert_eq!(answers(&archive), before);
    let kept = fs::read_dir(mixed.path()).unwrap();
    let kept = kept.filter(|e| e.as_ref().unwrap().file_name().to_string_lossy().starts_with("index.broken-"));
    assert_eq!(kept.count(), 1);
}

#[test]
fn an_index_that_lost_an_entry_without_a_word_is_made_again() {
    let state = TempDir::new().unwrap();
    let archive = open(&state);
    let [_, _, waiting] = fill(&archive);
    let before = answers(&archive);
    archive.inner.index.lose(&apply::document_key(waiting.as_str()));
    drop(archive);
    assert!(verified(&state).iter().any(|problem| problem.contains("does not hold what it says")));
    assert_eq!(answers(&open(&state)), before);
    assert!(verified(&state).is_empty());
}

#[test]
fn an_index_left_behind_by_a_crash_catches_up() {
    let state = TempDir::new().unwrap();
    let archive = open(&state);
    archive.accept(arrival(b"zero", "zero")).unwrap();
    drop(archive);
    let old = copy_state(state.path());
    let archive = open(&state);
    fill(&archive);
    let before = answers(&archive);
    drop(archive);
    fs::remove_dir_all(state.path().join("index")).unwrap();
    fs::rename(old.path().join("index"), state.path().join("index")).unwrap();
    assert_eq!(answers(&open(&state)), before);
}

#[test]
fn a_second_open_is_refused_and_names_the_process() {
    let state = TempDir::new().unwrap();
    let archive = open(&state);
    let refused = Archive::open(state.path(), &options()).map(|_| ()).unwrap_err();
    assert!(refused.to_string().contains(&format!("process {}", std::process::id())), "{refused}");
    assert!(refused.is_fatal());
    drop(archive);
    open(&state);
}

#[test]
fn a_state_directory_that_others_may_read_is_refused_with_the_remedy() {
    let state = TempDir::new().unwrap();
    fs::set_permissions(state.path(), fs::Permissions::from_mode(0o755)).unwrap();
    drop(open(&state));
    let mode = fs::metadata(state.path()).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o700, "an empty one is made private");
    fs::set_permissions(state.path(), fs::Permissions::from_mode(0o755)).unwrap();
    let refused = Archive::open(state.path(), &options()).map(|_| ()).unwrap_err();
    assert!(refused.to_string().contains("chmod 700"), "{refused}");
}

#[test]
fn a_state_directory_that_cannot_be_made_is_named() {
    let folder = TempDir::new().unwrap();
    let file = folder.path().join("file");
    write(&file, b"");
    let refused = Archive::open(&file.join("state"), &options()).map(|_| ()).unwrap_err();
    assert!(matches!(refused, ArchiveError::StateDirectory { .. }), "{refused}");
}

#[test]
fn a_state_directory_without_its_journal_is_refused() {
    let state = TempDir::new().unwrap();
    fill(&open(&state));
    fs::remove_dir_all(state.path().join("journal")).unwrap();
    let refused = Archive::open(state.path(), &options()).map(|_| ()).unwrap_err();
    assert!(matches!(refused, ArchiveError::JournalMissing { .. }), "{refused}");
}

#[test]
fn verify_finds_a_changed_and_a_missing_document_and_changes_nothing() {
    let state = TempDir::new().unwrap();
    let archive = open(&state);
    let [changed, missing, _] = fill(&archive);
    let beside = verify(state.path(), &options(), None).unwrap();
    assert!(beside.problems.is_empty() && !beside.index_checked && beside.documents == 3);
    drop(archive);
    flip(&document_file(&state, &changed), vault::HEADER as u64 + 30);
    fs::remove_file(document_file(&state, &missing)).unwrap();
    let report = verify(state.path(), &options(), None).unwrap();
    assert!(report.index_checked);
    assert_eq!(report.problems.len(), 2);
    assert!(report.problems.iter().any(|p| matches!(p, Problem::Changed { document } if *document == changed)));
    assert!(report.problems.iter().any(|p| matches!(p, Problem::Missing { document } if *document == missing)));
    let archive = open(&state);
    assert!(matches!(archive.read_document(&changed), Err(ArchiveError::DocumentDamaged { .. })));
    archive.accept(arrival(b"two", "two once more")).unwrap();
    assert_eq!(archive.read_document(&missing).unwrap(), b"two", "a document that comes again heals");
}

#[test]
fn verify_beside_a_daemon_compares_what_the_daemon_says_of_its_index() {
    let state = TempDir::new().unwrap();
    let archive = open(&state);
    fill(&archive);
    let told = archive.index_summary().unwrap();
    assert_eq!(told.as_ref(), Some(&archive.inner.index.summary()));
    // What comes after it was told does no harm.
    archive.accept(arrival(b"later", "later")).unwrap();
    let report = verify(state.path(), &options(), told).unwrap();
    assert!(report.index_checked && report.in_use && report.problems.is_empty(), "{report:?}");

    // An entry that no record accounts for, in an index that believes it.
    let head = archive.inner.index.summary();
    let stray: index::Changes = [(b"zstray".to_vec(), Some(b"1".to_vec()))].into_iter().collect();
    archive.inner.index.commit(&stray, &head.head, head.at.unwrap()).unwrap();
    let told = archive.index_summary().unwrap();
    let report = verify(state.path(), &options(), told).unwrap();
    assert!(matches!(report.problems.as_slice(), [Problem::Index { .. }]), "{report:?}");
}

#[test]
fn a_full_disk_refuses_cleanly_at_every_write_and_goes_on_when_there_is_room() {
    for after in 0.. {
        let state = TempDir::new().unwrap();
        let disk = Disk::default();
        let archive = Archive::open_on(disk.clone(), state.path(), &options()).unwrap();
        archive.accept(arrival(b"one", "one")).unwrap();
        disk.faults.plan(Operation::Write, after, faults::NO_SPACE);
        let outcome = archive.accept(arrival(b"two", "two"));
        if disk.faults.pending() {
            outcome.unwrap();
            assert!(after >= 3, "making, filling and recording are three writes");
            break;
        }
        assert_eq!(outcome.unwrap_err().remedy(), Remedy::TryAgain);
        assert_eq!(fs::read_dir(state.path().join("tmp")).unwrap().count(), 0, "no draft stays");
        assert_eq!(archive.counts().documents, 1);
        let second = archive.accept(arrival(b"two", "two")).unwrap();
        assert!(second.first);
        drop(archive);
        let report = verify(state.path(), &options(), None).unwrap();
        assert!(report.problems.is_empty() && report.documents == 2, "{report:?}");
    }
}

#[test]
fn a_journal_write_that_fails_half_way_leaves_nothing_behind() {
    for errno in [faults::NO_SPACE, faults::INPUT_OUTPUT] {
        let state = TempDir::new().unwrap();
        let disk = Disk::default();
        let archive = Archive::open_on(disk.clone(), state.path(), &options()).unwrap();
        let document = archive.accept(arrival(b"one", "one")).unwrap().document;
        let before = fs::read(journal_file(&state)).unwrap();
        disk.faults.plan(Operation::Write, 0, errno);
        let held = || Event::Held {
            document: document.clone(),
            reason: "unreadable".to_owned(),
            stage: Stage::Read,
            mail: None,
        };
        assert!(matches!(archive.record(held()), Err(ArchiveError::WriteFailed { .. })));
        assert!(fs::read(journal_file(&state)).unwrap() == before, "half a record stays");
        assert_eq!(archive.counts().held, 0);
        archive.record(held()).unwrap();
        drop(archive);
        assert!(verified(&state).is_empty());
    }
}

#[test]
fn a_torn_tail_is_kept_for_good_before_it_is_cut_and_each_under_a_name_of_its_own() {
    let state = TempDir::new().unwrap();
    fill(&open(&state));
    let journal = state.path().join("journal");
    let mut kept = Vec::new();
    for tail in ["first half", "second half", "third half"] {
        File::options().append(true).open(journal_file(&state)).unwrap().write_all(tail.as_bytes()).unwrap();
        let disk = Disk::default();
        disk.record.begin();
        drop(Archive::open_on(disk.clone(), state.path(), &options()).unwrap());
        let changes = disk.record.changes();
        let at = |wanted: &dyn Fn(&Done) -> bool| changes.iter().position(wanted).unwrap();
        let is_copy = |path: &Path| path.extension().is_some_and(|extension| extension == "torn");
        let written =
            at(&|done| matches!(done, Done::Appended(path, bytes) if is_copy(path) && bytes == tail.as_bytes()));
        let synced = at(&|done| matches!(done, Done::Synced(path) if is_copy(path)));
        let named = at(&|done| matches!(done, Done::Synced(path) if *path == journal));
        let cut = at(&|done| matches!(done, Done::Cut(path, _) if *path == journal_file(&state)));
        assert!(written < synced && synced < named && named < cut, "{changes:?}");
        kept.push(tail.as_bytes().to_vec());
        let copies = files_below(&journal).into_iter().filter(|path| is_copy(path));
        let mut copies: Vec<Vec<u8>> = copies.map(|path| fs::read(path).unwrap()).collect();
        copies.sort_unstable();
        assert_eq!(copies, kept);
    }
}

#[test]
fn after_a_failed_sync_nothing_is_accepted_any_more() {
    for after in 0.. {
        let state = TempDir::new().unwrap();
        let disk = Disk::default();
        let archive = Archive::open_on(disk.clone(), state.path(), &options()).unwrap();
        disk.faults.plan(Operation::Sync, after, faults::INPUT_OUTPUT);
        let outcome = archive.accept(arrival(b"one", "one"));
        if disk.faults.pending() {
            outcome.unwrap();
            assert_eq!(after, 3, "document, its folder and journal are three syncs");
            break;
        }
        assert!(matches!(outcome, Err(ArchiveError::SyncFailed { .. })), "sync {after}");
        assert!(matches!(archive.accept(arrival(b"two", "two")), Err(ArchiveError::SyncFailed { .. })));
        drop(archive);
        // What the sync would have promised may be there or not; the archive opens and takes the document.
        open(&state).accept(arrival(b"one", "one")).unwrap();
    }
}

#[test]
fn a_fault_in_a_group_reaches_every_caller_of_it() {
    let state = TempDir::new().unwrap();
    let disk = Disk::default();
    let archive = Archive::open_on(disk.clone(), state.path(), &options()).unwrap();
    disk.faults.plan(Operation::Rename, 2, faults::NO_SPACE);
    let arrivals = (0..5u8).map(|n| arrival(&[n], &n.to_string())).collect();
    let outcomes = archive.accept_all(arrivals);
    assert!(outcomes.iter().all(|outcome| matches!(outcome, Err(ArchiveError::WriteFailed { .. }))));
    assert_eq!(archive.counts().documents, 0);
    let arrivals = (0..5u8).map(|n| arrival(&[n], &n.to_string())).collect();
    assert!(archive.accept_all(arrivals).into_iter().all(|outcome| outcome.unwrap().first));
}

#[test]
fn items_read_anew_replace_the_old_ones_but_not_what_a_person_resolved() {
    let state = TempDir::new().unwrap();
    let archive = open(&state);
    let document = archive.accept(arrival(b"fax", "a.tif")).unwrap().document;
    let queued = |items| Event::Queued { document: document.clone(), items };
    archive.record(queued(vec![item(&document, 1), item(&document, 2), item(&document, 3)])).unwrap();
    archive.record(resolved(ItemId::new(&document, 1))).unwrap();
    let mut renewed = item(&document, 1);
    renewed.lane = "cm".to_owned();
    let mut second = item(&document, 2);
    second.lane = "cm".to_owned();
    archive.record(queued(vec![renewed, second])).unwrap();
    let lanes: BTreeMap<String, (String, ItemState)> = archive
        .all_items()
        .map(|item| item.unwrap())
        .map(|item| (item.id.to_string(), (item.lane, item.state)))
        .collect();
    let expected = [
        (ItemId::new(&document, 1).to_string(), ("um".to_owned(), ItemState::Resolved)),
        (ItemId::new(&document, 2).to_string(), ("cm".to_owned(), ItemState::Open)),
    ];
    assert_eq!(lanes, BTreeMap::from(expected));
}

#[test]
fn a_retried_document_waits_again_with_its_tries_forgotten() {
    let state = TempDir::new().unwrap();
    let archive = open(&state);
    let document = archive.accept(arrival(b"fax", "a.tif")).unwrap().document;
    for attempt in 1..=3 {
        archive.record(Event::AttemptStarted { document: document.clone(), stage: Stage::Read, attempt }).unwrap();
    }
    let held = Event::Held { document: document.clone(), reason: "crashed".to_owned(), stage: Stage::Read, mail: None };
    archive.record(held).unwrap();
    assert_eq!((archive.waiting().unwrap().len(), archive.items().count()), (0, 1));
    archive.record(Event::Retried { document: document.clone(), by: "nurse".to_owned() }).unwrap();
    let known = archive.document(&document).unwrap().unwrap();
    assert_eq!((known.status, known.attempts), (Status::Waiting, 0));
    assert_eq!((archive.held().unwrap().len(), archive.items().count()), (0, 0));
}

#[test]
fn a_held_document_that_a_person_disposed_of_is_held_no_more() {
    let state = TempDir::new().unwrap();
    let archive = open(&state);
    let document = archive.accept(arrival(b"fax", "a.tif")).unwrap().document;
    let held =
        Event::Held { document: document.clone(), reason: "encrypted".to_owned(), stage: Stage::Read, mail: None };
    archive.record(held).unwrap();
    archive.record(resolved(ItemId::new(&document, 1))).unwrap();
    assert_eq!(archive.counts().held, 0);
    assert_eq!(archive.document(&document).unwrap().unwrap().status, Status::Queued);
}

#[test]
fn events_about_what_is_not_there_are_refused_and_not_recorded() {
    let state = TempDir::new().unwrap();
    let archive = open(&state);
    let nobody = DocumentId::of(b"never seen");
    let queued = Event::Queued { document: nobody.clone(), items: Vec::new() };
    assert!(matches!(archive.record(queued), Err(ArchiveError::UnknownDocument { .. })));
    assert!(matches!(archive.record(resolved(ItemId::new(&nobody, 1))), Err(ArchiveError::UnknownItem { .. })));
    let document = archive.accept(arrival(b"fax", "a.tif")).unwrap().document;
    let foreign = Event::Queued { document, items: vec![item(&nobody, 1)] };
    assert!(matches!(archive.record(foreign), Err(ArchiveError::UnknownItem { .. })));
    assert_eq!(archive.counts().records, 1);
    assert_eq!(archive.counts().items, 0);
}

#[test]
fn a_refusal_is_recorded_once_until_it_is_cleared() {
    let state = TempDir::new().unwrap();
    let archive = open(&state);
    let refused = || Event::Refused {
        source: "secure-fax".to_owned(),
        source_file: "pipe".to_owned(),
        reason: "a FIFO".to_owned(),
        key: "secure-fax/pipe".to_owned(),
    };
    archive.record(refused()).unwrap();
    archive.record(refused()).unwrap();
    assert_eq!((archive.counts().records, archive.refused().unwrap().len()), (1, 1));
    archive.record(Event::RefusalCleared { key: "secure-fax/pipe".to_owned(), by: None }).unwrap();
    assert_eq!(archive.refused().unwrap().len(), 0);
}

#[test]
fn those_who_wait_for_changes_are_told() {
    let state = TempDir::new().unwrap();
    let archive = open(&state);
    let (mut items, mut waiting) = (archive.watch_items(), archive.watch_waiting());
    items.mark_unchanged();
    waiting.mark_unchanged();
    let document = archive.accept(arrival(b"fax", "a.tif")).unwrap().document;
    assert_eq!((items.has_changed().unwrap(), waiting.has_changed().unwrap()), (false, true));
    archive.record(Event::Queued { document: document.clone(), items: vec![item(&document, 1)] }).unwrap();
    assert!(items.has_changed().unwrap());
}

#[test]
fn a_reading_that_is_not_whole_is_not_there() {
    let state = TempDir::new().unwrap();
    let archive = open(&state);
    let document = archive.accept(arrival(b"fax", "a.tif")).unwrap().document;
    assert_eq!(archive.reading(&document).unwrap(), None);
    let reading = Reading::new(DocumentFormat::Tiff, Vec::new());
    archive.put_reading(&document, &reading).unwrap();
    assert_eq!(archive.reading(&document).unwrap(), Some(reading));
    let file = files_below(&state.path().join("readings")).pop().unwrap();
    let length = fs::metadata(&file).unwrap().len();
    File::options().write(true).open(&file).unwrap().set_len(length - 5).unwrap();
    assert_eq!(archive.reading(&document).unwrap(), None);
}

#[test]
fn the_last_good_snapshot_of_the_cases_is_kept() {
    let state = TempDir::new().unwrap();
    let archive = open(&state);
    assert_eq!(archive.cases().unwrap(), None);
    archive.put_cases(b"first").unwrap();
    archive.put_cases(b"second").unwrap();
    let kept = archive.cases().unwrap().unwrap();
    assert_eq!(kept.bytes, b"second");
    assert!(kept.since.is_some());
}

#[test]
fn what_its_source_did_not_let_go_of_is_known_by_its_key_after_a_restart_and_a_rebuild() {
    let state = tempfile::tempdir().unwrap();
    let archive = open(&state);
    let [kept, gone, lost] = ["imap/um/1/7", "imap/um/1/8", "imap/um/1/9"]
        .map(|key| archive.accept(arrival(key.as_bytes(), key)).unwrap().document);
    archive.accept(arrival(b"imap/um/1/7", "imap/um/2/7")).unwrap();
    archive.record(Event::SourceReleased { document: gone, source_key: "imap/um/1/8".to_owned() }).unwrap();
    let known = vec![("7".to_owned(), kept)];
    let told = |archive: &Archive| {
        let mut told = archive.unreleased("imap/um/1/").unwrap();
        told.sort();
        told
    };
    assert_eq!(told(&archive), [known.clone(), vec![("9".to_owned(), lost.clone())]].concat());
    drop(archive);
    // It may be accepted anew.
    fs::remove_file(documents::path_in(&documents::folder(state.path()), &lost)).unwrap();
    assert_eq!(told(&open(&state)), known);
    assert_eq!(told(&Archive::rebuild(state.path(), &options()).unwrap()), known);
    assert_eq!(open(&state).unreleased("imap/um/2/").unwrap().len(), 1);
}
