//! What waits to be written, in its order.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::sync::{Notify, oneshot};

use crate::bus::Submitted;
use crate::engine::NewId;
use crate::{BusError, Fields, StreamId, StreamKey};

/// How many entries may wait: an hour of a busy analysis while Redis is away.
const WAITING_MAX: usize = 100_000;

/// How many bytes they may take.
const WAITING_BYTES_MAX: usize = 64 << 20;

/// What an entry takes beside its fields, about.
const ENTRY_BYTES: usize = 256;

/// How many are written at once: enough that the way to Redis costs little for each, few enough that others there do
/// not wait for long.
const BATCH_ENTRIES: usize = 512;

/// How many bytes of fields are written at once, for the same reason; an entry that is larger goes alone.
const BATCH_BYTES: usize = 1 << 20;

/// Entries on their way to Redis.
#[derive(Default)]
pub(super) struct Queue {
    state: Mutex<State>,
    changed: Notify,
}

#[derive(Default)]
struct State {
    waiting: VecDeque<Job>,
    /// All that were taken in and not settled, those in the writer's hands with them.
    entries: usize,
    bytes: usize,
    is_closed: bool,
}

/// An entry to be written.
pub(super) struct Job {
    pub(super) key: StreamKey,
    pub(super) id: NewId,
    pub(super) fields: Fields,
    reply: oneshot::Sender<Result<StreamId, BusError>>,
}

impl Queue {
    /// Takes an entry in.
    pub(super) fn submit(&self, key: &StreamKey, id: NewId, fields: Fields) -> Result<Submitted, BusError> {
        let taken = self.lock().push(key, id, fields);
        self.changed.notify_one();
        taken
    }

    /// Takes several in, which are written together as far as a batch goes. Answers how many were taken where one is
    /// refused.
    pub(super) fn submit_all(
        &self,
        key: &StreamKey,
        all: Vec<Fields>,
    ) -> Result<Vec<Submitted>, (usize, BusError)> {
        let mut submitted = Vec::with_capacity(all.len());
        let mut state = self.lock();
        let mut refused = None;
        for fields in all {
            match state.push(key, NewId::Auto, fields) {
                Ok(taken) => submitted.push(taken),
                Err(error) => {
                    refused = Some((submitted.len(), error));
                    break;
                }
            }
        }
        drop(state);
        self.changed.notify_one();
        refused.map_or(Ok(submitted), Err)
    }

    /// The next to be written together, all for one stream: at least one, and alone if it asks for its id. None when the
    /// queue is closed and empty.
    pub(super) async fn batch(&self) -> Option<Vec<Job>> {
        loop {
            {
                let mut state = self.lock();
                let batch = state.take();
                if !batch.is_empty() {
                    return Some(batch);
                }
                if state.is_closed {
                    return None;
                }
            }
            self.changed.notified().await;
        }
    }

    /// As [`batch`](Self::batch), if there is a full one already.
    pub(super) fn full_batch(&self) -> Option<Vec<Job>> {
        let mut state = self.lock();
        (state.waiting.len() >= BATCH_ENTRIES).then(|| state.take())
    }

    /// An entry is settled: tells who submitted it.
    pub(super) fn settle(&self, job: Job, outcome: Result<StreamId, BusError>) {
        self.settle_all(vec![job], [outcome]);
    }

    /// As [`settle`](Self::settle), for some together.
    pub(super) fn settle_all(
        &self,
        jobs: Vec<Job>,
        outcomes: impl IntoIterator<Item = Result<StreamId, BusError>>,
    ) {
        let bytes: usize = jobs.iter().map(Job::size_bytes).sum();
        let mut state = self.lock();
        state.entries -= jobs.len();
        state.bytes -= bytes;
        drop(state);
        for (job, outcome) in jobs.into_iter().zip(outcomes) {
            // Whoever submitted it need not wait to hear.
            let _ = job.reply.send(outcome);
        }
    }

    /// How many wait.
    pub(super) fn waiting(&self) -> usize {
        self.lock().entries
    }

    /// Takes nothing more in.
    pub(super) fn close(&self) {
        self.lock().is_closed = true;
        self.changed.notify_one();
    }

    /// Gives up what waits; answers how many there were, those in the writer's hands with them.
    pub(super) fn give_up(&self) -> usize {
        let mut state = self.lock();
        state.is_closed = true;
        // Dropping a job tells its submitter that the bus is closed.
        let given_up = std::mem::take(&mut state.waiting);
        let count = state.entries;
        drop(state);
        drop(given_up);
        count
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn push(&mut self, key: &StreamKey, id: NewId, fields: Fields) -> Result<Submitted, BusError> {
        let (reply, submitted) = Submitted::new();
        let job = Job {
            key: key.clone(),
            id,
            fields,
            reply,
        };
        if self.is_closed {
            return Err(BusError::Closed);
        }
        let bytes = self.bytes + job.size_bytes();
        if self.entries >= WAITING_MAX || bytes > WAITING_BYTES_MAX {
            return Err(BusError::Full {
                waiting: self.entries,
            });
        }
        self.entries += 1;
        self.bytes = bytes;
        self.waiting.push_back(job);
        Ok(submitted)
    }

    fn take(&mut self) -> Vec<Job> {
        let mut batch: Vec<Job> = Vec::new();
        let mut bytes = 0;
        while let Some(next) = self.waiting.front() {
            bytes += next.fields.size_bytes();
            let is_alike =
                |first: &Job| first.key == next.key && first.id == NewId::Auto && next.id == NewId::Auto;
            let goes_along = batch.first().is_none_or(is_alike);
            let fits = batch.is_empty() || (batch.len() < BATCH_ENTRIES && bytes <= BATCH_BYTES);
            if !goes_along || !fits {
                break;
            }
            batch.extend(self.waiting.pop_front());
        }
        batch
    }
}

impl Job {
    fn size_bytes(&self) -> usize {
        ENTRY_BYTES + self.fields.size_bytes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn submit(queue: &Queue, key: &str, id: NewId, size_bytes: usize) -> Result<Submitted, BusError> {
        let fields = Fields::new([("a", vec![0; size_bytes])]).expect("fits");
        queue.submit(&StreamKey::new(key).expect("a name"), id, fields)
    }

    #[tokio::test]
    async fn batches_keep_the_order_and_are_of_one_stream() {
        let queue = Queue::default();
        let at = NewId::At(StreamId::new(5, 5));
        for (key, id) in [
            ("a", NewId::Auto),
            ("a", NewId::Auto),
            ("b", NewId::Auto),
            ("a", at),
            ("a", NewId::Auto),
        ] {
            submit(&queue, key, id, 10).expect("room");
        }
        queue.close();
        let mut lengths = Vec::new();
        while let Some(batch) = queue.batch().await {
            lengths.push((batch[0].key.to_string(), batch.len()));
        }
        let wanted = [("a", 2), ("b", 1), ("a", 1), ("a", 1)];
        assert_eq!(lengths, wanted.map(|(key, count)| (key.to_owned(), count)));
        assert_eq!(queue.waiting(), 5, "taken, and not settled");
    }

    #[tokio::test]
    async fn what_is_too_much_is_refused_and_there_is_room_again_once_something_is_settled() {
        let queue = Queue::default();
        let mut count = 0;
        let refused = loop {
            match submit(&queue, "a", NewId::Auto, 1 << 20) {
                Ok(_) => count += 1,
                Err(error) => break error,
            }
        };
        assert!(
            matches!(refused, BusError::Full { waiting } if waiting == count),
            "{refused}"
        );
        assert_eq!(count, 63, "64 MiB, less what each takes beside its fields");
        let mut batch = queue.batch().await.expect("much waits");
        assert_eq!(batch.len(), 1, "a large one goes alone");
        submit(&queue, "a", NewId::Auto, 1 << 20).expect_err("what is being written counts");
        queue.settle(batch.remove(0), Ok(StreamId::ZERO));
        submit(&queue, "a", NewId::Auto, 1 << 20).expect("room again");
    }

    #[test]
    fn even_the_smallest_entries_are_bounded_in_number() {
        let queue = Queue::default();
        for _ in 0..WAITING_MAX {
            submit(&queue, "a", NewId::Auto, 1).expect("room");
        }
        assert!(matches!(
            submit(&queue, "a", NewId::Auto, 1),
            Err(BusError::Full { .. })
        ));
    }
}
