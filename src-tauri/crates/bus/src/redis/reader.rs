//! The reader of one stream, for all who follow it, on a connection of its own.
//!
//! It waits with `XREAD BLOCK` from the id it has: never from `$`, which would pass over what comes between two waits.
//! With each reply it sees whether the stream is still the one that it read so far (`watch.rs`), and tells its followers
//! of a gap before it tells them what comes behind it.

use std::sync::Arc;
use std::time::Duration;

use redis::{Cmd, Pipeline, Value, cmd};
use tokio::time::Instant;

use super::backoff::Backoff;
use super::fault::{Fault, checked};
use super::pages::Appetite;
use super::readers::Readers;
use super::reply;
use super::resp;
use super::session::Session;
use super::watch::{Look, Place, Verdict};
use crate::live::Notice;
use crate::{Entry, StreamKey};

/// How long one wait for entries lasts, and how long a stream that was lost may go unnoticed.
const WAIT: Duration = Duration::from_secs(1);

/// How much longer than [`WAIT`] a reply may take: then Redis is not there any more. What was read by then is read again.
const REPLY_MAX: Duration = Duration::from_secs(5);

/// How long a reader stays after its last follower: a page that is loaded anew finds it.
const LINGER: Duration = Duration::from_secs(30);

/// The reader.
pub(super) struct Reader {
    readers: Arc<Readers>,
    key: StreamKey,
    place: Place,
    appetite: Appetite,
    /// Since when nobody follows.
    idle_since: Option<Instant>,
    /// Whether followers were told that Redis is away, and not heard anything since.
    is_told_away: bool,
    has_connected: bool,
}

impl Reader {
    pub(super) fn new(readers: Arc<Readers>, key: StreamKey, place: Place) -> Self {
        Self {
            readers,
            key,
            place,
            appetite: Appetite::new(),
            idle_since: None,
            is_told_away: false,
            has_connected: false,
        }
    }

    /// Reads until nobody has followed for a while.
    pub(super) async fn run(mut self) {
        let mut backoff = Backoff::default();
        loop {
            let ended = match Session::open(&self.readers.link.address, WAIT + REPLY_MAX).await {
                Ok(session) => self.follow(&session, &mut backoff).await,
                Err(fault) => Err(fault),
            };
            let Err(fault) = ended else { return };
            // A connection that was cut is back in a moment, and nobody need hear of it.
            let is_cut = matches!(fault, Fault::Lost(_)) && backoff.failures() == 0;
            if !is_cut && !self.is_told_away {
                self.is_told_away = true;
                let why = fault.text(&self.key);
                tracing::warn!(stream = %self.key, why, "the stream cannot be read; it is tried again and again");
                self.readers
                    .tell(&self.key, |live| live.notice(&Notice::Away(why)));
            }
            tokio::time::sleep(backoff.next()).await;
            if self.is_left() {
                return;
            }
        }
    }

    /// Reads over one connection. Ends well when nobody has followed for a while.
    async fn follow(&mut self, session: &Session, backoff: &mut Backoff) -> Result<(), Fault> {
        self.look(session).await?;
        backoff.reset();
        self.is_told_away = false;
        if std::mem::replace(&mut self.has_connected, true) {
            self.readers.link.count_connection();
        }
        loop {
            let began = Instant::now();
            self.wait(session).await?;
            // Where much is going on, this is not asked for each entry.
            if (self.idle_since.is_some() || began.elapsed() >= WAIT) && self.is_left() {
                return Ok(());
            }
        }
    }

    /// Waits for entries, for a while, and takes them.
    async fn wait(&mut self, session: &Session) -> Result<(), Fault> {
        let mut wait = Pipeline::new();
        let mut xread = self.xread(Some(WAIT));
        xread.arg(self.place.id.to_string());
        wait.add_command(xread);
        // Answered directly after the wait: it costs no way of its own.
        wait.cmd("XINFO").arg("STREAM").arg(self.key.as_str());
        let mut replies = session.send_for_bytes(&wait).await?.into_iter();
        let entries = resp::read(&replies.next().unwrap_or_default())?;
        let reach = reply::reach_or_nothing(resp::value(&replies.next().unwrap_or_default())?)?;
        if self.place.is_joined_by(&entries, &reach) {
            self.take(&entries);
            return Ok(());
        }
        // There is more by now, or less: what is what can only be told from one moment.
        self.look(session).await
    }

    /// Looks whether the stream is still what it was, and takes what is there, in one step.
    async fn look(&mut self, session: &Session) -> Result<(), Fault> {
        let (key, place) = (self.key.as_str(), self.place.id.to_string());
        let count = self.appetite.count();
        let mut look = Pipeline::new();
        look.cmd("MULTI");
        look.cmd("XINFO").arg("STREAM").arg(key);
        look.cmd("XREVRANGE")
            .arg(key)
            .arg(&place)
            .arg("-")
            .arg("COUNT")
            .arg(1);
        let mut xread = self.xread(None);
        xread.arg(&place);
        look.add_command(xread);
        look.cmd("EXEC");
        let mut replies = session.send(&look).await?;
        let Value::Array(found) = checked(replies.pop().unwrap_or_default())? else {
            return Err(Fault::Lost("its reply to EXEC is not understood".to_owned()));
        };
        let mut found = found.into_iter();
        let reach = reply::reach_or_nothing(found.next().unwrap_or_default())?;
        let older = reply::entries(found.next().unwrap_or_default())?;
        let entries = reply::read(checked(found.next().unwrap_or_default())?)?;
        let has_older = !older.is_empty();
        let unread = match entries.len() < count {
            true => Some(entries.len() as u64),
            // More than was asked for: everything, where nothing is left of what was read.
            false => (!has_older).then_some(reach.info.length),
        };
        let verdict = self.place.compare(&Look {
            reach,
            has_older,
            unread,
        });
        match verdict {
            Verdict::Same => self.take(&entries),
            Verdict::Gap => {
                tracing::warn!(stream = %self.key, "entries were trimmed or deleted before they were read");
                self.readers.tell(&self.key, |live| live.notice(&Notice::Gap));
                self.take(&entries);
            }
            // What was found above our place is part of what comes now.
            Verdict::Anew(after) => {
                tracing::warn!(stream = %self.key, %after, "the stream was lost, and begins anew");
                self.readers.tell(&self.key, |live| live.begin_anew(after));
            }
        }
        Ok(())
    }

    fn xread(&self, block: Option<Duration>) -> Cmd {
        let mut xread = cmd("XREAD");
        xread.arg("COUNT").arg(self.appetite.count());
        if let Some(block) = block {
            xread.arg("BLOCK").arg(block.as_millis() as u64);
        }
        xread.arg("STREAMS").arg(self.key.as_str());
        xread
    }

    fn take(&mut self, entries: &[Arc<Entry>]) {
        if entries.is_empty() {
            return;
        }
        self.readers.publish(&self.key, entries);
        self.place.read(entries.iter().map(|entry| entry.id));
        self.appetite.feed(entries);
    }

    /// Whether nobody has followed for a while. The stream is forgotten then.
    fn is_left(&mut self) -> bool {
        if self.readers.is_followed(&self.key) {
            self.idle_since = None;
            return false;
        }
        let since = *self.idle_since.get_or_insert_with(Instant::now);
        since.elapsed() >= LINGER && self.readers.forget(&self.key)
    }
}
