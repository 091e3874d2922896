//! The schema, as a list of migrations. A released migration never changes; a new one is added at the end.

use rusqlite::Connection;

use super::open::OpenError;

/// Each entry takes the file from version `index` to `index + 1` (`PRAGMA user_version`).
const MIGRATIONS: &[&str] = &[V1];

const V1: &str = "
-- `trimmed` entries were dropped from the front, the last of them `trimmed_through`. What lies below and is there still
-- is on its way out.
CREATE TABLE streams (
    id INTEGER PRIMARY KEY,
    key TEXT NOT NULL UNIQUE,
    trimmed INTEGER NOT NULL,
    trimmed_through BLOB NOT NULL
);

-- Entries in a row, packed. `last` is the id of the last of them, as 16 bytes that sort as ids do; `upto` is how many
-- entries the stream had ever had with it: lengths are differences, and are counted nowhere.
CREATE TABLE batches (
    stream INTEGER NOT NULL,
    last BLOB NOT NULL,
    upto INTEGER NOT NULL,
    entries BLOB NOT NULL,
    PRIMARY KEY (stream, last)
) WITHOUT ROWID;
";

/// Brings the file to the newest version; each step is one transaction.
pub(super) fn migrate(conn: &mut Connection) -> Result<(), OpenError> {
    let found: i64 = conn.query_row("PRAGMA user_version", [], |row| row.get(0))?;
    let known = MIGRATIONS.len() as i64;
    if !(0..=known).contains(&found) {
        return Err(OpenError::TooNew { found, known });
    }
    for (index, sql) in MIGRATIONS.iter().enumerate().skip(found as usize) {
        let tx = conn.transaction()?;
        tx.execute_batch(sql)?;
        tx.pragma_update(None, "user_version", index as i64 + 1)?;
        tx.commit()?;
    }
    Ok(())
}
