//! `kill -9` while events are published and followed: what was acknowledged is there, once and in order, and clients
//! that come back with the last id they had see exactly the log.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::sync::Mutex;
use std::thread::scope;

use chatstats_tests::{Client, EventStream, Home, Progress, Random, Server, eventually, seed};
use serde_json::{Value, json};

const QUEUE: &str = "/api/analysis/streaming/queue/stream";
const ENTRIES: &str = "/api/bus/streams/task_events:analysis/entries";

const CLIENTS: u64 = 6;
const KILLS: u64 = 8;
const BATCHES_BETWEEN_KILLS: u64 = 40;

#[test]
fn what_was_acknowledged_survives_kills_and_clients_that_come_back_see_the_log_exactly() {
    let (home, mut random) = (Home::new(), seed());
    let server = Server::start(&home);
    let (addr, token) = (server.addr(), server.token().to_owned());
    let (acknowledged, progress) = (Mutex::new(Vec::new()), Progress::default());
    scope(|scope| {
        let clients: Vec<_> = (0..CLIENTS)
            .map(|number| {
                let (token, random) = (&token, random.fork(number));
                scope.spawn(move || follow(addr, token, random))
            })
            .collect();
        let mut server = server;
        for kill in 0..=KILLS {
            let goal = progress.now() + BATCHES_BETWEEN_KILLS + random.within(0..BATCHES_BETWEEN_KILLS);
            let publisher = {
                let (client, acknowledged, progress) = (server.client(), &acknowledged, &progress);
                scope.spawn(move || publish_until_gone(client, kill, acknowledged, progress, goal))
            };
            progress.wait_for(goal);
            if kill < KILLS {
                let addr = server.kill();
                publisher.join().expect("no panic");
                server = Server::start_at(&home, addr);
            } else {
                publisher.join().expect("no panic");
            }
        }
        // The last event of all tells the clients that they have everything.
        server
            .client()
            .publish(&json!({"scope": "global", "type": "last"}));
        let log = whole_log(&server);
        check(&log, &acknowledged.lock().expect("no panic"));
        for client in clients {
            assert_eq!(
                client.join().expect("no panic"),
                log,
                "a client saw something else than the log"
            );
        }
        server.stop();
    });
}

/// Publishes batches of numbered events, one after the other, until the server is gone or `goal` is reached.
fn publish_until_gone(
    mut client: Client,
    kill: u64,
    acknowledged: &Mutex<Vec<(String, String)>>,
    progress: &Progress,
    goal: u64,
) {
    for batch in 0.. {
        let names: Vec<_> = (0..10).map(|n| format!("{kill}-{batch}-{n}")).collect();
        let event = |name| json!({"scope": "global", "type": "x", "data": {"name": name}});
        let Ok(ids) = client.try_publish(&names.iter().map(event).collect()) else {
            return;
        };
        acknowledged
            .lock()
            .expect("no panic")
            .extend(ids.into_iter().zip(names));
        progress.add(1);
        // The last round ends by itself; before it, only a kill does.
        if kill == KILLS && progress.now() >= goal {
            return;
        }
    }
}

/// Follows from the beginning, over connections that break, until the last event of all. Returns ids and names.
fn follow(addr: SocketAddr, token: &str, mut random: Random) -> Vec<(String, String)> {
    let mut told: Vec<(String, String)> = Vec::new();
    for connections in 1.. {
        let target = format!("{QUEUE}?start_id=0");
        let headers = told.last().map(|(id, _)| format!("Last-Event-ID: {id}\r\n"));
        let headers = headers.unwrap_or_default();
        // Between two servers there is none.
        let mut stream = eventually("a stream", || {
            EventStream::open(addr, token, &target, &headers).ok()?.ok()
        });
        stream.cut_after(random.within(1_000..50_000 * connections));
        while let Some(event) = stream.next_event() {
            match event.name.as_str() {
                "heartbeat" => continue,
                "message" => {}
                _ => panic!("{event:?}"),
            }
            let mut data = event.json();
            let is_last = data["type"] == "last";
            told.push((event.id.expect("an id"), name(data["name"].take())));
            if is_last {
                return told;
            }
        }
    }
    told
}

fn name(value: Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

/// Ids and names of the whole log, page by page.
fn whole_log(server: &Server) -> Vec<(String, String)> {
    let mut all = Vec::new();
    let mut from = "-".to_owned();
    loop {
        let page = server.client().get(&format!("{ENTRIES}?count=1000&from={from}"));
        for entry in page["entries"].as_array().expect("entries") {
            let fields = entry["fields"].as_array().expect("fields");
            let of_name = fields.iter().find(|field| field[0] == "name");
            let of_name = of_name.map_or(Value::Null, |field| field[1].clone());
            all.push((name(entry["id"].clone()), name(of_name)));
        }
        match page["next"].as_str() {
            Some(next) => from = format!("({next}"),
            None => return all,
        }
    }
}

fn check(log: &[(String, String)], acknowledged: &[(String, String)]) {
    let number = |id: &str| -> (u64, u64) {
        let (ms, seq) = id.split_once('-').expect("an id");
        (ms.parse().expect("a number"), seq.parse().expect("a number"))
    };
    assert!(
        log.is_sorted_by(|a, b| number(&a.0) < number(&b.0)),
        "ids go on upwards, over kills too"
    );
    let there: BTreeSet<_> = log.iter().collect();
    let lost: Vec<_> = acknowledged
        .iter()
        .filter(|event| !there.contains(event))
        .collect();
    assert!(lost.is_empty(), "acknowledged and lost: {lost:?}");
    let names: BTreeSet<_> = log.iter().map(|(_, name)| name).collect();
    assert_eq!(names.len(), log.len(), "some are there twice");
    // Of a round, what is there is a beginning of what was published.
    for kill in 0..=KILLS {
        let of_round = log
            .iter()
            .filter_map(|(_, name)| name.strip_prefix(&format!("{kill}-")));
        for (index, name) in of_round.enumerate() {
            assert_eq!(
                name,
                format!("{}-{}", index / 10, index % 10),
                "a hole in round {kill}"
            );
        }
    }
}
