//! From a run that was asked for to its tasks, and from its last task to its end.

use chatstats_model::{RunId, RunState};
use chatstats_store::{Announced, Lane, NewTask, Selection, StoreError, TaskLane};

use crate::analysis::Inner;
use crate::steps::in_steps;

/// Tasks written down before the writer looks whether a message waits, which ends the step: a part of a millisecond.
const SEEDED_UNSEEN: usize = 32;

/// What a run asked for by hand is worth, next to what runs by itself.
pub(crate) const RUN_PRIORITY: u8 = 1;

/// Writes the tasks of a run down, tells how many they are, and opens it: only then can one start. Goes on where an
/// earlier start of the program was cut off. `selections` are what is to be written down still.
pub(crate) async fn seed(
    inner: &Inner,
    id: RunId,
    selections: Vec<(TaskLane, Selection)>,
    is_recovery: bool,
) -> Result<(), StoreError> {
    let Some((run, announced)) = inner.store.read(move |reader| reader.run(id)).await? else {
        return Ok(());
    };
    if announced < Announced::Starting {
        let event = if run.kind == chatstats_model::RunKind::Historic {
            "run_started"
        } else {
            "run_starting"
        };
        if !(is_recovery && inner.voice.was_told(&run, event).await) {
            inner.voice.run_starting(&run).await;
        }
        inner.announced(id, Announced::Starting).await?;
    }
    for (lane, selection) in selections {
        let tasks = inner
            .store
            .read(move |reader| reader.select_conversations(&selection))
            .await?;
        // Only an earlier try can have written some.
        write_down(inner, (id, !is_recovery), lane, tasks).await?;
    }
    let now = inner.settings.now();
    inner
        .store
        .write_analysis(Lane::Bulk, 0, move |write| write.count_run(id))
        .await?;
    if let Some((run, announced)) = inner.store.read(move |reader| reader.run(id)).await?
        && announced < Announced::Seeded
    {
        if !(is_recovery && inner.voice.was_told(&run, "run_seeded").await) {
            inner.voice.run_seeded(&run).await;
        }
        inner.announced(id, Announced::Seeded).await?;
    }
    inner
        .store
        .write_analysis(Lane::Bulk, 0, move |write| write.open_run(id, now))
        .await?;
    tracing::info!(run.id = %id, "a run is seeded");
    inner.ring();
    end_if_over(inner, id, is_recovery).await
}

/// Tells that a run has ended, if it has, once.
pub(crate) async fn end_if_over(inner: &Inner, id: RunId, is_recovery: bool) -> Result<(), StoreError> {
    let _turn = inner.ending.lock().await;
    let Some((run, announced)) = inner.store.read(move |reader| reader.run(id)).await? else {
        return Ok(());
    };
    if run.finished_at.is_none() || announced == Announced::Complete {
        return Ok(());
    }
    // Stopped before its start was told: whoever seeds it tells that first, and then comes here.
    if announced < Announced::Seeded {
        return Ok(());
    }
    if !(is_recovery && inner.voice.was_told(&run, "run_complete").await) {
        inner.voice.run_complete(&run, inner.settings.now()).await;
    }
    tracing::info!(run.id = %id, success = run.success, failed = run.failed, "a run has ended");
    inner.changed.run_ended();
    inner.announced(id, Announced::Complete).await
}

async fn write_down(
    inner: &Inner,
    (id, has_none): (RunId, bool),
    lane: TaskLane,
    tasks: Vec<NewTask>,
) -> Result<(), StoreError> {
    let now = inner.settings.now();
    in_steps(&inner.store, tasks, SEEDED_UNSEEN, move |write, few| {
        // Looked at in the same step: a run that was stopped gets no more tasks.
        if write.run_state(id)? == Some(RunState::Seeding) {
            write.seed_tasks((id, has_none), lane, few, RUN_PRIORITY, now)?;
        }
        Ok(())
    })
    .await
}
