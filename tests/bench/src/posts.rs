//! Posts, each committed before it is answered: one by one in a pipeline, and in batches.

use std::fmt::Write as _;
use std::io::{BufReader, Write};
use std::time::Instant;

use anyhow::Result;

use crate::Options;
use crate::program::{Answer, Program};
use crate::report::{Goal, Report};

/// Requests under way at once on each connection.
const WINDOW: usize = 64;

/// Posters beside each other, where it is not one alone.
const POSTERS: usize = 8;

pub(crate) fn measure(options: &Options, report: &mut Report) -> Result<()> {
    for (name, batch, count, goal) in [
        ("one by one", 1, 60_000, 10_000.0),
        ("in batches of 100", 100, 4_000, 150_000.0),
    ] {
        for posters in [1, POSTERS] {
            let rate = rate(options, posters, count, batch)?;
            let goal = if posters == 1 {
                Goal::None
            } else {
                Goal::AtLeast(goal)
            };
            let name = format!("posts {name}, connections: {posters}");
            report.add(name, rate, "1/s", goal);
        }
    }
    Ok(())
}

/// Messages a second, each committed before its post is answered.
fn rate(options: &Options, posters: usize, count: usize, batch: usize) -> Result<f64> {
    let dir = tempfile::tempdir()?;
    let program = Program::start(&options.program, dir.path())?;
    let requests: Vec<String> = (0..count).map(|n| request(&program, n, batch)).collect();
    let started = Instant::now();
    let program = &program;
    std::thread::scope(|scope| {
        let shares = requests.chunks(count.div_ceil(posters));
        let posters: Vec<_> = shares
            .map(|share| scope.spawn(move || post_all(program, share)))
            .collect();
        posters.into_iter().try_for_each(|poster| {
            poster
                .join()
                .unwrap_or_else(|_| Err(anyhow::anyhow!("a poster panicked")))
        })
    })?;
    Ok((count * batch) as f64 / started.elapsed().as_secs_f64())
}

fn post_all(program: &Program, requests: &[String]) -> Result<()> {
    let mut reader = BufReader::new(program.connect()?);
    let mut writer = reader.get_ref().try_clone()?;
    let mut sent = 0;
    for answered in 0..requests.len() {
        while sent < requests.len() && sent < answered + WINDOW {
            writer.write_all(requests[sent].as_bytes())?;
            sent += 1;
        }
        let answer = Answer::read(&mut reader)?;
        anyhow::ensure!(answer.head.starts_with("HTTP/1.1 200"), "{}", answer.head);
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
