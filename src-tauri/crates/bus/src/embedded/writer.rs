//! The one thread that writes: groups of what waits, each in one commit, and then word to all.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Instant;

use chatstats_fold::{Fold, Turn};
use rusqlite::Connection;
use tokio::sync::oneshot;

use super::group::Group;
use super::queue::{Add, Job, Queue, Step};
use super::streams::Streams;
use super::table::{self, Depth, FileError};
use super::{EmbeddedSettings, lock};
use crate::bus::Submitted;
use crate::engine::{NewId, Reading, Trim};
use crate::live::{Live, Told};
use crate::{BusError, Entry, Fields, StreamId, StreamKey};

/// Batches below a stream's mark that are deleted in one commit at most: what else waits for it waits a few
/// milliseconds.
const SWEEP_BATCHES: usize = 256;

/// The thread, until it is closed.
pub(super) struct Writer {
    shared: Arc<Shared>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

/// How it fares.
pub(super) struct Figures {
    pub(super) published: u64,
    pub(super) read: u64,
    pub(super) waiting: u64,
    pub(super) lag_ms: f64,
    pub(super) problem: Option<String>,
}

#[derive(Default)]
struct Shared {
    queue: Queue,
    published: AtomicU64,
    read: AtomicU64,
    lag_us: AtomicU64,
    /// Why the last group was not written; none if it was.
    problem: Mutex<Option<String>>,
}

impl Writer {
    pub(super) fn start(
        mut conn: Connection,
        settings: &EmbeddedSettings,
        streams: Arc<Mutex<Streams>>,
    ) -> Result<Self, BusError> {
        let shared = Arc::new(Shared::default());
        let unswept = lock(&streams).trimmed();
        let fold = Fold::start(&mut conn, &settings.path, Turn::Even).map_err(FileError::from)?;
        let thread = Thread {
            conn,
            streams,
            clock: settings.clock,
            kept: settings.kept,
            unswept,
            is_stuck: false,
            fold,
            shared: Arc::clone(&shared),
        };
        let spawned = std::thread::Builder::new()
            .name("bus-write".to_owned())
            .spawn(move || thread.run());
        Ok(Self {
            shared,
            thread: Mutex::new(Some(spawned.map_err(FileError::from)?)),
        })
    }

    pub(super) fn add(&self, key: &StreamKey, id: NewId, fields: Fields) -> Result<Submitted, BusError> {
        let (reply, submitted) = Submitted::new();
        let add = Add {
            key: key.clone(),
            id,
            fields,
            reply,
        };
        self.shared.queue.push(Job::Add(add))?;
        Ok(submitted)
    }

    /// Answers how many were taken where there is no room for one.
    pub(super) fn add_all(
        &self,
        key: &StreamKey,
        all: Vec<Fields>,
    ) -> Result<Vec<Submitted>, (usize, BusError)> {
        let mut submitted = Vec::with_capacity(all.len());
        let adds = all.into_iter().map(|fields| {
            let (reply, one) = Submitted::new();
            submitted.push(one);
            Job::Add(Add {
                key: key.clone(),
                id: NewId::Auto,
                fields,
                reply,
            })
        });
        self.shared.queue.push_all(adds)?;
        Ok(submitted)
    }

    pub(super) fn trim(&self, key: &StreamKey, trim: Trim) -> Reading<u64> {
        let (reply, answer) = oneshot::channel();
        let pushed = self.shared.queue.push(Job::Trim(key.clone(), trim, reply));
        Box::pin(async {
            pushed?;
            answer.await.unwrap_or(Err(BusError::Closed))
        })
    }

    pub(super) fn figures(&self) -> Figures {
        let shared = &self.shared;
        Figures {
            published: shared.published.load(Ordering::Relaxed),
            read: shared.read.load(Ordering::Relaxed),
            waiting: shared.queue.len() as u64,
            lag_ms: shared.lag_us.load(Ordering::Relaxed) as f64 / 1_000.0,
            problem: lock(&shared.problem).clone(),
        }
    }

    /// Takes nothing more, and ends the thread once it has written what waits; the caller waits for it.
    pub(super) fn close(&self) -> Option<JoinHandle<()>> {
        self.shared.queue.close();
        lock(&self.thread).take()
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        if let Some(thread) = self.close() {
            let _ = thread.join();
        }
    }
}

/// What the thread owns.
struct Thread {
    conn: Connection,
    streams: Arc<Mutex<Streams>>,
    clock: fn() -> u64,
    kept: u64,
    /// Streams that may have batches below their mark, by row. The marks are those that readers see.
    unswept: BTreeMap<i64, StreamId>,
    /// The last commit failed, as on a full disk: nothing is swept until there is something to write.
    is_stuck: bool,
    fold: Fold,
    shared: Arc<Shared>,
}

impl Thread {
    fn run(mut self) {
        let shared = Arc::clone(&self.shared);
        let _closed = shared.queue.close_at_end();
        loop {
            match shared.queue.next(!self.unswept.is_empty() && !self.is_stuck) {
                Step::Write(adds) => self.write(adds),
                Step::Trim(key, trim, reply) => {
                    let _ = reply.send(self.trim(&key, trim)); // Who asked may have left.
                }
                Step::Sweep => {
                    let _ = self.commit(|_| Ok(())); // Logged where it failed, and tried again.
                }
                Step::End => break,
            }
            self.fold.finish_if_due(&self.conn);
        }
        drop(self.fold);
        if let Err(error) = self.conn.execute_batch("PRAGMA wal_checkpoint(TRUNCATE)") {
            tracing::warn!(%error, "the event log could not be folded into its file; the next start will do it");
        }
    }

    /// One commit for all of them; then the followers are told, and then those who wrote. Who wrote is woken first: it
    /// may have more, and followers take what comes soon together.
    fn write(&mut self, adds: Vec<Add>) {
        let began = Instant::now();
        let streams = Arc::clone(&self.streams);
        let mut group = Group::new(&streams, (self.clock)());
        let mut answers = Vec::with_capacity(adds.len());
        for add in adds {
            answers.push((add.reply, group.add(add.key, add.id, add.fields)));
        }
        let kept = self.kept;
        let written = match group.is_empty() {
            true => Ok(()),
            false => self.commit(|conn| group.write(conn, kept)),
        };
        let mut told = Vec::new();
        if written.is_ok() {
            told = self.tell(group);
            let lag_us = began.elapsed().as_micros();
            self.shared.lag_us.store(lag_us as u64, Ordering::Relaxed);
        }
        for (reply, id) in answers {
            // Whoever submitted and does not want to know has dropped its end.
            let _ = reply.send(id.and_then(|id| written.clone().map(|()| id)));
        }
        drop(told);
    }

    /// Answers whom to wake.
    fn tell(&mut self, group: Group<'_>) -> Vec<Told> {
        let mut published = 0;
        let mut told = Vec::new();
        let streams = Arc::clone(&self.streams);
        let mut streams = lock(&streams);
        for draft in group.into_drafts() {
            let Some(row) = draft.row else { continue };
            published += draft.entries.len() as u64;
            if draft.is_trimmed {
                self.unswept.insert(row, draft.state.trimmed_through);
            }
            if let Some(live) = streams.wrote(&draft.key, row, draft.state, &draft.entries) {
                told.push((live, draft.entries));
            }
        }
        drop(streams);
        self.shared.published.fetch_add(published, Ordering::Relaxed);
        let publish = |(live, entries): (Live, Vec<Arc<Entry>>)| {
            if live.is_followed() {
                self.shared
                    .read
                    .fetch_add(entries.len() as u64, Ordering::Relaxed);
            }
            live.publish(&entries)
        };
        told.into_iter().map(publish).collect()
    }

    fn trim(&mut self, key: &StreamKey, trim: Trim) -> Result<u64, BusError> {
        let Some((row, before)) = lock(&self.streams).get(key) else {
            return Ok(0);
        };
        let (keep, is_exact) = match trim {
            Trim::About(keep) => (keep, false),
            Trim::Exactly(keep) => (keep, true),
        };
        let depth = Depth {
            keep,
            is_exact,
            batches_max: None,
        };
        let mut state = before;
        self.commit(|conn| table::trim(conn, row, &mut state, depth))?;
        lock(&self.streams).wrote(key, row, state, &[]);
        self.unswept.insert(row, state.trimmed_through);
        Ok(state.trimmed - before.trimmed)
    }

    /// Commits what `work` does, and sweeps a little.
    fn commit(&mut self, work: impl FnOnce(&Connection) -> Result<(), FileError>) -> Result<(), BusError> {
        let committed = self.transaction(work);
        self.is_stuck = committed.is_err();
        match committed {
            Ok(swept) => {
                self.unswept.retain(|row, _| !swept.contains(row));
                lock(&self.shared.problem).take();
                Ok(())
            }
            Err(error) => {
                tracing::error!(%error, "the event log could not be written");
                *lock(&self.shared.problem) = Some(error.to_string());
                if !self.conn.is_autocommit() {
                    // Where even this fails, the next transaction cannot begin, and says so.
                    let _ = self.conn.execute_batch("ROLLBACK");
                }
                Err(error.into())
            }
        }
    }

    /// Answers the rows of the streams that are swept clean.
    fn transaction(
        &self,
        work: impl FnOnce(&Connection) -> Result<(), FileError>,
    ) -> Result<Vec<i64>, FileError> {
        let conn = &self.conn;
        conn.prepare_cached("BEGIN IMMEDIATE")?.execute([])?;
        let mut swept = Vec::new();
        let mut room = SWEEP_BATCHES;
        for (&row, &through) in &self.unswept {
            let (deleted, is_clean) = table::sweep(conn, row, through, room)?;
            // Looking counts as well.
            room = room.saturating_sub(deleted + 1);
            if is_clean {
                swept.push(row);
            }
            if room == 0 {
                break;
            }
        }
        work(conn)?;
        conn.prepare_cached("COMMIT")?.execute([])?;
        Ok(swept)
    }
}
