//! Streams are kept short.

use chatstats_bus::{StreamInfo, Trim};

use super::{Engine, KEEP_ALL, fill, key, number};

/// How many more than asked an engine may keep where it trims about: it drops what is stored together.
const ABOUT: u64 = 2_048;

pub(crate) async fn trimming_exactly_keeps_just_so_many<E: Engine>() {
    let engine = E::start().await;
    let bus = engine.open(KEEP_ALL).await;
    let ids = fill(&bus, 0..1_000).await;
    assert_eq!(bus.trim(&key(), Trim::Exactly(2_000)).await.expect("trimmed"), 0);
    for keep in [1_000, 999, 990, 501, 500, 3, 1] {
        let before = bus.len(&key()).await.expect("read");
        let trimmed = bus.trim(&key(), Trim::Exactly(keep)).await.expect("trimmed");
        assert_eq!(trimmed, before - keep);
        let info = bus.info(&key()).await.expect("read");
        let oldest = 1_000 - keep as usize;
        assert_eq!(info.length, keep);
        assert_eq!((info.first, info.last), (Some(ids[oldest]), Some(ids[999])));
        assert_eq!(info.newest, ids[999]);
        assert!(oldest == 0 || info.trimmed_through >= ids[oldest - 1]);
        assert!(info.trimmed_through < ids[oldest]);
        let page = bus.range(&key(), .., 2_000).await.expect("read");
        let numbers: Vec<_> = page.entries.iter().map(|entry| number(entry)).collect();
        assert_eq!(numbers, (oldest as u64..1_000).collect::<Vec<_>>());
        let page = bus.rev_range(&key(), .., 2_000).await.expect("read");
        assert_eq!(page.entries.len() as u64, keep);
    }
}

pub(crate) async fn trimming_about_keeps_a_few_more<E: Engine>() {
    let engine = E::start().await;
    let bus = engine.open(KEEP_ALL).await;
    fill(&bus, 0..10_000).await;
    let trimmed = bus.trim(&key(), Trim::About(2_000)).await.expect("trimmed");
    let length = bus.len(&key()).await.expect("read");
    assert_eq!(length + trimmed, 10_000);
    assert!((2_000..=2_000 + ABOUT).contains(&length), "{length}");
    let page = bus.range(&key(), .., 1).await.expect("read");
    let oldest = page.entries.first().expect("an entry");
    assert_eq!(number(oldest), trimmed);
}

pub(crate) async fn a_stream_is_kept_short_while_it_grows<E: Engine>() {
    let engine = E::start().await;
    let bus = engine.open(1_000).await;
    for round in 0..10 {
        let numbers = round * 1_000..(round + 1) * 1_000;
        fill(&bus, numbers.clone()).await;
        let length = bus.len(&key()).await.expect("read");
        assert!(
            (1_000..=1_000 + ABOUT).contains(&length),
            "{length} after {numbers:?}"
        );
        let page = bus.range(&key(), .., 10_000).await.expect("read");
        let found: Vec<_> = page.entries.iter().map(|entry| number(entry)).collect();
        assert_eq!(found, (numbers.end - length..numbers.end).collect::<Vec<_>>());
    }
    assert!(bus.len(&key()).await.expect("read") < 10_000);
}

pub(crate) async fn a_stream_trimmed_to_nothing_keeps_its_place<E: Engine>() {
    let engine = E::start().await;
    let bus = engine.open(KEEP_ALL).await;
    let ids = fill(&bus, 0..600).await;
    assert_eq!(bus.trim(&key(), Trim::Exactly(0)).await.expect("trimmed"), 600);
    let StreamInfo {
        length,
        first,
        last,
        newest,
        trimmed_through,
    } = bus.info(&key()).await.expect("read");
    assert_eq!((length, first, last), (0, None, None));
    assert_eq!((newest, trimmed_through), (ids[599], ids[599]));
    assert!(bus.range(&key(), .., 10).await.expect("read").entries.is_empty());
    assert!(
        bus.rev_range(&key(), .., 10)
            .await
            .expect("read")
            .entries
            .is_empty()
    );
    let next = fill(&bus, 600..601).await;
    assert!(next[0] > newest);
    let page = bus.range(&key(), .., 10).await.expect("read");
    assert_eq!(
        page.entries.iter().map(|entry| entry.id).collect::<Vec<_>>(),
        next
    );
}
