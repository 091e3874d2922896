//! Storing messages: new ones, ones that are there already, and ones that changed.

use chatstats_model::{Attachment, ChatId, ContactId, Kind, MessageId, Reaction, Timestamp};
use rusqlite::params;

use super::contacts::IdentityId;
use super::messages::kind_number;
use crate::{StoreError, Write};

/// The longest key of a message, in bytes. Sources' ids are far shorter; a longer one would bloat the index.
pub const KEY_BYTES_MAX: usize = 1024;

/// A message to store.
#[derive(Clone, Debug)]
pub struct NewMessage<'m> {
    /// Unique within the chat; at most [`KEY_BYTES_MAX`].
    pub key: &'m [u8],
    /// Whether the same key always means the same message. Where it does not (exports of two accounts), see [`Put::Taken`].
    pub key_is_certain: bool,
    /// Who wrote it.
    pub sender: Option<(IdentityId, ContactId)>,
    /// Whether the user wrote it.
    pub is_from_me: bool,
    /// What it is.
    pub kind: Kind,
    /// When it was sent.
    pub sent: Timestamp,
    /// Its text.
    pub content: &'m str,
    /// The key of the message it answers.
    pub reply_key: Option<&'m [u8]>,
    /// When it was last edited.
    pub edited: Option<Timestamp>,
    /// Reactions.
    pub reactions: &'m [Reaction],
    /// Attachments.
    pub attachments: &'m [Attachment],
}

/// What is stored under a key.
struct Old {
    id: i64,
    content: String,
    edited_us: Option<i64>,
    extra: Option<String>,
    kind: i64,
    sent_us: i64,
    identity: Option<i64>,
}

/// What became of a message that was put.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Put {
    /// It is new.
    Inserted(MessageId),
    /// Its key was there, and so was all of it.
    Unchanged,
    /// Its key was there, with an older edit or other reactions: it is changed now.
    Changed(MessageId),
    /// Its key is that of a message of another time with another text or sender. Nothing was stored.
    Taken,
}

impl Write<'_> {
    /// Stores a message, unless the chat has its key already. A newer edit, or other reactions, change the
    /// stored one.
    pub fn put(&mut self, chat: ChatId, message: &NewMessage<'_>) -> Result<Put, StoreError> {
        if message.key.len() > KEY_BYTES_MAX {
            let detail = format!(
                "A message's key has {} bytes; at most {KEY_BYTES_MAX} are taken.",
                message.key.len()
            );
            return Err(StoreError::Invalid(detail));
        }
        let has_extra = !message.reactions.is_empty() || !message.attachments.is_empty();
        let extra = has_extra
            .then(|| serde_json::to_string(&(message.reactions, message.attachments)).unwrap_or_default());
        let id = self.tally.next_rev();
        let inserted = self
            .conn
            .prepare_cached(
                "INSERT INTO messages (id, chat_id, identity_id, from_me, kind, sent_us, content, key, reply_key, edited_us, extra)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11) ON CONFLICT (chat_id, key) DO NOTHING",
            )?
            .execute(params![
                id,
                chat.0,
                message.sender.map(|s| s.0.0),
                message.is_from_me,
                kind_number(message.kind),
                message.sent.as_micros(),
                message.content,
                message.key,
                message.reply_key,
                message.edited.map(Timestamp::as_micros),
                extra,
            ])?;
        if inserted == 0 {
            self.tally.return_rev(id);
            return self.change(chat, message, extra);
        }
        self.tally
            .inserted(chat, message.sender, message.sent.as_micros(), id);
        Ok(Put::Inserted(MessageId(id)))
    }

    fn change(
        &mut self,
        chat: ChatId,
        message: &NewMessage<'_>,
        extra: Option<String>,
    ) -> Result<Put, StoreError> {
        let edited_us = message.edited.map(Timestamp::as_micros);
        let old = self
            .conn
            .prepare_cached(
                "SELECT id, content, edited_us, extra, kind, sent_us, identity_id FROM messages WHERE chat_id = ?1 AND key = ?2",
            )?
            .query_row(params![chat.0, message.key], |row| {
                Ok(Old {
                    id: row.get(0)?,
                    content: row.get(1)?,
                    edited_us: row.get(2)?,
                    extra: row.get(3)?,
                    kind: row.get(4)?,
                    sent_us: row.get(5)?,
                    identity: row.get(6)?,
                })
            })?;
        // Edits keep the time. One of the two may differ and it is still the same: another zone, a moved account.
        let same_words = old.content == message.content && old.identity == message.sender.map(|s| s.0.0);
        if !message.key_is_certain && old.sent_us != message.sent.as_micros() && !same_words {
            return Ok(Put::Taken);
        }
        // An export from before the edit is older news; one of the same moment may have other reactions.
        if edited_us < old.edited_us || (edited_us == old.edited_us && extra == old.extra) {
            return Ok(Put::Unchanged);
        }
        let is_edit = edited_us > old.edited_us;
        let new_content = if is_edit { message.content } else { &old.content };
        let new_kind = if is_edit {
            kind_number(message.kind)
        } else {
            old.kind
        };
        self.conn
            .prepare_cached(
                "UPDATE messages SET content = ?2, edited_us = ?3, extra = ?4, kind = ?5 WHERE id = ?1",
            )?
            .execute(params![old.id, new_content, edited_us, extra, new_kind])?;
        // What the index does not hold yet, it takes as it is then.
        if new_content != old.content && old.id <= self.tally.indexed {
            self.reindex(old.id, chat, &old.content, new_content)?;
        }
        let rev = self.tally.next_rev();
        self.conn
            .prepare_cached("DELETE FROM changes WHERE message_id = ?1")?
            .execute([old.id])?;
        self.conn
            .prepare_cached("INSERT INTO changes (rev, chat_id, message_id) VALUES (?1, ?2, ?3)")?
            .execute(params![rev, chat.0, old.id])?;
        self.tally.changed(chat, old.sent_us, rev);
        Ok(Put::Changed(MessageId(old.id)))
    }
}
