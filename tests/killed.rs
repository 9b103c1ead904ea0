//! The built program killed (SIGKILL) at every named step between source and export, and at random moments. Needs the
//! feature `faults`, with which `make test` runs; `benches/killing.rs` goes on for a thousand cycles.

#![allow(clippy::unwrap_used, reason = "a test stops at the first surprise")]

mod generator;
mod kill;
mod run;

use generator::random::Random;
use kill::{Death, Oracle};
use nicufaxd::fault::Step;

#[test]
#[cfg_attr(not(feature = "faults"), ignore = "needs --features faults: other builds do not die on demand")]
fn killed_at_any_named_step_nothing_is_lost_and_nothing_comes_twice() {
    let oracle = Oracle::new();
    let mut deaths = 0;
    for step in Step::ALL {
        let died = (1..=3).filter(|&times| oracle.try_death(Death::At(step, times))).count();
        assert!(died > 0, "no run came to {step:?}");
        deaths += died;
    }
    assert!(deaths >= 40, "{deaths} deaths only");
}

#[test]
fn killed_at_random_moments_nothing_is_lost_and_nothing_comes_twice() {
    let oracle = Oracle::new();
    let mut random = Random::new(20_261_122);
    let (mut deaths, mut tries) = (0, 0);
    // How long a run takes varies with what else the machine does: some end before they are killed.
    while deaths < 20 && tries < 200 {
        tries += 1;
        let micros = random.below(oracle.run_time.as_micros() as usize) as u64;
        deaths += usize::from(oracle.try_death(Death::After(std::time::Duration::from_micros(micros))));
    }
    assert!(deaths >= 20, "{deaths} deaths only in {tries} tries");
}
