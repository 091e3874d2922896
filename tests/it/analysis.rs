//! Analysis from outside: a run tells what it does from its start to its one end, events, rows and answers agree, and it
//! can be paused, resumed and cancelled. What it found is there to be read.

use std::collections::BTreeSet;

use chatstats_tests::{EventStream, Home, Server, eventually, whatsapp_conversations};
use serde_json::{Value, json};

const MESSAGES: usize = 6;

/// So many tasks that a run is far from its end when it is stopped.
const MANY: usize = 8_000;

#[test]
fn a_run_tells_its_course_in_order_and_its_counts_agree_everywhere() {
    let (_home, server) = with_conversations(400);
    let mut events = server.stream("/api/analysis/streaming/queue/stream");
    let run = start(&server, &json!({"kind": "global"}));
    let mut events = until_the_end(&mut events, &run);
    // The tracker tells of the import's conversations meanwhile.
    events.retain(|event| text(event, "type") != "conversation_sealed");
    let types: Vec<_> = events.iter().map(|event| text(event, "type")).collect();
    let place = |name: &str| types.iter().position(|found| *found == name).expect("told");
    assert_eq!(place("run_starting"), 0, "{types:?}");
    assert!(place("run_seeded") < place("completed"), "before any task ended");
    assert_eq!(events[place("run_seeded")]["total"], "400");
    let of_tasks = types.iter().filter(|found| **found == "completed").count();
    assert_eq!(of_tasks, 400, "each task once");
    let end = events.last().expect("some");
    assert_eq!((text(end, "success"), text(end, "failed")), ("400", "0"));
    is_throttled(&events);

    let row = server.client().get(&format!("/api/analysis/runs/{run}"));
    assert_eq!((&row["state"], &row["total"]), (&json!("complete"), &json!(400)));
    assert_eq!((&row["success"], &row["failed"]), (&json!(400), &json!(0)));
    let counts = server.client().get(&format!("/api/analysis/runs/{run}/counts"));
    assert_eq!(counts["completed"], 400, "{counts}");
    let target = format!("/api/analysis/tasks?run_id={run}&state=completed&state=failed&limit=7");
    let tasks = server.client().get(&target);
    assert_eq!(
        (&tasks["total"], tasks["tasks"].as_array().map(Vec::len)),
        (&json!(400), Some(7))
    );
    let task = tasks["tasks"][0]["id"].to_string();
    let task = server.client().get(&format!("/api/analysis/tasks/{task}"));
    assert_eq!(task, tasks["tasks"][0]);
    covers_all(&server, 400);
    // Nothing is left to do, and the next run says so.
    let again = start(&server, &json!({"kind": "global"}));
    let again = ended(&server, &again);
    assert_eq!(
        (&again["total"], &again["state"]),
        (&json!(0), &json!("complete"))
    );
    for run in [run, again["id"].to_string()] {
        // The row comes first: what is told was stored.
        eventually("the end told", || ends_told(&server, &run).pop());
        assert_eq!(ends_told(&server, &run).len(), 1);
    }
    server.stop();
}

/// Between the first and the last, a few a second.
fn is_throttled(events: &[Value]) {
    let told: Vec<_> = events
        .iter()
        .filter(|event| event["type"] == "analysis_completed" && event["scope"] == "global")
        .map(|event| seconds(text(event, "ts")))
        .collect();
    let (first, last) = (told.first().expect("one"), told.last().expect("one"));
    // Over midnight, too.
    let took = (last - first).rem_euclid(86_400.0);
    let allowed = 2.0 + 5.0 * took;
    assert!(told.len() as f64 <= allowed, "{} in {took} s", told.len());
}

/// Of the day; a run that passes midnight is not told from one that takes a day.
fn seconds(ts: &str) -> f64 {
    let (_, time) = ts.split_once('T').expect("a time");
    let parts = time.split(':').map(|part| part.parse::<f64>().expect("a number"));
    parts.fold(0.0, |sum, part| sum * 60.0 + part)
}

#[test]
fn a_paused_run_starts_nothing_and_a_resumed_one_ends() {
    let (_home, server) = with_conversations(MANY);
    let (run, paused) = start_and_pause(&server);
    // Another run goes on meanwhile, to its end: who waits is the paused one only.
    let page = server.client().get("/api/chats/1/conversations?limit=1");
    let other = json!({"kind": "conversation", "conversation_id": page["conversations"][0]["id"]});
    let other = ended(&server, &start(&server, &other));
    assert_eq!(other["success"], 1, "{other}");
    let still = server.client().get(&format!("/api/analysis/runs/{run}"));
    assert_eq!(still, paused, "nothing of it was started");
    let resumed = post(&server, &format!("/api/analysis/runs/{run}/resume"));
    assert_eq!(resumed["state"], "running");
    let row = ended(&server, &run);
    assert_eq!((&row["success"], &row["total"]), (&json!(MANY), &json!(MANY)));
    covers_all(&server, MANY);
    server.stop();
}

#[test]
fn what_is_open_and_what_is_being_analysed_is_told_for_as_long_as_it_is() {
    let (_home, server) = with_conversations(MANY);
    let now = || server.client().get("/api/conversations/now");
    assert_eq!(now(), json!({"open": [], "analysing": []}));
    let (run, _) = start_and_pause(&server);
    let oldest = || {
        let mut page = server.client().get("/api/chats/1/conversations?limit=1000");
        while let Some(before) = page["next"].as_str() {
            let target = format!("/api/chats/1/conversations?limit=1000&before={before}");
            page = server.client().get(&target);
        }
        let all = page["conversations"].as_array().expect("a list");
        all.last().expect("one").clone()
    };
    assert_eq!(now(), json!({"open": [], "analysing": [1]}));
    assert_eq!(oldest()["analysing"], true);
    post(&server, &format!("/api/analysis/runs/{run}/cancel"));
    ended(&server, &run);
    assert_eq!(now(), json!({"open": [], "analysing": []}));
    assert_eq!(oldest()["analysing"], false);

    // The clock is far from sealing these. The newest message is first.
    let message = |key: &str, time: &str| {
        let messages = [json!({"key": key, "content": key, "timestamp": time})];
        let body = json!({"source": "test", "chat": {"key": key}, "messages": messages});
        let posted = server
            .client()
            .ask("POST", "/api/live-sync/messages", &body.to_string());
        posted.json()["chat_id"].clone()
    };
    let later = message("later", "2900-01-02T00:00:00Z");
    let earlier = message("earlier", "2900-01-01T00:00:00Z");
    assert_eq!(now()["open"], json!([later, earlier]));
    post(&server, &format!("/api/chats/{later}/seal"));
    assert_eq!(now()["open"], json!([earlier]));
    server.stop();
}

#[test]
fn a_cancelled_run_ends_once_and_its_counts_add_up() {
    let (_home, server) = with_conversations(MANY);
    let (run, paused) = start_and_pause(&server);
    let done = paused["success"].as_u64().expect("a number");
    post(&server, &format!("/api/analysis/runs/{run}/cancel"));
    let row = ended(&server, &run);
    assert_eq!(row["state"], "cancelled");
    assert_eq!(row["success"], done);
    assert_eq!(row["cancelled"], MANY as u64 - done);
    assert_eq!((&row["failed"], &row["total"]), (&row["cancelled"], &json!(MANY)));
    let counts = server.client().get(&format!("/api/analysis/runs/{run}/counts"));
    assert_eq!(counts["cancelled"], row["cancelled"]);
    let end = eventually("the end told", || ends_told(&server, &run).pop());
    assert_eq!(text(&end, "failed"), row["failed"].to_string());
    // Cancelled again, it stays as it is.
    assert_eq!(post(&server, &format!("/api/analysis/runs/{run}/cancel")), row);
    assert_eq!(ends_told(&server, &run).len(), 1);
    server.stop();
}

#[test]
fn what_was_found_is_with_the_conversations_and_commitments_are_decided_about() {
    let (_home, server) = with_conversations(40);
    ended(&server, &start(&server, &json!({"kind": "chat", "chats": [1]})));
    let page = server.client().get("/api/chats/1/conversations?limit=5");
    let newest = &page["conversations"][0];
    let summary = &newest["summary"];
    assert_eq!(summary["language"], "en", "{newest}");
    assert!(
        summary["mood"].as_f64().is_some_and(|mood| mood > 0.0),
        "{newest}"
    );
    assert_eq!(summary["topics"][0], "lake39", "{newest}");
    assert_eq!(summary["commitments"], 1, "{newest}");
    let results = format!("/api/conversations/{}/results", newest["id"]);
    let results = server.client().get(&results)["results"].take();
    let results: BTreeSet<_> = results
        .as_array()
        .expect("a list")
        .iter()
        .map(|result| (result["pass"].to_string(), result["current"].clone() == true))
        .collect();
    assert_eq!(results.len(), 5, "{results:?}");
    assert!(results.iter().all(|(_, current)| *current), "{results:?}");

    let all = eventually("the commitments", || {
        let page = server.client().get("/api/commitments?limit=30");
        (page["next"] == 30).then_some(page)
    });
    let rest = server.client().get("/api/commitments?limit=30&offset=30");
    let rest_count = rest["commitments"].as_array().map(Vec::len);
    assert_eq!((rest_count, &rest["next"]), (Some(10), &Value::Null));
    let one = &all["commitments"][0];
    let decision = format!("/api/commitments/1/{}/decision", text(one, "id"));
    let decide = |body: &str| server.client().ask("POST", &decision, body);
    assert_eq!(decide(r#"{"decision":"done"}"#).json()["status"], "done");
    let done = server.client().get("/api/commitments?status=done");
    assert_eq!(done["commitments"].as_array().map(Vec::len), Some(1), "{done}");
    assert_eq!(decide(r#"{"decision":null}"#).json()["status"], one["status"]);
    assert_eq!(decide(r#"{"decision":"open"}"#).problem(), "body");
    server.stop();
}

#[test]
fn a_sealed_conversation_is_analysed_by_itself_unless_that_is_switched_off() {
    let home = Home::new();
    home.config("passes_off = [\"sentiment\"]");
    let server = Server::start(&home);
    import(&home, &server, 30);
    let passes = eventually("every conversation analysed", || {
        let passes = server.client().get("/api/analysis/passes")["passes"].take();
        let done = |pass: &Value| pass["enabled"] == false || pass["covered"] == 30;
        passes
            .as_array()
            .expect("a list")
            .iter()
            .all(done)
            .then_some(passes)
    });
    let off: Vec<_> = passes
        .as_array()
        .expect("a list")
        .iter()
        .filter(|pass| pass["enabled"] == false)
        .map(|pass| (&pass["name"], &pass["covered"]))
        .collect();
    assert_eq!(off, [(&json!("sentiment"), &json!(0))]);
    let tasks = server.client().get("/api/analysis/tasks");
    assert!(
        tasks["tasks"]
            .as_array()
            .expect("a list")
            .iter()
            .all(|task| task["run_id"].is_null()),
        "{tasks}"
    );
    server.stop();
}

#[test]
fn what_cannot_be_done_is_a_problem_that_says_why() {
    let (_home, server) = with_conversations(2);
    let ask = |method: &str, target: &str, body: &str| {
        let answer = server.client().ask(method, target, body);
        (answer.status, answer.problem())
    };
    let runs = "/api/analysis/runs";
    for body in [
        "nonsense",
        r#"{"kind":"retry"}"#,
        r#"{"kind":"chat"}"#,
        r#"{"kind":"conversation"}"#,
        r#"{"kind":"global","passes":["nonsense"]}"#,
    ] {
        for target in [runs.to_owned(), format!("{runs}/preview")] {
            assert_eq!(ask("POST", &target, body), (400, "body".to_owned()), "{body}");
        }
    }
    let missing = (404, "not_found".to_owned());
    for target in ["runs/99", "runs/x", "runs/99/counts", "tasks/99"] {
        assert_eq!(
            ask("GET", &format!("/api/analysis/{target}"), ""),
            missing,
            "{target}"
        );
    }
    for target in [
        "runs/99/cancel",
        "runs/99/pause",
        "runs/99/resume",
        "dead/retry",
        "dead/1/retry",
    ] {
        assert_eq!(
            ask("POST", &format!("/api/analysis/{target}"), ""),
            missing,
            "{target}"
        );
    }
    assert_eq!(
        ask("POST", runs, r#"{"kind":"conversation","conversation_id":99}"#),
        missing
    );
    assert_eq!(ask("GET", "/api/conversations/99/results", ""), missing);
    assert_eq!(ask("POST", "/api/chats/99/look", ""), missing);
    let decision = "/api/commitments/1/9:9/decision";
    assert_eq!(ask("POST", decision, r#"{"decision":"done"}"#), missing);
    assert_eq!(ask("GET", "/api/analysis/tasks?state=gone", "").0, 400);
    assert_eq!(ask("GET", "/api/commitments?status=gone", "").0, 400);
    assert_eq!(server.client().ask("POST", "/api/chats/1/look", "").status, 204);
    server.stop();
}

/// A server with one chat of so many sealed conversations that nothing analyses by itself.
fn with_conversations(conversations: usize) -> (Home, Server) {
    let home = Home::new();
    home.config("analyse_on_seal = false");
    let server = Server::start(&home);
    import(&home, &server, conversations);
    (home, server)
}

/// Imports them, and waits until the last is sealed as well.
pub(crate) fn import(home: &Home, server: &Server, conversations: usize) {
    let export = home.file("chat.txt", whatsapp_conversations(conversations, MESSAGES));
    let import = server.client().import(&export);
    assert_eq!(server.client().ended_import(import)["state"], "done");
    eventually("the last seal", || {
        let newest = server.client().get("/api/chats/1/conversations?limit=1");
        (newest["conversations"][0]["sealed"] == true).then_some(())
    });
}

/// Starts a run and returns its number.
pub(crate) fn start(server: &Server, request: &Value) -> String {
    let answer = server
        .client()
        .ask("POST", "/api/analysis/runs", &request.to_string());
    assert_eq!(answer.status, 202, "{answer:?}");
    answer.json()["id"].to_string()
}

/// Starts a run over everything and pauses it in its middle; returns its row once nothing of it runs any more.
fn start_and_pause(server: &Server) -> (String, Value) {
    let run = start(server, &json!({"kind": "global"}));
    let row = format!("/api/analysis/runs/{run}");
    eventually("a first task's end", || {
        (server.client().get(&row)["success"].as_u64() > Some(0)).then_some(())
    });
    assert_eq!(post(server, &format!("{row}/pause"))["state"], "paused");
    let paused = eventually("the end of what runs", || {
        let row = server.client().get(&row);
        (row["processing"] == 0).then_some(row)
    });
    let done = paused["success"].as_u64().expect("a number");
    assert!(done < MANY as u64, "too fast to be stopped: {paused}");
    (run, paused)
}

fn post(server: &Server, target: &str) -> Value {
    let answer = server.client().ask("POST", target, "");
    assert_eq!(answer.status, 200, "{target}: {answer:?}");
    answer.json()
}

/// Waits for a run's end, and returns its row.
pub(crate) fn ended(server: &Server, run: &str) -> Value {
    eventually("the run's end", || {
        let row = server.client().get(&format!("/api/analysis/runs/{run}"));
        (!row["finished_at"].is_null()).then_some(row)
    })
}

/// All events up to the end of a run.
fn until_the_end(events: &mut EventStream, run: &str) -> Vec<Value> {
    let mut all = Vec::new();
    loop {
        all.push(events.expect("message").json());
        let event = all.last().expect("just pushed");
        if event["type"] == "run_complete" && event["run_id"] == *run {
            return all;
        }
    }
}

/// The ends of a run in the log.
pub(crate) fn ends_told(server: &Server, run: &str) -> Vec<Value> {
    let mut from = "-".to_owned();
    let mut ends = Vec::new();
    loop {
        let wanted = format!("type=run_complete&run_id={run}&count=1000&from={from}");
        let page = server
            .client()
            .get(&format!("/api/bus/streams/task_events:analysis/entries?{wanted}"));
        for entry in page["entries"].as_array().expect("a list") {
            let fields: Vec<(String, String)> =
                serde_json::from_value(entry["fields"].clone()).expect("names and values");
            ends.push(
                fields
                    .into_iter()
                    .map(|(name, value)| (name, Value::from(value)))
                    .collect(),
            );
        }
        match page["next"].as_str() {
            Some(next) => from = format!("({next}"),
            None => return ends,
        }
    }
}

/// Each pass has a current result of each conversation.
pub(crate) fn covers_all(server: &Server, conversations: usize) {
    let passes = server.client().get("/api/analysis/passes")["passes"].take();
    for pass in passes.as_array().expect("a list") {
        assert_eq!(
            (&pass["covered"], &pass["conversations"]),
            (&json!(conversations), &json!(conversations)),
            "{pass}"
        );
    }
}

fn text<'v>(value: &'v Value, name: &str) -> &'v str {
    value[name].as_str().unwrap_or_else(|| panic!("{name}: {value}"))
}
