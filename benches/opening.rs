//! What it takes to open a large archive, and to make its index again from the journal, sealed as by default.
//!
//! Prints the figures and fails when one is missed: 100,000 items opened within 3 s; at least 20,000 records a second
//! replayed into a new index.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use nicufaxd::archive::event::{Event, Stage};
use nicufaxd::archive::{Archive, Arrival, AtRest, Content, KeyPlace, OpenOptions};
use nicufaxd::document::Receipt;
use nicufaxd::queue::item::{ItemId, QueueItem};

const DOCUMENTS: usize = 50_000;

/// Of each document.
const ITEMS: u32 = 2;

/// Documents taken through the archive together.
const TOGETHER: usize = 2_000;

const LONGEST_OPENING: Duration = Duration::from_secs(3);

const LEAST_RECORDS_A_SECOND: f64 = 20_000.0;

fn receipt(number: usize) -> Receipt {
    let receipt = Receipt::new("secure-fax", format!("{number:06}.tif"), jiff::Timestamp::UNIX_EPOCH);
    Receipt { sender: Some("6175550134".to_owned()), reported_pages: Some(3), ..receipt }
}

fn fill(archive: &Archive) -> Result<(), Box<dyn std::error::Error>> {
    for first in (0..DOCUMENTS).step_by(TOGETHER) {
        let arrival = |number: usize| Arrival {
            content: Content::Bytes(number.to_string().into_bytes()),
            receipt: receipt(number),
            source_key: number.to_string(),
        };
        let accepted = archive.accept_all((first..first + TOGETHER).map(arrival).collect());
        let mut events = Vec::with_capacity(3 * TOGETHER);
        for (number, accepted) in (first..).zip(accepted) {
            let document = accepted?.document;
            events.push(Event::SourceReleased { document: document.clone(), source_key: number.to_string() });
            events.push(Event::AttemptStarted { document: document.clone(), stage: Stage::Read, attempt: 1 });
            let item = |segment| QueueItem {
                id: ItemId::new(&document, segment),
                ..QueueItem::held(&document, &receipt(number), "")
            };
            events.push(Event::Queued { document: document.clone(), items: (1..=ITEMS).map(item).collect() });
        }
        archive.record_all(events)?;
    }
    Ok(())
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    // The build folder is on a real disk; a temporary folder may be memory.
    let parent = std::env::var_os("TMPDIR").map_or_else(|| PathBuf::from(env!("CARGO_TARGET_TMPDIR")), PathBuf::from);
    let folder =
        tempfile::Builder::new().permissions(std::os::unix::fs::PermissionsExt::from_mode(0o700)).tempdir_in(parent)?;
    let mut met = true;
    for (name, at_rest) in [("sealed", AtRest::Sealed(KeyPlace::Beside)), ("plain", AtRest::Plain)] {
        let state = folder.path().join(name);
        let options = OpenOptions::new(at_rest);
        let archive = Archive::open(&state, &options)?;
        fill(&archive)?;
        let counts = archive.counts();
        drop(archive);

        let start = Instant::now();
        let archive = Archive::open(&state, &options)?;
        let opened = start.elapsed();
        drop(archive);

        let start = Instant::now();
        let archive = Archive::rebuild(&state, &options)?;
        let rebuilt = start.elapsed();
        if archive.counts() != counts {
            return Err("the index made again is another one".into());
        }
        drop(archive);
        let speed = counts.records as f64 / rebuilt.as_secs_f64();
        println!(
            "{name:6} {} items: opened in {:.2} s (at most {} s); {} records made into an index in {:.1} s, {speed:.0} a \
             second (at least {LEAST_RECORDS_A_SECOND})",
            counts.items,
            opened.as_secs_f64(),
            LONGEST_OPENING.as_secs(),
            counts.records,
            rebuilt.as_secs_f64()
        );
        met &= opened <= LONGEST_OPENING && speed >= LEAST_RECORDS_A_SECOND;
    }
    if met { Ok(()) } else { Err("a figure was missed".into()) }
}
