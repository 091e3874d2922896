//! Opening the file: alone, for its owner only, and with a damaged one set aside.

use std::fs::{File, OpenOptions, TryLockError};
use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::{Connection, ErrorCode, OpenFlags};

use super::table::{self, FileError, Loaded};
use super::{EmbeddedSettings, schema};
use crate::BusError;

/// Page cache of the writer, in KiB. It works at both ends of a few streams, and nowhere in between.
const WRITER_CACHE_KIB: i64 = 4 * 1024;

/// Page cache of each reader, in KiB. Small: what is read is read once, and the operating system caches the file.
const READER_CACHE_KIB: i64 = 512;

/// The write-ahead log is cut back to this size when it begins anew: more than it grows to as a rule, since publishing
/// waits for it. It goes with the end of the program.
const WAL_BYTES_MAX: i64 = 192 << 20;

/// Prepared statements kept by each connection: more than there are different ones.
const STATEMENTS_CACHED: usize = 32;

/// How long a connection waits for another process that holds the file. Our own lock keeps other writers out; a
/// backup program may still look in.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);

/// What SQLite and we keep beside the file, by what is added to its name.
const BESIDE: [&str; 2] = ["-wal", "-shm"];

/// Why the file was not opened.
#[derive(Debug, thiserror::Error)]
pub(super) enum OpenError {
    #[error(transparent)]
    File(#[from] FileError),
    #[error(
        "it was written by a newer version of ChatStats (schema {found}; this one knows {known}); install the newer version"
    )]
    TooNew { found: i64, known: i64 },
}

/// The file, open for writing.
pub(super) struct OpenLog {
    pub(super) conn: Connection,
    pub(super) loaded: Vec<Loaded>,
    pub(super) lock: Lock,
}

/// Keeps others out of the file until it is dropped.
pub(super) struct Lock(File);

/// Opens the file, made when it is not there.
pub(super) fn open(settings: &EmbeddedSettings) -> Result<OpenLog, BusError> {
    let path = &settings.path;
    let failed = |error: &dyn std::fmt::Display| BusError::Log(format!("{} {error}", path.display()));
    let lock = hold(path)?;
    let opened = match writer(path) {
        Err(error) if error.is_damage() => {
            let aside = set_aside(path, (settings.clock)()).map_err(|e| failed(&e))?;
            tracing::error!(
                %error, file = %path.display(), kept_as = %aside.display(),
                "the event log is damaged and was set aside: a new one begins, and those who follow it are told of a gap"
            );
            writer(path)
        }
        opened => opened,
    };
    let (conn, loaded) = opened.map_err(|e| failed(&format_args!("cannot be opened: {e}")))?;
    Ok(OpenLog { conn, loaded, lock })
}

/// A connection that reads.
pub(super) fn reader(path: &Path) -> Result<Connection, rusqlite::Error> {
    let conn = connect(path, READER_CACHE_KIB)?;
    // Not opened read-only: a reader of a WAL database must be able to create its shared-memory file.
    conn.pragma_update(None, "query_only", true)?;
    Ok(conn)
}

fn writer(path: &Path) -> Result<(Connection, Vec<Loaded>), OpenError> {
    private().open(path).map_err(FileError::from)?;
    let mut conn = connect(path, WRITER_CACHE_KIB)?;
    conn.pragma_update(None, "journal_mode", "WAL")?;
    conn.pragma_update(None, "synchronous", "NORMAL")?;
    conn.pragma_update(None, "journal_size_limit", WAL_BYTES_MAX)?;
    schema::migrate(&mut conn)?;
    let loaded = table::load(&conn)?;
    Ok((conn, loaded))
}

fn connect(path: &Path, cache_kib: i64) -> Result<Connection, rusqlite::Error> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let conn = Connection::open_with_flags(path, flags)?;
    conn.busy_timeout(BUSY_TIMEOUT)?;
    conn.pragma_update(None, "cache_size", -cache_kib)?;
    conn.set_prepared_statement_cache_capacity(STATEMENTS_CACHED);
    Ok(conn)
}

/// Takes the lock, a file beside the log. Not the log itself: closing it would drop the locks that SQLite has on it.
fn hold(path: &Path) -> Result<Lock, BusError> {
    let beside = with_added(path, "-lock");
    let failed = |what: String| BusError::Log(format!("{}: {what}", beside.display()));
    let lock = private().open(&beside).map_err(|e| failed(e.to_string()))?;
    match lock.try_lock() {
        Ok(()) => Ok(Lock(lock)),
        Err(TryLockError::WouldBlock) => Err(BusError::Log(format!(
            "{} is held by another process: only one at a time may have it open",
            path.display()
        ))),
        Err(TryLockError::Error(e)) => Err(failed(e.to_string())),
    }
}

/// Renames a damaged file, with what belongs to it.
fn set_aside(path: &Path, now_ms: u64) -> std::io::Result<PathBuf> {
    let aside = with_added(path, &format!(".damaged-{now_ms}"));
    for added in BESIDE {
        match std::fs::rename(with_added(path, added), with_added(&aside, added)) {
            Err(e) if e.kind() != std::io::ErrorKind::NotFound => return Err(e),
            _ => {}
        }
    }
    std::fs::rename(path, &aside)?;
    Ok(aside)
}

fn with_added(path: &Path, added: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(added);
    name.into()
}

/// Makes files that only their owner can read. SQLite gives those beside the log the same mode.
fn private() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(false);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options
}

impl Drop for Lock {
    fn drop(&mut self) {
        // Closing alone is not enough: a process that is being started holds copies of all files for a moment. Where
        // this fails, closing is all there is.
        let _ = self.0.unlock();
    }
}

impl From<rusqlite::Error> for OpenError {
    fn from(error: rusqlite::Error) -> Self {
        Self::File(error.into())
    }
}

impl OpenError {
    /// Whether the file is not what it should be; and not, say, on a disk that is full.
    fn is_damage(&self) -> bool {
        match self {
            Self::File(FileError::Sqlite(error)) => matches!(
                error.sqlite_error_code(),
                // The third: a file that is a database, but not ours or half of ours.
                Some(ErrorCode::NotADatabase | ErrorCode::DatabaseCorrupt | ErrorCode::Unknown)
            ),
            Self::File(FileError::Damaged) => true,
            Self::File(FileError::Io(_)) | Self::TooNew { .. } => false,
        }
    }
}
