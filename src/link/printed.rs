//! What is printed on a page, made comparable: tokens, identifiers, dates and sexes, each with its place and with
//! what its label says it is.
//!
//! Knows no registry and no layout. A label is what stands left of the value on its line, else right above it; a
//! value without one keeps `Label::None`, which is the ordinary case on a bad fax.

use std::cell::OnceCell;

use jiff::civil::Date;

use super::dates::{dates_at, mended_date};
use super::index::{member_base, merge};
use super::labels::{Between, Label, date_label, label_of, number_word, person_word};
use super::siblings::{self, KnownName, Owner, SiblingWord, sibling_words};
use super::spoken::{Spoken, spoken_of};
use crate::document::{Bounds, Page};
use crate::names::{self, Sex};

/// A run of letters and digits with its surrounding punctuation taken off.
#[derive(Debug)]
pub(super) struct Token {
    pub folded: String,
    pub raw: String,
    pub line: u32,
    pub bounds: Bounds,
    pub confidence: f32,
    /// A comma follows: `Silva, Isabella`.
    pub comma: bool,
    /// A colon follows: a label.
    pub colon: bool,
    pub capital: bool,
    /// Asked for often, and only where a name of the registry stands.
    person: OnceCell<Label>,
}

impl Token {
    pub fn has_digit(&self) -> bool {
        self.folded.bytes().any(|byte| byte.is_ascii_digit())
    }
}

#[derive(Clone, Debug)]
pub(super) struct PrintedId {
    pub folded: String,
    /// With look-alike characters merged.
    pub merged: String,
    pub label: Label,
    pub page: u32,
    pub confidence: f32,
    /// Readings of one place share this number: the token alone, and joined with its neighbours.
    pub place: usize,
    pub owner: Owner,
    /// It stands in a barcode, not in words.
    pub coded: bool,
}

#[derive(Clone, Debug)]
pub(super) struct PrintedDate {
    pub date: Date,
    pub label: Label,
    pub page: u32,
}

#[derive(Debug, Default)]
pub(super) struct PrintedPage {
    pub number: u32,
    pub tokens: Vec<Token>,
    pub ids: Vec<PrintedId>,
    pub dates: Vec<PrintedDate>,
    pub sexes: Vec<Sex>,
    /// Birth orders that a label says are the patient's: "Birth order: Twin B".
    pub orders: Vec<u8>,
    siblings: Vec<SiblingWord>,
    pub spoken: Spoken,
}

impl PrintedPage {
    pub fn read(page: &Page, known: KnownName) -> Self {
        let tokens = tokenise(page);
        let siblings = sibling_words(&tokens, known);
        let mut printed = Self { number: page.number, ..Self::default() };
        for at in 0..tokens.len() {
            let Some(token) = tokens.get(at) else { continue };
            let mut dates = dates_at(&tokens, at);
            if dates.is_empty()
                && let Some(mended) = mended_date(&token.raw)
                && !matches!(date_label(&tokens, at), Label::None | Label::OtherDate)
            {
                dates.push(mended);
            }
            if !dates.is_empty() {
                let label = match siblings::claim(&tokens, &siblings, at) {
                    Owner::Sibling => Label::OtherDate,
                    Owner::Patient | Owner::Unclear | Owner::Twin => date_label(&tokens, at),
                };
                printed.dates.extend(dates.into_iter().map(|date| PrintedDate { date, label, page: page.number }));
            } else if token.has_digit() {
                let mut label = label_of(&tokens, at, number_word, Between::Nothing);
                if label == Label::None && is_hospitals_number(&tokens, at) {
                    label = Label::Mrn;
                }
                let owner = siblings::owner(&tokens, &siblings, at, label, known);
                for folded in identifiers_at(&tokens, at) {
                    printed.ids.push(PrintedId {
                        merged: merge(&folded),
                        folded,
                        label,
                        page: page.number,
                        confidence: token.confidence,
                        place: at,
                        owner,
                        coded: false,
                    });
                }
            }
            printed.orders.extend(siblings::labelled_order(&tokens, at));
            if let Some(sex) = Sex::read(&token.folded)
                && label_of(
                    &tokens,
                    at,
                    |word| (word == "SEX" || word == "GENDER").then_some(Label::Sex),
                    Between::Nothing,
                ) == Label::Sex
                && siblings::claim(&tokens, &siblings, at) <= Owner::Unclear
            {
                printed.sexes.push(sex);
            }
        }
        printed.doubt_rival_numbers(&tokens);
        printed.tokens = tokens;
        printed.siblings = siblings;
        printed.spoken = spoken_of(&printed, known);
        printed
    }

    /// Where running text gives two numbers of one kind, nobody knows which is the patient's.
    fn doubt_rival_numbers(&mut self, tokens: &[Token]) {
        let of_kind: Vec<(Label, usize, String)> = self
            .ids
            .iter()
            .filter(|id| id.owner <= Owner::Unclear && !matches!(id.label, Label::None | Label::OtherNumber))
            .map(|id| (id.label, id.place, id.merged.clone()))
            .collect();
        for id in self.ids.iter_mut().filter(|id| id.owner == Owner::Patient && siblings::is_prose(tokens, id.place)) {
            let another = |(label, place, merged): &(Label, usize, String)| {
                *label == id.label && *place != id.place && !merged.contains(&id.merged) && !id.merged.contains(merged)
            };
            if of_kind.iter().any(another) {
                id.owner = Owner::Unclear;
            }
        }
    }

    /// Whether a word for another baby of the family claims what stands at this token.
    pub fn is_siblings(&self, at: usize) -> bool {
        siblings::claim(&self.tokens, &self.siblings, at) > Owner::Unclear
    }

    /// Whether it is called a sibling's in so many words.
    pub fn is_certainly_siblings(&self, at: usize) -> bool {
        siblings::claim(&self.tokens, &self.siblings, at) == Owner::Sibling
    }

    /// Whether a word for another baby of the family stands anywhere on the page.
    pub fn names_sibling(&self) -> bool {
        !self.siblings.is_empty()
    }

    /// Whether the token stands in running text.
    pub fn is_prose(&self, at: usize) -> bool {
        siblings::is_prose(&self.tokens, at)
    }

    /// Whether the token is a word that says whose name follows, and so no name itself.
    pub fn names_role(&self, at: usize) -> bool {
        self.tokens.get(at).is_some_and(|token| person_word(&token.folded).is_some())
    }

    /// Whose name stands at this token, as far as a label says.
    pub fn person(&self, at: usize) -> Label {
        self.tokens.get(at).map_or(Label::None, |token| {
            *token.person.get_or_init(|| label_of(&self.tokens, at, person_word, Between::Words))
        })
    }
}

/// "Hospital #: 73678247": the number that the hospital itself has given.
fn is_hospitals_number(tokens: &[Token], at: usize) -> bool {
    let Some(value) = tokens.get(at) else { return false };
    let mut before = tokens.iter().take(at).rev().take_while(|before| before.line == value.line).take(2);
    match before.next() {
        Some(label) if matches!(label.folded.as_str(), "HOSPITAL" | "HOSP") => label.colon,
        Some(label) if matches!(label.folded.as_str(), "NO" | "NUMBER" | "NUM" | "NBR") => {
            before.next().is_some_and(|label| matches!(label.folded.as_str(), "HOSPITAL" | "HOSP"))
        }
        Some(_) | None => false,
    }
}

fn tokenise(page: &Page) -> Vec<Token> {
    let mut tokens: Vec<Token> = Vec::with_capacity(page.words.len());
    for word in &page.words {
        for (part, separator) in parts(&word.text) {
            // A bar within a word is an l: "Gir|".
            let is_within = part.contains('|') && part.len() > 2;
            let folded = if is_within { names::fold(&part.replace('|', "l")) } else { names::fold(part) };
            if folded.is_empty() {
                if let Some(last) = tokens.last_mut().filter(|last| last.line == word.line) {
                    last.comma |= separator == Some(',');
                    last.colon |= separator == Some(':');
                }
                continue;
            }
            tokens.push(Token {
                capital: part.chars().find(|character| character.is_alphabetic()).is_some_and(char::is_uppercase),
                folded,
                raw: part.to_owned(),
                line: word.line,
                person: OnceCell::new(),
                bounds: word.bounds,
                confidence: word.confidence,
                comma: separator == Some(','),
                // Recognition often makes the colon a semicolon.
                colon: matches!(separator, Some(':' | ';')),
            });
        }
    }
    tokens
}

/// A word's parts at marks that never stand inside a value, each with the mark that ended it.
fn parts(text: &str) -> Vec<(&str, Option<char>)> {
    let mut parts = Vec::new();
    let mut rest = text;
    while let Some((at, mark)) = rest.char_indices().find(|&(_, character)| is_separator(character)) {
        let (before, after) = rest.split_at_checked(at).unwrap_or((rest, ""));
        parts.push((before, Some(mark)));
        rest = after.get(mark.len_utf8()..).unwrap_or_default();
    }
    parts.push((rest, None));
    parts
}

fn is_separator(character: char) -> bool {
    matches!(character, ':' | ',' | ';' | '(' | ')' | '[' | ']' | '{' | '}' | '=' | '#' | '"' | '“' | '”' | '*')
}

/// The token as an identifier, and joined with the next one or two where recognition may have split it.
fn identifiers_at(tokens: &[Token], at: usize) -> Vec<String> {
    let Some(first) = tokens.get(at) else { return Vec::new() };
    let mut found = vec![first.folded.clone()];
    let base = member_base(&first.raw);
    if base != first.folded {
        found.push(base);
    }
    let mut joined = first.folded.clone();
    let mut end = first;
    for next in tokens.iter().skip(at + 1).take(2) {
        let gap = next.bounds.left.saturating_sub(end.bounds.right());
        let number_like = next.has_digit() || next.folded.len() == 1;
        if next.line != end.line || end.comma || gap > first.bounds.height.saturating_mul(3) / 2 || !number_like {
            break;
        }
        joined.push_str(&next.folded);
        found.push(joined.clone());
        end = next;
    }
    // The letters in front may be a token of their own: "MR 509756", "H 8457001".
    if let Some(before) = at.checked_sub(1).and_then(|before| tokens.get(before))
        && before.line == first.line
        && before.folded.len() <= 3
        && !before.has_digit()
        && number_word(&before.folded).is_none()
    {
        found.push(format!("{}{}", before.folded, first.folded));
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::page_of;

    fn page(lines: &[&str]) -> PrintedPage {
        PrintedPage::read(&page_of(1, &lines.join("\n")), &|_| false)
    }

    #[test]
    fn dates_are_read_in_every_usual_form() {
        let expected: Date = "2026-02-07".parse().unwrap();
        for text in [
            "02/07/2026",
            "2/7/26",
            "02-07-2026",
            "2026-02-07",
            "07-FEB-2026",
            "February 7, 2026",
            "7 Feb 2026",
            "20260207",
            "2/ 7/2026",
            "O2/O7/2026",
            "(2/7/26)",
        ] {
            assert_eq!(page(&[text]).dates.first().map(|printed| printed.date), Some(expected), "{text}");
        }
        assert!(page(&["13/45/2026 37/2 900-555-0100"]).dates.is_empty());
    }

    #[test]
    fn a_label_left_of_the_value_says_what_it_is() {
        let printed = page(&["DOB: 2/7/26 MRN: 12345678 Ins ID: R5550001 Tel 6175550100 Mother's DOB 4/5/1990"]);
        let labels: Vec<Label> = printed.dates.iter().map(|date| date.label).collect();
        assert_eq!(labels, [Label::BirthDate, Label::ParentsBirthDate]);
        let label = |id: &str| printed.ids.iter().find(|printed| printed.folded == id).unwrap().label;
        assert_eq!(label("12345678"), Label::Mrn);
        assert_eq!(label("R5550001"), Label::Member);
        assert_eq!(label("6175550100"), Label::OtherNumber);
    }

    #[test]
    fn a_label_above_the_value_says_what_it_is() {
        let printed = page(&["Sex        MRN", "Female     12345678"]);
        assert_eq!(printed.ids.first().unwrap().label, Label::Mrn);
        assert_eq!(printed.sexes, [Sex::Female]);
    }

    #[test]
    fn an_identifier_split_by_recognition_is_joined() {
        let printed = page(&["Unit #: H845 8543"]);
        assert!(printed.ids.iter().any(|id| id.folded == "H8458543" && id.label == Label::Mrn));
    }
}
