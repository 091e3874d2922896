//! How much work there is for analysis: asked every second while somebody looks at the metrics.

use rusqlite::Row;

use crate::{Reader, StoreError};

/// How much work there is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TaskLoad {
    /// Tasks that wait for a worker, or for their next try.
    pub waiting: u64,
    /// Tasks with a worker.
    pub running: u64,
    /// Dead letters.
    pub dead: u64,
}

impl Reader {
    /// How much work there is, from indexes alone: however many tasks have ended.
    pub fn task_load(&self) -> Result<TaskLoad, StoreError> {
        let mut query = self.conn.prepare_cached(
            "SELECT (SELECT count(*) FROM tasks WHERE state = 0) + (SELECT count(*) FROM tasks WHERE state = 2),
                (SELECT count(*) FROM tasks WHERE state = 1),
                (SELECT count(*) FROM tasks WHERE state IN (4, 5) AND retried = 0)",
        )?;
        let count = |row: &Row<'_>, column| row.get::<_, i64>(column).map(|count| count as u64);
        Ok(query.query_row([], |row| {
            Ok(TaskLoad {
                waiting: count(row, 0)?,
                running: count(row, 1)?,
                dead: count(row, 2)?,
            })
        })?)
    }
}
