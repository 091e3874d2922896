//! Sealing conversations, and the seals that are to be announced.
//!
//! A conversation is sealed by a later message in the transaction that stores it (`cutting.rs`), and here by the clock
//! or by hand. With each seal its announcement is written down, and so it is when a sealed conversation changes;
//! whoever announces takes the next batch and says in the same write that the one before is done.

use std::collections::HashSet;

use chatstats_model::{ChatId, ConversationId, Timestamp};
use rusqlite::{OptionalExtension, params};

use crate::{Reader, StoreError, Write};

/// Conversations sealed by the clock in one write: a few milliseconds of the writer's time.
const SEALS_PER_WRITE: usize = 1_000;

/// A sealed conversation, to be announced.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Seal {
    /// The chat.
    pub chat_id: ChatId,
    /// The conversation.
    pub conversation_id: ConversationId,
    /// When its last message was sent.
    pub last_message_time: Timestamp,
    /// What is announced: another one, and the conversation has changed since.
    pub fingerprint: i64,
}

/// A batch of seals that was begun to be announced, and may have been.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Announcing {
    /// What was noted with it: where in the log its announcements can only be after.
    pub after: String,
    /// The newest fingerprint in it.
    pub up_to: i64,
}

impl Write<'_> {
    /// Seals the open conversations whose last message was sent at or before an instant, except those of some chats.
    /// Answers whether there may be more of them: it is done in pieces.
    pub fn seal_older(&mut self, last: Timestamp, except: &HashSet<ChatId>) -> Result<bool, StoreError> {
        let mut due = Vec::new();
        let mut query = self.conn.prepare_cached(
            "SELECT id, chat_id FROM conversations WHERE sealed = 0 AND last_us <= ?1 ORDER BY last_us",
        )?;
        let mut rows = query.query([last.as_micros()])?;
        while due.len() < SEALS_PER_WRITE
            && let Some(row) = rows.next()?
        {
            if !except.contains(&ChatId(row.get(1)?)) {
                due.push(row.get::<_, i64>(0)?);
            }
        }
        drop(rows);
        let mut seal = self
            .conn
            .prepare_cached("UPDATE conversations SET sealed = 1, to_announce = ?2 WHERE id = ?1")?;
        for id in &due {
            seal.execute(params![id, self.tally.newest()])?;
        }
        if !due.is_empty() {
            self.tally.sealed();
        }
        Ok(due.len() == SEALS_PER_WRITE)
    }

    /// Seals the chat's open conversation now; none if it has no open one. A later message within the pause still
    /// belongs to it, and opens it again.
    pub fn seal_open(&mut self, chat: ChatId) -> Result<Option<ConversationId>, StoreError> {
        let sealed: Option<i64> = self
            .conn
            .prepare_cached(
                "UPDATE conversations SET sealed = 1, to_announce = ?2 WHERE sealed = 0 AND id =
                    (SELECT id FROM conversations WHERE chat_id = ?1 ORDER BY first_us DESC LIMIT 1) RETURNING id",
            )?
            .query_row(params![chat.0, self.tally.newest()], |row| row.get(0))
            .optional()?;
        if sealed.is_some() {
            self.tally.sealed();
        }
        Ok(sealed.map(ConversationId))
    }

    /// The next seals to announce, in the order in which they were made, except those of some chats. `done` is what was
    /// announced of the batch before; what changed meanwhile will be announced again. `after` is kept with the batch,
    /// for [`Reader::announcing`]. To be written in the bulk lane, where a write has its transaction for itself.
    pub fn next_seals(
        &mut self,
        done: &[Seal],
        after: &str,
        except: &HashSet<ChatId>,
        limit: usize,
    ) -> Result<Vec<Seal>, StoreError> {
        let mut mark = self.conn.prepare_cached(
            "UPDATE conversations SET to_announce = NULL WHERE id = ?1 AND fingerprint = ?2",
        )?;
        for seal in done {
            mark.execute(params![seal.conversation_id.0, seal.fingerprint])?;
        }
        let seals = self.pending(except, limit)?;
        if let Some(up_to) = seals.iter().map(|seal| seal.fingerprint).max() {
            self.conn
                .prepare_cached("INSERT OR REPLACE INTO meta VALUES ('announcing', ?1)")?
                .execute([format!("{up_to} {after}")])?;
        }
        Ok(seals)
    }

    /// Marks seals as announced that were found in the log: conversations and when their last messages were sent. What
    /// has changed since its batch was begun stays to be announced.
    pub fn confirm_seals(
        &mut self,
        found: &[(ConversationId, Timestamp)],
        batch: &Announcing,
    ) -> Result<(), StoreError> {
        let mut mark = self.conn.prepare_cached(
            "UPDATE conversations SET to_announce = NULL WHERE id = ?1 AND last_us = ?2 AND fingerprint <= ?3",
        )?;
        for (id, last) in found {
            mark.execute(params![id.0, last.as_micros(), batch.up_to])?;
        }
        Ok(())
    }

    fn pending(&self, except: &HashSet<ChatId>, limit: usize) -> Result<Vec<Seal>, StoreError> {
        let mut ids = self.conn.prepare_cached(
            "SELECT id, chat_id FROM conversations WHERE to_announce IS NOT NULL ORDER BY to_announce, chat_id, id",
        )?;
        let mut seal = self
            .conn
            .prepare_cached("SELECT last_us, fingerprint FROM conversations WHERE id = ?1")?;
        let mut rows = ids.query([])?;
        let mut seals = Vec::new();
        while seals.len() < limit
            && let Some(row) = rows.next()?
        {
            let (id, chat) = (row.get(0)?, ChatId(row.get(1)?));
            if except.contains(&chat) {
                continue; // told from the index alone: there may be many of them
            }
            seals.push(seal.query_row([id], |row| {
                Ok(Seal {
                    chat_id: chat,
                    conversation_id: ConversationId(id),
                    last_message_time: super::messages::time(row.get(0)?).unwrap_or_default(),
                    fingerprint: row.get(1)?,
                })
            })?);
        }
        Ok(seals)
    }
}

impl Reader {
    /// Whether there are seals to announce, but for those of some chats.
    pub fn has_seals(&self, except: &HashSet<ChatId>) -> Result<bool, StoreError> {
        let mut query = self.conn.prepare_cached(
            "SELECT chat_id FROM conversations WHERE to_announce IS NOT NULL ORDER BY to_announce, chat_id",
        )?;
        let mut rows = query.query([])?;
        while let Some(row) = rows.next()? {
            if !except.contains(&ChatId(row.get(0)?)) {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// The batch of seals that was begun last; none if there was none yet.
    pub fn announcing(&self) -> Result<Option<Announcing>, StoreError> {
        let noted: Option<String> = self
            .conn
            .prepare_cached("SELECT value FROM meta WHERE key = 'announcing'")?
            .query_row([], |row| row.get(0))
            .optional()?;
        let batch = |noted: String| {
            let (up_to, after) = noted.split_once(' ')?;
            Some(Announcing {
                after: after.to_owned(),
                up_to: up_to.parse().ok()?,
            })
        };
        Ok(noted.and_then(batch))
    }
}
