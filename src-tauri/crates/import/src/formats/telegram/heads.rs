//! A pass of its own for files in which a chat's name and id stand behind its messages, or the user behind the chats.

use std::io::Read;

use super::json::Json;
use super::walk::{Head, Stop, Visit};
use crate::ImportError;

/// Chats of one export that are remembered; each is three short strings.
const HEADS_MAX: usize = 100_000;

/// What the chats of a document say of themselves, in the order in which they begin.
#[derive(Default)]
pub(super) struct Heads {
    heads: Vec<Head>,
    open: Vec<usize>,
    pub(super) user: Option<String>,
}

impl Heads {
    /// Of the chat that begins as the `number`th, the root being the first.
    pub(super) fn get(&self, number: usize) -> Option<&Head> {
        self.heads.get(number)
    }
}

/// Passes over all messages. Calls `alive` at every chat; an error of it ends the pass.
pub(super) struct Scan<'a> {
    pub(super) heads: Heads,
    pub(super) alive: &'a mut dyn FnMut() -> Result<(), ImportError>,
}

impl Visit for Scan<'_> {
    fn begin(&mut self, _place: &str) {
        self.heads.open.push(self.heads.heads.len());
        if self.heads.heads.len() < HEADS_MAX {
            self.heads.heads.push(Head::default());
        }
    }

    fn messages<R: Read>(&mut self, json: &mut Json<R>, _head: &Head) -> Result<(), Stop> {
        json.enter(b'[')?;
        while json.next_element()? {
            json.skip()?;
            (self.alive)()?;
        }
        Ok(())
    }

    fn end(&mut self, head: Head) {
        if let Some(place) = self
            .heads
            .open
            .pop()
            .and_then(|number| self.heads.heads.get_mut(number))
        {
            *place = head;
        }
    }

    fn user(&mut self, id: String) {
        self.heads.user = Some(id);
    }

    fn stray(&mut self, _place: &str, _excerpt: &[u8]) -> Result<(), Stop> {
        Ok(())
    }
}
