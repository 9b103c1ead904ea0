//! The sidecar, which is private to the intake and so is built in here.

#![no_main]

use jiff::Timestamp;
use libfuzzer_sys::fuzz_target;

#[allow(dead_code, reason = "the intake uses the rest of it")]
#[path = "../../src/intake/sidecar.rs"]
mod sidecar;

use sidecar::Sidecar;

fuzz_target!(|bytes: &[u8]| {
    let now: Timestamp = "2026-03-16T14:00:00Z".parse().expect("a time");
    let sidecar = Sidecar::parse(bytes, now);
    assert!(sidecar.received_at.is_none_or(|time| time <= now), "a time of receipt in the future");
    for text in [&sidecar.sender, &sidecar.receiver].into_iter().flatten() {
        assert!(text.chars().count() <= 128 && !text.contains(char::is_control), "{text:?}");
    }
    assert_eq!(sidecar.note().is_some(), !sidecar.unreadable.is_empty());
});
