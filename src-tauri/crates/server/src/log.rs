//! Logs: for people to standard error, for programs to a file in the data directory, a new one each day.

use std::io::IsTerminal;
use std::path::Path;

use tracing_appender::non_blocking::WorkerGuard;
use tracing_appender::rolling::{Builder, Rotation};
use tracing_subscriber::filter::{EnvFilter, LevelFilter};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{Layer, fmt};

use crate::data_dir::make_private;
use crate::error::StartError;

/// Where the files are, in the data directory.
const LOG_DIR: &str = "logs";

/// A week of logs is kept.
const LOG_FILES_MAX: usize = 7;

/// Keeps the log going; dropping it writes what is still in memory.
pub struct LogGuard {
    _worker: WorkerGuard,
}

/// Starts logging. `CHATSTATS_LOG` says what (`info` by default; `chatstats_store=debug,info`).
///
/// Call it once a process, after [`prepare`](crate::prepare), which makes the files private.
///
/// # Errors
///
/// The folder or file cannot be made.
pub fn start_log(data_dir: &Path) -> Result<LogGuard, StartError> {
    let dir = data_dir.join(LOG_DIR);
    make_private(&dir)?;
    let failed = StartError::io(&dir);
    let files = Builder::new()
        .rotation(Rotation::DAILY)
        .filename_prefix("chatstats")
        .filename_suffix("log")
        .max_log_files(LOG_FILES_MAX)
        .build(&dir)
        .map_err(|error| failed(std::io::Error::other(error)))?;
    let (writer, worker) = tracing_appender::non_blocking(files);
    let to_file = fmt::layer()
        .json()
        .with_ansi(false)
        .with_writer(writer)
        .with_filter(filter());
    // Fails only if logging was started before: then that log goes on.
    let _ = tracing_subscriber::registry()
        .with(to_file)
        .with(to_people())
        .try_init();
    Ok(LogGuard { _worker: worker })
}

/// Starts logging to standard error alone: for a process that has no data directory.
pub(crate) fn start_log_for_people() {
    // As above.
    let _ = tracing_subscriber::registry().with(to_people()).try_init();
}

fn to_people<S>() -> impl Layer<S>
where
    S: tracing::Subscriber + for<'a> tracing_subscriber::registry::LookupSpan<'a>,
{
    let coloured = std::io::stderr().is_terminal();
    fmt::layer()
        .with_ansi(coloured)
        .with_writer(std::io::stderr)
        .with_filter(filter())
}

fn filter() -> EnvFilter {
    EnvFilter::builder()
        .with_env_var("CHATSTATS_LOG")
        .with_default_directive(LevelFilter::INFO.into())
        .from_env_lossy()
}
