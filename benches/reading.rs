//! How much slower the pool reads pages than bare Tesseract does, in one run and as a ratio.
//!
//! `cargo bench --bench reading -- FOLDER [PAGES [ROUNDS]]` takes the faxes in FOLDER (TIFF, PDF, JPEG, PNG), at most PAGES
//! pages of them. The baseline is as many processes as the pool has workers, each a bare engine that recognises the same
//! pages, already rendered and straightened and lying uncompressed in files, one thread each; its processes take the
//! next page as soon as they are free, so that it is as fast as it can be. Both sides' times hold starting and ending
//! the processes. Prints the processor time of either side too, which other work on the machine disturbs less, and the
//! memory of the workers (peak resident). Only a release build tells the truth about rendering and straightening.

#![expect(clippy::expect_used, reason = "a measurement that fails should say so and end")]

use std::collections::VecDeque;
use std::fs::File;
use std::io::{BufRead, BufReader, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use nicufaxd::document::DocumentId;
use nicufaxd::reader::picture::Picture;
use nicufaxd::reader::pool::{PoolSettings, ReaderPool, Urgency};
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

struct Fax {
    id: DocumentId,
    bytes: Arc<[u8]>,
    /// 1-based.
    pages: Vec<u32>,
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
    let workers = std::thread::available_parallelism().map_or(1, usize::from);

    let prepared = tempfile::tempdir().expect("a temporary folder");
    let (faxes, pictures) = prepare(Path::new(folder), prepared.path(), most);
    let pages: usize = faxes.iter().map(|fax| fax.pages.len()).sum();
    println!("{} documents, {pages} pages ({} not blank), {workers} processes", faxes.len(), pictures.len());

    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let mut ratios = Vec::new();
    for round in 1..=rounds {
        let bare = baseline(&pictures, workers);
        let (pool, words, memory) = runtime.block_on(read_with_pool(&faxes, workers));
        ratios.push(pool.wall / bare.wall);
        println!(
            "round {round}: bare engines {:.1} s ({:.1} s of processors), pool {:.1} s ({:.1} s), ratio {:.3} ({:.3}); \
             {words} words; workers' peak memory {} MB",
            bare.wall,
            bare.processors,
            pool.wall,
            pool.processors,
            pool.wall / bare.wall,
            pool.processors / bare.processors,
            memory / 1000
        );
    }
    ratios.sort_by(f64::total_cmp);
    if let Some(median) = ratios.get(ratios.len() / 2) {
        println!("median ratio {median:.3} (goal: 1.15 at most, for the whole program)");
    }
    ExitCode::SUCCESS
}

/// Reads the faxes of a folder, and writes the straightened pictures of their pages that are not blank.
fn prepare(folder: &Path, prepared: &Path, most: usize) -> (Vec<Fax>, Vec<PathBuf>) {
    let limits = RenderLimits::default();
    let mut names: Vec<PathBuf> =
        std::fs::read_dir(folder).expect("FOLDER can be listed").map(|entry| entry.expect("an entry").path()).collect();
    names.sort();
    let (mut faxes, mut pictures) = (Vec::new(), Vec::new());
    let mut left = most;
    for name in names {
        let bytes = std::fs::read(&name).unwrap_or_default();
        let Ok(inspection) = render::inspect(&bytes, &limits) else { continue };
        let mut pages = Vec::new();
        for page in 1..=inspection.pages {
            let Ok(rendered) = render::render_page(&bytes, page, &limits) else { continue };
            if left == 0 {
                break;
            }
            left -= 1;
            pages.push(page);
            if !rendered.picture.is_blank() {
                let picture = straighten::prepare(rendered.picture).picture;
                let path = prepared.join(pictures.len().to_string());
                save(&path, &picture).expect("a picture can be written");
                pictures.push(path);
            }
        }
        if !pages.is_empty() {
            faxes.push(Fax { id: DocumentId::of(&bytes), bytes: Arc::from(bytes), pages });
        }
    }
    (faxes, pictures)
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
    let processors = Mutex::new(0.0);
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
                *processors.lock().expect("no thread panicked") += processor_seconds(process.id());
                drop(stdin);
                process.wait().expect("the process ends");
            });
        }
    });
    let wall = start.elapsed().as_secs_f64();
    Cost { wall, processors: processors.into_inner().expect("no thread panicked") }
}

/// What the pool costs on the documents, the words it read, and the peak resident memory of its largest worker in kB.
async fn read_with_pool(faxes: &[Fax], workers: usize) -> (Cost, usize, u64) {
    let start = Instant::now();
    let pool = ReaderPool::start(PoolSettings {
        program: PathBuf::from(env!("CARGO_BIN_EXE_nicufaxd")),
        workers,
        page_timeout: Duration::from_secs(120),
        worker_memory: 1 << 30,
        languages: "eng".to_owned(),
        tessdata: None,
        limits: RenderLimits::default(),
    })
    .await
    .expect("a pool");
    let pool = Arc::new(pool);
    let mut reads = tokio::task::JoinSet::new();
    for fax in faxes {
        for &page in &fax.pages {
            let (pool, id, bytes) = (Arc::clone(&pool), fax.id.clone(), Arc::clone(&fax.bytes));
            reads.spawn(async move { pool.read_page(&id, bytes, page, Urgency::Rest).await });
        }
    }
    let mut words = 0;
    while let Some(read) = reads.join_next().await {
        match read.expect("a task that does not panic") {
            Ok(page) => words += page.words.len(),
            Err(error) => println!("not read: {error}"),
        }
    }
    let processes = pool.status().alive;
    let memory = processes.iter().copied().map(peak_memory).max().unwrap_or_default();
    let processors = processes.iter().copied().map(processor_seconds).sum();
    pool.shutdown().await;
    (Cost { wall: start.elapsed().as_secs_f64(), processors }, words, memory)
}

/// Peak resident memory of a process, in kB.
fn peak_memory(pid: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap_or_default();
    line.split_whitespace().next().and_then(|number| number.parse().ok()).unwrap_or_default()
}

/// Processor time of a process's first thread, which does all the work here.
fn processor_seconds(pid: u32) -> f64 {
    let figures = std::fs::read_to_string(format!("/proc/{pid}/schedstat")).unwrap_or_default();
    let nanoseconds: f64 = figures.split_whitespace().next().and_then(|number| number.parse().ok()).unwrap_or_default();
    nanoseconds / 1e9
}
