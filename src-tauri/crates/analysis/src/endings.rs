//! How tasks ended, on the way from those who work to the one task that writes it down.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use chatstats_store::Finished;
use tokio::sync::Notify;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

/// For those who work. A cheap handle.
#[derive(Clone)]
pub(crate) struct Teller {
    to: UnboundedSender<Vec<Finished>>,
    signal: Arc<Signal>,
}

/// For the one that writes down.
pub(crate) struct Endings {
    from: UnboundedReceiver<Vec<Finished>>,
    signal: Arc<Signal>,
}

struct Signal {
    /// Told of, and not taken.
    waiting: AtomicUsize,
    enough_are: usize,
    enough: Notify,
}

/// A way for endings, of which so many are enough to be written down at once.
pub(crate) fn endings(enough_are: usize) -> (Teller, Endings) {
    let (to, from) = unbounded_channel();
    let signal = Arc::new(Signal {
        waiting: AtomicUsize::new(0),
        enough_are,
        enough: Notify::new(),
    });
    let teller = Teller {
        to,
        signal: Arc::clone(&signal),
    };
    (teller, Endings { from, signal })
}

impl Teller {
    /// Tells how tasks ended; false if nobody hears any more. `is_last` if nothing else is coming for now.
    pub(crate) fn tell(&self, some: Vec<Finished>, is_last: bool) -> bool {
        let count = some.len();
        if count == 0 {
            return true;
        }
        let before = self.signal.waiting.fetch_add(count, Ordering::Relaxed);
        let is_heard = self.to.send(some).is_ok();
        let becomes_enough = before < self.signal.enough_are && before + count >= self.signal.enough_are;
        if is_last || becomes_enough {
            self.hurry();
        }
        is_heard
    }

    /// Ends the wait for more: something else is to be done.
    pub(crate) fn hurry(&self) {
        self.signal.enough.notify_one();
    }
}

impl Endings {
    /// Waits for the first.
    pub(crate) async fn some(&mut self) -> Vec<Finished> {
        let some = self.from.recv().await.unwrap_or_default();
        self.took(&some);
        some
    }

    /// Those that have come.
    pub(crate) fn take(&mut self) -> impl Iterator<Item = Finished> + use<'_> {
        std::iter::from_fn(|| {
            let some = self.from.try_recv().ok()?;
            self.took(&some);
            Some(some)
        })
        .flatten()
    }

    /// Waits for `longest`, or until there are enough, or whoever tells says that there is no time. Not for each: whoever
    /// is woken takes the processor from those who work.
    pub(crate) async fn gather(&self, longest: Duration) {
        let _either = tokio::time::timeout(longest, self.signal.enough.notified()).await;
    }

    fn took(&self, some: &[Finished]) {
        self.signal.waiting.fetch_sub(some.len(), Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use chatstats_model::TaskId;
    use tokio::time::Instant;

    use super::*;

    const LONGEST: Duration = Duration::from_secs(1);

    fn some(count: i64) -> Vec<Finished> {
        (0..count).map(|id| Finished::completed(TaskId(id), 1)).collect()
    }

    async fn gathered(endings: &Endings) -> Duration {
        let began = Instant::now();
        endings.gather(LONGEST).await;
        began.elapsed()
    }

    #[tokio::test(start_paused = true)]
    async fn only_enough_or_the_last_end_the_wait() {
        let (teller, mut endings) = endings(10);
        assert!(teller.tell(some(9), false));
        assert_eq!(gathered(&endings).await, LONGEST);
        assert!(teller.tell(some(1), false));
        assert_eq!(gathered(&endings).await, Duration::ZERO);
        // There were enough already.
        assert!(teller.tell(some(5), false));
        assert_eq!(gathered(&endings).await, LONGEST);
        assert_eq!(endings.take().count(), 15);
        assert!(teller.tell(some(1), true));
        assert_eq!(gathered(&endings).await, Duration::ZERO);
        assert_eq!(endings.some().await.len(), 1);
        drop(endings);
        assert!(!teller.tell(some(1), true), "nobody hears");
    }
}
