//! The pages of an item as one PDF: each picture as the document holds it, shown upright and straight, with the words
//! that were read lying unseen where they stand.
//!
//! A page that came askew is straightened by how its picture is placed, on a sheet that is larger by as much: no pixel
//! is changed, no corner is cut off, and its words lie level (programs that search take slanting words apart).
//! A page of text is set in type. A page without a picture is a crossed frame, never a white sheet: a person must not
//! take it for blank.

use std::io::{self, Write};

use pdf_writer::types::TextRenderingMode;
use pdf_writer::{Chunk, Content, Filter, Finish, Name, Ref, Str};

use super::font::Font;
use super::pdf::PdfFile;
use crate::document::{Bounds, Page, Word};
use crate::reader::facsimile::{Coding, Facsimile};

/// Points: a letter sheet, for a page of which no size is known.
const LETTER: (f32, f32) = (612.0, 792.0);

/// Height of a typewriter's letters below the line, as a share of their size.
const BELOW_LINE: f32 = 0.25;

/// A PDF that grows by a page at a time.
pub struct DocumentPdf<W> {
    file: PdfFile<W>,
}

/// Where words lie: pixels of the upright, straightened page, and how they come onto the sheet.
struct Frame {
    width: f32,
    height: f32,
    /// Points a pixel.
    scale: f32,
    /// Sine and cosine of the angle, clockwise, by which its picture lies on the sheet to be straight.
    sine: f32,
    cosine: f32,
}

impl Frame {
    fn of((width, height): (u32, u32), resolution: u32, straightened: f32) -> Self {
        let (sine, cosine) = straightened.to_radians().sin_cos();
        Self { width: width as f32, height: height as f32, scale: 72.0 / resolution.max(1) as f32, sine, cosine }
    }

    /// The page in points.
    fn page(&self) -> (f32, f32) {
        (self.width * self.scale, self.height * self.scale)
    }

    /// The sheet in points: what the page takes up when it lies askew.
    fn sheet(&self) -> (f32, f32) {
        let (width, height) = self.page();
        let (sine, cosine) = (self.sine.abs(), self.cosine.abs());
        (width * cosine + height * sine, width * sine + height * cosine)
    }

    /// Where a pixel of the straightened page lies on the sheet, in points from its lower left corner.
    fn place(&self, x: f32, y: f32) -> (f32, f32) {
        let ((width, height), sheet) = (self.page(), self.sheet());
        (x * self.scale + (sheet.0 - width) / 2.0, height - y * self.scale + (sheet.1 - height) / 2.0)
    }

    /// Turns what is drawn on the page about the middle of the sheet.
    fn straightening(&self) -> [f32; 6] {
        let ((width, height), sheet, Self { sine, cosine, .. }) = (self.page(), self.sheet(), self);
        let across = sheet.0 / 2.0 - f32::midpoint(width * cosine, height * sine);
        let up = sheet.1 / 2.0 - f32::midpoint(height * cosine, -width * sine);
        [*cosine, -sine, *sine, *cosine, across, up]
    }
}

impl<W: Write> DocumentPdf<W> {
    /// `title`: what a viewer calls it, without patient data.
    pub fn begin(out: W, title: &str) -> io::Result<Self> {
        Ok(Self { file: PdfFile::begin(out, title)? })
    }

    /// A page with its picture, and the words of its reading if there is one.
    pub fn add_picture(&mut self, facsimile: &Facsimile, read: Option<&Page>) -> io::Result<()> {
        let picture = self.file.number();
        self.file.write_object(picture, |chunk, number| write_picture(chunk, number, facsimile))?;
        let straightened = read.map_or(0.0, |page| page.straightened);
        let size = (facsimile.sheet_width, facsimile.sheet_height);
        let frame = Frame::of(size, facsimile.resolution, straightened);
        let (width, height) = frame.page();
        let mut content = Content::new();
        // A picture is drawn into the unit square, its first row on top.
        let turn = match facsimile.quarters % 4 {
            0 => [width, 0.0, 0.0, height, 0.0, 0.0],
            1 => [0.0, -height, width, 0.0, 0.0, height],
            2 => [-width, 0.0, 0.0, -height, width, height],
            _ => [0.0, height, -width, 0.0, width, 0.0],
        };
        content.save_state().transform(frame.straightening()).transform(turn).x_object(Name(b"Im")).restore_state();
        // Boxes of another sheet (of a reading by another version, say) would lie anywhere.
        let words = read.filter(|page| (page.width, page.height) == size).map_or(&[][..], |page| &page.words);
        set_words(&mut content, &frame, Font::Unseen, words);
        let fonts: &[Font] = if words.is_empty() { &[] } else { &[Font::Unseen] };
        self.file.add_page(frame.sheet(), content, fonts, Some(picture))
    }

    /// A page of text.
    pub fn add_text(&mut self, page: &Page) -> io::Result<()> {
        let frame = Frame::of((page.width, page.height), page.resolution, 0.0);
        let mut content = Content::new();
        set_words(&mut content, &frame, Font::Typewriter, &page.words);
        self.file.add_page(frame.sheet(), content, &[Font::Typewriter], None)
    }

    /// A page that cannot be shown, with the words of its reading if there is one.
    pub fn add_missing(&mut self, read: Option<&Page>) -> io::Result<()> {
        let read = read.filter(|page| page.width > 0 && page.height > 0);
        let frame = read.map(|page| Frame::of((page.width, page.height), page.resolution, 0.0));
        let (width, height) = frame.as_ref().map_or(LETTER, Frame::sheet);
        let mut content = Content::new();
        content.rect(9.0, 9.0, width - 18.0, height - 18.0).stroke();
        content.move_to(9.0, 9.0).line_to(width - 9.0, height - 9.0).stroke();
        content.move_to(9.0, height - 9.0).line_to(width - 9.0, 9.0).stroke();
        let notice = Word {
            text: "This page cannot be shown: look at the document as it was received.".to_owned(),
            bounds: Bounds { left: 100, top: 40, width: 1500, height: 30 },
            confidence: 1.0,
            line: 0,
        };
        set_words(&mut content, &Frame::of((1700, 2200), 200, 0.0), Font::Typewriter, &[notice]);
        let mut fonts = vec![Font::Typewriter];
        if let (Some(frame), Some(page)) = (&frame, read) {
            set_words(&mut content, frame, Font::Unseen, &page.words);
            fonts.push(Font::Unseen);
        }
        self.file.add_page((width, height), content, &fonts, None)
    }

    /// Writes the end, and gives the output back, not flushed.
    pub fn finish(self) -> io::Result<W> {
        self.file.finish()
    }
}

fn write_picture(chunk: &mut Chunk, number: Ref, facsimile: &Facsimile) {
    let mut picture = chunk.image_xobject(number, &facsimile.picture);
    picture.width(facsimile.width as i32).height(facsimile.height as i32);
    let colours = match facsimile.coding {
        Coding::Group4 => {
            picture.filter(Filter::CcittFaxDecode);
            let mut parameters = picture.insert(Name(b"DecodeParms")).dict();
            parameters.pair(Name(b"K"), -1);
            parameters.pair(Name(b"Columns"), facsimile.width as i32).pair(Name(b"Rows"), facsimile.height as i32);
            parameters.finish();
            false
        }
        Coding::Jpeg { colours } => {
            picture.filter(Filter::DctDecode);
            colours
        }
        Coding::Packed { colours } => {
            picture.filter(Filter::FlateDecode);
            colours
        }
    };
    picture.bits_per_component(if facsimile.coding == Coding::Group4 { 1 } else { 8 });
    picture.color_space_name(Name(if colours { b"DeviceRGB" } else { b"DeviceGray" }));
}

/// Sets each word so that it fills its box from side to side.
fn set_words(content: &mut Content, frame: &Frame, font: Font, words: &[Word]) {
    if words.is_empty() {
        return;
    }
    content.begin_text();
    content.set_text_rendering_mode(match font {
        Font::Unseen => TextRenderingMode::Invisible,
        Font::Typewriter => TextRenderingMode::Fill,
    });
    for word in words {
        let (letters, width) = font.set(&word.text);
        let Bounds { left, width: wide, height, .. } = word.bounds;
        if letters.is_empty() || wide == 0 || height == 0 {
            continue;
        }
        let below = match font {
            Font::Unseen => 0.0,
            Font::Typewriter => BELOW_LINE * height as f32,
        };
        let size = height as f32 * frame.scale;
        content.set_font(font.name(), size);
        content.set_horizontal_scaling(100.0 * wide as f32 * frame.scale / (width * size));
        let (x, y) = frame.place(left as f32, word.bounds.bottom() as f32 - below);
        content.set_text_matrix([1.0, 0.0, 0.0, 1.0, x, y]);
        content.show(Str(&letters));
    }
    content.end_text();
}
