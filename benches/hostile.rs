//! Thousands of mutants of good faxes and emails: the trial of `tests/hostile.rs`, many more of them.
//!
//! `make hostile`, or `cargo bench --bench hostile -- [FILES [SEED]]`. The same seed makes the same mutants. Ends with
//! an error at the first that ends the daemon, is lost, finds another baby, or takes too much memory or time.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a trial stops at the first surprise")]

#[path = "../tests/generator/mod.rs"]
mod generator;
#[path = "../tests/mutants/mod.rs"]
mod mutants;
#[path = "../tests/run/mod.rs"]
mod run;

use std::path::Path;
use std::time::Instant;

fn main() {
    // Cargo adds its own `--bench`.
    let numbers: Vec<u64> = std::env::args().filter_map(|argument| argument.parse().ok()).collect();
    let files = numbers.first().copied().unwrap_or(5000) as usize;
    let seed = numbers.get(1).copied().unwrap_or(1);
    println!("{files} mutants, seed {seed}");
    let begun = Instant::now();
    let kept = Path::new(env!("CARGO_TARGET_TMPDIR")).join("hostile");
    mutants::run(files, seed, &kept).print(seed, begun.elapsed());
}
