//! What becomes of a document whose stored file rots: it is seen, it is said, and the same bytes coming again mend it.

use std::fs;
use std::path::Path;

use tempfile::TempDir;

use super::event::{Event, Stage};
use super::tests::{answers, arrival, copy_state, document_file, fill, flip, item, options};
use super::*;
use crate::queue::item::{ItemId, ItemState};

/// Bytes of a wrapped key, at both ends of a document's file.
const HEAD: u64 = vault::HEADER as u64;

fn open(state: &TempDir) -> Archive {
    Archive::open(state.path(), &options()).unwrap()
}

fn problems(state: &TempDir) -> Vec<String> {
    verify(state.path(), &options(), None).unwrap().problems.iter().map(ToString::to_string).collect()
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
    let state = TempDir::new().unwrap();
    let archive = open(&state);
    let [queued, ..] = fill(&archive);
    drop(archive);
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
    let state = TempDir::new().unwrap();
    let archive = open(&state);
    let [queued, ..] = fill(&archive);
    drop(archive);
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
