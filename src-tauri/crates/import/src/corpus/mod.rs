//! Writes exports that nobody's life is in: for tests, that everything comes back exactly, and for benchmarks.
//!
//! The same seed gives the same conversation, of any length, without holding it in memory. [`whatsapp`] and
//! [`telegram`] write it, and tell what a reader must make of each line.

mod conversation;
mod random;
pub mod telegram;
pub mod whatsapp;

pub use conversation::{AUTHORS, Conversation, Line, LineKind, conversation};
pub use random::Random;

use chatstats_model::Kind;

/// What a reader must make of a line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Expected {
    /// Who wrote it; none for lines of the app.
    pub author: Option<&'static str>,
    /// Seconds since 1970, the file's times being in UTC.
    pub seconds: i64,
    /// The text, to the letter.
    pub content: String,
    /// What it is.
    pub kind: Kind,
}
