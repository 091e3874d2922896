use chatstats_bus::{BusError, Fields, NewId, Start, StreamId, StreamKey};

use super::witness::Witness;
use super::{publish, soon};
use crate::promises::open;
use crate::servers::{Kind, Server, Setup};

const KEPT: u64 = 100_000;
const KEY: &str = chatstats_bus::EVENTS_STREAM;

/// A stream that was followed up to 99 is lost, and 100 to 199 are published after it.
async fn lose_by(commands: &[&[&str]]) {
    for kind in [Kind::Redis, Kind::Valkey] {
        let server = Server::start(Setup::new(kind)).await;
        let bus = open(&server, KEPT).await;
        let mut witness = Witness::follow(&bus, Start::Now).await;
        publish(&bus, 0..100).await;
        witness.hear(99).await;
        for command in commands {
            server.ask::<redis::Value>(command).await;
        }
        publish(&bus, 100..200).await;
        witness.hear_gap().await;
        publish(&bus, 200..300).await;
        let heard = witness.hear(299).await;
        assert_eq!(heard.last(), Some(&299));
        assert_eq!(witness.gaps, 1, "{commands:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn flushall_is_told_as_a_gap() {
    lose_by(&[&["FLUSHALL"]]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn del_is_told_as_a_gap() {
    lose_by(&[&["DEL", KEY]]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rename_away_is_told_as_a_gap() {
    lose_by(&[&["RENAME", KEY, "elsewhere"]]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn another_stream_in_the_place_of_ours_is_told_as_a_gap() {
    lose_by(&[&["XADD", "other", "1-1", "n", "99"], &["RENAME", "other", KEY]]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stream_that_stays_deleted_is_told_without_anything_new() {
    let server = Server::start(Setup::new(Kind::Redis)).await;
    let bus = open(&server, KEPT).await;
    let mut witness = Witness::follow(&bus, Start::Now).await;
    publish(&bus, 0..10).await;
    witness.hear(9).await;
    server.ask::<redis::Value>(&["DEL", KEY]).await;
    assert_eq!(witness.hear_gap().await, Vec::from_iter(0..10));
    // The new stream's ids may be below those of the old one.
    server.ask::<String>(&["XADD", KEY, "5-5", "n", "70"]).await;
    assert_eq!(witness.hear(70).await, [70]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn entries_that_are_trimmed_or_deleted_before_they_are_read_are_a_gap_before_what_follows() {
    for gone in [
        ["XTRIM", KEY, "MAXLEN", "0"],
        ["XDEL", KEY, "9999999999999-1", "1-1"],
    ] {
        let server = Server::start(Setup::new(Kind::Redis)).await;
        let bus = open(&server, KEPT).await;
        let mut witness = Witness::follow(&bus, Start::Now).await;
        server
            .ask::<String>(&["XADD", KEY, "9999999999999-0", "n", "0"])
            .await;
        witness.hear(0).await;
        // In one step, so that no reader can come between.
        let mut step = redis::pipe();
        step.atomic();
        step.cmd("XADD").arg(KEY).arg("9999999999999-1").arg("n").arg(1);
        step.cmd(gone[0]).arg(&gone[1..]);
        step.cmd("XADD").arg(KEY).arg("9999999999999-2").arg("n").arg(2);
        server.ask_all(&step).await;
        assert_eq!(witness.hear_gap().await, [0], "{gone:?}");
        assert_eq!(witness.hear(2).await, [2]);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_key_of_another_type_is_said_and_waited_out() {
    let server = Server::start(Setup::new(Kind::Redis)).await;
    let bus = open(&server, KEPT).await;
    let mut witness = Witness::follow(&bus, Start::Now).await;
    publish(&bus, 0..10).await;
    witness.hear(9).await;
    server.ask::<redis::Value>(&["SET", KEY, "a string"]).await;
    let why = witness.hear_away().await;
    assert!(why.contains("not a stream"), "{why}");
    let key = StreamKey::events();
    let fields = Fields::new([("n", "10")]).expect("small");
    let added = soon(bus.add(&key, NewId::Auto, fields).expect("room")).await;
    assert!(matches!(added, Err(BusError::WrongType(_))), "{added:?}");
    let read = bus.range(&key, .., 1).await.err();
    assert!(matches!(read, Some(BusError::WrongType(_))), "{read:?}");
    // Other streams go on.
    let other = StreamKey::new("other").expect("a name");
    let fields = Fields::new([("n", "10")]).expect("small");
    soon(bus.add(&other, NewId::Auto, fields).expect("room"))
        .await
        .expect("written");

    server.ask::<redis::Value>(&["DEL", KEY]).await;
    publish(&bus, 20..30).await;
    witness.hear_gap().await;
    witness.hear(29).await;
    let (gaps, aways) = (witness.gaps, witness.aways);
    assert_eq!((gaps, aways), (1, 1));
    assert_eq!(
        bus.info(&key).await.expect("read").trimmed_through,
        StreamId::ZERO
    );
}
