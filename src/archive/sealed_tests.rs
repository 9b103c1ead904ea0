//! Sealing's promises: keys that are missing, wrong or open to others, rotation and purge with every crash between.

use std::fs;
use std::fs::File;
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use jiff::{Span, ToSpan};
use tempfile::TempDir;

use super::disk::{Disk, Operation, faults};
use super::event::Event;
use super::tests::{answers, arrival, copy_state, document_file, files_below, fill, flip, item, options, resolved};
use super::vault::HEADER;
use super::*;
use crate::document::DocumentFormat;
use crate::queue::item::{ItemId, ItemState};

fn named(file: &Path) -> OpenOptions {
    OpenOptions::new(AtRest::Sealed(KeyPlace::File(file.to_owned())))
}

fn refusal(state: &Path, options: &OpenOptions) -> ArchiveError {
    Archive::open(state, options).map(|_| ()).unwrap_err()
}

fn is_whole(state: &Path, options: &OpenOptions) -> Report {
    let report = verify(state, options, None).unwrap();
    assert!(report.problems.is_empty(), "{report:?}");
    report
}

#[test]
fn the_first_start_makes_a_key_and_a_state_directory_that_holds_something_never_gets_another() {
    let state = TempDir::new().unwrap();
    fill(&Archive::open(state.path(), &options()).unwrap());
    let key = state.path().join("key");
    assert_eq!(fs::metadata(&key).unwrap().permissions().mode() & 0o777, 0o600);
    let kept = fs::read(&key).unwrap();
    fs::remove_file(&key).unwrap();
    for _ in 0..2 {
        assert!(matches!(refusal(state.path(), &options()), ArchiveError::KeyMissing { .. }));
        assert!(matches!(verify(state.path(), &options(), None), Err(ArchiveError::KeyMissing { .. })));
        assert!(!key.exists());
    }
    // The chain needs no key.
    assert!(head(state.path()).unwrap().sequence > 0);
    new_key(&key).unwrap();
    assert!(matches!(refusal(state.path(), &options()), ArchiveError::KeyWrong { .. }));
    let keyring = state.path().join("keyring");
    fs::remove_file(&key).unwrap();
    fs::rename(&keyring, state.path().join("elsewhere")).unwrap();
    fs::remove_file(state.path().join("keyring.copy")).unwrap();
    assert!(matches!(refusal(state.path(), &options()), ArchiveError::KeyringMissing { .. }));
    assert!(!key.exists());
    fs::rename(state.path().join("elsewhere"), &keyring).unwrap();
    File::create(&key).unwrap();
    fs::set_permissions(&key, fs::Permissions::from_mode(0o600)).unwrap();
    assert!(refusal(state.path(), &options()).to_string().contains("holds no key"));
    Write::write_all(&mut File::create(&key).unwrap(), &kept).unwrap();
    drop(Archive::open(state.path(), &options()).unwrap());
    is_whole(state.path(), &options());
}

#[test]
fn a_key_that_others_may_read_or_that_is_no_file_is_refused_with_the_remedy() {
    let folder = TempDir::new().unwrap();
    let (state, key) = (folder.path().join("state"), folder.path().join("key"));
    assert!(matches!(refusal(&state, &named(&key)), ArchiveError::KeyMissing { .. }));
    new_key(&key).unwrap();
    assert!(new_key(&key).unwrap_err().to_string().contains("is there already"));
    drop(Archive::open(&state, &named(&key)).unwrap());
    fs::set_permissions(&key, fs::Permissions::from_mode(0o640)).unwrap();
    let told = refusal(&state, &named(&key)).to_string();
    assert!(told.contains("640") && told.contains("chmod 600"), "{told}");
    assert!(check_keys(&state, &named(&key).at_rest).is_err());
    let told = refusal(&state, &named(folder.path())).to_string();
    assert!(told.contains("is no file"), "{told}");
    // A credential is guarded by systemd, whose access lists look like permissions for a group.
    let credential = OpenOptions::new(AtRest::Sealed(KeyPlace::Credential(key)));
    drop(Archive::open(&state, &credential).unwrap());
}

#[test]
fn a_state_directory_is_either_sealed_or_plain_and_says_so() {
    let (sealed, plain) = (TempDir::new().unwrap(), TempDir::new().unwrap());
    fill(&Archive::open(sealed.path(), &options()).unwrap());
    fill(&Archive::open(plain.path(), &OpenOptions::plain()).unwrap());
    assert!(matches!(refusal(plain.path(), &options()), ArchiveError::StatePlain { .. }));
    assert!(matches!(refusal(sealed.path(), &OpenOptions::plain()), ArchiveError::StateSealed { .. }));
    assert!(!plain.path().join("key").exists() && !plain.path().join("keyring").exists());
    fs::remove_file(sealed.path().join("keyring")).unwrap();
    assert!(matches!(refusal(sealed.path(), &OpenOptions::plain()), ArchiveError::StateSealed { .. }));
    is_whole(plain.path(), &OpenOptions::plain());
}

#[test]
fn the_id_of_a_refused_file_tells_nothing_of_its_name_and_stays_the_same() {
    let (state, other) = (TempDir::new().unwrap(), TempDir::new().unwrap());
    let id = |state: &TempDir| Archive::open(state.path(), &options()).unwrap().refusal_id("6175550134.tif");
    let first = id(&state);
    assert_eq!(id(&state), first);
    assert_ne!(id(&other), first, "it needs the key");
    assert!(first.strip_prefix("refused-").is_some_and(|digits| digits.len() == 12), "{first}");
}

#[test]
fn everything_is_the_same_in_a_plain_state_directory() {
    let state = TempDir::new().unwrap();
    let archive = Archive::open(state.path(), &OpenOptions::plain()).unwrap();
    let [queued, ..] = fill(&archive);
    let before = answers(&archive);
    drop(archive);
    assert_eq!(answers(&Archive::open(state.path(), &OpenOptions::plain()).unwrap()), before);
    assert_eq!(answers(&Archive::rebuild(state.path(), &OpenOptions::plain()).unwrap()), before);
    assert_eq!(queued, DocumentId::of(b"one"));
}

#[test]
fn nothing_that_was_accepted_recorded_or_read_stands_in_any_file() {
    const SECRETS: [&str; 8] = [
        "Quillfeather",
        "8675309",
        "0042-Zebedee",
        "tell nobody",
        "UM90210",
        "R Nightingale",
        "zz-key",
        "Oddname,Baby",
    ];
    let state = TempDir::new().unwrap();
    let archive = Archive::open(state.path(), &options()).unwrap();
    let mut receipt = arrival(b"", "").receipt;
    (receipt.sender, receipt.source_file) = (Some("8675309".to_owned()), "0042-Zebedee.tif".to_owned());
    receipt.note = Some("tell nobody".to_owned());
    let content = Content::Bytes(b"Quillfeather".repeat(20_000));
    let document = archive.accept(Arrival { content, receipt, source_key: "zz-key".to_owned() }).unwrap().document;
    archive.record(Event::Queued { document: document.clone(), items: vec![item(&document, 1)] }).unwrap();
    let resolution = Event::Resolved {
        item: ItemId::new(&document, 1),
        by: "R Nightingale".to_owned(),
        disposition: "linked".to_owned(),
        case_id: Some("UM90210".to_owned()),
        note: Some("Quillfeather".to_owned()),
    };
    archive.record(resolution).unwrap();
    let refused = Event::Refused {
        source: "secure-fax".to_owned(),
        source_file: "Quillfeather.tif".to_owned(),
        reason: "Quillfeather".to_owned(),
        key: "Quillfeather".to_owned(),
    };
    archive.record(refused).unwrap();
    archive.put_cases(b"Oddname,Baby\n").unwrap();
    let page = crate::document::Page {
        number: 1,
        width: 10,
        height: 10,
        resolution: 200,
        source: crate::document::PageSource::Unreadable,
        turned: 0,
        straightened: 0.0,
        unread: Vec::new(),
        flags: Vec::new(),
        unreadable_because: Some("Quillfeather".to_owned()),
        picture: None,
        words: Vec::new(),
        codes: Vec::new(),
    };
    let reading = Reading::new(DocumentFormat::Tiff, vec![page]);
    archive.put_reading(&document, &reading).unwrap();
    // A draft as a crash would leave it.
    let draft = archive.draft(vec![arrival(b"Quillfeather", "draft")]).unwrap();
    let plain_digest = DocumentId::of(&b"Quillfeather".repeat(20_000));
    let mut looked_at = 0;
    for file in files_below(state.path()) {
        let bytes = fs::read(&file).unwrap();
        let name = file.to_str().unwrap();
        assert!(!name.contains(plain_digest.as_str()), "{name}");
        for secret in SECRETS.iter().copied().chain([plain_digest.as_str()]) {
            assert!(!bytes.windows(secret.len()).any(|window| window == secret.as_bytes()), "{secret} in {name}");
        }
        // Nor packed: what is sealed has no gzip head.
        assert!(!bytes.starts_with(&[0x1f, 0x8b]), "{name}");
        looked_at += 1;
    }
    assert!(looked_at >= 8);
    drop(draft);
    assert_eq!(archive.reading(&document).unwrap(), Some(reading));
    assert_eq!(archive.cases().unwrap().unwrap().bytes, b"Oddname,Baby\n");
    assert_eq!(archive.resolution(&ItemId::new(&document, 1)).unwrap().unwrap().by, "R Nightingale");
    drop(archive);
    is_whole(state.path(), &options());
}

#[test]
fn a_changed_cut_or_exchanged_document_is_named_and_hides_no_other() {
    let original = TempDir::new().unwrap();
    let archive = Archive::open(original.path(), &options()).unwrap();
    let [queued, held, waiting] = fill(&archive);
    drop(archive);
    let length = fs::metadata(document_file(&original, &queued)).unwrap().len();
    for offset in (0..length).step_by(9) {
        let state = copy_state(original.path());
        flip(&document_file(&state, &queued), offset);
        let report = verify(state.path(), &options(), None).unwrap();
        let of_key = offset < HEADER as u64 || offset >= length - HEADER as u64;
        let document = match report.problems.first() {
            Some(Problem::KeyCopyDamaged { document }) if of_key => document,
            Some(Problem::Changed { document }) if !of_key => document,
            _ => panic!("flipped at {offset}: {report:?}"),
        };
        assert_eq!(document, &queued, "flipped at {offset}");
        let archive = Archive::rebuild(state.path(), &options()).unwrap();
        assert_eq!(archive.all_items().map(Result::unwrap).count(), 3, "flipped at {offset}");
        assert_eq!(archive.read_document(&queued).is_ok(), of_key);
        assert_eq!(archive.read_document(&held).unwrap(), b"two");
    }
    let state = copy_state(original.path());
    fs::remove_file(document_file(&state, &queued)).unwrap();
    fs::copy(document_file(&state, &waiting), document_file(&state, &queued)).unwrap();
    let report = verify(state.path(), &options(), None).unwrap();
    assert!(
        matches!(report.problems.first(), Some(Problem::Changed { document }) if *document == queued),
        "{report:?}"
    );
}

#[test]
fn a_document_whose_file_is_gone_stays_in_sight_and_is_received_anew_when_it_comes_again() {
    let state = TempDir::new().unwrap();
    let archive = Archive::open(state.path(), &options()).unwrap();
    let [queued, ..] = fill(&archive);
    drop(archive);
    fs::remove_file(document_file(&state, &queued)).unwrap();
    let archive = Archive::rebuild(state.path(), &options()).unwrap();
    let first = archive.item(&ItemId::new(&queued, 1)).unwrap().unwrap();
    assert!(first.flags.iter().any(|flag| flag.contains("restore it from a copy")), "{:?}", first.flags);
    assert_eq!(archive.items().map(Result::unwrap).count(), 2);
    // That it is held for this reason can be recorded although the key is gone.
    let reason = "its stored file is missing".to_owned();
    archive.record(Event::Held { document: queued.clone(), reason, stage: event::Stage::Read, mail: None }).unwrap();
    archive.accept(arrival(b"one", "one once more")).unwrap();
    assert_eq!(archive.document(&queued).unwrap().unwrap().status, Status::Waiting);
    assert_eq!(archive.read_document(&queued).unwrap(), b"one");
    let before = answers(&archive);
    drop(archive);
    is_whole(state.path(), &options());
    assert_eq!(answers(&Archive::rebuild(state.path(), &options()).unwrap()), before);
}

#[test]
fn a_rotated_key_opens_what_was_sealed_before_and_what_comes_and_the_old_one_opens_nothing() {
    let folder = TempDir::new().unwrap();
    let [state, old, new, wrong] = ["state", "old", "new", "wrong"].map(|name| folder.path().join(name));
    for key in [&old, &new, &wrong] {
        new_key(key).unwrap();
    }
    let archive = Archive::open(&state, &named(&old)).unwrap();
    fill(&archive);
    let (before, name) = (answers(&archive), archive.name(b"one"));
    assert!(matches!(rotate(&state, &named(&old).at_rest, &new), Err(ArchiveError::Locked { .. })));
    drop(archive);
    let sealed = files_below(&state.join("documents")).into_iter().map(|file| fs::read(file).unwrap());
    let sealed: Vec<Vec<u8>> = sealed.collect();
    assert!(matches!(rotate(&state, &named(&wrong).at_rest, &new), Err(ArchiveError::KeyWrong { .. })));
    let rotated = rotate(&state, &named(&old).at_rest, &new).unwrap();
    assert_eq!(rotated, Rotated { generations: 2, configure: Some(old.clone()), given_up: false });
    // Said twice, done once.
    assert_eq!(rotate(&state, &named(&old).at_rest, &new).unwrap().generations, 2);
    assert_eq!(check_keys(&state, &named(&old).at_rest).unwrap(), Some(Remark::RotationUnfinished));
    let archive = Archive::open(&state, &named(&old)).unwrap();
    let between = archive.accept(arrival(b"between", "between")).unwrap().document;
    drop(archive);
    let archive = Archive::open(&state, &named(&new)).unwrap();
    assert_eq!(check_keys(&state, &named(&new).at_rest).unwrap(), None);
    let after = archive.accept(arrival(b"after", "after")).unwrap().document;
    assert_eq!(archive.read_document(&between).unwrap(), b"between");
    assert_eq!(archive.name(b"one"), name);
    for document in [between, after] {
        archive
            .record(Event::Held { document, reason: "seen".to_owned(), stage: event::Stage::Read, mail: None })
            .unwrap();
    }
    assert!(before.lines().skip(1).filter(|line| line.contains("\"id\"")).all(|line| answers(&archive).contains(line)));
    drop(archive);
    assert!(matches!(refusal(&state, &named(&old)), ArchiveError::KeyWrong { .. }));
    is_whole(&state, &named(&new));
    let now: Vec<Vec<u8>> =
        files_below(&state.join("documents")).into_iter().map(|file| fs::read(file).unwrap()).collect();
    assert!(sealed.iter().all(|document| now.contains(document)), "no document is sealed anew");
}

#[test]
fn a_rotation_that_fails_at_any_step_leaves_a_state_directory_that_opens_and_can_be_repeated() {
    for beside in [true, false] {
        for operation in [Operation::Write, Operation::Rename, Operation::Sync] {
            for after in 0.. {
                let folder = TempDir::new().unwrap();
                let [state, old, new] = ["state", "old", "new"].map(|name| folder.path().join(name));
                new_key(&old).unwrap();
                new_key(&new).unwrap();
                let with = if beside { options() } else { named(&old) };
                let archive = Archive::open(&state, &with).unwrap();
                fill(&archive);
                let before = answers(&archive);
                drop(archive);
                let disk = Disk::default();
                disk.faults.plan(operation, after, faults::NO_SPACE);
                let outcome = keys::rotate_on(&disk, &state, &with.at_rest, &new);
                let all_done = disk.faults.pending();
                assert_eq!(outcome.is_ok(), all_done, "{operation:?} {after}");
                assert_eq!(answers(&Archive::open(&state, &with).unwrap()), before, "{operation:?} {after}");
                rotate(&state, &with.at_rest, &new).unwrap();
                // The start that finishes it may fail at any step too.
                let now = if beside { options() } else { named(&new) };
                disk.faults.plan(operation, after, faults::NO_SPACE);
                drop(Archive::open_on(disk.clone(), &state, &now));
                let all_done = all_done && disk.faults.pending();
                assert_eq!(answers(&Archive::open(&state, &now).unwrap()), before, "{operation:?} {after}");
                is_whole(&state, &now);
                if all_done {
                    break;
                }
            }
        }
    }
}

#[test]
fn a_first_start_that_fails_at_any_step_can_be_repeated() {
    for operation in [Operation::Write, Operation::Rename, Operation::Sync] {
        for after in 0.. {
            let folder = TempDir::new().unwrap();
            let state = folder.path().join("state");
            let disk = Disk::default();
            disk.faults.plan(operation, after, faults::NO_SPACE);
            let outcome = Archive::open_on(disk.clone(), &state, &options()).map(|_| ());
            assert_eq!(outcome.is_ok(), disk.faults.pending());
            fill(&Archive::open(&state, &options()).unwrap());
            is_whole(&state, &options());
            if disk.faults.pending() {
                break;
            }
        }
    }
}

fn rule(lane: Option<&str>, after: Span) -> RetentionRule {
    RetentionRule { name: "kept-long-enough".to_owned(), lane: lane.map(str::to_owned), after }
}

fn in_days(days: i64) -> jiff::Zoned {
    (crate::clock::now() + jiff::SignedDuration::from_hours(24 * days)).to_zoned(jiff::tz::TimeZone::UTC)
}

/// [`fill`], and a document of which all is resolved.
fn filled(archive: &Archive) -> ([DocumentId; 3], DocumentId) {
    let others = fill(archive);
    let done = archive.accept(arrival(b"all done", "done.tif")).unwrap().document;
    archive.record(Event::SourceReleased { document: done.clone(), source_key: "done.tif".to_owned() }).unwrap();
    archive.record(Event::Queued { document: done.clone(), items: vec![item(&done, 1)] }).unwrap();
    archive.record(resolved(ItemId::new(&done, 1))).unwrap();
    (others, done)
}

#[test]
fn only_what_is_all_resolved_and_old_enough_and_of_the_rules_lane_is_due() {
    let state = TempDir::new().unwrap();
    let archive = Archive::open(state.path(), &options()).unwrap();
    let (others, done) = filled(&archive);
    let due = |rules: &[RetentionRule], days| -> Vec<DocumentId> {
        let due = archive.due_for_purge(rules, &in_days(days)).unwrap();
        due.into_iter().map(|due| due.document).collect()
    };
    let none: [DocumentId; 0] = [];
    assert_eq!(due(&[], 10_000), none);
    assert_eq!(due(&[rule(None, 400.days())], 399), none);
    assert_eq!(due(&[rule(None, 400.days())], 401), std::slice::from_ref(&done));
    assert_eq!(due(&[rule(Some("plan"), 400.days())], 401), none);
    assert_eq!(due(&[rule(Some("plan"), 1.days()), rule(Some("um"), 1.years())], 401), std::slice::from_ref(&done));
    // Nobody can purge the others, by no other way either.
    for document in others {
        let due = Due { document, rule: "by hand".to_owned(), resolved_at: crate::clock::now() };
        assert!(matches!(archive.purge(vec![due], "uid 0", || false), Err(ArchiveError::NotDoneWith { .. })));
    }
    let purged = Event::Purged {
        document: done,
        rule: "by hand".to_owned(),
        by: "uid 0".to_owned(),
        received: 1,
        cases: Vec::new(),
    };
    assert!(archive.record(purged).is_err(), "a record alone destroys nothing");
}

#[test]
fn a_purged_document_is_gone_for_good_and_everything_else_stays_as_it_was() {
    let state = TempDir::new().unwrap();
    let archive = Archive::open(state.path(), &options()).unwrap();
    let (_, done) = filled(&archive);
    let reading = Reading::new(DocumentFormat::Tiff, Vec::new());
    archive.put_reading(&done, &reading).unwrap();
    let file = document_file(&state, &done);
    let backup = fs::read(&file).unwrap();
    let kept = head(state.path()).unwrap();
    let open: Vec<String> = archive.items().map(|item| serde_json::to_string(&item.unwrap()).unwrap()).collect();
    let due = archive.due_for_purge(&[rule(None, 1.days())], &in_days(2)).unwrap();
    assert_eq!(archive.purge(due.clone(), "uid 7", || true).unwrap(), [], "told to stop");
    assert_eq!(archive.purge(due, "uid 7", || false).unwrap().len(), 1);
    assert!(!file.exists());
    assert!(files_below(&state.path().join("readings")).is_empty());
    assert_eq!(archive.document(&done).unwrap(), None);
    assert!(archive.read_document(&done).is_err());
    let now: Vec<String> = archive.items().map(|item| serde_json::to_string(&item.unwrap()).unwrap()).collect();
    assert_eq!(now, open);
    let before = answers(&archive);
    drop(archive);
    let report = is_whole(state.path(), &options());
    assert_eq!((report.purged, report.documents), (1, 3));
    assert!(matches!(proves(state.path(), &kept).unwrap(), Proof::Unchanged(_)));
    assert_eq!(answers(&Archive::rebuild(state.path(), &options()).unwrap()), before);
    let mut trail = Vec::new();
    let filter = AuditFilter { document: Some(done.short().to_owned()), ..AuditFilter::default() };
    let told = Trail::open(state.path(), &options().at_rest, &filter).unwrap();
    told.tell(|line| trail.push(format!("{} {}", line.who, line.what))).unwrap();
    assert!(trail.last().unwrap().contains("uid 7 purged under rule kept-long-enough"), "{trail:?}");
    assert!(
        trail.iter().any(|line| line.contains("resolved")) && trail.iter().all(|line| !line.contains("done.tif")),
        "{trail:?}"
    );
    // A copy put back is told, and destroyed at the next start.
    Write::write_all(&mut File::create(&file).unwrap(), &backup).unwrap();
    let report = verify(state.path(), &options(), None).unwrap();
    assert!(matches!(report.problems.as_slice(), [Problem::PurgedButPresent { .. }]), "{report:?}");
    drop(Archive::open(state.path(), &options()).unwrap());
    assert!(!file.exists());
    is_whole(state.path(), &options());
}

#[test]
fn what_was_read_on_a_purged_document_is_told_of_and_destroyed_though_the_document_itself_is_gone() {
    for with_index in [true, false] {
        let state = TempDir::new().unwrap();
        let archive = Archive::open(state.path(), &options()).unwrap();
        let (others, done) = filled(&archive);
        for document in [&done, &others[0]] {
            archive.put_reading(document, &Reading::new(DocumentFormat::Tiff, Vec::new())).unwrap();
        }
        let readings = || files_below(&state.path().join("readings"));
        let of_it = readings().into_iter().find(|file| file.to_str().unwrap().contains(done.as_str())).unwrap();
        let copy = fs::read(&of_it).unwrap();
        let due = archive.due_for_purge(&[rule(None, 1.days())], &in_days(2)).unwrap();
        archive.purge(due, "uid 7", || false).unwrap();
        drop(archive);
        // As a kill between the two leaves it.
        Write::write_all(&mut File::create(&of_it).unwrap(), &copy).unwrap();
        assert_eq!(readings().len(), 2);
        let report = verify(state.path(), &options(), None).unwrap();
        assert!(
            matches!(report.problems.as_slice(), [Problem::PurgedButPresent { document }] if *document == done),
            "{report:?}"
        );
        if !with_index {
            fs::remove_dir_all(state.path().join("index")).unwrap();
        }
        drop(Archive::open(state.path(), &options()).unwrap());
        assert!(!of_it.exists() && readings().len() == 1);
        is_whole(state.path(), &options());
    }
}

#[test]
fn a_purged_document_that_comes_again_is_a_new_one() {
    let state = TempDir::new().unwrap();
    let archive = Archive::open(state.path(), &options()).unwrap();
    let (_, done) = filled(&archive);
    let due = archive.due_for_purge(&[rule(None, 1.days())], &in_days(2)).unwrap();
    archive.purge(due, "uid 7", || false).unwrap();
    let again = archive.accept(arrival(b"all done", "done.tif")).unwrap();
    assert_eq!(again, Accepted { document: done.clone(), first: true, waits: true });
    archive.record(Event::Queued { document: done.clone(), items: vec![item(&done, 1)] }).unwrap();
    assert_eq!(archive.item(&ItemId::new(&done, 1)).unwrap().unwrap().state, ItemState::Open);
    let before = answers(&archive);
    drop(archive);
    assert_eq!(is_whole(state.path(), &options()).purged, 0);
    assert_eq!(answers(&Archive::rebuild(state.path(), &options()).unwrap()), before);
    assert_eq!(Archive::look(state.path(), &options().at_rest).unwrap().read_document(&done).unwrap(), b"all done");
}

#[test]
fn a_purged_document_is_not_received_again_with_the_index_gone_unless_it_came_again() {
    let state = TempDir::new().unwrap();
    let archive = Archive::open(state.path(), &options()).unwrap();
    let (_, done) = filled(&archive);
    let file = document_file(&state, &done);
    let backup = fs::read(&file).unwrap();
    let due = archive.due_for_purge(&[rule(None, 1.days())], &in_days(2)).unwrap();
    archive.purge(due, "uid 7", || false).unwrap();
    drop(archive);
    // As a crash right after the record leaves it.
    File::create(&file).unwrap().write_all(&backup).unwrap();
    let archive = Archive::rebuild(state.path(), &options()).unwrap();
    assert!(!file.exists() && archive.document(&done).unwrap().is_none());
    // It comes again, and the record of that is torn away together with the index.
    let journal = state.path().join("journal/00000001.log");
    let length = fs::metadata(&journal).unwrap().len();
    archive.accept(arrival(b"all done", "done.tif")).unwrap();
    drop(archive);
    File::options().write(true).open(&journal).unwrap().set_len(length + 100).unwrap();
    fs::remove_dir_all(state.path().join("index")).unwrap();
    let archive = Archive::open(state.path(), &options()).unwrap();
    assert_eq!(archive.read_document(&done).unwrap(), b"all done");
    assert_eq!(archive.document(&done).unwrap().unwrap().status, Status::Waiting);
}

#[test]
fn a_purge_that_fails_at_any_step_is_finished_by_the_next_start_or_did_not_happen() {
    for operation in [Operation::Write, Operation::Sync] {
        for after in 0.. {
            let state = TempDir::new().unwrap();
            let disk = Disk::default();
            let archive = Archive::open_on(disk.clone(), state.path(), &options()).unwrap();
            let (_, done) = filled(&archive);
            let due = archive.due_for_purge(&[rule(None, 1.days())], &in_days(2)).unwrap();
            disk.faults.plan(operation, after, faults::INPUT_OUTPUT);
            let outcome = archive.purge(due, "uid 7", || false);
            let all_done = disk.faults.pending();
            assert_eq!(outcome.is_ok(), all_done, "{operation:?} {after}");
            drop(archive);
            let archive = Archive::open(state.path(), &options()).unwrap();
            let recorded = archive.document(&done).unwrap().is_none();
            assert_eq!(document_file(&state, &done).exists(), !recorded, "{operation:?} {after}");
            assert!(recorded || archive.read_document(&done).is_ok());
            let before = answers(&archive);
            drop(archive);
            is_whole(state.path(), &options());
            assert_eq!(answers(&Archive::rebuild(state.path(), &options()).unwrap()), before);
            if all_done {
                assert!(recorded && after >= 2);
                break;
            }
        }
    }
}

#[test]
fn a_head_kept_elsewhere_shows_records_that_were_rewritten_or_taken_away() {
    let (ours, other) = (TempDir::new().unwrap(), TempDir::new().unwrap());
    fill(&Archive::open(ours.path(), &options()).unwrap());
    let kept = head(ours.path()).unwrap();
    assert_eq!(kept.to_string().parse::<ChainHead>().unwrap(), kept);
    assert!("7:xyz".parse::<ChainHead>().is_err());
    assert_eq!(proves(ours.path(), &kept).unwrap(), Proof::Unchanged(kept.clone()));
    // A whole chain, made by somebody else.
    fill(&Archive::open(other.path(), &options()).unwrap());
    assert_eq!(proves(other.path(), &kept).unwrap(), Proof::Rewritten);
    let beyond = ChainHead { sequence: kept.sequence + 1, ..kept.clone() };
    assert_eq!(proves(ours.path(), &beyond).unwrap(), Proof::Shortened(kept.sequence));
}

#[test]
fn a_record_whose_frame_was_rewritten_with_a_whole_new_chain_does_not_open() {
    let state = TempDir::new().unwrap();
    let archive = Archive::open(state.path(), &options()).unwrap();
    fill(&archive);
    drop(archive);
    let journal = state.path().join("journal/00000001.log");
    let text = fs::read_to_string(&journal).unwrap();
    let mut before = "0".repeat(64);
    let mut forged = String::new();
    for line in text.lines() {
        let (_, json) = line.split_once(' ').unwrap();
        let mut record: serde_json::Value = serde_json::from_str(json).unwrap();
        record["prev"] = before.into();
        if record["fact"]["queued"].is_object() {
            record["fact"]["queued"]["segments"] = vec![1].into();
        }
        let json = serde_json::to_string(&record).unwrap();
        before = DocumentId::of(json.as_bytes()).as_str().to_owned();
        forged.extend([before.as_str(), " ", &json, "\n"]);
    }
    Write::write_all(&mut File::create(&journal).unwrap(), forged.as_bytes()).unwrap();
    fs::remove_dir_all(state.path().join("index")).unwrap();
    let report = verify(state.path(), &options(), None).unwrap();
    let sealed_otherwise =
        |problem: &Problem| matches!(problem, Problem::Journal(ArchiveError::RecordDoesNotOpen { .. }));
    assert!(report.problems.iter().any(sealed_otherwise), "{report:?}");
}
