//! One topic: the ring, and the cursors of those who read it.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Waker;

use chatstats_model::Rev;
use slab::Slab;

use crate::batch::Batches;
use crate::entry::{Entry, Payload};
use crate::status::{TopicName, TopicStatus};

/// How many publishes a subscriber may be behind before the oldest are dropped.
pub const QUEUE_PUBLISHES: usize = 1_000;

/// How many bytes a topic keeps, by estimate: a thousand publishes of ordinary messages fit four times over, while
/// a thousand batches of an import, read by nobody, do not fill the memory.
pub const RING_BYTES: usize = 4 << 20;

/// Every how many publishes the topic looks for entries that all have read. A look costs a step per subscriber.
const TRIM_EVERY: u64 = 64;

pub(crate) struct Topic<T> {
    state: Mutex<State<T>>,
}

/// Sequence numbers count publishes from 0; the ring holds `base..head`.
pub(crate) struct State<T> {
    ring: VecDeque<Arc<Entry<T>>>,
    base: u64,
    ring_bytes: usize,
    cursors: Slab<Cursor>,
    /// Those who found nothing. A publish takes the whole list, so 200 publishes in a row wake each of them once.
    parked: Vec<Parked>,
    /// Counts how often the list was taken: tells whether a cursor's place in it is of this list.
    round: u64,
    pub(crate) batches: Batches,
}

struct Cursor {
    /// The sequence number to read next.
    at: u64,
    parked: Option<(u64, usize)>,
}

struct Parked {
    slot: usize,
    waker: Waker,
}

/// What a cursor finds.
pub(crate) enum Next {
    Nothing,
    Lagged(u64),
    /// Something to read, from this sequence number on.
    At(u64),
}

impl<T> Default for Topic<T> {
    fn default() -> Self {
        let state = State {
            ring: VecDeque::new(),
            base: 0,
            ring_bytes: 0,
            cursors: Slab::new(),
            parked: Vec::new(),
            round: 0,
            batches: Batches::default(),
        };
        Self {
            state: Mutex::new(state),
        }
    }
}

impl<T> Topic<T> {
    pub(crate) fn lock(&self) -> MutexGuard<'_, State<T>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn is_deserted(&self) -> bool {
        self.lock().cursors.is_empty()
    }

    pub(crate) fn status(&self, name: TopicName) -> TopicStatus {
        let state = self.lock();
        TopicStatus {
            name,
            subscribers: state.cursors.len() as u64,
            waiting: state.parked.len() as u64,
            depth: state.ring.len() as u64,
            bytes: state.ring_bytes as u64,
            unnoticed_drops: state
                .cursors
                .iter()
                .map(|(_, cursor)| state.lost_by(cursor))
                .sum(),
        }
    }
}

impl<T: Payload> Topic<T> {
    pub(crate) fn publish(&self, revs: (Rev, Rev), payload: impl FnOnce() -> T) {
        if self.is_deserted() {
            return;
        }
        // Built before the lock is taken: readers need not wait for it.
        let entry = Arc::new(Entry::new(revs, payload()));
        let woken = {
            let mut state = self.lock();
            if state.cursors.is_empty() {
                return; // The last one left meanwhile.
            }
            state.push(entry);
            state.take_parked()
        };
        for parked in woken {
            parked.waker.wake();
        }
    }
}

impl<T> State<T> {
    /// The sequence number the next publish gets.
    pub(crate) fn head(&self) -> u64 {
        self.base + self.ring.len() as u64
    }

    /// Adds a cursor that reads what comes from now on.
    pub(crate) fn join(&mut self) -> usize {
        let at = self.head();
        self.cursors.insert(Cursor { at, parked: None })
    }

    /// Removes a cursor; returns how many publishes it lost without having noticed.
    pub(crate) fn leave(&mut self, slot: usize) -> u64 {
        let cursor = self.cursors.remove(slot);
        let lost = self.lost_by(&cursor);
        if let Some(index) = self.place(&cursor) {
            self.parked.swap_remove(index);
            if let Some(moved) = self.parked.get(index) {
                self.cursors[moved.slot].parked = Some((self.round, index));
            }
        }
        self.empty_if_all_wait();
        lost
    }

    pub(crate) fn cursor_count(&self) -> usize {
        self.cursors.len()
    }

    /// Takes every waker out: the caller wakes them once the lock is released.
    fn take_parked(&mut self) -> Vec<Parked> {
        self.round += 1;
        let room = Vec::with_capacity(self.parked.len());
        std::mem::replace(&mut self.parked, room)
    }

    /// Parks the cursor, or renews its waker if it waits already. Called with the lock under which it found
    /// nothing, so that no publish can slip in between.
    pub(crate) fn park(&mut self, slot: usize, waker: &Waker) {
        match self.place(&self.cursors[slot]) {
            Some(index) => self.parked[index].waker.clone_from(waker),
            None => {
                self.cursors[slot].parked = Some((self.round, self.parked.len()));
                self.parked.push(Parked {
                    slot,
                    waker: waker.clone(),
                });
                self.empty_if_all_wait();
            }
        }
    }

    pub(crate) fn advance(&mut self, slot: usize, to: u64) {
        self.cursors[slot].at = to;
    }

    fn place(&self, cursor: &Cursor) -> Option<usize> {
        cursor
            .parked
            .filter(|(round, _)| *round == self.round)
            .map(|(_, index)| index)
    }

    fn lost_by(&self, cursor: &Cursor) -> u64 {
        self.base.saturating_sub(cursor.at)
    }

    /// Everybody has read everything: a quiet topic keeps nothing.
    fn empty_if_all_wait(&mut self) {
        if self.parked.len() == self.cursors.len() && !self.ring.is_empty() {
            self.base = self.head();
            self.ring.clear();
            self.ring_bytes = 0;
            self.batches.clear();
        }
    }
}

impl<T: Payload> State<T> {
    fn push(&mut self, entry: Arc<Entry<T>>) {
        self.ring_bytes += entry.cost_bytes();
        self.ring.push_back(entry);
        // An entry larger than the whole ring goes at once: its readers get it from where they refill.
        while self.ring.len() > QUEUE_PUBLISHES || self.ring_bytes > RING_BYTES {
            self.drop_oldest();
        }
        if self.head().is_multiple_of(TRIM_EVERY) {
            let slowest = self.cursors.iter().map(|(_, cursor)| cursor.at).min();
            while !self.ring.is_empty() && slowest.is_some_and(|at| self.base < at) {
                self.drop_oldest();
            }
        }
    }

    fn drop_oldest(&mut self) {
        if let Some(entry) = self.ring.pop_front() {
            self.ring_bytes -= entry.cost_bytes();
            self.base += 1;
        }
    }

    /// What the cursor finds, after passing over entries that end at `floor` or before.
    pub(crate) fn next(&mut self, slot: usize, floor: Rev) -> Next {
        let lost = self.lost_by(&self.cursors[slot]);
        if lost > 0 {
            self.cursors[slot].at = self.base;
            return Next::Lagged(lost);
        }
        let mut at = self.cursors[slot].at;
        while self.entry(at).is_some_and(|entry| entry.last_rev <= floor) {
            at += 1;
        }
        self.cursors[slot].at = at;
        if at == self.head() {
            Next::Nothing
        } else {
            Next::At(at)
        }
    }

    pub(crate) fn entry(&self, at: u64) -> Option<&Arc<Entry<T>>> {
        let index = at.checked_sub(self.base)?;
        self.ring.get(usize::try_from(index).ok()?)
    }

    /// The entries from `at` on whose frames make about `max_bytes`, at least one.
    pub(crate) fn entries(&self, at: u64, max_bytes: usize) -> Vec<Arc<Entry<T>>> {
        let mut len = 0;
        let start = (at - self.base) as usize;
        let fits = |entry: &&Arc<Entry<T>>| {
            let room = len < max_bytes;
            len += entry.frame_len_hint();
            room
        };
        self.ring.range(start..).take_while(fits).cloned().collect()
    }
}
