//! What the user sets.

use std::time::Duration;

use serde::Deserialize;

use crate::Secret;
use crate::endpoint::Endpoint;
use crate::prompt;

/// Calls in flight at most. A hosted server with a limit of its own says so and is heeded; beyond this the page's own
/// work would feel the threads.
const CONCURRENCY_MAX: u32 = 64;

/// The longest a conversation may take. Whoever waits longer for an answer is not told the truth about its server.
const TIMEOUT_S_MAX: u64 = 3_600;

/// An answer of all fields at their bounds has about this many tokens; a smaller allowance would cut good ones off.
const ANSWER_TOKENS_MIN: u32 = 400;

/// What must be left for the conversation itself.
const TRANSCRIPT_TOKENS_MIN: u64 = 500;

/// The longest name of a language: it becomes part of the question.
const LANGUAGE_BYTES_MAX: usize = 60;

/// How the model is asked. The defaults are those of Ollama on the same machine, and off.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Settings {
    /// Whether the user has switched the pass on.
    pub enabled: bool,
    /// Where the server's API begins, `http` or `https`: `/chat/completions` is added to it.
    pub base_url: String,
    /// Whether the user agrees that conversations are sent to another machine, where `base_url` names one.
    pub may_leave_machine: bool,
    /// The key that the server asks for, where it does.
    pub api_key: Option<Secret>,
    /// The model's name, as the server knows it.
    pub model: String,
    /// Calls in flight at most, 1 to 64. Fewer are, while the server says that it is busy.
    pub concurrency_max: u32,
    /// Calls a minute at most.
    pub requests_per_minute: Option<u32>,
    /// Tokens a day at most, those of questions and answers together.
    pub tokens_per_day: Option<u64>,
    /// What a day may cost at most, in the currency of the two prices.
    pub cost_per_day: Option<f64>,
    /// The price of a million tokens of questions, in the user's currency.
    pub price_in: Option<f64>,
    /// The price of a million tokens of answers, in the user's currency.
    pub price_out: Option<f64>,
    /// The longest one conversation may take, in seconds: waiting for its turn, the answer, and a second one where the
    /// first cannot be used.
    pub timeout_s: u64,
    /// How many tokens the model takes in one call, question and answer together. Longer conversations lose their
    /// middle. Ollama takes 4,096 unless it is told otherwise, and silently drops what is beyond.
    pub context_tokens: u32,
    /// How many tokens an answer may have. Models that think aloud need more.
    pub answer_tokens_max: u32,
    /// Conversations with fewer written messages are not asked about: there is nothing to sum up.
    pub messages_min: u32,
    /// The language of summaries and topics, in English, such as `German`; without one, that of the conversation.
    pub language: Option<String>,
}

/// What is wrong with the settings, and what would be right.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SettingsError {
    /// The address cannot be used. It is not repeated: it may hold a password.
    #[error("base_url cannot be used: {0}")]
    BaseUrl(String),
    /// The address is another machine's, and the user has not agreed to that.
    #[error("{0} Set may_leave_machine = true if that is what you want.")]
    LeavesMachine(String),
    /// The key holds what no header can carry.
    #[error("api_key holds a line break or another character that cannot be sent")]
    Key,
    /// No model is named.
    #[error("model is empty: name one that the server has, such as \"llama3.2\"")]
    Model,
    /// A number is out of its range.
    #[error("{name} is {value}: it must be {wanted}")]
    Range {
        /// The setting.
        name: &'static str,
        /// What it is.
        value: String,
        /// What it may be.
        wanted: String,
    },
    /// A budget in money without prices.
    #[error("cost_per_day needs price_in and price_out, for a million tokens each")]
    Prices,
    /// The language is too long or holds what would break the question.
    #[error("language must be a plain name of at most {LANGUAGE_BYTES_MAX} bytes, such as \"German\"")]
    Language,
    /// The certificates of this machine cannot be read, and the address needs them.
    #[error("no certificates to check https servers with were found on this machine: {0}")]
    Certificates(String),
}

impl Default for Settings {
    fn default() -> Self {
        Settings {
            enabled: false,
            base_url: "http://localhost:11434/v1".into(),
            may_leave_machine: false,
            api_key: None,
            model: String::new(),
            concurrency_max: 4,
            requests_per_minute: None,
            tokens_per_day: None,
            cost_per_day: None,
            price_in: None,
            price_out: None,
            timeout_s: 50,
            context_tokens: 4_096,
            answer_tokens_max: 800,
            messages_min: 4,
            language: None,
        }
    }
}

impl Settings {
    /// Whether conversations leave this machine with these settings. An address that cannot be read counts as one that
    /// does.
    pub fn leaves_machine(&self) -> bool {
        Endpoint::parse(&self.base_url).map_or(true, |endpoint| !endpoint.is_here)
    }

    /// What people must read before they agree; none where nothing leaves the machine.
    pub fn warning(&self) -> Option<String> {
        if !self.leaves_machine() {
            return None;
        }
        let Ok(endpoint) = Endpoint::parse(&self.base_url) else {
            return Some("Your conversations would leave this computer.".into());
        };
        let place = &endpoint.place;
        let open = if endpoint.is_tls {
            ""
        } else {
            " They are sent unencrypted: whoever is on the way can read them."
        };
        Some(format!(
            "Your conversations, with names and times, leave this computer: they are sent to {place}, and its \
             operator can read and keep them.{open}"
        ))
    }

    /// The longest that one run of the pass takes: whoever watches over its thread must wait for longer.
    pub fn run_time_max(&self) -> Duration {
        Duration::from_secs(self.timeout_s)
    }

    /// Checks everything but the server.
    ///
    /// # Errors
    ///
    /// The first thing that is wrong.
    pub fn check(&self) -> Result<(), SettingsError> {
        self.endpoint()?;
        if self.model.trim().is_empty() {
            return Err(SettingsError::Model);
        }
        let key = self.api_key.as_ref().map_or("", Secret::reveal);
        if http::HeaderValue::from_str(key).is_err() {
            return Err(SettingsError::Key);
        }
        self.check_language()?;
        self.check_numbers()?;
        self.check_budgets()
    }

    pub(crate) fn endpoint(&self) -> Result<Endpoint, SettingsError> {
        let endpoint = Endpoint::parse(&self.base_url).map_err(SettingsError::BaseUrl)?;
        match self.warning() {
            Some(warning) if !self.may_leave_machine => Err(SettingsError::LeavesMachine(warning)),
            _ => Ok(endpoint),
        }
    }

    /// Tokens that a conversation may have at most.
    pub(crate) fn transcript_tokens(&self) -> u64 {
        u64::from(self.context_tokens)
            .saturating_sub(u64::from(self.answer_tokens_max))
            .saturating_sub(prompt::frame_tokens())
    }

    /// What so many tokens cost, in the currency of the prices.
    pub(crate) fn cost(&self, tokens_in: u64, tokens_out: u64) -> f64 {
        let price = |per_million: Option<f64>, tokens: u64| per_million.unwrap_or(0.0) * tokens as f64 / 1e6;
        price(self.price_in, tokens_in) + price(self.price_out, tokens_out)
    }

    fn check_language(&self) -> Result<(), SettingsError> {
        let Some(language) = &self.language else {
            return Ok(());
        };
        let plain = |c: char| c.is_alphanumeric() || matches!(c, ' ' | '-' | '(' | ')');
        if language.is_empty() || language.len() > LANGUAGE_BYTES_MAX || !language.chars().all(plain) {
            return Err(SettingsError::Language);
        }
        Ok(())
    }

    fn check_numbers(&self) -> Result<(), SettingsError> {
        let in_range = |name, value: u64, least: u64, most: u64| {
            let wanted = if most == u64::MAX {
                format!("at least {least}")
            } else {
                format!("from {least} to {most}")
            };
            let value = if (least..=most).contains(&value) {
                None
            } else {
                Some(value.to_string())
            };
            value.map_or(Ok(()), |value| Err(SettingsError::Range { name, value, wanted }))
        };
        in_range(
            "concurrency_max",
            self.concurrency_max.into(),
            1,
            CONCURRENCY_MAX.into(),
        )?;
        in_range("timeout_s", self.timeout_s, 1, TIMEOUT_S_MAX)?;
        in_range(
            "answer_tokens_max",
            self.answer_tokens_max.into(),
            ANSWER_TOKENS_MIN.into(),
            65_536,
        )?;
        let least = prompt::frame_tokens() + u64::from(self.answer_tokens_max) + TRANSCRIPT_TOKENS_MIN;
        in_range("context_tokens", self.context_tokens.into(), least, u64::MAX)?;
        in_range(
            "requests_per_minute",
            self.requests_per_minute.unwrap_or(1).into(),
            1,
            u64::MAX,
        )?;
        // A budget that a single call exceeds would wait for ever.
        in_range(
            "tokens_per_day",
            self.tokens_per_day.unwrap_or(u64::MAX),
            self.context_tokens.into(),
            u64::MAX,
        )
    }

    fn check_budgets(&self) -> Result<(), SettingsError> {
        let positive = |name, value: Option<f64>, least: f64| match value {
            Some(value) if !(value.is_finite() && value >= least) => Err(SettingsError::Range {
                name,
                value: value.to_string(),
                wanted: format!("at least {least}"),
            }),
            _ => Ok(()),
        };
        positive("price_in", self.price_in, 0.0)?;
        positive("price_out", self.price_out, 0.0)?;
        if self.cost_per_day.is_some() && (self.price_in.is_none() || self.price_out.is_none()) {
            return Err(SettingsError::Prices);
        }
        let answer = u64::from(self.answer_tokens_max);
        let dearest = self.cost(u64::from(self.context_tokens).saturating_sub(answer), answer);
        positive("cost_per_day", self.cost_per_day, dearest)
    }
}

#[cfg(test)]
mod tests;
