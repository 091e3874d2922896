//! Randomness that can be repeated: `CHATSTATS_SEED=… cargo test -p chatstats-tests`.

/// A small generator (SplitMix64 by Steele, Lea and Flood). Equal seeds give equal numbers on every platform.
#[derive(Clone, Debug)]
pub struct Random(u64);

/// The seed of this run: `CHATSTATS_SEED`, else one from the clock. Printed, so that a failing test shows it.
///
/// # Panics
///
/// If the variable is set and no number.
pub fn seed() -> Random {
    let given = std::env::var("CHATSTATS_SEED").ok();
    let seed = given.map_or_else(of_now, |text| text.parse().expect("CHATSTATS_SEED is a number"));
    eprintln!("repeat with CHATSTATS_SEED={seed}");
    Random(seed)
}

fn of_now() -> u64 {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    now.map_or(1, |since| since.as_nanos() as u64)
}

impl Random {
    /// Another generator, for another thread: which one depends on this one and `number` only, not on who is first.
    #[must_use]
    pub fn fork(&self, number: u64) -> Random {
        Random(Random(self.0 ^ number.wrapping_mul(0xA24B_AED4_963E_E407)).next())
    }

    /// A number from `range`, which is not empty.
    pub fn within(&mut self, range: std::ops::Range<u64>) -> u64 {
        range.start + self.next() % (range.end - range.start)
    }

    /// True once in `n` times on average.
    pub fn once_in(&mut self, n: u64) -> bool {
        self.within(0..n) == 0
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }
}
