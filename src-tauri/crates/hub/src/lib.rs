//! `message_hub`: tells open subscriptions what was just committed.
//!
//! Publish and subscribe inside one process, bounded, gone on restart. Knows no database, no HTTP, no JSON and no
//! async runtime: a subscriber brings its own [`Waker`](std::task::Waker) and its own way of rendering.
//!
//! How it works: each topic (one chat, all chats, all contacts) has one [`Ring`], shared by all its subscribers; a
//! subscriber is a cursor into it, and is told how many publishes it lost when it fell behind by
//! [`QUEUE_PUBLISHES`] or [`RING_BYTES`].

mod payload;
mod status;
mod subscription;

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};

use chatstats_model::{ChatId, ChatUpdate, ContactUpdate, HubStatus, Message, Rev};

use chatstats_ring::{Limits, Ring, RingStatus};

pub use payload::{Entry, Payload};
pub use status::{TopicName, TopicStatus};
pub use subscription::{Gathered, Lagged, Subscription};

/// How many publishes a subscriber may be behind before the oldest are dropped.
pub const QUEUE_PUBLISHES: usize = 1_000;

/// How many bytes a topic keeps, by estimate: a thousand publishes of ordinary messages fit four times over, while
/// a thousand batches of an import, read by nobody, do not fill the memory.
pub const RING_BYTES: usize = 4 << 20;

const LIMITS: Limits = Limits {
    entries_max: QUEUE_PUBLISHES,
    bytes_max: RING_BYTES,
};

/// New and changed messages of one chat.
pub type MessageSubscription = Subscription<Vec<Message>>;
/// Changes in the list of chats.
pub type ChatSubscription = Subscription<ChatUpdate>;
/// Changes in the list of contacts.
pub type ContactSubscription = Subscription<ContactUpdate>;

/// The hub. A cheap handle: clones share it.
#[derive(Clone, Default)]
pub struct Hub(Arc<Shared>);

struct Shared {
    /// Chats somebody listens to. A chat nobody listens to costs nothing but the failed look-up.
    chats: RwLock<HashMap<ChatId, Ring<Rev, Vec<Message>>>>,
    all_chats: Ring<Rev, ChatUpdate>,
    all_contacts: Ring<Rev, ContactUpdate>,
    counters: Counters,
}

impl Default for Shared {
    fn default() -> Self {
        Self {
            chats: RwLock::default(),
            all_chats: Ring::new(LIMITS),
            all_contacts: Ring::new(LIMITS),
            counters: Counters::default(),
        }
    }
}

#[derive(Default)]
struct Counters {
    published: AtomicU64,
    delivered: AtomicU64,
    dropped: AtomicU64,
    refilled: AtomicU64,
}

impl Hub {
    /// A hub nobody listens to yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Tells the chat's subscribers of messages that are committed, in the order of their ids.
    ///
    /// `revs` are the first and last position of the change. Publishes of one topic must come in commit order, and
    /// the positions of one publish must come from one commit: that is what lets a reader who knows the database up
    /// to some position say of a whole entry that it has it or has it not. `messages` is called only if somebody
    /// listens. Never blocks on a subscriber.
    pub fn publish(&self, chat_id: ChatId, revs: (Rev, Rev), messages: impl FnOnce() -> Vec<Message>) {
        self.0.counters.published.fetch_add(1, Ordering::Relaxed);
        let topic = read(&self.0.chats).get(&chat_id).cloned();
        if let Some(topic) = topic {
            topic.publish(revs, || sized(messages()));
        }
    }

    /// Tells the chat's subscribers that more changed, up to `rev`, than is worth carrying: whatever they have not read
    /// yet is dropped, and they find everything where they refill. As [`publish`](Self::publish).
    pub fn publish_rewrite(&self, chat_id: ChatId, rev: Rev) {
        self.0.counters.published.fetch_add(1, Ordering::Relaxed);
        let topic = read(&self.0.chats).get(&chat_id).cloned();
        if let Some(topic) = topic {
            // Larger than the ring: it goes at once, and so does all that was before it.
            topic.publish((rev, rev), || (RING_BYTES + 1, Vec::new()));
        }
    }

    /// Tells those who watch the list of chats of one that changed. As [`publish`](Self::publish).
    pub fn publish_chat_update(&self, rev: Rev, update: impl FnOnce() -> ChatUpdate) {
        self.0.counters.published.fetch_add(1, Ordering::Relaxed);
        self.0.all_chats.publish((rev, rev), || sized(update()));
    }

    /// Tells those who watch the list of contacts of one that changed. As [`publish`](Self::publish).
    pub fn publish_contact_update(&self, rev: Rev, update: impl FnOnce() -> ContactUpdate) {
        self.0.counters.published.fetch_add(1, Ordering::Relaxed);
        self.0.all_contacts.publish((rev, rev), || sized(update()));
    }

    /// Whether somebody listens to the chat: lets a publisher skip work that only subscribers would see.
    pub fn has_subscribers(&self, chat_id: ChatId) -> bool {
        read(&self.0.chats).contains_key(&chat_id)
    }

    /// Whether somebody watches the list of chats.
    pub fn has_chat_list_subscribers(&self) -> bool {
        !self.0.all_chats.is_deserted()
    }

    /// Whether somebody watches the list of contacts.
    pub fn has_contact_list_subscribers(&self) -> bool {
        !self.0.all_contacts.is_deserted()
    }

    /// Everything published for the chat from now on. Whether the chat exists is not the hub's business.
    pub fn subscribe(&self, chat_id: ChatId) -> MessageSubscription {
        // Joined under the map's lock: a topic whose last subscriber is just leaving is either still in the map
        // with this one in it, or gone before this one looked.
        let mut chats = self.0.chats.write().unwrap_or_else(PoisonError::into_inner);
        let topic = chats.entry(chat_id).or_insert_with(|| Ring::new(LIMITS));
        Subscription::join(self.0.clone(), topic.clone(), TopicName::Chat(chat_id))
    }

    /// Every change in the list of chats from now on.
    pub fn subscribe_all_chats(&self) -> ChatSubscription {
        Subscription::join(self.0.clone(), self.0.all_chats.clone(), TopicName::AllChats)
    }

    /// Every change in the list of contacts from now on.
    pub fn subscribe_all_contacts(&self) -> ContactSubscription {
        Subscription::join(
            self.0.clone(),
            self.0.all_contacts.clone(),
            TopicName::AllContacts,
        )
    }

    /// The counters since the start.
    pub fn stats(&self) -> HubStatus {
        let topics = self.topics();
        let sum = |field: fn(&TopicStatus) -> u64| topics.iter().map(field).sum::<u64>();
        let counters = &self.0.counters;
        HubStatus {
            subscribers: sum(|t| t.subscribers),
            published: counters.published.load(Ordering::Relaxed),
            delivered: counters.delivered.load(Ordering::Relaxed),
            // Those who do not even look cannot have counted what they lost.
            dropped: counters.dropped.load(Ordering::Relaxed) + sum(|t| t.unnoticed_drops),
            refilled: counters.refilled.load(Ordering::Relaxed),
        }
    }

    /// Every topic that has subscribers, for a look inside.
    pub fn topics(&self) -> Vec<TopicStatus> {
        let mut all: Vec<_> = read(&self.0.chats)
            .iter()
            .map(|(&id, topic)| named(TopicName::Chat(id), topic.status()))
            .collect();
        all.push(named(TopicName::AllChats, self.0.all_chats.status()));
        all.push(named(TopicName::AllContacts, self.0.all_contacts.status()));
        all.retain(|topic| topic.subscribers > 0);
        all.sort_by_key(|topic| topic.name);
        all
    }
}

impl Shared {
    /// Forgets a chat whose last subscriber left.
    fn forget(&self, chat_id: ChatId) {
        let mut chats = self.chats.write().unwrap_or_else(PoisonError::into_inner);
        // Looked at again under the map's lock: somebody may have joined meanwhile.
        if chats.get(&chat_id).is_some_and(|topic| topic.is_deserted()) {
            chats.remove(&chat_id);
        }
    }
}

fn sized<T: Payload>(payload: T) -> (usize, T) {
    (payload.heap_bytes(), payload)
}

fn named(name: TopicName, ring: RingStatus) -> TopicStatus {
    TopicStatus {
        name,
        subscribers: ring.readers,
        waiting: ring.waiting,
        depth: ring.depth,
        bytes: ring.bytes,
        unnoticed_drops: ring.unnoticed_drops,
    }
}

fn read<T>(lock: &RwLock<T>) -> std::sync::RwLockReadGuard<'_, T> {
    lock.read().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests;
