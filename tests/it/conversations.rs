//! Conversations from outside: a pause seals, the seal is on the bus once, over kills too, and can be asked for by hand.

use std::collections::{BTreeMap, BTreeSet};

use chatstats_tests::{Home, Post, Server, eventually};
use serde_json::json;

const MINUTE: u64 = 60;
const GAP: u64 = 90 * MINUTE;

#[test]
fn a_message_after_the_pause_seals_and_the_clock_seals_the_last() {
    let home = Home::new();
    let server = Server::start(&home);
    let post = Post::to("room")
        .with("one", 0)
        .with("two", GAP - 1)
        .with("three", 2 * GAP - 1);
    let chat = server.client().post(&post);
    // The last message is years old, too: it is due at once.
    let seals = eventually("two seals", || {
        Some(seals(&server)).filter(|seals| seals.len() == 2)
    });
    assert!(seals.iter().all(|seal| seal["scope"] == format!("chat:{chat}")));
    let times: Vec<_> = seals
        .iter()
        .map(|seal| seal["last_message_time"].as_str())
        .collect();
    assert_eq!(times, ["2024-01-01T01:29:59Z", "2024-01-01T02:59:59Z"]);
    let page = server.client().get(&format!("/api/chats/{chat}/conversations"));
    assert_eq!(page["total"], 2);
    let of = |place: usize, name: &str| page["conversations"][place][name].clone();
    assert_eq!(
        (of(0, "message_count"), of(1, "message_count")),
        (1.into(), 2.into())
    );
    assert_eq!(of(1, "id").to_string(), seals[0]["conversation_id"]);
    assert_eq!((of(0, "sealed"), of(1, "sealed")), (true.into(), true.into()));
    let older = page["conversations"][0]["first_message_time"]
        .as_str()
        .expect("a time");
    let older = server
        .client()
        .get(&format!("/api/chats/{chat}/conversations?before={older}&limit=1"));
    // What analysis found may have come between the two pages.
    let ids = [&older["conversations"][0]["id"], &page["conversations"][1]["id"]];
    assert_eq!(ids[0], ids[1]);
    server.stop();
}

#[test]
fn the_open_conversation_is_sealed_by_hand_once() {
    let home = Home::new();
    home.config("conversation_gap_minutes = 200");
    let server = Server::start(&home);
    // The clock is far from sealing these.
    let message = |key: &str, time: &str| json!({"key": key, "content": key, "timestamp": time});
    let messages = [
        message("one", "2900-01-01T00:00:00Z"),
        message("two", "2900-01-01T03:19:59Z"),
    ];
    let body = json!({"source": "test", "chat": {"key": "room"}, "messages": messages});
    let posted = server
        .client()
        .ask("POST", "/api/live-sync/messages", &body.to_string())
        .json();
    let seal = format!("/api/chats/{}/seal", posted["chat_id"]);
    let sealed = server.client().ask("POST", &seal, "").json();
    assert!(sealed["conversation_id"].is_number(), "{sealed}");
    let again = server.client().ask("POST", &seal, "").json();
    assert!(again["conversation_id"].is_null(), "{again}");
    let seals = eventually("the seal", || {
        Some(seals(&server)).filter(|seals| !seals.is_empty())
    });
    assert_eq!(seals.len(), 1);
    assert_eq!(seals[0]["last_message_time"], "2900-01-01T03:19:59Z");
    for (method, target) in [
        ("POST", "/api/chats/99/seal"),
        ("GET", "/api/chats/99/conversations"),
    ] {
        assert_eq!(server.client().ask(method, target, "").status, 404);
    }
    server.stop();
}

#[test]
fn seals_are_told_once_over_kills() {
    let home = Home::new();
    let mut minute = 0;
    for _ in 0..8 {
        let server = Server::start(&home);
        for _ in 0..20 {
            let key = minute;
            server.client().post(&Post::to("room").with(key, minute * MINUTE));
            minute += 90;
        }
        server.kill();
    }
    let server = Server::start(&home);
    let seals = eventually("all seals", || {
        Some(seals(&server)).filter(|seals| seals.len() >= 160)
    });
    let times: BTreeSet<_> = seals.iter().map(|seal| &seal["last_message_time"]).collect();
    assert_eq!((seals.len(), times.len()), (160, 160));
    server.stop();
}

#[test]
fn an_import_is_cut_as_a_whole_and_each_conversation_told_once() {
    let home = Home::new();
    let server = Server::start(&home);
    // Two batches, the first of which ends in the middle of a conversation.
    let import = server
        .client()
        .import(&home.file("chat.txt", export_with_pauses(2_800)));
    server.client().ended_import(import);
    let page = server.client().get("/api/chats/1/conversations?limit=1000");
    assert_eq!(page["total"], 400);
    let counts = page["conversations"].as_array().expect("a list").iter();
    assert!(counts.map(|one| &one["message_count"]).all(|count| *count == 7));
    let of_all = |seals: &[Seal], names: &[&str]| -> BTreeSet<Vec<String>> {
        let of = |seal: &Seal| names.iter().map(|name| seal[*name].clone()).collect();
        seals.iter().map(of).collect()
    };
    let seals = eventually("all seals", || {
        let seals = seals(&server);
        (of_all(&seals, &["conversation_id"]).len() >= 400).then_some(seals)
    });
    assert_eq!(of_all(&seals, &["conversation_id"]).len(), 400);
    // One is told again only where it grew since: where the import stalled in its middle.
    let told = of_all(&seals, &["conversation_id", "last_message_time"]);
    assert_eq!(told.len(), seals.len());
    server.stop();
}

/// What an announcement says.
type Seal = BTreeMap<String, String>;

/// All announcements in the log, the oldest first.
fn seals(server: &Server) -> Vec<Seal> {
    let mut found = Vec::new();
    let mut from = "-".to_owned();
    loop {
        let wanted = format!("count=1000&type=conversation_sealed&from={from}");
        let target = format!("/api/bus/streams/task_events:analysis/entries?{wanted}");
        let page = server.client().get(&target);
        for entry in page["entries"].as_array().expect("a list") {
            let fields = serde_json::from_value::<Vec<(String, String)>>(entry["fields"].clone());
            found.push(fields.expect("names and values").into_iter().collect());
        }
        match page["next"].as_str() {
            Some(next) => from = format!("({next}"),
            None => return found,
        }
    }
}

/// A minute between messages, and an hour and a half more after every seventh; at most a month of them.
fn export_with_pauses(messages: usize) -> String {
    let line = |number: usize| {
        let minute = number + number / 7 * 90;
        let (day, hour) = (1 + minute / 1_440, minute / 60 % 24);
        // The year first, which can be read in one way only.
        let time = format!("{hour:02}:{:02}:00", minute % 60);
        format!("[2020-03-{day:02}, {time}] Ann: number {number}\n")
    };
    (0..messages).map(line).collect()
}
