//! The handle that everybody holds.

use std::path::Path;
use std::sync::{Arc, OnceLock};

use crate::open::Files;
use crate::reader::{Pool, Reader};
use crate::schema::Opened;
use crate::writer::{Analyses, Book, CommitListener, Lane, Messages, Write, WriteAnalysis, Writer};
use crate::{ANALYSIS_FILE, DATABASE_FILE, OpenError, StoreError, open, schema};

/// The database, open: a file of messages and one of what analysis makes of them, each with a writer. Cheap to clone; the last clone that goes closes it.
#[derive(Clone)]
pub struct Store {
    inner: Arc<Inner>,
}

struct Inner {
    epoch: String,
    files: Files,
    listener: Arc<OnceLock<Arc<dyn CommitListener>>>,
    // Dropped in this order: whoever only reads a file closes it before its writer, which can truncate the log then.
    readers: Pool,
    analyses: Writer<Analyses>,
    messages: Writer<Messages>,
}

impl Store {
    /// Opens the database in `data_dir`, made when it is not there, and brings it to the newest schema.
    ///
    /// The directory must exist and the caller must hold its lock: two processes never write one database.
    pub fn open(data_dir: &Path) -> Result<Store, OpenError> {
        let files = Files {
            messages: data_dir.join(DATABASE_FILE),
            analysis: data_dir.join(ANALYSIS_FILE),
        };
        let mut conn = open::writer(&files.messages)?;
        let mut of_analysis = open::writer(&files.analysis)?;
        schema::migrate(
            Opened {
                conn: &mut conn,
                path: &files.messages,
            },
            Opened {
                conn: &mut of_analysis,
                path: &files.analysis,
            },
        )?;
        open::attach(&of_analysis, &files.messages, open::STORED)?;
        let failed = |e| open::classify(&files.messages, e);
        let epoch = conn
            .query_row("SELECT value FROM meta WHERE key = 'epoch'", [], |row| row.get(0))
            .map_err(failed)?;
        let listener = Arc::new(OnceLock::new());
        let readers = Pool::open(&files)?;
        let messages = Messages::load(&conn, Arc::clone(&listener)).map_err(failed)?;
        let messages = Writer::start(conn, &files.messages, messages).map_err(failed)?;
        let analyses = Analyses::beside(messages.queue());
        let analyses = Writer::start(of_analysis, &files.analysis, analyses)
            .map_err(|e| open::classify(&files.analysis, e))?;
        Ok(Store {
            inner: Arc::new(Inner {
                epoch,
                files,
                listener,
                readers,
                analyses,
                messages,
            }),
        })
    }

    /// A random word made with the database: revisions of one database mean nothing to another.
    pub fn epoch(&self) -> &str {
        &self.inner.epoch
    }

    /// The size of the files with their logs, in bytes.
    pub fn size_bytes(&self) -> u64 {
        let files = &self.inner.files;
        [&files.messages, &files.analysis]
            .into_iter()
            .flat_map(|path| [path.clone(), path.with_extension("db-wal")])
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
        self.inner.readers.submit(query, reply)?;
        answer.await.map_err(|_| StoreError::Closed)?
    }

    /// As [`Store::read`], for threads outside the async world.
    pub fn read_blocking<T, F>(&self, query: F) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: FnOnce(&Reader) -> Result<T, StoreError> + Send + 'static,
    {
        let (reply, answer) = std::sync::mpsc::sync_channel(1);
        self.inner.readers.submit(query, reply)?;
        answer.recv().map_err(|_| StoreError::Closed)?
    }

    /// A connection of one's own, for a thread that reads all the time. Close it before the store.
    ///
    /// # Errors
    ///
    /// [`StoreError::Unavailable`] if it cannot be opened.
    pub fn reader(&self) -> Result<Reader, StoreError> {
        let opened = open::reader(&self.inner.files);
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
        hand_over(&self.inner.messages, lane, cost_bytes, work)
            .await?
            .await
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
        hand_over(&self.inner.messages, lane, cost_bytes, work).await
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
        later(&self.inner.messages, lane, work)
    }

    /// As [`Store::write`], to what analysis makes of messages. It has a writer of its own, for which no message waits.
    pub async fn write_analysis<T, F>(&self, lane: Lane, cost_bytes: usize, work: F) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: FnOnce(&mut WriteAnalysis<'_>) -> Result<T, StoreError> + Send + 'static,
    {
        hand_over(&self.inner.analyses, lane, cost_bytes, work)
            .await?
            .await
    }

    /// As [`Store::write_analysis`], for threads outside the async world.
    pub fn write_analysis_blocking<T, F>(&self, lane: Lane, work: F) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: FnOnce(&mut WriteAnalysis<'_>) -> Result<T, StoreError> + Send + 'static,
    {
        later(&self.inner.analyses, lane, work)?.wait()
    }

    /// How long ago the last live write of messages came, if there was one since the start: who works for nobody in
    /// particular can rest while somebody is served.
    pub fn since_live(&self) -> Option<std::time::Duration> {
        self.inner.messages.since_live()
    }

    /// Returns once everything committed so far can be found by [`Reader::search`]. The index follows writes at a
    /// short distance; call this before a search that must see them.
    pub async fn settle_index(&self) -> Result<(), StoreError> {
        if !self.inner.messages.has_backlog() {
            return Ok(());
        }
        self.write(Lane::Live, 0, |write| write.index_all()).await
    }

    /// Writes what is queued, takes nothing more, and folds the logs into their files.
    pub fn shutdown(&self) {
        // Both wait for the disk: at the same time.
        self.inner.messages.close();
        self.inner.analyses.shutdown();
        self.inner.messages.shutdown();
    }
}

async fn hand_over<B, T, F>(
    writer: &Writer<B>,
    lane: Lane,
    cost_bytes: usize,
    work: F,
) -> Result<impl Future<Output = Result<T, StoreError>> + Send + use<B, T, F>, StoreError>
where
    B: Book,
    T: Send + 'static,
    F: for<'w> FnOnce(&mut B::Write<'w>) -> Result<T, StoreError> + Send + 'static,
{
    let room = writer.room(cost_bytes).await?;
    let (reply, answer) = tokio::sync::oneshot::channel();
    writer.submit(lane, Some(room), work, move |result| drop(reply.send(result)))?;
    Ok(async { answer.await.map_err(|_| StoreError::Closed)? })
}

fn later<B, T, F>(writer: &Writer<B>, lane: Lane, work: F) -> Result<Later<T>, StoreError>
where
    B: Book,
    T: Send + 'static,
    F: for<'w> FnOnce(&mut B::Write<'w>) -> Result<T, StoreError> + Send + 'static,
{
    let (reply, answer) = std::sync::mpsc::sync_channel(1);
    writer.submit(lane, None, work, move |result| drop(reply.send(result)))?;
    Ok(Later(answer))
}

/// The answer to a write that is still to come.
pub struct Later<T>(std::sync::mpsc::Receiver<Result<T, StoreError>>);

impl<T> Later<T> {
    /// Waits until the write is committed, or failed.
    pub fn wait(self) -> Result<T, StoreError> {
        self.0.recv().map_err(|_| StoreError::Closed)?
    }
}
