//! Following a stream: each entry once and in order, or word of the gap.

use std::future::poll_fn;

use bytes::Bytes;
use chatstats_bus::{Fields, Filter, Item, NewId, Start, StreamId, Trim};

use super::{
    Engine, KEEP_ALL, add_at, expect_gap, expect_numbers, fill, id, key, next, next_number, number, numbered,
    soon,
};

/// More than is kept in memory for one who is slow.
const MANY: u64 = 10_000;

pub(crate) async fn from_now_on_only_what_comes_is_told<E: Engine>() {
    let engine = E::start().await;
    let bus = engine.open(KEEP_ALL).await;
    let mut on_empty = bus
        .follow(&key(), Filter::All, Start::Now)
        .await
        .expect("followed");
    fill(&bus, 0..5).await;
    let mut tail = bus
        .follow(&key(), Filter::All, Start::Now)
        .await
        .expect("followed");
    fill(&bus, 5..10).await;
    expect_numbers(&mut tail, 5..10).await;
    expect_numbers(&mut on_empty, 0..10).await;
    fill(&bus, 10..11).await;
    expect_numbers(&mut tail, 10..11).await;
}

pub(crate) async fn after_an_id_the_rest_is_told_and_then_what_comes<E: Engine>() {
    let engine = E::start().await;
    let bus = engine.open(KEEP_ALL).await;
    for n in 0..5 {
        add_at(&bus, id(10 * (n + 1), 0), numbered(n)).await;
    }
    let starts = [
        (StreamId::ZERO, 0),
        (id(9, 9), 0),
        (id(10, 0), 1),
        (id(35, 0), 3),
        (id(40, 0), 4),
        (id(50, 0), 5),
        (id(50, 1), 5),
        (id(75, 0), 7),
    ];
    let mut tails = Vec::new();
    for (after, first) in starts {
        let tail = bus
            .follow(&key(), Filter::All, Start::After(after))
            .await
            .expect("followed");
        tails.push((tail, first));
    }
    for n in 5..10 {
        add_at(&bus, id(10 * (n + 1), 0), numbered(n)).await;
    }
    for (mut tail, first) in tails {
        expect_numbers(&mut tail, first..10).await;
    }
}

pub(crate) async fn nothing_falls_between_the_log_and_what_comes<E: Engine>() {
    let engine = E::start().await;
    let bus = engine.open(KEEP_ALL).await;
    // Each is told of the one that is published when all have joined, however late they did.
    let (has_joined, mut joining) = tokio::sync::mpsc::unbounded_channel();
    let follower = |start: Start| {
        let (bus, has_joined) = (bus.clone(), has_joined.clone());
        tokio::spawn(async move {
            let mut tail = bus.follow(&key(), Filter::All, start).await.expect("followed");
            has_joined.send(()).expect("awaited");
            let first = next_number(&mut tail).await;
            expect_numbers(&mut tail, first + 1..MANY + 1).await;
            first
        })
    };
    let (go_on, goes_on) = tokio::sync::oneshot::channel();
    let publisher = tokio::spawn({
        let bus = bus.clone();
        async move {
            let half = MANY / 2;
            for first in (0..half).step_by(50) {
                fill(&bus, first..first + 50).await;
            }
            goes_on.await.expect("some have joined");
            for first in (half..MANY).step_by(50) {
                fill(&bus, first..first + 50).await;
            }
        }
    });
    let mut go_on = Some(go_on);
    let mut followers = Vec::new();
    while !publisher.is_finished() && followers.len() < 60 {
        let newest = bus.info(&key()).await.expect("read").newest;
        followers.push((follower(Start::After(StreamId::ZERO)), true));
        followers.push((follower(Start::Now), false));
        followers.push((follower(Start::Resume(newest)), false));
        if let Some(go_on) = go_on.take() {
            go_on.send(()).expect("the publisher waits");
        }
        // Some join while others catch up: as many as fit between two publishes.
        tokio::task::yield_now().await;
    }
    publisher.await.expect("published");
    for _ in &followers {
        soon(joining.recv()).await.expect("joined");
    }
    fill(&bus, MANY..MANY + 1).await;
    for (follower, from_the_first) in followers {
        let first = soon(follower).await.expect("told everything");
        assert!(!from_the_first || first == 0, "began with {first}");
    }
}

pub(crate) async fn a_waiting_follower_misses_nothing<E: Engine>() {
    const ROUNDS: u64 = 2_000;
    let engine = E::start().await;
    let bus = engine.open(KEEP_ALL).await;
    let mut tail = bus
        .follow(&key(), Filter::All, Start::Now)
        .await
        .expect("followed");
    // Each publish goes out while the follower is about to wait for it: just before, just after, or in between.
    let (about_to_wait, mut told) = tokio::sync::mpsc::unbounded_channel();
    let publisher = tokio::spawn(async move {
        while let Some(n) = told.recv().await {
            for _ in 0..n % 97 {
                std::hint::spin_loop();
            }
            fill(&bus, n..n + 1).await;
        }
    });
    for n in 0..ROUNDS {
        about_to_wait.send(n).expect("the publisher runs");
        assert_eq!(next_number(&mut tail).await, n);
    }
    drop(about_to_wait);
    publisher.await.expect("published");
}

pub(crate) async fn a_slow_follower_reads_on_from_the_log<E: Engine>() {
    let engine = E::start().await;
    let bus = engine.open(KEEP_ALL).await;
    let mut tail = bus
        .follow(&key(), Filter::All, Start::Now)
        .await
        .expect("followed");
    fill(&bus, 0..10).await;
    expect_numbers(&mut tail, 0..5).await;
    for _ in 0..2 {
        let length = bus.len(&key()).await.expect("read");
        fill(&bus, length..length + MANY).await;
    }
    expect_numbers(&mut tail, 5..MANY).await;
    fill(&bus, 10 + 2 * MANY..3 * MANY).await;
    expect_numbers(&mut tail, MANY..3 * MANY).await;
}

pub(crate) async fn a_slow_follower_is_told_that_it_missed_something<E: Engine>() {
    let engine = E::start().await;
    let bus = engine.open(KEEP_ALL).await;
    let mut had_none = bus
        .follow(&key(), Filter::All, Start::Now)
        .await
        .expect("followed");
    fill(&bus, 0..10).await;
    let mut had_some = bus
        .follow(&key(), Filter::All, Start::After(StreamId::ZERO))
        .await
        .expect("followed");
    expect_numbers(&mut had_some, 0..10).await;
    let mut quick = bus
        .follow(&key(), Filter::All, Start::Now)
        .await
        .expect("followed");
    fill(&bus, 10..10 + MANY).await;
    // Nothing is on its way any more.
    expect_numbers(&mut quick, 10..10 + MANY).await;
    bus.trim(&key(), Trim::Exactly(10)).await.expect("trimmed");
    for tail in [&mut had_none, &mut had_some] {
        expect_gap(tail).await;
        expect_numbers(tail, MANY..MANY + 10).await;
    }
    fill(&bus, MANY + 10..MANY + 11).await;
    for tail in [&mut had_none, &mut had_some] {
        expect_numbers(tail, MANY + 10..MANY + 11).await;
    }
}

pub(crate) async fn who_resumes_gets_what_it_missed_and_nothing_twice<E: Engine>() {
    let engine = E::start().await;
    let bus = engine.open(KEEP_ALL).await;
    let ids = fill(&bus, 0..5_000).await;
    for had in [0, 1, 2_000, 2_001, 4_998, 4_999] {
        let resume = Start::Resume(ids[had]);
        let mut tail = bus.follow(&key(), Filter::All, resume).await.expect("followed");
        expect_numbers(&mut tail, had as u64 + 1..5_000).await;
    }
    let resume = Start::Resume(StreamId::ZERO);
    let mut tail = bus.follow(&key(), Filter::All, resume).await.expect("followed");
    expect_numbers(&mut tail, 0..5_000).await;
    bus.shutdown().await;
    drop((bus, tail));

    let bus = engine.open(KEEP_ALL).await;
    let resume = Start::Resume(ids[4_990]);
    let mut tail = bus.follow(&key(), Filter::All, resume).await.expect("followed");
    fill(&bus, 5_000..5_010).await;
    expect_numbers(&mut tail, 4_991..5_010).await;
}

pub(crate) async fn who_resumes_behind_a_trim_is_told_of_the_gap<E: Engine>() {
    let engine = E::start().await;
    let bus = engine.open(KEEP_ALL).await;
    let ids = fill(&bus, 0..100).await;
    bus.trim(&key(), Trim::Exactly(50)).await.expect("trimmed");
    let follow = async |start| bus.follow(&key(), Filter::All, start).await.expect("followed");
    // 49 is gone, and 50 is not: what was trimmed after 48 is 49.
    for start in [
        Start::Resume(ids[48]),
        Start::After(ids[48]),
        Start::Resume(ids[3]),
    ] {
        let mut tail = follow(start).await;
        expect_gap(&mut tail).await;
        expect_numbers(&mut tail, 50..100).await;
    }
    for start in [Start::Resume(ids[50]), Start::After(ids[50])] {
        expect_numbers(&mut follow(start).await, 51..100).await;
    }
    let mut all_there_are = follow(Start::After(StreamId::ZERO)).await;
    expect_numbers(&mut all_there_are, 50..100).await;
    // An id that this stream never had: it is of another, and so is what its follower has.
    let above = ids[99].next().expect("not the last");
    let mut of_another = follow(Start::Resume(above)).await;
    expect_gap(&mut of_another).await;
    expect_numbers(&mut of_another, 50..100).await;

    bus.trim(&key(), Trim::Exactly(0)).await.expect("trimmed");
    let mut up_to_date = follow(Start::Resume(ids[99])).await;
    let mut behind = follow(Start::Resume(ids[98])).await;
    let mut told_early = follow(Start::After(ids[98])).await;
    expect_gap(&mut told_early).await;
    fill(&bus, 100..101).await;
    expect_numbers(&mut up_to_date, 100..101).await;
    // Once, although by now the log cannot tell whether something lay between what it trimmed and what it has.
    expect_numbers(&mut told_early, 100..101).await;
    expect_gap(&mut behind).await;
    expect_numbers(&mut behind, 100..101).await;
}

pub(crate) async fn large_entries_are_caught_up_with<E: Engine>() {
    let engine = E::start().await;
    let bus = engine.open(KEEP_ALL).await;
    let add = async |n: u64| {
        let large = Fields::new([("n", n.to_string()), ("x", "x".repeat(3 << 20))]).expect("fits");
        bus.add(&key(), NewId::Auto, large)
            .expect("taken")
            .await
            .expect("added")
    };
    let mut slow = bus
        .follow(&key(), Filter::All, Start::Now)
        .await
        .expect("followed");
    let first = add(0).await;
    for n in 1..6 {
        add(n).await;
    }
    let follow = async |start| bus.follow(&key(), Filter::All, start).await.expect("followed");
    let mut from_the_first = follow(Start::After(StreamId::ZERO)).await;
    let mut resumed = follow(Start::Resume(first)).await;
    add(6).await;
    expect_numbers(&mut from_the_first, 0..7).await;
    expect_numbers(&mut resumed, 1..7).await;
    expect_numbers(&mut slow, 0..7).await;
}

fn event(n: u64, fields: &[(&str, &str)]) -> Fields {
    let n = n.to_string();
    let fields = fields.iter().copied();
    Fields::new(fields.chain([("n", n.as_str())])).expect("small")
}

fn events(scope: Option<&str>, run_id: Option<&str>) -> Filter {
    Filter::Events {
        scope: scope.map(str::to_owned),
        run_id: run_id.map(str::to_owned),
    }
}

pub(crate) async fn filters_choose_by_scope_and_run<E: Engine>() {
    let engine = E::start().await;
    let bus = engine.open(KEEP_ALL).await;
    let rounds: [&[(&str, &str)]; 9] = [
        &[("type", "t"), ("scope", "global"), ("run_id", "1")],
        &[("type", "t"), ("scope", "global"), ("run_id", "2")],
        &[("type", "t"), ("scope", "global")],
        &[("type", "t"), ("scope", "chat:1"), ("run_id", "1")],
        &[("type", "t"), ("scope", "chat:11")],
        &[("scope", "global"), ("run_id", "1")],
        &[("type", "t"), ("run_id", "1")],
        &[("neither", "")],
        &[
            ("scope", "chat:1"),
            ("type", "t"),
            ("scope", "global"),
            ("run_id", "1"),
        ],
    ];
    let filters: [(Filter, &[u64]); 8] = [
        (Filter::All, &[0, 1, 2, 3, 4, 5, 6, 7, 8]),
        (events(None, None), &[0, 1, 2, 3, 4, 8]),
        (events(Some("global"), None), &[0, 1, 2, 8]),
        (events(Some("global"), Some("1")), &[0, 8]),
        (events(None, Some("1")), &[0, 3, 8]),
        (events(Some("chat:1"), None), &[3]),
        (events(Some("chat:1"), Some("2")), &[]),
        (events(Some(""), None), &[]),
    ];
    let add_all = async |first: u64| {
        for (n, fields) in rounds.iter().enumerate() {
            let fields = event(first + n as u64, fields);
            bus.add(&key(), NewId::Auto, fields)
                .expect("taken")
                .await
                .expect("added");
        }
    };
    let follow =
        async |filter: &Filter, start| bus.follow(&key(), filter.clone(), start).await.expect("followed");
    let mut live = Vec::new();
    for (filter, _) in &filters {
        live.push(follow(filter, Start::Now).await);
    }
    add_all(0).await;
    let mut caught_up = Vec::new();
    for (filter, _) in &filters {
        caught_up.push(follow(filter, Start::After(StreamId::ZERO)).await);
    }
    add_all(100).await;
    // All filters want this one but the last few: what comes before it has come.
    for (filter, _) in &filters {
        let (mut scope, mut run) = ("global", "1");
        if let Filter::Events {
            scope: Some(wanted), ..
        } = filter
        {
            scope = wanted;
        }
        if let Filter::Events {
            run_id: Some(wanted), ..
        } = filter
        {
            run = wanted;
        }
        let last = event(999, &[("type", "t"), ("scope", scope), ("run_id", run)]);
        bus.add(&key(), NewId::Auto, last)
            .expect("taken")
            .await
            .expect("added");
    }
    for ((filter, wanted), tail) in filters.iter().zip(live).chain(filters.iter().zip(caught_up)) {
        let mut tail = tail;
        let mut told = Vec::new();
        loop {
            match next_number(&mut tail).await {
                999 => break,
                n => told.push(n),
            }
        }
        let both = wanted.iter().copied().chain(wanted.iter().map(|n| n + 100));
        assert_eq!(told, both.collect::<Vec<_>>(), "{filter:?}");
    }
}

pub(crate) async fn each_of_many_filters_hears_its_own<E: Engine>() {
    const SCOPES: u64 = 300;
    const EACH: u64 = 20;
    let engine = E::start().await;
    let bus = engine.open(KEEP_ALL).await;
    let mut tails = Vec::new();
    for scope in 0..SCOPES {
        let filter = events(Some(&format!("task:{scope}")), None);
        tails.push(bus.follow(&key(), filter, Start::Now).await.expect("followed"));
    }
    assert_eq!(bus.status().subscribers, SCOPES);
    let submit = |n: u64| {
        let scope = format!("task:{}", n % SCOPES);
        let fields = event(n, &[("type", "progress"), ("scope", &scope)]);
        bus.add(&key(), NewId::Auto, fields).expect("taken")
    };
    let submitted: Vec<_> = (0..SCOPES * EACH).map(submit).collect();
    for added in submitted {
        added.await.expect("added");
    }
    for (tail, scope) in tails.iter_mut().zip(0..) {
        for round in 0..EACH {
            assert_eq!(next_number(tail).await, round * SCOPES + scope);
        }
    }
    drop(tails);
    assert_eq!(bus.status().subscribers, 0);
}

fn render(item: &Item) -> Bytes {
    match item {
        Item::Entry(entry) => entry
            .frame(|entry| format!("{} {}\n", entry.id, number(entry)).into())
            .clone(),
        Item::Notice(notice) => format!("{notice:?}\n").into(),
    }
}

pub(crate) async fn frames_come_gathered_and_bounded<E: Engine>() {
    const FRAMES_BYTES: usize = 1_000;
    let engine = E::start().await;
    let bus = engine.open(KEEP_ALL).await;
    fill(&bus, 0..MANY).await;
    let mut tail = bus
        .follow(&key(), Filter::All, Start::After(StreamId::ZERO))
        .await
        .expect("followed");
    let mut live = bus
        .follow(&key(), Filter::All, Start::Now)
        .await
        .expect("followed");
    let more = fill(&bus, MANY..MANY + 500).await;
    let gather = async |tail: &mut chatstats_bus::Tail, items: u64| {
        let (mut text, mut told, mut buffers) = (String::new(), 0, 0);
        while told < items {
            let gathered = soon(poll_fn(|cx| tail.poll_gather(cx, FRAMES_BYTES, render))).await;
            assert!(gathered.bytes.len() <= FRAMES_BYTES);
            text.push_str(std::str::from_utf8(&gathered.bytes).expect("text"));
            told += gathered.items;
            buffers += 1;
        }
        assert!(buffers < items / 10, "{buffers} buffers for {items} frames");
        text
    };
    let told = gather(&mut live, 500).await;
    let wanted: String = more
        .iter()
        .zip(MANY..)
        .map(|(id, n)| format!("{id} {n}\n"))
        .collect();
    assert_eq!(told, wanted);
    let told = gather(&mut tail, MANY + 500).await;
    let numbers: Vec<u64> = told
        .lines()
        .filter_map(|line| line.split_once(' ')?.1.parse().ok())
        .collect();
    assert_eq!(numbers, (0..MANY + 500).collect::<Vec<_>>());
}

pub(crate) async fn a_follower_costs_the_others_nothing_when_it_leaves<E: Engine>() {
    let engine = E::start().await;
    let bus = engine.open(KEEP_ALL).await;
    let follow = async || {
        bus.follow(&key(), Filter::All, Start::Now)
            .await
            .expect("followed")
    };
    let mut stays = follow().await;
    for round in 0..50 {
        let mut leaves = follow().await;
        let leaves_at_once = follow().await;
        fill(&bus, round * 10..round * 10 + 5).await;
        drop(leaves_at_once);
        assert_eq!(next_number(&mut leaves).await, round * 10);
        drop(leaves);
        fill(&bus, round * 10 + 5..round * 10 + 10).await;
    }
    expect_numbers(&mut stays, 0..500).await;
    // The last one leaves, and another comes: it hears of what comes after it, and of nothing before.
    drop(stays);
    fill(&bus, 500..510).await;
    let mut back = follow().await;
    fill(&bus, 510..511).await;
    let Item::Entry(entry) = next(&mut back).await else {
        panic!("no entry")
    };
    assert_eq!(number(&entry), 510);
}
