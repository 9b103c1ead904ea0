//! What becomes of a document whose stored file rots: it is seen, it is said, and the same bytes coming again mend it.

use std::fs;
use std::path::Path;

use tempfile::TempDir;

use super::event::{Event, Stage};
use super::tests::{answers, arrival, copy_state, document_file, fill, flip, item, options, resolved};
use super::*;
use crate::queue::item::{ItemId, ItemState};

/// Bytes of a wrapped key, at both ends of a document's file.
const HEAD: u64 = vault::HEADER as u64;

fn open(state: &TempDir) -> Archive {
    Archive::open(state.path(), &options()).unwrap()
}

/// A state directory that holds what `fill` puts there, closed.
fn filled() -> (TempDir, [DocumentId; 3]) {
    let state = TempDir::new().unwrap();
    let documents = fill(&open(&state));
    (state, documents)
}

fn problems(state: &TempDir) -> Vec<String> {
    verify(state.path(), &options(), None).unwrap().problems.iter().map(ToString::to_string).collect()
}

/// Puts a file back from a copy.
fn restore(path: &Path, bytes: &[u8]) {
    io::Write::write_all(&mut fs::File::create(path).unwrap(), bytes).unwrap();
}

fn length(path: &Path) -> u64 {
    fs::metadata(path).unwrap().len()
}

/// `answers` without how many records there are.
fn told(archive: &Archive) -> String {
    answers(archive).replace(&format!("records: {}", archive.counts().records), "")
}

#[test]
fn bytes_that_come_again_while_the_stored_ones_rotted_are_stored_in_their_place_and_all_records_open() {
    for options in [options(), OpenOptions::plain()] {
        let state = TempDir::new().unwrap();
        let archive = Archive::open(state.path(), &options).unwrap();
        let [queued, ..] = fill(&archive);
        let file = document_file(&state, &queued);
        let middle = length(&file) / 2;
        let before = told(&archive);
        flip(&file, middle);
        assert!(archive.read_document(&queued).is_err());
        let again = archive.accept(arrival(b"one", "one again")).unwrap();
        assert!(!again.first && !again.waits);
        assert_eq!(archive.read_document(&queued).unwrap(), b"one");
        assert_eq!(told(&archive), before, "who resolved what stays known");
        drop(archive);
        assert!(verify(state.path(), &options, None).unwrap().problems.is_empty());
        let archive = Archive::rebuild(state.path(), &options).unwrap();
        assert_eq!(archive.read_document(&queued).unwrap(), b"one");
        assert_eq!(told(&archive), before);
    }
}

#[test]
fn a_repaired_document_that_was_held_for_its_damage_waits_again_and_is_to_be_announced() {
    let state = TempDir::new().unwrap();
    let archive = open(&state);
    let document = archive.accept(arrival(b"four", "four")).unwrap().document;
    let file = document_file(&state, &document);
    flip(&file, length(&file) / 2);
    let reason = archive.read_document(&document).unwrap_err().to_string();
    archive.record(Event::Held { document: document.clone(), reason, stage: Stage::Queue, mail: None }).unwrap();
    let again = archive.accept(arrival(b"four", "four again")).unwrap();
    assert_eq!((again.first, again.waits), (false, true));
    assert_eq!(archive.waiting().unwrap(), [document]);
    drop(archive);
    assert_eq!(problems(&state), [""; 0]);
    assert_eq!(verify(state.path(), &options(), None).unwrap().waiting, 1);
}

#[test]
fn one_damaged_copy_of_a_documents_key_takes_nothing_along_and_is_said() {
    let original = TempDir::new().unwrap();
    let archive = open(&original);
    let [queued, ..] = fill(&archive);
    let before = answers(&archive);
    drop(archive);
    let end = length(&document_file(&original, &queued));
    for offset in [0, 9, 50, HEAD - 1, end - HEAD, end - 1] {
        let state = copy_state(original.path());
        flip(&document_file(&state, &queued), offset);
        let archive = open(&state);
        assert_eq!(answers(&archive), before, "flipped at {offset}");
        assert_eq!(archive.read_document(&queued).unwrap(), b"one");
        drop(archive);
        let told = problems(&state);
        assert!(told.len() == 1 && told[0].contains("one of the two copies of its key"), "{told:?}");
        let archive = open(&state);
        archive.accept(arrival(b"one", "one again")).unwrap();
        drop(archive);
        assert_eq!(problems(&state), [""; 0], "flipped at {offset}");
    }
}

#[test]
fn what_a_person_resolved_before_its_records_were_lost_is_open_again_and_says_so() {
    let (state, [queued, ..]) = filled();
    let file = document_file(&state, &queued);
    for offset in [20, length(&file) - 20] {
        flip(&file, offset);
    }
    let archive = open(&state);
    let again = archive.accept(arrival(b"one", "one again")).unwrap();
    assert_eq!((again.first, again.waits), (false, true));
    let items = [1, 2].map(|segment| item(&queued, segment)).to_vec();
    archive.record(Event::Queued { document: queued.clone(), items }).unwrap();
    let flagged = |archive: &Archive| {
        let item = archive.item(&ItemId::new(&queued, 1)).unwrap().unwrap();
        assert_eq!(item.state, ItemState::Open);
        item.flags.iter().filter(|flag| flag.starts_with("resolved_before: ")).count()
    };
    assert_eq!(flagged(&archive), 1);
    drop(archive);
    assert_eq!(flagged(&Archive::rebuild(state.path(), &options()).unwrap()), 1);
}

#[test]
fn a_crash_between_a_files_replacement_and_the_record_of_it_is_made_up_by_the_next_arrival() {
    let (state, [queued, ..]) = filled();
    let file = document_file(&state, &queued);
    fs::remove_file(&file).unwrap();
    let crashed = copy_state(state.path());
    drop(open(&state).accept(arrival(b"one", "one again")).unwrap());
    fs::copy(&file, document_file(&crashed, &queued)).unwrap();
    let archive = open(&crashed);
    assert!(archive.accept(arrival(b"one", "one again")).unwrap().waits);
    drop(archive);
    assert_eq!(problems(&crashed), [""; 0]);
}

fn journal_of(state: &TempDir) -> PathBuf {
    state.path().join("journal/00000001.log")
}

#[test]
fn a_damaged_or_missing_keyring_is_made_good_from_its_copy_and_the_other_way_round() {
    let original = TempDir::new().unwrap();
    let archive = open(&original);
    fill(&archive);
    let before = answers(&archive);
    drop(archive);
    for name in ["keyring", "keyring.copy"] {
        let whole = fs::read(original.path().join(name)).unwrap();
        for offset in (0..whole.len() as u64).step_by(7).map(Some).chain([None]) {
            let state = copy_state(original.path());
            match offset {
                Some(offset) => flip(&state.path().join(name), offset),
                None => fs::remove_file(state.path().join(name)).unwrap(),
            }
            let told = problems(&state);
            assert!(told.len() == 1 && told[0].contains("keyring"), "{name} {offset:?}: {told:?}");
            assert_eq!(answers(&open(&state)), before, "{name} {offset:?}");
            assert_eq!(problems(&state), [""; 0]);
        }
    }
}

#[test]
fn the_key_is_not_blamed_for_a_damaged_keyring_and_sealed_documents_are_known_as_such() {
    let state = TempDir::new().unwrap();
    let [queued, ..] = fill(&open(&state));
    let (keyring, copy) = (state.path().join("keyring"), state.path().join("keyring.copy"));
    let text = fs::read_to_string(&keyring).unwrap();
    let fingerprint = text.find("\"key\":\"").unwrap() as u64 + 8;
    let cut = fs::read(&copy).unwrap();
    fs::File::options().write(true).open(&copy).unwrap().set_len(cut.len() as u64 / 2).unwrap();
    flip(&keyring, fingerprint);
    drop(open(&state));
    assert_eq!(problems(&state), [""; 0]);
    for path in [&keyring, &copy] {
        flip(path, text.find("\"keyring\":\"").unwrap() as u64 + 40);
    }
    let refused = Archive::open(state.path(), &options()).err().unwrap();
    assert!(matches!(refused, ArchiveError::KeyringDamaged { .. }), "{refused}");
    for path in [&keyring, &copy, &journal_of(&state)] {
        fs::remove_file(path).unwrap();
    }
    let refused = Archive::open(state.path(), &options()).err().unwrap();
    assert!(matches!(refused, ArchiveError::KeyringMissing { .. }), "{refused}");
    let refused = Archive::open(state.path(), &OpenOptions::plain()).err().unwrap();
    assert!(matches!(refused, ArchiveError::StateSealed { .. }), "{refused}");
    assert!(document_file(&state, &queued).exists());
}

#[test]
fn a_rotation_begun_before_is_given_up_only_with_a_word() {
    let folder = TempDir::new().unwrap();
    let [state, old, first, second] = ["state", "old", "first", "second"].map(|name| folder.path().join(name));
    for key in [&old, &first, &second] {
        new_key(key).unwrap();
    }
    let at_rest = AtRest::Sealed(KeyPlace::File(old));
    drop(Archive::open(&state, &OpenOptions::new(at_rest.clone())).unwrap());
    let given_up = [&first, &first, &second].map(|key| rotate(&state, &at_rest, key).unwrap().given_up);
    assert_eq!(given_up, [false, false, true]);
}

#[test]
fn a_damaged_snapshot_of_the_cases_is_named() {
    let state = TempDir::new().unwrap();
    let archive = open(&state);
    archive.put_cases(b"case_id,name\n").unwrap();
    drop(archive);
    flip(&state.path().join("cases/last-good.csv"), 30);
    let told = problems(&state);
    assert!(told.len() == 1 && told[0].contains("cases/last-good.csv"), "{told:?}");
    assert_eq!(open(&state).cases().unwrap(), None);
}

#[test]
fn the_daemons_look_at_the_keys_counts_documents_that_are_damaged() {
    let state = TempDir::new().unwrap();
    let archive = open(&state);
    let [queued, held, _] = fill(&archive);
    assert_eq!(archive.check_document_keys(|| false).unwrap(), 0);
    flip(&document_file(&state, &queued), 1);
    fs::remove_file(document_file(&state, &held)).unwrap();
    assert_eq!(archive.check_document_keys(|| false).unwrap(), 2);
}

#[test]
fn an_index_without_room_goes_on_in_memory_and_the_next_start_makes_up_for_it() {
    for by_reading in [false, true] {
        let state = TempDir::new().unwrap();
        let archive = open(&state);
        let [queued, ..] = fill(&archive);
        let before = answers(&archive);
        archive.inner.index.full.store(true, std::sync::atomic::Ordering::Relaxed);
        if by_reading {
            assert_eq!(answers(&archive), before);
            assert!(archive.inner.index.is_in_memory());
        }
        archive.record(resolved(ItemId::new(&queued, 1))).unwrap();
        archive.accept(arrival(b"five", "five")).unwrap();
        assert!(archive.inner.index.is_in_memory());
        let after = answers(&archive);
        assert_ne!(after, before);
        drop(archive);
        let archive = open(&state);
        assert!(!archive.inner.index.is_in_memory());
        assert_eq!(answers(&archive), after);
        drop(archive);
        assert_eq!(problems(&state), [""; 0]);
    }
}

/// Appends a record that holds this fact to the journal, its chain whole, as somebody without any key can.
fn append(state: &TempDir, fact: &str) {
    use sha2::{Digest, Sha256};
    use std::io::Write;
    let path = journal_of(state);
    let journal = fs::read_to_string(&path).unwrap();
    let (digest, json) = journal.lines().next_back().unwrap().split_once(' ').unwrap();
    let last: serde_json::Value = serde_json::from_str(json).unwrap();
    let (sequence, time) = (last["seq"].as_u64().unwrap(), last["time"].as_str().unwrap());
    let (next, synced) = (sequence + 1, sequence);
    let json = format!(r#"{{"v":2,"seq":{next},"time":"{time}","synced":{synced},"prev":"{digest}","fact":{fact}}}"#);
    let digest: String = DocumentId::from_digest(&Sha256::digest(json.as_bytes())).into();
    writeln!(fs::OpenOptions::new().append(true).open(&path).unwrap(), "{digest} {json}").unwrap();
}

#[test]
fn a_purge_that_somebody_without_the_keys_wrote_into_the_journal_destroys_nothing_and_is_an_alarm() {
    let original = TempDir::new().unwrap();
    let archive = open(&original);
    let [queued, ..] = fill(&archive);
    archive.record(resolved(ItemId::new(&queued, 1))).unwrap();
    drop(archive);
    let id = queued.as_str();
    let mark = "0".repeat(64);
    for mark in [String::new(), format!(r#","mark":"{mark}""#)] {
        for index_is_gone in [false, true] {
            let state = copy_state(original.path());
            append(&state, &format!(r#"{{"purged":{{"document":"{id}","rule":"r","by":"x","received":1{mark}}}}}"#));
            if index_is_gone {
                fs::remove_dir_all(state.path().join("index")).unwrap();
            }
            for _ in 0..2 {
                let refused = Archive::open(state.path(), &options()).err().unwrap();
                assert!(matches!(refused, ArchiveError::JournalDamaged { .. }), "{refused}");
            }
            assert!(document_file(&state, &queued).exists());
            let told = problems(&state);
            assert!(told.len() == 1 && told[0].contains("not written with this archive's keys"), "{told:?}");
        }
    }
}

#[test]
fn a_copy_of_an_earlier_purge_does_not_destroy_the_same_document_received_again() {
    let state = TempDir::new().unwrap();
    let archive = open(&state);
    let document = archive.accept(arrival(b"six", "six")).unwrap().document;
    let finish = |archive: &Archive| {
        archive.record(Event::Queued { document: document.clone(), items: vec![item(&document, 1)] }).unwrap();
        archive.record(resolved(ItemId::new(&document, 1))).unwrap();
    };
    finish(&archive);
    let due = Due { document: document.clone(), rule: "r".to_owned(), resolved_at: crate::clock::now() };
    assert_eq!(archive.purge(vec![due], "x", || false).unwrap().len(), 1);
    let journal = fs::read_to_string(journal_of(&state)).unwrap();
    let purge = journal.lines().next_back().unwrap().split_once(' ').unwrap().1.to_owned();
    let purge: serde_json::Value = serde_json::from_str(&purge).unwrap();
    assert!(archive.accept(arrival(b"six", "six again")).unwrap().first);
    finish(&archive);
    drop(archive);
    append(&state, &purge["fact"].to_string());
    assert_eq!(open(&state).read_document(&document).unwrap(), b"six");
}

/// What somebody, or a disk, may leave after the last record.
const GARBAGE: [&[u8]; 3] = [b"garbage\n", b"no zero, no end of a record \xff\xfe\n{\"seq\":7}\n", b"\n"];

#[test]
fn garbage_with_an_end_of_line_after_the_last_record_is_an_alarm_that_names_the_way_without_a_copy() {
    let original = TempDir::new().unwrap();
    let archive = open(&original);
    fill(&archive);
    let before = answers(&archive);
    drop(archive);
    for garbage in GARBAGE {
        let state = copy_state(original.path());
        let journal = journal_of(&state);
        let end = length(&journal);
        io::Write::write_all(&mut fs::File::options().append(true).open(&journal).unwrap(), garbage).unwrap();
        // The index knows of no record there. It may lag behind, so that proves nothing, and nothing is cut away.
        let refused = Archive::open(state.path(), &options()).err().unwrap();
        assert!(matches!(refused, ArchiveError::JournalDamaged { .. }), "{refused}");
        let way = format!("truncate -s {end} {}", journal.display());
        assert!(refused.to_string().contains(&way), "{refused}");
        assert!(problems(&state)[0].contains(&way));
        fs::File::options().write(true).open(&journal).unwrap().set_len(end).unwrap();
        assert_eq!(answers(&open(&state)), before);
        assert_eq!(problems(&state), [""; 0]);
    }
}

#[test]
fn the_way_without_a_copy_leads_on_where_a_record_in_the_middle_is_damaged_and_every_document_is_there() {
    let (state, documents) = filled();
    let journal = journal_of(&state);
    flip(&journal, length(&journal) / 2);
    let Err(ArchiveError::JournalDamaged { offset, .. }) = Archive::open(state.path(), &options()) else {
        panic!("no alarm")
    };
    fs::File::options().write(true).open(&journal).unwrap().set_len(offset).unwrap();
    let archive = open(&state);
    for document in &documents {
        assert!(archive.document(document).unwrap().is_some() && archive.read_document(document).is_ok());
    }
    drop(archive);
    let told = problems(&state);
    assert!(told.len() == 1 && told[0].contains("were lost from the journal's end"), "{told:?}");
}

#[test]
fn a_record_of_a_newer_version_is_not_taken_for_damage() {
    let (state, _) = filled();
    append(&state, r#"{"invented_later":{}}"#);
    let refused = Archive::open(state.path(), &options()).err().unwrap();
    assert!(matches!(refused, ArchiveError::JournalNewer { .. }), "{refused}");
    assert!(refused.to_string().contains("run the version that wrote it"), "{refused}");
    let told = problems(&state);
    assert!(told.len() == 1 && told[0].contains("does not know"), "{told:?}");
}

#[test]
fn verify_says_what_to_do_when_the_journals_folder_is_missing() {
    let (state, _) = filled();
    fs::remove_dir_all(state.path().join(JOURNAL)).unwrap();
    let refused = verify(state.path(), &options(), None).unwrap_err();
    assert!(matches!(refused, ArchiveError::JournalMissing { .. }) && refused.is_fatal(), "{refused}");
    let as_run = Archive::open(state.path(), &options()).err().unwrap();
    assert_eq!(refused.to_string(), as_run.to_string());
}

#[test]
fn a_key_that_cannot_be_made_where_it_was_wanted_is_the_places_fault() {
    let folder = TempDir::new().unwrap();
    restore(&folder.path().join("file"), b"");
    for place in ["nowhere/a.key", "file/a.key"] {
        let refused = new_key(&folder.path().join(place)).unwrap_err();
        assert!(matches!(refused, ArchiveError::KeyFile { .. }), "{refused}");
        assert!(refused.to_string().contains("name a file in a folder that is there"), "{refused}");
    }
}

#[test]
fn a_queued_document_whose_file_is_lost_is_named_until_it_is_restored_or_its_items_are_resolved() {
    let (state, [queued, ..]) = filled();
    let archive = open(&state);
    let file = document_file(&state, &queued);
    let whole = fs::read(&file).unwrap();
    let lost = |archive: &Archive| -> Vec<DocumentId> {
        archive.lost().unwrap().into_iter().map(|lost| lost.document).collect()
    };
    assert_eq!(lost(&archive), []);
    fs::remove_file(&file).unwrap();
    let archive = {
        drop(archive);
        open(&state)
    };
    assert_eq!(lost(&archive), std::slice::from_ref(&queued));
    drop(archive);
    restore(&file, &whole);
    let archive = open(&state);
    assert_eq!(lost(&archive), []);
    // Its bytes alone are damaged: all that was recorded opens, and it is known once somebody wanted them.
    flip(&file, length(&file) / 2);
    assert_eq!(lost(&archive), []);
    assert!(archive.read_document(&queued).is_err());
    assert_eq!(lost(&archive), std::slice::from_ref(&queued));
    archive.record(resolved(ItemId::new(&queued, 1))).unwrap();
    assert_eq!(lost(&archive), [], "a person has given it up");
}
