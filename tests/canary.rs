//! Unmistakable names and numbers go through every path of the built program, errors included; afterwards they stand
//! nowhere but in the exports and in what the commands print for a person.
//!
//! Looked through are the log at its most talkative, what a status says, the command lines and names of all processes,
//! the temporary folder, and the names of everything that was made.

#![allow(clippy::unwrap_used, clippy::disallowed_methods, reason = "a test stops at the first surprise")]

mod generator;
mod peers;
mod run;

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;

use generator::encrypted::encrypted_pdf;
use generator::{Fonts, fax_of_lines};
use peers::MailServer;
use run::memory::children;
use run::{DATAERR, Daemon, NO_CASES, Setup, case, files_below, wait_until};
use rustix::fs::{CWD, FileType, Mode, mknodat};
use rustix::process::Signal;
use serde_json::Value;

/// Nowhere else in the world; also without case and as parts of other words.
const CANARIES: [&str; 13] = [
    "quillfeather",
    "zebediah",
    "honoriana",
    "5550987",
    "um777321",
    "um777322",
    "6175550199",
    "kookaburra",
    "nightingale",
    "wombatville",
    "ax4711-77",
    "1987-06-05",
    "06/05/1987",
];

/// The canaries that a text holds.
fn betrayed(text: &str) -> Vec<&'static str> {
    let text = text.to_lowercase();
    CANARIES.into_iter().filter(|canary| text.contains(canary)).collect()
}

fn baby(id: &str, first: &str, birth_order: &str) -> String {
    case(&[
        ("case_id", id),
        ("status", "open"),
        ("member_id", "AX4711-77"),
        ("mrn", "MRN5550987"),
        ("facility", "Wombatville General"),
        ("last_name", "Quillfeather"),
        ("first_name", first),
        ("birth_order", birth_order),
        ("dob", "2026-02-07"),
        ("mother_first", "Honoriana"),
        ("mother_last", "Quillfeather"),
        ("mother_dob", "1987-06-05"),
        ("assigned_nurse", "R. Nightingale"),
    ])
}

fn fax(first: &str, remark: &str) -> Vec<u8> {
    let lines = [
        "Wombatville General",
        "NICU CONCURRENT CLINICAL REVIEW",
        &format!("Patient: Quillfeather, {first}"),
        "Date of birth: 02/07/2026",
        "MRN: MRN5550987   Member ID: AX4711-77   Reference UM777321",
        "Mother: Honoriana Quillfeather, born 06/05/1987",
        "Weight today 1450 grams   Bed type: Isolette",
        "Respiratory support: room air   Feeding: 30 ml every 3 hours",
        remark,
    ];
    fax_of_lines(&Fonts::load().unwrap(), &lines)
}

/// Lets documents arrive that end in every way that a document can.
fn arrive_all(setup: &Setup) -> usize {
    let good = fax("Zebediah", "Attending: R. Nightingale");
    fs::write(setup.inbox().join("Quillfeather-good.json"), r#"{"sender": "6175550199", "pages": 4}"#).unwrap();
    setup.arrive("Quillfeather-good.tif", &good);
    setup.arrive("Quillfeather-again.tif", &good);
    fs::write(setup.inbox().join("Quillfeather-twin.json"), r#"{"sender": "6175550199", "kookaburra": "#).unwrap();
    setup.arrive("Quillfeather-twin.tif", &fax("Baby Girl", "Sibling: Zebediah"));
    let back = [
        "Wombatville General",
        "NOTIFICATION OF READMISSION",
        "Patient: Nightingale, Kookaburra",
        "The infant was readmitted to our unit after discharge home.",
    ];
    setup.arrive("Quillfeather-back.tif", &fax_of_lines(&Fonts::load().unwrap(), &back));
    setup.arrive("Quillfeather-text.tif", b"Dear R. Nightingale, Zebediah Quillfeather, MRN 5550987");
    setup.arrive("Quillfeather-cut.tif", &good[..good.len() / 2]);
    setup.arrive("Quillfeather-locked.pdf", &encrypted_pdf("Zebediah Quillfeather, MRN5550987"));
    setup.arrive("Quillfeather-broken.pdf", b"%PDF-1.7\n1 0 obj << /Title (Zebediah Quillfeather kookaburra) >>");
    setup.arrive("Quillfeather-broken.png", b"\x89PNG\r\n\x1a\n\0\0\0\x0akookaburraZebediah");
    setup.arrive("Quillfeather-broken.jpg", b"\xff\xd8\xff\xfe\0\x20Zebediah Quillfeather kookaburra");
    setup.arrive("Quillfeather-empty.tif", b"");
    symlink("/etc/hostname", setup.inbox().join("Quillfeather-link.tif")).unwrap();
    mknodat(CWD, setup.inbox().join("Quillfeather-pipe.tif"), FileType::Fifo, Mode::RUSR, 0).unwrap();
    // Refused or held: the text, the locked, the three broken ones; the empty one, the link, the pipe.
    3
}

/// What the machine shows to others of a process: its name and its command line.
fn shown(process: u32) -> String {
    let read = |name: &str| String::from_utf8_lossy(&fs::read(format!("/proc/{process}/{name}")).unwrap()).into_owned();
    read("comm") + &read("cmdline")
}

/// Every mail that a document, time and trouble can give rise to, and the log at its most talkative.
fn outbox(port: u16) -> String {
    let now = jiff::Timestamp::now().in_tz("America/New_York").unwrap();
    format!(
        "[log]\nformat = \"json\"\nlevel = \"trace\"\n\
         [outbox]\nfrom = \"fax@clinic.example\"\noperators = [\"it@clinic.example\"]\nallow = [\"plan.example\"]\n\
         smtp = {{ host = \"127.0.0.1\", port = {port}, tls = \"none\" }}\ntrust_local_relay = true\n\
         link_base = \"https://queue.example/\"\nretry_after = \"1s\"\n\
         [outbox.notices]\num = [\"um@clinic.example\"]\nattention = [\"um@clinic.example\"]\n\
         [[outbox.digest]]\nnurse = \"R. Nightingale\"\nto = \"nurse@clinic.example\"\ntimes = [\"{}\"]\n\
         [[outbox.forward]]\nname = \"all\"\nwhen = [\"um\", \"attention\", \"plan\"]\nto = [\"um@plan.example\"]\n\
         min_confidence = 0.5\n",
        now.strftime("%H:%M")
    )
}

fn names_below(folder: &Path) -> Vec<String> {
    files_below(folder).into_iter().map(|file| file.to_str().unwrap().to_owned()).collect()
}

#[test]
fn names_and_numbers_of_patients_stand_nowhere_but_where_they_are_wanted() {
    let setup = Setup::new();
    let relay = MailServer::start(&setup.path("relay"), &[]);
    setup.configure("", &outbox(relay.port));
    let temporary = setup.path("temporary");
    fs::create_dir(&temporary).unwrap();
    let twins = baby("UM777321", "Zebediah", "A") + &baby("UM777322", "Quentin", "B");
    setup.write_cases(format!("{NO_CASES}{twins}").as_bytes());
    let mut command = setup.command(&["run"]);
    command.env("TMPDIR", &temporary);
    let daemon = Daemon::new(command);
    daemon.wait_for_line("the start", |line| line["stage"] == "daemon" && line["message"] == "started");
    let daemon_pid = daemon.pid();

    let refused = arrive_all(&setup);
    wait_until("every file to be queued, held or refused", || {
        let of_ours =
            |entry: &Value| entry["source_file"].as_str().is_some_and(|name| name.starts_with("Quillfeather"));
        let refusals = setup.held().iter().filter(|entry| of_ours(entry)).count();
        (refusals == refused && setup.exported().len() >= 8 && setup.files("inbox").len() <= refused + 1).then_some(())
    });

    // What people do, and what they do wrongly.
    let item = setup.exported_of("Quillfeather-good.tif").remove(0);
    let id = item["id"].as_str().unwrap();
    let held = setup.held_of("Quillfeather-text.tif")["id"].as_str().unwrap().to_owned();
    let elsewhere = setup.path("Quillfeather-handed-in.tif");
    fs::write(&elsewhere, fax("Zebediah", "kookaburra")).unwrap();
    let elsewhere = elsewhere.to_str().unwrap();
    // Half of its time has passed when it is handed in.
    let received = (jiff::Timestamp::now() - jiff::SignedDuration::from_hours(13)).to_string();
    for arguments in [
        &["queue", "show", id][..],
        &["queue", "list", "--json"],
        &["queue", "resolve", id, "--by", "R. Nightingale", "--case", "UM777321", "--note", "kookaburra"],
        &["queue", "resolve", id, "--by", "R. Nightingale", "--case", "UM777329-Quillfeather"],
        &["queue", "show", "Quillfeather"],
        &["held", "show", &held],
        &["held", "retry", &held],
        &["held", "retry", "Quillfeather"],
        &["held", "dismiss", "Quillfeather"],
        &[
            "submit",
            elsewhere,
            "--sender",
            "6175550199",
            "--received-at",
            &received,
            "--note",
            "of Zebediah Quillfeather",
        ],
        &["submit", "Quillfeather-is-not-there.tif"],
        &["read", elsewhere, "--explain"],
        &["cases", "show", "UM777321"],
        &["cases", "show", "Quillfeather"],
        &["audit", "--case", "UM777321"],
        &["audit", "--document", id],
        &["purge"],
        &["verify"],
    ] {
        let ended = setup.run(arguments);
        assert!(ended.code.is_some(), "{arguments:?}: {ended:?}");
    }
    wait_until("what was handed in", || setup.exported_of("Quillfeather-handed-in.tif").pop());

    // Snapshots of the registry that are refused for the sake of a cell, and a reload with them.
    let bad_date = baby("UM777323", "Zebediah", "A").replace("1987-06-05", "Quillfeather's birthday");
    let no_status = baby("UM777324", "Zebediah", "A").replace(",open,", ",kookaburra,");
    for rows in [&bad_date, &no_status, &format!("{twins}{twins}"), &format!("{twins}Quillfeather,\"kookaburra\n")] {
        let lines = daemon.log().len();
        setup.write_cases(format!("{NO_CASES}{rows}").as_bytes());
        assert_eq!(
            setup.run(&["cases", "import", setup.path("cases.csv").to_str().unwrap()]).code,
            Some(DATAERR),
            "{rows}"
        );
        daemon.signal(Signal::HUP);
        daemon.wait_for_lines(lines + 1);
        wait_until("the refusal in the log", || {
            daemon.log()[lines..].iter().any(|line| line.contains("cases")).then_some(())
        });
    }

    // A notice to the lane, a digest, a forward, and the trouble with the cases.
    for to in ["um@clinic.example", "nurse@clinic.example", "um@plan.example", "it@clinic.example"] {
        wait_until(to, || relay.mails().iter().any(|mail| mail["recipient"] == to).then_some(()));
    }
    for mail in relay.mails() {
        let told = format!("{}{}{}", mail["head"], mail["text"], mail["enclosed"][0]["name"]);
        assert_eq!(betrayed(&told), [""; 0], "{mail:#}");
    }
    let status = setup.succeed(&["status", "--json"]);
    let workers: Vec<u32> = children(daemon_pid);
    assert!(!workers.is_empty());
    for process in workers.into_iter().chain([daemon_pid]) {
        let (limits, shown) = (fs::read_to_string(format!("/proc/{process}/limits")).unwrap(), shown(process));
        assert_eq!(betrayed(&shown), [""; 0], "{shown}");
        let core = limits.lines().find(|line| line.starts_with("Max core file size")).unwrap();
        let bounds: Vec<&str> = core.split_whitespace().skip(4).take(2).collect();
        assert_eq!(bounds, ["0", "0"], "no process leaves a core dump: {core}");
    }
    for name in
        [names_below(&temporary), names_below(&setup.path("state")), names_below(&setup.path("worklist"))].concat()
    {
        assert_eq!(betrayed(&name), [""; 0], "{name}");
    }
    assert_eq!(names_below(&temporary), [""; 0], "nothing is left there");
    let (_, log, _) = daemon.stop();
    for event in [
        "document stored",
        "without what its sidecar tells",
        "refused; it stays",
        "a page is unreadable",
        "held for a person",
        "understood",
        "linked",
        "queued",
        "exported",
        "snapshot refused whole",
        "decided again",
    ] {
        assert!(log.iter().any(|line| line.contains(event)), "not put to the test: {event}: {log:#?}");
    }
    for line in log {
        assert_eq!(betrayed(&line), [""; 0], "{line}");
    }
    assert_eq!(betrayed(&status), [""; 0], "{status}");

    // The same look finds them where they are wanted.
    let queue = fs::read_to_string(setup.path("worklist/queue.jsonl")).unwrap();
    assert!(betrayed(&queue).len() >= 6, "{:?}", betrayed(&queue));
}
