//! Commitments of all chats, as they stand: kept from the results of the pass, and from what the user decides.

use chatstats_model::{
    ChatId, CommitmentState, ContactId, ConversationId, ListedCommitment, MessageId, Timestamp,
};
use rusqlite::{OptionalExtension, Row, params};

use super::messages::time;
use crate::{Reader, StoreError, WriteAnalysis};

/// What somebody says they will do.
pub const PROMISE: &str = "promise";

/// What somebody is asked to do.
pub const REQUEST: &str = "request";

/// A commitment as the results of a chat show it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewCommitment {
    /// Unique in the chat: the message and the sentence in it.
    pub key: String,
    /// The conversation.
    pub conversation_id: ConversationId,
    /// The message that says it.
    pub message_id: MessageId,
    /// [`PROMISE`] or [`REQUEST`].
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

/// A commitment of which there may be something to tell.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Untold {
    /// As it stands.
    pub commitment: ListedCommitment,
    /// In which state it was told of last, if it was: in the same one, there is nothing to tell.
    pub told: Option<CommitmentState>,
}

const COMMITMENT: &str =
    "SELECT c.key, c.chat_id, c.conversation_id, c.message_id, c.kind, p.name, c.mine, c.text, c.due_us,
    c.said_us, ifnull(d.decision, c.state), c.done_by, c.told
    FROM commitments c
    LEFT JOIN commitment_decisions d ON d.chat_id = c.chat_id AND d.key = c.key
    LEFT JOIN contacts p ON p.id = c.who";

impl Reader {
    /// A page of commitments, the latest first: by when they are due, and where they have no date, by when they were said.
    /// Years of chats leave many behind that nobody kept, and those are what is left out where not all are read.
    pub fn commitments(&self, query: &CommitmentQuery) -> Result<Vec<ListedCommitment>, StoreError> {
        // Two queries, for each chat that is looked at asks for its own, and an index is used by one only.
        let of_chat = match query.chat {
            Some(_) => "l.chat_id = ?3",
            None => "?3 IS NULL",
        };
        // All are sorted, but only those of the page are looked up whole.
        let mut select = self.conn.prepare_cached(&format!(
            "{COMMITMENT} JOIN (
                SELECT l.chat_id, l.key FROM commitments l
                WHERE {of_chat} AND (?1 IS NULL OR l.mine = ?1) AND (?2 IS NULL OR ?2 = ifnull(
                    (SELECT decision FROM commitment_decisions WHERE chat_id = l.chat_id AND key = l.key), l.state))
                ORDER BY ifnull(l.due_us, l.said_us) DESC, l.chat_id, l.key LIMIT ?4 OFFSET ?5
             ) listed ON listed.chat_id = c.chat_id AND listed.key = c.key
             ORDER BY ifnull(c.due_us, c.said_us) DESC, c.chat_id, c.key"
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

    /// Commitments of a chat as its results showed them last, whatever the user decided; in the order of their keys.
    pub fn chat_commitments(&self, chat: ChatId) -> Result<Vec<NewCommitment>, StoreError> {
        let mut select = self.conn.prepare_cached(
            "SELECT key, conversation_id, message_id, kind, who, mine, text, due_us, said_us, state, done_by
             FROM commitments WHERE chat_id = ?1 ORDER BY key",
        )?;
        let rows = select.query_map([chat.0], |row| {
            Ok(NewCommitment {
                key: row.get(0)?,
                conversation_id: ConversationId(row.get(1)?),
                message_id: MessageId(row.get(2)?),
                kind: match row.get_ref(3)?.as_str()? {
                    PROMISE => PROMISE,
                    _ => REQUEST,
                },
                who: row.get::<_, Option<i64>>(4)?.map(ContactId),
                mine: row.get(5)?,
                text: row.get(6)?,
                due: time(row.get(7)?),
                said_at: time(row.get(8)?).unwrap_or_default(),
                state: state(row.get_ref(9)?.as_str()?),
                done_by: row.get::<_, Option<i64>>(10)?.map(MessageId),
            })
        })?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// Commitments of which there may be something to tell, the oldest first.
    pub fn untold_commitments(&self, limit: usize) -> Result<Vec<Untold>, StoreError> {
        let mut select = self.conn.prepare_cached(&format!(
            "{COMMITMENT} WHERE c.to_tell = 1 ORDER BY c.said_us, c.key LIMIT ?1"
        ))?;
        let rows = select.query_map([limit as i64], |row| {
            Ok(Untold {
                commitment: commitment(row)?,
                told: row.get::<_, Option<String>>(12)?.as_deref().map(state),
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

impl WriteAnalysis<'_> {
    /// Stores commitments of a chat, in the places of those with the same keys. What the user decided of one stays.
    pub fn put_commitments(&mut self, chat: ChatId, some: &[NewCommitment]) -> Result<(), StoreError> {
        let mut put = self.conn.prepare_cached(
            "INSERT INTO commitments (chat_id, key, conversation_id, message_id, kind, who, mine, text, due_us, said_us,
                state, done_by) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)
             ON CONFLICT (chat_id, key) DO UPDATE SET conversation_id = excluded.conversation_id,
                message_id = excluded.message_id, kind = excluded.kind, who = excluded.who, mine = excluded.mine,
                text = excluded.text, due_us = excluded.due_us, said_us = excluded.said_us, state = excluded.state,
                done_by = excluded.done_by, to_tell = 1",
        )?;
        for one in some {
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
        Ok(())
    }

    /// Forgets commitments of a chat that its results do not show any more.
    pub fn forget_commitments(&mut self, chat: ChatId, keys: &[String]) -> Result<(), StoreError> {
        let mut forget = self
            .conn
            .prepare_cached("DELETE FROM commitments WHERE chat_id = ?1 AND key = ?2")?;
        for key in keys {
            forget.execute(params![chat.0, key])?;
        }
        Ok(())
    }

    /// Notes what has become late; returns how many.
    pub fn commitments_late(&mut self, now: Timestamp) -> Result<usize, StoreError> {
        let mut late = self.conn.prepare_cached(
            "UPDATE commitments SET state = 'overdue', to_tell = 1 WHERE state = 'open' AND due_us < ?1",
        )?;
        Ok(late.execute([now.as_micros()])?)
    }

    /// Notes that commitments were told of in the states they are given with. There is something more to tell of one
    /// that stands otherwise by now.
    pub fn commitments_told(&mut self, told: &[ListedCommitment]) -> Result<(), StoreError> {
        let mut mark = self.conn.prepare_cached(
            "UPDATE commitments SET told = ?3, to_tell = ?3 <> ifnull(
                (SELECT decision FROM commitment_decisions d WHERE d.chat_id = ?1 AND d.key = ?2), state)
             WHERE chat_id = ?1 AND key = ?2",
        )?;
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
        let mut there = self
            .conn
            .prepare_cached("UPDATE commitments SET to_tell = 1 WHERE chat_id = ?1 AND key = ?2")?;
        if there.execute(params![chat.0, key])? == 0 {
            return Ok(false);
        }
        let mut decide = self.conn.prepare_cached(match decision {
            Some(_) => {
                "INSERT INTO commitment_decisions (chat_id, key, decision) VALUES (?1, ?2, ?3)
                 ON CONFLICT (chat_id, key) DO UPDATE SET decision = excluded.decision"
            }
            None => "DELETE FROM commitment_decisions WHERE chat_id = ?1 AND key = ?2 AND ?3 IS NULL",
        })?;
        decide.execute(params![chat.0, key, decision.map(name)])?;
        Ok(true)
    }
}

fn commitment(row: &Row<'_>) -> rusqlite::Result<ListedCommitment> {
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
        status: state(&row.get::<_, String>(10)?),
        done_by: row.get::<_, Option<i64>>(11)?.map(MessageId),
    })
}

const STATES: [(CommitmentState, &str); 4] = [
    (CommitmentState::Open, "open"),
    (CommitmentState::Done, "done"),
    (CommitmentState::Overdue, "overdue"),
    (CommitmentState::Dismissed, "dismissed"),
];

fn state(name: &str) -> CommitmentState {
    STATES
        .iter()
        .find(|(_, known)| *known == name)
        .map_or(CommitmentState::Open, |(state, _)| *state)
}

fn name(state: CommitmentState) -> &'static str {
    STATES
        .iter()
        .find(|(known, _)| *known == state)
        .map_or("open", |(_, name)| name)
}
