//! A thousand deaths: the trials of `tests/killed.rs`, many more of them.
//!
//! `make kill`, or `cargo bench --features faults --bench killing -- [CYCLES [SEED]]`. A third of the cycles kills the
//! daemon at a named step, a third at a random moment, and in a third the disk is full or fails at one operation. Ends with an error at the first that was not as if it had not died.

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
    let kinds = if cfg!(feature = "faults") { 3 } else { 1 };
    let mut deaths = [0_u64; 3];
    let total = |deaths: &[u64; 3]| deaths.iter().sum::<u64>();
    while total(&deaths) < cycles {
        let kind = (0..kinds).min_by_key(|&kind| deaths[kind]).unwrap();
        let death = match kind {
            0 => Death::After(Duration::from_micros(random.below(oracle.run_time.as_micros() as usize) as u64)),
            1 => Death::At(Step::ALL[random.below(Step::ALL.len())], 1 + random.below(COMINGS) as u32),
            _ => {
                let (operation, errno, most) =
                    [("write", 28, 100), ("rename", 28, 12), ("sync", 5, 60)][random.below(3)];
                Death::Disk { operation, after: random.below(most) as u32, errno }
            }
        };
        if oracle.try_death(death) {
            deaths[kind] += 1;
            if total(&deaths) % 100 == 0 {
                println!("{} deaths, {:.0} s", total(&deaths), begun.elapsed().as_secs_f64());
            }
        }
    }
    let [at_random, at_steps, by_disk] = deaths;
    println!(
        "{cycles} deaths (seed {seed}): {at_random} at random moments, {at_steps} at named steps, {by_disk} by a full or \
         failing disk; after each: nothing lost, nothing twice, nothing released unstored, the queue byte for byte that of \
         an undisturbed run, verify clean; {:.0} s",
        begun.elapsed().as_secs_f64()
    );
    if !cfg!(feature = "faults") {
        println!("(without the feature `faults` there are no named steps)");
    }
}
