//! Nothing is missing and nothing comes twice: joining, being slow, coming back.

use std::collections::HashSet;

use serde_json::Value;

use super::{Event, Events, Server, status};

fn messages_of(chat: impl std::fmt::Display) -> String {
    format!("/api/live-sync/stream/chat/{chat}/messages")
}

/// Reads until `last` has come; returns the numbers of all events in the order they came.
async fn read_until(events: &mut Events, last: usize, mut numbers: Vec<usize>) -> Vec<usize> {
    while numbers.last() != Some(&last) {
        numbers.extend(events.expect("update").await.numbers());
    }
    numbers
}

#[tokio::test(flavor = "multi_thread")]
async fn clients_that_join_while_messages_are_posted_get_each_of_them_once_and_in_order() {
    const LAST: usize = 2_000;
    let server = std::sync::Arc::new(Server::start());
    let chat = server.post_numbers("a", 0..100).await;
    let clients: Vec<_> = (0..40)
        .map(|n| {
            let server = server.clone();
            tokio::spawn(async move {
                // Wait for the chat to have grown to a place of one's own, then join.
                let mut watch = server.stream(&format!("{}?limit=1", messages_of(chat)), "").await;
                let mut seen = watch.expect("initial").await.numbers();
                while seen.last() < Some(&(100 + n * 40)) {
                    let Some(event) = watch.next().await else { break };
                    if event.name == "update" {
                        seen.extend(event.numbers());
                    }
                }
                drop(watch);
                let mut events = server.stream(&messages_of(chat), "").await;
                let initial = events.expect("initial").await;
                let numbers = initial.numbers();
                assert_eq!(initial.json()["total"], numbers.len());
                assert_eq!(
                    events.expect("ready").await.data,
                    format!("{{\"chat_id\":{chat}}}")
                );
                read_until(&mut events, LAST, numbers).await
            })
        })
        .collect();
    for number in 100..=LAST {
        server.post_numbers("a", [number]).await;
    }
    for client in clients {
        let numbers = client.await.expect("client");
        assert!(numbers.iter().copied().eq(0..=LAST), "{numbers:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_was_too_slow_gets_the_rest_from_the_database() {
    const POSTS: usize = 2_500;
    let server = Server::start();
    let chat = server.post_numbers("a", [0]).await;
    let mut slow = server.stream(&messages_of(chat), "").await;
    slow.expect("initial").await;
    slow.expect("ready").await;
    let mut quick = server.stream(&messages_of(chat), "").await;
    quick.expect("initial").await;
    quick.expect("ready").await;
    // It stops reading: what the sockets hold fills up, then the hub's ring, and that overflows.
    let padding = "x".repeat(10_000);
    for post in 0..POSTS {
        server.post("a", [format!("{} {padding}", post + 1)]).await;
        assert_eq!(
            quick.expect("update").await.texts().len(),
            1,
            "the quick one loses nothing and no time"
        );
    }
    let stats = server.app.state().hub.stats();
    assert!(stats.dropped > 0, "{stats:?}");
    let mut seen = Vec::new();
    let mut ids = HashSet::new();
    while seen.last() != Some(&POSTS) {
        let event = slow.expect("update").await;
        ids.insert(event.id.clone());
        let number = |text: &String| {
            text.split(' ')
                .next()
                .and_then(|n| n.parse::<usize>().ok())
                .expect("a number")
        };
        seen.extend(event.texts().iter().map(number));
    }
    assert!(seen.iter().copied().eq(1..=POSTS), "once each, in order");
    assert!(server.app.state().hub.stats().refilled > 0);
    assert!(ids.iter().all(|id| !id.is_empty()));
    // And it is live again.
    server.post_numbers("a", [POSTS + 1]).await;
    assert_eq!(slow.expect("update").await.numbers(), [POSTS + 1]);
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_comes_back_gets_what_it_missed_whatever_its_date() {
    let server = Server::start();
    let chat = server.post_numbers("a", 0..1_200).await;
    let mut events = server.stream(&messages_of(chat), "").await;
    let initial = events.expect("initial").await;
    let ready = events.expect("ready").await;
    assert_eq!((ready.id.as_str(), initial.json().get("resumed")), ("", None));
    server.post_numbers("a", 1_200..1_203).await;
    let update = events.expect("update").await;
    drop(events);
    server.post_numbers("b", 0..5).await;
    server.post_numbers("a", 1_203..1_205).await;

    let back = |id: &str| format!("Last-Event-ID: {id}\r\n");
    let resumed = first(&server, &messages_of(chat), &back(&update.id)).await;
    assert_eq!(resumed.numbers(), [1_203, 1_204]);
    assert_eq!(
        (&resumed.json()["resumed"], &resumed.json()["total"]),
        (&Value::Bool(true), &Value::from(1_205))
    );
    let resumed = first(&server, &messages_of(chat), &back(&initial.id)).await;
    assert_eq!(resumed.numbers(), [1_200, 1_201, 1_202, 1_203, 1_204]);
    let by_query = format!("{}?last_event_id={}", messages_of(chat), resumed.id);
    let nothing_new = first(&server, &by_query, "").await;
    assert_eq!((nothing_new.numbers(), &nothing_new.id), (vec![], &resumed.id));
    let header_wins = first(&server, &by_query, &back(&update.id)).await;
    assert_eq!(header_wins.numbers(), [1_203, 1_204]);
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_id_of_elsewhere_gives_everything() {
    let server = Server::start();
    let chat = server.post_numbers("a", 0..3).await;
    let other = server.post_numbers("b", 0..3).await;
    let id_of_other = first(&server, &messages_of(other), "").await.id;
    let own = first(&server, &messages_of(chat), "").await.id;
    let (epoch, _) = own.split_once('-').expect("an epoch");
    for id in [
        "",
        "nonsense",
        "0",
        &id_of_other,
        &format!("x{own}"),
        &format!("{epoch}-{chat}-999999"),
    ] {
        let initial = first(&server, &messages_of(chat), &format!("Last-Event-ID: {id}\r\n")).await;
        assert_eq!(
            (initial.numbers(), initial.json().get("resumed")),
            (vec![0, 1, 2], None),
            "{id}"
        );
    }
    server.stop().await;
}

/// The first event of a new stream.
async fn first(server: &Server, target: &str, headers: &str) -> Event {
    server.stream(target, headers).await.expect("initial").await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_long_history_is_one_event_and_a_limit_takes_its_end() {
    let server = Server::start();
    let chat = server.post_numbers("a", 0..3_000).await;
    let initial = first(&server, &messages_of(chat), "").await;
    assert!(initial.numbers().into_iter().eq(0..3_000));
    for limit in [1, 63, 64, 65, 500, 2_999, 3_000, 3_001, 1_000_000] {
        let initial = first(&server, &format!("{}?limit={limit}", messages_of(chat)), "").await;
        assert!(
            initial
                .numbers()
                .into_iter()
                .eq(3_000_usize.saturating_sub(limit)..3_000),
            "{limit}"
        );
        assert_eq!(initial.json()["total"], 3_000);
    }
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn mistakes_are_answered_before_the_stream_starts() {
    let server = Server::start();
    let chat = server.post_numbers("a", [0]).await;
    for limit in ["0", "-1", "x", "", "1000001", "1.5", "99999999999999999999"] {
        let answer = server
            .ask("GET", &format!("{}?limit={limit}", messages_of(chat)), "")
            .await;
        assert!(
            status(&answer) == 400 && answer.contains("application/problem+json"),
            "{limit}: {answer}"
        );
    }
    for unknown in ["999", "-1", "x", "1x", "99999999999999999999"] {
        let answer = server.ask("GET", &messages_of(unknown), "").await;
        assert!(
            status(&answer) == 404 && answer.contains("application/problem+json"),
            "{unknown}: {answer}"
        );
    }
    assert_eq!(status(&server.ask("POST", &messages_of(chat), "").await), 405);
    let head_only = server.ask("HEAD", &messages_of(chat), "").await;
    assert!(
        status(&head_only) == 200 && head_only.ends_with("\r\n\r\n"),
        "{head_only}"
    );
    assert_eq!(server.app.state().hub.stats().subscribers, 0);
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_lists_tell_what_changes() {
    let server = Server::start_with("heartbeat_s = 0.05\n");
    server.post_numbers("old", [0]).await;
    let mut chats = server.stream("/api/live-sync/stream/chats", "").await;
    let mut contacts = server.stream("/api/live-sync/stream/contacts", "").await;
    let initial = chats.expect("initial").await;
    assert_eq!(initial.json()["chats"][0]["title"], "old");
    assert_eq!(
        contacts.expect("initial").await.json()["contacts"][0]["name"],
        "Ann"
    );
    chats.expect("ready").await;
    contacts.expect("ready").await;
    let chat = server.post_numbers("new", [1, 2]).await;
    let update = chats.expect("update").await;
    assert_eq!(
        (&update.json()["chat_id"], &update.json()["message_count"]),
        (&chat.0.into(), &2.into())
    );
    assert!(!update.id.is_empty() && !initial.id.is_empty());
    assert_eq!(contacts.expect("update").await.json()["message_count"], 3);
    loop {
        let event = chats.next().await.expect("not over");
        if event.name == "heartbeat" {
            assert!(event.json()["ts"].is_string() && event.id.is_empty(), "{event:?}");
            break;
        }
    }
    server.stop().await;
}
