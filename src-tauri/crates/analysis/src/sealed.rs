//! Takes sealed conversations from the bus, and has them analysed.

use std::sync::Arc;
use std::time::Duration;

use chatstats_bus::{Entry, Filter, Item, Notice, Start, StreamId, StreamKey, Tail};
use chatstats_model::{ChatId, ConversationId};
use chatstats_store::{Lane, NewTask, Selection, StoreError};

use crate::analysis::{Inner, lanes};
use crate::{forget, requests};

/// The name under which the database keeps how far the bus was read.
const MARK: &str = "sealed_read_to";

/// Events taken together: one step of the writer for all of them.
const TAKEN_AT_ONCE: usize = 500;

/// Before the bus is asked again.
const RETRY: Duration = Duration::from_secs(1);

/// What a conversation that was just sealed is worth, next to runs asked for by hand.
const SEALED_PRIORITY: u8 = 0;

/// Follows the bus until shutdown.
pub(crate) async fn listen(inner: Arc<Inner>) {
    if !inner.settings.on_seal {
        return;
    }
    loop {
        let ended = tokio::select! {
            ended = follow(&inner) => ended,
            () = inner.shutdown.cancelled() => return,
        };
        match ended {
            Err(StoreError::Closed) => return,
            Err(error) => {
                tracing::error!(%error, "sealed conversations could not be noted; it is tried again")
            }
            Ok(()) => {}
        }
        tokio::select! {
            () = tokio::time::sleep(RETRY) => {}
            () = inner.shutdown.cancelled() => return,
        }
    }
}

async fn follow(inner: &Inner) -> Result<(), StoreError> {
    let mark = inner.store.read(|reader| reader.mark(MARK)).await?;
    let start = mark.as_deref().and_then(|mark| mark.parse().ok());
    let filter = Filter::Events {
        scope: None,
        run_id: None,
    };
    let from = start.map_or(Start::Now, Start::Resume);
    let mut tail = match inner.bus.follow(&StreamKey::events(), filter, from).await {
        Ok(tail) => tail,
        Err(error) => {
            tracing::debug!(%error, "the bus cannot be followed for now");
            return Ok(());
        }
    };
    if start.is_none() {
        // The first start, or a database of before there was analysis.
        all_that_lack(inner).await?;
    }
    loop {
        let some = take(&mut tail).await;
        note(inner, some).await?;
    }
}

/// What one read of the bus brought.
#[derive(Default)]
struct Taken {
    sealed: Vec<NewTask>,
    last: Option<StreamId>,
    has_gap: bool,
}

/// Waits for an event, and takes those that are there as well.
async fn take(tail: &mut Tail) -> Taken {
    let mut taken = Taken::default();
    taken.add(tail.recv().await);
    while taken.sealed.len() < TAKEN_AT_ONCE {
        let more = std::future::poll_fn(|cx| match tail.poll_recv(cx) {
            std::task::Poll::Ready(item) => std::task::Poll::Ready(Some(item)),
            std::task::Poll::Pending => std::task::Poll::Ready(None),
        });
        match more.await {
            Some(item) => taken.add(item),
            None => break,
        }
    }
    taken
}

impl Taken {
    fn add(&mut self, item: Item) {
        match item {
            Item::Entry(entry) => {
                self.last = Some(entry.id);
                self.sealed.extend(sealed(&entry));
            }
            Item::Notice(Notice::Gap) => self.has_gap = true,
            Item::Notice(Notice::Away(_)) => {}
        }
    }
}

/// The conversation that an event says is sealed.
fn sealed(entry: &Entry) -> Option<NewTask> {
    let number = |name: &str| entry.fields.text(name)?.parse().ok();
    (entry.fields.text("type") == Some("conversation_sealed")).then_some(())?;
    Some(NewTask {
        chat_id: ChatId(number("chat_id")?),
        conversation_id: ConversationId(number("conversation_id")?),
    })
}

/// Writes tasks down, together with how far the bus was read: after a crash nothing is missed and nothing twice.
async fn note(inner: &Inner, taken: Taken) -> Result<(), StoreError> {
    if taken.has_gap {
        tracing::warn!("the bus lost events; all conversations are looked through instead");
        all_that_lack(inner).await?;
    }
    let now = inner.settings.now();
    let lanes = lanes(&inner.switches.enabled());
    let is_some = !taken.sealed.is_empty();
    // Our own events come back as well, many of them: where nothing was sealed, the place is worth no write.
    if is_some || taken.has_gap {
        inner
            .store
            .write_analysis(Lane::Bulk, 0, move |write| {
                for task in &taken.sealed {
                    for lane in &lanes {
                        write.queue_task(*task, *lane, SEALED_PRIORITY, now)?;
                    }
                }
                match taken.last {
                    Some(last) => write.set_mark(MARK, &last.to_string()),
                    None => Ok(()),
                }
            })
            .await?;
        inner.ring();
        // Where conversations are cut anew some go, and others are sealed.
        forget::results_of_gone(inner).await;
    }
    Ok(())
}

/// Queues every sealed conversation that lacks a result.
async fn all_that_lack(inner: &Inner) -> Result<(), StoreError> {
    let enabled = inner.switches.enabled();
    for lane in lanes(&enabled) {
        let passes = requests::of_lane(&enabled, lane);
        let selection = Selection {
            lacking: requests::versions(&passes),
            set: requests::set(&passes),
            ..Selection::default()
        };
        let lacking = inner
            .store
            .read(move |reader| reader.select_conversations(&selection))
            .await?;
        for some in lacking.chunks(TAKEN_AT_ONCE) {
            let (some, now) = (some.to_vec(), inner.settings.now());
            let queued = inner.store.write_analysis(Lane::Bulk, 0, move |write| {
                for task in &some {
                    write.queue_task(*task, lane, SEALED_PRIORITY, now)?;
                }
                Ok(())
            });
            queued.await?;
            inner.ring();
        }
    }
    Ok(())
}
