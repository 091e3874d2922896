//! The full-text index, which follows the messages at a short distance.
//!
//! Every commit that touches the index writes a segment of its own, which later has to be merged. So messages are
//! indexed in batches: when enough have come, when the writer has nothing else to do, and before anybody searches.

use chatstats_model::ChatId;
use rusqlite::{Connection, params};

use crate::{StoreError, Write};

/// Messages indexed in one go: some ten milliseconds, which is what a live write may have to wait for.
pub(crate) const INDEX_BATCH: usize = 2_000;

/// The id up to which messages are indexed, and how many are not.
pub(crate) fn pending(conn: &Connection) -> Result<(i64, usize), rusqlite::Error> {
    let indexed = conn.query_row("SELECT value FROM meta WHERE key = 'indexed'", [], |row| {
        row.get::<_, String>(0)
    })?;
    let indexed = indexed.parse().unwrap_or(0);
    let count: i64 = conn.query_row("SELECT count(*) FROM messages WHERE id > ?1", [indexed], |row| {
        row.get(0)
    })?;
    Ok((indexed, count as usize))
}

impl Write<'_> {
    /// Brings every message into the full-text index.
    pub fn index_all(&mut self) -> Result<(), StoreError> {
        while self.tally.unindexed > 0 {
            self.index_batch()?;
        }
        Ok(())
    }

    /// Brings the next messages into the full-text index.
    pub(crate) fn index_batch(&mut self) -> Result<(), StoreError> {
        let from = self.tally.indexed;
        let to: i64 = self
            .conn
            .prepare_cached("SELECT ifnull(max(id), ?1) FROM (SELECT id FROM messages WHERE id > ?1 ORDER BY id LIMIT ?2)")?
            .query_row(params![from, INDEX_BATCH as i64], |row| row.get(0))?;
        let count = self
            .conn
            .prepare_cached(
                "INSERT INTO messages_fts (rowid, content, chat)
                 SELECT id, content, 'c' || chat_id FROM messages WHERE id > ?1 AND id <= ?2 ORDER BY id",
            )?
            .execute(params![from, to])?;
        let is_last = count < INDEX_BATCH;
        self.tally.unindexed = if is_last {
            0
        } else {
            self.tally.unindexed.saturating_sub(count).max(1)
        };
        self.tally.indexed = to;
        self.conn
            .prepare_cached("UPDATE meta SET value = ?1 WHERE key = 'indexed'")?
            .execute([self.tally.indexed.to_string()])?;
        Ok(())
    }

    /// A message that is in the index has other words now. The index does not keep the old ones: they are needed to
    /// take them out.
    pub(crate) fn reindex(&self, id: i64, chat: ChatId, old: &str, new: &str) -> Result<(), StoreError> {
        self.conn
            .prepare_cached(
                "INSERT INTO messages_fts (messages_fts, rowid, content, chat) VALUES ('delete', ?1, ?2, 'c' || ?3)",
            )?
            .execute(params![id, old, chat.0])?;
        self.conn
            .prepare_cached("INSERT INTO messages_fts (rowid, content, chat) VALUES (?1, ?2, 'c' || ?3)")?
            .execute(params![id, new, chat.0])?;
        Ok(())
    }
}
