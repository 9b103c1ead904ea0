//! How many acknowledgements an address got lately. A robot that answers each of ours, and says nowhere that it is one, is
//! not written to for ever.
//!
//! In memory: a restart forgets, and what goes in circles comes to its end again.

use std::collections::HashMap;

use jiff::{SignedDuration, Timestamp};

/// Acknowledgements to one address within [`WITHIN`]. A hospital's reviewer writes a few messages a day.
const MOST: usize = 10;

const WITHIN: SignedDuration = SignedDuration::from_hours(24);

/// When each address was written to.
#[derive(Debug, Default)]
pub struct Answered(HashMap<String, Vec<Timestamp>>);

impl Answered {
    /// Whether one more may go to this address; notes that it does.
    pub fn note(&mut self, address: &str, now: Timestamp) -> bool {
        for times in self.0.values_mut() {
            times.retain(|time| now.duration_since(*time) < WITHIN);
        }
        self.0.retain(|_, times| !times.is_empty());
        let times = self.0.entry(address.to_lowercase()).or_default();
        let may = times.len() < MOST;
        if may {
            times.push(now);
        }
        may
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_answered_so_many_times_a_day_whatever_others_get() {
        let start: Timestamp = "2026-03-16T09:12:00Z".parse().unwrap();
        let mut answered = Answered::default();
        let told = (0..20).filter(|_| answered.note("ur@hospital.example", start)).count();
        assert_eq!(told, MOST);
        assert!(!answered.note("UR@hospital.example", start + SignedDuration::from_hours(23)));
        assert!(answered.note("cm@hospital.example", start));
        assert!(answered.note("ur@hospital.example", start + SignedDuration::from_hours(24)));
    }
}
