//! The desktop shell: a window on the server, which runs inside the same process.
//!
//! It adds what only a desktop can: the window, its menu, file dialogs and drops, and one running instance. No data
//! passes through it; the page talks to the server over HTTP like any browser, and can call nothing in here.
// A release build on Windows opens no console beside the window.
#![cfg_attr(all(windows, not(debug_assertions)), windows_subsystem = "windows")]

mod args;
mod desktop;
mod dialogs;
mod display;
mod editing;
mod intake;
mod menu;
mod page;
mod server;
mod signals;
mod window;

use std::process::ExitCode;

use args::{Request, Start};

/// The exit code of a start that failed.
const FAILURE: u8 = 1;

fn main() -> ExitCode {
    let directory = std::env::current_dir().unwrap_or_default();
    match args::parse(std::env::args_os().skip(1), &directory) {
        Request::Open(start) => display::leave(open(start)),
        Request::Print(text) => {
            println!("{text}");
            ExitCode::SUCCESS
        }
        Request::WrongUse(why) => {
            eprintln!("chatstats-desktop: {why}");
            ExitCode::from(2)
        }
    }
}

/// Runs until the window is closed. What kept it from running is said on standard error and, where there is a screen, in a
/// dialog: someone who started it from an icon sees no standard error. Answers how the process is to end.
fn open(start: Start) -> u8 {
    chatstats_server::prepare();
    if let Err(error) = display::prepare() {
        eprintln!("chatstats-desktop: {error:#}");
        return FAILURE;
    }
    match desktop::run(start) {
        Ok(0) => 0,
        Ok(_) => FAILURE,
        Err(error) => {
            eprintln!("chatstats-desktop: {error:#}");
            dialogs::show_error("ChatStats could not start", &format!("{error:#}"));
            FAILURE
        }
    }
}
