//! What the writes of one transaction add up to: counters, newest times and the list of changes.
//!
//! A thousand messages to one chat are one UPDATE of its counters. The same transaction stores both, so that
//! counters and messages can never disagree.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use chatstats_model::{ChatId, ContactId, Rev, Timestamp};
use rusqlite::{Connection, params};

use super::contacts::{Identity, IdentityId};
use super::cutting::{Cut, Cutter, Touched};
use crate::writer::{Commit, Lane, Published};

/// Chats and identities remembered between writes; all are forgotten when there are more. Bounds memory.
const REMEMBERED_MAX: usize = 20_000;

/// How much a chat grew.
#[derive(Clone, Copy, Debug, Default)]
struct Growth {
    messages: i64,
    newest: Option<(i64, i64)>, // (sent_us, id)
}

impl Growth {
    fn add(&mut self, sent_us: i64, id: i64) {
        self.messages += 1;
        self.newest = self.newest.max(Some((sent_us, id)));
    }
}

/// Sums by chat, contact and membership.
#[derive(Debug, Default)]
struct Sums {
    chats: HashMap<ChatId, Growth>,
    contacts: HashMap<ContactId, Growth>,
    members: HashMap<(ChatId, IdentityId), i64>,
    /// What is to be cut into conversations; in the order of chats, so that ids are handed out alike each time.
    cuts: BTreeMap<ChatId, Touched>,
    /// Where all that somebody wrote changed.
    rewritten: BTreeSet<ChatId>,
}

impl Sums {
    fn clear(&mut self) {
        self.chats.clear();
        self.contacts.clear();
        self.members.clear();
        self.cuts.clear();
        self.rewritten.clear();
    }

    fn absorb(&mut self, other: &mut Sums) {
        merge(&mut self.chats, &mut other.chats);
        merge(&mut self.contacts, &mut other.contacts);
        for (key, count) in other.members.drain() {
            *self.members.entry(key).or_default() += count;
        }
        for (chat, touched) in std::mem::take(&mut other.cuts) {
            self.cuts.entry(chat).or_default().absorb(touched);
        }
        self.rewritten.append(&mut other.rewritten);
    }
}

/// The writer's memory: the next revision, caches, and what the running transaction adds up to.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    next_rev: i64,
    /// The newest revision that a row of the database carries.
    newest: i64,
    /// Messages up to this id are in the full-text index.
    pub(crate) indexed: i64,
    /// How many messages are not. May be too high after a failure, never too low.
    pub(crate) unindexed: usize,
    /// Where `indexed` and `unindexed` go back to when the transaction fails.
    group_start: (i64, usize),
    /// Of the jobs of this transaction that succeeded.
    group: Sums,
    /// Of the job that runs now.
    job: Sums,
    published: Vec<Published>,
    /// What was cut and sealed; of failed jobs too, since who hears of it only looks sooner.
    cut: Cut,
    job_start: usize,
    /// Rows read or made; dropped whole when a job fails, since they may have gone with it.
    pub(crate) chats: Remembered<(ChatId, Option<String>)>,
    pub(crate) identities: Remembered<Identity>,
}

/// Rows by source and key, found without building an owned key.
#[derive(Debug)]
pub(crate) struct Remembered<T>(HashMap<String, HashMap<String, T>>);

impl<T> Default for Remembered<T> {
    fn default() -> Self {
        Remembered(HashMap::new())
    }
}

impl<T> Remembered<T> {
    pub(crate) fn get(&self, source: &str, key: &str) -> Option<&T> {
        self.0.get(source)?.get(key)
    }

    pub(crate) fn insert(&mut self, source: &str, key: &str, row: T) {
        if let Some(known) = self.0.get_mut(source).and_then(|keys| keys.get_mut(key)) {
            *known = row;
        } else {
            self.0
                .entry(source.to_owned())
                .or_default()
                .insert(key.to_owned(), row);
        }
    }

    pub(crate) fn clear(&mut self) {
        self.0.clear();
    }

    fn len(&self) -> usize {
        self.0.values().map(HashMap::len).sum()
    }
}

/// Where a job began: what was true before it.
pub(crate) struct Mark {
    published: usize,
    newest: i64,
    index: (i64, usize),
}

impl Tally {
    pub(crate) fn load(conn: &Connection) -> Result<Tally, rusqlite::Error> {
        let newest = newest_rev(conn)?.0;
        let (indexed, unindexed) = super::index::pending(conn)?;
        Ok(Tally {
            next_rev: newest + 1,
            newest,
            indexed,
            unindexed,
            group_start: (indexed, unindexed),
            ..Tally::default()
        })
    }

    /// A job begins: what it adds can be taken back with [`Tally::undo`].
    pub(crate) fn mark(&mut self) -> Mark {
        self.group.absorb(&mut self.job);
        self.job_start = self.published.len();
        Mark {
            published: self.job_start,
            newest: self.newest,
            index: (self.indexed, self.unindexed),
        }
    }

    /// The job that began at `mark` failed.
    pub(crate) fn undo(&mut self, mark: Mark) {
        self.job.clear();
        self.published.truncate(mark.published);
        self.newest = mark.newest;
        (self.indexed, self.unindexed) = mark.index;
        self.chats.clear();
        self.identities.clear();
    }

    pub(crate) fn next_rev(&mut self) -> i64 {
        let rev = self.next_rev;
        self.next_rev += 1;
        rev
    }

    /// `rev` was taken last and is not needed after all.
    pub(crate) fn return_rev(&mut self, rev: i64) {
        debug_assert_eq!(rev + 1, self.next_rev, "only the last can be given back");
        self.next_rev = rev;
    }

    /// A row with this revision was written.
    pub(crate) fn wrote(&mut self, rev: i64) {
        self.newest = rev;
    }

    pub(crate) fn inserted(
        &mut self,
        chat: ChatId,
        sender: Option<(IdentityId, ContactId)>,
        sent_us: i64,
        id: i64,
    ) {
        self.job.chats.entry(chat).or_default().add(sent_us, id);
        self.job.cuts.entry(chat).or_default().sent(sent_us, id);
        if let Some((identity, contact)) = sender {
            self.job.contacts.entry(contact).or_default().add(sent_us, id);
            *self.job.members.entry((chat, identity)).or_default() += 1;
        }
        self.unindexed += 1;
        self.publish(chat, id, false);
    }

    pub(crate) fn changed(&mut self, chat: ChatId, sent_us: i64, rev: i64) {
        self.job.chats.entry(chat).or_default();
        self.job.cuts.entry(chat).or_default().changed(sent_us, rev);
        self.publish(chat, rev, true);
    }

    /// The chat is to be cut into conversations as a whole.
    pub(crate) fn cut_anew(&mut self, chat: ChatId) {
        self.job.cuts.entry(chat).or_default().anew = true;
    }

    /// Conversations were sealed.
    pub(crate) fn sealed(&mut self) {
        self.cut.seals = true;
    }

    /// The newest revision that a row carries, those of this transaction included.
    pub(crate) fn newest(&self) -> i64 {
        self.newest
    }

    /// The chat's own fields changed.
    pub(crate) fn chat_changed(&mut self, chat: ChatId) {
        self.job.chats.entry(chat).or_default();
    }

    /// The contact's own fields changed.
    pub(crate) fn contact_changed(&mut self, contact: ContactId) {
        self.job.contacts.entry(contact).or_default();
    }

    fn publish(&mut self, chat_id: ChatId, rev: i64, changes: bool) {
        self.wrote(rev);
        if let Some(last) = self.published[self.job_start..].last_mut()
            && last.chat_id == chat_id
        {
            last.last = Rev(rev);
            last.changes |= changes;
            return;
        }
        self.published.push(Published {
            chat_id,
            first: Rev(rev),
            last: Rev(rev),
            changes,
        });
    }

    /// Writes the sums. The caller commits.
    pub(crate) fn flush(&mut self, conn: &Connection) -> Result<(), rusqlite::Error> {
        self.mark();
        self.cut(conn)?;
        let rev = self.newest;
        let sums = &self.group;
        let mut chat = conn.prepare_cached(
            "UPDATE chats SET message_count = message_count + ?2, rev = ?3,
                 last_message_id = CASE WHEN ?4 IS NOT NULL AND (last_message_us IS NULL OR (?4, ?5) > (last_message_us, last_message_id))
                                        THEN ?5 ELSE last_message_id END,
                 last_message_us = CASE WHEN ?4 IS NOT NULL AND (last_message_us IS NULL OR ?4 > last_message_us)
                                        THEN ?4 ELSE last_message_us END
             WHERE id = ?1",
        )?;
        for (id, growth) in &sums.chats {
            chat.execute(params![
                id.0,
                growth.messages,
                rev,
                growth.newest.map(|n| n.0),
                growth.newest.map(|n| n.1)
            ])?;
        }
        let mut contact = conn.prepare_cached(
            "UPDATE contacts SET message_count = message_count + ?2, rev = ?3,
                 last_message_us = CASE WHEN ?4 IS NULL THEN last_message_us ELSE max(ifnull(last_message_us, ?4), ?4) END
             WHERE id = ?1",
        )?;
        for (id, growth) in &sums.contacts {
            contact.execute(params![id.0, growth.messages, rev, growth.newest.map(|n| n.0)])?;
        }
        let mut member = conn.prepare_cached(
            "INSERT INTO chat_members VALUES (?1, ?2, ?3)
             ON CONFLICT (chat_id, identity_id) DO UPDATE SET message_count = message_count + excluded.message_count",
        )?;
        for ((chat_id, identity), count) in &sums.members {
            member.execute(params![chat_id.0, identity.0, count])?;
        }
        Ok(())
    }

    /// Cuts what was written into conversations. All of the transaction at once: a thousand messages that follow each
    /// other are one conversation's.
    fn cut(&mut self, conn: &Connection) -> Result<(), rusqlite::Error> {
        let cuts = std::mem::take(&mut self.group.cuts);
        if cuts.is_empty() {
            return Ok(());
        }
        let gap_us = super::conversations::gap_us(conn)?;
        for (chat, mut touched) in cuts {
            // In the table of changes as well: a revision that no row carries would be handed out again.
            let anew = if touched.anew {
                Some(self.write_change(conn, chat)?)
            } else {
                None
            };
            let cutter = Cutter {
                conn,
                chat,
                gap_us,
                at: self.newest,
            };
            if let Some(rev) = anew {
                self.cut.add(cutter.cut_anew(rev)?);
                cutter.note_gap()?;
                touched.forget_sent();
            }
            self.cut.add(cutter.cut(&mut touched)?);
        }
        Ok(())
    }

    /// Takes a revision for a change that is not a message's, and writes it down.
    pub(crate) fn write_change(&mut self, conn: &Connection, chat: ChatId) -> Result<i64, rusqlite::Error> {
        let rev = self.next_rev();
        conn.prepare_cached("INSERT INTO changes (rev, chat_id, message_id) VALUES (?1, ?2, NULL)")?
            .execute(params![rev, chat.0])?;
        self.wrote(rev);
        Ok(rev)
    }

    /// Writes down that all that somebody wrote in a chat changed: it is the user's own now, or is not any more.
    pub(crate) fn write_change_of(
        &mut self,
        conn: &Connection,
        chat: ChatId,
        contact: ContactId,
    ) -> Result<(), rusqlite::Error> {
        let rev = self.next_rev();
        conn.prepare_cached("DELETE FROM changes WHERE chat_id = ?1 AND contact_id = ?2")?
            .execute(params![chat.0, contact.0])?;
        conn.prepare_cached("INSERT INTO changes (rev, chat_id, contact_id) VALUES (?1, ?2, ?3)")?
            .execute(params![rev, chat.0, contact.0])?;
        self.wrote(rev);
        self.chat_changed(chat);
        self.job.cuts.entry(chat).or_default().all_changed(rev);
        self.job.rewritten.insert(chat);
        Ok(())
    }

    /// The transaction is committed: hands over what it changed and starts afresh.
    pub(crate) fn take_commit(&mut self, lane: Lane) -> Commit {
        let sums = std::mem::take(&mut self.group);
        let cut = std::mem::take(&mut self.cut);
        let commit = Commit {
            seals: cut.seals,
            earliest_open: cut.open_us.and_then(Timestamp::from_micros),
            messages: std::mem::take(&mut self.published),
            rewritten: sums.rewritten.into_iter().collect(),
            chats: sums.chats.into_keys().collect(),
            contacts: sums.contacts.into_keys().collect(),
            rev: Rev(self.newest),
            lane,
        };
        self.job_start = 0;
        self.group_start = (self.indexed, self.unindexed);
        if self.chats.len() + self.identities.len() > REMEMBERED_MAX {
            self.chats.clear();
            self.identities.clear();
        }
        commit
    }

    /// The transaction failed: forgets everything of it. Revisions are not handed out again.
    pub(crate) fn forget(&mut self) {
        self.group.clear();
        self.cut = Cut::default();
        let newest = self.newest; // revisions only grow: one too high hides nothing
        self.undo(Mark {
            published: 0,
            newest,
            index: self.group_start,
        });
        self.job_start = 0;
    }
}

fn merge<K: Eq + std::hash::Hash>(into: &mut HashMap<K, Growth>, from: &mut HashMap<K, Growth>) {
    for (key, growth) in from.drain() {
        let sum = into.entry(key).or_default();
        sum.messages += growth.messages;
        sum.newest = sum.newest.max(growth.newest);
    }
}

/// The newest revision there is.
pub(crate) fn newest_rev(conn: &Connection) -> Result<Rev, rusqlite::Error> {
    conn.prepare_cached(
        "SELECT max(ifnull((SELECT max(id) FROM messages), 0), ifnull((SELECT max(rev) FROM changes), 0))",
    )?
    .query_row([], |row| row.get(0).map(Rev))
}
