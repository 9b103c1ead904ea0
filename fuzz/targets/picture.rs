//! JPEG, PNG, GIF and BMP, through the one door to the formats.

#![no_main]

use libfuzzer_sys::fuzz_target;
use nicufaxd::document::DocumentFormat;
use nicufaxd::reader::render;
use nicufaxd_fuzz::{LIMITS, caught, let_foreign_decoders_panic, look_at};

fuzz_target!(init: let_foreign_decoders_panic(), |bytes: &[u8]| {
    // The other formats have targets of their own.
    if DocumentFormat::sniff(bytes).is_some_and(DocumentFormat::is_picture) {
        // A GIF of several pictures, or too large a one, is refused.
        let inspected = caught(|| render::inspect(bytes, &LIMITS));
        assert!(inspected.is_none_or(|told| told.is_ok_and(|told| told.pages == 1) || is_gif(bytes)));
        caught(|| look_at(render::render_page(bytes, 1, &LIMITS)));
    }
});

fn is_gif(bytes: &[u8]) -> bool {
    DocumentFormat::sniff(bytes) == Some(DocumentFormat::Gif)
}
