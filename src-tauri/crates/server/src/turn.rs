//! When the next request of a connection may be begun while this one is still being answered.

use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use axum::extract::FromRequestParts;
use hyper::http::request::Parts;

/// A request's turn. Whoever answers it passes it on once what was asked for stands in a queue that keeps the order, so
/// that what comes behind it at the same address comes later whatever happens. Nobody has to: then the turn ends with the
/// answer.
#[derive(Clone, Debug, Default)]
pub(crate) struct Turn(Arc<AtomicBool>);

impl Turn {
    pub(crate) fn pass(&self) {
        self.0.store(true, Ordering::Release);
    }

    pub(crate) fn is_passed(&self) -> bool {
        self.0.load(Ordering::Acquire)
    }
}

/// Those that nobody waits behind have one as well.
impl<S: Sync> FromRequestParts<S> for Turn {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        Ok(parts.extensions.get().cloned().unwrap_or_default())
    }
}
