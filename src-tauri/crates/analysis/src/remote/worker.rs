//! A worker: takes tasks, computes, answers. Has no database.

use std::sync::Arc;
use std::time::Duration;

use chatstats_bus::{Bus, BusError, ENTRIES_KEPT, Entry, StreamKey, Taker};
use chatstats_passes::Pass;
use jiff::tz::TimeZone;
use tokio_util::sync::CancellationToken;

use super::task::{LentAnswer, LentTask, fields, read};
use super::{ANSWERS, TAKEN_OVER_AFTER, tasks_queue};
use crate::execute::{Again, Outcome, execute};

/// How long a worker waits for work before it looks whether it is to end.
const WAIT: Duration = Duration::from_secs(1);

/// Before Redis is asked again.
const RETRY: Duration = Duration::from_secs(1);

/// Tasks taken together: less talk, and little to be taken over if the worker dies.
const TAKEN_AT_ONCE: usize = 8;

/// What a worker is told.
#[derive(Clone)]
pub struct WorkerSettings {
    /// Its name: new at each start, so that what an earlier start had is taken over and not forgotten.
    pub name: String,
    /// How many tasks it works on at a time.
    pub at_once: usize,
    /// The passes it knows.
    pub passes: Vec<&'static dyn Pass>,
    /// How long another may have a task before this one takes it over.
    pub taken_over_after: Duration,
}

impl WorkerSettings {
    /// Every pass, as many tasks at a time as there are processors, and the usual times.
    pub fn new(name: String) -> Self {
        Self {
            name,
            at_once: std::thread::available_parallelism().map_or(1, usize::from),
            passes: chatstats_passes::all().to_vec(),
            taken_over_after: TAKEN_OVER_AFTER,
        }
    }
}

/// Works until `shutdown`; ends what it has begun. Returns how many tasks it answered.
///
/// # Errors
///
/// The bus is an embedded log, which has no workers. A Redis that is away is no error: it is tried again.
pub async fn work(bus: Bus, settings: WorkerSettings, shutdown: CancellationToken) -> Result<u64, BusError> {
    let queue = tasks_queue(&bus)?;
    let queue = queue.ok_or_else(|| BusError::Refused("workers need Redis".to_owned()))?;
    let mut hands = tokio::task::JoinSet::new();
    for number in 0..settings.at_once.max(1) {
        let name = format!("{}-{number}", settings.name);
        let (queue, settings, shutdown) = (queue.clone(), settings.clone(), shutdown.clone());
        hands.spawn(async move {
            let mut answered = 0;
            while !shutdown.is_cancelled() {
                let worked = match queue.join(&name, WAIT).await {
                    Ok(taker) => take(taker, &settings, &shutdown, &mut answered).await,
                    Err(error) => Err(error),
                };
                if let Err(error) = worked {
                    tracing::warn!(%error, worker = name, "Redis cannot be asked for work; it is tried again");
                    let pause = tokio::time::sleep(RETRY);
                    tokio::select! { () = pause => {}, () = shutdown.cancelled() => {} }
                }
            }
            answered
        });
    }
    Ok(hands.join_all().await.into_iter().sum())
}

/// Takes and answers until shutdown, or until the connection is lost.
async fn take(
    mut taker: Taker,
    settings: &WorkerSettings,
    shutdown: &CancellationToken,
    answered: &mut u64,
) -> Result<(), BusError> {
    let answers = StreamKey::new(ANSWERS)?;
    while !shutdown.is_cancelled() {
        for entry in taker.take(TAKEN_AT_ONCE, WAIT, settings.taken_over_after).await? {
            let Some(answer) = compute(entry.clone(), settings).await else {
                tracing::warn!(entry = %entry.id, "an entry of the queue is no task; it is dropped");
                taker.drop_entry(entry.id).await?;
                continue;
            };
            let answer = fields(&answer).or_else(|error| fields(&too_large(&entry, &error)))?;
            taker.answer(entry.id, &answers, &answer, ENTRIES_KEPT).await?;
            *answered += 1;
        }
    }
    taker.leave().await
}

async fn compute(entry: Arc<Entry>, settings: &WorkerSettings) -> Option<LentAnswer> {
    let passes = settings.passes.clone();
    let computed = tokio::task::spawn_blocking(move || {
        let task: LentTask = read(&entry)?;
        Some(answer(task, &passes))
    });
    // A panic of a pass is caught where it runs; one of ours leaves the task to be taken over.
    computed.await.ok()?
}

fn answer(task: LentTask, known: &[&'static dyn Pass]) -> LentAnswer {
    let (id, about) = ((task.id, task.attempt), (task.conversation, task.fingerprint));
    let outcome = match prepared(&task, known) {
        Ok((passes, zone)) => execute(&task.work(), &passes, &zone),
        Err(error) => failed(error),
    };
    LentAnswer::new(id, about, outcome)
}

/// The passes of a task as this worker has them, in the same versions, and the user's time zone.
fn prepared(
    task: &LentTask,
    known: &[&'static dyn Pass],
) -> Result<(Vec<&'static dyn Pass>, TimeZone), String> {
    let find = |(name, version): &(String, u32)| {
        let found = known.iter().copied().find(|pass| pass.name() == name);
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
    let zone = TimeZone::get(&task.zone).map_err(|error| format!("the time zone: {error}"))?;
    Ok((passes, zone))
}

fn too_large(entry: &Entry, error: &chatstats_bus::FieldsError) -> Option<LentAnswer> {
    let task: LentTask = read(entry)?;
    let (id, about) = ((task.id, task.attempt), (task.conversation, task.fingerprint));
    Some(LentAnswer::new(
        id,
        about,
        failed(format!("its results cannot travel: {error}")),
    ))
}

fn failed(error: String) -> Outcome {
    Outcome {
        error: Some((error, Again::Yes)),
        ..Outcome::default()
    }
}
