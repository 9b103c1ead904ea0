//! Everything compiled once that understanding looks with: labels and the shapes of values.

use regex::{Regex, RegexBuilder};

use super::dates::Dates;
use super::labels::LabelIndex;
use super::sections::Headings;
use super::segment::Starts;
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

/// Compiles a pattern.
pub(super) fn compiled(pattern: &str) -> Result<Regex, regex::Error> {
    RegexBuilder::new(pattern).dfa_size_limit(SCRATCH_BYTES).build()
}
