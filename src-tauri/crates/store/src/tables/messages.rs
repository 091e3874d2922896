//! Messages, the one large table: reading them. Storing them is in `put.rs`.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::Arc;

use chatstats_model::{
    Attachment, ChatId, ContactId, Kind, Message, MessageId, MessagePage, Reaction, Rev, Timestamp,
};
use rusqlite::types::ValueRef;
use rusqlite::{CachedStatement, OptionalExtension, Row, params};

use crate::{Reader, StoreError};

const MESSAGE: &str = "SELECT m.id, m.chat_id, m.identity_id, m.from_me, m.content, m.sent_us, m.kind,
        CASE WHEN m.reply_key IS NOT NULL
             THEN (SELECT r.id FROM messages r WHERE r.chat_id = m.chat_id AND r.key = m.reply_key) END,
        m.edited_us, m.extra
    FROM messages m";

const PERSON: &str = "SELECT c.id, c.name, c.is_me FROM identities i JOIN contacts c ON c.id = i.contact_id
    WHERE i.id = ?1";

/// Of the chat ?1, messages up to the revision ?2 that changed after it and up to ?3; at most ?5 after the id ?4.
const CHANGED: &str = "JOIN changes h ON h.message_id = m.id
    WHERE h.chat_id = ?1 AND h.rev > ?2 AND h.rev <= ?3 AND m.id <= ?2 AND m.id > ?4 ORDER BY m.id LIMIT ?5";

/// As [`CHANGED`], where somebody became the user in between, or is not any more: with all that they wrote.
const CHANGED_OR_REWRITTEN: &str = "WHERE m.chat_id = ?1 AND m.id <= ?2 AND m.id > ?4 AND (
        m.id IN (SELECT message_id FROM changes WHERE chat_id = ?1 AND rev > ?2 AND rev <= ?3)
        OR m.identity_id IN (
            SELECT i.id FROM changes h JOIN identities i ON i.contact_id = h.contact_id
            WHERE h.chat_id = ?1 AND h.contact_id IS NOT NULL AND h.rev > ?2 AND h.rev <= ?3
        )
    ) ORDER BY m.id LIMIT ?5";

/// Where a page of messages lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Anchor {
    /// The newest.
    End,
    /// Those before a message.
    Before(MessageId),
    /// Those after a message.
    After(MessageId),
    /// Those around a message, which is among them.
    Around(MessageId),
    /// Those around the first message at or after an instant.
    At(Timestamp),
}

/// A chat as a stream finds it when it joins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ChatPosition {
    /// Messages in the chat.
    pub total: i64,
    /// Everything up to this revision is in that total; everything after it will be published.
    pub up_to: Rev,
}

/// A message that is looked for, and not stored.
#[derive(Clone, Debug)]
pub struct Probe {
    /// Its key.
    pub key: Vec<u8>,
    /// When it was sent.
    pub sent: Timestamp,
    /// Its text.
    pub content: String,
    /// The key of its sender.
    pub sender: Option<String>,
}

/// Whether a message is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stored {
    /// It is not.
    No,
    /// It is.
    Same,
    /// Another one is under its key: see [`crate::Put::Taken`].
    Taken,
}

/// A place in the order of a chat: (time, id).
type Place = (i64, i64);

impl Reader {
    /// The newest revision.
    pub fn position(&self) -> Result<Rev, StoreError> {
        Ok(super::tally::newest_rev(&self.conn)?)
    }

    /// The chat's size and the newest revision, of one moment; none if there is no such chat.
    pub fn snapshot_chat(&self, chat: ChatId) -> Result<Option<ChatPosition>, StoreError> {
        self.consistent(|reader| {
            let mut query = reader
                .conn
                .prepare_cached("SELECT message_count FROM chats WHERE id = ?1")?;
            let Some(total) = query.query_row([chat.0], |row| row.get(0)).optional()? else {
                return Ok(None);
            };
            Ok(Some(ChatPosition {
                total,
                up_to: reader.position()?,
            }))
        })
    }

    /// The next messages by timestamp, then id, after a place in that order; only ids up to `up_to`.
    pub fn history(
        &self,
        chat: ChatId,
        after: Option<(Timestamp, MessageId)>,
        up_to: Rev,
        limit: usize,
    ) -> Result<Vec<Message>, StoreError> {
        let after = after.map_or((i64::MIN, i64::MIN), |(time, id)| (time.as_micros(), id.0));
        self.forward(chat, after, up_to.0, limit)
    }

    /// The place after which [`Reader::history`] yields the last `last` messages; none if that is all of them.
    pub fn history_tail_start(
        &self,
        chat: ChatId,
        up_to: Rev,
        last: usize,
    ) -> Result<Option<(Timestamp, MessageId)>, StoreError> {
        let mut query = self.conn.prepare_cached(
            "SELECT sent_us, id FROM messages WHERE chat_id = ?1 AND id <= ?2
             ORDER BY sent_us DESC, id DESC LIMIT 1 OFFSET ?3",
        )?;
        let found = query
            .query_row(params![chat.0, up_to.0, last as i64], |row| {
                Ok((row.get(0)?, MessageId(row.get(1)?)))
            })
            .optional()?;
        Ok(found.and_then(|(us, id)| Some((Timestamp::from_micros(us)?, id))))
    }

    /// Messages taken or changed after `since` and up to `up_to`, by id, after the id `after`.
    pub fn changed_since(
        &self,
        chat: ChatId,
        since: Rev,
        up_to: Rev,
        after: Option<MessageId>,
        limit: usize,
    ) -> Result<Vec<Message>, StoreError> {
        let after = after.map_or(i64::MIN, |id| id.0);
        let mut messages = Vec::new();
        if after < since.0 {
            // Older messages that changed: their ids are all below those of the new ones.
            let older = if self.is_rewritten(chat, since, up_to)? {
                CHANGED_OR_REWRITTEN
            } else {
                CHANGED
            };
            messages = self.select(older, &[chat.0, since.0, up_to.0, after, limit as i64])?;
        }
        if messages.len() < limit {
            let rest = (limit - messages.len()) as i64;
            let mut new = self.select(
                "WHERE m.chat_id = ?1 AND m.id > ?2 AND m.id <= ?3 ORDER BY m.id LIMIT ?4",
                &[chat.0, after.max(since.0), up_to.0, rest],
            )?;
            messages.append(&mut new);
        }
        Ok(messages)
    }

    /// Whether all that somebody wrote in the chat changed in between.
    fn is_rewritten(&self, chat: ChatId, since: Rev, up_to: Rev) -> Result<bool, StoreError> {
        let mut query = self.conn.prepare_cached(
            "SELECT EXISTS (SELECT 1 FROM changes WHERE chat_id = ?1 AND contact_id IS NOT NULL AND rev > ?2 AND rev <= ?3)",
        )?;
        Ok(query.query_row([chat.0, since.0, up_to.0], |row| row.get(0))?)
    }

    /// A page of at most `limit` messages; none if there is no such chat, or the anchor is not in it.
    pub fn page(
        &self,
        chat: ChatId,
        anchor: Anchor,
        limit: usize,
    ) -> Result<Option<MessagePage>, StoreError> {
        self.consistent(|reader| {
            let mut query = reader
                .conn
                .prepare_cached("SELECT message_count FROM chats WHERE id = ?1")?;
            let Some(total) = query.query_row([chat.0], |row| row.get(0)).optional()? else {
                return Ok(None);
            };
            let Some((messages, has_before, has_after)) = reader.window(chat, anchor, limit)? else {
                return Ok(None);
            };
            Ok(Some(MessagePage {
                messages,
                has_before,
                has_after,
                total,
            }))
        })
    }

    /// What [`crate::Write::put`] would make of messages: whether each is there already ([`Stored::Same`] counts edits too).
    pub fn stored(&self, chat: ChatId, probes: &[Probe]) -> Result<Vec<Stored>, StoreError> {
        let mut query = self.conn.prepare_cached(
            "SELECT m.sent_us, m.content, i.key FROM messages m LEFT JOIN identities i ON i.id = m.identity_id
             WHERE m.chat_id = ?1 AND m.key = ?2",
        )?;
        let mut one = |probe: &Probe| {
            let found = query.query_row(params![chat.0, probe.key], |row| {
                let same_words = row.get::<_, String>(1)? == probe.content
                    && row.get::<_, Option<String>>(2)? == probe.sender;
                Ok(same_words || row.get::<_, i64>(0)? == probe.sent.as_micros())
            });
            Ok(match found.optional()? {
                None => Stored::No,
                Some(true) => Stored::Same,
                Some(false) => Stored::Taken,
            })
        };
        probes.iter().map(&mut one).collect()
    }

    /// The times of the chat's oldest and newest message.
    pub fn time_range(&self, chat: ChatId) -> Result<Option<(Timestamp, Timestamp)>, StoreError> {
        let mut query = self.conn.prepare_cached(
            "SELECT (SELECT min(sent_us) FROM messages WHERE chat_id = ?1), (SELECT max(sent_us) FROM messages WHERE chat_id = ?1)",
        )?;
        let (first, last) = query.query_row([chat.0], |row| Ok((time(row.get(0)?), time(row.get(1)?))))?;
        Ok(first.zip(last))
    }

    /// The keys of the senders of the chat's messages whose key starts with `prefix`, at most `limit`.
    pub fn senders_by_key_prefix(
        &self,
        chat: ChatId,
        prefix: &[u8],
        limit: usize,
    ) -> Result<Vec<Option<String>>, StoreError> {
        let mut query = self.conn.prepare_cached(
            "SELECT i.key FROM messages m LEFT JOIN identities i ON i.id = m.identity_id
             WHERE m.chat_id = ?1 AND m.key >= ?2 AND m.key < ?3 LIMIT ?4",
        )?;
        let mut end = prefix.to_vec();
        end.extend([0xFF; 16]); // longer than what follows a prefix
        let rows = query.query_map(params![chat.0, prefix, end, limit as i64], |row| row.get(0))?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    fn window(
        &self,
        chat: ChatId,
        anchor: Anchor,
        limit: usize,
    ) -> Result<Option<(Vec<Message>, bool, bool)>, StoreError> {
        let half = limit / 2;
        let place = match anchor {
            Anchor::End => Some((i64::MAX, i64::MAX)),
            Anchor::At(time) => Some((time.as_micros(), i64::MIN)),
            Anchor::Before(id) | Anchor::After(id) | Anchor::Around(id) => self.place(chat, id)?,
        };
        let Some(place) = place else { return Ok(None) };
        // One more than asked for tells whether there are more.
        let (before, after) = match anchor {
            Anchor::End | Anchor::Before(_) => (limit, 0),
            Anchor::After(_) => (0, limit),
            Anchor::Around(_) | Anchor::At(_) => (half, limit - half),
        };
        // `Around` includes the message itself: it is the first of those after the place just before it.
        let from = if matches!(anchor, Anchor::Around(_)) {
            (place.0, place.1 - 1)
        } else {
            place
        };
        let mut newer = self.forward(chat, from, i64::MAX, after + 1)?;
        let mut older = self.backward(chat, place, before + 1)?;
        let has_after = newer.len() > after;
        newer.truncate(after);
        let has_before = older.len() > before;
        older.truncate(before);
        older.reverse();
        older.append(&mut newer);
        Ok(Some((older, has_before, has_after)))
    }

    fn place(&self, chat: ChatId, id: MessageId) -> Result<Option<Place>, StoreError> {
        let mut query = self
            .conn
            .prepare_cached("SELECT sent_us, id FROM messages WHERE id = ?1 AND chat_id = ?2")?;
        Ok(query
            .query_row([id.0, chat.0], |row| Ok((row.get(0)?, row.get(1)?)))
            .optional()?)
    }

    // The order (sent_us, id) is walked in two steps, the rest of one instant and then later instants: SQLite
    // would seek only to the instant, and a million messages may share one.
    fn forward(
        &self,
        chat: ChatId,
        after: Place,
        up_to: i64,
        limit: usize,
    ) -> Result<Vec<Message>, StoreError> {
        let mut messages = self.select(
            "WHERE m.chat_id = ?1 AND m.sent_us = ?2 AND m.id > ?3 AND m.id <= ?4 ORDER BY m.id LIMIT ?5",
            &[chat.0, after.0, after.1, up_to, limit as i64],
        )?;
        if messages.len() < limit {
            let rest = (limit - messages.len()) as i64;
            let mut later = self.select(
                "WHERE m.chat_id = ?1 AND m.sent_us > ?2 AND m.id <= ?3 ORDER BY m.sent_us, m.id LIMIT ?4",
                &[chat.0, after.0, up_to, rest],
            )?;
            messages.append(&mut later);
        }
        Ok(messages)
    }

    /// The newest first.
    fn backward(&self, chat: ChatId, before: Place, limit: usize) -> Result<Vec<Message>, StoreError> {
        let mut messages = self.select(
            "WHERE m.chat_id = ?1 AND m.sent_us = ?2 AND m.id < ?3 ORDER BY m.id DESC LIMIT ?4",
            &[chat.0, before.0, before.1, limit as i64],
        )?;
        if messages.len() < limit {
            let rest = (limit - messages.len()) as i64;
            let mut earlier = self.select(
                "WHERE m.chat_id = ?1 AND m.sent_us < ?2 ORDER BY m.sent_us DESC, m.id DESC LIMIT ?3",
                &[chat.0, before.0, rest],
            )?;
            messages.append(&mut earlier);
        }
        Ok(messages)
    }

    pub(crate) fn select(&self, condition: &str, values: &[i64]) -> Result<Vec<Message>, StoreError> {
        let mut messages = Vec::new();
        self.gather(condition, values, &mut messages)?;
        Ok(messages)
    }

    /// As [`Reader::select`], into whatever takes them.
    pub(crate) fn gather(
        &self,
        condition: &str,
        values: &[i64],
        into: &mut impl Gather,
    ) -> Result<(), StoreError> {
        let mut query = self.conn.prepare_cached(&format!("{MESSAGE} {condition}"))?;
        let mut people = People {
            find: self.conn.prepare_cached(PERSON)?,
            known: HashMap::new(),
        };
        // People are looked up while this is open: on the same snapshot.
        let mut rows = query.query(rusqlite::params_from_iter(values))?;
        while let Some(row) = rows.next()? {
            into.take(found(row, &mut people)?);
        }
        Ok(())
    }
}

/// A message as a query finds it: its text and its sender's name lie where they lie, and are copied by whoever keeps
/// them. Its fields are those of [`Message`].
#[derive(Debug)]
#[expect(missing_docs, reason = "those of Message, which tells what they are")]
pub struct FoundMessage<'r> {
    pub id: MessageId,
    pub chat_id: ChatId,
    pub sender_id: Option<ContactId>,
    pub sender: Option<&'r Arc<str>>,
    pub is_from_me: bool,
    pub content: &'r str,
    pub timestamp: Timestamp,
    pub kind: Kind,
    pub reply_to: Option<MessageId>,
    pub edited_at: Option<Timestamp>,
    pub reactions: Vec<Reaction>,
    pub attachments: Vec<Attachment>,
}

impl FoundMessage<'_> {
    /// As one to keep, with a copy of its text that its keeper made.
    #[must_use]
    pub fn kept(self, content: String) -> Message {
        Message {
            id: self.id,
            chat_id: self.chat_id,
            sender_id: self.sender_id,
            sender: self.sender.cloned(),
            is_from_me: self.is_from_me,
            content,
            timestamp: self.timestamp,
            kind: self.kind,
            reply_to: self.reply_to,
            edited_at: self.edited_at,
            reactions: self.reactions,
            attachments: self.attachments,
        }
    }
}

/// What keeps messages that are found.
pub trait Gather {
    /// Keeps one more.
    fn take(&mut self, message: FoundMessage<'_>);
}

impl Gather for Vec<Message> {
    fn take(&mut self, message: FoundMessage<'_>) {
        let content = message.content.to_owned();
        self.push(message.kept(content));
    }
}

/// Those who wrote the messages of one query: few, next to the messages.
struct People<'c> {
    find: CachedStatement<'c>,
    known: HashMap<i64, Option<Person>>,
}

struct Person {
    id: ContactId,
    name: Arc<str>,
    is_me: bool,
}

impl People<'_> {
    fn of(&mut self, identity: Option<i64>) -> rusqlite::Result<Option<&Person>> {
        let Some(identity) = identity else {
            return Ok(None);
        };
        let known = match self.known.entry(identity) {
            Entry::Occupied(known) => known.into_mut(),
            Entry::Vacant(place) => {
                let found = self.find.query_row([identity], |row| {
                    Ok(Person {
                        id: ContactId(row.get(0)?),
                        name: row.get(1)?,
                        is_me: row.get(2)?,
                    })
                });
                place.insert(found.optional()?)
            }
        };
        Ok(known.as_ref())
    }
}

fn found<'r>(row: &'r Row<'_>, people: &'r mut People<'_>) -> rusqlite::Result<FoundMessage<'r>> {
    let (reactions, attachments) = match row.get_ref(9)? {
        ValueRef::Text(json) => serde_json::from_slice(json).unwrap_or_default(),
        _ => Extra::default(),
    };
    let person = people.of(row.get(2)?)?;
    Ok(FoundMessage {
        id: MessageId(row.get(0)?),
        chat_id: ChatId(row.get(1)?),
        sender_id: person.map(|person| person.id),
        sender: person.map(|person| &person.name),
        is_from_me: row.get(3)? || person.is_some_and(|person| person.is_me),
        content: row.get_ref(4)?.as_str()?,
        timestamp: time(row.get(5)?).unwrap_or_default(),
        kind: kind(row.get(6)?),
        reply_to: row.get::<_, Option<i64>>(7)?.map(MessageId),
        edited_at: time(row.get(8)?),
        reactions,
        attachments,
    })
}

/// Reactions and attachments, which few messages have: one JSON column for both.
type Extra = (Vec<Reaction>, Vec<Attachment>);

pub(crate) fn time(us: Option<i64>) -> Option<Timestamp> {
    us.and_then(Timestamp::from_micros)
}

const KINDS: [Kind; 6] = [
    Kind::Text,
    Kind::Media,
    Kind::Call,
    Kind::System,
    Kind::Deleted,
    Kind::Other,
];

pub(crate) fn kind(number: i64) -> Kind {
    usize::try_from(number)
        .ok()
        .and_then(|n| KINDS.get(n).copied())
        .unwrap_or(Kind::Other)
}

pub(super) fn kind_number(kind: Kind) -> i64 {
    KINDS.iter().position(|k| *k == kind).unwrap_or(KINDS.len() - 1) as i64
}
