//! A bad fax line and the recogniser at its end: characters confused, words lost.
//!
//! The confusions and how often they come were counted on 43 faxes whose text is known (268,515 characters, 1,894 of them
//! read otherwise, 0.7 %): half of the faxes had up to 0.5 % of their characters wrong, nine of ten up to 1.4 %, three of a
//! hundred 6 %. Only those that change letters or digits are kept; marks of punctuation are worth nothing to linking.

use nicufaxd::document::{Bounds, Page, PageSource, Word};

use super::random::Random;

/// Printed, read, and how often it was counted.
const CONFUSIONS: [(&str, &str, usize); 34] = [
    ("O", "0", 113),
    ("c", "e", 71),
    ("0", "O", 37),
    ("C", "c", 37),
    ("L", "l", 33),
    ("I", "l", 32),
    ("l", "I", 29),
    ("O", "o", 27),
    ("/", "I", 26),
    ("f", "t", 23),
    ("I", "i", 15),
    ("/", "", 15),
    ("5", "S", 15),
    ("e", "c", 14),
    ("L", "t", 12),
    ("0", "9", 12),
    ("g", "y", 12),
    ("1", "i", 11),
    ("s", "S", 11),
    ("g", "a", 11),
    ("I", "1", 10),
    ("3", "", 10),
    ("-", "", 9),
    ("i", "", 9),
    ("r", "c", 8),
    ("0", "", 8),
    ("l", "|", 8),
    ("o", "a", 6),
    ("1", "", 7),
    ("q", "g", 5),
    ("D", "0", 4),
    ("/", "V", 4),
    ("5", "", 4),
    ("1", "l", 4),
];

/// How bad the line is.
#[derive(Clone, Copy)]
pub enum Noise {
    Good,
    Fair,
    Bad,
}

impl Noise {
    pub fn any(random: &mut Random) -> Self {
        match random.below(10) {
            0..5 => Self::Good,
            5..9 => Self::Fair,
            _ => Self::Bad,
        }
    }

    pub fn name(self) -> &'static str {
        match self {
            Self::Good => "good",
            Self::Fair => "fair",
            Self::Bad => "bad",
        }
    }

    /// Share of characters that are read as others, and of words that are not found.
    fn shares(self) -> (f32, f32) {
        match self {
            Self::Good => (0.003, 0.005),
            Self::Fair => (0.012, 0.03),
            Self::Bad => (0.06, 0.12),
        }
    }
}

/// A value as it is read by itself; nothing when a word of it is lost.
pub fn value(text: &str, noise: Noise, random: &mut Random) -> String {
    let (confused, lost) = noise.shares();
    let mut words = Vec::new();
    for word in text.split(' ').filter(|word| !word.is_empty()) {
        if random.fraction() < lost {
            return String::new();
        }
        words.push(garbled(word, confused, random).0);
    }
    words.join(" ")
}

/// The pages as they are read.
pub fn read(pages: &[String], noise: Noise, random: &mut Random) -> Vec<Page> {
    (1..).zip(pages).map(|(number, text)| page(number, text, noise, random)).collect()
}

fn page(number: u32, text: &str, noise: Noise, random: &mut Random) -> Page {
    let (confused, lost) = noise.shares();
    let mut words = Vec::new();
    for (line, content) in (0..).zip(text.lines()) {
        let mut left = 60;
        for printed in content.split(' ') {
            let width = printed.chars().count() as u32 * 13;
            if !printed.is_empty() && random.fraction() >= lost {
                let (text, wrong) = garbled(printed, confused, random);
                // The recogniser is mostly less sure of what it reads wrongly.
                let confidence = if wrong { 0.45 + 0.5 * random.fraction() } else { 0.8 + 0.19 * random.fraction() };
                let bounds = Bounds { left, top: 120 + line * 48, width: width.max(8), height: 26 };
                if !text.is_empty() {
                    words.push(Word { text, bounds, confidence, line });
                }
            }
            left += width + 14;
        }
    }
    Page {
        number,
        width: 1728,
        height: 2200,
        resolution: 204,
        source: PageSource::Recognised,
        turned: 0,
        straightened: 0.0,
        flags: Vec::new(),
        unreadable_because: None,
        picture: None,
        unread: Vec::new(),
        codes: Vec::new(),
        words,
    }
}

fn garbled(printed: &str, share: f32, random: &mut Random) -> (String, bool) {
    let mut read = String::new();
    let mut wrong = false;
    for character in printed.chars() {
        if random.fraction() >= share {
            read.push(character);
            continue;
        }
        wrong = true;
        let mut buffer = [0; 4];
        let of: &str = character.encode_utf8(&mut buffer);
        let possible = || CONFUSIONS.iter().filter(|(printed, ..)| *printed == of);
        let all: usize = possible().map(|(_, _, count)| count).sum();
        if all == 0 {
            // Not counted for this character: a digit for a digit, a letter for a letter.
            match character {
                '0'..='9' => read.push(char::from(b'0' + random.below(10) as u8)),
                'a'..='z' => read.push(char::from(b'a' + random.below(26) as u8)),
                'A'..='Z' => read.push(char::from(b'A' + random.below(26) as u8)),
                other => read.push(other),
            }
            continue;
        }
        let mut at = random.below(all);
        for (_, as_read, count) in possible() {
            if at < *count {
                read.push_str(as_read);
                break;
            }
            at -= count;
        }
    }
    (read, wrong)
}
