//! Room for the texts of messages, used again.
//!
//! Passes work on messages that each own their text. Hundreds of short strings that are made for a conversation and thrown
//! away together leave the allocator with as many small holes, which it then puts together and takes apart again: a
//! fortieth of a worker's time.

use chatstats_model::Message;
use chatstats_store::{FoundMessage, Gather};

/// Strings that nobody needs any more.
#[derive(Debug, Default)]
pub(crate) struct Texts(Vec<String>);

/// Messages that are read into such strings.
pub(crate) struct Reused<'t> {
    pub(crate) messages: Vec<Message>,
    texts: &'t mut Texts,
}

impl Texts {
    /// So many are kept: those of a long conversation.
    const KEPT_MAX: usize = 4_096;

    /// None that has room for more bytes than almost every message needs. All of them together have one MiB.
    const KEPT_BYTES_MAX: usize = 256;

    /// A copy of a text, in one of them.
    pub(crate) fn copy(&mut self, text: &str) -> String {
        let mut copy = self.0.pop().unwrap_or_default();
        copy.push_str(text);
        copy
    }

    /// Keeps the texts of messages that are done with.
    pub(crate) fn keep(&mut self, messages: Vec<Message>) {
        for Message { mut content, .. } in messages {
            if self.0.len() < Self::KEPT_MAX && content.capacity() <= Self::KEPT_BYTES_MAX {
                content.clear();
                self.0.push(content);
            }
        }
    }

    /// To read about so many messages into.
    pub(crate) fn gather(&mut self, count: usize) -> Reused<'_> {
        Reused {
            messages: Vec::with_capacity(count),
            texts: self,
        }
    }
}

impl Gather for Reused<'_> {
    fn take(&mut self, message: FoundMessage<'_>) {
        let content = self.texts.copy(message.content);
        self.messages.push(message.kept(content));
    }
}

#[cfg(test)]
mod tests {
    use chatstats_model::{ChatId, Kind, MessageId, Timestamp};

    use super::*;

    fn found(content: &str) -> FoundMessage<'_> {
        FoundMessage {
            id: MessageId(1),
            chat_id: ChatId(2),
            sender_id: None,
            sender: None,
            is_from_me: false,
            content,
            timestamp: Timestamp::default(),
            kind: Kind::Text,
            reply_to: None,
            edited_at: None,
            reactions: Vec::new(),
            attachments: Vec::new(),
        }
    }

    #[test]
    fn texts_are_put_where_others_were_and_not_too_many_are_kept() {
        let long = "x".repeat(Texts::KEPT_BYTES_MAX + 1);
        let lines = ["ok", "", "a longer line than the others", &long];
        let mut texts = Texts::default();
        for round in 0..3 {
            let mut read = texts.gather(Texts::KEPT_MAX);
            let line = |n: usize| lines[(n + round) % lines.len()];
            let count = Texts::KEPT_MAX * 2;
            (0..count).for_each(|n| read.take(found(line(n))));
            let messages = read.messages;
            assert!(
                messages
                    .iter()
                    .enumerate()
                    .all(|(n, message)| message.content == line(n))
            );
            texts.keep(messages);
            assert_eq!(texts.0.len(), Texts::KEPT_MAX);
            assert!(
                texts
                    .0
                    .iter()
                    .all(|text| text.is_empty() && text.capacity() <= Texts::KEPT_BYTES_MAX)
            );
        }
    }
}
