//! Words with boxes → rows, cells and a text that can be searched and pointed back to boxes.
//!
//! Rows are made from where words stand, not from the order in which the recogniser told them: what it split into
//! columns is joined again, so that a label finds the value to its right. Never fails; a page without words gives an
//! empty sheet.

use unicode_normalization::UnicodeNormalization;
use unicode_normalization::char::is_combining_mark;

use crate::document::{Bounds, Page, Word};

/// A blank wider than this many text heights parts two cells of a row.
const CELL_GAP: f32 = 1.6;
/// Neighbouring line fragments whose middles differ by less than this share of the text height are one row.
const ROW_TOLERANCE: f32 = 0.55;

/// A word, or a part of one: `MR#:0690714` is a label and a value.
#[derive(Clone, Debug)]
pub(super) struct Piece {
    pub text: String,
    /// Lower-case letters and digits only, accents taken off: what labels are compared with.
    pub fold: String,
    pub bounds: Bounds,
    pub confidence: f32,
    pub row: usize,
    /// First piece of its cell.
    pub opens_cell: bool,
    /// Followed by a colon or number sign, as labels are.
    pub marked: bool,
    /// Byte offset in [`Sheet::text`].
    pub start: usize,
}

/// A row of a page: `pieces[first..end]`.
#[derive(Clone, Debug)]
pub(super) struct Row {
    pub first: usize,
    pub end: usize,
    pub bounds: Bounds,
    /// Height of its letters in pixels (median of its words).
    pub height: u32,
}

/// A page, laid out.
#[derive(Clone, Debug)]
pub(super) struct Sheet {
    pub number: u32,
    pub height: u32,
    pub pieces: Vec<Piece>,
    pub rows: Vec<Row>,
    /// Rows parted by `\n`, cells by `\t`, words by blanks.
    pub text: String,
    /// Median height of a row's letters.
    pub usual_height: u32,
    /// Where something stands that was not read.
    pub unread: Vec<Bounds>,
}

/// Lower-case letters and digits of `text`, without accents.
pub(super) fn fold(text: &str) -> String {
    text.nfkd().filter(|c| !is_combining_mark(*c) && c.is_alphanumeric()).flat_map(char::to_lowercase).collect()
}

impl Sheet {
    pub(super) fn new(page: &Page) -> Self {
        let runs = split_runs(&page.words);
        let slope = slope(&runs);
        let rows = join_rows(runs, slope);
        let mut sheet = Self {
            number: page.number,
            height: page.height,
            pieces: Vec::with_capacity(page.words.len() + 16),
            rows: Vec::with_capacity(rows.len()),
            text: String::new(),
            usual_height: 1,
            unread: page.unread.iter().copied().map(on_page).collect(),
        };
        for words in rows {
            sheet.push_row(&words);
        }
        let mut heights: Vec<u32> = sheet.rows.iter().map(|row| row.height).collect();
        sheet.usual_height = median(&mut heights);
        sheet
    }

    fn push_row(&mut self, words: &[&Word]) {
        let Some(first_word) = words.first() else { return };
        let number = self.rows.len();
        let first = self.pieces.len();
        if number > 0 {
            self.text.push('\n');
        }
        let mut heights: Vec<u32> = words.iter().map(|word| on_page(word.bounds).height).collect();
        let height = median(&mut heights);
        let mut bounds = on_page(first_word.bounds);
        let mut previous: Option<Bounds> = None;
        for word in words {
            let place = on_page(word.bounds);
            let gap = previous.map(|before| place.left.saturating_sub(before.right()));
            let opens_cell = gap.is_none_or(|gap| gap as f32 > CELL_GAP * height as f32);
            if gap.is_some() {
                self.text.push(if opens_cell { '\t' } else { ' ' });
            }
            bounds = bounds.union(place);
            previous = Some(place);
            for (index, part) in split_word(&word.text).into_iter().enumerate() {
                let fold = fold(part);
                let marked = part.ends_with([':', ';', '#']);
                let after_piece = self.pieces.len() > first && !(opens_cell && index == 0);
                if fold.is_empty()
                    && marked
                    && after_piece
                    && let Some(before) = self.pieces.last_mut()
                {
                    before.marked = true;
                }
                let start = self.text.len();
                self.text.push_str(part);
                self.pieces.push(Piece {
                    text: part.to_owned(),
                    fold,
                    bounds: place,
                    confidence: word.confidence,
                    row: number,
                    opens_cell: opens_cell && index == 0,
                    marked,
                    start,
                });
            }
        }
        self.rows.push(Row { first, end: self.pieces.len(), bounds, height });
    }

    /// The pieces of a row; none for a row that isn't there.
    pub(super) fn row_pieces(&self, row: usize) -> &[Piece] {
        self.rows.get(row).and_then(|row| self.pieces.get(row.first..row.end)).unwrap_or_default()
    }

    /// A row's text, cells parted by tabs.
    pub(super) fn row_text(&self, row: usize) -> &str {
        let Some(row) = self.rows.get(row).filter(|row| row.first < row.end) else { return "" };
        let (Some(first), Some(last)) = (self.pieces.get(row.first), self.pieces.get(row.end - 1)) else { return "" };
        self.text.get(first.start..last.start + last.text.len()).unwrap_or("")
    }

    /// The piece that holds a byte of the text.
    pub(super) fn piece_at(&self, offset: usize) -> Option<usize> {
        self.pieces.partition_point(|piece| piece.start <= offset).checked_sub(1)
    }

    /// Box and mean confidence of what stands in a byte range of the text.
    pub(super) fn place(&self, start: usize, end: usize) -> Option<(Bounds, f32)> {
        let first = self.piece_at(start)?;
        let last = self.piece_at(end.max(start + 1) - 1)?;
        place_of(self.pieces.get(first..=last)?)
    }

    /// Cells of a row as ranges of pieces.
    pub(super) fn cells(&self, row: usize) -> Vec<std::ops::Range<usize>> {
        let Some(Row { first, end, .. }) = self.rows.get(row) else { return Vec::new() };
        let mut cells = Vec::new();
        let mut from = *first;
        for index in first + 1..*end {
            if self.pieces.get(index).is_some_and(|piece| piece.opens_cell) {
                cells.push(from..index);
                from = index;
            }
        }
        if from < *end {
            cells.push(from..*end);
        }
        cells
    }
}

/// Box and mean confidence of some pieces; `None` when there are none.
pub(super) fn place_of(pieces: &[Piece]) -> Option<(Bounds, f32)> {
    let (first, rest) = pieces.split_first()?;
    let bounds = rest.iter().fold(first.bounds, |all, piece| all.union(piece.bounds));
    let confidence = pieces.iter().map(|piece| piece.confidence).sum::<f32>() / pieces.len() as f32;
    Some((bounds, confidence))
}

/// A box that can be calculated with: no page is a million pixels wide.
fn on_page(bounds: Bounds) -> Bounds {
    const LIMIT: u32 = 1 << 20;
    let Bounds { left, top, width, height } = bounds;
    Bounds { left: left.min(LIMIT), top: top.min(LIMIT), width: width.min(LIMIT), height: height.min(LIMIT) }
}

fn median(values: &mut [u32]) -> u32 {
    values.sort_unstable();
    values.get(values.len() / 2).copied().unwrap_or(1).max(1)
}

/// Parts a word where a label meets its value or another label: after a colon or number sign that follows a letter,
/// at a slash between letters, after a check box that is glued to its choice.
fn split_word(text: &str) -> Vec<&str> {
    let mut parts = Vec::new();
    let mut from = 0;
    let mut before: Option<char> = None;
    let mut seen = String::new();
    let mut characters = text.char_indices().peekable();
    while let Some((at, character)) = characters.next() {
        let after = characters.peek().map(|(_, next)| *next);
        let end = at + character.len_utf8();
        seen.push(character);
        let letters_around = before.is_some_and(char::is_alphabetic) && after.is_some_and(char::is_alphabetic);
        let cut = match character {
            ':' | '#' => {
                before.is_none_or(|before| !before.is_ascii_digit()) && after.is_some_and(|after| after != ':')
            }
            // "Poly;Ferrous" stays; "DOB;3/5/26" is a label with a badly read colon.
            ';' => before.is_some_and(char::is_alphabetic) && after.is_some_and(|after| after.is_ascii_digit()),
            '/' => letters_around,
            // "[x]Male", "[]Level", but not "(servo)".
            ']' | ')' => {
                seen.chars().count() <= 3
                    && seen.starts_with(['[', '(', '{'])
                    && after.is_some_and(|after| !"])},;:.".contains(after))
            }
            _ => false,
        };
        before = Some(character);
        if !cut {
            continue;
        }
        let (head, tail) = if character == '/' { (from..at, Some(at..end)) } else { (from..end, None) };
        parts.extend(text.get(head).filter(|part| !part.is_empty()));
        parts.extend(tail.and_then(|tail| text.get(tail)));
        from = end;
        seen.clear();
    }
    parts.extend(text.get(from..).filter(|part| !part.is_empty()));
    parts
}

/// Runs of words that the recogniser put on one line, each in order from the left.
fn split_runs(words: &[Word]) -> Vec<Vec<&Word>> {
    let mut runs: Vec<Vec<&Word>> = Vec::new();
    let mut line = None;
    for word in words.iter().filter(|word| !word.text.trim().is_empty()) {
        if line != Some(word.line) {
            runs.push(Vec::new());
        }
        line = Some(word.line);
        if let Some(run) = runs.last_mut() {
            run.push(word);
        }
    }
    for run in &mut runs {
        run.sort_by_key(|word| word.bounds.left);
    }
    runs
}

/// The middle of a word's height, with the page's slope taken out.
fn middle(bounds: Bounds, slope: f32) -> f32 {
    bounds.top as f32 + bounds.height as f32 / 2.0 - slope * centre(bounds)
}

fn centre(bounds: Bounds) -> f32 {
    bounds.left as f32 + bounds.width as f32 / 2.0
}

/// How far a line sinks for each pixel to the right: the median over the recogniser's longer lines.
fn slope(runs: &[Vec<&Word>]) -> f32 {
    let mut slopes: Vec<f32> = runs
        .iter()
        .filter_map(|run| {
            let (first, last) = (run.first()?.bounds, run.last()?.bounds);
            let across = centre(last) - centre(first);
            let long = across > 12.0 * first.height.max(10) as f32;
            long.then(|| (middle(last, 0.0) - middle(first, 0.0)) / across)
        })
        // A fax that lies more than five degrees askew is straightened before it is read.
        .filter(|slope| slope.abs() < 0.09)
        .collect();
    if slopes.len() < 3 {
        return 0.0;
    }
    slopes.sort_unstable_by(f32::total_cmp);
    slopes.get(slopes.len() / 2).copied().unwrap_or(0.0)
}

/// Joins runs that stand side by side at one height into rows, top to bottom.
///
/// Heights are compared at the ends that meet and without the page's slope, so that a skewed page keeps its rows.
fn join_rows(mut runs: Vec<Vec<&Word>>, slope: f32) -> Vec<Vec<&Word>> {
    runs.retain(|run| !run.is_empty());
    runs.sort_by_key(|run| run.first().map_or(0, |word| word.bounds.left));
    let mut rows: Vec<Vec<&Word>> = Vec::new();
    for run in runs {
        let Some(first) = run.first() else { continue };
        let nearest = rows
            .iter_mut()
            .filter_map(|row| {
                let last = row.iter().max_by_key(|word| word.bounds.right())?;
                let height = (last.bounds.height.min(first.bounds.height) as f32).max(1.0);
                let apart = (middle(last.bounds, slope) - middle(first.bounds, slope)).abs();
                // A little overlap is the recogniser's slack, more is another line.
                let beside = first.bounds.left as f32 + 0.5 * height >= last.bounds.right() as f32;
                (beside && apart < ROW_TOLERANCE * height).then_some((apart, row))
            })
            .min_by(|a, b| a.0.total_cmp(&b.0));
        match nearest {
            Some((_, row)) => row.extend(run),
            None => rows.push(run),
        }
    }
    rows.sort_by(|a, b| {
        let top = |row: &Vec<&Word>| row.first().map_or(0.0, |word| middle(word.bounds, slope));
        top(a).total_cmp(&top(b))
    });
    rows
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::page_of;

    #[test]
    fn columns_that_the_recogniser_told_one_after_the_other_become_rows_again() {
        let mut page = page_of(1, "Unit number      4711\nSurname          Doe");
        // As a recogniser that reads column by column would number them.
        for word in &mut page.words {
            word.line = if word.bounds.left < 150 { word.line } else { word.line + 10 };
        }
        page.words.sort_by_key(|word| word.line);
        let sheet = Sheet::new(&page);
        assert_eq!(sheet.text, "Unit number\t4711\nSurname\tDoe");
    }

    #[test]
    fn a_label_glued_to_its_value_is_parted_from_it() {
        assert_eq!(split_word("MR#:0690714"), ["MR#:", "0690714"]);
        assert_eq!(split_word("Reference/Auth"), ["Reference", "/", "Auth"]);
        assert_eq!(split_word("10:33"), ["10:33"]);
        assert_eq!(split_word("3/15/26"), ["3/15/26"]);
        assert_eq!(split_word("[x]Male"), ["[x]", "Male"]);
        assert_eq!(split_word("(servo)"), ["(servo)"]);
    }

    #[test]
    fn a_skewed_page_keeps_its_rows_together_and_apart() {
        let text = "A sentence that runs over the whole width of the page for once\nUnit number                              4711\nSurname                              Doe\nand here is another sentence that runs over the width of it\nand the third of the sentences that are told by the nurse";
        let mut page = page_of(1, text);
        let mut before = 0;
        for (index, word) in page.words.iter_mut().enumerate() {
            word.bounds.top += word.bounds.left / 30;
            // The recogniser parts what stands far apart.
            if word.bounds.left.abs_diff(before) > 250 {
                word.line += 100 + index as u32;
            }
            before = word.bounds.right();
        }
        let sheet = Sheet::new(&page);
        assert_eq!(sheet.rows.len(), 5, "{}", sheet.text);
        assert_eq!(sheet.row_text(1), "Unit number\t4711");
    }

    #[test]
    fn folding_takes_off_accents_and_marks() {
        assert_eq!(fold("Séamus,"), "seamus");
        assert_eq!(fold("#:"), "");
    }
}
