//! Pages about one twin that name the other: the other's mark is never the patient's.

#![allow(clippy::format_push_string, reason = "tests may allocate")]

use super::tests::{Baby, TWIN_A, TWIN_B, assert_left, assert_linked, linked, registry};
use crate::document::MatchStatus;

/// The family's facts, which fit both twins; the mark comes below.
const HEAD: &str = "Larch Hill Hospital\nNICU Progress Note - Concurrent Review\n\nPatient: Okonjo, Baby Girl\n\
    DOB: 02/11/2026\nMember ID: WQX700300400";

/// Lines that name the sibling by a mark: M its record number, C its case, U its authorization, L its letter.
const SIBLING_LINES: [&str; 34] = [
    "Twin sibling (Baby Girl L, MRN M) was discharged yesterday.",
    "Twin L (MRN M) remains intubated.",
    "Twin L MRN: M",
    "Sister Baby Girl L, MRN M, is on the same unit.",
    "Sibling MRN: M",
    "Sibling: M",
    "Co-twin: M",
    "Co twin L: M",
    "Other twin: MRN M, doing well.",
    "Twin: M",
    "Twin's MRN: M",
    "Patient's twin: MRN M",
    "See also chart M of the other baby.",
    "See chart M",
    "Twin brother MRN: M",
    "Multiple gestation: Twin sibling MRN M",
    "Multiple gestation: Twin L (MRN M)",
    "Social: mother visits both babies; twin (M) went home 03/10.",
    "MRN of twin: M",
    "MRN M (sibling)",
    "MRN M - brother",
    "Sib case C",
    "Sib. case id: C",
    "Sibling authorization number U",
    "Auth # U (sister's)",
    "Note: linked to twin case C (Baby L).",
    "Baby L (MRN M) has the same attending.",
    "Baby L MRN: M",
    "Roommate MRN: M",
    "Related: M",
    "SIBLING INFORMATION\nName: Okonjo, Baby Girl L\nMRN: M",
    "Brother / Sister\nMRN: M",
    "The mother visits daily and holds her other baby, who is\nMRN M and will go home tomorrow.",
    "Sibling              Attending\nMRN: M         Dr. Lund",
];

fn told(line: &str, of: &Baby) -> String {
    let words = line.split(' ').map(|word| {
        let bare: String = word.chars().filter(|character| character.is_alphanumeric()).collect();
        match bare.as_str() {
            "M" => word.replace('M', of.mrn),
            "C" => word.replace('C', of.id),
            "U" => word.replace('U', of.auth),
            "L" => word.replace('L', of.order),
            _ => word.replace("\nMRN: M", &format!("\nMRN: {}", of.mrn)),
        }
    });
    let text = words.collect::<Vec<_>>().join(" ");
    text.replace("MRN: M\n", &format!("MRN: {}\n", of.mrn)).replace("\nMRN M", &format!("\nMRN {}", of.mrn))
}

#[test]
fn a_mark_that_the_page_says_is_the_siblings_never_links_to_either_twin() {
    let registry = registry(&[TWIN_A, TWIN_B]);
    for line in SIBLING_LINES {
        for named in [TWIN_A, TWIN_B] {
            let line = told(line, &named);
            let marked = [named.mrn, named.id, named.auth].iter().any(|mark| line.contains(mark));
            assert!(marked, "{line} names nobody");
            let found = assert_left(&registry, &format!("{HEAD}\n{line}"));
            assert_eq!(found.status, MatchStatus::Ambiguous, "{line}");
            for twin in [TWIN_A, TWIN_B] {
                assert!(found.candidates.iter().any(|one| one.case_id == twin.id), "{line}: {found:?}");
            }
        }
    }
}

#[test]
fn a_mark_of_the_sibling_never_outweighs_the_patients_name() {
    let registry = registry(&[TWIN_A, TWIN_B]);
    for line in SIBLING_LINES {
        let text = format!("{}\n{}", HEAD.replace("Baby Girl", "Baby Girl A"), told(line, &TWIN_B));
        let found = linked(&registry, &[&text]);
        assert_ne!(found.case_id.as_deref(), Some("K-201"), "{text}");
        // And the other way: the patient's own number is called the sibling's.
        let text = format!("{}\n{}", HEAD.replace("Baby Girl", "Baby Girl B"), told(line, &TWIN_B));
        let found = linked(&registry, &[&text]);
        assert_ne!(found.case_id.as_deref(), Some("K-200"), "{text}");
    }
}

#[test]
fn a_sibling_without_a_case_lends_no_mark_to_the_one_that_has() {
    let alone = Baby { name: ["Baby Girl", "Okonjo"], order: "", ..TWIN_B };
    for of in [TWIN_B, alone] {
        let registry = registry(std::slice::from_ref(&of));
        for line in SIBLING_LINES.iter().filter(|line| {
            let line = line.to_lowercase();
            ["twin", "sib", "brother", "sister", "other baby"].iter().any(|word| line.contains(word))
        }) {
            assert_left(&registry, &format!("{HEAD}\n{}", told(line, &TWIN_B)));
        }
    }
}

#[test]
fn a_twins_own_mark_links_beside_the_siblings() {
    let registry = registry(&[TWIN_A, TWIN_B]);
    for own in [
        "MRN: MR-440210\nAuth #: 8830055001",
        "Medical Record Number: MR-440210\nCase ID: K-200",
        "Auth #: 8830055001",
        "Authorization Number: 8830055001",
    ] {
        assert_linked(&registry, &format!("{HEAD}\n{own}"), "K-200");
        for line in ["Sibling MRN: MR-440211", "Co-twin: MR-440211", "MRN of twin: MR-440211", "Sister is on the unit."]
        {
            assert_linked(&registry, &format!("{HEAD}\n{own}\nLevel of care: 3\n{line}"), "K-200");
        }
    }
    let named = HEAD.replace("Baby Girl", "Baby Girl A");
    assert_linked(&registry, &format!("{named}\nMother: Adaeze Okonjo\nSibling: Okonjo, Baby Girl B"), "K-200");
}

#[test]
fn a_twin_registered_as_a_twin_links_by_its_name_and_number() {
    let registry = registry(&[TWIN_A, TWIN_B]);
    let family = "DOB: 02/11/2026\nMember ID: WQX700300400\nMother: Adaeze Okonjo";
    for patient in [
        "Patient: Okonjo, Twin B MRN: MR-440211",
        "Patient: Okonjo, Baby Girl (Twin B)    MRN: MR-440211",
        "Okonjo, Baby Girl B MRN: MR-440211",
        "Name: Okonjo, Twin B",
        "Patient: Okonjo, Baby Girl\nBirth order: Twin B\nMRN: MR-440211",
        "Patient: Okonjo, Baby Girl\nDi-di twin gestation\nAuth #: 8830055264",
        "Patient: Okonjo, Baby Girl\nMultiple: B",
        "Name              Auth           Sex\nOkonjo, Baby Girl    8830055264      F",
    ] {
        assert_linked(&registry, &format!("{patient}\n{family}"), "K-201");
    }
}

#[test]
fn the_reason_says_that_a_mark_may_be_the_siblings() {
    let registry = registry(&[TWIN_A, TWIN_B]);
    let found = assert_left(&registry, &format!("{HEAD}\nRoommate MRN: MR-440211"));
    assert!(found.reasons.contains(&"the mrn may be the sibling's: p1".to_owned()), "{found:?}");
}

/// The first twin's own paper, by name, number and birth date.
const OWN: &str = "Larch Hill Hospital\nNICU Progress Note - Concurrent Review\n\nPatient: Okonjo, Baby Girl A\n\
    DOB: 02/11/2026\nMember ID: WQX700300400\nMRN: MR-440210";

#[test]
fn a_paper_whose_text_is_about_the_other_twin_goes_to_a_person() {
    let registry = registry(&[TWIN_A, TWIN_B]);
    assert_linked(&registry, OWN, "K-200");
    for text in [
        "CORRECTION: this note is for Baby Girl B, please disregard the name above.",
        "Baby B remains on CPAP 5 in isolette. Baby B weight 1900 g.\nBaby B needs further days.",
        "Infant B is stable. Baby A was seen too. Infant B needs further days.",
    ] {
        let found = linked(&registry, &[&format!("{OWN}\n{text}")]);
        assert!(found.reasons.iter().any(|reason| reason == "the text speaks of Baby B"), "{text}: {found:?}");
    }
    for text in [
        "Twin B is in the next bed and doing well.",
        "Sibling: Baby Girl B, on the same unit.",
        "Baby A is on CPAP; Baby B went home. Baby A needs further days.",
        "Infant A positive, mother O positive. Hepatitis B given. A/B/D events: 2/1/3",
        "Vitamin B and D. Group B strep negative. Plan: A) feed B) grow",
    ] {
        assert_linked(&registry, &format!("{OWN}\n{text}"), "K-200");
    }
}

#[test]
fn a_paper_headed_as_about_both_twins_goes_to_a_person() {
    let registry = registry(&[TWIN_A, TWIN_B]);
    for patient in [
        "Re: Okonjo twins (A and B)",
        "Re: Okonjo twins",
        "Patient: Okonjo, Baby Girl A / B",
        "Patient: Okonjo, Baby Girl A/B",
        "Patient: Okonjo, Baby Girls A & B",
        "Babies A and B Okonjo",
    ] {
        assert_left(&registry, &OWN.replace("Patient: Okonjo, Baby Girl A", patient));
    }
    for text in ["Di-di twins, born by section.", "Twins at 30 weeks.", "Apgars 8 and 9; blood type A/B unknown"] {
        assert_linked(&registry, &format!("{OWN}\n{text}"), "K-200");
    }
}
