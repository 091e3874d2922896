//! The ring, and the places of those who read it.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Waker;

use slab::Slab;

use crate::batch::Batches;
use crate::cursor::Cursor;
use crate::entry::Entry;

/// Every how many publishes the ring looks for entries that all have read. A look costs a step per reader.
const TRIM_EVERY: u64 = 64;

/// What a ring keeps at most.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// How many entries a reader may be behind before the oldest are dropped.
    pub entries_max: usize,
    /// How many bytes the entries may take, by estimate. An entry larger than this goes at once.
    pub bytes_max: usize,
}

/// The state of a ring at one moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RingStatus {
    /// Cursors.
    pub readers: u64,
    /// Those of them that have read everything and wait.
    pub waiting: u64,
    /// Entries kept for those who have not read them yet.
    pub depth: u64,
    /// About how many bytes these take.
    pub bytes: u64,
    /// Entries that readers lost and have not been told of yet, because they have not asked since.
    pub unnoticed_drops: u64,
}

/// The ring. A cheap handle: clones share it.
pub struct Ring<P, T>(Arc<Shared<P, T>>);

struct Shared<P, T> {
    state: Mutex<State<P, T>>,
    /// Counts how often the list of those who wait was taken. Changed under the lock, and read without it: who stands
    /// in the list of this round is woken by the next publish.
    round: AtomicU64,
}

impl<P, T> Clone for Ring<P, T> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

/// Sequence numbers count publishes from 0; the ring holds `base..head`.
pub(crate) struct State<P, T> {
    limits: Limits,
    ring: VecDeque<Arc<Entry<P, T>>>,
    base: u64,
    ring_bytes: usize,
    places: Slab<Place>,
    /// Those who have everything. A publish takes the whole list, so 200 publishes in a row wake each of them once.
    parked: Vec<Parked>,
    /// The number of this list: tells whether a cursor's place in it is of this one.
    round: u64,
    /// Something was pushed that those who wait were not woken for yet.
    is_untold: bool,
    pub(crate) batches: Batches<P>,
}

struct Place {
    /// The sequence number to read next.
    at: u64,
    parked: Option<(u64, usize)>,
}

struct Parked {
    slot: usize,
    waker: Waker,
}

/// What a reader finds.
pub(crate) enum Next {
    Nothing,
    Lagged(u64),
    /// Something to read, from this sequence number on.
    At(u64),
}

impl<P, T> Ring<P, T> {
    /// An empty ring that nobody reads.
    pub fn new(limits: Limits) -> Self {
        let state = State {
            limits,
            ring: VecDeque::new(),
            base: 0,
            ring_bytes: 0,
            places: Slab::new(),
            parked: Vec::new(),
            round: 0,
            is_untold: false,
            batches: Batches::default(),
        };
        Self(Arc::new(Shared {
            state: Mutex::new(state),
            round: AtomicU64::new(0),
        }))
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, State<P, T>> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The number of the list of those who wait.
    pub(crate) fn round(&self) -> u64 {
        self.0.round.load(Ordering::Acquire)
    }

    /// Whether nobody reads it: what is published then is kept for nobody.
    pub fn is_deserted(&self) -> bool {
        self.lock().places.is_empty()
    }

    /// How many wait for an entry: those whom [`wake`](Self::wake) would wake.
    pub fn waiting(&self) -> usize {
        self.lock().parked.len()
    }

    /// A look inside.
    pub fn status(&self) -> RingStatus {
        let state = self.lock();
        RingStatus {
            readers: state.places.len() as u64,
            waiting: state.parked.len() as u64,
            depth: state.ring.len() as u64,
            bytes: state.ring_bytes as u64,
            unnoticed_drops: state.places.iter().map(|(_, place)| state.lost_by(place)).sum(),
        }
    }
}

impl<P: Copy + Ord, T> Ring<P, T> {
    /// A cursor that reads what is published from now on.
    pub fn join(&self) -> Cursor<P, T> {
        Cursor::new(self.clone())
    }

    /// Adds an entry for the positions `first..=last` and wakes those who wait. `payload` is called only if somebody
    /// reads, and gives the payload with about how many bytes it takes. Never blocks on a reader.
    pub fn publish(&self, positions: (P, P), payload: impl FnOnce() -> (usize, T)) {
        if self.push(positions, payload) {
            self.wake();
        }
    }

    /// As [`publish`](Self::publish), and wakes nobody: of several entries in a row only the last need do that.
    /// Returns whether somebody reads.
    pub fn push(&self, positions: (P, P), payload: impl FnOnce() -> (usize, T)) -> bool {
        if self.is_deserted() {
            return false;
        }
        // Built before the lock is taken: readers need not wait for it.
        let (payload_bytes, payload) = payload();
        let entry = Arc::new(Entry::new(positions, payload_bytes, payload));
        let mut state = self.lock();
        let is_read = !state.places.is_empty(); // The last one may have left meanwhile.
        if is_read {
            state.push(entry);
        }
        is_read
    }

    /// Wakes those who wait.
    pub fn wake(&self) {
        let woken = {
            let mut state = self.lock();
            let woken = state.take_parked();
            self.0.round.store(state.round, Ordering::Release);
            woken
        };
        for parked in woken {
            parked.waker.wake();
        }
    }
}

impl<P, T> State<P, T> {
    /// The sequence number the next publish gets.
    pub(crate) fn head(&self) -> u64 {
        self.base + self.ring.len() as u64
    }

    /// Adds a reader of what comes from now on.
    pub(crate) fn join(&mut self) -> usize {
        let at = self.head();
        self.places.insert(Place { at, parked: None })
    }

    pub(crate) fn leave(&mut self, slot: usize) {
        let place = self.places.remove(slot);
        if let Some(index) = self.parked_at(&place) {
            self.parked.swap_remove(index);
            if let Some(moved) = self.parked.get(index) {
                self.places[moved.slot].parked = Some((self.round, index));
            }
        }
        self.empty_if_all_wait();
    }

    pub(crate) fn reader_count(&self) -> usize {
        self.places.len()
    }

    /// Takes every waker out: the caller wakes them once the lock is released.
    fn take_parked(&mut self) -> Vec<Parked> {
        self.round += 1;
        self.is_untold = false;
        let room = Vec::with_capacity(self.parked.len());
        std::mem::replace(&mut self.parked, room)
    }

    /// Parks the cursor, or renews its waker if it waits already, and says in which round. Called with the lock under
    /// which it found nothing, or took the last there is, so that no publish can slip in between.
    pub(crate) fn park(&mut self, slot: usize, waker: &Waker) -> u64 {
        match self.parked_at(&self.places[slot]) {
            Some(index) => self.parked[index].waker.clone_from(waker),
            None => {
                self.places[slot].parked = Some((self.round, self.parked.len()));
                self.parked.push(Parked {
                    slot,
                    waker: waker.clone(),
                });
                self.empty_if_all_wait();
            }
        }
        self.round
    }

    pub(crate) fn advance(&mut self, slot: usize, to: u64) {
        self.places[slot].at = to;
    }

    /// The cursor takes what comes before `to`. One that has everything then is parked at once: it need not come back
    /// under the lock to find that out. The round it is parked in, if so.
    pub(crate) fn take(&mut self, slot: usize, to: u64, waker: &Waker) -> Option<u64> {
        self.advance(slot, to);
        (to == self.head()).then(|| self.park(slot, waker))
    }

    fn parked_at(&self, place: &Place) -> Option<usize> {
        place
            .parked
            .filter(|(round, _)| *round == self.round)
            .map(|(_, index)| index)
    }

    pub(crate) fn lost_at(&self, slot: usize) -> u64 {
        self.lost_by(&self.places[slot])
    }

    fn lost_by(&self, place: &Place) -> u64 {
        self.base.saturating_sub(place.at)
    }

    /// Everybody has read everything: a quiet ring keeps nothing.
    fn empty_if_all_wait(&mut self) {
        if self.parked.len() == self.places.len() && !self.is_untold && !self.ring.is_empty() {
            self.base = self.head();
            self.ring.clear();
            self.ring_bytes = 0;
            self.batches.clear();
        }
    }
}

impl<P: Copy + Ord, T> State<P, T> {
    fn push(&mut self, entry: Arc<Entry<P, T>>) {
        self.is_untold |= !self.parked.is_empty();
        self.ring_bytes += entry.cost_bytes();
        self.ring.push_back(entry);
        // An entry larger than the whole ring goes at once: its readers get it from where they refill.
        while self.ring.len() > self.limits.entries_max || self.ring_bytes > self.limits.bytes_max {
            self.drop_oldest();
        }
        if self.head().is_multiple_of(TRIM_EVERY) {
            let slowest = self.places.iter().map(|(_, place)| place.at).min();
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
    pub(crate) fn next(&mut self, slot: usize, floor: Option<P>) -> Next {
        let lost = self.lost_by(&self.places[slot]);
        if lost > 0 {
            self.places[slot].at = self.base;
            return Next::Lagged(lost);
        }
        let at = self.place_above(slot, floor);
        self.places[slot].at = at;
        if at == self.head() {
            Next::Nothing
        } else {
            Next::At(at)
        }
    }

    /// Whether nothing above `floor` is left for the cursor to read, and nothing was lost.
    pub(crate) fn has_everything(&self, slot: usize, floor: Option<P>) -> bool {
        self.lost_at(slot) == 0 && self.place_above(slot, floor) == self.head()
    }

    fn place_above(&self, slot: usize, floor: Option<P>) -> u64 {
        let mut at = self.places[slot].at;
        while self.entry(at).is_some_and(|entry| Some(entry.last) <= floor) {
            at += 1;
        }
        at
    }

    pub(crate) fn entry(&self, at: u64) -> Option<&Arc<Entry<P, T>>> {
        let index = at.checked_sub(self.base)?;
        self.ring.get(usize::try_from(index).ok()?)
    }

    /// The entries from `at` on whose frames make about `max_bytes`, at least one.
    pub(crate) fn entries(&self, at: u64, max_bytes: usize) -> Vec<Arc<Entry<P, T>>> {
        let mut len = 0;
        let start = (at - self.base) as usize;
        let fits = |entry: &&Arc<Entry<P, T>>| {
            let room = len < max_bytes;
            len += entry.frame_len_hint();
            room
        };
        self.ring.range(start..).take_while(fits).cloned().collect()
    }
}
