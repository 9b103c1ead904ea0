//! A TIFF writer for fax pages: little-endian, one strip a page, the tags that fax servers write (TIFF class F).

use super::ccitt::{Bitmap, Encoding, FillOrder, encode};

/// How a page's picture is stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Storage {
    Fax(Encoding, FillOrder),
    /// Compression 1.
    Uncompressed,
    /// Compression 8 (Adobe deflate).
    Deflate,
}

/// One page to store.
#[derive(Clone, Debug)]
pub struct TiffPage {
    pub bitmap: Bitmap,
    /// Dots an inch across and down: 204×98, 204×196, 204×391, 200×200, …
    pub resolution: (u32, u32),
    pub storage: Storage,
    /// Rows (0-based) damaged on the line.
    pub damaged_rows: Vec<usize>,
}

const SHORT: u16 = 3;
const LONG: u16 = 4;
const RATIONAL: u16 = 5;

/// The whole file. No page gives a header whose first directory offset is 0: a file that holds no picture.
pub fn write(pages: &[TiffPage]) -> Vec<u8> {
    let mut file = vec![b'I', b'I', 42, 0, 0, 0, 0, 0];
    let mut link = 4;
    for (number, page) in pages.iter().enumerate() {
        let (compression, fill_order, data) = stored(page);
        let strip = append(&mut file, &data);
        let across = append(&mut file, &[page.resolution.0.to_le_bytes(), 1_u32.to_le_bytes()].concat());
        let down = append(&mut file, &[page.resolution.1.to_le_bytes(), 1_u32.to_le_bytes()].concat());
        let height = page.bitmap.height as u32;
        let mut entries = vec![
            (254, LONG, 1, 2),
            (256, LONG, 1, page.bitmap.width as u32),
            (257, LONG, 1, height),
            (258, SHORT, 1, 1),
            (259, SHORT, 1, compression),
            (262, SHORT, 1, 0),
            (266, SHORT, 1, fill_order),
            (273, LONG, 1, strip),
            (277, SHORT, 1, 1),
            (278, LONG, 1, height),
            (279, LONG, 1, data.len() as u32),
            (282, RATIONAL, 1, across),
            (283, RATIONAL, 1, down),
        ];
        match page.storage {
            Storage::Fax(Encoding::Group3OneDimensional, _) => entries.push((292, LONG, 1, 0)),
            Storage::Fax(Encoding::Group3TwoDimensional, _) => entries.push((292, LONG, 1, 1)),
            Storage::Fax(Encoding::Group4, _) => entries.push((293, LONG, 1, 0)),
            Storage::Uncompressed | Storage::Deflate => {}
        }
        entries.push((296, SHORT, 1, 2));
        entries.push((297, SHORT, 2, number as u32 | ((pages.len() as u32) << 16)));
        link = append_directory(&mut file, link, &entries);
    }
    file
}

/// A file of one page that claims this size and holds next to no data.
pub fn write_claim(width: u32, height: u32) -> Vec<u8> {
    let mut file = vec![b'I', b'I', 42, 0, 0, 0, 0, 0];
    let strip = append(&mut file, &[0; 16]);
    let entries = [
        (256, LONG, 1, width),
        (257, LONG, 1, height),
        (258, SHORT, 1, 1),
        (259, SHORT, 1, 4),
        (262, SHORT, 1, 0),
        (273, LONG, 1, strip),
        (277, SHORT, 1, 1),
        (278, LONG, 1, height),
        (279, LONG, 1, 16),
    ];
    append_directory(&mut file, 4, &entries);
    file
}

fn stored(page: &TiffPage) -> (u32, u32, Vec<u8>) {
    match page.storage {
        Storage::Fax(encoding, fill_order) => {
            let compression = if encoding == Encoding::Group4 { 4 } else { 3 };
            let order = if fill_order == FillOrder::LeastSignificantFirst { 2 } else { 1 };
            (compression, order, encode(&page.bitmap, encoding, fill_order, &page.damaged_rows))
        }
        Storage::Uncompressed => (1, 1, page.bitmap.packed()),
        Storage::Deflate => (8, 1, super::pdf::deflate(&page.bitmap.packed())),
    }
}

/// Appends at an even offset, as TIFF asks for, and tells the offset.
fn append(file: &mut Vec<u8>, data: &[u8]) -> u32 {
    if file.len() % 2 == 1 {
        file.push(0);
    }
    let offset = file.len() as u32;
    file.extend_from_slice(data);
    offset
}

/// Appends a directory, writes its offset at `link`, and tells where its own link to the next one stands.
fn append_directory(file: &mut Vec<u8>, link: usize, entries: &[(u16, u16, u32, u32)]) -> usize {
    let mut directory = (entries.len() as u16).to_le_bytes().to_vec();
    for (tag, kind, count, value) in entries {
        directory.extend_from_slice(&tag.to_le_bytes());
        directory.extend_from_slice(&kind.to_le_bytes());
        directory.extend_from_slice(&count.to_le_bytes());
        directory.extend_from_slice(&value.to_le_bytes());
    }
    directory.extend_from_slice(&[0; 4]);
    let offset = append(file, &directory);
    file[link..link + 4].copy_from_slice(&offset.to_le_bytes());
    file.len() - 4
}
