//! What one publish leaves in a topic's ring.

use std::sync::OnceLock;

use bytes::Bytes;
use chatstats_model::{Attachment, ChatUpdate, ContactUpdate, Message, Participant, Reaction, Rev};

/// One publish.
#[derive(Debug)]
pub struct Entry<T> {
    /// The first position of the change.
    pub first_rev: Rev,
    /// The last position of the change.
    pub last_rev: Rev,
    /// What was published.
    pub payload: T,
    cost_bytes: usize,
    frame: OnceLock<Bytes>,
}

impl<T: Payload> Entry<T> {
    pub(crate) fn new((first_rev, last_rev): (Rev, Rev), payload: T) -> Self {
        // Twice: beside the payload lies its frame, which is about as large.
        let cost_bytes = size_of::<Self>() + 2 * payload.heap_bytes();
        Self {
            first_rev,
            last_rev,
            payload,
            cost_bytes,
            frame: OnceLock::new(),
        }
    }

    /// What it costs to keep, in bytes: an estimate, fixed when it was published.
    pub(crate) fn cost_bytes(&self) -> usize {
        self.cost_bytes
    }

    /// The frame's length if it is rendered already, else a guess.
    pub(crate) fn frame_len_hint(&self) -> usize {
        self.frame.get().map_or(self.cost_bytes / 2, Bytes::len)
    }

    /// The frame, rendered by whoever asks first. All subscribers of a topic must therefore render alike.
    pub fn frame(&self, render: impl FnOnce(&Self) -> Bytes) -> &Bytes {
        self.frame.get_or_init(|| render(self))
    }
}

/// What a topic can carry.
pub trait Payload: Send + Sync + 'static {
    /// About how many bytes it holds, the value itself and what it points to.
    fn heap_bytes(&self) -> usize;
}

impl Payload for Vec<Message> {
    fn heap_bytes(&self) -> usize {
        self.iter().map(message_bytes).sum()
    }
}

impl Payload for ChatUpdate {
    fn heap_bytes(&self) -> usize {
        let participants = self.chat.participants.iter();
        size_of::<Self>()
            + self.chat.title.len()
            + self.chat.source.len()
            + participants
                .map(|p| size_of::<Participant>() + p.name.len())
                .sum::<usize>()
            + self
                .chat
                .last_message
                .as_ref()
                .map_or(0, |m| m.excerpt.len() + text_bytes(&m.sender))
    }
}

impl Payload for ContactUpdate {
    fn heap_bytes(&self) -> usize {
        let sources = self.sources.iter();
        size_of::<Self>()
            + self.name.len()
            + sources
                .map(|source| size_of::<String>() + source.len())
                .sum::<usize>()
    }
}

fn message_bytes(message: &Message) -> usize {
    size_of::<Message>()
        + message.content.len()
        + text_bytes(&message.sender)
        + message.reactions.iter().map(reaction_bytes).sum::<usize>()
        + message.attachments.iter().map(attachment_bytes).sum::<usize>()
}

fn reaction_bytes(reaction: &Reaction) -> usize {
    let senders = reaction.senders.iter();
    size_of::<Reaction>()
        + reaction.emoji.len()
        + senders
            .map(|sender| size_of::<String>() + sender.len())
            .sum::<usize>()
}

fn attachment_bytes(attachment: &Attachment) -> usize {
    size_of::<Attachment>()
        + text_bytes(&attachment.name)
        + text_bytes(&attachment.kind)
        + text_bytes(&attachment.media_type)
}

fn text_bytes(text: &Option<String>) -> usize {
    text.as_ref().map_or(0, String::len)
}
