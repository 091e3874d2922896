//! Errors as HTTP answers: `application/problem+json` (RFC 9457).

use axum::body::Body;
use axum::response::{IntoResponse, Response};
use chatstats_bus::BusError;
use chatstats_model::Problem;
use chatstats_store::StoreError;
use hyper::StatusCode;
use hyper::header::{CONTENT_TYPE, HeaderValue, RETRY_AFTER};

/// Why a request got no answer of its own. Each has a status and a word that programs can rely on.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ApiError {
    /// The request cannot be understood; `code` says which part.
    #[error("{detail}")]
    BadRequest {
        /// A stable word.
        code: &'static str,
        /// What is wrong, and what would be right.
        detail: String,
    },
    /// There is no such thing.
    #[error("{0} does not exist.")]
    NotFound(String),
    /// It cannot be done as things stand; `code` says what stands against it.
    #[error("{detail}")]
    Conflict {
        /// A stable word.
        code: &'static str,
        /// What stands against it, and what would help.
        detail: String,
    },
    /// There is such an address, and it does not do that.
    #[error("This address does not answer this method.")]
    MethodNotAllowed,
    /// The body is larger than this address takes.
    #[error(
        "The body is larger than {bytes_max} bytes, which is the most this address takes. Send it in parts."
    )]
    TooLarge {
        /// The limit, in bytes.
        bytes_max: u64,
    },
    /// No room on the disk for an upload.
    #[error("The disk is full: nothing was stored. Make room and try again.")]
    DiskFull,
    /// An upload could not be written for another reason, which is in the log.
    #[error("The upload could not be written to the data directory. The log of the program says why.")]
    Disk,
    /// The database could not answer. What it said is for the log.
    #[error("The database could not answer. The log of the program says why.")]
    Store(#[from] StoreError),
    /// The event bus could not do it.
    #[error("{0}.")]
    Bus(#[from] BusError),
    /// Events cannot be written for now; says why.
    #[error("Nothing was published. {0}.")]
    BusAway(String),
    /// The bus took the first events of a list, and not the rest.
    #[error("{error}. The {taken} events before it in the list are published.")]
    BusPartly {
        /// How many it took.
        taken: usize,
        /// Why not the next.
        error: BusError,
    },
    /// Events were taken, and it cannot be told yet that they are written.
    #[error(
        "The events wait to be written, for Redis or for the disk. Sending them again would write them twice."
    )]
    Unconfirmed,
}

impl ApiError {
    /// A part of the request that cannot be understood.
    pub(crate) fn bad_request(code: &'static str, detail: impl Into<String>) -> Self {
        Self::BadRequest {
            code,
            detail: detail.into(),
        }
    }

    /// Something that cannot be done as things stand.
    pub(crate) fn conflict(code: &'static str, detail: &impl ToString) -> Self {
        Self::Conflict {
            code,
            detail: detail.to_string(),
        }
    }

    /// The HTTP status.
    pub(crate) fn status(&self) -> StatusCode {
        match self {
            Self::BadRequest { .. } | Self::Store(StoreError::Invalid(_)) => StatusCode::BAD_REQUEST,
            Self::NotFound(_) | Self::Store(StoreError::Missing(_)) => StatusCode::NOT_FOUND,
            Self::Conflict { .. } => StatusCode::CONFLICT,
            Self::MethodNotAllowed => StatusCode::METHOD_NOT_ALLOWED,
            Self::TooLarge { .. } => StatusCode::PAYLOAD_TOO_LARGE,
            Self::DiskFull => StatusCode::INSUFFICIENT_STORAGE,
            Self::Disk => StatusCode::INTERNAL_SERVER_ERROR,
            Self::Store(StoreError::Closed) => StatusCode::SERVICE_UNAVAILABLE,
            Self::Store(error) if error.is_disk_full() => StatusCode::INSUFFICIENT_STORAGE,
            Self::Store(_) => StatusCode::INTERNAL_SERVER_ERROR,
            Self::Bus(error) | Self::BusPartly { error, .. } => of_bus(error).0,
            Self::BusAway(_) => StatusCode::SERVICE_UNAVAILABLE,
            Self::Unconfirmed => StatusCode::GATEWAY_TIMEOUT,
        }
    }

    /// A stable word for programs.
    pub(crate) fn code(&self) -> &'static str {
        match self {
            Self::BadRequest { code, .. } | Self::Conflict { code, .. } => code,
            Self::NotFound(_) | Self::Store(StoreError::Missing(_)) => "not_found",
            Self::MethodNotAllowed => "method_not_allowed",
            Self::TooLarge { .. } => "too_large",
            Self::DiskFull => "disk_full",
            Self::Disk => "disk",
            Self::Store(StoreError::Invalid(_)) => "invalid",
            Self::Store(StoreError::Closed) => "closing",
            Self::Store(error) if error.is_disk_full() => "disk_full",
            Self::Store(_) => "database",
            Self::Bus(error) | Self::BusPartly { error, .. } => of_bus(error).1,
            Self::BusAway(_) => "bus_away",
            Self::Unconfirmed => "unconfirmed",
        }
    }

    /// What happened and what to do, without the program's own affairs.
    fn detail(&self) -> String {
        match self {
            Self::Store(StoreError::Invalid(detail)) => detail.clone(),
            Self::Store(StoreError::Missing(what)) => format!("{what} does not exist."),
            Self::Store(StoreError::Closed) => {
                "The program is shutting down. Try again in a moment.".to_owned()
            }
            Self::Store(error) if error.is_disk_full() => {
                "The disk is full: nothing was stored. Make room and try again.".to_owned()
            }
            Self::Bus(BusError::Log(_)) => {
                "The event log could not be read or written. The log of the program says why.".to_owned()
            }
            other => other.to_string(),
        }
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        match &self {
            Self::Store(error) if self.status().is_server_error() => {
                tracing::error!(%error, "a request failed");
            }
            // That Redis is away is said once, by the bus, and not for each who asks.
            Self::Bus(error) if self.status() == StatusCode::INTERNAL_SERVER_ERROR => {
                tracing::error!(%error, "a request failed");
            }
            _ => {}
        }
        let mut response = problem(self.status(), self.code(), self.detail());
        if self.status() == StatusCode::SERVICE_UNAVAILABLE {
            response
                .headers_mut()
                .insert(RETRY_AFTER, HeaderValue::from_static("1"));
        }
        response
    }
}

/// Status and word of what the bus says.
fn of_bus(error: &BusError) -> (StatusCode, &'static str) {
    match error {
        BusError::Away(_) => (StatusCode::SERVICE_UNAVAILABLE, "bus_away"),
        BusError::Full { .. } => (StatusCode::SERVICE_UNAVAILABLE, "bus_full"),
        BusError::TooManyStreams(_) => (StatusCode::SERVICE_UNAVAILABLE, "too_many_streams"),
        BusError::Closed => (StatusCode::SERVICE_UNAVAILABLE, "closing"),
        BusError::WrongType(_) => (StatusCode::BAD_REQUEST, "not_a_stream"),
        BusError::Key(_) => (StatusCode::BAD_REQUEST, "stream_key"),
        BusError::Fields(_) => (StatusCode::BAD_REQUEST, "event"),
        BusError::Refused(_) => (StatusCode::BAD_GATEWAY, "redis_refused"),
        BusError::Uncertain => (StatusCode::GATEWAY_TIMEOUT, "unconfirmed"),
        _ => (StatusCode::INTERNAL_SERVER_ERROR, "event_log"),
    }
}

/// An error as an answer.
pub(crate) fn problem(status: StatusCode, code: &str, detail: String) -> Response {
    let body = Problem {
        status: status.as_u16(),
        code: code.to_owned(),
        title: status.canonical_reason().unwrap_or("Error").to_owned(),
        detail,
    };
    // Four plain fields: their JSON cannot fail.
    let body = serde_json::to_vec(&body).unwrap_or_default();
    let mut response = Response::new(Body::from(body));
    *response.status_mut() = status;
    response
        .headers_mut()
        .insert(CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
    response
}
