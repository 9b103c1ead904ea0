//! The way back from people: items are taken, put right, asked about and closed, by command and by file.

#![allow(clippy::unwrap_used, clippy::disallowed_methods, reason = "a test stops at the first surprise")]

mod generator;
mod run;

use std::fs;

use generator::{Fonts, fax_of_lines};
use jiff::{SignedDuration, Timestamp};
use run::{DATAERR, NO_CASES, Setup, case, wait_until};
use serde_json::{Value, json};

fn cases() -> String {
    let row = |id: &str, plan: &str, nurse: &str| {
        case(&[
            ("case_id", id),
            ("status", "open"),
            ("mrn", "88104477"),
            ("last_name", "Thornbury"),
            ("first_name", "Ada"),
            ("dob", "2026-02-07"),
            ("plan", plan),
            ("assigned_nurse", nurse),
        ])
    };
    NO_CASES.to_owned() + &row("UM-1", "commercial", "R. Bellamy") + &row("UM-2", "fep", "T. Osei")
}

/// Faxes received now that are linked to no case.
fn queued(names: &[&str], tables: &str) -> (Setup, Vec<String>) {
    let setup = Setup::with("", tables);
    setup.write_cases(cases().as_bytes());
    let fonts = Fonts::load().unwrap();
    for name in names {
        let title = format!("CONCURRENT REVIEW {name}");
        let lines = ["Neonatal Intensive Care Unit (NICU)", &title, "Current weight: 1980 g", "Bed: open crib"];
        setup.arrive(&format!("{name}.tif"), &fax_of_lines(&fonts, &lines));
    }
    setup.drain();
    let id = |name: &&str| setup.exported_of(&format!("{name}.tif"))[0]["id"].as_str().unwrap().to_owned();
    let ids = names.iter().map(id).collect();
    (setup, ids)
}

fn refused(setup: &Setup, arguments: &[&str], words: &str) {
    let ended = setup.run(arguments);
    assert!(ended.code == Some(DATAERR) && ended.said.contains(words), "{ended:?}");
}

fn time(value: &Value) -> Timestamp {
    value.as_str().unwrap().parse().unwrap()
}

#[test]
fn an_item_is_taken_asked_about_put_right_and_closed_and_each_act_is_in_the_trail() {
    let (setup, ids) = queued(&["one"], "");
    let id = ids[0].as_str();
    let before = setup.json(&["queue", "show", id]);
    assert_eq!((&before["lane"], &before["due_rule"]), (&json!("um"), &json!("unknown-plan")), "{before:#}");

    setup.succeed(&["queue", "take", id, "--by", "R. Bellamy"]);
    refused(&setup, &["queue", "take", id, "--by", "T. Osei"], "is taken by R. Bellamy until");
    refused(&setup, &["queue", "resolve", id, "--by", "T. Osei"], "ask them to release it");
    assert!(setup.succeed(&["queue", "list"]).contains("R. Bellamy"));

    // The clock stands still for two days at most, and goes on when the answer comes.
    let told = setup.succeed(&["queue", "ask", id, "--by", "R. Bellamy", "--what", "feeding volumes"]);
    assert!(told.contains("its clock stands still until"), "{told}");
    let paused = setup.json(&["queue", "show", id]);
    assert_eq!((&paused["clock"]["state"], &paused["asked"]["what"]), (&json!("paused"), &json!("feeding volumes")));
    let later = time(&paused["due_at"]).duration_since(time(&before["due_at"]));
    assert_eq!(later, SignedDuration::from_hours(48));
    refused(&setup, &["queue", "ask", id, "--by", "R. Bellamy", "--what", "weight"], "waits for information already");
    refused(&setup, &["queue", "amend", id, "--by", "R. Bellamy", "--type", "appeal"], "resume it first");
    setup.succeed(&["queue", "resume", id, "--by", "R. Bellamy"]);
    let resumed = setup.json(&["queue", "show", id]);
    assert_eq!((&resumed["clock"]["state"], &resumed["asked"]), (&json!("running"), &Value::Null));
    let stood = time(&resumed["due_at"]).duration_since(time(&before["due_at"]));
    assert!(stood >= SignedDuration::ZERO && stood < SignedDuration::from_mins(10), "{stood}");

    // Who says what it is has it routed by that, and the machine does not decide on it any more.
    refused(&setup, &["queue", "amend", id, "--by", "R. Bellamy", "--case", "UM-9"], "no case of the registry");
    setup.succeed(&["queue", "amend", id, "--by", "R. Bellamy", "--type", "discharge", "--case", "UM-1"]);
    let amended = setup.json(&["queue", "show", id]);
    assert_eq!((&amended["document_type"], &amended["priority"]), (&json!("discharge"), &json!("standard")));
    assert_eq!((&amended["match"]["status"], &amended["match"]["case_id"]), (&json!("matched"), &json!("UM-1")));
    assert_eq!(
        (&amended["due_rule"], &amended["assigned_to"]),
        (&json!("urgent-concurrent-commercial"), &json!("R. Bellamy"))
    );
    assert!(amended["flags"].as_array().unwrap().contains(&json!("copy_to_cm")), "{amended:#}");
    setup.write_cases(cases().replace("R. Bellamy", "K. Marchetti").as_bytes());
    setup.drain();
    assert_eq!(setup.json(&["queue", "show", id])["amended_by"], "R. Bellamy");
    assert_eq!(setup.exported_of("one.tif")[0]["document_type"], "discharge");
    setup.succeed(&["queue", "amend", id, "--by", "R. Bellamy", "--case", "UM-2"]);
    assert_eq!(setup.json(&["queue", "show", id])["routing"]["rule"], "out of program: FEP");

    setup.succeed(&["queue", "release", id, "--by", "R. Bellamy"]);
    setup.succeed(&["queue", "resolve", id, "--by", "T. Osei", "--misdirected"]);
    assert_eq!(setup.json(&["queue", "show", id])["resolution"]["disposition"], "misdirected");
    refused(&setup, &["queue", "take", id, "--by", "T. Osei"], "is resolved already");
    let trail = setup.succeed(&["audit", "--document", id]);
    for words in ["took", "asked for information", "clock", "said what it is", "released", "resolved"] {
        assert!(trail.contains(words), "{words}: {trail}");
    }
    assert!(setup.succeed(&["audit", "--case", "UM-1"]).contains(id), "it was of that case once");
    setup.succeed(&["rebuild"]);
    assert_eq!(setup.json(&["queue", "show", id])["amended_by"], "R. Bellamy");
    setup.succeed(&["verify"]);
}

#[test]
fn rows_of_the_dispositions_file_are_taken_once_and_refused_ones_told_of_beside_it() {
    let (setup, ids) = queued(&["one", "two"], "[dispositions]\npath = \"dispositions.csv\"\n");
    let file = setup.path("dispositions.csv");
    let daemon = setup.start();
    let head = "id,item,action,by,case_id,note\n";
    let rows = format!(
        "1,{},take,R. Bellamy,,\n2,{},done,T. Osei,,\n3,{},done,R. Bellamy,UM-1,\n4,nobody-1,take,X,,\n5,{},fly,X,,\n",
        ids[0], ids[0], ids[1], ids[1]
    );
    let write = |text: &str| {
        fs::write(setup.path("next"), text).unwrap();
        fs::rename(setup.path("next"), &file).unwrap();
    };
    write(&format!("{head}{rows}"));
    let beside = setup.path("dispositions.csv.refused.jsonl");
    let told = wait_until("the refused rows", || fs::read_to_string(&beside).ok());
    let lines: Vec<Value> = told.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(lines.iter().map(|line| line["row"].clone()).collect::<Vec<_>>(), [json!(2), json!(4), json!(5)]);
    assert!(lines[0]["reason"].as_str().unwrap().contains("is taken by R. Bellamy"), "{told}");
    assert_eq!(setup.json(&["queue", "show", &ids[1]])["resolution"]["case_id"], "UM-1");
    wait_until("the export", || setup.exported_of("two.tif").is_empty().then_some(()));

    // The same rows again, and a further one; what was refused is put right.
    write(&format!(
        "{head}1,{},take,R. Bellamy,,\n3,{},done,R. Bellamy,UM-1,\n6,{},done,R. Bellamy,,\n",
        ids[0], ids[1], ids[0]
    ));
    wait_until("the end of what is refused", || (!beside.exists()).then_some(()));
    let trail = setup.succeed(&["audit", "--document", &ids[1]]);
    assert_eq!(trail.matches("resolved").count(), 1, "{trail}");
    assert!(trail.contains("R. Bellamy (dispositions file)"), "{trail}");
    daemon.stop();
    setup.drain();
    assert_eq!(setup.exported(), Vec::<Value>::new());
    setup.succeed(&["verify"]);
}

#[test]
fn days_are_determined_once_and_a_correction_replaces_what_was_wrong() {
    let (setup, ids) = queued(&["one", "two"], "[dispositions]\npath = \"d.jsonl\"\n");
    let first = ids[0].as_str();
    let determine = |id: &str, from: &str, to: &str, days: &str, more: &[&str]| {
        let fixed = ["queue", "determine", id, "--by", "R. Bellamy", "--from", from, "--to", to, "--days", days];
        let level = ["--requested", "3", "--decision"];
        setup.run(&[&fixed[..], &level[..], more].concat())
    };
    let approved = ["approve_per_criteria", "--approved", "2"];
    let refused = |ended: run::Ended, words: &str| {
        assert!(ended.code == Some(DATAERR) && ended.said.contains(words), "{ended:?}");
    };
    refused(determine(first, "2026-03-03", "2026-03-05", "3", &approved), "is linked to no case");
    setup.succeed(&["queue", "amend", first, "--by", "R. Bellamy", "--case", "UM-1"]);
    refused(determine(first, "2026-03-03", "2026-03-05", "4", &approved), "are 3 days, not 4");
    assert_eq!(determine(first, "2026-03-03", "2026-03-05", "3", &approved).code, Some(0));
    assert_eq!(setup.json(&["queue", "show", first])["resolution"]["disposition"], "determined");
    let known = setup.json(&["determinations", "--case", "UM-1", "--json"]);
    assert_eq!((known.as_array().unwrap().len(), &known[0]["days"]), (1, &json!(3)), "{known:#}");
    let number = known[0]["number"].to_string();

    // The file says the same: these days are approved already, unless it is a correction.
    let row = |id: u32, from: &str, days: u32, replaces: Option<&str>| {
        json!({ "id": id, "item": ids[1], "action": "determine", "by": "R. Bellamy", "case_id": "UM-1", "from": from,
                "to": "2026-03-05", "days": days, "level_requested": 3, "level_approved": 3,
                "decision": "approve_per_physician_reviewer", "replaces": replaces.map(|number| number.parse::<u64>().unwrap()) })
    };
    fs::write(
        setup.path("d.jsonl"),
        format!("{}\n{}\n", row(1, "2026-03-05", 1, None), row(2, "2026-03-04", 2, Some(&number))),
    )
    .unwrap();
    setup.drain();
    let told = fs::read_to_string(setup.path("d.jsonl.refused.jsonl")).unwrap();
    assert!(told.lines().count() == 1 && told.contains("approves days that number"), "{told}");
    let table = setup.succeed(&["determinations"]);
    assert!(table.contains("replaced") && table.contains("in force"), "{table}");
    setup.succeed(&["rebuild"]);
    assert_eq!(setup.succeed(&["determinations"]), table);
    setup.succeed(&["verify"]);
}
