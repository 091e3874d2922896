//! The command line: what each command prints and the code it exits with, with and without a running server.

use chatstats_tests::{Home, Server, chatstats, finish, whatsapp_export};
use serde_json::{Value, json};

/// A line that belongs to no message, then five messages, one of them on two lines.
const EXPORT: &str = "\
a line that belongs to nothing
[2024-01-13, 10:00:00] Ann: one
[2024-01-13, 10:01:00] Bob: two
which goes on
[2024-01-13, 10:02:00] Ann: three
[2024-01-14, 10:02:00] Bob: four
[2024-01-15, 10:02:00] Ann: five
";

#[test]
fn import_prints_one_receipt_that_accounts_for_every_record() {
    let home = Home::new();
    let export = home.file("chat.txt", EXPORT);
    let export = export.to_str().expect("text");
    let first = finish(&mut chatstats(&home, &["import", export, "--json"]));
    assert_eq!((first.code, first.out.lines().count()), (Some(0), 1), "{first:?}");
    let receipt = first.json();
    accounts(&receipt);
    let file = &receipt["files"][0];
    assert_eq!(
        (&file["path"], &file["source"]),
        (&json!(export), &json!("whatsapp"))
    );
    assert_eq!(
        (&file["messages"], &file["duplicates"], &file["chats"]),
        (&json!(5), &json!(0), &json!(1))
    );
    let left_out = file["left_out"].as_array().expect("a list");
    assert_eq!(left_out.len(), 1, "{receipt}");
    assert_eq!(left_out[0]["place"], "line 1");
    assert_eq!(left_out[0]["excerpt"], "a line that belongs to nothing");
    assert!(
        left_out[0]["reason"]
            .as_str()
            .is_some_and(|reason| !reason.is_empty())
    );

    let again = finish(&mut chatstats(&home, &["import", export, "--json"]));
    let totals = &again.json()["totals"];
    accounts(&again.json());
    assert_eq!(
        (&totals["messages"], &totals["duplicates"], &totals["left_out"]),
        (&json!(0), &json!(5), &json!(1))
    );
}

#[test]
fn a_dry_run_tells_what_an_import_would_and_stores_nothing() {
    let home = Home::new();
    let export = home.file("chat.txt", EXPORT);
    let export = export.to_str().expect("text");
    let dry = finish(&mut chatstats(&home, &["import", export, "--json", "--dry-run"]));
    let wet = finish(&mut chatstats(&home, &["import", export, "--json"]));
    assert_eq!((dry.code, dry.json()), (Some(0), wet.json()));
    assert_eq!(
        wet.json()["totals"]["messages"],
        5,
        "the dry run stored something"
    );
    let dry = finish(&mut chatstats(&home, &["import", export, "--json", "--dry-run"]));
    assert_eq!(dry.json()["totals"]["duplicates"], 5);
}

#[test]
fn import_hands_its_files_to_the_server_that_runs_and_prints_the_same() {
    let (home, alone) = (Home::new(), Home::new());
    let server = Server::start(&home);
    let mut chats = server.stream("/api/live-sync/stream/chats");
    chats.expect("initial");
    chats.expect("ready");
    for (name, content) in [
        ("chat.txt", EXPORT),
        ("other.txt", &whatsapp_export("import", 5_000)),
    ] {
        let (file, same) = (home.file(name, content), alone.file(name, content));
        let handed = finish(&mut chatstats(
            &home,
            &["import", file.to_str().expect("text"), "--json"],
        ));
        let by_itself = finish(&mut chatstats(
            &alone,
            &["import", same.to_str().expect("text"), "--json"],
        ));
        assert_eq!((handed.code, by_itself.code), (Some(0), Some(0)), "{handed:?}");
        let (mut handed, mut by_itself) = (handed.json(), by_itself.json());
        accounts(&handed);
        handed["files"][0]["path"].take();
        by_itself["files"][0]["path"].take();
        assert_eq!(handed, by_itself);
    }
    // What was imported was published as well.
    chats.expect("update");
    assert_eq!(server.client().get("/api/status")["messages"], 5_005);
    server.stop();
}

#[test]
fn what_cannot_be_read_is_in_the_receipt_and_in_the_exit_code() {
    let home = Home::new();
    let good = home.file("chat.txt", EXPORT);
    let bad = home.file("picture.jpg", b"\xff\xd8\xff\xe0 no chat");
    let (good, bad) = (good.to_str().expect("text"), bad.to_str().expect("text"));
    let missing = format!("{good}.nowhere");
    let server = Server::start(&home);
    let with = finish(&mut chatstats(&home, &["import", good, bad, &missing, "--json"]));
    server.stop();
    let without = finish(&mut chatstats(&home, &["import", good, bad, &missing, "--json"]));
    for ran in [with, without] {
        assert_eq!(ran.code, Some(1), "{ran:?}");
        let receipt = ran.json();
        accounts(&receipt);
        let files = receipt["files"].as_array().expect("files");
        let of = |path: &str| {
            files
                .iter()
                .find(|file| file["path"] == path)
                .unwrap_or_else(|| panic!("{path}"))
        };
        assert_eq!(of(good)["error"], Value::Null);
        for path in [bad, &missing] {
            assert!(
                of(path)["error"].as_str().is_some_and(|error| !error.is_empty()),
                "{receipt}"
            );
            assert_eq!(of(path)["records"], 0);
        }
    }
}

/// records = messages + system + duplicates + left out, in each file and in all.
fn accounts(receipt: &Value) {
    let count = |of: &Value, name: &str| of[name].as_u64().unwrap_or_else(|| panic!("{name}: {of}"));
    let parts = ["messages", "system", "duplicates"];
    let mut sums = [0; 5];
    for file in receipt["files"].as_array().expect("files") {
        let left_out = file["left_out"].as_array().expect("a list").len() as u64;
        let kept: u64 = parts.iter().map(|name| count(file, name)).sum();
        assert_eq!(count(file, "records"), kept + left_out, "{file}");
        let file = [
            parts.map(|name| count(file, name)).as_slice(),
            &[left_out, count(file, "records")],
        ]
        .concat();
        sums.iter_mut().zip(file).for_each(|(sum, more)| *sum += more);
    }
    let totals = &receipt["totals"];
    let names = ["messages", "system", "duplicates", "left_out", "records"];
    assert_eq!(names.map(|name| count(totals, name)), sums, "{receipt}");
}

#[test]
fn url_and_token_tell_how_to_get_in() {
    let home = Home::new();
    let nobody = finish(&mut chatstats(&home, &["url"]));
    assert_eq!((nobody.code, nobody.out.as_str()), (Some(1), ""), "{nobody:?}");
    assert!(nobody.err.contains("chatstats serve"), "{nobody:?}");

    let server = Server::start(&home);
    let url = finish(&mut chatstats(&home, &["url"]));
    assert_eq!(
        url.out,
        format!("http://{}/?token={}\n", server.addr(), server.token())
    );
    let token = finish(&mut chatstats(&home, &["token"]));
    assert_eq!(
        (token.code, token.out),
        (Some(0), format!("{}\n", server.token()))
    );
    let addr = server.kill();

    // A server that was killed is not taken for one that runs, and its token is the next one's.
    assert_eq!(finish(&mut chatstats(&home, &["url"])).code, Some(1));
    let server = Server::start_at(&home, addr);
    assert_eq!(finish(&mut chatstats(&home, &["url"])).out, url.out);
    server.stop();
}

#[test]
fn doctor_says_what_it_looked_at() {
    let home = Home::new();
    let none = finish(&mut chatstats(&home, &["doctor"]));
    assert!(none.code == Some(0) && none.out.contains("none yet"), "{none:?}");
    assert!(!home.data().exists(), "it looks and makes nothing");
    let server = Server::start(&home);
    let running = finish(&mut chatstats(&home, &["doctor"]));
    assert!(
        running.code == Some(0) && running.out.contains(&server.addr().to_string()),
        "{running:?}"
    );
    server.stop();
    let stopped = finish(&mut chatstats(&home, &["doctor"]));
    assert!(
        stopped.code == Some(0) && stopped.out.contains("sound"),
        "{stopped:?}"
    );
    use std::os::unix::fs::PermissionsExt;
    let open = std::fs::Permissions::from_mode(0o644);
    std::fs::set_permissions(home.data().join("chatstats.db"), open).expect("opened up");
    let open = finish(&mut chatstats(&home, &["doctor"]));
    assert!(
        open.code == Some(1) && open.out.contains("chatstats.db"),
        "{open:?}"
    );
}
