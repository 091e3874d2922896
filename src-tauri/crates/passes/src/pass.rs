//! What a pass is.

use std::collections::BTreeMap;

use chatstats_model::Message;
use jiff::tz::TimeZone;
use serde::Serialize;
use serde::de::DeserializeOwned;

/// One kind of analysis.
pub trait Pass: Send + Sync {
    /// Its name, which never changes: results are stored under it. Lower case, one word.
    fn name(&self) -> &'static str;

    /// Grows with every change that changes results: stored ones of older versions are then out of date.
    fn version(&self) -> u32;

    /// One sentence for people: what it finds.
    fn about(&self) -> &'static str;

    /// When it runs.
    fn cadence(&self) -> Cadence {
        Cadence::Batch
    }

    /// Of two that could run, the one with the higher number runs first.
    fn priority(&self) -> u8 {
        0
    }

    /// Whether it spends its time waiting for somebody else and not computing: then many of it run at a time, apart
    /// from those that compute.
    fn waits(&self) -> bool {
        false
    }

    /// The passes whose results it reads. They run before it.
    fn needs(&self) -> &'static [&'static str] {
        &[]
    }

    /// The result, as JSON.
    ///
    /// # Errors
    ///
    /// Only for what a second try or a newer version could mend; a conversation that says nothing to this pass has a
    /// result that says so.
    fn run(&self, input: &Input<'_>) -> Result<String, PassError>;
}

/// When a pass runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cadence {
    /// On every arrival, while the conversation is still open, and once more when it is sealed. Must be cheap.
    Live,
    /// Once the conversation is sealed.
    Batch,
}

/// What a pass reads.
#[derive(Clone, Copy, Debug)]
pub struct Input<'a> {
    /// The conversation's messages, by time, then id. Never empty.
    pub messages: &'a [Message],
    /// Whether more than two people can write in the chat.
    pub is_group: bool,
    /// The user's time zone: what a night is, and what "tomorrow" means.
    pub zone: &'a TimeZone,
    /// The results of the passes it [needs](Pass::needs).
    pub results: &'a Results,
}

/// Results of other passes on the same conversation, by the pass's name.
#[derive(Clone, Debug, Default)]
pub struct Results(BTreeMap<&'static str, String>);

impl Results {
    /// Notes a result.
    pub fn insert(&mut self, pass: &'static str, json: String) {
        self.0.insert(pass, json);
    }

    /// A result, read.
    ///
    /// # Errors
    ///
    /// It is missing or of another shape: permanent, because a second try would find the same.
    pub fn get<T: DeserializeOwned>(&self, pass: &str) -> Result<T, PassError> {
        let json = self.0.get(pass);
        let json = json.ok_or_else(|| PassError::Permanent(format!("the result of {pass} is missing")))?;
        serde_json::from_str(json)
            .map_err(|error| PassError::Permanent(format!("the result of {pass} cannot be read: {error}")))
    }
}

/// Why a pass has no result.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PassError {
    /// Trying again may help.
    #[error("{0}")]
    Transient(String),
    /// Trying again will not help.
    #[error("{0}")]
    Permanent(String),
    /// It is not the conversation's fault: whoever is asked is busy, or a budget is used up. Trying again after
    /// `wait` may help, and this try counts for nothing.
    #[error("{error}")]
    NotNow {
        /// What is the matter.
        error: String,
        /// Before the next try.
        wait: std::time::Duration,
    },
}

/// Writes a result. The types of results are plain structs, whose JSON cannot fail; if it did, it would do so again.
pub(crate) fn json(result: &impl Serialize) -> Result<String, PassError> {
    serde_json::to_string(result).map_err(|error| PassError::Permanent(error.to_string()))
}
