//! How alike two pages are, by their words: which of them both have, in whatever order.
//!
//! Figures are looked at by themselves: of two reviews of one baby the words are the same and the figures differ, of two
//! faxes of one review noise spoils a few of either.

use std::collections::HashMap;

use crate::document::{Page, PageSource};

/// Share of the characters that two faxes of one page have in common. Measured on faxes that came again with other noise,
/// at standard resolution too: 0.80 and more; on the next review of the same baby: 0.72 at most.
const SAME_WORDS: f32 = 0.76;

/// Share of the figures that they have in common; measured: 0.80 and more, against 0.63 at most.
const SAME_FIGURES: f32 = 0.76;

/// With fewer figures than these on both pages, a letter, its words alone must tell.
const FIGURES: usize = 8;
const SAME_LETTER: f32 = 0.88;

/// A page with fewer characters than this says nothing by which it could be known again.
const LITTLE: usize = 40;

/// Parts of a page's height at its edges where fax machines print, and each time something else.
const HEADER: f32 = 0.035;
const FOOTER: f32 = 0.98;

/// Confidence from which a figure is held against another page.
const SURE: f32 = 0.6;

/// A page's words as they are compared.
pub(super) struct Likeness<'a> {
    picture: Option<&'a str>,
    words: HashMap<String, Count>,
    characters: usize,
}

/// How often a word stands on a page.
#[derive(Clone, Copy, Default)]
struct Count {
    all: usize,
    /// Of these, figures that were surely read.
    figures: usize,
}

impl<'a> Likeness<'a> {
    pub(super) fn of(page: &'a Page) -> Self {
        let mut words: HashMap<String, Count> = HashMap::new();
        let mut characters = 0;
        for word in &page.words {
            let middle = (word.bounds.top + word.bounds.height / 2) as f32 / page.height.max(1) as f32;
            let in_the_body = page.source == PageSource::Text || (HEADER..FOOTER).contains(&middle);
            let text = folded(&word.text);
            if !in_the_body || text.chars().count() < 2 {
                continue;
            }
            characters += text.chars().count();
            let is_figure = text.contains(|character: char| character.is_ascii_digit()) && word.confidence >= SURE;
            let count = words.entry(text).or_default();
            count.all += 1;
            count.figures += usize::from(is_figure);
        }
        Self { picture: page.picture.as_deref(), words, characters }
    }

    pub(super) fn characters(&self) -> usize {
        self.characters
    }

    pub(super) fn says_little(&self) -> bool {
        self.characters < LITTLE
    }

    /// Whether both are faxes of one page.
    pub(super) fn is_of_the_same_paper(&self, other: &Self) -> bool {
        if self.says_little() || other.says_little() {
            return false;
        }
        if self.picture.is_some() && self.picture == other.picture {
            return true;
        }
        let words = share(2 * self.common(other), self.characters + other.characters);
        let figures = |likeness: &Self| likeness.words.values().map(|count| count.figures).sum::<usize>();
        let all = figures(self) + figures(other);
        if all < FIGURES {
            return words >= SAME_LETTER;
        }
        let same = share(self.figures_in(other) + other.figures_in(self), all);
        words >= SAME_WORDS && same >= SAME_FIGURES
    }

    /// Characters of the words that both have.
    fn common(&self, other: &Self) -> usize {
        let shared =
            self.words.iter().filter_map(|(text, count)| Some((text, count.all.min(other.words.get(text)?.all))));
        shared.map(|(text, count)| text.chars().count() * count).sum()
    }

    /// Figures surely read here that the other page has too.
    fn figures_in(&self, other: &Self) -> usize {
        let there = |text: &String| other.words.get(text).map_or(0, |count| count.all);
        self.words.iter().map(|(text, count)| count.figures.min(there(text))).sum()
    }
}

fn share(part: usize, whole: usize) -> f32 {
    if whole == 0 { 0.0 } else { part as f32 / whole as f32 }
}

/// Letters and digits in lower case; in what holds a digit, letters that bad lines take for digits as those digits.
pub(super) fn folded(text: &str) -> String {
    let kept: String =
        text.chars().filter(|character| character.is_alphanumeric()).flat_map(char::to_lowercase).collect();
    if !kept.contains(|character: char| character.is_ascii_digit()) {
        return kept;
    }
    let as_digit = |character: char| match character {
        'o' | 'q' | 'd' => '0',
        'l' | 'i' | 't' => '1',
        'z' => '2',
        's' => '5',
        'g' => '6',
        'b' => '8',
        other => other,
    };
    kept.chars().map(as_digit).collect()
}
