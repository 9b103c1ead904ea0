//! A PDF/A-2b file (ISO 19005-2, level B), written as it grows; with its neighbours the only user of `pdf-writer`, which
//! would keep a whole file in memory: here each object is written out by itself, and the table of where they lie at the
//! end.
//!
//! What level B asks for stands here: an identifier, metadata, an output intent, and fonts that are embedded. Nothing
//! in it tells a time.

use std::io::{self, Write};

use flate2::Compression;
use flate2::write::ZlibEncoder;
use moxcms::ColorProfile;
use pdf_writer::types::OutputIntentSubtype;
use pdf_writer::{Chunk, Content, Filter, Finish, Name, Rect, Ref, TextStr};
use sha2::{Digest, Sha256};

use super::font::{Font, write_font};

/// The longest side of a page in points (ISO 32000-1, annex C).
const LONGEST_SIDE: f32 = 14_400.0;

/// The numbers of what every file has.
const CATALOG: i32 = 1;
const PAGES: i32 = 2;
const METADATA: i32 = 3;
const PROFILE: i32 = 4;
const FIRST_FREE: i32 = 5;

/// A file being written.
pub(super) struct PdfFile<W> {
    out: W,
    written: u64,
    /// Where each object lies, by its number less one; 0 for one that is not written yet.
    places: Vec<u64>,
    pages: Vec<Ref>,
    fonts: Vec<(Font, Ref)>,
    title: String,
}

impl<W: Write> PdfFile<W> {
    /// `title`: what a viewer calls it, without patient data.
    pub fn begin(out: W, title: &str) -> io::Result<Self> {
        let mut file = Self {
            out,
            written: 0,
            places: vec![0; FIRST_FREE as usize - 1],
            pages: Vec::new(),
            fonts: Vec::new(),
            title: title.to_owned(),
        };
        // The second line tells programs that it is binary.
        file.write(b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n")?;
        Ok(file)
    }

    /// Gives a number to an object that will be written.
    pub fn number(&mut self) -> Ref {
        self.places.push(0);
        Ref::new(self.places.len() as i32)
    }

    /// Writes one object, which `object` puts into the empty chunk under this number.
    pub fn write_object(&mut self, number: Ref, object: impl FnOnce(&mut Chunk, Ref)) -> io::Result<()> {
        let mut chunk = Chunk::new();
        object(&mut chunk, number);
        if let Some(place) = self.places.get_mut(number.get() as usize - 1) {
            *place = self.written;
        }
        self.write(chunk.as_bytes())
    }

    /// Writes a stream, packed, under a new number.
    pub fn write_packed(&mut self, bytes: &[u8]) -> io::Result<Ref> {
        let (number, bytes) = (self.number(), packed(bytes)?);
        self.write_object(number, |chunk, number| {
            chunk.stream(number, &bytes).filter(Filter::FlateDecode);
        })?;
        Ok(number)
    }

    /// The number under which a font is, or will be, in this file.
    pub fn font(&mut self, font: Font) -> Ref {
        if let Some((_, number)) = self.fonts.iter().find(|(known, _)| *known == font) {
            return *number;
        }
        let number = self.number();
        self.fonts.push((font, number));
        number
    }

    /// Adds a page of this size in points, with a picture under the name `Im`.
    pub fn add_page(
        &mut self,
        (width, height): (f32, f32),
        content: Content,
        fonts: &[Font],
        picture: Option<Ref>,
    ) -> io::Result<()> {
        let content = self.write_packed(content.finish().as_slice())?;
        let fonts: Vec<(Font, Ref)> = fonts.iter().map(|&font| (font, self.font(font))).collect();
        let page = self.number();
        self.write_object(page, |chunk, number| {
            let mut page = chunk.page(number);
            page.parent(Ref::new(PAGES)).contents(content);
            page.media_box(Rect::new(0.0, 0.0, width.min(LONGEST_SIDE), height.min(LONGEST_SIDE)));
            let mut resources = page.resources();
            if let Some(picture) = picture {
                resources.x_objects().pair(Name(b"Im"), picture);
            }
            if !fonts.is_empty() {
                let mut named = resources.fonts();
                for (font, number) in fonts {
                    named.pair(font.name(), number);
                }
            }
        })?;
        self.pages.push(page);
        Ok(())
    }

    /// Writes what every file has, and gives the output back, not flushed.
    pub fn finish(mut self) -> io::Result<W> {
        for (font, number) in std::mem::take(&mut self.fonts) {
            write_font(&mut self, font, number)?;
        }
        let profile = packed(&srgb()?)?;
        self.write_object(Ref::new(PROFILE), |chunk, number| {
            chunk.icc_profile(number, &profile).n(3).filter(Filter::FlateDecode);
        })?;
        let metadata = metadata(&self.title);
        self.write_object(Ref::new(METADATA), |chunk, number| {
            chunk.metadata(number, metadata.as_bytes());
        })?;
        let pages = std::mem::take(&mut self.pages);
        self.write_object(Ref::new(PAGES), |chunk, number| {
            chunk.pages(number).count(pages.len() as i32).kids(pages);
        })?;
        self.write_object(Ref::new(CATALOG), |chunk, number| {
            let mut catalog = chunk.indirect(number).start::<pdf_writer::writers::Catalog>();
            catalog.pages(Ref::new(PAGES)).metadata(Ref::new(METADATA)).lang(TextStr("en-US"));
            let mut intents = catalog.output_intents();
            let mut intent = intents.push();
            intent.subtype(OutputIntentSubtype::PDFA).output_condition_identifier(TextStr("sRGB"));
            intent.info(TextStr("sRGB IEC61966-2.1")).dest_output_profile(Ref::new(PROFILE));
            intent.finish();
        })?;
        let (table, objects) = (self.written, self.places.len() + 1);
        let places = self.places.iter().map(|place| format!("{place:010} 00000 n \n")).collect::<Vec<_>>().concat();
        let identifier = hexadecimal(Sha256::digest([self.title.as_bytes(), places.as_bytes()].concat()).get(..16));
        let end = format!(
            "xref\n0 {objects}\n0000000000 65535 f \n{places}\
             trailer\n<< /Size {objects} /Root {CATALOG} 0 R /ID [<{identifier}> <{identifier}>] >>\n\
             startxref\n{table}\n%%EOF\n"
        );
        self.write(end.as_bytes())?;
        Ok(self.out)
    }

    fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.written += bytes.len() as u64;
        self.out.write_all(bytes)
    }
}

pub(super) fn packed(bytes: &[u8]) -> io::Result<Vec<u8>> {
    let mut packed = ZlibEncoder::new(Vec::new(), Compression::default());
    packed.write_all(bytes)?;
    packed.finish()
}

/// The colours of the output intent: those of screens.
fn srgb() -> io::Result<Vec<u8>> {
    let mut profile = ColorProfile::new_srgb();
    // A tag that is younger than PDF 1.7.
    profile.cicp = None;
    let mut bytes = profile.encode().map_err(|_| io::Error::other("the colour profile cannot be written"))?;
    // It would tell when it was made (ICC.1, 7.2.8: year, month, day, hour, minute, second).
    for (field, value) in (24..36).step_by(2).zip([2026_u16, 1, 1, 0, 0, 0]) {
        if let Some(field) = bytes.get_mut(field..field + 2) {
            field.copy_from_slice(&value.to_be_bytes());
        }
    }
    Ok(bytes)
}

fn hexadecimal(bytes: Option<&[u8]>) -> String {
    bytes.unwrap_or_default().iter().map(|byte| format!("{byte:02x}")).collect::<Vec<_>>().concat()
}

/// XMP, as ISO 19005-2, 6.6, wants it.
fn metadata(title: &str) -> String {
    format!(
        "<?xpacket begin=\"\u{feff}\" id=\"W5M0MpCehiHzreSzNTczkc9d\"?>\n\
         <x:xmpmeta xmlns:x=\"adobe:ns:meta/\"><rdf:RDF xmlns:rdf=\"http://www.w3.org/1999/02/22-rdf-syntax-ns#\">\
         <rdf:Description rdf:about=\"\" xmlns:pdfaid=\"http://www.aiim.org/pdfa/ns/id/\" \
         xmlns:dc=\"http://purl.org/dc/elements/1.1/\" xmlns:xmp=\"http://ns.adobe.com/xap/1.0/\">\
         <pdfaid:part>2</pdfaid:part><pdfaid:conformance>B</pdfaid:conformance>\
         <dc:title><rdf:Alt><rdf:li xml:lang=\"x-default\">{title}</rdf:li></rdf:Alt></dc:title>\
         <xmp:CreatorTool>nicufaxd</xmp:CreatorTool>\
         </rdf:Description></rdf:RDF></x:xmpmeta>\n<?xpacket end=\"r\"?>"
    )
}
