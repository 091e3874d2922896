//! Keeps the commitments of chats up to what their results say, and tells of what changed.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use chatstats_model::{ChatId, CommitmentState, ConversationId, ListedCommitment, Timestamp};
use chatstats_passes::{CommitmentKind, Commitments as Found, Pass, SettledCommitment, reconcile};
use chatstats_store::{Lane, NewCommitment, PassVersion, StoreError};
use serde_json::json;
use tokio::sync::Notify;

use crate::analysis::Inner;

/// The pass whose results these are.
const PASS: &str = "commitments";

/// How long changes of a chat are gathered: a run changes each of its conversations.
const GATHER: Duration = Duration::from_secs(2);

/// The longest until a commitment is found to be late: clocks are set, and machines sleep.
const LOOK_EVERY: Duration = Duration::from_secs(60);

/// Told of in one step.
const TOLD_AT_ONCE: usize = 200;

/// Chats whose results changed and were not looked at yet.
#[derive(Default)]
pub(crate) struct Changed {
    chats: Mutex<BTreeSet<ChatId>>,
    rang: Notify,
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

    /// Lets what was decided be told.
    pub(crate) fn ring(&self) {
        self.rang.notify_one();
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
            () = inner.shutdown.cancelled() => return,
        }
        log(renew(&inner, pass).await);
        tokio::select! {
            () = tokio::time::sleep(GATHER) => {}
            () = inner.shutdown.cancelled() => return,
        }
    }
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
        if let Err(error) = renew_chat(inner, chat, version.clone()).await {
            chats.into_iter().for_each(|chat| inner.changed.add(chat));
            return Err(error);
        }
        chats.pop_first();
    }
    let now = inner.settings.now();
    inner
        .store
        .write(Lane::Bulk, 0, move |write| {
            write.commitments_late(now)?;
            if is_some {
                write.set_mark(MARK, &newest.to_string())?;
            }
            Ok(())
        })
        .await?;
    tell(inner).await
}

async fn renew_chat(inner: &Inner, chat: ChatId, pass: PassVersion) -> Result<(), StoreError> {
    let now = inner.settings.now();
    let commitments = inner
        .store
        .read(move |reader| Ok(commitments(&reader.chat_results(chat, &pass)?, now)))
        .await?;
    let cost_bytes = commitments.iter().map(|one| one.text.len() + 200).sum();
    inner
        .store
        .write(Lane::Bulk, cost_bytes, move |write| {
            write.put_commitments(chat, &commitments)
        })
        .await
}

/// The commitments of a chat, from the results of all its conversations.
fn commitments(results: &[chatstats_store::ChatResult], now: Timestamp) -> Vec<NewCommitment> {
    let read = |result: &chatstats_store::ChatResult| {
        let found: Found = serde_json::from_str(&result.json).ok()?;
        Some((result.conversation_id, found))
    };
    let all: Vec<(ConversationId, Found)> = results.iter().filter_map(read).collect();
    let settled = reconcile(all.iter().map(|(_, found)| found), now);
    let settled: std::collections::HashMap<String, SettledCommitment> =
        settled.into_iter().map(|one| (one.key.clone(), one)).collect();
    let mut commitments = Vec::with_capacity(settled.len());
    for (conversation_id, found) in all {
        for one in found.found {
            let is_promise = one.kind == CommitmentKind::Promise;
            let end = settled.get(&one.key);
            commitments.push(NewCommitment {
                conversation_id,
                message_id: one.message_id,
                kind: if is_promise { "promise" } else { "request" },
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
    loop {
        let untold = inner
            .store
            .read(|reader| reader.untold_commitments(TOLD_AT_ONCE))
            .await?;
        if untold.is_empty() {
            return Ok(());
        }
        let is_last = untold.len() < TOLD_AT_ONCE;
        let mut told = Vec::with_capacity(untold.len());
        for one in untold {
            let event_type = if one.was_told {
                "commitment_updated"
            } else {
                "commitment_found"
            };
            let scope = format!("commitments:{}", one.commitment.chat_id);
            inner
                .voice
                .say_surely(&scope, event_type, data(&one.commitment))
                .await;
            told.push(one.commitment);
        }
        inner
            .store
            .write(Lane::Bulk, 0, move |write| write.commitments_told(&told))
            .await?;
        if is_last {
            return Ok(());
        }
    }
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
