//! The stream of metrics: a snapshot a second, the same for all who look, and what it counts is what happened.

use std::collections::BTreeSet;

use chatstats_tests::{EventStream, Home, Post, Server};
use serde_json::{Value, json};

use crate::analysis::{ended, import, start};

const STREAM: &str = "/api/metrics/stream";

#[test]
fn a_snapshot_has_all_that_it_promises() {
    let home = Home::new();
    home.config("heartbeat_s = 0.2");
    let server = Server::start(&home);
    let mut stream = server.stream(STREAM);
    let event = stream.expect("message");
    assert_eq!((event.id.as_ref(), event.data_lines), (None, 1));
    assert_eq!(stream.retry_ms, Some(1_000));
    let snapshot = event.json();
    let parts: &[(&str, &[&str])] = &[
        ("process", &["cpu_percent", "rss_bytes", "threads"]),
        (
            "hub",
            &["subscribers", "published", "delivered", "dropped", "refilled"],
        ),
        (
            "bus",
            &["backend", "published", "read", "subscribers", "length", "lag_ms"],
        ),
        ("sse", &["open", "by_endpoint", "bytes_sent"]),
        (
            "analysis",
            &["queued", "running", "completed", "failed", "dead", "per_second"],
        ),
        ("latency_ms", &["publish_to_send"]),
        ("store", &["chats", "messages", "db_bytes"]),
    ];
    for (part, names) in parts {
        assert_eq!(keys(&snapshot[part]), names.iter().copied().collect(), "{part}");
    }
    let mut all: BTreeSet<_> = parts.iter().map(|(part, _)| *part).collect();
    all.extend(["ts", "uptime_s"]);
    assert_eq!(keys(&snapshot), all);
    assert_eq!(keys(&snapshot["sse"]["by_endpoint"]).len(), 6);
    assert!(
        snapshot["process"]["rss_bytes"].as_u64() > Some(1 << 20),
        "{snapshot}"
    );
    assert!(snapshot["process"]["threads"].as_u64() > Some(1), "{snapshot}");
    let beats = std::iter::from_fn(|| stream.next_event()).take(8);
    assert!(beats.into_iter().any(|event| event.name == "heartbeat"));
    server.stop();
    // The end of the program is the end of the stream.
    while stream.next_event().is_some() {}
}

fn keys(of: &Value) -> BTreeSet<&str> {
    of.as_object()
        .expect("an object")
        .keys()
        .map(String::as_str)
        .collect()
}

#[test]
fn all_who_look_see_the_same_and_what_happened_is_counted() {
    let home = Home::new();
    home.config("analyse_on_seal = false");
    let server = Server::start(&home);
    let chat = server.client().post(&Post::to("room").with("one", 0));
    let mut messages = server.stream(&format!("/api/live-sync/stream/chat/{chat}/messages"));
    messages.expect("initial");
    messages.expect("ready");
    let (mut one, mut other) = (server.stream(STREAM), server.stream(STREAM));
    let first = until(&mut one, |found| found["sse"]["open"] == 3);
    assert_eq!(first["sse"]["by_endpoint"]["messages"], 1, "{first}");
    assert_eq!(first["sse"]["by_endpoint"]["metrics"], 2, "{first}");
    assert_eq!(first["latency_ms"]["publish_to_send"], Value::Null, "{first}");

    server.client().post(&Post::to("room").with("two", 1));
    messages.expect("update");
    let sent = until(&mut one, |found| {
        !found["latency_ms"]["publish_to_send"].is_null() && found["store"]["messages"] == 2
    });
    let latency = &sent["latency_ms"]["publish_to_send"];
    let ms = |name: &str| latency[name].as_f64().expect("a number");
    assert!(
        0.0 < ms("p50") && ms("p50") <= ms("p99") && ms("p99") <= ms("max"),
        "{latency}"
    );
    // From the answer to a post until its event was read takes no minutes.
    assert!(ms("max") < 60_000.0, "{latency}");
    assert_eq!(
        (&sent["store"]["chats"], &sent["store"]["messages"]),
        (&json!(1), &json!(2))
    );
    assert!(sent["hub"]["delivered"].as_u64() > Some(0), "{sent}");
    // The same second is the same for both; who does not keep up is left some out.
    let (mut seen, mut same) = (sent, other.expect("message").json());
    while seen["ts"] != same["ts"] {
        let (of_one, of_other) = (seen["ts"].as_str(), same["ts"].as_str());
        if of_one < of_other {
            seen = one.expect("message").json();
        } else {
            same = other.expect("message").json();
        }
    }
    assert_eq!(same, seen);
    server.stop();
}

#[test]
fn the_sampler_starts_again_for_whoever_looks_next_and_counts_tasks() {
    let home = Home::new();
    home.config("analyse_on_seal = false");
    let server = Server::start(&home);
    import(&home, &server, 50);
    let mut before = server.stream(STREAM);
    let snapshot = before.expect("message").json();
    assert_eq!(snapshot["analysis"]["completed"], 0, "{snapshot}");
    drop(before);
    let run = start(&server, &json!({"kind": "global"}));
    ended(&server, &run);
    let mut again = server.stream(STREAM);
    let snapshot = until(&mut again, |found| found["analysis"]["completed"] == 50);
    let analysis = &snapshot["analysis"];
    assert_eq!(
        (&analysis["queued"], &analysis["running"], &analysis["dead"]),
        (&json!(0), &json!(0), &json!(0)),
        "{analysis}"
    );
    assert_eq!(snapshot["sse"]["by_endpoint"]["metrics"], 1, "the first has left");
    server.stop();
}

/// The next snapshot that is as wanted.
fn until(stream: &mut EventStream, wanted: impl Fn(&Value) -> bool) -> Value {
    loop {
        let snapshot = stream.expect("message").json();
        if wanted(&snapshot) {
            return snapshot;
        }
    }
}
