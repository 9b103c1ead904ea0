//! How often linking is right, wrong or left to a person: invented documents of invented babies, read through an invented
//! bad line.   cargo bench --bench simulator -- [DOCUMENTS] [CASES] [SEED] [NUMBER] [--table DIR]
//! (100,000 of 20,000; seed 1. With NUMBER it shows that one paper, and what was made of it; `--table` writes the papers as a
//! table, for `against_splink.py`.)
//!
//! [`population`] invents families, many of them alike, and the registry of those with an open case. [`paper`] prints what a
//! hospital writes about one of them, sometimes too little, sometimes wrongly. [`channel`] is the fax line and the recogniser:
//! its confusions are those that were counted on faxes whose text is known. Each paper then walks through
//! `pipeline::decide`, as every fax does. No picture is made: what is measured is understanding and linking.
//!
//! Prints the share linked, with the wrong links and the upper bound (95 %) of their rate, by family and by noise. Ends
//! with 1 when a link was wrong. Invented papers are kinder than real ones: the figures are no promise.

mod channel;
mod linkable;
mod paper;
mod population;
#[path = "../../tests/generator/random.rs"]
#[allow(dead_code, reason = "the tests use the rest of it")]
mod random;
mod table;

use std::collections::BTreeMap;
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use jiff::tz::TimeZone;
use nicufaxd::document::{DocumentFormat, Match, MatchStatus, Page, Reading, Receipt};
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
    /// Those that a careful nurse would link at once, and how many of them were linked.
    linkable: usize,
    linkable_linked: usize,
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
        self.linkable += other.linkable;
        self.linkable_linked += other.linkable_linked;
    }
}

/// What became of all papers.
#[derive(Default)]
struct Outcome {
    /// By family and by noise.
    tallies: BTreeMap<String, Tally>,
    /// Why linkable papers were left to a person, ids and pages left out: how often, and one of them.
    reasons: BTreeMap<String, (usize, u64)>,
    /// What papers of babies without a case shared with the case that was proposed, likewise.
    proposed: BTreeMap<String, (usize, u64)>,
    /// Rows of [`table`].
    rows: Vec<String>,
}

impl Outcome {
    fn add(&mut self, other: &Self) {
        for (kind, tally) in &other.tallies {
            self.tallies.entry(kind.clone()).or_default().add(tally);
        }
        self.rows.extend(other.rows.iter().cloned());
        for (ours, theirs) in [(&mut self.reasons, &other.reasons), (&mut self.proposed, &other.proposed)] {
            for (reason, (papers, document)) in theirs {
                ours.entry(reason.clone()).or_insert((0, *document)).0 += papers;
            }
        }
    }
}

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
    let world = World { population, knowledge, seed };
    if let Some(document) = numbers.get(3) {
        world.show(*document);
        return ExitCode::SUCCESS;
    }
    let begun = Instant::now();
    let next = AtomicUsize::new(0);
    let threads = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let mut all = Outcome::default();
    std::thread::scope(|scope| {
        let workers: Vec<_> = (0..threads)
            .map(|_| {
                scope.spawn(|| {
                    let mut outcome = Outcome::default();
                    loop {
                        let document = next.fetch_add(1, Ordering::Relaxed);
                        if document >= documents {
                            return outcome;
                        }
                        world.judge(document as u64, &mut outcome);
                    }
                })
            })
            .collect();
        for worker in workers {
            match worker.join() {
                Ok(outcome) => all.add(&outcome),
                Err(panic) => std::panic::resume_unwind(panic),
            }
        }
    });
    print(&all);
    let table = std::env::args().skip_while(|argument| argument != "--table").nth(1);
    if let Some(folder) = table
        && let Err(error) = table::write(Path::new(&folder), &all.rows, &world.population)
    {
        eprintln!("simulator: {folder}: {error}");
        return ExitCode::FAILURE;
    }
    println!("{:.0} s, {:.2} ms a document on one core", begun.elapsed().as_secs_f64(), {
        begun.elapsed().as_secs_f64() * 1e3 * threads as f64 / documents as f64
    });
    let wrong = all.tallies.get("all").map_or(0, |tally| tally.wrong);
    if wrong == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Who is registered, and what the papers are linked by.
struct World {
    population: Population,
    knowledge: Knowledge,
    seed: u64,
}

/// A paper on its way: as it was written, as it was read, and what was decided on it.
struct Read<'a> {
    paper: Paper<'a>,
    noise: Noise,
    pages: Vec<Page>,
    links: Vec<Match>,
}

impl World {
    /// Invents a paper, and has it read and linked.
    fn read(&self, document: u64) -> Option<Read<'_>> {
        // Of its own, so that a paper is the same whatever thread invents it.
        let mut random = Random::new(self.seed.wrapping_mul(0x9e37_79b9).wrapping_add(document));
        let paper = Paper::write(&self.population, &mut random);
        let noise = Noise::any(&mut random);
        let pages = channel::read(&paper.pages, noise, &mut random);
        let received = paper.written.at(9, 0, 0, 0).to_zoned(TimeZone::UTC).ok()?.timestamp();
        let reading = Reading::new(DocumentFormat::Tiff, pages);
        let receipt = Receipt::new("secure-fax", format!("{document}.tif"), received);
        let decisions = pipeline::decide(&reading, &receipt, &self.knowledge);
        let links = decisions.into_iter().map(|decision| decision.linked).collect();
        Some(Read { paper, noise, pages: reading.pages, links })
    }

    /// Counts what came of a paper.
    fn judge(&self, document: u64, outcome: &mut Outcome) {
        let Some(Read { paper, noise, pages, links }) = self.read(document) else { return };
        let linkable = linkable::is_linkable(&paper, &pages, &self.population);
        for linked in links {
            let may_be_linked =
                paper.whose != Whose::Contradictory || !linkable::is_contradiction_legible(&paper, &pages);
            let mut tally = judged(&self.population, &paper, may_be_linked, &linked);
            tally.linkable = usize::from(linkable);
            tally.linkable_linked = usize::from(linkable && tally.linked > 0);
            if tally.wrong > 0 {
                complain(document, &paper, &linked);
            }
            if linkable && tally.linked == 0 {
                let reasons = outcome.reasons.entry(nameless(&linked.reasons)).or_insert((0, document));
                reasons.0 += 1;
            }
            outcome.rows.push(table::paper(
                &paper,
                document,
                noise,
                [table::truth(&paper, may_be_linked), linked.case_id.as_deref()],
                linkable,
            ));
            if let Some(first) = linked.candidates.first().filter(|_| paper.whose == Whose::Stranger) {
                outcome.proposed.entry(nameless(&first.reasons)).or_insert((0, document)).0 += 1;
            }
            for kind in ["all".to_owned(), paper.whose.name().to_owned(), format!("noise: {}", noise.name())] {
                outcome.tallies.entry(kind).or_default().add(&tally);
            }
        }
    }

    /// One paper, whole: all of it is invented.
    fn show(&self, document: u64) {
        let Some(Read { paper, pages, links, noise }) = self.read(document) else { return };
        println!("{} paper of {:?}, {} line", paper.whose.name(), paper.baby.case_id, noise.name());
        println!("linkable: {}", linkable::is_linkable(&paper, &pages, &self.population));
        for (printed, read) in paper.pages.iter().zip(&pages) {
            println!("---- printed\n{printed}\n---- read\n{}", read.text());
        }
        for linked in &links {
            println!("{:?} {:?} {:.1} {:?}", linked.status, linked.case_id, linked.score, linked.reasons);
            for candidate in &linked.candidates {
                println!("  {} {:.1} {:?}", candidate.case_id, candidate.score, candidate.reasons);
            }
        }
    }
}

/// Reasons without what differs from paper to paper.
fn nameless(reasons: &[String]) -> String {
    let plain = |reason: &String| {
        let words = reason.split(' ').filter(|word| !word.chars().any(|sign| sign.is_ascii_digit()));
        words.collect::<Vec<_>>().join(" ")
    };
    let mut plain: Vec<String> = reasons.iter().map(plain).collect();
    plain.sort();
    plain.dedup();
    plain.join("; ")
}

fn judged(population: &Population, paper: &Paper<'_>, may_be_linked: bool, linked: &Match) -> Tally {
    let mut tally = Tally { papers: 1, ..Tally::default() };
    let right = paper.baby.case_id.as_deref().filter(|_| may_be_linked);
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

/// Reasons printed.
const REASONS: usize = 25;

fn print(outcome: &Outcome) {
    println!(
        "{:<26}{:>8}{:>9}{:>13}{:>7}{:>9}{:>17}{:>11}{:>11}{:>9}",
        "",
        "papers",
        "linked",
        "of linkable",
        "wrong",
        "(family)",
        "at most (95 %)",
        "ambiguous",
        "unmatched",
        "at hand"
    );
    for (kind, tally) in &outcome.tallies {
        let share = |part: usize| 100.0 * part as f64 / tally.papers.max(1) as f64;
        println!(
            "{kind:<26}{:>8}{:>8.1}%{:>12.1}%{:>7}{:>9}{:>13.1}/100k{:>10.1}%{:>10.1}%{:>8.1}%",
            tally.papers,
            share(tally.linked),
            100.0 * tally.linkable_linked as f64 / tally.linkable.max(1) as f64,
            tally.wrong,
            tally.wrong_within_family,
            1e5 * most(tally.wrong) / tally.linked.max(1) as f64,
            share(tally.ambiguous),
            share(tally.unmatched),
            share(tally.at_hand),
        );
    }
    let of_all = outcome.tallies.get("all").copied().unwrap_or_default();
    println!(
        "linkable: {} of {} papers, {} of them linked; {} linked that were not",
        of_all.linkable,
        of_all.papers,
        of_all.linkable_linked,
        of_all.linked - of_all.linkable_linked
    );
    println!("One of the papers, whole: DOCUMENTS CASES SEED NUMBER.");
    println!("Why linkable papers were left to a person, and the number of one of them:");
    list(&outcome.reasons);
    println!("What papers of babies without a case shared with the case that was proposed:");
    list(&outcome.proposed);
}

fn list(reasons: &BTreeMap<String, (usize, u64)>) {
    let mut reasons: Vec<_> = reasons.iter().collect();
    reasons.sort_by_key(|(reason, (papers, _))| (std::cmp::Reverse(*papers), *reason));
    for (reason, (papers, document)) in reasons.into_iter().take(REASONS) {
        println!("{papers:>7}  {reason}   ({document})");
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
