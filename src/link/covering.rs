//! What the text that came with a paper says of whose it is: a message's words around its one attachment.
//!
//! It never links a paper by itself. It helps a paper over the threshold that speaks for the same case already, where
//! no sibling could be meant; and where it speaks for another baby, the paper is left to a person, however sure the
//! paper alone would be. The name of a grown-up alone, who may have signed it, speaks against no paper that bears the
//! baby's own identifiers.

use super::compare::Comparison;
use super::identifiers::IdState;
use super::index::IdKind;
use super::{LinkPolicy, Registry, link, weighed};
use crate::document::{Candidate, DocumentType, Fields, Match, Page, Reading, Receipt, Understanding};

/// The number of the page that stands for the text: reasons name it `mail`.
pub const COVERING_PAGE: u32 = 0;

/// Links a paper in the light of the text around it. `covering` is that text as a page numbered [`COVERING_PAGE`].
pub fn link_covered(
    paper: &Reading,
    covering: &Page,
    understanding: &Understanding,
    registry: &Registry,
    policy: &LinkPolicy,
    receipt: &Receipt,
) -> Match {
    let (mut alone, of_paper) = weighed(paper, understanding, registry, policy, receipt);
    let text = Reading { format: paper.format, pages: vec![covering.clone()], mail: None };
    let (of_text, heard) = weighed(&text, &nothing_understood(), registry, policy, receipt);
    let case_of =
        |comparison: &Comparison| registry.cases().get(comparison.case as usize).map(|case| case.case_id.as_str());
    if let Some(case_id) = alone.case_id.as_deref() {
        let identified = of_paper
            .iter()
            .find(|one| case_of(one) == Some(case_id))
            .is_some_and(|one| one.own_ids() >= 1 && one.any_name() && one.born_then());
        let counts = |candidate: &&Candidate| {
            let found = heard.iter().find(|one| case_of(one) == Some(candidate.case_id.as_str()));
            !identified || found.is_none_or(speaks_of_a_baby)
        };
        let Some(spoken_for) = of_text.candidates.iter().find(counts) else { return alone };
        // A case that the text speaks for as much as for any other.
        let agrees = of_text
            .candidates
            .iter()
            .any(|candidate| candidate.case_id == case_id && candidate.score + policy.margin >= spoken_for.score);
        if !agrees {
            alone.leave_to_a_person("the message's own text speaks for another case".to_owned());
        }
        return alone;
    }
    if of_text.candidates.is_empty() {
        return alone;
    }
    let pages = paper.pages.iter().chain([covering]).cloned().collect();
    let both = Reading { format: paper.format, pages, mail: None };
    let both = link(&both, understanding, registry, policy, receipt);
    let supported = |case_id: &str| {
        alone.candidates.first().is_some_and(|first| first.case_id == case_id) && !registry.has_sibling(case_id)
    };
    if both.case_id.as_deref().is_some_and(supported) { both } else { alone }
}

/// Whether a text that speaks for a case tells of its baby: by a number, a birth date or the baby's own name. A surname, or
/// the mother's whole name, may be the sender's.
fn speaks_of_a_baby(heard: &Comparison) -> bool {
    IdKind::ALL.into_iter().any(|kind| heard.id(kind).state >= IdState::Near)
        || heard.born_then()
        || heard.full_name
        || heard.newborn_name
        || heard.mothers_child
        || !heard.orders.is_empty()
}

/// Of a text of which only the words count.
fn nothing_understood() -> Understanding {
    Understanding {
        document_type: DocumentType::Other,
        type_confidence: 0.0,
        transfer_direction: None,
        fired_rules: Vec::new(),
        fields: Fields::new(),
        missing: Vec::new(),
        unreadable: Vec::new(),
    }
}
