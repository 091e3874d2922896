//! Commitments: promises and requests, who is to do what by when, and whether it was done.
//!
//! DuePrecision before recall: what is listed should be a promise or a request, and not all of them are found. Whether
//! a later conversation fulfilled one is for [`reconcile`], which reads the results of all conversations of a chat.

mod find;
mod fulfil;
mod people;
mod reconcile;
mod rules;
mod sentences;

use chatstats_model::{ContactId, Message, MessageId, Timestamp};
use serde::{Deserialize, Serialize};
use ts_rs::TS;

use crate::dates::{DuePrecision, Language};
use crate::pass::{Input, Pass, PassError, json};
use crate::text::{head, written};
pub use reconcile::{SettledCommitment, reconcile};

/// The pass.
#[derive(Clone, Copy, Debug)]
pub struct CommitmentsPass;

impl Pass for CommitmentsPass {
    fn name(&self) -> &'static str {
        "commitments"
    }

    fn version(&self) -> u32 {
        1
    }

    fn about(&self) -> &'static str {
        "Promises and requests: who is to do what, by when, and whether it was done."
    }

    fn needs(&self) -> &'static [&'static str] {
        &["language"]
    }

    fn run(&self, input: &Input<'_>) -> Result<String, PassError> {
        // Without a language all rules are tried, as for a conversation too short to tell it.
        let spoken = input
            .results
            .get::<Spoken>("language")
            .ok()
            .and_then(|result| result.language);
        json(&commitments(input, spoken.as_deref()))
    }
}

/// What is read of the `language` pass.
#[derive(Deserialize)]
struct Spoken {
    #[serde(default)]
    language: Option<String>,
}

/// What one conversation says of commitments.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, TS)]
#[ts(export)]
pub struct Commitments {
    /// Promises and requests, in the order in which they were written.
    pub found: Vec<Commitment>,
    /// What was said to be done and fulfils nothing in this conversation: it may fulfil something of an earlier one.
    pub signals: Vec<DoneSignal>,
    /// How many more of either there were than are kept.
    #[ts(type = "number")]
    pub left_out: u32,
}

/// A promise or a request.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
#[ts(export)]
pub struct Commitment {
    /// The message's id and the sentence's place in it, from 0: `1234:0`. Unique; it stays as long as the message does.
    pub key: String,
    /// The message that says it.
    pub message_id: MessageId,
    /// When it was said.
    pub at: Timestamp,
    /// Which of the two it is.
    pub kind: CommitmentKind,
    /// Who promises or asks, where the source tells.
    pub by: Option<ContactId>,
    /// Whether that is the user.
    pub by_me: bool,
    /// Who is asked, where that is clear. A promise has none.
    pub to: Option<ContactId>,
    /// Whether the user is asked.
    pub to_me: bool,
    /// The sentence, at most 280 characters of it.
    pub text: String,
    /// What is to be done, roughly.
    pub act: Act,
    /// The words that say what it is about, in lower case: fulfilment is recognised by them.
    pub words: Vec<String>,
    /// The last second of the time by which it is due.
    pub due: Option<Timestamp>,
    /// How exactly that was said.
    pub due_precision: Option<DuePrecision>,
    /// Whether this conversation shows that it was done.
    pub status_in_conversation: StatusInConversation,
    /// The message that shows it.
    pub done_by: Option<MessageId>,
}

/// What a commitment is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, TS)]
#[serde(rename_all = "lowercase")]
#[ts(export)]
pub enum CommitmentKind {
    /// The writer will do it.
    Promise,
    /// The writer asks somebody to do it.
    Request,
}

/// What one conversation knows of a commitment's end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, TS)]
#[serde(rename_all = "lowercase")]
#[ts(export)]
pub enum StatusInConversation {
    /// Nothing shows that it was done.
    Open,
    /// A later message of the conversation shows that it was done.
    Done,
}

/// Kinds of deeds: what was promised and what was done are compared by them, across languages.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, TS)]
#[serde(rename_all = "lowercase")]
#[ts(export)]
pub enum Act {
    /// To send or share something.
    Send,
    /// To call or write to somebody.
    Call,
    /// To pay or transfer money.
    Pay,
    /// To buy, order or fetch something.
    Buy,
    /// To bring or hand over something.
    Bring,
    /// To book, arrange or cancel something.
    Book,
    /// To find out or look at something.
    Ask,
    /// To repair, change or take care of something.
    Fix,
    /// To tell or remind somebody.
    Tell,
    /// To give something back.
    Return,
    /// To help, drive or pick up somebody.
    Help,
    /// To be somewhere.
    Be,
    /// To do something else.
    Do,
    /// Of a signal: not said; "done".
    Any,
}

/// Somebody says to have done something.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
#[ts(export)]
pub struct DoneSignal {
    /// The message that says so.
    pub message_id: MessageId,
    /// When.
    pub at: Timestamp,
    /// Who did it, where the source tells.
    pub by: Option<ContactId>,
    /// Whether that is the user.
    pub by_me: bool,
    /// What was done, roughly.
    pub act: Act,
    /// The words that say what it is about.
    pub words: Vec<String>,
}

/// Promises and requests that are kept of one conversation; more come from lists that were pasted.
const FOUND_MAX: usize = 500;
/// Signals that are kept of one conversation.
const SIGNALS_MAX: usize = 100;
/// Characters of a sentence that are kept: two lines on a screen.
const TEXT_MAX: usize = 280;
/// Bytes of a message that are read: beyond is a pasted document.
const MESSAGE_MAX: usize = 8_000;

/// The commitments of a conversation in a language (ISO 639-1), or in any of those known if it is none.
pub fn commitments(input: &Input<'_>, language: Option<&str>) -> Commitments {
    let languages = languages(language);
    let mut open = fulfil::Open::default();
    for (index, message) in input.messages.iter().enumerate() {
        open.attachments(index, message);
        if let Some(text) = written(message).map(|text| head(text, MESSAGE_MAX)) {
            read(input, index, text, &languages, &mut open);
        }
    }
    open.finish()
}

/// English is understood besides any other language: chats mix it in.
fn languages(spoken: Option<&str>) -> Vec<Language> {
    match spoken {
        None => Language::ALL.to_vec(),
        Some(code) => {
            let mut languages: Vec<_> = Language::of(code).into_iter().chain([Language::En]).collect();
            languages.dedup();
            languages
        }
    }
}

fn read(input: &Input<'_>, index: usize, text: &str, languages: &[Language], open: &mut fulfil::Open) {
    let languages = find::could_be_in(text, languages);
    if languages.is_empty() {
        return;
    }
    let message = &input.messages[index];
    let context = find::Context {
        sent: message.timestamp,
        zone: input.zone,
        languages: &languages,
    };
    let mut found = Vec::new();
    for (place, sentence) in sentences::sentences(text).iter().enumerate() {
        if let Some(hit) = find::find(sentence, context) {
            found.push(commitment(input, message, place, sentence, &hit));
        } else if let Some((act, words)) = fulfil::said_done(sentence, &languages) {
            let (by, by_me) = (message.sender_id, message.is_from_me);
            let signal = DoneSignal {
                message_id: message.id,
                at: message.timestamp,
                by,
                by_me,
                act,
                words,
            };
            open.signal(index, signal);
        }
    }
    open.add(index, found);
}

fn commitment(
    input: &Input<'_>,
    message: &Message,
    place: usize,
    sentence: &sentences::Sentence<'_>,
    hit: &find::Hit,
) -> Commitment {
    let asked = match hit.kind {
        CommitmentKind::Request => people::asked(input, message, sentence),
        CommitmentKind::Promise => people::Asked::default(),
    };
    Commitment {
        key: format!("{}:{place}", message.id),
        message_id: message.id,
        at: message.timestamp,
        kind: hit.kind,
        by: message.sender_id,
        by_me: message.is_from_me,
        to: asked.contact,
        to_me: asked.me,
        text: sentence.text.chars().take(TEXT_MAX).collect(),
        act: hit.act,
        words: fulfil::content_words(&sentence.words, hit.language),
        due: hit.due.map(|due| due.at),
        due_precision: hit.due.map(|due| due.precision),
        status_in_conversation: StatusInConversation::Open,
        done_by: None,
    }
}

#[cfg(test)]
mod tests;
