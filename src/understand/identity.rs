//! Whom a page is about: the facts on it that tell one baby from another, and whether those of two pages can be one
//! baby's.
//!
//! Errs to the side of one baby: what recognition could have made of one value counts for nothing, a name given in
//! place of `Baby Girl` is no other name, and one number in common outweighs everything that differs. What twins
//! share (birth date, mother, member id) never says that they are one.

use std::collections::BTreeSet;

use jiff::civil::Date;

use super::choose::Candidate;
use super::dates::days_between;
use super::extract::candidates;
use super::labels::Label;
use super::lexicon::Lexicon;
use super::regions::{Labelled, text_of};
use crate::document::{DocumentType, FieldValue};
use crate::names::{self, GivenToken};

/// Values recognised with less than this are too doubtful to tell a difference by.
const READ: f32 = 0.5;
/// A difference of one or two characters counts only between values recognised as well as this.
const READ_WELL: f32 = 0.8;
/// Birth weights farther apart are two babies'; lb and oz round to less (grams).
const SAME_BIRTH_WEIGHT: i64 = 60;
/// Whoever was born longer ago than this, in days, is no baby of the program: its papers are kept for its first year.
const ADULT: i64 = 3 * 366;

/// A number that belongs to one baby, or to one family.
#[derive(Clone, Debug, PartialEq)]
struct Number {
    /// Capital letters and digits only.
    text: String,
    read: f32,
}

/// A person's name, taken apart.
#[derive(Clone, Debug, Default, PartialEq)]
struct Named {
    /// Name tokens that are names, surname first where a comma tells it.
    legal: Vec<String>,
    /// How many of them are the surname's; `None` without a comma.
    surname: Option<usize>,
    /// `Baby Girl`, `BB`, `Jennasgirl`.
    newborn: bool,
    order: Option<u8>,
}

/// A birth date as recognised.
#[derive(Clone, Debug, PartialEq)]
struct Birth {
    date: Date,
    read: f32,
}

/// The facts of one page, or of several that are about one baby.
#[derive(Clone, Debug, Default)]
pub(super) struct Identity {
    names: Vec<Named>,
    mothers: Vec<Named>,
    /// Record, case, authorization and member numbers.
    numbers: [Vec<Number>; 4],
    births: Vec<Birth>,
    birth_weights: Vec<i64>,
    gestations: Vec<String>,
    orders: BTreeSet<u8>,
    /// Every run of letters and digits that holds five digits, wherever it stands.
    printed: BTreeSet<String>,
    /// Every capitalised word.
    words: BTreeSet<String>,
    /// Kinds of labels that head a patient's data.
    labels: BTreeSet<Label>,
    /// The only birth date is that of somebody grown up: a page about the mother, or of another patient altogether.
    pub adult: bool,
}

/// Position of each kind in [`Identity::numbers`]; the member number is the family's.
const NUMBERS: [&str; 4] = ["mrn", "case_id", "auth_number", "member_id"];
/// The first so many of [`NUMBERS`] are one baby's alone.
const OWN_NUMBERS: usize = 3;

/// How far two values of one fact are apart, nearest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Apart {
    Same,
    /// Nothing can be told: one is missing, or recognition may have made both of one.
    Unknown,
    /// As far as twins' are, or as a renamed baby's.
    Little,
    Clearly,
}

/// What speaks for and against two babies.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Difference {
    /// Two for each fact that differs clearly, one for each that differs a little.
    pub points: u32,
    /// How many facts differ.
    pub facts: u32,
    /// How many of them clearly.
    pub clearly: u32,
    /// Name, birth order or birth date is among them; numbers alone change with the hospital, too.
    pub person: bool,
    /// Something that is one baby's alone stands on both.
    pub same: bool,
}

impl Identity {
    pub(super) fn of(page: &Labelled<'_>, lexicon: &Lexicon, received: Date) -> Self {
        let mut identity = Self::default();
        // Of no type in particular: none of these facts depends on it.
        for candidate in candidates(std::slice::from_ref(page), lexicon, received, DocumentType::Other) {
            identity.take(&candidate);
        }
        identity.orders.extend(identity.names.iter().filter_map(|name| name.order));
        for captures in lexicon.starts.birth_order.captures_iter(&page.sheet.text) {
            identity.orders.extend(captures.get(1).and_then(|letter| names::order_mark(&names::fold(letter.as_str()))));
        }
        identity.printed = numbers_of(&page.sheet.text);
        identity.words = words_of(&page.sheet.text);
        identity.labels =
            page.hits.iter().map(|hit| hit.label).filter(|label| HEADING_LABELS.contains(label)).collect();
        identity.adult = identity.births.is_empty() && born_long_ago(page, lexicon, received);
        identity
    }

    fn take(&mut self, candidate: &Candidate) {
        if candidate.read < READ {
            return;
        }
        match &candidate.value {
            FieldValue::Text(text) => {
                let name = || Named::read(text);
                match candidate.field {
                    "patient_name" => self.names.extend(name()),
                    "mother_name" => self.mothers.extend(name()),
                    "gestational_age" => self.gestations.push(text.clone()),
                    field => {
                        let at = NUMBERS.iter().position(|kind| *kind == field);
                        if let Some(numbers) = at.and_then(|at| self.numbers.get_mut(at)) {
                            numbers.push(Number { text: names::fold(text), read: candidate.read });
                        }
                    }
                }
            }
            FieldValue::Date(date) if candidate.field == "dob" => {
                self.births.push(Birth { date: *date, read: candidate.read });
            }
            FieldValue::Number(grams) if candidate.field == "birth_weight_g" => self.birth_weights.push(*grams),
            FieldValue::Date(_) | FieldValue::Number(_) => {}
        }
    }

    /// Takes in the facts of a further page about the same baby.
    pub(super) fn absorb(&mut self, other: &Self) {
        self.names.extend_from_slice(&other.names);
        self.mothers.extend_from_slice(&other.mothers);
        for (numbers, more) in self.numbers.iter_mut().zip(&other.numbers) {
            numbers.extend_from_slice(more);
        }
        self.births.extend_from_slice(&other.births);
        self.birth_weights.extend_from_slice(&other.birth_weights);
        self.gestations.extend_from_slice(&other.gestations);
        self.orders.extend(&other.orders);
        self.printed.extend(other.printed.iter().cloned());
        self.words.extend(other.words.iter().cloned());
        self.labels.extend(&other.labels);
    }

    /// Whether the page has a patient's data at its head, as first pages have: the labels of at least three such facts.
    pub(super) fn heads_a_paper(&self) -> bool {
        self.labels.len() >= 3
    }

    /// Whether anything ties this page to earlier ones: a name or number of theirs stands on it, or the other way round.
    pub(super) fn tied_to(&self, earlier: &Self) -> bool {
        let named = |one: &Self, other: &Self| {
            let mut tokens = one.names.iter().chain(&one.mothers).flat_map(|name| &name.legal);
            tokens.any(|token| token.len() >= 4 && other.words.iter().any(|word| names::alike(token, word)))
        };
        let numbered = |one: &Self, other: &Self| {
            one.numbers.iter().flatten().any(|number| other.printed.iter().any(|run| names::alike(&number.text, run)))
        };
        let born = self.births.iter().any(|birth| earlier.births.iter().any(|other| birth.date == other.date));
        born || named(self, earlier) || named(earlier, self) || numbered(self, earlier) || numbered(earlier, self)
    }

    /// What tells the baby of this page from that of earlier ones.
    pub(super) fn difference(&self, earlier: &Self) -> Difference {
        let mut difference = Difference::default();
        let births = nearest(&earlier.births, &self.births, Birth::apart);
        let ordered = !self.orders.is_empty() && !earlier.orders.is_empty();
        let orders = if ordered && self.orders.is_disjoint(&earlier.orders) { Apart::Little } else { Apart::Unknown };
        let mut name = nearest(&earlier.names, &self.names, Named::apart);
        // `Roe, Baby Boy` and `Doe, Jan`, born on one day: the same baby renamed, unless it is one of several.
        if name == Apart::Little && orders == Apart::Unknown && births == Apart::Same {
            name = Apart::Unknown;
        }
        // `Boy A` and `Emmett B` differ once, not as names and as birth orders.
        let person = [name.max(orders), births];
        difference.person = person.iter().any(|fact| *fact >= Apart::Little);
        let mut facts =
            vec![
                at_most_little(nearest(&earlier.mothers, &self.mothers, Named::apart)),
                nearest(&earlier.birth_weights, &self.birth_weights, |one, other| {
                    if (one - other).abs() > SAME_BIRTH_WEIGHT { Apart::Little } else { Apart::Unknown }
                }),
                nearest(&earlier.gestations, &self.gestations, |one, other| {
                    if one == other { Apart::Unknown } else { Apart::Little }
                }),
            ];
        facts.extend(person);
        for (at, (before, now)) in earlier.numbers.iter().zip(&self.numbers).enumerate() {
            let apart = nearest(before, now, Number::apart);
            difference.same |= at < OWN_NUMBERS
                && (apart == Apart::Same
                    || before.iter().any(|number| self.printed.contains(&number.text))
                    || now.iter().any(|number| earlier.printed.contains(&number.text)));
            facts.push(apart);
        }
        difference.same |= name == Apart::Same;
        for fact in facts {
            let points = match fact {
                Apart::Clearly => 2,
                Apart::Little => 1,
                Apart::Same | Apart::Unknown => 0,
            };
            difference.points += points;
            difference.facts += u32::from(points > 0);
            difference.clearly += u32::from(points > 1);
        }
        difference
    }
}

/// Labels of facts that a paper gives once, at its head.
const HEADING_LABELS: [Label; 10] = [
    Label::PatientName,
    Label::BirthDate,
    Label::RecordNumber,
    Label::MemberId,
    Label::AuthNumber,
    Label::CaseId,
    Label::MotherName,
    Label::AdmitDate,
    Label::GestationalAge,
    Label::BirthWeight,
];

/// How far the two nearest values are apart: a page may name more than one person.
fn nearest<T>(before: &[T], now: &[T], apart: impl Fn(&T, &T) -> Apart) -> Apart {
    before
        .iter()
        .flat_map(|one| now.iter().map(|other| apart(one, other)).collect::<Vec<_>>())
        .min()
        .unwrap_or(Apart::Unknown)
}

fn at_most_little(apart: Apart) -> Apart {
    apart.min(Apart::Little)
}

impl Birth {
    fn apart(&self, other: &Self) -> Apart {
        let digits = |birth: &Self| birth.date.strftime("%Y%m%d").to_string();
        let different = digits(self).chars().zip(digits(other).chars()).filter(|(one, other)| one != other).count();
        match different {
            0 => Apart::Same,
            1 if self.read.min(other.read) < READ_WELL => Apart::Unknown,
            1 => Apart::Little,
            _ => Apart::Clearly,
        }
    }
}

impl Number {
    fn apart(&self, other: &Self) -> Apart {
        if self.text == other.text {
            return Apart::Same;
        }
        let read = self.read.min(other.read);
        match strsim::damerau_levenshtein(&self.text, &other.text) {
            // Part of a number, or a number with what stands beside it.
            _ if self.text.contains(&other.text) || other.text.contains(&self.text) => Apart::Unknown,
            0..=2 if read < READ_WELL || self.text.len() != other.text.len() => Apart::Unknown,
            0..=2 => Apart::Little,
            _ if read < READ_WELL => Apart::Little,
            _ => Apart::Clearly,
        }
    }
}

impl Named {
    /// `None` for a single word: a heading or a cut name as often as a person's.
    fn read(text: &str) -> Option<Self> {
        let mut name = Self::default();
        let mut parts = 0;
        for (part, words) in text.splitn(2, ',').enumerate() {
            for token in names::tokens(words) {
                parts += 1;
                match names::given_token(&token) {
                    GivenToken::Legal if token.len() > 1 => name.legal.push(token),
                    GivenToken::Legal => {}
                    GivenToken::Order(order) => name.order = Some(order),
                    GivenToken::Newborn { order, .. } | GivenToken::MothersChild { order, .. } => {
                        name.newborn = true;
                        name.order = name.order.or(order);
                    }
                }
            }
            if part == 0 && text.contains(',') {
                name.surname = Some(name.legal.len());
            }
        }
        (parts >= 2 && !name.legal.is_empty()).then_some(name)
    }

    fn apart(&self, other: &Self) -> Apart {
        let found = |one: &[String], others: &[String]| {
            one.iter().filter(|token| others.iter().any(|other| alike(token, other))).count()
        };
        let shared = found(&self.legal, &other.legal).min(found(&other.legal, &self.legal));
        let fewer = self.legal.len().min(other.legal.len());
        let ordered = self.order.zip(other.order).is_some_and(|(one, other)| one != other);
        match (self.newborn, other.newborn) {
            (false, false) if fewer >= 2 => {
                if shared >= fewer {
                    return Apart::Same;
                }
                let given =
                    |name: &Self| name.surname.and_then(|surname| name.legal.get(surname..).map(<[String]>::to_vec));
                let differ = match given(self).zip(given(other)) {
                    Some((one, other)) => !one.is_empty() && !other.is_empty() && found(&one, &other) == 0,
                    None => shared == 0 || (shared == 1 && self.legal.len() == 2 && other.legal.len() == 2),
                };
                if differ { Apart::Clearly } else { Apart::Unknown }
            }
            (true, true) if shared == 0 => Apart::Clearly,
            // A baby may have been given its name and the father's surname in between.
            _ if shared == 0 || ordered => Apart::Little,
            _ => Apart::Unknown,
        }
    }
}

/// One name, whatever recognition made of it: half of the letters agree, or one is cut.
fn alike(one: &str, other: &str) -> bool {
    let cut = one.len().min(other.len()) >= 3 && (one.starts_with(other) || other.starts_with(one));
    cut || names::alike(one, other) || strsim::normalized_levenshtein(one, other) >= 0.5
}

/// Runs of letters and digits with at least five digits.
fn numbers_of(text: &str) -> BTreeSet<String> {
    text.split(|character: char| character.is_whitespace() || matches!(character, ':' | '#' | '(' | ')' | ',' | ';'))
        .map(names::fold)
        .filter(|run| run.bytes().filter(u8::is_ascii_digit).count() >= 5)
        .collect()
}

/// Capitalised words, folded.
fn words_of(text: &str) -> BTreeSet<String> {
    text.split(|character: char| !(character.is_alphanumeric() || matches!(character, '\'' | '’')))
        .filter(|word| word.starts_with(char::is_uppercase))
        .map(names::fold)
        .collect()
}

/// A date labelled as birth date that no baby has. Years of two digits are this century's, and may lie ahead.
fn born_long_ago(page: &Labelled<'_>, lexicon: &Lexicon, received: Date) -> bool {
    page.of(Label::BirthDate).any(|hit| {
        page.regions(hit).iter().map(|region| text_of(region.pieces)).any(|text| {
            let date = lexicon.dates.first(&text);
            lexicon.starts.last_century.is_match(&text)
                || date.is_some_and(|found| days_between(found.date, received).abs() > ADULT)
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn apart(one: &str, other: &str) -> Apart {
        Named::read(one).unwrap().apart(&Named::read(other).unwrap())
    }

    #[test]
    fn a_baby_given_its_name_is_no_other_baby() {
        assert_eq!(apart("Okonkwo, Baby Girl", "Okonkwo, Ada"), Apart::Unknown);
        assert_eq!(apart("BB Okonkwo", "Ike Okonkwo"), Apart::Unknown);
        assert_eq!(apart("Okonkwo, Baby Girl", "Larsen, Ada"), Apart::Little);
    }

    #[test]
    fn another_name_is_another_baby_and_a_misread_one_is_not() {
        assert_eq!(apart("Okonkwo, Ada", "Larsen, Nils"), Apart::Clearly);
        assert_eq!(apart("Okonkwo, Ada", "Okonkwo, Ike"), Apart::Clearly);
        assert_eq!(apart("Larsen, Baby Boy", "Okonkwo, Baby Girl"), Apart::Clearly);
        assert_eq!(apart("Okonkwo, Adaeze", "Ckonkwo, Adacze"), Apart::Same);
        assert_eq!(apart("Okonkwo, Ada", "Ada Okonkwo"), Apart::Same);
        assert_eq!(Named::read("Okonkwo"), None);
    }

    #[test]
    fn twins_are_a_letter_apart() {
        assert_eq!(apart("Okonkwo, Boy A", "Okonkwo, Girl B"), Apart::Little);
        assert_eq!(apart("Okonkwo, Baby A", "Okonkwo, Ike B"), Apart::Little);
    }

    #[test]
    fn a_digit_counts_only_between_well_read_numbers() {
        let apart = |one: &str, other: &str, read| {
            let number = |text: &str| Number { text: text.to_owned(), read };
            number(one).apart(&number(other))
        };
        assert_eq!(apart("88104477", "88104478", 0.95), Apart::Little);
        assert_eq!(apart("88104477", "88104478", 0.6), Apart::Unknown);
        assert_eq!(apart("88104477", "8810447", 0.95), Apart::Unknown);
        assert_eq!(apart("88104477", "71930052", 0.95), Apart::Clearly);
        assert_eq!(apart("88104477", "88104477", 0.5), Apart::Same);
    }
}
