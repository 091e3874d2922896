//! Threads that compute. One that hangs in a pass is given up and replaced.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, OnceLock, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use chatstats_store::{Claimed, Finished, StoreError};
use tokio::sync::oneshot;

use crate::endings::Teller;
use crate::scheduling::{Home, go_last};
use crate::watch::{Thread, Watch};

/// Threads that hang at a time, at most: each may use a processor for ever. Beyond that none is replaced until one ends.
const HANGING_MAX: usize = 8;

/// How much work is handed out ahead: for so long nobody need wait for the writer, and what is more important does.
const AHEAD: Duration = Duration::from_millis(200);

/// How many tasks that is for each worker, at least and at most, and as long as nobody knows how long they take.
const AHEAD_MIN: u64 = 4;
const AHEAD_MAX: u64 = 1_024;
const AHEAD_FIRST: u64 = 32;

/// A new time counts for one in so many of those that tell how long a task takes, and for no more than so many times as
/// long as those: somebody else had the processor.
const TIMES_COUNTED: u64 = 16;
const LONGER_MAX: u64 = 4;

/// Where less is left than this part of what is handed out ahead, more is to be handed out at once.
const LOW: usize = 8;

/// How much work a worker takes at a time: so little talk is there between threads, and so long may an ending wait to be
/// told of.
const TOGETHER: Duration = Duration::from_millis(8);

/// How many tasks that is at most.
const TOGETHER_MAX: u64 = 64;

/// How often a thread that is to end is looked at: nothing tells of its end with a time limit.
const LOOK_AGAIN: Duration = Duration::from_millis(2);

/// What a worker does with tasks: everything but the bookkeeping.
pub(crate) trait Job {
    /// These come next, one after the other: what they need may be read in one go.
    fn expect(&mut self, tasks: &[Claimed]);

    /// Does one.
    fn one(&mut self, task: &Claimed) -> Finished;
}

/// Makes that for each worker, on its thread.
pub(crate) type Jobs = Arc<dyn Fn() -> Box<dyn Job> + Send + Sync>;

/// The workers.
pub(crate) struct Pool {
    shared: Arc<Shared>,
    threads: Vec<Worker>,
    workers: usize,
    /// Threads that were ever started.
    started: usize,
}

struct Worker {
    thread: JoinHandle<()>,
    slot: Arc<Slot>,
    watch: Watch,
}

/// What a worker has in hand.
#[derive(Default)]
struct Slot {
    in_hand: Mutex<InHand>,
    /// Its thread, once it runs.
    thread: OnceLock<Thread>,
}

#[derive(Default)]
struct InHand {
    /// The one it works on, and since when.
    task: Option<(Claimed, Instant)>,
    /// Those it took with it, and has not begun.
    next: VecDeque<Claimed>,
    /// Those it took with it, and has ended.
    ended: Vec<Finished>,
    is_given_up: bool,
}

struct Shared {
    jobs: Jobs,
    workers: usize,
    queue: Mutex<Queue>,
    /// Tasks that were handed over and have not ended.
    out: AtomicUsize,
    /// Threads that were given up and have not ended.
    hanging: AtomicUsize,
    /// How long a task takes, in nanoseconds, about; 0 while nobody knows.
    took_ns: AtomicU64,
    arrived: Condvar,
    teller: Teller,
}

#[derive(Default)]
struct Queue {
    tasks: VecDeque<Claimed>,
    /// There were as many as were asked for, the last time.
    may_be_more: bool,
    is_closed: bool,
}

impl Pool {
    /// Starts `workers` threads; what they finish goes to `teller`.
    pub(crate) fn start(workers: usize, jobs: Jobs, teller: Teller) -> std::io::Result<Self> {
        let mut pool = Self {
            shared: Arc::new(Shared {
                jobs,
                workers,
                queue: Mutex::default(),
                out: AtomicUsize::new(0),
                hanging: AtomicUsize::new(0),
                took_ns: AtomicU64::new(0),
                arrived: Condvar::new(),
                teller,
            }),
            threads: Vec::new(),
            workers,
            started: 0,
        };
        for _ in 0..workers {
            pool.add()?;
        }
        Ok(pool)
    }

    /// Hands tasks over, where so many were asked for.
    pub(crate) fn give(&self, tasks: Vec<Claimed>, asked: usize) {
        let mut queue = self.shared.lock();
        self.shared.out.fetch_add(tasks.len(), Ordering::Relaxed);
        queue.may_be_more = tasks.len() >= asked;
        queue.tasks.extend(tasks);
        drop(queue);
        self.shared.arrived.notify_all();
    }

    /// Tasks that were handed over and have not ended.
    pub(crate) fn out(&self) -> usize {
        self.shared.out.load(Ordering::Relaxed)
    }

    /// Tasks that no worker has taken yet.
    pub(crate) fn waiting(&self) -> usize {
        self.shared.lock().tasks.len()
    }

    /// How many tasks are to wait for its workers, so that none of them waits for the writer.
    pub(crate) fn ahead(&self) -> usize {
        self.shared.ahead()
    }

    /// Whether so few wait that its workers are about to wait themselves, while there are more.
    pub(crate) fn is_low(&self) -> bool {
        let queue = self.shared.lock();
        queue.may_be_more && queue.tasks.len() < self.shared.ahead() / LOW
    }

    /// Whether all workers hang, and so many do that none is replaced: what is handed over now would never begin.
    pub(crate) fn is_lost(&self) -> bool {
        self.workers > 0 && self.threads.is_empty()
    }

    /// Takes back what no worker has taken.
    pub(crate) fn take_back(&self) -> Vec<Claimed> {
        let tasks = std::mem::take(&mut self.shared.lock().tasks);
        self.shared.out.fetch_sub(tasks.len(), Ordering::Relaxed);
        tasks.into()
    }

    /// Gives up workers that have been at a task for longer than `longest`, without the time in which others had the
    /// processors, and returns these tasks. Others take their places, as far as may be, and what they had not begun. To be
    /// called once a second or so.
    pub(crate) fn give_up(&mut self, longest: Duration) -> Vec<Claimed> {
        let mut lost = Vec::new();
        let mut index = 0;
        while index < self.threads.len() {
            let Worker { slot, watch, .. } = &mut self.threads[index];
            let long = |since: Instant| match slot.thread.get() {
                Some(thread) => watch.look(thread, since) > longest,
                None => false,
            };
            let Some(task) = self.shared.give_up(slot, long) else {
                index += 1;
                continue;
            };
            lost.push(task);
            // Its thread cannot be ended; it ends by itself if the pass ever does.
            drop(self.threads.swap_remove(index));
        }
        self.replace();
        lost
    }

    /// Takes back what no worker has begun, lets what is begun end until `until`, and ends the threads. One whose pass
    /// goes on is given up, and its task is among those that come back: nobody knows how long a conversation takes.
    pub(crate) fn close(self, until: Instant) -> Vec<Claimed> {
        self.shared.lock().is_closed = true;
        self.shared.arrived.notify_all();
        let mut comes_back = Vec::new();
        for worker in &self.threads {
            comes_back.extend(std::mem::take(&mut worker.slot.lock().next));
        }
        for worker in &self.threads {
            while !worker.thread.is_finished() && Instant::now() < until {
                std::thread::sleep(LOOK_AGAIN);
            }
            // A panic outside of a pass is a bug of ours; its task is put back here, too.
            comes_back.extend(self.shared.give_up(&worker.slot, |_| true));
        }
        comes_back.extend(std::mem::take(&mut self.shared.lock().tasks));
        comes_back
    }

    fn replace(&mut self) {
        while self.threads.len() < self.workers && self.shared.hanging.load(Ordering::Relaxed) <= HANGING_MAX
        {
            if let Err(error) = self.add() {
                tracing::error!(%error, "a worker that hangs could not be replaced");
                return;
            }
        }
    }

    fn add(&mut self) -> std::io::Result<()> {
        let slot = Arc::new(Slot::default());
        let (shared, own, number) = (self.shared.clone(), slot.clone(), self.started);
        let thread = std::thread::Builder::new()
            .name("analyse".into())
            .spawn(move || work(&shared, &own, number))?;
        self.started += 1;
        let watch = Watch::default();
        self.threads.push(Worker { thread, slot, watch });
        Ok(())
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn ahead(&self) -> usize {
        let each = match self.took_ns.load(Ordering::Relaxed) {
            0 => AHEAD_FIRST,
            took_ns => (AHEAD.as_nanos() as u64 / took_ns).clamp(AHEAD_MIN, AHEAD_MAX),
        };
        self.workers * each as usize
    }

    /// Two workers that do this at a time may lose one of their times: the next tell the same.
    fn took(&self, time: Duration) {
        let took_ns = u64::try_from(time.as_nanos()).unwrap_or(u64::MAX).max(1);
        let known_ns = self.took_ns.load(Ordering::Relaxed);
        let now_ns = match known_ns {
            0 => took_ns,
            _ => {
                let took_ns = took_ns.min(known_ns.saturating_mul(LONGER_MAX));
                known_ns - known_ns / TIMES_COUNTED + took_ns / TIMES_COUNTED
            }
        };
        self.took_ns.store(now_ns.max(1), Ordering::Relaxed);
    }

    /// Waits for tasks: a few if they are short, and never more than its share.
    fn next(&self) -> Option<VecDeque<Claimed>> {
        let mut queue = self.lock();
        loop {
            if queue.is_closed {
                return None;
            }
            if !queue.tasks.is_empty() {
                let most = match self.took_ns.load(Ordering::Relaxed) {
                    0 => 1,
                    took_ns => (TOGETHER.as_nanos() as u64 / took_ns).clamp(1, TOGETHER_MAX),
                };
                let share = queue.tasks.len().div_ceil(self.workers.max(1));
                let count = share.min(most as usize);
                let taken = queue.tasks.drain(..count).collect();
                let low = self.ahead() / LOW;
                if queue.may_be_more && (queue.tasks.len()..queue.tasks.len() + count).contains(&low) {
                    self.teller.hurry();
                }
                return Some(taken);
            }
            queue = self.arrived.wait(queue).unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// Gives up the worker of a slot if it has had a task for `long`, and returns that task. What it had not begun goes
    /// back to the others, and what it had ended is told.
    fn give_up(&self, slot: &Slot, long: impl FnOnce(Instant) -> bool) -> Option<Claimed> {
        let mut in_hand = slot.lock();
        let (task, _) = in_hand.task.filter(|(_, since)| long(*since))?;
        in_hand.is_given_up = true;
        self.hanging.fetch_add(1, Ordering::Relaxed);
        let (ended, begun_not) = (
            std::mem::take(&mut in_hand.ended),
            std::mem::take(&mut in_hand.next),
        );
        drop(in_hand);
        self.tell(ended);
        self.put_back(begun_not);
        self.out.fetch_sub(1, Ordering::Relaxed);
        Some(task)
    }

    fn put_back(&self, tasks: VecDeque<Claimed>) {
        let mut queue = self.lock();
        for task in tasks.into_iter().rev() {
            queue.tasks.push_front(task);
        }
        drop(queue);
        self.arrived.notify_all();
    }

    /// Tells how tasks ended; false if nobody hears any more.
    fn tell(&self, ended: Vec<Finished>) -> bool {
        // Before: whoever hears wakes up at once, takes the processor, and waits for what is out.
        let were_out = self.out.fetch_sub(ended.len(), Ordering::Relaxed);
        let is_last = were_out == ended.len();
        self.teller.tell(ended, is_last)
    }
}

impl Slot {
    fn lock(&self) -> MutexGuard<'_, InHand> {
        self.in_hand.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn work(shared: &Shared, slot: &Slot, number: usize) {
    go_last();
    slot.thread.get_or_init(Thread::this);
    let mut home = Home::of(number, shared.workers);
    let mut job = (shared.jobs)();
    while let Some(mut tasks) = shared.next() {
        job.expect(tasks.make_contiguous());
        slot.lock().next = tasks;
        let mut told = Instant::now();
        loop {
            let mut in_hand = slot.lock();
            // None also when the pool was closed meanwhile: then they are with it.
            let Some(task) = in_hand.next.pop_front() else {
                break;
            };
            let began = Instant::now();
            in_hand.task = Some((task, began));
            drop(in_hand);
            let finished = job.one(&task);
            let now = Instant::now();
            shared.took(now.duration_since(began));
            home.look(now);
            let mut in_hand = slot.lock();
            in_hand.task = None;
            if in_hand.is_given_up {
                // Somebody else has its place, and its task.
                shared.hanging.fetch_sub(1, Ordering::Relaxed);
                return;
            }
            in_hand.ended.push(finished);
            if in_hand.next.is_empty() || told.elapsed() >= TOGETHER {
                told = Instant::now();
                let ended = std::mem::take(&mut in_hand.ended);
                drop(in_hand);
                if !shared.tell(ended) {
                    return;
                }
            }
        }
    }
}

/// Does something on a thread of its own that lets everybody else go first.
///
/// # Errors
///
/// Those of `work`; [`StoreError::Panicked`] if it panicked.
pub(crate) async fn apart<T: Send + 'static>(
    name: &str,
    work: impl FnOnce() -> Result<T, StoreError> + Send + 'static,
) -> Result<T, StoreError> {
    let (reply, answer) = oneshot::channel();
    let started = std::thread::Builder::new().name(name.to_owned()).spawn(move || {
        go_last();
        drop(reply.send(work()));
    });
    started.map_err(|error| StoreError::Unavailable(error.to_string()))?;
    answer.await.unwrap_or(Err(StoreError::Panicked))
}
