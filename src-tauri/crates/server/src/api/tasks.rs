//! `/api/analysis/tasks`: what runs are made of. `/api/analysis/dead`: those that failed for good, and trying them again.

use axum::extract::rejection::{PathRejection, QueryRejection};
use axum::extract::{Path, Query, RawQuery, State};
use axum::http::StatusCode;
use axum::routing::{get, post};
use axum::{Json, Router};
use chatstats_model::{ChatId, Run, RunId, Task, TaskId, TaskPage, TaskState};
use chatstats_store::TaskQuery;
use serde::Deserialize;
use serde_json::Value;

use super::extract::{id, limit, query};
use crate::app::AppState;
use crate::problem::ApiError;

/// Tasks on a page unless told, and at most.
const PAGE_DEFAULT: usize = 100;
const PAGE_MAX: usize = 1_000;

const TASK: &str = "This task";

pub(crate) fn routes() -> Router<AppState> {
    Router::new()
        .route("/api/analysis/tasks", get(list))
        .route("/api/analysis/tasks/{task_id}", get(one))
        .route("/api/analysis/dead", get(dead))
        .route("/api/analysis/dead/retry", post(retry_all))
        .route("/api/analysis/dead/{task_id}/retry", post(retry_one))
}

/// `state` may come several times: any of these.
async fn list(
    State(state): State<AppState>,
    RawQuery(parameters): RawQuery,
) -> Result<Json<TaskPage>, ApiError> {
    let wanted = wanted(parameters.as_deref().unwrap_or_default())?;
    let page = state.store.read(move |reader| reader.tasks(&wanted)).await?;
    Ok(Json(page))
}

fn wanted(parameters: &str) -> Result<TaskQuery, ApiError> {
    let (mut wanted, mut page) = (TaskQuery::default(), None);
    for (name, value) in form_urlencoded::parse(parameters.as_bytes()).filter(|(_, value)| !value.is_empty())
    {
        match &*name {
            "run_id" => wanted.run = Some(RunId(number("run_id", &value)?)),
            "chat_id" => wanted.chat = Some(ChatId(number("chat_id", &value)?)),
            "before" => wanted.before = Some(TaskId(number("before", &value)?)),
            "limit" => page = Some(number("limit", &value)?),
            "state" => wanted.states.push(state_named(&value)?),
            _ => {}
        }
    }
    wanted.limit = limit(page, PAGE_DEFAULT, PAGE_MAX)?;
    Ok(wanted)
}

fn number<T: std::str::FromStr>(name: &'static str, text: &str) -> Result<T, ApiError> {
    let wrong = |_| ApiError::bad_request(name, format!("{name} is {text:?}; it must be a whole number."));
    text.parse().map_err(wrong)
}

fn state_named(text: &str) -> Result<TaskState, ApiError> {
    serde_json::from_value(Value::from(text)).map_err(|_| {
        let detail = "state is one of queued, running, retrying, completed, failed, dead and cancelled.";
        ApiError::bad_request("state", detail)
    })
}

async fn one(
    State(state): State<AppState>,
    path: Result<Path<i64>, PathRejection>,
) -> Result<Json<Task>, ApiError> {
    let task = TaskId(id(path, TASK)?);
    let found = state.store.read(move |reader| reader.task(task)).await?;
    found.map(Json).ok_or_else(|| ApiError::NotFound(TASK.into()))
}

/// Those older than `before`; without it, the newest.
#[derive(Deserialize)]
struct Window {
    before: Option<i64>,
    limit: Option<usize>,
}

async fn dead(
    State(state): State<AppState>,
    window: Result<Query<Window>, QueryRejection>,
) -> Result<Json<TaskPage>, ApiError> {
    let window = query(window)?;
    let (before, limit) = (
        window.before.map(TaskId),
        limit(window.limit, PAGE_DEFAULT, PAGE_MAX)?,
    );
    let page = state
        .store
        .read(move |reader| reader.dead_letters(before, limit))
        .await?;
    Ok(Json(page))
}

async fn retry_all(State(state): State<AppState>) -> Result<(StatusCode, Json<Run>), ApiError> {
    Ok((StatusCode::ACCEPTED, Json(state.analysis.retry(None).await?)))
}

async fn retry_one(
    State(state): State<AppState>,
    path: Result<Path<i64>, PathRejection>,
) -> Result<(StatusCode, Json<Run>), ApiError> {
    let task = TaskId(id(path, TASK)?);
    Ok((
        StatusCode::ACCEPTED,
        Json(state.analysis.retry(Some(task)).await?),
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_state_may_come_several_times_and_what_is_empty_counts_as_not_given() {
        let asked = wanted("state=dead&run_id=3&state=failed&chat_id=&limit=5&before=9").expect("valid");
        assert_eq!(asked.states, [TaskState::Dead, TaskState::Failed]);
        assert_eq!((asked.run, asked.chat), (Some(RunId(3)), None));
        assert_eq!((asked.before, asked.limit), (Some(TaskId(9)), 5));
        for wrong in ["state=gone", "run_id=x", "limit=0", "limit=9999", "before=1.5"] {
            assert!(wanted(wrong).is_err(), "{wrong}");
        }
    }
}
