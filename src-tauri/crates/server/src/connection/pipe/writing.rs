//! The way out: answers that come together are written together.

use std::io::{self, IoSlice, Write as _};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::io::AsyncWrite;

use super::{OUT_BYTES_MAX, State, socket};

impl<S: AsyncWrite + Unpin> State<S> {
    pub(super) fn poll_write(
        &mut self,
        cx: &mut Context<'_>,
        parts: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let bytes: usize = parts.iter().map(|part| part.len()).sum();
        let is_gathered = !(self.line.is_empty() && self.out.is_empty());
        if is_gathered && self.out.len() + bytes <= OUT_BYTES_MAX {
            // A vector takes all of it.
            return Poll::Ready(self.out.write_vectored(parts));
        }
        ready!(self.poll_out(cx))?;
        Pin::new(socket(&mut self.socket)?).poll_write_vectored(cx, parts)
    }

    pub(super) fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        // Where more answers may follow at once, whoever polls hyper writes them in the end.
        if !self.line.is_empty() {
            return Poll::Ready(Ok(()));
        }
        ready!(self.poll_out(cx))?;
        Pin::new(socket(&mut self.socket)?).poll_flush(cx)
    }

    pub(super) fn poll_shutdown(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.poll_out(cx))?;
        Pin::new(socket(&mut self.socket)?).poll_shutdown(cx)
    }

    pub(super) fn poll_out(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
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
