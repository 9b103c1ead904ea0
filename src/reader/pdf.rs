//! PDF documents, by `hayro` (the only user of it, but for [`super::unpack`], and a font that it brings).
//!
//! A page that is one scan gives that scan's own pixels, so that nothing is lost by drawing it at another size; fax
//! codings go through [`super::ccitt`], which tells of damage where `hayro` would not. Anything else is drawn.
//!
//! The worst that can happen here is a page that comes out white without a word. So each page is first walked without
//! drawing, which counts what ought to be seen; whatever is missing afterwards is a flag on the page. Quirks: `hayro`
//! leaves out, silently, pictures whose dictionary it does not understand, and reports those that it can't decode
//! only while it draws.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use hayro::hayro_interpret::font::GlyphRun;
use hayro::hayro_interpret::hayro_syntax::object::{Array, Dict, Name, Object, Stream};
use hayro::hayro_interpret::hayro_syntax::page::Page;
use hayro::hayro_interpret::hayro_syntax::{DecryptionError, Filter, LoadPdfError, Pdf};
use hayro::hayro_interpret::{
    BlendMode, ClipPath, Context, Device, DrawMode, DrawProps, Image, ImageData, ImageDrawProps, InterpreterCache,
    InterpreterSettings, InterpreterWarning, Paint, SoftMask, TransformExt, interpret_page,
};
use hayro::kurbo::{Affine, BezPath, Rect};
use hayro::vello_cpu::color::palette::css::WHITE;
use hayro::{PixmapSettings, RenderCache, RenderSettings};

use super::ccitt::{self, Coding};
use super::glyphs::Gathered;
use super::pixel_shape;
use super::render::{RenderError, RenderLimits, StoredPage, check_size, jpeg_is_whole};
use super::unpack;
use crate::document::PageFlag;

/// Dots an inch at which pages are drawn; those whose pictures are finer, up to [`FINEST`].
const USUAL: f64 = 200.0;
const FINEST: f64 = 300.0;

/// Inches; longer pages are taken as pages of usual size in a wrong unit (pixels stated as points).
const LONGEST: f64 = 22.0;

/// Page counts looked at in a file; one that was split up again and again has some hundred.
const MOST_COUNTS: usize = 10_000;

/// Pictures on one page; a scan in strips has some hundred.
const MOST_PICTURES: usize = 20_000;

fn open(bytes: &[u8]) -> Result<Pdf, RenderError> {
    Pdf::new(bytes.to_vec()).map_err(|error| match error {
        LoadPdfError::Decryption(
            DecryptionError::PasswordProtected
            | DecryptionError::InvalidEncryption
            | DecryptionError::UnsupportedAlgorithm
            | DecryptionError::MissingIDEntry,
        ) => RenderError::Encrypted,
        LoadPdfError::Invalid => RenderError::DamagedDocument { reason: "it is no PDF that can be opened" },
    })
}

/// Counts the pages. Of a file that was cut off those too that it names and no longer holds, at least one.
pub fn count_pages(bytes: &[u8], limits: &RenderLimits) -> Result<u32, RenderError> {
    let pages = open(bytes)?.pages().len();
    if pages == 0 {
        return Err(RenderError::NoPages);
    }
    if pages as u64 > u64::from(limits.max_pages) {
        let pages = u32::try_from(pages).unwrap_or(u32::MAX);
        return Err(RenderError::TooManyPages { pages, most: limits.max_pages });
    }
    let pages = pages as u32;
    Ok(if is_cut(bytes) { named_pages(bytes).max(pages + 1).min(limits.max_pages) } else { pages })
}

/// Whether the file ends before its end: nothing marks it behind the last object. What is left opens all the same, with
/// the pages that come first.
fn is_cut(bytes: &[u8]) -> bool {
    let last = |mark: &[u8]| bytes.windows(mark.len()).rposition(|window| window == mark);
    let object = last(b"endobj").max(last(b"endstream"));
    last(b"%%EOF").is_none_or(|end| object.is_some_and(|object| end < object))
}

/// The most pages that a page tree in the file says it has; 0 when none does in the clear.
fn named_pages(bytes: &[u8]) -> u32 {
    /// Bytes of an object on either side of its count.
    const BESIDE: usize = 4096;
    let count_at = |at: usize| {
        let digits = bytes.get(at + 6..bytes.len().min(at + 20)).unwrap_or_default().trim_ascii_start();
        let end = digits.iter().position(|byte| !byte.is_ascii_digit()).unwrap_or(digits.len());
        std::str::from_utf8(digits.get(..end)?).ok()?.parse::<u32>().ok()
    };
    let is_tree = |at: usize| {
        let before = bytes.get(at.saturating_sub(BESIDE)..at).unwrap_or_default();
        let start = before.windows(4).rposition(|window| window == b" obj").unwrap_or(0);
        let after = bytes.get(at..bytes.len().min(at + BESIDE)).unwrap_or_default();
        let end = after.windows(6).position(|window| window == b"endobj").unwrap_or(after.len());
        [before.get(start..), after.get(..end)]
            .into_iter()
            .flatten()
            .any(|part| part.windows(6).any(|window| window == b"/Pages"))
    };
    let counts = bytes.windows(6).enumerate().filter(|(_, window)| *window == b"/Count");
    let named = counts.take(MOST_COUNTS).filter(|(at, _)| is_tree(*at)).filter_map(|(at, _)| count_at(at));
    named.max().unwrap_or(0)
}

/// One page (1-based): the pixels of the scan that it is, else drawn.
pub fn stored_page(bytes: &[u8], page: u32, limits: &RenderLimits) -> Result<StoredPage, RenderError> {
    let pdf = open(bytes)?;
    let pages = pdf.pages();
    let sheet =
        (page as usize).checked_sub(1).and_then(|index| pages.get(index)).ok_or_else(|| match pages.len() as u32 {
            pages if page > pages && is_cut(bytes) => {
                RenderError::DamagedPage { page, reason: "the file is cut off before it" }
            }
            pages => RenderError::NoSuchPage { page, pages },
        })?;
    unpack::check(sheet, page, limits)?;
    let (width, height) = sheet.render_dimensions();
    let mut walk = Walk::new(f64::from(width), f64::from(height), limits);
    let cache = InterpreterCache::new();
    let upright = sheet.initial_transform(true).to_kurbo();
    let mut context = Context::new(upright, walk.sheet, &cache, sheet.xref(), InterpreterSettings::default());
    interpret_page(sheet, &mut context, &mut walk);

    if let Some((width, height)) = walk.too_large {
        return Err(RenderError::PageTooLarge {
            page,
            width: width.into(),
            height: height.into(),
            most: limits.max_pixels,
        });
    }
    let names_picture = draws_objects(sheet);
    let holds_picture = walk.pictures > 0 || names_picture;
    let layer = std::mem::take(&mut walk.letters).into_layer(walk.sheet.width(), walk.sheet.height()).map(Box::new);
    if let Some(scan) = walk.scan.take().filter(|_| walk.pictures == 1 && !walk.draws_more) {
        return scan.into_page(page).map(|scan| StoredPage { layer, ..scan });
    }

    let mut flags = walk.damage;
    // What the page names but the walk never saw, or a content stream that can't be read, is lost content.
    let contents_lost = sheet.raw().contains_key("Contents") && sheet.page_stream().is_none();
    if contents_lost || (names_picture && walk.pictures == 0 && !walk.draws_more) {
        flags.push(PageFlag::Undecodable);
    }
    let Drawing { width, height, pixels, dots, failed } = draw(sheet, page, (walk.sheet, walk.finest), limits)?;
    if failed {
        flags.push(PageFlag::Undecodable);
    }
    let blank_is_suspect = holds_picture || walk.draws_more;
    let resolution = (dots, dots);
    Ok(StoredPage { width, height, pixels, resolution, quarters: 0, flags, holds_picture, blank_is_suspect, layer })
}

/// Whether the page's own instructions draw an object (`Do`) or a picture of their own (`BI`).
fn draws_objects(sheet: &Page) -> bool {
    sheet.page_stream().is_some_and(|stream| {
        stream.split(u8::is_ascii_whitespace).any(|word| word == b"Do" || word == b"BI" || word == b"ID")
    })
}

/// A page as it was drawn: grey pixels.
struct Drawing {
    width: u32,
    height: u32,
    pixels: Vec<u8>,
    /// Dots an inch.
    dots: u32,
    /// Something on it could not be drawn.
    failed: bool,
}

/// Draws the page.
///
/// `shown`: the page in points, and the finest resolution of a picture on it.
fn draw(sheet: &Page, page: u32, shown: (Rect, f64), limits: &RenderLimits) -> Result<Drawing, RenderError> {
    let (paper, finest) = shown;
    let (width, height) = (paper.width(), paper.height());
    let inches = width.max(height) / 72.0;
    let dots = finest.clamp(USUAL, FINEST);
    // A page in a wrong unit is drawn as large as an 11-inch one.
    let shrink = if inches > LONGEST { 11.0 / inches } else { 1.0 };
    let scale = dots / 72.0 * shrink;
    let (wide, high) = ((width * scale).round().max(1.0) as u64, (height * scale).round().max(1.0) as u64);
    check_size(page, wide, high, limits)?;
    // hayro counts pixels of a side in 16 bits.
    if wide.max(high) > u64::from(u16::MAX) {
        return Err(RenderError::PageTooLarge { page, width: wide, height: high, most: limits.max_pixels });
    }
    let failed = Arc::new(AtomicBool::new(false));
    let sink = Arc::clone(&failed);
    let settings = InterpreterSettings {
        warning_sink: Arc::new(move |warning| match warning {
            InterpreterWarning::UnsupportedFont | InterpreterWarning::ImageDecodeFailure => {
                sink.store(true, Ordering::Relaxed);
            }
            // Unticked boxes of forms, nearly always; the ticked ones have an appearance.
            InterpreterWarning::UnresolvedAnnotationAppearance | _ => {}
        }),
        ..InterpreterSettings::default()
    };
    // hayro cuts fractions of a pixel off; a hair more keeps the last row and column.
    let pixels = PixmapSettings {
        x_scale: ((wide as f64 + 0.05) / width) as f32,
        y_scale: ((high as f64 + 0.05) / height) as f32,
        bg_color: WHITE,
    };
    let drawn = hayro::render(sheet, &RenderCache::new(), &settings, &RenderSettings::default(), &pixels);
    let pixels = drawn
        .data_as_u8_slice()
        .chunks_exact(4)
        .map(|pixel| match pixel {
            &[red, green, blue, _] => {
                ((u32::from(red) * 299 + u32::from(green) * 587 + u32::from(blue) * 114) / 1000) as u8
            }
            _ => 255,
        })
        .collect();
    let (width, height) = (u32::from(drawn.width()), u32::from(drawn.height()));
    if width == 0 || height == 0 {
        return Err(RenderError::DamagedPage { page, reason: "its size is nothing" });
    }
    Ok(Drawing { width, height, pixels, dots: dots as u32, failed: failed.load(Ordering::Relaxed) })
}

/// The pixels of a scan that fills its page.
struct Scan {
    width: u32,
    height: u32,
    pixels: Vec<u8>,
    /// Dots an inch as it is placed on the page, before it is turned.
    across: f64,
    down: f64,
    /// Clockwise quarter turns by which the page shows it.
    quarters: u32,
    /// Rows that are damaged; `None` if its decoder does not tell.
    damaged: Option<u32>,
    /// Its decoder filled up what is missing at its end.
    cut: bool,
}

impl Scan {
    fn into_page(self, page: u32) -> Result<StoredPage, RenderError> {
        if self.damaged.is_some_and(|damaged| damaged >= self.height) {
            return Err(RenderError::DamagedPage { page, reason: "none of its rows can be decoded" });
        }
        let sensible = 60.0..=1300.0;
        let placed = (sensible.contains(&self.across) && sensible.contains(&self.down))
            .then_some((self.across.round() as u32, self.down.round() as u32));
        let resolution = pixel_shape::resolution((self.width, self.height), &self.pixels, placed);
        let flags = match self.damaged {
            Some(0) => Vec::new(),
            Some(_) => vec![PageFlag::DamagedRows],
            None if self.cut => vec![PageFlag::DamagedRows],
            None => Vec::new(),
        };
        Ok(StoredPage {
            width: self.width,
            height: self.height,
            pixels: self.pixels,
            resolution,
            quarters: self.quarters,
            flags,
            holds_picture: true,
            blank_is_suspect: self.damaged.is_none() && !self.cut,
            layer: None,
        })
    }
}

/// What looking at a picture's stream came to.
struct Examined {
    /// It is a JPEG without its end.
    cut: bool,
    /// Decoded, if it is in a fax coding.
    fax: Option<ccitt::Strip>,
}

/// Walks a page without drawing it, in points from the top left of the page as it is shown.
struct Walk<'l> {
    limits: &'l RenderLimits,
    sheet: Rect,
    pictures: usize,
    /// Something besides pictures is to be seen, or pictures are shown through masks.
    draws_more: bool,
    /// The finest resolution of a picture that takes up a good part of the page.
    finest: f64,
    too_large: Option<(u32, u32)>,
    scan: Option<Scan>,
    /// What is wrong with the pictures, as far as decoders don't tell it while they draw.
    damage: Vec<PageFlag>,
    /// Pixels decoded to find that out.
    examined: u64,
    /// What its text is said to be.
    letters: Gathered,
}

impl<'l> Walk<'l> {
    fn new(width: f64, height: f64, limits: &'l RenderLimits) -> Self {
        let sheet = Rect::new(0.0, 0.0, width, height);
        Self {
            limits,
            sheet,
            pictures: 0,
            draws_more: false,
            finest: 0.0,
            too_large: None,
            scan: None,
            damage: Vec::new(),
            examined: 0,
            letters: Gathered::default(),
        }
    }

    /// Looks for damage that `hayro` passes over when it draws: fax rows, and JPEGs that were cut.
    fn examine(&mut self, stream: &Stream, width: u32, height: u32) -> Examined {
        let cut = is_cut_jpeg(stream);
        if cut {
            self.damage.push(PageFlag::DamagedRows);
        }
        self.examined += u64::from(width) * u64::from(height);
        let fax = if self.examined > self.limits.max_pixels { None } else { fax_strip(stream, width, height) };
        match &fax {
            Some(strip) if strip.damaged >= height => self.damage.push(PageFlag::Undecodable),
            Some(strip) if strip.damaged > 0 => self.damage.push(PageFlag::DamagedRows),
            Some(_) | None => {}
        }
        Examined { cut, fax }
    }

    /// Dots an inch and quarter turns of a picture that fills the page; `None` for any other.
    fn placement(&self, width: u32, height: u32, transform: Affine) -> Option<(f64, f64, u32)> {
        let [a, b, c, d, _, _] = transform.as_coeffs();
        let quarters = if b.abs() + c.abs() < (a.abs() + d.abs()) * 0.01 {
            match (a > 0.0, d > 0.0) {
                (true, true) => 0,
                (false, false) => 2,
                _ => return None,
            }
        } else if a.abs() + d.abs() < (b.abs() + c.abs()) * 0.01 {
            match (b > 0.0, c > 0.0) {
                (true, false) => 1,
                (false, true) => 3,
                _ => return None,
            }
        } else {
            return None;
        };
        let placed = transform.transform_rect_bbox(Rect::new(0.0, 0.0, width.into(), height.into()));
        let seen = placed.intersect(self.sheet);
        // It fills the page but for margins, and hardly any of it is cut off.
        let fills = seen.width() > 0.9 * self.sheet.width() && seen.height() > 0.8 * self.sheet.height();
        let whole = seen.area() > 0.95 * placed.area();
        (fills && whole).then(|| (72.0 / a.hypot(b), 72.0 / c.hypot(d), quarters))
    }
}

fn is_white(paint: &Paint) -> bool {
    match paint {
        Paint::Color(color) => color.to_rgba().to_rgba8().iter().take(3).all(|&part| part > 250),
        Paint::Pattern(_) => false,
    }
}

fn is_black(paint: &Paint) -> bool {
    match paint {
        Paint::Color(color) => color.to_rgba().to_rgba8().iter().take(3).all(|&part| part < 64),
        Paint::Pattern(_) => false,
    }
}

impl<'a> Device<'a> for Walk<'_> {
    fn draw_path(&mut self, _: &BezPath, props: DrawProps<'a>, _: &DrawMode) {
        self.draws_more |= !is_white(&props.paint);
    }

    fn push_clip_path(&mut self, _: &ClipPath) {}

    fn push_transparency_group(&mut self, opacity: f32, mask: Option<SoftMask<'a>>, blend_mode: BlendMode) {
        self.draws_more |= opacity < 1.0 || mask.is_some() || blend_mode != BlendMode::Normal;
    }

    fn draw_glyph_run(&mut self, run: &GlyphRun<'_, 'a>, props: DrawProps<'a>, mode: &DrawMode) {
        self.letters.add(run, &props, mode);
        // The text layer of a scan is invisible; it is never taken for the page.
        self.draws_more |= !matches!(mode, DrawMode::Invisible);
    }

    fn draw_image(&mut self, image: Image<'a, '_>, props: ImageDrawProps<'a>) {
        self.pictures += 1;
        let stream = match &image {
            Image::Stencil(stencil) => stencil.stream(),
            Image::Raster(raster) => raster.stream(),
        };
        let side = |short: &str, long: &str| {
            stream.dict().get::<u32>(short).or_else(|| stream.dict().get::<u32>(long)).unwrap_or(0)
        };
        let (width, height) = (side("W", "Width"), side("H", "Height"));
        let pixels = u64::from(width) * u64::from(height);
        if pixels > self.limits.max_pixels || self.pictures > MOST_PICTURES {
            self.too_large = Some((width, height));
            return;
        }
        let placed = props.transform.transform_rect_bbox(Rect::new(0.0, 0.0, width.into(), height.into()));
        if placed.area() > 0.1 * self.sheet.area() {
            let [a, b, ..] = props.transform.as_coeffs();
            self.finest = self.finest.max(72.0 / a.hypot(b).max(1e-6));
        }
        let Examined { cut, fax } = self.examine(stream, width, height);
        if self.pictures > 1 || self.draws_more || props.soft_mask.is_some() {
            return;
        }
        let Some((across, down, quarters)) = self.placement(width, height, props.transform) else { return };
        let dark = match &image {
            Image::Stencil(stencil) => {
                let mut dark = false;
                // A stencil's paint is only to be had together with its pixels.
                stencil.with_stencil(|_, paint| dark = is_black(paint), Some((2, 2)));
                dark
            }
            Image::Raster(_) => true,
        };
        let scan = |pixels, damaged| Scan { width, height, pixels, across, down, quarters, damaged, cut };
        if let Some(fax) = fax.filter(|_| dark && is_black_and_white(stream.dict())) {
            let damaged = fax.damaged;
            self.scan = Some(scan(as_shown(fax, stream.dict(), width), Some(damaged)));
        } else if let Image::Raster(raster) = &image {
            raster.with_rgba(
                |data, alpha| {
                    if alpha.is_none() && (data.width(), data.height()) == (width, height) {
                        self.scan = Some(scan(grey_pixels(data), None));
                    }
                },
                None,
            );
        }
    }

    fn pop_clip(&mut self) {}

    fn pop_transparency_group(&mut self) {}
}

fn grey_pixels(data: ImageData) -> Vec<u8> {
    match data {
        ImageData::Luma(luma) => luma.data,
        ImageData::Rgb(rgb) => rgb
            .data
            .chunks_exact(3)
            .map(|pixel| match pixel {
                &[red, green, blue] => {
                    ((u32::from(red) * 299 + u32::from(green) * 587 + u32::from(blue) * 114) / 1000) as u8
                }
                _ => 255,
            })
            .collect(),
    }
}

/// Whether a picture is a JPEG without its end.
fn is_cut_jpeg(stream: &Stream) -> bool {
    if !matches!(stream.filters().as_slice(), [Filter::DctDecode]) {
        return false;
    }
    let data = stream.raw_data();
    // What doesn't even begin as one is told of when it is drawn.
    data.starts_with(&[0xff, 0xd8]) && !jpeg_is_whole(&data)
}

/// Whether a picture of one bit a pixel means black and white by it, and hides nothing.
fn is_black_and_white(dict: &Dict) -> bool {
    if ["SMask", "Mask", "SMaskInData"].iter().any(|key| dict.contains_key(key)) {
        return false;
    }
    let is_stencil = dict.get::<bool>("ImageMask").or_else(|| dict.get::<bool>("IM")).unwrap_or(false);
    let is_grey = dict
        .get::<Name>("ColorSpace")
        .or_else(|| dict.get::<Name>("CS"))
        .is_some_and(|name| matches!(name.as_ref(), b"DeviceGray" | b"G" | b"CalGray"));
    is_stencil || is_grey
}

/// The pixels of a decoded fax as the page shows them.
fn as_shown(mut fax: ccitt::Strip, dict: &Dict, width: u32) -> Vec<u8> {
    let reversed = ["Decode", "D"]
        .iter()
        .find_map(|key| dict.get::<Array>(key))
        .and_then(|decode| decode.iter::<f32>().next())
        .is_some_and(|first| first > 0.5);
    if fax_settings(dict).get::<bool>("BlackIs1").unwrap_or(false) != reversed {
        fax.invert(width);
    }
    fax.pixels
}

fn fax_settings<'a>(dict: &Dict<'a>) -> Dict<'a> {
    ["DecodeParms", "DP"]
        .iter()
        .find_map(|key| dict.get::<Dict>(key).or_else(|| dict.get::<Array>(key)?.iter::<Object>().next()?.into_dict()))
        .unwrap_or_default()
}

/// A picture in a fax coding alone, decoded; `None` for any other.
fn fax_strip(stream: &Stream, width: u32, height: u32) -> Option<ccitt::Strip> {
    if !matches!(stream.filters().as_slice(), [Filter::CcittFaxDecode]) {
        return None;
    }
    let settings = fax_settings(stream.dict());
    if settings.get::<u32>("Columns").unwrap_or(1728) != width || width == 0 || height == 0 {
        return None;
    }
    let byte_aligned = settings.get::<bool>("EncodedByteAlign").unwrap_or(false);
    let coding = match settings.get::<i32>("K").unwrap_or(0) {
        ..0 => Coding::Group4,
        0 if byte_aligned && !settings.get::<bool>("EndOfLine").unwrap_or(false) => Coding::AlignedRows,
        0 => Coding::Group3,
        1.. => Coding::Group3TwoDimensional,
    };
    let coded = ccitt::Settings { coding, columns: width, rows: height, byte_aligned };
    Some(ccitt::Decoder::default().decode(&stream.raw_data(), &coded))
}

#[cfg(test)]
#[path = "pdf_tests.rs"]
pub(super) mod tests;
