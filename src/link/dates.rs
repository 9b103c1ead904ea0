//! Dates as American hospitals print them, and as recognition leaves them. Reads; never says what a date means.

use jiff::civil::Date;

use super::printed::Token;
use crate::names;

/// The dates that start at this token; a numeric date that reads two ways (day or month first) gives the American
/// one only, since the senders are American hospitals.
pub(super) fn dates_at(tokens: &[Token], at: usize) -> Vec<Date> {
    let Some(first) = tokens.get(at) else { return Vec::new() };
    if let Some(date) = numeric_date(&first.raw) {
        return vec![date];
    }
    let following: Vec<&Token> =
        tokens.iter().skip(at).take(3).take_while(|next| next.line.abs_diff(first.line) <= 1).collect();
    if let [one, two, three] = following.as_slice() {
        let (month, day) = match (month(&one.folded), month(&two.folded)) {
            (Some(month), _) => (Some(month), number(&two.folded)),
            (None, Some(month)) => (Some(month), number(&one.folded)),
            (None, None) => (None, None),
        };
        if let (Some(month), Some(day), Some(year)) = (month, day, number(&three.folded))
            && let Some(date) = civil(year, month, day)
        {
            return vec![date];
        }
    }
    // Split by recognition: "12/ 2/2025".
    let mut joined = first.raw.clone();
    for next in following.iter().skip(1) {
        let open = joined.ends_with(['/', '-']) || next.raw.starts_with(['/', '-']);
        if !open || next.line != first.line {
            break;
        }
        joined.push_str(&next.raw);
        if let Some(date) = numeric_date(&joined) {
            return vec![date];
        }
    }
    Vec::new()
}

fn numeric_date(text: &str) -> Option<Date> {
    let text = text.trim_matches(|character: char| !character.is_alphanumeric());
    if !(6..=11).contains(&text.len()) {
        return None;
    }
    let fields: Vec<&str> = text.split(['/', '-', '.']).collect();
    match fields.as_slice() {
        [one, two, three] => match (month(&names::fold(two)), number(one), number(two), number(three)) {
            // 07-FEB-2026
            (Some(month), Some(day), _, Some(year)) if two.len() >= 3 => civil(year, month, day),
            (_, Some(year), Some(month), Some(day)) if one.len() == 4 => civil(year, month, day),
            (_, Some(month), Some(day), Some(year)) if three.len() == 4 || three.len() == 2 => {
                civil(year, month, day).or_else(|| civil(year, day, month))
            }
            _ => None,
        },
        [one] if one.len() == 8 && (one.starts_with("19") || one.starts_with("20")) => {
            civil(number(one.get(..4)?)?, number(one.get(4..6)?)?, number(one.get(6..)?)?)
        }
        _ => None,
    }
}

/// Whether one date could be the other, misprinted or misread: one digit of one part,
/// another or lost, or day and month exchanged.
pub(super) fn misprinted(printed: Date, registered: Date) -> bool {
    // Of a year two digits are written, or its first two are always the same.
    let parts = |date: Date| [i32::from(date.year()) % 100, i32::from(date.month()), i32::from(date.day())];
    let (left, right) = (parts(printed), parts(registered));
    if printed.year() == registered.year() && left[1] == right[2] && left[2] == right[1] {
        return true;
    }
    let mut different = left.iter().zip(right).filter(|&(&left, right)| left != right);
    match (different.next(), different.next()) {
        (Some((&left, right)), None) => {
            let (padded, digits) = (|number: i32| format!("{number:02}"), |number: i32| number.to_string());
            let apart = padded(left).bytes().zip(padded(right).bytes()).filter(|(left, right)| left != right).count();
            // "01/1/26" for 01/13/26.
            let (left, right) = (digits(left), digits(right));
            let lost = left.len() == 1 && right.len() == 2 && right.contains(&left);
            apart == 1 || lost
        }
        _ => false,
    }
}

/// A date of which one bar was lost or read as a letter: `2/626`, `02I17/2026`; `None` where that reads in several ways.
/// Only a label makes a date of it.
pub(super) fn mended_date(text: &str) -> Option<Date> {
    // A bar in front or behind tells of a digit that was lost too.
    let whole =
        text.starts_with(|first: char| first.is_ascii_digit()) && text.ends_with(|last: char| last.is_ascii_digit());
    if !(5..=10).contains(&text.len()) || !text.is_ascii() || !whole {
        return None;
    }
    // "12/31" is a day of any year.
    let is_run_together = text.split(['/', '-']).any(|part| part.len() > 2);
    let bars = text.matches(['/', '-']).count();
    let as_bar = |at: usize| {
        let (before, after) = text.split_at_checked(at)?;
        let rest = after.get(1..)?;
        after.starts_with(['I', 'l', '|', 'V', 'i']).then(|| format!("{before}/{rest}"))
    };
    let lost = |at: usize| text.split_at_checked(at).map(|(before, after)| format!("{before}/{after}"));
    let mut read: Vec<Date> = (1..text.len())
        .filter(|_| bars == 1 && is_run_together)
        .flat_map(|at| [as_bar(at), lost(at)])
        .flatten()
        .filter_map(|mended| american_date(&mended))
        .collect();
    read.sort_unstable();
    read.dedup();
    match read.as_slice() {
        [date] => Some(*date),
        [] | [_, ..] => None,
    }
}

/// Month, day and year with two bars, each with no more digits than it has.
fn american_date(text: &str) -> Option<Date> {
    let mut parts = text.split(['/', '-']);
    let (month, day, year) = (parts.next()?, parts.next()?, parts.next()?);
    let sized = month.len() <= 2 && day.len() <= 2 && matches!(year.len(), 2 | 4) && parts.next().is_none();
    if !sized {
        return None;
    }
    civil(number(year)?, number(month)?, number(day)?)
}

fn civil(year: i16, month: i16, day: i16) -> Option<Date> {
    // Two-digit years: babies are of this century, and so are nearly all their mothers' papers.
    let year = match year {
        0..=49 => 2000 + year,
        50..=99 => 1900 + year,
        1900..=2099 => year,
        _ => return None,
    };
    Date::new(year, i8::try_from(month).ok()?, i8::try_from(day).ok()?).ok()
}

/// A number of at most four digits, with the letters that recognition puts for digits.
fn number(text: &str) -> Option<i16> {
    let mut digits = String::with_capacity(4);
    for character in text.chars() {
        digits.push(match character {
            'O' | 'o' | 'Q' | 'D' => '0',
            'l' | 'I' | '|' | 'i' => '1',
            'S' | 's' => '5',
            'Z' | 'z' => '2',
            'B' => '8',
            digit if digit.is_ascii_digit() => digit,
            _ => return None,
        });
    }
    (digits.len() <= 4).then(|| digits.parse().ok()).flatten()
}

fn month(folded: &str) -> Option<i16> {
    const MONTHS: [&str; 12] = [
        "JANUARY",
        "FEBRUARY",
        "MARCH",
        "APRIL",
        "MAY",
        "JUNE",
        "JULY",
        "AUGUST",
        "SEPTEMBER",
        "OCTOBER",
        "NOVEMBER",
        "DECEMBER",
    ];
    (folded.len() >= 3)
        .then(|| MONTHS.iter().position(|name| name.starts_with(folded) || folded == "SEPT" && *name == "SEPTEMBER"))?
        .map(|at| at as i16 + 1)
}

#[cfg(test)]
mod tests {
    use super::mended_date;

    #[test]
    fn a_date_that_lost_a_bar_is_read_where_only_one_date_is_possible() {
        for (text, date) in [
            ("2/626", "2026-02-06"),
            ("02I17/2026", "2026-02-17"),
            ("0217/2026", "2026-02-17"),
            ("12-3125", "2025-12-31"),
            ("01/09V26", "2026-01-09"),
        ] {
            assert_eq!(mended_date(text), Some(date.parse().unwrap()), "{text}");
        }
        for text in ["112/26", "617555", "12/31", "/27/26", "2/6/26", "99/9999", ""] {
            assert_eq!(mended_date(text), None, "{text}");
        }
    }
}
