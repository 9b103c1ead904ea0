//! The configuration as the built program takes it: what is wrong is named with file, line or key, and remedy, and
//! what is delivered in `config/` and `systemd/` is right.

#![allow(clippy::unwrap_used, clippy::disallowed_methods, reason = "a test stops at the first surprise")]

mod run;

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

use run::{CONFIG, DATAERR, Setup, TEMPFAIL};

/// Runs `check` and `run --drain` and wants both to end with 78 and to say all of this.
fn both_refuse(setup: &Setup, wanted: &[&str]) {
    for arguments in [&["check"][..], &["run", "--drain"]] {
        let ended = setup.run(arguments);
        assert_eq!(ended.code, Some(CONFIG), "{arguments:?}: {}", ended.said);
        for words in wanted {
            assert!(ended.said.contains(words), "{arguments:?}: {} lacks {words:?}", ended.said);
        }
    }
}

#[test]
fn an_unknown_key_is_an_error_that_names_its_line_and_itself() {
    let setup = Setup::with("setle = \"5s\"\n", "");
    let line = fs::read_to_string(setup.config()).unwrap().lines().position(|line| line.starts_with("setle")).unwrap();
    both_refuse(&setup, &[&format!("line {}", line + 1), "setle", "nicufaxd.toml"]);
    let setup = Setup::with("", "[reeder]\nworkers = 2\n");
    both_refuse(&setup, &["reeder"]);
}

#[test]
fn every_problem_of_a_configuration_is_told_at_once_with_key_and_remedy() {
    let setup = Setup::with("rescan = \"2h\"\n", "[reader]\nattempts = 0\n");
    let text = fs::read_to_string(setup.config()).unwrap().replace("rescan = \"1s\"\n", "");
    fs::write(setup.config(), text.replace("America/New_York", "America/Nowhere")).unwrap();
    both_refuse(&setup, &["intake.folder[0].rescan", "reader.attempts", "1 to 20", "time_zone", "America/New_York"]);
}

#[test]
fn no_folder_bears_the_name_of_what_submit_takes() {
    let setup = Setup::new();
    let text = fs::read_to_string(setup.config()).unwrap();
    fs::write(setup.config(), text.replace("\"secure-fax\"", "\"submit\"")).unwrap();
    both_refuse(&setup, &["intake.folder[0].name", "another name"]);
}

#[test]
fn a_configuration_that_is_not_there_is_named_with_what_to_do() {
    let setup = Setup::new();
    fs::remove_file(setup.config()).unwrap();
    both_refuse(&setup, &["nicufaxd.toml", "--config FILE"]);
}

#[test]
fn an_inbox_that_is_not_there_is_named_by_check_and_stops_a_drain_for_another_try() {
    let setup = Setup::new();
    fs::remove_dir(setup.inbox()).unwrap();
    let ended = setup.run(&["check"]);
    assert_eq!(ended.code, Some(CONFIG));
    assert!(ended.said.contains("intake.folder[0].path") && ended.said.contains("mkdir -p"), "{}", ended.said);
    let ended = setup.run(&["run", "--drain"]);
    assert_eq!(ended.code, Some(TEMPFAIL));
    assert!(ended.said.contains("secure-fax") && ended.said.contains("correct the path"), "{}", ended.said);
}

#[test]
fn a_state_directory_that_cannot_be_written_is_said_so() {
    let setup = Setup::new();
    // A file in its place, because root may write everywhere else.
    fs::write(setup.path("state"), b"in the way").unwrap();
    let state = setup.path("state");
    both_refuse(&setup, &[state.to_str().unwrap(), "state"]);
    let drain = setup.run(&["run", "--drain"]);
    assert!(drain.said.contains("cannot be used") && drain.said.contains("make it writable"), "{}", drain.said);
    let check = setup.run(&["check"]);
    assert!(check.said.contains("state_dir") && check.said.contains("cannot be written"), "{}", check.said);
    // A hook is told to try again, and its file stays.
    let fax = setup.path("fax.tif");
    fs::write(&fax, b"II*\0").unwrap();
    let submit = setup.run(&["submit", fax.to_str().unwrap()]);
    assert_eq!((submit.code, submit.printed.as_str()), (Some(TEMPFAIL), ""), "{}", submit.said);
    assert!(submit.said.contains("make it writable") && fax.exists(), "{}", submit.said);
    assert_eq!(fs::read(setup.path("state")).unwrap(), b"in the way");
}

#[test]
fn a_place_where_nothing_can_be_made_is_found_by_check_whoever_asks() {
    // In /proc nobody can make anything, and permissions tell root otherwise.
    for (key, from, to) in [
        ("state_dir", "state_dir = \"state\"", "state_dir = \"/proc/nicufaxd-state\""),
        ("export.dir", "dir = \"worklist\"", "dir = \"/proc/sys/nicufaxd/worklist\""),
    ] {
        let setup = Setup::new();
        let text = fs::read_to_string(setup.config()).unwrap();
        assert!(text.contains(from));
        fs::write(setup.config(), text.replace(from, to)).unwrap();
        let ended = setup.run(&["check"]);
        assert_eq!(ended.code, Some(CONFIG), "{key}: {}", ended.said);
        for words in [key, "nicufaxd.toml", "cannot be written", "on a disk that can be written"] {
            assert!(ended.said.contains(words), "{} lacks {words}", ended.said);
        }
    }
}

#[test]
fn check_leaves_nothing_behind() {
    let setup = Setup::new();
    let before = setup.files("");
    setup.succeed(&["check"]);
    assert_eq!((setup.files(""), setup.files("inbox")), (before, Vec::<String>::new()));
}

#[test]
fn a_state_directory_that_others_may_read_is_refused_with_the_remedy() {
    use std::os::unix::fs::PermissionsExt;
    let setup = Setup::new();
    setup.drain();
    fs::set_permissions(setup.path("state"), fs::Permissions::from_mode(0o755)).unwrap();
    both_refuse(&setup, &["755", "chmod 700"]);
}

#[test]
fn missing_language_data_is_said_with_the_package_that_holds_it() {
    let setup = Setup::with("", "[reader]\ntessdata = \"tessdata\"\n");
    fs::create_dir(setup.path("tessdata")).unwrap();
    both_refuse(&setup, &["tesseract-ocr-eng"]);
    let page = setup.path("page.tif");
    fs::write(&page, b"II*\0").unwrap();
    let read = setup.run(&["read", page.to_str().unwrap()]);
    assert_eq!(read.code, Some(CONFIG));
    assert!(read.said.contains("tesseract-ocr-eng"), "{}", read.said);
}

#[test]
fn a_bad_type_rule_is_named() {
    let setup = Setup::with("", "[understand]\ndocument_types = \"document-types.toml\"\n");
    let rules = include_str!("../config/document-types.toml");
    let broken =
        "\n[[rule]]\nname = \"the broken one\"\ntype = \"appeal\"\nwhere = \"body\"\npoints = 9\npatterns = ['(']\n";
    fs::write(setup.path("document-types.toml"), format!("{rules}{broken}")).unwrap();
    both_refuse(&setup, &["document-types.toml", "the broken one"]);
    fs::write(setup.path("document-types.toml"), rules.replacen("points =", "pionts =", 1)).unwrap();
    both_refuse(&setup, &["document-types.toml", "pionts", "line"]);
    fs::remove_file(setup.path("document-types.toml")).unwrap();
    both_refuse(&setup, &["document-types.toml", "cannot be read"]);
}

#[test]
fn a_bad_case_file_is_named_by_check_but_does_not_keep_faxes_from_being_taken() {
    let setup = Setup::new();
    setup.write_cases(b"case_id,status\nUM1,open\n");
    let ended = setup.run(&["check"]);
    assert_eq!(ended.code, Some(CONFIG));
    for words in ["cases.path", "line 1", "`member_id`"] {
        assert!(ended.said.contains(words), "{} lacks {words}", ended.said);
    }
    assert_eq!(setup.run(&["cases", "list"]).code, Some(DATAERR));
    setup.arrive("note.tif", b"Dear nurse");
    setup.drain();
    assert_eq!(setup.held().len(), 1);
}

/// A copy of the delivered configuration with its paths in the set-up's folder, and every key spelled out that it
/// shows commented.
fn delivered(setup: &Setup, spelled_out: bool) -> String {
    let text = include_str!("../config/nicufaxd.toml");
    let root = setup.path("");
    let root = root.to_str().unwrap().trim_end_matches('/');
    for folder in
        ["var/spool/nicufaxd/um/new", "var/spool/nicufaxd/um/cur", "var/spool/nicufaxd/fax", "var/lib/nicufaxd-cases"]
    {
        fs::create_dir_all(setup.path(folder)).unwrap();
    }
    fs::copy(setup.path("cases.csv"), setup.path("var/lib/nicufaxd-cases/cases.csv")).unwrap();
    fs::write(setup.path("document-types.toml"), include_str!("../config/document-types.toml")).unwrap();
    fs::write(setup.path("routing.toml"), include_str!("../config/routing.toml")).unwrap();
    fs::write(setup.path("link-weights.toml"), include_str!("../config/link-weights.toml")).unwrap();
    for secret in ["um.password", "cm.secret", "cm.refresh"] {
        fs::write(setup.path(secret), "open sesame").unwrap();
        fs::set_permissions(setup.path(secret), fs::Permissions::from_mode(0o600)).unwrap();
    }
    fs::create_dir_all(setup.path("templates")).unwrap();
    let is_key = |line: &str| {
        if line.starts_with('[') && line.ends_with(']') {
            return true;
        }
        let key = line.split(" = ").next().unwrap_or_default();
        line.contains(" = ") && key.bytes().all(|byte| byte.is_ascii_lowercase() || b"_2".contains(&byte))
    };
    let name = |line: &str| line.split(" = ").next().unwrap_or_default().to_owned();
    let shown = text.lines().map(|line| match line.strip_prefix("# ") {
        // Where this machine keeps its language data, its key and its certificates is not the program's to say; sendmail
        // and smtp exclude each other.
        Some(key)
            if spelled_out
                && is_key(key)
                && !["tessdata", "key_file", "ca_file", "sendmail"].contains(&name(key).as_str()) =>
        {
            key
        }
        _ => line,
    });
    // A group that every machine has, in the place of the nurses'.
    let here = |line: &str| line.replace("\"/var/", &format!("\"{root}/var/")).replace("nicu-nurses", "root");
    shown.map(|line| here(line) + "\n").collect()
}

#[test]
fn the_delivered_configuration_is_accepted_as_it_stands_and_with_every_key_it_shows() {
    for spelled_out in [false, true] {
        let setup = Setup::new();
        let text = delivered(&setup, spelled_out);
        assert_eq!(text.contains("\npage_timeout = "), spelled_out);
        fs::write(setup.config(), &text).unwrap();
        let ended = setup.run(&["check"]);
        assert_eq!(ended.code, Some(0), "{}\n{text}", ended.said);
    }
}

#[test]
fn the_delivered_type_rules_are_accepted_by_check() {
    let setup = Setup::with("", "[understand]\ndocument_types = \"document-types.toml\"\n");
    fs::write(setup.path("document-types.toml"), include_str!("../config/document-types.toml")).unwrap();
    setup.succeed(&["check"]);
}

#[test]
fn the_delivered_unit_passes_systemds_own_verification() {
    let unit = Path::new(env!("CARGO_MANIFEST_DIR")).join("systemd/nicufaxd.service");
    let text = fs::read_to_string(&unit).unwrap();
    assert!(text.contains("Type=notify"));
    if Command::new("systemd-analyze").arg("--version").output().is_err() {
        eprintln!("SKIPPED: systemd-analyze is missing, so the unit is not verified");
        return;
    }
    // The program is looked for where the unit says it is, which on this machine it need not be.
    let folder = tempfile::tempdir().unwrap();
    let copy = folder.path().join("nicufaxd.service");
    fs::write(&copy, text.replace("/usr/local/bin/nicufaxd", env!("CARGO_BIN_EXE_nicufaxd"))).unwrap();
    let verified = Command::new("systemd-analyze").arg("verify").arg("--man=no").arg(&copy).output().unwrap();
    let said = String::from_utf8_lossy(&verified.stderr);
    let about_the_unit: Vec<&str> = said.lines().filter(|line| line.contains("nicufaxd")).collect();
    assert!(verified.status.success() && about_the_unit.is_empty(), "{said}");
}

#[test]
fn what_is_wrong_with_a_mail_account_is_named_with_its_key() {
    let account = |keys: &str| {
        format!("[[intake.mailbox]]\nname = \"um\"\nimap = {{ host = \"mail.example\", user = \"um\", {keys} }}\n")
    };
    for (keys, words) in [
        ("password_file = \"p\", tls = \"none\"", "imap.tls: \"none\" would send the password in the clear"),
        ("password_file = \"p\", password_credential = \"p\"", "stands beside password_credential"),
        ("folder = \"INBOX\"", "has no way to sign in"),
        ("password_file = \"absent\"", "imap.password: "),
        ("password_file = \"p\", after_folder = \"inbox\"", "imap.after_folder: is the folder itself"),
        ("password_file = \"p\", after = \"flag\", flag = \"\\\\Seen\"", "imap.flag: is no keyword"),
        ("password_file = \"p\", flag = \"done\"", "imap.flag: has no effect"),
        ("oauth2 = { token_url = \"http://mail.example/t\", client_id = \"c\" }", "in the clear"),
        ("password_file = \"p\", ca_file = \"absent\"", "imap.ca_file: "),
    ] {
        let setup = Setup::with("", &account(keys));
        fs::write(setup.path("p"), "open sesame").unwrap();
        fs::set_permissions(setup.path("p"), fs::Permissions::from_mode(0o600)).unwrap();
        let ended = setup.run(&["check"]);
        assert_eq!(ended.code, Some(CONFIG), "{keys}: {}", ended.said);
        assert!(ended.said.contains(words), "{keys}: {} lacks {words}", ended.said);
    }
    let both = "[[intake.mailbox]]\nname = \"um\"\nlane = \"nowhere\"\n";
    let ended = Setup::with("", both).run(&["check"]);
    assert!(ended.said.contains("has neither maildir nor imap") && ended.said.contains("is no lane; give one of um"));
}
