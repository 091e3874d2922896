//! Ending: promptly, with every stream open.

use std::time::{Duration, Instant};

use tokio::io::AsyncReadExt;

use super::Server;
use crate::sse::Endpoint;
use crate::token;

#[tokio::test(flavor = "multi_thread")]
async fn two_hundred_open_streams_end_with_the_server_in_under_a_second() {
    let server = Server::start();
    let chat = server.post_numbers("a", 0..10).await;
    let mut streams = Vec::new();
    for n in 0..200 {
        let target = match n % 3 {
            0 => format!("/api/live-sync/stream/chat/{chat}/messages"),
            1 => "/api/live-sync/stream/chats".to_owned(),
            _ => "/api/live-sync/stream/contacts".to_owned(),
        };
        let mut events = server.stream(&target, "").await;
        events.expect("initial").await;
        events.expect("ready").await;
        streams.push(events);
    }
    let open = |server: &Server, endpoint| server.app.state().streams.open_count(endpoint);
    assert_eq!(open(&server, Endpoint::Messages), 67);
    let app = server.app.clone();
    let started = Instant::now();
    server.stop().await;
    assert!(
        started.elapsed() < Duration::from_secs(1),
        "{:?}",
        started.elapsed()
    );
    for mut events in streams {
        assert_eq!(events.next().await, None);
    }
    assert!(
        Endpoint::ALL
            .iter()
            .all(|&endpoint| app.state().streams.open_count(endpoint) == 0)
    );
    assert_eq!(app.state().hub.stats().subscribers, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_does_not_read_holds_up_nobody() {
    let server = Server::start();
    let chat = server
        .post("a", (0..8_000).map(|n| format!("{n} {}", "x".repeat(1_000))))
        .await;
    let stalled = server
        .stream(&format!("/api/live-sync/stream/chat/{chat}/messages"), "")
        .await;
    let started = Instant::now();
    server.stop().await;
    assert!(
        started.elapsed() < Duration::from_secs(1),
        "{:?}",
        started.elapsed()
    );
    drop(stalled);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_follows_a_stream_on_its_connection_is_left_unread() {
    let server = Server::start();
    let mut events = server.stream("/api/live-sync/stream/chats", "").await;
    assert!(events.head.starts_with("HTTP/1.1 200 OK\n") && events.head.contains("connection: close\n"));
    for header in [
        "content-type: text/event-stream",
        "cache-control: no-cache",
        "x-accel-buffering: no",
        "date: ",
    ] {
        assert!(events.head.contains(header), "{header} in {}", events.head);
    }
    let mut hint = [0; 14];
    events.lines.read_exact(&mut hint).await.expect("at once");
    assert_eq!(&hint, b"retry: 1000\n\ne");
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_on_a_used_connection_works_as_well() {
    let server = Server::start();
    let first = server.request("GET", "/api/health", "", "keep-alive");
    let second = server.request("GET", "/api/live-sync/stream/chats", "", "keep-alive");
    let both = tokio::spawn({
        let request = format!("{first}{second}");
        let addr = server.app.addr();
        async move {
            use tokio::io::AsyncWriteExt;
            let mut socket = tokio::net::TcpStream::connect(addr).await.expect("connected");
            socket.write_all(request.as_bytes()).await.expect("sent");
            let mut text = String::new();
            while !text.contains("event: ready") {
                let mut part = [0; 4_096];
                let read = socket.read(&mut part).await.expect("read");
                assert!(read > 0, "{text}");
                text.push_str(std::str::from_utf8(&part[..read]).expect("text"));
            }
            text
        }
    });
    let text = both.await.expect("no panic");
    assert!(
        text.contains("{\"status\":\"ok\"}") && text.contains("transfer-encoding: chunked"),
        "{text}"
    );
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rotated_token_ends_the_streams_of_those_who_knew_the_old_one() {
    let server = Server::start();
    let old = server.token();
    let mut events = server.stream("/api/live-sync/stream/chats", "").await;
    events.expect("initial").await;
    events.expect("ready").await;
    token::rotate(server.dir.path()).expect("rotated");
    // The server notices with the next request, whoever sends it.
    let head = format!(
        "GET /api/nowhere HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {old}\r\nConnection: close\r\n\r\n"
    );
    assert_eq!(super::status(&server.raw(&head).await), 401);
    assert_eq!(events.next().await, None);
    assert_eq!(
        super::status(&server.ask("GET", "/api/nowhere", "").await),
        404,
        "the new one is right"
    );
    server.stop().await;
}
