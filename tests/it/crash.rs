//! `kill -9` at any moment: what was answered is there, nothing is there twice, and an import goes on where it was.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::path::Path;
use std::process::Stdio;
use std::thread::scope;

use chatstats_tests::{
    Client, Home, Message, Post, Progress, Random, Server, Transcript, chatstats, eventually, finish, seed,
    whatsapp_export,
};
use serde_json::json;

/// Kills while messages are posted. With those of imports below: twenty.
const KILLS_POSTING: u64 = 10;
const POSTERS: u64 = 4;

#[test]
fn what_was_answered_survives_kills_and_what_was_not_can_be_posted_again() {
    let (home, mut random) = (Home::new(), seed());
    let mut server = Server::start(&home);
    let chat = server.client().post(&Post::to("chat").with("first", 0));
    let mut posters: Vec<Poster> = (0..POSTERS)
        .map(|number| Poster::new(number, random.fork(number)))
        .collect();
    for _ in 0..KILLS_POSTING {
        let addr = post_until_killed(server, &mut posters, &mut random);
        server = Server::start_at(&home, addr);
        let stored = texts(&server, chat);
        for poster in &posters {
            poster.check(&stored);
        }
    }
    for poster in &mut posters {
        server.client().post(&poster.under_way);
        poster.answered.append(&mut poster.under_way.messages);
    }
    let told = told(&server, chat);
    let first = Post::to("chat").with("first", 0);
    told.check(
        posters
            .iter()
            .flat_map(|poster| &poster.answered)
            .chain(&first.messages),
    );
    server.stop();
    sound(&home);
}

/// Somebody who posts, and remembers what was answered.
struct Poster {
    number: u64,
    random: Random,
    next: u64,
    answered: Vec<Message>,
    /// Sent, and perhaps never answered: to be sent again.
    under_way: Post,
}

impl Poster {
    fn new(number: u64, random: Random) -> Poster {
        Poster {
            number,
            random,
            next: 0,
            answered: Vec::new(),
            under_way: Post::to("chat"),
        }
    }

    /// Posts until no answer comes, what is under way first.
    fn post(&mut self, mut client: Client, answers: &Progress) {
        loop {
            if self.under_way.messages.is_empty() {
                for _ in 0..self.random.within(1..40) {
                    let key = format!("{}.{}", self.number, self.next);
                    self.under_way =
                        std::mem::replace(&mut self.under_way, Post::to("chat")).with(key, self.next);
                    self.next += 1;
                }
            }
            if client.try_post(&self.under_way).is_err() {
                return;
            }
            self.answered.append(&mut self.under_way.messages);
            answers.add(1);
        }
    }

    /// What was answered is there; what was under way is there as a whole or not at all.
    fn check(&self, stored: &BTreeSet<String>) {
        let is_stored = |message: &&Message| stored.contains(&message.content());
        let lost = self.answered.iter().find(|message| !is_stored(message));
        assert!(lost.is_none(), "answered and lost: {lost:?}");
        let of_post = self.under_way.messages.iter().filter(is_stored).count();
        assert!(
            of_post == 0 || of_post == self.under_way.messages.len(),
            "half a post is stored"
        );
    }
}

/// Kills the server once some more posts were answered, with others on their way.
fn post_until_killed(server: Server, posters: &mut [Poster], random: &mut Random) -> SocketAddr {
    let answers = Progress::default();
    scope(|scope| {
        for poster in posters {
            let (client, answers) = (server.client(), &answers);
            scope.spawn(move || poster.post(client, answers));
        }
        answers.wait_for(random.within(1..100));
        server.kill()
    })
}

fn told(server: &Server, chat: i64) -> Transcript {
    let mut told = Transcript::default();
    told.enter(
        &server
            .stream(&format!("/api/live-sync/stream/chat/{chat}/messages"))
            .expect("initial"),
    );
    told
}

/// The texts of a chat, each of them once.
fn texts(server: &Server, chat: i64) -> BTreeSet<String> {
    let told = told(server, chat);
    let count = told.count();
    let texts: BTreeSet<_> = told.initial.into_iter().map(|told| told.content).collect();
    assert_eq!(texts.len(), count, "some are there twice");
    texts
}

fn sound(home: &Home) {
    let doctor = finish(&mut chatstats(home, &["doctor"]));
    assert_eq!(doctor.code, Some(0), "{doctor:?}");
    assert!(doctor.out.contains("sound"), "{doctor:?}");
}

/// Kills of a server that imports, and of `chatstats import`.
const KILLS_IMPORTING: u64 = 6;
const KILLS_OF_THE_COMMAND: u64 = 4;

/// So many that an import is never through between two kills.
const RECORDS: usize = 120_000;

#[test]
fn an_import_goes_on_after_kills_of_the_server_and_its_receipt_is_exact() {
    let (home, mut random) = (Home::new(), seed());
    let export = home.file("chat.txt", whatsapp_export("import", RECORDS));
    let mut server = Server::start(&home);
    let import = server.client().import(&export);
    for kill in 1..=KILLS_IMPORTING {
        // Evenly over the first half of the import, and somewhere inside of its share: enough is left for who looks late.
        let share = RECORDS as u64 / (2 * (KILLS_IMPORTING + 1));
        let far = kill * share - random.within(0..share / 2);
        let reached = eventually("the import's progress", || {
            let state = server.client().get(&format!("/api/imports/{import}"));
            assert!(
                state["state"] == "queued" || state["state"] == "running",
                "too fast to be killed: {state}"
            );
            state["progress"]["counts"]["messages"]
                .as_u64()
                .filter(|messages| *messages >= far)
        });
        let addr = server.kill();
        server = Server::start_at(&home, addr);
        let stored = server.client().get("/api/status")["messages"].as_u64();
        assert!(
            stored >= Some(reached),
            "{reached} were committed, {stored:?} are there"
        );
    }
    check_import(&server, import);
    server.stop();
    sound(&home);
}

#[test]
fn an_import_command_that_was_killed_is_gone_on_with_by_the_next_start() {
    let (home, mut random) = (Home::new(), seed());
    let export = home.file("chat.txt", whatsapp_export("import", RECORDS));
    for kill in 0..KILLS_OF_THE_COMMAND {
        let far = if kill == 0 { 0 } else { random.within(1..8) << 20 };
        kill_the_command(&home, &export, far);
    }
    let server = Server::start(&home);
    let imports = server.client().get("/api/imports")["imports"].take();
    let imports = imports.as_array().expect("imports");
    assert!(!imports.is_empty(), "none was begun, nothing was tested");
    let ended: Vec<_> = imports
        .iter()
        .map(|import| {
            server
                .client()
                .ended_import(import["id"].as_i64().expect("a number"))
        })
        .collect();
    let new: u64 = ended
        .iter()
        .filter_map(|import| import["receipt"]["totals"]["messages"].as_u64())
        .sum();
    assert_eq!(
        new, RECORDS as u64,
        "each is new in one of the imports: {ended:?}"
    );
    assert!(ended.iter().all(|import| import["state"] == "done"), "{ended:?}");
    check_texts(&server);
    server.stop();
    sound(&home);
}

/// Kills `chatstats import` when the database with its log has grown by so many bytes, or has ended.
fn kill_the_command(home: &Home, export: &Path, bytes: u64) {
    let size = || -> u64 {
        let sizes = home
            .everything()
            .into_iter()
            .filter_map(|path| Some(path.metadata().ok()?.len()));
        sizes.sum()
    };
    let before = size();
    let mut command = chatstats(home, &["import"]);
    let mut child = command
        .arg(export)
        .stdout(Stdio::null())
        .spawn()
        .expect("started");
    eventually("growth, or the end", || {
        let ended = child.try_wait().expect("a child").is_some();
        (ended || size() > before + bytes).then_some(())
    });
    let _ = child.kill();
    child.wait().expect("a child");
}

fn check_import(server: &Server, import: i64) {
    let ended = server.client().ended_import(import);
    assert_eq!(ended["state"], "done", "{ended}");
    let want = json!({
        "chats": 1, "records": RECORDS, "messages": RECORDS, "system": 0, "duplicates": 0, "left_out": 0,
    });
    assert_eq!(ended["receipt"]["totals"], want, "{ended}");
    check_texts(server);
}

/// All texts of the export are there, once and in the order of the export.
fn check_texts(server: &Server) {
    let chats = server.client().get("/api/chats")["chats"].take();
    assert_eq!(chats.as_array().map(Vec::len), Some(1), "{chats}");
    let told = told(server, chats[0]["id"].as_i64().expect("a number"));
    assert_eq!(told.initial.len(), RECORDS);
    for (number, told) in told.initial.iter().enumerate() {
        assert_eq!(told.content, format!("import {number}"));
    }
}
