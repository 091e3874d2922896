//! Each fault with a real server. What must hold: every acknowledged event reaches a follower once and in order, or
//! the follower is told of a gap.

/// Killed, with and without data; not there yet.
mod kills;
/// A reply that never comes.
mod lost_replies;
/// The stream is deleted, flushed, renamed, trimmed, or of another type.
mod lost_streams;
/// It is there, and does not take what it is given.
mod refusals;
/// Who follows, and what it was told.
mod witness;

use std::time::Duration;

use chatstats_bus::{Bus, BusError, Submitted};
use serde_json::{Map, json};

/// What is waited for takes moments; longer than this is a failure.
const PATIENCE: Duration = Duration::from_secs(60);

/// What should come soon.
async fn soon<T>(coming: impl Future<Output = T>) -> T {
    tokio::time::timeout(PATIENCE, coming).await.expect("in time")
}

/// Publishes an event that says a number.
fn submit(bus: &Bus, number: u64) -> Submitted {
    try_submit(bus, number).expect("room")
}

fn try_submit(bus: &Bus, number: u64) -> Result<Submitted, BusError> {
    let data = Map::from_iter([("n".to_owned(), json!(number))]);
    bus.submit("global", "tick", &data)
}

/// Publishes events, and waits until they are acknowledged.
async fn publish(bus: &Bus, numbers: std::ops::Range<u64>) {
    let submitted: Vec<_> = numbers.map(|number| submit(bus, number)).collect();
    for one in submitted {
        soon(one).await.expect("written");
    }
}

/// Waits until the bus says that something is wrong, and what.
async fn problem(bus: &Bus) -> String {
    soon(async {
        loop {
            if let Some(problem) = bus.status().problem {
                return problem;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    })
    .await
}
