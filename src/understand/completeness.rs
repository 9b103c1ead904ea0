//! What a concurrent review fails to give, of what the determination log asks for.
//!
//! A label with nothing behind it gives nothing; "None" behind it does. Only what tells of today counts: not birth, not
//! the trend table, not the plan.

use super::extract::current_spans;
use super::labels::Label;
use super::regions::{Choice, Labelled, choice};
use super::sections::Section;
use super::values::check_box;
use crate::document::{Fields, ReviewElement};

/// Elements of a review that these pages don't give, in the order in which they are asked for.
pub(super) fn missing(pages: &[Labelled<'_>], fields: &Fields) -> Vec<ReviewElement> {
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
