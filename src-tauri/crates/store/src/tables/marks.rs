//! Marks: how far somebody has read something, in one row each.

use rusqlite::OptionalExtension;

use crate::{Reader, StoreError, WriteAnalysis};

impl Reader {
    /// A mark; none if it was never set.
    pub fn mark(&self, name: &str) -> Result<Option<String>, StoreError> {
        let mut query = self
            .conn
            .prepare_cached("SELECT value FROM marks WHERE name = ?1")?;
        Ok(query.query_row([name], |row| row.get(0)).optional()?)
    }
}

impl WriteAnalysis<'_> {
    /// Sets a mark.
    pub fn set_mark(&mut self, name: &str, value: &str) -> Result<(), StoreError> {
        let mut set = self.conn.prepare_cached(
            "INSERT INTO marks (name, value) VALUES (?1, ?2) ON CONFLICT (name) DO UPDATE SET value = excluded.value",
        )?;
        set.execute([name, value])?;
        Ok(())
    }
}
