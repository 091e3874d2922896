//! Work that other processes do, on this machine or another, over Redis.
//!
//! The server lends tasks: each with all that it needs, so that a worker has no database. Workers answer into a stream
//! that the server reads. The rows stay the truth: an answer to a try that is not the task's current one counts for
//! nothing, and a task that was lent and lost comes back when its lease runs out, or as soon as the queue is empty.

mod desk;
mod lend;
mod pack;
mod parcels;
mod task;
mod worker;

pub(crate) use lend::{LENT, lend};
pub use worker::{WorkerSettings, work};

use std::time::Duration;

use chatstats_bus::{Bus, StreamKey, StreamKeyError, WorkQueue};

/// The stream that tasks are lent on.
const TASKS: &str = "chatstats:tasks";

/// The stream that answers come back on.
const ANSWERS: &str = "chatstats:task_answers";

/// The group of those who take tasks.
const GROUP: &str = "workers";

/// About how many answers the stream keeps, where nobody reads them: the server forgets those that it has read. Unread are
/// at most those to what it has lent.
const ANSWERS_KEPT: u64 = 5_000;

/// How long a worker that is there may have a task before another takes it over. Longer than a pass may take.
const TAKEN_OVER_AFTER: Duration = Duration::from_secs(90);

fn tasks_queue(bus: &Bus) -> Result<Option<WorkQueue>, StreamKeyError> {
    Ok(bus.work_queue(&StreamKey::new(TASKS)?, GROUP))
}
