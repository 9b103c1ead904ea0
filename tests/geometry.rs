//! The shape of pages: whatever a file says of its dots, however long its pages are and however they lie, the built
//! program reads them.

#![allow(clippy::unwrap_used, clippy::disallowed_methods, reason = "a test stops at the first surprise")]

mod generator;
mod run;

use std::collections::HashMap;
use std::fs;

use generator::scan::scan;
use generator::{Bitmap, Encoding, Face, FillOrder, Fonts, Scan, Sheet, Storage, TiffPage, Turn, picture, tiff};
use run::Setup;

/// Two dozen lines, so that a page holds as many letters as a page of a review does.
const PAPER: [&str; 8] = [
    "Lakeview Hospital NICU weekly clinical review for the health plan",
    "Patient name: Okonkwo, Ada     Birth date: 1/4/2026     Sex: female",
    "MRN: 88104477     Member ID: ZQX440912233     Isolette in air control",
    "Current weight 1980 grams, gaining about thirty grams each day",
    "Respiratory support: room air since last Tuesday, no apnea",
    "Feeding by bottle three times a day, the others through the tube",
    "Discharge planning: parents learning to feed, car seat arranged",
    "Requesting continued stay at the same level for seven more days",
];

fn sheet(fonts: &Fonts, lines: usize) -> Sheet<'_> {
    let mut sheet = Sheet::new(fonts);
    for (place, line) in PAPER.iter().cycle().take(lines).enumerate() {
        sheet.text(70.0, 70.0 + 28.0 * place as f32, 12.0, Face::Sans, line);
    }
    sheet
}

fn page(bitmap: Bitmap, stated: (u32, u32)) -> TiffPage {
    TiffPage {
        bitmap,
        resolution: stated,
        storage: Storage::Fax(Encoding::Group4, FillOrder::MostSignificantFirst),
        damaged_rows: Vec::new(),
    }
}

/// The first rows of a page.
fn cut(page: &Bitmap, height: usize) -> Bitmap {
    Bitmap { width: page.width, height, pixels: page.pixels[..page.width * height].to_vec() }
}

/// One page below the other.
fn joined(above: &Bitmap, below: &Bitmap) -> Bitmap {
    let pixels = [above.pixels.as_slice(), below.pixels.as_slice()].concat();
    Bitmap { width: above.width, height: above.height + below.height, pixels }
}

fn words(text: &str) -> Vec<String> {
    let bare = |word: &str| word.trim_matches(|sign: char| !sign.is_alphanumeric()).to_lowercase();
    text.split_whitespace().map(bare).filter(|word| !word.is_empty()).collect()
}

/// The share of `lines` printed lines' words that stand in what was read, each as often as it is printed.
fn found(read: &str, lines: usize) -> f32 {
    let mut read = words(read).into_iter().fold(HashMap::new(), |mut counts: HashMap<String, usize>, word| {
        *counts.entry(word).or_default() += 1;
        counts
    });
    let printed: Vec<String> = PAPER.iter().cycle().take(lines).flat_map(|line| words(line)).collect();
    let found = printed.iter().filter(|word| {
        let left = read.get_mut(*word).filter(|left| **left > 0);
        left.is_some_and(|left| {
            *left -= 1;
            true
        })
    });
    found.count() as f32 / printed.len() as f32
}

/// What the program reads on each page of a file.
fn read(name: &str, bytes: &[u8]) -> Vec<String> {
    let setup = Setup::new();
    let file = setup.path(name);
    fs::write(&file, bytes).unwrap();
    let output = setup.command(&["read", file.to_str().unwrap()]).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap().split('\u{c}').map(str::to_owned).collect()
}

/// Reads a file whose pages hold so many lines each, and asks for nearly all their words: at 98 rows an inch and askew some
/// are lost, a page taken for another shape is lost wholly.
fn assert_is_read(name: &str, bytes: &[u8], pages: &[(&str, usize)]) {
    let read = read(name, bytes);
    assert!(read.len() >= pages.len(), "{} pages of {}", read.len(), pages.len());
    let shares = pages.iter().zip(&read).map(|((what, lines), text)| (what, found(text, *lines)));
    let bad: Vec<String> = shares
        .filter(|(_, share)| *share < 0.85)
        .map(|(what, share)| format!("{what}: {:.0} % of the words were read", 100.0 * share))
        .collect();
    assert!(bad.is_empty(), "{}", bad.join("\n"));
}

#[test]
fn a_page_is_read_whatever_its_file_says_of_its_dots() {
    let fonts = Fonts::load().unwrap();
    let scanned = |resolution| scan(&sheet(&fonts, 24), &Scan { resolution, ..Scan::default() });
    let (standard, fine) = (scanned((204, 98)), scanned((204, 196)));
    let pages = [
        page(standard.clone(), (204, 98)),
        page(standard.clone(), (204, 196)),
        page(standard.clone(), (204, 391)),
        page(standard.clone(), (200, 200)),
        page(standard.clone(), (1, 1)),
        page(standard, (72, 72)),
        page(fine.clone(), (204, 98)),
        page(fine.clone(), (1, 1)),
        page(fine, (96, 96)),
    ];
    let told = [
        "standard, stated so",
        "standard, stated as fine",
        "standard, stated as superfine",
        "standard, stated as square",
        "standard, nonsense stated",
        "standard, a screen's dots stated",
        "fine, stated as standard",
        "fine, nonsense stated",
        "fine, a screen's dots stated",
    ];
    assert_is_read("stated.tif", &tiff::write(&pages), &told.map(|told| (told, 24)));
}

#[test]
fn half_a_sheet_and_a_roll_two_sheets_long_are_taken_for_what_they_are() {
    let fonts = Fonts::load().unwrap();
    let scanned = |resolution| scan(&sheet(&fonts, 24), &Scan { resolution, ..Scan::default() });
    let (standard, fine) = (scanned((204, 98)), scanned((204, 196)));
    // Twelve lines of 28 points end before half of the sheet.
    let pages = [
        page(cut(&fine, fine.height / 2), (204, 196)),
        page(cut(&fine, fine.height / 2), (1, 1)),
        page(cut(&standard, standard.height / 2), (204, 98)),
        page(joined(&fine, &fine), (204, 196)),
        page(joined(&standard, &standard), (204, 98)),
        page(joined(&standard, &standard), (1, 1)),
    ];
    let told = [
        ("half a fine sheet", 11),
        ("half a fine sheet, nonsense stated", 11),
        ("half a standard sheet", 11),
        ("two fine sheets in one", 48),
        ("two standard sheets in one", 48),
        ("two standard sheets in one, nonsense stated", 48),
    ];
    assert_is_read("long_and_short.tif", &tiff::write(&pages), &told);
}

#[test]
fn pages_of_several_resolutions_in_one_fax_are_each_read_at_their_own() {
    let fonts = Fonts::load().unwrap();
    let resolutions = [(204, 98), (204, 196), (204, 391), (200, 200), (200, 100), (300, 300), (400, 400)];
    let pages: Vec<TiffPage> = resolutions
        .iter()
        .map(|&resolution| page(scan(&sheet(&fonts, 24), &Scan { resolution, ..Scan::default() }), resolution))
        .collect();
    let told = resolutions.map(|(across, down)| (format!("{across} x {down}"), 24));
    let told: Vec<(&str, usize)> = told.iter().map(|(told, lines)| (told.as_str(), *lines)).collect();
    assert_is_read("mixed.tif", &tiff::write(&pages), &told);
}

#[test]
fn a_picture_file_of_a_standard_fax_is_read_though_it_says_nothing_of_its_dots() {
    let fonts = Fonts::load().unwrap();
    let standard = scan(&sheet(&fonts, 24), &Scan { resolution: (204, 98), ..Scan::default() });
    assert_is_read("standard.png", &picture::png(Some(&standard)).unwrap(), &[("a standard page as PNG", 24)]);
    let half = cut(&standard, standard.height / 2);
    assert_is_read("half.png", &picture::png(Some(&half)).unwrap(), &[("half a standard page as PNG", 11)]);
}

#[test]
fn a_page_is_read_whichever_way_it_lies_and_however_askew() {
    let fonts = Fonts::load().unwrap();
    let turned_back = |mut page: Bitmap| {
        page.pixels.reverse();
        page
    };
    let mut pages = Vec::new();
    let mut told = Vec::new();
    let lies = [-10.0, -5.0, 0.0, 3.0, 7.0, 10.0].map(|skew| ((204, 196), skew)).into_iter();
    for (resolution, skew) in lies.chain([((204, 98), -10.0), ((204, 98), 4.0)]) {
        let scanned = |turn| scan(&sheet(&fonts, 24), &Scan { resolution, skew, turn, ..Scan::default() });
        let (upright, side) = (scanned(Turn::Upright), scanned(Turn::Quarter));
        let ways =
            [("0", upright.clone()), ("90", side.clone()), ("180", turned_back(upright)), ("270", turned_back(side))];
        for (way, bitmap) in ways {
            pages.push(page(bitmap, resolution));
            told.push(format!("{} rows an inch, turned by {way}, {skew} degrees askew", resolution.1));
        }
    }
    let told: Vec<(&str, usize)> = told.iter().map(|told| (told.as_str(), 24)).collect();
    assert_is_read("turned.tif", &tiff::write(&pages), &told);
}

#[test]
fn a_landscape_page_among_upright_ones_is_read_with_them() {
    let fonts = Fonts::load().unwrap();
    let upright = scan(&sheet(&fonts, 24), &Scan::default());
    let side = scan(&sheet(&fonts, 24), &Scan { turn: Turn::Quarter, ..Scan::default() });
    let pages = [page(upright.clone(), (204, 196)), page(side, (204, 196)), page(upright, (204, 196))];
    let told = [("the first, upright", 24), ("the second, on its side", 24), ("the third, upright", 24)];
    assert_is_read("landscape.tif", &tiff::write(&pages), &told);
}
