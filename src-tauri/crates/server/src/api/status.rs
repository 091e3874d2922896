//! `/api/status`: the program's own state.

use axum::extract::State;
use axum::routing::get;
use axum::{Json, Router};
use chatstats_model::{Source, Status};

use crate::app::AppState;
use crate::problem::ApiError;

pub(crate) fn routes() -> Router<AppState> {
    Router::new().route("/api/status", get(status))
}

async fn status(State(state): State<AppState>) -> Result<Json<Status>, ApiError> {
    let (chats, messages) = state.store.read(|reader| reader.counts()).await?;
    let sources = chatstats_import::sources().iter();
    let sources = sources
        .map(|s| Source {
            name: s.name.into(),
            title: s.title.into(),
            how: s.how.into(),
        })
        .collect();
    Ok(Json(Status {
        version: env!("CARGO_PKG_VERSION").into(),
        data_dir: state.config.data_dir.display().to_string(),
        uptime_s: state.started.elapsed().as_secs_f64(),
        chats,
        messages,
        db_bytes: state.store.size_bytes(),
        hub: state.hub.stats(),
        sources,
    }))
}
