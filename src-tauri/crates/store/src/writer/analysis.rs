//! Writes to what analysis makes of messages: runs, tasks, results, commitments.

use std::collections::HashMap;
use std::sync::Arc;

use chatstats_fold::Turn;
use rusqlite::Connection;

use super::{Book, Elsewhere, Lane, Messages, Shared};
use crate::{Reader, StoreError};

/// A write to the file of analysis in progress, which reads messages and conversations as they stand when it looks at
/// the first. The tables' methods are in their own files.
pub struct WriteAnalysis<'w> {
    pub(crate) conn: &'w Connection,
    /// The numbers of passes that are known; see `tables/results.rs`.
    pub(crate) passes: &'w mut HashMap<String, i64>,
    queue: &'w Shared<Analyses>,
    messages: &'w Shared<Messages>,
    /// Messages that had come when it began.
    messages_before: u64,
}

impl WriteAnalysis<'_> {
    /// Whether somebody waits for this write to end, with a live one, or a message came since it began: that does not wait
    /// for this, but needs the processors. A bulk write that can do the rest in another step should then end.
    pub fn is_in_the_way(&self) -> bool {
        self.messages.live() != self.messages_before || self.queue.is_waited_for()
    }
}

/// The file of analysis.
pub(crate) struct Analyses {
    passes: HashMap<String, i64>,
    messages: Arc<Shared<Messages>>,
}

impl Analyses {
    /// Beside the writer of messages, whose queue this is.
    pub(crate) fn beside(messages: Arc<Shared<Messages>>) -> Self {
        Self {
            passes: HashMap::new(),
            messages,
        }
    }
}

impl Book for Analyses {
    type Write<'w> = WriteAnalysis<'w>;
    type Mark = ();

    const THREAD: &'static str = "analysis-write";
    // Not at once, as SQLite does it: that would lock the file of messages too, which this connection only reads.
    const BEGIN: &'static str = "BEGIN";
    const FOLDS: Turn = Turn::Last;
    const BACKLOG_BATCH: usize = usize::MAX;
    const BACKLOG_MAX: usize = usize::MAX;

    fn write<'w>(&'w mut self, conn: &'w Connection, queue: &'w Shared<Self>) -> WriteAnalysis<'w> {
        WriteAnalysis {
            conn,
            passes: &mut self.passes,
            queue,
            messages: &self.messages,
            messages_before: self.messages.live(),
        }
    }

    fn elsewhere(&self) -> Option<Elsewhere> {
        let messages = Arc::clone(&self.messages);
        Some(Box::new(move || messages.since_live()))
    }

    fn mark(&mut self) {}

    // A number that was given goes with what is taken back.
    fn undo(&mut self, (): ()) {
        self.passes.clear();
    }

    fn complete(&mut self, _: &Connection) -> Result<(), rusqlite::Error> {
        Ok(())
    }

    fn committed(&mut self, _: &Reader, _: Lane) {}

    fn rolled_back(&mut self) {
        self.passes.clear();
    }

    fn backlog(&self) -> usize {
        0
    }

    fn work_off(_: &mut WriteAnalysis<'_>) -> Result<(), StoreError> {
        Ok(())
    }
}
