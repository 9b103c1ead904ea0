//! Of all candidates for a field, the one with the most behind it; what contradicts is left out.

use crate::document::{Bounds, Field, FieldValue, Fields};

/// A value that was found for a field, with what speaks for it.
pub(super) struct Candidate {
    pub field: &'static str,
    pub value: FieldValue,
    /// How well label and place speak for it, 0 to 1.
    pub strength: f32,
    /// The recogniser's, 0 to 1.
    pub read: f32,
    pub page: u32,
    pub bounds: Bounds,
}

/// For each field the value with the most behind it.
pub(super) fn choose(candidates: &[Candidate]) -> Fields {
    let mut fields = Fields::new();
    let mut names: Vec<&'static str> = candidates.iter().map(|candidate| candidate.field).collect();
    names.sort_unstable();
    names.dedup();
    for name in names {
        let of_field: Vec<&Candidate> = candidates.iter().filter(|candidate| candidate.field == name).collect();
        let mut best: Option<(f32, &Candidate, usize)> = None;
        for (order, candidate) in of_field.iter().enumerate() {
            let votes =
                of_field.iter().filter(|other| other.value == candidate.value && other.strength >= 0.35).count();
            // The first of equals: what stands first on a paper is its head.
            let score = candidate.strength * (0.5 + 0.5 * candidate.read) + 0.08 * (votes.min(4) as f32)
                - 0.01 * (order.min(10) as f32);
            if best.as_ref().is_none_or(|(best, _, _)| score > *best) {
                best = Some((score, candidate, votes));
            }
        }
        if let Some((_, candidate, votes)) = best {
            let agreed = 1.0 + 0.05 * (votes.saturating_sub(1).min(3) as f32);
            let rivals = of_field
                .iter()
                .filter(|other| other.value != candidate.value && other.strength >= candidate.strength)
                .count();
            let doubt = if rivals > votes { 0.7 } else { 1.0 };
            let confidence =
                ((0.3 + 0.7 * candidate.strength) * (0.25 + 0.75 * candidate.read) * agreed * doubt).clamp(0.0, 0.99);
            fields.insert(
                name.to_owned(),
                Field { value: candidate.value.clone(), confidence, page: candidate.page, bounds: candidate.bounds },
            );
        }
    }
    drop_contradictions(&mut fields);
    fields
}

/// A stay can't begin before birth, nor end before it begins: the less certain of two that contradict is left out.
fn drop_contradictions(fields: &mut Fields) {
    for (earlier, later) in
        [("dob", "admit_date"), ("admit_date", "discharge_date"), ("dob", "discharge_date"), ("dob", "transfer_date")]
    {
        let date = |name: &str| match fields.get(name) {
            Some(Field { value: FieldValue::Date(date), confidence, .. }) => Some((*date, *confidence)),
            _ => None,
        };
        if let (Some(first), Some(second)) = (date(earlier), date(later))
            && second.0 < first.0
        {
            fields.remove(if first.1 < second.1 { earlier } else { later });
        }
    }
}
