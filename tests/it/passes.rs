//! Passes from outside: switched off and on while the program runs, and the live ones, which follow the conversation
//! that is open.

use chatstats_tests::{EventStream, Home, Server, chatstats, eventually, finish};
use serde_json::{Value, json};

use crate::analysis::{ended, import, start};

#[test]
fn a_switch_holds_over_restarts_for_the_server_and_the_command_line_and_a_run_fills_what_is_missing() {
    let home = Home::new();
    home.config("analyse_on_seal = false");
    let server = Server::start(&home);
    import(&home, &server, 30);
    let answer = switch(&server, "sentiment", false);
    assert_eq!((answer.0, &answer.1["enabled"]), (200, &json!(false)));
    let run = start(&server, &json!({"kind": "global"}));
    assert_eq!(ended(&server, &run)["success"], 30);
    assert_eq!(covered(&server, "sentiment"), 0);
    server.stop();

    let dry = finish(&mut chatstats(&home, &["analyze", "--dry-run", "--json"]));
    assert_eq!(dry.json()["conversations"], 0, "{dry:?}");
    let server = Server::start(&home);
    assert_eq!(pass(&server, "sentiment")["enabled"], false);
    assert_eq!(switch(&server, "sentiment", true).0, 200);
    let run = start(&server, &json!({"kind": "global"}));
    assert_eq!(ended(&server, &run)["success"], 30);
    assert_eq!(covered(&server, "sentiment"), 30);
    server.stop();
}

#[test]
fn a_switch_that_cannot_be_moved_is_a_problem_that_says_why() {
    let home = Home::new();
    home.config("passes_off = [\"sentiment\"]");
    let server = Server::start(&home);
    let problem = |name: &str, body: &str| {
        let answer = server
            .client()
            .ask("PUT", &format!("/api/analysis/passes/{name}"), body);
        let detail = answer.json()["detail"].as_str().expect("text").to_owned();
        (answer.status, answer.problem(), detail)
    };
    let off = r#"{"enabled":false}"#;
    assert_eq!(problem("nonsense", off).0, 404);
    // The model is not known until config.toml switches it on.
    assert_eq!(problem("llm", r#"{"enabled":true}"#).0, 404);
    assert_eq!(problem("topics", "{}").0, 400);
    let (status, code, detail) = problem("language", off);
    assert_eq!((status, code.as_str()), (409, "pass_needed"));
    assert!(detail.contains("topics"), "{detail}");
    let (status, code, detail) = problem("sentiment", r#"{"enabled":true}"#);
    assert_eq!((status, code.as_str()), (409, "off_in_config"));
    assert!(detail.contains("config.toml"), "{detail}");
    assert_eq!(pass(&server, "sentiment")["off_in_config"], true);
    server.stop();
}

#[test]
fn the_result_of_the_open_conversation_follows_its_messages() {
    let home = Home::new();
    let server = Server::start(&home);
    let mut events = server.stream("/api/analysis/streaming/queue/stream?scope=chat:1");
    say(&server, &["a", "b"]);
    let conversation = live(&mut events);
    assert_eq!(messages(&server, &conversation), Some(2));
    say(&server, &["c"]);
    assert_eq!(live(&mut events), conversation);
    assert_eq!(messages(&server, &conversation), Some(3));
    let tasks = server.client().get("/api/analysis/tasks");
    assert_eq!(tasks["total"], 0, "nothing is queued for what is open");
    server.stop();
}

/// Waits until a live result is told of, and returns whose it is.
fn live(events: &mut EventStream) -> String {
    loop {
        let event = events.expect("message").json();
        if event["type"] == "analysis_completed" && event["status"] == "live" {
            return event["conversation_id"].as_str().expect("text").to_owned();
        }
    }
}

/// How many messages the current result of the live pass has counted.
fn messages(server: &Server, conversation: &str) -> Option<i64> {
    eventually("the result", || {
        let found = server
            .client()
            .get(&format!("/api/conversations/{conversation}/results"));
        let results = found["results"].as_array().expect("a list").clone();
        let is_live = |result: &&Value| result["pass"] == "activity" && result["current"] == true;
        results
            .iter()
            .find(is_live)
            .map(|result| result["result"]["messages"].as_i64())
    })
}

/// Posts messages of now to the only chat.
fn say(server: &Server, texts: &[&str]) {
    let message = |text: &&str| {
        json!({
            "key": text,
            "sender": {"key": "ann", "name": "Ann"},
            "content": text,
            "timestamp": jiff::Timestamp::now().to_string(),
        })
    };
    let messages: Vec<_> = texts.iter().map(message).collect();
    let body = json!({"source": "test", "chat": {"key": "open", "title": "Open"}, "messages": messages});
    let answer = server
        .client()
        .ask("POST", "/api/live-sync/messages", &body.to_string());
    assert_eq!((answer.status, answer.json()["chat_id"].as_i64()), (200, Some(1)));
}

fn switch(server: &Server, name: &str, enabled: bool) -> (u16, Value) {
    let body = json!({ "enabled": enabled }).to_string();
    let answer = server
        .client()
        .ask("PUT", &format!("/api/analysis/passes/{name}"), &body);
    (answer.status, answer.json())
}

fn pass(server: &Server, name: &str) -> Value {
    let mut passes = server.client().get("/api/analysis/passes");
    let passes = passes["passes"].as_array_mut().expect("a list");
    let found = passes.iter_mut().find(|pass| pass["name"] == name);
    found.expect("there").take()
}

fn covered(server: &Server, name: &str) -> Value {
    pass(server, name)["covered"].take()
}
