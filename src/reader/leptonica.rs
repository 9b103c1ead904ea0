//! The questions that Leptonica answers better than a page of our own code: by how much is a page of text skewed, is it
//! upside down, and how large are the things on it that hang together. The only user of `leptonica-sys` (tesseract brings the library along anyway).
//!
//! Quirks: it prints complaints to stderr unless told not to; a confidence of 0 means that it found nothing to judge
//! by; a pixel of 1 is ink, the first pixel is a word's highest bit.
#![allow(unsafe_code)]

use leptonica_sys::{
    PIX, boxaDestroy, boxaGetBoxGeometry, boxaGetCount, pixConnCompBB, pixCreate, pixDestroy,
    pixFindSkewSweepAndSearch, pixGetData, pixGetWpl, pixUpDownDetect, setMsgSeverity,
};

use super::picture::Picture;

/// `L_SEVERITY_NONE`.
const SAY_NOTHING: i32 = 6;

/// Leptonica's own advice for reductions of pages of 150 to 300 dots an inch: 4 for the sweep, 2 for the search.
const SWEEP_REDUCTION: i32 = 4;
const SEARCH_REDUCTION: i32 = 2;

/// A page in black and white, owned by Leptonica.
pub struct Bilevel {
    pix: *mut PIX,
}

/// An angle and how sure it is.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Skew {
    /// Degrees by which the page must be turned clockwise to be straight.
    pub degrees: f32,
    /// The ratio of the best to the worst angle's score; 3 is a page of text, 0 nothing to judge by.
    pub confidence: f32,
}

impl Bilevel {
    /// The picture with everything darker than `threshold` as ink; `None` if there is no memory or nothing in it.
    pub fn of(picture: &Picture, threshold: u8) -> Option<Self> {
        Self::of_pixels(picture.width, picture.height, &picture.pixels, threshold)
    }

    /// As [`of`](Self::of), from 8-bit grey pixels, row-major.
    pub fn of_pixels(wide: u32, high: u32, pixels: &[u8], threshold: u8) -> Option<Self> {
        let (width, height) = (i32::try_from(wide).ok()?, i32::try_from(high).ok()?);
        if width == 0 || height == 0 {
            return None;
        }
        // SAFETY: plain values in; the result is null or a picture that is ours until `pixDestroy` in `drop`.
        let pix = unsafe {
            setMsgSeverity(SAY_NOTHING);
            pixCreate(width, height, 1)
        };
        if pix.is_null() {
            return None;
        }
        let bilevel = Self { pix };
        // SAFETY: `pix` is a live picture; a 1-bit picture's data are `height * wpl` words, aligned and set to zero by
        // `pixCreate`, and nobody else holds a reference to them while `words` lives.
        let (words, words_per_line) = unsafe {
            let words_per_line = usize::try_from(pixGetWpl(pix)).ok()?;
            let data = pixGetData(pix);
            if data.is_null() {
                return None;
            }
            (std::slice::from_raw_parts_mut(data, words_per_line * height as usize), words_per_line)
        };
        let rows = pixels.chunks_exact(wide as usize);
        for (line, row) in words.chunks_exact_mut(words_per_line).zip(rows) {
            for (word, pixels) in line.iter_mut().zip(row.chunks(32)) {
                let ink = pixels.iter().fold(0_u32, |bits, &pixel| bits << 1 | u32::from(pixel < threshold));
                *word = ink << (32 - pixels.len() as u32);
            }
        }
        Some(bilevel)
    }

    /// The skew of its text lines, looked for up to `most` degrees either way.
    pub fn skew(&self, most: f32) -> Option<Skew> {
        let (mut degrees, mut confidence) = (0.0, 0.0);
        // SAFETY: `pix` is a live 1-bit picture, which the call does not change; both results point to live floats.
        let failed = unsafe {
            pixFindSkewSweepAndSearch(
                self.pix,
                &raw mut degrees,
                &raw mut confidence,
                SWEEP_REDUCTION,
                SEARCH_REDUCTION,
                most,
                1.0,
                0.01,
            )
        };
        (failed == 0 && f32::is_finite(degrees)).then_some(Skew { degrees, confidence })
    }

    /// How much rather its text lines stand upright than upside down, in standard deviations (by the strokes that reach
    /// above and below small letters: in English text the former are about three times as frequent). Negative: upside
    /// down.
    pub fn uprightness(&self) -> Option<f32> {
        let mut confidence = 0.0;
        // SAFETY: `pix` is a live 1-bit picture, which the call does not change; the result points to a live float.
        let failed = unsafe { pixUpDownDetect(self.pix, &raw mut confidence, 0, 0, 0) };
        (failed == 0 && f32::is_finite(confidence)).then_some(confidence)
    }
}

impl Bilevel {
    /// Width and height, in pixels, of each thing whose ink hangs together, corners too: letters, rules, specks.
    pub fn things(&self) -> Vec<(u32, u32)> {
        // SAFETY: `pix` is a live 1-bit picture, which the call does not change; the result is null or boxes that are ours
        // until `boxaDestroy` below.
        let mut boxes = unsafe { pixConnCompBB(self.pix, 8) };
        if boxes.is_null() {
            return Vec::new();
        }
        // SAFETY: `boxes` is live.
        let count = unsafe { boxaGetCount(boxes) };
        let things = (0..count)
            .filter_map(|at| {
                let (mut left, mut top, mut width, mut height) = (0, 0, 0, 0);
                // SAFETY: `boxes` is live, and the results point to live integers.
                let failed = unsafe {
                    boxaGetBoxGeometry(boxes, at, &raw mut left, &raw mut top, &raw mut width, &raw mut height)
                };
                (failed == 0).then_some((u32::try_from(width).ok()?, u32::try_from(height).ok()?))
            })
            .collect();
        // SAFETY: `boxes` came from `pixConnCompBB` and is not used again.
        unsafe { boxaDestroy(&raw mut boxes) };
        things
    }
}

impl Drop for Bilevel {
    fn drop(&mut self) {
        // SAFETY: `pix` came from `pixCreate` and is destroyed here only; the call sets it to null.
        unsafe { pixDestroy(&raw mut self.pix) };
    }
}
