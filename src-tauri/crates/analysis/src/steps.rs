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

/// How long a message needs the processors, where few follow. Whoever begins while one is on its way keeps it waiting:
/// where messages come at a steady pace, a rest that is a multiple of it ends each time in the middle of the next one.
const ON_ITS_WAY: Duration = Duration::from_millis(3);

/// How many messages are let pass one after the other, at most: where they come without a gap there is no good moment.
const PASS_MAX: usize = 3;

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

/// How long to rest now, where messages come one after the other, each time it is asked: `rest`, which is given how long
/// it takes until the last one has reached those who follow; then as long as another is just on its way. Ends soon: what
/// is done here is waited for too.
pub(crate) fn rests(
    store: &Store,
    rest: impl FnOnce(Duration) -> Duration,
) -> impl Iterator<Item = Duration> {
    let since = store.since_live().filter(|since| *since < MESSAGES_COME);
    let first = since.map(|since| rest(SPREAD.saturating_sub(since)));
    let on_its_way = move || ON_ITS_WAY.checked_sub(store.since_live()?);
    let others = std::iter::from_fn(on_its_way).take(if first.is_some() { PASS_MAX } else { 0 });
    first.into_iter().chain(others).filter(|rest| !rest.is_zero())
}

/// Waits as long as a message is just on its way, where messages come one after the other: for whoever is in the middle of
/// something that nobody waits for.
pub(crate) fn let_pass(store: &Store) {
    rests(store, |_| Duration::ZERO).for_each(std::thread::sleep);
}

/// Waits until the last message has reached those who follow, where messages come one after the other.
pub(crate) async fn let_spread(store: &Store) {
    for rest in rests(store, |spread| spread) {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_is_in_the_middle_of_something_lets_a_message_pass_and_rests_for_nothing_else() {
        let folder = tempfile::tempdir().expect("a folder");
        let store = Store::open(folder.path()).expect("a store");
        assert_eq!(rests(&store, |spread| spread).count(), 0, "no message came");
        store.write_blocking(Lane::Bulk, |_| Ok(())).expect("written");
        assert_eq!(rests(&store, |spread| spread).count(), 0, "nor is an import one");
        store.write_blocking(Lane::Live, |_| Ok(())).expect("written");
        let_pass(&store);
        let since = store.since_live().expect("a message came");
        assert!(since >= ON_ITS_WAY, "{since:?} after the message");
    }

    #[test]
    fn messages_without_a_gap_let_everybody_have_a_turn() {
        let folder = tempfile::tempdir().expect("a folder");
        let store = Store::open(folder.path()).expect("a store");
        store.write_blocking(Lane::Live, |_| Ok(())).expect("written");
        let mut rested = 0;
        for rest in rests(&store, |spread| spread) {
            assert!(rest <= SPREAD);
            rested += 1;
            assert!(rested <= 1 + PASS_MAX, "it never ends");
            store.write_blocking(Lane::Live, |_| Ok(())).expect("written");
        }
    }
}
