//! A sheet of paper as a list of marks, in points (1/72 inch) from its top left corner; letter size, 612 × 792.
//!
//! The same sheet can be scanned to pixels (`scan.rs`) or written as a text page of a PDF (`pdf.rs`).

use std::io;
use std::path::Path;

use ab_glyph::{Font, FontVec};

/// Points across and down a letter sheet.
pub const WIDTH: f32 = 612.0;
pub const HEIGHT: f32 = 792.0;

/// A typeface; in a PDF, the standard font that comes nearest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Face {
    Sans,
    SansBold,
    Serif,
    SerifBold,
    Mono,
    MonoBold,
    Wide,
    /// Slanted and unsteady: what stands in for handwriting.
    Hand,
}

/// Debian's font files, by face.
const FILES: [(Face, &str); 8] = [
    (Face::Sans, "liberation/LiberationSans-Regular.ttf"),
    (Face::SansBold, "liberation/LiberationSans-Bold.ttf"),
    (Face::Serif, "liberation/LiberationSerif-Regular.ttf"),
    (Face::SerifBold, "liberation/LiberationSerif-Bold.ttf"),
    (Face::Mono, "liberation/LiberationMono-Regular.ttf"),
    (Face::MonoBold, "liberation/LiberationMono-Bold.ttf"),
    (Face::Wide, "dejavu/DejaVuSans.ttf"),
    (Face::Hand, "liberation/LiberationSerif-Italic.ttf"),
];

/// The loaded fonts.
pub struct Fonts(Vec<FontVec>);

impl Fonts {
    /// Reads Debian's fonts-liberation and fonts-dejavu-core; an error names the missing file and the remedy.
    pub fn load() -> io::Result<Self> {
        let folder = Path::new("/usr/share/fonts/truetype");
        let read = |(_, file): &(Face, &str)| {
            let path = folder.join(file);
            let remedy = |reason: String| {
                io::Error::other(format!("font {}: {reason}; run tests/setup.sh, which installs it", path.display()))
            };
            let bytes = std::fs::read(&path).map_err(|error| remedy(error.to_string()))?;
            FontVec::try_from_vec(bytes).map_err(|error| remedy(error.to_string()))
        };
        FILES.iter().map(read).collect::<io::Result<_>>().map(Self)
    }

    pub fn font(&self, face: Face) -> &FontVec {
        &self.0[FILES.iter().position(|(known, _)| *known == face).unwrap_or(0)]
    }

    /// Points that this text takes across.
    pub fn width(&self, text: &str, size: f32, face: Face) -> f32 {
        let font = self.font(face);
        let units: f32 = text.chars().map(|letter| font.h_advance_unscaled(font.glyph_id(letter))).sum();
        units * size / font.units_per_em().unwrap_or(1000.0)
    }
}

/// Something on the paper.
#[derive(Clone, Debug)]
pub enum Mark {
    /// `y` is the baseline; `white` is for text on a black band.
    Text { x: f32, y: f32, size: f32, face: Face, white: bool, text: String },
    /// A filled rectangle: rules and frames are thin ones.
    Black { x: f32, y: f32, width: f32, height: f32 },
    /// A rectangle filled with sparse dots, as a shaded table row becomes on a fax.
    Shade { x: f32, y: f32, width: f32, height: f32 },
}

/// One page being drawn.
#[derive(Clone)]
pub struct Sheet<'a> {
    pub fonts: &'a Fonts,
    pub marks: Vec<Mark>,
}

impl<'a> Sheet<'a> {
    pub fn new(fonts: &'a Fonts) -> Self {
        Self { fonts, marks: Vec::new() }
    }

    /// Text from `x` on; tells where it ends.
    pub fn text(&mut self, x: f32, y: f32, size: f32, face: Face, text: &str) -> f32 {
        self.marks.push(Mark::Text { x, y, size, face, white: false, text: text.to_owned() });
        x + self.fonts.width(text, size, face)
    }

    pub fn white_text(&mut self, x: f32, y: f32, size: f32, face: Face, text: &str) {
        self.marks.push(Mark::Text { x, y, size, face, white: true, text: text.to_owned() });
    }

    pub fn right(&mut self, x: f32, y: f32, size: f32, face: Face, text: &str) {
        let width = self.fonts.width(text, size, face);
        self.text(x - width, y, size, face, text);
    }

    pub fn centre(&mut self, y: f32, size: f32, face: Face, text: &str) {
        let width = self.fonts.width(text, size, face);
        self.text((WIDTH - width) / 2.0, y, size, face, text);
    }

    /// A label and, after it, its value; tells where the value ends.
    pub fn pair(&mut self, (x, y): (f32, f32), size: f32, faces: (Face, Face), label: &str, value: &str) -> f32 {
        let end = self.text(x, y, size, faces.0, label);
        self.text(end + size * 0.4, y, size, faces.1, value)
    }

    /// Text wrapped to `width`; tells the baseline of the line after the last.
    pub fn paragraph(&mut self, (x, y): (f32, f32), width: f32, size: f32, face: Face, text: &str) -> f32 {
        let mut baseline = y;
        for paragraph in text.lines() {
            let mut line = String::new();
            for word in paragraph.split_whitespace() {
                let longer = if line.is_empty() { word.to_owned() } else { format!("{line} {word}") };
                if self.fonts.width(&longer, size, face) > width && !line.is_empty() {
                    self.text(x, baseline, size, face, &line);
                    baseline += size * 1.3;
                    word.clone_into(&mut line);
                } else {
                    line = longer;
                }
            }
            self.text(x, baseline, size, face, &line);
            baseline += size * 1.3;
        }
        baseline
    }

    pub fn black(&mut self, x: f32, y: f32, width: f32, height: f32) {
        self.marks.push(Mark::Black { x, y, width, height });
    }

    pub fn shade(&mut self, x: f32, y: f32, width: f32, height: f32) {
        self.marks.push(Mark::Shade { x, y, width, height });
    }

    pub fn rule(&mut self, x: f32, y: f32, width: f32) {
        self.black(x, y, width, 0.9);
    }

    pub fn frame(&mut self, x: f32, y: f32, width: f32, height: f32) {
        self.rule(x, y, width);
        self.rule(x, y + height, width + 0.9);
        self.black(x, y, 0.9, height);
        self.black(x + width, y, 0.9, height);
    }

    /// A box with a cross in it or not, and its label; tells where the label ends.
    pub fn tick(&mut self, x: f32, y: f32, size: f32, face: Face, ticked: bool, label: &str) -> f32 {
        self.frame(x, y - size * 0.8, size * 0.85, size * 0.85);
        if ticked {
            self.text(x + size * 0.1, y - size * 0.06, size, Face::SansBold, "X");
        }
        self.text(x + size * 1.3, y, size, face, label)
    }
}
