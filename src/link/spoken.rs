//! Which baby of a multiple birth a page's text speaks of, names, labels and numbers apart: "Baby B remains on CPAP".
//!
//! A page under one twin's name whose text is about the other was sent under the wrong name, or copied from the
//! other's chart; one about "twins A and B" is about both. A person decides on either. Words that say "twin" or
//! "sibling" are no such speech: papers of one twin do mention the other.

use super::printed::PrintedPage;
use super::siblings::{KnownName, is_multiple};
use crate::names::{self, GivenToken};

/// What the text of a page speaks of.
#[derive(Debug, Default)]
pub(super) struct Spoken {
    /// The birth order of each baby spoken of, as often as it is.
    pub orders: Vec<u8>,
    /// It is headed as being about several babies of the family: "twins (A and B)", "Baby Boy A / B".
    pub together: bool,
}

/// More are a hostile page's.
const MOST: usize = 200;

/// Tokens before a name or two letters in which a label stands, or the babies that they are of.
const BEFORE: usize = 3;

pub(super) fn spoken_of(page: &PrintedPage, known: KnownName) -> Spoken {
    let mut spoken = Spoken::default();
    for at in 0..page.tokens.len() {
        spoken.together |= names_several(page, at, known);
        if spoken.orders.len() < MOST
            && let Some(order) = named_in_text(page, at, known)
        {
            spoken.orders.push(order);
        }
    }
    spoken
}

/// The birth order of the baby that the token begins to name in running text: `Baby B`, `Infant Boy A`.
fn named_in_text(page: &PrintedPage, at: usize, known: KnownName) -> Option<u8> {
    let token = page.tokens.get(at)?;
    let is_newborn = |folded: &str| matches!(names::given_token(folded), GivenToken::Newborn { .. });
    if !is_newborn(&token.folded) || is_multiple(&token.folded) {
        return None;
    }
    // "Baby Boy B" is told by its last word.
    let next = page.tokens.get(at + 1).filter(|next| next.line == token.line)?;
    if is_newborn(&next.folded) || !is_letter(&next.folded) || is_blood_type(page, at + 2) {
        return None;
    }
    let named = |place: Option<usize>| {
        let beside = place.and_then(|place| page.tokens.get(place)).filter(|beside| beside.line == token.line);
        beside.is_some_and(|beside| known(&beside.folded) && !is_newborn(&beside.folded))
    };
    // Beside the surname it is a name, and judged as such.
    let words =
        (0..at).rev().take_while(|&place| page.tokens.get(place).is_some_and(|token| is_newborn(&token.folded)));
    let first = at - words.count();
    let labelled = (first.saturating_sub(BEFORE)..first).any(|place| {
        page.tokens.get(place).is_some_and(|label| label.line == token.line && label.colon) && page.names_role(place)
    });
    let is_name = labelled || named(first.checked_sub(1)) || named(Some(at + 2));
    if is_name || page.is_certainly_siblings(at) {
        return None;
    }
    names::order_mark(&next.folded)
}

/// "Twins (A and B)", "Boy A / B", "A & B" behind the surname, or the surname beside "twins".
fn names_several(page: &PrintedPage, at: usize, known: KnownName) -> bool {
    let Some(token) = page.tokens.get(at) else { return false };
    let on_line = |place: usize| page.tokens.get(place).filter(|other| other.line == token.line);
    if matches!(token.folded.as_str(), "TWINS" | "TRIPLETS" | "QUADRUPLETS" | "MULTIPLES") {
        let before = at.checked_sub(1).and_then(on_line);
        return before.is_some_and(|before| known(&before.folded) && before.capital);
    }
    let joined = token.raw.split(['/', '&', '+', '-']).map(names::fold).collect::<Vec<_>>();
    let letters = match joined.as_slice() {
        [one, other] if is_letter(one) && is_letter(other) => one != other,
        _ if is_letter(&token.folded) => {
            let next = on_line(at + 1);
            let and = next.is_some_and(|next| next.folded == "AND");
            let other = if and { on_line(at + 2) } else { next };
            other.is_some_and(|other| is_letter(&other.folded) && other.folded > token.folded)
        }
        _ => false,
    };
    letters
        && (at.saturating_sub(BEFORE)..at).filter_map(on_line).any(|before| {
            matches!(names::given_token(&before.folded), GivenToken::Newborn { .. })
                || matches!(before.folded.as_str(), "TWINS" | "TRIPLETS" | "BABIES" | "INFANTS" | "BOYS" | "GIRLS")
                || known(&before.folded) && before.comma
        })
}

/// A digit may count days, and `A` may be an article only in small letters.
fn is_letter(folded: &str) -> bool {
    matches!(folded, "A" | "B" | "C" | "D")
}

/// "Infant A positive, mother O positive".
fn is_blood_type(page: &PrintedPage, at: usize) -> bool {
    page.tokens
        .get(at)
        .is_some_and(|next| matches!(next.folded.as_str(), "POSITIVE" | "NEGATIVE" | "POS" | "NEG" | "RH"))
}
