//! The fixtures prove themselves: what the generator writes is what others' tests take it for.

#![allow(clippy::unwrap_used, clippy::disallowed_methods, reason = "a test stops at the first surprise")]

mod generator;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;
use std::process::Command;

use generator::hostile;
use generator::random::Random;
use generator::registry::{cases, csv};
use generator::{Bitmap, Encoding, FillOrder, Fonts, SEED, Storage, TiffPage, family_size, samples, tiff};
use nicufaxd::document::{DocumentFormat, DocumentType};

use ::tiff::decoder::{Decoder, DecodingResult};

const ENCODINGS: [Encoding; 3] = [Encoding::Group3OneDimensional, Encoding::Group3TwoDimensional, Encoding::Group4];
const FILL_ORDERS: [FillOrder; 2] = [FillOrder::MostSignificantFirst, FillOrder::LeastSignificantFirst];

/// Runs of every length and both colours at the start, and rows that resemble the one above, as print does.
fn busy_bitmap(width: usize, height: usize, seed: u64) -> Bitmap {
    let mut random = Random::new(seed);
    let mut bitmap = Bitmap::blank(width, height);
    for row in 0..height {
        if row > 0 && row % 3 != 0 {
            let above = bitmap.pixels[(row - 1) * width..row * width].to_vec();
            let shift = random.below(9);
            for (at, pixel) in above.into_iter().enumerate() {
                if let Some(place) = (at + shift).checked_sub(4).filter(|place| *place < width) {
                    bitmap.pixels[row * width + place] = pixel;
                }
            }
        } else {
            let mut at = 0;
            let mut colour = random.below(2) as u8;
            while at < width {
                let longest = [4, 70, 700, width][random.below(4)];
                let end = (at + 1 + random.below(longest)).min(width);
                bitmap.pixels[row * width + at..row * width + end].fill(colour);
                (at, colour) = (end, 1 - colour);
            }
        }
    }
    bitmap
}

fn one_page(bitmap: &Bitmap, storage: Storage) -> Vec<u8> {
    let page = TiffPage { bitmap: bitmap.clone(), resolution: (204, 196), storage, damaged_rows: Vec::new() };
    tiff::write(&[page])
}

/// Pixels of an uncompressed or Group 4 file, 1 for black.
fn decoded(file: &Path) -> Vec<u8> {
    let mut decoder = Decoder::new(fs::File::open(file).unwrap()).unwrap();
    let (width, _) = decoder.dimensions().unwrap();
    let DecodingResult::U8(packed) = decoder.read_image().unwrap() else { panic!("bilevel pages are bytes") };
    // The decoder gives white as 1 for files that store white as 0.
    let row_bytes = (width as usize).div_ceil(8);
    let bit = |row: &[u8], at: usize| 1 - (row[at / 8] >> (7 - at % 8) & 1);
    packed
        .chunks_exact(row_bytes)
        .flat_map(|row| (0..width as usize).map(|at| bit(row, at)).collect::<Vec<_>>())
        .collect()
}

fn tiffcp_is_here() -> bool {
    let here = Command::new("tiffcp").arg("-h").output().is_ok();
    if !here {
        eprintln!("SKIPPED: tiffcp is missing; tests/setup.sh installs libtiff-tools");
    }
    here
}

#[test]
fn every_coding_and_fill_order_is_read_back_by_libtiff_as_it_was_drawn() {
    if !tiffcp_is_here() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let (from, to) = (folder.path().join("from.tif"), folder.path().join("to.tif"));
    for (width, height) in [(1728, 90), (61, 40), (1, 5)] {
        for seed in 0..4 {
            let bitmap = busy_bitmap(width, height, seed);
            for encoding in ENCODINGS {
                for order in FILL_ORDERS {
                    fs::write(&from, one_page(&bitmap, Storage::Fax(encoding, order))).unwrap();
                    let run = Command::new("tiffcp")
                        .args(["-c", "none", "-f", "msb2lsb"])
                        .arg(&from)
                        .arg(&to)
                        .output()
                        .unwrap();
                    let said = String::from_utf8_lossy(&run.stderr);
                    assert!(run.status.success() && said.is_empty(), "{encoding:?} {order:?}: {said}");
                    assert!(decoded(&to) == bitmap.pixels, "{width} wide, seed {seed}, {encoding:?} {order:?}");
                }
            }
        }
    }
}

#[test]
fn group_4_and_plain_pages_are_read_back_by_the_tiff_crate() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("page.tif");
    let bitmap = busy_bitmap(1728, 60, 9);
    let group_4 = Storage::Fax(Encoding::Group4, FillOrder::MostSignificantFirst);
    for storage in [group_4, Storage::Uncompressed, Storage::Deflate] {
        fs::write(&file, one_page(&bitmap, storage)).unwrap();
        assert!(decoded(&file) == bitmap.pixels, "{storage:?}");
    }
}

#[test]
fn damaged_rows_are_lost_and_the_rows_after_them_are_not() {
    if !tiffcp_is_here() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let (from, to) = (folder.path().join("from.tif"), folder.path().join("to.tif"));
    let bitmap = busy_bitmap(1728, 60, 3);
    let storage = Storage::Fax(Encoding::Group3OneDimensional, FillOrder::LeastSignificantFirst);
    let page = TiffPage { bitmap: bitmap.clone(), resolution: (204, 196), storage, damaged_rows: vec![20, 21] };
    fs::write(&from, tiff::write(&[page])).unwrap();
    let run = Command::new("tiffcp").args(["-c", "none", "-f", "msb2lsb"]).arg(&from).arg(&to).output().unwrap();
    assert!(!run.stderr.is_empty(), "libtiff should have complained of the damage");
    let rows = decoded(&to);
    assert!(rows[..20 * 1728] == bitmap.pixels[..20 * 1728]);
    assert!(rows[22 * 1728..] == bitmap.pixels[22 * 1728..]);
}

#[test]
fn the_same_seed_gives_the_same_bytes_and_another_seed_gives_others() {
    let fonts = Fonts::load().unwrap();
    let bytes = |seed| samples(&fonts, seed, 4).unwrap().into_iter().map(|sample| sample.bytes).collect::<Vec<_>>();
    assert!(bytes(SEED) == bytes(SEED));
    assert!(bytes(SEED) != bytes(SEED + 1));
}

#[test]
fn the_family_covers_every_document_type_transfer_direction_and_kind_of_link() {
    let fonts = Fonts::load().unwrap();
    let family = samples(&fonts, SEED, family_size()).unwrap();
    let segments: Vec<_> = family.iter().map(|sample| sample.truth["segments"][0].clone()).collect();
    let values = |key: &str| segments.iter().filter_map(|segment| segment[key].as_str().map(str::to_owned)).collect();
    let types: BTreeSet<String> = values("document_type");
    assert_eq!(types, DocumentType::ALL.iter().map(|kind| kind.name().to_owned()).collect());
    let directions: BTreeSet<String> = values("transfer_direction");
    assert_eq!(directions, ["higher", "lateral", "lower"].map(str::to_owned).into());
    let layouts: BTreeSet<String> = values("family");
    assert!(layouts.iter().filter(|layout| !layout.starts_with("junk")).count() >= 8);
    let mut statuses = BTreeMap::new();
    for segment in &segments {
        *statuses.entry(segment["match"]["status"].as_str().unwrap().to_owned()).or_insert(0) += 1;
    }
    assert!(statuses["matched"] >= 30 && statuses["ambiguous"] >= 4 && statuses["unmatched"] >= 5, "{statuses:?}");
    for sample in &family {
        assert!(DocumentFormat::sniff(&sample.bytes).is_some(), "{} is no document", sample.file);
    }
}

#[test]
fn a_document_with_no_telling_mark_prints_nothing_that_differs_between_the_twins() {
    let fonts = Fonts::load().unwrap();
    let registry = cases(SEED);
    let mut checked = 0;
    for sample in samples(&fonts, SEED, family_size()).unwrap() {
        let segment = &sample.truth["segments"][0];
        if segment["match"]["status"] != "ambiguous" {
            continue;
        }
        let ids: Vec<&str> =
            segment["match"]["case_ids"].as_array().unwrap().iter().filter_map(|id| id.as_str()).collect();
        let twins: Vec<_> = registry.iter().filter(|case| ids.contains(&case.case_id.as_str())).collect();
        assert!(twins.len() >= 2);
        assert!(twins.iter().all(|twin| twin.sex == twins[0].sex && twin.dob == twins[0].dob));
        let fields = segment["fields"].as_object().unwrap();
        for told in ["mrn", "auth_number", "case_id", "member_id"] {
            assert!(!fields.contains_key(told), "{} prints {told}", sample.file);
        }
        let name = fields["patient_name"].as_str().unwrap();
        assert!(!name.ends_with(" A") && !name.ends_with(" B"), "{name}");
        checked += 1;
    }
    assert!(checked >= 4);
}

#[test]
fn the_registry_has_the_contracts_columns_and_no_case_twice() {
    let registry = cases(SEED);
    let text = csv(&registry);
    let mut reader = ::csv::Reader::from_reader(text.as_bytes());
    assert_eq!(reader.headers().unwrap().len(), 24);
    let rows: Vec<_> = reader.records().map(Result::unwrap).collect();
    assert_eq!(rows.len(), registry.len());
    for column in [0, 3, 4] {
        let values: BTreeSet<_> = rows.iter().map(|row| row[column].to_owned()).collect();
        assert_eq!(values.len(), rows.len(), "column {column} repeats a value");
    }
}

#[test]
fn the_demonstration_is_written_with_a_sidecar_for_each_document() {
    let folder = tempfile::tempdir().unwrap();
    let written = generator::write_demo(folder.path(), 3).unwrap();
    assert_eq!(written.len(), 3);
    for sample in written {
        let document = folder.path().join("inbox").join(&sample.file);
        assert_eq!(fs::read(&document).unwrap(), sample.bytes);
        let sidecar = fs::read(document.with_file_name(format!("{}.json", sample.file))).unwrap();
        let sidecar: serde_json::Value = serde_json::from_slice(&sidecar).unwrap();
        assert_eq!(sidecar["sender"], sample.sender.as_str());
    }
    assert_eq!(fs::read_to_string(folder.path().join("truth.jsonl")).unwrap().lines().count(), 3);
}

#[test]
fn hostile_registries_are_bad_in_just_one_way() {
    let registry = cases(SEED);
    let columns = |bytes: &[u8]| {
        String::from_utf8_lossy(bytes).lines().map(|line| line.split(',').count()).collect::<BTreeSet<_>>()
    };
    assert_eq!(columns(&hostile::cases_without_a_column(&registry)), [23].into());
    assert_eq!(columns(&hostile::cases_with_a_duplicate_id(&registry)), [24].into());
    assert!(std::str::from_utf8(&hostile::cases_in_latin_1(&registry)).is_err());
}

#[test]
fn the_encrypted_pdf_opens_with_its_password_only() {
    assert_eq!(
        generator::encrypted::md5(b"message digest"),
        [0xf9, 0x6b, 0x69, 0x7d, 0x7c, 0xb7, 0x93, 0x8d, 0x52, 0x5a, 0x2f, 0x31, 0xaa, 0xf1, 0x61, 0xd0],
        "RFC 1321, A.5"
    );
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("locked.pdf");
    fs::write(&file, generator::encrypted::encrypted_pdf("Held back")).unwrap();
    let Ok(without) = Command::new("pdftotext").arg(&file).arg("-").output() else {
        eprintln!("SKIPPED: pdftotext is missing; tests/setup.sh installs poppler-utils");
        return;
    };
    assert!(!without.status.success());
    let with = ["-upw", generator::encrypted::PASSWORD];
    let with = Command::new("pdftotext").args(with).arg(&file).arg("-").output().unwrap();
    assert_eq!(String::from_utf8_lossy(&with.stdout).trim(), "Held back");
}
