//! Talking to the server that runs: two processes never write one data directory.

use anyhow::{Context, Result, bail};
use axum::body::Bytes;
use chatstats_model::Problem;
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper::header::{AUTHORIZATION, HOST};
use hyper::{Method, Request};
use hyper_util::rt::TokioIo;
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::net::TcpStream;

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

    async fn request<T: DeserializeOwned>(&mut self, method: Method, path: &str, body: Bytes) -> Result<T> {
        let request = Request::builder()
            .method(method)
            .uri(path)
            .header(HOST, &self.host)
            .header(AUTHORIZATION, format!("Bearer {}", self.token))
            .body(Full::new(body))?;
        self.sender
            .ready()
            .await
            .context("the running ChatStats closed the connection")?;
        let response = self
            .sender
            .send_request(request)
            .await
            .context("ask the running ChatStats")?;
        let status = response.status();
        let body = response
            .into_body()
            .collect()
            .await
            .context("read the answer of the running ChatStats")?
            .to_bytes();
        if !status.is_success() {
            match serde_json::from_slice::<Problem>(&body) {
                Ok(problem) => bail!("{}", problem.detail),
                Err(_) => bail!("the running ChatStats answered {status}"),
            }
        }
        serde_json::from_slice(&body).context("understand the answer of the running ChatStats")
    }
}
