//! Invented families, one trap each. Every expectation is what a careful nurse would do with the same page.

#![allow(clippy::format_push_string, reason = "tests may allocate")]

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;
use crate::document::{DocumentType, MatchStatus};
use crate::testing::reading_of;

pub(super) const HEADING: &str = "case_id,status,member_id,auth_number,mrn,facility,facility_fax,facility_npi,last_name,first_name,\
    birth_order,sex,dob,mother_first,mother_last,mother_dob,admit_date,discharge_date,plan,level_of_care,\
    assigned_nurse,next_review_date,race_ethnicity,preferred_language";

#[derive(Clone, Debug)]
pub(super) struct Baby {
    pub id: &'static str,
    pub status: &'static str,
    pub member: &'static str,
    pub auth: &'static str,
    pub mrn: &'static str,
    pub name: [&'static str; 2],
    pub order: &'static str,
    pub sex: &'static str,
    pub dob: &'static str,
    pub mother: [&'static str; 2],
}

pub(super) const MAREN: Baby = Baby {
    id: "K-100",
    status: "open",
    member: "WQX700100200",
    auth: "8830011223",
    mrn: "MR-440101",
    name: ["Maren", "Tolvik"],
    order: "",
    sex: "F",
    dob: "2026-02-07",
    mother: ["Ingrid", "Tolvik"],
};

pub(super) const TWIN_A: Baby = Baby {
    id: "K-200",
    member: "WQX700300400",
    auth: "8830055001",
    mrn: "MR-440210",
    name: ["Baby Girl A", "Okonjo"],
    order: "A",
    dob: "2026-02-11",
    mother: ["Adaeze", "Okonjo"],
    ..MAREN
};

pub(super) const TWIN_B: Baby =
    Baby { id: "K-201", auth: "8830055264", mrn: "MR-440211", name: ["Baby Girl B", "Okonjo"], order: "B", ..TWIN_A };

/// Strangers, so that frequencies mean something.
pub(super) fn registry(babies: &[Baby]) -> Registry {
    let mut csv = format!("{HEADING}\n");
    for baby in babies {
        csv += &format!(
            "{},{},{},{},{},Larch Hill Hospital,617-555-0144,,{},{},{},{},{},{},{},1994-06-03,{},,commercial,3,N. One,,,\n",
            baby.id,
            baby.status,
            baby.member,
            baby.auth,
            baby.mrn,
            baby.name[1],
            baby.name[0],
            baby.order,
            baby.sex,
            baby.dob,
            baby.mother[0],
            baby.mother[1],
            baby.dob
        );
    }
    for number in 0..300 {
        let name = |salt: u32| {
            let letter =
                |place: u32| char::from(b'a' + ((number * 7 + salt * 3 + place * place * 5 + number / 26) % 26) as u8);
            format!("X{}{}{}{}", letter(1), letter(2), letter(3), letter(4))
        };
        csv += &format!(
            "S-{number},open,ZZ{:09},77{:08},MR-9{:05},Other Hospital,,,{},{},,M,2025-{:02}-{:02},{},{},1990-01-01,,,,,,,,\n",
            number * 7919,
            number * 104_729,
            number * 37,
            name(1),
            name(2),
            1 + number % 12,
            1 + number % 28,
            name(3),
            name(1)
        );
    }
    Registry::parse(csv.as_bytes()).unwrap()
}

pub(super) fn nothing_understood() -> Understanding {
    Understanding {
        document_type: DocumentType::Other,
        type_confidence: 0.0,
        transfer_direction: None,
        fired_rules: Vec::new(),
        fields: BTreeMap::new(),
        missing: Vec::new(),
        unreadable: Vec::new(),
    }
}

pub(super) fn linked(registry: &Registry, pages: &[&str]) -> Match {
    let receipt = Receipt::new("fax", "1.tif", "2026-03-16T09:00:00Z".parse().unwrap());
    let receipt = Receipt { sender: Some("16175550144".to_owned()), ..receipt };
    link(&reading_of(pages), &nothing_understood(), registry, &LinkPolicy::default(), &receipt)
}

pub(super) fn assert_linked(registry: &Registry, text: &str, case_id: &str) {
    let found = linked(registry, &[text]);
    assert_eq!((found.status, found.case_id.as_deref()), (MatchStatus::Matched, Some(case_id)), "{found:?}");
}

pub(super) fn assert_left(registry: &Registry, text: &str) -> Match {
    let found = linked(registry, &[text]);
    assert_ne!(found.status, MatchStatus::Matched, "{found:?}");
    assert_eq!(found.case_id, None);
    found
}

#[test]
fn a_record_number_with_name_and_birth_date_links() {
    let registry = registry(&[MAREN]);
    assert_linked(&registry, "Patient: Tolvik, Maren\nDOB: 02/07/2026\nMRN: MR-440101", "K-100");
    assert_linked(&registry, "NICU review\nRE: Maren Tolvik born February 7, 2026\nrecord 440101", "K-100");
    assert_linked(
        &registry,
        "Name            Birth Date    Medical Record #\nTolvik, Maren   2/7/26        MR-44O1O1",
        "K-100",
    );
}

#[test]
fn an_identifier_alone_never_links() {
    let registry = registry(&[MAREN]);
    assert_left(&registry, "MRN: MR-440101");
    assert_left(&registry, "MRN: MR-440101\nDOB: 02/07/2026\nPatient: Smith, John");
    assert_left(&registry, "MRN: MR-440101\nPatient: Smith, John\nDOB: 05/20/2025");
}

#[test]
fn the_full_name_with_birth_date_and_mother_links_without_an_identifier() {
    let registry = registry(&[MAREN]);
    assert_linked(&registry, "Patient: Tolvik, Maren DOB: 02/07/2026\nMother: Ingrid Tolvik", "K-100");
    assert_left(&registry, "Patient: Tolvik DOB: 02/07/2026");
    assert_left(&registry, "Patient: Tolvik, Maren\nMother: Ingrid Tolvik");
}

#[test]
fn a_printed_record_number_that_is_anothers_stops_a_link_by_name() {
    let registry = registry(&[MAREN]);
    assert_left(&registry, "Patient: Tolvik, Maren DOB: 02/07/2026\nMother: Ingrid Tolvik\nMRN: MR-887755");
}

#[test]
fn a_misprinted_record_number_links_when_all_else_agrees() {
    let registry = registry(&[MAREN]);
    let text = "Patient: Tolvik, Maren DOB: 02/07/2026\nMRN: MR-440701 Member ID: WQX700100200 Auth #: 8830011223";
    assert_linked(&registry, text, "K-100");
}

#[test]
fn a_misprinted_birth_date_links_unless_another_case_fits_it() {
    let text = "Patient: Tolvik, Maren DOB: 02/17/2026\nMRN: MR-440101 Member ID: WQX700100200 Auth #: 8830011223";
    assert_linked(&registry(&[MAREN]), text, "K-100");
    let cousin = Baby {
        id: "K-101",
        member: "A1234567",
        auth: "8830990099",
        mrn: "MR-440150",
        dob: "2026-02-17",
        mother: ["Solveig", "Tolvik"],
        name: ["Nils", "Tolvik"],
        ..MAREN
    };
    assert_left(&registry(&[MAREN, cousin]), text);
}

#[test]
fn a_closed_case_links_and_says_so() {
    let registry = registry(&[Baby { status: "closed", ..MAREN }]);
    let found = linked(&registry, &["Patient: Tolvik, Maren\nDOB: 02/07/2026\nMRN: MR-440101"]);
    assert_eq!(found.status, MatchStatus::Matched);
    assert!(found.reasons.contains(&"case is closed".to_owned()));
}

#[test]
fn twins_without_a_mark_are_left_with_both_listed() {
    let registry = registry(&[TWIN_A, TWIN_B]);
    let found = assert_left(
        &registry,
        "Patient: Okonjo, Infant DOB: 02/11/2026\nMember ID: WQX700300400\nMother: Adaeze Okonjo\nSex: F",
    );
    assert_eq!(found.status, MatchStatus::Ambiguous);
    let listed: Vec<&str> = found.candidates.iter().map(|candidate| candidate.case_id.as_str()).collect();
    assert!(listed.contains(&"K-200") && listed.contains(&"K-201"), "{listed:?}");
}

#[test]
fn a_twin_links_by_its_own_mark() {
    let registry = registry(&[TWIN_A, TWIN_B]);
    let family = "DOB: 02/11/2026\nMember ID: WQX700300400\nMother: Adaeze Okonjo";
    assert_linked(&registry, &format!("Patient: Okonjo, Baby Girl B {family}"), "K-201");
    assert_linked(&registry, &format!("Patient: Okonjo, Infant {family}\nMRN: MR-440210 Auth #: 8830055001"), "K-200");
    assert_linked(&registry, &format!("Patient: Okonjo, Infant {family}\nAuth #: 8830055264"), "K-201");
    assert_linked(&registry, &format!("Patient: Okonjo, Chioma {family}\nAuth #: 8830055264"), "K-201");
}

#[test]
fn nothing_links_to_a_case_whose_name_tells_another_order_or_sex_than_its_columns() {
    let other_order = Baby { order: "B", ..TWIN_A };
    let other_sex = Baby { sex: "M", ..TWIN_A };
    let page =
        "Patient: Okonjo, Baby Girl A DOB: 02/11/2026\nMember ID: WQX700300400\nMother: Adaeze Okonjo\nMRN: MR-440210";
    assert_linked(&registry(&[TWIN_A]), page, "K-200");
    for doubtful in [other_order, other_sex] {
        assert_left(&registry(&[doubtful]), page);
    }
}

#[test]
fn twins_marks_that_disagree_are_left_to_a_person() {
    let registry = registry(&[TWIN_A, TWIN_B]);
    let family = "DOB: 02/11/2026\nMember ID: WQX700300400\nMother: Adaeze Okonjo";
    assert_left(&registry, &format!("Patient: Okonjo, Baby Girl B {family}\nMRN: MR-440210"));
    assert_left(&registry, &format!("Patient: Okonjo, Infant {family}\nMRN: MR-440210\nAuth #: 8830055264"));
}

#[test]
fn a_record_number_one_digit_off_is_no_mark_between_twins() {
    let registry = registry(&[TWIN_A, TWIN_B]);
    assert_left(
        &registry,
        "Patient: Okonjo, Infant DOB: 02/11/2026\nMember ID: WQX700300400\nMother: Adaeze Okonjo\nMRN: MR-440212",
    );
}

#[test]
fn a_twin_whose_sibling_has_no_case_is_not_taken_for_the_sibling() {
    let registry = registry(&[TWIN_A]);
    let family = "DOB: 02/11/2026\nMember ID: WQX700300400\nMother: Adaeze Okonjo";
    assert_left(&registry, &format!("Patient: Okonjo, Baby Girl B {family}\nMRN: MR-440211\nAuth #: 8830055264"));
    assert_left(&registry, &format!("Patient: Okonjo, Infant {family}"));
    assert_left(&registry, &format!("Patient: Okonjo, Baby Girl B {family}"));
    assert_linked(&registry, &format!("Patient: Okonjo, Baby Girl A {family}"), "K-200");
}

#[test]
fn triplets_are_told_apart_from_each_sibling() {
    let third = Baby {
        id: "K-202",
        auth: "8830055337",
        mrn: "MR-440212",
        name: ["Obi", "Okonjo"],
        order: "C",
        sex: "M",
        ..TWIN_A
    };
    let registry = registry(&[TWIN_A, TWIN_B, third]);
    let family = "DOB: 02/11/2026\nMember ID: WQX700300400\nMother: Adaeze Okonjo";
    assert_linked(&registry, &format!("Patient: Okonjo, Obi {family}"), "K-202");
    // The sex rules one sibling out, not the other.
    assert_left(&registry, &format!("Patient: Okonjo, Infant {family}\nSex: F"));
}

#[test]
fn namesakes_in_one_nursery_need_more_than_surname_and_birthday() {
    let other = Baby {
        id: "K-102",
        member: "A1234567",
        auth: "8830990099",
        mrn: "MR-440150",
        name: ["Babygirl", "Tolvik"],
        mother: ["Solveig", "Dahl"],
        ..MAREN
    };
    let registry = registry(&[MAREN, other]);
    assert_left(&registry, "Patient: Tolvik, Baby Girl DOB: 02/07/2026\nSex: F");
    assert_linked(&registry, "Patient: Tolvik, Baby Girl DOB: 02/07/2026\nMRN: MR-440150", "K-102");
}

#[test]
fn a_look_alike_without_a_case_is_not_linked() {
    let registry = registry(&[MAREN, TWIN_A, TWIN_B]);
    let found = assert_left(
        &registry,
        "Patient: Tolvik, Jorun DOB: 02/09/2026\nMRN: MR-440177 Member ID: WQX700100999\nMother: Berit Tolvik",
    );
    assert!(found.case_id.is_none());
}

#[test]
fn an_adult_with_the_surname_is_no_baby() {
    let registry = registry(&[MAREN]);
    assert_left(&registry, "Patient: Ingrid Tolvik DOB: 06/03/1994 MRN: MR-440101\nLDL cholesterol 131");
}

#[test]
fn the_mothers_birth_date_is_not_the_babys() {
    let registry = registry(&[MAREN]);
    let text = "Patient: Tolvik, Maren DOB: 02/07/2026\nMother's DOB: 06/03/1994\nMRN: MR-440101";
    assert_linked(&registry, text, "K-100");
}

#[test]
fn several_babies_on_one_fax_are_left_to_a_person() {
    let registry = registry(&[MAREN, TWIN_A]);
    let first = "Patient: Tolvik, Maren DOB: 02/07/2026 MRN: MR-440101";
    let found = linked(&registry, &[first, "Patient: Okonjo, Baby Girl A DOB: 02/11/2026 MRN: MR-440210"]);
    assert_eq!(found.status, MatchStatus::Ambiguous);
    assert!(found.reasons.iter().any(|reason| reason.starts_with("several babies")), "{found:?}");
    // Also when the second has no case.
    let found = linked(&registry, &[first, "Patient: Vale, Otto DOB: 01/29/2026 MRN: MR-551177"]);
    assert_eq!(found.status, MatchStatus::Ambiguous, "{found:?}");
}

#[test]
fn a_stand_in_name_weighs_nothing() {
    let baby = Baby { name: ["BABYBOY", "Tolvik"], sex: "M", ..MAREN };
    let registry = registry(&[baby]);
    assert_left(&registry, "Patient: Babyboy DOB: 02/07/2026");
    assert_left(&registry, "Patient: Babyboy Tolvik");
}

#[test]
fn telephone_numbers_are_no_identifiers() {
    let baby = Baby { mrn: "6175550100", ..MAREN };
    let registry = registry(&[baby]);
    assert_left(&registry, "Patient: Tolvik DOB: 02/07/2026\nTel: 6175550100");
}

#[test]
fn nothing_on_the_page_is_unmatched() {
    let registry = registry(&[MAREN]);
    for text in ["", "Are your claims being denied? Call 1-877-555-0119", "\u{fffd} \u{1F476} ((((:::: ####"] {
        assert_eq!(linked(&registry, &[text]).status, MatchStatus::Unmatched, "{text}");
    }
    assert_eq!(linked(&registry, &[]).status, MatchStatus::Unmatched);
}

#[test]
fn reasons_hold_no_value_of_the_page() {
    let registry = registry(&[TWIN_A, TWIN_B, MAREN]);
    for text in [
        "Patient: Tolvik, Maren DOB: 02/07/2026 MRN: MR-440101 Mother: Ingrid Tolvik",
        "Patient: Okonjo, Infant DOB: 02/11/2026 Member ID: WQX700300400 Mother: Adaeze Okonjo",
    ] {
        let found = linked(&registry, &[text]);
        let said: Vec<&String> =
            found.reasons.iter().chain(found.candidates.iter().flat_map(|candidate| &candidate.reasons)).collect();
        assert!(!said.is_empty());
        for reason in said {
            for value in ["Tolvik", "Maren", "Ingrid", "Okonjo", "Adaeze", "440101", "02/", "2026", "WQX"] {
                assert!(!reason.contains(value), "{reason}");
            }
        }
    }
}

#[test]
fn a_policy_out_of_range_is_named() {
    assert_eq!(LinkPolicy::default().check(), Ok(()));
    let error = LinkPolicy { margin: 0.0, ..LinkPolicy::default() }.check().unwrap_err();
    assert_eq!(error.key, "margin");
}

fn baby() -> impl Strategy<Value = Baby> {
    let pick = |values: &'static [&'static str]| prop::sample::select(values);
    (
        pick(&["Maren", "Babygirl", "Baby Girl A", "Adaezesgirl", "Twin B", "Solveig"]),
        pick(&["Tolvik", "Okonjo"]),
        pick(&["", "A", "B"]),
        pick(&["F", "M", ""]),
        pick(&["2026-02-07", "2026-02-11"]),
        pick(&["Ingrid", "Adaeze"]),
        pick(&["WQX700100200", "WQX700100200-03", ""]),
    )
        .prop_map(|(first, last, order, sex, dob, mother, member)| Baby {
            name: [first, last],
            order,
            sex,
            dob,
            mother: [mother, last],
            member,
            ..MAREN
        })
}

/// Which facts a page shows.
type Shown = (bool, bool, bool, bool, bool, bool);

fn page_of(baby: &Baby, (name, dob, mrn, auth, member, mother): Shown) -> String {
    let mut text = String::new();
    let mut line = |show: bool, label: &str, value: &str| {
        if show && !value.is_empty() {
            text += &format!("{label}: {value}\n");
        }
    };
    line(name, "Patient", &format!("{}, {}", baby.name[1], baby.name[0]));
    line(dob, "DOB", baby.dob);
    line(mrn, "MRN", baby.mrn);
    line(auth, "Auth #", baby.auth);
    line(member, "Member ID", baby.member);
    line(mother, "Mother", &format!("{} {}", baby.mother[0], baby.mother[1]));
    text
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn a_twin_that_differs_only_in_its_numbers_is_linked_by_its_numbers_or_not_at_all(
        baby in baby(),
        shown in any::<Shown>(),
    ) {
        let twin = Baby { id: "K-199", auth: "8830011229", mrn: "MR-440102", ..baby.clone() };
        let found = linked(&registry(&[baby.clone(), twin]), &[&page_of(&baby, shown)]);
        let marked = shown.2 || shown.3;
        if found.status == MatchStatus::Matched {
            prop_assert!(marked);
            prop_assert_eq!(found.case_id.as_deref(), Some("K-100"));
        }
    }

    #[test]
    fn without_its_own_case_a_document_is_never_linked_to_a_sibling(
        baby in baby(),
        shown in any::<Shown>(),
        given in prop::sample::select(vec!["Astrid", "Baby Boy B", "Girl C"]),
        order in prop::sample::select(vec!["B", "C"]),
    ) {
        // The sibling has a mark of its own; the page shows the baby's name or a number, so it can be told.
        let sibling = Baby { id: "K-199", auth: "8830011229", mrn: "MR-440102", name: [given, baby.name[1]], order, ..baby.clone() };
        prop_assume!(baby.order != order && GivenOrder::of(&baby) != GivenOrder::of(&sibling));
        let found = linked(&registry(&[sibling]), &[&page_of(&baby, shown)]);
        prop_assert_ne!(found.status, MatchStatus::Matched, "{:?}", found);
    }

    #[test]
    fn any_text_is_linked_without_panic(text in "\\PC{0,300}") {
        let found = linked(&registry(&[MAREN, TWIN_A, TWIN_B]), &[&text]);
        prop_assert!(found.candidates.len() <= 10);
    }
}

/// The birth order that a baby's name or case tells.
#[derive(PartialEq)]
struct GivenOrder(Option<u8>);

impl GivenOrder {
    fn of(baby: &Baby) -> Self {
        Self(crate::names::GivenName::read(baby.name[0]).order.or(crate::names::order_mark(baby.order)))
    }
}
