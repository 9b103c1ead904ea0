//! The shapes of values: names, numbers, gestational ages, beds, respiratory support, levels of care, check boxes.
//!
//! Each parser takes text and says what it found and where; none of them guesses a value that isn't written.

use std::ops::Range;

use regex::{Captures, Regex};

use super::layout::{Piece, fold};
use super::lexicon::fixed;

/// A value with its bytes in the text that was searched.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Found<T> {
    pub value: T,
    pub range: Range<usize>,
}

/// The patterns of values.
#[derive(Clone, Debug)]
pub(super) struct Values {
    identifier: Regex,
    gestation: Regex,
    gestation_whole: Regex,
    po_before: Regex,
    po_after: Regex,
    beds: Vec<(&'static str, Regex)>,
    supports: Vec<(&'static str, Regex)>,
    level: Regex,
    revenue_code: Regex,
    hospital: Regex,
}

impl Values {
    pub(super) fn new() -> Self {
        Self {
            identifier: fixed(r"#?([A-Za-z]{0,4}-?[0-9OQ][0-9A-Za-z\-]{3,})"),
            // 29w4d, 29 4/7, 29+4, 29 weeks 4 days, 29-4/7, 29.4 wks; a misread w or d between digits is forgiven.
            gestation: fixed(
                r"(?i)\b(2[0-9oil|]|3[0-9oil|]|4[0-4])\s*(?:(?:weeks?|wks?|w|a)\s*(?:and|&|,|\+)?\s*([0-6ils])\s*(?:/\s*7|days?|d|q\b|4\b)|[ +&-]?\s*([0-6])\s*/\s*7|\s?\+\s?([0-6])\b|\s*(?:weeks?|wks?|w)\s*\+?\s*([0-6])\b|\.([0-6])\s*(?:weeks?|wks?))",
            ),
            gestation_whole: fixed(r"(?i)\b(2[0-9]|3[0-9]|4[0-4])(?:\s*(?:weeks?|wks?|w)\b|\s*$)"),
            po_before: fixed(
                r"(?i)\b(?:p\.?[o0]\.?|po intake|oral(?:ly)?|nippl\w+|by mouth|bottl\w+)\s*(?:[:=]|intake|is|at|feeds|feeding|total|took|taking)*\s*([0-9]{1,3})\s*%",
            ),
            po_after: fixed(
                r"(?i)(?:^|[^0-9.-])([0-9]{1,3})\s*%\s*(?:of (?:feeds?|volume|goal|total)\s*)?(?:p\.?[o0]\b|by mouth|oral|nippl|bottle|via bottle)",
            ),
            beds: vec![
                ("radiant_warmer", fixed(r"(?i)\b(radiant\s*warm\w*|warmer|rad\.? warmer|rhw|open warmer)\b|\bRW\b")),
                (
                    "isolette",
                    fixed(
                        r"(?i)\b([il1|]?[sz]o[l1i]ette|iso[l1i]et\w*|[ki]olette|incubator|giraffe|omnibed|isolet|isoletie)\b|\bISO\b",
                    ),
                ),
                ("open_crib", fixed(r"(?i)\b(open\s*c[rn]?[il1]b|open\s*cob|crib|bassin\w*|open bed|cot)\b|\bOC\b")),
            ],
            supports: vec![
                (
                    "hfov",
                    fixed(r"(?i)\b(hf[o0]v|hfjv|oscillat\w*|jet vent\w*|high[ -]frequency (?:oscill|vent|jet)\w*)"),
                ),
                (
                    "nippv",
                    fixed(
                        r"(?i)\b(n[il1|]p+v|nimv|niv[- ]?nava|ni[- ]?nava|sipap|non[ -]?invasive (?:positive|vent)\w*|nsimv|bi-?pap|bipap)\b",
                    ),
                ),
                (
                    "vent",
                    fixed(
                        r"(?i)\b(simv|conventional vent\w*|mechanical vent\w*|intubated|vent(?:ilator)?|imv|ac/vg|pc/?ac|prvc|cmv|psv|ett|a/c)\b",
                    ),
                ),
                ("cpap", fixed(r"(?i)\b(?:b|n|nasal|bubble )?-?(cpap|cpa[pf]|cfap|cpup)\b|\bNCPAP\b|\bBCPAP\b")),
                (
                    "hfnc",
                    fixed(
                        r"(?i)\b(h+e?[hf]*fnc|hhfnc|hhhfnc|hfnc|h[ -]?flow|high[ -]?flow|vapotherm|hhfnc|heated (?:humidified )?(?:high|nasal)|optiflow|hf nc)\b",
                    ),
                ),
                (
                    "nc",
                    fixed(r"(?i)\b(nasal\s*cann?ul?\w*|low[ -]?flow|lfnc|cannula|bnc)\b|\b(?:nc|n/c)(?:[\s.,;:)]|$)"),
                ),
                ("room_air", fixed(r"(?i)\b(room\s*a[il1]r|r/a|ra|no (?:respiratory )?support|none|unassisted)\b")),
            ],
            level: fixed(
                r"(?i)(?:level|lvl|loc|leve[l1i!]|nicu)\s*(?:of care)?\s*[:#]?\s*([(\[{|]?[IVl|1234!T\]\[tj({]{1,4}\)?)(?:[^A-Za-z0-9]|$)",
            ),
            revenue_code: fixed(r"\b0?17([234])\b"),
            hospital: fixed(
                r"(?:[\p{Lu}][\p{L}'’.\-]*|&|of|and|the|at|for)(?:\s+(?:[\p{Lu}][\p{L}'’.\-]*|&|of|and|the|at|for)){0,6}?\s+(?i:hospitals?|medical (?:center|centre|ctr)|med ctr|health (?:system|center)|children.s|infirmary|healthcare|women.s (?:center|hospital)|birthing center)\b(?:\s+(?i:hospital|medical center|center|of [\p{Lu}][\p{L}]+)|\s+for\s+[\p{Lu}][\p{L}]+(?:\s+and\s+[\p{Lu}][\p{L}]+)?)?",
            ),
        }
    }

    /// A record, member, authorization or case number: letters before, at least four digits, no date.
    ///
    /// A number that recognition broke at a blank is joined again (`M00 1403824`).
    pub(super) fn identifier(&self, pieces: &[Piece]) -> Option<(String, Range<usize>)> {
        for (index, piece) in pieces.iter().enumerate().take(6) {
            let text = piece.text.trim_matches(|c: char| !c.is_alphanumeric() && c != '#');
            if text.contains('/') || text.contains('.') || text.is_empty() {
                continue;
            }
            let alone = self
                .identifier
                .captures(text)
                .and_then(|captures| captures.get(1))
                .filter(|found| found.start() <= 1 && found.end() == text.len());
            let mut joined =
                alone.map_or_else(|| text.trim_start_matches('#').to_owned(), |found| found.as_str().to_owned());
            let starts_number = joined.chars().any(|c| c.is_ascii_digit())
                || (joined.len() <= 4 && joined.chars().all(|c| c.is_ascii_uppercase()) && pieces.len() > index + 1);
            if !starts_number || joined.len() > 24 {
                if index == 0 && piece.fold.len() > 2 {
                    // A word where the number should be: this is prose, or another field.
                    return None;
                }
                continue;
            }
            let mut end = index + 1;
            while let Some(next) = pieces.get(end) {
                let gap = next.bounds.left.saturating_sub(pieces.get(end - 1).map_or(0, |piece| piece.bounds.right()));
                let digits = next.text.trim_matches(|c: char| !c.is_alphanumeric() && c != '-');
                let numeric = !digits.is_empty()
                    && digits.chars().all(|c| c.is_ascii_digit() || c == '-')
                    && digits.chars().any(|c| c.is_ascii_digit());
                let near = gap as f32 <= 0.9 * next.bounds.height.max(1) as f32;
                if next.opens_cell || !numeric || !near || joined.len() + digits.len() > 18 || next.text.contains('/') {
                    break;
                }
                joined.push_str(digits);
                end += 1;
            }
            let number = mend_digits(&joined);
            let digits = number.chars().filter(char::is_ascii_digit).count();
            if digits >= 4 && digits * 2 >= number.chars().count() {
                return Some((number, index..end));
            }
            if index == 0 {
                return None;
            }
        }
        None
    }

    /// Gestational age as `29w4d`.
    pub(super) fn gestation(&self, text: &str) -> Option<Found<String>> {
        let exact = self.gestation.captures(text).and_then(|captures| {
            let weeks = captures.get(1)?;
            let days = captures.iter().skip(2).flatten().next()?;
            let digit = |c| match c {
                'o' | 'O' => '0',
                'i' | 'l' | 'I' | 'L' | '|' => '1',
                's' | 'S' => '5',
                other => other,
            };
            let number = |text: &str| text.chars().map(digit).collect::<String>();
            Some(Found {
                value: format!("{}w{}d", number(weeks.as_str()), number(days.as_str())),
                range: weeks.start()..captures.get(0)?.end(),
            })
        });
        let whole = || {
            let captures = self.gestation_whole.captures(text)?;
            let weeks = captures.get(1)?;
            Some(Found { value: format!("{}w0d", weeks.as_str()), range: captures.get(0)?.range() })
        };
        exact.or_else(whole)
    }

    /// Share of feeds taken by mouth, in percent.
    pub(super) fn po_percent(&self, text: &str) -> Option<Found<i64>> {
        let captures: Option<Captures> = self.po_before.captures(text).or_else(|| self.po_after.captures(text));
        let number = captures?.get(1)?;
        let value: i64 = number.as_str().parse().ok()?;
        (value <= 100).then(|| Found { value, range: number.range() })
    }

    /// The bed named first in `text`.
    pub(super) fn bed(&self, text: &str) -> Option<Found<&'static str>> {
        first_of(&self.beds, text)
    }

    /// The respiratory support named first in `text`.
    pub(super) fn support(&self, text: &str) -> Option<Found<&'static str>> {
        let found = first_of(&self.supports, text)?;
        // "HFNC" holds "NC", "NIPPV" comes before "vent": the table's order decides where they start together.
        Some(found)
    }

    /// Level of care after the word level, 1 to 4.
    pub(super) fn level(&self, text: &str) -> Option<Found<i64>> {
        let captures = self.level.captures(text)?;
        let numeral = captures.get(1)?;
        Some(Found { value: roman_level(numeral.as_str())?, range: captures.get(0)?.range() })
    }

    /// UB-04 revenue codes: 172 is level 2, 173 level 3, 174 level 4.
    pub(super) fn revenue_level(&self, text: &str) -> Option<Found<i64>> {
        let digit = self.revenue_code.captures(text)?.get(1)?;
        Some(Found { value: digit.as_str().parse().ok()?, range: digit.range() })
    }

    /// A hospital's name by its words.
    pub(super) fn hospital(&self, text: &str) -> Option<Found<String>> {
        let found = self.hospital.find(text)?;
        Some(Found { value: found.as_str().split_whitespace().collect::<Vec<_>>().join(" "), range: found.range() })
    }
}

fn first_of(choices: &[(&'static str, Regex)], text: &str) -> Option<Found<&'static str>> {
    let mut best: Option<Found<&'static str>> = None;
    for (value, pattern) in choices {
        if let Some(found) = pattern.find(text)
            && best.as_ref().is_none_or(|best| found.start() < best.range.start)
        {
            best = Some(Found { value, range: found.range() });
        }
    }
    best
}

/// `II`, `Ill`, `II!`, `{V)`, `3` → the level. Strokes are often read as other thin signs.
pub(super) fn roman_level(text: &str) -> Option<i64> {
    let text = text.trim_end_matches([')', '.', ',', ';', ':']);
    if let [digit @ b'2'..=b'4'] = text.as_bytes() {
        return Some(i64::from(digit - b'0'));
    }
    if text.contains(['V', 'v']) {
        return Some(4);
    }
    let strokes = text.chars().filter(|c| "IilL|1!T][t({j".contains(*c)).count();
    (strokes == text.chars().count() && (1..=3).contains(&strokes)).then_some(strokes as i64)
}

/// Letters that stand among digits are digits misread; letters before the number stay.
fn mend_digits(number: &str) -> String {
    let characters: Vec<char> = number.chars().collect();
    let prefix = characters.iter().take_while(|c| c.is_alphabetic()).count();
    let is_digit = |index: usize| characters.get(index).is_some_and(char::is_ascii_digit);
    characters
        .iter()
        .enumerate()
        .map(|(index, character)| {
            let inside = index > 0 && (is_digit(index - 1) || is_digit(index + 1)) && index >= prefix;
            // One letter, then a round one before digits: "MQ01402841" was "M001402841".
            let after_one = prefix == 2 && index == 1 && is_digit(2);
            match character {
                'O' | 'o' | 'Q' if inside || after_one => '0',
                'I' | 'l' | '|' if inside => '1',
                'S' | 's' if inside => '5',
                'B' if inside => '8',
                'Z' | 'z' if inside => '2',
                other => *other,
            }
        })
        .collect()
}

/// Words that are never part of a person's name on these papers.
const NO_NAME: &[&str] = &[
    "nicu",
    "name",
    "date",
    "birth",
    "information",
    "member",
    "number",
    "mrn",
    "dob",
    "is",
    "was",
    "has",
    "the",
    "to",
    "for",
    "from",
    "request",
    "review",
    "notification",
    "notice",
    "transfer",
    "discharge",
    "admission",
    "readmission",
    "appeal",
    "authorization",
    "clinical",
    "update",
    "summary",
    "concurrent",
    "hospital",
    "center",
    "medical",
    "facility",
    "care",
    "plan",
    "phone",
    "fax",
    "sex",
    "male",
    "female",
    "unknown",
    "none",
    "na",
    "history",
    "status",
    "level",
    "visits",
    "denies",
    "resides",
    "lives",
    "section",
    "status",
    "type",
    "first",
    "last",
    "subscriber",
    "insurance",
    "id",
    "account",
    "peer",
    "provider",
    "neonatal",
    "intensive",
    "unit",
    "newborn",
    "patient",
    "and",
    "of",
    "in",
    "on",
    "at",
    "with",
    "consult",
    "report",
    "record",
    "records",
    "demographics",
    "exception",
    "network",
    "days",
    "documentation",
    "signature",
];

/// Small words inside surnames.
const PARTICLES: &[&str] = &[
    "de", "la", "del", "der", "van", "von", "da", "dos", "di", "el", "al", "bin", "le", "du", "st", "y", "den", "ter",
    "of",
];

/// A person's name at the beginning of `pieces`: at least a word of two letters, capitalised, without digits.
///
/// Stops at the end of its cell, at a bracket, at a digit and at a word that no name holds.
pub(super) fn person_name(pieces: &[Piece]) -> Option<(String, Range<usize>)> {
    let skip = pieces.iter().take_while(|piece| piece.fold.is_empty()).count();
    let mut words: Vec<String> = Vec::new();
    let mut end = skip;
    for (index, piece) in pieces.iter().enumerate().skip(skip) {
        if words.len() >= 6
            || (piece.opens_cell && !words.is_empty() && !words.last().is_some_and(|word| word.ends_with(',')))
        {
            break;
        }
        let word = piece.text.trim_matches(|c: char| !c.is_alphanumeric() && !matches!(c, ',' | '\'' | '’' | '.'));
        let bare = word.trim_matches([',', '.', '\'', '’']);
        if bare.is_empty() {
            if words.is_empty() || !piece.fold.is_empty() {
                break;
            }
            continue;
        }
        let folded = fold(bare);
        let shaped = bare.chars().all(|c| c.is_alphabetic() || matches!(c, '\'' | '’' | '-' | '.' | ',' | '`'));
        let capital = bare.chars().next().is_some_and(char::is_uppercase);
        let particle = PARTICLES.contains(&folded.as_str()) && !words.is_empty();
        let generic = matches!(folded.as_str(), "baby" | "boy" | "girl" | "infant" | "twin" | "male" | "female");
        let allowed = capital || (particle && folded != "of") || (generic && !words.is_empty());
        if !shaped || piece.text.starts_with('(') || !allowed {
            break;
        }
        if NO_NAME.contains(&folded.as_str()) && (words.is_empty() || !generic) {
            break;
        }
        words.push(word.trim_end_matches(['\'', '’']).trim_start_matches([',', '.']).to_owned());
        end = index + 1;
        if piece.text.ends_with([';', ':', '.']) && bare.chars().count() > 2 {
            break;
        }
    }
    let name = words.join(" ");
    let name = name.trim_matches(|c: char| matches!(c, ',' | '.' | ' ' | '-')).to_owned();
    let letters = words.iter().map(|word| fold(word).chars().count()).max().unwrap_or(0);
    (letters >= 2 && name.chars().filter(|c| c.is_alphabetic()).count() >= 3).then_some((name, skip..end))
}

/// A printed name without the signs around it. A bracket that is opened and not closed goes with what follows it, and
/// one that was never opened ends the name: half a remark tells nothing.
pub(super) fn bare_name(text: &str) -> &str {
    let text = text.trim_start_matches(|c: char| !c.is_alphanumeric());
    let mut open = Vec::new();
    let mut end = text.len();
    for (at, c) in text.char_indices() {
        match c {
            '(' | '[' | '{' => open.push(at),
            ')' | ']' | '}' if open.pop().is_none() => {
                end = at;
                break;
            }
            _ => {}
        }
    }
    let end = open.first().map_or(end, |&unclosed| unclosed.min(end));
    let closes = |c: char| matches!(c, ')' | ']' | '}');
    text.get(..end).unwrap_or(text).trim_end_matches(|c: char| !c.is_alphanumeric() && !closes(c))
}

/// What a check box shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mark {
    Checked,
    Empty,
}

/// Whether a piece is a check box, and which; `None` for anything else.
///
/// Recognition reads an empty box as `[]`, `[_`, `(J`, `CJ`, `[7]` and the like, and a crossed one as `[x]`, `[k]`, `Dx`.
pub(super) fn check_box(text: &str) -> Option<Mark> {
    let text = text.trim_matches(['.', ',', ';', ':', '~', '*']);
    match text {
        "X" | "x" | "☒" | "☑" | "✓" | "✔" | "✗" | "✘" | "×" | "Dx" | "DX" | "Ex" | "EX" | "bx" | "Bx" | "BX" | "Kl"
        | "IXI" | "|X|" | "|x|" | "IX]" | "[XJ" | "(XJ" | "[xJ" | "%" | "XI" | "Xl" | "&" | "®" => {
            return Some(Mark::Checked);
        }
        "☐" | "□" | "O" | "CJ" | "CI" | "C]" | "LJ" | "OO" | "0" | "o" | "[" | "{" | "(" | "C)" | "Cl" | "L]"
        | "LI" | "Ll" | "U" => {
            return Some(Mark::Empty);
        }
        _ => {}
    }
    if !text.starts_with(['[', '(', '{']) || text.chars().count() > 4 {
        return None;
    }
    let inside: String = text.chars().filter(|c| !"[](){}|".contains(*c)).collect();
    match inside.as_str() {
        "x" | "X" | "k" | "K" | "×" | "v" | "V" | "✓" | "*" | "xX" | "XJ" | "xj" | "xJ" | "XI" | "%" | "&" | "Y"
        | "y" | "¥" | "4" => Some(Mark::Checked),
        "" | "_" | "-" | "J" | "j" | "1" | "7" | "I" | "l" | "." | "~" | "—" | "T" | "[" | "0" | "O" | "?" => {
            Some(Mark::Empty)
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::super::layout::Sheet;
    use super::*;
    use crate::testing::page_of;

    fn pieces(text: &str) -> Vec<Piece> {
        Sheet::new(&page_of(1, text)).pieces
    }

    #[test]
    fn numbers_keep_their_letters_and_lose_their_misreadings() {
        let identifier = |text: &str| Values::new().identifier(&pieces(text)).map(|(number, _)| number);
        assert_eq!(identifier("MR-510183"), Some("MR-510183".into()));
        assert_eq!(identifier("M00 1403824"), Some("M001403824".into()));
        assert_eq!(identifier("MQ01402841"), Some("M001402841".into()));
        assert_eq!(identifier("BMQ984823972-03"), Some("BMQ984823972-03".into()));
        assert_eq!(identifier("69O681"), Some("690681".into()));
        assert_eq!(identifier("NC-26-02298"), Some("NC-26-02298".into()));
        assert_eq!(identifier("3/12/2026"), None);
        assert_eq!(identifier("pending from payer"), None);
    }

    #[test]
    fn gestational_ages_are_read_in_all_usual_forms() {
        let gestation = |text: &str| Values::new().gestation(text).map(|found| found.value);
        for text in [
            "29w4d",
            "29 4/7 weeks",
            "29+4",
            "29 weeks 4 days",
            "29-4/7",
            "29 wks 4 d",
            "29 weeks and 4 days",
            "29.4 weeks",
            "29 + 4/7",
        ] {
            assert_eq!(gestation(text).as_deref(), Some("29w4d"), "{text}");
        }
        assert_eq!(gestation("34wid").as_deref(), Some("34w1d"));
        assert_eq!(gestation("3lwSd").as_deref(), Some("31w5d"));
        assert_eq!(gestation("32 weeks").as_deref(), Some("32w0d"));
        assert_eq!(gestation("980 g"), None);
        assert_eq!(gestation("12 weeks"), None);
    }

    #[test]
    fn support_is_told_by_its_first_mention() {
        let support = |text: &str| Values::new().support(text).map(|found| found.value);
        assert_eq!(support("HFNC 4 L/min, FiO2 28%"), Some("hfnc"));
        assert_eq!(support("Nasal cannula 0.1 L/min"), Some("nc"));
        assert_eq!(support("NCPAP 6 cm H2O"), Some("cpap"));
        assert_eq!(support("bubble CPAP +5"), Some("cpap"));
        assert_eq!(support("NIPPV 20/5 rate 25"), Some("nippv"));
        assert_eq!(support("RA, comfortable"), Some("room_air"));
        assert_eq!(support("conventional ventilator, SIMV"), Some("vent"));
        assert_eq!(support("stable"), None);
    }

    #[test]
    fn names_end_where_something_else_begins() {
        let name = |text: &str| person_name(&pieces(text)).map(|(name, _)| name);
        assert_eq!(name("Doe, Jo Ann (MRN: 1)").as_deref(), Some("Doe, Jo Ann"));
        assert_eq!(name("O'Brien-Smith, Baby Girl A 3/3/26").as_deref(), Some("O'Brien-Smith, Baby Girl A"));
        assert_eq!(name("was discharged home"), None);
        assert_eq!(name("is a 30 year old"), None);
        assert_eq!(name("NICU Clinical"), None);
    }

    #[test]
    fn boxes_are_told_crossed_or_empty() {
        for text in ["[x]", "X", "[k]", "Dx", "☒", "[XJ"] {
            assert_eq!(check_box(text), Some(Mark::Checked), "{text}");
        }
        for text in ["[]", "[_", "(J", "CJ", "[7]", "☐", "[[]"] {
            assert_eq!(check_box(text), Some(Mark::Empty), "{text}");
        }
        assert_eq!(check_box("Level"), None);
    }

    #[test]
    fn levels_are_read_through_thin_strokes() {
        assert_eq!(roman_level("III"), Some(3));
        assert_eq!(roman_level("Il"), Some(2));
        assert_eq!(roman_level("II!)"), Some(3));
        assert_eq!(roman_level("{V)"), Some(4));
        assert_eq!(roman_level("3"), Some(3));
        assert_eq!(roman_level("care"), None);
        assert_eq!(Values::new().level("LOC requested Level 2").map(|found| found.value), Some(2));
    }

    #[test]
    fn a_name_keeps_whole_brackets_and_loses_half_ones() {
        for (printed, name) in [
            ("Blue Plan MA (commercial)", "Blue Plan MA (commercial)"),
            ("- Blue Plan MA (commercial", "Blue Plan MA"),
            ("Blue Plan MA (commercial].", "Blue Plan MA (commercial]"),
            ("(Blue Plan MA) group 7", "Blue Plan MA"),
            ("Blue Plan (MA) [HMO", "Blue Plan (MA)"),
            ("Blue Plan MA, ", "Blue Plan MA"),
            ("(", ""),
        ] {
            assert_eq!(bare_name(printed), name, "{printed}");
        }
    }
}
