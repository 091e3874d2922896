//! `chatstats analyze`, with and without a server: what it says, what it leaves, and the code it exits with.

use std::process::Stdio;

use chatstats_tests::{Home, Server, chatstats, eventually, finish, whatsapp_conversations};
use serde_json::json;

use crate::analysis::{covers_all, ended, import};

#[test]
fn without_a_server_it_counts_or_works_or_leaves_the_work_to_the_next_start() {
    let home = imported(20);
    let dry = finish(&mut chatstats(&home, &["analyze", "--dry-run", "--json"]));
    assert_eq!(
        (dry.code, &dry.json()["conversations"]),
        (Some(0), &json!(19)),
        "{dry:?}"
    );
    let some = ["analyze", "--wait", "--json", "--passes", "activity"];
    let some = finish(&mut chatstats(&home, &some));
    assert_eq!(some.code, Some(0), "{some:?}");
    assert_eq!(
        (&some.json()["state"], &some.json()["success"]),
        (&json!("complete"), &json!(19))
    );
    let accepted = finish(&mut chatstats(&home, &["analyze", "--run", "historic", "--json"]));
    assert_eq!(accepted.code, Some(0), "{accepted:?}");
    let run = accepted.json()["id"].to_string();
    let server = Server::start(&home);
    let row = ended(&server, &run);
    // The one that is open was sealed by nobody yet when it was asked for.
    assert_eq!(
        (&row["state"], &row["success"], &row["failed"]),
        (&json!("complete"), &json!(19), &json!(0))
    );
    server.stop();
}

#[test]
fn with_a_server_it_asks_that_one_and_prints_the_same() {
    let home = Home::new();
    home.config("analyse_on_seal = false");
    let server = Server::start(&home);
    import(&home, &server, 30);
    let dry = finish(&mut chatstats(&home, &["analyze", "--dry-run"]));
    assert!(
        dry.code == Some(0) && dry.out.starts_with("30 conversations with 180 messages"),
        "{dry:?}"
    );
    let one = ["analyze", "--run", "conversation:3", "--wait", "--json"];
    assert_eq!(finish(&mut chatstats(&home, &one)).json()["success"], 1);
    let waited = finish(&mut chatstats(&home, &["analyze", "--wait"]));
    assert_eq!(
        (waited.code, waited.out.as_str()),
        (
            Some(0),
            "Run 2 is complete: 29 conversations analysed, 0 failed\n"
        ),
        "{waited:?}"
    );
    covers_all(&server, 30);
    let accepted = finish(&mut chatstats(&home, &["analyze", "--run", "chat:1"]));
    assert!(
        accepted.code == Some(0) && accepted.out.starts_with("Run 3 is accepted"),
        "{accepted:?}"
    );
    ended(&server, "3");
    server.stop();
}

#[test]
fn wrong_use_is_told_from_failure() {
    let home = imported(2);
    let server = Server::start(&home);
    let run = |arguments: &[&str]| finish(&mut chatstats(&home, &[&["analyze"], arguments].concat()));
    let wrong: [&[&str]; 3] = [&["--run", "all"], &["--run", "chat:x"], &["--passes", "nonsense"]];
    for arguments in wrong {
        let ran = run(arguments);
        assert_eq!((ran.code, ran.out.as_str()), (Some(2), ""), "{ran:?}");
        assert!(!ran.err.is_empty());
    }
    let missing = run(&["--run", "conversation:99"]);
    assert!(
        missing.code == Some(1) && missing.err.contains("99"),
        "{missing:?}"
    );
    server.stop();
    let alone = run(&["--passes", "nonsense"]);
    assert!(
        alone.code == Some(2) && alone.err.contains("sentiment"),
        "{alone:?}"
    );
    let missing = run(&["--run", "conversation:99"]);
    assert!(
        missing.code == Some(1) && missing.err.contains("99"),
        "{missing:?}"
    );
}

/// So many that a run is never through before the server is killed.
const MANY: usize = 6_000;

#[test]
fn waiting_outlasts_a_kill_of_the_server_and_a_stopped_run_is_a_failure() {
    let home = Home::new();
    home.config("analyse_on_seal = false");
    let server = Server::start(&home);
    import(&home, &server, MANY);
    let wait = |run: &str| {
        let mut command = chatstats(&home, &["analyze", "--run", run, "--wait", "--json"]);
        command.stdout(Stdio::piped()).spawn().expect("started")
    };
    let under_way = |server: &Server, run: &str| {
        eventually("the run under way", || {
            let answer = server
                .client()
                .ask("GET", &format!("/api/analysis/runs/{run}"), "");
            (answer.status == 200 && answer.json()["success"].as_u64() > Some(0)).then_some(())
        });
    };
    let followers = |server: &Server| server.client().get("/api/bus")["subscribers"].as_u64();
    let before = followers(&server);
    let child = wait("global");
    under_way(&server, "1");
    // The command has been answered, and follows its run.
    eventually("one who follows", || (followers(&server) > before).then_some(()));
    let server = Server::start_at(&home, server.kill());
    let done = child.wait_with_output().expect("it ends");
    let row: serde_json::Value = serde_json::from_slice(&done.stdout).expect("JSON");
    assert_eq!(
        (done.status.code(), &row["success"], &row["state"]),
        (Some(0), &json!(MANY), &json!("complete"))
    );

    let child = wait("historic");
    under_way(&server, "2");
    server.client().ask("POST", "/api/analysis/runs/2/cancel", "");
    let stopped = child.wait_with_output().expect("it ends");
    let row: serde_json::Value = serde_json::from_slice(&stopped.stdout).expect("JSON");
    assert_eq!(
        (stopped.status.code(), &row["state"]),
        (Some(1), &json!("cancelled")),
        "{row}"
    );
    server.stop();
}

/// A home with a chat that no server has seen: its last conversation is open.
fn imported(conversations: usize) -> Home {
    let home = Home::new();
    home.config("analyse_on_seal = false");
    let export = home.file("chat.txt", whatsapp_conversations(conversations, 6));
    let export = export.to_str().expect("text");
    let imported = finish(&mut chatstats(&home, &["import", export]));
    assert_eq!(imported.code, Some(0), "{imported:?}");
    home
}
