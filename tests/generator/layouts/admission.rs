//! A face sheet of boxed cells, and a form filled in by hand.

use nicufaxd::document::DocumentType;

use super::super::facts::{DateStyle, Facts, NameStyle, WeightStyle};
use super::super::sheet::{Face, Fonts, Sheet};

/// A registration face sheet: a grid of boxes, a small label in the corner of each and the value below it.
pub fn face_sheet<'f>(fonts: &'f Fonts, facts: &Facts<'_>, kind: DocumentType) -> Vec<Sheet<'f>> {
    let mut sheet = Sheet::new(fonts);
    sheet.text(40.0, 46.0, 15.0, Face::SansBold, facts.facility());
    sheet.text(
        40.0,
        60.0,
        8.5,
        Face::Sans,
        &format!("{}   Registration  {}", facts.case.facility.town, facts.case.facility.phone),
    );
    sheet.right(572.0, 46.0, 12.0, Face::SansBold, "INPATIENT FACE SHEET");
    sheet.right(572.0, 60.0, 9.0, Face::Sans, super::title(kind));
    let mother = facts.mother(NameStyle::LastFirst);
    let case = facts.case;
    let rows: [&[(&str, String, f32)]; 7] = [
        &[
            ("PATIENT NAME (LAST, FIRST)", facts.patient(NameStyle::LastFirst), 0.5),
            ("MED REC NO", facts.mrn().to_owned(), 0.28),
            ("SEX", facts.sex_word().to_owned(), 0.22),
        ],
        &[
            ("BIRTH DATE", facts.dob(DateStyle::Slashes), 0.25),
            ("AGE", format!("{} D", facts.days_old()), 0.15),
            ("ADMIT DATE", facts.admit_date(DateStyle::Slashes), 0.25),
            ("SERVICE / UNIT", case.facility.unit.to_owned(), 0.35),
        ],
        &[
            ("ADMITTING PHYSICIAN", case.facility.neonatologist.to_owned(), 0.5),
            ("ADMIT SOURCE", "Born inside this hospital".to_owned(), 0.5),
        ],
        &[
            ("GUARANTOR (MOTHER)", mother, 0.5),
            ("MOTHER'S DOB", DateStyle::Slashes.write(case.mother_dob), 0.25),
            ("LANGUAGE", case.language.to_owned(), 0.25),
        ],
        &[
            ("PRIMARY INSURANCE", format!("Blue Plan MA ({})", case.plan), 0.4),
            ("SUBSCRIBER / MEMBER ID", facts.member_id().to_owned(), 0.35),
            ("AUTHORIZATION", facts.auth_number().to_owned(), 0.25),
        ],
        &[
            ("GESTATION AT BIRTH", facts.gestation(), 0.35),
            ("BIRTH WEIGHT", facts.birth_weight(WeightStyle::Grams), 0.3),
            ("LEVEL OF CARE REQUESTED", facts.level(), 0.35),
        ],
        &[("ADMITTING DIAGNOSIS", "Prematurity; respiratory distress of newborn; feeding immaturity".to_owned(), 1.0)],
    ];
    let mut top = 78.0;
    for row in rows {
        let mut left = 40.0;
        for (label, value, share) in row {
            let width = 532.0 * share;
            sheet.frame(left, top, width, 34.0);
            sheet.text(left + 4.0, top + 9.5, 7.0, Face::Sans, label);
            sheet.text(left + 6.0, top + 26.0, 11.0, Face::Sans, value);
            left += width;
        }
        top += 34.0;
    }
    let note = format!(
        "The newborn named above was admitted to the {} after delivery. Initial status: {}, {}. \
         Please open a case and reply with the authorization number and the date of the first review.",
        case.facility.unit,
        facts.support(),
        facts.bed()
    );
    let end = sheet.paragraph((40.0, top + 26.0), 532.0, 11.0, Face::Sans, &note);
    sheet.text(
        40.0,
        end + 14.0,
        10.0,
        Face::Sans,
        &format!("Utilization review: {}   fax {}", case.facility.reviewer, case.facility.fax),
    );
    vec![sheet]
}

/// A ruled form whose blanks were filled in by hand.
pub fn handwritten_form<'f>(fonts: &'f Fonts, facts: &Facts<'_>, kind: DocumentType) -> Vec<Sheet<'f>> {
    let mut sheet = Sheet::new(fonts);
    sheet.centre(60.0, 14.0, Face::SerifBold, facts.facility());
    sheet.centre(76.0, 10.0, Face::Serif, facts.case.facility.unit);
    sheet.centre(100.0, 13.0, Face::SerifBold, super::title(kind));
    let admission = kind == DocumentType::AdmissionNotification;
    let weight = facts.weight(WeightStyle::Grams);
    let mut blanks: Vec<(&str, String)> = vec![
        ("Baby's name", facts.patient(NameStyle::FirstLast)),
        ("Date of birth", facts.dob(DateStyle::Short)),
        ("Record #", facts.mrn().to_owned()),
        ("Mother's name", facts.mother(NameStyle::FirstLast)),
        ("Date admitted", facts.admit_date(DateStyle::Short)),
        ("Insurance ID", facts.member_id().to_owned()),
        ("Gest. age at birth", facts.gestation()),
        ("Birth weight", facts.birth_weight(WeightStyle::Grams)),
        ("Weight today", weight),
        ("Bed", facts.bed().to_owned()),
        ("Breathing support", facts.support().to_owned()),
    ];
    if !admission {
        blanks.push(("Feeding / fluids", facts.feeding()));
        blanks.push(("Medicines", facts.medications().to_owned()));
        blanks.push(("Family / going home", facts.discharge_needs().to_owned()));
        blanks.push(("Next update on", facts.next_review(DateStyle::Short)));
    }
    let mut y = 140.0;
    for (label, value) in blanks {
        sheet.text(60.0, y, 11.0, Face::Serif, label);
        sheet.rule(180.0, y + 3.0, 372.0);
        let end = sheet.paragraph((186.0, y), 366.0, 14.0, Face::Hand, &value);
        y = end.max(y + 18.0) + 12.0;
    }
    sheet.text(60.0, y + 10.0, 11.0, Face::Serif, "Filled in by");
    sheet.text(186.0, y + 10.0, 14.0, Face::Hand, facts.case.facility.reviewer);
    sheet.text(400.0, y + 10.0, 14.0, Face::Hand, &facts.today(DateStyle::Short));
    if admission {
        let words = "This is to notify the plan that this newborn has been admitted to our nursery.";
        sheet.paragraph((60.0, y + 44.0), 480.0, 11.0, Face::Serif, words);
    }
    vec![sheet]
}
