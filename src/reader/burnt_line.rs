//! The line that fax machines burn into the top of each page, where the page was turned to be read.
//!
//! The machine prints it as the sheet goes through, so on a sheet that went in upside down or on its side it stands
//! the other way round than the rest, and the recognition of the upright page makes rubbish of it. Here it is read by
//! itself, on a strip of the page as it came, and its words take the place of that rubbish.

use super::picture::{INK, Picture};
use super::tesseract::{Engine, RecognitionError};
use crate::document::{Bounds, Page, Word};

/// Inches from the page's top within which the line stands, and its least and greatest height with its specks.
const BAND: f32 = 0.45;
const LEAST_HEIGHT: f32 = 0.04;
const GREATEST_HEIGHT: f32 = 0.25;
/// A row belongs to a line when it has this much ink, in inches: more than specks and streaks make.
const INKED: f32 = 0.06;
/// Inches of paper left around it.
const MARGIN: f32 = 0.06;

/// The line is believed from so many words, of so many well-read ones in all, and a digit: it tells a time and a number.
const LEAST_WORDS: usize = 3;
const WELL_READ: f32 = 0.6;
const LEAST_WELL_READ: f32 = 0.7;

/// Reads the line on `original`, the page as it came, and puts it in the place of what was read there on the upright
/// page. Leaves a page alone that was not turned, or that has no such line.
pub fn read_again(page: &mut Page, original: &Picture, engine: &mut Engine) -> Result<(), RecognitionError> {
    if page.turned == 0 {
        return Ok(());
    }
    let Some((top, strip)) = strip(original) else { return Ok(()) };
    let words = engine.recognise_block(&super::straighten::softened(strip))?;
    let well_read = words.iter().filter(|word| word.confidence >= WELL_READ).count();
    let tells_a_number = words.iter().any(|word| word.text.chars().filter(char::is_ascii_digit).count() >= 4);
    if words.len() < LEAST_WORDS || (well_read as f32) < LEAST_WELL_READ * words.len() as f32 || !tells_a_number {
        return Ok(());
    }
    let place =
        Place { width: original.width, height: original.height, turned: page.turned, degrees: page.straightened };
    let on_page = |word: Word| {
        let bounds = Bounds { top: word.bounds.top + top, ..word.bounds };
        Word { bounds: place.upright(bounds, page.width, page.height), ..word }
    };
    let words: Vec<Word> = words.into_iter().map(on_page).collect();
    page.words.retain(|old| !words.iter().any(|new| stands_in(old.bounds, new.bounds)));
    let line = page.words.last().map_or(0, |word| word.line + 1);
    let first = words.first().map_or(0, |word| word.line);
    page.words.extend(words.into_iter().map(|word| Word { line: line + (word.line - first), ..word }));
    Ok(())
}

/// The first line of print within the band, and the row of the page where the strip starts.
fn strip(picture: &Picture) -> Option<(u32, Picture)> {
    let inches = |length: f32| (picture.resolution as f32 * length).round() as u32;
    let inked = |y: u32| picture.row(y).iter().filter(|&&pixel| pixel < INK).count() as u32 >= inches(INKED).max(1);
    let band = inches(BAND).min(picture.height);
    let top = (0..band).find(|&y| inked(y))?;
    let bottom = (top..(band + inches(GREATEST_HEIGHT)).min(picture.height)).find(|&y| !inked(y))?;
    if !(inches(LEAST_HEIGHT)..=inches(GREATEST_HEIGHT)).contains(&(bottom - top)) {
        return None;
    }
    let margin = inches(MARGIN);
    let from = top.saturating_sub(margin);
    let to = (bottom + margin).min(picture.height);
    // White above and below too: the library reads no line at a picture's very edge.
    let mut strip = Picture::white(picture.width, to - from + 2 * margin, picture.resolution);
    let width = picture.width as usize;
    let pixels = picture.pixels.get(from as usize * width..to as usize * width)?;
    strip.pixels.get_mut(margin as usize * width..)?.get_mut(..pixels.len())?.copy_from_slice(pixels);
    if from < margin {
        // Boxes are counted from the page's top, which lies inside the strip then.
        let mut shifted = Picture::white(picture.width, strip.height - (margin - from), picture.resolution);
        shifted.pixels.copy_from_slice(strip.pixels.get((margin - from) as usize * width..)?);
        return Some((0, shifted));
    }
    Some((from - margin, strip))
}

/// Whether the middle of one box lies in the other, which is taken a little larger.
fn stands_in(inner: Bounds, outer: Bounds) -> bool {
    let (x, y) = (inner.left + inner.width / 2, inner.top + inner.height / 2);
    let slack = outer.height.min(outer.width) / 2;
    (outer.left.saturating_sub(slack)..=outer.left + outer.width + slack).contains(&x)
        && (outer.top.saturating_sub(slack)..=outer.top + outer.height + slack).contains(&y)
}

/// How a page was brought upright.
struct Place {
    /// Of the page as it came.
    width: u32,
    height: u32,
    turned: u16,
    degrees: f32,
}

impl Place {
    /// The box that holds a box of the page as it came, on the upright page of the size given.
    fn upright(&self, bounds: Bounds, width: u32, height: u32) -> Bounds {
        let (left, top) = (bounds.left as f32, bounds.top as f32);
        let (right, bottom) = (left + bounds.width as f32, top + bounds.height as f32);
        let (wide, high) = (self.width as f32, self.height as f32);
        let (middle_x, middle_y) = (width as f32 / 2.0, height as f32 / 2.0);
        let (sine, cosine) = self.degrees.to_radians().sin_cos();
        let corners = [(left, top), (right, top), (left, bottom), (right, bottom)].map(|(x, y)| {
            let (x, y) = match self.turned {
                90 => (high - y, x),
                180 => (wide - x, high - y),
                270 => (y, wide - x),
                _ => (x, y),
            };
            let (x, y) = (x - middle_x, y - middle_y);
            (
                (middle_x + x * cosine - y * sine).clamp(0.0, width as f32),
                (middle_y + x * sine + y * cosine).clamp(0.0, height as f32),
            )
        });
        let least = |pick: fn(&(f32, f32)) -> f32| corners.iter().map(pick).fold(f32::MAX, f32::min);
        let most = |pick: fn(&(f32, f32)) -> f32| corners.iter().map(pick).fold(0.0, f32::max);
        let (left, top) = (least(|corner| corner.0), least(|corner| corner.1));
        Bounds {
            left: left as u32,
            top: top as u32,
            width: ((most(|corner| corner.0) - left) as u32).max(1),
            height: ((most(|corner| corner.1) - top) as u32).max(1),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_box_is_found_again_on_the_turned_page() {
        let bounds = Bounds { left: 10, top: 20, width: 30, height: 5 };
        let place = |turned: u16| Place { width: 200, height: 100, turned, degrees: 0.0 };
        assert_eq!(place(180).upright(bounds, 200, 100), Bounds { left: 160, top: 75, width: 30, height: 5 });
        assert_eq!(place(90).upright(bounds, 100, 200), Bounds { left: 75, top: 10, width: 5, height: 30 });
        assert_eq!(place(270).upright(bounds, 100, 200), Bounds { left: 20, top: 160, width: 5, height: 30 });
    }

    #[test]
    fn the_strip_holds_the_first_line_and_tells_where_it_lies() {
        let mut page = Picture::white(1000, 1300, 200);
        for (top, height) in [(30, 16), (70, 16)] {
            for y in top..top + height {
                page.pixels[y * 1000 + 100..y * 1000 + 300].fill(0);
            }
        }
        let (top, strip) = strip(&page).unwrap();
        let first = (0..strip.height).find(|&y| strip.row(y).contains(&0)).unwrap();
        let last = (0..strip.height).rfind(|&y| strip.row(y).contains(&0)).unwrap();
        assert_eq!((top + first, top + last), (30, 45));
        assert!(super::strip(&Picture::white(1000, 1300, 200)).is_none());
    }
}
