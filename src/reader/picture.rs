//! A page as a grey picture with square pixels, and the few things that are done to one: scaling, turning, judging
//! whether anything is on it.
//!
//! Never touches files, never decides what a page says. Every size is checked by who makes the picture
//! ([`super::render`]), so that nothing here allocates more than was allowed there.

use crate::document::Bounds;

/// 8-bit grey, row-major, square pixels; 0 is ink, 255 is paper.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Picture {
    /// Pixels.
    pub width: u32,
    /// Pixels.
    pub height: u32,
    /// Dots an inch, equal both ways.
    pub resolution: u32,
    /// `width * height` bytes.
    pub pixels: Vec<u8>,
}

/// Below this a pixel counts as ink wherever a picture is looked at in black and white.
pub const INK: u8 = 128;

/// The part of the top (and of the bottom) of a page where a fax machine prints its own header line: straight, within the
/// first third of an inch. Paper has its own words from half an inch on.
const HEADER_INCHES: f32 = 0.4;

/// Blocks of this many pixels an inch are looked at when a page is judged blank: one holds a character or two.
const BLOCKS_PER_INCH: u32 = 10;

impl Picture {
    /// An empty white page.
    pub fn white(width: u32, height: u32, resolution: u32) -> Self {
        Self { width, height, resolution, pixels: vec![255; width as usize * height as usize] }
    }

    /// One row's pixels; empty below the last.
    pub fn row(&self, y: u32) -> &[u8] {
        let start = y as usize * self.width as usize;
        self.pixels.get(start..start + self.width as usize).unwrap_or(&[])
    }

    /// Makes a part of it paper.
    pub fn wipe(&mut self, part: Bounds) {
        let (from, to) = (part.left.min(self.width) as usize, part.right().min(self.width) as usize);
        for y in part.top..part.bottom().min(self.height) {
            let start = y as usize * self.width as usize;
            if let Some(row) = self.pixels.get_mut(start + from..start + to) {
                row.fill(255);
            }
        }
    }

    /// Which pixels are ink, but for straight runs longer than this: rules of forms.
    pub fn ink_without_rules(&self, longest: usize) -> Vec<bool> {
        let width = (self.width as usize).max(1);
        let original: Vec<bool> = self.pixels.iter().map(|&pixel| pixel < INK).collect();
        let mut ink = original.clone();
        for (row, kept) in original.chunks_exact(width).zip(ink.chunks_exact_mut(width)) {
            let mut from = 0;
            for (end, _) in row.iter().enumerate().filter(|(_, ink)| !**ink).chain([(width, &false)]) {
                if end - from > longest
                    && let Some(rule) = kept.get_mut(from..end)
                {
                    rule.fill(false);
                }
                from = end + 1;
            }
        }
        // Row by row, as the pixels lie in memory: how long the run above each pixel is.
        let mut above = vec![0_usize; width];
        let rows = original.len() / width;
        for end in 0..=rows {
            let row = original.get(end * width..(end + 1) * width);
            for (column, length) in above.iter_mut().enumerate() {
                if row.is_some_and(|row| row.get(column) == Some(&true)) {
                    *length += 1;
                    continue;
                }
                if *length > longest {
                    for gone in end - *length..end {
                        if let Some(pixel) = ink.get_mut(gone * width + column) {
                            *pixel = false;
                        }
                    }
                }
                *length = 0;
            }
        }
        ink
    }

    /// Scaled to the size and resolution given: linear between pixels when it grows, area averages when it shrinks.
    #[must_use]
    pub fn scaled(self, width: u32, height: u32, resolution: u32) -> Self {
        let mut picture = self;
        if height != picture.height && picture.height > 0 {
            picture.pixels = scale_rows(&picture.pixels, picture.width as usize, picture.height, height);
            picture.height = height;
        }
        if width != picture.width && picture.width > 0 {
            picture.pixels = scale_columns(&picture.pixels, picture.width, width);
            picture.width = width;
        }
        picture.resolution = resolution;
        picture
    }

    /// Turned clockwise by a quarter turn, `quarters` times.
    #[must_use]
    pub fn turned(self, quarters: u32) -> Self {
        let (width, height) = (self.width as usize, self.height as usize);
        match quarters % 4 {
            0 => self,
            2 => {
                let mut picture = self;
                picture.pixels.reverse();
                picture
            }
            quarter => {
                // Tiles keep both the reads and the writes within the cache.
                const TILE: usize = 32;
                let mut pixels = vec![255; self.pixels.len()];
                for top in (0..height).step_by(TILE) {
                    for left in (0..width).step_by(TILE) {
                        for y in top..(top + TILE).min(height) {
                            for x in left..(left + TILE).min(width) {
                                let target = if quarter == 1 {
                                    x * height + (height - 1 - y)
                                } else {
                                    (width - 1 - x) * height + y
                                };
                                if let (Some(to), Some(from)) = (pixels.get_mut(target), self.pixels.get(y * width + x))
                                {
                                    *to = *from;
                                }
                            }
                        }
                    }
                }
                Self { width: self.height, height: self.width, resolution: self.resolution, pixels }
            }
        }
    }

    /// Whether nothing is on the page that a person would read: specks, a fax header or footer line, and the black
    /// or streaked edges of a scan apart.
    ///
    /// Errs towards "not blank": a page wrongly read costs a second, a page wrongly skipped is lost.
    pub fn is_blank(&self) -> bool {
        let block = (self.resolution / BLOCKS_PER_INCH).max(4);
        let margin = (self.resolution as f32 * HEADER_INCHES) as u32;
        if self.height <= 2 * margin {
            return !self.pixels.iter().any(|&pixel| pixel < INK);
        }
        // A block counts as written when a twentieth of it is ink (a thin stroke across it is more than that) and as
        // a shadow or a bar when nearly all of it is.
        let (columns, rows) = (self.width / block, (self.height - 2 * margin) / block);
        let mut written = vec![false; columns as usize * rows as usize];
        for row in 0..rows {
            for column in 0..columns {
                let ink: usize = (0..block)
                    .map(|y| {
                        let line = self.row(margin + row * block + y);
                        let from = (column * block) as usize;
                        line.get(from..from + block as usize)
                            .map_or(0, |part| part.iter().filter(|&&pixel| pixel < INK).count())
                    })
                    .sum();
                let area = (block * block) as usize;
                if let Some(flag) = written.get_mut((row * columns + column) as usize) {
                    *flag = ink * 20 >= area && ink * 10 < area * 9;
                }
            }
        }
        // A streak of the scanner fills a whole column of blocks; words fill rows. Only what has a written neighbour
        // to the side counts: a speck has none, and neither has a streak.
        let words = (0..rows)
            .flat_map(|row| (1..columns.saturating_sub(1)).map(move |column| (row * columns + column) as usize))
            .filter(|&at| {
                let flag = |index: usize| written.get(index).copied().unwrap_or(false);
                flag(at) && (flag(at - 1) || flag(at + 1))
            })
            .count();
        // "N/A" alone is about four blocks at ten to the inch.
        words < 3
    }
}

/// The dots an inch that a picture most likely has, when it does not say or says nonsense: `(across, down)`.
///
/// Fax widths are fixed by T.4 (1728 pixels are an A4 or letter line at 204 an inch, 2048 B4, 2432 A3; twice that in
/// superfine), and the height of a page tells the vertical one: 98, 196 or 391. Anything else is taken as a page
/// 8.5 inches wide (11 when it lies on its side).
pub fn judged_resolution(width: u32, height: u32) -> (u32, u32) {
    let Some(across) = fax_dots_across(width) else {
        let inches = if width > height { 11.0 } else { 8.5 };
        let dots = ((width as f32 / inches).round() as u32).clamp(50, 1200);
        return (dots, dots);
    };
    if across == 305 {
        return (300, 300);
    }
    // Letter and A4 pages are 1.29 and 1.41 as high as wide.
    let inches_wide = width as f32 / across as f32;
    let down = [98_u32, 196, 391]
        .into_iter()
        .min_by(|&a, &b| {
            let off = |dots: u32| ((height as f32 / dots as f32 / inches_wide) / 1.3).ln().abs();
            off(a).total_cmp(&off(b))
        })
        .unwrap_or(196);
    (across, down)
}

/// The dots an inch across of a page as wide as a fax; `None` for any other width.
pub fn fax_dots_across(width: u32) -> Option<u32> {
    match width {
        1728 | 2048 | 2432 => Some(204),
        2592 | 3072 | 3648 => Some(305),
        3456 | 4096 | 4864 => Some(408),
        _ => None,
    }
}

/// The resolution to which a page of `(across, down)` dots an inch is brought.
///
/// The larger of both, so that nothing is lost; but recognition gains nothing above 300, and pages below 130 are
/// enlarged, since recognition wants letters of some 20 pixels.
pub fn square_resolution(across: u32, down: u32) -> u32 {
    let (smaller, larger) = (across.min(down).max(1), across.max(down).max(1));
    if larger < 130 {
        larger * 2
    } else if larger <= 320 {
        larger
    } else if (190..=320).contains(&smaller) {
        smaller
    } else {
        // 391, 400, 408, 600: a whole divisor keeps strokes even.
        larger / larger.div_ceil(320)
    }
}

/// For each target line: the first source line and the weights (sum 256) of it and those that follow.
fn weights(from: u32, to: u32) -> Vec<(usize, Vec<u32>)> {
    let step = f64::from(from) / f64::from(to);
    (0..to)
        .map(|index| {
            let centre = (f64::from(index) + 0.5) * step - 0.5;
            // A triangle one source line wide to each side when growing, `step` lines when shrinking.
            let reach = step.max(1.0);
            let first = (centre - reach).ceil().max(0.0) as usize;
            let last = ((centre + reach).floor() as usize).min(from as usize - 1);
            let raw: Vec<f64> =
                (first..=last).map(|line| (1.0 - (line as f64 - centre).abs() / reach).max(0.0)).collect();
            let sum: f64 = raw.iter().sum();
            let mut parts: Vec<u32> = raw.iter().map(|part| (part / sum * 256.0).round() as u32).collect();
            // Rounding must not darken paper: the weights add up to 256 exactly.
            let excess = i64::from(parts.iter().sum::<u32>()) - 256;
            if let Some(largest) = parts.iter_mut().max() {
                *largest = (i64::from(*largest) - excess) as u32;
            }
            (first, parts)
        })
        .collect()
}

fn scale_rows(pixels: &[u8], width: usize, from: u32, to: u32) -> Vec<u8> {
    let mut scaled = Vec::with_capacity(width * to as usize);
    let mut sums = vec![0_u32; width];
    for (first, parts) in weights(from, to) {
        sums.fill(128);
        for (offset, &part) in parts.iter().enumerate() {
            let start = (first + offset) * width;
            let row = pixels.get(start..start + width).unwrap_or(&[]);
            for (sum, &pixel) in sums.iter_mut().zip(row) {
                *sum += part * u32::from(pixel);
            }
        }
        scaled.extend(sums.iter().map(|&sum| (sum >> 8) as u8));
    }
    scaled
}

fn scale_columns(pixels: &[u8], from: u32, to: u32) -> Vec<u8> {
    let table = weights(from, to);
    let mut scaled = Vec::with_capacity(pixels.len() / from as usize * to as usize);
    for row in pixels.chunks_exact(from as usize) {
        scaled.extend(table.iter().map(|(first, parts)| {
            let sum: u32 =
                row.get(*first..).unwrap_or(&[]).iter().zip(parts).map(|(&pixel, &part)| part * u32::from(pixel)).sum();
            ((sum + 128) >> 8) as u8
        }));
    }
    scaled
}

/// Draws a black rectangle, for tests.
#[cfg(test)]
pub(super) fn fill(picture: &mut Picture, left: u32, top: u32, width: u32, height: u32) {
    for y in top..top + height {
        let start = (y * picture.width + left) as usize;
        picture.pixels[start..start + width as usize].fill(0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A line of strokes that is about as dense as print.
    fn with_word(picture: &mut Picture, left: u32, top: u32) {
        for stroke in 0..6 {
            fill(picture, left + stroke * 14, top, 4, 24);
        }
    }

    #[test]
    fn white_stays_white_and_black_stays_black_when_scaled() {
        let white = Picture::white(100, 98, 98).scaled(141, 204, 204);
        assert_eq!((white.width, white.height), (141, 204));
        assert!(white.pixels.iter().all(|&pixel| pixel == 255));
        let mut black = Picture::white(1728, 391, 204);
        black.pixels.fill(0);
        assert!(black.scaled(1728, 204, 204).pixels.iter().all(|&pixel| pixel == 0));
    }

    #[test]
    fn four_quarter_turns_give_the_page_back() {
        let mut picture = Picture::white(70, 41, 200);
        fill(&mut picture, 3, 5, 20, 2);
        let once = picture.clone().turned(1);
        assert_eq!((once.width, once.height), (41, 70));
        // The left edge's top comes to the top edge's right.
        assert_eq!(once.row(3)[41 - 1 - 5], 0);
        assert_eq!(once.clone().turned(3), picture);
        assert_eq!(once.turned(1), picture.turned(2));
    }

    #[test]
    fn a_page_with_specks_a_header_line_and_a_streak_is_blank() {
        let mut picture = Picture::white(1728, 2283, 204);
        for step in 0..15 {
            with_word(&mut picture, 100 + step * 100, 20);
        }
        fill(&mut picture, 900, 0, 3, 2283);
        for step in 0..60 {
            fill(&mut picture, 40 + step * 23, 200 + step * 31, 3, 3);
        }
        assert!(picture.is_blank());
    }

    #[test]
    fn a_page_with_one_short_word_is_not_blank() {
        let mut picture = Picture::white(1728, 2283, 204);
        with_word(&mut picture, 700, 1100);
        assert!(!picture.is_blank());
    }

    /// A page as it comes: specks, a header line, black borders that are a little askew, a streak.
    fn dirty(resolution: (u32, u32), one_in: u32) -> Picture {
        let mut picture = Picture::white(1728, 11 * resolution.1, resolution.0);
        let mut state = 20_261_122_u64;
        for pixel in &mut picture.pixels {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            *pixel = if ((state >> 33) as u32).is_multiple_of(one_in) { 0 } else { 255 };
        }
        for step in 0..15 {
            for stroke in 0..6 {
                fill(&mut picture, 100 + step * 100 + stroke * 14, resolution.1 / 12, 4, resolution.1 / 10);
            }
        }
        let height = picture.height;
        for y in 0..height {
            fill(&mut picture, 0, y, 60 + y * 20 / height, 1);
            fill(&mut picture, 1690, y, 38, 1);
        }
        fill(&mut picture, 0, height - resolution.1 / 5, 1728, resolution.1 / 5);
        fill(&mut picture, 900, 0, 3, height);
        let squared = resolution.0 * 11;
        picture.scaled(1728, squared, resolution.0)
    }

    #[test]
    fn dirt_borders_and_a_header_line_leave_a_page_blank_at_either_resolution() {
        for resolution in [(204, 98), (204, 196)] {
            for one_in in [1_000, 200, 100] {
                assert!(dirty(resolution, one_in).is_blank(), "{resolution:?}, 1 in {one_in}");
            }
        }
    }

    #[test]
    fn little_on_a_dirty_page_is_not_nothing() {
        for resolution in [(204, 98), (204, 196)] {
            let word = |left, top| {
                let mut page = dirty(resolution, 500);
                with_word(&mut page, left, top);
                page
            };
            assert!(!word(700, 1100).is_blank() && !word(150, 1900).is_blank(), "{resolution:?}");
            // The last line of a letter, at the top margin of its last page.
            assert!(!word(150, 104).is_blank(), "{resolution:?}");
            let mut box_alone = dirty(resolution, 500);
            for (left, top, width, height) in
                [(310, 905, 26, 3), (310, 928, 26, 3), (310, 905, 3, 26), (333, 905, 3, 26)]
            {
                fill(&mut box_alone, left, top, width, height);
            }
            assert!(!box_alone.is_blank(), "a check box, {resolution:?}");
            let mut signature = dirty(resolution, 500);
            for step in 0..160_u32 {
                let y = 1500 + (step * 7 % 60).abs_diff(30);
                fill(&mut signature, 900 + step * 2, y, 2, 3);
            }
            assert!(!signature.is_blank(), "a faint signature, {resolution:?}");
        }
    }

    #[test]
    fn a_fax_that_does_not_tell_its_resolution_is_judged_by_its_size() {
        assert_eq!(judged_resolution(1728, 1078), (204, 98));
        assert_eq!(judged_resolution(1728, 1146), (204, 98));
        assert_eq!(judged_resolution(1728, 2292), (204, 196));
        assert_eq!(judged_resolution(1728, 4300), (204, 391));
        assert_eq!(judged_resolution(1700, 2200), (200, 200));
        assert_eq!(judged_resolution(2550, 3300), (300, 300));
    }

    #[test]
    fn pages_are_brought_to_a_resolution_that_recognition_likes() {
        assert_eq!(square_resolution(204, 98), 204);
        assert_eq!(square_resolution(204, 391), 204);
        assert_eq!(square_resolution(408, 391), 204);
        assert_eq!(square_resolution(300, 300), 300);
        assert_eq!(square_resolution(600, 600), 300);
        assert_eq!(square_resolution(96, 96), 192);
    }
}
