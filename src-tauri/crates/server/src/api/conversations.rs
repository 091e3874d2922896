//! `/api/chats/{id}/conversations`: how a chat is cut, and what passes found. `/api/chats/{id}/seal`: ends the open
//! conversation now. `/api/chats/{id}/look`: the user looks at it. `/api/conversations/{id}/results`: all that was found.
//! `/api/conversations/now`: which chats have one that is open, or that is being analysed.

use axum::extract::rejection::{PathRejection, QueryRejection};
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::routing::{get, post};
use axum::{Json, Router};
use chatstats_model::{
    ChatId, ConversationId, ConversationsNow, ResultList, Sealed, SummarisedPage, Timestamp,
};
use chatstats_store::Reader;
use serde::Deserialize;

use super::extract::{id, limit, query};
use super::summaries;
use crate::app::AppState;
use crate::problem::ApiError;

/// Conversations on a page unless told.
const PAGE_DEFAULT: usize = 100;

/// Conversations on a page at most.
const PAGE_MAX: usize = 1_000;

/// Chats of each kind that are named at most: as many as a list of chats is made for, in some 60 KB.
const NOW_MAX: usize = 10_000;

pub(crate) fn routes() -> Router<AppState> {
    Router::new()
        .route("/api/chats/{chat_id}/conversations", get(page))
        .route("/api/chats/{chat_id}/look", post(look))
        .route("/api/chats/{chat_id}/seal", post(seal))
        .route("/api/conversations/now", get(now))
        .route("/api/conversations/{conversation_id}/results", get(results))
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
) -> Result<Json<SummarisedPage>, ApiError> {
    let chat_id = known_chat(&state, path).await?;
    let window = query(window)?;
    let limit = limit(window.limit, PAGE_DEFAULT, PAGE_MAX)?;
    let backgrounds = state.backgrounds.clone();
    let read = move |reader: &Reader| {
        let page = reader.conversations(chat_id, window.before, limit)?;
        summaries::summarise(reader, &backgrounds, chat_id, page)
    };
    let page = state.store.read(move |reader| reader.consistent(read)).await?;
    Ok(Json(page))
}

/// Events say that this changed, and this is where to read it.
async fn now(State(state): State<AppState>) -> Result<Json<ConversationsNow>, ApiError> {
    let read = |reader: &Reader| {
        Ok(ConversationsNow {
            open: reader.chats_open(NOW_MAX)?,
            analysing: reader.chats_being_analysed(NOW_MAX)?,
        })
    };
    let found = state.store.read(move |reader| reader.consistent(read)).await?;
    Ok(Json(found))
}

/// Lets what waits of the chat be analysed first.
async fn look(
    State(state): State<AppState>,
    path: Result<Path<i64>, PathRejection>,
) -> Result<StatusCode, ApiError> {
    let chat_id = known_chat(&state, path).await?;
    state.analysis.look_at(chat_id).await?;
    Ok(StatusCode::NO_CONTENT)
}

async fn results(
    State(state): State<AppState>,
    path: Result<Path<i64>, PathRejection>,
) -> Result<Json<ResultList>, ApiError> {
    let conversation = ConversationId(id(path, CONVERSATION)?);
    let read = move |reader: &Reader| {
        let known = reader.conversation(conversation)?;
        known
            .map(|_| summaries::results(reader, conversation))
            .transpose()
    };
    let found = state.store.read(move |reader| reader.consistent(read)).await?;
    let results = found.ok_or_else(|| ApiError::NotFound(CONVERSATION.into()))?;
    Ok(Json(ResultList { results }))
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
const CONVERSATION: &str = "This conversation";
