//! The body of the stream of metrics: a snapshot a second, rendered once for all who look.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http_body::{Body, Frame};

use super::pulse::{Beat, Listening};
use super::{OpenStream, frame};

/// The body. Who is slow gets the newest snapshot and not those between.
pub(crate) struct MetricsBody {
    snapshots: Listening,
    pulse: Listening,
    open: OpenStream,
    begun: bool,
}

impl MetricsBody {
    pub(crate) fn new(snapshots: Listening, pulse: Listening, open: OpenStream) -> Self {
        Self {
            snapshots,
            pulse,
            open,
            begun: false,
        }
    }

    /// What is to be sent next; none at the end.
    fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Option<Bytes>> {
        if !self.begun {
            self.begun = true;
            return Poll::Ready(Some(frame::retry_hint()));
        }
        let beat = match self.pulse.poll(cx) {
            Poll::Ready(beat) => beat,
            Poll::Pending => ready!(self.snapshots.poll(cx)),
        };
        Poll::Ready(match beat {
            Beat::Frame(frame) => Some(frame),
            Beat::End => None,
        })
    }
}

impl Body for MetricsBody {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, io::Error>>> {
        let this = self.get_mut();
        let next = ready!(this.poll_next(cx));
        Poll::Ready(next.map(|bytes| {
            this.open.sent(bytes.len());
            Ok(Frame::data(bytes))
        }))
    }
}
