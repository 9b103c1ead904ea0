//! What a paper says of the baby's twin, so that it isn't taken for the baby's own.
//!
//! A clause is about another baby when it begins by saying so: `Twin B: weight 1900 g`, `Co-twin remains on CPAP`. Whose
//! letter it is tells the patient's name. Hides only where that leaves no doubt: a letter in a name, in `di-di twins` or
//! in `Hepatitis B:` introduces nobody, and a single letter on a page whose baby has none may be the baby's own.

use std::collections::BTreeSet;
use std::ops::Range;

use jiff::civil::Date;
use regex::Regex;

use super::choose::choose;
use super::extract::candidates;
use super::labels::Label;
use super::layout::Sheet;
use super::lexicon::{Lexicon, fixed};
use super::regions::Labelled;
use crate::document::{DocumentType, FieldValue};
use crate::names::{self, GivenName};

/// What introduces a baby.
#[derive(Clone, Debug)]
pub(super) struct Introductions {
    /// `Twin B`, `Baby Girl B`; the letter in group 1.
    lettered: Regex,
    /// `Co-twin`, `Twin sister`.
    relation: Regex,
    /// `B:`; the letter in group 1.
    bare: Regex,
    /// The headings of notes that are written by letters: `S:`, `O:`, `P:`, `R:`, and `D:` of a log of events.
    other_bare: Regex,
    /// The paper speaks of twins at all.
    multiple: Regex,
    /// What may follow an introduction without a colon.
    goes_on: Regex,
    /// The letter in the patient's data: `(Twin B)`, `Birth order: B`.
    in_data: Regex,
    /// `, this infant`: the clause turns back to the baby.
    turns_back: Regex,
}

impl Introductions {
    pub(super) fn new() -> Self {
        Self {
            lettered: fixed(
                r"(?i)\b(?:twin|triplet|quad|multiple|(?:baby|infant|newborn|neonate)(?:[ ]?(?:boy|girl|male|female))?|boy|girl|bb|bg)[ #\-]{1,2}(?-i:([A-D]))\b(?:['’]s\b)?",
            ),
            relation: fixed(
                r"(?i)\b(?:(?:the|her|his|their|infant['’]?s|baby['’]?s) )?(?:co-?twin|twin (?:sister|brother|sibling)|other twin|sibling|sib)\b(?:['’]s\b)?|\b(?i:her|his) twin\b",
            ),
            bare: fixed(r"(?:^|[\s(.;,:])([A-D])\)?[ ]?[:=]"),
            other_bare: fixed(r"(?m)(?:^[ ]*|\t)[SOPR][ ]?:|(?:^|[\s;,])D[ ]?:"),
            multiple: fixed(r"(?i)\b(?:twins?|triplets?|quad(?:ruplet)?s?|multiples)\b"),
            goes_on: fixed(
                r"^(?:[a-z0-9]|(?i:(?:wt|weight|bw|birth|current|currently|on|in|now|is|was|remains|mrn|dob|born|discharged|transferred|feeds|feeding|apgars?|resp|bed)\b))",
            ),
            in_data: fixed(
                r"(?i)\b(?:twin|triplet|birth order|infant|baby(?:[ ](?:boy|girl))?|boy|girl)[ \t:#\-]{0,3}(?-i:([A-D]))\b",
            ),
            turns_back: fixed(
                r"(?i)[,;] (?:and |but |while )?(?:this|our|the) (?:infant|baby|patient|neonate|newborn)\b",
            ),
        }
    }
}

/// Of whom a clause tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Speaks {
    /// Of the baby with this letter (`A` is 1).
    Letter(u8),
    /// Of a brother or sister.
    Relation,
}

/// A clause about one of several babies: a range of bytes of the sheet's text.
#[derive(Clone, Debug)]
struct Clause {
    speaks: Speaks,
    range: Range<usize>,
    /// Its row has the record number or birth date of the baby that it introduces.
    heads: bool,
}

/// The sheets with what is said of other babies made illegible; `None` when nothing is.
pub(super) fn without_siblings(pages: &[Labelled<'_>], lexicon: &Lexicon, received: Date) -> Option<Vec<Sheet>> {
    let words = &lexicon.introductions;
    let multiple = pages.iter().any(|page| words.multiple.is_match(&page.sheet.text));
    let mut clauses: Vec<Vec<Clause>> = pages.iter().map(|page| clauses(page, lexicon, multiple)).collect();
    if clauses.iter().all(Vec::is_empty) {
        return None;
    }
    let own = own_letter(pages, &clauses, lexicon, received);
    for on_page in &mut clauses {
        let letters: BTreeSet<u8> = on_page.iter().filter_map(|clause| letter_of(clause.speaks)).collect();
        on_page.retain(|clause| match (clause.speaks, own) {
            (Speaks::Relation, _) => true,
            (Speaks::Letter(letter), Some(own)) => letter != own,
            (Speaks::Letter(_), None) => letters.len() > 1,
        });
    }
    clauses.iter().any(|on_page| !on_page.is_empty()).then(|| {
        let hidden = |(page, clauses): (&Labelled<'_>, &Vec<Clause>)| illegible(page.sheet, clauses);
        pages.iter().zip(&clauses).map(hidden).collect()
    })
}

fn letter_of(speaks: Speaks) -> Option<u8> {
    match speaks {
        Speaks::Letter(letter) => Some(letter),
        Speaks::Relation => None,
    }
}

/// The baby's own letter: that of its name, or else the one in the data beside it, when there is only one.
fn own_letter(pages: &[Labelled<'_>], clauses: &[Vec<Clause>], lexicon: &Lexicon, received: Date) -> Option<u8> {
    let fields = choose(&candidates(pages, lexicon, received, DocumentType::Other));
    let named = fields.get("patient_name").and_then(|name| match &name.value {
        FieldValue::Text(name) => GivenName::read(name).order,
        FieldValue::Date(_) | FieldValue::Number(_) => None,
    });
    let only = |letters: BTreeSet<u8>| letters.first().copied().filter(|_| letters.len() == 1);
    let beside = || {
        let mut letters = BTreeSet::new();
        for page in pages {
            let data = page.hits.iter().filter(|hit| {
                matches!(hit.label, Label::PatientName | Label::Regarding)
                    || page.sheet.pieces.get(hit.first..hit.end).is_some_and(|label| {
                        label.iter().any(|piece| matches!(piece.fold.as_str(), "order" | "multiple"))
                    })
            });
            for hit in data {
                let Some(start) = page.sheet.pieces.get(hit.first).map(|piece| piece.start) else { continue };
                // To the end of the row: in "(Twin B)" the word twin is a label itself.
                let row = page.sheet.text.get(start..).and_then(|rest| rest.lines().next()).unwrap_or("");
                let text = row.get(..sentence_end(row, 0)).unwrap_or(row);
                let marks = lexicon.introductions.in_data.captures_iter(text);
                letters.extend(marks.filter_map(|mark| names::order_mark(mark.get(1)?.as_str())));
            }
        }
        only(letters)
    };
    let heading =
        || only(clauses.iter().flatten().filter(|clause| clause.heads).filter_map(|it| letter_of(it.speaks)).collect());
    named.or_else(beside).or_else(heading)
}

/// Every clause of a page that begins by naming one of several babies.
fn clauses(page: &Labelled<'_>, lexicon: &Lexicon, multiple: bool) -> Vec<Clause> {
    let sheet = page.sheet;
    let words = &lexicon.introductions;
    let bare = multiple && !words.other_bare.is_match(&sheet.text);
    let mut clauses: Vec<Clause> = Vec::new();
    let mut open: Option<Speaks> = None;
    for row in 0..sheet.rows.len() {
        let text = sheet.row_text(row);
        let Some(start) = sheet.row_pieces(row).first().map(|piece| piece.start) else { continue };
        // A sentence that plainly goes on.
        let mut begun: Vec<(usize, Speaks)> = open
            .filter(|_| text.starts_with(|c: char| c.is_ascii_lowercase()))
            .map(|speaks| (0, speaks))
            .into_iter()
            .collect();
        for (at, speaks) in introductions(page, row, lexicon, bare) {
            let within = begun.iter().any(|(from, _)| sentence_end(text, *from) > at);
            if within || begins_clause(page, start, at) {
                begun.push((at, speaks));
            }
        }
        let labelled = page.hits.iter().filter(|hit| sheet.pieces.get(hit.first).is_some_and(|piece| piece.row == row));
        let heads = labelled.clone().any(|hit| matches!(hit.label, Label::RecordNumber | Label::BirthDate));
        open = None;
        for (index, (from, speaks)) in begun.iter().enumerate() {
            let sentence = sentence_end(text, *from);
            let next = begun.get(index + 1).map_or(text.len(), |(next, _)| *next);
            let back = text.get(*from..).and_then(|rest| words.turns_back.find(rest)).map(|found| from + found.start());
            let patient = labelled
                .clone()
                .filter(|hit| hit.label == Label::PatientName)
                .filter_map(|hit| Some(sheet.pieces.get(hit.first)?.start - start))
                .find(|label| label > from);
            let end = [Some(next), back, patient].into_iter().flatten().fold(sentence, usize::min);
            let stopped = text.trim_end().ends_with(['.', '!', '?']);
            open = (end == text.len() && !stopped).then_some(*speaks);
            clauses.push(Clause { speaks: *speaks, range: start + from..start + end, heads });
        }
    }
    clauses
}

/// Where the row's text names one of several babies, in order, with what follows fit for a clause about it.
fn introductions(page: &Labelled<'_>, row: usize, lexicon: &Lexicon, bare: bool) -> Vec<(usize, Speaks)> {
    let words = &lexicon.introductions;
    let text = page.sheet.row_text(row);
    let after = |end: usize| text.get(end..).unwrap_or("").trim_start();
    let tells = |rest: &str| {
        let rest = rest.trim_start();
        let marked = rest.starts_with([':', '-', '–', '—', '=']);
        // "Twin A and B", "Twin B of di-di twins" describe the birth.
        let joined = ["and ", "or ", "of ", "male", "female", "gestation", "delivered"];
        let first = rest.get(..1).unwrap_or("");
        let value = |found: Option<usize>| found == Some(0);
        let status = value(lexicon.values.bed(rest).map(|found| found.range.start))
            || value(lexicon.values.support(rest).map(|found| found.range.start));
        marked
            || (!joined.iter().any(|word| rest.to_ascii_lowercase().starts_with(word))
                && first != "/"
                && (status || words.goes_on.is_match(rest)))
    };
    let mut found: Vec<(usize, Speaks)> = Vec::new();
    for captures in words.lettered.captures_iter(text) {
        let (Some(whole), Some(letter)) = (captures.get(0), captures.get(1)) else { continue };
        if let Some(letter) = names::order_mark(letter.as_str()).filter(|_| tells(after(whole.end()))) {
            found.push((whole.start(), Speaks::Letter(letter)));
        }
    }
    for whole in words.relation.find_iter(text) {
        if tells(after(whole.end())) {
            found.push((whole.start(), Speaks::Relation));
        }
    }
    if bare {
        // "A:" without a "B:" is an assessment.
        let second =
            words.bare.captures_iter(&page.sheet.text).any(|mark| mark.get(1).is_some_and(|it| it.as_str() == "B"));
        // The letter of "Twin B:" is no introduction of its own.
        let lettered: Vec<usize> = found.iter().map(|(at, _)| *at).collect();
        let marks: Vec<(usize, usize, u8)> = words
            .bare
            .captures_iter(text)
            .filter_map(|captures| {
                let letter = captures.get(1)?;
                Some((letter.start(), captures.get(0)?.end(), names::order_mark(letter.as_str())?))
            })
            .collect();
        for (index, (at, end, letter)) in marks.iter().enumerate() {
            let clause = marks.get(index + 1).map_or(text.len(), |(next, _, _)| *next);
            let told = text.get(*end..clause).unwrap_or("");
            // A letter alone introduces a baby only where the others, or what a baby has, follow.
            let status = lexicon.weights.first(told).is_some_and(|weight| weight.with_unit)
                || lexicon.values.bed(told).is_some()
                || lexicon.values.support(told).is_some();
            if status && (second || *letter > 1) && !lettered.iter().any(|other| (*other..other + 20).contains(at)) {
                found.push((*at, Speaks::Letter(*letter)));
            }
        }
    }
    found.sort_by_key(|(at, _)| *at);
    found
}

/// Whether the clause of an introduction begins there, and not the patient's name or another field's value.
fn begins_clause(page: &Labelled<'_>, row_start: usize, at: usize) -> bool {
    let sheet = page.sheet;
    let start = row_start + at;
    let Some(index) = sheet.piece_at(start) else { return false };
    let Some(piece) = sheet.pieces.get(index) else { return false };
    let before = sheet.text.get(row_start..start).unwrap_or("");
    let lead = before.trim_end();
    let bullet = lead.chars().all(|c| !c.is_alphabetic()) && lead.chars().count() <= 3;
    let named = page
        .hits
        .iter()
        .filter(|hit| matches!(hit.label, Label::PatientName | Label::Regarding | Label::MotherName | Label::Ignored))
        .any(|hit| {
            hit.end == index
                || (hit.label != Label::Ignored
                    && page.regions(hit).iter().any(|region| {
                        let from = region.pieces.first().map_or(usize::MAX, |first| first.start);
                        let to = region.pieces.last().map_or(0, |last| last.start);
                        let within = sheet.text.get(from..start).unwrap_or("");
                        (from..=to).contains(&start) && !within.contains(". ") && !within.contains("; ")
                    }))
        });
    let after_label = page.hits.iter().any(|hit| hit.end == index && hit.label != Label::Ignored);
    !named && (bullet || piece.opens_cell || after_label || lead.ends_with(['.', ';', '!', '?']))
}

/// Where the sentence that holds a byte of a row's text ends: behind its full stop, or at the end of the row.
fn sentence_end(text: &str, from: usize) -> usize {
    let Some(rest) = text.get(from..) else { return text.len() };
    rest.match_indices(['.', '!', '?'])
        .map(|(at, _)| at)
        .find(|at| {
            let word = rest.get(..*at).unwrap_or("").rsplit(|c: char| !c.is_alphanumeric()).next().unwrap_or("");
            let abbreviated =
                matches!(word.to_ascii_lowercase().as_str(), "wt" | "resp" | "approx" | "no" | "dr" | "st");
            rest.get(at + 1..).is_none_or(|after| after.is_empty() || after.starts_with(char::is_whitespace))
                && !abbreviated
        })
        .map_or(text.len(), |at| from + at + 1)
}

/// The sheet with these clauses struck out; everything else stays where it stands.
fn illegible(sheet: &Sheet, clauses: &[Clause]) -> Sheet {
    let struck = |start: usize| clauses.iter().any(|clause| clause.range.contains(&start));
    let mut sheet = sheet.clone();
    let mut text = String::with_capacity(sheet.text.len());
    for piece in &mut sheet.pieces {
        let gap = sheet.text.get(text.len()..piece.start).unwrap_or("");
        text.push_str(gap);
        if struck(piece.start) {
            // As many bytes as before, and nothing that is a word, a mark or an empty value.
            piece.text = "~".repeat(piece.text.len());
            "~".clone_into(&mut piece.fold);
            piece.marked = false;
        }
        text.push_str(&piece.text);
    }
    sheet.text = text;
    sheet
}
