//! Decodes fax pictures: Group 3 one- and two-dimensional (ITU-T T.4) and Group 4 (T.6).
//!
//! Made for what fax lines deliver, not for clean files: it never fails and never panics. A row that can't be decoded
//! is completed from the row above and counted as damaged; Group 3 then goes on at the next end-of-line code, Group 4,
//! which has none, ends there with the rows below left white. What was decoded before damage is always kept.

use super::ccitt_codes::{BLACK_MAKE_UP, BLACK_TERMINATING, EXTENDED_MAKE_UP, WHITE_MAKE_UP, WHITE_TERMINATING};

/// How the rows are coded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Coding {
    /// T.4, each row by itself, with or without end-of-line codes.
    Group3,
    /// T.4, rows coded against the row above, a tag bit after each end-of-line code tells which.
    Group3TwoDimensional,
    /// T.6.
    Group4,
    /// T.4 rows without end-of-line codes, each from a whole byte on (TIFF compression 2).
    AlignedRows,
}

/// What must be known to decode one strip.
#[derive(Clone, Copy, Debug)]
pub struct Settings {
    pub coding: Coding,
    /// Pixels in a row.
    pub columns: u32,
    /// Rows at most; the caller has checked that `columns * rows` bytes are allowed.
    pub rows: u32,
    /// Group 4 only: each row begins at a whole byte (PDF's `EncodedByteAlign`).
    pub byte_aligned: bool,
}

/// A decoded strip.
#[derive(Debug)]
pub struct Strip {
    /// 8-bit grey, row-major: 255 where the code says white, 0 where it says black; always `columns * rows` bytes.
    pub pixels: Vec<u8>,
    /// Rows that hold something decoded; the ones below are white.
    pub rows: u32,
    /// Rows that were completed from the row above, and the rows that are missing although the code did not end.
    pub damaged: u32,
}

impl Strip {
    /// Swaps ink and paper in the decoded rows; the missing ones below stay paper.
    pub fn invert(&mut self, columns: u32) {
        for pixel in self.pixels.iter_mut().take(self.rows as usize * columns as usize) {
            *pixel = !*pixel;
        }
    }
}

/// The code stops making sense here.
struct Damage;

/// Longest run-length code.
const LOOKUP_BITS: u32 = 13;

/// Run-length codes by their next 13 bits: `(run, bits)`; no bits where no code begins so.
struct RunCodes {
    white: Vec<(u16, u8)>,
    black: Vec<(u16, u8)>,
}

/// Decodes strips; holds the code tables, so one serves all strips of a document.
pub struct Decoder {
    codes: RunCodes,
}

impl Default for Decoder {
    fn default() -> Self {
        let table = |terminating: &[&str], make_up: &[&str]| {
            let mut table = vec![(0_u16, 0_u8); 1 << LOOKUP_BITS];
            let runs = (0_u16..)
                .zip(terminating)
                .chain((64_u16..).step_by(64).zip(make_up))
                .chain((1792_u16..).step_by(64).zip(&EXTENDED_MAKE_UP));
            for (run, code) in runs {
                let bits = code.len() as u32;
                let value = code.bytes().fold(0_usize, |value, digit| value << 1 | usize::from(digit == b'1'));
                let shift = LOOKUP_BITS - bits;
                for entry in table.iter_mut().skip(value << shift).take(1 << shift) {
                    *entry = (run, bits as u8);
                }
            }
            table
        };
        Self {
            codes: RunCodes {
                white: table(&WHITE_TERMINATING, &WHITE_MAKE_UP),
                black: table(&BLACK_TERMINATING, &BLACK_MAKE_UP),
            },
        }
    }
}

/// The bits of the code, most significant first; zeros behind the end.
struct Bits<'a> {
    data: &'a [u8],
    /// In bits.
    position: usize,
}

impl Bits<'_> {
    /// The next bits at the top of the word; at least 25 are valid.
    fn peek(&self) -> u32 {
        let byte = self.position >> 3;
        let word = match self.data.get(byte..).unwrap_or(&[]) {
            [a, b, c, d, ..] => u32::from_be_bytes([*a, *b, *c, *d]),
            rest => rest.iter().chain(std::iter::repeat(&0)).take(4).fold(0, |word, &byte| word << 8 | u32::from(byte)),
        };
        word << (self.position & 7)
    }

    fn skip(&mut self, bits: u32) {
        self.position += bits as usize;
    }

    fn is_at_end(&self) -> bool {
        self.position >= self.data.len() * 8
    }

    fn align(&mut self) {
        self.position = self.position.next_multiple_of(8);
    }

    /// Skips the zeros from here on; tells how many there were.
    fn skip_zeros(&mut self) -> usize {
        let start = self.position;
        while !self.is_at_end() {
            let zeros = self.peek().leading_zeros().min(24);
            self.skip(zeros);
            if zeros < 24 {
                break;
            }
        }
        self.position.min(self.data.len() * 8) - start.min(self.data.len() * 8)
    }

    /// Takes an end-of-line code (eleven zeros or more, then a one) if one begins exactly here. Zeros to the end of the
    /// data are taken too: nothing follows them.
    fn take_end_of_line(&mut self) -> bool {
        if self.peek() >> 21 != 0 {
            return false;
        }
        self.skip_zeros();
        let found = !self.is_at_end();
        if found {
            self.skip(1);
        }
        found
    }

    /// Goes to the next end-of-line code, wherever it begins, without taking it; false if there is none.
    fn seek_end_of_line(&mut self) -> bool {
        while !self.is_at_end() {
            let start = self.position;
            if self.skip_zeros() >= 11 && !self.is_at_end() {
                self.position = start;
                return true;
            }
            // At a one: on to the next zero.
            self.skip((!self.peek()).leading_zeros().clamp(1, 24));
        }
        false
    }
}

/// A row as the columns at which its colour changes, ascending; it begins white.
type Changes = Vec<u32>;

fn push_change(changes: &mut Changes, column: u32) {
    // A run of nothing: both its ends go.
    if changes.last() == Some(&column) {
        changes.pop();
    } else {
        changes.push(column);
    }
}

impl RunCodes {
    /// One run: make-up codes and the terminating one.
    fn run(&self, bits: &mut Bits, black: bool) -> Result<u32, Damage> {
        let table = if black { &self.black } else { &self.white };
        let mut total = 0;
        loop {
            let (run, length) = table.get((bits.peek() >> (32 - LOOKUP_BITS)) as usize).copied().unwrap_or((0, 0));
            // Behind the end there are only zeros, and no code begins with thirteen of them.
            if length == 0 || bits.is_at_end() {
                return Err(Damage);
            }
            bits.skip(u32::from(length));
            total += u32::from(run);
            if run < 64 {
                return Ok(total);
            }
            if total > 1 << 20 {
                return Err(Damage);
            }
        }
    }

    /// A row coded by itself; on damage `changes` holds what came before.
    fn row(&self, bits: &mut Bits, columns: u32, changes: &mut Changes) -> Result<(), Damage> {
        let (mut column, mut black) = (0, false);
        while column < columns {
            column += self.run(bits, black)?;
            if column > columns {
                return Err(Damage);
            }
            push_change(changes, column);
            black = !black;
        }
        Ok(())
    }

    /// A row coded against `above` (T.4 4.2, T.6 2.2); on damage `changes` holds what came before.
    fn row_against(&self, bits: &mut Bits, columns: u32, above: &[u32], changes: &mut Changes) -> Result<(), Damage> {
        // The names are those of T.4: a0 is where the row stands, b1 the next change above to the other colour.
        let mut a0: i64 = -1;
        let mut black = false;
        let mut index = 0;
        while a0 < i64::from(columns) {
            while index > 0 && above.get(index - 1).is_some_and(|&column| i64::from(column) > a0) {
                index -= 1;
            }
            while above.get(index).is_some_and(|&column| i64::from(column) <= a0) {
                index += 1;
            }
            // Even indices change to black.
            if index % 2 != usize::from(black) {
                index += 1;
            }
            let b1 = i64::from(above.get(index).copied().unwrap_or(columns));
            let word = bits.peek();
            let (length, offset) = match word >> 25 {
                0b100_0000..=0b111_1111 => (1, Some(0)),
                0b011_0000..=0b011_1111 => (3, Some(1)),
                0b010_0000..=0b010_1111 => (3, Some(-1)),
                0b000_0110 | 0b000_0111 => (6, Some(2)),
                0b000_0100 | 0b000_0101 => (6, Some(-2)),
                0b000_0011 => (7, Some(3)),
                0b000_0010 => (7, Some(-3)),
                0b001_0000..=0b001_1111 => (3, None),
                0b000_1000..=0b000_1111 => {
                    bits.skip(4);
                    a0 = i64::from(above.get(index + 1).copied().unwrap_or(columns));
                    continue;
                }
                _ => return Err(Damage),
            };
            bits.skip(length);
            let Some(offset) = offset else {
                let start = a0.max(0) as u32;
                let first = start + self.run(bits, black)?;
                let second = first + self.run(bits, !black)?;
                if second > columns {
                    return Err(Damage);
                }
                push_change(changes, first);
                push_change(changes, second);
                a0 = i64::from(second);
                continue;
            };
            let a1 = b1 + offset;
            if a1 < a0.max(0) || a1 > i64::from(columns) {
                return Err(Damage);
            }
            push_change(changes, a1 as u32);
            a0 = a1;
            black = !black;
        }
        Ok(())
    }
}

/// The rows decoded so far.
struct Rows {
    strip: Strip,
    columns: u32,
    /// The last row.
    above: Changes,
}

impl Rows {
    fn new(settings: &Settings) -> Self {
        let pixels = vec![255; settings.columns as usize * settings.rows as usize];
        Self { strip: Strip { pixels, rows: 0, damaged: 0 }, columns: settings.columns, above: Changes::new() }
    }

    fn push(&mut self, mut changes: Changes) {
        while changes.last().is_some_and(|&column| column >= self.columns) {
            changes.pop();
        }
        let start = self.strip.rows as usize * self.columns as usize;
        if let Some(row) = self.strip.pixels.get_mut(start..start + self.columns as usize) {
            for run in changes.chunks(2) {
                let (from, to) = match run {
                    [from, to] => (*from, *to),
                    [from] => (*from, self.columns),
                    _ => continue,
                };
                if let Some(run) = row.get_mut(from as usize..to as usize) {
                    run.fill(0);
                }
            }
            self.strip.rows += 1;
        }
        self.above = changes;
    }

    /// A row of which only the beginning was decoded: its rest is that of the row above.
    fn push_damaged(&mut self, mut changes: Changes) {
        let reached = changes.last().copied().unwrap_or(0);
        if reached < self.columns {
            let black = changes.len() % 2 == 1;
            let black_above = self.above.iter().filter(|&&column| column <= reached).count() % 2 == 1;
            if black != black_above {
                push_change(&mut changes, reached);
            }
            changes.extend(self.above.iter().filter(|&&column| column > reached));
        }
        self.strip.damaged += 1;
        self.push(changes);
    }
}

impl Decoder {
    /// Decodes one strip. Never fails: see [`Strip::damaged`].
    pub fn decode(&self, data: &[u8], settings: &Settings) -> Strip {
        let mut rows = Rows::new(settings);
        let mut bits = Bits { data, position: 0 };
        let ended = match settings.coding {
            Coding::Group4 => self.group_4(&mut bits, settings, &mut rows),
            Coding::Group3 | Coding::Group3TwoDimensional => self.group_3(&mut bits, settings, &mut rows),
            Coding::AlignedRows => self.aligned_rows(&mut bits, settings, &mut rows),
        };
        let mut strip = rows.strip;
        // A page that ends with its end code and is shorter than announced is short, not damaged.
        if !ended {
            strip.damaged += settings.rows - strip.rows;
        }
        strip
    }

    /// True if all rows came or the end code was met.
    fn group_4(&self, bits: &mut Bits, settings: &Settings, rows: &mut Rows) -> bool {
        while rows.strip.rows < settings.rows {
            if settings.byte_aligned {
                bits.align();
            }
            // Half an end-of-block code is enough: no row begins so.
            if bits.peek() >> 20 == 1 {
                return true;
            }
            if bits.is_at_end() {
                return false;
            }
            let mut changes = Changes::with_capacity(rows.above.len() + 8);
            if self.codes.row_against(bits, settings.columns, &rows.above, &mut changes).is_err() {
                rows.push_damaged(changes);
                return false;
            }
            rows.push(changes);
        }
        true
    }

    /// True if all rows came or the return-to-control code was met.
    fn group_3(&self, bits: &mut Bits, settings: &Settings, rows: &mut Rows) -> bool {
        let two_dimensional = settings.coding == Coding::Group3TwoDimensional;
        // After damage a row coded against the one above is worthless; the next one coded by itself is good again.
        let mut lost = false;
        while rows.strip.rows < settings.rows {
            let mut by_itself = true;
            let mut ends = 0;
            while bits.take_end_of_line() {
                ends += 1;
                if two_dimensional {
                    by_itself = bits.peek() >> 31 == 1;
                    bits.skip(1);
                }
            }
            // Six make a return to control; with some of them damaged, two in a row are none the less no rows.
            if ends >= 6 || (ends >= 2 && bits.is_at_end()) {
                return true;
            }
            if bits.is_at_end() {
                return false;
            }
            if two_dimensional && ends == 0 {
                by_itself = bits.peek() >> 31 == 1;
                bits.skip(1);
            }
            lost &= !by_itself;
            let mut changes = Changes::with_capacity(rows.above.len() + 8);
            let decoded = if lost {
                Err(Damage)
            } else if by_itself {
                self.codes.row(bits, settings.columns, &mut changes)
            } else {
                self.codes.row_against(bits, settings.columns, &rows.above, &mut changes)
            };
            if decoded.is_ok() {
                rows.push(changes);
                continue;
            }
            rows.push_damaged(changes);
            lost = two_dimensional;
            if !bits.seek_end_of_line() {
                return rows.strip.rows == settings.rows;
            }
        }
        true
    }

    fn aligned_rows(&self, bits: &mut Bits, settings: &Settings, rows: &mut Rows) -> bool {
        while rows.strip.rows < settings.rows {
            bits.align();
            if bits.is_at_end() {
                return false;
            }
            let mut changes = Changes::with_capacity(rows.above.len() + 8);
            if self.codes.row(bits, settings.columns, &mut changes).is_ok() {
                rows.push(changes);
            } else {
                rows.push_damaged(changes);
                // Where the next row begins can't be told.
                return false;
            }
        }
        true
    }
}

#[cfg(test)]
#[path = "ccitt_tests.rs"]
mod tests;
