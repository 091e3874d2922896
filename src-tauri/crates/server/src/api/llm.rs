//! `/api/analysis/llm`: the language model, its limits and what it has cost.

use axum::extract::State;
use axum::routing::get;
use axum::{Json, Router};
use chatstats_llm::LlmStatus;
use serde::Serialize;

use crate::app::AppState;

pub(crate) fn routes() -> Router<AppState> {
    Router::new().route("/api/analysis/llm", get(status))
}

/// `{"enabled":false}` where it is off, and `enabled` beside the fields of the status where it is on.
#[derive(Serialize)]
struct View {
    enabled: bool,
    #[serde(flatten)]
    status: Option<LlmStatus>,
}

async fn status(State(state): State<AppState>) -> Json<View> {
    let status = state.llm.status();
    Json(View {
        enabled: status.is_some(),
        status,
    })
}
