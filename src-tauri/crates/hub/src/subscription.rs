//! A subscriber: a cursor into a topic, with its own place and its own floor.

use std::future::poll_fn;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::{Context, Poll};

use bytes::Bytes;
use chatstats_model::Rev;

use crate::Shared;
use crate::batch::Batch;
use crate::entry::{Entry, Payload};
use crate::status::TopicName;
use crate::topic::{Next, Topic};

/// An open subscription; dropping it ends it.
pub struct Subscription<T: Payload> {
    hub: Arc<Shared>,
    topic: Arc<Topic<T>>,
    name: TopicName,
    slot: usize,
    floor: Rev,
}

/// The subscriber was too slow: this many publishes are gone. It goes on with the oldest that is left.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lagged {
    /// How many publishes were dropped.
    pub dropped: u64,
}

/// What [`Subscription::poll_gather`] found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Gathered {
    /// Frames, one after the other.
    Frames {
        /// All of them, shared with others who stand at the same place.
        bytes: Bytes,
        /// How many publishes they tell of.
        publishes: u64,
        /// The position after the last of them.
        last_rev: Rev,
    },
    /// Publishes are missing before whatever comes next.
    Lagged(Lagged),
}

impl<T: Payload> Subscription<T> {
    pub(crate) fn join(hub: Arc<Shared>, topic: Arc<Topic<T>>, name: TopicName) -> Self {
        let slot = topic.lock().join();
        Self {
            hub,
            topic,
            name,
            slot,
            floor: Rev::default(),
        }
    }

    /// Passes over everything up to and including `rev`, published already or not: the subscriber has it from
    /// elsewhere.
    pub fn skip_through(&mut self, rev: Rev) {
        self.floor = self.floor.max(rev);
    }

    /// Counts one refill of what was dropped.
    pub fn count_refill(&self) {
        self.hub.counters.refilled.fetch_add(1, Ordering::Relaxed);
    }

    /// The next publish, or how many were lost before it. Cancel safe.
    pub async fn recv(&mut self) -> Result<Arc<Entry<T>>, Lagged> {
        poll_fn(|cx| self.poll_recv(cx)).await
    }

    /// As [`recv`](Self::recv). Wakes the task of the last call only.
    pub fn poll_recv(&mut self, cx: &mut Context<'_>) -> Poll<Result<Arc<Entry<T>>, Lagged>> {
        let mut state = self.topic.lock();
        match state.next(self.slot, self.floor) {
            Next::Lagged(dropped) => Poll::Ready(Err(self.lagged(dropped))),
            Next::At(at) if let Some(entry) = state.entry(at).cloned() => {
                state.advance(self.slot, at + 1);
                self.delivered(1);
                Poll::Ready(Ok(entry))
            }
            Next::At(_) | Next::Nothing => {
                state.park(self.slot, cx.waker());
                Poll::Pending
            }
        }
    }

    /// The frames of all that is there, in one buffer: at most `max_bytes`, except that a single larger frame
    /// comes alone. Each entry is rendered once, by the `render` of whoever asks first.
    pub fn poll_gather(
        &mut self,
        cx: &mut Context<'_>,
        max_bytes: usize,
        render: impl Fn(&Entry<T>) -> Bytes,
    ) -> Poll<Gathered> {
        let (at, entries) = {
            let mut state = self.topic.lock();
            let at = match state.next(self.slot, self.floor) {
                Next::Lagged(dropped) => return Poll::Ready(Gathered::Lagged(self.lagged(dropped))),
                Next::Nothing => {
                    state.park(self.slot, cx.waker());
                    return Poll::Pending;
                }
                Next::At(at) => at,
            };
            if let Some(batch) = state.batches.find(at, state.head()).cloned() {
                state.advance(self.slot, batch.to);
                return Poll::Ready(self.gathered(batch));
            }
            (at, state.entries(at, max_bytes))
        };
        // Outside of the lock: a publisher never waits for rendering.
        let batch = Batch::render(at, &entries, max_bytes, render);
        let mut state = self.topic.lock();
        state.advance(self.slot, batch.to);
        if state.cursor_count() > 1 {
            state.batches.keep(batch.clone());
        }
        drop(state);
        Poll::Ready(self.gathered(batch))
    }

    fn gathered(&self, batch: Batch) -> Gathered {
        let publishes = batch.to - batch.from;
        self.delivered(publishes);
        Gathered::Frames {
            bytes: batch.bytes,
            publishes,
            last_rev: batch.last_rev,
        }
    }

    fn delivered(&self, publishes: u64) {
        self.hub
            .counters
            .delivered
            .fetch_add(publishes, Ordering::Relaxed);
    }

    fn lagged(&self, dropped: u64) -> Lagged {
        self.hub.counters.dropped.fetch_add(dropped, Ordering::Relaxed);
        Lagged { dropped }
    }
}

impl<T: Payload> Drop for Subscription<T> {
    fn drop(&mut self) {
        let mut state = self.topic.lock();
        let unnoticed = state.leave(self.slot);
        let last = state.cursor_count() == 0;
        drop(state);
        self.hub.counters.dropped.fetch_add(unnoticed, Ordering::Relaxed);
        if let (true, TopicName::Chat(chat_id)) = (last, self.name) {
            self.hub.forget(chat_id);
        }
    }
}
