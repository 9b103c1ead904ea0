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

use crate::document::{Bounds, Word};
use crate::reader::picture::Picture;
use crate::reader::straighten::softened;
use crate::reader::tesseract::{Engine, RecognitionError};

use self::sample::{Meanings, read_of};
use self::seen::Accounted;
use self::words::LayerWord;

/// Words fewer than these are not worth the trouble.
const LEAST_WORDS: usize = 12;
/// Share of a page's words that must be seen on the picture for the layer to be believed at all.
const MOST_SEEN: f32 = 0.8;
/// Rows that are recognised may be so many of all: beyond, recognising all is simpler and costs hardly more.
const MOST_ROWS: f32 = 0.6;
/// Confidence of a word whose every letter was borne out: of 20,000 such words of invented papers none was wrong.
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
    fn outline(
        &self,
        glyph: &Glyph,
        across: f32,
        down: f32,
    ) -> impl Iterator<Item = impl Iterator<Item = [f32; 2]>> {
        let [a, b, c, d, e, f] = glyph.place;
        let shape = glyph.shape.and_then(|shape| self.shapes.get(shape));
        shape.into_iter().flat_map(|shape| &shape.contours).map(move |contour| {
            contour.iter().map(move |&[x, y]| [(a * x + c * y + e) * across, (b * x + d * y + f) * down])
        })
    }

    /// Reads a page by its layer as far as its picture bears it out, and the rest by recognition; `None` where recognising
    /// the whole page is as good. `picture`: upright by the layer's letters, not softened.
    pub fn read(&self, picture: &Picture, engine: &mut Engine) -> Result<Option<Vec<Word>>, RecognitionError> {
        let (across, down) = self.scale(picture);
        let words = words::words(self, across, down);
        let visible = words.iter().filter(|word| word.can_be_seen).count();
        if visible < LEAST_WORDS {
            return Ok(None);
        }
        let accounted = Accounted::by(self, picture, across, down);
        let is_seen = |word: &LayerWord| {
            word.can_be_seen
                && word.glyphs.iter().all(|&glyph| {
                    self.glyphs
                        .get(glyph)
                        .is_some_and(|glyph| accounted.shows(self, glyph, picture, across, down))
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
        let rows = words.last().map_or(0, |word| word.row + 1);
        let mixed = sample::rows_with_ink(&words, rows, &rest);

        let mut meanings = Meanings::of(self);
        let mut recognised: Vec<bool> = mixed.clone();
        let mut read = Vec::new();
        // A second time for what the first left in doubt.
        for _ in 0..2 {
            let more = meanings.rows_to_sample(&words, &seen, &recognised, rows);
            let first = read.is_empty();
            for row in &more {
                if let Some(flag) = recognised.get_mut(*row) {
                    *flag = true;
                }
            }
            if recognised.iter().filter(|&&row| row).count() as f32 > MOST_ROWS * rows as f32 {
                return Ok(None);
            }
            if more.is_empty() && !first {
                break;
            }
            let show: Vec<bool> =
                (0..rows).map(|row| more.contains(&row) || (first && mixed.get(row) == Some(&true))).collect();
            let paper = |picture: &Picture| Picture::white(picture.width, picture.height, picture.resolution);
            let rest = if first { rest.clone() } else { paper(picture) };
            if let Some(strips) = sample::with_rows(rest, picture, &words, &show) {
                let found = engine.recognise(&softened(strips))?;
                meanings.learn(&words, &seen, &show, &found);
                read.extend(found);
            }
        }
        Ok(Some(joined(&words, &seen, &mixed, &meanings, read)))
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

/// The words of the page: the layer's where they are borne out, else those that were recognised there.
fn joined(words: &[LayerWord], seen: &[bool], mixed: &[bool], meanings: &Meanings, read: Vec<Word>) -> Vec<Word> {
    let mut page: Vec<(usize, Word)> = Vec::new();
    for (word, _) in words.iter().zip(seen).filter(|(word, seen)| **seen && mixed.get(word.row) != Some(&true)) {
        let placed = |text: String, confidence: f32| {
            (word.row, Word { text, bounds: word.bounds, confidence, line: 0 })
        };
        if meanings.bear_out(word) {
            page.push(placed(word.text.clone(), BORNE_OUT));
        } else if let Some((text, confidence)) = read_of(word.bounds, &read) {
            page.push(placed(text, confidence));
        }
    }
    let taken: Vec<Bounds> = page.iter().map(|(_, word)| word.bounds).collect();
    for word in read {
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
    page.into_iter()
        .map(|(row, word)| {
            line += u32::from(before.is_some_and(|before| before != row));
            before = Some(row);
            Word { line, ..word }
        })
        .collect()
}
