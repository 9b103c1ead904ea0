//! Finds the open case that a document belongs to, or leaves that to a person.
//!
//! The open cases are a closed dictionary, so linking looks for the registry on the page: every identifier, date and
//! name that a case has is spotted wherever it stands, whatever the layout; labels and understood fields only raise
//! or lower what a hit is worth. Then the candidates are weighed (Fellegi–Sunter, in bits), and hard rules decide
//! whether the best one is beyond doubt.
//!
//! Pure: no clock, disk, network or thread. Never writes a value of the page or of a case into its reasons; a case
//! is named by its id. Never links a case that a sibling could be taken for without a mark that tells them apart.
//!
//! In the order of the flow: `registry` and `index` are the loaded snapshot, `printed` what stands on a page (with
//! `labels`, `dates` and, for whose it is, `siblings`), `spot` what of the registry stands there (`codes`: in barcodes), `compare`
//! what agrees (with `identifiers`), `weights` what that is worth,
//! `decide` the rules, `explain` what they had before them, `learn` the weights from papers; `covering` adds what the text around a message's paper says.

mod codes;
mod compare;
mod covering;
mod dates;
mod decide;
mod explain;
mod identifiers;
mod index;
mod labels;
mod learn;
mod printed;
mod registry;
mod siblings;
mod spoken;
mod spot;
mod weights;

#[cfg(test)]
mod code_tests;
#[cfg(test)]
mod family_tests;
#[cfg(test)]
mod hard_tests;
#[cfg(test)]
mod tests;

pub use self::covering::{COVERING_PAGE, link_covered};
pub use crate::names::Sex;
pub use explain::{Explanation, Finding, Weighing, explain};
pub use learn::{Change, Learner, Learnt};
pub use registry::{Case, CaseStatus, DoubtfulRow, Registry, RegistryError};
pub use weights::{Level, LinkWeights, Subject, Weight, WeightsError};

use crate::document::{Match, Reading, Receipt, Understanding};

/// How sure a link must be. All in bits of Fellegi–Sunter weight; `accept` and `consider` count from the prior, log2
/// of the number of cases, so that they mean the same for a small and a large registry.
#[derive(Clone, Debug, PartialEq)]
pub struct LinkPolicy {
    /// A case is linked from prior + this on: 12 bits are odds of 4,096 to 1. 6 to 40.
    pub accept: f64,
    /// The next best case must be this far behind. 3 to 40.
    pub margin: f64,
    /// A case is shown to a person from prior + this on; below, the document is unmatched. -20 to `accept`.
    pub consider: f64,
    /// What each finding is worth; from a file of its own.
    pub weights: LinkWeights,
}

impl Default for LinkPolicy {
    fn default() -> Self {
        Self { accept: 12.0, margin: 6.0, consider: 0.0, weights: LinkWeights::default() }
    }
}

/// A policy outside its ranges.
#[derive(Debug, thiserror::Error, PartialEq)]
#[error("`{key}` is {value}; set it between {least} and {most}")]
pub struct LinkPolicyError {
    pub key: &'static str,
    pub value: f64,
    pub least: f64,
    pub most: f64,
}

impl LinkPolicy {
    /// Says which setting is out of its range (see the fields).
    pub fn check(&self) -> Result<(), LinkPolicyError> {
        for (key, value, least, most) in [
            ("accept", self.accept, 6.0, 40.0),
            ("margin", self.margin, 3.0, 40.0),
            ("consider", self.consider, -20.0, self.accept),
        ] {
            if !(least..=most).contains(&value) {
                return Err(LinkPolicyError { key, value, least, most });
            }
        }
        Ok(())
    }
}

/// Links a document, or some of its pages, to a case of the registry.
///
/// Only `understanding.fields` is used of the understanding, as further evidence; it may be empty. Only the sender of
/// the receipt is used.
pub fn link(
    reading: &Reading,
    understanding: &Understanding,
    registry: &Registry,
    policy: &LinkPolicy,
    receipt: &Receipt,
) -> Match {
    weighed(reading, understanding, registry, policy, receipt).0
}

/// As [`link`], with what every case that the pages may speak for was found to share with them, best first.
fn weighed(
    reading: &Reading,
    understanding: &Understanding,
    registry: &Registry,
    policy: &LinkPolicy,
    receipt: &Receipt,
) -> (Match, Vec<compare::Comparison>) {
    let index = &registry.index;
    let printed = spot::Printed::read(reading, understanding, index);
    let mut comparisons: Vec<compare::Comparison> = printed
        .candidates(index)
        .into_iter()
        .filter_map(|at| {
            let case = registry.cases().get(at as usize)?;
            let traits = index.traits.get(at as usize)?;
            Some(compare::compare(&printed, at, case, traits, index, receipt, &policy.weights))
        })
        .collect();
    comparisons.sort_by(|left, right| right.score.total_cmp(&left.score).then(left.case.cmp(&right.case)));
    let decision =
        decide::Decision { cases: registry.cases(), index, printed: &printed, policy, comparisons: &comparisons };
    (decision.decide(), comparisons)
}
