//! How long linking takes against 100,000 open cases, or as many as are asked for, and how much memory the registry needs.
//!
//! `cargo bench --bench linking -- [CASES]`: prints the loading time, the registry's resident memory, and the distribution of
//! the times of single links. Everything is invented here, from a fixed seed.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::time::{Duration, Instant};

use nicufaxd::document::{
    Bounds, DocumentFormat, DocumentType, MatchStatus, Page, PageSource, Reading, Receipt, Understanding, Word,
};
use nicufaxd::link::{Case, LinkPolicy, Registry, link};

const CASES: usize = 100_000;
const DOCUMENTS: usize = 2_000;
const PAGES: usize = 3;

/// xorshift64*: enough to invent families with.
struct Dice(u64);

impl Dice {
    fn below(&mut self, most: usize) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 33) as usize % most
    }

    /// Small numbers far more often than large ones, as with surnames.
    fn skewed(&mut self, most: usize) -> usize {
        let first = self.below(most);
        self.below(first + 1)
    }

    /// A pronounceable name, always the same for a number.
    fn name(number: usize) -> String {
        let syllables =
            ["ba", "ren", "lo", "mi", "sar", "ka", "tu", "vel", "no", "dri", "pa", "zo", "he", "qui", "sta"];
        let mut name = String::new();
        let mut rest = number;
        for _ in 0..3 {
            name.push_str(syllables.get(rest % syllables.len()).copied().unwrap_or_default());
            rest /= syllables.len();
        }
        name.replacen(|_: char| true, &name.chars().next().unwrap_or('X').to_ascii_uppercase().to_string(), 1)
    }
}

fn snapshot(dice: &mut Dice, cases: usize) -> String {
    let mut csv = String::from(
        "case_id,status,member_id,auth_number,mrn,facility,facility_fax,facility_npi,last_name,first_name,birth_order,\
         sex,dob,mother_first,mother_last,mother_dob,admit_date,discharge_date,plan,level_of_care,assigned_nurse,\
         next_review_date,race_ethnicity,preferred_language\n",
    );
    let mut at = 0;
    while at < cases {
        let babies = if dice.below(30) == 0 { 2 } else { 1 };
        let day = dice.below(400);
        let dob = jiff::civil::date(2025, 2, 1).saturating_add(jiff::Span::new().days(day as i64));
        let facility = dice.below(120);
        let (last, mother, first) = (dice.skewed(3_000), dice.skewed(800), dice.skewed(1_200));
        let mother_last = if dice.below(3) == 0 { dice.skewed(3_000) } else { last };
        let member = dice.below(90_000_000);
        for baby in 0..babies {
            let (order, given) = match (babies, dice.below(2)) {
                (1, 0) => ("", "Babyboy".to_owned()),
                (1, _) => ("", Dice::name(first)),
                _ if baby == 0 => ("A", "Baby Boy A".to_owned()),
                _ => ("B", "Baby Boy B".to_owned()),
            };
            // Writing to a String can't fail.
            _ = writeln!(
                csv,
                "C-{at:07},open,QX{member:09},{auth},{facility:02}{mrn:06},Hospital {hospital},617{facility:07},,{last},{given},{order},\
                 M,{dob},{mother},{mother_last},1990-05-{day:02},{dob},,commercial,3,Nurse {nurse},2026-03-20,,English",
                auth = 7_000_000_000 + at * 37,
                mrn = at,
                hospital = Dice::name(facility + 40),
                last = Dice::name(last),
                mother = Dice::name(mother),
                mother_last = Dice::name(mother_last),
                day = 1 + member % 28,
                nurse = facility % 40,
            );
            at += 1;
        }
    }
    csv
}

fn reading(case: &Case, dice: &mut Dice) -> Reading {
    let head = format!(
        "{hospital} Fax 617-555-0100 Patient: {last}, {first} DOB: {dob} MRN: {mrn} Member ID: {member} Auth #: {auth} \
         Mother: {mother} {mother_last} Admit date: {dob}",
        hospital = case.facility,
        last = case.last_name,
        first = case.first_name,
        dob = case.dob.map(|dob| dob.strftime("%m/%d/%Y").to_string()).unwrap_or_default(),
        mrn = case.mrn,
        member = case.member_id,
        auth = case.auth_number,
        mother = case.mother_first,
        mother_last = case.mother_last,
    );
    let mut pages = Vec::new();
    for number in 1..=PAGES as u32 {
        let mut words: Vec<String> = head.split(' ').map(str::to_owned).collect();
        for _ in 0..350 {
            // About eight names of strangers, six dates and forty numbers a page, as on a progress note.
            words.push(match dice.below(350) {
                0..8 => Dice::name(dice.skewed(3_000)),
                8..14 => format!("{}/{}/2025", 1 + dice.below(12), 1 + dice.below(28)),
                14..50 => dice.below(1_000).to_string(),
                50..54 => (100_000 + dice.below(900_000)).to_string(),
                _ => "weight".to_owned(),
            });
        }
        let words = words.into_iter().enumerate().map(|(at, text)| Word {
            bounds: Bounds {
                left: (at as u32 % 10) * 150,
                top: (at as u32 / 10) * 40,
                width: text.len() as u32 * 12,
                height: 24,
            },
            text,
            confidence: 0.95,
            line: at as u32 / 10,
        });
        pages.push(Page {
            number,
            width: 1700,
            height: 2200,
            resolution: 200,
            source: PageSource::Recognised,
            turned: 0,
            straightened: 0.0,
            picture: None,
            codes: Vec::new(),
            unread: Vec::new(),
            unreadable_because: None,
            flags: Vec::new(),
            words: words.collect(),
        });
    }
    Reading::new(DocumentFormat::Tiff, pages)
}

/// Resident memory in MB, where the system tells it.
fn resident() -> f64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    line.and_then(|line| line.split_whitespace().next()?.parse::<f64>().ok()).unwrap_or_default() / 1024.0
}

/// Time that this thread has spent on a processor, where the system tells it: on a busy machine the wall clock mostly
/// measures the others.
fn on_processor() -> Duration {
    let status = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    Duration::from_nanos(status.split_whitespace().next().and_then(|time| time.parse().ok()).unwrap_or_default())
}

fn distribution(what: &str, mut times: Vec<Duration>) {
    times.sort_unstable();
    let at = |share: f64| {
        let time = times.get(((times.len() - 1) as f64 * share) as usize).copied().unwrap_or_default();
        time.as_secs_f64() * 1e3
    };
    println!("{what}: median {:.2} ms, p99 {:.2} ms, longest {:.2} ms", at(0.5), at(0.99), at(1.0));
}

fn main() {
    let mut dice = Dice(0x5EED_CAFE_F00D_0001);
    let cases = std::env::args().skip(1).find_map(|argument| argument.parse().ok()).unwrap_or(CASES);
    let csv = snapshot(&mut dice, cases);
    let before = resident();
    let (start, start_on_processor) = (Instant::now(), on_processor());
    let registry = match Registry::parse(csv.as_bytes()) {
        Ok(registry) => registry,
        Err(error) => {
            eprintln!("{error}");
            std::process::exit(1);
        }
    };
    println!(
        "loading {} cases: {:.2} s, {:.2} s of them on the processor",
        registry.cases().len(),
        start.elapsed().as_secs_f64(),
        on_processor().saturating_sub(start_on_processor).as_secs_f64()
    );
    println!("registry in memory: {:.0} MB", resident() - before);

    let policy = LinkPolicy::default();
    let understanding = Understanding {
        document_type: DocumentType::ConcurrentReview,
        type_confidence: 1.0,
        transfer_direction: None,
        fired_rules: Vec::new(),
        fields: BTreeMap::new(),
        missing: Vec::new(),
        unreadable: Vec::new(),
    };
    let receipt = Receipt::new("bench", "bench.tif", jiff::Timestamp::UNIX_EPOCH);
    let mut wall: Vec<Duration> = Vec::with_capacity(DOCUMENTS);
    let mut processor = Duration::ZERO;
    let (mut right, mut wrong) = (0, 0);
    for _ in 0..DOCUMENTS {
        let Some(case) = registry.cases().get(dice.below(registry.cases().len())) else { continue };
        let reading = reading(case, &mut dice);
        let (start, start_on_processor) = (Instant::now(), on_processor());
        let found = link(&reading, &understanding, &registry, &policy, &receipt);
        processor += on_processor().saturating_sub(start_on_processor);
        wall.push(start.elapsed());
        if found.status == MatchStatus::Matched {
            if found.case_id.as_ref() == Some(&case.case_id) { right += 1 } else { wrong += 1 }
        }
    }
    println!("linking {} documents of {PAGES} pages", wall.len());
    println!("linked to their case {right}, to another {wrong}, left to a person {}", wall.len() - right - wrong);
    // The system counts it in ticks, so only the mean of many says something.
    println!("processor time: mean {:.2} ms", processor.as_secs_f64() * 1e3 / wall.len().max(1) as f64);
    distribution("wall time", wall);
}
