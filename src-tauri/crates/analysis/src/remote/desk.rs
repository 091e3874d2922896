//! Where a worker computes: a thread that lets everybody else go first, as those of the server do.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::{Duration, Instant};

use chatstats_bus::{Entry, Fields, FieldsError, StreamId};
use chatstats_model::ConversationId;
use chatstats_passes::Pass;
use jiff::tz::TimeZone;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

use super::task::{Came, LentAnswer, LentTask, Try, VERSION, fields, read};
use crate::execute::{Again, Outcome, execute};
use crate::plan::Plan;
use crate::scheduling::go_last;

/// A new time counts for one in so many of those that tell how long a task takes.
const TIMES_COUNTED: u32 = 8;

/// What an answer is of that has no results.
const OF_NONE: (ConversationId, i64) = (ConversationId(0), 0);

/// A thread that computes, one task after the other. It ends with the value, or once the pass it is in does.
pub(super) struct Desk {
    tasks: Sender<Arc<Entry>>,
    // No bound: what comes back is what was given, and that is bounded.
    computed: UnboundedReceiver<Computed>,
    took: Duration,
}

/// What became of an entry.
pub(super) struct Computed {
    pub(super) id: StreamId,
    /// None if it is no task.
    pub(super) answer: Option<Fields>,
    took: Duration,
}

impl Desk {
    pub(super) fn start(passes: Vec<&'static dyn Pass>) -> std::io::Result<Self> {
        let (tasks, given) = channel();
        let (sender, computed) = unbounded_channel();
        let thread = std::thread::Builder::new().name("analyse".into());
        thread.spawn(move || compute_all(&given, &sender, &passes))?;
        Ok(Self {
            tasks,
            computed,
            took: Duration::ZERO,
        })
    }

    /// Hands an entry over.
    pub(super) fn give(&self, entry: Arc<Entry>) {
        // The thread outlives this value: whatever panics is caught there.
        let _never_gone = self.tasks.send(entry);
    }

    /// What is computed already.
    pub(super) fn computed(&mut self) -> Option<Computed> {
        let computed = self.computed.try_recv().ok()?;
        Some(self.noted(computed))
    }

    /// What is computed next. Never ends while nothing was given.
    pub(super) async fn next(&mut self) -> Computed {
        match self.computed.recv().await {
            Some(computed) => self.noted(computed),
            None => std::future::pending().await,
        }
    }

    /// How long a task takes, about; nothing while nobody knows.
    pub(super) fn took(&self) -> Duration {
        self.took
    }

    fn noted(&mut self, computed: Computed) -> Computed {
        self.took = if self.took.is_zero() {
            computed.took
        } else {
            self.took - self.took / TIMES_COUNTED + computed.took / TIMES_COUNTED
        };
        computed
    }
}

fn compute_all(
    given: &Receiver<Arc<Entry>>,
    computed: &UnboundedSender<Computed>,
    passes: &[&'static dyn Pass],
) {
    go_last();
    let mut known = Known { passes, last: None };
    while let Ok(entry) = given.recv() {
        let began = Instant::now();
        // A panic of a pass is caught where it runs; one of ours must not take the thread with it.
        let answer = catch_unwind(AssertUnwindSafe(|| compute(&entry, &mut known))).unwrap_or_default();
        if answer.is_none() {
            tracing::warn!(
                entry = %entry.id,
                "an entry of the queue is no task that this version understands; it is dropped"
            );
        }
        let (id, took) = (entry.id, began.elapsed());
        if computed.send(Computed { id, answer, took }).is_err() {
            return;
        }
    }
}

/// The answer to an entry; none if it is no task.
fn compute(entry: &Entry, known: &mut Known<'_>) -> Option<Fields> {
    let (about, of, outcome) = match read::<LentTask<'_>>(entry) {
        Came::Whole(about, task) => {
            let of = (task.conversation, task.fingerprint);
            (about, of, outcome(task, known)?)
        }
        Came::OtherVersion(about, version) => {
            let whom = if version > VERSION { "it" } else { "the server" };
            let error = format!("this worker takes tasks of version {VERSION}, not {version}: update {whom}");
            (about, OF_NONE, failed(error))
        }
        Came::Foreign => return None,
    };
    let answered = fields(about, &LentAnswer::new(of, outcome));
    answered.or_else(|error| too_large(about, of, &error)).ok()
}

/// What the passes say; nothing if the messages are damaged.
fn outcome(task: LentTask<'_>, known: &mut Known<'_>) -> Option<Outcome> {
    let prepared = known.prepared(&task);
    let work = task.work()?;
    Some(match prepared {
        Ok(asked) => execute(&work, &asked.plan, &asked.zone),
        Err(error) => failed(error),
    })
}

/// What a worker knows.
struct Known<'a> {
    passes: &'a [&'static dyn Pass],
    /// What the last task asked for: the next one asks for the same, as a rule.
    last: Option<Asked>,
}

/// What tasks ask for, and what that is here.
struct Asked {
    passes: Vec<(String, u32)>,
    zone_name: String,
    plan: Plan,
    zone: TimeZone,
}

impl Asked {
    fn is_by(&self, task: &LentTask<'_>) -> bool {
        let own = self
            .passes
            .iter()
            .map(|(name, version)| (name.as_str(), *version));
        self.zone_name == task.zone && own.eq(task.passes.iter().copied())
    }
}

impl Known<'_> {
    /// The passes of a task as this worker has them, in the same versions, and the user's time zone.
    fn prepared(&mut self, task: &LentTask<'_>) -> Result<&Asked, String> {
        let asked = match self.last.take() {
            Some(last) if last.is_by(task) => last,
            _ => self.asked(task)?,
        };
        Ok(self.last.insert(asked))
    }

    fn asked(&self, task: &LentTask<'_>) -> Result<Asked, String> {
        let find = |(name, version): &(&str, u32)| {
            let found = self.passes.iter().copied().find(|pass| pass.name() == *name);
            let found = found.ok_or_else(|| format!("this worker has no pass {name:?}: update it"))?;
            if found.version() == *version {
                Ok(found)
            } else {
                let own = found.version();
                Err(format!(
                    "this worker has version {own} of {name}, not {version}: update it"
                ))
            }
        };
        let passes = task.passes.iter().map(find).collect::<Result<_, _>>()?;
        let zone = TimeZone::get(task.zone).map_err(|error| format!("the time zone: {error}"))?;
        let owned = |(name, version): &(&str, u32)| ((*name).to_owned(), *version);
        Ok(Asked {
            passes: task.passes.iter().map(owned).collect(),
            zone_name: task.zone.to_owned(),
            plan: Plan::new(passes, false),
            zone,
        })
    }
}

fn too_large(about: Try, of: (ConversationId, i64), error: &FieldsError) -> Result<Fields, FieldsError> {
    let error = format!("its results cannot travel: {error}");
    fields(about, &LentAnswer::new(of, failed(error)))
}

fn failed(error: String) -> Outcome {
    Outcome {
        error: Some((error, Again::Yes)),
        ..Outcome::default()
    }
}
