//! A run in this process: no server runs.

use anyhow::{Context, Result};
use chatstats_analysis::{Analysis, Arrivals};
use chatstats_bus::{Bus, Filter, Item, Start, StreamKey, Tail};
use chatstats_model::{Run, RunId};
use chatstats_store::Store;

use super::print::ProgressLine;
use super::{Asked, Outcome, Until};
use crate::analysis;
use crate::cli::signal::signal;
use crate::config::Config;
use crate::data_dir::DataDir;
use crate::events;
use crate::llm::Llm;

/// Takes the data directory, does what is asked, and lets it go.
pub(super) async fn carry_out(config: &Config, asked: Asked) -> Result<Outcome> {
    let data_dir = DataDir::hold(&config.data_dir)?;
    let store = Store::open(data_dir.path())?;
    let bus = events::open(config).await?;
    let llm = Llm::start(&store, &config.llm, &config.analysis.zone)?;
    let nothing_comes = Arrivals::default();
    let analysis = analysis::start(store.clone(), bus.clone(), &config.analysis, &llm, nothing_comes).await?;
    let outcome = work(&analysis, &bus, asked).await;
    llm.stop();
    analysis::shutdown(&analysis, &bus, store).await?;
    outcome
}

async fn work(analysis: &Analysis, bus: &Bus, asked: Asked) -> Result<Outcome> {
    match asked.until {
        Until::Counted => Ok(Outcome::Counted(analysis.preview(asked.request).await?)),
        Until::Accepted => Ok(Outcome::Accepted {
            run: analysis.run(asked.request).await?,
            waits: true,
        }),
        Until::Ended => {
            let signal = signal().context("listen for signals")?;
            // Follows first, then asks: an end that comes at once is heard.
            let any = Filter::Events {
                scope: None,
                run_id: None,
            };
            let mut events = bus.follow(&StreamKey::events(), any, Start::Now).await?;
            let run = analysis.run(asked.request).await?;
            tokio::select! {
                run = ended(analysis, &mut events, run.id) => Ok(Outcome::Ended(run?)),
                () = signal => Ok(Outcome::Interrupted(analysis.get(run.id).await?)),
            }
        }
    }
}

/// Waits for the end.
async fn ended(analysis: &Analysis, events: &mut Tail, id: RunId) -> Result<Run> {
    let mut line = ProgressLine::new();
    let run_id = id.to_string();
    loop {
        let run = analysis.get(id).await?;
        line.show(&run);
        if run.finished_at.is_some() {
            return Ok(run);
        }
        // Events say that something happened; the row says what is true.
        loop {
            match events.recv().await {
                Item::Entry(entry) if entry.fields.text("run_id") == Some(&run_id) => break,
                Item::Entry(_) => {}
                Item::Notice(_) => break,
            }
        }
    }
}
