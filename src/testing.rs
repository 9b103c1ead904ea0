//! What unit tests of several modules begin with: a page of words, a reading of pages.

use crate::document::{Bounds, DocumentFormat, Page, PageSource, Reading, Word};

/// A page from lines of text on a grid: 10 pixels a character, 40 a line; blanks keep their width.
pub fn page_of(number: u32, text: &str) -> Page {
    let mut words = Vec::new();
    for (line, content) in (0..).zip(text.lines()) {
        let mut left = 20;
        for part in content.split(' ') {
            let width = part.chars().count() as u32 * 10;
            let bounds = Bounds { left, top: 40 + line * 40, width, height: 20 };
            if width > 0 {
                words.push(Word { text: part.to_owned(), bounds, confidence: 0.95, line });
            }
            left += width + 10;
        }
    }
    Page {
        number,
        width: 1700,
        height: 2200,
        resolution: 200,
        source: PageSource::Recognised,
        turned: 0,
        straightened: 0.0,
        unread: Vec::new(),
        unreadable_because: None,
        picture: None,
        flags: Vec::new(),
        words,
        codes: Vec::new(),
    }
}

/// Pages of text, counted from 1.
pub fn reading_of(pages: &[impl AsRef<str>]) -> Reading {
    let pages = (1..).zip(pages).map(|(number, text)| page_of(number, text.as_ref())).collect();
    Reading::new(DocumentFormat::Tiff, pages)
}
