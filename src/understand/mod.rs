//! What a paper is and what stands on it: a pure function of its reading, the rules and the day of receipt.
//!
//! - [`layout`] puts words into rows and cells by where they stand;
//! - [`classify`] tells the document type by the weighted rules of `config/document-types.toml`;
//! - [`sections`], [`labels`] and [`regions`] tell where facts can stand, [`dates`], [`weights`] and [`values`] what
//!   they look like, [`siblings`] strikes out what is said of a twin, and [`extract`] takes the rest;
//! - [`completeness`] tells what a concurrent review fails to give;
//! - [`transmission`] reads the header lines of the sending machine, and takes them off;
//! - [`segment`] tells where the next baby's papers begin, by what [`identity`] knows of each page.
//!
//! Never fails and never panics, whatever was read. Reads no clock, touches no disk and logs nothing: all that it
//! sees is patient data.

mod choose;
mod classify;
mod completeness;
mod dates;
mod direction;
mod extract;
mod identity;
mod labels;
mod layout;
mod lexicon;
mod phrases;
mod present;
mod regions;
mod rules;
#[cfg(test)]
mod scenarios;
mod sections;
mod segment;
mod sentences;
mod siblings;
mod transmission;
mod values;
mod weights;

pub use rules::{RulesError, TypeRules};
pub use segment::Segmentation;
pub use transmission::{Transmission, same_telephone};

use jiff::civil::Date;

use crate::document::{DocumentType, Reading, Understanding};
use completeness::Lack;
use layout::Sheet;

/// Tells which pages are about which baby, when a document is about several.
///
/// Whoever understands and links a segment gives [`understand`] its pages only, with their numbers kept.
pub fn segment(reading: &Reading, rules: &TypeRules, received: Date) -> Segmentation {
    segment::segment(reading, rules, received)
}

/// What the sending machine burned into the pages of a document that came as one.
pub fn transmission(reading: &Reading, rules: &TypeRules) -> Transmission {
    Transmission::of(reading, &rules.lexicon)
}

/// Understands one document (of one patient) that was received on a day.
///
/// `received` only bounds which dates are believed: a birth date lies before it, a next review near it. A paper that
/// was plainly sent long before (it lay in a folder, or the fax server told no time) is judged by its own day.
pub fn understand(reading: &Reading, rules: &TypeRules, received: Date) -> Understanding {
    let sheets: Vec<Sheet> = reading.pages.iter().map(Sheet::new).collect();
    let received = sections::sent_on(&sheets, &rules.lexicon.dates, received);
    let verdict = classify::classify(&sheets, rules);
    let pages = extract::label_pages(&sheets, &rules.lexicon, received);
    let own = siblings::without_siblings(&pages, &rules.lexicon, received);
    let pages = own.as_deref().map_or(pages, |own| extract::label_pages(own, &rules.lexicon, received));
    let fields = extract::extract(&pages, &rules.lexicon, received, verdict.document_type);
    let Lack { missing, unreadable } = match verdict.document_type {
        DocumentType::ConcurrentReview => completeness::lack(&pages, &fields),
        DocumentType::AdmissionNotification
        | DocumentType::Transfer
        | DocumentType::Discharge
        | DocumentType::Readmission
        | DocumentType::P2pRequest
        | DocumentType::Appeal
        | DocumentType::PriorAuthorization
        | DocumentType::OutOfNetworkException
        | DocumentType::Other => Lack::default(),
    };
    let transfer_direction =
        if verdict.document_type == DocumentType::Transfer { direction::direction(&sheets, rules) } else { None };
    Understanding {
        document_type: verdict.document_type,
        type_confidence: verdict.confidence,
        transfer_direction,
        fired_rules: verdict.fired,
        fields,
        missing,
        unreadable,
    }
}
