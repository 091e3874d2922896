//! A few threads that read, each with its own connection.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc::{Receiver, Sender, SyncSender, channel};
use std::sync::{Arc, Mutex, PoisonError};

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
    // None once closed: the threads end when the last sender is gone.
    queue: Mutex<Option<Sender<Query>>>,
    threads: Vec<std::thread::JoinHandle<()>>,
}

impl Pool {
    pub(crate) fn open(files: &Files) -> Result<Pool, OpenError> {
        let (sender, receiver) = channel::<Query>();
        let receiver = Arc::new(Mutex::new(receiver));
        let mut threads = Vec::with_capacity(READERS);
        for index in 0..READERS {
            let reader = Reader {
                conn: open::reader(files)?,
            };
            let receiver = Arc::clone(&receiver);
            let thread = std::thread::Builder::new()
                .name(format!("store-read-{index}"))
                .spawn(move || serve(&reader, &receiver))
                .map_err(|e| OpenError::Io {
                    path: files.messages.clone(),
                    detail: e.to_string(),
                })?;
            threads.push(thread);
        }
        Ok(Pool {
            queue: Mutex::new(Some(sender)),
            threads,
        })
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
        let queue = self.queue.lock().unwrap_or_else(PoisonError::into_inner);
        queue
            .as_ref()
            .ok_or(StoreError::Closed)?
            .send(job)
            .map_err(|_| StoreError::Closed)
    }
}

fn serve(reader: &Reader, queue: &Mutex<Receiver<Query>>) {
    loop {
        // The guard is released before the query runs: the next thread waits on the queue meanwhile.
        let next = queue.lock().unwrap_or_else(PoisonError::into_inner).recv();
        let Ok(query) = next else { return };
        query(reader);
    }
}

impl Drop for Pool {
    fn drop(&mut self) {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner).take();
        for thread in self.threads.drain(..) {
            // The last handle may be dropped inside a query: a thread cannot wait for itself.
            if thread.thread().id() != std::thread::current().id() {
                let _ = thread.join();
            }
        }
    }
}
