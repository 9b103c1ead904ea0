//! The decoder against an encoder written straight from T.4 and T.6, and against damage.

use proptest::prelude::*;

use super::*;

#[derive(Default)]
struct Writer {
    bits: Vec<bool>,
}

impl Writer {
    fn code(&mut self, code: &str) {
        self.bits.extend(code.chars().map(|digit| digit == '1'));
    }

    fn run(&mut self, mut run: u32, black: bool) {
        let (terminating, make_up) =
            if black { (&BLACK_TERMINATING, &BLACK_MAKE_UP) } else { (&WHITE_TERMINATING, &WHITE_MAKE_UP) };
        while run >= 2560 {
            self.code(EXTENDED_MAKE_UP[12]);
            run -= 2560;
        }
        if run >= 1792 {
            self.code(EXTENDED_MAKE_UP[(run as usize - 1792) / 64]);
        } else if run >= 64 {
            self.code(make_up[run as usize / 64 - 1]);
        }
        self.code(terminating[run as usize % 64]);
    }

    fn row(&mut self, row: &[u8]) {
        let (mut column, mut black) = (0, false);
        while column < row.len() {
            let end = next_change(row, column, black);
            self.run((end - column) as u32, black);
            (column, black) = (end, !black);
        }
    }

    fn row_against(&mut self, row: &[u8], above: &[u8]) {
        let width = row.len() as i64;
        let mut a0: i64 = -1;
        let mut black = false;
        while a0 < width {
            let start = a0.max(0) as usize;
            let a1 = next_change(row, start, black) as i64;
            let (b1, b2) = changes_above(above, a0, black);
            if b2 < a1 {
                self.code("0001");
                a0 = b2;
                continue;
            }
            match a1 - b1 {
                0 => self.code("1"),
                1 => self.code("011"),
                2 => self.code("000011"),
                3 => self.code("0000011"),
                -1 => self.code("010"),
                -2 => self.code("000010"),
                -3 => self.code("0000010"),
                _ => {
                    let a2 = next_change(row, a1 as usize, !black) as i64;
                    self.code("001");
                    self.run((a1 - start as i64) as u32, black);
                    self.run((a2 - a1) as u32, !black);
                    a0 = a2;
                    continue;
                }
            }
            (a0, black) = (a1, !black);
        }
    }

    fn bytes(&self) -> Vec<u8> {
        self.bits
            .chunks(8)
            .map(|chunk| chunk.iter().enumerate().fold(0, |byte, (at, &bit)| byte | u8::from(bit) << (7 - at)))
            .collect()
    }
}

fn is_black(row: &[u8], column: i64) -> bool {
    column >= 0 && row[column as usize] == 0
}

/// Where the run of this colour that begins at `from` ends.
fn next_change(row: &[u8], from: usize, black: bool) -> usize {
    (from..row.len()).find(|&column| (row[column] == 0) != black).unwrap_or(row.len())
}

fn changes_above(above: &[u8], a0: i64, black: bool) -> (i64, i64) {
    let width = above.len() as i64;
    let is_change = |column: i64| is_black(above, column) != is_black(above, column - 1);
    let b1 = (a0 + 1..width).find(|&at| is_change(at) && is_black(above, at) != black).unwrap_or(width);
    let b2 = (b1 + 1..width).find(|&at| is_change(at)).unwrap_or(width);
    (b1, b2)
}

const END_OF_LINE: &str = "000000000001";

fn encode(rows: &[Vec<u8>], coding: Coding) -> Vec<u8> {
    let mut writer = Writer::default();
    let white = vec![255; rows[0].len()];
    let mut above = &white;
    for (number, row) in rows.iter().enumerate() {
        match coding {
            Coding::Group4 => writer.row_against(row, above),
            Coding::Group3 => {
                writer.code(END_OF_LINE);
                writer.row(row);
            }
            Coding::Group3TwoDimensional => {
                writer.code(END_OF_LINE);
                if number % 4 == 0 {
                    writer.code("1");
                    writer.row(row);
                } else {
                    writer.code("0");
                    writer.row_against(row, above);
                }
            }
            Coding::AlignedRows => {
                writer.row(row);
                while writer.bits.len() % 8 != 0 {
                    writer.code("0");
                }
            }
        }
        above = row;
    }
    match coding {
        Coding::Group4 => writer.code(&END_OF_LINE.repeat(2)),
        Coding::Group3 => writer.code(&END_OF_LINE.repeat(6)),
        Coding::Group3TwoDimensional => writer.code(&"0000000000011".repeat(6)),
        Coding::AlignedRows => {}
    }
    writer.bytes()
}

fn decode(data: &[u8], coding: Coding, columns: u32, rows: u32) -> Strip {
    Decoder::default().decode(data, &Settings { coding, columns, rows, byte_aligned: false })
}

const CODINGS: [Coding; 4] = [Coding::Group3, Coding::Group3TwoDimensional, Coding::Group4, Coding::AlignedRows];

/// A page of slanted strokes: every row differs a little from the one above.
fn strokes(columns: usize, rows: usize) -> Vec<Vec<u8>> {
    (0..rows).map(|y| (0..columns).map(|x| if (x + y) % 23 < 4 && x % 97 > 11 { 0 } else { 255 }).collect()).collect()
}

fn picture(columns: usize, rows: usize) -> impl Strategy<Value = Vec<Vec<u8>>> {
    // Runs, so that long ones happen; every second row is a small change of the one before.
    let runs = prop::collection::vec(prop_oneof![1_usize..9, 1_usize..200, 1000_usize..3000], 0..40);
    prop::collection::vec((runs, any::<bool>(), 0_usize..3), rows).prop_map(move |rows| {
        let mut page: Vec<Vec<u8>> = Vec::new();
        for (runs, like_above, shift) in rows {
            let row = match page.last() {
                Some(above) if like_above => {
                    let mut row = above.clone();
                    row.rotate_right(shift);
                    row
                }
                _ => {
                    let mut row = Vec::new();
                    for (number, run) in runs.into_iter().enumerate() {
                        row.extend(std::iter::repeat_n(if number % 2 == 0 { 0 } else { 255 }, run));
                    }
                    row.resize(columns, 255);
                    row
                }
            };
            page.push(row);
        }
        page
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn what_was_encoded_is_decoded_in_every_coding(page in picture(2700, 9)) {
        for coding in CODINGS {
            let strip = decode(&encode(&page, coding), coding, 2700, 9);
            prop_assert_eq!(strip.damaged, 0);
            prop_assert_eq!(strip.rows, 9);
            prop_assert!(strip.pixels == page.concat(), "{:?}", coding);
        }
    }

    #[test]
    fn no_bytes_make_the_decoder_fail(data in prop::collection::vec(any::<u8>(), 0..600), columns in 1_u32..3000) {
        for coding in CODINGS {
            let strip = decode(&data, coding, columns, 40);
            prop_assert_eq!(strip.pixels.len(), columns as usize * 40);
            prop_assert!(strip.rows <= 40);
        }
    }
}

#[test]
fn a_damaged_row_of_group_3_costs_that_row_only() {
    let page = strokes(1728, 60);
    let mut data = encode(&page, Coding::Group3);
    let middle = data.len() / 2;
    data[middle] ^= 0b0001_0000;
    let strip = decode(&data, Coding::Group3, 1728, 60);
    assert_eq!(strip.rows, 60);
    assert!(strip.damaged <= 2);
    let wrong = strip.pixels.chunks(1728).zip(&page).filter(|(got, wanted)| got != wanted).count();
    assert!((1..=2).contains(&wrong), "{wrong} rows differ");
}

#[test]
fn damage_in_two_dimensional_group_3_ends_at_the_next_row_that_is_coded_by_itself() {
    let page = strokes(1728, 60);
    let mut data = encode(&page, Coding::Group3TwoDimensional);
    let middle = data.len() / 2;
    data[middle] = 0;
    data[middle + 1] = 0xff;
    let strip = decode(&data, Coding::Group3TwoDimensional, 1728, 60);
    let wrong = strip.pixels.chunks(1728).zip(&page).filter(|(got, wanted)| got != wanted).count();
    assert!(strip.damaged > 0);
    assert!(wrong <= 6, "{wrong} rows differ");
}

#[test]
fn group_4_keeps_the_rows_before_the_damage_and_tells_of_it() {
    let page = strokes(1728, 60);
    let mut data = encode(&page, Coding::Group4);
    let middle = data.len() / 2;
    data[middle..middle + 4].fill(0);
    let strip = decode(&data, Coding::Group4, 1728, 60);
    assert!(strip.rows >= 20 && strip.rows < 60);
    assert!(strip.damaged >= 60 - strip.rows);
    let kept = strip.rows as usize - 2;
    assert_eq!(strip.pixels[..kept * 1728], page[..kept].concat());
}

#[test]
fn a_cut_page_keeps_what_came() {
    let page = strokes(1728, 60);
    for coding in CODINGS {
        let data = encode(&page, coding);
        let strip = decode(&data[..data.len() / 2], coding, 1728, 60);
        assert!(strip.rows >= 25, "{coding:?} kept {} rows", strip.rows);
        assert!(strip.damaged >= 25, "{coding:?}");
    }
}

#[test]
fn rows_without_end_of_line_codes_and_without_a_return_to_control_are_decoded() {
    let page = strokes(300, 12);
    let mut writer = Writer::default();
    for row in &page {
        writer.row(row);
    }
    let strip = decode(&writer.bytes(), Coding::Group3, 300, 12);
    assert_eq!((strip.rows, strip.damaged), (12, 0));
    assert_eq!(strip.pixels, page.concat());
}

#[test]
fn fill_before_end_of_line_codes_is_skipped() {
    let page = strokes(300, 12);
    let mut writer = Writer::default();
    for row in &page {
        while (writer.bits.len() + 12) % 8 != 0 {
            writer.code("0");
        }
        writer.code(&"0".repeat(40));
        writer.code(END_OF_LINE);
        writer.row(row);
    }
    writer.code(&END_OF_LINE.repeat(6));
    let strip = decode(&writer.bytes(), Coding::Group3, 300, 12);
    assert_eq!((strip.rows, strip.damaged), (12, 0));
    assert_eq!(strip.pixels, page.concat());
}

#[test]
fn a_premature_end_of_line_completes_the_row_from_the_one_above() {
    let page = vec![strokes(300, 1).concat(); 3];
    let mut writer = Writer::default();
    writer.code(END_OF_LINE);
    writer.row(&page[0]);
    writer.code(END_OF_LINE);
    writer.row(&page[0][..150]);
    writer.code(END_OF_LINE);
    writer.row(&page[0]);
    writer.code(&END_OF_LINE.repeat(6));
    let strip = decode(&writer.bytes(), Coding::Group3, 300, 3);
    assert_eq!((strip.rows, strip.damaged), (3, 1));
    assert_eq!(strip.pixels, page.concat());
}

#[test]
fn a_page_shorter_than_announced_that_ends_properly_is_not_damaged() {
    let page = strokes(300, 12);
    for coding in [Coding::Group3, Coding::Group3TwoDimensional, Coding::Group4] {
        let strip = decode(&encode(&page, coding), coding, 300, 20);
        assert_eq!((strip.rows, strip.damaged), (12, 0), "{coding:?}");
        assert!(strip.pixels[12 * 300..].iter().all(|&pixel| pixel == 255));
    }
}

#[test]
fn rows_that_are_missing_stay_paper_when_ink_and_paper_are_swapped() {
    let page = strokes(300, 12);
    let mut strip = decode(&encode(&page, Coding::Group4), Coding::Group4, 300, 20);
    strip.invert(300);
    assert_eq!(strip.pixels[..12 * 300], page.concat().iter().map(|pixel| !pixel).collect::<Vec<_>>());
    assert!(strip.pixels[12 * 300..].iter().all(|&pixel| pixel == 255));
}
