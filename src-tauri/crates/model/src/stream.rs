//! The data of the live streams' events.

use serde::{Deserialize, Serialize};
use ts_rs::TS;

use crate::{Chat, ChatId, Contact, Message};

/// Data of an `update` of a chat's messages stream.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
#[ts(export)]
pub struct MessagesUpdate {
    /// The chat.
    pub chat_id: ChatId,
    /// New and changed messages, in the order of their ids.
    pub messages: Vec<Message>,
}

/// Data of the chats stream's `initial`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
#[ts(export)]
pub struct ChatsInitial {
    /// All chats, the most recent first.
    pub chats: Vec<Chat>,
}

/// Data of the contacts stream's `initial`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
#[ts(export)]
pub struct ContactsInitial {
    /// All contacts, the most recent first.
    pub contacts: Vec<Contact>,
}

/// Data of a stream's `error`. The stream goes on if it can.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
#[ts(export)]
pub struct StreamError {
    /// A stable word for programs.
    pub code: String,
    /// A sentence for people.
    pub message: String,
}
