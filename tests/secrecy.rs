//! Secrecy at rest, on the built program as delivered: what lies in the state directory tells nobody anything, keys are
//! kept, rotated and missed as the README says, purges forget, and the trail tells who did what.

#![allow(clippy::unwrap_used, clippy::disallowed_methods, reason = "a test stops at the first surprise")]

mod generator;
mod run;

use std::fs;
use std::io::{Read, Seek, SeekFrom, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

use generator::{Fonts, fax_of_lines};
use run::{CONFIG, DATAERR, Daemon, Ended, NO_CASES, Setup, case, files_below, wait_until};

/// What stands on the fax, in its case, in its name and in what a person says of it: nowhere else in the world.
const CANARIES: [&str; 9] = [
    "Quillfeather",
    "QUILLFEATHER",
    "Zebediah",
    "MRN5550987",
    "5550987",
    "UM777321",
    "6175550199",
    "kookaburra",
    "R. Nightingale",
];

fn canary_fax() -> Vec<u8> {
    let lines = [
        "Concurrent review",
        "Patient: Quillfeather, Zebediah",
        "Date of birth: 02/07/2026",
        "MRN: MRN5550987",
        "Attending: QUILLFEATHER",
    ];
    fax_of_lines(&Fonts::load().unwrap(), &lines)
}

/// A set-up whose fax was read and resolved by hand, with canaries in everything that a person or a source gives.
fn worked(tables: &str) -> Setup {
    let setup = Setup::with("", tables);
    let baby = case(&[
        ("case_id", "UM777321"),
        ("status", "open"),
        ("mrn", "MRN5550987"),
        ("last_name", "Quillfeather"),
        ("first_name", "Zebediah"),
        ("dob", "2026-02-07"),
    ]);
    setup.write_cases(format!("{NO_CASES}{baby}").as_bytes());
    let sidecar = br#"{"sender": "6175550199"}"#;
    fs::write(setup.inbox().join("Quillfeather-kookaburra.json"), sidecar).unwrap();
    setup.arrive("Quillfeather-kookaburra.tif", &canary_fax());
    setup.arrive("held-kookaburra.tif", b"Dear Quillfeather");
    setup.drain();
    setup
}

fn resolve(setup: &Setup) -> String {
    let item = setup.exported_of("Quillfeather-kookaburra.tif").remove(0);
    let id = item["id"].as_str().unwrap().to_owned();
    let note = "kookaburra UM777321";
    setup.succeed(&["queue", "resolve", &id, "--by", "R. Nightingale", "--case", "UM777321", "--note", note]);
    id
}

/// Every byte below a folder that holds one of these, also after unpacking what is packed.
fn betrayed(folder: &Path) -> Vec<String> {
    let mut found = Vec::new();
    for file in files_below(folder) {
        let mut texts = vec![fs::read(&file).unwrap()];
        let packed: Vec<usize> =
            texts[0].windows(2).enumerate().filter(|(_, two)| *two == [0x1f, 0x8b]).map(|(at, _)| at).collect();
        for at in packed {
            let mut unpacked = Vec::new();
            // What only looks packed ends with an error, and with what came before it.
            _ = flate2::read::GzDecoder::new(&texts[0][at..]).take(10_000_000).read_to_end(&mut unpacked);
            texts.push(unpacked);
        }
        for canary in CANARIES {
            let holds = |text: &Vec<u8>| text.windows(canary.len()).any(|window| window == canary.as_bytes());
            if file.to_str().unwrap().contains(canary) || texts.iter().any(holds) {
                found.push(format!("{canary} in {}", file.display()));
            }
        }
    }
    found
}

/// One day after it was resolved, any document may go.
const RETENTION: &str = "[[retention]]\nname = \"done\"\nafter = \"1d\"\n";

/// What is done to a stored file's bytes.
type Damage<'a> = &'a dyn Fn(&mut Vec<u8>);

fn change_at_rest(setup: &Setup, keys: &str) {
    let text = fs::read_to_string(setup.config()).unwrap();
    fs::write(setup.config(), format!("{keys}\n{text}")).unwrap();
}

#[test]
fn no_file_of_the_state_directory_holds_a_name_a_number_or_a_word_that_came_with_a_fax() {
    let setup = worked("");
    resolve(&setup);
    setup.drain();
    assert_eq!(betrayed(&setup.path("state")), Vec::<String>::new());
    // Nor pictures: no TIFF begins anywhere.
    let fax = canary_fax();
    for file in files_below(&setup.path("state")) {
        let bytes = fs::read(&file).unwrap();
        assert!(!bytes.windows(64).any(|window| window == &fax[..64]), "{}", file.display());
    }
    // The same look finds them where they are in the clear.
    let plain = worked("");
    fs::remove_dir_all(plain.path("state")).unwrap();
    change_at_rest(&plain, "at_rest = \"plain\"");
    plain.arrive("Quillfeather-kookaburra.tif", &canary_fax());
    plain.drain();
    assert!(betrayed(&plain.path("state")).len() > 3);
    setup.succeed(&["verify"]);
    plain.succeed(&["verify"]);
}

#[test]
fn check_warns_of_a_key_beside_what_it_seals_and_of_a_state_that_is_not_sealed() {
    let setup = Setup::new();
    let ended = setup.run(&["check"]);
    assert_eq!(ended.code, Some(0), "{}", ended.said);
    assert!(ended.said.contains("warning") && ended.said.contains("beside what it seals"), "{}", ended.said);
    assert!(!setup.path("state/key").exists(), "check makes nothing");
    let said = setup.drain();
    assert_eq!(said.lines().filter(|line| line.contains("a key was made")).count(), 1, "{said}");
    let said = setup.drain();
    assert!(!said.contains("a key was made"), "{said}");
    let plain = Setup::new();
    change_at_rest(&plain, "at_rest = \"plain\"");
    let ended = plain.run(&["check"]);
    assert_eq!(ended.code, Some(0), "{}", ended.said);
    assert!(ended.said.contains("is not sealed"), "{}", ended.said);
    plain.drain();
    assert!(!plain.path("state/key").exists() && !plain.path("state/keyring").exists());
}

#[test]
fn a_key_that_is_missing_wrong_or_open_to_others_is_refused_with_78_and_never_replaced() {
    let setup = Setup::new();
    setup.arrive("note.tif", b"Dear nurse");
    setup.drain();
    let key = setup.path("state/key");
    let kept = fs::read(&key).unwrap();
    let refused = |words: &[&str]| {
        for arguments in [&["run", "--drain"][..], &["check"], &["verify"], &["queue", "list"], &["rebuild"]] {
            let ended = setup.run(arguments);
            assert_eq!(ended.code, Some(CONFIG), "{arguments:?}: {}", ended.said);
            assert!(words.iter().all(|word| ended.said.contains(word)), "{arguments:?}: {}", ended.said);
        }
    };
    fs::remove_file(&key).unwrap();
    refused(&["key", "missing", "from its copy"]);
    assert!(!key.exists());
    setup.succeed(&["key", "new", key.to_str().unwrap()]);
    refused(&["not the one that seals"]);
    fs::write(&key, &kept).unwrap();
    fs::set_permissions(&key, fs::Permissions::from_mode(0o644)).unwrap();
    refused(&["644", "chmod 600"]);
    fs::set_permissions(&key, fs::Permissions::from_mode(0o600)).unwrap();
    setup.succeed(&["verify"]);
    change_at_rest(&setup, "at_rest = \"plain\"");
    refused(&["is sealed"]);
}

#[test]
fn a_key_is_taken_from_where_the_configuration_says_or_from_systemd() {
    let setup = Setup::new();
    let key = setup.path("nicufaxd.key");
    let made = setup.run(&["key", "new", key.to_str().unwrap()]);
    assert!(made.code == Some(0) && made.said.contains("keep a copy"), "{}", made.said);
    assert_eq!(setup.run(&["key", "new", key.to_str().unwrap()]).code, Some(CONFIG), "never overwritten");
    setup.arrive("note.tif", b"Dear nurse");
    let with_credential = |arguments: &[&str]| {
        let mut command = setup.command(arguments);
        command.env("CREDENTIALS_DIRECTORY", setup.path(""));
        Setup::finish(&mut command)
    };
    let ended = with_credential(&["run", "--drain"]);
    assert_eq!(ended.code, Some(0), "{}", ended.said);
    assert!(!setup.path("state/key").exists());
    let ended = with_credential(&["check"]);
    assert!(ended.code == Some(0) && !ended.said.contains("warning"), "{}", ended.said);
    assert_eq!(setup.run(&["verify"]).code, Some(CONFIG));
    change_at_rest(&setup, "key_file = \"nicufaxd.key\"");
    setup.succeed(&["verify"]);
    assert_eq!(setup.held().len(), 1);
}

#[test]
fn a_rotated_key_changes_nothing_that_anybody_sees_and_the_old_one_opens_nothing() {
    let setup = worked("");
    let queue = fs::read(setup.path("worklist/queue.jsonl")).unwrap();
    let stored = |setup: &Setup| -> Vec<Vec<u8>> {
        files_below(&setup.path("state/documents")).into_iter().map(|file| fs::read(file).unwrap()).collect()
    };
    let (before, old) = (stored(&setup), fs::read(setup.path("state/key")).unwrap());
    let new = setup.path("new.key");
    setup.succeed(&["key", "new", new.to_str().unwrap()]);
    let daemon = setup.start();
    let ended = setup.run(&["key", "rotate", new.to_str().unwrap()]);
    assert!(ended.code != Some(0) && ended.said.contains("in use"), "{}", ended.said);
    daemon.stop();
    setup.succeed(&["key", "rotate", new.to_str().unwrap()]);
    setup.succeed(&["verify"]);
    setup.arrive("after.tif", b"Dear Quillfeather again");
    setup.drain();
    assert_eq!(setup.exported().len(), 3);
    for line in String::from_utf8(queue).unwrap().lines() {
        assert!(fs::read_to_string(setup.path("worklist/queue.jsonl")).unwrap().contains(line), "{line}");
    }
    let after = stored(&setup);
    assert!(before.iter().all(|document| after.contains(document)) && after.len() == before.len() + 1);
    fs::remove_dir_all(setup.path("state/index")).unwrap();
    setup.succeed(&["verify"]);
    setup.succeed(&["rebuild"]);
    fs::write(setup.path("state/key"), old).unwrap();
    assert_eq!(setup.run(&["verify"]).code, Some(CONFIG));
    assert_eq!(betrayed(&setup.path("state")), Vec::<String>::new());
}

/// The command, two days later.
fn in_two_days(setup: &Setup, arguments: &[&str]) -> Command {
    fs::write(setup.path("clock"), (2 * 24 * 60 * 60).to_string()).unwrap();
    let mut command = setup.command(arguments);
    command.env("NICUFAXD_CLOCK_FILE", setup.path("clock"));
    command
}

/// The resolved fax is gone for good, and all else as it was.
fn assert_purged(setup: &Setup, id: &str, by: &str) {
    assert!(setup.sealed(&canary_fax()).is_none());
    let verified = setup.run(&["verify"]);
    assert!(verified.code == Some(0) && verified.said.contains("1 document was purged"), "{verified:?}");
    let queue = fs::read(setup.path("worklist/queue.jsonl")).unwrap();
    setup.succeed(&["rebuild"]);
    assert_eq!(fs::read(setup.path("worklist/queue.jsonl")).unwrap(), queue);
    assert_eq!(setup.exported().len(), 1, "the held one");
    let trail = setup.succeed(&["audit", "--document", id]);
    let purged =
        trail.lines().find(|line| line.contains("purged under rule done")).unwrap_or_else(|| panic!("{trail}"));
    assert!(purged.contains(by), "{trail}");
    // Who resolved it and who was shown it stays readable.
    let kept = trail.lines().find(|line| line.contains("keeps of what is purged")).unwrap_or_else(|| panic!("{trail}"));
    assert!(kept.contains("resolved as linked by R. Nightingale (uid "), "{trail}");
    let of_the_fax = CANARIES.iter().filter(|canary| **canary != "R. Nightingale");
    assert!(of_the_fax.clone().all(|canary| !trail.contains(canary)), "{trail}");
    let of_case = setup.succeed(&["audit", "--case", "UM777321"]);
    assert!(trail.lines().all(|line| of_case.contains(line)), "the case's trail still tells of it: {of_case}");
}

#[test]
#[cfg_attr(not(feature = "faults"), ignore = "needs --features faults: no test can wait for a day")]
fn a_purged_document_is_forgotten_and_all_else_stays_as_it_was() {
    let setup = worked(RETENTION);
    let id = resolve(&setup);
    setup.succeed(&["queue", "show", &id]);
    setup.drain();
    assert_eq!(setup.succeed(&["purge"]), "", "resolved just now");
    assert!(setup.sealed(&canary_fax()).is_some());
    let named =
        |ended: &Ended| ended.printed.lines().count() == 1 && ended.printed.contains(setup.id(&canary_fax()).short());
    let would = Setup::finish(&mut in_two_days(&setup, &["purge", "--dry-run"]));
    assert!(would.code == Some(0) && named(&would) && would.said.contains("1 document would be purged"), "{would:?}");
    assert!(setup.sealed(&canary_fax()).is_some());
    // A clock that jumped makes everything old at once.
    fs::write(setup.path("clock"), (40 * 24 * 60 * 60).to_string()).unwrap();
    let mut far_ahead = setup.command(&["purge"]);
    let refused = Setup::finish(far_ahead.env("NICUFAXD_CLOCK_FILE", setup.path("clock")));
    assert!(refused.code != Some(0) && refused.said.contains("purge --clock-is-right"), "{refused:?}");
    assert!(setup.sealed(&canary_fax()).is_some());
    // Left by an exporter that was killed before it had removed it.
    let folder = setup.path("worklist/items").join(&id);
    assert!(!folder.exists());
    fs::create_dir_all(&folder).unwrap();
    fs::write(folder.join("document.pdf"), canary_fax()).unwrap();
    let done = Setup::finish(&mut in_two_days(&setup, &["purge", "--clock-is-right"]));
    assert!(!folder.exists());
    assert!(done.code == Some(0) && named(&done) && done.said.contains("1 document purged"), "{done:?}");
    let user = format!("uid {}", rustix::process::getuid().as_raw());
    assert_purged(&setup, &id, &user);
    let trail = setup.succeed(&["audit", "--document", &id]);
    assert!(trail.lines().any(|line| line.contains(&user) && line.contains("was shown it")), "{trail}");
    assert_eq!(Setup::finish(&mut in_two_days(&setup, &["purge"])).printed, "", "once is enough");
}

#[test]
#[cfg_attr(not(feature = "faults"), ignore = "needs --features faults: no test can wait for a day")]
fn the_daemon_purges_by_itself_what_is_due() {
    let setup = worked(RETENTION);
    let id = resolve(&setup);
    setup.drain();
    let daemon = Daemon::new(in_two_days(&setup, &["run"]));
    wait_until("the purge", || {
        let trail = setup.succeed(&["audit", "--document", &id]);
        trail.contains("purged under rule done").then_some(())
    });
    daemon.stop();
    assert_purged(&setup, &id, "nicufaxd");
}

#[test]
fn the_trail_of_a_held_document_tells_who_was_shown_it_on_the_held_list() {
    let setup = worked("");
    let held = setup.id(b"Dear Quillfeather");
    setup.succeed(&["held", "list"]);
    setup.succeed(&["queue", "resolve", &format!("{}-1", held.short()), "--by", "R. Nightingale"]);
    setup.succeed(&["held", "list"]);
    let shown = |id: &str| {
        let trail = setup.succeed(&["audit", "--document", id]);
        trail.lines().filter(|line| line.contains("was shown the list of what is held, 1 entries")).count()
    };
    assert_eq!(shown(held.short()), 1, "once, before it was seen to");
    assert_eq!(shown(setup.id(&canary_fax()).short()), 0);
    assert!(setup.succeed(&["audit"]).contains("was shown the list of what is held, 0 entries"));
}

#[test]
fn retention_says_what_it_cannot_do() {
    let rule = "[[retention]]\nname = \"a b\"\nlane = \"nowhere\"\nstate = \"open\"\nafter = \"soon\"\n";
    let ended = Setup::with("", rule).run(&["check"]);
    assert_eq!(ended.code, Some(CONFIG));
    for key in ["retention[0].name", "retention[0].lane", "retention[0].state", "retention[0].after"] {
        assert!(ended.said.contains(key), "{key}: {}", ended.said);
    }
    let setup = Setup::with("", "[[retention]]\nname = \"all\"\nafter = \"400d\"\n");
    setup.succeed(&["check"]);
    change_at_rest(&setup, "at_rest = \"plain\"");
    let ended = setup.run(&["check"]);
    assert!(ended.code == Some(CONFIG) && ended.said.contains("cannot forget"), "{}", ended.said);
}

#[test]
fn a_cut_or_changed_sealed_file_is_named_by_verify_and_hides_nothing_else() {
    let setup = worked("");
    let file = setup.sealed(&canary_fax()).unwrap();
    let (whole, id) = (fs::read(&file).unwrap(), setup.id(&canary_fax()));
    let damages: [Damage; 5] = [
        &|bytes| bytes[40] ^= 1,
        &|bytes| bytes[100] ^= 1,
        &|bytes| *bytes.last_mut().unwrap() ^= 1,
        &|bytes| bytes.truncate(bytes.len() - 1),
        &|bytes| bytes.truncate(50),
    ];
    for (number, damage) in damages.iter().enumerate() {
        let mut bytes = whole.clone();
        damage(&mut bytes);
        fs::remove_file(&file).unwrap();
        fs::write(&file, &bytes).unwrap();
        let verified = setup.run(&["verify"]);
        assert_eq!(verified.code, Some(DATAERR), "{number}: {}", verified.said);
        assert!(verified.said.contains(id.short()), "{number}: {}", verified.said);
        setup.succeed(&["rebuild"]);
        assert_eq!(setup.exported().len(), 2, "{number}");
    }
    fs::remove_file(&file).unwrap();
    fs::write(&file, &whole).unwrap();
    setup.succeed(&["rebuild"]);
    setup.succeed(&["verify"]);
}

#[test]
fn the_trail_tells_who_did_what_and_a_kept_head_proves_that_nothing_was_rewritten() {
    let setup = worked("");
    let head = setup.succeed(&["verify", "--head"]);
    let daemon = setup.start();
    setup.succeed(&["queue", "list", "--lane", "cm"]);
    setup.succeed(&["queue", "list"]);
    let id = resolve(&setup);
    setup.succeed(&["queue", "show", &id]);
    setup.succeed(&["queue", "list", "--lane", "um"]);
    setup.succeed(&["cases", "show", "UM777321"]);
    setup.succeed(&["cases", "list"]);
    wait_until("the export without the item", || (setup.exported().len() == 1).then_some(()));
    daemon.stop();
    let user = format!("uid {}", rustix::process::getuid().as_raw());
    let trail = setup.succeed(&["audit"]);
    let told = |words: &[&str]| trail.lines().any(|line| words.iter().all(|word| line.contains(word)));
    for words in [
        &["secure-fax", "received as Quillfeather-kookaburra.tif"][..],
        &["nicufaxd", "queued", &id],
        &["R. Nightingale", "resolved", &id, "UM777321", "kookaburra"],
        &[&user, "was shown it"],
        &[&user, "was shown a list"],
        &[&user, "was shown case UM777321"],
        &["nicufaxd", "exported the queue of"],
        &["held"],
    ] {
        assert!(told(words), "{words:?} is not in\n{trail}");
    }
    let of_document = setup.succeed(&["audit", "--document", &id]);
    assert!(of_document.lines().count() >= 5 && !of_document.contains("held-kookaburra"), "{of_document}");
    // Whoever saw the list while it was open saw it: once, before it was resolved, in a lane that was its own.
    let lists: Vec<&str> = of_document.lines().filter(|line| line.contains("was shown a list")).collect();
    assert!(
        matches!(lists.as_slice(), [line] if line.contains(&user) && line.contains("2 open items")),
        "{of_document}"
    );
    assert!(of_document.contains("exported the queue of 2 items"), "{of_document}");
    let of_case = setup.succeed(&["audit", "--case", "UM777321"]);
    let (of_itself, of_its_documents): (Vec<&str>, Vec<&str>) =
        of_case.lines().partition(|line| line.contains("was shown ") && line.ends_with(" case UM777321"));
    // Once by `cases show`; this very question shows the case's trail.
    assert!(
        matches!(of_itself.as_slice(), [first, second] if [first, second].iter().all(|line| line.contains(&user))
            && second.contains("was shown the trail of case")),
        "{of_case}"
    );
    // A list of all cases shows that case, and no document.
    let (of_cases, of_its_documents): (Vec<&str>, Vec<&str>) =
        of_its_documents.into_iter().partition(|line| line.contains("was shown a list of 1 cases"));
    assert_eq!(of_cases.len(), 1, "{of_case}");
    assert_eq!(of_its_documents, of_document.lines().collect::<Vec<_>>());
    // No daemon runs now: who is shown a case is recorded all the same.
    setup.succeed(&["cases", "show", "UM777321"]);
    let again = setup.succeed(&["audit", "--case", "UM777321"]);
    assert_eq!(again.matches("was shown case UM777321").count(), 2, "{again}");
    assert_eq!(again.matches("was shown the trail of case UM777321").count(), 2, "{again}");
    // Each of these trails was one of that document too, as was the whole one.
    let of_document = setup.succeed(&["audit", "--document", &id]);
    assert_eq!(of_document.matches("was shown the trail of case UM777321").count(), 2, "{of_document}");
    assert_eq!(of_document.matches("was shown the whole trail").count(), 1, "{of_document}");
    assert!(of_document.contains("was shown the trail of ") && !of_document.contains("a list of 0"), "{of_document}");
    assert!(!setup.succeed(&["audit", "--case", "UM000000"]).contains("UM777321"));
    let of_another = setup.succeed(&["audit", "--case", "UM1"]);
    assert!(
        of_another.lines().all(|line| line.contains("the trail of case UM1") || line.contains("a list of 1 cases")),
        "{of_another}"
    );
    assert_eq!(setup.succeed(&["audit", "--since", "2200-01-01T00:00:00Z"]), "");

    assert!(setup.succeed(&["verify", "--against", head.trim()]).contains("nothing was rewritten"));
    let (sequence, _) = head.trim().split_once(':').unwrap();
    let other = format!("{sequence}:{}", "0".repeat(64));
    let ended = setup.run(&["verify", "--against", &other]);
    assert!(ended.code == Some(DATAERR) && ended.said.contains("rewritten"), "{}", ended.said);
    let beyond = format!("999999:{}", "0".repeat(64));
    let ended = setup.run(&["verify", "--against", &beyond]);
    assert!(ended.code == Some(DATAERR) && ended.said.contains("taken away"), "{}", ended.said);
    // Neither needs the key.
    fs::remove_file(setup.path("state/key")).unwrap();
    setup.succeed(&["verify", "--head"]);
    setup.succeed(&["verify", "--against", head.trim()]);
    let journal = files_below(&setup.path("state/journal")).remove(0);
    let mut file = fs::File::options().write(true).open(journal).unwrap();
    file.seek(SeekFrom::Start(200)).unwrap();
    file.write_all(b"7").unwrap();
    drop(file);
    assert_ne!(setup.run(&["verify", "--against", head.trim()]).code, Some(0));
}
