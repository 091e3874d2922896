//! What the pass finds.

use chatstats_model::MessageId;
use serde::{Deserialize, Serialize};
use ts_rs::TS;

/// Result of the pass `llm`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, TS)]
#[ts(export)]
pub struct LlmResult {
    /// What the model said; none for a conversation that is too short to ask about.
    pub insight: Option<LlmInsight>,
    /// The model that was asked, as the server calls it.
    pub model: Option<String>,
    /// Messages from the middle of a long conversation that the model has not seen.
    #[ts(type = "number")]
    pub messages_left_out: u64,
}

/// What a model says of a conversation. Its words, not ours: shown as text and nothing else.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, TS)]
#[ts(export)]
pub struct LlmInsight {
    /// What it was about and what came of it: one to three sentences, at most 600 characters.
    pub summary: String,
    /// What was talked about, the most important first: at most 8, of at most 60 characters each.
    pub topics: Vec<String>,
    /// Whom and what was named: at most 16.
    pub entities: Vec<LlmEntity>,
    /// Feelings that show, the strongest first: at most 6.
    pub emotions: Vec<LlmEmotion>,
    /// How funny it is.
    pub humour: LlmHumour,
}

/// Somebody or something that was named.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(deny_unknown_fields)]
#[ts(export)]
pub struct LlmEntity {
    /// The name as it was written, of at most 80 characters.
    pub name: String,
    /// What it is.
    pub kind: LlmEntityKind,
}

/// What is named.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, TS)]
#[serde(rename_all = "lowercase")]
#[ts(export)]
pub enum LlmEntityKind {
    /// A human being, or an animal with a name.
    Person,
    /// A town, a street, a café.
    Place,
    /// A company, a school, a club.
    Organisation,
    /// Something that is made or sold: a phone, a film, a game.
    Product,
    /// Something that happens: a wedding, a match.
    Event,
    /// Anything else.
    Other,
}

/// A feeling that shows in a conversation.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, TS)]
#[serde(deny_unknown_fields)]
#[ts(export)]
pub struct LlmEmotion {
    /// Which.
    pub name: LlmEmotionKind,
    /// How strong, from 0 to 1.
    pub score: f64,
}

/// The feelings that are told apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, TS)]
#[serde(rename_all = "lowercase")]
#[ts(export)]
#[expect(missing_docs, reason = "each is called what it is")]
pub enum LlmEmotionKind {
    Joy,
    Affection,
    Gratitude,
    Pride,
    Hope,
    Relief,
    Surprise,
    Sadness,
    Anger,
    Fear,
    Disgust,
    Guilt,
    Loneliness,
    Boredom,
}

/// How funny a conversation is.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, TS)]
#[ts(export)]
pub struct LlmHumour {
    /// From 0, not meant to be, to 1.
    pub score: f64,
    /// The funniest message, where there is one.
    pub message_id: Option<MessageId>,
}
