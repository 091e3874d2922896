//! A run over 60,000 messages during which the disk is full for a while: nothing is lost, who asks is answered, and the
//! run goes on by itself when there is room again. Mounts a small file system, which needs root.

use std::fs::File;
use std::io::Write;
use std::path::PathBuf;
use std::process::Command;

use chatstats_tests::{Home, Server, eventually};
use serde_json::json;

use crate::analysis::{covers_all, ended, ends_told, import, start};

/// Of six messages each.
const CONVERSATIONS: usize = 10_000;

/// Room for the database, its log, the events and what is written until it is full.
const DISK_MIB: u32 = 400;

/// How the program says that it could not write.
const SAID: &str = "analysis could not write to the database";

#[test]
fn a_disk_that_is_full_for_a_while_is_waited_for() {
    let home = Home::new();
    let disk = SmallDisk::mount(home.data());
    home.config("analyse_on_seal = false");
    let server = Server::start(&home);
    import(&home, &server, CONVERSATIONS);
    let run = start(&server, &json!({"kind": "global"}));
    let row = format!("/api/analysis/runs/{run}");
    eventually("a part of the run", || {
        (server.client().get(&row)["success"].as_u64() >= Some(1_000)).then_some(())
    });
    let filling = disk.fill();
    eventually("a word of the full disk", || {
        let said = std::fs::read_to_string(home.stderr()).expect("what it said");
        said.contains(SAID).then_some(())
    });
    let halted = server.client().get(&row);
    assert!(
        halted["finished_at"].is_null(),
        "too fast to be disturbed: {halted}"
    );
    assert_eq!(server.client().get("/api/status")["messages"], 60_000);
    let page = server.client().get("/api/chats/1/conversations?limit=1");
    assert_eq!(page["total"], CONVERSATIONS);
    std::fs::remove_file(filling).expect("room again");

    let row = ended(&server, &run);
    assert_eq!(row["state"], "complete", "{row}");
    let counts = [&row["total"], &row["success"], &row["failed"]];
    assert_eq!(counts, [&json!(CONVERSATIONS), &json!(CONVERSATIONS), &json!(0)]);
    covers_all(&server, CONVERSATIONS);
    let end = eventually("the end told", || ends_told(&server, &run).pop());
    assert_eq!((&end["success"], &end["failed"]), (&json!("10000"), &json!("0")));
    let other = start(&server, &json!({"kind": "global"}));
    assert_eq!(ended(&server, &other)["total"], 0, "nothing lacks a result");
    eventually("all commitments", || {
        let last = format!("/api/commitments?limit=1&offset={}", CONVERSATIONS - 1);
        let last = server.client().get(&last)["commitments"].as_array().map(Vec::len);
        (last == Some(1)).then_some(())
    });
    assert_eq!(ends_told(&server, &run).len(), 1);
    server.stop();
}

/// A file system of its own at a folder. Gone when dropped.
struct SmallDisk(PathBuf);

impl SmallDisk {
    fn mount(at: PathBuf) -> SmallDisk {
        std::fs::create_dir_all(&at).expect("a folder");
        let size = format!("size={DISK_MIB}m,mode=700");
        let mounted = Command::new("mount")
            .args(["-t", "tmpfs", "-o", &size, "chatstats-test"])
            .arg(&at)
            .output()
            .expect("mount is installed");
        let said = String::from_utf8_lossy(&mounted.stderr);
        assert!(
            mounted.status.success(),
            "this test mounts a small file system and must run as root: {said}"
        );
        SmallDisk(at)
    }

    /// Writes until there is no room, and returns the file that takes it all.
    fn fill(&self) -> PathBuf {
        let path = self.0.join("filling");
        let mut file = File::create(&path).expect("a file");
        // First in large pieces, then to the last byte.
        for piece in [1 << 20, 1 << 12, 1] {
            while file.write_all(&vec![0; piece]).is_ok() {}
        }
        path
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        // Lazily: a server that is killed may have a file open still.
        let _unmounted = Command::new("umount").arg("--lazy").arg(&self.0).status();
    }
}
