//! Whole papers, in layouts invented for these tests, through [`super::understand`].

use jiff::civil::{Date, date};
use proptest::prelude::*;
use proptest::test_runner::TestRunner;

use super::{TypeRules, understand};
use crate::document::{
    Bounds, DocumentFormat, DocumentType, Page, Reading, ReviewElement, TransferDirection, Understanding, Word,
};
use crate::testing::page_of;

const RECEIVED: Date = date(2027, 5, 14);

fn read(pages: &[&str]) -> Understanding {
    let pages = pages.iter().zip(1..).map(|(text, number)| page_of(number, text)).collect();
    understand(&Reading::new(DocumentFormat::Tiff, pages), &TypeRules::builtin(), RECEIVED)
}

fn value(understood: &Understanding, field: &str) -> Option<String> {
    understood.fields.get(field).map(|field| field.value.to_string())
}

const REVIEW: &str = "\
Lakeview Children's Hospital
Utilization Management - NICU weekly clinical review
Baby's name: Okonkwo, Ada Twin B          Birth date: 4/2/2027
MR No. 88104477          Subscriber ID: ZQX440912233
Admitted: 4/2/2027   Gest age: 31 2/7 weeks   BWT: 3 lb 4 oz
Mother's DOB: 6/6/1996
Status today
Wt today: 1.98 kg
Thermoregulation: incubator, 28.5 C
O2: HFNC 3 L 25%
Nutrition: MBM 24 cal/oz, takes 45% PO
Meds: caffeine
D/C planning: parents learning to feed
Next update due: 5/18/27
Maternal history
Mother is 30, delivered at 31 2/7 weeks, baby needed CPAP, weight 1475 g";

#[test]
fn choices_whose_tick_cannot_be_read_are_no_titles() {
    let choices = "Lakeview Children's Hospital\nPurpose of this form, check one\n\
                   Admission notification   Concurrent review   Transfer notification   Discharge summary   Readmission\n\
                   Baby's name: Okonkwo, Ada   Birth date: 4/2/2027\nMR No. 88104477";
    let read = read(&[choices]);
    let titles: Vec<_> = read.fired_rules.iter().filter(|fired| fired.rule.starts_with("title")).collect();
    assert!(titles.is_empty(), "{titles:?}");
    assert_eq!(read.document_type, DocumentType::Other, "a person looks");
}

#[test]
fn what_is_absent_is_noticed_on_the_first_of_the_pages_looked_at() {
    // Pages 3 and 4 of a document, as they are understood when its first two are about another.
    let text = "Office supplies\nTwenty percent off every chair and desk until the end of the month";
    let pages = [3, 4].map(|number| page_of(number, text)).into();
    let read = understand(&Reading::new(DocumentFormat::Tiff, pages), &TypeRules::builtin(), RECEIVED);
    let absent = read.fired_rules.iter().find(|fired| fired.rule == "nothing of a newborn in it").unwrap();
    assert_eq!(absent.page, 3);
    assert!(read.fired_rules.iter().all(|fired| [3, 4].contains(&fired.page)), "{:?}", read.fired_rules);
}

#[test]
fn a_plans_name_is_not_cut_at_its_bracket() {
    let read = read(&[&REVIEW.replace("Subscriber ID", "Payer: Lakeside Plan (commercial)\nSubscriber ID")]);
    assert_eq!(value(&read, "plan").as_deref(), Some("Lakeside Plan (commercial)"), "{:?}", read.fields.get("plan"));
}

#[test]
fn a_review_gives_its_facts_and_lacks_nothing() {
    let read = read(&[REVIEW]);
    assert_eq!(read.document_type, DocumentType::ConcurrentReview);
    assert!(read.type_confidence > 0.8, "{} {:?}", read.type_confidence, read.fired_rules);
    for (field, expected) in [
        ("dob", "2027-04-02"),
        ("mrn", "88104477"),
        ("member_id", "ZQX440912233"),
        ("admit_date", "2027-04-02"),
        ("gestational_age", "31w2d"),
        ("birth_weight_g", "1474"),
        ("weight_g", "1980"),
        ("bed_type", "isolette"),
        ("resp_support", "hfnc"),
        ("po_percent", "45"),
        ("next_review_date", "2027-05-18"),
    ] {
        assert_eq!(value(&read, field).as_deref(), Some(expected), "{field}");
    }
    assert!(value(&read, "patient_name").is_some_and(|name| name.starts_with("Okonkwo, Ada")));
    assert_eq!(read.missing, []);
    assert!(!read.fired_rules.is_empty());
}

#[test]
fn what_a_review_does_not_give_is_named() {
    let text = "NICU CONCURRENT REVIEW\nPatient: Roe, Jan   DOB: 4/2/2027\nCurrent status\nBed:\nRespiratory support: room air\nMedications None\nDischarge needs: none identified\nWeight trend\n5/12/27   1900 g\nBirth history\nBirth weight: 1400 g";
    let read = read(&[text]);
    assert_eq!(read.document_type, DocumentType::ConcurrentReview);
    assert_eq!(read.missing, [ReviewElement::Weight, ReviewElement::BedType, ReviewElement::Fen]);
    assert_eq!(value(&read, "weight_g"), None, "a birth weight and an old weight are no current weight");
    assert_eq!(value(&read, "birth_weight_g").as_deref(), Some("1400"));
}

#[test]
fn a_table_of_labels_is_read_downwards() {
    let text = "\
NEWBORN ADMISSION NOTIFICATION
Infant Name                    Date of Birth       Sex       Medical Record Number
Vance, Baby Girl               05/12/2027          F         000471123
Facility Name                              Facility NPI
Harbor Point Medical Center                1888812345
The infant was admitted to the NICU for respiratory distress.";
    let read = read(&[text]);
    assert_eq!(read.document_type, DocumentType::AdmissionNotification);
    for (field, expected) in [
        ("patient_name", "Vance, Baby Girl"),
        ("dob", "2027-05-12"),
        ("sex", "F"),
        ("mrn", "000471123"),
        ("facility", "Harbor Point Medical Center"),
    ] {
        assert_eq!(value(&read, field).as_deref(), Some(expected), "{field}");
    }
}

#[test]
fn a_column_does_not_borrow_its_neighbours_value() {
    let text = "\
NEWBORN ADMISSION NOTIFICATION
Medical Record #          Authorization #        Regional Case #
00471123                  77120045               RC-27-0099
Patient: Roe, Jan         Attending: Dr. Lee     Plan Case #
88812345                  99912345";
    let read = read(&[text]);
    assert_eq!(value(&read, "mrn").as_deref(), Some("00471123"));
    assert_eq!(value(&read, "auth_number").as_deref(), Some("77120045"));
    assert_eq!(value(&read, "case_id").as_deref(), Some("RC-27-0099"));
}

#[test]
fn the_mothers_birth_date_is_not_the_babys() {
    let read = read(&[
        "NICU admission notice\nMother: Roe, Ann   DOB: 3/3/1995\nMother's date of birth: 3/3/1995\nNewborn in our NICU",
    ]);
    assert_eq!(value(&read, "dob"), None);
    assert_eq!(value(&read, "mother_name").as_deref(), Some("Roe, Ann"));
}

#[test]
fn the_crossed_box_decides_among_printed_choices() {
    let form = "\
PAYER REQUEST FORM - NEONATAL SERVICES
Type of request: [ ] Prior authorization  [ ] Network exception  [x] Peer-to-peer  [ ] Appeal
Patient: Roe, Jan     DOB: 4/2/2027
Level of care: [] Level I [] Level II [x] Level III [] Level IV
Sex: [ ] Male [x] Female";
    let read = read(&[&form.replace("[ ]", "[]")]);
    assert_eq!(read.document_type, DocumentType::P2pRequest);
    assert_eq!(value(&read, "level_of_care").as_deref(), Some("3"));
    assert_eq!(value(&read, "sex").as_deref(), Some("F"));
}

#[test]
fn each_kind_of_letter_is_told_by_its_purpose() {
    let cases = [
        (
            DocumentType::Discharge,
            "DISCHARGE NOTICE\nBaby Roe was discharged home with his parents on 5/13/2027.\nDischarge weight: 2410 g",
        ),
        (
            DocumentType::Readmission,
            "Notification of Readmission\nThe infant was readmitted to our NICU after discharge home on 5/1/2027.",
        ),
        (
            DocumentType::Appeal,
            "Re: First level appeal\nWe formally appeal the denial of NICU days and ask that the decision be overturned.\nThe infant was admitted to our NICU.",
        ),
        (
            DocumentType::P2pRequest,
            "Request\nDr. Lee would like to schedule a peer to peer with your Medical Director about this NICU infant.",
        ),
        (
            DocumentType::PriorAuthorization,
            "DME ORDER FORM\nApnea monitor for home use, HCPCS E0619, quantity 1, infant leaving the NICU",
        ),
        (
            DocumentType::OutOfNetworkException,
            "Single Case Agreement Request\nOur hospital is no longer contracted with the plan; the infant remains in the NICU.",
        ),
        (
            DocumentType::AdmissionNotification,
            "FACE SHEET\nNewborn admission to NICU\nReason for admission: prematurity",
        ),
        (
            DocumentType::Other,
            "LUNCH SEMINAR\nFree lunch for your staff. RSVP today. To be removed from our list call now.",
        ),
        (
            DocumentType::Other,
            "Cardiology Discharge Summary\nThe patient, a 71 year old man, was discharged on metoprolol and atorvastatin.",
        ),
        (DocumentType::Other, ""),
    ];
    for (expected, text) in cases {
        let read = read(&[text]);
        assert_eq!(read.document_type, expected, "{text}\n{:?}", read.fired_rules);
    }
}

#[test]
fn a_cover_sheet_in_front_does_not_hide_the_type() {
    let cover = "FAX\nTo: NICU care management\nFrom: Utilization review\nRe: NICU clinical\nPlease see attached";
    assert_eq!(read(&[cover, REVIEW]).document_type, DocumentType::ConcurrentReview);
    let discharge =
        "NICU DISCHARGE SUMMARY\nInfant discharged home on 5/13/2027 with parents.\nPlan: follow up appointment";
    assert_eq!(read(&[cover, discharge]).document_type, DocumentType::Discharge);
}

#[test]
fn a_transfer_goes_where_its_levels_and_reason_say() {
    let transfer = |levels: &str, reason: &str| {
        let text = format!(
            "NEONATAL TRANSFER SUMMARY\n{levels}\nReason for transfer: {reason}\nThe infant is being transferred today."
        );
        let read = read(&[&text]);
        assert_eq!(read.document_type, DocumentType::Transfer);
        read.transfer_direction
    };
    let up = "Transferring from: Elm Hospital (Level II)\nReceiving facility: Oak Hospital (Level IV)";
    let down = "Transferring from: Oak Hospital (Level III)\nReceiving facility: Elm Hospital (Level II)";
    assert_eq!(transfer(up, "surgical evaluation"), Some(TransferDirection::Higher));
    assert_eq!(transfer(down, "feeding and growing"), Some(TransferDirection::Lower));
    assert_eq!(transfer("", "unit at capacity, same level"), Some(TransferDirection::Lateral));
    assert_eq!(transfer("", "not stated"), None);
    let beside = "TRANSFERRING FROM          RECEIVING HOSPITAL\nElm Regional Hospital      Oak Children's Hospital\nLevel IE Nursery           Level 1V NICU";
    assert_eq!(transfer(beside, "not stated"), Some(TransferDirection::Higher));
    assert_eq!(transfer(&beside.replace("IE", "1V"), "not stated"), Some(TransferDirection::Lateral));
    assert_eq!(transfer(&beside.replace("1V", "II"), "not stated"), None, "one of them cannot be read");
}

#[test]
fn the_discharge_of_an_earlier_stay_is_no_discharge_date() {
    let read = read(&[
        "NOTICE OF READMISSION\nPatient: Roe, Jan   DOB: 1/2/2027\nPrevious discharge date: 4/20/2027\nReadmission date: 5/12/2027\nNICU infant",
    ]);
    assert_eq!(read.document_type, DocumentType::Readmission);
    assert_eq!(value(&read, "discharge_date"), None);
    assert_eq!(value(&read, "readmit_date").as_deref(), Some("2027-05-12"));
}

#[test]
fn pages_without_words_are_understood_as_other() {
    let reading = Reading::new(DocumentFormat::Pdf, Vec::new());
    let read = understand(&reading, &TypeRules::builtin(), RECEIVED);
    assert_eq!(read.document_type, DocumentType::Other);
    assert!(read.fields.is_empty() && read.missing.is_empty());
}

fn any_word() -> impl Strategy<Value = Word> {
    let text = prop_oneof![
        "\\PC{0,12}",
        proptest::sample::select(vec![
            "Patient:",
            "DOB",
            "3/8/26",
            "Weight",
            "1610",
            "g",
            "[x]",
            "Level",
            "III",
            "MRN#:0471123",
            "PO",
            "45%",
            "Ä/ß:",
            "é#",
            "(MRN:",
            "1/",
            "-",
            "Dx",
            "born",
            "at",
            "29",
            "4/7",
            "discharged",
            "İ",
            "ﬁ",
            "Respiratory:",
            "currently",
            "Twin",
            "B:",
            "A:",
            "Sibling:",
            "weaned",
            "to",
            "isolette",
            "RE:",
            "Next",
            "review",
            "(",
            "//",
            "::",
            "20260-13-45",
        ])
        .prop_map(str::to_owned),
    ];
    let place = prop_oneof![0_u32..2000, Just(u32::MAX)];
    (text, place.clone(), place, 0_u32..400, 0_u32..60, 0.0_f32..1.0, 0_u32..30).prop_map(
        |(text, left, top, width, height, confidence, line)| Word {
            text,
            bounds: Bounds { left, top, width, height },
            confidence,
            line,
        },
    )
}

#[test]
fn no_words_whatever_make_understanding_panic() {
    // Compiled once: the rules cost more than a page.
    let rules = TypeRules::builtin();
    let config = ProptestConfig { cases: 256, failure_persistence: None, ..ProptestConfig::default() };
    let words = proptest::collection::vec(any_word(), 0..120);
    TestRunner::new(config)
        .run(&words, |words| {
            let page = Page { words, ..page_of(1, "") };
            let reading = Reading::new(DocumentFormat::Tiff, vec![page]);
            let read = understand(&reading, &rules, RECEIVED);
            prop_assert!((0.0..=1.0).contains(&read.type_confidence));
            prop_assert!(read.fields.values().all(|field| field.page == 1 && (0.0..=1.0).contains(&field.confidence)));
            Ok(())
        })
        .unwrap();
}

const TRANSFER: &str = "INTERFACILITY NEONATAL TRANSFER RECORD\nInfant: Roe, Jan   Born: 4/2/2027\nDate of transfer: 5/13/2027\nREASON FOR TRANSFER";

#[test]
fn a_ticked_choice_decides_where_a_transfer_goes() {
    use TransferDirection::{Higher, Lateral, Lower};
    let choices = [
        (Higher, "Higher level of care: a service not available here"),
        (Lateral, "Lateral: same level of care (bed capacity or family request)"),
        (Lower, "Back transfer: lower level of care, convalescent"),
    ];
    for (direction, _) in choices {
        let rows: String = choices
            .iter()
            .map(|(choice, label)| ["\n[", if *choice == direction { "X" } else { " " }, "] ", label].concat())
            .collect();
        let read = read(&[&format!("{TRANSFER}{rows}")]);
        assert_eq!(read.transfer_direction, Some(direction), "{rows}");
    }
}

#[test]
fn choices_without_a_legible_tick_tell_no_direction() {
    let rows = "Higher level of care: a service not available here\nDD Lateral: same level of care (bed capacity or family request)\nCJ Back transfer: lower level of care, convalescent";
    assert_eq!(read(&[&format!("{TRANSFER}\n{rows}")]).transfer_direction, None);
    let reason = "Unit at capacity; parents ask for a hospital with the same services.";
    let direction = read(&[&format!("{TRANSFER}\n{rows}\n{reason}")]).transfer_direction;
    assert_eq!(direction, Some(TransferDirection::Lateral), "the reason tells it");
}

#[test]
fn a_flowsheet_gives_the_weight_of_its_newest_day_in_either_order() {
    for (days, weights) in [
        ("5/11/2027   5/12/2027   5/13/2027", "2102        2123        2144"),
        ("5/13/2027   5/12/2027   5/11/2027", "2144        2123        2102"),
        ("5/12/2027   5/13/2027   5/16/2027", "2123        2144        2190"),
    ] {
        let text = format!(
            "NICU clinical update\nPt: Roe, Jan   DOB: 4/2/2027\n               {days}\nWeight (g)     {weights}"
        );
        assert_eq!(value(&read(&[&text]), "weight_g").as_deref(), Some("2144"), "{days}");
    }
}

#[test]
fn a_value_below_its_label_in_a_narrow_column_is_taken_and_the_next_heading_is_not() {
    let gap = " ".repeat(50);
    let text =
        format!("Discharge Summary\nName{gap}Hospital course\nRoe, Jonah\nMother{gap}Screens\nTamsin Roe\nSex\nMale");
    let read = read(&[&text]);
    assert_eq!(value(&read, "patient_name").as_deref(), Some("Roe, Jonah"));
    assert_eq!(value(&read, "mother_name").as_deref(), Some("Tamsin Roe"));
}

#[test]
fn a_name_before_the_record_number_is_the_patients_but_not_a_siblings() {
    let named = read(&["Moss, Baby Girl          MRN HG204120\nNICU Progress Note"]);
    assert_eq!(value(&named, "patient_name").as_deref(), Some("Moss, Baby Girl"));
    let sibling = read(&["Sibling Moss, Baby Girl MRN HG204120\nNICU Progress Note"]);
    assert_eq!(value(&sibling, "patient_name"), None);
}

#[test]
fn support_below_its_heading_is_not_missing() {
    let text = "NICU Clinical Update\nPatient: Roe, Jan   DOB: 4/2/2027\nOBJECTIVE\nCurrent weight 2075 g. Bed: open crib.\nRESPIRATORY\nHFNC 3 L/min, FiO2 0.24\nMEDICATIONS\ncaffeine citrate";
    let read = read(&[text]);
    assert_eq!(value(&read, "resp_support").as_deref(), Some("hfnc"));
    assert!(!read.missing.contains(&ReviewElement::Resp), "{:?}", read.missing);
}

#[test]
fn a_forms_name_does_not_outweigh_what_it_says() {
    let form = "Lakeview Hospital\nUtilization Review Fax Form - Neonatal\nInfant name: Roe, Jan";
    let home = read(&[&format!("{form}\nInfant went home with parents. See the pediatrician within 48 hours.")]);
    assert_eq!(home.document_type, DocumentType::Discharge, "{:?}", home.fired_rules);
    let admitted = read(&[&format!("{form}\nNew admission to the NICU. Please assign a reviewer.")]);
    assert_eq!(admitted.document_type, DocumentType::AdmissionNotification, "{:?}", admitted.fired_rules);
}

#[test]
fn facts_in_a_nurses_sentences_are_taken() {
    let text = "Lakeview Hospital - clinical update\nRoe, Jan, DOB 4/2/2027, MR 48220349, auth # 2621539314\nMother is Luana Roe. Born at 30 0/7 weeks weighing 1210 g, in our unit since 4/3/2027.\nRequesting further days; will send the next review on 5/18/2027.";
    let read = read(&[text]);
    for (field, expected) in [
        ("patient_name", "Roe, Jan"),
        ("mrn", "48220349"),
        ("mother_name", "Luana Roe"),
        ("birth_weight_g", "1210"),
        ("admit_date", "2027-04-03"),
        ("next_review_date", "2027-05-18"),
    ] {
        assert_eq!(value(&read, field).as_deref(), Some(expected), "{field}");
    }
    assert_eq!(value(&read, "weight_g"), None);
}

/// A review of a baby with this name in it, and these rows below its numbers.
fn twin_review(name: &str, rows: &str) -> Understanding {
    read(&[&format!("NICU CONCURRENT REVIEW\nPatient: {name}\nMRN: HG204203 DOB: 04/02/2027\n{rows}")])
}

#[test]
fn what_is_said_of_a_twin_is_not_the_babys() {
    for said in [
        "Twin B: weight 1900 g, on CPAP, isolette.",
        "Baby Boy B: weight 1900 g, CPAP, isolette",
        "Infant B weight 1900 g, bed isolette, resp CPAP",
        "B: weight 1900 g; CPAP; isolette. (twin)",
        "Sibling: weight 1900 g; isolette; CPAP",
        "Co-twin is in isolette on CPAP, current weight 1900 g",
        "Twin sister remains on CPAP,\ncurrent weight 1900 g, bed: isolette",
        "Twin B's current weight 1900 g. Twin B remains on CPAP in isolette.",
    ] {
        let read = twin_review("Whitcombe, Baby Boy A", said);
        for field in ["weight_g", "bed_type", "resp_support"] {
            assert_eq!(value(&read, field), None, "{field}: {said}");
        }
        for element in [ReviewElement::Weight, ReviewElement::BedType, ReviewElement::Resp] {
            assert!(read.missing.contains(&element), "{said}: {:?}", read.missing);
        }
        assert_eq!(value(&read, "mrn").as_deref(), Some("HG204203"), "{said}");
        let own = twin_review("Whitcombe, Baby Boy A", &format!("{said}\nCurrent weight 2178 g. Open crib."));
        assert_eq!(value(&own, "weight_g").as_deref(), Some("2178"), "{said}");
    }
}

#[test]
fn of_two_twins_the_babys_own_clause_is_taken_and_neither_where_its_letter_is_not_known() {
    for (name, weight) in [
        ("Whitcombe, Baby Boy A", Some("2178")),
        ("Whitcombe, Baby Boy B", Some("1900")),
        ("Whitcombe, Ada (Twin B)", Some("1900")),
        ("Whitcombe, Ada", None),
        ("Whitcombe twins (A and B)", None),
    ] {
        for rows in [
            "Twins\nA: weight 2178 g    B: weight 1900 g",
            "Twin A: weight 2178 g. Twin B: weight 1900 g.",
            "Twin B: weight 1900 g\nTwin A: weight 2178 g",
            "Infant A: weight 2178 g, Infant B: weight 1900 g",
        ] {
            let read = twin_review(name, rows);
            assert_eq!(value(&read, "weight_g").as_deref(), weight, "{name}: {rows}");
        }
    }
}

#[test]
fn letters_that_introduce_nobody_hide_nothing() {
    for (name, before) in [
        ("Okonkwo, Ada Twin A", "Di-di twins. Twin gestation:"),
        ("Okonkwo, Baby Girl A", "Hepatitis B:"),
        ("Okonkwo, Baby Girl A", "Plan B:"),
        ("Okonkwo, Baby Girl A", "Vitamin B: given."),
        ("Okonkwo, Baby Girl A", "Mother Group B strep positive,"),
        ("Okonkwo, Baby Girl A", "Apgars 8 and 9. Twin A of twin gestation."),
        ("Okonkwo, Baby Girl B", "A/B/D events: none."),
        ("Okonkwo, Baby Girl B", "A/P: growing twin."),
        ("Okonkwo, Baby Girl B", "A: growing twin,"),
        ("Okonkwo, Ada", "Twin B."),
        ("Okonkwo, Baby Girl A", "S: twin\nB: 31 weeks, CPAP\nA: stable on CPAP,"),
    ] {
        let read = twin_review(name, &format!("{before} Weight: 2178 g. Bed: isolette. Resp: CPAP"));
        for (field, expected) in [("weight_g", "2178"), ("bed_type", "isolette"), ("resp_support", "cpap")] {
            assert_eq!(value(&read, field).as_deref(), Some(expected), "{field}: {name}: {before}");
        }
    }
    let own = read(&[
        "NICU CONCURRENT REVIEW\nBaby Boy A Whitcombe    DOB 04/02/2027    MRN HG204203\nTwin A: weight 2178 g",
    ]);
    assert_eq!(value(&own, "mrn").as_deref(), Some("HG204203"));
    assert_eq!(value(&own, "weight_g").as_deref(), Some("2178"));
}

#[test]
fn bed_and_support_in_a_nurses_prose_are_taken() {
    for (said, bed, support) in [
        ("Infant is in an open crib on room air, weight 2450 g today.", "open_crib", "room_air"),
        ("Room air, open crib, PO 80%", "open_crib", "room_air"),
        ("Ada remains in an isolette at 28.5 C on CPAP +5.", "isolette", "cpap"),
        ("Weaned from CPAP to room air on 5/12. Infant is in an open crib.", "open_crib", "room_air"),
        ("Baby is on HFNC 2 L in isolette.", "isolette", "hfnc"),
        ("Infant in open crib, on room air, plan to discharge soon.", "open_crib", "room_air"),
    ] {
        let read = twin_review("Roe, Ada", &format!("Seen this morning\n{said}"));
        assert_eq!(value(&read, "bed_type").as_deref(), Some(bed), "{said}");
        assert_eq!(value(&read, "resp_support").as_deref(), Some(support), "{said}");
        assert!(!read.missing.contains(&ReviewElement::Resp), "{said}");
    }
}

#[test]
fn a_support_that_was_or_is_to_be_is_not_the_babys() {
    for said in [
        "Infant was on room air until 5/10.",
        "On CPAP until 5/10.",
        "Room air prior to transfer.",
        "CPAP in the delivery room.",
        "Plan to wean to room air.",
        "Goal is room air.",
        "Infant will be weaned to room air.",
        "Discharge when on room air.",
        "Infant is not on room air.",
        "Room air\nNasal cannula\nCPAP",
        "Mother is on room air.",
    ] {
        let read = twin_review("Roe, Ada", &format!("Seen this morning\n{said}"));
        assert_eq!(value(&read, "resp_support"), None, "{said}");
        assert!(read.missing.contains(&ReviewElement::Resp), "{said}");
    }
}
