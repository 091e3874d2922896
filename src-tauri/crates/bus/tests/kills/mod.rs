//! The process ends without a word, in the middle of publishing.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};

use chatstats_bus::{Bus, Entry, Fields, Filter, Item, NewId, Start, StreamId};

use crate::{key, open};

const KILLS: u64 = 20;
const PUBLISHES: u64 = 10_000;

/// Says to the test that is a process of its own where the log is, and with which number to begin.
const FOLDER_VARIABLE: &str = "CHATSTATS_KILLED_FOLDER";
const FIRST_VARIABLE: &str = "CHATSTATS_KILLED_FIRST";

#[tokio::test]
#[ignore = "a process that another test starts and kills"]
async fn publishes_until_it_is_killed() {
    let folder = std::env::var(FOLDER_VARIABLE).expect("started by the other test");
    let first = std::env::var(FIRST_VARIABLE)
        .ok()
        .and_then(|first| first.parse().ok());
    let first: u64 = first.expect("a number");
    let bus = open(&Path::new(&folder).join("events.db")).await;
    let submit = |n: u64| {
        let fields = Fields::new([("n", n.to_string())]).expect("small");
        bus.add(&key(), NewId::Auto, fields).expect("taken")
    };
    let mut waiting = std::collections::VecDeque::new();
    for n in first..first + PUBLISHES {
        waiting.push_back((n, submit(n)));
        // Groups of one and of many, as it comes.
        while waiting.len() > (n % 64) as usize {
            let Some((n, submitted)) = waiting.pop_front() else {
                break;
            };
            println!("acknowledged {n} {}", submitted.await.expect("written"));
        }
    }
}

/// Runs the process, and kills it once it has said that so many are acknowledged. Answers those that it said were, with
/// their ids.
fn publish_and_kill(folder: &Path, first: u64, after: u64) -> Vec<(u64, StreamId)> {
    let mut process = Command::new(std::env::current_exe().expect("this program"))
        .args([
            "kills::publishes_until_it_is_killed",
            "--exact",
            "--ignored",
            "--nocapture",
        ])
        .env(FOLDER_VARIABLE, folder)
        .env(FIRST_VARIABLE, first.to_string())
        .stdout(Stdio::piped())
        .spawn()
        .expect("started");
    let mut lines = BufReader::new(process.stdout.take().expect("piped")).lines();
    let mut acknowledged = Vec::new();
    let mut read = |acknowledged: &mut Vec<_>| {
        let Some(Ok(line)) = lines.next() else {
            return false;
        };
        let told = line
            .strip_prefix("acknowledged ")
            .and_then(|told| told.split_once(' '));
        if let Some((n, id)) = told {
            acknowledged.push((n.parse().expect("a number"), id.parse().expect("an id")));
        }
        true
    };
    while (acknowledged.len() as u64) < after && read(&mut acknowledged) {}
    assert_eq!(acknowledged.len() as u64, after, "it ended before it was killed");
    process.kill().expect("killed");
    // What it had said before the end counts as well.
    while read(&mut acknowledged) {}
    process.wait().expect("ended");
    acknowledged
}

async fn entries(bus: &Bus) -> Vec<(u64, StreamId)> {
    let page = bus.range(&key(), .., usize::MAX).await.expect("read");
    assert!(!page.more);
    page.entries
        .iter()
        .map(|entry| (number(entry), entry.id))
        .collect()
}

fn number(entry: &Entry) -> u64 {
    let text = entry.fields.text("n").expect("a numbered entry");
    text.parse().expect("a number")
}

#[tokio::test]
async fn what_was_acknowledged_survives_twenty_kills_without_a_gap() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("events.db");
    let seed = std::hash::BuildHasher::hash_one(&std::collections::hash_map::RandomState::new(), 0);
    println!("seed: {seed}");
    let (mut next, mut last_seen) = (0, StreamId::ZERO);
    for kill in 0..KILLS {
        let after = 1 + seed.rotate_left(kill as u32 * 3) % (PUBLISHES / 2);
        let acknowledged = publish_and_kill(folder.path(), next, after);
        let bus = open(&path).await;
        let entries = entries(&bus).await;
        let numbers: Vec<_> = entries.iter().map(|(n, _)| *n).collect();
        assert_eq!(
            numbers,
            (0..entries.len() as u64).collect::<Vec<_>>(),
            "a prefix, and no gap in it"
        );
        assert!(entries.is_sorted_by(|a, b| a.1 < b.1), "ids go on upwards");
        for (n, id) in acknowledged {
            assert_eq!(entries.get(n as usize), Some(&(n, id)), "acknowledged");
        }
        // Who had everything before goes on from there.
        let mut tail = bus
            .follow(&key(), Filter::All, Start::Resume(last_seen))
            .await
            .expect("followed");
        for wanted in next..entries.len() as u64 {
            let Item::Entry(told) = tail.recv().await else {
                panic!("a gap before {wanted}")
            };
            assert_eq!(number(&told), wanted);
            last_seen = told.id;
        }
        next = entries.len() as u64;
        drop(tail);
        bus.shutdown().await;
    }
}
