//! Sealing by the clock: one timer, for the conversation that is due next.

use std::sync::Arc;
use std::time::Duration;

use chatstats_model::Timestamp;
use chatstats_store::{Lane, StoreError};
use tokio::time::{Instant, sleep_until};

use super::Inner;

/// The longest sleep. The timer counts time as the machine runs, while messages are dated by the clock on the wall: that
/// the machine slept or the clock was set is noticed after so long at most.
const SLEEP_MAX: Duration = Duration::from_secs(60);

/// Before a write that failed is tried again, as on a full disk.
const RETRY: Duration = Duration::from_secs(5);

/// Seals what is due whenever it is, for ever.
pub(super) async fn keep(tracker: &Arc<Inner>) {
    prepare(tracker).await;
    // What came due while the program was off.
    tracker.lock().due = Some(tracker.now());
    loop {
        let let_go = tracker.lock().hold.look(Instant::now());
        if let_go {
            tracker.lock().due = Some(tracker.now());
            tracker.seals.notify_one();
        }
        let until = match seal_due(tracker).await {
            Ok(()) => next_look(tracker),
            Err(StoreError::Closed) => return,
            Err(error) => {
                tracing::error!(%error, "conversations could not be sealed; it is tried again");
                Instant::now() + RETRY
            }
        };
        tokio::select! {
            () = tracker.re_arm.notified() => {} // keeps what came since the last time
            () = sleep_until(until) => {}
        }
    }
}

/// Sets the pause, and cuts the chats that were cut by another or never, one in a write: after an update of the program
/// all of them, else none.
async fn prepare(tracker: &Inner) {
    let gap_minutes = tracker.settings.gap_minutes;
    loop {
        let cut = move |write: &mut chatstats_store::Write<'_>| {
            write.set_conversation_gap(gap_minutes)?;
            write.cut_next_chat()
        };
        match tracker.store.write(Lane::Bulk, 0, cut).await {
            Ok(true) => {}
            Ok(false) | Err(StoreError::Closed) => return,
            Err(error) => {
                tracing::error!(%error, "a chat could not be cut into conversations; it is tried again");
                tokio::time::sleep(RETRY).await;
            }
        }
    }
}

async fn seal_due(tracker: &Arc<Inner>) -> Result<(), StoreError> {
    let now = tracker.now();
    {
        let mut state = tracker.lock();
        if state.due.is_none_or(|due| due > now) {
            return Ok(());
        }
        // Commits from here on set it again, before the database is asked: the sooner of both holds.
        state.due = None;
    }
    let sealed = seal_until(tracker, now).await;
    if sealed.is_err() {
        tracker.lock().due = Some(now);
    }
    sealed
}

async fn seal_until(tracker: &Arc<Inner>, now: Timestamp) -> Result<(), StoreError> {
    if let Some(last) = Timestamp::from_micros(now.as_micros() - tracker.gap_us()) {
        loop {
            let held = Arc::clone(tracker);
            let seal = move |write: &mut chatstats_store::Write<'_>| {
                // Asked within the write: an import may have come before it, and its chats are noted by now.
                let except = held.lock().hold.chats();
                write.seal_older(last, &except)
            };
            if !tracker.store.write(Lane::Bulk, 0, seal).await? {
                break;
            }
        }
    }
    // Chats that are let go of set the timer again.
    let except = tracker.lock().hold.chats();
    let earliest = tracker
        .store
        .read(move |reader| reader.earliest_open(&except))
        .await?;
    if let Some(due) = earliest.map(|last| tracker.due_after(last)) {
        let mut state = tracker.lock();
        state.due = Some(state.due.map_or(due, |known| known.min(due)));
    }
    Ok(())
}

fn next_look(tracker: &Inner) -> Instant {
    let now_us = tracker.now().as_micros();
    let state = tracker.lock();
    let wait = state.due.map_or(SLEEP_MAX, |due| {
        Duration::from_micros(u64::try_from(due.as_micros() - now_us).unwrap_or(0)).min(SLEEP_MAX)
    });
    let timer = Instant::now() + wait;
    state.hold.ends_at().map_or(timer, |end| end.min(timer))
}
