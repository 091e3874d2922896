//! Conversations: reading them. How they are cut is in `cutting.rs` and `recut.rs`, how they are sealed in `seals.rs`.

use std::collections::HashSet;

use chatstats_model::{
    ChatId, Conversation, ConversationId, ConversationPage, Message, MessageId, Timestamp,
};
use rusqlite::{Connection, OptionalExtension, Row, params};

use crate::{Reader, StoreError};

const CONVERSATION: &str =
    "SELECT id, chat_id, first_us, last_us, message_count, sealed, fingerprint FROM conversations";

/// By the index of open ones, so that it costs what it finds.
const CHATS_OPEN: &str = "SELECT chat_id FROM conversations INDEXED BY conversations_open WHERE sealed = 0
    ORDER BY last_us DESC LIMIT ?1";

/// How many conversations there are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ConversationCounts {
    /// All of them.
    pub total: u64,
    /// Those that are over.
    pub sealed: u64,
    /// Seals that are not announced yet.
    pub to_announce: u64,
}

impl Reader {
    /// A page of a chat's conversations that begin before an instant, the newest first.
    pub fn conversations(
        &self,
        chat: ChatId,
        before: Option<Timestamp>,
        limit: usize,
    ) -> Result<ConversationPage, StoreError> {
        self.consistent(|reader| {
            let mut query = reader.conn.prepare_cached(&format!(
                "{CONVERSATION} WHERE chat_id = ?1 AND first_us < ?2 ORDER BY first_us DESC LIMIT ?3"
            ))?;
            let before_us = before.map_or(i64::MAX, Timestamp::as_micros);
            // One more than asked for tells whether there are more.
            let rows = query.query_map(params![chat.0, before_us, limit as i64 + 1], conversation)?;
            let mut conversations = rows.collect::<Result<Vec<_>, _>>()?;
            let has_more = conversations.len() > limit;
            conversations.truncate(limit);
            let next = conversations.last().filter(|_| has_more);
            Ok(ConversationPage {
                next: next.map(|last| last.first_message_time),
                conversations,
                total: reader
                    .conn
                    .prepare_cached("SELECT count(*) FROM conversations WHERE chat_id = ?1")?
                    .query_row([chat.0], |row| row.get(0))?,
            })
        })
    }

    /// A conversation; none if there is none of this id, or none any more because it became part of another.
    pub fn conversation(&self, id: ConversationId) -> Result<Option<Conversation>, StoreError> {
        let mut query = self
            .conn
            .prepare_cached(&format!("{CONVERSATION} WHERE id = ?1"))?;
        Ok(query.query_row([id.0], conversation).optional()?)
    }

    /// The next messages of a conversation by timestamp, then id, after a place in that order; none if there is no
    /// such conversation.
    pub fn conversation_messages(
        &self,
        id: ConversationId,
        after: Option<(Timestamp, MessageId)>,
        limit: usize,
    ) -> Result<Option<Vec<Message>>, StoreError> {
        self.consistent(|reader| {
            let Some(found) = reader.conversation(id)? else {
                return Ok(None);
            };
            let start = (found.first_message_time, MessageId(i64::MIN));
            let after = after.map_or(start, |after| after.max(start));
            let up_to = reader.position()?;
            let mut messages = reader.history(found.chat_id, Some(after), up_to, limit)?;
            messages.retain(|message| message.timestamp <= found.last_message_time);
            Ok(Some(messages))
        })
    }

    /// The chat's open conversation: its last one, while it is not sealed.
    pub fn open_conversation(&self, chat: ChatId) -> Result<Option<Conversation>, StoreError> {
        let newest = newest(&self.conn, chat)?.filter(|newest| !newest.sealed);
        newest.map_or(Ok(None), |newest| self.conversation(newest.id))
    }

    /// Chats whose last conversation is open, the one with the newest message first.
    pub fn chats_open(&self, limit: usize) -> Result<Vec<ChatId>, StoreError> {
        let mut query = self.conn.prepare_cached(CHATS_OPEN)?;
        let rows = query.query_map([limit as i64], |row| Ok(ChatId(row.get(0)?)))?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// How many conversations there are in all chats.
    pub fn conversation_counts(&self) -> Result<ConversationCounts, StoreError> {
        let mut query = self.conn.prepare_cached(
            "SELECT (SELECT count(*) FROM conversations), (SELECT count(*) FROM conversations WHERE sealed = 0),
                (SELECT count(*) FROM conversations WHERE to_announce IS NOT NULL)",
        )?;
        Ok(query.query_row([], |row| {
            let (total, open) = (row.get::<_, i64>(0)? as u64, row.get::<_, i64>(1)? as u64);
            Ok(ConversationCounts {
                total,
                sealed: total - open,
                to_announce: row.get::<_, i64>(2)? as u64,
            })
        })?)
    }

    /// When the last message of an open conversation was sent, the earliest of all chats but those left out: the pause
    /// after it, and it is due.
    pub fn earliest_open(&self, except: &HashSet<ChatId>) -> Result<Option<Timestamp>, StoreError> {
        let mut query = self
            .conn
            .prepare_cached("SELECT last_us, chat_id FROM conversations WHERE sealed = 0 ORDER BY last_us")?;
        let mut rows = query.query([])?;
        while let Some(row) = rows.next()? {
            if !except.contains(&ChatId(row.get(1)?)) {
                return Ok(super::messages::time(row.get(0)?));
            }
        }
        Ok(None)
    }

    /// The pause that ends a conversation, in microseconds.
    pub fn conversation_gap_us(&self) -> Result<i64, StoreError> {
        Ok(gap_us(&self.conn)?)
    }
}

/// A conversation's row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Stored {
    pub(super) id: ConversationId,
    pub(super) first_us: i64,
    pub(super) last_us: i64,
    pub(super) count: i64,
    pub(super) sealed: bool,
    pub(super) fingerprint: i64,
}

/// A chat's last conversation.
pub(super) fn newest(conn: &Connection, chat: ChatId) -> Result<Option<Stored>, rusqlite::Error> {
    conn.prepare_cached(&format!(
        "{CONVERSATION} WHERE chat_id = ?1 ORDER BY first_us DESC LIMIT 1"
    ))?
    .query_row([chat.0], stored)
    .optional()
}

/// All conversations of a chat, in their order.
pub(super) fn all(conn: &Connection, chat: ChatId) -> Result<Vec<Stored>, rusqlite::Error> {
    conn.prepare_cached(&format!("{CONVERSATION} WHERE chat_id = ?1 ORDER BY first_us"))?
        .query_map([chat.0], stored)?
        .collect()
}

/// Those of a chat that end after one instant and begin before another, the last first.
pub(super) fn between(
    conn: &Connection,
    chat: ChatId,
    after_us: i64,
    before_us: i64,
) -> Result<Vec<Stored>, rusqlite::Error> {
    let mut query = conn.prepare_cached(&format!(
        "{CONVERSATION} WHERE chat_id = ?1 AND first_us < ?2 ORDER BY first_us DESC"
    ))?;
    // They do not overlap: the first that ends too early ends the search.
    let mut rows = query.query(params![chat.0, before_us])?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        let one = stored(row)?;
        if one.last_us <= after_us {
            break;
        }
        found.push(one);
    }
    Ok(found)
}

pub(super) fn gap_us(conn: &Connection) -> Result<i64, rusqlite::Error> {
    conn.prepare_cached("SELECT CAST(value AS INTEGER) FROM meta WHERE key = 'conversation_gap_us'")?
        .query_row([], |row| row.get(0))
}

fn stored(row: &Row<'_>) -> rusqlite::Result<Stored> {
    Ok(Stored {
        id: ConversationId(row.get(0)?),
        first_us: row.get(2)?,
        last_us: row.get(3)?,
        count: row.get(4)?,
        sealed: row.get(5)?,
        fingerprint: row.get(6)?,
    })
}

fn conversation(row: &Row<'_>) -> rusqlite::Result<Conversation> {
    Ok(Conversation {
        id: ConversationId(row.get(0)?),
        chat_id: ChatId(row.get(1)?),
        first_message_time: super::messages::time(row.get(2)?).unwrap_or_default(),
        last_message_time: super::messages::time(row.get(3)?).unwrap_or_default(),
        message_count: row.get(4)?,
        sealed: row.get(5)?,
    })
}
