//! The handle that everybody holds.

use std::ops::{Bound, RangeBounds};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use chatstats_model::BusStatus;
use serde_json::{Map, Value};
use tokio::sync::oneshot;

use crate::embedded::{Embedded, EmbeddedSettings};
use crate::engine::{Engine, NewId, Page, Range, StreamInfo, Trim};
use crate::event::{self, Stamp};
use crate::live::Filter;
use crate::redis::{Redis, RedisSettings, WorkQueue};
use crate::tail::{Start, Tail};
use crate::{BusError, Fields, StreamId, StreamKey};

/// The event bus. A cheap handle: clones share it.
#[derive(Clone)]
pub struct Bus(Arc<Inner>);

struct Inner {
    engine: Engine,
    events: StreamKey,
    stamp: Stamp,
}

/// Where the log is kept.
#[derive(Clone, Debug)]
pub enum Settings {
    /// In a file.
    Embedded(EmbeddedSettings),
    /// In Redis.
    Redis(RedisSettings),
}

/// An entry that is handed over. Resolves with its id once it is written and will survive the end of the program;
/// while Redis is away, it waits. Dropping it changes nothing about the entry.
#[derive(Debug)]
pub struct Submitted(oneshot::Receiver<Result<StreamId, BusError>>);

impl Bus {
    /// Opens the log. Must be called within an async runtime. A Redis that cannot be reached is no error: it is
    /// tried again until it can.
    ///
    /// # Errors
    ///
    /// The file cannot be opened or is held by another process; the address of Redis is none.
    pub async fn open(settings: Settings) -> Result<Self, BusError> {
        let engine = match settings {
            Settings::Embedded(settings) => Engine::Embedded(Embedded::open(settings)?),
            Settings::Redis(settings) => Engine::Redis(Redis::open(settings).await?),
        };
        Ok(Self(Arc::new(Inner {
            engine,
            events: StreamKey::events(),
            stamp: Stamp::default(),
        })))
    }

    /// Publishes an event: `data` under its scope and type, in the order of the calls.
    ///
    /// Numbers in `data` become decimal strings, objects and arrays JSON, booleans and null `True`, `False` and
    /// `None`. It cannot overwrite `type`, `scope` and `ts`.
    ///
    /// # Errors
    ///
    /// The event is too large, or more wait for Redis than are kept. See [`Submitted`] for what can come later.
    pub fn submit(
        &self,
        scope: &str,
        event_type: &str,
        data: &Map<String, Value>,
    ) -> Result<Submitted, BusError> {
        let ts = self.0.stamp.next(jiff::Timestamp::now().as_microsecond());
        let fields = event::fields(scope, event_type, &ts, data)?;
        self.add(&self.0.events, NewId::Auto, fields)
    }

    /// As [`submit`](Self::submit), for several that belong together: each a scope, a type and its fields. They are handed
    /// over without a pause, so that they are mostly written, and told of, together.
    ///
    /// # Errors
    ///
    /// As [`submit`](Self::submit), with how many were taken before the one that was not.
    pub fn submit_all<'e>(
        &self,
        events: impl IntoIterator<Item = (&'e str, &'e str, &'e Map<String, Value>)>,
    ) -> Result<Vec<Submitted>, (usize, BusError)> {
        let fields = |(scope, event_type, data)| {
            let ts = self.0.stamp.next(jiff::Timestamp::now().as_microsecond());
            event::fields(scope, event_type, &ts, data)
        };
        let all: Result<Vec<_>, _> = events.into_iter().map(fields).collect();
        let all = all.map_err(|error| (0, error.into()))?;
        self.0.engine.submit_all(&self.0.events, all)
    }

    /// As [`submit`](Self::submit), and waits until it is written.
    ///
    /// # Errors
    ///
    /// As [`submit`](Self::submit), or the log could not be written.
    pub async fn publish(
        &self,
        scope: &str,
        event_type: &str,
        data: &Map<String, Value>,
    ) -> Result<StreamId, BusError> {
        self.submit(scope, event_type, data)?.await
    }

    /// Adds an entry of any shape to any stream.
    ///
    /// # Errors
    ///
    /// As [`submit`](Self::submit).
    pub fn add(&self, key: &StreamKey, id: NewId, fields: Fields) -> Result<Submitted, BusError> {
        self.0.engine.submit(key, id, fields)
    }

    /// As [`add`](Self::add), for several, which are mostly written together.
    ///
    /// # Errors
    ///
    /// As [`submit_all`](Self::submit_all).
    pub fn add_all(&self, key: &StreamKey, all: Vec<Fields>) -> Result<Vec<Submitted>, (usize, BusError)> {
        self.0.engine.submit_all(key, all)
    }

    /// The first `count` entries of a range, the oldest first. Large entries make a page shorter; it says whether
    /// there is more.
    ///
    /// # Errors
    ///
    /// The log cannot be read.
    pub async fn range(
        &self,
        key: &StreamKey,
        ids: impl RangeBounds<StreamId>,
        count: usize,
    ) -> Result<Page, BusError> {
        self.page(key, &ids, count, false).await
    }

    /// The last `count` entries of a range, the newest first.
    ///
    /// # Errors
    ///
    /// The log cannot be read.
    pub async fn rev_range(
        &self,
        key: &StreamKey,
        ids: impl RangeBounds<StreamId>,
        count: usize,
    ) -> Result<Page, BusError> {
        self.page(key, &ids, count, true).await
    }

    /// How many entries a stream keeps.
    ///
    /// # Errors
    ///
    /// The log cannot be read.
    pub async fn len(&self, key: &StreamKey) -> Result<u64, BusError> {
        Ok(self.info(key).await?.length)
    }

    /// How long a stream is, and how far back it reaches.
    ///
    /// # Errors
    ///
    /// The log cannot be read.
    pub async fn info(&self, key: &StreamKey) -> Result<StreamInfo, BusError> {
        self.0.engine.info(key).await
    }

    /// Drops the oldest entries of a stream; answers how many. Streams are kept short without it.
    ///
    /// # Errors
    ///
    /// The log cannot be written.
    pub async fn trim(&self, key: &StreamKey, trim: Trim) -> Result<u64, BusError> {
        self.0.engine.trim(key, trim).await
    }

    /// Follows a stream. When this returns, the start is fixed: what is published from now on will be told.
    ///
    /// # Errors
    ///
    /// Redis is away, the key is no stream, or too many streams are followed.
    pub async fn follow(&self, key: &StreamKey, filter: Filter, start: Start) -> Result<Tail, BusError> {
        Tail::open(self.clone(), key.clone(), filter, start).await
    }

    /// A queue of work that several processes take from; none on the embedded log, which one process has to itself.
    pub fn work_queue(&self, key: &StreamKey, group: &str) -> Option<WorkQueue> {
        match &self.0.engine {
            Engine::Redis(redis) => Some(redis.work_queue(key, group)),
            Engine::Embedded(_) => None,
        }
    }

    /// How the bus fares.
    pub fn status(&self) -> BusStatus {
        self.0.engine.status()
    }

    /// Writes what waits, for as long as that is a matter of moments, and takes nothing more.
    pub async fn shutdown(&self) {
        self.0.engine.shutdown().await;
    }

    pub(crate) fn engine(&self) -> &Engine {
        &self.0.engine
    }

    async fn page(
        &self,
        key: &StreamKey,
        ids: &impl RangeBounds<StreamId>,
        count: usize,
        reverse: bool,
    ) -> Result<Page, BusError> {
        let from = match ids.start_bound() {
            Bound::Included(id) => Some(*id),
            Bound::Excluded(id) => id.next(),
            Bound::Unbounded => Some(StreamId::ZERO),
        };
        let to = match ids.end_bound() {
            Bound::Included(id) => Some(*id),
            Bound::Excluded(id) => id.prev(),
            Bound::Unbounded => Some(StreamId::MAX),
        };
        let (Some(from), Some(to)) = (from, to) else {
            return Ok(Page::default()); // Above the last or below the first there is nothing.
        };
        if from > to || count == 0 {
            return Ok(Page::default());
        }
        let range = Range {
            from,
            to,
            count,
            reverse,
        };
        self.0.engine.range(key, range).await
    }
}

impl Submitted {
    pub(crate) fn new() -> (oneshot::Sender<Result<StreamId, BusError>>, Self) {
        let (reply, answer) = oneshot::channel();
        (reply, Self(answer))
    }
}

impl Future for Submitted {
    type Output = Result<StreamId, BusError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let answer = ready!(Pin::new(&mut self.0).poll(cx));
        Poll::Ready(answer.unwrap_or(Err(BusError::Closed)))
    }
}
