//! Which messages are the user's own.

use super::record::account;
use super::walk::Head;
use crate::{Options, Record};

/// Messages of a private chat that are held back until it shows whether its id is one of the two accounts.
const HELD_MAX: usize = 256;

/// Tells the user's own messages, by name, by account, or by being the other one in a private chat.
pub(super) struct Me {
    name: Option<String>,
    account: Option<String>,
    chat: Rule,
}

/// What holds in the current chat.
enum Rule {
    /// Name and account only.
    Plain,
    /// All are the user's own: notes to oneself.
    All,
    /// The chat is named after the other one.
    NotPeer(Peer),
}

struct Peer {
    peer: String,
    other: Option<String>,
    /// Whether the rule applies: it does not if two accounts write that are both not the chat's.
    applies: Option<bool>,
    held: Vec<Record>,
}

impl Me {
    pub(super) fn new(options: &Options) -> Self {
        let name = options.me.as_deref().map(|me| me.trim().to_lowercase());
        Self {
            name,
            account: None,
            chat: Rule::Plain,
        }
    }

    /// The export says whose it is.
    pub(super) fn set_account(&mut self, id: &str) {
        self.account = Some(account(id).into_owned());
    }

    pub(super) fn has_account(&self) -> bool {
        self.account.is_some()
    }

    pub(super) fn begin_chat(&mut self, head: &Head) {
        self.chat = match (head.kind.as_deref(), &head.id) {
            (Some("saved_messages"), _) => Rule::All,
            (Some("personal_chat"), Some(id)) if self.name.is_none() && self.account.is_none() => {
                let peer = account(id).into_owned();
                Rule::NotPeer(Peer {
                    peer,
                    other: None,
                    applies: None,
                    held: Vec::new(),
                })
            }
            _ => Rule::Plain,
        };
    }

    /// Takes a record and appends to `out` those that are decided.
    pub(super) fn add(&mut self, mut record: Record, out: &mut Vec<Record>) {
        let Some(sender) = &record.sender else {
            return self.pass(record, out);
        };
        let by_account = self.account.as_ref() == Some(&sender.key);
        record.is_from_me = by_account
            || self
                .name
                .as_ref()
                .is_some_and(|me| *me == sender.name.trim().to_lowercase());
        match &mut self.chat {
            Rule::Plain => {}
            Rule::All => record.is_from_me = true,
            Rule::NotPeer(peer) => peer.meet(&sender.key),
        }
        self.pass(record, out);
    }

    /// Appends to `out` what is still held.
    pub(super) fn end_chat(&mut self, out: &mut Vec<Record>) {
        if let Rule::NotPeer(peer) = &mut self.chat {
            peer.applies.get_or_insert(true);
            peer.release(out);
        }
    }

    fn pass(&mut self, record: Record, out: &mut Vec<Record>) {
        let Rule::NotPeer(peer) = &mut self.chat else {
            out.push(record);
            return;
        };
        peer.held.push(record);
        if peer.held.len() >= HELD_MAX {
            peer.applies.get_or_insert(true);
        }
        if peer.applies.is_some() {
            peer.release(out);
        }
    }
}

impl Peer {
    fn meet(&mut self, key: &str) {
        if self.applies.is_some() {
        } else if key == self.peer {
            self.applies = Some(true);
        } else if self.other.as_deref().is_some_and(|other| other != key) {
            self.applies = Some(false);
        } else if self.other.is_none() {
            self.other = Some(key.to_owned());
        }
    }

    fn release(&mut self, out: &mut Vec<Record>) {
        let applies = self.applies == Some(true);
        for mut record in self.held.drain(..) {
            record.is_from_me = applies
                && record
                    .sender
                    .as_ref()
                    .is_some_and(|sender| sender.key != self.peer);
            out.push(record);
        }
    }
}
