//! Publishing through the program beside `redis-benchmark`, which does nothing else; and beside many followers.
//!
//! Needs redis-server and redis-benchmark. Prints figures, and holds nobody to them.

#[expect(dead_code, unused_imports, reason = "the tests use the rest of it")]
#[path = "../tests/redis/servers/mod.rs"]
mod servers;

use std::process::Command;
use std::time::{Duration, Instant};

use chatstats_bus::{Bus, Filter, Item, RedisSettings, Settings, Start, StreamId, StreamKey, Tail};
use serde_json::{Map, Value, json};
use servers::{Kind, Server, Setup};

/// Events in one measurement.
const EVENTS: usize = 200_000;

/// How many commands `redis-benchmark` sends before it waits for the replies: as many as the program writes at once.
const PIPELINED: usize = 512;

/// XADDs that are timed in one round.
const TIMED: usize = 100;

/// How often each is measured, by turns.
const ROUNDS: usize = 15;

fn main() {
    // `cargo test --benches` passes other arguments, and only wants to see that it builds.
    if !std::env::args().any(|argument| argument == "--bench") {
        return;
    }
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    runtime.block_on(async {
        for kind in [Kind::Redis, Kind::Valkey] {
            throughput(kind).await;
        }
        catching_up().await;
        latency(Cores::Shared).await;
    });
    drop(runtime);
    #[cfg(target_os = "linux")]
    {
        // Those that a runtime starts stay where the thread that builds it is.
        stay_on(OURS);
        let runtime = tokio::runtime::Runtime::new().expect("a runtime");
        runtime.block_on(latency(Cores::Apart));
    }
}

async fn throughput(kind: Kind) {
    let server = Server::start(Setup::new(kind)).await;
    let bus = open(&server).await;
    let (mut bare, mut ours) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        server.ask::<redis::Value>(&["FLUSHALL"]).await;
        bare.push(redis_benchmark(&server));
        server.ask::<redis::Value>(&["FLUSHALL"]).await;
        ours.push(publish_all(&bus).await);
    }
    let (bare, ours) = (median(bare), median(ours));
    println!(
        "{kind:?}: XADD a second, redis-benchmark -P {PIPELINED}: {bare:.0}; ours: {ours:.0}; ratio {:.2}",
        ours / bare
    );
}

/// As fast as one task can hand events over, each waited for.
async fn publish_all(bus: &Bus) -> f64 {
    let data = data();
    let began = Instant::now();
    let mut waiting = std::collections::VecDeque::new();
    for _ in 0..EVENTS {
        if waiting.len() == 4 * PIPELINED {
            let oldest: Option<chatstats_bus::Submitted> = waiting.pop_front();
            oldest.expect("there are some").await.expect("written");
        }
        waiting.push_back(bus.submit("task:7", "progress", &data).expect("room"));
    }
    for one in waiting {
        one.await.expect("written");
    }
    EVENTS as f64 / began.elapsed().as_secs_f64()
}

/// The same fields, of the same sizes.
fn redis_benchmark(server: &Server) -> f64 {
    let mut command = Command::new("redis-benchmark");
    command.args(["-p", &server.port().to_string(), "-c", "1", "--csv"]);
    command.args(["-P", &PIPELINED.to_string(), "-n", &EVENTS.to_string()]);
    command.args(["XADD", chatstats_bus::EVENTS_STREAM, "MAXLEN", "~", "200000", "*"]);
    command.args([
        "type",
        "progress",
        "scope",
        "task:7",
        "ts",
        "2024-01-01T12:00:00.000000",
    ]);
    for (name, value) in data() {
        let value = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        command.args([name, value]);
    }
    let printed = command.output().expect("redis-benchmark runs").stdout;
    let printed = String::from_utf8(printed).expect("text");
    let line = printed.lines().last().expect("a line");
    // The command is the first field, and holds no quotes.
    let rate = line.split("\",\"").nth(1).expect("a rate");
    rate.parse().expect("a number")
}

/// Who computes where while XADDs are timed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Cores {
    /// All on all: where there are two, what a thousand followers do with an event delays whoever waits for a core.
    Shared,
    /// Redis and the other program on one, we and the followers on another: what is left is what Redis itself takes.
    #[cfg(target_os = "linux")]
    Apart,
}

/// The processor for Redis and the other program, and the one for us.
#[cfg(target_os = "linux")]
const THEIRS: usize = 0;
#[cfg(target_os = "linux")]
const OURS: usize = 1;

/// One event at a time, beside one follower and beside a thousand, by turns.
async fn latency(cores: Cores) {
    let setup = match cores {
        Cores::Shared => Setup::new(Kind::Redis),
        #[cfg(target_os = "linux")]
        Cores::Apart => Setup::new(Kind::Redis).with(["--server_cpulist", &THEIRS.to_string()]),
    };
    let server = Server::start(setup).await;
    let bus = open(&server).await;
    let (mut beside_one, mut beside_all) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        beside_one.push(median(beside(1, &server, &bus, cores).await));
        beside_all.push(median(beside(1_000, &server, &bus, cores).await));
    }
    let (one, all) = (median(beside_one), median(beside_all));
    println!(
        "XADD by another program, cores {cores:?}: beside 1 follower {one:.0} µs, beside 1,000 {all:.0} µs; ratio {:.2}",
        all / one
    );
}

async fn beside(followers: usize, server: &Server, bus: &Bus, cores: Cores) -> Vec<f64> {
    let mut tasks = Vec::new();
    for _ in 0..followers {
        let mut tail = follow(bus, Start::Now).await;
        tasks.push(tokio::spawn(async move {
            loop {
                tail.recv().await;
            }
        }));
    }
    let url = server.url();
    let other = std::thread::spawn(move || another_program(&url, cores));
    let micros = tokio::task::spawn_blocking(|| other.join().expect("no panic"));
    let micros = micros.await.expect("no panic");
    for task in tasks {
        task.abort();
    }
    micros
}

/// Publishes an event now and then, on a thread of its own as another program would; answers how long each took, in
/// microseconds.
fn another_program(url: &str, cores: Cores) -> Vec<f64> {
    #[cfg(target_os = "linux")]
    if cores == Cores::Apart {
        stay_on(THEIRS);
    }
    let client = redis::Client::open(url).expect("an address");
    let mut conn = client.get_connection().expect("connected");
    let mut xadd = redis::cmd("XADD");
    xadd.arg(chatstats_bus::EVENTS_STREAM).arg("*");
    xadd.arg(&["type", "tick", "scope", "global"]);
    let timed = |_| {
        std::thread::sleep(Duration::from_millis(10));
        let began = Instant::now();
        xadd.exec(&mut conn).expect("written");
        began.elapsed().as_secs_f64() * 1e6
    };
    (0..TIMED).map(timed).collect()
}

/// Keeps the thread, and those it starts, on one processor.
#[cfg(target_os = "linux")]
fn stay_on(processor: usize) {
    let mut set = rustix::thread::CpuSet::new();
    set.set(processor);
    rustix::thread::sched_setaffinity(None, &set).expect("there is such a processor");
}

async fn catching_up() {
    let server = Server::start(Setup::new(Kind::Redis)).await;
    let bus = open(&server).await;
    publish_all(&bus).await;
    let length = bus.len(&StreamKey::events()).await.expect("read");
    let mut seconds = Vec::new();
    for _ in 0..ROUNDS {
        let began = Instant::now();
        let mut tail = follow(&bus, Start::After(StreamId::ZERO)).await;
        for _ in 0..length {
            assert!(matches!(tail.recv().await, Item::Entry(_)));
        }
        seconds.push(began.elapsed().as_secs_f64());
    }
    println!("{length} entries caught up with in {:.2} s", median(seconds));
}

async fn open(server: &Server) -> Bus {
    let settings = RedisSettings {
        url: server.url(),
        kept: 200_000,
    };
    Bus::open(Settings::Redis(settings)).await.expect("an address")
}

async fn follow(bus: &Bus, start: Start) -> Tail {
    bus.follow(&StreamKey::events(), Filter::All, start)
        .await
        .expect("followed")
}

fn data() -> Map<String, Value> {
    let data = json!({
        "task_id": 7, "progress": 50, "status": "running", "message": "analysing the conversation of last week",
        "run_id": 12, "detail": "x".repeat(120),
    });
    let Value::Object(data) = data else { unreachable!() };
    data
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}
