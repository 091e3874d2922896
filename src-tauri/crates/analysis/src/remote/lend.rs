//! The server's side: lends tasks to workers, and takes their answers.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use chatstats_bus::{
    BusError, Entry, Fields, FieldsError, Filter, Item, NewId, Start, StreamId, StreamKey, WorkQueue,
};
use chatstats_store::{Claimed, Finished, Lane, Reader, StoreError, TaskLane};
use tokio::sync::Notify;
use tokio::time::Instant;

use super::pack::Packed;
use super::task::{Came, LentAnswer, LentTask, Try, VERSION, fields, read};
use super::{ANSWERS, TASKS, tasks_queue};
use crate::analysis::{Inner, lanes};
use crate::dispatch;
use crate::endings::Teller;
use crate::execute::Again;
use crate::plan::Plan;

/// Whose the tasks are that were lent: of no start of this program, so that a restart does not take them back.
pub(crate) const LENT: &str = "lent";

/// How long a worker may be silent and still count as there.
const THERE_MAX: Duration = Duration::from_secs(10);

/// How often workers are counted, and lost tasks looked for.
const LOOK_EVERY: Duration = Duration::from_millis(500);

/// How long the queue is empty and nothing is answered until what was lent counts as lost: an answer may be on its way.
const LOST_AFTER: Duration = Duration::from_secs(2);

/// Before answers are followed anew, and how often it is noted how far they were read.
const PAUSE: Duration = Duration::from_secs(2);

/// Tasks lent ahead, for each worker: a little more than one takes at a time.
const AHEAD_PER_WORKER: usize = 48;

/// How long answers are gathered before they are handed on, and how many at most.
const GATHER: Duration = Duration::from_millis(20);
const GATHERED_MAX: usize = 128;

/// Conversations read in one go: a part of a millisecond each, of a reader that others wait for.
const READ_AT_ONCE: usize = 8;

/// The name under which the database keeps how far the answers were read.
const MARK: &str = "answers_read_to";

/// Lends until shutdown; does nothing where the bus is not Redis.
pub(crate) async fn lend(inner: Arc<Inner>, teller: Teller) {
    let Ok(Some(queue)) = tasks_queue(&inner.bus) else {
        return;
    };
    let answers = Arrived::default();
    let lender = Lender {
        inner: &inner,
        queue: &queue,
        answers: &answers,
        teller: &teller,
        workers: 0,
        out: 0,
        empty_since: None,
    };
    tokio::select! {
        () = lender.lend() => {}
        () = collect(&inner, &teller, &answers) => {}
        () = inner.shutdown.cancelled() => {}
    }
}

/// What whoever lends and whoever reads answers tell each other.
#[derive(Default)]
struct Arrived {
    /// There may be answers. The reader of a stream is a connection to Redis: none is held while nobody gives any.
    expected: Notify,
    /// Answers that came since the lender last counted.
    count: AtomicUsize,
    came: Notify,
}

struct Lender<'a> {
    inner: &'a Arc<Inner>,
    queue: &'a WorkQueue,
    answers: &'a Arrived,
    teller: &'a Teller,
    /// How many there are.
    workers: usize,
    /// How many tasks are in the queue and not answered, as far as is known.
    out: usize,
    empty_since: Option<Instant>,
}

impl Lender<'_> {
    async fn lend(mut self) {
        loop {
            let next_look = Instant::now() + LOOK_EVERY;
            if let Err(error) = self.look().await {
                self.workers = 0;
                tracing::debug!(%error, "the queue of workers cannot be looked at for now");
            }
            // While workers are busy, as soon as they have room; else now and then.
            while self.workers > 0 {
                match self.lend_some().await {
                    Ok(true) => {}
                    Ok(false) => break,
                    Err(error) => {
                        tracing::warn!(%error, "tasks could not be lent to workers; they stay here");
                        break;
                    }
                }
                if tokio::time::timeout_at(next_look, self.room()).await.is_err() {
                    break;
                }
            }
            tokio::time::sleep_until(next_look).await;
        }
    }

    /// Counts workers and what they have, and looks whether that was lost.
    async fn look(&mut self) -> Result<(), LendError> {
        let counted = self.queue.takers(THERE_MAX).await;
        let is_lent = self.inner.store.read(|reader| reader.has_tasks_of(LENT)).await;
        if counted.as_ref().is_ok_and(|workers| *workers > 0) || *is_lent.as_ref().unwrap_or(&true) {
            self.answers.expected.notify_one();
        }
        let is_lent = is_lent?;
        self.workers = counted?;
        if self.workers == 0 && !is_lent {
            self.empty_since = None;
            return Ok(());
        }
        if self.answers.count.swap(0, Ordering::Relaxed) > 0 {
            self.empty_since = None;
        }
        self.out = self.inner.bus.len(&StreamKey::new(TASKS)?).await? as usize;
        take_back_lost(self.inner, self.out == 0 && is_lent, &mut self.empty_since).await
    }

    /// Waits until half of what may be ahead of the workers is done: one step of the writer for many tasks.
    async fn room(&mut self) {
        while self.room_now() <= self.ahead() / 2 {
            self.answers.came.notified().await;
        }
    }

    fn room_now(&mut self) -> usize {
        let answered = self.answers.count.swap(0, Ordering::Relaxed);
        self.out = self.out.saturating_sub(answered);
        self.ahead().saturating_sub(self.out)
    }

    fn ahead(&self) -> usize {
        self.workers * AHEAD_PER_WORKER
    }

    /// Lends as many tasks as the workers have room for; answers whether there may be more.
    async fn lend_some(&mut self) -> Result<bool, LendError> {
        // Those that wait stay here: what they ask, with its key and its budget, is this server's alone.
        let lane = TaskLane::Compute;
        let (inner, now, room) = (self.inner, self.inner.settings.now(), self.room_now());
        if room == 0 {
            return Ok(true);
        }
        if !lanes(inner.switches.available()).contains(&lane) {
            return Ok(false);
        }
        let is_ready = inner.store.read(move |reader| reader.has_ready_tasks(lane, now));
        if !is_ready.await? {
            return Ok(false);
        }
        let until = dispatch::later(now, inner.settings.lease);
        let claimed = inner.store.write_analysis(Lane::Bulk, 0, move |write| {
            write.claim_tasks(lane, LENT, room, until, now)
        });
        let claimed = claimed.await?;
        let sent = send(inner, claimed, self.teller).await?;
        self.out += sent;
        if sent > 0 {
            self.empty_since = None;
        }
        Ok(sent > 0)
    }
}

/// Where a task goes that was to be lent.
enum Way {
    /// To the workers.
    Out(Fields),
    /// It is too large to travel.
    TooLarge(FieldsError),
    /// Nowhere: late messages made its conversation part of another, which has a task of its own.
    Gone,
}

/// Sends tasks out, and answers how many; what cannot be sent is put back.
async fn send(inner: &Inner, claimed: Vec<Claimed>, teller: &Teller) -> Result<usize, LendError> {
    let (mut sent, mut waiting) = (0, Vec::new());
    let mut back = Vec::new();
    let mut problem = None;
    let key = StreamKey::new(TASKS)?;
    for some in claimed.chunks(READ_AT_ONCE) {
        let ways = match ways(inner, some).await {
            Ok(ways) => ways,
            Err(error) => {
                problem = Some(error);
                back.extend_from_slice(some);
                continue;
            }
        };
        for (task, way) in some.iter().zip(ways) {
            let ended = match way {
                Way::Out(fields) => {
                    match inner.bus.add(&key, NewId::Auto, fields) {
                        Ok(submitted) => waiting.push((*task, submitted)),
                        Err(_) => back.push(*task),
                    }
                    continue;
                }
                Way::TooLarge(_) if inner.settings.workers > 0 => {
                    // It is done here.
                    back.push(*task);
                    continue;
                }
                Way::TooLarge(error) => {
                    let error = format!("it is too large for a worker elsewhere, and none is here: {error}");
                    dispatch::failed(inner, (task.id, task.attempt), error, Again::No)
                }
                Way::Gone => Finished::completed(task.id, task.attempt),
            };
            // Only at shutdown does nobody hear: its lease is of no start, and runs out.
            let _nobody_hears = teller.tell(vec![ended], true);
        }
    }
    for (task, submitted) in waiting {
        match submitted.await {
            Ok(_) => sent += 1,
            Err(error) => {
                tracing::debug!(%error, task.id = %task.id, "a task could not be lent");
                back.push(task);
            }
        }
    }
    if !back.is_empty() {
        inner
            .store
            .write_analysis(Lane::Bulk, 0, move |write| write.put_back_tasks(&back))
            .await?;
        inner.wake.notify_one();
    }
    problem.map_or(Ok(sent), Err)
}

/// Reads what some tasks work on, and packs it, on a reader's thread.
async fn ways(inner: &Inner, tasks: &[Claimed]) -> Result<Vec<Way>, LendError> {
    let mut asked = Vec::with_capacity(tasks.len());
    for task in tasks {
        asked.push((*task, inner.plan_of_later(task).await?));
    }
    let zone = inner.settings.zone.clone();
    let read = inner.store.read(move |reader| {
        let zone = zone.iana_name().unwrap_or("UTC");
        let way = |(task, plan): &(Claimed, Arc<Plan>)| way(reader, zone, task, plan);
        asked.iter().map(way).collect::<Result<Vec<_>, _>>()
    });
    Ok(read.await?)
}

fn way(reader: &Reader, zone: &str, task: &Claimed, plan: &Plan) -> Result<Way, StoreError> {
    let id = task.conversation_id;
    let Some(found) = reader.conversation_work(id, plan.known())? else {
        return Ok(Way::Gone);
    };
    let about = Try {
        id: task.id,
        attempt: task.attempt,
    };
    let lent = LentTask {
        zone,
        conversation: id,
        fingerprint: found.fingerprint,
        is_group: found.is_group,
        known: found.known,
        messages: Packed::new(&found.messages),
        passes: plan
            .versions()
            .iter()
            .map(|pass| (pass.name.as_str(), pass.version))
            .collect(),
    };
    Ok(fields(about, &lent).map_or_else(Way::TooLarge, Way::Out))
}

/// Redis that was emptied has forgotten what was lent: nothing is in the queue, and nothing will be answered.
async fn take_back_lost(
    inner: &Arc<Inner>,
    is_lost: bool,
    empty_since: &mut Option<Instant>,
) -> Result<(), LendError> {
    if !is_lost {
        *empty_since = None;
        return Ok(());
    }
    let since = *empty_since.get_or_insert_with(Instant::now);
    // An answer may be on its way still.
    if since.elapsed() < LOST_AFTER {
        return Ok(());
    }
    *empty_since = None;
    let now = inner.settings.now();
    let settled = inner
        .store
        .write_analysis(Lane::Bulk, 0, move |write| write.take_back_tasks_of(LENT, now))
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
async fn collect(inner: &Inner, teller: &Teller, answers: &Arrived) {
    answers.expected.notified().await;
    loop {
        if let Err(error) = follow(inner, teller, answers).await {
            tracing::debug!(%error, "answers of workers cannot be read for now");
        }
        tokio::time::sleep(PAUSE).await;
    }
}

async fn follow(inner: &Inner, teller: &Teller, answers: &Arrived) -> Result<(), LendError> {
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
        // A few more, if they come soon: one step of the writer for all of them.
        let mut items = vec![tail.recv().await];
        let until = Instant::now() + GATHER;
        while items.len() < GATHERED_MAX
            && let Ok(item) = tokio::time::timeout_at(until, tail.recv()).await
        {
            items.push(item);
        }
        let mut last = None;
        let mut some = Vec::with_capacity(items.len());
        for item in items {
            let Item::Entry(entry) = item else {
                continue; // What is missing comes back by its lease.
            };
            last = Some(entry.id);
            let Some(ended) = ended(inner, &entry) else {
                tracing::warn!(entry = %entry.id, "an answer cannot be read; it is passed over");
                continue;
            };
            some.push(ended);
        }
        let count = some.len();
        if !teller.tell(some, true) {
            return Ok(());
        }
        answers.count.fetch_add(count, Ordering::Relaxed);
        answers.came.notify_one();
        if let Some(settled) = last.and_then(|last| place.passed(last)) {
            inner
                .store
                .write_analysis(Lane::Bulk, 0, move |write| {
                    write.set_mark(MARK, &settled.to_string())
                })
                .await?;
        }
    }
}

/// What an answer says of a task; nothing if it is none.
fn ended(inner: &Inner, entry: &Entry) -> Option<Finished> {
    let failed = |about: Try, error, again| dispatch::failed(inner, (about.id, about.attempt), error, again);
    match read::<LentAnswer>(entry) {
        Came::Whole(about, answer) => {
            Some(answer.finished(about, |error, again| failed(about, error, again)))
        }
        Came::OtherVersion(about, version) => {
            let whom = if version < VERSION {
                "the worker"
            } else {
                "this program"
            };
            let error = format!("a worker's answer is of version {version}, not {VERSION}: update {whom}");
            Some(failed(about, error, Again::Yes))
        }
        Came::Foreign => None,
    }
}

/// How far answers were read, noted at a distance: what was read a moment ago is written down by now. What is read
/// again after a crash is answered already, and counts for nothing.
#[derive(Default)]
struct Place(Option<(StreamId, Instant)>);

impl Place {
    fn passed(&mut self, id: StreamId) -> Option<StreamId> {
        match self.0 {
            Some((_, since)) if since.elapsed() < PAUSE => None,
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
