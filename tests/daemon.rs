//! The life of the daemon: stopped, killed, started twice, told to reload, bereft of its workers; no document is lost
//! or queued twice over any of it.

#![allow(clippy::unwrap_used, clippy::disallowed_methods, reason = "a test stops at the first surprise")]

mod generator;
mod run;

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::net::UnixDatagram;
use std::process::Stdio;
use std::time::{Duration, Instant};

use generator::random::Random;
use generator::registry::{Case, cases, csv};
use generator::{Encoding, FillOrder, Fonts, SEED, Scan, Sheet, Storage, fax, fax_of_lines, sheet::Face};
use run::{Daemon, NO_CASES, Setup, wait_until};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};

/// What SIGTERM may take.
const STOPPED_WITHIN: Duration = Duration::from_secs(10);

/// Quick to read, and each another document.
fn fax_number(fonts: &Fonts, number: usize) -> Vec<u8> {
    fax_of_lines(fonts, &["Concurrent review", &format!("Weight today {} grams", 1400 + number)])
}

/// Dense enough to keep a worker busy for some seconds.
fn long_fax(fonts: &Fonts, pages: usize) -> Vec<u8> {
    let sheets: Vec<Sheet<'_>> = (0..pages)
        .map(|page| {
            let mut sheet = Sheet::new(fonts);
            for line in 0..36 {
                let words =
                    format!("Page {page} line {line}: the infant remains on room air and takes all feeds by mouth");
                sheet.text(60.0, 80.0 + 18.0 * line as f32, 11.0, Face::Serif, &words);
            }
            sheet
        })
        .collect();
    fax(&sheets, &Scan::default(), Storage::Fax(Encoding::Group4, FillOrder::MostSignificantFirst))
}

/// A review of this case with all its marks.
fn review_of(fonts: &Fonts, case: &Case) -> Vec<u8> {
    let lines = [
        "CONCURRENT REVIEW".to_owned(),
        format!("Infant: {}, {}", case.last_name, case.first_name),
        format!("DOB: {}     MRN: {}", case.dob.strftime("%m/%d/%Y"), case.mrn),
        format!("Mother: {} {}", case.mother_first, case.mother_last),
    ];
    fax_of_lines(fonts, &lines.each_ref().map(String::as_str))
}

/// The one exported item of this file, once it is there.
fn item_of(setup: &Setup, file: &str) -> Value {
    wait_until(&format!("the item of {file}"), || setup.exported_of(file).pop())
}

fn is_busy(setup: &Setup) -> Option<Value> {
    let status: Value = serde_json::from_str(&setup.run(&["status", "--json"]).printed).ok()?;
    (status["workers"]["busy"].as_u64()? > 0).then_some(status)
}

/// Every file has one item, whatever happened before.
fn assert_queued_once(setup: &Setup, files: &BTreeSet<String>) {
    let items = setup.exported();
    let named: Vec<String> = items.iter().map(|item| item["source_file"].as_str().unwrap().to_owned()).collect();
    assert_eq!(named.len(), files.len(), "{named:?}");
    assert_eq!(&named.into_iter().collect::<BTreeSet<_>>(), files);
    for item in &items {
        assert_eq!((&item["state"], &item["arrivals"]), (&json!("open"), &json!(1)), "{item:#}");
    }
    assert_eq!(setup.files("inbox"), Vec::<String>::new());
    assert_eq!(&setup.files("done").into_iter().collect::<BTreeSet<_>>(), files);
    setup.succeed(&["verify"]);
}

#[test]
fn a_daemon_stopped_amid_work_hands_it_back_and_the_next_start_finishes_it_without_a_used_attempt() {
    let setup = Setup::with("", "[reader]\nattempts = 1\n");
    let fonts = Fonts::load().unwrap();
    let mut files = BTreeSet::new();
    setup.arrive("long.tif", &long_fax(&fonts, 12));
    files.insert("long.tif".to_owned());
    for number in 0..4 {
        let file = format!("{number}.tif");
        setup.arrive(&file, &fax_number(&fonts, number));
        files.insert(file);
    }
    let mut handed_back = 0;
    for _ in 0..2 {
        let daemon = setup.start();
        wait_until("work in hand", || is_busy(&setup));
        let (status, log, took) = daemon.stop();
        assert!(status.success(), "{log:#?}");
        assert!(took < STOPPED_WITHIN, "stopping took {took:?}");
        handed_back += log.iter().filter(|line| line.contains("nothing is lost")).count();
        setup.succeed(&["verify"]);
    }
    assert_eq!(handed_back, 2, "each stop says that it is one");
    assert!(setup.exported_of("long.tif").is_empty(), "it was finished before it could be handed back");
    setup.drain();
    assert_queued_once(&setup, &files);
    let trail = setup.succeed(&["audit"]);
    assert!(trail.contains("attempt 1 began") && !trail.contains("attempt 2 began"), "an attempt was not given back");
}

#[test]
fn a_document_whose_daemon_is_killed_more_often_than_it_may_fail_is_queued_all_the_same() {
    let setup = Setup::with("", "[reader]\nattempts = 1\n");
    setup.arrive("long.tif", &long_fax(&Fonts::load().unwrap(), 12));
    for _ in 0..3 {
        let daemon = setup.start();
        wait_until("work in hand", || is_busy(&setup));
        daemon.kill();
    }
    setup.drain();
    assert_queued_once(&setup, &BTreeSet::from(["long.tif".to_owned()]));
}

#[test]
#[cfg_attr(not(feature = "faults"), ignore = "needs --features faults")]
fn a_worker_that_hangs_does_not_keep_the_daemon_from_stopping_in_time() {
    let setup = Setup::with("", "[reader]\nattempts = 1\npage_timeout = \"5s\"\n");
    setup.arrive("hangs.tif", b"%fault hang");
    let daemon = setup.start();
    wait_until("work in hand", || is_busy(&setup));
    let (status, log, took) = daemon.stop();
    assert!(status.success(), "{log:#?}");
    assert!(took < STOPPED_WITHIN, "stopping took {took:?}");
    // It was not the document's own end: its one attempt is made now.
    setup.drain();
    let reason = setup.held_of("hangs.tif")["reason"].as_str().unwrap().to_owned();
    assert!(reason.contains("longer than 5 s") && reason.contains("given up after 1 attempts"), "{reason}");
}

#[test]
fn a_daemon_killed_at_any_moment_has_every_document_queued_once_after_the_next_starts() {
    // Each kill counts as an attempt of what is in hand; this test is not about those.
    let setup = Setup::with("", "[reader]\nattempts = 20\n");
    let fonts = Fonts::load().unwrap();
    let mut random = Random::new(9);
    let mut files = BTreeSet::new();
    for cycle in 0..10 {
        for number in 0..2 {
            let file = format!("{cycle}-{number}.tif");
            setup.arrive(&file, &fax_number(&fonts, 2 * cycle + number));
            files.insert(file);
        }
        let daemon = setup.launch();
        // The log's lines are the steps; the kill comes upon one of them, a little later each time.
        daemon.wait_for_lines(1 + random.below(9));
        let spins = random.below(2_000_000);
        (0..spins).for_each(|spin| _ = std::hint::black_box(spin));
        daemon.kill();
    }
    setup.drain();
    assert_queued_once(&setup, &files);
}

#[test]
fn a_document_whose_worker_is_killed_is_queued_all_the_same() {
    let setup = Setup::new();
    let fonts = Fonts::load().unwrap();
    setup.arrive("long.tif", &long_fax(&fonts, 3));
    let daemon = setup.start();
    let status = wait_until("work in hand", || is_busy(&setup));
    for worker in status["workers"]["alive"].as_array().unwrap() {
        let pid = Pid::from_raw(worker.as_i64().unwrap() as i32).unwrap();
        kill_process(pid, Signal::KILL).unwrap();
    }
    daemon.wait_for_line("the attempt's failure", |line| {
        line["attempt"] == 1 && line["reason"].as_str().is_some_and(|reason| reason.contains("signal 9"))
    });
    let item = item_of(&setup, "long.tif");
    assert_eq!((&item["state"], &item["pages"]), (&json!("open"), &json!(3)), "{item:#}");
    let status = setup.json(&["status", "--json"]);
    assert!(status["workers"]["lost"].as_u64().unwrap() >= 1, "{status:#}");
    assert!(daemon.stop().0.success());
}

#[test]
#[cfg_attr(not(feature = "faults"), ignore = "needs --features faults")]
fn a_poison_document_is_held_after_three_attempts_while_others_go_on() {
    let setup = Setup::new();
    let fonts = Fonts::load().unwrap();
    let daemon = setup.start();
    setup.arrive("poison.tif", b"%fault abort");
    setup.arrive("good.tif", &fax_number(&fonts, 1));
    let good = item_of(&setup, "good.tif");
    assert_eq!(good["state"], "open");
    let poison = wait_until("the poison document", || setup.exported_of("poison.tif").pop());
    assert_eq!((&poison["state"], &poison["priority"]), (&json!("held"), &json!("urgent")));
    let reason = setup.held_of("poison.tif")["reason"].as_str().unwrap().to_owned();
    assert!(reason.contains("signal 6") && reason.contains("given up after 3 attempts"), "{reason}");
    let (status, log, _) = daemon.stop();
    assert!(status.success());
    let tried_again = log.iter().filter(|line| line.contains("attempt failed")).count();
    assert_eq!(tried_again, 2, "{log:#?}");
}

#[test]
fn a_second_daemon_on_the_same_state_is_refused_with_the_pid_of_the_first_which_goes_on() {
    let setup = Setup::new();
    let first = setup.start();
    for arguments in [&["run"][..], &["run", "--drain"], &["rebuild"]] {
        let second = setup.run(arguments);
        assert_eq!(second.code, Some(run::TEMPFAIL), "{arguments:?}: {}", second.said);
        let wanted = format!("in use by process {}", first.pid());
        assert!(second.said.contains(&wanted), "{arguments:?}: {} lacks {wanted:?}", second.said);
    }
    setup.arrive("later.tif", &fax_number(&Fonts::load().unwrap(), 1));
    assert_eq!(item_of(&setup, "later.tif")["state"], "open");
    assert!(first.stop().0.success());
}

#[test]
fn the_same_file_dropped_twice_is_one_item_with_two_arrivals() {
    let setup = Setup::new();
    let page = fax_number(&Fonts::load().unwrap(), 1);
    let daemon = setup.start();
    setup.arrive("first.tif", &page);
    let item = item_of(&setup, "first.tif");
    assert_eq!(item["arrivals"], 1);
    setup.arrive("second.tif", &page);
    wait_until("the second arrival", || (setup.exported()[0]["arrivals"] == 2).then_some(()));
    assert!(daemon.stop().0.success());
    // Under the same name as before, while no daemon ran; and all at once.
    setup.arrive("first.tif", &page);
    setup.arrive("third.tif", &page);
    setup.drain();
    let items = setup.exported();
    assert_eq!(items.len(), 1, "{items:#?}");
    assert_eq!((&items[0]["id"], &items[0]["arrivals"]), (&item["id"], &json!(4)));
    assert_eq!(items[0]["source_file"], "first.tif", "the first arrival's facts stand");
    assert_eq!(setup.files("done").len(), 4, "nothing in done/ was overwritten: {:?}", setup.files("done"));
    setup.succeed(&["verify"]);
}

#[test]
fn what_a_sidecar_tells_reaches_the_item_and_the_due_time_counts_from_its_receipt() {
    let setup = Setup::new();
    let fonts = Fonts::load().unwrap();
    let sidecar =
        json!({"sender": "617-555-0134", "received_at": "2026-03-16T09:12:00-04:00", "pages": 2, "errors": true});
    setup.arrive("0042.tif.json", sidecar.to_string().as_bytes());
    setup.arrive("0042.tif", &fax_number(&fonts, 1));
    setup.arrive("0043.json", b"{\"sender\": \"6175550199\"}");
    setup.arrive("0043.tif", &fax_number(&fonts, 2));
    setup.arrive("0044.json", b"this is no JSON");
    setup.arrive("0044.tif", &fax_number(&fonts, 3));
    setup.arrive("0045.json", b"{\"sender\": \"6175550177\", \"received_at\": \"last Tuesday\"}");
    setup.arrive("0045.tif", &fax_number(&fonts, 4));
    setup.drain();
    let item = item_of(&setup, "0042.tif");
    let time = |key: &str| item[key].as_str().unwrap().parse::<jiff::Timestamp>().unwrap();
    assert_eq!(item["sender"], "617-555-0134");
    assert_eq!(time("received_at").to_string(), "2026-03-16T13:12:00Z");
    assert_eq!(item["due_rule"], "unknown-plan");
    assert_eq!(time("due_at").to_string(), "2026-03-17T13:12:00Z", "24 h after its receipt");
    let flags = item["flags"].to_string();
    assert!(flags.contains("received_with_errors") && flags.contains("page_count_differs"), "{flags}");
    assert_eq!(item_of(&setup, "0043.tif")["sender"], "6175550199");
    let broken = item_of(&setup, "0044.tif");
    assert_eq!(broken["state"], "open", "a bad sidecar never holds its document up");
    assert!(broken["flags"].to_string().contains("note: sidecar unreadable: not a JSON object"), "{broken:#}");
    let half = item_of(&setup, "0045.tif");
    assert!(half["flags"].to_string().contains("note: sidecar unreadable: received_at"), "{half:#}");
    assert_eq!(half["sender"], "6175550177", "what can be read of it counts");
    assert_eq!(setup.files("inbox"), Vec::<String>::new());
    assert_eq!(setup.files("done").len(), 8, "sidecars go with their documents");
}

#[test]
fn a_new_case_snapshot_makes_an_open_unmatched_item_a_matched_one_and_leaves_resolved_ones_alone() {
    let setup = Setup::new();
    let fonts = Fonts::load().unwrap();
    let registry = cases(SEED);
    let (case, other) = (&registry[6], &registry[10]);
    let without: Vec<Case> =
        registry.iter().filter(|one| ![&case.case_id, &other.case_id].contains(&&one.case_id)).cloned().collect();
    setup.write_cases(csv(&without).as_bytes());
    let daemon = setup.start();
    setup.arrive("review.tif", &review_of(&fonts, case));
    setup.arrive("resolved.tif", &review_of(&fonts, other));
    let before = item_of(&setup, "review.tif");
    assert_ne!(before["match"]["status"], "matched", "{before:#}");
    let resolved = item_of(&setup, "resolved.tif")["id"].as_str().unwrap().to_owned();
    setup.succeed(&["queue", "resolve", &resolved, "--by", "N. Bellamy"]);

    setup.write_cases(csv(&registry).as_bytes());
    let after = wait_until("the link", || {
        let item = item_of(&setup, "review.tif");
        (item["match"]["status"] == "matched").then_some(item)
    });
    assert_eq!(after["id"], before["id"], "completed in place, never moved");
    assert_eq!(after["match"]["case_id"], case.case_id.as_str());
    assert_eq!(after["assigned_to"], case.nurse);
    let resolved = setup.json(&["queue", "show", &resolved]);
    assert_ne!(resolved["match"]["status"], "matched", "what a person resolved was changed: {resolved:#}");
    assert!(daemon.stop().0.success());
    // It stays so, and the exports agree.
    setup.drain();
    assert_eq!(item_of(&setup, "review.tif")["match"]["case_id"], case.case_id.as_str());
    setup.succeed(&["verify"]);
}

/// A review of three pages, and a fax that nobody has begun; the process dies as soon as the first pages' item is there.
#[test]
#[cfg_attr(not(feature = "faults"), ignore = "needs --features faults: other builds do not die on demand")]
fn what_the_first_page_tells_is_shown_while_the_rest_is_read_and_completed_in_place() {
    let setup = Setup::new();
    let fonts = Fonts::load().unwrap();
    let registry = cases(SEED);
    setup.write_cases(csv(&registry).as_bytes());
    let case = &registry[6];
    let mut sheets: Vec<Sheet> = (0..3).map(|_| Sheet::new(&fonts)).collect();
    let first = [
        "CONCURRENT REVIEW".to_owned(),
        format!("Infant: {}, {}", case.last_name, case.first_name),
        format!("DOB: {}     MRN: {}", case.dob.strftime("%m/%d/%Y"), case.mrn),
        format!("Mother: {} {}", case.mother_first, case.mother_last),
    ];
    for (place, line) in first.iter().enumerate() {
        sheets[0].text(60.0, 80.0 + 18.0 * place as f32, 12.0, Face::Sans, line);
    }
    sheets[1].text(60.0, 80.0, 12.0, Face::Sans, "Laboratory values: Na 141, K 4.9, Hct 38");
    sheets[2].text(60.0, 80.0, 12.0, Face::Sans, "Plan: wean the incubator, teach the parents");
    let storage = Storage::Fax(Encoding::Group4, FillOrder::MostSignificantFirst);
    setup.arrive("review.tif", &fax(&sheets, &Scan::default(), storage));
    let mut command = setup.command(&["run", "--drain"]);
    let died = Setup::finish(command.env("NICUFAXD_DIE_AT", "triaged:1"));
    assert_eq!(died.code, None, "{}", died.said);

    let shown = setup.json(&["queue", "list", "--json"])[0].clone();
    assert_eq!((&shown["document_type"], &shown["lane"]), (&json!("concurrent_review"), &json!("um")), "{shown:#}");
    assert_eq!((&shown["pages"], &shown["page_range"]), (&json!(3), &json!([1, 3])));
    assert_eq!(shown["match"]["case_id"], Value::Null, "two pages nobody has read: {shown:#}");
    assert_eq!(shown["match"]["candidates"][0]["case_id"], case.case_id.as_str(), "{shown:#}");
    assert!(shown["flags"].to_string().contains("still_reading: 1 of 3 pages are read"), "{shown:#}");
    assert_eq!(shown["missing"], json!([]), "{shown:#}");
    assert!(setup.succeed(&["audit"]).contains("showed, while it is still being read"));
    // It is the same after the index was made anew.
    setup.succeed(&["rebuild"]);
    assert_eq!(setup.json(&["queue", "list", "--json"])[0], shown);

    setup.drain();
    let item = item_of(&setup, "review.tif");
    assert_eq!(item["id"], shown["id"], "completed in place, never moved");
    assert_eq!(item["match"]["case_id"], case.case_id.as_str(), "{item:#}");
    assert!(!item["flags"].to_string().contains("still_reading"), "{item:#}");
    setup.succeed(&["verify"]);
}

#[test]
fn sighup_takes_up_new_rules_and_cases_and_refuses_bad_rules() {
    let setup = Setup::with("", "[understand]\ndocument_types = \"document-types.toml\"\n");
    let rules = include_str!("../config/document-types.toml");
    let put_rules = |text: &str| fs::write(setup.path("document-types.toml"), text).unwrap();
    put_rules(rules);
    let fonts = Fonts::load().unwrap();
    let daemon = setup.start();
    setup.arrive("zebra.tif", &fax_of_lines(&fonts, &["Concurrent review of a newborn in the NICU", "Zebra protocol"]));
    assert_eq!(item_of(&setup, "zebra.tif")["document_type"], "concurrent_review");

    put_rules(&format!(
        "{rules}\n[[rule]]\nname = \"broken\"\ntype = \"appeal\"\nwhere = \"body\"\npoints = 9\npatterns = ['(']\n"
    ));
    daemon.signal(Signal::HUP);
    let refused = daemon.wait_for_line("the refusal", |line| line["stage"] == "rules" && line["level"] == "ERROR");
    assert!(refused["reason"].as_str().unwrap().contains("broken"), "{refused}");
    assert_eq!(item_of(&setup, "zebra.tif")["document_type"], "concurrent_review");

    put_rules(&format!(
        "{rules}\n[[rule]]\nname = \"zebra\"\ntype = \"appeal\"\nwhere = \"body\"\npoints = 99\npatterns = ['zebra']\n"
    ));
    setup.write_cases(csv(&cases(SEED)).as_bytes());
    daemon.signal(Signal::HUP);
    daemon.wait_for_line("the new rules", |line| line["stage"] == "rules" && line["level"] == "INFO");
    daemon.wait_for_line("the new cases", |line| line["stage"] == "cases" && line["cases"] == 41);
    wait_until("the item decided again", || (item_of(&setup, "zebra.tif")["document_type"] == "appeal").then_some(()));
    assert!(daemon.stop().0.success());
}

#[test]
fn a_file_that_is_still_being_written_is_not_taken_before_it_has_settled() {
    let setup = Setup::with("", "");
    let text = fs::read_to_string(setup.config()).unwrap().replace("settle = \"0s\"", "settle = \"1s\"");
    fs::write(setup.config(), text).unwrap();
    let fonts = Fonts::load().unwrap();
    let page = fax_number(&fonts, 1);
    let daemon = setup.start();
    // Once a fax is through, the folder is being watched; writers from before that are known by their changes only.
    setup.arrive("first.tif", &fax_number(&fonts, 3));
    item_of(&setup, "first.tif");
    let path = setup.inbox().join("slow.tif");
    let mut writing = fs::File::create(&path).unwrap();
    let (begin, end) = page.split_at(page.len() / 2);
    std::io::Write::write_all(&mut writing, begin).unwrap();
    // A whole fax that comes later is through before the half one is touched.
    setup.arrive("whole.tif", &fax_number(&fonts, 2));
    item_of(&setup, "whole.tif");
    assert!(path.exists() && setup.exported_of("slow.tif").is_empty(), "half a file was taken");
    std::io::Write::write_all(&mut writing, end).unwrap();
    drop(writing);
    let item = item_of(&setup, "slow.tif");
    assert_eq!((&item["state"], &item["flags"]), (&json!("open"), &json!([])), "{item:#}");
    assert!(setup.sealed(&page).is_some());
    assert!(daemon.stop().0.success());
}

#[test]
fn a_change_of_the_queue_is_exported_within_two_seconds() {
    let setup = Setup::new();
    let daemon = setup.start();
    setup.arrive("one.tif", &fax_number(&Fonts::load().unwrap(), 1));
    let id = item_of(&setup, "one.tif")["id"].as_str().unwrap().to_owned();
    setup.succeed(&["queue", "resolve", &id, "--by", "N. Bellamy"]);
    let resolved = Instant::now();
    wait_until("the export", || setup.exported().is_empty().then_some(()));
    assert!(resolved.elapsed() < Duration::from_secs(2), "it took {:?}", resolved.elapsed());
    assert!(daemon.stop().0.success());
}

#[test]
fn systemd_is_told_when_the_daemon_is_ready_and_when_it_stops() {
    let setup = Setup::new();
    let socket = setup.path("notify");
    let told = UnixDatagram::bind(&socket).unwrap();
    told.set_read_timeout(Some(run::PATIENCE)).unwrap();
    let next = || {
        let mut message = [0; 512];
        let length = told.recv(&mut message).unwrap();
        String::from_utf8_lossy(&message[..length]).into_owned()
    };
    let mut command = setup.command(&["run"]);
    command.env("NOTIFY_SOCKET", &socket).env("WATCHDOG_USEC", "600000");
    let daemon = Daemon::new(command);
    assert!(next().contains("READY=1"));
    // Ready means that it answers, and that a worker has loaded its language data.
    let status = setup.json(&["status", "--json"]);
    assert!(!status["workers"]["alive"].as_array().unwrap().is_empty(), "{status:#}");
    for _ in 0..2 {
        assert!(next().contains("WATCHDOG=1"));
    }
    assert!(daemon.stop().0.success());
    told.set_nonblocking(true).unwrap();
    let mut last = Vec::new();
    let mut message = [0; 512];
    while let Ok(length) = told.recv(&mut message) {
        last.push(String::from_utf8_lossy(&message[..length]).into_owned());
    }
    assert!(last.iter().any(|message| message.contains("STOPPING=1")), "{last:?}");
}

#[test]
fn a_file_may_be_deleted_once_stored_and_its_own_time_counts_without_a_sidecar() {
    let setup = Setup::with("after = \"delete\"\n", "");
    let page = fax_number(&Fonts::load().unwrap(), 1);
    let elsewhere = setup.path("old.tif");
    fs::write(&elsewhere, &page).unwrap();
    let received: jiff::Timestamp = "2026-03-16T13:12:00Z".parse().unwrap();
    fs::File::options().write(true).open(&elsewhere).unwrap().set_modified(received.into()).unwrap();
    fs::rename(elsewhere, setup.inbox().join("old.tif")).unwrap();
    setup.drain();
    let item = item_of(&setup, "old.tif");
    assert_eq!(item["received_at"].as_str().unwrap().parse::<jiff::Timestamp>().unwrap(), received);
    assert!(setup.files("inbox").is_empty() && setup.files("done").is_empty());
    assert!(setup.sealed(&page).is_some());
}

#[test]
fn a_folder_that_goes_away_and_comes_back_is_told_and_watched_again() {
    let setup = Setup::new();
    let daemon = setup.start();
    let away = setup.path("away");
    fs::rename(setup.inbox(), &away).unwrap();
    let source = |setup: &Setup| setup.json(&["status", "--json"])["sources"]["secure-fax"].clone();
    let error = wait_until("the error", || source(&setup)["last_error"].as_str().map(str::to_owned));
    assert!(error.contains("cannot be read"), "{error}");
    fs::rename(&away, setup.inbox()).unwrap();
    setup.arrive("back.tif", &fax_number(&Fonts::load().unwrap(), 1));
    assert_eq!(item_of(&setup, "back.tif")["state"], "open");
    wait_until("the error's end", || source(&setup)["last_error"].is_null().then_some(()));
    assert!(daemon.stop().0.success());
}

#[test]
fn a_log_that_nobody_takes_stops_no_work() {
    let setup = Setup::new();
    setup.arrive("0042.tif", &fax_of_lines(&Fonts::load().unwrap(), &["Concurrent review", "Weight today 1450 grams"]));
    setup.arrive("note.tif", b"Dear nurse");
    let full = fs::File::options().write(true).open("/dev/full").unwrap();
    let ended = setup.command(&["run", "--drain"]).stderr(full).status().unwrap();
    assert_eq!(ended.code(), Some(0));
    assert_eq!(setup.exported_of("0042.tif")[0]["state"], "open");
    // A reader that goes away while the daemon works.
    let mut child = setup.command(&["run"]).stderr(Stdio::piped()).spawn().unwrap();
    drop(child.stderr.take());
    setup.arrive("0043.tif", &fax_of_lines(&Fonts::load().unwrap(), &["Discharge summary", "Weight today 2450 grams"]));
    let item = wait_until("the fax in the queue", || setup.exported_of("0043.tif").pop());
    assert_eq!(item["state"], "open");
    kill_process(Pid::from_child(&child), Signal::TERM).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(0));
    setup.succeed(&["verify"]);
}

#[test]
fn a_case_file_that_is_taken_away_is_told_of_and_its_cases_stay() {
    let setup = Setup::new();
    let daemon = setup.start();
    fs::remove_file(setup.path("cases.csv")).unwrap();
    daemon.wait_for_line("the refusal", |line| line["stage"] == "cases" && line["level"] != "INFO");
    let status = setup.json(&["status", "--json"]);
    assert!(status["cases"]["refused"]["reason"].as_str().unwrap().contains("cannot be read"), "{status:#}");
    setup.write_cases(NO_CASES.as_bytes());
    wait_until("the file to be taken up again", || {
        setup.json(&["status", "--json"])["cases"]["refused"].is_null().then_some(())
    });
}
