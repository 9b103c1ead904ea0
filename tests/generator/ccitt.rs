//! A CCITT fax encoder: Group 3 one- and two-dimensional (T.4) and Group 4 (T.6).
//!
//! Written apart from the decoder that the daemon uses, so that neither can share the other's mistake.

use super::run_codes::{BLACK_MAKEUP, BLACK_TERMINATING, Code, WHITE_MAKEUP, WHITE_TERMINATING};

/// How the rows of a page are coded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Encoding {
    /// T.4 one-dimensional: each row alone.
    Group3OneDimensional,
    /// T.4 two-dimensional (READ): every k-th row alone, the others by difference.
    Group3TwoDimensional,
    /// T.6 (MMR): all rows by difference, no row marks.
    Group4,
}

/// Which bit of a byte is sent first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FillOrder {
    /// `FillOrder` 1 of TIFF.
    MostSignificantFirst,
    /// `FillOrder` 2 of TIFF: what a fax modem hands over.
    LeastSignificantFirst,
}

/// A black-and-white picture, one byte a pixel (1 is black), rows from the top.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bitmap {
    pub width: usize,
    pub height: usize,
    pub pixels: Vec<u8>,
}

impl Bitmap {
    pub fn blank(width: usize, height: usize) -> Self {
        Self { width, height, pixels: vec![0; width * height] }
    }

    pub fn rows(&self) -> impl Iterator<Item = &[u8]> {
        self.pixels.chunks_exact(self.width.max(1))
    }

    /// Eight pixels a byte, rows padded to bytes, black = 1.
    pub fn packed(&self) -> Vec<u8> {
        self.rows()
            .flat_map(|row| {
                row.chunks(8).map(|eight| {
                    eight
                        .iter()
                        .enumerate()
                        .fold(0, |byte, (place, pixel)| byte | (u8::from(*pixel != 0) << (7 - place)))
                })
            })
            .collect()
    }
}

struct BitWriter {
    bytes: Vec<u8>,
    pending: u32,
    count: u8,
}

impl BitWriter {
    fn push(&mut self, (code, length): Code) {
        self.pending = (self.pending << length) | u32::from(code);
        self.count += length;
        while self.count >= 8 {
            self.count -= 8;
            self.bytes.push((self.pending >> self.count) as u8);
            self.pending &= (1 << self.count) - 1;
        }
    }

    fn align(&mut self) {
        if self.count > 0 {
            self.push((0, 8 - self.count));
        }
    }
}

const END_OF_LINE: Code = (1, 12);
const PASS: Code = (0b0001, 4);
const HORIZONTAL: Code = (0b001, 3);
/// Vertical modes for a1 − b1 = −3 … 3 (T.4 table 4).
const VERTICAL: [Code; 7] =
    [(0b000_0010, 7), (0b00_0010, 6), (0b010, 3), (0b1, 1), (0b011, 3), (0b00_0011, 6), (0b000_0011, 7)];
/// Every fourth row alone: the usual k for 196 lines an inch (T.4 §4.2.1).
const ROWS_TO_A_REFERENCE: usize = 4;

/// The page's rows as a fax machine would send them.
///
/// `damaged` rows (0-based) are sent with their bits overwritten, as line noise does; Group 4 has no row marks, so
/// there everything after the first of them is lost. One-dimensional rows carry an end-of-line mark each and, last,
/// a return-to-control.
pub fn encode(bitmap: &Bitmap, encoding: Encoding, fill_order: FillOrder, damaged: &[usize]) -> Vec<u8> {
    let mut writer = BitWriter { bytes: Vec::new(), pending: 0, count: 0 };
    let white = vec![0; bitmap.width];
    let mut reference: &[u8] = &white;
    for (number, row) in bitmap.rows().enumerate() {
        let alone = match encoding {
            Encoding::Group3OneDimensional => true,
            Encoding::Group3TwoDimensional => number % ROWS_TO_A_REFERENCE == 0,
            Encoding::Group4 => false,
        };
        if encoding != Encoding::Group4 {
            writer.push(END_OF_LINE);
        }
        if encoding == Encoding::Group3TwoDimensional {
            writer.push((u16::from(alone), 1));
        }
        if damaged.contains(&number) {
            // A run that is far too long, then bits that no code starts with.
            for _ in 0..3 {
                writer.push(WHITE_MAKEUP[26]);
            }
            writer.push((0b000_0000_0101, 11));
        } else if alone {
            write_row_alone(&mut writer, row);
        } else {
            write_row_by_difference(&mut writer, row, reference);
        }
        reference = row;
    }
    match encoding {
        Encoding::Group4 => {
            writer.push(END_OF_LINE);
            writer.push(END_OF_LINE);
        }
        Encoding::Group3OneDimensional => (0..6).for_each(|_| writer.push(END_OF_LINE)),
        Encoding::Group3TwoDimensional => (0..6).for_each(|_| {
            writer.push(END_OF_LINE);
            writer.push((1, 1));
        }),
    }
    writer.align();
    if fill_order == FillOrder::LeastSignificantFirst {
        writer.bytes.iter_mut().for_each(|byte| *byte = byte.reverse_bits());
    }
    writer.bytes
}

fn write_run(writer: &mut BitWriter, black: bool, mut length: usize) {
    let (terminating, makeup) =
        if black { (&BLACK_TERMINATING, &BLACK_MAKEUP) } else { (&WHITE_TERMINATING, &WHITE_MAKEUP) };
    while length >= 64 {
        let step = (length / 64).min(27);
        writer.push(makeup[step - 1]);
        length -= step * 64;
    }
    writer.push(terminating[length]);
}

fn write_row_alone(writer: &mut BitWriter, row: &[u8]) {
    let mut at = 0;
    let mut black = false;
    while at < row.len() {
        let end = run_end(row, at, u8::from(black));
        write_run(writer, black, end - at);
        at = end;
        black = !black;
    }
}

/// Where the run of this colour that starts at `from` ends.
fn run_end(row: &[u8], from: usize, colour: u8) -> usize {
    row.iter().skip(from).position(|pixel| *pixel != colour).map_or(row.len(), |length| from + length)
}

/// b1 of T.4: the first changing element of the reference right of a0 that is of the opposite colour.
fn reference_change(reference: &[u8], start: Option<usize>, colour: u8) -> usize {
    let first = start.map_or(0, |at| at + 1);
    (first..reference.len())
        .find(|at| reference[*at] != colour && at.checked_sub(1).map_or(0, |left| reference[left]) == colour)
        .unwrap_or(reference.len())
}

fn write_row_by_difference(writer: &mut BitWriter, row: &[u8], reference: &[u8]) {
    // `None` is the imaginary white pixel left of the row.
    let mut a0: Option<usize> = None;
    let mut colour = 0;
    loop {
        let start = a0.unwrap_or(0);
        if start >= row.len() {
            return;
        }
        let a1 = run_end(row, start, colour);
        let b1 = reference_change(reference, a0, colour);
        let b2 = run_end(reference, b1, 1 - colour);
        let offset = a1 as isize - b1 as isize;
        if b2 < a1 {
            writer.push(PASS);
            a0 = Some(b2);
        } else if (-3..=3).contains(&offset) {
            writer.push(VERTICAL[(offset + 3) as usize]);
            a0 = Some(a1);
            colour = 1 - colour;
        } else {
            let a2 = run_end(row, a1, 1 - colour);
            writer.push(HORIZONTAL);
            write_run(writer, colour != 0, a1 - start);
            write_run(writer, colour == 0, a2 - a1);
            a0 = Some(a2);
        }
    }
}
