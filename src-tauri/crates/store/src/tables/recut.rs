//! Cutting a whole chat: one of a database from before there were conversations, or when the pause is another.

use chatstats_model::ChatId;
use rusqlite::{OptionalExtension, params};

use super::conversations::{Stored, all};
use super::cutting::{Cut, Cutter, NEW};
use crate::{StoreError, Write};

/// The longest pause that can be asked for, in minutes: a week. Beyond it a chat is one endless conversation.
pub const CONVERSATION_GAP_MINUTES_MAX: u32 = 7 * 24 * 60;

impl Write<'_> {
    /// Sets the pause that ends a conversation. Chats that were cut by another one keep their conversations, without
    /// what arrives for them, until [`cut_next_chat`](Self::cut_next_chat) comes to them.
    ///
    /// # Errors
    ///
    /// It is not between a minute and [`CONVERSATION_GAP_MINUTES_MAX`].
    pub fn set_conversation_gap(&mut self, gap_minutes: u32) -> Result<(), StoreError> {
        if !(1..=CONVERSATION_GAP_MINUTES_MAX).contains(&gap_minutes) {
            return Err(StoreError::Invalid(format!(
                "The pause between conversations must be between 1 and {CONVERSATION_GAP_MINUTES_MAX} minutes, not {gap_minutes}."
            )));
        }
        let gap_us = i64::from(gap_minutes) * 60 * 1_000_000;
        self.conn
            .prepare_cached("UPDATE meta SET value = ?1 WHERE key = 'conversation_gap_us'")?
            .execute([gap_us.to_string()])?;
        Ok(())
    }

    /// Cuts one of the chats that are not cut by the present pause; false if there is none. Takes as long as the chat
    /// is large: about a second for three million messages.
    pub fn cut_next_chat(&mut self) -> Result<bool, StoreError> {
        let next: Option<i64> = self
            .conn
            .prepare_cached("SELECT id FROM chats WHERE cut_gap_us IS NOT ?1 LIMIT 1")?
            .query_row([super::conversations::gap_us(self.conn)?], |row| row.get(0))
            .optional()?;
        let Some(chat) = next else { return Ok(false) };
        // Done with the rest of the transaction, when all its messages are there.
        self.tally.cut_anew(ChatId(chat));
        Ok(true)
    }
}

/// A conversation of the new cut, and how many messages it shares with those of the old one, by their places.
struct Fresh {
    first_us: i64,
    last_us: i64,
    count: i64,
    shares: Vec<(usize, i64)>,
}

impl Cutter<'_> {
    /// Cuts the whole chat. Conversations that stay as they are keep everything; of one that is split, the largest part
    /// keeps the id, of equal ones the earliest. `rev` marks what changed.
    pub(super) fn cut_anew(self, rev: i64) -> Result<Cut, rusqlite::Error> {
        let old = all(self.conn, self.chat)?;
        let fresh = self.walk(&old)?;
        let heirs = inherit(old.len(), &fresh);
        let end_us = fresh.last().map_or(0, |one| one.last_us);
        let mut stays = vec![false; old.len()];
        for (one, heir) in fresh.iter().zip(&heirs) {
            if let Some(place) = heir {
                stays[*place] = one.is(&old[*place]);
            }
        }
        let mut cut = Cut::default();
        for (one, stays) in old.iter().zip(&stays) {
            if !*stays {
                self.remove(one)?;
            } else if !one.sealed {
                // What was last may not be: messages that come while a chat waits to be cut are not in the old cut.
                let seals = self.seal_unless_last(*one, end_us)?;
                let open_us = (!seals).then_some(one.last_us);
                cut.add(Cut { seals, open_us });
            }
        }
        for (one, heir) in fresh.iter().zip(heirs) {
            if heir.is_none_or(|place| !stays[place]) {
                let sealed = one.last_us < end_us || old.iter().any(|o| o.last_us == end_us && o.sealed);
                self.insert(&Stored {
                    id: heir.map_or(NEW, |place| old[place].id),
                    first_us: one.first_us,
                    last_us: one.last_us,
                    count: one.count,
                    sealed,
                    fingerprint: rev,
                })?;
                cut.add(Cut {
                    seals: sealed,
                    open_us: (!sealed).then_some(one.last_us),
                });
            }
        }
        Ok(cut)
    }

    /// Notes by which pause the chat is cut now.
    pub(super) fn note_gap(self) -> Result<(), rusqlite::Error> {
        self.conn
            .prepare_cached("UPDATE chats SET cut_gap_us = ?2 WHERE id = ?1")?
            .execute(params![self.chat.0, self.gap_us])?;
        Ok(())
    }

    /// Whether the chat is cut by the present pause.
    pub(super) fn is_cut(self) -> Result<bool, rusqlite::Error> {
        self.conn
            .prepare_cached("SELECT cut_gap_us IS ?2 FROM chats WHERE id = ?1")?
            .query_row(params![self.chat.0, self.gap_us], |row| row.get(0))
    }

    /// Walks over the chat's messages and its old conversations, side by side.
    fn walk(self, old: &[Stored]) -> Result<Vec<Fresh>, rusqlite::Error> {
        let mut query = self
            .conn
            .prepare_cached("SELECT sent_us FROM messages WHERE chat_id = ?1 ORDER BY sent_us")?;
        let mut rows = query.query([self.chat.0])?;
        let mut fresh: Vec<Fresh> = Vec::new();
        let mut place = 0;
        while let Some(row) = rows.next()? {
            let sent_us: i64 = row.get(0)?;
            while old.get(place).is_some_and(|one| one.last_us < sent_us) {
                place += 1;
            }
            let was_in = old.get(place).is_some_and(|one| one.first_us <= sent_us);
            let was_in = was_in.then_some(place);
            match fresh.last_mut() {
                Some(last) if sent_us - last.last_us < self.gap_us => last.take(sent_us, was_in),
                _ => {
                    let mut first = Fresh {
                        first_us: sent_us,
                        last_us: sent_us,
                        count: 0,
                        shares: Vec::new(),
                    };
                    first.take(sent_us, was_in);
                    fresh.push(first);
                }
            }
        }
        Ok(fresh)
    }
}

impl Fresh {
    fn take(&mut self, sent_us: i64, was_in: Option<usize>) {
        self.last_us = sent_us;
        self.count += 1;
        let Some(place) = was_in else { return };
        match self.shares.last_mut() {
            Some((last, count)) if *last == place => *count += 1,
            _ => self.shares.push((place, 1)),
        }
    }

    fn is(&self, old: &Stored) -> bool {
        (self.first_us, self.last_us, self.count) == (old.first_us, old.last_us, old.count)
    }
}

/// For each new conversation the old one whose id it takes, if any.
fn inherit(old_count: usize, fresh: &[Fresh]) -> Vec<Option<usize>> {
    // Each old one leaves its id to the new one that has most of it ...
    let mut left_to: Vec<Option<(usize, i64)>> = vec![None; old_count];
    for (index, one) in fresh.iter().enumerate() {
        for &(place, count) in &one.shares {
            if left_to[place].is_none_or(|(_, most)| count > most) {
                left_to[place] = Some((index, count));
            }
        }
    }
    // ... and each new one takes that of the old one it has most of.
    let takes = |(index, one): (usize, &Fresh)| {
        let offered = one
            .shares
            .iter()
            .filter(|(place, _)| left_to[*place].is_some_and(|(to, _)| to == index));
        offered
            .max_by_key(|(place, count)| (*count, std::cmp::Reverse(*place)))
            .map(|(place, _)| *place)
    };
    fresh.iter().enumerate().map(takes).collect()
}
