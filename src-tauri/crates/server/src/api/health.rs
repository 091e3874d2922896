//! Whether the server answers: the only address that needs no token, so it tells nothing else.

use axum::Json;
use serde::Serialize;

#[derive(Serialize)]
pub(crate) struct Health {
    status: &'static str,
}

/// `GET /api/health`.
pub(crate) async fn get() -> Json<Health> {
    Json(Health { status: "ok" })
}
