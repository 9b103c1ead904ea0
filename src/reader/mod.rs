//! Pages into words with boxes, in worker processes.
pub mod pool;
pub mod protocol;
pub mod render;
pub mod straighten;
pub mod tesseract;
pub mod worker;
