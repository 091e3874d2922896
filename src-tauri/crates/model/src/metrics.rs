//! How the program fares, second by second.

use serde::{Deserialize, Serialize};
use ts_rs::TS;

use crate::{Backend, HubStatus, Timestamp};

/// Data of the events of `GET /api/metrics/stream`. Counters run since the program's start.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, TS)]
#[ts(export)]
pub struct Metrics {
    /// When it was taken.
    pub ts: Timestamp,
    /// Since the program's start, in seconds.
    pub uptime_s: f64,
    /// The process.
    pub process: ProcessMetrics,
    /// The hub.
    pub hub: HubStatus,
    /// The event bus.
    pub bus: BusMetrics,
    /// The open streams.
    pub sse: SseMetrics,
    /// Analysis.
    pub analysis: AnalysisMetrics,
    /// How long things take.
    pub latency_ms: LatencyMetrics,
    /// The database.
    pub store: StoreMetrics,
}

/// The process, as the operating system counts it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, TS)]
#[ts(export)]
pub struct ProcessMetrics {
    /// Of one processor, since the last snapshot: two that are busy are 200.
    pub cpu_percent: f64,
    /// Memory in use, in bytes.
    #[ts(type = "number")]
    pub rss_bytes: u64,
    /// Threads; none where the system does not tell.
    #[ts(type = "number | null")]
    pub threads: Option<u64>,
}

/// The event bus.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, TS)]
#[ts(export)]
pub struct BusMetrics {
    /// Where the log is kept.
    pub backend: Backend,
    /// Entries written by this program.
    #[ts(type = "number")]
    pub published: u64,
    /// Entries handed on to those who follow, each once however many they are.
    #[ts(type = "number")]
    pub read: u64,
    /// Those who follow.
    #[ts(type = "number")]
    pub subscribers: u64,
    /// Entries of the stream of events.
    #[ts(type = "number")]
    pub length: u64,
    /// How far the newest entry was behind when it was handed on, in milliseconds.
    pub lag_ms: f64,
}

/// The event streams over HTTP.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, TS)]
#[ts(export)]
pub struct SseMetrics {
    /// Streams that are open.
    #[ts(type = "number")]
    pub open: u64,
    /// Those by endpoint.
    pub by_endpoint: EndpointCounts,
    /// Bytes handed to sockets.
    #[ts(type = "number")]
    pub bytes_sent: u64,
}

/// Open streams by endpoint.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, TS)]
#[ts(export)]
pub struct EndpointCounts {
    /// Messages of one chat.
    #[ts(type = "number")]
    pub messages: u64,
    /// The list of chats.
    #[ts(type = "number")]
    pub chats: u64,
    /// The list of contacts.
    #[ts(type = "number")]
    pub contacts: u64,
    /// Events of the bus, by scope and run.
    #[ts(type = "number")]
    pub queue_stream: u64,
    /// Any stream of the bus.
    #[ts(type = "number")]
    pub redis_stream: u64,
    /// These snapshots.
    #[ts(type = "number")]
    pub metrics: u64,
}

/// Tasks.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, TS)]
#[ts(export)]
pub struct AnalysisMetrics {
    /// Waiting for a worker, or for their next try.
    #[ts(type = "number")]
    pub queued: u64,
    /// With a worker.
    #[ts(type = "number")]
    pub running: u64,
    /// Ended well since the program's start.
    #[ts(type = "number")]
    pub completed: u64,
    /// Failed for good since the program's start, dead letters included.
    #[ts(type = "number")]
    pub failed: u64,
    /// Dead letters there are.
    #[ts(type = "number")]
    pub dead: u64,
    /// Tasks that ended in the last second.
    pub per_second: f64,
}

/// How long things take, over the last ten snapshots.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, TS)]
#[ts(export)]
pub struct LatencyMetrics {
    /// From the publish to the hand-over to the socket, in milliseconds; none if nothing was sent.
    pub publish_to_send: Option<Latency>,
}

/// A distribution, in milliseconds, to about 6 %.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, TS)]
#[ts(export)]
pub struct Latency {
    /// Half are below.
    pub p50: f64,
    /// All but one in a hundred are below.
    pub p99: f64,
    /// The longest.
    pub max: f64,
}

/// The database.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
#[ts(export)]
pub struct StoreMetrics {
    /// Chats.
    #[ts(type = "number")]
    pub chats: i64,
    /// Messages.
    #[ts(type = "number")]
    pub messages: i64,
    /// The size of its files, in bytes.
    #[ts(type = "number")]
    pub db_bytes: u64,
}
