//! The handle that everybody holds.

use std::path::Path;
use std::sync::{Arc, OnceLock};

use crate::reader::{Pool, Reader};
use crate::writer::{CommitListener, Lane, Write, Writer};
use crate::{DATABASE_FILE, OpenError, StoreError, open, schema};

/// The database, open. Cheap to clone; the last clone that goes closes it.
#[derive(Clone)]
pub struct Store {
    inner: Arc<Inner>,
}

struct Inner {
    epoch: String,
    path: std::path::PathBuf,
    listener: Arc<OnceLock<Arc<dyn CommitListener>>>,
    // Dropped in this order: readers first, so that the writer is the last to close and can truncate the log.
    readers: Pool,
    writer: Writer,
}

impl Store {
    /// Opens the database in `data_dir`, made when it is not there, and brings it to the newest schema.
    ///
    /// The directory must exist and the caller must hold its lock: two processes never write one database.
    pub fn open(data_dir: &Path) -> Result<Store, OpenError> {
        let path = data_dir.join(DATABASE_FILE);
        let mut conn = open::writer(&path)?;
        schema::migrate(&mut conn, &path)?;
        let failed = |e| open::classify(&path, e);
        let epoch = conn
            .query_row("SELECT value FROM meta WHERE key = 'epoch'", [], |row| row.get(0))
            .map_err(failed)?;
        let listener = Arc::new(OnceLock::new());
        let readers = Pool::open(&path)?;
        let writer = Writer::start(conn, &path, Arc::clone(&listener)).map_err(failed)?;
        Ok(Store {
            inner: Arc::new(Inner {
                epoch,
                path,
                listener,
                readers,
                writer,
            }),
        })
    }

    /// A random word made with the database: revisions of one database mean nothing to another.
    pub fn epoch(&self) -> &str {
        &self.inner.epoch
    }

    /// The size of the database file with its log, in bytes.
    pub fn size_bytes(&self) -> u64 {
        let wal = self.inner.path.with_extension("db-wal");
        [self.inner.path.as_path(), &wal]
            .iter()
            .filter_map(|p| p.metadata().ok())
            .map(|m| m.len())
            .sum()
    }

    /// Who hears of commits. Set once, before the first write; a second call changes nothing.
    pub fn on_commit(&self, listener: Arc<dyn CommitListener>) {
        let _already_set = self.inner.listener.set(listener);
    }

    /// Runs `query` on a reader's thread. Keep it short: there are few readers, so a long answer is read in pages.
    pub async fn read<T, F>(&self, query: F) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: FnOnce(&Reader) -> Result<T, StoreError> + Send + 'static,
    {
        let (reply, answer) = tokio::sync::oneshot::channel();
        self.inner
            .readers
            .submit(query, move |result| drop(reply.send(result)))?;
        answer.await.map_err(|_| StoreError::Closed)?
    }

    /// As [`Store::read`], for threads outside the async world.
    pub fn read_blocking<T, F>(&self, query: F) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: FnOnce(&Reader) -> Result<T, StoreError> + Send + 'static,
    {
        let (reply, answer) = std::sync::mpsc::sync_channel(1);
        self.inner
            .readers
            .submit(query, move |result| drop(reply.send(result)))?;
        answer.recv().map_err(|_| StoreError::Closed)?
    }

    /// A connection of one's own, for a thread that reads all the time. Close it before the store.
    ///
    /// # Errors
    ///
    /// [`StoreError::Unavailable`] if it cannot be opened.
    pub fn reader(&self) -> Result<Reader, StoreError> {
        let opened = open::reader(&self.inner.path);
        let conn = opened.map_err(|error| StoreError::Unavailable(error.to_string()))?;
        Ok(Reader { conn })
    }

    /// Runs `work` in the writer's next transaction and answers once that is committed and the listener has heard.
    ///
    /// An error of `work` undoes its own writes and nobody else's. `cost_bytes` is about what the closure holds
    /// in memory: callers wait while more than a bounded amount is queued.
    pub async fn write<T, F>(&self, lane: Lane, cost_bytes: usize, work: F) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: FnOnce(&mut Write<'_>) -> Result<T, StoreError> + Send + 'static,
    {
        self.hand_over(lane, cost_bytes, work).await?.await
    }

    /// As [`Store::write`], but ready once `work` has its place in the queue: what is handed over later is done later.
    /// The answer is what this resolves to, and dropping that changes nothing.
    pub async fn hand_over<T, F>(
        &self,
        lane: Lane,
        cost_bytes: usize,
        work: F,
    ) -> Result<impl Future<Output = Result<T, StoreError>> + Send + use<T, F>, StoreError>
    where
        T: Send + 'static,
        F: FnOnce(&mut Write<'_>) -> Result<T, StoreError> + Send + 'static,
    {
        let room = self.inner.writer.room(cost_bytes).await?;
        let (reply, answer) = tokio::sync::oneshot::channel();
        self.inner
            .writer
            .submit(lane, Some(room), work, move |result| drop(reply.send(result)))?;
        Ok(async { answer.await.map_err(|_| StoreError::Closed)? })
    }

    /// As [`Store::write`], for threads outside the async world, which hold one write at a time.
    pub fn write_blocking<T, F>(&self, lane: Lane, work: F) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: FnOnce(&mut Write<'_>) -> Result<T, StoreError> + Send + 'static,
    {
        self.write_later(lane, work)?.wait()
    }

    /// Hands `work` over and returns at once; the answer is there when [`Later::wait`] returns. Lets an importer
    /// parse its next batch while this one is written.
    pub fn write_later<T, F>(&self, lane: Lane, work: F) -> Result<Later<T>, StoreError>
    where
        T: Send + 'static,
        F: FnOnce(&mut Write<'_>) -> Result<T, StoreError> + Send + 'static,
    {
        let (reply, answer) = std::sync::mpsc::sync_channel(1);
        self.inner
            .writer
            .submit(lane, None, work, move |result| drop(reply.send(result)))?;
        Ok(Later(answer))
    }

    /// How long ago the last live write came, if there was one since the start: who works for nobody in particular
    /// can rest while somebody is served.
    pub fn since_live(&self) -> Option<std::time::Duration> {
        self.inner.writer.since_live()
    }

    /// Returns once everything committed so far can be found by [`Reader::search`]. The index follows writes at a
    /// short distance; call this before a search that must see them.
    pub async fn settle_index(&self) -> Result<(), StoreError> {
        if self.inner.writer.is_indexed() {
            return Ok(());
        }
        self.write(Lane::Live, 0, |write| write.index_all()).await
    }

    /// Writes what is queued, takes nothing more, and folds the log into the database.
    pub fn shutdown(&self) {
        self.inner.writer.shutdown();
    }
}

/// The answer to a write that is still to come.
pub struct Later<T>(std::sync::mpsc::Receiver<Result<T, StoreError>>);

impl<T> Later<T> {
    /// Waits until the write is committed, or failed.
    pub fn wait(self) -> Result<T, StoreError> {
        self.0.recv().map_err(|_| StoreError::Closed)?
    }
}
