//! Mailboxes as sources: messages in a maildir, and messages that come as files, through the built program.

#![allow(clippy::unwrap_used, clippy::disallowed_methods, reason = "a test stops at the first surprise")]

mod generator;
mod run;

use std::fs;

use base64::Engine;
use generator::{Fonts, fax_of_lines};
use run::{Setup, wait_until};

const MAILBOX: &str = "[[intake.mailbox]]\nname = \"um\"\nmaildir = \"um\"\nrescan = \"1s\"\n";

fn setup() -> Setup {
    let setup = Setup::with("", MAILBOX);
    for folder in ["um/new", "um/cur", "um/tmp"] {
        fs::create_dir_all(setup.path(folder)).unwrap();
    }
    setup
}

fn message(subject: &str, parts: &[(&str, &[u8])]) -> Vec<u8> {
    let mut text = format!(
        "From: Review <ur@hospital.example>\r\nTo: um@plan.example\r\nSubject: {subject}\r\nMIME-Version: 1.0\r\n\
         Content-Type: multipart/mixed; boundary=\"=b\"\r\n\r\n"
    );
    for (head, bytes) in parts {
        let encoded = base64::engine::general_purpose::STANDARD.encode(bytes);
        text += &["--=b\r\n", head, "\r\nContent-Transfer-Encoding: base64\r\n\r\n", &encoded, "\r\n"].concat();
    }
    (text + "--=b--\r\n").into_bytes()
}

/// As a mail server delivers: written elsewhere, then renamed.
fn deliver(setup: &Setup, name: &str, bytes: &[u8]) {
    fs::write(setup.path("um/tmp/1"), bytes).unwrap();
    fs::rename(setup.path("um/tmp/1"), setup.path("um").join(name)).unwrap();
}

fn fax(line: &str) -> Vec<u8> {
    fax_of_lines(&Fonts::load().unwrap(), &["Concurrent review", line])
}

#[test]
fn every_paper_in_a_mailbox_becomes_an_item_and_the_message_is_kept_as_it_came() {
    let setup = setup();
    let text = "Content-Type: text/plain";
    let two = message(
        "Fax from 617-555-0134, 3 pages",
        &[
            (text, b"See attached."),
            ("Content-Type: application/octet-stream; name=a", &fax("Weight today 1450 grams")),
            ("Content-Type: image/tiff", &fax("Weight today 1900 grams")),
        ],
    );
    deliver(&setup, "new/1773384266.M1P2.host", &two);
    let body = b"NICU CONCURRENT REVIEW\r\n\r\nPatient: Roe, Jan\r\nDOB: 2/7/2026\r\n\r\nWeight:    1450 g\r\nBed type:  Isolette";
    deliver(&setup, "cur/1773384267.M1P3.host:2,S", &message("NICU review", &[(text, body)]));
    deliver(
        &setup,
        "new/1773384268.M1P4.host",
        &message("letter", &[(text, b"x"), ("Content-Type: application/ms-tnef", b"\x78\x9f\x3e\x22")]),
    );
    setup.arrive("mail.eml", &message("as a file", &[("Content-Type: image/tiff", &fax("Weight today 2450 grams"))]));
    setup.drain();

    let papers = setup.exported_of("1773384266.M1P2.host");
    let pages: Vec<&serde_json::Value> = papers.iter().map(|item| &item["page_range"]).collect();
    assert_eq!(pages, [&serde_json::json!([1, 1]), &serde_json::json!([2, 2])]);
    for item in &papers {
        assert_eq!((&item["source"], &item["sender"]), (&"um".into(), &"6175550134".into()));
        let flags = item["flags"].to_string();
        assert!(flags.contains("page_count_differs") && flags.contains("other_segments"), "{flags}");
    }
    let body = setup.exported_of("1773384267.M1P3.host").remove(0);
    assert_eq!((&body["document_type"], &body["pages"]), (&"concurrent_review".into(), &1.into()));
    assert_eq!(
        (&body["fields"]["weight_g"]["value"], &body["fields"]["dob"]["value"]),
        (&1450.into(), &"2026-02-07".into())
    );
    assert_eq!(body["sender"], "ur@hospital.example");
    let held = setup.held_of("1773384268.M1P4.host");
    assert!(held["reason"].as_str().unwrap().contains("winmail.dat"), "{held}");
    assert_eq!(setup.exported_of("mail.eml")[0]["source"], "secure-fax");
    assert!(setup.sealed(&two).is_some(), "the raw message is what is kept");
    assert_eq!((setup.files("um/new"), setup.files("um/cur")), (Vec::new(), Vec::new()));
    assert_eq!(setup.files("done").len(), 4);
    setup.succeed(&["verify"]);
}

#[test]
fn what_machines_send_of_other_messages_is_kept_and_closed() {
    let setup = setup();
    let daemon = setup.start();
    let away = [
        b"Auto-Submitted: auto-replied\r\n".to_vec(),
        message("Re: NICU", &[("Content-Type: text/plain", b"I am away.")]),
    ]
    .concat();
    deliver(&setup, "new/1.host", &away);
    wait_until("the trail to tell of it", || {
        let trail = setup.succeed(&["audit"]);
        trail.lines().any(|line| line.contains("set_aside") && line.contains("automatic reply")).then_some(())
    });
    // The same message again, seen by somebody meanwhile: one document still.
    deliver(&setup, "cur/1.host:2,S", &away);
    wait_until("the second to be taken", || setup.files("um/cur").is_empty().then_some(()));
    daemon.stop();
    setup.drain();
    assert_eq!((setup.exported().len(), setup.held().len()), (0, 0));
    assert!(setup.sealed(&away).is_some());
    setup.succeed(&["verify"]);
}

#[test]
fn a_message_that_was_delivered_to_two_mailboxes_is_one_item() {
    let setup = setup();
    let body = b"NICU CONCURRENT REVIEW\r\n\r\nPatient: Roe, Jan\r\nDOB: 2/7/2026\r\n\r\nWeight:    1450 g\r\nBed type:  Isolette";
    let review = message("NICU review", &[("Content-Type: text/plain", body)]);
    let delivered = |to: &str| [format!("Received: by {to}\r\nDelivered-To: {to}\r\n").as_bytes(), &review].concat();
    deliver(&setup, "new/1.host", &delivered("um@plan.example"));
    deliver(&setup, "new/2.host", &delivered("cm@plan.example"));
    // The same words in another message are another's.
    let other = String::from_utf8(review.clone()).unwrap().replace("Subject: NICU", "Subject: Second NICU");
    deliver(&setup, "new/3.host", other.as_bytes());
    setup.drain();
    assert_eq!(setup.exported().len(), 2, "{:#?}", setup.exported());
    let trail = setup.succeed(&["audit"]);
    assert_eq!(
        trail.lines().filter(|line| line.contains("duplicate") && line.contains("the same message")).count(),
        1,
        "{trail}"
    );
    assert!(
        setup.sealed(&delivered("um@plan.example")).is_some() && setup.sealed(&delivered("cm@plan.example")).is_some()
    );
    setup.succeed(&["verify"]);
    setup.succeed(&["rebuild"]);
    // It comes once more, by another way.
    deliver(&setup, "new/4.host", &delivered("nicu@plan.example"));
    setup.drain();
    assert_eq!(setup.exported().len(), 2);
}

#[test]
fn a_message_that_is_held_says_which_it_is_to_whoever_looks_and_not_to_the_log() {
    let setup = setup();
    let subject = "Quillfeather winmail";
    let unread = [("Content-Type: application/ms-tnef", &b"\x78\x9f\x3e\x22"[..])];
    deliver(&setup, "new/1.host", &message(subject, &unread));
    let empty = "From: Night Desk <night@hospital.example>\r\nTo: um@plan.example\r\nSubject: Quillfeather\r\n\r\n";
    deliver(&setup, "new/2.host", empty.as_bytes());
    let said = setup.drain();
    let listed = setup.json(&["held", "list", "--json"]);
    for (name, sender, subject) in
        [("1.host", "ur@hospital.example", subject), ("2.host", "night@hospital.example", "Quillfeather")]
    {
        let entry = setup.held_of(name);
        assert_eq!(entry["sender"], sender, "{entry:#}");
        let shown = setup.json(&["held", "show", entry["id"].as_str().unwrap()]);
        assert_eq!((&shown["sender"], &shown["subject"]), (&sender.into(), &subject.into()));
        assert_eq!(setup.exported_of(name)[0]["sender"], sender);
    }
    let table = setup.succeed(&["held", "list"]);
    assert!(table.contains("night@hospital.example") && !table.contains("Quillfeather"), "{table}");
    assert!(!listed.to_string().contains("Quillfeather"), "the list tells no subject");
    assert!(!said.contains("Quillfeather") && !said.contains("hospital.example"), "{said}");
    setup.succeed(&["rebuild"]);
    assert_eq!(setup.held_of("2.host")["sender"], "night@hospital.example");
    setup.succeed(&["verify"]);
}

#[test]
fn a_review_in_the_text_beside_an_attachment_is_an_item_of_its_own() {
    let setup = setup();
    let body = b"NICU CONCURRENT REVIEW\r\n\r\nPatient: Roe, Jan\r\nDOB: 2/7/2026\r\n\r\nWeight:    1450 g\r\nBed type:  Isolette";
    let letter = fax_of_lines(&Fonts::load().unwrap(), &["Notice of privacy practices", "effective this year"]);
    let parts = [("Content-Type: text/plain", &body[..]), ("Content-Type: image/tiff", &letter)];
    deliver(&setup, "new/1.host", &message("Fax from 617-555-0134, 1 page", &parts));
    setup.drain();
    let mut both = setup.exported_of("1.host");
    both.sort_by_key(|item| item["page_range"][0].as_u64());
    let [attached, written] = both.as_slice() else { panic!("{both:#?}") };
    assert_eq!((&attached["document_type"], &attached["page_range"]), (&"other".into(), &serde_json::json!([1, 1])));
    assert_eq!((&written["page_range"], &written["pages"]), (&serde_json::json!([2, 2]), &2.into()));
    assert_eq!(
        (&written["document_type"], &written["fields"]["weight_g"]["value"]),
        (&"concurrent_review".into(), &1450.into())
    );
    for (item, other) in [(attached, written), (written, attached)] {
        let flags = item["flags"].to_string();
        assert!(flags.contains("mail_text: ") && flags.contains(other["id"].as_str().unwrap()), "{flags}");
        assert!(!flags.contains("page_count_differs"), "{flags}");
    }
    setup.succeed(&["verify"]);
}
