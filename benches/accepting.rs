//! What it costs to accept a document, against the bare cost of the syncs that this needs.
//!
//! Both are measured in turn within one run, on the same filesystem, with new bytes each time: a document synced,
//! renamed, its folder synced, a record appended and synced. Prints these figures and fails when one is missed:
//!
//! 1. one document after the other: within 2 times the bare chain;
//! 2. 200 that arrive together, in one call and as files dropped into a watched folder (read there, stored, moved to
//!    `done/`, their release recorded): at least 5 times as fast as one bare chain a document.
//!
//! All of that is measured on a sealed state directory, as it is by default. In the same rounds the same is done to a
//! plain one, and what sealing costs is printed: of one document after the other, and of many together.

use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use nicufaxd::archive::{Archive, Arrival, AtRest, Content, KeyPlace, OpenOptions};
use nicufaxd::document::Receipt;
use nicufaxd::intake::folder::{FolderSettings, drain_folder};
use nicufaxd::intake::status::SourceStatuses;
use tokio::sync::mpsc;

/// Bytes of a document: the mean of real multi-page fax TIFFs is some 60 KB.
const SIZE: usize = 64 * 1024;

/// Documents that arrive together.
const TOGETHER: usize = 200;

/// Documents a round that come one after the other.
const SINGLE: usize = 50;

const ROUNDS: usize = 7;

/// Times a round that documents arrive together, on each of the two state directories.
const TURNS: usize = 3;

/// Bytes of the record that an acceptance writes.
const RECORD: usize = 700;

/// Different bytes for every document, so that nothing is known already and nothing compresses.
struct Supply(u64);

impl Supply {
    fn document(&mut self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(SIZE);
        while bytes.len() < SIZE {
            // xorshift64
            self.0 ^= self.0 << 13;
            self.0 ^= self.0 >> 7;
            self.0 ^= self.0 << 17;
            bytes.extend_from_slice(&self.0.to_le_bytes());
        }
        bytes
    }

    fn arrival(&mut self) -> Arrival {
        let receipt = Receipt::new("secure-fax", format!("{:016x}.tif", self.0), jiff::Timestamp::UNIX_EPOCH);
        let receipt = Receipt { sender: Some("6175550134".to_owned()), reported_pages: Some(3), ..receipt };
        let source_key = receipt.source_file.clone();
        Arrival { content: Content::Bytes(self.document()), receipt, source_key }
    }
}

/// The chain of syncs and nothing else.
struct Bare {
    folder: PathBuf,
    journal: File,
    next: usize,
}

impl Bare {
    fn new(folder: &Path) -> std::io::Result<Self> {
        for shard in 0..16 {
            fs::create_dir_all(folder.join(format!("{shard:x}")))?;
        }
        let journal = File::options().create(true).append(true).open(folder.join("journal"))?;
        Ok(Self { folder: folder.to_owned(), journal, next: 0 })
    }

    fn accept(&mut self, bytes: &[u8]) -> std::io::Result<()> {
        self.next += 1;
        let draft = self.folder.join("draft");
        let mut file = File::create_new(&draft)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        let shard = self.folder.join(format!("{:x}", self.next % 16));
        fs::rename(&draft, shard.join(self.next.to_string()))?;
        File::open(&shard)?.sync_all()?;
        self.journal.write_all(&[b'x'; RECORD])?;
        self.journal.sync_data()
    }
}

/// Takes what lies in a folder, with nothing to settle.
fn drain(inbox: &Path, archive: &Archive) -> Result<usize, Box<dyn std::error::Error>> {
    let settings = FolderSettings { settle: Duration::ZERO, ..FolderSettings::inbox("secure-fax", inbox.to_owned()) };
    let (accepted, mut announced) = mpsc::channel(TOGETHER);
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().max_blocking_threads(16).build()?;
    runtime.block_on(drain_folder(settings, archive.clone(), accepted, SourceStatuses::default()))?;
    Ok(std::iter::from_fn(|| announced.try_recv().ok()).count())
}

fn median(times: &mut [Duration]) -> Duration {
    times.sort_unstable();
    times.get(times.len() / 2).copied().unwrap_or_default()
}

fn micros(time: Duration) -> f64 {
    time.as_secs_f64() * 1e6
}

#[allow(clippy::disallowed_methods, reason = "what it drops into the inbox need not last")]
fn main() -> Result<(), Box<dyn std::error::Error>> {
    // The build folder is on a real disk; a temporary folder may be memory, where a sync costs nothing.
    let parent = std::env::var_os("TMPDIR").map_or_else(|| PathBuf::from(env!("CARGO_TARGET_TMPDIR")), PathBuf::from);
    let folder =
        tempfile::Builder::new().permissions(std::os::unix::fs::PermissionsExt::from_mode(0o700)).tempdir_in(parent)?;
    let mut bare = Bare::new(&folder.path().join("bare"))?;
    let sealed = OpenOptions::new(AtRest::Sealed(KeyPlace::Beside));
    let archive = Archive::open(&folder.path().join("state"), &sealed)?;
    let plain = Archive::open(&folder.path().join("plain"), &OpenOptions::plain())?;
    let (mut plain_single, mut plain_together) = (Vec::new(), Vec::new());
    let mut supply = Supply(0x9e37_79b9_7f4a_7c15);

    let (mut bare_single, mut own_single) = (Vec::new(), Vec::new());
    let (mut bare_many, mut together, mut dropped, mut callers) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    let inbox = folder.path().join("inbox");
    fs::create_dir(&inbox)?;
    for round in 0..ROUNDS {
        for single in 0..SINGLE {
            let bytes = supply.document();
            let start = Instant::now();
            bare.accept(&bytes)?;
            bare_single.push(start.elapsed());
            // Whoever comes second finds the disk as the first has left it.
            let mut turns = [(&archive, &mut own_single), (&plain, &mut plain_single)];
            turns.rotate_left((round + single) % 2);
            for (archive, times) in turns {
                let arrival = supply.arrival();
                let start = Instant::now();
                archive.accept(arrival)?;
                times.push(start.elapsed());
            }
        }

        let documents: Vec<Vec<u8>> = (0..TOGETHER).map(|_| supply.document()).collect();
        let start = Instant::now();
        for bytes in &documents {
            bare.accept(bytes)?;
        }
        bare_many.push(start.elapsed());

        for turn in 0..2 * TURNS {
            let (archive, times) =
                if (round + turn) % 2 == 0 { (&archive, &mut together) } else { (&plain, &mut plain_together) };
            let arrivals = (0..TOGETHER).map(|_| supply.arrival()).collect();
            let start = Instant::now();
            let outcomes = archive.accept_all(arrivals);
            times.push(start.elapsed());
            outcomes.into_iter().collect::<Result<Vec<_>, _>>()?;
        }

        for number in 0..TOGETHER {
            fs::write(inbox.join(format!("{number:04}.tif")), supply.document())?;
        }
        let start = Instant::now();
        let taken = drain(&inbox, &archive)?;
        dropped.push(start.elapsed());
        if taken != TOGETHER {
            return Err(format!("{taken} of {TOGETHER} files were taken").into());
        }

        let arrivals: Vec<Arrival> = (0..TOGETHER).map(|_| supply.arrival()).collect();
        let start = Instant::now();
        std::thread::scope(|scope| {
            let threads: Vec<_> = arrivals.into_iter().map(|arrival| scope.spawn(|| archive.accept(arrival))).collect();
            threads.into_iter().all(|thread| matches!(thread.join(), Ok(Ok(_))))
        })
        .then_some(())
        .ok_or("a caller failed")?;
        callers.push(start.elapsed());
    }

    let (bare_one, own_one) = (median(&mut bare_single), median(&mut own_single));
    let cost = micros(own_one) / micros(bare_one);
    println!(
        "one document:   bare syncs {:6.0} µs   accept {:6.0} µs   {cost:.2} times (at most 2)",
        micros(bare_one),
        micros(own_one)
    );
    let (bare_all, own_all) = (median(&mut bare_many), median(&mut together));
    let gain = micros(bare_all) / micros(own_all);
    println!(
        "{TOGETHER} together:   bare syncs {:6.1} ms   accept_all {:6.1} ms   {gain:.1} times as fast (at least 5)",
        micros(bare_all) / 1e3,
        micros(own_all) / 1e3
    );
    let files = median(&mut dropped);
    let gain_of_files = micros(bare_all) / micros(files);
    println!(
        "{TOGETHER} files:      a watched folder {:6.1} ms   {gain_of_files:.1} times as fast (at least 5)",
        micros(files) / 1e3
    );
    let apart = median(&mut callers);
    println!(
        "{TOGETHER} callers:    accept from a thread each {:6.1} ms   {:.1} times as fast",
        micros(apart) / 1e3,
        micros(bare_all) / micros(apart)
    );
    let (plain_one, plain_all) = (median(&mut plain_single), median(&mut plain_together));
    let more = |sealed: Duration, plain: Duration| 100.0 * (micros(sealed) / micros(plain) - 1.0);
    println!(
        "sealing:        one document {:+.1} % of plain's {:.0} µs   {TOGETHER} together {:+.1} % of plain's {:.1} ms",
        more(own_one, plain_one),
        micros(plain_one),
        more(own_all, plain_all),
        micros(plain_all) / 1e3
    );
    if cost <= 2.0 && gain >= 5.0 && gain_of_files >= 5.0 { Ok(()) } else { Err("a figure was missed".into()) }
}
