//! TIFF documents: walks the directories itself, decodes fax pages with [`super::ccitt`], plain bilevel pages here,
//! and leaves every other kind to [`super::tiff_colour`].
//!
//! The walk is lenient where fax servers are sloppy (tables cut short, byte counts missing, wrong bit order, a
//! two-dimensional flag not set) and never silent: what is missing is a flag on the page or an error for it. A broken
//! link to a further page counts as a page that can't be read, since a page was there.

use std::borrow::Cow;
use std::ops::Range;

use super::ccitt::{self, Coding};
use super::pixel_shape;
use super::render::{RenderError, RenderLimits, StoredPage, check_size};
use super::tiff_colour;
use crate::document::PageFlag;

/// Tags (TIFF 6.0).
mod tag {
    pub const NEW_SUBFILE_TYPE: u16 = 254;
    pub const WIDTH: u16 = 256;
    pub const HEIGHT: u16 = 257;
    pub const BITS_PER_SAMPLE: u16 = 258;
    pub const COMPRESSION: u16 = 259;
    pub const PHOTOMETRIC: u16 = 262;
    pub const FILL_ORDER: u16 = 266;
    pub const STRIP_OFFSETS: u16 = 273;
    pub const ORIENTATION: u16 = 274;
    pub const SAMPLES_PER_PIXEL: u16 = 277;
    pub const ROWS_PER_STRIP: u16 = 278;
    pub const STRIP_BYTE_COUNTS: u16 = 279;
    pub const X_RESOLUTION: u16 = 282;
    pub const Y_RESOLUTION: u16 = 283;
    pub const T4_OPTIONS: u16 = 292;
    pub const RESOLUTION_UNIT: u16 = 296;
    pub const COLOR_MAP: u16 = 320;
}

/// No page has more strips than rows; more than this many values are a lie.
const MOST_VALUES: u64 = 1 << 20;

/// No writer puts so many entries into one directory. They are sorted, and those that matter here come early; a thousand
/// directories that overlap each other must not fill the memory.
const MOST_ENTRIES: u64 = 1000;

/// The bytes of a file with its byte order and offset width.
#[derive(Clone, Copy)]
struct File<'a> {
    bytes: &'a [u8],
    big_endian: bool,
    /// `BigTIFF`: 8-byte offsets.
    wide: bool,
}

#[derive(Clone, Copy)]
struct Entry {
    tag: u16,
    kind: u16,
    count: u64,
    /// Where its value field lies in the file.
    at: u64,
}

/// One page's entries.
struct Directory<'a> {
    file: File<'a>,
    entries: Vec<Entry>,
    /// Position in the chain, counted with those that are no pages.
    index: usize,
}

/// What the chain gives for a page.
enum Link<'a> {
    Page(Directory<'a>),
    /// A link that leads out of the file, or back.
    Broken,
}

impl<'a> File<'a> {
    fn open(bytes: &'a [u8]) -> Option<Self> {
        let big_endian = bytes.first() == Some(&b'M');
        let narrow = Self { bytes, big_endian, wide: false };
        Some(Self { wide: narrow.number(2, 2)? == 43, ..narrow })
    }

    /// An unsigned number of 1, 2, 4 or 8 bytes.
    fn number(&self, at: u64, size: u64) -> Option<u64> {
        let field = self.bytes.get(usize::try_from(at).ok()?..usize::try_from(at.checked_add(size)?).ok()?)?;
        let join = |value: u64, byte: &u8| value << 8 | u64::from(*byte);
        Some(if self.big_endian { field.iter().fold(0, join) } else { field.iter().rev().fold(0, join) })
    }

    fn directory(&self, at: u64, index: usize) -> Option<(Directory<'a>, u64)> {
        let (count_size, entry_size, offset_size) = if self.wide { (8, 20, 8) } else { (2, 12, 4) };
        let count = self.number(at, count_size)?;
        let first = at.checked_add(count_size)?;
        let mut entries = Vec::new();
        for number in 0..count.min(MOST_ENTRIES) {
            let here = first + number * entry_size;
            let value = here + 4 + offset_size;
            // A table cut short keeps the entries that are there.
            let (Some(tag), Some(kind), Some(count), Some(_)) = (
                self.number(here, 2),
                self.number(here + 2, 2),
                self.number(here + 4, offset_size),
                self.number(value, offset_size),
            ) else {
                break;
            };
            entries.push(Entry { tag: tag as u16, kind: kind as u16, count, at: value });
        }
        if entries.is_empty() {
            return None;
        }
        let next = count
            .checked_mul(entry_size)
            .and_then(|length| first.checked_add(length))
            .and_then(|at| self.number(at, offset_size))
            // The table ran over the end of the file: whatever followed is lost, and that must show.
            .unwrap_or(u64::MAX);
        Some((Directory { file: *self, entries, index }, next))
    }
}

impl Directory<'_> {
    fn entry(&self, tag: u16) -> Option<Entry> {
        self.entries.iter().find(|entry| entry.tag == tag).copied()
    }

    /// Where an entry's values lie: in the entry when they fit, else where it points.
    fn values_at(&self, entry: Entry, size: u64) -> Option<u64> {
        let inline = if self.file.wide { 8 } else { 4 };
        if entry.count.checked_mul(size)? <= inline { Some(entry.at) } else { self.file.number(entry.at, inline) }
    }

    /// An entry's whole numbers, as many as the file holds.
    fn numbers(&self, tag: u16) -> Vec<u64> {
        let Some(entry) = self.entry(tag) else { return Vec::new() };
        let size = match entry.kind {
            1 => 1,
            3 => 2,
            4 => 4,
            16 => 8,
            _ => return Vec::new(),
        };
        let Some(at) = self.values_at(entry, size) else { return Vec::new() };
        (0..entry.count.min(MOST_VALUES))
            .map_while(|index| self.file.number(at.checked_add(index * size)?, size))
            .collect()
    }

    fn number(&self, tag: u16) -> Option<u64> {
        self.numbers(tag).first().copied()
    }

    /// A rational, or a number that a sloppy writer put in its place.
    fn ratio(&self, tag: u16) -> Option<f64> {
        let entry = self.entry(tag)?;
        match entry.kind {
            5 => {
                let at = self.values_at(entry, 8)?;
                let (above, below) = (self.file.number(at, 4)?, self.file.number(at.checked_add(4)?, 4)?);
                (below != 0).then(|| above as f64 / below as f64)
            }
            11 => Some(f64::from(f32::from_bits(self.file.number(entry.at, 4)? as u32))),
            _ => self.number(tag).map(|number| number as f64),
        }
    }

    /// Dots an inch, `(across, down)`, as stated, where that makes sense of the width.
    fn resolution(&self, width: u32) -> Option<(u32, u32)> {
        let (across, down) = self.ratio(tag::X_RESOLUTION).zip(self.ratio(tag::Y_RESOLUTION))?;
        // 2 (the default) is an inch, 3 a centimetre; 1 gives the shape of a pixel only.
        let unit = match self.number(tag::RESOLUTION_UNIT) {
            Some(1) => return None,
            Some(3) => 2.54,
            _ => 1.0,
        };
        let (across, down) = (across * unit, down * unit);
        let inches_wide = f64::from(width) / across;
        // Pages from a label to an A3 lying on its side; pixels up to four times as high as wide.
        let sensible = (3.0..=17.5).contains(&inches_wide)
            && (50.0..=1300.0).contains(&down)
            && (0.45..=4.5).contains(&(across / down));
        sensible.then_some((across.round() as u32, down.round() as u32))
    }

    fn is_thumbnail(&self) -> bool {
        self.number(tag::NEW_SUBFILE_TYPE).is_some_and(|kind| kind & 1 == 1)
    }
}

/// The pages in order. Reduced copies of pages (thumbnails) are none, unless there is nothing else.
fn pages<'a>(bytes: &'a [u8], limits: &RenderLimits) -> Result<Vec<Link<'a>>, RenderError> {
    const CUT: RenderError = RenderError::DamagedDocument { reason: "the TIFF is cut off before its first page" };
    let file = File::open(bytes).ok_or(CUT)?;
    let first = if file.wide { file.number(8, 8) } else { file.number(4, 4) };
    let mut offset = first.ok_or(CUT)?;
    if offset == 0 {
        return Err(RenderError::NoPages);
    }
    let (mut pages, mut thumbnails) = (Vec::new(), Vec::new());
    let mut seen = std::collections::HashSet::new();
    while offset != 0 {
        let index = seen.len();
        if index as u64 >= u64::from(limits.max_pages) {
            return Err(RenderError::TooManyPages { pages: index as u32 + 1, most: limits.max_pages });
        }
        let found = if seen.insert(offset) { file.directory(offset, index) } else { None };
        let Some((directory, next)) = found else {
            pages.push(Link::Broken);
            break;
        };
        if directory.is_thumbnail() { &mut thumbnails } else { &mut pages }.push(Link::Page(directory));
        offset = next;
    }
    if matches!(pages.as_slice(), [Link::Broken]) && thumbnails.is_empty() {
        return Err(CUT);
    }
    Ok(if pages.is_empty() { thumbnails } else { pages })
}

/// Counts the pages, broken ones too.
pub fn count_pages(bytes: &[u8], limits: &RenderLimits) -> Result<u32, RenderError> {
    Ok(pages(bytes, limits)?.len() as u32)
}

/// One page (1-based) as it is stored.
pub fn stored_page(bytes: &[u8], page: u32, limits: &RenderLimits) -> Result<StoredPage, RenderError> {
    let pages = pages(bytes, limits)?;
    let link = (page as usize).checked_sub(1).and_then(|index| pages.get(index));
    let directory = match link {
        None => return Err(RenderError::NoSuchPage { page, pages: pages.len() as u32 }),
        Some(Link::Broken) => {
            return Err(RenderError::DamagedPage { page, reason: "the file is cut off or its links are broken" });
        }
        Some(Link::Page(directory)) => directory,
    };
    let (Some(width), Some(height)) = (directory.number(tag::WIDTH), directory.number(tag::HEIGHT)) else {
        return Err(RenderError::DamagedPage { page, reason: "its size is missing" });
    };
    check_size(page, width, height, limits)?;
    if width == 0 || height == 0 {
        return Err(RenderError::DamagedPage { page, reason: "its picture is empty" });
    }
    let size = (width as u32, height as u32);
    let compression = directory.number(tag::COMPRESSION).unwrap_or(1);
    let bilevel = directory.number(tag::BITS_PER_SAMPLE).unwrap_or(1) == 1
        && directory.number(tag::SAMPLES_PER_PIXEL).unwrap_or(1) == 1
        && directory.number(tag::PHOTOMETRIC).unwrap_or(0) <= 1;
    let (pixels, damaged) = match compression {
        2..=4 => fax_page(directory, size, compression),
        1 | 32773 if bilevel => packed_page(directory, size, compression),
        _ => {
            let palette = directory.numbers(tag::COLOR_MAP);
            // The `tiff` crate knows nothing of bit orders; the data of all but JPEG are reversed before they are coded.
            if directory.number(tag::FILL_ORDER) == Some(2) && !matches!(compression, 6 | 7) {
                let bytes = with_reversed_strips(directory);
                tiff_colour::pixels(&bytes, directory.index, page, size, &palette, limits)?
            } else {
                tiff_colour::pixels(bytes, directory.index, page, size, &palette, limits)?
            }
        }
    };
    if damaged >= size.1 {
        return Err(RenderError::DamagedPage { page, reason: "none of its rows can be decoded" });
    }
    // Of the eight orientations only turns occur in scans; the mirrored ones are someone's mistake.
    let quarters = match directory.number(tag::ORIENTATION) {
        Some(3) => 2,
        Some(6) => 1,
        Some(8) => 3,
        _ => 0,
    };
    let resolution = pixel_shape::resolution(size, &pixels, directory.resolution(size.0));
    Ok(StoredPage {
        width: size.0,
        height: size.1,
        pixels,
        resolution,
        quarters,
        flags: if damaged > 0 { vec![PageFlag::DamagedRows] } else { Vec::new() },
        holds_picture: true,
        blank_is_suspect: false,
        layer: None,
    })
}

/// The page's strips: where their bytes lie (as many as the file still holds) and their rows.
fn strips(directory: &Directory, height: u32) -> Vec<(Range<usize>, u32)> {
    let offsets = directory.numbers(tag::STRIP_OFFSETS);
    let counts = directory.numbers(tag::STRIP_BYTE_COUNTS);
    let rows_per_strip = match directory.number(tag::ROWS_PER_STRIP) {
        Some(rows) if rows > 0 => rows.min(u64::from(height)) as u32,
        // Some writers leave it out of pages that are one strip.
        _ => height.div_ceil((offsets.len() as u32).max(1)),
    };
    let length = directory.file.bytes.len();
    let mut left = height;
    let mut strips = Vec::new();
    for (number, &offset) in offsets.iter().enumerate() {
        let rows = if number + 1 == offsets.len() && offsets.len() == 1 { left } else { rows_per_strip.min(left) };
        if rows == 0 {
            break;
        }
        left -= rows;
        let start = usize::try_from(offset).unwrap_or(usize::MAX).min(length);
        let end = match counts.get(number) {
            Some(&count) if count > 0 => start.saturating_add(usize::try_from(count).unwrap_or(usize::MAX)),
            _ => length,
        };
        strips.push((start..end.min(length), rows));
    }
    if left > 0 {
        strips.push((0..0, left));
    }
    strips
}

/// The file with the bits of each byte in the usual order. Strips may share their bytes, so it is turned as a whole, once.
fn in_bit_order<'a>(directory: &Directory<'a>, least_first: bool) -> Cow<'a, [u8]> {
    let bytes = directory.file.bytes;
    if least_first { Cow::Owned(reversed(bytes)) } else { Cow::Borrowed(bytes) }
}

fn reversed(bytes: &[u8]) -> Vec<u8> {
    bytes.iter().map(|byte| byte.reverse_bits()).collect()
}

/// The file with the bits of this page's strips in the usual order.
fn with_reversed_strips(directory: &Directory) -> Vec<u8> {
    let mut bytes = directory.file.bytes.to_vec();
    // Strips that lie apart are no longer than the file together; turning others goes on for ever, and back.
    let mut left = bytes.len() as u64;
    let offsets = directory.numbers(tag::STRIP_OFFSETS);
    for (offset, count) in offsets.into_iter().zip(directory.numbers(tag::STRIP_BYTE_COUNTS)) {
        let Some(after) = left.checked_sub(count) else { break };
        left = after;
        let start = usize::try_from(offset).unwrap_or(usize::MAX);
        let end = start.saturating_add(usize::try_from(count).unwrap_or(usize::MAX)).min(bytes.len());
        if let Some(strip) = bytes.get_mut(start..end) {
            for byte in strip {
                *byte = byte.reverse_bits();
            }
        }
    }
    bytes
}

/// A page in a fax coding: grey pixels and the number of damaged rows.
fn fax_page(directory: &Directory, (width, height): (u32, u32), compression: u64) -> (Vec<u8>, u32) {
    let strips = strips(directory, height);
    let least_first = directory.number(tag::FILL_ORDER) == Some(2);
    let two_dimensional = directory.number(tag::T4_OPTIONS).is_some_and(|options| options & 1 == 1);
    let black_is_zero = directory.number(tag::PHOTOMETRIC) == Some(1);
    let coding = match compression {
        2 => Coding::AlignedRows,
        3 if two_dimensional => Coding::Group3TwoDimensional,
        3 => Coding::Group3,
        _ => Coding::Group4,
    };
    let decoder = ccitt::Decoder::default();
    let decode = |coding: Coding, least_first: bool| {
        let mut pixels = Vec::with_capacity(width as usize * height as usize);
        let mut damaged = 0;
        let file = in_bit_order(directory, least_first);
        for (place, rows) in &strips {
            let settings = ccitt::Settings { coding, columns: width, rows: *rows, byte_aligned: false };
            let mut strip = decoder.decode(file.get(place.clone()).unwrap_or(&[]), &settings);
            if black_is_zero {
                strip.invert(width);
            }
            damaged += strip.damaged;
            pixels.extend(strip.pixels);
        }
        (pixels, damaged)
    };
    let mut best = decode(coding, least_first);
    // A page nearly all of which is damaged was more likely labelled wrongly: senders do confuse the bit order and
    // the two kinds of Group 3.
    if best.1 > height / 2 {
        let codings = match coding {
            Coding::Group3 => [coding, Coding::Group3TwoDimensional],
            Coding::Group3TwoDimensional => [coding, Coding::Group3],
            Coding::Group4 | Coding::AlignedRows => [coding, coding],
        };
        for (coding, least_first) in [(codings[0], !least_first), (codings[1], least_first), (codings[1], !least_first)]
        {
            let other = decode(coding, least_first);
            if other.1 < best.1 / 2 {
                best = other;
            }
        }
    }
    best
}

/// A bilevel page, eight pixels a byte, plain or `PackBits`: grey pixels and the number of missing rows.
fn packed_page(directory: &Directory, (width, height): (u32, u32), compression: u64) -> (Vec<u8>, u32) {
    let stride = width.div_ceil(8) as usize;
    let least_first = directory.number(tag::FILL_ORDER) == Some(2);
    let black_is_one = directory.number(tag::PHOTOMETRIC).unwrap_or(0) == 0;
    let mut pixels = Vec::with_capacity(width as usize * height as usize);
    let mut missing = 0;
    // The bit order holds for the data as they lie in the file, packed or not.
    let file = in_bit_order(directory, least_first);
    for (place, rows) in strips(directory, height) {
        let data = file.get(place).unwrap_or(&[]);
        let data =
            if compression == 1 { Cow::Borrowed(data) } else { unpack_bits(data, stride * rows as usize).into() };
        for row in 0..rows as usize {
            let Some(packed) = data.get(row * stride..(row + 1) * stride) else {
                missing += 1;
                pixels.resize(pixels.len() + width as usize, 255);
                continue;
            };
            pixels.extend(
                (0..width as usize)
                    .zip(packed.iter().flat_map(|byte| (0..8).map(move |bit| byte & (0x80 >> bit) != 0)))
                    .map(|(_, one)| if one == black_is_one { 0 } else { 255 }),
            );
        }
    }
    (pixels, missing)
}

/// `PackBits` (TIFF 6.0, section 9), at most `most` bytes.
fn unpack_bits(mut data: &[u8], most: usize) -> Vec<u8> {
    let mut unpacked = Vec::new();
    while let [head, rest @ ..] = data {
        if unpacked.len() >= most {
            break;
        }
        let head = *head as i8;
        if head >= 0 {
            let (literal, after) = rest.split_at((head as usize + 1).min(rest.len()));
            unpacked.extend_from_slice(literal);
            data = after;
        } else if let ([byte, after @ ..], true) = (rest, head != -128) {
            let run = usize::from(head.unsigned_abs()) + 1;
            unpacked.resize(unpacked.len() + run, *byte);
            data = after;
        } else {
            data = rest;
        }
    }
    unpacked.truncate(most);
    unpacked
}

#[cfg(test)]
#[path = "tiff_tests.rs"]
mod tests;
