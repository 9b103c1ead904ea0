//! Which documents the family holds: of whom, in which layout, with which marks, sent how.

use nicufaxd::document::{DocumentType, ReviewElement};

use super::ccitt::{Encoding, FillOrder};
use super::facts::Marks;
use super::family::Delivery;
use super::layouts::{Layout, admission, forms, junk, narrative, review};
use super::registry::{CLOSED, Case, FACILITIES, after};
use super::scan::{Scan, Turn};
use super::tiff::Storage;

/// Whose document it is.
#[derive(Clone, Copy, Debug)]
pub enum Who {
    /// By place in [`cases`].
    Case(usize),
    /// By place in [`strangers`]: a NICU baby without a case.
    Stranger(usize),
    /// No NICU baby at all; the word is the truth's `other_kind`.
    Nobody(&'static str),
}

/// One document to be made.
#[derive(Clone)]
pub struct Plan {
    pub family: &'static str,
    pub layout: Layout,
    pub kind: DocumentType,
    pub who: Who,
    /// Another baby whose document of the same layout follows in the same fax.
    pub second: Option<Who>,
    pub marks: Marks,
    pub omitted: &'static [ReviewElement],
    /// Where a transfer goes, by place in [`FACILITIES`].
    pub receiving: usize,
    pub delivery: Option<Delivery>,
    pub scan: Option<Scan>,
    /// Some rows are damaged on the line.
    pub damaged: bool,
    /// The truth's `special`.
    pub special: Option<&'static str>,
    /// Pages (1-based) that are a cover sheet.
    pub covers: &'static [usize],
}

fn plan(family: &'static str, layout: Layout, kind: DocumentType, who: Who) -> Plan {
    Plan {
        family,
        layout,
        kind,
        who,
        second: None,
        marks: Marks::All,
        omitted: &[],
        receiving: 0,
        delivery: None,
        scan: None,
        damaged: false,
        special: None,
        covers: if family == "cover_and_note" { &[1] } else { &[] },
    }
}

const G3: Delivery = Delivery::Tiff(Storage::Fax(Encoding::Group3OneDimensional, FillOrder::LeastSignificantFirst));

/// The documents, the most telling dozen first.
pub fn plans() -> Vec<Plan> {
    use DocumentType::{
        AdmissionNotification as Admission, Appeal, ConcurrentReview as Review, Discharge, Other,
        OutOfNetworkException as Network, P2pRequest as PeerToPeer, PriorAuthorization as Equipment, Readmission,
        Transfer,
    };
    use ReviewElement::{BedType, DischargeNeeds, Fen, Meds, Resp, Weight};
    use Who::{Case, Nobody, Stranger};
    let unmarked = |plan: Plan| Plan { marks: Marks::None, special: Some("ambiguous_twins"), ..plan };
    let twin = |plan: Plan| Plan { special: Some("twin"), ..plan };
    let record_only = |plan: Plan| Plan { marks: Marks::RecordNumberOnly, ..plan };
    let lacking = |plan: Plan, omitted: &'static [ReviewElement]| Plan { omitted, ..plan };
    let unknown = |plan: Plan| Plan { special: Some("unmatched"), ..plan };
    let turned = |plan: Plan, turn: Turn| Plan { scan: Some(Scan { turn, ..Scan::default() }), ..plan };
    let to = |plan: Plan, receiving: usize| Plan { receiving, ..plan };
    vec![
        // The dozen of the demonstration.
        plan("progress_note", review::progress_note, Review, Case(0)),
        plan("face_sheet", admission::face_sheet, Admission, Case(12)),
        twin(plan("criteria_sheet", review::criteria_sheet, Review, Case(22))),
        unmarked(plan("flowsheet", review::flowsheet, Review, Case(30))),
        to(plan("transfer_form", forms::transfer_form, Transfer, Case(4)), 2),
        plan("discharge_summary", narrative::discharge_summary, Discharge, Case(10)),
        plan("letter", narrative::letter, PeerToPeer, Case(6)),
        plan("equipment_request", forms::equipment_request, Equipment, Case(19)),
        unknown(plan("ticked_form", forms::ticked_form, Review, Stranger(0))),
        lacking(plan("cover_and_note", review::cover_and_note, Review, Case(8)), &[BedType, DischargeNeeds]),
        plan("readmission_memo", narrative::readmission_memo, Readmission, Case(3)),
        plan("junk_marketing", junk::marketing, Other, Nobody("marketing")),
        // More of each kind.
        plan("letter", narrative::letter, Appeal, Case(13)),
        plan("letter", narrative::letter, Network, Case(16)),
        to(plan("transfer_form", forms::transfer_form, Transfer, Case(15)), 4),
        to(plan("transfer_form", forms::transfer_form, Transfer, Case(17)), 1),
        to(plan("transfer_form", forms::transfer_form, Transfer, Case(9)), 3),
        record_only(lacking(plan("handwritten_form", admission::handwritten_form, Review, Case(11)), &[Meds])),
        plan("handwritten_form", admission::handwritten_form, Admission, Case(20)),
        Plan { special: Some("collision"), ..plan("face_sheet", admission::face_sheet, Admission, Case(5)) },
        Plan {
            special: Some("collision"),
            ..record_only(plan("cover_and_note", review::cover_and_note, Review, Case(38)))
        },
        turned(plan("ticked_form", forms::ticked_form, Review, Case(1)), Turn::UpsideDown),
        turned(plan("criteria_sheet", review::criteria_sheet, Review, Case(2)), Turn::Quarter),
        Plan { damaged: true, delivery: Some(G3), ..plan("ticked_form", forms::ticked_form, Review, Case(7)) },
        lacking(plan("progress_note", review::progress_note, Review, Case(14)), &[Weight]),
        lacking(record_only(plan("flowsheet", review::flowsheet, Review, Case(18))), &[Resp, Fen]),
        lacking(plan("letter", narrative::letter, Review, Case(21)), &[]),
        plan("ticked_form", forms::ticked_form, Discharge, Case(3)),
        plan("ticked_form", forms::ticked_form, Admission, Case(2)),
        // Twins and triplets with a mark that tells them apart.
        twin(record_only(plan("progress_note", review::progress_note, Review, Case(23)))),
        twin(plan("ticked_form", forms::ticked_form, Discharge, Case(24))),
        twin(record_only(plan("flowsheet", review::flowsheet, Review, Case(25)))),
        twin(record_only(plan("handwritten_form", admission::handwritten_form, Admission, Case(26)))),
        twin(plan("equipment_request", forms::equipment_request, Equipment, Case(28))),
        twin(record_only(plan("cover_and_note", review::cover_and_note, Review, Case(29)))),
        twin(plan("discharge_summary", narrative::discharge_summary, Discharge, Case(35))),
        twin(to(plan("transfer_form", forms::transfer_form, Transfer, Case(36)), 1)),
        // Twins and triplets without any.
        unmarked(plan("cover_and_note", review::cover_and_note, Review, Case(32))),
        unmarked(plan("handwritten_form", admission::handwritten_form, Review, Case(31))),
        unmarked(plan("progress_note", review::progress_note, Review, Case(33))),
        unmarked(plan("readmission_memo", narrative::readmission_memo, Readmission, Case(34))),
        // No case: strangers who look like somebody.
        unknown(plan("face_sheet", admission::face_sheet, Admission, Stranger(1))),
        unknown(record_only(plan("progress_note", review::progress_note, Review, Stranger(2)))),
        unknown(plan("letter", narrative::letter, Appeal, Stranger(0))),
        // The rest.
        Plan {
            special: Some("closed"),
            ..plan("readmission_memo", narrative::readmission_memo, Readmission, Case(CLOSED))
        },
        Plan { delivery: Some(Delivery::Jpeg), ..plan("flowsheet", review::flowsheet, Review, Case(37)) },
        Plan { delivery: Some(Delivery::Png), ..plan("criteria_sheet", review::criteria_sheet, Review, Case(39)) },
        // Two babies in one fax.
        Plan {
            second: Some(Case(27)),
            special: Some("two_babies_twins"),
            ..plan("ticked_form", forms::ticked_form, Review, Case(26))
        },
        Plan {
            second: Some(Case(20)),
            special: Some("two_babies_unrelated"),
            ..record_only(plan("criteria_sheet", review::criteria_sheet, Review, Case(0)))
        },
        plan("junk_adult", junk::adult_record, Other, Nobody("adult")),
        plan("junk_blank", junk::blank, Other, Nobody("blank")),
    ]
}

/// Babies without a case, each like somebody who has one.
pub fn strangers(cases: &[Case]) -> Vec<Case> {
    let like = |place: usize, serial: u32, days: i64| {
        let model = &cases[place];
        Case {
            case_id: String::new(),
            mrn: format!("{}{}", model.facility.records.0, model.facility.records.1 + 5_000 + serial),
            member_id: format!("ZKQ8{:08}", 31_560_000 + serial),
            auth_number: format!("25{:08}", 71_240_000 + serial),
            dob: after(model.dob, days),
            admit_date: after(model.dob, days),
            ..model.clone()
        }
    };
    vec![
        // Another family's girl, born a week later in the same nursery.
        Case { first_name: "Baby Girl", mother_first: "Deirdre", ..like(0, 11, 7) },
        // The same surname and birthday in another town.
        Case {
            first_name: "Babyboy",
            mother_first: "Greta",
            facility: &FACILITIES[3],
            mrn: "L3399120".to_owned(),
            ..like(2, 23, 0)
        },
        // A brother of nobody: a surname that the registry has only for a girl.
        Case { first_name: "Callum", sex: "M", mother_first: "Ruth", mother_last: "Applegate", ..like(19, 37, -9) },
    ]
}
