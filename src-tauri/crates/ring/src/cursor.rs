//! A reader of a ring: its own place, its own floor.

use std::future::poll_fn;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Instant;

use bytes::Bytes;

use crate::batch::Batch;
use crate::entry::Entry;
use crate::ring::{Next, Ring};

/// A reader of a [`Ring`]; dropping it ends it.
pub struct Cursor<P: Copy + Ord, T> {
    ring: Ring<P, T>,
    slot: usize,
    floor: Option<P>,
    /// In which round it was parked last, and who is woken then.
    parked: Option<(u64, Waker)>,
}

/// The reader was too slow: this many entries are gone. It goes on with the oldest that is left.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lagged {
    /// How many entries were dropped.
    pub dropped: u64,
}

/// What [`Cursor::poll_gather`] found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Gathered<P> {
    /// Frames, one after the other.
    Frames {
        /// All of them, shared with others who stand at the same place.
        bytes: Bytes,
        /// How many entries they tell of.
        entries: u64,
        /// The position after the last of them.
        last: P,
        /// When the first of them was published.
        published: Instant,
    },
    /// Entries are missing before whatever comes next.
    Lagged(Lagged),
}

impl<P: Copy + Ord, T> Cursor<P, T> {
    pub(crate) fn new(ring: Ring<P, T>) -> Self {
        let slot = ring.lock().join();
        Self {
            ring,
            slot,
            floor: None,
            parked: None,
        }
    }

    /// Whether something may have come since this cursor had everything. Takes no lock.
    pub fn has_news(&self) -> bool {
        let round = self.ring.round();
        self.parked.as_ref().is_none_or(|(parked, _)| *parked != round)
    }

    /// Passes over everything up to and including `position`, published already or not: the reader has it from
    /// elsewhere.
    pub fn skip_through(&mut self, position: P) {
        self.floor = self.floor.max(Some(position));
    }

    /// The next entry, or how many were lost before it. Cancel safe.
    pub async fn recv(&mut self) -> Result<Arc<Entry<P, T>>, Lagged> {
        poll_fn(|cx| self.poll_recv(cx)).await
    }

    /// As [`recv`](Self::recv). Wakes the task of the last call only.
    pub fn poll_recv(&mut self, cx: &mut Context<'_>) -> Poll<Result<Arc<Entry<P, T>>, Lagged>> {
        let mut state = self.ring.lock();
        match state.next(self.slot, self.floor) {
            Next::Lagged(dropped) => Poll::Ready(Err(Lagged { dropped })),
            Next::At(at) if let Some(entry) = state.entry(at).cloned() => {
                state.advance(self.slot, at + 1);
                Poll::Ready(Ok(entry))
            }
            Next::At(_) | Next::Nothing => {
                let round = state.park(self.slot, cx.waker());
                drop(state);
                self.note_parked(Some(round), cx.waker());
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
        render: impl Fn(&Entry<P, T>) -> Bytes,
    ) -> Poll<Gathered<P>> {
        let waits = |(_, waker): &(u64, Waker)| waker.will_wake(cx.waker());
        if !self.has_news() && self.parked.as_ref().is_some_and(waits) {
            return Poll::Pending;
        }
        let (at, entries) = {
            let mut state = self.ring.lock();
            let at = match state.next(self.slot, self.floor) {
                Next::Lagged(dropped) => return Poll::Ready(Gathered::Lagged(Lagged { dropped })),
                Next::Nothing => {
                    let round = state.park(self.slot, cx.waker());
                    drop(state);
                    self.note_parked(Some(round), cx.waker());
                    return Poll::Pending;
                }
                Next::At(at) => at,
            };
            if let Some(batch) = state.batches.find(at, state.head()).cloned() {
                let round = state.take(self.slot, batch.to, cx.waker());
                drop(state);
                self.note_parked(round, cx.waker());
                return Poll::Ready(batch.into());
            }
            (at, state.entries(at, max_bytes))
        };
        // Outside of the lock: a publisher never waits for rendering.
        let Some(batch) = Batch::render(at, &entries, max_bytes, render) else {
            cx.waker().wake_by_ref();
            return Poll::Pending;
        };
        let mut state = self.ring.lock();
        if state.reader_count() > 1 {
            state.batches.keep(batch.clone());
        }
        let round = state.take(self.slot, batch.to, cx.waker());
        drop(state);
        self.note_parked(round, cx.waker());
        Poll::Ready(batch.into())
    }

    fn note_parked(&mut self, in_round: Option<u64>, waker: &Waker) {
        match (in_round, &mut self.parked) {
            (None, _) => {}
            (Some(in_round), Some((round, known))) => {
                *round = in_round;
                known.clone_from(waker);
            }
            (Some(in_round), parked @ None) => *parked = Some((in_round, waker.clone())),
        }
    }

    /// How many entries are lost by now and were not told yet. For those who keep count, when they leave.
    pub fn unnoticed_drops(&self) -> u64 {
        self.ring.lock().lost_at(self.slot)
    }
}

impl<P> From<Batch<P>> for Gathered<P> {
    fn from(batch: Batch<P>) -> Self {
        Gathered::Frames {
            entries: batch.to - batch.from,
            bytes: batch.bytes,
            last: batch.last,
            published: batch.published,
        }
    }
}

impl<P: Copy + Ord, T> Drop for Cursor<P, T> {
    fn drop(&mut self) {
        self.ring.lock().leave(self.slot);
    }
}
