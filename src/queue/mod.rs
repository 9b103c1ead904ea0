//! The work queue: what an item is, and how the nurses get to see it.

pub mod export;
pub mod item;
