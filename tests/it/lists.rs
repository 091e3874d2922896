//! Whoever watches the chats or the contacts ends up with what a fresh look at them shows.

use std::collections::BTreeMap;
use std::thread::scope;

use chatstats_tests::{Event, EventStream, Home, Post, Random, Server, seed};
use serde_json::Value;

/// A list as a client keeps it: rows by id.
type Rows = BTreeMap<i64, Value>;

#[test]
fn initial_and_updates_come_to_what_the_lists_show() {
    let (home, random) = (Home::new(), seed());
    let server = Server::start(&home);
    server.client().post(&Post::to("chat 0").with("first", 0));
    scope(|scope| {
        for (list, id) in [("chats", "chat_id"), ("contacts", "contact_id")] {
            for number in 0..4 {
                let server = &server;
                scope.spawn(move || converges(server, list, id, number));
            }
        }
        let posters: Vec<_> = (1..=3)
            .map(|number| {
                let (server, random) = (&server, random.fork(number));
                scope.spawn(move || post_everywhere(server, number, random))
            })
            .collect();
        posters
            .into_iter()
            .for_each(|poster| poster.join().expect("no panic"));
        server.client().post(&last());
    });
    server.stop();
}

fn post_everywhere(server: &Server, poster: u64, mut random: Random) {
    let mut client = server.client();
    for number in 0..150 {
        let mut post = Post::to(&format!("chat {}", random.within(0..20)))
            .with(format!("{poster}.{number}"), random.within(0..2_000_000));
        post.messages[0].sender = ["ann", "bob", "cem", "dora", "eve"][random.within(0..5) as usize];
        client.post(&post);
    }
}

/// What everybody waits for: newer than all before it, so that chat and contact change.
fn last() -> Post {
    Post::to("the end").with("last", 2_500_000)
}

/// Joins at once, or after some events of another stream went by, and follows until the end is in the list.
fn converges(server: &Server, list: &str, id: &str, late_by: usize) {
    let target = format!("/api/live-sync/stream/{list}");
    let mut other = server.stream("/api/live-sync/stream/chats");
    let end = last().messages[0].timestamp();
    for _ in 0..=late_by * 40 {
        // There may be no more of them: whoever is late hears of several changes of a chat in one.
        if other.next_event().expect("not over").data.contains(&end) {
            break;
        }
    }
    let mut stream = server.stream(&target);
    let mut rows = initial(&stream.expect("initial"), list);
    stream.expect("ready");
    while !rows.values().any(|row| row["last_message_time"] == end.as_str()) {
        update(&mut rows, &stream.expect("update"), id);
    }
    // The end came last, and one commit's updates come together: the lists are what they will be.
    assert_eq!(rows, of_rest(server, list), "{list}");
}

fn initial(event: &Event, list: &str) -> Rows {
    let rows = event.json()[list].take();
    let rows = rows.as_array().expect("rows").clone();
    let times: Vec<_> = rows.iter().map(|row| row["last_message_time"].as_str()).collect();
    assert!(
        times.is_sorted_by(|a, b| a >= b),
        "not the most recent first: {times:?}"
    );
    by_id(rows)
}

fn update(rows: &mut Rows, event: &Event, id: &str) {
    let mut fields = event.json();
    let object = fields.as_object_mut().expect("fields");
    let number = object.remove(id).and_then(|id| id.as_i64()).expect("an id");
    object.insert("id".to_owned(), number.into());
    let row = rows
        .entry(number)
        .or_insert_with(|| Value::Object(serde_json::Map::new()));
    for (name, value) in object {
        row[name.as_str()] = value.take();
    }
}

fn of_rest(server: &Server, list: &str) -> Rows {
    let rows = server.client().get(&format!("/api/{list}"))[list].take();
    by_id(rows.as_array().expect("rows").clone())
}

fn by_id(rows: Vec<Value>) -> Rows {
    rows.into_iter()
        .map(|row| (row["id"].as_i64().expect("an id"), row))
        .collect()
}

#[test]
fn a_client_of_a_list_that_comes_back_gets_it_afresh() {
    let home = Home::new();
    let server = Server::start(&home);
    server.client().post(&Post::to("chat").with("one", 1));
    for list in ["chats", "contacts"] {
        let target = format!("/api/live-sync/stream/{list}");
        let id = server.stream(&target).expect("initial").id.expect("an id");
        for headers in [
            format!("Last-Event-ID: {id}\r\n"),
            "Last-Event-ID: nonsense\r\n".to_owned(),
        ] {
            let mut stream: EventStream = server.stream_with(&target, &headers);
            assert_eq!(initial(&stream.expect("initial"), list), of_rest(&server, list));
        }
    }
    server.stop();
}
