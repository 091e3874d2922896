//! Runs: what was asked for, and the counts that a progress bar trusts.

use chatstats_model::{ChatId, Run, RunId, RunKind, RunState, Timestamp};
use rusqlite::{OptionalExtension, Row, params};

use super::messages::time;
use super::tasks::state;
use crate::{Reader, StoreError, WriteAnalysis};

/// A run to be made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewRun {
    /// What it covers.
    pub kind: RunKind,
    /// The chats it is restricted to, the most important first.
    pub chats: Vec<ChatId>,
    /// The passes it runs, in their order.
    pub passes: Vec<String>,
}

/// What the events of a run have told so far. Kept with the run, so that a restart tells the rest and nothing twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Announced {
    /// Nothing.
    Nothing = 0,
    /// That it is about to start.
    Starting = 1,
    /// How many tasks it has.
    Seeded = 2,
    /// That it has ended.
    Complete = 3,
}

const RUN: &str =
    "SELECT id, kind, state, chats, passes, created_us, finished_us, total, success, failed, cancelled,
    (SELECT count(*) FROM tasks INDEXED BY tasks_running WHERE tasks.run_id = runs.id AND tasks.state = 1), announced
    FROM runs";

/// Of run ?1, and waiting for a worker or for their next try: from indexes that hold no others.
pub(super) const WAITING: &str = "SELECT id FROM tasks INDEXED BY tasks_ready
        WHERE state = 0 AND lane IN (0, 1) AND ifnull(run_id, 0) = ?1
    UNION ALL SELECT id FROM tasks INDEXED BY tasks_due WHERE state = 2 AND run_id = ?1";

impl Reader {
    /// A page of runs, the newest first: those below `before`.
    pub fn runs(&self, before: Option<RunId>, limit: usize) -> Result<Vec<Run>, StoreError> {
        let before = before.map_or(i64::MAX, |id| id.0);
        let mut query = self
            .conn
            .prepare_cached(&format!("{RUN} WHERE id < ?1 ORDER BY id DESC LIMIT ?2"))?;
        let rows = query.query_map(params![before, limit as i64], |row| Ok(run(row)?.0))?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// One run, and what its events have told.
    pub fn run(&self, id: RunId) -> Result<Option<(Run, Announced)>, StoreError> {
        let mut query = self.conn.prepare_cached(&format!("{RUN} WHERE id = ?1"))?;
        Ok(query.query_row([id.0], run).optional()?)
    }

    /// Runs that have not ended, or whose end was not told yet; the oldest first.
    pub fn unfinished_runs(&self) -> Result<Vec<(Run, Announced)>, StoreError> {
        let mut query = self
            .conn
            .prepare_cached(&format!("{RUN} WHERE announced < 3 ORDER BY id"))?;
        let rows = query.query_map([], run)?;
        Ok(rows.collect::<Result<_, _>>()?)
    }
}

impl WriteAnalysis<'_> {
    /// Writes a run down; it has no tasks yet.
    pub fn create_run(&mut self, new: &NewRun, now: Timestamp) -> Result<RunId, StoreError> {
        let chats: Vec<i64> = new.chats.iter().map(|chat| chat.0).collect();
        let mut insert = self.conn.prepare_cached(
            "INSERT INTO runs (kind, state, chats, passes, created_us) VALUES (?1, 'seeding', ?2, ?3, ?4)",
        )?;
        let id = insert.insert(params![
            kind_name(new.kind),
            serde_json::to_string(&chats).map_err(unwritable)?,
            serde_json::to_string(&new.passes).map_err(unwritable)?,
            now.as_micros()
        ])?;
        Ok(RunId(id))
    }

    /// Counts the tasks of a run that is seeded.
    pub fn count_run(&mut self, id: RunId) -> Result<u64, StoreError> {
        let mut update = self.conn.prepare_cached(
            "UPDATE runs SET total = (SELECT count(*) FROM tasks WHERE run_id = ?1) WHERE id = ?1 RETURNING total",
        )?;
        Ok(update.query_row([id.0], |row| row.get::<_, i64>(0))? as u64)
    }

    /// Lets the tasks of a run that is seeded be claimed. One without tasks is complete at once, and one that was
    /// stopped meanwhile stays so.
    pub fn open_run(&mut self, id: RunId, now: Timestamp) -> Result<(), StoreError> {
        self.set_run_state(id, RunState::Seeding, RunState::Running)?;
        self.close_run_if_done(id, now)?;
        Ok(())
    }

    /// Moves a run from one state to another; returns whether it was in the first.
    pub fn set_run_state(&mut self, id: RunId, from: RunState, to: RunState) -> Result<bool, StoreError> {
        let mut update = self
            .conn
            .prepare_cached("UPDATE runs SET state = ?3 WHERE id = ?1 AND state = ?2")?;
        Ok(update.execute(params![id.0, state_name(from), state_name(to)])? == 1)
    }

    /// Where a run stands.
    pub fn run_state(&mut self, id: RunId) -> Result<Option<RunState>, StoreError> {
        let mut query = self.conn.prepare_cached("SELECT state FROM runs WHERE id = ?1")?;
        let name: Option<String> = query.query_row([id.0], |row| row.get(0)).optional()?;
        Ok(name.map(|name| state_named(&name)))
    }

    /// Notes what the events of a run have told.
    pub fn run_announced(&mut self, id: RunId, told: Announced) -> Result<(), StoreError> {
        let mut update = self
            .conn
            .prepare_cached("UPDATE runs SET announced = max(announced, ?2) WHERE id = ?1")?;
        update.execute(params![id.0, told as i64])?;
        Ok(())
    }

    /// Stops a run: what has not started never will. Stops at most `limit` tasks at a time and says how many, so that
    /// nobody waits long for the writer; call it until that is none.
    pub fn cancel_run(&mut self, id: RunId, limit: usize, now: Timestamp) -> Result<usize, StoreError> {
        let mut stop = self.conn.prepare_cached(
            "UPDATE runs SET state = 'cancelled' WHERE id = ?1 AND state IN ('seeding', 'running', 'paused')",
        )?;
        stop.execute([id.0])?;
        let mut cancel = self.conn.prepare_cached(&format!(
            "UPDATE tasks SET state = ?2, finished_us = ?3 WHERE id IN (SELECT id FROM ({WAITING}) LIMIT ?4)"
        ))?;
        let cancelled = cancel.execute(params![id.0, state::CANCELLED, now.as_micros(), limit as i64])?;
        let mut count = self.conn.prepare_cached(
            "UPDATE runs SET failed = failed + ?2, cancelled = cancelled + ?2 WHERE id = ?1",
        )?;
        count.execute(params![id.0, cancelled as i64])?;
        self.close_run_if_done(id, now)?;
        Ok(cancelled)
    }

    /// Ends a run whose tasks have all ended.
    pub(crate) fn close_run_if_done(&mut self, id: RunId, now: Timestamp) -> Result<(), StoreError> {
        let mut close = self.conn.prepare_cached(&format!(
            "UPDATE runs SET finished_us = ?2, state = CASE state WHEN 'cancelled' THEN state ELSE 'complete' END
             WHERE id = ?1 AND finished_us IS NULL AND state <> 'seeding' AND success + failed >= total
               AND NOT EXISTS (SELECT 1 FROM tasks INDEXED BY tasks_running WHERE state = 1 AND run_id = ?1)
               AND NOT EXISTS ({WAITING})",
        ))?;
        close.execute(params![id.0, now.as_micros()])?;
        Ok(())
    }
}

fn run(row: &Row<'_>) -> rusqlite::Result<(Run, Announced)> {
    let count = |column: usize| row.get::<_, i64>(column).map(|n| n as u64);
    let text = |column: usize| row.get::<_, String>(column);
    let chats: Vec<i64> = serde_json::from_str(&text(3)?).unwrap_or_default();
    let run = Run {
        id: RunId(row.get(0)?),
        kind: kind_named(&text(1)?),
        state: state_named(&text(2)?),
        chats: chats.into_iter().map(ChatId).collect(),
        passes: serde_json::from_str(&text(4)?).unwrap_or_default(),
        created_at: time(row.get(5)?).unwrap_or_default(),
        finished_at: time(row.get(6)?),
        total: count(7)?,
        success: count(8)?,
        failed: count(9)?,
        cancelled: count(10)?,
        processing: count(11)?,
    };
    let announced = match row.get::<_, i64>(12)? {
        0 => Announced::Nothing,
        1 => Announced::Starting,
        2 => Announced::Seeded,
        _ => Announced::Complete,
    };
    Ok((run, announced))
}

const KINDS: [(RunKind, &str); 5] = [
    (RunKind::Global, "global"),
    (RunKind::Historic, "historic"),
    (RunKind::Chat, "chat"),
    (RunKind::Conversation, "conversation"),
    (RunKind::Retry, "retry"),
];

const STATES: [(RunState, &str); 5] = [
    (RunState::Seeding, "seeding"),
    (RunState::Running, "running"),
    (RunState::Paused, "paused"),
    (RunState::Complete, "complete"),
    (RunState::Cancelled, "cancelled"),
];

fn kind_name(kind: RunKind) -> &'static str {
    KINDS
        .iter()
        .find(|(known, _)| *known == kind)
        .map_or("global", |(_, name)| name)
}

fn kind_named(name: &str) -> RunKind {
    let found = KINDS.iter().find(|(_, known)| *known == name);
    found.map_or(RunKind::Global, |(kind, _)| *kind)
}

fn state_named(name: &str) -> RunState {
    let found = STATES.iter().find(|(_, known)| *known == name);
    found.map_or(RunState::Complete, |(state, _)| *state)
}

fn state_name(state: RunState) -> &'static str {
    STATES
        .iter()
        .find(|(known, _)| *known == state)
        .map_or("complete", |(_, name)| name)
}

/// Lists of numbers and names: their JSON cannot fail, but its type says it can.
fn unwritable(error: serde_json::Error) -> StoreError {
    StoreError::Invalid(error.to_string())
}
