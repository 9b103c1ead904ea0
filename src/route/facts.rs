//! What routing goes by: the facts of one document, however they were found out.
//!
//! `nicufaxd route test FILE` reads the same facts from a file, so that a table can be tried without a fax.

use std::collections::BTreeSet;

use jiff::Timestamp;
use jiff::civil::Date;
use serde::{Deserialize, Serialize};

use crate::document::{
    DocumentType, FieldValue, Fields, Match, MatchStatus, Receipt, ReviewElement, TransferDirection,
};
use crate::link::{Case, CaseStatus};

/// The facts of one document. What is not known is absent; of the case only what is beyond doubt: an unsure link lends
/// neither plan nor nurse.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Facts {
    pub document_type: DocumentType,
    #[serde(default)]
    pub transfer_direction: Option<TransferDirection>,
    #[serde(rename = "match", default = "unmatched")]
    pub status: MatchStatus,
    /// When the fax server received it.
    pub received_at: Timestamp,
    /// The lane of the mailbox that it came to, or the mailbox's name where it has none; absent for a fax.
    #[serde(default)]
    pub mailbox: Option<String>,
    /// Telephone number or email address.
    #[serde(default)]
    pub sender: Option<String>,
    /// The case's; where there is none, as printed.
    #[serde(default)]
    pub facility: Option<String>,
    #[serde(default)]
    pub facility_npi: Option<String>,
    #[serde(default)]
    pub plan: Option<String>,
    /// Of care: the case's; where there is none, as printed.
    #[serde(default)]
    pub level: Option<u8>,
    #[serde(default)]
    pub case: Option<CaseStatus>,
    #[serde(default)]
    pub born: Option<Date>,
    /// The nurse to whom the case is assigned.
    #[serde(default)]
    pub nurse: Option<String>,
    /// As items show them; what stands behind a colon is of no account here.
    #[serde(default)]
    pub flags: Vec<String>,
    /// Names of the topics that the document speaks of.
    #[serde(default)]
    pub topics: BTreeSet<String>,
    /// What it gives: fields, and the elements of a review.
    #[serde(default)]
    pub given: BTreeSet<String>,
}

fn unmatched() -> MatchStatus {
    MatchStatus::Unmatched
}

impl Facts {
    /// The facts of a document of this type, received then, of which nothing else is known.
    pub fn new(document_type: DocumentType, received_at: Timestamp) -> Self {
        Self {
            document_type,
            transfer_direction: None,
            status: MatchStatus::Unmatched,
            received_at,
            mailbox: None,
            sender: None,
            facility: None,
            facility_npi: None,
            plan: None,
            level: None,
            case: None,
            born: None,
            nurse: None,
            flags: Vec::new(),
            topics: BTreeSet::new(),
            given: BTreeSet::new(),
        }
    }

    /// Takes over what its case says, if the link is beyond doubt, and what stands on it where the case says nothing.
    #[must_use]
    pub fn linked(mut self, linked: &Match, case: Option<&Case>, fields: &Fields, missing: &[ReviewElement]) -> Self {
        self.status = linked.status;
        let printed = |name: &str| fields.get(name).map(|field| &field.value);
        let text = |name: &str| printed(name).map(ToString::to_string);
        if let Some(case) = case.filter(|_| linked.status == MatchStatus::Matched) {
            self.plan = filled(&case.plan);
            self.facility = filled(&case.facility);
            self.facility_npi = filled(&case.facility_npi);
            self.level = case.level_of_care.trim().parse().ok();
            self.case = Some(case.status);
            self.born = case.dob;
            self.nurse = filled(&case.assigned_nurse);
        }
        self.facility = self.facility.or_else(|| text("facility"));
        self.level = self.level.or(match printed("level_of_care") {
            Some(FieldValue::Number(level)) => u8::try_from(*level).ok(),
            Some(FieldValue::Text(level)) => level.trim().parse().ok(),
            Some(FieldValue::Date(_)) | None => None,
        });
        // Elements are missed on reviews alone.
        let elements = ReviewElement::ALL.into_iter().filter(|element| !missing.contains(element));
        self.given = fields.keys().cloned().chain(elements.map(|element| element.name().to_owned())).collect();
        self
    }

    /// Takes over what is known of how it came.
    #[must_use]
    pub fn received(mut self, receipt: &Receipt, mailbox: Option<&str>) -> Self {
        self.sender.clone_from(&receipt.sender);
        self.mailbox = mailbox.map(str::to_owned);
        self
    }

    /// Whether it has a flag of this name.
    pub fn has_flag(&self, name: &str) -> bool {
        self.flags.iter().any(|flag| flag.split(':').next() == Some(name))
    }
}

fn filled(cell: &str) -> Option<String> {
    let cell = cell.trim();
    (!cell.is_empty()).then(|| cell.to_owned())
}
