//! A thread that copies SQLite's write-ahead log into its file, while the writer goes on.
//!
//! Copying waits for the disk, twice; in the writer's thread, as SQLite does it, all who write would wait with it. What
//! is written meanwhile is left over, and only when the log is copied to its last page can it begin anew. Where the
//! writer never pauses, it therefore does the last bit itself: [`Fold::finish_if_due`]. And where the thread does not get
//! to run, all of it.
//!
//! See "Write-Ahead Logging" in SQLite's documentation, sections 2.1 and 6, and `PRAGMA wal_checkpoint(PASSIVE)`.

use std::fmt;
use std::fs::File;
use std::mem::ManuallyDrop;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use rusqlite::hooks::Wal;
use rusqlite::{Connection, OpenFlags};

/// The log is copied whenever it has grown by so many pages of 4 KiB: 16 MiB. Rarely enough to cost little, and a blink
/// to replay after a crash.
const FOLD_PAGES: i32 = 4_000;

/// A log that did not begin anew for so many pages, 128 MiB, is finished by the writer.
const FINISH_PAGES: i64 = 32_000;

/// One that is still not copied for so many pages, 256 MiB, is copied by the writer, whatever that takes: others have the
/// processors, and have had them for long.
const LIMIT_PAGES: i32 = 64_000;

/// How long the writer then waits for the thread, which may be in the middle of copying; and how often it looks. Nothing
/// tells of the end of a checkpoint.
const WAIT_MAX: Duration = Duration::from_secs(5);
const LOOK_EVERY: Duration = Duration::from_millis(2);

/// So few pages left over are worth the writer's own time; while there are more, they are copied beside it.
const REST_PAGES: i64 = 500;

/// How often that is tried: the writer adds to them meanwhile, perhaps faster than they are copied.
const PASSES: usize = 4;

/// How long to wait for another process that has the file locked, as a backup program may.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);

/// Whom the thread goes before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Turn {
    /// As everybody else: the log is not to grow beside a writer that never pauses.
    Even,
    /// Last, where the system lets one thread say so (Linux): for some 20 ms each time it would take a processor from
    /// what people wait for.
    Last,
}

/// The thread. Owned by the writer; dropping it waits for the thread.
pub struct Fold {
    thread: Option<JoinHandle<()>>,
    turn: Turn,
    due: Arc<Due>,
}

/// What the writer and the thread tell each other.
struct Due {
    /// To the thread, that there is something to copy; room for one, since who is due already is not due twice.
    copy: SyncSender<Word>,
    /// To the writer, that there is a last bit to copy.
    finish: AtomicBool,
    /// The same, of a log beyond its limit.
    is_over: AtomicBool,
}

enum Word {
    Copy,
    End,
}

impl Fold {
    /// Takes over from SQLite to copy the log of `writer`, a connection in WAL mode to the file at `path`. Its
    /// checkpoints are as durable as those of `synchronous = NORMAL`.
    ///
    /// # Errors
    ///
    /// The file cannot be opened once more, or the thread cannot be started.
    pub fn start(writer: &mut Connection, path: &Path, turn: Turn) -> Result<Self, rusqlite::Error> {
        // No creation: the writer has it open.
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let conn = Connection::open_with_flags(path, flags)?;
        conn.busy_timeout(BUSY_TIMEOUT)?;
        conn.pragma_update(None, "synchronous", "NORMAL")?;
        let flush = Flush::open(path);
        let (copy, words) = sync_channel(1);
        let due = Arc::new(Due::to(copy));
        let of_thread = Arc::clone(&due);
        let thread = std::thread::Builder::new()
            .name("fold".to_owned())
            .spawn(move || {
                if turn == Turn::Last {
                    go_last();
                }
                run(&conn, &flush, &words, &of_thread.finish);
            });
        let thread = thread.map_err(|error| {
            let cannot = rusqlite::ffi::Error::new(rusqlite::ffi::SQLITE_CANTOPEN);
            rusqlite::Error::SqliteFailure(cannot, Some(format!("a thread could not be started: {error}")))
        })?;
        due.hook(writer)?;
        Ok(Self {
            thread: Some(thread),
            turn,
            due,
        })
    }

    /// Copies what is left over, if that is due: it is little, and the log can begin anew then. Called by the writer
    /// between its commits. A writer whose thread goes last waits for it, up to some seconds, where the log is far too long.
    pub fn finish_if_due(&self, writer: &Connection) {
        let is_over = self.due.is_over.swap(false, Ordering::Relaxed);
        if !self.due.finish.swap(false, Ordering::Relaxed) && !is_over {
            return;
        }
        let until = Instant::now() + WAIT_MAX;
        loop {
            match pass(writer) {
                Err(error) => return log(&error),
                Ok(passed)
                    if passed.is_busy && is_over && self.turn == Turn::Last && Instant::now() < until =>
                {
                    std::thread::sleep(LOOK_EVERY);
                }
                Ok(_) => return,
            }
        }
    }
}

impl Due {
    fn to(copy: SyncSender<Word>) -> Self {
        Self {
            copy,
            finish: AtomicBool::new(false),
            is_over: AtomicBool::new(false),
        }
    }

    /// Notes how the log of `writer` grows. This also ends the checkpoints that SQLite makes by itself.
    fn hook(self: &Arc<Self>, writer: &mut Connection) -> Result<(), rusqlite::Error> {
        let due = Arc::clone(self);
        let (mut last_pages, mut grown_pages) = (0, 0);
        writer.wal_hook(Some(move |_: &mut Wal, log_pages| {
            // Each commit adds pages: if there are no more than before, the log began anew. (If it did and this one
            // commit is larger than all of it was, less is counted than was written; the next ones make up for that.)
            grown_pages += if log_pages > last_pages {
                log_pages - last_pages
            } else {
                log_pages
            };
            last_pages = log_pages;
            if grown_pages >= FOLD_PAGES {
                grown_pages = 0;
                let _ = due.copy.try_send(Word::Copy); // Full: it will look again anyway.
                due.is_over.store(log_pages >= LIMIT_PAGES, Ordering::Relaxed);
            }
            Ok(())
        }))
    }
}

impl fmt::Debug for Fold {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Fold").finish_non_exhaustive()
    }
}

impl Drop for Fold {
    fn drop(&mut self) {
        let _ = self.due.copy.send(Word::End); // It has ended already.
        if let Some(thread) = self.thread.take() {
            let _ = thread.join(); // It panicked: the panic was reported when it did.
        }
    }
}

/// Waits until the disk has what was copied. SQLite does so only at the end of the pass that copies the very last page,
/// which is the writer's.
struct Flush(Option<ManuallyDrop<File>>);

impl Flush {
    fn open(path: &Path) -> Self {
        // Elsewhere an open file is in the way of whoever wants to move it, and the writer waits a little longer.
        let file = cfg!(unix).then(|| File::open(path).ok()).flatten();
        // Never closed: on Unix that would drop the locks that SQLite has on the file in this process (fcntl(2)). One for
        // each database that is opened, and there are two.
        Self(file.map(ManuallyDrop::new))
    }

    fn flush(&self) {
        // If it fails, SQLite's own attempt fails as well, and is reported.
        let _ = self.0.as_ref().map(|file| file.sync_data());
    }
}

/// Not so far as to run only where nobody else wants to (sched(7), "SCHED_IDLE"): whoever waits for the file system's
/// journal waits for those who hold it.
fn go_last() {
    #[cfg(target_os = "linux")]
    {
        const LOWEST: i32 = 19;
        // Of this thread alone: setpriority(2), "C library/kernel differences". If it is refused, it is no more polite
        // than the rest.
        let _refused = rustix::process::setpriority_process(None, LOWEST);
    }
}

fn run(conn: &Connection, flush: &Flush, words: &Receiver<Word>, finish: &AtomicBool) {
    while let Ok(Word::Copy) = words.recv() {
        if finish.load(Ordering::Relaxed) {
            continue; // Two at a time would be in each other's way, and the writer is about to.
        }
        match copy(conn, flush) {
            Ok(log_pages) => finish.store(log_pages > FINISH_PAGES, Ordering::Relaxed),
            Err(error) => log(&error),
        }
    }
}

/// Copies the log; one that the writer is to finish until little is left over, to copy and to wait for the disk for.
/// Answers how long it is, in pages.
fn copy(conn: &Connection, flush: &Flush) -> Result<i64, rusqlite::Error> {
    let mut log_pages = pass(conn)?.log_pages;
    for _ in 1..PASSES {
        let before = log_pages;
        if before <= FINISH_PAGES {
            break;
        }
        flush.flush();
        log_pages = pass(conn)?.log_pages;
        if log_pages - before <= REST_PAGES {
            break;
        }
    }
    Ok(log_pages)
}

/// What came of copying.
struct Passed {
    /// Somebody else copies: nothing was.
    is_busy: bool,
    /// How long the log was then.
    log_pages: i64,
}

/// Copies what can be copied without keeping anybody waiting; of other files that the connection has attached, nothing.
fn pass(conn: &Connection) -> Result<Passed, rusqlite::Error> {
    let mut checkpoint = conn.prepare_cached("PRAGMA main.wal_checkpoint(PASSIVE)")?;
    checkpoint.query_row([], |row| {
        Ok(Passed {
            is_busy: row.get(0)?,
            log_pages: row.get(1)?,
        })
    })
}

fn log(error: &rusqlite::Error) {
    tracing::warn!(%error, "a write-ahead log could not be copied into its file; it is tried again");
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::*;

    /// A value that fills a page of the log, and some more for the tree above it.
    const ROW_BYTES: usize = 4_000;

    /// A file with a writer whose log is copied. The folder goes with it.
    struct Written {
        fold: Fold,
        conn: Connection,
        path: PathBuf,
        folder: tempfile::TempDir,
    }

    impl Written {
        fn new(turn: Turn) -> Self {
            Self::with(|conn, path| Fold::start(conn, path, turn))
        }

        fn with(fold: impl FnOnce(&mut Connection, &Path) -> Result<Fold, rusqlite::Error>) -> Self {
            let folder = tempfile::tempdir().expect("a folder");
            let path = folder.path().join("test.db");
            let mut conn = Connection::open(&path).expect("opened");
            conn.pragma_update(None, "journal_mode", "WAL").expect("WAL");
            conn.execute_batch("CREATE TABLE rows (value BLOB)")
                .expect("made");
            let fold = fold(&mut conn, &path).expect("started");
            Self {
                fold,
                conn,
                path,
                folder,
            }
        }

        fn log_bytes(&self) -> u64 {
            length(&self.folder.path().join("test.db-wal"))
        }
    }

    fn write(conn: &Connection, rows: usize) {
        let row = vec![7_u8; ROW_BYTES];
        conn.execute_batch("BEGIN").expect("begun");
        for _ in 0..rows {
            conn.execute("INSERT INTO rows VALUES (?1)", [&row])
                .expect("written");
        }
        conn.execute_batch("COMMIT").expect("committed");
    }

    fn length(path: &Path) -> u64 {
        std::fs::metadata(path).map_or(0, |file| file.len())
    }

    #[test]
    fn the_log_is_copied_beside_the_writer_and_begins_anew() {
        let written = Written::new(Turn::Last);
        let (rows, commits) = (FOLD_PAGES as usize + 100, 10);
        let looks = Connection::open(&written.path).expect("opened");
        let left_pages = || -> i64 {
            let look = "PRAGMA wal_checkpoint(NOOP)";
            looks
                .query_row(look, [], |row| Ok(row.get::<_, i64>(1)? - row.get::<_, i64>(2)?))
                .expect("looked")
        };
        for round in 1..=5 {
            for _ in 0..commits {
                write(&written.conn, rows / commits);
            }
            let began = std::time::Instant::now();
            // What came after the word may be left.
            while left_pages() > i64::from(FOLD_PAGES) / 2 {
                assert!(began.elapsed() < Duration::from_secs(60), "round {round}");
                std::thread::yield_now();
            }
        }
        let log_bytes = written.log_bytes();
        assert!(
            log_bytes < 3 * (rows * ROW_BYTES) as u64,
            "it began anew: {log_bytes}"
        );
        let Written {
            fold,
            conn,
            path,
            folder: _folder,
        } = written;
        drop(fold);
        drop((conn, looks));
        let found: i64 = Connection::open(&path)
            .expect("opened")
            .query_row("SELECT count(*) FROM rows", [], |row| row.get(0))
            .expect("read");
        assert_eq!(found as usize, 5 * rows);
    }

    #[test]
    fn a_writer_that_never_pauses_finishes_the_log_itself() {
        // Nice, it might not get a processor at all beside this writer and the other tests.
        let written = Written::new(Turn::Even);
        let once = 2 * FINISH_PAGES as usize;
        let mut rows = 0;
        while rows < 3 * once {
            write(&written.conn, 200);
            rows += 200;
            written.fold.finish_if_due(&written.conn);
        }
        let log_bytes = written.log_bytes();
        assert!(
            log_bytes < (2 * once * ROW_BYTES) as u64,
            "{log_bytes} of {rows} rows"
        );
    }

    #[test]
    fn a_log_has_a_limit_where_the_thread_does_not_get_to_run() {
        // Nobody hears what the thread is told.
        let (copy, words) = sync_channel(1);
        let written = Written::with(|conn, _| {
            let due = Arc::new(Due::to(copy));
            due.hook(conn)?;
            let (thread, turn) = (None, Turn::Last);
            Ok(Fold { thread, turn, due })
        });
        // Gone before the fold, which tells it that it ends.
        let _unheard = words;
        let limit = LIMIT_PAGES as usize;
        for _ in 0..limit / 200 * 3 / 2 {
            write(&written.conn, 200);
            written.fold.finish_if_due(&written.conn);
        }
        let (log_bytes, some) = (written.log_bytes(), 2 * FOLD_PAGES as usize);
        assert!(log_bytes < ((limit + some) * 4_096) as u64, "{log_bytes}");
    }

    #[test]
    fn beyond_the_limit_the_writer_waits_for_whoever_copies() {
        const ROWS: usize = 50;
        let written = Written::new(Turn::Last);
        let reader = Connection::open(&written.path).expect("opened");
        reader
            .execute_batch("BEGIN; SELECT count(*) FROM rows")
            .expect("begun");
        write(&written.conn, ROWS);
        // Somebody copies, and waits for the reader meanwhile.
        let copies = Connection::open(&written.path).expect("opened");
        copies.busy_timeout(WAIT_MAX * 10).expect("set");
        let copies = std::thread::spawn(move || {
            let restart = || copies.query_row("PRAGMA wal_checkpoint(RESTART)", [], |row| row.get(0));
            // Where we look whether it is there it may have to try again.
            while restart().expect("asked") {}
        });
        while !pass(&written.conn).expect("asked").is_busy {
            std::thread::sleep(LOOK_EVERY);
        }
        assert!(length(&written.path) < (ROWS * ROW_BYTES) as u64);
        let reader = std::thread::spawn(move || {
            // Long enough for one who does not wait to be caught at it.
            std::thread::sleep(100 * LOOK_EVERY);
            reader.execute_batch("COMMIT").expect("ended");
        });
        written.fold.due.is_over.store(true, Ordering::Relaxed);
        written.fold.finish_if_due(&written.conn);
        assert!(length(&written.path) > (ROWS * ROW_BYTES) as u64);
        reader.join().expect("ended");
        copies.join().expect("copied");
    }

    #[test]
    fn nothing_is_copied_that_is_not_due() {
        let written = Written::new(Turn::Last);
        write(&written.conn, 10);
        let Written { fold, path, .. } = written;
        drop(fold);
        assert!(length(&path) < (10 * ROW_BYTES) as u64);
    }
}
