//! Queries over a full database, as the page asks them.

use std::io::{BufReader, Write};
use std::time::Instant;

use anyhow::Result;
use tempfile::TempDir;

use crate::Options;
use crate::program::{Answer, Program};
use crate::report::{Goal, Report, percentile};

/// Questions of each kind.
const ASKED: usize = 400;

pub(crate) fn measure(options: &Options, filled: &TempDir, report: &mut Report) -> Result<()> {
    let program = Program::start(&options.program, filled.path())?;
    let stored = options.stored;
    // What reads more of what there is may take longer where there is more: up to three times for ten million.
    let longer = if stored > 1_000_000 { 3.0 } else { 1.0 };
    let spread = |n: usize| (n * 7919 % ASKED) * (stored.saturating_sub(2_000) / ASKED) + 1_000; // past the revisions that made the chat and its people
    let around = times(&program, |n| {
        format!("/api/chats/1/messages?limit=200&around={}", spread(n))
    })?;
    report.add(
        format!("page of 200 around a message, {stored} stored: p99"),
        around,
        "ms",
        Goal::AtMost(5.0),
    );
    let at = times(&program, |n| {
        let day = 1 + spread(n) % 28;
        format!(
            "/api/chats/1/messages?limit=200&at=2019-{:02}-{day:02}T12:00:00Z",
            3 + n % 9
        )
    })?;
    report.add(
        format!("page of 200 at a date, {stored} stored: p99"),
        at,
        "ms",
        Goal::AtMost(5.0),
    );
    let words = [
        "coffee",
        "meet",
        "tomorrow train",
        "Straße",
        "quoted later",
        "день",
    ];
    let search = times(&program, |n| {
        format!("/api/search?limit=50&q={}", percent(words[n % words.len()]))
    })?;
    report.add(
        format!("search, first 50 hits, {stored} stored: p99"),
        search,
        "ms",
        Goal::AtMost(50.0 * longer),
    );
    let chats = times(&program, |_| "/api/chats".into())?;
    report.add("chat list: p99", chats, "ms", Goal::AtMost(10.0 * longer));
    Ok(())
}

fn percent(text: &str) -> String {
    text.bytes()
        .map(|b| {
            if b.is_ascii_alphanumeric() {
                (b as char).to_string()
            } else {
                format!("%{b:02X}")
            }
        })
        .collect()
}

/// The 99th percentile of the answers' times, in milliseconds, over one connection.
fn times(program: &Program, path: impl Fn(usize) -> String) -> Result<f64> {
    let mut reader = BufReader::new(program.connect()?);
    let mut times = Vec::with_capacity(ASKED);
    for n in 0..ASKED {
        let head = program.head("GET", &path(n), 0);
        let started = Instant::now();
        reader.get_mut().write_all(head.as_bytes())?;
        let answer = Answer::read(&mut reader)?;
        times.push(started.elapsed().as_secs_f64() * 1e3);
        anyhow::ensure!(answer.head.starts_with("HTTP/1.1 200"), "{}", answer.head);
    }
    Ok(percentile(&mut times, 0.99))
}
