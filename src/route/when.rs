//! When a rule applies: conditions on facts, all of which must hold. Pure.
//!
//! Each condition is on a trait of its own, of which a rule allows some values: so two rules can be compared without any
//! document (see `overlap`).

use std::collections::BTreeSet;
use std::fmt;

use jiff::ToSpan;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use serde::Deserialize;

use super::facts::Facts;
use crate::document::{DocumentType, MatchStatus, TransferDirection};
use crate::link::CaseStatus;
use crate::understand::same_telephone;

/// How files write that a fact is not known, or not there.
pub const NONE: &str = "none";

/// Digits from which a text is taken for a telephone number.
const SHORTEST_NUMBER: usize = 7;

/// The conditions of a rule, as written. What is empty or absent is no condition.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct When {
    #[serde(rename = "type")]
    pub types: Vec<DocumentType>,
    /// `none`: not told, or no transfer.
    pub direction: Vec<Named<TransferDirection>>,
    /// As the cases name them, in any case of letters; `none`: not known.
    pub plan: Vec<String>,
    /// Of care, 1 to 4.
    pub level: Vec<u8>,
    /// Lanes or names of mailboxes; `none`: it came as a fax.
    pub mailbox: Vec<String>,
    /// Telephone numbers, email addresses, or their domains (`@hospital.example`).
    pub sender: Vec<String>,
    /// Names, or NPIs.
    pub facility: Vec<String>,
    /// The standing of its case; `none`: it is linked to no case.
    pub case: Vec<Named<CaseStatus>>,
    #[serde(rename = "match")]
    pub status: Vec<MatchStatus>,
    /// Received after the birthday on which the baby was so many years old.
    pub past_birthday: Option<i16>,
    /// Born before this day.
    pub born_before: Option<Date>,
    /// All of these are there; names without what stands behind the colon.
    pub flags: Vec<String>,
    /// None of these is there.
    pub without_flags: Vec<String>,
    /// It speaks of all of these.
    pub topics: Vec<String>,
}

/// A value by its name, or `none`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(untagged)]
pub enum Named<T> {
    Some(T),
    None(NoneName),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
pub enum NoneName {
    #[serde(rename = "none")]
    None,
}

impl<T: Copy> Named<T> {
    fn value(self) -> Option<T> {
        match self {
            Self::Some(value) => Some(value),
            Self::None(NoneName::None) => None,
        }
    }
}

/// What a condition is on.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Trait {
    Type,
    Direction,
    Plan,
    Level,
    Mailbox,
    Sender,
    Facility,
    Case,
    Match,
    PastBirthday(i16),
    BornBefore(Date),
    Flag(String),
    Topic(String),
}

impl fmt::Display for Trait {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Type => f.write_str("type"),
            Self::Direction => f.write_str("direction"),
            Self::Plan => f.write_str("plan"),
            Self::Level => f.write_str("level"),
            Self::Mailbox => f.write_str("mailbox"),
            Self::Sender => f.write_str("sender"),
            Self::Facility => f.write_str("facility"),
            Self::Case => f.write_str("case"),
            Self::Match => f.write_str("match"),
            Self::PastBirthday(years) => write!(f, "past_birthday {years}"),
            Self::BornBefore(day) => write!(f, "born_before {day}"),
            Self::Flag(name) => write!(f, "flag {name}"),
            Self::Topic(name) => write!(f, "topic {name}"),
        }
    }
}

/// Values of conditions that are true or not.
pub const YES: &str = "yes";
pub const NO: &str = "no";

impl When {
    /// Every condition: its trait and the values that it allows, by their names.
    pub fn conditions(&self) -> Vec<(Trait, BTreeSet<String>)> {
        fn named<T: Copy>(values: &[Named<T>], name: impl Fn(T) -> String) -> BTreeSet<String> {
            values.iter().map(|value| value.value().map_or_else(|| NONE.to_owned(), &name)).collect()
        }
        let lower = |values: &[String]| values.iter().map(|value| value.trim().to_lowercase()).collect();
        let truth = |value: &str| BTreeSet::from([value.to_owned()]);
        let mut all: Vec<(Trait, BTreeSet<String>)> = vec![
            (Trait::Type, self.types.iter().map(|kind| kind.name().to_owned()).collect()),
            (Trait::Direction, named(&self.direction, |direction| direction.name().to_owned())),
            (Trait::Plan, lower(&self.plan)),
            (Trait::Level, self.level.iter().map(u8::to_string).collect()),
            (Trait::Mailbox, lower(&self.mailbox)),
            (Trait::Sender, lower(&self.sender)),
            (Trait::Facility, lower(&self.facility)),
            (Trait::Case, named(&self.case, |case| case.name().to_owned())),
            (Trait::Match, self.status.iter().map(|status| status.name().to_owned()).collect()),
        ];
        all.retain(|(_, values)| !values.is_empty());
        all.extend(self.past_birthday.map(|years| (Trait::PastBirthday(years), truth(YES))));
        all.extend(self.born_before.map(|day| (Trait::BornBefore(day), truth(YES))));
        all.extend(self.flags.iter().map(|flag| (Trait::Flag(flag.clone()), truth(YES))));
        all.extend(self.without_flags.iter().map(|flag| (Trait::Flag(flag.clone()), truth(NO))));
        all.extend(self.topics.iter().map(|topic| (Trait::Topic(topic.clone()), truth(YES))));
        all
    }

    /// The first condition that these facts do not meet, and what they say instead; `None` when they meet all.
    /// `zone` tells on which day it was received.
    pub fn unmet(&self, facts: &Facts, zone: &TimeZone) -> Option<(Trait, String)> {
        let conditions = self.conditions();
        conditions.into_iter().find(|(on, allowed)| !meets(on, allowed, facts, zone)).map(|(on, _)| {
            let said = said(&on, facts, zone);
            (on, said)
        })
    }
}

/// Whether a trait of these facts has one of the allowed values.
fn meets(on: &Trait, allowed: &BTreeSet<String>, facts: &Facts, zone: &TimeZone) -> bool {
    match on {
        Trait::Sender => match &facts.sender {
            Some(sender) => allowed.iter().any(|value| is_sender(sender, value)),
            None => allowed.contains(NONE),
        },
        Trait::Facility => {
            let names = [&facts.facility, &facts.facility_npi];
            let mut names = names.into_iter().flatten().map(|name| name.trim().to_lowercase()).peekable();
            if names.peek().is_none() { allowed.contains(NONE) } else { names.any(|name| allowed.contains(&name)) }
        }
        Trait::Type
        | Trait::Direction
        | Trait::Plan
        | Trait::Level
        | Trait::Mailbox
        | Trait::Case
        | Trait::Match
        | Trait::PastBirthday(_)
        | Trait::BornBefore(_)
        | Trait::Flag(_)
        | Trait::Topic(_) => allowed.contains(&said(on, facts, zone)),
    }
}

/// What these facts say of a trait, by the value's name.
fn said(on: &Trait, facts: &Facts, zone: &TimeZone) -> String {
    let text =
        |value: &Option<String>| value.as_ref().map_or_else(|| NONE.to_owned(), |value| value.trim().to_lowercase());
    let truth = |holds: bool| if holds { YES } else { NO }.to_owned();
    match on {
        Trait::Type => facts.document_type.name().to_owned(),
        Trait::Direction => facts.transfer_direction.map_or(NONE, TransferDirection::name).to_owned(),
        Trait::Plan => text(&facts.plan),
        Trait::Level => facts.level.map_or_else(|| NONE.to_owned(), |level| level.to_string()),
        Trait::Mailbox => text(&facts.mailbox),
        Trait::Sender => text(&facts.sender),
        Trait::Facility => text(&facts.facility),
        Trait::Case => facts.case.map_or(NONE, CaseStatus::name).to_owned(),
        Trait::Match => facts.status.name().to_owned(),
        Trait::PastBirthday(years) => {
            let birthday = facts.born.and_then(|born| born.checked_add(years.years()).ok());
            let received = facts.received_at.to_zoned(zone.clone()).date();
            truth(birthday.is_some_and(|birthday| received > birthday))
        }
        Trait::BornBefore(day) => truth(facts.born.is_some_and(|born| born < *day)),
        Trait::Flag(name) => truth(facts.has_flag(name)),
        Trait::Topic(name) => truth(facts.topics.contains(name)),
    }
}

/// Whether a sender is this number, this address, or one of this domain.
fn is_sender(sender: &str, value: &str) -> bool {
    let sender = sender.trim().to_lowercase();
    if value.starts_with('@') {
        return sender.ends_with(value);
    }
    let is_number =
        |text: &str| !text.contains('@') && text.chars().filter(char::is_ascii_digit).count() >= SHORTEST_NUMBER;
    sender == value || (is_number(value) && is_number(&sender) && same_telephone(&sender, value))
}
