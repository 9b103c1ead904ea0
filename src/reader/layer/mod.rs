//! Text layers of PDFs: taken for what the picture says where the picture bears them out, and then only.
//!
//! What a nurse sees is the truth; a layer may be another program's guess, or a lie. So:
//! - a letter counts only if the picture shows its outline, just so, where it is placed ([`seen`]): hidden text, text of
//!   scans (which is somebody else's recognition) and text that is drawn over count for nothing;
//! - what an outline *means* is learnt by recognising rows of the picture in which it stands ([`sample`]): an outline
//!   looks alike wherever it stands, so each pair of outline and character has to be borne out once, and is contradicted
//!   once and for all. Words with a pair that is not borne out are read from the picture;
//! - rows that hold other ink than letters (pictures, stamps, handwriting, boxes to tick) are read from the picture.
//!
//! Pure but for the engine it is given. Knows nothing of PDF.

mod sample;
mod seen;
mod words;

use std::collections::BTreeMap;

use crate::document::{Bounds, Word};
use crate::reader::picture::Picture;
use crate::reader::straighten::softened;
use crate::reader::tesseract::{Engine, RecognitionError};

use self::sample::{Meanings, Sampled, read_of};
use self::seen::Accounted;
use self::words::LayerWord;

/// Words fewer than these are not worth the trouble.
const LEAST_WORDS: usize = 4;
/// Share of a page's words that must be seen on the picture for the layer to be believed at all.
const MOST_SEEN: f32 = 0.8;
/// Where more than this share of the letters would be recognised, the whole page is: that costs hardly more.
const MOST_SHOWN: f32 = 0.6;
/// Share of a page's words that must be borne out for the page to be called read by its layer.
const LEAST_BORNE_OUT: f32 = 0.5;
/// Share of the words that recognition may find nothing in place of.
const MOST_LOST: f32 = 0.01;
/// Confidence of a word whose every letter was borne out, on the recogniser's scale.
const BORNE_OUT: f32 = 0.99;

/// The letters of a page of a PDF.
#[derive(Clone, Debug, PartialEq)]
pub struct TextLayer {
    /// Points of the page as it is shown.
    pub width: f32,
    pub height: f32,
    pub shapes: Vec<Shape>,
    /// As the page draws them.
    pub glyphs: Vec<Glyph>,
}

/// The outline of a letter.
#[derive(Clone, Debug, PartialEq)]
pub struct Shape {
    /// Closed polygons in thousandths of an em, upwards positive.
    pub contours: Vec<Vec<[f32; 2]>>,
}

/// A letter where it stands.
#[derive(Clone, Debug, PartialEq)]
pub struct Glyph {
    /// What it is said to be: a character, several (a ligature), or nothing.
    pub text: String,
    /// Its outline among the layer's shapes; `None` when it is drawn by instructions.
    pub shape: Option<usize>,
    /// Takes the outline to points from the page's top left: `x' = ax + cy + e`, `y' = bx + dy + f`.
    pub place: [f32; 6],
    /// Thousandths of an em to the next letter.
    pub advance: f32,
    /// It is filled with dark paint.
    pub dark: bool,
}

impl Glyph {
    /// Points.
    fn em(&self) -> f32 {
        self.place[3].abs() * 1000.0
    }

    fn is_upright(&self) -> bool {
        let [a, b, c, d, ..] = self.place;
        a > 0.0 && d < 0.0 && b.abs() < 0.02 * a && c.abs() < 0.4 * d.abs()
    }
}

impl TextLayer {
    /// A letter's contours in pixels.
    fn outline(&self, glyph: &Glyph, across: f32, down: f32) -> impl Iterator<Item = impl Iterator<Item = [f32; 2]>> {
        let place = glyph.place;
        let shape = glyph.shape.and_then(|shape| self.shapes.get(shape));
        shape.into_iter().flat_map(|shape| &shape.contours).map(move |contour| {
            contour.iter().map(move |&[x, y]| {
                [(place[0] * x + place[2] * y + place[4]) * across, (place[1] * x + place[3] * y + place[5]) * down]
            })
        })
    }

    /// Reads a page by its layer as far as its picture bears it out, and the rest by recognition; `None` where recognising
    /// the whole page is as good. `picture`: upright by the layer's letters, not softened.
    pub fn read(&self, picture: &Picture, engine: &mut Engine) -> Result<Option<LayerReading>, RecognitionError> {
        let (across, down) = self.scale(picture);
        let mut words = words::words(self, across, down);
        for word in &mut words {
            word.can_be_seen &= word.bounds.left < picture.width && word.bounds.top < picture.height;
        }
        let visible = words.iter().filter(|word| word.can_be_seen).count();
        if visible < LEAST_WORDS {
            return Ok(None);
        }
        let accounted = Accounted::by(self, picture, across, down);
        let usual_em = words::usual_em(&words);
        let is_seen = |word: &LayerWord| {
            word.can_be_seen
                && word.glyphs.iter().all(|&glyph| {
                    self.glyphs.get(glyph).is_some_and(|glyph| accounted.shows(self, glyph, picture, across, down))
                })
        };
        let seen: Vec<bool> = words.iter().map(is_seen).collect();
        let shown = seen.iter().filter(|&&seen| seen).count();
        if (shown as f32) < MOST_SEEN * visible as f32 {
            return Ok(None);
        }
        // What is left when the letters are taken off is read from the picture, in the rows in which it stands.
        let mut rest = picture.clone();
        for (word, _) in words.iter().zip(&seen).filter(|(_, seen)| **seen) {
            for glyph in word.glyphs.iter().filter_map(|&glyph| self.glyphs.get(glyph)) {
                Accounted::wipe(self, glyph, &mut rest, across, down);
            }
        }
        // Where something touches a word, what stands in its place is recognised by itself.
        let touched: Vec<usize> = (0..words.len())
            .filter(|&index| {
                let word = words.get(index).filter(|word| word.can_be_seen && seen.get(index) == Some(&false));
                word.is_some_and(|word| !word.is_overlarge(usual_em))
            })
            .collect();
        for word in touched.iter().filter_map(|&index| words.get(index)) {
            rest.wipe(word.bounds);
        }
        let rows = words.last().map_or(0, |word| word.row + 1);
        let mixed_rows = sample::rows_with_ink(&words, rows, &rest);
        let mixed: Vec<bool> = words.iter().map(|word| mixed_rows.get(word.row) == Some(&true)).collect();
        sample::show_rows(&mut rest, picture, &words, &mixed_rows);

        let mut findings = Findings { meanings: Meanings::of(self), readings: BTreeMap::new(), read: Vec::new() };
        let mut chosen = findings.meanings.words_to_sample(&words, &seen, &mixed);
        chosen.extend(&touched);
        let letters = |index: &usize| words.get(*index).map_or(0, |word| word.glyphs.len());
        let all: usize = (0..words.len()).map(|index| letters(&index)).sum();
        let shown: usize = (0..words.len())
            .filter(|&index| mixed.get(index) == Some(&true))
            .chain(chosen.iter().copied())
            .map(|index| letters(&index))
            .sum();
        if shown as f32 > MOST_SHOWN * all as f32 {
            let found = engine.recognise(&softened(picture.clone()))?;
            let places: Vec<(usize, Bounds)> = words.iter().map(|word| word.bounds).enumerate().collect();
            findings.take(&words, &seen, &places, &found);
            findings.read = found;
        } else {
            let in_place = (0..words.len()).filter(|&index| mixed.get(index) == Some(&true));
            let in_place = in_place.filter_map(|index| Some((index, words.get(index)?.bounds)));
            if let Some(Sampled { picture: sampled, rest_ends, mut places }) =
                Sampled::of(&rest, picture, &words, &chosen)
            {
                let found = engine.recognise(&softened(sampled))?;
                places.extend(in_place);
                findings.take(&words, &seen, &places, &found);
                findings.read = found.into_iter().filter(|word| word.bounds.top < rest_ends).collect();
            }
            let known: Vec<bool> = (0..words.len())
                .map(|index| mixed.get(index) == Some(&true) || findings.readings.contains_key(&index))
                .collect();
            // A second time for what the first left in doubt.
            let doubtful = findings.meanings.words_to_sample(&words, &seen, &known);
            let white = Picture::white(picture.width, 1, picture.resolution);
            if let Some(Sampled { picture: sampled, places, .. }) = Sampled::of(&white, picture, &words, &doubtful) {
                let found = engine.recognise(&softened(sampled))?;
                findings.take(&words, &seen, &places, &found);
            }
        }
        Ok(findings.joined(&words, &seen, &mixed))
    }

    /// Whether what was read on the page says what the layer says: no long number, and hardly a word, without its like.
    pub fn agrees(&self, read: &[Word]) -> bool {
        let layer: Vec<String> = words::words(self, 1.0, 1.0).into_iter().map(|word| word.text).collect();
        sample::agree(&layer, read)
    }

    fn scale(&self, picture: &Picture) -> (f32, f32) {
        // hayro draws a hair larger; see where it is asked to.
        let pixels = |side: u32, points: f32| (side as f32 + 0.05) / points.max(1.0);
        (pixels(picture.width, self.width), pixels(picture.height, self.height))
    }
}

/// A page read with the help of its layer.
pub struct LayerReading {
    pub words: Vec<Word>,
    /// Most of the words are the layer's; otherwise they were recognised.
    pub by_layer: bool,
    /// The layer calls a digit what the picture shows to be something else.
    pub is_contradicted: bool,
}

/// What recognition found on a page.
struct Findings<'l> {
    meanings: Meanings<'l>,
    /// Of the layer's words, by their place in it, what was read instead.
    readings: BTreeMap<usize, (String, f32)>,
    /// On the page apart from words that were cut out of it.
    read: Vec<Word>,
}

impl Findings<'_> {
    /// `places`: where the layer's words lie in the picture in which these were found.
    fn take(&mut self, words: &[LayerWord], seen: &[bool], places: &[(usize, Bounds)], found: &[Word]) {
        for &(index, place) in places {
            let Some((word, reading)) = words.get(index).zip(read_of(place, found)) else { continue };
            if seen.get(index) == Some(&true) {
                self.meanings.learn(word, &reading.0);
            }
            self.readings.insert(index, reading);
        }
    }

    /// The words of the page: the layer's where they are borne out, else those that were recognised there. `None` when words
    /// got lost on the way. `mixed`: those in rows that are read from the picture.
    fn joined(self, words: &[LayerWord], seen: &[bool], mixed: &[bool]) -> Option<LayerReading> {
        let mut page: Vec<(usize, Word)> = Vec::new();
        let mut taken: Vec<Bounds> = Vec::new();
        let (mut by_layer, mut lost) = (0_u32, 0_u32);
        for (index, word) in words.iter().enumerate().filter(|(_, word)| word.can_be_seen) {
            if mixed.get(index) == Some(&true) && read_of(word.bounds, &self.read).is_some() {
                continue;
            }
            let is_borne_out = seen.get(index) == Some(&true) && self.meanings.bear_out(word);
            by_layer += u32::from(is_borne_out);
            let reading =
                if is_borne_out { Some((word.text.clone(), BORNE_OUT)) } else { self.readings.get(&index).cloned() };
            match reading {
                Some((text, confidence)) => {
                    page.push((word.row, Word { text, bounds: word.bounds, confidence, line: 0 }));
                    taken.push(word.bounds);
                }
                None => lost += u32::from(word.text.chars().filter(|letter| letter.is_alphanumeric()).count() > 1),
            }
        }
        if lost as f32 > MOST_LOST * words.len() as f32 {
            return None;
        }
        for word in self.read {
            let middle = (word.bounds.left + word.bounds.width / 2, word.bounds.top + word.bounds.height / 2);
            let within = |bounds: &Bounds| {
                (bounds.left.saturating_sub(4)..bounds.right() + 4).contains(&middle.0)
                    && (bounds.top.saturating_sub(4)..bounds.bottom() + 4).contains(&middle.1)
            };
            if !taken.iter().any(within) {
                page.push((sample::row_at(words, middle.1), word));
            }
        }
        page.sort_by_key(|(row, word)| (*row, word.bounds.left));
        let mut line = 0;
        let mut before = None;
        let numbered = page.into_iter().map(|(row, word)| {
            line += u32::from(before.is_some_and(|before| before != row));
            before = Some(row);
            Word { line, ..word }
        });
        let words: Vec<Word> = numbered.collect();
        let is_contradicted = self.meanings.contradict_a_digit();
        Some(LayerReading { is_contradicted, by_layer: by_layer as f32 >= LEAST_BORNE_OUT * words.len() as f32, words })
    }
}

#[cfg(test)]
mod tests;
