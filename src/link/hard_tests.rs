//! The hard cases, one by one: what a careful nurse would link at once, and what she would query.

use super::tests::{Baby, MAREN, TWIN_A, TWIN_B, assert_left, assert_linked, linked, registry};
use crate::document::MatchStatus;

const FAMILY: &str = "DOB: 02/11/2026\nMember ID: WQX700300400\nMother: Adaeze Okonjo";

/// A singleton without a name of its own.
const NAMELESS: Baby = Baby { name: ["Baby Girl", "Tolvik"], ..MAREN };

#[test]
fn a_twins_number_that_is_one_digit_from_its_siblings_needs_a_second_mark() {
    let registry = registry(&[TWIN_A, TWIN_B]);
    let found = assert_left(&registry, &format!("Patient: Okonjo, Infant {FAMILY}\nMRN: MR-440210"));
    let reason = "only one character of the mrn tells it from sibling K-201";
    assert!(found.reasons.iter().any(|one| one == reason), "{found:?}");
    for second in ["Auth #: 8830055001", "Birth order: Twin A", "Case ID: K-200"] {
        assert_linked(&registry, &format!("Patient: Okonjo, Infant {FAMILY}\nMRN: MR-440210\n{second}"), "K-200");
    }
    let found = linked(
        &registry,
        &[&format!("Patient: Okonjo, Infant {FAMILY}\nMRN: MR-440210"), "Okonjo MRN MR-440210 Page 2"],
    );
    assert_eq!(found.case_id.as_deref(), Some("K-200"), "two pages bear it: {found:?}");
    let boy = Baby { name: ["Baby Boy B", "Okonjo"], sex: "M", ..TWIN_B };
    let text = format!("Patient: Okonjo, Infant {FAMILY}\nSex: Male\nMRN: MR-440211");
    assert_linked(&super::tests::registry(&[TWIN_A, boy]), &text, "K-201");
}

#[test]
fn a_document_about_the_mother_alone_has_her_babies_as_candidates() {
    let mother = "Patient: Adaeze Okonjo\nDOB: 06/03/1994\nPostpartum day 3, visits the NICU daily.";
    let found = assert_left(&registry(&[TWIN_A, TWIN_B, MAREN]), mother);
    assert_eq!(found.status, MatchStatus::Ambiguous);
    let listed: Vec<&str> = found.candidates.iter().map(|one| one.case_id.as_str()).collect();
    assert!(listed.contains(&"K-200") && listed.contains(&"K-201") && !listed.contains(&"K-100"), "{listed:?}");
    let found = assert_left(&registry(&[NAMELESS]), "Patient: Ingrid Tolvik\nDOB: 06/03/1994\nMRN: 7781234");
    assert_eq!(found.candidates.first().map(|one| one.case_id.as_str()), Some("K-100"), "{found:?}");
}

#[test]
fn running_text_that_names_the_baby_tells_whose_number_it_gives() {
    let registry = registry(&[TWIN_A, TWIN_B]);
    let about = "This is to inform you about Okonjo, Chioma, born 02/11/2026";
    assert_linked(
        &registry,
        &format!("{about} (MRN MR-440210, authorization 8830055001, admitted 02/11/2026"),
        "K-200",
    );
    assert_linked(&registry, &format!("{about} (authorization 8830055001)\nCo-twin MRN: MR-440211"), "K-200");
    for text in [
        "We heard that chart 8830055001 is kept, and about Okonjo, Chioma, born 02/11/2026",
        "This is to inform you about Okonjo, Chioma, born 02/11/2026 and her twin (authorization 8830055001)",
        "This is to inform you about Okonjo, Chioma, born 02/11/2026.\nSee authorization 8830055001 for more on this",
    ] {
        assert_left(&registry, text);
    }
}

#[test]
fn a_single_babys_family_facts_link_without_a_number_of_its_own() {
    let text = "Patient: Tolvik, Baby Girl DOB: 02/07/2026\nMember ID: WQX700100200\nMother: Ingrid Tolvik";
    assert_linked(&registry(&[NAMELESS]), text, "K-100");
    // Not when any word tells of another baby, and not with a number that is another's.
    for more in ["Twin sibling on the unit", "Birth order: Twin B", "MRN: MR-440102", "Sibling: Tolvik, Baby Girl B"] {
        assert_left(&registry(&[NAMELESS]), &format!("{text}\n{more}"));
    }
    assert_left(&registry(&[NAMELESS]), &text.replace("Ingrid Tolvik", "Berit Dahl"));
    assert_left(&registry(&[NAMELESS]), &text.replace("Baby Girl", "Jorun"));
}

#[test]
fn a_number_that_recognition_misread_does_not_undo_one_that_it_read() {
    let text = "Patient: Tolvik, Baby Girl DOB: 02/07/2026\nMRN: MR-440107 Auth #: 8830011223";
    assert_linked(&registry(&[NAMELESS]), text, "K-100");
    assert_left(&registry(&[NAMELESS]), &text.replace("MR-440107", "MR-998107"));
    // A twin's own number is just that near.
    assert_left(&registry(&[TWIN_A]), &format!("Patient: Okonjo, Infant {FAMILY}\nMRN: MR-440211 Auth #: 8830055001"));
}

#[test]
fn a_date_whose_label_was_lost_is_not_taken_for_the_line_aboves() {
    let text =
        "Date of Birth: 02/07/2026      Medical Record Number: MR-440101\nDate: Feb 10, 2026      Name: Tolvik, Maren";
    assert_linked(&registry(&[MAREN]), text, "K-100");
}

#[test]
fn a_birth_date_that_lost_a_bar_or_a_digit_is_read() {
    let registry = registry(&[MAREN]);
    for dob in ["2/726", "02I07/2026", "0207/2026"] {
        let found = linked(&registry, &[&format!("Patient: Tolvik\nDOB: {dob}\nMRN: MR-440101")]);
        assert_eq!(found.case_id.as_deref(), Some("K-100"), "{dob}: {found:?}");
    }
    let text = "Patient: Tolvik, Maren DOB: 02/0/2026\nMRN: MR-440101 Auth #: 8830011223 Member ID: WQX700100200";
    assert_linked(&registry, text, "K-100");
}

#[test]
fn siblings_without_birth_order_are_told_apart_by_their_numbers_only() {
    let one = Baby { name: ["Baby Girl", "Okonjo"], order: "", ..TWIN_A };
    let other = Baby { name: ["Baby Girl", "Okonjo"], order: "", ..TWIN_B };
    let registry = registry(&[one, other]);
    for named in ["Baby Girl", "Baby Girl A", "Infant"] {
        assert_left(&registry, &format!("Patient: Okonjo, {named} {FAMILY}"));
    }
    assert_linked(&registry, &format!("Patient: Okonjo, Baby Girl {FAMILY}\nAuth #: 8830055264"), "K-201");
}

#[test]
fn a_sibling_whose_birth_date_is_not_known_is_a_sibling_all_the_same() {
    let other = Baby { dob: "", ..TWIN_B };
    let registry = registry(&[TWIN_A, other]);
    assert!(registry.has_sibling("K-200") && registry.has_sibling("K-201"));
    assert_left(&registry, &format!("Patient: Okonjo, Infant {FAMILY}\nMRN: MR-440210"));
}

#[test]
fn two_mothers_of_one_name_are_no_family() {
    let csv = |member: &str, mother_born: &str| {
        let heading = super::tests::HEADING;
        let row = |id: &str, auth: &str, mrn: &str, member: &str, born: &str| {
            format!(
                "{id},open,{member},{auth},{mrn},Larch Hill Hospital,,,Okonjo,Baby Girl,,F,2026-02-11,Adaeze,Okonjo,{born},,,,,,,,\n"
            )
        };
        format!(
            "{heading}\n{}{}",
            row("K-1", "8830055001", "MR-440210", "WQX700300400", "1994-06-03"),
            row("K-2", "8830077264", "MR-551211", member, mother_born)
        )
    };
    let has_sibling = |csv: &str| super::Registry::parse(csv.as_bytes()).unwrap().has_sibling("K-1");
    assert!(!has_sibling(&csv("ABC123456789", "1988-11-21")));
    // One fact alone may be a slip.
    assert!(has_sibling(&csv("WQX700300400", "1988-11-21")));
    assert!(has_sibling(&csv("ABC123456789", "1994-06-03")));
    assert!(has_sibling(&csv("ABC123456789", "1994-06-08")));
}

#[test]
fn nothing_links_to_a_row_that_cannot_be_right() {
    let text = "Patient: Tolvik, Maren\nDOB: 02/07/2026\nMRN: MR-440101\nAuth #: 8830011223";
    assert_linked(&registry(&[MAREN]), text, "K-100");
    for doubtful in [Baby { name: ["MR-440101", "Tolvik"], ..MAREN }, Baby { auth: "commercial", ..MAREN }] {
        let found = assert_left(&registry(&[doubtful]), text);
        assert!(found.reasons.iter().any(|reason| reason.contains("row in the registry is doubtful")), "{found:?}");
    }
}

#[test]
fn two_cases_with_one_record_number_are_left_to_a_person() {
    let double =
        Baby { id: "K-101", name: ["Nils", "Dahl"], sex: "M", dob: "2026-02-08", mother: ["Berit", "Dahl"], ..MAREN };
    let text = "Patient: Tolvik\nDOB: 02/07/2026\nMRN: MR-440101";
    assert_left(&registry(&[MAREN, Baby { name: ["Nils", "Tolvik"], ..double.clone() }]), text);
    let twice = Baby { member: "ABC123456", auth: "7712345678", ..double };
    assert_left(&registry(&[MAREN, twice]), "Patient: Dahl\nMRN: MR-440101");
}

#[test]
fn a_bar_that_was_read_for_an_l_makes_no_other_name() {
    let text = "Patient Name: Baby Gir| Tolvik\nDOB: 02/07/2026\nMRN: MR-440101\nBaby Grl Tolvik";
    assert_linked(&registry(&[NAMELESS]), text, "K-100");
}
