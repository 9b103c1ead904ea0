//! How the identifiers of a case stand on the pages: exact, misread, one character off, or another's.
//!
//! Compares whole identifiers only, by edits and by the confusions of recognition; nothing here knows the shape of any
//! hospital's or plan's numbers but what the registry itself shows.

use super::index::{IdKind, Index, Traits, bare_digits, merge};
use super::labels::Label;
use super::printed::PrintedId;
use super::siblings::Owner;
use super::spot::Printed;

/// How an identifier of the case stands on the pages.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum IdState {
    /// None of its kind is printed, or the case has none.
    Absent,
    /// One of its kind is printed, and it is another.
    Other,
    /// One that is a single edit off: a misprint, a misreading, or the twin's.
    Near,
    /// The family's part agrees, the dependant's suffix is missing or another (member ids only).
    Family,
    /// Equal but for characters that recognition confuses, or for letters in front.
    Alike,
    Exact,
}

#[derive(Clone, Debug)]
pub(super) struct IdFinding {
    pub state: IdState,
    /// Pages where it stands in that state.
    pub pages: Vec<u32>,
    /// The best recognition of it.
    pub confidence: f32,
    /// Pages where a clearly different one of its kind stands.
    pub strangers: Vec<u32>,
    /// It stands somewhere as the patient's own.
    pub owned: bool,
    /// Pages where it stands as that of another baby of the family, which is no evidence for the case.
    pub siblings: Vec<u32>,
    /// One of those may yet be a part of the patient's name (`Twin B`).
    pub maybe_own: bool,
    /// Pages where a barcode holds it.
    pub coded: Vec<u32>,
    /// It agrees by a barcode alone.
    pub coded_only: bool,
}

pub(super) fn find_id(printed: &Printed, kind: IdKind, traits: &Traits, index: &Index) -> IdFinding {
    let label = match kind {
        IdKind::CaseId => Label::CaseId,
        IdKind::Auth => Label::Auth,
        IdKind::Mrn => Label::Mrn,
        IdKind::Member => Label::Member,
    };
    let value = traits.id(kind);
    let mut finding = IdFinding {
        state: IdState::Absent,
        pages: Vec::new(),
        confidence: 0.0,
        strangers: Vec::new(),
        owned: false,
        siblings: Vec::new(),
        maybe_own: false,
        coded: Vec::new(),
        coded_only: false,
    };
    if value.is_empty() {
        return finding;
    }
    let merged = merge(value);
    let mut strangers: Vec<(u32, usize)> = Vec::new();
    let mut known: Vec<(u32, usize)> = Vec::new();
    for id in &printed.ids {
        if id.coded {
            finding.coded.extend((id.folded == value).then_some(id.page));
            continue;
        }
        if id.label == Label::OtherNumber {
            continue;
        }
        let labelled = id.label == label && index.shaped(kind, &id.folded);
        let state = id_state(id, value, &merged, kind, traits, labelled);
        if state == IdState::Absent {
            continue;
        }
        // The member id is the family's, whoever's it is said to be.
        if id.owner >= Owner::Twin && kind != IdKind::Member {
            if state >= IdState::Alike {
                finding.siblings.push(id.page);
                finding.maybe_own |= id.owner == Owner::Twin;
            }
            continue;
        }
        finding.owned |= state >= IdState::Alike && id.owner == Owner::Patient;
        if state == IdState::Other {
            if id.confidence >= 0.6 && strsim::levenshtein(&id.merged, &merged) >= 3 {
                strangers.push((id.page, id.place));
            }
        } else {
            known.push((id.page, id.place));
        }
        if state > finding.state {
            finding.state = state;
            finding.pages = vec![id.page];
            finding.confidence = id.confidence;
        } else if state == finding.state {
            finding.confidence = finding.confidence.max(id.confidence);
            if !finding.pages.contains(&id.page) {
                finding.pages.push(id.page);
            }
        }
    }
    finding.strangers = strangers.into_iter().filter(|place| !known.contains(place)).map(|(page, _)| page).collect();
    finding.strangers.sort_unstable();
    finding.strangers.dedup();
    finding.siblings.sort_unstable();
    finding.siblings.dedup();
    // Words that say otherwise are not overruled.
    if !finding.coded.is_empty() && finding.state != IdState::Other {
        finding.coded_only = finding.state < IdState::Alike;
        if finding.state < IdState::Exact {
            finding.state = IdState::Exact;
            finding.pages.clear();
            finding.confidence = 1.0;
        }
        finding.pages.extend(&finding.coded);
    }
    finding
}

fn id_state(id: &PrintedId, value: &str, merged: &str, kind: IdKind, traits: &Traits, labelled: bool) -> IdState {
    let folded = id.folded.as_str();
    if folded == value {
        return IdState::Exact;
    }
    // Most numbers of a page are nothing like it: eight characters cover a prefix left out or a suffix put on.
    if !labelled && folded.len().abs_diff(value.len()) > 8 {
        return IdState::Absent;
    }
    let digits_agree = match (bare_digits(folded), bare_digits(value)) {
        (Some(left), Some(right)) => labelled && left == right,
        (None, Some(right)) => id.merged == right,
        (Some(left), None) => left == merged,
        (None, None) => false,
    };
    if id.merged == merged || digits_agree {
        return IdState::Alike;
    }
    if kind == IdKind::Member {
        let base = traits.member_base.len();
        let same_front = id.merged.len() >= base && merged.get(..base).is_some_and(|base| id.merged.starts_with(base));
        let suffix = id.merged.get(base..).filter(|_| same_front);
        if suffix.is_some_and(|suffix| suffix.len() <= 3) {
            return IdState::Family;
        }
    }
    // Five characters and less are one edit from too much.
    if value.len() >= 6 && one_edit_apart(id.merged.as_bytes(), merged.as_bytes()) {
        IdState::Near
    } else if labelled {
        IdState::Other
    } else {
        IdState::Absent
    }
}

/// Whether the two differ by one character put in, left out or exchanged; two neighbours swapped count as one.
fn one_edit_apart(left: &[u8], right: &[u8]) -> bool {
    let same_front = left.iter().zip(right).take_while(|(left, right)| left == right).count();
    let (left, right) = (left.get(same_front..).unwrap_or_default(), right.get(same_front..).unwrap_or_default());
    match (left, right) {
        ([a, b, left @ ..], [c, d, right @ ..]) if a == d && b == c && left == right => true,
        ([_, left_rest @ ..], [_, right_rest @ ..]) => {
            left_rest == right_rest || left_rest == right || left == right_rest
        }
        ([_], []) | ([], [_]) => true,
        ([] | [_, ..], []) | ([], [_, ..]) => false,
    }
}

/// How likely one of the some two hundred numbers of a document hits an identifier by chance: by its digits, of which serial
/// numbers share the first.
pub(super) fn chance_of_digits(value: &str) -> f64 {
    let digits = value.bytes().filter(u8::is_ascii_digit).count() as i32;
    256.0 * 10f64.powi(-digits)
}
