//! What all streams hear together: the heartbeat, and the end.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use bytes::Bytes;
use slab::Slab;

/// The pulse of all streams. A cheap handle.
#[derive(Clone, Default)]
pub(crate) struct Pulse(Arc<Shared>);

#[derive(Default)]
struct Shared {
    /// Counts beats and dismissals, so that a stream that has heard of the last one need not take the lock.
    count: AtomicU64,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    frame: Bytes,
    listeners: Slab<Option<Waker>>,
    /// How often everybody was sent away.
    dismissals: u64,
    closed: bool,
}

/// One stream's ear.
pub(crate) struct Listening {
    pulse: Pulse,
    slot: usize,
    heard: u64,
    dismissals: u64,
    /// The waker that waits in the slot.
    waiting: Option<Waker>,
}

/// What a stream hears.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Beat {
    /// A frame for everybody.
    Frame(Bytes),
    /// The stream is to end.
    End,
}

impl Pulse {
    /// Joins; hears what comes from now on, or the end if that was before.
    pub(crate) fn listen(&self) -> Listening {
        let mut state = self.lock();
        let slot = state.listeners.insert(None);
        // One back when closed: the first look finds the end.
        let heard = self.0.count.load(Ordering::Acquire) - u64::from(state.closed);
        Listening {
            pulse: self.clone(),
            slot,
            heard,
            dismissals: state.dismissals,
            waiting: None,
        }
    }

    /// Whether nobody listens.
    pub(crate) fn is_deserted(&self) -> bool {
        self.lock().listeners.is_empty()
    }

    /// Sends one frame to all streams.
    pub(crate) fn beat(&self, frame: Bytes) {
        self.tell(|state| state.frame = frame);
    }

    /// Ends all streams that are open now; their clients may come again if they still have a right to.
    pub(crate) fn dismiss(&self) {
        self.tell(|state| state.dismissals += 1);
    }

    /// Ends all streams, those to come as well.
    pub(crate) fn close(&self) {
        self.tell(|state| state.closed = true);
    }

    fn tell(&self, change: impl FnOnce(&mut State)) {
        let wakers: Vec<_> = {
            let mut state = self.lock();
            change(&mut state);
            self.0.count.fetch_add(1, Ordering::Release);
            state
                .listeners
                .iter_mut()
                .filter_map(|(_, waker)| waker.take())
                .collect()
        };
        wakers.into_iter().for_each(Waker::wake);
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Listening {
    /// What was heard since the last look; of several frames the newest.
    pub(crate) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Beat> {
        let waits = |waker: &Waker| waker.will_wake(cx.waker());
        if self.pulse.0.count.load(Ordering::Acquire) == self.heard
            && self.waiting.as_ref().is_some_and(waits)
        {
            return Poll::Pending;
        }
        let mut state = self.pulse.lock();
        let count = self.pulse.0.count.load(Ordering::Acquire);
        if count == self.heard {
            state.listeners[self.slot] = Some(cx.waker().clone());
            self.waiting = Some(cx.waker().clone());
            return Poll::Pending;
        }
        self.heard = count;
        self.waiting = None;
        let ended = state.closed || state.dismissals != self.dismissals;
        Poll::Ready(if ended {
            Beat::End
        } else {
            Beat::Frame(state.frame.clone())
        })
    }
}

impl Drop for Listening {
    fn drop(&mut self) {
        self.pulse.lock().listeners.remove(self.slot);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicUsize;
    use std::task::Wake;

    use super::*;

    #[derive(Default)]
    struct Bell(AtomicUsize);

    impl Wake for Bell {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::SeqCst);
        }
    }

    #[test]
    fn a_beat_wakes_a_listener_once_and_the_end_comes_for_all() {
        let (pulse, bell) = (Pulse::default(), Arc::new(Bell::default()));
        let waker = Waker::from(bell.clone());
        let mut cx = Context::from_waker(&waker);
        let mut early = pulse.listen();
        assert_eq!(early.poll(&mut cx), Poll::Pending);
        assert_eq!(early.poll(&mut cx), Poll::Pending);
        pulse.beat(Bytes::from_static(b"1"));
        pulse.beat(Bytes::from_static(b"2"));
        assert_eq!(bell.0.load(Ordering::SeqCst), 1);
        assert_eq!(
            early.poll(&mut cx),
            Poll::Ready(Beat::Frame(Bytes::from_static(b"2")))
        );
        assert_eq!(early.poll(&mut cx), Poll::Pending);

        let mut other = pulse.listen();
        assert_eq!(
            other.poll(&mut cx),
            Poll::Pending,
            "beats from before it came are not for it"
        );
        pulse.dismiss();
        assert_eq!(other.poll(&mut cx), Poll::Ready(Beat::End));
        let mut again = pulse.listen();
        assert_eq!(again.poll(&mut cx), Poll::Pending, "sent away is not locked out");
        pulse.close();
        assert_eq!(again.poll(&mut cx), Poll::Ready(Beat::End));
        assert_eq!(pulse.listen().poll(&mut cx), Poll::Ready(Beat::End));
    }
}
