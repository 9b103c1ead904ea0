//! From a document's bytes to words with boxes, in worker processes that may crash or hang.
//!
//! A page walks: [`pool`] (this process) → [`protocol`] (a pipe) → [`worker`] (a process of its own) → [`message`] (the papers
//! in an email) → [`render`] (the formats) → `page`: [`straighten`] (upright, without skew), [`tesseract`] (words), again
//! where it went wrong; and back. The daemon itself parses
//! nothing that came from outside, and the worker locks itself into its [`cage`] first.

use std::panic::{self, AssertUnwindSafe};

mod page;
pub mod pool;
mod process;
pub mod protocol;
pub mod worker;

pub mod cage;
#[cfg(feature = "faults")]
mod fault_tests;

pub mod message;

pub mod ccitt;
mod ccitt_codes;
mod glyphs;
pub mod layer;
pub mod pdf;
pub mod picture;
mod pixel_shape;
pub mod render;
pub mod tiff;
mod tiff_colour;
mod unpack;
mod unread;

pub mod clean;
mod leptonica;
pub mod straighten;

pub mod barcode;
pub mod facsimile;

mod burnt_line;
pub mod respell;
pub mod units;

pub mod tesseract;

/// Runs `step`; `None` if it panicked. What it worked on is thrown away then: the engine holds nothing between pages.
fn caught<T>(step: impl FnOnce() -> T) -> Option<T> {
    panic::catch_unwind(AssertUnwindSafe(step)).ok()
}
