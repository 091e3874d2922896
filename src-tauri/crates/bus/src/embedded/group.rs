//! Entries that are written together: their ids, and what becomes of their streams.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use rusqlite::Connection;

use super::batch;
use super::streams::{State, Streams};
use super::table::{self, Depth, FileError};
use super::{batch::BATCH_ENTRIES, lock};
use crate::engine::NewId;
use crate::{BusError, Entry, Fields, StreamId, StreamKey};

/// How many entries over what is kept a stream may have before it is trimmed: trimming in steps costs a share of what
/// trimming at every write would.
const SLACK_ENTRIES: u64 = 1_024;

/// How many batches one step drops at most. Not fewer than a group has entries, so that a stream does not outgrow it.
const TRIM_BATCHES: usize = 2_048;

/// What a group will leave behind, if it can be committed.
pub(super) struct Group<'s> {
    streams: &'s Mutex<Streams>,
    drafts: Vec<Draft>,
    index: HashMap<StreamKey, usize>,
    now_ms: u64,
}

/// A stream as it will be.
pub(super) struct Draft {
    pub(super) key: StreamKey,
    /// None for one that is new.
    pub(super) row: Option<i64>,
    pub(super) state: State,
    /// What is new in it.
    pub(super) entries: Vec<Arc<Entry>>,
    /// Whether the mark up to which it is trimmed will move.
    pub(super) is_trimmed: bool,
}

impl<'s> Group<'s> {
    pub(super) fn new(streams: &'s Mutex<Streams>, now_ms: u64) -> Self {
        Self {
            streams,
            drafts: Vec::new(),
            index: HashMap::new(),
            now_ms,
        }
    }

    /// Adds an entry; answers its id.
    pub(super) fn add(&mut self, key: StreamKey, id: NewId, fields: Fields) -> Result<StreamId, BusError> {
        let at = match self.index.get(&key) {
            Some(&at) => at,
            None => self.draft(key)?,
        };
        let Draft { state, entries, .. } = &mut self.drafts[at];
        let id = next_id(state.newest, id, self.now_ms)?;
        state.newest = id;
        state.added += 1;
        state.first.get_or_insert(id);
        entries.push(Arc::new(Entry::new(id, fields)));
        Ok(id)
    }

    /// Writes all of it, and trims what has grown too long.
    pub(super) fn write(&mut self, conn: &Connection, kept: u64) -> Result<(), FileError> {
        for draft in self.drafts.iter_mut().filter(|draft| !draft.entries.is_empty()) {
            draft.write(conn, kept)?;
        }
        Ok(())
    }

    /// The streams that have something new.
    pub(super) fn into_drafts(self) -> impl Iterator<Item = Draft> {
        self.drafts.into_iter().filter(|draft| !draft.entries.is_empty())
    }

    pub(super) fn is_empty(&self) -> bool {
        self.drafts.iter().all(|draft| draft.entries.is_empty())
    }

    fn draft(&mut self, key: StreamKey) -> Result<usize, BusError> {
        let streams = lock(self.streams);
        let (row, state) = match streams.get(&key) {
            Some((row, state)) => (Some(row), state),
            None => {
                let new = self.drafts.iter().filter(|draft| draft.row.is_none()).count();
                streams.has_room(new + 1)?;
                (None, State::default())
            }
        };
        let at = self.drafts.len();
        self.drafts.push(Draft {
            key: key.clone(),
            row,
            state,
            entries: Vec::new(),
            is_trimmed: false,
        });
        self.index.insert(key, at);
        Ok(at)
    }
}

impl Draft {
    fn write(&mut self, conn: &Connection, kept: u64) -> Result<(), FileError> {
        let row = match self.row {
            Some(row) => row,
            None => *self.row.insert(table::begin(conn, &self.key)?),
        };
        let mut upto = self.state.added - self.entries.len() as u64;
        for batch in batch::pack(&self.entries) {
            upto += batch.count;
            table::add(conn, row, upto, &batch)?;
        }
        let trimmed = self.state.trimmed;
        if self.state.length() > kept.saturating_add(SLACK_ENTRIES) {
            let depth = Depth {
                keep: kept,
                is_exact: false,
                batches_max: Some(TRIM_BATCHES),
            };
            table::trim(conn, row, &mut self.state, depth)?;
        }
        self.is_trimmed = self.state.trimmed > trimmed;
        Ok(())
    }
}

/// The id of an entry, by the rules of Redis: above all there were, whatever the clock says.
fn next_id(newest: StreamId, asked: NewId, now_ms: u64) -> Result<StreamId, BusError> {
    let too_small = |asked| BusError::IdTooSmall { asked, newest };
    match asked {
        NewId::At(StreamId::ZERO) => Err(too_small(StreamId::ZERO)),
        _ if newest == StreamId::MAX => Err(BusError::Exhausted),
        NewId::At(id) if id <= newest => Err(too_small(id)),
        NewId::At(id) => Ok(id),
        NewId::Auto if now_ms > newest.ms => Ok(StreamId::new(now_ms, 0)),
        NewId::Auto => newest.next().ok_or(BusError::Exhausted),
    }
}

const _: () = assert!(TRIM_BATCHES >= super::queue::GROUP_ENTRIES && BATCH_ENTRIES < SLACK_ENTRIES as usize);
