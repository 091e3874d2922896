//! Chats and the people in them.

use serde::{Deserialize, Serialize};
use ts_rs::TS;

use crate::{ChatId, ContactId, Kind, Timestamp};

/// How many participants a chat lists: enough for a title and a tooltip. A list of all members of every large
/// group would make the chat list megabytes long; `participant_count` tells how many there are.
pub const PARTICIPANTS_SHOWN: usize = 12;

/// One thread of one source.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
#[ts(export)]
pub struct Chat {
    /// Stable over re-imports.
    pub id: ChatId,
    /// The title the source gives, or the names of those in it.
    pub title: String,
    /// `whatsapp`, `telegram`, …, or what a poster named.
    pub source: String,
    /// Those who wrote most, at most [`PARTICIPANTS_SHOWN`].
    pub participants: Vec<Participant>,
    /// How many people wrote in it.
    #[ts(type = "number")]
    pub participant_count: i64,
    /// Messages of every kind, system lines included.
    #[ts(type = "number")]
    pub message_count: i64,
    /// The time of the newest message by its own timestamp.
    pub last_message_time: Option<Timestamp>,
    /// That message, cut for a list.
    pub last_message: Option<LastMessage>,
}

/// Somebody in a chat.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
#[ts(export)]
pub struct Participant {
    /// The person.
    pub id: ContactId,
    /// The person's name.
    pub name: String,
    /// Whether this is the user.
    pub is_me: bool,
}

/// The newest message of a chat, cut to what a list shows.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
#[ts(export)]
pub struct LastMessage {
    /// Who wrote it.
    pub sender: Option<String>,
    /// Whether the user wrote it.
    pub is_from_me: bool,
    /// The first 120 characters.
    pub excerpt: String,
    /// What it is.
    pub kind: Kind,
}

/// What changed in a chat: an `update` of the chats stream.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
#[ts(export)]
pub struct ChatUpdate {
    /// The chat.
    pub chat_id: ChatId,
    /// Everything a list shows of it, as it is now.
    #[serde(flatten)]
    pub chat: ChatFields,
}

/// The fields of a chat that can change.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
#[ts(export)]
pub struct ChatFields {
    /// The time of the newest message.
    pub last_message_time: Option<Timestamp>,
    /// The title.
    pub title: String,
    /// The source.
    pub source: String,
    /// As in [`Chat`].
    pub participants: Vec<Participant>,
    /// As in [`Chat`].
    #[ts(type = "number")]
    pub participant_count: i64,
    /// As in [`Chat`].
    #[ts(type = "number")]
    pub message_count: i64,
    /// As in [`Chat`].
    pub last_message: Option<LastMessage>,
}

impl From<Chat> for ChatUpdate {
    fn from(chat: Chat) -> Self {
        ChatUpdate {
            chat_id: chat.id,
            chat: ChatFields {
                last_message_time: chat.last_message_time,
                title: chat.title,
                source: chat.source,
                participants: chat.participants,
                participant_count: chat.participant_count,
                message_count: chat.message_count,
                last_message: chat.last_message,
            },
        }
    }
}

/// A person.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
#[ts(export)]
pub struct Contact {
    /// Stable over re-imports.
    pub id: ContactId,
    /// The name to show.
    pub name: String,
    /// The sources that know this person.
    pub sources: Vec<String>,
    /// Whether this is the user.
    pub is_me: bool,
    /// Messages this person wrote.
    #[ts(type = "number")]
    pub message_count: i64,
    /// The time of the newest of them.
    pub last_message_time: Option<Timestamp>,
}

/// What changed in a contact: an `update` of the contacts stream.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
#[ts(export)]
pub struct ContactUpdate {
    /// The person.
    pub contact_id: ContactId,
    /// The time of the newest message this person wrote.
    pub last_message_time: Option<Timestamp>,
    /// The name to show.
    pub name: String,
    /// The sources that know this person.
    pub sources: Vec<String>,
    /// Whether this is the user.
    pub is_me: bool,
    /// Messages this person wrote.
    #[ts(type = "number")]
    pub message_count: i64,
}

impl From<Contact> for ContactUpdate {
    fn from(contact: Contact) -> Self {
        ContactUpdate {
            contact_id: contact.id,
            last_message_time: contact.last_message_time,
            name: contact.name,
            sources: contact.sources,
            is_me: contact.is_me,
            message_count: contact.message_count,
        }
    }
}
