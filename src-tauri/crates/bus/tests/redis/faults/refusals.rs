use chatstats_bus::{BusError, Start};

use super::witness::Witness;
use super::{problem, publish, soon, submit};
use crate::promises::{once_back, open, open_away};
use crate::servers::{Kind, Server, Setup};

const KEPT: u64 = 100_000;

/// Redis refuses to write, then no more; what was published in between is written in its order.
async fn refused_while(server: &Server, says: &str, begin: &[&str], end: &[&str]) {
    let bus = open(server, KEPT).await;
    let mut witness = Witness::follow(&bus, Start::Now).await;
    publish(&bus, 0..10).await;
    server.ask::<redis::Value>(begin).await;
    let waiting: Vec<_> = (10..1_000).map(|number| submit(&bus, number)).collect();
    let why = problem(&bus).await;
    assert!(why.contains(says), "{why}");
    assert!(bus.status().waiting > 0);
    server.ask::<redis::Value>(end).await;
    for one in waiting {
        soon(one).await.expect("written");
    }
    assert_eq!(witness.hear(999).await, Vec::from_iter(0..1_000));
    assert_eq!((witness.gaps, bus.status().problem), (0, None));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_memory_holds_events_back_and_loses_none() {
    for kind in [Kind::Redis, Kind::Valkey] {
        let server = Server::start(Setup::new(kind).with(["--maxmemory-policy", "noeviction"])).await;
        let full = ["CONFIG", "SET", "maxmemory", "1mb"];
        refused_while(&server, "OOM", &full, &["CONFIG", "SET", "maxmemory", "0"]).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_read_only_replica_holds_events_back_and_loses_none() {
    for kind in [Kind::Redis, Kind::Valkey] {
        let master = Server::start(Setup::new(kind)).await;
        let replica = Server::start(Setup::new(kind).replica_of(&master)).await;
        let bus = open(&replica, KEPT).await;
        let waiting: Vec<_> = (0..1_000).map(|number| submit(&bus, number)).collect();
        let why = problem(&bus).await;
        assert!(why.contains("READONLY"), "{why}");
        replica.ask::<redis::Value>(&["REPLICAOF", "NO", "ONE"]).await;
        for one in waiting {
            soon(one).await.expect("written");
        }
        let mut witness = Witness::follow(&bus, Start::After(chatstats_bus::StreamId::ZERO)).await;
        assert_eq!(witness.hear(999).await, Vec::from_iter(0..1_000));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_replica_that_may_not_be_written_can_be_followed() {
    let master = Server::start(Setup::new(Kind::Redis)).await;
    let replica = Server::start(Setup::new(Kind::Redis).replica_of(&master)).await;
    let (writes, reads) = (open(&master, KEPT).await, open(&replica, KEPT).await);
    publish(&writes, 0..10).await;
    master.ask::<i64>(&["WAIT", "1", "60000"]).await;
    let mut witness = Witness::follow(&reads, Start::After(chatstats_bus::StreamId::ZERO)).await;
    publish(&writes, 10..20).await;
    assert_eq!(witness.hear(19).await, Vec::from_iter(0..20));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_pause_delays_events_and_doubles_none() {
    for mode in ["ALL", "WRITE"] {
        let server = Server::start(Setup::new(Kind::Redis)).await;
        let bus = open(&server, KEPT).await;
        let mut witness = Witness::follow(&bus, Start::Now).await;
        publish(&bus, 0..10).await;
        // Longer than any reply is waited for.
        server
            .ask::<redis::Value>(&["CLIENT", "PAUSE", "8000", mode])
            .await;
        let waiting: Vec<_> = (10..1_000).map(|number| submit(&bus, number)).collect();
        for one in waiting {
            soon(one).await.expect("written");
        }
        assert_eq!(witness.hear(999).await, Vec::from_iter(0..1_000));
        assert_eq!(witness.gaps, 0);
        let length = once_back(async || bus.len(&chatstats_bus::StreamKey::events()).await).await;
        assert_eq!(length, 1_000, "none twice");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_reader_whose_connection_is_killed_goes_on_where_it_was() {
    for kind in [Kind::Redis, Kind::Valkey] {
        let server = Server::start(Setup::new(kind)).await;
        let bus = open(&server, KEPT).await;
        let mut witness = Witness::follow(&bus, Start::Now).await;
        for round in 0..10 {
            let first = round * 100;
            let waiting: Vec<_> = (first..first + 100).map(|number| submit(&bus, number)).collect();
            // All of them: the one that publishes as well.
            server.ask::<i64>(&["CLIENT", "KILL", "TYPE", "normal"]).await;
            for one in waiting {
                soon(one).await.expect("written");
            }
            witness.hear(first + 99).await;
        }
        assert_eq!(witness.hear(999).await, Vec::from_iter(0..1_000));
        assert_eq!(witness.gaps, 0);
        assert!(bus.status().reconnects > 0);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_wrong_password_is_said_and_the_right_one_is_taken_when_it_comes() {
    let server = Server::start(Setup::new(Kind::Redis).with_password("first")).await;
    let url = server.url_with(Some("second"));
    let bus = open_away(&url, KEPT).await;
    let why = problem(&bus).await;
    assert!(
        why.contains("authentication failed") && !why.contains("second"),
        "{why}"
    );
    let read = bus.len(&chatstats_bus::StreamKey::events()).await.err();
    assert!(matches!(read, Some(BusError::Away(_))), "{read:?}");
    let waiting = submit(&bus, 0);
    server
        .ask::<redis::Value>(&["CONFIG", "SET", "requirepass", "second"])
        .await;
    soon(waiting).await.expect("written");

    let without = open_away(&server.url_with(None), KEPT).await;
    let why = problem(&without).await;
    assert!(why.contains("NOAUTH"), "{why}");
}
