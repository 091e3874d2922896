//! What travels to workers elsewhere and back: all of it, and only between programs that understand each other.

use std::collections::HashSet;
use std::time::Duration;

use chatstats_bus::{Answers, Done, Fields, NewId, StreamKey, Wanted};
use chatstats_model::{Attachment, Kind, Reaction};
use chatstats_passes::Pass;
use chatstats_store::{Lane, NewMessage, PassVersion};
use tokio_util::sync::CancellationToken;

use crate::passes::{Does, told};
use crate::remote::{Redis, only_workers, worker};
use crate::world::{World, at, everything};

/// People and what they write: promises, files that keep them, feelings, dates, languages, and the app's own lines.
const LINES: &[(&str, &str, Kind)] = &[
    ("ann", "Can you send me the photos by Friday? 😂", Kind::Text),
    ("me", "I'll send them tomorrow, promise!", Kind::Text),
    ("bob", "Ich rufe dich morgen um 18 Uhr an.", Kind::Text),
    ("", "Ann changed the title\nto \"Zoë & Bob\"", Kind::System),
    ("me", "", Kind::Media),
    ("zoë", "I really love this, thank you so much ❤️", Kind::Text),
    ("ann", "Bob, could you book the table on 3 May?", Kind::Text),
    ("bob", "done!", Kind::Text),
    ("zoë", "This message was deleted", Kind::Deleted),
    ("me", "Missed voice call", Kind::Call),
    ("ann", "so annoying, the train was late again :(", Kind::Text),
    (
        "me",
        "https://example.com/a?b=c is where we met, @Ann",
        Kind::Other,
    ),
];

/// A group and a chat of two, of conversations that are all different.
async fn talk(world: &World) {
    for (chat, people) in [("group", 4), ("two", 2)] {
        let stored = world.store.write(Lane::Live, 0, move |write| {
            let id = write.chat("test", chat, Some(chat))?;
            for number in 0..60_usize {
                let conversation = number / 12;
                let (who, text, kind) = LINES[(number * (conversation + 1)) % LINES.len()];
                let sent = at(conversation as i64 * 86_400 + number as i64 * 97);
                let who = if people == 2 && who != "me" && !who.is_empty() {
                    "ann"
                } else {
                    who
                };
                let sender = match who {
                    "" => None,
                    who => Some(write.identity("test", who, who, who == "me", sent.as_micros())?),
                };
                let before = format!("{chat}-{}", number.saturating_sub(3));
                let file = Attachment {
                    name: Some("photos.zip".to_owned()),
                    kind: Some("document".to_owned()),
                    ..Attachment::default()
                };
                let reaction = Reaction {
                    emoji: "👍".to_owned(),
                    count: 2,
                    senders: vec!["Ann".to_owned()],
                };
                let put = write.put(
                    id,
                    &NewMessage {
                        key: format!("{chat}-{number}").as_bytes(),
                        key_is_certain: true,
                        sender,
                        is_from_me: who == "me",
                        kind,
                        sent,
                        content: text,
                        reply_key: (number % 5 == 3).then_some(before.as_bytes()),
                        edited: (number % 7 == 2).then(|| at(number as i64 * 100_000)),
                        reactions: if number % 4 == 1 {
                            std::slice::from_ref(&reaction)
                        } else {
                            &[]
                        },
                        attachments: if kind == Kind::Media {
                            std::slice::from_ref(&file)
                        } else {
                            &[]
                        },
                    },
                );
                put?;
            }
            Ok(())
        });
        stored.await.expect("stored");
    }
}

/// The results of all passes, chat by chat, as they are stored.
async fn found(world: &World, passes: &[&'static dyn Pass]) -> Vec<(i64, String, String)> {
    let versions: Vec<_> = passes
        .iter()
        .map(|pass| PassVersion {
            name: pass.name().to_owned(),
            version: pass.version(),
        })
        .collect();
    let read = world.store.read(move |reader| {
        let mut found = Vec::new();
        for chat in 1..=3 {
            for version in &versions {
                for result in reader.chat_results(chatstats_model::ChatId(chat), version)? {
                    found.push((result.conversation_id.0, version.name.clone(), result.json));
                }
            }
        }
        Ok(found)
    });
    read.await.expect("read")
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_worker_elsewhere_finds_is_what_is_found_here_to_the_letter() {
    let redis = Redis::start();
    let passes = chatstats_passes::all();
    let mut all = Vec::new();
    for elsewhere in [false, true] {
        let world = match elsewhere {
            false => World::with(2).await,
            true => World::with_redis(&redis.url(), 2).await,
        };
        talk(&world).await;
        let mut events = world.listen().await;
        let workers = if elsewhere { 0 } else { 2 };
        let analysis = world
            .start_with("one", passes, |settings| settings.workers = workers)
            .await;
        let stop = CancellationToken::new();
        let worker = match elsewhere {
            false => None,
            true => Some(worker(&redis.url(), "w1", passes, &stop).await),
        };
        let run = analysis.run(everything()).await.expect("accepted");
        let run = world.ended(&mut events, run.id).await;
        // Of five a chat the last is open, and so is that of the room.
        assert_eq!((run.total, run.success), (2 + 2 * 4, 2 + 2 * 4));
        all.push(found(&world, passes).await);
        stop.cancel();
        if let Some(worker) = worker {
            assert_eq!(worker.await.expect("ended"), 10);
        }
        analysis.shutdown().await;
        world.bus.shutdown().await;
    }
    let (here, there) = (&all[0], &all[1]);
    assert_eq!(here.len(), 10 * passes.len());
    let promises = here
        .iter()
        .filter(|(_, pass, json)| pass == "commitments" && json.contains("message_id"));
    assert!(promises.count() > 4, "too little to compare: {here:?}");
    assert_eq!(here, there);
}

fn entry(version: &str, body: &str) -> Fields {
    let fields = [
        ("version", version),
        ("id", "77 78"),
        ("attempt", "3 1"),
        ("body", body),
    ];
    Fields::new(fields).expect("fits")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_says_whom_to_update_and_drops_what_is_no_task() {
    let redis = Redis::start();
    let world = World::with_redis(&redis.url(), 1).await;
    let tasks = StreamKey::new("chatstats:tasks").expect("a key");
    let of_before = Fields::new([("json", r#"{"id":78,"attempt":1}"#)]).expect("fits");
    let uneven =
        Fields::new([("version", "4"), ("id", "77 78"), ("attempt", "3"), ("body", "")]).expect("fits");
    for fields in [
        of_before,
        uneven,
        entry("3", "damaged"),
        entry("2", ""),
        entry("4", "?"),
    ] {
        let added = world.bus.add(&tasks, NewId::Auto, fields).expect("taken");
        added.await.expect("added");
    }
    let stop = CancellationToken::new();
    let pass = told("a", |_, _| Does::Well);
    let worker = worker(&redis.url(), "w1", &[pass], &stop).await;
    while world.bus.len(&tasks).await.expect("a length") > 0 {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    stop.cancel();
    assert_eq!(worker.await.expect("ended"), 4);
    let answers = StreamKey::new("chatstats:task_answers").expect("a key");
    let page = world.bus.range(&answers, .., 10).await;
    let page = page.expect("a range");
    let mut bodies = Vec::new();
    for answer in &page.entries {
        assert_eq!(
            ["version", "id", "attempt"].map(|name| answer.fields.text(name)),
            [Some("3"), Some("77 78"), Some("3 1")]
        );
        bodies.push(String::from_utf8_lossy(
            answer.fields.get("body").unwrap_or_default(),
        ));
    }
    // Whichever of its hands was the first to answer.
    for wanted in [
        "this worker takes tasks of version 3, not 2: update the server",
        "this worker takes tasks of version 3, not 4: update it",
    ] {
        let counts = bodies.iter().map(|body| body.matches(wanted).count());
        assert_eq!(counts.filter(|count| *count == 2).count(), 1, "{bodies:?}");
    }
    assert_eq!(page.entries.len(), 2);
    assert_eq!(pass.all_tries(), 0);
    world.bus.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn short_tasks_travel_together_and_alone_where_the_answer_was_of_another_version() {
    let redis = Redis::start();
    let world = World::with_redis(&redis.url(), 10).await;
    let (tasks, answers) = ("chatstats:tasks", "chatstats:task_answers");
    let [tasks, answers] = [tasks, answers].map(|key| StreamKey::new(key).expect("a key"));
    let queue = world.bus.work_queue(&tasks, "workers").expect("of Redis");
    let wait = Duration::from_secs(1);
    let mut taker = queue.join("newer", wait).await.expect("joined");
    let answers = Answers {
        key: answers,
        kept: 100,
    };
    let wanted = Wanted {
        count: 1,
        is_ready: true,
        wait,
        idle_min: Duration::from_secs(60),
    };
    let pass = told("a", |_, _| Does::Well);
    let analysis = only_workers(&world, pass).await;
    analysis.run(everything()).await.expect("accepted");
    let (mut done, mut tries) = (Vec::new(), Vec::new());
    // Each is tried, and tried again; after a pause of the machine, some once more before others are a second time.
    let again = |tries: &Vec<(String, usize)>| tries.iter().filter(|(attempt, _)| attempt == "2").count();
    while again(&tries) < 10 {
        let taken = taker.exchange(&done, &HashSet::new(), &answers, wanted).await;
        done.clear();
        for entry in taken.expect("asked") {
            let text = |name| entry.fields.text(name).expect("there").to_owned();
            let (id, attempt) = (text("id"), text("attempt"));
            let together = attempt.split(' ').count();
            assert_eq!(id.split(' ').count(), together);
            assert!(together <= 16, "{id}");
            tries.extend(attempt.split(' ').map(|attempt| (attempt.to_owned(), together)));
            let answer = [("version", "4".to_owned()), ("id", id), ("attempt", attempt)];
            let answer = Some(Fields::new(answer).expect("fits"));
            done.push(Done { id: entry.id, answer });
        }
    }
    let of = |number: &'static str| tries.iter().filter(move |(attempt, _)| attempt == number);
    let together: usize = of("1").map(|(_, together)| together).sum();
    // All of them, where none was seeded later than the rest.
    assert!(together > 10, "each alone: {tries:?}");
    assert_eq!((of("1").count(), of("2").count()), (10, 10));
    assert!(of("2").all(|(_, together)| *together == 1), "{tries:?}");
    let rows = rusqlite::Connection::open(world.store_path()).expect("the database");
    let errors = "SELECT count(*) FROM tasks WHERE error = ?1";
    let wanted = "a worker's answer is of version 4, not 3: update this program";
    let count = rows.query_row(errors, [wanted], |row| row.get::<_, i64>(0));
    assert_eq!(count.expect("a count"), 10);
    analysis.shutdown().await;
    world.bus.shutdown().await;
}
