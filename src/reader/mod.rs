//! From a document's bytes to words with boxes, in worker processes that may crash or hang.
//!
//! A page walks: [`pool`] (this process) → [`protocol`] (a pipe) → [`worker`] (a process of its own) → [`message`] (the papers
//! in an email) → [`render`] (the formats) → [`straighten`] (upright, without skew) → [`tesseract`] (words), and back. The daemon itself parses
//! nothing that came from outside, and the worker locks itself into its [`cage`] first.

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
