//! The event streams of the bus, over the embedded log: who comes back gets exactly what it missed, or is told of the
//! gap; who does not read costs little; and all end with the program.

use std::time::{Duration, Instant};

#[cfg(target_os = "linux")]
use chatstats_tests::memory;
use chatstats_tests::{Home, Server, Signal};
use serde_json::json;

use crate::bus_stream::{ANY, QUEUE, next_numbers, numbered};

/// On a machine that is busy with other tests. (`shutdown` holds the promise of a second.)
const END_WITHIN: Duration = Duration::from_secs(10);

#[test]
fn a_client_that_comes_back_gets_what_it_missed_also_after_a_restart_and_a_kill() {
    let home = Home::new();
    let server = Server::start(&home);
    let ids = server.client().publish(&numbered("chat:1", 0..10));
    let back = |server: &Server| {
        let header = format!("Last-Event-ID: {}\r\n", ids[6]);
        for (target, headers) in [
            (QUEUE.to_owned(), &*header),
            (format!("{QUEUE}?start_id=0"), &*header),
            (format!("{QUEUE}?start_id=$&last_event_id={}", ids[6]), ""),
            (format!("{ANY}?last_event_id={}", ids[1]), &*header),
            // An id that is none was given by no server of this kind: it counts as not given.
            (
                format!("{QUEUE}?start_id={}", ids[6]),
                "Last-Event-ID: of elsewhere\r\n",
            ),
            (format!("{QUEUE}?last_event_id={}", ids[6]), "Last-Event-ID: \r\n"),
        ] {
            let mut stream = server.stream_with(&target, headers);
            assert_eq!(next_numbers(&mut stream, 3), [7, 8, 9], "{target} {headers}");
        }
    };
    back(&server);
    let addr = server.addr();
    server.stop();
    let server = Server::start_at(&home, addr);
    back(&server);
    let addr = server.kill();
    let server = Server::start_at(&home, addr);
    back(&server);
    server.stop();
}

#[test]
fn a_client_whose_place_was_trimmed_is_told_of_the_gap_and_gets_what_is_left() {
    let home = Home::new();
    home.config("events_kept = 100\n");
    let server = Server::start(&home);
    let ids = server.client().publish(&numbered("global", 0..10));
    for batch in 0..50 {
        server
            .client()
            .publish(&numbered("global", (10 + batch * 40)..(50 + batch * 40)));
    }
    let reach = server.client().get("/api/bus/streams/task_events:analysis");
    let left = reach["length"].as_u64().expect("a number") as usize;
    assert!((100..2_000).contains(&left), "{reach}");
    for target in [QUEUE, ANY] {
        let mut stream = server.stream_with(target, &format!("Last-Event-ID: {}\r\n", ids[4]));
        let gap = stream.expect("error");
        assert_eq!((&gap.json()["code"], gap.id), (&json!("gap"), None));
        let numbers = next_numbers(&mut stream, left);
        assert!(numbers.iter().copied().eq(2_010 - left as u64..2_010), "{target}");
        server.client().publish(&numbered("global", [7]));
        assert_eq!(next_numbers(&mut stream, 1), [7], "and it is live");
    }
    // Who asks for all there are misses nothing that it had.
    let mut stream = server.stream(ANY);
    assert_eq!(
        stream.expect("message").id.as_deref(),
        reach_first(&server).as_deref()
    );
    server.stop();
}

fn reach_first(server: &Server) -> Option<String> {
    let reach = server.client().get("/api/bus/streams/task_events:analysis");
    reach["first_id"].as_str().map(str::to_owned)
}

/// 80 MB are published. The log keeps some of it in memory, and so does the ring that followers read from.
#[cfg(target_os = "linux")]
const GROWTH_KIB_MAX: u64 = 48 << 10;

#[test]
fn a_client_that_does_not_read_costs_little_memory_and_misses_nothing() {
    const BATCHES: u64 = 80;
    const BATCH: u64 = 500;
    let home = Home::new();
    let server = Server::start(&home);
    let mut slow = server.stream(QUEUE);
    let padding = "x".repeat(2_000);
    #[cfg(target_os = "linux")]
    let before = memory::restart_peak(server.pid());
    let mut client = server.client();
    for batch in 0..BATCHES {
        let event = |n| json!({"scope": "global", "type": "x", "data": {"n": n, "padding": padding}});
        client.publish(&(batch * BATCH..(batch + 1) * BATCH).map(event).collect());
    }
    #[cfg(target_os = "linux")]
    {
        let grown = memory::peak_kib(server.pid()).saturating_sub(before);
        assert!(grown < GROWTH_KIB_MAX, "the server grew by {grown} KiB");
    }
    let all = next_numbers(&mut slow, (BATCHES * BATCH) as usize);
    assert!(all.into_iter().eq(0..BATCHES * BATCH));
    server.stop();
}

/// Of each kind: those that wait, and those that do not read.
const CLIENTS: usize = 20;

#[test]
fn streams_end_with_the_program_also_those_of_clients_that_do_not_read() {
    let home = Home::new();
    let server = Server::start(&home);
    let mut waiting: Vec<_> = (0..CLIENTS).map(|_| server.stream(QUEUE)).collect();
    let padding = "x".repeat(10_000);
    let event = |n: u64| json!({"scope": "global", "type": "x", "data": {"n": n, "padding": padding}});
    for _ in 0..4 {
        server.client().publish(&(0..500).map(event).collect());
    }
    let stalled: Vec<_> = (0..CLIENTS).map(|_| server.stream(ANY)).collect();
    let started = Instant::now();
    assert_eq!(server.end(Signal::Terminate).code, Some(0));
    for stream in &mut waiting {
        while stream.next_event().is_some() {}
    }
    drop(stalled);
    assert!(started.elapsed() < END_WITHIN, "{:?}", started.elapsed());
}
