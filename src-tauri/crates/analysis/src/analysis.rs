//! The handle that everybody holds.

use std::collections::{HashMap, HashSet};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use chatstats_bus::Bus;
use chatstats_model::{
    ChatId, CommitmentState, ListedCommitment, PassInfo, Run, RunId, RunKind, RunPreview, RunRequest,
    RunState, TaskId, TaskState,
};
use chatstats_passes::{Cadence, Pass};
use chatstats_store::{Announced, Claimed, Lane, NewRun, Selection, Settled, Store, StoreError, TaskLane};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::commitments::Changed;
use crate::dispatch::{self, Dispatcher};
use crate::execute::in_order;
use crate::plan::Plan;
use crate::requests::{self, Asked};
use crate::settings::Settings;
use crate::switches::Switches;
use crate::voice::Voice;
use crate::{commitments, forget, live, remote, sealed, seed};

/// Tasks stopped in one step of the writer.
const STOPPED_AT_ONCE: usize = 2_000;

/// Dead letters tried again in one step of the writer.
const RETRIED_AT_ONCE: usize = 1_000;

/// What the user looks at goes first.
const LOOKED_AT_PRIORITY: u8 = 3;

/// Analysis, running. A cheap handle.
#[derive(Clone)]
pub struct Analysis(Arc<Inner>);

pub(crate) struct Inner {
    pub(crate) store: Store,
    pub(crate) bus: Bus,
    pub(crate) settings: Settings,
    pub(crate) switches: Switches,
    pub(crate) voice: Voice,
    /// Rung when there may be something to hand out.
    pub(crate) wake: Notify,
    /// The same for whoever lends it to workers elsewhere.
    pub(crate) to_lend: Notify,
    pub(crate) shutdown: CancellationToken,
    pub(crate) tasks: TaskTracker,
    /// Held while the end of a run is told: once, however many tasks see it end.
    pub(crate) ending: tokio::sync::Mutex<()>,
    /// Chats whose commitments may have changed.
    pub(crate) changed: Changed,
    runs: Mutex<Runs>,
    completed: AtomicU64,
    failed: AtomicU64,
}

/// What workers ask about runs for each task.
#[derive(Default)]
struct Runs {
    stopped: HashSet<RunId>,
    plans: HashMap<(RunId, TaskLane), Arc<Plan>>,
}

/// All there are.
const LANES: [TaskLane; 2] = [TaskLane::Compute, TaskLane::Wait];

/// The lanes that these passes need.
pub(crate) fn lanes(passes: &[&'static dyn Pass]) -> Vec<TaskLane> {
    let is_needed = |lane: &TaskLane| !requests::of_lane(passes, *lane).is_empty();
    LANES.into_iter().filter(is_needed).collect()
}

/// Why analysis did not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum AnalysisError {
    /// The request makes no sense; the text says what would.
    #[error("{0}")]
    Invalid(String),
    /// There is no such run, task or conversation.
    #[error("{0} does not exist")]
    Missing(String),
    /// The pass is needed by others that are switched on.
    #[error("{pass} is needed by {by}. Switch off what needs it first.")]
    Needed {
        /// The pass.
        pass: &'static str,
        /// Those that need it.
        by: String,
    },
    /// The pass needs others that are switched off.
    #[error("{pass} cannot run without {missing}. Switch on what it needs first.")]
    Needs {
        /// The pass.
        pass: &'static str,
        /// Those it needs.
        missing: String,
    },
    /// The pass is off by the settings, which win.
    #[error(
        "{0} is switched off in config.toml, which wins. Take it out of passes_off there and start ChatStats again."
    )]
    OffBySettings(&'static str),
    /// The database's.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// No threads can be had.
    #[error("the workers could not be started: {0}")]
    Threads(#[from] std::io::Error),
}

impl Analysis {
    /// Takes up what the last start left, and waits for more. Must be called within an async runtime.
    ///
    /// # Errors
    ///
    /// The database's, or no threads can be had.
    pub async fn start(store: Store, bus: Bus, settings: Settings) -> Result<Self, AnalysisError> {
        let switches = Switches::read(&store, &settings.passes, &settings.passes_off).await?;
        let inner = Arc::new(Inner {
            voice: Voice::new(bus.clone()),
            store,
            bus,
            settings,
            switches,
            wake: Notify::new(),
            to_lend: Notify::new(),
            shutdown: CancellationToken::new(),
            tasks: TaskTracker::new(),
            ending: tokio::sync::Mutex::default(),
            changed: Changed::default(),
            runs: Mutex::default(),
            completed: AtomicU64::new(0),
            failed: AtomicU64::new(0),
        });
        inner.take_up().await?;
        let dispatcher = Dispatcher::new(inner.clone())?;
        inner.tasks.spawn(dispatcher.run());
        inner.tasks.spawn(sealed::listen(inner.clone()));
        inner.tasks.spawn(commitments::keep(inner.clone()));
        inner.tasks.spawn(live::look(inner.clone()));
        Ok(Self(inner))
    }

    /// Starts a run. Returns once it is written down and will be carried out, whatever happens; its tasks are written
    /// down in the background.
    ///
    /// # Errors
    ///
    /// The request makes no sense, or the database's.
    pub async fn run(&self, request: RunRequest) -> Result<Run, AnalysisError> {
        let Asked { run, selection } = requests::check(request, &self.0.switches.enabled())?;
        if let Some(id) = selection.conversation {
            let size = self
                .0
                .store
                .read(move |reader| reader.selection_size(&selection.clone()))
                .await?;
            if size.conversations == 0 {
                return Err(AnalysisError::Missing(format!("conversation {id}")));
            }
            return self.run_one(run, id).await;
        }
        let selections = self.0.selections(&run);
        let id = self.create(run).await?;
        self.seed(id, selections);
        self.get(id).await
    }

    /// What a run would do.
    ///
    /// # Errors
    ///
    /// As [`run`](Self::run).
    pub async fn preview(&self, request: RunRequest) -> Result<RunPreview, AnalysisError> {
        let Asked { run, selection } = requests::check(request, &self.0.switches.enabled())?;
        let size = self
            .0
            .store
            .read(move |reader| reader.selection_size(&selection))
            .await?;
        Ok(RunPreview {
            conversations: size.conversations,
            messages: size.messages,
            passes: run.passes,
        })
    }

    /// Stops a run: tasks that run end, no other starts, and the run ends when they have.
    ///
    /// # Errors
    ///
    /// There is no such run, or the database's.
    pub async fn cancel(&self, id: RunId) -> Result<Run, AnalysisError> {
        self.get(id).await?;
        self.0.runs().stopped.insert(id);
        loop {
            let now = self.0.settings.now();
            let stopped = self
                .0
                .store
                .write_analysis(Lane::Live, 0, move |write| {
                    write.cancel_run(id, STOPPED_AT_ONCE, now)
                })
                .await?;
            if stopped == 0 {
                break;
            }
        }
        seed::end_if_over(&self.0, id, false).await?;
        self.0.ring();
        self.get(id).await
    }

    /// Lets no further task of a run start.
    ///
    /// # Errors
    ///
    /// There is no such run, or the database's.
    pub async fn pause(&self, id: RunId) -> Result<Run, AnalysisError> {
        self.move_run(id, RunState::Running, RunState::Paused).await
    }

    /// Goes on with a run that is paused.
    ///
    /// # Errors
    ///
    /// There is no such run, or the database's.
    pub async fn resume(&self, id: RunId) -> Result<Run, AnalysisError> {
        self.move_run(id, RunState::Paused, RunState::Running).await
    }

    /// Tries dead letters again, one or all, as a run of their own.
    ///
    /// # Errors
    ///
    /// There are none, or the database's.
    pub async fn retry(&self, only: Option<TaskId>) -> Result<Run, AnalysisError> {
        let dead = match only {
            Some(id) => self.0.store.read(move |reader| reader.is_dead_letter(id)).await?,
            None => {
                self.0
                    .store
                    .read(|reader| reader.dead_letters(None, 1))
                    .await?
                    .total
                    > 0
            }
        };
        if !dead {
            let what = only.map_or("a dead letter".to_owned(), |id| format!("dead letter {id}"));
            return Err(AnalysisError::Missing(what));
        }
        let passes = requests::passes(&[], &self.0.switches.enabled())?;
        let run = NewRun {
            kind: RunKind::Retry,
            chats: Vec::new(),
            passes: passes.iter().map(|pass| pass.name().to_owned()).collect(),
        };
        let id = self.create(run).await?;
        loop {
            let now = self.0.settings.now();
            let retried = self
                .0
                .store
                .write_analysis(Lane::Bulk, 0, move |write| {
                    write.retry_dead(id, only, RETRIED_AT_ONCE, now)
                })
                .await?;
            if retried == 0 || only.is_some() {
                break;
            }
        }
        self.seed(id, Vec::new());
        self.get(id).await
    }

    /// Lets the tasks of a chat go first: the user looks at it.
    ///
    /// # Errors
    ///
    /// The database's.
    pub async fn look_at(&self, chat: ChatId) -> Result<(), AnalysisError> {
        self.0
            .store
            .write_analysis(Lane::Live, 0, move |write| {
                write.raise_tasks(chat, LOOKED_AT_PRIORITY)
            })
            .await?;
        Ok(())
    }

    /// The passes there are, and how far their results reach.
    ///
    /// # Errors
    ///
    /// The database's.
    pub async fn passes(&self) -> Result<Vec<PassInfo>, AnalysisError> {
        let known = self.0.switches.known();
        let versions = requests::versions(known);
        let reach = self
            .0
            .store
            .read(move |reader| {
                versions
                    .iter()
                    .map(|pass| reader.coverage(pass))
                    .collect::<Result<Vec<_>, _>>()
            })
            .await?;
        let enabled = self.0.switches.enabled();
        let info = |(pass, (conversations, covered)): (&&'static dyn Pass, (u64, u64))| PassInfo {
            name: pass.name().to_owned(),
            version: pass.version(),
            about: pass.about().to_owned(),
            live: pass.cadence() == Cadence::Live,
            enabled: enabled.iter().any(|on| on.name() == pass.name()),
            off_in_config: self.0.switches.is_off_by_settings(pass.name()),
            needs: pass.needs().iter().map(|&name| name.to_owned()).collect(),
            covered,
            conversations,
        };
        Ok(known.iter().zip(reach).map(info).collect())
    }

    /// Switches a pass off or on, over restarts too. Runs that are under way keep the passes they were started with;
    /// what a pass has found stays.
    ///
    /// # Errors
    ///
    /// There is no such pass, others need it or it needs others, the settings have switched it off, or the database's.
    pub async fn switch(&self, name: &str, enabled: bool) -> Result<PassInfo, AnalysisError> {
        self.0.switches.set(&self.0.store, name, enabled).await?;
        let passes = self.passes().await?;
        let found = passes.into_iter().find(|pass| pass.name == name);
        found.ok_or_else(|| AnalysisError::Missing(format!("pass {name:?}")))
    }

    /// Notes what the user decided about a commitment: done, dismissed, or neither after all.
    ///
    /// # Errors
    ///
    /// There is no such commitment, the decision is none that a user makes, or the database's.
    pub async fn decide(
        &self,
        chat: ChatId,
        commitment: String,
        decision: Option<CommitmentState>,
    ) -> Result<ListedCommitment, AnalysisError> {
        if matches!(decision, Some(CommitmentState::Open | CommitmentState::Overdue)) {
            let text = "A commitment can be called done or dismissed; null takes that back.";
            return Err(AnalysisError::Invalid(text.to_owned()));
        }
        let key = commitment.clone();
        self.0
            .store
            .write_analysis(Lane::Live, 0, move |write| {
                write.decide_commitment(chat, &key, decision)
            })
            .await?;
        self.0.changed.decided();
        let key = commitment.clone();
        let found = self
            .0
            .store
            .read(move |reader| reader.commitment(chat, &key))
            .await?;
        found.ok_or_else(|| AnalysisError::Missing(format!("commitment {commitment:?}")))
    }

    /// Tasks that ended since the start: well, and for good.
    pub fn ended(&self) -> (u64, u64) {
        (
            self.0.completed.load(Ordering::Relaxed),
            self.0.failed.load(Ordering::Relaxed),
        )
    }

    /// Lets what has begun end, puts the rest back, and returns when all is written down.
    pub async fn shutdown(&self) {
        self.0.shutdown.cancel();
        self.0.tasks.close();
        self.0.tasks.wait().await;
    }

    async fn create(&self, run: NewRun) -> Result<RunId, AnalysisError> {
        let now = self.0.settings.now();
        let id = self
            .0
            .store
            .write_analysis(Lane::Live, 0, move |write| write.create_run(&run, now))
            .await?;
        tracing::info!(run.id = %id, "a run was asked for");
        Ok(id)
    }

    /// A run of one conversation: written down with its task in one step.
    async fn run_one(
        &self,
        run: NewRun,
        conversation: chatstats_model::ConversationId,
    ) -> Result<Run, AnalysisError> {
        let now = self.0.settings.now();
        let lanes = self.0.lanes_of(&run);
        let id = self
            .0
            .store
            .write_analysis(Lane::Live, 0, move |write| {
                let id = write.create_run(&run, now)?;
                for lane in lanes {
                    write.seed_conversation(id, lane, conversation, LOOKED_AT_PRIORITY, now)?;
                }
                Ok(id)
            })
            .await?;
        self.seed(id, Vec::new());
        self.get(id).await
    }

    fn seed(&self, id: RunId, selections: Vec<(TaskLane, Selection)>) {
        let inner = self.0.clone();
        self.0
            .tasks
            .spawn(async move { inner.seed(id, selections, false).await });
    }

    /// A run as it stands.
    ///
    /// # Errors
    ///
    /// There is no such run, or the database's.
    pub async fn get(&self, id: RunId) -> Result<Run, AnalysisError> {
        let found = self.0.store.read(move |reader| reader.run(id)).await?;
        found
            .map(|(run, _)| run)
            .ok_or_else(|| AnalysisError::Missing(format!("run {id}")))
    }

    async fn move_run(&self, id: RunId, from: RunState, to: RunState) -> Result<Run, AnalysisError> {
        self.0
            .store
            .write_analysis(Lane::Live, 0, move |write| write.set_run_state(id, from, to))
            .await?;
        self.0.ring();
        let run = self.get(id).await?;
        self.0.voice.run_progress(&run, self.0.settings.now());
        Ok(run)
    }
}

impl Inner {
    /// Tells whoever hands tasks out that there may be some.
    pub(crate) fn ring(&self) {
        self.wake.notify_one();
        self.to_lend.notify_one();
    }

    /// Takes back the tasks of starts that are gone, and goes on with their runs.
    async fn take_up(self: &Arc<Self>) -> Result<(), AnalysisError> {
        let (owner, now) = (self.settings.owner.clone(), self.settings.now());
        let settled = self
            .store
            .write_analysis(Lane::Bulk, 0, move |write| {
                write.take_back_tasks_of_others([&owner, remote::LENT], now)
            })
            .await?;
        if !settled.is_empty() {
            tracing::info!(tasks = settled.len(), "tasks of the last start are tried again");
        }
        self.voice.tasks(&settled);
        for (run, announced) in self.store.read(|reader| reader.unfinished_runs()).await? {
            let inner = self.clone();
            self.tasks.spawn(async move { inner.go_on(run, announced).await });
        }
        let inner = self.clone();
        self.tasks.spawn(async move {
            forget::old_tasks(&inner).await;
            forget::results_of_gone(&inner).await;
        });
        Ok(())
    }

    /// Goes on with a run where the last start was cut off.
    async fn go_on(self: Arc<Self>, run: Run, announced: Announced) {
        if run.state == RunState::Cancelled {
            self.runs().stopped.insert(run.id);
        }
        if announced >= Announced::Seeded && run.state != RunState::Seeding {
            if let Err(error) = seed::end_if_over(&self, run.id, true).await {
                tracing::error!(%error, run.id = %run.id, "the end of a run could not be told");
            }
            return;
        }
        let new = NewRun {
            kind: run.kind,
            chats: run.chats,
            passes: run.passes,
        };
        // One conversation's task is written down with the run, and dead letters move one by one.
        let is_whole = matches!(run.kind, RunKind::Conversation | RunKind::Retry);
        let selections = if is_whole {
            Vec::new()
        } else {
            self.selections(&new)
        };
        self.seed(run.id, selections, true).await;
    }

    /// Seeds a run, however often the database refuses (a full disk).
    async fn seed(&self, id: RunId, selections: Vec<(TaskLane, Selection)>, is_recovery: bool) {
        let mut is_recovery = is_recovery;
        loop {
            match seed::seed(self, id, selections.clone(), is_recovery).await {
                Ok(()) | Err(StoreError::Closed) => return,
                Err(error) => {
                    tracing::error!(%error, run.id = %id, "a run could not be seeded; it is tried again")
                }
            }
            // Some of it may be told and written down by now.
            is_recovery = true;
            let pause = tokio::time::sleep(dispatch::AFTER_FAILURE);
            tokio::select! { () = pause => {}, () = self.shutdown.cancelled() => return }
        }
    }

    pub(crate) async fn announced(&self, id: RunId, told: Announced) -> Result<(), StoreError> {
        self.store
            .write_analysis(Lane::Bulk, 0, move |write| write.run_announced(id, told))
            .await
    }

    fn lanes_of(&self, run: &NewRun) -> Vec<TaskLane> {
        lanes(&self.named(&run.passes))
    }

    /// What a run covers, lane by lane.
    fn selections(&self, run: &NewRun) -> Vec<(TaskLane, Selection)> {
        let passes = self.named(&run.passes);
        let of = |lane| Some((lane, requests::selection_of(run, &passes, lane)?));
        LANES.into_iter().filter_map(of).collect()
    }

    /// The passes of these names, also those that the user switched off since; one that the settings switched off
    /// since is left out.
    fn named(&self, names: &[String]) -> Vec<&'static dyn Pass> {
        let available = self.switches.available().iter().copied();
        available
            .filter(|pass| names.iter().any(|name| name == pass.name()))
            .collect()
    }

    /// What is done with a task.
    pub(crate) fn plan_of(&self, task: &Claimed) -> Result<Arc<Plan>, StoreError> {
        let Some(id) = task.run_id else {
            return Ok(Arc::new(self.plan(&self.switches.enabled(), task.lane, false)));
        };
        if let Some(known) = self.runs().plans.get(&(id, task.lane)) {
            return Ok(known.clone());
        }
        let found = self.store.read_blocking(move |reader| reader.run(id))?;
        Ok(self.note_plan(id, task.lane, found.map(|(run, _)| run)))
    }

    /// As [`plan_of`](Self::plan_of), for tasks of the runtime.
    pub(crate) async fn plan_of_later(&self, task: &Claimed) -> Result<Arc<Plan>, StoreError> {
        if let Some(id) = task.run_id
            && !self.runs().plans.contains_key(&(id, task.lane))
        {
            let found = self.store.read(move |reader| reader.run(id)).await?;
            self.note_plan(id, task.lane, found.map(|(run, _)| run));
        }
        self.plan_of(task)
    }

    fn note_plan(&self, id: RunId, lane: TaskLane, run: Option<Run>) -> Arc<Plan> {
        let plan = match run {
            Some(run) => self.plan(&self.named(&run.passes), lane, requests::is_anew(run.kind)),
            None => self.plan(&self.switches.enabled(), lane, false),
        };
        let plan = Arc::new(plan);
        self.runs().plans.insert((id, lane), plan.clone());
        plan
    }

    fn plan(&self, passes: &[&'static dyn Pass], lane: TaskLane, is_anew: bool) -> Plan {
        let wanted = requests::of_lane(passes, lane);
        Plan::new(in_order(&wanted, self.switches.available()), is_anew)
    }

    pub(crate) fn is_stopped(&self, run: Option<RunId>) -> bool {
        run.is_some_and(|run| self.runs().stopped.contains(&run))
    }

    pub(crate) fn counted(&self, settled: &[Settled]) {
        for one in settled {
            // Also those that failed: what was found is stored.
            self.changed.add(one.chat_id);
            match one.state {
                TaskState::Completed => self.completed.fetch_add(1, Ordering::Relaxed),
                TaskState::Failed | TaskState::Dead => self.failed.fetch_add(1, Ordering::Relaxed),
                _ => 0,
            };
        }
    }

    fn runs(&self) -> MutexGuard<'_, Runs> {
        self.runs.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
