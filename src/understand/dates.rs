//! Dates as they are written on American hospital papers → [`Date`].
//!
//! Month before day unless a name of the month says otherwise. Recognition errors inside a date (`O` for 0, `l` for
//! 1, a blank after a slash) are forgiven; a date that isn't in the calendar is no date.

use std::ops::Range;

use jiff::civil::Date;
use regex::Regex;

use super::lexicon::fixed;

/// The patterns of dates.
#[derive(Clone, Debug)]
pub(super) struct Dates {
    year_first: Regex,
    numbers: Regex,
    month_first: Regex,
    day_first: Regex,
    no_year: Regex,
}

/// A date with where it stands in the text that was searched.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct FoundDate {
    pub date: Date,
    pub range: Range<usize>,
}

const DIGIT: &str = "[0-9OoQlI|]";
const MONTH: &str = r"(jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)[a-z]*\.?";

impl Dates {
    pub(super) fn new() -> Self {
        let digit = DIGIT;
        let month = MONTH;
        let sign = r"\s?[/.\-–]\s?";
        Self {
            year_first: fixed(r"\b(20[0-9]{2})[-/.]([0-9]{1,2})[-/.]([0-9]{1,2})\b"),
            numbers: fixed(&format!(
                r"(?:^|[^0-9A-Za-z/.\-])({digit}{digit}?){sign}({digit}(?:\s?{digit})?){sign}((?:20)?{digit}{{2}})(?:$|[^0-9/\-])"
            )),
            month_first: fixed(&format!(
                r"(?i)\b{month}\s*([0-9]{{1,2}})(?:st|nd|rd|th)?\s*[,.]?\s*((?:20)[0-9]{{2}})\b"
            )),
            day_first: fixed(&format!(
                r"(?i)\b([0-9]{{1,2}})(?:st|nd|rd|th)?[\s\-/]*{month}[\s,\-/]*((?:20)?[0-9]{{2}})\b"
            )),
            no_year: fixed(r"(?:^|[^0-9A-Za-z/.\-])([01]?[0-9])/([0-3]?[0-9])(?:$|[^0-9/])"),
        }
    }

    /// Every date in `text`, in order.
    pub(super) fn all(&self, text: &str) -> Vec<FoundDate> {
        let mut found = Vec::new();
        let mut push = |date: Option<Date>, range: Option<Range<usize>>| {
            if let (Some(date), Some(range)) = (date, range) {
                found.push(FoundDate { date, range });
            }
        };
        for (pattern, order) in [
            (&self.year_first, [2, 3, 1]),
            (&self.numbers, [1, 2, 3]),
            (&self.month_first, [1, 2, 3]),
            (&self.day_first, [2, 1, 3]),
        ] {
            let mut from = 0;
            while let Some(captures) = pattern.captures_at(text, from) {
                let [month, day, year] = order.map(|group| captures.get(group).map_or("", |group| group.as_str()));
                let end = captures.iter().skip(1).flatten().map(|group| group.end()).max();
                let start = captures.iter().skip(1).flatten().map(|group| group.start()).min();
                push(calendar(month, day, year), start.zip(end).map(|(start, end)| start..end));
                // The sign behind a date may be the sign before the next one.
                from = end.unwrap_or(text.len()).max(from + 1);
                while from < text.len() && !text.is_char_boundary(from) {
                    from += 1;
                }
                if from > text.len() {
                    break;
                }
            }
        }
        found.sort_by_key(|found| found.range.start);
        found.dedup_by(|later, earlier| later.range.start < earlier.range.end);
        found
    }

    /// The first date in `text`.
    pub(super) fn first(&self, text: &str) -> Option<FoundDate> {
        self.all(text).into_iter().next()
    }

    /// A month and day without a year, taken in the year that puts it nearest to `near`.
    pub(super) fn without_year(&self, text: &str, near: Date) -> Option<FoundDate> {
        let captures = self.no_year.captures(text)?;
        let (month, day) = (captures.get(1)?, captures.get(2)?);
        let date = (-1..=1)
            .filter_map(|shift| {
                Date::new(near.year() + shift, month.as_str().parse().ok()?, day.as_str().parse().ok()?).ok()
            })
            .min_by_key(|date| days_between(near, *date).abs())?;
        Some(FoundDate { date, range: month.start()..day.end() })
    }
}

/// Days from one date to another; negative when `to` is before `from`.
pub(super) fn days_between(from: Date, to: Date) -> i64 {
    to.duration_since(from).as_hours() / 24
}

fn number(text: &str) -> Option<i16> {
    let digits: String = text
        .chars()
        .filter(|c| !c.is_whitespace())
        .map(|c| match c {
            'O' | 'o' | 'Q' => '0',
            'l' | 'I' | '|' => '1',
            other => other,
        })
        .collect();
    digits.parse().ok()
}

fn calendar(month: &str, day: &str, year: &str) -> Option<Date> {
    let named = |name: &str| {
        let names = ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"];
        names.iter().position(|known| name.eq_ignore_ascii_case(known)).map(|index| index as i16 + 1)
    };
    let month = number(month).or_else(|| named(month))?;
    let year = number(year).map(|year| if year < 100 { year + 2000 } else { year })?;
    Date::new(year, i8::try_from(month).ok()?, i8::try_from(number(day)?).ok()?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::civil::date;

    fn first(text: &str) -> Option<Date> {
        Dates::new().first(text).map(|found| found.date)
    }

    #[test]
    fn dates_are_read_in_all_usual_forms() {
        for text in [
            "DOB 3/8/26",
            "03/08/2026",
            "2026-03-08",
            "March 8, 2026",
            "Mar 8 2026",
            "8 March 2026",
            "08-MAR-2026",
            "3-8-26",
            "03.08.2026",
            "O3/08/2026",
            "03/ 08/2026",
            "3/ 8/ 26",
            "March 8th, 2026",
            "(3/8/2026)",
            "born 3/8/26.",
        ] {
            assert_eq!(first(text), Some(date(2026, 3, 8)), "{text}");
        }
    }

    #[test]
    fn what_is_no_date_is_not_taken_for_one() {
        for text in [
            "28 1/7 weeks",
            "555-0140",
            "(401) 555-0155",
            "1-866-555-0149",
            "54/38",
            "13/45/2026",
            "",
            "0.4-4.5",
            "1/1/5,2",
        ] {
            assert_eq!(first(text), None, "{text}");
        }
    }

    #[test]
    fn dates_side_by_side_are_all_found() {
        let dates = Dates::new().all("from 03/06/2026 03/10/2026 to March 11, 2026");
        assert_eq!(dates.len(), 3);
        assert!(dates.windows(2).all(|pair| pair[0].range.end <= pair[1].range.start));
    }

    #[test]
    fn a_date_without_a_year_is_the_one_nearest_to_the_day_of_receipt() {
        let dates = Dates::new();
        let near = |text, day| dates.without_year(text, day).map(|found| found.date);
        assert_eq!(near("next 1/2", date(2025, 12, 30)), Some(date(2026, 1, 2)));
        assert_eq!(near("3/15.", date(2026, 3, 12)), Some(date(2026, 3, 15)));
    }
}
