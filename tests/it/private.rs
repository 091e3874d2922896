//! What is kept on the disk is for its owner alone, and the token that lets one in is in no log.

use std::fs::Permissions;
use std::io::{Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::process::Command;

use chatstats_tests::{
    Home, Post, Server, Signal, chatstats, connect, eventually, finish, raw, whatsapp_export,
};

#[test]
fn no_file_of_the_data_directory_is_open_to_others_also_under_an_open_mask_and_during_an_upload() {
    let home = Home::new();
    std::fs::create_dir(home.data()).expect("a folder");
    std::fs::set_permissions(home.data(), Permissions::from_mode(0o777)).expect("opened up");
    let server = Server::spawn(
        &home,
        with_open_mask(&chatstats(&home, &["serve", "--listen", "127.0.0.1:0"])),
    );
    server.client().post(&Post::to("chat").with("one", 1));
    closed(&home);

    let export = whatsapp_export("upload", 3_000);
    let (head, rest) = upload(&server, &export);
    let mut socket = connect(server.addr()).expect("a connection");
    socket.write_all(head.as_bytes()).expect("sent");
    eventually("the upload's file", || {
        home.everything()
            .iter()
            .any(|path| path.ends_with("chat.txt"))
            .then_some(())
    });
    closed(&home);
    socket.write_all(rest.as_bytes()).expect("sent");
    let mut answer = String::new();
    socket.read_to_string(&mut answer).expect("an answer");
    assert!(answer.starts_with("HTTP/1.1 202 "), "{answer}");
    assert_eq!(
        server.client().ended_import(1)["receipt"]["totals"]["messages"],
        3_000
    );
    closed(&home);

    finish(&mut with_open_mask(&chatstats(&home, &["token", "--rotate"])));
    closed(&home);
    server.stop();
    closed(&home);
    let gone = home.everything().iter().all(|path| !path.ends_with("chat.txt"));
    assert!(gone, "an imported upload is deleted");
}

#[test]
fn commands_without_a_server_keep_to_themselves_what_they_write_as_well() {
    for arguments in [&["token"] as &[&str], &["import", "EXPORT"], &["doctor"]] {
        let home = Home::new();
        let export = home.file("chat.txt", whatsapp_export("import", 10));
        let export = export.to_str().expect("text");
        let arguments: Vec<_> = arguments
            .iter()
            .map(|a| if *a == "EXPORT" { export } else { *a })
            .collect();
        std::fs::create_dir(home.data()).expect("a folder");
        let ran = finish(&mut with_open_mask(&chatstats(&home, &arguments)));
        assert_eq!(ran.code, Some(0), "{ran:?}");
        if arguments != ["doctor"] {
            closed(&home);
        }
    }
}

/// The same command, started by a shell that lets new files be open to everybody.
fn with_open_mask(command: &Command) -> Command {
    let mut shell = Command::new("sh");
    shell
        .args(["-c", "umask 000; exec \"$0\" \"$@\""])
        .arg(command.get_program())
        .args(command.get_args());
    for (name, value) in command.get_envs() {
        match value {
            Some(value) => shell.env(name, value),
            None => shell.env_remove(name),
        };
    }
    shell
}

fn closed(home: &Home) {
    let all = home.everything();
    assert!(all.len() > 1, "nothing was looked at");
    for path in all {
        // Files of SQLite come and go.
        let Ok(metadata) = path.symlink_metadata() else {
            continue;
        };
        let mode = metadata.permissions().mode() & 0o777;
        let want = if metadata.is_dir() { 0o700 } else { 0o600 };
        assert_eq!(mode, want, "{}: {mode:o}", path.display());
    }
}

/// A request that uploads, in two parts: the second comes after some of the file.
fn upload(server: &Server, export: &str) -> (String, String) {
    let (some, more) = export.split_at(export.len() / 2);
    let part = "--line\r\nContent-Disposition: form-data; name=\"file\"; filename=\"chat.txt\"\r\n\r\n";
    let end = "\r\n--line--\r\n";
    let (addr, token, length) = (
        server.addr(),
        server.token(),
        part.len() + export.len() + end.len(),
    );
    let head = format!(
        "POST /api/imports HTTP/1.1\r\nHost: {addr}\r\nAuthorization: Bearer {token}\r\nConnection: close\r\n\
         Content-Type: multipart/form-data; boundary=line\r\nContent-Length: {length}\r\n\r\n{part}{some}"
    );
    (head, format!("{more}{end}"))
}

#[test]
fn the_token_is_in_no_log_whatever_was_asked_and_however_much_is_logged() {
    let home = Home::new();
    let mut command = chatstats(&home, &["serve", "--listen", "127.0.0.1:0"]);
    command.env("CHATSTATS_LOG", "debug");
    let server = Server::spawn(&home, command);
    let (addr, token) = (server.addr(), server.token().to_owned());
    for target in [
        "/",
        "/chats/1",
        "/nowhere",
        "/api/status",
        "/api/nowhere",
        "/api/imports",
        "/%zz",
    ] {
        for method in ["GET", "POST", "OPTIONS"] {
            for host in [addr.to_string(), "evil.example".to_owned()] {
                let request = format!(
                    "{method} {target}?token={token}&x=1 HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\
                     Authorization: Bearer {token}\r\nCookie: chatstats_{}={token}\r\n\r\n",
                    addr.port()
                );
                assert!(raw(addr, request.as_bytes()).is_some(), "{request}");
            }
        }
    }
    server
        .stream(&format!("/api/live-sync/stream/chats?token={token}"))
        .expect("initial");
    for arguments in [&["url"] as &[&str], &["token"]] {
        assert!(
            finish(&mut chatstats(&home, arguments)).out.contains(&token),
            "{arguments:?}"
        );
    }
    assert_eq!(server.end(Signal::Terminate).code, Some(0));
    let logs: Vec<_> = home
        .everything()
        .into_iter()
        .filter(|path| path.extension().is_some_and(|e| e == "log"))
        .collect();
    assert!(!logs.is_empty(), "no log was looked at");
    for log in logs.into_iter().chain([home.stderr()]) {
        let text = std::fs::read_to_string(&log).expect("text");
        assert!(
            text.contains("listening"),
            "{}: nothing was logged",
            log.display()
        );
        assert!(!text.contains(&token), "the token is in {}", log.display());
        assert!(!text.contains("token="), "{}", log.display());
    }
}

#[test]
fn a_rotated_token_is_out_at_once_and_with_it_the_streams_it_opened() {
    let home = Home::new();
    let server = Server::start(&home);
    let old = server.token().to_owned();
    let mut stream = server.stream("/api/live-sync/stream/chats");
    stream.expect("initial");
    stream.expect("ready");
    let rotated = finish(&mut chatstats(&home, &["token", "--rotate"]));
    let new = rotated.out.trim();
    assert!(
        rotated.code == Some(0) && new.len() >= 32 && new != old,
        "{rotated:?}"
    );
    assert_eq!(
        server.client().ask("GET", "/api/status", "").problem(),
        "token",
        "the old one"
    );
    assert!(stream.next_event().is_none(), "it ends");
    let request = format!(
        "GET /api/status HTTP/1.1\r\nHost: {}\r\nAuthorization: Bearer {new}\r\nConnection: close\r\n\r\n",
        server.addr()
    );
    assert_eq!(
        raw(server.addr(), request.as_bytes()).map(|answer| answer.status),
        Some(200)
    );
    server.stop();
}
