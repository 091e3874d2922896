//! Event streams: what is common to all of them.
//!
//! A stream is a response body with a small state machine and no task of its own. Those of the bus ([`bus::BusBody`])
//! follow its log, that of the metrics ([`metrics::MetricsBody`]) a sampler. Those of the hub ([`live::LiveBody`]) have
//! the database behind them, and join without a hole: subscribe first, then take the database's position, send `initial`
//! up to it, pass over what the hub has of it as well, `ready`, and live from there. Who was too slow for the hub gets
//! what it missed from the database.

pub(crate) mod bus;
pub(crate) mod frame;
pub(crate) mod lists;
pub(crate) mod live;
pub(crate) mod messages;
pub(crate) mod metrics;
pub(crate) mod place;
pub(crate) mod pulse;

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use axum::body::Body;
use axum::response::Response;
use bytes::Bytes;
use chatstats_model::Timestamp;
use http_body::Body as HttpBody;
use hyper::header::{CACHE_CONTROL, CONTENT_TYPE, HeaderName, HeaderValue};

use crate::connection::TakeOver;
use crate::histogram::Histogram;
use pulse::Pulse;

/// How much is taken at once of what is to be told, in bytes: what a socket takes without waiting, usually.
const GATHER_BYTES: usize = 64 << 10;

const X_ACCEL_BUFFERING: HeaderName = HeaderName::from_static("x-accel-buffering");

/// All open streams. A cheap handle.
#[derive(Clone, Default)]
pub(crate) struct Streams(Arc<Shared>);

#[derive(Default)]
struct Shared {
    pulse: Pulse,
    open: [AtomicU64; Endpoint::ALL.len()],
    bytes_sent: AtomicU64,
    latency: Histogram,
}

/// The endpoints that stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Endpoint {
    /// The messages of one chat.
    Messages,
    /// The list of chats.
    Chats,
    /// The list of contacts.
    Contacts,
    /// The events of the bus, by scope and run.
    QueueStream,
    /// Any stream of the bus.
    RedisStream,
    /// Snapshots of the metrics.
    Metrics,
}

impl Endpoint {
    pub(crate) const ALL: [Self; 6] = [
        Self::Messages,
        Self::Chats,
        Self::Contacts,
        Self::QueueStream,
        Self::RedisStream,
        Self::Metrics,
    ];
}

/// Counts a stream as open for as long as it lives.
pub(crate) struct OpenStream {
    streams: Streams,
    endpoint: Endpoint,
}

impl Streams {
    pub(crate) fn pulse(&self) -> &Pulse {
        &self.0.pulse
    }

    /// Counts one more.
    pub(crate) fn open(&self, endpoint: Endpoint) -> OpenStream {
        self.0.open[endpoint as usize].fetch_add(1, Ordering::Relaxed);
        OpenStream {
            streams: self.clone(),
            endpoint,
        }
    }

    /// How many are open.
    pub(crate) fn open_count(&self, endpoint: Endpoint) -> u64 {
        self.0.open[endpoint as usize].load(Ordering::Relaxed)
    }

    /// Bytes handed to sockets.
    pub(crate) fn bytes_sent(&self) -> u64 {
        self.0.bytes_sent.load(Ordering::Relaxed)
    }

    /// How long it took from publishes to sockets.
    pub(crate) fn latency(&self) -> &Histogram {
        &self.0.latency
    }

    /// Beats the heart of all streams, for ever: one timer, one frame.
    pub(crate) async fn keep_beating(self, every: Duration) {
        let mut timer = tokio::time::interval_at(tokio::time::Instant::now() + every, every);
        // After a laptop's sleep one beat is enough.
        timer.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            timer.tick().await;
            self.0.pulse.beat(heartbeat());
        }
    }
}

impl OpenStream {
    pub(crate) fn sent(&self, bytes: usize) {
        self.streams
            .0
            .bytes_sent
            .fetch_add(bytes as u64, Ordering::Relaxed);
    }

    /// Notes that what was published then is handed to the socket now.
    pub(crate) fn told(&self, published: Instant) {
        self.streams.0.latency.add(published.elapsed());
    }
}

impl Drop for OpenStream {
    fn drop(&mut self) {
        self.streams.0.open[self.endpoint as usize].fetch_sub(1, Ordering::Relaxed);
    }
}

/// The answer that carries a stream.
pub(crate) fn response(body: impl HttpBody<Data = Bytes, Error = io::Error> + Send + 'static) -> Response {
    let mut response = Response::new(Body::new(body));
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/event-stream"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    // Tells nginx not to collect events before it passes them on.
    headers.insert(X_ACCEL_BUFFERING, HeaderValue::from_static("no"));
    response.extensions_mut().insert(TakeOver);
    response
}

fn heartbeat() -> Bytes {
    let now = Timestamp::from_micros(jiff::Timestamp::now().as_microsecond()).unwrap_or_default();
    let mut out = Vec::new();
    frame::begin(&mut out, "heartbeat");
    out.extend_from_slice(b"{\"ts\":\"");
    now.write_to(&mut out);
    out.extend_from_slice(b"\"}");
    frame::end(&mut out);
    out.into()
}
