//! The server's side: lends tasks to workers, and takes their answers.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use chatstats_bus::{BusError, Entry, StreamId, StreamKey, WorkQueue};
use chatstats_store::{Claimed, Finished, Lane, StoreError, TaskLane};
use tokio::sync::Notify;
use tokio::time::Instant;

use super::parcels::{Parcel, TOGETHER_MAX, Way, parcels};
use super::task::{Came, LentAnswer, Try, VERSION, read};
use super::worker::machine;
use super::{ANSWERS, TASKS, tasks_queue};
use crate::analysis::{Inner, lanes};
use crate::dispatch;
use crate::endings::Teller;
use crate::execute::Again;

/// Whose the tasks are that were lent: of no start of this program, so that a restart does not take them back.
pub(crate) const LENT: &str = "lent";

/// How long a worker may be silent and still count as there.
const THERE_MAX: Duration = Duration::from_secs(10);

/// How often workers are counted, and lost tasks looked for.
const LOOK_EVERY: Duration = Duration::from_millis(500);

/// How long the queue is empty and nothing is answered until what was lent counts as lost: an answer may be on its way.
const LOST_AFTER: Duration = Duration::from_secs(2);

/// Before answers are followed anew, and how long after they were read that is noted.
const PAUSE: Duration = Duration::from_secs(2);

/// Tasks lent ahead, for each worker that takes some: where they take half a millisecond, the half of them is done by the
/// time that others are read and sent.
const AHEAD_PER_WORKER: usize = 192;

/// The same for all of them together: fewer than answers are kept, also where nobody reads these for a while.
const AHEAD_MAX: usize = 4_096;

/// How long the reader of answers waits for some before it looks whether they are still the same stream.
const WAIT: Duration = Duration::from_secs(1);

/// How long answers are gathered, and how many entries of them are handed on at a time.
const GATHER: Duration = Duration::from_millis(20);
const GATHERED_MAX: usize = 128;

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
        own: own_threads(&inner),
        workers: 0,
        out: 0,
        empty_since: None,
    };
    tokio::select! {
        () = lender.lend() => {}
        () = collect(&inner, &queue, &teller, &answers) => {}
        () = inner.shutdown.cancelled() => {}
    }
}

/// The names of the threads that compute here. None where a machine has no name.
fn own_threads(inner: &Inner) -> Vec<String> {
    let (settings, lane) = (&inner.settings, TaskLane::Compute);
    let count = match lanes(inner.switches.available()).contains(&lane) {
        true => settings.workers_of(lane),
        false => 0,
    };
    let name =
        |machine: String| (0..count).map(move |number| format!("{machine}/{}-{number}", settings.owner));
    machine().into_iter().flat_map(name).collect()
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
    /// The threads that compute here, as those who take think of them.
    own: Vec<String>,
    /// How many workers take tasks.
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
            while self.workers > 0 {
                // As soon as they have room, or there is something for them to do.
                let wait = match self.lend_some().await {
                    Ok(true) => tokio::time::timeout_at(next_look, self.room()).await,
                    Ok(false) => tokio::time::timeout_at(next_look, self.inner.to_lend.notified()).await,
                    Err(error) => {
                        tracing::warn!(%error, "tasks could not be lent to workers; they stay here");
                        break;
                    }
                };
                if wait.is_err() {
                    break;
                }
            }
            tokio::time::sleep_until(next_look).await;
        }
    }

    /// Counts workers and what they have, and looks whether that was lost.
    async fn look(&mut self) -> Result<(), LendError> {
        let counted = self.queue.look(THERE_MAX, &self.own).await;
        let is_lent = self.inner.store.read(|reader| reader.has_tasks_of(LENT)).await;
        if counted.as_ref().is_ok_and(|workers| workers.there > 0) || *is_lent.as_ref().unwrap_or(&true) {
            self.answers.expected.notify_one();
        }
        let is_lent = is_lent?;
        let counted = counted?;
        self.workers = counted.ready;
        if counted.there == 0 && !is_lent {
            self.empty_since = None;
            return Ok(());
        }
        if self.answers.count.swap(0, Ordering::Relaxed) > 0 {
            self.empty_since = None;
        }
        let entries = self.inner.bus.len(&StreamKey::new(TASKS)?).await? as usize;
        self.out = self.out.clamp(entries, entries * TOGETHER_MAX);
        take_back_lost(self.inner, entries == 0 && is_lent, &mut self.empty_since).await
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
        (self.workers * AHEAD_PER_WORKER).min(AHEAD_MAX)
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

/// Sends tasks out, and answers how many; what cannot be sent is put back.
async fn send(inner: &Inner, claimed: Vec<Claimed>, teller: &Teller) -> Result<usize, LendError> {
    let (mut sent, mut waiting) = (0, Vec::new());
    let mut back = Vec::new();
    let mut problem = None;
    let key = StreamKey::new(TASKS)?;
    let mut rest = &claimed[..];
    while !rest.is_empty() {
        let (parcels, count) = match parcels(inner, rest).await {
            Ok(packed) => packed,
            Err(error) => {
                problem = Some(error);
                back.extend_from_slice(rest);
                break;
            }
        };
        rest = &rest[count..];
        let (mut going, mut entries) = (
            Vec::with_capacity(parcels.len()),
            Vec::with_capacity(parcels.len()),
        );
        for Parcel { tasks, way } in parcels {
            let end = |task: &Claimed| match &way {
                Way::TooLarge(error) => {
                    let error = format!("it is too large for a worker elsewhere, and none is here: {error}");
                    dispatch::failed(inner, (task.id, task.attempt), error, Again::No)
                }
                _ => Finished::completed(task.id, task.attempt),
            };
            match way {
                Way::Out(fields) => {
                    going.push(tasks);
                    entries.push(fields);
                }
                // They are done here.
                Way::TooLarge(_) if inner.settings.workers > 0 => back.extend(tasks),
                Way::TooLarge(_) | Way::Gone => {
                    // Only at shutdown does nobody hear: its lease is of no start, and runs out.
                    let _nobody_hears = teller.tell(tasks.iter().map(end).collect(), true);
                }
            }
        }
        match inner.bus.add_all(&key, entries) {
            Ok(submitted) => waiting.extend(going.into_iter().zip(submitted)),
            Err((taken, _)) => {
                let not_taken = going.split_off(taken);
                // Those are on their way, and nobody hears of them before their answers.
                sent += going.iter().map(Vec::len).sum::<usize>();
                back.extend(not_taken.into_iter().flatten());
            }
        }
    }
    for (tasks, submitted) in waiting {
        match submitted.await {
            Ok(_) => sent += tasks.len(),
            Err(error) => {
                tracing::debug!(%error, tasks = tasks.len(), "tasks could not be lent");
                back.extend(tasks);
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
    problem.map_or(Ok(sent), |error| Err(error.into()))
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
async fn collect(inner: &Inner, queue: &WorkQueue, teller: &Teller, answers: &Arrived) {
    answers.expected.notified().await;
    loop {
        if let Err(error) = follow(inner, queue, teller, answers).await {
            tracing::debug!(%error, "answers of workers cannot be read for now");
        }
        tokio::time::sleep(PAUSE).await;
    }
}

async fn follow(
    inner: &Inner,
    queue: &WorkQueue,
    teller: &Teller,
    answers: &Arrived,
) -> Result<(), LendError> {
    let mark = inner.store.read(|reader| reader.mark(MARK)).await?;
    let after = mark.and_then(|mark| mark.parse().ok()).unwrap_or(StreamId::ZERO);
    let mut reader = queue.answers(&StreamKey::new(ANSWERS)?, after, WAIT).await?;
    let mut place = Place::default();
    loop {
        let entries = reader.next(GATHERED_MAX).await?;
        let read = Instant::now();
        let mut some = Vec::with_capacity(entries.len());
        for entry in &entries {
            match ended(inner, entry) {
                Some(ended) => some.extend(ended),
                None => {
                    tracing::warn!(entry = %entry.id, "an answer cannot be read; it is passed over");
                }
            }
        }
        let count = some.len();
        if count > 0 && !teller.tell(some, true) {
            return Ok(());
        }
        answers.count.fetch_add(count, Ordering::Relaxed);
        answers.came.notify_one();
        if let Some(last) = entries.last() {
            place.read(last.id);
        }
        if place.unnoted().is_some_and(|due| due <= read) {
            note(inner, queue, &mut place).await?;
        }
        // A few more, if they come soon: one step of the writer for all of them.
        if !entries.is_empty() {
            tokio::time::sleep_until(read + GATHER).await;
        }
    }
}

/// Notes how far answers were read, and forgets those before: Redis has its memory for others.
async fn note(inner: &Inner, queue: &WorkQueue, place: &mut Place) -> Result<(), LendError> {
    let Some(settled) = place.note() else {
        return Ok(());
    };
    inner
        .store
        .write_analysis(Lane::Bulk, 0, move |write| {
            write.set_mark(MARK, &settled.to_string())
        })
        .await?;
    if let Err(error) = queue.forget_answers(&StreamKey::new(ANSWERS)?, settled).await {
        // Those who answer keep it to a length.
        tracing::debug!(%error, "answers that were read could not be forgotten");
    }
    Ok(())
}

/// What an answer says of tasks; nothing if it is none.
fn ended(inner: &Inner, entry: &Entry) -> Option<Vec<Finished>> {
    let failed = |about: Try, error, again| dispatch::failed(inner, (about.id, about.attempt), error, again);
    match read::<Vec<LentAnswer>>(entry) {
        Came::Whole(about, answers) if about.len() == answers.len() => {
            let one = |(about, answer): (Try, LentAnswer)| {
                answer.finished(about, |error, again| failed(about, error, again))
            };
            Some(about.into_iter().zip(answers).map(one).collect())
        }
        Came::OtherVersion(about, version) => {
            let whom = if version < VERSION {
                "the worker"
            } else {
                "this program"
            };
            let error = format!("a worker's answer is of version {version}, not {VERSION}: update {whom}");
            let one = |about| failed(about, error.clone(), Again::Yes);
            Some(about.into_iter().map(one).collect())
        }
        Came::Whole(..) | Came::Foreign => None,
    }
}

/// How far answers were read, noted at a distance: what was read a while ago is written down by now. What is read again
/// after a crash is answered already, and counts for nothing.
#[derive(Default)]
struct Place {
    /// The last that was read.
    last: Option<StreamId>,
    /// That of a while ago, and when it was.
    earlier: Option<(StreamId, Instant)>,
}

impl Place {
    fn read(&mut self, id: StreamId) {
        self.last = Some(id);
        self.earlier.get_or_insert_with(|| (id, Instant::now()));
    }

    /// When to note it, if there is anything to be noted.
    fn unnoted(&self) -> Option<Instant> {
        self.earlier.map(|(_, since)| since + PAUSE)
    }

    /// What is to be noted now. What was read since comes next.
    fn note(&mut self) -> Option<StreamId> {
        let (earlier, _) = self.earlier.take()?;
        self.earlier = self
            .last
            .filter(|last| *last != earlier)
            .map(|last| (last, Instant::now()));
        Some(earlier)
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

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn what_was_read_is_noted_after_a_while_and_the_rest_a_while_later() {
        let (mut place, id) = (Place::default(), |n| StreamId::new(n, 0));
        assert_eq!(place.unnoted(), None);
        place.read(id(1));
        let due = Instant::now() + PAUSE;
        tokio::time::advance(PAUSE / 2).await;
        place.read(id(2));
        place.read(id(3));
        assert_eq!(place.unnoted(), Some(due));
        tokio::time::advance(PAUSE / 2).await;
        assert_eq!(place.note(), Some(id(1)), "the others were read a moment ago");
        assert_eq!(place.unnoted(), Some(due + PAUSE));
        assert_eq!(place.note(), Some(id(3)));
        assert_eq!((place.unnoted(), place.note()), (None, None));
    }
}
