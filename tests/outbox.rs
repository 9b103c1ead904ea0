//! Mails that the daemon writes, through the built program and a real mail server on loopback that takes them, refuses,
//! puts off, dies in the middle, and speaks bad TLS in turn.

#![allow(clippy::unwrap_used, clippy::disallowed_methods, reason = "a test stops at the first surprise")]

mod generator;
mod peers;
mod run;

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use base64::Engine;
use generator::{Fonts, fax_of_lines};
use jiff::Timestamp;
use peers::{Authority, MailServer};
use run::memory::children;
use run::{CONFIG, Daemon, NO_CASES, Setup, case, files_below, wait_until};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

/// How the daemon marks what it writes of its own accord.
const OURS: &str = "auto-generated; owner-program=nicufaxd";

/// Stand on the faxes, and in no notice.
const PATIENT: [&str; 4] = ["quillfeather", "zebediah", "5550987", "1450"];

fn betrayed(mail: &Value) -> Vec<&'static str> {
    let told = format!("{}{}", mail["head"], mail["text"]).to_lowercase();
    PATIENT.into_iter().filter(|word| told.contains(word)).collect()
}

fn review() -> Vec<u8> {
    let lines = [
        "Lakeview Hospital",
        "NICU CONCURRENT CLINICAL REVIEW",
        "Patient: Quillfeather, Zebediah",
        "Date of birth: 02/07/2026     MRN: 5550987",
        "Weight today: 1450 grams     Bed type: Isolette",
        "Respiratory support: room air     Feeding: 30 ml every 3 hours",
    ];
    fax_of_lines(&Fonts::load().unwrap(), &lines)
}

fn fax(title: &str, remark: &str) -> Vec<u8> {
    let lines = [
        "Lakeview Hospital",
        title,
        "Patient: Quillfeather, Zebediah",
        "Date of birth: 02/07/2026     MRN: 5550987",
        remark,
    ];
    fax_of_lines(&Fonts::load().unwrap(), &lines)
}

fn readmission() -> Vec<u8> {
    fax(
        "NOTIFICATION OF READMISSION",
        "The infant was readmitted to our unit after discharge home. Weight today 1450 grams",
    )
}

/// The outbox's tables, with a relay at this port and more keys.
fn tables(relay: &str, keys: &str) -> String {
    format!(
        "[outbox]\nfrom = \"fax@clinic.example\"\nsmtp = {{ host = \"localhost\", {relay} }}\nretry_after = \"1s\"\n\
         allow = [\"plan.example\"]\n{keys}\n"
    )
}

fn plain(server: &MailServer) -> String {
    format!("port = {}, tls = \"none\"", server.port)
}

fn forward(to: &str) -> String {
    format!("[[outbox.forward]]\nname = \"plan\"\nwhen = [\"readmission\"]\nto = [{to}]\nmin_confidence = 0.5\n")
}

fn trusted(server: &MailServer, to: &str) -> String {
    tables(&plain(server), &format!("trust_local_relay = true\n{}", forward(to)))
}

fn message_ids(mails: &[Value]) -> Vec<&str> {
    mails.iter().map(|mail| mail["head"]["message-id"].as_str().unwrap()).collect()
}

fn waits_for_nothing(setup: &Setup) {
    wait_until("the outbox to be empty", || {
        let outbox = &setup.json(&["status", "--json"])["outbox"];
        (outbox["waiting"] == 0 && outbox["sending"]["in_hand"] == 0).then_some(())
    });
}

#[test]
fn a_forward_carries_the_document_as_it_was_received_once_over_verified_tls_after_a_login() {
    let setup = Setup::new();
    let authority = Authority::new(&setup.path("authority"));
    let login = ["--user", "nicufaxd", "--password", "open sesame"];
    for tls in ["implicit", "starttls"] {
        let server = MailServer::under_tls(&setup.path(tls), tls, &authority, &login);
        let password = setup.path("password");
        fs::write(&password, "open sesame\n").unwrap();
        fs::set_permissions(&password, fs::Permissions::from_mode(0o600)).unwrap();
        let relay = format!(
            "port = {}, tls = \"{tls}\", ca_file = \"authority/root.pem\", user = \"nicufaxd\", password_file = \"password\"",
            server.port
        );
        setup.configure("", &tables(&relay, &forward("\"um@plan.example\"")));
        setup.succeed(&["check"]);
        let bytes = if tls == "implicit" {
            readmission()
        } else {
            fax("READMISSION", "readmitted from home after discharge home")
        };
        setup.arrive(&format!("Quillfeather-{tls}.tif"), &bytes);
        let said = setup.drain();
        let mails = server.mails();
        let [mail] = mails.as_slice() else { panic!("{}: {mails:#?}\n{said}", mails.len()) };
        assert_eq!(
            (&mail["tls"], &mail["login"], &mail["recipient"]),
            (&true.into(), &true.into(), &"um@plan.example".into())
        );
        let enclosed = &mail["enclosed"][0];
        let carried = base64::engine::general_purpose::STANDARD.decode(enclosed["bytes"].as_str().unwrap()).unwrap();
        assert!(carried == bytes, "not the bytes that were received");
        let id = setup.id(&bytes);
        assert_eq!(enclosed["name"], format!("{}.tif", id.short()));
        assert_eq!(betrayed(mail), [""; 0], "{mail:#}");
        assert!(mail["text"].as_str().unwrap().contains("readmission"), "{mail:#}");
        assert_eq!(mail["head"]["auto-submitted"], OURS);
        let trail = setup.succeed(&["audit", "--document", id.short()]);
        assert!(trail.contains("um@plan.example") && trail.contains("the relay has taken it over"), "{trail}");
        assert!(!said.contains("plan.example") && said.contains("mail sent"), "{said}");
        // Another start, and another: nothing is sent twice.
        setup.drain();
        setup.start().stop();
        assert_eq!(server.mails().len(), 1);
    }
    setup.succeed(&["verify"]);
    setup.succeed(&["rebuild"]);
}

#[test]
fn without_verified_tls_nothing_is_sent_in_the_clear_and_a_forward_waits_or_is_held() {
    let setup = Setup::new();
    let authority = Authority::new(&setup.path("authority"));
    let to = forward("\"um@plan.example\"");
    let clear = MailServer::start(&setup.path("clear"), &[]);
    let unknown = MailServer::under_tls(&setup.path("unknown"), "implicit", &authority, &[]);
    let upgraded = MailServer::under_tls(&setup.path("upgraded"), "starttls", &authority, &[]);
    setup.configure("", &tables(&plain(&clear), &to));
    let checked = setup.run(&["check"]);
    assert!(checked.code == Some(CONFIG) && checked.said.contains("outbox.forward: "), "{}", checked.said);
    setup.arrive("one.tif", &readmission());
    setup.drain();
    // A relay on this machine is not enough.
    let held = setup.held();
    let [letter] = held.as_slice() else { panic!("{held:#?}") };
    assert!(letter["reason"].as_str().unwrap().contains("verified TLS only"), "{letter}");
    assert!(!letter.to_string().contains("plan.example"), "the list tells no address: {letter}");
    let id = letter["id"].as_str().unwrap();
    let shown = setup.json(&["held", "show", id]);
    assert_eq!(shown["recipient"], "um@plan.example");
    // Servers with a certificate of nobody known, without TLS, and without STARTTLS.
    setup.succeed(&["held", "retry", id]);
    for (port, tls, words) in [
        (unknown.port, "implicit", "TLS failed"),
        (upgraded.port, "starttls", "TLS failed"),
        (clear.port, "implicit", "TLS failed"),
        (clear.port, "starttls", "offers no STARTTLS"),
    ] {
        setup.configure("", &tables(&format!("port = {port}, tls = \"{tls}\""), &to));
        let said = setup.drain();
        assert!(said.contains(words) && said.contains("it is tried again"), "{tls}: {said}");
    }
    let mails = [clear.mails(), unknown.mails(), upgraded.mails()].concat();
    assert!(mails.is_empty(), "{mails:#?}");
    // With its root known the same server is good enough.
    let relay = format!("port = {}, tls = \"starttls\", ca_file = \"authority/root.pem\"", upgraded.port);
    setup.configure("", &tables(&relay, &to));
    setup.drain();
    assert_eq!(upgraded.mails()[0]["tls"], true);
    assert!(setup.held().is_empty());
}

#[test]
fn what_is_put_off_or_lost_on_the_way_is_sent_again_with_the_same_message_id_and_delays_no_other() {
    let setup = Setup::new();
    let server = MailServer::start(&setup.path("relay"), &[]);
    setup.configure(
        "",
        &trusted(&server, "\"slow@plan.example\", \"lost@plan.example\", \"good@plan.example\", \"cut@plan.example\", \"late@plan.example\""),
    );
    let text = fs::read_to_string(setup.config()).unwrap();
    fs::write(setup.config(), text.replace("retry_after", "timeout = \"5s\"\nretry_after")).unwrap();
    server.order(
        "slow@plan.example rcpt 450 4.2.1 slow@plan.example is busy\nslow@plan.example data 451 4.3.0 later\n\
         lost@plan.example lose\nlate@plan.example stall\ncut@plan.example drop\ncut@plan.example drop\n",
    );
    let daemon = setup.start();
    setup.arrive("one.tif", &readmission());
    daemon.wait_for_line("all to be sent", |line| line["message"] == "mail sent" && line["attempt"] == 3);
    waits_for_nothing(&setup);
    let (status, log, took) = daemon.stop();
    assert!(status.success() && took.as_secs() < 10, "{took:?}");
    let mails = server.mails();
    let of = |to: &str| mails.iter().filter(|mail| mail["recipient"] == to).cloned().collect::<Vec<_>>();
    for (to, times) in [("slow", 2), ("lost", 2), ("good", 1), ("cut", 1), ("late", 2)] {
        let sent = of(&format!("{to}@plan.example"));
        assert_eq!(sent.len(), times, "{to}: {sent:#?}");
        assert!(message_ids(&sent).windows(2).all(|pair| pair[0] == pair[1]), "{to}");
        assert!(sent.iter().all(|mail| mail["recipients"] == 1 && mail["text"] == sent[0]["text"]));
    }
    let mut ids = message_ids(&mails);
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), 5, "each mail has its own");
    let log = log.join("\n");
    assert!(log.contains("put it off (450 4.2.1)") && !log.contains("busy") && !log.contains("plan.example"), "{log}");
    // Each mail's last answer is known: another start sends nothing.
    setup.drain();
    assert_eq!(server.mails().len(), mails.len());
}

#[test]
fn a_mail_that_is_refused_for_good_is_held_at_once_and_sent_when_a_person_wants_it() {
    let setup = Setup::new();
    let server = MailServer::start(&setup.path("relay"), &[]);
    setup.configure("", &trusted(&server, "\"gone@plan.example\", \"good@plan.example\""));
    server.order("gone@plan.example rcpt 550 5.1.1 <gone@plan.example> is unknown\n");
    let daemon = setup.start();
    setup.arrive("one.tif", &readmission());
    let line =
        daemon.wait_for_line("the refusal", |line| line["message"].as_str().unwrap().starts_with("mail given up"));
    assert_eq!(line["reason"], "the relay refused it for good (550 5.1.1)");
    let id = line["mail"].as_str().unwrap();
    server.wait_for(1);
    let listed = setup.succeed(&["held", "list"]);
    assert!(listed.contains(id) && listed.contains("550 5.1.1") && !listed.contains("gone@"), "{listed}");
    assert_eq!(setup.json(&["status", "--json"])["outbox"]["dead_letters"], 1);
    setup.succeed(&["held", "retry", id]);
    let mails = server.wait_for(2);
    assert_eq!(mails[1]["recipient"], "gone@plan.example");
    waits_for_nothing(&setup);
    assert!(setup.held().is_empty());
    let trail = setup.succeed(&["audit"]);
    assert!(trail.contains("gave mail-") && trail.contains("tried again"), "{trail}");
}

#[test]
fn a_daemon_that_is_killed_before_it_knows_the_answer_sends_the_same_message_again() {
    let setup = Setup::new();
    let server = MailServer::start(&setup.path("relay"), &[]);
    setup.configure("", &trusted(&server, "\"um@plan.example\""));
    server.order("* stall\n");
    let daemon = setup.start();
    setup.arrive("one.tif", &readmission());
    // It has the mail whole, and has not answered.
    server.wait_for(1);
    daemon.kill();
    setup.drain();
    let mails = server.mails();
    assert_eq!(mails.len(), 2);
    assert_eq!(message_ids(&mails)[0], message_ids(&mails)[1]);
    assert_eq!(mails[0]["text"], mails[1]["text"]);
    setup.drain();
    setup.drain();
    assert_eq!(server.mails().len(), 2);
    setup.succeed(&["verify"]);
}

#[test]
fn whenever_the_daemon_dies_a_forward_is_sent_and_at_most_once_more_under_its_message_id() {
    for (step, given) in [("items-queued", 1), ("mail-attempted", 1), ("mail-taken", 2)] {
        let setup = Setup::new();
        let server = MailServer::start(&setup.path("relay"), &[]);
        setup.configure("", &trusted(&server, "\"um@plan.example\""));
        setup.arrive("one.tif", &readmission());
        let mut command = setup.command(&["run", "--drain"]);
        command.env("NICUFAXD_DIE_AT", format!("{step}:1"));
        assert_eq!(Setup::finish(&mut command).code, None, "{step}: it did not die");
        setup.drain();
        setup.drain();
        let mails = server.mails();
        assert_eq!(mails.len(), given, "{step}");
        assert!(message_ids(&mails).windows(2).all(|pair| pair[0] == pair[1]), "{step}");
        assert_eq!(setup.exported().len(), 1, "{step}");
    }
}

#[test]
fn a_document_is_not_purged_while_a_mail_about_it_could_not_be_sent() {
    let setup = Setup::new();
    let server = MailServer::start(&setup.path("relay"), &[]);
    let rule = "[[retention]]\nname = \"all\"\nafter = \"1d\"\n";
    setup.configure("", &format!("{rule}{}", trusted(&server, "\"gone@plan.example\"")));
    server.order("* rcpt 550 5.1.1 unknown\n");
    setup.arrive("one.tif", &readmission());
    setup.drain();
    let item = setup.exported()[0]["id"].as_str().unwrap().to_owned();
    setup.succeed(&["queue", "resolve", &item, "--by", "N. Bellamy"]);
    set_clock(&setup, 3 * 24 * 3600);
    let purge = || {
        let mut command = setup.command(&["purge"]);
        let ended = Setup::finish(command.env("NICUFAXD_CLOCK_FILE", setup.path("clock")));
        assert_eq!(ended.code, Some(0), "{}", ended.said);
        setup.sealed(&readmission()).is_none()
    };
    assert!(!purge());
    let letter = setup.held().remove(0);
    setup.succeed(&["held", "dismiss", letter["id"].as_str().unwrap()]);
    assert!(setup.held().is_empty());
    setup.drain();
    assert!(server.mails().is_empty(), "a dismissed mail is not sent");
    assert!(purge());
    setup.succeed(&["verify"]);
}

#[test]
fn an_acknowledgement_goes_to_people_on_the_list_and_never_to_lists_robots_or_loops() {
    let setup = Setup::new();
    let server = MailServer::start(&setup.path("relay"), &[]);
    for folder in ["um/new", "um/cur", "um/tmp"] {
        fs::create_dir_all(setup.path(folder)).unwrap();
    }
    let mailbox = "[[intake.mailbox]]\nname = \"um\"\nmaildir = \"um\"\nrescan = \"1s\"\n";
    let acknowledge = "acknowledge = [\"hospital.example\", \"clinic.example\"]";
    setup.configure("", &format!("{mailbox}{}", tables(&plain(&server), acknowledge)));
    let deliver = |name: &str, head: &str, from: &str| {
        let text = format!(
            "{head}From: {from}\r\nTo: um@plan.example\r\nSubject: NICU review of Zebediah Quillfeather {name}\r\n\r\n\
             NICU CONCURRENT REVIEW\r\n\r\nPatient: Quillfeather, Zebediah\r\nDOB: 2/7/2026\r\n\r\nWeight:    1450 g\r\n"
        );
        fs::write(setup.path("um/tmp/1"), &text).unwrap();
        fs::rename(setup.path("um/tmp/1"), setup.path("um/new").join(name)).unwrap();
        text.into_bytes()
    };
    let person = "R. Nurse <ur@hospital.example>";
    let answered = deliver("1.person", "", person);
    deliver("2.list", "List-Id: <nicu.hospital.example>\r\n", person);
    deliver("3.bulk", "Precedence: bulk\r\n", person);
    deliver("4.robot", "Auto-Submitted: auto-generated\r\n", person);
    deliver("5.bounce", "Return-Path: <>\r\n", "mailer-daemon@hospital.example");
    deliver("6.ours", "", "fax@clinic.example");
    deliver("7.loop", "In-Reply-To: <nicufaxd.0123@clinic.example>\r\n", person);
    deliver("8.stranger", "", "ur@elsewhere.example");
    deliver("9.noreply", "", "no-reply@hospital.example");
    // Not from a mailbox: somebody has put an old email into a folder.
    let old = String::from_utf8(answered.clone()).unwrap().replace("1.person", "of old");
    setup.arrive("old.eml", old.as_bytes());
    setup.drain();
    let mails = server.mails();
    let [mail] = mails.as_slice() else { panic!("{mails:#?}") };
    let id = setup.id(&answered);
    assert_eq!(mail["recipient"], "ur@hospital.example");
    let said = format!("Your message was received. Its id is {}.", id.short());
    assert_eq!(mail["text"].as_str().unwrap().trim_end(), said);
    assert_eq!(mail["head"]["auto-submitted"], "auto-replied; owner-program=nicufaxd");
    assert_eq!((betrayed(mail), &mail["enclosed"]), (Vec::new(), &serde_json::json!([])));
    assert!(setup.exported().len() >= 8);
    setup.drain();
    assert_eq!(server.mails().len(), 1);
}

/// A daemon whose clock a test sets.
fn start_with_clock(setup: &Setup) -> Daemon {
    let mut command = setup.command(&["run"]);
    command.env("NICUFAXD_CLOCK_FILE", setup.path("clock"));
    let daemon = Daemon::new(command);
    daemon.wait_for_line("the start", |line| line["stage"] == "daemon" && line["message"] == "started");
    daemon
}

fn set_clock(setup: &Setup, seconds: i64) {
    fs::write(setup.path("clock.next"), seconds.to_string()).unwrap();
    fs::rename(setup.path("clock.next"), setup.path("clock")).unwrap();
}

#[test]
fn urgent_items_silent_sources_and_digests_are_told_of_once_across_restarts_and_without_patient_data() {
    let setup = Setup::new();
    let server = MailServer::start(&setup.path("relay"), &[]);
    let zebediah = case(&[
        ("case_id", "UM1"),
        ("status", "open"),
        ("mrn", "5550987"),
        ("last_name", "Quillfeather"),
        ("first_name", "Zebediah"),
        ("dob", "2026-02-07"),
        ("facility", "Lakeview Hospital"),
        ("assigned_nurse", "R. Bellamy"),
    ]);
    setup.write_cases(format!("{NO_CASES}{zebediah}").as_bytes());
    // A digest is due a minute from now, as the daemon's clock will have it.
    let soon = (Timestamp::now() + jiff::SignedDuration::from_mins(60)).in_tz("America/New_York").unwrap();
    let keys = format!(
        "operators = [\"it@clinic.example\"]\nlink_base = \"https://queue.example/\"\n\
         [outbox.notices]\num = [\"leads@clinic.example\"]\n\
         [[outbox.digest]]\nnurse = \"r. bellamy\"\nto = \"bellamy@clinic.example\"\ntimes = [\"{}\"]\n",
        soon.strftime("%H:%M")
    );
    setup.configure("silent_after = \"30h\"", &tables(&plain(&server), &keys));
    set_clock(&setup, 0);
    let of = |to: &str| server.mails().into_iter().filter(|mail| mail["recipient"] == to).collect::<Vec<_>>();
    let wait = |to: &str, count: usize| {
        wait_until(&format!("{count} mails to {to}"), || Some(of(to)).filter(|mails| mails.len() >= count))
    };
    let received = Timestamp::now() - jiff::SignedDuration::from_hours(13);
    fs::write(setup.inbox().join("one.json"), format!("{{\"received_at\": \"{received}\"}}")).unwrap();
    setup.arrive("one.tif", &review());
    let daemon = start_with_clock(&setup);
    let item = wait_until("the item", || setup.exported().pop());
    assert_eq!((&item["lane"], &item["priority"]), (&"um".into(), &"urgent".into()), "{item:#}");
    let half = wait("leads@clinic.example", 1);
    let id = item["id"].as_str().unwrap();
    let text = half[0]["text"].as_str().unwrap();
    assert!(text.contains(id) && text.contains("50 %") && text.contains("https://queue.example/"), "{text}");
    waits_for_nothing(&setup);
    daemon.stop();

    // Seven hours later, after a restart: the second notice, the digest not before its time, no silence yet.
    let daemon = start_with_clock(&setup);
    assert_eq!(of("leads@clinic.example").len(), 1);
    set_clock(&setup, 7 * 3600);
    let both = wait("leads@clinic.example", 2);
    assert!(both[1]["text"].as_str().unwrap().contains("80 %"), "{both:#?}");
    waits_for_nothing(&setup);
    daemon.stop();
    assert!(of("bellamy@clinic.example").is_empty(), "its time had passed hours ago");

    set_clock(&setup, 3700);
    let daemon = start_with_clock(&setup);
    let digest = wait("bellamy@clinic.example", 1);
    let subject = digest[0]["head"]["subject"].as_str().unwrap();
    let matched = item["match"]["status"] == "matched";
    assert_eq!(subject.contains("1 open, 1 urgent"), matched, "{subject}");
    set_clock(&setup, 3700 + 31 * 3600);
    let silent = wait("it@clinic.example", 1);
    assert!(silent[0]["head"]["subject"].as_str().unwrap().contains("secure-fax is silent"), "{silent:#?}");
    waits_for_nothing(&setup);
    daemon.stop();
    let daemon = start_with_clock(&setup);
    // The notice itself, forwarded to where the faxes come in, is no word of theirs.
    let back = b"From: fax@clinic.example\r\nTo: um@clinic.example\r\nMessage-ID: <nicufaxd.0a1b@clinic.example>\r\n\r\nsilent";
    setup.arrive("back.eml", back);
    wait_until("what came back to be seen", || {
        let trail = setup.succeed(&["audit"]);
        trail.contains("a mail of ours that came back").then_some(())
    });
    waits_for_nothing(&setup);
    assert_eq!(of("it@clinic.example").len(), 1);
    setup.arrive("two.tif", &fax("DISCHARGE SUMMARY", "Discharged home"));
    let heard = wait("it@clinic.example", 2);
    assert!(heard[1]["head"]["subject"].as_str().unwrap().contains("speaks again"), "{heard:#?}");
    waits_for_nothing(&setup);
    let (status, log, _) = daemon.stop();
    assert!(status.success());
    for mail in server.mails() {
        assert_eq!(betrayed(&mail), [""; 0], "{mail:#}");
        assert!(mail["head"]["auto-submitted"] == OURS && mail["enclosed"] == serde_json::json!([]));
    }
    assert!(!log.join("\n").contains("clinic.example"), "no address stands in the log");
    assert_eq!(of("it@clinic.example").len(), 2);
}

#[test]
fn trouble_of_the_machine_is_told_to_the_operators_once_an_hour_of_each_kind() {
    let setup = Setup::new();
    let server = MailServer::start(&setup.path("relay"), &[]);
    // No disk has so much room.
    let full = "[intake]\nmin_free = \"900TB\"\n";
    setup.configure("", &format!("{full}{}", tables(&plain(&server), "operators = [\"it@clinic.example\"]")));
    // Early in an hour, so that the test ends in the same one.
    let early = 600 - Timestamp::now().as_second().rem_euclid(3600);
    set_clock(&setup, early);
    let daemon = start_with_clock(&setup);
    let told = server.wait_for(1);
    assert!(told[0]["text"].as_str().unwrap().contains("nothing is accepted until there is room"), "{told:#?}");
    waits_for_nothing(&setup);
    daemon.stop();
    let daemon = start_with_clock(&setup);
    // By the next hour it has looked at the disk again, in this one.
    let line = |line: &Value| line["message"] == "mail sent";
    assert!(!daemon.log().iter().any(|text| line(&serde_json::from_str(text).unwrap())));
    set_clock(&setup, early + 3600);
    daemon.wait_for_line("the next hour's notice", line);
    waits_for_nothing(&setup);
    assert_eq!(server.mails().len(), 2);
    daemon.stop();
}

#[test]
fn workers_that_die_one_after_the_other_are_told_to_the_operators() {
    let setup = Setup::new();
    let server = MailServer::start(&setup.path("relay"), &[]);
    let keys = "operators = [\"it@clinic.example\"]\nworker_losses = 1";
    setup.configure("", &tables(&plain(&server), keys));
    let daemon = setup.start();
    for number in 0..4 {
        for worker in children(daemon.pid()) {
            kill_process(Pid::from_raw(worker as i32).unwrap(), Signal::KILL).unwrap();
        }
        let name = format!("{number}.tif");
        setup.arrive(&name, &fax("DISCHARGE SUMMARY", &format!("Discharged home on day {number}")));
        wait_until(&name, || setup.exported_of(&name).pop());
    }
    let told = server.wait_for(1);
    assert!(told[0]["text"].as_str().unwrap().contains("reading workers died"), "{told:#?}");
    daemon.stop();
}

#[test]
fn a_damaged_journal_is_told_to_the_operators_though_nothing_can_be_queued() {
    let setup = Setup::new();
    let server = MailServer::start(&setup.path("relay"), &[]);
    let keys = "operators = [\"it@clinic.example\", \"lead@clinic.example\"]";
    setup.configure("", &tables(&plain(&server), keys));
    setup.arrive("one.tif", &review());
    setup.drain();
    setup.succeed(&["verify"]);
    assert!(server.mails().is_empty());
    let journal = files_below(&setup.path("state/journal")).into_iter().max().unwrap();
    let mut bytes = fs::read(&journal).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 0xff;
    fs::write(&journal, &bytes).unwrap();
    // Without an index the whole of it is read at the start.
    fs::remove_dir_all(setup.path("state/index")).unwrap();
    let ended = setup.run(&["run"]);
    assert!(ended.code == Some(74) && ended.said.contains("an operator was told by mail"), "{}", ended.said);
    let told = server.wait_for(2);
    for mail in &told {
        let text = mail["text"].as_str().unwrap();
        assert!(text.contains("journal is damaged at record") && !text.contains("/state"), "{mail:#}");
        assert_eq!((betrayed(mail), &mail["head"]["auto-submitted"]), (vec![], &OURS.into()));
    }
    let ended = setup.run(&["verify"]);
    assert_eq!(ended.code, Some(65), "{}", ended.said);
    let told = server.wait_for(4);
    assert!(told[3]["text"].as_str().unwrap().contains("1 problem. The journal is damaged"), "{told:#?}");
    assert_eq!(fs::read(&journal).unwrap(), bytes);
    // A relay that is away delays the end by no more than a little.
    drop(server);
    let begun = std::time::Instant::now();
    let ended = setup.run(&["run"]);
    assert!(ended.code == Some(74) && ended.said.contains("could not be told by mail"), "{}", ended.said);
    assert!(begun.elapsed().as_secs() < 30, "{:?}", begun.elapsed());
}

#[test]
fn mails_that_wait_are_listed_without_address_shown_tried_again_at_once_and_dismissed_on_record() {
    let setup = Setup::new();
    let server = MailServer::start(&setup.path("relay"), &[]);
    let to = "\"good@plan.example\", \"never@plan.example\"";
    setup.configure("", &trusted(&server, to).replace("retry_after = \"1s\"", "retry_after = \"1h\""));
    server.order("good@plan.example rcpt 450 4.2.1 later\nnever@plan.example rcpt 450 4.2.1 later\n");
    let daemon = setup.start();
    setup.arrive("one.tif", &readmission());
    daemon.wait_for_count("it is tried again", 2);
    let listed = setup.json(&["outbox", "list", "--json"]);
    let ids: Vec<&str> = listed.as_array().unwrap().iter().map(|mail| mail["id"].as_str().unwrap()).collect();
    assert_eq!(ids.len(), 2, "{listed:#}");
    assert!(!listed.to_string().contains("plan.example") && listed[0]["state"] == "waiting", "{listed:#}");
    let id_of = |to: &str| ids.iter().find(|id| setup.json(&["outbox", "show", id])["recipient"] == to).unwrap();
    let (good, never) = (*id_of("good@plan.example"), *id_of("never@plan.example"));
    assert!(setup.json(&["outbox", "show", good])["body"].as_str().unwrap().contains("forwarded to you"));
    setup.succeed(&["outbox", "dismiss", never]);
    setup.succeed(&["outbox", "retry", good]);
    let mails = server.wait_for(1);
    assert_eq!(mails[0]["recipient"], "good@plan.example");
    waits_for_nothing(&setup);
    let table = setup.succeed(&["outbox", "list"]);
    assert!(!table.contains("mail-"), "{table}");
    let unknown = setup.run(&["outbox", "dismiss", never]);
    assert!(unknown.code == Some(65) && unknown.said.contains("is not known"), "{}", unknown.said);
    let (_, log, _) = daemon.stop();
    assert!(!log.join("\n").contains("given up"), "{log:#?}");
    let trail = setup.succeed(&["audit"]);
    assert!(
        trail.contains(&format!("dismissed {never}")) && trail.contains(&format!("wanted {good} tried")),
        "{trail}"
    );
    setup.drain();
    assert_eq!(server.mails().len(), 1);
    setup.succeed(&["verify"]);
    setup.succeed(&["rebuild"]);
}

/// A mail of ours as another server delivers it to us.
fn come_back(mail: &Value, enclosed: &[u8]) -> Vec<u8> {
    let head = |name: &str| mail["head"][name].as_str().unwrap().to_owned();
    format!(
        "Received: from relay by mx\r\nFrom: {}\r\nTo: {}\r\nSubject: {}\r\nMessage-ID: {}\r\nAuto-Submitted: {}\r\n\
         MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=\"=b\"\r\n\r\n--=b\r\n\
         Content-Type: text/plain\r\n\r\n{}\r\n--=b\r\nContent-Type: image/tiff\r\n\
         Content-Transfer-Encoding: base64\r\n\r\n{}\r\n--=b--\r\n",
        head("from"),
        head("to"),
        head("subject"),
        head("message-id"),
        head("auto-submitted"),
        mail["text"].as_str().unwrap(),
        base64::engine::general_purpose::STANDARD.encode(enclosed)
    )
    .into_bytes()
}

#[test]
fn what_the_daemon_wrote_and_comes_back_is_set_aside_and_another_paper_under_its_name_is_not() {
    let setup = Setup::new();
    let server = MailServer::start(&setup.path("relay"), &[]);
    setup.configure("", &trusted(&server, "\"um@plan.example\""));
    setup.arrive("one.tif", &readmission());
    setup.drain();
    let forward = server.wait_for(1).remove(0);
    setup.arrive("forward.eml", &come_back(&forward, &readmission()));
    let notice = "From: fax@clinic.example\r\nTo: um@plan.example\r\nSubject: nicufaxd needs a look\r\n\
                  Message-ID: <relay.7@mx.example>\r\nAuto-Submitted: auto-generated; owner-program=nicufaxd\r\n\r\n\
                  The log has an error since noon.\r\n";
    setup.arrive("notice.eml", notice.as_bytes());
    // Whoever has our mail can write under its id: what else stands in it is for a person.
    setup.arrive("forged.eml", &come_back(&forward, &review()));
    setup.drain();
    let names: Vec<String> =
        setup.exported().iter().map(|item| item["source_file"].as_str().unwrap().to_owned()).collect();
    assert!(names.len() == 2 && names.contains(&"one.tif".into()) && names.contains(&"forged.eml".into()), "{names:?}");
    let trail = setup.succeed(&["audit"]);
    assert_eq!(trail.matches("a mail of ours that came back").count(), 2, "{trail}");
    assert_eq!(server.mails().len(), 1, "nothing is sent on or acknowledged");
    setup.succeed(&["verify"]);
}

#[test]
fn the_machines_own_sendmail_is_handed_the_mail_and_tried_again_while_it_fails() {
    let setup = Setup::new();
    let program = setup.path("sendmail");
    let took = setup.path("took");
    // As sendmail does: options, recipient, and the message on standard input; it fails the first time.
    let script = format!(
        "#!/bin/sh\ncat > {took}.new\n[ -e {took}.once ] || {{ touch {took}.once; exit 75; }}\n\
         echo \"$@\" > {took}.arguments\nmv {took}.new {took}\n",
        took = took.display()
    );
    fs::write(&program, script).unwrap();
    fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
    let smtp = "smtp = { host = \"localhost\", x }";
    let sendmail = format!("sendmail = \"{}\"", program.display());
    let tables = tables("x", &format!("trust_local_relay = true\n{}", forward("\"um@plan.example\"")));
    assert!(tables.contains(smtp));
    setup.configure("", &tables.replace(smtp, &sendmail));
    setup.succeed(&["check"]);
    let daemon = setup.start();
    setup.arrive("one.tif", &readmission());
    daemon.wait_for_line("the first try", |line| line["reason"] == "sendmail did not take it");
    daemon.wait_for_line("the second", |line| line["message"] == "mail sent" && line["attempt"] == 2);
    let arguments = fs::read_to_string(setup.path("took.arguments")).unwrap();
    assert_eq!(arguments.trim(), "-i -f fax@clinic.example -- um@plan.example");
    let message = fs::read_to_string(&took).unwrap();
    assert!(message.contains("Message-ID: <nicufaxd.") && message.contains("base64"), "{message}");
}

#[test]
fn check_tells_what_is_wrong_with_the_outbox() {
    let setup = Setup::new();
    let wrong = |tables: &str, words: &[&str]| {
        setup.configure("", tables);
        let ended = setup.run(&["check"]);
        assert_eq!(ended.code, Some(CONFIG), "{tables}: {}", ended.said);
        for words in words {
            assert!(ended.said.contains(words), "{} lacks {words:?}", ended.said);
        }
    };
    let away = tables("port = 25, tls = \"none\"", "").replace("localhost", "mail.clinic.example");
    wrong(&away, &["outbox.smtp.tls", "in the clear to another machine"]);
    wrong(
        &tables("port = 25", &forward("\"um@elsewhere.example\"")),
        &["outbox.forward[0].to", "not on the allow list"],
    );
    wrong(&tables("port = 25, user = \"x\"", ""), &["outbox.smtp.user", "has no password"]);
    wrong(&tables("user = \"x\", password_file = \"none\"", ""), &["outbox.smtp.password", "cannot be read"]);
    wrong(&tables("ca_file = \"nicufaxd.toml\"", ""), &["outbox.smtp.ca_file", "PEM"]);
    wrong(&tables("port = 25", "operators = [\"nobody\"]"), &["outbox.operators[0]", "no plain mail address"]);
    wrong(&tables("port = 25", "[outbox.notices]\nicu = []"), &["outbox.notices.icu", "is no lane"]);
    fs::create_dir(setup.path("templates")).unwrap();
    fs::write(setup.path("templates/urgent.txt"), "Subject: {patient}\n\n").unwrap();
    wrong(&tables("port = 25", "templates = \"templates\""), &["outbox.templates", "{patient} is no placeholder"]);
    setup.configure("silent_after = \"2h\"", "");
    let ended = setup.run(&["check"]);
    assert!(ended.said.contains("silent_after") && ended.said.contains("[outbox] operators"), "{}", ended.said);
}

#[test]
fn the_templates_that_are_delivered_are_the_built_in_ones() {
    let setup = Setup::new();
    let delivered = Path::new(env!("CARGO_MANIFEST_DIR")).join("config/templates");
    let keys = format!("templates = \"{}\"", delivered.display());
    setup.configure("", &tables("port = 25", &keys));
    setup.succeed(&["check"]);
}
