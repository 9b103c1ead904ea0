//! Mutants of good faxes and emails through the built program, and what must be true of each: the daemon lives, nothing
//! is lost, nothing is linked to a case that its original is not linked to, memory and time stay bounded.
//!
//! A mutant that fails is kept in `target/tmp/hostile`, with the seed in what is said.

#![allow(clippy::unwrap_used, clippy::disallowed_methods, reason = "a test stops at the first surprise")]

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::generator::mail;
use crate::generator::mutate::{self, Mutation};
use crate::generator::random::Random;
use crate::generator::registry::{Case, cases, csv};
use crate::generator::seeds::cropped;
use crate::generator::sheet::Face;
use crate::generator::{Encoding, FillOrder, Fonts, SEED, Scan, Sheet, Storage, TiffPage, pdf, picture, scan, tiff};
use crate::run::memory::Peaks;
use crate::run::{Daemon, Setup};

/// A page takes a fraction of a second; one that takes 10 s is given up.
const TABLES: &str = "[reader]\nworkers = 2\nattempts = 2\npage_timeout = \"10s\"\n\
                      [log]\nformat = \"json\"\nlevel = \"debug\"\n";

/// What a worker may have (`worker_memory`, whose default it is), and far more than the daemon needs: it parses nothing.
const MOST_WORKER: u64 = 1 << 20;
const MOST_DAEMON: u64 = 200 << 10;

/// From the first look at a document to its item, whatever else the machine does: both attempts of each page, the wait
/// between them, and what is more urgent in its batch. Some seconds as a rule; a document that holds others up takes as
/// long as their pages together.
const LONGEST: Duration = Duration::from_secs(120);

/// Files that are drained together.
const BATCH: usize = 150;

/// A good document, and the cases that it is linked to.
struct Original {
    name: String,
    bytes: Vec<u8>,
    sidecar: String,
    links: BTreeSet<String>,
}

/// A document that went wrong, with what it was made of.
struct Mutant {
    file: String,
    bytes: Vec<u8>,
    sidecar: Option<Vec<u8>>,
    made: String,
    /// Cases that it may be linked to.
    links: BTreeSet<String>,
}

/// What a run found; [`Figures::print`] tells it.
#[derive(Default)]
pub struct Figures {
    pub files: usize,
    pub open: usize,
    pub held: usize,
    pub refused: usize,
    /// Mail loops.
    pub closed: usize,
    pub linked: usize,
    pub flagged: usize,
    /// Workers lost, by the error.
    lost_workers: BTreeMap<String, usize>,
    /// Where decoders panicked.
    panics: BTreeMap<String, usize>,
    /// With its document.
    slowest: (Duration, String),
    peaks: Peaks,
}

impl Figures {
    #[allow(dead_code, reason = "the test has no use for it")]
    pub fn print(&self, seed: u64, took: Duration) {
        let megabytes = |kilobytes: u64| kilobytes >> 10;
        println!(
            "{} mutants (seed {seed}) in {:.0} s: 0 deaths of the daemon, 0 lost, 0 wrong links",
            self.files,
            took.as_secs_f64()
        );
        println!(
            "  {} open items' documents ({} linked as their original is, {} marked as not whole), {} held, {} refused and \
             left where they lie, {} kept and closed as mail loops",
            self.open, self.linked, self.flagged, self.held, self.refused, self.closed
        );
        println!(
            "  peaks: daemon {} MB, worker {} MB; slowest document {:.1} s; workers lost: {:?}",
            megabytes(self.peaks.daemon),
            megabytes(self.peaks.worker),
            self.slowest.0.as_secs_f64(),
            self.lost_workers
        );
        if !self.panics.is_empty() {
            println!("  decoders that panicked, and were caught: {:#?}", self.panics);
        }
    }
}

/// One fax of these lines on a page as short as they are.
fn short_page(fonts: &Fonts, lines: &[String]) -> crate::generator::Bitmap {
    let mut sheet = Sheet::new(fonts);
    for (place, line) in lines.iter().enumerate() {
        sheet.text(50.0, 60.0 + 18.0 * place as f32, 12.0, Face::Sans, line);
    }
    let height = (60 + 18 * lines.len() + 44) * 196 / 72;
    cropped(&scan::scan(&sheet, &Scan::default()), 1728, height)
}

/// What hospitals write of a baby, in few lines.
fn lines(case: &Case, kind: &str) -> Vec<String> {
    vec![
        kind.to_owned(),
        format!("Infant: {}, {}", case.last_name, case.first_name),
        format!("DOB: {}     MRN: {}", case.dob.strftime("%m/%d/%Y"), case.mrn),
        format!("Mother: {} {}", case.mother_first, case.mother_last),
        format!("{}  Member ID: {}", case.facility.name, case.member_id),
        "Weight today 1810 g, open crib, room air".to_owned(),
    ]
}

/// The originals: each coding and format, of babies alone in the registry and of twins.
fn originals(fonts: &Fonts, cases: &[Case]) -> Vec<Original> {
    use Encoding::{Group3OneDimensional, Group3TwoDimensional, Group4};
    use FillOrder::{LeastSignificantFirst, MostSignificantFirst};
    let storages = [
        Storage::Fax(Group3OneDimensional, LeastSignificantFirst),
        Storage::Fax(Group4, MostSignificantFirst),
        Storage::Fax(Group3TwoDimensional, LeastSignificantFirst),
        Storage::Uncompressed,
        Storage::Deflate,
    ];
    let stored = |bitmap, storage| TiffPage { bitmap, resolution: (204, 196), storage, damaged_rows: Vec::new() };
    let mut all = Vec::new();
    for (number, place) in [0_usize, 2, 6, 9, 12, 16, 19, 22, 23, 26, 30, 38].into_iter().enumerate() {
        let Some(case) = cases.get(place) else { continue };
        let kind = ["CONCURRENT REVIEW", "DISCHARGE SUMMARY", "ADMISSION NOTIFICATION"][number % 3];
        let page = short_page(fonts, &lines(case, kind));
        let second =
            short_page(fonts, &["Page 2".to_owned(), "Plan: wean the incubator, teach the parents".to_owned()]);
        let mut add = |name: &str, bytes: Vec<u8>| {
            let pages = if name.starts_with("two") { 2 } else { 1 };
            let sidecar = format!(
                "{{\"sender\": \"6175550134\", \"received_at\": \"2026-03-16T09:12:00-04:00\", \"pages\": {pages}, \
                 \"errors\": false}}"
            );
            let (name, links) = (format!("{place}-{name}"), BTreeSet::new());
            all.push(Original { name, bytes, sidecar, links });
        };
        let storage = storages[number % storages.len()];
        match number % 4 {
            0 => add("two.tif", tiff::write(&[stored(page.clone(), storage), stored(second, storage)])),
            1 => add("pictures.pdf", short_pdf(&page)),
            2 => add("scan.png", picture::png(Some(&cropped(&page, 1700, page.height))).unwrap()),
            _ => add("scan.jpg", picture::jpeg(Some(&cropped(&page, 1700, page.height))).unwrap()),
        }
        add("fax.tif", tiff::write(&[stored(page, storages[(number + 1) % storages.len()])]));
    }
    let mut sheet = Sheet::new(fonts);
    for (place, line) in lines(&cases[4], "CONCURRENT REVIEW").iter().enumerate() {
        sheet.text(50.0, 60.0 + 18.0 * place as f32, 12.0, Face::Sans, line);
    }
    let (name, bytes, sidecar) = ("4-text.pdf".to_owned(), pdf::of_text(&[sheet]), "{}".to_owned());
    all.push(Original { name, bytes, sidecar, links: BTreeSet::new() });
    all.extend(messages(fonts, cases));
    all
}

/// What comes by email: a fax that a gateway sends on, papers attached, forwarded and packed, and no paper but the text.
fn messages(fonts: &Fonts, cases: &[Case]) -> Vec<Original> {
    let storage = Storage::Fax(Encoding::Group4, FillOrder::MostSignificantFirst);
    let mut all = Vec::new();
    for (number, place) in [0_usize, 2, 6, 9, 12, 16, 19, 22].into_iter().enumerate() {
        let Some(case) = cases.get(place) else { continue };
        let said = lines(case, "CONCURRENT REVIEW");
        let bitmap = short_page(fonts, &said);
        let covering = mail::text("plain", "Please find the clinicals attached. \u{2013} Utilization Review");
        let pdf = short_pdf(&bitmap);
        let fax = tiff::write(&[TiffPage { bitmap, resolution: (204, 196), storage, damaged_rows: Vec::new() }]);
        let tiff = mail::part("Content-Type: image/tiff; name=fax.tif", &fax);
        let attached = mail::part("Content-Type: application/octet-stream; name=\"=?utf-8?Q?review?=\"", &pdf);
        let cells = said.iter().flat_map(|line| line.split("     "));
        let rows = cells.flat_map(|cell| ["<tr><td>", cell, "</td></tr>"]).collect::<String>();
        let html = mail::text("html", &format!("<html><body><table>{rows}</table></body></html>"));
        let plain = mail::text("plain", &said.join("\n"));
        let (name, message) = match number {
            0 => ("gateway", mail::message("Fax from 617-555-0134, 1 page", "mixed", &[covering, tiff])),
            1 => ("attached", mail::message("NICU review", "mixed", &[covering, attached])),
            2 => {
                let inner = mail::message("NICU review", "mixed", &[covering.clone(), tiff]);
                ("forwarded", mail::message("Fwd: NICU review", "mixed", &[covering, mail::forwarded(&inner)]))
            }
            3 => {
                let zipped = mail::zip_of("review.tif", &fax);
                let zipped = mail::part("Content-Type: application/zip; name=review.zip", &zipped);
                ("packed", mail::message("NICU review", "mixed", &[covering, zipped]))
            }
            4 => ("html", mail::message("NICU review", "alternative", &[plain, html])),
            5 => ("html-alone", mail::message("NICU review", "mixed", &[html])),
            6 => ("two", mail::message("NICU review", "mixed", &[attached, tiff])),
            _ => ("text", mail::message("NICU review", "mixed", &[plain])),
        };
        let (name, sidecar, links) = (format!("{place}-{name}.eml"), "{}".to_owned(), BTreeSet::new());
        all.push(Original { name, bytes: message.into_bytes(), sidecar, links });
    }
    all
}

/// The picture on a page as short as it is; no offset of the file moves.
fn short_pdf(page: &crate::generator::Bitmap) -> Vec<u8> {
    let mut bytes = pdf::of_pictures(std::slice::from_ref(page));
    let height = page.height * 72 / 196;
    for usual in [&b"[0 0 612 792]"[..], b"q 612 0 0 792"] {
        let at = bytes.windows(usual.len()).position(|window| window == usual).unwrap();
        let number = usual.windows(3).position(|window| window == b"792").unwrap();
        bytes[at + number..at + number + 3].copy_from_slice(format!("{height:03}").as_bytes());
    }
    bytes
}

/// Puts this many mutants through the program, batch after batch; `kept`: where one that fails is left.
pub fn run(files: usize, seed: u64, kept: &Path) -> Figures {
    let registry = cases(SEED);
    let cases_csv = csv(&registry);
    let fonts = Fonts::load().unwrap();
    let mut originals = originals(&fonts, &registry);
    find_links(&mut originals, &cases_csv);
    let mut random = Random::new(seed);
    let mut made: HashSet<Vec<u8>> = originals.iter().map(|original| original.bytes.clone()).collect();
    let mut figures = Figures::default();
    while figures.files < files {
        let wanted = BATCH.min(files - figures.files);
        let mut batch = Vec::with_capacity(wanted);
        while batch.len() < wanted {
            let mutant = make(&mut random, &originals, figures.files + batch.len());
            // The same bytes are one document, wherever they come from.
            if made.insert(mutant.bytes.clone()) {
                batch.push(mutant);
            }
        }
        let begun = Instant::now();
        drain(&batch, &cases_csv, seed, kept, &mut figures);
        if files > BATCH {
            println!("{} of {files}, {:.0} s for the last {wanted}", figures.files, begun.elapsed().as_secs_f64());
        }
    }
    figures
}

/// Drains the originals as they are, for what they are linked to.
fn find_links(originals: &mut [Original], cases_csv: &str) {
    let setup = Setup::with("", TABLES);
    setup.write_cases(cases_csv.as_bytes());
    for original in originals.iter() {
        setup.arrive(&original.name, &original.bytes);
    }
    setup.drain();
    for item in setup.exported() {
        let original = originals.iter_mut().find(|original| item["source_file"] == original.name.as_str()).unwrap();
        assert_eq!(item["state"], "open", "{item:#}");
        original.links.extend(item["match"]["case_id"].as_str().map(str::to_owned));
    }
    let linked = originals.iter().filter(|original| !original.links.is_empty()).count();
    assert!(linked * 10 >= originals.len() * 7, "{linked} of {} originals are linked: too few", originals.len());
}

fn make(random: &mut Random, originals: &[Original], number: usize) -> Mutant {
    // Emails and faxes by turns: there are more kinds of faxes, and more ways for an email to go wrong.
    let wanted = number.is_multiple_of(2);
    let alike: Vec<&Original> =
        originals.iter().filter(|original| mutate::is_message(&original.bytes) == wanted).collect();
    let original = alike[random.below(alike.len())];
    let other =
        if random.below(4) == 0 { &originals[random.below(originals.len())] } else { alike[random.below(alike.len())] };
    let mutation = Mutation::any(random, &original.bytes);
    let mut bytes = mutate::mutant(random, mutation, &original.bytes, &other.bytes);
    let mut made = format!("{mutation:?} of {}", original.name);
    let mut links = original.links.clone();
    if mutation == Mutation::Splice {
        made = format!("{made} and {}", other.name);
        links.extend(other.links.iter().cloned());
    }
    // Now and then a second one upon the first.
    if random.below(4) == 0 && mutation != Mutation::Bomb {
        let second = [Mutation::Flips, Mutation::Cut, Mutation::HugeNumber][random.below(3)];
        bytes = mutate::mutant(random, second, &bytes, &[]);
        made = format!("{made}, then {second:?}");
    }
    let sidecar = match random.below(3) {
        0 => None,
        1 => Some(original.sidecar.clone().into_bytes()),
        _ => Some(mutate::sidecar(random, &original.sidecar)),
    };
    let extension = original.name.rsplit('.').next().unwrap_or("tif");
    Mutant { file: format!("{number:05}.{extension}"), bytes, sidecar, made, links }
}

fn drain(batch: &[Mutant], cases_csv: &str, seed: u64, kept: &Path, figures: &mut Figures) {
    let setup = Setup::with("", TABLES);
    setup.write_cases(cases_csv.as_bytes());
    for mutant in batch {
        if let Some(sidecar) = &mutant.sidecar {
            setup.arrive(&format!("{}.json", mutant.file), sidecar);
        }
        setup.arrive(&mutant.file, &mutant.bytes);
    }
    let keep = |wrong: &Mutant| {
        fs::create_dir_all(kept).unwrap();
        fs::write(kept.join(&wrong.file), &wrong.bytes).unwrap();
        format!("seed {seed}, {} ({}), kept in {}", wrong.file, wrong.made, kept.display())
    };
    let keep_all = || {
        for mutant in batch {
            keep(mutant);
        }
        format!("seed {seed}, one of {} to {}, kept in {}", batch[0].file, batch[batch.len() - 1].file, kept.display())
    };

    let daemon = Daemon::new(setup.command(&["run", "--drain"]));
    let watch = Watch::over(daemon.pid());
    let (status, log) = daemon.ended();
    let peaks = watch.end();
    assert!(status.success(), "DEATH of the daemon: {status}; {}:\n{}", keep_all(), log.join("\n"));
    figures.peaks.daemon = figures.peaks.daemon.max(peaks.daemon);
    figures.peaks.worker = figures.peaks.worker.max(peaks.worker);
    assert!(peaks.worker > 0, "no worker was ever seen, so its bound was not looked at");
    assert!(peaks.daemon < MOST_DAEMON, "the daemon took {} kB; {}", peaks.daemon, keep_all());
    assert!(peaks.worker <= MOST_WORKER, "a worker took {} kB; {}", peaks.worker, keep_all());
    count_from_log(&log, figures);
    if figures.slowest.0 >= LONGEST {
        let (took, document) = &figures.slowest;
        let story: Vec<&String> = log.iter().filter(|line| line.contains(document.as_str())).collect();
        let of_it = |mutant: &&Mutant| setup.id(&mutant.bytes).as_str().starts_with(document.as_str());
        let which = batch.iter().find(of_it).map_or_else(keep_all, keep);
        panic!("a document took {took:?}; {which}:\n{story:#?}");
    }

    let mut items: BTreeMap<String, Vec<Value>> = BTreeMap::new();
    for item in setup.exported() {
        items.entry(item["source_file"].as_str().unwrap().to_owned()).or_default().push(item);
    }
    let refused: Vec<Value> = setup.held().into_iter().filter(|entry| entry["kind"] == "refused").collect();
    let (inbox, done) = (setup.files("inbox"), setup.files("done"));
    let trail = || setup.succeed(&["audit"]);
    for mutant in batch {
        figures.files += 1;
        let Some(items) = items.get(&mutant.file) else {
            let id = setup.id(&mutant.bytes);
            // What a mutation of the head alone left of another one of the batch is the same message, and closed as that.
            let closed = |line: &str| {
                let as_loop = line.contains("set_aside") && goes_round(&mutant.bytes);
                let as_duplicate = line.contains("duplicate") && line.contains("the same message as document");
                (as_loop || as_duplicate) && line.contains(id.short())
            };
            if setup.sealed(&mutant.bytes).is_some() && trail().lines().any(closed) {
                assert!(done.contains(&mutant.file), "not released: {}", keep(mutant));
                figures.closed += 1;
                continue;
            }
            let listed = refused.iter().any(|entry| entry["source_file"] == mutant.file.as_str());
            assert!(listed && inbox.contains(&mutant.file), "LOST: {}", keep(mutant));
            figures.refused += 1;
            continue;
        };
        assert!(setup.sealed(&mutant.bytes).is_some(), "not stored as it came: {}", keep(mutant));
        assert!(done.contains(&mutant.file) && !inbox.contains(&mutant.file), "not released: {}", keep(mutant));
        let held = items.iter().any(|item| item["state"] == "held");
        let mut linked = false;
        for item in items {
            let case = item["match"]["case_id"].as_str();
            linked |= case.is_some();
            let right = case.is_none_or(|case| mutant.links.contains(case));
            assert!(right, "WRONG LINK: {}: {item:#}", keep(mutant));
            assert!(!held || item["lane"] == "attention", "{}: {item:#}", keep(mutant));
        }
        let flags = items[0]["flags"].to_string();
        let marks = ["damaged_rows", "unreadable", "blank", "illegible", "page_count_differs"];
        figures.held += usize::from(held);
        figures.open += usize::from(!held);
        figures.linked += usize::from(linked);
        figures.flagged += usize::from(!held && marks.iter().any(|mark| flags.contains(mark)));
    }
    let left: BTreeSet<String> = items.keys().cloned().collect();
    assert!(left.iter().all(|file| batch.iter().any(|mutant| mutant.file == *file)), "an item of no file: {left:?}");
    let verified = setup.run(&["verify"]);
    assert_eq!(verified.code, Some(0), "{}; {}", verified.said, keep_all());
}

/// Whether an email has been through so many servers that it needs nobody.
fn goes_round(bytes: &[u8]) -> bool {
    bytes.split(|byte| *byte == b'\n').filter(|line| line.starts_with(b"Received:")).count() > 50
}

fn count_from_log(log: &[String], figures: &mut Figures) {
    for line in log.iter().filter_map(|line| serde_json::from_str::<Value>(line).ok()) {
        if line["message"] == "a worker was lost" {
            let error = line["error"].as_str().unwrap_or_default();
            *figures.lost_workers.entry(error.split(':').next().unwrap_or_default().to_owned()).or_default() += 1;
        }
        if let Some(place) = line["said"].as_str().and_then(|said| said.split_once("panic at ")) {
            // The last parts of the path: a registry's folder is one machine's.
            let parts: Vec<&str> = place.1.rsplitn(4, '/').take(3).collect();
            *figures.panics.entry(parts.into_iter().rev().collect::<Vec<_>>().join("/")).or_default() += 1;
        }
        if line["stage"] == "queue" || line["stage"] == "read" {
            let took = line["ms"].as_u64().map_or(Duration::ZERO, Duration::from_millis);
            if took > figures.slowest.0 {
                figures.slowest = (took, line["document"].as_str().unwrap_or_default().to_owned());
            }
        }
    }
}

/// Looks at the memory of the daemon and its children until it is ended.
struct Watch {
    over: Arc<AtomicBool>,
    thread: thread::JoinHandle<Peaks>,
}

impl Watch {
    fn over(daemon: u32) -> Self {
        let over = Arc::new(AtomicBool::new(false));
        let ended = Arc::clone(&over);
        let thread = thread::spawn(move || {
            let mut peaks = Peaks::default();
            while !ended.load(Ordering::Relaxed) {
                peaks.look(daemon);
                thread::sleep(Duration::from_millis(25));
            }
            peaks
        });
        Self { over, thread }
    }

    fn end(self) -> Peaks {
        self.over.store(true, Ordering::Relaxed);
        self.thread.join().unwrap()
    }
}
