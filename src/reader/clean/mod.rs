//! What a fax line and a dirty scanner put on a page, and what of a form's lines it takes for print, taken away before
//! recognition.
//!
//! Works on a copy that only the recogniser sees: people are shown the page as it came, and word boxes lie in that.
//! The order matters: specks first, because they hide where a line ends; streaks next, while the page lies as the
//! scanner saw it (a streak runs exactly along the paper's feed, whatever the skew of the sheet); dotted rules last, when
//! the page is upright and straight, so that they run exactly along its rows. A step that finds nothing to
//! take away leaves the picture untouched. What each is worth is measured by `cargo bench --bench cleaning`; steps that
//! found no more words were not kept: taking away whole rules (the recogniser then loses columns of tables), and
//! specks near print (they may be broken strokes).

mod rules;
mod specks;

use super::picture::Picture;

/// Which steps are done: all, but where their worth is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Steps {
    /// Specks of dust and of the line's noise.
    pub specks: bool,
    /// Lines that a dirty scanner draws along the feed.
    pub streaks: bool,
    /// Dotted and dashed rules of forms and tables.
    pub rules: bool,
}

impl Steps {
    pub const ALL: Self = Self { specks: true, streaks: true, rules: true };
    pub const NONE: Self = Self { specks: false, streaks: false, rules: false };
}

/// What is done to a page as it came, before its skew is known.
#[must_use]
pub fn as_scanned(mut picture: Picture, threshold: u8, steps: Steps) -> Picture {
    if steps.specks {
        specks::remove(&mut picture);
    }
    if steps.streaks {
        rules::remove_streaks(&mut picture, threshold);
    }
    picture
}

/// What is done to an upright and straightened page.
#[must_use]
pub fn upright(mut picture: Picture, threshold: u8, steps: Steps) -> Picture {
    if steps.rules {
        rules::remove_broken(&mut picture, threshold);
    }
    picture
}
