//! The words on a page, whatever they are: understood, linked and routed. Each line of the input is a line of the page;
//! a form feed begins the next page, a tab leaves the room of a column.

#![no_main]

use libfuzzer_sys::fuzz_target;
use nicufaxd::document::{Bounds, Page, PageSource, Word};
use nicufaxd_fuzz::decide;

fn page(number: u32, text: &str) -> Page {
    let mut words = Vec::new();
    for (line, content) in (0_u32..).zip(text.lines()) {
        let mut left = 20_u32;
        for part in content.split_inclusive([' ', '\t']) {
            let word = part.trim_end_matches([' ', '\t']);
            let width = word.chars().count() as u32 * 10;
            let bounds = Bounds { left, top: 100 + line * 40, width, height: 20 };
            if width > 0 {
                words.push(Word { text: word.to_owned(), bounds, confidence: 0.95, line });
            }
            left += width + if part.ends_with('\t') { 150 } else { 10 };
        }
    }
    let source = PageSource::Recognised;
    Page {
        number,
        width: 1700,
        height: 2200,
        resolution: 200,
        source,
        turned: 0,
        straightened: 0.0,
        unread: Vec::new(),
        flags: Vec::new(),
        unreadable_because: None,
        picture: None,
        words,
        codes: Vec::new(),
    }
}

fuzz_target!(|text: &str| {
    decide((1..).zip(text.split('\u{c}').take(4)).map(|(number, text)| page(number, text)).collect());
});
