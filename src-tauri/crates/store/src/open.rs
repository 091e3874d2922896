//! Opening connections: the one that writes to each file, and those that read both.

use std::path::{Path, PathBuf};

use rusqlite::config::DbConfig;
use rusqlite::types::{ToSqlOutput, ValueRef};
use rusqlite::{Connection, ErrorCode, OpenFlags, params};

use crate::OpenError;

/// What the file of messages is called on connections to the file of analysis. No table is in both: queries need not say
/// which they mean.
pub(crate) const STORED: &str = "stored";

/// Page cache of a writer, in KiB: holds the upper levels of the indexes of ten million messages.
const WRITER_CACHE_KIB: i64 = 16 * 1024;

/// Page cache of each reader, in KiB. Small: the operating system caches the file as well.
const READER_CACHE_KIB: i64 = 1024;

/// The log is cut back to this size when it begins anew. More than it grows to as a rule (it is finished at 128 MiB, and a
/// step or two of the writer come before that is done): the writer is the one who cuts, and everybody waits 20 ms
/// for it, and once more while the file grows again. It goes with the end of the program.
const LOG_BYTES_MAX: i64 = 192 << 20;

/// Prepared statements kept by each connection: more than there are different ones.
const STATEMENTS_CACHED: usize = 96;

/// How long a connection waits for another process that holds the file, in milliseconds. The data directory's
/// lock keeps other writers out; a backup program may still look in.
const BUSY_TIMEOUT_MS: u64 = 5_000;

/// Where the files are.
#[derive(Clone, Debug)]
pub(crate) struct Files {
    pub(crate) messages: PathBuf,
    pub(crate) analysis: PathBuf,
}

pub(crate) fn writer(path: &Path) -> Result<Connection, OpenError> {
    let conn = connect(
        path,
        OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE,
        WRITER_CACHE_KIB,
    )?;
    let set = |name: &str, value: &dyn rusqlite::ToSql| {
        conn.pragma_update(None, name, value)
            .map_err(|e| classify(path, e))
    };
    set("journal_mode", &"WAL")?;
    set("synchronous", &"NORMAL")?;
    set("journal_size_limit", &LOG_BYTES_MAX)?;
    Ok(conn)
}

/// The file of analysis comes first, here as in its writer: SQLite looks at files in this order, so a statement sees
/// messages as they were no earlier than what was made of them.
pub(crate) fn reader(files: &Files) -> Result<Connection, OpenError> {
    let path = &files.analysis;
    let conn = connect(path, OpenFlags::SQLITE_OPEN_READ_WRITE, READER_CACHE_KIB)?;
    attach(&conn, &files.messages, STORED)?;
    // The words of the full-text index and where they are. A table of this connection, which holds nothing itself.
    conn.execute_batch(&format!(
        "CREATE VIRTUAL TABLE temp.search_words USING fts5vocab({STORED}, messages_fts, instance)"
    ))
    .map_err(|e| classify(path, e))?;
    // Not opened read-only: a reader of a WAL database must be able to create its shared-memory file.
    conn.pragma_update(None, "query_only", true)
        .map_err(|e| classify(path, e))?;
    Ok(conn)
}

/// Lets a connection read another file as well.
pub(crate) fn attach(conn: &Connection, path: &Path, name: &str) -> Result<(), OpenError> {
    let failed = |e| classify(path, e);
    // Not everywhere is a path text; SQLite takes its bytes as they are.
    let bytes = ToSqlOutput::Borrowed(ValueRef::Text(path.as_os_str().as_encoded_bytes()));
    conn.execute("ATTACH ?1 AS ?2", params![bytes, name])
        .map_err(failed)?;
    conn.pragma_update(Some(name), "cache_size", -READER_CACHE_KIB)
        .map_err(failed)
}

fn connect(path: &Path, flags: OpenFlags, cache_kib: i64) -> Result<Connection, OpenError> {
    let failed = |e| classify(path, e);
    let conn = Connection::open_with_flags(path, flags | OpenFlags::SQLITE_OPEN_NO_MUTEX).map_err(failed)?;
    conn.busy_timeout(std::time::Duration::from_millis(BUSY_TIMEOUT_MS))
        .map_err(failed)?;
    conn.pragma_update(None, "cache_size", -cache_kib)
        .map_err(failed)?;
    // Where a table has partial indexes, SQLite prepares a statement anew for each value that is bound to it.
    conn.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)
        .map_err(failed)?;
    conn.set_prepared_statement_cache_capacity(STATEMENTS_CACHED);
    Ok(conn)
}

/// Turns SQLite's error at opening into one for people.
pub(crate) fn classify(path: &Path, error: rusqlite::Error) -> OpenError {
    let (path, detail) = (path.to_path_buf(), error.to_string());
    match error.sqlite_error_code() {
        // The last: a file that is a database, but not ours or half of ours.
        Some(ErrorCode::NotADatabase | ErrorCode::DatabaseCorrupt | ErrorCode::Unknown) => {
            if path.ends_with(crate::ANALYSIS_FILE) {
                OpenError::DamagedAnalysis { path, detail }
            } else {
                OpenError::Damaged { path, detail }
            }
        }
        _ => OpenError::Io { path, detail },
    }
}
