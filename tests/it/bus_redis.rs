//! The bus in Redis: other programs write and read the same stream; a Redis that is away is waited for; a thousand
//! clients cost it what one costs.

use std::io::{BufRead, BufReader, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use chatstats_tests::{
    EventStream, Home, NO_FOLLOWERS, Redis, Server, chatstats, connect, eventually, finish,
};
use serde_json::{Value, json};

const STREAM: &str = "task_events:analysis";
const QUEUE: &str = "/api/analysis/streaming/queue/stream";
const ANY: &str = "/api/analysis/streaming/redis_stream/task_events:analysis";

fn serve(home: &Home, redis: &Redis) -> Server {
    serve_without(home, redis).with_its_log()
}

/// Although nobody answers there.
fn serve_without(home: &Home, redis: &Redis) -> Server {
    let arguments = ["serve", "--listen", "127.0.0.1:0", "--redis-url", &redis.url()];
    Server::spawn(home, chatstats(home, &arguments))
}

fn event(n: u64) -> Value {
    json!({"scope": "global", "type": "progress", "data": {"n": n}})
}

fn n_of(stream: &mut EventStream) -> String {
    let n = stream.expect("message").json()["n"].take();
    n.as_str().expect("a string").to_owned()
}

#[test]
fn what_others_add_arrives_and_what_is_published_here_is_in_redis() {
    let (home, redis) = (Home::new(), Redis::start());
    let server = serve(&home, &redis);
    let (mut queue, mut any) = (server.stream(QUEUE), server.stream(ANY));
    let scopeless = redis.cli(&["XADD", STREAM, "*", "type", "x", "n", "1"]);
    let typeless = redis.cli(&["XADD", STREAM, "*", "scope", "global", "n", "2"]);
    let whole = redis.cli(&[
        "XADD", STREAM, "*", "scope", "global", "n", "old", "type", "x", "n", "3",
    ]);
    for (id, n) in [(&scopeless, "1"), (&typeless, "2"), (&whole, "3")] {
        let told = any.expect("message");
        assert_eq!((told.id.as_ref(), &told.json()["n"]), (Some(id), &json!(n)));
    }
    let told = queue.expect("message");
    assert_eq!(
        told.id,
        Some(whole),
        "what lacks a type or a scope is passed over"
    );
    assert_eq!(told.data, r#"{"scope":"global","n":"3","type":"x"}"#);

    let data = json!({"run_id": 7, "done": true, "list": [1], "text": "a b"});
    let ids = server
        .client()
        .publish(&json!({"scope": "global", "type": "run_complete", "data": data}));
    let entry = redis.cli(&["XREVRANGE", STREAM, "+", "-", "COUNT", "1"]);
    let lines: Vec<_> = entry.lines().collect();
    let (own, rest) = lines.split_at(6);
    assert_eq!(
        (own[0], &own[1..5]),
        (ids[0].as_str(), &["type", "run_complete", "scope", "global"][..])
    );
    assert_eq!(own[5], "ts");
    assert_eq!(
        rest[1..],
        ["run_id", "7", "done", "True", "list", "[1]", "text", "a b"]
    );
    assert_eq!(queue.expect("message").id, any.expect("message").id);

    redis.cli(&["XADD", "another", "1-1", "a", "b"]);
    let mut another = server.stream("/api/analysis/streaming/redis_stream/another");
    assert_eq!(another.expect("message").data, r#"{"a":"b"}"#);
    assert_eq!(server.client().get("/api/bus/streams/another")["last_id"], "1-1");
    server.stop();
}

#[test]
fn a_key_that_holds_something_else_is_refused() {
    let (home, redis) = (Home::new(), Redis::start());
    let server = serve(&home, &redis);
    redis.cli(&["SET", "text", "value"]);
    let target = "/api/analysis/streaming/redis_stream/text";
    let opened = EventStream::open(server.addr(), server.token(), target, "").expect("an answer");
    let answer = opened.expect_err("no stream");
    assert_eq!((answer.status, answer.problem().as_str()), (400, "not_a_stream"));
    let answer = server.client().ask("GET", "/api/bus/streams/text/entries", "");
    assert_eq!((answer.status, answer.problem().as_str()), (400, "not_a_stream"));
    server.stop();
}

#[test]
fn a_client_whose_place_was_trimmed_is_told_of_the_gap() {
    let (home, redis) = (Home::new(), Redis::start());
    let server = serve(&home, &redis);
    let ids = server.client().publish(&(0..20).map(event).collect());
    redis.cli(&["XTRIM", STREAM, "MAXLEN", "=", "5"]);
    let mut stream = server.stream_with(QUEUE, &format!("Last-Event-ID: {}\r\n", ids[3]));
    assert_eq!(stream.expect("error").json()["code"], "gap");
    for n in 15..20 {
        assert_eq!(n_of(&mut stream), n.to_string());
    }
    let mut nothing_missed = server.stream_with(QUEUE, &format!("Last-Event-ID: {}\r\n", ids[17]));
    assert_eq!(n_of(&mut nothing_missed), "18");
    server.stop();
}

#[test]
fn a_stream_stays_open_while_redis_is_away_and_goes_on_where_it_was() {
    let (home, mut redis) = (Home::new(), Redis::start());
    let server = serve(&home, &redis);
    let mut stream = server.stream(QUEUE);
    let mut client = server.client();
    client.publish(&event(0));
    assert_eq!(n_of(&mut stream), "0");

    redis.kill();
    let away = stream.expect("error");
    assert_eq!((&away.json()["code"], away.id), (&json!("bus_away"), None));
    for target in [QUEUE, ANY] {
        let opened = EventStream::open(server.addr(), server.token(), target, "").expect("an answer");
        let answer = opened.expect_err("no stream");
        assert_eq!(
            (answer.status, answer.problem().as_str()),
            (503, "bus_away"),
            "{target}"
        );
        assert!(answer.header("retry-after").is_some(), "{answer:?}");
    }
    let answer = client.ask("POST", "/api/bus/events", &event(1).to_string());
    assert_eq!((answer.status, answer.problem().as_str()), (503, "bus_away"));
    let status = client.get("/api/bus");
    assert!(
        status["problem"].is_string() && status["address"] == redis.addr().to_string(),
        "{status}"
    );

    redis.start_again();
    let id = eventually("the bus is back", || {
        let answer = client.ask("POST", "/api/bus/events", &event(2).to_string());
        (answer.status == 200).then(|| answer.json()["ids"][0].clone())
    });
    let told = stream.expect("message");
    assert_eq!(
        (json!(told.id), &told.json()["n"]),
        (id, &json!("2")),
        "what was refused is not there"
    );
    let mut late = server.stream(ANY);
    assert_eq!([n_of(&mut late), n_of(&mut late)], ["0", "2"]);
    assert_eq!(client.get("/api/bus")["problem"], Value::Null);
    server.stop();
}

#[test]
fn a_server_starts_without_its_redis_and_finds_it_later() {
    let (home, mut redis) = (Home::new(), Redis::start());
    redis.kill();
    let server = serve_without(&home, &redis);
    let opened = EventStream::open(server.addr(), server.token(), QUEUE, "").expect("an answer");
    assert_eq!(opened.expect_err("no stream").problem(), "bus_away");
    redis.start_again();
    let mut stream = eventually("a stream", || {
        EventStream::open(server.addr(), server.token(), QUEUE, "")
            .expect("an answer")
            .ok()
    });
    redis.cli(&["XADD", STREAM, "*", "type", "x", "scope", "global", "n", "1"]);
    assert_eq!(n_of(&mut stream), "1");
    server.stop();
}

/// XADDs that are timed.
const ADDS: u64 = 300;

/// By how much the middle one may be slower beside a thousand clients. With a reader for each, it would be 35 ms.
const SLOWER_BY: Duration = Duration::from_millis(5);

#[test]
fn a_thousand_clients_take_two_connections_and_adding_is_as_quick_as_with_one() {
    let (home, redis) = (Home::new(), Redis::start());
    home.config(NO_FOLLOWERS);
    let server = serve(&home, &redis);
    let mut streams = vec![server.stream(QUEUE)];
    let with_one = median_add(&redis);
    streams.extend((1..1_000).map(|_| server.stream(QUEUE)));
    // The one that asks is there as well.
    let connections = redis.cli(&["CLIENT", "LIST"]).lines().count() - 1;
    assert!((1..=2).contains(&connections), "{connections} connections");
    let with_all = median_add(&redis);
    println!("XADD beside 1 stream: {with_one:?}, beside 1,000: {with_all:?}; {connections} connections");
    assert!(with_all < with_one + SLOWER_BY, "{with_one:?}, {with_all:?}");
    for (index, stream) in streams.iter_mut().enumerate() {
        let rounds = if index == 0 { 2 } else { 1 };
        for n in (0..rounds).flat_map(|_| 0..ADDS) {
            assert_eq!(n_of(stream), n.to_string(), "client {index}");
        }
    }
    assert_eq!(server.client().get("/api/bus")["subscribers"], 1_000);
    server.stop();
}

/// The middle of how long some XADDs take, one after the other.
fn median_add(redis: &Redis) -> Duration {
    let mut connection = BufReader::new(connect(redis.addr()).expect("a connection"));
    let mut took: Vec<_> = (0..ADDS).map(|n| add(&mut connection, n)).collect();
    took.sort_unstable();
    took[took.len() / 2]
}

fn add(connection: &mut BufReader<TcpStream>, n: u64) -> Duration {
    let started = Instant::now();
    let command = format!("XADD {STREAM} * type x scope global n {n}\r\n");
    connection.get_mut().write_all(command.as_bytes()).expect("sent");
    let mut reply = String::new();
    // The length, then the id.
    for _ in 0..2 {
        connection.read_line(&mut reply).expect("an answer");
    }
    assert!(reply.starts_with('$'), "{reply}");
    started.elapsed()
}

#[test]
fn the_password_of_redis_is_told_to_nobody() {
    let (home, mut redis) = (Home::new(), Redis::start_with(Some("very-secret")));
    let mut command = chatstats(&home, &["serve", "--listen", "127.0.0.1:0"]);
    command
        .env("CHATSTATS_REDIS_URL", redis.url())
        .env("CHATSTATS_LOG", "debug");
    let server = Server::spawn(&home, command).with_its_log();
    let mut stream = server.stream(QUEUE);
    server.client().publish(&event(1));
    assert_eq!(n_of(&mut stream), "1");
    redis.kill();
    let away = stream.expect("error");
    let said = [
        server.client().get("/api/bus"),
        server.client().get("/api/status"),
        away.json(),
    ];
    assert!(
        said.iter().all(|said| !said.to_string().contains("very-secret")),
        "{said:?}"
    );
    redis.start_again();
    server.stop();
    let mut doctor = chatstats(&home, &["doctor"]);
    let doctor = finish(doctor.env("CHATSTATS_REDIS_URL", redis.url()));
    assert!(
        doctor
            .out
            .contains(&format!("in Redis at {}: 1 kept", redis.addr())),
        "{doctor:?}"
    );

    // Whoever has the wrong one is told so, and not which it was.
    let wrong = format!("redis://:another-secret@{}", redis.addr());
    let mut events = chatstats(&home, &["events", "len"]);
    let events = finish(events.env("CHATSTATS_REDIS_URL", &wrong));
    assert_eq!((events.code, events.out.as_str()), (Some(1), ""), "{events:?}");
    for text in [&doctor.out, &doctor.err, &events.err] {
        assert!(!text.contains("secret"), "{text}");
    }
    let logs = home
        .everything()
        .into_iter()
        .filter(|path| path.extension().is_some_and(|e| e == "log"));
    for log in logs.chain([home.stderr()]) {
        let text = std::fs::read_to_string(&log).expect("text");
        assert!(
            text.contains("listening"),
            "{}: nothing was logged",
            log.display()
        );
        assert!(
            !text.contains("very-secret"),
            "the password is in {}",
            log.display()
        );
    }
}

#[test]
fn an_address_of_redis_that_is_none_is_wrong_use_and_is_not_repeated() {
    let home = Home::new();
    for url in [
        "http://:secret@localhost",
        "localhost:6379",
        "redis://:secret@localhost:99999",
    ] {
        for arguments in [&["serve"] as &[&str], &["events", "len"]] {
            let ran = finish(chatstats(&home, arguments).args(["--redis-url", url]));
            assert_eq!((ran.code, ran.out.as_str()), (Some(2), ""), "{url} {ran:?}");
            assert!(
                ran.err.contains("--redis-url") && !ran.err.contains("secret"),
                "{ran:?}"
            );
        }
    }
    home.config("redis_url = \"nonsense\"\n");
    let ran = finish(&mut chatstats(&home, &["serve"]));
    assert!(
        ran.code == Some(2) && ran.err.contains("config.toml, redis_url"),
        "{ran:?}"
    );
}
