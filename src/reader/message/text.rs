//! The text of a message, and a page of it: set as a typewriter would, so that what stands in columns does on the page.

use std::collections::HashMap;
use std::rc::Rc;

use mail_parser::decoders::html::html_to_text;
use mail_parser::{Message, PartType};

use super::transfer;
use crate::document::{Bounds, Page, PageSource, Word};

/// Size of a letter, pixels at [`RESOLUTION`]: two blanks are as wide as what parts two cells of a table.
const LETTER: [u32; 2] = [16, 18];

/// From line to line.
const LINE: u32 = 26;

/// Margin on all sides.
const MARGIN: u32 = 80;

const RESOLUTION: u32 = 200;

/// Height of a letter sheet: a short text stands at its top.
const SHEET: u32 = 11 * RESOLUTION;

/// Lines of one page; more than anybody writes by hand.
const LINES: usize = 400;

/// Columns in which HTML is set.
const COLUMNS: usize = 120;

/// Levels of HTML: far more than a mail program makes of a long exchange of forwarded messages.
const DEEPEST: usize = 256;

/// Elements that are open at once, as they are counted before the HTML is parsed: what was never closed counts too. The
/// parser looks through all of them at each new one, so that 300 KB of them would keep a worker for minutes.
const MOST_OPEN: usize = 2 * DEEPEST;

/// Elements that hold nothing, or that their next sibling closes.
const NEVER_NESTED: [&str; 27] = [
    "area", "base", "br", "col", "colgroup", "dd", "dt", "embed", "hr", "img", "input", "li", "link", "meta", "option",
    "p", "param", "source", "tbody", "td", "tfoot", "th", "thead", "tr", "track", "wbr", "body",
];

/// Columns of a page: what stands farther out in a line without end is set upon each other there.
const WIDEST: u32 = 10_000;

/// Between two stops of the tabulator.
const TAB: u32 = 8;

/// What the reader of a message is to see: its plain text, or its HTML where that says more.
pub(super) fn body(message: &Message<'_>) -> Option<String> {
    let parts = |ids: &[u32], html: bool| {
        let decoded = |part, text: &str| {
            transfer::salvaged(message, part).map_or_else(|| text.to_owned(), |bytes| transfer::text(part, &bytes))
        };
        let texts = ids.iter().filter_map(|id| message.parts.get(*id as usize)).filter_map(|part| match &part.body {
            PartType::Text(text) if !html => Some(decoded(part, text)),
            PartType::Html(text) if html => Some(of_html(&decoded(part, text))),
            PartType::Text(_)
            | PartType::Html(_)
            | PartType::Binary(_)
            | PartType::InlineBinary(_)
            | PartType::Message(_)
            | PartType::Multipart(_) => None,
        });
        texts.collect::<Vec<_>>().join("\n\n")
    };
    let (plain, html) = (parts(&message.text_body, false), parts(&message.html_body, true));
    let words = |text: &str| text.split_whitespace().count();
    // "Your reader cannot show this message" is no message.
    let text = if words(&html) > 2 * words(&plain) { html } else { plain };
    (!text.trim().is_empty()).then_some(text)
}

/// HTML as text, tables in columns.
pub(super) fn of_html(html: &str) -> String {
    let settings = html2text::config::plain_no_decorate().no_table_borders().allow_width_overflow();
    let set = || {
        if has_more_open(html, MOST_OPEN) {
            return None;
        }
        let tree = settings.parse_html(html.as_bytes()).ok()?;
        let mut level = vec![Rc::clone(&tree.document)];
        // To set what is nested costs stack, and tables in tables cost ever more time.
        for _ in 0..DEEPEST {
            level = level.iter().flat_map(|node| node.children.borrow().clone()).collect();
        }
        if !level.is_empty() {
            return None;
        }
        settings.render_to_string(settings.dom_to_render_tree(&tree).ok()?, COLUMNS).ok()
    };
    // The words alone, then; what is no HTML at all is at least text.
    set().unwrap_or_else(|| html_to_text(html))
}

/// Whether more than so many elements of this HTML are open at once.
fn has_more_open(html: &str, most: usize) -> bool {
    let mut open: HashMap<String, usize> = HashMap::new();
    let mut all = 0;
    for tag in html.split('<').skip(1) {
        let (closes, tag) = tag.strip_prefix('/').map_or((false, tag), |tag| (true, tag));
        let name = tag.split(|letter: char| !letter.is_ascii_alphanumeric()).next().unwrap_or_default();
        let name = name.to_ascii_lowercase();
        if name.is_empty() || NEVER_NESTED.contains(&name.as_str()) {
            continue;
        }
        let count = open.entry(name).or_default();
        if !closes {
            (*count, all) = (*count + 1, all + 1);
        } else if *count > 0 {
            (*count, all) = (*count - 1, all - 1);
        }
        if all > most {
            return true;
        }
    }
    false
}

/// Pages that a text takes, at least 1.
pub fn pages_of_text(text: &str) -> u32 {
    (text.lines().count().div_ceil(LINES) as u32).max(1)
}

/// A page of a text (`page` counted from 1 in it), numbered `number` in its message.
pub fn page_of_text(text: &str, page: u32, number: u32) -> Page {
    let lines = text.lines().skip((page.max(1) as usize - 1) * LINES).take(LINES);
    let mut words = Vec::new();
    let (mut widest, mut rows) = (0, 0);
    for (row, line) in lines.enumerate() {
        rows = row as u32 + 1;
        let mut column: u32 = 0;
        let mut word: Option<(u32, String)> = None;
        // A blank at the end closes the last word.
        for letter in line.chars().chain([' ']) {
            if letter.is_whitespace() || letter.is_control() {
                if let Some((start, text)) = word.take() {
                    words.push(set(start, column - start, row as u32, text));
                }
                column = WIDEST.min(if letter == '\t' { (column / TAB + 1) * TAB } else { column + 1 });
            } else {
                word.get_or_insert_with(|| (column, String::new())).1.push(letter);
                column = WIDEST.min(column + 1);
            }
        }
        widest = widest.max(column);
    }
    Page {
        number,
        width: 2 * MARGIN + widest * LETTER[0],
        height: (2 * MARGIN + rows * LINE).max(SHEET),
        resolution: RESOLUTION,
        source: PageSource::Text,
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

fn set(column: u32, letters: u32, row: u32, text: String) -> Word {
    let bounds = Bounds {
        left: MARGIN + column * LETTER[0],
        top: MARGIN + row * LINE,
        width: letters.max(1) * LETTER[0],
        height: LETTER[1],
    };
    Word { text, bounds, confidence: 1.0, line: row }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn html_that_a_mail_program_wrote_is_set_and_what_nests_without_end_is_taken_as_words() {
        let reply = "<div><blockquote><p>Weight<br>1480 g<p>Open crib<ul><li>one<li>two</ul></blockquote></div>";
        assert!(!has_more_open(&reply.repeat(5_000), MOST_OPEN));
        assert!(!has_more_open(&"</div>".repeat(5_000), MOST_OPEN));
        for unclosed in ["<div>", "<b></x>", "<div></b>", "<x><div></x>", "<table><tr><td>", "<font color=1>"] {
            assert!(has_more_open(&unclosed.repeat(1_000), MOST_OPEN), "{unclosed}");
            assert!(
                of_html(&format!("{}Weight 1480 g", unclosed.repeat(60_000))).contains("Weight 1480 g"),
                "{unclosed}"
            );
        }
    }
}
