use std::collections::VecDeque;

use chatstats_bus::{BusError, Fields, NewId, Start, StreamId, StreamKey};

use super::witness::{Witness, number};
use super::{publish, soon, submit};
use crate::promises::open_at;
use crate::servers::{Kind, Proxy, Server, Setup, Trick};

const KEPT: u64 = 100_000;

/// Plays a trick on a batch, and finds each event once, in the log and at a follower.
async fn exact_after(kind: Kind, trick: Trick) {
    let server = Server::start(Setup::new(kind)).await;
    let proxy = Proxy::before(&server).await;
    let bus = open_at(&proxy.url(), KEPT).await;
    let mut witness = Witness::follow(&bus, Start::Now).await;
    for round in 0..5 {
        let first = round * 100;
        publish(&bus, first..first + 50).await;
        proxy.play(trick);
        let waiting: Vec<_> = (first + 50..first + 100)
            .map(|number| submit(&bus, number))
            .collect();
        for one in waiting {
            soon(one).await.expect("written");
        }
        proxy.played(round as usize + 1).await;
    }
    assert_eq!(
        witness.hear(499).await,
        Vec::from_iter(0..500),
        "{kind:?} {trick:?}"
    );
    assert_eq!(witness.gaps, 0);
    let kept = bus
        .range(&StreamKey::events(), .., 1_000)
        .await
        .expect("read")
        .entries;
    let kept: Vec<_> = kept.iter().map(|entry| number(entry)).collect();
    assert_eq!(kept, Vec::from_iter(0..500), "{kind:?} {trick:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_reply_that_is_dropped_makes_no_duplicate() {
    exact_after(Kind::Redis, Trick::DropReply).await;
    exact_after(Kind::Valkey, Trick::DropReply).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_reply_that_is_cut_in_its_middle_makes_no_duplicate() {
    exact_after(Kind::Redis, Trick::CutReply).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_batch_that_is_cut_in_its_middle_is_written_as_a_whole_later() {
    exact_after(Kind::Redis, Trick::CutRequest).await;
}

/// Set it to repeat a run that failed: the test prints its seed.
const SEED_VARIABLE: &str = "CHATSTATS_TEST_SEED";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whatever_happens_to_connections_each_event_is_there_once_and_in_order() {
    let given = std::env::var(SEED_VARIABLE)
        .ok()
        .and_then(|seed| seed.parse().ok());
    let mut seed: u64 = given.unwrap_or_else(|| getrandom::u64().expect("randomness"));
    println!("seed: {SEED_VARIABLE}={seed}");
    let mut below = |end: u64| {
        // Knuth's MMIX generator; its high bits are random enough for this.
        seed = seed
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (seed >> 33) % end
    };
    let server = Server::start(Setup::new(Kind::Redis)).await;
    let proxy = Proxy::before(&server).await;
    let bus = open_at(&proxy.url(), KEPT).await;
    let mut witness = Witness::follow(&bus, Start::Now).await;
    let mut waiting = Vec::new();
    for _ in 0..100 {
        for _ in 0..=below(200) {
            waiting.push(submit(&bus, waiting.len() as u64));
        }
        match below(6) {
            0 => proxy.play(Trick::DropReply),
            1 => proxy.play(Trick::CutReply),
            2 => proxy.play(Trick::CutRequest),
            3 => drop(server.ask::<i64>(&["CLIENT", "KILL", "TYPE", "normal"]).await),
            // So far all is well.
            _ => witness.hear_some(below(100)).await,
        }
    }
    let count = waiting.len() as u64;
    for one in waiting {
        soon(one).await.expect("written");
    }
    assert_eq!(witness.hear(count - 1).await, Vec::from_iter(0..count));
    assert_eq!(witness.gaps, 0);
    assert_eq!(bus.len(&StreamKey::events()).await.expect("read"), count);
}

/// Each batch is full, and the next is made ready while one is under way.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn under_full_load_a_lost_reply_makes_no_duplicate_and_nothing_overtakes() {
    for (kind, trick) in [
        (Kind::Redis, Trick::DropReply),
        (Kind::Valkey, Trick::CutReply),
        (Kind::Redis, Trick::CutRequest),
    ] {
        let server = Server::start(Setup::new(kind)).await;
        let proxy = Proxy::before(&server).await;
        let bus = open_at(&proxy.url(), KEPT).await;
        let mut witness = Witness::follow(&bus, Start::Now).await;
        let mut waiting = VecDeque::new();
        for number in 0..20_000 {
            if waiting.len() == 3_000 {
                let oldest: Option<chatstats_bus::Submitted> = waiting.pop_front();
                soon(oldest.expect("there are some")).await.expect("written");
            }
            waiting.push_back(submit(&bus, number));
            if number % 4_000 == 3_500 {
                proxy.play(trick);
            }
        }
        for one in waiting {
            soon(one).await.expect("written");
        }
        assert_eq!(
            witness.hear(19_999).await,
            Vec::from_iter(0..20_000),
            "{kind:?} {trick:?}"
        );
        assert_eq!(witness.gaps, 0);
        assert_eq!(bus.len(&StreamKey::events()).await.expect("read"), 20_000);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_batch_that_was_held_up_on_its_way_cannot_arrive_after_it_was_sent_again() {
    for kind in [Kind::Redis, Kind::Valkey] {
        let server = Server::start(Setup::new(kind)).await;
        let proxy = Proxy::before(&server).await;
        let bus = open_at(&proxy.url(), KEPT).await;
        publish(&bus, 0..10).await;
        proxy.play(Trick::DelayRequest);
        let late = submit(&bus, 10);
        proxy.played(1).await;
        soon(late).await.expect("written over another connection");
        proxy.release();
        publish(&bus, 11..20).await;
        assert_eq!(bus.len(&StreamKey::events()).await.expect("read"), 20);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn where_the_place_of_a_lost_batch_is_trimmed_away_nobody_claims_to_know() {
    let server = Server::start(Setup::new(Kind::Redis)).await;
    let proxy = Proxy::before(&server).await;
    let bus = open_at(&proxy.url(), KEPT).await;
    publish(&bus, 0..10).await;
    proxy.play(Trick::HoldReply);
    let lost = submit(&bus, 10);
    proxy.played(1).await;
    server
        .ask::<u64>(&["XTRIM", chatstats_bus::EVENTS_STREAM, "MAXLEN", "0"])
        .await;
    proxy.release();
    let outcome = soon(lost).await;
    assert!(matches!(outcome, Err(BusError::Uncertain)), "{outcome:?}");
    publish(&bus, 11..20).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lost_reply_is_found_out_for_ids_of_ones_own_and_for_a_stream_that_was_replaced() {
    let server = Server::start(Setup::new(Kind::Redis)).await;
    let proxy = Proxy::before(&server).await;
    let bus = open_at(&proxy.url(), KEPT).await;
    let key = StreamKey::new("numbered").expect("a name");
    let add = |ms: u64| {
        let fields = Fields::new([("n", ms.to_string())]).expect("small");
        bus.add(&key, NewId::At(StreamId::new(ms, 0)), fields)
            .expect("room")
    };
    assert_eq!(soon(add(5)).await.expect("written"), StreamId::new(5, 0));
    proxy.play(Trick::DropReply);
    assert_eq!(soon(add(6)).await.expect("written"), StreamId::new(6, 0));
    let small = soon(add(6)).await.err();
    assert!(matches!(small, Some(BusError::IdTooSmall { newest, .. }) if newest == StreamId::new(6, 0)));

    proxy.play(Trick::HoldReply);
    let lost = add(7);
    proxy.played(2).await;
    server.ask::<u64>(&["DEL", "numbered"]).await;
    proxy.release();
    // What was written is gone, and nobody was told of it: it is written to the new stream.
    assert_eq!(soon(lost).await.expect("written"), StreamId::new(7, 0));
    assert_eq!(bus.len(&key).await.expect("read"), 1);

    proxy.play(Trick::HoldReply);
    let lost = add(8);
    proxy.played(3).await;
    server.ask::<redis::Value>(&["SET", "numbered", "a string"]).await;
    proxy.release();
    let outcome = soon(lost).await;
    assert!(matches!(outcome, Err(BusError::WrongType(_))), "{outcome:?}");
}
