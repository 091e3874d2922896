//! One record as Telegram Desktop writes it.
//!
//! Only what is used has a field; the rest is passed over, so that a new version of the app breaks nothing.

use std::borrow::Cow;

use serde::Deserialize;
use serde::de::{self, Deserializer, MapAccess, SeqAccess, Visitor};

/// A message or a service row.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Row<'a> {
    pub(super) id: Option<i64>,
    #[serde(rename = "type", borrow)]
    pub(super) kind: Option<Cow<'a, str>>,
    #[serde(borrow)]
    pub(super) date: Option<Cow<'a, str>>,
    #[serde(borrow)]
    pub(super) date_unixtime: Option<Word<'a>>,
    #[serde(borrow)]
    pub(super) edited: Option<Cow<'a, str>>,
    #[serde(borrow)]
    pub(super) edited_unixtime: Option<Word<'a>>,
    #[serde(borrow)]
    pub(super) from: Option<Cow<'a, str>>,
    #[serde(borrow)]
    pub(super) from_id: Option<Word<'a>>,
    #[serde(borrow)]
    pub(super) actor: Option<Cow<'a, str>>,
    #[serde(borrow)]
    pub(super) action: Option<Cow<'a, str>>,
    #[serde(borrow)]
    pub(super) title: Option<Cow<'a, str>>,
    #[serde(borrow)]
    pub(super) new_title: Option<Cow<'a, str>>,
    pub(super) members: Option<Vec<Option<String>>>,
    #[serde(borrow)]
    pub(super) inviter: Option<Cow<'a, str>>,
    #[serde(borrow)]
    pub(super) discard_reason: Option<Cow<'a, str>>,
    pub(super) duration_seconds: Option<i64>,
    #[serde(borrow)]
    pub(super) text: Text<'a>,
    #[serde(borrow)]
    pub(super) text_entities: Text<'a>,
    pub(super) reply_to_message_id: Option<i64>,
    #[serde(borrow)]
    pub(super) reply_to_peer_id: Option<Word<'a>>,
    pub(super) reactions: Vec<RawReaction>,
    #[serde(borrow)]
    pub(super) photo: Option<Cow<'a, str>>,
    pub(super) photo_file_size: Option<u64>,
    #[serde(borrow)]
    pub(super) file: Option<Cow<'a, str>>,
    #[serde(borrow)]
    pub(super) file_name: Option<Cow<'a, str>>,
    pub(super) file_size: Option<u64>,
    #[serde(borrow)]
    pub(super) media_type: Option<Cow<'a, str>>,
    #[serde(borrow)]
    pub(super) mime_type: Option<Cow<'a, str>>,
    pub(super) location_information: Option<de::IgnoredAny>,
    #[serde(borrow)]
    pub(super) place_name: Option<Cow<'a, str>>,
    pub(super) contact_information: Option<ContactCard>,
    pub(super) poll: Option<Poll>,
    pub(super) game_title: Option<String>,
    pub(super) invoice_information: Option<de::IgnoredAny>,
}

/// A contact that was sent.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct ContactCard {
    pub(super) first_name: String,
    pub(super) last_name: String,
    pub(super) phone_number: String,
}

/// A poll.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Poll {
    pub(super) question: String,
    pub(super) answers: Vec<Answer>,
}

/// One answer of a poll.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Answer {
    pub(super) text: String,
}

/// How many gave one reaction, and some of those who did.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct RawReaction {
    #[serde(rename = "type")]
    pub(super) kind: Option<String>,
    pub(super) count: u32,
    pub(super) emoji: Option<String>,
    pub(super) document_id: Option<String>,
    pub(super) recent: Vec<Reactor>,
}

/// Somebody who reacted.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Reactor {
    pub(super) from: Option<String>,
}

/// A text: a string, or strings and entities one after the other.
#[derive(Debug, Default)]
pub(super) struct Text<'a>(pub(super) Cow<'a, str>);

/// A number or a string: versions of the app differ.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Word<'a>(pub(super) Cow<'a, str>);

/// One piece of a text.
struct Piece<'a>(Cow<'a, str>);

impl<'de: 'a, 'a> Deserialize<'de> for Text<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct TextVisitor;
        impl<'de> Visitor<'de> for TextVisitor {
            type Value = Text<'de>;
            fn expecting(&self, f: &mut std::fmt::Formatter) -> std::fmt::Result {
                f.write_str("a text, or a list of texts and entities")
            }
            fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Self::Value, E> {
                Ok(Text(Cow::Borrowed(text)))
            }
            fn visit_str<E>(self, text: &str) -> Result<Self::Value, E> {
                Ok(Text(Cow::Owned(text.to_owned())))
            }
            fn visit_unit<E>(self) -> Result<Self::Value, E> {
                Ok(Text::default())
            }
            fn visit_seq<A: SeqAccess<'de>>(self, mut pieces: A) -> Result<Self::Value, A::Error> {
                let mut text = String::new();
                while let Some(Piece(piece)) = pieces.next_element()? {
                    text.push_str(&piece);
                }
                Ok(Text(Cow::Owned(text)))
            }
        }
        deserializer.deserialize_any(TextVisitor)
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Piece<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct PieceVisitor;
        impl<'de> Visitor<'de> for PieceVisitor {
            type Value = Piece<'de>;
            fn expecting(&self, f: &mut std::fmt::Formatter) -> std::fmt::Result {
                f.write_str("a text or an entity")
            }
            fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Self::Value, E> {
                Ok(Piece(Cow::Borrowed(text)))
            }
            fn visit_str<E>(self, text: &str) -> Result<Self::Value, E> {
                Ok(Piece(Cow::Owned(text.to_owned())))
            }
            fn visit_map<A: MapAccess<'de>>(self, mut entity: A) -> Result<Self::Value, A::Error> {
                let mut text = Cow::Borrowed("");
                while let Some(Piece(key)) = entity.next_key()? {
                    if key == "text" {
                        text = entity.next_value::<Piece>()?.0;
                    } else {
                        entity.next_value::<de::IgnoredAny>()?;
                    }
                }
                Ok(Piece(text))
            }
        }
        deserializer.deserialize_any(PieceVisitor)
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Word<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct WordVisitor;
        impl<'de> Visitor<'de> for WordVisitor {
            type Value = Word<'de>;
            fn expecting(&self, f: &mut std::fmt::Formatter) -> std::fmt::Result {
                f.write_str("a number or a text")
            }
            fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Self::Value, E> {
                Ok(Word(Cow::Borrowed(text)))
            }
            fn visit_str<E>(self, text: &str) -> Result<Self::Value, E> {
                Ok(Word(Cow::Owned(text.to_owned())))
            }
            fn visit_i64<E>(self, number: i64) -> Result<Self::Value, E> {
                Ok(Word(Cow::Owned(number.to_string())))
            }
            fn visit_u64<E>(self, number: u64) -> Result<Self::Value, E> {
                Ok(Word(Cow::Owned(number.to_string())))
            }
        }
        deserializer.deserialize_any(WordVisitor)
    }
}
