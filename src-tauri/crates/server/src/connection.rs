//! One accepted connection: HTTP/1.1 by hyper, and event streams by a plain loop.
//!
//! Hyper keeps buffers of some 16 KiB for each connection, and a stream stays open for days. So where the first
//! request of a connection is answered with an event stream, the socket is taken out of hyper's hands: the head and
//! the body are written to it directly, and the buffers are gone. The body's end is then the connection's end.
//!
//! Posts that lie behind each other are begun before their turn to be answered comes: see [`pipe`].

mod framing;
mod pipe;

use std::convert::Infallible;
use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, ready};
use std::time::{Duration, SystemTime};

use axum::body::Body;
use axum::response::Response;
use bytes::{Buf, Bytes};
use http_body::Body as _;
use hyper::body::Incoming;
use hyper::header::{CONNECTION, DATE, HeaderValue};
use hyper::server::conn::http1;
use hyper::service::Service;
use hyper::{Method, Request, StatusCode, Version};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt, ReadBuf};
use tokio::net::TcpStream;
use tokio_util::sync::CancellationToken;

use crate::site::Site;
use pipe::{Called, Pipe};

/// The largest head of a request, and of what is read or written at once, in bytes.
const BUFFER_BYTES_MAX: usize = 64 << 10;

/// How long a client may take for a request's head, and how long a connection may wait for the next request.
const HEAD_TIMEOUT: Duration = Duration::from_secs(60);

/// How long a stream's client that does not read is waited for when the program ends.
const STALLED_GRACE: Duration = Duration::from_millis(100);

/// What a stream may write before it is the others' turn, in bytes: about half a millisecond of rendering. A client that
/// reads as fast as it is written to, a long way behind, would otherwise keep its thread for a hundred times that.
const TURN_BYTES: usize = 256 << 10;

/// How often hyper is polled in a row before it is the others' turn: a client that sends without a pause always has more.
const ROUNDS_MAX: usize = 64;

/// Marks an answer as an event stream that may take its connection over.
#[derive(Clone, Copy)]
pub(crate) struct TakeOver;

/// Serves a connection to its end. Gives the socket back, with the answer to write, if a stream takes it over.
pub(crate) async fn serve(
    socket: TcpStream,
    site: Arc<Site>,
    ending: &Ending,
) -> Option<(TcpStream, Response)> {
    let (pipe, slot) = (Pipe::new(socket), Arc::new(Slot::default()));
    let answer = move |request| {
        let site = site.clone();
        async move { site.answer(request).await }
    };
    drive(&pipe, &slot, answer, ending).await;
    let response = slot.take()?;
    Some((pipe.into_socket()?, response))
}

/// Has hyper answer what comes out of the pipe until the connection ends, or a stream is to take it over.
async fn drive<S, A, F>(pipe: &Pipe<S>, slot: &Arc<Slot>, answer: A, ending: &Ending)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    A: Fn(Request<Body>) -> F + Clone,
    F: Future<Output = Response> + Send + 'static,
{
    let answers = Answers {
        answer: answer.clone(),
        slot: slot.clone(),
        pipe: pipe.clone(),
    };
    let mut connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_TIMEOUT)
        .max_buf_size(BUFFER_BYTES_MAX)
        .serve_connection(TokioIo::new(pipe.clone()), answers);
    let mut ends = Box::pin(ending.ended());
    let (mut ended, mut closing) = (false, false);
    let finished = poll_fn(|cx| {
        if !ended && ends.as_mut().poll(cx).is_ready() {
            ended = true;
            pipe.close();
        }
        for _ in 0..ROUNDS_MAX {
            // What was begun is answered before.
            let closes = || ended && pipe.is_handed();
            if !closing && closes() {
                closing = true;
                Pin::new(&mut connection).graceful_shutdown();
            }
            let polled = Pin::new(&mut connection).poll(cx);
            if slot.is_taken() {
                return Poll::Ready(Ok(()));
            }
            if let Poll::Ready(result) = polled {
                // The answers before the one that could not be given. More than one try would be waiting for somebody
                // who may have left.
                let _ = pipe.poll_written(cx);
                return Poll::Ready(result.map_err(io::Error::other));
            }
            let goes_on = pipe.go_on(cx, |request| Box::pin(answer(request)));
            if !goes_on && (closing || !closes()) {
                return match pipe.poll_written(cx) {
                    Poll::Ready(Err(error)) => Poll::Ready(Err(error)),
                    _ => Poll::Pending,
                };
            }
        }
        // An error comes again with the next write.
        let _ = pipe.poll_written(cx);
        cx.waker().wake_by_ref();
        Poll::Pending
    });
    // Clients that leave in the middle are everyday life; what they did wrong they were told.
    if let Err(error) = finished.await {
        tracing::debug!(%error, "a connection ended early");
    }
}

/// Writes an event stream to its socket until it ends, the client leaves or the program ends.
pub(crate) async fn stream(mut socket: TcpStream, response: Response, ending: Ending) {
    let (parts, body) = response.into_parts();
    let mut writer = Writer {
        pending: head(parts),
        body,
        body_over: false,
    };
    // The body hears of the end by itself; this is for clients that do not let it speak.
    let mut stalled = std::pin::pin!(async {
        ending.ended().await;
        tokio::time::sleep(STALLED_GRACE).await;
    });
    let mut is_waited_for = false;
    let outcome = poll_fn(|cx| {
        if let Poll::Ready(outcome) = writer.poll(cx, &mut socket) {
            return Poll::Ready(outcome);
        }
        // Not at each event: all streams share the locks behind it.
        if is_waited_for && !ending.has_come() {
            return Poll::Pending;
        }
        is_waited_for = true;
        stalled.as_mut().poll(cx).map(Ok)
    })
    .await;
    match outcome {
        Ok(()) => drop(socket.shutdown().await),
        Err(error) => tracing::debug!(%error, "a stream ended early"),
    }
}

/// The end of the program, as its connections see it. A cheap handle.
#[derive(Clone, Default)]
pub(crate) struct Ending(Arc<EndingState>);

#[derive(Default)]
struct EndingState {
    /// Set before the token is cancelled: whoever the token wakes finds it set.
    has_come: AtomicBool,
    token: CancellationToken,
}

impl Ending {
    /// It has come.
    pub(crate) fn begin(&self) {
        self.0.has_come.store(true, Ordering::Release);
        self.0.token.cancel();
    }

    async fn ended(&self) {
        self.0.token.cancelled().await;
    }

    /// Takes no lock.
    fn has_come(&self) -> bool {
        self.0.has_come.load(Ordering::Acquire)
    }
}

struct Writer {
    pending: Bytes,
    body: Body,
    body_over: bool,
}

impl Writer {
    /// Ready when the stream has ended.
    fn poll(&mut self, cx: &mut Context<'_>, socket: &mut TcpStream) -> Poll<io::Result<()>> {
        let mut written_bytes = 0;
        loop {
            while self.pending.has_remaining() {
                let written = ready!(Pin::new(&mut *socket).poll_write(cx, &self.pending))?;
                if written == 0 {
                    return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
                }
                self.pending.advance(written);
                written_bytes += written;
            }
            if written_bytes >= TURN_BYTES {
                cx.waker().wake_by_ref();
                return Poll::Pending;
            }
            if self.body_over {
                return Poll::Ready(Ok(()));
            }
            match Pin::new(&mut self.body).poll_frame(cx) {
                Poll::Ready(Some(Ok(frame))) => self.pending = frame.into_data().unwrap_or_default(),
                Poll::Ready(Some(Err(error))) => return Poll::Ready(Err(io::Error::other(error))),
                Poll::Ready(None) => self.body_over = true,
                Poll::Pending => return poll_gone(cx, socket),
            }
        }
    }
}

/// Ready when the client has left. What it still sends is nobody's business.
fn poll_gone(cx: &mut Context<'_>, socket: &mut TcpStream) -> Poll<io::Result<()>> {
    let mut scrap = [0; 256];
    loop {
        let mut buffer = ReadBuf::new(&mut scrap);
        ready!(Pin::new(&mut *socket).poll_read(cx, &mut buffer))?;
        if buffer.filled().is_empty() {
            return Poll::Ready(Ok(()));
        }
    }
}

/// The head of an answer whose body ends with the connection (RFC 9112, section 6.3).
fn head(mut parts: hyper::http::response::Parts) -> Bytes {
    parts
        .headers
        .insert(CONNECTION, HeaderValue::from_static("close"));
    if let Ok(now) = HeaderValue::from_str(&httpdate::fmt_http_date(SystemTime::now())) {
        parts.headers.insert(DATE, now);
    }
    let mut head = format!("HTTP/1.1 {}\r\n", parts.status).into_bytes();
    for (name, value) in &parts.headers {
        for part in [name.as_str().as_bytes(), b": ", value.as_bytes(), b"\r\n"] {
            head.extend_from_slice(part);
        }
    }
    head.extend_from_slice(b"\r\n");
    head.into()
}

/// Answers the requests of one connection.
struct Answers<A, S> {
    answer: A,
    slot: Arc<Slot>,
    pipe: Pipe<S>,
}

/// Where the answer that takes the connection over is laid.
#[derive(Default)]
struct Slot(Mutex<SlotState>);

#[derive(Default)]
enum SlotState {
    /// No request has come yet.
    #[default]
    Fresh,
    /// Not the first request any more: an earlier answer may still be in hyper's buffers, so hyper writes the rest.
    Used,
    Taken(Response),
}

impl Slot {
    fn lock(&self) -> std::sync::MutexGuard<'_, SlotState> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn is_first_request(&self) -> bool {
        matches!(
            std::mem::replace(&mut *self.lock(), SlotState::Used),
            SlotState::Fresh
        )
    }

    fn is_taken(&self) -> bool {
        matches!(*self.lock(), SlotState::Taken(_))
    }

    fn take(&self) -> Option<Response> {
        match std::mem::replace(&mut *self.lock(), SlotState::Used) {
            SlotState::Taken(response) => Some(response),
            SlotState::Fresh | SlotState::Used => None,
        }
    }
}

impl<S, A, F> Service<Request<Incoming>> for Answers<A, S>
where
    S: Send + 'static,
    A: Fn(Request<Body>) -> F,
    F: Future<Output = Response> + Send + 'static,
{
    type Response = Response;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Response, Infallible>> + Send>>;

    fn call(&self, request: Request<Incoming>) -> Self::Future {
        let (slot, pipe) = (self.slot.clone(), self.pipe.clone());
        let is_first = slot.is_first_request();
        let turn = match pipe.called(&request) {
            Called::Fresh(turn) => turn,
            Called::Begun(answer) => {
                return Box::pin(async move {
                    let response = answer.await;
                    pipe.answered();
                    Ok(response)
                });
            }
            Called::Unknown => {
                tracing::error!("a request came that was not handed over; its connection ends");
                return Box::pin(std::future::ready(Ok(not_understood())));
            }
        };
        let may_take_over = is_first
            && request.version() == Version::HTTP_11
            && request.method() == Method::GET
            && request.body().is_end_stream();
        let mut request = request.map(Body::new);
        if request.method() == Method::POST {
            request.extensions_mut().insert(turn);
        }
        let answer = (self.answer)(request);
        Box::pin(async move {
            let response = answer.await;
            if may_take_over && response.extensions().get::<TakeOver>().is_some() {
                *slot.lock() = SlotState::Taken(response);
                // Nobody waits for this answer: whoever polls the connection finds the slot filled.
                std::future::pending::<()>().await;
                return Ok(Response::default());
            }
            pipe.answered();
            Ok(response)
        })
    }
}

/// Nothing that follows on the connection is read.
fn not_understood() -> Response {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::BAD_REQUEST;
    response
        .headers_mut()
        .insert(CONNECTION, HeaderValue::from_static("close"));
    response
}

#[cfg(test)]
mod tests;
