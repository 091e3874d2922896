//! The event log read and published to over HTTP, and what the hub and the bus say of themselves.

use chatstats_tests::{Answer, Home, NO_FOLLOWERS, Post, Server};
use serde_json::{Value, json};

const STREAM: &str = "/api/bus/streams/task_events:analysis";

/// Events `first..last`, of three scopes and two types in turn.
fn events(numbers: std::ops::Range<u64>) -> Value {
    let scopes = ["global", "chat:1", "task:a b"];
    let event = |n: u64| {
        let event_type = if n.is_multiple_of(2) { "even" } else { "odd" };
        json!({"scope": scopes[n as usize % 3], "type": event_type, "data": {"n": n, "run_id": n / 10}})
    };
    numbers.map(event).collect()
}

fn numbers(page: &Value) -> Vec<u64> {
    let number = |entry: &Value| {
        let fields = entry["fields"].as_array().expect("fields");
        let n = fields.iter().find(|field| field[0] == "n").expect("a number");
        n[1].as_str().expect("a string").parse().expect("a number")
    };
    page["entries"]
        .as_array()
        .expect("entries")
        .iter()
        .map(number)
        .collect()
}

#[test]
fn entries_come_by_range_and_filter_both_ways_and_say_where_to_go_on() {
    let home = Home::new();
    let server = Server::start(&home);
    let mut client = server.client();
    let ids = client.publish(&events(0..30));
    let mut page = |query: &str| client.get(&format!("{STREAM}/entries?{query}"));
    for (query, wanted, more) in [
        ("", (0..30).collect::<Vec<_>>(), false),
        ("count=3", vec![0, 1, 2], true),
        ("count=30", (0..30).collect(), false),
        ("count=2&reverse=true", vec![29, 28], true),
        ("from=-&to=%2B&count=1", vec![0], true),
        (&format!("from={}&to={}", ids[4], ids[6]), vec![4, 5, 6], false),
        (&format!("from=({}&to=({}", ids[4], ids[6]), vec![5], false),
        (&format!("to={}&reverse=true&count=2", ids[6]), vec![6, 5], true),
        (&format!("from={}&to={}", ids[6], ids[4]), vec![], false),
        ("scope=chat:1&type=odd&from=&to=", vec![1, 7, 13, 19, 25], false),
        ("scope=task:a%20b&run_id=2", vec![20, 23, 26, 29], false),
        ("run_id=1&reverse=true&count=1&scope=&type=", vec![19], true),
        ("scope=nobody", vec![], false),
    ] {
        let page = page(query);
        assert_eq!(numbers(&page), wanted, "{query}");
        assert_eq!(page["next"].is_string(), more, "{query}: {page}");
    }
    let reach = client.get(STREAM);
    assert_eq!(
        reach,
        json!({
            "key": "task_events:analysis", "length": 30, "first_id": ids[0], "last_id": ids[29], "newest_id": ids[29],
        })
    );
    let empty = json!({"key": "a b/c", "length": 0, "first_id": null, "last_id": null, "newest_id": "0-0"});
    assert_eq!(client.get("/api/bus/streams/a%20b%2Fc"), empty);
    server.stop();
}

#[test]
fn who_looks_for_something_rare_goes_on_from_page_to_page_and_misses_nothing() {
    const EVENTS: u64 = 50_000;
    const EVERY: u64 = 9_000;
    let home = Home::new();
    let server = Server::start(&home);
    let mut client = server.client();
    for start in (0..EVENTS).step_by(5_000) {
        let event = |n: u64| {
            let scope = if n % EVERY == EVERY - 1 {
                "historic"
            } else {
                "global"
            };
            json!({"scope": scope, "type": "x", "data": {"n": n}})
        };
        client.publish(&(start..start + 5_000).map(event).collect());
    }
    let mut wanted: Vec<_> = (0..EVENTS).filter(|n| n % EVERY == EVERY - 1).collect();
    for reverse in [false, true] {
        let (mut found, mut pages, mut end) = (Vec::new(), 0, String::new());
        loop {
            let query = format!("scope=historic&count=2&reverse={reverse}{end}");
            let page = client.get(&format!("{STREAM}/entries?{query}"));
            found.extend(numbers(&page));
            pages += 1;
            let Some(next) = page["next"].as_str() else { break };
            end = format!("&{}=({next}", if reverse { "to" } else { "from" });
        }
        assert_eq!(found, wanted, "reverse: {reverse}");
        assert!(pages > 2, "one answer looked at everything");
        wanted.reverse();
    }
    server.stop();
}

#[test]
fn mistakes_are_problems_and_nothing_of_such_a_list_is_published() {
    let home = Home::new();
    let server = Server::start(&home);
    let mut client = server.client();
    for (query, code) in [
        ("from=x", "from"),
        ("to=((1", "to"),
        ("count=0", "limit"),
        ("count=1001", "limit"),
        ("count=x", "query"),
        ("reverse=maybe", "query"),
    ] {
        let answer = client.ask("GET", &format!("{STREAM}/entries?{query}"), "");
        assert_eq!((answer.status, answer.problem().as_str()), (400, code), "{query}");
    }
    let good = json!({"scope": "global", "type": "x"});
    let long = "x".repeat(300);
    let many: Value = std::iter::repeat_n(good.clone(), 10_001).collect();
    let large = json!({"scope": "global", "type": "x", "data": {"large": "x".repeat(9 << 20)}});
    for (body, code) in [
        (json!([good, {"scope": "", "type": "x"}]), "event"),
        (json!([good, {"scope": "global", "type": ""}]), "event"),
        (json!([good, {"scope": long, "type": "x"}]), "event"),
        (json!([good, large]), "event"),
        (json!([good, {"type": "x"}]), "body"),
        (
            json!([good, {"scope": "global", "type": "x", "data": []}]),
            "body",
        ),
        (json!("global"), "body"),
        (many, "events"),
    ] {
        let answer: Answer = client.ask("POST", "/api/bus/events", &body.to_string());
        assert_eq!(
            (answer.status, answer.problem().as_str()),
            (400, code),
            "{answer:?}"
        );
    }
    assert_eq!(client.get(STREAM)["length"], 0);
    assert_eq!(client.publish(&json!([])), Vec::<String>::new());
    assert_eq!(client.publish(&good).len(), 1);
    server.stop();
}

#[test]
fn the_bus_and_the_hub_say_how_they_fare() {
    let home = Home::new();
    home.config(NO_FOLLOWERS);
    let server = Server::start(&home);
    let mut client = server.client();
    let mut queue = server.stream("/api/analysis/streaming/queue/stream?scope=global");
    let ids = client.publish(&events(0..4));
    queue.expect("message");
    let bus = client.get("/api/bus");
    for (figure, wanted) in [
        ("published", 4),
        ("length", 4),
        ("subscribers", 1),
        ("waiting", 0),
        ("reconnects", 0),
    ] {
        assert_eq!(bus[figure], wanted, "{figure}: {bus}");
    }
    assert_eq!(
        (&bus["backend"], &bus["problem"]),
        (&json!("embedded"), &Value::Null)
    );
    let followed = json!([{"key": "task_events:analysis", "subscribers": 1, "newest": ids[3]}]);
    assert_eq!(bus["streams"], followed);

    let chat = client.post(&Post::to("chat").with("one", 1));
    let mut messages = server.stream(&format!("/api/live-sync/stream/chat/{chat}/messages"));
    let mut chats = server.stream("/api/live-sync/stream/chats");
    messages.expect("initial");
    messages.expect("ready");
    chats.expect("initial");
    chats.expect("ready");
    client.post(&Post::to("chat").with("two", 2));
    messages.expect("update");
    chats.expect("update");
    let report = client.get("/api/hub");
    let mut topics: Vec<_> = report["topics"].as_array().expect("topics").iter().collect();
    topics.sort_by_key(|topic| topic["name"].to_string());
    let names: Vec<_> = topics.iter().map(|topic| &topic["name"]).collect();
    assert_eq!(
        names,
        [&json!(format!("chat:{chat}")), &json!("chats")],
        "{report}"
    );
    assert!(topics.iter().all(|topic| topic["subscribers"] == 1), "{report}");
    assert_eq!(
        (&report["hub"]["subscribers"], &report["hub"]["dropped"]),
        (&json!(2), &json!(0))
    );
    server.stop();
}
