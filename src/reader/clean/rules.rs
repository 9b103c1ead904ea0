//! Takes away dotted and dashed lines across the page, and streaks down it, and keeps the strokes of letters that cross
//! them.
//!
//! Whole lines of forms and tables are left: the recogniser finds them itself and tells columns by them, and it loses
//! whole columns of figures where they are missing (measured). A dotted line it takes for print.
//!
//! A line is told from text by its thinness: nearly all the ink along it is only a few pixels thick, where a row of
//! letters has stems. So a row of thin ink that goes on for longer than any word's stroke is a line, though it be dotted
//! or dashed; only the thin ink in it is taken away.

use crate::reader::picture::Picture;

/// Inches: lines are thinner than this. Strokes of print in twelve points are some 0.015 thick.
const THICKEST: f32 = 0.022;
/// Inches: the shortest line across the page.
const SHORTEST: f32 = 0.6;
/// Of the page's height, the shortest streak: a scanner's runs from edge to edge, and a form's rules keep its margins
/// (on a page on its side, the turn is told by what stands between them).
const SHORTEST_STREAK: f32 = 0.9;
/// Inches: the widest gap in a dashed line across; lines down the page are drawn, and letters stand near each other.
const GAP: f32 = 0.055;
const GAP_IN_STREAK: f32 = 0.02;
/// Of the places that a line passes, the share with thin ink (dotted lines have about half), and of those with ink the
/// share where something thicker may cross.
const LEAST_INKED: f32 = 0.3;
/// From this share on a line across is a whole one.
const WHOLE: f32 = 0.9;
const MOST_CROSSED: f32 = 0.25;
/// Beside a line lies paper: the ink a line's thickness away, on either side, is at most this share of the line's own.
/// The round bottoms of letters, which reach a little below their stems, look like a dotted line but for that.
const MOST_BESIDE: f32 = 0.3;

/// Takes away dotted and dashed lines across the page.
pub fn remove_broken(picture: &mut Picture, threshold: u8) {
    let Some(marks) = Marks::of(picture, threshold) else { return };
    let found = marks.lines(inches(picture, SHORTEST), inches(picture, GAP), WHOLE);
    let width = picture.width as usize;
    for line in found {
        marks.erase(&line, |row, column| {
            if let Some(pixel) = picture.pixels.get_mut(row * width + column) {
                *pixel = 255;
            }
        });
    }
}

/// Takes away streaks down the page.
pub fn remove_streaks(picture: &mut Picture, threshold: u8) {
    // Lying down, its columns are rows: one way of looking, and both ways along memory.
    let lying = picture.clone().turned(1);
    let Some(marks) = Marks::of(&lying, threshold) else { return };
    let found =
        marks.lines((picture.height as f32 * SHORTEST_STREAK) as usize + 1, inches(picture, GAP_IN_STREAK), f32::MAX);
    let (width, height) = (picture.width as usize, picture.height as usize);
    for line in found {
        // A clockwise quarter turn took (x, y) to (height - 1 - y, x).
        marks.erase(&line, |row, column| {
            let at = (height - 1).saturating_sub(column) * width + row;
            if let Some(pixel) = picture.pixels.get_mut(at) {
                *pixel = 255;
            }
        });
    }
}

fn inches(picture: &Picture, length: f32) -> usize {
    (picture.resolution as f32 * length).round().max(1.0) as usize
}

/// For each pixel how thick the ink is there from top to bottom: 0 for paper, `THICK` for what is no line.
struct Marks {
    width: usize,
    /// Pixels from a line's row at which paper must lie.
    clearance: usize,
    thickness: Vec<u8>,
}

const THICK: u8 = u8::MAX;

/// A line found: the row in which it lies, from one column up to another.
struct Line {
    row: usize,
    from: usize,
    to: usize,
}

impl Marks {
    /// `None` for a picture without pixels.
    fn of(picture: &Picture, threshold: u8) -> Option<Self> {
        let (width, height) = (picture.width as usize, picture.height as usize);
        if width == 0 || height == 0 {
            return None;
        }
        let thickest = inches(picture, THICKEST).min(usize::from(THICK - 1)) as u8;
        // Down: how far from the ink's top; up: the whole thickness, carried from its bottom.
        let mut thickness = vec![0_u8; width * height];
        let mut above = vec![0_u8; width];
        for (marks, pixels) in thickness.chunks_exact_mut(width).zip(picture.pixels.chunks_exact(width)) {
            for ((mark, above), &pixel) in marks.iter_mut().zip(&mut above).zip(pixels) {
                *above = if pixel < threshold { above.saturating_add(1) } else { 0 };
                *mark = *above;
            }
        }
        let mut below = vec![0_u8; width];
        for marks in thickness.chunks_exact_mut(width).rev() {
            for (mark, below) in marks.iter_mut().zip(&mut below) {
                let whole = if *mark == 0 { 0 } else { (*mark).max(*below) };
                *below = whole;
                *mark = if whole > thickest { THICK } else { whole };
            }
        }
        Some(Self { width, clearance: usize::from(thickest) + 1, thickness })
    }

    fn row(&self, row: usize) -> &[u8] {
        self.thickness.get(row * self.width..(row + 1) * self.width).unwrap_or(&[])
    }

    fn lines(&self, shortest: usize, gap: usize, whole: f32) -> Vec<Line> {
        let mut found = Vec::new();
        let rows = self.thickness.len() / self.width;
        for row in 0..rows {
            let marks = self.row(row);
            // Most rows are paper or text: no need to look closely.
            if marks.iter().filter(|&&mark| mark != 0 && mark != THICK).count() * 3 < shortest {
                continue;
            }
            let (mut from, mut end, mut thin, mut thick) = (0, 0, 0_usize, 0_usize);
            for (column, &mark) in marks.iter().chain(std::iter::repeat_n(&0, gap + 1)).enumerate() {
                match mark {
                    0 if thin > 0 && column - end > gap => {
                        let length = end - from;
                        let inked = (thin + thick) as f32 / length as f32;
                        let inked = (LEAST_INKED..whole).contains(&inked);
                        let crossed = thick as f32 > MOST_CROSSED * (thin + thick) as f32;
                        if length >= shortest && inked && !crossed && self.stands_clear(row, from, end, thin) {
                            found.push(Line { row, from, to: end });
                        }
                        (thin, thick) = (0, 0);
                    }
                    0 => {}
                    _ => {
                        if thin + thick == 0 || column > end + gap {
                            (from, thin, thick) = (column, 0, 0);
                        }
                        end = column + 1;
                        if mark == THICK { thick += 1 } else { thin += 1 }
                    }
                }
            }
        }
        found
    }

    /// Whether there is paper on both sides of what may be a line with so many inked places.
    fn stands_clear(&self, row: usize, from: usize, to: usize, inked: usize) -> bool {
        let beside = |row: Option<usize>| {
            let marks = row.and_then(|row| self.row(row).get(from..to)).unwrap_or(&[]);
            marks.iter().filter(|&&mark| mark != 0).count() as f32
        };
        let most = MOST_BESIDE * inked as f32;
        beside(row.checked_sub(self.clearance)) <= most && beside(row.checked_add(self.clearance)) <= most
    }

    /// Calls `white` with each row and column of the thin ink in a line, and with the grey fringe above and below.
    fn erase(&self, line: &Line, mut white: impl FnMut(usize, usize)) {
        let mark = |row: usize, column: usize| self.thickness.get(row * self.width + column).copied().unwrap_or(0);
        for column in line.from..line.to {
            let here = mark(line.row, column);
            if here == 0 || here == THICK {
                continue;
            }
            let mut top = line.row;
            while top > 0 && mark(top - 1, column) == here {
                top -= 1;
            }
            for row in top.saturating_sub(1)..=top + usize::from(here) {
                white(row, column);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reader::picture::{INK, fill};

    fn ink(picture: &Picture) -> usize {
        picture.pixels.iter().filter(|&&pixel| pixel < INK).count()
    }

    #[test]
    fn a_streak_goes_and_the_stroke_that_crosses_it_stays() {
        let mut picture = Picture::white(400, 800, 204);
        fill(&mut picture, 200, 10, 3, 780);
        fill(&mut picture, 180, 300, 40, 4);
        remove_streaks(&mut picture, INK);
        assert_eq!(ink(&picture), 40 * 4);
    }

    #[test]
    fn the_whole_rules_of_a_form_stay() {
        let mut picture = Picture::white(800, 800, 204);
        fill(&mut picture, 50, 200, 600, 3);
        fill(&mut picture, 50, 200, 3, 300);
        let before = picture.clone();
        remove_broken(&mut picture, INK);
        remove_streaks(&mut picture, INK);
        assert!(picture == before);
    }

    #[test]
    fn dotted_and_dashed_lines_go() {
        for (dash, gap) in [(2, 3), (12, 9)] {
            let mut picture = Picture::white(800, 400, 204);
            for start in (50..700).step_by(dash + gap) {
                fill(&mut picture, start as u32, 200, dash as u32, 2);
            }
            remove_broken(&mut picture, INK);
            assert_eq!(ink(&picture), 0, "dashes of {dash} with gaps of {gap}");
        }
    }

    #[test]
    fn print_a_hyphen_and_a_bar_stay() {
        let mut picture = Picture::white(1000, 400, 204);
        // Letters like "nnnn": stems with a thin bar on top, close together.
        for letter in 0..40 {
            fill(&mut picture, 60 + letter * 17, 100, 12, 3);
            fill(&mut picture, 60 + letter * 17, 100, 3, 16);
            fill(&mut picture, 69 + letter * 17, 100, 3, 16);
        }
        // Round letters that reach a pixel below the line that the others stand on.
        for letter in 0..40 {
            fill(&mut picture, 60 + letter * 17, 150, 3, 16);
            fill(&mut picture, 66 + letter * 17, 152, 3, 12);
            fill(&mut picture, 63 + letter * 17, 164, 9, 3);
        }
        fill(&mut picture, 300, 200, 40, 3);
        fill(&mut picture, 50, 300, 600, 20);
        let before = picture.clone();
        remove_broken(&mut picture, INK);
        remove_streaks(&mut picture, INK);
        assert!(picture == before);
    }
}
