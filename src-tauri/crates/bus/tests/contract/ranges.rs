//! Reading stretches of a stream.

use std::ops::Bound::{self, Excluded, Included, Unbounded};

use chatstats_bus::{Fields, NewId, StreamId, StreamInfo, StreamKey};

use super::{Engine, KEEP_ALL, add_at, fill, id, key, number, numbered};

pub(crate) async fn ranges_take_bounds_and_counts_both_ways<E: Engine>() {
    let engine = E::start().await;
    let bus = engine.open(KEEP_ALL).await;
    let ids = [id(1, 0), id(1, 1), id(2, 0), id(3, u64::MAX), id(4, 0)];
    for (at, number) in ids.into_iter().zip(0..) {
        add_at(&bus, at, numbered(number)).await;
    }
    let (min, max) = (StreamId::ZERO, StreamId::MAX);
    type Bounds = (Bound<StreamId>, Bound<StreamId>);
    let cases: [(Bounds, usize, &[u64], bool); 20] = [
        ((Unbounded, Unbounded), 10, &[0, 1, 2, 3, 4], false),
        ((Unbounded, Unbounded), 5, &[0, 1, 2, 3, 4], false),
        ((Unbounded, Unbounded), 2, &[0, 1], true),
        ((Unbounded, Unbounded), 0, &[], false),
        ((Included(min), Included(max)), 10, &[0, 1, 2, 3, 4], false),
        ((Excluded(min), Excluded(max)), 10, &[0, 1, 2, 3, 4], false),
        ((Excluded(max), Unbounded), 10, &[], false),
        ((Unbounded, Excluded(min)), 10, &[], false),
        ((Included(ids[1]), Included(ids[3])), 10, &[1, 2, 3], false),
        ((Excluded(ids[1]), Included(ids[3])), 10, &[2, 3], false),
        ((Included(ids[1]), Excluded(ids[3])), 10, &[1, 2], false),
        ((Excluded(ids[1]), Excluded(ids[3])), 10, &[2], false),
        ((Excluded(ids[3]), Included(ids[4])), 10, &[4], false),
        ((Included(ids[2]), Included(ids[2])), 10, &[2], false),
        ((Included(ids[2]), Included(ids[2])), 1, &[2], false),
        ((Excluded(ids[1]), Excluded(ids[2])), 10, &[], false),
        ((Included(id(1, 2)), Included(id(1, 9))), 10, &[], false),
        ((Included(id(1, 1)), Unbounded), 3, &[1, 2, 3], true),
        ((Included(ids[3]), Included(ids[1])), 10, &[], false),
        ((Included(id(9, 9)), Unbounded), 10, &[], false),
    ];
    for (bounds, count, wanted, more) in cases {
        let page = bus.range(&key(), bounds, count).await.expect("read");
        let numbers: Vec<_> = page.entries.iter().map(|entry| number(entry)).collect();
        assert_eq!(
            (numbers.as_slice(), page.more),
            (wanted, more),
            "{bounds:?} {count}"
        );

        let page = bus.rev_range(&key(), bounds, count).await.expect("read");
        let numbers: Vec<_> = page.entries.iter().map(|entry| number(entry)).collect();
        let all = bus.range(&key(), bounds, 10).await.expect("read").entries;
        let wanted: Vec<_> = all.iter().rev().map(|entry| number(entry)).take(count).collect();
        assert_eq!((numbers, page.more), (wanted, more), "reverse {bounds:?} {count}");
    }
}

pub(crate) async fn pages_in_a_row_are_the_whole_stream<E: Engine>() {
    const ENTRIES: u64 = 20_000;
    let engine = E::start().await;
    let bus = engine.open(KEEP_ALL).await;
    fill(&bus, 0..ENTRIES).await;

    let (mut found, mut after) = (Vec::new(), StreamId::ZERO);
    loop {
        let page = bus
            .range(&key(), (Excluded(after), Unbounded), 777)
            .await
            .expect("read");
        found.extend(page.entries.iter().map(|entry| number(entry)));
        let Some(last) = page.entries.last() else { break };
        assert_eq!(page.more, found.len() < ENTRIES as usize);
        after = last.id;
    }
    assert_eq!(found, (0..ENTRIES).collect::<Vec<_>>());

    let (mut found, mut before) = (Vec::new(), StreamId::MAX);
    loop {
        let page = bus.rev_range(&key(), ..before, 777).await.expect("read");
        found.extend(page.entries.iter().map(|entry| number(entry)));
        let Some(last) = page.entries.last() else { break };
        assert_eq!(page.more, found.len() < ENTRIES as usize);
        before = last.id;
    }
    assert_eq!(found, (0..ENTRIES).rev().collect::<Vec<_>>());
}

pub(crate) async fn large_entries_make_pages_short<E: Engine>() {
    let engine = E::start().await;
    let bus = engine.open(KEEP_ALL).await;
    let large = |n: u64| Fields::new([("n", n.to_string()), ("x", "x".repeat(3 << 20))]).expect("fits");
    for n in 0..5 {
        bus.add(&key(), NewId::Auto, large(n))
            .expect("taken")
            .await
            .expect("added");
    }
    let (mut found, mut after, mut pages) = (Vec::new(), StreamId::ZERO, 0);
    loop {
        let page = bus
            .range(&key(), (Excluded(after), Unbounded), 100)
            .await
            .expect("read");
        let Some(last) = page.entries.last() else { break };
        after = last.id;
        pages += 1;
        found.extend(page.entries.iter().map(|entry| number(entry)));
        assert_eq!(page.more, found.len() < 5, "after {found:?}");
    }
    assert_eq!(found, [0, 1, 2, 3, 4]);
    assert!(pages > 1, "15 MiB in one page");
}

pub(crate) async fn streams_are_apart_and_one_never_written_is_empty<E: Engine>() {
    let engine = E::start().await;
    let bus = engine.open(KEEP_ALL).await;
    let others = [
        "contract:stream ",
        "contract:strea",
        "Contract:stream",
        "Ω:*?[x]\\ \n",
        "0",
    ];
    fill(&bus, 0..3).await;
    for name in others {
        let other = StreamKey::new(name).expect("short enough");
        assert_eq!(
            bus.info(&other).await.expect("read"),
            StreamInfo::default(),
            "{name}"
        );
        let page = bus.range(&other, .., 10).await.expect("read");
        assert!(page.entries.is_empty() && !page.more);
        let page = bus.rev_range(&other, .., 10).await.expect("read");
        assert!(page.entries.is_empty() && !page.more);
        let trimmed = bus.trim(&other, chatstats_bus::Trim::Exactly(0)).await;
        assert_eq!(trimmed.expect("nothing to do"), 0);
        let at = NewId::At(id(1, 1));
        bus.add(&other, at, numbered(9))
            .expect("taken")
            .await
            .expect("added");
    }
    assert_eq!(bus.len(&key()).await.expect("read"), 3);
    for name in others {
        let other = StreamKey::new(name).expect("short enough");
        assert_eq!(bus.len(&other).await.expect("read"), 1, "{name}");
    }
}
