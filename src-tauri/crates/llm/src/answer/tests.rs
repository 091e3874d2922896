use serde_json::{Value, json};

use super::*;
use crate::prompt;
use crate::result::{LlmEmotionKind, LlmEntityKind};

fn lines() -> BTreeMap<u64, MessageId> {
    BTreeMap::from([(1, MessageId(10)), (2, MessageId(11)), (9, MessageId(18))])
}

fn good() -> Value {
    json!({
        "summary": "They plan a trip.",
        "topics": ["trip", "trains"],
        "entities": [{"name": "Lisbon", "kind": "place"}],
        "emotions": [{"name": "hope", "score": 0.2}, {"name": "joy", "score": 0.9}],
        "humour": {"score": 0.5, "line": 9},
    })
}

fn with(path: &str, value: Value) -> Value {
    let mut answer = good();
    *answer.pointer_mut(path).expect("a place in the answer") = value;
    answer
}

#[test]
fn a_good_answer_is_read_with_its_line_turned_into_a_message() {
    let insight = read(&good().to_string(), &lines()).expect("good");
    assert_eq!(insight.summary, "They plan a trip.");
    assert_eq!(insight.humour.message_id, Some(MessageId(18)));
    assert_eq!(insight.entities[0].kind, LlmEntityKind::Place);
    let order: Vec<_> = insight.emotions.iter().map(|emotion| emotion.name).collect();
    assert_eq!(order, [LlmEmotionKind::Joy, LlmEmotionKind::Hope]);
    let none = with("/humour/line", json!(0));
    assert_eq!(
        read(&none.to_string(), &lines()).expect("good").humour.message_id,
        None
    );
}

#[test]
fn thoughts_fences_and_greetings_around_the_object_are_no_fault() {
    let answer = good();
    for text in [
        format!("```json\n{answer}\n```"),
        format!("<think>maybe {{\"summary\": 1}}?</think>\n{answer}"),
        format!("Here you are: {answer} Anything else?"),
    ] {
        assert!(read(&text, &lines()).is_ok(), "{text}");
    }
}

#[test]
fn what_was_not_asked_for_is_named() {
    let many = |count: usize, value: Value| Value::from(vec![value; count]);
    for (answer, wanted) in [
        (with("/summary", json!(" \n ")), "summary is empty"),
        (
            with("/summary", json!("x".repeat(601))),
            "601 characters, at most 600",
        ),
        (with("/summary", json!("bell \u{7}")), "control"),
        (with("/topics", many(9, json!("a"))), "9 topics"),
        (with("/topics/0", json!("x".repeat(61))), "61 characters"),
        (
            with("/entities", many(17, json!({"name": "A", "kind": "person"}))),
            "17 entities",
        ),
        (with("/entities/0/kind", json!("planet")), "planet"),
        (
            with("/entities/0", json!({"name": "A", "kind": "person", "url": "x"})),
            "url",
        ),
        (
            with("/emotions", many(2, json!({"name": "joy", "score": 1}))),
            "twice",
        ),
        (with("/emotions/0/score", json!(1.1)), "1.1"),
        (with("/emotions/0/name", json!("irony")), "irony"),
        (with("/humour/score", json!(-1)), "-1"),
        (with("/humour/line", json!(3)), "line of humour is 3"),
        (with("/humour", json!({"score": 1})), "line"),
        (json!({"answer": "They plan a trip."}), "answer"),
        (json!(["They plan a trip."]), "no JSON object"),
    ] {
        let error = read(&answer.to_string(), &lines()).expect_err("not what was asked for");
        assert!(error.contains(wanted), "{error}");
    }
    assert!(read("I cannot help with that.", &lines()).is_err());
    assert!(read("} {", &lines()).is_err());
    assert!(read("", &lines()).is_err());
}

#[test]
fn the_schema_and_the_rules_name_the_same_kinds_as_the_types() {
    let rules = prompt::system(None).to_lowercase();
    let check = |path: &str, is_known: fn(Value) -> bool| {
        let names = prompt::SCHEMA
            .pointer(path)
            .and_then(Value::as_array)
            .expect("names");
        for name in names {
            assert!(
                is_known(name.clone()),
                "{name} is in the schema and not in the type"
            );
            assert!(rules.contains(&name.to_string()), "{name} is not in the rules");
        }
        names.len()
    };
    let kinds = check("/properties/entities/items/properties/kind/enum", |name| {
        serde_json::from_value::<LlmEntityKind>(name).is_ok()
    });
    let emotions = check("/properties/emotions/items/properties/name/enum", |name| {
        serde_json::from_value::<LlmEmotionKind>(name).is_ok()
    });
    assert_eq!((kinds, emotions), (6, 14));
    for bound in [
        SUMMARY_CHARS_MAX,
        TOPICS_MAX,
        TOPIC_CHARS_MAX,
        ENTITIES_MAX,
        NAME_CHARS_MAX,
        EMOTIONS_MAX,
    ] {
        assert!(
            rules.contains(&format!("at most {bound}")),
            "{bound} is not in the rules"
        );
    }
}
