//! Passes that panic, hang, and fail by chance.

use std::time::Duration;

use chatstats_model::{RunState, TaskState};
use chatstats_store::{ATTEMPTS_MAX, TaskQuery};

use crate::passes::{Does, told};
use crate::world::{World, everything, get, is, number};

/// Paused time runs ahead while a worker's thread computes: a lease must outlast that.
fn patient(settings: &mut chatstats_analysis::Settings) {
    settings.lease = Duration::from_secs(1_000_000_000);
}

#[tokio::test(start_paused = true)]
async fn what_fails_by_chance_is_tried_again_after_growing_waits() {
    let world = World::with(3).await;
    let mut events = world.listen().await;
    let pass = told("a", |text, attempt| match text {
        "first of 0" if attempt < 3 => Does::Panic,
        "first of 1" if attempt < 4 => Does::Transient,
        _ => Does::Well,
    });
    let analysis = world.start_with("one", &[pass], patient).await;
    let run = analysis.run(everything()).await.expect("accepted");
    let began = world.now();
    let seen = events.until(|event| is(event, "run_complete", run.id)).await;
    let took_s = (world.now().as_micros() - began.as_micros()) as f64 / 1e6;

    assert_eq!(
        (
            pass.tries("first of 0"),
            pass.tries("first of 1"),
            pass.tries("first of 2")
        ),
        (3, 4, 1)
    );
    let last = seen.last().expect("some");
    assert_eq!((number(last, "success"), number(last, "failed")), (3, 0));
    let retries: Vec<_> = seen
        .iter()
        .filter(|event| get(event, "type") == Some("retry"))
        .collect();
    assert_eq!(retries.len(), 5);
    assert!(
        retries
            .iter()
            .any(|event| get(event, "error").is_some_and(|error| error.contains("told to panic")))
    );
    assert!(
        retries
            .iter()
            .all(|event| number(event, "retry_count") <= number(event, "max_retries"))
    );
    // At least half of 1, 2 and 4 seconds.
    assert!(took_s >= 3.5, "{took_s} s");
    analysis.shutdown().await;
}

#[tokio::test(start_paused = true)]
async fn what_always_fails_is_a_dead_letter_and_can_be_tried_again() {
    let world = World::with(4).await;
    let mut events = world.listen().await;
    let pass = told("a", |text, attempt| match text {
        "first of 0" if attempt <= ATTEMPTS_MAX => Does::Transient,
        "first of 1" if attempt == 1 => Does::Permanent,
        _ => Does::Well,
    });
    let analysis = world.start_with("one", &[pass], patient).await;
    let run = analysis.run(everything()).await.expect("accepted");
    let seen = events.until(|event| is(event, "run_complete", run.id)).await;
    let last = seen.last().expect("some");
    assert_eq!(
        (
            number(last, "success"),
            number(last, "failed"),
            number(last, "total")
        ),
        (2, 2, 4)
    );
    assert_eq!(pass.tries("first of 0"), ATTEMPTS_MAX);
    assert_eq!(
        pass.tries("first of 1"),
        1,
        "an error that another try does not mend is not tried again"
    );
    let failed: Vec<_> = seen
        .iter()
        .filter(|event| get(event, "type") == Some("failed"))
        .collect();
    let mut permanent: Vec<_> = failed
        .iter()
        .filter_map(|event| get(event, "permanent"))
        .collect();
    permanent.sort_unstable();
    assert_eq!(permanent, ["False", "True"]);

    let dead = world
        .store
        .read(|reader| reader.dead_letters(None, 10))
        .await
        .expect("read");
    assert_eq!(dead.total, 2);
    let mut states: Vec<_> = dead
        .tasks
        .iter()
        .map(|task| format!("{:?}", task.state))
        .collect();
    states.sort_unstable();
    assert_eq!(states, ["Dead", "Failed"]);
    assert!(dead.tasks.iter().all(|task| {
        task.error
            .as_ref()
            .is_some_and(|error| error.contains("told to fail"))
    }));

    let one = analysis.retry(Some(dead.tasks[0].id)).await.expect("accepted");
    assert_eq!(world.ended(&mut events, one.id).await.success, 1);
    assert!(
        analysis.retry(Some(dead.tasks[0].id)).await.is_err(),
        "it is no dead letter any more"
    );
    let rest = analysis.retry(None).await.expect("accepted");
    let rest = world.ended(&mut events, rest.id).await;
    assert_eq!((rest.total, rest.success), (1, 1));
    let dead = world
        .store
        .read(|reader| reader.dead_letters(None, 10))
        .await
        .expect("read");
    assert_eq!(dead.total, 0);
    let first = world.run(run.id).await;
    assert_eq!(
        (first.success, first.failed),
        (2, 2),
        "what was counted stays counted"
    );
    analysis.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pass_that_hangs_is_given_up_and_its_worker_replaced() {
    let world = World::with(20).await;
    let mut events = world.listen().await;
    let pass = told("a", |text, attempt| {
        if attempt == 1 && (text == "first of 3" || text == "first of 4") {
            Does::Hang
        } else {
            Does::Well
        }
    });
    let analysis = world
        .start_with("one", &[pass], |settings| {
            settings.pass_time_max = Duration::from_secs(3)
        })
        .await;
    let run = analysis.run(everything()).await.expect("accepted");
    let run = world.ended(&mut events, run.id).await;
    assert_eq!(
        (run.success, run.failed),
        (20, 0),
        "both workers hung, and both were replaced"
    );
    for text in ["first of 3", "first of 4"] {
        // More, where the machine stalled in the middle of one.
        assert!(pass.tries(text) >= 2, "{text}");
    }
    // What was given up ends after all: it counts for nothing.
    pass.release();
    analysis.shutdown().await;
    let after = world.run(run.id).await;
    assert_eq!(
        (after.state, after.success, after.failed),
        (RunState::Complete, 20, 0)
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pass_that_says_not_now_uses_up_no_try() {
    let world = World::with(2).await;
    let mut events = world.listen().await;
    let pass = told("a", |text, attempt| {
        if text == "first of 0" && attempt <= 2 * ATTEMPTS_MAX {
            Does::NotNow
        } else {
            Does::Well
        }
    });
    let analysis = world.start("one", &[pass]).await;
    let run = analysis.run(everything()).await.expect("accepted");
    let run = world.ended(&mut events, run.id).await;
    assert_eq!((run.success, run.failed), (2, 0));
    assert_eq!(pass.tries("first of 0"), 2 * ATTEMPTS_MAX + 1);
    analysis.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_failing_pass_keeps_the_others_results() {
    let world = World::with(3).await;
    let mut events = world.listen().await;
    let good = told("good", |_, _| Does::Well);
    let bad = told("bad", |_, _| Does::Permanent);
    let analysis = world.start("one", &[good, bad]).await;
    let run = analysis.run(everything()).await.expect("accepted");
    assert_eq!(world.ended(&mut events, run.id).await.failed, 3);
    for conversation in world.sealed().await {
        let results = world
            .store
            .read(move |reader| reader.results(conversation))
            .await
            .expect("read");
        let names: Vec<_> = results.iter().map(|result| result.pass.as_str()).collect();
        assert_eq!(names, ["good"]);
    }
    let query = TaskQuery {
        run: Some(run.id),
        states: vec![TaskState::Failed],
        limit: 10,
        ..TaskQuery::default()
    };
    let failed = world
        .store
        .read(move |reader| reader.tasks(&query))
        .await
        .expect("read");
    assert!(
        failed
            .tasks
            .iter()
            .all(|task| task.error.as_deref() == Some("bad: told to fail for good"))
    );
    analysis.shutdown().await;
}
