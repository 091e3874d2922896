//! What an entry can say.

use chatstats_bus::{BusError, ENTRY_BYTES_MAX, FIELDS_MAX, Fields, FieldsError, NewId, StreamId};
use chatstats_bus::{EVENTS_STREAM, Filter, Item, Start, StreamKey};
use serde_json::json;

use super::{Engine, KEEP_ALL, key, next};

pub(crate) async fn any_bytes_come_back<E: Engine>() {
    let engine = E::start().await;
    let bus = engine.open(KEEP_ALL).await;
    let mut tail = bus
        .follow(&key(), Filter::All, Start::Now)
        .await
        .expect("followed");
    let large = vec![0xA5; 1 << 20];
    let every_byte: Vec<u8> = (0..=255).collect();
    let many: Vec<_> = (0..FIELDS_MAX)
        .map(|n| (n.to_string().into_bytes(), vec![b'v'; 10]))
        .collect();
    let entries: [Vec<(Vec<u8>, Vec<u8>)>; 6] = [
        vec![(b"text".into(), "two\nlines\r\n\u{2028}ünï ✓ 👋".into())],
        vec![(b"a\0b".into(), b"\0".into()), (b"".into(), b"".into())],
        vec![(b"twice".into(), b"1".into()), (b"twice".into(), b"2".into())],
        vec![(every_byte.clone(), every_byte)],
        vec![(b"large".into(), large.clone()), (large, b"a large name".into())],
        many,
    ];
    let entries = entries.map(|fields| Fields::new(fields).expect("fits"));
    for fields in &entries {
        bus.add(&key(), NewId::Auto, fields.clone())
            .expect("taken")
            .await
            .expect("added");
        let Item::Entry(told) = next(&mut tail).await else {
            panic!("no entry")
        };
        assert_eq!(told.fields, *fields);
    }
    drop(tail);
    bus.shutdown().await;
    drop(bus);
    let bus = engine.open(KEEP_ALL).await;
    for reverse in [false, true] {
        let page = match reverse {
            false => bus.range(&key(), .., 10).await,
            true => bus.rev_range(&key(), .., 10).await,
        };
        let mut found: Vec<_> = page
            .expect("read")
            .entries
            .iter()
            .map(|entry| entry.fields.clone())
            .collect();
        if reverse {
            found.reverse();
        }
        assert_eq!(found, entries);
    }
}

pub(crate) async fn an_event_says_what_it_was_told_to<E: Engine>() {
    let engine = E::start().await;
    let bus = engine.open(KEEP_ALL).await;
    let data =
        json!({ "run_id": 7, "running": true, "timings": {"a": 1}, "type": "x", "scope": "y", "ts": "z" });
    let data = data.as_object().expect("an object");
    let id = bus
        .publish("global", "run_seeded", data)
        .await
        .expect("published");
    let events = StreamKey::new(EVENTS_STREAM).expect("short enough");
    let page = bus.range(&events, id..=id, 10).await.expect("read");
    let fields = &page.entries.first().expect("the event").fields;
    let names: Vec<_> = fields
        .iter()
        .map(|(name, _)| String::from_utf8_lossy(name))
        .collect();
    assert_eq!(names, ["type", "scope", "ts", "run_id", "running", "timings"]);
    assert_eq!(fields.text("type"), Some("run_seeded"));
    assert_eq!(fields.text("scope"), Some("global"));
    assert_eq!(fields.text("run_id"), Some("7"));
    assert_eq!(fields.text("running"), Some("True"));
    assert_eq!(fields.text("timings"), Some(r#"{"a":1}"#));
    let ts = fields.text("ts").expect("a time");
    assert_eq!(ts.len(), "2024-01-01T12:00:00.000000".len(), "{ts}");
}

pub(crate) async fn what_is_too_large_is_refused<E: Engine>() {
    let engine = E::start().await;
    let bus = engine.open(KEEP_ALL).await;
    let text = "x".repeat(ENTRY_BYTES_MAX + 1);
    let data = json!({ "text": text });
    let refused = bus.submit("global", "x", data.as_object().expect("an object"));
    let refused = refused.map(|_| ());
    assert!(
        matches!(refused, Err(BusError::Fields(FieldsError::TooLarge))),
        "{refused:?}"
    );
    // The largest there can be goes, with its one name and nothing more.
    let largest = Fields::new([("", "x".repeat(ENTRY_BYTES_MAX))]).expect("just fits");
    let id = bus
        .add(&key(), NewId::Auto, largest.clone())
        .expect("taken")
        .await
        .expect("added");
    let page = bus.range(&key(), StreamId::ZERO.., 10).await.expect("read");
    assert_eq!(
        page.entries.iter().map(|entry| entry.id).collect::<Vec<_>>(),
        [id]
    );
    assert_eq!(page.entries[0].fields, largest);
}
