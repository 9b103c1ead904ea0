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
