//! A client that was cut off and comes back with the id of the last event it had gets exactly what it missed; with
//! an id that is none of this chat's it gets everything.

use std::collections::BTreeMap;
use std::thread::scope;

use chatstats_tests::{Client, EventStream, Home, Post, Progress, Random, Server, Transcript, seed};
use serde_json::json;

const CLIENTS: u64 = 12;
const MESSAGES: u64 = 4_000;

#[test]
fn clients_that_are_cut_off_at_random_get_exactly_what_they_missed() {
    let (home, random) = (Home::new(), seed());
    let server = Server::start(&home);
    let chat = server.client().post(&Post::to("chat").with("first", 0));
    let posts = plan(random.fork(0));
    let all: Vec<_> = posts.iter().flat_map(|post| &post.messages).collect();
    let posted = Progress::default();
    let resumed: usize = scope(|scope| {
        let clients: Vec<_> = (1..=CLIENTS)
            .map(|number| {
                let (server, all, posted) = (&server, &all, &posted);
                let mut random = random.fork(number);
                scope.spawn(move || {
                    let told = read_in_pieces(server, chat, all.len(), posted, &mut random);
                    told.check(all.iter().copied());
                    told.resumed
                })
            })
            .collect();
        let mut client = server.client();
        for post in &posts[1..] {
            client.post(post);
            posted.add(post.messages.len() as u64);
        }
        clients
            .into_iter()
            .map(|client| client.join().expect("no panic"))
            .sum()
    });
    assert!(resumed > 0, "nobody was cut off, nothing was tested");
    server.stop();
}

/// The first post is the one that made the chat.
fn plan(mut random: Random) -> Vec<Post> {
    let mut posts = vec![Post::to("chat").with("first", 0)];
    let mut next = 0;
    while next < MESSAGES {
        let keys = next..MESSAGES.min(next + random.within(1..30));
        next = keys.end;
        posts.push(keys.fold(Post::to("chat"), |post, key| {
            post.with(key, random.within(0..2_000))
        }));
    }
    posts
}

/// Reads until all messages are there, over connections that break after a random number of bytes: inside `initial`,
/// inside an `update`, between two.
fn read_in_pieces(
    server: &Server,
    chat: i64,
    all: usize,
    posted: &Progress,
    random: &mut Random,
) -> Transcript {
    let mut told = Transcript::default();
    // Longer each time: who misses the beginning has to get through all of the chat at once in the end.
    for connections in 1.. {
        let mut stream = come_back(server, chat, told.last_id.as_deref(), random);
        stream.cut_after(random.within(1..100_000 * connections));
        if told.follow(&mut stream, |told| told.count() >= all) {
            return told;
        }
        drop(stream);
        if random.once_in(2) {
            // Away for a while: something is missed in between.
            posted.wait_for(MESSAGES.min(posted.now() + random.within(0..200)));
        }
    }
    told
}

/// By the header, as browsers do, or in the address, as pages do; the header wins.
fn come_back(server: &Server, chat: i64, id: Option<&str>, random: &mut Random) -> EventStream {
    let target = format!("/api/live-sync/stream/chat/{chat}/messages");
    match (id, random.within(0..3)) {
        (None, _) => server.stream(&target),
        (Some(id), 0) => server.stream(&format!("{target}?last_event_id={id}")),
        (Some(id), 1) => server.stream_with(&target, &format!("Last-Event-ID: {id}\r\n")),
        (Some(id), _) => {
            let target = format!("{target}?last_event_id=nonsense");
            server.stream_with(&target, &format!("Last-Event-ID: {id}\r\n"))
        }
    }
}

#[test]
fn a_resumed_initial_says_so_and_holds_what_was_missed_whatever_its_time() {
    let home = Home::new();
    let server = Server::start(&home);
    let mut client = server.client();
    let chat = client.post(&Post::to("chat").with("one", 100).with("two", 200));
    let id = joined(&server, chat, "").1;
    assert_eq!(
        texts_after(&server, chat, &id),
        Vec::<String>::new(),
        "nothing was missed"
    );

    client.post(&Post::to("chat").with("old", 1).with("new", 900));
    client.post(&Post::to("another").with("elsewhere", 500));
    assert_eq!(texts_after(&server, chat, &id), ["old", "new"]);

    // Also after a restart: ids outlive the process.
    server.stop();
    let server = Server::start(&home);
    assert_eq!(texts_after(&server, chat, &id), ["old", "new"]);
    server.stop();
}

#[test]
fn an_id_of_another_chat_another_database_or_none_at_all_gives_everything() {
    let home = Home::new();
    let server = Server::start(&home);
    let chat = server
        .client()
        .post(&Post::to("chat").with("one", 1).with("two", 2));
    let other = server.client().post(&Post::to("other").with("three", 3));
    let of_other = joined(&server, other, "").1;
    let own = joined(&server, chat, "").1;
    let future = format!("{}9", own);
    let foreign_home = Home::new();
    let foreign = Server::start(&foreign_home);
    let foreign_chat = foreign
        .client()
        .post(&Post::to("chat").with("one", 1).with("two", 2));
    let of_foreign = joined(&foreign, foreign_chat, "").1;
    let long = "9".repeat(5_000);
    for id in [
        &of_other,
        &of_foreign,
        &future,
        "0",
        "-1",
        "nonsense",
        "1-2-3",
        "%00",
        "\u{2603}",
        &long,
    ] {
        let (initial, _) = joined(&server, chat, &format!("Last-Event-ID: {id}\r\n"));
        assert_eq!(initial.get("resumed"), None, "{id}");
        assert_eq!(initial["messages"].as_array().map(Vec::len), Some(2), "{id}");
        assert_eq!(initial["total"], 2, "{id}");
    }
}

#[test]
fn an_edited_message_comes_again_under_its_id_live_and_to_whoever_comes_back() {
    let home = Home::new();
    let server = Server::start(&home);
    let mut client = server.client();
    let chat = client.post(&Post::to("chat").with("one", 1).with("two", 2));
    let mut stream = server.stream(&format!("/api/live-sync/stream/chat/{chat}/messages"));
    let mut told = Transcript::default();
    told.enter(&stream.expect("initial"));
    stream.expect("ready");
    let ids: BTreeMap<_, _> = told
        .initial
        .iter()
        .map(|told| (told.content.clone(), told.id))
        .collect();

    edit(&mut client, "one", "one, edited", "2024-01-05T00:00:00Z");
    let update = stream.expect("update").json();
    assert_eq!(update["messages"][0]["id"], ids["one"], "{update}");
    assert_eq!(update["messages"][0]["content"], "one, edited", "{update}");
    assert_eq!(update["messages"].as_array().map(Vec::len), Some(1), "{update}");

    let missed = joined(
        &server,
        chat,
        &format!("Last-Event-ID: {}\r\n", told.last_id.unwrap_or_default()),
    )
    .0;
    assert_eq!(
        (&missed["resumed"], &missed["total"]),
        (&json!(true), &json!(2)),
        "{missed}"
    );
    assert_eq!(
        missed["messages"], update["messages"],
        "the edit, and nothing else"
    );

    // An edit that is older than the known one changes nothing, and nobody hears of it.
    edit(&mut client, "one", "one, older", "2024-01-04T00:00:00Z");
    client.post(&Post::to("chat").with("three", 3));
    assert_eq!(stream.expect("update").json()["messages"][0]["content"], "three");
    let whole = joined(&server, chat, "").0;
    let texts: Vec<_> = contents(&whole);
    assert_eq!(texts, ["one, edited", "two", "three"]);
    server.stop();
}

#[test]
fn what_somebody_wrote_comes_again_where_they_become_the_user_live_and_to_whoever_comes_back() {
    let home = Home::new();
    let server = Server::start(&home);
    let mut client = server.client();
    let mut post = Post::to("chat").with("one", 1).with("two", 2).with("three", 3);
    post.messages[1].sender = "bob";
    let chat = client.post(&post);
    let target = format!("/api/live-sync/stream/chat/{chat}/messages");
    let (mut stream, mut chats) = (
        server.stream(&target),
        server.stream("/api/live-sync/stream/chats"),
    );
    let id = stream.expect("initial").id.expect("an id");
    stream.expect("ready");
    chats.expect("initial");
    chats.expect("ready");

    let contacts = client.get("/api/contacts")["contacts"].take();
    let mut people = contacts.as_array().expect("contacts").iter();
    let bob = people.find(|one| one["name"] == "bob").expect("bob")["id"].clone();
    for is_me in [true, false, true] {
        let body = json!({ "is_me": is_me }).to_string();
        let answer = client.ask("PATCH", &format!("/api/contacts/{bob}"), &body);
        assert_eq!(answer.status, 200, "{answer:?}");
        let update = stream.expect("update").json();
        assert_eq!(contents(&update), ["two"], "{update}");
        assert_eq!(update["messages"][0]["is_from_me"], is_me, "{update}");
        let row = chats.expect("update").json();
        let own = row["participants"].as_array().expect("participants").iter();
        let own: Vec<_> = own.filter(|one| one["is_me"] == true).collect();
        assert_eq!(own.len(), usize::from(is_me), "{row}");
    }
    let missed = joined(&server, chat, &format!("Last-Event-ID: {id}\r\n")).0;
    assert_eq!(
        (&missed["resumed"], &missed["total"]),
        (&json!(true), &json!(3)),
        "{missed}"
    );
    assert_eq!(contents(&missed), ["two"], "{missed}");
    assert_eq!(missed["messages"][0]["is_from_me"], true, "{missed}");
    client.post(&Post::to("chat").with("four", 4));
    assert_eq!(contents(&stream.expect("update").json()), ["four"]);
    server.stop();
}

#[test]
fn a_post_that_says_who_the_user_is_tells_of_it_and_of_all_that_they_wrote() {
    let home = Home::new();
    let server = Server::start(&home);
    let mut client = server.client();
    let chat = client.post(&Post::to("chat").with("one", 1).with("two", 2));
    let target = format!("/api/live-sync/stream/chat/{chat}/messages");
    let mut streams: Vec<_> = (0..8).map(|_| server.stream(&target)).collect();
    for stream in &mut streams {
        stream.expect("initial");
        stream.expect("ready");
    }
    let body = json!({"source": "test", "chat": {"key": "chat"}, "messages": [
        {"key": "three", "sender": {"key": "cem"}, "content": "three", "timestamp": "2024-01-01T00:00:03Z"},
        {"key": "four", "sender": {"key": "ann"}, "is_from_me": true, "content": "four",
         "timestamp": "2024-01-01T00:00:04Z"},
        {"key": "five", "sender": {"key": "cem"}, "content": "five", "timestamp": "2024-01-01T00:00:05Z"},
    ]});
    let answer = client.ask("POST", "/api/live-sync/messages", &body.to_string());
    assert_eq!(answer.status, 200, "{answer:?}");
    client.post(&Post::to("chat").with("six", 6));
    for mut stream in streams {
        let mut told: BTreeMap<String, bool> = BTreeMap::new();
        while !told.contains_key("six") {
            let update = stream.expect("update").json();
            for message in update["messages"].as_array().expect("messages") {
                let text = message["content"].as_str().expect("text").to_owned();
                let is_from_me = message["is_from_me"].as_bool().expect("yes or no");
                assert_eq!(told.insert(text, is_from_me), None, "twice: {message}");
            }
        }
        let own: Vec<_> = told.iter().map(|(text, own)| (text.as_str(), *own)).collect();
        assert_eq!(
            own,
            [
                ("five", false),
                ("four", true),
                ("one", true),
                ("six", true),
                ("three", false),
                ("two", true)
            ]
        );
    }
    server.stop();
}

fn edit(client: &mut Client, key: &str, content: &str, edited_at: &str) {
    let body = json!({"source": "test", "chat": {"key": "chat"}, "messages": [{
        "key": key, "sender": {"key": "ann"}, "content": content, "timestamp": "2024-01-01T00:00:01Z",
        "edited_at": edited_at,
    }]});
    let answer = client.ask("POST", "/api/live-sync/messages", &body.to_string());
    assert_eq!(
        (answer.status, &answer.json()["inserted"]),
        (200, &json!(0)),
        "{answer:?}"
    );
}

/// The `initial` that a client with these headers gets, and its id.
fn joined(server: &Server, chat: i64, headers: &str) -> (serde_json::Value, String) {
    let target = format!("/api/live-sync/stream/chat/{chat}/messages");
    let initial = server.stream_with(&target, headers).expect("initial");
    (initial.json(), initial.id.expect("an id"))
}

/// What a client that comes back with this id missed.
fn texts_after(server: &Server, chat: i64, id: &str) -> Vec<String> {
    let initial = joined(server, chat, &format!("Last-Event-ID: {id}\r\n")).0;
    assert_eq!(initial["resumed"], true, "{initial}");
    contents(&initial)
}

fn contents(initial: &serde_json::Value) -> Vec<String> {
    let messages = initial["messages"].as_array().expect("messages");
    messages
        .iter()
        .map(|message| message["content"].as_str().expect("text").to_owned())
        .collect()
}
