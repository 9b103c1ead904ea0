//! Every command of the built program, while the daemon runs and while it does not: what it prints, and its exit code.

#![allow(clippy::unwrap_used, clippy::disallowed_methods, reason = "a test stops at the first surprise")]

mod generator;
mod run;

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};

use generator::registry::{cases, csv};
use generator::{Encoding, FillOrder, Fonts, SEED, Scan, Sheet, Storage, fax, fax_of_lines, sheet::Face};
use run::{DATAERR, Setup, UNAVAILABLE, USAGE, wait_until};
use serde_json::Value;

fn fax_saying(lines: &[&str]) -> Vec<u8> {
    fax_of_lines(&Fonts::load().unwrap(), lines)
}

/// Two pages, one line each.
fn fax_of_two_pages(lines: [&str; 2]) -> Vec<u8> {
    let fonts = Fonts::load().unwrap();
    let sheets = lines.map(|line| {
        let mut sheet = Sheet::new(&fonts);
        sheet.text(60.0, 90.0, 14.0, Face::Sans, line);
        sheet
    });
    let storage = Storage::Fax(Encoding::Group3OneDimensional, FillOrder::LeastSignificantFirst);
    fax(&sheets, &Scan::default(), storage)
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_else(|| panic!("{value} is no text")).to_owned()
}

#[test]
fn status_says_what_the_daemon_is_doing_and_69_when_none_runs() {
    let setup = Setup::new();
    for arguments in [&["status"][..], &["status", "--json"]] {
        let ended = setup.run(arguments);
        assert_eq!(ended.code, Some(UNAVAILABLE));
        assert!(ended.said.contains("not running"), "{}", ended.said);
    }
    let daemon = setup.start();
    setup.arrive("one.tif", &fax_saying(&["Concurrent review of a newborn"]));
    wait_until("the item", || setup.exported_of("one.tif").pop());
    let status = setup.json(&["status", "--json"]);
    assert_eq!(status["running"], true);
    assert_eq!(status["documents"]["documents"], 1);
    assert_eq!(status["documents"]["unresolved_items"], 1);
    assert_eq!(status["sources"]["secure-fax"]["accepted"], 1);
    assert!(status["sources"]["secure-fax"]["last_read"].is_string(), "{status:#}");
    assert!(!status["workers"]["alive"].as_array().unwrap().is_empty(), "{status:#}");
    assert_eq!((&status["cases"]["open"], &status["cases"]["refused"]), (&Value::from(0), &Value::Null), "{status:#}");
    assert_eq!((&status["stages"]["queued"], &status["stages"]["being_read"]), (&Value::from(1), &Value::from(0)));
    assert!(status["oldest_item"]["received_at"].is_string() && status["oldest_waiting"].is_null(), "{status:#}");
    assert!(status["last_error"].is_null(), "{status:#}");
    let table = setup.succeed(&["status"]);
    assert!(table.contains("documents.unresolved_items") && table.contains("sources.secure-fax.last_read"), "{table}");
    assert!(daemon.stop().0.success());
    assert_eq!(setup.run(&["status"]).code, Some(UNAVAILABLE));
}

#[test]
fn status_tells_how_many_documents_stand_at_each_stage_and_which_waits_longest() {
    let setup = Setup::with("", "[reader]\nworkers = 1\nattempts = 1\n");
    setup.arrive("note.tif", b"Dear nurse");
    setup.drain();
    for number in 0..3 {
        setup.arrive(&format!("{number}.tif"), format!("%fault hang {number}").as_bytes());
    }
    let daemon = setup.start();
    let status = wait_until("all at their stages", || {
        let status = setup.json(&["status", "--json"]);
        (status["stages"]["being_read"] == 2 && status["stages"]["waiting_to_be_read"] == 1).then_some(status)
    });
    assert_eq!(
        (&status["stages"]["held"], &status["stages"]["queued"]),
        (&Value::from(1), &Value::from(0)),
        "{status:#}"
    );
    let oldest = text(&status["oldest_waiting"]["document"]);
    assert!((0..3).any(|number| setup.id(format!("%fault hang {number}").as_bytes()).short() == oldest));
    assert!(setup.succeed(&["status"]).contains("stages.waiting_to_be_read"));
    assert!(daemon.stop().0.success());
}

#[test]
fn a_misused_command_ends_with_64_and_help_and_version_with_0() {
    let setup = Setup::new();
    for arguments in [
        &["no-such-command"][..],
        &["run", "--no-such-option"],
        &["queue", "resolve"],
        &["submit", "a.tif", "--received-at", "yesterday"],
        &[],
    ] {
        let ended = setup.run(arguments);
        assert_eq!((ended.code, ended.printed.as_str()), (Some(USAGE), ""), "{arguments:?}: {}", ended.said);
        assert!(ended.said.contains("--help"), "{arguments:?}: {}", ended.said);
    }
    for (arguments, wanted) in
        [(&["--help"][..], "Usage:"), (&["submit", "--help"], "--sender"), (&["--version"], "0.")]
    {
        assert!(setup.succeed(arguments).contains(wanted), "{arguments:?}");
    }
}

#[test]
fn the_queue_and_the_held_list_answer_alike_with_and_without_a_daemon() {
    let setup = Setup::with("", "[reader]\nattempts = 1\n");
    setup.arrive("review.tif", &fax_saying(&["CONCURRENT REVIEW", "Baby is a newborn in our NICU"]));
    setup.arrive("note.tif", b"Dear nurse, this is not a picture at all.");
    setup.drain();

    let look = || {
        let listed = setup.json(&["queue", "list", "--json"]);
        let id = text(&setup.exported_of("review.tif")[0]["id"]);
        let shown = setup.json(&["queue", "show", &id]);
        let by_lane: Vec<Value> = ["um", "attention", "medical_director"]
            .iter()
            .map(|lane| setup.json(&["queue", "list", "--json", "--lane", lane]))
            .collect();
        let held = setup.json(&["held", "list", "--json"]);
        let held_id = text(&held[0]["id"]);
        let held_shown = setup.json(&["held", "show", &held_id]);
        let tables = [setup.succeed(&["queue", "list"]), setup.succeed(&["held", "list"])];
        (listed, shown, by_lane, held, held_shown, tables)
    };
    let ended = setup.run(&["queue", "list", "--lane", "no-such-lane"]);
    assert!(ended.code == Some(USAGE) && ended.said.contains("medical_director"), "{ended:?}");
    let without = look();
    let daemon = setup.start();
    let with = look();
    assert_eq!(without, with);

    // Looking changes nothing: a held document is not tried again by being shown.
    assert_eq!(with, look());
    let (listed, shown, by_lane, held, _, [queue_table, held_table]) = with;
    assert_eq!(listed.as_array().unwrap().len(), 2);
    assert_eq!(shown["source_file"], "review.tif");
    let ids = |items: &[Value]| items.iter().map(|item| text(&item["id"])).collect::<Vec<_>>();
    assert_eq!(ids(&setup.exported()), ids(listed.as_array().unwrap()), "queue.jsonl and `queue list` differ");
    assert_eq!(setup.exported(), *listed.as_array().unwrap(), "to the last digit");
    assert_eq!(shown, listed.as_array().unwrap().iter().find(|item| item["id"] == shown["id"]).unwrap().clone());
    let in_lanes: usize = by_lane.iter().map(|items| items.as_array().unwrap().len()).sum();
    assert_eq!((in_lanes, by_lane[2].as_array().unwrap().len()), (2, 0));
    assert_eq!(held.as_array().unwrap().len(), 1);
    assert!(queue_table.contains("review.tif") && queue_table.contains("concurrent_review"), "{queue_table}");
    assert!(
        held_table.contains("note.tif") && held_table.contains("no TIFF, PDF, JPEG, PNG, GIF, BMP or email"),
        "{held_table}"
    );
    assert!(daemon.stop().0.success());
}

#[test]
fn an_id_that_is_none_and_one_that_is_not_known_are_bad_input() {
    let setup = Setup::new();
    let daemon = setup.start();
    for _ in 0..2 {
        for arguments in [
            &["queue", "show", "nonsense"][..],
            &["queue", "show", "0123456789abcdef-1"],
            &["queue", "resolve", "0123456789abcdef-1", "--by", "T. Ashgrove"],
            &["held", "show", "0123456789abcdef"],
            &["held", "retry", "0123456789abcdef"],
            &["cases", "show", "UM00000"],
            &["read", "no-such-file.tif"],
            &["submit", "no-such-file.tif"],
            &["cases", "import", "no-such-file.csv"],
        ] {
            let ended = setup.run(arguments);
            assert_eq!((ended.code, ended.printed.as_str()), (Some(DATAERR), ""), "{arguments:?}: {}", ended.said);
            assert!(ended.said.contains(arguments[if arguments.len() == 2 { 1 } else { 2 }]), "{}", ended.said);
        }
        // The second time without it.
        daemon.signal(rustix::process::Signal::TERM);
        wait_until("the daemon's end", || (setup.run(&["status"]).code == Some(UNAVAILABLE)).then_some(()));
        wait_until("the lock", || (setup.run(&["queue", "list"]).code == Some(0)).then_some(()));
    }
}

#[test]
fn a_resolved_item_leaves_queue_and_exports_and_never_comes_back() {
    let setup = Setup::new();
    let page = fax_saying(&["Concurrent review of a newborn"]);
    setup.arrive("one.tif", &page);
    setup.arrive("two.tif", &fax_saying(&["Discharge of a newborn"]));
    let daemon = setup.start();
    let first = wait_until("both items", || (setup.exported().len() == 2).then(|| setup.exported_of("one.tif").pop()));
    let second = setup.exported_of("two.tif").pop().unwrap();
    let (first, second) = (text(&first.unwrap()["id"]), text(&second["id"]));

    let resolve = ["queue", "resolve", &first, "--by", "N. Bellamy", "--note", "seen"];
    assert!(setup.succeed(&resolve).contains(&first));
    wait_until("the export", || (setup.exported().len() == 1).then_some(()));
    let unknown = setup.run(&["queue", "resolve", &second, "--by", "N. Bellamy", "--case", "UNKNOWN"]);
    assert_eq!(unknown.code, Some(DATAERR), "{}", unknown.said);
    assert!(unknown.said.contains("UNKNOWN is no case") && unknown.said.contains("stays open"), "{}", unknown.said);
    assert_eq!(setup.json(&["queue", "show", &second])["state"], "open");
    let again = setup.run(&resolve);
    assert_eq!(again.code, Some(DATAERR));
    assert!(again.said.contains("resolved already"), "{}", again.said);
    assert_eq!(setup.json(&["queue", "show", &first])["state"], "resolved");
    // The same fax again is no new work.
    setup.arrive("one-again.tif", &page);
    wait_until("the second arrival", || (setup.files("inbox").is_empty()).then_some(()));
    assert!(daemon.stop().0.success());

    // A remark that no list of processes may show comes by standard input.
    let mut command = setup.command(&["queue", "resolve", &second, "--by", "N. Bellamy", "--note", "-"]);
    let remark = setup.path("remark");
    fs::write(&remark, "a word with the mother\n").unwrap();
    let ended = Setup::finish(command.stdin(fs::File::open(remark).unwrap()));
    assert_eq!(ended.code, Some(0), "{}", ended.said);
    assert!(setup.succeed(&["audit", "--document", &second]).contains("a word with the mother"));
    assert_eq!(setup.json(&["queue", "list", "--json"]), Value::Array(Vec::new()));
    setup.drain();
    assert_eq!(setup.exported(), Vec::<Value>::new());
    setup.succeed(&["verify"]);
    setup.succeed(&["rebuild"]);
    assert_eq!(setup.json(&["queue", "show", &first])["state"], "resolved");
    assert_eq!(setup.exported(), Vec::<Value>::new());
}

#[test]
#[cfg_attr(not(feature = "faults"), ignore = "needs --features faults")]
fn a_held_document_is_tried_again_when_a_person_wants_it() {
    let setup = Setup::with("", "[reader]\nattempts = 1\n");
    let daemon = setup.start();
    setup.arrive("poison.tif", b"%fault abort");
    let attempts = || {
        let begun = |line: &&String| line.contains("\"stage\":\"read\"") && line.contains("held for a person");
        daemon.log().iter().filter(begun).count()
    };
    wait_until("the first try", || (attempts() == 1).then_some(()));
    let held = setup.held_of("poison.tif");
    assert!(text(&held["reason"]).contains("given up after 1 attempts"), "{held}");
    let id = text(&held["id"]);
    assert!(setup.succeed(&["held", "retry", &id]).contains(&id));
    wait_until("the second try", || (attempts() == 2).then_some(()));
    assert!(daemon.stop().0.success());

    // Without a daemon it waits for the next start.
    setup.succeed(&["held", "retry", &id]);
    assert_eq!(setup.held(), Vec::<Value>::new());
    setup.drain();
    assert_eq!(text(&setup.held_of("poison.tif")["id"]), id);
    assert_eq!(setup.exported_of("poison.tif").len(), 1);
}

#[test]
fn a_submitted_file_is_stored_before_its_id_is_printed_and_twice_is_one_document() {
    let setup = Setup::new();
    let file = setup.path("0042.tif");
    let page = fax_saying(&["Concurrent review of a newborn"]);
    fs::write(&file, &page).unwrap();
    let submit = [
        "submit",
        file.to_str().unwrap(),
        "--source",
        "hook",
        "--sender",
        "6175550134",
        "--received-at",
        "2026-03-16T09:12:00-04:00",
    ];
    // Nobody runs: it is stored all the same, and read at the next start.
    let printed = setup.succeed(&submit);
    let id = setup.id(&page);
    assert_eq!(printed.trim(), id.as_str());
    assert!(setup.sealed(&page).is_some());
    assert!(file.exists(), "the file is the script's own");
    assert_eq!(setup.exported(), Vec::<Value>::new());

    let daemon = setup.start();
    let item = wait_until("the item", || setup.exported_of("0042.tif").pop());
    assert_eq!((&item["source"], &item["sender"]), (&Value::from("hook"), &Value::from("6175550134")));
    let received: jiff::Timestamp = text(&item["received_at"]).parse().unwrap();
    assert_eq!(received.to_string(), "2026-03-16T13:12:00Z");
    assert_eq!(text(&item["id"]), format!("{}-1", id.short()));
    assert_eq!(setup.succeed(&submit).trim(), id.as_str());
    let line = daemon.wait_for_line("the line of its intake", |line| line["source"] == "submit");
    assert_eq!((&line["stage"], &line["document"]), (&Value::from("intake"), &Value::from(id.short())), "{line}");
    assert!(line["ms"].is_u64() && line["first"].is_boolean(), "{line}");

    // While it runs, what is refused does not keep the others from being accepted.
    let (empty, other) = (setup.path("empty.tif"), setup.path("other.tif"));
    fs::write(&empty, b"").unwrap();
    let second = fax_saying(&["Discharge of a newborn"]);
    fs::write(&other, &second).unwrap();
    let ended = setup.run(&["submit", empty.to_str().unwrap(), other.to_str().unwrap()]);
    assert_eq!(ended.code, Some(DATAERR));
    assert_eq!(ended.printed.trim(), setup.id(&second).as_str());
    assert!(ended.said.contains("empty.tif") && ended.said.contains("send the document again"), "{}", ended.said);
    wait_until("the other item", || setup.exported_of("other.tif").pop());
    assert_eq!(setup.exported().len(), 2);
    assert!(daemon.stop().0.success());
    setup.succeed(&["verify"]);
}

/// What `submit` must refuse: a file of its own name each, and a word of the reason.
fn refused_files(setup: &Setup) -> Vec<(std::path::PathBuf, &'static str)> {
    let named = |name: &str| setup.path(name);
    fs::write(named("empty.tif"), b"").unwrap();
    std::os::unix::fs::symlink(named("empty.tif"), named("link.tif")).unwrap();
    rustix::fs::mkfifoat(rustix::fs::CWD, named("pipe.tif"), rustix::fs::Mode::RWXU).unwrap();
    // Sparse: it takes no room.
    fs::File::create(named("long.tif")).unwrap().set_len(100_000_001).unwrap();
    vec![
        (named("empty.tif"), "the file is empty"),
        (named("link.tif"), "symbolic link"),
        (named("pipe.tif"), "no regular file"),
        (named("long.tif"), "larger than the limit of 100000000 bytes"),
    ]
}

#[test]
fn what_submit_refuses_is_held_and_logged_until_it_comes_or_a_person_has_seen_to_it() {
    let setup = Setup::new();
    let refused = refused_files(&setup);
    let submit = |file: &std::path::Path| setup.run(&["submit", file.to_str().unwrap(), "--source", "hook"]);
    let daemon = setup.start();
    // The same file again is one entry; with the daemon and, at last, without it.
    for round in 0..2 {
        for (file, reason) in &refused {
            let ended = submit(file);
            assert_eq!((ended.code, ended.printed.as_str()), (Some(DATAERR), ""), "{}", ended.said);
            let name = file.file_name().unwrap().to_str().unwrap();
            let held = setup.held_of(name);
            assert_eq!((&held["kind"], &held["source"]), (&Value::from("refused"), &Value::from("submit")));
            assert!(text(&held["reason"]).contains(reason), "{held}");
            assert!(ended.said.contains(reason) && ended.said.contains(&text(&held["id"])), "{}", ended.said);
            let line = daemon.wait_for_line("its line", |line| line["id"] == held["id"]);
            assert_eq!(
                (&line["stage"], &line["reason"], &line["level"]),
                (&"intake".into(), &held["reason"], &"WARN".into())
            );
            assert!(line["ms"].is_u64() && !line.to_string().contains(name), "{line}");
        }
        assert_eq!(setup.held().len(), refused.len(), "round {round}");
    }
    // The file is put right: its entry goes, the others stay.
    let [(empty, _), (link, _), (pipe, _), (long, _)] = refused.as_slice() else { panic!("four files") };
    fs::write(empty, fax_saying(&["Discharge of a newborn"])).unwrap();
    assert_eq!(submit(empty).code, Some(0));
    assert_eq!(setup.held().len(), 3);
    let long = text(&setup.held_of(long.file_name().unwrap().to_str().unwrap())["id"]);
    assert_eq!(setup.run(&["held", "retry", &long]).code, Some(DATAERR));
    assert!(setup.succeed(&["held", "dismiss", &long]).contains(&long));
    assert!(daemon.stop().0.success());
    // Without a daemon, and across a restart and a rebuild.
    assert_eq!(setup.held().len(), 2);
    fs::remove_file(link).unwrap();
    fs::write(link, fax_saying(&["Concurrent review of a newborn"])).unwrap();
    assert_eq!(submit(link).code, Some(0));
    let ended = submit(pipe);
    assert_eq!(ended.code, Some(DATAERR));
    setup.succeed(&["rebuild"]);
    let held = setup.held();
    assert_eq!((held.len(), &held[0]["source_file"]), (1, &Value::from("pipe.tif")));
    setup.drain();
    assert_eq!(setup.held().len(), 1, "a watched folder clears its own refusals only");
    assert_eq!(setup.exported().len(), 2);
    setup.succeed(&["verify"]);
}

#[test]
fn a_document_or_a_folders_refusal_is_not_dismissed() {
    let setup = Setup::new();
    setup.arrive("note.tif", b"Dear nurse");
    setup.arrive("empty.tif", b"");
    setup.drain();
    for file in ["note.tif", "empty.tif"] {
        let id = text(&setup.held_of(file)["id"]);
        let ended = setup.run(&["held", "dismiss", &id]);
        assert_eq!(ended.code, Some(DATAERR), "{}", ended.said);
        assert!(ended.said.contains(&id), "{}", ended.said);
    }
    assert_eq!(setup.held().len(), 2);
}

#[test]
fn cases_are_imported_listed_and_shown_and_a_running_daemon_takes_them_up() {
    let setup = Setup::new();
    assert_eq!(setup.json(&["cases", "list", "--json"]), Value::Array(Vec::new()));
    let daemon = setup.start();
    let registry = cases(SEED);
    let file = setup.path("export.csv");
    fs::write(&file, csv(&registry)).unwrap();
    assert_eq!(setup.succeed(&["cases", "import", file.to_str().unwrap()]), "41 cases imported\n");
    daemon.wait_for_line("the new cases", |line| line["stage"] == "cases" && line["cases"] == 41);
    let listed = setup.json(&["cases", "list", "--json"]);
    assert_eq!(listed.as_array().unwrap().len(), 41);
    let table = setup.succeed(&["cases", "list"]);
    assert_eq!(table.lines().count(), 42);
    assert!(table.contains("Okonjo-Reyes, Mateus"), "{table}");
    let shown = setup.json(&["cases", "show", &registry[5].case_id]);
    assert_eq!((&shown["mrn"], &shown["last_name"]), (&registry[5].mrn.as_str().into(), &"Pham".into()));
    assert!(daemon.stop().0.success());
}

#[test]
fn reading_a_file_shows_what_would_be_read_and_accepts_nothing() {
    let setup = Setup::new();
    let registry = cases(SEED);
    setup.write_cases(csv(&registry).as_bytes());
    let case = &registry[6];
    let baby = format!("{}, {}", case.last_name, case.first_name);
    let born = case.dob.strftime("%m/%d/%Y");
    let pages = ["NICU concurrent review".to_owned(), format!("Patient: {baby} DOB {born} MRN {}", case.mrn)];
    let file = setup.path("two-pages.tif");
    fs::write(&file, fax_of_two_pages(pages.each_ref().map(String::as_str))).unwrap();
    let file = file.to_str().unwrap();

    let printed = setup.succeed(&["read", file]);
    let read: Vec<&str> = printed.split('\u{c}').map(str::trim).collect();
    assert_eq!(read, pages);
    let words = setup.json(&["read", file, "--json"]);
    let second = &words["pages"][1];
    assert_eq!(second["number"], 2);
    let word = second["words"].as_array().unwrap().iter().find(|word| word["text"] == "DOB").unwrap();
    assert!(word["confidence"].as_f64().unwrap() > 0.5, "{word}");
    assert!(word.get("box").is_some(), "{word}");
    let explained = setup.json(&["read", file, "--explain"])["segments"][0].clone();
    assert_eq!(explained["item"]["document_type"], "concurrent_review", "{explained:#}");
    assert_eq!(explained["item"]["match"]["case_id"], case.case_id.as_str(), "{explained:#}");
    assert!(!explained["item"]["match"]["reasons"].as_array().unwrap().is_empty());
    assert!(!explained["fired_rules"].as_array().unwrap().is_empty());
    assert!(!setup.path("state").exists(), "a dry run leaves nothing behind");

    let bad = setup.path("note.tif");
    fs::write(&bad, b"Dear nurse").unwrap();
    let ended = setup.run(&["read", bad.to_str().unwrap()]);
    assert_eq!((ended.code, ended.printed.as_str()), (Some(DATAERR), ""));
    let id = setup.id(b"Dear nurse");
    assert!(
        ended.said.contains("no TIFF, PDF, JPEG, PNG, GIF, BMP or email") && ended.said.contains(id.short()),
        "{}",
        ended.said
    );
}

#[test]
fn check_finds_nothing_wrong_with_a_good_set_up_whether_or_not_the_daemon_runs() {
    let setup = Setup::new();
    assert!(setup.succeed(&["check"]).contains("all is well"));
    let daemon = setup.start();
    assert!(setup.succeed(&["check"]).contains("all is well"));
    setup.succeed(&["verify"]);
    assert!(daemon.stop().0.success());
    setup.succeed(&["verify"]);
    setup.succeed(&["rebuild"]);
}

/// An escape, C1, soft hyphen, Arabic and Mongolian marks, a filler, a turn of the direction, an anchor, a tag.
const STEERING: [char; 10] =
    ['\u{1b}', '\u{9b}', '\u{ad}', '\u{61c}', '\u{180e}', '\u{3164}', '\u{202e}', '\u{2066}', '\u{fff9}', '\u{e0041}'];

#[test]
fn what_would_steer_a_terminal_is_shown_by_no_command_whether_it_stands_in_a_name_or_in_an_argument() {
    let setup = Setup::new();
    let steering: String = STEERING.iter().collect();
    let (queued, held) = (format!("q{steering}.tif"), format!("h{steering}.tif"));
    setup.arrive(&queued, &fax_saying(&["Concurrent review of a newborn"]));
    setup.arrive(&held, b"Dear nurse");
    setup.drain();
    // JSON says what it is, though nothing of it steers.
    let item = text(&setup.exported_of(&queued)[0]["id"]);
    assert_eq!(setup.json(&["queue", "show", &item])["source_file"], queued.as_str());
    let held = text(&setup.held_of(&held)["id"]);
    for arguments in [
        &["queue", "list"][..],
        &["queue", "list", "--json"],
        &["queue", "show", &item],
        &["held", "list"],
        &["held", "list", "--json"],
        &["held", "show", &held],
        &["audit"],
    ] {
        let printed = setup.succeed(arguments);
        assert!(!printed.contains(STEERING) && !printed.contains('\t'), "{arguments:?}: {printed:?}");
    }
    let nowhere = format!("nowhere{steering}/a\nnicufaxd: all is well");
    for arguments in [
        &["read", &nowhere][..],
        &["submit", &nowhere],
        &["queue", "show", &nowhere],
        &["held", "retry", &nowhere],
        &["outbox", "show", &nowhere],
        &["cases", "show", &nowhere],
        &["cases", "import", &nowhere],
        &["key", "new", &nowhere],
        &["queue", "list", "--lane", &nowhere],
    ] {
        let ended = setup.run(arguments);
        assert_ne!(ended.code, Some(0), "{arguments:?}");
        assert!(!ended.said.contains(STEERING), "{arguments:?}: {:?}", ended.said);
        assert!(ended.said.contains("nowhere\\u{1b}"), "{arguments:?}: {:?}", ended.said);
    }
}

#[test]
fn a_lost_document_is_held_counted_and_never_dismissed_without_a_name() {
    let setup = Setup::new();
    let page = fax_saying(&["Concurrent review of a newborn"]);
    setup.arrive("lost.tif", &page);
    setup.arrive("other.tif", &fax_saying(&["Discharge of a newborn"]));
    setup.drain();
    let (file, id) = (setup.sealed(&page).unwrap(), setup.id(&page));
    let whole = fs::read(&file).unwrap();
    fs::remove_file(&file).unwrap();
    let ended = setup.run(&["run", "--drain"]);
    assert!(ended.code == Some(0) && ended.said.contains("1 lost"), "{}", ended.said);
    let daemon = setup.start();
    assert_eq!(setup.json(&["status", "--json"])["stages"]["lost"], 1);
    let held = setup.held();
    assert!(
        matches!(held.as_slice(), [held] if held["document"] == id.as_str()
            && text(&held["reason"]).contains("missing or damaged")),
        "{held:#?}"
    );
    for id in [id.short(), id.as_str()] {
        assert_eq!(setup.json(&["held", "show", id])["kind"], "document");
        for arguments in [["held", "retry", id], ["held", "dismiss", id]] {
            let ended = setup.run(&arguments);
            assert_eq!(ended.code, Some(DATAERR), "{}", ended.said);
            for words in ["restore it from a copy", "sent again", "queue resolve", &format!("{}-1", id_short(id))] {
                assert!(ended.said.contains(words), "{words}: {}", ended.said);
            }
        }
    }
    // Who was shown the list was shown that document, though the journal alone could not tell.
    let trail = setup.succeed(&["audit", "--document", id.short()]);
    assert!(trail.contains("was shown the list of what is held, 1 entries"), "{trail}");
    assert!(daemon.stop().0.success());
    fs::write(&file, &whole).unwrap();
    assert_eq!(setup.held(), Vec::<Value>::new());
    fs::remove_file(&file).unwrap();
    setup.succeed(&["queue", "resolve", &format!("{}-1", id.short()), "--by", "N. Bellamy", "--note", "sent by post"]);
    assert_eq!(setup.held(), Vec::<Value>::new());
    assert!(setup.succeed(&["audit", "--document", id.short()]).contains("N. Bellamy"));
}

fn id_short(id: &str) -> String {
    id.chars().take(16).collect()
}

#[test]
fn a_document_whose_pages_rotted_is_told_once_they_are_wanted_and_keeps_no_other_from_being_shown() {
    let setup = Setup::new();
    let page = fax_saying(&["Concurrent review of a newborn"]);
    setup.arrive("rotten.tif", &page);
    setup.arrive("sound.tif", &fax_saying(&["Discharge of a newborn"]));
    setup.drain();
    let file = setup.sealed(&page).unwrap();
    fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).unwrap();
    let mut bytes = fs::read(&file).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(&file, bytes).unwrap();
    // Both are to be made anew, and one of them cannot be.
    fs::remove_dir_all(setup.path("worklist/items")).unwrap();
    let ended = setup.run(&["run", "--drain"]);
    assert!(ended.code == Some(0) && ended.said.contains("1 lost"), "{}", ended.said);
    let folder = |name: &str| setup.path("worklist/items").join(text(&setup.exported_of(name)[0]["id"]));
    assert!(folder("sound.tif").join("document.pdf").exists());
    assert!(folder("rotten.tif").join("item.json").exists() && !folder("rotten.tif").join("document.pdf").exists());
}

#[test]
fn a_start_and_a_reload_bring_the_exports_to_the_group_and_the_mode_that_the_configuration_says() {
    let setup = Setup::new();
    setup.arrive("one.tif", &fax_saying(&["Concurrent review of a newborn"]));
    setup.drain();
    let modes = || {
        let mut all = vec![setup.path("worklist"), setup.path("worklist/items")];
        all.extend(fs::read_dir(setup.path("worklist/items")).unwrap().map(|entry| entry.unwrap().path()));
        all.extend(run::files_below(&setup.path("worklist")));
        let mode = |path: &std::path::PathBuf| fs::metadata(path).unwrap().mode() & 0o7777;
        all.iter().map(mode).collect::<std::collections::BTreeSet<u32>>().into_iter().collect::<Vec<u32>>()
    };
    assert_eq!(modes(), [0o600, 0o700]);
    // A group that any user may give: the own one.
    let configured = fs::read_to_string(setup.config()).unwrap();
    let group = std::process::Command::new("id").arg("-gn").output().unwrap().stdout;
    let group = format!("dir = \"worklist\"\ngroup = \"{}\"", String::from_utf8(group).unwrap().trim());
    fs::write(setup.config(), configured.replace("dir = \"worklist\"", &group)).unwrap();
    setup.succeed(&["check"]);
    setup.drain();
    assert_eq!(modes(), [0o640, 0o750]);
    let daemon = setup.start();
    let item = fs::read_dir(setup.path("worklist/items")).unwrap().next().unwrap().unwrap().path();
    fs::set_permissions(&item, fs::Permissions::from_mode(0o755)).unwrap();
    fs::set_permissions(item.join("document.pdf"), fs::Permissions::from_mode(0o644)).unwrap();
    daemon.signal(rustix::process::Signal::HUP);
    wait_until("the end of what others could see", || (modes() == [0o640, 0o750]).then_some(()));
    assert!(daemon.stop().0.success());
    fs::write(setup.config(), configured).unwrap();
    setup.drain();
    assert_eq!(modes(), [0o600, 0o700]);
}
