//! `chatstats serve`

use std::io::Write;
use std::process::ExitCode;
use std::thread::available_parallelism;

use anyhow::{Context, Result};
use clap::Args;
use tokio_util::sync::CancellationToken;

use super::DataDirOption;
use super::signal::signal;
use crate::app::App;
use crate::config::{Config, Overrides};
use crate::log::start_log;

/// Threads that answer requests. They only move bytes (the database has threads of its own), and each holds memory
/// of its own, so many cores need no more than this.
const WORKERS_MAX: usize = 8;

#[derive(Debug, Args)]
pub(super) struct Serve {
    /// Where to listen; port 0 takes a free one [env: CHATSTATS_LISTEN] [default: 127.0.0.1:8765]
    #[arg(long, value_name = "HOST:PORT")]
    listen: Option<String>,
    #[command(flatten)]
    data_dir: DataDirOption,
    /// A Redis to share events through [env: CHATSTATS_REDIS_URL]
    #[arg(long, value_name = "URL")]
    redis_url: Option<String>,
    /// A token for this run, instead of the kept one [env: CHATSTATS_TOKEN]
    #[arg(long)]
    token: Option<String>,
    /// Seconds between heartbeats on event streams [env: CHATSTATS_HEARTBEAT_S] [default: 30]
    #[arg(long, value_name = "SECONDS")]
    heartbeat_s: Option<f64>,
}

impl Serve {
    pub(super) fn run(self) -> Result<ExitCode> {
        let config = Config::load(Overrides {
            listen: self.listen,
            data_dir: self.data_dir.data_dir,
            redis_url: self.redis_url,
            token: self.token,
            heartbeat_s: self.heartbeat_s,
        })?;
        crate::data_dir::make_private(&config.data_dir)?;
        let _log = start_log(&config.data_dir)?;
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(available_parallelism().map_or(1, usize::from).min(WORKERS_MAX))
            .thread_name("serve")
            .enable_all()
            .build()
            .context("start the threads of the server")?;
        runtime.block_on(async { serve(App::open(config).await?).await })?;
        Ok(ExitCode::SUCCESS)
    }
}

async fn serve(app: App) -> Result<()> {
    let shutdown = CancellationToken::new();
    // Before the address is out: whoever reads it may send a signal the next moment.
    let signal = signal().context("listen for signals")?;
    let signals = tokio::spawn({
        let shutdown = shutdown.clone();
        async move {
            signal.await;
            shutdown.cancel();
        }
    });
    // The port is open and the database ready: whoever reads this line can connect.
    say(&format!("listening on {}", app.entry_url()))?;
    let served = app.serve(shutdown).await;
    signals.abort();
    served
}

fn say(line: &str) -> Result<()> {
    let mut out = std::io::stdout().lock();
    writeln!(out, "{line}")
        .and_then(|()| out.flush())
        .context("print the address")
}
