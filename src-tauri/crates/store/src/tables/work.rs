//! What a task works on, read in one go.

use chatstats_model::{ConversationId, Message};
use rusqlite::{OptionalExtension, params};

use super::messages::Gather;
use super::results::PassVersion;
use crate::{Reader, StoreError};

/// Messages of one conversation that are analysed at most, from its first on. A conversation ends with a pause, and
/// nobody writes so many without one; programs do.
pub const ANALYSED_MESSAGES_MAX: usize = 50_000;

/// A conversation as passes see it, at one moment.
#[derive(Clone, Debug, PartialEq)]
pub struct ConversationWork<M = Vec<Message>> {
    /// Changes with the messages: results carry it.
    pub fingerprint: i64,
    /// Its messages, by time, then id; the first [`ANALYSED_MESSAGES_MAX`].
    pub messages: M,
    /// Whether more than two people can write in the chat.
    pub is_group: bool,
    /// Current results, by pass: of just these messages, by just these versions.
    pub known: Vec<(String, String)>,
}

impl<M> ConversationWork<M> {
    /// The same, with its messages in something else.
    pub fn map<N>(self, into: impl FnOnce(M) -> N) -> ConversationWork<N> {
        ConversationWork {
            fingerprint: self.fingerprint,
            messages: into(self.messages),
            is_group: self.is_group,
            known: self.known,
        }
    }
}

impl Reader {
    /// A conversation and its messages, with the current results of `passes`; none if it is gone.
    pub fn conversation_work(
        &self,
        id: ConversationId,
        passes: &[PassVersion],
    ) -> Result<Option<ConversationWork>, StoreError> {
        self.conversation_work_in(id, passes, Vec::with_capacity)
    }

    /// As [`Reader::conversation_work`], its messages in what `keep` makes for so many of them.
    pub fn conversation_work_in<M: Gather>(
        &self,
        id: ConversationId,
        passes: &[PassVersion],
        keep: impl FnOnce(usize) -> M,
    ) -> Result<Option<ConversationWork<M>>, StoreError> {
        self.consistent(|reader| {
            let mut query = reader.conn.prepare_cached(
                "SELECT chat_id, first_us, last_us, message_count, fingerprint,
                    EXISTS (SELECT 1 FROM chat_members m WHERE m.chat_id = c.chat_id LIMIT 1 OFFSET 2),
                    (SELECT place FROM analysed a WHERE a.conversation_id = c.id)
                 FROM conversations c WHERE id = ?1",
            )?;
            type Row = (i64, i64, i64, i64, i64, bool, Option<i64>);
            let found: Option<Row> = query.query_row([id.0], |row| row.try_into()).optional()?;
            let Some((chat, first_us, last_us, count, fingerprint, is_group, place)) = found else {
                return Ok(None);
            };
            let mut messages = keep(usize::try_from(count).unwrap_or(0).min(ANALYSED_MESSAGES_MAX));
            reader.gather(
                "WHERE m.chat_id = ?1 AND m.sent_us BETWEEN ?2 AND ?3 ORDER BY m.sent_us, m.id LIMIT ?4",
                &[chat, first_us, last_us, ANALYSED_MESSAGES_MAX as i64],
                &mut messages,
            )?;
            Ok(Some(ConversationWork {
                fingerprint,
                messages,
                is_group,
                known: reader.known_results(place, fingerprint, passes)?,
            }))
        })
    }

    fn known_results(
        &self,
        place: Option<i64>,
        fingerprint: i64,
        passes: &[PassVersion],
    ) -> Result<Vec<(String, String)>, StoreError> {
        let Some(place) = place.filter(|_| !passes.is_empty()) else {
            return Ok(Vec::new());
        };
        let mut query = self.conn.prepare_cached(
            "SELECT p.name, r.version, r.result FROM results r CROSS JOIN passes p ON p.id = r.id & 255
             WHERE r.id BETWEEN ?1 * 256 AND ?1 * 256 + 255 AND r.fingerprint = ?2",
        )?;
        let rows = query.query_map(params![place, fingerprint], |row| {
            Ok((
                row.get::<_, String>(0)?,
                row.get::<_, u32>(1)?,
                row.get::<_, String>(2)?,
            ))
        })?;
        let mut known = Vec::new();
        for row in rows {
            let (name, version, json) = row?;
            if passes
                .iter()
                .any(|pass| pass.name == name && pass.version == version)
            {
                known.push((name, json));
            }
        }
        Ok(known)
    }
}
