//! What others wrote, as a terminal may show it: names of files, words of documents and arguments come from anywhere, and
//! must neither steer the terminal, nor turn the direction of writing round, nor hide, nor make lines of their own.
//!
//! Everything that a command prints goes through here. Nothing is left out: what would steer is shown as a mark.

use std::fmt::Write;

/// Stands for what is not shown.
const MARK: char = '\u{fffd}';

/// Whether a sign steers a terminal or is not to be seen: Unicode's general categories Cc, Cf, Zl and Zp (control,
/// format, line and paragraph separator), and what has the property `Default_Ignorable_Code_Point`, such as the fillers
/// of Hangul and the tags.
pub(super) fn steers(sign: char) -> bool {
    sign.is_control()
        || matches!(sign,
            '\u{ad}' | '\u{34f}' | '\u{600}'..='\u{605}' | '\u{61c}' | '\u{6dd}' | '\u{70f}' | '\u{890}'..='\u{891}'
            | '\u{8e2}' | '\u{115f}'..='\u{1160}' | '\u{17b4}'..='\u{17b5}' | '\u{180b}'..='\u{180f}'
            | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{3164}'
            | '\u{fe00}'..='\u{fe0f}' | '\u{feff}' | '\u{ffa0}' | '\u{fff0}'..='\u{fffb}' | '\u{110bd}' | '\u{110cd}'
            | '\u{13430}'..='\u{1343f}' | '\u{1bca0}'..='\u{1bca3}' | '\u{1d173}'..='\u{1d17a}'
            | '\u{e0000}'..='\u{e0fff}')
}

/// A part of a line: a cell, a field, a name.
pub(super) fn part(text: &str) -> String {
    text.chars().map(|sign| if steers(sign) { MARK } else { sign }).collect()
}

/// Lines and pages of text: their ends, and tabs, are the text's own.
pub(super) fn text(text: &str) -> String {
    let own = |sign| matches!(sign, '\n' | '\t' | '\u{c}');
    text.chars().map(|sign| if steers(sign) && !own(sign) { MARK } else { sign }).collect()
}

/// A line that tells of something going wrong. An argument that was not understood is shown so that it can be told what it
/// was: `\u{1b}`.
pub(super) fn line(text: &str) -> String {
    let mut line = String::with_capacity(text.len());
    for sign in text.chars() {
        if steers(sign) { line.extend(sign.escape_default()) } else { line.push(sign) }
    }
    line
}

/// JSON, indented or not, that says the same: what steers stands in strings only, where it may be escaped.
pub(super) fn json(text: &str) -> String {
    let mut json = String::with_capacity(text.len());
    for sign in text.chars() {
        if sign == '\n' || !steers(sign) {
            json.push(sign);
        } else {
            for unit in sign.encode_utf16(&mut [0; 2]) {
                // Writing to a string does not fail.
                _ = write!(json, "\\u{unit:04x}");
            }
        }
    }
    json
}

#[cfg(test)]
mod tests {
    use super::*;

    /// One of each kind that was found to get through: escapes, C1, hyphens, Arabic and Mongolian marks, fillers, turns of
    /// the direction, anchors, tags.
    const STEERING: &str =
        "\u{1b}[2J\u{7f}\u{9b}\u{ad}\u{61c}\u{180e}\u{3164}\u{200b}\u{202e}\u{2066}\u{2028}\u{fff9}\u{e0041}";

    #[test]
    fn every_sign_that_unicode_calls_control_format_separator_or_ignorable_steers_and_no_other() {
        let by_unicode = regex::Regex::new(r"^[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Default_Ignorable_Code_Point}]$").unwrap();
        let other = |sign: &char| steers(*sign) != by_unicode.is_match(sign.encode_utf8(&mut [0; 4]));
        let differing: Vec<String> = (0..=0x0010_ffff)
            .filter_map(char::from_u32)
            .filter(other)
            .map(|sign| sign.escape_unicode().to_string())
            .collect();
        assert_eq!(differing, [""; 0]);
    }

    #[test]
    fn nothing_that_steers_is_left_in_a_part_a_text_or_a_line() {
        for shown in [part(STEERING), text(STEERING), line(STEERING)] {
            assert!(!shown.contains(steers), "{shown:?}");
            assert!(shown.contains("[2J"));
        }
        assert_eq!(part("a\nb"), "a\u{fffd}b");
        assert_eq!(text("a\nb\u{c}c\td\u{1b}"), "a\nb\u{c}c\td\u{fffd}");
        assert_eq!(line("no\u{1b}[2J\nsuch"), "no\\u{1b}[2J\\nsuch");
        assert_eq!(line("Müller Ngọc 陈"), "Müller Ngọc 陈");
    }

    #[test]
    fn json_holds_nothing_that_steers_and_says_the_same() {
        let value = serde_json::json!({ STEERING: [STEERING, "Müller"] });
        let shown = json(&serde_json::to_string_pretty(&value).unwrap());
        assert!(!shown.replace('\n', "").contains(steers), "{shown:?}");
        assert_eq!(serde_json::from_str::<serde_json::Value>(&shown).unwrap(), value);
    }
}
