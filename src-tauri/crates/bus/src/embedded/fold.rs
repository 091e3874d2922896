//! The thread that copies the write-ahead log into the file, while the writer goes on.
//!
//! Copying waits for the disk, twice; in the writer's thread all who publish would wait with it. What is written
//! meanwhile is left over, and only when the log is copied to its last page can it begin anew. Where the writer never
//! pauses, it therefore does the last bit itself: [`Fold::is_finish_due`].

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::JoinHandle;

use rusqlite::Connection;

use super::open;
use super::table::FileError;
use crate::BusError;

/// The write-ahead log is copied whenever it has grown by so many pages of 4 KiB: 16 MiB. Rarely enough to cost little,
/// and a blink to replay after a crash.
const FOLD_PAGES: u64 = 4_000;

/// A log that was not copied to its end for so many pages, 128 MiB, is finished by the writer.
const FINISH_PAGES: i64 = 32_000;

/// So few pages left over are worth the writer's own time; while there are more, they are copied beside it.
const REST_PAGES: i64 = 500;

/// How often the rest is copied beside the writer, which adds to it meanwhile, before it is left for the next time.
const PASSES: usize = 4;

/// A page, in bytes: SQLite's default.
const PAGE_BYTES: u64 = 4_096;

/// Pages that a commit writes beside its entries, about: both ends of a stream, its mark, and free pages.
const COMMIT_PAGES: u64 = 3;

/// The thread, and when it is next due. Owned by the writer; dropping it waits for the thread.
pub(super) struct Fold {
    due: Option<SyncSender<()>>,
    thread: Option<JoinHandle<()>>,
    is_finish_due: Arc<AtomicBool>,
    written_bytes: u64,
}

/// What a pass left.
struct Left {
    log_pages: i64,
    rest_pages: i64,
}

impl Fold {
    pub(super) fn start(path: &Path) -> Result<Self, BusError> {
        let conn = open::folder(path).map_err(FileError::from)?;
        let is_finish_due = Arc::new(AtomicBool::new(false));
        // Room for one: who is due already is not due twice.
        let (due, is_due) = sync_channel(1);
        let thread = std::thread::Builder::new().name("bus-fold".to_owned()).spawn({
            let is_finish_due = Arc::clone(&is_finish_due);
            move || run(&conn, &is_due, &is_finish_due)
        });
        Ok(Self {
            due: Some(due),
            thread: Some(thread.map_err(FileError::from)?),
            is_finish_due,
            written_bytes: 0,
        })
    }

    /// Counts what a commit wrote, and starts copying where it is due.
    pub(super) fn wrote(&mut self, bytes: usize) {
        self.written_bytes += bytes as u64 + COMMIT_PAGES * PAGE_BYTES;
        if self.written_bytes >= FOLD_PAGES * PAGE_BYTES {
            self.written_bytes = 0;
            if let Some(due) = &self.due {
                let _ = due.try_send(()); // Full: it will look again anyway.
            }
        }
    }

    /// Whether the writer shall copy what is left over, which is little: the log can begin anew then. Asked between
    /// commits.
    pub(super) fn is_finish_due(&self) -> bool {
        self.is_finish_due.swap(false, Ordering::Relaxed)
    }
}

impl Drop for Fold {
    fn drop(&mut self) {
        self.due.take();
        if let Some(thread) = self.thread.take() {
            let _ = thread.join(); // It panicked: the panic was reported when it did.
        }
    }
}

fn run(conn: &Connection, is_due: &Receiver<()>, is_finish_due: &AtomicBool) {
    while is_due.recv().is_ok() {
        match passes(conn) {
            Ok(left) if left.log_pages > FINISH_PAGES && left.rest_pages > 0 => {
                is_finish_due.store(true, Ordering::Relaxed);
            }
            Ok(_) => {}
            Err(error) => {
                tracing::warn!(%error, "the event log could not be folded into its file; it is tried again");
            }
        }
    }
}

fn passes(conn: &Connection) -> Result<Left, rusqlite::Error> {
    let mut left = pass(conn)?;
    for _ in 1..PASSES {
        if left.rest_pages <= REST_PAGES {
            break;
        }
        left = pass(conn)?;
    }
    Ok(left)
}

/// Copies what can be copied without keeping anybody waiting.
fn pass(conn: &Connection) -> Result<Left, rusqlite::Error> {
    let mut checkpoint = conn.prepare_cached("PRAGMA wal_checkpoint(PASSIVE)")?;
    checkpoint.query_row([], |row| {
        let (log_pages, copied_pages): (i64, i64) = (row.get(1)?, row.get(2)?);
        Ok(Left {
            log_pages,
            rest_pages: log_pages - copied_pages,
        })
    })
}

/// As the thread does, in the writer's.
pub(super) fn finish(conn: &Connection) -> Result<(), rusqlite::Error> {
    pass(conn).map(|_| ())
}
