//! A batch was sent, and no reply came: is it in the stream?
//!
//! The connection it went over is ended on the server, so that it cannot be written any more; then the stream is looked
//! through from the last id known before. A batch stands in a row there, because it was a transaction.
//!
//! What this cannot tell: entries equal to ours to the byte, in a row of the same length, which another program wrote
//! in the same moment. Events cannot be mistaken like this, for each carries its own `ts`.

use std::collections::VecDeque;
use std::sync::Arc;

use redis::cmd;

use super::fault::Fault;
use super::link::reach;
use super::pages::Appetite;
use super::queue::Job;
use super::reply;
use super::session::Session;
use crate::engine::NewId;
use crate::{BusError, Entry, StreamId, StreamKey};

/// What became of a batch.
pub(super) enum Found {
    /// It is there, with these ids.
    Written(Vec<StreamId>),
    /// It was not written.
    Nothing,
    /// Nothing good, and trying again would not help.
    Never(BusError),
}

/// Looks for a batch in its stream, above `place`.
pub(super) async fn find(session: &Session, batch: &[Job], place: StreamId) -> Result<Found, Fault> {
    let key = &batch[0].key;
    let info = match reach(session, key).await {
        Ok(reach) => reach.info,
        Err(fault @ (Fault::Lost(_) | Fault::ForNow(_))) => return Err(fault),
        Err(fault) => return Ok(Found::Never(fault.into_error(key))),
    };
    // A stream that was lost has no entries of before: all of it comes into question.
    let after = if info.newest < place {
        StreamId::ZERO
    } else {
        place
    };
    let mut search = Search {
        batch,
        row: VecDeque::with_capacity(batch.len()),
    };
    let mut appetite = Appetite::new();
    let mut from = after.next();
    while let Some(next) = from.filter(|next| *next <= info.newest) {
        let entries = bite(session, key, next, appetite.count()).await?;
        appetite.feed(&entries);
        from = entries.last().and_then(|last| last.id.next());
        for entry in entries {
            if let Some(ids) = search.offer(entry) {
                return Ok(Found::Written(ids));
            }
        }
    }
    if info.trimmed_through > after {
        return Ok(Found::Never(BusError::Uncertain));
    }
    Ok(Found::Nothing)
}

async fn bite(
    session: &Session,
    key: &StreamKey,
    from: StreamId,
    count: usize,
) -> Result<Vec<Arc<Entry>>, Fault> {
    let mut ask = cmd("XRANGE");
    ask.arg(key.as_str()).arg(from.to_string()).arg("+");
    ask.arg("COUNT").arg(count);
    reply::entries(session.call(&ask).await?)
}

/// Looks for a row of entries that say what a batch says.
struct Search<'b> {
    batch: &'b [Job],
    /// The last so many entries.
    row: VecDeque<Arc<Entry>>,
}

impl Search<'_> {
    fn offer(&mut self, entry: Arc<Entry>) -> Option<Vec<StreamId>> {
        if self.row.len() == self.batch.len() {
            self.row.pop_front();
        }
        self.row.push_back(entry);
        let is_there = self.row.len() == self.batch.len()
            && self
                .row
                .iter()
                .zip(self.batch)
                .all(|(entry, job)| is_written_as(job, entry));
        is_there.then(|| self.row.iter().map(|entry| entry.id).collect())
    }
}

fn is_written_as(job: &Job, entry: &Entry) -> bool {
    let is_its_id = match job.id {
        NewId::Auto => true,
        NewId::At(id) => id == entry.id,
    };
    is_its_id && job.fields == entry.fields
}
