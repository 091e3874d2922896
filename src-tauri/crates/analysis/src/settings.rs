//! What analysis is told at its start.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use chatstats_model::Timestamp;
use chatstats_passes::Pass;
use chatstats_store::TaskLane;
use jiff::tz::TimeZone;

use crate::live::Arrivals;

/// Tells the time of day.
pub type Clock = Arc<dyn Fn() -> Timestamp + Send + Sync>;

/// How long the passes may take over one conversation. The slowest local pass takes milliseconds; what takes this long
/// hangs.
const PASS_TIME_MAX: Duration = Duration::from_secs(60);

/// How many may wait at a time: what answers decides how many of them it takes.
const WAITING_WORKERS: usize = 64;

/// How long a worker may keep a task without a word. Far longer than any pass may take: a lease that runs out means
/// that its worker is gone, unless it is a thread of this start, whose lease is renewed.
const LEASE: Duration = Duration::from_secs(600);

/// How many times the longest wait a task may be kept: while one before it in the queue runs, while it runs itself, and
/// once more, to be sure.
const TIMES_PER_LEASE: u32 = 3;

/// How long commitments wait for runs to end: what a run finds is brought up to date once at its end, and now and then in
/// the middle of a long one.
const WHILE_RUNNING: Duration = Duration::from_secs(10);

/// What analysis is told at its start.
#[derive(Clone)]
pub struct Settings {
    /// Threads that compute. None leaves all to workers elsewhere.
    pub workers: usize,
    /// Threads for passes that wait for somebody else; none are started if there is no such pass.
    pub waiting_workers: usize,
    /// The passes there are.
    pub passes: Vec<&'static dyn Pass>,
    /// The names of those that are off whatever the user switches.
    pub passes_off: Vec<String>,
    /// Where chats are named that have something new.
    pub arrivals: Arrivals,
    /// The user's time zone.
    pub zone: TimeZone,
    /// Tells the time.
    pub now: Clock,
    /// Whether a conversation is analysed when it is sealed.
    pub on_seal: bool,
    /// Names this start of the program, as no other is named: tasks of another owner have lost their worker.
    pub owner: String,
    /// How long passes that compute may take over one conversation.
    pub pass_time_max: Duration,
    /// How long passes that wait for somebody else may take over one conversation.
    pub waiting_time_max: Duration,
    /// How long a task may be kept without a word.
    pub lease: Duration,
    /// How long commitments that a run finds wait for its end before they are told in its middle.
    pub while_running: Duration,
}

impl Settings {
    /// As many workers as there are processors, every pass, and the usual times.
    pub fn new(owner: String, zone: TimeZone, now: Clock) -> Self {
        Self {
            workers: std::thread::available_parallelism().map_or(1, usize::from),
            waiting_workers: WAITING_WORKERS,
            passes: chatstats_passes::all().to_vec(),
            passes_off: Vec::new(),
            arrivals: Arrivals::default(),
            zone,
            now,
            on_seal: true,
            owner,
            pass_time_max: PASS_TIME_MAX,
            waiting_time_max: PASS_TIME_MAX,
            lease: LEASE,
            while_running: WHILE_RUNNING,
        }
    }

    /// Lets passes that wait take `longest` where that is more than the usual, and tasks be kept for as long: one may
    /// lie in a worker's queue for the time of another before it begins.
    pub fn wait_for(&mut self, longest: Duration) {
        self.waiting_time_max = self.waiting_time_max.max(longest);
        self.lease = self.lease.max(longest.saturating_mul(TIMES_PER_LEASE));
    }

    /// How many work on a lane.
    pub(crate) fn workers_of(&self, lane: TaskLane) -> usize {
        match lane {
            TaskLane::Compute => self.workers,
            TaskLane::Wait => self.waiting_workers,
        }
    }

    /// How long a lane's passes may take over one conversation.
    pub(crate) fn time_max_of(&self, lane: TaskLane) -> Duration {
        match lane {
            TaskLane::Compute => self.pass_time_max,
            TaskLane::Wait => self.waiting_time_max,
        }
    }

    pub(crate) fn now(&self) -> Timestamp {
        (self.now)()
    }
}

impl fmt::Debug for Settings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let passes: Vec<_> = self.passes.iter().map(|pass| pass.name()).collect();
        f.debug_struct("Settings")
            .field("workers", &self.workers)
            .field("passes", &passes)
            .field("passes_off", &self.passes_off)
            .field("on_seal", &self.on_seal)
            .field("owner", &self.owner)
            .finish_non_exhaustive()
    }
}
