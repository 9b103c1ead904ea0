//! Weights of newborns as written → grams.
//!
//! Grams, kilograms, pounds and ounces; a unit that recognition turned into a digit (`1610 g` → `16108`) is seen by
//! the weight that it would make. What no infant in a NICU weighs is no weight.

use regex::Regex;

use super::lexicon::fixed;

/// Lightest and heaviest infant that is believed, in grams. Survivors start near 250 g; at one year few pass 12 kg.
const PLAUSIBLE: std::ops::RangeInclusive<i64> = 250..=12_000;
/// Without a readable unit, more than this is more likely a unit read as a digit.
const BELIEVED_WITHOUT_UNIT: i64 = 7_000;

/// The patterns of weights.
#[derive(Clone, Debug)]
pub(super) struct Weights {
    kilograms: Regex,
    grams: Regex,
    pounds: Regex,
    bare: Regex,
}

/// A weight with its bytes in the text that was searched.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct FoundWeight {
    pub grams: i64,
    pub range: std::ops::Range<usize>,
    /// A unit was written beside it.
    pub with_unit: bool,
}

impl Weights {
    pub(super) fn new() -> Self {
        Self {
            kilograms: fixed(
                r"(?i)(?:^|[^0-9.,])([0-9]{1,2}[.,][0-9]{1,3}|[0-9]{1,5})\s*(?:kgs?|kilos?|kilograms?|k9|ky)\b",
            ),
            grams: fixed(r"(?i)(?:^|[^0-9.,])([0-9]{1,2},[0-9]{3}|[0-9]{3,5})\s*(?:gm?s?|grams?|gr|arams)\b"),
            pounds: fixed(
                r"(?i)(?:^|[^0-9.,])([0-9]{1,2})\s*(?:lbs?|[i1l|]bs?|pounds?|#)\.?,?\s*(?:([0-9]{1,2}(?:\.[0-9]+)?)\s*(?:ozs?|[o0][z2]|ounces?)\b)?",
            ),
            bare: fixed(r"(?:^|[^0-9.,/])([0-9]\.[0-9]{3}|[0-9]{3,5})(?:$|[^0-9/%])"),
        }
    }

    /// The first weight in `text`: by grams, then kilograms, then pounds, then a bare number.
    pub(super) fn first(&self, text: &str) -> Option<FoundWeight> {
        let text = &strokes_to_ones(text);
        let metric = [(&self.grams, false), (&self.kilograms, true)]
            .into_iter()
            .filter_map(|(pattern, kilograms)| {
                let number = pattern.captures(text)?.get(1)?;
                let grams = if kilograms { from_kilograms(number.as_str())? } else { from_grams(number.as_str())? };
                PLAUSIBLE.contains(&grams).then(|| FoundWeight { grams, range: number.range(), with_unit: true })
            })
            .min_by_key(|found| found.range.start);
        let imperial = || {
            let captures = self.pounds.captures(text)?;
            let pounds: f64 = captures.get(1)?.as_str().parse().ok()?;
            let ounces: f64 = captures.get(2).and_then(|ounces| ounces.as_str().parse().ok()).unwrap_or(0.0);
            // 28.349523125 g to the avoirdupois ounce.
            let grams = ((pounds * 16.0 + ounces) * 28.349_523_125).round() as i64;
            let whole = captures.get(0)?;
            PLAUSIBLE.contains(&grams).then(|| FoundWeight { grams, range: whole.range(), with_unit: true })
        };
        let bare = || {
            let number = self.bare.captures(text)?.get(1)?;
            let grams = if number.as_str().contains('.') {
                from_kilograms(number.as_str())?
            } else {
                without_unit_digit(number.as_str())?
            };
            PLAUSIBLE.contains(&grams).then(|| FoundWeight { grams, range: number.range(), with_unit: false })
        };
        // The number before the bracketed pounds may have lost its unit: "1610 8 (3 lb 9 oz)".
        let early_bare = bare().filter(|found| imperial().is_none_or(|pounds| found.range.start < pounds.range.start));
        metric.or(early_bare.filter(|_| imperial().is_some())).or_else(imperial).or_else(bare)
    }
}

/// A thin stroke before a digit is a one; the text keeps its length.
fn strokes_to_ones(text: &str) -> String {
    let mut characters = text.chars().peekable();
    let mut mended = String::with_capacity(text.len());
    let mut before = ' ';
    while let Some(character) = characters.next() {
        let digit_after = characters.peek().is_some_and(char::is_ascii_digit);
        let stroke = matches!(character, 'l' | 'L' | 'I' | '|' | '\\') && digit_after && !before.is_alphanumeric();
        mended.push(if stroke { '1' } else { character });
        before = character;
    }
    mended
}

fn from_grams(text: &str) -> Option<i64> {
    text.replace(',', "").parse().ok()
}

fn from_kilograms(text: &str) -> Option<i64> {
    let value: f64 = text.replace(',', ".").parse().ok()?;
    // "1490 kg": the point was lost.
    Some(if value >= 250.0 { value.round() as i64 } else { (value * 1000.0).round() as i64 })
}

/// `16108` was `1610 g`: the letter g is read as one of these digits.
fn without_unit_digit(text: &str) -> Option<i64> {
    let value: i64 = text.parse().ok()?;
    if value <= BELIEVED_WITHOUT_UNIT {
        return Some(value);
    }
    text.ends_with(['8', '9', '6', '3', '0', '2']).then_some(value / 10)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn grams(text: &str) -> Option<i64> {
        Weights::new().first(text).map(|found| found.grams)
    }

    #[test]
    fn weights_are_read_in_grams_kilograms_and_pounds() {
        assert_eq!(grams("1743 g (3 lb 13 oz)"), Some(1743));
        assert_eq!(grams("2,043 grams"), Some(2043));
        assert_eq!(grams("0.856 kg"), Some(856));
        assert_eq!(grams("1.6 kg"), Some(1600));
        assert_eq!(grams("4 lbs 8 oz"), Some(2041));
        assert_eq!(grams("4lb 8.5oz"), Some(2055));
        assert_eq!(grams("1490 kg"), Some(1490));
        assert_eq!(grams("2329"), Some(2329));
        assert_eq!(grams("1.250"), Some(1250));
    }

    #[test]
    fn a_unit_read_as_a_digit_is_taken_off() {
        assert_eq!(grams("16108"), Some(1610));
        assert_eq!(grams("27758"), Some(2775));
        assert_eq!(grams("9209"), Some(920));
        assert_eq!(grams("\\690 g"), Some(1690));
        assert_eq!(grams("L520 kg"), Some(1520));
    }

    #[test]
    fn what_no_infant_weighs_is_no_weight() {
        for text in ["91 kg", "3/15/26", "54/38", "100%", "", "12 g", "200 lb"] {
            assert_eq!(grams(text), None, "{text}");
        }
    }
}
