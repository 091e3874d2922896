//! `/api/bus`: how the event bus fares, what its streams hold, and publishing to it.

use std::fmt;
use std::time::Duration;

use axum::extract::rejection::{PathRejection, QueryRejection};
use axum::extract::{Path, Query, State};
use axum::routing::{get, post};
use axum::{Json, Router};
use chatstats_bus::{BusError, StreamKey, event_fields};
use chatstats_model::{BusStatus, EntryPage, NewEvent, PublishedEvents, StreamReach};
use serde::de::value::{MapAccessDeserializer, SeqAccessDeserializer};
use serde::de::{MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};

use super::extract::{JsonBody, limit, query};
use crate::app::AppState;
use crate::problem::ApiError;
use crate::scan::{self, Stretch, Wanted, high_end, low_end, scan};
use crate::turn::Turn;

/// Entries on a page unless told.
const PAGE_DEFAULT: usize = 100;

/// Entries on a page at most.
const PAGE_MAX: usize = 1_000;

/// Events published by one request at most: some tens of milliseconds of writing.
const EVENTS_MAX: usize = 10_000;

/// The longest scope and type, in bytes. Both are names that programs make.
const NAME_BYTES_MAX: usize = 256;

/// How long Redis, or a disk, is waited for before the sender is told that nothing is certain.
const WRITTEN_WITHIN: Duration = Duration::from_secs(10);

pub(crate) fn routes() -> Router<AppState> {
    Router::new()
        .route("/api/bus", get(status))
        .route("/api/bus/events", post(publish))
        .route("/api/bus/streams/{stream_key}", get(reach))
        .route("/api/bus/streams/{stream_key}/entries", get(entries))
}

/// The name in a path.
pub(super) fn stream_key(path: Result<Path<String>, PathRejection>) -> Result<StreamKey, ApiError> {
    let Path(name) =
        path.map_err(|_| ApiError::bad_request("stream_key", "The stream's name is no text in UTF-8."))?;
    Ok(StreamKey::new(&name).map_err(BusError::from)?)
}

async fn status(State(state): State<AppState>) -> Json<BusStatus> {
    Json(state.bus.status())
}

async fn reach(
    State(state): State<AppState>,
    path: Result<Path<String>, PathRejection>,
) -> Result<Json<StreamReach>, ApiError> {
    let key = stream_key(path)?;
    let info = state.bus.info(&key).await?;
    Ok(Json(scan::reach(&key, &info)))
}

/// Which entries. What is empty counts as not given: forms send it so.
#[derive(Deserialize)]
struct Asked {
    from: Option<String>,
    to: Option<String>,
    count: Option<usize>,
    #[serde(default)]
    reverse: bool,
    scope: Option<String>,
    run_id: Option<String>,
    r#type: Option<String>,
}

impl Asked {
    fn stretch(&self) -> Result<Stretch, ApiError> {
        let wrong = |name| move |error| ApiError::bad_request(name, format!("{name}: {error}."));
        Ok(Stretch {
            from: low_end(given(&self.from).unwrap_or("-")).map_err(wrong("from"))?,
            to: high_end(given(&self.to).unwrap_or("+")).map_err(wrong("to"))?,
            reverse: self.reverse,
            count: limit(self.count, PAGE_DEFAULT, PAGE_MAX)?,
        })
    }

    fn wanted(&self) -> Wanted {
        let given = |text| given(text).map(str::to_owned);
        Wanted {
            scope: given(&self.scope),
            run_id: given(&self.run_id),
            event_type: given(&self.r#type),
        }
    }
}

fn given(text: &Option<String>) -> Option<&str> {
    text.as_deref().filter(|text| !text.is_empty())
}

async fn entries(
    State(state): State<AppState>,
    path: Result<Path<String>, PathRejection>,
    asked: Result<Query<Asked>, QueryRejection>,
) -> Result<Json<EntryPage>, ApiError> {
    let (key, asked) = (stream_key(path)?, query(asked)?);
    let page = scan(&state.bus, &key, asked.stretch()?, &asked.wanted()).await?;
    Ok(Json(page))
}

/// Publishes in the order of the body, and answers once everything is written.
async fn publish(
    State(state): State<AppState>,
    turn: Turn,
    JsonBody(Events(events)): JsonBody<Events>,
) -> Result<Json<PublishedEvents>, ApiError> {
    // All or nothing, as far as that can be told before.
    check(&events)?;
    if let Some(problem) = away(&state) {
        return Err(ApiError::BusAway(problem));
    }
    let all = events
        .iter()
        .map(|event| (event.scope.as_str(), event.event_type.as_str(), &event.data));
    let submitted = state
        .bus
        .submit_all(all)
        .map_err(|(taken, error)| partly(taken, error))?;
    turn.pass();
    let written = async {
        let mut ids = Vec::with_capacity(submitted.len());
        for event in submitted {
            ids.push(event.await?.to_string());
        }
        Ok::<_, BusError>(ids)
    };
    let written = tokio::time::timeout(WRITTEN_WITHIN, written).await;
    let ids = written.map_err(|_| ApiError::Unconfirmed)??;
    Ok(Json(PublishedEvents { ids }))
}

fn partly(taken: usize, error: BusError) -> ApiError {
    match taken {
        0 => ApiError::Bus(error),
        taken => ApiError::BusPartly { taken, error },
    }
}

/// Why Redis is away, if it is. Others may let their events wait for it; who is on the other end of a request cannot,
/// and is told before anything waits.
fn away(state: &AppState) -> Option<String> {
    state.config.redis_url.as_ref()?;
    state.bus.status().problem
}

fn check(events: &[NewEvent]) -> Result<(), ApiError> {
    if events.len() > EVENTS_MAX {
        let detail = format!(
            "{} events are more than {EVENTS_MAX}. Send them in parts.",
            events.len()
        );
        return Err(ApiError::bad_request("events", detail));
    }
    for (index, event) in events.iter().enumerate() {
        for (name, value) in [("scope", &event.scope), ("type", &event.event_type)] {
            if !(1..=NAME_BYTES_MAX).contains(&value.len()) {
                let detail = format!("Event {index}: its {name} has from 1 to {NAME_BYTES_MAX} bytes.");
                return Err(ApiError::bad_request("event", detail));
            }
        }
        event_fields(&event.scope, &event.event_type, ANY_TS, &event.data)
            .map_err(|error| ApiError::bad_request("event", format!("Event {index}: {error}.")))?;
    }
    Ok(())
}

/// As long as every `ts`.
const ANY_TS: &str = "2024-01-01T12:00:00.000000";

/// One event, or a list of them.
struct Events(Vec<NewEvent>);

impl<'de> Deserialize<'de> for Events {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(OneOrMany)
    }
}

/// Not an untagged enum: that would not say what is wrong with an event.
struct OneOrMany;

impl<'de> Visitor<'de> for OneOrMany {
    type Value = Events;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an event or a list of events")
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Events, A::Error> {
        NewEvent::deserialize(MapAccessDeserializer::new(map)).map(|event| Events(vec![event]))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, list: A) -> Result<Events, A::Error> {
        Vec::deserialize(SeqAccessDeserializer::new(list)).map(Events)
    }
}
