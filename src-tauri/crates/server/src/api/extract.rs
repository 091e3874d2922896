//! Reading requests, with errors that say what is wrong.

use axum::body::Body;
use axum::extract::rejection::{PathRejection, QueryRejection};
use axum::extract::{FromRequest, Path, Query, Request};
use http_body_util::{BodyExt, LengthLimitError, Limited};
use hyper::header::{CONTENT_LENGTH, EXPECT};
use serde::de::DeserializeOwned;

use crate::problem::ApiError;

/// The largest JSON body, in bytes: the contract's limit for posts.
pub(crate) const BODY_BYTES_MAX: usize = 16 << 20;

/// What is read of a body that is too large, in bytes, before it is answered. Whoever sends more than this has to
/// do without the answer.
const DRAINED_BYTES_MAX: usize = 64 << 20;

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
            // Who asks first whether to send is told no, and sends nothing.
            if !request.headers().contains_key(EXPECT) {
                drain(request.into_body()).await;
            }
            return Err(TOO_LARGE);
        }
        let mut body = request.into_body();
        let read = Limited::new(&mut body, BODY_BYTES_MAX).collect().await;
        let body = match read {
            Ok(read) => read.to_bytes(),
            // The limit's error is the only one that is not the connection's.
            Err(error) if error.is::<LengthLimitError>() => {
                drain(body).await;
                return Err(TOO_LARGE);
            }
            Err(error) => {
                return Err(ApiError::bad_request(
                    "body",
                    format!("The body could not be read: {error}."),
                ));
            }
        };
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

const TOO_LARGE: ApiError = ApiError::TooLarge {
    bytes_max: BODY_BYTES_MAX as u64,
};

/// Reads what is still coming and throws it away: a client that is sending when the connection closes would see a
/// reset, and not the answer.
async fn drain(mut body: Body) {
    let mut left = DRAINED_BYTES_MAX;
    while let Some(Ok(frame)) = body.frame().await {
        let bytes = frame.data_ref().map_or(0, bytes::Bytes::len);
        let Some(rest) = left.checked_sub(bytes) else {
            return;
        };
        left = rest;
    }
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
