//! Cutting chats into conversations, as part of each transaction that stores messages.
//!
//! A conversation is fully told by where it begins and ends: its messages are those of the chat in between. Messages are
//! never taken away and keep their time, so a write can only make conversations longer, join them, or add some. What is
//! new is first cut by itself, and each stretch of it then joins the conversations it meets: that reads a row or two of
//! `conversations` and no message. Both are chains without a long pause, so where they overlap or come close the whole
//! is such a chain too, and any order of arrival ends in the same conversations.

use chatstats_model::ChatId;
use rusqlite::{Connection, params};

use super::conversations::{Stored, between, newest};

/// What a transaction did to one chat.
#[derive(Debug, Default)]
pub(crate) struct Touched {
    /// New messages: when they were sent, and their ids.
    sent: Vec<(i64, i64)>,
    /// Changed messages: when they were sent, and the revisions of the changes.
    changed: Vec<(i64, i64)>,
    /// All of its messages changed, with this revision.
    all_changed: Option<i64>,
    /// All of it is to be cut, whatever was cut before.
    pub(super) anew: bool,
}

impl Touched {
    pub(crate) fn sent(&mut self, sent_us: i64, id: i64) {
        self.sent.push((sent_us, id));
    }

    pub(crate) fn changed(&mut self, sent_us: i64, rev: i64) {
        self.changed.push((sent_us, rev));
    }

    pub(crate) fn all_changed(&mut self, rev: i64) {
        self.all_changed = Some(rev);
    }

    /// The new messages are part of conversations already.
    pub(super) fn forget_sent(&mut self) {
        self.sent.clear();
    }

    pub(crate) fn absorb(&mut self, mut other: Touched) {
        self.sent.append(&mut other.sent);
        self.changed.append(&mut other.changed);
        self.all_changed = self.all_changed.max(other.all_changed);
        self.anew |= other.anew;
    }
}

/// What cutting and sealing came to, for those who wait for it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Cut {
    /// Whether there are seals to announce.
    pub(crate) seals: bool,
    /// When the last message was sent of a conversation that was left open, the earliest of them.
    pub(crate) open_us: Option<i64>,
}

impl Cut {
    pub(crate) fn add(&mut self, other: Cut) {
        self.seals |= other.seals;
        self.open_us = match (self.open_us, other.open_us) {
            (Some(one), Some(two)) => Some(one.min(two)),
            (one, two) => one.or(two),
        };
    }
}

/// A chat in the running transaction. `at` is the transaction's newest revision: the place of its seals in their order.
#[derive(Clone, Copy)]
pub(super) struct Cutter<'c> {
    pub(super) conn: &'c Connection,
    pub(super) chat: ChatId,
    pub(super) gap_us: i64,
    pub(super) at: i64,
}

/// New messages without a long pause among them.
struct Stretch {
    first_us: i64,
    last_us: i64,
    count: i64,
    newest_id: i64,
}

impl Cutter<'_> {
    /// Brings the chat's conversations up to its messages. One that waits to be cut anew takes no messages until then.
    pub(super) fn cut(self, touched: &mut Touched) -> Result<Cut, rusqlite::Error> {
        let mut cut = if touched.sent.is_empty() || !self.is_cut()? {
            Cut::default()
        } else {
            self.take(&mut touched.sent)?
        };
        for (sent_us, rev) in &touched.changed {
            cut.seals |= self.note_change(*sent_us, *rev)?;
        }
        if let Some(rev) = touched.all_changed {
            cut.seals |= self.note_change_of_all(rev)?;
        }
        Ok(cut)
    }

    fn take(self, sent: &mut [(i64, i64)]) -> Result<Cut, rusqlite::Error> {
        let stretches = stretches(sent, self.gap_us);
        let old = newest(self.conn, self.chat)?;
        let ends = stretches.last().map(|last| last.last_us).into_iter();
        let end_us = ends.chain(old.map(|old| old.last_us)).fold(i64::MIN, i64::max);
        let mut cut = Cut::default();
        for stretch in &stretches {
            let is_later = old.is_none_or(|old| stretch.first_us >= old.last_us + self.gap_us);
            cut.add(self.join(stretch, is_later, end_us)?);
        }
        if let Some(old) = old.filter(|old| !old.sealed) {
            cut.seals |= self.seal_unless_last(old, end_us)?;
        }
        Ok(cut)
    }

    /// Makes one conversation of a stretch and all it meets; nothing, if it is later than everything.
    fn join(self, stretch: &Stretch, is_later: bool, end_us: i64) -> Result<Cut, rusqlite::Error> {
        let met = if is_later {
            Vec::new()
        } else {
            let (after_us, before_us) = (stretch.first_us - self.gap_us, stretch.last_us + self.gap_us);
            between(self.conn, self.chat, after_us, before_us)?
        };
        let last_us = met.iter().map(|one| one.last_us).fold(stretch.last_us, i64::max);
        // A chat's last one is sealed only by the clock or by hand: and stays so while its last message is the same.
        let sealed = last_us < end_us || met.iter().any(|one| one.last_us == last_us && one.sealed);
        let joined = Stored {
            // The largest part keeps its id, of equal ones the earliest: most results remain with most messages.
            id: heir(&met).map_or(NEW, |one| one.id),
            first_us: met
                .iter()
                .map(|one| one.first_us)
                .fold(stretch.first_us, i64::min),
            last_us,
            count: met.iter().map(|one| one.count).sum::<i64>() + stretch.count,
            sealed,
            fingerprint: stretch.newest_id,
        };
        for other in met.iter().filter(|one| one.id != joined.id) {
            self.remove(other)?;
        }
        if joined.id == NEW {
            self.insert(&joined)?;
        } else {
            self.update(&joined)?;
        }
        Ok(Cut {
            seals: sealed,
            open_us: (!sealed).then_some(last_us),
        })
    }

    /// Stores a conversation that was not there; it gets an id if it has none.
    pub(super) fn insert(self, one: &Stored) -> Result<(), rusqlite::Error> {
        let mut insert = self.conn.prepare_cached(
            "INSERT INTO conversations (id, chat_id, first_us, last_us, message_count, fingerprint, sealed, to_announce)
             VALUES (nullif(?1, 0), ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
        )?;
        insert.execute(params![
            one.id.0,
            self.chat.0,
            one.first_us,
            one.last_us,
            one.count,
            one.fingerprint,
            one.sealed,
            one.sealed.then_some(self.at)
        ])?;
        Ok(())
    }

    fn update(self, one: &Stored) -> Result<(), rusqlite::Error> {
        let mut update = self.conn.prepare_cached(
            "UPDATE conversations SET first_us = ?2, last_us = ?3, message_count = ?4, fingerprint = ?5, sealed = ?6,
                to_announce = ?7 WHERE id = ?1",
        )?;
        update.execute(params![
            one.id.0,
            one.first_us,
            one.last_us,
            one.count,
            one.fingerprint,
            one.sealed,
            one.sealed.then_some(self.at)
        ])?;
        Ok(())
    }

    pub(super) fn remove(self, one: &Stored) -> Result<(), rusqlite::Error> {
        self.conn
            .prepare_cached("DELETE FROM conversations WHERE id = ?1")?
            .execute([one.id.0])?;
        Ok(())
    }

    /// What was the last conversation is sealed by a later one.
    pub(super) fn seal_unless_last(self, old: Stored, end_us: i64) -> Result<bool, rusqlite::Error> {
        if old.last_us == end_us {
            return Ok(false);
        }
        // It may have joined others meanwhile: then it is gone, or has its seal.
        let mut seal = self.conn.prepare_cached(
            "UPDATE conversations SET sealed = 1, to_announce = ?3 WHERE id = ?1 AND last_us < ?2 AND sealed = 0",
        )?;
        Ok(seal.execute(params![old.id.0, end_us, self.at])? > 0)
    }

    /// A message of an earlier transaction changed. Answers whether that is to be announced.
    fn note_change(self, sent_us: i64, rev: i64) -> Result<bool, rusqlite::Error> {
        let mut note = self.conn.prepare_cached(
            "UPDATE conversations SET fingerprint = max(fingerprint, ?3), to_announce = CASE WHEN sealed THEN ?4 END
             WHERE chat_id = ?1
                AND first_us = (SELECT max(first_us) FROM conversations WHERE chat_id = ?1 AND first_us <= ?2)
             RETURNING sealed",
        )?;
        let mut rows = note.query(params![self.chat.0, sent_us, rev, self.at])?;
        rows.next()?.map_or(Ok(false), |row| row.get(0))
    }

    fn note_change_of_all(self, rev: i64) -> Result<bool, rusqlite::Error> {
        let mut note = self.conn.prepare_cached(
            "UPDATE conversations SET fingerprint = max(fingerprint, ?2), to_announce = CASE WHEN sealed THEN ?3 END
             WHERE chat_id = ?1",
        )?;
        Ok(note.execute(params![self.chat.0, rev, self.at])? > 0)
    }
}

/// The id of a conversation that has none yet: SQLite's begin with 1.
pub(super) const NEW: chatstats_model::ConversationId = chatstats_model::ConversationId(0);

fn heir(met: &[Stored]) -> Option<&Stored> {
    met.iter()
        .max_by_key(|one| (one.count, std::cmp::Reverse(one.first_us)))
}

/// Cuts new messages by themselves, in the order of their time.
fn stretches(sent: &mut [(i64, i64)], gap_us: i64) -> Vec<Stretch> {
    sent.sort_unstable();
    let mut stretches: Vec<Stretch> = Vec::new();
    for &(sent_us, id) in sent.iter() {
        match stretches.last_mut() {
            Some(last) if sent_us - last.last_us < gap_us => {
                last.last_us = sent_us;
                last.count += 1;
                last.newest_id = last.newest_id.max(id);
            }
            _ => stretches.push(Stretch {
                first_us: sent_us,
                last_us: sent_us,
                count: 1,
                newest_id: id,
            }),
        }
    }
    stretches
}
