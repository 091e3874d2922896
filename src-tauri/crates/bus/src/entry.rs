//! One entry of a stream.

use std::sync::OnceLock;

use bytes::Bytes;

use crate::{Fields, StreamId};

/// An entry. Shared by all who read it, and rendered once for all of them.
#[derive(Debug)]
pub struct Entry {
    /// Its place.
    pub id: StreamId,
    /// What it says.
    pub fields: Fields,
    frame: OnceLock<Bytes>,
}

impl Entry {
    /// An entry that nobody rendered yet.
    pub fn new(id: StreamId, fields: Fields) -> Self {
        Self {
            id,
            fields,
            frame: OnceLock::new(),
        }
    }

    /// The frame, rendered by whoever asks first. All readers of a process must therefore render alike.
    pub fn frame(&self, render: impl FnOnce(&Self) -> Bytes) -> &Bytes {
        self.frame.get_or_init(|| render(self))
    }
}
