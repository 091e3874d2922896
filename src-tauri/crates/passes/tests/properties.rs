//! What holds of every pass, whatever people write.

use chatstats_model::{ChatId, ContactId, Kind, Message, MessageId, Timestamp};
use chatstats_passes::{Input, Results, all};
use jiff::tz::TimeZone;
use proptest::prelude::*;

/// A result is a row that is read as a whole: nothing that people write may make it long.
const RESULT_BYTES_MAX: usize = 256 * 1024;

/// Runs all passes, and returns their results.
fn run_all(messages: &[Message]) -> Vec<(&'static str, String)> {
    let zone = TimeZone::fixed(jiff::tz::offset(2));
    let mut results = Results::default();
    let mut found = Vec::new();
    for pass in all() {
        let input = Input {
            messages,
            is_group: true,
            zone: &zone,
            results: &results,
        };
        let result = pass.run(&input).expect("a result for every conversation");
        results.insert(pass.name(), result.clone());
        found.push((pass.name(), result));
    }
    found
}

/// Text as people write it, and as nobody does.
fn text() -> impl Strategy<Value = String> {
    prop_oneof![
        any::<String>(),
        "\\PC{0,80}",
        proptest::collection::vec(prop::sample::select(WORDS), 0..30).prop_map(|words| words.join(" ")),
        proptest::collection::vec(prop::sample::select(WORDS), 0..30).prop_map(|words| words.concat()),
        "[\u{1F600}-\u{1F64F}\u{FE0F}\u{200D}]{0,20}",
        "[가-힣ㄱ-ㅎあ-んア-ン一-龥 ]{0,40}",
        "[ก-๛ا-ي\u{0300}-\u{036F}a-zß]{0,40}",
        "(but |least |no |never so |kind of |good |BAD |😂|!|\\?){0,40}",
    ]
}

const WORDS: &[&str] = &[
    "I'll",
    "send",
    "it",
    "tomorrow",
    "not",
    "good",
    "GREAT",
    "but",
    "least",
    "@",
    "@\u{2068}",
    "\u{2069}",
    "https://",
    "www.",
    ".",
    "/",
    "'s",
    "’",
    "...",
    "haha",
    "ooooo",
    "İ",
    "ß",
    "ﬁ",
    "火锅",
    "カレー",
    "저녁",
    "👍🏽",
    "\u{200D}",
    "\u{0301}",
    "\n",
    "by",
    "Friday",
    "31.2.",
    "25:99",
    "99999999999999999999",
    "in",
    "2",
    "hours",
    "don't",
    "kind",
    "of",
    "no",
    "?",
    "!!",
];

fn message() -> impl Strategy<Value = (i64, Option<i64>, Kind, String)> {
    let kind = prop::sample::select(vec![
        Kind::Text,
        Kind::Text,
        Kind::Text,
        Kind::Media,
        Kind::Call,
        Kind::System,
        Kind::Deleted,
        Kind::Other,
    ]);
    (
        0..100_000_i64,
        proptest::option::weighted(0.9, 1..60_i64),
        kind,
        text(),
    )
}

/// A conversation, ordered as the store orders it.
fn conversation() -> impl Strategy<Value = Vec<Message>> {
    let years = -62_000_000_000_i64..253_000_000_000;
    (years, proptest::collection::vec(message(), 1..60)).prop_map(|(start, mut rows)| {
        rows.sort_by_key(|row| row.0);
        let rows = rows.into_iter().zip(1..);
        rows.map(|((at, sender, kind, content), id)| Message {
            id: MessageId(id),
            chat_id: ChatId(1),
            sender_id: sender.map(ContactId),
            sender: sender.map(|contact| contact.to_string().into()),
            is_from_me: sender == Some(1),
            content,
            timestamp: Timestamp::from_seconds(start + at).expect("a year with four digits"),
            kind,
            reply_to: None,
            edited_at: None,
            reactions: Vec::new(),
            attachments: Vec::new(),
        })
        .collect()
    })
}

proptest! {
    // Proptest prints a failing case and keeps its seed in `proptest-regressions`.
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn every_conversation_has_the_same_short_result_each_time(messages in conversation()) {
        let found = run_all(&messages);
        prop_assert_eq!(&found, &run_all(&messages));
        for (pass, result) in found {
            prop_assert!(result.len() <= RESULT_BYTES_MAX, "{} wrote {} bytes", pass, result.len());
            prop_assert!(serde_json::from_str::<serde_json::Value>(&result).is_ok(), "{}", pass);
        }
    }
}

#[test]
fn a_pass_comes_after_those_it_needs_and_has_a_name_of_its_own() {
    let mut before = Vec::new();
    for pass in all() {
        assert!(!before.contains(&pass.name()), "{} comes twice", pass.name());
        for needed in pass.needs() {
            assert!(before.contains(needed), "{} needs {needed}", pass.name());
        }
        before.push(pass.name());
    }
}

#[test]
fn a_long_conversation_of_many_people_has_a_short_result() {
    let rows = 0..20_000_i64;
    let messages: Vec<Message> = rows
        .map(|i| Message {
            id: MessageId(i + 1),
            chat_id: ChatId(1),
            sender_id: Some(ContactId(i % 3_000)),
            sender: None,
            is_from_me: false,
            content: format!("I'll send word{i} to you{i} tomorrow, great, can you send me thing{i}? 😂"),
            timestamp: Timestamp::from_seconds(1_700_000_000 + i * 30).expect("a time of this century"),
            kind: Kind::Text,
            reply_to: None,
            edited_at: None,
            reactions: Vec::new(),
            attachments: Vec::new(),
        })
        .collect();
    for (pass, result) in run_all(&messages) {
        println!("{pass}: {} bytes", result.len());
        assert!(
            result.len() <= RESULT_BYTES_MAX,
            "{pass} wrote {} bytes",
            result.len()
        );
    }
}
