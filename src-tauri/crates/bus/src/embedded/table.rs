//! The tables: all SQL of the log but its schema.

use rusqlite::{Connection, OptionalExtension};

use super::batch::{self, Batch};
use super::streams::{Filling, State};
use crate::engine::{Page, Range};
use crate::{BusError, FieldsError, StreamId, StreamKey};

/// Why the file could not be read or written.
#[derive(Debug, thiserror::Error)]
pub(super) enum FileError {
    #[error(transparent)]
    Sqlite(#[from] rusqlite::Error),
    #[error(transparent)]
    Io(#[from] std::io::Error),
    #[error("what is stored in it is damaged")]
    Damaged,
}

impl From<FieldsError> for FileError {
    fn from(_: FieldsError) -> Self {
        Self::Damaged
    }
}

impl From<FileError> for BusError {
    fn from(error: FileError) -> Self {
        Self::Log(error.to_string())
    }
}

/// A stream as it was found in the file.
pub(super) struct Loaded {
    pub(super) key: StreamKey,
    pub(super) row: i64,
    pub(super) state: State,
}

/// How far to trim.
#[derive(Clone, Copy)]
pub(super) struct Depth {
    /// Keep so many entries.
    pub(super) keep: u64,
    /// And not one more; else whole batches are dropped.
    pub(super) is_exact: bool,
    /// Drop at most so many batches.
    pub(super) batches_max: Option<usize>,
}

/// Finds every stream's place. Looks at the ends of each, and not at what lies between.
pub(super) fn load(conn: &Connection) -> Result<Vec<Loaded>, FileError> {
    let mut streams = conn.prepare("SELECT id, key, trimmed, trimmed_through FROM streams")?;
    let mut rows = streams.query([])?;
    let mut loaded = Vec::new();
    while let Some(row) = rows.next()? {
        let key = StreamKey::new(&row.get::<_, String>(1)?).map_err(|_| FileError::Damaged)?;
        let mut state = State {
            trimmed: row.get::<_, i64>(2)? as u64,
            trimmed_through: StreamId::from_bytes(row.get(3)?),
            ..State::default()
        };
        let row = row.get(0)?;
        let (last, upto) = end(conn, row)?.unwrap_or_default();
        // Batches that wait to be swept away may be all that is left.
        state.newest = last.max(state.trimmed_through);
        state.added = upto.max(state.trimmed);
        state.first = first_above(conn, row, state.trimmed_through)?;
        loaded.push(Loaded { key, row, state });
    }
    Ok(loaded)
}

/// Begins a stream; answers its row.
pub(super) fn begin(conn: &Connection, key: &StreamKey) -> Result<i64, FileError> {
    let sql = "INSERT INTO streams (key, trimmed, trimmed_through) VALUES (?1, 0, ?2)";
    let row = (key.as_str(), StreamId::ZERO.to_bytes());
    Ok(conn.prepare_cached(sql)?.insert(row)?)
}

/// Adds a batch, after which the stream had `upto` entries since it began.
pub(super) fn add(conn: &Connection, row: i64, upto: u64, batch: &Batch) -> Result<(), FileError> {
    let sql = "INSERT INTO batches (stream, last, upto, entries) VALUES (?1, ?2, ?3, ?4)";
    let values = (row, batch.last.to_bytes(), upto as i64, &batch.bytes);
    conn.prepare_cached(sql)?.execute(values)?;
    Ok(())
}

/// Moves the mark up to which a stream is trimmed. Deletes nothing: see [`sweep`].
pub(super) fn trim(conn: &Connection, row: i64, state: &mut State, depth: Depth) -> Result<(), FileError> {
    let target = state.added.saturating_sub(depth.keep);
    if target <= state.trimmed {
        return Ok(());
    }
    let no_limit = -1;
    let limit = depth.batches_max.map_or(no_limit, |max| max as i64);
    let mut walk = conn.prepare_cached(
        "SELECT last, upto FROM batches WHERE stream = ?1 AND last > ?2 ORDER BY last LIMIT ?3",
    )?;
    let mut batches = walk.query((row, state.trimmed_through.to_bytes(), limit))?;
    while let Some(batch) = batches.next()? {
        let upto = batch.get::<_, i64>(1)? as u64;
        if upto > target {
            break;
        }
        state.trimmed = upto;
        state.trimmed_through = StreamId::from_bytes(batch.get(0)?);
    }
    if depth.is_exact && state.trimmed < target {
        state.trimmed_through = nth(conn, row, state.trimmed_through, target)?;
        state.trimmed = target;
    }
    state.first = first_above(conn, row, state.trimmed_through)?;
    let sql = "UPDATE streams SET trimmed = ?2, trimmed_through = ?3 WHERE id = ?1";
    let mark = (row, state.trimmed as i64, state.trimmed_through.to_bytes());
    conn.prepare_cached(sql)?.execute(mark)?;
    Ok(())
}

/// Deletes batches that lie at or below the mark, at most `batches_max`. Answers how many there were, and whether
/// that was all.
pub(super) fn sweep(
    conn: &Connection,
    row: i64,
    through: StreamId,
    batches_max: usize,
) -> Result<(usize, bool), FileError> {
    let next: Option<[u8; 16]> = conn
        .prepare_cached(
            "SELECT last FROM batches WHERE stream = ?1 AND last <= ?2 ORDER BY last LIMIT 1 OFFSET ?3",
        )?
        .query_row((row, through.to_bytes(), batches_max as i64), |row| row.get(0))
        .optional()?;
    let before_next = next.and_then(|next| StreamId::from_bytes(next).prev());
    let sql = "DELETE FROM batches WHERE stream = ?1 AND last <= ?2";
    let through = before_next.unwrap_or(through).to_bytes();
    let deleted = conn.prepare_cached(sql)?.execute((row, through))?;
    Ok((deleted, next.is_none()))
}

/// Reads a page.
pub(super) fn read(conn: &Connection, row: i64, range: Range) -> Result<Page, FileError> {
    // The batch that `to` falls into ends above it.
    macro_rules! select {
        ($order:literal) => {
            concat!(
                "SELECT entries FROM batches WHERE stream = ?1 AND last >= ?2 AND last <= ifnull(
                     (SELECT last FROM batches WHERE stream = ?1 AND last >= ?3 ORDER BY last LIMIT 1), ?3)
                 ORDER BY last ",
                $order
            )
        };
    }
    let sql = if range.reverse {
        select!("DESC")
    } else {
        select!("ASC")
    };
    let mut select = conn.prepare_cached(sql)?;
    let mut rows = select.query((row, range.from.to_bytes(), range.to.to_bytes()))?;
    let mut filling = Filling::new(range);
    while let Some(row) = rows.next()? {
        let mut entries = batch::unpack(row.get(0)?)?;
        if range.reverse {
            entries.reverse();
        }
        if !entries.iter().all(|entry| filling.offer(entry)) {
            break;
        }
    }
    Ok(filling.page)
}

/// The newest batch: its last id, and how many entries the stream had with it.
fn end(conn: &Connection, row: i64) -> Result<Option<(StreamId, u64)>, FileError> {
    let sql = "SELECT last, upto FROM batches WHERE stream = ?1 ORDER BY last DESC LIMIT 1";
    let end = conn.prepare_cached(sql)?.query_row([row], |row| {
        Ok((StreamId::from_bytes(row.get(0)?), row.get::<_, i64>(1)? as u64))
    });
    Ok(end.optional()?)
}

/// The oldest batch that has entries above `id`: how many entries the stream had with it, and its entries.
fn batch_above(conn: &Connection, row: i64, id: StreamId) -> Result<Option<(u64, Vec<u8>)>, FileError> {
    let sql = "SELECT upto, entries FROM batches WHERE stream = ?1 AND last > ?2 ORDER BY last LIMIT 1";
    let batch = conn.prepare_cached(sql)?.query_row((row, id.to_bytes()), |row| {
        Ok((row.get::<_, i64>(0)? as u64, row.get(1)?))
    });
    Ok(batch.optional()?)
}

fn first_above(conn: &Connection, row: i64, id: StreamId) -> Result<Option<StreamId>, FileError> {
    let Some((_, bytes)) = batch_above(conn, row, id)? else {
        return Ok(None);
    };
    let entries = batch::unpack(bytes)?;
    Ok(entries.iter().map(|entry| entry.id).find(|found| *found > id))
}

/// The id of the stream's `number`th entry since it began, which is in the oldest batch that reaches above `id`.
fn nth(conn: &Connection, row: i64, id: StreamId, number: u64) -> Result<StreamId, FileError> {
    let (upto, bytes) = batch_above(conn, row, id)?.ok_or(FileError::Damaged)?;
    let entries = batch::unpack(bytes)?;
    let from_end = usize::try_from(upto.saturating_sub(number)).map_err(|_| FileError::Damaged)?;
    let entry = entries.iter().rev().nth(from_end).ok_or(FileError::Damaged)?;
    Ok(entry.id)
}
