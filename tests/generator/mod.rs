//! Invented NICU documents as real fax files, the cases they belong to, and the truth about them.
//!
//! Use it in an integration test with `mod generator;`. Everything follows from a seed: the same seed gives the same
//! bytes (with the same fonts). It knows nothing of how the daemon reads; its encoders are its own.

#![allow(dead_code, unused_imports, reason = "each test that includes this uses a part of it")]
#![allow(clippy::disallowed_methods, reason = "fixtures are written anew whenever they are wanted")]
#![allow(clippy::format_push_string, reason = "clearer here than write! into a String")]

pub mod ccitt;
pub mod encrypted;
pub mod facts;
pub mod family;
pub mod headers;
pub mod hostile;
pub mod layouts;
pub mod mail;
pub mod mutate;
pub mod pdf;
pub mod picture;
pub mod plans;
pub mod random;
pub mod registry;
mod run_codes;
pub mod scan;
pub mod seeds;
pub mod sheet;
pub mod tiff;

use std::fs;
use std::io;
use std::path::Path;

use serde_json::json;

pub use ccitt::{Bitmap, Encoding, FillOrder};
pub use family::{Sample, direction, family_size, samples};
pub use scan::{Scan, Turn};
pub use sheet::{Face, Fonts, Sheet};
pub use tiff::{Storage, TiffPage};

/// The seed that is used where none is given.
pub const SEED: u64 = 20_260_316;

/// A fax of these sheets: each scanned the same way and stored the same way, with the header line of `how`.
pub fn fax(sheets: &[Sheet<'_>], how: &Scan, storage: Storage) -> Vec<u8> {
    let pages: Vec<TiffPage> = sheets
        .iter()
        .map(|sheet| TiffPage {
            bitmap: scan::scan(sheet, how),
            resolution: how.resolution,
            storage,
            damaged_rows: Vec::new(),
        })
        .collect();
    tiff::write(&pages)
}

/// A one-page fax (Group 4, 204×196) of these lines of text, 12 points each.
pub fn fax_of_lines(fonts: &Fonts, lines: &[&str]) -> Vec<u8> {
    let mut sheet = Sheet::new(fonts);
    for (place, line) in lines.iter().enumerate() {
        sheet.text(60.0, 80.0 + 18.0 * place as f32, 12.0, Face::Sans, line);
    }
    fax(&[sheet], &Scan::default(), Storage::Fax(Encoding::Group4, FillOrder::MostSignificantFirst))
}

/// Writes `DIR/inbox/*` (each with a sidecar), `DIR/cases.csv` and `DIR/truth.jsonl`; gives the samples written.
pub fn write_demo(dir: &Path, count: usize) -> io::Result<Vec<Sample>> {
    write_samples(dir, SEED, count)
}

/// As [`write_demo`], with a seed of one's own; more than [`family_size`] begins the family anew.
pub fn write_samples(dir: &Path, seed: u64, count: usize) -> io::Result<Vec<Sample>> {
    let fonts = Fonts::load()?;
    let inbox = dir.join("inbox");
    fs::create_dir_all(&inbox)?;
    let samples = samples(&fonts, seed, count)?;
    let mut truth = String::new();
    for sample in &samples {
        let sidecar = json!({
            "sender": sample.sender,
            "receiver": "8665550149",
            "pages": sample.pages,
            "errors": sample.received_with_errors,
        });
        // The sidecar first: it must be there when the document is found.
        fs::write(inbox.join(format!("{}.json", sample.file)), format!("{sidecar}\n"))?;
        fs::write(inbox.join(&sample.file), &sample.bytes)?;
        truth.push_str(&format!("{}\n", sample.truth));
    }
    fs::write(dir.join("truth.jsonl"), truth)?;
    fs::write(dir.join("cases.csv"), registry::csv(&registry::cases(seed)))?;
    Ok(samples)
}

/// Writes the hostile documents to `DIR/hostile` and the bad registries beside them.
pub fn write_hostile(dir: &Path, seed: u64) -> io::Result<()> {
    let fonts = Fonts::load()?;
    let folder = dir.join("hostile");
    fs::create_dir_all(&folder)?;
    let good = fax_of_lines(&fonts, &["A good fax until it was cut off."; 30]);
    for hostile in hostile::documents(&good) {
        fs::write(folder.join(hostile.file), &hostile.bytes)?;
    }
    let cases = registry::cases(seed);
    fs::write(folder.join("cases-without-a-column.csv"), hostile::cases_without_a_column(&cases))?;
    fs::write(folder.join("cases-with-a-duplicate-id.csv"), hostile::cases_with_a_duplicate_id(&cases))?;
    fs::write(folder.join("cases-in-latin-1.csv"), hostile::cases_in_latin_1(&cases))
}

/// Writes the fuzzer's first inputs to `DIR/TARGET`.
pub fn write_seeds(dir: &Path, seed: u64) -> io::Result<()> {
    for seeds::Seed { target, name, bytes } in seeds::seeds(&Fonts::load()?, seed)? {
        fs::create_dir_all(dir.join(target))?;
        fs::write(dir.join(target).join(name), bytes)?;
    }
    Ok(())
}
