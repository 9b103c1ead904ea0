//! The pictures of pages that people are shown: of any document, turned and straightened by whatever was told of it.
//!
//! The first byte is the quarter turns and the tenths of degrees, the rest a document.

#![no_main]

use libfuzzer_sys::fuzz_target;
use nicufaxd::reader::facsimile;
use nicufaxd_fuzz::{LIMITS, caught, let_foreign_decoders_panic};

fuzz_target!(init: let_foreign_decoders_panic(), |bytes: &[u8]| {
    let Some((&how, document)) = bytes.split_first() else { return };
    let upright = (u16::from(how % 4) * 90, (f32::from(how / 4) - 32.0) / 10.0);
    let mut opened = None;
    if let Some(Ok(facsimile)) = caught(|| facsimile::of_page(document, 1, upright, &LIMITS, &mut opened)) {
        assert!(facsimile.is_possible(&LIMITS), "the daemon would take the worker for taken over: {facsimile:?}");
    }
});
