//! Which words on a page are labels, and of what.
//!
//! A label is told by its words (tolerant of a misread letter) and by its place: at the start of a row or cell, after
//! the end of a clause, or followed by a colon or number sign. Words in the middle of a sentence are no label. Labels of
//! things that aren't wanted (telephone, NPI, attending …) are known too, because they end the value before them.

use std::collections::HashMap;

use super::layout::{Piece, Sheet};
use super::phrases::PHRASES;

/// What a label announces.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Label {
    PatientName,
    /// `RE:` and the like: often the patient, often only the purpose.
    Regarding,
    BirthDate,
    Sex,
    RecordNumber,
    MemberId,
    AuthNumber,
    CaseId,
    Facility,
    MotherName,
    AdmitDate,
    DischargeDate,
    ExpectedDischargeDate,
    TransferDate,
    ReadmitDate,
    NextReviewDate,
    ReceivingFacility,
    TransferringFacility,
    Weight,
    DischargeWeight,
    BirthWeight,
    GestationalAge,
    BedType,
    RespiratorySupport,
    /// The respiratory paragraph of an assessment by system: history and present in one.
    RespiratorySystem,
    Nutrition,
    Medications,
    DischargeNeeds,
    LevelOfCare,
    PlanName,
    /// Ends the value before it; its own value isn't wanted.
    Ignored,
}

/// Where a label stands: `pieces[first..end]` of the sheet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct LabelHit {
    pub label: Label,
    pub first: usize,
    pub end: usize,
    /// Followed by a colon or number sign.
    pub marked: bool,
    /// Starts a row or a cell.
    pub opens: bool,
}

#[derive(Clone, Debug)]
struct Phrase {
    label: Label,
    words: Vec<&'static str>,
    needs_mark: bool,
}

/// The label phrases, ready to be looked up by their first word.
#[derive(Clone, Debug)]
pub(super) struct LabelIndex {
    phrases: Vec<Phrase>,
    by_first: HashMap<&'static str, Vec<usize>>,
    /// Phrases of more than one word whose first is short, by its shape.
    by_shape: HashMap<String, Vec<usize>>,
    /// Phrases whose first word is long enough to be recognised with a misread letter, by that word's length.
    by_length: HashMap<usize, Vec<usize>>,
}

impl LabelIndex {
    pub(super) fn new() -> Self {
        let mut index =
            Self { phrases: Vec::new(), by_first: HashMap::new(), by_shape: HashMap::new(), by_length: HashMap::new() };
        for (label, phrases) in PHRASES {
            for phrase in phrases.split('|') {
                let words: Vec<&'static str> = phrase.trim_end_matches(':').split(' ').collect();
                let Some(first) = words.first().copied() else { continue };
                let number = index.phrases.len();
                index.by_first.entry(first).or_default().push(number);
                if first.len() < FUZZY_FROM && words.len() > 1 {
                    index.by_shape.entry(shape(first)).or_default().push(number);
                }
                if first.len() >= FUZZY_FROM {
                    index.by_length.entry(first.len()).or_default().push(number);
                }
                index.phrases.push(Phrase { label: *label, words, needs_mark: phrase.ends_with(':') });
            }
        }
        index
    }

    /// Every label on the sheet, in order, none overlapping.
    pub(super) fn find(&self, sheet: &Sheet) -> Vec<LabelHit> {
        let mut hits = Vec::new();
        for row in &sheet.rows {
            let mut at = row.first;
            while at < row.end {
                match self.longest_at(sheet, at, row.end) {
                    Some(hit) => {
                        at = hit.end;
                        hits.push(hit);
                    }
                    None => at += 1,
                }
            }
        }
        hits
    }

    fn longest_at(&self, sheet: &Sheet, at: usize, row_end: usize) -> Option<LabelHit> {
        let piece = sheet.pieces.get(at)?;
        if piece.fold.is_empty() {
            return None;
        }
        // A bracket opens as a cell does: "Doe, Jo (MRN: 123)".
        let opens = opens_cell(sheet, at) || piece.text.starts_with('(');
        let after_clause = at > 0
            && sheet
                .pieces
                .get(at - 1)
                .is_some_and(|before| before.text.ends_with([';', ':', '.', ',', ')', ']', '|', '-', '/']));
        let exact = self.by_first.get(piece.fold.as_str()).into_iter().flatten();
        let misread = (piece.fold.len() >= FUZZY_FROM)
            .then(|| (piece.fold.len() - 1..=piece.fold.len() + 1).filter_map(|length| self.by_length.get(&length)))
            .into_iter()
            .flatten()
            .flatten();
        let alike = (piece.fold.len() < FUZZY_FROM)
            .then(|| self.by_shape.get(&shape(&piece.fold)))
            .into_iter()
            .flatten()
            .flatten();
        let mut best: Option<LabelHit> = None;
        for number in exact.chain(misread).chain(alike) {
            let Some(phrase) = self.phrases.get(*number) else { continue };
            let Some(end) = match_words(sheet, at, row_end, &phrase.words) else { continue };
            let (end, marked) = with_mark(sheet, end, row_end);
            // A misread "DOB" that stands alone in its cell heads a column; its value must be a date anyway.
            let alone = opens && (end == row_end || sheet.pieces.get(end).is_some_and(|next| next.opens_cell));
            // So does a "Name" near the top; farther down it is that of whoever signs.
            let name_at_top = phrase.label == Label::PatientName
                && phrase.words == ["name"]
                && piece.bounds.top < sheet.height * 2 / 5;
            let needs_mark = phrase.needs_mark && !(alone && (phrase.label == Label::BirthDate || name_at_top));
            if (needs_mark && !marked) || !(opens || marked || after_clause) {
                continue;
            }
            // The same length in words: the phrase that is spelt as on the page was put first.
            if best.as_ref().is_none_or(|best| end > best.end) {
                best = Some(LabelHit { label: phrase.label, first: at, end, marked, opens });
            }
        }
        best
    }
}

/// Words shorter than this must be read without an error: `GA` and `BW` are too near to too much.
const FUZZY_FROM: usize = 5;

/// Whether two folded words are the same but for what recognition does to letters.
pub(super) fn near(read: &str, meant: &str) -> bool {
    if read == meant {
        return true;
    }
    let allowed = match meant.len() {
        0..5 => 0,
        5..9 => 1,
        _ => 2,
    };
    // A pair that runs together makes the word shorter by one letter.
    let shorter = read.len().abs_diff(meant.len());
    if allowed == 0 || shorter > 2 {
        return false;
    }
    // Two errors must leave the first letter: "readmission" is no misread "admission".
    let same_start = read.chars().next() == meant.chars().next();
    let distance = strsim::levenshtein(read, meant);
    // And of short words one: "needs" are no "feeds".
    let misread = distance <= allowed && (same_start || (distance == 1 && meant.len() >= 7));
    // Recognition that runs two letters into one makes one error of them, which is two letters' distance.
    misread
        || (same_start
            && (2..=4).contains(&distance)
            && meant.len() >= LONG_ENOUGH_TO_BLUR
            && run_together(read) == run_together(meant))
}

/// Words that are shorter may become others when letters run together.
const LONG_ENOUGH_TO_BLUR: usize = 6;

/// A word with the pairs of letters that faxes run into one letter made that letter, so that `Pauent` and `Patient` are the
/// same.
fn run_together(word: &str) -> String {
    let one = [
        ("rn", "m"),
        ("nn", "m"),
        ("cl", "d"),
        ("vv", "w"),
        ("ti", "u"),
        ("tl", "u"),
        ("li", "u"),
        ("ll", "u"),
        ("ii", "u"),
        ("v", "u"),
    ];
    one.iter().fold(word.to_owned(), |word, (pair, letter)| word.replace(pair, letter))
}

/// A short word with signs that recognition mixes up made the same: `1D` and `ID`, `Oate` and `Date`.
fn shape(word: &str) -> String {
    word.chars()
        .map(|c| match c {
            '0' | 'q' | 'd' => 'o',
            '1' | 'i' | 'j' => 'l',
            '5' => 's',
            '8' => 'b',
            other => other,
        })
        .collect()
}

/// Only stains and rules before it in its cell.
fn opens_cell(sheet: &Sheet, at: usize) -> bool {
    let mut index = at;
    loop {
        let Some(piece) = sheet.pieces.get(index) else { return false };
        if piece.opens_cell {
            return true;
        }
        let Some(before) = index.checked_sub(1).and_then(|index| sheet.pieces.get(index)) else { return true };
        if before.fold.len() > 1 || before.text.ends_with(':') {
            return false;
        }
        index -= 1;
    }
}

/// The end of `words` when they stand at piece `at`; punctuation between them doesn't count.
fn match_words(sheet: &Sheet, at: usize, row_end: usize, words: &[&str]) -> Option<usize> {
    let mut index = at;
    for (number, word) in words.iter().enumerate() {
        while number > 0 && index < row_end && sheet.pieces.get(index).is_some_and(|piece| piece.fold.is_empty()) {
            index += 1;
        }
        let piece = sheet.pieces.get(index).filter(|_| index < row_end)?;
        if number > 0 && piece.opens_cell {
            return None;
        }
        let alike = words.len() > 1 && word.len() < FUZZY_FROM && shape(&piece.fold) == shape(word);
        if !(alike || near(&piece.fold, word)) {
            // "D.O.B." and "Med.Rec." come as one piece.
            let rest: String = words.get(number..)?.concat();
            return (number == 0 && words.len() > 1 && piece.fold == rest).then_some(index + 1);
        }
        // A mark inside the phrase ends it: "Facility: Name" is not "facility name".
        if piece.text.ends_with(':') && number + 1 < words.len() {
            return None;
        }
        index += 1;
    }
    Some(index)
}

/// Takes in the number sign, colon or bracketed hint that follows: `MRN #:`, `Weight (g):`.
fn with_mark(sheet: &Sheet, end: usize, row_end: usize) -> (usize, bool) {
    let in_row = |index: usize| sheet.pieces.get(index).filter(|piece| index < row_end && !piece.opens_cell);
    let mut end = end;
    let mut marked = end.checked_sub(1).and_then(|last| sheet.pieces.get(last)).is_some_and(|last| last.marked);
    if in_row(end).is_some_and(|piece| piece.text.starts_with('(') && piece.fold.chars().all(char::is_alphabetic)) {
        // "(Last, First)", "(grams)": a hint of a few words, closed on the same row.
        if let Some(close) = (end..(end + 9).min(row_end)).find(|index| {
            sheet.pieces.get(*index).is_some_and(|piece| piece.text.trim_end_matches([':', ';']).ends_with(')'))
        }) {
            let hint = sheet.pieces.get(end..=close).unwrap_or_default();
            let is_hint = hint.iter().all(|piece| {
                let other_cell = piece.opens_cell && piece.fold.len() > 1;
                !(other_cell || piece.fold.chars().any(|c| c.is_ascii_digit()))
            });
            let holds_label = hint.iter().any(|piece| piece.text.ends_with([':', '#']) && !piece.text.ends_with("):"));
            if is_hint && !holds_label && hint_is_small(hint) {
                marked |= hint.last().is_some_and(|piece| piece.marked);
                end = close + 1;
            }
        }
    }
    while let Some(piece) = in_row(end) {
        let only_marks =
            !piece.text.is_empty() && piece.text.chars().all(|c| matches!(c, '#' | ':' | ';' | '=' | '.' | '|' | '_'));
        if !only_marks {
            break;
        }
        marked |= piece.text.contains(['#', ':', ';', '=']);
        end += 1;
    }
    (end, marked)
}

/// Sexes in brackets are values, not hints.
fn hint_is_small(hint: &[Piece]) -> bool {
    !hint.iter().any(|piece| matches!(piece.fold.as_str(), "male" | "female" | "m" | "f" | "boy" | "girl" | "servo"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::page_of;

    fn labels(text: &str) -> Vec<Label> {
        LabelIndex::new().find(&Sheet::new(&page_of(1, text))).into_iter().map(|hit| hit.label).collect()
    }

    #[test]
    fn the_longest_label_wins() {
        assert_eq!(labels("Mother's DOB: 4/4/1990"), [Label::Ignored]);
        assert_eq!(labels("Previous discharge date 3/1/2026"), [Label::Ignored]);
        assert_eq!(labels("Birth Weight: 900 g"), [Label::BirthWeight]);
    }

    #[test]
    fn labels_are_found_in_one_running_line() {
        assert_eq!(
            labels("Pt: Doe, Jo DOB: 2/2/26 MR#:0690714 Auth/Cert #: 12345 BW:1490"),
            [Label::PatientName, Label::BirthDate, Label::RecordNumber, Label::AuthNumber, Label::BirthWeight]
        );
    }

    #[test]
    fn letters_that_run_together_are_one_misread_letter() {
        assert_eq!(labels("Pauent Name (Last, First): Doe, Jo"), [Label::PatientName]);
        assert_eq!(labels("Pavent Name: Doe, Jo"), [Label::PatientName]);
        assert!(near("adnnission", "admission") && near("meclications", "medications"));
        assert!(!near("needs", "feeds") && !near("patent", "parents"));
    }

    #[test]
    fn a_word_inside_a_sentence_is_no_label() {
        assert_eq!(labels("The nurse said that the weight was stable and the patient slept"), []);
    }

    #[test]
    fn a_misread_letter_is_forgiven_in_a_long_word_only() {
        assert_eq!(labels("Paticnt Namc: Doe, Jo"), [Label::PatientName]);
        assert_eq!(labels("BV 1200"), []);
    }

    #[test]
    fn a_bracketed_hint_belongs_to_its_label() {
        let sheet = Sheet::new(&page_of(1, "Patient Name (Last, First)     Weight (grams): 1200"));
        let hits = LabelIndex::new().find(&sheet);
        assert_eq!(hits.len(), 2);
        assert_eq!(sheet.pieces[hits[1].end].text, "1200");
        assert!(hits[1].marked);
    }
}
