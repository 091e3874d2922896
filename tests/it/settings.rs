//! Settings: flag over variable over file; what cannot be used is named. A start that fails says why and what to do.

use chatstats_tests::{Home, Post, Ran, Server, chatstats, finish, raw};

#[test]
fn a_flag_wins_over_a_variable_and_a_variable_over_the_file() {
    let home = Home::new();
    home.config("listen = \"127.0.0.1:0\"\ntoken = \"of-the-file\"\nheartbeat_s = 0.1\n");
    let file = Server::spawn(&home, chatstats(&home, &["serve"]));
    assert_eq!(file.token(), "of-the-file");
    let mut stream = file.stream("/api/live-sync/stream/chats");
    stream.expect("initial");
    stream.expect("ready");
    assert_eq!(
        stream.next_event().expect("not over").name,
        "heartbeat",
        "the file's, not the default of 30 s"
    );
    file.stop();

    let mut command = chatstats(&home, &["serve"]);
    command.env("CHATSTATS_TOKEN", "of-the-variable");
    let variable = Server::spawn(&home, command);
    assert_eq!(variable.token(), "of-the-variable");
    variable.stop();

    let mut command = chatstats(&home, &["serve", "--token", "of-the-flag"]);
    command
        .env("CHATSTATS_TOKEN", "of-the-variable")
        .env("CHATSTATS_LISTEN", "nonsense that loses");
    let flag = Server::spawn(&home, {
        command.args(["--listen", "127.0.0.1:0"]);
        command
    });
    assert_eq!(flag.token(), "of-the-flag");
    flag.stop();

    // An empty variable is none.
    let mut command = chatstats(&home, &["serve"]);
    command.env("CHATSTATS_TOKEN", "");
    let empty = Server::spawn(&home, command);
    assert_eq!(empty.token(), "of-the-file");
    empty.stop();
}

#[test]
fn the_data_directory_of_the_flag_wins() {
    let (home, other) = (Home::new(), Home::new());
    let dir = other.data();
    let dir = dir.to_str().expect("text");
    let server = Server::spawn(
        &other,
        chatstats(&home, &["serve", "--listen", "127.0.0.1:0", "--data-dir", dir]),
    );
    server.client().post(&Post::to("chat").with("one", 1));
    assert!(!home.data().exists() && other.data().join("chatstats.db").exists());
    server.stop();
}

#[test]
fn a_setting_that_cannot_be_used_is_wrong_use_and_is_named() {
    for (text, named) in [
        ("listne = \"127.0.0.1:0\"\n", "listne"),
        ("listen = 8765\n", "config.toml"),
        ("listen = \"nowhere\"\n", "nowhere"),
        ("heartbeat_s = 0\n", "heartbeat_s"),
        ("token = \"two words\"\n", "token"),
        ("allowed_origins = [\"*\"]\n", "allowed_origins"),
        ("allowed_hosts = [\"http://x\"]\n", "allowed_hosts"),
        ("not toml", "config.toml"),
    ] {
        let home = Home::new();
        home.config(text);
        wrong_use(&finish(&mut chatstats(&home, &["serve"])), named);
    }
    let home = Home::new();
    let mut command = chatstats(&home, &["serve"]);
    wrong_use(
        &finish(command.env("CHATSTATS_HEARTBEAT_S", "often")),
        "CHATSTATS_HEARTBEAT_S",
    );
    wrong_use(
        &finish(&mut chatstats(&home, &["serve", "--listen", "127.0.0.1:99999"])),
        "--listen",
    );
    wrong_use(&finish(&mut chatstats(&home, &["serve", "--listne"])), "--listne");
    wrong_use(&finish(&mut chatstats(&home, &["sevre"])), "sevre");
    wrong_use(&finish(&mut chatstats(&home, &["import"])), "PATH");
    wrong_use(&finish(&mut chatstats(&home, &[])), "Usage");
}

fn wrong_use(ran: &Ran, named: &str) {
    assert_eq!((ran.code, ran.out.as_str()), (Some(2), ""), "{ran:?}");
    assert!(ran.err.contains(named), "{named}: {ran:?}");
}

#[test]
fn a_start_that_cannot_be_says_why_and_fails() {
    let (home, other) = (Home::new(), Home::new());
    let server = Server::start(&home);
    let taken = server.addr().to_string();
    failed(
        &finish(&mut chatstats(&other, &["serve", "--listen", &taken])),
        &[&taken, "--listen"],
    );
    let pid = server.pid().to_string();
    let data = home.data();
    let data = data.to_str().expect("text");
    failed(
        &finish(&mut chatstats(&home, &["serve", "--listen", "127.0.0.1:0"])),
        &[data, &pid, "--data-dir"],
    );
    // The one that runs has noticed nothing.
    assert_eq!(server.client().get("/api/status")["chats"], 0);
    server.stop();
    Server::start(&home).stop();

    std::fs::write(
        home.data().join("chatstats.db"),
        "this is no database, whatever its name says",
    )
    .expect("written");
    failed(
        &finish(&mut chatstats(&home, &["serve", "--listen", "127.0.0.1:0"])),
        &["chatstats.db"],
    );
    let doctor = finish(&mut chatstats(&home, &["doctor"]));
    assert!(
        doctor.code == Some(1) && doctor.out.contains("wrong  database"),
        "{doctor:?}"
    );

    let file = other.file("a-file", "");
    let file = file.to_str().expect("text");
    failed(
        &finish(&mut chatstats(&other, &["serve", "--data-dir", file])),
        &[file],
    );
}

fn failed(ran: &Ran, said: &[&str]) {
    assert_eq!((ran.code, ran.out.as_str()), (Some(1), ""), "{ran:?}");
    for said in said {
        assert!(ran.err.contains(said), "{said}: {ran:?}");
    }
    assert!(!ran.err.contains("panicked"), "{ran:?}");
}

#[test]
fn a_configured_origin_may_read_and_no_other_may() {
    let home = Home::new();
    home.config("allowed_origins = [\"https://dash.example\"]\nallowed_hosts = [\"chat.lan\"]\n");
    let server = Server::start(&home);
    for (host, origin, want) in [
        ("localhost", "https://dash.example", 200),
        ("chat.lan", "https://dash.example:443", 200),
        ("chat.lan:1", "https://dash.example", 403),
        ("localhost", "http://dash.example", 403),
        ("localhost", "https://dash.example:444", 403),
        ("localhost", "https://evil.example", 403),
        ("localhost", "null", 403),
    ] {
        let request = format!(
            "GET /api/health HTTP/1.1\r\nHost: {host}\r\nOrigin: {origin}\r\nConnection: close\r\n\r\n"
        );
        let answer = raw(server.addr(), request.as_bytes()).expect("an answer");
        assert_eq!(answer.status, want, "{host} {origin}");
        let reader = answer.header("access-control-allow-origin");
        assert_eq!(
            reader.as_deref(),
            (want == 200).then_some(origin),
            "{host} {origin}"
        );
    }
    server.stop();
}
