//! The whole way: every invented fax of the generator's family through one drain of the built program, held against
//! the generator's truth; and what such a run may tell the log.

#![allow(clippy::unwrap_used, clippy::disallowed_methods, reason = "a test stops at the first surprise")]

mod generator;
mod run;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::process::{Command, Stdio};

use generator::registry::{Case, TODAY, cases};
use generator::{SEED, Sample, family_size, write_samples};
use jiff::civil::Date;
use regex::Regex;
use run::Setup;
use serde_json::Value;

/// Documents are linked, and typed, at least in this share of the family; the rest goes to a person. The bounds are
/// there to notice a stage that has stopped working, not to measure it: `make score` does that.
const LEAST_LINKED: f64 = 0.75;
const LEAST_TYPED: f64 = 0.85;

/// Exports that name everything a nurse works from.
const EXPORTS: [&str; 2] = ["queue.jsonl", "queue.csv"];

fn exports(setup: &Setup) -> Vec<Vec<u8>> {
    EXPORTS.iter().map(|file| fs::read(setup.path("worklist").join(file)).unwrap()).collect()
}

fn number(value: &Value) -> u64 {
    value.as_u64().unwrap_or_else(|| panic!("{value} is no number"))
}

/// The truth's segments that stand on any page of this item.
fn segments<'a>(truth: &'a Value, item: &Value) -> Vec<&'a Value> {
    let (first, last) = (number(&item["page_range"][0]), number(&item["page_range"][1]));
    let overlaps = |segment: &&Value| number(&segment["pages"][0]) <= last && number(&segment["pages"][1]) >= first;
    truth["segments"].as_array().unwrap().iter().filter(overlaps).collect()
}

/// Every file has its items, their pages are its pages, and no item is linked to a case that the truth does not name.
fn assert_nothing_lost_and_nothing_wrong(items: &[Value], samples: &[Sample]) {
    let mut of_file: BTreeMap<&str, Vec<&Value>> = BTreeMap::new();
    for item in items {
        of_file.entry(item["source_file"].as_str().unwrap()).or_default().push(item);
    }
    assert_eq!(of_file.len(), samples.len());
    let (mut linkable, mut linked, mut typed) = (0_usize, 0_usize, 0_usize);
    for sample in samples {
        let items = &of_file[sample.file.as_str()];
        let mut pages: Vec<u64> =
            items.iter().flat_map(|item| number(&item["page_range"][0])..=number(&item["page_range"][1])).collect();
        pages.sort_unstable();
        assert_eq!(pages, (1..=sample.pages as u64).collect::<Vec<_>>(), "{}", sample.file);
        for item in items {
            assert_eq!(item["sender"], sample.sender.as_str(), "{}", sample.file);
            let segments = segments(&sample.truth, item);
            let only = segments.first().filter(|_| segments.len() == 1);
            let matched = item["match"]["status"] == "matched";
            assert_eq!(matched, item["match"]["case_id"].is_string(), "{item:#}");
            if matched {
                let right = only.is_some_and(|segment| {
                    segment["match"]["status"] == "matched"
                        && segment["match"]["case_ids"][0] == item["match"]["case_id"]
                });
                assert!(right, "WRONG LINK: {}: {:#}", sample.file, item["match"]);
            }
            if item["match"]["status"] == "ambiguous" {
                let candidates = item["match"]["candidates"].as_array().unwrap();
                assert!(!candidates.is_empty(), "{}: nothing to choose from", sample.file);
            }
            assert!(!item["match"]["reasons"].as_array().unwrap().is_empty(), "{}: no reason", sample.file);
            assert!(item["due_at"].is_string() && item["due_rule"].is_string(), "{}: no due time", sample.file);
            let Some(segment) = only else { continue };
            typed += usize::from(segment["document_type"] == item["document_type"]);
            if segment["match"]["status"] == "matched" {
                linkable += 1;
                linked += usize::from(matched);
            }
            if segment["match"]["status"] == "ambiguous" {
                // Twins that nothing tells apart: a person chooses, and is shown all of them.
                assert_eq!(item["match"]["status"], "ambiguous", "{}: {:#}", sample.file, item["match"]);
                let shown: BTreeSet<&str> = item["match"]["candidates"]
                    .as_array()
                    .unwrap()
                    .iter()
                    .filter_map(|candidate| candidate["case_id"].as_str())
                    .collect();
                for twin in segment["match"]["case_ids"].as_array().unwrap() {
                    assert!(shown.contains(twin.as_str().unwrap()), "{}: {twin} is not shown", sample.file);
                }
            }
        }
    }
    let (linked_share, typed_share) = (linked as f64 / linkable as f64, typed as f64 / items.len() as f64);
    eprintln!("{linked} of {linkable} linked, {typed} of {} typed", items.len());
    assert!(linked_share >= LEAST_LINKED, "only {linked} of {linkable} are linked");
    assert!(typed_share >= LEAST_TYPED, "only {typed} of {} are of the right type", items.len());
}

#[test]
fn a_drain_queues_every_fax_links_none_wrongly_and_says_nothing_of_patients_in_its_log() {
    let setup = Setup::with("", "[log]\nformat = \"human\"\nlevel = \"trace\"\n");
    let samples = write_samples(&setup.path(""), SEED, family_size()).unwrap();
    let log = setup.drain();
    let items = setup.exported();
    assert_nothing_lost_and_nothing_wrong(&items, &samples);
    assert_no_patient_data(&log, &samples, &setup);
    for sample in &samples {
        assert!(setup.sealed(&sample.bytes).is_some(), "{} is not stored", sample.file);
    }
    assert_eq!(setup.files("inbox"), Vec::<String>::new());
    assert_eq!(setup.files("done").len(), 2 * samples.len(), "every file and its sidecar");
    assert!(setup.succeed(&["verify"]).contains(&format!("{} documents", samples.len())));

    // The exports agree with each other.
    let mut sheet = csv::Reader::from_path(setup.path("worklist/queue.csv")).unwrap();
    let rows: Vec<csv::StringRecord> = sheet.records().map(Result::unwrap).collect();
    let ids = |from: &[Value]| from.iter().map(|item| item["id"].as_str().unwrap().to_owned()).collect::<Vec<_>>();
    assert_eq!(rows.iter().map(|row| row[0].to_owned()).collect::<Vec<_>>(), ids(&items));
    let page = fs::read_to_string(setup.path("worklist/index.html")).unwrap();
    assert!(ids(&items).iter().all(|id| page.contains(id.as_str())));
    let unique: BTreeSet<String> = ids(&items).into_iter().collect();
    assert_eq!(unique.len(), items.len(), "an id stands twice");
    let due: Vec<&str> = items.iter().map(|item| item["due_at"].as_str().unwrap()).collect();
    assert!(due.is_sorted_by_key(|due| due.parse::<jiff::Timestamp>().unwrap()), "soonest due first");

    // Nothing changes by running again, nor by making the index anew.
    let first = exports(&setup);
    setup.drain();
    assert_eq!(exports(&setup), first, "a second run changed the queue");
    fs::remove_dir_all(setup.path("worklist")).unwrap();
    setup.succeed(&["rebuild"]);
    assert_eq!(exports(&setup), first, "a rebuild changed the queue");
    setup.succeed(&["verify"]);

    // `verify` notices what a person or a disk did to the exports or to a document.
    let export = setup.path("worklist/queue.jsonl");
    fs::write(&export, "{}\n").unwrap();
    // Some time later: what was written within a second of the last record could be merely behind it.
    let later = std::time::SystemTime::now() + std::time::Duration::from_secs(60);
    fs::File::options().append(true).open(&export).unwrap().set_modified(later).unwrap();
    let verified = setup.run(&["verify"]);
    assert_eq!(verified.code, Some(run::DATAERR));
    assert!(verified.said.contains("queue.jsonl"), "{}", verified.said);
    setup.drain();
    assert_eq!(exports(&setup), first);
    let sealed = setup.sealed(&samples[0].bytes).unwrap();
    fs::remove_file(&sealed).unwrap();
    fs::write(&sealed, b"something else").unwrap();
    let verified = setup.run(&["verify"]);
    assert_eq!(verified.code, Some(run::DATAERR));
    let id = setup.id(&samples[0].bytes);
    assert!(verified.said.contains(id.short()), "{}", verified.said);
}

#[test]
fn a_json_log_has_one_line_a_stage_a_document_with_its_id_and_duration_and_no_patient_data() {
    let setup = Setup::new();
    let samples = write_samples(&setup.path(""), SEED, 6).unwrap();
    let log = setup.drain();
    assert_no_patient_data(&log, &samples, &setup);
    let lines: Vec<Value> = log.lines().filter_map(|line| serde_json::from_str(line).ok()).collect();
    let others: Vec<&str> = log.lines().filter(|line| !line.starts_with('{')).collect();
    assert!(others.len() <= 1 && others.iter().all(|line| line.contains("6 documents queued")), "{others:?}");
    for sample in &samples {
        let id = setup.id(&sample.bytes);
        for stage in ["intake", "read", "understand", "link", "queue"] {
            let of_stage: Vec<&Value> =
                lines.iter().filter(|line| line["stage"] == stage && line["document"] == id.short()).collect();
            assert_eq!(of_stage.len(), 1, "{} {stage}:\n{log}", sample.file);
            assert!(of_stage[0]["ms"].is_u64(), "{}", of_stage[0]);
            assert!(of_stage[0]["timestamp"].is_string() && of_stage[0]["level"] == "INFO", "{}", of_stage[0]);
        }
    }
    assert!(lines.iter().any(|line| line["stage"] == "daemon" && line["message"] == "started"));
}

#[test]
fn lines_for_journald_carry_its_priorities_instead_of_times() {
    let setup = Setup::with("", "[log]\nformat = \"human\"\n");
    setup.arrive("note.tif", b"Dear nurse");
    let ended = Setup::finish(setup.command(&["run", "--drain"]).env("JOURNAL_STREAM", "8:1"));
    assert_eq!(ended.code, Some(0));
    let (lines, _summary): (Vec<&str>, Vec<&str>) = ended.said.lines().partition(|line| line.starts_with('<'));
    let starts =
        |priority: &str, what: &str| lines.iter().any(|line| line.starts_with(priority) && line.contains(what));
    assert!(starts("<6>", "started") && starts("<4>", "held for a person"), "{}", ended.said);
    assert!(!lines.iter().any(|line| line.contains("INFO") || line.contains("202")), "{}", ended.said);
}

#[test]
fn a_drain_at_a_terminal_shows_how_far_it_has_come() {
    let setup = Setup::new();
    setup.arrive("note.tif", b"Dear nurse");
    let program = format!("{} --config {} run --drain", env!("CARGO_BIN_EXE_nicufaxd"), setup.config().display());
    let mut terminal = Command::new("script");
    terminal
        .args(["--quiet", "--return", "--command", &program, "/dev/null"])
        .env("TERM", "xterm")
        .stdin(Stdio::null());
    if Command::new("script").arg("--version").output().is_err() {
        eprintln!("SKIPPED: `script` of util-linux is missing, so there is no terminal to show a drain's progress on");
        return;
    }
    let ended = Setup::finish(&mut terminal);
    assert_eq!(ended.code, Some(0), "{}", ended.printed);
    assert!(ended.printed.contains("1/1 documents") && ended.printed.contains("1 held"), "{}", ended.printed);
}

/// The forms in which people write a date.
fn written(date: Date) -> Vec<String> {
    const FORMS: [&str; 14] = [
        "%Y-%m-%d",
        "%Y%m%d",
        "%Y/%m/%d",
        "%m/%d/%Y",
        "%-m/%-d/%Y",
        "%m/%d/%y",
        "%-m/%-d/%y",
        "%m-%d-%Y",
        "%m-%d-%y",
        "%m.%d.%Y",
        "%d-%b-%Y",
        "%-d %b %Y",
        "%B %-d, %Y",
        "%b %-d, %Y",
    ];
    FORMS.iter().map(|form| date.strftime(form).to_string().to_lowercase()).collect()
}

/// Words of names that are nobody's: they mean a newborn, or are parts of ordinary words.
const GENERIC: [&str; 10] = ["baby", "boy", "girl", "bebe", "babyboy", "babygirl", "a", "b", "c", "o"];

/// Everything in cases and truth that tells of a patient: words of names, numbers, dates.
fn patient_data(cases: &[Case], samples: &[Sample]) -> (BTreeSet<String>, BTreeSet<String>) {
    let (mut words, mut texts) = (BTreeSet::new(), BTreeSet::new());
    let mut add_name = |name: &str| {
        let parts = name.split(|letter: char| !letter.is_alphanumeric()).map(str::to_lowercase);
        words.extend(parts.filter(|part| !part.is_empty() && !GENERIC.contains(&part.as_str())));
    };
    for case in cases {
        for name in [case.last_name, case.first_name, case.mother_first, case.mother_last, case.nurse] {
            add_name(name.trim_end_matches(" RN"));
        }
        let facility = case.facility;
        for number in [&case.case_id, &case.member_id, &case.auth_number, &case.mrn] {
            texts.insert(number.to_lowercase());
        }
        texts.extend([facility.phone, facility.fax, facility.npi, facility.name].map(str::to_lowercase));
        for date in [Some(case.dob), Some(case.mother_dob), Some(case.admit_date), case.discharge_date] {
            texts.extend(date.into_iter().flat_map(written));
        }
        texts.extend(case.next_review_date.into_iter().flat_map(written));
    }
    texts.extend(written(TODAY));
    for sample in samples {
        texts.insert(sample.sender.clone());
        texts.insert(sample.file.to_lowercase());
        for segment in sample.truth["segments"].as_array().unwrap() {
            for (field, value) in segment["fields"].as_object().unwrap() {
                let Some(text) = value.as_str() else { continue };
                match (field.as_str(), text.parse::<Date>()) {
                    (_, Ok(date)) => texts.extend(written(date)),
                    ("patient_name" | "mother_name", Err(_)) => {
                        let parts = text.split(|letter: char| !letter.is_alphanumeric()).map(str::to_lowercase);
                        words.extend(parts.filter(|part| part.len() > 1 && !GENERIC.contains(&part.as_str())));
                    }
                    // Short codes (`open_crib`, `3`) tell of nobody.
                    (_, Err(_)) if text.len() >= 6 && text.bytes().any(|byte| byte.is_ascii_digit()) => {
                        texts.insert(text.to_lowercase());
                    }
                    (_, Err(_)) => {}
                }
            }
        }
    }
    (words, texts)
}

fn assert_no_patient_data(log: &str, samples: &[Sample], setup: &Setup) {
    assert!(log.lines().count() > 4 * samples.len(), "the log is missing:\n{log}");
    let (words, texts) = patient_data(&cases(SEED), samples);
    assert!(words.len() > 60 && texts.len() > 400, "{} words, {} texts", words.len(), texts.len());
    // What is ours: when a line was written, digests, and the set-up's own folder.
    let ours = Regex::new(r"\d{4}-\d\d-\d\dt[\d:.]+z|\b[0-9a-f]{16,64}\b").unwrap();
    let folder = setup.path("").to_string_lossy().to_lowercase();
    for line in log.lines() {
        let line = line.to_lowercase();
        let kept = ours.replace_all(&line, "").replace(&folder, "");
        for text in &texts {
            assert!(!kept.contains(text.as_str()), "the log says {text:?}: {line}");
        }
        for word in kept.split(|letter: char| !letter.is_alphanumeric()) {
            assert!(!words.contains(word), "the log says {word:?}: {line}");
        }
    }
}
