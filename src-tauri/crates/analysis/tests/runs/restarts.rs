//! What a start takes up from the one before.

use std::time::Duration;

use chatstats_model::{RunState, TaskState, Timestamp};
use chatstats_store::{ATTEMPTS_MAX, Finished, Lane, NewRun, NewTask, TaskLane, TaskQuery};

use crate::passes::{Does, told};
use crate::world::{World, everything, get, is, number};

#[tokio::test(flavor = "multi_thread")]
async fn a_run_that_was_cut_off_goes_on_and_ends_once() {
    let world = World::with(300).await;
    let mut events = world.listen().await;
    let mut id = None;
    // Two starts that are cut off in the middle of the run; shutting down puts back what had not begun.
    for owner in ["one", "two"] {
        let analysis = world.start(owner, &[told("a", |_, _| Does::Well)]).await;
        let run = match id {
            Some(id) => id,
            None => analysis.run(everything()).await.expect("accepted").id,
        };
        id = Some(run);
        events
            .until(|event| get(event, "type") == Some("completed"))
            .await;
        analysis.shutdown().await;
    }
    let run = id.expect("started");
    let analysis = world.start("three", &[told("a", |_, _| Does::Well)]).await;
    let run = world.ended(&mut events, run).await;
    assert_eq!((run.total, run.success, run.failed), (300, 300, 0));
    analysis.shutdown().await;
    let all = world.events().await;
    let count = |name: &str| all.iter().filter(|event| is(event, name, run.id)).count();
    assert_eq!(
        (count("run_starting"), count("run_seeded"), count("run_complete")),
        (1, 1, 1)
    );
    let query = TaskQuery {
        run: Some(run.id),
        limit: 1,
        ..TaskQuery::default()
    };
    let tasks = world
        .store
        .read(move |reader| reader.tasks(&query))
        .await
        .expect("read");
    assert_eq!(tasks.total, 300);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_end_does_not_wait_for_a_pass_and_the_next_start_does_its_task_anew() {
    let world = World::with(1).await;
    let mut events = world.listen().await;
    let hangs = told("a", |_, _| Does::Hang);
    let analysis = world.start("one", &[hangs]).await;
    let id = analysis.run(everything()).await.expect("accepted").id;
    while hangs.all_tries() == 0 {
        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
    }
    analysis.shutdown().await;
    // A try that the program's end cut off is none of the pass's.
    let query = TaskQuery {
        run: Some(id),
        limit: 10,
        ..TaskQuery::default()
    };
    let tasks = world.store.read(move |reader| reader.tasks(&query)).await;
    let tasks = tasks.expect("read").tasks;
    let left: Vec<_> = tasks.iter().map(|task| (task.state, task.attempt)).collect();
    assert_eq!(left, [(TaskState::Queued, 0)]);

    let well = told("a", |_, _| Does::Well);
    let analysis = world.start("two", &[well]).await;
    let run = world.ended(&mut events, id).await;
    assert_eq!((run.total, run.success, run.failed), (1, 1, 0));
    assert_eq!(well.all_tries(), 1);
    // What was given up ends after all, and changes nothing.
    hangs.release();
    analysis.shutdown().await;
    assert_eq!(world.run(id).await, run);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_that_dies_in_its_last_try_leaves_a_dead_letter_and_not_a_run_that_never_ends() {
    let world = World::with(1).await;
    let mut events = world.listen().await;
    let pass = told("a", |_, _| Does::Well);
    // As after a kill: each start claims the task and is gone.
    let now = world.now();
    let conversation = world.sealed().await[0];
    let run = world
        .store
        .write_analysis(Lane::Bulk, 0, move |write| {
            let new = NewRun {
                kind: chatstats_model::RunKind::Conversation,
                chats: Vec::new(),
                passes: vec!["a".to_owned()],
            };
            let run = write.create_run(&new, now)?;
            write.seed_conversation(run, TaskLane::Compute, conversation, 1, now)?;
            write.count_run(run)?;
            write.open_run(run, now)?;
            for attempt in 1..=ATTEMPTS_MAX {
                let claimed =
                    write.claim_tasks(TaskLane::Compute, &format!("gone {attempt}"), 1, now, now)?;
                assert_eq!(claimed[0].attempt, attempt);
                if attempt < ATTEMPTS_MAX {
                    assert_eq!(
                        write.take_back_tasks_of_others(["next", "lent"], now)?[0].state,
                        TaskState::Retrying
                    );
                }
            }
            Ok(run)
        })
        .await
        .expect("written");
    let analysis = world.start("last", &[pass]).await;
    let seen = events.until(|event| is(event, "run_complete", run)).await;
    let last = seen.last().expect("some");
    assert_eq!(
        (
            number(last, "success"),
            number(last, "failed"),
            number(last, "total")
        ),
        (0, 1, 1)
    );
    assert_eq!(pass.all_tries(), 0);
    let dead = world
        .store
        .read(|reader| reader.dead_letters(None, 10))
        .await
        .expect("read");
    assert_eq!(dead.tasks[0].state, TaskState::Dead);
    analysis.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_end_of_a_run_that_was_told_and_not_noted_is_not_told_again() {
    let world = World::with(5).await;
    let mut events = world.listen().await;
    let analysis = world.start("one", &[told("a", |_, _| Does::Well)]).await;
    let run = analysis.run(everything()).await.expect("accepted");
    let done = world.ended(&mut events, run.id).await;
    assert_eq!(done.state, RunState::Complete);
    analysis.shutdown().await;
    // As if the program had ended between the event and the note of it.
    let path = world.store_path();
    let conn = rusqlite::Connection::open(path).expect("opened");
    conn.execute("UPDATE runs SET announced = 2", [])
        .expect("changed");
    drop(conn);
    let analysis = world.start("two", &[told("a", |_, _| Does::Well)]).await;
    let next = analysis.run(everything()).await.expect("accepted");
    world.ended(&mut events, next.id).await;
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
async fn a_try_that_is_not_the_current_one_counts_for_nothing() {
    let world = World::with(2).await;
    let now = world.now();
    let conversations = world.sealed().await;
    let counted = world.store.write_analysis(Lane::Bulk, 0, move |write| {
        let new = NewRun {
            kind: chatstats_model::RunKind::Conversation,
            chats: Vec::new(),
            passes: vec!["a".to_owned()],
        };
        let run = write.create_run(&new, now)?;
        for conversation in conversations {
            write.seed_conversation(run, TaskLane::Compute, conversation, 1, now)?;
        }
        write.count_run(run)?;
        write.open_run(run, now)?;
        let first = write.claim_tasks(TaskLane::Compute, "slow", 2, now, now)?;
        write.take_back_tasks(now)?;
        let second = write.claim_tasks(TaskLane::Compute, "quick", 2, now, now)?;
        let ended = |task: &chatstats_store::Claimed| Finished::completed(task.id, task.attempt);
        // The slow worker comes after its lease has run out, then the quick one, then the quick one once more.
        assert_eq!(write.finish_tasks(&[ended(&first[0])], now)?, []);
        assert_eq!(write.finish_tasks(&[ended(&second[0])], now)?.len(), 1);
        assert_eq!(write.finish_tasks(&[ended(&second[0])], now)?, []);
        // Stopped while the last one runs: it may end, and is counted once.
        write.cancel_run(run, 100, now)?;
        assert_eq!(write.finish_tasks(&[ended(&second[1])], now)?.len(), 1);
        Ok(run)
    });
    let run = world.run(counted.await.expect("written")).await;
    assert_eq!(
        (run.state, run.total, run.success, run.failed),
        (RunState::Cancelled, 2, 2, 0)
    );
    assert!(run.finished_at.is_some());
}

#[tokio::test(start_paused = true)]
async fn a_task_whose_lease_runs_out_is_taken_back_and_not_before() {
    let world = World::with(1).await;
    let mut events = world.listen().await;
    let analysis = world.start("here", &[told("a", |_, _| Does::Well)]).await;
    let (conversation, now) = (world.sealed().await[0], world.now());
    let until = Timestamp::from_micros(now.as_micros() + 3_600_000_000).expect("in range");
    // A worker elsewhere has the task, and is never heard of again.
    let claimed = world.store.write_analysis(Lane::Bulk, 0, move |write| {
        let task = NewTask {
            chat_id: chatstats_model::ChatId(1),
            conversation_id: conversation,
        };
        write.queue_task(task, TaskLane::Compute, 0, now)?;
        write.claim_tasks(TaskLane::Compute, "elsewhere", 1, until, now)
    });
    assert_eq!(claimed.await.expect("claimed").len(), 1);
    let seen = events
        .until(|event| get(event, "type") == Some("completed"))
        .await;
    assert!(
        seen.iter().any(|event| get(event, "type") == Some("retry")),
        "{seen:?}"
    );
    assert!(world.now() >= until, "taken back while the lease ran");
    analysis.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_worker_here_has_stays_with_it_however_long_it_takes() {
    let world = World::with(3).await;
    let mut events = world.listen().await;
    let pass = told("a", |text, _| match text {
        "first of 0" => Does::Hang,
        _ => Does::Well,
    });
    let short = Duration::from_millis(20);
    let analysis = world
        .start_with("here", &[pass], |settings| settings.lease = short)
        .await;
    let run = analysis.run(everything()).await.expect("accepted");
    while pass.tries("first of 0") == 0 {
        tokio::time::sleep(short).await;
    }
    // As on a machine that sleeps meanwhile, or whose processors others have.
    tokio::time::sleep(short * 50).await;
    pass.release();
    let run = world.ended(&mut events, run.id).await;
    assert_eq!((run.success, run.failed), (3, 0));
    assert_eq!(pass.all_tries(), 3, "none was taken back");
    analysis.shutdown().await;
}
