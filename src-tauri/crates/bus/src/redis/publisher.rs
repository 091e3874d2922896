//! The one task that writes: batches in their order, each until it is settled.
//!
//! A batch is a transaction (`MULTI … EXEC`): it is in the stream as a whole and in a row, or not at all. So the order
//! holds also where Redis begins to refuse in the middle of one, and whether a batch whose reply was lost was written
//! can be seen in the stream (`lost.rs`).

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use redis::Value;

use super::backoff::Backoff;
use super::fault::{Fault, checked};
use super::link::{Link, reach};
use super::lost::{self, Found};
use super::queue::{Job, Queue};
use super::reply;
use super::resp;
use super::session::{ClientId, Session};
use crate::engine::NewId;
use crate::{BusError, StreamId, StreamKey};

/// Which entries of a batch cut the stream to its length: the first, and some of those that follow. It is cut by whole
/// nodes of about a hundred entries, and for the others Redis has three arguments less to read. Below what it cuts at
/// most at once, even where a node is one entry (100).
const TRIMMED_EVERY: usize = 64;

/// Of how many streams the newest id is remembered. Of others it is asked for again.
const PLACES_KEPT: usize = 1_000;

/// Writes what waits in a queue.
pub(super) struct Publisher {
    link: Arc<Link>,
    queue: Arc<Queue>,
    figures: Arc<Figures>,
    kept: u64,
    /// The newest id of a stream at some moment before its next batch was sent.
    places: HashMap<StreamKey, StreamId>,
    /// The batch after the one that is under way, if it was full early.
    next: Option<(Vec<Job>, Vec<u8>)>,
    /// Those that are settled, and are told once that next one is on its way.
    settled: Vec<(Vec<Job>, Outcomes)>,
}

/// What became of the entries of a batch.
type Outcomes = Vec<Result<StreamId, BusError>>;

/// What the publisher counts.
#[derive(Default)]
pub(super) struct Figures {
    published: AtomicU64,
    problem: Mutex<Option<String>>,
}

/// A batch that was sent, and not answered; over which connection, if that is known.
struct Doubt(Option<Arc<ClientId>>);

impl Publisher {
    pub(super) fn new(link: Arc<Link>, queue: Arc<Queue>, figures: Arc<Figures>, kept: u64) -> Self {
        Self {
            link,
            queue,
            figures,
            kept,
            places: HashMap::new(),
            next: None,
            settled: Vec::new(),
        }
    }

    /// Writes until the queue is closed and empty, or the link is closed.
    pub(super) async fn run(mut self) {
        loop {
            let (batch, packed) = match self.next.take() {
                Some((batch, packed)) => (batch, Some(packed)),
                None => match self.queue.batch().await {
                    Some(batch) => (batch, None),
                    None => return,
                },
            };
            if !self.write(batch, packed).await {
                return;
            }
        }
    }

    /// Writes a batch, however long that takes. False if the link was closed before it was done.
    async fn write(&mut self, mut batch: Vec<Job>, mut packed: Option<Vec<u8>>) -> bool {
        let mut backoff = Backoff::default();
        let mut doubt = None;
        while !batch.is_empty() {
            let connected = match self.link.now() {
                Ok(connected) => connected,
                Err(_) => {
                    self.tell();
                    match self.link.up().await {
                        Some(connected) => connected,
                        None => return false,
                    }
                }
            };
            let tried = self
                .attempt(&connected.session, &mut batch, packed.take(), &mut doubt)
                .await;
            let why = match self.link.noticed(&connected, tried) {
                Ok(()) => {
                    self.figures.set_problem(None);
                    continue;
                }
                // The link waits before it connects again.
                Err(Fault::Lost(_)) => continue,
                Err(fault) => fault.text(&batch[0].key),
            };
            if backoff.failures() == 1 {
                tracing::warn!(address = %self.link.address, why, "Redis takes no events; they wait");
            }
            self.figures.set_problem(Some(why));
            tokio::select! {
                () = tokio::time::sleep(backoff.next()) => {}
                () = self.link.closed() => return false,
            }
        }
        true
    }

    /// Settles what can be: of a batch in doubt what became of it, of others by sending them.
    async fn attempt(
        &mut self,
        session: &Session,
        batch: &mut Vec<Job>,
        packed: Option<Vec<u8>>,
        doubt: &mut Option<Doubt>,
    ) -> Result<(), Fault> {
        let key = batch[0].key.clone();
        if let Some(Doubt(client)) = &*doubt {
            if let Some(client) = client {
                session.end(client).await?;
            }
            let place = self.places.get(&key).copied().unwrap_or_default();
            let found = lost::find(session, batch, place).await?;
            *doubt = None;
            match found {
                Found::Written(ids) => self.settle(batch, ids.into_iter().map(Ok)),
                Found::Never(error) => self.settle(batch, std::iter::repeat(Err(error))),
                // Sent again, by the next attempt.
                Found::Nothing => {}
            }
            return Ok(());
        }
        if !self.places.contains_key(&key) {
            self.tell();
            match reach(session, &key).await {
                Ok(reach) => self.remember(&key, reach.info.newest),
                Err(fault @ (Fault::Lost(_) | Fault::ForNow(_))) => return Err(fault),
                Err(fault) => {
                    self.settle(batch, std::iter::repeat(Err(fault.into_error(&key))));
                    return Ok(());
                }
            }
        }
        let packed = packed.unwrap_or_else(|| self.packed(batch));
        let sent = session.exchange(packed, batch.len() + 2);
        // Redis need not wait while those of the last are told, and the next is packed.
        let meanwhile = async {
            // First whoever writes to the connection: it may stand in line on this very thread.
            tokio::task::yield_now().await;
            self.tell();
            self.look_ahead();
        };
        let (answered, ()) = tokio::join!(sent, meanwhile);
        let answered = match answered {
            Ok(replies) => self.answer(session, batch, &replies).await,
            Err(fault) => Err(fault),
        };
        // Also where the reply is not understood.
        if let Err(Fault::Lost(_)) = &answered {
            *doubt = Some(Doubt(session.client.clone()));
        }
        answered
    }

    fn look_ahead(&mut self) {
        if self.next.is_none()
            && let Some(batch) = self.queue.full_batch()
        {
            let packed = self.packed(&batch);
            self.next = Some((batch, packed));
        }
    }

    /// A batch as one transaction.
    fn packed(&self, batch: &[Job]) -> Vec<u8> {
        /// What an XADD takes beside its fields, and a field beside its name and value, about.
        const ADDED_BYTES: usize = 128;
        let size = batch
            .iter()
            .map(|job| job.fields.size_bytes() + ADDED_BYTES)
            .sum();
        let mut to = Vec::with_capacity(size);
        resp::command(&mut to, 1);
        resp::argument(&mut to, b"MULTI");
        for (index, job) in batch.iter().enumerate() {
            let trims = index % TRIMMED_EVERY == 0;
            self.pack_xadd(&mut to, job, trims);
        }
        resp::command(&mut to, 1);
        resp::argument(&mut to, b"EXEC");
        to
    }

    /// An entry; `trims` if the stream is cut to its length with it.
    fn pack_xadd(&self, to: &mut Vec<u8>, job: &Job, trims: bool) {
        let trimming = if trims { 3 } else { 0 };
        resp::command(to, 3 + trimming + 2 * job.fields.iter().count());
        resp::argument(to, b"XADD");
        resp::argument(to, job.key.as_str().as_bytes());
        if trims {
            resp::argument(to, b"MAXLEN");
            resp::argument(to, b"~");
            resp::argument(to, self.kept.to_string().as_bytes());
        }
        match job.id {
            NewId::Auto => resp::argument(to, b"*"),
            NewId::At(id) => resp::argument(to, id.to_string().as_bytes()),
        }
        for (name, value) in job.fields.iter() {
            resp::argument(to, name);
            resp::argument(to, value);
        }
    }

    /// Reads the replies to a transaction. What Redis refuses for good leaves the batch; what it refuses for now stays.
    async fn answer(
        &mut self,
        session: &Session,
        batch: &mut Vec<Job>,
        replies: &[Bytes],
    ) -> Result<(), Fault> {
        let [began, queued @ .., executed] = replies else {
            return Err(Fault::Lost("it did not reply to everything".to_owned()));
        };
        // Looked at only where there is something to be seen: they say that they are queued.
        let queued = || {
            queued
                .iter()
                .map(|reply| resp::value(reply))
                .collect::<Result<Vec<_>, _>>()
        };
        let began = checked(resp::value(began)?);
        let results = match (checked(resp::value(executed)?), began) {
            (Ok(Value::Array(results)), _) => results,
            // Whoever may not use transactions gets its entries written one by one.
            (Err(_), Err(Fault::Refused(_))) => queued()?,
            (Err(aborted), _) => return self.aborted(batch, queued()?, aborted),
            (Ok(_), _) => return Err(Fault::Lost("its reply to EXEC is not understood".to_owned())),
        };
        let key = batch[0].key.clone();
        let mut outcomes = Vec::with_capacity(batch.len());
        for (job, result) in batch.iter().zip(results) {
            let id = checked(result).and_then(|result| reply::id(&result));
            outcomes.push(match id {
                Ok(id) => Ok(id),
                Err(fault) => Err(self.explain(session, job, fault).await),
            });
        }
        if let Some(newest) = outcomes.iter().flatten().last() {
            self.remember(&key, *newest);
        }
        self.settle_soon(batch, outcomes);
        Ok(())
    }

    /// Nothing was executed. Either some entries cannot be, and leave, or none can for now.
    fn aborted(&mut self, batch: &mut Vec<Job>, queued: Vec<Value>, aborted: Fault) -> Result<(), Fault> {
        let key = batch[0].key.clone();
        let mut faults: Vec<_> = queued.into_iter().map(|reply| checked(reply).err()).collect();
        let passing = |fault: &Option<Fault>| matches!(fault, Some(Fault::ForNow(_)));
        if let Some(at) = faults.iter().position(passing) {
            return Err(faults.swap_remove(at).unwrap_or(aborted));
        }
        if faults.iter().all(Option::is_none) {
            if matches!(aborted, Fault::ForNow(_)) {
                return Err(aborted);
            }
            self.settle(batch, std::iter::repeat(Err(aborted.into_error(&key))));
            return Ok(());
        }
        let mut rest = Vec::new();
        for (job, fault) in batch.drain(..).zip(faults) {
            match fault {
                Some(fault) => self.queue.settle(job, Err(fault.into_error(&key))),
                None => rest.push(job),
            }
        }
        *batch = rest;
        Ok(())
    }

    /// Why Redis did not add an entry: its texts about ids are told by their numbers here.
    async fn explain(&self, session: &Session, job: &Job, fault: Fault) -> BusError {
        let Fault::Refused(text) = &fault else {
            return fault.into_error(&job.key);
        };
        if text.contains("exhausted the last possible ID") {
            return BusError::Exhausted;
        }
        match job.id {
            NewId::At(asked) if text.contains("ID specified in XADD") => {
                let known = self.places.get(&job.key).copied().unwrap_or_default();
                let newest = reach(session, &job.key).await;
                let newest = newest.map_or(known, |reach| reach.info.newest);
                BusError::IdTooSmall { asked, newest }
            }
            _ => fault.into_error(&job.key),
        }
    }

    /// Tells those who submitted a batch, or lets them wait until the next one is on its way, if it is ready to go.
    fn settle_soon(&mut self, batch: &mut Vec<Job>, outcomes: Outcomes) {
        self.settled.push((std::mem::take(batch), outcomes));
        if self.next.is_none() {
            self.tell();
        }
    }

    fn settle(&self, batch: &mut Vec<Job>, outcomes: impl IntoIterator<Item = Result<StreamId, BusError>>) {
        let mut written = 0;
        let outcomes = outcomes
            .into_iter()
            .inspect(|outcome| written += u64::from(outcome.is_ok()));
        self.queue.settle_all(std::mem::take(batch), outcomes);
        self.figures.published.fetch_add(written, Ordering::Relaxed);
    }

    fn tell(&mut self) {
        for (mut batch, outcomes) in std::mem::take(&mut self.settled) {
            self.settle(&mut batch, outcomes);
        }
    }

    fn remember(&mut self, key: &StreamKey, newest: StreamId) {
        if self.places.len() >= PLACES_KEPT && !self.places.contains_key(key) {
            self.places.clear();
        }
        self.places.insert(key.clone(), newest);
    }
}

impl Figures {
    /// Entries that were written.
    pub(super) fn published(&self) -> u64 {
        self.published.load(Ordering::Relaxed)
    }

    /// Why entries wait, though Redis is there.
    pub(super) fn problem(&self) -> Option<String> {
        self.problem
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    fn set_problem(&self, problem: Option<String>) {
        *self.problem.lock().unwrap_or_else(PoisonError::into_inner) = problem;
    }
}
