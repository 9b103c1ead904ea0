//! What a document is, by weighted rules; every decision is explained by the rules that fired.
//!
//! As a nurse sorts the pile: the title and the sentence that says why it was sent decide, not words that stand in
//! every paper of an infant. Rows of printed choices say nothing but by their crossed box.

use std::collections::BTreeSet;

use unicode_normalization::UnicodeNormalization;
use unicode_normalization::char::is_combining_mark;

use super::labels::near;
use super::layout::Sheet;
use super::rules::{Place, Rule, TypeRules};
use super::values::{Mark, check_box};
use crate::document::{DocumentType, FiredRule};

/// Titles stand in this upper share of a page.
const TITLE_ZONE: f32 = 0.45;
/// A title on a later page may belong to an enclosure.
const LATER_PAGE: f32 = 0.5;
/// Titles in larger letters count for more.
const LARGE: f32 = 1.25;
/// Longer rows are sentences.
const TITLE_WORDS: usize = 11;
/// The pages that tell the purpose: a cover sheet, and what lies behind it.
pub(super) const LEAD_PAGES: usize = 3;
/// Bytes around a match in running text in which `unless` is looked for.
const AROUND: usize = 60;

/// A type with the rules that led to it.
pub(super) struct Verdict {
    pub document_type: DocumentType,
    pub confidence: f32,
    /// Strongest first.
    pub fired: Vec<FiredRule>,
}

/// One stretch of text that rules are applied to.
pub(super) struct Passage {
    place: Place,
    pub(super) text: String,
    page: u32,
    /// What a find here counts, as a share of the rule's points.
    share: f32,
    /// In running text `unless` looks only around the find.
    running: bool,
}

/// Tells the type.
pub(super) fn classify(sheets: &[Sheet], rules: &TypeRules) -> Verdict {
    let passages = passages(sheets, rules);
    let mut fired: Vec<FiredRule> = rules.rules.iter().filter_map(|rule| fire(rule, &passages)).collect();
    fired.sort_by(|a, b| b.points.total_cmp(&a.points));
    let total = |document_type: DocumentType| -> f32 {
        let base = if document_type == DocumentType::Other { rules.floor } else { 0.0 };
        base + fired.iter().filter(|rule| rule.document_type == document_type).map(|rule| rule.points).sum::<f32>()
    };
    let mut best = (DocumentType::Other, total(DocumentType::Other));
    for document_type in DocumentType::ALL {
        let points = total(document_type);
        if points > best.1 {
            best = (document_type, points);
        }
    }
    let weights: f32 = DocumentType::ALL.iter().map(|other| ((total(*other) - best.1) / rules.softness).exp()).sum();
    Verdict { document_type: best.0, confidence: (1.0 / weights).clamp(0.0, 0.99), fired }
}

/// Lower case, without accents, typographic quotes and dashes plain, every blank a single one.
pub(super) fn plain(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    for c in text.nfkd().filter(|c| !is_combining_mark(*c)).flat_map(char::to_lowercase) {
        match c {
            '’' | '‘' | '`' | '´' => plain.push('\''),
            '–' | '—' | '‐' => plain.push('-'),
            c if c.is_whitespace() => {
                if !plain.ends_with(' ') {
                    plain.push(' ');
                }
            }
            c => plain.push(c),
        }
    }
    plain
}

/// In words of letters, digits are misread letters: `PR10R AUTH0RIZATION`.
fn mended(text: &str) -> String {
    text.split(' ')
        .map(|word| {
            let letters = word.chars().filter(char::is_ascii_alphabetic).count();
            let digits = word.chars().filter(char::is_ascii_digit).count();
            if digits == 0 || letters < 2 * digits || letters < 4 {
                return word.to_owned();
            }
            let mend = |c| match c {
                '0' => 'o',
                '1' | '|' => 'i',
                '5' => 's',
                '8' => 'b',
                other => other,
            };
            word.chars().map(mend).collect()
        })
        .collect::<Vec<_>>()
        .join(" ")
}

/// A row of printed choices: at least two boxes, or one that is crossed.
pub(super) fn is_choice_row(sheet: &Sheet, row: usize) -> bool {
    let marks: Vec<Mark> = sheet.row_pieces(row).iter().filter_map(|piece| check_box(&piece.text)).collect();
    marks.len() >= 2 || marks.contains(&Mark::Checked)
}

/// So many types named on one row, or on rows that follow each other, are a form's choices.
const OFFERED_ON_A_ROW: usize = 3;
const OFFERED_ON_ROWS: usize = 4;

/// Rows that offer types to choose among, though no box is legible: "check one: admission, review, transfer, …". Which
/// was chosen can't be told from them, so none of them is a title.
fn rows_of_offered_types(sheet: &Sheet, rules: &TypeRules) -> BTreeSet<usize> {
    let titles: Vec<&Rule> = rules.rules.iter().filter(|rule| rule.place == Place::Title).collect();
    let named = |row: usize| -> BTreeSet<DocumentType> {
        let text = mended(&plain(sheet.row_text(row)));
        let says = |rule: &&&Rule| rule.patterns.iter().any(|pattern| pattern.is_match(&text));
        titles.iter().filter(says).map(|rule| rule.document_type).collect()
    };
    let mut offered = BTreeSet::new();
    let (mut run, mut run_types) = (Vec::new(), BTreeSet::new());
    // One row more than there are ends the last run.
    for row in 0..=sheet.rows.len() {
        let types = if row < sheet.rows.len() { named(row) } else { BTreeSet::new() };
        if types.len() >= OFFERED_ON_A_ROW {
            offered.insert(row);
        }
        if types.is_empty() {
            if run_types.len() >= OFFERED_ON_ROWS {
                offered.extend(run.iter().copied());
            }
            run.clear();
            run_types.clear();
        } else {
            run.push(row);
            run_types.extend(types);
        }
    }
    offered
}

/// The line that the sending fax machine prints: page counts and two numbers, no title.
fn is_sending_line(text: &str) -> bool {
    let digits = text.chars().filter(char::is_ascii_digit).count();
    let signs = text.chars().filter(|c| !c.is_whitespace()).count();
    let of_a_patient = ["dob", "mrn", "birth", "born"].iter().any(|label| text.contains(label));
    digits >= 12 && !of_a_patient && (digits * 3 >= signs || text.contains("from:"))
}

fn passages(sheets: &[Sheet], rules: &TypeRules) -> Vec<Passage> {
    let mut passages = Vec::new();
    for (index, sheet) in sheets.iter().enumerate() {
        let offered = rows_of_offered_types(sheet, rules);
        let mut running = String::new();
        for number in 0..sheet.rows.len() {
            let text = plain(sheet.row_text(number));
            if is_choice_row(sheet, number) {
                passages.extend(checked(sheet, number));
                continue;
            }
            if !is_sending_line(&text) {
                running.push_str(&text);
                // A word parted at the end of a line is one word.
                if running.ends_with('-') && running.chars().rev().nth(1).is_some_and(char::is_alphabetic) {
                    running.pop();
                } else {
                    running.push(' ');
                }
                if !offered.contains(&number) {
                    passages.extend(titles(sheet, number, index));
                }
            }
        }
        let body = |place, share, text: &str| Passage {
            place,
            text: text.to_owned(),
            page: sheet.number,
            share,
            running: true,
        };
        if index < LEAD_PAGES {
            passages.push(body(Place::Lead, 1.0, &running));
        }
        passages.push(body(Place::Body, 1.0, &running));
    }
    passages
}

/// Each cell of a row as a title of its own: a record system prints its page head beside the title.
fn titles(sheet: &Sheet, row: usize, page_index: usize) -> Vec<Passage> {
    let Some((top, height)) = sheet.rows.get(row).map(|row| (row.bounds.top, row.height)) else { return Vec::new() };
    let text = plain(sheet.row_text(row));
    let subject = SUBJECTS.iter().any(|lead| text.starts_with(lead));
    let words = |text: &str| text.split(' ').filter(|word| word.chars().any(char::is_alphabetic)).count();
    if !((top as f32) < TITLE_ZONE * sheet.height as f32 || subject) || words(&text) > TITLE_WORDS {
        return Vec::new();
    }
    // Behind a cover sheet the second page is the first.
    let by_page = if page_index < 2 { 1.0 } else { LATER_PAGE };
    let by_height = if height as f32 >= 1.25 * sheet.usual_height as f32 { LARGE } else { 1.0 };
    let passage = |text: &str, share: f32| Passage {
        place: Place::Title,
        text: mended(text.trim()),
        page: sheet.number,
        share: share * by_page * by_height,
        running: false,
    };
    if subject {
        return vec![passage(&text, 1.0)];
    }
    sheet
        .row_text(row)
        .split('\t')
        .map(plain)
        .filter(|cell| words(cell) > 0)
        .map(|cell| passage(&cell, if is_labelled(&cell) { LABELLED } else { 1.0 }))
        .collect()
}

/// What announces the purpose of a paper.
const SUBJECTS: &[&str] = &[
    "re:",
    "re;",
    "subject",
    "regarding:",
    "purpose:",
    "reason for fax",
    "type of notification",
    "notification type",
    "document type",
    "type of document",
    "form:",
    "report:",
];

/// "D/C planning: learning to feed" is a line of a form, though its words are those of a title.
const LABELLED: f32 = 0.3;

/// A label with a value behind its colon.
fn is_labelled(text: &str) -> bool {
    text.match_indices(':').any(|(at, _)| {
        let before = text.get(..at).unwrap_or("");
        let after = text.get(at + 1..).unwrap_or("");
        before.trim_end().ends_with(|c: char| c.is_alphabetic() || c == ')') && after.chars().any(char::is_alphanumeric)
    })
}

/// What stands behind each crossed box of a row, up to the next box.
pub(super) fn checked(sheet: &Sheet, row: usize) -> Vec<Passage> {
    let pieces = sheet.row_pieces(row);
    let mut found = Vec::new();
    for (at, piece) in pieces.iter().enumerate() {
        if check_box(&piece.text) != Some(Mark::Checked) {
            continue;
        }
        let rest = pieces.get(at + 1..).unwrap_or_default();
        let end = rest.iter().position(|piece| check_box(&piece.text).is_some()).unwrap_or(rest.len());
        let words: Vec<&str> = rest.iter().take(end).map(|piece| piece.text.as_str()).collect();
        found.push(Passage {
            place: Place::Checked,
            text: plain(&words.join(" ")),
            page: sheet.number,
            share: 1.0,
            running: false,
        });
    }
    found
}

fn fire(rule: &Rule, passages: &[Passage]) -> Option<FiredRule> {
    let mut best: Option<(f32, u32)> = None;
    let mut times = 0;
    for passage in passages.iter().filter(|passage| passage.place == rule.place) {
        let finds = finds_in(rule, passage);
        if finds == 0 {
            continue;
        }
        times += finds;
        if best.is_none_or(|(share, _)| passage.share > share) {
            best = Some((passage.share, passage.page));
        }
    }
    let (share, page) = match (rule.absent, best) {
        (false, Some(best)) => best,
        // Nothing at all to read is no absence of something. It is noticed on the first of these pages, which need not
        // be the document's.
        (true, None) if passages.iter().any(|passage| passage.text.len() > 40) => {
            (1.0, passages.iter().map(|passage| passage.page).min()?)
        }
        _ => return None,
    };
    let counted = times.clamp(1, rule.times) as f32;
    Some(FiredRule {
        rule: rule.name.clone(),
        document_type: rule.document_type,
        points: rule.points * share * counted,
        page,
    })
}

fn finds_in(rule: &Rule, passage: &Passage) -> u32 {
    let text = passage.text.as_str();
    let excepted = |start: usize, end: usize| {
        let around = if passage.running { around(text, start, end) } else { text };
        rule.unless.iter().any(|unless| unless.is_match(around))
    };
    let by_pattern = rule
        .patterns
        .iter()
        .flat_map(|pattern| pattern.find_iter(text))
        .filter(|found| !excepted(found.start(), found.end()))
        .count();
    if by_pattern > 0 || rule.phrases.is_empty() {
        return by_pattern as u32;
    }
    let words: Vec<String> =
        text.split([' ', '-', '/', ',', ':']).map(super::layout::fold).filter(|word| !word.is_empty()).collect();
    let by_phrase = rule
        .phrases
        .iter()
        .filter(|phrase| {
            words.windows(phrase.len()).any(|window| window.iter().zip(*phrase).all(|(read, meant)| near(read, meant)))
        })
        .count();
    if by_phrase > 0 && excepted(0, text.len()) { 0 } else { by_phrase as u32 }
}

fn around(text: &str, start: usize, end: usize) -> &str {
    let mut from = start.saturating_sub(AROUND);
    while !text.is_char_boundary(from) {
        from -= 1;
    }
    let mut to = (end + AROUND).min(text.len());
    while !text.is_char_boundary(to) {
        to += 1;
    }
    text.get(from..to).unwrap_or(text)
}
