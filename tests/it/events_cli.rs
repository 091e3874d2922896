//! `chatstats events`: the same with and without a running server, on the file and on Redis.

use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::process::{Child, ChildStdout, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use chatstats_tests::{Home, PATIENCE, Ran, Redis, Server, chatstats, finish};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};

fn event(n: u64) -> Value {
    let scope = if n.is_multiple_of(2) { "global" } else { "chat:1" };
    json!({"scope": scope, "type": "progress", "data": {"n": n, "run_id": n / 4, "text": "a b\n"}})
}

fn run(home: &Home, arguments: &str) -> Ran {
    let arguments: Vec<_> = std::iter::once("events").chain(arguments.split(' ')).collect();
    finish(&mut chatstats(home, &arguments))
}

/// What each command prints, which has to be well.
fn outputs(home: &Home, ids: &[String]) -> Vec<String> {
    let commands = [
        "len".to_owned(),
        "len --json".to_owned(),
        "tail".to_owned(),
        "tail --count 3 --json".to_owned(),
        "tail -n 2 --scope chat:1 --json".to_owned(),
        "tail --type nothing".to_owned(),
        "range --json".to_owned(),
        "range --run-id 1 --type progress".to_owned(),
        format!("range --from {} --to ({} --json", ids[3], ids[6]),
        "revrange --count 2 --json".to_owned(),
        "revrange --from - --to + --scope global -n 1".to_owned(),
        "range no:such:stream".to_owned(),
        "len no:such:stream".to_owned(),
    ];
    let printed = |command: &String| {
        let ran = run(home, command);
        assert_eq!((ran.code, ran.err.as_str()), (Some(0), ""), "{command}: {ran:?}");
        ran.out
    };
    commands.iter().map(printed).collect()
}

fn numbers(json_lines: &str) -> Vec<u64> {
    let number = |line: &str| {
        let entry: Value = serde_json::from_str(line).expect("an object");
        entry["n"].as_str().expect("a string").parse().expect("a number")
    };
    json_lines.lines().map(number).collect()
}

fn check(printed: &[String], ids: &[String]) {
    assert_eq!(printed[0], "20\n");
    let reach: Value = serde_json::from_str(&printed[1]).expect("JSON");
    assert_eq!(
        (&reach["length"], &reach["last_id"]),
        (&json!(20), &json!(ids[19]))
    );
    let tail: Vec<_> = printed[2].lines().collect();
    assert_eq!(tail.len(), 10);
    assert!(
        tail[9].contains(&ids[19]) && tail[9].ends_with(r#"n=19  run_id=4  text="a b\n""#),
        "{tail:?}"
    );
    assert!(
        tail[9].starts_with("20") && tail[9].contains("  chat:1 ") && tail[9].contains("  progress "),
        "{tail:?}"
    );
    assert_eq!(numbers(&printed[3]), [17, 18, 19]);
    assert_eq!(numbers(&printed[4]), [17, 19]);
    assert_eq!(printed[5], "");
    assert!(numbers(&printed[6]).into_iter().eq(0..20));
    let first: Value = serde_json::from_str(printed[6].lines().next().expect("a line")).expect("JSON");
    assert_eq!(
        (&first["id"], &first["scope"], &first["text"]),
        (&json!(ids[0]), &json!("global"), &json!("a b\n"))
    );
    assert_eq!(printed[7].lines().count(), 4);
    assert_eq!(numbers(&printed[8]), [3, 4, 5]);
    assert_eq!(numbers(&printed[9]), [19, 18]);
    assert!(
        printed[10].lines().count() == 1 && printed[10].contains(" n=18 "),
        "{}",
        printed[10]
    );
    assert_eq!((printed[11].as_str(), printed[12].as_str()), ("", "0\n"));
}

#[test]
fn a_running_server_and_the_file_alone_give_the_same() {
    let home = Home::new();
    let server = Server::start(&home);
    let ids = server.client().publish(&(0..20).map(event).collect());
    let with_server = outputs(&home, &ids);
    check(&with_server, &ids);
    server.stop();
    assert_eq!(outputs(&home, &ids), with_server);
    let doctor = finish(&mut chatstats(&home, &["doctor"]));
    assert!(
        doctor.code == Some(0) && doctor.out.contains("events: in a file: 20 kept"),
        "{doctor:?}"
    );
}

#[test]
fn redis_gives_the_same_by_a_server_and_without_one() {
    let (home, redis) = (Home::new(), Redis::start());
    home.config(&format!("redis_url = \"{}\"\n", redis.url()));
    let server = Server::start(&home).with_its_log();
    let ids = server.client().publish(&(0..20).map(event).collect());
    let with_server = outputs(&home, &ids);
    check(&with_server, &ids);
    server.stop();
    assert_eq!(outputs(&home, &ids), with_server);
    // A Redis that is named with the command is looked into whatever runs.
    let other = Home::new();
    let server = Server::start(&other);
    let there = run(&other, &format!("len --redis-url {}", redis.url()));
    assert_eq!(
        (there.out.as_str(), run(&other, "len").out.as_str()),
        ("20\n", "0\n")
    );
    server.stop();
    drop(redis);
    let ran = run(&home, "tail");
    assert_eq!((ran.code, ran.out.as_str()), (Some(1), ""), "{ran:?}");
    assert!(ran.err.contains("Redis is away"), "{ran:?}");
}

#[test]
fn where_nothing_was_published_there_is_nothing_and_no_folder_is_made() {
    let home = Home::new();
    for (command, out) in [("len", "0\n"), ("tail", ""), ("range --json", "")] {
        let ran = run(&home, command);
        assert_eq!(
            (ran.code, ran.out.as_str(), ran.err.as_str()),
            (Some(0), out, ""),
            "{command}"
        );
    }
    assert!(!home.data().exists());
}

#[test]
fn what_cannot_be_understood_is_wrong_use() {
    let home = Home::new();
    for (command, named) in [
        ("range --from x", "stream id"),
        ("range --to (-", "stream id"),
        ("tail --count x", "count"),
        ("tail --from 1-0", "--from"),
        ("len --scope global", "--scope"),
        ("head", "head"),
        ("tail one two", "two"),
    ] {
        let ran = run(&home, command);
        assert!(
            ran.code == Some(2) && ran.err.contains(named),
            "{command}: {ran:?}"
        );
    }
}

#[test]
fn a_reader_that_has_seen_enough_is_no_error() {
    let home = Home::new();
    let server = Server::start(&home);
    // More than a pipe holds.
    let padded =
        |n: u64| json!({"scope": "global", "type": "x", "data": {"n": n, "padding": "x".repeat(1_000)}});
    server.client().publish(&(0..2_000).map(padded).collect());
    let mut child = started(&home, &["range", "--json"]);
    let mut line = String::new();
    BufReader::new(child.stdout.take().expect("a pipe"))
        .read_line(&mut line)
        .expect("a line");
    assert_eq!(numbers(&line), [0]);
    assert_eq!(child.wait().expect("a child").code(), Some(0));
    let mut said = String::new();
    child
        .stderr
        .take()
        .expect("a pipe")
        .read_to_string(&mut said)
        .expect("text");
    assert_eq!(said, "");
    server.stop();
}

#[test]
fn follow_goes_on_over_a_kill_and_a_restart_and_ends_with_an_interrupt() {
    let home = Home::new();
    let server = Server::start(&home);
    server.client().publish(&(0..10).map(event).collect());
    let mut all = started(&home, &["tail", "-n", "2", "--follow", "--json"]);
    let mut some = started(
        &home,
        &[
            "tail", "-n", "1", "-f", "--json", "--scope", "global", "--type", "progress",
        ],
    );
    let (all_lines, some_lines) = (lines(&mut all), lines(&mut some));
    // By what they print first they say up to where they have looked: from there on nothing may be missing.
    assert_eq!(next(&all_lines, 2), [8, 9]);
    assert_eq!(next(&some_lines, 1), [8]);
    let rounds = |server: &Server, from: u64| {
        server.client().publish(&(from..from + 4).map(event).collect());
        assert!(next(&all_lines, 4).into_iter().eq(from..from + 4));
    };
    rounds(&server, 10);
    let addr = server.kill();
    let server = Server::start_at(&home, addr);
    rounds(&server, 14);
    server.stop();
    // Another address, another token.
    let server = Server::spawn(&home, {
        finish(&mut chatstats(&home, &["token", "--rotate"]));
        chatstats(&home, &["serve", "--listen", "127.0.0.1:0"])
    });
    rounds(&server, 18);
    assert_eq!(next(&some_lines, 6), [10, 12, 14, 16, 18, 20]);
    for child in [&all, &some] {
        signal(child.id(), Signal::INT);
    }
    assert_eq!(all.wait().expect("a child").code(), Some(0));
    assert_eq!(some.wait().expect("a child").code(), Some(0));
    server.stop();
}

#[test]
fn follow_outlives_a_server_that_ends_before_it_has_answered() {
    let home = Home::new();
    let server = Server::start(&home);
    server.client().publish(&(0..10).map(event).collect());
    signal(server.pid(), Signal::STOP);
    let mut child = started(&home, &["tail", "-n", "2", "--follow", "--json"]);
    let lines = lines(&mut child);
    // By then it waits for an answer; if it is slow it finds nobody there, which is the same to it.
    std::thread::sleep(Duration::from_millis(500));
    let addr = server.kill();
    let server = Server::start_at(&home, addr);
    assert_eq!(next(&lines, 2), [8, 9]);
    server.client().publish(&(10..12).map(event).collect());
    assert_eq!(next(&lines, 2), [10, 11]);
    signal(child.id(), Signal::INT);
    assert_eq!(child.wait().expect("a child").code(), Some(0));
    server.stop();
}

#[test]
fn follow_begins_once_whoever_holds_the_directory_has_let_it_go() {
    let home = Home::new();
    let server = Server::start(&home);
    server.client().publish(&(0..10).map(event).collect());
    server.stop();
    // As a server does that starts or ends, when it has not said yet, or has taken back, where it answers.
    let lock = File::open(home.data().join("lock")).expect("the lock");
    lock.lock().expect("held");
    let mut child = started(&home, &["tail", "-n", "2", "--follow", "--json"]);
    let lines = lines(&mut child);
    let mut said = String::new();
    let stderr = child.stderr.take().expect("a pipe");
    BufReader::new(stderr).read_line(&mut said).expect("a line");
    assert!(said.contains("is in use by another ChatStats"), "{said}");
    drop(lock);
    assert_eq!(next(&lines, 2), [8, 9]);
    // It has printed them before it lets go.
    let lock = File::open(home.data().join("lock")).expect("the lock");
    lock.lock().expect("held, and let go");
    drop(lock);
    let server = Server::start(&home);
    server.client().publish(&(10..12).map(event).collect());
    assert_eq!(next(&lines, 2), [10, 11]);
    signal(child.id(), Signal::INT);
    assert_eq!(child.wait().expect("a child").code(), Some(0));
    server.stop();
}

fn signal(pid: u32, signal: Signal) {
    let pid = i32::try_from(pid).ok().and_then(Pid::from_raw);
    kill_process(pid.expect("a process"), signal).expect("a process that runs");
}

fn started(home: &Home, arguments: &[&str]) -> Child {
    let arguments: Vec<_> = std::iter::once("events")
        .chain(arguments.iter().copied())
        .collect();
    let mut command = chatstats(home, &arguments);
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    command.spawn().expect("started")
}

/// The lines that a command prints, as they come.
fn lines(child: &mut Child) -> Receiver<String> {
    let (tell, told) = channel();
    let out: ChildStdout = child.stdout.take().expect("a pipe");
    std::thread::spawn(move || {
        for line in BufReader::new(out).lines().map_while(Result::ok) {
            // The test may have seen enough.
            let _ = tell.send(line);
        }
    });
    told
}

fn next(lines: &Receiver<String>, count: usize) -> Vec<u64> {
    let line = |_| lines.recv_timeout(PATIENCE).expect("a line");
    (0..count).flat_map(|n| numbers(&line(n))).collect()
}
