//! Two threads that read pages of the file.

use std::path::Path;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;

use rusqlite::Connection;
use tokio::sync::oneshot;

use super::table::FileError;
use super::{lock, open, table};
use crate::BusError;
use crate::engine::{Page, Range, Reading};

/// Threads. A page is read within a millisecond or so, and what is new comes from memory: one thread for a long
/// catch-up, and one that is free meanwhile.
const READERS: usize = 2;

/// The threads, until they are closed. Their queue has no limit of its own: each follower and each request waits for
/// one page before it asks for the next.
pub(super) struct Readers {
    queue: Mutex<Option<Sender<Job>>>,
    threads: Mutex<Vec<JoinHandle<()>>>,
}

struct Job {
    row: i64,
    range: Range,
    reply: oneshot::Sender<Result<Page, BusError>>,
}

impl Readers {
    pub(super) fn start(path: &Path) -> Result<Self, BusError> {
        let (sender, receiver) = channel();
        let receiver = Arc::new(Mutex::new(receiver));
        let mut threads = Vec::with_capacity(READERS);
        for index in 0..READERS {
            let conn = open::reader(path).map_err(FileError::from)?;
            let receiver = Arc::clone(&receiver);
            let thread = std::thread::Builder::new().name(format!("bus-read-{index}"));
            let thread = thread.spawn(move || serve(&conn, &receiver));
            threads.push(thread.map_err(FileError::from)?);
        }
        Ok(Self {
            queue: Mutex::new(Some(sender)),
            threads: Mutex::new(threads),
        })
    }

    /// Reads a page. It is asked for at once, and not when the answer is first looked for.
    pub(super) fn range(&self, row: i64, range: Range) -> Reading<Page> {
        let (reply, answer) = oneshot::channel();
        if let Some(queue) = &*lock(&self.queue) {
            // Where no thread is left to take it, the reply goes with the job, and the answer is that it is closed.
            let _ = queue.send(Job { row, range, reply });
        }
        Box::pin(async { answer.await.unwrap_or(Err(BusError::Closed)) })
    }

    /// Ends the threads once they have answered what was asked; the caller waits for them.
    pub(super) fn close(&self) -> Vec<JoinHandle<()>> {
        lock(&self.queue).take();
        std::mem::take(&mut *lock(&self.threads))
    }
}

fn serve(conn: &Connection, queue: &Mutex<Receiver<Job>>) {
    loop {
        // The guard is released before the page is read: the other thread waits on the queue meanwhile.
        let next = lock(queue).recv();
        let Ok(job) = next else { return };
        if job.reply.is_closed() {
            continue; // Who asked has left.
        }
        let page = table::read(conn, job.row, job.range);
        let _ = job.reply.send(page.map_err(BusError::from));
    }
}

impl Drop for Readers {
    fn drop(&mut self) {
        for thread in self.close() {
            let _ = thread.join();
        }
    }
}
