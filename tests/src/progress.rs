//! How far somebody is, for others to wait for.

use std::sync::{Condvar, Mutex, PoisonError};

use crate::PATIENCE;

/// A number that grows. Waiting for it is waiting for an event, and not for a time.
#[derive(Debug, Default)]
pub struct Progress {
    done: Mutex<u64>,
    grown: Condvar,
}

impl Progress {
    /// Adds to it.
    pub fn add(&self, more: u64) {
        *self.done.lock().unwrap_or_else(PoisonError::into_inner) += more;
        self.grown.notify_all();
    }

    /// Where it stands.
    pub fn now(&self) -> u64 {
        *self.done.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until it is at least `done`.
    ///
    /// # Panics
    ///
    /// If it stops growing before: after [`PATIENCE`].
    pub fn wait_for(&self, done: u64) {
        let now = self.done.lock().unwrap_or_else(PoisonError::into_inner);
        let waited = self.grown.wait_timeout_while(now, PATIENCE, |now| *now < done);
        let (now, timeout) = waited.unwrap_or_else(PoisonError::into_inner);
        assert!(!timeout.timed_out(), "stuck at {}, not yet {done}", *now);
    }
}
