//! What topics carry, and what it costs to keep.

use chatstats_model::{Attachment, ChatUpdate, ContactUpdate, Message, Participant, Reaction, Rev};

/// One publish.
pub type Entry<T> = chatstats_ring::Entry<Rev, T>;

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

fn text_bytes(text: &Option<impl AsRef<str>>) -> usize {
    text.as_ref().map_or(0, |text| text.as_ref().len())
}
