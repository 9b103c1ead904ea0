//! `cargo run --example make-faxes -- DIR [--demo N] [--all] [--hostile] [--seed S]`: writes sample faxes, their cases
//! and the truth about them. With `--fuzz`, what a fuzzer begins with, and nothing else.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;

#[path = "mod.rs"]
mod generator;

/// Writes invented NICU faxes to DIR/inbox, their open cases to DIR/cases.csv and the truth to DIR/truth.jsonl.
#[derive(Parser)]
struct Arguments {
    dir: PathBuf,
    /// How many documents; more than the family holds begins it anew with other values.
    #[arg(long, default_value_t = 12)]
    demo: usize,
    /// The whole family instead.
    #[arg(long)]
    all: bool,
    /// Input that must be refused or held too, in DIR/hostile.
    #[arg(long)]
    hostile: bool,
    /// The first inputs of each fuzz target in DIR/TARGET, and nothing else.
    #[arg(long)]
    fuzz: bool,
    /// The same seed gives the same files.
    #[arg(long, default_value_t = generator::SEED)]
    seed: u64,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    if arguments.fuzz {
        return match generator::write_seeds(&arguments.dir, arguments.seed) {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => {
                eprintln!("make-faxes: {}: {error}", arguments.dir.display());
                ExitCode::FAILURE
            }
        };
    }
    let count = if arguments.all { generator::family_size() } else { arguments.demo };
    let written = generator::write_samples(&arguments.dir, arguments.seed, count).and_then(|samples| {
        if arguments.hostile {
            generator::write_hostile(&arguments.dir, arguments.seed)?;
        }
        Ok(samples.len())
    });
    match written {
        Ok(count) => {
            println!("{count} faxes written to {}", arguments.dir.join("inbox").display());
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("make-faxes: {}: {error}", arguments.dir.display());
            ExitCode::FAILURE
        }
    }
}
