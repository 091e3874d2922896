//! How many calls are under way at a time, how many a minute, and when none.
//!
//! The number adapts as TCP's window does: halved when the server says that it is busy, one more after a window of
//! good answers. When the server asks to be left alone, or is away, nothing is asked until that time is over; without
//! a time of its own, waits double.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, sleep_until, timeout};

use crate::refusal::Refusal;
use crate::status::LlmPause;

/// The longest that a call waits for its turn here. Then its task is better off in the queue, where others of higher
/// priority can pass it, than on a thread.
const TURN_WAIT_MAX: Duration = Duration::from_secs(10);

/// The first wait after a server was busy or away and gave no time.
const PAUSE_FIRST: Duration = Duration::from_secs(1);

/// The longest of these waits: a server that is switched on is found within minutes.
const PAUSE_DOUBLED_MAX: Duration = Duration::from_secs(300);

/// The longest wait that a server may ask for. Some name the next month; a user may have paid by then.
const PAUSE_ASKED_MAX: Duration = Duration::from_secs(3_600);

/// Lets calls through.
pub(crate) struct Gate {
    permits: Arc<Semaphore>,
    max: usize,
    /// Between two calls, where there is a limit by the minute.
    interval: Duration,
    state: Mutex<State>,
}

struct State {
    /// Calls that may be under way; whole ones count.
    limit: f64,
    in_flight: usize,
    /// Permits that are out and no longer covered by the limit: they are not given back.
    owed: usize,
    /// Grows with each cut. What was asked before a cut says nothing about the limit after it.
    round: u64,
    /// Cuts without a good answer in between.
    streak: u32,
    /// When the next call may begin, where there is a limit by the minute.
    next_at: Instant,
    pause: Option<Pause>,
}

#[derive(Clone)]
struct Pause {
    until: Instant,
    why: String,
}

/// A call under way. Dropped, it makes room for the next.
pub(crate) struct Turn<'a> {
    gate: &'a Gate,
    permit: Option<OwnedSemaphorePermit>,
    round: u64,
}

impl Gate {
    pub(crate) fn new(max: usize, per_minute: Option<u32>) -> Gate {
        let interval = per_minute.map_or(Duration::ZERO, |count| Duration::from_secs(60) / count.max(1));
        Gate {
            permits: Arc::new(Semaphore::new(max)),
            max,
            interval,
            state: Mutex::new(State {
                limit: max as f64,
                in_flight: 0,
                owed: 0,
                round: 0,
                streak: 0,
                next_at: Instant::now(),
                pause: None,
            }),
        }
    }

    /// Waits for a turn, for seconds at most.
    ///
    /// # Errors
    ///
    /// Not now: there is a pause, or too many wait already.
    pub(crate) async fn enter(&self) -> Result<Turn<'_>, Refusal> {
        self.check_pause()?;
        let permit = timeout(TURN_WAIT_MAX, self.permits.clone().acquire_owned()).await;
        let Ok(permit) = permit else {
            let why = format!(
                "{} calls to the language model are under way, as many as may be",
                self.limit()
            );
            return Err(Refusal::NotNow(why, TURN_WAIT_MAX));
        };
        let permit = permit.expect("the semaphore is never closed");
        self.wait_for_rate().await?;
        // While this one waited, another call may have found the server busy.
        self.check_pause()?;
        let mut state = self.lock();
        state.in_flight += 1;
        Ok(Turn {
            gate: self,
            permit: Some(permit),
            round: state.round,
        })
    }

    /// Calls under way.
    pub(crate) fn in_flight(&self) -> usize {
        self.lock().in_flight
    }

    /// Calls that may be under way at a time just now.
    pub(crate) fn limit(&self) -> usize {
        whole(self.lock().limit)
    }

    /// Why and for how long nothing is asked, if so.
    pub(crate) fn pause(&self) -> Option<LlmPause> {
        let pause = self.lock().pause.clone()?;
        let left = pause.until.checked_duration_since(Instant::now())?;
        (!left.is_zero()).then(|| LlmPause {
            why: pause.why,
            seconds: left.as_secs_f64().ceil() as u64,
        })
    }

    fn check_pause(&self) -> Result<(), Refusal> {
        let mut state = self.lock();
        let Some(pause) = &state.pause else {
            return Ok(());
        };
        let left = pause.until.duration_since(Instant::now());
        if left.is_zero() {
            state.pause = None;
            return Ok(());
        }
        Err(Refusal::NotNow(pause.why.clone(), left))
    }

    async fn wait_for_rate(&self) -> Result<(), Refusal> {
        if self.interval.is_zero() {
            return Ok(());
        }
        let at = {
            let mut state = self.lock();
            let now = Instant::now();
            let at = state.next_at.max(now);
            let wait = at.duration_since(now);
            if wait > TURN_WAIT_MAX {
                let why = "as many calls a minute as may be are being made".to_owned();
                return Err(Refusal::NotNow(why, wait));
            }
            state.next_at = at + self.interval;
            at
        };
        sleep_until(at).await;
        Ok(())
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Changes the limit, and the permits with it.
    fn resize(&self, state: &mut State, limit: f64) {
        let (from, to) = (whole(state.limit), whole(limit));
        state.limit = limit;
        if to < from {
            let taken_back = self.permits.forget_permits(from - to);
            state.owed += from - to - taken_back;
        } else {
            let forgiven = state.owed.min(to - from);
            state.owed -= forgiven;
            self.permits.add_permits(to - from - forgiven);
        }
    }

    fn cut(&self, state: &mut State, round: u64) {
        if round != state.round {
            return;
        }
        state.round += 1;
        state.streak = state.streak.saturating_add(1);
        let limit = (state.limit / 2.0).max(1.0);
        self.resize(state, limit);
    }
}

impl Turn<'_> {
    /// The server has answered as it should: a little more may be asked of it.
    pub(crate) fn answered(&self) {
        let mut state = self.gate.lock();
        state.streak = 0;
        // Answers to fewer calls than may be under way do not show that more are welcome.
        if state.in_flight >= whole(state.limit) {
            let limit = (state.limit + 1.0 / state.limit).min(self.gate.max as f64);
            self.gate.resize(&mut state, limit);
        }
    }

    /// The server was too slow: less is asked of it.
    pub(crate) fn was_late(&self) {
        self.gate.cut(&mut self.gate.lock(), self.round);
    }

    /// The server is busy or away: less is asked of it, and nothing for a while. Returns how long.
    pub(crate) fn was_refused(&self, why: &str, asked: Option<Duration>) -> Duration {
        let mut state = self.gate.lock();
        self.gate.cut(&mut state, self.round);
        let wait = match asked {
            Some(asked) => asked.min(PAUSE_ASKED_MAX),
            None => doubled(state.streak),
        };
        let now = Instant::now();
        let until = state
            .pause
            .as_ref()
            .map_or(now, |pause| pause.until)
            .max(now + wait);
        state.pause = Some(Pause {
            until,
            why: why.to_owned(),
        });
        until - now
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        let mut state = self.gate.lock();
        state.in_flight -= 1;
        let Some(permit) = self.permit.take() else {
            return;
        };
        if state.owed > 0 {
            state.owed -= 1;
            permit.forget();
        }
    }
}

fn whole(limit: f64) -> usize {
    limit as usize
}

/// The wait after so many cuts in a row.
fn doubled(streak: u32) -> Duration {
    let times = 1_u32.checked_shl(streak.saturating_sub(1)).unwrap_or(u32::MAX);
    PAUSE_FIRST.saturating_mul(times).min(PAUSE_DOUBLED_MAX)
}

#[cfg(test)]
mod tests;
