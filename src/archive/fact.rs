//! What the index needs of an event: the part of a record that stays in the clear in a sealed journal.
//!
//! Ids (keyed digests), counts and marks, nothing that a document says and nothing that a person wrote. The index is a
//! function of the facts alone, so it can be made again without opening a single record, also when documents were
//! purged and what the journal said of them can be opened by nobody. A sealed record's event must agree with its
//! facts ([`Fact::agrees`]), so nobody without the keys can change them unseen.

use serde::{Deserialize, Serialize};

use super::event::{ActKind, Event, Stage};
use super::mail::MailId;
use super::vault::{Mark, Vault};
use crate::document::DocumentId;
use crate::queue::item::ItemId;

/// A fact an event; the names are those of the events.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Fact {
    DocumentReceived {
        document: DocumentId,
        /// In bytes, unsealed.
        size: u64,
        /// Of document and source key.
        arrival: Mark,
    },
    ArrivedAgain {
        document: DocumentId,
        arrival: Mark,
    },
    Repaired {
        document: DocumentId,
    },
    SourceReleased {
        document: DocumentId,
        arrival: Mark,
    },
    Refused {
        /// Of the refusal's key.
        refusal: Mark,
        /// Of key and reason, to tell a new refusal from one that is known.
        reason: Mark,
    },
    RefusalCleared {
        refusal: Mark,
    },
    AttemptStarted {
        document: DocumentId,
        stage: Stage,
        attempt: u32,
    },
    HandedBack {
        document: DocumentId,
    },
    Queued {
        document: DocumentId,
        /// Of the items, in their order.
        segments: Vec<u32>,
    },
    Triaged {
        document: DocumentId,
        /// Of the items, in their order.
        segments: Vec<u32>,
    },
    Held {
        document: DocumentId,
    },
    ContentSeen {
        document: DocumentId,
        content: Mark,
    },
    KnownBy {
        document: DocumentId,
        marks: Vec<Mark>,
    },
    Repeats {
        document: DocumentId,
        segment: u32,
    },
    Retried {
        document: DocumentId,
    },
    CasesLoaded {},
    RecordsLost {
        from: u64,
        to: u64,
        digest: String,
    },
    Resolved {
        document: DocumentId,
        segment: u32,
    },
    ClockPassed {
        document: DocumentId,
        segment: u32,
        percent: u8,
    },
    Acted {
        document: DocumentId,
        segment: u32,
        act: ActKind,
    },
    DispositionTaken {
        disposition: Mark,
    },
    Determined {
        case: Mark,
    },
    Shown {
        document: DocumentId,
    },
    Listed {},
    CaseShown {},
    Operated {},
    ResolutionsKept {
        document: DocumentId,
    },
    Exported {},
    ItemExported {
        document: DocumentId,
    },
    Purged {
        document: DocumentId,
        rule: String,
        by: String,
        #[serde(default)]
        received: u64,
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        cases: Vec<Mark>,
        /// Of all of the above: a start destroys what it reads here, so it must be sure who wrote it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        mark: Option<Mark>,
    },
    MailQueued {
        mail: MailId,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        document: Option<DocumentId>,
    },
    MailAttempted {
        mail: MailId,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        document: Option<DocumentId>,
        attempt: u32,
    },
    MailSent {
        mail: MailId,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        document: Option<DocumentId>,
    },
    MailFailed {
        mail: MailId,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        document: Option<DocumentId>,
    },
    MailRetried {
        mail: MailId,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        document: Option<DocumentId>,
    },
    MailDismissed {
        mail: MailId,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        document: Option<DocumentId>,
    },
}

/// Keyed, where the archive is sealed; lengths keep the parts apart.
fn purge_mark(vault: &Vault, document: &DocumentId, (rule, by): (&str, &str), received: u64, cases: &[Mark]) -> Mark {
    let cases: Vec<String> = cases.iter().map(|case| case.digits(64)).collect();
    let said = format!("{received} {} {rule} {} {by} {}", rule.len(), by.len(), cases.join(" "));
    vault.mark("purge", [document.as_str(), &said])
}

/// An event names an item that is none of its document's.
pub(super) struct ForeignItem(pub ItemId);

fn segments_of<I: AsRef<ItemId>>(document: &DocumentId, items: &[I]) -> Result<Vec<u32>, ForeignItem> {
    let segment = |item: &I| {
        let id: &ItemId = item.as_ref();
        if id.document() == document.short() { Ok(id.segment()) } else { Err(ForeignItem(id.clone())) }
    };
    items.iter().map(segment).collect()
}

/// The document that an item is of, if it is this one.
fn document_of(item: &ItemId, document: Option<&DocumentId>) -> Result<DocumentId, ForeignItem> {
    let of = document.filter(|document| item.document() == document.short());
    of.cloned().ok_or_else(|| ForeignItem(item.clone()))
}

impl Fact {
    /// The fact of an event about this document; `None` when the event is about none.
    pub(super) fn of<I: AsRef<ItemId>>(
        event: &Event<I>,
        document: Option<&DocumentId>,
        vault: &Vault,
    ) -> Result<Self, ForeignItem> {
        let arrival = |document: &DocumentId, key: &str| vault.mark("arrival", [document.as_str(), key]);
        let refusal = |key: &str| vault.mark("refusal", [key, ""]);
        Ok(match event {
            Event::DocumentReceived { document, size, source_key, receipt: _ } => Self::DocumentReceived {
                document: document.clone(),
                size: *size,
                arrival: arrival(document, source_key),
            },
            Event::ArrivedAgain { document, source_key, receipt: _ } => {
                Self::ArrivedAgain { document: document.clone(), arrival: arrival(document, source_key) }
            }
            Event::Repaired { document } => Self::Repaired { document: document.clone() },
            Event::SourceReleased { document, source_key } => {
                Self::SourceReleased { document: document.clone(), arrival: arrival(document, source_key) }
            }
            Event::Refused { key, reason, source: _, source_file: _ } => {
                Self::Refused { refusal: refusal(key), reason: vault.mark("reason", [key, reason]) }
            }
            Event::RefusalCleared { key, by: _ } => Self::RefusalCleared { refusal: refusal(key) },
            Event::AttemptStarted { document, stage, attempt } => {
                Self::AttemptStarted { document: document.clone(), stage: *stage, attempt: *attempt }
            }
            Event::HandedBack { document } => Self::HandedBack { document: document.clone() },
            Event::Queued { document, items } => {
                Self::Queued { document: document.clone(), segments: segments_of(document, items)? }
            }
            Event::Triaged { document, items } => {
                Self::Triaged { document: document.clone(), segments: segments_of(document, items)? }
            }
            Event::Held { document, reason: _, stage: _, mail: _ } => Self::Held { document: document.clone() },
            Event::ContentSeen { document, content } => {
                Self::ContentSeen { document: document.clone(), content: vault.mark("content", [content, ""]) }
            }
            Event::KnownBy { document, marks } => Self::KnownBy {
                document: document.clone(),
                marks: marks.iter().map(|mark| vault.mark("known by", [mark, ""])).collect(),
            },
            Event::Repeats { document, item, .. } => {
                let segments = segments_of(document, std::slice::from_ref(item))?;
                Self::Repeats { document: document.clone(), segment: segments.first().copied().unwrap_or_default() }
            }
            Event::Retried { document, by: _ } => Self::Retried { document: document.clone() },
            Event::CasesLoaded { .. } => Self::CasesLoaded {},
            Event::RecordsLost { from, to, digest } => {
                Self::RecordsLost { from: *from, to: *to, digest: digest.clone() }
            }
            Event::Resolved { item, .. } => {
                Self::Resolved { document: document_of(item, document)?, segment: item.segment() }
            }
            Event::ClockPassed { item, percent } => {
                Self::ClockPassed { document: document_of(item, document)?, segment: item.segment(), percent: *percent }
            }
            Event::Acted { item, act, by: _ } => {
                Self::Acted { document: document_of(item, document)?, segment: item.segment(), act: act.kind() }
            }
            Event::Determined { case_id, .. } => Self::Determined { case: vault.case_mark(case_id) },
            Event::DispositionTaken { key } => {
                Self::DispositionTaken { disposition: vault.mark("disposition", [key, ""]) }
            }
            Event::Shown { document, by: _ } => Self::Shown { document: document.clone() },
            Event::Listed { .. } => Self::Listed {},
            Event::CaseShown { .. } => Self::CaseShown {},
            Event::Operated { .. } => Self::Operated {},
            Event::ResolutionsKept { document, .. } => Self::ResolutionsKept { document: document.clone() },
            Event::Exported { .. } => Self::Exported {},
            Event::ItemExported { document, .. } => Self::ItemExported { document: document.clone() },
            Event::Purged { document, rule, by, received, cases } => Self::Purged {
                document: document.clone(),
                rule: rule.clone(),
                by: by.clone(),
                received: *received,
                cases: cases.clone(),
                mark: Some(purge_mark(vault, document, (rule, by), *received, cases)),
            },
            Event::MailQueued { key, document, .. } => {
                Self::MailQueued { mail: MailId::of(key, vault), document: document.clone() }
            }
            Event::MailAttempted { mail, document, attempt } => {
                Self::MailAttempted { mail: mail.clone(), document: document.clone(), attempt: *attempt }
            }
            Event::MailSent { mail, document } => Self::MailSent { mail: mail.clone(), document: document.clone() },
            Event::MailFailed { mail, document, reason: _ } => {
                Self::MailFailed { mail: mail.clone(), document: document.clone() }
            }
            Event::MailRetried { mail, document, by: _ } => {
                Self::MailRetried { mail: mail.clone(), document: document.clone() }
            }
            Event::MailDismissed { mail, document, by: _ } => {
                Self::MailDismissed { mail: mail.clone(), document: document.clone() }
            }
        })
    }

    /// The document that it is about.
    pub(super) fn document(&self) -> Option<&DocumentId> {
        match self {
            Self::DocumentReceived { document, .. }
            | Self::ArrivedAgain { document, .. }
            | Self::Repaired { document }
            | Self::SourceReleased { document, .. }
            | Self::AttemptStarted { document, .. }
            | Self::HandedBack { document }
            | Self::Queued { document, .. }
            | Self::Triaged { document, .. }
            | Self::Held { document }
            | Self::ContentSeen { document, .. }
            | Self::KnownBy { document, .. }
            | Self::Repeats { document, .. }
            | Self::Retried { document }
            | Self::Resolved { document, .. }
            | Self::ClockPassed { document, .. }
            | Self::Acted { document, .. }
            | Self::Shown { document }
            | Self::ResolutionsKept { document }
            | Self::ItemExported { document }
            | Self::Purged { document, .. } => Some(document),
            Self::MailQueued { document, .. }
            | Self::MailAttempted { document, .. }
            | Self::MailSent { document, .. }
            | Self::MailFailed { document, .. }
            | Self::MailRetried { document, .. }
            | Self::MailDismissed { document, .. } => document.as_ref(),
            Self::Refused { .. }
            | Self::RefusalCleared { .. }
            | Self::CasesLoaded {}
            | Self::RecordsLost { .. }
            | Self::DispositionTaken { .. }
            | Self::Determined { .. }
            | Self::Listed {}
            | Self::CaseShown {}
            | Self::Operated {}
            | Self::Exported {} => None,
        }
    }

    /// The document under whose key its record is sealed. Who was shown a document, and who resolved it, stays readable
    /// when that key is destroyed.
    pub(super) fn sealed_with(&self) -> Option<&DocumentId> {
        let of_archive = matches!(self, Self::Shown { .. } | Self::ResolutionsKept { .. });
        self.document().filter(|_| !of_archive)
    }

    /// Whether the exported queue may look otherwise after it.
    pub(super) fn changes_exports(&self) -> bool {
        match self {
            Self::ArrivedAgain { .. }
            | Self::DocumentReceived { .. }
            | Self::Repaired { .. }
            | Self::Queued { .. }
            | Self::Triaged { .. }
            | Self::Held { .. }
            | Self::Repeats { .. }
            | Self::Retried { .. }
            | Self::Resolved { .. }
            | Self::ClockPassed { .. }
            | Self::Acted { .. }
            | Self::Purged { .. } => true,
            Self::SourceReleased { .. }
            | Self::Refused { .. }
            | Self::RefusalCleared { .. }
            | Self::AttemptStarted { .. }
            | Self::HandedBack { .. }
            | Self::ContentSeen { .. }
            | Self::KnownBy { .. }
            | Self::CasesLoaded {}
            | Self::RecordsLost { .. }
            | Self::DispositionTaken { .. }
            | Self::Determined { .. }
            | Self::Shown { .. }
            | Self::Listed {}
            | Self::CaseShown {}
            | Self::Operated {}
            | Self::ResolutionsKept { .. }
            | Self::Exported {}
            | Self::ItemExported { .. }
            | Self::MailQueued { .. }
            | Self::MailAttempted { .. }
            | Self::MailSent { .. }
            | Self::MailFailed { .. }
            | Self::MailRetried { .. }
            | Self::MailDismissed { .. } => false,
        }
    }

    /// The event, where the fact is all of it and nothing is left to seal.
    pub(super) fn whole(&self) -> Option<Event> {
        match self {
            Self::AttemptStarted { document, stage, attempt } => {
                Some(Event::AttemptStarted { document: document.clone(), stage: *stage, attempt: *attempt })
            }
            Self::HandedBack { document } => Some(Event::HandedBack { document: document.clone() }),
            Self::Repaired { document } => Some(Event::Repaired { document: document.clone() }),
            Self::MailAttempted { mail, document, attempt } => {
                Some(Event::MailAttempted { mail: mail.clone(), document: document.clone(), attempt: *attempt })
            }
            Self::MailSent { mail, document } => {
                Some(Event::MailSent { mail: mail.clone(), document: document.clone() })
            }
            Self::RecordsLost { from, to, digest } => {
                Some(Event::RecordsLost { from: *from, to: *to, digest: digest.clone() })
            }
            Self::ClockPassed { document, segment, percent } => {
                Some(Event::ClockPassed { item: ItemId::new(document, *segment), percent: *percent })
            }
            // Its document's key is about to be destroyed.
            Self::Purged { document, rule, by, received, cases, mark: _ } => Some(Event::Purged {
                document: document.clone(),
                rule: rule.clone(),
                by: by.clone(),
                received: *received,
                cases: cases.clone(),
            }),
            Self::DocumentReceived { .. }
            | Self::ArrivedAgain { .. }
            | Self::ContentSeen { .. }
            | Self::KnownBy { .. }
            | Self::Repeats { .. }
            | Self::SourceReleased { .. }
            | Self::Refused { .. }
            | Self::RefusalCleared { .. }
            | Self::Queued { .. }
            | Self::Triaged { .. }
            | Self::Held { .. }
            | Self::Retried { .. }
            | Self::CasesLoaded {}
            | Self::Resolved { .. }
            | Self::Acted { .. }
            | Self::DispositionTaken { .. }
            | Self::Determined { .. }
            | Self::Shown { .. }
            | Self::Listed {}
            | Self::CaseShown {}
            | Self::Operated {}
            | Self::ResolutionsKept { .. }
            | Self::Exported {}
            | Self::ItemExported { .. }
            | Self::MailQueued { .. }
            | Self::MailFailed { .. }
            | Self::MailRetried { .. }
            | Self::MailDismissed { .. } => None,
        }
    }

    /// Whether it was written by this archive, where it has something destroyed; for others that is of no account here.
    pub(super) fn is_authentic(&self, vault: &Vault) -> bool {
        let Self::Purged { document, rule, by, received, cases, mark } = self else { return true };
        *mark == Some(purge_mark(vault, document, (rule, by), *received, cases))
    }

    /// Whether this is the fact of that event.
    pub(super) fn agrees<I: AsRef<ItemId>>(&self, event: &Event<I>, vault: &Vault) -> bool {
        Self::of(event, self.document(), vault).is_ok_and(|fact| fact == *self)
    }
}
