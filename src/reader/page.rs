//! One page read: from its picture to its words, with what is known of how it lay and what could not be read.
//!
//! The page is made ready ([`straighten`], [`super::clean`]), recognised once, and a second time only where the first reading
//! says that it went wrong: the other ways up where nothing certain was known of that, and with its dotted rules where
//! taking them away may have cost words. The reading with more surely read characters is kept.

use super::barcode;
use super::burnt_line;
use super::caught;
use super::clean::Steps;
use super::layer::{LayerReading, TextLayer};
use super::picture::Picture;
use super::render::RenderedPage;
use super::respell;
use super::straighten::{self, Prepared};
use super::tesseract::{Engine, RecognitionError};
use super::units;
use super::unread;
use crate::document::{Code, Page, PageFlag, PageSource, Word};

/// Below this share of well-read characters, a page whose orientation is uncertain is tried the other way up.
const POOR: f32 = 0.7;

/// Below this share of well-read characters, a page counts as illegible.
const ILLEGIBLE: f32 = 0.25;

/// A word read with at least this confidence is taken as well read.
const WELL_READ: f32 = 0.6;

/// Of two readings of a page, the one with more characters in words of at least this confidence is the better: on the 52
/// pages on which it was tried that found all but 7 of the 11,205 words that the better one of each pair has.
const SURELY_READ: f32 = 0.8;

/// Below this share of surely read characters, a page is read a second time: of the pages of the corpus one in ten, and
/// they gain one word in a hundred. Reading more of them gains hardly more.
const DOUBTFUL: f32 = 0.85;

/// A page: blank, or what is recognised on it.
pub(super) fn read(number: u32, rendered: RenderedPage, engine: &mut Engine) -> Result<Page, RecognitionError> {
    if rendered.picture.is_blank() {
        Ok(blank_page(number, rendered))
    } else {
        recognised_page(number, rendered, engine)
    }
}

/// A page whose picture could not be made: told apart from a blank one.
pub(super) fn unreadable(number: u32, reason: String) -> Page {
    Page {
        number,
        width: 0,
        height: 0,
        resolution: 0,
        source: PageSource::Unreadable,
        turned: 0,
        straightened: 0.0,
        unread: Vec::new(),
        flags: vec![PageFlag::Undecodable],
        unreadable_because: Some(reason),
        picture: None,
        words: Vec::new(),
        codes: Vec::new(),
    }
}

fn blank_page(number: u32, rendered: RenderedPage) -> Page {
    let RenderedPage { picture, mut flags, layer, .. } = rendered;
    if layer.is_some_and(|layer| !layer.agrees(&[])) {
        flags.push(PageFlag::TextLayerDisagrees);
    }
    Page {
        number,
        width: picture.width,
        height: picture.height,
        resolution: picture.resolution,
        source: PageSource::Blank,
        turned: 0,
        straightened: 0.0,
        unread: Vec::new(),
        flags,
        unreadable_because: None,
        picture: None,
        words: Vec::new(),
        codes: Vec::new(),
    }
}

/// One way up of a page, read.
struct Attempt {
    picture: Picture,
    turned: u16,
    straightened: f32,
    words: Vec<Word>,
}

impl Attempt {
    fn of(prepared: Prepared, engine: &mut Engine) -> Result<Self, RecognitionError> {
        let Prepared { picture, turned, straightened, .. } = prepared;
        let words = engine.recognise(&picture)?;
        Ok(Self { picture, turned, straightened, words })
    }
}

fn recognised_page(number: u32, rendered: RenderedPage, engine: &mut Engine) -> Result<Page, RecognitionError> {
    let mut flags = rendered.flags;
    let original = rendered.picture;
    if let Some(layer) = &rendered.layer
        && let Some(reading) = layer.read(&original, engine)?
    {
        return Ok(page_with_layer(number, &original, flags, reading, layer));
    }
    let prepared = straighten::prepare(original.clone());
    let certain = prepared.certain;
    let mut best = Attempt::of(prepared, engine)?;
    try_other_ways_up(&original, certain, &mut best, engine);
    try_with_rules(&original, &mut best, engine);
    if best.turned != 0 {
        flags.push(PageFlag::Turned);
    }
    if legibility(&best.words) < ILLEGIBLE {
        flags.push(PageFlag::Illegible);
    }
    let unread = unread::places(&best.picture, &best.words);
    if unread::is_handwritten(&best.words, &unread) {
        flags.push(PageFlag::Handwriting);
    }
    if rendered.layer.is_some_and(|layer| !layer.agrees(&best.words)) {
        flags.push(PageFlag::TextLayerDisagrees);
    }
    flags.sort_unstable();
    flags.dedup();
    let mut words = units::parted(best.words, &best.picture);
    respell::mend(&mut words);
    let mut page = Page {
        number,
        width: best.picture.width,
        height: best.picture.height,
        resolution: best.picture.resolution,
        source: PageSource::Recognised,
        turned: best.turned,
        straightened: best.straightened,
        unread,
        unreadable_because: None,
        picture: None,
        flags,
        words,
        codes: codes_on(&best.picture),
    };
    burnt_line::read_again(&mut page, &original, engine)?;
    Ok(page)
}

/// What decoding them does to its thread costs the codes alone.
fn codes_on(picture: &Picture) -> Vec<Code> {
    caught(|| barcode::codes(picture)).unwrap_or_default()
}

/// A page of a PDF whose picture shows its text.
fn page_with_layer(
    number: u32,
    picture: &Picture,
    mut flags: Vec<PageFlag>,
    reading: LayerReading,
    layer: &TextLayer,
) -> Page {
    let LayerReading { words, by_layer, is_contradicted } = reading;
    // What else it says is not to be seen, or means something else.
    if is_contradicted || !layer.agrees(&words) {
        flags.push(PageFlag::TextLayerDisagrees);
        flags.sort_unstable();
    }
    let unread = unread::places(picture, &words);
    Page {
        number,
        width: picture.width,
        height: picture.height,
        resolution: picture.resolution,
        source: if by_layer { PageSource::TextLayer } else { PageSource::Recognised },
        turned: 0,
        straightened: 0.0,
        unread,
        unreadable_because: None,
        picture: None,
        flags,
        words,
        codes: codes_on(picture),
    }
}

/// Reads a page again that lies on its side by its words, or that reads badly without being certain to stand upright.
fn try_other_ways_up(original: &Picture, certain: bool, best: &mut Attempt, engine: &mut Engine) {
    let first = best.turned;
    // Upside down first: that is how a sheet goes wrong into a fax, and what layout alone can't tell.
    let turns = match lies_on_side(&best.words) {
        Some(turn) => vec![turn],
        None if certain => return,
        None => vec![180, 90, 270],
    };
    for turn in turns {
        if legibility(&best.words) >= POOR {
            return;
        }
        let quarters = (first + turn) % 360 / 90;
        let prepared = straighten::prepare_turned(original.clone(), u32::from(quarters), Steps::ALL);
        let Ok(attempt) = Attempt::of(prepared, engine) else { continue };
        if characters_read(&attempt.words, WELL_READ) > characters_read(&best.words, WELL_READ) {
            *best = attempt;
        }
    }
}

/// Reads a page again as it was before its dotted and dashed rules were taken away, if much of it is in doubt: what looks
/// like a rule may be part of a table's frame, and without it the table is not seen.
fn try_with_rules(original: &Picture, best: &mut Attempt, engine: &mut Engine) {
    if share_of(&best.words, SURELY_READ) >= DOUBTFUL {
        return;
    }
    let steps = Steps { rules: false, ..Steps::ALL };
    let prepared = straighten::prepare_turned(original.clone(), u32::from(best.turned / 90), steps);
    // No rule was found.
    if prepared.picture == best.picture {
        return;
    }
    let Ok(attempt) = Attempt::of(prepared, engine) else { return };
    if characters_read(&attempt.words, SURELY_READ) > characters_read(&best.words, SURELY_READ) {
        *best = attempt;
    }
}

/// The turn that brings the page upright, if most words stand on end: Tesseract reads text that runs up or down the
/// page, but its boxes and lines are then of no use.
fn lies_on_side(words: &[Word]) -> Option<u16> {
    let on_end = words.iter().filter(|word| characters(word) > 0 && stands_on_end(word)).count();
    let level = words.iter().filter(|word| characters(word) > 0 && !stands_on_end(word)).count();
    if on_end <= level {
        return None;
    }
    let pairs = || words.windows(2).filter_map(|pair| <&[Word; 2]>::try_from(pair).ok());
    let (mut down, mut up) = (0_u32, 0_u32);
    for [word, next] in pairs() {
        if word.line == next.line && stands_on_end(word) && stands_on_end(next) {
            down += u32::from(next.bounds.top > word.bounds.top);
            up += u32::from(next.bounds.top < word.bounds.top);
        }
    }
    Some(if down > up { 270 } else { 90 })
}

/// Words of three characters and more are wider than high when they stand upright.
fn stands_on_end(word: &Word) -> bool {
    characters(word) >= 3 && word.bounds.height > word.bounds.width
}

/// Letters and digits in words of at least two of them; single ones are what specks are read as.
fn characters(word: &Word) -> usize {
    let count = word.text.chars().filter(|character| character.is_alphanumeric()).count();
    if count < 2 { 0 } else { count }
}

/// Characters in upright words of at least this confidence.
fn characters_read(words: &[Word], confidence: f32) -> usize {
    words.iter().filter(|word| word.confidence >= confidence && !stands_on_end(word)).map(characters).sum()
}

/// Share of the characters that stand in upright words of at least this confidence, 0 to 1; 0 for a page without any.
fn share_of(words: &[Word], confidence: f32) -> f32 {
    let all: usize = words.iter().map(characters).sum();
    if all == 0 { 0.0 } else { characters_read(words, confidence) as f32 / all as f32 }
}

fn legibility(words: &[Word]) -> f32 {
    share_of(words, WELL_READ)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::document::Bounds;
    use crate::reader::render::{RenderLimits, StoredPage};

    fn word(text: &str, confidence: f32) -> Word {
        Word { text: text.to_owned(), bounds: Bounds { left: 0, top: 0, width: 1, height: 1 }, confidence, line: 0 }
    }

    #[test]
    fn specks_do_not_make_a_page_legible() {
        let specks = [word("|", 0.95), word(".", 0.9), word("a", 0.9), word("--", 0.95)];
        assert!(legibility(&specks).abs() < f32::EPSILON);
        assert!(legibility(&[word("weight", 0.9), word("1,450", 0.8), word("~iq", 0.2)]) > POOR);
    }

    #[test]
    fn words_that_run_up_the_page_tell_which_way_to_turn_it() {
        let at = |text: &str, top: u32, width: u32, height: u32| Word {
            bounds: Bounds { left: 100, top, width, height },
            ..word(text, 0.9)
        };
        let up = [at("Admitted", 900, 30, 200), at("2026-03-14", 650, 30, 220), at("NICU", 100, 80, 30)];
        assert_eq!(lies_on_side(&up), Some(90));
        assert!(legibility(&up) < POOR);
        let down = [at("Admitted", 100, 30, 200), at("2026-03-14", 350, 30, 220)];
        assert_eq!(lies_on_side(&down), Some(270));
        assert_eq!(lies_on_side(&[at("Admitted", 100, 200, 30), at("lb", 100, 20, 30)]), None);
    }

    #[test]
    fn a_blank_page_is_suspect_only_where_its_decoder_cannot_tell() {
        let stored = |blank_is_suspect| StoredPage {
            width: 1728,
            height: 2200,
            pixels: vec![255; 1728 * 2200],
            resolution: (204, 200),
            quarters: 0,
            flags: Vec::new(),
            holds_picture: true,
            blank_is_suspect,
            layer: None,
        };
        for (suspect, flags) in [(true, vec![PageFlag::BlankPicture]), (false, Vec::new())] {
            let page = blank_page(4, stored(suspect).rendered(4, &RenderLimits::default()).unwrap());
            assert_eq!((page.source, page.flags), (PageSource::Blank, flags));
        }
    }
}
