//! What an event stream looks like on the wire: its head, its events, and its mistakes before it starts.

use chatstats_tests::{Answer, EventStream, Home, Post, Server, chatstats};

#[test]
fn a_stream_starts_with_its_headers_and_a_hint_when_to_come_back() {
    let home = Home::new();
    let server = Server::start(&home);
    let chat = server.client().post(&Post::to("chat").with("one", 1));
    for target in [
        format!("chat/{chat}/messages"),
        "chats".to_owned(),
        "contacts".to_owned(),
    ] {
        let mut stream = server.stream(&format!("/api/live-sync/stream/{target}"));
        assert_eq!(
            stream.head.header("content-type").as_deref(),
            Some("text/event-stream"),
            "{target}"
        );
        assert_eq!(
            stream.head.header("cache-control").as_deref(),
            Some("no-cache"),
            "{target}"
        );
        assert_eq!(
            stream.head.header("x-accel-buffering").as_deref(),
            Some("no"),
            "{target}"
        );
        let initial = stream.next_event().expect("not over");
        assert_eq!(initial.name, "initial", "{target}");
        assert!(stream.retry_ms.is_some_and(|ms| ms > 0), "{target}");
        assert_eq!(stream.next_event().expect("not over").name, "ready", "{target}");
    }
    server.stop();
}

#[test]
fn initial_and_update_carry_an_id_and_ready_and_heartbeat_none() {
    let home = Home::new();
    let mut command = chatstats(&home, &["serve", "--listen", "127.0.0.1:0"]);
    let server = Server::spawn(&home, {
        command.env("CHATSTATS_HEARTBEAT_S", "0.1");
        command
    });
    let chat = server.client().post(&Post::to("chat").with("one", 1));
    let targets = [
        format!("chat/{chat}/messages"),
        "chats".to_owned(),
        "contacts".to_owned(),
    ];
    let streams = targets.map(|target| server.stream(&format!("/api/live-sync/stream/{target}")));
    let mut streams = streams.map(|mut stream| {
        assert!(stream.expect("initial").id.is_some_and(|id| !id.is_empty()));
        let ready = stream.expect("ready");
        assert_eq!((ready.id, ready.data_lines), (None, 1));
        stream
    });
    for stream in &mut streams {
        // Two of them: the first may have been on its way.
        for _ in 0..2 {
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
    }
    server.client().post(&Post::to("chat").with("two", 2));
    for stream in &mut streams {
        assert!(stream.expect("update").id.is_some_and(|id| !id.is_empty()));
    }
    server.stop();
}

#[test]
fn limit_gives_the_last_messages_of_the_order_and_the_total_of_the_whole_chat() {
    let home = Home::new();
    let server = Server::start(&home);
    let posts = [(5, 50), (1, 10), (4, 40), (2, 20), (3, 20)];
    let post = posts
        .iter()
        .fold(Post::to("chat"), |post, (key, seconds)| post.with(key, *seconds));
    let chat = server.client().post(&post);
    for (limit, want) in [
        ("?limit=1", vec!["5"]),
        ("?limit=3", vec!["3", "4", "5"]),
        ("?limit=5", vec!["1", "2", "3", "4", "5"]),
        ("?limit=1000", vec!["1", "2", "3", "4", "5"]),
        ("", vec!["1", "2", "3", "4", "5"]),
    ] {
        let mut stream = server.stream(&format!("/api/live-sync/stream/chat/{chat}/messages{limit}"));
        let initial = stream.expect("initial").json();
        let messages = initial["messages"].as_array().expect("messages");
        let texts: Vec<_> = messages
            .iter()
            .filter_map(|message| message["content"].as_str())
            .collect();
        assert_eq!(texts, want, "{limit}");
        assert_eq!(
            (&initial["chat_id"], &initial["total"]),
            (&chat.into(), &5.into()),
            "{limit}"
        );
        assert_eq!(initial.get("resumed"), None, "{limit}");
        stream.expect("ready");
    }
    server.stop();
}

#[test]
fn mistakes_before_a_stream_starts_are_problems() {
    let home = Home::new();
    let server = Server::start(&home);
    let chat = server.client().post(&Post::to("chat").with("one", 1));
    for limit in ["0", "-1", "ten", "1.5", "", "99999999999999999999"] {
        let answer = refused(
            &server,
            &format!("chat/{chat}/messages?limit={limit}"),
            server.token(),
        );
        assert_eq!(
            (answer.status, answer.problem().as_str()),
            (400, "limit"),
            "{limit}"
        );
    }
    for unknown in ["0", "-1", "999", "one", "1.0", "99999999999999999999", "%00"] {
        let answer = refused(&server, &format!("chat/{unknown}/messages"), server.token());
        assert_eq!(
            (answer.status, answer.problem().as_str()),
            (404, "not_found"),
            "{unknown}"
        );
    }
    for target in [
        format!("chat/{chat}/messages"),
        "chats".to_owned(),
        "contacts".to_owned(),
    ] {
        let answer = refused(&server, &target, "wrong");
        assert_eq!(
            (answer.status, answer.problem().as_str()),
            (401, "token"),
            "{target}"
        );
    }
    server.stop();
}

fn refused(server: &Server, target: &str, token: &str) -> Answer {
    let target = format!("/api/live-sync/stream/{target}");
    let opened = EventStream::open(server.addr(), token, &target, "").expect("an answer");
    opened.expect_err("no stream")
}
