//! A disk that is full, or fails: the built program accepts nothing that it cannot keep, releases nothing, says so, and
//! goes on when it can. Needs the feature `faults` for disks that fail on demand.

#![allow(clippy::unwrap_used, clippy::disallowed_methods, reason = "a test stops at the first surprise")]

mod generator;
mod kill;
mod run;

use std::fs;

use generator::{Fonts, fax_of_lines};
use kill::{Death, Oracle};
use run::{Daemon, Setup, TEMPFAIL, wait_until};

/// Linux's numbers.
const INPUT_OUTPUT: i32 = 5;
const NO_SPACE: i32 = 28;

/// Faults of one kind, at every `step`th operation from `first` on, until three in a row have not come about: no operation of
/// that number is left. `make kill` goes on at random.
fn try_all(oracle: &Oracle, operation: &'static str, errno: i32, first: u32, step: usize) -> usize {
    let (mut struck, mut missed) = (0, 0);
    for after in (first..).step_by(step) {
        if oracle.try_death(Death::Disk { operation, after, errno }) {
            (struck, missed) = (struck + 1, 0);
        } else {
            missed += 1;
        }
        if missed == 3 {
            break;
        }
    }
    struck
}

#[test]
#[cfg_attr(not(feature = "faults"), ignore = "needs --features faults: other builds have no disk that fails on demand")]
fn whichever_write_finds_the_disk_full_nothing_is_lost_and_nothing_is_released() {
    let oracle = Oracle::new();
    // The first 36 or so make the folders of the state directory.
    let at_the_start =
        [0, 17].iter().filter(|&&after| oracle.try_death(Death::Disk { operation: "write", after, errno: NO_SPACE }));
    assert_eq!(at_the_start.count(), 2);
    assert!(try_all(&oracle, "write", NO_SPACE, 36, 4) >= 5);
    assert!(try_all(&oracle, "rename", NO_SPACE, 0, 1) >= 3);
}

#[test]
#[cfg_attr(not(feature = "faults"), ignore = "needs --features faults: other builds have no disk that fails on demand")]
fn whichever_sync_fails_the_process_ends_with_a_clear_last_line_and_nothing_is_lost() {
    assert!(try_all(&Oracle::new(), "sync", INPUT_OUTPUT, 0, 1) >= 12);
}

#[test]
#[cfg_attr(not(feature = "faults"), ignore = "needs --features faults: other builds ask the disk how much is free")]
fn intake_pauses_below_the_mark_and_goes_on_by_itself_when_there_is_room() {
    let setup = Setup::new();
    let free = setup.path("free-bytes");
    fs::write(&free, "1000000").unwrap();
    let mut command = setup.command(&["run"]);
    command.env("NICUFAXD_FREE_BYTES_FILE", &free);
    let daemon = Daemon::new(command);
    let fax = fax_of_lines(&Fonts::load().unwrap(), &["Concurrent review"]);
    setup.arrive("0042.tif", &fax);
    let line = daemon.wait_for_line("the pause", |line| line["level"] == "ERROR" && line["source"] == "secure-fax");
    assert!(line["error"].as_str().unwrap().contains("make room, or lower [intake] min_free"), "{line}");
    assert_eq!(setup.files("inbox"), ["0042.tif"]);
    let status = setup.json(&["status", "--json"]);
    assert!(status["sources"]["secure-fax"]["last_error"].as_str().unwrap().contains("min_free"), "{status}");
    assert_eq!(status["disk"]["free_bytes"], 1_000_000, "{status}");
    assert!(status["disk"]["paused_since"].is_string() && status["disk"]["min_free"].is_u64(), "{status}");
    let file = setup.path("0043.tif");
    fs::write(&file, &fax).unwrap();
    assert_eq!(setup.run(&["submit", file.to_str().unwrap()]).code, Some(TEMPFAIL));

    fs::write(&free, "2000000000").unwrap();
    wait_until("the fax in the queue", || setup.exported_of("0042.tif").pop());
    assert_eq!(setup.files("inbox"), Vec::<String>::new());
    let again = setup.json(&["status", "--json"]);
    assert_eq!(again["sources"]["secure-fax"]["last_error"], serde_json::Value::Null);
    assert_eq!(again["disk"]["paused_since"], serde_json::Value::Null);
    assert_eq!(again["disk"]["write_failures"], 0);
    daemon.stop();
}
