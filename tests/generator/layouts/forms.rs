//! Forms: utilization review with boxes to tick, equipment request with a table of codes, transfer between hospitals.

use nicufaxd::document::DocumentType;
use nicufaxd::document::TransferDirection::{Higher, Lateral, Lower};

use super::super::facts::{DateStyle, Facts, NameStyle, WeightStyle};
use super::super::sheet::{Face, Fonts, Sheet};

/// A one-page utilization review form; what it is for is told only by the box that is ticked.
pub fn ticked_form<'f>(fonts: &'f Fonts, facts: &Facts<'_>, kind: DocumentType) -> Vec<Sheet<'f>> {
    let mut sheet = Sheet::new(fonts);
    sheet.frame(34.0, 34.0, 544.0, 42.0);
    sheet.text(42.0, 52.0, 13.0, Face::SansBold, facts.facility());
    sheet.text(42.0, 68.0, 10.0, Face::Sans, "Utilization Review Fax Form - Neonatal");
    sheet.right(570.0, 68.0, 10.0, Face::Sans, &format!("Date: {}", facts.today(DateStyle::Slashes)));
    sheet.text(36.0, 98.0, 10.0, Face::SansBold, "TYPE OF SUBMISSION (check one)");
    let choices = [
        (DocumentType::AdmissionNotification, "Admission notification"),
        (DocumentType::ConcurrentReview, "Concurrent review"),
        (DocumentType::Transfer, "Transfer"),
        (DocumentType::Discharge, "Discharge notification"),
        (DocumentType::Readmission, "Readmission"),
        (DocumentType::P2pRequest, "Peer to peer"),
    ];
    for (place, (choice, label)) in choices.into_iter().enumerate() {
        let (x, y) = (40.0 + 180.0 * (place % 3) as f32, 116.0 + 18.0 * (place / 3) as f32);
        sheet.tick(x, y, 10.0, Face::Sans, choice == kind, label);
    }
    let left = [
        ("Infant name", facts.patient(NameStyle::LastFirst)),
        ("Date of birth", facts.dob(DateStyle::Slashes)),
        ("Medical record #", facts.mrn().to_owned()),
        ("Member ID", facts.member_id().to_owned()),
        ("Auth #", facts.auth_number().to_owned()),
    ];
    let last = if kind == DocumentType::Discharge {
        ("Discharge date", facts.discharge_date(DateStyle::Slashes))
    } else {
        ("Level of care", facts.level())
    };
    let right = [
        ("Mother", facts.mother(NameStyle::LastFirst)),
        ("Admit date", facts.admit_date(DateStyle::Slashes)),
        ("GA at birth", facts.gestation()),
        ("Birth weight", facts.birth_weight(WeightStyle::Grams)),
        last,
    ];
    for (place, ((label, value), (other, other_value))) in left.into_iter().zip(right).enumerate() {
        let y = 168.0 + 22.0 * place as f32;
        sheet.text(36.0, y, 9.5, Face::SansBold, &format!("{label}:"));
        sheet.text(130.0, y, 10.5, Face::Sans, &value);
        sheet.text(330.0, y, 9.5, Face::SansBold, &format!("{other}:"));
        sheet.text(410.0, y, 10.5, Face::Sans, &other_value);
        sheet.rule(36.0, y + 5.0, 540.0);
    }
    let mut y = 300.0;
    sheet.shade(36.0, y - 13.0, 540.0, 18.0);
    sheet.text(42.0, y, 10.5, Face::SansBold, "CLINICAL");
    y += 22.0;
    let weight = facts.weight(WeightStyle::Grams);
    let bed = facts.bed();
    if !weight.is_empty() {
        sheet.pair((42.0, y), 10.0, (Face::SansBold, Face::Sans), "Current weight:", &weight);
    }
    if !bed.is_empty() {
        let mut x = sheet.text(260.0, y, 10.0, Face::SansBold, "Bed:") + 8.0;
        for choice in ["isolette", "open crib", "radiant warmer"] {
            x = sheet.tick(x, y, 9.5, Face::Sans, choice == bed, choice) + 12.0;
        }
    }
    y += 22.0;
    for (label, text) in [
        ("Respiratory", facts.support().to_owned()),
        ("FEN", facts.feeding()),
        ("Medications", facts.medications().to_owned()),
        ("Social / discharge needs", facts.discharge_needs().to_owned()),
    ] {
        if !text.is_empty() {
            sheet.text(42.0, y, 10.0, Face::SansBold, &format!("{label}:"));
            y = sheet.paragraph((170.0, y), 400.0, 10.0, Face::Sans, &text) + 8.0;
        }
    }
    let closing = match kind {
        DocumentType::Discharge => "Infant went home with parents. Follow-up with the pediatrician within 48 hours.",
        DocumentType::AdmissionNotification => "New admission to the NICU. Please assign a reviewer.",
        DocumentType::ConcurrentReview
        | DocumentType::Transfer
        | DocumentType::Readmission
        | DocumentType::P2pRequest
        | DocumentType::Appeal
        | DocumentType::PriorAuthorization
        | DocumentType::OutOfNetworkException
        | DocumentType::Other => "Please fax the determination to the number below.",
    };
    sheet.text(42.0, y + 12.0, 10.0, Face::Sans, closing);
    sheet.text(
        42.0,
        y + 30.0,
        10.0,
        Face::Sans,
        &format!(
            "Contact: {}  {}  fax {}",
            facts.case.facility.reviewer, facts.case.facility.phone, facts.case.facility.fax
        ),
    );
    vec![sheet]
}

/// A request for equipment and home care, with a table of codes.
pub fn equipment_request<'f>(fonts: &'f Fonts, facts: &Facts<'_>, kind: DocumentType) -> Vec<Sheet<'f>> {
    let mut sheet = Sheet::new(fonts);
    sheet.centre(52.0, 16.0, Face::SansBold, super::title(kind).to_uppercase().as_str());
    sheet.centre(68.0, 9.5, Face::Sans, "Durable medical equipment / home health / specialty drug");
    sheet.text(40.0, 96.0, 10.0, Face::SansBold, "SECTION 1 - MEMBER");
    sheet.frame(40.0, 102.0, 532.0, 62.0);
    let typefaces = (Face::Sans, Face::SansBold);
    sheet.pair((48.0, 120.0), 10.0, typefaces, "Member name", &facts.patient(NameStyle::FirstLast));
    sheet.pair((330.0, 120.0), 10.0, typefaces, "Birth date", &facts.dob(DateStyle::Slashes));
    sheet.pair((48.0, 138.0), 10.0, typefaces, "Member number", facts.member_id());
    sheet.pair((330.0, 138.0), 10.0, typefaces, "Gender", facts.sex_word());
    sheet.pair((48.0, 156.0), 10.0, typefaces, "Parent", &facts.mother(NameStyle::FirstLast));
    sheet.text(40.0, 188.0, 10.0, Face::SansBold, "SECTION 2 - REQUESTING PROVIDER");
    sheet.frame(40.0, 194.0, 532.0, 44.0);
    sheet.pair((48.0, 212.0), 10.0, typefaces, "Hospital", facts.facility());
    sheet.pair((330.0, 212.0), 10.0, typefaces, "NPI", facts.case.facility.npi);
    sheet.pair((48.0, 230.0), 10.0, typefaces, "Physician", facts.case.facility.neonatologist);
    sheet.pair((330.0, 230.0), 10.0, typefaces, "Hospital record", facts.mrn());
    sheet.text(40.0, 262.0, 10.0, Face::SansBold, "SECTION 3 - SERVICES REQUESTED");
    let table = [
        ["HCPCS", "Description", "Units", "Start"],
        ["E0619", "Apnea monitor with recording feature", "3 months", "on discharge"],
        ["E1390", "Oxygen concentrator, single port", "3 months", "on discharge"],
        ["T1030", "Nursing care in the home, per visit", "8 visits", "week 1"],
    ];
    let columns = [40.0, 110.0, 380.0, 470.0, 572.0];
    for (row, cells) in table.iter().enumerate() {
        let top = 270.0 + 22.0 * row as f32;
        for (column, cell) in cells.iter().enumerate() {
            sheet.frame(columns[column], top, columns[column + 1] - columns[column], 22.0);
            let face = if row == 0 { Face::SansBold } else { Face::Sans };
            sheet.text(columns[column] + 5.0, top + 15.0, 9.5, face, cell);
        }
    }
    let words = format!(
        "Medical necessity: former premature infant born at {}, now {}. Going home on low-flow oxygen by nasal cannula with \
         a monitor. Prior authorization is requested before discharge so that delivery to the bedside can be arranged.",
        facts.gestation(),
        facts.weight(WeightStyle::Grams)
    );
    sheet.paragraph((40.0, 388.0), 532.0, 10.5, Face::Sans, &words);
    sheet.tick(40.0, 470.0, 10.0, Face::Sans, false, "Expedited (72 hours)");
    sheet.tick(220.0, 470.0, 10.0, Face::Sans, true, "Standard");
    vec![sheet]
}

/// A transfer form: sending and receiving hospital side by side, the reason ticked.
pub fn transfer_form<'f>(fonts: &'f Fonts, facts: &Facts<'_>, _kind: DocumentType) -> Vec<Sheet<'f>> {
    let mut sheet = Sheet::new(fonts);
    let receiving = facts.receiving();
    sheet.centre(54.0, 15.0, Face::SerifBold, "INTERFACILITY NEONATAL TRANSFER RECORD");
    sheet.frame(36.0, 72.0, 270.0, 84.0);
    sheet.frame(306.0, 72.0, 270.0, 84.0);
    for (x, heading, name, unit, phone) in [
        (44.0, "TRANSFERRING FROM", facts.facility(), facts.case.facility.unit, facts.case.facility.phone),
        (314.0, "RECEIVING HOSPITAL", receiving.name, receiving.unit, receiving.phone),
    ] {
        sheet.text(x, 88.0, 9.0, Face::SansBold, heading);
        sheet.text(x, 108.0, 11.0, Face::Serif, name);
        sheet.text(x, 126.0, 10.0, Face::Serif, unit);
        sheet.text(x, 144.0, 10.0, Face::Serif, phone);
    }
    let typefaces = (Face::SerifBold, Face::Serif);
    sheet.pair((36.0, 184.0), 11.0, typefaces, "Infant:", &facts.patient(NameStyle::LastFirst));
    sheet.pair((330.0, 184.0), 11.0, typefaces, "Born:", &facts.dob(DateStyle::Slashes));
    sheet.pair((36.0, 204.0), 11.0, typefaces, "Chart no.:", facts.mrn());
    sheet.pair((330.0, 204.0), 11.0, typefaces, "Sex:", facts.sex_word());
    sheet.pair((36.0, 224.0), 11.0, typefaces, "Mother:", &facts.mother(NameStyle::FirstLast));
    sheet.pair((330.0, 224.0), 11.0, typefaces, "Admitted:", &facts.admit_date(DateStyle::Slashes));
    sheet.pair((36.0, 244.0), 11.0, typefaces, "Date of transfer:", &facts.transfer_date(DateStyle::Slashes));
    sheet.pair((330.0, 244.0), 11.0, typefaces, "Weight:", &facts.weight(WeightStyle::Grams));
    sheet.text(36.0, 276.0, 11.0, Face::SerifBold, "REASON FOR TRANSFER");
    let direction = super::super::family::direction(facts.case.facility, receiving);
    for (place, (choice, label)) in [
        (Higher, "Higher level of care: needs a service not available at the sending hospital"),
        (Lateral, "Lateral: same level of care (bed capacity or family request)"),
        (Lower, "Back transfer: lower level of care, convalescent, nearer to home"),
    ]
    .into_iter()
    .enumerate()
    {
        sheet.tick(44.0, 298.0 + 20.0 * place as f32, 11.0, Face::Serif, choice == direction, label);
    }
    let reason = match direction {
        Higher => "Abdominal distension with bilious aspirates; pediatric surgery evaluation is needed.",
        Lateral => "Unit at capacity; parents ask for a hospital closer to their home with the same services.",
        Lower => "Stable and growing; no longer needs intensive care, continues feeding practice nearer to home.",
    };
    let text = format!(
        "{reason}\nCurrent support: {}. Bed: {}. Feeds: {}. Accepting physician {}. Transport team with nurse and \
         respiratory therapist; consent signed by the mother.",
        facts.support(),
        facts.bed(),
        facts.feeding(),
        receiving.neonatologist
    );
    let end = sheet.paragraph((36.0, 376.0), 540.0, 11.0, Face::Serif, &text);
    sheet.text(
        36.0,
        end + 20.0,
        11.0,
        Face::Serif,
        &format!("Sending physician: {}", facts.case.facility.neonatologist),
    );
    vec![sheet]
}
