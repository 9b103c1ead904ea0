//! The layout keeps its promises: one foreign thing, one place; the modules in flow order; nothing of one machine.

#![allow(clippy::unwrap_used, reason = "a test stops at the first surprise")]

mod run;

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use run::files_below;

/// Crates that bring something foreign in, by the name that code calls them, and the one file or folder of `src/` that
/// may. What is everybody's (serde, jiff, tokio, tracing, thiserror, regex, clap) is not here.
const FOREIGN: [(&str, &[&str]); 35] = [
    ("sled", &["archive/index.rs"]),
    ("sha2", &["archive", "document.rs", "intake/imap/oauth.rs", "link/registry.rs", "paper/pdf.rs"]),
    ("chacha20poly1305", &["archive/seal.rs"]),
    ("getrandom", &["archive/seal.rs", "intake/imap/mod.rs"]),
    ("hmac", &["archive"]),
    ("base64", &["archive", "intake/imap/oauth.rs", "reader/message"]),
    ("mail_parser", &["reader/message"]),
    ("html2text", &["reader/message"]),
    ("zip", &["reader/message/zip.rs"]),
    ("nix", &["config/validate.rs"]),
    ("flate2", &["archive/documents.rs", "paper/pdf.rs", "reader"]),
    ("inotify", &["intake/changes.rs"]),
    ("tesseract", &["reader/tesseract.rs"]),
    ("leptonica_sys", &["reader/leptonica.rs"]),
    ("landlock", &["reader/cage/files.rs"]),
    ("seccompiler", &["reader/cage/calls.rs"]),
    ("hayro", &["paper/font.rs", "reader/glyphs.rs", "reader/pdf.rs", "reader/unpack.rs"]),
    ("pdf_writer", &["paper"]),
    ("moxcms", &["paper/pdf.rs"]),
    ("qrcode", &["paper/cover.rs"]),
    ("rxing", &["reader/barcode.rs"]),
    ("fax", &["reader/facsimile.rs"]),
    ("png", &["reader/facsimile.rs"]),
    ("tiff", &["reader"]),
    ("image", &["reader"]),
    ("async_imap", &["intake/imap"]),
    ("tokio_rustls", &["intake/imap"]),
    ("rustls_native_certs", &["intake/imap/tls.rs"]),
    ("ureq", &["intake/imap/oauth.rs"]),
    ("csv", &["link/registry.rs", "queue/dispositions.rs", "queue/export/csv.rs"]),
    ("maud", &["queue/export/html.rs"]),
    ("indicatif", &["cli/run.rs"]),
    ("lettre", &["outbox/smtp.rs"]),
    ("sd_notify", &["systemd.rs"]),
    ("strsim", &["link", "names.rs", "reader/layer", "understand"]),
];

fn source() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("src")
}

/// Every file of `src/`, by its path there, without its comments and its own tests.
fn files() -> Vec<(String, String)> {
    let mut found = Vec::new();
    for path in files_below(&source()) {
        let name = path.strip_prefix(source()).unwrap().to_str().unwrap().to_owned();
        if !name.contains("test") {
            let text = fs::read_to_string(&path).unwrap();
            let code = text.split("#[cfg(test)]\nmod tests {").next().unwrap_or_default();
            let lines = code.lines().filter(|line| !line.trim_start().starts_with("//"));
            found.push((name, lines.collect::<Vec<_>>().join("\n")));
        }
    }
    found
}

/// Whether code calls this crate: its name as the first part of a path, where no module of our own is called so.
fn calls(code: &str, name: &str) -> bool {
    if code.contains(&format!("\nmod {name};")) || code.contains(&format!("\npub mod {name};")) {
        return false;
    }
    code.match_indices(&format!("{name}::")).any(|(at, _)| {
        let before = code.get(..at).unwrap_or_default();
        let last = before.chars().next_back().unwrap_or(' ');
        // A longer name, a part further down a path, or our own module of the same name.
        let part_of_another = last.is_alphanumeric() || last == '_' || (last == ':' && !before.ends_with(" ::"));
        !part_of_another
    })
}

#[test]
fn every_foreign_crate_is_named_in_its_own_place_only() {
    for (name, places) in FOREIGN {
        let users: Vec<String> =
            files().into_iter().filter(|(_, code)| calls(code, name)).map(|(file, _)| file).collect();
        for user in &users {
            let allowed = places.iter().any(|place| user == place || user.starts_with(&format!("{place}/")));
            assert!(allowed, "src/{user} uses {name}, which belongs into {places:?}");
        }
    }
}

#[test]
fn a_process_is_started_in_one_file_only() {
    let users: Vec<String> =
        files().into_iter().filter(|(_, code)| code.contains("Command::new(")).map(|(file, _)| file).collect();
    assert_eq!(users, ["reader/process.rs"]);
}

#[test]
fn unsafe_code_is_allowed_only_where_a_foreign_library_is_wrapped() {
    let users: BTreeSet<String> =
        files().into_iter().filter(|(_, code)| code.contains("unsafe {")).map(|(file, _)| file).collect();
    let wrapping = ["daemon/memory.rs", "reader/cage/descriptors.rs", "reader/leptonica.rs", "reader/tesseract.rs"];
    let wrapping = BTreeSet::from(wrapping.map(str::to_owned));
    assert!(users.is_subset(&wrapping), "{users:?}");
}

#[test]
fn every_file_opens_with_its_contract() {
    for path in files_below(&source()) {
        let text = fs::read_to_string(&path).unwrap();
        assert!(text.starts_with("//! "), "{} opens without its contract", path.display());
    }
}

#[test]
fn the_modules_stand_in_the_order_in_which_a_fax_walks_through_them() {
    let map = fs::read_to_string(source().join("lib.rs")).unwrap();
    let flow = ["intake", "archive", "reader", "understand", "link", "route", "paper", "queue", "outbox"];
    let places: Vec<usize> = flow.iter().map(|name| map.find(&format!("\npub mod {name};")).unwrap()).collect();
    assert!(places.is_sorted(), "{places:?}");
}

#[test]
fn there_is_no_file_for_leftovers() {
    for (file, _) in files() {
        let name = file.rsplit('/').next().unwrap_or_default();
        let leftover = ["utils.rs", "util.rs", "helpers.rs", "common.rs", "traits.rs", "misc.rs"].contains(&name);
        assert!(!leftover && !file.contains("common/"), "src/{file}: say what it is for");
    }
}
