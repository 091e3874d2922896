//! A few threads that read, each with its own connection.

use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc::SyncSender;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use rusqlite::Connection;
use tokio::sync::oneshot;

use crate::open::Files;
use crate::{OpenError, StoreError, open};

/// Reading threads. Queries are short (long answers are read in pages), so a few serve hundreds of clients; more
/// would only take memory.
const READERS: usize = 4;

/// Looks at the file that comes first: of a [`Reader`] that sees both, the one of analysis.
const FIRST_FILE: &str = "SELECT 1 FROM main.sqlite_schema LIMIT 1";

/// A connection that reads. Each query method is one consistent look; [`Reader::consistent`] joins several. Messages and
/// what is made of them are two files: each is seen at one moment, messages at the same or a later one. So a result is of
/// a conversation that is seen too, or was there before.
pub struct Reader {
    pub(crate) conn: Connection,
}

impl Reader {
    /// Checks both files: what is damaged, in SQLite's words. Takes as long as they are large.
    pub fn check(&self) -> Result<Vec<String>, StoreError> {
        let mut check = self.conn.prepare("PRAGMA integrity_check")?;
        let lines = check
            .query_map([], |row| row.get::<_, String>(0))?
            .collect::<Result<Vec<_>, _>>()?;
        Ok(lines.into_iter().filter(|line| line != "ok").collect())
    }

    /// Runs `queries` on one snapshot of the database; within another call, on that one's.
    pub fn consistent<T>(
        &self,
        queries: impl FnOnce(&Reader) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        if !self.conn.is_autocommit() {
            return queries(self);
        }
        let snapshot = self.conn.unchecked_transaction()?;
        // Otherwise each file would be looked at when it is first read from, perhaps messages long before the rest.
        self.conn.prepare_cached(FIRST_FILE)?.exists([])?;
        let result = queries(self);
        drop(snapshot); // it wrote nothing: rolling back and committing are the same
        result
    }
}

/// Whoever waits for the answer to a query.
pub(crate) trait Asker<T>: Send + 'static {
    fn is_gone(&self) -> bool;
    fn answer(self, answer: Result<T, StoreError>);
}

impl<T: Send + 'static> Asker<T> for oneshot::Sender<Result<T, StoreError>> {
    fn is_gone(&self) -> bool {
        self.is_closed()
    }

    fn answer(self, answer: Result<T, StoreError>) {
        drop(self.send(answer));
    }
}

/// A thread, which does nothing but wait.
impl<T: Send + 'static> Asker<T> for SyncSender<Result<T, StoreError>> {
    fn is_gone(&self) -> bool {
        false
    }

    fn answer(self, answer: Result<T, StoreError>) {
        drop(self.send(answer));
    }
}

type Query = Box<dyn FnOnce(&Reader) + Send>;

pub(crate) struct Pool {
    queue: Arc<Queue>,
    threads: Vec<std::thread::JoinHandle<()>>,
}

/// Queries, the first first. Of threads that have none, the last one that had is the next: it has what it read last in
/// its caches, and where one is enough the others stay asleep.
#[derive(Default)]
struct Queue {
    waiting: Mutex<Waiting>,
    /// One for each thread: there is a query for it, or there will be none.
    called: [Condvar; READERS],
}

#[derive(Default)]
struct Waiting {
    queries: VecDeque<Query>,
    /// Threads that have none, by their number; the last one that had at the end.
    idle: Vec<usize>,
    is_closed: bool,
}

impl Pool {
    pub(crate) fn open(files: &Files) -> Result<Pool, OpenError> {
        // Closed where one of them cannot be started.
        let mut pool = Pool {
            queue: Arc::default(),
            threads: Vec::with_capacity(READERS),
        };
        for index in 0..READERS {
            let reader = Reader {
                conn: open::reader(files)?,
            };
            let queue = Arc::clone(&pool.queue);
            let serve = move || {
                while let Some(query) = queue.next(index) {
                    query(&reader);
                }
            };
            let thread = std::thread::Builder::new()
                .name(format!("store-read-{index}"))
                .spawn(serve)
                .map_err(|e| OpenError::Io {
                    path: files.messages.clone(),
                    detail: e.to_string(),
                })?;
            pool.threads.push(thread);
        }
        Ok(pool)
    }

    /// Runs a query once a reader is free, unless whoever asked is gone by then: of hundreds of clients that leave at a
    /// time, as at the end of the program, none keeps the others waiting.
    pub(crate) fn submit<T>(
        &self,
        query: impl FnOnce(&Reader) -> Result<T, StoreError> + Send + 'static,
        asker: impl Asker<T>,
    ) -> Result<(), StoreError> {
        let job: Query = Box::new(move |reader| {
            if !asker.is_gone() {
                let answer = catch_unwind(AssertUnwindSafe(|| query(reader)));
                asker.answer(answer.unwrap_or(Err(StoreError::Panicked)));
            }
        });
        self.queue.add(job)
    }
}

impl Queue {
    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn add(&self, query: Query) -> Result<(), StoreError> {
        let mut waiting = self.lock();
        if waiting.is_closed {
            return Err(StoreError::Closed);
        }
        waiting.queries.push_back(query);
        if let Some(index) = waiting.idle.pop() {
            self.called[index].notify_one();
        }
        Ok(())
    }

    /// Waits for a query, on the thread of this number; none once all are answered after the end.
    fn next(&self, index: usize) -> Option<Query> {
        let mut waiting = self.lock();
        loop {
            if let Some(query) = waiting.queries.pop_front() {
                return Some(query);
            }
            if waiting.is_closed {
                return None;
            }
            waiting.idle.push(index);
            let is_idle = |waiting: &mut Waiting| !waiting.is_closed && waiting.idle.contains(&index);
            let woken = self.called[index].wait_while(waiting, is_idle);
            waiting = woken.unwrap_or_else(PoisonError::into_inner);
        }
    }

    fn close(&self) {
        self.lock().is_closed = true;
        self.called.iter().for_each(Condvar::notify_one);
    }
}

impl Drop for Pool {
    fn drop(&mut self) {
        self.queue.close();
        for thread in self.threads.drain(..) {
            // The last handle may be dropped inside a query: a thread cannot wait for itself.
            if thread.thread().id() != std::thread::current().id() {
                let _ = thread.join();
            }
        }
    }
}
