//! What is told of runs and tasks, on the bus.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use chatstats_bus::{Bus, BusError, Entry, StreamId, StreamKey};
use chatstats_model::{ChatId, ConversationId, Run, RunId, RunKind, RunState, TaskState, Timestamp};
use chatstats_store::{ATTEMPTS_MAX, Settled};
use serde_json::{Map, Value, json};
use tokio::time::Instant;

/// Between two events that tell how far a run is: a few a second, however many tasks end.
const PROGRESS_EVERY: Duration = Duration::from_millis(250);

/// Before what must be told is tried again.
const RETRY: Duration = Duration::from_secs(1);

/// How far apart the clocks of this program and of whoever keeps the log may be.
const CLOCKS_APART_MS: u64 = 3_600_000;

/// Entries looked at in one step when what was told is looked for.
const LOOK_BACK_PAGE: usize = 1_000;

/// Tells of runs and tasks.
pub(crate) struct Voice {
    bus: Bus,
    /// Runs of this start that were told of: a few bytes for each.
    progress: Mutex<HashMap<RunId, Progress>>,
    /// Events that could not be told since the last one that could.
    unsaid: AtomicU64,
}

/// What was told of a run.
enum Progress {
    /// How far it is, and when that was.
    At(Instant),
    /// Its end is told, or about to be.
    Over,
}

impl Voice {
    pub(crate) fn new(bus: Bus) -> Self {
        Self {
            bus,
            progress: Mutex::default(),
            unsaid: AtomicU64::new(0),
        }
    }

    /// That a run is about to start; its tasks are not counted yet.
    pub(crate) async fn run_starting(&self, run: &Run) {
        if run.kind == RunKind::Historic {
            let data = json!({ "task_id": format!("run-{}", run.id), "run_id": run.id });
            self.say_surely("historic", "run_started", data).await;
        } else {
            let data = json!({
                "run_id": run.id,
                "message": "Looking for what is to be analysed",
                "percentage": 0,
                "status": "starting",
                "running": true,
            });
            self.say_surely("global", "run_starting", data).await;
        }
    }

    /// How many tasks a run has; none has started.
    pub(crate) async fn run_seeded(&self, run: &Run) {
        if run.kind != RunKind::Historic {
            let data = json!({
                "run_id": run.id,
                "total": run.total,
                "pending": run.total,
                "percentage": 0,
            });
            self.say_surely("global", "run_seeded", data).await;
        }
    }

    /// Whether it is time to tell how far a run is.
    pub(crate) fn is_progress_due(&self, run: RunId) -> bool {
        match self.progress().get(&run) {
            None => true,
            Some(Progress::At(last)) => last.elapsed() >= PROGRESS_EVERY,
            Some(Progress::Over) => false,
        }
    }

    /// How far a run is. Nothing if its end is told: whoever stops a run does so while others settle its tasks.
    pub(crate) fn run_progress(&self, run: &Run, now: Timestamp) {
        let mut progress = self.progress();
        if matches!(progress.get(&run.id), Some(Progress::Over)) {
            return;
        }
        progress.insert(run.id, Progress::At(Instant::now()));
        // Under the lock, so that it comes before the end or not at all.
        self.say(scope(run), "analysis_completed", progress_data(run, now));
    }

    /// That a run has ended: how far it got, for the last time, and then that it is over.
    pub(crate) async fn run_complete(&self, run: &Run, now: Timestamp) {
        self.progress().insert(run.id, Progress::Over);
        self.say_surely(scope(run), "analysis_completed", progress_data(run, now))
            .await;
        let mut data = json!({
            "run_id": run.id,
            "total": run.total,
            "success": run.success,
            "failed": run.failed,
            "cancelled": run.cancelled,
            "percentage": run.percentage(),
            "status": if run.state == RunState::Cancelled { "cancelled" } else { "complete" },
        });
        if run.kind == RunKind::Historic {
            data["is_complete"] = Value::Bool(true);
        }
        self.say_surely(scope(run), "run_complete", data).await;
    }

    /// What became of tasks.
    pub(crate) fn tasks(&self, settled: &[Settled]) {
        let mut told = Vec::with_capacity(2 * settled.len());
        for one in settled {
            told.push(about_task(one));
            told.extend(about_chat(one));
        }
        let events = told
            .iter()
            .map(|(scope, event_type, data)| (scope.as_str(), *event_type, data));
        match self.bus.submit_all(events) {
            Ok(_written_later) => self.said(Ok(())),
            // One that cannot be told does not keep the others from being told.
            Err((taken, _)) => {
                for (scope, event_type, data) in &told[taken..] {
                    self.said(self.bus.submit(scope, event_type, data).map(drop));
                }
            }
        }
    }

    /// Tells that what live passes find in an open conversation is there, up to its last message.
    pub(crate) fn live(&self, chat: ChatId, conversation: ConversationId) {
        let data = json!({ "conversation_id": conversation, "status": "live" });
        self.say(&format!("chat:{chat}"), "analysis_completed", data);
    }

    /// Tells, if it can be told now; what tells how far something is need not be told for ever.
    pub(crate) fn say(&self, scope: &str, event_type: &str, data: Value) {
        let submitted = self.bus.submit(scope, event_type, &object(data));
        self.said(submitted.map(drop));
    }

    /// Notes whether it was told.
    fn said(&self, submitted: Result<(), BusError>) {
        match submitted {
            Ok(()) => {
                let unsaid = self.unsaid.swap(0, Ordering::Relaxed);
                if unsaid > 0 {
                    tracing::warn!(
                        unsaid,
                        "events of tasks were not published while the bus was away"
                    );
                }
            }
            Err(error) => {
                if self.unsaid.fetch_add(1, Ordering::Relaxed) == 0 {
                    tracing::warn!(%error, "events of tasks are not published for now; the rows have it all");
                }
            }
        }
    }

    /// Tells, however long it takes, and returns when it is written; or when the bus is shut down.
    pub(crate) async fn say_surely(&self, scope: &str, event_type: &str, data: Value) {
        let data = object(data);
        loop {
            match self.bus.publish(scope, event_type, &data).await {
                Ok(_) | Err(BusError::Closed) => return,
                Err(error) => {
                    tracing::warn!(%error, scope, event_type, "an event could not be published; it is tried again");
                    tokio::time::sleep(RETRY).await;
                }
            }
        }
    }

    fn progress(&self) -> MutexGuard<'_, HashMap<RunId, Progress>> {
        self.progress.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether an event of a run was told already: for a restart, which cannot know.
    pub(crate) async fn was_told(&self, run: &Run, event_type: &str) -> bool {
        let since_ms = (run.created_at.as_micros() / 1_000).max(0) as u64;
        let since = StreamId::new(since_ms.saturating_sub(CLOCKS_APART_MS), 0);
        let run_id = run.id.to_string();
        let is_it = |entry: &Entry| {
            entry.fields.text("type") == Some(event_type)
                && entry.fields.text("scope") == Some(scope(run))
                && entry.fields.text("run_id") == Some(&run_id)
        };
        let mut below = StreamId::MAX;
        loop {
            let page = self
                .bus
                .rev_range(&StreamKey::events(), since..below, LOOK_BACK_PAGE)
                .await;
            match page {
                Ok(page) if page.entries.iter().any(|entry| is_it(entry)) => return true,
                Ok(page) => match page.entries.last() {
                    Some(oldest) if page.more => below = oldest.id,
                    _ => return false,
                },
                Err(BusError::Closed) => return true, // Nothing can be told any more; the next start looks again.
                Err(error) => {
                    tracing::warn!(%error, "the log could not be read back; it is tried again");
                    tokio::time::sleep(RETRY).await;
                }
            }
        }
    }
}

/// An event: its scope, its type and its fields.
type Event = (String, &'static str, Map<String, Value>);

/// What is told of a task to those who follow it.
fn about_task(settled: &Settled) -> Event {
    let id = settled.id;
    let (event_type, data) = match settled.state {
        TaskState::Completed => (
            "completed",
            json!({ "task_id": id, "message": "Analysed", "result": { "conversation_id": settled.conversation_id } }),
        ),
        TaskState::Failed | TaskState::Dead => (
            "failed",
            json!({ "task_id": id, "error": settled.error, "permanent": settled.state == TaskState::Failed }),
        ),
        TaskState::Retrying => (
            "retry",
            json!({
                "task_id": id,
                "error": settled.error,
                "retry_count": settled.attempt,
                "max_retries": ATTEMPTS_MAX - 1,
            }),
        ),
        TaskState::Queued | TaskState::Running | TaskState::Cancelled => (
            "status",
            json!({ "task_id": id, "status": settled.state, "error": settled.error }),
        ),
    };
    (format!("task:{id}"), event_type, object(data))
}

/// What is told of a task that has ended to those who follow its chat.
fn about_chat(settled: &Settled) -> Option<Event> {
    let is_over = matches!(
        settled.state,
        TaskState::Completed | TaskState::Failed | TaskState::Dead
    );
    let data = json!({ "conversation_id": settled.conversation_id, "status": settled.state });
    is_over.then(|| {
        let scope = format!("chat:{}", settled.chat_id);
        (scope, "analysis_completed", object(data))
    })
}

fn scope(run: &Run) -> &'static str {
    if run.kind == RunKind::Historic {
        "historic"
    } else {
        "global"
    }
}

fn progress_data(run: &Run, now: Timestamp) -> Value {
    let elapsed_s = (now.as_micros() - run.created_at.as_micros()).max(0) as f64 / 1e6;
    let done = run.success + run.failed;
    let per_second = if elapsed_s > 0.0 {
        done as f64 / elapsed_s
    } else {
        0.0
    };
    let round = |value: f64| (value * 10.0).round() / 10.0;
    json!({
        "run_id": run.id,
        "success": run.success,
        "failed": run.failed,
        "processing": run.processing,
        "total": run.total,
        "percentage": run.percentage(),
        "timings": { "elapsed_s": round(elapsed_s), "per_second": round(per_second) },
    })
}

fn object(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(object) => object,
        other => Map::from_iter([("value".to_owned(), other)]),
    }
}

#[cfg(test)]
mod tests {
    use chatstats_bus::{EmbeddedSettings, Settings};
    use chatstats_model::TaskId;

    use super::*;

    fn settled(id: i64, error: Option<String>) -> Settled {
        Settled {
            id: TaskId(id),
            run_id: None,
            chat_id: ChatId(1),
            conversation_id: ConversationId(id),
            state: error.as_ref().map_or(TaskState::Completed, |_| TaskState::Failed),
            attempt: 1,
            error,
        }
    }

    #[tokio::test]
    async fn one_that_cannot_be_told_does_not_keep_the_others_from_being_told() {
        let folder = tempfile::tempdir().expect("a folder");
        let settings = EmbeddedSettings {
            path: folder.path().join("events.db"),
            clock: || 1,
            kept: 100,
        };
        let bus = Bus::open(Settings::Embedded(settings)).await.expect("opened");
        let too_long = "x".repeat(chatstats_bus::ENTRY_BYTES_MAX);
        let all = [settled(1, None), settled(2, Some(too_long)), settled(3, None)];
        let voice = Voice::new(bus.clone());
        voice.tasks(&all);
        bus.shutdown().await; // Once all is written.
        let page = bus
            .range(&StreamKey::events(), StreamId::ZERO.., 10)
            .await
            .expect("read");
        let told: Vec<_> = page
            .entries
            .iter()
            .filter_map(|entry| entry.fields.text("scope"))
            .collect();
        assert_eq!(told, ["task:1", "chat:1", "chat:1", "task:3", "chat:1"]);
    }
}
