//! Random operations, beside a model that is simple enough to be right.

use std::collections::hash_map::RandomState;
use std::hash::BuildHasher;
use std::ops::Bound::{self, Excluded, Included, Unbounded};

use chatstats_bus::{Bus, BusError, Entry, Fields, Filter, Item, NewId, Notice, Start, StreamId, Tail, Trim};

use super::{Engine, KEEP_ALL, expect_gap, id, key, next};

const OPERATIONS: usize = 3_000;

/// How many entries a follower may be behind: one who is so slow that it has to read on from the log may miss what is
/// trimmed meanwhile, and that depends on the engine.
const BEHIND_MAX: usize = 2_000;

/// Set it to repeat a run that failed: the test prints its seed.
const SEED_VARIABLE: &str = "CHATSTATS_TEST_SEED";

pub(crate) async fn random_operations_do_what_the_model_does<E: Engine>() {
    let given = std::env::var(SEED_VARIABLE)
        .ok()
        .and_then(|seed| seed.parse().ok());
    let seed = given.unwrap_or_else(|| RandomState::new().hash_one(0));
    println!("seed: {SEED_VARIABLE}={seed}");
    let engine = E::start().await;
    let mut bus = engine.open(KEEP_ALL).await;
    let mut random = Random(seed);
    let mut model = Model::default();
    let mut followers = vec![witness(&bus, &model).await];
    for _ in 0..OPERATIONS {
        match random.below(100) {
            0..40 => add(&bus, &mut model, &mut followers, &mut random).await,
            40..65 => compare_ranges(&bus, &model, &mut random).await,
            65..75 => compare_info(&bus, &model).await,
            75..82 => trim(&bus, &mut model, &mut followers, &mut random).await,
            82..90 => follow(&bus, &model, &mut followers, &mut random).await,
            90..98 => hear(&mut followers, &mut random).await,
            98 if followers.len() > 1 => {
                let leaves = 1 + random.below(followers.len() as u64 - 1) as usize;
                followers.swap_remove(leaves);
            }
            _ => {
                // A restart: nobody follows across it.
                for mut follower in followers.drain(..) {
                    follower.hear_all().await;
                }
                bus.shutdown().await;
                drop(bus);
                bus = engine.open(KEEP_ALL).await;
                followers.push(witness(&bus, &model).await);
            }
        }
    }
    for follower in &mut followers {
        follower.hear_all().await;
    }
    compare_info(&bus, &model).await;
}

/// A follower of all that comes.
async fn witness(bus: &Bus, model: &Model) -> Follower {
    let start = Start::Now;
    let tail = bus.follow(&key(), Filter::All, start).await.expect("followed");
    Follower {
        tail,
        filter: Filter::All,
        above: model.newest,
        gap: Gap::None,
        has_heard: true,
        coming: Vec::new(),
    }
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

/// A stream as it should be.
#[derive(Default)]
struct Model {
    entries: Vec<(StreamId, Fields)>,
    newest: StreamId,
    trimmed_through: StreamId,
}

impl Model {
    /// An id that is there, or was, or is near one.
    fn some_id(&self, random: &mut Random) -> StreamId {
        let near = match self.entries.len() as u64 {
            0 => self.newest,
            len => self.entries[random.below(len) as usize].0,
        };
        let near = match random.below(8) {
            0 => near.prev().unwrap_or_default(),
            1 => near.next().unwrap_or(StreamId::MAX),
            2 => self.newest,
            3 => self.trimmed_through,
            4 => id(near.ms, random.below(3)),
            _ => near,
        };
        match random.below(40) {
            0 => StreamId::ZERO,
            1 => StreamId::MAX,
            _ => near,
        }
    }
}

/// A follower, and what it should be told.
struct Follower {
    tail: Tail,
    filter: Filter,
    above: StreamId,
    gap: Gap,
    /// Was told something: has read the log then, up to where it began to follow.
    has_heard: bool,
    coming: Vec<(StreamId, Fields)>,
}

impl Follower {
    fn will_hear(&mut self, id: StreamId, fields: &Fields) {
        if id > self.above && self.filter.wants(&Entry::new(id, fields.clone())) {
            self.coming.push((id, fields.clone()));
        }
    }

    async fn hear(&mut self, count: usize) {
        for (id, fields) in self.coming.drain(..count.min(self.coming.len())) {
            let mut told = next(&mut self.tail).await;
            if self.gap == Gap::Perhaps && matches!(told, Item::Notice(Notice::Gap)) {
                told = next(&mut self.tail).await;
            }
            self.gap = Gap::None; // If there is one, it comes first.
            self.has_heard = true;
            match told {
                Item::Entry(entry) => assert_eq!((entry.id, &entry.fields), (id, &fields)),
                Item::Notice(notice) => panic!("{notice:?} instead of {id}"),
            }
        }
    }

    async fn hear_all(&mut self) {
        self.hear(self.coming.len()).await;
    }
}

async fn add(bus: &Bus, model: &mut Model, followers: &mut [Follower], random: &mut Random) {
    let mut submitted = Vec::new();
    for _ in 0..=random.below(20) {
        let at = match random.below(4) {
            0 if model.newest < id(u64::MAX / 2, 0) => {
                let newest = model.newest;
                let near = [
                    id(newest.ms, newest.seq.saturating_sub(1)),
                    newest,
                    id(newest.ms + 1, 0),
                ];
                let at = [near[0], near[1], near[2], id(newest.ms, newest.seq + 2)];
                NewId::At(at[random.below(4) as usize])
            }
            _ => NewId::Auto,
        };
        let fields = some_fields(random);
        submitted.push((at, fields.clone(), bus.add(&key(), at, fields).expect("taken")));
    }
    for (at, fields, added) in submitted {
        let id = match (at, added.await) {
            (NewId::At(at), Err(BusError::IdTooSmall { asked, .. })) => {
                assert!(
                    asked == at && at <= model.newest,
                    "{at} is above {}",
                    model.newest
                );
                continue;
            }
            (NewId::At(at), Ok(id)) if id == at => id,
            (NewId::Auto, Ok(id)) => id,
            (at, added) => panic!("{at:?}: {added:?}"),
        };
        assert!(id > model.newest);
        model.newest = id;
        for follower in followers.iter_mut() {
            follower.will_hear(id, &fields);
            if follower.coming.len() == BEHIND_MAX {
                follower.hear_all().await;
            }
        }
        model.entries.push((id, fields));
    }
}

fn some_fields(random: &mut Random) -> Fields {
    let scope = format!("chat:{}", random.below(3));
    let run = random.below(3).to_string();
    let value = vec![random.below(256) as u8; random.below(200) as usize];
    let all = [
        ("type", b"t".to_vec()),
        ("scope", scope.into_bytes()),
        ("run_id", run.into_bytes()),
        ("value", value),
    ];
    let left_out = random.below(8) as usize;
    let told = all
        .into_iter()
        .enumerate()
        .filter(|(index, _)| *index != left_out);
    Fields::new(told.map(|(_, field)| field)).expect("small")
}

async fn compare_ranges(bus: &Bus, model: &Model, random: &mut Random) {
    let mut bound = || -> Bound<StreamId> {
        match random.below(5) {
            0 => Unbounded,
            1 | 2 => Included(model.some_id(random)),
            _ => Excluded(model.some_id(random)),
        }
    };
    let bounds = (bound(), bound());
    let count = random.below(60) as usize;
    use std::ops::RangeBounds as _;
    let inside = model.entries.iter().filter(|(id, _)| bounds.contains(id));
    let mut inside: Vec<_> = inside.cloned().collect();
    let reverse = random.below(2) == 1;
    let page = match reverse {
        true => bus.rev_range(&key(), bounds, count).await,
        false => bus.range(&key(), bounds, count).await,
    };
    let page = page.expect("read");
    if reverse {
        inside.reverse();
    }
    assert_eq!(
        page.more,
        count > 0 && inside.len() > count,
        "{bounds:?} {count} {reverse}"
    );
    inside.truncate(count);
    let found: Vec<_> = page
        .entries
        .iter()
        .map(|entry| (entry.id, entry.fields.clone()))
        .collect();
    assert_eq!(found, inside, "{bounds:?} {count} {reverse}");
}

async fn compare_info(bus: &Bus, model: &Model) {
    let info = bus.info(&key()).await.expect("read");
    assert_eq!(info.length, model.entries.len() as u64);
    assert_eq!(info.first, model.entries.first().map(|(id, _)| *id));
    assert_eq!(info.last, model.entries.last().map(|(id, _)| *id));
    assert_eq!(info.newest, model.newest);
    // An engine that does not remember what it trimmed last may say "up to the first that is left".
    assert!(info.trimmed_through >= model.trimmed_through);
    assert!(info.first.is_none_or(|first| info.trimmed_through < first));
    assert_eq!(
        info.trimmed_through == StreamId::ZERO,
        model.trimmed_through == StreamId::ZERO
    );
}

async fn trim(bus: &Bus, model: &mut Model, followers: &mut [Follower], random: &mut Random) {
    // What was written has reached all who follow, and waits for them, once it has reached the first.
    followers[0].hear_all().await;
    let len = model.entries.len() as u64;
    let keep = match random.below(6) {
        0 => 0,
        1 => len,
        _ => len.saturating_sub(random.below(100)),
    };
    let trimmed = bus.trim(&key(), Trim::Exactly(keep)).await.expect("trimmed");
    assert_eq!(trimmed, len - keep);
    if let Some((last, _)) = model.entries.drain(..trimmed as usize).next_back() {
        model.trimmed_through = last;
    }
    // Who has not looked yet may have missed something, though nothing that it wants.
    for follower in followers.iter_mut().filter(|follower| !follower.has_heard) {
        follower.gap = Gap::Perhaps;
    }
}

async fn follow(bus: &Bus, model: &Model, followers: &mut Vec<Follower>, random: &mut Random) {
    let id = model.some_id(random);
    let start = match random.below(4) {
        0 => Start::Now,
        1 => Start::Resume(model.entries.last().map_or(StreamId::ZERO, |(id, _)| *id)),
        2 => Start::Resume(id),
        _ => Start::After(id),
    };
    let filter = match random.below(4) {
        0 => Filter::All,
        _ => Filter::Events {
            scope: (random.below(2) == 0).then(|| format!("chat:{}", random.below(3))),
            run_id: (random.below(2) == 0).then(|| random.below(3).to_string()),
        },
    };
    let tail = bus.follow(&key(), filter.clone(), start).await.expect("followed");
    let (above, gap) = place(model, start);
    let mut follower = Follower {
        tail,
        filter,
        above,
        gap,
        has_heard: false,
        coming: Vec::new(),
    };
    for (id, fields) in &model.entries {
        follower.will_hear(*id, fields);
    }
    if gap == Gap::Surely {
        expect_gap(&mut follower.tail).await;
    }
    // What it should be told at once it reads at once, so that a trim that comes next takes nothing from it.
    follower.hear_all().await;
    followers.push(follower);
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Gap {
    None,
    /// Whether there is one cannot be told from what is left.
    Perhaps,
    Surely,
}

/// Above which id a follower is told everything, and whether it is told of a gap first.
fn place(model: &Model, start: Start) -> (StreamId, Gap) {
    match start {
        Start::Now => (model.newest, Gap::None),
        Start::Resume(id) | Start::After(id) if id == StreamId::ZERO => (id, Gap::None),
        Start::Resume(id) if id > model.newest => (StreamId::ZERO, Gap::Surely),
        Start::Resume(id) | Start::After(id) => {
            let first = model.entries.first().map(|(id, _)| *id);
            let gap = match id {
                id if id >= model.newest => Gap::None,
                id if id < model.trimmed_through => Gap::Surely,
                id if model.trimmed_through == StreamId::ZERO && start == Start::After(id) => Gap::None,
                id if first.is_some_and(|first| first <= id) => Gap::None,
                _ => Gap::Perhaps,
            };
            (id, gap)
        }
    }
}

async fn hear(followers: &mut [Follower], random: &mut Random) {
    if followers.is_empty() {
        return;
    }
    let at = random.below(followers.len() as u64) as usize;
    followers[at].hear(random.below(50) as usize).await;
}
