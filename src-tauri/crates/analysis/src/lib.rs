//! Runs and tasks: passes over conversations, in the background.
//!
//! A run and its tasks are rows in the database, and everything that happens to them is an event on the bus. Workers
//! are threads of low priority that compute; one task of the runtime hands out work, writes down how it ended and
//! tells of it. Knows no HTTP and no SQL. What survives `kill -9` is what is in the rows: a restart goes on from there,
//! and tells what was not told yet.

mod analysis;
mod backoff;
mod commitments;
mod dispatch;
mod endings;
mod execute;
mod forget;
mod jobs;
mod live;
mod plan;
mod pool;
mod remote;
mod requests;
mod scheduling;
mod sealed;
mod seed;
mod settings;
mod steps;
mod switches;
mod texts;
mod voice;
mod watch;

pub use analysis::{Analysis, AnalysisError};
pub use live::Arrivals;
pub use remote::{WorkerSettings, work};
pub use settings::{Clock, Settings};
