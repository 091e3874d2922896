//! How fast the embedded log is: `cargo bench -p chatstats-bus`.
//!
//! Publishing from eight tasks that wait for each event, and that keep 64 under way; and one follower that reads a full
//! log from its beginning, rendered as event streams send it. Prints figures and fails nothing: machines differ.

use std::collections::VecDeque;
use std::future::poll_fn;
use std::path::Path;
use std::time::{Duration, Instant};

use bytes::Bytes;
use chatstats_bus::{
    Bus, ENTRIES_KEPT, EmbeddedSettings, Entry, Filter, Item, Settings, Start, StreamId, StreamKey,
};
use serde_json::{Map, Value, json};

const TASKS: u64 = 8;
const PUBLISHING: Duration = Duration::from_secs(5);
const ROUNDS: usize = 3;
/// Events a second, of all tasks together, at an even pace.
const PACE: f64 = 100_000.0;
const FRAMES_BYTES: usize = 64 << 10;

#[tokio::main(flavor = "multi_thread")]
async fn main() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("events.db");
    for in_flight in [1, 64] {
        for _ in 0..ROUNDS {
            publish(&open(&path).await, in_flight).await;
        }
    }
    for _ in 0..ROUNDS {
        publish_paced(&open(&path).await).await;
    }
    fill(&open(&path).await).await;
    for _ in 0..ROUNDS {
        catch_up(&path).await;
    }
}

async fn open(path: &Path) -> Bus {
    let clock = || {
        let since_1970 = std::time::SystemTime::UNIX_EPOCH.elapsed().expect("after 1970");
        since_1970.as_millis() as u64
    };
    let settings = EmbeddedSettings {
        path: path.to_owned(),
        clock,
        kept: ENTRIES_KEPT,
    };
    Bus::open(Settings::Embedded(settings)).await.expect("opened")
}

/// An event as a run tells it, of about 300 bytes.
fn event(n: u64) -> Map<String, Value> {
    let data = json!({
        "run_id": n % 7, "success": n, "failed": 0, "processing": 8, "percentage": 12.5,
        "message": "Conversation 4711 of 50000 is analysed: sentiment, topics, commitments",
        "timings": {"language_ms": 0.25, "sentiment_ms": 1.5, "topics_ms": 3.75, "commitments_ms": 2.0, "all_ms": 7.5},
    });
    let Value::Object(data) = data else { unreachable!() };
    data
}

async fn publish(bus: &Bus, in_flight: usize) {
    let began = Instant::now();
    let task = |task: u64| {
        let bus = bus.clone();
        tokio::spawn(async move {
            let (mut latencies_us, mut waiting) = (Vec::new(), VecDeque::new());
            let data = event(task);
            while began.elapsed() < PUBLISHING {
                while waiting.len() < in_flight {
                    let submitted = bus.submit("global", "analysis_completed", &data).expect("taken");
                    waiting.push_back((Instant::now(), submitted));
                }
                let (since, submitted) = waiting.pop_front().expect("some are under way");
                submitted.await.expect("written");
                latencies_us.push(since.elapsed().as_micros() as u64);
            }
            latencies_us
        })
    };
    let tasks: Vec<_> = (0..TASKS).map(task).collect();
    report(&format!("{in_flight:2} under way each"), began, tasks).await;
    bus.shutdown().await;
}

/// As many as the goal asks for, at an even pace: a step each millisecond.
async fn publish_paced(bus: &Bus) {
    let began = Instant::now();
    let task = |task: u64| {
        let bus = bus.clone();
        tokio::spawn(async move {
            let (mut latencies_us, mut submitted) = (Vec::new(), 0.0);
            let data = event(task);
            while began.elapsed() < PUBLISHING {
                let mut step = Vec::new();
                while submitted < began.elapsed().as_secs_f64() * PACE / TASKS as f64 {
                    let event = bus.submit("global", "analysis_completed", &data).expect("taken");
                    step.push((Instant::now(), event));
                    submitted += 1.0;
                }
                for (since, event) in step {
                    event.await.expect("written");
                    latencies_us.push(since.elapsed().as_micros() as u64);
                }
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
            latencies_us
        })
    };
    let tasks: Vec<_> = (0..TASKS).map(task).collect();
    report("at an even pace", began, tasks).await;
    bus.shutdown().await;
}

async fn report(what: &str, began: Instant, tasks: Vec<tokio::task::JoinHandle<Vec<u64>>>) {
    let mut latencies_us = Vec::new();
    for task in tasks {
        latencies_us.extend(task.await.expect("published"));
    }
    let per_second = latencies_us.len() as f64 / began.elapsed().as_secs_f64();
    latencies_us.sort_unstable();
    let at = |share: f64| latencies_us[(latencies_us.len() as f64 * share) as usize] as f64 / 1_000.0;
    let (p50, p99, max) = (at(0.5), at(0.99), at(0.999_999));
    println!(
        "publish, {TASKS} tasks, {what}: {per_second:>7.0} a second, p50 {p50:.2} ms, p99 {p99:.2} ms, max {max:.1} ms"
    );
}

async fn fill(bus: &Bus) {
    for first in (0..ENTRIES_KEPT).step_by(1_000) {
        let submit = |n| {
            bus.submit("global", "analysis_completed", &event(n))
                .expect("taken")
        };
        let submitted: Vec<_> = (first..first + 1_000).map(submit).collect();
        for submitted in submitted {
            submitted.await.expect("written");
        }
    }
    bus.shutdown().await;
}

async fn catch_up(path: &Path) {
    let began = Instant::now();
    let bus = open(path).await;
    let opened = began.elapsed();
    let length = bus.len(&StreamKey::events()).await.expect("read");
    let events = Filter::Events {
        scope: None,
        run_id: None,
    };
    let all = Start::After(StreamId::ZERO);
    let mut tail = bus
        .follow(&StreamKey::events(), events, all)
        .await
        .expect("followed");
    let began = Instant::now();
    let (mut items, mut bytes) = (0, 0);
    while items < length {
        let told = poll_fn(|cx| tail.poll_gather(cx, FRAMES_BYTES, render)).await;
        items += told.items;
        bytes += told.bytes.len();
    }
    println!(
        "catch up with {items} events, {:.0} MB of frames: {:.3} s (opened in {:.1} ms)",
        bytes as f64 / 1e6,
        began.elapsed().as_secs_f64(),
        opened.as_secs_f64() * 1e3,
    );
    drop(tail);
    bus.shutdown().await;
}

fn render(item: &Item) -> Bytes {
    match item {
        Item::Entry(entry) => entry.frame(frame).clone(),
        Item::Notice(notice) => panic!("{notice:?}"),
    }
}

fn frame(entry: &Entry) -> Bytes {
    let mut frame = Vec::with_capacity(entry.fields.size_bytes() + 100);
    frame.extend_from_slice(format!("id: {}\ndata: {{", entry.id).as_bytes());
    for (index, (name, value)) in entry.fields.iter().enumerate() {
        if index > 0 {
            frame.push(b',');
        }
        let (name, value) = (String::from_utf8_lossy(name), String::from_utf8_lossy(value));
        serde_json::to_writer(&mut frame, &name).expect("into memory");
        frame.push(b':');
        serde_json::to_writer(&mut frame, &value).expect("into memory");
    }
    frame.extend_from_slice(b"}\n\n");
    frame.into()
}
