//! A run from its first event to its last.

use chatstats_model::{RunKind, RunState, TaskState};
use chatstats_store::TaskQuery;

use crate::passes::{Does, told};
use crate::world::{World, everything, get, is, number, of_kind};

#[tokio::test(flavor = "multi_thread")]
async fn a_run_tells_that_it_starts_then_how_much_it_is_then_ends_once() {
    let world = World::with(40).await;
    let mut events = world.listen().await;
    let analysis = world
        .start(
            "one",
            &[told("a", |_, _| Does::Well), told("b", |_, _| Does::Well)],
        )
        .await;
    let run = analysis.run(everything()).await.expect("accepted");
    let seen = events.until(|event| is(event, "run_complete", run.id)).await;

    let types: Vec<_> = seen.iter().filter_map(|event| get(event, "type")).collect();
    assert_eq!(
        &types[..2],
        ["run_starting", "run_seeded"],
        "before anything else"
    );
    assert_eq!(number(&seen[1], "total"), 40);
    let count = |name: &str| types.iter().filter(|found| **found == name).count();
    assert_eq!(
        (count("run_starting"), count("run_seeded"), count("run_complete")),
        (1, 1, 1)
    );
    assert_eq!(count("completed"), 40);
    let last = seen.last().expect("some");
    assert_eq!(
        (
            number(last, "success"),
            number(last, "failed"),
            number(last, "total")
        ),
        (40, 0, 40)
    );
    let told_last = seen.iter().rfind(|event| is(event, "analysis_completed", run.id));
    assert_eq!(
        told_last.map(|event| number(event, "success")),
        Some(40),
        "the last state is told"
    );

    let run = world.run(run.id).await;
    assert_eq!(
        (run.state, run.total, run.success, run.failed),
        (RunState::Complete, 40, 40, 0)
    );
    let query = TaskQuery {
        run: Some(run.id),
        states: vec![TaskState::Completed],
        limit: 10,
        ..TaskQuery::default()
    };
    let tasks = world
        .store
        .read(move |reader| reader.tasks(&query))
        .await
        .expect("read");
    assert_eq!((tasks.total, tasks.tasks.len()), (40, 10));
    for conversation in world.sealed().await {
        let results = world
            .store
            .read(move |reader| reader.results(conversation))
            .await
            .expect("read");
        let told: Vec<_> = results
            .iter()
            .map(|result| (result.pass.as_str(), result.current))
            .collect();
        assert_eq!(told, [("a", true), ("b", true)]);
    }
    analysis.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_run_does_only_what_changed_and_a_historic_one_everything() {
    let world = World::with(10).await;
    let mut events = world.listen().await;
    let pass = told("a", |_, _| Does::Well);
    let analysis = world.start("one", &[pass]).await;
    let first = analysis.run(everything()).await.expect("accepted");
    assert_eq!(world.ended(&mut events, first.id).await.total, 10);

    let idle = analysis.run(everything()).await.expect("accepted");
    assert_eq!(
        world.ended(&mut events, idle.id).await.total,
        0,
        "nothing has changed"
    );

    // One more conversation seals the one that was open.
    world.add("room", 11..=11).await;
    let next = analysis.run(everything()).await.expect("accepted");
    assert_eq!(world.ended(&mut events, next.id).await.total, 1);
    assert_eq!(pass.all_tries(), 11);

    let preview = analysis
        .preview(of_kind(RunKind::Historic))
        .await
        .expect("counted");
    assert_eq!((preview.conversations, preview.messages), (11, 33));
    let historic = analysis.run(of_kind(RunKind::Historic)).await.expect("accepted");
    let seen = events.until(|event| is(event, "run_complete", historic.id)).await;
    assert!(is(&seen[0], "run_started", historic.id), "{:?}", seen[0]);
    let last = seen.last().expect("some");
    assert_eq!(
        (get(last, "scope"), get(last, "is_complete")),
        (Some("historic"), Some("True"))
    );
    assert_eq!(pass.all_tries(), 22);
    analysis.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn progress_is_told_a_few_times_a_second_however_many_tasks_end() {
    let world = World::with(2_000).await;
    let mut events = world.listen().await;
    let analysis = world.start("one", &[told("a", |_, _| Does::Well)]).await;
    let started = std::time::Instant::now();
    let run = analysis.run(everything()).await.expect("accepted");
    let seen = events.until(|event| is(event, "run_complete", run.id)).await;
    let progress: Vec<_> = seen
        .iter()
        .filter(|event| is(event, "analysis_completed", run.id))
        .collect();
    let most = 2.0 + started.elapsed().as_secs_f64() * 5.0;
    assert!(
        (1.0..=most).contains(&(progress.len() as f64)),
        "{} events",
        progress.len()
    );
    let counts: Vec<_> = progress.iter().map(|event| number(event, "success")).collect();
    assert!(counts.is_sorted(), "{counts:?}");
    assert_eq!(counts.last(), Some(&2_000));
    analysis.shutdown().await;
}
