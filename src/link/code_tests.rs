//! Barcodes before the right papers, and before the wrong ones.

use super::tests::{Baby, MAREN, TWIN_A, TWIN_B, registry};
use super::*;
use crate::document::{Bounds, Code, CodeKind, DocumentType, Fields, MatchStatus};
use crate::testing::reading_of;

/// Links pages of which the first holds a code.
fn linked(babies: &[Baby], code: &str, pages: &[&str]) -> Match {
    let mut reading = reading_of(pages);
    let bounds = Bounds { left: 100, top: 400, width: 200, height: 200 };
    reading.pages[0].codes.push(Code { kind: CodeKind::QrCode, text: code.to_owned(), bounds });
    let understanding = Understanding {
        document_type: DocumentType::Other,
        type_confidence: 0.0,
        transfer_direction: None,
        fired_rules: Vec::new(),
        fields: Fields::new(),
        unreadable: Vec::new(),
        missing: Vec::new(),
    };
    let receipt = Receipt::new("fax", "1.tif", "2026-03-16T09:00:00Z".parse().unwrap());
    link(&reading, &understanding, &registry(babies), &LinkPolicy::default(), &receipt)
}

const COVER: &str = "NICU FAX COVER SHEET\nFrom (hospital, unit): Larch Hill Hospital";
const OF_MAREN: &str = "case_id=K-100;auth_number=8830011223";
const OF_TWIN_A: &str = "case_id=K-200;auth_number=8830055001";
const MARENS: &str = "NICU review\nPatient: Tolvik, Maren\nDOB: 02/07/2026\nWeight today 1980 g";

#[test]
fn a_code_on_the_cover_sheet_links_papers_whose_name_and_birth_date_agree() {
    let found = linked(&[MAREN], OF_MAREN, &[COVER, MARENS]);
    assert_eq!((found.status, found.case_id.as_deref()), (MatchStatus::Matched, Some("K-100")), "{found:?}");
    assert!(found.reasons.contains(&"case id barcode p1".to_owned()), "{:?}", found.reasons);
    assert!(found.reasons.contains(&"auth number barcode p1".to_owned()), "{:?}", found.reasons);
}

#[test]
fn a_code_alone_links_nothing_however_many_numbers_it_holds() {
    let all = "case_id=K-100;auth_number=8830011223;mrn=MR-440101;member=WQX700100200";
    for code in [OF_MAREN, all] {
        let found = linked(&[MAREN], code, &[COVER, "NICU review\nWeight today 1980 g"]);
        assert_eq!((found.status, found.case_id), (MatchStatus::Ambiguous, None), "{:?}", found.reasons);
        assert_eq!(found.candidates.first().map(|first| first.case_id.as_str()), Some("K-100"));
        let found = linked(&[MAREN], code, &[COVER, "NICU review\nDOB: 02/07/2026\nWeight today 1980 g"]);
        assert_eq!(found.case_id, None, "numbers of one code are one fact: {:?}", found.reasons);
    }
}

#[test]
fn a_code_before_anothers_papers_leaves_them_to_a_person() {
    let other = Baby {
        id: "K-300",
        member: "WQX1",
        auth: "8830077777",
        mrn: "MR-550550",
        name: ["Signe", "Dahl"],
        dob: "2026-02-20",
        mother: ["Liv", "Dahl"],
        ..MAREN
    };
    let papers = "NICU review\nPatient: Dahl, Signe\nDOB: 02/20/2026\nMRN: MR-550550\nMother: Liv Dahl";
    let right = linked(&[MAREN, other.clone()], "parcel 1Z999", &[COVER, papers]);
    assert_eq!(right.case_id.as_deref(), Some("K-300"), "{:?}", right.reasons);
    let found = linked(&[MAREN, other], OF_MAREN, &[COVER, papers]);
    assert_eq!((found.status, found.case_id), (MatchStatus::Ambiguous, None), "{:?}", found.reasons);
    assert!(found.reasons.iter().any(|reason| reason == "a barcode on page 1 names K-100"), "{:?}", found.reasons);
}

#[test]
fn a_code_never_tells_twins_apart() {
    let unmarked = "NICU review\nPatient: Okonjo, Baby Girl\nDOB: 02/11/2026\nMember ID: WQX700300400";
    let found = linked(&[TWIN_A, TWIN_B], OF_TWIN_A, &[COVER, unmarked]);
    assert_eq!(found.case_id, None, "{:?}", found.reasons);
    let of_b = "NICU review\nPatient: Okonjo, Baby Girl B\nDOB: 02/11/2026\nMRN: MR-440211\nMember ID: WQX700300400";
    let found = linked(&[TWIN_A, TWIN_B], OF_TWIN_A, &[COVER, of_b]);
    assert_eq!(found.case_id, None, "{:?}", found.reasons);
    let of_a = of_b.replace("Girl B", "Girl A").replace("440211", "440210");
    let found = linked(&[TWIN_A, TWIN_B], OF_TWIN_A, &[COVER, &of_a]);
    assert_eq!(found.case_id.as_deref(), Some("K-200"), "{:?}", found.reasons);
}

#[test]
fn words_that_say_otherwise_are_not_overruled_by_a_code() {
    let papers = "NICU review\nPatient: Tolvik, Maren\nDOB: 02/07/2026\nCase ID: K-999";
    let found = linked(&[MAREN], "case_id=K-100", &[COVER, papers]);
    assert!(!found.reasons.iter().any(|reason| reason.contains("barcode")) || found.case_id.is_none(), "{found:?}");
}

#[test]
fn numbers_are_found_however_a_code_is_written() {
    for code in ["K-100", "https://example.org/c?case=K-100&v=2", "K-100|8830011223", "AUTH:8830011223", "8830011223"] {
        let found = linked(&[MAREN], code, &[COVER, MARENS]);
        assert_eq!(found.case_id.as_deref(), Some("K-100"), "{code}: {:?}", found.reasons);
    }
    let hostile = "A1,".repeat(900);
    assert_eq!(linked(&[MAREN], &hostile, &[COVER]).status, MatchStatus::Unmatched);
}
