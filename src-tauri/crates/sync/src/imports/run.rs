//! One import, from its paths to its receipt.

use std::path::Path;
use std::time::UNIX_EPOCH;

use chatstats_import::{Export, ImportError, Options, find, read};
use chatstats_model::{Counts, FileReceipt, ImportId, ImportReceipt, ImportState};
use chatstats_store::{ImportCheckpoint, ImportRow, Lane, Store, StoreError};

use super::batch::{Stop, Target};
use super::queue::{ImportSettings, Running};
use super::{commit, dry, resolve, sample};

/// What an import that panicked says.
pub(super) const PANICKED: &str = "The importer met something it was not made for and stopped. Nothing that was \
    stored is lost. Please report it, with the kind of export it was.";

/// What an import says whose files went away while the program was not running.
const FILES_GONE: &str = "The program ended in the middle of this import, and the files are no longer where they \
    were. What was stored stays; import the files again to add the rest.";

/// How an import ended.
enum End {
    Done,
    Stopped,
    Failed(String),
}

/// Runs an import to its end, or to the next stop. Errors are the database's own.
pub(super) fn import(store: &Store, settings: &ImportSettings, running: &Running) -> Result<(), StoreError> {
    let id = running.id;
    let Some(row) = store.read_blocking(move |reader| reader.import(id))? else {
        return Ok(());
    };
    let resumed = row.checkpoint != ImportCheckpoint::default();
    if resumed && row.paths.iter().any(|path| !path.exists()) {
        let receipt = row.import.receipt.clone();
        finish(
            store,
            settings,
            &row,
            ImportState::Interrupted,
            receipt,
            Some(FILES_GONE),
        );
        return Ok(());
    }
    if !resumed {
        store.write_blocking(Lane::Live, move |write| write.start_import(id))?;
    }
    let mut job = Job {
        store,
        running,
        options: options(&row),
        receipt: row.import.receipt.clone(),
        row: &row,
    };
    let end = job.all_exports();
    let receipt = job.receipt;
    let (state, error) = match end {
        End::Stopped if !running.is_cancelled() => return Ok(()), // the program ends; the next start goes on
        End::Stopped => (ImportState::Cancelled, None),
        End::Failed(error) => (ImportState::Failed, Some(error)),
        End::Done if receipt.files.iter().any(|file| file.error.is_some()) => (ImportState::Failed, None),
        End::Done => (ImportState::Done, None),
    };
    finish(store, settings, &row, state, receipt, error.as_deref());
    Ok(())
}

/// Ends an import that cannot be gone on with.
pub(super) fn give_up(store: &Store, settings: &ImportSettings, id: ImportId, why: &str) {
    match store.read_blocking(move |reader| reader.import(id)) {
        Ok(Some(row)) => finish(
            store,
            settings,
            &row,
            ImportState::Failed,
            row.import.receipt.clone(),
            Some(why),
        ),
        Ok(None) => {}
        Err(e) => tracing::error!(import.id = %id, error = %e, "an import's end could not be written down"),
    }
}

fn finish(
    store: &Store,
    settings: &ImportSettings,
    row: &ImportRow,
    state: ImportState,
    receipt: ImportReceipt,
    error: Option<&str>,
) {
    let (id, now, error) = (row.import.id, (settings.now)(), error.map(str::to_owned));
    let counts = receipt.totals;
    tracing::info!(import.id = %id, ?state, messages = counts.messages, duplicates = counts.duplicates,
        left_out = counts.left_out, "import ended");
    let write = store.write_blocking(Lane::Live, move |write| {
        write.finish_import(id, state, &receipt, error.as_deref(), now)
    });
    match write {
        Ok(()) if row.owned => row.paths.iter().for_each(|path| delete_upload(settings, path)),
        Ok(()) => {}
        Err(e) => tracing::error!(import.id = %id, error = %e, "an import's end could not be written down"),
    }
}

/// Deletes an upload's own folder: the part of its path right below the uploads.
fn delete_upload(settings: &ImportSettings, path: &Path) {
    let Ok(inside) = path.strip_prefix(&settings.uploads_dir) else {
        return;
    };
    let Some(folder) = inside.components().next() else {
        return;
    };
    let folder = settings.uploads_dir.join(folder);
    if folder.exists()
        && let Err(e) = std::fs::remove_dir_all(&folder)
    {
        tracing::warn!(error = %e, "an imported upload could not be deleted; the next start tries again");
    }
}

fn options(row: &ImportRow) -> Options {
    let asked = &row.import.options;
    let named = asked
        .timezone
        .as_deref()
        .and_then(|zone| jiff::tz::TimeZone::get(zone).ok());
    Options {
        source: asked.source.clone(),
        me: asked.me.clone(),
        timezone: named.unwrap_or_else(jiff::tz::TimeZone::system),
        date_order: asked.date_order,
    }
}

/// What ended before its time.
enum Ended {
    Whole(Stop),
    File(String),
}

struct Job<'j> {
    store: &'j Store,
    running: &'j Running,
    row: &'j ImportRow,
    options: Options,
    receipt: ImportReceipt,
}

impl Job<'_> {
    fn all_exports(&mut self) -> End {
        let (exports, unreadable) = self.find_all();
        let bytes_total = exports.iter().map(|e| e.size_bytes).sum();
        let counts = self.receipt.totals;
        self.running
            .update(|progress| (progress.bytes_total, progress.counts) = (bytes_total, counts));
        let mut bytes_before = 0;
        for (index, export) in exports.iter().enumerate() {
            if index >= self.row.checkpoint.exports_done {
                match self.one_export(index, export, bytes_before) {
                    Ok(()) => {}
                    Err(Stop::Stopped) => return End::Stopped,
                    Err(Stop::Store(e)) => return End::Failed(words_for(&e)),
                }
            }
            bytes_before += export.size_bytes;
        }
        // After what could be read, so that the places of exports in the receipt do not depend on them.
        self.receipt.files.truncate(exports.len());
        self.receipt.files.extend(unreadable);
        End::Done
    }

    /// What is in the paths, and a receipt for each that holds nothing readable.
    fn find_all(&self) -> (Vec<Export>, Vec<FileReceipt>) {
        let (mut exports, mut unreadable) = (Vec::new(), Vec::new());
        for path in &self.row.paths {
            match find(path, &self.options) {
                Ok(found) => {
                    exports.extend(found.exports);
                    unreadable.extend(found.unreadable.iter().map(|e| self.unreadable(path, e)));
                }
                Err(e) => unreadable.push(self.unreadable(path, &e)),
            }
        }
        (exports, unreadable)
    }

    fn unreadable(&self, path: &Path, error: &ImportError) -> FileReceipt {
        FileReceipt {
            path: self.shown(&path.display().to_string()),
            error: Some(self.shown(&error.to_string())),
            ..FileReceipt::default()
        }
    }

    fn one_export(&mut self, index: usize, export: &Export, bytes_before: u64) -> Result<(), Stop> {
        let name = self.shown(&shown_name(export));
        self.running.update(|progress| progress.file = Some(name.clone()));
        let checkpoint = self.checkpoint(index, export);
        if checkpoint.records_done == 0 {
            self.receipt.files.truncate(index);
            let receipt = FileReceipt {
                path: name,
                source: Some(export.source.into()),
                ..FileReceipt::default()
            };
            self.receipt.files.push(receipt);
        }
        let target = Target {
            store: self.store,
            running: self.running,
            source: export.source,
            bytes_before,
        };
        let hints = match sample::take(&target, export, &self.options) {
            Ok(samples) => resolve::hints(self.store, export.source, &samples, self.options.me.is_some())?,
            Err(ImportError::Sink(e)) => return Err(Stop::from_sink(e)),
            // The reading proper meets the same error and tells it.
            Err(_) => resolve::Hints::default(),
        };
        let import = self.row.import.id;
        let (outcome, ended) = if self.row.import.options.dry_run {
            let mut sink = dry::Dry::new(target, import, hints, &mut self.receipt)?;
            let outcome = read(export, &self.options, &mut sink);
            (outcome, sink.finish())
        } else {
            let mut sink = commit::Committer::new(target, import, hints, &mut self.receipt, checkpoint);
            let outcome = read(export, &self.options, &mut sink);
            // A stop keeps what is committed; a damaged file also what was read of it.
            let stopped = matches!(outcome, Err(ImportError::Sink(_)));
            (outcome, if stopped { sink.settle() } else { sink.finish() })
        };
        ended?;
        self.close(outcome)
    }

    /// A text as the user knows the files: the program's own copy of an upload is called by the upload's name.
    fn shown(&self, text: &str) -> String {
        if !self.row.owned {
            return text.to_owned();
        }
        let mut text = text.to_owned();
        for folder in self.row.paths.iter().filter_map(|path| path.parent()) {
            text = text.replace(&format!("{}{}", folder.display(), std::path::MAIN_SEPARATOR), "");
        }
        text
    }

    /// Enters an export's outcome into the receipt; `Err` only for what ends the whole import.
    fn close(&mut self, outcome: Result<chatstats_import::Outcome, ImportError>) -> Result<(), Stop> {
        let outcome = outcome.map_err(|e| match e {
            ImportError::Sink(e) => Ended::Whole(Stop::from_sink(e)),
            other => Ended::File(self.shown(&other.to_string())),
        });
        let Some(file) = self.receipt.files.last_mut() else {
            return Ok(());
        };
        match outcome {
            Ok(outcome) => file.notes = outcome.notes,
            Err(Ended::Whole(stop)) => return Err(stop),
            Err(Ended::File(error)) => file.error = Some(error),
        }
        self.receipt.totals = Counts::default();
        for file in &self.receipt.files {
            self.receipt.totals += file.counts;
        }
        Ok(())
    }

    /// Where to go on in this export: at its start, unless an earlier run got further in the very same file.
    fn checkpoint(&self, index: usize, export: &Export) -> ImportCheckpoint {
        let (file_bytes, file_modified_us) = stamp(&export.path);
        let stored = &self.row.checkpoint;
        let same = stored.exports_done == index
            && (stored.file_bytes, stored.file_modified_us) == (file_bytes, file_modified_us);
        if same {
            return stored.clone();
        }
        ImportCheckpoint {
            exports_done: index,
            file_bytes,
            file_modified_us,
            ..ImportCheckpoint::default()
        }
    }
}

fn stamp(path: &Path) -> (u64, i64) {
    let Ok(metadata) = path.metadata() else {
        return (0, 0);
    };
    let modified = metadata
        .modified()
        .ok()
        .and_then(|at| at.duration_since(UNIX_EPOCH).ok());
    (metadata.len(), modified.map_or(0, |at| at.as_micros() as i64))
}

fn shown_name(export: &Export) -> String {
    match &export.entry {
        Some(entry) => format!("{}/{entry}", export.path.display()),
        None => export.path.display().to_string(),
    }
}

fn words_for(error: &StoreError) -> String {
    if error.is_disk_full() {
        return "The disk is full. What was stored before stays. Make room, then import again: nothing comes twice.".into();
    }
    format!("The import stopped: {error}. What was stored before stays; import again to add the rest.")
}
