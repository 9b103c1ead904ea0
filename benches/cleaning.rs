//! What each step of the cleaning is worth: printed words found with it and without it.
//!
//! `cargo bench --bench cleaning -- CORPUS [PAGES]` reads the TIFFs of a corpus (`truth.jsonl`, `inbox/`, `text/FILE.txt` with
//! the printed words, pages parted by form feeds), about PAGES pages of them, taken evenly. Order is ignored, and
//! punctuation at a word's ends. A step is left out alone, so that its row tells what would be lost without it; and it
//! is counted over all pages and over those with the degradation that it is for. One process for each core.

#![expect(clippy::expect_used, reason = "a measurement that fails should say so and end")]

use std::collections::{BTreeMap, HashMap};
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};

use nicufaxd::reader::clean::Steps;
use nicufaxd::reader::render::{self, RenderLimits};
use nicufaxd::reader::straighten;
use nicufaxd::reader::tesseract::Engine;
use serde_json::Value;

const AS_PROCESS: &str = "--as-process";

/// The name of a variant, its steps, and the degradations that the step left out is for.
const VARIANTS: [(&str, Steps, &[&str]); 5] = [
    ("all steps", Steps::ALL, &[]),
    ("without specks", Steps { specks: false, ..Steps::ALL }, &["sp", "multigen", "dither"]),
    ("without streaks", Steps { streaks: false, ..Steps::ALL }, &["streak", "lines"]),
    ("without rules", Steps { rules: false, ..Steps::ALL }, &["skew", "standard_res", "clean"]),
    ("no cleaning", Steps::NONE, &[]),
];

/// Words printed and found, and words found that are not printed.
#[derive(Clone, Copy, Default)]
struct Count {
    printed: usize,
    found: usize,
    extra: usize,
}

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).filter(|argument| argument != "--bench").collect();
    if arguments.first().map(String::as_str) == Some(AS_PROCESS) {
        read_files(arguments.get(1..).unwrap_or(&[]));
        return ExitCode::SUCCESS;
    }
    let Some(corpus) = arguments.first().map(PathBuf::from) else {
        eprintln!("usage: cleaning CORPUS [PAGES]");
        return ExitCode::from(64);
    };
    let most: usize = arguments.get(1).map_or(usize::MAX, |pages| pages.parse().expect("PAGES is a number"));
    let Ok(truth) = std::fs::read_to_string(corpus.join("truth.jsonl")) else {
        eprintln!("*** SKIPPED: no corpus at {}; the cleaning was not measured.", corpus.display());
        return ExitCode::SUCCESS;
    };
    let truth: Vec<Value> = truth.lines().map(|line| serde_json::from_str(line).expect("truth is JSON")).collect();
    let has_text = |entry: &&Value| text_of(&corpus, entry).is_file() && entry["format"] == "tiff";
    let with_text: Vec<&Value> = truth.iter().filter(|entry| entry["legible"] != false).filter(has_text).collect();
    let pages = |entry: &Value| entry["pages"].as_u64().unwrap_or(1) as usize;
    let all: usize = with_text.iter().map(|entry| pages(entry)).sum();
    let every = all.div_ceil(most).max(1);
    let chosen: Vec<&Value> = with_text.into_iter().step_by(every).collect();
    if chosen.is_empty() {
        eprintln!(
            "*** SKIPPED: {} has no TIFF with its printed text; the cleaning was not measured.",
            corpus.display()
        );
        return ExitCode::SUCCESS;
    }

    let processes = std::thread::available_parallelism().map_or(1, usize::from);
    let mut running = Vec::new();
    for process in 0..processes {
        let files: Vec<String> = chosen
            .iter()
            .skip(process)
            .step_by(processes)
            .filter_map(|entry| Some(corpus.join("inbox").join(entry["file"].as_str()?).display().to_string()))
            .collect();
        let me = std::env::current_exe().expect("this program's own path");
        let child = Command::new(me)
            .arg(AS_PROCESS)
            .args(files)
            .env("OMP_THREAD_LIMIT", "1")
            .stdout(Stdio::piped())
            .spawn()
            .expect("a process of one's own");
        running.push(std::thread::spawn(move || child.wait_with_output().expect("its output")));
    }
    let mut texts: HashMap<(String, usize), String> = HashMap::new();
    for process in running {
        let output = process.join().expect("a reader");
        for line in String::from_utf8_lossy(&output.stdout).lines() {
            let (file, variant, text): (String, usize, String) = serde_json::from_str(line).expect("a line of its own");
            texts.entry((file, variant)).or_default().push_str(&text);
        }
    }
    report(&corpus, &chosen, &texts);
    ExitCode::SUCCESS
}

fn report(corpus: &Path, chosen: &[&Value], texts: &HashMap<(String, usize), String>) {
    let mut counts: Vec<BTreeMap<String, Count>> = vec![BTreeMap::new(); VARIANTS.len()];
    for entry in chosen {
        let name = entry["file"].as_str().unwrap_or_default();
        let printed = words(&std::fs::read_to_string(text_of(corpus, entry)).unwrap_or_default());
        let kinds = entry["degradation"]["kinds"].as_array().cloned().unwrap_or_default();
        let groups: Vec<&str> = kinds.iter().filter_map(Value::as_str).chain(["all"]).collect();
        for (variant, groups_counted) in counts.iter_mut().enumerate() {
            let read = words(texts.get(&(name.to_owned(), variant)).map_or("", String::as_str));
            let found = printed.iter().map(|(word, count)| *count.min(read.get(word).unwrap_or(&0))).sum();
            let count = Count { printed: printed.values().sum(), found, extra: read.values().sum::<usize>() - found };
            for group in &groups {
                let sum = groups_counted.entry((*group).to_owned()).or_default();
                sum.printed += count.printed;
                sum.found += count.found;
                sum.extra += count.extra;
            }
        }
    }
    println!("{} files; words found, of all printed (and words read that are not printed)", chosen.len());
    for ((name, _, for_kinds), counted) in VARIANTS.iter().zip(&counts) {
        let mut line = format!("{name:<16}");
        let wanted: Vec<&str> = if for_kinds.is_empty() {
            counted.keys().map(String::as_str).collect()
        } else {
            [&["all"], *for_kinds].concat()
        };
        for group in wanted {
            let Some(count) = counted.get(group) else { continue };
            let whole = counts.first().and_then(|groups| groups.get(group)).copied().unwrap_or_default();
            // Writing to a String can't fail.
            _ = write!(line, "  {group} {:.2} %", 100.0 * count.found as f64 / count.printed.max(1) as f64);
            _ = write!(line, " ({:+}; {} extra)", count.found as i64 - whole.found as i64, count.extra);
        }
        println!("{line}");
    }
}

/// Prints each page's words as every variant reads them.
fn read_files(files: &[String]) {
    let mut engine = Engine::start("eng", None).expect("Tesseract with English");
    let limits = RenderLimits::default();
    for file in files {
        let bytes = std::fs::read(file).expect("a readable fax");
        let name = Path::new(file).file_name().unwrap_or_default().to_string_lossy();
        let pages = render::inspect(&bytes, &limits).map_or(0, |inspection| inspection.pages);
        for page in 1..=pages {
            let Ok(rendered) = render::render_page(&bytes, page, &limits) else { continue };
            if rendered.picture.is_blank() {
                continue;
            }
            let mut before: Vec<(Vec<u8>, String)> = Vec::new();
            for (variant, (_, steps, _)) in VARIANTS.iter().enumerate() {
                let prepared = straighten::prepare_with(rendered.picture.clone(), *steps).picture;
                let known = before.iter().find(|(pixels, _)| *pixels == prepared.pixels).map(|(_, text)| text.clone());
                let text = known.unwrap_or_else(|| {
                    let words = engine.recognise(&prepared).unwrap_or_default();
                    words.iter().flat_map(|word| [word.text.as_str(), " "]).collect()
                });
                println!("{}", serde_json::json!([name, variant, text]));
                before.push((prepared.pixels, text));
            }
        }
    }
}

fn text_of(corpus: &Path, entry: &Value) -> PathBuf {
    corpus.join("text").join(format!("{}.txt", entry["file"].as_str().unwrap_or_default()))
}

/// How often each word stands in a text.
fn words(text: &str) -> HashMap<String, usize> {
    let mut counts = HashMap::new();
    for word in text.split_whitespace() {
        let word = word.trim_matches(|character: char| character.is_ascii_punctuation());
        if !word.is_empty() {
            *counts.entry(word.to_owned()).or_default() += 1;
        }
    }
    counts
}
