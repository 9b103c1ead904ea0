//! What is printed on a page, made comparable: tokens, identifiers, dates and sexes, each with its place and with
//! what its label says it is.
//!
//! Knows no registry and no layout. A label is what stands left of the value on its line, else right above it; a
//! value without one keeps `Label::None`, which is the ordinary case on a bad fax.

use std::cell::OnceCell;

use jiff::civil::Date;

use super::index::{member_base, merge};
use super::names::{self, Sex};
use crate::document::{Bounds, Page};

/// What the words beside a value say it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Label {
    None,
    CaseId,
    Auth,
    Mrn,
    Member,
    /// Telephone, fax, account, provider or billing numbers: never a baby's.
    OtherNumber,
    BirthDate,
    /// The mother's or the subscriber's.
    ParentsBirthDate,
    AdmitDate,
    OtherDate,
    Sex,
    Parent,
    Patient,
    /// Attending, reviewer, contact, …: a person who is no patient.
    Staff,
}

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
    fn has_digit(&self) -> bool {
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
    /// A word for a multiple birth stands there (`twin`, `multiple gestation`).
    pub multiples: bool,
}

impl PrintedPage {
    pub fn read(page: &Page) -> Self {
        let tokens = tokenise(page);
        let mut printed = Self { number: page.number, ..Self::default() };
        for at in 0..tokens.len() {
            let Some(token) = tokens.get(at) else { continue };
            printed.multiples |= matches!(
                token.folded.as_str(),
                "TWIN" | "TWINS" | "TRIPLET" | "TRIPLETS" | "MULTIPLES" | "TWINA" | "TWINB" | "DIDI" | "MODI" | "MOMO"
            ) || (token.folded == "MULTIPLE"
                && matches!(tokens.get(at + 1), Some(next) if matches!(next.folded.as_str(), "GESTATION" | "BIRTH")));
            let dates = dates_at(&tokens, at);
            if !dates.is_empty() {
                let label = date_label(&tokens, at);
                printed.dates.extend(dates.into_iter().map(|date| PrintedDate { date, label, page: page.number }));
            } else if token.has_digit() {
                let label = label_of(&tokens, at, number_word, Between::Nothing);
                for folded in identifiers_at(&tokens, at) {
                    printed.ids.push(PrintedId {
                        merged: merge(&folded),
                        folded,
                        label,
                        page: page.number,
                        confidence: token.confidence,
                        place: at,
                    });
                }
            }
            if let Some(sex) = Sex::read(&token.folded)
                && label_of(
                    &tokens,
                    at,
                    |word| (word == "SEX" || word == "GENDER").then_some(Label::Sex),
                    Between::Nothing,
                ) == Label::Sex
            {
                printed.sexes.push(sex);
            }
        }
        printed.tokens = tokens;
        printed
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

fn tokenise(page: &Page) -> Vec<Token> {
    let mut tokens: Vec<Token> = Vec::with_capacity(page.words.len());
    for word in &page.words {
        for (part, separator) in parts(&word.text) {
            let folded = names::fold(part);
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

/// The meaning of one label word; `Some(Label::None)` for words that carry none (`No`, `#`, `date of`).
type Vocabulary = fn(&str) -> Option<Label>;

fn number_word(word: &str) -> Option<Label> {
    Some(match word {
        "MRN" | "MR" | "MRNO" | "MEDREC" | "RECORD" | "REC" | "UNIT" | "CHART" | "HRN" | "PATIENTID" | "EMPI" => {
            Label::Mrn
        }
        "AUTH" | "AUTHORIZATION" | "AUTHCERT" | "AUTHREF" | "AUTHNO" | "CERT" | "CERTIFICATION" | "PRECERT"
        | "REFERENCE" | "TRACKING" => Label::Auth,
        "MEMBER" | "MBR" | "SUBSCRIBER" | "POLICY" | "INSURANCE" | "INS" | "INSURED" | "ENROLLEE" | "BENEFICIARY"
        | "MEDICAID" | "MEMBERID" | "PLANID" | "CERTIFICATE" => Label::Member,
        "CASE" | "CASEID" | "CASENO" => Label::CaseId,
        "TEL" | "TELEPHONE" | "PHONE" | "PH" | "FAX" | "EXT" | "PAGER" | "CELL" | "CALL" | "NPI" | "TIN" | "TAX"
        | "CPT" | "HCPCS" | "ICD" | "GROUP" | "GRP" | "ACCT" | "ACCOUNT" | "VISIT" | "CSN" | "HAR" | "ENCOUNTER"
        | "ZIP" | "LICENSE" | "DEA" | "ROOM" | "BED" | "PAGE" | "PAGES" | "PG" => Label::OtherNumber,
        "NO" | "NUM" | "NUMBER" | "ID" | "IS" | "MEDICAL" | "MED" | "HOSPITAL" | "HOSP" | "NBR" => Label::None,
        _ => return None,
    })
}

fn date_word(word: &str) -> Option<Label> {
    Some(match word {
        "DOB" | "BIRTH" | "BORN" | "BIRTHDATE" | "BIRTHDAY" | "BDATE" | "DOBIRTH" => Label::BirthDate,
        "ADM" | "ADMIT" | "ADMITTED" | "ADMISSION" => Label::AdmitDate,
        "REVIEW" | "SERVICE" | "DISCHARGE" | "DISCHARGED" | "DC" | "SIGNED" | "PRINTED" | "RUN" | "START" | "END"
        | "TRANSFER" | "THROUGH" | "THRU" | "FROM" | "TO" | "DUE" | "NOTE" | "FAX" | "ENCOUNTER" | "REQUEST"
        | "LMP" | "EDD" | "EDC" | "VISIT" | "ON" => Label::OtherDate,
        "DATE" | "OF" | "AND" | "TIME" | "THE" => Label::None,
        _ if is_misread_dob(word) => Label::BirthDate,
        _ => return None,
    })
}

/// `DOB` as poor faxes make it: `pos`, `poe`, `00B`. Not `DOS`, which is a date of service.
fn is_misread_dob(word: &str) -> bool {
    match word.as_bytes() {
        [first, b'O' | b'0', last] => b"DP0OB".contains(first) && b"BSEP8".contains(last) && word != "DOS",
        _ => false,
    }
}

fn person_word(word: &str) -> Option<Label> {
    Some(match word {
        "MOTHER" | "MOTHERS" | "MOM" | "MOMS" | "MOB" | "MATERNAL" | "PARENT" | "PARENTS" | "SUBSCRIBER"
        | "INSURED" | "GUARDIAN" | "FATHER" | "FOB" => Label::Parent,
        "PATIENT" | "PATIENTS" | "PT" | "PTJ" | "INFANT" | "INFANTS" | "NEWBORN" | "BABY" | "BABYS" | "MEMBER"
        | "RE" | "CHILD" | "NEONATE" => Label::Patient,
        "ATTENDING" | "ATTEND" | "DR" | "MD" | "RN" | "PROVIDER" | "PHYSICIAN" | "REVIEWER" | "CONTACT" | "BY"
        | "NURSE" | "FROM" | "ATTN" | "ORDERING" | "NEONATOLOGIST" | "SIGNATURE" | "MANAGER" | "COORDINATOR" => {
            Label::Staff
        }
        "NAME" | "LAST" | "FIRST" | "FULL" | "THE" => Label::None,
        _ => return None,
    })
}

fn parent_word(word: &str) -> bool {
    person_word(word) == Some(Label::Parent)
}

fn date_label(tokens: &[Token], at: usize) -> Label {
    let label = label_of(tokens, at, date_word, Between::Nothing);
    let of_parent = label == Label::BirthDate
        && label_of(tokens, at, |word| parent_word(word).then_some(Label::Parent), Between::Words) == Label::Parent;
    if of_parent { Label::ParentsBirthDate } else { label }
}

/// How far apart, in reading order, the words of one ruled line may come; bounds the work on a crowded page.
const COLUMN_WORDS: usize = 200;

/// How many words a label may take.
const LABEL_WORDS: usize = 5;

/// What may stand between a label and its value.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Between {
    /// Words that carry no meaning only: "Case Management 401-555-0100" is no case id.
    Nothing,
    /// Any words, such as the rest of a name.
    Words,
}

fn label_of(tokens: &[Token], at: usize, meaning: Vocabulary, between: Between) -> Label {
    let Some(value) = tokens.get(at) else { return Label::None };
    for before in tokens.iter().take(at).rev().take(LABEL_WORDS) {
        // Another value ends the label's reach: its own label says nothing of this one.
        if before.line != value.line || (before.has_digit() && before.folded.len() > 1) {
            break;
        }
        match meaning(&before.folded) {
            Some(Label::None) => {}
            Some(label) => return label,
            // A label that says nothing here, or that recognition spoiled, is still this value's label.
            None if between == Between::Nothing && before.colon => return Label::None,
            None if between == Between::Nothing && before.folded.len() > 2 => break,
            None => {}
        }
    }
    let label = label_beside(tokens, at, meaning);
    if label == Label::None { label_above(tokens, at, meaning) } else { label }
}

/// The label left of the value when recognition made a line of its own of it, as with columns set far apart.
fn label_beside(tokens: &[Token], at: usize, meaning: Vocabulary) -> Label {
    let Some(value) = tokens.get(at) else { return Label::None };
    let middle = value.bounds.top.saturating_add(value.bounds.height / 2);
    let from = at.saturating_sub(COLUMN_WORDS);
    let beside = tokens.iter().skip(from).take(2 * COLUMN_WORDS).filter(|token| {
        token.line != value.line
            && token.bounds.right() <= value.bounds.left
            && token.bounds.top < middle
            && token.bounds.bottom() > middle
    });
    let mut beside: Vec<&Token> = beside.collect();
    beside.sort_unstable_by_key(|token| std::cmp::Reverse(token.bounds.right()));
    for token in beside.into_iter().take(LABEL_WORDS) {
        match meaning(&token.folded) {
            Some(Label::None) => {}
            Some(label) => return label,
            None => break,
        }
    }
    Label::None
}

/// The label in the nearest line above that reaches over the value, as in forms with ruled boxes.
fn label_above(tokens: &[Token], at: usize, meaning: Vocabulary) -> Label {
    let Some(value) = tokens.get(at) else { return Label::None };
    let (left, right) = (value.bounds.left, value.bounds.right());
    let reach = value.bounds.height.max(12).saturating_mul(3);
    let mut nearest: Option<(u32, Label)> = None;
    for above in tokens.iter().take(at).rev().take(60) {
        let distance = value.bounds.top.saturating_sub(above.bounds.bottom());
        if above.line == value.line || above.bounds.bottom() > value.bounds.top.saturating_add(value.bounds.height / 3)
        {
            continue;
        }
        // The label may start a little left of the value, and be shorter or longer than it.
        let over = above.bounds.left < right
            && above.bounds.right().saturating_add(value.bounds.height.saturating_mul(2)) > left;
        if distance > reach || !over {
            continue;
        }
        if let Some(label) = meaning(&above.folded).filter(|&label| label != Label::None)
            && nearest.is_none_or(|(other, _)| distance < other)
        {
            nearest = Some((distance, label));
        }
    }
    nearest.map_or(Label::None, |(_, label)| label)
}

/// The dates that start at this token; a numeric date that reads two ways (day or month first) gives the American
/// one only, since the senders are American hospitals.
fn dates_at(tokens: &[Token], at: usize) -> Vec<Date> {
    let Some(first) = tokens.get(at) else { return Vec::new() };
    if let Some(date) = numeric_date(&first.raw) {
        return vec![date];
    }
    let following: Vec<&Token> =
        tokens.iter().skip(at).take(3).take_while(|next| next.line.abs_diff(first.line) <= 1).collect();
    if let [one, two, three] = following.as_slice() {
        let (month, day) = match (month(&one.folded), month(&two.folded)) {
            (Some(month), _) => (Some(month), number(&two.folded)),
            (None, Some(month)) => (Some(month), number(&one.folded)),
            (None, None) => (None, None),
        };
        if let (Some(month), Some(day), Some(year)) = (month, day, number(&three.folded))
            && let Some(date) = civil(year, month, day)
        {
            return vec![date];
        }
    }
    // Split by recognition: "12/ 2/2025".
    let mut joined = first.raw.clone();
    for next in following.iter().skip(1) {
        let open = joined.ends_with(['/', '-']) || next.raw.starts_with(['/', '-']);
        if !open || next.line != first.line {
            break;
        }
        joined.push_str(&next.raw);
        if let Some(date) = numeric_date(&joined) {
            return vec![date];
        }
    }
    Vec::new()
}

fn numeric_date(text: &str) -> Option<Date> {
    let text = text.trim_matches(|character: char| !character.is_alphanumeric());
    if !(6..=11).contains(&text.len()) {
        return None;
    }
    let fields: Vec<&str> = text.split(['/', '-', '.']).collect();
    match fields.as_slice() {
        [one, two, three] => match (month(&names::fold(two)), number(one), number(two), number(three)) {
            // 07-FEB-2026
            (Some(month), Some(day), _, Some(year)) if two.len() >= 3 => civil(year, month, day),
            (_, Some(year), Some(month), Some(day)) if one.len() == 4 => civil(year, month, day),
            (_, Some(month), Some(day), Some(year)) if three.len() == 4 || three.len() == 2 => {
                civil(year, month, day).or_else(|| civil(year, day, month))
            }
            _ => None,
        },
        [one] if one.len() == 8 && (one.starts_with("19") || one.starts_with("20")) => {
            civil(number(one.get(..4)?)?, number(one.get(4..6)?)?, number(one.get(6..)?)?)
        }
        _ => None,
    }
}

fn civil(year: i16, month: i16, day: i16) -> Option<Date> {
    // Two-digit years: babies are of this century, and so are nearly all their mothers' papers.
    let year = match year {
        0..=49 => 2000 + year,
        50..=99 => 1900 + year,
        1900..=2099 => year,
        _ => return None,
    };
    Date::new(year, i8::try_from(month).ok()?, i8::try_from(day).ok()?).ok()
}

/// A number of at most four digits, with the letters that recognition puts for digits.
fn number(text: &str) -> Option<i16> {
    let mut digits = String::with_capacity(4);
    for character in text.chars() {
        digits.push(match character {
            'O' | 'o' | 'Q' | 'D' => '0',
            'l' | 'I' | '|' | 'i' => '1',
            'S' | 's' => '5',
            'Z' | 'z' => '2',
            'B' => '8',
            digit if digit.is_ascii_digit() => digit,
            _ => return None,
        });
    }
    (digits.len() <= 4).then(|| digits.parse().ok()).flatten()
}

fn month(folded: &str) -> Option<i16> {
    const MONTHS: [&str; 12] = [
        "JANUARY",
        "FEBRUARY",
        "MARCH",
        "APRIL",
        "MAY",
        "JUNE",
        "JULY",
        "AUGUST",
        "SEPTEMBER",
        "OCTOBER",
        "NOVEMBER",
        "DECEMBER",
    ];
    (folded.len() >= 3)
        .then(|| MONTHS.iter().position(|name| name.starts_with(folded) || folded == "SEPT" && *name == "SEPTEMBER"))?
        .map(|at| at as i16 + 1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::document::{PageSource, Word};

    /// A page from lines of text; each character is 10 by 20 pixels, each line 30.
    fn page(lines: &[&str]) -> PrintedPage {
        let mut words = Vec::new();
        for (line, text) in lines.iter().enumerate() {
            let mut left = 0;
            for word in text.split(' ') {
                let width = word.chars().count() as u32 * 10;
                if !word.is_empty() {
                    words.push(Word {
                        text: word.to_owned(),
                        bounds: Bounds { left, top: line as u32 * 30, width, height: 20 },
                        confidence: 0.95,
                        line: line as u32,
                    });
                }
                left += width + 10;
            }
        }
        PrintedPage::read(&Page {
            number: 1,
            width: 1700,
            height: 2200,
            resolution: 200,
            source: PageSource::Recognised,
            turned: 0,
            flags: Vec::new(),
            words,
        })
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
