//! What passes found, by conversation and pass; and which conversations lack it.

use chatstats_model::{ChatId, ConversationId, PassResult, Timestamp};
use rusqlite::{OptionalExtension, ToSql, params, params_from_iter};

use super::tasks::NewTask;
use crate::{Reader, StoreError, Write};

/// A result to be stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewResult {
    /// The conversation.
    pub conversation_id: ConversationId,
    /// The pass.
    pub pass: String,
    /// The pass's version.
    pub version: u32,
    /// The conversation's fingerprint when its messages were read: a result of what has changed since is out of date.
    pub fingerprint: i64,
    /// What was found, as JSON.
    pub json: String,
}

/// A pass, as results know it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PassVersion {
    /// Its name.
    pub name: String,
    /// Its version.
    pub version: u32,
}

/// That a conversation has results of a whole set of passes: then a run need not look for each of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Covered {
    /// Stands for the set: names and versions.
    pub set: i64,
    /// The conversation's fingerprint when its messages were read.
    pub fingerprint: i64,
}

/// Which conversations a run covers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Selection {
    /// Of these chats, those of the first before those of the next; of all if empty.
    pub chats: Vec<ChatId>,
    /// Only this one.
    pub conversation: Option<ConversationId>,
    /// Only those that lack a current result of any of these passes; empty for all.
    pub lacking: Vec<PassVersion>,
    /// The number that stands for that set of passes in [`Covered`], where there is one.
    pub set: Option<i64>,
}

/// What a selection comes to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SelectionSize {
    /// Conversations.
    pub conversations: u64,
    /// Messages in them.
    pub messages: u64,
}

/// A stored result of a conversation that has not changed since.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChatResult {
    /// The conversation.
    pub conversation_id: ConversationId,
    /// When its first message was sent.
    pub starts_at: Timestamp,
    /// What was found, as JSON.
    pub json: String,
}

impl Reader {
    /// The conversations of a selection that are sealed, the newest first; chat by chat where chats are picked.
    pub fn select_conversations(&self, selection: &Selection) -> Result<Vec<NewTask>, StoreError> {
        let mut found = Vec::new();
        for chat in Self::each_chat(selection) {
            let (wanted, values) = wanted(selection, chat);
            let mut query = self.conn.prepare(&format!(
                "SELECT c.chat_id, c.id FROM conversations c WHERE {wanted} ORDER BY c.last_us DESC, c.id DESC"
            ))?;
            let rows = query.query_map(params_from_iter(values), |row| {
                Ok(NewTask {
                    chat_id: ChatId(row.get(0)?),
                    conversation_id: ConversationId(row.get(1)?),
                })
            })?;
            for row in rows {
                found.push(row?);
            }
        }
        Ok(found)
    }

    /// How much a selection is.
    pub fn selection_size(&self, selection: &Selection) -> Result<SelectionSize, StoreError> {
        let mut size = SelectionSize::default();
        for chat in Self::each_chat(selection) {
            let (wanted, values) = wanted(selection, chat);
            let mut query = self.conn.prepare(&format!(
                "SELECT count(*), ifnull(sum(c.message_count), 0) FROM conversations c WHERE {wanted}"
            ))?;
            let (conversations, messages): (i64, i64) =
                query.query_row(params_from_iter(values), |row| Ok((row.get(0)?, row.get(1)?)))?;
            size.conversations += conversations as u64;
            size.messages += messages as u64;
        }
        Ok(size)
    }

    /// All results of a conversation, current or not.
    pub fn results(&self, id: ConversationId) -> Result<Vec<PassResult>, StoreError> {
        let mut query = self.conn.prepare_cached(
            "SELECT p.name, r.version, r.fingerprint = c.fingerprint, r.result
             FROM conversations c JOIN results r ON r.id BETWEEN c.id * 256 AND c.id * 256 + 255
                JOIN passes p ON p.id = r.id & 255
             WHERE c.id = ?1 ORDER BY p.name",
        )?;
        let rows = query.query_map([id.0], |row| {
            let json: String = row.get(3)?;
            Ok(PassResult {
                pass: row.get(0)?,
                version: row.get(1)?,
                current: row.get(2)?,
                result: serde_json::from_str(&json).unwrap_or_default(),
            })
        })?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// The current results of one pass in a chat, in the order of their conversations.
    pub fn chat_results(&self, chat: ChatId, pass: &PassVersion) -> Result<Vec<ChatResult>, StoreError> {
        let mut query = self.conn.prepare_cached(
            "SELECT c.id, c.first_us, r.result FROM conversations c
                JOIN results r ON r.id = c.id * 256 + (SELECT id FROM passes WHERE name = ?2)
             WHERE c.chat_id = ?1 AND r.version = ?3 AND r.fingerprint = c.fingerprint
             ORDER BY c.first_us, c.id",
        )?;
        let rows = query.query_map(params![chat.0, pass.name, pass.version], |row| {
            Ok(ChatResult {
                conversation_id: ConversationId(row.get(0)?),
                starts_at: Timestamp::from_micros(row.get(1)?).unwrap_or_default(),
                json: row.get(2)?,
            })
        })?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// How many sealed conversations there are, and of how many the pass has a current result.
    pub fn coverage(&self, pass: &PassVersion) -> Result<(u64, u64), StoreError> {
        let mut query = self.conn.prepare_cached(
            "SELECT (SELECT count(*) FROM conversations WHERE sealed = 1),
                (SELECT count(*) FROM conversations c
                    JOIN results r ON r.id = c.id * 256 + (SELECT id FROM passes WHERE name = ?1)
                 WHERE r.version = ?2 AND r.fingerprint = c.fingerprint AND c.sealed = 1)",
        )?;
        let both = query.query_row(params![pass.name, pass.version], |row| {
            Ok((row.get::<_, i64>(0)?, row.get::<_, i64>(1)?))
        })?;
        Ok((both.0 as u64, both.1 as u64))
    }

    /// Chats of which results changed after the mark, with the new mark: see [`Write::finish_tasks`].
    pub fn chats_with_results_since(&self, mark: i64) -> Result<(Vec<ChatId>, i64), StoreError> {
        let mut newest = self
            .conn
            .prepare_cached("SELECT ifnull(max(mark), 0) FROM results")?;
        let newest: i64 = newest.query_row([], |row| row.get(0))?;
        let mut chats = self.conn.prepare_cached(
            "SELECT DISTINCT c.chat_id FROM results r JOIN conversations c ON c.id = r.id / 256
             WHERE r.mark > ?1 AND r.mark <= ?2 ORDER BY c.chat_id",
        )?;
        let rows = chats.query_map([mark, newest], |row| Ok(ChatId(row.get(0)?)))?;
        Ok((rows.collect::<Result<_, _>>()?, newest))
    }

    fn each_chat(selection: &Selection) -> Vec<Option<ChatId>> {
        match selection.chats.as_slice() {
            [] => vec![None],
            some => some.iter().copied().map(Some).collect(),
        }
    }
}

impl Write<'_> {
    /// Notes that a conversation has results of a set of passes.
    pub(crate) fn put_covered(&mut self, id: ConversationId, covered: Covered) -> Result<(), StoreError> {
        let mut put = self.conn.prepare_cached(
            "UPDATE conversations SET covered_by = ?2, covered_fingerprint = ?3 WHERE id = ?1",
        )?;
        put.execute(params![id.0, covered.set, covered.fingerprint])?;
        Ok(())
    }

    /// Stores what was found in open conversations, and answers how much of it. What has changed since, and may have
    /// been analysed again meanwhile, is left alone: an older result never takes the place of a newer one.
    pub fn put_live_results(&mut self, results: &[NewResult], now: Timestamp) -> Result<usize, StoreError> {
        let mut stored = 0;
        for result in results {
            let mut query = self
                .conn
                .prepare_cached("SELECT 1 FROM conversations WHERE id = ?1 AND fingerprint = ?2")?;
            if query.exists(params![result.conversation_id.0, result.fingerprint])? {
                drop(query);
                self.put_results(std::slice::from_ref(result), now)?;
                stored += 1;
            }
        }
        Ok(stored)
    }

    /// Stores results in place of those there were of their passes; none of a conversation that is gone.
    pub(crate) fn put_results(&mut self, results: &[NewResult], now: Timestamp) -> Result<(), StoreError> {
        for of_one in results.chunk_by(|a, b| a.conversation_id == b.conversation_id) {
            let id = of_one[0].conversation_id;
            let mut query = self
                .conn
                .prepare_cached("SELECT 1 FROM conversations WHERE id = ?1")?;
            if query.exists([id.0])? {
                drop(query);
                self.put_results_of(id, of_one, now)?;
            }
        }
        Ok(())
    }

    /// Plain statements, which change one row each: for one that might change several SQLite keeps a journal of its own,
    /// in a file, and an upsert is one.
    fn put_results_of(
        &mut self,
        id: ConversationId,
        results: &[NewResult],
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let mut newest = self
            .conn
            .prepare_cached("SELECT ifnull(max(mark), 0) FROM results")?;
        let mark = newest.query_row([], |row| row.get::<_, i64>(0))? + 1;
        let mut insert = self.conn.prepare_cached(
            "INSERT OR IGNORE INTO results (id, version, fingerprint, computed_us, mark, result)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
        )?;
        for result in results {
            let values = params![
                id.0 * 256 + self.pass_id(&result.pass)?,
                result.version,
                result.fingerprint,
                now.as_micros(),
                mark,
                result.json
            ];
            if insert.execute(values)? == 0 {
                let mut update = self.conn.prepare_cached(
                    "UPDATE results SET version = ?2, fingerprint = ?3, computed_us = ?4, mark = ?5, result = ?6
                     WHERE id = ?1",
                )?;
                update.execute(values)?;
            }
        }
        Ok(())
    }

    /// The number that stands for a pass; the next one if it has none yet, up to 255.
    fn pass_id(&self, name: &str) -> Result<i64, StoreError> {
        let mut find = self
            .conn
            .prepare_cached("SELECT id FROM passes WHERE name = ?1")?;
        if let Some(id) = find.query_row([name], |row| row.get(0)).optional()? {
            return Ok(id);
        }
        let mut insert = self
            .conn
            .prepare_cached("INSERT INTO passes (name) VALUES (?1)")?;
        Ok(insert.insert([name])?)
    }
}

/// The condition of a selection on `conversations c`, with its values.
fn wanted(selection: &Selection, chat: Option<ChatId>) -> (String, Vec<Box<dyn ToSql>>) {
    let mut conditions = Vec::new();
    let mut values: Vec<Box<dyn ToSql>> = Vec::new();
    if let Some(chat) = chat {
        conditions.push("c.chat_id = ?".to_owned());
        values.push(Box::new(chat.0));
    }
    match selection.conversation {
        // One that is asked for by name may be open.
        Some(id) => {
            conditions.push("c.id = ?".to_owned());
            values.push(Box::new(id.0));
        }
        None => conditions.push("c.sealed = 1".to_owned()),
    }
    if let Some(set) = selection.set.filter(|_| !selection.lacking.is_empty()) {
        conditions.push("NOT (c.covered_by = ? AND c.covered_fingerprint = c.fingerprint)".to_owned());
        values.push(Box::new(set));
    }
    if !selection.lacking.is_empty() {
        let pairs = vec!["(?, ?)"; selection.lacking.len()].join(", ");
        conditions.push(format!(
            "(SELECT count(*) FROM results r JOIN passes p ON p.id = r.id & 255
                WHERE r.id BETWEEN c.id * 256 AND c.id * 256 + 255 AND r.fingerprint = c.fingerprint
                AND (p.name, r.version) IN (VALUES {pairs})) < {}",
            selection.lacking.len()
        ));
        for pass in &selection.lacking {
            values.push(Box::new(pass.name.clone()));
            values.push(Box::new(pass.version));
        }
    }
    (conditions.join(" AND "), values)
}
