//! One file per table: its rows and its queries.

pub(crate) mod chats;
pub(crate) mod commitments;
pub(crate) mod contacts;
pub(crate) mod conversations;
pub(crate) mod cutting;
pub(crate) mod imports;
pub(crate) mod index;
pub(crate) mod load;
mod marks;
pub(crate) mod messages;
pub(crate) mod put;
pub(crate) mod recut;
pub(crate) mod results;
pub(crate) mod runs;
pub(crate) mod seals;
pub(crate) mod search;
mod snippet;
pub(crate) mod tally;
pub(crate) mod tasks;
pub(crate) mod tries;
pub(crate) mod work;
