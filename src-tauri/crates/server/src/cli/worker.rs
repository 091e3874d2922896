//! `chatstats worker`: computes for a server that shares its Redis, on this machine or another.

use std::process::ExitCode;

use anyhow::{Context, Result, bail};
use chatstats_analysis::{WorkerSettings, work};
use clap::Args;
use tokio_util::sync::CancellationToken;

use super::DataDirOption;
use super::signal::signal;
use crate::config::{Config, Overrides};
use crate::log::start_log_for_people;
use crate::{analysis, events};

/// More at a time than this is a mistake: each holds a connection to Redis.
const AT_ONCE_MAX: u16 = 256;

#[derive(Debug, Args)]
pub(super) struct Worker {
    /// The Redis that the server shares its events through [env: CHATSTATS_REDIS_URL]
    #[arg(long, value_name = "URL")]
    redis_url: Option<String>,
    /// Tasks to work on at a time [default: the number of processors]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=i64::from(AT_ONCE_MAX)))]
    at_once: Option<u16>,
    #[command(flatten)]
    data_dir: DataDirOption,
}

impl Worker {
    pub(super) fn run(self) -> Result<ExitCode> {
        let config = Config::load(Overrides {
            redis_url: self.redis_url,
            data_dir: self.data_dir.data_dir,
            ..Overrides::default()
        })?;
        if config.redis_url.is_none() {
            bail!("a worker takes its work from Redis: say which with --redis-url redis://HOST:PORT/");
        }
        start_log_for_people();
        // A new name at each start: what an earlier start had is taken over, and not taken for this one's.
        let mut settings = WorkerSettings::new(format!("worker-{}", analysis::owner()?));
        if let Some(at_once) = self.at_once {
            settings.at_once = usize::from(at_once);
        }
        // One thread to talk with Redis: what is computed has threads of its own, which each of these would interrupt.
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .context("start the thread of the worker")?;
        let answered = runtime.block_on(serve(&config, settings))?;
        eprintln!("{answered} tasks done");
        Ok(ExitCode::SUCCESS)
    }
}

async fn serve(config: &Config, settings: WorkerSettings) -> Result<u64> {
    let signal = signal().context("listen for signals")?;
    let bus = events::open(config).await?;
    eprintln!(
        "{} waits for work at {}",
        settings.name,
        bus.status().address.unwrap_or_default()
    );
    let shutdown = CancellationToken::new();
    let working = work(bus.clone(), settings, shutdown.clone());
    tokio::pin!(working);
    let answered = tokio::select! {
        answered = &mut working => answered,
        () = signal => {
            // What has begun is ended and answered.
            shutdown.cancel();
            working.await
        }
    };
    bus.shutdown().await;
    Ok(answered?)
}
