//! What people do with items: take them, ask for information, put right what the machine told, close them. Pure: an item,
//! a disposition and the time give the events to be recorded, or say why not.
//!
//! Dispositions come by the command line and by file (`dispositions`); both mean the same.

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use super::determination::{Determination, DeterminationRefused, Recorded};
use super::ground::Ground;
use super::item::{ItemId, ItemState, QueueItem};
use crate::archive::event::{Act, Event};
use crate::document::{DocumentType, Match, MatchStatus, TransferDirection};
use crate::pipeline::is_still_being_read;
use crate::route::due::ClockState;

/// How long an item is somebody's who has taken it: a shift. Taking it again begins anew.
pub const TAKEN_FOR: SignedDuration = SignedDuration::from_hours(8);

/// What is done with an item.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Action {
    /// It is theirs for a while; nobody else closes it meanwhile.
    Take,
    /// It is nobody's again.
    Release,
    /// The sender was asked for what `note` says; the clock stands still, as long as its rule allows.
    Ask,
    /// What was asked for came, or is not waited for any more.
    Resume,
    /// Type or case are others than the machine told; with neither of them given, what it told is right.
    Amend,
    Done,
    /// It is not ours.
    Misdirected,
    /// Days of its case were approved or denied, which closes it.
    Determine,
}

/// What one person does with one item; a row of the dispositions file.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Disposition {
    pub item: ItemId,
    pub action: Action,
    /// Who does it.
    pub by: String,
    /// The case that the item belongs to, where a person has linked it.
    #[serde(default)]
    pub case_id: Option<String>,
    #[serde(default)]
    pub document_type: Option<DocumentType>,
    #[serde(default)]
    pub transfer_direction: Option<TransferDirection>,
    /// A remark; for `ask` what is asked for.
    #[serde(default)]
    pub note: Option<String>,
    /// For `determine`.
    #[serde(default)]
    pub determination: Option<Determination>,
}

impl Disposition {
    /// One that says no more than who does what.
    pub fn new(item: ItemId, action: Action, by: String) -> Self {
        Self {
            item,
            action,
            by,
            case_id: None,
            document_type: None,
            transfer_direction: None,
            note: None,
            determination: None,
        }
    }
}

/// Why a disposition is not recorded.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum ActRefused {
    #[error("is resolved already")]
    Resolved,
    #[error("is taken by {by} until {until}; ask them to release it")]
    Taken { by: String, until: Timestamp },
    #[error("is not taken by anybody")]
    NotTaken,
    #[error("needs a note that says what is asked for")]
    NothingAsked,
    #[error("waits for information already")]
    AskedAlready,
    #[error("waits for no information")]
    NotAsked,
    #[error("is due by the rule \"{rule}\", whose clock never stands still")]
    NoPause { rule: String },
    #[error("is overdue already; asking for information does not stop its clock")]
    Overdue,
    #[error("waits for information; resume it first")]
    Waiting,
    #[error("is still being read; try again when it is read to its end")]
    StillRead,
    #[error("could not be read to its end; look at the document, then close it as done, with its case")]
    Held,
    #[error("{case_id} is no case of the registry in force")]
    UnknownCase { case_id: String },
    #[error("name the person who does it")]
    Nobody,
    #[error("is linked to no case; name the case that is determined")]
    NoCase,
    #[error("is determined without days and decision")]
    NoDetermination,
    #[error("is not determined: the determination {0}")]
    Determination(#[from] DeterminationRefused),
}

/// The case that a disposition is about, if it determines days of one.
pub fn determined_case<'a>(item: &'a QueueItem, disposition: &'a Disposition) -> Option<&'a str> {
    let matched = item.link.case_id.as_deref().filter(|_| item.link.status == MatchStatus::Matched);
    let case_id = disposition.case_id.as_deref().or(matched);
    case_id.filter(|_| disposition.action == Action::Determine)
}

/// The events that record a disposition of this item. `earlier`: what was determined of its case before. `by` is the person as recorded, with whoever runs the program.
pub fn events(
    item: &QueueItem,
    disposition: &Disposition,
    by: &str,
    ground: &Ground,
    now: Timestamp,
    earlier: &[Recorded],
) -> Result<Vec<Event>, ActRefused> {
    let person = disposition.by.trim();
    if person.is_empty() {
        return Err(ActRefused::Nobody);
    }
    // A determination may have to be corrected long after.
    let is_resolved = item.state == ItemState::Resolved;
    if is_resolved && disposition.action != Action::Determine {
        return Err(ActRefused::Resolved);
    }
    if let Some(case_id) = disposition.case_id.as_ref().filter(|case_id| ground.registry.get(case_id).is_none()) {
        return Err(ActRefused::UnknownCase { case_id: case_id.clone() });
    }
    let others = item.claimed.as_ref().filter(|claim| claim.until > now && claim.by != person);
    if let Some(claim) = others.filter(|_| disposition.action != Action::Release) {
        return Err(ActRefused::Taken { by: claim.by.clone(), until: claim.until });
    }
    let act = match disposition.action {
        Action::Take => {
            let until = now.checked_add(TAKEN_FOR).unwrap_or(Timestamp::MAX);
            Act::Taken { person: person.to_owned(), until }
        }
        Action::Release => {
            item.claimed.as_ref().ok_or(ActRefused::NotTaken)?;
            Act::Released
        }
        Action::Ask => asked(item, disposition, ground, now)?,
        Action::Resume => {
            let asked = item.asked.as_ref().ok_or(ActRefused::NotAsked)?;
            Act::Resumed { due_at: item.due_at.map_or(now, |due_at| resumed_due(due_at, asked.until, now)) }
        }
        Action::Amend => Act::Amended { item: Box::new(amended(item, disposition, person, ground)?) },
        Action::Done | Action::Misdirected | Action::Determine => {
            let mut events = Vec::new();
            if disposition.action == Action::Determine {
                events.push(determined(item, disposition, by, ground, earlier)?);
                if is_resolved {
                    return Ok(events);
                }
            }
            let disposed = match (disposition.action, &disposition.case_id) {
                (Action::Misdirected, _) => "misdirected",
                (Action::Determine, _) => "determined",
                (_, Some(_)) => "linked",
                (_, None) => "done",
            };
            events.push(Event::Resolved {
                item: item.id.clone(),
                by: by.to_owned(),
                disposition: disposed.to_owned(),
                case_id: disposition.case_id.clone(),
                note: disposition.note.clone(),
            });
            return Ok(events);
        }
    };
    Ok(vec![Event::Acted { item: item.id.clone(), by: by.to_owned(), act }])
}

fn determined(
    item: &QueueItem,
    disposition: &Disposition,
    by: &str,
    ground: &Ground,
    earlier: &[Recorded],
) -> Result<Event, ActRefused> {
    let case_id = determined_case(item, disposition).ok_or(ActRefused::NoCase)?;
    let determination = disposition.determination.clone().ok_or(ActRefused::NoDetermination)?;
    let unknown = || ActRefused::UnknownCase { case_id: case_id.to_owned() };
    determination.check(ground.registry.get(case_id).ok_or_else(unknown)?, earlier)?;
    let (case_id, item, determination) = (case_id.to_owned(), Some(item.id.clone()), Box::new(determination));
    Ok(Event::Determined { case_id, by: by.to_owned(), item, determination })
}

/// When an item is due whose clock stood still, and would have until `until`, but goes on from `now`.
pub fn resumed_due(due_at: Timestamp, until: Timestamp, now: Timestamp) -> Timestamp {
    let unused = until.duration_since(now).max(SignedDuration::ZERO);
    due_at.checked_sub(unused).unwrap_or(due_at)
}

fn asked(item: &QueueItem, disposition: &Disposition, ground: &Ground, now: Timestamp) -> Result<Act, ActRefused> {
    let what = disposition.note.as_deref().map(str::trim).filter(|note| !note.is_empty());
    let what = what.ok_or(ActRefused::NothingAsked)?.to_owned();
    if item.asked.is_some() {
        return Err(ActRefused::AskedAlready);
    }
    let rule = item.due_rule.clone().unwrap_or_default();
    let pause = ground.routing.due_named(&rule).and_then(|due| Some((due.pause?, &due.calendar)));
    let Some(((pause, calendar), due_at)) = pause.zip(item.due_at) else { return Err(ActRefused::NoPause { rule }) };
    if due_at <= now || item.clock.as_ref().is_some_and(|clock| clock.state == ClockState::Overdue) {
        return Err(ActRefused::Overdue);
    }
    let zone = ground.routing.zone_of(&ground.facts_of(item), &ground.zone).clone();
    let until = pause.after(now, calendar, &zone);
    let due_at = due_at.checked_add(until.duration_since(now)).unwrap_or(Timestamp::MAX);
    Ok(Act::Asked { what, until, due_at })
}

/// The item as a person says that it is, routed by that.
fn amended(
    item: &QueueItem,
    disposition: &Disposition,
    person: &str,
    ground: &Ground,
) -> Result<QueueItem, ActRefused> {
    if item.state == ItemState::Held {
        return Err(ActRefused::Held);
    }
    if is_still_being_read(item) {
        return Err(ActRefused::StillRead);
    }
    if item.asked.is_some() {
        return Err(ActRefused::Waiting);
    }
    let mut changed = item.as_decided();
    changed.amended_by = Some(person.to_owned());
    if let Some(document_type) = disposition.document_type {
        changed.document_type = document_type;
        changed.type_reasons.insert(0, format!("{person} says so"));
        if document_type != DocumentType::ConcurrentReview {
            changed.missing.clear();
        }
        if document_type != DocumentType::Transfer {
            changed.transfer_direction = None;
        }
    }
    changed.transfer_direction = disposition.transfer_direction.or(changed.transfer_direction);
    if let Some(case_id) = &disposition.case_id {
        let Match { score, candidates, .. } = changed.link;
        let reasons = vec![format!("linked by {person}")];
        changed.link =
            Match { status: MatchStatus::Matched, case_id: Some(case_id.clone()), score, reasons, candidates };
    }
    ground.route_anew(&mut changed);
    Ok(changed)
}
