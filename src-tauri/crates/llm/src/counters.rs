//! What has happened since the start.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use crate::budget::Tokens;

/// Counted, and read by the status.
#[derive(Default)]
pub(crate) struct Counters {
    calls: AtomicU64,
    errors: AtomicU64,
    repairs: AtomicU64,
    tokens_in: AtomicU64,
    tokens_out: AtomicU64,
    last_error: Mutex<Option<String>>,
}

/// The counts at one time.
pub(crate) struct Counted {
    pub(crate) calls: u64,
    pub(crate) errors: u64,
    pub(crate) repairs: u64,
    pub(crate) tokens_in: u64,
    pub(crate) tokens_out: u64,
    pub(crate) last_error: Option<String>,
}

impl Counters {
    pub(crate) fn called(&self) {
        self.calls.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn failed(&self, error: &str) {
        self.errors.fetch_add(1, Ordering::Relaxed);
        *self.last_error.lock().unwrap_or_else(PoisonError::into_inner) = Some(error.to_owned());
    }

    pub(crate) fn repaired(&self) {
        self.repairs.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn spent(&self, tokens: Tokens) {
        self.tokens_in.fetch_add(tokens.question, Ordering::Relaxed);
        self.tokens_out.fetch_add(tokens.answer, Ordering::Relaxed);
    }

    pub(crate) fn read(&self) -> Counted {
        Counted {
            calls: self.calls.load(Ordering::Relaxed),
            errors: self.errors.load(Ordering::Relaxed),
            repairs: self.repairs.load(Ordering::Relaxed),
            tokens_in: self.tokens_in.load(Ordering::Relaxed),
            tokens_out: self.tokens_out.load(Ordering::Relaxed),
            last_error: self
                .last_error
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .clone(),
        }
    }
}
