//! The systemd unit: well-formed, and locked in as tightly as it says.

#![allow(clippy::unwrap_used, reason = "a test stops at the first surprise")]

use std::path::Path;
use std::process::Command;

/// From 0 (nothing can leak out of it) to 10.
const MOST_EXPOSED: f64 = 1.5;

fn unit() -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("systemd/nicufaxd.service")
}

#[test]
fn the_unit_is_exposed_to_1_5_at_most() {
    let analysed = Command::new("systemd-analyze")
        .args(["security", "--offline=true", "--no-pager"])
        .arg(unit())
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&analysed.stdout).into_owned();
    let overall = text.lines().find(|line| line.contains("Overall exposure level")).unwrap_or_else(|| panic!("{text}"));
    let level = overall.split(": ").nth(1).and_then(|rest| rest.split_whitespace().next()).unwrap();
    let level: f64 = level.parse().unwrap_or_else(|_| panic!("{overall}"));
    assert!(level <= MOST_EXPOSED, "{overall}\n{text}");
}

#[test]
fn the_unit_gives_the_state_directory_a_mode_that_the_daemon_accepts_at_every_start() {
    let text = std::fs::read_to_string(unit()).unwrap();
    let value =
        |key: &str| text.lines().filter_map(|line| line.strip_prefix(key)?.strip_prefix('=')).collect::<Vec<_>>();
    // One mode holds for all of them, and is set at each start: what others read must not be among them.
    assert_eq!(value("StateDirectory"), ["nicufaxd"]);
    assert_eq!(value("StateDirectoryMode"), ["0700"]);
    assert_eq!(value("UMask"), ["0077"]);
}
