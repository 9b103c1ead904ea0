//! Where a transfer goes: to a higher, an equal or a lower level of care.
//!
//! As a nurse tells it: the ticked choice first; else the words of the reason, and the levels that are printed for the
//! sending and the receiving unit, beside each other or one below the other.

use super::classify::{LEAD_PAGES, checked, is_choice_row, plain};
use super::labels::near;
use super::layout::{Piece, Sheet};
use super::rules::{DirectionRule, TypeRules};
use super::values::{check_box, roman_level};
use crate::document::TransferDirection;

/// Where a transfer goes: by the words of its reason, and by the levels of both units where they are printed.
pub(super) fn direction(sheets: &[Sheet], rules: &TypeRules) -> Option<TransferDirection> {
    use TransferDirection::{Higher, Lateral, Lower};
    let mut points = [(Higher, 0.0_f32), (Lateral, 0.0), (Lower, 0.0)];
    let mut give = |direction: TransferDirection, more: f32| {
        if let Some(entry) = points.iter_mut().find(|entry| entry.0 == direction) {
            entry.1 += more;
        }
    };
    let (text, ticked) = told_and_ticked(sheets, rules);
    if ticked.is_some() {
        return ticked;
    }
    for rule in &rules.directions {
        if rule.patterns.iter().any(|pattern| pattern.is_match(&text)) {
            give(rule.direction, rule.points);
        }
    }
    if let Some(direction) = by_levels(sheets) {
        give(direction, LEVEL_POINTS);
    }
    points.sort_by(|a, b| b.1.total_cmp(&a.1));
    let [(direction, most), (_, next), _] = points;
    (most > next).then_some(direction)
}

/// The text of the first pages without rows that offer directions to choose among, and the direction that is ticked.
///
/// Such rows follow each other and name different directions each. What they say holds of the ticked one alone; when
/// no tick can be read, or more than one, they tell nothing.
fn told_and_ticked(sheets: &[Sheet], rules: &TypeRules) -> (String, Option<TransferDirection>) {
    let mut told = String::new();
    let mut ticked = Vec::new();
    for sheet in sheets.iter().take(LEAD_PAGES) {
        let named: Vec<Vec<TransferDirection>> = (0..sheet.rows.len())
            .map(|row| {
                let text = plain(sheet.row_text(row));
                let says = |rule: &&DirectionRule| rule.patterns.iter().any(|pattern| pattern.is_match(&text));
                let mut directions: Vec<TransferDirection> =
                    rules.directions.iter().filter(says).map(|rule| rule.direction).collect();
                directions.dedup();
                directions
            })
            .collect();
        let is_choice = |row: usize| {
            let short = sheet.row_pieces(row).iter().filter(|piece| !piece.fold.is_empty()).count() <= CHOICE_WORDS;
            let several = named.get(row).is_some_and(|here| here.len() > 1);
            let other = |beside: Option<usize>| {
                let beside = beside.and_then(|beside| named.get(beside)).map(Vec::as_slice).unwrap_or_default();
                named.get(row).is_some_and(|here| !here.is_empty() && !beside.is_empty() && here != beside)
            };
            let boxed = is_boxed(sheet, row) || is_choice_row(sheet, row);
            let beside = [row.checked_sub(1), Some(row + 1)];
            // A reason beneath the choices names a direction too; it is a sentence.
            let sentence = sheet.row_text(row).trim_end().ends_with('.');
            let boxed_beside = !sentence && beside.into_iter().flatten().any(|row| is_boxed(sheet, row));
            short && ((several && boxed) || (beside.into_iter().any(other) && (boxed || boxed_beside)))
        };
        for row in 0..sheet.rows.len() {
            if is_choice(row) {
                ticked.extend(checked(sheet, row).into_iter().map(|passage| passage.text));
            } else {
                told.push_str(&plain(sheet.row_text(row)));
                told.push(' ');
            }
        }
    }
    let [only] = ticked.as_slice() else { return (told, None) };
    // The first words of a choice name it; what follows explains.
    let first = |rule: &DirectionRule| {
        rule.patterns.iter().filter_map(|pattern| pattern.find(only)).map(|found| found.start()).min()
    };
    let direction =
        rules.directions.iter().filter_map(|rule| Some((first(rule)?, rule.direction))).min_by_key(|(at, _)| *at);
    (told, direction.map(|(_, direction)| direction))
}

/// Longer rows are sentences of a reason, not choices.
const CHOICE_WORDS: usize = 16;

/// Begins with a check box, as choices do, or with what an empty or crossed box is often read as.
fn is_boxed(sheet: &Sheet, row: usize) -> bool {
    sheet.row_pieces(row).first().is_some_and(|piece| {
        check_box(&piece.text).is_some()
            || (piece.text.chars().count() <= 2 && piece.text.starts_with(['C', 'D', 'L', 'O', '(', '[']))
    })
}

/// What the printed levels of both units count against the words of the reason.
const LEVEL_POINTS: f32 = 2.5;

/// A unit's level stands at most so many rows below the heading that says which unit it is.
const ROWS_BELOW: usize = 4;

/// Which of the two units.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Side {
    Sending,
    Receiving,
}

impl Side {
    /// The unit that a text is about; `None` when it names neither or both.
    fn named_in(text: &str) -> Option<Self> {
        const SENDING: [&str; 7] = [
            "transferring from",
            "transferring facility",
            "transferring hospital",
            "sending",
            "referring",
            "current facility",
            "from:",
        ];
        const RECEIVING: [&str; 7] =
            ["receiving", "accepting", "transferring to", "transfer to", "transferred to", "destination", "to:"];
        let names = |words: &[&str]| words.iter().any(|word| text.contains(word));
        match (names(&SENDING), names(&RECEIVING)) {
            (true, false) => Some(Self::Sending),
            (false, true) => Some(Self::Receiving),
            (true, true) | (false, false) => None,
        }
    }
}

/// The lowest and the highest level that a printed one may be.
type Level = (i64, i64);

/// What the levels of both units say.
fn by_levels(sheets: &[Sheet]) -> Option<TransferDirection> {
    let (mut from, mut to): (Option<Level>, Option<Level>) = (None, None);
    for sheet in sheets.iter().take(LEAD_PAGES) {
        for row in 0..sheet.rows.len() {
            for cell in sheet.cells(row) {
                let pieces = sheet.pieces.get(cell).unwrap_or_default();
                let Some(level) = level_in(pieces) else { continue };
                match side_of(sheet, row, pieces) {
                    Some(Side::Sending) => from = from.or(Some(level)),
                    Some(Side::Receiving) => to = to.or(Some(level)),
                    None => {}
                }
            }
        }
    }
    let (from, to) = (from?, to?);
    if to.0 > from.1 {
        Some(TransferDirection::Higher)
    } else if to.1 < from.0 {
        Some(TransferDirection::Lower)
    } else {
        (from == to && from.0 == from.1).then_some(TransferDirection::Lateral)
    }
}

/// The level that a cell names.
fn level_in(cell: &[Piece]) -> Option<Level> {
    cell.windows(2).find_map(|pair| match pair {
        [word, numeral] if near(&word.fold, "level") => {
            let numeral = numeral.text.trim_start_matches('(');
            match roman_level(numeral) {
                Some(level) => Some((level, level)),
                // A numeral that cannot be read, with no V in it.
                None if is_blurred_numeral(numeral) => Some((1, 3)),
                None => None,
            }
        }
        _ => None,
    })
}

/// `IE` for `II`: begins with a stroke, and has nothing that small letters, digits or a V would be.
fn is_blurred_numeral(text: &str) -> bool {
    let strokes_or_capitals = |letter: char| "lt|![]){(".contains(letter) || letter.is_ascii_uppercase();
    text.chars().count() <= 4
        && text.starts_with(['I', 'l', '|', '!', '['])
        && text.chars().all(strokes_or_capitals)
        && !text.contains('V')
}

/// Which unit a cell's level is of: its own words tell, or those of its row, or the heading of its column.
fn side_of(sheet: &Sheet, row: usize, cell: &[Piece]) -> Option<Side> {
    let text_of = |pieces: &[Piece]| {
        let words: Vec<&str> = pieces.iter().map(|piece| piece.text.as_str()).collect();
        plain(&words.join(" "))
    };
    let own = Side::named_in(&text_of(cell)).or_else(|| Side::named_in(&plain(sheet.row_text(row))));
    if own.is_some() {
        return own;
    }
    let left = cell.first()?.bounds.left;
    // Headings are seldom flush to the letter with what stands below them.
    let reach = left.saturating_add(2 * sheet.usual_height);
    (row.saturating_sub(ROWS_BELOW)..row).rev().find_map(|above| {
        let cells = sheet.cells(above).into_iter().filter_map(|cell| sheet.pieces.get(cell));
        let mut columns = cells.filter(|cell| cell.first().is_some_and(|piece| piece.bounds.left <= reach));
        Side::named_in(&text_of(columns.next_back()?))
    })
}
