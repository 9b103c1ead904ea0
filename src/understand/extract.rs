//! The facts on a paper, each with its page, box and confidence.
//!
//! Labels say where to look, the value's own shape says whether it is one. What several places agree on is believed
//! more. A value that isn't printed is left out: a spurious one costs a nurse more than a missing one.

use jiff::civil::Date;

use super::choose::{Candidate, choose};
use super::dates::days_between;
use super::labels::{Label, LabelHit};
use super::layout::{Piece, Sheet, place_of};
use super::lexicon::Lexicon;
use super::regions::{Choice, Labelled, Region, choice, text_of};
use super::sections::Section;
use super::values::{bare_name, person_name, roman_level};
use crate::document::{Bounds, DocumentType, FieldValue, Fields};

/// A value must begin this near to its label, in bytes: farther off it is another thing's.
const NEAR_LABEL: usize = 16;

/// The heads of a table of days stand at most so many rows above a row of it.
const DAYS_ABOVE: usize = 12;

/// Days around the receipt within which a kind of date is believed: `(before, after)`.
///
/// A baby stays in the program to its first birthday; three years leave room for late papers, and shut out mothers.
pub(super) const BORN: (i64, i64) = (1_100, 1);
pub(super) const STAYED: (i64, i64) = (1_100, 45);
pub(super) const REVIEWED: (i64, i64) = (75, 120);

/// What the candidates are collected in.
pub(super) struct Harvest<'a> {
    pub(super) lexicon: &'a Lexicon,
    received: Date,
    pub(super) document_type: DocumentType,
    candidates: Vec<Candidate>,
}

/// Takes the facts from the pages of one document.
pub(super) fn extract(
    pages: &[Labelled<'_>],
    lexicon: &Lexicon,
    received: Date,
    document_type: DocumentType,
) -> Fields {
    choose(&candidates(pages, lexicon, received, document_type))
}

/// Everything on the pages that could be a fact, in page order; what [`extract`] chooses from.
pub(super) fn candidates(
    pages: &[Labelled<'_>],
    lexicon: &Lexicon,
    received: Date,
    document_type: DocumentType,
) -> Vec<Candidate> {
    let mut harvest = Harvest { lexicon, received, document_type, candidates: Vec::new() };
    for page in pages {
        for hit in &page.hits {
            harvest.labelled(page, hit);
        }
        harvest.running_head(page);
        harvest.name_before_its_mark(page);
        harvest.letterhead(page);
        harvest.sentences(page);
    }
    harvest.candidates
}

impl Harvest<'_> {
    pub(super) fn add(
        &mut self,
        page: &Labelled<'_>,
        field: &'static str,
        value: FieldValue,
        strength: f32,
        place: Option<(Bounds, f32)>,
    ) {
        if let Some((bounds, read)) = place {
            self.candidates.push(Candidate { field, value, strength, read, page: page.sheet.number, bounds });
        }
    }

    fn labelled(&mut self, page: &Labelled<'_>, hit: &LabelHit) {
        let regions = page.regions(hit);
        for Region { pieces, fit } in &regions {
            let current = page.section(hit) == Section::Current;
            match hit.label {
                Label::PatientName => self.name(page, "patient_name", pieces, *fit),
                Label::Regarding => self.regarding(page, pieces),
                Label::MotherName => self.name(page, "mother_name", pieces, *fit),
                Label::BirthDate => self.date(page, "dob", pieces, *fit, BORN),
                Label::AdmitDate => self.date(page, "admit_date", pieces, *fit, STAYED),
                // On a readmission the discharge is the previous stay's.
                Label::DischargeDate if self.document_type != DocumentType::Readmission => {
                    self.date(page, "discharge_date", pieces, *fit, STAYED);
                }
                Label::ExpectedDischargeDate => self.date(page, "expected_discharge_date", pieces, *fit, REVIEWED),
                Label::TransferDate => self.date(page, "transfer_date", pieces, *fit, REVIEWED),
                Label::ReadmitDate => self.date(page, "readmit_date", pieces, *fit, REVIEWED),
                Label::NextReviewDate => self.date(page, "next_review_date", pieces, *fit, REVIEWED),
                Label::RecordNumber => self.number(page, "mrn", pieces, *fit),
                Label::MemberId => self.number(page, "member_id", pieces, *fit),
                Label::AuthNumber => self.number(page, "auth_number", pieces, *fit),
                Label::CaseId => self.number(page, "case_id", pieces, *fit),
                Label::Facility => self.facility(page, "facility", pieces, *fit),
                Label::TransferringFacility => self.facility(page, "facility", pieces, fit * 0.9),
                Label::ReceivingFacility => self.facility(page, "receiving_facility", pieces, *fit),
                Label::Sex => self.sex(page, pieces, *fit),
                Label::LevelOfCare => self.level(page, pieces, *fit),
                Label::GestationalAge => self.gestation(page, pieces, *fit),
                Label::BirthWeight => self.weight(page, "birth_weight_g", pieces, *fit),
                Label::Weight if current => match self.newest_day(page, hit) {
                    Some(newest) => self.weight(page, "weight_g", newest, *fit),
                    None => self.weight(page, "weight_g", pieces, *fit),
                },
                Label::DischargeWeight if self.document_type == DocumentType::Discharge => {
                    self.weight(page, "weight_g", pieces, *fit);
                }
                Label::BedType if current => self.bed(page, pieces, *fit),
                Label::RespiratorySupport if current => self.support(page, pieces, *fit),
                Label::RespiratorySystem if current && !page.right_of(hit).is_empty() => {
                    self.support(page, pieces, fit * 0.8);
                }
                Label::PlanName => self.plan(page, pieces, *fit),
                Label::DischargeDate
                | Label::Weight
                | Label::DischargeWeight
                | Label::BedType
                | Label::RespiratorySupport
                | Label::RespiratorySystem
                | Label::Nutrition
                | Label::Medications
                | Label::DischargeNeeds
                | Label::Ignored => {}
            }
        }
        if hit.label == Label::RespiratorySystem {
            if page.section(hit) == Section::Current && page.right_of(hit).is_empty() {
                self.support_below(page, hit);
            }
            self.support_now(page, hit);
        }
        if hit.label == Label::Nutrition && page.section(hit) == Section::Current {
            let range = page.running_range(hit, 3);
            self.by_mouth(page, range, 1.0);
        }
    }

    fn name(&mut self, page: &Labelled<'_>, field: &'static str, pieces: &[Piece], fit: f32) {
        if let Some((name, range)) = person_name(pieces) {
            // A single word is rarely a whole name.
            let whole = name.contains([' ', ',']);
            // And one word below its label is the next heading.
            if !whole && fit < 1.0 {
                return;
            }
            let strength = if whole { fit } else { fit * 0.6 };
            let place = pieces.get(range).and_then(place_of);
            self.add(page, field, FieldValue::Text(name), strength, place);
        }
    }

    fn regarding(&mut self, page: &Labelled<'_>, pieces: &[Piece]) {
        let after_dash =
            pieces.iter().rposition(|piece| matches!(piece.text.as_str(), "-" | "–" | "—")).map_or(0, |at| at + 1);
        let pieces = pieces.get(after_dash..).unwrap_or_default();
        if let Some((name, range)) = person_name(pieces).filter(|(name, _)| name.contains(' ')) {
            let place = pieces.get(range).and_then(place_of);
            self.add(page, "patient_name", FieldValue::Text(name), 0.75, place);
        }
    }

    fn date(&mut self, page: &Labelled<'_>, field: &'static str, pieces: &[Piece], fit: f32, believed: (i64, i64)) {
        let text = text_of(pieces);
        let full = self.lexicon.dates.first(&text);
        let found =
            full.or_else(|| (field != "dob").then(|| self.lexicon.dates.without_year(&text, self.received)).flatten());
        let Some(found) = found.filter(|found| found.range.start <= NEAR_LABEL) else { return };
        if self.plausible(found.date, believed) {
            let place = place_in(pieces, &found.range);
            self.add(page, field, FieldValue::Date(found.date), fit, place);
        }
    }

    pub(super) fn plausible(&self, date: Date, (before, after): (i64, i64)) -> bool {
        (-before..=after).contains(&days_between(self.received, date))
    }

    fn number(&mut self, page: &Labelled<'_>, field: &'static str, pieces: &[Piece], fit: f32) {
        if let Some((number, range)) = self.lexicon.values.identifier(pieces) {
            let place = pieces.get(range).and_then(place_of);
            self.add(page, field, FieldValue::Text(number), fit, place);
        }
    }

    fn facility(&mut self, page: &Labelled<'_>, field: &'static str, pieces: &[Piece], fit: f32) {
        // The name ends at the end of its cell, at a bracket ("(Level III)") or at a number.
        let stop = pieces
            .iter()
            .enumerate()
            .position(|(index, piece)| {
                (index > 0 && piece.opens_cell)
                    || piece.text.starts_with(['(', '{', '['])
                    || piece.fold.starts_with("level")
                    || piece.fold.chars().next().is_some_and(|c| c.is_ascii_digit())
            })
            .unwrap_or(pieces.len());
        let pieces = pieces.get(..stop.min(9)).unwrap_or_default();
        let capitals = pieces.iter().filter(|piece| piece.text.chars().next().is_some_and(char::is_uppercase)).count();
        let words = pieces.iter().filter(|piece| !piece.fold.is_empty()).count();
        let is_name = words >= 2
            && capitals * 2 > words
            && pieces.first().is_some_and(|piece| piece.text.starts_with(char::is_uppercase));
        if !is_name {
            return;
        }
        let text = text_of(pieces);
        let name = bare_name(&text).to_owned();
        let strength = if self.lexicon.values.hospital(&text).is_some() { fit } else { fit * 0.6 };
        self.add(page, field, FieldValue::Text(name), strength, place_of(pieces));
    }

    fn sex(&mut self, page: &Labelled<'_>, pieces: &[Piece], fit: f32) {
        let chosen = match choice(pieces) {
            Choice::Plain => pieces,
            Choice::Checked(chosen) => chosen,
            Choice::Unclear => return,
        };
        let Some(first) = chosen.iter().find(|piece| !piece.fold.is_empty()) else { return };
        if let Some(sex) = sex_of(&first.fold) {
            self.add(page, "sex", FieldValue::Text(sex.to_owned()), fit, place_of(std::slice::from_ref(first)));
        }
    }

    fn level(&mut self, page: &Labelled<'_>, pieces: &[Piece], fit: f32) {
        let level = match choice(pieces) {
            Choice::Unclear => None,
            Choice::Checked(chosen) => checked_level(pieces, chosen).map(|level| (level, chosen)),
            Choice::Plain => {
                let text = text_of(pieces);
                // A list of all levels without a readable mark says nothing.
                let listed = pieces.iter().filter(|piece| piece.fold.starts_with("level")).count() > 1;
                let near = |start: usize| start <= NEAR_LABEL && !listed;
                let values = &self.lexicon.values;
                let bare = || pieces.first().and_then(|piece| roman_level(&piece.text));
                let found = values.level(&text).filter(|found| near(found.range.start)).map(|found| found.value);
                let found = found.or_else(|| {
                    values.revenue_level(&text).filter(|found| near(found.range.start)).map(|found| found.value)
                });
                found.or_else(bare).map(|level| (level, pieces.get(..pieces.len().min(3)).unwrap_or_default()))
            }
        };
        // Level 1 is no NICU level: a misread II far more often than an order.
        if let Some((level, pieces)) = level.filter(|(level, _)| (2..=4).contains(level)) {
            self.add(page, "level_of_care", FieldValue::Number(level), fit, place_of(pieces));
        }
    }

    fn gestation(&mut self, page: &Labelled<'_>, pieces: &[Piece], fit: f32) {
        let text = text_of(pieces);
        if let Some(found) = self.lexicon.values.gestation(&text).filter(|found| found.range.start <= NEAR_LABEL) {
            let place = place_in(pieces, &found.range);
            self.add(page, "gestational_age", FieldValue::Text(found.value), fit, place);
        }
    }

    fn weight(&mut self, page: &Labelled<'_>, field: &'static str, pieces: &[Piece], fit: f32) {
        let text = text_of(pieces);
        if let Some(found) = self.lexicon.weights.first(&text).filter(|found| found.range.start <= NEAR_LABEL) {
            let place = place_in(pieces, &found.range);
            let strength = if found.with_unit { fit } else { fit * 0.8 };
            self.add(page, field, FieldValue::Number(found.grams), strength, place);
        }
    }

    /// In a table with a day at the head of each column: the cell of the newest day that has come.
    fn newest_day<'p>(&self, page: &'p Labelled<'_>, hit: &LabelHit) -> Option<&'p [Piece]> {
        let sheet = page.sheet;
        let row = sheet.pieces.get(hit.first)?.row;
        let end = sheet.rows.get(row)?.end;
        let middle = |bounds: Bounds| bounds.left + bounds.width / 2;
        let days = (row.saturating_sub(DAYS_ABOVE)..row).rev().find_map(|head| {
            let start = sheet.row_pieces(head).first()?.start;
            let days: Vec<(Date, u32)> = self
                .lexicon
                .dates
                .all(sheet.row_text(head))
                .into_iter()
                .filter_map(|day| {
                    let (bounds, _) = sheet.place(start + day.range.start, start + day.range.end)?;
                    Some((day.date, middle(bounds)))
                })
                .collect();
            (days.len() >= 2).then_some(days)
        })?;
        // One value needs no choice, and a lone one may stand under no day at all.
        let values: Vec<usize> = (hit.end..end)
            .filter(|at| sheet.pieces.get(*at).is_some_and(|piece| self.lexicon.weights.first(&piece.text).is_some()))
            .collect();
        if values.len() < 2 {
            return None;
        }
        let day_of = |at: usize| {
            let across = middle(sheet.pieces.get(at)?.bounds);
            days.iter().min_by_key(|(_, head)| head.abs_diff(across)).map(|(day, _)| *day)
        };
        let newest = values
            .into_iter()
            .filter_map(|at| Some((day_of(at)?, at)))
            .filter(|(day, _)| days_between(self.received, *day) <= 0)
            .max_by_key(|(day, _)| *day)?;
        sheet.pieces.get(newest.1..(newest.1 + 2).min(end))
    }

    fn bed(&mut self, page: &Labelled<'_>, pieces: &[Piece], fit: f32) {
        let chosen = match choice(pieces) {
            Choice::Plain => pieces,
            Choice::Checked(chosen) => chosen,
            Choice::Unclear => return,
        };
        let text = text_of(chosen);
        if let Some(found) = self.lexicon.values.bed(&text) {
            let place = place_in(chosen, &found.range);
            self.add(page, "bed_type", FieldValue::Text(found.value.to_owned()), fit, place);
        }
    }

    fn support(&mut self, page: &Labelled<'_>, pieces: &[Piece], fit: f32) {
        let chosen = match choice(pieces) {
            Choice::Plain => pieces,
            Choice::Checked(chosen) => chosen,
            Choice::Unclear => return,
        };
        let text = text_of(chosen);
        if text.to_lowercase().contains("initially") {
            return;
        }
        if let Some(found) = self.lexicon.values.support(&text) {
            let place = place_in(chosen, &found.range);
            self.add(page, "resp_support", FieldValue::Text(found.value.to_owned()), fit, place);
        }
    }

    /// A heading of its own row, and the support at the beginning of the row below it.
    fn support_below(&mut self, page: &Labelled<'_>, hit: &LabelHit) {
        let Some(row) = page.sheet.pieces.get(hit.first).map(|piece| piece.row + 1) else { return };
        let pieces = page.sheet.row_pieces(row);
        let found = self.lexicon.values.support(&text_of(pieces));
        if let Some(found) = found.filter(|found| found.range.start <= 3) {
            let place = place_in(pieces, &found.range);
            self.add(page, "resp_support", FieldValue::Text(found.value.to_owned()), 0.6, place);
        }
    }

    /// A paragraph on breathing tells history first; what follows "currently" or "now" is the present.
    fn support_now(&mut self, page: &Labelled<'_>, hit: &LabelHit) {
        if page.section(hit) == Section::Past && self.document_type == DocumentType::ConcurrentReview {
            return;
        }
        let range = page.running_range(hit, 3);
        let Some(text) = page.sheet.text.get(range.clone()) else { return };
        let lower = text.to_ascii_lowercase();
        let now = ["currently", "now on", "now in", "remains on", "presently", "continues on", "today on"];
        let Some(at) = now.iter().filter_map(|word| lower.rfind(word)).max() else { return };
        let Some(found) = text.get(at..).and_then(|text| self.lexicon.values.support(text)) else { return };
        let start = range.start + at + found.range.start;
        let place = page.sheet.place(start, start + found.range.len());
        self.add(page, "resp_support", FieldValue::Text(found.value.to_owned()), 0.45, place);
    }

    pub(super) fn by_mouth(&mut self, page: &Labelled<'_>, range: std::ops::Range<usize>, fit: f32) {
        let Some(found) = page.sheet.text.get(range.clone()).and_then(|text| self.lexicon.values.po_percent(text))
        else {
            return;
        };
        let start = range.start + found.range.start;
        let place = page.sheet.place(start, start + found.range.len());
        self.add(page, "po_percent", FieldValue::Number(found.value), fit, place);
    }

    fn plan(&mut self, page: &Labelled<'_>, pieces: &[Piece], fit: f32) {
        let end = pieces.iter().skip(1).position(|piece| piece.opens_cell).map_or(pieces.len(), |at| at + 1);
        let pieces = pieces.get(..end.min(8)).unwrap_or_default();
        let text = text_of(pieces);
        let name = bare_name(&text);
        if name.chars().filter(|c| c.is_alphabetic()).count() >= 3 && name.starts_with(char::is_uppercase) {
            self.add(page, "plan", FieldValue::Text(name.to_owned()), fit, place_of(pieces));
        }
    }
}

/// Byte ranges of the rows that tell the current status, neighbours joined.
pub(super) fn current_spans(page: &Labelled<'_>) -> Vec<(usize, usize)> {
    let sheet = page.sheet;
    let mut spans: Vec<(usize, usize)> = Vec::new();
    let mut open = false;
    for (row, section) in sheet.rows.iter().zip(&page.sections) {
        let (Some(first), Some(last)) =
            (sheet.pieces.get(row.first), row.end.checked_sub(1).and_then(|last| sheet.pieces.get(last)))
        else {
            continue;
        };
        let end = last.start + last.text.len();
        if *section != Section::Current {
            open = false;
        } else if open {
            if let Some(span) = spans.last_mut() {
                span.1 = end;
            }
        } else {
            spans.push((first.start, end));
            open = true;
        }
    }
    spans
}

/// Box and confidence of a byte range of [`text_of`] these pieces.
fn place_in(pieces: &[Piece], range: &std::ops::Range<usize>) -> Option<(Bounds, f32)> {
    let mut offset = 0;
    let mut first = None;
    let mut last = None;
    for (index, piece) in pieces.iter().enumerate() {
        let end = offset + piece.text.len();
        if end > range.start && offset < range.end {
            first = first.or(Some(index));
            last = Some(index);
        }
        offset = end + 1;
    }
    place_of(pieces.get(first?..=last?)?)
}

fn sex_of(folded: &str) -> Option<&'static str> {
    match folded {
        "m" | "male" | "boy" | "mal" => Some("M"),
        "f" | "female" | "girl" | "fem" | "femaie" | "fernale" => Some("F"),
        _ => None,
    }
}

/// The level behind the crossed box. Numerals are thin strokes and badly read; their order in the list is not.
fn checked_level(pieces: &[Piece], chosen: &[Piece]) -> Option<i64> {
    let starts: Vec<u32> = pieces
        .iter()
        .filter(|piece| piece.fold.starts_with("leve") || piece.fold.starts_with("lvl"))
        .map(|piece| piece.bounds.left)
        .collect();
    let at = chosen.iter().find(|piece| piece.fold.starts_with("leve") || piece.fold.starts_with("lvl"))?;
    let written = chosen.iter().find_map(|piece| roman_level(&piece.text));
    let position = starts.iter().position(|left| *left == at.bounds.left)? as i64;
    match starts.len() {
        4 => Some(position + 1),
        3 => {
            let ends_at_four = pieces.iter().rev().find_map(|piece| roman_level(&piece.text)) == Some(4);
            Some(position + if ends_at_four { 2 } else { 1 })
        }
        _ => written,
    }
}

/// The pages with their labels and sections.
pub(super) fn label_pages<'a>(sheets: &'a [Sheet], lexicon: &Lexicon, received: Date) -> Vec<Labelled<'a>> {
    let sections = lexicon.headings.sections(sheets, &lexicon.dates, received);
    sheets
        .iter()
        .zip(sections)
        .map(|(sheet, sections)| Labelled { sheet, hits: lexicon.labels.find(sheet), sections })
        .collect()
}
