//! Keeps the commitments of chats up to what their results say, and tells of what changed.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use chatstats_model::{ChatId, CommitmentState, ConversationId, ListedCommitment, Run, RunState, Timestamp};
use chatstats_passes::{CommitmentKind, Commitments as Found, Pass, SettledCommitment, reconcile};
use chatstats_store::{Lane, NewCommitment, PROMISE, PassVersion, REQUEST, Reader, StoreError, Untold};
use futures_util::future::join_all;
use serde_json::json;
use tokio::sync::Notify;
use tokio::time::Instant;

use crate::analysis::Inner;
use crate::pool;
use crate::steps::{AtOnce, in_steps, let_spread};

/// The pass whose results these are.
const PASS: &str = "commitments";

/// How long changes of a chat are gathered: a run changes each of its conversations.
const GATHER: Duration = Duration::from_secs(2);

/// How many times as long as it took to bring chats up to date nothing is done after that, at least: while a run goes
/// through a large chat, all of it is looked at each time. Nor is it between two chats and two steps of telling in the
/// middle of a run: one that found much was half as fast meanwhile.
const REST: u32 = 10;

/// The longest until a commitment is found to be late: clocks are set, and machines sleep.
const LOOK_EVERY: Duration = Duration::from_secs(60);

/// Told of in one step: where messages come, as many as are told between two of them.
const TOLD_AT_ONCE: AtOnce = AtOnce {
    alone: 200,
    may_come: 100,
    come: 32,
};

/// Stored before the writer looks whether a message waits, which ends the step: a part of a millisecond.
const STORED_UNSEEN: usize = 16;

/// Chats whose results changed and were not looked at yet.
#[derive(Default)]
pub(crate) struct Changed {
    chats: Mutex<BTreeSet<ChatId>>,
    rang: Notify,
    decided: Notify,
    run_ended: Notify,
}

impl Changed {
    pub(crate) fn add(&self, chat: ChatId) {
        let is_new = self
            .chats
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .insert(chat);
        if is_new {
            self.rang.notify_one();
        }
    }

    /// Lets what the user decided be told, at once.
    pub(crate) fn decided(&self) {
        self.decided.notify_one();
    }

    /// Lets what a run found be looked at without further ado.
    pub(crate) fn run_ended(&self) {
        self.run_ended.notify_one();
    }

    fn take(&self) -> BTreeSet<ChatId> {
        std::mem::take(&mut *self.chats.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// Works until shutdown.
pub(crate) async fn keep(inner: Arc<Inner>) {
    let Some(pass) = inner
        .settings
        .passes
        .iter()
        .copied()
        .find(|pass| pass.name() == PASS)
    else {
        return;
    };
    // At the start: results may have been stored just before the program ended.
    log(renew(&inner, pass).await);
    loop {
        tokio::select! {
            () = inner.changed.rang.notified() => {}
            () = tokio::time::sleep(LOOK_EVERY) => {}
            () = inner.changed.decided.notified() => {
                log(tell(&inner).await);
                continue;
            }
            () = inner.shutdown.cancelled() => return,
        }
        if is_running(&inner).await && rest(&inner, inner.settings.while_running, Waking::RunsEnd).await {
            return;
        }
        let began = Instant::now();
        log(renew(&inner, pass).await);
        let more = (began.elapsed() * REST).min(LOOK_EVERY);
        if rest(&inner, GATHER, Waking::Nothing).await
            || rest(&inner, more.saturating_sub(GATHER), Waking::RunsEnd).await
        {
            return;
        }
    }
}

/// What ends a rest early.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Waking {
    Nothing,
    RunsEnd,
}

/// Waits, and lets what the user decides be told meanwhile; answers whether that is all there will be.
async fn rest(inner: &Inner, time: Duration, waking: Waking) -> bool {
    let end = tokio::time::sleep(time);
    tokio::pin!(end);
    loop {
        tokio::select! {
            () = &mut end => return false,
            () = inner.changed.run_ended.notified(), if waking == Waking::RunsEnd => return false,
            () = inner.changed.decided.notified() => log(tell(inner).await),
            () = inner.shutdown.cancelled() => return true,
        }
    }
}

async fn is_running(inner: &Inner) -> bool {
    let unfinished = inner.store.read(|reader| reader.unfinished_runs()).await;
    let is_at_it = |run: &Run| matches!(run.state, RunState::Seeding | RunState::Running);
    unfinished.is_ok_and(|runs| runs.iter().any(|(run, _)| is_at_it(run)))
}

/// The name under which the database keeps up to which result the commitments are.
const MARK: &str = "commitments_from_results";

async fn renew(inner: &Inner, pass: &'static dyn Pass) -> Result<(), StoreError> {
    let version = PassVersion {
        name: pass.name().to_owned(),
        version: pass.version(),
    };
    // The rows say which chats lag behind, also when the last attempt failed, or the program ended before one. What is
    // stored while they are looked at comes again, and changes nothing.
    let (lagging, newest) = inner
        .store
        .read(|reader| {
            let mark = reader.mark(MARK)?.and_then(|mark| mark.parse().ok());
            reader.chats_with_results_since(mark.unwrap_or(0))
        })
        .await?;
    // A chat may have changed without a result: a conversation is gone, or became part of another.
    let mut chats = inner.changed.take();
    chats.extend(lagging);
    let is_some = !chats.is_empty();
    while let Some(chat) = chats.first().copied() {
        let began = Instant::now();
        if let Err(error) = renew_chat(inner, chat, version.clone()).await {
            chats.into_iter().for_each(|chat| inner.changed.add(chat));
            return Err(error);
        }
        chats.pop_first();
        give_way(inner, began.elapsed()).await;
        if inner.shutdown.is_cancelled() {
            // The next start finds by the mark what is left.
            return Ok(());
        }
    }
    let now = inner.settings.now();
    inner
        .store
        .write_analysis(Lane::Bulk, 0, move |write| {
            write.commitments_late(now)?;
            if is_some {
                write.set_mark(MARK, &newest.to_string())?;
            }
            Ok(())
        })
        .await?;
    loop {
        let began = Instant::now();
        if !tell_some(inner).await? || inner.shutdown.is_cancelled() {
            return Ok(());
        }
        give_way(inner, began.elapsed()).await;
    }
}

/// Lets a run go on that is at work, for [`REST`] times as long as something took, at most [`LOOK_EVERY`]; it is over early
/// when a run ends.
async fn give_way(inner: &Inner, took: Duration) {
    if !is_running(inner).await {
        return;
    }
    let end = tokio::time::sleep((took * REST).min(LOOK_EVERY));
    tokio::pin!(end);
    loop {
        tokio::select! {
            () = &mut end => return,
            () = inner.changed.run_ended.notified() => {
                // What comes after this is to hear of it, too: there is more to be looked at.
                inner.changed.run_ended();
                return;
            }
            () = inner.changed.decided.notified() => log(tell(inner).await),
            () = inner.shutdown.cancelled() => return,
        }
    }
}

async fn renew_chat(inner: &Inner, chat: ChatId, pass: PassVersion) -> Result<(), StoreError> {
    let (store, now) = (inner.store.clone(), inner.settings.now());
    let (changed, gone) = pool::apart("commitments", move || {
        store
            .reader()?
            .consistent(|reader| changes(reader, chat, &pass, now))
    })
    .await?;
    in_steps(&inner.store, changed, STORED_UNSEEN, move |write, few| {
        write.put_commitments(chat, few)
    })
    .await?;
    in_steps(&inner.store, gone, STORED_UNSEEN, move |write, few| {
        write.forget_commitments(chat, few)
    })
    .await
}

/// What of a chat is stored otherwise than its results show it, and the keys of what they do not show any more.
fn changes(
    reader: &Reader,
    chat: ChatId,
    pass: &PassVersion,
    now: Timestamp,
) -> Result<(Vec<NewCommitment>, Vec<String>), StoreError> {
    let mut found = commitments(&reader.chat_results(chat, pass)?, now);
    let known = reader.chat_commitments(chat)?;
    let known: HashMap<&str, &NewCommitment> = known.iter().map(|one| (one.key.as_str(), one)).collect();
    let keys: HashSet<&str> = found.iter().map(|one| one.key.as_str()).collect();
    let gone = known.keys().filter(|key| !keys.contains(*key));
    let gone = gone.map(|key| (*key).to_owned()).collect();
    found.retain(|one| known.get(one.key.as_str()) != Some(&one));
    Ok((found, gone))
}

/// The commitments of a chat, from the results of all its conversations.
fn commitments(results: &[chatstats_store::ChatResult], now: Timestamp) -> Vec<NewCommitment> {
    let read = |result: &chatstats_store::ChatResult| {
        let found: Found = serde_json::from_str(&result.json).ok()?;
        Some((result.conversation_id, found))
    };
    let all: Vec<(ConversationId, Found)> = results.iter().filter_map(read).collect();
    let settled = reconcile(all.iter().map(|(_, found)| found), now);
    let settled: HashMap<String, SettledCommitment> =
        settled.into_iter().map(|one| (one.key.clone(), one)).collect();
    let mut commitments = Vec::with_capacity(settled.len());
    for (conversation_id, found) in all {
        for one in found.found {
            let is_promise = one.kind == CommitmentKind::Promise;
            let end = settled.get(&one.key);
            commitments.push(NewCommitment {
                conversation_id,
                message_id: one.message_id,
                kind: if is_promise { PROMISE } else { REQUEST },
                who: if is_promise { one.by } else { one.to },
                mine: if is_promise { one.by_me } else { one.to_me },
                text: one.text,
                due: one.due,
                said_at: one.at,
                state: end.map_or(CommitmentState::Open, |end| end.status),
                done_by: end.and_then(|end| end.done_by),
                key: one.key,
            });
        }
    }
    commitments
}

/// Tells of what was not told yet. What is told and not noted, because the program ended in between, is told again:
/// it says how something stands, and saying so twice does no harm.
async fn tell(inner: &Inner) -> Result<(), StoreError> {
    while tell_some(inner).await? {}
    Ok(())
}

/// One step of that; answers whether there may be more.
async fn tell_some(inner: &Inner) -> Result<bool, StoreError> {
    // An import of years has tens of thousands to tell of, which is seconds of reading, publishing and writing.
    let_spread(&inner.store).await;
    let at_once = TOLD_AT_ONCE.beside(&inner.store);
    let untold = inner
        .store
        .read(move |reader| reader.untold_commitments(at_once))
        .await?;
    if untold.is_empty() {
        return Ok(false);
    }
    let is_last = untold.len() < at_once;
    // Handed over in their order, and written together.
    join_all(untold.iter().map(|one| tell_one(inner, one))).await;
    let told: Vec<_> = untold.into_iter().map(|one| one.commitment).collect();
    inner
        .store
        .write_analysis(Lane::Bulk, 0, move |write| write.commitments_told(&told))
        .await?;
    Ok(!is_last)
}

async fn tell_one(inner: &Inner, one: &Untold) {
    let event_type = match one.told {
        Some(told) if told == one.commitment.status => return,
        Some(_) => "commitment_updated",
        None => "commitment_found",
    };
    let scope = format!("commitments:{}", one.commitment.chat_id);
    let said = inner.voice.say_surely(&scope, event_type, data(&one.commitment));
    said.await;
}

fn data(one: &ListedCommitment) -> serde_json::Value {
    json!({
        "chat_id": one.chat_id,
        "conversation_id": one.conversation_id,
        "commitment_id": one.id,
        "who": one.who,
        "text": one.text,
        "due": one.due,
        "status": one.status,
    })
}

fn log(outcome: Result<(), StoreError>) {
    match outcome {
        Ok(()) | Err(StoreError::Closed) => {}
        Err(error) => {
            tracing::error!(%error, "commitments could not be brought up to date; it is tried again")
        }
    }
}
