//! PDF: opened, its pages counted, the first ones drawn.

#![no_main]

use libfuzzer_sys::fuzz_target;
use nicufaxd::reader::{pdf, render};
use nicufaxd_fuzz::{LIMITS, caught, let_foreign_decoders_panic, look_at};

fuzz_target!(init: let_foreign_decoders_panic(), |bytes: &[u8]| {
    let Some(Ok(pages)) = caught(|| pdf::count_pages(bytes, &LIMITS)) else { return };
    assert!((1..=LIMITS.max_pages).contains(&pages));
    for page in 1..=pages.min(2) {
        caught(|| look_at(render::render_page(bytes, page, &LIMITS)));
    }
});
