//! JPEG and PNG, through the one door to the formats.

#![no_main]

use libfuzzer_sys::fuzz_target;
use nicufaxd::document::DocumentFormat;
use nicufaxd::reader::render;
use nicufaxd_fuzz::{LIMITS, caught, let_foreign_decoders_panic, look_at};

fuzz_target!(init: let_foreign_decoders_panic(), |bytes: &[u8]| {
    // The other formats have targets of their own.
    if matches!(DocumentFormat::sniff(bytes), Some(DocumentFormat::Jpeg | DocumentFormat::Png)) {
        assert!(render::inspect(bytes, &LIMITS).is_ok_and(|inspection| inspection.pages == 1));
        caught(|| look_at(render::render_page(bytes, 1, &LIMITS)));
    }
});
