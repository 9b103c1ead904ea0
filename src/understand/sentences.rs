//! Facts that no label announces: in the running head, in the letterhead, in sentences and in clauses on the present state.
//!
//! Weaker than what a label says, and taken only where the words before the value leave no doubt what it is.

use super::dates::FoundDate;
use super::extract::{BORN, Harvest, REVIEWED, STAYED, current_spans};
use super::labels::Label;
use super::layout::place_of;
use super::regions::Labelled;
use super::sections::Section;
use super::values::person_name;
use crate::document::{DocumentType, FieldValue};

impl Harvest<'_> {
    /// `Doe, Jo (MRN: 123) (Male) DOB: …`: the name stands before the bracketed record number.
    pub(super) fn running_head(&mut self, page: &Labelled<'_>) {
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

    /// `Doe, Jo   MRN 123`, `Doe, Jo, DOB 1/2/26`: a row that begins with a surname, a comma and what is given.
    pub(super) fn name_before_its_mark(&mut self, page: &Labelled<'_>) {
        let sheet = page.sheet;
        for hit in page.hits.iter().filter(|hit| matches!(hit.label, Label::RecordNumber | Label::BirthDate)) {
            let Some(row) = sheet.pieces.get(hit.first).and_then(|piece| sheet.rows.get(piece.row)) else { continue };
            let first_label = page.hits.iter().find(|other| other.first >= row.first);
            if hit.first == row.first || first_label != Some(hit) {
                continue;
            }
            let before = sheet.pieces.get(row.first..hit.first).unwrap_or_default();
            let relative = before.iter().any(|piece| RELATIVES.contains(&piece.fold.as_str()));
            let Some((name, range)) = person_name(before).filter(|(name, _)| name.contains(", ")) else { continue };
            let rest = before.get(range.end..).unwrap_or_default();
            if !relative && rest.iter().all(|piece| piece.fold.is_empty()) {
                let place = before.get(range).and_then(place_of);
                self.add(page, "patient_name", FieldValue::Text(name), 0.8, place);
            }
        }
    }

    /// A hospital's name in a cell of its own at the top of the page.
    pub(super) fn letterhead(&mut self, page: &Labelled<'_>) {
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
    pub(super) fn sentences(&mut self, page: &Labelled<'_>) {
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
                "now weighs ",
                "currently weighs ",
                "weight is now ",
                "discharge weight of ",
                "wt today ",
            ],
        ) {
            let row = sheet.piece_at(after).and_then(|piece| sheet.pieces.get(piece)).map_or(0, |piece| piece.row);
            // "Born at 27 weeks weighing 1210 g".
            let lead = text.get(..after).and_then(|before| before.rsplit(". ").next()).unwrap_or("").to_lowercase();
            if lead.ends_with("weighing ") && lead.contains("born") {
                self.weight_in_sentence(page, "birth_weight_g", after, 0.4);
            } else if page.sections.get(row) == Some(&Section::Current) {
                self.weight_in_sentence(page, "weight_g", after, 0.45);
            }
        }
        for (words, field, believed) in [
            (&["born ", "born on "][..], "dob", BORN),
            (&["in our unit since ", "was admitted on ", "here since "][..], "admit_date", STAYED),
            (&["next review on ", "next review "][..], "next_review_date", REVIEWED),
        ] {
            for after in behind(text, words) {
                let found = lexicon.dates.first(window(text, after, 24)).filter(|found| found.range.start == 0);
                if let Some(found) = found.filter(|found| self.plausible(found.date, believed)) {
                    let place = sheet.place(after, after + found.range.end);
                    self.add(page, field, FieldValue::Date(found.date), 0.4, place);
                }
            }
        }
        for after in behind(text, &["mother is "]) {
            let pieces =
                sheet.piece_at(after).and_then(|first| sheet.pieces.get(first..(first + 4).min(sheet.pieces.len())));
            let named = pieces.and_then(person_name).filter(|(name, _)| {
                name.contains(' ') && !["American", "Positive", "Negative", "Immune"].iter().any(|no| name.contains(no))
            });
            if let Some((name, range)) = named {
                let place = pieces.and_then(|pieces| pieces.get(range)).and_then(place_of);
                self.add(page, "mother_name", FieldValue::Text(name), 0.4, place);
            }
        }
        self.dated_sentences(page);
        self.present_state(page);
        self.stated(page);
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
                if self.lexicon.present.is_over(lead) {
                    continue;
                }
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

/// Words beside a name that is not the patient's.
const RELATIVES: &[&str] =
    &["sibling", "sib", "brother", "sister", "cotwin", "mother", "mom", "mob", "father", "maternal", "dr", "attending"];

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
    "initial status: ",
    "current status: ",
    "in an ",
    "in a ",
    "in ",
    "on ",
];

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
