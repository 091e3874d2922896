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

    /// Whether those who wait were woken since this cursor had everything. Takes no lock, so what was pushed and not told
    /// of yet is not seen: see [`has_everything`](Self::has_everything).
    pub fn has_news(&self) -> bool {
        let round = self.ring.round();
        self.parked.as_ref().is_none_or(|(parked, _)| *parked != round)
    }

    /// Passes over everything up to and including `position`, published already or not: the reader has it from
    /// elsewhere.
    pub fn skip_through(&mut self, position: P) {
        self.floor = self.floor.max(Some(position));
    }

    /// Whether it has read all there is by now.
    pub fn has_everything(&self) -> bool {
        self.ring.lock().has_everything(self.slot, self.floor)
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Limits;

    const LIMITS: Limits = Limits {
        entries_max: 10,
        bytes_max: 1_000,
    };

    fn gather(cursor: &mut Cursor<u64, &'static str>) -> Poll<Gathered<u64>> {
        let render = |entry: &Entry<u64, &'static str>| Bytes::from_static(entry.payload.as_bytes());
        cursor.poll_gather(&mut Context::from_waker(Waker::noop()), 100, render)
    }

    fn text(gathered: Poll<Gathered<u64>>) -> Option<Bytes> {
        match gathered {
            Poll::Ready(Gathered::Frames { bytes, .. }) => Some(bytes),
            _ => None,
        }
    }

    #[test]
    fn what_was_pushed_and_not_told_yet_is_kept_although_all_wait() {
        let ring = Ring::new(LIMITS);
        let (mut early, mut late) = (ring.join(), ring.join());
        assert!(gather(&mut early).is_pending());
        ring.push((1, 1), || (1, "a"));
        assert_eq!(text(gather(&mut late)), Some(Bytes::from_static(b"a")));
        assert!(gather(&mut late).is_pending());
        assert_eq!(ring.status().waiting, 2);
        assert_eq!(ring.waiting(), 2);
        assert!(!early.has_news(), "nobody was woken");
        assert!(!early.has_everything());
        ring.wake();
        assert!(early.has_news());
        assert_eq!(text(gather(&mut early)), Some(Bytes::from_static(b"a")));
        assert!(early.has_everything() && late.has_everything());
    }

    #[test]
    fn who_took_the_last_entry_waits_for_the_next() {
        let ring = Ring::new(LIMITS);
        let (mut one, mut other) = (ring.join(), ring.join());
        for (number, payload) in ["a", "b", "c"].into_iter().enumerate() {
            let position = number as u64;
            ring.publish((position, position), || (1, payload));
            for cursor in [&mut one, &mut other] {
                assert_eq!(text(gather(cursor)), Some(Bytes::from_static(payload.as_bytes())));
            }
            assert_eq!(ring.status().waiting, 2, "without asking again");
            assert_eq!(ring.status().depth, 0);
        }
    }
}
