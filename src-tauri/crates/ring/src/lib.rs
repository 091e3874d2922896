//! One ring of published entries, read by many cursors.
//!
//! A publish costs one push and the wake-up of those that wait, however many entries others still have to read, and
//! nobody who is slow can hold it up: the ring drops its oldest entries at its limits, and a cursor that fell behind
//! is told, once, how many it lost. An entry is rendered once, and cursors at the same place share one buffer of all
//! that is due. Knows neither what it carries nor an async runtime: a reader brings its own
//! [`Waker`](std::task::Waker) and its own way of rendering.

mod batch;
mod cursor;
mod entry;
mod ring;

pub use cursor::{Cursor, Gathered, Lagged};
pub use entry::Entry;
pub use ring::{Limits, Ring, RingStatus};
