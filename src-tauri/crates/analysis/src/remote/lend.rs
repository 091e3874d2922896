//! The server's side: lends tasks to workers, and takes their answers.

use std::sync::Arc;
use std::time::Duration;

use chatstats_bus::{BusError, Filter, Item, NewId, Start, StreamId, StreamKey, WorkQueue};
use chatstats_store::{Claimed, Finished, Lane, StoreError, TaskLane};
use tokio::sync::Notify;
use tokio::sync::mpsc::UnboundedSender;
use tokio::time::Instant;

use super::task::{LentAnswer, LentTask, fields, read};
use super::{ANSWERS, TASKS, tasks_queue};
use crate::analysis::{Inner, lanes};
use crate::dispatch;
use crate::execute::Again;
use crate::requests;

/// Whose the tasks are that were lent: of no start of this program, so that a restart does not take them back.
pub(crate) const LENT: &str = "lent";

/// How long a worker may be silent and still count as there.
const THERE_MAX: Duration = Duration::from_secs(10);

/// How often workers are counted, and lost tasks looked for.
const LOOK_EVERY: Duration = Duration::from_secs(2);

/// Tasks lent ahead, for each worker.
const AHEAD_PER_WORKER: usize = 16;

/// The name under which the database keeps how far the answers were read.
const MARK: &str = "answers_read_to";

/// Lends until shutdown; does nothing where the bus is not Redis.
pub(crate) async fn lend(inner: Arc<Inner>, finished: UnboundedSender<Finished>) {
    let Ok(Some(queue)) = tasks_queue(&inner.bus) else {
        return;
    };
    // The reader of a stream is a connection to Redis: none is held for answers while nobody gives any.
    let anybody = Notify::new();
    tokio::select! {
        () = lend_on(&inner, &queue, &anybody, &finished) => {}
        () = collect(&inner, &finished, &anybody) => {}
        () = inner.shutdown.cancelled() => {}
    }
}

async fn lend_on(
    inner: &Arc<Inner>,
    queue: &WorkQueue,
    anybody: &Notify,
    finished: &UnboundedSender<Finished>,
) {
    let mut empty_since = None;
    loop {
        let workers = queue.takers(THERE_MAX).await.unwrap_or(0);
        let is_lent = inner.store.read(|reader| reader.has_tasks_of(LENT)).await;
        if workers > 0 || is_lent.unwrap_or(true) {
            anybody.notify_one();
        }
        let lent = lend_some(inner, workers, finished).await;
        if let Err(error) = &lent {
            tracing::warn!(%error, "tasks could not be lent to workers; they stay here");
        }
        let lost = take_back_lost(inner, &mut empty_since).await;
        if let Err(error) = &lost {
            tracing::debug!(%error, "the queue of workers cannot be looked at for now");
        }
        // While workers are busy, as soon as they have room; else now and then.
        let wait = if matches!(lent, Ok(some) if some > 0) {
            Duration::from_millis(20)
        } else {
            LOOK_EVERY / 4
        };
        tokio::time::sleep(wait).await;
    }
}

/// Lends as many tasks as the workers have room for; answers how many.
async fn lend_some(
    inner: &Inner,
    workers: usize,
    finished: &UnboundedSender<Finished>,
) -> Result<usize, LendError> {
    if workers == 0 {
        return Ok(0);
    }
    let out = inner.bus.len(&StreamKey::new(TASKS)?).await? as usize;
    let room = (workers * AHEAD_PER_WORKER).saturating_sub(out);
    let mut count = 0;
    // Those that wait stay here: what they ask, with its key and its budget, is this server's alone.
    let lanes = lanes(inner.switches.available())
        .into_iter()
        .filter(|lane| *lane == TaskLane::Compute);
    for lane in lanes {
        let (now, limit) = (inner.settings.now(), room.saturating_sub(count));
        let until = dispatch::later(now, inner.settings.lease);
        if limit == 0
            || !inner
                .store
                .read(move |reader| reader.has_ready_tasks(lane, now))
                .await?
        {
            continue;
        }
        let claimed = inner
            .store
            .write(Lane::Bulk, 0, move |write| {
                write.claim_tasks(lane, LENT, limit, until, now)
            })
            .await?;
        count += claimed.len();
        send(inner, claimed, finished).await?;
    }
    Ok(count)
}

/// Where a task goes that was to be lent.
enum Way {
    /// To the workers.
    Out(chatstats_bus::Submitted),
    /// Back into the queue of this process.
    Back,
    /// Nowhere: it has ended.
    Ended(Finished),
}

/// Sends tasks out; what cannot be sent is put back.
async fn send(
    inner: &Inner,
    claimed: Vec<Claimed>,
    finished: &UnboundedSender<Finished>,
) -> Result<(), LendError> {
    let mut waiting = Vec::new();
    let mut back = Vec::new();
    let mut problem = None;
    for task in claimed {
        match submit(inner, &task).await {
            Ok(Way::Out(submitted)) => waiting.push((task, submitted)),
            Ok(Way::Back) => back.push(task),
            Ok(Way::Ended(ended)) => {
                // Only at shutdown does nobody hear: its lease is of no start, and runs out.
                let _nobody_hears = finished.send(ended);
            }
            Err(error) => {
                problem = Some(error);
                back.push(task);
            }
        }
    }
    for (task, submitted) in waiting {
        if let Err(error) = submitted.await {
            tracing::debug!(%error, task.id = %task.id, "a task could not be lent");
            back.push(task);
        }
    }
    if !back.is_empty() {
        inner
            .store
            .write(Lane::Bulk, 0, move |write| write.put_back_tasks(&back))
            .await?;
        inner.wake.notify_one();
    }
    problem.map_or(Ok(()), Err)
}

async fn submit(inner: &Inner, task: &Claimed) -> Result<Way, LendError> {
    let (passes, is_anew) = inner.passes_of_later(task).await?;
    let versions = requests::versions(&passes);
    let (id, known) = (
        task.conversation_id,
        if is_anew { Vec::new() } else { versions.clone() },
    );
    let found = inner
        .store
        .read(move |reader| reader.conversation_work(id, &known))
        .await?;
    let Some(found) = found else {
        // Late messages made it part of another, which has a task of its own.
        return Ok(Way::Ended(Finished::completed(task.id, task.attempt)));
    };
    let lent = LentTask {
        id: task.id,
        attempt: task.attempt,
        passes: versions
            .into_iter()
            .map(|pass| (pass.name, pass.version))
            .collect(),
        zone: inner.settings.zone.iana_name().unwrap_or("UTC").to_owned(),
        conversation: id,
        fingerprint: found.fingerprint,
        is_group: found.is_group,
        known: found.known,
        messages: found.messages,
    };
    match fields(&lent) {
        Ok(fields) => {
            let added = inner.bus.add(&StreamKey::new(TASKS)?, NewId::Auto, fields);
            Ok(added.map_or(Way::Back, Way::Out))
        }
        // What is too large to travel is done here.
        Err(_) if inner.settings.workers > 0 => Ok(Way::Back),
        Err(error) => {
            let error = format!("it is too large for a worker elsewhere, and none is here: {error}");
            let about = (task.id, task.attempt);
            Ok(Way::Ended(dispatch::failed(inner, about, error, Again::No)))
        }
    }
}

/// Redis that was emptied has forgotten what was lent: nothing is in the queue, and nothing will be answered.
async fn take_back_lost(inner: &Arc<Inner>, empty_since: &mut Option<Instant>) -> Result<(), LendError> {
    let is_empty = inner.bus.len(&StreamKey::new(TASKS)?).await? == 0;
    let is_lent = inner.store.read(|reader| reader.has_tasks_of(LENT)).await?;
    if !(is_empty && is_lent) {
        *empty_since = None;
        return Ok(());
    }
    let since = *empty_since.get_or_insert_with(Instant::now);
    // An answer may be on its way still.
    if since.elapsed() < LOOK_EVERY {
        return Ok(());
    }
    *empty_since = None;
    let now = inner.settings.now();
    let settled = inner
        .store
        .write(Lane::Bulk, 0, move |write| write.take_back_tasks_of(LENT, now))
        .await?;
    if !settled.is_empty() {
        tracing::warn!(
            tasks = settled.len(),
            "tasks that were lent are lost; they are tried again"
        );
    }
    // One that was in its last try is dead, and its run may have ended with it.
    dispatch::tell(inner, &settled).await?;
    inner.wake.notify_one();
    Ok(())
}

/// Reads answers for ever, from when there is anybody who may give some.
async fn collect(inner: &Inner, finished: &UnboundedSender<Finished>, anybody: &Notify) {
    anybody.notified().await;
    loop {
        if let Err(error) = follow(inner, finished).await {
            tracing::debug!(%error, "answers of workers cannot be read for now");
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

async fn follow(inner: &Inner, finished: &UnboundedSender<Finished>) -> Result<(), LendError> {
    let mark = inner.store.read(|reader| reader.mark(MARK)).await?;
    let start = mark
        .and_then(|mark| mark.parse().ok())
        .map_or(Start::After(StreamId::ZERO), Start::Resume);
    let mut tail = inner
        .bus
        .follow(&StreamKey::new(ANSWERS)?, Filter::All, start)
        .await?;
    let mut place = Place::default();
    loop {
        let Item::Entry(entry) = tail.recv().await else {
            continue; // What is missing comes back by its lease.
        };
        let Some(answer) = read::<LentAnswer>(&entry) else {
            tracing::warn!(entry = %entry.id, "an answer cannot be read; it is passed over");
            continue;
        };
        let (id, attempt) = (answer.id, answer.attempt);
        let ended = answer.finished(|error, again| dispatch::failed(inner, (id, attempt), error, again));
        if finished.send(ended).is_err() {
            return Ok(());
        }
        if let Some(settled) = place.passed(entry.id) {
            inner
                .store
                .write(Lane::Bulk, 0, move |write| {
                    write.set_mark(MARK, &settled.to_string())
                })
                .await?;
        }
    }
}

/// How far answers were read, noted at a distance: what was read a moment ago is written down by now. What is read
/// again after a crash is answered already, and counts for nothing.
#[derive(Default)]
struct Place(Option<(StreamId, Instant)>);

impl Place {
    fn passed(&mut self, id: StreamId) -> Option<StreamId> {
        match self.0 {
            Some((_, since)) if since.elapsed() < LOOK_EVERY => None,
            earlier => {
                self.0 = Some((id, Instant::now()));
                earlier.map(|(id, _)| id)
            }
        }
    }
}

#[derive(Debug, thiserror::Error)]
enum LendError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Bus(#[from] BusError),
    #[error(transparent)]
    Key(#[from] chatstats_bus::StreamKeyError),
}
