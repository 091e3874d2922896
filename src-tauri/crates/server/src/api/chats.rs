//! `/api/chats`: the list, and one.

use axum::extract::rejection::PathRejection;
use axum::extract::{Path, State};
use axum::routing::get;
use axum::{Json, Router};
use chatstats_model::{Chat, ChatId, ChatList};

use super::extract::id;
use crate::app::AppState;
use crate::problem::ApiError;

pub(crate) fn routes() -> Router<AppState> {
    Router::new()
        .route("/api/chats", get(list))
        .route("/api/chats/{chat_id}", get(one))
}

/// All chats, the most recent first.
async fn list(State(state): State<AppState>) -> Result<Json<ChatList>, ApiError> {
    let chats = state.store.read(|reader| reader.chats()).await?;
    Ok(Json(ChatList { chats }))
}

async fn one(
    State(state): State<AppState>,
    path: Result<Path<i64>, PathRejection>,
) -> Result<Json<Chat>, ApiError> {
    let chat_id = ChatId(id(path, "This chat")?);
    let chat = state.store.read(move |reader| reader.chat(chat_id)).await?;
    chat.map(Json)
        .ok_or_else(|| ApiError::NotFound("This chat".into()))
}
