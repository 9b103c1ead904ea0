//! Mail accounts as sources, against a real Dovecot: no loss, no second item, nothing fetched twice.

#![allow(clippy::unwrap_used, clippy::disallowed_methods, reason = "a test stops at the first surprise")]

mod dovecot;
mod run;

use std::fs;
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;

use dovecot::between::{Between, Cut};
use dovecot::tokens::TokenService;
use dovecot::{Dovecot, Manner, PASSWORD, USER};
use run::{Setup, TEMPFAIL, wait_until};

/// A set-up whose mailbox `um` is the account at this port, in the clear, with more keys.
fn setup(port: u16, keys: &str) -> Setup {
    setup_with(&account("um", &format!("port = {port}, tls = \"none\", {keys}")))
}

fn account(name: &str, keys: &str) -> String {
    format!(
        "[[intake.mailbox]]\nname = \"{name}\"\nrescan = \"1s\"\n\
         imap = {{ host = \"localhost\", user = \"{USER}\", password_file = \"password\", {keys} }}\n"
    )
}

fn setup_with(tables: &str) -> Setup {
    let setup = Setup::with("", tables);
    write_secret(&setup, "password", PASSWORD);
    setup
}

fn write_secret(setup: &Setup, name: &str, secret: &str) {
    fs::write(setup.path(name), secret).unwrap();
    fs::set_permissions(setup.path(name), fs::Permissions::from_mode(0o600)).unwrap();
}

/// A message without a Message-ID, whose body is its paper.
fn review(weight: u32) -> Vec<u8> {
    format!(
        "From: Review <ur@hospital.example>\r\nTo: {USER}\r\nSubject: NICU review\r\nMIME-Version: 1.0\r\n\
         Content-Type: text/plain\r\n\r\nNICU CONCURRENT REVIEW\r\n\r\nPatient: Roe, Jan\r\nDOB: 2/7/2026\r\n\r\n\
         Weight:    {weight} g\r\nBed type:  Isolette\r\n"
    )
    .into_bytes()
}

/// A message of about so many bytes, most of them a picture that cannot be read.
fn large(bytes: usize) -> Vec<u8> {
    let line = "QUJDREVGR0hJSktMTU5PUFFSU1RVVldYWVphYmNkZWZnaGlqa2xtbm9wcXJzdHV2d3h5ejAx\r\n";
    let mut text = format!(
        "From: ur@hospital.example\r\nTo: {USER}\r\nSubject: scan\r\nMIME-Version: 1.0\r\n\
         Content-Type: application/octet-stream; name=scan.bin\r\nContent-Transfer-Encoding: base64\r\n\r\n"
    );
    text += &line.repeat(bytes / line.len());
    text.into_bytes()
}

fn weights(setup: &Setup) -> Vec<u64> {
    let mut weights: Vec<u64> =
        setup.exported().iter().filter_map(|item| item["fields"]["weight_g"]["value"].as_u64()).collect();
    weights.sort_unstable();
    weights
}

#[test]
fn messages_become_items_are_kept_as_they_came_and_move_on_unread() {
    let server = Dovecot::start();
    let setup = setup(server.imap, "");
    for weight in [1450, 1460, 1470] {
        server.deliver(&review(weight));
    }
    setup.drain();
    assert_eq!(weights(&setup), [1450, 1460, 1470]);
    let item = setup.exported().remove(0);
    assert_eq!((&item["source"], &item["sender"]), (&"um".into(), &"ur@hospital.example".into()));
    assert!(item["source_file"].as_str().unwrap().starts_with("INBOX/"), "{item:#}");
    assert!(setup.sealed(&review(1450)).is_some());
    assert_eq!(server.messages("").len(), 0);
    let moved = server.messages("nicufaxd");
    assert_eq!(moved.len(), 3);
    assert!(
        moved.iter().all(|(bytes, flags)| bytes.starts_with(b"From: Review") && !flags.contains('S')),
        "unread still"
    );
    setup.succeed(&["verify"]);
}

#[test]
fn a_message_that_came_twice_or_into_two_folders_or_was_moved_back_is_one_document() {
    let server = Dovecot::start();
    let keys = |folder: &str| format!("port = {}, tls = \"none\", folder = \"{folder}\"", server.imap);
    server.deliver_into("Second", &review(1450));
    let setup = setup_with(&(account("um", &keys("INBOX")) + &account("um-second", &keys("Second"))));
    server.deliver(&review(1450));
    server.deliver(&review(1450));
    setup.drain();
    assert_eq!(weights(&setup), [1450]);
    assert_eq!(setup.exported()[0]["arrivals"], 3);
    // A person moves them back to have another look.
    server.move_by_hand("nicufaxd", "");
    setup.drain();
    assert_eq!(weights(&setup), [1450]);
    assert_eq!(server.messages("").len() + server.messages("Second").len(), 0);
    setup.succeed(&["verify"]);
}

#[test]
fn a_connection_cut_before_messages_are_moved_neither_loses_nor_doubles_nor_fetches_them_again() {
    let server = Dovecot::start();
    let between = Between::start(server.imap, Some(Cut::BeforeSaying("UID MOVE", 2)));
    let setup = setup(between.port, "");
    let messages: Vec<Vec<u8>> = (0..3).map(|number| large(200_000 + number * 1000)).collect();
    for message in &messages {
        server.deliver(message);
    }
    let size: usize = messages.iter().map(Vec::len).sum();
    let daemon = setup.start();
    between.wait_for_cuts(2);
    wait_until("the messages to be moved", || (server.messages("nicufaxd").len() == 3).then_some(()));
    daemon.stop();
    assert_eq!(server.messages("").len(), 0);
    assert!(between.bytes() < size as u64 * 3 / 2, "{} bytes for messages of {size}", between.bytes());
    assert!(messages.iter().all(|message| setup.sealed(message).is_some()));
    setup.drain();
    assert!(setup.exported().iter().chain(&setup.held()).all(|entry| entry["arrivals"].as_u64().unwrap_or(1) == 1));
    setup.succeed(&["verify"]);
}

#[test]
fn a_daemon_killed_between_storing_and_moving_takes_the_message_once() {
    let server = Dovecot::start();
    let between = Between::start(server.imap, Some(Cut::BeforeSaying("UID MOVE", u32::MAX)));
    let setup = setup(between.port, "");
    server.deliver(&review(1450));
    let daemon = setup.start();
    between.wait_for_cuts(1);
    daemon.kill();
    assert_eq!(server.messages("").len(), 1);
    setup.configure("", &account("um", &format!("port = {}, tls = \"none\"", server.imap)));
    setup.drain();
    assert_eq!(weights(&setup), [1450]);
    assert_eq!(setup.exported()[0]["arrivals"], 1);
    assert_eq!((server.messages("").len(), server.messages("nicufaxd").len()), (0, 1));
    setup.succeed(&["verify"]);
}

#[test]
fn a_large_message_whose_connection_is_cut_is_stored_whole_or_not_at_all() {
    let server = Dovecot::start();
    let between = Between::start(server.imap, Some(Cut::AfterBytes(3_000_000)));
    let setup = setup(between.port, "");
    let message = large(5_000_000);
    server.deliver(&message);
    let daemon = setup.start();
    between.wait_for_cuts(1);
    wait_until("the message to be moved", || (server.messages("nicufaxd").len() == 1).then_some(()));
    daemon.stop();
    setup.drain();
    assert!(setup.sealed(&message).is_some());
    assert_eq!(run::files_below(&setup.path("state/documents")).len(), 1, "nothing half is kept");
    setup.succeed(&["verify"]);
}

#[test]
fn numbers_that_begin_anew_bring_no_second_item_and_hide_no_new_message() {
    let mut server = Dovecot::start();
    let setup = setup(server.imap, "after = \"flag\"");
    server.deliver(&review(1450));
    server.deliver(&review(1460));
    setup.drain();
    assert_eq!(weights(&setup), [1450, 1460]);
    assert_eq!(server.messages("").len(), 2, "they stay where they are, flagged");
    server.forget_numbers();
    // One of the numbers now means this.
    server.deliver(&review(1470));
    setup.drain();
    assert_eq!(weights(&setup), [1450, 1460, 1470]);
    setup.succeed(&["verify"]);
}

#[test]
fn what_is_flagged_is_not_fetched_again_whatever_people_read() {
    let server = Dovecot::start();
    let between = Between::start(server.imap, None);
    let setup = setup(between.port, "after = \"flag\", flag = \"taken\"");
    for number in 0..20 {
        server.deliver(&large(50_000 + number * 100));
    }
    // A person has read one before the daemon came.
    server.deliver(&review(1450));
    setup.drain();
    let first = between.bytes();
    assert!(first > 1_000_000, "{first}");
    setup.drain();
    setup.drain();
    let later = between.bytes() - first;
    assert!(later < 4_000, "{later} bytes of two looks at which nothing was new");
    assert_eq!(weights(&setup), [1450]);
    assert_eq!(server.messages("").len(), 21);
}

#[test]
fn a_server_without_move_or_expunge_of_some_is_asked_to_copy_and_delete() {
    for without in [["MOVE", ""], ["MOVE", "UIDPLUS"]] {
        let server = Dovecot::in_manner(&Manner { without: &without, ..Manner::default() });
        let setup = setup(server.imap, "after_folder = \"Taken up\"");
        server.deliver(&review(1450));
        setup.drain();
        assert_eq!(weights(&setup), [1450], "{without:?}");
        assert_eq!(server.messages("Taken up").len(), 1, "{without:?}");
        let left = server.messages("");
        assert!(left.iter().all(|(_, flags)| flags.contains('T')), "{without:?}: {left:?}");
        // What is only marked as deleted is not taken for new.
        setup.drain();
        assert_eq!(setup.exported()[0]["arrivals"], 1, "{without:?}");
    }
}

#[test]
fn a_new_message_is_taken_as_it_comes_with_and_without_idle() {
    for without in [[""], ["IDLE"]] {
        let server = Dovecot::in_manner(&Manner { without: &without, ..Manner::default() });
        let setup = setup(server.imap, "after = \"delete\"");
        let daemon = setup.start();
        for weight in [1450, 1460] {
            server.deliver(&review(weight));
            wait_until("the item", || weights(&setup).contains(&u64::from(weight)).then_some(()));
        }
        wait_until("the messages to be deleted", || server.messages("").is_empty().then_some(()));
        daemon.stop();
    }
}

#[test]
fn an_account_that_hangs_delays_no_other_and_one_that_comes_back_goes_on() {
    let mut server = Dovecot::start();
    // Takes connections and says nothing.
    let silent = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let keys = |port: u16| format!("port = {port}, tls = \"none\"");
    let setup = setup_with(
        &(account("silent", &keys(silent.local_addr().unwrap().port())) + &account("um", &keys(server.imap))),
    );
    let daemon = setup.start();
    server.deliver(&review(1450));
    wait_until("the item", || (weights(&setup) == [1450]).then_some(()));
    server.end();
    daemon.wait_for_line("the trouble", |line| {
        line["source"] == "um" && matches!(line["level"].as_str(), Some("WARN" | "ERROR"))
    });
    server.start_again();
    server.deliver(&review(1460));
    wait_until("the second item", || (weights(&setup) == [1450, 1460]).then_some(()));
    let status = setup.json(&["status", "--json"]);
    assert_eq!(status["sources"]["um"]["last_error"], serde_json::Value::Null, "{status:#}");
    daemon.stop();
}

#[test]
fn a_message_over_the_limit_stays_and_is_shown_until_a_person_has_moved_it() {
    let server = Dovecot::start();
    let tables = account("um", &format!("port = {}, tls = \"none\"", server.imap))
        .replace("rescan", "max_bytes = \"2MB\"\nrescan");
    let setup = setup_with(&tables);
    server.deliver(&large(3_000_000));
    server.deliver(&review(1450));
    setup.drain();
    assert_eq!(weights(&setup), [1450]);
    let refused: Vec<_> = setup.held().into_iter().filter(|entry| entry["source"] == "um").collect();
    assert_eq!(refused.len(), 1, "{refused:#?}");
    assert!(refused[0]["reason"].as_str().unwrap().contains("larger than the limit"), "{refused:#?}");
    assert_eq!(server.messages("").len(), 1);
    server.move_by_hand("", "By hand");
    setup.drain();
    assert_eq!(setup.held().len(), 0);
}

#[test]
fn tls_is_spoken_to_who_proves_to_be_the_server_and_nothing_is_said_to_others() {
    let server = Dovecot::start();
    let authority = server.authority().display().to_string();
    for keys in [
        format!("port = {}, ca_file = \"{authority}\"", server.imaps),
        format!("port = {}, tls = \"starttls\", ca_file = \"{authority}\"", server.imap),
    ] {
        let setup = setup_with(&account("um", &keys));
        server.deliver(&review(1450));
        setup.drain();
        assert_eq!(weights(&setup), [1450], "{keys}");
    }
    server.deliver(&review(1450));
    let before = server.log().matches("Login:").count();
    let other = server.other_authority().display().to_string();
    for keys in [
        format!("port = {}, ca_file = \"{other}\"", server.imaps),
        format!("port = {}, tls = \"starttls\", ca_file = \"{other}\"", server.imap),
        format!("port = {}", server.imaps),
    ] {
        let setup = setup_with(&account("um", &keys));
        let ended = setup.run(&["run", "--drain"]);
        assert_eq!(ended.code, Some(TEMPFAIL), "{keys}: {}", ended.said);
        assert!(ended.said.contains("TLS failed") || ended.said.contains("authorities"), "{keys}: {}", ended.said);
    }
    assert_eq!(server.log().matches("Login:").count(), before);
    assert_eq!(server.messages("").len(), 1);
}

#[test]
fn a_wrong_password_is_told_without_it_and_the_messages_stay() {
    let server = Dovecot::start();
    let setup = setup(server.imap, "");
    write_secret(&setup, "password", "wrong-5up3r");
    server.deliver(&review(1450));
    let ended = setup.run(&["run", "--drain"]);
    assert_eq!(ended.code, Some(TEMPFAIL), "{}", ended.said);
    assert!(ended.said.contains("refused the sign-in"), "{}", ended.said);
    for secret in ["5up3r", USER, "hospital", "NICU review"] {
        assert!(!ended.said.contains(secret), "{secret} is in {}", ended.said);
    }
    assert_eq!(server.messages("").len(), 1);
}

/// The table of an account that signs in with tokens.
fn token_account(port: u16, service: &TokenService, keys: &str) -> String {
    format!(
        "[[intake.mailbox]]\nname = \"um\"\nrescan = \"1s\"\n[intake.mailbox.imap]\nhost = \"localhost\"\n\
         user = \"{USER}\"\nport = {port}\ntls = \"none\"\n[intake.mailbox.imap.oauth2]\nclient_id = \"nicufaxd\"\n\
         token_url = \"http://127.0.0.1:{}/token\"\n{keys}\n",
        service.port
    )
}

#[test]
fn a_rotated_refresh_token_is_kept_sealed_before_the_tokens_that_came_with_it_are_used() {
    let service = TokenService::start("RT-first", true);
    let folder = tempfile::tempdir().unwrap();
    let server = Dovecot::in_manner(&service.manner(folder.path()));
    let setup =
        Setup::with("", &token_account(server.imap, &service, "refresh_token_file = \"refresh\"\nscope = \"imap\""));
    write_secret(&setup, "refresh", "RT-first");
    let tokens = setup.path("state/tokens");
    let kept = move || run::files_below(&tokens).iter().map(|file| fs::read(file).unwrap()).collect::<Vec<_>>();
    let seen = std::sync::Mutex::new(Vec::new());
    let at_use = kept.clone();
    service.on_use(move |_| {
        let now = at_use();
        assert_eq!(now.len(), 1, "nothing is kept while the token is used");
        let mut seen = seen.lock().unwrap();
        assert!(!seen.contains(&now), "what is kept is not what came with this token");
        seen.push(now);
    });
    for weight in [1450, 1460, 1470] {
        server.deliver(&review(weight));
        setup.drain();
    }
    assert_eq!(weights(&setup), [1450, 1460, 1470]);
    let asked = service.asked();
    for (form, token) in asked.iter().zip(["RT-first", "RT-1", "RT-2"]) {
        assert!(form.contains(&format!("refresh_token={token}")) && form.contains("scope=imap"), "{form}");
    }
    for file in run::files_below(&setup.path("state")) {
        let bytes = fs::read(&file).unwrap();
        assert!(!bytes.windows(3).any(|window| window == b"RT-"), "a token lies open in {}", file.display());
    }
    assert_eq!(kept().len(), 1);

    service.revoke("RT-new");
    server.deliver(&review(1480));
    let ended = setup.run(&["run", "--drain"]);
    assert_eq!(ended.code, Some(TEMPFAIL), "{}", ended.said);
    assert!(ended.said.contains("sign in again") && !ended.said.contains("RT"), "{}", ended.said);
    // An operator's new one counts, whatever was kept.
    write_secret(&setup, "refresh", "RT-new");
    setup.drain();
    assert_eq!(weights(&setup), [1450, 1460, 1470, 1480]);
}

#[test]
fn a_service_that_rotates_nothing_and_an_application_in_its_own_name_are_served_too() {
    for (keys, grant) in [
        ("refresh_token_file = \"refresh\"\nclient_secret_file = \"secret\"", "grant_type=refresh_token"),
        ("client_secret_file = \"secret\"", "grant_type=client_credentials"),
    ] {
        let service = TokenService::start("RT-first", false);
        let folder = tempfile::tempdir().unwrap();
        let server = Dovecot::in_manner(&service.manner(folder.path()));
        let setup = Setup::with("", &token_account(server.imap, &service, keys));
        write_secret(&setup, "refresh", "RT-first");
        write_secret(&setup, "secret", "app-s3cret");
        server.deliver(&review(1450));
        setup.drain();
        setup.drain();
        assert_eq!(weights(&setup), [1450], "{grant}");
        assert!(service.asked().iter().all(|form| form.contains(grant) && form.contains("client_secret=app-s3cret")));
    }
}

#[test]
fn messages_that_the_server_does_not_let_go_of_are_all_taken_and_fetched_once_whatever_restarts() {
    let server = Dovecot::start();
    let between = Between::start(server.imap, None);
    // No folder can bear this name.
    let setup = setup(between.port, "after_folder = \"a..b\"");
    for number in 0..150 {
        server.deliver(&large(10_000 + number * 100));
    }
    let daemon = setup.start();
    daemon.wait_for_line("the trouble", |line| {
        line["source"] == "um" && line["reason"].as_str().is_some_and(|reason| reason.contains("does not let go"))
    });
    let stored = |daemon: &run::Daemon| daemon.log().iter().filter(|line| line.contains("document stored")).count();
    wait_until("all to be stored", || (stored(&daemon) == 150).then_some(()));
    let before = between.bytes();
    server.deliver(&review(1450));
    wait_until("the item of a new one", || weights(&setup).contains(&1450).then_some(()));
    assert!(between.bytes() - before < 20_000, "{} bytes for one small message", between.bytes() - before);
    let status = setup.json(&["status", "--json"]);
    assert!(status["sources"]["um"]["last_error"].as_str().unwrap().contains("after_folder"), "{status:#}");
    daemon.stop();
    assert_eq!(server.messages("").len(), 151);
    // A start later they are known by their numbers, and only a new one is fetched.
    let before = between.bytes();
    server.deliver(&review(1460));
    let ended = setup.run(&["run", "--drain"]);
    assert!(ended.code == Some(TEMPFAIL) && ended.said.contains("does not let go"), "{}", ended.said);
    assert_eq!(weights(&setup), [1450, 1460]);
    assert!(between.bytes() - before < 20_000, "{} bytes after a restart", between.bytes() - before);
    let held = setup.held();
    assert!(held.iter().all(|entry| entry["receipts"].as_array().is_none_or(|arrivals| arrivals.len() == 1)));
    setup.succeed(&["verify"]);
}
