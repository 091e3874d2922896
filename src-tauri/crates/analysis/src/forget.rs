//! What nobody needs any more: tasks that ended long ago, and results of conversations that are gone.

use chatstats_model::TaskId;
use chatstats_store::{Lane, StoreError, Write, WriteAnalysis};

use crate::analysis::Inner;

/// Ended tasks that are kept for people to look at; older ones are forgotten, except dead letters.
const TASKS_KEPT: i64 = 500_000;

/// Tasks forgotten in one step of the writer.
const TASKS_AT_ONCE: usize = 5_000;

/// Conversations of which results are forgotten in one step of the writer.
const CONVERSATIONS_AT_ONCE: usize = 500;

/// Forgets tasks that ended long ago.
pub(crate) async fn old_tasks(inner: &Inner) {
    while !inner.shutdown.is_cancelled() {
        let forgotten = inner.store.write_analysis(Lane::Bulk, 0, |write| {
            let newest = write.newest_task()?;
            write.forget_tasks(TaskId(newest.0 - TASKS_KEPT), TASKS_AT_ONCE)
        });
        match forgotten.await {
            Ok(0) | Err(StoreError::Closed) => return,
            Ok(_) => {}
            Err(error) => return tracing::warn!(%error, "old tasks could not be forgotten"),
        }
    }
}

/// Forgets results of conversations that late messages made parts of others. Nobody sees them any more; they take room.
pub(crate) async fn results_of_gone(inner: &Inner) {
    while !inner.shutdown.is_cancelled() {
        match some_of_gone(inner).await {
            Ok(0) | Err(StoreError::Closed) => return,
            Ok(_) => {}
            Err(error) => {
                return tracing::warn!(%error, "results of conversations that are gone could not be forgotten");
            }
        }
    }
}

/// In two steps, for there are two files: where the second does not come about, the first is done once more.
async fn some_of_gone(inner: &Inner) -> Result<usize, StoreError> {
    let forget = |write: &mut WriteAnalysis<'_>| write.forget_results_of_gone(CONVERSATIONS_AT_ONCE);
    let gone = inner.store.write_analysis(Lane::Bulk, 0, forget).await?;
    let count = gone.len();
    if count > 0 {
        let forget = move |write: &mut Write<'_>| write.forget_gone(&gone);
        inner.store.write(Lane::Bulk, 0, forget).await?;
    }
    Ok(count)
}
