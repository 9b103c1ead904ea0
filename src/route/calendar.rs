//! Business days: weekends, the federal holidays of the United States by rule, and an operator's own days.
//!
//! Pure. A holiday on a Saturday is kept on the Friday before it (5 U.S.C. 6103(b)), one on a Sunday on the Monday after
//! it (Executive Order 11582), as far as the weekend is Saturday and Sunday.

use std::collections::BTreeSet;

use jiff::ToSpan;
use jiff::civil::{Date, Weekday};

/// The first year in which Juneteenth was a holiday (Public Law 117-17).
const JUNETEENTH_SINCE: i16 = 2021;

/// The longest run of closed days that is looked past, so that a calendar on which nothing is ever open ends somewhere.
const LONGEST_CLOSED: u32 = 3660;

/// Which days count as business days.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Calendar {
    pub weekend: Vec<Weekday>,
    /// Whether the federal holidays are closed days.
    pub federal_holidays: bool,
    /// Further days on which nothing is counted.
    pub closed: BTreeSet<Date>,
    /// Days that count whatever else says that they do not.
    pub open: BTreeSet<Date>,
}

impl Default for Calendar {
    /// Monday to Friday without the federal holidays.
    fn default() -> Self {
        Self {
            weekend: vec![Weekday::Saturday, Weekday::Sunday],
            federal_holidays: true,
            closed: BTreeSet::new(),
            open: BTreeSet::new(),
        }
    }
}

impl Calendar {
    pub fn is_business_day(&self, day: Date) -> bool {
        if self.open.contains(&day) {
            return true;
        }
        let holiday = self.federal_holidays && is_federal_holiday(day);
        !self.weekend.contains(&day.weekday()) && !self.closed.contains(&day) && !holiday
    }

    /// The `count`th business day after `from`, which is not counted itself; `None` past the end of time, or on a
    /// calendar without business days. With `count` 0 it is `from`, or the next business day after it.
    pub fn after(&self, from: Date, count: u32) -> Option<Date> {
        let mut day = from;
        let mut left = count;
        let mut closed = 0;
        if left == 0 && self.is_business_day(day) {
            return Some(day);
        }
        loop {
            day = day.tomorrow().ok()?;
            if self.is_business_day(day) {
                closed = 0;
                left = left.saturating_sub(1);
                if left == 0 {
                    return Some(day);
                }
            } else {
                closed += 1;
                if closed > LONGEST_CLOSED {
                    return None;
                }
            }
        }
    }
}

/// Whether federal offices keep a holiday on this day.
pub fn is_federal_holiday(day: Date) -> bool {
    // New Year's Day on a Saturday is kept in the year before.
    let next_year = day.year().checked_add(1).filter(|_| day.month() == 12);
    federal_holidays(day.year()).contains(&Some(day))
        || next_year.and_then(|year| federal_holidays(year).first().copied().flatten()) == Some(day)
}

/// The days on which a year's holidays are kept; New Year's Day first.
fn federal_holidays(year: i16) -> Vec<Option<Date>> {
    let on = |month, day| Date::new(year, month, day).ok().and_then(kept_on);
    let nth = |month, nth, weekday| Date::new(year, month, 1).ok()?.nth_weekday_of_month(nth, weekday).ok();
    let mut days = vec![
        on(1, 1),
        nth(1, 3, Weekday::Monday),    // Birthday of Martin Luther King, Jr.
        nth(2, 3, Weekday::Monday),    // Washington's Birthday
        nth(5, -1, Weekday::Monday),   // Memorial Day
        on(7, 4),                      // Independence Day
        nth(9, 1, Weekday::Monday),    // Labor Day
        nth(10, 2, Weekday::Monday),   // Columbus Day
        on(11, 11),                    // Veterans Day
        nth(11, 4, Weekday::Thursday), // Thanksgiving Day
        on(12, 25),
    ];
    if year >= JUNETEENTH_SINCE {
        days.push(on(6, 19));
    }
    days
}

/// The weekday on which a holiday is kept.
fn kept_on(holiday: Date) -> Option<Date> {
    match holiday.weekday() {
        Weekday::Saturday => holiday.checked_sub(1.day()).ok(),
        Weekday::Sunday => holiday.checked_add(1.day()).ok(),
        Weekday::Monday | Weekday::Tuesday | Weekday::Wednesday | Weekday::Thursday | Weekday::Friday => Some(holiday),
    }
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;
    use proptest::prelude::*;

    use super::*;

    /// The first year in which the birthday of Martin Luther King, Jr. was kept.
    const FIRST: Date = date(1986, 1, 1);

    /// As the Office of Personnel Management lists them (opm.gov, "Federal Holidays").
    #[test]
    fn the_holidays_are_those_that_the_office_of_personnel_management_lists() {
        let listed = [
            (
                2026,
                vec!["01-01", "01-19", "02-16", "05-25", "06-19", "07-03", "09-07", "10-12", "11-11", "11-26", "12-25"],
            ),
            (
                2027,
                vec![
                    "01-01", "01-18", "02-15", "05-31", "06-18", "07-05", "09-06", "10-11", "11-11", "11-25", "12-24",
                    "12-31",
                ],
            ),
            (2028, vec!["01-17", "02-21", "05-29", "06-19", "07-04", "09-04", "10-09", "11-10", "11-23", "12-25"]),
        ];
        for (year, days) in listed {
            let first = date(year, 1, 1);
            let found: Vec<String> = first
                .series(1.day())
                .take_while(|day| day.year() == year)
                .filter(|day| is_federal_holiday(*day))
                .map(|day| day.strftime("%m-%d").to_string())
                .collect();
            assert_eq!(found, days, "{year}");
        }
    }

    #[test]
    fn an_operators_own_days_are_closed_or_open_whatever_the_rule_says() {
        let calendar = Calendar {
            closed: BTreeSet::from([date(2026, 11, 27)]),
            open: BTreeSet::from([date(2026, 11, 28)]),
            ..Calendar::default()
        };
        // From Wednesday: Thanksgiving and the Friday are closed, this Saturday is worked.
        assert_eq!(calendar.after(date(2026, 11, 25), 1), Some(date(2026, 11, 28)));
        assert_eq!(calendar.after(date(2026, 11, 25), 2), Some(date(2026, 11, 30)));
    }

    #[test]
    fn a_calendar_without_business_days_ends_somewhere() {
        let every = [0, 1, 2, 3, 4, 5, 6].map(|day| Weekday::from_sunday_zero_offset(day).unwrap());
        let calendar = Calendar { weekend: every.to_vec(), ..Calendar::default() };
        assert_eq!(calendar.after(date(2026, 1, 1), 1), None);
    }

    proptest! {
        #[test]
        fn so_many_business_days_lie_between_and_the_last_is_one(
            day in 0_i32..40_000, count in 1_u32..40,
        ) {
            let calendar = Calendar::default();
            let from = FIRST + day.days();
            let last = calendar.after(from, count).unwrap();
            prop_assert!(calendar.is_business_day(last));
            let between = from.tomorrow().unwrap().series(1.day()).take_while(|day| *day <= last);
            prop_assert_eq!(between.filter(|day| calendar.is_business_day(*day)).count(), count as usize);
        }

        #[test]
        fn a_later_day_is_never_due_sooner(day in 0_i32..40_000, count in 0_u32..20) {
            let calendar = Calendar::default();
            let from = FIRST + day.days();
            prop_assert!(calendar.after(from, count) <= calendar.after(from.tomorrow().unwrap(), count));
        }

        #[test]
        fn no_holiday_is_kept_on_a_weekend(day in 0_i32..40_000) {
            let day = FIRST + day.days();
            let weekend = [Weekday::Saturday, Weekday::Sunday];
            prop_assert!(!(is_federal_holiday(day) && weekend.contains(&day.weekday())));
        }
    }
}
