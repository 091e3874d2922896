//! Names of streams.

use std::fmt;
use std::sync::Arc;

/// The longest name of a stream, in bytes. Names are made by programs; a longer one is a mistake.
pub const KEY_BYTES_MAX: usize = 512;

/// The name of a stream. Cheap to clone.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct StreamKey(Arc<str>);

/// A text that cannot name a stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a stream's name has from 1 to {KEY_BYTES_MAX} bytes")]
pub struct StreamKeyError;

impl StreamKey {
    /// Takes the name.
    ///
    /// # Errors
    ///
    /// It is empty or longer than [`KEY_BYTES_MAX`].
    pub fn new(name: &str) -> Result<Self, StreamKeyError> {
        let fits = (1..=KEY_BYTES_MAX).contains(&name.len());
        fits.then(|| Self(name.into())).ok_or(StreamKeyError)
    }

    /// The stream of events, `task_events:analysis`.
    pub fn events() -> Self {
        Self(crate::EVENTS_STREAM.into())
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for StreamKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
