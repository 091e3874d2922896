//! How long to wait before trying again.

use std::time::Duration;

/// The first wait: a connection that was cut is back at once, if anybody is there.
const FIRST: Duration = Duration::from_millis(50);

/// The longest wait: Redis hears of us so often while it is down, and is back for us that soon.
const LONGEST: Duration = Duration::from_secs(2);

/// Waits that double from try to try. Each is drawn from its upper half, so that programs that lost Redis in the same
/// moment do not all come back in the same moment.
#[derive(Debug, Default)]
pub(super) struct Backoff {
    failures: u32,
}

impl Backoff {
    /// The next wait.
    pub(super) fn next(&mut self) -> Duration {
        let doubled = FIRST.saturating_mul(1_u32.checked_shl(self.failures).unwrap_or(u32::MAX));
        self.failures = self.failures.saturating_add(1);
        // Without randomness all wait alike, which is no reason not to wait.
        let share = getrandom::u32().map_or(1.0, |drawn| f64::from(drawn) / f64::from(u32::MAX));
        doubled.min(LONGEST).mul_f64(0.5 + share / 2.0)
    }

    /// How many tries failed in a row.
    pub(super) fn failures(&self) -> u32 {
        self.failures
    }

    /// It went well.
    pub(super) fn reset(&mut self) {
        self.failures = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_up_to_a_bound_and_begin_small_again() {
        let mut backoff = Backoff::default();
        for longest_ms in [50, 100, 200, 400, 800, 1_600, 2_000, 2_000] {
            let wait = backoff.next();
            let longest = Duration::from_millis(longest_ms);
            assert!(longest / 2 <= wait && wait <= longest, "{wait:?} of {longest:?}");
        }
        for _ in 0..100 {
            assert!(backoff.next() <= LONGEST);
        }
        backoff.reset();
        assert!(backoff.next() <= FIRST);
    }
}
