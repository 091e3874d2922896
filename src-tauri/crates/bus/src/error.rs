//! What can go wrong.

use crate::fields::FieldsError;
use crate::id::StreamId;
use crate::key::StreamKeyError;

/// Why the bus did not do what it was asked.
#[derive(Clone, Debug, thiserror::Error)]
pub enum BusError {
    /// Redis cannot be reached, or refuses to write for now. It is tried again and again; the text says what it said.
    #[error("Redis is away: {0}")]
    Away(String),
    /// As much waits to be written as may, for a Redis that is away or a disk that is slow. Nothing of this event is kept.
    #[error("{waiting} events wait to be written, and no more are kept: this one was not published")]
    Full {
        /// How many wait.
        waiting: usize,
    },
    /// Whether the event was written cannot be told: the answer was lost, and so was the part of the stream where it
    /// would stand.
    #[error("Redis did not answer, and its stream has lost the place where the event would be")]
    Uncertain,
    /// The key holds something else than a stream.
    #[error("{0:?} is not a stream: Redis keeps a value of another type under this name")]
    WrongType(String),
    /// An id was asked for that is not above the newest.
    #[error("the id {asked} is not above the newest of the stream, {newest}")]
    IdTooSmall {
        /// The id asked for.
        asked: StreamId,
        /// The newest so far.
        newest: StreamId,
    },
    /// The stream holds the last id there can be.
    #[error("the stream has used the last id there can be: nothing can be added to it")]
    Exhausted,
    /// What was given as Redis' address is none.
    #[error("the address of Redis is not usable: {0}")]
    Address(String),
    /// The fields cannot be an entry.
    #[error(transparent)]
    Fields(#[from] FieldsError),
    /// The name cannot be a stream's.
    #[error(transparent)]
    Key(#[from] StreamKeyError),
    /// The log keeps as many streams as it may.
    #[error("the log keeps {0} streams already, which is the most there can be")]
    TooManyKept(usize),
    /// More streams are followed at once than is allowed.
    #[error("{0} streams are followed already, which is the most at one time")]
    TooManyStreams(usize),
    /// Redis refused, for a reason that trying again does not mend.
    #[error("Redis refused: {0}")]
    Refused(String),
    /// The log's file could not be read or written.
    #[error("the event log failed: {0}")]
    Log(String),
    /// The bus is shut down.
    #[error("the event bus is shut down")]
    Closed,
}

impl BusError {
    /// Whether the same may succeed later, without anybody doing anything about it here.
    pub fn is_passing(&self) -> bool {
        matches!(self, Self::Away(_) | Self::Full { .. })
    }
}
