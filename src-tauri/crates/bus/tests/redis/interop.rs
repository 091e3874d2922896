//! The examples of the README, run as they stand there, against a server and a bus on it.

use std::process::Stdio;

use chatstats_bus::{Bus, Entry, Filter, Item, Start, Tail};
use serde_json::{Map, Value, json};
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};

use crate::contract::soon;
use crate::promises::open;
use crate::servers::{Kind, Server, Setup, python, redis_cli};

const README: &str = include_str!("../../README.md");
const KEPT: u64 = 200_000;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_event_written_by_python_arrives_as_one_of_ours_would() {
    let server = Server::start(Setup::new(Kind::Redis)).await;
    let bus = open(&server, KEPT).await;
    let mut tail = events(&bus).await;
    run(&server, "python publish").await;
    let theirs = told(&mut tail).await;
    let data = json!({
        "run_id": 123, "total": 100, "share": 0.5, "message": "für alle",
        "running": true, "error": null, "timings": {"sum": 1.5, "all": [1, "x"]},
    });
    let Value::Object(data) = data else { unreachable!() };
    soon(bus.publish("global", "run_seeded", &data))
        .await
        .expect("written");
    let ours = told(&mut tail).await;
    let timeless = |fields: Vec<(String, String)>| -> Vec<_> {
        let ts = &fields[2];
        assert!(
            ts.0 == "ts" && ts.1.len() == "2024-01-01T12:00:00.000000".len(),
            "{ts:?}"
        );
        fields.into_iter().filter(|(name, _)| name != "ts").collect()
    };
    assert_eq!(timeless(theirs), timeless(ours));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn python_reads_our_events_those_before_and_those_that_come() {
    for kind in [Kind::Redis, Kind::Valkey] {
        let server = Server::start(Setup::new(kind)).await;
        let bus = open(&server, KEPT).await;
        let before = soon(bus.publish("task:7", "progress", &progress(1)))
            .await
            .expect("written");
        let mut reader = start(&server, "python read");
        let mut lines = BufReader::new(reader.stdout.take().expect("piped")).lines();
        let mut line = async || soon(lines.next_line()).await.expect("read").expect("a line");
        let first = line().await;
        assert!(
            first.starts_with(&format!(
                "{before} progress {{'type': 'progress', 'scope': 'task:7', 'ts': '"
            )),
            "{first}"
        );
        assert!(
            first.ends_with("'task_id': '7', 'progress': '1', 'done': 'False', 'note': 'zwei\\nZeilen'}"),
            "{first}"
        );
        let coming = soon(bus.publish("task:7", "progress", &progress(2)))
            .await
            .expect("written");
        let second = line().await;
        assert!(
            second.starts_with(&coming.to_string()) && second.contains("'progress': '2'"),
            "{second}"
        );
        reader.kill().await.expect("killed");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn redis_cli_writes_what_we_read_and_reads_what_we_write() {
    let server = Server::start(Setup::new(Kind::Redis)).await;
    let bus = open(&server, KEPT).await;
    let mut tail = events(&bus).await;
    let printed = run(&server, "sh redis-cli publish").await;
    let fields = told(&mut tail).await;
    let wanted = [
        ("type", "progress"),
        ("scope", "task:7"),
        ("ts", "2024-01-01T12:00:00.000000"),
        ("task_id", "7"),
        ("progress", "50"),
        ("status", "running"),
        ("message", "half way"),
    ];
    assert_eq!(
        fields,
        wanted.map(|(name, value)| (name.to_owned(), value.to_owned()))
    );
    let ours = soon(bus.publish("task:7", "progress", &progress(3)))
        .await
        .expect("written");
    let read = run(&server, "sh redis-cli read").await;
    let read: Vec<_> = read.lines().collect();
    assert_eq!(read[0], ours.to_string(), "the newest first");
    let end = read
        .iter()
        .position(|line| *line == printed.trim())
        .expect("and then the one before");
    let after_ts = &read[7..end];
    assert_eq!(
        after_ts,
        [
            "task_id", "7", "progress", "3", "done", "False", "note", "zwei", "Zeilen"
        ]
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_entry_that_is_no_event_is_seen_by_those_who_follow_the_stream_and_by_no_others() {
    let server = Server::start(Setup::new(Kind::Redis)).await;
    let bus = open(&server, KEPT).await;
    let key = chatstats_bus::StreamKey::events();
    let mut all = bus.follow(&key, Filter::All, Start::Now).await.expect("followed");
    let mut only_events = events(&bus).await;
    for fields in [["type", "lonely"], ["scope", "global"], ["other", "\u{0}\n"]] {
        server
            .ask::<String>(&[&["XADD", key.as_str(), "*"], &fields[..]].concat())
            .await;
    }
    soon(bus.publish("global", "last", &Map::new()))
        .await
        .expect("written");
    for wanted in ["type", "scope", "other", "type"] {
        assert_eq!(told(&mut all).await[0].0, wanted);
    }
    assert_eq!(told(&mut only_events).await[0].1, "last");
}

fn progress(progress: u64) -> Map<String, Value> {
    let data = json!({"task_id": 7, "progress": progress, "done": false, "note": "zwei\nZeilen"});
    let Value::Object(data) = data else { unreachable!() };
    data
}

async fn events(bus: &Bus) -> Tail {
    let filter = Filter::Events {
        scope: None,
        run_id: None,
    };
    let key = chatstats_bus::StreamKey::events();
    bus.follow(&key, filter, Start::Now).await.expect("followed")
}

async fn told(tail: &mut Tail) -> Vec<(String, String)> {
    match soon(tail.recv()).await {
        Item::Entry(entry) => texts(&entry),
        Item::Notice(notice) => panic!("{notice:?}"),
    }
}

fn texts(entry: &Entry) -> Vec<(String, String)> {
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).expect("text");
    entry
        .fields
        .iter()
        .map(|(name, value)| (text(name), text(value)))
        .collect()
}

/// The README's block that begins with these words.
fn example(words: &str) -> &'static str {
    let begin = format!("```{words}\n");
    let (_, rest) = README.split_once(&begin).expect("an example of that name");
    rest.split_once("\n```").expect("that ends").0
}

/// Runs an example to its end; answers what it printed.
async fn run(server: &Server, words: &str) -> String {
    let ended = soon(start(server, words).wait_with_output())
        .await
        .expect("ended");
    assert!(ended.status.success(), "{words}: {ended:?}");
    String::from_utf8(ended.stdout).expect("text")
}

/// Starts an example, as it stands, told by its environment where the server is.
fn start(server: &Server, words: &str) -> Child {
    let script = example(words);
    let mut command = if words.starts_with("python") {
        let mut command = Command::new(python());
        command.args(["-c", script]).env("REDIS_URL", server.url());
        command
    } else {
        // redis-cli takes the address as arguments only: a function of its name adds it.
        let cli = redis_cli().display().to_string();
        let named = format!("redis-cli() {{ {cli} -p {} \"$@\"; }}\n{script}", server.port());
        let mut command = Command::new("bash");
        command.args(["-c", &named]);
        command
    };
    command
        .stdout(Stdio::piped())
        .stderr(Stdio::inherit())
        .kill_on_drop(true);
    command.spawn().expect("starts")
}
