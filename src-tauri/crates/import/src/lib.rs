//! Reads exports of chat programs: bytes in, chats and messages out. Knows no database and no async.
//!
//! [`find`] looks at a path (a file, a folder or a zip) and tells which exports are in it, by content and not by
//! name. [`read`] streams one of them into a [`Sink`], in memory that does not grow with the file. Nothing is
//! dropped silently: every record reaches [`Sink::message`] or [`Sink::left_out`].

mod clock;
mod contract;
#[cfg(feature = "corpus")]
pub mod corpus;
mod excerpt;
mod find;
mod formats;
mod input;
mod lines;
mod looks;

pub use contract::{ChatHead, Export, ImportError, Options, Outcome, Record, Sender, Sink, SinkError};
pub use find::{Found, find};
pub use formats::{SourceInfo, read, sources};
