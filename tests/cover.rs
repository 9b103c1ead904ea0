//! `cover`: the sheet that hospitals put before their papers, printed by the built program, sent through a standard fax
//! and read again.

#![allow(clippy::unwrap_used, clippy::disallowed_methods, reason = "a test stops at the first surprise")]

mod generator;
mod run;

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

use generator::random::Random;
use generator::scan::scan;
use generator::{Bitmap, Encoding, Face, FillOrder, Fonts, Scan, Sheet, Storage, TiffPage, tiff};
use run::{DATAERR, NO_CASES, Setup, case};

/// The first page as a fax machine sees it: black and white, so many dots an inch.
fn scanned(pdf: &Path, (across, down): (u32, u32)) -> Bitmap {
    let (across, down) = (across.to_string(), down.to_string());
    let arguments = ["-mono", "-singlefile", "-aa", "no", "-rx", across.as_str(), "-ry", down.as_str()];
    let drawn = Command::new("pdftoppm").args(arguments).arg(pdf).output().unwrap();
    assert!(drawn.status.success() && drawn.stderr.is_empty(), "{}", String::from_utf8_lossy(&drawn.stderr));
    let parts: Vec<&[u8]> = drawn.stdout.splitn(3, |byte| *byte == b'\n').collect();
    let size: Vec<usize> =
        std::str::from_utf8(parts[1]).unwrap().split(' ').map(|number| number.parse().unwrap()).collect();
    let (width, height) = (size[0], size[1]);
    let rows = parts[2].chunks_exact(width.div_ceil(8));
    let pixels = rows.flat_map(|row| (0..width).map(move |x| row[x / 8] >> (7 - x % 8) & 1)).collect();
    Bitmap { width, height, pixels }
}

#[test]
fn what_a_cover_sheet_says_survives_a_standard_fax() {
    let setup = Setup::new();
    let cells = [("case_id", "UM777321"), ("status", "open"), ("auth_number", "7712004501"), ("last_name", "Okonkwo")];
    setup.write_cases(format!("{NO_CASES}{}", case(&cells)).as_bytes());
    let file = setup.path("cover.pdf");
    setup.succeed(&["cover", "--case", "UM777321", "--output", file.to_str().unwrap()]);
    assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    let fonts = Command::new("pdffonts").arg(&file).output().unwrap();
    let fonts = String::from_utf8(fonts.stdout).unwrap();
    assert!(fonts.lines().skip(2).all(|line| line.contains(" yes ")), "not embedded: {fonts}");
    // What is there is not overwritten, and an unknown case has no sheet.
    assert_ne!(setup.run(&["cover", "--case", "UM777321", "--output", file.to_str().unwrap()]).code, Some(0));
    assert_eq!(setup.run(&["cover", "--case", "UM000000"]).code, Some(DATAERR));

    let mut page = scanned(&file, (204, 98));
    let mut random = Random::new(20_261_122);
    for _ in 0..page.pixels.len() / 500 {
        let at = random.below(page.pixels.len());
        page.pixels[at] ^= 1;
    }
    let fax = tiff::write(&[TiffPage {
        bitmap: page,
        resolution: (204, 98),
        storage: Storage::Fax(Encoding::Group3OneDimensional, FillOrder::LeastSignificantFirst),
        damaged_rows: Vec::new(),
    }]);
    fs::write(setup.path("faxed.tif"), fax).unwrap();
    let read = setup.succeed(&["read", setup.path("faxed.tif").to_str().unwrap()]);
    assert!(read.contains("UM777321") && read.contains("7712004501"), "{read}");
    assert!(!read.contains("Okonkwo"), "{read}");
}

/// Turned clockwise by a quarter.
fn turned(page: &Bitmap) -> Bitmap {
    let mut turned = Bitmap::blank(page.height, page.width);
    for y in 0..page.height {
        for x in 0..page.width {
            turned.pixels[x * page.height + (page.height - 1 - y)] = page.pixels[y * page.width + x];
        }
    }
    turned
}

#[test]
fn the_code_of_a_cover_sheet_is_read_off_a_bad_fax_and_speaks_for_the_papers_behind_it() {
    let setup = Setup::new();
    let cells = [
        ("case_id", "UM777321"),
        ("status", "open"),
        ("auth_number", "7712004501"),
        ("last_name", "Okonkwo"),
        ("first_name", "Ada"),
        ("dob", "2026-01-04"),
    ];
    let other = [("case_id", "UM777399"), ("status", "open"), ("last_name", "Larsen"), ("first_name", "Nils")];
    setup.write_cases(format!("{NO_CASES}{}{}", case(&cells), case(&other)).as_bytes());
    let file = setup.path("cover.pdf");
    setup.succeed(&["cover", "--case", "UM777321", "--output", file.to_str().unwrap()]);

    let fonts = Fonts::load().unwrap();
    // Neither papers names a number.
    let papers = |name: &str, birth: &str| {
        let mut sheet = Sheet::new(&fonts);
        let lines =
            ["NICU WEEKLY CLINICAL REVIEW", name, birth, "Current weight: 1.98 kg", "Respiratory support: room air"];
        for (line, text) in lines.iter().enumerate() {
            sheet.text(60.0, 110.0 + 26.0 * line as f32, 14.0, Face::Sans, text);
        }
        sheet
    };
    let adas = papers("Patient name: Okonkwo, Ada", "Birth date: 1/4/2026");
    let nilss = papers("Patient name: Larsen, Nils", "Birth date: 2/9/2026");
    let mut random = Random::new(20_261_122);
    let mut arrive = |name: &str, mut cover: Bitmap, resolution: (u32, u32), papers: &Sheet<'_>| {
        for _ in 0..cover.pixels.len() / 500 {
            let at = random.below(cover.pixels.len());
            cover.pixels[at] ^= 1;
        }
        let storage = Storage::Fax(Encoding::Group3OneDimensional, FillOrder::LeastSignificantFirst);
        let page = |bitmap| TiffPage { bitmap, resolution, storage, damaged_rows: Vec::new() };
        let papers = scan(papers, &Scan { resolution, ..Scan::default() });
        setup.arrive(name, &tiff::write(&[page(cover), page(papers)]));
    };
    // The printed numbers are struck out: the code must do alone.
    let code_alone = |resolution: (u32, u32)| {
        let mut page = scanned(&file, resolution);
        let struck = page.width * (resolution.1 as usize * 244 / 72);
        page.pixels[..struck].fill(0);
        page
    };
    for resolution in [(204, 196), (204, 98)] {
        arrive(&format!("{}.tif", resolution.1), code_alone(resolution), resolution, &adas);
        let mut over = code_alone(resolution);
        over.pixels.reverse();
        arrive(&format!("{}-over.tif", resolution.1), over, resolution, &adas);
    }
    arrive("sideways.tif", turned(&code_alone((196, 204))), (204, 196), &adas);
    arrive("wrong.tif", code_alone((204, 196)), (204, 196), &nilss);
    setup.drain();
    for file in ["196.tif", "98.tif", "196-over.tif", "98-over.tif", "sideways.tif"] {
        let [item] = &setup.exported_of(file)[..] else { panic!("{file}: not one item") };
        let reasons = item["match"]["reasons"].to_string();
        assert_eq!(item["match"]["case_id"], "UM777321", "{file}: {reasons}");
        assert!(
            reasons.contains("case id barcode p1") && reasons.contains("auth number barcode p1"),
            "{file}: {reasons}"
        );
    }
    let [item] = &setup.exported_of("wrong.tif")[..] else { panic!("not one item") };
    assert_eq!(item["match"]["case_id"], serde_json::Value::Null, "{}", item["match"]);
    assert_eq!(item["match"]["status"], "ambiguous", "{}", item["match"]);
}
