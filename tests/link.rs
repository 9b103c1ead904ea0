//! `link explain` and `train link` of the built program.

#![allow(clippy::unwrap_used, clippy::disallowed_methods, reason = "a test stops at the first surprise")]

mod run;

use std::fs;

use run::{CONFIG, DATAERR, NO_CASES, Setup, USAGE, case};

/// A review as an email's own text: no page has to be recognised.
fn review(name: &str, record: &str) -> Vec<u8> {
    let body = format!(
        "NICU CONCURRENT REVIEW\r\nPatient: {name}\r\nDOB: 02/07/2026\r\nMRN: {record}\r\nCurrent weight: 2150 g\r\n\
         Respiratory support: room air\r\n"
    );
    format!(
        "From: nicu@hospital.example\r\nTo: um@plan.example\r\nSubject: Concurrent review\r\n\
         Message-ID: <{record}@hospital.example>\r\nContent-Type: text/plain\r\n\r\n{body}"
    )
    .into_bytes()
}

fn with_cases() -> Setup {
    let setup = Setup::new();
    let row = |id, first, record, sex| {
        case(&[
            ("case_id", id),
            ("status", "open"),
            ("mrn", record),
            ("last_name", "Tolvik"),
            ("first_name", first),
            ("sex", sex),
            ("dob", "2026-02-07"),
            ("mother_first", "Ingrid"),
            ("mother_last", "Tolvik"),
            ("facility", "Larch Hill Hospital"),
        ])
    };
    let cases = format!("{NO_CASES}{}{}", row("K-1", "Maren", "MR-440101", "F"), row("K-2", "Nils", "MR-440102", "M"));
    setup.write_cases(cases.as_bytes());
    setup
}

#[test]
fn a_nurse_is_shown_what_spoke_for_and_against_each_case_and_the_trail_tells_that_she_was() {
    let setup = with_cases();
    setup.arrive("known.eml", &review("Tolvik, Maren", "MR-440101"));
    setup.arrive("unsure.eml", &review("Tolvik, Baby", "MR-440109"));
    setup.drain();
    let id = |file: &str| setup.exported_of(file)[0]["id"].as_str().unwrap().to_owned();
    let known = setup.succeed(&["link", "explain", &id("known.eml")]);
    for told in
        ["linked to K-1", "1. K-1", "Tolvik, Maren", "mrn exact p1", "the case has: MR-440101", "2. K-2", "together"]
    {
        assert!(known.contains(told), "no {told:?} in {known}");
    }
    let unsure = setup.succeed(&["link", "explain", &id("unsure.eml")]);
    assert!(unsure.contains("left to a person") && unsure.contains("because: "), "{unsure}");
    let trail = setup.succeed(&["audit", "--case", "K-2"]);
    assert!(trail.contains("K-2"), "{trail}");
    assert_eq!(setup.run(&["link", "explain", "no-such"]).code, Some(DATAERR));
    // The same while the daemon runs.
    let daemon = setup.start();
    assert_eq!(setup.succeed(&["link", "explain", &id("known.eml")]), known);
    assert!(daemon.stop().0.success());
}

#[test]
fn weights_are_learnt_from_papers_written_once_and_put_in_force_by_the_configuration() {
    let setup = with_cases();
    for number in 0..40 {
        setup.arrive(&format!("{number}.eml"), &review("Tolvik, Maren", &format!("MR-44{number:04}")));
    }
    setup.drain();
    let file = setup.path("weights.toml");
    let labels = setup.path("labels.jsonl");
    let lines: Vec<String> =
        (0..40).map(|number| format!("{{\"source_file\": \"{number}.eml\", \"case_id\": \"K-1\"}}")).collect();
    fs::write(&labels, lines.join("\n")).unwrap();
    let (file, labels) = (file.to_str().unwrap(), labels.to_str().unwrap());
    let told = setup.succeed(&["train", "link", "--labels", labels, "--output", file]);
    assert!(told.contains("papers whose case is known: 40") && told.contains("mrn.other"), "{told}");
    // Of these papers' record numbers hardly one is the case's.
    let learnt = fs::read_to_string(file).unwrap();
    assert_ne!(learnt, "");
    assert_eq!(setup.run(&["train", "link", "--output", file]).code, Some(USAGE), "a file is never written over");
    let again = setup.path("again.toml");
    setup.succeed(&["train", "link", "--labels", labels, "--output", again.to_str().unwrap()]);
    assert_eq!(fs::read_to_string(&again).unwrap(), learnt, "the same papers give the same table");

    setup.configure("", "[link]\nweights = \"weights.toml\"\n");
    let id = setup.exported_of("1.eml")[0]["id"].as_str().unwrap().to_owned();
    setup.succeed(&["link", "explain", &id]);
    fs::write(file, learnt.replace("[sex]", "[gender]")).unwrap();
    let ended = setup.run(&["check"]);
    assert_eq!(ended.code, Some(CONFIG));
    assert!(ended.said.contains("link.weights") && ended.said.contains("sex.exact"), "{}", ended.said);
}
