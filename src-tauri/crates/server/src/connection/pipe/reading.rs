//! The way in: what is read, and what hyper is handed of it.

use std::io;
use std::mem::MaybeUninit;
use std::pin::{Pin, pin};
use std::task::{Context, Poll, ready};

use bytes::{Buf, BytesMut};
use tokio::io::{AsyncRead, AsyncReadExt, ReadBuf};

use super::{HELD_HEAD_BYTES_MAX, READ_BYTES, SCRAP_BYTES, Stage, State, socket};
use crate::connection::framing::{Framed, frame};

impl<S: AsyncRead + Unpin> State<S> {
    pub(super) fn poll_read(
        &mut self,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
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
