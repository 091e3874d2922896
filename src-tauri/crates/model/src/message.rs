//! A message and what hangs on it.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use ts_rs::TS;

use crate::{ChatId, ContactId, MessageId, Timestamp};

/// What a message is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, TS)]
#[serde(rename_all = "lowercase")]
#[ts(export)]
pub enum Kind {
    /// Words.
    #[default]
    Text,
    /// A picture, video, voice note, sticker or file; a caption is its `content`.
    Media,
    /// A voice or video call, answered or missed.
    Call,
    /// A line of the app itself: somebody joined, the title changed.
    System,
    /// Deleted by its author; the app left a placeholder.
    Deleted,
    /// Anything else: a poll, a contact card, a location.
    Other,
}

/// One message, as clients see it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
#[ts(export)]
pub struct Message {
    /// Grows in the order in which the database took messages.
    pub id: MessageId,
    /// The chat it belongs to.
    pub chat_id: ChatId,
    /// The person who wrote it; none for lines of the app itself.
    pub sender_id: Option<ContactId>,
    /// That person's name, as the source gives it; one for all messages that are read together.
    #[ts(type = "string | null")]
    pub sender: Option<Arc<str>>,
    /// Whether the user wrote it.
    pub is_from_me: bool,
    /// The text to the letter: not trimmed, not normalised.
    pub content: String,
    /// When it was sent.
    pub timestamp: Timestamp,
    /// What it is.
    pub kind: Kind,
    /// The message it answers, where that is known.
    pub reply_to: Option<MessageId>,
    /// When it was last edited.
    pub edited_at: Option<Timestamp>,
    /// Reactions, in the order in which the source lists them.
    pub reactions: Vec<Reaction>,
    /// Attachments, in the order in which the source lists them.
    pub attachments: Vec<Attachment>,
}

/// One kind of reaction to a message.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, TS)]
#[ts(export)]
pub struct Reaction {
    /// The emoji, or the name of a custom one.
    pub emoji: String,
    /// How many people gave it.
    #[ts(type = "number")]
    pub count: u32,
    /// Who gave it, where the source tells.
    #[serde(default)]
    pub senders: Vec<String>,
}

/// A file that came with a message. Only described: the file itself is not copied.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, TS)]
#[ts(export)]
pub struct Attachment {
    /// Its name in the export.
    pub name: Option<String>,
    /// `image`, `video`, `audio`, `voice`, `sticker`, `document`, `animation`, `contact`, `location`, `poll`, or the source's own word.
    pub kind: Option<String>,
    /// Its media type (RFC 6838), where the source gives it.
    pub media_type: Option<String>,
    /// Its size in bytes, where the source gives it.
    #[ts(type = "number | null")]
    pub size_bytes: Option<u64>,
}
