//! Workers in other processes: the same run by the program's own threads, by four processes over one Redis, and by both.
//!
//! Events go to that Redis in all of them, some 140,000: what is compared is who computes. What they cost next to the log
//! in a file is a figure of its own. They come at the end, and in a run of more than ten seconds also in its middle: where
//! one way takes longer than that and the other does not, store less.

use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use chatstats_store::Store;
use chatstats_tests::Redis;

use crate::Options;
use crate::analysis::fill;
use crate::program::Program;
use crate::report::{Goal, Report, median};

/// Messages of a conversation: long ones, so that what is measured is computing and not how tasks are handed out.
const MESSAGES_EACH: usize = 200;

/// Processes that work, on however many processors.
const WORKERS: usize = 4;

/// Between two looks at a run that is measured: a part of a hundred of what the shortest takes.
const LOOK_EVERY: Duration = Duration::from_millis(20);

pub(crate) fn measure(options: &Options, report: &mut Report) -> Result<()> {
    let dir = tempfile::tempdir()?;
    let store = Store::open(dir.path())?;
    let count = options.stored / MESSAGES_EACH;
    fill(&store, count, MESSAGES_EACH).context("fill a database")?;
    drop(store);
    let (mut alone, mut own, mut others, mut all) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    let (mut others_ratios, mut all_ratios) = (Vec::new(), Vec::new());
    for _ in 0..options.rounds {
        alone.push(without_redis(options, dir.path())?);
        let own_s = own_threads(options, dir.path())?;
        let others_s = with_workers(options, dir.path(), "workers = 0\n")?;
        let all_s = with_workers(options, dir.path(), "")?;
        own.push(own_s);
        others.push(others_s);
        all.push(all_s);
        others_ratios.push(own_s / others_s);
        all_ratios.push(own_s / all_s);
    }
    let name = |who: &str| format!("run over {count} long conversations, {who}");
    report.add(
        name("own threads, without a Redis"),
        median(&mut alone),
        "s",
        Goal::None,
    );
    report.add(name("own threads"), median(&mut own), "s", Goal::None);
    report.add(name("four workers"), median(&mut others), "s", Goal::None);
    report.add(
        name("four workers beside own threads"),
        median(&mut all),
        "s",
        Goal::None,
    );
    report.add(
        "four workers: share of the own threads' speed",
        median(&mut others_ratios),
        "",
        Goal::AtLeast(1.0),
    );
    report.add(
        "four workers beside own threads: share of these alone",
        median(&mut all_ratios),
        "",
        Goal::AtLeast(1.0),
    );
    Ok(())
}

fn without_redis(options: &Options, dir: &Path) -> Result<f64> {
    run_s(&start(options, dir, "")?)
}

fn own_threads(options: &Options, dir: &Path) -> Result<f64> {
    let redis = Redis::in_memory();
    run_s(&start(
        options,
        dir,
        &format!("redis_url = \"{}\"\n", redis.url()),
    )?)
}

fn with_workers(options: &Options, dir: &Path, settings: &str) -> Result<f64> {
    let redis = Redis::in_memory();
    let program = start(
        options,
        dir,
        &format!("{settings}redis_url = \"{}\"\n", redis.url()),
    )?;
    let _workers = (0..WORKERS)
        .map(|_| Worker::start(&options.program, &redis))
        .collect::<Result<Vec<_>>>()?;
    run_s(&program)
}

fn start(options: &Options, dir: &Path, settings: &str) -> Result<Program> {
    std::fs::write(
        dir.join("config.toml"),
        format!("analyse_on_seal = false\n{settings}"),
    )?;
    Program::start(&options.program, dir)
}

/// Seconds from the first result of a run to its end: how long it takes until workers are noticed is not measured.
fn run_s(program: &Program) -> Result<f64> {
    // What an earlier run left to be done is not this one's.
    program.until_idle()?;
    let run = program.start_run()?;
    let done = |row: &serde_json::Value| row["success"].as_u64().context("a run");
    let begun = done(&program.run(&run)?)?;
    let started = Instant::now();
    let row = loop {
        let row = program.run(&run)?;
        if !row["finished_at"].is_null() {
            break row;
        }
        std::thread::sleep(LOOK_EVERY); // a process of its own is watched, not one of ours
    };
    let took_s = started.elapsed().as_secs_f64();
    let total = done(&row)?;
    ensure!(row["failed"] == 0 && begun < total / 4, "store more: {row}");
    // As if it had been measured from the very first.
    Ok(took_s * total as f64 / (total - begun) as f64)
}

/// A running `chatstats worker`, ended with the value.
struct Worker(Child);

impl Worker {
    fn start(program: &Path, redis: &Redis) -> Result<Self> {
        let child = Command::new(program)
            .args(["worker", "--redis-url", &redis.url()])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .with_context(|| format!("start {}", program.display()))?;
        Ok(Self(child))
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        // Both fail where it has ended and was waited for; that is fine.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
