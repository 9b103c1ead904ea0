//! Barcodes and QR codes on an upright page: where they are, and what they say. The only user of `rxing`.
//!
//! A page without anything like a code costs a few milliseconds: ink is counted in coarse cells, and only where it is as
//! even as in codes, over a rectangle, does the decoder look. Bars are averaged along their height first, which specks do
//! not survive. What a code says is foreign: it is bounded, holds no control characters, and is never printed.
//!
//! Quirks of `rxing`: it gives the first code that it finds; ITF and Codabar have no check digit, so noise is
//! sometimes one: what is read of bars counts when two separate bands say it.

use std::collections::HashSet;
use std::ops::RangeInclusive;

use rxing::common::{GlobalHistogramBinarizer, HybridBinarizer};
use rxing::{BarcodeFormat, BinaryBitmap, DecodeHints, Luma8LuminanceSource, MultiFormatReader, Reader};

use super::picture::{INK, Picture};
use super::protocol::{LONGEST_CODE, MOST_CODES};
use crate::document::{Bounds, Code, CodeKind};

/// Cells an inch in which ink is counted; windows of three by three of them are judged.
const CELLS_PER_INCH: u32 = 16;

/// Share of ink in a window within a code, in percent. Print has some 15, a bold heading up to 40, a black bar 90.
const INK_OF_CODES: RangeInclusive<u32> = 27..=80;

/// Share of ink over a whole Data Matrix or QR code with its rim, in percent: both are made to be half ink.
const INK_OF_MATRIX: RangeInclusive<u64> = 25..=70;

/// Share of such windows in the rectangle around them, in percent: codes fill theirs.
const FILLED: usize = 60;

/// Places on a page where the decoder looks at most, largest first: bounds what a page of dithered pictures costs.
const MOST_PLACES: usize = 12;

/// Pieces of them that are looked at to be joined.
const MOST_JOINED: usize = 60;

/// Blank around a code that its decoder wants, as a divisor of the resolution.
const QUIET: u32 = 5;

/// Bars and spaces of the shortest code worth reading: four digits in ITF.
const LEAST_BARS: usize = 27;

const LINEAR: [BarcodeFormat; 4] =
    [BarcodeFormat::CODE_128, BarcodeFormat::CODE_39, BarcodeFormat::CODABAR, BarcodeFormat::ITF];
const MATRIX: [BarcodeFormat; 2] = [BarcodeFormat::QR_CODE, BarcodeFormat::DATA_MATRIX];

/// The codes on a page, in reading order.
pub fn codes(picture: &Picture) -> Vec<Code> {
    let mut codes: Vec<Code> = Vec::new();
    for bounds in places(picture) {
        let found = decoded(picture, bounds);
        for (kind, text) in found {
            let new = codes.iter().all(|code| code.kind != kind || code.text != text);
            if new && codes.len() < MOST_CODES {
                codes.push(Code { kind, text, bounds });
            }
        }
    }
    codes.sort_by_key(|code| (code.bounds.top, code.bounds.left));
    codes
}

/// The rectangles of a page that look as a code does from afar.
fn places(picture: &Picture) -> Vec<Bounds> {
    let side = (picture.resolution / CELLS_PER_INCH).max(4);
    let (columns, rows) = ((picture.width / side) as usize, (picture.height / side) as usize);
    if columns < 3 || rows < 3 {
        return Vec::new();
    }
    let even = even_windows(&ink(picture, side, columns, rows), side, columns, rows);
    let mut places: Vec<Bounds> = connected(even, columns)
        .into_iter()
        .filter(|found| {
            let (wide, high) = (found.right - found.left + 1, found.bottom - found.top + 1);
            let (longer, shorter) = (wide.max(high), wide.min(high));
            // Half an inch by a fifth, or a quarter inch squared.
            let large_enough = (longer >= 8 && shorter >= 3) || shorter >= 4;
            large_enough && found.cells * 100 >= wide * high * FILLED
        })
        .map(|found| {
            let scaled = |cell: usize| cell as u32 * side;
            let (left, top) = (scaled(found.left), scaled(found.top));
            Bounds {
                left,
                top,
                width: (scaled(found.right + 3)).min(picture.width) - left,
                height: (scaled(found.bottom + 3)).min(picture.height) - top,
            }
        })
        .collect();
    let largest = |places: &mut Vec<Bounds>, most| {
        places.sort_by_key(|place| std::cmp::Reverse(area(*place)));
        places.truncate(most);
    };
    largest(&mut places, MOST_JOINED);
    join_neighbours(&mut places);
    largest(&mut places, MOST_PLACES);
    places
}

/// Joins rectangles that touch and lie in one line: bars stand thinner somewhere in nearly every code.
fn join_neighbours(places: &mut Vec<Bounds>) {
    let fits = |one: Bounds, other: Bounds| {
        let touch = one.left <= other.right()
            && other.left <= one.right()
            && one.top <= other.bottom()
            && other.top <= one.bottom();
        touch && area(one.union(other)) * 4 <= (area(one) + area(other)) * 5
    };
    loop {
        let pair = places.iter().enumerate().find_map(|(at, &one)| {
            let later = places.iter().enumerate().skip(at + 1);
            later.filter(|(_, other)| fits(one, **other)).map(|(other, _)| (at, other)).next()
        });
        let Some((one, other)) = pair else { return };
        let joined = places.swap_remove(other);
        if let Some(place) = places.get_mut(one) {
            *place = place.union(joined);
        }
    }
}

fn area(place: Bounds) -> u64 {
    u64::from(place.width) * u64::from(place.height)
}

/// Ink in each cell: pixels of every second row.
fn ink(picture: &Picture, side: u32, columns: usize, rows: usize) -> Vec<u32> {
    let mut ink = Vec::with_capacity(columns * rows);
    let mut sums = vec![0_u8; picture.width as usize];
    for row in 0..rows as u32 {
        sums.fill(0);
        for y in (0..side.min(400)).step_by(2) {
            for (sum, &pixel) in sums.iter_mut().zip(picture.row(row * side + y)) {
                *sum += u8::from(pixel < INK);
            }
        }
        let cells = sums.chunks_exact(side as usize).take(columns);
        ink.extend(cells.map(|cell| cell.iter().map(|&sum| u32::from(sum)).sum::<u32>()));
    }
    ink
}

/// Which windows of three by three cells hold as much ink as one within a code, by their top left cell.
fn even_windows(ink: &[u32], side: u32, columns: usize, rows: usize) -> Vec<bool> {
    let full = 9 * side * side.div_ceil(2);
    let mut even = vec![false; columns * rows];
    for row in 0..rows - 2 {
        for column in 0..columns - 2 {
            let of_row = |row: usize| {
                let from = row * columns + column;
                ink.get(from..from + 3).map_or(0, |cells| cells.iter().sum::<u32>())
            };
            let share = (of_row(row) + of_row(row + 1) + of_row(row + 2)) * 100 / full;
            if let Some(flag) = even.get_mut(row * columns + column) {
                *flag = INK_OF_CODES.contains(&share);
            }
        }
    }
    even
}

/// Flagged windows that hang together, and the rectangle around them.
struct Patch {
    left: usize,
    right: usize,
    top: usize,
    bottom: usize,
    cells: usize,
}

fn connected(mut flags: Vec<bool>, columns: usize) -> Vec<Patch> {
    let mut patches = Vec::new();
    let mut waiting = Vec::new();
    for start in 0..flags.len() {
        if !take(&mut flags, start) {
            continue;
        }
        let (column, row) = (start % columns, start / columns);
        let mut patch = Patch { left: column, right: column, top: row, bottom: row, cells: 0 };
        waiting.push(start);
        while let Some(at) = waiting.pop() {
            let (column, row) = (at % columns, at / columns);
            patch.left = patch.left.min(column);
            patch.right = patch.right.max(column);
            patch.top = patch.top.min(row);
            patch.bottom = patch.bottom.max(row);
            patch.cells += 1;
            let neighbours = [
                (column > 0).then(|| at - 1),
                (column + 1 < columns).then_some(at + 1),
                at.checked_sub(columns),
                Some(at + columns),
            ];
            waiting.extend(neighbours.into_iter().flatten().filter(|&next| take(&mut flags, next)));
        }
        patches.push(patch);
    }
    patches
}

/// Whether this is flagged; it no longer is then.
fn take(flags: &mut [bool], at: usize) -> bool {
    flags.get_mut(at).is_some_and(std::mem::take)
}

/// What the codes in this rectangle say.
fn decoded(picture: &Picture, bounds: Bounds) -> Vec<(CodeKind, String)> {
    let crop = cropped(picture, around(picture, bounds), picture.resolution / QUIET);
    let (longer, shorter) = (bounds.width.max(bounds.height), bounds.width.min(bounds.height));
    let square = longer <= shorter * 4 && shorter * 4 >= picture.resolution;
    let dark = crop.pixels.iter().filter(|&&pixel| pixel < INK).count() as u64;
    let share = dark * 100 / (u64::from(bounds.width) * u64::from(bounds.height)).max(1);
    if square
        && INK_OF_MATRIX.contains(&share)
        && let Some(code) = matrix(&crop)
    {
        return vec![code];
    }
    let level = linear(&crop);
    if level.is_empty() { linear(&crop.turned(1)) } else { level }
}

/// The rectangle with what stands close to it: the first and last bars of a code may be too thin to be found.
fn around(picture: &Picture, bounds: Bounds) -> Bounds {
    let more = picture.resolution / 3;
    let (left, top) = (bounds.left.saturating_sub(more), bounds.top.saturating_sub(more));
    Bounds {
        left,
        top,
        width: (bounds.right() + more).min(picture.width) - left,
        height: (bounds.bottom() + more).min(picture.height) - top,
    }
}

/// A part of the page with this much white around it, whatever stands beside it.
fn cropped(picture: &Picture, bounds: Bounds, quiet: u32) -> Picture {
    let mut crop = Picture::white(bounds.width + 2 * quiet, bounds.height + 2 * quiet, picture.resolution);
    let (left, width) = (bounds.left as usize, bounds.width as usize);
    let to = crop.width as usize;
    for (y, row) in (0..bounds.height).zip(crop.pixels.chunks_exact_mut(to).skip(quiet as usize)) {
        let from = picture.row(bounds.top + y).get(left..left + width);
        if let (Some(target), Some(from)) = (row.get_mut(quiet as usize..quiet as usize + width), from) {
            target.copy_from_slice(from);
        }
    }
    crop
}

/// The QR code or Data Matrix in a small picture: as it is, then without specks.
fn matrix(crop: &Picture) -> Option<(CodeKind, String)> {
    let found = |picture: &Picture| {
        let source = || Luma8LuminanceSource::new(picture.pixels.clone(), picture.width, picture.height).ok();
        let mut hybrid = BinaryBitmap::new(HybridBinarizer::new(source()?));
        let mut reader = MultiFormatReader::default();
        let hints = hints(&MATRIX);
        let read = reader.decode_with_hints(&mut hybrid, &hints).ok();
        let read = read.or_else(|| {
            let mut global = BinaryBitmap::new(GlobalHistogramBinarizer::new(source()?));
            reader.decode_with_hints(&mut global, &hints).ok()
        })?;
        told(*read.getBarcodeFormat(), read.getText())
    };
    found(crop).or_else(|| found(&without_specks(crop)))
}

/// Black and white by the majority of nine pixels.
fn without_specks(picture: &Picture) -> Picture {
    let width = picture.width as usize;
    let mut clean = picture.clone();
    let rows = clean.pixels.chunks_exact_mut(width.max(1)).enumerate().skip(1);
    for (y, row) in rows.take((picture.height as usize).saturating_sub(2)) {
        let y = y as u32;
        let around = [picture.row(y - 1), picture.row(y), picture.row(y + 1)];
        for (x, pixel) in row.iter_mut().enumerate().skip(1).take(width.saturating_sub(2)) {
            let ink = around.iter().flat_map(|row| row.get(x - 1..x + 2).unwrap_or(&[]));
            *pixel = if ink.filter(|&&pixel| pixel < INK).count() >= 5 { 0 } else { 255 };
        }
    }
    clean
}

/// The codes of upright bars in a small picture, read in bands; what two bands say.
fn linear(crop: &Picture) -> Vec<(CodeKind, String)> {
    let high = (crop.resolution / 24).max(2);
    let mut seen: Vec<((CodeKind, String), u32)> = Vec::new();
    let hints = hints(&LINEAR);
    let bands: Vec<Vec<u8>> =
        (0..crop.height.saturating_sub(high)).step_by(high as usize).map(|top| averaged(crop, top, high)).collect();
    for (above, band) in bands.iter().zip(bands.iter().skip(1)) {
        let bars = band.windows(2).filter(|pair| matches!(pair, [a, b] if (*a < INK) != (*b < INK))).count();
        if bars < LEAST_BARS || !goes_on(above, band) {
            continue;
        }
        let band = band.clone();
        let Ok(source) = Luma8LuminanceSource::new(band, crop.width, 1) else { continue };
        let mut row = BinaryBitmap::new(GlobalHistogramBinarizer::new(source));
        let Ok(read) = MultiFormatReader::default().decode_with_hints(&mut row, &hints) else { continue };
        let Some(code) = told(*read.getBarcodeFormat(), read.getText()) else { continue };
        match seen.iter_mut().find(|(known, _)| *known == code) {
            Some((_, times)) => *times += 1,
            None => seen.push((code, 1)),
        }
    }
    seen.retain(|(_, times)| *times >= 2);
    seen.into_iter().map(|(code, _)| code).collect()
}

/// Whether the bars of a band stand below those of the band above, as bars do and letters don't.
fn goes_on(above: &[u8], band: &[u8]) -> bool {
    let (mut ink, mut apart) = (0_u32, 0_u32);
    for (above, here) in above.iter().zip(band) {
        ink += u32::from(*here < INK);
        apart += u32::from((*above < INK) != (*here < INK));
    }
    apart * 5 < ink
}

/// The mean of each column over some rows.
fn averaged(picture: &Picture, top: u32, high: u32) -> Vec<u8> {
    let mut sums = vec![0_u32; picture.width as usize];
    for y in top..top + high {
        for (sum, &pixel) in sums.iter_mut().zip(picture.row(y)) {
            *sum += u32::from(pixel);
        }
    }
    sums.into_iter().map(|sum| (sum / high.max(1)) as u8).collect()
}

fn hints(formats: &[BarcodeFormat]) -> DecodeHints {
    DecodeHints {
        PossibleFormats: Some(formats.iter().copied().collect::<HashSet<_>>()),
        TryHarder: Some(true),
        ..DecodeHints::default()
    }
}

/// A code's text, bounded and in one line; `None` for what is of no use.
fn told(format: BarcodeFormat, text: &str) -> Option<(CodeKind, String)> {
    #[allow(clippy::wildcard_enum_match_arm, reason = "the library knows many more, and others are not asked for")]
    let kind = match format {
        BarcodeFormat::CODE_128 => CodeKind::Code128,
        BarcodeFormat::CODE_39 => CodeKind::Code39,
        BarcodeFormat::CODABAR => CodeKind::Codabar,
        BarcodeFormat::ITF => CodeKind::Itf,
        BarcodeFormat::QR_CODE => CodeKind::QrCode,
        BarcodeFormat::DATA_MATRIX => CodeKind::DataMatrix,
        _ => return None,
    };
    let plain: String = text.chars().map(|letter| if letter.is_control() { ' ' } else { letter }).collect();
    let plain = crate::document::beginning(plain.trim(), LONGEST_CODE);
    (!plain.is_empty()).then(|| (kind, plain.to_owned()))
}

#[cfg(test)]
mod tests {
    use rxing::{EncodeHints, MultiFormatWriter, Writer};

    use super::*;

    /// Draws a code on a page: modules of so many pixels, linear ones half an inch high.
    fn draw(page: &mut Picture, format: BarcodeFormat, text: &str, module: u32, (left, top): (u32, u32)) -> Bounds {
        let bits = MultiFormatWriter
            .encode_with_hints(text, &format, 1, 1, &EncodeHints { Margin: Some("0".to_owned()), ..Default::default() })
            .unwrap();
        let linear = LINEAR.contains(&format);
        let high = if linear { page.resolution / 2 } else { module };
        for y in 0..if linear { 1 } else { bits.height() } {
            for x in (0..bits.width()).filter(|&x| bits.get(x, y)) {
                for row in top + y * high..top + (y + 1) * high {
                    let start = (row * page.width + left + x * module) as usize;
                    page.pixels[start..start + module as usize].fill(0);
                }
            }
        }
        let height = if linear { high } else { bits.height() * module };
        Bounds { left, top, width: bits.width() * module, height }
    }

    fn page() -> Picture {
        let mut page = Picture::white(1728, 2244, 204);
        // Lines of something like print, and a black bar.
        for line in 0..30_u32 {
            for stroke in 0..90_u32 {
                let (left, top) = (150 + stroke * 15 + stroke / 6 * 12, 900 + line * 36);
                for row in top..top + 16 + stroke * 7 % 9 {
                    let start = (row * page.width + left) as usize;
                    page.pixels[start..start + 4].fill(0);
                }
            }
        }
        for row in 2100..2140 {
            page.pixels[row * 1728 + 100..row * 1728 + 1600].fill(0);
        }
        page
    }

    fn specked(mut page: Picture, one_in: u32) -> Picture {
        let mut state = 20_261_122_u64;
        for pixel in &mut page.pixels {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            if ((state >> 33) as u32).is_multiple_of(one_in) {
                *pixel = 255 - *pixel;
            }
        }
        page
    }

    const EACH: [(BarcodeFormat, CodeKind, &str, u32); 6] = [
        (BarcodeFormat::CODE_128, CodeKind::Code128, "UM777321-7712004501", 3),
        (BarcodeFormat::CODE_39, CodeKind::Code39, "UM777321", 3),
        (BarcodeFormat::CODABAR, CodeKind::Codabar, "7712004501", 3),
        (BarcodeFormat::ITF, CodeKind::Itf, "7712004501", 3),
        (BarcodeFormat::QR_CODE, CodeKind::QrCode, "case_id=UM777321;auth_number=7712004501", 7),
        (BarcodeFormat::DATA_MATRIX, CodeKind::DataMatrix, "UM777321 7712004501", 7),
    ];

    #[test]
    fn each_kind_is_read_with_its_place_also_among_specks_and_whichever_way_it_was_printed() {
        for (format, kind, text, module) in EACH {
            for one_in in [u32::MAX, 500, 100] {
                for quarters in 0..4 {
                    let mut page = page();
                    let drawn = draw(&mut page, format, text, module, (300, 300));
                    let page = specked(page, one_in).turned(quarters);
                    let found = codes(&page);
                    let [code] = found.as_slice() else { panic!("{kind:?} 1 in {one_in}, {quarters}: {found:?}") };
                    assert_eq!((code.kind, code.text.as_str()), (kind, text), "1 in {one_in}, {quarters} quarters");
                    if quarters == 0 {
                        let (middle_x, middle_y) = (drawn.left + drawn.width / 2, drawn.top + drawn.height / 2);
                        let Bounds { left, top, .. } = code.bounds;
                        assert!((left..code.bounds.right()).contains(&middle_x), "{:?}", code.bounds);
                        assert!((top..code.bounds.bottom()).contains(&middle_y), "{:?}", code.bounds);
                    }
                }
            }
        }
    }

    #[test]
    fn a_page_of_print_holds_nothing_to_look_at() {
        assert!(codes(&page()).is_empty());
        assert!(codes(&specked(page(), 200)).is_empty());
        for (width, height) in [(0, 0), (1, 1), (7, 3000), (1728, 12)] {
            assert!(codes(&Picture::white(width, height, 204)).is_empty());
        }
    }

    #[test]
    fn noise_is_no_code_and_costs_a_bounded_time() {
        for one_in in [2, 3, 5] {
            assert!(codes(&specked(Picture::white(1728, 2244, 204), one_in)).is_empty());
        }
    }

    #[test]
    fn several_codes_come_in_reading_order() {
        let mut page = page();
        draw(&mut page, BarcodeFormat::QR_CODE, "second", 8, (200, 500));
        draw(&mut page, BarcodeFormat::CODE_128, "FIRST-1", 3, (900, 200));
        draw(&mut page, BarcodeFormat::CODE_128, "THIRD-3", 3, (900, 600));
        let texts: Vec<String> = codes(&page).into_iter().map(|code| code.text).collect();
        assert_eq!(texts, ["FIRST-1", "second", "THIRD-3"]);
    }

    #[test]
    fn what_a_code_says_is_one_bounded_line() {
        let (_, text) = told(BarcodeFormat::QR_CODE, &format!("a\u{1d}b\r\nc{}", "x".repeat(9_000))).unwrap();
        assert!(text.starts_with("a b  c") && text.len() == LONGEST_CODE);
        assert_eq!(told(BarcodeFormat::QR_CODE, "\n"), None);
    }
}
