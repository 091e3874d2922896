//! Messages, packed for a journey. Nothing of them is left out: what a pass may read here it may read there.
//!
//! What repeats from message to message is named once (who wrote, in which chat, of which kind), texts lie one after
//! the other, and numbers that grow are told by how much. A line of a chat takes its text and some ten bytes.

use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::Arc;

use chatstats_model::{Attachment, ChatId, ContactId, Kind, Message, MessageId, Reaction, Timestamp};
use chatstats_store::{FoundMessage, Gather};
use serde::{Deserialize, Serialize};

use crate::texts::Texts;

/// Messages, in their order.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(super) struct Packed<'a> {
    voices: Vec<Voice>,
    rows: Vec<Row>,
    #[serde(borrow)]
    text: Cow<'a, str>,
}

/// What messages have in common.
#[derive(Debug, Serialize, Deserialize)]
struct Voice {
    of: Whose,
    sender: Option<Arc<str>>,
}

/// The same without the name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
struct Whose {
    chat_id: ChatId,
    sender_id: Option<ContactId>,
    is_from_me: bool,
    kind: Kind,
}

/// Packs messages one by one, as they are found: nothing is made of them in between.
#[derive(Default)]
pub(super) struct Packer {
    packed: Packed<'static>,
    text: String,
    /// Where voices are.
    places: HashMap<Whose, u32, foldhash::fast::FixedState>,
    /// Of the last message.
    id: i64,
    sent_us: i64,
}

/// What a message has of its own.
#[derive(Debug, Serialize, Deserialize)]
struct Row {
    /// Its voice, by its place.
    voice: u32,
    /// The bytes of its text.
    length: u32,
    /// How much its id is above that of the message before it.
    id_more: i64,
    /// How many microseconds it was sent after that.
    later_us: i64,
    rare: Option<Box<Rare>>,
}

/// What few messages have.
#[derive(Debug, Serialize, Deserialize)]
struct Rare {
    reply_to: Option<MessageId>,
    edited_us: Option<i64>,
    reactions: Vec<Reaction>,
    attachments: Vec<Attachment>,
}

impl Packed<'_> {
    /// How many there are.
    pub(super) fn len(&self) -> usize {
        self.rows.len()
    }

    /// About how many bytes they take.
    pub(super) fn bytes(&self) -> usize {
        /// Of a message beside its text, and of what comes once.
        const ROW: usize = 12;
        const HEAD: usize = 256;
        self.text.len() + self.rows.len() * ROW + HEAD
    }
}

impl Packer {
    /// For so many messages.
    pub(super) fn for_about(count: usize) -> Self {
        let mut packer = Self::default();
        packer.packed.rows.reserve(count);
        packer
    }

    /// All of them.
    pub(super) fn packed(mut self) -> Packed<'static> {
        self.packed.text = self.text.into();
        self.packed
    }

    /// The place of a voice.
    fn voice(&mut self, of: Whose, sender: Option<&Arc<str>>) -> u32 {
        let voices = &mut self.packed.voices;
        if let Some(&place) = self.places.get(&of)
            && voices[place as usize].sender.as_deref() == sender.map(|name| &**name)
        {
            return place;
        }
        // No more of them than messages, which are counted.
        let place = voices.len() as u32;
        voices.push(Voice {
            of,
            sender: sender.cloned(),
        });
        self.places.insert(of, place);
        place
    }
}

impl Gather for Packer {
    fn take(&mut self, message: FoundMessage<'_>) {
        let of = Whose {
            chat_id: message.chat_id,
            sender_id: message.sender_id,
            is_from_me: message.is_from_me,
            kind: message.kind,
        };
        let (id, sent_us) = (message.id.0, message.timestamp.as_micros());
        self.text.push_str(message.content);
        let row = Row {
            voice: self.voice(of, message.sender),
            // What is longer is far beyond what travels.
            length: u32::try_from(message.content.len()).unwrap_or(u32::MAX),
            id_more: id.wrapping_sub(self.id),
            later_us: sent_us.wrapping_sub(self.sent_us),
            rare: Rare::of(message),
        };
        self.packed.rows.push(row);
        (self.id, self.sent_us) = (id, sent_us);
    }
}

impl Packed<'_> {
    /// The messages as they were; none if this was not packed by a [`Packer`]. Their texts are put where earlier ones were.
    pub(super) fn messages(self, earlier: &mut Texts) -> Option<Vec<Message>> {
        let mut messages = Vec::with_capacity(self.rows.len());
        let (mut rest, mut id, mut sent_us) = (&*self.text, 0_i64, 0_i64);
        for row in self.rows {
            let Voice { of, sender } = self.voices.get(row.voice as usize)?;
            let (content, after) = rest.split_at_checked(row.length as usize)?;
            rest = after;
            id = id.wrapping_add(row.id_more);
            sent_us = sent_us.wrapping_add(row.later_us);
            let mut message = Message {
                id: MessageId(id),
                chat_id: of.chat_id,
                sender_id: of.sender_id,
                sender: sender.clone(),
                is_from_me: of.is_from_me,
                content: earlier.copy(content),
                timestamp: Timestamp::from_micros(sent_us)?,
                kind: of.kind,
                reply_to: None,
                edited_at: None,
                reactions: Vec::new(),
                attachments: Vec::new(),
            };
            if let Some(rare) = row.rare {
                message.reply_to = rare.reply_to;
                message.edited_at = match rare.edited_us {
                    None => None,
                    Some(edited_us) => Some(Timestamp::from_micros(edited_us)?),
                };
                message.reactions = rare.reactions;
                message.attachments = rare.attachments;
            }
            messages.push(message);
        }
        rest.is_empty().then_some(messages)
    }
}

impl Rare {
    fn of(message: FoundMessage<'_>) -> Option<Box<Self>> {
        let is_plain = message.reply_to.is_none()
            && message.edited_at.is_none()
            && message.reactions.is_empty()
            && message.attachments.is_empty();
        (!is_plain).then(|| {
            Box::new(Self {
                reply_to: message.reply_to,
                edited_us: message.edited_at.map(Timestamp::as_micros),
                reactions: message.reactions,
                attachments: message.attachments,
            })
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(id: i64, sender: Option<&str>, content: &str, kind: Kind) -> Message {
        Message {
            id: MessageId(id),
            chat_id: ChatId(id % 2),
            sender_id: sender.map(|name| ContactId(name.len() as i64)),
            sender: sender.map(Into::into),
            is_from_me: id % 3 == 0,
            content: content.to_owned(),
            timestamp: Timestamp::from_micros(1_700_000_000_000_000 - id % 1_000 * 7_000_001)
                .unwrap_or_default(),
            kind,
            reply_to: None,
            edited_at: None,
            reactions: Vec::new(),
            attachments: Vec::new(),
        }
    }

    /// Of every kind, with and without everything that a message may have.
    fn messages() -> Vec<Message> {
        let kinds = [
            Kind::Text,
            Kind::Media,
            Kind::Call,
            Kind::System,
            Kind::Deleted,
            Kind::Other,
        ];
        let mut messages = vec![message(i64::MAX, None, "", Kind::System)];
        for (number, kind) in kinds.into_iter().enumerate() {
            let id = 1_000 * number as i64 - 17;
            messages.push(message(id, Some("Zoë"), "grüße 😂\n\0 ", kind));
            messages.push(message(id + 1, Some(""), "", kind));
            messages.push(message(i64::MIN + 17 + id, None, "ok", kind));
        }
        messages[3].reply_to = Some(MessageId(i64::MIN));
        messages[4].edited_at = Timestamp::from_micros(-62_135_596_800_000_000);
        messages[5].reactions = vec![Reaction {
            emoji: "👍🏽".to_owned(),
            count: u32::MAX,
            senders: vec!["a".to_owned(), String::new()],
        }];
        messages[6].attachments = vec![
            Attachment::default(),
            Attachment {
                name: Some("a.pdf".to_owned()),
                kind: Some("document".to_owned()),
                media_type: Some("application/pdf".to_owned()),
                size_bytes: Some(u64::MAX),
            },
        ];
        messages
    }

    fn packed(messages: &[Message]) -> Vec<u8> {
        let mut packer = Packer::for_about(messages.len());
        for message in messages {
            packer.take(FoundMessage {
                id: message.id,
                chat_id: message.chat_id,
                sender_id: message.sender_id,
                sender: message.sender.as_ref(),
                is_from_me: message.is_from_me,
                content: &message.content,
                timestamp: message.timestamp,
                kind: message.kind,
                reply_to: message.reply_to,
                edited_at: message.edited_at,
                reactions: message.reactions.clone(),
                attachments: message.attachments.clone(),
            });
        }
        postcard::to_allocvec(&packer.packed()).expect("plain types")
    }

    #[test]
    fn everything_of_a_message_comes_back() {
        for wanted in [messages(), Vec::new()] {
            let bytes = packed(&wanted);
            let read: Packed<'_> = postcard::from_bytes(&bytes).expect("as it was written");
            assert_eq!(read.messages(&mut Texts::default()), Some(wanted));
        }
    }

    #[test]
    fn a_line_takes_its_text_and_about_ten_bytes() {
        let chat: Vec<_> = (0..200_i64)
            .map(|n| {
                let mut line = message(
                    4_000 + n,
                    Some(["Ann", "Bob"][n as usize % 2]),
                    "see you",
                    Kind::Text,
                );
                line.timestamp = Timestamp::from_seconds(1_700_000_000 + n * 40).unwrap_or_default();
                line
            })
            .collect();
        let size = packed(&chat).len();
        assert!(size < 200 * (7 + 11), "{size} bytes");
    }

    #[test]
    fn damaged_bytes_are_no_messages_and_no_panics() {
        let (bytes, wanted) = (packed(&messages()), messages());
        let unpacked = |bytes: &[u8]| {
            let packed: Packed<'_> = postcard::from_bytes(bytes).ok()?;
            packed.messages(&mut Texts::default())
        };
        for cut in 0..bytes.len() {
            assert_eq!(unpacked(&bytes[..cut]), None, "cut at {cut}");
            let mut other = bytes.clone();
            for flip in [0x01, 0x80, 0xff] {
                other[cut] = bytes[cut] ^ flip;
                // Other messages, or none.
                let _either = unpacked(&other);
            }
        }
        assert_eq!(unpacked(&bytes), Some(wanted));
    }
}
