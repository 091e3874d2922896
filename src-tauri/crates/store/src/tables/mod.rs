//! One file per table: its rows and its queries.

pub(crate) mod chats;
pub(crate) mod contacts;
pub(crate) mod imports;
pub(crate) mod index;
pub(crate) mod messages;
pub(crate) mod put;
pub(crate) mod search;
mod snippet;
pub(crate) mod tally;
