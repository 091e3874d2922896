//! `chatstats events tail --follow`

use std::io::Write;
use std::time::Duration;

use anyhow::{Context, Result};
use chatstats_bus::{Bus, EVENTS_STREAM, Filter, Item, Notice, Start, StreamId, StreamKey};
use chatstats_model::{StreamEntry, StreamError};
use form_urlencoded::Serializer;
use serde_json::{Map, Value};

use super::print::Printer;
use super::source::Source;
use crate::api::is_scope;
use crate::cli::address::token_of;
use crate::cli::client::{Client, Refused, escaped};
use crate::cli::sse::{Event, EventStream};
use crate::config::Config;
use crate::data_dir::find_running;
use crate::scan::{Wanted, shown};

/// How long to wait before a server that went away is looked for again: as long as browsers are told to wait.
const COME_BACK: Duration = Duration::from_millis(crate::sse::frame::RETRY_MS as u64);

/// Waiting for a server that is not there for now.
#[derive(Default)]
pub(super) struct Waits {
    /// Why was said, and is not said again until something was different.
    told: bool,
}

impl Waits {
    /// Says what went wrong, and waits until it may be well.
    pub(super) async fn again(&mut self, error: &anyhow::Error) {
        self.after(Some(format!("{error:#}; trying again"))).await;
    }

    async fn after(&mut self, problem: Option<String>) {
        if let Some(problem) = problem.filter(|_| !self.told) {
            self.told = true;
            note(&problem);
        }
        tokio::time::sleep(COME_BACK).await;
    }
}

/// Prints what comes after `last`, for ever.
///
/// # Errors
///
/// The server says that the request is wrong; the output cannot be written; Redis cannot be followed at first.
pub(super) async fn follow(
    config: &Config,
    source: Source,
    key: &StreamKey,
    wanted: &Wanted,
    last: StreamId,
    printer: &mut Printer,
) -> Result<()> {
    match source {
        Source::Log { bus, held: None } => follow_redis(&bus, key, wanted, last, printer).await,
        // What holds the file is let go: nobody could publish anything.
        other => {
            other.close().await?;
            follow_server(config, key, wanted, last, printer).await
        }
    }
}

async fn follow_redis(
    bus: &Bus,
    key: &StreamKey,
    wanted: &Wanted,
    last: StreamId,
    printer: &mut Printer,
) -> Result<()> {
    let mut tail = bus.follow(key, Filter::All, Start::After(last)).await?;
    loop {
        match tail.recv().await {
            Item::Entry(entry) if wanted.wants(&entry) => printer.entry(&shown(&entry))?,
            Item::Entry(_) => {}
            Item::Notice(Notice::Gap) => note("events are missing here"),
            Item::Notice(Notice::Away(said)) => note(&said),
        }
    }
}

/// Follows the server that runs, and after its end the next one that starts.
async fn follow_server(
    config: &Config,
    key: &StreamKey,
    wanted: &Wanted,
    last: StreamId,
    printer: &mut Printer,
) -> Result<()> {
    let path = path(key, wanted);
    let start = format!(
        "{path}{}start_id={last}",
        if path.contains('?') { '&' } else { '?' }
    );
    let mut last = last.to_string();
    let mut target = (start.as_str(), false);
    let mut waits = Waits::default();
    loop {
        let (path, is_back) = target;
        let problem = match connect(config, path, is_back.then_some(&*last)).await {
            Ok(Some(events)) => {
                waits = Waits::default();
                to_its_end(events, wanted, &mut last, printer).await?
            }
            Ok(None) => Some("no server runs; waiting for one".to_owned()),
            Err(error) if is_final(&error) => return Err(error),
            Err(error) => Some(format!("{error:#}; trying again")),
        };
        waits.after(problem).await;
        target = (path, true);
    }
}

/// Prints what a stream tells. Answers what was wrong with its end, if anything was.
async fn to_its_end(
    mut events: EventStream,
    wanted: &Wanted,
    last: &mut String,
    printer: &mut Printer,
) -> Result<Option<String>> {
    loop {
        match events.next().await {
            Ok(Some(event)) => take(&event, wanted, last, printer)?,
            Ok(None) => return Ok(None),
            Err(error) => return Ok(Some(format!("{error:#}; trying again"))),
        }
    }
}

/// Opens the stream of the server that runs now, if one does.
async fn connect(config: &Config, path: &str, last: Option<&str>) -> Result<Option<EventStream>> {
    let Some(running) = find_running(&config.data_dir) else {
        return Ok(None);
    };
    let token = token_of(config, &running)?;
    let client = Client::connect(&running.url, token.as_str()).await?;
    client.stream(path, last).await.map(Some)
}

/// Whether it is the request that is wrong, and not the moment.
fn is_final(error: &anyhow::Error) -> bool {
    error
        .downcast_ref::<Refused>()
        .is_some_and(|refused| refused.status.is_client_error())
}

fn take(event: &Event, wanted: &Wanted, last: &mut String, printer: &mut Printer) -> Result<()> {
    match event.name.as_str() {
        "" => {
            let entry = entry(event)?;
            last.clone_from(&entry.id);
            if wanted.wants_shown(&entry) {
                printer.entry(&entry)?;
            }
        }
        "error" => match serde_json::from_str::<StreamError>(&event.data) {
            Ok(error) => note(&error.message),
            Err(_) => note(&event.data),
        },
        _ => {}
    }
    Ok(())
}

fn entry(event: &Event) -> Result<StreamEntry> {
    let fields: Map<String, Value> =
        serde_json::from_str(&event.data).context("understand an event of the running ChatStats")?;
    let text = |value| match value {
        Value::String(text) => text,
        other => other.to_string(),
    };
    Ok(StreamEntry {
        id: event.id.clone(),
        fields: fields
            .into_iter()
            .map(|(name, value)| (name, text(value)))
            .collect(),
    })
}

/// The stream with a filter of its own where that is the one, and else the one that tells everything.
fn path(key: &StreamKey, wanted: &Wanted) -> String {
    let filters = || wanted.given().filter(|(name, _)| *name != "type");
    let is_scoped = wanted.scope.as_deref().is_none_or(is_scope);
    if key.as_str() != EVENTS_STREAM || !is_scoped || filters().next().is_none() {
        return format!("/api/analysis/streaming/redis_stream/{}", escaped(key.as_str()));
    }
    let query = Serializer::new(String::new()).extend_pairs(filters()).finish();
    format!("/api/analysis/streaming/queue/stream?{query}")
}

/// For people, beside the output.
fn note(text: &str) {
    // Whoever reads only the output may have closed this one.
    let _ = writeln!(std::io::stderr(), "chatstats: {text}");
}
