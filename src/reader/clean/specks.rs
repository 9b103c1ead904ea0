//! Takes away specks: dust, and single bits that a line or a copy of a copy has turned over.
//!
//! Only where a page is strewn with them, and only those with no print near: on a faint page a thing that small may be
//! the last of a thin stroke. Never anything as large as a decimal point.

use crate::reader::picture::Picture;

/// Anything darker is part of a thing: a speck's grey fringe from scaling goes with it.
const NOT_PAPER: u8 = 224;

/// Ink, in black pixels at 204 dots an inch, of the largest speck. A point of print in six points has four; one bit of
/// a page of standard resolution has two, since its rows are doubled.
const LARGEST: f32 = 2.6;
/// The same on a page so strewn that many specks touch one another.
const LARGEST_IN_DENSE: f32 = 3.4;

/// Inches: the cells in which print is looked for; a speck has none in its own and those around it.
const CELL: f32 = 0.03;

/// Specks a square inch from which a page counts as strewn, and as densely strewn.
const STREWN: f32 = 6.0;
const DENSE: f32 = 100.0;

/// Takes the specks away if there are many.
pub fn remove(picture: &mut Picture) {
    let things = things(picture);
    let scale = (picture.resolution as f32 / 204.0).powi(2);
    let small = |largest: f32| (largest * 255.0 * scale) as u32;
    let alone = alone(picture, things, small(LARGEST_IN_DENSE));
    let count = alone.iter().filter(|thing| thing.darkness <= small(LARGEST)).count();
    let square_inches = picture.pixels.len() as f32 / (picture.resolution as f32).powi(2).max(1.0);
    let density = count as f32 / square_inches.max(0.1);
    if density < STREWN {
        return;
    }
    let largest = small(if density < DENSE { LARGEST } else { LARGEST_IN_DENSE });
    let width = picture.width as usize;
    for run in alone.iter().filter(|thing| thing.darkness <= largest).flat_map(|thing| &thing.runs) {
        let start = run.row as usize * width;
        if let Some(pixels) = picture.pixels.get_mut(start + run.from as usize..start + run.to as usize) {
            pixels.fill(255);
        }
    }
}

/// The specks that have no print near.
fn alone(picture: &Picture, mut things: Vec<Thing>, largest: u32) -> Vec<Thing> {
    let cell = ((picture.resolution as f32 * CELL) as usize).max(2);
    let columns = (picture.width as usize).div_ceil(cell);
    let rows = (picture.height as usize).div_ceil(cell);
    things.retain(|thing| thing.darkness <= largest);
    // What is dark in each cell and is no speck.
    let mut print = vec![0_i64; columns * rows];
    for (row, pixels) in picture.pixels.chunks_exact(picture.width.max(1) as usize).enumerate() {
        for (sum, part) in print.iter_mut().skip(row / cell * columns).zip(pixels.chunks(cell)) {
            *sum += part.iter().filter(|&&pixel| pixel < NOT_PAPER).count() as i64;
        }
    }
    for run in things.iter().flat_map(|thing| &thing.runs) {
        for column in run.from..run.to {
            if let Some(sum) = print.get_mut(run.row as usize / cell * columns + column as usize / cell) {
                *sum -= 1;
            }
        }
    }
    things.retain(|thing| {
        thing.runs.first().is_some_and(|run| {
            let (row, column) = (run.row as usize / cell, run.from as usize / cell);
            (row.saturating_sub(1)..=row + 1).all(|row| {
                let cells = print.get((row * columns).min(print.len())..((row + 1) * columns).min(print.len()));
                let near = cells.unwrap_or(&[]).iter().skip(column.saturating_sub(1));
                near.take(if column == 0 { 2 } else { 3 }).all(|&print| print == 0)
            })
        })
    });
    things
}

/// Pixels of one row that hang together.
#[derive(Clone, Copy)]
struct Run {
    row: u32,
    from: u32,
    to: u32,
}

/// A small thing on the page: its pixels touch each other, corners too.
struct Thing {
    runs: Vec<Run>,
    /// Sum of 255 less each pixel.
    darkness: u32,
}

/// More runs than a speck has.
const MOST_RUNS: usize = 5;

/// The small things; larger ones are let go of as they are met.
fn things(picture: &Picture) -> Vec<Thing> {
    let width = picture.width.max(1) as usize;
    // Things that reach the row above, by where they do; `None` once they are too large.
    let mut open: Vec<(Run, usize)> = Vec::new();
    let mut growing: Vec<Option<Thing>> = Vec::new();
    let mut next: Vec<(Run, usize)> = Vec::new();
    for (row, pixels) in (0_u32..).zip(picture.pixels.chunks_exact(width)) {
        next.clear();
        let mut first_open = 0;
        let mut column = 0;
        while let Some(gap) = pixels.get(column..).and_then(|rest| rest.iter().position(|&pixel| pixel < NOT_PAPER)) {
            let from = column + gap;
            let rest = pixels.get(from..).unwrap_or(&[]);
            let length = rest.iter().position(|&pixel| pixel >= NOT_PAPER).unwrap_or(rest.len());
            column = from + length;
            let run = Run { row, from: from as u32, to: column as u32 };
            let darkness =
                if length > 8 { u32::MAX } else { rest.iter().take(length).map(|&pixel| 255 - u32::from(pixel)).sum() };
            while open.get(first_open).is_some_and(|(above, _)| above.to < run.from) {
                first_open += 1;
            }
            let touching = open.iter().skip(first_open).take_while(|(above, _)| above.from <= run.to);
            let mut index = None;
            for &(_, other) in touching {
                match index {
                    None => index = Some(other),
                    // Two things meet: no speck does that, or it would be the merger of two in one row.
                    Some(first) if first != other => {
                        for met in [first, other] {
                            if let Some(thing) = growing.get_mut(met) {
                                *thing = None;
                            }
                        }
                    }
                    Some(_) => {}
                }
            }
            let index = index.unwrap_or_else(|| {
                growing.push(Some(Thing { runs: Vec::new(), darkness: 0 }));
                growing.len() - 1
            });
            if let Some(slot) = growing.get_mut(index)
                && let Some(thing) = slot
            {
                thing.darkness = thing.darkness.saturating_add(darkness);
                thing.runs.push(run);
                if thing.runs.len() > MOST_RUNS || thing.darkness > 255 * 64 {
                    *slot = None;
                }
            }
            next.push((run, index));
        }
        std::mem::swap(&mut open, &mut next);
    }
    growing.into_iter().flatten().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn strewn(step: usize) -> Picture {
        let mut picture = Picture::white(816, 816, 204);
        for at in (0..picture.pixels.len()).step_by(step) {
            picture.pixels[at] = 0;
        }
        picture
    }

    #[test]
    fn the_specks_of_a_strewn_page_go_and_its_points_stay() {
        let mut picture = strewn(4099);
        for y in 400..403 {
            picture.pixels[y * 816 + 400..y * 816 + 403].fill(0);
        }
        remove(&mut picture);
        assert_eq!(picture.pixels.iter().filter(|&&pixel| pixel < 128).count(), 9);
    }

    #[test]
    fn specks_beside_print_stay_since_they_may_be_its_strokes() {
        let mut picture = strewn(4099);
        picture.pixels[400 * 816 + 300..400 * 816 + 340].fill(0);
        picture.pixels[403 * 816 + 320] = 0;
        remove(&mut picture);
        assert_eq!(picture.pixels.iter().filter(|&&pixel| pixel < 128).count(), 41);
    }

    #[test]
    fn a_few_specks_are_left_since_they_may_be_print() {
        let picture = strewn(40_009);
        let mut cleaned = picture.clone();
        remove(&mut cleaned);
        assert!(cleaned == picture);
    }
}
