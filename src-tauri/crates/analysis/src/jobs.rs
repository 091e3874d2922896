//! What a worker of this process does with tasks: reads ahead what they need, and tries one after the other.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use chatstats_model::TaskId;
use chatstats_store::{Claimed, Finished, Reader, StoreError, TaskLane};

use crate::analysis::Inner;
use crate::dispatch::failed;
use crate::execute::{Again, Outcome, Work, execute};
use crate::plan::Plan;
use crate::pool::{Job, Jobs};
use crate::steps::{let_pass, rests};
use crate::texts::Texts;

/// How many times as long as a task took those who compute rest after it while messages come, at least until the last one
/// has reached those who follow, and at most how long. They would go last, but a processor that they have is not idle,
/// and Linux leaves what waits for another processor there.
const REST: u32 = 4;
const REST_MAX: Duration = Duration::from_millis(20);

/// Messages that a worker reads ahead, at most: no more than one long conversation may have.
const READ_AHEAD_MESSAGES_MAX: usize = 10_000;

/// What the workers of a lane do with tasks.
pub(crate) fn jobs(inner: Arc<Inner>, lane: TaskLane) -> Jobs {
    Arc::new(move || {
        // One that computes reads all the time: on its own thread, which lets others go first.
        let own = match lane {
            TaskLane::Compute => inner.store.reader().ok(),
            TaskLane::Wait => None,
        };
        Box::new(Worker {
            inner: inner.clone(),
            lane,
            own,
            read: VecDeque::new(),
            texts: Texts::default(),
            took: Duration::ZERO,
        })
    })
}

/// What a worker does with tasks.
struct Worker {
    inner: Arc<Inner>,
    lane: TaskLane,
    own: Option<Reader>,
    /// Of tasks that come next, what they need.
    read: VecDeque<(TaskId, Result<Prepared, StoreError>)>,
    /// Of those before.
    texts: Texts,
    /// How long the last one took.
    took: Duration,
}

/// All that a try needs; none if there is nothing to be done.
type Prepared = Option<(Arc<Plan>, Work)>;

impl Job for Worker {
    fn expect(&mut self, tasks: &[Claimed]) {
        self.read.clear();
        let (Some(reader), [_, _, ..]) = (&self.own, tasks) else {
            return;
        };
        let mut messages = 0;
        // One look for all of them: the next would have to begin with nothing in its cache.
        let looked = reader.consistent(|reader| {
            for task in tasks {
                let_pass(&self.inner.store);
                let prepared = prepare(&self.inner, Some((reader, &mut self.texts)), task);
                if let Ok(Some((_, work))) = &prepared {
                    messages += work.messages.len();
                }
                self.read.push_back((task.id, prepared));
                if messages >= READ_AHEAD_MESSAGES_MAX {
                    break;
                }
            }
            Ok(())
        });
        // Each is then read by itself, and fails by itself.
        if looked.is_err() {
            self.read.clear();
        }
    }

    fn one(&mut self, task: &Claimed) -> Finished {
        if self.lane == TaskLane::Compute {
            let rest = |spread| (self.took * REST).max(spread).min(REST_MAX);
            rests(&self.inner.store, rest).for_each(std::thread::sleep);
        }
        let began = std::time::Instant::now();
        let finished = self.finish(task);
        self.took = began.elapsed();
        finished
    }
}

impl Worker {
    fn finish(&mut self, task: &Claimed) -> Finished {
        let (inner, about) = (&self.inner, (task.id, task.attempt));
        let read = match self.read.pop_front() {
            Some((id, read)) if id == task.id => read,
            _ => {
                let own = self.own.as_ref().map(|reader| (reader, &mut self.texts));
                prepare(inner, own, task)
            }
        };
        if inner.is_stopped(task.run_id) {
            return failed(inner, about, "its run was stopped".to_owned(), Again::Yes);
        }
        match read {
            Ok(prepared) => {
                let between = || {
                    if self.lane == TaskLane::Compute {
                        let_pass(&inner.store);
                    }
                };
                let outcome = prepared.map(|(plan, work)| {
                    let outcome = execute(&work, &plan, &inner.settings.zone, between);
                    self.texts.keep(work.messages);
                    outcome
                });
                finished(inner, task, outcome.unwrap_or_default())
            }
            Err(error) => failed(inner, about, error.to_string(), Again::Yes),
        }
    }
}

fn prepare(
    inner: &Inner,
    own: Option<(&Reader, &mut Texts)>,
    task: &Claimed,
) -> Result<Prepared, StoreError> {
    let plan = inner.plan_of(task)?;
    if plan.passes().is_empty() {
        return Ok(None); // Switched off since it was asked for.
    }
    let id = task.conversation_id;
    let found = match own {
        Some((reader, texts)) => reader
            .conversation_work_in(id, plan.known(), |count| texts.gather(count))?
            .map(|found| found.map(|reused| reused.messages)),
        None => {
            let plan = plan.clone();
            let read = move |reader: &Reader| reader.conversation_work(id, plan.known());
            inner.store.read_blocking(read)?
        }
    };
    // None: late messages made it part of another, which has a task of its own.
    let work = found
        .filter(|found| !found.messages.is_empty())
        .map(|found| Work {
            conversation: id,
            fingerprint: found.fingerprint,
            messages: found.messages,
            is_group: found.is_group,
            known: found.known,
        });
    Ok(work.map(|work| (plan, work)))
}

fn finished(inner: &Inner, task: &Claimed, outcome: Outcome) -> Finished {
    let mut finished = match outcome.error {
        None => Finished::completed(task.id, task.attempt),
        Some((error, again)) => failed(inner, (task.id, task.attempt), error, again),
    };
    finished.results = outcome.results;
    finished.covered = outcome.covered;
    finished
}
