//! A run over 60,000 messages that is killed twice in its middle: one end, counts that add up, every result once.

use chatstats_tests::{Home, Server, eventually};
use serde_json::json;

use crate::analysis::{covers_all, ended, ends_told, import, start};

/// Of six messages each.
const CONVERSATIONS: usize = 10_000;

const KILLS: u64 = 2;

#[test]
fn a_run_that_is_killed_twice_ends_once_with_every_result() {
    let home = Home::new();
    home.config("analyse_on_seal = false");
    let mut server = Server::start(&home);
    import(&home, &server, CONVERSATIONS);
    assert_eq!(server.client().get("/api/status")["messages"], 60_000);
    let run = start(&server, &json!({"kind": "global"}));
    for kill in 1..=KILLS {
        let far = CONVERSATIONS as u64 * kill / (KILLS + 1);
        eventually("a part of the run", || {
            let row = server.client().get(&format!("/api/analysis/runs/{run}"));
            assert!(row["finished_at"].is_null(), "too fast to be killed: {row}");
            (row["success"].as_u64() >= Some(far)).then_some(())
        });
        let addr = server.kill();
        server = Server::start_at(&home, addr);
    }
    let row = ended(&server, &run);
    assert_eq!(row["state"], "complete");
    assert_eq!(
        (&row["success"], &row["failed"]),
        (&json!(CONVERSATIONS), &json!(0))
    );
    assert_eq!(row["total"], CONVERSATIONS);
    covers_all(&server, CONVERSATIONS);
    let end = eventually("the end told", || ends_told(&server, &run).pop());
    for (name, value) in [("total", &row["total"]), ("success", &row["success"])] {
        assert_eq!(end[name], value.to_string());
    }
    // A start after the end finds nothing more to tell.
    let addr = server.kill();
    let server = Server::start_at(&home, addr);
    let other = start(&server, &json!({"kind": "global"}));
    assert_eq!(ended(&server, &other)["total"], 0, "nothing lacks a result");
    assert_eq!(ends_told(&server, &run).len(), 1);
    server.stop();
}
