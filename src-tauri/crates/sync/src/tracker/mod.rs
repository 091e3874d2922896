//! The tracker: seals conversations by the clock, and announces every seal on the event bus.
//!
//! Cutting and sealing by later messages is the store's, in the transaction that stores them. What is left is a chat's
//! last conversation, sealed when the pause has passed without another message, and word of all seals. Two loops do
//! it: `clock.rs` has one timer, for the conversation that is due next, and `announce.rs` works off what the store has
//! written down to be announced. Both start with what was left when the program ended.

mod announce;
mod clock;
mod hold;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use chatstats_bus::Bus;
use chatstats_model::{ChatId, ConversationId, Timestamp};
use chatstats_store::{Commit, CommitListener, Lane, Reader, Store, StoreError};
use tokio::sync::Notify;

use hold::Hold;

/// What the tracker goes by.
#[derive(Clone)]
pub struct TrackerSettings {
    /// The pause that ends a conversation, in minutes.
    pub gap_minutes: u32,
    /// The clock on the wall: messages are dated by it.
    pub now: Arc<dyn Fn() -> Timestamp + Send + Sync>,
}

/// Seals conversations by the clock and announces seals. A cheap handle.
///
/// It hears of commits ([`CommitListener`]), and works while [`run`](Self::run) is polled.
#[derive(Clone)]
pub struct Tracker(Arc<Inner>);

struct Inner {
    store: Store,
    settings: TrackerSettings,
    state: Mutex<State>,
    /// The timer may have to go off sooner, or an import has written.
    re_arm: Notify,
    /// There may be seals to announce.
    seals: Notify,
}

struct State {
    /// The timer. Never too late: a conversation that goes on is only noticed when it goes off.
    due: Option<Timestamp>,
    hold: Hold,
}

impl Tracker {
    /// Over `store`, whose commits it must hear of from the first on.
    pub fn new(store: Store, settings: TrackerSettings) -> Self {
        let state = State {
            due: None,
            hold: Hold::default(),
        };
        Self(Arc::new(Inner {
            store,
            settings,
            state: Mutex::new(state),
            re_arm: Notify::new(),
            seals: Notify::new(),
        }))
    }

    /// Seals and announces, for ever: first what came due while the program was off. May be dropped at any moment;
    /// the next run goes on where this one was, and announces nothing twice.
    pub async fn run(&self, bus: &Bus) {
        tokio::join!(clock::keep(&self.0), announce::keep(&self.0, bus));
    }

    /// Seals the chat's open conversation without waiting for the pause; answers which, if there was one. A later
    /// message within the pause opens it again.
    ///
    /// # Errors
    ///
    /// The database's.
    pub async fn force_seal(&self, chat: ChatId) -> Result<Option<ConversationId>, StoreError> {
        let seal = move |write: &mut chatstats_store::Write<'_>| write.seal_open(chat);
        self.0.store.write(Lane::Live, 0, seal).await
    }

    /// When the next conversation may be due, as far as that is known now.
    pub fn next_due(&self) -> Option<Timestamp> {
        self.0.lock().due
    }
}

impl CommitListener for Tracker {
    fn committed(&self, commit: &Commit, _: &Reader) {
        let mut state = self.0.lock();
        let is_import = commit.lane == Lane::Bulk && !commit.messages.is_empty();
        if is_import {
            state
                .hold
                .note(commit.messages.iter().map(|published| published.chat_id));
        } else if let Some(last) = commit.earliest_open {
            let due = self.0.due_after(last);
            if state.due.is_none_or(|known| due < known) {
                state.due = Some(due);
                self.0.re_arm.notify_one();
            }
        }
        drop(state);
        if is_import {
            self.0.re_arm.notify_one();
        }
        if commit.seals {
            self.0.seals.notify_one();
        }
    }
}

impl Inner {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn now(&self) -> Timestamp {
        (self.settings.now)()
    }

    fn gap_us(&self) -> i64 {
        i64::from(self.settings.gap_minutes) * 60 * 1_000_000
    }

    /// When a conversation is due whose last message was sent then.
    fn due_after(&self, last: Timestamp) -> Timestamp {
        Timestamp::from_micros(last.as_micros() + self.gap_us()).unwrap_or(last)
    }
}
