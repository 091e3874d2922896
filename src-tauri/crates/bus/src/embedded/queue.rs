//! What waits for the thread that writes.

use std::collections::VecDeque;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

use tokio::sync::oneshot;

use super::lock;
use crate::engine::{NewId, Trim};
use crate::{BusError, Fields, StreamId, StreamKey};

/// Entries committed together at most: enough to share the cost of a commit, few enough that the first of them does
/// not wait long for the last.
pub(super) const GROUP_ENTRIES: usize = 2_048;

/// A group ends where its entries take more than this, in bytes, for the same reasons.
const GROUP_BYTES: usize = 4 << 20;

/// What may wait to be written, in bytes: seconds of the fastest publishing, or a few of the largest entries.
const QUEUED_BYTES_MAX: usize = 64 << 20;

/// What a waiting entry takes beside its fields, about.
const JOB_BYTES: usize = 256;

/// The queue.
#[derive(Default)]
pub(super) struct Queue {
    waiting: Mutex<Waiting>,
    arrived: Condvar,
}

/// What was asked for.
pub(super) enum Job {
    Add(Add),
    Trim(StreamKey, Trim, oneshot::Sender<Result<u64, BusError>>),
}

/// An entry, and who wants to know its id.
pub(super) struct Add {
    pub(super) key: StreamKey,
    pub(super) id: NewId,
    pub(super) fields: Fields,
    pub(super) reply: oneshot::Sender<Result<StreamId, BusError>>,
}

/// What the thread does next.
pub(super) enum Step {
    Write(Vec<Add>),
    Trim(StreamKey, Trim, oneshot::Sender<Result<u64, BusError>>),
    Sweep,
    End,
}

#[derive(Default)]
struct Waiting {
    jobs: VecDeque<Job>,
    bytes: usize,
    /// Whether the thread sleeps: waking it costs a system call, and is done once.
    is_asleep: bool,
    is_closed: bool,
}

impl Queue {
    pub(super) fn push(&self, job: Job) -> Result<(), BusError> {
        self.push_all([job]).map_err(|(_, error)| error)
    }

    /// Several in a row, which the thread finds together: woken for the first, it would take the processor and write that
    /// one alone. Answers how many were taken where there is no room for one.
    pub(super) fn push_all(&self, jobs: impl IntoIterator<Item = Job>) -> Result<(), (usize, BusError)> {
        let mut waiting = self.lock();
        let mut taken = 0;
        let mut pushed = Ok(());
        for job in jobs {
            pushed = waiting.push(job);
            if pushed.is_err() {
                break;
            }
            taken += 1;
        }
        let was_asleep = taken > 0 && std::mem::take(&mut waiting.is_asleep);
        drop(waiting);
        if was_asleep {
            self.arrived.notify_one();
        }
        pushed.map_err(|error| (taken, error))
    }

    /// How many wait.
    pub(super) fn len(&self) -> usize {
        self.lock().jobs.len()
    }

    /// Waits for something to do. What was asked goes before sweeping, and in the order in which it was asked.
    pub(super) fn next(&self, may_sweep: bool) -> Step {
        let mut waiting = self.lock();
        loop {
            match waiting.jobs.pop_front() {
                Some(Job::Trim(key, trim, reply)) => {
                    waiting.bytes -= JOB_BYTES;
                    return Step::Trim(key, trim, reply);
                }
                Some(Job::Add(first)) => return Step::Write(waiting.group(first)),
                None if waiting.is_closed => return Step::End,
                None if may_sweep => return Step::Sweep,
                None => {}
            }
            waiting.is_asleep = true;
            waiting = self.arrived.wait(waiting).unwrap_or_else(PoisonError::into_inner);
            waiting.is_asleep = false;
        }
    }

    /// Takes nothing more. What waits is still handed out.
    pub(super) fn close(&self) {
        self.lock().is_closed = true;
        self.arrived.notify_one();
    }

    /// Closes the queue when this is dropped, and answers all who wait that it is closed: for the thread's end, also
    /// where it panics.
    pub(super) fn close_at_end(&self) -> impl Drop {
        CloseAtEnd(self)
    }

    fn lock(&self) -> MutexGuard<'_, Waiting> {
        lock(&self.waiting)
    }
}

impl Job {
    fn cost_bytes(&self) -> usize {
        match self {
            Self::Add(add) => JOB_BYTES + add.fields.size_bytes(),
            Self::Trim(..) => JOB_BYTES,
        }
    }
}

impl Waiting {
    fn push(&mut self, job: Job) -> Result<(), BusError> {
        if self.is_closed {
            return Err(BusError::Closed);
        }
        let bytes = self.bytes + job.cost_bytes();
        if bytes > QUEUED_BYTES_MAX {
            return Err(BusError::Full {
                waiting: self.jobs.len(),
            });
        }
        self.bytes = bytes;
        self.jobs.push_back(job);
        Ok(())
    }

    /// The first, and what waits behind it.
    fn group(&mut self, first: Add) -> Vec<Add> {
        let mut bytes = 0;
        let mut adds = Vec::with_capacity(GROUP_ENTRIES.min(self.jobs.len() + 1));
        let mut next = Some(Job::Add(first));
        while let Some(job) = next.take() {
            bytes += job.cost_bytes();
            if let Job::Add(add) = job {
                adds.push(add);
            }
            if adds.len() < GROUP_ENTRIES && bytes < GROUP_BYTES {
                next = self.jobs.pop_front_if(|job| matches!(job, Job::Add(_)));
            }
        }
        self.bytes -= bytes;
        adds
    }
}

struct CloseAtEnd<'q>(&'q Queue);

impl Drop for CloseAtEnd<'_> {
    fn drop(&mut self) {
        self.0.close();
        self.0.lock().jobs.clear(); // Their replies go with them.
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn add(size_bytes: usize) -> Job {
        Job::Add(Add {
            key: StreamKey::events(),
            id: NewId::Auto,
            fields: Fields::new([("x", "x".repeat(size_bytes))]).expect("fits"),
            reply: oneshot::channel().0,
        })
    }

    #[test]
    fn past_its_bound_it_refuses_until_there_is_room_again() {
        let queue = Queue::default();
        let mut taken = 0;
        let refused = loop {
            match queue.push(add(4 << 20)) {
                Ok(()) => taken += 1,
                Err(refused) => break refused,
            }
        };
        assert!((10..=16).contains(&taken), "{taken} of 4 MiB in 64 MiB");
        assert!(matches!(refused, BusError::Full { waiting } if waiting == taken));
        assert!(matches!(queue.next(false), Step::Write(adds) if adds.len() == 1));
        queue.push(add(4 << 20)).expect("room again");
        assert_eq!(queue.len(), taken);
    }

    #[test]
    fn several_are_taken_as_far_as_there_is_room() {
        let queue = Queue::default();
        let many = std::iter::repeat_with(|| add(4 << 20)).take(20);
        let Err((taken, BusError::Full { waiting })) = queue.push_all(many) else {
            panic!("80 MiB are more than there is room for");
        };
        assert_eq!((taken, queue.len()), (waiting, waiting));
        queue.push_all([]).expect("nothing is nothing");
        queue.close();
        assert!(matches!(queue.push_all([add(1)]), Err((0, BusError::Closed))));
    }

    #[test]
    fn a_group_ends_at_its_limits_and_before_a_trim() {
        let queue = Queue::default();
        for _ in 0..GROUP_ENTRIES + 2 {
            queue.push(add(1)).expect("taken");
        }
        let (reply, _asked) = oneshot::channel();
        let trim = Job::Trim(StreamKey::events(), Trim::Exactly(0), reply);
        queue.push(trim).expect("taken");
        queue.push(add(1)).expect("taken");
        queue.close();
        for wanted in [GROUP_ENTRIES, 2] {
            assert!(matches!(queue.next(true), Step::Write(adds) if adds.len() == wanted));
        }
        assert!(matches!(queue.next(true), Step::Trim(..)));
        assert!(matches!(queue.next(true), Step::Write(adds) if adds.len() == 1));
        assert!(
            matches!(queue.next(true), Step::End),
            "closed goes before sweeping"
        );
        assert!(matches!(queue.push(add(1)), Err(BusError::Closed)));
    }
}
