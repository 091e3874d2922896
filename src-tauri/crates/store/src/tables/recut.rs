//! Cutting a whole chat: one of a database from before there were conversations, or when the pause is another.

use chatstats_model::{ChatId, ConversationId};
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

/// A conversation of the new cut, and how many messages it shares with those of the old one, by their place.
struct Fresh {
    first_us: i64,
    last_us: i64,
    count: i64,
    shares: Vec<(usize, i64)>,
}

impl Cutter<'_> {
    /// Cuts the chat anew. Conversations that stay as they are keep everything; of an old one that is split, the
    /// largest part keeps the id, of equal parts the earliest.
    pub(super) fn cut_anew(self) -> Result<Cut, rusqlite::Error> {
        let old = all(self.conn, self.chat)?;
        let fresh = self.walk(&old)?;
        let ids = inherit(&old, &fresh);
        let stays = |one: &Fresh, id: ConversationId| {
            old.iter().find(|o| o.id == id).filter(|o| {
                (o.first_us, o.last_us, o.count) == (one.first_us, one.last_us, one.count)
            })
        };
        let mut kept = vec![false; old.len()];
        for (one, id) in fresh.iter().zip(&ids) {
            if let Some(place) = one.shares.iter().map(|share| share.0).find(|place| old[*place].id == *id) {
                kept[place] = stays(one, *id).is_some();
            }
        }
        for (one, _) in old.iter().zip(&kept).filter(|(_, kept)| !**kept) {
            self.remove(one)?;
        }
        let mut cut = Cut::default();
        let end = fresh.last().map(|one| (one.first_us, one.last_us));
        for (one, id) in fresh.iter().zip(ids) {
            let _ = (one, id, &mut cut, end);
        }
        Ok(cut)
    }
}
