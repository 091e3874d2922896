//! Requests that are sent behind each other without waiting: done and answered in their order, whatever they are.

use chatstats_bus::StreamKey;
use chatstats_model::ChatId;
use tokio::io::AsyncReadExt;

use super::*;

const POSTS: usize = 2_000;

/// A connection whose requests are sent without waiting for answers.
struct Pipelined {
    sending: JoinHandle<()>,
    answers: BufReader<tokio::net::tcp::OwnedReadHalf>,
}

/// Status and body.
type Answer = (u16, String);

impl Pipelined {
    async fn send(server: &Server, requests: impl IntoIterator<Item = String>) -> Self {
        let socket = TcpStream::connect(server.app.addr()).await.expect("connected");
        let (reading, mut writing) = socket.into_split();
        let bytes: String = requests.into_iter().collect();
        let sending = tokio::spawn(async move {
            // The server may close before it has heard everything.
            let _ = writing.write_all(bytes.as_bytes()).await;
            // Half a connection is none: the other half stays until this task is ended.
            std::future::pending::<()>().await;
        });
        Self {
            sending,
            answers: BufReader::new(reading),
        }
    }

    /// The next answer; none once the connection is over.
    async fn next(&mut self) -> Option<Answer> {
        let (mut status, mut length) = (None, 0);
        loop {
            let mut line = String::new();
            if self.answers.read_line(&mut line).await.ok()? == 0 {
                return None;
            }
            let line = line.trim_end();
            match (line.split_once(": "), status) {
                (Some(("content-length", bytes)), _) => length = bytes.parse().expect("a number"),
                (None, None) => status = line.split(' ').nth(1)?.parse().ok(),
                // The word to go on is no answer.
                (None, Some(100)) => status = None,
                (None, Some(status)) => {
                    let mut body = vec![0; length];
                    self.answers.read_exact(&mut body).await.ok()?;
                    return Some((status, String::from_utf8(body).expect("text")));
                }
                _ => {}
            }
        }
    }

    async fn statuses(mut self) -> Vec<u16> {
        let mut statuses = Vec::new();
        while let Some((status, _)) = self.next().await {
            statuses.push(status);
        }
        statuses
    }
}

impl Drop for Pipelined {
    fn drop(&mut self) {
        self.sending.abort();
    }
}

impl Server {
    fn posting(&self, target: &str, headers: &str, body: &str) -> String {
        let headers = format!("Content-Length: {}\r\n{headers}", body.len());
        let head = self.request("POST", target, &headers, "keep-alive");
        format!("{head}{body}")
    }

    fn message(&self, chat: &str, number: usize, bytes: usize) -> String {
        let text = format!("{number} {}", "x".repeat(bytes));
        let body = json!({"source": "test", "chat": {"key": chat}, "messages": [message(&text)]});
        self.posting("/api/live-sync/messages", "", &body.to_string())
    }

    fn event(&self, number: usize, bytes: usize) -> String {
        let event = |part| {
            let data = json!({"number": number, "part": part, "padding": "x".repeat(bytes)});
            json!({"scope": "chat:1", "type": "t", "data": data})
        };
        let events: Vec<_> = (0..1 + number % 3).map(event).collect();
        self.posting("/api/bus/events", "", &json!(events).to_string())
    }

    /// A request that ends its connection.
    fn last(&self) -> String {
        self.request("GET", "/api/health", "", "close")
    }

    /// The numbers and parts of the events that were published, in the log's order.
    async fn published(&self) -> Vec<(usize, usize)> {
        let bus = &self.app.state().bus;
        let page = bus.range(&StreamKey::events(), .., usize::MAX).await;
        let page = page.expect("read");
        assert!(!page.more, "the page is all of it");
        let field = |entry: &chatstats_bus::Entry, name| -> Option<usize> {
            std::str::from_utf8(entry.fields.get(name)?).ok()?.parse().ok()
        };
        let of = |entry| Some((field(entry, "number")?, field(entry, "part")?));
        page.entries.iter().filter_map(|entry| of(entry)).collect()
    }

    /// The numbers of a chat's messages, in the order in which they were stored.
    async fn stored(&self, chat: ChatId) -> Vec<usize> {
        let mut events = self
            .stream(&format!("/api/live-sync/stream/chat/{chat}/messages"), "")
            .await;
        let initial = events.expect("initial").await;
        initial.texts().iter().map(|text| number(text)).collect()
    }
}

fn number(text: &str) -> usize {
    let number = text.split(' ').next().expect("a word");
    number.parse().expect("a number")
}

/// Small ones, with one among them now and then that is parsed elsewhere, or is too large to be begun ahead.
fn bytes_of(number: usize) -> usize {
    match number {
        _ if number % 97 == 50 => 70_000,
        _ if number % 31 == 7 => 30_000,
        _ => number % 300,
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn two_thousand_posts_of_events_are_published_in_the_order_in_which_they_were_sent() {
    let server = Server::start();
    let requests = (0..POSTS).map(|number| server.event(number, bytes_of(number) / 3));
    let mut sent = Pipelined::send(&server, requests).await;
    let mut last = String::new();
    for number in 0..POSTS {
        let (status, body) = sent.next().await.expect("an answer");
        assert_eq!(status, 200, "{number}: {body}");
        let answer: Value = serde_json::from_str(&body).expect("json");
        let ids = answer["ids"].as_array().expect("ids");
        assert_eq!(ids.len(), 1 + number % 3, "the answer to another");
        for id in ids {
            let id = id.as_str().expect("text");
            assert!(sorted(&last) < sorted(id), "{last} before {id}");
            id.clone_into(&mut last);
        }
    }
    let wanted: Vec<_> = (0..POSTS)
        .flat_map(|number| (0..1 + number % 3).map(move |part| (number, part)))
        .collect();
    assert!(server.published().await == wanted);
    server.stop().await;
}

fn sorted(id: &str) -> Option<(u64, u64)> {
    let (ms, count) = id.split_once('-')?;
    Some((ms.parse().ok()?, count.parse().ok()?))
}

#[tokio::test(flavor = "multi_thread")]
async fn two_thousand_posts_of_messages_are_stored_and_told_of_in_the_order_in_which_they_were_sent() {
    let server = Server::start();
    let chat = server.post("a", ["first".to_owned()]).await;
    let target = format!("/api/live-sync/stream/chat/{chat}/messages");
    let mut events = server.stream(&target, "").await;
    events.expect("initial").await;
    events.expect("ready").await;
    let requests = (0..POSTS).map(|number| server.message("a", number, bytes_of(number)));
    let mut sent = Pipelined::send(&server, requests).await;
    for number in 0..POSTS {
        let (status, body) = sent.next().await.expect("an answer");
        assert_eq!(status, 200, "{number}: {body}");
        assert!(body.contains("\"inserted\":1"), "{number}: {body}");
    }
    let mut told = Vec::new();
    while told.len() < POSTS {
        let texts = events.expect("update").await.texts();
        told.extend(texts.iter().map(|text| number(text)));
    }
    assert!(told.iter().copied().eq(0..POSTS), "{told:?}");
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_comes_between_is_answered_in_its_place() {
    let server = Server::start();
    let chunked = |number: usize| {
        let body = server.event(number, 10);
        let body = body.split_once("\r\n\r\n").expect("a body").1;
        let head = server.request(
            "POST",
            "/api/bus/events",
            "Transfer-Encoding: chunked\r\n",
            "keep-alive",
        );
        format!("{head}{:x}\r\n{body}\r\n0\r\n\r\n", body.len())
    };
    let wrong_token = server
        .event(90, 1)
        .replace("Authorization: Bearer ", "Authorization: Bearer x");
    let foreign = server
        .event(91, 1)
        .replace("Host: 127.0.0.1", "Host: evil.example");
    let large = " ".repeat((16 << 20) + 1);
    let with_expect = {
        let request = server.event(9, 0);
        request.replace("Content-Length", "Expect: 100-continue\r\nContent-Length")
    };
    let requests = [
        (server.event(0, 1), 200),
        (server.event(1, 1), 200),
        (server.request("GET", "/api/status", "", "keep-alive"), 200),
        (server.event(2, 1), 200),
        (server.posting("/api/bus/events", "", "no json"), 400),
        (server.event(3, 1), 200),
        (wrong_token, 401),
        (foreign, 403),
        (server.event(4, 1), 200),
        (server.posting("/api/nowhere", "", "{}"), 404),
        (server.message("a", 0, 1), 200),
        (server.event(5, 1), 200),
        (server.message("a", 1, 1), 200),
        (server.message("a", 2, 1), 200),
        (server.posting("/api/bus/events", "", &large), 413),
        (server.event(6, 1), 200),
        (server.request("DELETE", "/api/bus/events", "", "keep-alive"), 405),
        (server.event(7, 100_000), 200),
        (chunked(8), 200),
        (with_expect, 200),
        (server.event(10, 1), 200),
        (server.last(), 200),
    ];
    let wanted: Vec<u16> = requests.iter().map(|(_, status)| *status).collect();
    let sent = Pipelined::send(&server, requests.map(|(request, _)| request)).await;
    assert_eq!(sent.statuses().await, wanted);
    let mut numbers: Vec<_> = server
        .published()
        .await
        .iter()
        .map(|(number, _)| *number)
        .collect();
    numbers.dedup();
    assert!(numbers.iter().copied().eq(0..=10), "{numbers:?}");
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_follows_the_last_request_of_a_connection_does_not_happen() {
    let server = Server::start();
    for end in ["Connection: close", "connection: Close", "Connection: close, x"] {
        let last = server.event(1, 1).replace("Connection: keep-alive", end);
        let requests = [server.event(0, 1), last, server.event(2, 1), server.event(3, 1)];
        let sent = Pipelined::send(&server, requests).await;
        assert_eq!(sent.statuses().await, [200, 200], "{end}");
    }
    // What hyper refuses is the last one as well.
    let requests = [
        server.event(0, 1),
        "nonsense\r\n\r\n".to_owned(),
        server.event(2, 1),
    ];
    let sent = Pipelined::send(&server, requests).await;
    assert_eq!(sent.statuses().await, [200, 400]);
    assert!(server.published().await.iter().all(|(number, _)| *number < 2));
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_follows_a_stream_that_takes_the_connection_does_not_happen() {
    let server = Server::start();
    let stream = server.request("GET", "/api/live-sync/stream/chats", "", "keep-alive");
    let mut sent = Pipelined::send(&server, [stream, server.event(0, 1), server.event(1, 1)]).await;
    let mut line = String::new();
    while line.trim_end() != "event: ready" {
        line.clear();
        assert!(sent.answers.read_line(&mut line).await.expect("read") > 0);
    }
    assert_eq!(server.published().await, []);
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn of_a_client_that_leaves_the_first_posts_are_stored_and_none_behind_a_missing_one() {
    let server = Server::start();
    for leaves_after in [0, 1, 10, 300] {
        let chat = format!("left after {leaves_after}");
        let requests = (0..1_000).map(|number| server.message(&chat, number, number % 300));
        let mut sent = Pipelined::send(&server, requests).await;
        for _ in 0..leaves_after {
            assert_eq!(sent.next().await.expect("an answer").0, 200);
        }
        drop(sent);
        let chat = server.post(&chat, Vec::new()).await;
        let stored = server.stored(chat).await;
        assert!(stored.len() >= leaves_after, "{} are stored", stored.len());
        assert!(stored.iter().copied().eq(0..stored.len()), "{stored:?}");
    }
    // Others are served as before.
    assert_eq!(status(&server.ask("GET", "/api/status", "").await), 200);
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_does_not_read_its_answers_is_not_read_either() {
    let server = Server::start();
    let chat = server.post("a", Vec::new()).await;
    let socket = tokio::net::TcpSocket::new_v4().expect("a socket");
    socket.set_recv_buffer_size(4_096).expect("small");
    let socket = socket.connect(server.app.addr()).await.expect("connected");
    let mut number = 0;
    let stuck = loop {
        let request = server.message("a", number, 10);
        let mut rest = request.as_bytes();
        let sent = tokio::time::timeout(std::time::Duration::from_secs(2), async {
            while !rest.is_empty() {
                socket.writable().await.expect("open");
                match socket.try_write(rest) {
                    Ok(bytes) => rest = &rest[bytes..],
                    Err(error) => assert_eq!(error.kind(), std::io::ErrorKind::WouldBlock),
                }
            }
        });
        if sent.await.is_err() {
            break number;
        }
        number += 1;
    };
    let stored = server.stored(chat).await;
    assert!(stored.len() < stuck && stored.iter().copied().eq(0..stored.len()));
    server.stop().await;
}
