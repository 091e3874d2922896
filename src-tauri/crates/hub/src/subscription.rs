//! A subscriber: a cursor into a topic that keeps count.

use std::future::poll_fn;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::{Context, Poll};

use bytes::Bytes;
use chatstats_model::Rev;
use chatstats_ring::{Cursor, Ring};

use crate::Shared;
use crate::payload::{Entry, Payload};
use crate::status::TopicName;

pub use chatstats_ring::Lagged;

/// What [`Subscription::poll_gather`] found.
pub type Gathered = chatstats_ring::Gathered<Rev>;

/// An open subscription; dropping it ends it.
pub struct Subscription<T: Payload> {
    // Dropped in this order: the cursor has left when the topic is looked at.
    cursor: Cursor<Rev, T>,
    leaving: Leaving<T>,
}

struct Leaving<T: Payload> {
    hub: Arc<Shared>,
    topic: Ring<Rev, T>,
    name: TopicName,
}

impl<T: Payload> Subscription<T> {
    pub(crate) fn join(hub: Arc<Shared>, topic: Ring<Rev, T>, name: TopicName) -> Self {
        Self {
            cursor: topic.join(),
            leaving: Leaving { hub, topic, name },
        }
    }

    /// Passes over everything up to and including `rev`, published already or not: the subscriber has it from
    /// elsewhere.
    pub fn skip_through(&mut self, rev: Rev) {
        self.cursor.skip_through(rev);
    }

    /// Counts one refill of what was dropped.
    pub fn count_refill(&self) {
        self.leaving.hub.counters.refilled.fetch_add(1, Ordering::Relaxed);
    }

    /// The next publish, or how many were lost before it. Cancel safe.
    pub async fn recv(&mut self) -> Result<Arc<Entry<T>>, Lagged> {
        poll_fn(|cx| self.poll_recv(cx)).await
    }

    /// As [`recv`](Self::recv). Wakes the task of the last call only.
    pub fn poll_recv(&mut self, cx: &mut Context<'_>) -> Poll<Result<Arc<Entry<T>>, Lagged>> {
        let received = self.cursor.poll_recv(cx);
        match &received {
            Poll::Ready(Ok(_)) => self.delivered(1),
            Poll::Ready(Err(lagged)) => self.dropped(lagged.dropped),
            Poll::Pending => {}
        }
        received
    }

    /// The frames of all that is there, in one buffer: at most `max_bytes`, except that a single larger frame
    /// comes alone. Each entry is rendered once, by the `render` of whoever asks first.
    pub fn poll_gather(
        &mut self,
        cx: &mut Context<'_>,
        max_bytes: usize,
        render: impl Fn(&Entry<T>) -> Bytes,
    ) -> Poll<Gathered> {
        let gathered = self.cursor.poll_gather(cx, max_bytes, render);
        match &gathered {
            Poll::Ready(Gathered::Frames { entries, .. }) => self.delivered(*entries),
            Poll::Ready(Gathered::Lagged(lagged)) => self.dropped(lagged.dropped),
            Poll::Pending => {}
        }
        gathered
    }

    fn delivered(&self, publishes: u64) {
        let counters = &self.leaving.hub.counters;
        counters.delivered.fetch_add(publishes, Ordering::Relaxed);
    }

    fn dropped(&self, publishes: u64) {
        let counters = &self.leaving.hub.counters;
        counters.dropped.fetch_add(publishes, Ordering::Relaxed);
    }
}

impl<T: Payload> Drop for Subscription<T> {
    fn drop(&mut self) {
        self.dropped(self.cursor.unnoticed_drops());
    }
}

impl<T: Payload> Drop for Leaving<T> {
    fn drop(&mut self) {
        if let TopicName::Chat(chat_id) = self.name
            && self.topic.is_deserted()
        {
            self.hub.forget(chat_id);
        }
    }
}
