//! `/api/search`: full-text search over all chats or one.

use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use axum::routing::get;
use axum::{Json, Router};
use chatstats_model::{ChatId, MessageId, SearchPage};
use chatstats_store::SearchQuery;
use serde::Deserialize;

use super::extract::{limit, query};
use crate::app::AppState;
use crate::problem::ApiError;

/// Hits on a page unless told.
const HITS_DEFAULT: usize = 50;

/// Hits on a page at most.
const HITS_MAX: usize = 200;

/// The longest query, in bytes: nobody types more.
const QUERY_BYTES_MAX: usize = 1_024;

pub(crate) fn routes() -> Router<AppState> {
    Router::new().route("/api/search", get(search))
}

#[derive(Deserialize)]
struct Search {
    #[serde(default)]
    q: String,
    chat_id: Option<i64>,
    before: Option<i64>,
    limit: Option<usize>,
}

/// Messages that hold all words of `q`, the newest first.
async fn search(
    State(state): State<AppState>,
    asked: Result<Query<Search>, QueryRejection>,
) -> Result<Json<SearchPage>, ApiError> {
    let asked = query(asked)?;
    if asked.q.len() > QUERY_BYTES_MAX {
        return Err(ApiError::bad_request(
            "q",
            format!("q is longer than {QUERY_BYTES_MAX} bytes."),
        ));
    }
    let query = SearchQuery {
        text: asked.q,
        chat: asked.chat_id.map(ChatId),
        before: asked.before.map(MessageId),
        limit: limit(asked.limit, HITS_DEFAULT, HITS_MAX)?,
    };
    state.store.settle_index().await?;
    Ok(Json(state.store.read(move |reader| reader.search(&query)).await?))
}
