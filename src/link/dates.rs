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
