//! `/api/imports`: files in, receipts out.

use std::path::PathBuf;

use axum::extract::rejection::{PathRejection, QueryRejection};
use axum::extract::{DefaultBodyLimit, FromRequest, Multipart, Path, Query, Request, State};
use axum::http::StatusCode;
use axum::routing::{get, post};
use axum::{Json, Router};
use chatstats_model::{Import, ImportId, ImportList, ImportRequest, LeftOutPage};
use chatstats_sync::ImportsError;
use hyper::header::CONTENT_TYPE;
use serde::Deserialize;

use super::extract::{JsonBody, id, limit, query};
use super::upload::Upload;
use crate::app::AppState;
use crate::demo;
use crate::problem::ApiError;

/// Left-out pieces on a page unless told, and at most.
const LEFT_OUT_DEFAULT: usize = 100;
const LEFT_OUT_MAX: usize = 1_000;

pub(crate) fn routes() -> Router<AppState> {
    Router::new()
        .route("/api/imports", get(list).post(start))
        .route("/api/imports/{import_id}", get(one))
        .route("/api/imports/{import_id}/cancel", post(cancel))
        .route("/api/imports/{import_id}/left-out", get(left_out))
        // Uploads have a limit of their own, by what is written to disk.
        .layer(DefaultBodyLimit::disable())
}

async fn list(State(state): State<AppState>) -> Result<Json<ImportList>, ApiError> {
    Ok(Json(ImportList {
        imports: state.imports.list().await?,
    }))
}

async fn one(
    State(state): State<AppState>,
    path: Result<Path<i64>, PathRejection>,
) -> Result<Json<Import>, ApiError> {
    Ok(Json(state.imports.get(ImportId(id(path, "This import")?)).await?))
}

/// Accepts an import: an upload as `multipart/form-data`, or JSON that names files of this machine.
async fn start(
    State(state): State<AppState>,
    request: Request,
) -> Result<(StatusCode, Json<Import>), ApiError> {
    let content_type = request
        .headers()
        .get(CONTENT_TYPE)
        .and_then(|v| v.to_str().ok())
        .unwrap_or_default();
    let queued = if content_type.starts_with("multipart/form-data") {
        let parts = Multipart::from_request(request, &state).await;
        let parts = parts.map_err(|e| ApiError::bad_request("body", e.body_text()))?;
        let upload = Upload::receive(&state.uploads_dir, parts).await?;
        let (paths, options) = (upload.paths(), upload.options.clone());
        let queued = state.imports.queue(paths, true, options).await?;
        upload.keep();
        queued
    } else {
        let JsonBody(asked) = JsonBody::<ImportRequest>::from_request(request, &state).await?;
        if asked.demo {
            let (paths, options) = demo::write(&state.uploads_dir).await?;
            state.imports.queue(paths, true, options).await?
        } else {
            state.imports.queue(paths(&asked)?, false, asked.options).await?
        }
    };
    Ok((StatusCode::ACCEPTED, Json(state.imports.get(queued.id).await?)))
}

fn paths(asked: &ImportRequest) -> Result<Vec<PathBuf>, ApiError> {
    let paths: Vec<PathBuf> = asked.path.iter().chain(&asked.paths).map(PathBuf::from).collect();
    if let Some(path) = paths.iter().find(|path| !path.is_absolute()) {
        let detail = format!(
            "{} is not an absolute path. The program does not know from where to count.",
            path.display()
        );
        return Err(ApiError::bad_request("path", detail));
    }
    Ok(paths)
}

/// Stops an import; what it committed stays.
async fn cancel(
    State(state): State<AppState>,
    path: Result<Path<i64>, PathRejection>,
) -> Result<Json<Import>, ApiError> {
    Ok(Json(
        state.imports.cancel(ImportId(id(path, "This import")?)).await?,
    ))
}

#[derive(Deserialize)]
struct Page {
    /// The place of a file in the receipt.
    file: Option<usize>,
    #[serde(default)]
    offset: u64,
    limit: Option<usize>,
}

async fn left_out(
    State(state): State<AppState>,
    path: Result<Path<i64>, PathRejection>,
    page: Result<Query<Page>, QueryRejection>,
) -> Result<Json<LeftOutPage>, ApiError> {
    let import = state.imports.get(ImportId(id(path, "This import")?)).await?;
    let page = query(page)?;
    let limit = limit(page.limit, LEFT_OUT_DEFAULT, LEFT_OUT_MAX)? as u64;
    Ok(Json(
        state
            .store
            .read(move |reader| reader.left_out(import.id, page.file, page.offset, limit))
            .await?,
    ))
}

impl From<ImportsError> for ApiError {
    fn from(error: ImportsError) -> Self {
        match error {
            ImportsError::Invalid(detail) => ApiError::bad_request("import", detail),
            ImportsError::Full => ApiError::bad_request("imports_full", error.to_string()),
            ImportsError::Missing(id) => ApiError::NotFound(format!("Import {id}")),
            ImportsError::Store(error) => ApiError::Store(error),
        }
    }
}
