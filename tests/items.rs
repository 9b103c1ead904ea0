//! `items/ID/` as nurses and other programs find it: what the built program gives out of each open item, looked at with
//! poppler's tools.

#![allow(clippy::unwrap_used, clippy::disallowed_methods, reason = "a test stops at the first surprise")]

mod generator;
mod run;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use generator::{
    Bitmap, Encoding, Face, FillOrder, Fonts, Scan, Sheet, Storage, TiffPage, Turn, mail, pdf, picture, scan, tiff,
};
use run::Setup;
use serde_json::Value;

const LINES: [&str; 8] = [
    "Concurrent review request",
    "Patient name Thornbury",
    "Birth date February",
    "Member Bluewater",
    "Hospital Copperfield",
    "Current weight grams",
    "Discharge planning teaching",
    "Respiratory support cannula",
];

/// Where the lines begin, and how far apart they stand, in points.
const LEFT: f32 = 72.0;
const TOP: f32 = 160.0;
const APART: f32 = 40.0;

fn sheet(fonts: &Fonts) -> Sheet<'_> {
    let mut sheet = Sheet::new(fonts);
    for (line, text) in LINES.iter().enumerate() {
        sheet.text(LEFT, TOP + APART * line as f32, 16.0, Face::Sans, text);
    }
    sheet
}

/// Every word of the sheet with the place where its letters begin, in points from the top left.
fn places(fonts: &Fonts) -> Vec<(String, f32, f32)> {
    let mut places = Vec::new();
    for (line, text) in LINES.iter().enumerate() {
        let mut before = String::new();
        for word in text.split(' ') {
            places.push((word.to_owned(), LEFT + fonts.width(&before, 16.0, Face::Sans), TOP + APART * line as f32));
            before = format!("{before}{word} ");
        }
    }
    places
}

fn fax(pages: &[(&Bitmap, (u32, u32), Encoding, FillOrder)]) -> Vec<u8> {
    let pages: Vec<TiffPage> = pages
        .iter()
        .map(|&(bitmap, resolution, encoding, order)| TiffPage {
            bitmap: bitmap.clone(),
            resolution,
            storage: Storage::Fax(encoding, order),
            damaged_rows: Vec::new(),
        })
        .collect();
    tiff::write(&pages)
}

/// Runs one of poppler's tools on a file, with what comes before and after its name; gives what it printed.
fn poppler(tool: &str, before: &[&str], file: &Path, after: &[&str]) -> String {
    let ended = Command::new(tool).args(before).arg(file).args(after).output().unwrap();
    assert!(ended.status.success() && ended.stderr.is_empty(), "{tool}: {}", String::from_utf8_lossy(&ended.stderr));
    String::from_utf8(ended.stdout).unwrap()
}

/// A word with its box: left, top, right, bottom, in points.
type Boxed = (String, [f32; 4]);

/// Each page's size in points, and its words.
fn words(file: &Path) -> Vec<((f32, f32), Vec<Boxed>)> {
    let number = |text: &str, name: &str| -> f32 {
        let (_, rest) = text.split_once(&format!("{name}=\"")).unwrap();
        rest.split('"').next().unwrap().parse().unwrap()
    };
    let mut pages = Vec::new();
    for line in poppler("pdftotext", &["-bbox"], file, &["-"]).lines() {
        if line.contains("<page ") {
            pages.push(((number(line, "width"), number(line, "height")), Vec::new()));
        } else if line.contains("<word ") {
            let text = line.split_once('>').unwrap().1.split('<').next().unwrap().to_owned();
            let bounds = ["xMin", "yMin", "xMax", "yMax"].map(|name| number(line, name));
            pages.last_mut().unwrap().1.push((text, bounds));
        }
    }
    pages
}

/// Most of the words stand where they were printed, within `tolerance` points: their left edge, and their foot, which may
/// be that of letters that reach below the line.
fn assert_in_place(found: &[Boxed], printed: &[(String, f32, f32)], tolerance: f32, what: &str) {
    let in_place = printed.iter().filter(|(word, x, y)| {
        found.iter().any(|(text, [left, _, _, foot])| {
            text == word && (left - x).abs() < tolerance && (-tolerance..tolerance + 4.0).contains(&(foot - y))
        })
    });
    let (in_place, all) = (in_place.count(), printed.len());
    assert!(in_place * 10 >= all * 9, "{what}: {in_place} of {all} in place: {found:?}");
}

/// The pictures of a PDF, as black and white bitmaps.
fn bitmaps(file: &Path, elsewhere: &Path) -> Vec<Bitmap> {
    fs::create_dir_all(elsewhere).unwrap();
    poppler("pdfimages", &[], file, &[elsewhere.join("p").to_str().unwrap()]);
    let mut files: Vec<PathBuf> = fs::read_dir(elsewhere).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files.iter().map(|file| bitmap(&fs::read(file).unwrap())).collect()
}

/// A PBM.
fn bitmap(bytes: &[u8]) -> Bitmap {
    let head: Vec<&[u8]> = bytes.splitn(3, |byte| *byte == b'\n').collect();
    assert_eq!(head[0], b"P4");
    let size: Vec<usize> =
        std::str::from_utf8(head[1]).unwrap().split(' ').map(|number| number.parse().unwrap()).collect();
    let (width, height) = (size[0], size[1]);
    let rows = head[2].chunks_exact(width.div_ceil(8));
    let pixels = rows.flat_map(|row| (0..width).map(move |x| row[x / 8] >> (7 - x % 8) & 1)).collect();
    Bitmap { width, height, pixels }
}

/// The folders of the open items by their source files.
fn folders(setup: &Setup) -> BTreeMap<String, PathBuf> {
    let folder = |item: &Value| setup.path("worklist/items").join(item["id"].as_str().unwrap());
    setup.exported().iter().map(|item| (item["source_file"].as_str().unwrap().to_owned(), folder(item))).collect()
}

fn snapshot(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let files = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap());
    files.map(|file| (file.file_name().into_string().unwrap(), fs::read(file.path()).unwrap())).collect()
}

#[test]
fn each_open_item_has_its_pages_as_they_came_with_the_words_where_they_stand() {
    let fonts = Fonts::load().unwrap();
    let sheet = sheet(&fonts);
    let printed = places(&fonts);
    let scanned = |turn, resolution, skew| scan::scan(&sheet, &Scan { resolution, skew, turn, ..Scan::default() });
    let fine = (204, 196);
    let upright = scanned(Turn::Upright, fine, 0.0);
    let over = scanned(Turn::UpsideDown, fine, 0.0);
    let standard = scanned(Turn::Upright, (204, 98), 0.0);
    let skewed = scanned(Turn::Upright, fine, 3.0);
    let sideways = scanned(Turn::Quarter, fine, 0.0);
    let (first, last) = (FillOrder::MostSignificantFirst, FillOrder::LeastSignificantFirst);

    let setup = Setup::new();
    let both = [(&upright, fine, Encoding::Group4, first), (&over, fine, Encoding::Group4, last)];
    setup.arrive("fine.tif", &fax(&both));
    setup.arrive("standard.tif", &fax(&[(&standard, (204, 98), Encoding::Group3TwoDimensional, last)]));
    setup.arrive("skewed.tif", &fax(&[(&skewed, fine, Encoding::Group3OneDimensional, first)]));
    setup.arrive("sideways.tif", &fax(&[(&sideways, fine, Encoding::Group4, first)]));
    let jpeg = picture::jpeg(Some(&scanned(Turn::Upright, (200, 200), 0.0))).unwrap();
    setup.arrive("photo.jpg", &jpeg);
    let of_pictures = scanned(Turn::Upright, (200, 200), 0.0);
    setup.arrive("scan.pdf", &pdf::of_pictures(std::slice::from_ref(&of_pictures)));
    setup.arrive("print.pdf", &pdf::of_text(std::slice::from_ref(&sheet)));
    let message = mail::message("Review", "mixed", &[mail::text("plain", &LINES.join("\n"))]);
    setup.arrive("letter.eml", message.as_bytes());
    setup.arrive("cut.tif", b"II*\0");
    setup.drain();

    let folders = folders(&setup);
    assert_eq!(folders.len(), 9);
    for (item, folder) in setup.exported().iter().map(|item| (item, &folders[item["source_file"].as_str().unwrap()])) {
        let json: Value = serde_json::from_slice(&fs::read(folder.join("item.json")).unwrap()).unwrap();
        assert_eq!(json, *item, "item.json is the item's line");
        let pages = item["pages"].as_u64().unwrap();
        // A held document is shown to nobody, and a message's text is no picture.
        let is_held = item["state"] == "held";
        assert_eq!(folder.join("document.pdf").exists(), !is_held, "{item:#}");
        let expected = if is_held || item["source_file"] == "letter.eml" { 0 } else { pages };
        let pictures = snapshot(folder).keys().filter(|name| name.starts_with("page-")).count() as u64;
        assert_eq!(pictures, expected, "{item:#}");
    }

    let document = |file: &str| folders[file].join("document.pdf");
    for (file, tolerance) in
        [("fine.tif", 3.0), ("standard.tif", 4.0), ("photo.jpg", 3.0), ("scan.pdf", 3.0), ("print.pdf", 3.0)]
    {
        for (size, found) in words(&document(file)) {
            assert!((size.0 - 612.0).abs() < 4.0 && (size.1 - 792.0).abs() < 4.0, "{file}: {size:?}");
            assert_in_place(&found, &printed, tolerance, file);
        }
    }
    // Straightened, on a larger sheet; the words lie level.
    let (size, found) = &words(&document("skewed.tif"))[0];
    assert!(size.0 > 640.0 && size.1 > 810.0, "{size:?}");
    let (across, down) = ((size.0 - 610.0) / 2.0, (size.1 - 792.0) / 2.0);
    let moved: Vec<(String, f32, f32)> =
        printed.iter().map(|(word, x, y)| (word.clone(), x + across, y + down)).collect();
    assert_in_place(found, &moved, 5.0, "skewed.tif");
    // On its side it was shrunk to fit; it is shown upright, with its lines from left to right.
    let (size, found) = &words(&document("sideways.tif"))[0];
    assert!(size.0 > size.1, "{size:?}");
    let shrunk: Vec<(String, f32, f32)> =
        printed.iter().map(|(word, x, y)| (word.clone(), x / 1.294, y / 1.294)).collect();
    assert_in_place(found, &shrunk, 12.0, "sideways.tif");
    // A message's own text is to be seen, not only to be found.
    let text = poppler("pdftotext", &["-layout"], &document("letter.eml"), &["-"]);
    assert!(LINES.iter().all(|line| text.contains(line)), "{text}");

    // What was black and white is so still, pixel for pixel, and never coded as grey.
    let expected: [(&str, Vec<&Bitmap>); 5] = [
        ("fine.tif", vec![&upright, &over]),
        ("standard.tif", vec![&standard]),
        ("skewed.tif", vec![&skewed]),
        ("sideways.tif", vec![&sideways]),
        ("scan.pdf", vec![&of_pictures]),
    ];
    for (file, originals) in expected {
        let listed = poppler("pdfimages", &["-list"], &document(file), &[]);
        assert!(listed.lines().skip(2).all(|line| line.contains(" 1   1  ccitt ")), "{file}: {listed}");
        let held = bitmaps(&document(file), &setup.path(&format!("pictures-{file}")));
        assert!(held.iter().eq(originals), "{file}: not the picture that came");
    }
    let held = fs::read(document("photo.jpg")).unwrap();
    assert!(held.windows(jpeg.len()).any(|window| window == jpeg), "the JPEG is no longer the file that came");

    // The trail tells what was given out, and `verify` finds it all there.
    let id = folders["photo.jpg"].file_name().unwrap().to_str().unwrap();
    assert!(setup.succeed(&["audit"]).contains(&format!("exported the pages of {id}")));
    setup.succeed(&["verify"]);

    // Nothing is made twice, and what is incomplete is made again, byte for byte.
    let before = snapshot(&folders["fine.tif"]);
    let times = |folder: &Path| fs::metadata(folder.join("document.pdf")).unwrap().modified().unwrap();
    let written = times(&folders["photo.jpg"]);
    fs::remove_file(folders["fine.tif"].join("item.json")).unwrap();
    fs::write(folders["fine.tif"].join("document.pdf"), b"%PDF-1.7 cut").unwrap();
    fs::write(folders["fine.tif"].join(".document.pdf.new"), b"left by a death").unwrap();
    assert!(setup.run(&["verify"]).said.contains("is not made yet"));
    setup.drain();
    let after = snapshot(&folders["fine.tif"]);
    assert!(after.keys().eq(before.keys()), "{:?}", after.keys());
    for (name, bytes) in &before {
        let differs = bytes.iter().zip(&after[name]).position(|(before, after)| before != after);
        assert_eq!((bytes.len(), differs), (after[name].len(), None), "{name} is another one");
    }
    assert_eq!(times(&folders["photo.jpg"]), written);

    // What is resolved is gone; what is not the daemon's stays.
    fs::create_dir(setup.path("worklist/items/mine")).unwrap();
    setup.succeed(&["queue", "resolve", id, "--by", "R. Nurse"]);
    setup.drain();
    assert!(!folders["photo.jpg"].exists() && folders["fine.tif"].exists());
    setup.configure("", "");
    let configured = fs::read_to_string(setup.config()).unwrap();
    fs::write(setup.config(), configured.replace("dir = \"worklist\"", "dir = \"worklist\"\nitems = false")).unwrap();
    setup.drain();
    assert_eq!(setup.files("worklist/items"), ["mine"]);
    setup.succeed(&["verify"]);
}
