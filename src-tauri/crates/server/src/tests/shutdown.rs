//! Ending: promptly, with every stream open.

use std::time::{Duration, Instant};

use tokio::io::AsyncReadExt;

use super::Server;
use crate::sse::Endpoint;
use crate::token;

/// What ending may take at most.
const PROMPT: Duration = Duration::from_secs(1);

/// Ends a server in a situation that is set up anew each time: promptly in one of three tries, for the machine may stall in
/// the middle of any.
async fn ends_promptly(situation: impl AsyncFn() -> Duration) {
    let mut all_took = Vec::new();
    while all_took.len() < 3 {
        let took = situation().await;
        if took < PROMPT {
            return;
        }
        all_took.push(took);
    }
    panic!("it took {all_took:?}");
}

async fn stop(server: Server) -> Duration {
    let started = Instant::now();
    let _files = server.stop().await;
    started.elapsed()
}

#[tokio::test(flavor = "multi_thread")]
async fn two_hundred_open_streams_end_with_the_server_in_under_a_second() {
    ends_promptly(async || {
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
        let app = server.app.clone();
        let open = |endpoint| app.state().streams.open_count(endpoint);
        assert_eq!(open(Endpoint::Messages), 67);
        let took = stop(server).await;
        for mut events in streams {
            assert_eq!(events.next().await, None);
        }
        assert!(Endpoint::ALL.iter().all(|&endpoint| open(endpoint) == 0));
        assert_eq!(app.state().hub.stats().subscribers, 0);
        took
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_does_not_read_holds_up_nobody() {
    ends_promptly(async || {
        let server = Server::start();
        let chat = server
            .post("a", (0..8_000).map(|n| format!("{n} {}", "x".repeat(1_000))))
            .await;
        let target = format!("/api/live-sync/stream/chat/{chat}/messages");
        let _stalled = server.stream(&target, "").await;
        stop(server).await
    })
    .await;
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
