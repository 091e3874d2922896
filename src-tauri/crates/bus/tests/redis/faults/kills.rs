use chatstats_bus::{Bus, BusError, Filter, RedisSettings, Settings, Start, StreamKey};
use tokio::sync::watch;

use super::witness::{Witness, number};
use super::{problem, publish, soon, submit, try_submit};
use crate::promises::{open, open_away};
use crate::servers::{Kind, Server, Setup};

const KEPT: u64 = 100_000;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stream_of_600_events_over_two_kills_is_exact() {
    for kind in [Kind::Redis, Kind::Valkey] {
        let mut server = Server::start(Setup::new(kind).durable()).await;
        let bus = open(&server, KEPT).await;
        let mut witness = Witness::follow(&bus, Start::Now).await;
        // As many as may be published: what is heard of next must not be over before it is listened for.
        let (allow, mut allowed) = watch::channel(300);
        let publisher = tokio::spawn({
            let bus = bus.clone();
            async move {
                for number in 0..600 {
                    allowed
                        .wait_for(|end| number < *end)
                        .await
                        .expect("the test goes on");
                    soon(submit(&bus, number))
                        .await
                        .expect("written, sooner or later");
                }
            }
        });
        for (at, end) in [(150, 500), (400, 600)] {
            witness.hear(at).await;
            server.kill();
            witness.hear_away().await;
            server.restart().await;
            allow.send_replace(end);
        }
        let heard = witness.hear(599).await;
        assert_eq!(heard, Vec::from_iter(0..600));
        assert_eq!((witness.gaps, witness.aways), (0, 2), "told once each time");
        publisher.await.expect("no panic");
        let kept = bus
            .range(&StreamKey::events(), .., 1_000)
            .await
            .expect("read")
            .entries;
        let kept: Vec<_> = kept.iter().map(|entry| number(entry)).collect();
        assert_eq!(kept, Vec::from_iter(0..600), "once each in the log");
        assert!(bus.status().reconnects >= 2);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_published_while_redis_is_down_comes_in_order_once_it_is_back() {
    let mut server = Server::start(Setup::new(Kind::Redis).durable()).await;
    let bus = open(&server, KEPT).await;
    let mut witness = Witness::follow(&bus, Start::Now).await;
    publish(&bus, 0..10).await;
    witness.hear(9).await;
    server.kill();
    witness.hear_away().await;
    let waiting: Vec<_> = (10..5_000).map(|number| submit(&bus, number)).collect();
    problem(&bus).await;
    assert!(bus.status().waiting >= 4_990 - 512);
    server.restart().await;
    for one in waiting {
        soon(one).await.expect("written");
    }
    assert_eq!(witness.hear(4_999).await, Vec::from_iter(0..5_000));
    assert_eq!(bus.status().waiting, 0);
    assert_eq!(bus.status().problem, None);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_restart_without_data_is_a_gap_and_nothing_acknowledged_after_it_is_missing() {
    let mut server = Server::start(Setup::new(Kind::Redis).durable()).await;
    let bus = open(&server, KEPT).await;
    let mut witness = Witness::follow(&bus, Start::Now).await;
    publish(&bus, 0..100).await;
    witness.hear(99).await;
    server.kill();
    server.lose_data();
    let waiting: Vec<_> = (100..200).map(|number| submit(&bus, number)).collect();
    server.restart().await;
    for one in waiting {
        soon(one).await.expect("written");
    }
    assert_eq!(witness.hear_gap().await, Vec::from_iter(0..100));
    assert_eq!(witness.hear(199).await, Vec::from_iter(100..200));
    assert_eq!(witness.gaps, 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_redis_that_is_not_there_yet_is_waited_for() {
    let mut server = Server::start(Setup::new(Kind::Redis)).await;
    server.kill();
    let bus = open_away(&server.url(), KEPT).await;
    let why = problem(&bus).await;
    assert!(why.contains("refused"), "{why}");
    // Nobody begins to follow, so that whoever asks can say so before a stream begins.
    let key = StreamKey::events();
    let followed = bus.follow(&key, Filter::All, Start::Now).await.err();
    assert!(matches!(followed, Some(BusError::Away(_))), "{followed:?}");
    let read = bus.range(&key, .., 10).await.err();
    assert!(matches!(read, Some(BusError::Away(_))), "{read:?}");
    let waiting: Vec<_> = (0..10).map(|number| submit(&bus, number)).collect();
    server.restart().await;
    for one in waiting {
        soon(one).await.expect("written");
    }
    let mut witness = Witness::follow(&bus, Start::After(chatstats_bus::StreamId::ZERO)).await;
    assert_eq!(witness.hear(9).await, Vec::from_iter(0..10));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn past_the_bound_publishing_fails_loudly_and_what_was_taken_is_written() {
    let mut server = Server::start(Setup::new(Kind::Redis)).await;
    server.kill();
    let bus = open_away(&server.url(), 1_000_000).await;
    let mut waiting = Vec::new();
    let refused = loop {
        match try_submit(&bus, waiting.len() as u64) {
            Ok(one) => waiting.push(one),
            Err(error) => break error,
        }
    };
    assert!(
        matches!(refused, BusError::Full { waiting: 100_000 }),
        "{refused}"
    );
    server.restart().await;
    for one in waiting {
        soon(one).await.expect("written");
    }
    assert_eq!(bus.len(&StreamKey::events()).await.expect("read"), 100_000);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_shutdown_does_not_wait_for_a_redis_that_is_away() {
    let mut server = Server::start(Setup::new(Kind::Redis)).await;
    let bus = open(&server, KEPT).await;
    server.kill();
    let waiting = submit(&bus, 0);
    soon(bus.shutdown()).await;
    assert!(matches!(soon(waiting).await, Err(BusError::Closed)));
    assert!(matches!(try_submit(&bus, 1), Err(BusError::Closed)));
}

#[tokio::test]
async fn an_address_that_is_none_is_said_at_once() {
    let settings = RedisSettings {
        url: "http://localhost".to_owned(),
        kept: KEPT,
    };
    let opened = Bus::open(Settings::Redis(settings)).await.err();
    assert!(matches!(opened, Some(BusError::Address(_))), "{opened:?}");
}
