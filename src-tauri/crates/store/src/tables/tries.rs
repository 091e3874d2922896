//! Tries of tasks: claimed with a lease, ended, taken back, counted into their run.

use std::borrow::Borrow;
use std::cmp::Reverse;
use std::collections::BTreeMap;

use chatstats_model::{ChatId, ConversationId, RunId, RunState, TaskId, TaskState, Timestamp};
use rusqlite::{OptionalExtension, ToSql, params};

use super::results::{Covered, NewResult};
use super::tasks::{ATTEMPTS_MAX, TaskLane, number};
use crate::{StoreError, WriteAnalysis};

/// A task that a worker holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Claimed {
    /// The task.
    pub id: TaskId,
    /// Which workers it is for.
    pub lane: TaskLane,
    /// Its run.
    pub run_id: Option<RunId>,
    /// The chat.
    pub chat_id: ChatId,
    /// The conversation.
    pub conversation_id: ConversationId,
    /// Which try this is, from 1. What ends is the try: an answer to an earlier one is no answer.
    pub attempt: u32,
}

/// How a try ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finished {
    /// The task.
    pub id: TaskId,
    /// Which try.
    pub attempt: u32,
    /// What it left: stored however the task ended.
    pub results: Vec<NewResult>,
    /// The set of passes that the conversation has results of now.
    pub covered: Option<Covered>,
    /// How it ended.
    pub ending: Ending,
}

impl Finished {
    /// A try that ended well; what it left is added.
    pub fn completed(id: TaskId, attempt: u32) -> Self {
        Self {
            id,
            attempt,
            results: Vec::new(),
            covered: None,
            ending: Ending::Completed,
        }
    }
}

/// How a try ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ending {
    /// Well.
    Completed,
    /// Badly; it may be tried again, at this time.
    Retry {
        /// What went wrong.
        error: String,
        /// Not before.
        due: Timestamp,
    },
    /// Not at all: now was not the time. It is begun again, at this time, and this try does not count.
    Postponed {
        /// What was the matter.
        error: String,
        /// Not before.
        due: Timestamp,
    },
    /// Badly, and another try would end like this one.
    Failed {
        /// What went wrong.
        error: String,
    },
}

/// What became of a task.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settled {
    /// The task.
    pub id: TaskId,
    /// Its run.
    pub run_id: Option<RunId>,
    /// The chat.
    pub chat_id: ChatId,
    /// The conversation.
    pub conversation_id: ConversationId,
    /// Where it stands now.
    pub state: TaskState,
    /// Which try it was.
    pub attempt: u32,
    /// What went wrong.
    pub error: Option<String>,
}

impl WriteAnalysis<'_> {
    /// Hands out up to `limit` tasks that may start, the most important first, under a lease. Failed ones whose time
    /// has come are among them.
    pub fn claim_tasks(
        &mut self,
        lane: TaskLane,
        owner: &str,
        limit: usize,
        lease_until: Timestamp,
        now: Timestamp,
    ) -> Result<Vec<Claimed>, StoreError> {
        let mut wake = self
            .conn
            .prepare_cached("UPDATE tasks SET state = 0, due_us = NULL WHERE state = 2 AND due_us <= ?1")?;
        wake.execute([now.as_micros()])?;
        let mut claim = self.conn.prepare_cached(
            "UPDATE tasks SET state = 1, attempt = ?5, owner = ?2, lease_us = ?3, started_us = ?4 WHERE id = ?1",
        )?;
        let ready = self.ready_tasks(lane, limit)?;
        for task in &ready {
            claim.execute(params![
                task.id.0,
                owner,
                lease_until.as_micros(),
                now.as_micros(),
                task.attempt
            ])?;
        }
        Ok(ready)
    }

    /// Notes how tries ended, stores what they left, and counts them into their runs. A try that is not the task's
    /// current one any more (its lease ran out, or the task was stopped) counts for nothing, and is not in the answer.
    pub fn finish_tasks<F: Borrow<Finished>>(
        &mut self,
        finished: &[F],
        now: Timestamp,
    ) -> Result<Vec<Settled>, StoreError> {
        let (_, settled) = self.finish(finished, |_| false, now)?;
        Ok(settled)
    }

    /// As [`finish_tasks`](Self::finish_tasks), but ends after the first task after which somebody waits for a live
    /// write. Answers how many it took.
    pub fn finish_tasks_unless_in_the_way<F: Borrow<Finished>>(
        &mut self,
        finished: &[F],
        now: Timestamp,
    ) -> Result<(usize, Vec<Settled>), StoreError> {
        self.finish(finished, |write| write.is_in_the_way(), now)
    }

    fn finish<F: Borrow<Finished>>(
        &mut self,
        finished: &[F],
        is_enough: impl Fn(&Self) -> bool,
        now: Timestamp,
    ) -> Result<(usize, Vec<Settled>), StoreError> {
        let mut settled = Vec::with_capacity(finished.len());
        let mut counts: BTreeMap<RunId, RunCounts> = BTreeMap::new();
        let mut taken = 0;
        let mut put = self.results_put(now)?;
        for one in finished {
            let one = one.borrow();
            let done = self.finish_task(one, now)?;
            let of = one.results.first().map(|result| result.conversation_id);
            if let Some(id) = of.or(done.as_ref().map(|done| done.conversation_id)) {
                let covered = one.covered.filter(|_| done.is_some());
                self.put_results(&mut put, id, &one.results, covered)?;
            }
            if let Some(done) = done {
                if let Some(run) = done.run_id {
                    counts.entry(run).or_default().count(done.state);
                }
                settled.push(done);
            }
            taken += 1;
            if is_enough(self) {
                break;
            }
        }
        for (run, counts) in counts {
            self.count_into_run(run, counts)?;
            self.close_run_if_done(run, now)?;
        }
        Ok((taken, settled))
    }

    /// Renews the leases of one owner that ran out: it is there, and sees itself to what its workers have.
    pub fn renew_leases_of(
        &mut self,
        owner: &str,
        until: Timestamp,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let mut renew = self.conn.prepare_cached(
            "UPDATE tasks SET lease_us = ?2 WHERE state = 1 AND owner = ?1 AND lease_us <= ?3",
        )?;
        renew.execute(params![owner, until.as_micros(), now.as_micros()])?;
        Ok(())
    }

    /// Takes tasks back whose lease ran out: to be tried again, or dead if that was their last try.
    pub fn take_back_tasks(&mut self, now: Timestamp) -> Result<Vec<Settled>, StoreError> {
        self.take_back("lease_us <= ?1", params![now.as_micros()], now)
    }

    /// Takes back what one owner has, whatever its lease.
    pub fn take_back_tasks_of(&mut self, owner: &str, now: Timestamp) -> Result<Vec<Settled>, StoreError> {
        self.take_back("owner = ?1", params![owner], now)
    }

    /// Takes back what others have than these two, whatever their leases: their processes are gone.
    pub fn take_back_tasks_of_others(
        &mut self,
        owners: [&str; 2],
        now: Timestamp,
    ) -> Result<Vec<Settled>, StoreError> {
        self.take_back("owner NOT IN (?1, ?2)", params![owners[0], owners[1]], now)
    }

    fn take_back(
        &mut self,
        whose: &str,
        values: &[&dyn ToSql],
        now: Timestamp,
    ) -> Result<Vec<Settled>, StoreError> {
        let mut lost = self.conn.prepare_cached(&format!(
            "SELECT id, attempt FROM tasks WHERE state = 1 AND {whose}"
        ))?;
        let rows = lost.query_map(values, |row| Ok((TaskId(row.get(0)?), row.get(1)?)))?;
        let lost: Vec<(TaskId, u32)> = rows.collect::<Result<_, _>>()?;
        let ended = |(id, attempt)| Finished {
            id,
            attempt,
            results: Vec::new(),
            covered: None,
            ending: Ending::Retry {
                error: "the worker that had it went away".to_owned(),
                due: now,
            },
        };
        let ended: Vec<_> = lost.into_iter().map(ended).collect();
        self.finish_tasks(&ended, now)
    }

    /// Puts tasks back that no worker has begun, or that the program's end cut off: their try does not count.
    pub fn put_back_tasks(&mut self, tasks: &[Claimed]) -> Result<(), StoreError> {
        let mut put_back = self.conn.prepare_cached(
            "UPDATE tasks SET state = 0, attempt = attempt - 1, owner = NULL, lease_us = NULL
             WHERE id = ?1 AND attempt = ?2 AND state = 1",
        )?;
        for task in tasks {
            put_back.execute(params![task.id.0, task.attempt])?;
        }
        Ok(())
    }

    /// Tasks that may start, the most important first, as their next try will be. Those of a run that is seeded, paused
    /// or stopped are not looked at, however many they are.
    fn ready_tasks(&mut self, lane: TaskLane, limit: usize) -> Result<Vec<Claimed>, StoreError> {
        let mut open = self
            .conn
            .prepare_cached("SELECT id FROM runs WHERE state = 'running'")?;
        let runs: Vec<i64> = open.query_map([], |row| row.get(0))?.collect::<Result<_, _>>()?;
        let mut ready = self.conn.prepare_cached(
            "SELECT priority, id, run_id, chat_id, conversation_id, attempt FROM tasks
             WHERE lane = ?3 AND ifnull(run_id, 0) = ?1 AND state = 0
             ORDER BY priority DESC, id LIMIT ?2",
        )?;
        let mut found: Vec<(i64, Claimed)> = Vec::new();
        for run in std::iter::once(0).chain(runs) {
            let rows = ready.query_map(params![run, limit as i64, lane as i64], |row| {
                let task = Claimed {
                    id: TaskId(row.get(1)?),
                    lane,
                    run_id: row.get::<_, Option<i64>>(2)?.map(RunId),
                    chat_id: ChatId(row.get(3)?),
                    conversation_id: ConversationId(row.get(4)?),
                    attempt: row.get::<_, u32>(5)?.saturating_add(1),
                };
                Ok((row.get(0)?, task))
            })?;
            for row in rows {
                found.push(row?);
            }
        }
        found.sort_by_key(|(priority, task)| (Reverse(*priority), task.id));
        found.truncate(limit);
        Ok(found.into_iter().map(|(_, task)| task).collect())
    }

    // Read, then written by its key: a statement that returns rows counts as one that may change several.
    fn finish_task(&mut self, one: &Finished, now: Timestamp) -> Result<Option<Settled>, StoreError> {
        let (state, error, due, is_over) = match &one.ending {
            Ending::Completed => (TaskState::Completed, None, None, true),
            Ending::Failed { error } => (TaskState::Failed, Some(error), None, true),
            Ending::Postponed { error, due } => (TaskState::Retrying, Some(error), Some(*due), false),
            Ending::Retry { error, .. } if one.attempt >= ATTEMPTS_MAX => {
                (TaskState::Dead, Some(error), None, true)
            }
            Ending::Retry { error, due } => (TaskState::Retrying, Some(error), Some(*due), false),
        };
        let mut query = self.conn.prepare_cached(
            "SELECT run_id, chat_id, conversation_id FROM tasks WHERE id = ?1 AND attempt = ?2 AND state = 1",
        )?;
        let held = query.query_row(params![one.id.0, one.attempt], |row| {
            Ok(Settled {
                id: one.id,
                run_id: row.get::<_, Option<i64>>(0)?.map(RunId),
                chat_id: ChatId(row.get(1)?),
                conversation_id: ConversationId(row.get(2)?),
                state,
                attempt: one.attempt,
                error: error.cloned(),
            })
        });
        let Some(mut settled) = held.optional()? else {
            return Ok(None);
        };
        // A failed task of a run that was stopped is not tried again.
        if state == TaskState::Retrying
            && let Some(run) = settled.run_id
            && self.run_state(run)? == Some(RunState::Cancelled)
        {
            settled.state = TaskState::Cancelled;
        }
        let mut end = self.conn.prepare_cached(
            "UPDATE tasks SET lease_us = NULL, owner = NULL, state = ?2, error = ?3, due_us = ?4, finished_us = ?5,
                attempt = attempt - ?6
             WHERE id = ?1",
        )?;
        end.execute(params![
            one.id.0,
            number(settled.state),
            error,
            due.map(Timestamp::as_micros),
            (is_over || settled.state == TaskState::Cancelled).then(|| now.as_micros()),
            matches!(one.ending, Ending::Postponed { .. })
        ])?;
        Ok(Some(settled))
    }

    fn count_into_run(&mut self, run: RunId, counts: RunCounts) -> Result<(), StoreError> {
        let mut count = self.conn.prepare_cached(
            "UPDATE runs SET success = success + ?2, failed = failed + ?3, cancelled = cancelled + ?4 WHERE id = ?1",
        )?;
        count.execute(params![run.0, counts.success, counts.failed, counts.cancelled])?;
        Ok(())
    }
}

/// Tasks of one run that ended together.
#[derive(Clone, Copy, Default)]
struct RunCounts {
    success: i64,
    /// Those that were cancelled with them.
    failed: i64,
    cancelled: i64,
}

impl RunCounts {
    fn count(&mut self, state: TaskState) {
        let (success, failed, cancelled) = match state {
            TaskState::Completed => (1, 0, 0),
            TaskState::Failed | TaskState::Dead => (0, 1, 0),
            TaskState::Cancelled => (0, 1, 1),
            TaskState::Queued | TaskState::Running | TaskState::Retrying => (0, 0, 0),
        };
        self.success += success;
        self.failed += failed;
        self.cancelled += cancelled;
    }
}
