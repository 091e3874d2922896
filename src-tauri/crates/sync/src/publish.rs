//! From commits to the hub.

use std::collections::HashMap;

use chatstats_hub::Hub;
use chatstats_model::{ChatId, ChatUpdate, ContactUpdate, Message, Rev};
use chatstats_store::{Commit, CommitListener, Published, Reader, StoreError};

/// Tells the hub of each commit: messages first, then chats, then contacts. Reads back only what somebody watches.
pub struct Publisher {
    hub: Hub,
}

impl Publisher {
    /// Publishes to `hub`.
    pub fn new(hub: Hub) -> Self {
        Publisher { hub }
    }

    fn messages(&self, commit: &Commit, reader: &Reader) -> Result<(), StoreError> {
        let mut new = NewMessages::default();
        for published in &commit.messages {
            if commit.rewritten.contains(&published.chat_id) {
                continue; // Of a publish that somebody has read already they would not refill what is older than it.
            }
            let messages = if !self.hub.has_subscribers(published.chat_id) {
                Vec::new() // counted, and built by nobody
            } else if published.changes {
                reader.changed_since(
                    published.chat_id,
                    before(published.first),
                    published.last,
                    None,
                    usize::MAX,
                )?
            } else {
                new.take(published, commit, reader)?
            };
            self.hub
                .publish(published.chat_id, (published.first, published.last), || messages);
        }
        for chat in &commit.rewritten {
            self.hub.publish_rewrite(*chat, commit.rev);
        }
        Ok(())
    }

    fn chats(&self, commit: &Commit, reader: &Reader) -> Result<(), StoreError> {
        if !self.hub.has_chat_list_subscribers() {
            return Ok(());
        }
        for id in &commit.chats {
            if let Some(chat) = reader.chat(*id)? {
                self.hub
                    .publish_chat_update(commit.rev, || ChatUpdate::from(chat));
            }
        }
        Ok(())
    }

    fn contacts(&self, commit: &Commit, reader: &Reader) -> Result<(), StoreError> {
        if !self.hub.has_contact_list_subscribers() {
            return Ok(());
        }
        for id in &commit.contacts {
            if let Some(contact) = reader.contact(*id)? {
                self.hub
                    .publish_contact_update(commit.rev, || ContactUpdate::from(contact));
            }
        }
        Ok(())
    }
}

impl CommitListener for Publisher {
    fn committed(&self, commit: &Commit, reader: &Reader) {
        let told = self
            .messages(commit, reader)
            .and_then(|()| self.chats(commit, reader))
            .and_then(|()| self.contacts(commit, reader));
        if let Err(e) = told {
            // Everything is committed; what was not told is found by clients at their next join.
            tracing::error!(error = %e, rev = %commit.rev, "a commit could not be read back for its subscribers");
        }
    }
}

/// The new messages of a commit by chat, read in one go however many posts they came from.
#[derive(Default)]
struct NewMessages(HashMap<ChatId, std::vec::IntoIter<Message>>);

impl NewMessages {
    fn take(
        &mut self,
        wanted: &Published,
        commit: &Commit,
        reader: &Reader,
    ) -> Result<Vec<Message>, StoreError> {
        let rest = match self.0.entry(wanted.chat_id) {
            std::collections::hash_map::Entry::Occupied(known) => known.into_mut(),
            std::collections::hash_map::Entry::Vacant(unknown) => {
                let of_chat = commit
                    .messages
                    .iter()
                    .filter(|p| p.chat_id == wanted.chat_id && !p.changes);
                let last = of_chat.map(|p| p.last).max().unwrap_or(wanted.last);
                let since = before(wanted.first);
                let messages = reader.changed_since(wanted.chat_id, since, last, None, usize::MAX)?;
                // Changes of older messages in between belong to publishes of their own.
                let messages: Vec<Message> = messages.into_iter().filter(|m| m.id.0 > since.0).collect();
                unknown.insert(messages.into_iter())
            }
        };
        let is_wanted = |m: &Message| (wanted.first..=wanted.last).contains(&Rev::from(m.id));
        let later_than_wanted = |m: &Message| Rev::from(m.id) > wanted.last;
        let mut taken = Vec::new();
        while let Some(next) = rest.as_slice().first() {
            if later_than_wanted(next) {
                break;
            }
            let keep = is_wanted(next);
            if let Some(message) = rest.next()
                && keep
            {
                taken.push(message);
            }
        }
        Ok(taken)
    }
}

fn before(rev: Rev) -> Rev {
    Rev(rev.0 - 1)
}
