//! Whose a printed mark is: the patient's, or that of another baby of the family.
//!
//! A page about one twin often names the other: "Sibling MRN: …", "Twin B (MRN …) remains intubated". Such a number
//! is never evidence for the case that has it. And a number that stands alone in running text, or behind a label
//! that is not known, is not proven to be the patient's; siblings are not told apart by it.
//!
//! Errs towards the sibling: a mark wrongly taken from the patient costs a person a minute.

use super::labels::{Label, date_word, number_word, person_word};
use super::printed::Token;
use crate::names::{self, GivenToken};

/// Whose a mark is, surest of the patient first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Owner {
    /// Behind a label of its own, or on the row of the patient's name.
    Patient,
    /// In running text, or behind words that are no known label.
    Unclear,
    /// Beside "Twin B": mostly the sibling, but a twin may be registered by that name.
    Twin,
    /// Beside a word for another baby of the family.
    Sibling,
}

/// A word for another baby of the family, by its token.
#[derive(Clone, Copy, Debug)]
pub(super) struct SiblingWord {
    at: usize,
    /// It cannot be a part of the patient's own name.
    certain: bool,
}

/// Tells whether a folded word is a part of a name in the registry.
pub(super) type KnownName<'a> = &'a dyn Fn(&str) -> bool;

/// More of them on a page are no text about a family; bounds the work on a hostile page.
const WORDS_KEPT: usize = 64;

/// A row, a sentence or a heading reaches no further than this many tokens.
const REACH: usize = 40;

/// Lines under a heading that still belong to it.
const HEADED_LINES: u32 = 8;

/// Words of a language's family for a child of the same mother.
fn is_sibling(part: &str) -> bool {
    const SHORT: [&str; 5] = ["SIB", "SIBS", "BRO", "COTWIN", "COTWINS"];
    const LONG: [&str; 9] =
        ["SIBLING", "SIBLINGS", "BROTHER", "SISTER", "HERMANO", "HERMANA", "HERMANITO", "HERMANITA", "COTRIPLET"];
    SHORT.contains(&part) || (5..=10).contains(&part.len()) && LONG.iter().any(|word| names::alike(word, part))
}

/// A multiple, by a word that may also stand in a stand-in name (`Twin B`).
pub(super) fn is_multiple(part: &str) -> bool {
    let body = ["TWIN", "TRIPLET", "QUADRUPLET", "QUAD", "GEMELO", "GEMELA", "MELLIZO", "MELLIZA"]
        .into_iter()
        .find_map(|word| part.strip_prefix(word));
    body.is_some_and(|rest| rest.is_empty() || names::order_mark(rest).is_some())
}

fn is_baby(folded: &str) -> bool {
    let one = folded.strip_suffix('S').unwrap_or(folded);
    matches!(one, "BABY" | "INFANT" | "NEWBORN" | "CHILD" | "NEONATE" | "BOY" | "GIRL" | "MULTIPLE" | "ONE" | "PATIENT")
        || is_multiple(one)
}

/// All words on the page that name another baby of the family.
pub(super) fn sibling_words(tokens: &[Token], known: KnownName) -> Vec<SiblingWord> {
    let mut words = Vec::new();
    for (at, token) in tokens.iter().enumerate() {
        if token.folded.len() < 3 || token.folded.len() > 24 || words.len() >= WORDS_KEPT {
            continue;
        }
        let next = tokens.get(at + 1).filter(|next| next.line == token.line);
        let other = matches!(token.folded.as_str(), "OTHER" | "SECOND" | "ANOTHER")
            && next.is_some_and(|next| is_baby(&next.folded));
        let mut certain = other;
        let mut multiple = false;
        // "Co-twin", "twin/sibling", "Twin's"; "twins" alone says nothing of which.
        for part in token.raw.split(|mark: char| !mark.is_alphanumeric() && !matches!(mark, '\'' | '’')) {
            let possessive = part.strip_suffix("'s").or(part.strip_suffix("’s")).unwrap_or(part);
            let folded = names::fold(possessive);
            certain |= is_sibling(&folded);
            multiple |= is_multiple(&folded);
        }
        if multiple && !certain {
            let describes = next.is_some_and(|next| {
                matches!(
                    next.folded.as_str(),
                    "GESTATION" | "GESTATIONS" | "PREGNANCY" | "DELIVERY" | "TRANSFUSION" | "YES" | "Y" | "NONE" | "NA"
                )
            });
            if describes || token.folded.starts_with("TWINTWIN") || is_own_name(tokens, at, known) {
                continue;
            }
            let ordered = next.is_some_and(|next| names::order_mark(&next.folded).is_some())
                || matches!(names::given_token(&token.folded), GivenToken::Newborn { order: Some(_), .. });
            let co = at.checked_sub(1).and_then(|before| tokens.get(before)).is_some_and(|before| {
                before.line == token.line && matches!(before.folded.as_str(), "CO" | "OTHER" | "SECOND" | "ANOTHER")
            });
            certain = !ordered || co || token.folded.starts_with("CO");
        }
        if certain || multiple {
            words.push(SiblingWord { at, certain });
        }
    }
    words
}

/// Whether `Twin B` is a part of the patient's name or tells his birth order: "Patient: Okonjo, Twin B",
/// "Birth order: Twin B".
fn is_own_name(tokens: &[Token], at: usize, known: KnownName) -> bool {
    let Some(word) = tokens.get(at) else { return false };
    for before in tokens.iter().take(at).rev().take(6) {
        if before.line != word.line || !before.capital && !before.colon {
            return false;
        }
        if before.colon {
            // Nothing may follow: "Multiple gestation: Twin B (MRN …)" tells of the other.
            let last = cell(tokens, at)
                .last()
                .is_some_and(|last| last.bounds.left <= word.bounds.right().saturating_add(word.bounds.width));
            let order = last && matches!(before.folded.as_str(), "ORDER" | "PLURALITY" | "MULTIPLE" | "GESTATION");
            return order || before.folded == "NAME" || person_word(&before.folded) == Some(Label::Patient);
        }
        if is_sibling(&before.folded) {
            return false;
        }
        if before.comma {
            return known(&before.folded);
        }
    }
    false
}

/// The birth order that ends at this token, where a label says that it is the patient's: "Birth order: Twin B",
/// "Multiple: B".
pub(super) fn labelled_order(tokens: &[Token], at: usize) -> Option<u8> {
    let token = tokens.get(at)?;
    let order = names::order_mark(&token.folded).or_else(|| match names::given_token(&token.folded) {
        GivenToken::Newborn { order, .. } => order,
        GivenToken::MothersChild { .. } | GivenToken::Order(_) | GivenToken::Legal => None,
    })?;
    let mut before = tokens.iter().take(at).rev().take_while(|before| before.line == token.line);
    let label = before.find(|before| !is_multiple(&before.folded) && !is_baby(&before.folded) || before.colon)?;
    let is_label = label.colon && matches!(label.folded.as_str(), "ORDER" | "PLURALITY" | "MULTIPLE");
    // "Multiple: Twin B (MRN …)" tells of the other.
    let last = cell(tokens, at).last().is_some_and(|last| last.bounds.left <= token.bounds.left);
    (is_label && last).then_some(order)
}

/// Whose the value at this token is; `label` is what its label says it is.
pub(super) fn owner(tokens: &[Token], words: &[SiblingWord], at: usize, label: Label, known: KnownName) -> Owner {
    let claimed = claim(tokens, words, at);
    if claimed > Owner::Unclear {
        return claimed;
    }
    let numbered = matches!(label, Label::CaseId | Label::Auth | Label::Mrn | Label::Member);
    if is_prose(tokens, at) {
        return if numbered && follows_name(tokens, at, known) { Owner::Patient } else { Owner::Unclear };
    }
    if numbered && is_labelled_clearly(tokens, at, known) || label == Label::None && on_patients_row(tokens, at) {
        Owner::Patient
    } else {
        Owner::Unclear
    }
}

/// Whether a word for another baby claims what stands at this token: [`Owner::Twin`] or [`Owner::Sibling`], else
/// [`Owner::Unclear`].
pub(super) fn claim(tokens: &[Token], words: &[SiblingWord], at: usize) -> Owner {
    let mut claimed = Owner::Unclear;
    for &word in words {
        let by = if word.certain { Owner::Sibling } else { Owner::Twin };
        if by > claimed && claims(tokens, word.at, at) {
            claimed = by;
        }
    }
    claimed
}

fn claims(tokens: &[Token], word: usize, at: usize) -> bool {
    let (Some(sibling), Some(value)) = (tokens.get(word), tokens.get(at)) else { return false };
    let middle = value.bounds.top.saturating_add(value.bounds.height / 2);
    let same_row = sibling.bounds.top < middle && sibling.bounds.bottom() > middle;
    if sibling.line == value.line || same_row {
        return if sibling.bounds.left <= value.bounds.left {
            !patient_between(tokens, word, at)
        } else {
            // A row's first words rule all of it, its last ones only their own cell.
            sibling.line == value.line && !wide_gap_between(tokens, at, word)
        };
    }
    if sibling.bounds.top > value.bounds.top {
        // "MRN … belongs to / his twin": the sentence goes on in the next line.
        return word.abs_diff(at) <= REACH
            && sibling.line == value.line + 1
            && !sentence_ends(tokens, at, word)
            && starts_small(tokens, sibling.line, word);
    }
    wraps(tokens, word, at) || heads(tokens, word, at)
}

/// "Twin: Baby Boy B  Patient MRN: …": the nearer word counts.
fn patient_between(tokens: &[Token], word: usize, at: usize) -> bool {
    let from = word.saturating_add(2);
    at.abs_diff(word) <= REACH
        && tokens.iter().enumerate().skip(from).take(at.saturating_sub(from)).any(|(place, token)| {
            let label = token.colon
                || tokens
                    .get(place + 1)
                    .is_some_and(|next| number_word(&next.folded).is_some_and(|next| next != Label::OtherNumber));
            label && matches!(token.folded.as_str(), "PATIENT" | "PATIENTS" | "PT" | "PTS")
        })
}

fn wide_gap_between(tokens: &[Token], from: usize, to: usize) -> bool {
    to.abs_diff(from) > REACH
        || tokens
            .iter()
            .skip(from)
            .zip(tokens.iter().skip(from + 1))
            .take(to.saturating_sub(from))
            .any(|(left, right)| is_wide_gap(left, right))
}

fn is_wide_gap(left: &Token, right: &Token) -> bool {
    right.bounds.left.saturating_sub(left.bounds.right()) > left.bounds.height.max(12).saturating_mul(2)
}

/// A full stop behind a word; initials and numbers have one too.
fn ends_sentence(token: &Token) -> bool {
    token.raw.ends_with(['.', '!', '?']) && token.folded.len() > 3 && !token.has_digit()
}

fn sentence_ends(tokens: &[Token], from: usize, to: usize) -> bool {
    tokens.iter().skip(from).take(to.saturating_sub(from)).any(ends_sentence)
}

fn starts_small(tokens: &[Token], line: u32, before: usize) -> bool {
    let words = tokens.iter().take(before + 1).rev().take(REACH).take_while(|token| token.line == line);
    words.last().is_some_and(|first| !first.capital)
}

/// The sentence about the sibling goes on in the value's line.
fn wraps(tokens: &[Token], word: usize, at: usize) -> bool {
    let (Some(sibling), Some(value)) = (tokens.get(word), tokens.get(at)) else { return false };
    sibling.line + 1 == value.line
        && at.abs_diff(word) <= REACH
        && !sentence_ends(tokens, word, at)
        && is_prose(tokens, word)
}

/// A heading that names the sibling stands over the value, with nothing between that ends its section.
fn heads(tokens: &[Token], word: usize, at: usize) -> bool {
    let (Some(sibling), Some(value)) = (tokens.get(word), tokens.get(at)) else { return false };
    if value.line.abs_diff(sibling.line) > HEADED_LINES || at <= word || at - word > 4 * REACH {
        return false;
    }
    let cell = cell(tokens, word);
    let Some((first, last)) = cell.first().zip(cell.last()) else { return false };
    let labelled = cell.iter().zip(cell.iter().skip(1)).any(|(token, _)| token.colon);
    if cell.len() > 6
        || labelled
        || ends_sentence(last)
        || cell.iter().any(|token| token.has_digit() && token.folded.len() > 2)
    {
        return false;
    }
    // A heading at the margin rules the width of the page; a column's only what stands under it.
    let alone = !tokens.iter().skip(word.saturating_sub(REACH)).take(2 * REACH).any(|token| {
        token.line == first.line
            && (token.bounds.right() < first.bounds.left || token.bounds.left > last.bounds.right())
    });
    let slack = value.bounds.height.saturating_mul(2);
    let under = value.bounds.left <= last.bounds.right().saturating_add(slack)
        && value.bounds.right().saturating_add(slack) >= first.bounds.left;
    if !(alone || under) {
        return false;
    }
    let mut bottom = sibling.bounds.bottom();
    let mut line = sibling.line;
    for token in tokens.iter().take(at + 1).skip(word + 1) {
        if token.line != line {
            if token.bounds.top > bottom.saturating_add(sibling.bounds.height.max(12).saturating_mul(3)) {
                return false;
            }
            line = token.line;
        }
        bottom = bottom.max(token.bounds.bottom());
        if line != sibling.line && matches!(token.folded.as_str(), "PATIENT" | "PATIENTS" | "PT" | "PTS" | "RE") {
            return false;
        }
    }
    true
}

/// The run of tokens around this one on its line that no wide gap parts.
fn cell(tokens: &[Token], at: usize) -> Vec<&Token> {
    let Some(middle) = tokens.get(at) else { return Vec::new() };
    let mut run = vec![middle];
    for token in tokens.iter().take(at).rev().take(REACH) {
        if token.line != middle.line || run.last().is_some_and(|right| is_wide_gap(token, right)) {
            break;
        }
        run.push(token);
    }
    run.reverse();
    for token in tokens.iter().skip(at + 1).take(REACH) {
        if token.line != middle.line || run.last().is_some_and(|left| is_wide_gap(left, token)) {
            break;
        }
        run.push(token);
    }
    run
}

/// The value's own sentence names a baby before it, and nobody else: "about Ackhe, Baby Girl (MRN 03124867, …".
fn follows_name(tokens: &[Token], at: usize, known: KnownName) -> bool {
    let Some(value) = tokens.get(at) else { return false };
    let mut named = false;
    for (place, token) in tokens.iter().enumerate().take(at).rev().take(REACH) {
        let ends = ends_sentence(token) || token.raw.ends_with('.') && token.has_digit() && token.folded.len() > 3;
        if token.line + 1 < value.line || ends {
            break;
        }
        if matches!(person_word(&token.folded), Some(Label::Parent | Label::Staff)) && token.capital {
            return false;
        }
        let beside =
            [place.checked_sub(1), Some(place + 1)].into_iter().flatten().filter_map(|beside| tokens.get(beside));
        named |= token.capital
            && known(&token.folded)
            && names::given_token(&token.folded) == GivenToken::Legal
            && is_prose(tokens, place)
            && beside.filter(|beside| beside.line == token.line).any(|beside| {
                token.comma
                    || beside.capital
                        && (known(&beside.folded) || is_baby(&beside.folded) || is_stand_in(&beside.folded))
            });
    }
    named
}

fn is_stand_in(folded: &str) -> bool {
    matches!(names::given_token(folded), GivenToken::Newborn { .. } | GivenToken::MothersChild { .. })
}

fn is_label_word(folded: &str) -> bool {
    number_word(folded).is_some() || date_word(folded).is_some() || person_word(folded).is_some()
}

/// Running text: two small words around it that are no label's.
pub(super) fn is_prose(tokens: &[Token], at: usize) -> bool {
    let small = cell(tokens, at).into_iter().filter(|token| {
        !token.capital
            && token.folded.len() >= 2
            && token.folded.bytes().all(|byte| byte.is_ascii_alphabetic())
            && !is_label_word(&token.folded)
    });
    small.take(2).count() == 2
}

/// What stands in front of the label is a value of its own, the patient's name, or nothing: "Baby Girl Okonjo MRN: …",
/// but not "Roommate MRN: …" nor "Baby B MRN: …".
fn is_labelled_clearly(tokens: &[Token], at: usize, known: KnownName) -> bool {
    const NEUTRAL: [&str; 14] = [
        "NICU", "FACILITY", "CURRENT", "CLIENT", "PLAN", "PAYER", "PAYOR", "INITIAL", "HEALTH", "NEONATAL", "OUR",
        "YOUR", "A", "AND",
    ];
    let Some(value) = tokens.get(at) else { return false };
    let (mut named, mut ordered) = (false, false);
    let mut right = value;
    for token in tokens.iter().take(at).rev().take(12) {
        if token.line != value.line || is_wide_gap(token, right) || token.has_digit() && token.folded.len() > 1 {
            break;
        }
        right = token;
        let patient = person_word(&token.folded) == Some(Label::Patient);
        if patient && token.colon || token.comma && known(&token.folded) {
            return true;
        }
        match names::given_token(&token.folded) {
            _ if number_word(&token.folded).is_some() || patient => {}
            GivenToken::Order(_) => ordered = true,
            GivenToken::Newborn { order, .. } => ordered |= order.is_some(),
            GivenToken::MothersChild { .. } => named = true,
            GivenToken::Legal if known(&token.folded) => named = true,
            GivenToken::Legal
                if NEUTRAL.contains(&token.folded.as_str()) || matches!(token.folded.as_str(), "NAME" | "SEX") => {}
            GivenToken::Legal if date_word(&token.folded).is_some_and(|label| label != Label::None) => return true,
            GivenToken::Legal => return false,
        }
    }
    !ordered || named
}

/// A patient's or a birth date's label stands on the value's line.
fn on_patients_row(tokens: &[Token], at: usize) -> bool {
    cell(tokens, at).into_iter().any(|token| {
        date_word(&token.folded) == Some(Label::BirthDate)
            || token.colon && (person_word(&token.folded) == Some(Label::Patient) || token.folded == "NAME")
    })
}
