//! HTTP: one question, one answer. Follows no redirect and knows no proxy: what is meant for this machine goes nowhere
//! else.

use std::error::Error;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use http::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, DATE, HeaderMap, HeaderValue, RETRY_AFTER};
use http::{Request, StatusCode, Uri};
use http_body_util::{BodyExt, Full, LengthLimitError, Limited};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use rustls::{ClientConfig, RootCertStore};

use crate::Secret;
use crate::endpoint::Endpoint;
use crate::settings::SettingsError;

/// A server that is there takes a connection within a few seconds.
const CONNECT_TIME_MAX: Duration = Duration::from_secs(10);

/// Servers close idle connections after a minute or so; ours are gone before, so that none is written to as it closes.
const IDLE_TIME_MAX: Duration = Duration::from_secs(30);

/// An answer has a few kilobytes; thoughts before it may have many.
const RESPONSE_BYTES_MAX: usize = 4 << 20;

/// Asks one server. Connections are kept and used again.
pub(crate) struct Client {
    http: hyper_util::client::legacy::Client<HttpsConnector<HttpConnector>, Full<Bytes>>,
    uri: Uri,
    headers: HeaderMap,
}

/// What a server answered, whatever it is.
#[derive(Clone, Debug)]
pub(crate) struct Response {
    pub(crate) status: StatusCode,
    pub(crate) retry_after: Option<Duration>,
    pub(crate) body: Bytes,
}

/// Why there is no response.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum NoResponse {
    #[error("the server cannot be reached: {0}")]
    Unreachable(String),
    #[error("the answer was cut off: {0}")]
    CutOff(String),
    #[error("the answer is longer than {} MiB", RESPONSE_BYTES_MAX >> 20)]
    TooLong,
}

impl Client {
    /// # Errors
    ///
    /// The key cannot be sent, or this machine has no certificates to check an `https` server with.
    pub(crate) fn new(endpoint: &Endpoint, key: Option<&Secret>) -> Result<Client, SettingsError> {
        let mut tcp = HttpConnector::new();
        tcp.enforce_http(false);
        tcp.set_nodelay(true);
        tcp.set_connect_timeout(Some(CONNECT_TIME_MAX));
        let connector = HttpsConnectorBuilder::new()
            .with_tls_config(tls(endpoint.is_tls)?)
            .https_or_http()
            .enable_http1()
            .wrap_connector(tcp);
        let http = hyper_util::client::legacy::Client::builder(TokioExecutor::new())
            .pool_timer(TokioTimer::new())
            .pool_idle_timeout(IDLE_TIME_MAX)
            .build(connector);
        let mut headers = HeaderMap::new();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        headers.insert(ACCEPT, HeaderValue::from_static("application/json"));
        if let Some(key) = key {
            let value = HeaderValue::try_from(format!("Bearer {}", key.reveal()));
            let mut value = value.map_err(|_| SettingsError::Key)?;
            value.set_sensitive(true);
            headers.insert(AUTHORIZATION, value);
        }
        Ok(Client {
            http,
            uri: endpoint.uri.clone(),
            headers,
        })
    }

    /// Posts a question. Takes as long as it takes: the caller sets the time.
    ///
    /// # Errors
    ///
    /// No whole response came.
    pub(crate) async fn post(&self, body: Bytes) -> Result<Response, NoResponse> {
        let mut request = Request::post(self.uri.clone())
            .body(Full::new(body))
            .map_err(|error| NoResponse::Unreachable(error.to_string()))?;
        *request.headers_mut() = self.headers.clone();
        let response = self.http.request(request).await.map_err(|error| {
            // The outermost error only says that it is one of the client.
            let text = error.source().map_or_else(|| error.to_string(), causes);
            if error.is_connect() {
                NoResponse::Unreachable(text)
            } else {
                NoResponse::CutOff(text)
            }
        })?;
        let (parts, body) = response.into_parts();
        let body = Limited::new(body, RESPONSE_BYTES_MAX).collect().await;
        let body = body.map_err(|error| {
            if error.is::<LengthLimitError>() {
                return NoResponse::TooLong;
            }
            NoResponse::CutOff(causes(error.as_ref()))
        })?;
        Ok(Response {
            status: parts.status,
            retry_after: retry_after(&parts.headers),
            body: body.to_bytes(),
        })
    }
}

/// How servers are checked: by the certificates that this machine trusts, read only where they are needed.
fn tls(is_needed: bool) -> Result<ClientConfig, SettingsError> {
    let mut roots = RootCertStore::empty();
    if is_needed {
        let found = rustls_native_certs::load_native_certs();
        let (added, _unreadable) = roots.add_parsable_certificates(found.certs);
        if added == 0 {
            let why = found
                .errors
                .first()
                .map_or("none".to_owned(), ToString::to_string);
            return Err(SettingsError::Certificates(why));
        }
    }
    let config = ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(|error| SettingsError::Certificates(error.to_string()))?;
    Ok(config.with_root_certificates(roots).with_no_client_auth())
}

/// How long a server wants to be left alone (RFC 9110, 10.2.3): seconds, or a date, which is read by the server's own
/// clock.
fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let value = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    if let Ok(seconds) = value.parse::<f64>() {
        return Duration::try_from_secs_f64(seconds).ok();
    }
    let until = httpdate::parse_http_date(value).ok()?;
    let now: SystemTime = httpdate::parse_http_date(headers.get(DATE)?.to_str().ok()?).ok()?;
    Some(until.duration_since(now).unwrap_or_default())
}

/// An error and what caused it, in one line: hyper's own texts say little without.
fn causes(error: &(dyn Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text.push_str(": ");
        text.push_str(&error.to_string());
        cause = error.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn retry_after_is_read_in_seconds_and_as_a_date() {
        let wait = |value: &'static str| {
            let mut headers = HeaderMap::new();
            headers.insert(DATE, HeaderValue::from_static("Sun, 06 Nov 1994 08:49:37 GMT"));
            headers.insert(RETRY_AFTER, HeaderValue::from_static(value));
            retry_after(&headers)
        };
        assert_eq!(wait("7"), Some(Duration::from_secs(7)));
        assert_eq!(wait(" 0.25 "), Some(Duration::from_millis(250)));
        assert_eq!(
            wait("Sun, 06 Nov 1994 08:51:37 GMT"),
            Some(Duration::from_secs(120))
        );
        assert_eq!(wait("Sun, 06 Nov 1994 08:40:00 GMT"), Some(Duration::ZERO));
        for nonsense in ["soon", "-1", "1e400", "nan", ""] {
            assert_eq!(wait(nonsense), None, "{nonsense}");
        }
        assert_eq!(retry_after(&HeaderMap::new()), None);
    }
}
