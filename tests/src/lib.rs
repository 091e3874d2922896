//! What the tests share: the real program in a process of its own, clients that speak to it over plain sockets, and
//! seeded randomness. Knows the contract and none of the crates behind it.
//!
//! Blocking sockets and threads, no async: what is tested has enough of it. Every wait is for an event and ends in
//! a panic after [`PATIENCE`]; nothing here sleeps to let something happen.

#[cfg(unix)]
mod client;
#[cfg(unix)]
mod command;
#[cfg(unix)]
mod events;
#[cfg(unix)]
mod export;
#[cfg(unix)]
mod home;
#[cfg(unix)]
mod http;
#[cfg(target_os = "linux")]
pub mod memory;
#[cfg(unix)]
mod post;
#[cfg(unix)]
mod progress;
#[cfg(unix)]
mod random;
#[cfg(unix)]
mod redis;
#[cfg(unix)]
mod server;
#[cfg(unix)]
mod transcript;

#[cfg(unix)]
pub use {
    client::Client,
    command::{Ran, chatstats, finish},
    events::{Event, EventStream},
    export::{whatsapp_conversations, whatsapp_export},
    home::{Home, NO_FOLLOWERS},
    http::{Answer, connect, raw},
    post::{Message, Post},
    progress::Progress,
    random::{Random, seed},
    redis::Redis,
    server::{Ended, Server, Signal},
    transcript::{Told, Transcript},
};

/// How long anything is waited for before the test fails: far more than a loaded machine needs.
pub const PATIENCE: std::time::Duration = std::time::Duration::from_secs(120);

/// Asks until there is an answer. For what the program offers no event for; what it does offer one for is waited
/// for by that.
///
/// # Panics
///
/// After [`PATIENCE`].
pub fn eventually<T>(what: &str, mut ask: impl FnMut() -> Option<T>) -> T {
    let started = std::time::Instant::now();
    loop {
        if let Some(answer) = ask() {
            return answer;
        }
        assert!(started.elapsed() < PATIENCE, "never: {what}");
        std::thread::sleep(ASK_AGAIN);
    }
}

/// Between two questions of [`eventually`].
const ASK_AGAIN: std::time::Duration = std::time::Duration::from_millis(2);
