//! The HTTP server: the guard, the API, the event streams and the pages, over the other crates.
//!
//! Two programs are made of it: the headless `chatstats` (this crate's binary) and the desktop window. Knows no
//! tauri. Everything behind the socket passes the guard first; streams end with the program's shutdown token.

mod analysis;
mod api;
mod app;
mod assets;
pub mod cli;
mod config;
mod connection;
mod data_dir;
mod demo;
mod error;
mod events;
mod guard;
mod histogram;
mod listen;
mod llm;
mod log;
mod metrics;
mod problem;
mod process;
mod scan;
mod site;
mod sse;
mod token;
mod turn;

pub use app::App;
pub use config::{Config, Overrides};
pub use data_dir::{DataDir, Running, find_running};
pub use error::{ConfigError, StartError};
pub use log::{LogGuard, start_log};
pub use process::prepare;

#[cfg(test)]
mod tests;
