//! The invented nursery: hospitals, babies and the snapshot of open cases (`cases.csv`).
//!
//! Every name is made up and every telephone number is a 555-01xx.

use jiff::civil::{Date, date};
use jiff::{Span, ToSpan};

use super::random::Random;

/// The day on which the invented documents arrive.
pub const TODAY: Date = date(2026, 3, 16);

/// A hospital with a NICU.
#[derive(Debug)]
pub struct Facility {
    pub name: &'static str,
    pub town: &'static str,
    pub unit: &'static str,
    pub phone: &'static str,
    pub fax: &'static str,
    pub npi: &'static str,
    /// What a record number there starts with, and the first number given out.
    pub records: (&'static str, u32),
    pub neonatologist: &'static str,
    pub reviewer: &'static str,
}

#[rustfmt::skip]
pub const FACILITIES: [Facility; 6] = [
    Facility { name: "Harrow Glen Medical Center", town: "Harrow Glen, MA", unit: "Level III NICU", phone: "617-555-0111", fax: "617-555-0134", npi: "1999901234", records: ("HG", 204_117), neonatologist: "Ottilie Brandvold, MD", reviewer: "Merle Haskins, RN, UR" },
    Facility { name: "Saint Odile's Hospital for Women", town: "Quillport, MA", unit: "Special Care Nursery", phone: "508-555-0120", fax: "508-555-0121", npi: "1999902345", records: ("", 7_301_554), neonatologist: "Ravindra Coyle, MD", reviewer: "Jo Ellen Pratt, RN" },
    Facility { name: "Tidewater Bend Children's Hospital", town: "Tidewater Bend, RI", unit: "Level IV NICU", phone: "401-555-0150", fax: "401-555-0151", npi: "1999903456", records: ("TB-", 60_912), neonatologist: "Ximena Aldous, DO", reviewer: "Philippa Nunn, BSN" },
    Facility { name: "Larkmoor Regional Hospital", town: "Larkmoor, MA", unit: "Level II Nursery", phone: "413-555-0162", fax: "413-555-0163", npi: "1999904567", records: ("L", 3_380_071), neonatologist: "Benedikt Osei, MD", reviewer: "Cass Whitlow, RN CCM" },
    Facility { name: "Copper Basin University Hospital", town: "Copper Basin, NH", unit: "Level III NICU", phone: "603-555-0170", fax: "603-555-0171", npi: "1999905678", records: ("", 48_220_306), neonatologist: "Solveig Tran-Marsh, MD", reviewer: "Dov Keller, RN" },
    Facility { name: "Fennimore Community Hospital", town: "Fennimore, CT", unit: "Newborn Intensive Care", phone: "203-555-0181", fax: "203-555-0182", npi: "1999906789", records: ("FC", 118_840), neonatologist: "Harlan Petrossian, MD", reviewer: "Imelda Rusk, LPN" },
];

#[allow(clippy::struct_field_names, reason = "the columns of the contract")]
/// One case, with what stands in its row and what only the hospital knows (gestation, birth weight).
#[derive(Clone, Debug)]
pub struct Case {
    pub case_id: String,
    pub open: bool,
    pub member_id: String,
    pub auth_number: String,
    pub mrn: String,
    pub facility: &'static Facility,
    pub last_name: &'static str,
    pub first_name: &'static str,
    /// `A`, `B`, … for multiples.
    pub birth_order: &'static str,
    pub sex: &'static str,
    pub dob: Date,
    pub mother_first: &'static str,
    pub mother_last: &'static str,
    pub mother_dob: Date,
    pub admit_date: Date,
    pub discharge_date: Option<Date>,
    pub plan: &'static str,
    pub level_of_care: u8,
    pub nurse: &'static str,
    pub next_review_date: Option<Date>,
    pub language: &'static str,
    pub gestation_days: i64,
    pub birth_weight_g: i64,
}

/// (last, first, order, sex, dob, mother's first, mother's last, hospital, gestation in days)
type Row = (&'static str, &'static str, &'static str, &'static str, Date, &'static str, &'static str, usize, i64);

/// Rows of one birth stand together. The documents refer to them by place.
#[rustfmt::skip]
const ROWS: [Row; 41] = [
    // 0–21: single births.
    ("Abernethy", "Baby Girl", "", "F", date(2026, 2, 21), "Corinne", "Abernethy", 0, 216),
    ("Okonjo-Reyes", "Mateus", "", "M", date(2026, 1, 14), "Adaeze", "Okonjo", 1, 198),
    ("Vandermolen", "Babyboy", "", "M", date(2026, 3, 12), "Hilde", "Vandermolen", 2, 239),
    ("Tsosie", "Winona", "", "F", date(2025, 12, 29), "Lenora", "Tsosie", 4, 187),
    ("Marchetti", "Enzo", "", "M", date(2026, 2, 2), "Bianca", "Dellarosa", 3, 221),
    ("Pham", "Baby Boy", "", "M", date(2026, 3, 9), "Thuy", "Pham", 0, 232),
    ("Kowalczyk", "Zofia", "", "F", date(2026, 1, 27), "Agnieszka", "Kowalczyk", 5, 205),
    ("Delacroix-Hume", "Babygirl", "", "F", date(2026, 3, 3), "Solange", "Delacroix", 1, 228),
    ("Ferreira", "Thiago", "", "M", date(2026, 2, 16), "Luana", "Ferreira", 4, 210),
    ("Ostrowski", "Girl", "", "F", date(2026, 2, 27), "Halina", "Ostrowski", 2, 226),
    ("Brightwater", "Jonah", "", "M", date(2025, 12, 11), "Tamsin", "Brightwater", 0, 182),
    ("Nakashima", "Emi", "", "F", date(2026, 2, 8), "Yoko", "Nakashima", 3, 214),
    ("Quarrington", "Baby Boy", "", "M", date(2026, 3, 14), "Felicity", "Quarrington", 5, 243),
    ("Castellanos", "Ximena", "", "F", date(2026, 1, 5), "Marisela", "Castellanos", 2, 193),
    ("Lindqvist", "Anders", "", "M", date(2026, 2, 24), "Maja", "Lindqvist", 1, 223),
    ("Gonçalves", "Inês", "", "F", date(2026, 1, 30), "Beatriz", "Gonçalves", 0, 203),
    ("Mbeki-Stroud", "Baby Girl", "", "F", date(2026, 3, 5), "Nomsa", "Mbeki", 4, 233),
    ("Haverford", "Silas", "", "M", date(2026, 1, 19), "Prudence", "Haverford", 3, 200),
    ("Yilmaz", "Deniz", "", "M", date(2026, 2, 13), "Elif", "Yilmaz", 5, 217),
    ("Applegate", "Rosalind", "", "F", date(2025, 12, 20), "Gwendolyn", "Applegate", 2, 190),
    ("Sandoval", "Bebe Boy", "", "M", date(2026, 3, 1), "Paloma", "Sandoval", 0, 227),
    ("O'Dwyer", "Fionnuala", "", "F", date(2026, 2, 5), "Siobhan", "O'Dwyer", 1, 208),
    // 22–29: twins that the registry tells apart by name, sex or order.
    ("Whitcombe", "Baby Boy A", "A", "M", date(2026, 2, 19), "Annalise", "Whitcombe", 0, 219),
    ("Whitcombe", "Baby Boy B", "B", "M", date(2026, 2, 19), "Annalise", "Whitcombe", 0, 219),
    ("Adeyemi", "Taiwo", "A", "M", date(2026, 1, 23), "Folake", "Adeyemi", 2, 202),
    ("Adeyemi", "Kehinde", "B", "F", date(2026, 1, 23), "Folake", "Adeyemi", 2, 202),
    ("Rasmussen", "Baby Girl A", "A", "F", date(2026, 3, 7), "Dagny", "Rasmussen", 4, 231),
    ("Rasmussen", "Baby Girl B", "B", "F", date(2026, 3, 7), "Dagny", "Rasmussen", 4, 231),
    ("Villanueva", "Lucas", "A", "M", date(2026, 2, 10), "Carmela", "Villanueva", 5, 211),
    ("Villanueva", "Rafael", "B", "M", date(2026, 2, 10), "Carmela", "Villanueva", 5, 211),
    // 30–33: twins whose documents may carry no mark at all.
    ("Nettleton", "Baby Boy A", "A", "M", date(2026, 2, 26), "Isolde", "Nettleton", 3, 224),
    ("Nettleton", "Baby Boy B", "B", "M", date(2026, 2, 26), "Isolde", "Nettleton", 3, 224),
    ("Farouk", "Baby Girl A", "A", "F", date(2026, 3, 4), "Samira", "Farouk", 1, 229),
    ("Farouk", "Baby Girl B", "B", "F", date(2026, 3, 4), "Samira", "Farouk", 1, 229),
    // 34–36: triplets.
    ("Thorsby", "Baby Girl A", "A", "F", date(2026, 2, 12), "Ingrid", "Thorsby", 2, 212),
    ("Thorsby", "Baby Girl B", "B", "F", date(2026, 2, 12), "Ingrid", "Thorsby", 2, 212),
    ("Thorsby", "Baby Boy C", "C", "M", date(2026, 2, 12), "Ingrid", "Thorsby", 2, 212),
    // 37–39: look-alikes: one surname and birthday in one nursery, other mothers; and a near name.
    ("Castellano", "Baby Girl", "", "F", date(2026, 1, 5), "Marisol", "Castellano", 2, 225),
    ("Pham", "Baby Boy", "", "M", date(2026, 3, 9), "Kim-Ly", "Pham", 0, 236),
    ("Abernathy", "Baby Girl", "", "F", date(2026, 2, 20), "Coral", "Abernathy", 0, 218),
    // 40: went home; the case is closed.
    ("Bellweather", "Otis", "", "M", date(2025, 12, 2), "Marguerite", "Bellweather", 3, 215),
];

/// The place of the closed case.
pub const CLOSED: usize = 40;

const NURSES: [&str; 4] = ["T. Ashgrove RN", "N. Bellamy RN", "R. Quist RN", "D. Oyelaran RN"];
const PLANS: [&str; 8] =
    ["commercial", "commercial", "commercial", "commercial", "fep", "commercial", "medicaid", "commercial"];
const LANGUAGES: [&str; 5] = ["English", "English", "Spanish", "Portuguese", "Vietnamese"];

/// The cases, in the order of the rows; the numbers depend on the seed.
pub fn cases(seed: u64) -> Vec<Case> {
    let mut random = Random::new(seed ^ 0xca5e);
    let mut records: Vec<u32> = FACILITIES.iter().map(|facility| facility.records.1).collect();
    let mut cases: Vec<Case> = Vec::with_capacity(ROWS.len());
    for (place, (last, first, order, sex, dob, mother_first, mother_last, hospital, gestation)) in
        ROWS.into_iter().enumerate()
    {
        let facility = &FACILITIES[hospital];
        let earlier = cases.iter().rev().take(2).find(|case| {
            !order.is_empty() && case.last_name == last && case.dob == dob && case.mother_first == mother_first
        });
        // Record numbers of one birth follow each other; others are a few admissions apart.
        records[hospital] += if earlier.is_some() { 1 } else { random.between(3, 40) as u32 };
        let mrn = format!("{}{}", facility.records.0, records[hospital]);
        let member_id = earlier.map_or_else(
            || format!("ZKQ9{:08}", random.between(10_000_000, 99_999_999)),
            |twin| twin.member_id.clone(),
        );
        let plan = earlier.map_or(PLANS[random.below(PLANS.len())], |twin| twin.plan);
        let mother_dob = earlier.map_or_else(
            || date(1984 + random.below(20) as i16, 1 + random.below(12) as i8, 1 + random.below(28) as i8),
            |twin| twin.mother_dob,
        );
        let open = place != CLOSED;
        let admit_date = if place % 5 == 3 { after(dob, 1) } else { dob };
        cases.push(Case {
            case_id: format!("UM{:05}", 41_200 + 7 * place),
            open,
            member_id,
            auth_number: format!("26{:08}", random.between(10_000_000, 99_999_999)),
            mrn,
            facility,
            last_name: last,
            first_name: first,
            birth_order: order,
            sex,
            dob,
            mother_first,
            mother_last,
            mother_dob,
            admit_date,
            discharge_date: (!open).then(|| date(2026, 1, 28)),
            plan,
            level_of_care: if gestation < 200 {
                4
            } else if gestation < 225 {
                3
            } else {
                2
            },
            nurse: NURSES[place % NURSES.len()],
            next_review_date: open.then(|| after(TODAY, place as i64 % 5)),
            language: LANGUAGES[place % LANGUAGES.len()],
            gestation_days: gestation,
            birth_weight_g: 10 * ((gestation - 160) * 26 / 10 + 30 + random.between(-8, 8)),
        });
    }
    cases
}

/// A date some days later (earlier when negative); the date itself at the calendar's end.
pub fn after(day: Date, days: i64) -> Date {
    let span: Span = days.days();
    day.checked_add(span).unwrap_or(day)
}

/// The contract's columns.
pub const COLUMNS: &str = "case_id,status,member_id,auth_number,mrn,facility,facility_fax,facility_npi,last_name,\
first_name,birth_order,sex,dob,mother_first,mother_last,mother_dob,admit_date,discharge_date,plan,level_of_care,\
assigned_nurse,next_review_date,race_ethnicity,preferred_language";

/// `cases.csv`. No cell here needs quoting.
pub fn csv(cases: &[Case]) -> String {
    let day = |date: Option<Date>| date.map(|date| date.to_string()).unwrap_or_default();
    let mut text = format!("{COLUMNS}\n");
    for case in cases {
        let level = case.level_of_care.to_string();
        let fax: String = case.facility.fax.chars().filter(char::is_ascii_digit).collect();
        let cells: [&str; 24] = [
            &case.case_id,
            if case.open { "open" } else { "closed" },
            &case.member_id,
            &case.auth_number,
            &case.mrn,
            case.facility.name,
            &fax,
            case.facility.npi,
            case.last_name,
            case.first_name,
            case.birth_order,
            case.sex,
            &case.dob.to_string(),
            case.mother_first,
            case.mother_last,
            &case.mother_dob.to_string(),
            &case.admit_date.to_string(),
            &day(case.discharge_date),
            case.plan,
            &level,
            case.nurse,
            &day(case.next_review_date),
            "Declined",
            case.language,
        ];
        text.push_str(&cells.join(","));
        text.push('\n');
    }
    text
}
