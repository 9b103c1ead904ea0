//! Families as a nursery sees them: common surnames, birthdays that collide, twins whose record numbers follow one another.

use std::fmt::Write;

use jiff::civil::{Date, date};
use jiff::{Span, ToSpan};

use super::random::Random;

/// The first day on which a baby of the population was born, and how many days there are.
const FIRST_DAY: Date = date(2025, 10, 1);
const DAYS: usize = 160;

/// Of a hundred babies with a case, how many are of a multiple birth (United States, level III and IV nurseries).
const OF_MULTIPLES: usize = 18;

/// Of a hundred families with several babies, how many have no birth order in the registry: their rows are alike but for
/// their numbers.
const WITHOUT_ORDER: usize = 5;

/// Of a hundred families, how many have no case yet for one of their babies, or for any.
const WITHOUT_CASES: usize = 7;

const COMMON: [&str; 40] = [
    "Smith",
    "Johnson",
    "Williams",
    "Brown",
    "Jones",
    "Garcia",
    "Miller",
    "Davis",
    "Rodriguez",
    "Martinez",
    "Hernandez",
    "Lopez",
    "Gonzalez",
    "Wilson",
    "Anderson",
    "Thomas",
    "Taylor",
    "Moore",
    "Jackson",
    "Martin",
    "Lee",
    "Perez",
    "Thompson",
    "White",
    "Harris",
    "Sanchez",
    "Clark",
    "Ramirez",
    "Lewis",
    "Robinson",
    "Walker",
    "Young",
    "Allen",
    "King",
    "Wright",
    "Scott",
    "Nguyen",
    "Hill",
    "Flores",
    "Silva",
];
const GIRLS: [&str; 20] = [
    "Olivia", "Emma", "Ava", "Sophia", "Isabella", "Mia", "Amelia", "Luna", "Camila", "Aria", "Nora", "Ella", "Zoe",
    "Maya", "Ruth", "Naomi", "Ines", "Clara", "Leah", "Hazel",
];
const BOYS: [&str; 20] = [
    "Liam", "Noah", "Oliver", "Elijah", "Mateo", "Lucas", "Levi", "Ezra", "Asher", "Leo", "Luca", "Ethan", "Jack",
    "Mason", "Owen", "Samuel", "David", "Jose", "Caleb", "Adam",
];
const MOTHERS: [&str; 40] = [
    "Maria",
    "Jessica",
    "Ashley",
    "Jennifer",
    "Amanda",
    "Sarah",
    "Stephanie",
    "Nicole",
    "Elizabeth",
    "Melissa",
    "Ana",
    "Rosa",
    "Fatima",
    "Linh",
    "Wendy",
    "Jenna",
    "Kayla",
    "Brianna",
    "Tiffany",
    "Latoya",
    "Grace",
    "Hannah",
    "Rachel",
    "Laura",
    "Megan",
    "Crystal",
    "Vanessa",
    "Diana",
    "Carmen",
    "Luz",
    "Thuy",
    "Aisha",
    "Ngozi",
    "Priya",
    "Mei",
    "Yara",
    "Elena",
    "Sofia",
    "Kim",
    "Dana",
];
const PLACES: [&str; 30] = [
    "Lakeview",
    "Bay State",
    "St Brigid",
    "Harbor",
    "Mercy",
    "Granite Hill",
    "Northfield",
    "Saint Anne",
    "Riverside",
    "Beacon",
    "Cape Shore",
    "Western Valley",
    "Ironwood",
    "Fairmount",
    "Old Mill",
    "Elm Park",
    "Quarry Road",
    "Seaport",
    "Three Rivers",
    "Oakdale",
    "Maplewood",
    "Cedar Point",
    "Franklin",
    "Hampden",
    "Union",
    "Trinity",
    "Good Shepherd",
    "Children's Memorial",
    "University",
    "Regional",
];
const SYLLABLES: [&str; 24] = [
    "ba", "ren", "lo", "mi", "sar", "ka", "tu", "vel", "no", "dri", "pa", "zo", "he", "qui", "sta", "mor", "gan",
    "del", "ri", "shen", "ack", "ter", "wo", "fel",
];

/// A baby, with or without an open case.
pub struct Baby {
    pub case_id: Option<String>,
    pub family: usize,
    /// Of a multiple birth.
    pub letter: Option<char>,
    /// The registry has its birth order.
    pub is_ordered: bool,
    /// Babies of its birth.
    pub together: usize,
    pub is_girl: bool,
    pub dob: Date,
    pub mrn: String,
    pub auth: String,
    pub member: String,
    pub last: String,
    /// The name under which the registry has it.
    pub first: String,
    /// The name that its parents gave it; some papers say it before the registry does.
    pub legal: String,
    pub mother_first: String,
    pub mother_last: String,
    pub mother_dob: Date,
    pub facility: usize,
    pub admitted: Date,
}

pub struct Population {
    pub babies: Vec<Baby>,
}

pub fn facility(number: usize) -> String {
    let kind = ["Hospital", "Medical Center", "Women's Hospital"].get(number / PLACES.len()).copied();
    format!("{} {}", PLACES.get(number % PLACES.len()).copied().unwrap_or_default(), kind.unwrap_or("Hospital"))
}

fn any<'a>(random: &mut Random, names: &[&'a str]) -> &'a str {
    names.get(random.below(names.len())).copied().unwrap_or_default()
}

/// Half of all surnames are common ones; the rest are rare.
fn surname(random: &mut Random) -> String {
    if random.below(2) == 0 {
        let most = 1 + random.below(COMMON.len());
        return any(random, COMMON.get(..most).unwrap_or(&COMMON)).to_owned();
    }
    let syllables = 2 + random.below(2);
    let name: String = (0..syllables).map(|_| any(random, &SYLLABLES)).collect();
    let hyphen = if random.below(25) == 0 { format!("-{}", any(random, &COMMON)) } else { String::new() };
    let (head, tail) = name.split_at(1);
    format!("{}{tail}{hyphen}", head.to_uppercase())
}

impl Population {
    /// Families until so many babies have an open case.
    pub fn new(random: &mut Random, cases: usize) -> Self {
        let mut babies: Vec<Baby> = Vec::with_capacity(cases + cases / 8);
        let (mut with_case, mut family) = (0, 0);
        // Each nursery counts its record numbers on.
        let mut records: Vec<usize> = (0..90).map(|facility| 100_000 + 7_919 * facility).collect();
        while with_case < cases {
            family += 1;
            // Families, not babies, are drawn.
            let together = match random.below(1000) {
                0..9 => 3,
                at if at < 9 + OF_MULTIPLES * 5 => 2,
                _ => 1,
            };
            let without = random.below(100) < WITHOUT_CASES;
            let only_one_without = without && together > 1 && random.below(2) == 0;
            let facility = {
                let most = 1 + random.below(90);
                random.below(most)
            };
            let days = |days: usize| Span::new().days(days as i64);
            let dob = FIRST_DAY.saturating_add(days(random.below(DAYS)));
            let mother_last = surname(random);
            let last = if random.below(4) == 0 { surname(random) } else { mother_last.clone() };
            let mother_first = any(random, &MOTHERS).to_owned();
            let mother_dob = date(1980, 1, 1).saturating_add(days(random.below(9_000)));
            let member = format!("ZQX{:09}", 100_000_000 + random.below(800_000_000));
            let naming = random.below(5);
            let alike = random.below(3) > 0;
            let is_ordered = random.below(100) >= WITHOUT_ORDER;
            let mut is_girl = random.below(2) == 0;
            for number in 0..together {
                is_girl = if alike { is_girl } else { random.below(2) == 0 };
                let letter = (together > 1).then(|| char::from(b'A' + number as u8));
                let sex = if is_girl { "Girl" } else { "Boy" };
                let of_letter = letter.filter(|_| is_ordered).map(|letter| format!(" {letter}")).unwrap_or_default();
                let legal = any(random, if is_girl { &GIRLS } else { &BOYS }).to_owned();
                let first = match naming {
                    0 => format!("Baby{}{of_letter}", sex.to_lowercase()),
                    1 => format!("B{}{of_letter}", if is_girl { "G" } else { "B" }),
                    2 => format!("{mother_first}s{}{of_letter}", sex.to_lowercase()),
                    3 if together == 1 => legal.clone(),
                    _ => format!("Baby {sex}{of_letter}"),
                };
                if let Some(record) = records.get_mut(facility) {
                    *record += 1 + if number == 0 { random.below(6) } else { 0 };
                }
                let mrn = format!("{:02}{}", facility, records.get(facility).copied().unwrap_or_default());
                let has_case = !without || (only_one_without && number == 0);
                with_case += usize::from(has_case);
                babies.push(Baby {
                    case_id: has_case.then(|| format!("UM{:06}", 10_000 + babies.len())),
                    family,
                    letter,
                    is_ordered,
                    together,
                    is_girl,
                    dob,
                    mrn,
                    auth: (7_000_000_000 + babies.len() * 37 + random.below(30)).to_string(),
                    member: member.clone(),
                    last: last.clone(),
                    first,
                    legal,
                    mother_first: mother_first.clone(),
                    mother_last: mother_last.clone(),
                    mother_dob,
                    facility,
                    admitted: dob.saturating_add((random.below(2) as i64).days()),
                });
            }
        }
        Self { babies }
    }

    /// The registry of those that have a case.
    pub fn csv(&self) -> String {
        let mut csv = String::from(
            "case_id,status,member_id,auth_number,mrn,facility,facility_fax,facility_npi,last_name,first_name,birth_order,\
             sex,dob,mother_first,mother_last,mother_dob,admit_date,discharge_date,plan,level_of_care,assigned_nurse,\
             next_review_date,race_ethnicity,preferred_language\n",
        );
        for baby in &self.babies {
            let Some(case_id) = &baby.case_id else { continue };
            // Writing to a String can't fail.
            _ = writeln!(
                csv,
                "{case_id},open,{},{},{},{},,,{},{},{},{},{},{},{},{},{},,commercial,3,,,,",
                baby.member,
                baby.auth,
                baby.mrn,
                facility(baby.facility),
                baby.last,
                baby.first,
                baby.letter.filter(|_| baby.is_ordered).map(String::from).unwrap_or_default(),
                if baby.is_girl { "F" } else { "M" },
                baby.dob,
                baby.mother_first,
                baby.mother_last,
                baby.mother_dob,
                baby.admitted,
            );
        }
        csv
    }
}
