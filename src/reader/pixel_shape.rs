//! How much higher than wide the dots of a fax are, told from its letters where its file says nothing of it, or something
//! that makes no sheet of paper.
//!
//! Fax servers lose the vertical resolution, or write one of their own liking; a page taken for twice as fine as it is has
//! letters half as high as they are wide, and is hardly read. Letters are about as wide as high in every script that is
//! typed, so their shape tells by which power of two the rows are off. A page with too few of them is left as it is
//! stated.

use super::leptonica::Bilevel;
use super::picture::{INK, fax_dots_across, judged_resolution};

/// How much higher than wide sheets are: from letter (1.29) to legal (1.65), some longer for the line that machines add.
const SHEETS: std::ops::RangeInclusive<f32> = 1.2..=1.75;

/// Inches a letter is wide, of six points to twenty: wider things are words run together, narrower ones are specks.
const LETTER_WIDE: std::ops::Range<f32> = 0.03..0.2;
/// Inches that a letter may seem to be high, with rows up to four times too near or too far.
const LETTER_HIGH: std::ops::Range<f32> = 0.012..0.8;
/// Letters that make a page tell.
const LEAST_LETTERS: usize = 60;

/// How wide for their height letters are, in the middle: of 230 pages of faxes (204 x 98 and 204 x 196, clean to copies of
/// copies) 0.58 to 0.79 upright, up to 1.4 where the page lies on its side.
const USUAL: f32 = 0.72;
/// Above the one letters are flat: rows are too near, or the page lies on its side. Below the other they are tall: rows are
/// too far.
const FLAT: f32 = 1.1;
const TALL: f32 = 0.48;

/// The dots an inch of a page, `(across, down)`: as stated where that makes a sheet of paper, else what its size tells, and
/// for the widths of faxes its letters. `pixels`: 8-bit grey, row-major; 0 is ink. `stated`: what its file says, if that
/// makes sense of its width.
pub(super) fn resolution((width, height): (u32, u32), pixels: &[u8], stated: Option<(u32, u32)>) -> (u32, u32) {
    let given = stated.unwrap_or_else(|| judged_resolution(width, height));
    let is_sheet = is_sheet((width, height), given);
    if fax_dots_across(width).is_none() || (is_sheet && stated.is_some()) {
        return given;
    }
    match Bilevel::of_pixels(width, height, pixels, INK).and_then(|page| letter_shape(&page, given)) {
        // A whole sheet with flat letters lies on its side.
        Some(shape) if shape < TALL || (shape > FLAT && !is_sheet) => with_rows(given, shape),
        Some(_) | None => given,
    }
}

fn is_sheet((width, height): (u32, u32), (across, down): (u32, u32)) -> bool {
    let inches = |length: u32, dots: u32| length as f32 / dots.max(1) as f32;
    SHEETS.contains(&(inches(height, down) / inches(width, across)))
}

/// With as many more or fewer rows an inch, by a power of two, as make letters of this shape usual ones.
fn with_rows((across, down): (u32, u32), shape: f32) -> (u32, u32) {
    // More rows an inch make a letter less high.
    let off = |times: f32| (shape * times / USUAL).ln().abs();
    let times = [0.25, 0.5, 2.0, 4.0].into_iter().min_by(|a, b| off(*a).total_cmp(&off(*b))).unwrap_or(1.0);
    (across, ((down as f32 * times).round() as u32).max(1))
}

/// How wide for their height the letters of a page are, in the middle; `None` if it holds too few.
fn letter_shape(page: &Bilevel, (across, down): (u32, u32)) -> Option<f32> {
    let mut shapes: Vec<f32> = page
        .things()
        .into_iter()
        .map(|(width, height)| (width as f32 / across.max(1) as f32, height as f32 / down.max(1) as f32))
        .filter(|(wide, high)| LETTER_WIDE.contains(wide) && LETTER_HIGH.contains(high))
        .map(|(wide, high)| wide / high)
        .collect();
    shapes.sort_by(f32::total_cmp);
    if shapes.len() < LEAST_LETTERS { None } else { shapes.get(shapes.len() / 2).copied() }
}
