//! What answers a request: the guard first, then the router, then the headers that every answer carries.

use axum::Router;
use axum::body::Body;
use axum::response::{IntoResponse, Response};
use hyper::header::{HeaderValue, LOCATION, SET_COOKIE};
use hyper::{Request, StatusCode};
use tower_service::Service;

use crate::api;
use crate::app::AppState;
use crate::guard::{self, Outcome, Verdict};

/// Everything behind the socket.
pub(crate) struct Site {
    state: AppState,
    router: Router,
}

impl Site {
    pub(crate) fn new(state: AppState) -> Self {
        let router = api::router(state.clone());
        Self { state, router }
    }

    /// Answers one request. There is no way to the router but through here.
    pub(crate) async fn answer(&self, request: Request<Body>) -> Response {
        let Verdict {
            outcome,
            reader,
            rotated,
        } = self
            .state
            .guard
            .look(request.method(), request.uri(), request.headers());
        if rotated {
            tracing::info!("the token was replaced; open streams end");
            self.state.streams.pulse().dismiss();
        }
        let mut response = match outcome {
            Outcome::Pass => self.route(request).await,
            Outcome::Welcome { location, cookie } => welcome(&location, &cookie),
            Outcome::Preflight => (StatusCode::NO_CONTENT, guard::preflight()).into_response(),
            Outcome::Refuse(refusal) => {
                // Never the query: the token may be in it.
                tracing::debug!(method = %request.method(), path = request.uri().path(), ?refusal, "turned away");
                refusal.into_response()
            }
        };
        guard::decorate(response.headers_mut(), reader);
        response
    }

    async fn route(&self, request: Request<Body>) -> Response {
        match self.router.clone().call(request).await {
            Ok(response) => response,
            Err(never) => match never {},
        }
    }
}

/// Sets the cookie and sends the browser to the address without the token, so that it is not in its history.
fn welcome(location: &str, cookie: &str) -> Response {
    let mut response = Response::new(Body::empty());
    let (Ok(location), Ok(cookie)) = (HeaderValue::from_str(location), HeaderValue::from_str(cookie)) else {
        *response.status_mut() = StatusCode::BAD_REQUEST;
        return response;
    };
    *response.status_mut() = StatusCode::SEE_OTHER;
    response.headers_mut().insert(LOCATION, location);
    response.headers_mut().insert(SET_COOKIE, cookie);
    response
}
