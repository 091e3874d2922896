//! Gets data in: commits it, then tells of it. Posts go straight through; files are imported in the background. The
//! tracker seals conversations when the clock says so, and announces seals on the event bus.
//!
//! Commit first, then publish: whoever hears of a message can read it. Knows no HTTP and no SQL.

mod imports;
mod ingest;
mod keys;
mod publish;
mod tracker;

pub use imports::{ImportSettings, Imports, ImportsError, Queued};
pub use ingest::{Ingest, IngestError, MESSAGES_PER_POST_MAX};
pub use publish::Publisher;
pub use tracker::{Tracker, TrackerSettings};
