//! What passes found, by conversation and pass; and which conversations lack it.

use std::borrow::Cow;

use chatstats_model::{ChatId, ConversationId, PassResult, Timestamp};
use rusqlite::{CachedStatement, OptionalExtension, ToSql, params, params_from_iter};

use super::tasks::NewTask;
use crate::{Reader, StoreError, Write, WriteAnalysis};

/// A result to be stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewResult {
    /// The conversation.
    pub conversation_id: ConversationId,
    /// The pass.
    pub pass: Cow<'static, str>,
    /// The pass's version.
    pub version: u32,
    /// The conversation's fingerprint when its messages were read: a result of what has changed since is out of date.
    pub fingerprint: i64,
    /// What was found, as JSON.
    pub json: String,
}

/// A result as it is stored: see [`PassResult`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredResult {
    /// The pass.
    pub pass: String,
    /// The pass's version.
    pub version: u32,
    /// Whether it is of the conversation as it is now.
    pub current: bool,
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
        let read = |stored: StoredResult| PassResult {
            result: serde_json::from_str(&stored.json).unwrap_or_default(),
            pass: stored.pass,
            version: stored.version,
            current: stored.current,
        };
        Ok(self.stored_results(id)?.into_iter().map(read).collect())
    }

    /// The same as they are stored, for whoever reads parts of them.
    pub fn stored_results(&self, id: ConversationId) -> Result<Vec<StoredResult>, StoreError> {
        let mut query = self.conn.prepare_cached(
            "SELECT p.name, r.version, r.fingerprint = c.fingerprint, r.result
             FROM conversations c CROSS JOIN analysed a ON a.conversation_id = c.id
                CROSS JOIN results r ON r.id BETWEEN a.place * 256 AND a.place * 256 + 255
                CROSS JOIN passes p ON p.id = r.id & 255
             WHERE c.id = ?1 ORDER BY p.name",
        )?;
        let rows = query.query_map([id.0], |row| {
            Ok(StoredResult {
                pass: row.get(0)?,
                version: row.get(1)?,
                current: row.get(2)?,
                json: row.get(3)?,
            })
        })?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// The current results of one pass in a chat, in the order of their conversations.
    pub fn chat_results(&self, chat: ChatId, pass: &PassVersion) -> Result<Vec<ChatResult>, StoreError> {
        let mut query = self.conn.prepare_cached(
            "SELECT c.id, c.first_us, r.result FROM conversations c
                CROSS JOIN analysed a ON a.conversation_id = c.id
                CROSS JOIN results r ON r.id = a.place * 256 + (SELECT id FROM passes WHERE name = ?2)
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
                    CROSS JOIN analysed a ON a.conversation_id = c.id
                    CROSS JOIN results r ON r.id = a.place * 256 + (SELECT id FROM passes WHERE name = ?1)
                 WHERE r.version = ?2 AND r.fingerprint = c.fingerprint AND c.sealed = 1)",
        )?;
        let both = query.query_row(params![pass.name, pass.version], |row| {
            Ok((row.get::<_, i64>(0)?, row.get::<_, i64>(1)?))
        })?;
        Ok((both.0 as u64, both.1 as u64))
    }

    /// Chats of which results changed after the mark, with the new mark: see [`WriteAnalysis::finish_tasks`].
    pub fn chats_with_results_since(&self, mark: i64) -> Result<(Vec<ChatId>, i64), StoreError> {
        let mut newest = self
            .conn
            .prepare_cached("SELECT ifnull(max(mark), 0) FROM analysed")?;
        let newest: i64 = newest.query_row([], |row| row.get(0))?;
        let mut chats = self.conn.prepare_cached(
            "SELECT DISTINCT c.chat_id FROM analysed a CROSS JOIN conversations c ON c.id = a.conversation_id
             WHERE a.mark > ?1 AND a.mark <= ?2 ORDER BY c.chat_id",
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

impl<'w> WriteAnalysis<'w> {
    /// Stores what was found in open conversations, and answers how much of it. What has changed since, and may have
    /// been analysed again meanwhile, is left alone: an older result never takes the place of a newer one.
    pub fn put_live_results(&mut self, results: &[NewResult], now: Timestamp) -> Result<usize, StoreError> {
        let conn = self.conn;
        let mut current =
            conn.prepare_cached("SELECT 1 FROM conversations WHERE id = ?1 AND fingerprint = ?2")?;
        let mut put = self.results_put(now)?;
        let mut stored = 0;
        for result in results {
            if current.exists(params![result.conversation_id.0, result.fingerprint])? {
                self.put_results(
                    &mut put,
                    result.conversation_id,
                    std::slice::from_ref(result),
                    None,
                )?;
                stored += 1;
            }
        }
        Ok(stored)
    }

    /// What stores results, for one step of the writer.
    pub(crate) fn results_put(&self, now: Timestamp) -> Result<ResultsPut<'w>, StoreError> {
        let conn = self.conn;
        let mut newest = conn.prepare_cached(
            "SELECT (SELECT ifnull(max(mark), 0) FROM analysed), (SELECT ifnull(max(id), 0) / 256 FROM results)",
        )?;
        let (mark, place) = newest.query_row([], |row| {
            Ok((row.get::<_, i64>(0)? + 1, row.get::<_, i64>(1)? + 1))
        })?;
        // Plain statements, which change one row each: for one that might change several SQLite keeps a journal of its
        // own, in a file, and an upsert is one.
        Ok(ResultsPut {
            now,
            mark,
            place,
            find: conn.prepare_cached(
                "SELECT a.place FROM conversations c LEFT JOIN analysed a ON a.conversation_id = c.id WHERE c.id = ?1",
            )?,
            insert: conn.prepare_cached(
                "INSERT OR IGNORE INTO results (id, version, fingerprint, computed_us, result)
                 VALUES (?1, ?2, ?3, ?4, ?5)",
            )?,
            note: conn.prepare_cached(
                "INSERT INTO analysed (conversation_id, place, mark, covered_by, covered_fingerprint)
                 VALUES (?1, ?2, ?3, ifnull(?4, 0), ifnull(?5, -1))",
            )?,
            note_again: conn.prepare_cached(
                "UPDATE analysed SET mark = ?3, covered_by = ifnull(?4, covered_by),
                    covered_fingerprint = ifnull(?5, covered_fingerprint)
                 WHERE conversation_id = ?1 AND place = ?2",
            )?,
        })
    }

    /// Stores results of a conversation in place of those there were of their passes, and which set of passes it has
    /// results of now; nothing of a conversation that is gone.
    pub(crate) fn put_results(
        &mut self,
        put: &mut ResultsPut<'w>,
        id: ConversationId,
        results: &[NewResult],
        covered: Option<Covered>,
    ) -> Result<(), StoreError> {
        if results.is_empty() && covered.is_none() {
            return Ok(());
        }
        let found = put.find.query_row([id.0], |row| row.get::<_, Option<i64>>(0));
        let Some(known) = found.optional()? else {
            return Ok(()); // It is gone.
        };
        if results.is_empty() && known.is_none() {
            return Ok(()); // Without a result it would have no place of its own.
        }
        let place = known.unwrap_or(put.place);
        for result in results {
            let values = params![
                place * 256 + self.pass_id(&result.pass)?,
                result.version,
                result.fingerprint,
                put.now.as_micros(),
                result.json
            ];
            if put.insert.execute(values)? == 0 {
                let mut update = self.conn.prepare_cached(
                    "UPDATE results SET version = ?2, fingerprint = ?3, computed_us = ?4, result = ?5 WHERE id = ?1",
                )?;
                update.execute(values)?;
            }
        }
        let note = match known {
            Some(_) => &mut put.note_again,
            None => &mut put.note,
        };
        note.execute(params![
            id.0,
            place,
            put.mark,
            covered.map(|covered| covered.set),
            covered.map(|covered| covered.fingerprint)
        ])?;
        if known.is_none() {
            put.place += 1;
        }
        Ok(())
    }

    /// Forgets results of conversations that are gone, looking at so many at most, and answers at which: to be told to
    /// [`Write::forget_gone`] once that is committed.
    pub fn forget_results_of_gone(&mut self, limit: usize) -> Result<Vec<ConversationId>, StoreError> {
        let mut gone = self
            .conn
            .prepare_cached("SELECT id FROM conversations_gone ORDER BY id LIMIT ?1")?;
        let rows = gone.query_map([limit as i64], |row| Ok(ConversationId(row.get(0)?)))?;
        let gone: Vec<ConversationId> = rows.collect::<Result<_, _>>()?;
        let mut results = self
            .conn
            .prepare_cached("DELETE FROM results WHERE id BETWEEN ?1 * 256 AND ?1 * 256 + 255")?;
        let mut note = self
            .conn
            .prepare_cached("DELETE FROM analysed WHERE conversation_id = ?1 RETURNING place")?;
        let mut there = self
            .conn
            .prepare_cached("SELECT 1 FROM conversations WHERE id = ?1")?;
        for id in &gone {
            // One that was taken out and put back in the same step is there still.
            if !there.exists([id.0])?
                && let Some(place) = note.query_row([id.0], |row| row.get::<_, i64>(0)).optional()?
            {
                results.execute([place])?;
            }
        }
        Ok(gone)
    }

    /// The number that stands for a pass; the next one if it has none yet, up to 255.
    fn pass_id(&mut self, name: &str) -> Result<i64, StoreError> {
        if let Some(id) = self.passes.get(name) {
            return Ok(*id);
        }
        let mut find = self
            .conn
            .prepare_cached("SELECT id FROM passes WHERE name = ?1")?;
        let known = find.query_row([name], |row| row.get(0)).optional()?;
        let id = match known {
            Some(id) => id,
            None => self
                .conn
                .prepare_cached("INSERT INTO passes (name) VALUES (?1)")?
                .insert([name])?,
        };
        self.passes.insert(name.to_owned(), id);
        Ok(id)
    }
}

impl Write<'_> {
    /// Forgets that conversations are gone: nothing is left of them.
    pub fn forget_gone(&mut self, gone: &[ConversationId]) -> Result<(), StoreError> {
        let mut forget = self
            .conn
            .prepare_cached("DELETE FROM conversations_gone WHERE id = ?1")?;
        for id in gone {
            forget.execute([id.0])?;
        }
        Ok(())
    }
}

/// What stores results, for one step of the writer.
pub(crate) struct ResultsPut<'w> {
    now: Timestamp,
    mark: i64,
    /// Where the results of the next conversation go that has none yet.
    place: i64,
    find: CachedStatement<'w>,
    insert: CachedStatement<'w>,
    note: CachedStatement<'w>,
    note_again: CachedStatement<'w>,
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
        conditions.push(
            "NOT EXISTS (SELECT 1 FROM analysed a WHERE a.conversation_id = c.id AND a.covered_by = ?
                AND a.covered_fingerprint = c.fingerprint)"
                .to_owned(),
        );
        values.push(Box::new(set));
    }
    if !selection.lacking.is_empty() {
        let pairs = vec!["(?, ?)"; selection.lacking.len()].join(", ");
        conditions.push(format!(
            "(SELECT count(*) FROM analysed a
                CROSS JOIN results r ON r.id BETWEEN a.place * 256 AND a.place * 256 + 255
                CROSS JOIN passes p ON p.id = r.id & 255
                WHERE a.conversation_id = c.id AND r.fingerprint = c.fingerprint AND (p.name, r.version) IN (VALUES {pairs})) < {}",
            selection.lacking.len()
        ));
        for pass in &selection.lacking {
            values.push(Box::new(pass.name.clone()));
            values.push(Box::new(pass.version));
        }
    }
    (conditions.join(" AND "), values)
}
