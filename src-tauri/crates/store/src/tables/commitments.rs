//! Commitments of all chats, as they stand: kept from the results of the pass, and from what the user decides.

use chatstats_model::{
    ChatId, CommitmentState, ContactId, ConversationId, ListedCommitment, MessageId, Timestamp,
};
use rusqlite::{OptionalExtension, Row, params};

use super::messages::time;
use crate::{Reader, StoreError, Write};

/// A commitment as the results of a chat show it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewCommitment {
    /// Unique in the chat: the message and the sentence in it.
    pub key: String,
    /// The conversation.
    pub conversation_id: ConversationId,
    /// The message that says it.
    pub message_id: MessageId,
    /// `promise` or `request`.
    pub kind: &'static str,
    /// Who is to do it.
    pub who: Option<ContactId>,
    /// Whether that is the user.
    pub mine: bool,
    /// The words.
    pub text: String,
    /// When it is due.
    pub due: Option<Timestamp>,
    /// When it was said.
    pub said_at: Timestamp,
    /// Whether it is done, late or neither; never dismissed.
    pub state: CommitmentState,
    /// The message that shows it is done.
    pub done_by: Option<MessageId>,
}

/// Which commitments to list.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CommitmentQuery {
    /// Only the user's own, or only those of others.
    pub mine: Option<bool>,
    /// Only in this state.
    pub state: Option<CommitmentState>,
    /// Only of this chat.
    pub chat: Option<ChatId>,
    /// Pass over so many.
    pub offset: usize,
    /// At most so many.
    pub limit: usize,
}

/// A commitment whose state was not told yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Untold {
    /// As it stands.
    pub commitment: ListedCommitment,
    /// Whether it was told of before, in another state.
    pub was_told: bool,
}

const COMMITMENT: &str =
    "SELECT c.key, c.chat_id, c.conversation_id, c.message_id, c.kind, p.name, c.mine, c.text, c.due_us,
    c.said_us, ifnull(d.decision, c.state), c.done_by, c.told IS NOT NULL
    FROM commitments c
    LEFT JOIN commitment_decisions d ON d.chat_id = c.chat_id AND d.key = c.key
    LEFT JOIN contacts p ON p.id = c.who";

impl Reader {
    /// A page of commitments: what is due first, then what has no date, the newest first.
    pub fn commitments(&self, query: &CommitmentQuery) -> Result<Vec<ListedCommitment>, StoreError> {
        // Two queries, for each chat that is looked at asks for its own, and an index is used by one only.
        let of_chat = match query.chat {
            Some(_) => "c.chat_id = ?3",
            None => "?3 IS NULL",
        };
        let mut select = self.conn.prepare_cached(&format!(
            "{COMMITMENT} WHERE {of_chat} AND (?1 IS NULL OR c.mine = ?1)
                AND (?2 IS NULL OR ifnull(d.decision, c.state) = ?2)
             ORDER BY c.due_us IS NULL, c.due_us, c.said_us DESC, c.key LIMIT ?4 OFFSET ?5"
        ))?;
        let rows = select.query_map(
            params![
                query.mine,
                query.state.map(name),
                query.chat.map(|chat| chat.0),
                query.limit as i64,
                query.offset as i64
            ],
            commitment,
        )?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// One commitment.
    pub fn commitment(&self, chat: ChatId, key: &str) -> Result<Option<ListedCommitment>, StoreError> {
        let mut select = self
            .conn
            .prepare_cached(&format!("{COMMITMENT} WHERE c.chat_id = ?1 AND c.key = ?2"))?;
        Ok(select.query_row(params![chat.0, key], commitment).optional()?)
    }

    /// Commitments whose state was not told yet, the oldest first.
    pub fn untold_commitments(&self, limit: usize) -> Result<Vec<Untold>, StoreError> {
        let mut select = self.conn.prepare_cached(&format!(
            "{COMMITMENT} WHERE c.told IS NULL OR c.told <> ifnull(d.decision, c.state) ORDER BY c.said_us, c.key LIMIT ?1"
        ))?;
        let rows = select.query_map([limit as i64], |row| {
            Ok(Untold {
                commitment: commitment(row)?,
                was_told: row.get(12)?,
            })
        })?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// When the next open commitment will be late.
    pub fn next_commitment_due(&self) -> Result<Option<Timestamp>, StoreError> {
        let mut query = self.conn.prepare_cached(
            "SELECT min(due_us) FROM commitments WHERE state = 'open' AND due_us IS NOT NULL",
        )?;
        Ok(time(query.query_row([], |row| row.get(0))?))
    }
}

impl Write<'_> {
    /// Replaces the commitments of a chat. What the user decided of one that is still there stays.
    pub fn put_commitments(&mut self, chat: ChatId, all: &[NewCommitment]) -> Result<(), StoreError> {
        let mut put = self.conn.prepare_cached(
            "INSERT INTO commitments (chat_id, key, conversation_id, message_id, kind, who, mine, text, due_us, said_us,
                state, done_by) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)
             ON CONFLICT (chat_id, key) DO UPDATE SET conversation_id = excluded.conversation_id,
                kind = excluded.kind, who = excluded.who, mine = excluded.mine, text = excluded.text,
                due_us = excluded.due_us, state = excluded.state, done_by = excluded.done_by",
        )?;
        for one in all {
            put.execute(params![
                chat.0,
                one.key,
                one.conversation_id.0,
                one.message_id.0,
                one.kind,
                one.who.map(|who| who.0),
                one.mine,
                one.text,
                one.due.map(Timestamp::as_micros),
                one.said_at.as_micros(),
                name(one.state),
                one.done_by.map(|id| id.0)
            ])?;
        }
        let mut known = self
            .conn
            .prepare_cached("SELECT key FROM commitments WHERE chat_id = ?1")?;
        let known: Vec<String> = known
            .query_map([chat.0], |row| row.get(0))?
            .collect::<Result<_, _>>()?;
        let found: std::collections::HashSet<&str> = all.iter().map(|one| one.key.as_str()).collect();
        let mut forget = self
            .conn
            .prepare_cached("DELETE FROM commitments WHERE chat_id = ?1 AND key = ?2")?;
        for key in known.iter().filter(|key| !found.contains(key.as_str())) {
            forget.execute(params![chat.0, key])?;
        }
        Ok(())
    }

    /// Notes what has become late; returns how many.
    pub fn commitments_late(&mut self, now: Timestamp) -> Result<usize, StoreError> {
        let mut late = self.conn.prepare_cached(
            "UPDATE commitments SET state = 'overdue' WHERE state = 'open' AND due_us < ?1",
        )?;
        Ok(late.execute([now.as_micros()])?)
    }

    /// Notes that commitments were told of in the states they are given with.
    pub fn commitments_told(&mut self, told: &[ListedCommitment]) -> Result<(), StoreError> {
        let mut mark = self
            .conn
            .prepare_cached("UPDATE commitments SET told = ?3 WHERE chat_id = ?1 AND key = ?2")?;
        for one in told {
            mark.execute(params![one.chat_id.0, one.id, name(one.status)])?;
        }
        Ok(())
    }

    /// Notes what the user decided about a commitment: `done` or `dismissed`; `None` takes it back. Returns whether
    /// there is such a commitment.
    pub fn decide_commitment(
        &mut self,
        chat: ChatId,
        key: &str,
        decision: Option<CommitmentState>,
    ) -> Result<bool, StoreError> {
        match decision {
            Some(decision) => {
                let mut decide = self.conn.prepare_cached(
                    "INSERT INTO commitment_decisions (chat_id, key, decision)
                     SELECT chat_id, key, ?3 FROM commitments WHERE chat_id = ?1 AND key = ?2
                     ON CONFLICT (chat_id, key) DO UPDATE SET decision = excluded.decision",
                )?;
                Ok(decide.execute(params![chat.0, key, name(decision)])? == 1)
            }
            None => {
                let mut undo = self
                    .conn
                    .prepare_cached("DELETE FROM commitment_decisions WHERE chat_id = ?1 AND key = ?2")?;
                undo.execute(params![chat.0, key])?;
                let mut there = self.conn.prepare_cached(
                    "SELECT EXISTS (SELECT 1 FROM commitments WHERE chat_id = ?1 AND key = ?2)",
                )?;
                Ok(there.query_row(params![chat.0, key], |row| row.get(0))?)
            }
        }
    }
}

fn commitment(row: &Row<'_>) -> rusqlite::Result<ListedCommitment> {
    let state: String = row.get(10)?;
    Ok(ListedCommitment {
        id: row.get(0)?,
        chat_id: ChatId(row.get(1)?),
        conversation_id: ConversationId(row.get(2)?),
        message_id: MessageId(row.get(3)?),
        kind: row.get(4)?,
        who: row.get(5)?,
        mine: row.get(6)?,
        text: row.get(7)?,
        due: time(row.get(8)?),
        said_at: time(row.get(9)?).unwrap_or_default(),
        status: STATES
            .iter()
            .find(|(_, name)| *name == state)
            .map_or(CommitmentState::Open, |(state, _)| *state),
        done_by: row.get::<_, Option<i64>>(11)?.map(MessageId),
    })
}

const STATES: [(CommitmentState, &str); 4] = [
    (CommitmentState::Open, "open"),
    (CommitmentState::Done, "done"),
    (CommitmentState::Overdue, "overdue"),
    (CommitmentState::Dismissed, "dismissed"),
];

fn name(state: CommitmentState) -> &'static str {
    STATES
        .iter()
        .find(|(known, _)| *known == state)
        .map_or("open", |(_, name)| name)
}
