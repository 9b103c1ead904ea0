//! Papers that come again, in other bytes and with other noise: what the built program reads anew, and what it tells the
//! nurses of them.

#![allow(clippy::unwrap_used, clippy::disallowed_methods, reason = "a test stops at the first surprise")]

mod generator;
mod run;

use generator::{Bitmap, Encoding, Face, FillOrder, Fonts, Scan, Sheet, Storage, TiffPage, fax, pdf, scan, tiff};
use run::{NO_CASES, Setup, case};
use serde_json::Value;

/// Invented; so are the cases that it is about.
const REVIEW: [&str; 9] = [
    "NICU WEEKLY CLINICAL REVIEW",
    "Patient name: Okonkwo, Baby Girl A     Birth date: 04/02/2025",
    "MRN: 88104477     Auth #: 7712004501",
    "Lakeview Hospital, Utilization Management, 617-555-0134",
    "Current weight: 1480 g     Bed: isolette",
    "Respiratory support: nasal cannula 2 L, saturation 95 percent",
    "Feeds: 32 ml every 3 hours, 150 ml/kg/day",
    "Medications: caffeine citrate 12 mg daily",
    "Plan: wean the incubator, teach the parents, next review 05/21/2025",
];

const LABORATORY: [&str; 5] = [
    "Laboratory values of 05/13/2025",
    "Sodium 141, potassium 4.9, chloride 104, bicarbonate 22",
    "Haematocrit 38.2, platelets 312, leucocytes 11.4",
    "Total bilirubin 9.2, direct 0.4, alkaline phosphatase 301",
    "Drawn at 06:15, reported at 07:40, no call was needed",
];

fn sheet<'a>(fonts: &'a Fonts, lines: &[String]) -> Sheet<'a> {
    let mut sheet = Sheet::new(fonts);
    for (line, text) in lines.iter().enumerate() {
        sheet.text(60.0, 150.0 + 40.0 * line as f32, 14.0, Face::Sans, text);
    }
    sheet
}

fn lines(lines: &[&str]) -> Vec<String> {
    lines.iter().map(|line| (*line).to_owned()).collect()
}

/// The lines with each of these words for another.
fn changed(lines: &[&str], words: &[(&str, &str)]) -> Vec<String> {
    let mut text = lines.join("\n");
    for (from, to) in words {
        assert!(text.contains(from), "{from}");
        text = text.replace(from, to);
    }
    text.lines().map(str::to_owned).collect()
}

fn noisy(seed: u64) -> Scan {
    Scan {
        specks: 0.0005,
        skew: 0.6,
        header: Some(format!("05/14/2025 09:{seed:02} LAKEVIEW NICU")),
        seed,
        ..Scan::default()
    }
}

fn faxed(sheets: &[Sheet<'_>], seed: u64) -> Vec<u8> {
    fax(sheets, &noisy(seed), Storage::Fax(Encoding::Group4, FillOrder::MostSignificantFirst))
}

/// The same pictures in a file of another kind.
fn files_of(pictures: &[Bitmap]) -> (Vec<u8>, Vec<u8>) {
    let page = |bitmap: &Bitmap, encoding| TiffPage {
        bitmap: bitmap.clone(),
        resolution: (204, 196),
        storage: Storage::Fax(encoding, FillOrder::MostSignificantFirst),
        damaged_rows: Vec::new(),
    };
    let tiff = |encoding| tiff::write(&pictures.iter().map(|bitmap| page(bitmap, encoding)).collect::<Vec<_>>());
    (tiff(Encoding::Group4), tiff(Encoding::Group3OneDimensional))
}

/// The twins of the review, and nobody else.
fn cases() -> String {
    let twin = |id: &str, letter: &str, mrn: &str, auth: &str| {
        case(&[
            ("case_id", id),
            ("status", "open"),
            ("mrn", mrn),
            ("auth_number", auth),
            ("facility", "Lakeview Hospital"),
            ("last_name", "Okonkwo"),
            ("first_name", &format!("Baby Girl {letter}")),
            ("birth_order", letter),
            ("sex", "F"),
            ("dob", "2025-04-02"),
            ("mother_first", "Ngozi"),
            ("mother_last", "Okonkwo"),
            ("plan", "commercial"),
        ])
    };
    format!("{NO_CASES}{}{}", twin("C-1", "A", "88104477", "7712004501"), twin("C-2", "B", "88104478", "7712004502"))
}

fn item<'a>(queue: &'a [Value], file: &str) -> &'a Value {
    let mut items = queue.iter().filter(|item| item["source_file"] == file);
    let item = items.next().unwrap_or_else(|| panic!("{file} is not in the queue"));
    assert!(items.next().is_none(), "{file} is in the queue twice");
    item
}

fn flags(item: &Value) -> Vec<&str> {
    item["flags"].as_array().unwrap().iter().map(|flag| flag.as_str().unwrap()).collect()
}

#[test]
fn a_paper_that_is_faxed_again_points_to_the_first_and_the_next_review_and_the_twins_do_not() {
    let fonts = Fonts::load().unwrap();
    let next = [
        ("1480", "1615"),
        ("nasal cannula 2 L, saturation 95", "room air since 05/19, saturation 98"),
        ("32 ml every 3 hours, 150", "41 ml every 4 hours, 162"),
        ("12 mg", "14 mg"),
        ("05/21", "05/28"),
    ];
    let twin = [("Girl A", "Girl B"), ("88104477", "88104478"), ("7712004501", "7712004502")];
    let review = sheet(&fonts, &lines(&REVIEW));
    let again = [sheet(&fonts, &lines(&REVIEW)), sheet(&fonts, &lines(&LABORATORY))];
    let papers = [
        ("1-first.tif", "2025-05-14T09:00:00-04:00", faxed(&[review], 1)),
        ("2-again.tif", "2025-05-14T11:30:00-04:00", faxed(&again, 2)),
        ("3-twin.tif", "2025-05-14T12:00:00-04:00", faxed(&[sheet(&fonts, &changed(&REVIEW, &twin))], 3)),
        ("4-next.tif", "2025-05-21T09:00:00-04:00", faxed(&[sheet(&fonts, &changed(&REVIEW, &next))], 4)),
    ];
    // The later one is read first: what is told of it does not depend on that.
    for order in [[1, 0, 2, 3], [3, 2, 1, 0]] {
        let setup = Setup::new();
        setup.write_cases(cases().as_bytes());
        for number in order {
            let (name, received, bytes) = &papers[number];
            std::fs::write(setup.inbox().join(format!("{name}.json")), format!(r#"{{"received_at": "{received}"}}"#))
                .unwrap();
            setup.arrive(name, bytes);
            setup.drain();
        }
        let queue = setup.exported();
        let (first, second) = (item(&queue, "1-first.tif"), item(&queue, "2-again.tif"));
        assert_eq!(second["duplicate_of"], first["id"], "{second}");
        assert!(flags(second).contains(&"duplicate: new on it: p2"), "{:?}", flags(second));
        for name in ["1-first.tif", "3-twin.tif", "4-next.tif"] {
            assert_eq!(item(&queue, name)["duplicate_of"], Value::Null, "{name}");
        }
        assert_eq!(item(&queue, "3-twin.tif")["match"]["case_id"], "C-2");
        // It is still for a person to see to, and stays told when the cases are others.
        assert_eq!(second["state"], "open");
        setup.write_cases(format!("{}\n", cases().replace("commercial", "medicaid")).as_bytes());
        setup.drain();
        assert_eq!(item(&setup.exported(), "2-again.tif")["duplicate_of"], first["id"]);
        setup.succeed(&["rebuild"]);
        setup.drain();
        assert_eq!(item(&setup.exported(), "2-again.tif")["duplicate_of"], first["id"]);
        setup.succeed(&["verify"]);
    }
}

#[test]
fn pages_that_were_read_before_are_not_read_again_whatever_file_they_come_in() {
    let fonts = Fonts::load().unwrap();
    let pictures: Vec<Bitmap> =
        [&REVIEW[..], &LABORATORY[..]].iter().map(|text| scan::scan(&sheet(&fonts, &lines(text)), &noisy(7))).collect();
    let (group_4, group_3) = files_of(&pictures);
    let setup = Setup::new();
    setup.write_cases(cases().as_bytes());
    setup.arrive("first.tif", &group_4);
    setup.drain();
    // Another start: what was read before stands in the archive.
    let daemon = setup.start();
    setup.arrive("again.tif", &group_3);
    daemon.wait_for_count("\"queued\"", 1);
    let status = setup.json(&["status", "--json"]);
    assert_eq!(
        (&status["workers"]["pages_read"], &status["workers"]["pages_recalled"]),
        (&2.into(), &2.into()),
        "{status}"
    );
    daemon.stop();
    let queue = setup.exported();
    let (first, again) = (item(&queue, "first.tif"), item(&queue, "again.tif"));
    assert_eq!(again["fields"], first["fields"]);
    assert_eq!(again["duplicate_of"], first["id"]);
    // In a frame of another size it is another picture.
    setup.arrive("printed.pdf", &pdf::of_pictures(&pictures));
    setup.drain();
    assert_eq!(item(&setup.exported(), "printed.pdf")["duplicate_of"], first["id"]);
}
