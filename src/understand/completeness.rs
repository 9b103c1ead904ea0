//! What a concurrent review fails to give, of what the determination log asks for.
//!
//! A label with nothing behind it gives nothing; "None" behind it does. What stands behind a label and cannot be read is
//! given all the same: asking the hospital for it would be asking twice, looking at the paper is enough. Only what tells of today counts: not birth, not
//! the trend table, not the plan.

use super::extract::current_spans;
use super::labels::Label;
use super::regions::{Choice, Labelled, choice};
use super::sections::Section;
use super::values::check_box;
use crate::document::{Bounds, Fields, ReviewElement};

/// What of a review is not to be had from its reading, in the order in which it is asked for.
#[derive(Default)]
pub(super) struct Lack {
    /// It is not given.
    pub missing: Vec<ReviewElement>,
    /// Something is written where it belongs, which was not read.
    pub unreadable: Vec<ReviewElement>,
}

/// Elements of a review that these pages don't give, or don't give legibly.
pub(super) fn lack(pages: &[Labelled<'_>], fields: &Fields) -> Lack {
    let (unreadable, missing) = not_understood(pages, fields)
        .into_iter()
        .partition(|element| labels_of(*element).iter().any(|label| pages.iter().any(|page| is_unread(page, *label))));
    Lack { missing, unreadable }
}

/// The labels behind which an element is given.
fn labels_of(element: ReviewElement) -> &'static [Label] {
    match element {
        ReviewElement::Weight => &[Label::Weight],
        ReviewElement::BedType => &[Label::BedType],
        ReviewElement::Resp => &[Label::RespiratorySupport, Label::RespiratorySystem],
        ReviewElement::Fen => &[Label::Nutrition],
        ReviewElement::Meds => &[Label::Medications],
        ReviewElement::DischargeNeeds => &[Label::DischargeNeeds],
    }
}

/// Something stands in the place of this label's value that was not read: right of it as far as the next label, or under
/// it where nothing is printed to its right.
fn is_unread(page: &Labelled<'_>, label: Label) -> bool {
    page.of(label).filter(|hit| page.section(hit) == Section::Current).any(|hit| {
        let sheet = page.sheet;
        let Some((first, last)) = sheet.pieces.get(hit.first).zip(sheet.pieces.get(hit.end.saturating_sub(1))) else {
            return false;
        };
        let row = sheet.rows.get(first.row);
        let height = row.map_or(last.bounds.height, |row| row.height).max(sheet.usual_height);
        let row_end = row.map_or(hit.end, |row| row.end);
        let next = page.hits.iter().find(|other| other.first >= hit.end && other.first < row_end);
        let limit = next.and_then(|next| sheet.pieces.get(next.first)).map_or(u32::MAX, |piece| piece.bounds.left);
        let middle = |bounds: &Bounds| bounds.top + bounds.height / 2;
        let beside = |place: &Bounds| {
            // Writing is higher than print, and sits above or below its line.
            4 * middle(place).abs_diff(middle(&last.bounds)) < 3 * height
                && place.right() > last.bounds.right() + height / 2
                && place.left < limit
                && place.left < last.bounds.right() + BESIDE * height
        };
        let is_beside_another = |place: &Bounds| {
            page.hits
                .iter()
                .filter_map(|hit| sheet.pieces.get(hit.first))
                .any(|piece| piece.bounds.left < place.left && middle(place).abs_diff(middle(&piece.bounds)) < height)
        };
        let below = |place: &Bounds| {
            place.top + height / 2 > last.bounds.bottom()
                && place.top < last.bounds.bottom() + 2 * height
                && place.left < last.bounds.right()
                && place.right() > first.bounds.left
                && !is_beside_another(place)
        };
        let nothing_right = page.right_of(hit).iter().all(|piece| piece.fold.is_empty());
        sheet.unread.iter().any(|place| beside(place) || (nothing_right && below(place)))
    })
}

/// A value begins within this many text heights of its label's end.
const BESIDE: u32 = 10;

/// Elements that were not understood, in the order in which they are asked for.
fn not_understood(pages: &[Labelled<'_>], fields: &Fields) -> Vec<ReviewElement> {
    [
        (ReviewElement::Weight, fields.contains_key("weight_g")),
        (ReviewElement::BedType, fields.contains_key("bed_type") || given(pages, Label::BedType, true)),
        (ReviewElement::Resp, fields.contains_key("resp_support") || given(pages, Label::RespiratorySupport, true)),
        (ReviewElement::Fen, given(pages, Label::Nutrition, true) || told(pages, NUTRITION)),
        (ReviewElement::Meds, given(pages, Label::Medications, true) || told(pages, MEDICATIONS)),
        (ReviewElement::DischargeNeeds, given(pages, Label::DischargeNeeds, false) || told(pages, DISCHARGE_NEEDS)),
    ]
    .into_iter()
    .filter_map(|(element, given)| (!given).then_some(element))
    .collect()
}

/// Words that only a statement of today's nutrition holds.
const NUTRITION: &[&str] = &[
    "kcal/oz",
    "cal/oz",
    "keal/oz",
    "ml/kg/day",
    "ml/kg/d",
    "mlkgday",
    "ad lib",
    "npo",
    " tpn",
    "gavage feed",
    "enteral feeds",
    "full feeds",
    "bottle feeding all",
    "nutrition:",
    " po/ng",
];
/// Words that only a statement of today's medications holds.
const MEDICATIONS: &[&str] =
    &["meds:", "medications:", "medications are", "no medications", "no meds", "on caffeine", "current medications"];
/// Words that only a statement of needs at discharge, or of the family's circumstances, holds.
const DISCHARGE_NEEDS: &[&str] = &[
    "d/c plan",
    "dc plan",
    "discharge needs",
    "d/c needs",
    "discharge planning",
    "discharge plan",
    "dc needs",
    "barriers to discharge",
    "parents at bedside",
    "sw following",
    "home equipment",
    "anticipated discharge",
    "wic referral",
];

/// A label of this kind has a value right of it, or below it where forms put it.
fn given(pages: &[Labelled<'_>], label: Label, only_current: bool) -> bool {
    pages.iter().any(|page| {
        page.of(label).any(|hit| {
            let section = page.section(hit);
            if section == Section::Past || section == Section::Systems || (only_current && section != Section::Current)
            {
                return false;
            }
            page.regions(hit).iter().any(|region| {
                let right = region.fit >= 0.8 && !(hit.marked && region.fit < 1.0);
                let legible = region.pieces.iter().any(|piece| {
                    piece.fold.len() > 1
                        || piece
                            .fold
                            .chars()
                            .next()
                            .is_some_and(|c| c.is_ascii_digit() && check_box(&piece.text).is_none())
                });
                right && legible && !matches!(choice(region.pieces), Choice::Unclear)
            })
        })
    })
}

/// One of these words stands in what tells the current status.
fn told(pages: &[Labelled<'_>], words: &[&str]) -> bool {
    pages.iter().any(|page| {
        current_spans(page).into_iter().any(|(start, end)| {
            page.sheet.text.get(start..end).is_some_and(|text| {
                let text = text.to_lowercase();
                words.iter().any(|word| {
                    text.match_indices(word).any(|(at, found)| {
                        // A label without a value gives nothing.
                        let rest = text.get(at + found.len()..).unwrap_or("");
                        let line = rest.lines().next().unwrap_or("");
                        !found.ends_with(':') || line.chars().any(char::is_alphanumeric)
                    })
                })
            })
        })
    })
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;

    use crate::document::{Bounds, DocumentType, Reading, ReviewElement};
    use crate::testing::reading_of;
    use crate::understand::{TypeRules, understand};

    const FORM: &str = "NICU CONCURRENT REVIEW\nPatient Name: Okonkwo, Ada\nCLINICAL UPDATE\nWeight:\nBed type:\n\
        Respiratory support: room air\nFEN: 38 mL q3h gavage\nMedications:\nDischarge needs: car seat test";

    /// What is missing, and what cannot be read, with something unread from `left` on beside line `line`.
    fn lacks(unread: &[(u32, u32)]) -> (Vec<ReviewElement>, Vec<ReviewElement>) {
        let mut reading: Reading = reading_of(&[FORM]);
        let place = |&(line, left): &(u32, u32)| Bounds { left, top: 34 + 40 * line, width: 130, height: 34 };
        reading.pages[0].unread = unread.iter().map(place).collect();
        let understood = understand(&reading, &TypeRules::builtin(), date(2027, 5, 14));
        assert_eq!(understood.document_type, DocumentType::ConcurrentReview);
        (understood.missing, understood.unreadable)
    }

    #[test]
    fn what_is_written_beside_its_label_is_unreadable_and_what_is_not_there_is_missing() {
        use ReviewElement::{BedType, Meds, Weight};
        assert_eq!(lacks(&[]), (vec![Weight, BedType, Meds], vec![]));
        assert_eq!(lacks(&[(3, 110), (7, 160)]), (vec![BedType], vec![Weight, Meds]));
    }

    #[test]
    fn a_scribble_far_off_or_in_front_of_a_label_or_beside_a_value_that_was_read_is_nothing_to_it() {
        use ReviewElement::{BedType, Meds, Weight};
        let all = (vec![Weight, BedType, Meds], vec![]);
        assert_eq!(lacks(&[(3, 1200)]), all);
        assert_eq!(lacks(&[(5, 400), (11, 110)]), all);
    }
}
