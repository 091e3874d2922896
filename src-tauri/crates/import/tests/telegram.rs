//! Telegram Desktop's JSON.

mod collect;

use chatstats_import::{ImportError, Options, Record};
use chatstats_model::Kind;
use collect::{Collected, options, read_bytes};

fn read(json: &str) -> Collected {
    let (collected, outcome) = read_bytes("result.json", json.as_bytes(), &options());
    outcome.expect("an export");
    collected
}

fn one(fields: &str) -> Record {
    let json = format!(
        r#"{{"name":"G","type":"private_group","id":7,"messages":[{{"id":1,"type":"message","date_unixtime":"1700000000","from":"Ann","from_id":"user1",{fields}}}]}}"#
    );
    let mut got = read(&json);
    assert_eq!(got.left_out, [], "{fields}");
    got.records.remove(0)
}

#[test]
fn texts_are_strings_or_pieces() {
    assert_eq!(one(r#""text":"a\nb \u00e9""#).content, "a\nb é");
    assert_eq!(
        one(r#""text":["a ",{"type":"bold","text":"b"},{"type":"link","text":" c"}]"#).content,
        "a b c"
    );
    assert_eq!(
        one(r#""text":"","text_entities":[{"type":"plain","text":"x"}]"#).content,
        "x"
    );
    assert_eq!(
        one(r#""text":{"odd":1}"#.replace(r#"{"odd":1}"#, r#""""#).as_str()).kind,
        Kind::Other
    );
}

#[test]
fn what_hangs_on_a_message_is_kept() {
    let record = one(
        r#""text":"hi","edited_unixtime":"1700000100","reply_to_message_id":5,"reactions":[{"type":"emoji","count":3,"emoji":"👍","recent":[{"from":"Bob","from_id":"user2","date":"x"}]}]"#,
    );
    assert_eq!(record.key.as_deref(), Some("1"));
    assert_eq!(record.reply_to.as_deref(), Some("5"));
    assert_eq!(
        record.edited_at.map(|time| time.as_micros()),
        Some(1_700_000_100_000_000)
    );
    let reaction = &record.reactions[0];
    assert_eq!(
        (reaction.emoji.as_str(), reaction.count, reaction.senders.len()),
        ("👍", 3, 1)
    );
}

#[test]
fn a_reply_to_another_chat_names_no_message_of_this_one() {
    assert_eq!(
        one(r#""text":"x","reply_to_message_id":5,"reply_to_peer_id":"channel9""#).reply_to,
        None
    );
}

#[test]
fn media_are_described() {
    for (fields, kind, attachment, name) in [
        (
            r#""photo":"photos/a.jpg","text":"cap""#,
            Kind::Media,
            "image",
            Some("photos/a.jpg"),
        ),
        (
            r#""photo":"(File not included. Change data exporting settings to download.)","text":"""#,
            Kind::Media,
            "image",
            None,
        ),
        (
            r#""file":"f/b.webp","media_type":"sticker","sticker_emoji":"😀","text":"""#,
            Kind::Media,
            "sticker",
            Some("f/b.webp"),
        ),
        (
            r#""file":"v.ogg","media_type":"voice_message","mime_type":"audio/ogg","text":"""#,
            Kind::Media,
            "voice",
            Some("v.ogg"),
        ),
        (
            r#""file":"f","file_name":"p.pdf","mime_type":"application/pdf","text":"""#,
            Kind::Media,
            "document",
            Some("p.pdf"),
        ),
        (
            r#""location_information":{"latitude":1.5,"longitude":2.5},"place_name":"Bar","text":"""#,
            Kind::Other,
            "location",
            Some("Bar"),
        ),
        (
            r#""contact_information":{"first_name":"Z","last_name":"Y","phone_number":"1"},"text":"""#,
            Kind::Other,
            "contact",
            Some("Z Y"),
        ),
        (
            r#""poll":{"question":"Q?","closed":false,"answers":[{"text":"A","voters":1}]},"text":"""#,
            Kind::Other,
            "poll",
            Some("Q?"),
        ),
    ] {
        let record = one(fields);
        assert_eq!(record.kind, kind, "{fields}");
        assert_eq!(
            record.attachments[0].kind.as_deref(),
            Some(attachment),
            "{fields}"
        );
        assert_eq!(record.attachments[0].name.as_deref(), name, "{fields}");
    }
    assert_eq!(one(r#""photo":"a.jpg","text":"cap""#).content, "cap");
    assert_eq!(
        one(r#""poll":{"question":"Q?","answers":[{"text":"A"}]},"text":"""#).content,
        "Q?\n- A"
    );
}

#[test]
fn local_dates_are_read_in_the_zone_that_is_given() {
    let json = r#"{"name":"x","type":"personal_chat","id":1,"messages":[{"id":1,"type":"message","date":"2024-07-15T10:30:00","edited":"2024-07-15T10:31:00","from":"A","from_id":"user1","text":"t"}]}"#;
    let zone = jiff::tz::TimeZone::get("Europe/Berlin").expect("a zone");
    let (got, _) = read_bytes(
        "result.json",
        json.as_bytes(),
        &Options {
            timezone: zone,
            ..options()
        },
    );
    assert_eq!(got.records[0].timestamp.to_string(), "2024-07-15T08:30:00Z");
    assert_eq!(
        got.records[0].edited_at.map(|time| time.to_string()).as_deref(),
        Some("2024-07-15T08:31:00Z")
    );
}

#[test]
fn deleted_accounts_keep_their_id() {
    let json = r#"{"name":null,"type":"private_group","id":1,"messages":[{"id":1,"type":"message","date_unixtime":"5","from":null,"from_id":"user42","text":"t"}]}"#;
    let sender = read(json).records.remove(0).sender.expect("a sender");
    assert_eq!(
        (sender.key.as_str(), sender.name.as_str()),
        ("user42", "Deleted Account")
    );
}

#[test]
fn names_may_stand_behind_the_messages() {
    let message = r#"{"id":1,"type":"message","date_unixtime":"5","from":"A","from_id":"user42","text":"t"}"#;
    let got = read(&format!(
        r#"{{"chats":{{"list":[{{"messages":[{message}],"id":3,"name":"Behind","type":"private_group"}},{{"name":"Before","type":"private_group","id":4,"messages":[{message}]}}]}},"personal_information":{{"user_id":42}}}}"#
    ));
    let heads: Vec<_> = got
        .chats
        .iter()
        .map(|chat| (chat.key.as_deref(), chat.title.as_deref()))
        .collect();
    assert_eq!(heads, [(Some("3"), Some("Behind")), (Some("4"), Some("Before"))]);
    assert!(got.records.iter().all(|record| record.is_from_me));
}

#[test]
fn a_broken_record_is_listed_and_the_next_one_is_read() {
    let good = r#"{"id":1,"type":"message","date_unixtime":"5","from":"A","from_id":"user4","text":"t"}"#;
    let got = read(&format!(
        r#"{{"about":"x","personal_information":{{"user_id":1}},"chats":{{"list":[17,{{"name":"N","type":"private_group","id":4,"messages":[{good},{{"id":2,"type":"message","text":"no date"}},{{"id":"two","type":"message"}},null,{good}]}}]}}}}"#
    ));
    assert_eq!(got.records.len(), 2);
    let places: Vec<_> = got.left_out.iter().map(|left| left.place.as_str()).collect();
    assert_eq!(
        places,
        [
            "chats.list[0]",
            "chats.list[1].messages[1]",
            "chats.list[1].messages[2]",
            "chats.list[1].messages[3]"
        ]
    );
}

#[test]
fn in_a_private_chat_the_other_account_is_the_user() {
    let chat = |id: u32, ids: &[u32]| {
        let messages: Vec<String> = ids
            .iter()
            .enumerate()
            .map(|(n, id)| {
                format!(r#"{{"id":{n},"type":"message","date_unixtime":"5","from":"U{id}","from_id":"user{id}","text":"t"}}"#)
            })
            .collect();
        let json = format!(
            r#"{{"name":"N","type":"personal_chat","id":{id},"messages":[{}]}}"#,
            messages.join(",")
        );
        read(&json)
            .records
            .iter()
            .map(|record| record.is_from_me)
            .collect::<Vec<_>>()
    };
    assert_eq!(chat(2, &[1, 2, 1]), [true, false, true]);
    assert_eq!(chat(2, &[2, 2]), [false, false]);
    // Neither is the chat's: nothing is known.
    assert_eq!(chat(9, &[1, 2, 1]), [false, false, false]);
    let long: Vec<u32> = std::iter::repeat_n(1, 600).collect();
    assert_eq!(chat(2, &long), vec![true; 600]);
}

#[test]
fn a_file_cut_short_gives_what_came_before_and_says_where_it_ends() {
    let good = r#"{"id":1,"type":"message","date_unixtime":"5","from":"A","from_id":"user4","text":"t"}"#;
    let whole = format!(r#"{{"name":"N","type":"private_group","id":4,"messages":[{good},{good},{good}]}}"#);
    let (got, outcome) = read_bytes("result.json", &whole.as_bytes()[..whole.len() - 20], &options());
    assert_eq!(got.records.len(), 2);
    assert_eq!(got.left_out.len(), 1);
    assert_eq!(got.left_out[0].place, "messages[2]");
    match outcome {
        Err(ImportError::Damaged { detail, .. }) => assert!(detail.contains("messages[2]"), "{detail}"),
        other => panic!("{other:?}"),
    }
}

#[test]
fn service_rows_are_said_in_words() {
    let json = r#"{"name":"N","type":"private_group","id":4,"messages":[
        {"id":1,"type":"service","date_unixtime":"5","actor":"Ann","actor_id":"user1","action":"invite_members","members":["Bob",null],"text":""},
        {"id":2,"type":"service","date_unixtime":"5","actor":"Ann","action":"phone_call","duration_seconds":65,"text":""},
        {"id":3,"type":"service","date_unixtime":"5","actor":"Ann","action":"some_new_thing","text":""}]}"#;
    let got = read(json);
    let contents: Vec<_> = got.records.iter().map(|record| record.content.as_str()).collect();
    assert_eq!(
        contents,
        [
            "Ann added Bob, a deleted account",
            "Ann called: 1:05 minutes",
            "Ann: some new thing"
        ]
    );
    assert!(
        got.records
            .iter()
            .all(|record| record.kind == Kind::System && record.sender.is_none())
    );
}
