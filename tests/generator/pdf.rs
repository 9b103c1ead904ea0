//! PDFs written by hand: fax pictures, text pages in the standard fonts, and an encrypted one.

use std::io::Write;

use flate2::Compression;
use flate2::write::ZlibEncoder;

use super::ccitt::{Bitmap, Encoding, FillOrder, encode};
use super::sheet::{Face, HEIGHT, Mark, Sheet};

/// A file being put together: objects are numbered from 1 in the order in which they are added.
#[derive(Default)]
pub struct PdfFile {
    objects: Vec<Vec<u8>>,
}

impl PdfFile {
    pub fn add(&mut self, body: impl Into<Vec<u8>>) -> usize {
        self.objects.push(body.into());
        self.objects.len()
    }

    pub fn add_stream(&mut self, entries: &str, data: &[u8]) -> usize {
        let mut body = format!("<< {entries} /Length {} >>\nstream\n", data.len()).into_bytes();
        body.extend_from_slice(data);
        body.extend_from_slice(b"\nendstream");
        self.add(body)
    }

    /// The bytes; `root` is the catalogue's number, `trailer` more entries of the trailer.
    pub fn finish(&self, root: usize, trailer: &str) -> Vec<u8> {
        let mut file = b"%PDF-1.4\n%\xe2\xe3\xcf\xd3\n".to_vec();
        let mut table = format!("xref\n0 {}\n0000000000 65535 f \n", self.objects.len() + 1);
        for (index, body) in self.objects.iter().enumerate() {
            table.push_str(&format!("{:010} 00000 n \n", file.len()));
            file.extend_from_slice(format!("{} 0 obj\n", index + 1).as_bytes());
            file.extend_from_slice(body);
            file.extend_from_slice(b"\nendobj\n");
        }
        let start = file.len();
        file.extend_from_slice(table.as_bytes());
        let size = self.objects.len() + 1;
        let end = format!("trailer\n<< /Size {size} /Root {root} 0 R {trailer} >>\nstartxref\n{start}\n%%EOF\n");
        file.extend_from_slice(end.as_bytes());
        file
    }

    /// Pages (resources, content stream) under one tree; the catalogue's number.
    pub fn tree(&mut self, pages: &[(String, usize)]) -> usize {
        let tree = self.objects.len() + pages.len() + 1;
        let mut kids = String::new();
        for (resources, content) in pages {
            let page = self.add(format!(
                "<< /Type /Page /Parent {tree} 0 R /MediaBox [0 0 612 792] /Resources << {resources} >> /Contents {content} 0 R >>"
            ));
            kids.push_str(&format!("{page} 0 R "));
        }
        self.add(format!("<< /Type /Pages /Kids [{kids}] /Count {} >>", pages.len()));
        self.add(format!("<< /Type /Catalog /Pages {tree} 0 R >>"))
    }
}

/// zlib, as `FlateDecode` and TIFF's deflate want it.
pub fn deflate(data: &[u8]) -> Vec<u8> {
    let mut encoder = ZlibEncoder::new(Vec::new(), Compression::default());
    // Writing to a Vec can't fail.
    _ = encoder.write_all(data);
    encoder.finish().unwrap_or_default()
}

/// Each picture on a letter page of its own, in Group 4.
pub fn of_pictures(pictures: &[Bitmap]) -> Vec<u8> {
    let mut file = PdfFile::default();
    let mut pages = Vec::new();
    for picture in pictures {
        let (width, height) = (picture.width, picture.height);
        let data = encode(picture, Encoding::Group4, FillOrder::MostSignificantFirst, &[]);
        let image = file.add_stream(
            &format!(
                "/Type /XObject /Subtype /Image /Width {width} /Height {height} /BitsPerComponent 1 /ColorSpace /DeviceGray \
                 /Filter /CCITTFaxDecode /DecodeParms << /K -1 /Columns {width} /Rows {height} >>"
            ),
            &data,
        );
        let content = file.add_stream("", b"q 612 0 0 792 0 0 cm /Im0 Do Q");
        pages.push((format!("/XObject << /Im0 {image} 0 R >>"), content));
    }
    let root = file.tree(&pages);
    file.finish(root, "")
}

/// Each sheet as a page of real text.
pub fn of_text(sheets: &[Sheet<'_>]) -> Vec<u8> {
    let mut file = PdfFile::default();
    let fonts = add_fonts(&mut file);
    let pages: Vec<_> = sheets
        .iter()
        .map(|sheet| (fonts.clone(), file.add_stream("/Filter /FlateDecode", &deflate(&operators(sheet)))))
        .collect();
    let root = file.tree(&pages);
    file.finish(root, "")
}

const STANDARD_FONTS: [(&str, &str); 7] = [
    ("F0", "Helvetica"),
    ("F1", "Helvetica-Bold"),
    ("F2", "Times-Roman"),
    ("F3", "Times-Bold"),
    ("F4", "Courier"),
    ("F5", "Courier-Bold"),
    ("F6", "Times-Italic"),
];

fn add_fonts(file: &mut PdfFile) -> String {
    let mut entries = String::new();
    for (name, font) in STANDARD_FONTS {
        let number =
            file.add(format!("<< /Type /Font /Subtype /Type1 /BaseFont /{font} /Encoding /WinAnsiEncoding >>"));
        entries.push_str(&format!("/{name} {number} 0 R "));
    }
    format!("/Font << {entries} >>")
}

fn font_name(face: Face) -> &'static str {
    match face {
        Face::Sans | Face::Wide => "F0",
        Face::SansBold => "F1",
        Face::Serif => "F2",
        Face::SerifBold => "F3",
        Face::Mono => "F4",
        Face::MonoBold => "F5",
        Face::Hand => "F6",
    }
}

/// The sheet's marks as a content stream; PDF counts points from the bottom.
fn operators(sheet: &Sheet<'_>) -> Vec<u8> {
    let mut stream = Vec::new();
    for mark in &sheet.marks {
        match mark {
            Mark::Black { x, y, width, height } => {
                let bottom = HEIGHT - y - height;
                stream.extend(format!("0 g {x:.2} {bottom:.2} {width:.2} {height:.2} re f\n").bytes());
            }
            Mark::Shade { x, y, width, height } => {
                let bottom = HEIGHT - y - height;
                stream.extend(format!("0.93 g {x:.2} {bottom:.2} {width:.2} {height:.2} re f\n").bytes());
            }
            Mark::Text { x, y, size, face, white, text } => {
                let grey = u8::from(*white);
                let (font, y) = (font_name(*face), HEIGHT - y);
                stream.extend(format!("BT {grey} g /{font} {size} Tf {x:.2} {y:.2} Td (").bytes());
                for letter in text.chars() {
                    // WinAnsi agrees with Latin-1 for every letter used here.
                    let byte = u8::try_from(letter).unwrap_or(b'?');
                    if matches!(byte, b'(' | b')' | b'\\') {
                        stream.push(b'\\');
                    }
                    stream.push(byte);
                }
                stream.extend_from_slice(b") Tj ET\n");
            }
        }
    }
    stream
}
