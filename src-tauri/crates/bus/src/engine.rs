//! What an engine must do. The promises are those of Redis Streams; `tests/contract` holds both engines to them.

use std::pin::Pin;
use std::sync::Arc;

use chatstats_model::BusStatus;

use crate::bus::Submitted;
use crate::embedded::Embedded;
use crate::live::Live;
use crate::redis::Redis;
use crate::{BusError, Entry, Fields, StreamId, StreamKey};

/// The most that one page of a stream takes, in bytes of fields: a page is in memory as a whole, and entries may be
/// large.
pub(crate) const PAGE_BYTES: usize = 4 << 20;

/// An answer that is on its way: the work began when it was asked for, and not when it is first polled.
pub(crate) type Reading<T> = Pin<Box<dyn Future<Output = Result<T, BusError>> + Send>>;

/// The id of a new entry.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum NewId {
    /// The next, by the clock of whoever keeps the log.
    #[default]
    Auto,
    /// This one, which must be above all there were.
    At(StreamId),
}

/// How many entries to keep.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trim {
    /// At least so many, and not many more: what is cheap to drop is dropped.
    About(u64),
    /// Just so many.
    Exactly(u64),
}

/// Entries in a row.
#[derive(Clone, Debug, Default)]
pub struct Page {
    /// In the order asked for.
    pub entries: Vec<Arc<Entry>>,
    /// Whether the range goes on: the page stopped for its count or its bytes.
    pub more: bool,
}

/// A stream at one moment. One that does not exist is empty.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct StreamInfo {
    /// Entries kept.
    pub length: u64,
    /// The oldest entry kept.
    pub first: Option<StreamId>,
    /// The newest entry kept.
    pub last: Option<StreamId>,
    /// The highest id there ever was, kept or not; `0-0` if none.
    pub newest: StreamId,
    /// Everything up to here was trimmed; `0-0` if nothing was.
    pub trimmed_through: StreamId,
}

/// Which entries to read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Range {
    /// The lowest id, inclusive.
    pub(crate) from: StreamId,
    /// The highest id, inclusive.
    pub(crate) to: StreamId,
    /// At most so many.
    pub(crate) count: usize,
    /// The newest first.
    pub(crate) reverse: bool,
}

/// Where the log is kept.
pub(crate) enum Engine {
    Embedded(Embedded),
    Redis(Redis),
}

macro_rules! either {
    ($self:ident, $engine:ident => $call:expr) => {
        match $self {
            Engine::Embedded($engine) => $call,
            Engine::Redis($engine) => $call,
        }
    };
}

impl Engine {
    /// Hands an entry over, to be written after all that were handed over before it, and trims the stream to about
    /// what is kept.
    pub(crate) fn submit(&self, key: &StreamKey, id: NewId, fields: Fields) -> Result<Submitted, BusError> {
        either!(self, engine => engine.submit(key, id, fields))
    }

    /// The same for several of one stream. Answers how many were taken where one is refused.
    pub(crate) fn submit_all(
        &self,
        key: &StreamKey,
        all: Vec<Fields>,
    ) -> Result<Vec<Submitted>, (usize, BusError)> {
        either!(self, engine => engine.submit_all(key, all))
    }

    /// Reads a page, of at most [`PAGE_BYTES`] except that a larger entry comes alone.
    pub(crate) fn range(&self, key: &StreamKey, range: Range) -> Reading<Page> {
        either!(self, engine => engine.range(key, range))
    }

    /// Looks at a stream.
    pub(crate) fn info(&self, key: &StreamKey) -> Reading<StreamInfo> {
        either!(self, engine => engine.info(key))
    }

    /// Drops the oldest entries; answers how many.
    pub(crate) fn trim(&self, key: &StreamKey, trim: Trim) -> Reading<u64> {
        either!(self, engine => engine.trim(key, trim))
    }

    /// The followers of a stream, fed from now on.
    pub(crate) fn live(&self, key: &StreamKey) -> Reading<Live> {
        either!(self, engine => engine.live(key))
    }

    /// How it fares.
    pub(crate) fn status(&self) -> BusStatus {
        either!(self, engine => engine.status())
    }

    /// Writes what waits, as far as that can be done soon, and takes nothing more.
    pub(crate) async fn shutdown(&self) {
        either!(self, engine => engine.shutdown().await);
    }
}
