//! A run by the server that runs.

use std::time::Duration;

use anyhow::Result;
use chatstats_model::{Run, RunId};

use super::print::ProgressLine;
use super::{Asked, Outcome, Until};
use crate::cli::address::token_of;
use crate::cli::client::{Client, Refused};
use crate::config::Config;
use crate::data_dir::{Running, find_running};

/// How long to wait before a server that went away is looked for again: as long as browsers are told to wait.
const COME_BACK: Duration = Duration::from_millis(crate::sse::frame::RETRY_MS as u64);

/// Hands the run to the server, and waits for its end where that is asked for.
pub(super) async fn carry_out(config: &Config, running: &Running, asked: Asked) -> Result<Outcome> {
    let mut client = connect(config, running).await?;
    if asked.until == Until::Counted {
        let preview = client.post("/api/analysis/runs/preview", &asked.request).await?;
        return Ok(Outcome::Counted(preview));
    }
    let run: Run = client.post("/api/analysis/runs", &asked.request).await?;
    if asked.until == Until::Accepted {
        return Ok(Outcome::Accepted { run, waits: false });
    }
    Ok(Outcome::Ended(ended(config, run.id).await?))
}

/// Waits for the end, also over a restart of the server.
async fn ended(config: &Config, id: RunId) -> Result<Run> {
    let mut line = ProgressLine::new();
    let mut is_told = false;
    loop {
        match watch(config, id, &mut line).await {
            Ok(Some(run)) => return Ok(run),
            Err(error) if is_final(&error) => return Err(error),
            Ok(None) | Err(_) => {}
        }
        if !is_told && find_running(&config.data_dir).is_none() {
            is_told = true;
            eprintln!("chatstats: no server runs; waiting for one, which will go on with run {id}");
        }
        tokio::time::sleep(COME_BACK).await;
    }
}

/// Watches until the run ends; none if the server ended first.
async fn watch(config: &Config, id: RunId, line: &mut ProgressLine) -> Result<Option<Run>> {
    let Some(running) = find_running(&config.data_dir) else {
        return Ok(None);
    };
    let mut client = connect(config, &running).await?;
    // Listens first, then looks: an end in between is heard.
    let path = format!("/api/analysis/streaming/queue/stream?run_id={id}");
    let events = connect(config, &running).await?.stream(&path, None).await;
    let path = format!("/api/analysis/runs/{id}");
    let mut run: Run = client.get(&path).await?;
    if run.finished_at.is_some() {
        return Ok(Some(run));
    }
    let mut events = events?;
    // Events say that something happened; the row says what is true.
    while events.next().await?.is_some() {
        run = client.get(&path).await?;
        line.show(&run);
        if run.finished_at.is_some() {
            return Ok(Some(run));
        }
    }
    Ok(None)
}

async fn connect(config: &Config, running: &Running) -> Result<Client> {
    let token = token_of(config, running)?;
    Client::connect(&running.url, token.as_str()).await
}

/// Whether it is the request that is wrong, and not the moment.
fn is_final(error: &anyhow::Error) -> bool {
    let refused = error.downcast_ref::<Refused>();
    refused.is_some_and(|refused| refused.status.is_client_error())
}
