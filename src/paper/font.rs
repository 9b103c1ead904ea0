//! The two fonts of our PDFs: one without a picture of any letter, for words that lie unseen over a scan, and one like a
//! typewriter's for text that is to be seen.
//!
//! The first is a TrueType font of two empty glyphs made here; all its letters are half as wide as high, and what each
//! is stands in a table for programs that search or copy. The second is the one that `hayro` brings for PDFs that
//! name Courier and hold none (Foxit's, under a BSD licence).

use std::fmt::Write as _;
use std::io::{self, Write};

use hayro::hayro_interpret::font::StandardFont;
use pdf_writer::types::{CidFontType, FontFlags, SystemInfo};
use pdf_writer::{Filter, Name, Rect, Ref, Str};

use super::pdf::{PdfFile, packed};

/// A font of our PDFs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Font {
    /// Never seen; any text, two bytes (UTF-16) a letter.
    Unseen,
    /// Seen; the letters of Windows code page 1252, one byte a letter.
    Typewriter,
}

/// Width of every letter, in thousandths of its size.
const UNSEEN_WIDTH: u16 = 500;
const TYPEWRITER_WIDTH: f32 = 600.0;

impl Font {
    /// Its name in pages' resources.
    pub fn name(self) -> Name<'static> {
        match self {
            Self::Unseen => Name(b"Unseen"),
            Self::Typewriter => Name(b"Typewriter"),
        }
    }

    /// Text as this font has it, and its width at size 1.
    pub fn set(self, text: &str) -> (Vec<u8>, f32) {
        match self {
            Self::Unseen => {
                let units: Vec<u16> = text.encode_utf16().collect();
                let width = units.len() as f32 * f32::from(UNSEEN_WIDTH) / 1000.0;
                (units.into_iter().flat_map(u16::to_be_bytes).collect(), width)
            }
            Self::Typewriter => {
                let letters: Vec<u8> = text.chars().map(code_page_1252).collect();
                let width = letters.len() as f32 * TYPEWRITER_WIDTH / 1000.0;
                (letters, width)
            }
        }
    }
}

/// A letter's place in Windows code page 1252; a question mark for one that is not there.
fn code_page_1252(letter: char) -> u8 {
    match letter {
        ' '..='~' => letter as u8,
        '\u{a1}'..='\u{ff}' if letter != '\u{ad}' => letter as u8,
        '\u{ad}' | '\u{2010}' | '\u{2011}' => b'-',
        '\u{a0}' => b' ',
        '€' => 0x80,
        '…' => 0x85,
        '‘' => 0x91,
        '’' => 0x92,
        '“' => 0x93,
        '”' => 0x94,
        '•' => 0x95,
        '–' => 0x96,
        '—' => 0x97,
        '™' => 0x99,
        _ => b'?',
    }
}

/// Writes a font under this number.
pub(super) fn write_font<W: Write>(file: &mut PdfFile<W>, font: Font, number: Ref) -> io::Result<()> {
    match font {
        Font::Unseen => write_unseen(file, number),
        Font::Typewriter => write_typewriter(file, number),
    }
}

fn write_unseen<W: Write>(file: &mut PdfFile<W>, number: Ref) -> io::Result<()> {
    let name = Name(b"NicufaxdUnseen");
    let system_info = SystemInfo { registry: Str(b"Adobe"), ordering: Str(b"Identity"), supplement: 0 };
    let program = glyphless();
    let (packed_program, length) = (packed(&program)?, program.len() as i32);
    let program = file.number();
    file.write_object(program, |chunk, number| {
        chunk.stream(number, &packed_program).filter(Filter::FlateDecode).pair(Name(b"Length1"), length);
    })?;
    // Glyph 0 means "not there", which no text of a PDF/A may say: all are glyph 1.
    let glyphs = file.write_packed(&[0, 1].repeat(1 << 16))?;
    let letters = file.write_packed(identity_letters().as_bytes())?;
    let descriptor = file.number();
    file.write_object(descriptor, |chunk, number| {
        let mut descriptor = chunk.font_descriptor(number);
        descriptor.name(name).flags(FontFlags::FIXED_PITCH | FontFlags::SYMBOLIC);
        descriptor.bbox(Rect::new(0.0, 0.0, f32::from(UNSEEN_WIDTH), 1000.0));
        // Viewers take an ascent or descent of nothing as one that was left out.
        descriptor.italic_angle(0.0).ascent(1000.0).descent(-1.0).cap_height(1000.0).stem_v(80.0).font_file2(program);
    })?;
    let descendant = file.number();
    file.write_object(descendant, |chunk, number| {
        let mut font = chunk.cid_font(number);
        font.subtype(CidFontType::Type2).base_font(name).system_info(system_info);
        font.font_descriptor(descriptor).default_width(UNSEEN_WIDTH.into()).cid_to_gid_map_stream(glyphs);
    })?;
    file.write_object(number, |chunk, number| {
        let mut font = chunk.type0_font(number);
        font.base_font(name).encoding_predefined(Name(b"Identity-H")).descendant_font(descendant).to_unicode(letters);
    })
}

fn write_typewriter<W: Write>(file: &mut PdfFile<W>, number: Ref) -> io::Result<()> {
    let name = Name(b"NicufaxdTypewriter");
    let (program, _) = StandardFont::Courier.get_font_data();
    let packed_program = packed((*program).as_ref())?;
    let program = file.number();
    file.write_object(program, |chunk, number| {
        chunk.stream(number, &packed_program).filter(Filter::FlateDecode).pair(Name(b"Subtype"), Name(b"Type1C"));
    })?;
    let descriptor = file.number();
    file.write_object(descriptor, |chunk, number| {
        let mut descriptor = chunk.font_descriptor(number);
        descriptor.name(name).flags(FontFlags::FIXED_PITCH | FontFlags::NON_SYMBOLIC);
        descriptor.bbox(Rect::new(0.0, -250.0, TYPEWRITER_WIDTH, 850.0));
        descriptor.italic_angle(0.0).ascent(629.0).descent(-157.0).cap_height(562.0).stem_v(51.0).font_file3(program);
    })?;
    file.write_object(number, |chunk, number| {
        let mut font = chunk.type1_font(number);
        font.base_font(name).first_char(32).last_char(255).widths([TYPEWRITER_WIDTH; 224]);
        font.font_descriptor(descriptor).encoding_predefined(Name(b"WinAnsiEncoding"));
    })
}

/// A table that says of each two-byte code that it is the letter of this number.
fn identity_letters() -> String {
    let mut table = String::from(
        "/CIDInit /ProcSet findresource begin\n12 dict begin\nbegincmap\n\
         /CIDSystemInfo << /Registry (Adobe) /Ordering (UCS) /Supplement 0 >> def\n\
         /CMapName /Adobe-Identity-UCS def\n/CMapType 2 def\n\
         1 begincodespacerange\n<0000> <ffff>\nendcodespacerange\n",
    );
    // A range stays within one first byte, and a block has at most a hundred. Writing to a String can't fail.
    for block in (0_u16..=255).collect::<Vec<_>>().chunks(100) {
        _ = writeln!(table, "{} beginbfrange", block.len());
        for high in block {
            _ = writeln!(table, "<{high:02x}00> <{high:02x}ff> <{high:02x}00>");
        }
        table.push_str("endbfrange\n");
    }
    table.push_str("endcmap\nCMapName currentdict /CMap defineresource pop\nend\nend\n");
    table
}

/// A TrueType font of two glyphs that are empty (OpenType 1.9, the tables that ISO 32000-1, 9.9, asks for).
fn glyphless() -> Vec<u8> {
    let words = |words: &[u16]| words.iter().flat_map(|word| word.to_be_bytes()).collect::<Vec<u8>>();
    let head = words(&[
        1,
        0,
        1,
        0,
        0,
        0,
        0x5f0f,
        0x3cf5,
        0,
        1000,
        0,
        0,
        0,
        0,
        0,
        0,
        0,
        0,
        0,
        0,
        UNSEEN_WIDTH,
        1000,
        0,
        8,
        2,
        0,
        0,
    ]);
    let hhea = words(&[1, 0, 1000, 0xffff, 0, UNSEEN_WIDTH, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 2]);
    let maxp = words(&[1, 0, 2, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0]);
    let hmtx = words(&[UNSEEN_WIDTH, 0, UNSEEN_WIDTH, 0]);
    let tables: [(&[u8; 4], Vec<u8>); 6] = [
        (b"glyf", vec![0; 4]),
        (b"head", head),
        (b"hhea", hhea),
        (b"hmtx", hmtx),
        (b"loca", words(&[0, 0, 0, 0])),
        (b"maxp", maxp),
    ];
    let sum = |bytes: &[u8]| {
        bytes.chunks(4).fold(0_u32, |sum, part| {
            let word = (0..4).fold(0_u32, |word, place| word << 8 | u32::from(part.get(place).copied().unwrap_or(0)));
            sum.wrapping_add(word)
        })
    };
    // Six tables: the largest power of two among them is four.
    let mut font = words(&[1, 0, 6, 64, 2, 32]);
    let mut place = 12 + 16 * tables.len();
    let mut body = Vec::new();
    let mut head_at = 0;
    for (tag, table) in &tables {
        if *tag == b"head" {
            head_at = place;
        }
        font.extend_from_slice(*tag);
        for number in [sum(table), place as u32, table.len() as u32] {
            font.extend_from_slice(&number.to_be_bytes());
        }
        body.extend_from_slice(table);
        body.resize(body.len().next_multiple_of(4), 0);
        place = 12 + 16 * tables.len() + body.len();
    }
    font.extend(body);
    let adjustment = 0xb1b0_afba_u32.wrapping_sub(sum(&font));
    if let Some(field) = font.get_mut(head_at + 8..head_at + 12) {
        field.copy_from_slice(&adjustment.to_be_bytes());
    }
    font
}
