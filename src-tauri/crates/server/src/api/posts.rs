//! `POST /api/live-sync/messages`: what a bridge, a bot or a script sends.

use axum::extract::State;
use axum::routing::post;
use axum::{Json, Router};
use chatstats_model::{IncomingMessages, Posted};
use chatstats_sync::IngestError;

use super::extract::JsonBody;
use crate::app::AppState;
use crate::problem::ApiError;
use crate::turn::Turn;

pub(crate) fn routes() -> Router<AppState> {
    Router::new().route("/api/live-sync/messages", post(messages))
}

/// Answers once everything is committed and every open stream of the chat has been told.
async fn messages(
    State(state): State<AppState>,
    turn: Turn,
    JsonBody(body): JsonBody<IncomingMessages>,
) -> Result<Json<Posted>, ApiError> {
    let posted = state.ingest.hand_over(body).await?;
    turn.pass();
    Ok(Json(posted.await?))
}

impl From<IngestError> for ApiError {
    fn from(error: IngestError) -> Self {
        match error {
            IngestError::Invalid(detail) => ApiError::bad_request("body", detail),
            IngestError::Store(error) => ApiError::Store(error),
        }
    }
}
