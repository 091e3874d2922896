//! Identifiers. Newtypes, so that a chat's number cannot be passed where a message's is meant.

use serde::{Deserialize, Serialize};
use ts_rs::TS;

macro_rules! id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, TS)]
        #[serde(transparent)]
        #[ts(export, type = "number")]
        pub struct $name(pub i64);

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                self.0.fmt(f)
            }
        }
    };
}

id!(
    /// A chat: one thread of one source.
    ChatId
);
id!(
    /// A message. Grows in the order in which the database took messages; not dense.
    MessageId
);
id!(
    /// A person, possibly known to several sources.
    ContactId
);
id!(
    /// A conversation: a stretch of one chat's messages without a long pause.
    ConversationId
);
id!(
    /// A run: many tasks asked for together.
    RunId
);
id!(
    /// A task: one conversation to be analysed.
    TaskId
);
id!(
    /// One import job: one or more files handed over together.
    ImportId
);

/// A position in the history of changes of the whole database.
///
/// Every new message and every change of a message takes the next number; a new message's number is its
/// [`MessageId`]. "What happened since" is therefore a comparison, and survives restarts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Rev(pub i64);

impl std::fmt::Display for Rev {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(f)
    }
}

impl From<MessageId> for Rev {
    fn from(id: MessageId) -> Self {
        Rev(id.0)
    }
}
