//! `/api/chats/{id}/conversations`: how a chat is cut. `/api/chats/{id}/seal`: ends the open conversation now.

use axum::extract::rejection::{PathRejection, QueryRejection};
use axum::extract::{Path, Query, State};
use axum::routing::{get, post};
use axum::{Json, Router};
use chatstats_model::{ChatId, ConversationPage, Sealed, Timestamp};
use serde::Deserialize;

use super::extract::{id, limit, query};
use crate::app::AppState;
use crate::problem::ApiError;

/// Conversations on a page unless told.
const PAGE_DEFAULT: usize = 100;

/// Conversations on a page at most.
const PAGE_MAX: usize = 1_000;

pub(crate) fn routes() -> Router<AppState> {
    Router::new()
        .route("/api/chats/{chat_id}/conversations", get(page))
        .route("/api/chats/{chat_id}/seal", post(seal))
}

/// Those that begin before `before`; without it, the newest.
#[derive(Deserialize)]
struct Window {
    before: Option<Timestamp>,
    limit: Option<usize>,
}

async fn page(
    State(state): State<AppState>,
    path: Result<Path<i64>, PathRejection>,
    window: Result<Query<Window>, QueryRejection>,
) -> Result<Json<ConversationPage>, ApiError> {
    let chat_id = known_chat(&state, path).await?;
    let window = query(window)?;
    let limit = limit(window.limit, PAGE_DEFAULT, PAGE_MAX)?;
    let page = state
        .store
        .read(move |reader| reader.conversations(chat_id, window.before, limit))
        .await?;
    Ok(Json(page))
}

async fn seal(
    State(state): State<AppState>,
    path: Result<Path<i64>, PathRejection>,
) -> Result<Json<Sealed>, ApiError> {
    let chat_id = known_chat(&state, path).await?;
    let conversation_id = state.tracker.force_seal(chat_id).await?;
    Ok(Json(Sealed { conversation_id }))
}

async fn known_chat(state: &AppState, path: Result<Path<i64>, PathRejection>) -> Result<ChatId, ApiError> {
    let chat_id = ChatId(id(path, CHAT)?);
    let position = state
        .store
        .read(move |reader| reader.snapshot_chat(chat_id))
        .await?;
    position
        .map(|_| chat_id)
        .ok_or_else(|| ApiError::NotFound(CHAT.into()))
}

const CHAT: &str = "This chat";
