//! A set of keys that may outgrow memory: what a dry run has met.

use rusqlite::{Connection, params};

use crate::StoreError;

/// Memory for pages, in KiB; what does not fit goes to a temporary file that vanishes with the set.
const CACHE_KIB: i64 = 8 * 1024;

/// Keys by group, kept in a private temporary database.
pub struct KeySet {
    conn: Connection,
}

impl KeySet {
    /// An empty set.
    pub fn new() -> Result<KeySet, StoreError> {
        // The empty name is SQLite's for a private database on disk, deleted when it is closed.
        let conn = Connection::open("")?;
        conn.pragma_update(None, "cache_size", -CACHE_KIB)?;
        conn.pragma_update(None, "journal_mode", "OFF")?;
        conn.execute_batch(
            "CREATE TABLE keys (grp INTEGER, key BLOB, PRIMARY KEY (grp, key)) WITHOUT ROWID; BEGIN",
        )?;
        Ok(KeySet { conn })
    }

    /// Adds a key; false if it was there.
    pub fn insert(&mut self, group: usize, key: &[u8]) -> Result<bool, StoreError> {
        let mut insert = self
            .conn
            .prepare_cached("INSERT OR IGNORE INTO keys VALUES (?1, ?2)")?;
        Ok(insert.execute(params![group as i64, key])? == 1)
    }
}
