//! The demo's Telegram export: one `result.json` with several chats.

use serde_json::{Value, json};

use super::ME;
use super::people::DemoChat;
use super::talk::Line;

/// The user's id in the export.
const MY_ID: u64 = 1001;

pub(super) fn export(chats: &[(&DemoChat, Vec<Line>)]) -> String {
    let list: Vec<Value> = chats
        .iter()
        .enumerate()
        .map(|(index, (chat, lines))| one(index, chat, lines))
        .collect();
    let document = json!({
        "about": "Invented chats, to look around with.",
        "personal_information": { "user_id": MY_ID, "first_name": ME },
        "chats": { "about": "", "list": list },
    });
    document.to_string()
}

fn one(index: usize, chat: &DemoChat, lines: &[Line]) -> Value {
    let id_of = |name: &str| match chat.people.iter().position(|p| *p == name) {
        _ if name == ME => format!("user{MY_ID}"),
        place => format!("user{}", 2000 + 100 * index + place.unwrap_or_default()),
    };
    let messages: Vec<Value> = lines
        .iter()
        .enumerate()
        .map(|(n, line)| {
            let mut message = json!({
                "id": n + 1,
                "type": "message",
                "date": line.at.strftime("%Y-%m-%dT%H:%M:%S").to_string(),
                "date_unixtime": line.at.timestamp().as_second().to_string(),
                "from": line.sender,
                "from_id": id_of(line.sender),
                "text": line.text,
            });
            if n % 17 == 5 {
                message["reactions"] = json!([{ "type": "emoji", "count": 1 + n % 3, "emoji": "❤" }]);
            }
            if n % 13 == 4 {
                message["reply_to_message_id"] = json!(n);
            }
            message
        })
        .collect();
    let kind = if chat.people.len() > 2 {
        "private_group"
    } else {
        "personal_chat"
    };
    json!({ "name": chat.title, "type": kind, "id": 7000 + index, "messages": messages })
}
