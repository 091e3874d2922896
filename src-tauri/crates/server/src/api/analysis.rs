//! `/api/analysis`: runs, and the passes there are.

use axum::extract::rejection::{PathRejection, QueryRejection};
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::routing::{get, post, put};
use axum::{Json, Router};
use chatstats_analysis::AnalysisError;
use chatstats_model::{
    PassInfo, PassList, PassSwitch, Run, RunId, RunList, RunPreview, RunRequest, TaskCounts,
};
use chatstats_passes::Pass;
use chatstats_store::{PassVersion, StoreError};
use serde::Deserialize;

use super::extract::{JsonBody, id, limit, query};
use crate::app::AppState;
use crate::problem::ApiError;

/// Runs on a page unless told, and at most.
const PAGE_DEFAULT: usize = 50;
const PAGE_MAX: usize = 500;

pub(crate) fn routes() -> Router<AppState> {
    Router::new()
        .route("/api/analysis/runs", get(list).post(start))
        .route("/api/analysis/runs/preview", post(preview))
        .route("/api/analysis/runs/{run_id}", get(one))
        .route("/api/analysis/runs/{run_id}/cancel", post(cancel))
        .route("/api/analysis/runs/{run_id}/pause", post(pause))
        .route("/api/analysis/runs/{run_id}/resume", post(resume))
        .route("/api/analysis/runs/{run_id}/counts", get(counts))
        .route("/api/analysis/passes", get(passes))
        .route("/api/analysis/passes/{name}", put(switch))
}

/// Those older than `before`; without it, the newest.
#[derive(Deserialize)]
struct Window {
    before: Option<i64>,
    limit: Option<usize>,
}

async fn list(
    State(state): State<AppState>,
    window: Result<Query<Window>, QueryRejection>,
) -> Result<Json<RunList>, ApiError> {
    let window = query(window)?;
    let (before, limit) = (
        window.before.map(RunId),
        limit(window.limit, PAGE_DEFAULT, PAGE_MAX)?,
    );
    let runs = state.store.read(move |reader| reader.runs(before, limit)).await?;
    Ok(Json(RunList { runs }))
}

/// Answers once the run is written down: it will be carried out, whatever happens.
async fn start(
    State(state): State<AppState>,
    JsonBody(request): JsonBody<RunRequest>,
) -> Result<(StatusCode, Json<Run>), ApiError> {
    Ok((StatusCode::ACCEPTED, Json(state.analysis.run(request).await?)))
}

async fn preview(
    State(state): State<AppState>,
    JsonBody(request): JsonBody<RunRequest>,
) -> Result<Json<RunPreview>, ApiError> {
    Ok(Json(state.analysis.preview(request).await?))
}

type RunPath = Result<Path<i64>, PathRejection>;

fn run_id(path: RunPath) -> Result<RunId, ApiError> {
    Ok(RunId(id(path, "This run")?))
}

async fn one(State(state): State<AppState>, path: RunPath) -> Result<Json<Run>, ApiError> {
    Ok(Json(state.analysis.get(run_id(path)?).await?))
}

async fn cancel(State(state): State<AppState>, path: RunPath) -> Result<Json<Run>, ApiError> {
    Ok(Json(state.analysis.cancel(run_id(path)?).await?))
}

async fn pause(State(state): State<AppState>, path: RunPath) -> Result<Json<Run>, ApiError> {
    Ok(Json(state.analysis.pause(run_id(path)?).await?))
}

async fn resume(State(state): State<AppState>, path: RunPath) -> Result<Json<Run>, ApiError> {
    Ok(Json(state.analysis.resume(run_id(path)?).await?))
}

async fn counts(State(state): State<AppState>, path: RunPath) -> Result<Json<TaskCounts>, ApiError> {
    let run = state.analysis.get(run_id(path)?).await?.id;
    let counts = state
        .store
        .read(move |reader| reader.task_counts(Some(run)))
        .await?;
    Ok(Json(counts))
}

async fn passes(State(state): State<AppState>) -> Result<Json<PassList>, ApiError> {
    let passes = state.analysis.passes().await?;
    Ok(Json(PassList { passes }))
}

/// Answers once the switch is written down. Runs under way keep their passes.
async fn switch(
    State(state): State<AppState>,
    path: Result<Path<String>, PathRejection>,
    JsonBody(wanted): JsonBody<PassSwitch>,
) -> Result<Json<PassInfo>, ApiError> {
    let Path(name) = path.map_err(|_| ApiError::NotFound("This pass".to_owned()))?;
    Ok(Json(state.analysis.switch(&name, wanted.enabled).await?))
}

/// A pass, as results know it.
pub(super) fn version(pass: &dyn Pass) -> PassVersion {
    PassVersion {
        name: pass.name().to_owned(),
        version: pass.version(),
    }
}

impl From<AnalysisError> for ApiError {
    fn from(error: AnalysisError) -> Self {
        match error {
            AnalysisError::Invalid(detail) => ApiError::bad_request("body", detail),
            AnalysisError::Missing(what) => ApiError::NotFound(format!("The {what}")),
            AnalysisError::Needed { .. } => ApiError::conflict("pass_needed", &error),
            AnalysisError::Needs { .. } => ApiError::conflict("pass_needs", &error),
            AnalysisError::OffBySettings(_) => ApiError::conflict("off_in_config", &error),
            AnalysisError::Store(error) => ApiError::Store(error),
            // Said by a start only, and then there is nobody to ask.
            AnalysisError::Threads(_) => ApiError::Store(StoreError::Closed),
        }
    }
}
