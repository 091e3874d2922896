//! Messages for tests.

use chatstats_model::{ChatId, ContactId, Kind, Message, MessageId, Timestamp};

/// A text by a contact (1 is the user), so many seconds after 2024-01-31T12:00:00Z. Its id is the second.
pub(crate) fn message(at_s: i64, contact: i64, text: &str) -> Message {
    const NOON: i64 = 1_706_702_400;
    Message {
        id: MessageId(at_s),
        chat_id: ChatId(1),
        sender_id: Some(ContactId(contact)),
        sender: Some(format!("Contact {contact}").into()),
        is_from_me: contact == 1,
        content: text.to_owned(),
        timestamp: Timestamp::from_seconds(NOON + at_s).expect("a time of this century"),
        kind: Kind::Text,
        reply_to: None,
        edited_at: None,
        reactions: Vec::new(),
        attachments: Vec::new(),
    }
}

/// A conversation of two who take turns, a line each, ten seconds apart.
pub(crate) fn turns(lines: &[&str]) -> Vec<Message> {
    let lines = lines.iter().zip(0..);
    lines.map(|(text, i)| message(i * 10, 1 + i % 2, text)).collect()
}
