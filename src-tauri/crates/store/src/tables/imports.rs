//! Imports: what was asked, how far it got, the receipt.

use std::path::PathBuf;

use chatstats_model::{
    Import, ImportId, ImportOptions, ImportProgress, ImportReceipt, ImportState, LeftOut, LeftOutPage,
    Timestamp,
};
use rusqlite::{OptionalExtension, Row, params};
use serde::{Deserialize, Serialize, de::DeserializeOwned};

use crate::{Reader, StoreError, Write};

/// Imports that a list shows.
const LISTED_MAX: i64 = 100;

/// How far an import has been committed. Stored in the transaction of each batch: after a crash it goes on from
/// exactly there, and its receipt counts nothing twice.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ImportCheckpoint {
    /// Exports read to their end, in the order in which they were found.
    pub exports_done: usize,
    /// Records and left-out pieces of the next export that are committed.
    pub records_done: u64,
    /// The size of that export's file, in bytes: another file means that the place is no longer the same.
    pub file_bytes: u64,
    /// When that file was last modified, in microseconds since the epoch.
    pub file_modified_us: i64,
    /// The chats of that export as they were resolved, in its order.
    pub chat_keys: Vec<String>,
}

/// An import with what only the program needs to know.
#[derive(Clone, Debug, PartialEq)]
pub struct ImportRow {
    /// What clients see.
    pub import: Import,
    /// The files and folders.
    pub paths: Vec<PathBuf>,
    /// Whether the files are the program's own copies (an upload), to be deleted at the end.
    pub owned: bool,
    /// How far it got.
    pub checkpoint: ImportCheckpoint,
}

const IMPORT: &str = "SELECT id, state, created_us, finished_us, options, paths, owned, receipt, checkpoint, error FROM imports";

impl Reader {
    /// The newest imports, the newest first.
    pub fn imports(&self) -> Result<Vec<Import>, StoreError> {
        let rows = self.import_rows("ORDER BY id DESC LIMIT ?1", LISTED_MAX)?;
        Ok(rows.into_iter().map(|row| row.import).collect())
    }

    /// One import.
    pub fn import(&self, id: ImportId) -> Result<Option<ImportRow>, StoreError> {
        Ok(self.import_rows("WHERE id = ?1", id.0)?.pop())
    }

    /// Imports that have not ended, the oldest first.
    pub fn unfinished_imports(&self) -> Result<Vec<ImportRow>, StoreError> {
        self.import_rows("WHERE state IN ('queued', 'running') AND id > ?1 ORDER BY id", 0)
    }

    /// What an import left out: of all its files, or of the one at place `file` in its receipt.
    pub fn left_out(
        &self,
        id: ImportId,
        file: Option<usize>,
        offset: u64,
        limit: u64,
    ) -> Result<LeftOutPage, StoreError> {
        let file = file.map(|file| file as i64);
        let mut count = self.conn.prepare_cached(
            "SELECT count(*) FROM import_left_out WHERE import_id = ?1 AND file = ifnull(?2, file)",
        )?;
        let total: i64 = count.query_row(params![id.0, file], |row| row.get(0))?;
        let mut page = self.conn.prepare_cached(
            "SELECT place, reason, excerpt FROM import_left_out WHERE import_id = ?1 AND file = ifnull(?4, file)
             ORDER BY id LIMIT ?2 OFFSET ?3",
        )?;
        let rows = page.query_map(params![id.0, limit as i64, offset as i64, file], |row| {
            Ok(LeftOut {
                place: row.get(0)?,
                reason: row.get(1)?,
                excerpt: row.get(2)?,
            })
        })?;
        Ok(LeftOutPage {
            left_out: rows.collect::<Result<_, _>>()?,
            total: total as u64,
        })
    }

    fn import_rows(&self, condition: &str, value: i64) -> Result<Vec<ImportRow>, StoreError> {
        let mut query = self.conn.prepare_cached(&format!("{IMPORT} {condition}"))?;
        let rows = query.query_map([value], import)?;
        Ok(rows.collect::<Result<_, _>>()?)
    }
}

fn import(row: &Row<'_>) -> rusqlite::Result<ImportRow> {
    let paths: Vec<PathBuf> = json(row, 5)?;
    let receipt: ImportReceipt = json(row, 7)?;
    let name = |path: &PathBuf| {
        path.file_name().map_or_else(
            || path.display().to_string(),
            |n| n.to_string_lossy().into_owned(),
        )
    };
    let (created_us, finished_us): (i64, Option<i64>) = (row.get(2)?, row.get(3)?);
    let elapsed_s = finished_us.map_or(0.0, |finished| (finished - created_us) as f64 / 1e6);
    Ok(ImportRow {
        import: Import {
            id: ImportId(row.get(0)?),
            state: state(&row.get::<_, String>(1)?),
            options: json(row, 4)?,
            names: paths.iter().map(name).collect(),
            created_at: super::messages::time(Some(created_us)).unwrap_or_default(),
            finished_at: super::messages::time(finished_us),
            progress: ImportProgress {
                counts: receipt.totals,
                elapsed_s,
                ..ImportProgress::default()
            },
            receipt,
            error: row.get(9)?,
        },
        paths,
        owned: row.get(6)?,
        checkpoint: json(row, 8)?,
    })
}

/// A JSON column. One that cannot be read (a newer version wrote it) counts as empty: a receipt is no reason to
/// refuse the list.
fn json<T: DeserializeOwned + Default>(row: &Row<'_>, column: usize) -> rusqlite::Result<T> {
    let text: Option<String> = row.get(column)?;
    Ok(text
        .and_then(|text| serde_json::from_str(&text).ok())
        .unwrap_or_default())
}

const STATES: [(ImportState, &str); 6] = [
    (ImportState::Queued, "queued"),
    (ImportState::Running, "running"),
    (ImportState::Done, "done"),
    (ImportState::Failed, "failed"),
    (ImportState::Cancelled, "cancelled"),
    (ImportState::Interrupted, "interrupted"),
];

fn state(word: &str) -> ImportState {
    STATES
        .iter()
        .find(|(_, w)| *w == word)
        .map_or(ImportState::Interrupted, |(state, _)| *state)
}

fn state_word(state: ImportState) -> &'static str {
    STATES
        .iter()
        .find(|(s, _)| *s == state)
        .map_or("interrupted", |(_, word)| word)
}

fn to_json<T: Serialize + ?Sized>(value: &T) -> Result<String, StoreError> {
    serde_json::to_string(value).map_err(|e| StoreError::Invalid(e.to_string()))
}

impl Write<'_> {
    /// A new import, queued.
    pub fn add_import(
        &mut self,
        paths: &[PathBuf],
        owned: bool,
        options: &ImportOptions,
        now: Timestamp,
    ) -> Result<ImportId, StoreError> {
        self.conn
            .prepare_cached(
                "INSERT INTO imports (state, created_us, options, paths, owned, receipt) VALUES ('queued', ?1, ?2, ?3, ?4, '{}')",
            )?
            .execute(params![now.as_micros(), to_json(options)?, to_json(paths)?, owned])?;
        Ok(ImportId(self.conn.last_insert_rowid()))
    }

    /// An import starts at its beginning, maybe not for the first time.
    pub fn start_import(&mut self, id: ImportId) -> Result<(), StoreError> {
        self.conn
            .prepare_cached("UPDATE imports SET state = 'running', receipt = '{}' WHERE id = ?1")?
            .execute([id.0])?;
        self.conn
            .prepare_cached("DELETE FROM import_left_out WHERE import_id = ?1")?
            .execute([id.0])?;
        Ok(())
    }

    /// How far an import got, and what it left out since the last time, of the last file of the receipt.
    pub fn advance_import(
        &mut self,
        id: ImportId,
        receipt: &ImportReceipt,
        checkpoint: &ImportCheckpoint,
        left_out: &[LeftOut],
    ) -> Result<(), StoreError> {
        self.conn
            .prepare_cached(
                "UPDATE imports SET state = 'running', receipt = ?2, checkpoint = ?3 WHERE id = ?1",
            )?
            .execute(params![id.0, to_json(receipt)?, to_json(checkpoint)?])?;
        let mut insert = self.conn.prepare_cached(
            "INSERT INTO import_left_out (import_id, file, place, reason, excerpt) VALUES (?1, ?2, ?3, ?4, ?5)",
        )?;
        let file = receipt.files.len().saturating_sub(1) as i64;
        for piece in left_out {
            insert.execute(params![id.0, file, piece.place, piece.reason, piece.excerpt])?;
        }
        Ok(())
    }

    /// An import ended: what it brought can be searched.
    pub fn finish_import(
        &mut self,
        id: ImportId,
        state: ImportState,
        receipt: &ImportReceipt,
        error: Option<&str>,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        self.index_all()?;
        self.conn
            .prepare_cached(
                "UPDATE imports SET state = ?2, receipt = ?3, error = ?4, finished_us = ?5 WHERE id = ?1",
            )?
            .execute(params![
                id.0,
                state_word(state),
                to_json(receipt)?,
                error,
                now.as_micros()
            ])?;
        Ok(())
    }

    /// The import's state as it is stored.
    pub fn import_state(&self, id: ImportId) -> Result<Option<ImportState>, StoreError> {
        let mut query = self
            .conn
            .prepare_cached("SELECT state FROM imports WHERE id = ?1")?;
        Ok(query
            .query_row([id.0], |row| Ok(state(&row.get::<_, String>(0)?)))
            .optional()?)
    }
}
