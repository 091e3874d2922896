//! The newest of one stream, handed to those who follow it: by scope, by run, or all of it.
//!
//! An event is looked up in an index, so that it costs what its audience costs, however many others follow the
//! stream with other filters.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use chatstats_ring::{Cursor, Limits, Ring};
use slab::Slab;

use crate::{Entry, StreamId};

/// How many events a follower may be behind before it reads on from the log.
pub(crate) const RING_ENTRIES: usize = 4_096;

/// How many bytes are kept for those who follow with one filter, by estimate.
pub(crate) const RING_BYTES: usize = 8 << 20;

const LIMITS: Limits = Limits {
    entries_max: RING_ENTRIES,
    bytes_max: RING_BYTES,
};

/// A place among all that followers of a stream are told.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Place {
    /// Grows when the stream begins anew, and with it its ids.
    pub(crate) epoch: u64,
    /// The newest entry so far.
    pub(crate) id: StreamId,
    /// Notices since that entry.
    pub(crate) notices: u64,
}

/// What followers are told.
#[derive(Clone, Debug)]
pub enum Item {
    /// An entry.
    Entry(Arc<Entry>),
    /// Something about the stream itself.
    Notice(Notice),
}

/// Something about a stream that its followers must know. The stream goes on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Notice {
    /// Entries are missing before whatever comes next: they were trimmed, deleted or lost.
    Gap,
    /// Redis is away; what it said. Followers wait, and lose nothing that Redis keeps.
    Away(String),
}

/// Which events a follower wants.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Filter {
    /// Every entry of the stream, whatever it holds.
    #[default]
    All,
    /// Events, which have a type and a scope; of the scope and of the run, where given.
    Events {
        /// Only of this scope.
        scope: Option<String>,
        /// Only with this `run_id`.
        run_id: Option<String>,
    },
}

impl Filter {
    /// Whether an entry is wanted.
    pub fn wants(&self, entry: &Entry) -> bool {
        let Self::Events { scope, run_id } = self else {
            return true;
        };
        let fields = &entry.fields;
        let is = |name: &str, wanted: &Option<String>| {
            let wanted = wanted.as_deref().map(str::as_bytes);
            wanted.is_none_or(|wanted| fields.get(name) == Some(wanted))
        };
        fields.get("type").is_some()
            && fields.get("scope").is_some()
            && is("scope", scope)
            && is("run_id", run_id)
    }
}

/// The followers of one stream. A cheap handle.
#[derive(Clone, Default)]
pub(crate) struct Live(Arc<Mutex<State>>);

#[derive(Default)]
struct State {
    place: Place,
    /// Where the stream began anew the last time: what is below was there before.
    began: StreamId,
    topics: Slab<Topic>,
    all: Option<usize>,
    any_scope: Runs,
    by_scope: HashMap<Box<[u8]>, Runs>,
    /// Topics that have something new and were not woken yet.
    told: Vec<(usize, Ring<Place, Item>)>,
}

struct Topic {
    ring: Ring<Place, Item>,
    is_told: bool,
}

/// The topics of one scope, or of no scope in particular.
#[derive(Default)]
struct Runs {
    any: Option<usize>,
    by_run: HashMap<Box<[u8]>, usize>,
}

/// A follower's cursor. Dropping it ends it.
pub(crate) struct Following {
    // Dropped in this order: the cursor has left when its topic is looked at.
    pub(crate) cursor: Cursor<Place, Item>,
    _leaving: Leaving,
}

struct Leaving {
    live: Live,
    filter: Filter,
}

impl Live {
    /// Starts at `id`: the newest entry there is.
    pub(crate) fn at(id: StreamId) -> Self {
        let live = Self::default();
        live.lock().place.id = id;
        live
    }

    /// The newest that followers were told of.
    pub(crate) fn place(&self) -> Place {
        self.lock().place
    }

    /// What a follower has left, in the stream as it is now, of what it had up to `sent` before the stream began anew.
    pub(crate) fn left_of(&self, sent: Place) -> StreamId {
        let state = self.lock();
        match state.place.epoch - sent.epoch {
            0 => sent.id,
            1 => sent.id.min(state.began),
            // It may have begun anew from further below in between.
            _ => StreamId::ZERO,
        }
    }

    /// How many follow.
    pub(crate) fn followers(&self) -> u64 {
        let state = self.lock();
        state
            .topics
            .iter()
            .map(|(_, topic)| topic.ring.status().readers)
            .sum()
    }

    /// Whether anybody follows.
    pub(crate) fn is_followed(&self) -> bool {
        !self.lock().topics.is_empty()
    }

    /// Whether nobody else holds it: neither a follower, nor somebody who is about to become one.
    pub(crate) fn is_unused(&self) -> bool {
        Arc::strong_count(&self.0) == 1
    }

    /// Joins, and says up to where the follower will hear nothing: what comes after that place, it will.
    pub(crate) fn follow(&self, filter: Filter) -> (Following, Place) {
        let mut state = self.lock();
        let cursor = state.topic(&filter).join();
        let place = state.place;
        drop(state);
        let _leaving = Leaving {
            live: self.clone(),
            filter,
        };
        (Following { cursor, _leaving }, place)
    }

    /// Tells of new entries, in the order of their ids. All ids are above the newest so far. Followers that wait are
    /// woken when what this returns is dropped.
    pub(crate) fn publish(&self, entries: &[Arc<Entry>]) -> Told {
        let mut state = self.lock();
        for entry in entries {
            state.place = Place {
                id: entry.id,
                notices: 0,
                ..state.place
            };
            state.push(entry);
        }
        told(state)
    }

    /// Tells everybody something about the stream itself.
    pub(crate) fn notice(&self, notice: &Notice) {
        let mut state = self.lock();
        state.place.notices += 1;
        state.push_notice(notice);
        drop(told(state));
    }

    /// The stream was lost, all of it or what came after this id, and begins anew behind it with whatever ids: tells
    /// everybody of the gap.
    pub(crate) fn begin_anew(&self, after: StreamId) {
        let mut state = self.lock();
        state.began = after;
        state.place = Place {
            epoch: state.place.epoch + 1,
            id: after,
            notices: 1,
        };
        state.push_notice(&Notice::Gap);
        drop(told(state));
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn push(&mut self, entry: &Arc<Entry>) {
        if self.topics.is_empty() {
            return;
        }
        let fields = &entry.fields;
        let mut audience = [None; 5];
        audience[0] = self.all;
        if let (Some(_), Some(scope)) = (fields.get("type"), fields.get("scope")) {
            let run = fields.get("run_id");
            let of = |runs: &Runs| [runs.any, run.and_then(|run| runs.by_run.get(run).copied())];
            audience[1..3].copy_from_slice(&of(&self.any_scope));
            audience[3..5].copy_from_slice(&self.by_scope.get(scope).map_or([None; 2], of));
        }
        for index in audience.into_iter().flatten() {
            self.tell(index, Item::Entry(entry.clone()), fields.size_bytes());
        }
    }

    fn push_notice(&mut self, notice: &Notice) {
        let all: Vec<_> = self.topics.iter().map(|(index, _)| index).collect();
        for index in all {
            self.tell(index, Item::Notice(notice.clone()), 0);
        }
    }

    fn tell(&mut self, index: usize, item: Item, size_bytes: usize) {
        let topic = &mut self.topics[index];
        topic.ring.push((self.place, self.place), || (size_bytes, item));
        if !topic.is_told {
            topic.is_told = true;
            self.told.push((index, topic.ring.clone()));
        }
    }

    fn topic(&mut self, filter: &Filter) -> Ring<Place, Item> {
        let topics = &mut self.topics;
        let slot = match filter {
            Filter::All => &mut self.all,
            Filter::Events { scope, run_id } => {
                let runs = match scope {
                    Some(scope) => self.by_scope.entry(scope.as_bytes().into()).or_default(),
                    None => &mut self.any_scope,
                };
                match run_id {
                    Some(run) => {
                        let index = runs.by_run.entry(run.as_bytes().into());
                        let index = *index.or_insert_with(|| topics.insert(Topic::new()));
                        return topics[index].ring.clone();
                    }
                    None => &mut runs.any,
                }
            }
        };
        let index = *slot.get_or_insert_with(|| topics.insert(Topic::new()));
        topics[index].ring.clone()
    }

    /// Forgets the topic of a filter if its last follower has left.
    fn forget(&mut self, filter: &Filter) {
        let is_deserted = |index: usize| self.topics[index].ring.is_deserted();
        let index = match filter {
            Filter::All => self.all.take_if(|index| is_deserted(*index)),
            Filter::Events { scope, run_id } => {
                let runs = match scope {
                    Some(scope) => self.by_scope.get_mut(scope.as_bytes()),
                    None => Some(&mut self.any_scope),
                };
                let Some(runs) = runs else { return };
                let index = match run_id {
                    Some(run) => match runs.by_run.get(run.as_bytes()) {
                        Some(&index) if is_deserted(index) => runs.by_run.remove(run.as_bytes()),
                        _ => None,
                    },
                    None => runs.any.take_if(|index| is_deserted(*index)),
                };
                let is_empty = runs.any.is_none() && runs.by_run.is_empty();
                if let (Some(scope), true) = (scope, is_empty) {
                    self.by_scope.remove(scope.as_bytes());
                }
                index
            }
        };
        if let Some(index) = index {
            self.topics.remove(index);
        }
    }
}

/// Those who were told something, to be woken: once for all that was pushed, so that a follower finds the whole batch
/// and not its first entry; and outside of the lock, for whoever wakes may leave.
fn told(mut state: MutexGuard<'_, State>) -> Told {
    let told = std::mem::take(&mut state.told);
    for (index, _) in &told {
        state.topics[*index].is_told = false;
    }
    Told(told)
}

/// Wakes those who were told something when it is dropped.
#[must_use = "followers are woken when this is dropped"]
pub(crate) struct Told(Vec<(usize, Ring<Place, Item>)>);

impl Told {
    /// How many followers wait for it, and are woken.
    pub(crate) fn woken(&self) -> usize {
        self.0.iter().map(|(_, ring)| ring.waiting()).sum()
    }
}

impl Drop for Told {
    fn drop(&mut self) {
        for (_, ring) in &self.0 {
            ring.wake();
        }
    }
}

impl Topic {
    fn new() -> Self {
        Self {
            ring: Ring::new(LIMITS),
            is_told: false,
        }
    }
}

impl Drop for Leaving {
    fn drop(&mut self) {
        self.live.lock().forget(&self.filter);
    }
}
