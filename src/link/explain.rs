//! What a link was decided on, figure by figure: for a nurse who asks why.
//!
//! The findings' words hold no value, as everywhere; whoever prints them puts the case's own values beside them.

use super::weights::Subject;
use super::{LinkPolicy, Registry, weighed};
use crate::document::{Match, Reading, Receipt, Understanding};

/// One thing that speaks for or against a case.
#[derive(Clone, Debug, PartialEq)]
pub struct Finding {
    pub subject: Subject,
    pub words: String,
    pub bits: f64,
}

/// A case with all that was found, heaviest first.
#[derive(Clone, Debug, PartialEq)]
pub struct Weighing {
    pub case_id: String,
    /// The sum of the findings.
    pub bits: f64,
    pub findings: Vec<Finding>,
}

/// Why pages were linked to a case, or were not.
#[derive(Clone, Debug, PartialEq)]
pub struct Explanation {
    /// As linking these pages by themselves decides now.
    pub decided: Match,
    /// Bits that any case needs because there are so many: log2 of their number.
    pub prior: f64,
    /// Bits from which a case is linked, the prior included.
    pub needed: f64,
    /// Bits by which the next case must be behind.
    pub margin: f64,
    /// The cases that the pages may speak for, best first.
    pub weighings: Vec<Weighing>,
}

/// Weighs the pages anew, as [`link`](super::link) does, and keeps every figure.
pub fn explain(
    reading: &Reading,
    understanding: &Understanding,
    registry: &Registry,
    policy: &LinkPolicy,
    receipt: &Receipt,
) -> Explanation {
    let (decided, comparisons) = weighed(reading, understanding, registry, policy, receipt);
    let prior = (registry.cases().len().max(2) as f64).log2();
    let weighings = comparisons.into_iter().filter_map(|comparison| {
        let case_id = registry.cases().get(comparison.case as usize)?.case_id.clone();
        let mut findings: Vec<Finding> = comparison
            .evidence
            .into_iter()
            .map(|evidence| Finding { subject: evidence.subject, words: evidence.words, bits: evidence.bits })
            .collect();
        findings.sort_by(|left, right| right.bits.abs().total_cmp(&left.bits.abs()));
        Some(Weighing { case_id, bits: comparison.score, findings })
    });
    Explanation { decided, prior, needed: prior + policy.accept, margin: policy.margin, weighings: weighings.collect() }
}
