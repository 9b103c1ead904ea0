//! Letters as a page places them → words with boxes, in rows from the top.

use std::collections::HashMap;

use super::{Glyph, TextLayer};
use crate::document::Bounds;

/// A gap wider than this share of an em parts words; a blank is a fourth to a third of one.
const BLANK: f32 = 0.18;
/// Letters of one word stand on one line but for this share of an em.
const BASELINE: f32 = 0.15;
/// Words of one row, likewise: a superscript stays in its row.
const ROW: f32 = 0.4;
/// The same letter struck again so near, in ems, is how some programs make bold type.
const STRUCK_AGAIN: f32 = 0.12;

/// A word of the layer.
#[derive(Clone, Debug)]
pub(super) struct LayerWord {
    pub text: String,
    /// Its letters, by their place in the layer.
    pub glyphs: Vec<usize>,
    /// Pixels: the box of its ink.
    pub bounds: Bounds,
    /// Pixels: the line that it stands on, and an em.
    pub baseline: f32,
    pub em: f32,
    /// Rows are counted from the top.
    pub row: usize,
    /// All its letters stand upright, are painted dark, and are given by outlines.
    pub can_be_seen: bool,
}

impl LayerWord {
    /// Its ink reaches farther than letters of a page's print do.
    pub fn is_overlarge(&self, usual_em: f32) -> bool {
        self.em > 2.5 * usual_em || self.bounds.height as f32 > 1.8 * self.em
    }
}

/// An em of a page's print, in pixels.
pub(super) fn usual_em(words: &[LayerWord]) -> f32 {
    let mut ems: Vec<f32> = words.iter().map(|word| word.em).collect();
    ems.sort_by(f32::total_cmp);
    ems.get(ems.len() / 2).copied().unwrap_or(24.0)
}

/// Puts the layer's letters together. `across`, `down`: pixels a point.
pub(super) fn words(layer: &TextLayer, across: f32, down: f32) -> Vec<LayerWord> {
    let mut words: Vec<LayerWord> = Vec::new();
    let mut struck: HashMap<(usize, i32, i32), [f32; 2]> = HashMap::new();
    // Where the next letter of the word would begin; none after a blank.
    let mut end: Option<f32> = None;
    for (index, glyph) in layer.glyphs.iter().enumerate() {
        let em = (glyph.em() * down).max(1.0);
        let [left, baseline] = [glyph.place[4] * across, glyph.place[5] * down];
        if glyph.text.trim().is_empty() {
            // An unnamed letter with ink belongs to its word all the same: what it says is not known then.
            if !glyph.text.is_empty() || ink_of(layer, glyph, across, down).is_none() {
                end = None;
                continue;
            }
        }
        if !left.is_finite() || !baseline.is_finite() || struck_again(&mut struck, glyph, [left, baseline], em) {
            continue;
        }
        let advance = glyph.advance * glyph.place[0] * across;
        let seen = glyph.dark && glyph.is_upright() && glyph.shape.is_some();
        let ink = ink_of(layer, glyph, across, down);
        let bounds = ink.unwrap_or_else(|| area(left, baseline - em * 0.7, left + advance.max(1.0), baseline));
        match words.last_mut().zip(end) {
            Some((word, end))
                if (baseline - word.baseline).abs() < BASELINE * em
                    && left - end < BLANK * em
                    && left - end > -0.5 * em
                    && word.em < em * 1.4
                    && em < word.em * 1.4 =>
            {
                word.text.push_str(glyph.text.trim());
                word.glyphs.push(index);
                word.bounds = word.bounds.union(bounds);
                word.can_be_seen &= seen;
            }
            _ => words.push(LayerWord {
                text: glyph.text.trim().to_owned(),
                glyphs: vec![index],
                bounds,
                baseline,
                em,
                row: 0,
                can_be_seen: seen,
            }),
        }
        end = Some(left + advance);
    }
    into_rows(&mut words);
    words
}

/// Whether this letter was just drawn here.
fn struck_again(struck: &mut HashMap<(usize, i32, i32), [f32; 2]>, glyph: &Glyph, [x, y]: [f32; 2], em: f32) -> bool {
    let Some(shape) = glyph.shape else { return false };
    let near = STRUCK_AGAIN * em;
    let cell = |x: f32, y: f32| (shape, (x / near).floor() as i32, (y / near).floor() as i32);
    let again = [-1.0, 0.0, 1.0].iter().any(|i| {
        [-1.0, 0.0, 1.0].iter().any(|j| {
            struck
                .get(&cell(x + i * near, y + j * near))
                .is_some_and(|before| (before[0] - x).abs() < near && (before[1] - y).abs() < near)
        })
    });
    if !again {
        struck.insert(cell(x, y), [x, y]);
    }
    again
}

/// Numbers the rows and brings the words into reading order.
fn into_rows(words: &mut [LayerWord]) {
    words.sort_by(|a, b| a.baseline.total_cmp(&b.baseline));
    let mut row = 0;
    let mut last: Option<(f32, f32)> = None;
    for word in words.iter_mut() {
        // Compared with the row's first word, so that a slope of steps does not become one row.
        match last {
            Some((baseline, em)) if word.baseline - baseline <= ROW * em.min(word.em) => {}
            Some(_) => {
                row += 1;
                last = Some((word.baseline, word.em));
            }
            None => last = Some((word.baseline, word.em)),
        }
        word.row = row;
    }
    words.sort_by_key(|word| (word.row, word.bounds.left));
}

/// The box of a letter's ink in pixels; `None` when it has none.
fn ink_of(layer: &TextLayer, glyph: &Glyph, across: f32, down: f32) -> Option<Bounds> {
    let mut corners =
        layer.outline(glyph, across, down).flatten().filter(|[x, y]| x.is_finite() && y.is_finite()).peekable();
    corners.peek()?;
    let (mut left, mut top, mut right, mut bottom) = (f32::MAX, f32::MAX, f32::MIN, f32::MIN);
    for [x, y] in corners {
        left = left.min(x);
        right = right.max(x);
        top = top.min(y);
        bottom = bottom.max(y);
    }
    Some(area(left, top, right, bottom))
}

fn area(left: f32, top: f32, right: f32, bottom: f32) -> Bounds {
    // Casts from below zero and beyond the greatest number stop there.
    let (from_left, from_top) = (left.floor().max(0.0) as u32, top.floor().max(0.0) as u32);
    Bounds {
        left: from_left,
        top: from_top,
        width: (right.ceil() as u32).saturating_sub(from_left).max(1),
        height: (bottom.ceil() as u32).saturating_sub(from_top).max(1),
    }
}
