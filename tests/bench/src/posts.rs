//! Posts, each committed before it is answered: one by one in a pipeline, and in batches.

use std::fmt::Write as _;
use std::io::{BufReader, Write};
use std::time::Instant;

use anyhow::Result;

use crate::Options;
use crate::program::{Answer, Program};
use crate::report::{Goal, Report};

/// Requests under way at once.
const WINDOW: usize = 256;

pub(crate) fn measure(options: &Options, report: &mut Report) -> Result<()> {
    for (name, batch, count, goal) in [
        ("one by one", 1, 60_000, 10_000.0),
        ("in batches of 100", 100, 4_000, 150_000.0),
    ] {
        let dir = tempfile::tempdir()?;
        let program = Program::start(&options.program, dir.path())?;
        let requests: Vec<String> = (0..count).map(|n| request(&program, n, batch)).collect();
        let mut reader = BufReader::new(program.connect()?);
        let mut writer = reader.get_ref().try_clone()?;
        let started = Instant::now();
        let mut sent = 0;
        for answered in 0..count {
            while sent < count && sent < answered + WINDOW {
                writer.write_all(requests[sent].as_bytes())?;
                sent += 1;
            }
            let answer = Answer::read(&mut reader)?;
            anyhow::ensure!(answer.head.starts_with("HTTP/1.1 200"), "{}", answer.head);
        }
        let rate = (count * batch) as f64 / started.elapsed().as_secs_f64();
        report.add(
            format!("posts {name}: messages a second, each committed"),
            rate,
            "1/s",
            Goal::AtLeast(goal),
        );
    }
    Ok(())
}

fn request(program: &Program, number: usize, batch: usize) -> String {
    let mut messages = String::new();
    for n in number * batch..(number + 1) * batch {
        let comma = if messages.is_empty() { "" } else { "," };
        // Writing to a string cannot fail.
        let _ = write!(
            messages,
            r#"{comma}{{"key":"k{n}","sender":{{"key":"p{}","name":"P"}},"content":"message {n} {}","timestamp":"2024-01-01T00:{:02}:{:02}Z"}}"#,
            n % 7,
            "of a usual length, such as people write ".repeat(1 + n % 3),
            n / 60 % 60,
            n % 60,
        );
    }
    let body = format!(r#"{{"source":"bench","chat":{{"key":"c","title":"c"}},"messages":[{messages}]}}"#);
    program.head("POST", "/api/live-sync/messages", body.len()) + &body
}
