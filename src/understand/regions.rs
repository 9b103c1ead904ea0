//! Where a label's value can stand: right of it, below it, or at the beginning of the next row.
//!
//! Also reads choice lists, in which a mark precedes the choice that holds.

use super::labels::{Label, LabelHit};
use super::layout::{Piece, Sheet};
use super::sections::Section;
use super::values::{Mark, check_box};

/// A page with its labels and sections.
pub(super) struct Labelled<'a> {
    pub sheet: &'a Sheet,
    pub hits: Vec<LabelHit>,
    pub sections: Vec<Section>,
}

/// Pieces that may hold a label's value, and how well they stand to it, 0 to 1.
pub(super) struct Region<'a> {
    pub pieces: &'a [Piece],
    pub fit: f32,
}

impl Labelled<'_> {
    pub(super) fn section(&self, hit: &LabelHit) -> Section {
        let row = self.sheet.pieces.get(hit.first).map_or(0, |piece| piece.row);
        self.sections.get(row).copied().unwrap_or(Section::Current)
    }

    /// The first label at or after a piece.
    fn next_hit(&self, from: usize) -> Option<&LabelHit> {
        let index = self.hits.partition_point(|hit| hit.first < from);
        self.hits.get(index)
    }

    /// What stands right of a label, up to the next label or the end of the row.
    pub(super) fn right_of(&self, hit: &LabelHit) -> &[Piece] {
        let Some(row) = self.sheet.pieces.get(hit.first).and_then(|piece| self.sheet.rows.get(piece.row)) else {
            return &[];
        };
        let stop = self.next_hit(hit.end).map_or(row.end, |next| next.first.min(row.end));
        self.sheet.pieces.get(hit.end..stop).unwrap_or_default()
    }

    /// Where the value can stand, best place first.
    pub(super) fn regions(&self, hit: &LabelHit) -> Vec<Region<'_>> {
        let right = self.right_of(hit);
        if right.iter().any(|piece| !piece.fold.is_empty() || check_box(&piece.text).is_some()) {
            let fit = if hit.marked || hit.opens { 1.0 } else { 0.8 };
            // A narrow column with its values below their labels, and another column beside it.
            let label_end = hit.end.checked_sub(1).and_then(|last| self.sheet.pieces.get(last));
            let gap = right
                .first()
                .zip(label_end)
                .map_or(0, |(right, label)| right.bounds.left.saturating_sub(label.bounds.right()));
            if hit.opens
                && !hit.marked
                && gap > self.sheet.height / 6
                && let Some(below) = self.below(hit)
            {
                return vec![Region { pieces: below, fit: 0.9 }, Region { pieces: right, fit: 0.6 }];
            }
            let mut regions = vec![Region { pieces: right, fit }];
            // In a row of column heads the word to the right may be a head that isn't known.
            let other_cell = right.first().is_some_and(|piece| piece.opens_cell);
            if other_cell && self.is_row_of_heads(hit) {
                regions.extend(self.below(hit).map(|pieces| Region { pieces, fit: 0.85 }));
            }
            return regions;
        }
        let mut regions = Vec::new();
        if let Some(pieces) = self.below(hit) {
            regions.push(Region { pieces, fit: 0.9 });
        } else if let Some(pieces) = self.wrapped(hit) {
            regions.push(Region { pieces, fit: 0.7 });
        }
        regions
    }

    /// At least two labels open cells of this row, and none of them has a value in its own cell.
    fn is_row_of_heads(&self, hit: &LabelHit) -> bool {
        let Some(row) = self.sheet.pieces.get(hit.first).and_then(|piece| self.sheet.rows.get(piece.row)) else {
            return false;
        };
        let heads: Vec<&LabelHit> =
            self.hits.iter().filter(|other| (row.first..row.end).contains(&other.first) && other.opens).collect();
        let bare = |head: &&LabelHit| {
            head.end >= row.end || self.sheet.pieces.get(head.end).is_some_and(|piece| piece.opens_cell)
        };
        heads.len() >= 2 && heads.iter().all(bare)
    }

    /// Left edge of the cell that holds a piece.
    fn cell_left(&self, piece: usize) -> Option<u32> {
        let row = self.sheet.pieces.get(piece)?.row;
        let cell = self.sheet.cells(row).into_iter().find(|cell| cell.contains(&piece))?;
        self.sheet.pieces.get(cell.start).map(|piece| piece.bounds.left)
    }

    fn below(&self, hit: &LabelHit) -> Option<&[Piece]> {
        let first = self.sheet.pieces.get(hit.first)?;
        let row = self.sheet.rows.get(first.row)?;
        let last = self.sheet.pieces.get(hit.end.checked_sub(1)?)?;
        let limit = self
            .sheet
            .pieces
            .get(hit.end..row.end)?
            .iter()
            .map(|piece| piece.bounds.left)
            .find(|left| *left > last.bounds.right());
        let slack = row.height * 2;
        // "NICU Case #": the value stands under the head of the cell, of which the label is only a part.
        let label_left = if hit.opens || self.right_of(hit).is_empty() {
            self.cell_left(hit.first)
                .filter(|left| first.bounds.left.saturating_sub(*left) < slack * 4)
                .unwrap_or(first.bounds.left)
        } else {
            first.bounds.left
        };
        for number in first.row + 1..(first.row + 3).min(self.sheet.rows.len()) {
            let below = self.sheet.rows.get(number)?;
            // The middle of skewed rows drifts; what counts is the distance to the label itself.
            if below.bounds.top > last.bounds.bottom() + row.height.max(self.sheet.usual_height) * 4 {
                break;
            }
            for cell in self.sheet.cells(number) {
                let Some(start) = self.sheet.pieces.get(cell.start).map(|piece| piece.bounds.left) else { continue };
                let aligned = start + slack >= label_left
                    && start <= last.bounds.right()
                    && limit.is_none_or(|limit| start + row.height < limit);
                if !aligned {
                    continue;
                }
                let labelled = self.next_hit(cell.start).is_some_and(|next| next.first < cell.end);
                return if labelled { None } else { self.sheet.pieces.get(cell) };
            }
        }
        None
    }

    /// A label at the very end of a row, with its value on the next one.
    fn wrapped(&self, hit: &LabelHit) -> Option<&[Piece]> {
        let row = self.sheet.pieces.get(hit.first)?.row;
        let ends_row = self.sheet.rows.get(row)?.end == hit.end;
        let starts_row = self.sheet.rows.get(row)?.first == hit.first;
        // In a grid the next row's beginning belongs to another column.
        let running = self.sheet.cells(row).len() == 1 && self.sheet.cells(row + 1).len() == 1;
        if !ends_row || starts_row || !hit.marked || !running {
            return None;
        }
        let next = self.sheet.rows.get(row + 1)?;
        let stop = self.next_hit(next.first).map_or(next.end, |hit| hit.first.min(next.end));
        self.sheet.pieces.get(next.first..stop).filter(|pieces| !pieces.is_empty())
    }

    /// The byte range of a value that may run over several rows: to the next label, at most `rows` rows on.
    pub(super) fn running_range(&self, hit: &LabelHit, rows: usize) -> std::ops::Range<usize> {
        let start = self.sheet.pieces.get(hit.end).map_or(self.sheet.text.len(), |piece| piece.start);
        let row = self.sheet.pieces.get(hit.first).map_or(0, |piece| piece.row);
        let last_row = (row + rows).min(self.sheet.rows.len().saturating_sub(1));
        let row_end = self.sheet.rows.get(last_row).map_or(0, |row| row.end);
        let by_label = self.next_hit(hit.end).map_or(row_end, |next| next.first.min(row_end));
        let end = self.sheet.pieces.get(by_label).map_or(self.sheet.text.len(), |piece| piece.start);
        start..end.max(start)
    }

    pub(super) fn of(&self, label: Label) -> impl Iterator<Item = &LabelHit> {
        self.hits.iter().filter(move |hit| hit.label == label)
    }
}

/// A value among printed choices.
pub(super) enum Choice<'a> {
    /// No check boxes here: the text itself is the value.
    Plain,
    /// The choice behind the crossed box.
    Checked(&'a [Piece]),
    /// Boxes, none of them crossed or more than one.
    Unclear,
}

/// Which of the choices printed in `pieces` is marked. The mark precedes its choice.
pub(super) fn choice(pieces: &[Piece]) -> Choice<'_> {
    let marks: Vec<(usize, Mark)> =
        pieces.iter().enumerate().filter_map(|(index, piece)| Some((index, check_box(&piece.text)?))).collect();
    let mut checked = marks.iter().filter(|(_, mark)| *mark == Mark::Checked);
    match (checked.next(), checked.next()) {
        (Some((at, _)), None) => {
            let end = marks.iter().map(|(index, _)| *index).find(|index| index > at).unwrap_or(pieces.len());
            Choice::Checked(pieces.get(at + 1..end).unwrap_or_default())
        }
        (None, None) if marks.len() < 2 => Choice::Plain,
        _ => Choice::Unclear,
    }
}

/// Text of pieces, parted by blanks.
pub(super) fn text_of(pieces: &[Piece]) -> String {
    pieces.iter().map(|piece| piece.text.as_str()).collect::<Vec<_>>().join(" ")
}
