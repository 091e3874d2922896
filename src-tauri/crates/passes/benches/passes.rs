//! How long each pass takes on chats as people write them: conversations of twenty messages, mostly English.
//!
//! `cargo bench -p chatstats-passes`; the column "items" counts messages.

use chatstats_model::{ChatId, ContactId, Kind, Message, MessageId, Timestamp};
use chatstats_passes::{Input, Pass, Results, all};
use divan::Bencher;
use divan::counter::ItemsCount;
use jiff::tz::TimeZone;

/// So many that neither the processor's caches nor its branch predictor learn them by heart.
const CONVERSATIONS: usize = 1_000;
const MESSAGES_EACH: usize = 20;

const LABELLED: &str = include_str!("../tests/data/language.tsv");

fn main() {
    divan::main();
}

#[divan::bench(args = all().iter().map(|pass| pass.name()))]
fn one(bencher: Bencher<'_, '_>, name: &str) {
    let pass = chatstats_passes::named(name).expect("a pass of that name");
    let prepared: Vec<_> = conversations().into_iter().map(with_results).collect();
    bencher.counter(messages()).bench(|| {
        for (messages, results) in &prepared {
            divan::black_box(run(pass, messages, results));
        }
    });
}

#[divan::bench]
fn every(bencher: Bencher<'_, '_>) {
    let conversations = conversations();
    bencher.counter(messages()).bench(|| {
        for messages in &conversations {
            divan::black_box(run_all(messages));
        }
    });
}

fn messages() -> ItemsCount {
    ItemsCount::new(CONVERSATIONS * MESSAGES_EACH)
}

fn with_results(messages: Vec<Message>) -> (Vec<Message>, Results) {
    let results = run_all(&messages);
    (messages, results)
}

fn run_all(messages: &[Message]) -> Results {
    let mut results = Results::default();
    for pass in all() {
        let result = run(*pass, messages, &results);
        results.insert(pass.name(), result);
    }
    results
}

fn run(pass: &dyn Pass, messages: &[Message], results: &Results) -> String {
    let input = Input {
        messages,
        is_group: false,
        zone: &TimeZone::UTC,
        results,
    };
    pass.run(&input).expect("a result for every conversation")
}

/// Pieces of the labelled texts, cut anew at random places: nine conversations in English, one in another language.
fn conversations() -> Vec<Vec<Message>> {
    let words = |english: bool| {
        let lines = LABELLED.lines().filter_map(|line| line.split_once('\t'));
        let chosen = lines.filter(|(label, _)| (*label == "en") == english && *label != "-");
        chosen.flat_map(|(_, text)| text.split(' ')).collect::<Vec<_>>()
    };
    let (english, other) = (words(true), words(false));
    let mut random = Random(0x5EED);
    (0..CONVERSATIONS)
        .map(|i| {
            let words = if i % 10 == 9 { &other } else { &english };
            (0..MESSAGES_EACH)
                .map(|at| message(&mut random, at, words))
                .collect()
        })
        .collect()
}

fn message(random: &mut Random, at: usize, words: &[&str]) -> Message {
    let length = 1 + random.below(9) + random.below(9);
    let from = random.below(words.len() - length);
    let mut content = words[from..from + length].join(" ").replace(" | ", " ");
    match random.below(12) {
        0 => content.push_str(" 😂😂"),
        1 => content.push_str(" https://example.org/watch?v=dQ4w9Wg"),
        2 => content.push_str("!!!"),
        _ => {}
    }
    let contact = 1 + random.below(2) as i64;
    Message {
        id: MessageId(at as i64 + 1),
        chat_id: ChatId(1),
        sender_id: Some(ContactId(contact)),
        sender: None,
        is_from_me: contact == 1,
        content,
        timestamp: Timestamp::from_seconds(1_700_000_000 + at as i64 * 45).expect("a time of this century"),
        kind: Kind::Text,
        reply_to: None,
        edited_at: None,
        reactions: Vec::new(),
        attachments: Vec::new(),
    }
}

/// SplitMix64 by Sebastiano Vigna: the same texts on every machine.
struct Random(u64);

impl Random {
    fn below(&mut self, limit: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        ((z ^ (z >> 31)) % limit as u64) as usize
    }
}
