//! Buffers of several frames in a row, shared by the subscribers that stand at the same place.

use std::collections::VecDeque;
use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use chatstats_model::Rev;

use crate::entry::{Entry, Payload};

/// How many buffers a topic keeps. Subscribers that were woken together stand at very few places.
const BATCHES_KEPT: usize = 4;

/// The frames of the entries `from..to`.
#[derive(Clone)]
pub(crate) struct Batch {
    pub(crate) from: u64,
    pub(crate) to: u64,
    pub(crate) last_rev: Rev,
    pub(crate) bytes: Bytes,
    /// Stopped for its size, and not because there was no more.
    full: bool,
}

impl Batch {
    /// Joins frames until `max_bytes` are reached, at least one. `entries` start at sequence number `from` and
    /// are not empty.
    pub(crate) fn render<T: Payload>(
        from: u64,
        entries: &[Arc<Entry<T>>],
        max_bytes: usize,
        render: impl Fn(&Entry<T>) -> Bytes,
    ) -> Self {
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
        let last_rev = entries.last().map_or(Rev::default(), |entry| entry.last_rev);
        Self {
            from,
            to: from + taken as u64,
            last_rev,
            bytes,
            full,
        }
    }
}

/// The newest few batches of a topic.
#[derive(Default)]
pub(crate) struct Batches(VecDeque<Batch>);

impl Batches {
    /// A batch that starts at `from` and is full, or goes at least half the way to `head`. A shorter one would
    /// cost its reader more in system calls than the copying it saves.
    pub(crate) fn find(&self, from: u64, head: u64) -> Option<&Batch> {
        let worth_it = |batch: &&Batch| batch.full || 2 * (batch.to - from) >= head - from;
        self.0
            .iter()
            .rev()
            .filter(|batch| batch.from == from)
            .find(worth_it)
    }

    pub(crate) fn keep(&mut self, batch: Batch) {
        if self.0.len() == BATCHES_KEPT {
            self.0.pop_front();
        }
        self.0.push_back(batch);
    }

    pub(crate) fn clear(&mut self) {
        self.0.clear();
    }
}
