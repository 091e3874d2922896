//! Announcing seals: `conversation_sealed` on the bus, once for each seal, in their order.
//!
//! The store writes down what is to be announced with the seal itself. It is taken in batches; a batch is noted with its
//! place in the log, published, acknowledged, and marked as done by the write that begins the next. If the program ends
//! in between, the next start looks in the log, after that place, for what was published of the last batch, and
//! publishes the rest.
//!
//! The history that an import brings is announced like everything else: one batch at a time, so that it takes turns with
//! what others publish, and no more than a batch waits in memory.

use std::collections::HashSet;
use std::ops::Bound;
use std::sync::Arc;
use std::time::Duration;

use chatstats_bus::{Bus, BusError, Entry, StreamId, StreamKey, Submitted};
use chatstats_model::{ConversationId, Timestamp};
use chatstats_store::{Announcing, Lane, Seal, StoreError};
use serde_json::{Map, Value};

use super::Inner;

/// Seals announced together: enough to share the cost of a commit here and in the log.
const BATCH: usize = 500;

/// Entries of the log read at once when looking for what was published.
const PAGE: usize = 1_000;

/// Waits before another try, the first and the longest: Redis may be away for long, or the disk full.
const RETRY: (Duration, Duration) = (Duration::from_millis(200), Duration::from_secs(5));

/// The event's type.
const SEALED: &str = "conversation_sealed";

/// Why seals could not be announced for now.
#[derive(Debug, thiserror::Error)]
enum Failed {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Bus(#[from] BusError),
}

/// Announces what there is whenever there is something, for ever.
pub(super) async fn keep(tracker: &Arc<Inner>, bus: &Bus) {
    let mut announcer = Announcer {
        tracker,
        bus,
        key: StreamKey::events(),
        is_sure: false,
        done: Vec::new(),
    };
    let mut retry = RETRY.0;
    loop {
        match announcer.announce().await {
            Ok(()) => {
                retry = RETRY.0;
                tracker.seals.notified().await;
            }
            Err(Failed::Store(StoreError::Closed) | Failed::Bus(BusError::Closed)) => return,
            Err(error) => {
                tracing::warn!(%error, "sealed conversations are not announced for now; it is tried again");
                tokio::time::sleep(retry).await;
                retry = (retry * 2).min(RETRY.1);
            }
        }
    }
}

struct Announcer<'a> {
    tracker: &'a Arc<Inner>,
    bus: &'a Bus,
    key: StreamKey,
    /// Whether what was begun before this start is known to be done.
    is_sure: bool,
    /// Announced, and not marked yet.
    done: Vec<Seal>,
}

impl Announcer<'_> {
    /// Announces all there is.
    async fn announce(&mut self) -> Result<(), Failed> {
        if !self.has_seals().await? {
            return Ok(());
        }
        if !self.is_sure {
            self.find_announced().await?;
            self.is_sure = true;
        }
        let mut after = self.bus.info(&self.key).await?.newest;
        loop {
            let batch = self.next_batch(after).await?;
            if batch.is_empty() {
                return Ok(());
            }
            after = after.max(self.publish(batch).await?);
        }
    }

    async fn has_seals(&self) -> Result<bool, StoreError> {
        let except = self.tracker.lock().hold.chats();
        let has_seals = self.tracker.store.read(move |reader| reader.has_seals(&except));
        Ok(has_seals.await? || !self.done.is_empty())
    }

    /// Marks what is done, and begins the next batch: its entries can only come after `after`.
    async fn next_batch(&mut self, after: StreamId) -> Result<Vec<Seal>, StoreError> {
        let (done, after) = (self.done.clone(), after.to_string());
        let tracker = Arc::clone(self.tracker);
        let next = move |write: &mut chatstats_store::Write<'_>| {
            // Asked within the write: an import may have come before it.
            let except = tracker.lock().hold.chats();
            write.next_seals(&done, &after, &except, BATCH)
        };
        let batch = self.tracker.store.write(Lane::Bulk, 0, next).await?;
        self.done.clear();
        Ok(batch)
    }

    /// Publishes a batch; answers the last id. What failed is taken again with a later batch.
    async fn publish(&mut self, batch: Vec<Seal>) -> Result<StreamId, BusError> {
        let submitted: Vec<_> = batch.iter().map(|seal| self.submit(seal)).collect();
        let mut last = StreamId::ZERO;
        let mut failed = None;
        for (seal, submitted) in batch.into_iter().zip(submitted) {
            let written = match submitted {
                Ok(submitted) => submitted.await,
                Err(error) => Err(error),
            };
            match written {
                Ok(id) => {
                    last = last.max(id);
                    self.done.push(seal);
                }
                Err(error) => failed = Some(error),
            }
        }
        failed.map_or(Ok(last), Err)
    }

    fn submit(&self, seal: &Seal) -> Result<Submitted, BusError> {
        let mut data = Map::new();
        data.insert("chat_id".into(), seal.chat_id.0.into());
        data.insert("conversation_id".into(), seal.conversation_id.0.into());
        data.insert(
            "last_message_time".into(),
            Value::String(seal.last_message_time.to_string()),
        );
        self.bus.submit(&format!("chat:{}", seal.chat_id), SEALED, &data)
    }

    /// Marks what an earlier start of the program published of its last batch.
    async fn find_announced(&self) -> Result<(), Failed> {
        let store = &self.tracker.store;
        let Some(batch) = store.read(|reader| reader.announcing()).await? else {
            return Ok(());
        };
        let found = self.published_after(&batch).await?;
        if !found.is_empty() {
            let found: Vec<_> = found.into_iter().collect();
            store
                .write(Lane::Bulk, 0, move |write| write.confirm_seals(&found, &batch))
                .await?;
        }
        Ok(())
    }

    async fn published_after(
        &self,
        batch: &Announcing,
    ) -> Result<HashSet<(ConversationId, Timestamp)>, BusError> {
        let mut after = batch.after.parse().unwrap_or(StreamId::ZERO);
        let mut found = HashSet::new();
        loop {
            let ids = (Bound::Excluded(after), Bound::Unbounded);
            let page = self.bus.range(&self.key, ids, PAGE).await?;
            found.extend(page.entries.iter().filter_map(|entry| sealed(entry)));
            match page.entries.last() {
                Some(last) if page.more => after = last.id,
                _ => return Ok(found),
            }
        }
    }
}

/// The seal that an entry announces.
fn sealed(entry: &Entry) -> Option<(ConversationId, Timestamp)> {
    let fields = &entry.fields;
    (fields.text("type") == Some(SEALED)).then_some(())?;
    let id = fields.text("conversation_id")?.parse().ok()?;
    let last = fields.text("last_message_time")?.parse().ok()?;
    Some((ConversationId(id), last))
}
