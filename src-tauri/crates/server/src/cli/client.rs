//! Talking to the server that runs: two processes never write one data directory.

use std::io::{self, ErrorKind};

use anyhow::{Context, Result};
use axum::body::Bytes;
use chatstats_model::Problem;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper::header::{AUTHORIZATION, HOST};
use hyper::http::request::Builder;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::net::TcpStream;

use super::sse::EventStream;
use crate::api::LAST_EVENT_ID;

/// One connection to a running server.
pub(super) struct Client {
    host: String,
    token: String,
    sender: SendRequest<Full<Bytes>>,
}

impl Client {
    /// Connects to `url` (`http://host:port/`).
    pub(super) async fn connect(url: &str, token: &str) -> Result<Client> {
        let host = url.trim_start_matches("http://").trim_end_matches('/').to_owned();
        let stream = TcpStream::connect(&host)
            .await
            .with_context(|| format!("connect to the running ChatStats at {host}"))?;
        let (sender, connection) = handshake(TokioIo::new(stream))
            .await
            .context("talk to the running ChatStats")?;
        // Ends with the connection, which ends with the sender.
        tokio::spawn(connection);
        Ok(Client {
            host,
            token: token.to_owned(),
            sender,
        })
    }

    pub(super) async fn get<T: DeserializeOwned>(&mut self, path: &str) -> Result<T> {
        self.request(Method::GET, path, Bytes::new()).await
    }

    pub(super) async fn post<T: DeserializeOwned>(&mut self, path: &str, body: &impl Serialize) -> Result<T> {
        self.request(Method::POST, path, serde_json::to_vec(body)?.into())
            .await
    }

    /// Opens an event stream, which uses the connection up. `last_id` is what the caller has.
    pub(super) async fn stream(mut self, path: &str, last_id: Option<&str>) -> Result<EventStream> {
        let request = Request::builder().method(Method::GET).uri(path);
        let request = match last_id {
            Some(id) => request.header(LAST_EVENT_ID, id),
            None => request,
        };
        let response = self.send(request, Bytes::new()).await?;
        if !response.status().is_success() {
            return Err(refusal(response).await);
        }
        Ok(EventStream::new(response.into_body(), self))
    }

    async fn request<T: DeserializeOwned>(&mut self, method: Method, path: &str, body: Bytes) -> Result<T> {
        let request = Request::builder().method(method).uri(path);
        let response = self.send(request, body).await?;
        if !response.status().is_success() {
            return Err(refusal(response).await);
        }
        serde_json::from_slice(&read(response).await?)
            .context("understand the answer of the running ChatStats")
    }

    async fn send(&mut self, request: Builder, body: Bytes) -> Result<Response<Incoming>> {
        let request = request
            .header(HOST, &self.host)
            .header(AUTHORIZATION, format!("Bearer {}", self.token))
            .body(Full::new(body))?;
        self.sender
            .ready()
            .await
            .context("the running ChatStats closed the connection")?;
        self.sender
            .send_request(request)
            .await
            .context("ask the running ChatStats")
    }
}

/// The server said no.
#[derive(Debug, thiserror::Error)]
#[error("{detail}")]
pub(super) struct Refused {
    pub(super) status: StatusCode,
    detail: String,
}

/// Whether the server ended, or is about to, before it had answered: the next one may answer.
pub(super) fn went_away(error: &anyhow::Error) -> bool {
    let is_closing = |refused: &Refused| refused.status == StatusCode::SERVICE_UNAVAILABLE;
    let is_cut_off = |cause: &(dyn std::error::Error + 'static)| {
        cause.is::<hyper::Error>() || cause.downcast_ref().is_some_and(is_nobody_there)
    };
    error.downcast_ref().is_some_and(is_closing) || error.chain().any(is_cut_off)
}

fn is_nobody_there(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        ErrorKind::ConnectionRefused | ErrorKind::ConnectionReset
    )
}

/// A part of an address, a name of any bytes.
pub(super) fn escaped(part: &str) -> String {
    // In a form a space becomes a plus, which in a path is a plus.
    let escaped: String = form_urlencoded::byte_serialize(part.as_bytes()).collect();
    escaped.replace('+', "%20")
}

async fn read(response: Response<Incoming>) -> Result<Bytes> {
    let body = response.into_body().collect().await;
    Ok(body
        .context("read the answer of the running ChatStats")?
        .to_bytes())
}

async fn refusal(response: Response<Incoming>) -> anyhow::Error {
    let status = response.status();
    let body = match read(response).await {
        Ok(body) => body,
        Err(error) => return error,
    };
    let detail = match serde_json::from_slice::<Problem>(&body) {
        Ok(problem) => problem.detail,
        Err(_) => format!("the running ChatStats answered {status}"),
    };
    Refused { status, detail }.into()
}
