//! argv → exit code.

use std::process::ExitCode;

fn main() -> ExitCode {
    nicufaxd::cli::main()
}
