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

fn main() -> ExitCode {
    let directory = std::env::current_dir().unwrap_or_default();
    match args::parse(std::env::args_os().skip(1), &directory) {
        Request::Open(start) => open(start),
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
/// dialog: someone who started it from an icon sees no standard error.
fn open(start: Start) -> ExitCode {
    chatstats_server::prepare();
    if let Err(error) = display::prepare() {
        eprintln!("chatstats-desktop: {error:#}");
        return ExitCode::FAILURE;
    }
    match desktop::run(start) {
        Ok(0) => ExitCode::SUCCESS,
        Ok(_) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("chatstats-desktop: {error:#}");
            dialogs::show_error("ChatStats could not start", &format!("{error:#}"));
            ExitCode::FAILURE
        }
    }
}
