//! A look inside: who listens where, and how far behind they are.

use chatstats_model::ChatId;

/// Which topic.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum TopicName {
    /// The list of chats.
    AllChats,
    /// The list of contacts.
    AllContacts,
    /// The messages of one chat.
    Chat(ChatId),
}

/// The state of a topic at one moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TopicStatus {
    /// Which one.
    pub name: TopicName,
    /// Open subscriptions.
    pub subscribers: u64,
    /// Those of them that have read everything and wait.
    pub waiting: u64,
    /// Publishes kept for those who have not read them yet.
    pub depth: u64,
    /// About how many bytes these take.
    pub bytes: u64,
    /// Publishes that subscribers lost and have not been told of yet, because they have not asked since.
    pub unnoticed_drops: u64,
}
