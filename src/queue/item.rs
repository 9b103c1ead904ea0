//! One item of the work queue: the line that a nurse works on.
//!
//! An item is a document, or a run of its pages when it holds several patients or papers. This file says how an item
//! looks and which states follow one another; it never stores, exports or decides anything.

use std::fmt;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use crate::document::{
    DocumentId, DocumentType, Fields, Match, MatchStatus, Receipt, ReviewElement, TransferDirection,
};
use crate::route::due::{Clock, ClockState};
use crate::route::rules::WARN_AT;
use crate::route::{ATTENTION, Routed};

/// An item's identity: the first 16 hexadecimal digits of its document's id, `-`, and the 1-based segment number.
///
/// It follows from the document alone, so it is the same after a restart and after a rebuild.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ItemId {
    document: String,
    segment: u32,
}

/// The text given is no item id.
#[derive(Debug, thiserror::Error)]
#[error("not an item id: 16 lower-case hexadecimal digits, a hyphen and a number from 1 are expected")]
pub struct NotAnItemId;

impl ItemId {
    /// The id of a document's segment (counted from 1).
    pub fn new(document: &DocumentId, segment: u32) -> Self {
        Self { document: document.short().to_owned(), segment }
    }

    /// The first 16 digits of the document's id.
    pub fn document(&self) -> &str {
        &self.document
    }

    /// Counted from 1.
    pub fn segment(&self) -> u32 {
        self.segment
    }
}

impl TryFrom<String> for ItemId {
    type Error = NotAnItemId;
    fn try_from(text: String) -> Result<Self, NotAnItemId> {
        let hexadecimal = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
        let (document, segment) = text.split_once('-').ok_or(NotAnItemId)?;
        let number: u32 = segment.parse().map_err(|_| NotAnItemId)?;
        // One spelling an id: "01" and "+1" would be second names of segment 1.
        if document.len() == 16 && document.bytes().all(hexadecimal) && number > 0 && number.to_string() == segment {
            Ok(Self { document: document.to_owned(), segment: number })
        } else {
            Err(NotAnItemId)
        }
    }
}

impl From<ItemId> for String {
    fn from(id: ItemId) -> Self {
        id.to_string()
    }
}

impl fmt::Display for ItemId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.document, self.segment)
    }
}

impl fmt::Debug for ItemId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Where an item stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ItemState {
    /// Waits for a nurse.
    Open,
    /// No stage could finish its document: a person must look at the document itself.
    Held,
    /// A person has disposed of it; the machine never touches it again.
    Resolved,
}

impl ItemState {
    /// Whether an item may go from this state to `next`.
    pub fn may_become(self, next: Self) -> bool {
        match (self, next) {
            (Self::Open | Self::Held, _) => true,
            (Self::Resolved, next) => next == Self::Resolved,
        }
    }
}

/// An item as exported, a line of `queue.jsonl`; the fields stand in the order of the README's contract.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct QueueItem {
    pub id: ItemId,
    /// Name of the configured source.
    pub source: String,
    pub source_file: String,
    pub sender: Option<String>,
    /// When the fax server received it (RFC 3339).
    pub received_at: Timestamp,
    /// Pages of the whole document; 0 when nobody could tell.
    pub pages: u32,
    /// First and last page of this item, counted from 1, both included.
    pub page_range: [u32; 2],
    pub document_type: DocumentType,
    /// 0 to 1.
    pub type_confidence: f32,
    pub transfer_direction: Option<TransferDirection>,
    #[serde(rename = "match")]
    pub link: Match,
    pub fields: Fields,
    pub missing: Vec<ReviewElement>,
    /// The item that says the same already.
    pub duplicate_of: Option<ItemId>,
    pub flags: Vec<String>,
    /// Lane of the routing rules (`um`, `cm`, …).
    pub lane: String,
    /// Priority of the routing rules (`urgent`, `standard`, …).
    pub priority: String,
    pub due_at: Option<Timestamp>,
    /// Name of the rule that gave the due time.
    pub due_rule: Option<String>,
    pub assigned_to: Option<String>,
    pub state: ItemState,
    /// Why it is of this type, in words, strongest first, without values of the page.
    #[serde(default)]
    pub type_reasons: Vec<String>,
    /// How many times the same document has arrived.
    #[serde(default)]
    pub arrivals: u32,
    /// Which rule decided, and what else it says; absent for what no rule decided on.
    #[serde(default)]
    pub routing: Option<Routed>,
    /// How the time runs to `due_at`.
    #[serde(default)]
    pub clock: Option<Clock>,
    /// Who has taken it, and until when.
    #[serde(default)]
    pub claimed: Option<Claim>,
    /// What information its clock stands still for.
    #[serde(default)]
    pub asked: Option<Asked>,
    /// Who has said that type and case are these.
    #[serde(default)]
    pub amended_by: Option<String>,
}

/// An item is somebody's for a while.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Claim {
    pub by: String,
    pub until: Timestamp,
}

/// Information that the sender was asked for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Asked {
    pub what: String,
    pub since: Timestamp,
    /// The clock goes on then, whatever has come.
    pub until: Timestamp,
}

impl AsRef<ItemId> for ItemId {
    fn as_ref(&self) -> &ItemId {
        self
    }
}

impl AsRef<ItemId> for QueueItem {
    fn as_ref(&self) -> &ItemId {
        &self.id
    }
}

/// Due time of an item about which nothing is known, its plan included: 24 h, the shortest clock there is
/// (NCQA UM 5, urgent concurrent; the sources' rule for an unknown plan).
const UNKNOWN_DUE_HOURS: i64 = 24;

/// Begins the flags of an item that says what another one said before.
const DUPLICATE: &str = "duplicate: ";

impl QueueItem {
    /// Whether it is this lane's work, or the lane is to know of it.
    pub fn is_in(&self, lane: &str) -> bool {
        let copied = |routed: &Routed| routed.copies.iter().any(|copy| copy == lane);
        self.lane == lane || self.routing.as_ref().is_some_and(copied)
    }

    /// Says of the item that `of` said the same before, what is new on it (its pages, 1-based) and which fields have other
    /// values here.
    pub fn says_again(&mut self, of: ItemId, new_pages: &[u32], differs: &[String]) {
        self.duplicate_of = Some(of);
        if !new_pages.is_empty() {
            let pages: Vec<String> = new_pages.iter().map(u32::to_string).collect();
            self.flags.push(format!("{DUPLICATE}new on it: p{}", pages.join(",")));
        }
        if !differs.is_empty() {
            self.flags.push(format!("{DUPLICATE}differs in {}", differs.join(", ")));
        }
    }

    /// The item as it was decided on, without what was found out of it besides.
    #[must_use]
    pub fn as_decided(&self) -> Self {
        let flags = self.flags.iter().filter(|flag| !flag.starts_with(DUPLICATE)).cloned().collect();
        let clock = self.clock.clone().map(|clock| Clock { passed: 0, state: ClockState::Running, ..clock });
        Self { duplicate_of: None, flags, clock, claimed: None, asked: None, ..self.clone() }
    }

    /// The item by which a nurse sees a document that no stage could finish: of no known type, linked to no case,
    /// urgent because it may be anything, with the reason among its flags.
    ///
    /// `reason` is bounded text without patient data. Its segment is 1; the archive gives it another number when
    /// that one belongs to an item that a person has resolved.
    pub fn held(document: &DocumentId, receipt: &Receipt, reason: &str) -> Self {
        let pages = receipt.reported_pages.unwrap_or(0);
        let given = SignedDuration::from_hours(UNKNOWN_DUE_HOURS);
        let due_at = receipt.received_at.checked_add(given).unwrap_or(Timestamp::MAX);
        let mut flags = vec![format!("held: {reason}")];
        flags.extend(receipt.note.iter().map(|note| format!("note: {note}")));
        if receipt.received_with_errors {
            flags.push("received_with_errors".to_owned());
        }
        Self {
            id: ItemId::new(document, 1),
            source: receipt.source.clone(),
            source_file: receipt.source_file.clone(),
            sender: receipt.sender.clone(),
            received_at: receipt.received_at,
            pages,
            page_range: [1, pages.max(1)],
            document_type: DocumentType::Other,
            type_confidence: 0.0,
            transfer_direction: None,
            link: Match {
                status: MatchStatus::Unmatched,
                case_id: None,
                score: 0.0,
                reasons: vec!["the document could not be read to its end".to_owned()],
                candidates: Vec::new(),
            },
            fields: Fields::new(),
            missing: Vec::new(),
            duplicate_of: None,
            flags,
            lane: ATTENTION.to_owned(),
            priority: "urgent".to_owned(),
            due_at: Some(due_at),
            due_rule: Some("unknown-plan".to_owned()),
            assigned_to: None,
            state: ItemState::Held,
            type_reasons: Vec::new(),
            arrivals: 1,
            routing: None,
            clock: Some(Clock::running(receipt.received_at, due_at, &WARN_AT, "")),
            claimed: None,
            asked: None,
            amended_by: None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn receipt() -> Receipt {
        let received_at = "2026-03-16T09:12:00-04:00".parse().unwrap();
        let receipt = Receipt::new("secure-fax", "0042.tif", received_at);
        Receipt { reported_pages: Some(3), received_with_errors: true, ..receipt }
    }

    #[test]
    fn an_item_id_has_one_spelling() {
        let id = ItemId::new(&DocumentId::of(b"abc"), 2);
        assert_eq!(id.to_string(), "ba7816bf8f01cfea-2");
        assert_eq!(ItemId::try_from(id.to_string()).unwrap(), id);
        for wrong in ["", "ba7816bf8f01cfea", "ba7816bf8f01cfea-0", "ba7816bf8f01cfea-02", "ba7816bf8f01cfea-+2", "é-1"]
        {
            assert!(ItemId::try_from(wrong.to_owned()).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_line_has_the_fields_of_the_contract_in_its_order() {
        let item = QueueItem::held(&DocumentId::of(b"abc"), &receipt(), "unreadable");
        let line = serde_json::to_string(&item).unwrap();
        let order = "id source source_file sender received_at pages page_range document_type type_confidence \
                     transfer_direction match fields missing duplicate_of flags lane priority due_at due_rule \
                     assigned_to state type_reasons arrivals routing clock claimed asked amended_by";
        let mut rest = line.as_str();
        for name in order.split_whitespace() {
            let key = format!("\"{name}\":");
            (_, rest) = rest.split_once(&key).unwrap_or_else(|| panic!("{name} is missing or out of order"));
        }
        assert_eq!(serde_json::from_str::<QueueItem>(&line).unwrap(), item);
    }

    #[test]
    fn a_held_document_is_urgent_work_that_names_its_reason() {
        let item = QueueItem::held(&DocumentId::of(b"abc"), &receipt(), "unreadable");
        assert_eq!(item.flags, ["held: unreadable", "received_with_errors"]);
        assert_eq!(item.state, ItemState::Held);
        assert_eq!(item.due_at, Some("2026-03-17T13:12:00Z".parse().unwrap()));
        assert_eq!(item.page_range, [1, 3]);
    }

    #[test]
    fn what_a_person_resolved_stays_resolved() {
        assert!(ItemState::Held.may_become(ItemState::Open));
        assert!(ItemState::Open.may_become(ItemState::Resolved));
        assert!(!ItemState::Resolved.may_become(ItemState::Open));
    }
}
