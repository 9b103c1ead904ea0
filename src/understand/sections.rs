//! Which part of a paper a row belongs to: what is now, what was, what is planned.
//!
//! A weight in a trend table, a support in the delivery room and a bed in a plan are no current status. Parts are told by
//! their headings, which every record system prints; what stands before the first heading counts as current.

use jiff::civil::Date;
use regex::Regex;

use super::dates::{Dates, days_between};
use super::layout::Sheet;
use super::lexicon::fixed;

/// What a part of the paper tells about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Section {
    /// How the infant is now, or before any heading.
    Current,
    /// System by system: mostly history, with what is "currently" so.
    Systems,
    /// Birth, mother, course so far, older days.
    Past,
    /// What is to come, orders, advice.
    Plan,
    /// Tables and lists that hold no status: laboratory, vital signs, diagnoses, printed criteria.
    Aside,
}

/// The headings' patterns.
#[derive(Clone, Debug)]
pub(super) struct Headings {
    kinds: Vec<(Section, Regex)>,
    dated_note: Regex,
}

/// Longer rows are sentences, not headings.
const HEADING_WORDS: usize = 9;

impl Headings {
    pub(super) fn new() -> Self {
        let kinds = [
            (
                Section::Past,
                r"^(weight trend|date weight|weight history|daily weights|growth (trend|chart|history)|maternal|birth history|delivery (room|history|summary)|prenatal|perinatal|pregnancy|past medical|history|hospital course|course (to date|in)|nicu course|brief history|previous|prior (review|days|notes?)|readmission information|resuscitation)",
            ),
            (
                Section::Systems,
                r"^(assessment (by|and plan by) system|systems? review|review of systems|by systems?|problem list|active problems)",
            ),
            (
                Section::Plan,
                r"^(plan|orders|recommendations?|goals?|follow ?up|anticipated|nutrition consult|dietit?ian|consult|social work note|case management note|estimated|teaching|therapy)\b",
            ),
            (
                Section::Aside,
                r"^(lab(oratory|s)?\b|vital signs|vitals|diagnos[ei]s|icd|criteria|medication administration|mar\b|apnea bradycardia|a b d log|event log|radiology|imaging|cultures?|screening|discharge screening|date time type|time temp|test value|medication dose)",
            ),
            (
                Section::Current,
                r"^(current|status|clinical (status|update|information|summary|data)|present(ing)? status|interval (summary|history|events)|admission (assessment|status|exam)|objective|subjective|update|review notes?|reviewer notes|assessment|today|section \d+|discharge (information|status)|transfer information|nicu (status|update)|condition|medications|meds\b|fen\b|nutrition\b|feeds|respiratory (support|status)|discharge (planning|needs|plan)|social)",
            ),
        ];
        Self {
            kinds: kinds.into_iter().map(|(section, pattern)| (section, fixed(pattern))).collect(),
            dated_note: fixed(
                r"(?i)\b(progress|daily|nursing|physician|np|interim|neonatology|attending|event|resident)?\s*notes?\b",
            ),
        }
    }

    /// The section of each row of each sheet; a section goes on over the end of a page.
    pub(super) fn sections(&self, sheets: &[Sheet], dates: &Dates, received: Date) -> Vec<Vec<Section>> {
        let written = written_on(sheets, dates, received);
        let mut current = Section::Current;
        let mut all = Vec::with_capacity(sheets.len());
        for sheet in sheets {
            let mut sections = Vec::with_capacity(sheet.rows.len());
            for row in 0..sheet.rows.len() {
                if let Some(section) = self.heading(sheet, row, dates, written) {
                    current = section;
                }
                sections.push(current);
            }
            all.push(sections);
        }
        all
    }

    fn heading(&self, sheet: &Sheet, row: usize, dates: &Dates, written: Option<Date>) -> Option<Section> {
        let pieces = sheet.row_pieces(row);
        let words: Vec<&str> = pieces.iter().map(|piece| piece.fold.as_str()).filter(|fold| !fold.is_empty()).collect();
        if words.is_empty() || words.len() > HEADING_WORDS {
            return None;
        }
        let text = sheet.row_text(row);
        if self.dated_note.is_match(text)
            && let (Some(found), Some(written)) = (dates.first(text), written)
        {
            return Some(if days_between(found.date, written) > 0 { Section::Past } else { Section::Current });
        }
        // Stains at the edge of the page are read as single characters before the heading.
        let skip = words.iter().take_while(|word| word.len() == 1 && !matches!(**word, "a" | "o" | "s" | "p")).count();
        let heading = words.get(skip..)?.join(" ");
        let (section, _) = self.kinds.iter().find(|(_, pattern)| pattern.is_match(&heading))?;
        // "Plan: continue caffeine" and "Social: …" are labels with values, but still open their part.
        let bare = words.len() - skip <= 5;
        (bare || text.trim_end().ends_with(':')).then_some(*section)
    }
}

/// The day of receipt, unless every date on the paper lies more than [`LONG_AGO`] days before it: then the newest date
/// of the running heads, where fax machines burn in the time of sending, or else the newest of all.
pub(super) fn sent_on(sheets: &[Sheet], dates: &Dates, received: Date) -> Date {
    let newest = |texts: &mut dyn Iterator<Item = &str>| {
        texts.flat_map(|text| dates.all(text)).map(|found| found.date).filter(|date| *date <= received).max()
    };
    match newest(&mut sheets.iter().map(|sheet| sheet.text.as_str())) {
        Some(printed) if days_between(printed, received) > LONG_AGO => {
            newest(&mut sheets.iter().map(|sheet| sheet.text.get(..below_head(sheet)).unwrap_or("")))
                .filter(|head| days_between(*head, printed) <= LONG_AGO)
                .unwrap_or(printed)
        }
        Some(_) | None => received,
    }
}

/// Days after which the time of receipt is no longer believed to be that of sending.
pub(super) const LONG_AGO: i64 = 60;

/// Where the sheet's text begins below the fax machine's own header and the running head.
fn below_head(sheet: &Sheet) -> usize {
    let from = sheet.rows.iter().find(|row| row.bounds.top > sheet.height / 25).map_or(0, |row| row.first);
    sheet.pieces.get(from).map_or(0, |piece| piece.start)
}

/// The day that the paper tells about: the latest date on its first pages that isn't after its receipt.
fn written_on(sheets: &[Sheet], dates: &Dates, received: Date) -> Option<Date> {
    sheets
        .iter()
        .take(2)
        // The head tells of the sending, not of the baby's day.
        .flat_map(|sheet| dates.all(sheet.text.get(below_head(sheet)..).unwrap_or("")))
        .map(|found| found.date)
        .filter(|date| (0..60).contains(&days_between(*date, received)))
        .max()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::page_of;
    use jiff::civil::date;

    #[test]
    fn a_paper_that_lay_for_months_is_judged_by_its_own_day() {
        let head = "03/09/2026 10:15 FROM: A HOSPITAL P.001/001\n";
        let text = "NICU Review\nBaby Moss\nDOB 2/1/2026\nNext review due 3/16/2026\nAdmitted 2/1/2026";
        let dates = Dates::new();
        let sheets = [Sheet::new(&page_of(1, &format!("{head}{text}")))];
        assert_eq!(sent_on(&sheets, &dates, date(2026, 3, 10)), date(2026, 3, 10));
        assert!(days_between(sent_on(&sheets, &dates, date(2026, 11, 22)), date(2026, 3, 16)).abs() <= 7);
        let undated = [Sheet::new(&page_of(1, "NICU Review\nBaby Moss"))];
        assert_eq!(sent_on(&undated, &dates, date(2026, 11, 22)), date(2026, 11, 22));
    }

    #[test]
    fn an_older_note_is_past_and_a_current_heading_ends_it() {
        let text = "A Hospital\nof some town\nClinical update written 3/9/2026 by the nurse on duty tonight for the payer\nProgress Note 03/08/2026\nWeight 1200 g\nCurrent Status\nWeight 1230 g\nPlan\nWean the isolette";
        let sheets = [Sheet::new(&page_of(1, text))];
        let sections = Headings::new().sections(&sheets, &Dates::new(), date(2026, 3, 10));
        assert_eq!(
            sections[0].get(2..).unwrap(),
            [
                Section::Current,
                Section::Past,
                Section::Past,
                Section::Current,
                Section::Current,
                Section::Plan,
                Section::Plan
            ]
        );
    }
}
