//! Which lane, how urgent, due when, whose: the plan's rules as a pure function of what is known.
//!
//! The rules stand in `config/routing.toml`, or in the operator's own file: an ordered table of which the first rule that
//! applies decides, and the item names it. Due times run from receipt by the fax server, never from when the reading was
//! done. No clock is asked here.
//!
//! - [`facts`] is what a decision goes by, [`when`] whether a rule applies, [`rules`] the file;
//! - [`due`] and [`calendar`] reckon the due time;
//! - [`overlap`] finds rules that never apply, and those that take the same.

pub mod calendar;
pub mod due;
pub mod facts;
pub mod overlap;
pub mod rules;
pub mod when;

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde::{Deserialize, Serialize};

use self::due::{Clock, DueRule};
use self::facts::Facts;
use self::rules::{CASE_NURSE, POOL, ROLE, RoutingRules, Rule, Topic, copy_flag};
use self::when::Trait;
use crate::document::Page;

/// The lane of what nobody could read, and of what no rule takes; every table has it.
pub const ATTENTION: &str = "attention";

/// In the place of a rule's name where none applies.
pub const NO_RULE: &str = "no rule applies";

/// How far before and behind a topic's words those stand that undo it, in bytes of text.
const SHORTLY_BEFORE: usize = 40;
const SHORTLY_BEHIND: usize = 20;

/// What sorts first within a lane.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Priority {
    Urgent,
    Standard,
}

impl Priority {
    pub fn name(self) -> &'static str {
        match self {
            Self::Urgent => "urgent",
            Self::Standard => "standard",
        }
    }
}

/// Where an item goes and until when.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Routing {
    pub lane: String,
    pub priority: Priority,
    pub due_at: Timestamp,
    /// The due rule's name, shown beside the due time.
    pub due_rule: String,
    pub clock: Clock,
    /// The case's nurse when the case is beyond doubt, or whom the rule names.
    pub assigned_to: Option<String>,
    /// `copy_to_cm`, `out_of_program: …`, `past_first_birthday`, …
    pub flags: Vec<String>,
    pub routed: Routed,
}

/// What else the rule says, as an item shows it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Routed {
    /// The rule's name.
    pub rule: String,
    /// Lanes that are to know of it too.
    #[serde(default)]
    pub copies: Vec<String>,
    /// To whom it is to be sent on.
    #[serde(default)]
    pub forward: Option<String>,
    /// What it does not give and is to be asked for.
    #[serde(default)]
    pub ask_for: Vec<String>,
    /// How the request is to be treated: the medical need.
    #[serde(default)]
    pub category: Option<String>,
    /// Who reviews it together, and how far that is.
    #[serde(default)]
    pub co_review: Option<String>,
    /// Who does which part of it.
    #[serde(default)]
    pub tasks: BTreeMap<String, String>,
    /// Those of whom one is to have it: the one with the least to do.
    #[serde(default)]
    pub pool: Vec<String>,
    /// What it speaks of.
    #[serde(default)]
    pub topics: BTreeSet<String>,
}

/// A rule that was passed over: the condition that was not met, and what the facts say of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PassedOver<'r> {
    pub rule: &'r Rule,
    pub unmet: Trait,
    pub said: String,
}

impl RoutingRules {
    /// Routes one document. `zone` is that of the daemon, where neither facility nor plan has one of its own.
    pub fn route(&self, facts: &Facts, zone: &TimeZone) -> Routing {
        let rule = self.rules.iter().find(|rule| rule.when.unmet(facts, zone).is_none());
        let due = self.due_rule(rule, facts);
        let (due_at, clock) = due.start(facts.received_at, self.zone_of(facts, zone));
        let due_rule = due.name.clone();
        let Some(rule) = rule else {
            return Routing {
                lane: ATTENTION.to_owned(),
                priority: Priority::Urgent,
                due_at,
                due_rule,
                clock,
                assigned_to: None,
                flags: Vec::new(),
                routed: Routed { rule: NO_RULE.to_owned(), topics: facts.topics.clone(), ..Routed::default() },
            };
        };
        let mut pool = self.assigned(rule, facts);
        let assigned_to = if pool.len() == 1 { pool.pop() } else { None };
        let copy_flags = rule.copies.iter().map(|lane| copy_flag(lane));
        let tasks = rule.tasks.iter().filter_map(|(task, role)| {
            Some((task.clone(), format!("{} ({})", self.roles.get(role)?, role.replace('_', " "))))
        });
        Routing {
            lane: rule.lane.clone(),
            priority: rule.priority,
            due_at,
            due_rule,
            clock,
            assigned_to,
            flags: copy_flags.chain(rule.flags.iter().cloned()).collect(),
            routed: Routed {
                rule: rule.name.clone(),
                copies: rule.copies.clone(),
                forward: rule.forward.clone(),
                ask_for: rule.ask_for.iter().filter(|name| !facts.given.contains(*name)).cloned().collect(),
                category: rule.category.clone(),
                co_review: rule.co_review.clone(),
                tasks: tasks.collect(),
                pool,
                topics: facts.topics.clone(),
            },
        }
    }

    /// The rules that stand before the one that applies, with why each does not.
    pub fn passed_over(&self, facts: &Facts, zone: &TimeZone) -> Vec<PassedOver<'_>> {
        let each = self.rules.iter().map_while(|rule| {
            let (unmet, said) = rule.when.unmet(facts, zone)?;
            Some(PassedOver { rule, unmet, said })
        });
        each.collect()
    }

    /// The topics that these pages speak of.
    pub fn topics(&self, pages: &[Page]) -> BTreeSet<String> {
        if self.topics.is_empty() {
            return BTreeSet::new();
        }
        let words: Vec<String> =
            pages.iter().flat_map(|page| &page.words).map(|word| word.text.to_lowercase()).collect();
        let text = words.join(" ");
        self.topics.iter().filter(|topic| topic.is_in(&text)).map(|topic| topic.name.clone()).collect()
    }

    fn due_rule(&self, rule: Option<&Rule>, facts: &Facts) -> &DueRule {
        let named = rule.and_then(|rule| rule.due.as_deref()).and_then(|name| self.due_named(name));
        let plan = facts.plan.as_deref();
        let fitting = || self.due.iter().find(|due| due.is_for(facts.document_type, plan));
        named.or_else(fitting).unwrap_or(&self.due_otherwise)
    }

    /// In whose time the clock runs.
    pub fn zone_of<'z>(&'z self, facts: &Facts, zone: &'z TimeZone) -> &'z TimeZone {
        let facility = [&facts.facility_npi, &facts.facility].into_iter().flatten().map(String::as_str);
        self.zone(facility, facts.plan.as_deref()).unwrap_or(zone)
    }

    /// The first of those whom the rule names that is somebody: one person, or several among whom it is shared out.
    fn assigned(&self, rule: &Rule, facts: &Facts) -> Vec<String> {
        let mut named = rule.assign.iter().map(|name| match name.as_str() {
            CASE_NURSE => facts.nurse.iter().cloned().collect(),
            POOL => {
                self.lanes.iter().find(|lane| lane.name == rule.lane).map(|lane| lane.pool.clone()).unwrap_or_default()
            }
            named => named.strip_prefix(ROLE).and_then(|name| self.roles.get(name)).into_iter().cloned().collect(),
        });
        named.find(|people: &Vec<String>| !people.is_empty()).unwrap_or_default()
    }
}

/// The end of the last whole sign up to this byte.
fn boundary(text: &str, at: usize) -> usize {
    (0..=at.min(text.len())).rev().find(|byte| text.is_char_boundary(*byte)).unwrap_or_default()
}

impl Topic {
    fn is_in(&self, text: &str) -> bool {
        let undone = |at: usize, end: usize| {
            let from = boundary(text, at.saturating_sub(SHORTLY_BEFORE));
            let to = boundary(text, end + SHORTLY_BEHIND);
            text.get(from..to).is_some_and(|near| self.unless.iter().any(|unless| unless.is_match(near)))
        };
        let mut finds = self.patterns.iter().flat_map(|pattern| pattern.find_iter(text));
        finds.any(|find| !undone(find.start(), find.end()))
    }
}

#[cfg(test)]
mod tests {
    use jiff::civil::{Date, date};

    use super::*;
    use crate::document::{DocumentType, MatchStatus};
    use crate::testing::reading_of;

    fn boston() -> TimeZone {
        TimeZone::get("America/New_York").unwrap()
    }

    fn facts(document_type: DocumentType) -> Facts {
        Facts::new(document_type, "2026-03-02T14:00:00Z".parse().unwrap())
    }

    fn of_case(document_type: DocumentType, plan: &str, born: Date) -> Facts {
        let (plan, born, nurse) = (Some(plan.to_owned()), Some(born), Some("R. Nurse".to_owned()));
        Facts { status: MatchStatus::Matched, plan, born, nurse, ..facts(document_type) }
    }

    fn routed(facts: &Facts) -> Routing {
        RoutingRules::builtin().route(facts, &boston())
    }

    fn commercial(document_type: DocumentType) -> Routing {
        routed(&of_case(document_type, "Commercial", date(2026, 2, 1)))
    }

    #[test]
    fn a_commercial_review_is_due_24_hours_after_receipt_and_goes_to_the_cases_nurse() {
        let routing = commercial(DocumentType::ConcurrentReview);
        assert_eq!((routing.lane.as_str(), routing.due_rule.as_str()), ("um", "urgent-concurrent-commercial"));
        assert_eq!(routing.due_at, "2026-03-03T14:00:00Z".parse().unwrap());
        assert_eq!(routing.assigned_to.as_deref(), Some("R. Nurse"));
        assert_eq!(routing.routed.rule, "concurrent review");
        let marks: Vec<String> = routing.clock.marks.iter().map(|mark| mark.at.to_string()).collect();
        assert_eq!(marks, ["2026-03-03T02:00:00Z", "2026-03-03T09:12:00Z"]);
    }

    #[test]
    fn a_medicaid_review_is_due_in_72_hours_and_one_of_an_unknown_plan_in_24() {
        let routing = routed(&of_case(DocumentType::ConcurrentReview, "medicaid", date(2026, 2, 1)));
        assert_eq!(routing.due_at, "2026-03-05T14:00:00Z".parse().unwrap());
        let routing = routed(&facts(DocumentType::ConcurrentReview));
        assert_eq!((routing.due_rule.as_str(), routing.assigned_to), ("unknown-plan", None));
    }

    #[test]
    fn seven_calendar_days_over_the_change_to_summer_time_end_at_the_same_hour_of_the_wall_clock() {
        // 09:00 in New York is 14:00 UTC before 8 March 2026 and 13:00 UTC after it.
        assert_eq!(commercial(DocumentType::PriorAuthorization).due_at, "2026-03-09T13:00:00Z".parse().unwrap());
    }

    #[test]
    fn what_is_out_of_the_program_goes_to_the_plan_with_the_reason() {
        for (plan, born, flag) in [
            ("fep", date(2026, 2, 1), "out_of_program: FEP"),
            ("Medicare", date(2026, 2, 1), "out_of_program: Medicare"),
            ("commercial", date(2023, 10, 31), "out_of_program: born before the program's start"),
            ("commercial", date(2025, 3, 1), "past_first_birthday"),
        ] {
            let routing = routed(&of_case(DocumentType::ConcurrentReview, plan, born));
            assert_eq!((routing.lane.as_str(), routing.flags), ("plan", vec![flag.to_owned()]));
        }
        let birthday = routed(&of_case(DocumentType::ConcurrentReview, "commercial", date(2025, 3, 2)));
        assert_eq!(birthday.lane, "um", "the birthday itself is still within the first year");
    }

    #[test]
    fn case_managements_mail_stays_theirs_but_for_what_supports_days_of_care() {
        let to_cm = |document_type| routed(&Facts { mailbox: Some("cm".to_owned()), ..facts(document_type) });
        let review = to_cm(DocumentType::ConcurrentReview);
        assert_eq!(review.lane, "um");
        assert!(review.flags[0].starts_with("came_to_cm_mailbox"), "{:?}", review.flags);
        let discharge = to_cm(DocumentType::Discharge);
        assert_eq!((discharge.lane.as_str(), discharge.flags), ("cm", vec!["copy_to_um".to_owned()]));
        assert_eq!(to_cm(DocumentType::Other).lane, "cm");
        assert_eq!(to_cm(DocumentType::Readmission).lane, "plan");
    }

    #[test]
    fn a_discharge_is_copied_to_case_management() {
        let routing = commercial(DocumentType::Discharge);
        assert_eq!((routing.flags, routing.routed.copies), (vec!["copy_to_cm".to_owned()], vec!["cm".to_owned()]));
    }

    #[test]
    fn each_type_goes_where_the_domain_says() {
        for (document_type, lane, forward) in [
            (DocumentType::AdmissionNotification, "um", None),
            (DocumentType::ConcurrentReview, "um", None),
            (DocumentType::Transfer, "um", None),
            (DocumentType::Discharge, "um", None),
            (DocumentType::Readmission, "plan", Some("the plan's own UM team")),
            (DocumentType::P2pRequest, "medical_director", None),
            (DocumentType::Appeal, "plan", Some("the plan's appeal process")),
            (DocumentType::PriorAuthorization, "plan", Some("the plan: equipment, home care or drugs for going home")),
            (DocumentType::OutOfNetworkException, "co_review", None),
            (DocumentType::Other, "attention", None),
        ] {
            let routing = commercial(document_type);
            assert_eq!((routing.lane.as_str(), routing.routed.forward.as_deref()), (lane, forward), "{document_type}");
        }
    }

    #[test]
    fn what_a_review_does_not_give_is_to_be_asked_for() {
        let given = ["weight", "resp", "fen", "discharge_needs"].map(str::to_owned).into();
        let routing = routed(&Facts { given, ..facts(DocumentType::ConcurrentReview) });
        assert_eq!(routing.routed.ask_for, ["bed_type", "meds"]);
    }

    #[test]
    fn the_rules_that_were_passed_over_are_told_with_the_reason() {
        let rules = RoutingRules::builtin();
        let facts = of_case(DocumentType::Discharge, "commercial", date(2026, 2, 1));
        let passed = rules.passed_over(&facts, &boston());
        let told: Vec<String> =
            passed.iter().take(3).map(|over| format!("{}: {} is {}", over.rule.name, over.unmet, over.said)).collect();
        assert_eq!(
            told,
            [
                "out of program: FEP: plan is commercial",
                "out of program: Medicare: plan is commercial",
                "out of program: born before its start: born_before 2023-11-01 is no"
            ]
        );
    }

    /// Another plan's table.
    fn continuity(text: &str) -> Routing {
        let rules = RoutingRules::parse(include_str!("../../config/examples/continuity-of-care.toml")).unwrap();
        let topics = rules.topics(&reading_of(&[text]).pages);
        let facts = of_case(DocumentType::OutOfNetworkException, "Cedar Valley", date(2026, 2, 1));
        rules.route(&Facts { topics, ..facts }, &boston())
    }

    #[test]
    fn requests_to_continue_care_are_told_apart_by_medical_need() {
        for (text, category) in [
            ("The baby is actively receiving therapy for seizures in our NICU.", "active treatment"),
            ("Shunt repair: surgery scheduled for Thursday, inpatient.", "surgery scheduled"),
            ("Baby remains in the NICU; no surgery scheduled.", "NICU or inpatient"),
            ("High-risk pregnancy, hospital has left the network.", "high risk"),
            ("Request to keep the pediatrician; discharged from NICU, course of therapy completed.", "routine"),
        ] {
            let routing = continuity(text);
            assert_eq!(routing.lane, "continuity");
            assert_eq!(routing.routed.category.as_deref(), Some(category), "{text}");
            assert!(routing.routed.tasks.contains_key("decides"), "{:?}", routing.routed.tasks);
        }
        let routine = continuity("Request to keep the pediatrician.");
        assert_eq!(
            (routine.due_rule.as_str(), routine.assigned_to.as_deref()),
            ("continuity-routine", Some("M. Lindqvist"))
        );
        // 08:00 on Monday in Chicago, five business days later.
        assert_eq!(routine.due_at, "2026-03-09T13:00:00Z".parse().unwrap());
    }

    #[test]
    fn what_has_no_nurse_is_for_the_lanes_pool() {
        let rules = RoutingRules::parse(include_str!("../../config/examples/continuity-of-care.toml")).unwrap();
        let routing = rules.route(&facts(DocumentType::ConcurrentReview), &boston());
        assert_eq!((routing.assigned_to, routing.routed.pool.len()), (None, 3));
        let facts = of_case(DocumentType::ConcurrentReview, "cedar valley", date(2026, 2, 1));
        let routing = rules.route(&facts, &boston());
        assert_eq!((routing.assigned_to.as_deref(), routing.routed.pool.len()), (Some("R. Nurse"), 0));
    }
}
