//! Chats.

use chatstats_model::{Chat, ChatId, ContactId, LastMessage, PARTICIPANTS_SHOWN, Participant, Rev};
use rusqlite::{OptionalExtension, Row, params};

use crate::{Reader, StoreError, Write};

/// A chat and the first 120 characters of its newest message, which is what a list shows of it.
const CHAT: &str = "SELECT c.id, c.title, c.source, c.message_count, c.last_message_us,
        m.id IS NOT NULL, p.name, ifnull(m.from_me OR p.is_me, 0), substr(m.content, 1, 120), m.kind,
        (SELECT count(*) FROM chat_members WHERE chat_id = c.id)
    FROM chats c
    LEFT JOIN messages m ON m.id = c.last_message_id
    LEFT JOIN identities i ON i.id = m.identity_id
    LEFT JOIN contacts p ON p.id = i.contact_id";

impl Reader {
    /// All chats, the most recent first.
    pub fn chats(&self) -> Result<Vec<Chat>, StoreError> {
        self.chats_where("ORDER BY c.last_message_us DESC NULLS LAST, c.id DESC", 0)
    }

    /// One chat.
    pub fn chat(&self, id: ChatId) -> Result<Option<Chat>, StoreError> {
        Ok(self.chats_where("WHERE c.id = ?1", id.0)?.pop())
    }

    /// Chats whose fields changed after `since`, in no particular order.
    pub fn chats_changed_since(&self, since: Rev) -> Result<Vec<Chat>, StoreError> {
        self.chats_where("WHERE c.rev > ?1", since.0)
    }

    /// The chats of a source: id and key.
    pub fn chat_keys(&self, source: &str) -> Result<Vec<(ChatId, String)>, StoreError> {
        let mut query = self
            .conn
            .prepare_cached("SELECT id, key FROM chats WHERE source = ?1 ORDER BY id")?;
        let rows = query.query_map([source], |row| Ok((ChatId(row.get(0)?), row.get(1)?)))?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// The keys of those who wrote in a chat.
    pub fn member_keys(&self, chat: ChatId) -> Result<Vec<String>, StoreError> {
        let mut query = self.conn.prepare_cached(
            "SELECT i.key FROM chat_members m JOIN identities i ON i.id = m.identity_id WHERE m.chat_id = ?1",
        )?;
        let rows = query.query_map([chat.0], |row| row.get(0))?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// How many chats and messages there are.
    pub fn counts(&self) -> Result<(i64, i64), StoreError> {
        let mut query = self
            .conn
            .prepare_cached("SELECT count(*), ifnull(sum(message_count), 0) FROM chats")?;
        Ok(query.query_row([], |row| Ok((row.get(0)?, row.get(1)?)))?)
    }

    fn chats_where(&self, condition: &str, value: i64) -> Result<Vec<Chat>, StoreError> {
        let mut query = self.conn.prepare_cached(&format!("{CHAT} {condition}"))?;
        let rows = if condition.contains("?1") {
            query.query_map([value], chat)?
        } else {
            query.query_map([], chat)?
        };
        let mut chats = rows.collect::<Result<Vec<Chat>, _>>()?;
        for chat in &mut chats {
            chat.participants = self.participants(chat.id)?;
            if chat.title.is_empty() {
                chat.title = made_up_title(chat);
            }
        }
        Ok(chats)
    }

    fn participants(&self, chat: ChatId) -> Result<Vec<Participant>, StoreError> {
        let mut query = self.conn.prepare_cached(
            "SELECT c.id, c.name, c.is_me FROM chat_members m
             JOIN identities i ON i.id = m.identity_id JOIN contacts c ON c.id = i.contact_id
             WHERE m.chat_id = ?1 ORDER BY m.message_count DESC, c.id LIMIT ?2",
        )?;
        let rows = query.query_map(params![chat.0, PARTICIPANTS_SHOWN as i64], |row| {
            Ok(Participant {
                id: ContactId(row.get(0)?),
                name: row.get(1)?,
                is_me: row.get(2)?,
            })
        })?;
        Ok(rows.collect::<Result<_, _>>()?)
    }
}

fn chat(row: &Row<'_>) -> rusqlite::Result<Chat> {
    let has_message: bool = row.get(5)?;
    let last_message = if has_message {
        Some(LastMessage {
            sender: row.get(6)?,
            is_from_me: row.get(7)?,
            excerpt: row.get(8)?,
            kind: super::messages::kind(row.get(9)?),
        })
    } else {
        None
    };
    Ok(Chat {
        id: ChatId(row.get(0)?),
        title: row.get::<_, Option<String>>(1)?.unwrap_or_default(),
        source: row.get(2)?,
        participants: Vec::new(),
        participant_count: row.get(10)?,
        message_count: row.get(3)?,
        last_message_time: super::messages::time(row.get(4)?),
        last_message,
    })
}

/// A chat without a title is called by those in it, the user left out where others remain.
fn made_up_title(chat: &Chat) -> String {
    let others: Vec<&str> = chat
        .participants
        .iter()
        .filter(|p| !p.is_me)
        .map(|p| p.name.as_str())
        .collect();
    let names = if others.is_empty() {
        chat.participants.iter().map(|p| p.name.as_str()).collect()
    } else {
        others
    };
    match names.as_slice() {
        [] => "Untitled chat".into(),
        [one] => (*one).into(),
        [one, two] => format!("{one}, {two}"),
        [one, two, ..] => format!("{one}, {two} and others"),
    }
}

impl Write<'_> {
    /// The chat `key` of `source`, made when it is new. A `title` that differs from the stored one replaces it.
    pub fn chat(&mut self, source: &str, key: &str, title: Option<&str>) -> Result<ChatId, StoreError> {
        let title = title.filter(|t| !t.is_empty());
        let (id, old) = match self.tally.chats.get(source, key) {
            Some((id, old)) if title.is_none() || old.as_deref() == title => return Ok(*id),
            Some(known) => known.clone(),
            None => match self.load_chat(source, key)? {
                Some(known) => known,
                None => (self.make_chat(source, key, title)?, title.map(Into::into)),
            },
        };
        let stays = title.is_none() || old.as_deref() == title;
        if !stays {
            self.conn
                .prepare_cached("UPDATE chats SET title = ?2 WHERE id = ?1")?
                .execute(params![id.0, title])?;
            self.note_chat_change(id)?;
        }
        let title = if stays { old } else { title.map(Into::into) };
        self.tally.chats.insert(source, key, (id, title));
        Ok(id)
    }

    fn load_chat(&self, source: &str, key: &str) -> Result<Option<(ChatId, Option<String>)>, StoreError> {
        let mut query = self
            .conn
            .prepare_cached("SELECT id, title FROM chats WHERE source = ?1 AND key = ?2")?;
        Ok(query
            .query_row([source, key], |row| Ok((ChatId(row.get(0)?), row.get(1)?)))
            .optional()?)
    }

    fn make_chat(&mut self, source: &str, key: &str, title: Option<&str>) -> Result<ChatId, StoreError> {
        self.conn
            .prepare_cached(
                "INSERT INTO chats (source, key, title, cut_gap_us)
                 VALUES (?1, ?2, ?3, (SELECT CAST(value AS INTEGER) FROM meta WHERE key = 'conversation_gap_us'))",
            )?
            .execute(params![source, key, title])?;
        let id = ChatId(self.conn.last_insert_rowid());
        self.note_chat_change(id)?;
        Ok(id)
    }

    fn note_chat_change(&mut self, id: ChatId) -> Result<(), StoreError> {
        self.note_change(id)?;
        self.tally.chat_changed(id);
        Ok(())
    }

    /// Takes a revision for a change that is not a message's, so that who joins later is ahead of it.
    pub(crate) fn note_change(&mut self, chat: ChatId) -> Result<(), StoreError> {
        self.tally.write_change(self.conn, chat)?;
        Ok(())
    }
}
