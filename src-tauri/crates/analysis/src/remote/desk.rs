//! Where a worker computes: a thread that lets everybody else go first, as those of the server do.

use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc::{Receiver, Sender, TryRecvError, channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use chatstats_bus::{Entry, Fields, FieldsError, StreamId};
use chatstats_model::ConversationId;
use chatstats_passes::Pass;
use jiff::tz::TimeZone;
use tokio::sync::Notify;

use super::task::{Asked, Came, LentAnswer, LentTask, LentTasks, Try, VERSION, fields, read};
use crate::execute::{Again, Outcome, execute};
use crate::plan::Plan;
use crate::scheduling::{Home, go_last};
use crate::texts::Texts;

/// A new time counts for one in so many of those that tell how long an entry takes.
const TIMES_COUNTED: u32 = 8;

/// What an answer is of that has no results.
const OF_NONE: (ConversationId, i64) = (ConversationId(0), 0);

/// So many computed ones are worth to wake somebody for, while there are more to compute: each time the thread is
/// interrupted.
const WORTH_WAKING: usize = 16;

/// A thread that computes, one entry after the other. It ends with the value, or once the pass it is in does.
pub(super) struct Desk {
    tasks: Sender<Arc<Entry>>,
    tray: Arc<Tray>,
    took: Duration,
}

/// What was computed and not fetched yet. No bound: it is what was given, and that is bounded.
#[derive(Default)]
struct Tray {
    computed: Mutex<VecDeque<Computed>>,
    /// Told when the thread has nothing more to do, or has done much.
    worth_fetching: Notify,
}

/// What became of an entry.
pub(super) struct Computed {
    pub(super) id: StreamId,
    /// None if it is no task.
    pub(super) answer: Option<Fields>,
    /// How many tasks that answers.
    pub(super) count: usize,
    took: Duration,
}

impl Desk {
    /// The one of this `number` of `desks` in this process.
    pub(super) fn start(
        (number, desks): (usize, usize),
        passes: Vec<&'static dyn Pass>,
    ) -> std::io::Result<Self> {
        let (tasks, given) = channel();
        let tray = Arc::new(Tray::default());
        let of_thread = Arc::clone(&tray);
        let thread = std::thread::Builder::new().name("analyse".into());
        thread.spawn(move || {
            go_last();
            compute_all(&given, &of_thread, &passes, Home::of(number, desks));
        })?;
        Ok(Self {
            tasks,
            tray,
            took: Duration::ZERO,
        })
    }

    /// Hands an entry over.
    pub(super) fn give(&self, entry: Arc<Entry>) {
        // The thread outlives this value: whatever panics is caught there.
        let _never_gone = self.tasks.send(entry);
    }

    /// What is computed by now.
    pub(super) fn computed(&mut self) -> VecDeque<Computed> {
        let computed = std::mem::take(&mut *self.tray.lock());
        for one in &computed {
            self.took = if self.took.is_zero() {
                one.took
            } else {
                self.took - self.took / TIMES_COUNTED + one.took / TIMES_COUNTED
            };
        }
        computed
    }

    /// Until it is worth to fetch what is computed: all that was given, or much of it. Whoever does not want single ones
    /// to wait for that fetches them earlier.
    pub(super) async fn worth_fetching(&self) {
        self.tray.worth_fetching.notified().await;
    }

    /// How long an entry takes, about; nothing while nobody knows.
    pub(super) fn took(&self) -> Duration {
        self.took
    }
}

impl Tray {
    fn lock(&self) -> MutexGuard<'_, VecDeque<Computed>> {
        self.computed.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn put(&self, computed: Computed) {
        let mut all = self.lock();
        all.push_back(computed);
        let is_much = all.len().is_multiple_of(WORTH_WAKING);
        drop(all);
        if is_much {
            self.worth_fetching.notify_one();
        }
    }
}

fn compute_all(given: &Receiver<Arc<Entry>>, tray: &Tray, passes: &[&'static dyn Pass], mut home: Home) {
    let mut known = Known {
        passes,
        last: None,
        texts: Texts::default(),
    };
    loop {
        let next = match given.try_recv() {
            Err(TryRecvError::Empty) => {
                tray.worth_fetching.notify_one();
                given.recv().ok()
            }
            next => next.ok(),
        };
        let Some(entry) = next else { return };
        let began = Instant::now();
        // A panic of a pass is caught where it runs; one of ours must not take the thread with it.
        let answer = catch_unwind(AssertUnwindSafe(|| compute(&entry, &mut known))).unwrap_or_default();
        if answer.is_none() {
            tracing::warn!(
                entry = %entry.id,
                "an entry of the queue is no task that this version understands; it is dropped"
            );
        }
        let now = Instant::now();
        home.look(now);
        let (answer, count) = answer.unzip();
        tray.put(Computed {
            id: entry.id,
            answer,
            count: count.unwrap_or(0),
            took: now.duration_since(began),
        });
    }
}

/// The answer to an entry, and to how many tasks; none if it is no task.
fn compute(entry: &Entry, known: &mut Known<'_>) -> Option<(Fields, usize)> {
    let (about, answers) = match read::<LentTasks<'_, Vec<LentTask<'_>>>>(entry) {
        Came::Whole(about, lent) if about.len() == lent.tasks.len() => {
            let (prepared, texts) = known.prepared(&lent.asked);
            let answers = lent.tasks.into_iter().map(|task| answer(task, &prepared, texts));
            (about, answers.collect::<Option<Vec<_>>>()?)
        }
        Came::OtherVersion(about, version) => {
            let whom = if version > VERSION { "it" } else { "the server" };
            let error = format!("this worker takes tasks of version {VERSION}, not {version}: update {whom}");
            let answers = about
                .iter()
                .map(|_| LentAnswer::new(OF_NONE, failed(error.clone())));
            let answers = answers.collect();
            (about, answers)
        }
        Came::Whole(..) | Came::Foreign => return None,
    };
    let bytes = answers.iter().map(LentAnswer::bytes).sum();
    let answered = fields(&about, &answers, bytes);
    let answered = answered.or_else(|error| too_large(&about, &error)).ok()?;
    Some((answered, about.len()))
}

/// What the passes say; nothing if the messages are damaged.
fn answer(task: LentTask<'_>, prepared: &Result<&Prepared, String>, texts: &mut Texts) -> Option<LentAnswer> {
    let work = task.work(texts)?;
    let outcome = match prepared {
        Ok(prepared) => execute(&work, &prepared.plan, &prepared.zone, || ()),
        Err(error) => failed(error.clone()),
    };
    texts.keep(work.messages);
    Some(LentAnswer::new((work.conversation, work.fingerprint), outcome))
}

/// What a worker knows.
struct Known<'a> {
    passes: &'a [&'static dyn Pass],
    /// What the last task asked for: the next one asks for the same, as a rule.
    last: Option<Prepared>,
    /// Of the tasks before.
    texts: Texts,
}

/// What tasks ask for, and what that is here.
struct Prepared {
    passes: Vec<(String, u32)>,
    zone_name: String,
    plan: Plan,
    zone: TimeZone,
}

impl Prepared {
    fn is_for(&self, asked: &Asked<'_>) -> bool {
        let own = self
            .passes
            .iter()
            .map(|(name, version)| (name.as_str(), *version));
        self.zone_name == asked.zone && own.eq(asked.passes.iter().copied())
    }
}

impl Known<'_> {
    /// The passes that are asked for as this worker has them, in the same versions, and the user's time zone; and room for
    /// texts.
    fn prepared(&mut self, asked: &Asked<'_>) -> (Result<&Prepared, String>, &mut Texts) {
        let prepared = match self.last.take() {
            Some(last) if last.is_for(asked) => Ok(last),
            _ => self.prepare(asked),
        };
        let prepared = prepared.map(|prepared| &*self.last.insert(prepared));
        (prepared, &mut self.texts)
    }

    fn prepare(&self, asked: &Asked<'_>) -> Result<Prepared, String> {
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
        let passes = asked.passes.iter().map(find).collect::<Result<_, _>>()?;
        let zone = TimeZone::get(asked.zone).map_err(|error| format!("the time zone: {error}"))?;
        let owned = |(name, version): &(&str, u32)| ((*name).to_owned(), *version);
        Ok(Prepared {
            passes: asked.passes.iter().map(owned).collect(),
            zone_name: asked.zone.to_owned(),
            plan: Plan::new(passes, false),
            zone,
        })
    }
}

/// In its next try each of them travels alone.
fn too_large(about: &[Try], error: &FieldsError) -> Result<Fields, FieldsError> {
    let error = format!("its results cannot travel: {error}");
    let answers = about
        .iter()
        .map(|_| LentAnswer::new(OF_NONE, failed(error.clone())));
    fields(about, &answers.collect::<Vec<_>>(), 0)
}

fn failed(error: String) -> Outcome {
    Outcome {
        error: Some((error, Again::Yes)),
        ..Outcome::default()
    }
}
