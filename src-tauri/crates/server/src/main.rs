//! The headless program, `chatstats`.

use std::process::ExitCode;

fn main() -> ExitCode {
    chatstats_server::cli::main()
}
