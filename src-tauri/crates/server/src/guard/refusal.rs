//! How the guard turns somebody away.

use axum::body::Body;
use axum::response::{IntoResponse, Response};
use hyper::StatusCode;
use hyper::header::{CONTENT_SECURITY_POLICY, CONTENT_TYPE, HeaderValue, WWW_AUTHENTICATE};

use crate::problem::problem;

/// Why somebody is turned away.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// No `Host`, several, or none that can be read.
    HostUnclear,
    /// Meant for another server.
    HostForeign,
    /// Sent by a page of another origin.
    OriginForeign,
    /// No token, or a wrong one.
    Token {
        /// Whether a person is going to read the answer.
        to_page: bool,
    },
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        match self {
            Self::HostUnclear => problem(
                StatusCode::BAD_REQUEST,
                "host_unclear",
                "A request needs one Host header, such as 127.0.0.1:8765.".to_owned(),
            ),
            Self::HostForeign => problem(
                StatusCode::FORBIDDEN,
                "host_foreign",
                "This server does not go by that name. Names other than those of the loopback interface are listed \
                 in config.toml as allowed_hosts."
                    .to_owned(),
            ),
            Self::OriginForeign => problem(
                StatusCode::FORBIDDEN,
                "origin_foreign",
                "Pages of that origin may not use this server. Those that may are listed in config.toml as \
                 allowed_origins."
                    .to_owned(),
            ),
            Self::Token { to_page: true } => page(),
            Self::Token { to_page: false } => {
                let mut response = problem(
                    StatusCode::UNAUTHORIZED,
                    "token",
                    "The token is missing or wrong. `chatstats url` prints the address with it, `chatstats token` \
                     the token itself, for the header Authorization: Bearer."
                        .to_owned(),
                );
                response.headers_mut().insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
                response
            }
        }
    }
}

fn page() -> Response {
    let mut response = Response::new(Body::from(PAGE));
    *response.status_mut() = StatusCode::UNAUTHORIZED;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8"));
    headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
    headers.insert(CONTENT_SECURITY_POLICY, HeaderValue::from_static(PAGE_POLICY));
    response
}

/// The page has one inline style and nothing else.
const PAGE_POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

const PAGE: &str = r#"<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>ChatStats: not signed in</title>
<style>
  body { font: 16px/1.5 system-ui, sans-serif; max-width: 34rem; margin: 15vh auto; padding: 0 1.5rem }
  h1 { font-size: 1.5rem } code { font-size: 0.95em }
</style>
<h1>This browser is not signed in to ChatStats</h1>
<p>ChatStats shows your chats only to browsers that know its token. Your data is safe and where it was.</p>
<p>To get in, do one of these on the computer that ChatStats runs on:</p>
<ul>
  <li>run <code>chatstats open</code>: it opens this page, signed in;</li>
  <li>open the address that <code>chatstats serve</code> printed when it started, or that <code>chatstats url</code> prints;</li>
  <li>in the desktop app, choose <b>File → Open in browser</b>.</li>
</ul>
<p>If you were signed in before, the token has been replaced since.</p>
</html>
"#;
