//! The pass that asks a language model: what a conversation was about, in words.
//!
//! Speaks the chat completions of OpenAI, which Ollama, llama.cpp, LM Studio and hosted models answer too. It is off
//! until the user switches it on, and an address outside this machine needs a second, explicit yes
//! ([`Settings::may_leave_machine`]).
//!
//! Unlike other passes it is no pure function: asked twice, a model may answer in other words. It knows no database
//! and no server; what was spent is kept by whoever implements [`Ledger`].

mod answer;
mod ask;
mod budget;
mod client;
mod counters;
mod endpoint;
mod gate;
mod pass;
mod prompt;
mod protocol;
mod refusal;
mod result;
mod secret;
mod settings;
mod status;
mod tokens;
mod transcript;

pub use budget::{Forgetful, Ledger};
pub use pass::{LlmPass, World};
pub use result::{LlmEmotion, LlmEmotionKind, LlmEntity, LlmEntityKind, LlmHumour, LlmInsight, LlmResult};
pub use secret::Secret;
pub use settings::{Settings, SettingsError};
pub use status::{LlmPause, LlmSpent, LlmStatus};
