//! From a model's answer to what is kept of it. An answer is data: it is checked against bounds and shown as text, and
//! nothing in it is ever done.

use std::collections::{BTreeMap, HashSet};

use chatstats_model::MessageId;
use serde::Deserialize;

use crate::result::{LlmEmotion, LlmEntity, LlmHumour, LlmInsight};

// The bounds that the prompt states. A result is a row that is read as a whole and shown in a line.
const SUMMARY_CHARS_MAX: usize = 600;
const TOPICS_MAX: usize = 8;
const TOPIC_CHARS_MAX: usize = 60;
const ENTITIES_MAX: usize = 16;
const NAME_CHARS_MAX: usize = 80;
const EMOTIONS_MAX: usize = 6;

/// Reads an answer to a question with these lines.
///
/// # Errors
///
/// It is not what was asked for: one sentence that the model can be told.
pub(crate) fn read(text: &str, lines: &BTreeMap<u64, MessageId>) -> Result<LlmInsight, String> {
    let said: Said = serde_json::from_str(object(text)?)
        .map_err(|error| format!("it is not the JSON object that was asked for ({error})"))?;
    let insight = LlmInsight {
        summary: words("summary", &said.summary, SUMMARY_CHARS_MAX)?,
        topics: topics(&said.topics)?,
        entities: entities(&said.entities)?,
        emotions: emotions(said.emotions)?,
        humour: LlmHumour {
            score: score("humour", said.humour.score)?,
            message_id: funniest(said.humour.line, lines)?,
        },
    };
    Ok(insight)
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Said {
    summary: String,
    topics: Vec<String>,
    entities: Vec<LlmEntity>,
    emotions: Vec<LlmEmotion>,
    humour: SaidHumour,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct SaidHumour {
    score: f64,
    line: u64,
}

/// An answer without the thoughts before it, for models that think aloud.
pub(crate) fn spoken(text: &str) -> &str {
    text.rsplit_once("</think>").map_or(text, |(_, spoken)| spoken)
}

/// The JSON object in an answer, which some put between fences or greetings.
fn object(text: &str) -> Result<&str, String> {
    let said = spoken(text);
    let object = said.find('{').zip(said.rfind('}'));
    match object {
        Some((from, to)) if from < to => Ok(&said[from..=to]),
        _ => Err("it holds no JSON object".into()),
    }
}

fn topics(said: &[String]) -> Result<Vec<String>, String> {
    at_most("topics", said.len(), TOPICS_MAX)?;
    said.iter()
        .map(|topic| words("a topic", topic, TOPIC_CHARS_MAX))
        .collect()
}

fn entities(said: &[LlmEntity]) -> Result<Vec<LlmEntity>, String> {
    at_most("entities", said.len(), ENTITIES_MAX)?;
    said.iter()
        .map(|entity| {
            let name = words("the name of an entity", &entity.name, NAME_CHARS_MAX)?;
            Ok(LlmEntity {
                name,
                kind: entity.kind,
            })
        })
        .collect()
}

fn emotions(mut said: Vec<LlmEmotion>) -> Result<Vec<LlmEmotion>, String> {
    at_most("emotions", said.len(), EMOTIONS_MAX)?;
    let mut seen = HashSet::new();
    for emotion in &said {
        score("the score of an emotion", emotion.score)?;
        if !seen.insert(emotion.name) {
            return Err("an emotion is named twice".into());
        }
    }
    said.sort_by(|a, b| b.score.total_cmp(&a.score));
    Ok(said)
}

fn funniest(line: u64, lines: &BTreeMap<u64, MessageId>) -> Result<Option<MessageId>, String> {
    if line == 0 {
        return Ok(None);
    }
    match lines.get(&line) {
        Some(message) => Ok(Some(*message)),
        None => Err(format!(
            "the line of humour is {line}, which is not in the conversation"
        )),
    }
}

/// A text with its white space made single, which must say something and not too much.
fn words(what: &str, said: &str, chars_max: usize) -> Result<String, String> {
    let text = said.split_whitespace().collect::<Vec<_>>().join(" ");
    let chars = text.chars().count();
    if text.is_empty() {
        return Err(format!("{what} is empty"));
    }
    if chars > chars_max {
        return Err(format!(
            "{what} has {chars} characters, at most {chars_max} were asked for"
        ));
    }
    if text.chars().any(char::is_control) {
        return Err(format!("{what} holds control characters"));
    }
    Ok(text)
}

fn score(what: &str, score: f64) -> Result<f64, String> {
    if (0.0..=1.0).contains(&score) {
        return Ok(score);
    }
    Err(format!("{what} is {score}, which is not from 0 to 1"))
}

fn at_most(what: &str, count: usize, max: usize) -> Result<(), String> {
    if count <= max {
        return Ok(());
    }
    Err(format!("there are {count} {what}, at most {max} were asked for"))
}

#[cfg(test)]
mod tests;
