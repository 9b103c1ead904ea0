//! Clocks: how long a rule gives, on which days, in whose time, and what of it has passed. Pure.
//!
//! A clock starts when the fax server received the document, never when it was read. Hours are hours, also when the wall
//! clock is put forward or back meanwhile; days end at the same time of the wall clock, in the zone of the facility or the
//! plan. A time of day that a change to summer time leaves out is that much later, one that comes twice is the first.

use std::str::FromStr;

use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp, ToSpan};
use serde::{Deserialize, Serialize};

use super::calendar::Calendar;
use crate::document::DocumentType;

/// Percent of the time at which all of it has passed.
pub const ALL_OF_IT: u8 = 100;

/// The longest that a rule may give: ten years.
const MOST_DAYS: u32 = 3660;

/// How long a rule gives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Within {
    Hours(u32),
    /// Calendar days.
    Days(u32),
    /// The day on which the clock starts is not counted.
    BusinessDays(u32),
}

/// The text given is no length of time for a rule.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("write a time such as \"24 hours\", \"7 days\" or \"7 business days\", of at least one and at most ten years")]
pub struct NotATime;

impl FromStr for Within {
    type Err = NotATime;

    fn from_str(text: &str) -> Result<Self, NotATime> {
        let text = text.trim();
        let digits = text.bytes().take_while(u8::is_ascii_digit).count();
        let (count, unit) = text.split_at_checked(digits).ok_or(NotATime)?;
        let count: u32 = count.parse().map_err(|_| NotATime)?;
        let (within, most) = match unit.split_whitespace().collect::<Vec<_>>().as_slice() {
            ["h" | "hour" | "hours"] => (Self::Hours(count), MOST_DAYS * 24),
            ["d" | "day" | "days"] | ["calendar", "day" | "days"] => (Self::Days(count), MOST_DAYS),
            ["business", "day" | "days"] => (Self::BusinessDays(count), MOST_DAYS),
            _ => return Err(NotATime),
        };
        if (1..=most).contains(&count) { Ok(within) } else { Err(NotATime) }
    }
}

impl Within {
    /// When this time is over that begins at `from`; the end of time where the calendar knows of no such day.
    pub fn after(self, from: Timestamp, calendar: &Calendar, zone: &TimeZone) -> Timestamp {
        let start = from.to_zoned(zone.clone());
        let at_that_time = |day: jiff::civil::Date| day.to_datetime(start.time()).to_zoned(zone.clone()).ok();
        let over = match self {
            Self::Hours(hours) => from.checked_add(SignedDuration::from_hours(i64::from(hours))).ok(),
            Self::Days(days) => {
                let day = start.date().checked_add(i64::from(days).days()).ok();
                day.and_then(at_that_time).map(|over| over.timestamp())
            }
            Self::BusinessDays(days) => {
                calendar.after(start.date(), days).and_then(at_that_time).map(|over| over.timestamp())
            }
        };
        over.unwrap_or(Timestamp::MAX)
    }
}

/// A due rule: for what, how long, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DueRule {
    /// Shown beside the due time.
    pub name: String,
    /// The law, standard or contract that it comes from.
    pub basis: String,
    /// For these types; for all where it is empty.
    pub types: Vec<DocumentType>,
    /// For members of these plans, in lower case; for all, and where the plan is not known, where it is empty.
    pub plans: Vec<String>,
    pub within: Within,
    pub calendar: Calendar,
    /// Percents of the time at which it is warned, ascending, below 100.
    pub warn_at: Vec<u8>,
    /// How long the clock may stand still while information is asked for; `None`: it never does.
    pub pause: Option<Within>,
}

impl DueRule {
    /// Whether it is for this type and plan.
    pub fn is_for(&self, document_type: DocumentType, plan: Option<&str>) -> bool {
        let type_fits = self.types.is_empty() || self.types.contains(&document_type);
        let plan_fits = || plan.is_some_and(|plan| self.plans.iter().any(|ours| plan.eq_ignore_ascii_case(ours)));
        type_fits && (self.plans.is_empty() || plan_fits())
    }

    /// The due time of what was received then, and the clock that runs to it.
    pub fn start(&self, received_at: Timestamp, zone: &TimeZone) -> (Timestamp, Clock) {
        let due_at = self.within.after(received_at, &self.calendar, zone);
        (due_at, Clock::running(received_at, due_at, &self.warn_at, &self.basis))
    }
}

/// When this share of the time has passed.
fn share(from: Timestamp, to: Timestamp, percent: u8) -> Timestamp {
    let whole = to.duration_since(from).as_secs();
    let percent = i64::from(percent);
    let spent = SignedDuration::from_secs(whole / 100 * percent + whole % 100 * percent / 100);
    from.checked_add(spent).unwrap_or(to)
}

/// An item's clock, beside its due time.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Clock {
    /// When the fax server received it.
    pub started_at: Timestamp,
    /// Where the rule comes from.
    pub basis: String,
    /// Shares of the time of which it is warned, the earliest first.
    pub marks: Vec<Mark>,
    /// The last of the marks that has passed, in percent; 100 once it is overdue.
    pub passed: u8,
    pub state: ClockState,
}

/// A share of the time, and when it has passed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mark {
    pub percent: u8,
    pub at: Timestamp,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ClockState {
    Running,
    /// The due time has passed.
    Overdue,
    /// Stands still while information is asked for.
    Paused,
}

impl ClockState {
    /// The name used in exports.
    pub fn name(self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Overdue => "overdue",
            Self::Paused => "paused",
        }
    }
}

impl Clock {
    /// One that runs from receipt to the due time, with marks at these percents of it.
    pub fn running(started_at: Timestamp, due_at: Timestamp, warn_at: &[u8], basis: &str) -> Self {
        let mark = |percent: &u8| Mark { percent: *percent, at: share(started_at, due_at, *percent) };
        let marks = warn_at.iter().map(mark).collect();
        Self { started_at, basis: basis.to_owned(), marks, passed: 0, state: ClockState::Running }
    }

    /// Has the marks stand in the time up to another due time.
    pub fn move_due(&mut self, due_at: Timestamp) {
        for mark in &mut self.marks {
            mark.at = share(self.started_at, due_at, mark.percent);
        }
    }

    /// What of the time has passed by now, in percent: the last mark, 100 when all of it has, 0 before the first.
    pub fn passed_by(&self, now: Timestamp, due_at: Timestamp) -> u8 {
        if due_at <= now {
            return ALL_OF_IT;
        }
        self.marks.iter().filter(|mark| mark.at <= now).map(|mark| mark.percent).max().unwrap_or(0)
    }

    /// When the next mark, or the due time, passes; `None` once all has, and while the clock stands still.
    pub fn next_mark(&self, now: Timestamp, due_at: Timestamp) -> Option<Timestamp> {
        if self.state == ClockState::Paused {
            return None;
        }
        self.marks.iter().map(|mark| mark.at).chain([due_at]).filter(|at| *at > now).min()
    }

    /// Takes note that this share of the time has passed.
    pub fn pass(&mut self, percent: u8) {
        self.passed = self.passed.max(percent);
        if percent >= ALL_OF_IT && self.state == ClockState::Running {
            self.state = ClockState::Overdue;
        }
    }
}

#[cfg(test)]
mod tests {
    use jiff::civil::{Date, date};
    use proptest::prelude::*;

    use super::*;

    fn boston() -> TimeZone {
        TimeZone::get("America/New_York").unwrap()
    }

    fn rule(within: &str) -> DueRule {
        DueRule {
            name: "rule".to_owned(),
            basis: String::new(),
            types: Vec::new(),
            plans: Vec::new(),
            within: within.parse().unwrap(),
            calendar: Calendar::default(),
            warn_at: vec![50, 80],
            pause: None,
        }
    }

    fn due(within: &str, from: &str, zone: &TimeZone) -> String {
        let from: Timestamp = from.parse().unwrap();
        rule(within).start(from, zone).0.to_zoned(zone.clone()).strftime("%a %F %T%:z").to_string()
    }

    #[test]
    fn hours_are_hours_and_days_end_at_the_same_time_of_the_wall_clock_over_both_changes_of_the_clock() {
        let zone = boston();
        assert_eq!(due("24 h", "2026-03-07T14:00:00-05:00", &zone), "Sun 2026-03-08 15:00:00-04:00");
        assert_eq!(due("1 day", "2026-03-07T14:00:00-05:00", &zone), "Sun 2026-03-08 14:00:00-04:00");
        assert_eq!(due("24 h", "2026-10-31T14:00:00-04:00", &zone), "Sun 2026-11-01 13:00:00-05:00");
        assert_eq!(due("7 calendar days", "2026-10-31T14:00:00-04:00", &zone), "Sat 2026-11-07 14:00:00-05:00");
        // 02:30 is left out on 8 March 2026, and 01:30 comes twice on 1 November.
        assert_eq!(due("1 day", "2026-03-07T02:30:00-05:00", &zone), "Sun 2026-03-08 03:30:00-04:00");
        assert_eq!(due("1 day", "2026-10-31T01:30:00-04:00", &zone), "Sun 2026-11-01 01:30:00-04:00");
    }

    #[test]
    fn business_days_pass_over_weekends_holidays_and_the_end_of_the_year() {
        let zone = boston();
        // Wednesday before Christmas 2026: Friday is Christmas, a week later is New Year's Day.
        assert_eq!(due("7 business days", "2026-12-23T16:45:00-05:00", &zone), "Tue 2027-01-05 16:45:00-05:00");
        assert_eq!(due("1 business day", "2028-02-28T09:00:00-05:00", &zone), "Tue 2028-02-29 09:00:00-05:00");
        assert_eq!(due("1 business day", "2026-07-02T09:00:00-04:00", &zone), "Mon 2026-07-06 09:00:00-04:00");
    }

    #[test]
    fn the_zone_tells_which_day_it_is() {
        // Friday evening in Honolulu, Saturday in Boston: a business day later is Monday there and here.
        let from = "2026-05-02T02:00:00Z";
        assert_eq!(
            due("1 business day", from, &TimeZone::get("Pacific/Honolulu").unwrap()),
            "Mon 2026-05-04 16:00:00-10:00"
        );
        assert_eq!(due("1 business day", from, &boston()), "Mon 2026-05-04 22:00:00-04:00");
        assert_eq!(due("1 business day", "2026-05-02T05:00:00Z", &boston()), "Mon 2026-05-04 01:00:00-04:00");
    }

    #[test]
    fn a_time_is_written_as_people_write_it() {
        assert_eq!("24h".parse(), Ok(Within::Hours(24)));
        assert_eq!(" 7  business days".parse(), Ok(Within::BusinessDays(7)));
        assert_eq!("7 calendar days".parse(), Ok(Within::Days(7)));
        for wrong in ["", "7", "days", "-1 days", "0 days", "7 weeks", "99999999999 h", "3661 days", "7 business"] {
            assert_eq!(wrong.parse::<Within>(), Err(NotATime), "{wrong}");
        }
    }

    #[test]
    fn marks_pass_at_half_and_four_fifths_and_what_is_due_is_overdue() {
        let from: Timestamp = "2026-03-16T00:00:00Z".parse().unwrap();
        let (due_at, mut clock) = rule("24 h").start(from, &TimeZone::UTC);
        let at = |time: &str| time.parse::<Timestamp>().unwrap();
        let passed = |time: &str| (clock.passed_by(at(time), due_at), clock.next_mark(at(time), due_at));
        assert_eq!(passed("2026-03-16T11:59:59Z"), (0, Some(at("2026-03-16T12:00:00Z"))));
        assert_eq!(passed("2026-03-16T12:00:00Z"), (50, Some(at("2026-03-16T19:12:00Z"))));
        assert_eq!(passed("2026-03-16T19:12:00Z"), (80, Some(due_at)));
        assert_eq!(passed("2026-03-17T00:00:00Z"), (100, None));
        clock.pass(100);
        assert_eq!(clock.state, ClockState::Overdue);
    }

    proptest! {
        #[test]
        fn hours_are_never_more_or_fewer(second in 0_i64..4_000_000_000, hours in 1_u32..2000) {
            let from = Timestamp::from_second(second).unwrap();
            let due = Within::Hours(hours).after(from, &Calendar::default(), &boston());
            prop_assert_eq!(due.duration_since(from).as_secs(), i64::from(hours) * 3600);
        }

        #[test]
        fn days_end_on_their_day_at_their_time_or_an_hour_later(second in 0_i64..4_000_000_000, days in 1_u32..800) {
            let from = Timestamp::from_second(second).unwrap().to_zoned(boston());
            let due = Within::Days(days).after(from.timestamp(), &Calendar::default(), &boston()).to_zoned(boston());
            prop_assert_eq!(due.date(), from.date() + i64::from(days).days());
            let later = due.time().duration_since(from.time()).as_secs();
            prop_assert!(later == 0 || later == 3600, "{later} s");
        }

        #[test]
        fn business_days_end_on_one_and_never_before_as_many_days(second in 500_000_000_i64..4_000_000_000, days in 1_u32..60) {
            let from = Timestamp::from_second(second).unwrap().to_zoned(boston());
            let calendar = Calendar::default();
            let due = Within::BusinessDays(days).after(from.timestamp(), &calendar, &boston()).to_zoned(boston());
            prop_assert!(calendar.is_business_day(due.date()));
            prop_assert!(due.date() >= from.date() + i64::from(days).days());
        }

        #[test]
        fn what_comes_later_is_never_due_sooner(second in 0_i64..4_000_000_000, later in 0_i64..200_000, days in 1_u32..20) {
            let [one, other] = [second, second + later].map(|second| Timestamp::from_second(second).unwrap());
            let due = |from| Within::BusinessDays(days).after(from, &Calendar::default(), &boston());
            // A weekend's Saturday is due with its Sunday, at their own times: a day is the least that differs there.
            prop_assert!(due(other).duration_since(due(one)) > SignedDuration::from_hours(-25));
            let due = |from| Within::Days(days).after(from, &Calendar::default(), &boston());
            prop_assert!(due(other).duration_since(due(one)) >= SignedDuration::from_hours(-1));
        }

        #[test]
        fn the_marks_lie_between_start_and_due_in_their_order(second in 0_i64..4_000_000_000, days in 1_u32..60) {
            let from = Timestamp::from_second(second).unwrap();
            let rule = DueRule { within: Within::BusinessDays(days), ..rule("1 h") };
            let (due_at, clock) = rule.start(from, &boston());
            let times: Vec<Timestamp> =
                [from].into_iter().chain(clock.marks.iter().map(|mark| mark.at)).chain([due_at]).collect();
            prop_assert!(times.is_sorted());
        }
    }

    #[test]
    fn a_leap_day_is_a_day() {
        let on = |day: Date| day.at(9, 0, 0, 0).to_zoned(TimeZone::UTC).unwrap().timestamp();
        let over = |days| Within::Days(days).after(on(date(2028, 2, 28)), &Calendar::default(), &TimeZone::UTC);
        assert_eq!((over(1), over(2)), (on(date(2028, 2, 29)), on(date(2028, 3, 1))));
    }
}
