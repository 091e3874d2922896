//! What a post promises with its answer: taken once however often it is sent, committed and published, or refused
//! as a whole with the place of the mistake; and a large import keeps it waiting for no more than one batch.

use chatstats_tests::{Answer, Home, Post, Server, connect, eventually, whatsapp_export};
use serde_json::{Value, json};

/// The largest body, in bytes.
const BODY_BYTES_MAX: usize = 16 << 20;

#[test]
fn a_post_is_taken_once_however_often_it_is_sent() {
    let home = Home::new();
    let server = Server::start(&home);
    let post = Post::to("chat").with("one", 1).with("two", 2);
    let chat = expect_posted(&server, &post, 2, 0);
    assert_eq!(expect_posted(&server, &post, 0, 2), chat);
    assert_eq!(expect_posted(&server, &post.clone().with("three", 3), 1, 2), chat);
    assert_eq!(
        expect_posted(&server, &Post::to("chat").with("four", 4).with("four", 4), 1, 1),
        chat
    );
    // Keys are of one chat.
    let other = expect_posted(&server, &Post::to("other").with("one", 1), 1, 0);
    assert_ne!(other, chat);
    assert_eq!(server.client().get("/api/status")["messages"], 5);
    assert_eq!(
        server.client().get("/api/chats")["chats"]
            .as_array()
            .map(Vec::len),
        Some(2)
    );
    server.stop();
}

fn expect_posted(server: &Server, post: &Post, inserted: u64, duplicates: u64) -> i64 {
    let answer = send(server, &post.json());
    assert_eq!(answer.status, 200, "{answer:?}");
    let posted = answer.json();
    assert_eq!(
        (&posted["inserted"], &posted["duplicates"]),
        (&inserted.into(), &duplicates.into())
    );
    posted["chat_id"].as_i64().expect("a number")
}

fn send(server: &Server, body: &str) -> Answer {
    server.client().ask("POST", "/api/live-sync/messages", body)
}

#[test]
fn what_was_answered_can_be_read_was_published_and_is_kept_to_the_letter() {
    let home = Home::new();
    let server = Server::start(&home);
    let chat = server.client().post(&Post::to("chat").with("first", 0));
    let mut stream = server.stream(&format!("/api/live-sync/stream/chat/{chat}/messages"));
    stream.expect("initial");
    stream.expect("ready");
    let texts = [
        " spaces \t and\r\nlines\n",
        "\u{202e}e\u{301}\u{0}\u{feff}",
        "👩‍👩‍👧 \u{fffd} \"\\",
        "",
    ];
    for (number, text) in texts.iter().enumerate() {
        let published = published(&server);
        let message = json!({"key": number, "content": text, "timestamp": "2024-01-02T03:04:05.678901Z"});
        let mut body = json!({"source": "test", "chat": {"key": "chat"}, "messages": [message]});
        body["messages"][0]["key"] = number.to_string().into();
        let answer = send(&server, &body.to_string());
        assert_eq!(answer.status, 200, "{answer:?}");
        assert!(
            self::published(&server) > published,
            "not published when it was answered"
        );
        let page = server
            .client()
            .get(&format!("/api/chats/{chat}/messages?limit=1"));
        let told = stream.expect("update").json()["messages"][0].take();
        for message in [&page["messages"][0], &told] {
            assert_eq!(message["content"], *text);
            assert_eq!(message["timestamp"], "2024-01-02T03:04:05.678901Z");
            assert_eq!(
                (&message["sender"], &message["sender_id"]),
                (&Value::Null, &Value::Null)
            );
        }
    }
    server.stop();
}

fn published(server: &Server) -> u64 {
    server.client().get("/api/status")["hub"]["published"]
        .as_u64()
        .expect("a number")
}

#[test]
fn a_mistake_is_answered_with_its_place_and_nothing_of_the_post_is_stored() {
    let home = Home::new();
    let server = Server::start(&home);
    let good = json!({"key": "good", "content": "good", "timestamp": "2024-01-01T00:00:00Z"});
    let with =
        |second: Value| json!({"source": "s", "chat": {"key": "c"}, "messages": [good, second]}).to_string();
    let long = "x".repeat(5_000);
    for (body, place) in [
        (String::new(), "line 1"),
        ("[]".to_owned(), "line 1"),
        ("{\"source\":\"s\",\n \"chat\" 1}".to_owned(), "line 2 column 9"),
        (
            json!({"chat": {"key": "c"}, "messages": []}).to_string(),
            "source",
        ),
        (json!({"source": "s", "messages": []}).to_string(), "chat"),
        (
            json!({"source": "", "chat": {"key": "c"}, "messages": []}).to_string(),
            "source",
        ),
        (
            json!({"source": "s", "chat": {"key": ""}, "messages": []}).to_string(),
            "chat.key",
        ),
        (
            json!({"source": long, "chat": {"key": "c"}, "messages": []}).to_string(),
            "source",
        ),
        (
            with(json!({"content": "x", "timestamp": "2024-01-01T00:00:00Z"})),
            "key",
        ),
        (
            with(json!({"key": "", "content": "x", "timestamp": "2024-01-01T00:00:00Z"})),
            "messages[1].key",
        ),
        (
            with(json!({"key": long, "content": "x", "timestamp": "2024-01-01T00:00:00Z"})),
            "messages[1].key",
        ),
        (
            with(json!({"key": "k", "content": 7, "timestamp": "2024-01-01T00:00:00Z"})),
            "line 1 column",
        ),
        (
            with(json!({"key": "k", "content": "x", "timestamp": "yesterday"})),
            "yesterday",
        ),
        (
            with(json!({"key": "k", "content": "x", "timestamp": "2024-13-01T00:00:00Z"})),
            "2024-13-01",
        ),
        (
            with(
                json!({"key": "k", "content": "x", "timestamp": "2024-01-01T00:00:00Z", "sender": {"key": ""}}),
            ),
            "messages[1].sender.key",
        ),
    ] {
        let answer = send(&server, &body);
        assert_eq!(
            (answer.status, answer.problem().as_str()),
            (400, "body"),
            "{body}"
        );
        let detail = answer.json()["detail"].as_str().expect("text").to_owned();
        assert!(detail.contains(place), "{place} is not in {detail:?}");
    }
    assert_eq!(server.client().get("/api/status")["messages"], 0);
    assert_eq!(server.client().get("/api/chats")["chats"], json!([]));
    server.stop();
}

#[test]
fn a_body_of_16_mib_is_taken_and_one_byte_more_is_not() {
    let home = Home::new();
    let server = Server::start(&home);
    let post = Post::to("chat").with("one", 1).json();
    let padded = |bytes: usize| post.clone() + &" ".repeat(bytes - post.len());
    assert_eq!(send(&server, &padded(BODY_BYTES_MAX)).status, 200);
    let large = send(&server, &padded(BODY_BYTES_MAX + 1));
    assert_eq!((large.status, large.problem().as_str()), (413, "too_large"));
    assert_eq!(
        chunked(&server, &padded(BODY_BYTES_MAX + 1)).status,
        413,
        "also where no length is announced"
    );
    assert_eq!(server.client().get("/api/status")["messages"], 1);
    server.stop();
}

/// Sends a body without saying how long it is.
fn chunked(server: &Server, body: &str) -> Answer {
    let (addr, token, length) = (server.addr(), server.token(), body.len());
    let request = format!(
        "POST /api/live-sync/messages HTTP/1.1\r\nHost: {addr}\r\nAuthorization: Bearer {token}\r\n\
         Transfer-Encoding: chunked\r\nConnection: close\r\n\r\n{length:x}\r\n{body}\r\n0\r\n\r\n"
    );
    chatstats_tests::raw(addr, request.as_bytes()).expect("an answer")
}

#[test]
fn a_post_that_breaks_off_is_not_taken() {
    use std::io::Write;
    let home = Home::new();
    let server = Server::start(&home);
    let body = Post::to("chat").with("one", 1).json();
    let (addr, token, length) = (server.addr(), server.token(), body.len() + 1);
    let mut socket = connect(addr).expect("a connection");
    let head = format!(
        "POST /api/live-sync/messages HTTP/1.1\r\nHost: {addr}\r\nAuthorization: Bearer {token}\r\n\
         Content-Length: {length}\r\n\r\n{body}"
    );
    socket.write_all(head.as_bytes()).expect("sent");
    drop(socket);
    server.client().post(&Post::to("chat").with("two", 2));
    server.stop();
    let server = Server::start(&home);
    assert_eq!(server.client().get("/api/status")["messages"], 1);
    server.stop();
}

/// An import's batch is 2,000 records; one may be under way and one may come before the post.
const OVERTAKEN_MAX: i64 = 2 * 2_000;

const POSTS: usize = 15;

/// So many that the posts are through long before them, also where the machine stalls.
const RECORDS: usize = 300_000;

#[test]
fn a_post_during_a_large_import_waits_for_no_more_than_one_batch() {
    let home = Home::new();
    let export = home.file("chat.txt", whatsapp_export("import", RECORDS));
    let server = Server::start(&home);
    let mut client = server.client();
    let import = client.import(&export);
    let progress = format!("/api/imports/{import}");
    let stored = eventually("the import's first batch", || {
        client.get("/api/status")["messages"]
            .as_i64()
            .filter(|stored| *stored > 0)
    });
    assert!(stored < 2 * RECORDS as i64 / 3, "too fast, nothing was tested");
    let mut overtaken: Vec<i64> = Vec::new();
    for number in 0..POSTS {
        let before = client.get("/api/status")["messages"].as_i64().expect("a number");
        client.post(&Post::to("live").with(number, 1));
        let after = client.get("/api/status")["messages"].as_i64().expect("a number");
        // Without the post itself.
        overtaken.push(after - before - 1);
    }
    assert_eq!(
        client.get(&progress)["state"],
        "running",
        "the posts waited for the import's end"
    );
    // This process may be kept waiting between its questions, and then more goes by: so most, and not all.
    overtaken.sort_unstable();
    assert!(
        overtaken[POSTS / 2] <= OVERTAKEN_MAX,
        "so many records went first: {overtaken:?}"
    );
    let ended = client.ended_import(import);
    assert_eq!(ended["receipt"]["totals"]["messages"], RECORDS, "{ended}");
    server.stop();
}
