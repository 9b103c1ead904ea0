//! Twelve invented layouts, as unlike each other as those of real hospitals, and three kinds of junk.
//!
//! Each draws one document on as many sheets as it takes, and asks [`Facts`] for all that it prints.

pub mod admission;
pub mod forms;
pub mod junk;
pub mod narrative;
pub mod review;

use nicufaxd::document::DocumentType;

use super::facts::Facts;
use super::sheet::{Fonts, Sheet};

/// Draws a document of this type.
pub type Layout = for<'f> fn(&'f Fonts, &Facts<'_>, DocumentType) -> Vec<Sheet<'f>>;

/// What a layout prints as the title of a document of this type.
pub fn title(kind: DocumentType) -> &'static str {
    match kind {
        DocumentType::AdmissionNotification => "Notification of NICU Admission",
        DocumentType::ConcurrentReview => "Concurrent Review - Clinical Update",
        DocumentType::Transfer => "Transfer Notification",
        DocumentType::Discharge => "Notification of Discharge",
        DocumentType::Readmission => "Notification of Readmission",
        DocumentType::P2pRequest => "Request for Peer-to-Peer Discussion",
        DocumentType::Appeal => "Appeal of Adverse Determination",
        DocumentType::PriorAuthorization => "Prior Authorization Request",
        DocumentType::OutOfNetworkException => "Out-of-Network Exception Request",
        DocumentType::Other => "Memorandum",
    }
}
