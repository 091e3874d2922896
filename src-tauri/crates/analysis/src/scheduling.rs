//! How the threads of analysis stand towards all others: last, and each on a processor of its own.

use std::time::{Duration, Instant};

/// Lets everybody else go first: analysis never makes a message or the window wait.
pub(crate) fn go_last() {
    #[cfg(target_os = "linux")]
    {
        use thread_priority::unix::{
            NormalThreadSchedulePolicy, ThreadSchedulePolicy, set_thread_priority_and_policy,
            thread_native_id,
        };
        // Not by niceness alone: whoever wakes up waits for a nice thread's turn to end, which is milliseconds, and takes
        // the processor from an idle one at once (sched(7), "SCHED_IDLE"). If it is refused, analysis is no more polite
        // than the rest: no reason to stop.
        let idle = ThreadSchedulePolicy::Normal(NormalThreadSchedulePolicy::Idle);
        let lowest = thread_priority::ThreadPriority::Min;
        let _refused = set_thread_priority_and_policy(thread_native_id(), lowest, idle);
    }
}

/// How often a thread looks whether it gets to run where it is.
const LOOK_EVERY: Duration = Duration::from_millis(200);

/// How long it goes wherever there is room, once it did not: whatever wants its processor may want it for long.
const LOOSE_FOR: Duration = Duration::from_secs(10);

/// Keeps a thread on one processor, as long as it gets to run there.
///
/// Linux spreads threads that go last badly: two of them stand in line on one processor, behind one that goes first,
/// while the other processor does nothing. That was 6 % of a run on two processors.
pub(crate) struct Home {
    #[cfg_attr(not(target_os = "linux"), expect(dead_code))]
    looked: Instant,
    #[cfg(target_os = "linux")]
    linux: Option<linux::Home>,
}

impl Home {
    /// For the calling thread, which is the one of this number of so many: on the processor of that number. Nowhere in
    /// particular where there are more or fewer threads than processors.
    pub(crate) fn of(number: usize, threads: usize) -> Self {
        #[cfg(not(target_os = "linux"))]
        let _ = (number, threads);
        Self {
            looked: Instant::now(),
            #[cfg(target_os = "linux")]
            linux: linux::Home::of(number, threads),
        }
    }

    /// To be called by the thread now and then, with the time: where it hardly ever runs, it goes elsewhere.
    pub(crate) fn look(&mut self, now: Instant) {
        #[cfg(not(target_os = "linux"))]
        let _ = now;
        #[cfg(target_os = "linux")]
        if let Some(linux) = &mut self.linux
            && now.duration_since(self.looked) >= LOOK_EVERY
        {
            linux.look(now, now.duration_since(self.looked));
            self.looked = now;
        }
    }
}

#[cfg(target_os = "linux")]
mod linux {
    use std::fs::File;
    use std::os::unix::fs::FileExt as _;
    use std::time::{Duration, Instant};

    use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};

    use super::LOOSE_FOR;

    pub(super) struct Home {
        own: CpuSet,
        /// All that the thread may run on.
        all: CpuSet,
        /// How long it ran, and how long it waited for its turn (proc_pid_schedstat, "schedstat").
        times: File,
        waited: Duration,
        /// Since when it goes where there is room.
        loose: Option<Instant>,
    }

    impl Home {
        pub(super) fn of(number: usize, threads: usize) -> Option<Self> {
            let all = sched_getaffinity(None).ok()?;
            let processors: Vec<usize> = (0..CpuSet::MAX_CPU).filter(|&cpu| all.is_set(cpu)).collect();
            if processors.len() != threads {
                return None;
            }
            let mut own = CpuSet::new();
            own.set(*processors.get(number % threads)?);
            let mut home = Self {
                own,
                all,
                times: File::open("/proc/thread-self/schedstat").ok()?,
                waited: Duration::ZERO,
                loose: None,
            };
            home.waited = home.waited()?;
            sched_setaffinity(None, &home.own).ok()?;
            Some(home)
        }

        pub(super) fn look(&mut self, now: Instant, since: Duration) {
            let Some(waited) = self.waited() else {
                return;
            };
            let waits = waited.saturating_sub(std::mem::replace(&mut self.waited, waited));
            match self.loose {
                None if waits > since * 9 / 10 => self.go(Some(now)),
                Some(at) if now.duration_since(at) >= LOOSE_FOR => self.go(None),
                None | Some(_) => {}
            }
        }

        fn go(&mut self, loose: Option<Instant>) {
            let to = if loose.is_some() { &self.all } else { &self.own };
            // Refused where somebody has taken the processor away: then it stays where it may be.
            if sched_setaffinity(None, to).is_ok() {
                self.loose = loose;
            }
        }

        fn waited(&self) -> Option<Duration> {
            let mut text = [0; 128];
            let length = self.times.read_at(&mut text, 0).ok()?;
            let text = std::str::from_utf8(&text[..length]).ok()?;
            let nanos = text.split_ascii_whitespace().nth(1)?.parse().ok()?;
            Some(Duration::from_nanos(nanos))
        }
    }

    #[cfg(test)]
    mod tests {
        use std::sync::atomic::{AtomicBool, Ordering};

        use super::*;

        fn processors() -> usize {
            sched_getaffinity(None).expect("told").count() as usize
        }

        fn is_at_home(home: &Home) -> bool {
            sched_getaffinity(None).expect("told") == home.own
        }

        fn compute_for(time: Duration) {
            let began = Instant::now();
            while began.elapsed() < time {
                std::hint::spin_loop();
            }
        }

        #[test]
        fn a_thread_leaves_a_processor_that_somebody_else_wants() {
            let threads = processors();
            let is_over = AtomicBool::new(false);
            let (tell, told) = std::sync::mpsc::channel();
            std::thread::scope(|scope| {
                let own = scope.spawn(move || {
                    super::super::go_last();
                    let mut home = Home::of(0, threads).expect("there are as many processors");
                    assert!(is_at_home(&home));
                    assert_eq!(home.own.count(), 1);
                    tell.send(home.own).expect("somebody hears");
                    let mut looked = Instant::now();
                    while home.loose.is_none() {
                        compute_for(Duration::from_millis(1));
                        let now = Instant::now();
                        home.look(now, now - looked);
                        looked = now;
                    }
                    assert!(!is_at_home(&home) || threads == 1);
                    // And comes back after a while.
                    home.look(Instant::now() + LOOSE_FOR, LOOSE_FOR);
                    assert!(is_at_home(&home));
                });
                let is_over = &is_over;
                scope.spawn(move || {
                    let wanted = told.recv().expect("it starts");
                    sched_setaffinity(None, &wanted).expect("there is such a processor");
                    while !is_over.load(Ordering::Relaxed) {
                        std::hint::spin_loop();
                    }
                });
                let ended = own.join();
                is_over.store(true, Ordering::Relaxed);
                ended.expect("no panic");
            });
        }

        #[test]
        fn threads_stay_free_where_they_are_not_as_many_as_processors() {
            let before = processors();
            assert!(Home::of(0, before + 1).is_none());
            assert_eq!(processors(), before);
        }
    }
}
