//! Buffers of several frames in a row, shared by the cursors that stand at the same place.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Instant;

use bytes::{Bytes, BytesMut};

use crate::entry::Entry;

/// How many buffers a ring keeps. Readers that were woken together stand at very few places.
const BATCHES_KEPT: usize = 4;

/// The frames of the entries `from..to`.
#[derive(Clone)]
pub(crate) struct Batch<P> {
    pub(crate) from: u64,
    pub(crate) to: u64,
    pub(crate) last: P,
    /// When the first of them was published.
    pub(crate) published: Instant,
    pub(crate) bytes: Bytes,
    /// Stopped for its size, and not because there was no more.
    full: bool,
}

impl<P: Copy> Batch<P> {
    /// Joins frames until `max_bytes` are reached, at least one. `entries` start at sequence number `from`; of
    /// none there is no batch.
    pub(crate) fn render<T>(
        from: u64,
        entries: &[Arc<Entry<P, T>>],
        max_bytes: usize,
        render: impl Fn(&Entry<P, T>) -> Bytes,
    ) -> Option<Self> {
        let mut len = 0;
        let mut taken = 0;
        for entry in entries {
            let frame_len = entry.frame(&render).len();
            if taken > 0 && len + frame_len > max_bytes {
                break;
            }
            len += frame_len;
            taken += 1;
        }
        let full = len >= max_bytes || taken < entries.len();
        let entries = &entries[..taken];
        let bytes = match entries {
            // The common case, at an easy pace: no copy.
            [only] => only.frame(&render).clone(),
            several => {
                let mut joined = BytesMut::with_capacity(len);
                for entry in several {
                    joined.extend_from_slice(entry.frame(&render));
                }
                joined.freeze()
            }
        };
        Some(Self {
            from,
            to: from + taken as u64,
            last: entries.last()?.last,
            published: entries.first()?.published,
            bytes,
            full,
        })
    }
}

/// The newest few batches of a ring.
pub(crate) struct Batches<P>(VecDeque<Batch<P>>);

impl<P> Default for Batches<P> {
    fn default() -> Self {
        Self(VecDeque::new())
    }
}

impl<P> Batches<P> {
    /// A batch that starts at `from` and is full, or goes at least half the way to `head`. A shorter one would
    /// cost its reader more in system calls than the copying it saves.
    pub(crate) fn find(&self, from: u64, head: u64) -> Option<&Batch<P>> {
        let worth_it = |batch: &&Batch<P>| batch.full || 2 * (batch.to - from) >= head - from;
        self.0
            .iter()
            .rev()
            .filter(|batch| batch.from == from)
            .find(worth_it)
    }

    pub(crate) fn keep(&mut self, batch: Batch<P>) {
        if self.0.len() == BATCHES_KEPT {
            self.0.pop_front();
        }
        self.0.push_back(batch);
    }

    pub(crate) fn clear(&mut self) {
        self.0.clear();
    }
}
