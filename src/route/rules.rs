//! The rules of `config/routing.toml`: read and checked.
//!
//! A wrong file is refused whole, with the table and the key that are wrong; unknown keys are wrong.

use std::collections::{BTreeMap, BTreeSet};
use std::str::FromStr;

use jiff::civil::{Date, Weekday};
use jiff::tz::TimeZone;
use regex::Regex;
use serde::Deserialize;

use super::calendar::Calendar;
use super::due::{DueRule, Within};
use super::when::When;
use super::{ATTENTION, Priority};
use crate::document::DocumentType;

/// The rules as delivered with the program.
const BUILTIN: &str = include_str!("../../config/routing.toml");

/// Percents of the time at which it is warned, unless the file says otherwise.
pub const WARN_AT: [u8; 2] = [50, 80];

/// Why a routing file can't be used.
#[derive(Debug, thiserror::Error)]
pub enum RoutingError {
    /// Not TOML, an unknown or missing key, or a value of the wrong kind; the message names line and key.
    #[error("routing rules: {0}")]
    Format(#[from] toml::de::Error),
    #[error("routing rules: {table} \"{name}\", key \"{key}\": {problem}")]
    Value { table: &'static str, name: String, key: &'static str, problem: String },
    #[error("routing rules: two tables [[{table}]] are named \"{name}\"; give each its own name")]
    Twice { table: &'static str, name: String },
    #[error("routing rules: no [[{table}]] in the file; {remedy}")]
    Empty { table: &'static str, remedy: &'static str },
    #[error("routing rules: no [[lane]] is named \"{0}\", where what no rule takes and what nobody could read goes")]
    NoAttention(&'static str),
    #[error(
        "routing rules: there must be [[due]] tables, the last of them without types and plans, so that nothing is without a due time"
    )]
    NotAllDue,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct RoutingFile {
    #[serde(default)]
    lane: Vec<Lane>,
    #[serde(default)]
    roles: BTreeMap<String, String>,
    #[serde(default)]
    calendar: BTreeMap<String, CalendarEntry>,
    #[serde(default)]
    time_zones: TimeZonesEntry,
    #[serde(default)]
    clock: ClockEntry,
    #[serde(default)]
    due: Vec<DueEntry>,
    #[serde(default)]
    topic: Vec<TopicEntry>,
    #[serde(default)]
    rule: Vec<Rule>,
}

/// A lane: whose work it is.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Lane {
    /// As in the exports.
    pub name: String,
    /// Who that is, in words.
    pub title: String,
    /// Those among whom items without a nurse of their own are shared out.
    #[serde(default)]
    pub pool: Vec<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct CalendarEntry {
    #[serde(default = "yes")]
    federal_holidays: bool,
    weekend: Option<Vec<String>>,
    #[serde(default)]
    closed: BTreeSet<Date>,
    #[serde(default)]
    open: BTreeSet<Date>,
}

fn yes() -> bool {
    true
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct TimeZonesEntry {
    plans: BTreeMap<String, String>,
    facilities: BTreeMap<String, String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct ClockEntry {
    warn_at: Option<Vec<u8>>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct DueEntry {
    name: String,
    #[serde(default)]
    basis: String,
    #[serde(default)]
    types: Vec<DocumentType>,
    #[serde(default)]
    plans: Vec<String>,
    within: String,
    calendar: Option<String>,
    warn_at: Option<Vec<u8>>,
    pause: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct TopicEntry {
    name: String,
    patterns: Vec<String>,
    #[serde(default)]
    unless: Vec<String>,
}

/// A rule of the table: when it applies, and what is done then.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rule {
    /// Stands in the items that it takes.
    pub name: String,
    /// All of which must hold; without any the rule takes everything.
    #[serde(default)]
    pub when: When,
    pub lane: String,
    pub priority: Priority,
    /// Whose it is: the first of these that names somebody.
    #[serde(default = "case_nurse")]
    pub assign: Vec<String>,
    /// Lanes that are to know of it too.
    #[serde(default)]
    pub copies: Vec<String>,
    /// To whom it is to be sent on.
    #[serde(default)]
    pub forward: Option<String>,
    /// The due rule; without it, the first that is for the type and plan.
    #[serde(default)]
    pub due: Option<String>,
    /// Fields and elements of a review that are to be asked for when they are not given.
    #[serde(default)]
    pub ask_for: Vec<String>,
    #[serde(default)]
    pub flags: Vec<String>,
    /// How the request is to be treated, where requests of one type differ: the medical need.
    #[serde(default)]
    pub category: Option<String>,
    /// Who reviews it together, and how far that is.
    #[serde(default)]
    pub co_review: Option<String>,
    /// Who does what: a role of `[roles]` for each part.
    #[serde(default)]
    pub tasks: BTreeMap<String, String>,
    /// It is meant to come before rules below that would take some of the same.
    #[serde(default)]
    pub overrides: bool,
}

impl Rule {
    /// Names of the flags that it sets, without what stands behind their colon.
    pub fn flag_names(&self) -> impl Iterator<Item = String> + '_ {
        let copies = self.copies.iter().map(|lane| copy_flag(lane));
        copies.chain(self.flags.iter().map(|flag| flag.split(':').next().unwrap_or_default().to_owned()))
    }
}

/// The flag that says that a lane is to know of it too.
pub fn copy_flag(lane: &str) -> String {
    format!("copy_to_{lane}")
}

/// The first of `assign`: the nurse of the case.
pub const CASE_NURSE: &str = "case_nurse";
/// The lane's pool, by load.
pub const POOL: &str = "pool";
/// Begins the name of a role.
pub const ROLE: &str = "role:";

fn case_nurse() -> Vec<String> {
    vec![CASE_NURSE.to_owned()]
}

/// What a document may speak of, besides its type.
#[derive(Clone, Debug)]
pub struct Topic {
    pub name: String,
    pub patterns: Vec<Regex>,
    /// Undo a find when they stand in it or near it.
    pub unless: Vec<Regex>,
}

/// What routing goes by; replaced as a whole.
#[derive(Clone, Debug)]
pub struct RoutingRules {
    pub lanes: Vec<Lane>,
    /// Who has which role.
    pub roles: BTreeMap<String, String>,
    /// The first that is for a document's type and plan.
    pub due: Vec<DueRule>,
    /// For what none of those is for.
    pub due_otherwise: DueRule,
    pub topics: Vec<Topic>,
    /// In their order; the first whose conditions are met.
    pub rules: Vec<Rule>,
    /// By plan and by facility (name or NPI), in lower case.
    zones_by_plan: BTreeMap<String, TimeZone>,
    zones_by_facility: BTreeMap<String, TimeZone>,
}

impl RoutingRules {
    /// Reads rules as an operator may have edited them.
    pub fn parse(toml: &str) -> Result<Self, RoutingError> {
        let file: RoutingFile = toml::from_str(toml)?;
        named_once("lane", file.lane.iter().map(|lane| &lane.name))?;
        named_once("due", file.due.iter().map(|due| &due.name))?;
        named_once("topic", file.topic.iter().map(|topic| &topic.name))?;
        named_once("rule", file.rule.iter().map(|rule| &rule.name))?;
        if file.lane.iter().all(|lane| lane.name != ATTENTION) {
            return Err(RoutingError::NoAttention(ATTENTION));
        }
        if file.rule.is_empty() {
            let remedy = "a file without rules would leave every document to the lane of what no rule takes";
            return Err(RoutingError::Empty { table: "rule", remedy });
        }
        let mut calendars = BTreeMap::from([(DEFAULT_CALENDAR.to_owned(), Calendar::default())]);
        for (name, entry) in file.calendar {
            calendars.insert(name.clone(), calendar(&name, entry)?);
        }
        let warn_at = file.clock.warn_at.unwrap_or_else(|| WARN_AT.to_vec());
        check_marks("clock", "", &warn_at)?;
        let due = file.due.into_iter().map(|entry| due_rule(entry, &calendars, &warn_at));
        let mut due = due.collect::<Result<Vec<_>, _>>()?;
        let for_all = due.pop().filter(|last| last.types.is_empty() && last.plans.is_empty());
        let due_otherwise = for_all.ok_or(RoutingError::NotAllDue)?;
        let rules = Self {
            lanes: file.lane,
            roles: file.roles,
            due,
            due_otherwise,
            topics: file.topic.into_iter().map(topic).collect::<Result<_, _>>()?,
            rules: file.rule,
            zones_by_plan: zones("plans", file.time_zones.plans)?,
            zones_by_facility: zones("facilities", file.time_zones.facilities)?,
        };
        rules.check_names()?;
        Ok(rules)
    }

    /// The rules delivered with the program.
    #[expect(clippy::expect_used, reason = "the file is part of the program; a test parses it")]
    pub fn builtin() -> Self {
        Self::parse(BUILTIN).expect("the rules delivered with the program are well-formed")
    }

    /// Whether there is a lane of this name.
    pub fn has_lane(&self, name: &str) -> bool {
        self.lanes.iter().any(|lane| lane.name == name)
    }

    /// The lanes' names, for people.
    pub fn lane_names(&self) -> String {
        self.lanes.iter().map(|lane| lane.name.as_str()).collect::<Vec<_>>().join(", ")
    }

    /// The due rule of this name.
    pub fn due_named(&self, name: &str) -> Option<&DueRule> {
        self.due.iter().chain([&self.due_otherwise]).find(|due| due.name == name)
    }

    /// The time zone of a facility, by its NPI or name, or of a plan.
    pub fn zone<'a>(&self, facility: impl IntoIterator<Item = &'a str>, plan: Option<&str>) -> Option<&TimeZone> {
        let key = |name: &str| name.trim().to_lowercase();
        let of_facility = facility.into_iter().find_map(|name| self.zones_by_facility.get(&key(name)));
        of_facility.or_else(|| self.zones_by_plan.get(&key(plan?)))
    }

    /// Every name that a rule gives stands for something.
    fn check_names(&self) -> Result<(), RoutingError> {
        for rule in &self.rules {
            let wrong =
                |key, problem| Err(RoutingError::Value { table: "rule", name: rule.name.clone(), key, problem });
            let lanes = || format!("is no lane; give one of {}", self.lane_names());
            if !self.has_lane(&rule.lane) {
                return wrong("lane", format!("\"{}\" {}", rule.lane, lanes()));
            }
            if let Some(copy) = rule.copies.iter().find(|copy| !self.has_lane(copy)) {
                return wrong("copies", format!("\"{copy}\" {}", lanes()));
            }
            if let Some(due) = rule.due.as_ref().filter(|due| self.due_named(due).is_none()) {
                return wrong("due", format!("no [[due]] is named \"{due}\""));
            }
            for name in &rule.assign {
                let known = name == CASE_NURSE
                    || name == POOL
                    || name.strip_prefix(ROLE).is_some_and(|role| self.roles.contains_key(role));
                if !known {
                    let problem = format!("\"{name}\" is nobody; give {CASE_NURSE}, {POOL}, or {ROLE}NAME of [roles]");
                    return wrong("assign", problem);
                }
            }
            if let Some(role) = rule.tasks.values().find(|role| !self.roles.contains_key(*role)) {
                return wrong("tasks", format!("\"{role}\" is no role; name who has it in [roles]"));
            }
            if let Some(topic) =
                rule.when.topics.iter().find(|name| self.topics.iter().all(|topic| topic.name != **name))
            {
                return wrong("when.topics", format!("no [[topic]] is named \"{topic}\""));
            }
        }
        Ok(())
    }
}

/// The calendar of due rules that name none; an operator may write another one under this name.
const DEFAULT_CALENDAR: &str = "us-federal";

fn named_once<'a>(table: &'static str, names: impl Iterator<Item = &'a String>) -> Result<(), RoutingError> {
    let mut seen = BTreeSet::new();
    for name in names {
        if name.trim().is_empty() || name.len() > 64 || name.chars().any(char::is_control) {
            let problem = "must be 1 to 64 signs long: it is what people see".to_owned();
            return Err(RoutingError::Value { table, name: name.clone(), key: "name", problem });
        }
        if !seen.insert(name) {
            return Err(RoutingError::Twice { table, name: name.clone() });
        }
    }
    Ok(())
}

fn calendar(name: &str, entry: CalendarEntry) -> Result<Calendar, RoutingError> {
    let wrong =
        |problem: String| RoutingError::Value { table: "calendar", name: name.to_owned(), key: "weekend", problem };
    let default = Calendar::default();
    let weekend = match entry.weekend {
        None => default.weekend,
        Some(names) => names
            .iter()
            .map(|day| weekday(day).ok_or_else(|| wrong(format!("\"{day}\" is no day of the week"))))
            .collect::<Result<Vec<_>, _>>()?,
    };
    let all = [0, 1, 2, 3, 4, 5, 6].into_iter().filter_map(|day| Weekday::from_monday_zero_offset(day).ok());
    if all.into_iter().all(|day| weekend.contains(&day)) {
        return Err(wrong("leaves no day of the week".to_owned()));
    }
    let (federal_holidays, closed, open) = (entry.federal_holidays, entry.closed, entry.open);
    Ok(Calendar { weekend, federal_holidays, closed, open })
}

fn weekday(name: &str) -> Option<Weekday> {
    let days = ["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"];
    let place = days.iter().position(|day| name.eq_ignore_ascii_case(day))?;
    Weekday::from_monday_zero_offset(i8::try_from(place).ok()?).ok()
}

fn check_marks(table: &'static str, name: &str, warn_at: &[u8]) -> Result<(), RoutingError> {
    if warn_at.is_sorted() && warn_at.iter().all(|percent| (1..100).contains(percent)) {
        return Ok(());
    }
    let problem = "give percents from 1 to 99, the smallest first".to_owned();
    Err(RoutingError::Value { table, name: name.to_owned(), key: "warn_at", problem })
}

fn due_rule(entry: DueEntry, calendars: &BTreeMap<String, Calendar>, warn_at: &[u8]) -> Result<DueRule, RoutingError> {
    let wrong = |key, problem: String| RoutingError::Value { table: "due", name: entry.name.clone(), key, problem };
    let time = |key, text: &str| Within::from_str(text).map_err(|error| wrong(key, error.to_string()));
    let within = time("within", &entry.within)?;
    let pause = entry.pause.as_deref().map(|text| time("pause", text)).transpose()?;
    let name = entry.calendar.as_deref().unwrap_or(DEFAULT_CALENDAR);
    let Some(calendar) = calendars.get(name) else {
        return Err(wrong("calendar", format!("no [calendar.{name}] is there")));
    };
    let warn_at = entry.warn_at.clone().unwrap_or_else(|| warn_at.to_vec());
    check_marks("due", &entry.name, &warn_at)?;
    let calendar = calendar.clone();
    let DueEntry { name, basis, types, plans, .. } = entry;
    Ok(DueRule { name, basis, types, plans, within, calendar, warn_at, pause })
}

fn topic(entry: TopicEntry) -> Result<Topic, RoutingError> {
    let compiled = |key, patterns: &[String]| {
        let each = patterns.iter().map(|pattern| {
            Regex::new(pattern).map_err(|error| RoutingError::Value {
                table: "topic",
                name: entry.name.clone(),
                key,
                problem: format!("is no regular expression, correct it: {error}"),
            })
        });
        each.collect::<Result<Vec<_>, _>>()
    };
    let (patterns, unless) = (compiled("patterns", &entry.patterns)?, compiled("unless", &entry.unless)?);
    if patterns.is_empty() {
        let problem = "a topic needs at least one pattern".to_owned();
        return Err(RoutingError::Value { table: "topic", name: entry.name, key: "patterns", problem });
    }
    Ok(Topic { name: entry.name, patterns, unless })
}

fn zones(key: &'static str, names: BTreeMap<String, String>) -> Result<BTreeMap<String, TimeZone>, RoutingError> {
    let zone = |(name, zone): (String, String)| {
        let found = TimeZone::get(&zone).map_err(|_| RoutingError::Value {
            table: "time_zones",
            name: name.clone(),
            key,
            problem: format!("\"{zone}\" is not known here; give a name such as America/New_York"),
        })?;
        Ok((name.trim().to_lowercase(), found))
    };
    names.into_iter().map(zone).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const LEAST: &str = "[[lane]]\nname = \"attention\"\ntitle = \"a person looks\"\n\
        [[due]]\nname = \"all\"\nwithin = \"24 h\"\n[[rule]]\nname = \"all\"\nlane = \"attention\"\npriority = \"urgent\"\n";

    fn refused(toml: &str) -> String {
        RoutingRules::parse(toml).unwrap_err().to_string()
    }

    #[test]
    fn the_delivered_rules_and_the_least_rules_are_well_formed() {
        assert!(RoutingRules::builtin().rules.len() > 10);
        assert_eq!(RoutingRules::parse(LEAST).unwrap().due_otherwise.warn_at, [50, 80]);
    }

    #[test]
    fn a_wrong_file_is_refused_with_the_table_and_the_key() {
        let with = |addition: &str| refused(&format!("{LEAST}{addition}"));
        assert!(refused(&LEAST.replace("24 h", "a while")).contains("due \"all\", key \"within\""));
        assert!(refused(&LEAST.replace("lane = \"attention\"", "lane = \"icu\"")).contains("\"icu\" is no lane"));
        assert!(refused(&LEAST.replace("name = \"attention\"", "name = \"um\"")).contains("\"attention\""));
        assert!(
            refused(&LEAST.replace("[[due]]", "[[due]]\nplans = [\"x\"]")).contains("nothing is without a due time")
        );
        assert!(with("copies = [\"nowhere\"]").contains("key \"copies\""));
        assert!(with("assign = [\"role:nobody\"]").contains("key \"assign\""));
        assert!(with("due = \"never\"").contains("no [[due]] is named \"never\""));
        assert!(with("tasks = { decides = \"nobody\" }").contains("key \"tasks\""));
        assert!(with("when = { topics = [\"nothing\"] }").contains("no [[topic]]"));
        assert!(with("[clock]\nwarn_at = [80, 50]").contains("warn_at"));
        assert!(with("[time_zones.plans]\nx = \"Mars/Base\"").contains("Mars/Base"));
        assert!(with("[calendar.x]\nweekend = [\"someday\"]").contains("someday"));
        assert!(with("[[topic]]\nname = \"t\"\npatterns = [\"(\"]").contains("regular expression"));
        assert!(with("[[rule]]\nname = \"all\"\nlane = \"attention\"\npriority = \"urgent\"").contains("two tables"));
        assert!(with("colour = \"red\"").contains("unknown field"));
    }

    #[test]
    fn a_facilitys_time_zone_comes_before_its_plans() {
        let zones = "[time_zones.plans]\nWest = \"America/Los_Angeles\"\n[time_zones.facilities]\n\"1234567890\" = \"America/Denver\"\n";
        let rules = RoutingRules::parse(&format!("{LEAST}{zones}")).unwrap();
        let zone = |facility: &[&str], plan| {
            let zone = rules.zone(facility.iter().copied(), plan);
            zone.and_then(TimeZone::iana_name).map(str::to_owned)
        };
        assert_eq!(zone(&["Summit Hospital", "1234567890"], Some("west")).as_deref(), Some("America/Denver"));
        assert_eq!(zone(&["Summit Hospital"], Some("west")).as_deref(), Some("America/Los_Angeles"));
        assert_eq!(zone(&[], None), None);
    }
}
