//! The event streams of the bus, over the embedded log: what they look like, where they begin and what they leave
//! out.

use chatstats_tests::{EventStream, Home, NO_FOLLOWERS, Server, chatstats};
use serde_json::{Value, json};

pub(crate) const QUEUE: &str = "/api/analysis/streaming/queue/stream";
pub(crate) const ANY: &str = "/api/analysis/streaming/redis_stream/task_events:analysis";

/// Events with these numbers.
pub(crate) fn numbered(scope: &str, numbers: impl IntoIterator<Item = u64>) -> Value {
    let events = numbers
        .into_iter()
        .map(|n| json!({"scope": scope, "type": "progress", "data": {"n": n}}));
    events.collect()
}

/// The numbers of the next events.
pub(crate) fn next_numbers(stream: &mut EventStream, count: usize) -> Vec<u64> {
    let number = |_| {
        let n = stream.expect("message").json()["n"].take();
        n.as_str().expect("a string").parse().expect("a number")
    };
    (0..count).map(number).collect()
}

#[test]
fn events_are_unnamed_and_carry_the_id_of_the_log_and_heartbeats_carry_none() {
    let home = Home::new();
    let mut command = chatstats(&home, &["serve", "--listen", "127.0.0.1:0"]);
    command.env("CHATSTATS_HEARTBEAT_S", "0.1");
    let server = Server::spawn(&home, command);
    let mut streams = [QUEUE, ANY].map(|target| server.stream(target));
    let event = json!({"scope": "global", "type": "run_complete", "data": {
        "run_id": 7, "share": 0.5, "done": true, "error": null, "list": [1, "a"], "text": "two\nlines", "type": "forged",
    }});
    let ids = server.client().publish(&event);
    for stream in &mut streams {
        assert_eq!(
            stream.head.header("content-type").as_deref(),
            Some("text/event-stream")
        );
        assert_eq!(stream.head.header("cache-control").as_deref(), Some("no-cache"));
        assert_eq!(stream.head.header("x-accel-buffering").as_deref(), Some("no"));
        let told = stream.expect("message");
        assert_eq!((told.id.as_ref(), told.data_lines), (ids.first(), 1));
        assert!(stream.retry_ms.is_some_and(|ms| ms > 0));
        let data = told.json();
        let names: Vec<_> = data
            .as_object()
            .expect("an object")
            .keys()
            .map(String::as_str)
            .collect();
        assert_eq!(
            names,
            [
                "type", "scope", "ts", "run_id", "share", "done", "error", "list", "text"
            ]
        );
        assert_eq!(
            (
                &data["type"],
                &data["run_id"],
                &data["share"],
                &data["done"],
                &data["error"],
                &data["list"]
            ),
            (
                &json!("run_complete"),
                &json!("7"),
                &json!("0.5"),
                &json!("True"),
                &json!("None"),
                &json!("[1,\"a\"]")
            )
        );
        let beat = stream.next_event().expect("not over");
        assert_eq!(
            (beat.name.as_str(), beat.id.as_ref()),
            ("heartbeat", None),
            "{beat:?}"
        );
        assert!(
            beat.json()["ts"].as_str().is_some_and(|ts| ts.ends_with('Z')),
            "{beat:?}"
        );
    }
    server.stop();
}

#[test]
fn start_id_says_where_a_stream_begins_and_what_comes_follows() {
    let home = Home::new();
    let server = Server::start(&home);
    let ids = server.client().publish(&numbered("global", 0..5));
    let middle = &ids[2];
    let cases = [
        (QUEUE.to_owned(), 5),
        (format!("{QUEUE}?start_id="), 5),
        (format!("{QUEUE}?start_id=$"), 5),
        (format!("{QUEUE}?start_id=0"), 0),
        (format!("{QUEUE}?start_id={middle}"), 3),
        (format!("{QUEUE}?start_id=99999999999999999"), 6),
        (ANY.to_owned(), 0),
        (format!("{ANY}?start_id="), 0),
        (format!("{ANY}?start_id=%24"), 5),
        (format!("{ANY}?start_id={middle}"), 3),
    ];
    let mut streams: Vec<_> = cases.iter().map(|(target, _)| server.stream(target)).collect();
    // What is published after the head of the answer is told, wherever the stream begins.
    server.client().publish(&numbered("global", [5]));
    for ((target, first), stream) in cases.iter().zip(&mut streams) {
        let wanted: Vec<_> = (*first..6).collect();
        assert_eq!(next_numbers(stream, wanted.len()), wanted, "{target}");
    }
    server.stop();
}

#[test]
fn each_of_a_thousand_streams_hears_its_own_scope_and_nothing_else() {
    const SCOPES: u64 = 1_000;
    let home = Home::new();
    home.config(NO_FOLLOWERS);
    let server = Server::start(&home);
    let open = |n| server.stream(&format!("{QUEUE}?scope=chat:{n}"));
    let mut streams: Vec<_> = (0..SCOPES).map(open).collect();
    for round in 0..3 {
        let event =
            |n| json!({"scope": format!("chat:{n}"), "type": "progress", "data": {"n": n * 10 + round}});
        server.client().publish(&(0..SCOPES).map(event).collect());
        server.client().publish(&numbered("global", [1]));
    }
    for (n, stream) in (0..SCOPES).zip(&mut streams) {
        assert_eq!(
            next_numbers(stream, 3),
            [n * 10, n * 10 + 1, n * 10 + 2],
            "of chat:{n}"
        );
    }
    let status = server.client().get("/api/bus");
    assert_eq!(
        (&status["subscribers"], &status["backend"]),
        (&json!(SCOPES), &json!("embedded"))
    );
    // And nothing else: what comes next is the next of their own.
    server.client().publish(&numbered("chat:1", [0]));
    server.client().publish(&numbered("chat:0", [9]));
    assert_eq!(next_numbers(&mut streams[0], 1), [9]);
    server.stop();
}

#[test]
fn a_stream_of_a_run_and_a_scope_hears_both_filters() {
    let home = Home::new();
    let server = Server::start(&home);
    let event = |n: u64, scope: &str, run: Value| json!({"scope": scope, "type": "x", "data": {"n": n, "run_id": run}});
    let events: Value = [
        event(0, "global", json!(1)),
        event(1, "global", json!("1")),
        event(2, "historic", json!(1)),
        event(3, "global", json!(12)),
        json!({"scope": "global", "type": "x", "data": {"n": 4}}),
    ]
    .into_iter()
    .collect();
    // Once from the log, and once live.
    let targets = [
        "run_id=1",
        "scope=global&run_id=1",
        "scope=global",
        "scope=&run_id=12",
        "scope=historic&run_id=12",
    ];
    let mut streams = targets.map(|filter| server.stream(&format!("{QUEUE}?start_id=0&{filter}")));
    for _ in 0..2 {
        server.client().publish(&events);
    }
    server.client().publish(
        &[event(9, "historic", json!(12)), event(9, "global", json!(1))]
            .into_iter()
            .collect(),
    );
    let mut late = targets.map(|filter| server.stream(&format!("{QUEUE}?start_id=0&{filter}")));
    let wanted: [&[u64]; 5] = [
        &[0, 1, 2, 0, 1, 2, 9],
        &[0, 1, 0, 1, 9],
        &[0, 1, 3, 4, 0, 1, 3, 4, 9],
        &[3, 3, 9],
        &[9],
    ];
    for (index, wanted) in wanted.into_iter().enumerate() {
        assert_eq!(
            next_numbers(&mut streams[index], wanted.len()),
            wanted,
            "live: {}",
            targets[index]
        );
        assert_eq!(
            next_numbers(&mut late[index], wanted.len()),
            wanted,
            "of the log: {}",
            targets[index]
        );
    }
    server.stop();
}

#[test]
fn mistakes_before_a_stream_starts_are_problems() {
    let home = Home::new();
    home.config(NO_FOLLOWERS);
    let server = Server::start(&home);
    let long = format!("task:{}", "x".repeat(300));
    for (target, code) in [
        (format!("{QUEUE}?start_id=x"), "start_id"),
        (format!("{QUEUE}?start_id=-"), "start_id"),
        (format!("{QUEUE}?start_id=1-2-3&last_event_id=1-0"), "start_id"),
        (format!("{ANY}?start_id=1-"), "start_id"),
        (format!("{QUEUE}?scope=everything"), "scope"),
        (format!("{QUEUE}?scope=chat:one"), "scope"),
        (format!("{QUEUE}?scope={long}"), "scope"),
        (format!("{QUEUE}?run_id={long}"), "run_id"),
        (
            format!("/api/analysis/streaming/redis_stream/{}", "x".repeat(600)),
            "stream_key",
        ),
        (
            "/api/analysis/streaming/redis_stream/%ff".to_owned(),
            "stream_key",
        ),
    ] {
        let opened = EventStream::open(server.addr(), server.token(), &target, "").expect("an answer");
        let answer = opened.expect_err("no stream");
        assert_eq!(
            (answer.status, answer.problem().as_str()),
            (400, code),
            "{target}"
        );
    }
    assert_eq!(
        server.client().get("/api/bus")["subscribers"],
        0,
        "nobody was left behind"
    );
    server.stop();
}
