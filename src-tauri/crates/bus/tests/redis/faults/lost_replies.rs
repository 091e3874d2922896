use std::collections::VecDeque;
use std::time::{Duration, Instant};

use chatstats_bus::{Bus, BusError, Fields, NewId, Start, StreamId, StreamKey, Submitted};

use super::witness::{Witness, number};
use super::{publish, soon, submit};
use crate::promises::{once_back, open_at};
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
    let kept = once_back(async || bus.range(&StreamKey::events(), .., 1_000).await)
        .await
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
    assert_eq!(
        once_back(async || bus.len(&StreamKey::events()).await).await,
        count
    );
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
        assert_eq!(
            once_back(async || bus.len(&StreamKey::events()).await).await,
            20_000
        );
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
        assert_eq!(once_back(async || bus.len(&StreamKey::events()).await).await, 20);
    }
}

/// What happens while a reply is held must take less: the bus waits three seconds for it.
const WHILE_HELD: Duration = Duration::from_secs(2);

/// Adds something whose reply is held while the server is told something, and answers what came of it. Tries again on a
/// machine that stalled meanwhile.
async fn told_while_held(
    key: &StreamKey,
    words: &[&str],
    add: impl Fn(&Bus, u64) -> Submitted,
) -> (Server, Proxy, Bus, Result<StreamId, BusError>) {
    loop {
        let server = Server::start(Setup::new(Kind::Redis)).await;
        let proxy = Proxy::before(&server).await;
        let bus = open_at(&proxy.url(), KEPT).await;
        soon(add(&bus, 1)).await.expect("written");
        let began = Instant::now();
        proxy.play(Trick::HoldReply);
        let lost = add(&bus, 2);
        proxy.played(1).await;
        soon(async { while server.ask::<u64>(&["XLEN", key.as_str()]).await < 2 {} }).await;
        server.ask::<redis::Value>(words).await;
        let took = began.elapsed();
        proxy.release();
        let outcome = soon(lost).await;
        if took < WHILE_HELD {
            return (server, proxy, bus, outcome);
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn where_the_place_of_a_lost_batch_is_trimmed_away_nobody_claims_to_know() {
    let trim = ["XTRIM", chatstats_bus::EVENTS_STREAM, "MAXLEN", "0"];
    let (_server, _proxy, bus, outcome) = told_while_held(&StreamKey::events(), &trim, submit).await;
    assert!(matches!(outcome, Err(BusError::Uncertain)), "{outcome:?}");
    publish(&bus, 11..20).await;
}

fn numbered() -> StreamKey {
    StreamKey::new("numbered").expect("a name")
}

fn add_at(bus: &Bus, ms: u64) -> Submitted {
    let fields = Fields::new([("n", ms.to_string())]).expect("small");
    bus.add(&numbered(), NewId::At(StreamId::new(ms, 0)), fields)
        .expect("room")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lost_reply_is_found_out_for_ids_of_ones_own() {
    let server = Server::start(Setup::new(Kind::Redis)).await;
    let proxy = Proxy::before(&server).await;
    let bus = open_at(&proxy.url(), KEPT).await;
    assert_eq!(soon(add_at(&bus, 5)).await.expect("written"), StreamId::new(5, 0));
    proxy.play(Trick::DropReply);
    assert_eq!(soon(add_at(&bus, 6)).await.expect("written"), StreamId::new(6, 0));
    let small = soon(add_at(&bus, 6)).await.err();
    assert!(matches!(small, Some(BusError::IdTooSmall { newest, .. }) if newest == StreamId::new(6, 0)));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lost_reply_is_found_out_for_a_stream_that_was_replaced() {
    let key = numbered();
    let (_server, _proxy, bus, outcome) = told_while_held(&key, &["DEL", "numbered"], add_at).await;
    // What was written is gone, and nobody was told of it: it is written to the new stream.
    assert_eq!(outcome.expect("written"), StreamId::new(2, 0));
    assert_eq!(once_back(async || bus.len(&key).await).await, 1);

    let set = ["SET", "numbered", "a string"];
    let (_server, _proxy, _bus, outcome) = told_while_held(&key, &set, add_at).await;
    assert!(matches!(outcome, Err(BusError::WrongType(_))), "{outcome:?}");
}
