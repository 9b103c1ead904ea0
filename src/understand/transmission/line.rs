//! One header line, as a sending machine burns it in: which rows of a page are one, and what they tell.
//!
//! Machines differ in everything but this: the line lies at the very edge, apart from the page's own words, and holds at
//! least two of date and time, a telephone number, and the page's number. Recognition takes O for 0 and breaks the line
//! into pieces. What a form prints at its head (`Printed 3/13/2026 10:32 AM Page 2 of 3 MRN …`) is told by its labels.

use jiff::civil::{DateTime, Time};
use regex::Regex;

use super::super::dates::Dates;
use super::super::layout::{Sheet, fold};
use super::super::lexicon::fixed;
use crate::document::{Bounds, Page, PageSource};

/// A header line begins this near to the edge, in inches: T.30 machines put it within the first quarter inch, and a skewed
/// page's is straightened askew.
const EDGE: f32 = 0.30;

/// Its pieces lie this near to the edge, in inches.
const BAND: f32 = 0.42;

/// A page's number read worse than this is none, unless other pages tell the same total.
const READ: f32 = 0.6;

/// Read as well as this, a number is believed without a second page that confirms it.
pub(super) const READ_WELL: f32 = 0.8;

/// Area codes of numbers that cost the caller nothing (North American Numbering Plan).
const TOLL_FREE: [&str; 7] = ["800", "833", "844", "855", "866", "877", "888"];

/// How header lines are written.
#[derive(Clone, Debug)]
pub(in crate::understand) struct Patterns {
    page_of: Regex,
    bare_page_of: Regex,
    page_alone: Regex,
    telephone: Regex,
    time: Regex,
    dashed_month: Regex,
    /// Words of a form's own head.
    form: Regex,
    machine: Regex,
    from: Regex,
    to: Regex,
}

impl Patterns {
    pub(in crate::understand) fn new() -> Self {
        let digit = "[0-9OoQIl|i]";
        Self {
            page_of: fixed(&format!(
                r"(?i:\b(?:page|pages|pg|p|rage|paqe))[\s.,:;#]{{0,3}}({digit}{{1,4}})\s?(?:/|(?i:of|0f)|\\)\s?({digit}{{1,4}})(?:[\s\])]|$)"
            )),
            bare_page_of: fixed(&format!(r"(?:^|[\s@#\[(.,])({digit}{{1,4}})\s?/\s?({digit}{{1,4}})[\])]?\s*$")),
            page_alone: fixed(&format!(r"(?i:\b(?:page|pg|p))[\s.,:;#]{{0,3}}({digit}{{1,3}})[\])]?\s*$")),
            telephone: fixed(
                r"(?:^|[^0-9])(?:\+?1[\s.\-]?)?\(?([2-9][0-9]{2})\)?[\s.\-]{0,2}([0-9]{3})[\s.\-]?([0-9]{4})(?:[^0-9]|$)",
            ),
            time: fixed(r"\b([0-2]?[0-9])[:.;]([0-5][0-9])(?:[:.;][0-5][0-9])?\s?(?:([AaPp])\.?\s?[Mm]\b)?"),
            dashed_month: fixed(
                r"(?i)\b(jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)[a-z]*[\-/]([0-9]{1,2})[\-/]((?:20)[0-9]{2})\b",
            ),
            form: fixed(
                r"(?i)\b(?:mrn|mr ?#|dob|birth|patient|member|acct|account|adm|admit|admitted|encounter|printed|print date|sex|age|gender|male|female|csn|har|visit|room|bed|version|rev|form)\b",
            ),
            machine: fixed(r"(?i)\b(?:from|to|fax|tsi|csid|ttid)\b|->|→|=>"),
            from: fixed(r"(?i)(?:^|\W)(?:f|'|‘)?rom\b\s?[:;.,]?\s?"),
            to: fixed(r"(?i)\bto\b\s?[:;.,]|->|→|=>"),
        }
    }
}

/// What one page's header line tells.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Line {
    /// Ten digits.
    pub sender: Option<String>,
    pub receiver: Option<String>,
    pub station: Option<String>,
    pub sent_at: Option<DateTime>,
    /// The page's number in the transmission.
    pub number: Option<u32>,
    pub total: Option<u32>,
    /// Both were read well enough to be believed by themselves.
    pub is_number_sure: bool,
    /// What only sending machines print: `FROM`, `FAX`, a telephone number.
    pub is_machines: bool,
    pub bounds: Bounds,
    /// The mean confidence of its words.
    pub read: f32,
    /// Where its words stand, each.
    pub places: Vec<Bounds>,
}

/// The header line of a page: at its top, else at its foot.
pub(super) fn find(page: &Page, sheet: &Sheet, patterns: &Patterns, dates: &Dates) -> Option<Line> {
    if page.source != PageSource::Recognised || page.resolution == 0 {
        return None;
    }
    let inches = |pixels: u32| pixels as f32 / page.resolution as f32;
    let at_top = |row: &usize| sheet.rows.get(*row).map(|row| inches(row.bounds.top));
    let at_foot = |row: &usize| sheet.rows.get(*row).map(|row| inches(page.height.saturating_sub(row.bounds.bottom())));
    let within = |edge: &dyn Fn(&usize) -> Option<f32>, most: f32| -> Vec<usize> {
        (0..sheet.rows.len()).filter(|row| edge(row).is_some_and(|away| away <= most)).collect()
    };
    let line = |edge: &dyn Fn(&usize) -> Option<f32>| {
        // One that runs down the page's side was burned in before the page was turned.
        let lies = |row: &usize| sheet.rows.get(*row).is_some_and(|row| inches(row.bounds.height) <= BAND);
        let rows: Vec<usize> = within(edge, BAND)
            .into_iter()
            .filter(lies)
            .filter(|row| !patterns.form.is_match(sheet.row_text(*row)) && is_of_machines(sheet, *row, patterns, dates))
            .collect();
        let near = rows.iter().any(|row| edge(row).is_some_and(|away| away <= EDGE));
        if near { parsed(sheet, &rows, patterns, dates) } else { None }
    };
    line(&at_top).or_else(|| line(&at_foot).filter(|line| line.is_machines))
}

/// Whether anything in a row is such as header lines hold.
fn is_of_machines(sheet: &Sheet, row: usize, patterns: &Patterns, dates: &Dates) -> bool {
    let text = normal(sheet.row_text(row), patterns);
    patterns.page_of.is_match(&text)
        || patterns.bare_page_of.is_match(&text)
        || patterns.telephone.is_match(&text)
        || patterns.page_alone.is_match(&text)
        || patterns.from.is_match(&text)
        || (dates.first(&text).is_some() && patterns.time.is_match(&text))
}

fn normal(text: &str, patterns: &Patterns) -> String {
    patterns.dashed_month.replace_all(&text.replace('\t', " "), "$1 $2, $3").into_owned()
}

/// What these rows tell, read from left to right; `None` when they are no header line.
fn parsed(sheet: &Sheet, rows: &[usize], patterns: &Patterns, dates: &Dates) -> Option<Line> {
    let mut pieces: Vec<_> = rows.iter().flat_map(|row| sheet.row_pieces(*row)).collect();
    pieces.sort_by_key(|piece| piece.bounds.left);
    let bounds = pieces.iter().map(|piece| piece.bounds).reduce(Bounds::union)?;
    let read = pieces.iter().map(|piece| piece.confidence).sum::<f32>() / pieces.len() as f32;
    // The rows that tell a number are whole; pieces of different rows may lie over each other where the line is askew.
    let mut texts: Vec<(u32, String)> = rows
        .iter()
        .map(|row| {
            let left = sheet.rows.get(*row).map_or(0, |row| row.bounds.left);
            (left, normal(sheet.row_text(*row), patterns))
        })
        .collect();
    texts.sort();
    let text = texts.into_iter().map(|(_, text)| text).collect::<Vec<_>>().join(" ");

    let places = pieces.iter().map(|piece| piece.bounds).collect();
    let mut line = Line { bounds, read, places, ..Line::default() };
    let mut rest = text.clone();
    let page = page_number(&text, patterns);
    if let Some((number, total, range)) = page.clone() {
        (line.number, line.total) = (Some(number), total);
        blank(&mut rest, range);
    }
    let date = dates.first(&rest);
    if let Some(found) = &date {
        blank(&mut rest, found.range.clone());
    }
    let time = patterns.time.captures(&rest).and_then(|captures| {
        let group = |at| captures.get(at).map(|group| group.as_str());
        let (hour, minute): (i8, i8) = (group(1)?.parse().ok()?, group(2)?.parse().ok()?);
        let hour = match group(3) {
            Some("p" | "P") if hour < 12 => hour + 12,
            Some("a" | "A") if hour == 12 => 0,
            Some(_) | None => hour,
        };
        Some((Time::new(hour, minute, 0, 0).ok()?, captures.get(0)?.range()))
    });
    if let Some((_, range)) = &time {
        blank(&mut rest, range.clone());
    }
    line.sent_at = date.as_ref().zip(time.as_ref()).map(|(date, (time, _))| date.date.to_datetime(*time));
    numbers(&mut line, &mut rest, patterns);
    line.station = station(&rest, patterns);
    let numbered = line.sender.is_some() || line.receiver.is_some();
    let says_fax = patterns.machine.is_match(&rest);
    line.is_machines = numbered || says_fax;
    let kinds = [date.is_some() && time.is_some(), numbered, line.number.is_some()];
    let known = kinds.into_iter().filter(|known| *known).count();
    let is_one = known >= 2 && (says_fax || line.number.is_some());
    if let Some((.., range)) = page {
        let mark = text.get(range).unwrap_or_default();
        let digits =
            pieces.iter().filter(|piece| piece.fold.chars().any(char::is_alphanumeric) && mark.contains(&piece.text));
        line.is_number_sure = digits.map(|piece| piece.confidence).fold(1.0, f32::min) >= READ;
    }
    (is_one || (known == 1 && says_fax && line.station.is_some() && date.is_some())).then_some(line)
}

/// The page's number and the count of pages with where they stand.
fn page_number(text: &str, patterns: &Patterns) -> Option<(u32, Option<u32>, std::ops::Range<usize>)> {
    for pattern in [&patterns.page_of, &patterns.bare_page_of] {
        if let Some(captures) = pattern.captures_iter(text).last()
            && let Some((number, total)) = captures.get(1).zip(captures.get(2))
            && let Some((number, total)) = digits(number.as_str()).zip(digits(total.as_str()))
            && (1..=total).contains(&number)
            && total <= 999
        {
            return Some((number, Some(total), captures.get(0)?.range()));
        }
    }
    let captures = patterns.page_alone.captures(text)?;
    let number = digits(captures.get(1)?.as_str()).filter(|number| (1..=999).contains(number))?;
    Some((number, None, captures.get(0)?.range()))
}

/// A number in which recognition may have taken digits for letters.
fn digits(text: &str) -> Option<u32> {
    let digits: String = text
        .chars()
        .map(|letter| match letter {
            'O' | 'o' | 'Q' => '0',
            'I' | 'l' | '|' | 'i' => '1',
            other => other,
        })
        .collect();
    digits.parse().ok()
}

/// The telephone numbers: behind `TO` or an arrow the receiver's; the first of the others is the sender's, and the
/// last of several that of the receiver.
fn numbers(line: &mut Line, rest: &mut String, patterns: &Patterns) {
    let to = patterns.to.find(rest).map(|found| found.start());
    let mut from = 0;
    let mut found = Vec::new();
    while let Some(captures) = patterns.telephone.captures_at(rest, from) {
        let (Some(first), Some(last)) = (captures.get(1), captures.get(3)) else { break };
        let group = |at| captures.get(at).map_or("", |group| group.as_str());
        found.push((first.start()..last.end(), format!("{}{}{}", group(1), group(2), group(3))));
        from = last.end();
    }
    for (range, number) in &found {
        // Hospitals send from their own lines; those that are dialled at no cost are where faxes go.
        let toll_free = TOLL_FREE.iter().any(|code| number.starts_with(code));
        if toll_free || to.is_some_and(|to| range.start > to) {
            line.receiver.get_or_insert_with(|| number.clone());
        } else if line.sender.is_none() {
            line.sender = Some(number.clone());
        } else {
            line.receiver.get_or_insert_with(|| number.clone());
        }
    }
    for (range, _) in found {
        blank(rest, range);
    }
}

/// What is left: behind `FROM`, up to `TO`; else the capitals that no machine prints of itself.
fn station(rest: &str, patterns: &Patterns) -> Option<String> {
    let end = patterns.to.find(rest).map_or(rest.len(), |found| found.start());
    let from = patterns.from.find(rest).map_or(0, |found| found.end());
    let own = rest.get(from..end.max(from)).unwrap_or_default();
    let words: Vec<&str> = own
        .split_whitespace()
        .map(|word| word.trim_matches(|letter: char| !letter.is_alphanumeric() && letter != '.'))
        .filter(|word| {
            let letters = word.chars().filter(|letter| letter.is_alphabetic()).count();
            letters >= 2 && !word.contains(|letter: char| letter.is_ascii_digit()) && !is_machines_word(word)
        })
        .collect();
    let name = words.join(" ");
    (name.chars().filter(|letter| letter.is_alphabetic()).count() >= 3).then(|| name.chars().take(60).collect())
}

/// Words that machines print around what they tell.
pub(super) fn is_machines_word(word: &str) -> bool {
    const WORDS: [&str; 30] = [
        "from", "to", "fax", "page", "pages", "pg", "of", "am", "pm", "tel", "no", "id", "est", "edt", "cst", "cdt",
        "mst", "mdt", "pst", "pdt", "gmt", "utc", "date", "time", "tsi", "csid", "received", "sent", "server", "rom",
    ];
    const MONTHS: [&str; 12] = ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"];
    let folded = fold(word);
    WORDS.contains(&folded.as_str()) || MONTHS.contains(&folded.as_str())
}

/// Overwrites what was understood.
fn blank(text: &mut String, range: std::ops::Range<usize>) {
    let blanks = " ".repeat(range.len());
    if text.is_char_boundary(range.start) && text.is_char_boundary(range.end) {
        text.replace_range(range, &blanks);
    }
}
