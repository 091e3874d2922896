//! The event bus, as its clients see it.

use serde::{Deserialize, Serialize};
use ts_rs::TS;

/// Where the event log is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(rename_all = "lowercase")]
#[ts(export)]
pub enum Backend {
    /// In a file in the data directory.
    Embedded,
    /// In Redis.
    Redis,
}

/// How the event bus fares. Answer to `GET /api/bus`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, TS)]
#[ts(export)]
pub struct BusStatus {
    /// Where the log is kept.
    pub backend: Backend,
    /// Redis' address, without user and password.
    pub address: Option<String>,
    /// What is wrong, while it is away.
    pub problem: Option<String>,
    /// Entries written by this program since its start.
    #[ts(type = "number")]
    pub published: u64,
    /// Entries handed to followers' rings since the start, whoever wrote them: each once, however many follow.
    #[ts(type = "number")]
    pub read: u64,
    /// Entries that wait to be written.
    #[ts(type = "number")]
    pub waiting: u64,
    /// Followers of all streams.
    #[ts(type = "number")]
    pub subscribers: u64,
    /// Entries of the stream of events, as far as known.
    #[ts(type = "number")]
    pub length: u64,
    /// How long the newest entry took from its id's time to the followers, in milliseconds.
    pub lag_ms: f64,
    /// How often the connection to Redis was made anew since the start.
    #[ts(type = "number")]
    pub reconnects: u64,
    /// The streams that are followed.
    pub streams: Vec<FollowedStream>,
}

/// A stream that is followed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
#[ts(export)]
pub struct FollowedStream {
    /// Its name.
    pub key: String,
    /// How many follow it.
    #[ts(type = "number")]
    pub subscribers: u64,
    /// The newest entry that they were told of.
    pub newest: String,
}

/// A stream's length and reach. Answer to `GET /api/bus/streams/{stream_key}`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
#[ts(export)]
pub struct StreamReach {
    /// Its name.
    pub key: String,
    /// Entries kept.
    #[ts(type = "number")]
    pub length: u64,
    /// The oldest entry kept.
    pub first_id: Option<String>,
    /// The newest entry kept.
    pub last_id: Option<String>,
    /// The highest id there ever was; `0-0` if none.
    pub newest_id: String,
}

/// Entries of a stream. Answer to `GET /api/bus/streams/{stream_key}/entries`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
#[ts(export)]
pub struct EntryPage {
    /// In the order asked for.
    pub entries: Vec<StreamEntry>,
    /// Where to go on: the last id that was looked at, whether or not it was wanted. None at the end of the range.
    pub next: Option<String>,
}

/// One entry of a stream.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
#[ts(export)]
pub struct StreamEntry {
    /// Its id.
    pub id: String,
    /// Names and values in order. What is no UTF-8 is shown with replacement characters.
    pub fields: Vec<(String, String)>,
}

/// Body of `POST /api/bus/events`: what a script publishes where there is no Redis.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, TS)]
#[ts(export)]
pub struct NewEvent {
    /// Whom it concerns.
    pub scope: String,
    /// What happened.
    #[serde(rename = "type")]
    pub event_type: String,
    /// The rest.
    #[serde(default)]
    #[ts(type = "Record<string, unknown>")]
    pub data: serde_json::Map<String, serde_json::Value>,
}

/// Answer to `POST /api/bus/events`, given once they are written.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
#[ts(export)]
pub struct PublishedEvents {
    /// The ids, in the order of the events.
    pub ids: Vec<String>,
}

/// A topic of the hub that has subscribers, for a look inside. One of the answers to `GET /api/hub`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
#[ts(export)]
pub struct HubTopic {
    /// `chats`, `contacts` or `chat:{chat_id}`.
    pub name: String,
    /// Open subscriptions.
    #[ts(type = "number")]
    pub subscribers: u64,
    /// Those of them that have read everything and wait.
    #[ts(type = "number")]
    pub waiting: u64,
    /// Publishes kept for those who have not read them yet.
    #[ts(type = "number")]
    pub depth: u64,
    /// About how many bytes these take.
    #[ts(type = "number")]
    pub bytes: u64,
    /// Publishes that subscribers lost and were not told of yet.
    #[ts(type = "number")]
    pub unnoticed_drops: u64,
}

/// The hub's state. Answer to `GET /api/hub`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, TS)]
#[ts(export)]
pub struct HubReport {
    /// The counters since the start.
    pub hub: crate::HubStatus,
    /// Every topic somebody listens to.
    pub topics: Vec<HubTopic>,
}
