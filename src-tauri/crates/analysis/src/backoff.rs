//! How long a failed task waits.

use std::time::Duration;

use chatstats_model::TaskId;

/// Before the second try.
const FIRST: Duration = Duration::from_secs(1);

/// The longest wait: a service that was away for a while is found again within minutes.
const LONGEST: Duration = Duration::from_secs(300);

/// How long a task waits after its try number `attempt` failed: twice as long after each, and for each task somewhere
/// between half of that and one and a half, so that what failed together does not come back together.
pub(crate) fn wait(task: TaskId, attempt: u32) -> Duration {
    let doubled = FIRST.saturating_mul(1_u32.checked_shl(attempt.saturating_sub(1)).unwrap_or(u32::MAX));
    doubled.min(LONGEST).mul_f64(0.5 + spread(task, attempt))
}

/// From 0 to 1, the same for the same try: a mixing of bits (the finalizer of MurmurHash3), so that tests need no dice.
fn spread(task: TaskId, attempt: u32) -> f64 {
    let mut bits = (task.0 as u64) << 8 | u64::from(attempt & 0xff);
    bits = (bits ^ (bits >> 33)).wrapping_mul(0xff51_afd7_ed55_8ccd);
    bits = (bits ^ (bits >> 33)).wrapping_mul(0xc4ce_b9fe_1a85_ec53);
    (bits ^ (bits >> 33)) as f64 / u64::MAX as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_up_to_a_bound_and_differ_between_tasks() {
        let seconds = |attempt| wait(TaskId(7), attempt).as_secs_f64();
        for attempt in 1..=40 {
            let middle = f64::from(2_u32.saturating_pow(attempt - 1)).min(300.0);
            assert!(
                (0.5 * middle..=1.5 * middle).contains(&seconds(attempt)),
                "{attempt}"
            );
        }
        let mut waits: Vec<_> = (0..100).map(|id| wait(TaskId(id), 3)).collect();
        waits.sort();
        waits.dedup();
        assert!(waits.len() > 95, "{}", waits.len());
        let shortest = waits.first().expect("some").as_secs_f64();
        let longest = waits.last().expect("some").as_secs_f64();
        assert!(shortest < 2.5 && longest > 5.5, "{shortest} to {longest}");
    }
}
