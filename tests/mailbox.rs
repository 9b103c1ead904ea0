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
