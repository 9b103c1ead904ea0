//! The audit trail: what the journal holds, in words, for a person who asks who did what and when.
//!
//! It reads the journal as it lies on the disk, whoever has the archive open, and changes nothing. The words hold what
//! the records hold, patient data included: they are for the one who asks, never for the log. What was recorded of a
//! purged document is told as far as it stands in the clear: what happened, and when.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use jiff::Timestamp;

use super::event::{Act, Event, KeptResolution, List, MACHINE, Operation};
use super::fact::Fact;
use super::journal::{self, Entry, Said};
use super::on_lists::OnLists;
use super::vault::Vault;
use super::{ArchiveError, AtRest, JOURNAL, keys};
use crate::document::DocumentId;
use crate::queue::determination::Determination;
use crate::queue::item::{ItemId, QueueItem};
use crate::route::due::ALL_OF_IT;

/// Which part of the trail is wanted; everything unless something is said.
#[derive(Clone, Debug, Default)]
pub struct AuditFilter {
    /// Documents that were linked to this case, by the machine or by a person.
    pub case: Option<String>,
    /// The beginning of a document's id, or an item's id.
    pub document: Option<String>,
    pub since: Option<Timestamp>,
}

impl AuditFilter {
    /// The beginning of the wanted document's id: an item's id begins with 16 digits of its document's.
    pub fn beginning(&self) -> Option<&str> {
        self.document.as_deref().map(|id| id.split('-').next().unwrap_or(id))
    }
}

/// One line of the trail.
#[derive(Clone, Debug, PartialEq)]
pub struct AuditLine {
    /// Number of the record.
    pub sequence: u64,
    pub time: Timestamp,
    pub who: String,
    pub document: Option<DocumentId>,
    pub what: String,
}

/// The trail that a state directory holds, or the part of it that is wanted.
pub struct Trail<'a> {
    vault: Vault,
    folder: PathBuf,
    filter: &'a AuditFilter,
    /// The first digits of the ids of the wanted case's documents.
    of_case: Option<BTreeSet<String>>,
}

impl<'a> Trail<'a> {
    pub fn open(state: &Path, at_rest: &AtRest, filter: &'a AuditFilter) -> Result<Self, ArchiveError> {
        let vault = keys::look(state, at_rest)?;
        let folder = state.join(JOURNAL);
        let of_case = filter.case.as_deref().map(|case| documents_of(&folder, &vault, case)).transpose()?;
        Ok(Self { vault, folder, filter, of_case })
    }

    /// What is about to be shown, for the record.
    pub fn as_list(&self) -> List {
        let case = self.filter.case.clone();
        let documents = match &self.of_case {
            Some(documents) => documents.iter().cloned().collect(),
            None => self.filter.beginning().map(str::to_owned).into_iter().collect(),
        };
        List::Trail { case, documents }
    }

    /// Gives every line that is wanted to `told`, in the order of the records.
    pub fn tell(&self, mut told: impl FnMut(AuditLine)) -> Result<(), ArchiveError> {
        let Self { vault, folder, filter, of_case } = self;
        let beginning = filter.beginning();
        let mut on_lists = OnLists::default();
        journal::walk(folder, None, |record: Entry| {
            let (sequence, time) = (record.sequence, record.time);
            let (fact, event) = opened(record, vault)?;
            let short = |document: &DocumentId| document.short().to_owned();
            let document = fact.as_ref().and_then(Fact::document).or_else(|| event.as_ref().and_then(Event::document));
            let item = event.as_ref().and_then(item_of);
            let about = document.map(short).or_else(|| item.map(|item| item.document().to_owned()));
            let wanted = match &about {
                None => {
                    let of_that_case = |case: &str| event.as_ref().and_then(case_of) == Some(case);
                    let list = event.as_ref().and_then(list_of);
                    let is_on_it = list.as_ref().is_some_and(|list| on_lists.stood_on(list));
                    let lists_cases = matches!(list, Some(List::Cases)) && filter.case.is_some();
                    let of_all = beginning.is_none() && filter.case.as_deref().is_none_or(of_that_case);
                    of_all || is_on_it || lists_cases
                }
                Some(about) => {
                    of_case.as_ref().is_none_or(|documents| documents.contains(about))
                        && beginning.is_none_or(|beginning| {
                            document.is_some_and(|document| document.as_str().starts_with(beginning))
                                || about.starts_with(beginning)
                        })
                }
            };
            if wanted && (of_case.is_some() || beginning.is_some()) {
                if let Some(document) = document {
                    on_lists.follow(document, fact.as_ref(), event.as_ref());
                }
                if let Some(item) = item {
                    on_lists.resolve(item);
                }
            }
            if wanted && filter.since.is_none_or(|since| time >= since) {
                let (who, what) = event.as_ref().map_or_else(|| unopened(fact.as_ref()), words);
                told(AuditLine { sequence, time, who, document: document.cloned(), what });
            }
            Ok(())
        })?;
        Ok(())
    }
}

/// A record's fact and, as far as it can be opened, its event.
fn opened(record: Entry, vault: &Vault) -> Result<(Option<Fact>, Option<Event>), ArchiveError> {
    let fact = match &record.said {
        Said::Plain(_) => None,
        Said::Sealed { fact, .. } => Some(fact.clone()),
    };
    match record.into_event(vault) {
        Ok(event) => Ok((fact, Some(event))),
        Err(
            ArchiveError::DocumentMissing { .. }
            | ArchiveError::DocumentDamaged { .. }
            | ArchiveError::RecordDoesNotOpen { .. },
        ) => Ok((fact, None)),
        Err(error) => Err(error),
    }
}

/// The first digits of the ids of the documents that were ever linked to a case; of those that are purged, that were
/// when they were.
fn documents_of(folder: &Path, vault: &Vault, case: &str) -> Result<BTreeSet<String>, ArchiveError> {
    let mut found = BTreeSet::new();
    let mark = vault.case_mark(case);
    journal::walk(folder, None, |record: Entry| {
        match opened(record, vault)?.1 {
            Some(Event::Queued { document, items })
                if items.iter().any(|item| item.link.case_id.as_deref() == Some(case)) =>
            {
                found.insert(document.short().to_owned());
            }
            Some(Event::Resolved { item, case_id, .. }) if case_id.as_deref() == Some(case) => {
                found.insert(item.document().to_owned());
            }
            Some(Event::Acted { item, act: Act::Amended { item: amended }, .. })
                if amended.link.case_id.as_deref() == Some(case) =>
            {
                found.insert(item.document().to_owned());
            }
            Some(Event::Purged { document, cases, .. }) if cases.contains(&mark) => {
                found.insert(document.short().to_owned());
            }
            Some(_) | None => {}
        }
        Ok(())
    })?;
    Ok(found)
}

/// The case that an event is about which is about no document.
fn case_of(event: &Event) -> Option<&str> {
    if let Event::CaseShown { case_id: case, .. }
    | Event::Determined { case_id: case, .. }
    | Event::Listed { list: Some(List::Trail { case: Some(case), .. }), .. } = event
    {
        Some(case)
    } else {
        None
    }
}

/// The list that an event tells of; an export of the queue is one too.
fn list_of(event: &Event) -> Option<List> {
    if let Event::Listed { list, .. } = event {
        return list.clone();
    }
    matches!(event, Event::Exported { .. }).then_some(List::Queue { lane: None })
}

fn item_of(event: &Event) -> Option<&ItemId> {
    if let Event::Resolved { item, .. } = event { Some(item) } else { None }
}

fn items_words(items: &[QueueItem]) -> String {
    let words = |item: &QueueItem| {
        let case = item.link.case_id.as_ref().map_or_else(|| "no case".to_owned(), |case| format!("case {case}"));
        format!("{} {} to lane {}, {case}", item.id, item.document_type, item.lane)
    };
    items.iter().map(words).collect::<Vec<_>>().join("; ")
}

/// Who did what.
fn words(event: &Event) -> (String, String) {
    let machine = || MACHINE.to_owned();
    match event {
        Event::DocumentReceived { size, receipt, .. } => {
            (receipt.source.clone(), format!("received as {} ({size} bytes)", receipt.source_file))
        }
        Event::ArrivedAgain { receipt, .. } => {
            (receipt.source.clone(), format!("arrived again as {}", receipt.source_file))
        }
        Event::Repaired { .. } => (machine(), "stored its bytes anew in place of a damaged or missing file".to_owned()),
        Event::SourceReleased { .. } => (machine(), "released by its source".to_owned()),
        Event::Refused { source, source_file, reason, .. } => {
            (source.clone(), format!("refused {source_file}: {reason}"))
        }
        Event::RefusalCleared { by, .. } => (by.clone().unwrap_or_else(machine), "a refusal was cleared".to_owned()),
        Event::AttemptStarted { stage, attempt, .. } => (machine(), format!("attempt {attempt} began ({stage})")),
        Event::HandedBack { .. } => (machine(), "handed back, the attempt does not count".to_owned()),
        Event::Queued { items, .. } => (machine(), format!("queued {}", items_words(items))),
        Event::Triaged { items, .. } => {
            (machine(), format!("showed, while it is still being read, {}", items_words(items)))
        }
        Event::Held { reason, stage, .. } => (machine(), format!("held ({stage}): {reason}")),
        Event::Retried { by, .. } => (by.clone(), "wanted it tried again".to_owned()),
        Event::CasesLoaded { digest, cases } => (machine(), format!("took over {cases} cases, snapshot {digest}")),
        Event::Resolved { item, by, disposition, case_id, note } => {
            let case = case_id.as_ref().map(|case| format!(", case {case}")).unwrap_or_default();
            let note = note.as_ref().map(|note| format!(", note: {note}")).unwrap_or_default();
            (by.clone(), format!("resolved {item} as {disposition}{case}{note}"))
        }
        Event::Acted { item, by, act } => (by.clone(), act_words(item, act)),
        Event::Determined { case_id, by, determination, item: _ } => {
            let Determination { from, to, days, decision, replaces, .. } = &**determination;
            let instead = replaces.map(|number| format!(", in place of number {number}")).unwrap_or_default();
            (by.clone(), format!("determined {days} days of case {case_id}, {from} to {to}: {decision:?}{instead}"))
        }
        Event::DispositionTaken { .. } => (machine(), "took a row of the dispositions file".to_owned()),
        Event::ClockPassed { item, percent } => (machine(), clock_words(item, *percent)),
        Event::RecordsLost { from, to, digest } => (
            machine(),
            format!("found records {from} to {to} lost from the journal's end, the last one with digest {digest}"),
        ),
        Event::Shown { by, .. } => (by.clone(), "was shown it".to_owned()),
        Event::ContentSeen { .. } => (machine(), "noted what the message says, to know it again".to_owned()),
        Event::KnownBy { marks, .. } => (machine(), format!("noted {} marks by which to know it again", marks.len())),
        Event::Repeats { item, of, .. } => (machine(), format!("noted that {item} says what {of} said before")),
        Event::Listed { by, entries, list } => {
            let what = match list {
                Some(List::Queue { lane: Some(lane) }) => format!("a list of {entries} open items of lane {lane}"),
                Some(List::Queue { lane: None }) => format!("a list of {entries} open items"),
                Some(List::Cases) => format!("a list of {entries} cases"),
                Some(List::Held { .. }) => format!("the list of what is held, {entries} entries"),
                Some(List::Outbox { .. }) => format!("the list of {entries} mails that were not sent"),
                Some(List::Trail { case: Some(case), .. }) => format!("the trail of case {case}"),
                Some(List::Trail { case: None, documents }) if documents.is_empty() => "the whole trail".to_owned(),
                Some(List::Trail { case: None, documents }) => format!("the trail of {}", documents.join(", ")),
                Some(List::Other) | None => format!("a list of {entries}"),
            };
            (by.clone(), format!("was shown {what}"))
        }
        Event::CaseShown { case_id, by } => (by.clone(), format!("was shown case {case_id}")),
        Event::Operated { by, what } => {
            let what = match what {
                Operation::KeyRotation => "began to rotate the key".to_owned(),
                Operation::CasesImport { cases } => format!("imported {cases} cases"),
                Operation::IndexRebuild => "had the index made anew".to_owned(),
            };
            (by.clone(), what)
        }
        Event::ResolutionsKept { resolutions, .. } => {
            let resolved = |kept: &KeptResolution| {
                format!("{} was resolved as {} by {} at {}", kept.item, kept.disposition, kept.by, kept.at)
            };
            let resolutions: Vec<String> = resolutions.iter().map(resolved).collect();
            (machine(), format!("keeps of what is purged: {}", resolutions.join("; ")))
        }
        Event::Exported { by, items } => (by.clone(), format!("exported the queue of {items} items")),
        Event::ItemExported { item, by, .. } => (by.clone(), format!("exported the pages of {item}")),
        Event::Purged { rule, by, .. } => (by.clone(), format!("purged under rule {rule}")),
        Event::MailQueued { key, kind, recipient, item, .. } => {
            let about = item.as_ref().map(|item| format!(" about {item}")).unwrap_or_default();
            (machine(), format!("queued a mail ({}){about} to {recipient}, because of {key}", kind.name()))
        }
        Event::MailAttempted { mail, attempt, .. } => (machine(), format!("began attempt {attempt} to send {mail}")),
        Event::MailSent { mail, .. } => (machine(), format!("sent {mail}: the relay has taken it over")),
        Event::MailFailed { mail, reason, .. } => (machine(), format!("gave {mail} up: {reason}")),
        Event::MailRetried { mail, by, .. } => (by.clone(), format!("wanted {mail} tried again")),
        Event::MailDismissed { mail, by, .. } => (by.clone(), format!("dismissed {mail}; it is not sent")),
    }
}

fn act_words(item: &ItemId, act: &Act) -> String {
    match act {
        Act::Taken { person, until } => format!("took {item} for {person} until {until}"),
        Act::Released => format!("released {item}"),
        Act::Asked { what, until, due_at } => {
            format!("asked for information on {item} ({what}); its clock stands still until {until}, due {due_at}")
        }
        Act::Resumed { due_at } => format!("let the clock of {item} go on; due {due_at}"),
        Act::Amended { item: amended } => format!("said what it is: {}", items_words(std::slice::from_ref(amended))),
    }
}

fn clock_words(item: &ItemId, percent: u8) -> String {
    if percent >= ALL_OF_IT {
        format!("noted that {item} is overdue")
    } else {
        format!("noted that {percent} % of the time of {item} is over")
    }
}

/// What is left to say of a record that cannot be opened.
fn unopened(fact: Option<&Fact>) -> (String, String) {
    let what = match fact {
        Some(Fact::DocumentReceived { size, .. }) => format!("received ({size} bytes)"),
        Some(Fact::ArrivedAgain { .. }) => "arrived again".to_owned(),
        Some(Fact::SourceReleased { .. }) => "released by its source".to_owned(),
        Some(Fact::Queued { segments, .. }) => format!("queued {} items", segments.len()),
        Some(Fact::Triaged { segments, .. }) => format!("showed {} items while it was being read", segments.len()),
        Some(Fact::Held { .. }) => "held".to_owned(),
        Some(Fact::Retried { .. }) => "tried again".to_owned(),
        Some(Fact::Resolved { document, segment }) => format!("resolved {}", ItemId::new(document, *segment)),
        Some(Fact::ClockPassed { document, segment, percent }) => {
            clock_words(&ItemId::new(document, *segment), *percent)
        }
        Some(Fact::Acted { document, segment, .. }) => format!("acted on {}", ItemId::new(document, *segment)),
        Some(Fact::Shown { .. }) => "shown".to_owned(),
        Some(Fact::ItemExported { .. }) => "exported".to_owned(),
        Some(Fact::MailQueued { mail, .. }) => format!("queued {mail}"),
        Some(Fact::MailFailed { mail, .. }) => format!("gave {mail} up"),
        Some(Fact::MailRetried { mail, .. } | Fact::MailDismissed { mail, .. }) => format!("saw to {mail}"),
        Some(Fact::ContentSeen { .. }) => "noted what the message says, to know it again".to_owned(),
        Some(Fact::KnownBy { marks, .. }) => format!("noted {} marks by which to know it again", marks.len()),
        Some(Fact::Repeats { document, segment }) => {
            format!("noted that {} says what another one said before", ItemId::new(document, *segment))
        }
        // Records of no document, and those that the fact is all of: they open as long as there is a key at all.
        Some(
            Fact::AttemptStarted { .. }
            | Fact::HandedBack { .. }
            | Fact::Repaired { .. }
            | Fact::Refused { .. }
            | Fact::RefusalCleared { .. }
            | Fact::CasesLoaded {}
            | Fact::RecordsLost { .. }
            | Fact::DispositionTaken { .. }
            | Fact::Determined { .. }
            | Fact::Listed {}
            | Fact::CaseShown {}
            | Fact::Operated {}
            | Fact::ResolutionsKept { .. }
            | Fact::Exported {}
            | Fact::Purged { .. }
            | Fact::MailAttempted { .. }
            | Fact::MailSent { .. },
        )
        | None => "a record".to_owned(),
    };
    ("-".to_owned(), format!("{what}; what else it says can be opened by nobody any more"))
}
