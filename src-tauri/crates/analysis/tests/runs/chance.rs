//! Ten thousand conversations and a pass that panics, hangs and fails by chance.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::time::Duration;

use chatstats_model::{ConversationId, RunId, RunState, TaskState};
use chatstats_store::{ATTEMPTS_MAX, Selection, TaskQuery};

use crate::passes::{Does, told};
use crate::world::{World, everything, get, is, number};

/// Set it to repeat a run that failed: the test prints its seed.
const SEED_VARIABLE: &str = "CHATSTATS_SEED";

const CONVERSATIONS: i64 = 10_000;

/// Fewer than may hang at a time: with more of them the workers are given up, which is another test's matter.
const HANG: usize = 2;

/// What a conversation's tries do, one after the other; those that follow go well.
type Plan = HashMap<String, Vec<Does>>;

#[tokio::test(flavor = "multi_thread")]
async fn whatever_a_pass_does_by_chance_the_run_ends_once_and_everything_is_accounted_for() {
    let plan = plan(&mut seed());
    // For good fails what fails for good before it goes well, or with every try.
    let lost: BTreeSet<String> = plan
        .iter()
        .filter(|(_, tries)| tries.contains(&Does::Permanent) || tries.len() >= ATTEMPTS_MAX as usize)
        .map(|(text, _)| text.clone())
        .collect();
    assert!(lost.len() > 50, "a plan of little use: {} fail", lost.len());

    let world = World::with(CONVERSATIONS).await;
    let mut events = world.listen().await;
    let pass = told("a", move |text, attempt| {
        let tries = plan.get(text);
        let does = tries.and_then(|tries| tries.get(attempt as usize - 1));
        does.copied().unwrap_or(Does::Well)
    });
    let analysis = world
        .start_with("one", &[pass], |settings| {
            settings.pass_time_max = Duration::from_secs(10)
        })
        .await;
    let run = analysis.run(everything()).await.expect("accepted");
    let seen = events.until(|event| is(event, "run_complete", run.id)).await;

    let (failed, total) = (lost.len() as u64, CONVERSATIONS as u64);
    let row = world.run(run.id).await;
    assert_eq!(
        (row.state, row.total, row.success, row.failed),
        (RunState::Complete, total, total - failed, failed)
    );
    let last = seen.last().expect("some");
    for (name, value) in [("total", total), ("success", total - failed), ("failed", failed)] {
        assert_eq!(number(last, name), value, "{name}");
    }
    let told = |name: &str| {
        let fits = |event: &&_| get(event, "type") == Some(name);
        seen.iter().filter(fits).count() as u64
    };
    assert_eq!((told("completed"), told("failed")), (total - failed, failed));
    assert_eq!(dead(&world, run.id).await, lost);
    for (text, results) in results(&world).await {
        assert_eq!(results, usize::from(!lost.contains(&text)), "{text}");
    }

    // What was given up ends after all, and changes nothing.
    pass.release();
    analysis.shutdown().await;
    assert_eq!(world.run(run.id).await, row);
    let all = world.events().await;
    let ends = all.iter().filter(|event| is(event, "run_complete", run.id));
    assert_eq!(ends.count(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_ends_also_when_every_worker_hangs() {
    let world = World::with(200).await;
    let mut events = world.listen().await;
    let stuck = told("a", |_, _| Does::Hang);
    let analysis = world
        .start_with("one", &[stuck], |settings| {
            settings.pass_time_max = Duration::from_millis(500)
        })
        .await;
    let run = analysis.run(everything()).await.expect("accepted");
    let run = world.ended(&mut events, run.id).await;
    assert_eq!((run.total, run.success, run.failed), (200, 0, 200));
    // Those that hang end: there are workers again, and the dead letters can be tried again.
    stuck.release();
    let again = loop {
        let again = analysis.retry(None).await.expect("accepted");
        let again = world.ended(&mut events, again.id).await;
        if again.failed == 0 {
            break again;
        }
    };
    assert!(again.success > 0);
    let left = world.store.read(|reader| reader.dead_letters(None, 1)).await;
    assert_eq!(left.expect("read").total, 0);
    analysis.shutdown().await;
}

/// One in twenty conversations has something happen to it, and a few hang in their first try.
fn plan(random: &mut Random) -> Plan {
    let mut plan = Plan::new();
    for conversation in 0..CONVERSATIONS {
        if random.below(20) > 0 {
            continue;
        }
        let tries = (0..=random.below(u64::from(ATTEMPTS_MAX))).map(|_| match random.below(12) {
            0 => Does::Permanent,
            number if number % 2 == 0 => Does::Panic,
            _ => Does::Transient,
        });
        plan.insert(text(conversation), tries.collect());
    }
    while plan.values().filter(|tries| tries[0] == Does::Hang).count() < HANG {
        let conversation = random.below(CONVERSATIONS as u64) as i64;
        plan.insert(text(conversation), vec![Does::Hang]);
    }
    plan
}

fn text(conversation: i64) -> String {
    format!("first of {conversation}")
}

/// The first messages of the run's conversations that failed.
async fn dead(world: &World, run: RunId) -> BTreeSet<String> {
    let query = TaskQuery {
        run: Some(run),
        states: vec![TaskState::Failed, TaskState::Dead],
        limit: CONVERSATIONS as usize,
        ..TaskQuery::default()
    };
    let found = world.store.read(move |reader| reader.tasks(&query)).await;
    let texts = texts(world).await;
    let tasks = found.expect("read").tasks;
    let dead: BTreeSet<_> = tasks
        .iter()
        .map(|task| texts[&task.conversation_id].clone())
        .collect();
    assert_eq!(dead.len(), tasks.len(), "a conversation has one task");
    dead
}

/// How many results there are of each conversation, by its first message.
async fn results(world: &World) -> BTreeMap<String, usize> {
    let texts = texts(world).await;
    let counted = world.store.read(move |reader| {
        texts
            .into_iter()
            .map(|(id, text)| Ok((text, reader.results(id)?.len())))
            .collect()
    });
    counted.await.expect("read")
}

/// The first message of each sealed conversation.
async fn texts(world: &World) -> HashMap<ConversationId, String> {
    let read = world.store.read(|reader| {
        let mut texts = HashMap::new();
        for task in reader.select_conversations(&Selection::default())? {
            let id = task.conversation_id;
            if let Some(work) = reader.conversation_work(id, &[])? {
                texts.insert(id, work.messages[0].content.clone());
            }
        }
        Ok(texts)
    });
    read.await.expect("read")
}

fn seed() -> Random {
    let given = std::env::var(SEED_VARIABLE).ok();
    let given = given.map(|seed| seed.parse().expect("a number"));
    let of_chance = || std::hash::BuildHasher::hash_one(&std::hash::RandomState::new(), 0);
    let seed = given.unwrap_or_else(of_chance);
    println!("seed: {SEED_VARIABLE}={seed}");
    Random(seed)
}

/// A small generator (SplitMix64, by Sebastiano Vigna, who gave it to the public): the same seed, the same test.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    fn below(&mut self, end: u64) -> u64 {
        self.next() % end
    }
}
