//! Cancel, pause, and what goes first.

use chatstats_model::{RunKind, RunState};

use crate::passes::{Does, told};
use crate::world::{World, everything, get, is, number, of_kind};

#[tokio::test(flavor = "multi_thread")]
async fn a_run_that_is_stopped_ends_once_and_its_counts_add_up() {
    let world = World::with(500).await;
    let mut events = world.listen().await;
    let pass = told("a", |_, _| Does::Hang);
    let analysis = world.start("one", &[pass]).await;
    let run = analysis.run(everything()).await.expect("accepted");
    events.until(|event| is(event, "run_seeded", run.id)).await;
    while pass.all_tries() < 2 {
        tokio::task::yield_now().await;
    }
    let stopped = analysis.cancel(run.id).await.expect("stopped");
    assert_eq!(stopped.state, RunState::Cancelled);
    pass.release();
    let seen = events.until(|event| is(event, "run_complete", run.id)).await;
    let last = seen.last().expect("some");
    assert_eq!(get(last, "status"), Some("cancelled"));
    assert_eq!(number(last, "success") + number(last, "failed"), 500);
    assert_eq!(number(last, "success"), 2, "what had begun ended");
    analysis.cancel(run.id).await.expect("again does nothing");
    let counts = world
        .store
        .read(move |reader| reader.task_counts(Some(run.id)))
        .await
        .expect("read");
    assert_eq!((counts.completed, counts.cancelled), (2, 498));
    analysis.shutdown().await;
    let all = world.events().await;
    assert_eq!(
        all.iter()
            .filter(|event| is(event, "run_complete", run.id))
            .count(),
        1
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_that_is_stopped_while_its_tasks_end_is_told_of_no_more_after_its_end() {
    const RUNS: u32 = 40;
    let world = World::with(60).await;
    let pass = told("a", |_, _| Does::Well);
    let analysis = world.start("one", &[pass]).await;
    let mut events = world.listen().await;
    let mut runs = Vec::new();
    let mut stopped = 0;
    for number in 0..RUNS {
        let before = pass.all_tries();
        let run = analysis.run(of_kind(RunKind::Historic)).await.expect("accepted");
        // From before the first task ends to about the last one.
        while pass.all_tries() < before + number * 60 / RUNS {
            tokio::task::yield_now().await;
        }
        analysis.cancel(run.id).await.expect("stopped");
        let row = world.ended(&mut events, run.id).await;
        assert_eq!(row.success + row.failed, row.total, "{row:?}");
        assert_eq!(row.processing, 0, "{row:?}");
        stopped += usize::from(row.state == RunState::Cancelled);
        runs.push(row);
    }
    assert!(stopped > 0, "every run was over before it was stopped");
    analysis.shutdown().await;
    let all = world.events().await;
    for row in runs {
        let of_run = |event: &&crate::world::Event| get(event, "run_id") == Some(&row.id.to_string());
        let told: Vec<_> = all.iter().filter(of_run).collect();
        let ends = told.iter().filter(|event| is(event, "run_complete", row.id));
        assert_eq!(ends.count(), 1);
        let last = told.last().expect("some");
        assert!(is(last, "run_complete", row.id), "after its end: {last:?}");
        // How far it got for the last time, and the row, say the same.
        let before = told.iter().rfind(|event| is(event, "analysis_completed", row.id));
        let before = before.expect("told before the end");
        let counts = (number(before, "success"), number(before, "failed"));
        assert_eq!(counts, (row.success, row.failed));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn no_task_of_a_paused_run_starts_and_others_do() {
    let world = World::with(200).await;
    let mut events = world.listen().await;
    let pass = told("a", |_, _| Does::Hang);
    let analysis = world
        .start_with("one", &[pass], |settings| settings.workers = 1)
        .await;
    let run = analysis.run(everything()).await.expect("accepted");
    events.until(|event| is(event, "run_seeded", run.id)).await;
    while pass.all_tries() == 0 {
        tokio::task::yield_now().await;
    }
    assert_eq!(
        analysis.pause(run.id).await.expect("paused").state,
        RunState::Paused
    );
    pass.release();
    // Those that were handed out end; the others wait, while another run gets its turn.
    let mut one = of_kind(RunKind::Conversation);
    one.conversation_id = Some(world.sealed().await[150]);
    let other = analysis.run(one).await.expect("accepted");
    assert_eq!(world.ended(&mut events, other.id).await.success, 1);
    let waiting = world
        .store
        .read(move |reader| reader.task_counts(Some(run.id)))
        .await
        .expect("read");
    assert!(waiting.queued >= 100, "{waiting:?}");
    assert_eq!(
        analysis.resume(run.id).await.expect("resumed").state,
        RunState::Running
    );
    assert_eq!(world.ended(&mut events, run.id).await.success, 200);
    analysis.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_chat_the_user_looks_at_goes_first() {
    let world = World::with(300).await;
    let other = world.add("other", 0..=20).await;
    let mut events = world.listen().await;
    let pass = told(
        "a",
        |_, attempt| if attempt == 1 { Does::Hang } else { Does::Well },
    );
    let analysis = world
        .start_with("one", &[pass], |settings| settings.workers = 1)
        .await;
    let run = analysis.run(everything()).await.expect("accepted");
    events.until(|event| is(event, "run_seeded", run.id)).await;
    while pass.all_tries() == 0 {
        tokio::task::yield_now().await;
    }
    analysis.look_at(other).await.expect("noted");
    pass.release();
    let seen = events.until(|event| is(event, "run_complete", run.id)).await;
    let scope = format!("chat:{other}");
    let of_chats: Vec<_> = seen
        .iter()
        .filter(|event| {
            get(event, "type") == Some("analysis_completed") && get(event, "conversation_id").is_some()
        })
        .map(|event| get(event, "scope") == Some(&scope))
        .collect();
    let last = of_chats.iter().rposition(|is_other| *is_other).expect("analysed");
    assert!(last < 150, "the last of 20 was number {last} of 320");
    analysis.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn requests_that_make_no_sense_are_told_so() {
    let world = World::with(1).await;
    let analysis = world.start("one", &[told("a", |_, _| Does::Well)]).await;
    let mut unknown = everything();
    unknown.passes = vec!["b".to_owned()];
    let mut missing = of_kind(RunKind::Conversation);
    missing.conversation_id = Some(chatstats_model::ConversationId(4_711));
    for (request, wanted) in [
        (unknown, "\"b\""),
        (of_kind(RunKind::Chat), "chats"),
        (of_kind(RunKind::Conversation), "conversation_id"),
        (of_kind(RunKind::Retry), "dead letters"),
        (missing, "4711"),
    ] {
        let error = analysis.run(request).await.expect_err("refused").to_string();
        assert!(error.contains(wanted), "{error}");
    }
    let none = world
        .store
        .read(|reader| reader.task_counts(None))
        .await
        .expect("read");
    assert_eq!(none, chatstats_model::TaskCounts::default());
    analysis.shutdown().await;
}
