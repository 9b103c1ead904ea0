//! Prose: a letter, a discharge summary in two columns, a memo of a readmission.

use nicufaxd::document::DocumentType;

use super::super::facts::{DateStyle, Facts, NameStyle, WeightStyle};
use super::super::registry::after;
use super::super::sheet::{Face, Fonts, Sheet};

/// A letter on the hospital's paper: peer-to-peer, appeal, out-of-network, or a plain one.
pub fn letter<'f>(fonts: &'f Fonts, facts: &Facts<'_>, kind: DocumentType) -> Vec<Sheet<'f>> {
    let facility = facts.case.facility;
    let mut sheet = Sheet::new(fonts);
    sheet.centre(60.0, 18.0, Face::SerifBold, facts.facility());
    sheet.centre(
        76.0,
        10.0,
        Face::Serif,
        &format!("{}  |  telephone {}  |  fax {}", facility.town, facility.phone, facility.fax),
    );
    sheet.rule(72.0, 84.0, 468.0);
    sheet.text(72.0, 116.0, 11.5, Face::Serif, &facts.today(DateStyle::Long));
    let mut y = 146.0;
    let mut about = vec![
        format!("Re: {}", super::title(kind)),
        format!("Patient: {}", facts.patient(NameStyle::FirstLast)),
        format!("Date of birth: {}", facts.dob(DateStyle::Long)),
    ];
    for (label, number) in [
        ("Medical record", facts.mrn()),
        ("Member ID", facts.member_id()),
        ("Reference / authorization", facts.auth_number()),
    ] {
        if !number.is_empty() {
            about.push(format!("{label}: {number}"));
        }
    }
    for line in about {
        sheet.text(108.0, y, 11.5, Face::SerifBold, &line);
        y += 15.0;
    }
    let name = facts.patient(NameStyle::FirstLast);
    let denied = DateStyle::Long.write(after(facts.written, -4));
    let body = match kind {
        DocumentType::P2pRequest => format!(
            "Dear Medical Director:\nI am asking for a peer-to-peer conversation about the adverse determination dated \
             {denied}, by which NICU days for {name} were not approved at the level requested. I am the attending \
             neonatologist and can be reached at {} on weekdays between 1 and 4 pm. Please call me or my office to \
             arrange a time within the peer-to-peer window.\nThe infant, born at {}, now weighs {} and is on {}.",
            facility.phone,
            facts.gestation(),
            facts.weight(WeightStyle::Grams),
            facts.support()
        ),
        DocumentType::Appeal => format!(
            "To the Appeals Department:\nOn behalf of {name} and family we appeal the denial dated {denied}, upheld after \
             peer-to-peer discussion. This is a formal first-level appeal. We ask that a board-certified \
             neonatologist reconsider the decision and overturn it.\nThe infant was born at {} weighing {} and was \
             admitted on {}. During the denied days continuous monitoring for apnea was needed. The record of the stay is \
             available on request.",
            facts.gestation(),
            facts.birth_weight(WeightStyle::Grams),
            facts.admit_date(DateStyle::Long)
        ),
        DocumentType::OutOfNetworkException => format!(
            "To Network Services:\nOur hospital's contract with the plan ended this year and we are now out of network. We \
             request a network exception so that {name} may stay in our {} without interruption of care until discharge. \
             Moving a fragile infant would put the baby at risk. Mother: {}. Admitted {}.",
            facility.unit,
            facts.mother(NameStyle::FirstLast),
            facts.admit_date(DateStyle::Long)
        ),
        DocumentType::AdmissionNotification
        | DocumentType::ConcurrentReview
        | DocumentType::Transfer
        | DocumentType::Discharge
        | DocumentType::Readmission
        | DocumentType::PriorAuthorization
        | DocumentType::Other => format!(
            "To the case manager:\nThis letter brings you up to date on {name}, admitted {}. Weight today is {}. Bed: {}. \
             Respiratory status: {}. Nutrition: {}. Medications: {}. Family and discharge: {}. We ask for approval of \
             continued stay and will write again on {}.",
            facts.admit_date(DateStyle::Long),
            facts.weight(WeightStyle::Kilograms),
            facts.bed(),
            facts.support(),
            facts.feeding(),
            facts.medications(),
            facts.discharge_needs(),
            facts.next_review(DateStyle::Long)
        ),
    };
    let end = sheet.paragraph((72.0, y + 18.0), 468.0, 11.5, Face::Serif, &body);
    sheet.text(72.0, end + 14.0, 11.5, Face::Serif, "Sincerely,");
    sheet.text(84.0, end + 44.0, 17.0, Face::Hand, facility.neonatologist.split(',').next().unwrap_or_default());
    sheet.text(72.0, end + 62.0, 11.5, Face::Serif, facility.neonatologist);
    vec![sheet]
}

/// A discharge summary: facts in a narrow left column, the course in a wide right one.
pub fn discharge_summary<'f>(fonts: &'f Fonts, facts: &Facts<'_>, _kind: DocumentType) -> Vec<Sheet<'f>> {
    let mut sheet = Sheet::new(fonts);
    sheet.text(36.0, 54.0, 17.0, Face::SansBold, "Discharge Summary");
    sheet.right(576.0, 54.0, 11.0, Face::Sans, facts.facility());
    sheet.rule(36.0, 62.0, 540.0);
    sheet.black(206.0, 74.0, 0.9, 640.0);
    let column = [
        ("Name", facts.patient(NameStyle::LastFirst)),
        ("Born", facts.dob(DateStyle::Dashes)),
        ("Sex", facts.sex_word().to_owned()),
        ("MRN", facts.mrn().to_owned()),
        ("Mother", facts.mother(NameStyle::FirstLast)),
        ("Admission date", facts.admit_date(DateStyle::Dashes)),
        ("Discharge date", facts.discharge_date(DateStyle::Dashes)),
        ("Gestational age", facts.gestation()),
        ("Birth weight", facts.birth_weight(WeightStyle::Grams)),
        ("Discharge weight", facts.weight(WeightStyle::Grams)),
        ("Disposition", "Home with parents".to_owned()),
    ];
    let mut y = 88.0;
    for (label, value) in column.iter().filter(|(_, value)| !value.is_empty()) {
        sheet.text(36.0, y, 8.5, Face::SansBold, label);
        y = sheet.paragraph((36.0, y + 13.0), 160.0, 10.5, Face::Sans, value) + 8.0;
    }
    let sections = [
        ("Hospital course", "Admitted after birth for prematurity. Weaned from support without setback. Treated with phototherapy for two days. Advanced to full feeds by mouth.".to_owned()),
        ("Nutrition at discharge", facts.feeding()),
        ("Medications at discharge", facts.medications().to_owned()),
        ("Screens", "Hearing passed both ears. Critical congenital heart disease screen passed. Car seat test passed. Hepatitis B vaccine given.".to_owned()),
        ("Follow-up", "Pediatrician within 48 hours; neonatal follow-up clinic in 6 weeks; eye examination in 2 weeks.".to_owned()),
        ("Instructions", "Safe sleep on the back. Call for fever, poor feeding or fewer than six wet diapers a day.".to_owned()),
    ];
    let mut y = 88.0;
    for (heading, text) in sections {
        sheet.text(220.0, y, 11.0, Face::SansBold, heading);
        y = sheet.paragraph((220.0, y + 16.0), 354.0, 10.5, Face::Sans, &text) + 12.0;
    }
    sheet.text(220.0, y + 14.0, 10.0, Face::Sans, &format!("Dictated by {}", facts.case.facility.neonatologist));
    vec![sheet]
}

/// A memo: the baby went home and is back.
pub fn readmission_memo<'f>(fonts: &'f Fonts, facts: &Facts<'_>, kind: DocumentType) -> Vec<Sheet<'f>> {
    let mut sheet = Sheet::new(fonts);
    sheet.text(50.0, 70.0, 11.0, Face::MonoBold, "M E M O");
    let typefaces = (Face::MonoBold, Face::Mono);
    for (place, (label, value)) in
        [("TO:     ", "NICU utilization management"), ("FROM:   ", facts.facility()), ("SUBJECT:", super::title(kind))]
            .into_iter()
            .enumerate()
    {
        sheet.pair((50.0, 96.0 + 16.0 * place as f32), 10.5, typefaces, label, value);
    }
    sheet.text(50.0, 150.0, 10.5, Face::Mono, &"-".repeat(80));
    let earlier = DateStyle::Slashes.write(after(facts.written, -6));
    let mut text = format!("{}, born {}, ", facts.patient(NameStyle::FirstLast), facts.dob(DateStyle::Slashes));
    if !facts.mrn().is_empty() {
        text.push_str(&format!("record {}, ", facts.mrn()));
    }
    text.push_str(&format!(
        "was discharged home from our nursery on {earlier} and was readmitted through the emergency department on {} with \
         poor feeding and fever.\nMother: {}\n",
        facts.readmit_date(DateStyle::Slashes),
        facts.mother(NameStyle::FirstLast)
    ));
    if !facts.member_id().is_empty() {
        text.push_str(&format!("Member ID: {}\n", facts.member_id()));
    }
    text.push_str(&format!(
        "Working diagnosis: rule-out sepsis, bronchiolitis. Current weight {}. Support: {}. Please advise who will review \
         this readmission.",
        facts.weight(WeightStyle::Grams),
        facts.support()
    ));
    let end = sheet.paragraph((50.0, 176.0), 510.0, 10.5, Face::Mono, &text);
    sheet.text(
        50.0,
        end + 16.0,
        10.5,
        Face::Mono,
        &format!("{}  {}", facts.case.facility.reviewer, facts.case.facility.phone),
    );
    vec![sheet]
}
