//! Whoever joins a chat while messages arrive has all of them, once and in order; whoever stops reading too, and
//! nobody beside them waits for that.

use std::sync::Arc;
use std::thread::scope;

use chatstats_tests::{Home, Message, Post, Progress, Random, Server, Transcript, seed};

const CHATS: usize = 3;
const POSTERS: usize = 6;
const CLIENTS: u64 = 40;
const MESSAGES_PER_POSTER: usize = 1_200;

#[test]
fn forty_clients_that_join_while_messages_are_posted_have_each_once_and_in_order() {
    let (home, random) = (Home::new(), seed());
    let server = Server::start(&home);
    let firsts: Vec<Post> = (0..CHATS)
        .map(|chat| Post::to(&format!("chat {chat}")).with("first", 0))
        .collect();
    let chats: Vec<i64> = firsts.iter().map(|post| server.client().post(post)).collect();
    let plans: Vec<Vec<Post>> = (0..POSTERS)
        .map(|poster| plan(poster, random.fork(poster as u64)))
        .collect();
    let of_chat = |chat: usize| {
        let plans = plans.iter().skip(chat).step_by(CHATS).flatten();
        plans.chain([&firsts[chat]]).flat_map(|post| &post.messages)
    };
    let posted = Progress::default();

    scope(|scope| {
        for plan in &plans {
            let (mut client, posted) = (server.client(), &posted);
            scope.spawn(move || {
                for post in plan {
                    client.post(post);
                    posted.add(post.messages.len() as u64);
                }
            });
        }
        for number in 0..CLIENTS {
            let (server, chats, posted, of_chat) = (&server, &chats, &posted, &of_chat);
            scope.spawn(move || {
                let total = (POSTERS * MESSAGES_PER_POSTER) as u64;
                posted.wait_for(number * total / CLIENTS);
                let chat = number as usize % CHATS;
                let mut stream = server.stream(&messages_of(chats[chat]));
                let mut transcript = Transcript::default();
                let all = of_chat(chat).count();
                assert!(
                    transcript.follow(&mut stream, |told| told.count() >= all),
                    "it ended"
                );
                transcript.check(of_chat(chat));
            });
        }
    });
    server.stop();
}

/// What a poster posts: batches of different sizes to one chat, their times in no order.
fn plan(poster: usize, mut random: Random) -> Vec<Post> {
    let mut plan = Vec::new();
    let mut next = 0;
    while next < MESSAGES_PER_POSTER {
        let size = if random.once_in(3) {
            1
        } else {
            random.within(1..60) as usize
        };
        let mut post = Post::to(&format!("chat {}", poster % CHATS));
        for number in next..MESSAGES_PER_POSTER.min(next + size) {
            // Few different times, so that many messages share one.
            post = post.with(format!("{poster}.{number}"), random.within(0..500));
        }
        next += post.messages.len();
        plan.push(post);
    }
    plan
}

/// Posts of four messages of a kilobyte: 20,000 messages, several times what sockets and queues hold.
const FLOOD_POSTS: usize = 5_000;
const FLOOD_BATCH: usize = 4;

/// The reader beside the stalled one is never further behind than this many messages. Less than a subscriber's
/// queue, so that what is dropped was dropped for the stalled one.
const WINDOW: u64 = 500;

#[test]
fn a_client_that_stops_reading_misses_nothing_and_costs_the_reader_beside_it_nothing() {
    let home = Home::new();
    let server = Server::start(&home);
    let first = Post::to("flood").with("first", 0);
    let chat = server.client().post(&first);
    let flood: Vec<Post> = (0..FLOOD_POSTS).map(flood_post).collect();
    let all: Vec<&Message> = [&first]
        .into_iter()
        .chain(&flood)
        .flat_map(|post| &post.messages)
        .collect();

    let mut stalled = server.stream(&messages_of(chat));
    let mut stalled_told = Transcript::default();
    stalled_told.enter(&stalled.expect("initial"));
    stalled.expect("ready");

    // From here on the stalled client reads nothing, until the reader beside it has read everything.
    let read = Arc::new(Progress::default());
    scope(|scope| {
        let (server, all, progress) = (&server, &all, read.clone());
        let mut beside = server.stream(&messages_of(chat));
        scope.spawn(move || {
            let mut told = Transcript::default();
            while told.count() < all.len() {
                let before = told.count();
                told.enter(&beside.next_event().expect("not over"));
                progress.add((told.count() - before) as u64);
            }
            told.check(all.iter().copied());
        });
        let mut client = server.client();
        for (number, post) in flood.iter().enumerate() {
            read.wait_for(((number * FLOOD_BATCH) as u64).saturating_sub(WINDOW));
            client.post(post);
        }
        read.wait_for(all.len() as u64);
    });

    assert!(
        stalled_told.follow(&mut stalled, |told| told.count() >= all.len()),
        "it ended"
    );
    stalled_told.check(all.iter().copied());
    let hub = &server.client().get("/api/status")["hub"];
    assert!(
        hub["dropped"].as_u64() > Some(0),
        "the queue was long enough, nothing was tested: {hub}"
    );
    assert!(hub["refilled"].as_u64() > Some(0), "{hub}");

    // And it is live again.
    server.client().post(&Post::to("flood").with("last", 0));
    assert!(
        stalled_told.follow(&mut stalled, |told| told.count() > all.len()),
        "it ended"
    );
    assert_eq!(
        stalled_told.later.last().map(|told| told.content.as_str()),
        Some("last")
    );
    stalled_told.check_order();
    server.stop();
}

fn flood_post(number: usize) -> Post {
    let keys = (0..FLOOD_BATCH).map(|place| number * FLOOD_BATCH + place);
    let mut post = keys.fold(Post::to("flood"), |post, key| post.with(key, key as u64));
    post.messages
        .iter_mut()
        .for_each(|message| message.padding = 1_000);
    post
}

fn messages_of(chat: i64) -> String {
    format!("/api/live-sync/stream/chat/{chat}/messages")
}
