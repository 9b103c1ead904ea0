//! (being written)

pub mod ccitt;
mod ccitt_codes;
pub mod pdf;
pub mod picture;
pub mod render;
pub mod tiff;
