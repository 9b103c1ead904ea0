//! Everything compiled once that understanding looks with: labels and the shapes of values.

use regex::{Regex, RegexBuilder};

use super::dates::Dates;
use super::labels::LabelIndex;
use super::present::Present;
use super::sections::Headings;
use super::segment::Starts;
use super::siblings::Introductions;
use super::transmission;
use super::values::Values;
use super::weights::Weights;

/// Compiled patterns; made once and shared by all documents.
#[derive(Clone, Debug)]
pub(super) struct Lexicon {
    pub labels: LabelIndex,
    pub dates: Dates,
    pub weights: Weights,
    pub values: Values,
    pub headings: Headings,
    pub starts: Starts,
    pub introductions: Introductions,
    pub present: Present,
    pub transmission: transmission::Patterns,
}

impl Lexicon {
    pub(super) fn new() -> Self {
        Self {
            labels: LabelIndex::new(),
            dates: Dates::new(),
            weights: Weights::new(),
            values: Values::new(),
            headings: Headings::new(),
            starts: Starts::new(),
            introductions: Introductions::new(),
            present: Present::new(),
            transmission: transmission::Patterns::new(),
        }
    }
}

/// Compiles a pattern that stands in this program's own source.
#[expect(clippy::expect_used, reason = "the pattern is a literal; every test of this module compiles all of them")]
pub(super) fn fixed(pattern: &str) -> Regex {
    compiled(pattern).expect("a pattern of the program itself is well-formed")
}

/// Scratch memory that one pattern may use for matching fast; with less it matches slower, never otherwise. There are
/// some hundreds of patterns, so the library's own bound of 2 MB each is too much for a small daemon.
const SCRATCH_BYTES: usize = 128 * 1024;

/// Compiles a pattern. Letters of words, digits and the bounds of words (`\w`, `\d`, `\b`) are those of ASCII: what is
/// looked for is written in it, all letters of the world make a pattern ten times as large, and a bound that must know
/// them all keeps it from its fast way of looking.
pub(super) fn compiled(pattern: &str) -> Result<Regex, regex::Error> {
    RegexBuilder::new(&narrowed(pattern)).dfa_size_limit(SCRATCH_BYTES).build()
}

fn narrowed(pattern: &str) -> String {
    let mut narrowed = String::with_capacity(pattern.len() * 2);
    let mut signs = pattern.chars();
    while let Some(sign) = signs.next() {
        if sign != '\\' {
            narrowed.push(sign);
            continue;
        }
        match signs.next() {
            Some('w') => narrowed.push_str("[0-9A-Za-z_]"),
            Some('d') => narrowed.push_str("[0-9]"),
            Some('b') => narrowed.push_str(r"(?-u:\b)"),
            escaped => {
                narrowed.push('\\');
                narrowed.extend(escaped);
            }
        }
    }
    narrowed
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_and_digits_are_those_of_ascii_and_other_escapes_stay() {
        assert_eq!(narrowed(r"\b\d{1,2}[^\w.]\\w\."), r"(?-u:\b)[0-9]{1,2}[^[0-9A-Za-z_].]\\w\.");
        let pattern = compiled(r"\bno\d").unwrap();
        assert!(pattern.is_match("éno7") && !pattern.is_match("no٣"));
        assert!(compiled("trailing\\").is_err());
    }
}
