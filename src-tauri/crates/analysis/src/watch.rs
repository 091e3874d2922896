//! How long a thread has been at something, without the time in which the processors were others'.
//!
//! Those who compute go last: beside a compiler that has all processors they may get one for three milliseconds of a
//! second. A pass that takes a second then takes minutes, and hangs in nothing.

use std::time::{Duration, Instant};

/// A thread as others may look at it.
pub(crate) struct Thread {
    #[cfg(target_os = "linux")]
    stat: Option<std::fs::File>,
}

/// What a thread does at a moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Look {
    /// It computes, or would if it had a processor. Otherwise it waits for something.
    wants_processor: bool,
    /// How long it has computed since it started.
    computed: Duration,
}

impl Thread {
    /// The calling one.
    pub(crate) fn this() -> Self {
        Self {
            #[cfg(target_os = "linux")]
            stat: std::fs::File::open("/proc/thread-self/stat").ok(),
        }
    }

    /// None where the system does not tell: there is no going last either.
    fn look(&self) -> Option<Look> {
        #[cfg(target_os = "linux")]
        {
            use std::os::unix::fs::FileExt as _;
            let mut text = [0; 512];
            let length = self.stat.as_ref()?.read_at(&mut text, 0).ok()?;
            parsed(std::str::from_utf8(&text[..length]).ok()?)
        }
        #[cfg(not(target_os = "linux"))]
        None
    }
}

/// Of a line as in proc_pid_stat(5): the state, and the times in the program and in the system.
#[cfg(target_os = "linux")]
fn parsed(stat: &str) -> Option<Look> {
    // The name before may hold anything, also brackets and spaces.
    let mut fields = stat.rsplit_once(')')?.1.split_ascii_whitespace();
    let state = fields.next()?;
    let mut ticks = fields.skip(10).map(str::parse::<u64>);
    let ticks = ticks.next()?.ok()? + ticks.next()?.ok()?;
    let ticks_per_second = rustix::param::clock_ticks_per_second().max(1);
    Some(Look {
        wants_processor: state == "R",
        computed: Duration::from_millis(ticks * 1_000 / ticks_per_second),
    })
}

/// Adds up how long a thread has been at one thing, from looks at it.
#[derive(Debug, Default)]
pub(crate) struct Watch {
    /// When it began with what it was at.
    began: Option<Instant>,
    looked: Option<(Instant, Look)>,
    took: Duration,
}

impl Watch {
    /// Looks at a thread that is at something since `began`, and answers how long it has been. Where it wanted a processor,
    /// only what it computed counts; what was before the first look counts in full.
    pub(crate) fn look(&mut self, thread: &Thread, began: Instant) -> Duration {
        self.add(thread.look(), began, Instant::now())
    }

    fn add(&mut self, look: Option<Look>, began: Instant, now: Instant) -> Duration {
        if self.began != Some(began) {
            *self = Self {
                began: Some(began),
                ..Self::default()
            };
        }
        let passed = match (self.looked, look) {
            (Some((at, last)), Some(look)) if look.wants_processor => {
                let computed = look.computed.saturating_sub(last.computed);
                computed.min(now.duration_since(at))
            }
            (Some((at, _)), _) => now.duration_since(at),
            (None, _) => now.duration_since(began),
        };
        self.took += passed;
        self.looked = look.map(|look| (now, look));
        match self.looked {
            Some(_) => self.took,
            // Nothing is known of this thread: all counts.
            None => now.duration_since(began),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn look(wants_processor: bool, computed_s: u64) -> Option<Look> {
        let computed = Duration::from_secs(computed_s);
        Some(Look {
            wants_processor,
            computed,
        })
    }

    #[test]
    fn what_counts_is_what_a_thread_computed_and_what_it_waited_for_others() {
        let (mut watch, began) = (Watch::default(), Instant::now());
        let s = Duration::from_secs;
        assert_eq!(watch.add(look(true, 7), began, began + s(1)), s(1));
        // It got a processor for two seconds of a hundred.
        assert_eq!(watch.add(look(true, 9), began, began + s(101)), s(3));
        // And waits for something else, as one that hangs in a lock does.
        assert_eq!(watch.add(look(false, 9), began, began + s(111)), s(13));
        // With the next thing it begins anew.
        let next = began + s(120);
        assert_eq!(watch.add(look(true, 9), next, next + s(2)), s(2));
    }

    #[test]
    fn where_nothing_is_known_all_the_time_counts() {
        let (mut watch, began) = (Watch::default(), Instant::now());
        let s = Duration::from_secs;
        assert_eq!(watch.add(None, began, began + s(1)), s(1));
        assert_eq!(watch.add(None, began, began + s(90)), s(90));
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_line_of_the_system_is_understood_whatever_the_name_of_the_thread() {
        let line = "77 (a) R (b) R 1 77 77 0 -1 4194304 90 0 0 0 12 3 0 0 20 5 9 0 8 9 9\n";
        assert_eq!(parsed(line).map(|look| look.wants_processor), Some(true));
        let ticks = rustix::param::clock_ticks_per_second();
        let computed = Duration::from_millis(15 * 1_000 / ticks);
        assert_eq!(parsed(line).map(|look| look.computed), Some(computed));
        assert_eq!(parsed("77 (a"), None);
        assert_eq!(parsed("77 (a) R 1 2"), None);
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn one_that_computes_and_one_that_waits_are_told_apart() {
        let (tell, told) = std::sync::mpsc::channel();
        let (end, ends) = std::sync::mpsc::channel::<()>();
        let waits = std::thread::spawn(move || {
            tell.send(Thread::this()).expect("awaited");
            let _ended = ends.recv();
        });
        let waiting = told.recv().expect("told");
        let this = Thread::this();
        let first = this.look().expect("known");
        assert!(first.wants_processor, "it runs while it looks");
        while this.look().expect("known").computed == first.computed {
            std::hint::spin_loop();
        }
        while waiting.look().expect("known").wants_processor {
            std::thread::yield_now();
        }
        drop(end);
        waits.join().expect("no panic");
    }
}
