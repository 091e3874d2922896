//! Live passes: the open conversation of a chat is looked at when something came, and it is quiet again.
//!
//! Nothing of this is written down to be done: what a crash or a limit leaves out is analysed when the conversation is
//! sealed.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use chatstats_model::{ChatId, ConversationId, Timestamp};
use chatstats_passes::{Cadence, Pass};
use chatstats_store::{Commit, CommitListener, ConversationWork, Lane, Reader, StoreError};
use tokio::sync::{Notify, oneshot};
use tokio::time::Instant;

use crate::analysis::Inner;
use crate::execute::{Outcome, Work, execute, in_order};
use crate::plan::Plan;
use crate::scheduling;
use crate::watch::{Thread, Watch};

/// How long a chat must be quiet: whoever writes three lines in a row is looked at once.
const QUIET: Duration = Duration::from_secs(1);

/// The longest that a chat which is never quiet waits.
const LATEST: Duration = Duration::from_secs(10);

/// Chats that wait at a time. Only an import brings so many, and nearly all of its conversations are over.
const WAITING_MAX: usize = 10_000;

/// Messages of an open conversation that is looked at. A longer one is a program's, and every look reads it whole.
const MESSAGES_MAX: i64 = 5_000;

/// How often a look that takes long is watched.
const WATCH_EVERY: Duration = Duration::from_secs(1);

/// Chats that have something new. A cheap handle: listens to commits, and never blocks.
#[derive(Clone, Default)]
pub struct Arrivals(Arc<Shared>);

#[derive(Default)]
struct Shared {
    waiting: Mutex<Waiting>,
    rang: Notify,
}

/// Since when each chat waits, and which is due next: both are a step or two for each commit, however many wait.
#[derive(Default)]
struct Waiting {
    since: HashMap<ChatId, Since>,
    by_due: BTreeSet<(Instant, ChatId)>,
}

#[derive(Clone, Copy)]
struct Since {
    first: Instant,
    last: Instant,
}

impl Since {
    fn due(self) -> Instant {
        (self.last + QUIET).min(self.first + LATEST)
    }
}

impl Arrivals {
    /// Notes that a chat has something new.
    pub fn add(&self, chat: ChatId) {
        self.add_all([chat]);
    }

    fn add_all(&self, chats: impl IntoIterator<Item = ChatId>) {
        let now = Instant::now();
        let mut waiting = self.waiting();
        let was_empty = waiting.since.is_empty();
        for chat in chats {
            waiting.add(chat, now);
        }
        drop(waiting);
        // Who comes later is due later: whoever waits for a chat need not hear of the next.
        if was_empty {
            self.0.rang.notify_one();
        }
    }

    /// Waits for a chat whose time has come, the one that is due longest, and takes it.
    async fn next(&self) -> ChatId {
        loop {
            let next = self.waiting().take(Instant::now());
            match next {
                Next::Chat(chat) => return chat,
                Next::At(due) => tokio::time::sleep_until(due).await,
                // A ring before this is kept: it is not slept over.
                Next::None => self.0.rang.notified().await,
            }
        }
    }

    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        self.0.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl CommitListener for Arrivals {
    fn committed(&self, commit: &Commit, _reader: &Reader) {
        if commit.messages.is_empty() {
            return;
        }
        self.add_all(commit.messages.iter().map(|published| published.chat_id));
    }
}

/// What there is to do.
#[derive(Debug, PartialEq, Eq)]
enum Next {
    Chat(ChatId),
    At(Instant),
    None,
}

impl Waiting {
    fn add(&mut self, chat: ChatId, now: Instant) {
        let first = match self.since.get(&chat) {
            Some(since) => {
                self.by_due.remove(&(since.due(), chat));
                since.first
            }
            None if self.since.len() < WAITING_MAX => now,
            None => return,
        };
        let since = Since { first, last: now };
        self.since.insert(chat, since);
        self.by_due.insert((since.due(), chat));
    }

    fn take(&mut self, now: Instant) -> Next {
        match self.by_due.first().copied() {
            Some((due, chat)) if due <= now => {
                self.by_due.pop_first();
                self.since.remove(&chat);
                Next::Chat(chat)
            }
            Some((due, _)) => Next::At(due),
            None => Next::None,
        }
    }
}

/// Looks at open conversations until shutdown: one at a time, and between two it rests for as long as the last took,
/// so that it never takes more than half a processor.
pub(crate) async fn look(inner: Arc<Inner>) {
    let work = async {
        loop {
            let chat = inner.settings.arrivals.next().await;
            let began = Instant::now();
            match look_at(&inner, chat).await {
                Ok(Looked::Done) => {}
                Ok(Looked::Hangs) => return,
                Err(StoreError::Closed) => return,
                Err(error) => {
                    tracing::warn!(%error, chat.id = %chat, "an open conversation could not be looked at");
                }
            }
            tokio::time::sleep(began.elapsed()).await;
        }
    };
    tokio::select! { () = work => {}, () = inner.shutdown.cancelled() => {} }
}

enum Looked {
    Done,
    /// A pass does not end. Its thread cannot be ended either, and must stay the only one.
    Hangs,
}

async fn look_at(inner: &Inner, chat: ChatId) -> Result<Looked, StoreError> {
    let passes = live(&inner.switches.enabled());
    if passes.is_empty() {
        return Ok(Looked::Done);
    }
    let (plan, now) = (Plan::new(passes, false), inner.settings.now());
    let versions = plan.versions().to_vec();
    let found = inner
        .store
        .read(move |reader| open(reader, chat, now, &versions))
        .await?;
    let Some((id, work)) = found else {
        return Ok(Looked::Done);
    };
    if work.known.len() == plan.passes().len() {
        return Ok(Looked::Done);
    }
    let Some(outcome) = compute(inner, id, work, plan).await else {
        return Ok(Looked::Hangs);
    };
    if let Some((error, _)) = outcome.error {
        // The task of the sealed conversation tries again, and tells.
        tracing::debug!(error, conversation.id = %id, "a live pass failed");
    }
    let (results, now) = (outcome.results, inner.settings.now());
    let stored = inner
        .store
        .write_analysis(Lane::Bulk, 0, move |write| write.put_live_results(&results, now))
        .await?;
    if stored > 0 {
        inner.voice.live(chat, id);
    }
    Ok(Looked::Done)
}

/// The live passes, with those they need. What waits for somebody else is not for every message.
fn live(enabled: &[&'static dyn Pass]) -> Vec<&'static dyn Pass> {
    let is_live = |pass: &&'static dyn Pass| pass.cadence() == Cadence::Live && !pass.waits();
    let wanted: Vec<_> = enabled.iter().copied().filter(is_live).collect();
    in_order(&wanted, enabled)
}

/// The open conversation of a chat, unless its pause has passed and it is about to be sealed: an import brings
/// thousands of these.
fn open(
    reader: &Reader,
    chat: ChatId,
    now: Timestamp,
    passes: &[chatstats_store::PassVersion],
) -> Result<Option<(ConversationId, ConversationWork)>, StoreError> {
    let Some(open) = reader.open_conversation(chat)? else {
        return Ok(None);
    };
    let is_over = open.last_message_time.as_micros() + reader.conversation_gap_us()? <= now.as_micros();
    if is_over || open.message_count > MESSAGES_MAX {
        return Ok(None);
    }
    let work = reader.conversation_work(open.id, passes)?;
    Ok(work
        .filter(|work| !work.messages.is_empty())
        .map(|work| (open.id, work)))
}

/// Runs the passes on a thread of low priority; none if they do not end.
async fn compute(
    inner: &Inner,
    conversation: ConversationId,
    found: ConversationWork,
    plan: Plan,
) -> Option<Outcome> {
    let work = Work {
        conversation,
        fingerprint: found.fingerprint,
        messages: found.messages,
        is_group: found.is_group,
        known: found.known,
    };
    let (zone, (reply, mut answer)) = (inner.settings.zone.clone(), oneshot::channel());
    let thread = Arc::new(OnceLock::new());
    // Holds nothing of the program: one that hangs keeps no database open.
    let started = std::thread::Builder::new().name("analyse-live".into()).spawn({
        let thread = thread.clone();
        move || {
            scheduling::go_last();
            thread.get_or_init(Thread::this);
            drop(reply.send(execute(&work, &plan, &zone, || ())));
        }
    });
    if let Err(error) = started {
        tracing::warn!(%error, "an open conversation could not be looked at");
        return Some(Outcome::default());
    }
    let (longest, began) = (inner.settings.pass_time_max, std::time::Instant::now());
    let (mut watch, mut took) = (Watch::default(), Duration::ZERO);
    while took <= longest {
        if let Ok(outcome) = tokio::time::timeout(longest.min(WATCH_EVERY), &mut answer).await {
            return Some(outcome.unwrap_or_default());
        }
        // One that has not even begun hangs in nothing.
        took = thread.get().map_or(took, |thread| watch.look(thread, began));
    }
    tracing::error!(
        conversation.id = %conversation,
        "a live pass did not end within {} s; open conversations are not looked at until the next start",
        longest.as_secs_f64()
    );
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    const CHAT: ChatId = ChatId(1);

    #[test]
    fn a_chat_is_due_when_it_is_quiet() {
        let (mut waiting, start) = (Waiting::default(), Instant::now());
        assert_eq!(waiting.take(start), Next::None);
        waiting.add(CHAT, start);
        assert_eq!(waiting.take(start), Next::At(start + QUIET));
        waiting.add(CHAT, start + QUIET / 2);
        assert_eq!(waiting.take(start + QUIET), Next::At(start + QUIET + QUIET / 2));
        assert_eq!(waiting.take(start + QUIET * 2), Next::Chat(CHAT));
        assert_eq!(waiting.take(start + QUIET * 2), Next::None);
    }

    #[test]
    fn a_chat_that_is_never_quiet_is_due_all_the_same() {
        let (mut waiting, start) = (Waiting::default(), Instant::now());
        let mut now = start;
        while now < start + LATEST {
            waiting.add(CHAT, now);
            assert_ne!(waiting.take(now), Next::Chat(CHAT));
            now += QUIET / 2;
        }
        assert_eq!(waiting.take(start + LATEST), Next::Chat(CHAT));
    }

    #[test]
    fn no_more_chats_wait_than_the_limit() {
        let (mut waiting, now) = (Waiting::default(), Instant::now());
        for chat in 0..(WAITING_MAX as i64 + 10) {
            waiting.add(ChatId(chat), now);
        }
        assert_eq!(
            (waiting.since.len(), waiting.by_due.len()),
            (WAITING_MAX, WAITING_MAX)
        );
    }

    #[tokio::test(start_paused = true)]
    async fn a_chat_that_comes_while_another_is_waited_for_is_heard() {
        let arrivals = Arrivals::default();
        let start = Instant::now();
        arrivals.add(CHAT); // rings before anybody waits
        let later = arrivals.clone();
        tokio::spawn(async move {
            tokio::time::sleep(QUIET / 2).await;
            later.add(CHAT);
            later.add(ChatId(2));
        });
        assert_eq!(arrivals.next().await, CHAT);
        assert_eq!(start.elapsed().as_millis(), (QUIET + QUIET / 2).as_millis());
        assert_eq!(arrivals.next().await, ChatId(2));
    }
}
