//! What the corpus writes comes back: every author, time and text, in the order in which it was written.

mod collect;

use std::io::Write;

use chatstats_import::corpus::{Expected, Line, conversation, telegram, whatsapp};
use chatstats_import::{Options, Outcome, Record};
use collect::{Collected, options, read_bytes};

const LINES: usize = 4_000;
const SEED: u64 = 20_190_301;

fn seen(record: &Record) -> (Option<&str>, i64, &str, chatstats_model::Kind) {
    let author = record.sender.as_ref().map(|sender| sender.name.as_str());
    (
        author,
        record.timestamp.as_micros() / 1_000_000,
        &record.content,
        record.kind,
    )
}

fn assert_same(what: &str, want: &[Expected], got: &[Record]) {
    for (number, (want, got)) in want.iter().zip(got).enumerate() {
        let want = (want.author, want.seconds, want.content.as_str(), want.kind);
        assert_eq!(seen(got), want, "{what}, record {number}, seed {SEED}");
    }
    assert_eq!(got.len(), want.len(), "{what}");
}

fn lines() -> impl Iterator<Item = Line> {
    conversation(SEED).take(LINES)
}

fn whatsapp_bytes(style: whatsapp::Style) -> Vec<u8> {
    let mut bytes = Vec::new();
    whatsapp::write(style, lines(), &mut bytes).expect("writing to memory");
    bytes
}

fn read(bytes: &[u8], options: &Options) -> (Collected, Outcome) {
    let (collected, outcome) = read_bytes("export", bytes, options);
    (collected, outcome.expect("the corpus is whole"))
}

#[test]
fn ten_whatsapp_styles_give_back_every_author_time_and_text() {
    for style in whatsapp::STYLES {
        let want: Vec<Expected> = lines().map(|line| style.expected(&line)).collect();
        let (got, outcome) = read(&whatsapp_bytes(style), &options());
        assert_same(&format!("{style:?}"), &want, &got.records);
        assert!(got.left_out.is_empty(), "{style:?}: {:?}", got.left_out);
        let open = outcome.notes.iter().find(|note| note.contains("--date-order"));
        assert_eq!(open, None, "{style:?}: thousands of dates tell their order");
    }
}

#[test]
fn utf_16_gives_back_the_same() {
    let style = whatsapp::Style::IosUs;
    let text = String::from_utf8(whatsapp_bytes(style)).expect("UTF-8");
    let want: Vec<Expected> = lines().map(|line| style.expected(&line)).collect();
    let bytes: Vec<u8> = std::iter::once(0xFEFF)
        .chain(text.encode_utf16())
        .flat_map(u16::to_le_bytes)
        .collect();
    assert_same("UTF-16", &want, &read(&bytes, &options()).0.records);
}

#[test]
fn a_single_telegram_chat_gives_back_every_author_time_and_text() {
    let mut bytes = Vec::new();
    telegram::write_chat("Nothing: \"much\"", lines(), &mut bytes).expect("writing to memory");
    let want: Vec<Expected> = lines().map(|line| telegram::expected(&line)).collect();
    let (got, _) = read(&bytes, &options());
    assert_same("one chat", &want, &got.records);
    assert_eq!(got.chats[0].title.as_deref(), Some("Nothing: \"much\""));
    assert_eq!(got.records[41].key.as_deref(), Some("42"));
    assert!(got.left_out.is_empty());
}

#[test]
fn a_telegram_account_gives_back_all_its_chats_and_knows_whose_it_is() {
    let mut bytes = Vec::new();
    let part = |number: usize| conversation(SEED + number as u64).take(700);
    let chats = (0..3)
        .map(|number| (format!("Chat {number}"), part(number)))
        .collect();
    telegram::write_account(chats, &mut bytes).expect("writing to memory");
    let want: Vec<Expected> = (0..3)
        .flat_map(part)
        .map(|line| telegram::expected(&line))
        .collect();
    let (got, _) = read(&bytes, &options());
    assert_same("account", &want, &got.records);
    let titles: Vec<_> = got
        .chats
        .iter()
        .filter_map(|chat| chat.title.as_deref())
        .collect();
    assert_eq!(titles, ["Chat 0", "Chat 1", "Chat 2"]);
    for record in &got.records {
        let by_me = record.sender.as_ref().is_some_and(|sender| sender.name == "Ann");
        assert_eq!(record.is_from_me, by_me, "{record:?}");
    }
}

#[test]
fn the_same_seed_writes_the_same_bytes() {
    let style = whatsapp::Style::AndroidKorean;
    assert_eq!(whatsapp_bytes(style), whatsapp_bytes(style));
    let mut other = Vec::new();
    whatsapp::write(style, conversation(SEED + 1).take(LINES), &mut other).expect("writing to memory");
    other.flush().expect("memory");
    assert_ne!(whatsapp_bytes(style), other);
}
