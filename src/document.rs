//! The vocabulary that every stage shares: what a document is, what was read on it, what was understood.
//!
//! Plain data only; nothing here touches a disk, a clock or a network. All of it serialises to JSON, because the
//! journal, the readings kept beside the documents and the exported queue are JSON.

pub mod confidence;
mod format;
mod mail;

use std::collections::BTreeMap;
use std::fmt;

use jiff::Timestamp;
use jiff::civil::Date;
use serde::{Deserialize, Serialize};

pub use self::format::{DocumentFormat, is_heic};
pub use self::mail::{
    Automatic, MOST_COVERING, Mail, MailHead, OWN_MESSAGE_ID, OWN_PARAMETER, OwnMail, UnreadPart, beginning,
    echoes_ours,
};

/// A document's identity: the digest of its bytes, as 64 lower-case hexadecimal digits. SHA-256, or where the archive is
/// sealed HMAC-SHA-256 under its key, so that it tells nothing to somebody who guesses: the archive says which.
///
/// The same bytes arriving twice are one document with two arrivals.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct DocumentId(String);

/// The text given is no document id.
#[derive(Debug, thiserror::Error)]
#[error("not a document id: 64 lower-case hexadecimal digits are expected")]
pub struct NotADocumentId;

impl DocumentId {
    /// The id of these bytes in the clear; see `Archive::name` for what it is in an archive.
    pub fn of(bytes: &[u8]) -> Self {
        use sha2::{Digest, Sha256};
        Self::from_digest(&Sha256::digest(bytes))
    }

    /// The id that a finished digest gives (32 bytes).
    pub fn from_digest(digest: &[u8]) -> Self {
        use fmt::Write;
        let mut hex = String::with_capacity(64);
        for byte in digest {
            // Writing to a String can't fail.
            _ = write!(hex, "{byte:02x}");
        }
        Self(hex)
    }

    /// All 64 digits.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The first 16 digits: enough to name a document in a log line.
    pub fn short(&self) -> &str {
        self.0.get(..16).unwrap_or(&self.0)
    }
}

impl TryFrom<String> for DocumentId {
    type Error = NotADocumentId;
    fn try_from(text: String) -> Result<Self, NotADocumentId> {
        let hexadecimal = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
        if text.len() == 64 && text.bytes().all(hexadecimal) { Ok(Self(text)) } else { Err(NotADocumentId) }
    }
}

impl From<DocumentId> for String {
    fn from(id: DocumentId) -> Self {
        id.0
    }
}

impl fmt::Display for DocumentId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.short())
    }
}

impl fmt::Debug for DocumentId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What is known of an arrival from outside the document: who sent it, when, through which source.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Receipt {
    /// Name of the configured source, as in `[[intake.folder]] name`.
    pub source: String,
    /// File name as it lay in the source (no folders).
    pub source_file: String,
    /// Sender's number, if the fax server told it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sender: Option<String>,
    /// When the fax server received it; every clock starts here.
    pub received_at: Timestamp,
    /// Number dialled.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub receiver: Option<String>,
    /// Page count that the fax server reported.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reported_pages: Option<u32>,
    /// The fax server says that it was received with errors.
    #[serde(default)]
    pub received_with_errors: bool,
    /// Free text given with `submit --note`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
}

impl Receipt {
    /// Of an arrival of which nothing is known but where and when.
    pub fn new(source: impl Into<String>, source_file: impl Into<String>, received_at: Timestamp) -> Self {
        Self {
            source: source.into(),
            source_file: source_file.into(),
            sender: None,
            received_at,
            receiver: None,
            reported_pages: None,
            received_with_errors: false,
            note: None,
        }
    }
}

/// A rectangle on a page, in pixels of the upright page with square pixels; serialised as `[left, top, width, height]`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "[u32; 4]", into = "[u32; 4]")]
pub struct Bounds {
    pub left: u32,
    pub top: u32,
    pub width: u32,
    pub height: u32,
}

impl Bounds {
    pub fn right(self) -> u32 {
        self.left.saturating_add(self.width)
    }

    pub fn bottom(self) -> u32 {
        self.top.saturating_add(self.height)
    }

    /// The smallest rectangle that holds both.
    #[must_use]
    pub fn union(self, other: Self) -> Self {
        let left = self.left.min(other.left);
        let top = self.top.min(other.top);
        Self {
            left,
            top,
            width: self.right().max(other.right()) - left,
            height: self.bottom().max(other.bottom()) - top,
        }
    }
}

impl From<[u32; 4]> for Bounds {
    fn from([left, top, width, height]: [u32; 4]) -> Self {
        Self { left, top, width, height }
    }
}

impl From<Bounds> for [u32; 4] {
    fn from(bounds: Bounds) -> Self {
        [bounds.left, bounds.top, bounds.width, bounds.height]
    }
}

/// One recognised word.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Word {
    pub text: String,
    #[serde(rename = "box")]
    pub bounds: Bounds,
    /// What the recogniser thinks of it, 0 to 1; [`confidence::of_word`] tells what that is worth.
    pub confidence: f32,
    /// Words that the recogniser put on one text line share this number; it counts up down the page.
    pub line: u32,
}

/// A barcode as decoded.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Code {
    pub kind: CodeKind,
    pub text: String,
    #[serde(rename = "box")]
    pub bounds: Bounds,
}

/// The kinds of barcodes that are decoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CodeKind {
    Code128,
    Code39,
    Codabar,
    /// Interleaved 2 of 5.
    Itf,
    QrCode,
    DataMatrix,
}

/// How a page came to its words.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PageSource {
    /// By recognition of the picture.
    Recognised,
    /// By the text that a PDF gives beside the picture, as far as the picture bears it out; the rest by recognition.
    TextLayer,
    /// The picture is blank: nothing to recognise.
    Blank,
    /// The picture could not be made; the page has no words, which is not the same as a blank page.
    Unreadable,
    /// The text of a message, taken as it stands.
    Text,
}

/// What a person should know of a page before trusting its words.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PageFlag {
    /// Rows of the picture were damaged in transmission; what could be decoded was kept.
    DamagedRows,
    /// The page holds a picture, yet came out blank.
    BlankPicture,
    /// The page's picture could not be decoded.
    Undecodable,
    /// Hardly a word was recognised with confidence.
    Illegible,
    /// The page was turned upright before it was read.
    Turned,
    /// The text that the file gives beside the picture says something else: the picture was believed.
    TextLayerDisagrees,
    /// A good deal of it seems to be written by hand, which nobody here reads.
    Handwriting,
}

/// One page as read: upright, with square pixels.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Page {
    /// 1-based.
    pub number: u32,
    /// Pixels of the upright page.
    pub width: u32,
    pub height: u32,
    /// Dots an inch of the upright page (equal both ways).
    pub resolution: u32,
    pub source: PageSource,
    /// Degrees clockwise by which the page was turned to stand upright: 0, 90, 180 or 270.
    #[serde(default)]
    pub turned: u16,
    /// Degrees clockwise by which it was straightened besides, about its middle. Readings kept by older versions do not
    /// tell.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub straightened: f32,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub flags: Vec<PageFlag>,
    /// Why the page is unreadable, if it is: bounded, with nothing that stands on it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unreadable_because: Option<String>,
    /// Digest of the picture that the words were read on; see `Picture::digest`. None of a page that was none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub picture: Option<String>,
    /// In reading order.
    pub words: Vec<Word>,
    /// Barcodes that were decoded.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub codes: Vec<Code>,
    /// Where something stands that was not read: handwriting, mostly. What stands there is not missing.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub unread: Vec<Bounds>,
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde hands it over so")]
fn is_zero(degrees: &f32) -> bool {
    *degrees == 0.0
}

impl Page {
    /// The page's text: words parted by spaces, lines by line feeds.
    pub fn text(&self) -> String {
        let mut text = String::new();
        let mut line = None;
        for word in &self.words {
            match line {
                Some(number) if number == word.line => text.push(' '),
                Some(_) => text.push('\n'),
                None => {}
            }
            line = Some(word.line);
            text.push_str(&word.text);
        }
        text
    }
}

/// Everything that was read on a document.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Reading {
    pub format: DocumentFormat,
    /// In page order, none left out.
    pub pages: Vec<Page>,
    /// Of an email: what it tells of the papers in it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mail: Option<Mail>,
}

impl Reading {
    /// With the confidences that are told outside.
    #[must_use]
    pub fn calibrated(mut self) -> Self {
        for word in self.pages.iter_mut().flat_map(|page| &mut page.words) {
            word.confidence = confidence::of_word(word.confidence);
        }
        self
    }

    /// Of a document that is no email.
    pub fn new(format: DocumentFormat, pages: Vec<Page>) -> Self {
        Self { format, pages, mail: None }
    }
}

/// What a document is (see `document_type` in the README).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DocumentType {
    AdmissionNotification,
    ConcurrentReview,
    Transfer,
    Discharge,
    Readmission,
    P2pRequest,
    Appeal,
    PriorAuthorization,
    OutOfNetworkException,
    Other,
}

impl DocumentType {
    pub const ALL: [Self; 10] = [
        Self::AdmissionNotification,
        Self::ConcurrentReview,
        Self::Transfer,
        Self::Discharge,
        Self::Readmission,
        Self::P2pRequest,
        Self::Appeal,
        Self::PriorAuthorization,
        Self::OutOfNetworkException,
        Self::Other,
    ];

    /// The name used in exports and in `config/document-types.toml`.
    pub fn name(self) -> &'static str {
        match self {
            Self::AdmissionNotification => "admission_notification",
            Self::ConcurrentReview => "concurrent_review",
            Self::Transfer => "transfer",
            Self::Discharge => "discharge",
            Self::Readmission => "readmission",
            Self::P2pRequest => "p2p_request",
            Self::Appeal => "appeal",
            Self::PriorAuthorization => "prior_authorization",
            Self::OutOfNetworkException => "out_of_network_exception",
            Self::Other => "other",
        }
    }
}

impl fmt::Display for DocumentType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Where a transfer goes, by level of care.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TransferDirection {
    Higher,
    Lateral,
    Lower,
}

impl TransferDirection {
    /// The name used in exports.
    pub fn name(self) -> &'static str {
        match self {
            Self::Higher => "higher",
            Self::Lateral => "lateral",
            Self::Lower => "lower",
        }
    }
}

/// What a concurrent review must give (the determination log's request), in the order in which it is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ReviewElement {
    Weight,
    BedType,
    Resp,
    Fen,
    Meds,
    DischargeNeeds,
}

impl ReviewElement {
    pub const ALL: [Self; 6] = [Self::Weight, Self::BedType, Self::Resp, Self::Fen, Self::Meds, Self::DischargeNeeds];

    /// The name used in exports.
    pub fn name(self) -> &'static str {
        match self {
            Self::Weight => "weight",
            Self::BedType => "bed_type",
            Self::Resp => "resp",
            Self::Fen => "fen",
            Self::Meds => "meds",
            Self::DischargeNeeds => "discharge_needs",
        }
    }
}

/// A field's value in its normal form: dates as `YYYY-MM-DD`, weights in grams, the rest as text.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum FieldValue {
    Date(Date),
    Number(i64),
    Text(String),
}

impl fmt::Display for FieldValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Date(date) => date.fmt(f),
            Self::Number(number) => number.fmt(f),
            Self::Text(text) => f.write_str(text),
        }
    }
}

/// One fact with the place where it stands.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Field {
    pub value: FieldValue,
    /// 0 to 1; in items of the queue by [`confidence::of_field`].
    pub confidence: f32,
    /// 1-based page.
    pub page: u32,
    #[serde(rename = "box")]
    pub bounds: Bounds,
}

/// Facts by their export name (`dob`, `mrn`, `weight_g`, …), sorted so that exports are stable.
pub type Fields = BTreeMap<String, Field>;

/// A type rule that fired, for `--explain` and the item's history.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct FiredRule {
    /// The rule's name in `document-types.toml`.
    pub rule: String,
    pub document_type: DocumentType,
    /// The points that it gave here.
    pub points: f32,
    /// 1-based page.
    pub page: u32,
}

/// What understanding makes of a reading.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Understanding {
    pub document_type: DocumentType,
    /// 0 to 1.
    pub type_confidence: f32,
    pub transfer_direction: Option<TransferDirection>,
    /// Every rule that fired, strongest first.
    pub fired_rules: Vec<FiredRule>,
    pub fields: Fields,
    /// Only for concurrent reviews.
    pub missing: Vec<ReviewElement>,
    /// What a concurrent review gives and nobody here could read.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub unreadable: Vec<ReviewElement>,
}

/// How sure the link to a case is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MatchStatus {
    /// One case, beyond doubt.
    Matched,
    /// Several could be, or one is likely but not beyond doubt: a person decides.
    Ambiguous,
    /// No case comes near.
    Unmatched,
}

impl MatchStatus {
    /// The name used in exports.
    pub fn name(self) -> &'static str {
        match self {
            Self::Matched => "matched",
            Self::Ambiguous => "ambiguous",
            Self::Unmatched => "unmatched",
        }
    }
}

/// A case that the document may belong to.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Candidate {
    pub case_id: String,
    /// Fellegi–Sunter weight in bits: log2 of how much likelier the evidence is under "this case" than under "another".
    pub score: f64,
    /// In words, strongest first, no values of the page: `"mrn exact p1"`.
    pub reasons: Vec<String>,
}

/// What linking decided.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Match {
    pub status: MatchStatus,
    /// Only when matched.
    pub case_id: Option<String>,
    /// The best candidate's score, 0 when there is none.
    pub score: f64,
    /// Why this status, in words.
    pub reasons: Vec<String>,
    /// Best first, at most ten.
    pub candidates: Vec<Candidate>,
}

impl Match {
    /// Takes back a link that something leaves in doubt, for this reason.
    pub fn leave_to_a_person(&mut self, reason: String) {
        if self.status == MatchStatus::Matched {
            self.status = MatchStatus::Ambiguous;
            self.case_id = None;
            // They told why it was linked; its candidate has them too.
            self.reasons.clear();
        }
        self.reasons.push(reason);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_document_id_is_the_sha_256_of_the_bytes() {
        let id = DocumentId::of(b"abc");
        assert_eq!(id.as_str(), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
        assert!(DocumentId::try_from("../../etc/passwd".to_owned()).is_err());
    }

    #[test]
    fn boxes_are_written_as_left_top_width_height() {
        let bounds = Bounds { left: 1, top: 2, width: 3, height: 4 };
        assert_eq!(serde_json::to_string(&bounds).unwrap(), "[1,2,3,4]");
    }
}
