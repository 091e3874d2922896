//! The `initial` of a very long chat, against a program that reads the same rows and writes them as JSON.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::time::Instant;

use anyhow::Result;
use chatstats_model::ChatId;
use chatstats_store::DATABASE_FILE;
use rusqlite::Connection;
use serde_json::json;
use tempfile::TempDir;

use crate::Options;
use crate::program::Program;
use crate::report::{Goal, Report, median};

/// What ends the history: the event after it.
const READY: &[u8] = b"event: ready";

pub(crate) fn measure(options: &Options, filled: &TempDir, report: &mut Report) -> Result<()> {
    let program = Program::start(&options.program, filled.path())?;
    let (mut first_ms, mut ours, mut bare, mut ratios) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    let idle = program.memory_kib()?;
    for _ in 0..options.rounds {
        let (first, seconds) = stream(&program)?;
        let yardstick = yardstick(filled)?;
        first_ms.push(first * 1e3);
        ours.push(seconds);
        bare.push(yardstick);
        ratios.push(yardstick / seconds);
    }
    let grown = program.peak_memory_kib()?.saturating_sub(idle) as f64 / 1024.0;
    let stored = options.stored;
    report.add(
        format!("initial of {stored} messages: first byte"),
        median(&mut first_ms),
        "ms",
        Goal::AtMost(20.0),
    );
    report.add(
        format!("initial of {stored} messages: all of it"),
        median(&mut ours),
        "s",
        Goal::None,
    );
    report.add(
        "initial: reading and writing alone",
        median(&mut bare),
        "s",
        Goal::None,
    );
    report.add(
        "initial: share of the speed of reading and writing alone",
        median(&mut ratios),
        "",
        Goal::AtLeast(0.5),
    );
    report.add("initial: the server grows by", grown, "MiB", Goal::AtMost(16.0));
    Ok(())
}

/// Seconds to the first message's bytes, and to the end of the history.
fn stream(program: &Program) -> Result<(f64, f64)> {
    let mut stream = program.connect()?;
    let path = format!("/api/live-sync/stream/chat/{}/messages", ChatId(1));
    let started = Instant::now();
    stream.write_all(program.head("GET", &path, 0).as_bytes())?;
    let first = drain(&mut stream, b"\"messages\":[", started)?;
    let all = drain(&mut stream, READY, started)?;
    Ok((first, all))
}

/// Reads until `mark` has gone by; the seconds since `started`.
fn drain(stream: &mut TcpStream, mark: &[u8], started: Instant) -> Result<f64> {
    let mut buffer = vec![0; 1 << 20];
    let mut tail = Vec::new();
    loop {
        let count = stream.read(&mut buffer)?;
        anyhow::ensure!(count > 0, "the stream ended early");
        tail.extend_from_slice(&buffer[..count]);
        if tail.windows(mark.len()).any(|window| window == mark) {
            return Ok(started.elapsed().as_secs_f64());
        }
        tail.drain(..tail.len().saturating_sub(mark.len()));
    }
}

/// Reads the rows with one query, in their order, and writes them as JSON to a socket that somebody reads.
fn yardstick(filled: &TempDir) -> Result<f64> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let address = listener.local_addr()?;
    let database = filled.path().join(DATABASE_FILE);
    let started = Instant::now();
    let writer = std::thread::spawn(move || -> Result<()> {
        let (mut socket, _) = listener.accept()?;
        let conn = Connection::open(database)?;
        let mut query = conn.prepare(
            "SELECT m.id, m.chat_id, c.id, c.name, m.from_me OR c.is_me, m.content, m.sent_us, m.kind, m.edited_us, m.extra
             FROM messages m LEFT JOIN identities i ON i.id = m.identity_id LEFT JOIN contacts c ON c.id = i.contact_id
             WHERE m.chat_id = 1 ORDER BY m.sent_us, m.id",
        )?;
        let mut rows = query.query([])?;
        let mut buffer = Vec::with_capacity(1 << 17);
        while let Some(row) = rows.next()? {
            let text = |column| {
                row.get_ref(column)
                    .ok()
                    .and_then(|value| value.as_str().ok().map(str::to_owned))
            };
            let number = |column| row.get::<_, Option<i64>>(column).ok().flatten();
            let object = json!({ "id": number(0), "chat_id": number(1), "sender_id": number(2), "sender": text(3),
                "is_from_me": number(4), "content": text(5), "timestamp": number(6), "kind": number(7),
                "reply_to": null, "edited_at": number(8), "reactions": [], "attachments": [] });
            serde_json::to_writer(&mut buffer, &object)?;
            buffer.push(b',');
            if buffer.len() > 1 << 16 {
                socket.write_all(&buffer)?;
                buffer.clear();
            }
        }
        buffer.extend_from_slice(READY);
        Ok(socket.write_all(&buffer)?)
    });
    let seconds = drain(&mut TcpStream::connect(address)?, READY, started)?;
    writer
        .join()
        .map_err(|_| anyhow::anyhow!("the yardstick panicked"))??;
    Ok(seconds)
}
