//! One page's picture for people: as the document holds it, for `document.pdf`, and as it was read, for a screen.
//!
//! What the document holds comes out pixel for pixel: black and white as Group 4, a JPEG as the file that it is, the
//! rest packed without loss. Where a document holds no picture (a PDF's own drawing), it is drawn. Made in the worker;
//! what goes out is bounded by [`Facsimile::is_possible`], which the pool asks again. Grey stays grey; colours are kept
//! of JPEG and PNG files alone.

use std::convert::Infallible;
use std::io::{Cursor, Write};

use fax::encoder::Encoder;
use fax::{Color, VecWriter};
use flate2::Compression;
use flate2::write::ZlibEncoder;
use image::codecs::jpeg::JpegDecoder;
use image::metadata::Orientation;
use image::{ExtendedColorType, ImageDecoder};
use serde::{Deserialize, Serialize};

use super::message::Opened;
use super::picture::{INK, Picture};
use super::protocol::LONGEST_PICTURE;
use super::render::{self, Place, RenderError, RenderLimits, StoredPage, decoded_image, on_paper};
use super::straighten;
use crate::document::{DocumentFormat, Page};

/// Pixels of the longest row that is coded as Group 4: the encoder counts them in 16 bits, with a sign.
const LONGEST_ROW: u32 = 32_767;

/// A page, and how it was made upright when it was read.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct PageUpright {
    /// 1-based.
    pub number: u32,
    /// [`Page::turned`].
    pub turned: u16,
    /// [`Page::straightened`].
    pub straightened: f32,
}

impl PageUpright {
    pub fn of(page: &Page) -> Self {
        Self { number: page.number, turned: page.turned, straightened: page.straightened }
    }
}

/// How [`Facsimile::picture`] is coded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Coding {
    /// ITU-T T.6: one bit a pixel.
    Group4,
    /// A whole JPEG file: grey or, with `colours`, three components.
    Jpeg { colours: bool },
    /// Zlib over rows of bytes: grey or, with `colours`, red, green and blue.
    Packed { colours: bool },
}

/// A page's picture.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Facsimile {
    /// Pixels as stored; they need not be square.
    pub width: u32,
    pub height: u32,
    pub coding: Coding,
    /// Clockwise quarter turns that bring it upright.
    pub quarters: u32,
    /// Pixels and dots an inch of the upright page with square pixels, in which word boxes lie.
    pub sheet_width: u32,
    pub sheet_height: u32,
    pub resolution: u32,
    /// The picture as stored.
    #[serde(skip)]
    pub picture: Vec<u8>,
    /// The upright, straightened page as a PNG of the sheet's size.
    #[serde(skip)]
    pub png: Vec<u8>,
}

impl Facsimile {
    /// Whether it is within the limits, and describes a sheet.
    pub fn is_possible(&self, limits: &RenderLimits) -> bool {
        let fits = |width: u32, height: u32| {
            width > 0 && height > 0 && u64::from(width) * u64::from(height) <= limits.max_pixels
        };
        let short = |bytes: &[u8]| !bytes.is_empty() && bytes.len() <= LONGEST_PICTURE as usize;
        fits(self.width, self.height)
            && fits(self.sheet_width, self.sheet_height)
            && (1..=10_000).contains(&self.resolution)
            && self.quarters < 4
            && short(&self.picture)
            && short(&self.png)
    }
}

/// The picture of one page of any document (1-based), `upright` being the degrees by which it was turned and
/// straightened when it was read. A page of text has none: [`RenderError::NoPages`].
pub fn of_page(
    bytes: &[u8],
    page: u32,
    (turned, straightened): (u16, f32),
    limits: &RenderLimits,
    opened: &mut Option<Opened>,
) -> Result<Facsimile, RenderError> {
    let (bytes, within) = match render::place(bytes, page, limits, opened)? {
        Place::File(bytes, within) => (bytes, within),
        Place::Text(..) => return Err(RenderError::NoPages),
    };
    let stored = render::stored_page(bytes, within, limits)?;
    let bilevel = stored.pixels.iter().all(|&pixel| pixel == 0 || pixel == 255);
    let Coded { width, height, quarters, coding, picture } = coded(bytes, &stored, bilevel, limits)?;
    let turns = u32::from(turned / 90);
    let upright = straighten::repeated(stored.rendered(within, limits)?.picture, turned, straightened);
    let png = png(&upright, bilevel).ok_or(RenderError::DamagedPage { page, reason: "its picture can't be coded" })?;
    Ok(Facsimile {
        width,
        height,
        coding,
        quarters: (quarters + turns) % 4,
        sheet_width: upright.width,
        sheet_height: upright.height,
        resolution: upright.resolution,
        picture,
        png,
    })
}

/// A picture as it goes into a PDF.
struct Coded {
    width: u32,
    height: u32,
    quarters: u32,
    coding: Coding,
    picture: Vec<u8>,
}

fn coded(bytes: &[u8], stored: &StoredPage, bilevel: bool, limits: &RenderLimits) -> Result<Coded, RenderError> {
    let as_stored = |coding, picture| Coded {
        width: stored.width,
        height: stored.height,
        quarters: stored.quarters,
        coding,
        picture,
    };
    let format = DocumentFormat::sniff(bytes);
    // A viewer may fill up a JPEG that was cut in another way than the one that was read.
    if format == Some(DocumentFormat::Jpeg)
        && stored.flags.is_empty()
        && let Some(whole) = whole_jpeg(bytes)
    {
        return Ok(whole);
    }
    if bilevel && stored.width <= LONGEST_ROW {
        return Ok(as_stored(Coding::Group4, group_4(&stored.pixels, stored.width)));
    }
    if matches!(format, Some(DocumentFormat::Jpeg | DocumentFormat::Png)) {
        let image = decoded_image(bytes, limits)?;
        if image.color().has_color() {
            let image = image.into_rgba8();
            let seen = image.pixels().flat_map(|pixel| {
                let [red, green, blue, alpha] = pixel.0;
                [red, green, blue].map(|value| on_paper(value, alpha))
            });
            return Ok(as_stored(Coding::Packed { colours: true }, packed(&seen.collect::<Vec<_>>())));
        }
    }
    Ok(as_stored(Coding::Packed { colours: false }, packed(&stored.pixels)))
}

/// The file itself, if a PDF may hold it as it is: grey or red, green and blue, and turned by no more than quarters.
fn whole_jpeg(bytes: &[u8]) -> Option<Coded> {
    let mut decoder = JpegDecoder::new(Cursor::new(bytes)).ok()?;
    let quarters = match decoder.orientation().unwrap_or(Orientation::NoTransforms) {
        Orientation::NoTransforms => 0,
        Orientation::Rotate90 => 1,
        Orientation::Rotate180 => 2,
        Orientation::Rotate270 => 3,
        Orientation::FlipHorizontal
        | Orientation::FlipVertical
        | Orientation::Rotate90FlipH
        | Orientation::Rotate270FlipH => return None,
    };
    let stored = decoder.original_color_type();
    let colours = stored == ExtendedColorType::Rgb8;
    if !colours && stored != ExtendedColorType::L8 {
        return None;
    }
    let (width, height) = decoder.dimensions();
    Some(Coded { width, height, quarters, coding: Coding::Jpeg { colours }, picture: bytes.to_vec() })
}

/// Black and white pixels as T.6 has them, with the end code.
fn group_4(pixels: &[u8], width: u32) -> Vec<u8> {
    let mut encoder = Encoder::new(VecWriter::new());
    for row in pixels.chunks_exact(width.max(1) as usize) {
        let colours = row.iter().map(|&pixel| if pixel < INK { Color::Black } else { Color::White });
        let written: Result<(), Infallible> = encoder.encode_line(colours, width as u16);
        let Ok(()) = written;
    }
    let Ok(writer) = encoder.finish();
    writer.finish()
}

fn packed(rows: &[u8]) -> Vec<u8> {
    let mut packed = ZlibEncoder::new(Vec::new(), Compression::fast());
    // Writing to memory can't fail.
    _ = packed.write_all(rows);
    packed.finish().unwrap_or_default()
}

/// A page as a PNG, of two colours where the document's own picture has no more.
fn png(picture: &Picture, bilevel: bool) -> Option<Vec<u8>> {
    let mut bytes = Vec::new();
    let mut encoder = png::Encoder::new(&mut bytes, picture.width, picture.height);
    encoder.set_color(png::ColorType::Grayscale);
    encoder.set_depth(if bilevel { png::BitDepth::One } else { png::BitDepth::Eight });
    encoder.set_compression(png::Compression::Fast);
    let dots_a_metre = (f64::from(picture.resolution) / 0.0254).round() as u32;
    encoder.set_pixel_dims(Some(png::PixelDimensions {
        xppu: dots_a_metre,
        yppu: dots_a_metre,
        unit: png::Unit::Meter,
    }));
    let mut writer = encoder.write_header().ok()?;
    if bilevel {
        let rows = picture.pixels.chunks_exact(picture.width.max(1) as usize);
        let bits = rows.flat_map(|row| {
            row.chunks(8).map(|eight| {
                (0..).zip(eight).fold(0_u8, |byte, (place, &pixel)| byte | (u8::from(pixel >= INK) << (7 - place)))
            })
        });
        writer.write_image_data(&bits.collect::<Vec<_>>()).ok()?;
    } else {
        writer.write_image_data(&picture.pixels).ok()?;
    }
    writer.finish().ok()?;
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reader::ccitt;
    use crate::reader::render::tests::jpeg;

    fn png_of(picture: &image::DynamicImage) -> Vec<u8> {
        let mut bytes = Vec::new();
        picture.write_to(&mut Cursor::new(&mut bytes), image::ImageFormat::Png).unwrap();
        bytes
    }

    fn facsimile(bytes: &[u8], upright: (u16, f32)) -> Facsimile {
        let facsimile = of_page(bytes, 1, upright, &RenderLimits::default(), &mut None).unwrap();
        assert!(facsimile.is_possible(&RenderLimits::default()));
        facsimile
    }

    #[test]
    fn black_and_white_comes_out_of_group_4_as_it_went_in() {
        // Runs of all lengths in all places, rows all black and all white, and rows like those above and unlike them.
        let mut seed = 20_261_122_u64;
        let mut random = |below: u64| {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (seed >> 33) % below
        };
        for width in [1_u32, 7, 8, 64, 65, 1728, 2560, 5200] {
            let mut pixels: Vec<u8> = Vec::new();
            for row in 0..60_u32 {
                let mut line: Vec<u8> = match row % 6 {
                    0 => vec![0; width as usize],
                    1 => vec![255; width as usize],
                    _ => pixels.iter().rev().take(width as usize).rev().copied().collect(),
                };
                let mut at = 0;
                while row % 6 > 2 && at < width as usize {
                    let bits = random(12);
                    let length = 1 + random(1 << bits) as usize;
                    let colour = if random(2) == 0 { 0 } else { 255 };
                    line.iter_mut().skip(at).take(length).for_each(|pixel| *pixel = colour);
                    at += length + random(40) as usize;
                }
                pixels.extend(line);
            }
            let settings =
                ccitt::Settings { coding: ccitt::Coding::Group4, columns: width, rows: 60, byte_aligned: false };
            let strip = ccitt::Decoder::default().decode(&group_4(&pixels, width), &settings);
            assert_eq!((strip.damaged, strip.pixels == pixels), (0, true), "{width} pixels wide");
        }
    }

    #[test]
    fn a_jpeg_is_passed_on_as_the_file_it_is_unless_it_was_cut() {
        let (whole, pixels) = jpeg();
        let passed = facsimile(&whole, (0, 0.0));
        assert_eq!((passed.coding, passed.picture), (Coding::Jpeg { colours: false }, whole.clone()));
        let cut = whole.get(..pixels + (whole.len() - pixels) / 2).unwrap();
        assert_eq!(facsimile(cut, (0, 0.0)).coding, Coding::Packed { colours: false });
    }

    #[test]
    fn colours_are_kept_and_grey_is_not_made_black_and_white() {
        let colours = image::RgbImage::from_fn(850, 1100, |x, _| image::Rgb([200, (x % 256) as u8, 0]));
        let coloured = facsimile(&png_of(&colours.into()), (0, 0.0));
        assert_eq!(coloured.coding, Coding::Packed { colours: true });
        let grey = image::GrayImage::from_fn(850, 1100, |x, _| image::Luma([(x % 256) as u8]));
        assert_eq!(facsimile(&png_of(&grey.into()), (0, 0.0)).coding, Coding::Packed { colours: false });
    }

    #[test]
    fn the_screens_picture_is_upright_and_has_the_size_of_the_page_that_was_read() {
        let mut page = image::GrayImage::from_pixel(850, 1100, image::Luma([255]));
        page.put_pixel(3, 5, image::Luma([0]));
        let made = facsimile(&png_of(&page.into()), (90, 0.0));
        assert_eq!((made.coding, made.quarters), (Coding::Group4, 1));
        assert_eq!((made.width, made.height), (850, 1100));
        // 100 dots an inch are read at 200.
        assert_eq!((made.sheet_width, made.sheet_height, made.resolution), (2200, 1700, 200));
        let shown = image::load_from_memory(&made.png).unwrap().into_luma8();
        assert_eq!(shown.dimensions(), (2200, 1700));
        let ink = shown.enumerate_pixels().find(|(_, _, pixel)| pixel.0 == [0]).unwrap();
        assert!((2180..2200).contains(&ink.0) && ink.1 < 20, "{ink:?}");
    }

    #[test]
    fn a_page_of_text_has_no_picture() {
        let message = b"From: a@b.example\r\nSubject: s\r\n\r\nConcurrent review\r\n";
        let none = of_page(message, 1, (0, 0.0), &RenderLimits::default(), &mut None).unwrap_err();
        assert_eq!(none, RenderError::NoPages);
    }
}
