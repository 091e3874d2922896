//! What can go wrong, with what to do.

use std::path::PathBuf;

/// Why a database could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// Not a database, or one that is damaged.
    #[error(
        "The database {path} is damaged ({detail}). Your exports are untouched. Move the file away (keep it: parts of it \
         can often be rescued with the sqlite3 program's .recover command), start again, and import your exports anew."
    )]
    Damaged {
        /// The file.
        path: PathBuf,
        /// SQLite's word for it.
        detail: String,
    },
    /// As [`OpenError::Damaged`], and only what was made of messages.
    #[error(
        "The database {path} is damaged ({detail}). Your messages are untouched: they are in another file. Move this one \
         away and start again: conversations are then analysed anew. Only what you called done or dismissed is lost."
    )]
    DamagedAnalysis {
        /// The file.
        path: PathBuf,
        /// SQLite's word for it.
        detail: String,
    },
    /// Written by a newer version of the program.
    #[error(
        "The database {path} was written by a newer version of ChatStats (schema {found}; this one knows {known}). Install the newer version."
    )]
    TooNew {
        /// The file.
        path: PathBuf,
        /// Its schema version.
        found: i64,
        /// The newest schema version that this program knows.
        known: i64,
    },
    /// The operating system refused.
    #[error(
        "The database {path} cannot be opened: {detail}. Check that the folder exists, belongs to you and that the disk is not full."
    )]
    Io {
        /// The file.
        path: PathBuf,
        /// Its reason.
        detail: String,
    },
}

/// Why a read or a write failed.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// SQLite's own error.
    #[error("the database failed: {0}")]
    Sqlite(#[from] rusqlite::Error),
    /// The group commit that the write was part of failed; nothing of it is stored.
    #[error("the database could not commit: {0}")]
    Commit(String),
    /// A value of the caller's that cannot be stored.
    #[error("{0}")]
    Invalid(String),
    /// What was asked for is not there.
    #[error("{0} does not exist")]
    Missing(&'static str),
    /// A closure that was handed to the store panicked; the store goes on.
    #[error("a database task panicked")]
    Panicked,
    /// The operating system had no connection or thread to give.
    #[error("the system refused what the database needs: {0}")]
    Unavailable(String),
    /// The store is shutting down.
    #[error("the store is closed")]
    Closed,
}

impl StoreError {
    /// Whether the disk is full: worth a clear word, since the user can do something about it.
    pub fn is_disk_full(&self) -> bool {
        match self {
            StoreError::Sqlite(rusqlite::Error::SqliteFailure(e, _)) => {
                e.code == rusqlite::ErrorCode::DiskFull
            }
            StoreError::Commit(detail) => detail.contains("disk is full"),
            _ => false,
        }
    }
}
