//! The facts on a paper, each with its page, box and confidence.
//!
//! Labels say where to look, the value's own shape says whether it is one. What several places agree on is believed
//! more. A value that isn't printed is left out: a spurious one costs a nurse more than a missing one.

use jiff::civil::Date;

use super::dates::{FoundDate, days_between};
use super::labels::{Label, LabelHit};
use super::layout::{Piece, Sheet, place_of};
use super::lexicon::Lexicon;
use super::regions::{Choice, Labelled, Region, choice, text_of};
use super::sections::Section;
use super::values::{person_name, roman_level};
use crate::document::{Bounds, DocumentType, Field, FieldValue, Fields};

/// A value must begin this near to its label, in bytes: farther off it is another thing's.
const NEAR_LABEL: usize = 16;

/// Days around the receipt within which a kind of date is believed: `(before, after)`.
///
/// A baby stays in the program to its first birthday; three years leave room for late papers, and shut out mothers.
const BORN: (i64, i64) = (1_100, 1);
const STAYED: (i64, i64) = (1_100, 45);
const REVIEWED: (i64, i64) = (75, 120);

struct Candidate {
    field: &'static str,
    value: FieldValue,
    /// How well label and place speak for it, 0 to 1.
    strength: f32,
    /// The recogniser's, 0 to 1.
    read: f32,
    page: u32,
    bounds: Bounds,
}

/// What the candidates are collected in.
struct Harvest<'a> {
    lexicon: &'a Lexicon,
    received: Date,
    document_type: DocumentType,
    candidates: Vec<Candidate>,
}

/// Takes the facts from the pages of one document.
pub(super) fn extract(
    pages: &[Labelled<'_>],
    lexicon: &Lexicon,
    received: Date,
    document_type: DocumentType,
) -> Fields {
    let mut harvest = Harvest { lexicon, received, document_type, candidates: Vec::new() };
    for page in pages {
        for hit in &page.hits {
            harvest.labelled(page, hit);
        }
        harvest.running_head(page);
        harvest.letterhead(page);
        harvest.sentences(page);
    }
    choose(harvest.candidates)
}

impl Harvest<'_> {
    fn add(
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
                Label::Weight if current => self.weight(page, "weight_g", pieces, *fit),
                Label::DischargeWeight if self.document_type == DocumentType::Discharge => {
                    self.weight(page, "weight_g", pieces, *fit);
                }
                Label::BedType if current => self.bed(page, pieces, *fit),
                Label::RespiratorySupport if current => self.support(page, pieces, *fit),
                Label::RespiratorySystem if current && !page.right_of(hit).is_empty() => {
                    self.support(page, pieces, fit * 0.8)
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
            let strength = if name.contains([' ', ',']) { fit } else { fit * 0.6 };
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

    fn plausible(&self, date: Date, (before, after): (i64, i64)) -> bool {
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
        let name = text.trim_matches(|c: char| !c.is_alphanumeric() && c != '\'').to_owned();
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

    fn by_mouth(&mut self, page: &Labelled<'_>, range: std::ops::Range<usize>, fit: f32) {
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
        let name = text.trim_matches(|c: char| !c.is_alphanumeric());
        if name.chars().filter(|c| c.is_alphabetic()).count() >= 3 && name.starts_with(char::is_uppercase) {
            self.add(page, "plan", FieldValue::Text(name.to_owned()), fit, place_of(pieces));
        }
    }

    /// `Doe, Jo (MRN: 123) (Male) DOB: …`: the name stands before the bracketed record number.
    fn running_head(&mut self, page: &Labelled<'_>) {
        let sheet = page.sheet;
        for hit in page.of(Label::RecordNumber) {
            let Some(piece) = sheet.pieces.get(hit.first) else { continue };
            let Some(row) = sheet.rows.get(piece.row) else { continue };
            if !piece.text.starts_with(['(', '[', '{']) || hit.first == row.first {
                continue;
            }
            let before = sheet.pieces.get(row.first..hit.first).unwrap_or_default();
            if let Some((name, range)) = person_name(before).filter(|(name, _)| name.contains([' ', ','])) {
                let place = before.get(range).and_then(place_of);
                self.add(page, "patient_name", FieldValue::Text(name), 0.9, place);
            }
            let after = sheet.pieces.get(hit.end..row.end).unwrap_or_default();
            if let Some(sex) = after
                .iter()
                .find(|piece| matches!(piece.fold.as_str(), "male" | "female") && piece.text.contains(['(', ')']))
            {
                let value = FieldValue::Text(if sex.fold == "male" { "M" } else { "F" }.to_owned());
                self.add(page, "sex", value, 0.9, place_of(std::slice::from_ref(sex)));
            }
        }
    }

    /// A hospital's name in a cell of its own at the top of the page.
    fn letterhead(&mut self, page: &Labelled<'_>) {
        let sheet = page.sheet;
        for row in 0..sheet.rows.len().min(14) {
            if sheet.rows.get(row).is_some_and(|row| row.bounds.top > sheet.height * 3 / 10) {
                break;
            }
            for cell in sheet.cells(row) {
                let Some(pieces) = sheet.pieces.get(cell.clone()) else { continue };
                let (Some(first), Some(last)) = (pieces.first(), pieces.last()) else { continue };
                let text = sheet.text.get(first.start..last.start + last.text.len()).unwrap_or("");
                let Some(found) = self.lexicon.values.hospital(text) else { continue };
                // A sender's line ("From: … To: …") cuts the name short; a sentence only mentions it.
                let sender = text.get(..found.range.start).is_some_and(|before| before.to_lowercase().contains("from"));
                if pieces.len() > 16 {
                    continue;
                }
                let strength = if sender { 0.25 } else { 0.5 };
                let start = first.start + found.range.start;
                let place = sheet.place(start, start + found.range.len());
                self.add(page, "facility", FieldValue::Text(found.value), strength, place);
            }
        }
    }

    /// Facts told in sentences; weaker than labelled ones.
    fn sentences(&mut self, page: &Labelled<'_>) {
        let sheet = page.sheet;
        let text = sheet.text.as_str();
        let lexicon = self.lexicon;
        for after in behind(
            text,
            &[
                "born at ",
                "former ",
                "ex-",
                "delivered at ",
                "gestational age of ",
                "weeks at ",
                "section at ",
                "vaginal at ",
                "delivery at ",
                "vaginally at ",
            ],
        ) {
            let window = window(text, after, 24);
            let found = lexicon.values.gestation(window).filter(|found| found.range.start <= 2);
            if let Some(found) = found {
                let place = sheet.place(after + found.range.start, after + found.range.end);
                self.add(page, "gestational_age", FieldValue::Text(found.value), 0.4, place);
            }
        }
        for after in behind(
            text,
            &[
                "birth weight ",
                "birth weight newborn, ",
                "birth weight newborn ",
                "birth weight infant, ",
                "birth weight of ",
                "birth weight: ",
                "birthweight ",
            ],
        ) {
            self.weight_in_sentence(page, "birth_weight_g", after, 0.4);
        }
        for after in behind(
            text,
            &[
                "current weight ",
                "weight today ",
                "today's weight is ",
                "current weight is ",
                "at a weight of ",
                "weighing ",
                "weight is now ",
                "discharge weight of ",
                "wt today ",
            ],
        ) {
            let row = sheet.piece_at(after).and_then(|piece| sheet.pieces.get(piece)).map_or(0, |piece| piece.row);
            if page.sections.get(row) == Some(&Section::Current) {
                self.weight_in_sentence(page, "weight_g", after, 0.45);
            }
        }
        self.dated_sentences(page);
        self.present_state(page);
        for after in behind(text, &["on behalf of ", "review for ", "regarding ", "level of benefits for "]) {
            let pieces =
                sheet.piece_at(after).and_then(|first| sheet.pieces.get(first..(first + 6).min(sheet.pieces.len())));
            if let Some((name, range)) = pieces.and_then(person_name).filter(|(name, _)| name.contains(' ')) {
                let place = pieces.and_then(|pieces| pieces.get(range)).and_then(place_of);
                self.add(page, "patient_name", FieldValue::Text(name), 0.35, place);
            }
        }
    }

    fn weight_in_sentence(&mut self, page: &Labelled<'_>, field: &'static str, after: usize, strength: f32) {
        let window = window(&page.sheet.text, after, 24);
        if let Some(found) =
            self.lexicon.weights.first(window).filter(|found| found.with_unit && found.range.start <= 4)
        {
            let place = page.sheet.place(after + found.range.start, after + found.range.end);
            self.add(page, field, FieldValue::Number(found.grams), strength, place);
        }
    }

    /// "was discharged home with parents on 3/13/26", "is being transferred … on March 12".
    fn dated_sentences(&mut self, page: &Labelled<'_>) {
        let kinds: &[(&str, &str, DocumentType)] = &[
            ("discharged", "discharge_date", DocumentType::Discharge),
            ("went home", "discharge_date", DocumentType::Discharge),
            ("transferred", "transfer_date", DocumentType::Transfer),
            ("transported", "transfer_date", DocumentType::Transfer),
            ("readmitted", "readmit_date", DocumentType::Readmission),
        ];
        let text = page.sheet.text.as_str();
        let document_type = self.document_type;
        for (verb, field, _) in kinds.iter().filter(|(_, _, wanted)| *wanted == document_type) {
            for after in behind(text, &[verb]) {
                let window = window(text, after, 90);
                let sentence = window.split(". ").next().unwrap_or(window);
                let found: Option<FoundDate> = self.lexicon.dates.all(sentence).into_iter().find(|found| {
                    sentence.get(..found.range.start).is_some_and(|before| {
                        let words: Vec<&str> = before.split_whitespace().collect();
                        words.is_empty() || words.last().is_some_and(|word| word.eq_ignore_ascii_case("on"))
                    })
                });
                let Some(found) = found.filter(|found| self.plausible(found.date, REVIEWED)) else { continue };
                let place = page.sheet.place(after + found.range.start, after + found.range.end);
                let strength = if document_type == DocumentType::Readmission { 0.4 } else { 0.5 };
                self.add(page, field, FieldValue::Date(found.date), strength, place);
            }
        }
    }

    /// Bed and support named at the beginning of a clause in the current status: "Wt 1.6 kg; isolette; CPAP +5; …".
    fn present_state(&mut self, page: &Labelled<'_>) {
        let sheet = page.sheet;
        for (start, end) in current_spans(page) {
            let Some(text) = sheet.text.get(start..end) else { continue };
            let mut offset = start;
            for clause in text.split_inclusive([';', '.', '\t']) {
                let trimmed = clause.trim_start();
                let from = offset + (clause.len() - trimmed.len());
                offset += clause.len();
                let lead = without_lead(trimmed, LEADS);
                let from = from + (trimmed.len() - lead.len());
                if let Some(found) = self.lexicon.values.bed(lead).filter(|found| found.range.start <= 3) {
                    let place = sheet.place(from + found.range.start, from + found.range.end);
                    self.add(page, "bed_type", FieldValue::Text(found.value.to_owned()), 0.4, place);
                }
                let support = self.lexicon.values.support(lead).filter(|found| found.range.start <= 3);
                if let Some(found) = support.filter(|found| {
                    !lead.get(found.range.clone()).is_some_and(|word| word.eq_ignore_ascii_case("none"))
                }) {
                    let place = sheet.place(from + found.range.start, from + found.range.end);
                    self.add(page, "resp_support", FieldValue::Text(found.value.to_owned()), 0.4, place);
                }
            }
            self.by_mouth(page, start..end, 0.4);
        }
    }
}

/// `text` without the first of `leads` that it begins with.
fn without_lead<'a>(text: &'a str, leads: &[&str]) -> &'a str {
    let led = |lead: &&str| text.get(..lead.len()).is_some_and(|head| head.eq_ignore_ascii_case(lead));
    leads.iter().find(|lead| led(lead)).and_then(|lead| text.get(lead.len()..)).unwrap_or(text)
}

/// How a clause on the present state begins.
const LEADS: &[&str] = &[
    "infant remains in ",
    "infant remains on ",
    "baby remains in ",
    "baby remains on ",
    "remains in ",
    "remains on ",
    "infant in ",
    "baby in ",
    "now in ",
    "now on ",
    "stable in ",
    "stable on ",
    "currently on ",
    "currently in ",
    "continues on ",
    "continues in ",
    "in an ",
    "in a ",
    "in ",
    "on ",
];

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

/// Offsets right behind each of `words` in `text`; a blank stands for any white space.
fn behind(text: &str, words: &[&str]) -> Vec<usize> {
    // ASCII lower case and one byte for each white space keep the offsets.
    let lower: String =
        text.chars().map(|c| if matches!(c, '\n' | '\t') { ' ' } else { c.to_ascii_lowercase() }).collect();
    let mut found: Vec<usize> =
        words.iter().flat_map(|word| lower.match_indices(word).map(|(at, word)| at + word.len())).collect();
    found.sort_unstable();
    found.dedup();
    found
}

/// At most about `length` bytes of `text` from `start`.
fn window(text: &str, start: usize, length: usize) -> &str {
    let mut end = (start + length).min(text.len());
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    text.get(start..end).unwrap_or("")
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

/// For each field the value with the most behind it.
fn choose(candidates: Vec<Candidate>) -> Fields {
    let mut fields = Fields::new();
    let mut names: Vec<&'static str> = candidates.iter().map(|candidate| candidate.field).collect();
    names.sort_unstable();
    names.dedup();
    for name in names {
        let of_field: Vec<&Candidate> = candidates.iter().filter(|candidate| candidate.field == name).collect();
        let mut best: Option<(f32, &Candidate, usize)> = None;
        for (order, candidate) in of_field.iter().enumerate() {
            let votes =
                of_field.iter().filter(|other| other.value == candidate.value && other.strength >= 0.35).count();
            // The first of equals: what stands first on a paper is its head.
            let score = candidate.strength * (0.5 + 0.5 * candidate.read) + 0.08 * (votes.min(4) as f32)
                - 0.01 * (order.min(10) as f32);
            if best.as_ref().is_none_or(|(best, _, _)| score > *best) {
                best = Some((score, candidate, votes));
            }
        }
        if let Some((_, candidate, votes)) = best {
            let agreed = 1.0 + 0.05 * (votes.saturating_sub(1).min(3) as f32);
            let rivals = of_field
                .iter()
                .filter(|other| other.value != candidate.value && other.strength >= candidate.strength)
                .count();
            let doubt = if rivals > votes { 0.7 } else { 1.0 };
            let confidence =
                ((0.3 + 0.7 * candidate.strength) * (0.25 + 0.75 * candidate.read) * agreed * doubt).clamp(0.0, 0.99);
            fields.insert(
                name.to_owned(),
                Field { value: candidate.value.clone(), confidence, page: candidate.page, bounds: candidate.bounds },
            );
        }
    }
    drop_contradictions(&mut fields);
    fields
}

/// A stay can't begin before birth, nor end before it begins: the less certain of two that contradict is left out.
fn drop_contradictions(fields: &mut Fields) {
    for (earlier, later) in
        [("dob", "admit_date"), ("admit_date", "discharge_date"), ("dob", "discharge_date"), ("dob", "transfer_date")]
    {
        let date = |name: &str| match fields.get(name) {
            Some(Field { value: FieldValue::Date(date), confidence, .. }) => Some((*date, *confidence)),
            _ => None,
        };
        if let (Some(first), Some(second)) = (date(earlier), date(later))
            && second.0 < first.0
        {
            fields.remove(if first.1 < second.1 { earlier } else { later });
        }
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
