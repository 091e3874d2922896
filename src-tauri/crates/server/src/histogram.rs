//! Times counted by length: without a lock, in a few kilobytes.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use chatstats_model::Latency;

/// Each doubling of a time is cut into so many parts: a time is known to about 6 %.
const PARTS: usize = 8;
const PARTS_BITS: u32 = PARTS.trailing_zeros();

/// Microseconds up to 2³² and a bit, which is more than an hour: longer ones are counted there.
const DOUBLINGS: usize = 32;

const BUCKETS: usize = PARTS * (DOUBLINGS - PARTS_BITS as usize + 1);

/// How many times there were of each length.
pub(crate) struct Histogram([AtomicU64; BUCKETS]);

/// The counts of some while.
#[derive(Clone)]
pub(crate) struct Counts([u64; BUCKETS]);

impl Default for Histogram {
    fn default() -> Self {
        Self(std::array::from_fn(|_| AtomicU64::new(0)))
    }
}

impl Default for Counts {
    fn default() -> Self {
        Self([0; BUCKETS])
    }
}

impl Histogram {
    /// Counts one.
    pub(crate) fn add(&self, time: Duration) {
        self.0[bucket(time.as_micros())].fetch_add(1, Ordering::Relaxed);
    }

    /// What was counted since the last call.
    pub(crate) fn take(&self) -> Counts {
        Counts(std::array::from_fn(|index| {
            self.0[index].swap(0, Ordering::Relaxed)
        }))
    }
}

impl Counts {
    /// Adds what was counted in another while.
    pub(crate) fn add(&mut self, other: &Self) {
        self.0
            .iter_mut()
            .zip(&other.0)
            .for_each(|(sum, more)| *sum += more);
    }

    /// The distribution; none of nothing.
    pub(crate) fn latency(&self) -> Option<Latency> {
        let total: u64 = self.0.iter().sum();
        (total > 0).then(|| Latency {
            p50: self.at(total.div_ceil(2)),
            p99: self.at((total * 99).div_ceil(100)),
            max: self.at(total),
        })
    }

    /// The length of the time that has this place in their order, from 1; in milliseconds.
    fn at(&self, place: u64) -> f64 {
        let mut before = 0;
        let reaches = |count: &u64| {
            before += count;
            before >= place
        };
        let found = self.0.iter().position(reaches).unwrap_or(BUCKETS - 1);
        middle_us(found) / 1_000.0
    }
}

fn bucket(time_us: u128) -> usize {
    if time_us < PARTS as u128 {
        return time_us as usize;
    }
    let doubling = time_us.ilog2();
    // The bits that follow the first.
    let part = (time_us >> (doubling - PARTS_BITS)) as usize % PARTS;
    (PARTS * (doubling - PARTS_BITS + 1) as usize + part).min(BUCKETS - 1)
}

fn middle_us(bucket: usize) -> f64 {
    if bucket < PARTS {
        return bucket as f64 + 0.5;
    }
    let (doubling, part) = (bucket / PARTS - 1, bucket % PARTS);
    (PARTS as f64 + part as f64 + 0.5) * (doubling as f64).exp2()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_known_to_about_six_percent() {
        for time_us in [
            8_u64,
            9,
            15,
            16,
            100,
            999,
            12_345,
            1_000_000,
            60_000_000,
            3_000_000_000,
        ] {
            let histogram = Histogram::default();
            histogram.add(Duration::from_micros(time_us));
            let found = histogram.take().latency().expect("one").max * 1_000.0;
            let off = (found - time_us as f64).abs() / time_us as f64;
            assert!(off <= 0.0626, "{time_us} became {found}");
        }
    }

    #[test]
    fn what_is_very_long_is_counted_as_the_longest() {
        let histogram = Histogram::default();
        histogram.add(Duration::MAX);
        let found = histogram.take().latency().expect("one");
        assert!(found.max > 3_600_000.0, "{found:?}");
    }

    #[test]
    fn half_are_below_the_median_and_what_was_taken_is_gone() {
        let histogram = Histogram::default();
        for time_ms in 1..=1_000 {
            histogram.add(Duration::from_millis(time_ms));
        }
        let counts = histogram.take();
        let found = counts.latency().expect("some");
        for (found, wanted) in [(found.p50, 500.0), (found.p99, 990.0), (found.max, 1_000.0)] {
            assert!((found - wanted).abs() <= wanted * 0.063, "{found} for {wanted}");
        }
        let mut sum = histogram.take();
        assert_eq!(sum.latency(), None);
        sum.add(&counts);
        assert_eq!(sum.latency(), counts.latency());
    }
}
