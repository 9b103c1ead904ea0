//! How often linking is right, wrong or left to a person: invented documents of invented babies, read through an invented
//! bad line.   cargo bench --bench simulator -- [DOCUMENTS] [CASES] [SEED]    (100,000 of 20,000; seed 1)
//!
//! [`population`] invents families, many of them alike, and the registry of those with an open case. [`paper`] prints what a
//! hospital writes about one of them, sometimes too little, sometimes wrongly. [`channel`] is the fax line and the recogniser:
//! its confusions are those that were counted on faxes whose text is known. Each paper then walks through
//! `pipeline::decide`, as every fax does. No picture is made: what is measured is understanding and linking.
//!
//! Prints the share linked, with the wrong links and the upper bound (95 %) of their rate, by family and by noise. Ends
//! with 1 when a link was wrong. Invented papers are kinder than real ones: the figures are no promise.

mod channel;
mod paper;
mod population;
#[path = "../../tests/generator/random.rs"]
#[allow(dead_code, reason = "the tests use the rest of it")]
mod random;

use std::collections::BTreeMap;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use jiff::tz::TimeZone;
use nicufaxd::document::{DocumentFormat, Match, MatchStatus, Reading, Receipt};
use nicufaxd::link::{LinkPolicy, Registry};
use nicufaxd::pipeline::{self, Knowledge};
use nicufaxd::route::rules::RoutingRules;
use nicufaxd::understand::TypeRules;

use self::channel::Noise;
use self::paper::{Paper, Whose};
use self::population::Population;
use self::random::Random;

/// What became of the papers of one kind.
#[derive(Clone, Copy, Default)]
struct Tally {
    papers: usize,
    linked: usize,
    wrong: usize,
    wrong_within_family: usize,
    ambiguous: usize,
    unmatched: usize,
    /// Left to a person with the right case among the first three.
    at_hand: usize,
}

impl Tally {
    fn add(&mut self, other: &Self) {
        self.papers += other.papers;
        self.linked += other.linked;
        self.wrong += other.wrong;
        self.wrong_within_family += other.wrong_within_family;
        self.ambiguous += other.ambiguous;
        self.unmatched += other.unmatched;
        self.at_hand += other.at_hand;
    }
}

/// By what the tallies are parted.
type Tallies = BTreeMap<String, Tally>;

fn main() -> ExitCode {
    let numbers: Vec<u64> = std::env::args().skip(1).filter_map(|argument| argument.parse().ok()).collect();
    let number = |place: usize, usual: u64| numbers.get(place).copied().unwrap_or(usual);
    let (documents, cases, seed) = (number(0, 100_000) as usize, number(1, 20_000) as usize, number(2, 1));
    let population = Population::new(&mut Random::new(seed), cases);
    let registry = match Registry::parse(population.csv().as_bytes()) {
        Ok(registry) => registry,
        Err(error) => {
            eprintln!("simulator: the invented registry is refused: {error}");
            return ExitCode::FAILURE;
        }
    };
    println!(
        "{documents} documents, {} open cases, {} babies without one; seed {seed}",
        registry.cases().len(),
        population.babies.len() - registry.cases().len()
    );
    let knowledge = Knowledge {
        rules: Arc::new(TypeRules::builtin()),
        registry: Arc::new(registry),
        policy: LinkPolicy::default(),
        zone: TimeZone::UTC,
        routing: Arc::new(RoutingRules::builtin()),
        mailboxes: Arc::default(),
    };
    let begun = Instant::now();
    let next = AtomicUsize::new(0);
    let threads = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let tallies: Vec<Tallies> = std::thread::scope(|scope| {
        let workers: Vec<_> = (0..threads)
            .map(|_| {
                scope.spawn(|| {
                    let mut tallies = Tallies::new();
                    loop {
                        let document = next.fetch_add(1, Ordering::Relaxed);
                        if document >= documents {
                            return tallies;
                        }
                        one(&population, &knowledge, seed, document as u64, &mut tallies);
                    }
                })
            })
            .collect();
        workers.into_iter().filter_map(|worker| worker.join().ok()).collect()
    });
    let mut all = Tallies::new();
    for (kind, tally) in tallies.iter().flatten() {
        all.entry(kind.clone()).or_default().add(tally);
    }
    print(&all);
    println!("{:.0} s, {:.2} ms a document on one core", begun.elapsed().as_secs_f64(), {
        begun.elapsed().as_secs_f64() * 1e3 * threads as f64 / documents as f64
    });
    let wrong = all.get("all").map_or(0, |tally| tally.wrong);
    if wrong == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Invents a paper, has it read and linked, and counts what came of it.
fn one(population: &Population, knowledge: &Knowledge, seed: u64, document: u64, tallies: &mut Tallies) {
    // Of its own, so that a paper is the same whatever thread invents it.
    let mut random = Random::new(seed.wrapping_mul(0x9e37_79b9).wrapping_add(document));
    let paper = Paper::write(population, &mut random);
    let noise = Noise::any(&mut random);
    let pages = channel::read(&paper.pages, noise, &mut random);
    let received = paper.written.at(9, 0, 0, 0).to_zoned(TimeZone::UTC).map(|zoned| zoned.timestamp());
    let Ok(received) = received else { return };
    let reading = Reading::new(DocumentFormat::Tiff, pages);
    let receipt = Receipt::new("secure-fax", format!("{document}.tif"), received);
    for decision in pipeline::decide(&reading, &receipt, knowledge) {
        let tally = judged(population, &paper, &decision.linked);
        if tally.wrong > 0 {
            complain(document, &paper, &decision.linked);
        }
        for kind in ["all".to_owned(), paper.whose.name().to_owned(), format!("noise: {}", noise.name())] {
            tallies.entry(kind).or_default().add(&tally);
        }
    }
}

fn judged(population: &Population, paper: &Paper<'_>, linked: &Match) -> Tally {
    let mut tally = Tally { papers: 1, ..Tally::default() };
    let right = paper.baby.case_id.as_deref().filter(|_| paper.whose != Whose::Contradictory);
    match linked.status {
        MatchStatus::Matched => {
            tally.linked = 1;
            if linked.case_id.as_deref() != right {
                tally.wrong = 1;
                let of_family = population.babies.iter().filter(|baby| baby.family == paper.baby.family);
                let mut cases = of_family.filter_map(|baby| baby.case_id.as_deref());
                tally.wrong_within_family = usize::from(cases.any(|case| linked.case_id.as_deref() == Some(case)));
            }
        }
        MatchStatus::Ambiguous => tally.ambiguous = 1,
        MatchStatus::Unmatched => tally.unmatched = 1,
    }
    let mut first = linked.candidates.iter().take(3).map(|candidate| candidate.case_id.as_str());
    tally.at_hand = usize::from(linked.status != MatchStatus::Matched && first.any(|case| Some(case) == right));
    tally
}

/// Shows a wrong link, so that it can be mended: all of it is invented.
fn complain(document: u64, paper: &Paper<'_>, linked: &Match) {
    println!("WRONG: document {document}, {}, of {:?}:", paper.whose.name(), paper.baby.case_id);
    for page in &paper.pages {
        println!("    {}", page.replace('\n', "\n    "));
    }
    for candidate in linked.candidates.iter().take(3) {
        println!("  {} {:.1} {:?}", candidate.case_id, candidate.score, candidate.reasons);
    }
}

fn print(tallies: &Tallies) {
    println!(
        "{:<26}{:>8}{:>9}{:>7}{:>9}{:>17}{:>11}{:>11}{:>9}",
        "", "papers", "linked", "wrong", "(family)", "at most (95 %)", "ambiguous", "unmatched", "at hand"
    );
    for (kind, tally) in tallies {
        let share = |part: usize| 100.0 * part as f64 / tally.papers.max(1) as f64;
        println!(
            "{kind:<26}{:>8}{:>8.1}%{:>7}{:>9}{:>13.1}/100k{:>10.1}%{:>10.1}%{:>8.1}%",
            tally.papers,
            share(tally.linked),
            tally.wrong,
            tally.wrong_within_family,
            1e5 * most(tally.wrong) / tally.linked.max(1) as f64,
            share(tally.ambiguous),
            share(tally.unmatched),
            share(tally.at_hand),
        );
    }
}

/// The mean of the Poisson distribution under which so few events, or fewer, come with a probability of 5 %.
fn most(events: usize) -> f64 {
    let at_most = |mean: f64| {
        let (mut term, mut sum) = ((-mean).exp(), 0.0);
        for event in 0..=events {
            sum += term;
            term *= mean / (event + 1) as f64;
        }
        sum
    };
    let (mut low, mut high) = (0.0, 20.0 + 3.0 * events as f64);
    for _ in 0..60 {
        let middle = f64::midpoint(low, high);
        if at_most(middle) > 0.05 { low = middle } else { high = middle }
    }
    high
}
