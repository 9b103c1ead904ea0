//! From a document's bytes to page pictures: the one door to the formats.
//!
//! Tells the format by content, counts pages, makes one page's picture at a time. Every size is checked against the
//! limits before anything is allocated for it. Never gives a white page for one it could not draw: that is either an
//! error or a flag on the page. Messages hold nothing that stands on the document.

use std::io::Cursor;

use image::codecs::gif::GifDecoder;
use image::metadata::Orientation;
use image::{AnimationDecoder, DynamicImage, ImageDecoder, ImageReader};

use super::layer::TextLayer;
use super::message::{self, Opened, Paper};
use super::picture::{Picture, square_resolution};
use super::pixel_shape;
use super::{pdf, tiff};
use crate::document::{DocumentFormat, DocumentId, Mail, Page, PageFlag, UnreadPart, is_heic};

/// What a document may ask of the machine.
#[derive(Clone, Copy, Debug)]
pub struct RenderLimits {
    /// Pages in one document.
    pub max_pages: u32,
    /// Pixels of one page, as stored and as rendered.
    pub max_pixels: u64,
}

impl Default for RenderLimits {
    fn default() -> Self {
        Self { max_pages: 1000, max_pixels: 100_000_000 }
    }
}

/// Why a document or a page of it could not be made into pictures.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RenderError {
    #[error(
        "the document is no TIFF, PDF, JPEG, PNG, GIF, BMP or email: look at it by hand, and ask the sender for one of \
         these"
    )]
    UnknownFormat,
    #[error("the document is {HEIC}")]
    Heic,
    #[error("the email holds only {}", told(*.part))]
    NothingReadable { part: UnreadPart },
    #[error("the email is empty: ask the sender what it should have held")]
    EmptyMessage,
    #[error("page {page} is stored in a way that is not supported ({what}): look at it by hand")]
    Unsupported { page: u32, what: &'static str },
    #[error("the PDF is encrypted: ask the sender for one that opens without a password")]
    Encrypted,
    #[error("the document has no pages: ask the sender to send it again")]
    NoPages,
    #[error("the document has {pages} pages or more, {most} are allowed: raise the limit or split it")]
    TooManyPages { pages: u32, most: u32 },
    #[error("there is no page {page}: the document has {pages}")]
    NoSuchPage { page: u32, pages: u32 },
    #[error(
        "page {page} claims {width} x {height} pixels, {most} in all are allowed: raise the limit if it is genuine"
    )]
    PageTooLarge { page: u32, width: u64, height: u64, most: u64 },
    #[error(
        "page {page} is no ordinary page, its content unpacks to more than {most} MB: look at it by hand, and ask the \
         sender to send it again"
    )]
    ContentTooLarge { page: u32, most: u64 },
    #[error("page {page} is damaged ({reason}): ask the sender to send it again")]
    DamagedPage { page: u32, reason: &'static str },
    #[error("the document is damaged ({reason}): ask the sender to send it again")]
    DamagedDocument { reason: &'static str },
}

/// What a person does about a picture in HEIC.
const HEIC: &str = "a telephone's photograph in HEIC, which cannot be decoded here: open it on a telephone or computer \
                    that shows it and key it in by hand, or ask the sender for a JPEG or PDF (on an iPhone: Settings, \
                    Camera, Formats, Most Compatible)";

fn told(part: UnreadPart) -> &'static str {
    match part {
        UnreadPart::Encrypted => "what is encrypted: ask the sender to send it in the clear over a secured line",
        UnreadPart::Password => "what needs a password: ask the sender for one that opens without",
        UnreadPart::WinmailDat => "a winmail.dat: ask the sender to turn off Outlook's rich text, and to send it again",
        UnreadPart::Damaged => "what is damaged: ask the sender to send it again",
        UnreadPart::SmallPicture => {
            "a picture too small for a page: look at it by hand, and ask the sender for a larger one"
        }
        UnreadPart::Heic => HEIC,
        UnreadPart::Unsupported => "what cannot be read here: look at it by hand, and ask the sender for a PDF or TIFF",
        UnreadPart::TooLarge => "more than is taken of one email: look at it by hand, and ask the sender to split it",
        UnreadPart::TooDeep => "what was forwarded or packed too many times over: look at it by hand",
    }
}

/// What a document is, without drawing any of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Inspection {
    pub format: DocumentFormat,
    /// At least 1. A page that the document names but no longer holds (a cut file) counts: rendering it gives the
    /// reason, so that a person learns of it.
    pub pages: u32,
    /// Of an email.
    pub mail: Option<Mail>,
}

/// One page, not yet turned upright.
#[derive(Debug)]
pub struct RenderedPage {
    pub picture: Picture,
    /// [`PageFlag::DamagedRows`], [`PageFlag::BlankPicture`], [`PageFlag::Undecodable`]; sorted, each once.
    pub flags: Vec<PageFlag>,
    /// Whether a picture stands on the page (always, but for PDF pages that are text alone).
    pub holds_picture: bool,
    /// The text that its file gives beside it.
    pub layer: Option<Box<TextLayer>>,
}

/// Raised whenever pages come to be read better: what was read before is not taken for what would be read now.
const READS_AS: u32 = 2;

impl RenderedPage {
    /// Names the page by all that its words depend on, as 64 hexadecimal digits: pages with the same name are read in the
    /// same way. SHA-256, because a page that somebody made to pass for another must not.
    pub fn digest(&self, languages: &str) -> String {
        let Picture { width, height, resolution, pixels } = &self.picture;
        let said =
            format!("{READS_AS} {languages} {width} {height} {resolution} {:?} {} ", self.flags, self.holds_picture);
        let mut named = said.into_bytes();
        named.extend_from_slice(pixels);
        DocumentId::of(&named).as_str().to_owned()
    }
}

/// One page as its file holds it: nothing is scaled or turned yet.
#[derive(Debug)]
pub struct StoredPage {
    /// Pixels.
    pub width: u32,
    pub height: u32,
    /// 8-bit grey, row-major, `width * height` bytes; 0 is ink.
    pub pixels: Vec<u8>,
    /// Dots an inch, across and down.
    pub resolution: (u32, u32),
    /// Clockwise quarter turns by which the file has it shown.
    pub quarters: u32,
    /// As in [`RenderedPage`].
    pub flags: Vec<PageFlag>,
    pub holds_picture: bool,
    /// Its decoder does not tell whether it could decode anything: something was to be seen, so a blank picture is a
    /// reason to look.
    pub blank_is_suspect: bool,
    /// As in [`RenderedPage`].
    pub layer: Option<Box<TextLayer>>,
}

impl StoredPage {
    /// The page (1-based, for messages) with square pixels, turned as the file has it shown.
    pub fn rendered(self, page: u32, limits: &RenderLimits) -> Result<RenderedPage, RenderError> {
        let Self { width, height, pixels, resolution, quarters, mut flags, holds_picture, blank_is_suspect, layer } =
            self;
        let picture = squared(page, (width, height), pixels, resolution, limits)?.turned(quarters);
        if blank_is_suspect && picture.is_blank() {
            flags.push(PageFlag::BlankPicture);
        }
        flags.sort_unstable();
        flags.dedup();
        Ok(RenderedPage { picture, flags, holds_picture, layer })
    }
}

/// Tells the format and counts the pages.
pub fn inspect(bytes: &[u8], limits: &RenderLimits) -> Result<Inspection, RenderError> {
    let format = known_format(bytes)?;
    let (pages, mail) = match format {
        DocumentFormat::Tiff => (tiff::count_pages(bytes, limits)?, None),
        DocumentFormat::Pdf => (pdf::count_pages(bytes, limits)?, None),
        DocumentFormat::Gif => {
            check_single(bytes, limits)?;
            (1, None)
        }
        DocumentFormat::Jpeg | DocumentFormat::Png | DocumentFormat::Bmp => (1, None),
        DocumentFormat::Message => {
            let opened = message::open(bytes, limits)?;
            (opened.pages(), Some(opened.mail))
        }
    };
    Ok(Inspection { format, pages, mail })
}

/// A page to be read.
pub enum Leaf {
    Picture(RenderedPage),
    /// Of a text: read already.
    Text(Page),
}

/// Where a page of any document lies.
pub enum Place<'a> {
    /// In a file that is no email: its bytes, and the page's number in it.
    File(&'a [u8], u32),
    /// In a text of an email: the text, and the page's number in it.
    Text(&'a str, u32),
}

/// Finds one page of any document (1-based). `opened`: what the document holds if it is a message, kept for its other
/// pages.
pub fn place<'a>(
    bytes: &'a [u8],
    page: u32,
    limits: &RenderLimits,
    opened: &'a mut Option<Opened>,
) -> Result<Place<'a>, RenderError> {
    if DocumentFormat::sniff(bytes) != Some(DocumentFormat::Message) {
        return Ok(Place::File(bytes, page));
    }
    let opened = match opened {
        Some(opened) => opened,
        None => opened.insert(message::open(bytes, limits)?),
    };
    let no_such = RenderError::NoSuchPage { page, pages: opened.pages() };
    Ok(match opened.paper_of(page).ok_or(no_such)? {
        (Paper::File(bytes), within) => Place::File(bytes, within),
        (Paper::Text(text), within) => Place::Text(text, within),
    })
}

/// One page of any document (1-based); its errors name the page as the document counts. `opened` as for [`place`].
pub fn leaf(bytes: &[u8], page: u32, limits: &RenderLimits, opened: &mut Option<Opened>) -> Result<Leaf, RenderError> {
    match place(bytes, page, limits, opened)? {
        Place::File(bytes, within) => render_page(bytes, within, limits).map(Leaf::Picture),
        Place::Text(text, within) => Ok(Leaf::Text(message::page_of_text(text, within, page))),
    }
}

/// Draws one page (1-based) of a document that is no email.
pub fn render_page(bytes: &[u8], page: u32, limits: &RenderLimits) -> Result<RenderedPage, RenderError> {
    stored_page(bytes, page, limits)?.rendered(page, limits)
}

/// One page (1-based) of a document that is no email, as the document holds it; drawn where it holds no picture.
pub fn stored_page(bytes: &[u8], page: u32, limits: &RenderLimits) -> Result<StoredPage, RenderError> {
    match known_format(bytes)? {
        DocumentFormat::Tiff => tiff::stored_page(bytes, page, limits),
        DocumentFormat::Pdf => pdf::stored_page(bytes, page, limits),
        format if format.is_picture() && page != 1 => Err(RenderError::NoSuchPage { page, pages: 1 }),
        DocumentFormat::Jpeg | DocumentFormat::Png | DocumentFormat::Gif | DocumentFormat::Bmp => {
            stored_image(bytes, limits)
        }
        DocumentFormat::Message => Err(RenderError::UnknownFormat),
    }
}

fn known_format(bytes: &[u8]) -> Result<DocumentFormat, RenderError> {
    DocumentFormat::sniff(bytes)
        .ok_or_else(|| if is_heic(bytes) { RenderError::Heic } else { RenderError::UnknownFormat })
}

/// Refuses a GIF with more than one picture: which of them a person would see depends on when. What cannot be decoded is
/// told of when its page is drawn.
fn check_single(bytes: &[u8], limits: &RenderLimits) -> Result<(), RenderError> {
    let Ok(decoder) = GifDecoder::new(Cursor::new(bytes)) else { return Ok(()) };
    let (width, height) = decoder.dimensions();
    check_size(1, u64::from(width), u64::from(height), limits)?;
    if decoder.into_frames().take(2).flatten().count() > 1 {
        return Err(RenderError::Unsupported { page: 1, what: "several pictures in one GIF" });
    }
    Ok(())
}

/// Refuses a page that is over the limit.
pub(super) fn check_size(page: u32, width: u64, height: u64, limits: &RenderLimits) -> Result<(), RenderError> {
    if width.checked_mul(height).is_none_or(|pixels| pixels > limits.max_pixels) {
        return Err(RenderError::PageTooLarge { page, width, height, most: limits.max_pixels });
    }
    Ok(())
}

/// Brings pixels of `(across, down)` dots an inch to a page with square ones.
pub(super) fn squared(
    page: u32,
    (width, height): (u32, u32),
    pixels: Vec<u8>,
    (across, down): (u32, u32),
    limits: &RenderLimits,
) -> Result<Picture, RenderError> {
    let resolution = square_resolution(across, down);
    let scale = |length: u32, dots: u32| {
        // Dots that differ by a hundredth (200 and 199, 204 and 203) are one resolution, rounded by someone.
        if dots.abs_diff(resolution) * 100 <= resolution {
            u64::from(length)
        } else {
            (u64::from(length) * u64::from(resolution)).div_ceil(u64::from(dots.max(1))).max(1)
        }
    };
    let (wide, high) = (scale(width, across), scale(height, down));
    check_size(page, wide, high, limits)?;
    Ok(Picture { width, height, resolution: across, pixels }.scaled(wide as u32, high as u32, resolution))
}

/// Whether a JPEG goes on to its end: decoders fill up one that was cut with grey, and call it good.
///
/// Goes by the segments (ITU-T T.81 B.1), so that the end of a preview within it is not taken for its own.
pub(super) fn jpeg_is_whole(bytes: &[u8]) -> bool {
    let mut at = 2;
    while let Some(&byte) = bytes.get(at) {
        let Some(&marker) = bytes.get(at + 1) else { return false };
        match (byte, marker) {
            (0xff, 0xd9) => return true,
            // Fill bytes; stuffed bytes, restarts, and markers without a length.
            (0xff, 0xff) => at += 1,
            (0xff, 0x00 | 0x01 | 0xd0..=0xd8) => at += 2,
            (0xff, _) => {
                let length = bytes.get(at + 2..at + 4).and_then(|length| <[u8; 2]>::try_from(length).ok());
                let Some(length) = length.map(u16::from_be_bytes) else { return false };
                at += 2 + usize::from(length);
            }
            _ => at += 1,
        }
    }
    false
}

/// The picture in a file that holds one, turned as the file has it shown.
pub(super) fn decoded_image(bytes: &[u8], limits: &RenderLimits) -> Result<DynamicImage, RenderError> {
    const DAMAGED: RenderError = RenderError::DamagedPage { page: 1, reason: "its picture can't be decoded" };
    let reader = ImageReader::new(Cursor::new(bytes)).with_guessed_format().map_err(|_| DAMAGED)?;
    let mut decoder = reader.into_decoder().map_err(|_| DAMAGED)?;
    let (width, height) = decoder.dimensions();
    check_size(1, u64::from(width), u64::from(height), limits)?;
    if width == 0 || height == 0 {
        return Err(RenderError::DamagedPage { page: 1, reason: "its picture is empty" });
    }
    let orientation = decoder.orientation().unwrap_or(Orientation::NoTransforms);
    let mut picture = DynamicImage::from_decoder(decoder).map_err(|_| DAMAGED)?;
    picture.apply_orientation(orientation);
    Ok(picture)
}

/// What of a colour is seen through this opacity on white paper.
pub(super) fn on_paper(value: u8, alpha: u8) -> u8 {
    ((u32::from(value) * u32::from(alpha) + 255 * (255 - u32::from(alpha))) / 255) as u8
}

/// A JPEG or PNG file: one page.
fn stored_image(bytes: &[u8], limits: &RenderLimits) -> Result<StoredPage, RenderError> {
    let picture = decoded_image(bytes, limits)?;
    // Transparent pixels are paper, whatever colour lies beneath.
    let grey = if picture.color().has_alpha() {
        let mut grey = picture.to_luma_alpha8();
        for pixel in grey.pixels_mut() {
            let [value, alpha] = pixel.0;
            pixel.0 = [on_paper(value, alpha), 255];
        }
        DynamicImage::ImageLumaA8(grey).into_luma8()
    } else {
        picture.into_luma8()
    };
    let (width, height) = grey.dimensions();
    let pixels = grey.into_raw();
    let resolution = pixel_shape::resolution((width, height), &pixels, None);
    let is_cut = DocumentFormat::sniff(bytes) == Some(DocumentFormat::Jpeg) && !jpeg_is_whole(bytes);
    Ok(StoredPage {
        width,
        height,
        pixels,
        resolution,
        quarters: 0,
        flags: if is_cut { vec![PageFlag::DamagedRows] } else { Vec::new() },
        holds_picture: true,
        blank_is_suspect: false,
        layer: None,
    })
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    fn png(width: u32, height: u32) -> Vec<u8> {
        let mut bytes = Vec::new();
        DynamicImage::new_luma8(width, height).write_to(&mut Cursor::new(&mut bytes), image::ImageFormat::Png).unwrap();
        bytes
    }

    #[test]
    fn a_text_file_is_refused_whatever_it_is_called() {
        let limits = RenderLimits::default();
        assert_eq!(inspect(b"Dear nurse,", &limits), Err(RenderError::UnknownFormat));
        assert_eq!(render_page(b"", 1, &limits).unwrap_err(), RenderError::UnknownFormat);
    }

    #[test]
    fn a_png_is_one_page() {
        let limits = RenderLimits::default();
        let bytes = png(850, 1100);
        assert_eq!(inspect(&bytes, &limits), Ok(Inspection { format: DocumentFormat::Png, pages: 1, mail: None }));
        let page = render_page(&bytes, 1, &limits).unwrap();
        // 100 dots an inch are too few to read by.
        assert_eq!((page.picture.width, page.picture.height, page.picture.resolution), (1700, 2200, 200));
        assert_eq!(render_page(&bytes, 2, &limits).unwrap_err(), RenderError::NoSuchPage { page: 2, pages: 1 });
    }

    #[test]
    fn a_gif_and_a_bitmap_are_one_page_each_and_several_pictures_in_one_gif_go_to_a_person() {
        let limits = RenderLimits::default();
        let sheet =
            image::GrayImage::from_fn(850, 1100, |x, y| image::Luma([if x % 5 < 2 && y % 24 < 12 { 0 } else { 255 }]));
        let sheet = DynamicImage::ImageLuma8(sheet).into_rgba8();
        for (format, told) in
            [(image::ImageFormat::Gif, DocumentFormat::Gif), (image::ImageFormat::Bmp, DocumentFormat::Bmp)]
        {
            let mut bytes = Vec::new();
            sheet.write_to(&mut Cursor::new(&mut bytes), format).unwrap();
            assert_eq!(inspect(&bytes, &limits), Ok(Inspection { format: told, pages: 1, mail: None }));
            let picture = render_page(&bytes, 1, &limits).unwrap().picture;
            assert_eq!((picture.width, picture.height, picture.is_blank()), (1700, 2200, false), "{told:?}");
            assert_eq!(render_page(&bytes, 2, &limits).unwrap_err(), RenderError::NoSuchPage { page: 2, pages: 1 });
            let cut = render_page(&bytes[..bytes.len() / 2], 1, &limits).unwrap_err();
            assert!(matches!(cut, RenderError::DamagedPage { page: 1, .. }), "{told:?}: {cut}");
        }
        let mut moving = Vec::new();
        let mut encoder = image::codecs::gif::GifEncoder::new(&mut moving);
        encoder.encode_frames([sheet.clone(), sheet].map(image::Frame::new)).unwrap();
        drop(encoder);
        let error = inspect(&moving, &limits).unwrap_err();
        assert!(error.to_string().contains("several pictures in one GIF"), "{error}");
    }

    #[test]
    fn a_photograph_in_heic_is_refused_with_what_to_do() {
        let error = inspect(b"\0\0\0\x18ftypheic\0\0\0\0mif1heic", &RenderLimits::default()).unwrap_err();
        assert!(
            error.to_string().contains("HEIC") && error.to_string().contains("ask the sender for a JPEG"),
            "{error}"
        );
    }

    #[test]
    fn a_cut_png_is_an_error_and_not_a_white_page() {
        let bytes = png(850, 1100);
        let error = render_page(&bytes[..bytes.len() / 2], 1, &RenderLimits::default()).unwrap_err();
        assert!(matches!(error, RenderError::DamagedPage { page: 1, .. }));
    }

    /// A page of grey stripes, and where the pixels begin.
    pub(in crate::reader) fn jpeg() -> (Vec<u8>, usize) {
        let stripes = image::GrayImage::from_fn(400, 400, |x, y| image::Luma([((x * 7 + y * 13) % 256) as u8]));
        let mut bytes = Vec::new();
        stripes.write_to(&mut Cursor::new(&mut bytes), image::ImageFormat::Jpeg).unwrap();
        let pixels = bytes.windows(2).position(|marker| marker == [0xff, 0xda]).unwrap();
        (bytes, pixels)
    }

    #[test]
    fn a_cut_jpeg_keeps_its_rows_and_is_flagged() {
        let (whole, pixels) = jpeg();
        assert!(render_page(&whole, 1, &RenderLimits::default()).unwrap().flags.is_empty());
        for length in [pixels + (whole.len() - pixels) / 2, whole.len() * 9 / 10, whole.len() - 2] {
            match render_page(&whole[..length], 1, &RenderLimits::default()) {
                Ok(page) => assert_eq!(page.flags, [PageFlag::DamagedRows], "cut after {length} bytes"),
                Err(error) => assert!(matches!(error, RenderError::DamagedPage { .. }), "{error}"),
            }
        }
        let half = &whole[..pixels + (whole.len() - pixels) / 2];
        assert_eq!(render_page(half, 1, &RenderLimits::default()).unwrap().flags, [PageFlag::DamagedRows]);
    }

    #[test]
    fn the_end_of_a_preview_is_not_the_end_of_a_jpeg() {
        let (whole, pixels) = jpeg();
        let mut with_preview = vec![0xff, 0xd8, 0xff, 0xe1, 0, 6, 0xff, 0xd8, 0xff, 0xd9];
        with_preview.extend(&whole[2..]);
        assert!(jpeg_is_whole(&with_preview));
        assert!(!jpeg_is_whole(&with_preview[..pixels + 100]));
        // What some scanners append does no harm.
        with_preview.extend([0; 50]);
        assert!(jpeg_is_whole(&with_preview));
        assert!(!jpeg_is_whole(b""));
    }

    #[test]
    fn a_huge_png_is_refused_before_it_is_decoded() {
        let mut bytes = png(10, 10);
        // IHDR: width and height follow the signature, the length and the name; its checksum follows its 13 bytes.
        bytes[16..20].copy_from_slice(&60_000_u32.to_be_bytes());
        bytes[20..24].copy_from_slice(&60_000_u32.to_be_bytes());
        let mut sum = flate2::Crc::new();
        sum.update(&bytes[12..29]);
        bytes[29..33].copy_from_slice(&sum.sum().to_be_bytes());
        let error = render_page(&bytes, 1, &RenderLimits::default()).unwrap_err();
        let most = 100_000_000;
        assert_eq!(error, RenderError::PageTooLarge { page: 1, width: 60_000, height: 60_000, most });
    }
}
