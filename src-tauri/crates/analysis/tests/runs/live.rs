//! Live passes: the open conversation is analysed while it grows.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use chatstats_analysis::{Analysis, Arrivals};
use chatstats_model::{ChatId, Kind};
use chatstats_passes::{Cadence, Input, Pass, PassError};
use chatstats_store::{Lane, NewMessage, NewResult};
use serde_json::json;

use crate::world::{Events, World, get};

/// Counts messages, and how often it is asked to.
struct Counts {
    tries: AtomicUsize,
    breaks_at: usize,
}

impl Counts {
    fn leaked(breaks_at: usize) -> &'static Self {
        Box::leak(Box::new(Self {
            tries: AtomicUsize::new(0),
            breaks_at,
        }))
    }

    fn tries(&self) -> usize {
        self.tries.load(Ordering::Relaxed)
    }
}

impl Pass for Counts {
    fn name(&self) -> &'static str {
        "counts"
    }

    fn version(&self) -> u32 {
        1
    }

    fn about(&self) -> &'static str {
        "Counts messages."
    }

    fn cadence(&self) -> Cadence {
        Cadence::Live
    }

    fn run(&self, input: &Input<'_>) -> Result<String, PassError> {
        self.tries.fetch_add(1, Ordering::Relaxed);
        assert_ne!(input.messages.len(), self.breaks_at, "told to panic");
        Ok(json!({ "messages": input.messages.len() }).to_string())
    }
}

/// Analysis that is told of every commit.
async fn listening(world: &World, pass: &'static Counts, on_seal: bool) -> Analysis {
    let arrivals = Arrivals::default();
    let commits = std::sync::Arc::new(arrivals.clone());
    world.store.on_commit(commits);
    world
        .start_with("one", &[pass], |settings| {
            settings.arrivals = arrivals;
            settings.on_seal = on_seal;
        })
        .await
}

/// A message of now.
async fn say(world: &World, number: i64) {
    say_all(world, number..number + 1).await;
}

/// Several, so that nothing comes between them.
async fn say_all(world: &World, numbers: std::ops::Range<i64>) {
    let sent = world.now();
    let stored = world.store.write(Lane::Live, 0, move |write| {
        let chat = write.chat("test", "room", Some("room"))?;
        let sender = write.identity("test", "ann", "Ann", false, sent.as_micros())?;
        for number in numbers {
            write.put(
                chat,
                &NewMessage {
                    key: format!("now-{number}").as_bytes(),
                    key_is_certain: true,
                    sender: Some(sender),
                    is_from_me: false,
                    kind: Kind::Text,
                    sent,
                    content: &format!("now {number}"),
                    reply_key: None,
                    edited: None,
                    reactions: &[],
                    attachments: &[],
                },
            )?;
        }
        Ok(())
    });
    stored.await.expect("stored");
}

/// Waits for the next live result, and reads what it says of the open conversation.
async fn next(world: &World, events: &mut Events) -> u64 {
    let seen = events.until(|event| get(event, "status") == Some("live")).await;
    let last = seen.last().expect("some");
    assert_eq!(
        (get(last, "type"), get(last, "scope")),
        (Some("analysis_completed"), Some("chat:1"))
    );
    counted(world).await.expect("a current result")
}

/// What the current result of the open conversation says.
async fn counted(world: &World) -> Option<u64> {
    let read = world.store.read(|reader| {
        let open = reader.open_conversation(ChatId(1))?.expect("one is open");
        reader.results(open.id)
    });
    let results = read.await.expect("read");
    results
        .iter()
        .find(|result| result.current)
        .and_then(|result| result.result["messages"].as_u64())
}

#[tokio::test(flavor = "multi_thread")]
async fn the_open_conversation_is_followed_and_is_not_computed_again_when_it_is_sealed() {
    let world = World::with(2).await;
    let pass = Counts::leaked(0);
    let mut events = world.listen().await;
    let analysis = listening(&world, pass, true).await;
    // What is there is sealed, or its pause has passed.
    for _ in 0..2 {
        events
            .until(|event| get(event, "type") == Some("completed"))
            .await;
    }
    assert_eq!(pass.tries(), 2);
    // Several in a row are one look.
    say_all(&world, 0..5).await;
    assert_eq!(next(&world, &mut events).await, 5);
    assert_eq!(pass.tries(), 3);
    say(&world, 5).await;
    assert_eq!(next(&world, &mut events).await, 6);

    let open = world
        .store
        .read(|reader| reader.open_conversation(ChatId(1)))
        .await;
    let open = open.expect("read").expect("open");
    let data =
        json!({ "chat_id": 1, "conversation_id": open.id, "last_message_time": open.last_message_time });
    let sealed = world.bus.publish(
        "chat:1",
        "conversation_sealed",
        data.as_object().expect("an object"),
    );
    sealed.await.expect("published");
    events
        .until(|event| get(event, "type") == Some("completed"))
        .await;
    assert_eq!(pass.tries(), 4, "its result was there");
    analysis.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_an_import_brings_and_what_is_switched_off_is_not_looked_at() {
    let world = World::with(0).await;
    let pass = Counts::leaked(0);
    let analysis = listening(&world, pass, false).await;
    let mut events = world.listen().await;
    // A chat whose last conversation is years old, and not sealed yet.
    world.add("other", 0..=3).await;
    analysis.switch("counts", false).await.expect("switched");
    say(&world, 1).await;
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert_eq!((pass.tries(), counted(&world).await), (0, None));
    analysis.switch("counts", true).await.expect("switched");
    say(&world, 2).await;
    assert_eq!(next(&world, &mut events).await, 2);
    assert_eq!(pass.tries(), 1, "one conversation, and the old ones never");
    analysis.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_live_pass_that_panics_is_tried_with_the_next_message() {
    let world = World::with(0).await;
    let pass = Counts::leaked(1);
    let analysis = listening(&world, pass, false).await;
    let mut events = world.listen().await;
    say(&world, 1).await;
    while pass.tries() == 0 {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    say(&world, 2).await;
    assert_eq!(next(&world, &mut events).await, 2);
    analysis.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_result_of_before_a_message_does_not_take_the_place_of_a_newer_one() {
    let world = World::with(0).await;
    say(&world, 1).await;
    let older = result(&world).await;
    say(&world, 2).await;
    let newer = result(&world).await;
    let now = world.now();
    for (result, stored) in [(newer, 1), (older, 0)] {
        let put = world
            .store
            .write_analysis(Lane::Live, 0, move |write| write.put_live_results(&[result], now));
        assert_eq!(put.await.expect("written"), stored);
    }
    assert_eq!(counted(&world).await, Some(2));
}

/// What the pass finds in the open conversation as it is.
async fn result(world: &World) -> NewResult {
    let read = world.store.read(|reader| {
        let open = reader.open_conversation(ChatId(1))?.expect("one is open");
        let work = reader.conversation_work(open.id, &[])?.expect("there");
        Ok(NewResult {
            conversation_id: open.id,
            pass: "counts".into(),
            version: 1,
            fingerprint: work.fingerprint,
            json: json!({ "messages": work.messages.len() }).to_string(),
        })
    });
    read.await.expect("read")
}
