//! Writes to what the user has: messages, and what follows from them at once. Whoever listens hears of each commit.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, OnceLock};

use chatstats_fold::Turn;
use chatstats_model::{ChatId, ContactId, Rev, Timestamp};
use rusqlite::Connection;

use super::{Book, Elsewhere, Lane, Shared};
use crate::tables::index::INDEX_BATCH;
use crate::tables::tally::{Mark, Tally};
use crate::{Reader, StoreError};

/// How far the index may fall behind while large posts follow each other without a pause: a search has to wait until it
/// has caught up, which takes about a quarter of a second from here.
const UNINDEXED_MAX: usize = 50_000;

/// Hears of commits, on the writer's thread, in the order of the commits, before those who wrote are answered.
pub trait CommitListener: Send + Sync {
    /// `reader` sees the state of just this commit. Must not block.
    fn committed(&self, commit: &Commit, reader: &Reader);
}

/// Several listeners are told in turn.
impl CommitListener for Vec<Arc<dyn CommitListener>> {
    fn committed(&self, commit: &Commit, reader: &Reader) {
        for listener in self {
            listener.committed(commit, reader);
        }
    }
}

/// What a commit changed.
#[derive(Debug, Default)]
pub struct Commit {
    /// New and changed messages, one entry for each write and chat, in order.
    pub messages: Vec<Published>,
    /// Chats in which all that somebody wrote changed, because they became the user or are not any more: any number of
    /// messages, which are in no entry of `messages`.
    pub rewritten: Vec<ChatId>,
    /// Chats whose fields changed.
    pub chats: Vec<ChatId>,
    /// Contacts whose fields changed.
    pub contacts: Vec<ContactId>,
    /// The newest revision of this commit.
    pub rev: Rev,
    /// Whether conversations were sealed, or sealed ones changed: there are seals to announce.
    pub seals: bool,
    /// When the last message was sent of a conversation that this commit left open, the earliest of them.
    pub earliest_open: Option<Timestamp>,
    /// Where the writes came from.
    pub lane: Lane,
}

/// The messages that one write stored or changed in one chat: those with `first <= rev <= last`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Published {
    /// The chat.
    pub chat_id: ChatId,
    /// The first revision.
    pub first: Rev,
    /// The last revision.
    pub last: Rev,
    /// Whether any of them is a change of a message that was there before.
    pub changes: bool,
}

/// A write in progress: the tables' methods are in their own files.
pub struct Write<'w> {
    pub(crate) conn: &'w Connection,
    pub(crate) tally: &'w mut Tally,
    queue: &'w Shared<Messages>,
}

impl Write<'_> {
    /// Whether somebody waits for this write to end, with a live one. A bulk write that can do the rest in another step
    /// should then end.
    pub fn is_in_the_way(&self) -> bool {
        self.queue.is_waited_for()
    }
}

/// The file of messages.
pub(crate) struct Messages {
    tally: Tally,
    listener: Arc<OnceLock<Arc<dyn CommitListener>>>,
}

impl Messages {
    pub(crate) fn load(
        conn: &Connection,
        listener: Arc<OnceLock<Arc<dyn CommitListener>>>,
    ) -> Result<Self, rusqlite::Error> {
        let tally = Tally::load(conn)?;
        Ok(Self { tally, listener })
    }
}

impl Book for Messages {
    type Write<'w> = Write<'w>;
    type Mark = Mark;

    const THREAD: &'static str = "store-write";
    const BEGIN: &'static str = "BEGIN IMMEDIATE";
    const FOLDS: Turn = Turn::Even;
    const BACKLOG_BATCH: usize = INDEX_BATCH;
    const BACKLOG_MAX: usize = UNINDEXED_MAX;

    fn write<'w>(&'w mut self, conn: &'w Connection, queue: &'w Shared<Self>) -> Write<'w> {
        Write {
            conn,
            tally: &mut self.tally,
            queue,
        }
    }

    fn elsewhere(&self) -> Option<Elsewhere> {
        None
    }

    fn mark(&mut self) -> Mark {
        self.tally.mark()
    }

    fn undo(&mut self, mark: Mark) {
        self.tally.undo(mark);
    }

    fn complete(&mut self, conn: &Connection) -> Result<(), rusqlite::Error> {
        self.tally.flush(conn)
    }

    fn committed(&mut self, reader: &Reader, lane: Lane) {
        let commit = self.tally.take_commit(lane);
        let is_news = !(commit.messages.is_empty() && commit.chats.is_empty() && commit.contacts.is_empty());
        if (is_news || commit.seals || commit.earliest_open.is_some())
            && let Some(listener) = self.listener.get()
        {
            let heard = catch_unwind(AssertUnwindSafe(|| listener.committed(&commit, reader)));
            if heard.is_err() {
                tracing::error!("the commit listener panicked");
            }
        }
    }

    fn rolled_back(&mut self) {
        self.tally.forget();
    }

    /// Committed messages that the full-text index does not hold yet.
    fn backlog(&self) -> usize {
        self.tally.unindexed
    }

    fn work_off(write: &mut Write<'_>) -> Result<(), StoreError> {
        write.index_batch()
    }
}
