//! The `initial` of a very long chat is one event on one line, complete and in order, and the server writes it as
//! it reads it: its memory stays where it is however slowly the client takes it.

#[cfg(target_os = "linux")]
use chatstats_tests::memory;
use chatstats_tests::{EventStream, Home, NO_FOLLOWERS, Post, Server, Transcript};

const MESSAGES: u64 = 200_000;
const MESSAGES_PER_POST: u64 = 20_000;

/// The goal for a million messages; a server that collected these 200,000 first would need several times that.
#[cfg(target_os = "linux")]
const GROWTH_KIB_MAX: u64 = 16 << 10;

#[test]
fn a_chat_of_200_000_messages_is_one_event_in_bounded_memory() {
    let home = Home::new();
    // What analysis of so long a conversation takes is not what the stream takes.
    home.config(NO_FOLLOWERS);
    let server = Server::start(&home);
    let posts: Vec<Post> = (0..MESSAGES / MESSAGES_PER_POST).map(post).collect();
    let chat = server.client().post(&Post::to("long").with("small", 0));
    let small = server.client().post(&Post::to("small").with("small", 0));
    for post in &posts {
        server.client().post(post);
    }
    // A fresh process: what the posts took must not hide what the stream takes.
    server.stop();
    let server = Server::start(&home);
    read_all(&mut server.stream(&target(small)));

    #[cfg(target_os = "linux")]
    let before = memory::restart_peak(server.pid());
    // The second reads nothing until the first has everything: it is as slow as a client can be.
    let (mut first, mut second) = (server.stream(&target(chat)), server.stream(&target(chat)));
    let told = read_all(&mut first);
    let told_slowly = read_all(&mut second);
    #[cfg(target_os = "linux")]
    {
        let growth = memory::peak_kib(server.pid()).saturating_sub(before);
        assert!(growth < GROWTH_KIB_MAX, "the server grew by {growth} KiB");
    }
    let small = Post::to("long").with("small", 0);
    for told in [told, told_slowly] {
        assert_eq!(told.total, MESSAGES + 1);
        told.check(posts.iter().chain([&small]).flat_map(|post| &post.messages));
    }
    server.stop();
}

/// Reads up to `ready`; what comes before has to be `initial` alone, on one line.
fn read_all(stream: &mut EventStream) -> Transcript {
    let initial = stream.next_event().expect("not over");
    assert_eq!((initial.name.as_str(), initial.data_lines), ("initial", 1));
    assert_eq!(stream.next_event().expect("not over").name, "ready");
    let mut told = Transcript::default();
    told.enter(&initial);
    told
}

/// Times in no order, many of them several times.
fn post(number: u64) -> Post {
    let keys = number * MESSAGES_PER_POST..(number + 1) * MESSAGES_PER_POST;
    keys.fold(Post::to("long"), |post, key| {
        post.with(key, key * 7_919 % 100_003)
    })
}

fn target(chat: i64) -> String {
    format!("/api/live-sync/stream/chat/{chat}/messages")
}
