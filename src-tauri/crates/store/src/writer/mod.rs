//! The one thread that writes to a file: group commits and two lanes. What the file holds is a [`Book`].

mod analysis;
mod messages;

use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use chatstats_fold::{Fold, Turn};
use rusqlite::Connection;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

pub(crate) use self::analysis::Analyses;
pub use self::analysis::WriteAnalysis;
pub(crate) use self::messages::Messages;
pub use self::messages::{Commit, CommitListener, Published, Write};
use crate::{Reader, StoreError};

/// Live writes committed together at most: enough to share the cost of a commit, few enough that the first of
/// them does not wait long for the last.
const GROUP_MAX: usize = 256;

/// What queued live writes may hold in memory, in KiB: four of the largest bodies the API takes.
const QUEUED_KIB_MAX: usize = 64 * 1024;

/// How long nothing must have come before the rest of a backlog is worked off. Short for people, long for posts that
/// follow each other.
const BACKLOG_AFTER: Duration = Duration::from_millis(20);

/// So long after a live write another is expected: a bulk write would be in its way.
const MORE_EXPECTED: Duration = Duration::from_millis(2);

/// How long a live write of another file needs the processors, on its way to those who follow: a bulk write would take one.
const ON_ITS_WAY: Duration = Duration::from_millis(3);

/// How long a bulk write waits for that at most: somebody counts on it as well.
const HELD_MAX: Duration = Duration::from_millis(10);

/// Which queue a write waits in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Lane {
    /// Somebody waits for it: goes first, and is committed in groups.
    #[default]
    Live,
    /// A batch of an import: one at a time, between groups of live writes. A live write therefore waits for no
    /// more than one batch; and a batch waits for a moment without live writes, but not long, so that an import is never
    /// starved.
    Bulk,
}

/// What a file holds, as the thread that writes to it sees it: what its jobs are given, and what goes with a commit.
pub(crate) trait Book: Sized + Send + 'static {
    /// A write in progress.
    type Write<'w>;
    /// Where a job began.
    type Mark;

    /// What the thread is called.
    const THREAD: &'static str;
    /// How a transaction begins.
    const BEGIN: &'static str;
    /// When its log is copied into the file.
    const FOLDS: Turn;
    /// So much of a backlog is worked off in turns with what is waiting.
    const BACKLOG_BATCH: usize;
    /// So much of it before anything else.
    const BACKLOG_MAX: usize;

    /// What tells how long ago a live write came to the file that people wait for more; none if it is this one.
    fn elsewhere(&self) -> Option<Elsewhere>;

    /// What the next job is given.
    fn write<'w>(&'w mut self, conn: &'w Connection, queue: &'w Shared<Self>) -> Self::Write<'w>;

    /// A job begins.
    fn mark(&mut self) -> Self::Mark;

    /// The job that began at `mark` failed, and what it wrote is taken back.
    fn undo(&mut self, mark: Self::Mark);

    /// Writes what goes with what the jobs have written; the commit follows.
    fn complete(&mut self, conn: &Connection) -> Result<(), rusqlite::Error>;

    /// All is committed.
    fn committed(&mut self, reader: &Reader, lane: Lane);

    /// Nothing is.
    fn rolled_back(&mut self);

    /// How much is left to do that nobody waits for.
    fn backlog(&self) -> usize;

    /// Does a part of that.
    fn work_off(write: &mut Self::Write<'_>) -> Result<(), StoreError>;
}

type Work<B> = Box<dyn for<'w> FnOnce(&mut <B as Book>::Write<'w>) -> Result<Reply, StoreError> + Send>;
/// Tells how long ago a live write came to another file; none has since the start.
pub(crate) type Elsewhere = Box<dyn Fn() -> Option<Duration> + Send + Sync>;
type Reply = Box<dyn FnOnce(Result<(), StoreError>) + Send>;
type Refusal = Box<dyn FnOnce(StoreError) + Send>;

struct Job<B: Book> {
    since: Instant,
    work: Work<B>,
    refuse: Refusal,
    _room: Option<OwnedSemaphorePermit>,
}

struct Queues<B: Book> {
    live: VecDeque<Job<B>>,
    bulk: VecDeque<Job<B>>,
    /// When the last live write came.
    live_at: Option<Instant>,
    closed: bool,
}

impl<B: Book> Queues<B> {
    /// How long the next bulk write is to be held back: more live ones are expected, or one of another file is on its way,
    /// and it has not waited long.
    fn held(&self, elsewhere: Option<Duration>) -> Option<Duration> {
        let here = self
            .live_at
            .and_then(|at| MORE_EXPECTED.checked_sub(at.elapsed()));
        let elsewhere = elsewhere.and_then(|since| ON_ITS_WAY.checked_sub(since));
        let expected = here.max(elsewhere)?;
        let patient = HELD_MAX.checked_sub(self.bulk.front()?.since.elapsed())?;
        Some(expected.min(patient)).filter(|_| !self.closed)
    }
}

/// What waits for the thread.
pub(crate) struct Shared<B: Book> {
    queues: Mutex<Queues<B>>,
    arrived: Condvar,
    /// Live writes that have come since the start.
    live: AtomicU64,
    /// Of the file that people wait for more, how long ago the last live write came.
    elsewhere: Option<Elsewhere>,
    started: Instant,
    /// When the last of them came, in nanoseconds after the start; 0 while none has. For those who look often, and must
    /// not hold the lock: whoever has it may have to wait for a processor.
    live_at_ns: AtomicU64,
    /// What is left to do of what was committed.
    backlog: AtomicUsize,
}

impl<B: Book> Shared<B> {
    fn new(book: &B) -> Self {
        Self {
            queues: Mutex::new(Queues {
                live: VecDeque::new(),
                bulk: VecDeque::new(),
                live_at: None,
                closed: false,
            }),
            arrived: Condvar::new(),
            live: AtomicU64::new(0),
            elsewhere: book.elsewhere(),
            started: Instant::now(),
            live_at_ns: AtomicU64::new(0),
            backlog: AtomicUsize::new(book.backlog()),
        }
    }

    fn lock(&self) -> MutexGuard<'_, Queues<B>> {
        self.queues.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether a live write waits.
    fn is_waited_for(&self) -> bool {
        !self.lock().live.is_empty()
    }

    fn since_live(&self) -> Option<Duration> {
        let at_ns = self.live_at_ns.load(Ordering::Relaxed);
        let at = (at_ns > 0).then(|| Duration::from_nanos(at_ns))?;
        Some(self.started.elapsed().saturating_sub(at))
    }

    /// How many live writes have come.
    fn live(&self) -> u64 {
        self.live.load(Ordering::Relaxed)
    }
}

pub(crate) struct Writer<B: Book> {
    shared: Arc<Shared<B>>,
    room: Arc<Semaphore>,
    thread: Mutex<Option<std::thread::JoinHandle<()>>>,
}

impl<B: Book> Writer<B> {
    pub(crate) fn start(mut conn: Connection, path: &Path, book: B) -> Result<Self, rusqlite::Error> {
        let shared = Arc::new(Shared::new(&book));
        let fold = Fold::start(&mut conn, path, B::FOLDS)?;
        let state = State {
            fold,
            reader: Reader { conn },
            book,
        };
        let queue = Arc::clone(&shared);
        let thread = std::thread::Builder::new()
            .name(B::THREAD.into())
            .spawn(move || state.run(&queue))
            .map_err(|_| rusqlite::Error::InvalidQuery)?;
        let room = Arc::new(Semaphore::new(QUEUED_KIB_MAX));
        Ok(Writer {
            shared,
            room,
            thread: Mutex::new(Some(thread)),
        })
    }

    /// What waits for the thread, for others to look at.
    pub(crate) fn queue(&self) -> Arc<Shared<B>> {
        Arc::clone(&self.shared)
    }

    pub(crate) async fn room(&self, cost_bytes: usize) -> Result<OwnedSemaphorePermit, StoreError> {
        let kib = (cost_bytes / 1024 + 1).min(QUEUED_KIB_MAX) as u32;
        Arc::clone(&self.room)
            .acquire_many_owned(kib)
            .await
            .map_err(|_| StoreError::Closed)
    }

    pub(crate) fn submit<T: Send + 'static>(
        &self,
        lane: Lane,
        room: Option<OwnedSemaphorePermit>,
        work: impl for<'w> FnOnce(&mut B::Write<'w>) -> Result<T, StoreError> + Send + 'static,
        reply: impl FnOnce(Result<T, StoreError>) + Send + 'static,
    ) -> Result<(), StoreError> {
        // Either the work's answer or a refusal goes out, whichever comes: they share the one reply.
        let reply = Arc::new(Mutex::new(Some(reply)));
        let take = |slot: &Mutex<Option<_>>| slot.lock().unwrap_or_else(PoisonError::into_inner).take();
        let refuse = {
            let reply = Arc::clone(&reply);
            Box::new(move |error| {
                if let Some(reply) = take(&reply) {
                    reply(Err(error));
                }
            })
        };
        let work: Work<B> = Box::new(move |write| {
            let value = work(write)?;
            Ok(Box::new(move |committed: Result<(), StoreError>| {
                if let Some(reply) = take(&reply) {
                    reply(committed.map(|()| value));
                }
            }))
        });
        let since = Instant::now();
        let job = Job {
            since,
            work,
            refuse,
            _room: room,
        };
        let mut queues = self.shared.lock();
        if queues.closed {
            return Err(StoreError::Closed);
        }
        match lane {
            Lane::Live => {
                queues.live.push_back(job);
                self.shared.live.fetch_add(1, Ordering::Relaxed);
                queues.live_at = Some(since);
                let ns = since.duration_since(self.shared.started).as_nanos();
                self.shared
                    .live_at_ns
                    .store(u64::try_from(ns).unwrap_or(u64::MAX).max(1), Ordering::Relaxed);
            }
            Lane::Bulk => queues.bulk.push_back(job),
        }
        drop(queues);
        self.shared.arrived.notify_one();
        Ok(())
    }

    /// How long ago the last live write came; none has since the start.
    pub(crate) fn since_live(&self) -> Option<Duration> {
        self.shared.since_live()
    }

    /// Whether something is left to do of what was committed.
    pub(crate) fn has_backlog(&self) -> bool {
        self.shared.backlog.load(Ordering::Acquire) > 0
    }

    /// Takes nothing more, and ends once all is written that is queued.
    pub(crate) fn close(&self) {
        self.shared.lock().closed = true;
        self.shared.arrived.notify_one();
    }

    /// As [`Writer::close`], and waits for the end.
    pub(crate) fn shutdown(&self) {
        self.close();
        let thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(thread) = thread
            && thread.thread().id() != std::thread::current().id()
        {
            let _ = thread.join();
        }
    }
}

impl<B: Book> Drop for Writer<B> {
    fn drop(&mut self) {
        self.shutdown();
    }
}

/// What the thread owns. The writing connection doubles as the reader that listeners are handed.
struct State<B> {
    /// Copies the log into the database, beside this thread: everybody who writes would wait for the disk otherwise.
    fold: Fold,
    reader: Reader,
    book: B,
}

impl<B: Book> State<B> {
    fn run(mut self, shared: &Shared<B>) {
        let mut live_was_last = false;
        // It could not be worked off, as on a full disk: it is tried again after the next write, and not in circles.
        let mut is_stuck = false;
        loop {
            let backlog = if is_stuck { 0 } else { self.book.backlog() };
            match next_step(shared, live_was_last, backlog) {
                Step::Write(jobs, live) => {
                    (live_was_last, is_stuck) = (live, false);
                    let lane = if live { Lane::Live } else { Lane::Bulk };
                    self.group(jobs, lane, shared);
                }
                Step::WorkOff => {
                    self.work_off(shared);
                    live_was_last = false;
                    is_stuck = self.book.backlog() >= backlog;
                }
                Step::End => break,
            }
            self.fold.finish_if_due(&self.reader.conn);
        }
        drop(self.fold);
        if let Err(e) = self
            .reader
            .conn
            .execute_batch("PRAGMA main.wal_checkpoint(TRUNCATE)")
        {
            tracing::warn!(error = %e, "the log could not be folded into the database; the next start will do it");
        }
    }

    /// A part of the backlog, in a transaction of its own.
    fn work_off(&mut self, shared: &Shared<B>) {
        let work: Work<B> = Box::new(|write| {
            B::work_off(write)?;
            Ok(Box::new(|_| {}))
        });
        let refuse: Refusal = Box::new(|e| {
            tracing::error!(error = %e, "what follows from messages (their index for search) could not be written; the next write tries again");
        });
        self.group(
            vec![Job {
                since: Instant::now(),
                work,
                refuse,
                _room: None,
            }],
            Lane::Bulk,
            shared,
        );
    }

    /// One transaction: each job in a savepoint of its own, then what goes with them, then the commit, then the word.
    fn group(&mut self, jobs: Vec<Job<B>>, lane: Lane, shared: &Shared<B>) {
        let began = self.reader.conn.execute_batch(B::BEGIN);
        if let Err(e) = began {
            let detail = e.to_string();
            jobs.into_iter()
                .for_each(|job| (job.refuse)(StoreError::Commit(detail.clone())));
            return;
        }
        let alone = jobs.len() == 1;
        let mut replies = Vec::with_capacity(jobs.len());
        for job in jobs {
            if self.reader.conn.is_autocommit() {
                // A full disk ends the whole transaction in its middle; the commit below fails for those before.
                (job.refuse)(StoreError::Commit(
                    "an earlier write ended the transaction".into(),
                ));
                continue;
            }
            match self.one(job.work, alone, shared) {
                // The room is given back only now: a job's values live until its reply has gone out.
                Ok(reply) => replies.push((reply, job._room)),
                Err(e) => (job.refuse)(e),
            }
        }
        let result = self.commit(lane);
        // Before anybody is answered: who posts and then searches finds it.
        shared.backlog.store(self.book.backlog(), Ordering::Release);
        for (reply, room) in replies {
            reply(match &result {
                Ok(()) => Ok(()),
                Err(e) => Err(StoreError::Commit(e.to_string())),
            });
            drop(room);
        }
    }

    fn one(&mut self, work: Work<B>, alone: bool, shared: &Shared<B>) -> Result<Reply, StoreError> {
        let conn = &self.reader.conn;
        let mark = self.book.mark();
        if !alone {
            conn.prepare_cached("SAVEPOINT job")?.execute([])?;
        }
        let mut write = self.book.write(conn, shared);
        let result = catch_unwind(AssertUnwindSafe(|| work(&mut write))).unwrap_or(Err(StoreError::Panicked));
        drop(write);
        if result.is_err() {
            self.book.undo(mark);
            // Alone in its transaction, its writes go with a rollback of everything; a fresh one follows so that
            // the commit below finds one.
            if alone {
                conn.execute_batch("ROLLBACK")?;
                conn.execute_batch(B::BEGIN)?;
            } else {
                conn.execute_batch("ROLLBACK TO job; RELEASE job")?;
            }
        } else if !alone {
            conn.prepare_cached("RELEASE job")?.execute([])?;
        }
        result
    }

    fn commit(&mut self, lane: Lane) -> Result<(), rusqlite::Error> {
        let conn = &self.reader.conn;
        let committed = self
            .book
            .complete(conn)
            .and_then(|()| conn.execute_batch("COMMIT"));
        if let Err(e) = committed {
            tracing::error!(error = %e, "a group of writes could not be committed");
            // After an error inside COMMIT the transaction may or may not be open still.
            if !conn.is_autocommit() {
                let _ = conn.execute_batch("ROLLBACK");
            }
            self.book.rolled_back();
            return Err(e);
        }
        self.book.committed(&self.reader, lane);
        Ok(())
    }
}

/// What the writer does next.
enum Step<B: Book> {
    /// These jobs, live or not.
    Write(Vec<Job<B>>, bool),
    /// A part of the backlog.
    WorkOff,
    End,
}

/// Waits for something to do. Groups of live writes alternate with one step of something else, so that a live write
/// waits for no more than one: a batch of the backlog where one is due, else a bulk write. What is left over of the
/// backlog follows when nothing has come for a moment.
fn next_step<B: Book>(shared: &Shared<B>, live_was_last: bool, backlog: usize) -> Step<B> {
    if backlog >= B::BACKLOG_MAX {
        return Step::WorkOff;
    }
    let mut queues = shared.lock();
    let mut waited = false;
    loop {
        let is_others_turn = live_was_last || queues.live.is_empty();
        if is_others_turn && backlog >= B::BACKLOG_BATCH {
            return Step::WorkOff;
        }
        let held = queues.held(shared.elsewhere.as_ref().and_then(|since| since()));
        if is_others_turn
            && held.is_none()
            && let Some(job) = queues.bulk.pop_front()
        {
            return Step::Write(vec![job], false);
        }
        if !queues.live.is_empty() {
            let count = queues.live.len().min(GROUP_MAX);
            return Step::Write(queues.live.drain(..count).collect(), true);
        }
        if backlog > 0 && (waited || queues.closed) {
            return Step::WorkOff;
        }
        if queues.closed {
            return Step::End;
        }
        let until = held.or_else(|| (backlog > 0).then_some(BACKLOG_AFTER));
        queues = if let Some(until) = until {
            let (queues, timeout) = shared
                .arrived
                .wait_timeout(queues, until)
                .unwrap_or_else(PoisonError::into_inner);
            waited = timeout.timed_out() && held.is_none();
            queues
        } else {
            shared
                .arrived
                .wait(queues)
                .unwrap_or_else(PoisonError::into_inner)
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Queues of the file of analysis, with a bulk write that has waited so long.
    fn waiting(for_so_long: Duration) -> Queues<Analyses> {
        let job = Job {
            since: Instant::now()
                .checked_sub(for_so_long)
                .expect("the clock began before"),
            work: Box::new(|_| Ok(Box::new(|_| {}))),
            refuse: Box::new(|_| {}),
            _room: None,
        };
        Queues {
            live: VecDeque::new(),
            bulk: [job].into(),
            live_at: None,
            closed: false,
        }
    }

    #[test]
    fn a_bulk_write_is_held_while_a_message_is_on_its_way_elsewhere_and_not_for_long() {
        let ms = Duration::from_millis;
        let held = |waited, elsewhere| waiting(waited).held(elsewhere).is_some();
        // A machine that stalls in the middle lets the time pass.
        assert!((0..100).any(|_| held(ms(0), Some(ms(1)))));
        assert!(!held(ms(0), None), "none has come since the start");
        assert!(!held(ms(0), Some(ON_ITS_WAY + ms(1))), "it has arrived");
        assert!(
            !held(HELD_MAX + ms(1), Some(ms(0))),
            "somebody waits for this one too"
        );
        let mut closing = waiting(ms(0));
        closing.closed = true;
        assert_eq!(closing.held(Some(ms(0))), None);
    }
}
