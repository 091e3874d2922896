//! `/api/commitments`: promises and requests of all chats, and what the user decides about them.

use axum::extract::rejection::{PathRejection, QueryRejection};
use axum::extract::{Path, Query, State};
use axum::routing::{get, post};
use axum::{Json, Router};
use chatstats_model::{ChatId, CommitmentDecision, CommitmentPage, CommitmentState, ListedCommitment};
use chatstats_store::CommitmentQuery;
use serde::Deserialize;

use super::extract::{JsonBody, limit, query};
use crate::app::AppState;
use crate::problem::ApiError;

/// Commitments on a page unless told, and at most.
const PAGE_DEFAULT: usize = 200;
const PAGE_MAX: usize = 1_000;

pub(crate) fn routes() -> Router<AppState> {
    Router::new().route("/api/commitments", get(list)).route(
        "/api/commitments/{chat_id}/{commitment_id}/decision",
        post(decide),
    )
}

/// Which, and how many to pass over.
#[derive(Deserialize)]
struct Asked {
    mine: Option<bool>,
    status: Option<CommitmentState>,
    chat_id: Option<i64>,
    #[serde(default)]
    offset: usize,
    limit: Option<usize>,
}

async fn list(
    State(state): State<AppState>,
    asked: Result<Query<Asked>, QueryRejection>,
) -> Result<Json<CommitmentPage>, ApiError> {
    let asked = query(asked)?;
    let limit = limit(asked.limit, PAGE_DEFAULT, PAGE_MAX)?;
    let wanted = CommitmentQuery {
        mine: asked.mine,
        state: asked.status,
        chat: asked.chat_id.map(ChatId),
        offset: asked.offset,
        // One more than asked for tells whether there are more.
        limit: limit + 1,
    };
    let mut commitments = state
        .store
        .read(move |reader| reader.commitments(&wanted))
        .await?;
    let has_more = commitments.len() > limit;
    commitments.truncate(limit);
    Ok(Json(CommitmentPage {
        next: has_more.then_some(asked.offset + limit),
        commitments,
    }))
}

async fn decide(
    State(state): State<AppState>,
    path: Result<Path<(i64, String)>, PathRejection>,
    JsonBody(body): JsonBody<CommitmentDecision>,
) -> Result<Json<ListedCommitment>, ApiError> {
    let Path((chat, commitment)) = path.map_err(|_| ApiError::NotFound("This commitment".into()))?;
    let decided = state.analysis.decide(ChatId(chat), commitment, body.decision);
    Ok(Json(decided.await?))
}
