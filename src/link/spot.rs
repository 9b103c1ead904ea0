//! Looks for the registry on the pages: which of its names stand where, and which cases have anything to do with
//! these pages. Candidates come from rare evidence only, so the work does not grow with the registry.

use std::collections::{HashMap, HashSet};

use jiff::civil::Date;

use super::codes::{self, Coded};
use super::index::{Index, NameId, bare_digits, merge};
use super::labels::Label;
use super::printed::{PrintedDate, PrintedId, PrintedPage};
use super::siblings::Owner;
use crate::document::{Field, FieldValue, Reading, Understanding};
use crate::names::{self, GivenToken};

/// Everything printed, from the words and from the understood fields.
#[derive(Debug)]
pub(super) struct Printed {
    pub pages: Vec<PrintedPage>,
    pub ids: Vec<PrintedId>,
    pub dates: Vec<PrintedDate>,
    /// What the barcodes name.
    pub coded: Vec<Coded>,
    names: HashMap<NameId, Vec<Place>>,
    /// Each page's tokens run together, so that a facility's name is found across words and lines.
    run_together: Vec<(u32, String)>,
}

/// Where a name stands: index of the page, index of its last token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Place {
    pub page: usize,
    pub at: usize,
    /// Spelled as registered; otherwise one edit off.
    pub exact: bool,
}

/// Tokens between the parts of one name: `Silva, Baby Girl A`, `Jenna M. Van Houten`.
const NAME_REACH: usize = 3;

/// A name with more bearers than this proposes nobody by itself, even beside a second name.
const RARE_BEARERS: usize = 200;

/// Cases compared in full, rivals apart: a person is shown ten.
const COMPARED: usize = 32;

/// A field understood with less is no better than the words it was taken from.
const FIELD_CONFIDENCE: f32 = 0.5;

/// A name more often on the pages tells nothing new; bounds the work on a hostile document.
const PLACES_KEPT: usize = 200;

/// Readings of one field's place must not mix with readings of tokens.
const FIELD_PLACES: usize = 1 << 32;

impl Printed {
    pub fn read(reading: &Reading, understanding: &Understanding, index: &Index) -> Self {
        let pages: Vec<PrintedPage> =
            reading.pages.iter().map(|page| PrintedPage::read(page, &|word| index.name(word).is_some())).collect();
        let mut ids: Vec<PrintedId> = pages.iter().flat_map(|page| page.ids.iter().cloned()).collect();
        let mut dates: Vec<PrintedDate> = pages.iter().flat_map(|page| page.dates.iter().cloned()).collect();
        for (at, (name, field)) in understanding.fields.iter().enumerate() {
            let id = field_id(name, field, FIELD_PLACES + at).map(|mut id| {
                id.owner = owner_of(&id, &ids);
                id
            });
            ids.extend(id);
            dates.extend(field_date(name, field));
        }
        let (in_codes, coded) = codes::read(reading, index);
        ids.extend(in_codes);
        ids.retain(|id| id.folded.len() >= index.shortest_id());
        let names = spot_names(&pages, index);
        let run_together = pages
            .iter()
            .map(|page| (page.number, page.tokens.iter().map(|token| token.folded.as_str()).collect()))
            .collect();
        Self { pages, ids, dates, coded, names, run_together }
    }

    /// The page that names the facility or its fax number.
    pub fn names_facility(&self, folded: &str, fax: &str) -> Option<u32> {
        let stands = |text: &str, value: &str| value.len() >= 8 && text.contains(value);
        self.run_together.iter().find(|(_, text)| stands(text, folded) || stands(text, fax)).map(|&(page, _)| page)
    }

    /// Places where all these name tokens stand together; the first token's places, for the longest is not rarer.
    pub fn mentions(&self, name: &[NameId]) -> Vec<Place> {
        let Some((first, rest)) = name.split_first() else { return Vec::new() };
        let mut places = self.names.get(first).cloned().unwrap_or_default();
        for other in rest {
            let others = self.names.get(other).map_or(&[] as &[Place], Vec::as_slice);
            places.retain_mut(|place| {
                let near = others.iter().find(|other| self.together(**other, *place));
                near.is_some_and(|near| {
                    place.exact &= near.exact;
                    place.at = place.at.max(near.at);
                    true
                })
            });
        }
        places
    }

    /// On one line and within reach of each other.
    pub fn together(&self, one: Place, other: Place) -> bool {
        let line = |place: Place| {
            self.pages.get(place.page).and_then(|page| page.tokens.get(place.at)).map(|token| token.line)
        };
        one.page == other.page && one.at.abs_diff(other.at) <= NAME_REACH && line(one) == line(other)
    }

    pub fn page_number(&self, place: Place) -> u32 {
        self.pages.get(place.page).map_or(0, |page| page.number)
    }

    /// The cases that most on the pages speaks for, and those that could be taken for one of them; each once, in the
    /// registry's order.
    pub fn candidates(&self, index: &Index) -> Vec<u32> {
        let mut promise: HashMap<u32, f64> = HashMap::new();
        let ids: HashSet<&str> =
            self.ids.iter().flat_map(|id| [Some(id.folded.as_str()), bare_digits(&id.folded)]).flatten().collect();
        for id in ids {
            for case in index.cases_with_id(id) {
                *promise.entry(case).or_default() += 12.0;
            }
        }
        let births: HashMap<Date, f64> = self
            .dates
            .iter()
            .filter(|date| matches!(date.label, Label::BirthDate | Label::None))
            .map(|date| (date.date, if date.label == Label::BirthDate { 6.0 } else { 4.0 }))
            .collect();
        let mut printed = vec![false; index.vocabulary_size()];
        for &name in self.names.keys() {
            if let Some(stands) = printed.get_mut(name as usize) {
                *stands = true;
            }
        }
        let stands = |name: Option<NameId>| name.is_some_and(|name| printed.get(name as usize) == Some(&true));
        for (birth, weight) in births {
            for born in index.born_on(birth) {
                let [surname, mothers, first] = born.names.map(stands);
                // The mother's surname is mostly the baby's, and counts once.
                let names = u8::from(surname || mothers) + u8::from(first);
                if names > 0 {
                    *promise.entry(born.case).or_default() += weight + 3.0 * f64::from(names);
                }
            }
        }
        let mut named: Vec<(u32, f64)> = Vec::new();
        for &name in self.names.keys() {
            let bearers = index.bearers(name);
            if bearers.len() <= RARE_BEARERS {
                let rarity = index.rarity(bearers.len());
                named.extend(bearers.iter().map(|&case| (case, rarity)));
            }
        }
        named.sort_unstable_by_key(|&(case, _)| case);
        for names in named.chunk_by(|(one, _), (other, _)| one == other).filter(|names| names.len() >= 2) {
            if let Some(&(case, _)) = names.first() {
                *promise.entry(case).or_default() += names.iter().map(|(_, rarity)| rarity).sum::<f64>() / 3.0;
            }
        }
        let mut promising: Vec<(u32, f64)> = promise.into_iter().collect();
        promising.sort_unstable_by(|left, right| right.1.total_cmp(&left.1).then(left.0.cmp(&right.0)));
        promising.truncate(COMPARED);
        let mut found: Vec<u32> = promising.into_iter().map(|(case, _)| case).collect();
        // A sibling must be compared even when nothing on the pages speaks for it.
        let rivals: Vec<u32> = found.iter().flat_map(|&case| index.rivals(case)).map(|&(case, _)| case).collect();
        found.extend(rivals);
        found.sort_unstable();
        found.dedup();
        found
    }
}

fn spot_names(pages: &[PrintedPage], index: &Index) -> HashMap<NameId, Vec<Place>> {
    let mut names: HashMap<NameId, Vec<Place>> = HashMap::new();
    // One word stands on a page many times, and on every page.
    let mut known: HashMap<String, Vec<(NameId, bool)>> = HashMap::new();
    for (page, printed) in pages.iter().enumerate() {
        for (at, token) in printed.tokens.iter().enumerate() {
            if !token.capital {
                continue;
            }
            for part in names::tokens(&token.raw) {
                let found = known.entry(part).or_insert_with_key(|part| names_for(part, index));
                for &(name, exact) in found.iter() {
                    let places = names.entry(name).or_default();
                    if places.len() < PLACES_KEPT {
                        places.push(Place { page, at, exact });
                    }
                }
            }
        }
    }
    names
}

fn names_for(folded: &str, index: &Index) -> Vec<(NameId, bool)> {
    let spelled = match names::given_token(folded) {
        GivenToken::MothersChild { stem, .. } => index.name(&stem),
        GivenToken::Legal => index.name(folded),
        GivenToken::Newborn { .. } | GivenToken::Order(_) => return Vec::new(),
    };
    match spelled {
        Some(name) => vec![(name, true)],
        None => index.names_like(folded).into_iter().map(|name| (name, false)).collect(),
    }
}

/// A field's value is whose the words are that it was taken from.
fn owner_of(field: &PrintedId, ids: &[PrintedId]) -> Owner {
    let alike = ids.iter().filter(|id| id.merged == field.merged && id.page == field.page);
    alike.map(|id| id.owner).min().unwrap_or(Owner::Unclear)
}

fn field_id(name: &str, field: &Field, place: usize) -> Option<PrintedId> {
    let label = match name {
        "mrn" => Label::Mrn,
        "auth_number" => Label::Auth,
        "member_id" => Label::Member,
        "case_id" => Label::CaseId,
        _ => return None,
    };
    if field.confidence < FIELD_CONFIDENCE {
        return None;
    }
    let folded = names::fold(&field.value.to_string());
    Some(PrintedId {
        merged: merge(&folded),
        folded,
        label,
        page: field.page,
        confidence: field.confidence,
        place,
        owner: Owner::Unclear,
        coded: false,
    })
}

fn field_date(name: &str, field: &Field) -> Option<PrintedDate> {
    let label = match name {
        "dob" => Label::BirthDate,
        "mother_dob" => Label::ParentsBirthDate,
        "admit_date" => Label::AdmitDate,
        _ => return None,
    };
    if field.confidence < FIELD_CONFIDENCE {
        return None;
    }
    match field.value {
        FieldValue::Date(date) => Some(PrintedDate { date, label, page: field.page }),
        FieldValue::Number(_) | FieldValue::Text(_) => None,
    }
}
