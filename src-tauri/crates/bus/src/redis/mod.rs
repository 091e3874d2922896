//! Redis Streams: the log is Redis', and other programs share it.
//!
//! Two connections are kept whatever the number of followers: one for all that is answered at once (`link.rs`:
//! publishing, ranges, figures), and one on which the reader of a stream waits (`reader.rs`), for each stream that is
//! followed. Both are made anew for ever. What is published while Redis is away waits in its order (`queue.rs`). Who takes
//! work (`work.rs`), and who reads the answers (`answers.rs`), has a connection of its own.

mod address;
mod answers;
mod backoff;
mod fault;
mod link;
mod lost;
mod pages;
mod publisher;
mod queue;
mod reader;
mod readers;
mod reply;
mod resp;
mod session;
mod watch;
mod wire;
mod work;

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use chatstats_model::{Backend, BusStatus};
use redis::cmd;
use tokio::task::JoinHandle;

use crate::bus::Submitted;
use crate::engine::{NewId, Page, Range, Reading, StreamInfo, Trim};
use crate::live::Live;
use crate::{BusError, Fields, StreamKey};
use address::Address;
pub use answers::AnswerReader;
use link::Link;
use publisher::{Figures, Publisher};
use queue::Queue;
use readers::Readers;
pub use work::{Answers, Done, Taker, Takers, Wanted, WorkQueue};

/// How long a shutdown waits for what is still to be written.
const SHUTDOWN_MAX: Duration = Duration::from_secs(2);

/// Settings of the connection to Redis.
#[derive(Clone)]
pub struct RedisSettings {
    /// `redis://[user:password@]host[:port][/db]`, `rediss://…` (TLS), `unix:///path[?db=&user=&pass=]`. With TLS,
    /// `?ca=/path/to/ca.pem` names who signed the server's certificate, where the system does not know them.
    pub url: String,
    /// About how many entries each stream that is written keeps.
    pub kept: u64,
}

/// Without the URL, which may hold a password.
impl fmt::Debug for RedisSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RedisSettings")
            .field("kept", &self.kept)
            .finish_non_exhaustive()
    }
}

/// The connection to Redis, and what is kept on this side of it.
pub(crate) struct Redis {
    link: Arc<Link>,
    queue: Arc<Queue>,
    figures: Arc<Figures>,
    readers: Arc<Readers>,
    tasks: Mutex<Option<Tasks>>,
}

struct Tasks {
    keeper: JoinHandle<()>,
    publisher: JoinHandle<()>,
}

impl Redis {
    /// Connects. Where that fails, it goes on trying.
    pub(crate) async fn open(settings: RedisSettings) -> Result<Self, BusError> {
        let link = Arc::new(Link::new(Address::parse(&settings.url)?));
        let queue = Arc::new(Queue::default());
        let figures = Arc::new(Figures::default());
        let publisher = Publisher::new(
            Arc::clone(&link),
            Arc::clone(&queue),
            Arc::clone(&figures),
            settings.kept,
        );
        let tasks = Tasks {
            keeper: tokio::spawn(Arc::clone(&link).keep()),
            publisher: tokio::spawn(publisher.run()),
        };
        link.tried().await;
        Ok(Self {
            readers: Arc::new(Readers::new(Arc::clone(&link))),
            link,
            queue,
            figures,
            tasks: Mutex::new(Some(tasks)),
        })
    }

    pub(crate) fn submit(&self, key: &StreamKey, id: NewId, fields: Fields) -> Result<Submitted, BusError> {
        self.queue.submit(key, id, fields)
    }

    pub(crate) fn submit_all(
        &self,
        key: &StreamKey,
        all: Vec<Fields>,
    ) -> Result<Vec<Submitted>, (usize, BusError)> {
        self.queue.submit_all(key, all)
    }

    pub(crate) fn range(&self, key: &StreamKey, range: Range) -> Reading<Page> {
        let (link, key) = (Arc::clone(&self.link), key.clone());
        begun(async move { pages::page(&link, &key, range).await })
    }

    pub(crate) fn info(&self, key: &StreamKey) -> Reading<StreamInfo> {
        let (link, key) = (Arc::clone(&self.link), key.clone());
        begun(async move { Ok(link.reach(&key).await?.info) })
    }

    pub(crate) fn trim(&self, key: &StreamKey, trim: Trim) -> Reading<u64> {
        let (link, key) = (Arc::clone(&self.link), key.clone());
        let mut xtrim = cmd("XTRIM");
        xtrim.arg(key.as_str()).arg("MAXLEN");
        match trim {
            Trim::About(keep) => xtrim.arg("~").arg(keep),
            Trim::Exactly(keep) => xtrim.arg("=").arg(keep),
        };
        begun(async move {
            let trimmed = link.call(&key, &xtrim).await?;
            reply::number(&trimmed).map_err(|fault| fault.into_error(&key))
        })
    }

    pub(crate) fn live(&self, key: &StreamKey) -> Reading<Live> {
        begun(Arc::clone(&self.readers).live(key.clone()))
    }

    pub(crate) fn work_queue(&self, key: &StreamKey, group: &str) -> WorkQueue {
        WorkQueue::new(Arc::clone(&self.link), key.clone(), group)
    }

    pub(crate) fn status(&self) -> BusStatus {
        let streams = self.readers.streams();
        let away = self.link.now().err().map(|error| error.to_string());
        BusStatus {
            backend: Backend::Redis,
            address: Some(self.link.address.to_string()),
            problem: away.or_else(|| self.figures.problem()),
            published: self.figures.published(),
            read: self.readers.read(),
            waiting: self.queue.waiting() as u64,
            subscribers: streams.iter().map(|stream| stream.subscribers).sum(),
            length: self.link.length(),
            lag_ms: self.readers.lag_ms(),
            reconnects: self.link.reconnects(),
            streams,
        }
    }

    /// Writes what waits, for a moment, and ends all connections. What is asked after that is answered
    /// [`BusError::Closed`].
    pub(crate) async fn shutdown(&self) {
        self.queue.close();
        let tasks = self.tasks.lock().unwrap_or_else(PoisonError::into_inner).take();
        let Some(Tasks {
            keeper,
            mut publisher,
        }) = tasks
        else {
            return;
        };
        let written = tokio::time::timeout(SHUTDOWN_MAX, &mut publisher).await;
        let waiting = self.queue.give_up();
        if waiting > 0 {
            tracing::error!(waiting, address = %self.link.address, "events were not written: Redis is away");
        }
        self.link.close();
        if written.is_err() {
            let _ = publisher.await; // It panicked: the panic was reported when it did.
        }
        let _ = keeper.await; // As above.
        self.readers.ended().await;
    }
}

impl Drop for Redis {
    fn drop(&mut self) {
        // Ends all tasks; whoever shut down before has waited for them.
        self.queue.give_up();
        self.link.close();
    }
}

/// Begins at once, and not when it is first polled; goes on when whoever asked has left.
fn begun<T: Send + 'static>(work: impl Future<Output = Result<T, BusError>> + Send + 'static) -> Reading<T> {
    let work = tokio::spawn(work);
    // The work ends early only where the runtime does.
    Box::pin(async { work.await.unwrap_or(Err(BusError::Closed)) })
}
