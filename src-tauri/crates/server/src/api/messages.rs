//! `/api/chats/{id}/messages`: a window of a chat, around whatever one looks for.

use axum::extract::rejection::{PathRejection, QueryRejection};
use axum::extract::{Path, Query, State};
use axum::routing::get;
use axum::{Json, Router};
use chatstats_model::{ChatId, MessageId, MessagePage, Timestamp};
use chatstats_store::Anchor;
use serde::Deserialize;

use super::extract::{id, limit, query};
use crate::app::AppState;
use crate::problem::ApiError;

/// Messages on a page unless told.
const PAGE_DEFAULT: usize = 200;

/// Messages on a page at most: larger windows come as a stream.
const PAGE_MAX: usize = 1_000;

pub(crate) fn routes() -> Router<AppState> {
    Router::new().route("/api/chats/{chat_id}/messages", get(page))
}

/// At most one anchor; without one, the newest page.
#[derive(Deserialize)]
struct Window {
    limit: Option<usize>,
    before: Option<i64>,
    after: Option<i64>,
    around: Option<i64>,
    at: Option<Timestamp>,
}

impl Window {
    fn anchor(&self) -> Result<Anchor, ApiError> {
        match (self.before, self.after, self.around, self.at) {
            (None, None, None, None) => Ok(Anchor::End),
            (Some(id), None, None, None) => Ok(Anchor::Before(MessageId(id))),
            (None, Some(id), None, None) => Ok(Anchor::After(MessageId(id))),
            (None, None, Some(id), None) => Ok(Anchor::Around(MessageId(id))),
            (None, None, None, Some(time)) => Ok(Anchor::At(time)),
            _ => Err(ApiError::bad_request(
                "anchor",
                "Give one of before, after, around and at, not several.",
            )),
        }
    }
}

async fn page(
    State(state): State<AppState>,
    path: Result<Path<i64>, PathRejection>,
    window: Result<Query<Window>, QueryRejection>,
) -> Result<Json<MessagePage>, ApiError> {
    let chat_id = ChatId(id(path, "This chat")?);
    let window = query(window)?;
    let (anchor, limit) = (window.anchor()?, limit(window.limit, PAGE_DEFAULT, PAGE_MAX)?);
    let page = state
        .store
        .read(move |reader| reader.page(chat_id, anchor, limit))
        .await?;
    page.map(Json)
        .ok_or_else(|| ApiError::NotFound("This chat, or the message in it,".into()))
}
