//! What the sending machine burned into the edge of the pages: a fact of its own, apart from what the paper says.
//!
//! [`line`] reads one page's header line; here the pages are compared: a sender or a count that two pages agree on is
//! believed, one that stands on a single page of several is not. From the numbers follows what did not arrive. Pure.

mod line;

use std::collections::{BTreeMap, BTreeSet};

use jiff::civil::{Date, DateTime};

pub(super) use self::line::Patterns;
use self::line::{Line, READ_WELL, find, is_machines_word};
use super::dates::days_between;
use super::layout::Sheet;
use super::lexicon::Lexicon;
use super::sections::LONG_AGO;
use crate::document::{Field, FieldValue, Fields, Page, Reading};

/// Digits of a North American number that tell it.
const TELEPHONE: usize = 10;

/// How many numbers or pages a flag names.
const NAMED: usize = 12;

/// Letters of a word from which a station's name tells which hospital it is.
const PLACE_WORD: usize = 5;

/// What the header lines of a document's pages tell.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Transmission {
    /// Digits of the sending number.
    sender: Option<Told<String>>,
    /// The sending machine's name of itself.
    station: Option<Told<String>>,
    /// When it was sent, by the sending machine's clock; its zone is not known.
    sent_at: Option<Told<DateTime>>,
    /// How many pages it said it sent.
    total: Option<Told<u32>>,
    /// The numbers in the transmission of the document's pages, by these.
    numbers: BTreeMap<u32, u32>,
    /// How many pages the document has.
    arrived: u32,
    /// Pages on which another transmission begins.
    restarts: Vec<u32>,
    /// Where header lines stand: page and box of each word that tells no name.
    words: BTreeSet<(u32, [u32; 4])>,
}

/// A value with where it stands.
#[derive(Clone, Debug, PartialEq)]
struct Told<T> {
    value: T,
    confidence: f32,
    page: u32,
    bounds: crate::document::Bounds,
}

impl Transmission {
    /// Reads the header lines of a document that came as one.
    pub(super) fn of(reading: &Reading, lexicon: &Lexicon) -> Self {
        let lines: Vec<(&Page, Line)> = reading
            .pages
            .iter()
            .filter_map(|page| {
                let line = find(page, &Sheet::new(page), &lexicon.transmission, &lexicon.dates)?;
                Some((page, line))
            })
            .collect();
        // What a program prints at the head of its pages counts only where no machine's line does.
        let of_machines = lines.iter().any(|(_, line)| line.is_machines);
        let mut lines: Vec<(&Page, Line)> =
            lines.into_iter().filter(|(_, line)| line.is_machines || !of_machines).collect();
        let single = reading.pages.len() == 1;
        // On a single page, date, number and page's number must stand together, well read.
        let is_whole = |line: &Line| {
            let numbered = line.sender.is_some() || line.receiver.is_some();
            line.sent_at.is_some() && line.number.is_some() && line.is_number_sure && numbered && line.read >= READ_WELL
        };
        let lone = single && lines.iter().all(|(_, line)| is_whole(line));
        let mut found = Self { arrived: reading.pages.len() as u32, ..Self::default() };
        found.sender = agreed(&lines, lone, |line| line.sender.clone());
        found.station = agreed(&lines, lone, |line| line.station.clone());
        found.sent_at = agreed(&lines, lone, |line| line.sent_at);
        found.total = agreed(&lines, lone, |line| line.total);
        let total = found.total.as_ref().map(|told| told.value);
        for (_, line) in &mut lines {
            if !line.is_number_sure && (line.total.is_none() || line.total != total) {
                (line.number, line.total) = (None, None);
            }
        }
        found.restarts = restarts(&lines);
        if found.restarts.is_empty() {
            found.numbers = numbers(&lines, found.total.as_ref().map(|told| told.value));
        }
        for (page, line) in &lines {
            found.words.extend(words(page, line));
        }
        found
    }

    /// The sending number, digits only.
    pub fn sender(&self) -> Option<&str> {
        self.sender.as_ref().map(|told| told.value.as_str())
    }

    /// How many pages the sending machine counted, of one transmission.
    pub fn pages(&self) -> Option<u32> {
        self.total.as_ref().filter(|_| self.restarts.is_empty()).map(|told| told.value)
    }

    /// The day on which it was sent.
    pub fn sent_on(&self) -> Option<Date> {
        self.sent_at.as_ref().map(|told| told.value.date())
    }

    /// The day of receipt; that of sending where the document plainly lay about for long.
    pub fn received(&self, received: Date) -> Date {
        self.sent_on().filter(|sent| days_between(*sent, received) > LONG_AGO).unwrap_or(received)
    }

    /// Pages on which the sending machine begins to count anew: another transmission, put together with this one.
    pub fn restarts(&self) -> &[u32] {
        &self.restarts
    }

    /// As facts of an item: `fax_sender`, `fax_station`, `fax_sent_date`, `fax_sent_time`, `fax_pages`.
    pub fn fields(&self) -> Fields {
        let mut fields = Fields::new();
        let mut add = |name: &str, told: Option<Told<FieldValue>>| {
            if let Some(Told { value, confidence, page, bounds }) = told {
                fields.insert(name.to_owned(), Field { value, confidence, page, bounds });
            }
        };
        add("fax_sender", as_field(self.sender.as_ref(), |number| FieldValue::Text(number.clone())));
        add("fax_station", as_field(self.station.as_ref(), |name| FieldValue::Text(name.clone())));
        // Two fields: a date with a time would be read back as a date.
        let sent = self.sent_at.as_ref();
        add("fax_sent_date", as_field(sent, |at| FieldValue::Date(at.date())));
        add("fax_sent_time", as_field(sent, |at| FieldValue::Text(at.strftime("%H:%M").to_string())));
        let total = self.total.as_ref().filter(|_| self.restarts.is_empty());
        add("fax_pages", as_field(total, |total| FieldValue::Number(i64::from(*total))));
        fields
    }

    /// What a person should know: pages that are missing, doubled or out of order, transmissions put together.
    pub fn flags(&self) -> Vec<String> {
        let mut flags = Vec::new();
        if !self.restarts.is_empty() {
            flags.push(format!("page_numbers_restart: p{}", listed(&self.restarts)));
            return flags;
        }
        let told: BTreeSet<u32> = self.numbers.values().copied().collect();
        let last = self.total.as_ref().map(|told| told.value).or_else(|| told.last().copied());
        if let Some(last) = last {
            let missing: Vec<u32> = (1..=last).filter(|number| !told.contains(number)).collect();
            let unknown = self.arrived as usize - self.numbers.len().min(self.arrived as usize);
            let counted = self.total.as_ref().map_or(String::new(), |told| format!(" of {}", told.value));
            // A page without a number may be any of them.
            if !self.numbers.is_empty() && unknown == 0 && !missing.is_empty() {
                flags.push(format!("missing_pages: {}{counted}", ranges(&missing)));
            } else if missing.len() > unknown && !self.numbers.is_empty() {
                flags.push(format!("missing_pages: {}{counted}, which is not told", missing.len() - unknown));
            }
        }
        let mut by_number: BTreeMap<u32, Vec<u32>> = BTreeMap::new();
        for (page, number) in &self.numbers {
            by_number.entry(*number).or_default().push(*page);
        }
        let doubled: Vec<String> = by_number
            .iter()
            .filter(|(_, pages)| pages.len() > 1)
            .take(NAMED)
            .map(|(number, pages)| format!("{number} (p{})", listed(pages)))
            .collect();
        if !doubled.is_empty() {
            flags.push(format!("doubled_pages: {}", doubled.join(", ")));
        }
        let order: Vec<u32> = self.numbers.values().copied().collect();
        if !order.is_sorted() {
            flags.push(format!("pages_out_of_order: {}", listed(&order)));
        }
        flags
    }

    /// The document without what the machine burned in, but for the station's name.
    pub fn taken_off(&self, reading: &Reading) -> Reading {
        let mut reading = reading.clone();
        for page in &mut reading.pages {
            let number = page.number;
            page.words.retain(|word| !self.words.contains(&(number, word.bounds.into())));
        }
        reading
    }
}

/// Whether two numbers are one telephone's, however they are written.
pub fn same_telephone(one: &str, other: &str) -> bool {
    let last = |number: &str| {
        let digits: Vec<char> = number.chars().filter(char::is_ascii_digit).collect();
        digits.get(digits.len().saturating_sub(TELEPHONE)..).map(<[char]>::to_vec)
    };
    last(one) == last(other)
}

fn as_field<T>(told: Option<&Told<T>>, value: impl FnOnce(&T) -> FieldValue) -> Option<Told<FieldValue>> {
    told.map(|told| Told {
        value: value(&told.value),
        confidence: told.confidence,
        page: told.page,
        bounds: told.bounds,
    })
}

/// What most pages say, at least two of them; of a single one with `lone`. Where it stands first, and how well it was
/// read where it was read best.
fn agreed<T: Clone + PartialEq>(
    lines: &[(&Page, Line)],
    is_alone: bool,
    said: impl Fn(&Line) -> Option<T>,
) -> Option<Told<T>> {
    let all: Vec<(T, &Page, &Line)> =
        lines.iter().filter_map(|(page, line)| Some((said(line)?, *page, line))).collect();
    let times = |value: &T| all.iter().filter(|(other, ..)| other == value).count();
    let most = all.iter().map(|(value, ..)| times(value)).max()?;
    let (value, page, line) = all.iter().find(|(value, ..)| times(value) == most)?;
    let believed = most >= 2 && most * 2 > all.len() || is_alone;
    let read = all.iter().filter(|(other, ..)| other == value).map(|(.., line)| line.read).fold(0.0, f32::max);
    believed.then(|| Told { value: value.clone(), confidence: read, page: page.number, bounds: line.bounds })
}

/// Whether both tell, and not the same.
fn differ<T: PartialEq>(one: Option<&T>, other: Option<&T>) -> bool {
    one.zip(other).is_some_and(|(one, other)| one != other)
}

/// Pages with number 1 of another count or another minute than those before.
fn restarts(lines: &[(&Page, Line)]) -> Vec<u32> {
    let mut found = Vec::new();
    for ((_, before), (page, line)) in lines.iter().zip(lines.iter().skip(1)) {
        let ended = before.number.is_some() && before.number == before.total;
        let another = differ(before.sent_at.as_ref(), line.sent_at.as_ref())
            || ended
                && (differ(before.total.as_ref(), line.total.as_ref())
                    || differ(before.sender.as_ref(), line.sender.as_ref()));
        if line.number == Some(1) && before.number.is_some() && another {
            found.push(page.number);
        }
    }
    found
}

/// The numbers of the pages, with those that were misread or not read put right where their neighbours leave no choice.
fn numbers(lines: &[(&Page, Line)], total: Option<u32>) -> BTreeMap<u32, u32> {
    let possible = |line: &Line| {
        let agrees = line.total.is_none() || total.is_none() || line.total == total;
        line.number.filter(|number| agrees && total.is_none_or(|total| *number <= total))
    };
    let read: BTreeMap<u32, u32> =
        lines.iter().filter_map(|(page, line)| Some((page.number, possible(line)?))).collect();
    // One number among several pages is one that nothing confirms.
    if read.len() < 2 && lines.len() > 1 {
        return BTreeMap::new();
    }
    let mut told = read.clone();
    let (Some(first), Some(last)) = (lines.first(), lines.last()) else { return told };
    let doubtful: BTreeSet<u32> =
        lines.iter().filter(|(_, line)| line.read < READ_WELL).map(|(page, _)| page.number).collect();
    let unread = |page: &u32| !read.contains_key(page) || doubtful.contains(page);
    for page in (first.0.number..=last.0.number).filter(unread) {
        let before = page.checked_sub(1).and_then(|before| told.get(&before)).copied();
        let after = read.get(&(page + 1)).copied();
        let between = before.zip(after).filter(|(before, after)| before + 2 == *after).map(|(before, _)| before + 1);
        if let Some(number) = between {
            told.insert(page, number);
        }
    }
    told
}

/// The words of a line that a reader of the paper must not take for the paper's own: all but the station's name.
///
/// A station called by a short name (`WHMC NICU UR`) tells a reader nothing, and may be the one called.
fn words(page: &Page, line: &Line) -> Vec<(u32, [u32; 4])> {
    let line_names_a_place = line.station.as_ref().is_some_and(|station| {
        station.split(' ').any(|word| word.chars().filter(|letter| letter.is_alphabetic()).count() >= PLACE_WORD)
    });
    page.words
        .iter()
        .filter(|word| line.places.contains(&word.bounds))
        .filter(|word| {
            let told = word.text.chars().any(|letter| letter.is_ascii_digit());
            let letters = word.text.chars().filter(|letter| letter.is_alphabetic()).count();
            told || letters < 2 || is_machines_word(&word.text) || !line_names_a_place
        })
        .map(|word| (page.number, word.bounds.into()))
        .collect()
}

fn listed(numbers: &[u32]) -> String {
    let shown: Vec<String> = numbers.iter().take(NAMED).map(u32::to_string).collect();
    format!("{}{}", shown.join(","), if numbers.len() > NAMED { ",…" } else { "" })
}

/// `2,6-7`.
fn ranges(numbers: &[u32]) -> String {
    let mut ranges: Vec<(u32, u32)> = Vec::new();
    for &number in numbers {
        match ranges.last_mut() {
            Some((_, last)) if *last + 1 == number => *last = number,
            _ => ranges.push((number, number)),
        }
    }
    let shown: Vec<String> = ranges
        .iter()
        .take(NAMED)
        .map(|(first, last)| if first == last { first.to_string() } else { format!("{first}-{last}") })
        .collect();
    format!("{}{}", shown.join(","), if ranges.len() > NAMED { ",…" } else { "" })
}

#[cfg(test)]
mod tests;
