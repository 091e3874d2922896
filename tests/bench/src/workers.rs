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
use crate::program::{Program, computed_s};
use crate::report::{Goal, Report, median};

/// Messages of a conversation: long ones, so that what is measured is computing and not how tasks are handed out.
const MESSAGES_EACH: usize = 200;

/// Processes that work, on however many processors.
const WORKERS: usize = 4;

/// Between two looks at a run that is measured: a part of a hundred of what the shortest takes.
const LOOK_EVERY: Duration = Duration::from_millis(20);

/// What a run took.
#[derive(Clone, Copy)]
struct Cost {
    took_s: f64,
    /// Time of the processors: the server's, its Redis', and that of the workers.
    computed_s: [f64; 3],
}

impl Cost {
    fn computed_s(&self) -> f64 {
        self.computed_s.iter().sum()
    }
}

/// The ways to make a run.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Way {
    /// Own threads, and the log of events in a file.
    Alone,
    /// Own threads, events in a Redis.
    Own,
    /// Only workers in other processes.
    Others,
    /// Both.
    All,
}

impl Way {
    const EACH: [Way; 4] = [Way::Alone, Way::Own, Way::Others, Way::All];

    fn name(self) -> &'static str {
        match self {
            Way::Alone => "own threads, without a Redis",
            Way::Own => "own threads",
            Way::Others => "four workers",
            Way::All => "four workers beside own threads",
        }
    }

    fn run(self, options: &Options, dir: &Path) -> Result<Cost> {
        if self == Way::Alone {
            return cost(&start(options, dir, "")?, None, &[]);
        }
        let redis = Redis::in_memory();
        let settings = if self == Way::Others { "workers = 0\n" } else { "" };
        let settings = format!("{settings}redis_url = \"{}\"\n", redis.url());
        let program = start(options, dir, &settings)?;
        let count = if self == Way::Own { 0 } else { WORKERS };
        let workers = (0..count).map(|_| Worker::start(&options.program, &redis));
        cost(&program, Some(&redis), &workers.collect::<Result<Vec<_>>>()?)
    }
}

pub(crate) fn measure(options: &Options, report: &mut Report) -> Result<()> {
    let dir = tempfile::tempdir()?;
    let store = Store::open(dir.path())?;
    let count = options.stored / MESSAGES_EACH;
    fill(&store, count, MESSAGES_EACH).context("fill a database")?;
    drop(store);
    let rounds = (0..options.rounds).map(|_| round(options, dir.path()));
    let rounds = rounds.collect::<Result<Vec<_>>>()?;
    let of = |way: Way, what: fn(&Cost) -> f64| {
        let values = rounds.iter().map(|round| what(&round[way as usize]));
        median(&mut values.collect::<Vec<_>>())
    };
    for way in Way::EACH {
        let name = format!("run over {count} long conversations, {}", way.name());
        report.add(name, of(way, |cost| cost.took_s), "s", Goal::None);
        let mut part = |who: &str, part: fn(&Cost) -> f64| {
            report.add(format!("  computed by {who}"), of(way, part), "s", Goal::None);
        };
        part("the server", |cost| cost.computed_s[0]);
        part("Redis", |cost| cost.computed_s[1]);
        part("the workers", |cost| cost.computed_s[2]);
    }
    for way in [Way::Others, Way::All] {
        let share = |what: fn(&Cost) -> f64| {
            let shares = rounds
                .iter()
                .map(|round| what(&round[Way::Own as usize]) / what(&round[way as usize]));
            median(&mut shares.collect::<Vec<_>>())
        };
        let (speed, computed) = (share(|cost| cost.took_s), share(Cost::computed_s));
        let name = way.name();
        report.add(
            format!("{name}: share of the own threads' speed"),
            speed,
            "",
            Goal::AtLeast(1.0),
        );
        report.add(
            format!("{name}: the own threads' share of what they compute"),
            computed,
            "",
            Goal::None,
        );
    }
    Ok(())
}

fn round(options: &Options, dir: &Path) -> Result<[Cost; 4]> {
    let [alone, own, others, all] = Way::EACH;
    Ok([
        alone.run(options, dir)?,
        own.run(options, dir)?,
        others.run(options, dir)?,
        all.run(options, dir)?,
    ])
}

fn start(options: &Options, dir: &Path, settings: &str) -> Result<Program> {
    std::fs::write(
        dir.join("config.toml"),
        format!("analyse_on_seal = false\n{settings}"),
    )?;
    Program::start(&options.program, dir)
}

/// From the first result of a run to its end: how long it takes until workers are noticed is not measured.
fn cost(program: &Program, redis: Option<&Redis>, workers: &[Worker]) -> Result<Cost> {
    // What an earlier run left to be done is not this one's.
    program.until_idle()?;
    let computed = || -> Result<[f64; 3]> {
        let workers = workers.iter().map(|worker| computed_s(worker.0.id()));
        Ok([
            program.computed_s()?,
            redis.map_or(Ok(0.0), |redis| computed_s(redis.process()))?,
            workers.sum::<Result<f64>>()?,
        ])
    };
    let run = program.start_run()?;
    let done = |row: &serde_json::Value| row["success"].as_u64().context("a run");
    let begun = done(&program.run(&run)?)?;
    let (started, before_s) = (Instant::now(), computed()?);
    let row = loop {
        let row = program.run(&run)?;
        if !row["finished_at"].is_null() {
            break row;
        }
        std::thread::sleep(LOOK_EVERY); // a process of its own is watched, not one of ours
    };
    let (took_s, after_s) = (started.elapsed().as_secs_f64(), computed()?);
    let total = done(&row)?;
    ensure!(row["failed"] == 0 && begun < total / 4, "store more: {row}");
    // As if it had been measured from the very first.
    let whole = |part_s: f64| part_s * total as f64 / (total - begun) as f64;
    Ok(Cost {
        took_s: whole(took_s),
        computed_s: std::array::from_fn(|who| whole(after_s[who] - before_s[who])),
    })
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
