//! The one task that hands out work and writes down how it ended.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use chatstats_model::{RunId, TaskId, Timestamp};
use chatstats_store::{Claimed, Ending, Finished, Lane, Settled, StoreError, TaskLane};
use tokio::time::Instant;

use crate::analysis::{Inner, lanes};
use crate::backoff;
use crate::endings::{Endings, endings};
use crate::execute::Again;
use crate::jobs::jobs;
use crate::pool::Pool;
use crate::remote;
use crate::seed;
use crate::steps::{AtOnce, do_messages_come, let_spread};

/// Endings written down in one step of the writer, at most: enough to share the cost of a commit. Where messages may
/// come, one that arrives in the middle shares the processors with the commit of them: less than a millisecond.
const SETTLED: AtOnce = AtOnce {
    alone: 512,
    may_come: 64,
    come: 8,
};

/// Tasks handed out in one step of the writer, at most: more than end in one, or there would never be any ahead.
const HANDED_OUT: AtOnce = AtOnce {
    alone: 4_096,
    may_come: 128,
    come: 8,
};

/// How long endings may be gathered before they are written down, while others are still running.
const GATHER: Duration = Duration::from_millis(40);

/// How often workers are looked after while they work.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// The longest until rows are looked at again: tasks that were lent are claimed by others, and clocks are set.
const LONGEST_WAIT: Duration = Duration::from_secs(30);

/// Why a task fails that no worker is left for.
const ALL_HANG: &str = "every worker hangs in a pass; try again after a restart of the program";

/// How long a pass that runs may take to end when the program does; what takes longer is done anew by the next start. The
/// whole program ends in under a second, and has to write down what ended.
const ENDS_WITHIN: Duration = Duration::from_millis(250);

/// How long to leave a database alone that refuses (a full disk): then all is tried again.
pub(crate) const AFTER_FAILURE: Duration = Duration::from_secs(1);

/// The dispatcher.
pub(crate) struct Dispatcher {
    inner: Arc<Inner>,
    /// The workers, by lane.
    pools: Vec<(TaskLane, usize, Pool)>,
    outcomes: Endings,
    /// Ended, and not written down yet.
    ended: Vec<Arc<Finished>>,
    /// When workers are looked after next.
    look_at: Instant,
}

impl Dispatcher {
    pub(crate) fn new(inner: Arc<Inner>) -> std::io::Result<Self> {
        let (teller, outcomes) = endings(SETTLED.alone);
        let mut pools = Vec::new();
        for lane in lanes(inner.switches.available()) {
            let workers = inner.settings.workers_of(lane);
            let pool = Pool::start(workers, jobs(inner.clone(), lane), teller.clone())?;
            pools.push((lane, workers, pool));
        }
        inner.tasks.spawn(remote::lend(inner.clone(), teller));
        Ok(Self {
            inner,
            pools,
            outcomes,
            ended: Vec::new(),
            look_at: Instant::now() + LOOK_EVERY,
        })
    }

    /// Works until shutdown; then puts back what was not begun.
    pub(crate) async fn run(mut self) {
        loop {
            if self.inner.shutdown.is_cancelled() {
                break;
            }
            if let Err(error) = self.turn().await {
                if matches!(error, StoreError::Closed) {
                    break;
                }
                tracing::error!(%error, "analysis could not write to the database; it tries again");
                let pause = tokio::time::sleep(AFTER_FAILURE);
                tokio::select! { () = pause => {}, () = self.inner.shutdown.cancelled() => {} }
            }
        }
        self.close().await;
    }

    /// Lets the workers end what they have begun, as far as that is soon, writes that down, and puts the rest back.
    async fn close(mut self) {
        let pools = self.pools;
        let until = std::time::Instant::now() + ENDS_WITHIN;
        let close = move || {
            pools
                .into_iter()
                .flat_map(|(_, _, pool)| pool.close(until))
                .collect::<Vec<_>>()
        };
        let closed = tokio::task::spawn_blocking(close).await;
        self.ended.extend(self.outcomes.take().map(Arc::new));
        let (now, ended, comes_back) = (self.inner.settings.now(), self.ended, closed.unwrap_or_default());
        let written = self.inner.store.write_analysis(Lane::Bulk, 0, move |write| {
            let settled = write.finish_tasks(&ended, now)?;
            write.put_back_tasks(&comes_back)?;
            Ok(settled)
        });
        match written.await {
            Ok(settled) => self.inner.voice.tasks(&settled),
            // Their leases are of this start: the next takes them back.
            Err(error) => tracing::warn!(%error, "tasks could not be put back"),
        }
    }

    /// Hands out what may start, writes down what ended, and waits for something to happen.
    async fn turn(&mut self) -> Result<(), StoreError> {
        // Also while there is always something else to do: one worker that hangs is a part of all there are.
        if self.look_at <= Instant::now() {
            self.look_after();
        }
        // First: who computes need not wait for what others have ended.
        let handed_out = self.hand_out().await?;
        self.ended.extend(self.outcomes.take().map(Arc::new));
        if !self.ended.is_empty() {
            self.gather().await;
            return self.settle().await;
        }
        if handed_out {
            return Ok(());
        }
        self.wait().await
    }

    async fn wait(&mut self) -> Result<(), StoreError> {
        let shutdown = self.inner.shutdown.clone();
        // Readers may be busy, and the end does not wait for what is to come.
        let Some(due) = shutdown.run_until_cancelled(self.next_due()).await else {
            return Ok(());
        };
        let due = due?;
        let look_at = self.look_at;
        let is_watched = self.out() > 0 || self.pools.iter().any(|(_, _, pool)| pool.is_lost());
        tokio::select! {
            () = self.inner.shutdown.cancelled() => {}
            () = self.inner.wake.notified() => {}
            some = self.outcomes.some() => self.ended.extend(some.into_iter().map(Arc::new)),
            () = tokio::time::sleep(due) => self.take_back().await?,
            () = tokio::time::sleep_until(look_at), if is_watched => {}
        }
        Ok(())
    }

    /// Handed out, and not ended yet.
    fn out(&self) -> usize {
        self.pools.iter().map(|(_, _, pool)| pool.out()).sum()
    }

    /// Whether workers are about to have nothing to do. While messages come they are to rest anyway.
    fn is_low(&self) -> bool {
        self.pools.iter().any(|(_, _, pool)| pool.is_low()) && !do_messages_come(&self.inner.store)
    }

    /// A few more endings, if they come soon: one step of the writer for all of them.
    async fn gather(&mut self) {
        let (until, enough) = (Instant::now() + GATHER, SETTLED.beside(&self.inner.store));
        while self.ended.len() < enough && self.out() > 0 && !self.is_low() {
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                break;
            }
            self.outcomes.gather(left).await;
            self.ended.extend(self.outcomes.take().map(Arc::new));
        }
    }

    /// When a failed task may be tried again, or a lease runs out: the earlier, or soon enough to hear of others.
    async fn next_due(&self) -> Result<Duration, StoreError> {
        let (retry, lease) = self
            .inner
            .store
            .read(|reader| Ok((reader.next_retry()?, reader.next_lease_end()?)))
            .await?;
        let now_us = self.inner.settings.now().as_micros();
        let next = [retry, lease].into_iter().flatten().min();
        let wait = |due: Timestamp| Duration::from_micros((due.as_micros() - now_us).max(0) as u64);
        Ok(next.map_or(LONGEST_WAIT, wait).min(LONGEST_WAIT))
    }

    async fn hand_out(&mut self) -> Result<bool, StoreError> {
        let mut some = false;
        for (lane, workers, pool) in &self.pools {
            if pool.is_lost() {
                let lost = claim(&self.inner, *lane, SETTLED.alone).await?;
                some |= !lost.is_empty();
                self.ended
                    .extend(lost.iter().map(|task| Arc::new(given_up(&self.inner, task))));
                continue;
            }
            // Not one by one: a claim is a step of the writer.
            let (ahead, waiting) = (ahead(*lane, *workers, pool), pool.waiting());
            if ahead == 0 || waiting > ahead / 2 {
                continue;
            }
            let most = HANDED_OUT.beside(&self.inner.store).min(ahead - waiting);
            let claimed = claim(&self.inner, *lane, most).await?;
            some |= !claimed.is_empty();
            pool.give(claimed, most);
        }
        Ok(some)
    }

    /// How many more tasks may be handed out, by lane, and at most so many of each.
    fn short(&self, most: usize) -> Vec<(TaskLane, usize)> {
        let short = |(lane, workers, pool): &(TaskLane, usize, Pool)| {
            let count = ahead(*lane, *workers, pool)
                .saturating_sub(pool.waiting())
                .min(most);
            (count > 0 && !pool.is_lost()).then_some((*lane, count))
        };
        self.pools.iter().filter_map(short).collect()
    }

    /// Writes down how tasks ended, hands out others in the same step of the writer, and tells of it.
    async fn settle(&mut self) -> Result<(), StoreError> {
        let_spread(&self.inner.store).await;
        let (now, owner) = (self.inner.settings.now(), self.inner.settings.owner.clone());
        let until = later(now, self.inner.settings.lease);
        // While messages come the step is to be short.
        let most = SETTLED.beside(&self.inner.store);
        let short = if do_messages_come(&self.inner.store) {
            Vec::new()
        } else {
            self.short(HANDED_OUT.beside(&self.inner.store))
        };
        let some: Vec<Arc<Finished>> = self.ended.iter().take(most).cloned().collect();
        let cost_bytes = some
            .iter()
            .flat_map(|one| &one.results)
            .map(|result| result.json.len())
            .sum();
        let (count, settled, claimed) = self
            .inner
            .store
            .write_analysis(Lane::Bulk, cost_bytes, move |write| {
                let (count, settled) = write.finish_tasks_unless_in_the_way(&some, now)?;
                let mut claimed = Vec::with_capacity(short.len());
                for (lane, limit) in short {
                    if !write.is_in_the_way() {
                        let tasks = write.claim_tasks(lane, &owner, limit, until, now)?;
                        claimed.push((lane, limit, tasks));
                    }
                }
                Ok((count, settled, claimed))
            })
            .await?;
        // Only now: if the write failed, the same endings are written down at the next turn.
        self.ended.drain(..count);
        for (lane, limit, tasks) in claimed {
            if let Some((_, _, pool)) = self.pools.iter().find(|(of, _, _)| *of == lane) {
                pool.give(tasks, limit);
            }
        }
        tell(&self.inner, &settled).await
    }

    /// Takes back what workers that are gone had. Those of the pools are there, however long they take: where others have
    /// the processors, or the machine slept, a lease runs out all the same.
    async fn take_back(&mut self) -> Result<(), StoreError> {
        let (now, owner) = (self.inner.settings.now(), self.inner.settings.owner.clone());
        let until = later(now, self.inner.settings.lease);
        let settled = self
            .inner
            .store
            .write_analysis(Lane::Bulk, 0, move |write| {
                write.renew_leases_of(&owner, until, now)?;
                write.take_back_tasks(now)
            })
            .await?;
        tell(&self.inner, &settled).await
    }

    /// Gives up workers that hang, and with the last of them what waits for one.
    fn look_after(&mut self) {
        self.look_at = Instant::now() + LOOK_EVERY;
        for (lane, _, pool) in &mut self.pools {
            let longest = self.inner.settings.time_max_of(*lane);
            for task in pool.give_up(longest) {
                let error = format!("a pass did not end within {} s", longest.as_secs_f64());
                tracing::warn!(task.id = %task.id, conversation.id = %task.conversation_id, "{error}");
                let failed = failed(&self.inner, (task.id, task.attempt), error, Again::Yes);
                self.ended.push(Arc::new(failed));
            }
            if pool.is_lost() {
                let waiting = pool.take_back();
                tracing::error!(waiting = waiting.len(), "{ALL_HANG}");
                self.ended
                    .extend(waiting.iter().map(|task| Arc::new(given_up(&self.inner, task))));
            }
        }
    }
}

/// How many tasks are to wait for the workers of a lane: so many that none that computes waits for the writer. One that
/// waits anyway need not have it.
fn ahead(lane: TaskLane, workers: usize, pool: &Pool) -> usize {
    match lane {
        TaskLane::Compute => pool.ahead(),
        TaskLane::Wait => workers,
    }
}

/// The end of a task that no worker is left for: its run is to end, and another try would wait for ever.
fn given_up(inner: &Inner, task: &Claimed) -> Finished {
    failed(inner, (task.id, task.attempt), ALL_HANG.to_owned(), Again::No)
}

/// Tells how tasks ended, and of the runs that go on or end with them.
pub(crate) async fn tell(inner: &Arc<Inner>, settled: &[Settled]) -> Result<(), StoreError> {
    inner.voice.tasks(settled);
    inner.counted(settled);
    let runs: HashSet<RunId> = settled.iter().filter_map(|one| one.run_id).collect();
    for id in runs {
        let Some((run, _)) = inner.store.read(move |reader| reader.run(id)).await? else {
            continue;
        };
        if run.finished_at.is_some() {
            end(inner, id);
        } else if inner.voice.is_progress_due(id) {
            inner.voice.run_progress(&run, inner.settings.now());
        }
    }
    Ok(())
}

/// In a task of its own: while Redis is away the end of a run waits, and nothing else does.
fn end(inner: &Arc<Inner>, id: RunId) {
    let of_task = inner.clone();
    inner.tasks.spawn(async move {
        if let Err(error) = seed::end_if_over(&of_task, id, false).await {
            tracing::error!(%error, run.id = %id, "the end of a run was not written down; the next start tells it");
        }
    });
}

async fn claim(inner: &Inner, lane: TaskLane, limit: usize) -> Result<Vec<Claimed>, StoreError> {
    let (owner, now) = (inner.settings.owner.clone(), inner.settings.now());
    let until = later(now, inner.settings.lease);
    if !inner
        .store
        .read(move |reader| reader.has_ready_tasks(lane, now))
        .await?
    {
        return Ok(Vec::new());
    }
    let claimed = inner.store.write_analysis(Lane::Bulk, 0, move |write| {
        write.claim_tasks(lane, &owner, limit, until, now)
    });
    claimed.await
}

/// The end of a try that failed.
pub(crate) fn failed(inner: &Inner, (id, attempt): (TaskId, u32), error: String, again: Again) -> Finished {
    let ending = match again {
        Again::Yes => Ending::Retry {
            error,
            due: later(inner.settings.now(), backoff::wait(id, attempt)),
        },
        Again::No => Ending::Failed { error },
        Again::Later(wait) => Ending::Postponed {
            error,
            due: later(inner.settings.now(), wait),
        },
    };
    Finished {
        id,
        attempt,
        results: Vec::new(),
        covered: None,
        ending,
    }
}

/// `wait` after `now`.
pub(crate) fn later(now: Timestamp, wait: Duration) -> Timestamp {
    let us = now
        .as_micros()
        .saturating_add(i64::try_from(wait.as_micros()).unwrap_or(i64::MAX));
    Timestamp::from_micros(us).unwrap_or(now)
}
