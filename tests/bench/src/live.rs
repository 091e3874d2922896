//! Live messages beside analysis: from a post to its frame at a client, with and without a run at full speed.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::sync::mpsc::{self, Receiver};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use chatstats_store::Store;
use serde_json::Value;

use crate::Options;
use crate::analysis::{MESSAGES_EACH, fill};
use crate::program::{Answer, Program};
use crate::report::{Goal, Report, median};

/// Pairs of one measurement without a run and one with it, by turns: what else the machine does meets both alike.
const PAIRS: usize = 25;

/// Posts of one measurement, and the time from one to the next.
const POSTS: usize = 400;
const PACE: Duration = Duration::from_millis(5);

/// How long a frame may take before the measurement is given up.
const PATIENCE: Duration = Duration::from_secs(30);

pub(crate) fn measure(options: &Options, report: &mut Report) -> Result<()> {
    let dir = tempfile::tempdir()?;
    let store = Store::open(dir.path())?;
    fill(&store, options.stored / MESSAGES_EACH, MESSAGES_EACH).context("fill a database")?;
    drop(store);
    std::fs::write(dir.path().join("config.toml"), "analyse_on_seal = false\n")?;
    let program = Program::start(&options.program, dir.path())?;
    let mut live = Live::open(&program)?;
    let (mut quiet, mut busy, mut told) = (Took::default(), Took::default(), Vec::new());
    for _ in 0..PAIRS {
        program.until_idle()?;
        quiet.add(live.took_ms()?);
        let run = program.start_run()?;
        let started = Instant::now();
        busy.add(live.took_ms()?);
        told.push(stop(&program, &run)? as f64 / started.elapsed().as_secs_f64());
    }
    for (name, of_100, goal) in [
        ("median", 50, Goal::None),
        ("p90", 90, Goal::None),
        ("p99", 99, Goal::AtMost(1.25)),
    ] {
        let (quiet_ms, busy_ms) = (quiet.at_most(of_100), busy.at_most(of_100));
        report.add(
            format!("post to frame, {name}, nothing else"),
            quiet_ms,
            "ms",
            Goal::None,
        );
        report.add(
            format!("post to frame, {name}, during a run"),
            busy_ms,
            "ms",
            Goal::None,
        );
        report.add(
            format!("post to frame, {name}: a run's share"),
            busy_ms / quiet_ms,
            "",
            goal,
        );
    }
    report.add(
        "progress events of a run",
        median(&mut told),
        "1/s",
        Goal::AtMost(5.0),
    );
    Ok(())
}

/// A chat that is posted to and followed.
struct Live<'p> {
    program: &'p Program,
    poster: BufReader<std::net::TcpStream>,
    arrived: Receiver<(usize, Instant)>,
    next: usize,
}

impl<'p> Live<'p> {
    fn open(program: &'p Program) -> Result<Self> {
        let answer: Value = serde_json::from_str(&program.post("/api/live-sync/messages", &body(0))?)?;
        let path = format!("/api/live-sync/stream/chat/{}/messages", answer["chat_id"]);
        let mut stream = program.connect()?;
        stream.write_all(program.head("GET", &path, 0).as_bytes())?;
        let mut lines = BufReader::new(stream).lines();
        // All that was there before has been told by then.
        while lines.next().context("a stream")?? != "event: ready" {}
        let (tell, arrived) = mpsc::channel();
        std::thread::spawn(move || {
            for line in lines.map_while(std::io::Result::ok) {
                let now = Instant::now();
                for number in numbers(&line) {
                    let _nobody_waits = tell.send((number, now));
                }
            }
        });
        Ok(Self {
            program,
            poster: BufReader::new(program.connect()?),
            arrived,
            next: 1,
        })
    }

    /// How long each post takes, from before the request is sent to the frame.
    fn took_ms(&mut self) -> Result<Vec<f64>> {
        let mut sent = BTreeMap::new();
        let started = Instant::now();
        for number in 0..POSTS {
            let due = started + PACE * number as u32;
            std::thread::sleep(due.saturating_duration_since(Instant::now())); // the pace is what is measured at
            let body = body(self.next);
            let request = self.program.head("POST", "/api/live-sync/messages", body.len()) + &body;
            sent.insert(self.next, Instant::now());
            self.next += 1;
            self.poster.get_mut().write_all(request.as_bytes())?;
            let answer = Answer::read(&mut self.poster)?;
            ensure!(answer.head.starts_with("HTTP/1.1 200"), "{}", answer.head);
        }
        let mut took_ms = Vec::with_capacity(POSTS);
        while !sent.is_empty() {
            let (number, at) = self.arrived.recv_timeout(PATIENCE)?;
            let since = sent.remove(&number).context("a frame that comes once")?;
            took_ms.push((at - since).as_secs_f64() * 1e3);
        }
        Ok(took_ms)
    }
}

/// How long posts took, in milliseconds, of all measurements of a kind: of one alone, a hundredth is four posts, and
/// whatever the machine did beside them.
#[derive(Default)]
struct Took(Vec<f64>);

impl Took {
    fn add(&mut self, some: Vec<f64>) {
        self.0.extend(some);
    }

    /// The time that so many of a hundred take at most.
    fn at_most(&mut self, of_100: usize) -> f64 {
        self.0.sort_by(f64::total_cmp);
        self.0[self.0.len() * of_100 / 100]
    }
}

/// Stops a run, and answers how often it told how far it was.
fn stop(program: &Program, run: &str) -> Result<usize> {
    let is_over = || Ok(!program.run(run)?["finished_at"].is_null());
    ensure!(!is_over()?, "store more: the run was over too early");
    program.post(&format!("/api/analysis/runs/{run}/cancel"), "")?;
    program.until(is_over)?;
    let mut from = "-".to_owned();
    let mut told = 0;
    // A page says how far it looked, whether or not it found any.
    loop {
        let path = format!(
            "/api/bus/streams/task_events:analysis/entries?type=analysis_completed&run_id={run}&count=1000&from={from}"
        );
        let page: Value = serde_json::from_str(&program.get(&path)?)?;
        told += page["entries"].as_array().map_or(0, Vec::len);
        match page["next"].as_str() {
            Some(next) => from = format!("({next}"),
            None => return Ok(told),
        }
    }
}

fn body(number: usize) -> String {
    let (minute, second) = (number / 60 % 60, number % 60);
    format!(
        r#"{{"source":"bench","chat":{{"key":"live","title":"live"}},"messages":[{{"key":"k{number}","sender":{{"key":"p","name":"P"}},"content":"live-{number}-","timestamp":"2024-01-01T00:{minute:02}:{second:02}Z"}}]}}"#
    )
}

/// The numbers of the messages in a line of the stream.
fn numbers(line: &str) -> impl Iterator<Item = usize> {
    line.split("live-")
        .skip(1)
        .filter_map(|rest| rest.split('-').next()?.parse().ok())
}
