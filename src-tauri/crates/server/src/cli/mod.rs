//! The command line of `chatstats`, one file per command.

mod address;
mod analyze;
mod client;
mod doctor;
mod events;
mod import;
mod open;
mod serve;
mod signal;
mod sse;
mod token;
mod url;
mod worker;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};

use crate::config::{Config, Overrides};
use crate::error::{ConfigError, StartError};

/// Exit codes, which scripts rely on.
const FAILED: u8 = 1;
const WRONG_USE: u8 = 2;

/// Your chats, on your machine: import them, look at them, watch them live.
#[derive(Debug, Parser)]
#[command(name = "chatstats", version, about)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run the server and print its address
    Serve(serve::Serve),
    /// Import exports: files, folders or zips, recognised by their content
    Import(import::ImportCommand),
    /// Analyse conversations: what lacks a result, everything anew, a chat or one conversation
    Analyze(analyze::Analyze),
    /// Look into the event log: its newest events, a range of it, its length
    Events(events::EventsCommand),
    /// Look at the data directory and say what is right and what is wrong with it
    Doctor(doctor::Doctor),
    /// Open the running server in the browser
    Open(open::Open),
    /// Print the running server's address with its token
    Url(url::Url),
    /// Print the token that lets programs in, or replace it
    Token(token::TokenCommand),
    /// Compute for a server that shares its Redis, on this machine or another
    Worker(worker::Worker),
}

/// Where the data is: an option of every command.
#[derive(Debug, Args)]
struct DataDirOption {
    /// The folder that holds everything ChatStats keeps [env: CHATSTATS_DATA_DIR]
    #[arg(long, value_name = "DIR")]
    data_dir: Option<PathBuf>,
}

impl DataDirOption {
    fn config(self) -> Result<Config, StartError> {
        Config::load(Overrides {
            data_dir: self.data_dir,
            ..Overrides::default()
        })
    }
}

/// Runs the command that the arguments of this process name.
pub fn main() -> ExitCode {
    crate::process::prepare();
    let outcome = match Cli::parse().command {
        Command::Serve(command) => command.run(),
        Command::Import(command) => command.run(),
        Command::Analyze(command) => command.run(),
        Command::Events(command) => command.run(),
        Command::Doctor(command) => command.run(),
        Command::Open(command) => command.run(),
        Command::Url(command) => command.run(),
        Command::Token(command) => command.run(),
        Command::Worker(command) => command.run(),
    };
    match outcome {
        Ok(code) => code,
        Err(error) => {
            // Not through the log: it may not have started, and this is for the person who typed the command.
            eprintln!("chatstats: {error:#}");
            ExitCode::from(if is_wrong_use(&error) { WRONG_USE } else { FAILED })
        }
    }
}

fn is_wrong_use(error: &anyhow::Error) -> bool {
    error.is::<ConfigError>() || matches!(error.downcast_ref(), Some(StartError::Config(_)))
}
