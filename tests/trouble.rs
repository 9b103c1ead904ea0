//! What years bring: clocks that jump, an inbox with ten thousand files, a share that hangs. Clocks and shares that
//! misbehave on demand need the feature `faults`.

#![allow(clippy::unwrap_used, clippy::disallowed_methods, reason = "a test stops at the first surprise")]

mod generator;
mod run;

use std::fs;
use std::path::Path;
use std::time::Duration;

use generator::{Fonts, fax_of_lines};
use nicufaxd::archive::{Archive, OpenOptions};
use nicufaxd::intake::folder::{AfterAccept, FolderSettings, drain_folder};
use nicufaxd::intake::status::SourceStatuses;
use run::{Daemon, Setup, wait_until};

fn fax(number: usize) -> Vec<u8> {
    fax_of_lines(&Fonts::load().unwrap(), &["Concurrent review", &format!("Weight today {} grams", 1400 + number)])
}

#[test]
#[cfg_attr(not(feature = "faults"), ignore = "needs --features faults: other builds ask the machine's clock")]
fn a_clock_that_jumps_back_and_forth_loses_nothing_and_doubles_nothing() {
    let setup = Setup::new();
    let clock = setup.path("clock");
    let mut command = setup.command(&["run"]);
    command.env("NICUFAXD_CLOCK_FILE", &clock);
    let daemon = Daemon::new(command);
    // As set right by an hour at daylight saving, by a day, by ten years, and back.
    let wrong = [0_i64, -3_600, 3_600, -86_400, 315_360_000, -315_360_000, 0];
    for (number, seconds) in wrong.iter().enumerate() {
        fs::write(&clock, seconds.to_string()).unwrap();
        let name = format!("{number}.tif");
        setup.arrive(&name, &fax(number));
        wait_until(&name, || setup.exported_of(&name).pop());
    }
    daemon.stop();
    assert_eq!(setup.exported().len(), wrong.len());
    setup.drain();
    setup.succeed(&["verify"]);
    let before = fs::read(setup.path("worklist/queue.jsonl")).unwrap();
    setup.succeed(&["rebuild"]);
    assert_eq!(fs::read(setup.path("worklist/queue.jsonl")).unwrap(), before);
}

#[test]
#[cfg_attr(
    not(feature = "faults"),
    ignore = "needs --features faults: other builds have no share that hangs on demand"
)]
fn a_share_that_hangs_holds_up_no_other_source_and_no_stop() {
    let setup = Setup::with("", "");
    let text = fs::read_to_string(setup.config()).unwrap();
    let share = "[[intake.folder]]\nname = \"share\"\npath = \"share\"\nsettle = \"0s\"\n\n[cases]";
    fs::write(setup.config(), text.replacen("[cases]", share, 1)).unwrap();
    fs::create_dir(setup.path("share")).unwrap();
    for number in 0..40 {
        fs::write(setup.path("share").join(format!("{number}.tif")), fax(number)).unwrap();
    }
    let mut command = setup.command(&["run"]);
    command.env("NICUFAXD_HANG_SOURCE", "share");
    let daemon = Daemon::new(command);
    setup.arrive("0042.tif", &fax(42));
    wait_until("the other source's fax in the queue", || setup.exported_of("0042.tif").pop());
    assert_eq!(setup.files("share").len(), 40);
    let (status, _, took) = daemon.stop();
    assert!(status.success() && took < Duration::from_secs(10), "{status} after {took:?}");
    // The share answers again: everything is taken.
    setup.drain();
    assert_eq!(setup.exported().len(), 41);
}

#[test]
#[cfg_attr(
    not(feature = "faults"),
    ignore = "needs --features faults: other builds have no share that hangs on demand"
)]
fn a_share_that_does_not_even_tell_what_it_is_is_told_of() {
    let setup = Setup::new();
    let mut command = setup.command(&["run"]);
    command.env("NICUFAXD_HANG_FOLDER", "secure-fax");
    let daemon = Daemon::new(command);
    daemon.wait_for_line("word of it", |line| {
        line["source"] == "secure-fax" && line["message"] == "source does not answer; the others go on"
    });
    let status = setup.json(&["status", "--json"]);
    assert!(status["sources"]["secure-fax"]["last_error"].as_str().unwrap().contains("hangs"), "{status:#}");
    daemon.stop();
}

fn private(folder: &Path) {
    use std::os::unix::fs::DirBuilderExt;
    fs::DirBuilder::new().mode(0o700).create(folder).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn an_inbox_with_ten_thousand_files_is_taken_whole() {
    let root = tempfile::tempdir().unwrap();
    let (inbox, state) = (root.path().join("inbox"), root.path().join("state"));
    private(&inbox);
    private(&state);
    for number in 0..10_000 {
        fs::write(inbox.join(format!("{number:05}.tif")), format!("II*\0 {number}")).unwrap();
    }
    let archive = Archive::open(&state, &OpenOptions::new(run::AT_REST)).unwrap();
    let done = root.path().join("done");
    let settings = FolderSettings {
        settle: Duration::ZERO,
        after: AfterAccept::MoveTo(done.clone()),
        ..FolderSettings::inbox("secure-fax", inbox.clone())
    };
    let (accepted, mut announced) = tokio::sync::mpsc::channel(100);
    let counted = tokio::spawn(async move {
        let mut count = 0;
        while announced.recv().await.is_some() {
            count += 1;
        }
        count
    });
    drain_folder(settings, archive.clone(), accepted, SourceStatuses::default()).await.unwrap();
    assert_eq!(counted.await.unwrap(), 10_000);
    assert_eq!(archive.waiting().unwrap().len(), 10_000);
    assert_eq!(fs::read_dir(&inbox).unwrap().count(), 0);
    assert_eq!(fs::read_dir(&done).unwrap().count(), 10_000);
}
