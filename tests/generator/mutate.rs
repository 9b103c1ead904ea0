//! Good documents made bad: what a broken line, a broken disk or an attacker makes of them. Everything follows from the
//! random numbers given.

use std::io::{self, Cursor};

use tiff::encoder::{Compression, TiffEncoder, colortype};

use super::ccitt::{Bitmap, Encoding, FillOrder};
use super::hostile;
use super::mail;
use super::pdf::{PdfFile, deflate};
use super::random::Random;
use super::tiff::{Storage, TiffPage, write};

/// What is done to a document.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Mutation {
    /// One to some dozens of bits turned over anywhere.
    Flips,
    /// The same where headers and directories stand: in the first or last 256 bytes.
    EdgeFlips,
    /// The end is missing.
    Cut,
    /// A part from the middle is missing.
    Gap,
    /// A part comes twice.
    Repeat,
    /// A part is overwritten with one value, or with noise.
    Overwrite,
    /// The beginning of one document and the end of another; or a part of one in the same place of the other, which keeps
    /// its directory.
    Splice,
    /// A number that tells a size, a count or a place is exchanged for an extreme one.
    HugeNumber,
    /// Many times nested in itself (PDF, email), or linked to itself (TIFF).
    Nest,
    /// Small, and large when it is unpacked.
    Bomb,
    /// Lines of a head, boundaries and codings of an email come twice, or not, or from another one.
    Disorder,
}

impl Mutation {
    pub const ALL: [Self; 11] = [
        Self::Flips,
        Self::EdgeFlips,
        Self::Cut,
        Self::Gap,
        Self::Repeat,
        Self::Overwrite,
        Self::Splice,
        Self::HugeNumber,
        Self::Nest,
        Self::Bomb,
        Self::Disorder,
    ];

    /// One of them, the plain ones more often: a bomb takes as long as a hundred of the others.
    pub fn any(random: &mut Random, document: &[u8]) -> Self {
        if is_message(document) {
            return match random.below(100) {
                0..14 => Self::Flips,
                14..20 => Self::EdgeFlips,
                20..27 => Self::Cut,
                27..31 => Self::Gap,
                31..35 => Self::Repeat,
                35..42 => Self::Overwrite,
                42..54 => Self::Splice,
                54..66 => Self::HugeNumber,
                66..76 => Self::Nest,
                76..82 => Self::Bomb,
                _ => Self::Disorder,
            };
        }
        match random.below(100) {
            0..22 => Self::Flips,
            22..30 => Self::EdgeFlips,
            30..38 => Self::Cut,
            38..42 => Self::Gap,
            42..46 => Self::Repeat,
            46..60 => Self::Overwrite,
            60..78 => Self::Splice,
            78..94 => Self::HugeNumber,
            94..98 => Self::Nest,
            _ => Self::Bomb,
        }
    }
}

/// Whether it was made by [`mail`].
pub fn is_message(document: &[u8]) -> bool {
    document.starts_with(b"From: ")
}

/// A part of `length` bytes: where it begins and ends.
fn part(random: &mut Random, length: usize) -> (usize, usize) {
    let start = random.below(length);
    // Short ones more often.
    let most = (length - start) >> random.below(8);
    (start, start + 1 + random.below(most))
}

/// The mutant of `document`; `other` is the one that is spliced to it.
pub fn mutant(random: &mut Random, mutation: Mutation, document: &[u8], other: &[u8]) -> Vec<u8> {
    let mut bytes = document.to_vec();
    let length = bytes.len().max(1);
    match mutation {
        Mutation::Flips => (0..=random.below(24)).for_each(|_| flip(random, &mut bytes, 0, length)),
        Mutation::EdgeFlips => {
            let edge = 256.min(length);
            let from = if random.below(2) == 0 { 0 } else { length - edge };
            (0..=random.below(12)).for_each(|_| flip(random, &mut bytes, from, edge));
        }
        Mutation::Cut => bytes.truncate(random.below(length)),
        Mutation::Gap => {
            let (start, end) = part(random, length);
            bytes.drain(start..end.min(bytes.len()));
        }
        Mutation::Repeat => {
            let (start, end) = part(random, length);
            let again = bytes.get(start..end).unwrap_or_default().to_vec();
            bytes.splice(start..start, again);
        }
        Mutation::Overwrite => {
            let (start, end) = part(random, length);
            let value = [0, 0xff, 0x20, random.next() as u8][random.below(4)];
            let noise = random.below(2) == 0;
            for byte in bytes.get_mut(start..end).unwrap_or_default() {
                *byte = if noise { random.next() as u8 } else { value };
            }
        }
        Mutation::Splice if random.below(2) == 0 => {
            let (start, end) = part(random, length);
            for (byte, theirs) in bytes.iter_mut().zip(other).take(end).skip(start) {
                *byte = *theirs;
            }
        }
        Mutation::Splice => {
            bytes.truncate(random.below(length));
            bytes.extend(other.iter().skip(random.below(other.len())));
        }
        Mutation::HugeNumber if is_message(document) => {
            let kind = random.below(mail::COUNTS);
            bytes = mail::countless(random, document, kind);
        }
        Mutation::Nest if is_message(document) => {
            let kind = random.below(mail::NESTS);
            bytes = mail::nested(random, document, kind);
        }
        Mutation::Bomb if is_message(document) => {
            let kind = random.below(mail::BOMBS);
            bytes = mail::bomb(random, document, kind);
        }
        Mutation::Disorder => bytes = mail::disordered(random, document, other),
        Mutation::HugeNumber => (0..=random.below(3)).for_each(|_| huge_number(random, &mut bytes)),
        Mutation::Nest => bytes = nested(random, document),
        Mutation::Bomb => bytes = bomb(random),
    }
    bytes
}

fn flip(random: &mut Random, bytes: &mut [u8], from: usize, length: usize) {
    if let Some(byte) = bytes.get_mut(from + random.below(length)) {
        *byte ^= 1 << random.below(8);
    }
}

/// Numbers at which additions and multiplications go wrong, and some that are merely large.
const EXTREMES: [u32; 12] =
    [0, 1, 2, 0x7fff, 0x8000, 0xffff, 0x1_0000, 60_000, 100_000_000, 0x7fff_ffff, 0xffff_fffe, 0xffff_ffff];

fn huge_number(random: &mut Random, bytes: &mut Vec<u8>) {
    match bytes.get(..4) {
        Some(b"II*\0") => huge_tiff_number(random, bytes),
        Some(b"%PDF") => huge_pdf_number(random, bytes),
        Some(b"\x89PNG") => huge_png_size(random, bytes),
        _ => huge_binary_number(random, bytes),
    }
}

/// A field of an entry of the last directory (the only one, nearly always), or the link to it.
fn huge_tiff_number(random: &mut Random, bytes: &mut [u8]) {
    let number = |at: usize, size: usize| {
        bytes
            .get(at..at + size)
            .map_or(0, |field| field.iter().rev().fold(0, |all, byte| all << 8 | usize::from(*byte)))
    };
    let directory = number(4, 4);
    let entry = directory + 2 + 12 * random.below(number(directory, 2));
    let extreme = EXTREMES[random.below(EXTREMES.len())];
    let (at, size) = match random.below(8) {
        0 => (4, 4),
        1 => (directory, 2),
        2 => (entry, 2),
        3 => (entry + 2, 2),
        4 => (entry + 4, 4),
        _ => (entry + 8, 4),
    };
    if let Some(field) = bytes.get_mut(at..at + size) {
        field.copy_from_slice(&extreme.to_le_bytes()[..size]);
    }
}

fn huge_pdf_number(random: &mut Random, bytes: &mut Vec<u8>) {
    let numbers: Vec<(usize, usize)> = bytes
        .chunk_by(|a, b| a.is_ascii_digit() == b.is_ascii_digit())
        .scan(0, |at, run| {
            *at += run.len();
            Some((*at - run.len(), *at, run.first().is_some_and(u8::is_ascii_digit)))
        })
        .filter_map(|(from, to, digits)| digits.then_some((from, to)))
        .collect();
    let Some(&(from, to)) = numbers.get(random.below(numbers.len())) else { return };
    let extreme = match random.below(6) {
        0 => "-1".to_owned(),
        1 => "99999999999999999999".to_owned(),
        2 => "0.000000001".to_owned(),
        3 => "-2147483648".to_owned(),
        _ => EXTREMES[random.below(EXTREMES.len())].to_string(),
    };
    bytes.splice(from..to, extreme.into_bytes());
}

/// Width or height, with the checksum right.
fn huge_png_size(random: &mut Random, bytes: &mut [u8]) {
    let at = 16 + 4 * random.below(2);
    let extreme = EXTREMES[random.below(EXTREMES.len())].to_be_bytes();
    if let Some(field) = bytes.get_mut(at..at + 4) {
        field.copy_from_slice(&extreme);
    }
    if bytes.len() > 33 {
        let mut sum = flate2::Crc::new();
        sum.update(&bytes[12..29]);
        bytes[29..33].copy_from_slice(&sum.sum().to_be_bytes());
    }
}

/// Four bytes of the first 700, where JPEG has its tables and sizes.
fn huge_binary_number(random: &mut Random, bytes: &mut [u8]) {
    let at = random.below(bytes.len().min(700));
    let size = 1 << random.below(3);
    let extreme = EXTREMES[random.below(EXTREMES.len())].to_be_bytes();
    if let Some(field) = bytes.get_mut(at..at + size) {
        field.copy_from_slice(&extreme[4 - size..]);
    }
}

fn nested(random: &mut Random, document: &[u8]) -> Vec<u8> {
    let deep = 1 << (6 + random.below(12));
    match random.below(6) {
        0 => {
            let mut file = hostile::tiff_with_looping_directories();
            file.extend(document.iter().take(random.below(64)));
            file
        }
        1 => pdf_with(&format!("{}{}", "[".repeat(deep), "]".repeat(deep)), b""),
        2 => pdf_with(&format!("{}1{}", "<</K ".repeat(deep), ">>".repeat(deep)), b""),
        3 => pdf_with("", "q ".repeat(deep).as_bytes()),
        4 => {
            // A form that draws itself, twice.
            let mut file = PdfFile::default();
            let form = "/Type /XObject /Subtype /Form /BBox [0 0 612 792] /Resources << /XObject << /Fm0 1 0 R >> >>";
            let number = file.add_stream(form, b"q .9 0 0 .9 1 1 cm /Fm0 Do /Fm0 Do Q");
            let content = file.add_stream("", b"/Fm0 Do");
            let root = file.tree(&[(format!("/XObject << /Fm0 {number} 0 R >>"), content)]);
            file.finish(root, &format!("/Deep {deep}"))
        }
        _ => {
            // Streams packed many times over.
            let mut data = b"0 0 10 10 re f".to_vec();
            let times = 2 + random.below(60);
            (0..times).for_each(|_| data = deflate(&data));
            let mut file = PdfFile::default();
            let content = file.add_stream(&format!("/Filter [{}]", "/FlateDecode ".repeat(times)), &data);
            let root = file.tree(&[(String::new(), content)]);
            file.finish(root, "")
        }
    }
}

/// One page with this content, and an entry of its resources.
fn pdf_with(entry: &str, content: &[u8]) -> Vec<u8> {
    let mut file = PdfFile::default();
    let content = file.add_stream("", content);
    let root = file.tree(&[(format!("/Entry {entry}"), content)]);
    file.finish(root, "")
}

/// Small files that unpack to 10 MB and more, within and beyond what a page or a worker may have.
fn bomb(random: &mut Random) -> Vec<u8> {
    let side = 3_000 + random.below(9_000);
    let fax = |height: usize| {
        // A row like the one above is a single bit in Group 4.
        let data = vec![0xff; height / 8];
        let page = TiffPage {
            bitmap: Bitmap::blank(1728, 64),
            resolution: (204, 196),
            storage: Storage::Fax(Encoding::Group4, FillOrder::MostSignificantFirst),
            damaged_rows: Vec::new(),
        };
        let mut file = write(&[page]);
        let at = file.len();
        file.extend(data);
        // The strip is the one behind the directory now, and the page as high as that.
        for (tag, value) in [(257_u16, height), (278, height), (273, at), (279, height / 8)] {
            let entry = [tag.to_le_bytes(), 4_u16.to_le_bytes()].concat();
            if let Some(found) = file.windows(4).position(|window| window == entry) {
                file[found + 8..found + 12].copy_from_slice(&(value as u32).to_le_bytes());
            }
        }
        file
    };
    match random.below(7) {
        6 => hostile::pdf_large_flate_bomb(60 + random.below(200)),
        0 => hostile::pdf_flate_bomb((10 + random.below(190)) << 20),
        1 => hostile::pdf_with_huge_picture().into_iter().chain((0..random.below(9)).map(|_| b' ')).collect(),
        2 => picture_bomb(side, image::ImageFormat::Png).unwrap_or_default(),
        3 => tiff_bomb(side, Compression::Lzw).unwrap_or_default(),
        4 => tiff_bomb(side, Compression::Deflate(tiff::encoder::DeflateLevel::Best)).unwrap_or_default(),
        _ => fax(8 * (1_000 + random.below(8_000))),
    }
}

fn picture_bomb(side: usize, format: image::ImageFormat) -> io::Result<Vec<u8>> {
    let mut bytes = Cursor::new(Vec::new());
    let picture = image::GrayImage::from_pixel(side as u32, side as u32, image::Luma([255]));
    picture.write_to(&mut bytes, format).map_err(io::Error::other)?;
    Ok(bytes.into_inner())
}

fn tiff_bomb(side: usize, coding: Compression) -> io::Result<Vec<u8>> {
    let mut file = Cursor::new(Vec::new());
    let mut encoder = TiffEncoder::new(&mut file).map_err(io::Error::other)?.with_compression(coding);
    let white = vec![255; side * side];
    encoder.write_image::<colortype::Gray8>(side as u32, side as u32, &white).map_err(io::Error::other)?;
    Ok(file.into_inner())
}

/// A sidecar made bad.
pub fn sidecar(random: &mut Random, good: &str) -> Vec<u8> {
    let deep = 1 << (4 + random.below(12));
    match random.below(8) {
        0 => format!("{{\"errors\": {}{}}}", "[".repeat(deep), "]".repeat(deep)).into_bytes(),
        1 => format!("{{\"sender\": \"{}\"}}", "9".repeat(deep)).into_bytes(),
        2 => good.replace("\"pages\": 1", "\"pages\": 1e999, \"pages\": -1").into_bytes(),
        3 => good.replace("2026", "9999").into_bytes(),
        4 => good.replace('"', "\\u0000").into_bytes(),
        _ => {
            let mutations = [Mutation::Flips, Mutation::Cut, Mutation::Gap, Mutation::Repeat, Mutation::Overwrite];
            let mutation = mutations[random.below(mutations.len())];
            mutant(random, mutation, good.as_bytes(), b"")
        }
    }
}
