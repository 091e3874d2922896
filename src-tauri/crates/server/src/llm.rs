//! The pass that asks a language model, where the user has switched it on, and what it keeps of its spending.

use std::sync::Arc;
use std::time::Duration;

use chatstats_analysis::Settings as AnalysisSettings;
use chatstats_llm::{Ledger, LlmPass, LlmSpent, LlmStatus, Settings, World};
use chatstats_store::{Lane, Store};
use jiff::tz::TimeZone;
use tokio::runtime::Handle;
use tokio_util::sync::CancellationToken;

use crate::analysis::now;
use crate::error::StartError;

/// What a worker takes beyond the pass itself: reading the conversation, and being scheduled on a busy machine.
const MARGIN: Duration = Duration::from_secs(10);

/// The name under which the database keeps what the day has taken.
const MARK: &str = "llm_spent";

/// The language model, or that there is none. A cheap handle.
#[derive(Clone, Default)]
pub(crate) struct Llm {
    on: Option<On>,
    /// Ends calls under way.
    shutdown: CancellationToken,
}

#[derive(Clone, Copy)]
struct On {
    pass: &'static LlmPass,
    workers: usize,
    run_time_max: Duration,
}

impl Llm {
    /// The pass, if it is switched on; asks nothing yet. Must be called within the runtime that serves, and blocks its
    /// thread for a small read.
    ///
    /// # Errors
    ///
    /// The settings cannot be used on this machine.
    pub(crate) fn start(store: &Store, settings: &Settings, zone: &TimeZone) -> Result<Self, StartError> {
        if !settings.enabled {
            return Ok(Self::default());
        }
        if let Some(warning) = settings.warning() {
            tracing::warn!("{warning}");
        }
        let shutdown = CancellationToken::new();
        let world = World {
            runtime: Handle::current(),
            shutdown: shutdown.clone(),
            ledger: Box::new(Kept(store.clone())),
            zone: zone.clone(),
            now: Arc::new(now),
        };
        let pass = LlmPass::new(settings.clone(), world);
        let pass = pass.map_err(|error| StartError::Llm(error.to_string()))?;
        let on = On {
            // As long as the program, as every pass is: it is made once in a start.
            pass: Box::leak(Box::new(pass)),
            workers: settings.concurrency_max as usize,
            run_time_max: settings.run_time_max(),
        };
        Ok(Self {
            on: Some(on),
            shutdown,
        })
    }

    /// Adds the pass to those of analysis, with a worker for each call and the time that a call may take.
    pub(crate) fn join(&self, analysis: &mut AnalysisSettings) {
        if let Some(on) = self.on {
            analysis.passes.push(on.pass);
            analysis.waiting_workers = on.workers;
            analysis.wait_for(on.run_time_max + MARGIN);
        }
    }

    /// How it is doing; none where it is off.
    pub(crate) fn status(&self) -> Option<LlmStatus> {
        self.on.map(|on| on.pass.status())
    }

    /// Ends calls under way: their conversations are asked about after the next start.
    pub(crate) fn stop(&self) {
        self.shutdown.cancel();
    }
}

/// What people should know before conversations are sent to a model; none where it is off or on this machine.
pub(crate) fn warning(settings: &Settings) -> Option<String> {
    settings.enabled.then(|| settings.warning()).flatten()
}

/// The sum of a day as a mark in the database, as JSON. Never written over Redis or to a worker: budgets are of this
/// server.
struct Kept(Store);

impl Ledger for Kept {
    fn read(&self) -> Option<LlmSpent> {
        let mark = self.0.read_blocking(|reader| reader.mark(MARK));
        let mark = mark.map_err(|error| error.to_string());
        let spent = mark.and_then(|mark| {
            mark.map(|json| serde_json::from_str(&json).map_err(|error| error.to_string()))
                .transpose()
        });
        spent.unwrap_or_else(|error| {
            tracing::error!(
                error,
                "what the language model has spent today is not known; its budget begins anew"
            );
            None
        })
    }

    fn write(&self, spent: &LlmSpent) {
        let json = match serde_json::to_string(spent) {
            Ok(json) => json,
            Err(error) => return not_kept(&error),
        };
        let written = self
            .0
            .write_analysis_blocking(Lane::Live, move |write| write.set_mark(MARK, &json));
        if let Err(error) = written {
            not_kept(&error);
        }
    }
}

fn not_kept(error: &dyn std::fmt::Display) {
    tracing::warn!(
        %error,
        "what the language model has spent could not be kept; the next start would not know of it"
    );
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_spent_is_known_after_a_restart() {
        let dir = tempfile::tempdir().expect("a folder");
        let spent = LlmSpent {
            day: jiff::civil::date(2024, 2, 29),
            calls: 3,
            tokens_in: 700,
            tokens_out: 41,
            cost: 0.25,
        };
        let store = Store::open(dir.path()).expect("opened");
        assert_eq!(Kept(store.clone()).read(), None);
        Kept(store.clone()).write(&LlmSpent::default());
        Kept(store.clone()).write(&spent);
        store.shutdown();
        drop(store);
        let store = Store::open(dir.path()).expect("opened");
        assert_eq!(Kept(store.clone()).read(), Some(spent));
        let spoil = store.write_analysis_blocking(Lane::Live, |write| write.set_mark(MARK, "not JSON"));
        spoil.expect("written");
        assert_eq!(Kept(store).read(), None);
    }
}
