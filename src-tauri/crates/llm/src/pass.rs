//! The pass.

use std::fmt;
use std::sync::Arc;

use chatstats_model::Timestamp;
use chatstats_passes::{Input, Pass, PassError};
use jiff::tz::TimeZone;
use tokio::runtime::Handle;
use tokio_util::sync::CancellationToken;

use crate::ask::Asker;
use crate::budget::{Budget, Ledger};
use crate::client::Client;
use crate::prompt;
use crate::refusal::Refusal;
use crate::result::LlmResult;
use crate::settings::{Settings, SettingsError};
use crate::status::LlmStatus;
use crate::transcript;

/// How long a task waits that was interrupted because the program ends: the next start finds it.
const SHUTDOWN_WAIT: std::time::Duration = std::time::Duration::from_secs(1);

/// What the pass needs of the program around it.
pub struct World {
    /// Where calls run: a runtime of several threads, with IO and time, that outlives the pass's runs.
    pub runtime: Handle,
    /// Ends calls under way.
    pub shutdown: CancellationToken,
    /// Keeps what was spent.
    pub ledger: Box<dyn Ledger>,
    /// The user's time zone: when a day's budget begins anew.
    pub zone: TimeZone,
    /// Tells the time.
    pub now: Arc<dyn Fn() -> Timestamp + Send + Sync>,
}

/// Asks a language model about a conversation. A cheap handle.
///
/// Its results depend on the model: with another one, run it anew to have all results of the same.
#[derive(Clone)]
pub struct LlmPass(Arc<Inner>);

struct Inner {
    asker: Asker,
    place: String,
    runtime: Handle,
    shutdown: CancellationToken,
}

impl LlmPass {
    /// The pass with these settings, which are checked. Asks nothing yet.
    ///
    /// # Errors
    ///
    /// The settings cannot be used. Whether the user has switched it on is the caller's to look at.
    pub fn new(settings: Settings, world: World) -> Result<Self, SettingsError> {
        settings.check()?;
        let endpoint = settings.endpoint()?;
        let client = Client::new(&endpoint, settings.api_key.as_ref())?;
        let budget = Budget::new(settings.clone(), world.ledger, world.zone, world.now);
        Ok(Self(Arc::new(Inner {
            asker: Asker::new(settings, client, budget),
            place: endpoint.place,
            runtime: world.runtime,
            shutdown: world.shutdown,
        })))
    }

    /// How it is doing.
    pub fn status(&self) -> LlmStatus {
        let asker = &self.0.asker;
        let counted = asker.counters.read();
        LlmStatus {
            place: self.0.place.clone(),
            model: asker.settings.model.clone(),
            leaves_machine: asker.settings.leaves_machine(),
            in_flight: asker.gate.in_flight() as u64,
            limit: asker.gate.limit() as u64,
            limit_max: asker.settings.concurrency_max.into(),
            calls: counted.calls,
            errors: counted.errors,
            repairs: counted.repairs,
            tokens_in: counted.tokens_in,
            tokens_out: counted.tokens_out,
            today: asker.budget.spent(),
            tokens_per_day: asker.settings.tokens_per_day,
            cost_per_day: asker.settings.cost_per_day,
            pause: asker.gate.pause(),
            last_error: counted.last_error,
        }
    }

    async fn find(&self, input: &Input<'_>) -> Result<LlmResult, Refusal> {
        let asker = &self.0.asker;
        if transcript::written(input.messages) < asker.settings.messages_min as usize {
            return Ok(LlmResult {
                insight: None,
                model: None,
                messages_left_out: 0,
            });
        }
        let transcript = transcript::write(input.messages, input.zone, asker.settings.transcript_tokens());
        tokio::select! {
            biased;
            () = self.0.shutdown.cancelled() => {
                Err(Refusal::NotNow("the program is being closed".into(), SHUTDOWN_WAIT))
            }
            result = asker.ask(&transcript) => result,
        }
    }
}

impl Pass for LlmPass {
    fn name(&self) -> &'static str {
        "llm"
    }

    fn version(&self) -> u32 {
        prompt::VERSION
    }

    fn about(&self) -> &'static str {
        "A summary, topics, names, feelings and humour, as a language model sees them."
    }

    fn waits(&self) -> bool {
        true
    }

    /// Must be called on a thread of its own and not on one of the runtime's: it blocks until there is an answer, for
    /// [`Settings::run_time_max`] at most.
    fn run(&self, input: &Input<'_>) -> Result<String, PassError> {
        let result = self
            .0
            .runtime
            .block_on(self.find(input))
            .map_err(Refusal::into_error)?;
        serde_json::to_string(&result).map_err(|error| PassError::Permanent(error.to_string()))
    }
}

impl fmt::Debug for LlmPass {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LlmPass")
            .field("place", &self.0.place)
            .field("model", &self.0.asker.settings.model)
            .finish_non_exhaustive()
    }
}
