//! What each finding is worth: the table of `config/link-weights.toml`, read, checked, and written again by `train`.
//!
//! A level has `m`, the share of a baby's own papers on which a fact that is printed stands so, and `u`, the share of
//! other babies' papers on which it would. Its weight is log2(m/u) bits (Fellegi and Sunter 1969). Where a value's own
//! rarity counts, `u` is a pair: what the registry, or the number of digits, says is held between the two. A stand-in
//! for a name (`BABYBOY`) is no value, and nothing is found about it.
//!
//! A wrong table is refused whole; it names the entry and what to do, and `check` says so too.

use std::collections::BTreeMap;
use std::fmt::Write;

use serde::Deserialize;

use Level::{Alike, Alone, Exact, Family, Missing, Mothers, Near, Other, Unlabelled};
use Rarity::{Counted, Digits, None as Plain};
use Subject::{
    AdmissionDate, AnotherRecord, AuthNumber, BirthDate, BirthOrder, CaseId, Facility, FirstName, MemberId,
    MotherInName, MothersBirthDate, MothersName, Mrn, Sex, Surname,
};

/// The table as delivered with the program.
const BUILTIN: &str = include_str!("../../config/link-weights.toml");

/// What is compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Subject {
    CaseId,
    AuthNumber,
    Mrn,
    MemberId,
    BirthDate,
    MothersBirthDate,
    AdmissionDate,
    Surname,
    FirstName,
    MothersName,
    /// The mother's first name in the baby's: `JENNASGIRL`.
    MotherInName,
    Sex,
    BirthOrder,
    Facility,
    /// A record number that is another's, where the hospital is the case's.
    AnotherRecord,
}

/// How it was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    Exact,
    /// Equal but for characters that recognition confuses, or for letters in front.
    Alike,
    /// The family's part of a member id.
    Family,
    /// One character, digit or letter off; of a date also day and month exchanged.
    Near,
    /// The date stands there, and nothing says what date it is.
    Unlabelled,
    /// The mother's surname in place of the baby's.
    Mothers,
    /// Without the birth date, which it mostly follows from.
    Alone,
    /// Another one is printed.
    Other,
    /// Not found on a page full of words.
    Missing,
}

/// How a level's `u` is found for one value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Rarity {
    /// As it stands in the table.
    None,
    /// The share of the registry's cases that have the value.
    Counted,
    /// How likely one of some 256 numbers on a document would hit its digits by chance.
    Digits,
}

impl Rarity {
    /// Behind `u` in the file.
    fn words(self) -> &'static str {
        match self {
            Plain => "",
            Counted => "by how many cases share the value",
            Digits => "by how many digits it has",
        }
    }
}

impl Subject {
    /// As in the table, and in words for a nurse with the underscores taken off.
    pub fn name(self) -> &'static str {
        match self {
            CaseId => "case_id",
            AuthNumber => "auth_number",
            Mrn => "mrn",
            MemberId => "member_id",
            BirthDate => "birth_date",
            MothersBirthDate => "mothers_birth_date",
            AdmissionDate => "admission_date",
            Surname => "surname",
            FirstName => "first_name",
            MothersName => "mothers_name",
            MotherInName => "mother_in_name",
            Sex => "sex",
            BirthOrder => "birth_order",
            Facility => "facility",
            AnotherRecord => "another_record_number_of_the_hospital",
        }
    }
}

impl Level {
    /// As in the table.
    pub fn name(self) -> &'static str {
        match self {
            Exact => "exact",
            Alike => "alike",
            Family => "family",
            Near => "near",
            Unlabelled => "unlabelled",
            Mothers => "mothers",
            Alone => "alone",
            Other => "other",
            Missing => "missing",
        }
    }
}

/// Every level there is; the table has exactly these.
const LEVELS: [(Subject, Level, Rarity); 42] = [
    (CaseId, Exact, Digits),
    (CaseId, Alike, Digits),
    (CaseId, Near, Plain),
    (CaseId, Other, Plain),
    (AuthNumber, Exact, Digits),
    (AuthNumber, Alike, Digits),
    (AuthNumber, Near, Plain),
    (AuthNumber, Other, Plain),
    (Mrn, Exact, Digits),
    (Mrn, Alike, Digits),
    (Mrn, Near, Plain),
    (Mrn, Other, Plain),
    (MemberId, Exact, Digits),
    (MemberId, Alike, Digits),
    (MemberId, Family, Digits),
    (MemberId, Near, Plain),
    (MemberId, Other, Plain),
    (BirthDate, Exact, Counted),
    (BirthDate, Unlabelled, Counted),
    (BirthDate, Near, Plain),
    (BirthDate, Other, Plain),
    (MothersBirthDate, Exact, Plain),
    (MothersBirthDate, Unlabelled, Plain),
    (AdmissionDate, Exact, Plain),
    (AdmissionDate, Alone, Plain),
    (Surname, Exact, Counted),
    (Surname, Near, Counted),
    (Surname, Mothers, Counted),
    (Surname, Missing, Plain),
    (FirstName, Exact, Counted),
    (FirstName, Near, Counted),
    (MothersName, Exact, Counted),
    (MothersName, Near, Counted),
    (MothersName, Mothers, Counted),
    (MotherInName, Exact, Counted),
    (MotherInName, Near, Counted),
    (Sex, Exact, Plain),
    (Sex, Other, Plain),
    (BirthOrder, Exact, Plain),
    (BirthOrder, Other, Plain),
    (Facility, Exact, Counted),
    (AnotherRecord, Other, Plain),
];

/// What a level is worth.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Weight {
    /// Share of a baby's own papers, 0 to 1, both left out.
    pub m: f64,
    /// Share of other babies' papers: the least and the most it can be; the same where rarity does not count.
    pub u: [f64; 2],
}

impl Weight {
    /// Bits for a value of which `chance` is the share of other babies that have it, where that is known.
    pub fn bits(&self, chance: Option<f64>) -> f64 {
        let [least, most] = self.u;
        let u = chance.map_or(least, |chance| chance.clamp(least, most));
        (self.m / u).log2()
    }
}

/// The whole table.
#[derive(Clone, Debug, PartialEq)]
pub struct LinkWeights {
    levels: BTreeMap<(Subject, Level), Weight>,
}

impl Default for LinkWeights {
    fn default() -> Self {
        Self::parse(BUILTIN).unwrap_or_else(|error| unreachable!("the built-in weights are refused: {error}"))
    }
}

/// Why a table of weights cannot be used.
#[derive(Debug, thiserror::Error, PartialEq)]
pub enum WeightsError {
    /// Not TOML, or a value of the wrong kind; the message names line and key.
    #[error("link weights: {0}")]
    Format(#[from] toml::de::Error),
    #[error("link weights: `{entry}` is missing; take it from config/link-weights.toml")]
    Absent { entry: String },
    #[error("link weights: `{entry}` is none of the levels; correct its spelling or take it out")]
    Unknown { entry: String },
    #[error("link weights: `{entry}`: {problem}")]
    Value { entry: String, problem: &'static str },
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    m: f64,
    u: Chance,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Chance {
    Is(f64),
    Between([f64; 2]),
}

impl LinkWeights {
    /// Reads a table; see the file's head.
    pub fn parse(text: &str) -> Result<Self, WeightsError> {
        let mut file: BTreeMap<String, BTreeMap<String, Entry>> = toml::from_str(text)?;
        let mut levels = BTreeMap::new();
        for (subject, level, rarity) in LEVELS {
            let entry = format!("{}.{}", subject.name(), level.name());
            let read = file.get_mut(subject.name()).and_then(|levels| levels.remove(level.name()));
            let Some(Entry { m, u }) = read else { return Err(WeightsError::Absent { entry }) };
            let wrong = |problem| Err(WeightsError::Value { entry: entry.clone(), problem });
            let u = match (u, rarity) {
                (Chance::Is(u), Plain) => [u, u],
                (Chance::Between(u), Counted | Digits) => u,
                (Chance::Is(_), Counted | Digits) => {
                    return wrong("the value's rarity counts: give `u` as a pair, the least and the most it can be");
                }
                (Chance::Between(_), Plain) => return wrong("give `u` as one number"),
            };
            let within = |share: f64| share > 0.0 && share < 1.0;
            if !(within(m) && u.into_iter().all(within)) {
                return wrong("`m` and `u` are shares; set them between 0 and 1, both left out");
            }
            if u[0] > u[1] {
                return wrong("the least `u` is more than the most; exchange them");
            }
            let speaks_for = !matches!(level, Other | Missing);
            if speaks_for && m < u[1] || !speaks_for && m > u[0] {
                return wrong(if speaks_for {
                    "what agrees cannot speak against a case: let `m` be at least `u`"
                } else {
                    "what disagrees cannot speak for a case: let `m` be at most `u`"
                });
            }
            levels.insert((subject, level), Weight { m, u });
        }
        let left = file.iter().find_map(|(subject, levels)| {
            let known = LEVELS.iter().any(|(known, ..)| known.name() == subject);
            let level = levels.keys().next().map(|level| format!("{subject}.{level}"));
            level.or_else(|| (!known).then(|| subject.clone()))
        });
        match left {
            Some(entry) => Err(WeightsError::Unknown { entry }),
            None => Ok(Self { levels }),
        }
    }

    /// What a level is worth.
    pub fn of(&self, subject: Subject, level: Level) -> Weight {
        // Every level that is asked for stands in the table: `parse` sees to it.
        self.levels.get(&(subject, level)).copied().unwrap_or(Weight { m: 0.5, u: [0.5, 0.5] })
    }

    /// Every level with its weight, in the order of the table.
    pub fn iter(&self) -> impl Iterator<Item = (Subject, Level, Weight)> {
        LEVELS.iter().map(|&(subject, level, _)| (subject, level, self.of(subject, level)))
    }

    /// Puts another weight in the place of a level's; one by which what agrees would speak against a case, or what
    /// disagrees for one, is held at what tells nothing.
    pub(super) fn set(&mut self, subject: Subject, level: Level, weight: Weight) {
        let Weight { mut m, u } = weight;
        m = if matches!(level, Other | Missing) { m.min(u[0]) } else { m.max(u[1]) };
        self.levels.insert((subject, level), Weight { m, u });
    }

    /// Whether `u` is counted for each value, and not learnt.
    pub(super) fn is_counted(subject: Subject, level: Level) -> bool {
        LEVELS.iter().any(|&known| known == (subject, level, Counted) || known == (subject, level, Digits))
    }

    /// As a file that [`LinkWeights::parse`] reads; `head` is put before it, a comment a line.
    pub fn to_toml(&self, head: &str) -> String {
        let mut text = String::new();
        for line in head.lines() {
            // Writing to a String can't fail.
            _ = writeln!(text, "# {line}");
        }
        let mut table = None;
        for (subject, level, rarity) in LEVELS {
            if table != Some(subject) {
                _ = writeln!(text, "\n[{}]", subject.name());
                table = Some(subject);
            }
            let weight = self.of(subject, level);
            let [least, most] = weight.u;
            let (u, bits) = match rarity {
                Plain => (figure(least), format!("{:+.1} bits", weight.bits(None))),
                Counted | Digits => (
                    format!("[{}, {}]", figure(least), figure(most)),
                    format!("{:+.1} to {:+.1} bits, {}", (weight.m / most).log2(), weight.bits(None), rarity.words()),
                ),
            };
            _ = writeln!(text, "{:<10} = {{ m = {}, u = {u} }}  # {bits}", level.name(), figure(weight.m));
        }
        text
    }
}

/// Three figures that count, as TOML has numbers.
fn figure(share: f64) -> String {
    if share >= 0.001 {
        format!("{:.*}", (2 - share.log10().floor() as i32).max(1) as usize, share)
    } else {
        format!("{share:.2e}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_delivered_table_is_read_and_written_the_same() {
        let weights = LinkWeights::default();
        let again = LinkWeights::parse(&weights.to_toml("learnt\nfrom nothing")).unwrap();
        for ((subject, level, one), (_, _, other)) in weights.iter().zip(again.iter()) {
            assert!((one.bits(None) - other.bits(None)).abs() < 0.02, "{subject:?} {level:?}");
        }
    }

    #[test]
    fn rarity_counts_within_the_bounds_of_the_table() {
        let weight = Weight { m: 0.9, u: [0.001, 0.1] };
        assert!(weight.bits(Some(0.5)) < weight.bits(Some(0.01)));
        assert!((weight.bits(Some(1e-9)) - weight.bits(None)).abs() < 1e-9);
    }

    #[test]
    fn a_wrong_table_is_refused_with_the_entry() {
        let table = LinkWeights::default().to_toml("");
        let entry = |text: &str| match LinkWeights::parse(text).unwrap_err() {
            WeightsError::Absent { entry } | WeightsError::Unknown { entry } | WeightsError::Value { entry, .. } => {
                entry
            }
            WeightsError::Format(error) => error.to_string(),
        };
        assert_eq!(entry(&table.replace("[sex]\nexact", "[sex]\nexactly")), "sex.exact");
        assert_eq!(entry(&format!("{table}\n[colour]\nexact = {{ m = 0.5, u = 0.1 }}\n")), "colour.exact");
        let lines = |from: &str, to: &str| {
            let mut lines: Vec<String> = table.lines().map(str::to_owned).collect();
            let at = lines.iter().position(|line| line == "[sex]").unwrap() + 1;
            lines[at] = lines[at].replacen(from, to, 1);
            lines.join("\n")
        };
        assert_eq!(entry(&lines("m = 0", "m = 1")), "sex.exact");
        assert_eq!(entry(&lines("u = 0", "u = -0")), "sex.exact");
        assert_eq!(entry(&lines("m = 0.", "m = 0.00")), "sex.exact");
        assert!(entry("[sex").contains("TOML"));
    }
}
