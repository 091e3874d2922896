//! How the pass is doing, for people.

use jiff::civil::Date;
use serde::{Deserialize, Serialize};
use ts_rs::TS;

/// The model, its limits and what it has cost.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, TS)]
#[ts(export)]
pub struct LlmStatus {
    /// Host and port that are asked.
    pub place: String,
    /// The model.
    pub model: String,
    /// Whether conversations leave this machine.
    pub leaves_machine: bool,
    /// Calls under way.
    #[ts(type = "number")]
    pub in_flight: u64,
    /// Calls that may be under way at a time just now.
    #[ts(type = "number")]
    pub limit: u64,
    /// Calls that may be under way at best.
    #[ts(type = "number")]
    pub limit_max: u64,
    /// Calls since the start, those that failed included.
    #[ts(type = "number")]
    pub calls: u64,
    /// What went wrong since the start: calls without an answer, and answers that could not be used.
    #[ts(type = "number")]
    pub errors: u64,
    /// Answers since the start that could not be used, and were asked for once more.
    #[ts(type = "number")]
    pub repairs: u64,
    /// Tokens of questions since the start.
    #[ts(type = "number")]
    pub tokens_in: u64,
    /// Tokens of answers since the start.
    #[ts(type = "number")]
    pub tokens_out: u64,
    /// What was spent today, before the start of the program too.
    pub today: LlmSpent,
    /// Tokens that today may have.
    #[ts(type = "number | null")]
    pub tokens_per_day: Option<u64>,
    /// What today may cost.
    pub cost_per_day: Option<f64>,
    /// Why nothing is asked just now, if so.
    pub pause: Option<LlmPause>,
    /// What went wrong last.
    pub last_error: Option<String>,
}

/// What one day has taken.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize, TS)]
#[ts(export)]
pub struct LlmSpent {
    /// The day, in the user's time zone.
    #[ts(type = "string")]
    pub day: Date,
    /// Calls that were answered, or probably read.
    #[ts(type = "number")]
    pub calls: u64,
    /// Tokens of questions.
    #[ts(type = "number")]
    pub tokens_in: u64,
    /// Tokens of answers.
    #[ts(type = "number")]
    pub tokens_out: u64,
    /// What they cost by the user's prices.
    pub cost: f64,
}

/// Why and for how long nothing is asked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
#[ts(export)]
pub struct LlmPause {
    /// What the matter is.
    pub why: String,
    /// Seconds that are left.
    #[ts(type = "number")]
    pub seconds: u64,
}
