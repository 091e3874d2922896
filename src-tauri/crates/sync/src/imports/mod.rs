//! Imports in the background: one at a time, with progress, to be cancelled, and resumed after a crash.

mod batch;
mod commit;
mod dry;
mod queue;
mod resolve;
mod run;
mod sample;

pub use queue::{ImportSettings, Imports, ImportsError, Queued};
