//! The systemd unit: well-formed, locked in as tightly as it says, and no more tightly than the daemon can work.
//!
//! What systemd would do is done here by hand, after the unit's own words: namespaces and mounts by `unshare` and
//! `mount`, user and capabilities by `setpriv`, filters of system calls by this program, which then becomes the daemon.
//! Not applied: control groups, `ProtectClock`, `PrivateDevices`, credentials, the watchdog.

#![allow(clippy::unwrap_used, clippy::disallowed_methods, reason = "a test stops at the first surprise")]

mod generator;
mod run;

use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use generator::{Fonts, fax_of_lines};
use run::{Setup, files_below};
use seccompiler::{apply_filter_all_threads, compile_from_json};
use serde_json::{Value, json};

/// From 0 (nothing can leak out of it) to 10.
const MOST_EXPOSED: f64 = 1.5;

/// The unit; where this program has been shut in, its copy, because the project may lie where nobody can look any more.
fn unit() -> PathBuf {
    let copy = Path::new("/mnt/nicufaxd.service");
    if copy.exists() { copy.to_owned() } else { Path::new(env!("CARGO_MANIFEST_DIR")).join("systemd/nicufaxd.service") }
}

/// What the unit says under a key, a line each.
fn value(key: &str) -> Vec<String> {
    let text = std::fs::read_to_string(unit()).unwrap();
    let values = text.lines().filter_map(|line| line.strip_prefix(key)?.strip_prefix('='));
    values.map(str::to_owned).collect()
}

#[test]
fn the_unit_is_exposed_to_1_5_at_most_with_and_without_mail() {
    exposed_to(&unit());
    // What a drop-in says behind the unit holds, but for lists, of which these two are one.
    let folder = tempfile::tempdir().unwrap();
    let with_mail = folder.path().join("nicufaxd.service");
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let drop_in = std::fs::read_to_string(root.join("systemd/nicufaxd.service.d/mail.conf")).unwrap();
    let unit = std::fs::read_to_string(unit()).unwrap();
    std::fs::write(&with_mail, format!("{unit}\n{drop_in}")).unwrap();
    exposed_to(&with_mail);
}

fn exposed_to(unit: &Path) {
    let analysed =
        Command::new("systemd-analyze").args(["security", "--offline=true", "--no-pager"]).arg(unit).output().unwrap();
    let text = String::from_utf8_lossy(&analysed.stdout).into_owned();
    let overall = text.lines().find(|line| line.contains("Overall exposure level")).unwrap_or_else(|| panic!("{text}"));
    let level = overall.split(": ").nth(1).and_then(|rest| rest.split_whitespace().next()).unwrap();
    let level: f64 = level.parse().unwrap_or_else(|_| panic!("{overall}"));
    assert!(level <= MOST_EXPOSED, "{overall}\n{text}");
}

#[test]
fn the_unit_gives_the_state_directory_a_mode_that_the_daemon_accepts_at_every_start() {
    // One mode holds for all of them, and is set at each start: what others read must not be among them.
    assert_eq!(value("StateDirectory"), ["nicufaxd"]);
    assert_eq!(value("StateDirectoryMode"), ["0700"]);
    assert_eq!(value("UMask"), ["0077"]);
}

/// As the unit has it: everything read-only but what it names, no network, nobody's homes, a `/tmp` of its own, other
/// users' processes unseen, a user without any privilege. The set-up appears under `/mnt`.
const SHUT_IN: &str = r#"
set -e
mount --make-rprivate /
mount --bind "$1" /mnt
mount -o remount,bind,ro /
mount -t tmpfs -o mode=0755,ro none /home
mount -t tmpfs -o mode=0755,ro none /root
mount -t tmpfs -o mode=1777 none /tmp
mount -o remount,hidepid=invisible /proc
mount --bind /proc/sys /proc/sys
mount -o remount,bind,ro /proc/sys
umask 0077
ulimit -c 0
exec setpriv --reuid=65534 --regid=65534 --clear-groups --no-new-privs --bounding-set=-all --inh-caps=-all \
    env "$2"=yes /mnt/this-test --exact the_daemon_works_under_the_units_restrictions
"#;

/// Set where this program runs shut in: the test below comes there again, and becomes the daemon.
const WITHIN: &str = "NICUFAXD_TEST_WITHIN";

#[test]
fn the_daemon_works_under_the_units_restrictions() {
    if std::env::var_os(WITHIN).is_some() {
        become_the_daemon();
    }
    for (key, wanted) in [
        ("NoNewPrivileges", "yes"),
        ("ProtectSystem", "strict"),
        ("ProtectHome", "yes"),
        ("PrivateTmp", "yes"),
        ("PrivateNetwork", "yes"),
        ("ProtectProc", "invisible"),
        ("ProtectKernelTunables", "yes"),
        ("CapabilityBoundingSet", ""),
        ("UMask", "0077"),
        ("LimitCORE", "0"),
    ] {
        assert_eq!(value(key), [wanted], "{key}: the script above says otherwise");
    }
    let namespaces = ["--mount", "--net", "--ipc", "--uts", "--pid", "--fork", "--mount-proc", "--kill-child"];
    let probe = Command::new("unshare").args(namespaces).arg("true").output().unwrap();
    if !probe.status.success() {
        let why = String::from_utf8_lossy(&probe.stderr).into_owned();
        eprintln!("SKIPPED: the unit's restrictions cannot be applied here: {why}");
        return;
    }
    let setup = Setup::new();
    let fax = fax_of_lines(&Fonts::load().unwrap(), &["Concurrent review", "Weight today 1450 grams"]);
    setup.arrive("0042.tif", &fax);
    setup.arrive("note.tif", b"Dear nurse");
    std::fs::copy(std::env::current_exe().unwrap(), setup.path("this-test")).unwrap();
    std::fs::copy(env!("CARGO_BIN_EXE_nicufaxd"), setup.path("nicufaxd")).unwrap();
    std::fs::copy(unit(), setup.path("nicufaxd.service")).unwrap();
    let folders = [setup.path(""), setup.inbox()];
    for path in folders.iter().chain(&files_below(&setup.path(""))) {
        std::os::unix::fs::chown(path, Some(65534), Some(65534)).unwrap();
    }
    std::fs::set_permissions(setup.path(""), std::fs::Permissions::from_mode(0o755)).unwrap();
    let mut command = Command::new("unshare");
    command.args(namespaces).args(["sh", "-c", SHUT_IN, "sh"]).arg(setup.path("")).arg(WITHIN);
    let ended = Setup::finish(&mut command);
    assert_eq!(ended.code, Some(0), "{}\n{}", ended.printed, ended.said);
    assert!(ended.said.contains("1 documents queued, 1 held"), "{}", ended.said);
    assert_eq!(setup.exported_of("0042.tif").len(), 1);
    setup.succeed(&["verify"]);
}

/// Filters the system calls of this process as the unit says, and goes on as the daemon.
fn become_the_daemon() -> ! {
    const EPERM: u32 = 1;
    const ENOSYS: u32 = 38;
    const EAFNOSUPPORT: u32 = 97;
    let argument =
        |index: u32, op: Value, value: u64| json!({ "index": index, "type": "dword", "op": op, "val": value });
    let bits = |index: u32, mask: u64| argument(index, json!({ "masked_eq": mask }), mask);
    let refused = |errno: u32, filter: Value| {
        apply(&json!({ "mismatch_action": "allow", "match_action": { "errno": errno }, "filter": filter }));
    };
    assert_eq!(value("RestrictAddressFamilies"), ["AF_UNIX"]);
    refused(EAFNOSUPPORT, json!([{ "syscall": "socket", "args": [argument(0, json!("ne"), 1)] }]));
    assert_eq!(value("MemoryDenyWriteExecute"), ["yes"]);
    refused(
        EPERM,
        json!([{ "syscall": "mmap", "args": [bits(2, 6)] }, { "syscall": "mprotect", "args": [bits(2, 4)] },
               { "syscall": "pkey_mprotect", "args": [bits(2, 4)] }]),
    );
    assert_eq!(value("RestrictNamespaces"), ["yes"]);
    refused(EPERM, json!([{ "syscall": "unshare" }, { "syscall": "setns" }]));
    refused(ENOSYS, json!([{ "syscall": "clone3" }]));
    assert_eq!(value("RestrictSUIDSGID"), ["yes"]);
    refused(
        EPERM,
        json!([{ "syscall": "fchmod", "args": [bits(1, 0o4000)] }, { "syscall": "fchmod", "args": [bits(1, 0o2000)] }]),
    );
    assert_eq!((value("LockPersonality"), value("RestrictRealtime")), (vec!["yes".to_owned()], vec!["yes".to_owned()]));
    refused(EPERM, json!([{ "syscall": "personality" }, { "syscall": "sched_setscheduler" }]));

    let mut allowed: Vec<Value> = value("SystemCallFilter").iter().flat_map(|names| calls_of(names)).collect();
    allowed.retain(|call| {
        compile_from_json(json!({ "one": filter_of(std::slice::from_ref(call)) }).to_string().as_bytes(), ARCH).is_ok()
    });
    assert!(allowed.len() > 200, "{} system calls", allowed.len());
    apply(&filter_of(&allowed));
    let error = Command::new("/mnt/nicufaxd").args(["--config", "/mnt/nicufaxd.toml", "run", "--drain"]).exec();
    panic!("it did not become the daemon: {error}");
}

const ARCH: seccompiler::TargetArch =
    if cfg!(target_arch = "aarch64") { seccompiler::TargetArch::aarch64 } else { seccompiler::TargetArch::x86_64 };

fn apply(filter: &Value) {
    let compiled = compile_from_json(json!({ "filter": filter }).to_string().as_bytes(), ARCH).unwrap();
    apply_filter_all_threads(&compiled["filter"]).unwrap();
}

/// systemd ends a process that calls anything else.
fn filter_of(allowed: &[Value]) -> Value {
    let filter: Vec<Value> = allowed.iter().map(|call| json!({ "syscall": call })).collect();
    json!({ "mismatch_action": "kill_process", "match_action": "allow", "filter": filter })
}

/// The system calls of names and sets (`@system-service`), as systemd knows them.
fn calls_of(names: &str) -> Vec<Value> {
    let mut calls = Vec::new();
    for name in names.split_whitespace() {
        if name.starts_with('@') {
            let listed = Command::new("systemd-analyze").args(["syscall-filter", name]).output().unwrap();
            let text = String::from_utf8(listed.stdout).unwrap();
            for line in text.lines().skip(1).map(str::trim).filter(|line| !line.starts_with('#')) {
                calls.extend(calls_of(line));
            }
        } else {
            calls.push(json!(name));
        }
    }
    calls
}
