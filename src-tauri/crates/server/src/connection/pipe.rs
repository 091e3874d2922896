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

use std::collections::VecDeque;
use std::io::{self, IoSlice, Write as _};
use std::mem::MaybeUninit;
use std::pin::{Pin, pin};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, ready};

use axum::body::Body;
use axum::response::Response;
use bytes::{Buf, Bytes, BytesMut};
use hyper::{Method, Request, Uri};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, ReadBuf};

use super::framing::{Framed, frame, post};
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

/// The way in: what is begun, and what hyper is handed.
impl<S> State<S> {
    fn called<B>(&mut self, request: &Request<B>) -> Called {
        let stage = std::mem::replace(&mut self.stage, Stage::Answering);
        match stage {
            Stage::Handed(Some(ticket)) => match self.line.pop_front() {
                Some(begun) if begun.ticket == ticket && is_ticket(request, ticket) => {
                    self.line_bytes -= begun.bytes;
                    self.asked = Some(begun.asked);
                    Called::Begun(match begun.answer {
                        Progress::Coming(answer) => answer,
                        Progress::Ready(response) => Box::pin(std::future::ready(response)),
                    })
                }
                _ => Called::Unknown,
            },
            Stage::Free | Stage::Answering if !self.is_plain => Called::Unknown,
            Stage::Handed(None) | Stage::Free | Stage::Answering => {
                let turn = Turn::default();
                self.asked = (request.method() == Method::POST).then(|| Asked {
                    uri: request.uri().clone(),
                    turn: turn.clone(),
                });
                Called::Fresh(turn)
            }
        }
    }

    fn push(&mut self, begun: Begun) {
        self.line_bytes += begun.bytes;
        self.line.push_back(begun);
    }

    /// The newest in the line, if the next must not be begun yet. No other is waited for: hyper polls the oldest.
    fn take_unsettled(&mut self) -> Option<Begun> {
        let begun = self.line.pop_back_if(|begun| !begun.is_settled())?;
        self.line_bytes -= begun.bytes;
        Some(begun)
    }

    /// The newest that was begun, if another may be begun behind it.
    fn newest(&self) -> Option<&Asked> {
        match self.line.back() {
            Some(begun) => Some(&begun.asked).filter(|_| begun.is_settled()),
            None if self.stage == Stage::Answering => {
                self.asked.as_ref().filter(|asked| asked.turn.is_passed())
            }
            None => None,
        }
    }

    /// The request that is to be begun now, and what it took.
    fn next_ahead(&mut self) -> Option<(Request<Body>, Asked, usize)> {
        if self.raw.is_empty() || !self.reads_on() || !self.is_at_boundary() || self.is_closing {
            return None;
        }
        self.is_barred = true;
        let framed = match frame(&self.raw) {
            Framed::Request(framed) if framed.is_post && framed.bytes() <= REQUEST_BYTES_MAX => framed,
            // Hyper waits for its end no longer than for any other.
            Framed::Partial if self.raw.len() < HELD_HEAD_BYTES_MAX => {
                self.is_barred = false;
                return None;
            }
            _ => return None,
        };
        let bytes = framed.bytes() as usize;
        if self.raw.len() < bytes {
            self.is_barred = false;
            return None;
        }
        let uri = framed.uri(&self.raw)?;
        // Another address is another queue, where it could overtake.
        if uri.path() != self.newest()?.uri.path() {
            return None;
        }
        let mut request = post(uri.clone(), self.raw.get(..framed.head_bytes)?)?;
        self.is_barred = false;
        let turn = Turn::default();
        request.extensions_mut().insert(turn.clone());
        let body = self.raw.split_to(bytes).freeze().slice(framed.head_bytes..);
        if self.raw.is_empty() {
            self.raw = BytesMut::new();
        }
        Some((request.map(|()| Body::from(body)), Asked { uri, turn }, bytes))
    }

    /// Whether more is to be read while an answer is being made.
    fn reads_on(&self) -> bool {
        if self.line.len() >= AHEAD_REQUESTS_MAX || self.line_bytes + self.raw.len() >= AHEAD_BYTES_MAX {
            return false;
        }
        // Something has to be read in any case, or nobody notices that the client has left.
        self.raw.is_empty() || (!self.is_barred && !self.is_closing && self.newest().is_some())
    }

    /// Whether hyper was told to wait for something that is there now.
    fn is_wanted(&mut self) -> bool {
        match self.stage {
            Stage::Free if self.line.is_empty() && (self.raw.is_empty() || self.is_closing) => false,
            Stage::Free => std::mem::take(&mut self.is_withheld),
            Stage::Answering => self.has_stopped && self.reads_on() && std::mem::take(&mut self.has_stopped),
            Stage::Handed(_) => false,
        }
    }

    /// Whether what hyper was handed ends with a request.
    fn is_at_boundary(&self) -> bool {
        !self.is_plain && self.body_left == 0 && self.handing.is_empty()
    }
}

impl<S: AsyncRead + Unpin> State<S> {
    fn poll_read(&mut self, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        loop {
            if self.handing.has_remaining() {
                let bytes = self.handing.len().min(buffer.remaining());
                buffer.put_slice(&self.handing.split_to(bytes));
                return Poll::Ready(Ok(()));
            }
            if self.is_plain {
                return self.poll_through(cx, buffer, u64::MAX);
            }
            if self.body_left > 0 {
                return self.poll_through(cx, buffer, self.body_left);
            }
            match self.stage {
                Stage::Answering => return self.poll_ahead(cx),
                // It reads on behind what we think is a request. Let it decide.
                Stage::Handed(None) => self.is_plain = true,
                Stage::Handed(Some(_)) => return Poll::Ready(Err(io::ErrorKind::InvalidData.into())),
                // Hyper is about to be told that this was all.
                Stage::Free if self.is_closing && self.line.is_empty() => return Poll::Pending,
                Stage::Free if self.raw.is_empty() && self.line.is_empty() => {
                    if ready!(self.poll_first(cx, buffer))? {
                        return Poll::Ready(Ok(()));
                    }
                }
                Stage::Free => ready!(self.poll_next(cx))?,
            }
        }
    }

    /// Reads what hyper may have: what lies here, or what comes. What is beyond `bytes_max` is kept.
    fn poll_through(
        &mut self,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
        bytes_max: u64,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let bytes_max = usize::try_from(bytes_max).unwrap_or(usize::MAX);
        if self.raw.is_empty() {
            ready!(Pin::new(socket(&mut self.socket)?).poll_read(cx, buffer))?;
            self.keep_beyond(buffer, before.saturating_add(bytes_max));
        } else {
            let bytes = self.raw.len().min(buffer.remaining()).min(bytes_max);
            buffer.put_slice(&self.raw.split_to(bytes));
            if self.raw.is_empty() {
                self.raw = BytesMut::new();
            }
        }
        let passed = buffer.filled().len() - before;
        self.body_left = self.body_left.saturating_sub(passed as u64);
        Poll::Ready(Ok(()))
    }

    /// Reads where nothing lies here: nearly always one request, which need not be copied. Says whether hyper has got
    /// something, or the end.
    fn poll_first(&mut self, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<bool>> {
        let before = buffer.filled().len();
        ready!(Pin::new(socket(&mut self.socket)?).poll_read(cx, buffer))?;
        let read = &buffer.filled()[before..];
        if read.is_empty() {
            return Poll::Ready(Ok(true));
        }
        match frame(read) {
            Framed::Request(framed) => {
                self.stage = Stage::Handed(None);
                self.body_left = framed.bytes().saturating_sub(read.len() as u64);
                let end = usize::try_from(framed.bytes()).unwrap_or(usize::MAX);
                self.keep_beyond(buffer, before.saturating_add(end));
            }
            Framed::Partial => {
                self.keep_beyond(buffer, before);
                return Poll::Ready(Ok(false));
            }
            Framed::Unclear => self.is_plain = true,
        }
        Poll::Ready(Ok(true))
    }

    fn keep_beyond(&mut self, buffer: &mut ReadBuf<'_>, end: usize) {
        if let Some(beyond @ [_, ..]) = buffer.filled().get(end..) {
            self.raw.extend_from_slice(beyond);
            buffer.set_filled(end);
        }
    }

    /// Hands over what comes next, or reads until it is clear what that is.
    fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if let Some(begun) = self.line.front() {
            self.stage = Stage::Handed(Some(begun.ticket));
            self.handing = format!("POST /{} HTTP/1.1\r\n\r\n", begun.ticket).into();
            return Poll::Ready(Ok(()));
        }
        match frame(&self.raw) {
            Framed::Request(framed) => {
                let there = self.raw.len() as u64;
                self.stage = Stage::Handed(None);
                self.handing = self.raw.split_to(framed.bytes().min(there) as usize).freeze();
                self.body_left = framed.bytes().saturating_sub(there);
                self.is_barred = false;
                if self.raw.is_empty() {
                    self.raw = BytesMut::new();
                }
            }
            Framed::Partial if self.raw.len() < HELD_HEAD_BYTES_MAX => {
                if ready!(self.poll_fill(cx))? == 0 {
                    self.is_plain = true;
                }
            }
            Framed::Partial | Framed::Unclear => self.is_plain = true,
        }
        Poll::Ready(Ok(()))
    }

    /// Reads what comes while an answer is being made. Ready where the connection has ended, and nothing is left to do.
    fn poll_ahead(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.is_withheld = true;
        self.has_stopped = false;
        while self.reads_on() {
            let read = ready!(self.poll_fill(cx));
            if let Ok(1..) = read {
                continue;
            }
            // Who has sent more is to get more answers.
            let is_over = self.raw.is_empty() && self.line.is_empty();
            return if is_over {
                Poll::Ready(read.map(drop))
            } else {
                Poll::Pending
            };
        }
        self.has_stopped = true;
        Poll::Pending
    }

    fn poll_fill(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        let socket = socket(&mut self.socket)?;
        if self.raw.is_empty() {
            // Mostly nothing is there, and what it is read into costs nothing.
            let mut scrap = [MaybeUninit::uninit(); SCRAP_BYTES];
            let mut scrap = ReadBuf::uninit(&mut scrap);
            ready!(Pin::new(socket).poll_read(cx, &mut scrap))?;
            self.raw.extend_from_slice(scrap.filled());
            return Poll::Ready(Ok(scrap.filled().len()));
        }
        if self.raw.capacity() - self.raw.len() < READ_BYTES / 4 {
            self.raw.reserve(READ_BYTES);
        }
        pin!(socket.read_buf(&mut self.raw)).poll(cx)
    }
}

/// The way out: answers that come together are written together.
impl<S: AsyncWrite + Unpin> State<S> {
    fn poll_write(&mut self, cx: &mut Context<'_>, parts: &[IoSlice<'_>]) -> Poll<io::Result<usize>> {
        let bytes: usize = parts.iter().map(|part| part.len()).sum();
        let is_gathered = !(self.line.is_empty() && self.out.is_empty());
        if is_gathered && self.out.len() + bytes <= OUT_BYTES_MAX {
            // A vector takes all of it.
            return Poll::Ready(self.out.write_vectored(parts));
        }
        ready!(self.poll_out(cx))?;
        Pin::new(socket(&mut self.socket)?).poll_write_vectored(cx, parts)
    }

    fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        // Where more answers may follow at once, whoever polls hyper writes them in the end.
        if !self.line.is_empty() {
            return Poll::Ready(Ok(()));
        }
        ready!(self.poll_out(cx))?;
        Pin::new(socket(&mut self.socket)?).poll_flush(cx)
    }

    fn poll_shutdown(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.poll_out(cx))?;
        Pin::new(socket(&mut self.socket)?).poll_shutdown(cx)
    }

    fn poll_out(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let mut written = 0;
        let mut outcome = Poll::Ready(Ok(()));
        while written < self.out.len() {
            match Pin::new(socket(&mut self.socket)?).poll_write(cx, &self.out[written..]) {
                Poll::Ready(Ok(0)) => outcome = Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                Poll::Ready(Ok(bytes)) => {
                    written += bytes;
                    continue;
                }
                Poll::Ready(Err(error)) => outcome = Poll::Ready(Err(error)),
                Poll::Pending => outcome = Poll::Pending,
            }
            break;
        }
        if written == self.out.len() {
            self.out = Vec::new();
        } else {
            self.out.drain(..written);
        }
        outcome
    }
}

fn socket<S>(socket: &mut Option<S>) -> io::Result<&mut S> {
    socket.as_mut().ok_or_else(|| io::ErrorKind::NotConnected.into())
}

fn is_ticket<B>(request: &Request<B>, ticket: u64) -> bool {
    let number = request.uri().path().strip_prefix('/');
    number.and_then(|number| number.parse().ok()) == Some(ticket)
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
