//! Compares the pages with one case: what agrees, what disagrees, and how many bits each is worth.
//!
//! Weights are Fellegi–Sunter bits, log2(m/u), from the table of `weights`; where a value's rarity counts, u comes from the
//! registry's own frequencies, so that a common surname or a busy birthday weighs little. Deciding is left to `decide`.

use std::collections::BTreeSet;

use super::covering::COVERING_PAGE;
use super::dates::misprinted;
use super::identifiers::{IdFinding, IdState, chance_of_digits, find_id};
use super::index::{IdKind, Index, NameId, Traits};
use super::labels::Label;
use super::registry::Case;
use super::spot::{Place, Printed};
use super::weights::{Level, LinkWeights, Subject};
use crate::document::Receipt;
use crate::names::{self, GivenToken, Sex};

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum DobState {
    Absent,
    /// A birth date is printed, and it is another.
    Other,
    /// One digit off, or day and month exchanged.
    Near,
    /// The date is printed, but nothing says that it is a birth date.
    Unlabelled,
    Exact,
}

/// One thing that speaks for or against the case; the wording never holds a value.
#[derive(Clone, Debug)]
pub(super) struct Evidence {
    pub subject: Subject,
    pub level: Level,
    pub words: String,
    pub bits: f64,
    /// The share of other babies that have the value, where that counts.
    pub chance: Option<f64>,
}

#[derive(Clone, Debug)]
#[allow(clippy::struct_excessive_bools, reason = "each is one finding, and rules name them")]
pub(super) struct Comparison {
    pub case: u32,
    pub score: f64,
    pub evidence: Vec<Evidence>,
    /// In the order of [`IdKind::ALL`].
    pub ids: [IdFinding; 4],
    pub dob: DobState,
    /// Pages with a birth date of another infant.
    pub strange_births: Vec<u32>,
    /// The only birth dates printed are an adult's.
    pub adult: bool,
    pub surname: bool,
    /// First name of its own beside the surname.
    pub full_name: bool,
    /// And it is certainly the patient's.
    pub own_full_name: bool,
    /// A word for a nameless newborn beside the surname.
    pub newborn_name: bool,
    pub mothers_child: bool,
    pub mother_full: bool,
    /// Birth orders printed beside the surname.
    pub orders: Vec<u8>,
    /// Those that certainly stand in the patient's own name.
    pub own_orders: Vec<u8>,
    /// Other first names printed as the patient's beside the surname, with the page.
    pub other_firsts: Vec<(String, u32)>,
    pub sexes: Vec<Sex>,
    pub facility: bool,
    /// The admission date is printed as one.
    pub admitted: bool,
}

impl Comparison {
    pub fn id(&self, kind: IdKind) -> &IdFinding {
        &self.ids[kind as usize]
    }

    pub fn agrees(&self, kind: IdKind) -> bool {
        self.id(kind).state >= IdState::Alike
    }

    /// How many of the identifiers that belong to this baby alone agree (case id, authorization, record number).
    /// All that barcodes hold is one.
    pub fn own_ids(&self) -> usize {
        const OWN: [IdKind; 3] = [IdKind::CaseId, IdKind::Auth, IdKind::Mrn];
        let printed = OWN.into_iter().filter(|&kind| self.agrees(kind) && !self.id(kind).coded_only).count();
        printed + usize::from(OWN.into_iter().any(|kind| self.id(kind).coded_only))
    }

    /// Whether the member id agrees, as far as this, by more than a code that holds an identifier of the baby's own too.
    pub fn member_besides(&self, least: IdState) -> bool {
        let member = self.id(IdKind::Member);
        let own_coded = [IdKind::CaseId, IdKind::Auth, IdKind::Mrn].into_iter().any(|kind| self.id(kind).coded_only);
        member.state >= least && !(member.coded_only && own_coded)
    }

    /// Whether an own identifier is printed that is not this case's.
    pub fn disowned(&self) -> bool {
        [IdKind::CaseId, IdKind::Auth, IdKind::Mrn]
            .into_iter()
            .any(|kind| matches!(self.id(kind).state, IdState::Other | IdState::Near))
    }

    pub fn member(&self) -> bool {
        self.id(IdKind::Member).state >= IdState::Family
    }

    pub fn any_name(&self) -> bool {
        self.surname || self.full_name || self.mothers_child || self.mother_full
    }

    pub fn born_then(&self) -> bool {
        self.dob >= DobState::Unlabelled
    }

    /// Counts a finding; `chance` as in [`Evidence`].
    fn add(&mut self, weights: &LinkWeights, found: (Subject, Level), chance: Option<f64>, words: String) {
        let (subject, level) = found;
        let bits = weights.of(subject, level).bits(chance);
        self.score += bits;
        self.evidence.push(Evidence { subject, level, words, bits, chance });
    }
}

/// Printed birth dates further away than this are no infant's of the program (case management ends at one year).
const INFANT_DAYS: i32 = 2 * 366;

pub(super) fn compare(
    printed: &Printed,
    at: u32,
    case: &Case,
    traits: &Traits,
    index: &Index,
    receipt: &Receipt,
    weights: &LinkWeights,
) -> Comparison {
    let ids = IdKind::ALL.map(|kind| find_id(printed, kind, traits, index));
    let mut comparison = Comparison {
        case: at,
        score: 0.0,
        evidence: Vec::new(),
        ids,
        dob: DobState::Absent,
        strange_births: Vec::new(),
        adult: false,
        surname: false,
        full_name: false,
        own_full_name: false,
        newborn_name: false,
        mothers_child: false,
        mother_full: false,
        orders: Vec::new(),
        own_orders: Vec::new(),
        other_firsts: Vec::new(),
        sexes: Vec::new(),
        facility: false,
        admitted: false,
    };
    weigh_ids(&mut comparison, traits, weights);
    weigh_dates(&mut comparison, printed, case, index, weights);
    weigh_names(&mut comparison, printed, traits, index, weights);
    weigh_marks(&mut comparison, printed, traits, weights);
    weigh_facility(&mut comparison, printed, traits, index, receipt, weights);
    comparison
}

fn weigh_ids(comparison: &mut Comparison, traits: &Traits, weights: &LinkWeights) {
    for kind in IdKind::ALL {
        let finding = comparison.id(kind).clone();
        let subject = match kind {
            IdKind::CaseId => Subject::CaseId,
            IdKind::Auth => Subject::AuthNumber,
            IdKind::Mrn => Subject::Mrn,
            IdKind::Member => Subject::MemberId,
        };
        let chance = Some(chance_of_digits(traits.id(kind)));
        let (level, chance, word) = match finding.state {
            IdState::Exact => (Level::Exact, chance, "exact"),
            IdState::Alike => (Level::Alike, chance, "alike"),
            IdState::Family => (Level::Family, chance, "of the family"),
            IdState::Near => (Level::Near, None, "one character off"),
            IdState::Other => (Level::Other, None, "is another"),
            IdState::Absent => continue,
        };
        let name = kind.name();
        let mut words = if finding.coded_only {
            format!("{name} barcode {}", on_pages(&finding.coded))
        } else {
            format!("{name} {word} {}", on_pages(&finding.pages))
        };
        if !finding.coded_only && !finding.coded.is_empty() && finding.state != IdState::Other {
            words = format!("{words}, {name} barcode {}", on_pages(&finding.coded));
        }
        comparison.add(weights, (subject, level), chance, words);
    }
}

fn weigh_dates(comparison: &mut Comparison, printed: &Printed, case: &Case, index: &Index, weights: &LinkWeights) {
    if let Some(dob) = case.dob {
        let mut pages = Vec::new();
        let mut infants = 0;
        let mut adults = 0;
        for date in &printed.dates {
            let state = if date.label == Label::BirthDate {
                if date.date == dob {
                    DobState::Exact
                } else if misprinted(date.date, dob) {
                    DobState::Near
                } else if (date.date - dob).get_days().abs() > INFANT_DAYS {
                    adults += 1;
                    continue;
                } else {
                    comparison.strange_births.push(date.page);
                    DobState::Other
                }
            } else if date.label == Label::None && date.date == dob {
                DobState::Unlabelled
            } else {
                continue;
            };
            infants += 1;
            if state > comparison.dob {
                comparison.dob = state;
                pages.clear();
            }
            if state == comparison.dob && !pages.contains(&date.page) {
                pages.push(date.page);
            }
        }
        comparison.adult = adults > 0 && infants == 0;
        let share = Some(index.share(index.born_on(dob).len()));
        let found = match comparison.dob {
            DobState::Exact => Some((Level::Exact, share, "exact")),
            DobState::Unlabelled => Some((Level::Unlabelled, share, "printed")),
            DobState::Near => Some((Level::Near, None, "one digit off")),
            DobState::Other => Some((Level::Other, None, "is another")),
            DobState::Absent => None,
        };
        if let Some((level, share, word)) = found {
            comparison.add(weights, (Subject::BirthDate, level), share, format!("dob {word} {}", on_pages(&pages)));
        }
    }
    if let Some(mother_dob) = case.mother_dob
        && let Some(date) = printed.dates.iter().find(|date| date.date == mother_dob)
    {
        let level = if date.label == Label::ParentsBirthDate { Level::Exact } else { Level::Unlabelled };
        let words = format!("mother's dob exact {}", on_pages(&[date.page]));
        comparison.add(weights, (Subject::MothersBirthDate, level), None, words);
    }
    if let Some(admitted) = case.admit_date.filter(|&admitted| Some(admitted) != case.dob)
        && let Some(date) = printed.dates.iter().find(|date| date.label == Label::AdmitDate && date.date == admitted)
    {
        comparison.admitted = true;
        // Most babies are admitted within a day of their birth, which has been counted.
        let level = if comparison.born_then() { Level::Exact } else { Level::Alone };
        let words = format!("admit date exact {}", on_pages(&[date.page]));
        comparison.add(weights, (Subject::AdmissionDate, level), None, words);
    }
}

fn weigh_names(comparison: &mut Comparison, printed: &Printed, traits: &Traits, index: &Index, weights: &LinkWeights) {
    let read = |place: Place| if place.exact { Level::Exact } else { Level::Near };
    let not_staff =
        |place: &Place| printed.pages.get(place.page).is_some_and(|page| page.person(place.at) != Label::Staff);
    let keep = |mut places: Vec<Place>| {
        places.retain(not_staff);
        places
    };
    let surnames = keep(printed.mentions(&traits.surname));
    let mother_lasts = keep(printed.mentions(&traits.mother_last));
    let is_siblings = |place: &Place| printed.pages.get(place.page).is_some_and(|page| page.is_siblings(place.at));
    let mut legal_firsts = printed.mentions(&traits.legal_first);
    legal_firsts.retain(|place| !is_siblings(place));
    let mother_firsts = printed.mentions(&traits.mother_first);
    let mut family: Vec<Place> = surnames.clone();
    family.extend(mother_lasts.iter().filter(|place| !surnames.contains(place)));

    if let Some(place) = best(&surnames).or(best(&mother_lasts)) {
        let of_mother = surnames.is_empty();
        comparison.surname = true;
        let tokens = if of_mother { &traits.mother_last } else { &traits.surname };
        let words = if of_mother { "mother's surname" } else { "surname" };
        let level = if of_mother && place.exact { Level::Mothers } else { read(place) };
        let words = format!("{words} {}", on_pages(&[printed.page_number(place)]));
        comparison.add(weights, (Subject::Surname, level), name_share(tokens, index), words);
    } else if !traits.surname.is_empty() && printed.pages.iter().any(|page| page.tokens.len() > 50) {
        comparison.add(weights, (Subject::Surname, Level::Missing), None, "surname not found".to_owned());
    }
    let own = PatientsNames::among(&family, printed);
    let beside = |ones: &[Place], others: &[Place]| {
        let pairs = ones.iter().flat_map(|one| others.iter().map(move |other| (*one, *other)));
        pairs
            .filter(|&(one, other)| one.at != other.at && printed.together(one, other))
            .map(|(_, other)| other)
            .max_by_key(|place| place.exact)
    };
    if let Some(place) = beside(&family, &legal_firsts) {
        comparison.full_name = true;
        let certain: Vec<Place> = legal_firsts.iter().copied().filter(|&place| own.certainly(printed, place)).collect();
        comparison.own_full_name = beside(&family, &certain).is_some();
        let words = format!("first name {}", on_pages(&[printed.page_number(place)]));
        let share = name_share(&traits.legal_first, index);
        comparison.add(weights, (Subject::FirstName, read(place)), share, words);
    }
    let mothers: Vec<Place> = beside(&family, &mother_firsts).into_iter().collect();
    if let Some(place) = best(&mothers) {
        comparison.mother_full = true;
        let words = format!("mother's name {}", on_pages(&[printed.page_number(place)]));
        let share = name_share(&traits.mother_first, index);
        comparison.add(weights, (Subject::MothersName, read(place)), share, words);
        if traits.mother_last != traits.surname
            && !surnames.is_empty()
            && let Some(last) = best(&mother_lasts)
        {
            let words = format!("and her surname {}", on_pages(&[printed.page_number(last)]));
            let share = name_share(&traits.mother_last, index);
            comparison.add(weights, (Subject::MothersName, Level::Mothers), share, words);
        }
    }
    if let Some(name) = traits.mothers_child
        && let Some(place) = best(&printed.mentions(&[name]))
    {
        comparison.mothers_child = true;
        let words = format!("mother's first name in the baby's {}", on_pages(&[printed.page_number(place)]));
        comparison.add(weights, (Subject::MotherInName, read(place)), name_share(&[name], index), words);
    }
    find_patient_names(comparison, printed, traits, &family, index, own);
}

/// Which of the family's names are certainly the patient's.
#[derive(Clone, Copy)]
struct PatientsNames {
    /// Some stand behind a patient's label; then the others may be anybody's of the family.
    labelled: bool,
}

impl PatientsNames {
    fn among(family: &[Place], printed: &Printed) -> Self {
        Self { labelled: family.iter().any(|&place| Self::is_labelled(printed, place)) }
    }

    fn is_labelled(printed: &Printed, place: Place) -> bool {
        printed
            .pages
            .get(place.page)
            .is_some_and(|page| page.person(place.at) == Label::Patient && !page.is_prose(place.at))
    }

    fn certainly(self, printed: &Printed, place: Place) -> bool {
        !self.labelled || Self::is_labelled(printed, place)
    }
}

fn best(places: &[Place]) -> Option<Place> {
    places.iter().copied().max_by_key(|place| place.exact)
}

/// How many other babies have the name: the rarest of its tokens counts, the others follow from it.
fn name_share(name: &[NameId], index: &Index) -> Option<f64> {
    let rarest = name.iter().map(|&token| index.bearers(token).len()).min()?;
    Some(index.share(rarest))
}

/// What people write behind a name and its comma, and nobody is called: `Ada Okonkwo, MRN 88104477`.
const BEHIND_A_NAME: [&str; 9] =
    ["ADMITTED", "AUTH", "AUTHORIZATION", "BORN", "DOB", "MEMBER", "MRN", "NICU", "RECORD"];

/// A word for a nameless newborn, one letter misread or lost: "Baby Grl Jones", "Babygrl".
fn is_misread_stand_in(folded: &str) -> bool {
    ["GIRL", "BABYBOY", "BABYGIRL", "NEWBORN", "INFANT"].into_iter().any(|word| strsim::levenshtein(word, folded) <= 1)
}

/// What stands beside the family's surname: words for a nameless newborn, birth orders, other first names.
fn find_patient_names(
    comparison: &mut Comparison,
    printed: &Printed,
    traits: &Traits,
    family: &[Place],
    index: &Index,
    own: PatientsNames,
) {
    let spelled = |names: &[NameId], folded: &str| names.iter().any(|&name| names::alike(index.spelling(name), folded));
    for &place in family {
        let Some(page) = printed.pages.get(place.page) else { continue };
        let Some(surname) = page.tokens.get(place.at) else { continue };
        if page.is_siblings(place.at) {
            continue;
        }
        let before = comparison.orders.len();
        let person = page.person(place.at);
        let from = place.at.saturating_sub(4);
        for (at, token) in page.tokens.iter().enumerate().skip(from).take(place.at - from + 5) {
            if token.line != surname.line {
                continue;
            }
            let previous = at.checked_sub(1).and_then(|before| page.tokens.get(before));
            match names::given_token(&token.folded) {
                GivenToken::Newborn { order, .. } if token.capital && person != Label::Parent => {
                    comparison.newborn_name = true;
                    comparison.orders.extend(order);
                }
                GivenToken::MothersChild { order, .. } => comparison.orders.extend(order),
                // A lone letter is a birth order only right behind a name; a digit only behind a word for a newborn.
                GivenToken::Order(order) if person != Label::Parent => {
                    let behind = previous.is_some_and(|previous| {
                        previous.line == token.line
                            && match names::given_token(&previous.folded) {
                                GivenToken::Newborn { .. } | GivenToken::MothersChild { .. } => true,
                                GivenToken::Legal => {
                                    token.capital
                                        && at.abs_diff(place.at) <= 2
                                        && previous.capital
                                        && token.raw.len() == 1
                                }
                                GivenToken::Order(_) => false,
                            }
                    });
                    if behind {
                        comparison.orders.push(order);
                    }
                }
                GivenToken::Newborn { .. } | GivenToken::Order(_) | GivenToken::Legal => {}
            }
        }
        if own.certainly(printed, place) {
            comparison.own_orders.extend(comparison.orders.get(before..).unwrap_or_default());
        }
        let beside = if surname.comma {
            page.tokens.get(place.at + 1)
        } else if person == Label::Patient {
            place
                .at
                .checked_sub(1)
                .filter(|&before| !page.names_role(before))
                .and_then(|before| page.tokens.get(before))
        } else {
            None
        };
        if let Some(first) = beside
            && matches!(person, Label::None | Label::Patient)
            && first.line == surname.line
            && first.capital
            && first.folded.len() >= 3
            && first.confidence >= 0.5
            && first.folded.bytes().all(|byte| byte.is_ascii_alphabetic())
            && names::given_token(&first.folded) == GivenToken::Legal
            && !is_misread_stand_in(&first.folded)
            && !BEHIND_A_NAME.contains(&first.folded.as_str())
            && ![&traits.surname, &traits.legal_first, &traits.mother_first, &traits.mother_last]
                .into_iter()
                .any(|names| spelled(names, &first.folded))
        {
            comparison.other_firsts.push((first.folded.clone(), page.number));
        }
    }
    let labelled = printed.pages.iter().flat_map(|page| page.orders.iter().copied());
    comparison.own_orders.extend(labelled.clone());
    comparison.orders.extend(labelled);
    for orders in [&mut comparison.orders, &mut comparison.own_orders] {
        orders.sort_unstable();
        orders.dedup();
    }
}

fn weigh_marks(comparison: &mut Comparison, printed: &Printed, traits: &Traits, weights: &LinkWeights) {
    comparison.sexes = printed.pages.iter().flat_map(|page| page.sexes.iter().copied()).collect();
    comparison.sexes.dedup();
    if let Some(sex) = traits.sex
        && !comparison.sexes.is_empty()
    {
        let (level, word) =
            if comparison.sexes.contains(&sex) { (Level::Exact, "agrees") } else { (Level::Other, "differs") };
        comparison.add(weights, (Subject::Sex, level), None, format!("sex {word}"));
    }
    if let Some(order) = traits.order
        && !comparison.orders.is_empty()
    {
        let found = if comparison.orders == [order] {
            Some((Level::Exact, "agrees"))
        } else {
            (!comparison.orders.contains(&order)).then_some((Level::Other, "differs"))
        };
        if let Some((level, word)) = found {
            comparison.add(weights, (Subject::BirthOrder, level), None, format!("birth order {word}"));
        }
    }
}

fn weigh_facility(
    comparison: &mut Comparison,
    printed: &Printed,
    traits: &Traits,
    index: &Index,
    receipt: &Receipt,
    weights: &LinkWeights,
) {
    let sender = receipt.sender.as_deref().and_then(super::index::fax_digits);
    let by_sender = !traits.facility_fax.is_empty() && sender.as_ref() == Some(&traits.facility_fax);
    let by_print = printed.names_facility(&traits.facility, &traits.facility_fax);
    if by_sender || by_print.is_some() {
        comparison.facility = true;
        let share = Some(index.facility_share(&traits.facility));
        let place = if by_sender { "by sender's number".to_owned() } else { on_pages(by_print.as_slice()) };
        comparison.add(weights, (Subject::Facility, Level::Exact), share, format!("facility {place}"));
        if comparison.id(IdKind::Mrn).state == IdState::Other && comparison.own_ids() == 0 {
            let words = "another record number of the same hospital".to_owned();
            comparison.add(weights, (Subject::AnotherRecord, Level::Other), None, words);
        }
    }
}

/// Each page once, in page order, however often and in whatever order things were found.
pub(super) fn on_pages(pages: &[u32]) -> String {
    let pages: BTreeSet<&u32> = pages.iter().collect();
    let is_text = pages.contains(&COVERING_PAGE);
    let numbers: Vec<String> = pages.into_iter().filter(|page| **page != COVERING_PAGE).map(u32::to_string).collect();
    match (numbers.as_slice(), is_text) {
        ([], true) => "mail".to_owned(),
        (numbers, true) => format!("p{},mail", numbers.join(",")),
        (numbers, false) => format!("p{}", numbers.join(",")),
    }
}

#[cfg(test)]
mod tests {
    use super::on_pages;

    #[test]
    fn every_page_is_named_once_and_in_order() {
        assert_eq!(on_pages(&[3, 1, 3, 1]), "p1,3");
        assert_eq!(on_pages(&[2, 2]), "p2");
        assert_eq!((on_pages(&[0, 1]), on_pages(&[0])), ("p1,mail".to_owned(), "mail".to_owned()));
    }
}
