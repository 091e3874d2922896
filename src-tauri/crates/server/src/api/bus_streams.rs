//! The event streams of the bus: `queue/stream`, filtered, and `redis_stream`, anything that is a stream.

use axum::Router;
use axum::extract::rejection::PathRejection;
use axum::extract::{Path, RawQuery, State};
use axum::response::Response;
use axum::routing::get;
use chatstats_bus::{Filter, Start, StreamId, StreamKey};
use hyper::HeaderMap;

use super::bus::stream_key;
use super::streams::LAST_EVENT_ID;
use crate::app::AppState;
use crate::problem::ApiError;
use crate::sse::bus::BusBody;
use crate::sse::{self, Endpoint};

/// The longest id of a task in a scope, and of a run, in bytes. Both are numbers, or names that programs make.
const ID_BYTES_MAX: usize = 256;

pub(crate) fn routes() -> Router<AppState> {
    Router::new()
        .route("/api/analysis/streaming/queue/stream", get(queue))
        .route("/api/analysis/streaming/redis_stream/{stream_key}", get(any))
}

/// `GET /api/analysis/streaming/queue/stream?scope=&run_id=&start_id=&last_event_id=`.
async fn queue(
    State(state): State<AppState>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let asked = Asked::read(query.as_deref(), &headers);
    let start = asked.start(Start::Now)?;
    let filter = Filter::Events {
        scope: asked.scope()?,
        run_id: asked.run_id()?,
    };
    open(&state, &StreamKey::events(), filter, start, Endpoint::QueueStream).await
}

/// `GET /api/analysis/streaming/redis_stream/{stream_key}?start_id=&last_event_id=`.
async fn any(
    State(state): State<AppState>,
    path: Result<Path<String>, PathRejection>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let start = Asked::read(query.as_deref(), &headers).start(Start::After(StreamId::ZERO))?;
    open(
        &state,
        &stream_key(path)?,
        Filter::All,
        start,
        Endpoint::RedisStream,
    )
    .await
}

async fn open(
    state: &AppState,
    key: &StreamKey,
    filter: Filter,
    start: Start,
    endpoint: Endpoint,
) -> Result<Response, ApiError> {
    // Fixes the start, so that what is published once the answer's head is out will be told.
    let tail = state.bus.follow(key, filter, start).await?;
    let (pulse, open) = (state.streams.pulse().listen(), state.streams.open(endpoint));
    Ok(sse::response(BusBody::new(tail, pulse, open)))
}

/// Whether this is a scope that events can have.
pub(crate) fn is_scope(text: &str) -> bool {
    let is_number = |id: &str| id.parse::<i64>().is_ok();
    match text.split_once(':') {
        None => matches!(text, "global" | "historic"),
        Some(("chat" | "commitments", id)) => is_number(id),
        Some(("task", id)) => (1..=ID_BYTES_MAX).contains(&id.len()),
        Some(_) => false,
    }
}

/// What a client may ask for. What is empty counts as not given.
#[derive(Default)]
struct Asked {
    scope: Option<String>,
    run_id: Option<String>,
    start_id: Option<String>,
    /// From the address.
    last_event_id: Option<String>,
    /// From the header.
    last_id_header: Option<String>,
}

impl Asked {
    fn read(query: Option<&str>, headers: &HeaderMap) -> Self {
        let mut asked = Self::default();
        for (name, value) in form_urlencoded::parse(query.unwrap_or_default().as_bytes()) {
            let field = match &*name {
                "scope" => &mut asked.scope,
                "run_id" => &mut asked.run_id,
                "start_id" => &mut asked.start_id,
                "last_event_id" => &mut asked.last_event_id,
                _ => continue,
            };
            *field = Some(value.into_owned()).filter(|value| !value.is_empty());
        }
        let header = headers.get(LAST_EVENT_ID).and_then(|value| value.to_str().ok());
        asked.last_id_header = header.map(str::to_owned);
        asked
    }

    /// Where to start. A client that comes back says what it has; the header is what the browser itself adds, so it
    /// is newer than what stands in the address. What is no id there is of another server, and counts as not given;
    /// in `start_id` it is a mistake.
    fn start(&self, default: Start) -> Result<Start, ApiError> {
        let start =
            match self.start_id.as_deref() {
                None => default,
                Some("$") => Start::Now,
                Some(id) => Start::After(id.parse().map_err(|error| {
                    ApiError::bad_request("start_id", format!("start_id: {error}, 0 or $."))
                })?),
            };
        let had = [&self.last_id_header, &self.last_event_id];
        let had = had.into_iter().flatten().find_map(|id| id.parse().ok());
        Ok(had.map_or(start, Start::Resume))
    }

    fn scope(&self) -> Result<Option<String>, ApiError> {
        match &self.scope {
            Some(scope) if !is_scope(scope) => Err(ApiError::bad_request(
                "scope",
                format!(
                    "scope is {scope:?}; it must be global, historic, chat: or commitments: with the number of a \
                     chat, or task: with the id of a task."
                ),
            )),
            scope => Ok(scope.clone()),
        }
    }

    fn run_id(&self) -> Result<Option<String>, ApiError> {
        match &self.run_id {
            Some(id) if id.len() > ID_BYTES_MAX => Err(ApiError::bad_request(
                "run_id",
                format!("run_id is longer than {ID_BYTES_MAX} bytes."),
            )),
            id => Ok(id.clone()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scopes_are_those_of_events_and_no_others() {
        for scope in [
            "global",
            "historic",
            "chat:1",
            "chat:-1",
            "task:abc:def",
            "commitments:9",
        ] {
            assert!(is_scope(scope), "{scope}");
        }
        let long = format!("task:{}", "x".repeat(ID_BYTES_MAX + 1));
        for scope in [
            "", "Global", "global:1", "chat", "chat:", "chat:x", "chat:1.5", "task:", "run:1", &long,
        ] {
            assert!(!is_scope(scope), "{scope}");
        }
    }

    fn start(query: &str, header: Option<&str>) -> Result<Start, ApiError> {
        let mut headers = HeaderMap::new();
        if let Some(header) = header {
            headers.insert(LAST_EVENT_ID, header.parse().expect("a header"));
        }
        Asked::read(Some(query), &headers).start(Start::Now)
    }

    #[test]
    fn a_client_that_comes_back_goes_on_where_it_was_whatever_its_address_says() {
        let (one, two) = (StreamId::new(1, 0), StreamId::new(2, 5));
        for (query, header, wanted) in [
            ("", None, Start::Now),
            ("start_id=", None, Start::Now),
            ("start_id=$", None, Start::Now),
            ("start_id=%24", None, Start::Now),
            ("start_id=0", None, Start::After(StreamId::ZERO)),
            ("start_id=2-5", None, Start::After(two)),
            ("start_id=2-5&last_event_id=1", None, Start::Resume(one)),
            ("start_id=0&last_event_id=1", Some("2-5"), Start::Resume(two)),
            ("start_id=2-5&last_event_id=none", None, Start::After(two)),
            ("last_event_id=1-0", Some("of another server"), Start::Resume(one)),
            ("", Some(""), Start::Now),
        ] {
            assert_eq!(start(query, header).ok(), Some(wanted), "{query} {header:?}");
        }
        for wrong in ["-", "+", "x", "1-", "-1", "1-2-3", "18446744073709551616"] {
            assert!(
                start(&format!("start_id={wrong}"), Some("1-0")).is_err(),
                "{wrong}"
            );
        }
    }
}
