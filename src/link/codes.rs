//! Numbers of the registry in the barcodes of a page.
//!
//! A code is printed by a machine and has check digits, so what it holds either is a case's number, letter for letter, or
//! is none of the registry's and tells nothing (a form's own number, a parcel's). But it tells whose the *sheet* is: a
//! cover sheet can lie before the wrong papers. So all that codes hold counts as one identifier, never as a mark that tells
//! siblings apart, and a code that names another case than the words do leaves the document to a person.

use std::collections::BTreeSet;

use super::index::{Index, merge};
use super::labels::Label;
use super::printed::PrintedId;
use super::siblings::Owner;
use crate::document::{Page, Reading};
use crate::names;

/// Numbers looked for in one code: ours hold two, and a hostile one thousands.
const NUMBERS: usize = 64;

/// Readings of codes must not mix with those of tokens and fields.
const CODE_PLACES: usize = 1 << 33;

/// A number in a code, and the cases whose it is.
#[derive(Clone, Debug)]
pub(super) struct Coded {
    pub page: u32,
    pub cases: Vec<u32>,
}

/// The registry's numbers in the codes of a document: as identifiers, and as what they name.
pub(super) fn read(reading: &Reading, index: &Index) -> (Vec<PrintedId>, Vec<Coded>) {
    let (mut ids, mut coded) = (Vec::new(), Vec::new());
    for page in &reading.pages {
        for folded in numbers(page) {
            let cases: Vec<u32> = index
                .cases_with_id(&folded)
                .filter(|case| index.holds(*case, &folded))
                .collect::<BTreeSet<_>>()
                .into_iter()
                .collect();
            if cases.is_empty() {
                continue;
            }
            ids.push(PrintedId {
                merged: merge(&folded),
                folded,
                label: Label::None,
                page: page.number,
                confidence: 1.0,
                place: CODE_PLACES + ids.len(),
                owner: Owner::Unclear,
                coded: true,
            });
            coded.push(Coded { page: page.number, cases });
        }
    }
    (ids, coded)
}

/// What could be a number in the codes of a page, each once: the parts of `case_id=UM01;auth_number=2`, whole and at their
/// hyphens.
fn numbers(page: &Page) -> BTreeSet<String> {
    let mut numbers = BTreeSet::new();
    for code in &page.codes {
        let parts = code.text.split(|letter: char| !(letter.is_alphanumeric() || matches!(letter, '-' | '.' | '_')));
        let pieces = parts.clone().flat_map(|part| part.split(['-', '.', '_']));
        let folded = parts.chain(pieces).take(NUMBERS).map(names::fold);
        numbers.extend(folded.filter(|number| number.bytes().any(|byte| byte.is_ascii_digit())));
    }
    numbers
}
