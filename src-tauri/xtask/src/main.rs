//! The commands of the README: `cargo xtask run | test | check | dist | bench`.
//!
//! Each sets up what it needs by itself. What it cannot install, it names.

mod bench;
mod bindings;
mod check;
mod dist;
mod failures;
mod layout;
mod licences;
mod process;
mod report;
mod run;
mod setup;
mod tally;
mod test;
mod ui;

use std::process::ExitCode;

fn main() -> ExitCode {
    let mut arguments = std::env::args().skip(1);
    let command = arguments.next().unwrap_or_default();
    let rest: Vec<String> = arguments.collect();
    let outcome = match command.as_str() {
        "run" => run::run(&rest).map(|()| ExitCode::SUCCESS),
        "test" => test::test(&rest),
        "check" => check::check(&rest).map(|()| ExitCode::SUCCESS),
        "dist" => dist::dist().map(|()| ExitCode::SUCCESS),
        "bench" => bench::bench(&rest).map(|()| ExitCode::SUCCESS),
        _ => {
            eprintln!("{USAGE}");
            return ExitCode::from(2);
        }
    };
    outcome.unwrap_or_else(failed)
}

/// Says why, and with which exit code to leave.
fn failed(error: anyhow::Error) -> ExitCode {
    eprintln!("error: {error:#}");
    ExitCode::FAILURE
}

const USAGE: &str = "\
cargo xtask <command>

  run [--release] [FILE…]   build and open the app; without a display, serve and print the address
  test [STEP…]              every test there is, or only the steps named: rust, ui, e2e, desktop
  check [STEP…]             all that must be clean: fmt, clippy, licences, unused, bindings, ui
  dist                      the packages of this system
  bench [ARG…]              the figures the project is held to";
