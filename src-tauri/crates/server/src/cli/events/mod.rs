//! `chatstats events`: what `redis-cli` gives a developer, without Redis.

mod follow;
mod print;
mod source;

use std::future::pending;
use std::io::{self, ErrorKind};
use std::ops::Bound;
use std::process::ExitCode;

use anyhow::{Context, Result};
use chatstats_bus::{EVENTS_STREAM, StreamId, StreamKey, StreamKeyError};
use chatstats_model::StreamEntry;
use clap::{Args, Subcommand};

use super::DataDirOption;
use super::client::went_away;
use super::signal::signal;
use crate::config::{Config, Overrides};
use crate::error::StartError;
use crate::scan::{Stretch, Wanted, high_end, low_end};
use follow::{Waits, follow};
use print::Printer;
pub(super) use source::Source;

/// Entries asked for at once.
const PAGE: usize = 1_000;

/// Looks into a stream of events.
///
/// Asks the server that runs on the data directory. Without one, opens the event log itself.
#[derive(Debug, Args)]
pub(super) struct EventsCommand {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Print the newest entries, the oldest of them first
    Tail(Tail),
    /// Print entries, the oldest first
    Range(Range),
    /// Print entries, the newest first
    Revrange(Range),
    /// Print how many entries there are
    Len(Len),
}

/// Which stream, and where it is.
#[derive(Debug, Args)]
struct Stream {
    /// The stream's name
    #[arg(value_name = "STREAM", default_value = EVENTS_STREAM, value_parser = key)]
    key: StreamKey,
    #[command(flatten)]
    data_dir: DataDirOption,
    /// Look into this Redis, whether or not a server runs [env: CHATSTATS_REDIS_URL, used where none runs]
    #[arg(long, value_name = "URL")]
    redis_url: Option<String>,
    /// Print one JSON object for each line
    #[arg(long)]
    json: bool,
}

/// Which entries.
#[derive(Debug, Args)]
struct Filter {
    /// Only of this scope: global, historic, chat:ID, task:ID or commitments:ID
    #[arg(long)]
    scope: Option<String>,
    /// Only of this run
    #[arg(long, value_name = "RUN")]
    run_id: Option<String>,
    /// Only of this type
    #[arg(long = "type", value_name = "TYPE")]
    event_type: Option<String>,
}

#[derive(Debug, Args)]
struct Tail {
    #[command(flatten)]
    stream: Stream,
    #[command(flatten)]
    filter: Filter,
    /// How many
    #[arg(long, short = 'n', value_name = "N", default_value_t = 10)]
    count: usize,
    /// Go on with what comes, also after the server was restarted
    #[arg(long, short)]
    follow: bool,
}

#[derive(Debug, Args)]
struct Range {
    #[command(flatten)]
    stream: Stream,
    #[command(flatten)]
    filter: Filter,
    /// The lowest id; -, the first, by default. With a parenthesis before it, (ID, it is not part of the range
    #[arg(long, value_name = "ID", default_value = "-", value_parser = low_end, allow_hyphen_values = true)]
    from: Bound<StreamId>,
    /// The highest id; +, the last, by default
    #[arg(long, value_name = "ID", default_value = "+", value_parser = high_end, allow_hyphen_values = true)]
    to: Bound<StreamId>,
    /// At most so many [default: all]
    #[arg(long, short = 'n', value_name = "N")]
    count: Option<usize>,
}

#[derive(Debug, Args)]
struct Len {
    #[command(flatten)]
    stream: Stream,
}

impl EventsCommand {
    pub(super) fn run(self) -> Result<ExitCode> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let outcome = runtime.context("start the client")?.block_on(async {
            match self.what {
                What::Tail(command) => command.run().await,
                What::Range(command) => command.run(false).await,
                What::Revrange(command) => command.run(true).await,
                What::Len(command) => command.run().await,
            }
        });
        match outcome {
            // Whoever read the output has seen enough, as `head` does.
            Err(error) if is_closed_pipe(&error) => Ok(ExitCode::SUCCESS),
            outcome => outcome.map(|()| ExitCode::SUCCESS),
        }
    }
}

impl Tail {
    async fn run(self) -> Result<()> {
        let (config, wanted) = (self.stream.config()?, self.filter.wanted());
        let key = &self.stream.key;
        let mut printer = Printer::new(self.stream.json);
        // Before anything is printed: whoever reads it may send a signal the next moment.
        let interrupted = match self.follow {
            true => Some(signal().context("listen for signals")?),
            false => None,
        };
        let work = async {
            let mut waits = Waits::default();
            let (source, newest, newest_first) = loop {
                match newest(&config, key, &wanted, self.count).await {
                    // Nothing is printed yet: what follows servers over their starts and ends begins with the next one.
                    Err(error) if self.follow && is_for_now(&error) => waits.again(&error).await,
                    begun => break begun?,
                }
            };
            for entry in newest_first.iter().rev() {
                printer.entry(entry)?;
            }
            match self.follow {
                true => follow(&config, source, key, &wanted, newest, &mut printer).await,
                false => source.close().await,
            }
        };
        tokio::select! {
            outcome = work => outcome,
            () = async { match interrupted { Some(signal) => signal.await, None => pending().await } } => Ok(()),
        }
    }
}

/// The newest `count` of the entries that are wanted, the newest of them first, and up to where was looked.
async fn newest(
    config: &Config,
    key: &StreamKey,
    wanted: &Wanted,
    count: usize,
) -> Result<(Source, StreamId, Vec<StreamEntry>)> {
    let mut source = Source::open(config).await?;
    // Fixed first: what is newer is followed, and comes neither twice nor never.
    let newest = source.reach(key).await?.newest_id.parse()?;
    let stretch = Stretch {
        from: Bound::Unbounded,
        to: Bound::Included(newest),
        reverse: true,
        count,
    };
    let mut newest_first = Vec::new();
    source
        .each(key, stretch, wanted, |entry| {
            newest_first.push(entry);
            Ok(())
        })
        .await?;
    Ok((source, newest, newest_first))
}

impl Range {
    async fn run(self, reverse: bool) -> Result<()> {
        let mut printer = Printer::new(self.stream.json);
        let mut source = Source::open(&self.stream.config()?).await?;
        let stretch = Stretch {
            from: self.from,
            to: self.to,
            reverse,
            count: self.count.unwrap_or(usize::MAX),
        };
        source
            .each(&self.stream.key, stretch, &self.filter.wanted(), |entry| {
                printer.entry(&entry)
            })
            .await?;
        source.close().await
    }
}

impl Len {
    async fn run(self) -> Result<()> {
        let mut source = Source::open(&self.stream.config()?).await?;
        let reach = source.reach(&self.stream.key).await?;
        Printer::new(self.stream.json).reach(&reach)?;
        source.close().await
    }
}

impl Stream {
    fn config(&self) -> Result<Config> {
        Ok(Config::load(Overrides {
            data_dir: self.data_dir.data_dir.clone(),
            redis_url: self.redis_url.clone(),
            ..Overrides::default()
        })?)
    }
}

impl Filter {
    fn wanted(&self) -> Wanted {
        Wanted {
            scope: self.scope.clone(),
            run_id: self.run_id.clone(),
            event_type: self.event_type.clone(),
        }
    }
}

fn key(name: &str) -> Result<StreamKey, StreamKeyError> {
    StreamKey::new(name)
}

/// Whether a server, or another command, is about to start or to end, and what it has in hand can be had after that.
fn is_for_now(error: &anyhow::Error) -> bool {
    let is_held = |error: &StartError| matches!(error, StartError::DataDirLocked { .. });
    went_away(error) || error.downcast_ref().is_some_and(is_held)
}

fn is_closed_pipe(error: &anyhow::Error) -> bool {
    error
        .downcast_ref::<io::Error>()
        .is_some_and(|error| error.kind() == ErrorKind::BrokenPipe)
}
