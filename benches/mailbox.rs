//! Ten thousand messages in a mailbox of a real Dovecot on loopback: how long the first sync takes, what memory until it is
//! done and until all are read, what passes over the wire once nothing is new, and how soon a new message is taken.
//!
//! `cargo bench --bench mailbox -- [MESSAGES]`. The messages stay in the mailbox, flagged: the hardest case for a later
//! look. One in a hundred has 200 kB, one in a thousand 8 MB. Prints; fails when a message is missing or fetched twice.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::disallowed_methods,
    reason = "a trial stops at the first surprise"
)]

#[path = "../tests/dovecot/mod.rs"]
mod dovecot;
#[path = "../tests/run/mod.rs"]
mod run;

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::time::{Duration, Instant};

use dovecot::between::Between;
use dovecot::{Dovecot, PASSWORD, USER};
use run::Setup;
use run::memory::Peaks;

/// A line of the log for each message.
const STORED: &str = "document stored";

fn main() {
    // Cargo adds its own `--bench`.
    let messages = std::env::args().find_map(|argument| argument.parse().ok()).unwrap_or(10_000);
    let server = Dovecot::start();
    let between = Between::start(server.imap, None);
    let setup = Setup::with(
        "",
        &format!(
            "[[intake.mailbox]]\nname = \"um\"\nimap = {{ host = \"localhost\", port = {}, tls = \"none\", \
             user = \"{USER}\", password_file = \"password\", after = \"flag\" }}\n",
            between.port
        ),
    );
    fs::write(setup.path("password"), PASSWORD).unwrap();
    fs::set_permissions(setup.path("password"), fs::Permissions::from_mode(0o600)).unwrap();
    let bytes: u64 = (0..messages)
        .map(|number| {
            let message = message(number);
            server.deliver(&message);
            message.len() as u64
        })
        .sum();
    println!("{messages} messages, {:.1} MB", bytes as f64 / 1e6);

    let begun = Instant::now();
    let daemon = setup.launch();
    daemon.wait_for_count(STORED, messages as usize);
    let took = begun.elapsed();
    let flagged = || server.messages("").iter().filter(|(_, flags)| !flags.is_empty()).count() as u64;
    run::wait_until("every message to be flagged", || (flagged() == messages).then_some(()));
    // The kernel keeps the most that it ever was.
    let mut peaks = Peaks::default();
    peaks.look(daemon.pid());
    println!(
        "first sync: {:.1} s ({:.0} messages/s) with the start, daemon {:.0} MB (wanted below 120 MB), {:.3} bytes received for each of the messages",
        took.as_secs_f64(),
        messages as f64 / took.as_secs_f64(),
        peaks.daemon as f64 / 1e3,
        between.bytes() as f64 / bytes as f64,
    );
    assert!(between.bytes() < bytes * 11 / 10, "something was fetched twice");

    let left = || setup.json(&["status", "--json"])["documents"]["waiting"].as_u64();
    // No event tells that all are read, and asking more often would cost the daemon what is measured.
    while left() != Some(0) {
        std::thread::sleep(Duration::from_secs(2));
    }
    peaks.look(daemon.pid());
    println!(
        "all of them read: {:.0} s since the start, daemon {:.0} MB, its largest worker {:.0} MB",
        begun.elapsed().as_secs_f64(),
        peaks.daemon as f64 / 1e3,
        peaks.worker as f64 / 1e3,
    );

    let before = between.bytes();
    daemon.stop();
    let daemon = setup.start();
    wait_for_look(&setup);
    let looked = between.bytes() - before;
    println!("a look at them by a daemon that has just started: {looked} bytes received");
    assert!(looked < bytes / 100, "something was fetched twice");

    let mut waits = Vec::new();
    for number in 0..5 {
        let before = between.bytes();
        let begun = Instant::now();
        server.deliver(&message(messages + 1 + number));
        daemon.wait_for_count(STORED, number as usize + 1);
        waits.push(begun.elapsed());
        assert!(between.bytes() - before < 50_000, "more than the new message was fetched");
    }
    waits.sort();
    println!(
        "a new message is stored {:.2} s after its delivery (median of {}; worst {:.2} s; wanted below 2 s)",
        waits[waits.len() / 2].as_secs_f64(),
        waits.len(),
        waits[waits.len() - 1].as_secs_f64()
    );
    daemon.stop();
}

/// No two are the same.
fn message(number: u64) -> Vec<u8> {
    let size = if number % 1000 == 999 {
        8_000_000
    } else if number % 100 == 99 {
        200_000
    } else {
        2_000
    };
    let line =
        "Continues to feed and grow; family visits daily; plan as before, will send the next review on time.\r\n";
    let mut text = format!(
        "From: ur@hospital.example\r\nTo: {USER}\r\nSubject: note {number}\r\nMIME-Version: 1.0\r\n\
         Content-Type: {}\r\n\r\nNote {number}\r\n",
        if size > 2_000 { "application/octet-stream" } else { "text/plain" }
    );
    text += &line.repeat(size / line.len());
    text.into_bytes()
}

/// Waits until the mailbox has been looked at once.
fn wait_for_look(setup: &Setup) {
    run::wait_until("a look at the mailbox", || {
        let status = setup.json(&["status", "--json"]);
        status["sources"]["um"]["last_read"].is_string().then_some(())
    });
}
