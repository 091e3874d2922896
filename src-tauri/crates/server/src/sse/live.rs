//! The body of a live stream: `initial`, `ready`, then what the hub tells, for ever.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use chatstats_hub::{Entry, Gathered, Payload, Subscription};
use chatstats_model::Rev;
use chatstats_store::StoreError;
use futures_util::Stream;
use http_body::{Body, Frame};

use super::pulse::{Beat, Listening};
use super::{GATHER_BYTES, OpenStream, frame};

/// What a stream tells of.
pub(crate) trait Feed: Send + Unpin + 'static {
    /// What the hub carries for it.
    type Payload: Payload;
    /// The whole `initial` event, in pieces, and the position up to which it reaches.
    fn initial(&self) -> Pieces;
    /// What changed since `since`, as whole `update` events, and the position up to which they reach.
    fn refill(&self, since: Rev) -> Pieces;
    /// The `update` event of a publish.
    fn update(&self, entry: &Entry<Self::Payload>) -> Bytes;
    /// The `ready` event.
    fn ready(&self) -> Bytes;
}

/// Pieces of a stream that are read from the database, one after the other as the client takes them.
pub(crate) type Pieces = Pin<Box<dyn Stream<Item = Result<Piece, StoreError>> + Send>>;

/// See [`Pieces`].
pub(crate) enum Piece {
    /// To be sent as it is.
    Bytes(Bytes),
    /// The client has everything up to here.
    Through(Rev),
}

/// The body. Costs a few hundred bytes while nothing happens.
pub(crate) struct LiveBody<F: Feed> {
    feed: F,
    subscription: Subscription<F::Payload>,
    pulse: Listening,
    open: OpenStream,
    phase: Phase,
    /// The client has everything up to here, once it is ready.
    sent: Rev,
}

enum Phase {
    /// Nothing was sent yet.
    Start,
    /// `initial` is being sent; `begun` once part of it is out.
    Joining { pieces: Pieces, begun: bool },
    /// Everything is told, or waits in the hub.
    Live,
    /// The hub dropped something; the database tells it.
    Refilling(Pieces),
    /// The last word is said.
    Over,
}

/// What a step of the state machine came to.
enum Step {
    Send(Bytes),
    /// Look again.
    Again,
    End,
}

impl<F: Feed> LiveBody<F> {
    /// The subscription must be older than the position that `feed` starts from: that is what leaves no hole.
    pub(crate) fn new(
        feed: F,
        subscription: Subscription<F::Payload>,
        pulse: Listening,
        open: OpenStream,
    ) -> Self {
        Self {
            feed,
            subscription,
            pulse,
            open,
            phase: Phase::Start,
            sent: Rev::default(),
        }
    }

    fn step(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<Step>> {
        let step = match &mut self.phase {
            Phase::Start => {
                // Before the database is asked for anything long: the answer starts at once.
                self.phase = Phase::Joining {
                    pieces: self.feed.initial(),
                    begun: false,
                };
                Step::Send(frame::retry_hint())
            }
            Phase::Joining { .. } => return self.join(cx),
            Phase::Live => ready!(self.live(cx)),
            Phase::Refilling(pieces) => match ready!(pieces.as_mut().poll_next(cx)) {
                Some(Ok(piece)) => self.take(piece),
                Some(Err(error)) => self.fail(&error),
                None => {
                    self.phase = Phase::Live;
                    Step::Again
                }
            },
            Phase::Over => Step::End,
        };
        Poll::Ready(Ok(step))
    }

    fn join(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<Step>> {
        let Phase::Joining { pieces, begun } = &mut self.phase else {
            return Poll::Ready(Ok(Step::Again));
        };
        Poll::Ready(Ok(match ready!(pieces.as_mut().poll_next(cx)) {
            Some(Ok(piece)) => {
                *begun |= matches!(piece, Piece::Bytes(_));
                self.take(piece)
            }
            // Half an event cannot be taken back. Cut off, it is no event at all, and the client joins again.
            Some(Err(error)) if *begun => {
                tracing::error!(%error, "an event stream broke off in its initial");
                self.phase = Phase::Over;
                return Poll::Ready(Err(io::Error::other(
                    "the database failed in the middle of an event",
                )));
            }
            Some(Err(error)) => self.fail(&error),
            None => {
                self.phase = Phase::Live;
                Step::Send(self.feed.ready())
            }
        }))
    }

    fn live(&mut self, cx: &mut Context<'_>) -> Poll<Step> {
        // The heartbeat first, so that a stream under full load has a pulse too.
        match self.pulse.poll(cx) {
            Poll::Ready(Beat::Frame(frame)) => return Poll::Ready(Step::Send(frame)),
            Poll::Ready(Beat::End) => {
                self.phase = Phase::Over;
                return Poll::Ready(Step::End);
            }
            Poll::Pending => {}
        }
        let feed = &self.feed;
        let gathered = ready!(
            self.subscription
                .poll_gather(cx, GATHER_BYTES, |entry| feed.update(entry))
        );
        Poll::Ready(match gathered {
            Gathered::Frames {
                bytes,
                last,
                published,
                ..
            } => {
                self.open.told(published);
                self.sent = last;
                Step::Send(bytes)
            }
            Gathered::Lagged(_) => {
                self.subscription.count_refill();
                self.phase = Phase::Refilling(self.feed.refill(self.sent));
                Step::Again
            }
        })
    }

    fn take(&mut self, piece: Piece) -> Step {
        match piece {
            Piece::Bytes(bytes) if bytes.is_empty() => Step::Again,
            Piece::Bytes(bytes) => Step::Send(bytes),
            Piece::Through(rev) => {
                self.sent = rev;
                self.subscription.skip_through(rev);
                Step::Again
            }
        }
    }

    /// Tells the client what happened and ends: it comes again with its last id, and nothing is missing then.
    fn fail(&mut self, error: &StoreError) -> Step {
        self.phase = Phase::Over;
        if matches!(error, StoreError::Closed) {
            return Step::End;
        }
        tracing::error!(%error, "an event stream ended");
        Step::Send(frame::error(
            "database",
            "The database could not answer. The stream will be resumed.",
        ))
    }
}

impl<F: Feed> Body for LiveBody<F> {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, io::Error>>> {
        let this = self.get_mut();
        loop {
            // Outside of `live` a heartbeat is passed over: there is no place for it inside an `initial`.
            if !matches!(this.phase, Phase::Live)
                && let Poll::Ready(Beat::End) = this.pulse.poll(cx)
            {
                this.phase = Phase::Over;
            }
            match ready!(this.step(cx)) {
                Ok(Step::Again) => {}
                Ok(Step::End) => return Poll::Ready(None),
                Ok(Step::Send(bytes)) => {
                    this.open.sent(bytes.len());
                    return Poll::Ready(Some(Ok(Frame::data(bytes))));
                }
                Err(error) => return Poll::Ready(Some(Err(error))),
            }
        }
    }
}
