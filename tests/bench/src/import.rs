//! Imports: from file to committed, searchable and published, against a bare loop that inserts the same rows.

use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use anyhow::{Result, bail};
use chatstats_hub::Hub;
use chatstats_model::{ImportOptions, ImportState, Timestamp};
use chatstats_store::{DATABASE_FILE, Store};
use chatstats_sync::{ImportSettings, Imports, Publisher};
use rusqlite::types::Value;
use rusqlite::{Connection, params_from_iter};

use crate::Options;
use crate::corpus;
use crate::program::Program;
use crate::report::{Goal, Report, median};

/// Rows in a transaction of the bare loop: as in an import.
const BATCH_ROWS: usize = 2_000;

pub(crate) fn measure(options: &Options, report: &mut Report) -> Result<()> {
    let folder = tempfile::tempdir()?;
    let whatsapp = corpus::whatsapp(folder.path(), options.messages)?;
    let telegram = corpus::telegram(folder.path(), options.messages)?;
    for (name, file) in [("WhatsApp", whatsapp), ("Telegram", telegram)] {
        let megabytes = file.metadata()?.len() as f64 / 1e6;
        let (mut ours, mut bare, mut ratios) = (Vec::new(), Vec::new(), Vec::new());
        for _ in 0..options.rounds {
            let dir = tempfile::tempdir()?;
            let seconds = import_into(dir.path(), &file)?;
            let bare_seconds = bare_loop(dir.path())?;
            ours.push(seconds);
            bare.push(bare_seconds);
            ratios.push(bare_seconds / seconds);
        }
        let seconds = median(&mut ours);
        report.add(
            format!("import {name}: messages a second"),
            options.messages as f64 / seconds,
            "1/s",
            Goal::None,
        );
        report.add(
            format!("import {name}: file read"),
            megabytes / seconds,
            "MB/s",
            Goal::None,
        );
        report.add(format!("import {name}: seconds"), seconds, "s", Goal::None);
        report.add(
            format!("import {name}: bare loop, seconds"),
            median(&mut bare),
            "s",
            Goal::None,
        );
        report.add(
            format!("import {name}: share of the bare loop's speed"),
            median(&mut ratios),
            "",
            Goal::AtLeast(0.6),
        );
        memory(options, name, &file, report)?;
    }
    Ok(())
}

/// Imports `file` into the data directory `dir`, as the program does it; the seconds it took.
pub(crate) fn import_into(dir: &Path, file: &Path) -> Result<f64> {
    let store = Store::open(dir)?;
    store.on_commit(Arc::new(Publisher::new(Hub::new())));
    let settings = ImportSettings {
        uploads_dir: dir.join("uploads"),
        now: Timestamp::default,
    };
    let imports = Imports::start(store.clone(), settings)?;
    let started = Instant::now();
    let options = ImportOptions {
        timezone: Some("UTC".into()),
        ..ImportOptions::default()
    };
    let id = imports.queue_blocking(vec![file.to_path_buf()], options)?.id;
    let import = imports.wait(id, |_| {})?;
    let seconds = started.elapsed().as_secs_f64();
    imports.shutdown();
    store.shutdown();
    if import.state != ImportState::Done || import.receipt.totals.left_out > 0 {
        bail!("the import went wrong: {:?}", import.receipt);
    }
    Ok(seconds)
}

/// Inserts the messages of the database in `dir` into a new one of the same schema and settings, with prepared
/// statements and nothing else; the seconds that took, reading not counted.
fn bare_loop(dir: &Path) -> Result<f64> {
    let rows = all_rows(&dir.join(DATABASE_FILE))?;
    let target = tempfile::tempdir()?;
    drop(Store::open(target.path())?);
    let mut conn = Connection::open(target.path().join(DATABASE_FILE))?;
    conn.pragma_update(None, "synchronous", "NORMAL")?;
    conn.pragma_update(None, "cache_size", -16_384)?;
    conn.pragma_update(None, "wal_autocheckpoint", 4_000)?;
    let started = Instant::now();
    for batch in rows.chunks(BATCH_ROWS) {
        let tx = conn.transaction()?;
        {
            let mut message =
                tx.prepare_cached("INSERT INTO messages VALUES (?1,?2,?3,?4,?5,?6,?7,?8,?9,?10,?11)")?;
            let mut text = tx.prepare_cached(
                "INSERT INTO messages_fts (rowid, content, chat) VALUES (?1, ?2, 'c' || ?3)",
            )?;
            for row in batch {
                message.execute(params_from_iter(row))?;
                text.execute([&row[0], &row[6], &row[1]])?;
            }
        }
        tx.commit()?;
    }
    Ok(started.elapsed().as_secs_f64())
}

fn all_rows(database: &Path) -> Result<Vec<Vec<Value>>> {
    let conn = Connection::open(database)?;
    let mut query = conn.prepare("SELECT * FROM messages ORDER BY id")?;
    let columns = query.column_count();
    let rows = query.query_map([], |row| (0..columns).map(|column| row.get(column)).collect())?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// What the running program grows by while it imports.
fn memory(options: &Options, name: &str, file: &Path, report: &mut Report) -> Result<()> {
    let dir = tempfile::tempdir()?;
    let program = Program::start(&options.program, dir.path())?;
    let idle = program.memory_kib()?;
    let body = serde_json::json!({ "path": file.canonicalize()?, "timezone": "UTC" }).to_string();
    program.post("/api/imports", &body)?;
    program.until(|| Ok(program.get("/api/imports/1")?.contains("\"state\":\"done\"")))?;
    let grown = program.peak_memory_kib()?.saturating_sub(idle);
    report.add(
        format!("import {name}: memory above idle"),
        grown as f64 / 1024.0,
        "MiB",
        Goal::AtMost(64.0),
    );
    Ok(())
}
