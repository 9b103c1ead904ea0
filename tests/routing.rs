//! From the fax to the lane: every row of the README's table through the built program, with the rule that decided and
//! the time that it gives; and what `route` and `check` say of rules.

#![allow(clippy::unwrap_used, clippy::disallowed_methods, reason = "a test stops at the first surprise")]

mod generator;
mod run;

use std::fs;

use generator::{Fonts, fax_of_lines};
use run::{CONFIG, DATAERR, NO_CASES, Setup, USAGE, case, wait_until};
use rustix::process::Signal;
use serde_json::{Value, json};

/// When all of them were received: a Monday, 13:12 UTC.
const RECEIVED: &str = "2026-03-16T09:12:00-04:00";

/// A baby of a plan: name, birth date, record number, authorization.
struct Baby {
    plan: &'static str,
    name: [&'static str; 2],
    dob: &'static str,
    mrn: &'static str,
    auth: &'static str,
}

const COMMERCIAL: Baby = baby("commercial", ["Thornbury", "Ada"], "2026-02-07", "88104477", "7712004501");
const MEDICAID: Baby = baby("medicaid", ["Okonkwo", "Ines"], "2026-02-11", "55920316", "4480917723");
const FEP: Baby = baby("fep", ["Marlowe", "Otto"], "2026-01-30", "30617725", "9056631184");
const MEDICARE: Baby = baby("medicare", ["Quimby", "Lena"], "2026-02-02", "61249903", "3317720958");
const BEFORE: Baby = baby("commercial", ["Vasquez", "Teo"], "2023-10-20", "47385516", "8821143067");
const PAST: Baby = baby("commercial", ["Hartley", "June"], "2025-02-20", "92011348", "5563390217");

const fn baby(
    plan: &'static str,
    name: [&'static str; 2],
    dob: &'static str,
    mrn: &'static str,
    auth: &'static str,
) -> Baby {
    Baby { plan, name, dob, mrn, auth }
}

fn cases() -> String {
    let row = |baby: &Baby| {
        case(&[
            ("case_id", &format!("UM-{}", baby.mrn)),
            ("status", "open"),
            ("auth_number", baby.auth),
            ("mrn", baby.mrn),
            ("facility", "Copperfield Hospital"),
            ("last_name", baby.name[0]),
            ("first_name", baby.name[1]),
            ("dob", baby.dob),
            ("mother_first", "Mara"),
            ("mother_last", baby.name[0]),
            ("admit_date", baby.dob),
            ("plan", baby.plan),
            ("level_of_care", "3"),
            ("assigned_nurse", "R. Bellamy"),
        ])
    };
    let rows = [COMMERCIAL, MEDICAID, FEP, MEDICARE, BEFORE, PAST];
    NO_CASES.to_owned() + &rows.iter().map(row).collect::<String>()
}

/// Lays a one-page fax about a baby into the inbox.
fn arrive(setup: &Setup, fonts: &Fonts, name: &str, title: &str, baby: &Baby, further: &[&str]) {
    let patient = format!("Patient name: {}, {}", baby.name[0], baby.name[1]);
    let dob = format!("Birth date: {}", baby.dob);
    let mrn = format!("MRN: {}", baby.mrn);
    let auth = format!("Authorization number: {}", baby.auth);
    let unit = if title.contains("CHAIRS") { "" } else { "Neonatal Intensive Care Unit (NICU)" };
    let mut lines = vec!["Copperfield Hospital", unit, title, &patient, &dob, &mrn, &auth];
    lines.extend(further);
    fs::write(setup.inbox().join(format!("{name}.json")), json!({ "received_at": RECEIVED }).to_string()).unwrap();
    setup.arrive(&format!("{name}.tif"), &fax_of_lines(fonts, &lines));
}

fn only(setup: &Setup, name: &str) -> Value {
    let items = setup.exported_of(&format!("{name}.tif"));
    assert_eq!(items.len(), 1, "{name}");
    items[0].clone()
}

/// A fax's name, its title, its baby, further lines; lane, priority, rule, due rule and due time.
type Row = (&'static str, &'static str, &'static Baby, &'static [&'static str], [&'static str; 5]);

#[test]
fn every_document_goes_from_the_fax_to_its_lane_by_the_named_rule_and_in_its_time() {
    let fonts = Fonts::load().unwrap();
    let setup = Setup::new();
    setup.write_cases(cases().as_bytes());
    let day = "2026-03-17T13:12:00Z";
    let rows: [Row; 15] = [
        (
            "admission",
            "NICU ADMISSION NOTIFICATION",
            &COMMERCIAL,
            &["Admitted to the NICU today"],
            ["um", "urgent", "admission", "urgent-concurrent-commercial", day],
        ),
        (
            "review",
            "CONCURRENT REVIEW",
            &COMMERCIAL,
            &["Current weight: 1980 g", "Respiratory support: room air"],
            ["um", "urgent", "concurrent review", "urgent-concurrent-commercial", day],
        ),
        (
            "government",
            "CONCURRENT REVIEW",
            &MEDICAID,
            &["Current weight: 2210 g"],
            ["um", "urgent", "concurrent review", "urgent-concurrent-government", "2026-03-19T13:12:00Z"],
        ),
        (
            "transfer",
            "NOTICE OF TRANSFER",
            &COMMERCIAL,
            &["Transferred to a higher level of care", "Receiving facility: Summit Hospital"],
            ["um", "urgent", "transfer", "urgent-concurrent-commercial", day],
        ),
        (
            "discharge",
            "DISCHARGE SUMMARY",
            &COMMERCIAL,
            &["Discharged home with family"],
            ["um", "standard", "discharge", "urgent-concurrent-commercial", day],
        ),
        (
            "readmission",
            "NOTICE OF READMISSION",
            &COMMERCIAL,
            &["Readmitted after discharge home"],
            ["plan", "urgent", "readmission", "urgent-concurrent-commercial", day],
        ),
        (
            "p2p",
            "PEER-TO-PEER REQUEST",
            &COMMERCIAL,
            &["The attending would like to speak with a Medical Director"],
            ["medical_director", "urgent", "peer-to-peer request", "peer-to-peer-determination-date-unknown", day],
        ),
        (
            "appeal",
            "APPEAL OF ADVERSE DETERMINATION",
            &COMMERCIAL,
            &["We appeal the denial of days"],
            ["plan", "standard", "appeal", "urgent-concurrent-commercial", day],
        ),
        (
            "prior",
            "PRIOR AUTHORIZATION REQUEST",
            &COMMERCIAL,
            &["Durable medical equipment: home oxygen and monitor"],
            ["plan", "standard", "prior authorization", "preservice-standard", "2026-03-23T13:12:00Z"],
        ),
        (
            "network",
            "OUT-OF-NETWORK EXCEPTION REQUEST",
            &COMMERCIAL,
            &["Continuity of care at a hospital that left the network"],
            ["co_review", "urgent", "out-of-network exception", "preservice-urgent", "2026-03-19T13:12:00Z"],
        ),
        (
            "other",
            "CATALOGUE OF OFFICE CHAIRS",
            &COMMERCIAL,
            &["Order today"],
            ["attention", "standard", "other", "urgent-concurrent-commercial", day],
        ),
        (
            "fep",
            "CONCURRENT REVIEW",
            &FEP,
            &["Current weight: 1980 g"],
            ["plan", "urgent", "out of program: FEP", "unknown-plan", day],
        ),
        (
            "medicare",
            "CONCURRENT REVIEW",
            &MEDICARE,
            &["Current weight: 1980 g"],
            ["plan", "urgent", "out of program: Medicare", "urgent-concurrent-government", "2026-03-19T13:12:00Z"],
        ),
        (
            "before",
            "CONCURRENT REVIEW",
            &BEFORE,
            &["Current weight: 9980 g"],
            ["plan", "urgent", "out of program: born before its start", "urgent-concurrent-commercial", day],
        ),
        (
            "past",
            "CONCURRENT REVIEW",
            &PAST,
            &["Current weight: 9210 g"],
            ["plan", "urgent", "past the first birthday", "urgent-concurrent-commercial", day],
        ),
    ];
    for (name, title, baby, further, _) in rows {
        arrive(&setup, &fonts, name, title, baby, further);
    }
    setup.drain();
    for (name, _, baby, _, [lane, priority, rule, due_rule, due_at]) in rows {
        let item = only(&setup, name);
        assert_eq!(item["match"]["case_id"], format!("UM-{}", baby.mrn), "{item:#}");
        let got = [&item["lane"], &item["priority"], &item["routing"]["rule"], &item["due_rule"], &item["due_at"]];
        assert_eq!(
            got.map(|value| value.as_str().unwrap()),
            [lane, priority, rule, due_rule, due_at],
            "{name}: {item:#}"
        );
        assert_eq!(item["assigned_to"], "R. Bellamy");
        // All of it was received long ago.
        assert_eq!((&item["clock"]["state"], &item["clock"]["passed"]), (&json!("overdue"), &json!(100)), "{name}");
    }
    assert_eq!(only(&setup, "discharge")["routing"]["copies"], json!(["cm"]));
    assert_eq!(only(&setup, "readmission")["routing"]["forward"], "the plan's own UM team");
    let review = only(&setup, "review");
    let asked: Vec<&str> = review["routing"]["ask_for"].as_array().unwrap().iter().filter_map(Value::as_str).collect();
    assert!(asked.contains(&"fen") && !asked.contains(&"weight"), "{review:#}");

    // Case management sees what was copied to it.
    let for_cm: Vec<Value> = setup.json(&["queue", "list", "--lane", "cm", "--json"]).as_array().unwrap().clone();
    assert_eq!(for_cm.len(), 3, "discharge, readmission, prior authorization");
    let id = review["id"].as_str().unwrap();
    let explained = setup.succeed(&["route", "explain", id]);
    assert!(explained.contains("passed over \"out of program: FEP\": plan is commercial"), "{explained}");
    assert!(explained.contains("applies \"concurrent review\": lane um, urgent"), "{explained}");
    assert!(explained.contains("NCQA UM 5"), "{explained}");
    let trail = setup.succeed(&["audit", "--document", id]);
    assert!(trail.contains(&format!("noted that {id} is overdue")), "{trail}");
    assert!(setup.succeed(&["queue", "list"]).contains("overdue"));
    setup.succeed(&["verify"]);
}

#[test]
fn rules_are_tried_on_facts_and_wrong_tables_are_told_of_and_changed_ones_taken_over() {
    let setup = Setup::with("", "[route]\nrules = \"routing.toml\"\n");
    let rules = setup.path("routing.toml");
    let delivered = include_str!("../config/routing.toml");
    fs::write(&rules, delivered).unwrap();
    let facts = setup.path("facts.json");
    let one =
        json!({ "document_type": "discharge", "plan": "Commercial", "match": "matched", "received_at": RECEIVED });
    fs::write(&facts, json!([one, { "document_type": "appeal", "received_at": RECEIVED }]).to_string()).unwrap();
    let tried = setup.json(&["route", "test", facts.to_str().unwrap()]);
    assert_eq!((&tried[0]["lane"], &tried[0]["routed"]["rule"]), (&json!("um"), &json!("discharge")));
    assert_eq!((&tried[1]["lane"], &tried[1]["due_rule"]), (&json!("plan"), &json!("unknown-plan")));
    fs::write(&facts, json!({ "document_type": "appeal", "received": RECEIVED }).to_string()).unwrap();
    let ended = setup.run(&["route", "test", facts.to_str().unwrap()]);
    assert!(ended.code == Some(DATAERR) && ended.said.contains("unknown field"), "{ended:?}");

    let check = |text: &str| {
        fs::write(&rules, text).unwrap();
        let ended = setup.run(&["check"]);
        assert_eq!(ended.code, Some(CONFIG), "{}", ended.said);
        ended.said
    };
    let appended = |rule: &str| {
        check(&format!("{delivered}\n[[rule]]\nname = \"new\"\nlane = \"um\"\npriority = \"urgent\"\n{rule}"))
    };
    assert!(
        appended("when = { type = [\"appeal\"], level = [4] }")
            .contains("rule \"new\" never applies: \"out of program: FEP\"")
    );
    let without = delivered.replace("when = { type = [\"appeal\"] }", "when = { type = [\"appeal\"], level = [4] }");
    let untaken = check(&without);
    assert!(untaken.contains("no rule takes appeal with ") && untaken.contains("level 1"), "{untaken}");
    assert!(check(&delivered.replacen("overrides = true", "", 1)).contains("\"out of program: FEP\" and"));
    assert!(check("[[rule]]\n").contains("route.rules"));

    // Told to, the daemon takes changed rules over, and routes what is open by them; bad ones it refuses.
    fs::write(&rules, delivered).unwrap();
    setup.arrive("chairs.tif", &fax_of_lines(&Fonts::load().unwrap(), &["Catalogue of office chairs", "Order today"]));
    let daemon = setup.start();
    let lane = || setup.exported_of("chairs.tif").first().map(|item| item["lane"].as_str().unwrap().to_owned());
    assert_eq!(wait_until("the item", lane), "attention");
    fs::write(&rules, "[[rule]]\n").unwrap();
    daemon.signal(Signal::HUP);
    daemon.wait_for_line("the refusal", |line| line["stage"] == "rules" && line["level"] == "ERROR");
    let changed = "name = \"other\"\nwhen = { type = [\"other\"] }\nlane = \"attention\"";
    assert!(delivered.contains(changed));
    fs::write(&rules, delivered.replace(changed, &changed.replace("attention", "cm"))).unwrap();
    daemon.signal(Signal::HUP);
    wait_until("the other lane", || (lane().as_deref() == Some("cm")).then_some(()));
    daemon.stop();

    fs::write(&rules, include_str!("../config/examples/continuity-of-care.toml")).unwrap();
    setup.succeed(&["check"]);
    let ended = setup.run(&["queue", "list", "--lane", "co_review"]);
    assert!(ended.code == Some(USAGE) && ended.said.contains("continuity"), "{ended:?}");
}
