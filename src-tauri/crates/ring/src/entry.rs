//! What one publish leaves in a ring.

use std::sync::OnceLock;
use std::time::Instant;

use bytes::Bytes;

/// One publish. `P` is a position in what the ring tells of; they grow from entry to entry.
#[derive(Debug)]
pub struct Entry<P, T> {
    /// The first position of the change.
    pub first: P,
    /// The last position of the change.
    pub last: P,
    /// What was published.
    pub payload: T,
    /// When it was published.
    pub published: Instant,
    cost_bytes: usize,
    frame: OnceLock<Bytes>,
}

impl<P, T> Entry<P, T> {
    pub(crate) fn new((first, last): (P, P), payload_bytes: usize, payload: T) -> Self {
        // Twice: beside the payload lies its frame, which is about as large.
        let cost_bytes = size_of::<Self>() + 2 * payload_bytes;
        Self {
            first,
            last,
            payload,
            published: Instant::now(),
            cost_bytes,
            frame: OnceLock::new(),
        }
    }

    /// What it costs to keep, in bytes: an estimate, fixed when it was published.
    pub(crate) fn cost_bytes(&self) -> usize {
        self.cost_bytes
    }

    /// The frame's length if it is rendered already, else a guess.
    pub(crate) fn frame_len_hint(&self) -> usize {
        self.frame.get().map_or(self.cost_bytes / 2, Bytes::len)
    }

    /// The frame, rendered by whoever asks first. All readers of a ring must therefore render alike.
    pub fn frame(&self, render: impl FnOnce(&Self) -> Bytes) -> &Bytes {
        self.frame.get_or_init(|| render(self))
    }
}
