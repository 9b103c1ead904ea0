//! Fits the weights to papers: expectation and maximisation over pairs of a paper and a case, of which some are known.
//!
//! A paper whose case a person has told counts as known; of any other, each case that it may speak for is its own with the
//! probability that the weights of the round give it, and with what is left it belongs to no case. `m` is what is found
//! on the papers of their own cases, so weighed; `u` on papers compared with cases drawn at random, once (as Splink
//! does: what is found among look-alikes would be too much). A value's own rarity is counted, never learnt.
//!
//! Deterministic: the same papers in the same order give the same table. A level that is seen too seldom keeps its weight.

use std::collections::BTreeMap;

use super::compare::{self, Evidence};
use super::spot::Printed;
use super::weights::{Level, LinkWeights, Subject, Weight};
use super::{LinkPolicy, Registry, weighed};
use crate::document::{MatchStatus, Reading, Receipt, Understanding};

/// Cases drawn at random for a paper, to learn how strangers compare.
const STRANGERS: usize = 8;

/// A subject that is found on fewer pairs keeps its weights: 30 leave a share of 0.1 uncertain by half of it.
const LEAST: f64 = 30.0;

/// So many imagined pairs, that stand as the table says, are put to those that were seen.
const IMAGINED: f64 = 20.0;

/// Most rounds; it ends when no share changes any more.
const ROUNDS: usize = 200;
const SETTLED: f64 = 1e-7;

/// Not a share of what is printed, but of what follows from other findings: what is seen of them tells nothing of it.
fn is_learnt(subject: Subject, level: Level) -> bool {
    !matches!(subject, Subject::Facility | Subject::AnotherRecord | Subject::AdmissionDate)
        && (subject, level) != (Subject::MothersName, Level::Mothers)
}

/// What was found of one case on one paper.
#[derive(Debug)]
struct Pair {
    found: Vec<(Subject, Level, Option<f64>)>,
}

impl Pair {
    fn of(evidence: &[Evidence]) -> Self {
        Self { found: evidence.iter().map(|one| (one.subject, one.level, one.chance)).collect() }
    }

    fn bits(&self, weights: &LinkWeights) -> f64 {
        self.found.iter().map(|&(subject, level, chance)| weights.of(subject, level).bits(chance)).sum()
    }
}

#[derive(Debug)]
struct Paper {
    pairs: Vec<Pair>,
    /// Which of the pairs a person has told to be its own.
    own: Option<usize>,
}

/// Papers, as they are seen one after the other.
#[derive(Debug)]
pub struct Learner<'a> {
    registry: &'a Registry,
    policy: &'a LinkPolicy,
    papers: Vec<Paper>,
    strangers: Vec<Pair>,
    refused: usize,
}

/// A weight before and after.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Change {
    pub subject: Subject,
    pub level: Level,
    pub before: Weight,
    pub after: Weight,
    /// On how many papers of its own case it was found, weighed by how sure that is.
    pub seen: f64,
    /// It was seen often enough to be learnt.
    pub learnt: bool,
}

/// What was learnt.
#[derive(Clone, Debug)]
pub struct Learnt {
    pub weights: LinkWeights,
    /// Every level, in the order of the table.
    pub changes: Vec<Change>,
    pub papers: usize,
    /// Of which a person has told the case.
    pub labelled: usize,
    /// Labels that name no case of the registry.
    pub refused: usize,
    pub rounds: usize,
}

impl<'a> Learner<'a> {
    pub fn new(registry: &'a Registry, policy: &'a LinkPolicy) -> Self {
        Self { registry, policy, papers: Vec::new(), strangers: Vec::new(), refused: 0 }
    }

    /// Takes a paper in; `case_id` is what a person has told. Gives the case to which it would be linked now.
    pub fn see(
        &mut self,
        reading: &Reading,
        understanding: &Understanding,
        receipt: &Receipt,
        case_id: Option<&str>,
    ) -> Option<String> {
        let (decided, comparisons) = weighed(reading, understanding, self.registry, self.policy, receipt);
        let printed = Printed::read(reading, understanding, &self.registry.index);
        let compared = |at: u32| {
            let case = self.registry.cases().get(at as usize)?;
            let traits = self.registry.index.traits.get(at as usize)?;
            let index = &self.registry.index;
            let comparison = compare::compare(&printed, at, case, traits, index, receipt, &self.policy.weights);
            Some(Pair::of(&comparison.evidence))
        };
        let mut pairs: Vec<Pair> = comparisons.iter().map(|one| Pair::of(&one.evidence)).collect();
        let mut own = None;
        if let Some(case_id) = case_id {
            match self.registry.place(case_id) {
                Some(at) => {
                    own = comparisons.iter().position(|one| one.case == at);
                    if own.is_none() {
                        own = Some(pairs.len());
                        pairs.extend(compared(at));
                    }
                }
                None => self.refused += 1,
            }
        }
        let cases = self.registry.cases().len();
        for number in 0..STRANGERS.min(cases) {
            // Spread over the registry, another place for each paper.
            let at = (self.papers.len() * STRANGERS + number).wrapping_mul(0x9e37_79b1) % cases;
            if !comparisons.iter().any(|one| one.case as usize == at) {
                self.strangers.extend(compared(at as u32));
            }
        }
        self.papers.push(Paper { pairs, own });
        decided.case_id.filter(|_| decided.status == MatchStatus::Matched)
    }

    /// Learns from all that was seen.
    pub fn fit(self) -> Learnt {
        let before = &self.policy.weights;
        let mut weights = before.clone();
        self.learn_strangers(&mut weights);
        let mut shares = Shares::default();
        let mut rounds = 0;
        while rounds < ROUNDS {
            rounds += 1;
            shares = self.expect(&weights);
            let mut moved: f64 = 0.0;
            for (subject, level, weight) in before.iter() {
                let Some(m) = shares.of(subject, level, weight.m) else { continue };
                let now = weights.of(subject, level);
                moved = moved.max((m - now.m).abs());
                weights.set(subject, level, Weight { m, ..now });
                // What `set` held back does not move any more.
                if weights.of(subject, level) == now {
                    moved = moved.min(SETTLED);
                }
            }
            if moved <= SETTLED {
                break;
            }
        }
        let changes = before.iter().map(|(subject, level, before)| Change {
            subject,
            level,
            before,
            after: weights.of(subject, level),
            seen: shares.found.get(&(subject, level)).copied().unwrap_or_default(),
            learnt: shares.of(subject, level, before.m).is_some(),
        });
        Learnt {
            changes: changes.collect(),
            papers: self.papers.len(),
            labelled: self.papers.iter().filter(|paper| paper.own.is_some()).count(),
            refused: self.refused,
            rounds,
            weights,
        }
    }

    /// `u` of the levels for which no rarity is counted.
    fn learn_strangers(&self, weights: &mut LinkWeights) {
        let mut shares = Shares::default();
        for pair in &self.strangers {
            shares.add(pair, 1.0);
        }
        for (subject, level, weight) in weights.clone().iter() {
            if !LinkWeights::is_counted(subject, level)
                && let Some(u) = shares.of(subject, level, weight.u[0])
            {
                weights.set(subject, level, Weight { m: weight.m, u: [u, u] });
            }
        }
    }

    /// How often each level is found on papers of their own cases, by the present weights.
    fn expect(&self, weights: &LinkWeights) -> Shares {
        let mut shares = Shares::default();
        let cases = self.registry.cases().len().max(2) as f64;
        for paper in &self.papers {
            if let Some(own) = paper.own {
                if let Some(pair) = paper.pairs.get(own) {
                    shares.add(pair, 1.0);
                }
                continue;
            }
            // Each case is as likely before anything is looked at, and so is that it has none.
            let likely: Vec<f64> = paper.pairs.iter().map(|pair| pair.bits(weights).exp2() / cases).collect();
            let all = 1.0 + likely.iter().sum::<f64>();
            for (pair, likely) in paper.pairs.iter().zip(likely) {
                shares.add(pair, likely / all);
            }
        }
        shares
    }
}

/// Counts of what was found, weighed.
#[derive(Debug, Default)]
struct Shares {
    found: BTreeMap<(Subject, Level), f64>,
    looked_at: BTreeMap<Subject, f64>,
}

impl Shares {
    fn add(&mut self, pair: &Pair, by: f64) {
        for &(subject, level, _) in pair.found.iter().filter(|&&(subject, level, _)| is_learnt(subject, level)) {
            *self.found.entry((subject, level)).or_default() += by;
            *self.looked_at.entry(subject).or_default() += by;
        }
    }

    /// The share of a level; `usual` is what the table says. `None` where too little was seen.
    fn of(&self, subject: Subject, level: Level, usual: f64) -> Option<f64> {
        let looked_at =
            self.looked_at.get(&subject).copied().filter(|&seen| seen >= LEAST && is_learnt(subject, level))?;
        let found = self.found.get(&(subject, level)).copied().unwrap_or_default();
        Some(((found + IMAGINED * usual) / (looked_at + IMAGINED)).clamp(1e-6, 1.0 - 1e-6))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::link::tests::{MAREN, TWIN_A, TWIN_B, nothing_understood, registry};
    use crate::testing::reading_of;

    fn receipt() -> Receipt {
        Receipt::new("fax", "1.tif", "2026-03-16T09:00:00Z".parse().unwrap())
    }

    fn learnt(pages: &[(&str, Option<&str>)]) -> Learnt {
        let (registry, policy) = (registry(&[MAREN, TWIN_A, TWIN_B]), LinkPolicy::default());
        let mut learner = Learner::new(&registry, &policy);
        for (page, case_id) in pages {
            learner.see(&reading_of(&[page]), &nothing_understood(), &receipt(), *case_id);
        }
        learner.fit()
    }

    const OWN: &str = "Patient: Tolvik, Maren\nDOB: 02/07/2026\nMRN: MR-440101\nAuth #: 8830011223";
    const MISCOPIED: &str = "Patient: Tolvik, Maren\nDOB: 02/07/2026\nMRN: MR-440701\nAuth #: 8830011223";

    fn m(learnt: &Learnt, level: Level) -> f64 {
        learnt.weights.of(Subject::Mrn, level).m
    }

    #[test]
    fn where_numbers_are_often_miscopied_a_number_that_is_off_by_one_weighs_more() {
        let good = learnt(&[(OWN, None); 80]);
        let bad: Vec<_> = (0..80).map(|at| (if at % 4 == 0 { MISCOPIED } else { OWN }, None)).collect();
        let bad = learnt(&bad);
        assert!(m(&bad, Level::Near) > 4.0 * m(&good, Level::Near), "{:?}", bad.changes);
        assert!(m(&bad, Level::Exact) < m(&good, Level::Exact));
        assert_eq!(
            bad.weights,
            learnt(&(0..80).map(|at| (if at % 4 == 0 { MISCOPIED } else { OWN }, None)).collect::<Vec<_>>()).weights
        );
    }

    #[test]
    fn what_a_person_has_told_counts_whatever_the_weights_say() {
        let strange = "Patient: Tolvik\nMRN: MR-999999\nDOB: 02/07/2026";
        let told = learnt(&[(strange, Some("K-100")); 60]);
        assert_eq!((told.papers, told.labelled, told.refused), (60, 60, 0));
        assert!(m(&told, Level::Other) > 0.2, "{}", m(&told, Level::Other));
        let unknown = learnt(&[(strange, Some("K-NONE"))]);
        assert_eq!((unknown.labelled, unknown.refused), (0, 1));
    }

    #[test]
    fn what_is_seen_too_seldom_keeps_its_weight() {
        let few = learnt(&[(OWN, None); 3]);
        assert!(
            few.changes
                .iter()
                .filter(|change| change.subject == Subject::Mrn)
                .all(|change| { !change.learnt && change.before == change.after })
        );
    }
}
