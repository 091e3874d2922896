//! The one thread that writes: groups of what waits, each in one commit, and then word to all.

use std::collections::{BTreeMap, VecDeque};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Instant;

use rusqlite::Connection;
use tokio::sync::oneshot;

use super::fold::{self, Fold};
use super::group::Group;
use super::streams::Streams;
use super::table::{self, Depth, FileError};
use super::{EmbeddedSettings, lock};
use crate::bus::Submitted;
use crate::engine::{NewId, Reading, Trim};
use crate::{BusError, Fields, StreamId, StreamKey};

/// Entries committed together at most: enough to share the cost of a commit, few enough that the first of them does
/// not wait long for the last.
pub(super) const GROUP_ENTRIES: usize = 2_048;

/// A group ends where its entries take more than this, in bytes, for the same reasons.
const GROUP_BYTES: usize = 4 << 20;

/// What may wait to be written, in bytes: seconds of the fastest publishing, or a few of the largest entries.
const QUEUED_BYTES_MAX: usize = 64 << 20;

/// What a waiting entry takes beside its fields, about.
const JOB_BYTES: usize = 256;

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
    queue: Mutex<Queue>,
    arrived: Condvar,
    published: AtomicU64,
    read: AtomicU64,
    lag_us: AtomicU64,
    /// Why the last group was not written; none if it was.
    problem: Mutex<Option<String>>,
}

#[derive(Default)]
struct Queue {
    jobs: VecDeque<Job>,
    bytes: usize,
    /// Whether the thread sleeps: waking it costs a system call, and is done once.
    is_asleep: bool,
    is_closed: bool,
}

enum Job {
    Add(Add),
    Trim(StreamKey, Trim, oneshot::Sender<Result<u64, BusError>>),
}

struct Add {
    key: StreamKey,
    id: NewId,
    fields: Fields,
    reply: oneshot::Sender<Result<StreamId, BusError>>,
}

impl Writer {
    pub(super) fn start(
        conn: Connection,
        settings: &EmbeddedSettings,
        streams: Arc<Mutex<Streams>>,
    ) -> Result<Self, BusError> {
        let shared = Arc::new(Shared::default());
        let unswept = lock(&streams).trimmed();
        let thread = Thread {
            conn,
            streams,
            clock: settings.clock,
            kept: settings.kept,
            unswept,
            is_stuck: false,
            fold: Fold::start(&settings.path)?,
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
        self.shared.push(Job::Add(add))?;
        Ok(submitted)
    }

    pub(super) fn trim(&self, key: &StreamKey, trim: Trim) -> Reading<u64> {
        let (reply, answer) = oneshot::channel();
        let pushed = self.shared.push(Job::Trim(key.clone(), trim, reply));
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
            waiting: shared.queue().jobs.len() as u64,
            lag_ms: shared.lag_us.load(Ordering::Relaxed) as f64 / 1_000.0,
            problem: lock(&shared.problem).clone(),
        }
    }

    /// Takes nothing more, and ends the thread once it has written what waits; the caller waits for it.
    pub(super) fn close(&self) -> Option<JoinHandle<()>> {
        self.shared.queue().is_closed = true;
        self.shared.arrived.notify_one();
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

impl Shared {
    fn queue(&self) -> MutexGuard<'_, Queue> {
        lock(&self.queue)
    }

    fn push(&self, job: Job) -> Result<(), BusError> {
        let mut queue = self.queue();
        if queue.is_closed {
            return Err(BusError::Closed);
        }
        let bytes = queue.bytes + job.cost_bytes();
        if bytes > QUEUED_BYTES_MAX {
            return Err(BusError::Full {
                waiting: queue.jobs.len(),
            });
        }
        queue.bytes = bytes;
        queue.jobs.push_back(job);
        let was_asleep = std::mem::take(&mut queue.is_asleep);
        drop(queue);
        if was_asleep {
            self.arrived.notify_one();
        }
        Ok(())
    }
}

impl Job {
    fn cost_bytes(&self) -> usize {
        JOB_BYTES
            + if let Self::Add(add) = self {
                add.fields.size_bytes()
            } else {
                0
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

/// What the thread does next.
enum Step {
    Write(Vec<Add>),
    Trim(StreamKey, Trim, oneshot::Sender<Result<u64, BusError>>),
    Sweep,
    End,
}

impl Thread {
    fn run(mut self) {
        let shared = Arc::clone(&self.shared);
        // Also where this thread panics: nobody shall wait for it then.
        let _closed = CloseAtEnd(&shared);
        loop {
            match next_step(&shared, !self.unswept.is_empty() && !self.is_stuck) {
                Step::Write(adds) => self.write(adds),
                Step::Trim(key, trim, reply) => {
                    let _ = reply.send(self.trim(&key, trim)); // Who asked may have left.
                }
                Step::Sweep => {
                    let _ = self.commit(|_| Ok(())); // Logged where it failed, and tried again.
                }
                Step::End => break,
            }
            if self.fold.is_finish_due()
                && let Err(error) = fold::finish(&self.conn)
            {
                tracing::warn!(%error, "the event log could not be folded into its file; it is tried again");
            }
        }
        drop(self.fold);
        if let Err(error) = self.conn.execute_batch("PRAGMA wal_checkpoint(TRUNCATE)") {
            tracing::warn!(%error, "the event log could not be folded into its file; the next start will do it");
        }
    }

    /// One commit for all of them; then the followers are told, and then those who wrote.
    fn write(&mut self, adds: Vec<Add>) {
        let began = Instant::now();
        let bytes = adds.iter().map(|add| add.fields.size_bytes()).sum();
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
        if written.is_ok() {
            self.fold.wrote(bytes);
            self.tell(group);
            let lag_us = began.elapsed().as_micros();
            self.shared.lag_us.store(lag_us as u64, Ordering::Relaxed);
        }
        for (reply, id) in answers {
            // Whoever submitted and does not want to know has dropped its end.
            let _ = reply.send(id.and_then(|id| written.clone().map(|()| id)));
        }
    }

    fn tell(&mut self, group: Group<'_>) {
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
        for (live, entries) in told {
            if live.is_followed() {
                self.shared
                    .read
                    .fetch_add(entries.len() as u64, Ordering::Relaxed);
            }
            live.publish(&entries);
        }
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

/// Waits for something to do. What was asked goes before sweeping, and in the order in which it was asked.
fn next_step(shared: &Shared, may_sweep: bool) -> Step {
    let mut queue = shared.queue();
    loop {
        match queue.jobs.pop_front() {
            Some(Job::Trim(key, trim, reply)) => {
                queue.bytes -= JOB_BYTES;
                return Step::Trim(key, trim, reply);
            }
            Some(Job::Add(first)) => return Step::Write(queue.group(first)),
            None if queue.is_closed => return Step::End,
            None if may_sweep => return Step::Sweep,
            None => {}
        }
        queue.is_asleep = true;
        queue = shared.arrived.wait(queue).unwrap_or_else(PoisonError::into_inner);
        queue.is_asleep = false;
    }
}

impl Queue {
    /// The first, and what waits behind it.
    fn group(&mut self, first: Add) -> Vec<Add> {
        let mut bytes = 0;
        let mut adds = Vec::with_capacity(GROUP_ENTRIES.min(self.jobs.len() + 1));
        let mut next = Some(Job::Add(first));
        while let Some(job) = next.take() {
            bytes += job.cost_bytes();
            if let Job::Add(add) = job {
                adds.push(add);
            }
            if adds.len() < GROUP_ENTRIES && bytes < GROUP_BYTES {
                next = self.jobs.pop_front_if(|job| matches!(job, Job::Add(_)));
            }
        }
        self.bytes -= bytes;
        adds
    }
}

struct CloseAtEnd<'s>(&'s Shared);

impl Drop for CloseAtEnd<'_> {
    fn drop(&mut self) {
        let mut queue = self.0.queue();
        queue.is_closed = true;
        queue.jobs.clear();
    }
}
