//! The answers to a queue of work, as one reader takes them.
//!
//! Unlike a follower of events (`reader.rs`) it need not know that nothing went by unread: who waits for an answer that was
//! lost asks again. So it does not ask with each reply what has become of the stream: that comes with its first and its
//! last entry, which of answers are many kilobytes. It looks when nothing came for a while.

use std::sync::Arc;
use std::time::Duration;

use redis::cmd;

use super::fault::Fault;
use super::link;
use super::pages::Appetite;
use super::resp;
use super::session::Session;
use crate::{BusError, Entry, StreamId, StreamKey};

/// How much longer than it waits the connection may be silent.
const REPLY_MAX: Duration = Duration::from_secs(5);

/// Reads answers, on a connection of its own.
pub struct AnswerReader {
    key: StreamKey,
    session: Session,
    /// Up to where it has read.
    place: StreamId,
    wait: Duration,
    appetite: Appetite,
}

impl AnswerReader {
    /// Reads on after `place`; or all there is, where the stream does not reach as far and so is another.
    pub(super) async fn open(
        address: &super::address::Address,
        key: &StreamKey,
        place: StreamId,
        wait: Duration,
    ) -> Result<Self, BusError> {
        let opened = async {
            let mut reader = Self {
                key: key.clone(),
                session: Session::open(address, wait + REPLY_MAX).await?,
                place,
                wait,
                appetite: Appetite::new(),
            };
            reader.look().await?;
            Ok(reader)
        };
        opened.await.map_err(|fault: Fault| fault.into_error(key))
    }

    /// The next answers, in their order: at most `count`, and no more than some MiB. None if none came for as long as it
    /// waits.
    ///
    /// # Errors
    ///
    /// The connection is lost, or Redis refuses: open another, with the place of the last answer.
    pub async fn next(&mut self, count: usize) -> Result<Vec<Arc<Entry>>, BusError> {
        let read = self.read(count).await;
        read.map_err(|fault| fault.into_error(&self.key))
    }

    async fn read(&mut self, count: usize) -> Result<Vec<Arc<Entry>>, Fault> {
        let mut read = cmd("XREAD");
        read.arg("COUNT").arg(self.appetite.count().min(count));
        // Nought would be for ever.
        read.arg("BLOCK").arg(self.wait.as_millis().max(1) as u64);
        read.arg("STREAMS")
            .arg(self.key.as_str())
            .arg(self.place.to_string());
        let entries = resp::read(&self.session.ask(&read).await?)?;
        self.appetite.feed(&entries);
        match entries.last() {
            Some(last) => self.place = last.id,
            None => self.look().await?,
        }
        Ok(entries)
    }

    /// Begins anew, if the stream is not the one that was read.
    async fn look(&mut self) -> Result<(), Fault> {
        let reach = link::reach(&self.session, &self.key).await?;
        if reach.info.newest < self.place {
            tracing::warn!(stream = %self.key, "the stream of answers was lost; it is read from its beginning");
            self.place = StreamId::ZERO;
        }
        Ok(())
    }
}
