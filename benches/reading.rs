//! How much slower `run --drain` is than bare Tesseract on the same pages, in one run and as a ratio.
//!
//! `cargo bench --bench reading -- FOLDER [PAGES [ROUNDS]]` takes the faxes in FOLDER (TIFF, PDF, JPEG, PNG), whole ones, about
//! PAGES pages of them. The baseline is as many processes as there are cores, each a bare engine that recognises the same
//! pages, already rendered and straightened and lying uncompressed in files, one thread each; its processes take the
//! next page as soon as they are free, so that it is as fast as it can be. The other side is the whole program, from
//! the files in its inbox to the exported queue, with no time to settle. Both sides' times hold starting and ending the
//! processes. Prints the processor time of either side too, which other work on the machine disturbs less, and peak
//! resident memory. In the same rounds the whole program also runs on a state directory that is not sealed: what sealing
//! costs of its throughput (wanted 3 % at most).

#![expect(clippy::expect_used, reason = "a measurement that fails should say so and end")]

#[path = "../tests/run/memory.rs"]
mod memory;

use std::collections::VecDeque;
use std::fs::File;
use std::io::{BufRead, BufReader, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};
use std::sync::Mutex;
use std::time::{Duration, Instant};

use memory::Peaks;
use nicufaxd::reader::picture::Picture;
use nicufaxd::reader::render::{self, RenderLimits};
use nicufaxd::reader::straighten;
use nicufaxd::reader::tesseract::Engine;

const BASELINE: &str = "--as-baseline-process";

/// Seconds that one side took.
struct Cost {
    wall: f64,
    /// Of all its processes together.
    processors: f64,
}

fn main() -> ExitCode {
    // Cargo adds its own `--bench`.
    let arguments: Vec<String> = std::env::args().skip(1).filter(|argument| argument != "--bench").collect();
    if arguments.first().map(String::as_str) == Some(BASELINE) {
        recognise_what_is_named();
        return ExitCode::SUCCESS;
    }
    let Some(folder) = arguments.first() else {
        eprintln!("usage: reading FOLDER [PAGES [ROUNDS]]");
        return ExitCode::from(64);
    };
    let number = |place: usize, default: usize| {
        arguments.get(place).map_or(default, |argument| argument.parse().expect("PAGES and ROUNDS are numbers"))
    };
    let (most, rounds) = (number(1, usize::MAX), number(2, 3));
    let processes = std::thread::available_parallelism().map_or(1, usize::from);

    let prepared = tempfile::tempdir().expect("a temporary folder");
    let (faxes, pages, pictures) = prepare(Path::new(folder), prepared.path(), most);
    println!("{} documents, {pages} pages ({} not blank), {processes} processes", faxes.len(), pictures.len());

    let (mut ratios, mut walls, mut processors) = (Vec::new(), Vec::new(), Vec::new());
    for round in 1..=rounds {
        let bare = baseline(&pictures, processes);
        let plain_first = (round % 2 == 0).then(|| run_drain(&faxes, "plain").0);
        let (drain, memory) = run_drain(&faxes, "sealed");
        let plain = plain_first.unwrap_or_else(|| run_drain(&faxes, "plain").0);
        ratios.push(drain.wall / bare.wall);
        walls.push(drain.wall / plain.wall);
        processors.push(drain.processors / plain.processors);
        println!(
            "round {round}: bare engines {:.1} s ({:.1} s of processors), run --drain {:.1} s ({:.1} s), ratio {:.3} \
             ({:.3}); peak memory: daemon {} MB, a worker {} MB",
            bare.wall,
            bare.processors,
            drain.wall,
            drain.processors,
            drain.wall / bare.wall,
            drain.processors / bare.processors,
            memory.daemon / 1000,
            memory.worker / 1000
        );
    }
    println!(
        "run --drain takes {:.3} x bare Tesseract's wall time (wanted 1.15 at most)\n\
         wanted: daemon below 60 MB, a worker below 200 MB\n\
         sealed against plain: {:.3} x the wall time, {:.3} x the processor time (wanted 1.03 at most)",
        median(&mut ratios),
        median(&mut walls),
        median(&mut processors)
    );
    ExitCode::SUCCESS
}

/// Of an even number, the mean of the middle two.
fn median(figures: &mut [f64]) -> f64 {
    figures.sort_by(f64::total_cmp);
    let middle = |place: usize| figures.get(place).copied().unwrap_or(f64::NAN);
    f64::midpoint(middle(figures.len().saturating_sub(1) / 2), middle(figures.len() / 2))
}

/// Takes whole faxes of a folder until there are enough pages, and writes the straightened pictures of those pages
/// that are not blank. Gives the faxes, how many pages they have, and the pictures.
fn prepare(folder: &Path, prepared: &Path, most: usize) -> (Vec<PathBuf>, usize, Vec<PathBuf>) {
    let limits = RenderLimits::default();
    let mut names: Vec<PathBuf> =
        std::fs::read_dir(folder).expect("FOLDER can be listed").map(|entry| entry.expect("an entry").path()).collect();
    names.sort();
    let (mut faxes, mut pages, mut pictures) = (Vec::new(), 0, Vec::new());
    for name in names {
        let bytes = std::fs::read(&name).unwrap_or_default();
        let Ok(inspection) = render::inspect(&bytes, &limits) else { continue };
        if pages >= most {
            break;
        }
        for page in 1..=inspection.pages {
            let Ok(rendered) = render::render_page(&bytes, page, &limits) else { continue };
            pages += 1;
            if !rendered.picture.is_blank() {
                let picture = straighten::prepare(rendered.picture).picture;
                let path = prepared.join(pictures.len().to_string());
                save(&path, &picture).expect("a picture can be written");
                pictures.push(path);
            }
        }
        faxes.push(name);
    }
    (faxes, pages, pictures)
}

fn save(path: &Path, picture: &Picture) -> std::io::Result<()> {
    let mut file = File::create(path)?;
    for number in [picture.width, picture.height, picture.resolution] {
        file.write_all(&number.to_le_bytes())?;
    }
    file.write_all(&picture.pixels)
}

fn load(path: &str) -> std::io::Result<Picture> {
    let mut file = File::open(path)?;
    let mut number = || {
        let mut bytes = [0; 4];
        file.read_exact(&mut bytes).map(|()| u32::from_le_bytes(bytes))
    };
    let (width, height, resolution) = (number()?, number()?, number()?);
    let mut pixels = Vec::new();
    file.read_to_end(&mut pixels)?;
    Ok(Picture { width, height, resolution, pixels })
}

/// A process of the baseline: recognises the picture named on each line of stdin, answers with the count of words.
fn recognise_what_is_named() {
    let mut engine = Engine::start("eng", None).expect("English language data");
    for path in std::io::stdin().lines() {
        let picture = load(&path.expect("a path")).expect("a picture");
        let words = engine.recognise(&picture).expect("words");
        println!("{}", words.len());
    }
}

/// What bare engines cost on the pictures.
fn baseline(pictures: &[PathBuf], processes: usize) -> Cost {
    let program = std::env::current_exe().expect("this program");
    let waiting = Mutex::new(VecDeque::from(pictures.to_vec()));
    let before = processor_seconds();
    let start = Instant::now();
    std::thread::scope(|scope| {
        for _ in 0..processes {
            scope.spawn(|| {
                let mut process = Command::new(&program)
                    .arg(BASELINE)
                    .env("OMP_THREAD_LIMIT", "1")
                    .stdin(Stdio::piped())
                    .stdout(Stdio::piped())
                    .stderr(Stdio::null())
                    .spawn()
                    .expect("this program again");
                let mut stdin = process.stdin.take().expect("a pipe");
                let mut answers = BufReader::new(process.stdout.take().expect("a pipe")).lines();
                loop {
                    let Some(path) = waiting.lock().expect("no thread panicked").pop_front() else { break };
                    writeln!(stdin, "{}", path.display()).expect("the process reads");
                    answers.next().expect("an answer").expect("an answer");
                }
                drop(stdin);
                process.wait().expect("the process ends");
            });
        }
    });
    Cost { wall: start.elapsed().as_secs_f64(), processors: processor_seconds() - before }
}

/// What the whole program costs on the faxes, its state at rest `sealed` or `plain`.
fn run_drain(faxes: &[PathBuf], at_rest: &str) -> (Cost, Peaks) {
    let work = tempfile::tempdir().expect("a temporary folder");
    let inbox = work.path().join("inbox");
    std::fs::create_dir(&inbox).expect("an inbox");
    for fax in faxes {
        std::fs::copy(fax, inbox.join(fax.file_name().expect("a name"))).expect("a copy");
    }
    let save_text = |name: &str, text: &str| {
        File::create(work.path().join(name)).and_then(|mut file| file.write_all(text.as_bytes())).expect("a file");
    };
    save_text("cases.csv", CASES);
    save_text("nicufaxd.toml", &format!("at_rest = \"{at_rest}\"\n{CONFIGURATION}"));

    let before = processor_seconds();
    let start = Instant::now();
    let mut program = Command::new(env!("CARGO_BIN_EXE_nicufaxd"))
        .arg("--config")
        .arg(work.path().join("nicufaxd.toml"))
        .args(["run", "--drain"])
        .stderr(Stdio::null())
        .spawn()
        .expect("the program");
    let mut memory = Peaks::default();
    let status = loop {
        if let Some(status) = program.try_wait().expect("the program's state") {
            break status;
        }
        memory.look(program.id());
        std::thread::sleep(Duration::from_millis(50));
    };
    let cost = Cost { wall: start.elapsed().as_secs_f64(), processors: processor_seconds() - before };
    assert!(status.success(), "run --drain failed: {status}");
    (cost, memory)
}

const CASES: &str = "case_id,status,member_id,auth_number,mrn,facility,facility_fax,facility_npi,last_name,first_name,\
    birth_order,sex,dob,mother_first,mother_last,mother_dob,admit_date,discharge_date,plan,level_of_care,\
    assigned_nurse,next_review_date,race_ethnicity,preferred_language\n";

const CONFIGURATION: &str = r#"
state_dir = "state"
[[intake.folder]]
name = "secure-fax"
path = "inbox"
settle = "0s"
[cases]
path = "cases.csv"
[export]
dir = "worklist"
"#;

/// Processor time of all processes that have ended under this one, theirs included (proc(5): cutime and cstime, in
/// hundredths of a second).
fn processor_seconds() -> f64 {
    let figures = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let after_name = figures.rsplit(") ").next().unwrap_or_default();
    let ticks: f64 = after_name.split_whitespace().skip(13).take(2).filter_map(|field| field.parse::<f64>().ok()).sum();
    ticks / 100.0
}
