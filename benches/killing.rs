//! A thousand deaths: the trials of `tests/killed.rs`, many more of them.
//!
//! `make kill`, or `cargo bench --features faults --bench killing -- [CYCLES [SEED]]`. Half of the cycles kill the daemon
//! at a named step, half at a random moment. Ends with an error at the first that was not as if it had not died.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a trial stops at the first surprise")]

#[path = "../tests/generator/mod.rs"]
mod generator;
#[path = "../tests/kill/mod.rs"]
mod kill;
#[path = "../tests/run/mod.rs"]
mod run;

use std::time::{Duration, Instant};

use generator::random::Random;
use kill::{Death, Oracle};
use nicufaxd::fault::Step;

/// Times that a run comes to a step, at most; those to which it does not come end undisturbed, and are not counted.
const COMINGS: usize = 8;

fn main() {
    // Cargo adds its own `--bench`.
    let numbers: Vec<u64> = std::env::args().filter_map(|argument| argument.parse().ok()).collect();
    let cycles = numbers.first().copied().unwrap_or(1000);
    let seed = numbers.get(1).copied().unwrap_or(1);
    let mut random = Random::new(seed);
    let oracle = Oracle::new();
    let begun = Instant::now();
    let (mut at_steps, mut at_random) = (0_u64, 0_u64);
    while at_steps + at_random < cycles {
        let step = Step::ALL[random.below(Step::ALL.len())];
        let by_step = cfg!(feature = "faults") && at_steps <= at_random;
        let death = if by_step {
            Death::At(step, 1 + random.below(COMINGS) as u32)
        } else {
            Death::After(Duration::from_micros(random.below(oracle.run_time.as_micros() as usize) as u64))
        };
        let died = u64::from(oracle.try_death(death));
        if by_step {
            at_steps += died;
        } else {
            at_random += died;
        }
        if died == 1 && (at_steps + at_random) % 100 == 0 {
            println!("{} deaths, {:.0} s", at_steps + at_random, begun.elapsed().as_secs_f64());
        }
    }
    println!(
        "{cycles} deaths (seed {seed}): {at_steps} at named steps, {at_random} at random moments; after each: nothing lost, \
         nothing twice, the queue byte for byte that of an undisturbed run, verify clean; {:.0} s",
        begun.elapsed().as_secs_f64()
    );
    if !cfg!(feature = "faults") {
        println!("(without the feature `faults` there are no named steps)");
    }
}
