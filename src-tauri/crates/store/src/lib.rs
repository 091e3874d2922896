//! SQLite: the truth about chats, messages, contacts and imports; and, in a file of its own, what analysis makes of it.
//!
//! One thread writes to each file, in group commits; a few threads read both. All sit behind [`Store`], a cheap handle. Whoever
//! wants to hear of a commit implements [`CommitListener`]. Knows no HTTP, no formats and no subscribers.
//!
//! The database survives `kill -9` at any moment: it is in WAL mode and never turns `synchronous` off.

mod error;
mod keyset;
mod open;
mod reader;
mod schema;
mod store;
mod tables;
mod writer;

pub use error::{OpenError, StoreError};
pub use keyset::KeySet;
pub use reader::Reader;

pub use store::{Later, Store};
pub use tables::commitments::{CommitmentQuery, NewCommitment, PROMISE, REQUEST, Untold};
pub use tables::contacts::IdentityId;
pub use tables::conversations::ConversationCounts;
pub use tables::imports::{ImportCheckpoint, ImportRow};
pub use tables::load::TaskLoad;
pub use tables::messages::{Anchor, ChatPosition, FoundMessage, Gather, Probe, Stored};
pub use tables::put::{KEY_BYTES_MAX, NewMessage, Put};
pub use tables::recut::CONVERSATION_GAP_MINUTES_MAX;
pub use tables::results::{
    ChatResult, Covered, NewResult, PassVersion, Selection, SelectionSize, StoredResult,
};
pub use tables::runs::{Announced, NewRun};
pub use tables::seals::{Announcing, Seal};
pub use tables::search::SearchQuery;
pub use tables::tasks::{ATTEMPTS_MAX, NewTask, TaskLane, TaskQuery};
pub use tables::tries::{Claimed, Ending, Finished, Settled};
pub use tables::work::{ANALYSED_MESSAGES_MAX, ConversationWork};
pub use writer::{Commit, CommitListener, Lane, Published, Write, WriteAnalysis};

/// The name of the file of messages in the data directory.
pub const DATABASE_FILE: &str = "chatstats.db";

/// The name of the file of analysis beside it.
pub const ANALYSIS_FILE: &str = "analysis.db";
