//! Passwords, TLS, a Unix socket, and how many connections there are.

use std::time::Duration;

use chatstats_bus::{Bus, BusError, Fields, Filter, Item, NewId, Start, StreamId, StreamKey};

use crate::contract::soon;
use crate::promises::{once_back, open, open_at, open_away};
use crate::servers::{Certificates, Kind, Server, Setup};

const KEPT: u64 = 100_000;

/// Writes, reads and follows.
async fn works(bus: &Bus) {
    let key = StreamKey::new("ways").expect("a name");
    let mut tail = once_back(async || bus.follow(&key, Filter::All, Start::Now).await).await;
    let fields = Fields::new([("a", "b")]).expect("small");
    let id = soon(bus.add(&key, NewId::Auto, fields.clone()).expect("room"))
        .await
        .expect("written");
    match soon(tail.recv()).await {
        Item::Entry(entry) => assert_eq!((entry.id, &entry.fields), (id, &fields)),
        Item::Notice(notice) => panic!("{notice:?}"),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_password_a_user_and_a_database_are_used_and_not_shown() {
    for kind in [Kind::Redis, Kind::Valkey] {
        let server = Server::start(Setup::new(kind).with_password("secret%/@")).await;
        let url = format!("redis://default:secret%25%2F%40@127.0.0.1:{}/3", server.port());
        let bus = open_at(&url, KEPT).await;
        works(&bus).await;
        let shown = format!("127.0.0.1:{}/3", server.port());
        assert_eq!(bus.status().address, Some(shown));
        let clients: String = server.ask(&["CLIENT", "LIST"]).await;
        assert!(clients.contains("db=3"), "{clients}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_unix_socket_works() {
    let server = Server::start(Setup::new(Kind::Redis)).await;
    let bus = open_at(&server.unix_url(), KEPT).await;
    works(&bus).await;
    assert!(bus.status().address.expect("one").ends_with("/socket"));
    // Connections of one socket share an address: those that end are told apart by their number.
    server.ask::<i64>(&["CLIENT", "KILL", "TYPE", "normal"]).await;
    works(&bus).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tls_works_with_an_authority_that_is_named_and_not_with_one_that_nobody_knows() {
    let certificates = Certificates::make();
    let server = Server::start(
        Setup::new(Kind::Redis)
            .with_tls(certificates)
            .with_password("secret"),
    )
    .await;
    let bus = open(&server, KEPT).await;
    works(&bus).await;

    let unknown = format!("rediss://:secret@127.0.0.1:{}", server.port());
    let bus = open_away(&unknown, KEPT).await;
    let key = StreamKey::events();
    let read = bus.len(&key).await.err();
    assert!(
        matches!(&read, Some(BusError::Away(why)) if why.contains("certificate")),
        "{read:?}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_thousand_followers_use_two_connections() {
    let server = Server::start(Setup::new(Kind::Redis)).await;
    let bus = open(&server, KEPT).await;
    let key = StreamKey::events();
    let mut tails = Vec::new();
    for number in 0..1_000 {
        let filter = match number % 2 {
            0 => Filter::All,
            _ => Filter::Events {
                scope: Some(format!("chat:{number}")),
                run_id: None,
            },
        };
        let start = if number % 3 == 0 {
            Start::Now
        } else {
            Start::After(StreamId::ZERO)
        };
        tails.push(bus.follow(&key, filter, start).await.expect("followed"));
    }
    let fields = Fields::new([("type", "t"), ("scope", "chat:999")]).expect("small");
    soon(bus.add(&key, NewId::Auto, fields).expect("room"))
        .await
        .expect("written");
    for tail in tails.iter_mut().step_by(2) {
        assert!(matches!(soon(tail.recv()).await, Item::Entry(_)));
    }
    assert!(matches!(soon(tails[999].recv()).await, Item::Entry(_)));
    assert_eq!(bus.status().subscribers, 1_000);
    let connections = server.bus_connections().await;
    assert_eq!(connections.len(), 2, "{connections:#?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn too_many_streams_are_refused_and_those_that_nobody_follows_make_room() {
    let server = Server::start(Setup::new(Kind::Redis)).await;
    let bus = open(&server, KEPT).await;
    let follow = async |number: usize| {
        let key = StreamKey::new(&format!("stream:{number}")).expect("a name");
        bus.follow(&key, Filter::All, Start::Now).await
    };
    let mut tails = Vec::new();
    let refused = loop {
        match follow(tails.len()).await {
            Ok(tail) => tails.push(tail),
            Err(error) => break error,
        }
    };
    assert!(matches!(refused, BusError::TooManyStreams(64)), "{refused}");
    assert_eq!(tails.len(), 64);
    tails.truncate(10);
    follow(1_000).await.expect("there is room");
    // The connections of those that left go, too.
    soon(async {
        while server.bus_connections().await.len() > 12 {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    })
    .await;
}
