//! Starting analysis as the settings say.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use chatstats_analysis::{Analysis, Arrivals, Settings};
use chatstats_bus::Bus;
use chatstats_model::Timestamp;
use chatstats_passes::Pass;
use chatstats_store::Store;
use jiff::tz::TimeZone;

use crate::error::StartError;
use crate::llm::Llm;

/// More threads than this do not make the passes faster: they share one writer.
const WORKERS_MAX: usize = 256;

/// How long analysis may take to end before the bus ends without it: its part of the second in which the program
/// promises to be gone.
const TOLD_WITHIN: Duration = Duration::from_millis(300);

/// What `config.toml` says of analysis.
#[derive(Clone, Debug)]
pub(crate) struct AnalysisConfig {
    /// The user's time zone.
    pub(crate) zone: TimeZone,
    /// Whether a conversation is analysed when it is sealed.
    pub(crate) on_seal: bool,
    /// The passes that are switched off, by name.
    pub(crate) passes_off: Vec<String>,
    /// Threads that compute; as many as there are processors unless said.
    pub(crate) workers: Option<usize>,
}

/// Starts analysis; it takes up what the last start left, and looks at the chats that `arrivals` names. Must be called within an async runtime.
///
/// # Errors
///
/// The database's, or no threads can be had.
pub(crate) async fn start(
    store: Store,
    bus: Bus,
    config: &AnalysisConfig,
    llm: &Llm,
    arrivals: Arrivals,
) -> Result<Analysis, StartError> {
    let mut settings = Settings::new(owner()?, config.zone.clone(), Arc::new(now));
    settings.passes_off = config.passes_off.clone();
    settings.arrivals = arrivals;
    llm.join(&mut settings);
    settings.on_seal = config.on_seal;
    if let Some(workers) = config.workers {
        settings.workers = workers;
    }
    let started = Analysis::start(store, bus, settings).await;
    started.map_err(|error| StartError::Analysis(error.to_string()))
}

/// Ends analysis, then the bus that it tells on and the database.
///
/// # Errors
///
/// Closing the database panicked.
pub(crate) async fn shutdown(analysis: &Analysis, bus: &Bus, store: Store) -> anyhow::Result<()> {
    let close = || tokio::task::spawn_blocking(move || store.shutdown());
    let ended = analysis.shutdown();
    tokio::pin!(ended);
    // While Redis is away, what must be told waits for it. The bus ends then, and the next start tells it.
    let closed = if tokio::time::timeout(TOLD_WITHIN, &mut ended).await.is_ok() {
        // Both wait for the disk.
        tokio::join!(bus.shutdown(), close()).1
    } else {
        tokio::join!(bus.shutdown(), ended);
        close().await
    };
    closed.context("close the database")
}

/// A name that no other start of the program has: tasks of other names have lost their workers.
pub(crate) fn owner() -> Result<String, StartError> {
    let number = getrandom::u64().map_err(|error| StartError::Analysis(error.to_string()))?;
    Ok(format!("{number:016x}"))
}

pub(crate) fn now() -> Timestamp {
    Timestamp::from_micros(jiff::Timestamp::now().as_microsecond()).unwrap_or_default()
}

/// Reads `time_zone`.
pub(crate) fn zone(name: &str) -> Result<TimeZone, String> {
    TimeZone::get(name).map_err(|_| format!("{name:?} is no time zone; it looks like Europe/Berlin"))
}

/// Reads `workers`. None here is for those whose work is done elsewhere, if `are_others` can be.
pub(crate) fn workers(text: &str, are_others: bool) -> Result<usize, String> {
    let workers = text.parse().ok().filter(|workers| *workers <= WORKERS_MAX);
    match workers {
        Some(0) if !are_others => {
            Err("there are no workers elsewhere without a redis_url, so at least 1 is needed here".to_owned())
        }
        Some(workers) => Ok(workers),
        None => Err(format!(
            "{text:?} is not a number of threads from 0 to {WORKERS_MAX}"
        )),
    }
}

/// Checks `passes_off`: each is a pass, and none is needed by one that stays on.
pub(crate) fn passes_off(names: Vec<String>) -> Result<Vec<String>, String> {
    let all = chatstats_passes::all();
    let is_off = |name: &str| names.iter().any(|off| off == name);
    for name in &names {
        if !all.iter().any(|pass| pass.name() == name) {
            let known: Vec<_> = all.iter().map(|pass| pass.name()).collect();
            return Err(format!(
                "there is no pass {name:?}; there are {}",
                known.join(", ")
            ));
        }
        let needs_it =
            |pass: &&&'static dyn Pass| !is_off(pass.name()) && pass.needs().contains(&name.as_str());
        let needed_by: Vec<_> = all.iter().filter(needs_it).map(|pass| pass.name()).collect();
        if !needed_by.is_empty() {
            return Err(format!(
                "{name:?} is needed by {}; switch these off as well",
                needed_by.join(", ")
            ));
        }
    }
    Ok(names)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pass_that_others_need_is_switched_off_with_them() {
        let off = |names: &[&str]| passes_off(names.iter().map(|&name| name.to_owned()).collect());
        assert!(off(&[]).is_ok());
        assert!(off(&["activity"]).is_ok());
        assert!(off(&["nonsense"]).is_err_and(|said| said.contains("activity")));
        assert!(off(&["language"]).is_err_and(|said| said.contains("topics")));
        assert!(off(&["language", "topics", "sentiment", "commitments"]).is_ok());
    }
}
