//! What matching asks of the registry, prepared once at loading: spelling-proof values of each case, the ways from
//! a printed value to cases, how common each value is, and which cases could be taken for one another.
//!
//! Nothing here knows a layout or the shape of an identifier: shapes differ between hospitals and plans.

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash, Hasher};

use jiff::civil::Date;

use super::dates::misprinted;
use super::registry::Case;
use crate::names::{self, GivenName, Sex};

/// Number of a name token in the registry's vocabulary.
pub(super) type NameId = u32;

/// The identifiers of a case.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum IdKind {
    CaseId,
    Auth,
    Mrn,
    Member,
}

impl IdKind {
    pub const ALL: [Self; 4] = [Self::CaseId, Self::Auth, Self::Mrn, Self::Member];

    pub fn name(self) -> &'static str {
        match self {
            Self::CaseId => "case id",
            Self::Auth => "auth number",
            Self::Mrn => "mrn",
            Self::Member => "member id",
        }
    }
}

/// The values of one case as matching compares them.
#[derive(Debug, Default)]
pub(super) struct Traits {
    /// Folded identifiers in the order of [`IdKind::ALL`]; empty when the case has none.
    pub ids: [String; 4],
    /// Folded member id without a dependant's suffix (`…-03`).
    pub member_base: String,
    pub surname: Box<[NameId]>,
    /// Of a name of its own only; a stand-in leaves it empty.
    pub legal_first: Box<[NameId]>,
    /// `JENNASGIRL`.
    pub mothers_child: Option<NameId>,
    pub mother_first: Box<[NameId]>,
    pub mother_last: Box<[NameId]>,
    /// Why nothing is linked to it by itself: its own columns do not go together.
    pub doubt: Option<&'static str>,
    pub order: Option<u8>,
    pub sex: Option<Sex>,
    /// Last ten digits of the facility's fax number, if it has that many.
    pub facility_fax: String,
    /// Folded facility name.
    pub facility: String,
}

impl Traits {
    pub fn id(&self, kind: IdKind) -> &str {
        &self.ids[kind as usize]
    }
}

/// A case among those of one birthday, with what tells it from the others; side by side, since many are looked at.
#[derive(Clone, Copy, Debug)]
pub(super) struct Birth {
    pub case: u32,
    /// First tokens of the baby's surname, the mother's surname, and the first name.
    pub names: [Option<NameId>; 3],
}

/// Why two cases could be taken for one another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Rivalry {
    /// Same mother or same member, born within days.
    Sibling,
    /// Same surname and birthday in the same nursery.
    Namesake,
}

/// Multiples are mostly born within the hour, some around midnight; days apart happens (delayed-interval delivery).
const SIBLING_DAYS: i32 = 3;
const NAMESAKE_DAYS: i32 = 1;

/// Rows of one family or nursery beyond this many are no family's, but a column that holds the same everywhere; bounds the work.
const RIVALS: usize = 64;

#[derive(Debug, Default)]
pub(super) struct Index {
    pub traits: Vec<Traits>,
    /// (hash of an identifier with look-alike characters merged, case), sorted.
    ids: Vec<(u64, u32)>,
    vocabulary: HashMap<String, NameId>,
    /// (hash of a vocabulary token with one letter left out, token), sorted: finds names misread in one letter.
    clipped: Vec<(u64, NameId)>,
    spelling: Vec<String>,
    /// Cases that have the name token in any role.
    bearers: Vec<Vec<u32>>,
    births: HashMap<Date, Vec<Birth>>,
    rivals: HashMap<u32, Vec<(u32, Rivalry)>>,
    facility_cases: HashMap<String, u32>,
    shortest_id: usize,
    /// Of each kind of identifier: (fewest, most) characters and the fewest digits, as registered.
    shapes: [Shape; 4],
}

#[derive(Clone, Copy, Debug)]
struct Shape {
    shortest: usize,
    longest: usize,
    digits: usize,
}

impl Default for Shape {
    fn default() -> Self {
        Self { shortest: usize::MAX, longest: 0, digits: usize::MAX }
    }
}

impl Index {
    pub fn build(cases: &[Case]) -> Self {
        let mut index = Self { shortest_id: usize::MAX, ..Self::default() };
        for (at, case) in cases.iter().enumerate() {
            index.add(at as u32, case);
        }
        index.ids.sort_unstable();
        index.ids.dedup();
        for (token, spelling) in index.spelling.iter().enumerate() {
            for clipping in clippings(spelling) {
                index.clipped.push((clipping, token as NameId));
            }
        }
        index.clipped.sort_unstable();
        index.clipped.dedup();
        index.find_rivals(cases);
        index
    }

    fn add(&mut self, at: u32, case: &Case) {
        let given = GivenName::read(&case.first_name);
        let column = names::order_mark(&names::fold(&case.birth_order));
        let order = column.or(given.order);
        let two = |one: Option<u8>, other: Option<u8>| one.zip(other).is_some_and(|(one, other)| one != other);
        let contradictory =
            two(column, given.order) || case.sex.zip(given.sex).is_some_and(|(one, other)| one != other);
        let doubt = doubt(case).or(contradictory.then_some(CONTRADICTORY));
        let member_base = member_base(&case.member_id);
        let traits = Traits {
            ids: [&case.case_id, &case.auth_number, &case.mrn, &case.member_id].map(|id| names::fold(id)),
            surname: self.name_ids(at, names::tokens(&case.last_name)),
            legal_first: self.name_ids(at, given.legal),
            mothers_child: given.mothers_child.and_then(|token| self.name_ids(at, vec![token]).first().copied()),
            mother_first: self.name_ids(at, names::tokens(&case.mother_first)),
            mother_last: self.name_ids(at, names::tokens(&case.mother_last)),
            order,
            doubt,
            sex: case.sex.or(given.sex),
            facility_fax: fax_digits(&case.facility_fax).unwrap_or_default(),
            facility: names::fold(&case.facility),
            member_base,
        };
        for (shape, id) in self.shapes.iter_mut().zip(&traits.ids).filter(|(_, id)| !id.is_empty()) {
            shape.shortest = shape.shortest.min(id.len());
            shape.longest = shape.longest.max(id.len());
            shape.digits = shape.digits.min(digits(id));
        }
        for id in traits.ids.iter().chain([&traits.member_base]).filter(|id| !id.is_empty()) {
            self.shortest_id = self.shortest_id.min(id.len());
            self.ids.push((id_key(id), at));
            if let Some(digits) = bare_digits(id) {
                self.ids.push((id_key(digits), at));
            }
        }
        if let Some(dob) = case.dob {
            let first = traits.legal_first.first().copied().or(traits.mothers_child);
            let names = [traits.surname.first().copied(), traits.mother_last.first().copied(), first];
            self.births.entry(dob).or_default().push(Birth { case: at, names });
        }
        *self.facility_cases.entry(traits.facility.clone()).or_default() += 1;
        self.traits.push(traits);
    }

    fn name_ids(&mut self, case: u32, tokens: Vec<String>) -> Box<[NameId]> {
        let mut ids = Vec::with_capacity(tokens.len());
        // A lone letter is an initial or a birth order, and stands everywhere on a page.
        for token in tokens.into_iter().filter(|token| token.len() > 1) {
            let next = self.spelling.len() as NameId;
            let id = *self.vocabulary.entry(token.clone()).or_insert(next);
            if id == next {
                self.spelling.push(token);
                self.bearers.push(Vec::new());
            }
            if let Some(bearers) = self.bearers.get_mut(id as usize)
                && bearers.last() != Some(&case)
            {
                bearers.push(case);
            }
            ids.push(id);
        }
        ids.into()
    }

    /// Cases with an identifier that reads like this folded one; the caller compares.
    pub fn cases_with_id(&self, folded: &str) -> impl Iterator<Item = u32> {
        let key = id_key(folded);
        let from = self.ids.partition_point(|&(other, _)| other < key);
        self.ids.get(from..).unwrap_or_default().iter().take_while(move |&&(other, _)| other == key).map(|&(_, at)| at)
    }

    /// Whether this folded identifier is one of the case's, letter for letter.
    pub fn holds(&self, case: u32, folded: &str) -> bool {
        self.traits
            .get(case as usize)
            .is_some_and(|traits| traits.member_base == folded || traits.ids.iter().any(|id| id == folded))
    }

    /// Whether a printed value could be an identifier of this kind, one character lost or added; otherwise what
    /// stands behind the label is something else.
    pub fn shaped(&self, kind: IdKind, folded: &str) -> bool {
        self.shapes.get(kind as usize).is_some_and(|shape| {
            folded.len() + 1 >= shape.shortest
                && folded.len() <= shape.longest + 1
                && digits(folded) + 1 >= shape.digits
        })
    }

    /// Nothing shorter on a page can be an identifier.
    pub fn shortest_id(&self) -> usize {
        self.shortest_id.max(4)
    }

    pub fn born_on(&self, dob: Date) -> &[Birth] {
        self.births.get(&dob).map_or(&[], Vec::as_slice)
    }

    pub fn vocabulary_size(&self) -> usize {
        self.spelling.len()
    }

    pub fn bearers(&self, name: NameId) -> &[u32] {
        self.bearers.get(name as usize).map_or(&[], Vec::as_slice)
    }

    pub fn spelling(&self, name: NameId) -> &str {
        self.spelling.get(name as usize).map_or("", String::as_str)
    }

    pub fn name(&self, folded: &str) -> Option<NameId> {
        self.vocabulary.get(folded).copied()
    }

    /// Name tokens within one edit of this folded one, itself left out; none for short tokens.
    pub fn names_like(&self, folded: &str) -> Vec<NameId> {
        let mut found = Vec::new();
        for key in clippings(folded) {
            let from = self.clipped.partition_point(|&(other, _)| other < key);
            for &(other, name) in self.clipped.get(from..).unwrap_or_default() {
                if other != key {
                    break;
                }
                if !found.contains(&name) && self.spelling(name) != folded && names::alike(self.spelling(name), folded)
                {
                    found.push(name);
                }
            }
        }
        found
    }

    pub fn rivals(&self, case: u32) -> &[(u32, Rivalry)] {
        self.rivals.get(&case).map_or(&[], Vec::as_slice)
    }

    /// log2 of how much rarer than certain a value with that many bearers is.
    pub fn rarity(&self, bearers: usize) -> f64 {
        (self.traits.len().max(2) as f64 / bearers.max(1) as f64).log2()
    }

    /// The share of the cases that so many are.
    pub fn share(&self, bearers: usize) -> f64 {
        bearers.max(1) as f64 / self.traits.len().max(2) as f64
    }

    pub fn facility_share(&self, folded: &str) -> f64 {
        self.share(self.facility_cases.get(folded).copied().unwrap_or(1) as usize)
    }

    fn find_rivals(&mut self, cases: &[Case]) {
        // Sorted by key, they lie in groups: a million cases make no million small lists.
        let mut families: Vec<(u64, u32)> = Vec::with_capacity(3 * cases.len());
        let mut nurseries: Vec<(u64, u32)> = Vec::with_capacity(2 * cases.len());
        for (at, case) in cases.iter().enumerate() {
            let at = at as u32;
            let Some(traits) = self.traits.get(at as usize) else { continue };
            if !traits.mother_first.is_empty() && !traits.mother_last.is_empty() {
                let key = hash(&("mother", &traits.mother_first, &traits.mother_last));
                families.push((key, at));
            }
            if let Some(mother_dob) = case.mother_dob
                && !traits.mother_first.is_empty()
            {
                let key = hash(&("mother born", mother_dob, &traits.mother_first));
                families.push((key, at));
            }
            if !traits.member_base.is_empty() {
                families.push((hash(&("member", &traits.member_base)), at));
            }
            for surname in [&traits.surname, &traits.mother_last] {
                if !surname.is_empty() {
                    nurseries.push((hash(&(surname, &traits.facility)), at));
                }
            }
        }
        let born = |at: u32| cases.get(at as usize).and_then(|case| case.dob);
        let told = |at: u32| cases.get(at as usize).zip(self.traits.get(at as usize));
        let two_mothers = |one: u32, other: u32| {
            told(one).zip(told(other)).is_some_and(|((one, traits), (other, others))| {
                let born = one.mother_dob.zip(other.mother_dob);
                born.is_some_and(|(one, other)| one != other && !misprinted(one, other))
                    && !traits.member_base.is_empty()
                    && !others.member_base.is_empty()
                    && traits.member_base != others.member_base
            })
        };
        let mut rivals: HashMap<u32, Vec<(u32, Rivalry)>> = HashMap::new();
        let mut note = |mut keyed: Vec<(u64, u32)>, days: i32, rivalry: Rivalry| {
            keyed.sort_unstable();
            keyed.dedup();
            for group in keyed.chunk_by(|(one, _), (other, _)| one == other).filter(|group| group.len() > 1) {
                let mut group: Vec<u32> = group.iter().map(|&(_, at)| at).collect();
                group.sort_unstable_by_key(|&at| (born(at), at));
                for (place, &one) in group.iter().enumerate() {
                    for &other in group.iter().skip(place + 1).take(RIVALS) {
                        // Whose birth date is not known may be born on the same day. Those stand first.
                        let apart = born(one).zip(born(other)).map_or(0, |(one, other)| (other - one).get_days());
                        if apart > days {
                            break;
                        }
                        let rivalry = if two_mothers(one, other) { Rivalry::Namesake } else { rivalry };
                        for (from, to) in [(one, other), (other, one)] {
                            let known = rivals.entry(from).or_default();
                            if !known.iter().any(|&(case, _)| case == to) {
                                known.push((to, rivalry));
                            }
                        }
                    }
                }
            }
        };
        note(families, SIBLING_DAYS, Rivalry::Sibling);
        note(nurseries, NAMESAKE_DAYS, Rivalry::Namesake);
        self.rivals = rivals;
    }
}

/// What keeps a case from being linked whose name tells another birth order or sex than its columns do.
pub(super) const CONTRADICTORY: &str = "its name and its birth order or sex contradict each other";

/// Years that lie between a mother's birth and her child's, at least.
const MOTHERS_YEARS: i16 = 10;

/// What is wrong in a row whose cells are each well formed: dates in an order that cannot be, cells of other columns.
fn doubt(case: &Case) -> Option<&'static str> {
    let later = |one: Option<Date>, other: Option<Date>| one.zip(other).is_some_and(|(one, other)| one > other);
    let young = case.mother_dob.zip(case.dob).is_some_and(|(mother, baby)| baby.year() - mother.year() < MOTHERS_YEARS);
    let is_number = |name: &String| digits(name) >= 4;
    let is_word = |number: &String| !number.is_empty() && digits(number) == 0;
    if later(case.dob, case.admit_date) {
        Some("its admission is before its birth")
    } else if later(case.admit_date, case.discharge_date) {
        Some("its discharge is before its admission")
    } else if young {
        Some("its mother's birth date is none")
    } else if [&case.last_name, &case.first_name, &case.mother_first, &case.mother_last].into_iter().any(is_number) {
        Some("a number stands in the place of a name")
    } else if [&case.mrn, &case.auth_number, &case.member_id].into_iter().any(is_word) {
        Some("a word stands in the place of a number")
    } else {
        None
    }
}

fn digits(text: &str) -> usize {
    text.bytes().filter(u8::is_ascii_digit).count()
}

fn hash(value: &impl Hash) -> u64 {
    let mut hasher = DefaultHasher::new();
    value.hash(&mut hasher);
    hasher.finish()
}

fn clippings(folded: &str) -> Vec<u64> {
    // Shorter names differ by one letter too often: Kim, Kin; Diaz, Dias.
    if folded.len() < 5 || !folded.is_ascii() {
        return Vec::new();
    }
    let mut keys: Vec<u64> = (0..folded.len())
        .map(|left_out| {
            hash(
                &folded.bytes().enumerate().filter(|&(at, _)| at != left_out).map(|(_, byte)| byte).collect::<Vec<_>>(),
            )
        })
        .collect();
    keys.push(hash(&folded.bytes().collect::<Vec<_>>()));
    keys
}

/// A character as the one that stands for all that recognition takes for it.
pub(super) fn merged(character: char) -> char {
    match character {
        'O' | 'D' | 'Q' => '0',
        'I' | 'L' | '|' => '1',
        'Z' => '2',
        'S' => '5',
        'G' => '6',
        'B' => '8',
        other => other,
    }
}

/// A folded identifier with look-alike characters merged.
pub(super) fn merge(folded: &str) -> String {
    folded.chars().map(merged).collect()
}

fn id_key(folded: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    for character in folded.chars().map(merged) {
        character.hash(&mut hasher);
    }
    hasher.finish()
}

/// The digits of an identifier that stands behind letters (`MR509756` → `509756`), if they are enough to tell one.
pub(super) fn bare_digits(folded: &str) -> Option<&str> {
    let digits = folded.trim_start_matches(|character: char| character.is_ascii_alphabetic());
    let enough = digits.len() >= 6 && digits.len() < folded.len();
    (enough && digits.bytes().all(|byte| byte.is_ascii_digit())).then_some(digits)
}

/// A member id without the dependant's suffix: what stands before the last `-` when one to three digits follow it.
pub(super) fn member_base(member_id: &str) -> String {
    let base = member_id.rsplit_once('-').filter(|(base, suffix)| {
        base.len() >= 6 && (1..=3).contains(&suffix.len()) && suffix.bytes().all(|byte| byte.is_ascii_digit())
    });
    names::fold(base.map_or(member_id, |(base, _)| base))
}

/// The last ten digits of a telephone or fax number in any notation; `None` for fewer than ten.
pub(super) fn fax_digits(number: &str) -> Option<String> {
    let digits: String = number.chars().filter(char::is_ascii_digit).collect();
    digits.get(digits.len().checked_sub(10)?..).map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn look_alike_characters_merge_and_others_do_not() {
        assert_eq!(merge("M00I4O"), merge("M00140"));
        assert_ne!(merge("11188803"), merge("11188808"));
    }

    #[test]
    fn a_dependants_suffix_is_no_part_of_the_family_id() {
        assert_eq!(member_base("XXA918312538-03"), "XXA918312538");
        assert_eq!(member_base("R65589278"), "R65589278");
        assert_eq!(member_base("12-3456789"), "123456789");
    }

    #[test]
    fn fax_numbers_compare_in_any_notation() {
        assert_eq!(fax_digits("+1 (508) 555-0130"), fax_digits("5085550130"));
        assert_eq!(fax_digits("555-0130"), None);
    }
}
