//! The work queue: what an item is, what people do with it, and how the nurses get to see it.

pub mod acts;
pub mod determination;
pub mod dispositions;
pub mod export;
pub mod ground;
pub mod item;
