//! What a day may take. A call sets its share aside before it is made, so that many at a time cannot spend together
//! what none of them would alone.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use chatstats_model::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;

use crate::refusal::Refusal;
use crate::settings::Settings;
use crate::status::LlmSpent;

/// What calls under way have set aside is mostly free again when they end.
const SET_ASIDE_WAIT: Duration = Duration::from_secs(10);

/// The longest day there is, with an hour of summer time: a wait beyond it would be a mistake.
const DAY_MAX: Duration = Duration::from_secs(25 * 3_600);

/// Keeps what was spent, so that a new start of the program does not forget it.
pub trait Ledger: Send + Sync {
    /// What was last [written](Ledger::write).
    fn read(&self) -> Option<LlmSpent>;

    /// Keeps the sum of a day, after each call that added to it; one call at a time, in order. What cannot be kept is
    /// the keeper's to report: the sum goes on in memory.
    fn write(&self, spent: &LlmSpent);
}

/// Keeps nothing: each start of the program has a day's whole budget.
#[derive(Clone, Copy, Debug)]
pub struct Forgetful;

impl Ledger for Forgetful {
    fn read(&self) -> Option<LlmSpent> {
        None
    }

    fn write(&self, _spent: &LlmSpent) {}
}

/// Tokens of a call.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Tokens {
    pub(crate) question: u64,
    pub(crate) answer: u64,
}

/// Tells the time of day.
pub(crate) type Clock = Arc<dyn Fn() -> Timestamp + Send + Sync>;

/// The day's budget.
pub(crate) struct Budget {
    settings: Settings,
    ledger: Box<dyn Ledger>,
    zone: TimeZone,
    now: Clock,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    spent: LlmSpent,
    /// Tokens that calls under way have set aside, and their cost.
    aside_tokens: u64,
    aside_cost: f64,
}

/// A share of the budget. Dropped, it is given back.
pub(crate) struct Share<'a> {
    budget: &'a Budget,
    tokens: Tokens,
}

impl Budget {
    pub(crate) fn new(settings: Settings, ledger: Box<dyn Ledger>, zone: TimeZone, now: Clock) -> Budget {
        let spent = ledger.read().unwrap_or_default();
        Budget {
            settings,
            ledger,
            zone,
            now,
            state: Mutex::new(State {
                spent,
                ..State::default()
            }),
        }
    }

    /// Sets aside what a call takes at most.
    ///
    /// # Errors
    ///
    /// The day's budget does not hold it: not now.
    pub(crate) fn set_aside(&self, tokens: Tokens) -> Result<Share<'_>, Refusal> {
        let mut state = self.today();
        let cost = self.settings.cost(tokens.question, tokens.answer);
        let sum = tokens.question + tokens.answer;
        let spent = state.spent;
        let used = spent.tokens_in + spent.tokens_out;
        let is_over = |used: u64, paid: f64| {
            self.settings.tokens_per_day.is_some_and(|most| used + sum > most)
                || self.settings.cost_per_day.is_some_and(|most| paid + cost > most)
        };
        if is_over(used, spent.cost) {
            return Err(self.used_up());
        }
        if is_over(used + state.aside_tokens, spent.cost + state.aside_cost) {
            let why = "what is left of today's budget is set aside for calls under way".to_owned();
            return Err(Refusal::NotNow(why, SET_ASIDE_WAIT));
        }
        state.aside_tokens += sum;
        state.aside_cost += cost;
        Ok(Share { budget: self, tokens })
    }

    /// What was spent today.
    pub(crate) fn spent(&self) -> LlmSpent {
        self.today().spent
    }

    fn used_up(&self) -> Refusal {
        let now = self.local_now();
        let tomorrow = now.tomorrow().and_then(|day| day.start_of_day());
        let left = tomorrow.map(|tomorrow| now.duration_until(&tomorrow).unsigned_abs());
        let why = match (self.settings.tokens_per_day, self.settings.cost_per_day) {
            (Some(tokens), None) => {
                format!("today's budget of {tokens} tokens for the language model is used up")
            }
            (None, Some(cost)) => format!("today's budget of {cost} for the language model is used up"),
            _ => "today's budget for the language model is used up".to_owned(),
        };
        Refusal::NotNow(
            format!("{why}; it goes on tomorrow"),
            left.unwrap_or(DAY_MAX).min(DAY_MAX),
        )
    }

    /// The state, with the sum of today: at midnight it begins anew. A clock that is set back does not.
    fn today(&self) -> MutexGuard<'_, State> {
        let today = self.local_now().date();
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if is_over(state.spent.day, today) {
            state.spent = LlmSpent {
                day: today,
                ..LlmSpent::default()
            };
        }
        state
    }

    fn local_now(&self) -> jiff::Zoned {
        let now = jiff::Timestamp::from_microsecond((self.now)().as_micros()).unwrap_or_default();
        now.to_zoned(self.zone.clone())
    }
}

/// Whether the sum of `kept` is no longer the one to add to. One of tomorrow is kept: the clock or the zone was set
/// back. One of later was written with a wrong clock, and would block until then.
fn is_over(kept: Date, today: Date) -> bool {
    kept < today || today.tomorrow().is_ok_and(|tomorrow| kept > tomorrow)
}

impl Share<'_> {
    /// Notes what the call has really taken.
    pub(crate) fn spend(self, used: Tokens) {
        let budget = self.budget;
        let mut state = budget.today();
        state.spent.calls += 1;
        state.spent.tokens_in += used.question;
        state.spent.tokens_out += used.answer;
        state.spent.cost += budget.settings.cost(used.question, used.answer);
        // Under the lock, so that an older sum never follows a newer one.
        budget.ledger.write(&state.spent);
    }

    /// The most that the call was expected to take.
    pub(crate) fn tokens(&self) -> Tokens {
        self.tokens
    }
}

impl Drop for Share<'_> {
    fn drop(&mut self) {
        let mut state = self.budget.state.lock().unwrap_or_else(PoisonError::into_inner);
        let sum = self.tokens.question + self.tokens.answer;
        state.aside_tokens = state.aside_tokens.saturating_sub(sum);
        let cost = self
            .budget
            .settings
            .cost(self.tokens.question, self.tokens.answer);
        state.aside_cost = (state.aside_cost - cost).max(0.0);
    }
}

#[cfg(test)]
mod tests;
