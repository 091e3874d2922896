//! The way through a document: the root is a chat itself, or holds lists of chats.

use std::io::Read;

use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::json::{Json, JsonError, Value};
use super::row::Word;
use crate::ImportError;

/// The largest value beside the messages that is looked into: names, ids and the user's own card.
const FIELD_BYTES_MAX: usize = 64 * 1024;

/// What a chat says of itself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Head {
    pub(super) id: Option<String>,
    pub(super) name: Option<String>,
    pub(super) kind: Option<String>,
}

/// Meets what is in a document, in its order.
pub(super) trait Visit {
    /// A chat, or the root, begins.
    fn begin(&mut self, place: &str);
    /// An array of messages is next, of a chat of which so much is known; must be passed.
    fn messages<R: Read>(&mut self, json: &mut Json<R>, head: &Head) -> Result<(), Stop>;
    /// The chat, or the root, ends.
    fn end(&mut self, head: Head);
    /// The user's own account.
    fn user(&mut self, id: String);
    /// Something else stands where a chat should.
    fn stray(&mut self, place: &str, excerpt: &[u8]) -> Result<(), Stop>;
}

/// Why the way ends early.
pub(super) enum Stop {
    /// The document cannot be read on.
    Json(JsonError),
    /// The sink takes no more.
    Import(ImportError),
}

impl From<JsonError> for Stop {
    fn from(error: JsonError) -> Self {
        Stop::Json(error)
    }
}

impl From<ImportError> for Stop {
    fn from(error: ImportError) -> Self {
        Stop::Import(error)
    }
}

/// Walks through a document.
pub(super) fn document<R: Read>(json: &mut Json<R>, visit: &mut impl Visit) -> Result<(), Stop> {
    chat(json, "", visit)?;
    Ok(json.finish()?)
}

fn chat<R: Read>(json: &mut Json<R>, place: &str, visit: &mut impl Visit) -> Result<(), Stop> {
    let is_root = place.is_empty();
    let mut head = Head::default();
    visit.begin(place);
    json.enter(b'{')?;
    while let Some(key) = json.next_key()? {
        match key.as_str() {
            "id" => head.id = field::<Id>(json)?.map(|id| id.0),
            "name" => head.name = field(json)?,
            "type" => head.kind = field(json)?,
            "messages" if json.peek()? == Some(b'[') => visit.messages(json, &head)?,
            "personal_information" if is_root => {
                if let Some(user) = field::<User>(json)?.and_then(|user| user.user_id) {
                    visit.user(user.0);
                }
            }
            "chats" | "left_chats" if is_root && json.peek()? == Some(b'{') => chats(json, &key, visit)?,
            _ => json.skip()?,
        }
    }
    visit.end(head);
    Ok(())
}

#[derive(Deserialize)]
struct User {
    user_id: Option<Id>,
}

/// A number or a string.
struct Id(String);

impl<'de> Deserialize<'de> for Id {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Word::deserialize(deserializer).map(|word| Id(word.0.into_owned()))
    }
}

fn chats<R: Read>(json: &mut Json<R>, name: &str, visit: &mut impl Visit) -> Result<(), Stop> {
    json.enter(b'{')?;
    while let Some(key) = json.next_key()? {
        if key != "list" || json.peek()? != Some(b'[') {
            json.skip()?;
            continue;
        }
        json.enter(b'[')?;
        let mut number = 0;
        while json.next_element()? {
            let place = format!("{name}.list[{number}]");
            if json.peek()? == Some(b'{') {
                chat(json, &place, visit)?;
            } else {
                let excerpt = match json.value(FIELD_BYTES_MAX)? {
                    Value::Whole(bytes) | Value::TooLarge(bytes) => bytes.to_vec(),
                };
                visit.stray(&place, &excerpt)?;
            }
            number += 1;
        }
    }
    Ok(())
}

/// A value of a known type; none if it is null, too large, or something else.
fn field<T: DeserializeOwned>(json: &mut Json<impl Read>) -> Result<Option<T>, Stop> {
    match json.value(FIELD_BYTES_MAX)? {
        Value::Whole(bytes) => Ok(serde_json::from_slice(bytes).ok()),
        Value::TooLarge(_) => Ok(None),
    }
}
