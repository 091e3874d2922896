//! What is in memory: each stream's state, the newest entries of all of them, and who follows.
//!
//! It changes after a commit, and before those who wrote are answered: the file is never behind it. Of the file only
//! what lies between a stream's marks here is read, so that all who ask are told of one and the same moment.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::Arc;

use super::table::Loaded;
use crate::engine::{PAGE_BYTES, Page, Range, StreamInfo};
use crate::live::Live;
use crate::{BusError, Entry, StreamId, StreamKey};

/// Streams kept at most. They are made by programs, which know their names; more are a mistake, and each costs memory.
const STREAMS_MAX: usize = 10_000;

/// Streams followed at once at most.
const FOLLOWED_MAX: usize = 10_000;

/// How many of the newest entries stay in memory, of all streams together: who comes back after a moment needs no file.
const RECENT_ENTRIES: usize = 8_192;

/// How many bytes they take at most, by estimate.
const RECENT_BYTES: usize = 4 << 20;

/// What an entry takes beside its fields, about.
const ENTRY_BYTES: usize = 160;

/// All streams.
pub(super) struct Streams {
    index: HashMap<StreamKey, usize>,
    streams: Vec<Stream>,
    /// The stream of each entry in memory, in the order of writing.
    recent: VecDeque<usize>,
    recent_bytes: usize,
    live: HashMap<StreamKey, Live>,
}

/// A stream's length and reach.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct State {
    /// The highest id there ever was.
    pub(super) newest: StreamId,
    /// Entries since the stream began.
    pub(super) added: u64,
    /// So many of them were trimmed.
    pub(super) trimmed: u64,
    /// The last of those.
    pub(super) trimmed_through: StreamId,
    /// The oldest that is left.
    pub(super) first: Option<StreamId>,
}

/// One stream.
struct Stream {
    row: i64,
    state: State,
    /// The newest entries: all there are above `recent_after`.
    recent: VecDeque<Arc<Entry>>,
    recent_after: StreamId,
}

/// Where a range is to be read.
pub(super) enum Found {
    /// It was in memory.
    Page(Page),
    /// It is in the file; the range is narrowed to what is there.
    InFile { row: i64, range: Range },
}

impl Streams {
    pub(super) fn load(loaded: &[Loaded]) -> Self {
        let mut this = Self {
            index: HashMap::new(),
            streams: Vec::new(),
            recent: VecDeque::new(),
            recent_bytes: 0,
            live: HashMap::new(),
        };
        for stream in loaded {
            this.insert(&stream.key, stream.row, stream.state);
        }
        this
    }

    /// A stream's row and state; none if it was never written.
    pub(super) fn get(&self, key: &StreamKey) -> Option<(i64, State)> {
        let stream = self.stream(key)?;
        Some((stream.row, stream.state))
    }

    /// How a stream is, which is empty if it was never written.
    pub(super) fn info(&self, key: &StreamKey) -> StreamInfo {
        self.stream(key)
            .map_or_else(StreamInfo::default, |stream| stream.state.info())
    }

    /// Whether `more` streams can be made.
    pub(super) fn has_room(&self, more: usize) -> Result<(), BusError> {
        if self.streams.len() + more > STREAMS_MAX {
            return Err(BusError::TooManyKept(STREAMS_MAX));
        }
        Ok(())
    }

    /// Takes over what was committed. Answers who is to be told of it.
    pub(super) fn wrote(
        &mut self,
        key: &StreamKey,
        row: i64,
        state: State,
        entries: &[Arc<Entry>],
    ) -> Option<Live> {
        let at = match self.index.get(key) {
            Some(&at) => at,
            None => self.insert(key, row, State::default()),
        };
        self.streams[at].state = state;
        for entry in entries {
            self.recent_bytes += entry.cost_bytes();
            self.recent.push_back(at);
            self.streams[at].recent.push_back(entry.clone());
        }
        while self.recent.len() > RECENT_ENTRIES || self.recent_bytes > RECENT_BYTES {
            self.forget_oldest();
        }
        self.live.get(key).cloned()
    }

    /// Reads a range from memory if it is there as a whole.
    pub(super) fn range(&self, key: &StreamKey, range: Range) -> Found {
        let Some(stream) = self.stream(key) else {
            return Found::Page(Page::default());
        };
        let state = &stream.state;
        // What is above the newest was not yet told to anybody, and below the mark everything is trimmed.
        let range = Range {
            from: state.first.map_or(StreamId::MAX, |first| first.max(range.from)),
            to: state.newest.min(range.to),
            ..range
        };
        if range.from > range.to || state.first.is_none() {
            return Found::Page(Page::default());
        }
        match stream.in_memory(range) {
            Some(page) => Found::Page(page),
            None => Found::InFile {
                row: stream.row,
                range,
            },
        }
    }

    /// The followers of a stream, whether or not it was written yet.
    pub(super) fn live(&mut self, key: &StreamKey) -> Result<Live, BusError> {
        if let Some(live) = self.live.get(key) {
            return Ok(live.clone());
        }
        if self.live.len() >= FOLLOWED_MAX {
            self.live.retain(|_, live| !live.is_unused());
        }
        if self.live.len() >= FOLLOWED_MAX {
            return Err(BusError::TooManyStreams(FOLLOWED_MAX));
        }
        let live = Live::at(self.info(key).newest);
        self.live.insert(key.clone(), live.clone());
        Ok(live)
    }

    /// The marks of the streams that were ever trimmed, by row.
    pub(super) fn trimmed(&self) -> BTreeMap<i64, StreamId> {
        let trimmed = self.streams.iter().filter(|stream| stream.state.trimmed > 0);
        trimmed
            .map(|stream| (stream.row, stream.state.trimmed_through))
            .collect()
    }

    /// The streams that were followed lately.
    pub(super) fn followed(&self) -> impl Iterator<Item = (StreamKey, Live)> {
        self.live.iter().map(|(key, live)| (key.clone(), live.clone()))
    }

    fn stream(&self, key: &StreamKey) -> Option<&Stream> {
        Some(&self.streams[*self.index.get(key)?])
    }

    fn insert(&mut self, key: &StreamKey, row: i64, state: State) -> usize {
        let at = self.streams.len();
        self.streams.push(Stream {
            row,
            state,
            recent: VecDeque::new(),
            recent_after: state.newest,
        });
        self.index.insert(key.clone(), at);
        at
    }

    fn forget_oldest(&mut self) {
        let Some(at) = self.recent.pop_front() else { return };
        let stream = &mut self.streams[at];
        if let Some(entry) = stream.recent.pop_front() {
            stream.recent_after = entry.id;
            self.recent_bytes -= entry.cost_bytes();
        }
    }
}

impl Stream {
    /// A range that has entries, if memory has all that it asks for.
    fn in_memory(&self, range: Range) -> Option<Page> {
        let mut filling = Filling::new(range);
        let reaches_back = range.from > self.recent_after;
        if range.reverse {
            let is_filled = !self.recent.iter().rev().all(|entry| filling.offer(entry));
            return (is_filled || reaches_back).then_some(filling.page);
        }
        if !reaches_back {
            return None;
        }
        let start = self.recent.partition_point(|entry| entry.id < range.from);
        self.recent.range(start..).all(|entry| filling.offer(entry));
        Some(filling.page)
    }
}

impl State {
    pub(super) fn length(&self) -> u64 {
        self.added - self.trimmed
    }

    fn info(&self) -> StreamInfo {
        StreamInfo {
            length: self.length(),
            first: self.first,
            last: self.first.map(|_| self.newest),
            newest: self.newest,
            trimmed_through: self.trimmed_through,
        }
    }
}

/// A page being filled, from entries in the order asked for.
pub(super) struct Filling {
    pub(super) page: Page,
    range: Range,
    size_bytes: usize,
}

impl Filling {
    pub(super) fn new(range: Range) -> Self {
        Self {
            page: Page::default(),
            range,
            size_bytes: 0,
        }
    }

    /// Takes an entry if it is in the range; answers whether there is room for another behind it.
    pub(super) fn offer(&mut self, entry: &Arc<Entry>) -> bool {
        let Range {
            from,
            to,
            count,
            reverse,
        } = self.range;
        let (is_early, is_late) = (entry.id < from, entry.id > to);
        let (is_before, is_behind) = if reverse {
            (is_late, is_early)
        } else {
            (is_early, is_late)
        };
        if is_before || is_behind {
            return is_before;
        }
        let entries = &mut self.page.entries;
        let size_bytes = self.size_bytes + entry.fields.size_bytes();
        if entries.len() >= count || (size_bytes > PAGE_BYTES && !entries.is_empty()) {
            self.page.more = true;
            return false;
        }
        self.size_bytes = size_bytes;
        entries.push(entry.clone());
        true
    }
}

impl Entry {
    /// About what it takes in memory, in bytes.
    pub(super) fn cost_bytes(&self) -> usize {
        ENTRY_BYTES + self.fields.size_bytes()
    }
}
