//! The addresses of the server, one file per resource.

mod analysis;
mod bus;
mod bus_streams;
mod chats;
mod commitments;
mod contacts;
mod conversations;
mod extract;
mod health;
mod hub;
mod imports;
mod llm;
mod messages;
mod metrics;
mod posts;
mod search;
mod status;
mod streams;
mod summaries;
mod tasks;
pub(crate) mod upload;

pub(crate) use bus_streams::is_scope;
pub(crate) use streams::LAST_EVENT_ID;
pub(crate) use summaries::Backgrounds;

use axum::Router;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use hyper::header::{ALLOW, HeaderValue};
use hyper::{HeaderMap, Method, Uri};

use crate::app::AppState;
use crate::guard::is_api;
use crate::problem::ApiError;

/// All routes. The guard has been passed before.
pub(crate) fn router(state: AppState) -> Router {
    Router::new()
        .route("/api/health", get(health::get))
        .route(
            "/api/live-sync/stream/chat/{chat_id}/messages",
            get(streams::messages),
        )
        .route("/api/live-sync/stream/chats", get(streams::chats))
        .route("/api/live-sync/stream/contacts", get(streams::contacts))
        .merge(analysis::routes())
        .merge(bus::routes())
        .merge(bus_streams::routes())
        .merge(chats::routes())
        .merge(commitments::routes())
        .merge(contacts::routes())
        .merge(conversations::routes())
        .merge(hub::routes())
        .merge(imports::routes())
        .merge(llm::routes())
        .merge(messages::routes())
        .merge(metrics::routes())
        .merge(posts::routes())
        .merge(search::routes())
        .merge(status::routes())
        .merge(tasks::routes())
        .method_not_allowed_fallback(async || ApiError::MethodNotAllowed)
        .fallback(page)
        .with_state(state)
}

/// The pages and their files.
async fn page(State(state): State<AppState>, method: Method, uri: Uri, headers: HeaderMap) -> Response {
    if method == Method::GET || method == Method::HEAD {
        return state.pages.get(&uri, &headers);
    }
    if is_api(uri.path()) {
        return ApiError::NotFound(format!("{:?}", uri.path())).into_response();
    }
    let mut response = ApiError::MethodNotAllowed.into_response();
    response
        .headers_mut()
        .insert(ALLOW, HeaderValue::from_static("GET, HEAD"));
    response
}
