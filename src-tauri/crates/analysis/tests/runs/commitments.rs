//! What a run finds of commitments.

use std::collections::BTreeSet;
use std::time::Duration;

use chatstats_analysis::Settings;
use chatstats_model::RunState;

use crate::passes::{Does, told};
use crate::world::{Event, Events, World, everything, get};

const CONVERSATIONS: i64 = 400;

/// So many that telling of them takes much longer than it takes to say that the program ends.
const MANY: i64 = 2_500;

#[tokio::test(flavor = "multi_thread")]
async fn commitments_that_a_run_finds_are_told_once_it_has_ended_and_each_once() {
    let world = with_promises(CONVERSATIONS).await;
    let mut events = world.listen().await;
    let long = |settings: &mut Settings| settings.while_running = Duration::from_secs(3_600);
    let analysis = world.start_with("one", chatstats_passes::all(), long).await;
    let run = analysis.run(everything()).await.expect("a run");
    let before = events
        .until(|event| get(event, "type") == Some("run_complete"))
        .await;
    assert_eq!(
        before.iter().filter(|event| is_found(event)).count(),
        0,
        "{run:?}"
    );
    tell(&mut events, &mut BTreeSet::new(), CONVERSATIONS).await;
    analysis.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn commitments_are_told_in_the_middle_of_a_run_that_takes_long() {
    let world = with_promises(CONVERSATIONS).await;
    let mut events = world.listen().await;
    let hangs = told("hangs", |text, _| match text {
        text if text.starts_with("first of 7.") => Does::Hang,
        _ => Does::Well,
    });
    let mut passes = chatstats_passes::all().to_vec();
    passes.push(hangs);
    let at_once = |settings: &mut Settings| {
        settings.while_running = Duration::ZERO;
        settings.pass_time_max = Duration::from_secs(3_600);
    };
    let analysis = world.start_with("one", &passes, at_once).await;
    let run = analysis.run(everything()).await.expect("a run").id;
    let mut told = BTreeSet::from([id(&events.until(is_found).await.pop().expect("the last"))]);
    assert_eq!(world.run(run).await.state, RunState::Running);
    hangs.release();
    // The run's end is among what is passed over.
    tell(&mut events, &mut told, CONVERSATIONS).await;
    while world.run(run).await.state != RunState::Complete {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    analysis.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_end_waits_for_one_step_of_telling_and_the_next_start_tells_the_rest() {
    let world = with_promises(MANY).await;
    let mut events = world.listen().await;
    let analysis = world.start("one", chatstats_passes::all()).await;
    analysis.run(everything()).await.expect("a run");
    events.until(is_found).await;
    analysis.shutdown().await;
    let all = world.events().await;
    let mut told: BTreeSet<_> = all.iter().filter(|event| is_found(event)).map(id).collect();
    assert_eq!(told.len(), all.iter().filter(|event| is_found(event)).count());
    assert!(told.len() < 3 * MANY as usize, "the end waited for all");

    let mut events = world.listen().await;
    let analysis = world.start("two", chatstats_passes::all()).await;
    tell(&mut events, &mut told, MANY).await;
    analysis.shutdown().await;
}

/// Three messages in each conversation, and a promise in each.
async fn with_promises(conversations: i64) -> World {
    let world = World::with(0).await;
    // The one more is open, and no run looks at it.
    let numbers = 1..=conversations + 1;
    let promise = ". I'll send you the photos tomorrow.";
    world.add_after("promises", numbers, promise).await;
    world
}

/// Waits until all that was found in so many conversations is told, and each once.
async fn tell(events: &mut Events, told: &mut BTreeSet<String>, conversations: i64) {
    while told.len() < 3 * conversations as usize {
        let found = events.until(is_found).await.pop().expect("the last");
        assert!(told.insert(id(&found)), "told twice: {found:?}");
    }
}

fn is_found(event: &Event) -> bool {
    get(event, "type") == Some("commitment_found")
}

fn id(found: &Event) -> String {
    get(found, "commitment_id").expect("an id").to_owned()
}
