//! PDFs of our own making (PDF/A-2b): an item's pages as they came, with what was read on them to be searched; and a
//! cover sheet for hospitals.
//!
//! Written object by object ([`pdf`]), so that a document of a thousand pages costs no more memory than one page. What a
//! picture holds is never looked at here: it goes from the worker's answer into the file. The same pages give the same
//! bytes.

pub mod cover;
pub mod document;
mod font;
mod pdf;
