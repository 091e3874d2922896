//! The embedded log: a file in SQLite, and the newest of it in memory.
//!
//! One thread writes. What is handed over while it commits is its next group, so that the cost of a commit is shared
//! by all who wait for it, and nobody waits for company. After the commit, and before it answers, it tells the
//! followers: whoever hears of an entry can read it, and an acknowledged entry survives the end of the process,
//! however sudden.
//!
//! A group's entries of one stream are stored together as *batches*, a row each; an id is found by the batch's last.
//! Trimming moves a mark, `trimmed_through`, and what lies below it is swept away later: who reads sees the mark
//! before anything is gone, and so never takes a trimmed stream for a whole one.

mod batch;
mod group;
mod open;
mod queue;
mod reader;
mod schema;
mod streams;
mod table;
mod writer;

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use chatstats_model::{Backend, BusStatus, FollowedStream};

use crate::bus::Submitted;
use crate::engine::{NewId, Page, Range, Reading, StreamInfo, Trim};
use crate::live::Live;
use crate::{BusError, Fields, StreamKey};
use open::OpenLog;
use reader::Readers;
use streams::{Found, Streams};
use writer::Writer;

/// Settings of the embedded log.
#[derive(Clone, Debug)]
pub struct EmbeddedSettings {
    /// The log's file; made when it is not there. A damaged one is set aside under another name and begun anew: the
    /// database is the truth, and the log tells only what happened to it lately.
    pub path: PathBuf,
    /// Milliseconds since 1970: what ids are made of. They never go back, even where this does.
    pub clock: fn() -> u64,
    /// About how many entries each stream keeps.
    pub kept: u64,
}

/// The log, open.
pub(crate) struct Embedded {
    streams: Arc<Mutex<Streams>>,
    // Dropped in this order: the readers first, so that the writer closes the file last and leaves no write-ahead log
    // beside it; then the lock.
    readers: Readers,
    writer: Writer,
    _lock: open::Lock,
}

impl Embedded {
    pub(crate) fn open(settings: EmbeddedSettings) -> Result<Self, BusError> {
        let OpenLog { conn, loaded, lock } = open::open(&settings)?;
        let readers = Readers::start(&settings.path)?;
        let streams = Arc::new(Mutex::new(Streams::load(&loaded)));
        let writer = Writer::start(conn, &settings, Arc::clone(&streams))?;
        Ok(Self {
            streams,
            readers,
            writer,
            _lock: lock,
        })
    }

    pub(crate) fn submit(&self, key: &StreamKey, id: NewId, fields: Fields) -> Result<Submitted, BusError> {
        self.writer.add(key, id, fields)
    }

    pub(crate) fn submit_all(
        &self,
        key: &StreamKey,
        all: Vec<Fields>,
    ) -> Result<Vec<Submitted>, (usize, BusError)> {
        self.writer.add_all(key, all)
    }

    pub(crate) fn range(&self, key: &StreamKey, range: Range) -> Reading<Page> {
        match lock(&self.streams).range(key, range) {
            Found::Page(page) => Box::pin(std::future::ready(Ok(page))),
            Found::InFile { row, range } => self.readers.range(row, range),
        }
    }

    pub(crate) fn info(&self, key: &StreamKey) -> Reading<StreamInfo> {
        let info = lock(&self.streams).info(key);
        Box::pin(std::future::ready(Ok(info)))
    }

    pub(crate) fn trim(&self, key: &StreamKey, trim: Trim) -> Reading<u64> {
        self.writer.trim(key, trim)
    }

    pub(crate) fn live(&self, key: &StreamKey) -> Reading<Live> {
        let live = lock(&self.streams).live(key);
        Box::pin(std::future::ready(live))
    }

    pub(crate) fn status(&self) -> BusStatus {
        let streams = lock(&self.streams);
        let followed: Vec<_> = streams.followed().collect();
        let length = streams.info(&StreamKey::events()).length;
        drop(streams);
        // Counted without the lock of the streams: there may be thousands of filters.
        let followed: Vec<_> = followed
            .into_iter()
            .map(|(key, live)| FollowedStream {
                key: key.to_string(),
                subscribers: live.followers(),
                newest: live.place().id.to_string(),
            })
            .filter(|stream| stream.subscribers > 0)
            .collect();
        let figures = self.writer.figures();
        BusStatus {
            backend: Backend::Embedded,
            address: None,
            problem: figures.problem,
            published: figures.published,
            read: figures.read,
            waiting: figures.waiting,
            subscribers: followed.iter().map(|stream| stream.subscribers).sum(),
            length,
            lag_ms: figures.lag_ms,
            reconnects: 0,
            streams: followed,
        }
    }

    /// Writes what waits and closes the file. What is asked after that is answered [`BusError::Closed`].
    pub(crate) async fn shutdown(&self) {
        let threads = self.readers.close().into_iter().chain(self.writer.close());
        let threads: Vec<_> = threads.collect();
        let joined = tokio::task::spawn_blocking(move || {
            for thread in threads {
                let _ = thread.join(); // It panicked: the panic was reported when it did.
            }
        });
        // Fails only where the runtime ends at this moment; dropping the log waits as well.
        let _ = joined.await;
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
