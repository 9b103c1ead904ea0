//! Bad input against the built program: every refusal names the file's id, what is wrong and what to do, what came is
//! kept, and good faxes beside it are queued all the same.

#![allow(clippy::unwrap_used, clippy::disallowed_methods, reason = "a test stops at the first surprise")]

mod generator;
mod run;

use std::fs;
use std::os::unix::fs::symlink;

use generator::registry::{Case, cases, csv};
use generator::sheet::Face;
use generator::{Encoding, FillOrder, Fonts, SEED, Scan, Sheet, Storage, fax, fax_of_lines, hostile};
use run::{DATAERR, Setup, wait_until};
use serde_json::{Value, json};

/// A fax that anybody can read, quickly.
fn good_fax() -> Vec<u8> {
    fax_of_lines(&Fonts::load().unwrap(), &["Concurrent review of a newborn in the NICU"])
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_else(|| panic!("{value} is no text"))
}

#[test]
fn every_hostile_document_is_kept_and_shown_with_its_reason_while_good_faxes_go_on() {
    let setup = Setup::with("", "[reader]\npage_timeout = \"20s\"\nattempts = 2\n");
    let fonts = Fonts::load().unwrap();
    let cut = fax_of_lines(&fonts, &["This fax was good until it was cut off."; 30]);
    let hostile = hostile::documents(&cut);
    for document in &hostile {
        setup.arrive(document.file, &document.bytes);
    }
    setup.arrive("good-before.tif", &fax_of_lines(&fonts, &["Concurrent review of a newborn"]));
    setup.arrive("zz-good-after.tif", &fax_of_lines(&fonts, &["Discharge of a newborn"]));
    let log = setup.drain();

    for good in ["good-before.tif", "zz-good-after.tif"] {
        let items = setup.exported_of(good);
        assert_eq!(items.len(), 1, "{good}: {items:#?}");
        assert_eq!(items[0]["state"], "open", "{good}");
    }
    // What each of them must be told to be, and what to do about it.
    let wanted = [
        ("no-pages.tif", "no pages", "send it again"),
        ("huge-claim.tif", "60000 x 60000 pixels", "raise the limit"),
        ("looping-directories.tif", "", ""),
        ("text.tif", "no TIFF, PDF, JPEG, PNG, GIF, BMP or email", "look at it by hand"),
        ("flate-bomb.pdf", "unpacks to more than", "send it again"),
        ("page-tree-bomb.pdf", "", ""),
        ("huge-picture.pdf", "", ""),
        ("encrypted.pdf", "encrypted", "without a password"),
        ("header-only.pdf", "", "send it again"),
        ("truncated.tif", "", ""),
        ("forwarded-without-end.eml", "signal", "by hand"),
    ];
    for (file, problem, remedy) in wanted {
        let bytes = &hostile.iter().find(|document| document.file == file).unwrap().bytes;
        assert!(setup.sealed(bytes).is_some(), "{file} was not kept as it came");
        let items = setup.exported_of(file);
        assert_eq!(items.len(), 1, "{file} must be seen by a nurse once: {items:#?}");
        let item = &items[0];
        if item["state"] == "held" {
            assert_eq!((&item["lane"], &item["match"]["case_id"]), (&json!("attention"), &Value::Null), "{file}");
            let held = setup.held_of(file);
            let reason = text(&held["reason"]);
            assert!(reason.contains(problem) && reason.contains(remedy), "{file}: {reason}");
            assert!(text(&item["id"]).starts_with(text(&held["id"])), "{file}: {held}");
            assert!(log.contains(text(&held["id"])), "{file} has no line in the log");
            let shown = setup.json(&["held", "show", text(&held["id"])]);
            assert_eq!(shown["document"], held["document"]);
        } else {
            // Something of it could be read: the item itself must say that it is not whole.
            let flags = item["flags"].to_string();
            let told = ["damaged_rows", "unreadable", "blank", "illegible"].iter().any(|f| flags.contains(f));
            assert!(told && problem.is_empty(), "{file} passes for a good document: {item:#}");
        }
        eprintln!("{file}: {} {}", item["state"], item["flags"]);
    }
    // Nothing is stored of an empty file: it stays where it lies and is listed.
    assert!(text(&setup.held_of("empty.tif")["reason"]).contains("empty"));
    assert_eq!(setup.files("inbox"), ["empty.tif"]);
    let held = setup.succeed(&["held", "list"]);
    for (file, ..) in wanted.iter().filter(|(_, problem, _)| !problem.is_empty()) {
        assert!(held.contains(file), "{held}");
    }
    setup.succeed(&["verify"]);
}

#[test]
fn a_pdf_that_inflates_beyond_a_workers_memory_is_held_while_good_faxes_go_on() {
    let setup = Setup::with("", "[reader]\nworkers = 1\nattempts = 2\n");
    let bomb = hostile::pdf_large_flate_bomb(256);
    assert!(bomb.len() < 100_000, "{} bytes", bomb.len());
    setup.arrive("bomb.pdf", &bomb);
    setup.arrive("good.tif", &good_fax());
    setup.drain();
    let item = setup.exported_of("bomb.pdf").pop().unwrap();
    assert_eq!((&item["state"], &item["lane"]), (&json!("held"), &json!("attention")), "{item:#}");
    let held = setup.held_of("bomb.pdf");
    assert!(text(&held["reason"]).contains("unpacks to more than"), "{held}");
    assert!(setup.sealed(&bomb).is_some());
    assert_eq!(setup.exported_of("good.tif")[0]["state"], "open");
}

#[test]
fn a_fax_cut_off_in_its_second_page_keeps_the_first_and_says_what_is_missing() {
    let setup = Setup::new();
    let fonts = Fonts::load().unwrap();
    let sheets = ["CONCURRENT REVIEW of a newborn in the NICU", "This page was never received whole"].map(|line| {
        let mut sheet = Sheet::new(&fonts);
        sheet.text(60.0, 90.0, 14.0, Face::Sans, line);
        sheet
    });
    let storage = Storage::Fax(Encoding::Group3OneDimensional, FillOrder::LeastSignificantFirst);
    let mut bytes = fax(&sheets, &Scan::default(), storage);
    // The second page's directory stands at the end: its last bytes are gone.
    bytes.truncate(bytes.len() - 300);
    setup.arrive("cut.tif", &bytes);
    setup.drain();
    let item = setup.exported_of("cut.tif").pop().unwrap();
    assert_eq!((&item["state"], &item["document_type"]), (&json!("open"), &json!("concurrent_review")), "{item:#}");
    assert_eq!(item["pages"], 2, "a page that cannot be read is a page: {item:#}");
    assert!(item["flags"].to_string().contains("unreadable: p2"), "{item:#}");
    assert!(setup.sealed(&bytes).is_some());
}

#[test]
fn links_pipes_empty_and_overlong_files_are_refused_once_and_left_where_they_lie() {
    let setup = Setup::with("max_bytes = \"20kB\"\n", "");
    let elsewhere = setup.path("elsewhere.tif");
    fs::write(&elsewhere, good_fax()).unwrap();
    symlink(&elsewhere, setup.inbox().join("link.tif")).unwrap();
    let pipe = setup.inbox().join("pipe.tif");
    rustix::fs::mkfifoat(rustix::fs::CWD, &pipe, rustix::fs::Mode::RWXU).unwrap();
    setup.arrive("empty.tif", b"");
    setup.arrive("long.tif", &vec![b'x'; 20_001]);
    setup.arrive("good.tif", &good_fax());
    let log = setup.drain();
    let refused = [
        ("link.tif", "symbolic link", "put the file itself there"),
        ("pipe.tif", "a pipe", "remove it"),
        ("empty.tif", "empty", "send the document again"),
        ("long.tif", "larger than the limit of 20000 bytes", "split it or raise max_bytes"),
    ];
    for (file, problem, remedy) in refused {
        let held = setup.held_of(file);
        assert_eq!(held["kind"], "refused");
        let reason = text(&held["reason"]);
        assert!(reason.contains(problem) && reason.contains(remedy), "{file}: {reason}");
        let lines: Vec<Value> = log
            .lines()
            .filter(|line| line.contains(text(&held["id"])))
            .map(|line| serde_json::from_str(line).unwrap())
            .collect();
        let [line] = lines.as_slice() else { panic!("{file}:\n{log}") };
        assert_eq!((&line["stage"], &line["reason"]), (&json!("intake"), &held["reason"]));
        assert!(line["ms"].is_u64(), "{line}");
        assert!(!log.contains(file), "a file's name is in the log:\n{log}");
    }
    assert_eq!(setup.files("inbox"), ["empty.tif", "link.tif", "long.tif", "pipe.tif"]);
    assert_eq!(setup.exported_of("good.tif").len(), 1);
    assert_eq!(setup.exported().len(), 1);

    // Neither a restart nor a look a second later says it again.
    let daemon = setup.start();
    setup.arrive("later.tif", &fax_of_lines(&Fonts::load().unwrap(), &["Another one"]));
    wait_until("the later fax", || (setup.exported_of("later.tif").len() == 1).then_some(()));
    let (_, log, _) = daemon.stop();
    assert!(!log.iter().any(|line| line.contains("refused-")), "{log:#?}");
    // Once put right, they are listed no longer.
    for (file, ..) in refused {
        fs::remove_file(setup.inbox().join(file)).unwrap();
    }
    setup.drain();
    assert_eq!(setup.held(), Vec::<Value>::new());
}

/// A registry with a date that is none.
fn cases_with_a_bad_date(cases: &[Case]) -> Vec<u8> {
    let dob = cases[2].dob.to_string();
    csv(cases).replacen(&format!(",{dob},"), ",2026-02-30,", 1).into_bytes()
}

/// Every bad snapshot, and what must be said of where it is bad.
fn bad_snapshots() -> Vec<(&'static str, Vec<u8>, Vec<&'static str>)> {
    let cases = cases(SEED);
    vec![
        ("a missing column", hostile::cases_without_a_column(&cases), vec!["line 1", "`dob`"]),
        ("a duplicate id", hostile::cases_with_a_duplicate_id(&cases), vec!["line 43", "`case_id`", "line 2"]),
        ("Latin-1", hostile::cases_in_latin_1(&cases), vec!["line 17", "`last_name`", "UTF-8"]),
        ("a bad date", cases_with_a_bad_date(&cases), vec!["line 4", "`dob`", "YYYY-MM-DD"]),
        ("no heading", Vec::new(), vec!["empty"]),
        ("a short row", [csv(&cases).as_bytes(), b"UM1,open\n"].concat(), vec!["line 43", "2 cells", "24"]),
    ]
}

#[test]
fn a_bad_case_snapshot_is_not_imported_and_its_line_and_column_are_named() {
    let setup = Setup::new();
    let good = csv(&cases(SEED));
    setup.write_cases(good.as_bytes());
    for (what, snapshot, places) in bad_snapshots() {
        let file = setup.path("bad.csv");
        fs::write(&file, &snapshot).unwrap();
        let ended = setup.run(&["cases", "import", file.to_str().unwrap()]);
        assert_eq!(ended.code, Some(DATAERR), "{what}: {}", ended.said);
        for place in places {
            assert!(ended.said.contains(place), "{what}: {} lacks {place}", ended.said);
        }
        assert_eq!(fs::read_to_string(setup.path("cases.csv")).unwrap(), good, "{what}");
    }
    assert_eq!(setup.json(&["cases", "list", "--json"]).as_array().unwrap().len(), 41);
}

/// The commands show the 41 cases in force, and say why the file on disk (a short row in line 43) is refused. Gives the
/// time at which they were loaded, when a daemon is `running`.
fn registry_in_force_is_told(setup: &Setup, running: bool) -> Option<jiff::Timestamp> {
    let case = &cases(SEED)[6];
    for (arguments, wanted) in
        [(&["cases", "list"][..], case.case_id.as_str()), (&["cases", "show", &case.case_id], case.mrn.as_str())]
    {
        let ended = setup.run(arguments);
        assert_eq!(ended.code, Some(0), "{arguments:?}: {}", ended.said);
        assert!(ended.printed.contains(wanted), "{arguments:?}: {}", ended.printed);
        for words in ["line 43", "2 cells", "refused whole", "the 41 cases", "stay in force"] {
            assert!(ended.said.contains(words), "{arguments:?}: {} lacks {words:?}", ended.said);
        }
    }
    let id = setup.exported_of("while-bad.tif")[0]["id"].as_str().unwrap().to_owned();
    let resolve = setup.run(&["queue", "resolve", &id, "--by", "N. Bellamy", "--case", "UNKNOWN"]);
    assert_eq!(resolve.code, Some(DATAERR), "{}", resolve.said);
    if !running {
        return None;
    }
    let status = setup.json(&["status", "--json"]);
    let told = &status["cases"];
    assert_eq!((&told["all"], told["open"].as_u64().is_some_and(|open| open > 0)), (&json!(41), true), "{status:#}");
    let reason = text(&told["refused"]["reason"]);
    assert!(reason.contains("line 43") && told["refused"]["since"].is_string(), "{status:#}");
    assert_eq!(status["last_error"]["stage"], "cases", "{status:#}");
    assert!(setup.succeed(&["status"]).contains("cases.open"));
    Some(text(&told["loaded_at"]).parse().unwrap())
}

#[test]
fn a_bad_case_snapshot_in_place_leaves_the_last_good_one_in_force_across_a_restart() {
    let setup = Setup::new();
    let registry = cases(SEED);
    setup.write_cases(csv(&registry).as_bytes());
    let case = &registry[6];
    let born = case.dob.strftime("%m/%d/%Y").to_string();
    let fax = |remark: &str| {
        let lines = [
            "CONCURRENT REVIEW".to_owned(),
            format!("Infant: {}, {}", case.last_name, case.first_name),
            format!("DOB: {born}     MRN: {}", case.mrn),
            format!("Mother: {} {}", case.mother_first, case.mother_last),
            remark.to_owned(),
        ];
        fax_of_lines(&Fonts::load().unwrap(), &lines.each_ref().map(String::as_str))
    };
    let matched = |file: &str| {
        let item = wait_until("the item", || setup.exported_of(file).pop());
        assert_eq!(item["match"]["case_id"], case.case_id.as_str(), "{item:#}");
    };

    let daemon = setup.start();
    for (number, (what, snapshot, places)) in bad_snapshots().into_iter().enumerate() {
        setup.write_cases(&snapshot);
        let line = daemon.wait_for_line(what, |line| {
            line["stage"] == "cases"
                && line["reason"].as_str().is_some_and(|reason| places.iter().all(|place| reason.contains(place)))
        });
        assert_eq!(line["kept"], 41, "{what}");
        if number == 0 {
            setup.arrive("while-bad.tif", &fax("Weight 1810 g"));
            matched("while-bad.tif");
        }
    }
    let loaded_at = registry_in_force_is_told(&setup, true);
    let (status, ..) = daemon.stop();
    assert!(status.success());
    registry_in_force_is_told(&setup, false);

    let daemon = setup.start();
    assert_eq!(registry_in_force_is_told(&setup, true), loaded_at, "a restart loads nothing new");
    daemon.wait_for_line("the refusal at the start", |line| line["stage"] == "cases" && line["kept"] == 41);
    setup.arrive("after-restart.tif", &fax("Weight 1835 g"));
    matched("after-restart.tif");
    let (_, log, _) = daemon.stop();
    assert!(!log.iter().any(|line| line.contains(case.last_name)), "{log:#?}");
}
