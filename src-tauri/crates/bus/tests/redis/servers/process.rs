//! A server's process, which ends with the test, however the test ends.

use std::collections::BTreeSet;
use std::io::{BufRead, BufReader};
use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::Mutex;

/// Runs a program beside itself, and kills it when its own input ends: when the test says so, or is no more.
const GUARD: &str = r#"
"$@" </dev/null &
exec >/dev/null
cat
kill -9 $!
wait
"#;

/// What a server prints when it takes connections.
const READY: &str = "Ready to accept connections";

/// A server that runs. Dropping it kills it.
pub(super) struct Process {
    guard: Child,
    /// The guard's input: open as long as the server is to live.
    life: Option<ChildStdin>,
}

impl Process {
    /// Starts it and waits until it is ready. None if it ends instead.
    pub(super) async fn start(program: &Path, options: Vec<String>) -> Option<Self> {
        let mut command = Command::new("sh");
        command.args(["-c", GUARD, "guard"]).arg(program).args(options);
        tokio::task::spawn_blocking(move || Self::start_now(&mut command))
            .await
            .expect("no panic")
    }

    fn start_now(command: &mut Command) -> Option<Self> {
        let mut guard = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("sh starts");
        let life = guard.stdin.take();
        let printed = guard.stdout.take().expect("piped");
        let this = Self { guard, life };
        let mut lines = BufReader::new(printed).lines();
        let is_ready = lines.any(|line| line.is_ok_and(|line| line.contains(READY)));
        // Read on, or the server would wait for somebody who does.
        std::thread::spawn(move || lines.for_each(drop));
        is_ready.then_some(this)
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.life = None;
        // Fails only where the guard is gone, and then so is the server.
        let _ = self.guard.wait();
    }
}

/// A port that nobody listens on: below those that the system gives to connections, where a free one may be taken any
/// time. None is given twice: a server that was killed comes back to its own.
pub(super) fn free_port() -> u16 {
    static GIVEN: Mutex<BTreeSet<u16>> = Mutex::new(BTreeSet::new());
    loop {
        let drawn = getrandom::u32().expect("randomness");
        let port = 20_000 + (drawn % 12_000) as u16;
        let is_new = GIVEN.lock().expect("no panic").insert(port);
        if is_new && TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return port;
        }
    }
}
