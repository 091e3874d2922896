//! Bodies of the HTTP API: what clients send and get.

use serde::{Deserialize, Serialize};
use ts_rs::TS;

use crate::{ChatId, Import, ImportOptions, Kind, LeftOut, Message, Timestamp};

/// Body of `POST /api/live-sync/messages`: what a bridge, a bot or a script posts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
#[ts(export, optional_fields)]
pub struct IncomingMessages {
    /// The source's name.
    pub source: String,
    /// The chat; made when it is new.
    pub chat: IncomingChat,
    /// The messages.
    pub messages: Vec<IncomingMessage>,
}

/// The chat that is posted to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
#[ts(export, optional_fields)]
pub struct IncomingChat {
    /// Unique within the source.
    pub key: String,
    /// Its title; none leaves an existing title as it is.
    #[serde(default)]
    pub title: Option<String>,
}

/// One posted message.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
#[ts(export, optional_fields)]
pub struct IncomingMessage {
    /// Unique within the chat: posting it again inserts nothing.
    pub key: String,
    /// Who wrote it; none for lines of the app itself.
    #[serde(default)]
    pub sender: Option<IncomingSender>,
    /// Whether the user wrote it.
    #[serde(default)]
    pub is_from_me: bool,
    /// The text, kept to the letter.
    pub content: String,
    /// When it was sent.
    pub timestamp: Timestamp,
    /// What it is; text unless told.
    #[serde(default)]
    #[ts(as = "Option<Kind>")]
    pub kind: Kind,
    /// The key of the message it answers.
    #[serde(default)]
    pub reply_to: Option<String>,
    /// When it was last edited. A key posted again with a newer `edited_at` changes the stored message.
    #[serde(default)]
    pub edited_at: Option<Timestamp>,
}

/// Who wrote a posted message.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
#[ts(export, optional_fields)]
pub struct IncomingSender {
    /// Unique within the source.
    pub key: String,
    /// The name to show; the key where there is none.
    #[serde(default)]
    pub name: Option<String>,
}

/// Answer to `POST /api/live-sync/messages`, given once the messages are committed and published.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
#[ts(export)]
pub struct Posted {
    /// The chat they went to.
    pub chat_id: ChatId,
    /// How many were new.
    #[ts(type = "number")]
    pub inserted: u64,
    /// How many were there already.
    #[ts(type = "number")]
    pub duplicates: u64,
}

/// Body of `POST /api/imports` as JSON: files that are already on this machine.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, TS)]
#[ts(export, optional_fields)]
pub struct ImportRequest {
    /// One absolute path: a file or a folder.
    #[serde(default)]
    pub path: Option<String>,
    /// Several.
    #[serde(default)]
    #[ts(as = "Option<Vec<String>>")]
    pub paths: Vec<String>,
    /// Instead of files: the demo set, to look around with.
    #[serde(default)]
    #[ts(as = "Option<bool>")]
    pub demo: bool,
    /// What the user says about the files.
    #[serde(flatten)]
    pub options: ImportOptions,
}

/// Answer to `GET /api/imports`: the newest first.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, TS)]
#[ts(export)]
pub struct ImportList {
    /// The newest 100.
    pub imports: Vec<Import>,
}

/// Answer to `GET /api/imports/{id}/left-out`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
#[ts(export)]
pub struct LeftOutPage {
    /// In the order of the files.
    pub left_out: Vec<LeftOut>,
    /// How many there are in all.
    #[ts(type = "number")]
    pub total: u64,
}

/// Answer to `GET /api/chats`.
pub type ChatList = crate::ChatsInitial;

/// Answer to `GET /api/contacts`.
pub type ContactList = crate::ContactsInitial;

/// Body of `PATCH /api/contacts/{id}`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, TS)]
#[ts(export, optional_fields)]
pub struct ContactPatch {
    /// Says that this is the user: the messages of this person become the user's own.
    #[serde(default)]
    pub is_me: Option<bool>,
}

/// Answer to `GET /api/chats/{id}/messages`: a window of a chat.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
#[ts(export)]
pub struct MessagePage {
    /// The oldest first: by timestamp, then id.
    pub messages: Vec<Message>,
    /// Whether there are older ones.
    pub has_before: bool,
    /// Whether there are newer ones.
    pub has_after: bool,
    /// Messages in the whole chat.
    #[ts(type = "number")]
    pub total: i64,
}

/// Answer to `GET /api/search`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
#[ts(export)]
pub struct SearchPage {
    /// The newest first.
    pub hits: Vec<SearchHit>,
    /// Whether there are older ones: ask again with `before` set to the last hit's id.
    pub more: bool,
}

/// One message that was found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
#[ts(export)]
pub struct SearchHit {
    /// The message.
    pub message: Message,
    /// The title of its chat.
    pub chat_title: String,
    /// The part of its text around the hit, with U+0002 before and U+0003 after each word found.
    pub snippet: String,
}

/// A kind of export the program reads.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
#[ts(export)]
pub struct Source {
    /// Its name in options and fields.
    pub name: String,
    /// Its name for people.
    pub title: String,
    /// How to get an export, in a sentence or two.
    pub how: String,
}

/// Answer to `GET /api/status`: the program's own state.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, TS)]
#[ts(export)]
pub struct Status {
    /// The program's version.
    pub version: String,
    /// Where the data lives.
    pub data_dir: String,
    /// Seconds since it started.
    pub uptime_s: f64,
    /// Chats stored.
    #[ts(type = "number")]
    pub chats: i64,
    /// Messages stored.
    #[ts(type = "number")]
    pub messages: i64,
    /// Size of the database.
    #[ts(type = "number")]
    pub db_bytes: u64,
    /// The hub's counters.
    pub hub: HubStatus,
    /// What can be imported.
    pub sources: Vec<Source>,
}

/// The hub's counters since the start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, TS)]
#[ts(export)]
pub struct HubStatus {
    /// Open subscriptions.
    #[ts(type = "number")]
    pub subscribers: u64,
    /// Publishes.
    #[ts(type = "number")]
    pub published: u64,
    /// Publishes handed to subscribers.
    #[ts(type = "number")]
    pub delivered: u64,
    /// Publishes that subscribers were too slow for.
    #[ts(type = "number")]
    pub dropped: u64,
    /// Times a subscriber was refilled from the database.
    #[ts(type = "number")]
    pub refilled: u64,
}

/// An error as an HTTP answer (RFC 9457), `application/problem+json`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
#[ts(export)]
pub struct Problem {
    /// The HTTP status.
    pub status: u16,
    /// A stable word for programs.
    pub code: String,
    /// What kind of problem it is, in a few words.
    pub title: String,
    /// What happened and what to do.
    pub detail: String,
}
