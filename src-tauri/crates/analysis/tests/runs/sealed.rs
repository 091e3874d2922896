//! A conversation that is sealed is analysed.

use chatstats_model::ChatId;
use serde_json::json;

use crate::passes::{Does, told};
use crate::world::{Events, World, get};

/// Says that conversations are sealed, as the tracker does.
async fn say(world: &World, numbers: impl Iterator<Item = usize>) {
    let all = world.sealed().await;
    for number in numbers {
        let data = json!({ "chat_id": 1, "conversation_id": all[number], "last_message_time": "2024-01-01T00:00:00Z" });
        let data = data.as_object().expect("an object").clone();
        world
            .bus
            .publish("chat:1", "conversation_sealed", &data)
            .await
            .expect("published");
    }
}

async fn completed(events: &mut Events, count: usize) {
    for _ in 0..count {
        events
            .until(|event| get(event, "type") == Some("completed"))
            .await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn sealed_conversations_are_analysed_once_also_those_of_while_the_program_was_off() {
    let world = World::with(6).await;
    let pass = told("a", |_, _| Does::Well);
    let mut events = world.listen().await;
    let analysis = world
        .start_with("one", &[pass], |settings| settings.on_seal = true)
        .await;
    // The first start looks through what is there.
    completed(&mut events, 6).await;
    world.add("room", 7..=9).await;
    say(&world, 0..1).await;
    completed(&mut events, 1).await;
    analysis.shutdown().await;
    assert_eq!(pass.all_tries(), 7);

    say(&world, 1..3).await;
    let analysis = world
        .start_with("two", &[pass], |settings| settings.on_seal = true)
        .await;
    completed(&mut events, 2).await;
    // Said twice is analysed once: the results are current.
    say(&world, 0..3).await;
    completed(&mut events, 3).await;
    assert_eq!(pass.all_tries(), 9);
    let chat = ChatId(1);
    analysis.look_at(chat).await.expect("noted");
    analysis.shutdown().await;
}
