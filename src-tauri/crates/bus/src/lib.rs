//! EventBus: a durable, ordered log of events.
//!
//! Two engines keep the same promises: Redis Streams, shared with other programs, and an embedded log in a file of
//! its own, for those who have no Redis. Knows no chats, no HTTP and no JSON but the values of events: it carries
//! fields.
//!
//! Who follows a stream ([`Bus::follow`]) is told each entry once and in order, from wherever it starts, or is told
//! of the gap. One reader per stream and process feeds all followers; each entry is rendered once for all of them;
//! who is slow reads on from the log at its own pace.

mod bus;
mod catchup;
mod embedded;
mod engine;
mod entry;
mod error;
mod event;
mod fields;
mod id;
mod key;
mod live;
mod redis;
mod tail;

pub use bus::{Bus, Settings, Submitted};
pub use embedded::EmbeddedSettings;
pub use engine::{NewId, Page, StreamInfo, Trim};
pub use entry::Entry;
pub use error::BusError;
pub use event::fields as event_fields;
pub use fields::{ENTRY_BYTES_MAX, FIELDS_MAX, Fields, FieldsError};
pub use id::{StreamId, StreamIdError};
pub use key::{KEY_BYTES_MAX, StreamKey, StreamKeyError};
pub use live::{Filter, Item, Notice};
pub use redis::{AnswerReader, Answers, Done, RedisSettings, Taker, Takers, Wanted, WorkQueue};
pub use tail::{Start, Tail, Told};

/// The stream of events.
pub const EVENTS_STREAM: &str = "task_events:analysis";

/// About how many entries a stream keeps: days of analysis, at some 100 MB.
pub const ENTRIES_KEPT: u64 = 200_000;
