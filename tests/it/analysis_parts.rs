//! Chats that are imported in ten random parts, with a run after each, end in what one import and one run give: results,
//! commitments and summaries, to the byte.

use std::collections::{BTreeMap, BTreeSet};

use chatstats_tests::{Home, Random, Server, eventually, seed};
use serde_json::{Value, json};

use crate::analysis::{ended, start};

const PARTS: u64 = 10;

const CHATS: u64 = 3;

/// Of three to twelve messages each, in each chat.
const CONVERSATIONS: u64 = 60;

/// The account whose export it is.
const ME: u64 = 7;

/// What people write: promises, what shows that they were kept, requests, moods, three languages.
const TEXTS: [&str; 16] = [
    "I will send you the photos tomorrow",
    "I sent you the photos just now",
    "Can you bring the cake on Friday?",
    "done, I brought the cake",
    "I'll call the landlord by Monday",
    "I called the landlord, all is fine",
    "that was a wonderful evening, I loved it!",
    "this is terrible, I am so angry 😡",
    "haha 😂😂",
    "ok",
    "Ich schicke dir morgen die Rechnung, versprochen",
    "Das war wirklich ein sehr schöner Tag am See",
    "on se voit demain devant la gare, d'accord ?",
    "did you read what Maria wrote about the garden and the old trees",
    "the train to the coast was late again and the tickets were expensive",
    "our team won the game in the last minute",
];

/// A message of a chat, as an export has it.
struct Said {
    chat: u64,
    id: u64,
    second: u64,
    user: u64,
    text: &'static str,
}

#[test]
fn ten_parts_with_runs_in_between_give_what_one_import_and_one_run_give() {
    let mut random = seed();
    let all = all(&mut random);
    let whole: Vec<&Said> = all.iter().collect();
    let mut parts: Vec<Vec<&Said>> = (0..PARTS).map(|_| Vec::new()).collect();
    for said in &all {
        parts[random.within(0..PARTS) as usize].push(said);
    }
    let (at_once, in_parts) = (Analysed::of(&[whole]), Analysed::of(&parts));
    let expected = at_once.results();
    assert_eq!(expected.len() as u64, CHATS * (CONVERSATIONS + 1));
    let found = in_parts.results();
    for (of, value) in &expected {
        assert_eq!(found.get(of), Some(value), "{of}");
    }
    assert_eq!(found.len(), expected.len());
    // Commitments follow the results within seconds.
    eventually("the same commitments", || {
        let (expected, found) = (at_once.commitments(), in_parts.commitments());
        (!expected.is_empty() && expected == found).then_some(())
    });
    at_once.server.stop();
    in_parts.server.stop();
}

/// A server that has imported and analysed.
struct Analysed {
    server: Server,
    _home: Home,
}

impl Analysed {
    /// Imports the parts one after the other, with a run after each.
    fn of(parts: &[Vec<&Said>]) -> Analysed {
        let home = Home::new();
        home.config("analyse_on_seal = false");
        let server = Server::start(&home);
        // Years before: chats and people get their numbers in the same order, however the rest arrives.
        let first: Vec<Said> = (1..=CHATS).flat_map(introductions).collect();
        import(&home, &server, &first.iter().collect::<Vec<_>>());
        for part in parts {
            import(&home, &server, part);
            run(&server);
        }
        eventually("the last seals", || {
            let sealed = |chat| {
                let page = conversations(&server, chat);
                page.iter().all(|conversation| conversation["sealed"] == true)
            };
            (1..=CHATS).all(sealed).then_some(())
        });
        run(&server);
        Analysed { server, _home: home }
    }

    /// Conversations with their summaries and results, by chat and time.
    fn results(&self) -> BTreeMap<String, String> {
        let mut found = BTreeMap::new();
        let times = times(&self.server);
        for chat in 1..=CHATS {
            for mut conversation in conversations(&self.server, chat) {
                let of = format!("chat {chat} at {}", conversation["first_message_time"]);
                let results = format!("/api/conversations/{}/results", conversation["id"]);
                let mut results = self.server.client().get(&results);
                assert_eq!(results["results"].as_array().map(Vec::len), Some(5), "{of}");
                // It follows the order of arrival.
                conversation["id"] = Value::Null;
                name_by_time(&mut results, &times);
                found.insert(of, format!("{conversation} {results}"));
            }
        }
        found
    }

    /// All commitments, sorted.
    fn commitments(&self) -> BTreeSet<String> {
        let mut page = self.server.client().get("/api/commitments?limit=1000");
        assert_eq!(page["next"], Value::Null, "one page has them all");
        name_by_time(&mut page, &times(&self.server));
        let all = page["commitments"].as_array_mut().expect("a list");
        for commitment in &mut *all {
            commitment["conversation_id"] = Value::Null;
        }
        all.iter().map(Value::to_string).collect()
    }
}

fn run(server: &Server) {
    let run = start(server, &json!({"kind": "global"}));
    assert_eq!(ended(server, &run)["failed"], 0);
}

/// Everybody says something in a chat.
fn introductions(chat: u64) -> impl Iterator<Item = Said> {
    (0..2).map(move |number| Said {
        chat,
        id: 1 + number,
        second: 1_000_000_000 + number,
        user: if number == 0 { ME } else { 10 + chat },
        text: "hello",
    })
}

/// No two messages of a chat in one second: what arrived first would be first.
fn all(random: &mut Random) -> Vec<Said> {
    let mut all = Vec::new();
    for chat in 1..=CHATS {
        let (mut second, mut id) = (1_500_000_000, 100);
        for _ in 0..CONVERSATIONS {
            second += random.within(2..200) * 3_600;
            for _ in 0..random.within(3..13) {
                second += random.within(1..5_000);
                id += 1;
                let user = if random.once_in(2) { ME } else { 10 + chat };
                let text = TEXTS[random.within(0..TEXTS.len() as u64) as usize];
                all.push(Said {
                    chat,
                    id,
                    second,
                    user,
                    text,
                });
            }
        }
    }
    all
}

/// Imports these messages as an account's export of Telegram.
fn import(home: &Home, server: &Server, said: &[&Said]) {
    let message = |said: &&&Said| {
        json!({
            "id": said.id,
            "type": "message",
            "date": "2020-01-01T00:00:00",
            "date_unixtime": said.second.to_string(),
            "from": format!("User {}", said.user),
            "from_id": format!("user{}", said.user),
            "text": said.text,
        })
    };
    let chat = |chat: u64| {
        let messages: Vec<Value> = said
            .iter()
            .filter(|said| said.chat == chat)
            .map(|said| message(&said))
            .collect();
        json!({"name": format!("Chat {chat}"), "type": "personal_chat", "id": chat, "messages": messages})
    };
    let chats: Vec<Value> = (1..=CHATS).map(chat).collect();
    let export = json!({
        "about": "All of it.",
        "personal_information": {"user_id": ME, "first_name": "Ann"},
        "chats": {"about": "Chats.", "list": chats},
    });
    let path = home.file("result.json", export.to_string());
    let import = server.client().import(&path);
    let import = server.client().ended_import(import);
    assert_eq!(import["state"], "done", "{import}");
}

fn conversations(server: &Server, chat: u64) -> Vec<Value> {
    let mut page = server
        .client()
        .get(&format!("/api/chats/{chat}/conversations?limit=1000"));
    serde_json::from_value(page["conversations"].take()).expect("a list")
}

/// The time of each message, by its id.
fn times(server: &Server) -> BTreeMap<String, Value> {
    let mut times = BTreeMap::new();
    for chat in 1..=CHATS {
        let mut stream = server.stream(&format!("/api/live-sync/stream/chat/{chat}/messages"));
        let initial = stream.expect("initial").json();
        for message in initial["messages"].as_array().expect("a list") {
            times.insert(message["id"].to_string(), message["timestamp"].clone());
        }
    }
    times
}

/// Puts the time of a message where its id is, which follows the order of arrival: a number, or what begins a commitment's key.
fn name_by_time(value: &mut Value, times: &BTreeMap<String, Value>) {
    match value {
        Value::Array(values) => values.iter_mut().for_each(|value| name_by_time(value, times)),
        Value::Object(fields) => {
            for (name, value) in fields {
                match (name.as_str(), &*value) {
                    ("message_id" | "done_by", Value::Number(id)) => *value = times[&id.to_string()].clone(),
                    ("id" | "key", Value::String(key)) => {
                        let (id, sentence) = key.split_once(':').expect("a message and a sentence");
                        *value = json!([times[id], sentence]);
                    }
                    _ => name_by_time(value, times),
                }
            }
        }
        _ => {}
    }
}
