//! Conversations: what analysis works on.

use serde::{Deserialize, Serialize};
use ts_rs::TS;

use crate::{ChatId, ConversationId, Timestamp};

/// The pause that ends a conversation, in minutes, unless the user sets another.
pub const CONVERSATION_GAP_MINUTES: u32 = 90;

/// A stretch of one chat's messages without a long pause in it: all of the chat's from the first to the last by their
/// timestamps.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
#[ts(export)]
pub struct Conversation {
    /// Stays while its messages are the same, also over new imports. Never that of another one.
    pub id: ConversationId,
    /// The chat.
    pub chat_id: ChatId,
    /// When its first message was sent.
    pub first_message_time: Timestamp,
    /// When its last message was sent.
    pub last_message_time: Timestamp,
    /// Messages of every kind.
    #[ts(type = "number")]
    pub message_count: i64,
    /// Whether it is over: the next message came after a long pause, or the pause has passed. Only the last
    /// conversation of a chat can be open.
    pub sealed: bool,
}

/// A page of a chat's conversations, the newest first.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
#[ts(export)]
pub struct ConversationPage {
    /// The conversations.
    pub conversations: Vec<Conversation>,
    /// Pass it as `before` for the next page; none on the last.
    pub next: Option<Timestamp>,
    /// How many the chat has.
    #[ts(type = "number")]
    pub total: i64,
}

/// Answer to `GET /api/chats/{id}/conversations`, the newest first.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, TS)]
#[ts(export)]
pub struct SummarisedPage {
    /// The conversations.
    pub conversations: Vec<SummarisedConversation>,
    /// Pass it as `before` for the next page; none on the last.
    pub next: Option<Timestamp>,
    /// How many the chat has.
    #[ts(type = "number")]
    pub total: i64,
}

/// A conversation, and in short what passes found in it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, TS)]
#[ts(export)]
pub struct SummarisedConversation {
    /// The conversation.
    #[serde(flatten)]
    pub conversation: Conversation,
    /// What was found; none while there is no current result.
    pub summary: Option<ConversationSummary>,
    /// Whether it waits to be analysed, or is being analysed.
    pub analysing: bool,
}

/// What the current results of a conversation say, in short.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, TS)]
#[ts(export)]
pub struct ConversationSummary {
    /// How it feels, from -1 to 1; none where that cannot be told.
    pub mood: Option<f64>,
    /// The language's ISO 639 code; none where it is not certain.
    pub language: Option<String>,
    /// What sets it apart within its chat, the most telling first, at most five.
    pub topics: Vec<String>,
    /// Promises and requests found.
    #[ts(type = "number")]
    pub commitments: u64,
    /// What a language model says that it was about; none where none was asked.
    pub gist: Option<String>,
}

/// Answer to `GET /api/conversations/now`: where something goes on.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, TS)]
#[ts(export)]
pub struct ConversationsNow {
    /// Chats whose last conversation is open, the one with the newest message first; at most 10,000.
    pub open: Vec<ChatId>,
    /// Chats with a conversation that waits to be analysed or is being analysed, by id; at most 10,000.
    pub analysing: Vec<ChatId>,
}

/// Answer to `POST /api/chats/{id}/seal`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
#[ts(export)]
pub struct Sealed {
    /// The conversation that was open and is sealed now; none if none was open.
    pub conversation_id: Option<ConversationId>,
}
