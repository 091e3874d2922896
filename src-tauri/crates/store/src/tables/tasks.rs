//! Tasks: made, looked at, raised, tried again and forgotten. Their tries are in `tries.rs`.

use chatstats_model::{
    ChatId, ConversationId, RunId, Task, TaskCounts, TaskId, TaskPage, TaskState, Timestamp,
};
use rusqlite::{Row, params};

use super::messages::time;
use crate::{Reader, StoreError, WriteAnalysis};

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
        SELECT min(chat_id) FROM tasks INDEXED BY tasks_unfinished WHERE finished_us IS NULL
        UNION ALL
        SELECT (SELECT min(chat_id) FROM tasks INDEXED BY tasks_unfinished
                WHERE finished_us IS NULL AND chat_id > chat.id)
        FROM chat WHERE chat.id IS NOT NULL
        LIMIT ?1
    )
    SELECT id FROM chat WHERE id IS NOT NULL";

const INSERT_TASK: &str =
    "INSERT INTO tasks (run_id, lane, chat_id, conversation_id, state, priority, created_us)
    VALUES (?1, ?2, ?3, ?4, 0, ?5, ?6)";

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
            "SELECT EXISTS (SELECT 1 FROM conversations c CROSS JOIN tasks t INDEXED BY tasks_unfinished
                    ON t.chat_id = c.chat_id AND t.conversation_id = c.id AND t.finished_us IS NULL
                WHERE c.id = ?1)",
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

    /// Whether any task may start: asked before [`WriteAnalysis::claim_tasks`], which costs a step of the writer.
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

impl WriteAnalysis<'_> {
    /// Adds tasks to a run; those of conversations that it has tasks for already are passed over, unless it has none and
    /// none is named twice.
    pub fn seed_tasks(
        &mut self,
        (run, has_none): (RunId, bool),
        lane: TaskLane,
        tasks: &[NewTask],
        priority: u8,
        now: Timestamp,
    ) -> Result<usize, StoreError> {
        let mut insert = self.conn.prepare_cached(INSERT_TASK)?;
        let mut put = |task: &NewTask| {
            let (chat, conversation) = (task.chat_id.0, task.conversation_id.0);
            insert.execute((run.0, lane as i64, chat, conversation, priority, now.as_micros()))
        };
        if has_none {
            for task in tasks {
                put(task)?;
            }
            return Ok(tasks.len());
        }
        let mut find = self
            .conn
            .prepare_cached("SELECT 1 FROM tasks WHERE conversation_id = ?1 AND run_id = ?2 AND lane = ?3")?;
        let mut seeded = 0;
        for task in tasks {
            if !find.exists(params![task.conversation_id.0, run.0, lane as i64])? {
                put(task)?;
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
            "SELECT 1 FROM tasks INDEXED BY tasks_unfinished
             WHERE chat_id = ?1 AND conversation_id = ?2 AND finished_us IS NULL
                AND run_id IS NULL AND lane = ?3 AND state IN (0, 2)",
        )?;
        let waits = find.exists(params![task.chat_id.0, task.conversation_id.0, lane as i64])?;
        if !waits {
            let mut insert = self.conn.prepare_cached(INSERT_TASK)?;
            insert.execute(params![
                None::<i64>,
                lane as i64,
                task.chat_id.0,
                task.conversation_id.0,
                priority,
                now.as_micros()
            ])?;
        }
        Ok(!waits)
    }

    /// Lets what the user looks at go first: raises the tasks of a chat that wait.
    pub fn raise_tasks(&mut self, chat: ChatId, priority: u8) -> Result<usize, StoreError> {
        let mut raise = self.conn.prepare_cached(
            "UPDATE tasks SET priority = ?2
             WHERE chat_id = ?1 AND finished_us IS NULL AND state IN (0, 2) AND priority < ?2",
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
            self.seed_tasks(
                (run, false),
                *lane,
                std::slice::from_ref(task),
                RETRY_PRIORITY,
                now,
            )?;
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

pub(super) fn number(state: TaskState) -> i64 {
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
