//! What the journal records: everything that happened to a document, in words that stay readable for years.
//!
//! A closed list. Events are serialised as JSON under a version number ([`VERSION`]); a variant or a field is added
//! with a default for old records, never renamed and never dropped, because the journal is the audit trail and the
//! only truth besides the documents.

use serde::{Deserialize, Serialize};

use super::mail::{MailId, MailKind};
use super::vault::Mark;
use crate::document::{DocumentId, MailHead, Receipt};
use crate::queue::determination::Determination;
use crate::queue::item::{ItemId, QueueItem};

/// Version of the record format that this program writes; it reads all versions up to this one. 2: sealed records.
pub const VERSION: u32 = 2;

/// Who acts when no person does.
pub const MACHINE: &str = "nicufaxd";

/// A stage of the pipeline, for attempts and for what is held.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Stage {
    Read,
    Understand,
    Link,
    Route,
    Queue,
}

impl Stage {
    /// The name used in the journal, in logs and in listings.
    pub fn name(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Understand => "understand",
            Self::Link => "link",
            Self::Route => "route",
            Self::Queue => "queue",
        }
    }
}

impl std::fmt::Display for Stage {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())
    }
}

/// One thing that happened.
///
/// `I` is how much of the items is wanted: all of them as a rule, their ids alone where the journal is replayed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[allow(clippy::large_enum_variant, reason = "events live for one write; a box would only hide the fields")]
pub enum Event<I = QueueItem> {
    /// A document's bytes are stored; its first arrival. Only `Archive::accept` records it.
    DocumentReceived {
        document: DocumentId,
        /// In bytes.
        size: u64,
        receipt: Receipt,
        /// Names this arrival within its source, so that the same file seen again after a crash is the same arrival.
        source_key: String,
    },
    /// The same bytes came again. Only `Archive::accept` records it.
    ArrivedAgain { document: DocumentId, receipt: Receipt, source_key: String },
    /// Its stored file was damaged or gone; the same bytes came again and were stored in its place. Only
    /// `Archive::accept` records it.
    Repaired { document: DocumentId },
    /// The source's own file was moved away or deleted; its key may be used anew.
    SourceReleased { document: DocumentId, source_key: String },
    /// A source held something that is no document (a link, a FIFO, an empty file, too large a file); nothing stored.
    Refused { source: String, source_file: String, reason: String, key: String },
    /// What was refused is gone from its source, or a person has seen to it.
    RefusalCleared {
        key: String,
        /// Who has seen to it, when a person has.
        #[serde(default)]
        by: Option<String>,
    },
    /// A stage is about to try; recorded before it does, so that a crash counts as a try.
    AttemptStarted {
        document: DocumentId,
        stage: Stage,
        /// Counted from 1.
        attempt: u32,
    },
    /// An attempt ended without telling anything of the document (the daemon stopped, no worker could be started): it
    /// does not count.
    HandedBack { document: DocumentId },
    /// The document's items, whole. They replace its earlier items, but for those that a person has acted on.
    Queued { document: DocumentId, items: Vec<I> },
    /// What a document's first pages tell: items that show it while the rest is read. They replace its earlier items as
    /// those of `Queued` do, and it waits for the pipeline as before.
    Triaged { document: DocumentId, items: Vec<I> },
    /// No stage could finish it: it waits for a person. `reason` is bounded and without patient data.
    Held {
        document: DocumentId,
        reason: String,
        stage: Stage,
        /// Of an email: what its head says, so that a person finds it. Patient data, for nobody but who asks.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        mail: Option<MailHead>,
    },
    /// A person wants it tried again from the start.
    Retried { document: DocumentId, by: String },
    /// A snapshot of the open cases was taken over.
    CasesLoaded {
        /// SHA-256 of the snapshot, hexadecimal.
        digest: String,
        cases: u64,
    },
    /// A person has disposed of an item.
    Resolved {
        item: ItemId,
        by: String,
        disposition: String,
        #[serde(default)]
        case_id: Option<String>,
        #[serde(default)]
        note: Option<String>,
    },
    /// A person has acted on an item that stays open; or the time of what they did is over.
    Acted { item: ItemId, by: String, act: Act },
    /// Days of a case's stay were approved or denied. Its number is that of the record.
    Determined { case_id: String, by: String, item: Option<ItemId>, determination: Box<Determination> },
    /// A row of the dispositions file was taken; recorded together with what it says.
    DispositionTaken { key: String },
    /// This share of an item's time has passed, in percent; 100: it is overdue.
    ClockPassed { item: ItemId, percent: u8 },
    /// At a start the journal's end was missing: records that the index had taken in, so that they had been acknowledged.
    /// Only recovery records it.
    RecordsLost {
        /// Number of the first lost record.
        from: u64,
        /// Number of the last one.
        to: u64,
        /// SHA-256 of the last one, hexadecimal: shows whether a journal found later is the lost one.
        digest: String,
    },
    /// What a message says, whatever way it came: the same message delivered twice has two heads and one content. Only
    /// the first document with a content is recorded.
    ContentSeen {
        document: DocumentId,
        /// See [`Mail::content`](crate::document::Mail).
        content: String,
    },
    /// What a document can be known again by: the pictures of its pages, the cases and numbers that it speaks of. For finding
    /// the documents that say the same; many may have a mark in common.
    KnownBy { document: DocumentId, marks: Vec<String> },
    /// An item says what another one, which came before it, said already.
    Repeats {
        document: DocumentId,
        item: ItemId,
        of: ItemId,
        /// Its pages that did not come before, 1-based.
        new_pages: Vec<u32>,
        /// Names of the fields that have other values here.
        differs: Vec<String>,
    },
    /// Somebody was shown what the archive knows of a document.
    Shown { document: DocumentId, by: String },
    /// Somebody was shown a list: of what is open, or of the cases.
    Listed {
        by: String,
        /// Items, documents or cases that were on it.
        entries: u64,
        /// What it was of. Older records do not tell.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        list: Option<List>,
    },
    /// An operator had this done.
    Operated { by: String, what: Operation },
    /// Of a document that is about to be purged: how its items were disposed of, and by whom. It stays readable.
    ResolutionsKept { document: DocumentId, resolutions: Vec<KeptResolution> },
    /// Somebody was shown a case of the registry.
    CaseShown { case_id: String, by: String },
    /// The exported queue was replaced.
    Exported {
        by: String,
        /// Items that it holds.
        items: u64,
    },
    /// An item's pages were put into the export folder.
    ItemExported { document: DocumentId, item: ItemId, by: String },
    /// The document's key was destroyed, under this rule of the configuration: what it says, what was read on it and
    /// what was recorded of it can be opened by nobody.
    Purged {
        document: DocumentId,
        rule: String,
        by: String,
        /// Number of the record by which it was received: the same document received later is another one.
        #[serde(default)]
        received: u64,
        /// Of the cases that its items were linked to: who asks for a case's trail learns that this belonged to it.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        cases: Vec<Mark>,
    },
    /// A mail is to be sent. Recorded before anything is sent; under a key that is known it changes nothing.
    MailQueued {
        /// Names the reason, recipient included.
        key: String,
        kind: MailKind,
        #[serde(default)]
        document: Option<DocumentId>,
        #[serde(default)]
        item: Option<ItemId>,
        recipient: String,
        subject: String,
        body: String,
    },
    /// A mail is about to be handed to the relay. Without an outcome after it, nobody knows whether the relay has it: it
    /// is sent again, under the same Message-ID.
    MailAttempted {
        mail: MailId,
        #[serde(default)]
        document: Option<DocumentId>,
        /// Counted from 1.
        attempt: u32,
    },
    /// The relay has taken it over.
    MailSent {
        mail: MailId,
        #[serde(default)]
        document: Option<DocumentId>,
    },
    /// It was given up and waits for a person. `reason` is bounded and holds no address.
    MailFailed {
        mail: MailId,
        #[serde(default)]
        document: Option<DocumentId>,
        reason: String,
    },
    /// A person wants a mail that waits, or was given up, to be tried again at once.
    MailRetried {
        mail: MailId,
        #[serde(default)]
        document: Option<DocumentId>,
        by: String,
    },
    /// A person has seen to a mail that waits, or was given up: it is not sent.
    MailDismissed {
        mail: MailId,
        #[serde(default)]
        document: Option<DocumentId>,
        by: String,
    },
}

impl<I> Event<I> {
    /// The document that it is about; an event about an item names the item alone.
    pub fn document(&self) -> Option<&DocumentId> {
        match self {
            Self::DocumentReceived { document, .. }
            | Self::ArrivedAgain { document, .. }
            | Self::Repaired { document }
            | Self::SourceReleased { document, .. }
            | Self::AttemptStarted { document, .. }
            | Self::HandedBack { document }
            | Self::Queued { document, .. }
            | Self::Triaged { document, .. }
            | Self::Held { document, .. }
            | Self::Retried { document, .. }
            | Self::ContentSeen { document, .. }
            | Self::KnownBy { document, .. }
            | Self::Repeats { document, .. }
            | Self::Shown { document, .. }
            | Self::ResolutionsKept { document, .. }
            | Self::ItemExported { document, .. }
            | Self::Purged { document, .. } => Some(document),
            Self::MailQueued { document, .. }
            | Self::MailAttempted { document, .. }
            | Self::MailSent { document, .. }
            | Self::MailFailed { document, .. }
            | Self::MailRetried { document, .. }
            | Self::MailDismissed { document, .. } => document.as_ref(),
            Self::Refused { .. }
            | Self::RefusalCleared { .. }
            | Self::CasesLoaded { .. }
            | Self::RecordsLost { .. }
            | Self::Resolved { .. }
            | Self::ClockPassed { .. }
            | Self::Acted { .. }
            | Self::DispositionTaken { .. }
            | Self::Determined { .. }
            | Self::Listed { .. }
            | Self::CaseShown { .. }
            | Self::Operated { .. }
            | Self::Exported { .. } => None,
        }
    }

    /// The item that it is about, where it names that alone.
    pub(super) fn item(&self) -> Option<&ItemId> {
        if let Self::Resolved { item, .. } | Self::ClockPassed { item, .. } | Self::Acted { item, .. } = self {
            Some(item)
        } else {
            None
        }
    }

    /// Whether it tells of bytes that were stored or destroyed, or of what recovery found, so that the record alone would be untrue.
    pub(super) fn needs_more_than_a_record(&self) -> bool {
        matches!(
            self,
            Self::DocumentReceived { .. }
                | Self::ArrivedAgain { .. }
                | Self::Repaired { .. }
                | Self::Purged { .. }
                | Self::RecordsLost { .. }
        )
    }
}

/// An item's id, the rest of the item skipped: making the index again reads every item ever queued.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub(super) struct ItemName {
    id: ItemId,
}

impl AsRef<ItemId> for ItemName {
    fn as_ref(&self) -> &ItemId {
        &self.id
    }
}

/// What a person did with an item that stays open.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Act {
    /// It is theirs until then.
    Taken {
        person: String,
        until: jiff::Timestamp,
    },
    Released,
    /// Its clock stands still until then at the latest, and it is due so much later.
    Asked {
        what: String,
        until: jiff::Timestamp,
        due_at: jiff::Timestamp,
    },
    /// Its clock goes on.
    Resumed {
        due_at: jiff::Timestamp,
    },
    /// It is as the person says; the machine does not decide on it any more.
    Amended {
        item: Box<QueueItem>,
    },
}

/// An act without what it says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum ActKind {
    Taken,
    Released,
    Asked,
    Resumed,
    Amended,
}

impl Act {
    pub(super) fn kind(&self) -> ActKind {
        match self {
            Self::Taken { .. } => ActKind::Taken,
            Self::Released => ActKind::Released,
            Self::Asked { .. } => ActKind::Asked,
            Self::Resumed { .. } => ActKind::Resumed,
            Self::Amended { .. } => ActKind::Amended,
        }
    }
}

/// What somebody was shown a list of. Which entries were on it, the records before it tell; `documents` are the first
/// digits of the ids of those of which they do not.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum List {
    /// The items that are not resolved, those of held documents among them, of one lane or of all.
    Queue { lane: Option<String> },
    /// The cases of the registry.
    Cases,
    /// What is held: documents, refused files, mails that were given up. Named are documents whose file was lost, and
    /// those that such a mail is about.
    Held { documents: Vec<String> },
    /// Mails that were not sent yet. Named are all documents that they are about.
    Outbox { documents: Vec<String> },
    /// The audit trail: of a case, with the documents that ever belonged to it; of the documents named; or, where there
    /// is neither, the whole.
    Trail { case: Option<String>, documents: Vec<String> },
    /// One entry that is about no document. In older records all of the above but the first two.
    Other,
}

/// What an operator had done to the archive or the registry.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Operation {
    /// Recorded before it is begun.
    KeyRotation,
    CasesImport {
        cases: u64,
    },
    IndexRebuild,
}

/// What is kept of a resolution when all that the item said is forgotten.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeptResolution {
    pub item: ItemId,
    pub by: String,
    pub disposition: String,
    pub at: jiff::Timestamp,
}

/// How a person disposed of an item.
#[derive(Clone, Debug, PartialEq)]
pub struct Resolution {
    pub by: String,
    pub disposition: String,
    /// The case that the person chose; the item's own match stays what the machine thought.
    pub case_id: Option<String>,
    pub note: Option<String>,
    pub at: jiff::Timestamp,
}

/// Something refused at a source, still there as far as is known.
#[derive(Clone, Debug, PartialEq)]
pub struct Refusal {
    /// What people and log lines call it, as there is no document to name: see [`Archive::refusal_id`](super::Archive).
    pub id: String,
    pub source: String,
    pub source_file: String,
    pub reason: String,
    pub key: String,
    pub at: jiff::Timestamp,
}
