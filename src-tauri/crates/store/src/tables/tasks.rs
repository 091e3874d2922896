//! Tasks: claimed with a lease, tried again, counted into their run.

use std::borrow::Borrow;
use std::cmp::Reverse;
use std::collections::BTreeMap;

use chatstats_model::{
    ChatId, ConversationId, RunId, RunState, Task, TaskCounts, TaskId, TaskPage, TaskState, Timestamp,
};
use rusqlite::{OptionalExtension, Row, ToSql, params};

use super::messages::time;
use super::results::{Covered, NewResult};
use crate::{Reader, StoreError, Write};

/// How often a task may be started before it is a dead letter.
pub const ATTEMPTS_MAX: u32 = 5;

/// The numbers that stand for states in the database.
pub(crate) mod state {
    pub(crate) const QUEUED: i64 = 0;
    pub(crate) const RUNNING: i64 = 1;
    pub(crate) const RETRYING: i64 = 2;
    pub(crate) const COMPLETED: i64 = 3;
    pub(crate) const FAILED: i64 = 4;
    pub(crate) const DEAD: i64 = 5;
    pub(crate) const CANCELLED: i64 = 6;
}

/// Which workers a task is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum TaskLane {
    /// Those that compute: as many as there are processors.
    Compute = 0,
    /// Those that wait for somebody else to answer: many.
    Wait = 1,
}

/// A task to be made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NewTask {
    /// The chat.
    pub chat_id: ChatId,
    /// The conversation.
    pub conversation_id: ConversationId,
}

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

/// Which tasks to list.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TaskQuery {
    /// Of this run.
    pub run: Option<RunId>,
    /// Of this chat.
    pub chat: Option<ChatId>,
    /// In one of these states; in any if empty.
    pub states: Vec<TaskState>,
    /// Older than this one.
    pub before: Option<TaskId>,
    /// At most so many.
    pub limit: usize,
}

const TASK: &str =
    "SELECT id, run_id, chat_id, conversation_id, state, priority, attempt, due_us, error, created_us,
    started_us, finished_us FROM tasks";

/// A step of the index for each chat, and not one for each task: a run has many tasks of each chat.
const CHATS_BEING_ANALYSED: &str = "WITH RECURSIVE
    chat (id) AS (
        SELECT min(chat_id) FROM tasks INDEXED BY tasks_by_chat WHERE state IN (0, 1, 2)
        UNION ALL
        SELECT (SELECT min(chat_id) FROM tasks INDEXED BY tasks_by_chat
                WHERE state IN (0, 1, 2) AND chat_id > chat.id)
        FROM chat WHERE chat.id IS NOT NULL
        LIMIT ?1
    )
    SELECT id FROM chat WHERE id IS NOT NULL";

/// Failed or dead, and not tried again since.
const IS_DEAD_LETTER: &str = "state IN (4, 5) AND retried = 0";

impl Reader {
    /// A page of tasks, the newest first.
    pub fn tasks(&self, query: &TaskQuery) -> Result<TaskPage, StoreError> {
        let states: Vec<String> = query.states.iter().map(|s| number(*s).to_string()).collect();
        let in_states = match states.as_slice() {
            [] => "1".to_owned(),
            some => format!("state IN ({})", some.join(",")),
        };
        let wanted = format!("{in_states} AND (?1 IS NULL OR run_id = ?1) AND (?2 IS NULL OR chat_id = ?2)");
        self.task_page(&wanted, query.run, query.chat, query.before, query.limit)
    }

    /// A page of dead letters, the newest first.
    pub fn dead_letters(&self, before: Option<TaskId>, limit: usize) -> Result<TaskPage, StoreError> {
        let wanted = format!("{IS_DEAD_LETTER} AND ?1 IS NULL AND ?2 IS NULL");
        self.task_page(&wanted, None, None, before, limit)
    }

    /// Whether a task is a dead letter.
    pub fn is_dead_letter(&self, id: TaskId) -> Result<bool, StoreError> {
        let mut query = self.conn.prepare_cached(&format!(
            "SELECT EXISTS (SELECT 1 FROM tasks WHERE id = ?1 AND {IS_DEAD_LETTER})"
        ))?;
        Ok(query.query_row([id.0], |row| row.get(0))?)
    }

    /// One task.
    pub fn task(&self, id: TaskId) -> Result<Option<Task>, StoreError> {
        let mut query = self.conn.prepare_cached(&format!("{TASK} WHERE id = ?1"))?;
        let mut rows = query.query_map([id.0], task)?;
        Ok(rows.next().transpose()?)
    }

    /// Chats with tasks that have not ended, by id.
    pub fn chats_being_analysed(&self, limit: usize) -> Result<Vec<ChatId>, StoreError> {
        let mut query = self.conn.prepare_cached(CHATS_BEING_ANALYSED)?;
        let rows = query.query_map([limit as i64], |row| Ok(ChatId(row.get(0)?)))?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// Whether a conversation has a task that has not ended.
    pub fn is_being_analysed(&self, id: ConversationId) -> Result<bool, StoreError> {
        let mut query = self.conn.prepare_cached(
            "SELECT EXISTS (SELECT 1 FROM tasks INDEXED BY tasks_by_conversation
                WHERE conversation_id = ?1 AND state IN (0, 1, 2))",
        )?;
        Ok(query.query_row([id.0], |row| row.get(0))?)
    }

    /// How many tasks stand where; of all runs, or of one.
    pub fn task_counts(&self, run: Option<RunId>) -> Result<TaskCounts, StoreError> {
        let wanted = if run.is_some() {
            "WHERE run_id = ?1"
        } else {
            "WHERE ?1 IS NULL"
        };
        let mut query = self.conn.prepare_cached(&format!(
            "SELECT state, count(*) FROM tasks {wanted} GROUP BY state"
        ))?;
        let mut counts = TaskCounts::default();
        let mut rows = query.query([run.map(|run| run.0)])?;
        while let Some(row) = rows.next()? {
            let count = row.get::<_, i64>(1)? as u64;
            match named(row.get(0)?) {
                TaskState::Queued => counts.queued = count,
                TaskState::Running => counts.running = count,
                TaskState::Retrying => counts.retrying = count,
                TaskState::Completed => counts.completed = count,
                TaskState::Failed => counts.failed = count,
                TaskState::Dead => counts.dead = count,
                TaskState::Cancelled => counts.cancelled = count,
            }
        }
        Ok(counts)
    }

    /// Whether any task may start: asked before [`Write::claim_tasks`], which costs a step of the writer.
    pub fn has_ready_tasks(&self, lane: TaskLane, now: Timestamp) -> Result<bool, StoreError> {
        let mut query = self.conn.prepare_cached(
            "SELECT EXISTS (SELECT 1 FROM tasks WHERE lane = ?2 AND ifnull(run_id, 0) = 0 AND state = 0)
                OR EXISTS (SELECT 1 FROM tasks WHERE state = 2 AND due_us <= ?1)
                OR EXISTS (SELECT 1 FROM runs WHERE state = 'running'
                    AND EXISTS (SELECT 1 FROM tasks WHERE lane = ?2 AND ifnull(run_id, 0) = runs.id AND state = 0))",
        )?;
        Ok(query.query_row([now.as_micros(), lane as i64], |row| row.get(0))?)
    }

    /// Whether an owner has any tasks.
    pub fn has_tasks_of(&self, owner: &str) -> Result<bool, StoreError> {
        let mut query = self
            .conn
            .prepare_cached("SELECT EXISTS (SELECT 1 FROM tasks WHERE state = 1 AND owner = ?1)")?;
        Ok(query.query_row([owner], |row| row.get(0))?)
    }

    /// When the next failed task may be tried again.
    pub fn next_retry(&self) -> Result<Option<Timestamp>, StoreError> {
        let mut query = self
            .conn
            .prepare_cached("SELECT min(due_us) FROM tasks WHERE state = 2")?;
        Ok(time(query.query_row([], |row| row.get(0))?))
    }

    /// When the next lease runs out.
    pub fn next_lease_end(&self) -> Result<Option<Timestamp>, StoreError> {
        let mut query = self
            .conn
            .prepare_cached("SELECT min(lease_us) FROM tasks WHERE state = 1")?;
        Ok(time(query.query_row([], |row| row.get(0))?))
    }

    fn task_page(
        &self,
        wanted: &str,
        run: Option<RunId>,
        chat: Option<ChatId>,
        before: Option<TaskId>,
        limit: usize,
    ) -> Result<TaskPage, StoreError> {
        let (run, chat) = (run.map(|id| id.0), chat.map(|id| id.0));
        let mut count = self
            .conn
            .prepare_cached(&format!("SELECT count(*) FROM tasks WHERE {wanted}"))?;
        let total: i64 = count.query_row(params![run, chat], |row| row.get(0))?;
        let mut page = self.conn.prepare_cached(&format!(
            "{TASK} WHERE {wanted} AND id < ?3 ORDER BY id DESC LIMIT ?4"
        ))?;
        let before = before.map_or(i64::MAX, |id| id.0);
        let rows = page.query_map(params![run, chat, before, limit as i64], task)?;
        let tasks: Vec<Task> = rows.collect::<Result<_, _>>()?;
        let next = (tasks.len() == limit)
            .then(|| tasks.last().map(|task| task.id))
            .flatten();
        Ok(TaskPage {
            tasks,
            next,
            total: total as u64,
        })
    }
}

impl Write<'_> {
    /// Adds tasks to a run; those of conversations that it has tasks for already are passed over.
    pub fn seed_tasks(
        &mut self,
        run: RunId,
        lane: TaskLane,
        tasks: &[NewTask],
        priority: u8,
        now: Timestamp,
    ) -> Result<usize, StoreError> {
        let mut find = self
            .conn
            .prepare_cached("SELECT 1 FROM tasks WHERE conversation_id = ?1 AND run_id = ?2 AND lane = ?3")?;
        let mut seeded = 0;
        for task in tasks {
            if !find.exists(params![task.conversation_id.0, run.0, lane as i64])? {
                self.insert_task(Some(run), lane, *task, priority, now)?;
                seeded += 1;
            }
        }
        Ok(seeded)
    }

    /// Adds the task of one conversation to a run, if there is such a conversation.
    pub fn seed_conversation(
        &mut self,
        run: RunId,
        lane: TaskLane,
        id: ConversationId,
        priority: u8,
        now: Timestamp,
    ) -> Result<usize, StoreError> {
        let mut insert = self.conn.prepare_cached(
            "INSERT INTO tasks (run_id, lane, chat_id, conversation_id, state, priority, created_us)
             SELECT ?1, ?5, chat_id, id, 0, ?3, ?4 FROM conversations WHERE id = ?2",
        )?;
        Ok(insert.execute(params![run.0, id.0, priority, now.as_micros(), lane as i64])?)
    }

    /// The newest task's id; 0 if there was none.
    pub fn newest_task(&mut self) -> Result<TaskId, StoreError> {
        let mut query = self.conn.prepare_cached("SELECT ifnull(max(id), 0) FROM tasks")?;
        Ok(TaskId(query.query_row([], |row| row.get(0))?))
    }

    /// Adds a task without a run, unless one waits for the conversation already.
    pub fn queue_task(
        &mut self,
        task: NewTask,
        lane: TaskLane,
        priority: u8,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        let mut find = self.conn.prepare_cached(
            "SELECT 1 FROM tasks WHERE conversation_id = ?1 AND run_id IS NULL AND lane = ?2 AND state IN (0, 2)",
        )?;
        let waits = find.exists(params![task.conversation_id.0, lane as i64])?;
        if !waits {
            self.insert_task(None, lane, task, priority, now)?;
        }
        Ok(!waits)
    }

    fn insert_task(
        &self,
        run: Option<RunId>,
        lane: TaskLane,
        task: NewTask,
        priority: u8,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let mut insert = self.conn.prepare_cached(
            "INSERT INTO tasks (run_id, lane, chat_id, conversation_id, state, priority, created_us)
             VALUES (?1, ?2, ?3, ?4, 0, ?5, ?6)",
        )?;
        insert.execute(params![
            run.map(|run| run.0),
            lane as i64,
            task.chat_id.0,
            task.conversation_id.0,
            priority,
            now.as_micros()
        ])?;
        Ok(())
    }

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
        for one in finished {
            let one = one.borrow();
            self.put_results(&one.results, now)?;
            if let Some(done) = self.finish_task(one, now)? {
                if let Some(covered) = one.covered {
                    self.put_covered(done.conversation_id, covered)?;
                }
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

    /// Puts tasks back that no worker has begun: their try does not count.
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

    /// Lets what the user looks at go first: raises the tasks of a chat that wait.
    pub fn raise_tasks(&mut self, chat: ChatId, priority: u8) -> Result<usize, StoreError> {
        let mut raise = self.conn.prepare_cached(
            "UPDATE tasks SET priority = ?2 WHERE chat_id = ?1 AND state IN (0, 2) AND priority < ?2",
        )?;
        Ok(raise.execute(params![chat.0, priority])?)
    }

    /// Moves dead letters into a run that tries them again: one, or up to `limit` of all.
    pub fn retry_dead(
        &mut self,
        run: RunId,
        only: Option<TaskId>,
        limit: usize,
        now: Timestamp,
    ) -> Result<usize, StoreError> {
        let mut dead = self.conn.prepare_cached(&format!(
            "UPDATE tasks SET retried = 1 WHERE id IN
                (SELECT id FROM tasks WHERE {IS_DEAD_LETTER} AND id = ifnull(?1, id) LIMIT ?2)
             RETURNING chat_id, conversation_id, lane"
        ))?;
        let rows = dead.query_map(params![only.map(|id| id.0), limit as i64], |row| {
            let task = NewTask {
                chat_id: ChatId(row.get(0)?),
                conversation_id: ConversationId(row.get(1)?),
            };
            Ok((lane_named(row.get(2)?), task))
        })?;
        let tasks: Vec<_> = rows.collect::<Result<_, _>>()?;
        for (lane, task) in &tasks {
            self.seed_tasks(run, *lane, std::slice::from_ref(task), RETRY_PRIORITY, now)?;
        }
        Ok(tasks.len())
    }

    /// Forgets ended tasks below `id`, at most `limit`, except dead letters and those of runs that go on. Returns how
    /// many.
    pub fn forget_tasks(&mut self, below: TaskId, limit: usize) -> Result<usize, StoreError> {
        let mut forget = self.conn.prepare_cached(
            "DELETE FROM tasks WHERE id IN (SELECT tasks.id FROM tasks LEFT JOIN runs ON runs.id = run_id
                WHERE tasks.id < ?1 AND tasks.state IN (3, 6) AND (runs.id IS NULL OR runs.announced = 3) LIMIT ?2)",
        )?;
        Ok(forget.execute(params![below.0, limit as i64])?)
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

/// What somebody asked for by hand goes before what runs by itself.
const RETRY_PRIORITY: u8 = 2;

fn task(row: &Row<'_>) -> rusqlite::Result<Task> {
    Ok(Task {
        id: TaskId(row.get(0)?),
        run_id: row.get::<_, Option<i64>>(1)?.map(RunId),
        chat_id: ChatId(row.get(2)?),
        conversation_id: ConversationId(row.get(3)?),
        state: named(row.get(4)?),
        priority: row.get(5)?,
        attempt: row.get(6)?,
        attempts_max: ATTEMPTS_MAX,
        due_at: time(row.get(7)?),
        error: row.get(8)?,
        created_at: time(row.get(9)?).unwrap_or_default(),
        started_at: time(row.get(10)?),
        finished_at: time(row.get(11)?),
    })
}

fn lane_named(number: i64) -> TaskLane {
    if number == TaskLane::Wait as i64 {
        TaskLane::Wait
    } else {
        TaskLane::Compute
    }
}

fn number(state: TaskState) -> i64 {
    match state {
        TaskState::Queued => state::QUEUED,
        TaskState::Running => state::RUNNING,
        TaskState::Retrying => state::RETRYING,
        TaskState::Completed => state::COMPLETED,
        TaskState::Failed => state::FAILED,
        TaskState::Dead => state::DEAD,
        TaskState::Cancelled => state::CANCELLED,
    }
}

fn named(number: i64) -> TaskState {
    match number {
        state::QUEUED => TaskState::Queued,
        state::RUNNING => TaskState::Running,
        state::RETRYING => TaskState::Retrying,
        state::COMPLETED => TaskState::Completed,
        state::FAILED => TaskState::Failed,
        state::DEAD => TaskState::Dead,
        _ => TaskState::Cancelled,
    }
}
