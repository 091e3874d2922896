//! People, and the identities by which sources know them.

use chatstats_model::{ChatId, Contact, ContactId, Rev};
use rusqlite::{OptionalExtension, Row, params};

use crate::{Reader, StoreError, Write};

/// A person as one source knows them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct IdentityId(pub i64);

/// What the writer remembers of an identity.
#[derive(Clone, Debug)]
pub(crate) struct Identity {
    pub(crate) id: IdentityId,
    pub(crate) contact: ContactId,
    pub(crate) name: String,
    pub(crate) is_me: bool,
}

const CONTACT: &str = "SELECT c.id, c.name, c.is_me, c.message_count, c.last_message_us,
    (SELECT group_concat(source) FROM (SELECT DISTINCT source FROM identities WHERE contact_id = c.id ORDER BY source))
    FROM contacts c";

impl Reader {
    /// All contacts, the most recent first.
    pub fn contacts(&self) -> Result<Vec<Contact>, StoreError> {
        let sql = format!("{CONTACT} ORDER BY c.last_message_us DESC NULLS LAST, c.id");
        let mut query = self.conn.prepare_cached(&sql)?;
        let rows = query.query_map([], contact)?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// One contact.
    pub fn contact(&self, id: ContactId) -> Result<Option<Contact>, StoreError> {
        let sql = format!("{CONTACT} WHERE c.id = ?1");
        Ok(self
            .conn
            .prepare_cached(&sql)?
            .query_row([id.0], contact)
            .optional()?)
    }

    /// Contacts whose fields changed after `since`, in no particular order.
    pub fn contacts_changed_since(&self, since: Rev) -> Result<Vec<Contact>, StoreError> {
        let sql = format!("{CONTACT} WHERE c.rev > ?1");
        let mut query = self.conn.prepare_cached(&sql)?;
        let rows = query.query_map([since.0], contact)?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// The keys of the identities of `source` that are the user's own.
    pub fn own_identity_keys(&self, source: &str) -> Result<Vec<String>, StoreError> {
        let mut query = self.conn.prepare_cached(
            "SELECT i.key FROM identities i JOIN contacts c ON c.id = i.contact_id WHERE i.source = ?1 AND c.is_me",
        )?;
        let rows = query.query_map([source], |row| row.get(0))?;
        Ok(rows.collect::<Result<_, _>>()?)
    }
}

fn contact(row: &Row<'_>) -> rusqlite::Result<Contact> {
    let sources: Option<String> = row.get(5)?;
    Ok(Contact {
        id: ContactId(row.get(0)?),
        name: row.get(1)?,
        is_me: row.get(2)?,
        message_count: row.get(3)?,
        last_message_time: super::messages::time(row.get(4)?),
        sources: sources
            .unwrap_or_default()
            .split(',')
            .filter(|s| !s.is_empty())
            .map(Into::into)
            .collect(),
    })
}

impl Write<'_> {
    /// The identity `key` of `source`, made with a contact of its own when it is new.
    ///
    /// `sent_us` is the time of what it wrote: a newer name replaces an older one. With `is_me` the contact
    /// becomes the user's own.
    pub fn identity(
        &mut self,
        source: &str,
        key: &str,
        name: &str,
        is_me: bool,
        sent_us: i64,
    ) -> Result<(IdentityId, ContactId), StoreError> {
        let mut identity = match self.tally.identities.get(source, key) {
            Some(known) if known.name == name && (known.is_me || !is_me) => {
                return Ok((known.id, known.contact));
            }
            Some(known) => known.clone(),
            None => match self.load_identity(source, key)? {
                Some(identity) => identity,
                None => self.make_identity(source, key, name, is_me)?,
            },
        };
        if identity.name != name && self.is_newer(identity.contact, sent_us)? {
            self.rename(&mut identity, name)?;
        }
        if is_me && !identity.is_me {
            self.set_contact_is_me(identity.contact, true)?;
            identity.is_me = true;
        }
        let ids = (identity.id, identity.contact);
        self.tally.identities.insert(source, key, identity);
        Ok(ids)
    }

    /// Says whether a contact is the user; its messages become the user's own.
    pub fn set_contact_is_me(&mut self, id: ContactId, is_me: bool) -> Result<(), StoreError> {
        let was_me: Option<bool> = self
            .conn
            .prepare_cached("SELECT is_me FROM contacts WHERE id = ?1")?
            .query_row([id.0], |row| row.get(0))
            .optional()?;
        let was_me = was_me.ok_or(StoreError::Missing("this contact"))?;
        self.conn
            .prepare_cached("UPDATE contacts SET is_me = ?2 WHERE id = ?1")?
            .execute(params![id.0, is_me])?;
        self.tally.identities.clear();
        self.note_contact_change(id)?;
        if was_me != is_me {
            self.note_chats_of(id)?;
        }
        Ok(())
    }

    /// All messages of the chats in which a contact wrote are others now: some are the user's own, or are not any more.
    /// So are the chats: who takes part, and who wrote last.
    fn note_chats_of(&mut self, id: ContactId) -> Result<(), StoreError> {
        let mut query = self.conn.prepare_cached(
            "SELECT DISTINCT m.chat_id FROM identities i JOIN chat_members m ON m.identity_id = i.id
             WHERE i.contact_id = ?1 ORDER BY m.chat_id",
        )?;
        let chats: Vec<i64> = query
            .query_map([id.0], |row| row.get(0))?
            .collect::<Result<_, _>>()?;
        for chat in chats {
            self.tally.write_change_of(self.conn, ChatId(chat), id)?;
        }
        Ok(())
    }

    fn load_identity(&self, source: &str, key: &str) -> Result<Option<Identity>, StoreError> {
        let mut query = self.conn.prepare_cached(
            "SELECT i.id, i.contact_id, i.name, c.is_me FROM identities i JOIN contacts c ON c.id = i.contact_id
             WHERE i.source = ?1 AND i.key = ?2",
        )?;
        let found = query.query_row([source, key], |row| {
            Ok(Identity {
                id: IdentityId(row.get(0)?),
                contact: ContactId(row.get(1)?),
                name: row.get(2)?,
                is_me: row.get(3)?,
            })
        });
        Ok(found.optional()?)
    }

    fn make_identity(
        &mut self,
        source: &str,
        key: &str,
        name: &str,
        is_me: bool,
    ) -> Result<Identity, StoreError> {
        self.conn
            .prepare_cached("INSERT INTO contacts (name, is_me) VALUES (?1, ?2)")?
            .execute(params![name, is_me])?;
        let contact = ContactId(self.conn.last_insert_rowid());
        self.conn
            .prepare_cached("INSERT INTO identities (source, key, name, contact_id) VALUES (?1, ?2, ?3, ?4)")?
            .execute(params![source, key, name, contact.0])?;
        let id = IdentityId(self.conn.last_insert_rowid());
        self.note_contact_change(contact)?;
        Ok(Identity {
            id,
            contact,
            name: name.to_owned(),
            is_me,
        })
    }

    fn is_newer(&self, contact: ContactId, sent_us: i64) -> Result<bool, StoreError> {
        let mut query = self
            .conn
            .prepare_cached("SELECT ifnull(last_message_us, ?2) <= ?2 FROM contacts WHERE id = ?1")?;
        Ok(query.query_row(params![contact.0, sent_us], |row| row.get(0))?)
    }

    fn rename(&mut self, identity: &mut Identity, name: &str) -> Result<(), StoreError> {
        self.conn
            .prepare_cached("UPDATE contacts SET name = ?2 WHERE id = ?1 AND name = ?3")?
            .execute(params![identity.contact.0, name, identity.name])?;
        self.conn
            .prepare_cached("UPDATE identities SET name = ?2 WHERE id = ?1")?
            .execute(params![identity.id.0, name])?;
        name.clone_into(&mut identity.name);
        self.note_contact_change(identity.contact)
    }

    /// A contact's own fields changed: that takes a revision, so that a reader who joins later knows of it.
    fn note_contact_change(&mut self, id: ContactId) -> Result<(), StoreError> {
        self.note_change(ChatId(0))?;
        self.tally.contact_changed(id);
        Ok(())
    }
}
