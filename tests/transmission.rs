//! What sending machines burn in, and blank pages: faxes as they come off the line, read by the built program.

#![allow(clippy::unwrap_used, clippy::disallowed_methods, reason = "a test stops at the first surprise")]

mod generator;
mod run;

use std::fs;

use generator::headers::{self, MAKERS, Sent};
use generator::scan::scan;
use generator::{Encoding, Face, FillOrder, Fonts, Scan, Sheet, Storage, TiffPage, tiff};
use run::{NO_CASES, Setup, case};
use serde_json::Value;

const PAPER: [&str; 7] = [
    "Lakeview Hospital",
    "NICU WEEKLY CLINICAL REVIEW",
    "Patient name: Okonkwo, Ada     Birth date: 1/4/2026",
    "MRN: 88104477     Member ID: ZQX440912233",
    "Current weight: 1.98 kg     Isolette",
    "Respiratory support: room air",
    "Discharge planning: parents learning to feed",
];

fn sheet<'a>(fonts: &'a Fonts, lines: &[&str]) -> Sheet<'a> {
    let mut sheet = Sheet::new(fonts);
    for (place, line) in lines.iter().enumerate() {
        sheet.text(60.0, 90.0 + 24.0 * place as f32, 13.0, Face::Sans, line);
    }
    sheet
}

/// A fax of these sheets, each with a header line or none.
fn fax(sheets: &[(Sheet<'_>, Option<String>)], resolution: (u32, u32), specks: f32) -> Vec<u8> {
    let pages: Vec<TiffPage> = (1..)
        .zip(sheets)
        .map(|(seed, (sheet, header))| TiffPage {
            bitmap: scan(sheet, &Scan { resolution, specks, header: header.clone(), seed, ..Scan::default() }),
            resolution,
            storage: Storage::Fax(Encoding::Group4, FillOrder::MostSignificantFirst),
            damaged_rows: Vec::new(),
        })
        .collect();
    tiff::write(&pages)
}

fn with_case() -> Setup {
    let setup = Setup::new();
    let cells = [
        ("case_id", "UM777321"),
        ("status", "open"),
        ("mrn", "88104477"),
        ("member_id", "ZQX440912233"),
        ("last_name", "Okonkwo"),
        ("first_name", "Ada"),
        ("dob", "2026-01-04"),
    ];
    setup.write_cases(format!("{NO_CASES}{}", case(&cells)).as_bytes());
    setup
}

fn flag(item: &Value, name: &str) -> Option<String> {
    let flags = item["flags"].as_array().unwrap().iter().map(|flag| flag.as_str().unwrap());
    flags.into_iter().find(|flag| flag.split(':').next() == Some(name)).map(str::to_owned)
}

#[test]
fn each_makers_header_line_tells_what_did_not_arrive() {
    let fonts = Fonts::load().unwrap();
    let setup = with_case();
    let further = ["Laboratory values", "Na 141   K 4.9   Hct 38", "Plan: wean the incubator"];
    for maker in 0..MAKERS {
        // Page 2 of 4 is lost.
        let pages: Vec<_> = [1, 3, 4]
            .map(|page| {
                let sent = Sent { sender: "6175550134", station: "LAKEVIEW NICU", at: (15, 4), page, pages: 4 };
                let body: &[&str] = if page == 1 { &PAPER } else { &further };
                (sheet(&fonts, body), Some(headers::line(maker, sent)))
            })
            .into();
        setup.arrive(&format!("{maker}.tif"), &fax(&pages, (204, 196), 0.0));
    }
    setup.drain();
    for maker in 0..MAKERS {
        let [item] = &setup.exported_of(&format!("{maker}.tif"))[..] else { panic!("maker {maker}: not one item") };
        assert_eq!(flag(item, "missing_pages").as_deref(), Some("missing_pages: 2 of 4"), "{maker}: {}", item["flags"]);
        assert_eq!(item["fields"]["fax_pages"]["value"], 4, "{maker}");
        assert_eq!(item["fields"]["fax_sent_date"]["value"], "2026-03-16", "{maker}");
        assert_eq!(item["fields"]["fax_sent_time"]["value"], "15:04", "{maker}");
        // One maker prints no number of its own.
        let sender = if maker == 3 { Value::Null } else { "6175550134".into() };
        assert_eq!(item["sender"], sender, "{maker}");
        assert_eq!(item["match"]["case_id"], "UM777321", "{maker}: {}", item["match"]);
    }
}

#[test]
fn a_blank_page_amid_a_fax_is_told_and_not_read_and_its_number_is_not_missed() {
    let fonts = Fonts::load().unwrap();
    let setup = with_case();
    for resolution in [(204, 98), (204, 196)] {
        let pages: Vec<_> = [(1, &PAPER[..]), (2, &[]), (3, &["Plan: wean the incubator", "Social: none"])]
            .map(|(page, lines)| {
                let sent = Sent { sender: "6175550134", station: "LAKEVIEW NICU", at: (9, 12), page, pages: 3 };
                (sheet(&fonts, lines), Some(headers::line(1, sent)))
            })
            .into();
        setup.arrive(&format!("{}.tif", resolution.1), &fax(&pages, resolution, 0.004));
    }
    let only_blank = fax(&[(Sheet::new(&fonts), None), (Sheet::new(&fonts), None)], (204, 196), 0.004);
    setup.arrive("blank.tif", &only_blank);
    setup.drain();
    for file in ["98.tif", "196.tif"] {
        let [item] = &setup.exported_of(file)[..] else { panic!("{file}: not one item") };
        assert_eq!(flag(item, "blank").as_deref(), Some("blank: p2"), "{file}: {}", item["flags"]);
        for absent in ["blank_picture", "missing_pages", "page_count_differs"] {
            assert_eq!(flag(item, absent), None, "{file}");
        }
        assert_eq!((&item["page_range"], &item["match"]["case_id"]), (&serde_json::json!([1, 3]), &"UM777321".into()));
    }
    // Nobody sends blank pages alone.
    assert!(setup.held_of("blank.tif")["reason"].as_str().unwrap().contains("blank"));
    assert!(fs::exists(setup.done().join("blank.tif")).unwrap());
}
