//! (being written)

pub mod ccitt;
pub mod ccitt_codes;
pub mod picture;
