//! `GET /api/metrics/stream`: how the program fares, second by second.

use axum::Router;
use axum::extract::State;
use axum::response::Response;
use axum::routing::get;

use crate::app::AppState;
use crate::metrics;
use crate::sse::metrics::MetricsBody;
use crate::sse::{self, Endpoint};

pub(crate) fn routes() -> Router<AppState> {
    Router::new().route("/api/metrics/stream", get(stream))
}

async fn stream(State(state): State<AppState>) -> Response {
    let snapshots = metrics::listen(&state);
    let (pulse, open) = (
        state.streams.pulse().listen(),
        state.streams.open(Endpoint::Metrics),
    );
    sse::response(MetricsBody::new(snapshots, pulse, open))
}
