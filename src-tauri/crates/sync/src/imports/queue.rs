//! The queue of imports, and the thread that works it off.

use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use chatstats_model::{Import, ImportId, ImportOptions, ImportProgress, ImportState, Timestamp};
use chatstats_store::{Lane, Store, StoreError};

use super::run;

/// Imports that may wait. More than a person queues by hand; a script that goes on gets a clear answer.
const WAITING_MAX: usize = 1_000;

/// What imports need of their surroundings.
#[derive(Clone, Debug)]
pub struct ImportSettings {
    /// Where uploads are kept until they are imported. What no unfinished import refers to is deleted at start.
    pub uploads_dir: PathBuf,
    /// Tells the time for the rows; a simulation hands in its own.
    pub now: fn() -> Timestamp,
}

/// Imports. A cheap handle; [`Imports::shutdown`] ends the thread behind it.
#[derive(Clone)]
pub struct Imports {
    inner: Arc<Inner>,
}

/// An import that was accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Queued {
    /// Its number.
    pub id: ImportId,
}

/// Why an import was not accepted, or not found.
#[derive(Debug, thiserror::Error)]
pub enum ImportsError {
    /// The asker's mistake.
    #[error("{0}")]
    Invalid(String),
    /// The queue is full.
    #[error("{WAITING_MAX} imports wait already. Wait until some are done.")]
    Full,
    /// No such import.
    #[error("There is no import {0}.")]
    Missing(ImportId),
    /// The database's.
    #[error(transparent)]
    Store(#[from] StoreError),
}

struct Inner {
    store: Store,
    settings: ImportSettings,
    queue: Mutex<Queue>,
    changed: Condvar,
    thread: Mutex<Option<std::thread::JoinHandle<()>>>,
}

#[derive(Default)]
struct Queue {
    waiting: VecDeque<ImportId>,
    running: Option<Arc<Running>>,
    closed: bool,
}

/// The import being worked on, as others see it.
pub(crate) struct Running {
    pub(crate) id: ImportId,
    pub(crate) started: Instant,
    pub(crate) progress: Mutex<ImportProgress>,
    stop: AtomicBool,
    cancelled: AtomicBool,
}

impl Running {
    pub(super) fn new(id: ImportId) -> Self {
        let (stop, cancelled) = (AtomicBool::new(false), AtomicBool::new(false));
        Running {
            id,
            started: Instant::now(),
            progress: Mutex::default(),
            stop,
            cancelled,
        }
    }

    /// Whether it should stop at the next record.
    pub(crate) fn should_stop(&self) -> bool {
        self.stop.load(Ordering::Relaxed)
    }

    /// Whether it stops because the user said so, and not because the program ends.
    pub(crate) fn is_cancelled(&self) -> bool {
        self.cancelled.load(Ordering::Relaxed)
    }

    pub(super) fn cancel(&self) {
        self.cancelled.store(true, Ordering::Relaxed);
        self.stop.store(true, Ordering::Relaxed);
    }

    pub(crate) fn update(&self, change: impl FnOnce(&mut ImportProgress)) {
        let mut progress = self.progress.lock().unwrap_or_else(PoisonError::into_inner);
        change(&mut progress);
        progress.elapsed_s = self.started.elapsed().as_secs_f64();
    }
}

impl Inner {
    fn lock(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Imports {
    /// Takes up what an earlier run of the program left unfinished, then waits for more.
    pub fn start(store: Store, settings: ImportSettings) -> Result<Imports, ImportsError> {
        let unfinished = store.read_blocking(|reader| reader.unfinished_imports())?;
        let kept: Vec<PathBuf> = unfinished.iter().flat_map(|row| row.paths.clone()).collect();
        sweep(&settings.uploads_dir, &kept);
        let waiting = unfinished.iter().map(|row| row.import.id).collect();
        let queue = Mutex::new(Queue {
            waiting,
            ..Queue::default()
        });
        let inner = Arc::new(Inner {
            store,
            settings,
            queue,
            changed: Condvar::new(),
            thread: Mutex::new(None),
        });
        let worker = Arc::clone(&inner);
        let thread = std::thread::Builder::new()
            .name("imports".into())
            .spawn(move || work(&worker))
            .map_err(|e| ImportsError::Invalid(format!("The import thread could not be started: {e}")))?;
        *inner.thread.lock().unwrap_or_else(PoisonError::into_inner) = Some(thread);
        Ok(Imports { inner })
    }

    /// Queues an import of files and folders. With `owned` they are copies of the program's own, deleted at the end.
    pub async fn queue(
        &self,
        paths: Vec<PathBuf>,
        owned: bool,
        options: ImportOptions,
    ) -> Result<Queued, ImportsError> {
        let options = self.check(&paths, options)?;
        let now = (self.inner.settings.now)();
        let add =
            move |write: &mut chatstats_store::Write<'_>| write.add_import(&paths, owned, &options, now);
        let id = self.inner.store.write(Lane::Live, 1024, add).await?;
        self.enqueue(id);
        Ok(Queued { id })
    }

    /// As [`Imports::queue`], for threads outside the async world.
    pub fn queue_blocking(
        &self,
        paths: Vec<PathBuf>,
        options: ImportOptions,
    ) -> Result<Queued, ImportsError> {
        let options = self.check(&paths, options)?;
        let now = (self.inner.settings.now)();
        let add =
            move |write: &mut chatstats_store::Write<'_>| write.add_import(&paths, false, &options, now);
        let id = self.inner.store.write_blocking(Lane::Live, add)?;
        self.enqueue(id);
        Ok(Queued { id })
    }

    fn check(&self, paths: &[PathBuf], mut options: ImportOptions) -> Result<ImportOptions, ImportsError> {
        if paths.is_empty() {
            return Err(ImportsError::Invalid(
                "Name at least one file or folder to import.".into(),
            ));
        }
        if self.inner.lock().waiting.len() >= WAITING_MAX {
            return Err(ImportsError::Full);
        }
        options.source = options.source.filter(|s| !s.is_empty() && s != "auto");
        options.me = options.me.filter(|me| !me.trim().is_empty());
        options.timezone = options.timezone.filter(|zone| !zone.trim().is_empty());
        if let Some(source) = &options.source
            && !chatstats_import::sources().iter().any(|s| s.name == source)
        {
            let known: Vec<&str> = chatstats_import::sources().iter().map(|s| s.name).collect();
            let detail = format!(
                "{source:?} is not a source this program reads. It reads {}, or auto.",
                known.join(", ")
            );
            return Err(ImportsError::Invalid(detail));
        }
        if let Some(zone) = &options.timezone {
            jiff::tz::TimeZone::get(zone).map_err(|_| {
                ImportsError::Invalid(format!(
                    "{zone:?} is not a time zone. Use an IANA name, such as Europe/Berlin."
                ))
            })?;
        } else {
            // Written down, so that a resumed import reads the rest of its file in the same zone.
            options.timezone = jiff::tz::TimeZone::system().iana_name().map(Into::into);
        }
        Ok(options)
    }

    fn enqueue(&self, id: ImportId) {
        self.inner.lock().waiting.push_back(id);
        self.inner.changed.notify_all();
    }

    /// One import as it stands.
    pub async fn get(&self, id: ImportId) -> Result<Import, ImportsError> {
        let row = self.inner.store.read(move |reader| reader.import(id)).await?;
        Ok(self.live(row.ok_or(ImportsError::Missing(id))?.import))
    }

    /// The newest imports, the newest first.
    pub async fn list(&self) -> Result<Vec<Import>, ImportsError> {
        let imports = self.inner.store.read(|reader| reader.imports()).await?;
        Ok(imports.into_iter().map(|import| self.live(import)).collect())
    }

    /// Stops an import. What it committed stays; importing again adds the rest. An ended one stays as it is.
    pub async fn cancel(&self, id: ImportId) -> Result<Import, ImportsError> {
        let was_waiting = {
            let mut queue = self.inner.lock();
            if let Some(running) = queue.running.as_ref().filter(|r| r.id == id) {
                running.cancel();
            }
            let before = queue.waiting.len();
            queue.waiting.retain(|waiting| *waiting != id);
            queue.waiting.len() < before
        };
        if was_waiting {
            let now = (self.inner.settings.now)();
            let end = move |write: &mut chatstats_store::Write<'_>| {
                write.finish_import(id, ImportState::Cancelled, &Default::default(), None, now)
            };
            self.inner.store.write(Lane::Live, 1024, end).await?;
            self.inner.changed.notify_all();
        }
        self.get(id).await
    }

    /// Waits until an import has ended. For the command line.
    pub fn wait(
        &self,
        id: ImportId,
        mut progress: impl FnMut(&ImportProgress),
    ) -> Result<Import, ImportsError> {
        loop {
            let queue = self.inner.lock();
            let running = queue.running.clone().filter(|r| r.id == id);
            let is_over = running.is_none() && !queue.waiting.contains(&id);
            if is_over || queue.closed {
                drop(queue);
                let row = self.inner.store.read_blocking(move |reader| reader.import(id))?;
                return Ok(row.ok_or(ImportsError::Missing(id))?.import);
            }
            let pause = std::time::Duration::from_millis(100); // how often the caller's progress line moves
            drop(
                self.inner
                    .changed
                    .wait_timeout(queue, pause)
                    .unwrap_or_else(PoisonError::into_inner),
            );
            if let Some(running) = running {
                progress(&running.progress.lock().unwrap_or_else(PoisonError::into_inner));
            }
        }
    }

    /// Stops at the next record and waits for the thread. What is unfinished goes on at the next start.
    pub fn shutdown(&self) {
        {
            let mut queue = self.inner.lock();
            queue.closed = true;
            if let Some(running) = &queue.running {
                running.stop.store(true, Ordering::Relaxed);
            }
        }
        self.inner.changed.notify_all();
        let thread = self
            .inner
            .thread
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        if let Some(thread) = thread {
            let _ = thread.join();
        }
    }

    fn live(&self, mut import: Import) -> Import {
        let running = self.inner.lock().running.clone().filter(|r| r.id == import.id);
        if let Some(running) = running {
            import.state = ImportState::Running;
            import.progress = running
                .progress
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .clone();
        }
        import
    }
}

fn work(inner: &Inner) {
    while let Some(running) = next(inner) {
        let ended = catch_unwind(AssertUnwindSafe(|| {
            run::import(&inner.store, &inner.settings, &running)
        }));
        match ended {
            Ok(Ok(())) => {}
            Ok(Err(e)) => {
                tracing::error!(import.id = %running.id, error = %e, "an import could not be written down")
            }
            Err(_) => {
                tracing::error!(import.id = %running.id, "an import panicked");
                run::give_up(&inner.store, &inner.settings, running.id, run::PANICKED);
            }
        }
        inner.lock().running = None;
        inner.changed.notify_all();
    }
}

fn next(inner: &Inner) -> Option<Arc<Running>> {
    let mut queue = inner.lock();
    loop {
        if queue.closed {
            return None;
        }
        if let Some(id) = queue.waiting.pop_front() {
            let running = Arc::new(Running::new(id));
            queue.running = Some(Arc::clone(&running));
            return Some(running);
        }
        queue = inner.changed.wait(queue).unwrap_or_else(PoisonError::into_inner);
    }
}

/// Deletes uploads that no unfinished import refers to: left by a crash between upload and import.
fn sweep(uploads_dir: &Path, kept: &[PathBuf]) {
    let Ok(entries) = std::fs::read_dir(uploads_dir) else {
        return;
    };
    for entry in entries.flatten() {
        let path = entry.path();
        if !kept.iter().any(|kept| kept.starts_with(&path))
            && let Err(e) = std::fs::remove_dir_all(&path)
        {
            tracing::warn!(error = %e, "an old upload could not be deleted");
        }
    }
}
