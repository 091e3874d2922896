//! A worker: takes tasks, computes, answers. Has no database.
//!
//! Each of its hands does one task at a time. Where there are more hands on a machine than it has processors, those
//! beyond are spare: they would only keep the others from what they have in their caches. The threads with which a server
//! computes itself are hands as well, and come first: what they do need not travel. A spare hand takes the place of one
//! that is gone, and helps where tasks wait for long, whatever the reason.

use std::collections::HashSet;
use std::time::{Duration, Instant};

use chatstats_bus::{Answers, Bus, BusError, Done, StreamId, StreamKey, Taker, Wanted, WorkQueue};
use chatstats_passes::Pass;
use tokio_util::sync::CancellationToken;

use super::desk::{Computed, Desk};
use super::{ANSWERS, ANSWERS_KEPT, TAKEN_OVER_AFTER, tasks_queue};

/// How long a worker waits for work before it looks whether it is to end.
const WAIT: Duration = Duration::from_secs(1);

/// Before Redis is asked again.
const RETRY: Duration = Duration::from_secs(1);

/// How much work is taken ahead: for so long nobody need wait for Redis, and little is to be taken over if the worker
/// dies.
const AHEAD: Duration = Duration::from_millis(100);

/// How many entries that is, at least and at most. As long as nobody knows how long they take it is the least.
const AHEAD_MIN: usize = 2;
const AHEAD_MAX: usize = 32;

/// How long answers are gathered before they are given, while others are computed; twice that where one takes as long.
const GATHER: Duration = Duration::from_millis(40);

/// How often a worker that computes for long says that it is there.
const SAY_EVERY: Duration = Duration::from_secs(2);

/// For how long a task waits until spare hands help: many times as long as one usually takes. What was taken by one who is
/// gone has waited for long.
const WAITS_LONG: Duration = Duration::from_secs(2);

/// What a worker is told.
#[derive(Clone)]
pub struct WorkerSettings {
    /// Its name: new at each start, so that what an earlier start had is taken over and not forgotten.
    pub name: String,
    /// How many tasks it works on at a time.
    pub at_once: usize,
    /// Which machine it is on, if it knows: its processors are shared with the other workers there.
    pub machine: Option<String>,
    /// How many tasks all workers of the machine together, and the threads with which a server there computes, work on at
    /// a time; at least those of this one.
    pub machine_at_once: usize,
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
            at_once: processors(),
            machine: machine(),
            machine_at_once: processors(),
            passes: chatstats_passes::all().to_vec(),
            taken_over_after: TAKEN_OVER_AFTER,
        }
    }
}

fn processors() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

/// What workers on one machine have in common, and those in two containers on it, or on others, have not. On Linux
/// (random(4), uname(2)); elsewhere nothing is known.
pub(super) fn machine() -> Option<String> {
    let read = |name: &str| std::fs::read_to_string(format!("/proc/sys/kernel/{name}")).ok();
    let (boot, host) = (read("random/boot_id")?, read("hostname")?);
    Some(format!("{}-{}", host.trim(), boot.trim()))
}

/// Works until `shutdown`; ends what it has begun. Returns how many tasks it answered.
///
/// # Errors
///
/// The bus is an embedded log, which has no workers; or no thread can be started. A Redis that is away is no error: it
/// is tried again.
pub async fn work(bus: Bus, settings: WorkerSettings, shutdown: CancellationToken) -> Result<u64, BusError> {
    let queue = tasks_queue(&bus)?;
    let queue = queue.ok_or_else(|| BusError::Refused("workers need Redis".to_owned()))?;
    let mut hands = tokio::task::JoinSet::new();
    let machine = settings.machine.map(|machine| format!("{machine}/"));
    let count = settings.at_once.max(1);
    for number in 0..count {
        let name = format!("{}-{number}", settings.name);
        let hand = Hand {
            name: machine
                .as_ref()
                .map_or_else(|| name.clone(), |machine| format!("{machine}{name}")),
            machine: machine.clone(),
            busy_max: settings.machine_at_once.max(settings.at_once),
            is_first: number == 0,
            rests: false,
            helps: false,
            asked: None,
            answers: Answers {
                key: StreamKey::new(ANSWERS)?,
                kept: ANSWERS_KEPT,
            },
            idle_min: settings.taken_over_after,
            desk: Desk::start((number, count), settings.passes.clone())
                .map_err(|error| BusError::Refused(format!("no thread can be started: {error}")))?,
            held: HashSet::new(),
            done: Vec::new(),
            is_short: false,
            computed: 0,
            answered: 0,
        };
        hands.spawn(hand.work(queue.clone(), shutdown.clone()));
    }
    Ok(hands.join_all().await.into_iter().sum())
}

/// One that talks with Redis, for a thread that computes meanwhile.
struct Hand {
    name: String,
    /// How the names begin of all hands on its machine.
    machine: Option<String>,
    /// How many of them are busy at a time.
    busy_max: usize,
    /// Whether it is the first of its worker, and so tells what becomes of all of them; and what it told.
    is_first: bool,
    rests: bool,
    /// Whether tasks wait for long, so that it helps although it is spare; and when that was asked.
    helps: bool,
    asked: Option<Instant>,
    answers: Answers,
    idle_min: Duration,
    desk: Desk,
    /// Taken, and not computed yet.
    held: HashSet<StreamId>,
    /// Computed, and not answered yet.
    done: Vec<Done>,
    /// There was less to be had than it wanted.
    is_short: bool,
    /// How many tasks `done` answers, and how many are answered.
    computed: u64,
    answered: u64,
}

impl Hand {
    async fn work(mut self, queue: WorkQueue, shutdown: CancellationToken) -> u64 {
        loop {
            // What is in hand stays there, and is answered over the next connection.
            let worked = match queue.join(&self.name, WAIT).await {
                Ok(taker) => self.take(taker, &shutdown).await,
                Err(error) => Err(error),
            };
            if let Err(error) = worked {
                tracing::warn!(%error, worker = self.name, "Redis cannot be asked for work; it is tried again");
                let pause = tokio::time::sleep(RETRY);
                tokio::select! { () = pause => {}, () = shutdown.cancelled() => {} }
            }
            if shutdown.is_cancelled() {
                return self.answered;
            }
        }
    }

    /// Takes and answers until shutdown, or until the connection is lost.
    async fn take(&mut self, mut taker: Taker, shutdown: &CancellationToken) -> Result<(), BusError> {
        let mut talked = Instant::now();
        loop {
            self.fetch();
            let is_ending = shutdown.is_cancelled();
            if is_ending && self.held.is_empty() && self.done.is_empty() {
                return taker.leave().await;
            }
            let is_new = taker.there().is_empty();
            let is_spare = self.is_spare(&taker).await?;
            let ahead = if is_ending || is_spare || is_new {
                0
            } else {
                self.ahead()
            };
            let room = ahead.saturating_sub(self.held.len());
            let is_due = (!self.done.is_empty() && talked.elapsed() >= GATHER)
                || (!self.is_short && room > ahead / 2)
                || (self.held.is_empty() && !is_spare)
                || is_new
                || talked.elapsed() >= SAY_EVERY;
            if !is_due {
                let wait = if self.held.is_empty() && self.done.is_empty() {
                    SAY_EVERY.saturating_sub(talked.elapsed())
                } else {
                    // What is computed meanwhile is not told one by one.
                    let rest = GATHER.saturating_sub(talked.elapsed());
                    if rest.is_zero() { GATHER } else { rest }
                };
                tokio::select! {
                    () = self.desk.worth_fetching() => {}
                    () = tokio::time::sleep(wait) => {}
                    () = shutdown.cancelled(), if !is_ending => {}
                }
                continue;
            }
            let wanted = Wanted {
                count: room,
                is_ready: ahead > 0,
                // Only one that has nothing to do waits.
                wait: if self.held.is_empty() {
                    WAIT
                } else {
                    Duration::ZERO
                },
                idle_min: self.idle_min,
            };
            let taken = taker
                .exchange(&self.done, &self.held, &self.answers, wanted)
                .await?;
            talked = Instant::now();
            self.answered += std::mem::take(&mut self.computed);
            self.done.clear();
            self.is_short = taken.len() < room;
            for entry in taken {
                self.held.insert(entry.id);
                self.desk.give(entry);
            }
        }
    }

    /// Whether others do all there is to do.
    async fn is_spare(&mut self, taker: &Taker) -> Result<bool, BusError> {
        let is_beyond = self.machine.as_deref().is_some_and(|machine| {
            let (there, apart) = (taker.there(), taker.apart());
            is_beyond(&self.name, machine, (there, apart), self.busy_max)
        });
        if std::mem::replace(&mut self.rests, is_beyond) != is_beyond && self.is_first {
            match is_beyond {
                true => tracing::info!(
                    "this machine computes with all its processors already, in its server or in other workers: this worker \
                     stands by"
                ),
                false => tracing::info!("this worker takes tasks"),
            }
        }
        if !is_beyond {
            return Ok(false);
        }
        if self.asked.is_none_or(|asked| asked.elapsed() >= SAY_EVERY) {
            let in_hand = self.held.len() + self.done.len();
            self.helps = taker.longest_wait(in_hand).await? >= WAITS_LONG;
            self.asked = Some(Instant::now());
        }
        Ok(!self.helps)
    }

    /// How many entries to have.
    fn ahead(&self) -> usize {
        match self.desk.took().as_nanos() {
            0 => AHEAD_MIN,
            took => usize::try_from(AHEAD.as_nanos() / took)
                .unwrap_or(AHEAD_MAX)
                .clamp(AHEAD_MIN, AHEAD_MAX),
        }
    }

    /// Takes what is computed from the desk.
    fn fetch(&mut self) {
        for Computed {
            id, answer, count, ..
        } in self.desk.computed()
        {
            self.held.remove(&id);
            self.done.push(Done { id, answer });
            self.computed += count as u64;
        }
    }
}

/// Whether there are hands enough on a machine before this one: those of its server, and then in the order of their names.
/// Those of one worker stand together, and share what it has in memory.
fn is_beyond(name: &str, machine: &str, (there, apart): (&[String], &[String]), busy_max: usize) -> bool {
    let on_it = |other: &&String| other.starts_with(machine);
    let before = there
        .iter()
        .filter(on_it)
        .filter(|other| other.as_str() < name)
        .count();
    before + apart.iter().filter(on_it).count() >= busy_max
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hands_beyond_the_processors_of_their_machine_are_spare() {
        let there = ["m/a-0", "m/a-1", "m/b-0", "n/a-0", "n/b-0"].map(str::to_owned);
        let spare = |machine: &str| {
            let own = there.iter().filter(|name| name.starts_with(machine));
            own.map(|name| is_beyond(name, machine, (&there, &[]), 2))
                .collect::<Vec<_>>()
        };
        assert_eq!(spare("m/"), [false, false, true]);
        assert_eq!(spare("n/"), [false, false]);
        assert!(!is_beyond("m/b-0", "m/", (&there[1..], &[]), 2), "one is gone");
        let server = ["m/z-0", "n/z-0", "n/z-1"].map(str::to_owned);
        assert!(!is_beyond("m/a-0", "m/", (&there, &server), 2));
        assert!(is_beyond("m/a-1", "m/", (&there, &server), 2), "it has one");
        assert!(is_beyond("n/a-0", "n/", (&there, &server), 2), "it has both");
    }
}
