//! Makes a page ready for recognition: upright, straight, and its strokes softened.
//!
//! Says how sure it is of the turn, so that the caller can read a page again the other way round when its words come
//! out badly. Never crops; what disturbs recognition is taken away on the way ([`clean`]).

use super::clean::{self, Steps};
use super::leptonica::{Bilevel, Skew};
use super::picture::{INK, Picture};
use crate::document::PageFlag;

/// Skew is looked for up to this many degrees: sheets fed by hand seldom lie worse than by 10, and an angle at the end of
/// what is looked through is not believed.
const MOST_SKEW: f32 = 13.0;
/// Recognition copes with less skew than this, and turning costs sharpness.
const LEAST_SKEW: f32 = 0.3;
/// Leptonica's own bound for a skew worth believing.
const SKEW_CONFIDENCE: f32 = 3.0;

/// Askew by more, lines that run across and lines that run down look alike, until the page is straight.
const BLURRING_SKEW: f32 = 4.0;

/// A page is turned over only on this much evidence (in standard deviations): nearly all pages arrive upright.
const UPSIDE_DOWN: f32 = -3.0;
/// Between minus and plus this, recognition has to confirm what was decided.
const CERTAIN: f32 = 4.0;

/// Pages whose lines run down rather than across have this ratio (see [`lines_across`]) below the one; those that are
/// surely straight have it above the other.
const SIDEWAYS: f32 = 0.8;
const SURELY_ACROSS: f32 = 1.1;
const SURELY_SIDEWAYS: f32 = 0.6;

/// A page as recognition wants it.
#[derive(Debug)]
pub struct Prepared {
    /// Upright, deskewed, softened.
    pub picture: Picture,
    /// Degrees clockwise by which the page was turned: 0, 90, 180 or 270.
    pub turned: u16,
    /// Degrees clockwise by which it was straightened besides.
    pub straightened: f32,
    /// False when the page gave too little to tell which way is up.
    pub certain: bool,
    /// When that is so: the quarter turns clockwise, from the page as it came, that are likeliest next. Give them to
    /// [`prepare_turned`] if the page reads badly.
    pub second_guess: Option<u32>,
    /// [`PageFlag::Turned`] if it was turned.
    pub flags: Vec<PageFlag>,
}

/// Turns the page upright as far as that can be told, straightens and softens it.
pub fn prepare(picture: Picture) -> Prepared {
    prepare_with(picture, Steps::ALL)
}

/// As [`prepare`], with only some steps of the cleaning: to measure what each is worth.
pub fn prepare_with(picture: Picture, steps: Steps) -> Prepared {
    let threshold = ink_threshold(&picture);
    let picture = clean::as_scanned(picture, threshold, steps);
    let mut ratio = lines_across(&picture, threshold);
    let look = |picture: &Picture| {
        let bilevel = Bilevel::of(picture, threshold);
        let uprightness = bilevel.as_ref().and_then(Bilevel::uprightness).unwrap_or(0.0);
        (bilevel, uprightness)
    };
    let (mut bilevel, mut uprightness) = look(&picture);
    if ratio.is_some_and(|ratio| (SURELY_SIDEWAYS..SURELY_ACROSS).contains(&ratio))
        && let Some(skew) = bilevel.as_ref().and_then(|bilevel| bilevel.skew(MOST_SKEW))
        && skew.confidence >= SKEW_CONFIDENCE
        && skew.degrees.abs() >= BLURRING_SKEW
    {
        ratio = lines_across(&rotated(&picture, skew.degrees), threshold);
    }
    let mut picture = picture;
    let mut sideways = false;
    // Where to look next if the page reads badly: upside down, or on its side when its lines seem to run down.
    let mut other_quarters = 2;
    if ratio.is_some_and(|ratio| ratio < SIDEWAYS) {
        // A table with little in it looks so too; letters have to agree.
        let turned = picture.clone().turned(1);
        let (turned_bilevel, turned_uprightness) = look(&turned);
        let lines_sure = ratio.is_some_and(|ratio| ratio < SURELY_SIDEWAYS);
        let needed = if lines_sure { uprightness.abs() } else { uprightness.abs().max(CERTAIN) };
        sideways = turned_uprightness.abs() > needed;
        if sideways {
            (picture, bilevel, uprightness) = (turned, turned_bilevel, turned_uprightness);
        } else {
            other_quarters = if turned_uprightness < 0.0 { 3 } else { 1 };
        }
    }
    let axis_certain = match ratio {
        Some(ratio) if sideways => ratio < SURELY_SIDEWAYS,
        Some(ratio) => ratio > SURELY_ACROSS,
        None => false,
    };
    let skew = bilevel.as_ref().and_then(|bilevel| bilevel.skew(MOST_SKEW));
    drop(bilevel);
    // A page on its side was turned without knowing which way: no prior either way.
    let over = uprightness < if sideways { 0.0 } else { UPSIDE_DOWN };
    let certain = axis_certain && uprightness.abs() >= CERTAIN;
    let quarters = u32::from(sideways) + if over { 2 } else { 0 };
    let second_guess = if other_quarters == 2 { (quarters + 2) % 4 } else { other_quarters };
    let picture = picture.turned(if over { 2 } else { 0 });
    finish(picture, threshold, quarters, skew, (!certain).then_some(second_guess), steps)
}

/// The page turned clockwise by the quarter turns given whatever it looks like, straightened and softened: for the
/// second try when the first read badly. `steps` as in [`prepare_with`].
pub fn prepare_turned(picture: Picture, quarters: u32, steps: Steps) -> Prepared {
    let threshold = ink_threshold(&picture);
    let picture = clean::as_scanned(picture, threshold, steps).turned(quarters);
    let skew = Bilevel::of(&picture, threshold).and_then(|bilevel| bilevel.skew(MOST_SKEW));
    finish(picture, threshold, quarters % 4, skew, None, steps)
}

/// The page turned and straightened as it once was found to need, and not softened: for people. Word boxes lie in it.
pub fn repeated(picture: Picture, turned: u16, straightened: f32) -> Picture {
    let picture = picture.turned(u32::from(turned / 90));
    if straightened == 0.0 { picture } else { rotated(&picture, straightened) }
}

fn finish(
    picture: Picture,
    threshold: u8,
    quarters: u32,
    skew: Option<Skew>,
    second_guess: Option<u32>,
    steps: Steps,
) -> Prepared {
    let straightened = skew
        .filter(|skew| skew.confidence >= SKEW_CONFIDENCE && skew.degrees.abs() >= LEAST_SKEW)
        .map_or(0.0, |skew| skew.degrees);
    let picture = if straightened == 0.0 { picture } else { rotated(&picture, straightened) };
    let picture = clean::upright(picture, threshold, steps);
    Prepared {
        picture: softened(picture),
        turned: (quarters * 90) as u16,
        straightened,
        certain: second_guess.is_none(),
        second_guess,
        flags: if quarters == 0 { Vec::new() } else { vec![PageFlag::Turned] },
    }
}

/// The grey below which a pixel is ink: the middle for bilevel pages, Otsu's threshold for grey ones (N. Otsu, 1979:
/// the one that parts dark and light with the greatest variance between them).
pub fn ink_threshold(picture: &Picture) -> u8 {
    let mut histogram = [0_u64; 256];
    // A fourth of the rows is enough to know the paper.
    for row in picture.pixels.chunks(picture.width.max(1) as usize).step_by(4) {
        for &pixel in row {
            if let Some(count) = histogram.get_mut(usize::from(pixel)) {
                *count += 1;
            }
        }
    }
    let total: u64 = histogram.iter().sum();
    let grey: u64 = histogram.iter().skip(32).take(192).sum();
    if grey * 50 < total {
        return INK;
    }
    let weighted: f64 = histogram.iter().zip(0_u32..).map(|(&count, value)| count as f64 * f64::from(value)).sum();
    let (mut dark, mut dark_weighted) = (0.0, 0.0);
    let mut best = (0.0, INK);
    for (&count, value) in histogram.iter().zip(0_u8..=255) {
        dark += count as f64;
        dark_weighted += count as f64 * f64::from(value);
        let light = total as f64 - dark;
        if dark > 0.0 && light > 0.0 {
            let apart = dark_weighted / dark - (weighted - dark_weighted) / light;
            let between = dark * light * apart * apart;
            if between > best.0 {
                best = (between, value.saturating_add(1));
            }
        }
    }
    best.1.clamp(48, 208)
}

/// How much rather text lines run across the page than down it: above 1 across, below down; `None` for a page with
/// hardly anything on it.
///
/// Lines of text make the ink in a narrow upright band rise and fall sharply from row to row, and much less so the ink
/// in a lying band from column to column. Bands a few words wide make skew harmless; rules and edges of the scan, which
/// would outweigh all text, are left out first.
fn lines_across(picture: &Picture, threshold: u8) -> Option<f32> {
    /// Cells an inch: a line of print is some eight cells from the next.
    const CELLS: u32 = 50;
    /// Longer runs are rules, not words.
    const LONGEST_RUN: usize = 70;
    const BAND: usize = 36;

    let cell = (picture.resolution / CELLS).max(1);
    let (columns, rows) = ((picture.width / cell) as usize, (picture.height / cell) as usize);
    if columns < BAND || rows < BAND {
        return None;
    }
    let mut cells = vec![false; columns * rows];
    let mut counts = vec![0_u32; columns];
    // A fifth of a cell: a thin stroke through it.
    let least = (cell * cell).div_ceil(5);
    for (row, line) in cells.chunks_exact_mut(columns).enumerate() {
        counts.fill(0);
        for y in 0..cell {
            let pixels = picture.row(row as u32 * cell + y);
            for (count, group) in counts.iter_mut().zip(pixels.chunks_exact(cell as usize)) {
                *count += group.iter().map(|&pixel| u32::from(pixel < threshold)).sum::<u32>();
            }
        }
        for (flag, &count) in line.iter_mut().zip(&counts) {
            *flag = count >= least;
        }
    }
    let mut rules = vec![false; cells.len()];
    mark_long_runs(&cells, &mut rules, rows, columns, columns, 1, LONGEST_RUN);
    mark_long_runs(&cells, &mut rules, columns, rows, 1, columns, LONGEST_RUN);
    for (cell, rule) in cells.iter_mut().zip(rules) {
        *cell &= !rule;
    }
    let (across, ink) = unevenness(&cells, rows, columns, columns, 1, BAND);
    let (down, _) = unevenness(&cells, columns, rows, 1, columns, BAND);
    // A dozen words.
    (ink > 600 && down > 0).then(|| across as f32 / down as f32)
}

/// Marks runs longer than `longest` along each of `lines` lines of `length` cells; strides say how they lie in memory.
fn mark_long_runs(
    cells: &[bool],
    rules: &mut [bool],
    lines: usize,
    length: usize,
    line_stride: usize,
    stride: usize,
    longest: usize,
) {
    for line in 0..lines {
        let mut run = 0;
        for index in 0..=length {
            let at = line * line_stride + index * stride;
            if index < length && cells.get(at).copied().unwrap_or(false) {
                run += 1;
                continue;
            }
            if run > longest {
                for index in index - run..index {
                    if let Some(rule) = rules.get_mut(line * line_stride + index * stride) {
                        *rule = true;
                    }
                }
            }
            run = 0;
        }
    }
}

/// The sum of the squared differences between neighbouring lines' ink, band by band, and the ink counted.
fn unevenness(
    cells: &[bool],
    lines: usize,
    length: usize,
    line_stride: usize,
    stride: usize,
    band: usize,
) -> (u64, u64) {
    let (mut total, mut ink) = (0, 0);
    for start in (0..length - length % band).step_by(band) {
        let mut before = 0_u64;
        for line in 0..lines {
            let here = (start..start + band)
                .filter(|index| cells.get(line * line_stride + index * stride).copied().unwrap_or(false))
                .count() as u64;
            ink += here;
            total += here.abs_diff(before).pow(2);
            before = here;
        }
    }
    (total, ink)
}

/// Turned clockwise by a small angle about its middle, white where nothing comes from; the size stays.
fn rotated(picture: &Picture, degrees: f32) -> Picture {
    let (width, height) = (i64::from(picture.width), i64::from(picture.height));
    let (sine, cosine) = f64::from(degrees).to_radians().sin_cos();
    // Positions in 1/65536 of a pixel.
    let fixed = |value: f64| (value * 65536.0).round() as i64;
    let (step_x, step_y) = (fixed(cosine), fixed(-sine));
    let (middle_x, middle_y) = ((width - 1) as f64 / 2.0, (height - 1) as f64 / 2.0);
    let mut pixels = vec![255_u8; picture.pixels.len()];
    for (y, row) in (0_i64..).zip(pixels.chunks_exact_mut(picture.width.max(1) as usize)) {
        let away = y as f64 - middle_y;
        // Where this row's first pixel comes from: turning back is turning counter-clockwise.
        let mut from_x = fixed(-middle_x * cosine + away * sine + middle_x);
        let mut from_y = fixed(middle_x * sine + away * cosine + middle_y);
        for pixel in row {
            let (left, top) = (from_x >> 16, from_y >> 16);
            if left >= 0 && top >= 0 && left < width - 1 && top < height - 1 {
                let at = (top * width + left) as usize;
                let below = at + width as usize;
                if let (Some(&[a, b]), Some(&[c, d])) =
                    (picture.pixels.get(at..at + 2), picture.pixels.get(below..below + 2))
                {
                    // Nearly all of a page is paper.
                    if a & b & c & d != 255 {
                        let (right, low) = (((from_x >> 8) & 255) as u32, ((from_y >> 8) & 255) as u32);
                        let upper = u32::from(a) * (256 - right) + u32::from(b) * right;
                        let lower = u32::from(c) * (256 - right) + u32::from(d) * right;
                        *pixel = ((upper * (256 - low) + lower * low) >> 16) as u8;
                    }
                }
            }
            from_x += step_x;
            from_y += step_y;
        }
    }
    Picture { pixels, ..*picture }
}

/// A Gaussian blur of sigma 1 pixel, from hard edges to grey: recognition was trained on grey, and it misses a sixth
/// fewer words so.
pub(super) fn softened(picture: Picture) -> Picture {
    // exp(-x² / 2) for x = -3 … 3, in 256ths.
    const KERNEL: [u16; 7] = [1, 14, 62, 102, 62, 14, 1];
    const REACH: usize = 3;

    let (width, height) = (picture.width as usize, picture.height as usize);
    if width <= 2 * REACH || height <= 2 * REACH {
        return picture;
    }
    let mut soft = Vec::with_capacity(picture.pixels.len());
    let mut column_sums = vec![0_u16; width];
    let mut padded = vec![0_u8; width + 2 * REACH];
    let row = |y: usize| picture.pixels.get(y * width..(y + 1) * width).unwrap_or(&[]);
    for y in 0..height {
        column_sums.fill(128);
        for (offset, weight) in KERNEL.into_iter().enumerate() {
            let source = (y + offset).saturating_sub(REACH).min(height - 1);
            for (sum, &pixel) in column_sums.iter_mut().zip(row(source)) {
                *sum += weight * u16::from(pixel);
            }
        }
        // The edges' own pixels stand in for those outside.
        let first = column_sums.first().map_or(255, |sum| (sum >> 8) as u8);
        let last = column_sums.last().map_or(255, |sum| (sum >> 8) as u8);
        padded.fill(last);
        for pixel in padded.iter_mut().take(REACH) {
            *pixel = first;
        }
        for (pixel, &sum) in padded.iter_mut().skip(REACH).zip(&column_sums) {
            *pixel = (sum >> 8) as u8;
        }
        // The same loop as above, so that both run on whole vectors.
        column_sums.fill(128);
        for (offset, weight) in KERNEL.into_iter().enumerate() {
            for (sum, &pixel) in column_sums.iter_mut().zip(padded.get(offset..).unwrap_or(&[])) {
                *sum += weight * u16::from(pixel);
            }
        }
        soft.extend(column_sums.iter().map(|&sum| (sum >> 8) as u8));
    }
    Picture { pixels: soft, ..picture }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reader::picture::fill;

    /// A page of what looks like print: words of strokes 14 pixels high, every third of them reaching up, every
    /// eleventh down, on lines 34 pixels apart; ragged on the right.
    fn print() -> Picture {
        let mut picture = Picture::white(1728, 2244, 204);
        let mut letter = 0;
        for line in 0..55 {
            let base = 200 + line * 34;
            let words = 9 + line * 7 % 5;
            for word in 0..words {
                for stroke in 0..7 {
                    letter += 1;
                    let left = 150 + word * 105 + stroke * 13;
                    let up = if letter % 3 == 0 { 9 } else { 0 };
                    let down = if letter % 11 == 0 { 7 } else { 0 };
                    fill(&mut picture, left, base - 14 - up, 3, 14 + up + down);
                    fill(&mut picture, left, base - 14, 10, 3);
                    fill(&mut picture, left, base - 3, 10, 3);
                }
            }
        }
        picture
    }

    #[test]
    fn an_upright_page_stays_as_it_is() {
        let prepared = prepare(print());
        assert_eq!((prepared.turned, prepared.straightened), (0, 0.0));
        assert!(prepared.flags.is_empty());
    }

    #[test]
    fn a_page_on_its_side_or_on_its_head_is_turned_upright() {
        for quarters in 1..4 {
            let prepared = prepare(print().turned(quarters));
            assert_eq!(u32::from(prepared.turned), (4 - quarters) * 90);
            assert_eq!(prepared.flags, [PageFlag::Turned]);
            assert_eq!((prepared.picture.width, prepared.picture.height), (1728, 2244));
        }
    }

    #[test]
    fn a_skewed_page_is_straightened() {
        for degrees in [-6.0, -1.5, 1.5, 6.0] {
            let prepared = prepare(rotated(&print(), degrees));
            assert!((prepared.straightened + degrees).abs() < 0.2, "{} for {degrees}", prepared.straightened);
        }
    }

    #[test]
    fn an_empty_page_is_left_alone_and_nothing_is_claimed_of_it() {
        let prepared = prepare(Picture::white(1728, 2244, 204));
        assert_eq!((prepared.turned, prepared.straightened, prepared.certain), (0, 0.0, false));
        assert!(prepared.picture.pixels.iter().all(|&pixel| pixel == 255));
        assert!(prepare(Picture::white(1, 1, 204)).flags.is_empty());
        assert!(prepare(Picture::white(0, 0, 204)).flags.is_empty());
    }

    #[test]
    fn the_second_guess_of_an_unsure_page_can_be_tried() {
        let prepared = prepare_turned(print().turned(1), 3, Steps::ALL);
        assert_eq!((prepared.turned, prepared.certain), (270, true));
        assert_eq!(prepared.picture.width, 1728);
    }

    #[test]
    fn softening_neither_lightens_ink_nor_darkens_paper() {
        let mut black = Picture::white(40, 40, 204);
        black.pixels.fill(0);
        assert!(softened(black).pixels.iter().all(|&pixel| pixel == 0));
        assert!(softened(Picture::white(40, 40, 204)).pixels.iter().all(|&pixel| pixel == 255));
    }

    #[test]
    fn grey_paper_is_told_from_grey_ink() {
        let mut picture = print();
        for pixel in &mut picture.pixels {
            *pixel = if *pixel == 0 { 90 } else { 170 };
        }
        let threshold = ink_threshold(&picture);
        assert!((91..=170).contains(&threshold), "{threshold}");
    }
}
