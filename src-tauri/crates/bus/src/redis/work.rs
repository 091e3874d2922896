//! A queue of work on a stream: many take from it, each entry goes to one of them (Redis Streams, "Consumer groups").
//!
//! Whoever takes an entry owes an answer. When it is given, the entry is gone and the answer is in another stream, in
//! one step. An entry whose taker is gone is taken over by another: soon if the taker has fallen silent, after a while
//! if it only does not get done.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

use redis::{Pipeline, Value, cmd};

use super::answers::AnswerReader;
use super::fault::{Fault, checked};
use super::link::Link;
use super::reply;
use super::resp;
use super::session::Session;
use crate::{BusError, Entry, Fields, StreamId, StreamKey};

/// How much longer than it waits a taker's connection may be silent.
const REPLY_MAX: Duration = Duration::from_secs(5);

/// How often a taker says that it is there.
const SAID_EVERY: Duration = Duration::from_secs(2);

/// The same for one that has joined a moment ago: those that were started together come one after the other.
const SAID_FIRST_EVERY: Duration = Duration::from_millis(200);

/// How long a taker may be silent until what it has is taken over: a few times as long as it takes to say so.
const SILENT_MAX: Duration = Duration::from_secs(10);

/// How long one who is silent is kept in mind.
const FORGOTTEN_AFTER: Duration = Duration::from_secs(3_600);

/// Entries taken over in one step.
const TAKEN_OVER_AT_ONCE: usize = 16;

/// Entries looked through for such as are to be taken over: more than a taker has in hand.
const LOOKED_THROUGH: usize = 256;

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
    joined: Instant,
    /// When it last said that it is there, and looked for those who are not.
    looked: Option<Instant>,
    /// Who was there at the last look.
    there: Vec<String>,
    /// And who computed without taking.
    apart: Vec<String>,
    /// What it said of itself.
    is_ready: bool,
}

/// Who takes from a queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Takers {
    /// All of them.
    pub there: usize,
    /// Those who take what comes; the others only stand by.
    pub ready: usize,
}

/// What a taker is done with.
#[derive(Clone, Debug)]
pub struct Done {
    /// The entry.
    pub id: StreamId,
    /// What goes into the stream of answers; nothing, if nobody can answer the entry.
    pub answer: Option<Fields>,
}

/// Where answers go.
#[derive(Clone, Debug)]
pub struct Answers {
    /// The stream.
    pub key: StreamKey,
    /// About how many of them it keeps.
    pub kept: u64,
}

/// What a taker takes.
#[derive(Clone, Copy, Debug)]
pub struct Wanted {
    /// Entries, at most.
    pub count: usize,
    /// Whether it takes entries, now or as soon as it has room: then some are put into the queue for it.
    pub is_ready: bool,
    /// How long to wait for the first.
    pub wait: Duration,
    /// What another taker has had for longer comes first, although the other says that it is there.
    pub idle_min: Duration,
}

impl WorkQueue {
    pub(super) fn new(link: Arc<Link>, key: StreamKey, group: &str) -> Self {
        Self {
            link,
            key,
            group: group.into(),
        }
    }

    /// Joins those who take, under a name that nobody else has. Whoever lost its connection joins again under the same.
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
            joined: Instant::now(),
            looked: None,
            there: Vec::new(),
            apart: Vec::new(),
            is_ready: false,
        };
        taker
            .make_group()
            .await
            .map_err(|fault| fault.into_error(&self.key))?;
        Ok(taker)
    }

    /// Says that these compute by themselves, without taking from it (each a name, of which those who take think as of
    /// one of their own), and counts who takes: who said so within `silent_max`.
    ///
    /// # Errors
    ///
    /// Redis is away, or refuses.
    pub async fn look(&self, silent_max: Duration, apart: &[String]) -> Result<Takers, BusError> {
        let fault = |fault: Fault| fault.into_error(&self.key);
        let now_ms = self.link.call(&self.key, &cmd("TIME")).await?;
        let now_ms = reply::time_ms(now_ms).map_err(fault)?;
        if !apart.is_empty() {
            let mut say = cmd("ZADD");
            say.arg(self.apart_key());
            for name in apart {
                say.arg(now_ms).arg(name);
            }
            self.link.call(&self.key, &say).await?;
        }
        let since = now_ms.saturating_sub(silent_max.as_millis() as u64);
        let count = async |key: String| {
            let mut count = cmd("ZCOUNT");
            count.arg(key).arg(since).arg("+inf");
            let counted = reply::number(&self.link.call(&self.key, &count).await?).map_err(fault)?;
            Ok::<_, BusError>(usize::try_from(counted).unwrap_or(usize::MAX))
        };
        Ok(Takers {
            there: count(self.there_key()).await?,
            ready: count(self.ready_key()).await?,
        })
    }

    /// Reads the answers in a stream after a place, on a connection of its own; each time it waits for the first as long as
    /// `wait`.
    ///
    /// # Errors
    ///
    /// Redis is away, or refuses.
    pub async fn answers(
        &self,
        answers: &StreamKey,
        after: StreamId,
        wait: Duration,
    ) -> Result<AnswerReader, BusError> {
        AnswerReader::open(&self.link.address, answers, after, wait).await
    }

    /// Forgets answers that were read: those before this one.
    ///
    /// # Errors
    ///
    /// Redis is away, or refuses.
    pub async fn forget_answers(&self, answers: &StreamKey, before: StreamId) -> Result<(), BusError> {
        let mut trim = cmd("XTRIM");
        trim.arg(answers.as_str()).arg("MINID").arg(before.to_string());
        self.link.call(answers, &trim).await.map(drop)
    }

    /// The sorted set of who is there, by when they last said so. Redis' own list of consumers does not tell before
    /// version 7.2: who waits for work is silent in it.
    fn there_key(&self) -> String {
        format!("{}:{}", self.key, self.group)
    }

    /// The same of those among them who take what comes.
    fn ready_key(&self) -> String {
        format!("{}:{}:ready", self.key, self.group)
    }

    /// The same of those who compute without taking.
    fn apart_key(&self) -> String {
        format!("{}:{}:apart", self.key, self.group)
    }
}

impl Taker {
    /// Gives answers and takes more, in one go. For each entry both or neither happens: its answer is given, and it is
    /// gone from the queue. What a taker that is gone had comes first, and what was given to this one before, is not
    /// among what it is done with or has in hand, and so was never heard of.
    ///
    /// # Errors
    ///
    /// The connection is lost: whether the answers were given is not known. Join again, and give them again; of an
    /// entry that was answered twice the answer is there twice.
    pub async fn exchange(
        &mut self,
        done: &[Done],
        in_hand: &HashSet<StreamId>,
        answers: &Answers,
        wanted: Wanted,
    ) -> Result<Vec<Arc<Entry>>, BusError> {
        let taken = self.try_exchange(done, in_hand, answers, wanted).await;
        taken.map_err(|fault| fault.into_error(&self.queue.key))
    }

    /// Who takes from the queue, this one with them, as of the last exchange or little before.
    pub fn there(&self) -> &[String] {
        &self.there
    }

    /// Who computes without taking, as of then.
    pub fn apart(&self) -> &[String] {
        &self.apart
    }

    /// For how long an entry has been in the queue that nobody has taken, by Redis' clock; [`Duration::MAX`] where
    /// somebody has taken one who is not there any more, or this one has more than the entries in its hands.
    ///
    /// # Errors
    ///
    /// As [`exchange`](Self::exchange).
    pub async fn longest_wait(&self, in_hand: usize) -> Result<Duration, BusError> {
        let waited = self.try_longest_wait(in_hand).await;
        waited.map_err(|fault| fault.into_error(&self.queue.key))
    }

    /// Leaves: its name is forgotten, if it owes nothing.
    ///
    /// # Errors
    ///
    /// The connection is lost; the name is forgotten by whoever cleans up.
    pub async fn leave(self) -> Result<(), BusError> {
        let mut leave = Pipeline::new();
        for key in [self.queue.there_key(), self.queue.ready_key()] {
            leave.cmd("ZREM").arg(key).arg(&self.name);
        }
        let group = leave.cmd("XGROUP").arg("DELCONSUMER");
        group
            .arg(self.queue.key.as_str())
            .arg(&*self.queue.group)
            .arg(&self.name);
        let left = self.session.send(&leave).await;
        left.map(drop).map_err(|fault| fault.into_error(&self.queue.key))
    }

    async fn try_exchange(
        &mut self,
        done: &[Done],
        in_hand: &HashSet<StreamId>,
        answers: &Answers,
        wanted: Wanted,
    ) -> Result<Vec<Arc<Entry>>, Fault> {
        let said_every = match self.joined.elapsed() < SAID_EVERY {
            true => SAID_FIRST_EVERY,
            false => SAID_EVERY,
        };
        let look_every = said_every.min(wanted.idle_min);
        let mut lost = Vec::new();
        let is_due = self.looked.is_none_or(|looked| looked.elapsed() >= look_every);
        if is_due || wanted.is_ready != self.is_ready {
            let is_known = |id: &StreamId| in_hand.contains(id) || done.iter().any(|done| done.id == *id);
            lost = self.look(wanted, is_known).await?;
            self.looked = Some(Instant::now());
        }
        let mut all = Batch::default();
        if !done.is_empty() {
            self.settle(&mut all, done, answers);
        }
        let reads = lost.is_empty() && wanted.count > 0;
        if reads {
            self.read(&mut all, wanted);
        }
        if all.count == 0 {
            return Ok(lost);
        }
        let mut replies = self.session.exchange(all.packed, all.count).await?;
        let read = if reads { replies.pop() } else { None };
        if !done.is_empty() {
            reply::all_done(resp::value(&replies.pop().unwrap_or_default())?)?;
        }
        match read.map(|reply| resp::read(&reply)) {
            None => Ok(lost),
            Some(Err(Fault::Refused(why))) if is_missing(&why) => {
                // Somebody emptied Redis.
                self.make_group().await?;
                Ok(Vec::new())
            }
            Some(read) => read,
        }
    }

    fn settle(&self, all: &mut Batch, done: &[Done], answers: &Answers) {
        /// What an answer takes in a command beside its fields, and settling all of them, about.
        const BESIDE: usize = 256;
        let bytes = |done: &Done| BESIDE + done.answer.as_ref().map_or(0, Fields::size_bytes);
        all.packed.reserve(done.iter().map(bytes).sum::<usize>() + BESIDE);
        let (key, group) = (self.queue.key.as_str().as_bytes(), self.queue.group.as_bytes());
        let kept = answers.kept.to_string();
        all.command(&[b"MULTI"], []);
        for answer in done.iter().filter_map(|done| done.answer.as_ref()) {
            let add: [&[u8]; 6] = [
                b"XADD",
                answers.key.as_str().as_bytes(),
                b"MAXLEN",
                b"~",
                kept.as_bytes(),
                b"*",
            ];
            all.command(&add, answer.iter().flat_map(|(name, value)| [name, value]));
        }
        let ids: Vec<String> = done.iter().map(|done| done.id.to_string()).collect();
        let ids = || ids.iter().map(String::as_bytes);
        all.command(&[b"XACK", key, group], ids());
        all.command(&[b"XDEL", key], ids());
        all.command(&[b"EXEC"], []);
    }

    fn read(&self, all: &mut Batch, wanted: Wanted) {
        let (key, group) = (self.queue.key.as_str().as_bytes(), self.queue.group.as_bytes());
        let count = wanted.count.to_string();
        // Nought would be for ever.
        let wait = (!wanted.wait.is_zero()).then(|| wanted.wait.as_millis().max(1).to_string());
        let block = wait.iter().flat_map(|wait| [&b"BLOCK"[..], wait.as_bytes()]);
        let streams: [&[u8]; 3] = [b"STREAMS", key, b">"];
        all.command(
            &[
                b"XREADGROUP",
                b"GROUP",
                group,
                self.name.as_bytes(),
                b"COUNT",
                count.as_bytes(),
            ],
            block.chain(streams),
        );
    }

    async fn try_longest_wait(&self, in_hand: usize) -> Result<Duration, Fault> {
        let (key, group) = (self.queue.key.as_str(), &*self.queue.group);
        let mut ask = Pipeline::new();
        ask.cmd("TIME");
        ask.cmd("XINFO").arg("GROUPS").arg(key);
        ask.cmd("XPENDING").arg(key).arg(group);
        let mut replies = self.session.send(&ask).await?.into_iter();
        let now_ms = reply::time_ms(checked(replies.next().unwrap_or_default())?)?;
        let last = match checked(replies.next().unwrap_or_default()) {
            Ok(groups) => reply::last_delivered(groups, group)?,
            Err(Fault::Refused(why)) if is_missing(&why) => None,
            Err(fault) => return Err(fault),
        };
        let Some(last) = last else {
            return Ok(Duration::ZERO);
        };
        let owing = reply::owing(checked(replies.next().unwrap_or_default())?)?;
        let is_left_alone = |(owner, count): &(String, usize)| match *owner == self.name {
            true => *count > in_hand,
            false => !self.there.contains(owner),
        };
        if owing.iter().any(is_left_alone) {
            return Ok(Duration::MAX);
        }
        let mut next = cmd("XRANGE");
        next.arg(key).arg(format!("({last}")).arg("+").arg("COUNT").arg(1);
        let next = reply::entries(self.session.call(&next).await?)?;
        let since_ms = next.first().map_or(now_ms, |entry| entry.id.ms);
        Ok(Duration::from_millis(now_ms.saturating_sub(since_ms)))
    }

    /// Says that it is there, and takes over from those who are not, or do not get done.
    async fn look(
        &mut self,
        wanted: Wanted,
        is_known: impl Fn(&StreamId) -> bool,
    ) -> Result<Vec<Arc<Entry>>, Fault> {
        let now_ms = reply::time_ms(self.session.call(&cmd("TIME")).await?)?;
        let (there, ready) = (self.queue.there_key(), self.queue.ready_key());
        let apart = self.queue.apart_key();
        let before = |time: Duration| now_ms.saturating_sub(time.as_millis() as u64);
        let mut say = Pipeline::new();
        say.cmd("ZADD").arg(&there).arg(now_ms).arg(&self.name);
        match wanted.is_ready {
            true => say.cmd("ZADD").arg(&ready).arg(now_ms).arg(&self.name),
            false => say.cmd("ZREM").arg(&ready).arg(&self.name),
        };
        let long_ago = before(FORGOTTEN_AFTER);
        for key in [&there, &ready, &apart] {
            say.cmd("ZREMRANGEBYSCORE").arg(key).arg("-inf").arg(long_ago);
        }
        let silent_max = SILENT_MAX.min(wanted.idle_min);
        let since = before(silent_max);
        for key in [&there, &apart] {
            say.cmd("ZRANGEBYSCORE").arg(key).arg(since).arg("+inf");
        }
        let said = self.session.send(&say).await?;
        let mut said = said.into_iter().map(checked).collect::<Result<Vec<_>, _>>()?;
        self.apart = reply::texts(said.pop().unwrap_or_default())?;
        self.there = reply::texts(said.pop().unwrap_or_default())?;
        self.is_ready = wanted.is_ready;
        if wanted.count == 0 {
            return Ok(Vec::new());
        }
        let found = self.take_over(wanted, silent_max, is_known).await;
        match found {
            Err(Fault::Refused(why)) if is_missing(&why) => {
                self.make_group().await?;
                Ok(Vec::new())
            }
            found => found,
        }
    }

    async fn take_over(
        &self,
        wanted: Wanted,
        silent_max: Duration,
        is_known: impl Fn(&StreamId) -> bool,
    ) -> Result<Vec<Arc<Entry>>, Fault> {
        let (key, group) = (self.queue.key.as_str(), &*self.queue.group);
        let mut owing = cmd("XPENDING");
        owing.arg(key).arg(group);
        for (owner, _) in reply::owing(self.session.call(&owing).await?)? {
            let idle_min = match owner == self.name {
                true => Duration::ZERO,
                false if self.there.contains(&owner) => continue,
                false => silent_max,
            };
            // Of two that find the same at a time one gets it: for the other it is not idle any more.
            let owed = self.owed(Some(&owner), idle_min).await?;
            let lost = owed.into_iter().map(|(id, _)| id).filter(|id| !is_known(id));
            let taken = self.claim(lost.collect(), idle_min).await?;
            if !taken.is_empty() {
                return Ok(taken);
            }
        }
        // Its own are in hand: taking those over would only keep others from it.
        let owed = self.owed(None, wanted.idle_min).await?;
        let others = owed.into_iter().filter(|(_, owner)| *owner != self.name);
        self.claim(others.map(|(id, _)| id).collect(), wanted.idle_min)
            .await
    }

    /// What somebody, or anybody, has had for so long; and who it is.
    async fn owed(&self, owner: Option<&str>, idle_min: Duration) -> Result<Vec<(StreamId, String)>, Fault> {
        let mut list = cmd("XPENDING");
        list.arg(self.queue.key.as_str()).arg(&*self.queue.group);
        list.arg("IDLE").arg(idle_min.as_millis() as u64);
        list.arg("-").arg("+").arg(LOOKED_THROUGH);
        if let Some(owner) = owner {
            list.arg(owner);
        }
        reply::owed(self.session.call(&list).await?)
    }

    async fn claim(&self, ids: Vec<StreamId>, idle_min: Duration) -> Result<Vec<Arc<Entry>>, Fault> {
        if ids.is_empty() {
            return Ok(Vec::new());
        }
        let mut claim = cmd("XCLAIM");
        claim.arg(self.queue.key.as_str()).arg(&*self.queue.group);
        claim.arg(&self.name).arg(idle_min.as_millis() as u64);
        for id in ids.iter().take(TAKEN_OVER_AT_ONCE) {
            claim.arg(id.to_string());
        }
        reply::entries(self.session.call(&claim).await?)
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

/// Commands, packed: answers have many kilobytes, and are copied once.
#[derive(Default)]
struct Batch {
    packed: Vec<u8>,
    count: usize,
}

impl Batch {
    fn command<'a>(&mut self, head: &[&'a [u8]], rest: impl IntoIterator<Item = &'a [u8], IntoIter: Clone>) {
        let rest = rest.into_iter();
        self.count += 1;
        resp::command(&mut self.packed, head.len() + rest.clone().count());
        for part in head.iter().copied().chain(rest) {
            resp::argument(&mut self.packed, part);
        }
    }
}

/// Whether the stream or its group is not there.
fn is_missing(why: &str) -> bool {
    why.starts_with("NOGROUP") || why.contains("no such key")
}
