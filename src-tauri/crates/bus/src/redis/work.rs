//! A queue of work on a stream: many take from it, each entry goes to one of them (Redis Streams, "Consumer groups").
//!
//! Whoever takes an entry owes an answer. When it is given, the entry is gone and the answer is in another stream, in
//! one step. An entry whose taker is gone is taken over by another after a while.

use std::sync::Arc;
use std::time::{Duration, Instant};

use redis::{Cmd, Pipeline, Value, cmd};

use super::fault::{Fault, checked};
use super::link::Link;
use super::reply;
use super::session::Session;
use crate::{BusError, Entry, Fields, StreamId, StreamKey};

/// How much longer than it waits a taker's connection may be silent.
const REPLY_MAX: Duration = Duration::from_secs(5);

/// How often a taker says that it is there.
const SAID_EVERY: Duration = Duration::from_secs(2);

/// How long one who is silent is kept in mind.
const FORGOTTEN_AFTER: Duration = Duration::from_secs(3_600);

/// Entries taken over in one step.
const TAKEN_OVER_AT_ONCE: usize = 16;

/// A queue of work. A cheap handle.
#[derive(Clone)]
pub struct WorkQueue {
    link: Arc<Link>,
    key: StreamKey,
    group: Arc<str>,
}

/// One who takes from a queue, on a connection of its own.
pub struct Taker {
    queue: WorkQueue,
    name: String,
    session: Session,
    /// When it last said that it is there.
    said: Option<Instant>,
}

impl WorkQueue {
    pub(super) fn new(link: Arc<Link>, key: StreamKey, group: &str) -> Self {
        Self {
            link,
            key,
            group: group.into(),
        }
    }

    /// Joins those who take, under a name that nobody else has.
    ///
    /// # Errors
    ///
    /// Redis is away, or refuses.
    pub async fn join(&self, name: &str, wait: Duration) -> Result<Taker, BusError> {
        let opened = Session::open(&self.link.address, wait + REPLY_MAX).await;
        let session = opened.map_err(|fault| fault.into_error(&self.key))?;
        let taker = Taker {
            queue: self.clone(),
            name: name.to_owned(),
            session,
            said: None,
        };
        taker
            .make_group()
            .await
            .map_err(|fault| fault.into_error(&self.key))?;
        Ok(taker)
    }

    /// How many take from it: who said so within `silent_max`.
    ///
    /// # Errors
    ///
    /// Redis is away, or refuses.
    pub async fn takers(&self, silent_max: Duration) -> Result<usize, BusError> {
        let now_ms = self.link.call(&self.key, &cmd("TIME")).await?;
        let now_ms = reply::time_ms(now_ms).map_err(|fault| fault.into_error(&self.key))?;
        let mut count = cmd("ZCOUNT");
        let since = now_ms.saturating_sub(silent_max.as_millis() as u64);
        count.arg(self.there_key()).arg(since).arg("+inf");
        let counted = self.link.call(&self.key, &count).await?;
        let counted = reply::number(&counted).map_err(|fault| fault.into_error(&self.key))?;
        Ok(usize::try_from(counted).unwrap_or(usize::MAX))
    }

    /// The sorted set of who is there, by when they last said so. Redis' own list of consumers does not tell before
    /// version 7.2: who waits for work is silent in it.
    fn there_key(&self) -> String {
        format!("{}:{}", self.key, self.group)
    }
}

impl Taker {
    /// Takes up to `count` entries; waits up to `wait` for the first. What a taker that is gone has had for longer
    /// than `idle_min` comes first.
    ///
    /// # Errors
    ///
    /// The connection is lost: join again.
    pub async fn take(
        &mut self,
        count: usize,
        wait: Duration,
        idle_min: Duration,
    ) -> Result<Vec<Arc<Entry>>, BusError> {
        let taken = self.try_take(count, wait, idle_min).await;
        taken.map_err(|fault| fault.into_error(&self.queue.key))
    }

    /// Gives an answer, into another stream of about `kept` entries, and is done with the entry: both or neither.
    ///
    /// # Errors
    ///
    /// The connection is lost: whether the answer was given is not known, and the entry comes again if it was not.
    pub async fn answer(
        &self,
        id: StreamId,
        to: &StreamKey,
        answer: &Fields,
        kept: u64,
    ) -> Result<(), BusError> {
        let mut add = cmd("XADD");
        add.arg(to.as_str()).arg("MAXLEN").arg("~").arg(kept).arg("*");
        for (name, value) in answer.iter() {
            add.arg(name).arg(value);
        }
        self.settle(Some(add), id).await
    }

    /// Is done with an entry that nobody can answer.
    ///
    /// # Errors
    ///
    /// As [`answer`](Self::answer).
    pub async fn drop_entry(&self, id: StreamId) -> Result<(), BusError> {
        self.settle(None, id).await
    }

    /// Leaves: its name is forgotten, if it owes nothing.
    ///
    /// # Errors
    ///
    /// The connection is lost; the name is forgotten by whoever cleans up.
    pub async fn leave(self) -> Result<(), BusError> {
        let mut leave = Pipeline::new();
        leave.cmd("ZREM").arg(self.queue.there_key()).arg(&self.name);
        let group = leave.cmd("XGROUP").arg("DELCONSUMER");
        group
            .arg(self.queue.key.as_str())
            .arg(&*self.queue.group)
            .arg(&self.name);
        let left = self.session.send(&leave).await;
        left.map(drop).map_err(|fault| fault.into_error(&self.queue.key))
    }

    async fn settle(&self, answer: Option<Cmd>, id: StreamId) -> Result<(), BusError> {
        let (key, id) = (self.queue.key.as_str(), id.to_string());
        let mut all = Pipeline::new();
        all.cmd("MULTI");
        if let Some(answer) = answer {
            all.add_command(answer);
        }
        all.cmd("XACK").arg(key).arg(&*self.queue.group).arg(&id);
        all.cmd("XDEL").arg(key).arg(&id);
        all.cmd("EXEC");
        let settled = self.session.send(&all).await;
        let settled = settled.and_then(|mut replies| checked(replies.pop().unwrap_or_default()));
        settled
            .map(drop)
            .map_err(|fault| fault.into_error(&self.queue.key))
    }

    async fn try_take(
        &mut self,
        count: usize,
        wait: Duration,
        idle_min: Duration,
    ) -> Result<Vec<Arc<Entry>>, Fault> {
        self.say_there().await?;
        let lost = self.take_over(idle_min).await?;
        if !lost.is_empty() {
            return Ok(lost);
        }
        let (key, group) = (self.queue.key.as_str(), &*self.queue.group);
        let mut read = cmd("XREADGROUP");
        read.arg("GROUP")
            .arg(group)
            .arg(&self.name)
            .arg("COUNT")
            .arg(count);
        read.arg("BLOCK")
            .arg(wait.as_millis() as u64)
            .arg("STREAMS")
            .arg(key)
            .arg(">");
        match self.session.call(&read).await {
            Ok(reply) => reply::read(reply),
            Err(Fault::Refused(why)) if is_missing(&why) => {
                // Somebody emptied Redis.
                self.make_group().await?;
                Ok(Vec::new())
            }
            Err(fault) => Err(fault),
        }
    }

    async fn say_there(&mut self) -> Result<(), Fault> {
        if self.said.is_some_and(|said| said.elapsed() < SAID_EVERY) {
            return Ok(());
        }
        let now_ms = reply::time_ms(self.session.call(&cmd("TIME")).await?)?;
        let there = self.queue.there_key();
        let mut say = Pipeline::new();
        say.cmd("ZADD").arg(&there).arg(now_ms).arg(&self.name);
        let long_ago = now_ms.saturating_sub(FORGOTTEN_AFTER.as_millis() as u64);
        say.cmd("ZREMRANGEBYSCORE").arg(&there).arg("-inf").arg(long_ago);
        for reply in self.session.send(&say).await? {
            checked(reply)?;
        }
        self.said = Some(Instant::now());
        Ok(())
    }

    async fn take_over(&self, idle_min: Duration) -> Result<Vec<Arc<Entry>>, Fault> {
        let (key, group) = (self.queue.key.as_str(), &*self.queue.group);
        let mut claim = cmd("XAUTOCLAIM");
        claim
            .arg(key)
            .arg(group)
            .arg(&self.name)
            .arg(idle_min.as_millis() as u64)
            .arg("0-0");
        claim.arg("COUNT").arg(TAKEN_OVER_AT_ONCE);
        match self.session.call(&claim).await {
            Ok(reply) => reply::claimed(reply),
            Err(Fault::Refused(why)) if is_missing(&why) => {
                self.make_group().await?;
                Ok(Vec::new())
            }
            Err(fault) => Err(fault),
        }
    }

    async fn make_group(&self) -> Result<(), Fault> {
        let mut make = cmd("XGROUP");
        make.arg("CREATE")
            .arg(self.queue.key.as_str())
            .arg(&*self.queue.group)
            .arg("0")
            .arg("MKSTREAM");
        match self.session.call(&make).await {
            Ok(Value::Okay | Value::SimpleString(_)) => Ok(()),
            Err(Fault::Refused(why)) if why.starts_with("BUSYGROUP") => Ok(()),
            Ok(_) => Err(Fault::Lost("its reply to XGROUP is not understood".to_owned())),
            Err(fault) => Err(fault),
        }
    }
}

/// Whether the stream or its group is not there.
fn is_missing(why: &str) -> bool {
    why.starts_with("NOGROUP") || why.contains("no such key")
}
