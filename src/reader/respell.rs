//! Mends what the recogniser is known to get wrong of words that it cannot have been taught: units, abbreviations and
//! codes of neonatal papers, whose capitals, zeros and slashes it guesses by the look alone.
//!
//! Only words that can be nothing else are changed, and never a name, a date, or a number that says how much: `Sp02` is
//! no word, but `02` may be a number. Boxes and confidences stay.

use crate::document::Word;

/// As printed. What looks the same (see [`looks`]) is one of these.
const TERMS: [&str; 16] = [
    "SpO2",
    "FiO2",
    "PaO2",
    "PaCO2",
    "CO2",
    "H2O",
    "mg/dL",
    "g/dL",
    "mmol/L",
    "mEq/L",
    "K/uL",
    "kcal/oz",
    "mL/kg/day",
    "kcal/kg/day",
    "mcg/kg",
    "ICD-10",
];

/// Words that look like others, so that only these readings of them are mended.
const READINGS: [(&str, &str); 12] = [
    ("Het", "Hct"),
    ("cl", "Cl"),
    ("Ib", "lb"),
    ("Ibs", "lbs"),
    ("Kul", "K/uL"),
    ("AIBID", "A/B/D"),
    ("A/BID", "A/B/D"),
    ("AIB/D", "A/B/D"),
    ("AVB/D", "A/B/D"),
    ("SpO02", "SpO2"),
    ("FiO02", "FiO2"),
    ("lsolette", "Isolette"),
];

/// What a bullet is read as, at the start of a line.
const BULLETS: [&str; 6] = ["¢", "«", "»", "©", "®", "e"];

/// Mends words in place.
pub fn mend(words: &mut [Word]) {
    let mut line = None;
    let mut following: Vec<bool> = words
        .iter()
        .zip(words.iter().skip(1))
        .map(|(word, next)| word.line == next.line && next.text.starts_with(char::is_uppercase))
        .collect();
    following.push(false);
    for (word, before_capital) in words.iter_mut().zip(following) {
        let starts_line = line != Some(word.line);
        line = Some(word.line);
        if before_capital && starts_line && BULLETS.contains(&word.text.as_str()) {
            "•".clone_into(&mut word.text);
        } else if before_capital && word.text == "x" {
            // A box that is ticked; between small letters and numbers it is "times".
            "X".clone_into(&mut word.text);
        } else if let Some(mended) = mended(&word.text) {
            word.text = mended;
        }
    }
}

/// The word as it must have been printed, if it was read otherwise; punctuation around it stays.
fn mended(text: &str) -> Option<String> {
    let inner = text.trim_matches(|character: char| matches!(character, '.' | ',' | ';' | ':' | '(' | ')' | '"'));
    if inner.len() < 2 {
        return None;
    }
    let right = READINGS
        .iter()
        .find(|(read, _)| *read == inner)
        .map(|(_, printed)| (*printed).to_owned())
        .or_else(|| term(inner).map(str::to_owned))
        .or_else(|| interval(inner))
        .or_else(|| diagnosis_code(inner))?;
    (right != inner).then(|| text.replacen(inner, &right, 1))
}

fn term(read: &str) -> Option<&'static str> {
    let same = |term: &&str| {
        term.chars().count() == read.chars().count() && term.chars().map(looks).eq(read.chars().map(looks))
    };
    TERMS.into_iter().find(|term| same(term))
}

/// One character for all that look alike in a bad print.
fn looks(character: char) -> char {
    match character {
        'O' | '0' | 'o' | 'Q' => 'o',
        'I' | 'l' | '1' | '|' | 't' | 'i' | 'L' => 'l',
        'e' | 'c' | 'C' => 'c',
        other => other.to_ascii_lowercase(),
    }
}

/// `q12h` and its like: every so many hours.
fn interval(read: &str) -> Option<String> {
    let hours = read.strip_prefix(['q', 'g'])?.strip_suffix('h')?;
    let hours = hours.replace(['i', 'l', 'I'], "1").replace(['z', 'Z'], "2");
    matches!(hours.as_str(), "1" | "2" | "3" | "4" | "6" | "8" | "12" | "18" | "24" | "36" | "48")
        .then(|| format!("q{hours}h"))
}

/// A diagnosis code of the perinatal chapter of ICD-10, `P00` to `P96`, with its point and one to two digits.
fn diagnosis_code(read: &str) -> Option<String> {
    let characters: Vec<char> = read.chars().collect();
    let [first @ ('P' | 'Z' | 'Q'), tens, ones, '.' | ',', rest @ ..] = characters.as_slice() else { return None };
    let digit = |character: &char| match character {
        'O' | 'o' | 'Q' => Some('0'),
        'l' | 'I' => Some('1'),
        'S' => Some('5'),
        digit if digit.is_ascii_digit() => Some(*digit),
        _ => None,
    };
    let whole: Option<String> = [tens, ones].into_iter().map(digit).collect();
    let part: Option<String> = rest.iter().map(digit).collect();
    let (whole, part) = (whole?, part?);
    ((1..=2).contains(&part.len())).then(|| format!("{first}{whole}.{part}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::document::Bounds;

    fn words(lines: &[&str]) -> Vec<Word> {
        let word = |(line, text): (u32, &str)| Word {
            text: text.to_owned(),
            bounds: Bounds { left: 0, top: 0, width: 1, height: 1 },
            confidence: 0.9,
            line,
        };
        (0..).zip(lines).flat_map(|(number, line)| line.split(' ').map(move |text| (number, text))).map(word).collect()
    }

    fn read(lines: &[&str]) -> String {
        let mut words = words(lines);
        mend(&mut words);
        words.iter().map(|word| word.text.as_str()).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn units_and_abbreviations_are_spelt_as_printed() {
        assert_eq!(read(&["(Sp02 95%, Fi02 21%) co2 28 mmol/t Het 41"]), "(SpO2 95%, FiO2 21%) CO2 28 mmol/L Hct 41");
        assert_eq!(read(&["24 keal/oz qi2h; g3h 6 Ib PO7.18 PS9,9"]), "24 kcal/oz q12h; q3h 6 lb P07.18 P59.9");
    }

    #[test]
    fn names_numbers_and_ordinary_words_stay_as_they_were_read() {
        for line in ["Het 02 1020 PO daily", "Colt Oz Ilse lo el PO2", "2277 8 03/14/2026 MR-O10"] {
            let expected = line.replace("Het", "Hct");
            assert_eq!(read(&[line]), expected);
        }
        assert_eq!(read(&["phototherapy x 2 days", "x 24 hours"]), "phototherapy x 2 days x 24 hours");
    }

    #[test]
    fn bullets_and_ticks_are_told_by_where_they_stand() {
        assert_eq!(
            read(&["e Head ultrasound", "¢ ROP exam", "x Inborn x Isolette"]),
            "• Head ultrasound • ROP exam X Inborn X Isolette"
        );
    }
}
