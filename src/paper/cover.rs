//! Our own cover sheet, for hospitals to put before their papers: the case's numbers in large type that a fax does not
//! hurt, and again as a QR code.
//!
//! It holds the case's id and authorization number, and nothing else of the baby's. The code's modules are a fourteenth of
//! an inch high, so that seven rows of a standard fax (98 an inch) show each.

use std::io::{self, Write};

use pdf_writer::types::TextRenderingMode;
use pdf_writer::{Content, Str};
use qrcode::types::QrError;
use qrcode::{Color, EcLevel, QrCode};

use super::font::Font;
use super::pdf::PdfFile;

/// A letter sheet, in points.
const SHEET: (f32, f32) = (612.0, 792.0);

/// Side of a module of the code, in points.
const MODULE: f32 = 5.0;

/// Margin of the sheet, in points.
const LEFT: f32 = 54.0;

/// What stands on a cover sheet.
#[derive(Clone, Debug)]
pub struct Cover<'a> {
    pub case_id: &'a str,
    /// Empty where the case has none.
    pub auth_number: &'a str,
    /// Number to which it is to be faxed, if it is to say so.
    pub fax_number: Option<&'a str>,
}

/// Why there is no cover sheet.
#[derive(Debug, thiserror::Error)]
pub enum CoverError {
    #[error("the case's numbers do not fit into a QR code: {0}; look at the registry")]
    Code(QrError),
    #[error("the sheet cannot be written: {0}; make room, or correct permissions")]
    Io(#[from] io::Error),
}

impl Cover<'_> {
    /// What the code says: `case_id=…;auth_number=…`.
    pub fn code(&self) -> String {
        let mut code = format!("case_id={}", self.case_id);
        if !self.auth_number.is_empty() {
            code.push_str(";auth_number=");
            code.push_str(self.auth_number);
        }
        code
    }

    /// Writes the sheet as a PDF; gives the output back, not flushed.
    pub fn write<W: Write>(&self, out: W) -> Result<W, CoverError> {
        let code = QrCode::with_error_correction_level(self.code(), EcLevel::Q).map_err(CoverError::Code)?;
        let mut content = Content::new();
        set(&mut content, 716.0, 22.0, "NICU FAX COVER SHEET");
        set(&mut content, 690.0, 12.0, "Put this sheet before the papers about one baby; use it for no other.");
        set(&mut content, 640.0, 18.0, &format!("Case ID: {}", self.case_id));
        if !self.auth_number.is_empty() {
            set(&mut content, 610.0, 18.0, &format!("Authorization #: {}", self.auth_number));
        }
        if let Some(number) = self.fax_number {
            set(&mut content, 580.0, 14.0, &format!("Fax to: {number}"));
        }
        let blanks =
            ["From (hospital, unit):", "Name and telephone:", "Return fax:", "Date:", "Pages with this sheet:"];
        for (line, label) in (0_u8..).zip(blanks) {
            let height = 290.0 - 40.0 * f32::from(line);
            set(&mut content, height, 12.0, label);
            content
                .set_line_width(0.75)
                .move_to(LEFT + 180.0, height - 3.0)
                .line_to(SHEET.0 - LEFT, height - 3.0)
                .stroke();
        }
        set(
            &mut content,
            72.0,
            9.0,
            "Confidential health information. If it reached you by mistake, call the sender and destroy it.",
        );
        draw_code(&mut content, &code, (LEFT, 548.0));
        let mut file = PdfFile::begin(out, "NICU fax cover sheet")?;
        file.add_page(SHEET, content, &[Font::Typewriter], None)?;
        Ok(file.finish()?)
    }
}

fn set(content: &mut Content, height: f32, size: f32, text: &str) {
    let (letters, _) = Font::Typewriter.set(text);
    content.begin_text().set_text_rendering_mode(TextRenderingMode::Fill).set_font(Font::Typewriter.name(), size);
    content.set_text_matrix([1.0, 0.0, 0.0, 1.0, LEFT, height]).show(Str(&letters)).end_text();
}

/// Draws a code below and right of this corner, a margin of four modules around it.
fn draw_code(content: &mut Content, code: &QrCode, (left, top): (f32, f32)) {
    let width = code.width();
    for (row, modules) in code.to_colors().chunks(width.max(1)).enumerate() {
        for (column, _) in modules.iter().enumerate().filter(|(_, module)| **module == Color::Dark) {
            let (x, y) = (left + (column + 4) as f32 * MODULE, top - (row + 5) as f32 * MODULE);
            content.rect(x, y, MODULE, MODULE);
        }
    }
    content.fill_nonzero();
}
