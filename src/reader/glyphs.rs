//! The text of a PDF page, letter by letter, as its instructions place it: what [`super::layer`] judges. Beside
//! [`super::pdf`], whose walk over the page brings the letters here.
//!
//! Only gathers. What a letter is said to be and where it is said to stand may both be lies, and it may not be seen.

use std::collections::HashMap;

use hayro::hayro_interpret::font::{Glyph as Drawn, GlyphRun, OutlineGlyph};
use hayro::hayro_interpret::hayro_cmap::BfString;
use hayro::hayro_interpret::{DrawMode, DrawProps, Paint};
use hayro::kurbo::{self, PathEl};

use super::layer::{Glyph, Shape, TextLayer};

/// Letters on one page: a dense one has some 6,000.
const MOST_GLYPHS: usize = 20_000;
/// Corners of all shapes together: 300 letters of elaborate fonts have some 30,000.
const MOST_CORNERS: usize = 400_000;
/// How far an outline may be from its curve, in thousandths of an em: a sixth of a pixel in print of 12 points.
const FLATNESS: f64 = 5.0;
/// Paint darker than this (of 255) gives ink.
const DARK: u32 = 112;

/// The letters met so far on a page.
#[derive(Default)]
pub(super) struct Gathered {
    shapes: Vec<Shape>,
    known: HashMap<u128, usize>,
    glyphs: Vec<Glyph>,
    corners: usize,
    too_many: bool,
}

impl Gathered {
    /// Takes in what one instruction shows.
    pub fn add(&mut self, run: &GlyphRun<'_, '_>, props: &DrawProps<'_>, mode: &DrawMode) {
        let filled = matches!(mode, DrawMode::Fill(_) | DrawMode::FillAndStroke(..));
        let dark = filled && is_dark(&props.paint);
        for glyph in run.glyphs() {
            if self.glyphs.len() >= MOST_GLYPHS || self.corners > MOST_CORNERS {
                self.too_many = true;
                return;
            }
            let drawn: &Drawn<'_> = glyph;
            let text = match drawn.as_unicode() {
                Some(BfString::Char(letter)) => letter.to_string(),
                Some(BfString::String(letters)) => letters,
                None => String::new(),
            };
            let (shape, advance) = match drawn {
                Drawn::Outline(outline) => (Some(self.shape(outline)), outline.advance_width()),
                Drawn::Type3(letter) => (None, letter.advance_width()),
            };
            let place = (props.transform * glyph.transform()).as_coeffs().map(|part| part as f32);
            self.glyphs.push(Glyph { text, shape, place, advance: advance.unwrap_or(0.0), dark });
        }
    }

    fn shape(&mut self, outline: &OutlineGlyph) -> usize {
        let key = outline.identifier().cache_key();
        if let Some(&known) = self.known.get(&key) {
            return known;
        }
        let shape = flattened(outline);
        self.corners += shape.contours.iter().map(Vec::len).sum::<usize>();
        self.shapes.push(shape);
        self.known.insert(key, self.shapes.len() - 1);
        self.shapes.len() - 1
    }

    /// The page's layer; `None` when it has no letters, or more than a page holds. `width`, `height`: points of the page
    /// as it is shown.
    pub fn into_layer(self, width: f64, height: f64) -> Option<TextLayer> {
        let usable = !self.too_many && self.glyphs.iter().any(|glyph| !glyph.text.trim().is_empty());
        let Self { shapes, glyphs, .. } = self;
        usable.then_some(TextLayer { width: width as f32, height: height as f32, shapes, glyphs })
    }
}

fn flattened(outline: &OutlineGlyph) -> Shape {
    let mut contours: Vec<Vec<[f32; 2]>> = Vec::new();
    kurbo::flatten(outline.outline(), FLATNESS, |element| match element {
        PathEl::MoveTo(point) => contours.push(vec![[point.x as f32, point.y as f32]]),
        PathEl::LineTo(point) => {
            if let Some(contour) = contours.last_mut() {
                contour.push([point.x as f32, point.y as f32]);
            }
        }
        // Flattened paths have no curves; every contour is closed by whoever fills it.
        PathEl::QuadTo(..) | PathEl::CurveTo(..) | PathEl::ClosePath => {}
    });
    contours.retain(|contour| contour.len() > 2);
    Shape { contours }
}

fn is_dark(paint: &Paint) -> bool {
    match paint {
        Paint::Color(color) => {
            let [red, green, blue, alpha] = color.to_rgba().to_rgba8().map(u32::from);
            alpha == 255 && (red * 299 + green * 587 + blue * 114) / 1000 < DARK
        }
        Paint::Pattern(_) => false,
    }
}
