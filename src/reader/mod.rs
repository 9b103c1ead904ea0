//! (being written)

pub mod ccitt;
mod ccitt_codes;
mod leptonica;
pub mod pdf;
pub mod picture;
pub mod render;
pub mod straighten;
pub mod tiff;
mod tiff_colour;
