//! Work that nobody waits for, beside messages that somebody does wait for.

use std::sync::Arc;
use std::time::Duration;

use chatstats_store::{Lane, Store, StoreError, Write};

/// So long after a message came, more are expected.
const MESSAGES_COME: Duration = Duration::from_millis(50);

/// Items in one step of the writer, at most: enough to share the cost of a commit.
const AT_ONCE: usize = 1_000;

/// The same while messages come: one that arrives in the middle waits for the commit of them.
const AT_ONCE_BESIDE_MESSAGES: usize = 16;

/// Whether messages come one after the other: whoever computes rests in between, and writes little at once.
pub(crate) fn do_messages_come(store: &Store) -> bool {
    store.since_live().is_some_and(|since| since < MESSAGES_COME)
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
    put: impl Fn(&mut Write<'_>, &[T]) -> Result<(), StoreError> + Send + Sync + 'static,
) -> Result<(), StoreError> {
    let (items, put) = (Arc::new(items), Arc::new(put));
    let mut done = 0;
    while done < items.len() {
        let (items, put) = (Arc::clone(&items), Arc::clone(&put));
        let most = if do_messages_come(store) {
            AT_ONCE_BESIDE_MESSAGES
        } else {
            AT_ONCE
        };
        done = store
            .write(Lane::Bulk, 0, move |write| {
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
