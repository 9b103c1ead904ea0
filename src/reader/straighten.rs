//! Stands in for the pages branch's `straighten.rs` (same signatures), which replaces this file whole.

use super::picture::Picture;

/// A page as recognition wants it.
#[derive(Debug)]
pub struct Prepared {
    pub picture: Picture,
    /// Degrees clockwise.
    pub turned: u16,
    pub certain: bool,
}

pub fn prepare(picture: Picture) -> Prepared {
    Prepared { picture, turned: 0, certain: false }
}

pub fn prepare_turned(picture: Picture, quarters: u32) -> Prepared {
    Prepared { picture: picture.turned(quarters), turned: quarters as u16 * 90, certain: true }
}
