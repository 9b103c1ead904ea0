//! Where something stands on a page that was not read: handwriting, mostly.
//!
//! Two signs, and each errs towards saying nothing: a run of words on a line of which recognition itself is in doubt, amid
//! words of which it is not; and ink the size of writing where no word was found. Specks, rules, boxes to tick, logos and
//! pictures are no writing. What is marked was not read; that it was written by hand is only likely.

use super::picture::Picture;
use crate::document::{Bounds, Word};

/// Confidences as the recogniser gives them: of a word below the one it is in doubt; one above the other it read. Printed words
/// of legible faxes are above the other, nine in ten; words written by hand hardly ever.
const DOUBTFUL: f32 = 0.6;
const READ: f32 = 0.9;

/// A run of words is unread when the mean of its confidences, by characters, is below this.
const RUN: f32 = 0.7;

/// Cells an inch in which ink is looked for: a stroke crosses one or two.
const CELLS: u32 = 20;
/// Share of a cell that is ink where something was written, and where something was filled in.
const WRITTEN: f32 = 0.06;
const FILLED: f32 = 0.75;
/// Inches of writing: at least so wide (more than a box to tick), and so high at least and at most.
const LEAST_WIDE: f32 = 0.3;
const HIGH: (f32, f32) = (0.09, 0.6);
/// Inches from the edges within which ink is the scanner's or the fax machine's.
const EDGE: f32 = 0.45;
/// Places on one page; beyond, the page is noise.
const MOST: usize = 200;

/// Share of a page's words that stand in unread places, when it is called handwritten, and the share of those that were
/// read, as a form's labels are; noise spoils these too.
const MOSTLY: f32 = 0.2;
const LABELS: (f32, f32) = (0.15, 0.55);

/// The unread places of an upright page. `words`: with the recogniser's own confidences.
pub(super) fn places(picture: &Picture, words: &[Word]) -> Vec<Bounds> {
    let mut places = doubtful_runs(words);
    places.extend(wordless_ink(picture, words));
    if places.len() > MOST { Vec::new() } else { places }
}

/// Whether a page holds a good deal of what seems to be handwriting.
pub(super) fn is_handwritten(words: &[Word], places: &[Bounds]) -> bool {
    let telling: Vec<&Word> = words.iter().filter(|word| letters(word) > 1).collect();
    let within = |word: &&&Word| places.iter().any(|place| overlaps(*place, word.bounds));
    let share = |count: usize| count as f32 / telling.len().max(1) as f32;
    let read = share(telling.iter().filter(|word| word.confidence >= READ).count());
    telling.len() >= 20
        && share(telling.iter().filter(within).count()) >= MOSTLY
        && (LABELS.0..=LABELS.1).contains(&read)
}

fn letters(word: &Word) -> usize {
    word.text.chars().filter(|letter| letter.is_alphanumeric()).count()
}

fn overlaps(a: Bounds, b: Bounds) -> bool {
    a.left < b.right() && b.left < a.right() && a.top < b.bottom() && b.top < a.bottom()
}

/// Runs of words on a line of which recognition is in doubt.
fn doubtful_runs(words: &[Word]) -> Vec<Bounds> {
    let mut runs: Vec<Vec<&Word>> = Vec::new();
    let mut goes_on = None;
    for word in words {
        if word.confidence >= READ {
            goes_on = None;
            continue;
        }
        let near = |last: &&Word| {
            let gap = word.bounds.left.saturating_sub(last.bounds.right());
            last.line == word.line && gap < 3 * last.bounds.height.max(word.bounds.height)
        };
        match (runs.last_mut(), goes_on.filter(near)) {
            (Some(run), Some(_)) => run.push(word),
            _ => runs.push(vec![word]),
        }
        goes_on = Some(word);
    }
    runs.iter().filter(|run| is_doubtful(run)).filter_map(|run| union(run)).collect()
}

fn is_doubtful(run: &[&Word]) -> bool {
    let weight = |word: &&&Word| letters(word).max(1) as f32;
    let all: f32 = run.iter().map(|word| weight(&word)).sum();
    let mean = run.iter().map(|word| weight(&word) * word.confidence).sum::<f32>() / all.max(1.0);
    // A lone sign is a speck, a stroke of a rule, or a box to tick.
    let telling: usize = run.iter().map(|word| letters(word)).sum();
    telling > 1 && mean < RUN && run.iter().any(|word| word.confidence < DOUBTFUL)
}

fn union(run: &[&Word]) -> Option<Bounds> {
    run.iter().map(|word| word.bounds).reduce(Bounds::union)
}

/// Places with ink the size of writing, and no word.
fn wordless_ink(picture: &Picture, words: &[Word]) -> Vec<Bounds> {
    let cell = (picture.resolution / CELLS).max(4);
    let (columns, rows) = ((picture.width / cell) as usize, (picture.height / cell) as usize);
    let mut rest = picture.clone();
    for word in words {
        let about = word.bounds.height / 4 + 2;
        rest.wipe(Bounds {
            left: word.bounds.left.saturating_sub(about),
            top: word.bounds.top.saturating_sub(about),
            width: word.bounds.width + 2 * about,
            height: word.bounds.height + 2 * about,
        });
    }
    let ink = rest.ink_without_rules((picture.resolution / 3) as usize);
    let share = |column: usize, row: usize| {
        let cell = cell as usize;
        let count: usize = (row * cell..(row + 1) * cell)
            .map(|y| {
                let from = y * picture.width as usize + column * cell;
                ink.get(from..from + cell).map_or(0, |part| part.iter().filter(|&&ink| ink).count())
            })
            .sum();
        count as f32 / (cell * cell) as f32
    };
    let edge = (EDGE * CELLS as f32) as usize;
    let within = |column: usize, row: usize| {
        (edge..columns.saturating_sub(edge)).contains(&column) && (edge..rows.saturating_sub(edge)).contains(&row)
    };
    // 0 empty, 1 written, 2 filled.
    let mut cells = vec![0_u8; columns * rows];
    for row in 0..rows {
        for column in (0..columns).filter(|&column| within(column, row)) {
            let share = share(column, row);
            if let Some(kind) = cells.get_mut(row * columns + column) {
                *kind = u8::from(share >= WRITTEN) + u8::from(share >= FILLED);
            }
        }
    }
    let mut found = Vec::new();
    for start in 0..cells.len() {
        if cells.get(start).is_some_and(|&kind| kind > 0) {
            found.extend(group(&mut cells, columns, start).and_then(|group| group.writing(cell, picture.resolution)));
        }
    }
    found
}

/// Cells that hang together.
struct Group {
    left: usize,
    right: usize,
    top: usize,
    bottom: usize,
    written: usize,
    filled: usize,
}

/// Takes the cells off that hang together with the one at `start`: letters of a word are up to two cells apart, lines are
/// not.
fn group(cells: &mut [u8], columns: usize, start: usize) -> Option<Group> {
    let (row, column) = (start.checked_div(columns)?, start % columns);
    let mut group = Group { left: column, right: column, top: row, bottom: row, written: 0, filled: 0 };
    let mut open = vec![start];
    while let Some(at) = open.pop() {
        let Some(kind) = cells.get_mut(at).filter(|kind| **kind > 0) else { continue };
        group.written += 1;
        group.filled += usize::from(*kind > 1);
        *kind = 0;
        let (row, column) = (at / columns, at % columns);
        group.left = group.left.min(column);
        group.right = group.right.max(column);
        group.top = group.top.min(row);
        group.bottom = group.bottom.max(row);
        for near_row in row.saturating_sub(1)..=row + 1 {
            for near in column.saturating_sub(3)..=(column + 3).min(columns - 1) {
                open.push(near_row * columns + near);
            }
        }
    }
    Some(group)
}

impl Group {
    /// Its box, if it is of the size and the lightness of writing.
    fn writing(&self, cell: u32, resolution: u32) -> Option<Bounds> {
        let inches = |cells: usize| (cells as u32 * cell) as f32 / resolution.max(1) as f32;
        let (wide, high) = (self.right - self.left + 1, self.bottom - self.top + 1);
        // A rule's remains are thin, a picture is full.
        let written = inches(wide) >= LEAST_WIDE
            && (HIGH.0..=HIGH.1).contains(&inches(high))
            && self.filled * 4 < self.written
            && self.written * 4 > wide * high;
        written.then_some(Bounds {
            left: self.left as u32 * cell,
            top: self.top as u32 * cell,
            width: wide as u32 * cell,
            height: high as u32 * cell,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reader::picture::fill;

    fn word(text: &str, left: u32, line: u32, confidence: f32) -> Word {
        let width = 14 * text.len() as u32;
        Word {
            text: text.to_owned(),
            bounds: Bounds { left, top: 300 + 60 * line, width, height: 22 },
            confidence,
            line,
        }
    }

    fn scribble(picture: &mut Picture, left: u32, top: u32, wide: u32) {
        for x in 0..wide {
            let y = top + 15 + (14.0 * (x as f32 / 7.0).sin()) as u32;
            for thick in 0..3 {
                let at = ((y + thick) * picture.width + left + x) as usize;
                picture.pixels[at] = 0;
            }
        }
    }

    fn bar(picture: &mut Picture, Bounds { left, top, width, height }: Bounds) {
        fill(picture, left, top, width, height);
    }

    #[test]
    fn a_scribble_beside_a_label_is_unread_and_rules_boxes_and_specks_are_not() {
        let mut picture = Picture::white(1728, 2244, 204);
        scribble(&mut picture, 400, 600, 180);
        bar(&mut picture, Bounds { left: 300, top: 640, width: 900, height: 3 });
        bar(&mut picture, Bounds { left: 700, top: 900, width: 30, height: 3 });
        bar(&mut picture, Bounds { left: 700, top: 927, width: 30, height: 3 });
        bar(&mut picture, Bounds { left: 700, top: 900, width: 3, height: 30 });
        bar(&mut picture, Bounds { left: 727, top: 900, width: 3, height: 30 });
        for speck in 0..200 {
            bar(&mut picture, Bounds { left: 150 + speck * 7, top: 1000 + (speck * 37) % 900, width: 2, height: 2 });
        }
        // A logo.
        bar(&mut picture, Bounds { left: 1200, top: 150, width: 200, height: 180 });
        let found = places(&picture, &[word("Weight:", 200, 5, 0.96)]);
        assert_eq!(found.len(), 1, "{found:?}");
        let place = found[0];
        assert!(place.left.abs_diff(400) < 20 && place.width.abs_diff(180) < 40, "{place:?}");
        // What was read there is no scribble.
        assert!(places(&picture, &[word("Intravenously,", 395, 5, 0.96)]).is_empty());
    }

    #[test]
    fn a_run_of_doubtful_words_is_unread_and_a_doubtful_word_alone_among_good_ones_is_so_too() {
        let words = [
            word("Weight:", 200, 0, 0.96),
            word("169\u{b0}", 320, 0, 0.7),
            word("9", 400, 0, 0.37),
            word("Bed", 200, 1, 0.95),
            word("type:", 260, 1, 0.93),
            word("Isolette", 350, 1, 0.85),
            word("|", 200, 2, 0.1),
        ];
        let found = doubtful_runs(&words);
        assert_eq!(found.len(), 1, "{found:?}");
        assert_eq!((found[0].left, found[0].right()), (320, 414));
    }

    #[test]
    fn a_form_filled_in_by_hand_is_told_from_a_noisy_page_and_a_good_one() {
        let page = |good: usize, bad: usize| -> Vec<Word> {
            let words = (0..60).map(|at| {
                let confidence = if at < good {
                    0.96
                } else if at < good + bad {
                    0.3
                } else {
                    0.8
                };
                word("weight", 100 + 400 * (at as u32 % 3), at as u32 / 3, confidence)
            });
            words.collect()
        };
        for (good, bad, handwritten) in [(25, 25, true), (58, 2, false), (4, 20, false)] {
            let words = page(good, bad);
            assert_eq!(is_handwritten(&words, &doubtful_runs(&words)), handwritten, "{good} {bad}");
        }
    }
}
