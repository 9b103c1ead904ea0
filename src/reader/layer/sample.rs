//! What the layer's outlines mean, learnt from rows of the picture that are recognised.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use super::seen::is_mark;
use super::words::LayerWord;
use super::TextLayer;
use crate::document::{Bounds, Word};
use crate::reader::picture::{INK, Picture};

/// Times that a pair is looked for in the rows first recognised: recognition errs now and then.
const WANTED: usize = 2;
/// A pair counts as borne out when it was this many times oftener read so than otherwise.
const OFTENER: u32 = 4;
/// Rules of forms are longer than this, in ems of the row: no stroke of a letter is.
const RULE: f32 = 1.6;

/// An outline and what it is said to be.
type Pair = (usize, String);

/// For each pair how often it was read so, and otherwise.
pub(super) struct Meanings<'l> {
    layer: &'l TextLayer,
    marks: Vec<bool>,
    read: BTreeMap<Pair, (u32, u32)>,
}

impl<'l> Meanings<'l> {
    pub fn of(layer: &'l TextLayer) -> Self {
        let marks = layer.shapes.iter().map(|shape| is_mark(&shape.contours)).collect();
        Self { layer, marks, read: BTreeMap::new() }
    }

    /// The pairs of a word that recognition has to bear out.
    fn pairs(&self, word: &LayerWord) -> impl Iterator<Item = Pair> {
        word.glyphs.iter().filter_map(|&glyph| self.layer.glyphs.get(glyph)).filter_map(|glyph| {
            let shape = glyph.shape?;
            let is_mark = self.marks.get(shape) == Some(&true)
                && !glyph.text.is_empty()
                && !glyph.text.chars().any(char::is_alphanumeric);
            (!is_mark).then(|| (shape, glyph.text.clone()))
        })
    }

    fn is_borne_out(&self, pair: &Pair) -> bool {
        !pair.1.trim().is_empty()
            && self.read.get(pair).is_some_and(|(so, otherwise)| *so > 0 && *so >= otherwise * OFTENER)
    }

    /// Whether recognition bears out every letter of a word.
    pub fn bear_out(&self, word: &LayerWord) -> bool {
        self.pairs(word).all(|pair| self.is_borne_out(&pair))
    }

    /// Rows to recognise next, so that every pair in doubt is among them: the fewest that will do, more or less. A pair that
    /// was recognised in vain has all its rows recognised.
    pub fn rows_to_sample(&self, words: &[LayerWord], seen: &[bool], known: &[bool], rows: usize) -> Vec<usize> {
        let mut of_row: Vec<BTreeMap<Pair, usize>> = vec![BTreeMap::new(); rows];
        let mut needed: BTreeMap<Pair, usize> = BTreeMap::new();
        let in_vain = !self.read.is_empty();
        for (word, _) in words.iter().zip(seen).filter(|(_, seen)| **seen) {
            for pair in self.pairs(word).filter(|pair| !self.is_borne_out(pair)) {
                let fresh = known.get(word.row) != Some(&true);
                if let Some(count) = of_row.get_mut(word.row).filter(|_| fresh) {
                    *count.entry(pair.clone()).or_default() += 1;
                    *needed.entry(pair).or_default() += 1;
                }
            }
        }
        if in_vain {
            return (0..rows).filter(|&row| of_row.get(row).is_some_and(|pairs| !pairs.is_empty())).collect();
        }
        for count in needed.values_mut() {
            *count = (*count).min(WANTED);
        }
        let mut chosen = BTreeSet::new();
        loop {
            let gain = |row: usize| -> usize {
                of_row.get(row).map_or(0, |pairs| {
                    pairs.iter().map(|(pair, count)| needed.get(pair).map_or(0, |left| (*left).min(*count))).sum()
                })
            };
            let best = (0..rows).filter(|row| !chosen.contains(row)).max_by_key(|&row| (gain(row), rows - row));
            let Some(best) = best.filter(|&row| gain(row) > 0) else { break };
            chosen.insert(best);
            for (pair, count) in of_row.get(best).into_iter().flatten() {
                if let Some(left) = needed.get_mut(pair) {
                    *left = left.saturating_sub(*count);
                }
            }
        }
        chosen.into_iter().collect()
    }

    /// Takes note of how the letters in the rows shown were read.
    pub fn learn(&mut self, words: &[LayerWord], seen: &[bool], shown: &[bool], found: &[Word]) {
        for (word, _) in words.iter().zip(seen).filter(|(word, seen)| **seen && shown.get(word.row) == Some(&true)) {
            let Some((text, _)) = read_of(word.bounds, found) else { continue };
            let told: Vec<char> = plain(&word.text).collect();
            let read: Vec<char> = plain(&text).collect();
            // Without the same length nobody knows which letter was read as which.
            if told.len() != read.len() {
                continue;
            }
            let mut at = 0;
            for glyph in word.glyphs.iter().filter_map(|&glyph| self.layer.glyphs.get(glyph)) {
                let length = plain(&glyph.text).count();
                let Some(shape) = glyph.shape else { continue };
                let same = told.get(at..at + length) == read.get(at..at + length);
                let (so, otherwise) = self.read.entry((shape, glyph.text.clone())).or_default();
                if same { *so += 1 } else { *otherwise += 1 }
                at += length;
            }
        }
        // So that what follows knows that rows were recognised.
        self.read.entry((usize::MAX, String::new())).or_default();
    }
}

/// A text's characters as recognition writes them: one kind of quotes and dashes.
fn plain(text: &str) -> impl Iterator<Item = char> {
    text.trim().chars().map(|letter| match letter {
        '\u{2018}' | '\u{2019}' | '\u{b4}' | '`' => '\'',
        '\u{201c}' | '\u{201d}' => '"',
        '\u{2010}'..='\u{2015}' | '\u{2212}' | '\u{ad}' => '-',
        other => other,
    })
}

/// What was read in a box: the words whose middles lie in it, joined, and the least of their confidences.
pub(super) fn read_of(bounds: Bounds, read: &[Word]) -> Option<(String, f32)> {
    let slack = bounds.height / 4;
    let within = |word: &&Word| {
        let (x, y) = (word.bounds.left + word.bounds.width / 2, word.bounds.top + word.bounds.height / 2);
        (bounds.left.saturating_sub(2)..bounds.right() + 2).contains(&x)
            && (bounds.top.saturating_sub(slack)..bounds.bottom() + slack).contains(&y)
    };
    let mut words: Vec<&Word> = read.iter().filter(within).collect();
    words.sort_by_key(|word| word.bounds.left);
    let confidence = words.iter().map(|word| word.confidence).fold(1.0, f32::min);
    let text: String = words.iter().map(|word| word.text.as_str()).collect();
    (!text.is_empty()).then_some((text, confidence))
}

/// From and to which pixel row each row of words reaches, with half the space to its neighbours.
fn bands(words: &[LayerWord], rows: usize) -> Vec<(u32, u32)> {
    let mut bands = vec![(u32::MAX, 0); rows];
    for word in words {
        if let Some((top, bottom)) = bands.get_mut(word.row) {
            let about = (word.em * 0.3) as u32;
            *top = (*top).min(word.bounds.top.saturating_sub(about));
            *bottom = (*bottom).max(word.bounds.bottom().saturating_add(about));
        }
    }
    bands
}

/// The row of words that a height on the page belongs to: the nearest.
pub(super) fn row_at(words: &[LayerWord], y: u32) -> usize {
    let apart = |word: &&LayerWord| (word.bounds.top + word.bounds.height / 2).abs_diff(y);
    words.iter().min_by_key(apart).map_or(0, |word| word.row)
}

/// An em of the page's print, in pixels.
fn usual_em(words: &[LayerWord]) -> f32 {
    let mut ems: Vec<f32> = words.iter().map(|word| word.em).collect();
    ems.sort_by(f32::total_cmp);
    ems.get(ems.len() / 2).copied().unwrap_or(24.0)
}

/// Which rows of words hold ink besides: boxes to tick, stamps, handwriting. Rules of forms apart.
pub(super) fn rows_with_ink(words: &[LayerWord], rows: usize, rest: &Picture) -> Vec<bool> {
    let usual = usual_em(words);
    let ink = without_rules(rest, (usual * RULE) as usize);
    let width = rest.width as usize;
    bands(words, rows)
        .into_iter()
        .map(|(top, bottom)| {
            let from = top as usize * width;
            let inked = ink.get(from..(bottom as usize * width).min(ink.len())).unwrap_or_default();
            // A dot or two are dirt, or a corner that the rules left.
            inked.iter().filter(|&&ink| ink).count() > (usual * usual / 24.0) as usize
        })
        .collect()
}

/// The ink of a picture, without straight runs longer than this.
fn without_rules(picture: &Picture, longest: usize) -> Vec<bool> {
    let (width, height) = (picture.width as usize, picture.height as usize);
    let mut ink: Vec<bool> = picture.pixels.iter().map(|&pixel| pixel < INK).collect();
    let original = ink.clone();
    let mut strip = |start: usize, step: usize, count: usize| {
        let mut from = 0;
        for at in 0..=count {
            if at < count && original.get(start + at * step) == Some(&true) {
                continue;
            }
            if at - from > longest {
                for gone in from..at {
                    if let Some(pixel) = ink.get_mut(start + gone * step) {
                        *pixel = false;
                    }
                }
            }
            from = at + 1;
        }
    };
    for y in 0..height {
        strip(y * width, 1, width);
    }
    for x in 0..width {
        strip(x, width, height);
    }
    ink
}

/// `rest`, the page without the layer's letters, with some rows as they are. `None` when nothing is left to read.
pub(super) fn with_rows(mut rest: Picture, picture: &Picture, words: &[LayerWord], show: &[bool]) -> Option<Picture> {
    let width = picture.width as usize;
    for ((top, bottom), _) in bands(words, show.len()).into_iter().zip(show).filter(|(_, show)| **show) {
        let (from, to) = (top as usize * width, (bottom as usize * width).min(picture.pixels.len()));
        if let (Some(to), Some(from)) = (rest.pixels.get_mut(from..to), picture.pixels.get(from..to)) {
            to.copy_from_slice(from);
        }
    }
    // Rules alone need no reading.
    let left = without_rules(&rest, (usual_em(words) * RULE) as usize).iter().filter(|&&ink| ink).count();
    (left > 20).then_some(rest)
}

/// Whether what was read says what a layer says.
pub(super) fn agree(layer: &[String], read: &[Word]) -> bool {
    /// Words looked at: a page holds some hundred.
    const MOST: usize = 3_000;
    /// Share of the words that may be without their like: recognition errs too.
    const STRANGE: f32 = 0.2;
    /// Digits from which a number is one that tells babies apart.
    const NUMBER: usize = 5;
    let folded = |text: &str| text.chars().filter(|letter| letter.is_alphanumeric()).flat_map(char::to_lowercase).collect::<String>();
    let read: Vec<String> = read.iter().map(|word| folded(&word.text)).filter(|word| !word.is_empty()).take(MOST).collect();
    let known: HashSet<&str> = read.iter().map(String::as_str).collect();
    let all = read.concat();
    let mut told = 0;
    let mut strange = 0;
    for word in layer.iter().map(|word| folded(word)).filter(|word| word.chars().count() > 2).take(MOST) {
        told += 1;
        let is_number = word.bytes().filter(u8::is_ascii_digit).count() >= NUMBER;
        let near = if is_number { word.len() / 4 } else { word.chars().count() / 3 };
        let has_like = known.contains(word.as_str())
            || all.contains(&word)
            || read.iter().any(|other| other.len().abs_diff(word.len()) <= near && strsim::levenshtein(other, &word) <= near);
        if !has_like {
            if is_number {
                return false;
            }
            strange += 1;
        }
    }
    strange as f32 <= (told as f32 * STRANGE).max(2.0)
}
