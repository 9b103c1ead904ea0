//! Barcodes: whatever is black and white on a page, what they say is bounded and stands on it.
//!
//! The first byte is the pixels of a module, the second the modules of a row, the rest modules, eight a byte, row by row;
//! they are drawn on a white page, so that mutants stay near to codes.

#![no_main]

use libfuzzer_sys::fuzz_target;
use nicufaxd::reader::barcode;
use nicufaxd::reader::picture::Picture;
use nicufaxd::reader::protocol::{LONGEST_CODE, MOST_CODES};
use nicufaxd_fuzz::{caught, let_foreign_decoders_panic};

/// White pixels around what is drawn.
const RIM: u32 = 60;

/// Rows and columns of a page at most.
const MOST_PIXELS: u32 = 800;

fn drawn(module: u32, columns: u32, modules: &[u8]) -> Picture {
    let rows = (modules.len() as u32 * 8).div_ceil(columns);
    let fits = |modules: u32| (modules * module + 2 * RIM).min(MOST_PIXELS);
    let mut page = Picture::white(fits(columns), fits(rows), 200);
    let width = page.width;
    for (at, pixel) in (0..).zip(&mut page.pixels) {
        let (x, y): (u32, u32) = (at % width, at / width);
        let within = x.checked_sub(RIM).zip(y.checked_sub(RIM)).map(|(x, y)| (x / module, y / module));
        if let Some((column, row)) = within.filter(|(column, _)| *column < columns) {
            let number = (row * columns + column) as usize;
            if modules.get(number / 8).is_some_and(|byte| byte >> (7 - number % 8) & 1 == 1) {
                *pixel = 0;
            }
        }
    }
    page
}

fuzz_target!(init: let_foreign_decoders_panic(), |bytes: &[u8]| {
    let [module, columns, modules @ ..] = bytes else { return };
    let page = drawn(u32::from(*module % 12 + 1), u32::from(*columns).max(1), modules);
    let Some(codes) = caught(|| barcode::codes(&page)) else { return };
    assert!(codes.len() <= MOST_CODES);
    for code in codes {
        assert!(!code.text.is_empty() && code.text.len() <= LONGEST_CODE && !code.text.contains(char::is_control));
        assert!(code.bounds.right() <= page.width && code.bounds.bottom() <= page.height, "{:?}", code.bounds);
    }
});
