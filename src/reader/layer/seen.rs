//! Whether a letter that the layer places is what the picture shows there.
//!
//! The layer's outlines are filled in pixels and compared with the picture's ink. White on white, drawn over, outside the
//! page, blanked out, under a picture: whatever hides a letter or makes another of it shows as ink that is missing, or
//! as ink that nothing accounts for.

use super::{Glyph, TextLayer};
use crate::reader::picture::{INK, Picture};

/// Where ink should be, it may be as light as this: strokes thinner than a pixel come out grey.
const FAINT: u8 = 208;
/// Share of a letter's ink that may be missing, and that may be too much: hinting moves strokes by less than a pixel, which
/// is not counted at all. What makes an 8 of a 3 is a fifth of it.
const AMISS: f32 = 0.08;

/// What of a page's ink the layer's letters account for: one byte a pixel, 1 where one should be.
pub(super) struct Accounted {
    width: usize,
    height: usize,
    ink: Vec<u8>,
}

impl Accounted {
    /// Of all letters of the layer that can be seen.
    pub fn by(layer: &TextLayer, picture: &Picture, across: f32, down: f32) -> Self {
        let (width, height) = (picture.width as usize, picture.height as usize);
        let mut ink = vec![0_u8; width * height];
        for glyph in layer.glyphs.iter().filter(|glyph| glyph.dark && glyph.shape.is_some()) {
            fill(layer, glyph, across, down, (width, height), |y, from, to| {
                if let Some(row) = ink.get_mut(y * width + from..y * width + to) {
                    row.fill(1);
                }
            });
        }
        Self { width, height, ink }
    }

    /// Whether a pixel or one beside it is a letter's.
    fn near(&self, x: usize, y: usize) -> bool {
        beside(x, y, self.width, self.height).any(|at| self.ink.get(at) == Some(&1))
    }

    /// Whether the picture shows this letter as it is placed.
    pub fn shows(&self, layer: &TextLayer, glyph: &Glyph, picture: &Picture, across: f32, down: f32) -> bool {
        let (mut all, mut missing) = (0_u32, 0_u32);
        let (mut left, mut right, mut top, mut bottom) = (self.width, 0, self.height, 0);
        fill(layer, glyph, across, down, (self.width, self.height), |y, from, to| {
            (left, right) = (left.min(from), right.max(to));
            (top, bottom) = (top.min(y), bottom.max(y + 1));
            for x in from..to {
                all += 1;
                let inked = beside(x, y, self.width, self.height)
                    .any(|at| picture.pixels.get(at).is_some_and(|&pixel| pixel < FAINT));
                missing += u32::from(!inked);
            }
        });
        if all == 0 {
            return false;
        }
        let mut strange = 0;
        for y in top..bottom {
            for x in left..right {
                let inked = picture.pixels.get(y * self.width + x).is_some_and(|&pixel| pixel < INK);
                strange += u32::from(inked && !self.near(x, y));
            }
        }
        let most = (all as f32 * AMISS).max(2.0);
        missing as f32 <= most && strange as f32 <= most
    }

    /// Takes a letter's ink off a picture, with the grey about it.
    pub fn wipe(layer: &TextLayer, glyph: &Glyph, picture: &mut Picture, across: f32, down: f32) {
        const ABOUT: usize = 2;
        let (width, height) = (picture.width as usize, picture.height as usize);
        let pixels = &mut picture.pixels;
        fill(layer, glyph, across, down, (width, height), |y, from, to| {
            for y in y.saturating_sub(ABOUT)..(y + ABOUT + 1).min(height) {
                let (from, to) = (from.saturating_sub(ABOUT), (to + ABOUT).min(width));
                if let Some(row) = pixels.get_mut(y * width + from..y * width + to) {
                    row.fill(255);
                }
            }
        });
    }
}

/// A pixel and those about it, by their place in the page.
fn beside(x: usize, y: usize, width: usize, height: usize) -> impl Iterator<Item = usize> {
    (y.saturating_sub(1)..(y + 2).min(height))
        .flat_map(move |y| (x.saturating_sub(1)..(x + 2).min(width)).map(move |x| y * width + x))
}

/// Calls `span` with `(row, from, to)` for each run of pixels whose middle lies within the letter, by the nonzero winding
/// rule (ISO 32000-1, 8.5.3.3.2).
fn fill(
    layer: &TextLayer,
    glyph: &Glyph,
    across: f32,
    down: f32,
    (width, height): (usize, usize),
    mut span: impl FnMut(usize, usize, usize),
) {
    let contours: Vec<Vec<[f32; 2]>> = layer.outline(glyph, across, down).map(Iterator::collect).collect();
    let corners = || contours.iter().flatten();
    if corners().any(|[x, y]| !x.is_finite() || !y.is_finite()) {
        return;
    }
    let top = corners().map(|corner| corner[1]).fold(f32::MAX, f32::min).max(0.0) as usize;
    let bottom = (corners().map(|corner| corner[1]).fold(0.0, f32::max).ceil() as usize).min(height);
    let mut crossings: Vec<(f32, i32)> = Vec::new();
    for y in top..bottom {
        let middle = y as f32 + 0.5;
        crossings.clear();
        for contour in &contours {
            let next = contour.iter().skip(1).chain(contour.first());
            for (&[x0, y0], &[x1, y1]) in contour.iter().zip(next) {
                if (y0 <= middle) != (y1 <= middle) {
                    let x = x0 + (middle - y0) / (y1 - y0) * (x1 - x0);
                    crossings.push((x, if y1 > y0 { 1 } else { -1 }));
                }
            }
        }
        crossings.sort_by(|a, b| a.0.total_cmp(&b.0));
        let mut winding = 0;
        let mut began = 0.0;
        for &(x, direction) in &crossings {
            if winding == 0 {
                began = x;
            }
            winding += direction;
            if winding == 0 {
                let from = ((began - 0.5).ceil().max(0.0) as usize).min(width);
                let to = ((x - 0.5).ceil().max(0.0) as usize).min(width);
                if from < to {
                    span(y, from, to);
                }
            }
        }
    }
}

/// Whether a shape is a dot, a dash, a bullet or the like, whatever it is said to be: low and nearly filled, as no letter and no
/// digit is.
pub(super) fn is_mark(contours: &[Vec<[f32; 2]>]) -> bool {
    let corners = || contours.iter().flatten();
    let side = |at: usize| {
        let part = |corner: &[f32; 2]| corner.get(at).copied().unwrap_or(0.0);
        corners().map(part).fold(f32::MIN, f32::max) - corners().map(part).fold(f32::MAX, f32::min)
    };
    let (wide, high) = (side(0), side(1));
    let area: f32 = contours
        .iter()
        .map(|contour| {
            let next = contour.iter().skip(1).chain(contour.first());
            contour.iter().zip(next).map(|(a, b)| a[0] * b[1] - b[0] * a[1]).sum::<f32>() / 2.0
        })
        .sum::<f32>()
        .abs();
    !contours.is_empty() && high < 400.0 && (area > 0.6 * wide * high || (high < 250.0 && area > 0.4 * wide * high))
}
