//! What lies between a socket and hyper: requests that come behind one that is still being answered are begun meanwhile.
//!
//! Hyper reads the next request once the last answer is written. Who sends many small posts over one connection without
//! waiting would have each of them wait for the commit of the one before. So the pipe finds where requests end, hands
//! hyper one at a time, and looks at what lies behind. A post to the same address is begun as soon as the one before has
//! passed its [`Turn`]: what both want stands in one queue then, in the order in which it came. In its place hyper is
//! given a *ticket*, a request of one line, and when hyper asks for the ticket's answer it gets that of the post. So hyper
//! writes all answers, in order, and reads all that is not certain to be such a post.
//!
//! Where the end of a request is in any doubt, the pipe is a plain one from there to the end of the connection.

mod line;
mod reading;
mod writing;

use std::collections::VecDeque;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};

use axum::body::Body;
use axum::response::Response;
use bytes::{Bytes, BytesMut};
use hyper::{Request, Uri};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::turn::Turn;

/// What one connection may have lying here, read and not answered, in bytes: some thousand small events, or a moment of a
/// fast connection. Beyond it the socket is not read, and TCP slows the client down.
const AHEAD_BYTES_MAX: usize = 256 << 10;

/// Requests of one connection that are begun at a time: as many as the database commits together.
pub(super) const AHEAD_REQUESTS_MAX: usize = 256;

/// The largest request that is begun ahead. Larger ones are worth their own commit, and are parsed off this thread.
const REQUEST_BYTES_MAX: u64 = 64 << 10;

/// How much of an unfinished head is held back to find its end. Each packet has it looked at from the start: beyond this,
/// somebody makes work on purpose.
const HELD_HEAD_BYTES_MAX: usize = 8 << 10;

/// What is read at once where requests lie behind each other, in bytes.
const READ_BYTES: usize = 32 << 10;

/// What is read first where nothing was expected, in bytes.
const SCRAP_BYTES: usize = 2 << 10;

/// Answers that are written together at most, in bytes.
const OUT_BYTES_MAX: usize = 64 << 10;

/// The answer to a request.
pub(super) type Answer = Pin<Box<dyn Future<Output = Response> + Send>>;

/// A socket as hyper and its service share it. A cheap handle; all of them are used by one task.
pub(super) struct Pipe<S>(Arc<Mutex<State<S>>>);

/// What a request that hyper has read is.
pub(super) enum Called {
    /// Nobody has begun it. Whoever answers it has this turn.
    Fresh(Turn),
    /// It stands for one that was begun.
    Begun(Answer),
    /// A ticket that was not given out. This must not happen.
    Unknown,
}

struct State<S> {
    /// None once it is given back.
    socket: Option<S>,
    /// Read, and neither handed to hyper nor begun.
    raw: BytesMut,
    /// Begun, in order. Hyper has no ticket of these yet.
    line: VecDeque<Begun>,
    /// What the requests in the line took.
    line_bytes: usize,
    /// What hyper is given next.
    handing: Bytes,
    /// What is still to come of the body of the request that hyper is reading, behind `handing`.
    body_left: u64,
    stage: Stage,
    /// The request that hyper waits for the answer of; nothing is begun behind one that is no post.
    asked: Option<Asked>,
    /// The number of the last ticket.
    ticket: u64,
    /// It is not known where requests begin any more.
    is_plain: bool,
    /// Nothing more is begun.
    is_closing: bool,
    /// What `raw` begins with is not to be begun ahead.
    is_barred: bool,
    /// Hyper was told to wait for the next request while it had another, and will not ask for it by itself.
    is_withheld: bool,
    /// The socket was not read to its end, for want of room or because nothing could be begun.
    has_stopped: bool,
    /// Answers that are to be written together.
    out: Vec<u8>,
}

/// What hyper is at, between two requests or within one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    /// The next request may be handed over.
    Free,
    /// A request was handed over, or a ticket with this number, and hyper has not called for its answer yet.
    Handed(Option<u64>),
    /// An answer is being made.
    Answering,
}

struct Asked {
    uri: Uri,
    turn: Turn,
}

struct Begun {
    ticket: u64,
    bytes: usize,
    asked: Asked,
    answer: Progress,
}

enum Progress {
    Coming(Answer),
    Ready(Response),
}

impl<S> Pipe<S> {
    pub(super) fn new(socket: S) -> Self {
        Self(Arc::new(Mutex::new(State {
            socket: Some(socket),
            raw: BytesMut::new(),
            line: VecDeque::new(),
            line_bytes: 0,
            handing: Bytes::new(),
            body_left: 0,
            stage: Stage::Free,
            asked: None,
            ticket: 0,
            is_plain: false,
            is_closing: false,
            is_barred: false,
            is_withheld: false,
            has_stopped: false,
            out: Vec::new(),
        })))
    }

    /// The socket, for whoever goes on without the pipe. What was read ahead is forgotten.
    pub(super) fn into_socket(self) -> Option<S> {
        self.lock().socket.take()
    }

    /// Hyper has read a request: what is it?
    pub(super) fn called<B>(&self, request: &Request<B>) -> Called {
        self.lock().called(request)
    }

    /// The answer to the last call is made.
    pub(super) fn answered(&self) {
        let mut state = self.lock();
        state.stage = Stage::Free;
        state.asked = None;
    }

    /// Begins nothing more, and hands hyper nothing but what was begun.
    pub(super) fn close(&self) {
        self.lock().is_closing = true;
    }

    /// Whether hyper has been given a ticket for all that was begun.
    pub(super) fn is_handed(&self) -> bool {
        self.lock().line.is_empty()
    }

    /// Begins what lies there and may be begun, with `answer`. To be called after hyper was polled; says whether it is to
    /// be polled once more.
    pub(super) fn go_on(&self, cx: &mut Context<'_>, answer: impl Fn(Request<Body>) -> Answer) -> bool {
        // The lock is not held while somebody's answer is polled.
        let unsettled = self.lock().take_unsettled();
        if let Some(mut begun) = unsettled {
            begun.poll(cx);
            self.lock().push(begun);
        }
        loop {
            let mut state = self.lock();
            let Some((request, asked, bytes)) = state.next_ahead() else {
                return state.is_wanted();
            };
            state.ticket += 1;
            let ticket = state.ticket;
            drop(state);
            let mut begun = Begun {
                ticket,
                bytes,
                asked,
                answer: Progress::Coming(answer(request)),
            };
            begun.poll(cx);
            self.lock().push(begun);
        }
    }

    fn lock(&self) -> MutexGuard<'_, State<S>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<S: AsyncWrite + Unpin> Pipe<S> {
    /// Writes the answers that were held back to go together. To be called before the task waits.
    pub(super) fn poll_written(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.lock().poll_out(cx)
    }
}

impl<S> Clone for Pipe<S> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl Begun {
    /// Whether the next may be begun.
    fn is_settled(&self) -> bool {
        matches!(self.answer, Progress::Ready(_)) || self.asked.turn.is_passed()
    }

    fn poll(&mut self, cx: &mut Context<'_>) {
        if let Progress::Coming(answer) = &mut self.answer
            && let Poll::Ready(response) = answer.as_mut().poll(cx)
        {
            self.answer = Progress::Ready(response);
        }
    }
}

fn socket<S>(socket: &mut Option<S>) -> io::Result<&mut S> {
    socket.as_mut().ok_or_else(|| io::ErrorKind::NotConnected.into())
}

impl<S: AsyncRead + Unpin> AsyncRead for Pipe<S> {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        self.lock().poll_read(cx, buffer)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Pipe<S> {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.lock().poll_write(cx, &[IoSlice::new(bytes)])
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        parts: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.lock().poll_write(cx, parts)
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.lock().poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.lock().poll_shutdown(cx)
    }
}
