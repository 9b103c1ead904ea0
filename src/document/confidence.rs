//! Confidence as it is told to people and programs outside: of what is given 0.9, nine in ten are right.
//!
//! Inside, words carry what the recogniser thinks of them, on its own scale, and facts what the rules make of that; every
//! threshold was chosen on these scales. They are brought to the scale of shares on the way out: in `read --json` and in the
//! items of the queue. Both maps only ever rise, so nothing changes its rank.

/// The recogniser's confidence, and the share of words with it that are right, by `tests/calibrate.py --fit`: half of 88 invented
/// faxes and mails (20,000 words), November 2026. On the other half (34,000 words)
/// tenths from 0.5 on were within 0.07 and those below within 0.13, always too low.
const WORDS: [(f32, f32); 16] = [
    (0.0, 0.12),
    (0.076, 0.15),
    (0.347, 0.253),
    (0.528, 0.427),
    (0.66, 0.583),
    (0.757, 0.662),
    (0.826, 0.705),
    (0.87, 0.762),
    (0.894, 0.818),
    (0.908, 0.887),
    (0.918, 0.93),
    (0.93, 0.96),
    (0.954, 0.978),
    (0.965, 0.994),
    (0.97, 0.998),
    (1.0, 0.999),
];

/// What the rules give a fact, and the share of such facts that are as printed, likewise (800 facts).
const FIELDS: [(f32, f32); 7] =
    [(0.0, 0.6), (0.483, 0.8), (0.708, 0.885), (0.881, 0.917), (0.934, 0.98), (0.984, 0.995), (1.0, 0.999)];

/// The share of words right that the recogniser gives this confidence (0 to 1).
pub fn of_word(recognised: f32) -> f32 {
    along(&WORDS, recognised)
}

/// The share of facts right that the rules give this confidence (0 to 1).
pub fn of_field(understood: f32) -> f32 {
    along(&FIELDS, understood)
}

/// The broken line through these points.
fn along(line: &[(f32, f32)], at: f32) -> f32 {
    for pair in line.windows(2) {
        if let &[(from, low), (to, high)] = pair
            && at <= to
        {
            return low + (high - low) * ((at - from) / (to - from)).clamp(0.0, 1.0);
        }
    }
    line.last().map_or(at, |last| last.1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_given_more_by_the_recogniser_is_given_more_outside() {
        for told in [of_word, of_field] {
            let given: Vec<f32> = (0..=100).map(|percent| told(percent as f32 / 100.0)).collect();
            assert!(given.windows(2).all(|pair| pair[0] < pair[1]), "{given:?}");
            assert!(given.iter().all(|share| (0.0..1.0).contains(share)), "{given:?}");
        }
    }

    #[test]
    fn the_points_of_the_line_are_on_it_and_what_is_no_confidence_stays_within() {
        assert!((of_word(0.894) - 0.818).abs() < 1e-6);
        assert!((of_word(-1.0) - 0.12).abs() < 1e-6);
        assert!((of_word(7.0) - 0.999).abs() < 1e-6);
    }
}
