//! Ids, and who publishes.

use std::time::{Duration, Instant};

use chatstats_bus::{BusError, NewId, StreamId, Trim};

use super::{Engine, KEEP_ALL, add_at, fill, id, key, number, numbered};

/// A time that is still to come, in milliseconds: 2100.
const LATER_MS: u64 = 4_102_444_800_000;

pub(crate) async fn ids_grow_in_the_order_of_the_calls<E: Engine>() {
    let engine = E::start().await;
    let bus = engine.open(KEEP_ALL).await;
    let ids = fill(&bus, 0..2_000).await;
    assert!(ids.is_sorted_by(|a, b| a < b));
    let page = bus.range(&key(), .., 5_000).await.expect("read");
    let found: Vec<_> = page
        .entries
        .iter()
        .map(|entry| (entry.id, number(entry)))
        .collect();
    let wanted: Vec<_> = ids.into_iter().zip(0..).collect();
    assert_eq!(found, wanted);
}

pub(crate) async fn ids_go_on_when_the_clock_is_behind<E: Engine>() {
    let engine = E::start().await;
    let bus = engine.open(KEEP_ALL).await;
    add_at(&bus, id(LATER_MS, 5), numbered(0)).await;
    assert_eq!(fill(&bus, 1..3).await, [id(LATER_MS, 6), id(LATER_MS, 7)]);
}

pub(crate) async fn ids_go_on_upwards_after_a_restart<E: Engine>() {
    let engine = E::start().await;
    let bus = engine.open(KEEP_ALL).await;
    let before = fill(&bus, 0..10).await;
    bus.shutdown().await;
    drop(bus);

    let bus = engine.open(KEEP_ALL).await;
    let info = bus.info(&key()).await.expect("read");
    assert_eq!(Some(info.newest), before.last().copied());
    let after = fill(&bus, 10..11).await;
    assert!(after.first() > before.last());
    add_at(&bus, id(LATER_MS, 0), numbered(11)).await;
    assert_eq!(bus.trim(&key(), Trim::Exactly(0)).await.expect("trimmed"), 12);
    bus.shutdown().await;
    drop(bus);

    let bus = engine.open(KEEP_ALL).await;
    assert_eq!(
        fill(&bus, 12..13).await,
        [id(LATER_MS, 1)],
        "nothing was left to tell by"
    );
    assert_eq!(bus.len(&key()).await.expect("read"), 1);
}

pub(crate) async fn an_id_must_be_above_all_there_were<E: Engine>() {
    let engine = E::start().await;
    let bus = engine.open(KEEP_ALL).await;
    let refused = async |at: StreamId| {
        let added = bus.add(&key(), NewId::At(at), numbered(0)).expect("taken").await;
        matches!(added, Err(BusError::IdTooSmall { asked, .. }) if asked == at)
    };
    assert!(refused(StreamId::ZERO).await, "no entry's id");
    assert_eq!(bus.info(&key()).await.expect("read"), Default::default());
    add_at(&bus, id(0, 1), numbered(0)).await;
    add_at(&bus, id(5, 5), numbered(1)).await;
    for too_small in [id(5, 5), id(5, 4), id(0, 7), StreamId::ZERO] {
        assert!(refused(too_small).await, "{too_small}");
    }
    bus.trim(&key(), Trim::Exactly(0)).await.expect("trimmed");
    assert!(refused(id(5, 5)).await, "trimmed, but it was there");
    add_at(&bus, id(5, 6), numbered(2)).await;
    assert_eq!(bus.len(&key()).await.expect("read"), 1);
}

pub(crate) async fn a_refused_id_leaves_its_neighbours_alone<E: Engine>() {
    let engine = E::start().await;
    let bus = engine.open(KEEP_ALL).await;
    let ids = [id(1, 0), id(2, 0), id(1, 5), id(3, 0), id(0, 0), id(3, 1)];
    let submitted = ids.map(|at| bus.add(&key(), NewId::At(at), numbered(at.ms)).expect("taken"));
    let mut added = Vec::new();
    for submitted in submitted {
        added.push(submitted.await.ok());
    }
    let wanted = [Some(ids[0]), Some(ids[1]), None, Some(ids[3]), None, Some(ids[5])];
    assert_eq!(added, wanted);
    let page = bus.range(&key(), .., 10).await.expect("read");
    let found: Vec<_> = page.entries.iter().map(|entry| Some(entry.id)).collect();
    assert_eq!(
        found,
        wanted.into_iter().filter(Option::is_some).collect::<Vec<_>>()
    );
}

pub(crate) async fn a_full_millisecond_runs_over_into_the_next<E: Engine>() {
    let engine = E::start().await;
    let bus = engine.open(KEEP_ALL).await;
    add_at(&bus, id(LATER_MS, u64::MAX), numbered(0)).await;
    assert_eq!(fill(&bus, 1..2).await, [id(LATER_MS + 1, 0)]);
}

pub(crate) async fn the_last_id_can_be_used_and_then_no_other<E: Engine>() {
    let engine = E::start().await;
    let bus = engine.open(KEEP_ALL).await;
    add_at(&bus, StreamId::MAX.prev().expect("not the first"), numbered(0)).await;
    assert_eq!(fill(&bus, 1..2).await, [StreamId::MAX]);
    for asked in [NewId::Auto, NewId::At(StreamId::MAX), NewId::At(id(7, 7))] {
        let added = bus.add(&key(), asked, numbered(2)).expect("taken").await;
        assert!(matches!(added, Err(BusError::Exhausted)), "{added:?}");
    }
    let page = bus.range(&key(), StreamId::MAX.., 10).await.expect("read");
    assert_eq!(page.entries.len(), 1);
    let page = bus.rev_range(&key(), ..StreamId::MAX, 10).await.expect("read");
    assert_eq!(
        page.entries.iter().map(|entry| number(entry)).collect::<Vec<_>>(),
        [0]
    );
    assert_eq!(bus.trim(&key(), Trim::Exactly(1)).await.expect("trimmed"), 1);
    assert_eq!(bus.trim(&key(), Trim::Exactly(0)).await.expect("trimmed"), 1);
    assert_eq!(bus.info(&key()).await.expect("read").newest, StreamId::MAX);
}

pub(crate) async fn two_publishers_keep_their_orders<E: Engine>() {
    const EACH: u64 = 3_000;
    let engine = E::start().await;
    let bus = engine.open(KEEP_ALL).await;
    let other = engine.open_beside(&bus).await;
    let publish = |bus: chatstats_bus::Bus, first: u64| {
        tokio::spawn(async move { fill(&bus, first..first + EACH).await })
    };
    let (one, two) = tokio::join!(publish(bus.clone(), 0), publish(other, EACH));
    for ids in [one.expect("ran"), two.expect("ran")] {
        assert!(ids.is_sorted_by(|a, b| a < b));
    }
    let page = bus.range(&key(), .., 10_000).await.expect("read");
    let numbers: Vec<_> = page.entries.iter().map(|entry| number(entry)).collect();
    let (ones, twos): (Vec<_>, Vec<_>) = numbers.into_iter().partition(|number| *number < EACH);
    assert_eq!(ones, (0..EACH).collect::<Vec<_>>());
    assert_eq!(twos, (EACH..2 * EACH).collect::<Vec<_>>());
}

pub(crate) async fn what_was_submitted_before_a_shutdown_is_written<E: Engine>() {
    /// A shutdown waits no longer than two seconds for a server.
    const SURELY_WRITTEN: Duration = Duration::from_secs(1);
    let (engine, bus) = loop {
        let engine = E::start().await;
        let bus = engine.open(KEEP_ALL).await;
        let submit = |number| bus.add(&key(), NewId::Auto, numbered(number)).expect("taken");
        let submitted: Vec<_> = (0..1_000).map(submit).collect();
        let began = Instant::now();
        bus.shutdown().await;
        if began.elapsed() > SURELY_WRITTEN {
            // The machine stalls: nothing was promised.
            continue;
        }
        for added in submitted {
            added.await.expect("written before the end");
        }
        break (engine, bus);
    };
    let late = match bus.add(&key(), NewId::Auto, numbered(1_000)) {
        Ok(submitted) => submitted.await,
        Err(error) => Err(error),
    };
    assert!(matches!(late, Err(BusError::Closed)), "{late:?}");
    drop(bus);
    let bus = engine.open(KEEP_ALL).await;
    assert_eq!(bus.len(&key()).await.expect("read"), 1_000);
}
