//! Decides whether the best case is beyond doubt. Every rule here can only turn a link into a question for a person;
//! none can make one.
//!
//! A document linked to the wrong twin is the worst that can happen, a document left to a person costs a minute. So:
//! * an identifier alone never links; a name must agree, for serial numbers and birthdays go together;
//! * without an identifier only the full name with the birth date and more of the family links;
//! * a case that others could be taken for (siblings, namesakes in the nursery) links only on a mark that tells it
//!   from each of them, and not when any mark points to another;
//! * what is printed and disagrees is an objection, whatever the score.

use std::collections::BTreeSet;

use super::LinkPolicy;
use super::compare::{Comparison, DobState, on_pages};
use super::dates::misprinted;
use super::identifiers::IdState;
use super::index::{IdKind, Index, Rivalry, Traits};
use super::labels::Label;
use super::printed::PrintedPage;
use super::registry::{Case, CaseStatus};
use super::spot::Printed;
use crate::document::{Candidate, Match, MatchStatus};
use crate::names;

const OWN_IDS: [IdKind; 3] = [IdKind::CaseId, IdKind::Auth, IdKind::Mrn];

/// How many candidates a person is shown.
const SHOWN: usize = 10;

pub(super) struct Decision<'a> {
    pub cases: &'a [Case],
    pub index: &'a Index,
    pub printed: &'a Printed,
    pub policy: &'a LinkPolicy,
    /// Best first.
    pub comparisons: &'a [Comparison],
}

impl Decision<'_> {
    pub fn decide(&self) -> Match {
        // The prior: any case of the registry could be meant.
        let prior = (self.cases.len().max(2) as f64).log2();
        let considered: Vec<&Comparison> =
            self.comparisons.iter().filter(|one| one.score >= prior + self.policy.consider).collect();
        let Some(&best) = considered.first() else {
            return Match {
                status: MatchStatus::Unmatched,
                case_id: None,
                score: self.comparisons.first().map_or(0.0, |one| round(one.score)),
                reasons: vec!["no case shares enough with these pages".to_owned()],
                candidates: Vec::new(),
            };
        };
        let objections = self.objections(best, &considered, prior);
        let mut listed: Vec<&Comparison> = considered.iter().copied().take(SHOWN).collect();
        // Siblings that the marks did not rule out are shown even when little speaks for them.
        for &(rival, _) in self.index.rivals(best.case) {
            if !objections.is_empty()
                && listed.len() < SHOWN
                && !listed.iter().any(|one| one.case == rival)
                && let Some(sibling) = self.comparisons.iter().find(|one| one.case == rival && one.born_then())
            {
                listed.push(sibling);
            }
        }
        let candidates = listed.into_iter().map(|one| self.candidate(one)).collect();
        let score = round(best.score);
        if objections.is_empty() {
            let mut reasons = words(best);
            if self.cases.get(best.case as usize).is_some_and(|case| case.status == CaseStatus::Closed) {
                reasons.push("case is closed".to_owned());
            }
            Match { status: MatchStatus::Matched, case_id: self.case_id(best.case), score, reasons, candidates }
        } else {
            Match { status: MatchStatus::Ambiguous, case_id: None, score, reasons: objections, candidates }
        }
    }

    fn case_id(&self, case: u32) -> Option<String> {
        self.cases.get(case as usize).map(|case| case.case_id.clone())
    }

    fn candidate(&self, comparison: &Comparison) -> Candidate {
        let case_id = self.case_id(comparison.case).unwrap_or_default();
        Candidate { case_id, score: round(comparison.score), reasons: words(comparison) }
    }

    /// Everything that keeps the best case from being linked automatically; empty when it is beyond doubt.
    fn objections(&self, best: &Comparison, considered: &[&Comparison], prior: f64) -> Vec<String> {
        let Some((case, traits)) = self.cases.get(best.case as usize).zip(self.index.traits.get(best.case as usize))
        else {
            return vec!["the case is not in the registry".to_owned()];
        };
        let mut objections = Vec::new();
        if best.score < prior + self.policy.accept {
            objections.push("too little agrees".to_owned());
        }
        if let Some(doubt) = traits.doubt {
            objections.push(format!("the case's row in the registry is doubtful: {doubt}"));
        }
        self.identity(best, case, traits, &mut objections);
        self.marks(best, traits, &mut objections);
        self.others(best, considered, &mut objections);
        self.strange_pages(best, traits, &mut objections);
        self.codes(best, &mut objections);
        objections
    }

    /// Whether the facts themselves are enough to say who the baby is, siblings apart.
    fn identity(&self, best: &Comparison, case: &Case, traits: &Traits, objections: &mut Vec<String>) {
        let own = best.own_ids();
        let strong_name = best.full_name || best.mother_full || best.mothers_child;
        if best.adult {
            objections.push("the birth date printed is an adult's".to_owned());
        }
        if own == 0 {
            // One character off is no other's number where the baby's own name agrees; an unnamed twin's may be just that.
            let misread = best.full_name && best.agrees(IdKind::Member) && self.single(best, traits);
            if best.disowned() && !(misread && OWN_IDS.into_iter().all(|kind| best.id(kind).state != IdState::Other)) {
                objections.push("record, authorization or case number printed is not the case's".to_owned());
            }
            if best.dob != DobState::Exact {
                objections.push("no identifier and no birth date agree".to_owned());
            }
            let named = best.full_name && (best.member() || best.mother_full || best.facility);
            // Without a legal first name an unregistered twin could be meant; of a multiple only the birth order tells.
            let ordered = traits.order.is_some_and(|order| best.orders == [order] && best.own_orders == [order]);
            let told = ordered && best.newborn_name || self.single(best, traits);
            let family = told && best.surname && best.mother_full && best.agrees(IdKind::Member);
            if !(named || family) {
                objections.push("no number of the baby's own agrees, and the name is not enough".to_owned());
            }
            if matches!(best.id(IdKind::Member).state, IdState::Other) {
                objections.push("member id printed is not the case's".to_owned());
            }
            return;
        }
        // The surname may have changed since admission.
        let identified = own + usize::from(best.member_besides(IdState::Alike)) >= 2 && best.dob == DobState::Exact;
        if !best.any_name() && !identified {
            objections.push("only an identifier agrees, no name".to_owned());
        }
        let family_ids = own + usize::from(best.member_besides(IdState::Family));
        match best.dob {
            DobState::Exact | DobState::Unlabelled => {}
            DobState::Absent if strong_name || family_ids >= 2 => {}
            DobState::Absent if best.admitted && best.facility && self.single(best, traits) => {}
            DobState::Absent => objections.push("an identifier and a surname agree, no birth date".to_owned()),
            DobState::Near if family_ids >= 2 && best.any_name() || best.full_name && self.single(best, traits) => {
                if self.another_born_as_printed(best, case) {
                    objections.push("another case fits the birth date printed".to_owned());
                }
            }
            DobState::Near | DobState::Other => objections.push("birth date printed is not the case's".to_owned()),
        }
        for kind in OWN_IDS {
            let state = best.id(kind).state;
            // A misprint, or the number of the hospital before a transfer: only when nothing else is open.
            let readable = best.any_name() && (best.born_then() || strong_name || family_ids >= 2);
            // A number of a multiple may be that of the sibling who has no case.
            let known = self.single(best, traits) || own >= 2;
            let excused = match state {
                IdState::Near => {
                    let misread = readable || best.full_name && best.id(IdKind::Member).state >= IdState::Near;
                    misread && (known || self.nearer_than_siblings(best, kind))
                }
                IdState::Other => {
                    let all_else = best.born_then() && best.any_name() && family_ids >= 2;
                    all_else && (strong_name || best.member()) && (known || self.has_sibling(best))
                }
                IdState::Absent | IdState::Family | IdState::Alike | IdState::Exact => true,
            };
            if !excused {
                objections.push(format!("{} printed is not the case's", kind.name()));
            }
        }
    }

    /// Neither the registry nor the pages tell of a multiple birth.
    fn single(&self, best: &Comparison, traits: &Traits) -> bool {
        traits.order.is_none()
            && best.orders.is_empty()
            && !self.has_sibling(best)
            && !self.printed.pages.iter().any(PrintedPage::names_sibling)
    }

    fn has_sibling(&self, best: &Comparison) -> bool {
        self.index.rivals(best.case).iter().any(|&(_, rivalry)| rivalry == Rivalry::Sibling)
    }

    /// The siblings have cases, and what is printed is not one character off from any of theirs.
    fn nearer_than_siblings(&self, best: &Comparison, kind: IdKind) -> bool {
        let rivals = self.index.rivals(best.case);
        self.has_sibling(best)
            && rivals.iter().all(|&(rival, _)| {
                let compared = self.comparisons.iter().find(|one| one.case == rival);
                compared.is_some_and(|one| one.id(kind).state < IdState::Near)
            })
    }

    /// A misprinted birth date may be excused, but not when it is the right one of somebody with that surname.
    fn another_born_as_printed(&self, best: &Comparison, case: &Case) -> bool {
        let printed = self.printed.dates.iter().filter(|date| date.label == Label::BirthDate);
        let surname = |at: u32| self.index.traits.get(at as usize).map(|traits| &traits.surname);
        printed
            .filter(|date| case.dob.is_some_and(|dob| misprinted(date.date, dob)))
            .flat_map(|date| self.index.born_on(date.date))
            .any(|other| other.case != best.case && surname(other.case) == surname(best.case))
    }

    /// The sibling rule: a mark for this case against each that it could be taken for, and none the other way.
    fn marks(&self, best: &Comparison, traits: &Traits, objections: &mut Vec<String>) {
        let own_or_order = OWN_IDS.into_iter().any(|kind| best.agrees(kind) && best.id(kind).owned)
            || best.own_full_name
            || traits.order.is_some_and(|order| best.own_orders == [order]);
        for kind in OWN_IDS {
            let pages = &best.id(kind).siblings;
            if !pages.is_empty() {
                objections.push(format!("the {} is printed as a sibling's: {}", kind.name(), on_pages(pages)));
            }
        }
        let rivals = self.index.rivals(best.case);
        let alone = !self.has_sibling(best);
        if let Some(order) = traits.order {
            if best.orders.iter().any(|&printed| printed != order) {
                objections.push("birth order printed is a sibling's".to_owned());
            } else if alone && !own_or_order {
                objections.push("one of a multiple birth, and no mark tells which".to_owned());
            }
        } else if best.own_ids() == 0 && !best.orders.is_empty() {
            objections.push("a birth order is printed, and the case has none".to_owned());
        }
        if traits.order.is_some() || !alone {
            self.spoken(traits.order, objections);
        }
        // The page tells of another baby of the family, who may have no case.
        if alone
            && traits.order.is_none()
            && best.own_ids() >= 1
            && !own_or_order
            && self.printed.pages.iter().any(PrintedPage::names_sibling)
        {
            objections.push("a sibling is named, and no mark is certainly the patient's".to_owned());
        }
        if let Some(sex) = traits.sex
            && !best.sexes.is_empty()
            && !best.sexes.contains(&sex)
            && (best.own_ids() < 2 || !rivals.is_empty())
        {
            objections.push("sex printed is not the case's".to_owned());
        }
        for &(rival, rivalry) in rivals {
            let Some((other, other_traits)) =
                self.comparisons.iter().find(|one| one.case == rival).zip(self.index.traits.get(rival as usize))
            else {
                continue;
            };
            let who = match rivalry {
                Rivalry::Sibling => "sibling",
                Rivalry::Namesake => "namesake",
            };
            let id = self.case_id(rival).unwrap_or_default();
            let sibling = rivalry == Rivalry::Sibling;
            if sibling
                && let Some(kind) = OWN_IDS.into_iter().find(|&kind| other.id(kind).maybe_own)
                && !(best.own_orders.len() == 1 && traits.order == best.own_orders.first().copied())
            {
                objections.push(format!("{} of {who} {id} stands beside a word for a twin", kind.name()));
                continue;
            }
            if let Some(mark) = marks_of(other, other_traits, best, traits, self.index, false).first() {
                objections.push(format!("{} points to {who} {id}", mark.name));
                continue;
            }
            let of_best = |own| marks_of(best, traits, other, other_traits, self.index, own);
            match of_best(sibling).as_slice() {
                [] => {
                    objections.push(format!("{who} {id} cannot be told apart"));
                    if let Some(Mark { name, .. }) = of_best(false).first() {
                        let pages = Self::marked_pages(best, name);
                        objections.push(format!("the {name} may be the sibling's: {pages}"));
                    }
                }
                // A slip of one digit, and it would be the twin's: another mark must agree.
                [Mark { name, fragile: true }] if sibling && of_best(false).len() < 2 => {
                    objections.push(format!("only one character of the {name} tells it from {who} {id}"));
                }
                [_, ..] => {}
            }
        }
    }

    /// Barcodes that name another case.
    fn codes(&self, best: &Comparison, objections: &mut Vec<String>) {
        let mut others: Vec<String> = Vec::new();
        for coded in self.printed.coded.iter().filter(|coded| !coded.cases.contains(&best.case)) {
            let id = coded.cases.first().and_then(|case| self.case_id(*case)).unwrap_or_default();
            let objection = format!("a barcode on page {} names {id}", coded.page);
            if !others.contains(&objection) && others.len() < SHOWN {
                others.push(objection);
            }
        }
        objections.extend(others);
    }

    /// Whether the text is about another baby of the birth, or about several, whatever name stands over it.
    fn spoken(&self, own: Option<u8>, objections: &mut Vec<String>) {
        let orders = || self.printed.pages.iter().flat_map(|page| page.spoken.orders.iter());
        if let Some(own) = own {
            let of_own = orders().filter(|&&order| order == own).count();
            let other =
                (1..=4).find(|&other| other != own && orders().filter(|&&order| order == other).count() > of_own);
            if let Some(letter) = other.and_then(|other| "ABCD".chars().nth(usize::from(other) - 1)) {
                objections.push(format!("the text speaks of Baby {letter}"));
            }
        }
        if let Some(page) = self.printed.pages.iter().find(|page| page.spoken.together) {
            objections.push(format!("page {} is headed as about several babies of the family", page.number));
        }
    }

    /// Where the mark stands, in words; its name alone when it is no identifier.
    fn marked_pages(best: &Comparison, mark: &str) -> String {
        let kind = IdKind::ALL.into_iter().find(|kind| kind.name() == mark);
        kind.map_or_else(|| "in the name".to_owned(), |kind| on_pages(&best.id(kind).pages))
    }

    /// Other cases that the pages speak for.
    fn others(&self, best: &Comparison, considered: &[&Comparison], objections: &mut Vec<String>) {
        let rivals = self.index.rivals(best.case);
        for other in considered.iter().skip(1) {
            let identified = other.own_ids() >= 1 && (other.any_name() || other.born_then());
            let id = self.case_id(other.case).unwrap_or_default();
            if identified && !rivals.iter().any(|&(case, _)| case == other.case) {
                objections.push(format!(
                    "several babies on these pages: {}, {}",
                    self.extent(best),
                    self.extent(other)
                ));
            } else if best.score - other.score < self.policy.margin {
                objections.push(format!("{id} fits nearly as well"));
            }
        }
    }

    /// Pages on which the case's own identifiers stand, in words.
    fn extent(&self, comparison: &Comparison) -> String {
        let mut pages: Vec<u32> = OWN_IDS
            .into_iter()
            .filter(|&kind| comparison.agrees(kind))
            .flat_map(|kind| comparison.id(kind).pages.iter().copied())
            .collect();
        pages.sort_unstable();
        pages.dedup();
        let numbers: Vec<String> = pages.iter().map(u32::to_string).collect();
        format!("{} on pages {}", self.case_id(comparison.case).unwrap_or_default(), numbers.join(" and "))
    }

    /// Pages that seem to be about a baby whom the registry does not know, or knows otherwise.
    fn strange_pages(&self, best: &Comparison, traits: &Traits, objections: &mut Vec<String>) {
        if best.born_then() {
            for page in BTreeSet::from_iter(&best.strange_births) {
                objections.push(format!("another baby's birth date on page {page}"));
            }
        }
        let own_pages: Vec<u32> = OWN_IDS
            .into_iter()
            .filter(|&kind| best.agrees(kind))
            .flat_map(|kind| best.id(kind).pages.iter().copied())
            .collect();
        for kind in OWN_IDS {
            let finding = best.id(kind);
            for page in finding.strangers.iter().filter(|page| best.agrees(kind) && !own_pages.contains(page)) {
                objections.push(format!("another {} on page {page}", kind.name()));
            }
        }
        let mut firsts: Vec<&(String, u32)> = Vec::new();
        for first in &best.other_firsts {
            if !firsts.iter().any(|known| similar(&known.0, &first.0)) {
                firsts.push(first);
            }
        }
        firsts.retain(|(first, _)| {
            // Recognition mangles names beyond one edit; only a clearly different one is another's.
            !traits.legal_first.iter().any(|&name| similar(self.index.spelling(name), first))
        });
        let expected = traits.legal_first.is_empty();
        let excused = usize::from(expected && best.own_ids() >= 1);
        let renamed = !expected && !best.full_name && best.own_ids() >= 2 && self.index.rivals(best.case).is_empty();
        if firsts.len() > excused && !(renamed && firsts.len() == 1) {
            let pages: BTreeSet<u32> = firsts.iter().map(|(_, page)| *page).collect();
            let pages: Vec<String> = pages.iter().map(u32::to_string).collect();
            objections.push(format!("another first name stands with the surname, page {}", pages.join(", ")));
        }
    }
}

/// Half of the letters agree.
fn similar(left: &str, right: &str) -> bool {
    names::alike(left, right) || strsim::normalized_levenshtein(left, right) >= 0.5
}

/// A printed fact that fits one case and not the other.
#[derive(Clone, Copy)]
struct Mark {
    name: &'static str,
    /// One character makes the other's of it, as with the record numbers of twins, and it stands on one page only: whoever
    /// copied it there may have slipped.
    fragile: bool,
}

/// The facts that fit this case and not the other, although both could have them. The birth date is none: twins share it,
/// and across midnight one misread digit would decide. With `own`, only what is certainly the patient's.
fn marks_of(
    this: &Comparison,
    traits: &Traits,
    other: &Comparison,
    others: &Traits,
    index: &Index,
    own: bool,
) -> Vec<Mark> {
    let mut marks = Vec::new();
    for kind in IdKind::ALL {
        let (finding, value, rival) = (this.id(kind), traits.id(kind), others.id(kind));
        let one_off = strsim::osa_distance(value, rival) <= 1;
        // Alike will not do when the other's differs from it in one character only.
        let certain = match finding.state {
            IdState::Exact => true,
            IdState::Alike => !one_off,
            IdState::Absent | IdState::Other | IdState::Near | IdState::Family => false,
        };
        if certain
            && (finding.owned || !own)
            && !rival.is_empty()
            && value != rival
            && !misread(value, rival, finding.confidence, finding.pages.len())
        {
            marks.push(Mark { name: kind.name(), fragile: one_off && finding.pages.len() < 2 });
        }
    }
    let mut certain = |name| marks.push(Mark { name, fragile: false });
    if let (Some(order), Some(rival)) = (traits.order, others.order)
        && order != rival
        && this.orders == [order]
        && (this.own_orders == [order] || !own)
    {
        certain("birth order");
    }
    if this.full_name && (this.own_full_name || !own) && !other.full_name && !first_names_alike(traits, others, index) {
        certain("first name");
    }
    if let (Some(sex), Some(rival)) = (traits.sex, others.sex)
        && sex != rival
        && this.sexes == [sex]
    {
        certain("sex");
    }
    let mothers_differ = traits.mother_first != others.mother_first;
    if mothers_differ && !others.mother_first.is_empty() && this.mother_full && !other.mother_full {
        certain("mother's name");
    }
    marks
}

/// Names like Alina and Elina: one misread letter makes one of the other.
fn first_names_alike(traits: &Traits, others: &Traits, index: &Index) -> bool {
    let spelled = |name: &u32| index.spelling(*name);
    traits
        .legal_first
        .iter()
        .any(|one| others.legal_first.iter().any(|other| strsim::levenshtein(spelled(one), spelled(other)) <= 1))
}

/// Whether the only difference of two identifiers is one digit that a doubtful recognition, seen once, may have taken
/// for the other's.
fn misread(value: &str, rival: &str, confidence: f32, seen_on_pages: usize) -> bool {
    const CONFUSED: [(char, char); 10] = [
        ('3', '8'),
        ('5', '6'),
        ('6', '8'),
        ('0', '8'),
        ('1', '7'),
        ('3', '5'),
        ('0', '6'),
        ('4', '9'),
        ('5', '8'),
        ('8', '9'),
    ];
    if value.len() != rival.len() || seen_on_pages > 1 || confidence >= 0.8 {
        return false;
    }
    let mut differences = value.chars().zip(rival.chars()).filter(|(left, right)| left != right);
    match (differences.next(), differences.next()) {
        (Some((left, right)), None) => CONFUSED.contains(&(left.min(right), left.max(right))),
        _ => false,
    }
}

/// The evidence in words, strongest first.
fn words(comparison: &Comparison) -> Vec<String> {
    let mut evidence: Vec<_> = comparison.evidence.iter().collect();
    evidence.sort_by(|left, right| right.bits.abs().total_cmp(&left.bits.abs()));
    evidence.into_iter().map(|one| one.words.clone()).collect()
}

/// Scores are shown and exported; more than tenths of a bit say nothing.
fn round(score: f64) -> f64 {
    (score * 10.0).round() / 10.0
}
