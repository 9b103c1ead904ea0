//! What the text that came with a paper says of whose it is: a message's words around its one attachment.
//!
//! It never links a paper by itself. It helps a paper over the threshold that speaks for the same case already, where
//! no sibling could be meant; and where it speaks for another baby, the paper is left to a person, however sure the
//! paper alone would be.

use super::{LinkPolicy, Registry, link};
use crate::document::{DocumentType, Fields, Match, Page, Reading, Receipt, Understanding};

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
    let mut alone = link(paper, understanding, registry, policy, receipt);
    let text = Reading { format: paper.format, pages: vec![covering.clone()], mail: None };
    let of_text = link(&text, &nothing_understood(), registry, policy, receipt);
    let Some(spoken_for) = of_text.candidates.first() else { return alone };
    if let Some(case_id) = alone.case_id.as_deref() {
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
    let pages = paper.pages.iter().chain([covering]).cloned().collect();
    let both = Reading { format: paper.format, pages, mail: None };
    let both = link(&both, understanding, registry, policy, receipt);
    let supported = |case_id: &str| {
        alone.candidates.first().is_some_and(|first| first.case_id == case_id) && !registry.has_sibling(case_id)
    };
    if both.case_id.as_deref().is_some_and(supported) { both } else { alone }
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
