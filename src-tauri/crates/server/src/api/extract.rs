//! Reading requests, with errors that say what is wrong.

use axum::body::{Body, to_bytes};
use axum::extract::rejection::{PathRejection, QueryRejection};
use axum::extract::{FromRequest, Path, Query, Request};
use hyper::header::CONTENT_LENGTH;
use serde::de::DeserializeOwned;

use crate::problem::ApiError;

/// The largest JSON body, in bytes: the contract's limit for posts.
pub(crate) const BODY_BYTES_MAX: usize = 16 << 20;

/// Bodies above this are parsed off the async threads: it takes about half a millisecond.
const PARSE_INLINE_BYTES_MAX: usize = 64 << 10;

/// A JSON body of at most [`BODY_BYTES_MAX`] bytes. The content type is not looked at: a script may leave it out.
pub(crate) struct JsonBody<T>(pub(crate) T);

impl<T: DeserializeOwned + Send + 'static, S: Send + Sync> FromRequest<S> for JsonBody<T> {
    type Rejection = ApiError;

    async fn from_request(request: Request<Body>, _: &S) -> Result<Self, ApiError> {
        let announced = request
            .headers()
            .get(CONTENT_LENGTH)
            .and_then(|v| v.to_str().ok()?.parse::<u64>().ok());
        if announced.is_some_and(|bytes| bytes > BODY_BYTES_MAX as u64) {
            return Err(ApiError::TooLarge {
                bytes_max: BODY_BYTES_MAX as u64,
            });
        }
        let body = to_bytes(request.into_body(), BODY_BYTES_MAX)
            .await
            .map_err(body_error)?;
        let parse = move || serde_json::from_slice(&body).map_err(|e| json_error(&e));
        if announced.is_some_and(|bytes| bytes <= PARSE_INLINE_BYTES_MAX as u64) {
            return parse().map(JsonBody);
        }
        let parsed = tokio::task::spawn_blocking(parse).await;
        parsed
            .map_err(|_| ApiError::bad_request("body", "The body could not be read."))?
            .map(JsonBody)
    }
}

fn body_error(error: axum::Error) -> ApiError {
    // The limit's error is the only one that is not the connection's.
    let inner = error.into_inner();
    if inner.is::<http_body_util::LengthLimitError>() {
        return ApiError::TooLarge {
            bytes_max: BODY_BYTES_MAX as u64,
        };
    }
    ApiError::bad_request("body", format!("The body could not be read: {inner}."))
}

fn json_error(error: &serde_json::Error) -> ApiError {
    ApiError::bad_request(
        "body",
        format!("The body is not the JSON expected here: {error}."),
    )
}

/// The value of the one parameter of the path; what is no number names nothing.
pub(crate) fn id(path: Result<Path<i64>, PathRejection>, what: &str) -> Result<i64, ApiError> {
    path.map(|Path(id)| id)
        .map_err(|_| ApiError::NotFound(what.to_owned()))
}

/// The query's parameters.
pub(crate) fn query<T>(query: Result<Query<T>, QueryRejection>) -> Result<T, ApiError> {
    query.map(|Query(query)| query).map_err(|e| {
        ApiError::bad_request(
            "query",
            format!("The address's parameters cannot be read: {}.", e.body_text()),
        )
    })
}

/// A limit within `1..=max`, or `default` where none is given.
pub(crate) fn limit(given: Option<usize>, default: usize, max: usize) -> Result<usize, ApiError> {
    match given {
        None => Ok(default),
        Some(limit) if (1..=max).contains(&limit) => Ok(limit),
        Some(limit) => Err(ApiError::bad_request(
            "limit",
            format!("limit is {limit}; it must be from 1 to {max}."),
        )),
    }
}
