//! Bed and support told in a nurse's prose: "Infant is in an open crib on room air", "Room air, open crib, PO 80%".
//!
//! Only of the present: what was, what is planned, what holds under a condition and what isn't is left out. Of a change
//! ("weaned from CPAP to room air") the state that it led to is taken.

use regex::Regex;

use super::extract::{Harvest, current_spans};
use super::lexicon::fixed;
use super::regions::Labelled;
use super::values::Found;
use crate::document::FieldValue;

/// Weaker than every other way of finding them, and too weak to speak for another value.
const STRENGTH: f32 = 0.34;

/// How the present is told.
#[derive(Clone, Debug)]
pub(super) struct Present {
    lead: Regex,
    /// What joins a second value to the first: "open crib **on** room air".
    link: Regex,
    change: Regex,
    /// Not now, not yet, not so, or not the baby.
    barred: Regex,
    /// The narrow kind of it, for clauses that begin with the value.
    past: Regex,
}

impl Present {
    pub(super) fn new() -> Self {
        Self {
            lead: fixed(
                r"(?i)^(?:(?:the |this )?(?:infant|baby|pt|patient|neonate|newborn|he|she)\b['’]?s? ?|[a-z][a-z'’\-]+ (?:is|remains|continues) )?(?:(?:is|remains|continues|currently|presently|now|still|also|stable|comfortable|well|resting|nested|swaddled|today|and) ?)*(?:in |on )?(?:an? |the |her |his )?",
            ),
            link: fixed(r"(?i)^(?:[^,;]{0,24}?(?:\b(?:on|in|and|with)\b|w/|/|[+&-]))?\s*(?:an? |the )?"),
            change: fixed(
                r"(?i)\b(?:weaned|extubated|changed|transitioned|advanced|moved|escalated|returned|back|placed)\b(?: back)?(?: from [^,;]{1,40}?)? (?:to|on|into|in) (?:an? |the )?",
            ),
            barred: fixed(
                r"(?i)\b(?:until|prior|previously|before|after|initially|birth|delivery|resuscitation|history|h/o|s/p|plan(?:s|ned|ning)?|goals?|when|if|once|will|would|may|can|could|should|trial(?:ed|s)?|attempt\w*|try|to be|(?:to|and) wean|wean (?:to|off|from)|weaning|consider\w*|no longer|not|never|off|failed|unable|requir(?:ed|es)|received|needs?|needed|must|anticipat\w*|expect\w*|target|ready|criteria|or|versus|vs|(?:was|were|had been) (?:on|in)|had|yesterday|last|mother|mom|father|dad|maternal|sibling|sister|brother|transport)\b|[<>≥≤\[\]☐?]",
            ),
            past: fixed(r"(?i)\b(?:until|prior to|delivery room|at (?:birth|delivery)|when on|goal)\b"),
        }
    }

    /// Whether what begins here is over, or not yet so.
    pub(super) fn is_over(&self, clause: &str) -> bool {
        self.past.is_match(clause.split(',').next().unwrap_or(clause))
    }
}

/// A bed or a support, at bytes of the sentence.
struct Stated {
    field: &'static str,
    found: Found<&'static str>,
}

impl Harvest<'_> {
    /// Bed and support that sentences on the current status tell.
    pub(super) fn stated(&mut self, page: &Labelled<'_>) {
        let sheet = page.sheet;
        for (start, end) in current_spans(page) {
            let Some(text) = sheet.text.get(start..end) else { continue };
            for (from, sentence) in sentences_of(text) {
                for stated in self.stated_in(sentence) {
                    let at = start + from + stated.found.range.start;
                    let place = sheet.place(at, at + stated.found.range.len());
                    self.add(page, stated.field, FieldValue::Text(stated.found.value.to_owned()), STRENGTH, place);
                }
            }
        }
    }

    fn stated_in(&self, sentence: &str) -> Vec<Stated> {
        let present = &self.lexicon.present;
        let mut told: Vec<Stated> = Vec::new();
        let mut led = false;
        let mut offset = 0;
        for item in sentence.split_inclusive(',') {
            let from = offset;
            offset += item.len();
            if present.barred.is_match(item) {
                break;
            }
            if let Some(change) = present.change.find_iter(item).last() {
                let new = self.values_from(item, change.end(), from);
                // What was said before the change is over.
                told.retain(|old| !new.iter().any(|stated| stated.field == old.field));
                led |= !new.is_empty();
                told.extend(new);
                continue;
            }
            let blank = item.len() - item.trim_start_matches(|c: char| c.is_whitespace() || "-•*·".contains(c)).len();
            let opening = item.get(blank..).and_then(|rest| present.lead.find(rest)).map_or(0, |found| found.end());
            let values = self.values_from(item, blank + opening, from);
            led |= opening > 0 && !values.is_empty();
            told.extend(values);
        }
        let kinds = |field: &str| told.iter().any(|stated| stated.field == field);
        let others = usize::from(self.lexicon.weights.first(sentence).is_some_and(|weight| weight.with_unit))
            + usize::from(self.lexicon.values.po_percent(sentence).is_some());
        let kinds = usize::from(kinds("bed_type")) + usize::from(kinds("resp_support")) + others;
        // A lone word may be a printed choice or a heading.
        if !led && kinds < 2 {
            return Vec::new();
        }
        for field in ["bed_type", "resp_support"] {
            let mut values: Vec<&str> =
                told.iter().filter(|stated| stated.field == field).map(|stated| stated.found.value).collect();
            values.dedup();
            if values.len() > 1 {
                told.retain(|stated| stated.field != field);
            }
        }
        told
    }

    /// The values that stand at a byte of `item`, one joined to the other.
    fn values_from(&self, item: &str, at: usize, offset: usize) -> Vec<Stated> {
        let mut told = Vec::new();
        let mut at = at;
        while told.len() < 2 {
            let Some(rest) = item.get(at..) else { break };
            let begins = |found: &Found<&'static str>| found.range.start == 0;
            let bed = self.lexicon.values.bed(rest).filter(begins);
            let support = || {
                let none = |found: &Found<&'static str>| {
                    rest.get(found.range.clone()).is_some_and(|word| word.eq_ignore_ascii_case("none"))
                };
                self.lexicon.values.support(rest).filter(begins).filter(|found| !none(found))
            };
            let Some((field, found)) =
                bed.map(|bed| ("bed_type", bed)).or_else(|| support().map(|support| ("resp_support", support)))
            else {
                break;
            };
            if told.iter().any(|stated: &Stated| stated.field == field) {
                break;
            }
            let end = at + found.range.end;
            let range = offset + at..offset + end;
            told.push(Stated { field, found: Found { value: found.value, range } });
            at = self.joined(item, end);
        }
        told
    }

    /// Where the value that is joined to the one before it may begin.
    fn joined(&self, item: &str, end: usize) -> usize {
        let rest = item.get(end..).unwrap_or("");
        let direct = end + (rest.len() - rest.trim_start().len());
        let values = &self.lexicon.values;
        let begins = |at: usize| {
            item.get(at..).is_some_and(|rest| {
                values.bed(rest).is_some_and(|bed| bed.range.start == 0)
                    || values.support(rest).is_some_and(|support| support.range.start == 0)
            })
        };
        if begins(direct) {
            return direct;
        }
        self.lexicon.present.link.find(rest).map_or(direct, |link| end + link.end())
    }
}

/// The sentences of a text with their offsets. A row ends one unless the next begins in lower case; so does a cell.
fn sentences_of(text: &str) -> Vec<(usize, &str)> {
    let mut sentences = Vec::new();
    let mut from = 0;
    let mut characters = text.char_indices().peekable();
    while let Some((at, character)) = characters.next() {
        let next = characters.peek().map(|(_, next)| *next);
        let ends = match character {
            ';' | '\t' => true,
            '.' | '!' => next.is_none_or(char::is_whitespace),
            '\n' => next.is_none_or(|next| !next.is_ascii_lowercase()),
            _ => false,
        };
        if ends {
            sentences.extend(text.get(from..at).map(|sentence| (from, sentence)));
            from = at + character.len_utf8();
        }
    }
    sentences.extend(text.get(from..).map(|sentence| (from, sentence)));
    sentences
}
