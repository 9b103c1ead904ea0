//! The state directory and the exports on disk, as an operator finds, backs up and damages them.

#![allow(clippy::unwrap_used, clippy::disallowed_methods, reason = "a test stops at the first surprise")]

mod generator;
mod run;

use std::fs;
use std::io::{Seek, SeekFrom, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use generator::{Fonts, fax_of_lines};
use run::{Setup, files_below};

/// sysexits.h: what a damaged journal ends the daemon with.
const IOERR: i32 = 74;

/// A set-up with two queued faxes and a held one, and its `queue.jsonl`.
fn worked() -> (Setup, String) {
    let setup = Setup::new();
    let fonts = Fonts::load().unwrap();
    setup.arrive("one.tif", &fax_of_lines(&fonts, &["Concurrent review of a newborn"]));
    setup.arrive("two.tif", &fax_of_lines(&fonts, &["Discharge of a newborn"]));
    setup.arrive("note.tif", b"Dear nurse");
    setup.drain();
    let queue = exported(&setup);
    assert_eq!(queue.lines().count(), 3);
    (setup, queue)
}

fn exported(setup: &Setup) -> String {
    fs::read_to_string(setup.path("worklist/queue.jsonl")).unwrap()
}

/// The newest part of the journal.
fn journal(setup: &Setup) -> PathBuf {
    files_below(&setup.path("state/journal")).into_iter().max().unwrap()
}

#[test]
fn state_and_exports_are_nobody_elses_to_read() {
    let (setup, _) = worked();
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&setup.path("state")), 0o700);
    for part in ["documents", "readings", "journal", "cases"] {
        for file in files_below(&setup.path("state").join(part)) {
            assert_eq!(mode(&file) & 0o077, 0, "{}", file.display());
        }
    }
    for file in files_below(&setup.path("worklist")) {
        assert_eq!(mode(&file) & 0o007, 0, "{}", file.display());
    }
}

#[test]
fn an_index_that_is_gone_damaged_or_nonsense_is_made_again_from_the_journal() {
    let (setup, queue) = worked();
    let index = setup.path("state/index");
    let damages: [(&str, &dyn Fn()); 4] = [
        ("gone", &|| fs::remove_dir_all(&index).unwrap()),
        ("cut", &|| {
            for file in files_below(&index) {
                let length = fs::metadata(&file).unwrap().len();
                fs::File::options().write(true).open(&file).unwrap().set_len(length / 2).unwrap();
            }
        }),
        ("overwritten", &|| {
            for file in files_below(&index) {
                let length = fs::metadata(&file).unwrap().len() as usize;
                fs::write(&file, vec![0xa5; length]).unwrap();
            }
        }),
        ("a file in its place", &|| {
            fs::remove_dir_all(&index).unwrap();
            fs::write(&index, b"nonsense").unwrap();
        }),
    ];
    for (damage, inflict) in damages {
        inflict();
        let ended = setup.run(&["run", "--drain"]);
        assert_eq!(ended.code, Some(0), "{damage}: {}", ended.said);
        assert_eq!(exported(&setup), queue, "{damage}");
        setup.succeed(&["verify"]);
    }
}

#[test]
fn a_torn_end_of_the_journal_is_set_aside_and_nothing_acknowledged_is_lost() {
    let (setup, queue) = worked();
    let mut file = fs::File::options().append(true).open(journal(&setup)).unwrap();
    file.write_all(b"{\"sequence\":99,\"ha").unwrap();
    drop(file);
    let verified = setup.run(&["verify"]);
    assert_eq!(verified.code, Some(0), "{}", verified.said);
    assert!(verified.said.contains("unfinished"), "{}", verified.said);
    setup.drain();
    assert_eq!(exported(&setup), queue);
    setup.succeed(&["verify"]);
}

#[test]
fn a_journal_changed_in_its_middle_is_an_alarm_and_is_left_as_it_is() {
    let (setup, queue) = worked();
    let journal = journal(&setup);
    let middle = fs::metadata(&journal).unwrap().len() / 2;
    let mut file = fs::File::options().read(true).write(true).open(&journal).unwrap();
    file.seek(SeekFrom::Start(middle)).unwrap();
    file.write_all(b"\xff").unwrap();
    drop(file);
    let changed = fs::read(&journal).unwrap();
    // Without an index, the whole journal must be read.
    fs::remove_dir_all(setup.path("state/index")).unwrap();
    for (arguments, code) in [(&["verify"][..], run::DATAERR), (&["run", "--drain"], IOERR)] {
        let ended = setup.run(arguments);
        assert_eq!(ended.code, Some(code), "{arguments:?}: {}", ended.said);
        assert!(ended.said.contains("damaged") && ended.said.contains("restore"), "{arguments:?}: {}", ended.said);
    }
    assert_eq!(fs::read(&journal).unwrap(), changed);
    assert_eq!(exported(&setup), queue, "the last exports stay");
}

#[test]
fn a_copy_of_documents_and_journal_alone_is_a_whole_backup() {
    let (setup, queue) = worked();
    let before = setup.json(&["held", "list", "--json"]);
    for lost in ["index", "readings", "cases", "tmp"] {
        fs::remove_dir_all(setup.path("state").join(lost)).unwrap();
    }
    fs::remove_dir_all(setup.path("worklist")).unwrap();
    setup.succeed(&["rebuild"]);
    assert_eq!(exported(&setup), queue);
    assert_eq!(setup.json(&["held", "list", "--json"]), before);
    setup.succeed(&["verify"]);
}

/// The file seems written an hour from now: after everything that the journal tells.
fn seems_written_later(file: &Path) {
    let later = fs::metadata(file).unwrap().modified().unwrap() + std::time::Duration::from_secs(3600);
    fs::File::options().write(true).open(file).unwrap().set_modified(later).unwrap();
}

#[test]
fn verify_beside_a_running_daemon_looks_at_index_and_exports_too() {
    let (setup, queue) = worked();
    let written = || fs::metadata(setup.path("worklist/queue.jsonl")).unwrap().modified().unwrap();
    let before = written();
    let daemon = setup.start();
    run::wait_until("the export at the start", || (written() != before).then_some(()));
    let verified = setup.run(&["verify"]);
    assert_eq!((verified.code, verified.said.as_str()), (Some(0), ""));
    assert!(verified.printed.contains("3 documents") && verified.printed.contains(": all is well"), "{verified:?}");
    fs::write(setup.path("worklist/queue.jsonl"), queue.replace("note.tif", "lost.tif")).unwrap();
    let verified = setup.run(&["verify"]);
    assert_eq!(verified.code, Some(run::DATAERR), "{}", verified.said);
    assert!(verified.said.contains("queue.jsonl does not say what the archive says"), "{}", verified.said);
    assert!(daemon.stop().0.success());
}

#[test]
fn what_verify_could_not_look_at_is_never_said_to_be_well() {
    let (setup, _) = worked();
    fs::remove_dir_all(setup.path("state/index")).unwrap();
    let verified = setup.run(&["verify"]);
    assert_eq!(verified.code, Some(0), "{}", verified.said);
    assert!(verified.said.contains("not looked at: the index"), "{}", verified.said);
    assert!(verified.printed.contains("all that was looked at is well"), "{}", verified.printed);
}

#[test]
fn exports_of_a_killed_daemon_are_behind_and_not_damaged_and_the_next_run_brings_them_up_to_date() {
    let (setup, queue) = worked();
    let daemon = setup.start();
    daemon.kill();
    // Recorded, and exported by nobody: as when the kill comes between the two.
    let id = setup.json(&["held", "list", "--json"])[0]["id"].as_str().unwrap().to_owned();
    setup.succeed(&["queue", "resolve", &format!("{id}-1"), "--by", "N. Bellamy"]);
    assert_eq!(exported(&setup), queue);
    let verified = setup.run(&["verify"]);
    assert_eq!(verified.code, Some(0), "{}", verified.said);
    for words in ["queue.jsonl", "queue.csv", "is behind the journal", "the next run brings it up to date"] {
        assert!(verified.said.contains(words), "{} lacks {words}", verified.said);
    }
    setup.drain();
    assert_eq!(exported(&setup).lines().count(), 2);
    let verified = setup.run(&["verify"]);
    assert_eq!((verified.code, verified.said.as_str()), (Some(0), ""));
}

#[test]
fn exports_that_were_changed_or_removed_are_damage() {
    let (setup, queue) = worked();
    let file = setup.path("worklist/queue.jsonl");
    fs::write(&file, queue.lines().skip(1).fold(String::new(), |rest, line| rest + line + "\n")).unwrap();
    seems_written_later(&file);
    let verified = setup.run(&["verify"]);
    assert_eq!(verified.code, Some(run::DATAERR), "{}", verified.said);
    assert!(verified.said.contains("queue.jsonl does not say"), "{}", verified.said);
    fs::remove_file(&file).unwrap();
    let verified = setup.run(&["verify"]);
    assert_eq!(verified.code, Some(run::DATAERR), "{}", verified.said);
    assert!(verified.said.contains("queue.jsonl is missing"), "{}", verified.said);
    setup.drain();
    assert_eq!(exported(&setup), queue);
    setup.succeed(&["verify"]);
}

#[test]
fn a_document_that_is_gone_from_the_archive_is_named_by_verify() {
    let (setup, _) = worked();
    let sealed = setup.sealed(b"Dear nurse").unwrap();
    let id = setup.id(b"Dear nurse");
    fs::remove_file(sealed).unwrap();
    let verified = setup.run(&["verify"]);
    assert_eq!(verified.code, Some(run::DATAERR));
    assert!(verified.said.contains(id.short()) && verified.said.contains("restore"), "{}", verified.said);
}
