//! A server on loopback that speaks the protocol, with the faults that servers have.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use serde_json::{Value, json};
use tokio::sync::watch;

/// How long a model thinks here.
const MOMENT: Duration = Duration::from_millis(5);

/// What the server does with a request.
#[derive(Clone, Debug)]
pub(crate) enum Act {
    /// Answers as a model does.
    Say(String),
    /// The same, without counting tokens.
    SayUncounted(String),
    /// Another status, with headers and a body.
    Refuse(u16, Vec<(&'static str, String)>, String),
    /// Status 200 with this body, whatever it is.
    Raw(String),
    /// Begins a body that never ends as it should.
    CutOff,
    /// Never answers.
    Hang,
    /// Answers once this many requests are here at a time.
    Gather(usize),
    /// Answers after this time.
    After(Duration),
    /// Answers after a moment while so few are here, and has the rest come back in another.
    AtMost(usize),
    /// Refuses `response_format`s of this type, and answers all others.
    NoFormats(Vec<&'static str>),
}

/// The server.
#[derive(Clone)]
pub(crate) struct FakeServer {
    pub(crate) address: SocketAddr,
    shared: Arc<Shared>,
}

struct Shared {
    /// What to do with the next requests; the last of them is repeated.
    acts: Mutex<VecDeque<Act>>,
    seen: Mutex<Vec<(HeaderMap, Value)>>,
    /// Requests that are here, and the most that ever were.
    here: watch::Sender<(usize, usize)>,
}

/// An answer that can be used.
pub(crate) fn good_answer() -> String {
    json!({
        "summary": "They agree to meet.",
        "topics": ["meeting"],
        "entities": [{"name": "Anna", "kind": "person"}],
        "emotions": [{"name": "joy", "score": 0.8}],
        "humour": {"score": 0.3, "line": 2},
    })
    .to_string()
}

impl FakeServer {
    pub(crate) async fn start(acts: impl IntoIterator<Item = Act>) -> FakeServer {
        let shared = Arc::new(Shared {
            acts: Mutex::new(acts.into_iter().collect()),
            seen: Mutex::default(),
            here: watch::Sender::new((0, 0)),
        });
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0")
            .await
            .expect("a free port");
        let address = listener.local_addr().expect("an address");
        let app = Router::new()
            .route("/v1/chat/completions", post(complete))
            .with_state(shared.clone());
        tokio::spawn(async move { axum::serve(listener, app).await });
        FakeServer { address, shared }
    }

    pub(crate) fn base_url(&self) -> String {
        format!("http://{}/v1", self.address)
    }

    /// The requests so far: headers and bodies.
    pub(crate) fn seen(&self) -> Vec<(HeaderMap, Value)> {
        self.shared.seen.lock().expect("not poisoned").clone()
    }

    /// The most requests that were here at a time.
    pub(crate) fn most_at_a_time(&self) -> usize {
        self.shared.here.borrow().1
    }

    /// Waits until so many requests are here.
    pub(crate) async fn gathered(&self, count: usize) {
        let mut here = self.shared.here.subscribe();
        here.wait_for(|(now, _)| *now >= count)
            .await
            .expect("the server lives");
    }
}

/// A request that is here, until it is answered or its client has gone.
struct Here(Arc<Shared>);

impl Here {
    fn new(shared: Arc<Shared>) -> Here {
        shared.here.send_modify(|(now, most)| {
            *now += 1;
            *most = (*most).max(*now);
        });
        Here(shared)
    }
}

impl Drop for Here {
    fn drop(&mut self) {
        self.0.here.send_modify(|(now, _)| *now -= 1);
    }
}

async fn complete(State(shared): State<Arc<Shared>>, headers: HeaderMap, body: Bytes) -> Response {
    let body: Value = serde_json::from_slice(&body).expect("requests are JSON");
    let format = body["response_format"]["type"]
        .as_str()
        .unwrap_or("none")
        .to_owned();
    shared.seen.lock().expect("not poisoned").push((headers, body));
    let _here = Here::new(shared.clone());
    let act = {
        let mut acts = shared.acts.lock().expect("not poisoned");
        let next = acts.front().cloned().expect("there is something to do");
        if acts.len() > 1 {
            acts.pop_front();
        }
        next
    };
    match act {
        Act::Say(text) => said(&text, true),
        Act::SayUncounted(text) => said(&text, false),
        Act::Refuse(status, headers, body) => {
            let mut response = body.into_response();
            *response.status_mut() = StatusCode::from_u16(status).expect("a status");
            for (name, value) in headers {
                response
                    .headers_mut()
                    .insert(name, value.parse().expect("a header's value"));
            }
            response
        }
        Act::Raw(body) => body.into_response(),
        Act::CutOff => {
            let start = Ok::<_, std::io::Error>(Bytes::from_static(b"{\"choices\":[{\"mess"));
            let end = Err(std::io::Error::other("cut off"));
            Body::from_stream(futures_util::stream::iter([start, end])).into_response()
        }
        Act::Hang => std::future::pending().await,
        Act::Gather(count) => {
            let mut here = shared.here.subscribe();
            here.wait_for(|(_, most)| *most >= count)
                .await
                .expect("the server lives");
            said(&good_answer(), true)
        }
        Act::After(time) => {
            tokio::time::sleep(time).await;
            said(&good_answer(), true)
        }
        Act::AtMost(most) if shared.here.borrow().0 > most => {
            let headers = [("retry-after", "0.02")];
            (StatusCode::TOO_MANY_REQUESTS, headers, "slow down").into_response()
        }
        Act::AtMost(_) => {
            tokio::time::sleep(MOMENT).await;
            said(&good_answer(), true)
        }
        Act::NoFormats(unknown) if unknown.contains(&format.as_str()) => {
            let error = json!({"error": {"message": format!("response_format {format} is not supported")}});
            (StatusCode::BAD_REQUEST, error.to_string()).into_response()
        }
        Act::NoFormats(_) => said(&good_answer(), true),
    }
}

fn said(text: &str, is_counted: bool) -> Response {
    let mut body = json!({
        "id": "1",
        "object": "chat.completion",
        "model": "fake-1",
        "choices": [{"index": 0, "message": {"role": "assistant", "content": text}, "finish_reason": "stop"}],
    });
    if is_counted {
        body["usage"] = json!({"prompt_tokens": 700, "completion_tokens": 90, "total_tokens": 790});
    }
    body.to_string().into_response()
}
