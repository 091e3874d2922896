//! What a run finds of commitments.

use chatstats_model::{RunKind, RunRequest};

use crate::world::{World, get};

const CONVERSATIONS: i64 = 400;

#[tokio::test(flavor = "multi_thread")]
async fn commitments_that_a_run_finds_are_told_once_it_has_ended_and_each_once() {
    let world = World::with(0).await;
    // The one more is open, and no run looks at it.
    world
        .add_after(
            "promises",
            1..=CONVERSATIONS + 1,
            ". I'll send you the photos tomorrow.",
        )
        .await;
    let mut events = world.listen().await;
    let analysis = world.start("one", chatstats_passes::all()).await;
    let request = RunRequest {
        kind: RunKind::Global,
        chats: Vec::new(),
        conversation_id: None,
        passes: Vec::new(),
    };
    let run = analysis.run(request).await.expect("a run");
    let is_found = |event: &_| get(event, "type") == Some("commitment_found");
    let before = events
        .until(|event| get(event, "type") == Some("run_complete"))
        .await;
    assert_eq!(
        before.iter().filter(|event| is_found(event)).count(),
        0,
        "{run:?}"
    );
    let mut told = std::collections::BTreeSet::new();
    // Three messages in each conversation, and a promise in each.
    while told.len() < 3 * CONVERSATIONS as usize {
        let found = events.until(is_found).await.pop().expect("the last");
        let id = get(&found, "commitment_id").expect("an id").to_owned();
        assert!(told.insert(id), "told twice: {found:?}");
    }
    analysis.shutdown().await;
}
