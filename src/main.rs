//! argv → exit code.

use std::process::ExitCode;

fn main() -> ExitCode {
    if std::env::args().nth(1).as_deref() == Some("worker") {
        return nicufaxd::reader::worker::main();
    }
    ExitCode::FAILURE
}
