//! Runs over 60,000 messages that share a Redis with workers in processes of their own: one of them is killed, and then
//! Redis, with its data and without.

use std::process::{Child, Stdio};

use chatstats_tests::{Home, Redis, Server, chatstats, eventually};
use serde_json::{Value, json};

use crate::analysis::{covers_all, ended, ends_told, import, start};

/// Of six messages each.
const CONVERSATIONS: usize = 10_000;

#[test]
fn a_worker_that_is_killed_in_the_middle_of_a_run_loses_nothing() {
    let (home, redis) = (Home::new(), Redis::start());
    let server = serve(&home, &redis);
    import(&home, &server, CONVERSATIONS);
    let (first, _second) = (Worker::start(&home, &redis), Worker::start(&home, &redis));
    eventually("two workers", || (takers(&redis) == 2).then_some(()));
    let run = start(&server, &json!({"kind": "global"}));
    far(&server, &run, CONVERSATIONS / 3);
    first.kill();
    far(&server, &run, 2 * CONVERSATIONS / 3);
    is_whole(&server, &run);
    server.stop();
}

#[test]
fn a_redis_that_is_killed_in_the_middle_of_a_run_is_waited_for() {
    let (home, mut redis) = (Home::new(), Redis::start());
    let server = serve(&home, &redis);
    import(&home, &server, CONVERSATIONS);
    let _worker = Worker::start(&home, &redis);
    eventually("a worker", || (takers(&redis) == 1).then_some(()));
    let run = start(&server, &json!({"kind": "global"}));
    far(&server, &run, CONVERSATIONS / 3);
    redis.kill();
    // Who asks is answered meanwhile.
    assert_eq!(server.client().get("/api/status")["messages"], 60_000);
    redis.start_again();
    far(&server, &run, 2 * CONVERSATIONS / 3);
    redis.kill();
    redis.start_empty();
    is_whole(&server, &run);
    server.stop();
}

/// With one worker of its own, and what workers elsewhere take.
fn serve(home: &Home, redis: &Redis) -> Server {
    home.config("analyse_on_seal = false\nworkers = 1\n");
    let arguments = ["serve", "--listen", "127.0.0.1:0", "--redis-url", &redis.url()];
    Server::spawn(home, chatstats(home, &arguments)).with_its_log()
}

/// Waits until so many conversations of a run are done, and no end is in sight.
fn far(server: &Server, run: &str, done: usize) {
    eventually("a part of the run", || {
        let row = server.client().get(&format!("/api/analysis/runs/{run}"));
        assert!(row["finished_at"].is_null(), "too fast to be disturbed: {row}");
        (row["success"].as_u64() >= Some(done as u64)).then_some(())
    });
}

/// Waits for a run's end: each result is there once, and so is the end.
fn is_whole(server: &Server, run: &str) {
    let row = ended(server, run);
    assert_eq!(row["state"], "complete");
    let counts = [&row["total"], &row["success"], &row["failed"]];
    assert_eq!(counts, [&json!(CONVERSATIONS), &json!(CONVERSATIONS), &json!(0)]);
    covers_all(server, CONVERSATIONS);
    let ends = eventually("the end told", || {
        Some(ends_told(server, run)).filter(|ends| !ends.is_empty())
    });
    let told = |end: &Value| {
        [
            end["total"].clone(),
            end["success"].clone(),
            end["failed"].clone(),
        ]
    };
    assert_eq!(
        ends.iter().map(told).collect::<Vec<_>>(),
        [[json!("10000"), json!("10000"), json!("0")]]
    );
    // Nothing is left to do, and nothing more is told of the run.
    let other = start(server, &json!({"kind": "global"}));
    assert_eq!(ended(server, &other)["total"], 0);
    eventually("the other's end told", || {
        (!ends_told(server, &other).is_empty()).then_some(())
    });
    assert_eq!(ends_told(server, run).len(), 1);
}

/// How many workers have said that they are there.
fn takers(redis: &Redis) -> usize {
    let count = redis.cli(&["ZCARD", "chatstats:tasks:workers"]);
    count.parse().expect("a number")
}

/// A `chatstats worker` in a process of its own. Killed when dropped.
struct Worker(Child);

impl Worker {
    fn start(home: &Home, redis: &Redis) -> Worker {
        let mut command = chatstats(home, &["worker", "--redis-url", &redis.url(), "--at-once", "1"]);
        let child = command.stderr(Stdio::null()).spawn();
        Worker(child.expect("started"))
    }

    /// `kill -9`, with whatever it has in hand.
    fn kill(mut self) {
        assert_eq!(self.0.try_wait().expect("a child"), None, "ended by itself");
        self.0.kill().expect("killed");
        self.0.wait().expect("a child");
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        // Both fail where it has ended and was waited for; that is fine.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
