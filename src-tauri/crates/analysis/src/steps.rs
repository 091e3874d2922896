//! Work that nobody waits for, beside messages that somebody does wait for.
//!
//! What analysis writes has a file and a writer of its own, for which no message waits; but a message needs the
//! processors, and the disk, on its way to those who follow. So whoever works here looks whether messages come.

use std::sync::Arc;
use std::time::Duration;

use chatstats_store::{Lane, Store, StoreError, WriteAnalysis};

/// So long after a message came, more are expected.
const MESSAGES_COME: Duration = Duration::from_millis(50);

/// So long after a message came, another may come at any moment.
const MESSAGES_MAY_COME: Duration = Duration::from_secs(1);

/// How long a message takes to reach a thousand followers.
const SPREAD: Duration = Duration::from_millis(15);

/// Items in one step of the writer, at most. Where a message comes in the middle, what there is by then is committed.
const AT_ONCE: AtOnce = AtOnce {
    alone: 1_000,
    may_come: 500,
    come: 16,
};

/// How much is written in one step of the writer, at most.
pub(crate) struct AtOnce {
    /// Where no messages come: enough to share the cost of a commit.
    pub(crate) alone: usize,
    /// Where one came a while ago, and another may.
    pub(crate) may_come: usize,
    /// Where they come one after the other.
    pub(crate) come: usize,
}

impl AtOnce {
    /// As things are now.
    pub(crate) fn beside(&self, store: &Store) -> usize {
        match store.since_live() {
            Some(since) if since < MESSAGES_COME => self.come,
            Some(since) if since < MESSAGES_MAY_COME => self.may_come,
            _ => self.alone,
        }
    }
}

/// Whether messages come one after the other: whoever computes rests in between, and writes little at once.
pub(crate) fn do_messages_come(store: &Store) -> bool {
    store.since_live().is_some_and(|since| since < MESSAGES_COME)
}

/// How long until the last message has reached those who follow, where messages come one after the other.
pub(crate) fn until_spread(store: &Store) -> Option<Duration> {
    let since = store.since_live().filter(|since| *since < MESSAGES_COME)?;
    Some(SPREAD.saturating_sub(since))
}

/// Waits for that. Not for the next one as well: what is written here is waited for too.
pub(crate) async fn let_spread(store: &Store) {
    if let Some(rest) = until_spread(store).filter(|rest| !rest.is_zero()) {
        tokio::time::sleep(rest).await;
    }
}

/// Writes all items, `few` at a time, in as many steps as it takes: each ends where a message waits.
///
/// # Errors
///
/// Those of `put`; some of the items may be written then.
pub(crate) async fn in_steps<T: Send + Sync + 'static>(
    store: &Store,
    items: Vec<T>,
    few: usize,
    put: impl Fn(&mut WriteAnalysis<'_>, &[T]) -> Result<(), StoreError> + Send + Sync + 'static,
) -> Result<(), StoreError> {
    let (items, put) = (Arc::new(items), Arc::new(put));
    let mut done = 0;
    while done < items.len() {
        let_spread(store).await;
        let (items, put) = (Arc::clone(&items), Arc::clone(&put));
        let most = AT_ONCE.beside(store);
        done = store
            .write_analysis(Lane::Bulk, 0, move |write| {
                let mut upto = done;
                for few in items[done..].chunks(few) {
                    put(write, few)?;
                    upto += few.len();
                    if write.is_in_the_way() || upto - done >= most {
                        break;
                    }
                }
                Ok(upto)
            })
            .await?;
    }
    Ok(())
}
