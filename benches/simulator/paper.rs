//! What a hospital writes about a baby: in one of several manners, with some facts left out and some of them wrong.

use jiff::ToSpan;
use jiff::civil::Date;

use super::population::{Baby, Population, facility};
use super::random::Random;

/// Of a thousand: identifiers written down wrongly, birth dates too, papers of a twin with the other's number.
const WRONG_NUMBER: usize = 15;
const WRONG_DATE: usize = 8;
const OTHERS_NUMBER: usize = 10;

/// How a paper stands to the registry, for counting.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Whose {
    Singleton,
    Twin,
    HigherMultiple,
    /// Nobody of its family has a case.
    Stranger,
    /// It has no case, and its sibling has one.
    SiblingOfACase,
    /// It names one sibling and gives the other's number: nobody may say whose it is.
    Contradictory,
}

impl Whose {
    pub fn name(self) -> &'static str {
        match self {
            Self::Singleton => "singletons",
            Self::Twin => "twins",
            Self::HigherMultiple => "triplets",
            Self::Stranger => "no case",
            Self::SiblingOfACase => "no case, sibling has one",
            Self::Contradictory => "twins, contradictory",
        }
    }
}

pub struct Paper<'a> {
    pub baby: &'a Baby,
    pub whose: Whose,
    pub written: Date,
    pub facts: Facts,
    /// Lines of text.
    pub pages: Vec<String>,
}

/// What is printed of a baby; empty where it is left out.
pub struct Facts {
    pub name: String,
    pub dob: String,
    /// The birth date as it was written down.
    pub written_dob: Date,
    pub dob_is_right: bool,
    pub mrn: String,
    pub member: String,
    pub auth: String,
    pub mother: String,
    mother_dob: String,
    admitted: String,
    pub sex: &'static str,
    pub facility: String,
    pub letter: String,
}

fn chance(random: &mut Random, of_a_thousand: usize) -> bool {
    random.below(1000) < of_a_thousand
}

/// A digit changed, or two exchanged: what people do when they copy a number.
fn miscopied(random: &mut Random, number: &str) -> String {
    let mut characters: Vec<char> = number.chars().collect();
    let digits: Vec<usize> =
        characters.iter().enumerate().filter(|(_, character)| character.is_ascii_digit()).map(|(at, _)| at).collect();
    let Some(&at) = digits.get(random.below(digits.len())) else { return number.to_owned() };
    if random.below(3) == 0 && at + 1 < characters.len() {
        characters.swap(at, at + 1);
    } else if let Some(digit) = characters.get_mut(at) {
        *digit = char::from(b'0' + random.below(10) as u8);
    }
    characters.into_iter().collect()
}

fn written(random: &mut Random, day: Date) -> String {
    let form = match random.below(5) {
        0 => "%m/%d/%Y",
        1 => "%-m/%-d/%y",
        2 => "%m-%d-%Y",
        3 => "%b %-d, %Y",
        _ => "%m/%d/%y",
    };
    day.strftime(form).to_string()
}

/// The baby as this hospital calls it, which is seldom what the registry calls it.
fn named(random: &mut Random, baby: &Baby, with_letter: bool) -> String {
    let sex = if baby.is_girl { "Girl" } else { "Boy" };
    let letter = baby.letter.filter(|_| with_letter).map(|letter| format!(" {letter}")).unwrap_or_default();
    let upper = |text: String| text.to_uppercase();
    match random.below(7) {
        0 => format!("{}, {}", baby.last, if with_letter { baby.first.clone() } else { format!("Baby {sex}") }),
        1 => format!("Baby {sex} {}{letter}", baby.last),
        2 => upper(format!("{}, BABY{sex}{letter}", baby.last)),
        3 => format!("B{} {}{letter}", if baby.is_girl { "G" } else { "B" }, baby.last),
        4 => format!("{}, {}", baby.last, baby.legal),
        5 => format!("{} {}", baby.legal, baby.last),
        _ => upper(format!("{}, {}{letter}", baby.last, if baby.is_girl { "BG" } else { "BB" })),
    }
}

impl<'a> Paper<'a> {
    pub fn write(population: &'a Population, random: &mut Random) -> Self {
        let place = random.below(population.babies.len());
        let baby = population.babies.get(place).unwrap_or_else(|| unreachable!("a population is never empty"));
        let lower = place.saturating_sub(3);
        let around = population.babies.get(lower..(place + 4).min(population.babies.len())).unwrap_or_default();
        let sibling = around.iter().find(|other| other.family == baby.family && other.letter != baby.letter);
        let written_on = baby.admitted.saturating_add((1 + random.below(40) as i64).days());
        let mut facts = Facts::of(random, baby);
        let mut whose = match (&baby.case_id, baby.together) {
            (Some(_), 1) => Whose::Singleton,
            (Some(_), 2) => Whose::Twin,
            (Some(_), _) => Whose::HigherMultiple,
            (None, _) if sibling.is_some_and(|sibling| sibling.case_id.is_some()) => Whose::SiblingOfACase,
            (None, _) => Whose::Stranger,
        };
        if let Some(sibling) = sibling
            && chance(random, OTHERS_NUMBER)
        {
            facts.letter = baby.letter.map(String::from).unwrap_or_default();
            facts.name = format!("{}, {}", baby.last, baby.first);
            facts.mrn.clone_from(&sibling.mrn);
            whose = Whose::Contradictory;
        }
        // Further pages come from the hospital's system, which does not slip; who took the wrong chart took all of it.
        let is_own = whose != Whose::Contradictory && !facts.mrn.is_empty();
        let record = if is_own { baby.mrn.clone() } else { facts.mrn.clone() };
        let mentions = sibling.filter(|_| random.below(3) == 0);
        let first = first_page(random, &facts, written_on, mentions);
        let mut pages = vec![first];
        for page in 0..random.below(3) {
            pages.push(further_page(random, &facts, &record, page + 2));
        }
        Self { baby, whose, written: written_on, facts, pages }
    }
}

impl Facts {
    fn of(random: &mut Random, baby: &Baby) -> Self {
        let says_letter = chance(random, 870);
        let in_name = says_letter && chance(random, 850);
        let mut number = |of_a_thousand: usize, number: &str| {
            if !chance(random, of_a_thousand) {
                String::new()
            } else if chance(random, WRONG_NUMBER) {
                miscopied(random, number)
            } else {
                number.to_owned()
            }
        };
        let (mrn, member, auth) = (number(880, &baby.mrn), number(550, &baby.member), number(500, &baby.auth));
        let dob_is_right = !chance(random, WRONG_DATE);
        let dob = if dob_is_right { baby.dob } else { baby.dob.saturating_add(1.day()) };
        let mut told =
            |of_a_thousand: usize, text: String| if chance(random, of_a_thousand) { text } else { String::new() };
        let mother = told(450, format!("{}, {}", baby.mother_last, baby.mother_first));
        let letter = baby.letter.filter(|_| says_letter && !in_name).map(String::from).unwrap_or_default();
        let (has_mother_dob, has_admitted, has_dob) = (chance(random, 250), chance(random, 700), chance(random, 960));
        Self {
            name: named(random, baby, in_name),
            dob: if has_dob { written(random, dob) } else { String::new() },
            written_dob: dob,
            dob_is_right,
            mrn,
            member,
            auth,
            mother_dob: if has_mother_dob && !mother.is_empty() {
                written(random, baby.mother_dob)
            } else {
                String::new()
            },
            mother,
            admitted: if has_admitted { written(random, baby.admitted) } else { String::new() },
            sex: match (random.below(3), baby.is_girl) {
                (0, _) => "",
                (1, true) => "F",
                (1, false) => "M",
                (_, true) => "Female",
                (_, false) => "Male",
            },
            facility: facility(baby.facility),
            letter,
        }
    }
}

/// A label of several with its value; nothing without a value.
fn pair(random: &mut Random, labels: &[&str], value: &str) -> Option<String> {
    let label = labels.get(random.below(labels.len())).copied().unwrap_or_default();
    (!value.is_empty()).then(|| format!("{label}: {value}"))
}

fn first_page(random: &mut Random, facts: &Facts, written_on: Date, mentions: Option<&Baby>) -> String {
    let title =
        ["NICU CONCURRENT REVIEW", "Clinical Update - NICU", "Discharge Summary", "Notification of NICU Admission"];
    let title = title.get(random.below(title.len())).copied().unwrap_or_default();
    let today = written(random, written_on);
    let mut lines = vec![facts.facility.clone(), title.to_owned(), format!("Date: {today}")];
    let letter = if facts.letter.is_empty() { String::new() } else { format!("Twin {}", facts.letter) };
    if random.below(4) == 0 {
        let mut sentence = format!("This is to inform you about {}", facts.name);
        for (before, value) in [
            (", born ", &facts.dob),
            (" (MRN ", &facts.mrn),
            (", member ", &facts.member),
            (", authorization ", &facts.auth),
            (", admitted ", &facts.admitted),
        ] {
            if !value.is_empty() {
                sentence.push_str(before);
                sentence.push_str(value);
            }
        }
        lines.push(sentence);
        lines.extend(pair(random, &["Mother", "Mother's name", "Maternal name"], &facts.mother));
        lines.extend(pair(random, &["Birth order", "Multiple"], &letter));
    } else {
        let mut pairs: Vec<String> = [
            pair(random, &["Patient", "Patient Name", "Infant", "Name", "Baby's name"], &facts.name),
            pair(random, &["DOB", "Date of Birth", "Birth date", "D.O.B."], &facts.dob),
            pair(random, &["MRN", "Med Rec #", "Medical Record Number", "Hospital #", "Chart no."], &facts.mrn),
            pair(random, &["Member ID", "Subscriber ID", "Insurance ID", "Policy #"], &facts.member),
            pair(random, &["Auth #", "Authorization Number", "Reference no.", "Auth"], &facts.auth),
            pair(random, &["Sex", "Gender"], facts.sex),
            pair(random, &["Mother", "Mother's Name", "Mom"], &facts.mother),
            pair(random, &["Mother's DOB", "Maternal DOB"], &facts.mother_dob),
            pair(random, &["Admit Date", "Admitted", "NICU admission"], &facts.admitted),
            pair(random, &["Birth order", "Multiple"], &letter),
        ]
        .into_iter()
        .flatten()
        .collect();
        if random.below(3) == 0 {
            let shift = random.below(pairs.len());
            pairs.rotate_left(shift);
        }
        let columns = 1 + random.below(3);
        lines.extend(pairs.chunks(columns).map(|row| row.join("      ")));
    }
    lines.push(String::new());
    if let Some(sibling) = mentions {
        let letter = sibling.letter.map(String::from).unwrap_or_default();
        lines.push(match random.below(4) {
            0 => format!("Twin sibling (Baby {letter}, MRN {}) is on the same unit.", sibling.mrn),
            1 => format!("Multiple gestation, sibling: Twin {letter} (MRN {})", sibling.mrn),
            2 => format!("Sibling {letter} was discharged home yesterday."),
            _ => format!("Co-twin MRN: {}", sibling.mrn),
        });
    }
    lines.extend(clinical(random));
    lines.join("\n")
}

fn further_page(random: &mut Random, facts: &Facts, record: &str, number: usize) -> String {
    let mut lines = vec![if random.below(4) > 0 {
        format!("{}   MRN {record}   DOB {}   Page {number}", facts.name, facts.dob)
    } else {
        format!("Page {number}")
    }];
    lines.extend(clinical(random));
    lines.extend(clinical(random));
    lines.join("\n")
}

/// What else stands on such a page, numbers and dates among it.
fn clinical(random: &mut Random) -> Vec<String> {
    vec![
        format!("Current weight: {} g      Bed: isolette", 900 + random.below(2_400)),
        format!(
            "Respiratory support: nasal cannula {} L, saturation {} percent",
            1 + random.below(4),
            90 + random.below(10)
        ),
        format!("Feeds: {} ml every 3 hours, {} ml/kg/day", 10 + random.below(50), 100 + random.below(70)),
        format!(
            "Hct {}.{}  Na {}  K 4.{}  bili {}.{}",
            30 + random.below(20),
            random.below(10),
            130 + random.below(15),
            random.below(10),
            random.below(14),
            random.below(10)
        ),
        format!("Phone 617-555-01{:02}, fax 617-555-01{:02}", random.below(100), random.below(100)),
        "Plan: wean as tolerated, teach the parents, social work follows the family".to_owned(),
    ]
}
