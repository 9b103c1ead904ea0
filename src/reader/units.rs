//! Parts a number from the unit that the recogniser ran together with it, by the gap between them on the picture.
//!
//! `2277 g` in narrow print is read as `2277g`, and worse, as `22779` or `22778`: a weight ten times too high. The
//! letter tells itself by the space before it and by standing lower than the figures.

use super::picture::{INK, Picture};
use crate::document::{Bounds, Word};

const UNITS: [&str; 12] = ["g", "kg", "cm", "mL", "ml", "mg", "C", "F", "lb", "oz", "kcal", "mcg"];

/// The gap before a unit is at least so many times the usual gap within the number, and this share of its height.
const WIDER: f32 = 1.7;
const LEAST_GAP: f32 = 0.2;

/// A letter that reaches below the line starts below the figures' top, and ends below their bottom, by this share of their
/// height.
const LOWER: f32 = 0.15;

/// Parts such words in two; `picture` is the one on which the words' boxes lie.
#[must_use]
pub fn parted(words: Vec<Word>, picture: &Picture) -> Vec<Word> {
    let mut parted = Vec::with_capacity(words.len());
    for word in words {
        match part(&word, picture) {
            Some((number, unit)) => parted.extend([number, unit]),
            None => parted.push(word),
        }
    }
    parted
}

fn part(word: &Word, picture: &Picture) -> Option<(Word, Word)> {
    let (body, end) = match word.text.strip_suffix([',', ';', '.', ')']) {
        Some(body) => (body, word.text.get(body.len()..)?),
        None => (word.text.as_str(), ""),
    };
    let digits = body.find(|character: char| !(character.is_ascii_digit() || matches!(character, '.' | ',')));
    let (number, unit, must_hang) = match digits {
        Some(at) if at > 0 => {
            let (number, unit) = body.split_at_checked(at)?;
            (number, unit, false)
        }
        // All figures: the last may be a letter that was taken for one.
        None if body.len() >= 4
            && body.bytes().all(|byte| byte.is_ascii_digit())
            && body.ends_with(['8', '9', '2']) =>
        {
            (body.get(..body.len() - 1)?, "g", true)
        }
        _ => return None,
    };
    if !UNITS.contains(&unit) {
        return None;
    }
    let strokes = strokes(word.bounds, picture);
    let at = widest_gap(&strokes)?;
    let (figures, letters) = strokes.split_at_checked(at)?;
    let (last, first) = (figures.last()?, letters.first()?);
    let count = unit.chars().count() + usize::from(!end.is_empty());
    if figures.len() < 2 || letters.len() > count + 1 {
        return None;
    }
    let height = figures.iter().map(|stroke| stroke.bottom - stroke.top).max()? as f32;
    let gap = (first.left - last.right) as f32;
    let mut others: Vec<u32> =
        figures.windows(2).filter_map(|pair| Some(pair.last()?.left - pair.first()?.right)).collect();
    others.sort_unstable();
    let usual = others.get(others.len() / 2).copied()? as f32;
    if gap < WIDER * usual || gap < LEAST_GAP * height {
        return None;
    }
    if must_hang {
        let top = figures.iter().map(|stroke| stroke.top).min()?;
        let bottom = figures.iter().map(|stroke| stroke.bottom).max()?;
        let lower = LOWER * height;
        let hangs = first.top as f32 >= top as f32 + lower && first.bottom as f32 >= bottom as f32 + lower;
        if letters.len() != 1 || !hangs {
            return None;
        }
    }
    let middle = u32::midpoint(last.right, first.left);
    let bounds = word.bounds;
    let left = Bounds { width: middle.checked_sub(bounds.left)?, ..bounds };
    let right = Bounds { left: middle, width: (bounds.left + bounds.width).checked_sub(middle)?, ..bounds };
    Some((
        Word { text: number.to_owned(), bounds: left, ..word.clone() },
        Word { text: format!("{unit}{end}"), bounds: right, ..word.clone() },
    ))
}

/// Columns of ink without a white one between them.
struct Stroke {
    left: u32,
    /// One past the last.
    right: u32,
    top: u32,
    bottom: u32,
}

fn strokes(bounds: Bounds, picture: &Picture) -> Vec<Stroke> {
    let mut strokes: Vec<Stroke> = Vec::new();
    // The box may end at the figures' bottom, where a letter goes on.
    let below = (bounds.top + bounds.height + bounds.height / 3).min(picture.height);
    for column in bounds.left..(bounds.left + bounds.width).min(picture.width) {
        let mut ink = (bounds.top..below).filter(|&row| {
            let at = row as usize * picture.width as usize + column as usize;
            picture.pixels.get(at).is_some_and(|&pixel| pixel < INK)
        });
        let Some(top) = ink.next() else { continue };
        let bottom = ink.next_back().unwrap_or(top) + 1;
        match strokes.last_mut() {
            Some(stroke) if stroke.right == column => {
                stroke.right = column + 1;
                stroke.top = stroke.top.min(top);
                stroke.bottom = stroke.bottom.max(bottom);
            }
            _ => strokes.push(Stroke { left: column, right: column + 1, top, bottom }),
        }
    }
    strokes
}

/// The index of the stroke after the widest gap, the last of equals.
fn widest_gap(strokes: &[Stroke]) -> Option<usize> {
    let gaps = strokes.windows(2).filter_map(|pair| Some(pair.last()?.left - pair.first()?.right));
    gaps.enumerate().max_by_key(|&(_, gap)| gap).map(|(at, _)| at + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Figures of 12 x 20 pixels, 3 apart, then a letter `gap` pixels on that hangs down by `hang`.
    fn page(figures: u32, gap: u32, hang: u32) -> (Picture, Bounds) {
        let mut picture = Picture::white(300, 100, 204);
        let mut fill = |left: u32, top: u32, height: u32| {
            for y in top..top + height {
                for x in left..left + 12 {
                    picture.pixels[(y * 300 + x) as usize] = 0;
                }
            }
        };
        for figure in 0..figures {
            fill(20 + figure * 15, 40, 20);
        }
        let letter = 20 + figures * 15 - 3 + gap;
        fill(letter, 40 + hang, 20);
        (picture, Bounds { left: 20, top: 40, width: letter + 12 - 20, height: 20 + hang })
    }

    fn read(text: &str, (picture, bounds): (Picture, Bounds)) -> Vec<String> {
        let word = Word { text: text.to_owned(), bounds, confidence: 0.9, line: 0 };
        parted(vec![word], &picture).into_iter().map(|word| word.text).collect()
    }

    #[test]
    fn a_unit_is_parted_from_its_number_where_a_gap_is_printed() {
        assert_eq!(read("2277g,", page(4, 9, 6)), ["2277", "g,"]);
        assert_eq!(read("37.1C", page(4, 9, 0)), ["37.1", "C"]);
        assert_eq!(read("2277g", page(4, 3, 6)), ["2277g"]);
    }

    #[test]
    fn a_letter_taken_for_a_figure_is_told_by_hanging_below_the_line() {
        assert_eq!(read("22778", page(4, 9, 6)), ["2277", "g"]);
        assert_eq!(read("22778", page(4, 9, 0)), ["22778"]);
        assert_eq!(read("22778", page(4, 3, 6)), ["22778"]);
    }
}
