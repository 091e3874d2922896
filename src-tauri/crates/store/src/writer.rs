//! The one thread that writes: group commits, two lanes, and word to the listener after each commit.

use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use chatstats_fold::Fold;
use chatstats_model::{ChatId, ContactId, Rev, Timestamp};
use rusqlite::Connection;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::tables::index::INDEX_BATCH;
use crate::tables::tally::Tally;
use crate::{Reader, StoreError};

/// Live writes committed together at most: enough to share the cost of a commit, few enough that the first of
/// them does not wait long for the last.
const GROUP_MAX: usize = 256;

/// What queued live writes may hold in memory, in KiB: four of the largest bodies the API takes.
const QUEUED_KIB_MAX: usize = 64 * 1024;

/// How long nothing must have come before the index takes what is left over. Short for people, long for posts that
/// follow each other.
const INDEX_AFTER: Duration = Duration::from_millis(20);

/// How far the index may fall behind while large posts follow each other without a pause: a search has to wait until it
/// has caught up, which takes about a quarter of a second from here.
const UNINDEXED_MAX: usize = 50_000;

/// So long after a live write another is expected: a bulk write would be in its way.
const MORE_EXPECTED: Duration = Duration::from_millis(2);

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

/// Hears of commits, on the writer's thread, in the order of the commits, before those who wrote are answered.
pub trait CommitListener: Send + Sync {
    /// `reader` sees the state of just this commit. Must not block.
    fn committed(&self, commit: &Commit, reader: &Reader);
}

/// Several listeners are told in turn.
impl CommitListener for Vec<Arc<dyn CommitListener>> {
    fn committed(&self, commit: &Commit, reader: &Reader) {
        for listener in self {
            listener.committed(commit, reader);
        }
    }
}

/// What a commit changed.
#[derive(Debug, Default)]
pub struct Commit {
    /// New and changed messages, one entry for each write and chat, in order.
    pub messages: Vec<Published>,
    /// Chats whose fields changed.
    pub chats: Vec<ChatId>,
    /// Contacts whose fields changed.
    pub contacts: Vec<ContactId>,
    /// The newest revision of this commit.
    pub rev: Rev,
    /// Whether conversations were sealed, or sealed ones changed: there are seals to announce.
    pub seals: bool,
    /// When the last message was sent of a conversation that this commit left open, the earliest of them.
    pub earliest_open: Option<Timestamp>,
    /// Where the writes came from.
    pub lane: Lane,
}

/// The messages that one write stored or changed in one chat: those with `first <= rev <= last`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Published {
    /// The chat.
    pub chat_id: ChatId,
    /// The first revision.
    pub first: Rev,
    /// The last revision.
    pub last: Rev,
    /// Whether any of them is a change of a message that was there before.
    pub changes: bool,
}

/// A write in progress: the tables' methods are in their own files.
pub struct Write<'w> {
    pub(crate) conn: &'w Connection,
    pub(crate) tally: &'w mut Tally,
    shared: &'w Shared,
}

impl Write<'_> {
    /// Whether somebody waits for this write to end, with a live one. A bulk write that can do the rest in another step
    /// should then end.
    pub fn is_in_the_way(&self) -> bool {
        !self.shared.lock().live.is_empty()
    }
}

type Work = Box<dyn FnOnce(&mut Write<'_>) -> Result<Reply, StoreError> + Send>;
type Reply = Box<dyn FnOnce(Result<(), StoreError>) + Send>;
type Refusal = Box<dyn FnOnce(StoreError) + Send>;

struct Job {
    since: Instant,
    work: Work,
    refuse: Refusal,
    _room: Option<OwnedSemaphorePermit>,
}

#[derive(Default)]
struct Queues {
    live: VecDeque<Job>,
    bulk: VecDeque<Job>,
    /// When the last live write came.
    live_at: Option<Instant>,
    closed: bool,
}

impl Queues {
    /// How long the next bulk write is to be held back: more live ones are expected, and it has not waited long.
    fn held(&self) -> Option<Duration> {
        let expected = MORE_EXPECTED.checked_sub(self.live_at?.elapsed())?;
        let patient = HELD_MAX.checked_sub(self.bulk.front()?.since.elapsed())?;
        Some(expected.min(patient)).filter(|_| !self.closed)
    }
}

#[derive(Default)]
struct Shared {
    queues: Mutex<Queues>,
    arrived: Condvar,
    /// Committed messages that the full-text index does not hold yet.
    unindexed: AtomicUsize,
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Queues> {
        self.queues.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

pub(crate) struct Writer {
    shared: Arc<Shared>,
    room: Arc<Semaphore>,
    thread: Mutex<Option<std::thread::JoinHandle<()>>>,
}

impl Writer {
    pub(crate) fn start(
        mut conn: Connection,
        path: &Path,
        listener: Arc<OnceLock<Arc<dyn CommitListener>>>,
    ) -> Result<Writer, rusqlite::Error> {
        let tally = Tally::load(&conn)?;
        let shared = Arc::new(Shared {
            unindexed: AtomicUsize::new(tally.unindexed),
            ..Shared::default()
        });
        let fold = Fold::start(&mut conn, path)?;
        let state = State {
            fold,
            reader: Reader { conn },
            tally,
            listener,
        };
        let queue = Arc::clone(&shared);
        let thread = std::thread::Builder::new()
            .name("store-write".into())
            .spawn(move || state.run(&queue))
            .map_err(|_| rusqlite::Error::InvalidQuery)?;
        let room = Arc::new(Semaphore::new(QUEUED_KIB_MAX));
        Ok(Writer {
            shared,
            room,
            thread: Mutex::new(Some(thread)),
        })
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
        work: impl FnOnce(&mut Write<'_>) -> Result<T, StoreError> + Send + 'static,
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
        let work: Work = Box::new(move |write| {
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
                queues.live_at = Some(since);
            }
            Lane::Bulk => queues.bulk.push_back(job),
        }
        drop(queues);
        self.shared.arrived.notify_one();
        Ok(())
    }

    /// How long ago the last live write came; none has since the start.
    pub(crate) fn since_live(&self) -> Option<Duration> {
        let live_at = self.shared.lock().live_at;
        live_at.map(|at| at.elapsed())
    }

    /// Whether everything committed can be searched.
    pub(crate) fn is_indexed(&self) -> bool {
        self.shared.unindexed.load(Ordering::Acquire) == 0
    }

    pub(crate) fn shutdown(&self) {
        self.shared.lock().closed = true;
        self.shared.arrived.notify_one();
        let thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(thread) = thread
            && thread.thread().id() != std::thread::current().id()
        {
            let _ = thread.join();
        }
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        self.shutdown();
    }
}

/// What the thread owns. The writing connection doubles as the reader that listeners are handed.
struct State {
    /// Copies the log into the database, beside this thread: everybody who writes would wait for the disk otherwise.
    fold: Fold,
    reader: Reader,
    tally: Tally,
    listener: Arc<OnceLock<Arc<dyn CommitListener>>>,
}

impl State {
    fn run(mut self, shared: &Shared) {
        let mut live_was_last = false;
        // Indexing failed, as on a full disk: it is tried again after the next write, and not in circles.
        let mut index_is_stuck = false;
        loop {
            let unindexed = if index_is_stuck { 0 } else { self.tally.unindexed };
            match next_step(shared, live_was_last, unindexed) {
                Step::Write(jobs, live) => {
                    (live_was_last, index_is_stuck) = (live, false);
                    let lane = if live { Lane::Live } else { Lane::Bulk };
                    self.group(jobs, lane, shared);
                }
                Step::Index => {
                    self.index(shared);
                    live_was_last = false;
                    index_is_stuck = self.tally.unindexed >= unindexed;
                }
                Step::End => break,
            }
            self.fold.finish_if_due(&self.reader.conn);
        }
        drop(self.fold);
        if let Err(e) = self.reader.conn.execute_batch("PRAGMA wal_checkpoint(TRUNCATE)") {
            tracing::warn!(error = %e, "the log could not be folded into the database; the next start will do it");
        }
    }

    /// A batch for the full-text index, in a transaction of its own.
    fn index(&mut self, shared: &Shared) {
        let work: Work = Box::new(|write| {
            write.index_batch()?;
            Ok(Box::new(|_| {}))
        });
        let refuse: Refusal = Box::new(|e| {
            tracing::error!(error = %e, "messages could not be indexed for search; the next write tries again");
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

    /// One transaction: each job in a savepoint of its own, then the tallies, then the commit, then the word.
    fn group(&mut self, jobs: Vec<Job>, lane: Lane, shared: &Shared) {
        let began = self.reader.conn.execute_batch("BEGIN IMMEDIATE");
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
        shared.unindexed.store(self.tally.unindexed, Ordering::Release);
        for (reply, room) in replies {
            reply(match &result {
                Ok(()) => Ok(()),
                Err(e) => Err(StoreError::Commit(e.to_string())),
            });
            drop(room);
        }
    }

    fn one(&mut self, work: Work, alone: bool, shared: &Shared) -> Result<Reply, StoreError> {
        let conn = &self.reader.conn;
        let mark = self.tally.mark();
        if !alone {
            conn.prepare_cached("SAVEPOINT job")?.execute([])?;
        }
        let mut write = Write {
            conn,
            tally: &mut self.tally,
            shared,
        };
        let result = catch_unwind(AssertUnwindSafe(|| work(&mut write))).unwrap_or(Err(StoreError::Panicked));
        if result.is_err() {
            self.tally.undo(mark);
            // Alone in its transaction, its writes go with a rollback of everything; a fresh one follows so that
            // the commit below finds one.
            let undo = if alone {
                "ROLLBACK; BEGIN IMMEDIATE"
            } else {
                "ROLLBACK TO job; RELEASE job"
            };
            conn.execute_batch(undo)?;
        } else if !alone {
            conn.prepare_cached("RELEASE job")?.execute([])?;
        }
        result
    }

    fn commit(&mut self, lane: Lane) -> Result<(), rusqlite::Error> {
        let conn = &self.reader.conn;
        let committed = self.tally.flush(conn).and_then(|()| conn.execute_batch("COMMIT"));
        if let Err(e) = committed {
            tracing::error!(error = %e, "a group of writes could not be committed");
            // After an error inside COMMIT the transaction may or may not be open still.
            if !conn.is_autocommit() {
                let _ = conn.execute_batch("ROLLBACK");
            }
            self.tally.forget();
            return Err(e);
        }
        let commit = self.tally.take_commit(lane);
        let is_news = !(commit.messages.is_empty() && commit.chats.is_empty() && commit.contacts.is_empty());
        if (is_news || commit.seals || commit.earliest_open.is_some())
            && let Some(listener) = self.listener.get()
        {
            let heard = catch_unwind(AssertUnwindSafe(|| listener.committed(&commit, &self.reader)));
            if heard.is_err() {
                tracing::error!("the commit listener panicked");
            }
        }
        Ok(())
    }
}

/// What the writer does next.
enum Step {
    /// These jobs, live or not.
    Write(Vec<Job>, bool),
    /// A batch for the full-text index.
    Index,
    End,
}

/// Waits for something to do. Groups of live writes alternate with one step of something else, so that a live write
/// waits for no more than one: a batch of the index where one is due, else a bulk write. The index also takes what is
/// left over when nothing has come for a moment.
fn next_step(shared: &Shared, live_was_last: bool, unindexed: usize) -> Step {
    if unindexed >= UNINDEXED_MAX {
        return Step::Index;
    }
    let mut queues = shared.lock();
    let mut waited = false;
    loop {
        let is_others_turn = live_was_last || queues.live.is_empty();
        if is_others_turn && unindexed >= INDEX_BATCH {
            return Step::Index;
        }
        let held = queues.held();
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
        if unindexed > 0 && (waited || queues.closed) {
            return Step::Index;
        }
        if queues.closed {
            return Step::End;
        }
        let until = held.or_else(|| (unindexed > 0).then_some(INDEX_AFTER));
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
