//! What the layer's outlines mean, learnt from rows of the picture that are recognised.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use super::TextLayer;
use super::seen::is_mark;
use super::words::{LayerWord, usual_em};
use crate::document::{Bounds, Word};
use crate::reader::picture::Picture;

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

    /// Whether what is said to be a digit was read otherwise again and again, and never so.
    pub fn contradict_a_digit(&self) -> bool {
        self.read.iter().any(|((_, text), (so, otherwise))| {
            *so == 0 && *otherwise > 1 && text.chars().any(|letter| letter.is_ascii_digit())
        })
    }

    /// Whether recognition bears out every letter of a word.
    pub fn bear_out(&self, word: &LayerWord) -> bool {
        self.pairs(word).all(|pair| self.is_borne_out(&pair))
    }

    /// Words to recognise next, so that every pair in doubt is among them: the fewest that will do, more or less. Of a pair
    /// that was recognised in vain all words are. `known`: those that were recognised.
    pub fn words_to_sample(&self, words: &[LayerWord], seen: &[bool], known: &[bool]) -> Vec<usize> {
        let is_open = |index: usize| seen.get(index) == Some(&true) && known.get(index) != Some(&true);
        let doubtful =
            |word: &LayerWord| -> BTreeSet<Pair> { self.pairs(word).filter(|pair| !self.is_borne_out(pair)).collect() };
        let mut open: Vec<(usize, BTreeSet<Pair>)> = words
            .iter()
            .enumerate()
            .filter(|(index, _)| is_open(*index))
            .map(|(index, word)| (index, doubtful(word)))
            .filter(|(_, pairs)| !pairs.is_empty())
            .collect();
        if !self.read.is_empty() {
            return open.into_iter().map(|(index, _)| index).collect();
        }
        let mut wanted: BTreeMap<Pair, usize> = BTreeMap::new();
        for pair in open.iter().flat_map(|(_, pairs)| pairs) {
            let count = wanted.entry(pair.clone()).or_default();
            *count = (*count + 1).min(WANTED);
        }
        let mut chosen = Vec::new();
        loop {
            let gain = |pairs: &BTreeSet<Pair>| {
                pairs.iter().filter(|pair| wanted.get(*pair).is_some_and(|left| *left > 0)).count()
            };
            // Long words bring more, and cost more.
            let best = open.iter().enumerate().max_by_key(|(_, (_, pairs))| gain(pairs)).map(|(at, _)| at);
            let Some((index, pairs)) = best.map(|at| open.swap_remove(at)).filter(|(_, pairs)| gain(pairs) > 0) else {
                break;
            };
            for pair in pairs {
                if let Some(left) = wanted.get_mut(&pair) {
                    *left = left.saturating_sub(1);
                }
            }
            chosen.push(index);
        }
        chosen.sort_unstable();
        chosen
    }

    /// Takes note of how a word's letters were read.
    pub fn learn(&mut self, word: &LayerWord, text: &str) {
        let told: Vec<char> = plain(&word.text).collect();
        let read: Vec<char> = plain(text).collect();
        // Without the same length nobody knows which letter was read as which.
        if told.len() != read.len() {
            return;
        }
        let mut at = 0;
        for glyph in word.glyphs.iter().filter_map(|&glyph| self.layer.glyphs.get(glyph)) {
            let length = plain(&glyph.text).count();
            let same = told.get(at..at + length) == read.get(at..at + length);
            at += length;
            let Some(shape) = glyph.shape else { continue };
            let (so, otherwise) = self.read.entry((shape, glyph.text.clone())).or_default();
            if same { *so += 1 } else { *otherwise += 1 }
        }
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

/// Which rows of words hold ink besides: boxes to tick, stamps, handwriting. Rules of forms apart.
pub(super) fn rows_with_ink(words: &[LayerWord], rows: usize, rest: &Picture) -> Vec<bool> {
    let usual = usual_em(words);
    let ink = rest.ink_without_rules((usual * RULE) as usize);
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

/// Puts rows of a page back into what is left of it.
pub(super) fn show_rows(rest: &mut Picture, page: &Picture, words: &[LayerWord], show: &[bool]) {
    let width = page.width as usize;
    for ((top, bottom), _) in bands(words, show.len()).into_iter().zip(show).filter(|(_, show)| **show) {
        let (from, to) = (top as usize * width, (bottom as usize * width).min(page.pixels.len()));
        if let (Some(to), Some(from)) = (rest.pixels.get_mut(from..to), page.pixels.get(from..to)) {
            to.copy_from_slice(from);
        }
    }
}

/// A page without the letters that are believed, and below it words cut out of the page, line by line, where they are
/// recognised as fast as so much text is.
pub(super) struct Sampled {
    pub picture: Picture,
    /// The pixel row at which the words that were cut out begin.
    pub rest_ends: u32,
    /// Where each of the words lies in it.
    pub places: Vec<(usize, Bounds)>,
}

impl Sampled {
    /// `rest`: what is left of the page. `None` when nothing is to be recognised.
    pub fn of(rest: &Picture, page: &Picture, words: &[LayerWord], chosen: &[usize]) -> Option<Self> {
        // Rules alone need no reading.
        let left = rest.ink_without_rules((usual_em(words) * RULE) as usize).iter().filter(|&&ink| ink).count();
        let mut picture = if left > 20 { rest.clone() } else { Picture { height: 0, pixels: Vec::new(), ..*rest } };
        let rest_ends = picture.height;
        let mut cut: Vec<(usize, &LayerWord)> =
            chosen.iter().filter_map(|&index| Some((index, words.get(index)?))).collect();
        // Letters of one size make a line.
        cut.sort_by(|a, b| a.1.em.total_cmp(&b.1.em));
        let mut places = Vec::new();
        let mut cut = cut.into_iter().peekable();
        while let Some(&(_, first)) = cut.peek() {
            let em = first.em;
            let (above, below) = ((em * 1.2) as u32, (em * 0.5) as u32);
            let top = picture.height;
            let baseline = top + above;
            let height = above + below;
            picture.height += height;
            picture.pixels.resize(picture.width as usize * picture.height as usize, 255);
            let mut left = em as u32;
            while let Some((index, word)) =
                cut.next_if(|(_, word)| word.em < em * 1.15 && left + word.bounds.width < picture.width)
            {
                let rise = (word.baseline - word.bounds.top as f32).max(0.0) as u32;
                let place = Bounds { left, top: baseline.saturating_sub(rise).max(top), ..word.bounds };
                copy(page, word.bounds, &mut picture, place, baseline + below);
                places.push((index, place));
                left = place.right() + (em * 0.8) as u32;
            }
            // A word wider than the page was taken from no picture.
            if left == em as u32 {
                cut.next();
            }
        }
        picture.pixels.resize(picture.width as usize * (picture.height as usize + 20), 255);
        picture.height += 20;
        (left > 20 || !places.is_empty()).then_some(Self { picture, rest_ends, places })
    }
}

/// Copies what stands in a box, and a little about it, above the pixel row `end`.
fn copy(from: &Picture, what: Bounds, to: &mut Picture, place: Bounds, end: u32) {
    const ABOUT: u32 = 2;
    let (left, target) = (what.left.saturating_sub(ABOUT), place.left.saturating_sub(ABOUT));
    let width = (what.width + 2 * ABOUT).min(from.width.saturating_sub(left)).min(to.width.saturating_sub(target));
    for y in 0..what.height.min(end.saturating_sub(place.top)) {
        let source = (what.top + y) as usize * from.width as usize + left as usize;
        let goal = (place.top + y) as usize * to.width as usize + target as usize;
        if let (Some(to), Some(from)) =
            (to.pixels.get_mut(goal..goal + width as usize), from.pixels.get(source..source + width as usize))
        {
            to.copy_from_slice(from);
        }
    }
}

/// Whether what was read says what a layer says.
pub(super) fn agree(layer: &[String], read: &[Word]) -> bool {
    /// Words looked at: a page holds some hundred.
    const MOST: usize = 3_000;
    /// Share of the words that may be without their like: recognition errs too.
    const STRANGE: f32 = 0.2;
    /// Digits from which a number is one that tells babies apart.
    const NUMBER: usize = 5;
    let folded = |text: &str| {
        text.chars().filter(|letter| letter.is_alphanumeric()).flat_map(char::to_lowercase).collect::<String>()
    };
    let read: Vec<String> =
        read.iter().map(|word| folded(&word.text)).filter(|word| !word.is_empty()).take(MOST).collect();
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
            || read
                .iter()
                .any(|other| other.len().abs_diff(word.len()) <= near && strsim::levenshtein(other, &word) <= near);
        if !has_like {
            if is_number {
                return false;
            }
            strange += 1;
        }
    }
    strange as f32 <= (told as f32 * STRANGE).max(2.0)
}
